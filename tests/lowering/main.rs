//! Lowered code against the reference evaluator, on the machine this runs on, with features on and off.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod anything;
mod conditions;
mod control;
mod generate;
mod golden;
mod harness;
mod library;
mod vector;

use ejit::ir::{AluOp, Ins, Mem, R, ShiftOp, Src, UnOp, Width};
use ejit::lower::REGISTERS;
use generate::{KINDS, Rng};
use harness::{Case, Harness, SCRATCH};

/// Every kind of instruction by itself, over random registers, boundary values and feature sets.
#[test]
fn each_instruction_alone() {
    let mut harness = Harness::new();
    for kind in 0..KINDS {
        let mut rng = Rng::new(kind as u64 + 1);
        for _ in 0..CASES_ALONE {
            let mut case = Case::random(&mut rng);
            let mut tries = 0;
            while !generate::append(&mut rng, &mut case, kind) {
                tries += 1;
                assert!(tries < 10_000, "kind {kind} is never accepted");
                if tries % 50 == 0 {
                    // The context may be in a register that the instruction demands.
                    case = Case::random(&mut rng);
                }
            }
            harness.check(&case);
        }
    }
}

/// Sequences, in which flags and registers flow from one to the next.
#[test]
fn sequences() {
    let mut harness = Harness::new();
    let mut rng = Rng::new(0x5eed);
    for _ in 0..CASES_SEQUENCES {
        let mut case = Case::random(&mut rng);
        let len = 2 + rng.below(14) as usize;
        let mut tries = 0;
        while case.body.len() < len && tries < 1000 {
            let kind = rng.below(KINDS as u64) as usize;
            generate::append(&mut rng, &mut case, kind);
            tries += 1;
        }
        harness.check(&case);
    }
}

const CASES_ALONE: usize = 1200;
const CASES_SEQUENCES: usize = 6000;

/// All register assignments of the instructions for which the machine demands registers.
#[test]
fn fixed_registers_in_every_position() {
    let mut harness = Harness::new();
    let mut rng = Rng::new(7);
    let some = [2, 3, 6, 9].map(R); // rdx rcx rax rbx on x86-64
    for a in some {
        for b in some {
            for x in some {
                for shift in [ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Ror, ShiftOp::Rol] {
                    run(&mut harness, &mut rng, Ins::Shift { op: shift, dst: x, a, amount: b });
                }
                for signed in [false, true] {
                    run(&mut harness, &mut rng, Ins::MulHigh { signed, dst: x, a, b });
                }
                for y in some.into_iter().filter(|&y| y != x) {
                    run(&mut harness, &mut rng, Ins::MulWide { hi: x, lo: y, a, b });
                    run(&mut harness, &mut rng, Ins::MulWideSigned { hi: x, lo: y, a, b });
                    run(&mut harness, &mut rng, Ins::DivRem { quot: x, rem: y, a, b });
                    run(&mut harness, &mut rng, Ins::DivRemSigned { quot: x, rem: y, a, b });
                    for hi in some {
                        run(&mut harness, &mut rng, Ins::DivWide { quot: x, rem: y, hi, lo: a, b });
                    }
                }
                for op in [AluOp::Sub, AluOp::Add, AluOp::Mul, AluOp::And] {
                    for flags in [false, true] {
                        run(&mut harness, &mut rng, Ins::Alu { op, flags, dst: x, a, b: Src::R(b) });
                    }
                }
            }
        }
    }
}

/// Every register once in each operand of the plain instructions.
#[test]
fn every_register() {
    let mut harness = Harness::new();
    let mut rng = Rng::new(8);
    for r in (0..REGISTERS).map(R) {
        let other = R((r.0 + 1) % REGISTERS);
        let mem = |base, disp| Mem { base, index: None, shift: 0, disp };
        for op in [UnOp::Not, UnOp::Neg, UnOp::Bswap, UnOp::Clz, UnOp::Ctz, UnOp::Popcount] {
            run(&mut harness, &mut rng, Ins::Un { op, dst: r, src: other });
            run(&mut harness, &mut rng, Ins::Un { op, dst: other, src: r });
        }
        for width in [Width::B8, Width::B16, Width::B32, Width::B64] {
            let mut case = Case::random_avoiding(&mut rng, &[r, other]);
            let at = case.context_address() + SCRATCH as u64;
            case.push(Ins::Imm { dst: r, value: at });
            case.push(Ins::Store { width, src: other, mem: mem(r, 8) });
            case.push(Ins::Load { width, signed: true, dst: other, mem: mem(r, 16) });
            case.push(Ins::Load { width, signed: false, dst: r, mem: mem(r, 24) });
            harness.check(&case);
        }
    }
}

/// Loads and stores of every width by every form of address, displacements at the edges of what the machines encode.
#[test]
fn every_width_at_every_address() {
    let mut harness = Harness::new();
    let mut rng = Rng::new(9);
    let (base, index, value, sum) = (R(1), R(2), R(3), R(4));
    #[rustfmt::skip]
    let displacements = [
        0, 1, -1, 7, 8, 127, 128, -128, -129, 255, 256, -256, -257, 0xfff, 0x1000, 0x1001, 0x7ff8, 0x7ff9, 0x8000, 0xff_f000,
        0x123_4567, i32::MAX, i32::MIN,
    ];
    for disp in displacements {
        for shift in [None, Some(0), Some(1), Some(2), Some(3)] {
            let mut case = Case::random_avoiding(&mut rng, &[base, index, value, sum]);
            let at = case.context_address() + SCRATCH as u64 + rng.below(64);
            let far = rng.value() >> 8;
            let scaled = shift.map_or(0, |shift| far << shift);
            let mem = Mem { base, index: shift.map(|_| index), shift: shift.unwrap_or(0), disp };
            assert!(case.push(Ins::Imm { dst: base, value: at.wrapping_sub(scaled).wrapping_sub(disp as u64) }));
            assert!(case.push(Ins::Imm { dst: index, value: far }));
            for width in [Width::B8, Width::B16, Width::B32, Width::B64] {
                for signed in [false, true] {
                    assert!(case.push(Ins::Load { width, signed, dst: value, mem }));
                    // So that each load shows.
                    assert!(case.push(Ins::Alu { op: AluOp::Add, flags: false, dst: sum, a: sum, b: Src::R(value) }));
                }
                assert!(case.push(Ins::Store { width, src: index, mem }));
                assert!(case.push(Ins::StoreImm { width, value: -0x1234_5679, mem }));
            }
            assert!(case.push(Ins::LoadSwap { dst: value, mem }) && case.push(Ins::StoreSwap { src: index, mem }));
            harness.check(&case);
        }
    }
}

fn run(harness: &mut Harness, rng: &mut Rng, ins: Ins) {
    for _ in 0..3 {
        let mut used = Vec::new();
        ins.registers(|_, r| used.push(r));
        let mut case = Case::random_avoiding(rng, &used);
        if case.push(ins) {
            harness.check(&case);
        }
    }
}
