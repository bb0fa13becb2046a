//! Every condition on the flags of every instruction that defines it: branched upon forward and backward, selected by, set.

use crate::harness::CONDS;
use ejit::arena::{Arena, call};
use ejit::ir::*;
use ejit::lower::{Features, Lowerer, REGISTERS, RESULT};

const A: R = R(0);
const B: R = R(1);
const OTHER: R = R(2);
const CARRY: R = R(3);
const SUM: R = R(4);
const BITS: R = R(5);

const EDGES: [u64; 9] = [0, 1, 2, 0x7f, 0x80, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];

/// What leaves flags, from `A` and `B`. The second word of the stream's memory is `B`'s.
fn writers() -> Vec<Ins> {
    let alu = |op| Ins::Alu { op, flags: true, dst: OTHER, a: A, b: Src::R(B) };
    let mut all: Vec<Ins> =
        [AluOp::Add, AluOp::Sub, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Adc, AluOp::Sbb].into_iter().map(alu).collect();
    all.push(Ins::Cmp { a: A, b: Src::R(B) });
    all.extend([0, 1, -1, 0x80, i32::MIN].map(|imm| Ins::Cmp { a: A, b: Src::I(imm) }));
    all.push(Ins::Test { a: A, b: Src::R(B) });
    all
}

/// Bit 0 of the result: branched forward; 1: backward; 2: selected; 3: set.
fn stream(writer: Ins, cond: Cond) -> Vec<Ins> {
    let [back, ahead, start, end] = [0, 1, 2, 3].map(Label);
    let more = |bit: i32| Ins::Alu { op: AluOp::Or, flags: false, dst: SUM, a: SUM, b: Src::I(bit) };
    // A carry for those that read one, of an addition or of a subtraction as they come.
    let first = match writer {
        Ins::Alu { op: AluOp::Adc, .. } => Ins::Alu { op: AluOp::Sub, flags: true, dst: CARRY, a: B, b: Src::R(A) },
        _ => Ins::Alu { op: AluOp::Add, flags: true, dst: CARRY, a: B, b: Src::R(A) },
    };
    vec![
        Ins::Imm { dst: SUM, value: 0 },
        Ins::Jmp(start),
        Ins::Label(back),
        more(2),
        Ins::Jmp(end),
        Ins::Label(start),
        first,
        writer,
        Ins::Set { cond, dst: BITS },
        Ins::Imm { dst: OTHER, value: 4 },
        Ins::Imm { dst: CARRY, value: 0 },
        Ins::Select { cond, dst: OTHER, a: OTHER, b: CARRY },
        Ins::Br { cond, to: ahead },
        Ins::Br { cond, to: back },
        Ins::Jmp(end),
        Ins::Label(ahead),
        Ins::Imm { dst: SUM, value: 1 },
        Ins::Br { cond, to: back },
        Ins::Label(end),
        Ins::Alu { op: AluOp::Or, flags: false, dst: SUM, a: SUM, b: Src::R(OTHER) },
        Ins::ShiftImm { op: ShiftOp::Shl, dst: BITS, a: BITS, amount: 3 },
        Ins::Alu { op: AluOp::Or, flags: false, dst: RESULT, a: SUM, b: Src::R(BITS) },
        Ins::Ret,
    ]
}

#[test]
fn every_condition_after_everything_that_defines_it() {
    let mut arena = Arena::new(1 << 22, 0).unwrap();
    let mut lowerer = Lowerer::new(Features::none());
    let (mut held, mut checked) = ([0; CONDS.len()], 0);
    for writer in writers() {
        for (n, cond) in CONDS.into_iter().enumerate() {
            let ins = stream(writer, cond);
            verify(&ins, REGISTERS).unwrap();
            let code = lowerer.stream(&ins, arena.next_address()).unwrap();
            let entry = arena.publish(code).unwrap();
            for a in EDGES {
                for b in EDGES {
                    let mut machine = Machine::new(Vec::new(), 0);
                    [machine.regs[0], machine.regs[1]] = [a, b];
                    match machine.run(&ins, 100) {
                        Ok(_) => {}
                        // Logic leaves no carry.
                        Err(EvalError::UndefinedFlags(_)) => continue,
                        Err(error) => panic!("{error:?}"),
                    }
                    let expected = machine.regs[usize::from(RESULT.0)];
                    // SAFETY: the stream takes two integers, touches no memory, and returns one.
                    let seen = unsafe { call(entry, &[a, b]) };
                    assert_eq!(seen, expected, "{writer}, {cond:?}, {a:#x} and {b:#x}");
                    assert!(seen == 0 || seen == 15, "all see the same condition");
                    held[n] += u32::from(seen != 0);
                    checked += 1;
                }
            }
        }
    }
    assert!(held.iter().all(|&held| held > 100) && checked > 10_000, "{held:?} {checked}");
}
