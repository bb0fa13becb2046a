//! Copies memory: sixteen bytes at a time, then the rest byte by byte.

use ejit::arena::{Assembler, Function};
use ejit::ir::{AluOp, Cond, Ins, Mem, R, Src, V, VSize, VectorIns, Width};

/// Arguments: where to, where from, how many bytes.
const TO: R = R(0);
const FROM: R = R(1);
const LEN: R = R(2);

fn assemble(assembler: &mut Assembler) -> Result<(), ejit::lower::LowerError> {
    let at = |base| Mem { base, index: None, shift: 0, disp: 0 };
    let step = |r, by| Ins::Alu { op: AluOp::Add, flags: false, dst: r, a: r, b: Src::I(by) };
    let [blocks, bytes, done] = [assembler.label(), assembler.label(), assembler.label()];
    let byte = R(3);
    let program = [
        Ins::Label(blocks),
        Ins::Cmp { a: LEN, b: Src::I(16) },
        Ins::Br { cond: Cond::Ult, to: bytes },
        Ins::Vector(VectorIns::Load { size: VSize::S128, dst: V(0), mem: at(FROM) }),
        Ins::Vector(VectorIns::Store { size: VSize::S128, src: V(0), mem: at(TO) }),
        step(FROM, 16),
        step(TO, 16),
        step(LEN, -16),
        Ins::Jmp(blocks),
        Ins::Label(bytes),
        Ins::Cmp { a: LEN, b: Src::I(0) },
        Ins::Br { cond: Cond::Eq, to: done },
        Ins::Load { width: Width::B8, signed: false, dst: byte, mem: at(FROM) },
        Ins::Store { width: Width::B8, src: byte, mem: at(TO) },
        step(FROM, 1),
        step(TO, 1),
        step(LEN, -1),
        Ins::Jmp(bytes),
        Ins::Label(done),
        Ins::Ret,
    ];
    program.into_iter().try_for_each(|ins| assembler.push(ins))
}

/// Runs it, and checks what comes out.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut assembler = Assembler::new(4096)?;
    assemble(&mut assembler)?;
    let entry = assembler.finish()?;
    // SAFETY: published in the assembler's memory, which outlives all calls below.
    let copy = unsafe { Function::<(*mut u8, *const u8, usize), ()>::new(entry) };
    let from: Vec<u8> = (0..100).collect();
    for len in [0, 1, 15, 16, 17, 64, 100] {
        let mut to = vec![0xff; 100];
        // SAFETY: both buffers hold `len` bytes, and nobody else looks at them meanwhile.
        unsafe { copy.call((to.as_mut_ptr(), from.as_ptr(), len)) };
        assert_eq!(to[..len], from[..len]);
        assert!(to[len..].iter().all(|&byte| byte == 0xff), "it wrote more than it was told to");
    }
    println!("copied");
    Ok(())
}
