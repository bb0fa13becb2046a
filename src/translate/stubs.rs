//! Code that exists once per arena: the way in, the ways out, and callouts that keep all registers.

use super::target::Target;
use super::values::at;
use crate::abi::{Callouts, Exit, Frame};
use crate::ir::{Cond, Ins, Label, Mem, R, Src, Width};
use core::mem::offset_of;

/// Addresses of the stubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stubs {
    /// `extern "C" fn(frame: *mut Frame, code: u64) -> u64`: enters compiled code at `code`, returns the code of an `Exit`.
    pub enter: u64,
    /// Way out with the exit code in the result register; writes gas and stack pointer to the frame.
    pub leave: u64,
    /// Way out after a runtime function that has updated the frame itself.
    pub leave_as_is: u64,
    /// Way out to the interpreter at the pc in scratch 2.
    pub interpret: u64,
    /// Way out to have the block at the pc in scratch 2 compiled.
    pub compile: u64,
    /// Ends the frame with the exit code in scratch 0, or out of gas if gas is negative.
    pub halt: u64,
    /// Memory growth: end in scratch 0, spare gas in scratch 1, return address in scratch 2.
    pub grow: u64,
    /// Call data word: offset in scratch 0, return address in scratch 2; the word is in `frame.scratch`.
    pub input_word: u64,
}

fn field(target: &Target, offset: usize) -> Mem {
    at(target.frame, offset as i32)
}

fn load(dst: R, mem: Mem) -> Ins {
    Ins::Load { width: Width::B64, signed: false, dst, mem }
}

fn store(src: R, mem: Mem) -> Ins {
    Ins::Store { width: Width::B64, src, mem }
}

impl Stubs {
    /// The addresses, from that of the label with each number in the code of [`stubs`].
    pub fn resolve(address: impl Fn(Label) -> u64) -> Stubs {
        let [enter, leave, leave_as_is, interpret, compile, halt, grow, input_word] =
            std::array::from_fn(|i| address(Label(i as u32)));
        Stubs { enter, leave, leave_as_is, interpret, compile, halt, grow, input_word }
    }
}

/// The stubs' code; its labels are the fields of [`Stubs`] in order.
pub fn stubs(target: &'static Target) -> Vec<Ins> {
    let [t0, t1, t2] = target.scratch;
    let gas = field(target, offset_of!(Frame, gas));
    let sp = field(target, offset_of!(Frame, sp));
    let mut out = vec![
        Ins::Label(Label(0)),
        Ins::Enter,
        Ins::Mov { dst: target.frame, src: R(0) },
        load(target.gas, gas),
        load(target.sp, sp),
        Ins::JmpReg(R(1)),
        Ins::Label(Label(1)),
        store(target.gas, gas),
        store(target.sp, sp),
        Ins::Label(Label(2)),
        Ins::Leave,
    ];
    for (label, exit) in [(3, Exit::Interpret), (4, Exit::Compile)] {
        out.extend([
            Ins::Label(Label(label)),
            store(t2, field(target, offset_of!(Frame, pc))),
            Ins::Imm { dst: t0, value: exit as u64 },
            Ins::Jmp(Label(1)),
        ]);
    }
    out.extend([
        Ins::Label(Label(5)),
        Ins::Imm { dst: t1, value: Exit::OutOfGas as u64 },
        Ins::Test { a: target.gas, b: Src::R(target.gas) },
        Ins::Select { cond: Cond::Neg, dst: t0, a: t1, b: t0 },
        Ins::Jmp(Label(1)),
    ]);
    for (label, callout) in [(6, offset_of!(Callouts, grow)), (7, offset_of!(Callouts, input_word))] {
        let kept: Vec<R> = target.words.iter().copied().filter(|r| !target.saved.contains(r)).collect();
        let saved = |i: usize| field(target, offset_of!(Frame, saved) + 8 * i);
        out.push(Ins::Label(Label(label)));
        out.push(store(t2, saved(15)));
        out.extend(kept.iter().enumerate().map(|(i, &r)| store(r, saved(i))));
        out.extend([
            store(target.gas, gas),
            Ins::Mov { dst: R(1), src: t0 },
            Ins::Mov { dst: R(2), src: t1 },
            Ins::Mov { dst: R(0), src: target.frame },
            load(target.callee, field(target, offset_of!(Frame, callouts))),
            Ins::CallMem(at(target.callee, callout as i32)),
            Ins::Test { a: t0, b: Src::R(t0) },
            Ins::Br { cond: Cond::Ne, to: Label(2) },
            load(target.gas, gas),
        ]);
        out.extend(kept.iter().enumerate().map(|(i, &r)| load(r, saved(i))));
        out.push(Ins::JmpMem(saved(15)));
    }
    out
}
