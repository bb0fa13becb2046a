//! The dot product of two arrays of F32, in vectors as wide as the machine has them: what it lacks is a typed error, upon which something
//! narrower is tried.

use ejit::arena::{Executable, ExecutableError};
use ejit::ir::{AluOp, Cond, Ins, Label, Mem, R, Shape, Src, Type, V, VOp, VSize, VectorIns};
use ejit::lower::{LowerError, RESULT};

/// Arguments: two arrays and their length, which is a multiple of the lanes and not zero.
const X: R = R(0);
const Y: R = R(1);
const LEN: R = R(2);

fn dot(size: VSize, fused: bool) -> Vec<Ins> {
    let shape = Shape { ty: Type::F32, size };
    let [sum, x, y] = [V(0), V(1), V(2)];
    let at = |base| Mem { base, index: None, shift: 0, disp: 0 };
    let step = |r, by| Ins::Alu { op: AluOp::Add, flags: true, dst: r, a: r, b: Src::I(by) };
    let again = Label(0);
    let mut ins: Vec<Ins> = vec![
        Ins::Vector(VectorIns::Op { op: VOp::Xor, shape, dst: sum, a: sum, b: sum }),
        Ins::Label(again),
        Ins::Vector(VectorIns::Load { size, dst: x, mem: at(X) }),
        Ins::Vector(VectorIns::Load { size, dst: y, mem: at(Y) }),
    ];
    if fused {
        ins.push(Ins::Vector(VectorIns::Fma { shape, dst: sum, a: x, b: y, c: sum }));
    } else {
        ins.push(Ins::Vector(VectorIns::Op { op: VOp::Mul, shape, dst: x, a: x, b: y }));
        ins.push(Ins::Vector(VectorIns::Op { op: VOp::Add, shape, dst: sum, a: sum, b: x }));
    }
    ins.extend([
        step(X, size.bytes() as i32),
        step(Y, size.bytes() as i32),
        step(LEN, -(shape.lanes() as i32)),
        Ins::Br { cond: Cond::Ne, to: again },
        Ins::Vector(VectorIns::Sum { shape, dst: sum, src: sum }),
        Ins::Vector(VectorIns::Extract { ty: Type::F32, lane: 0, dst: RESULT, src: sum }),
        Ins::Ret,
    ]);
    ins
}

/// Runs it, and checks what comes out.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x: Vec<f32> = (0..64).map(|n| n as f32).collect();
    let y: Vec<f32> = (0..64).map(|n| (64 - n) as f32 / 2.0).collect();
    // Exact, since all of these are small multiples of a half.
    let expected: f32 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let mut widths = 0;
    for size in VSize::ALL.into_iter().rev() {
        for fused in [true, false] {
            let code = match Executable::from_ir(dot(size, fused)) {
                Ok(code) => code,
                Err(ExecutableError::Lower(LowerError::Unsupported { ins, needs, .. })) => {
                    println!("{size} bits: {ins} needs {needs}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let dot = code.function::<(*const f32, *const f32, usize), u32>();
            // SAFETY: both arrays have 64 elements, a multiple of the lanes; they are read alone.
            let bits = unsafe { dot.call((x.as_ptr(), y.as_ptr(), x.len())) };
            println!("{size} bits{}: {}", if fused { ", fused" } else { "" }, f32::from_bits(bits));
            assert_eq!(f32::from_bits(bits), expected);
            widths += 1;
        }
    }
    assert!(widths >= 2, "every machine has 64 and 128 bits");
    Ok(())
}
