//! Lowering and publishing: nanoseconds per IR instruction and per byte.

use ejit::arena::Arena;
use ejit::ir::*;
use ejit::lower::{Features, Lowerer};
use std::hint::black_box;
use std::time::Instant;

/// What a translated block looks like: checks, word arithmetic, loads, stores, forward branches.
fn block(label: u32) -> Vec<Ins> {
    let at = |base, disp| Mem { base, index: None, shift: 0, disp };
    let [p, q] = [[0, 1, 2, 3], [4, 5, 7, 8]].map(|q| Quad(q.map(R)));
    let add = |dst, a, b| Ins::Alu { op: AluOp::Add, flags: true, dst, a, b };
    vec![
        Ins::Alu { op: AluOp::Sub, flags: true, dst: R(9), a: R(9), b: Src::I(120) },
        Ins::Br { cond: Cond::Ult, to: Label(label) },
        Ins::WLoad { dst: p, base: R(10), disp: -32 },
        Ins::W { op: WordOp::Add, dst: p, a: p, b: WSrc::M(R(10), -64) },
        Ins::WStore { src: WSrc::Q(p), base: R(10), disp: -64 },
        Ins::Load { width: Width::B64, signed: false, dst: R(6), mem: at(R(11), 0x80) },
        add(R(12), R(6), Src::I(32)),
        Ins::Br { cond: Cond::Ult, to: Label(label) },
        Ins::Cmp { a: R(12), b: Src::M(at(R(11), 0x88)) },
        Ins::Br { cond: Cond::Ugt, to: Label(label) },
        Ins::WLoadSwap { dst: q, mem: Mem { base: R(13), index: Some(R(6)), shift: 0, disp: 0 } },
        Ins::W { op: WordOp::And, dst: p, a: p, b: WSrc::Q(q) },
        Ins::Imm { dst: R(6), value: 0x1234_5678_9abc_def0 },
        Ins::Mov { dst: R(14), src: R(6) },
        Ins::WIsZero { a: p, tmp: R(6) },
        Ins::Set { cond: Cond::Eq, dst: R(6) },
        Ins::StoreImm { width: Width::B64, value: 0, mem: at(R(10), -8) },
        Ins::Test { a: R(6), b: Src::R(R(6)) },
        Ins::Br { cond: Cond::Ne, to: Label(label) },
        Ins::Store { width: Width::B64, src: R(6), mem: at(R(10), -32) },
        Ins::Label(Label(label)),
        add(R(10), R(10), Src::I(-32)),
    ]
}

/// Lowers `ins` time and again; nanoseconds per instruction of the best round.
fn measure(ins: &[Ins], code: &mut Vec<u8>) -> f64 {
    let mut lowerer = Lowerer::new(Features::detect());
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        code.clear();
        let start = Instant::now();
        lowerer.lower(black_box(ins), 0x10000, code).expect("the blocks are sound");
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best / ins.len() as f64
}

fn main() {
    let ins: Vec<Ins> = (0..200).flat_map(block).collect();
    let mut code = Vec::new();
    for ins in block(0).into_iter().filter(|ins| !matches!(ins, Ins::Br { .. } | Ins::Label(_))) {
        let time = measure(&[ins; 1000], &mut code);
        println!("{time:6.2} ns  {:4.1} bytes  {ins}", code.len() as f64 / 1000.0);
    }
    let best = measure(&ins, &mut code);
    let count = ins.len() as f64;
    println!("lower    {:6.2} ns per instruction, {:5.2} ns per byte", best, best * count / code.len() as f64);
    println!("size     {:6.2} bytes per instruction", code.len() as f64 / count);

    let mut arena = Arena::new(32 << 20, 0).expect("code memory");
    let start = Instant::now();
    let mut published = 0;
    while arena.publish(black_box(&code)).is_ok() {
        published += code.len();
    }
    println!("publish  {:6.3} ns per byte of fresh memory", start.elapsed().as_nanos() as f64 / published as f64);
}
