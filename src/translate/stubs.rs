//! Code that exists once per arena: the way in, the ways out, and callouts that keep all registers.

use super::target::Target;
use super::values::at;
use crate::abi::{Callouts, Exit, Frame, SAVED_REGISTERS};
use crate::evm::fork::{MEMORY_QUADRATIC_DIVISOR, MEMORY_WORD};
use crate::ir::{AluOp, Cond, Ins, Label, Mem, R, ShiftOp, Src, Width};
use core::mem::offset_of;

/// Addresses of the stubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stubs {
    /// `extern "C" fn(frame: *mut Frame, code: u64) -> u64`: enters compiled code at `code`, returns the code of an `Exit`.
    pub enter: u64,
    /// The same with the registers for words as they were left in `frame.saved`.
    pub resume: u64,
    /// Way out with the exit code in the result register; writes gas and stack pointer to the frame.
    pub leave: u64,
    /// Way out after a runtime function that has updated the frame itself.
    pub leave_as_is: u64,
    /// Way out to the interpreter at the pc in scratch 2.
    pub interpret: u64,
    /// Way out to have the version whose number is in scratch 2 compiled, with the registers for words in `frame.saved`.
    pub compile: u64,
    /// Way out through the site whose number is in scratch 2, with the registers for words in `frame.saved`.
    pub deopt: u64,
    /// Ends the frame with the exit code in scratch 0, or out of gas if gas is negative.
    pub halt: u64,
    /// Ends the frame for an operand of 2^64 or more; scratch 1 has gas that was charged but is not due.
    pub invalid_operand: u64,
    /// Called for memory growth: offset in scratch 0, length (high half) and spare gas (low half) in scratch 1. Changes scratch 0 and 1. Growth
    /// within what is ready is done here, else by the runtime function.
    pub grow: u64,
    /// Called for a call data word: offset in scratch 0; the word is in `frame.scratch`. Changes scratch 0 and 1.
    pub input_word: u64,
    /// Called for a remainder of `scratch 0 : frame.scratch` by the word that scratch 1 points to; it is in `frame.scratch`. Changes scratch 0 and 1.
    pub reduce: u64,
    /// Called for an operation on the frame: its offset in `Callouts` in scratch 0. Changes what a call changes.
    pub frame_op: u64,
    /// Way out through an operation after which the frame never goes on here, likewise. It is jumped to: were it called, the processor would expect
    /// a return, and miss each one from here to the frame loop.
    pub last_op: u64,
}

/// Entry of `frame.saved` for the third scratch register; those for words come first.
const SAVED_SCRATCH: usize = SAVED_REGISTERS - 1;

pub(super) fn field(target: &Target, offset: usize) -> Mem {
    at(target.frame, offset as i32)
}

pub(super) fn load(dst: R, mem: Mem) -> Ins {
    Ins::Load { width: Width::B64, signed: false, dst, mem }
}

pub(super) fn store(src: R, mem: Mem) -> Ins {
    Ins::Store { width: Width::B64, src, mem }
}

impl Stubs {
    /// The addresses, from that of the label with each number in the code of [`stubs`].
    pub fn resolve(address: impl Fn(Label) -> u64) -> Stubs {
        let at = |n| address(Label(n));
        Stubs {
            enter: at(ENTER),
            resume: at(RESUME),
            leave: at(LEAVE),
            leave_as_is: at(LEAVE_AS_IS),
            interpret: at(INTERPRET),
            compile: at(COMPILE),
            deopt: at(DEOPT),
            halt: at(HALT),
            invalid_operand: at(INVALID_OPERAND),
            grow: at(GROW),
            input_word: at(INPUT_WORD),
            reduce: at(REDUCE),
            frame_op: at(FRAME_OP),
            last_op: at(LAST_OP),
        }
    }
}

const ENTER: u32 = 0;
const RESUME: u32 = 1;
const LEAVE: u32 = 2;
const LEAVE_AS_IS: u32 = 3;
const INTERPRET: u32 = 4;
const COMPILE: u32 = 5;
const DEOPT: u32 = 6;
const HALT: u32 = 7;
const INVALID_OPERAND: u32 = 8;
const GROW: u32 = 9;
const INPUT_WORD: u32 = 10;
const REDUCE: u32 = 11;
const FRAME_OP: u32 = 12;
const LAST_OP: u32 = 13;
/// Where a runtime function called by a stub has ended the frame.
const ENDED: u32 = 14;
/// Memory growth is left to the runtime function.
const GROW_SLOWLY: u32 = 15;

/// Memory growth within what is ready and can be paid for; other growth goes on at [`GROW_SLOWLY`] as if nothing had been. The third scratch
/// register is saved. The price of `w` words is `3 w + w^2 / 512` (Yellow Paper, appendix H), which is `w (w + 3 * 512) / 512`.
fn grow_if_ready(target: &'static Target) -> impl IntoIterator<Item = Ins> {
    let [t0, t1, t2] = target.scratch;
    let asked = |i: usize| field(target, offset_of!(Frame, scratch) + 8 * i);
    let [len, ready, paid] = [offset_of!(Frame, memory_len), offset_of!(Frame, memory_ready), offset_of!(Frame, memory_paid)]
        .map(|offset| field(target, offset));
    let alu = |op, dst, b| Ins::Alu { op, flags: false, dst, a: dst, b };
    let shift = |dst, a, amount| Ins::ShiftImm { op: ShiftOp::Shr, dst, a, amount };
    let slowly = |cond| Ins::Br { cond, to: Label(GROW_SLOWLY) };
    [
        store(t0, asked(0)),
        store(t1, asked(1)),
        // The end, rounded up to words.
        Ins::Cmp { a: t0, b: Src::M(ready) },
        slowly(Cond::Ugt),
        shift(t2, t1, 32),
        Ins::Lea { dst: t2, mem: Mem { base: t2, index: Some(t0), shift: 0, disp: 31 } },
        alu(AluOp::And, t2, Src::I(-32)),
        Ins::Cmp { a: t2, b: Src::M(ready) },
        slowly(Cond::Ugt),
        // The price.
        shift(t0, t2, 5),
        Ins::Lea { dst: t1, mem: at(t0, (MEMORY_WORD * MEMORY_QUADRATIC_DIVISOR) as i32) },
        alu(AluOp::Mul, t0, Src::R(t1)),
        shift(t0, t0, const { MEMORY_QUADRATIC_DIVISOR.trailing_zeros() as u8 }),
        // Gas that is left, the spare and what was paid before are to be no less.
        Ins::Load { width: Width::B32, signed: false, dst: t1, mem: asked(1) },
        alu(AluOp::Add, t1, Src::R(target.gas)),
        alu(AluOp::Add, t1, Src::M(paid)),
        Ins::Cmp { a: t1, b: Src::R(t0) },
        slowly(Cond::Slt),
        alu(AluOp::Add, target.gas, Src::M(paid)),
        alu(AluOp::Sub, target.gas, Src::R(t0)),
        store(t0, paid),
        store(t2, len),
        Ins::Lea { dst: t2, mem: at(t2, -31) },
        store(t2, field(target, offset_of!(Frame, memory_words))),
        load(t2, field(target, offset_of!(Frame, saved) + 8 * SAVED_SCRATCH)),
    ]
}

/// Where [`grow_if_ready`] could not: everything is as it was.
fn grow_slowly(target: &'static Target) -> impl IntoIterator<Item = Ins> {
    let asked = |i: usize| field(target, offset_of!(Frame, scratch) + 8 * i);
    [Ins::Label(Label(GROW_SLOWLY)), load(target.scratch[0], asked(0)), load(target.scratch[1], asked(1))]
}

/// The stubs' code; its labels below [`ENDED`] are the fields of [`Stubs`] in order.
pub fn stubs(target: &'static Target) -> Vec<Ins> {
    let [t0, t1, t2] = target.scratch;
    let gas = field(target, offset_of!(Frame, gas));
    let sp = field(target, offset_of!(Frame, sp));
    let pc = field(target, offset_of!(Frame, pc));
    let saved = |i: usize| field(target, offset_of!(Frame, saved) + 8 * i);
    let words = || target.words.iter().enumerate();
    let mut out = Vec::new();
    for label in [ENTER, RESUME] {
        out.extend([
            Ins::Label(Label(label)),
            Ins::Enter,
            Ins::Mov { dst: target.frame, src: R(0) },
            Ins::Mov { dst: t0, src: R(1) },
            load(target.gas, gas),
            load(target.sp, sp),
        ]);
        if label == RESUME {
            out.extend(words().map(|(i, &r)| load(r, saved(i))));
        }
        out.push(Ins::JmpReg(t0));
    }
    out.extend([
        Ins::Label(Label(LEAVE)),
        store(target.gas, gas),
        store(target.sp, sp),
        Ins::Label(Label(LEAVE_AS_IS)),
        Ins::Leave,
    ]);
    for (label, exit) in [(INTERPRET, Exit::Interpret), (COMPILE, Exit::Compile), (DEOPT, Exit::Deopt)] {
        out.extend([Ins::Label(Label(label)), store(t2, pc), Ins::Imm { dst: t0, value: exit as u64 }]);
        if label != INTERPRET {
            out.extend(words().map(|(i, &r)| store(r, saved(i))));
        }
        out.push(Ins::Jmp(Label(LEAVE)));
    }
    out.extend([
        Ins::Label(Label(INVALID_OPERAND)),
        Ins::Alu { op: AluOp::Add, flags: false, dst: target.gas, a: target.gas, b: Src::R(t1) },
        Ins::Imm { dst: t0, value: Exit::InvalidOperand as u64 },
        Ins::Label(Label(HALT)),
        Ins::Imm { dst: t1, value: Exit::OutOfGas as u64 },
        Ins::Test { a: target.gas, b: Src::R(target.gas) },
        Ins::Select { cond: Cond::Neg, dst: t0, a: t1, b: t0 },
        Ins::Jmp(Label(LEAVE)),
    ]);
    for (label, callout) in
        [(GROW, offset_of!(Callouts, grow)), (INPUT_WORD, offset_of!(Callouts, input_word)), (REDUCE, offset_of!(Callouts, reduce))]
    {
        let kept = || words().filter(|(_, r)| !target.saved.contains(r));
        out.extend([Ins::Label(Label(label)), Ins::EnterStub, store(t2, saved(SAVED_SCRATCH))]);
        if label == GROW {
            out.extend(grow_if_ready(target));
            out.push(Ins::LeaveStub);
            out.extend(grow_slowly(target));
        }
        out.extend(kept().map(|(i, &r)| store(r, saved(i))));
        out.extend([
            store(target.gas, gas),
            Ins::Mov { dst: R(1), src: t0 },
            Ins::Mov { dst: R(2), src: t1 },
            Ins::Mov { dst: R(0), src: target.frame },
            load(target.callee, field(target, offset_of!(Frame, callouts))),
            Ins::CallMem(at(target.callee, callout as i32)),
            Ins::Test { a: t0, b: Src::R(t0) },
            Ins::Br { cond: Cond::Ne, to: Label(ENDED) },
            load(target.gas, gas),
            load(t2, saved(SAVED_SCRATCH)),
        ]);
        out.extend(kept().map(|(i, &r)| load(r, saved(i))));
        out.push(Ins::LeaveStub);
    }
    out.push(Ins::Label(Label(FRAME_OP)));
    out.extend(frame_op(target, Label(ENDED)));
    out.extend([Ins::LeaveStub, Ins::Label(Label(ENDED)), Ins::DropStub, Ins::Jmp(Label(LEAVE_AS_IS)), Ins::Label(Label(LAST_OP))]);
    out.extend(operation(target));
    out.push(Ins::Jmp(Label(LEAVE_AS_IS)));
    out
}

/// An operation on the frame, in a stub; goes to `ended` if the frame does not go on.
pub(super) fn frame_op(target: &'static Target, ended: Label) -> impl Iterator<Item = Ins> {
    let [t0, _, _] = target.scratch;
    let goes_on = [
        Ins::Test { a: t0, b: Src::R(t0) },
        Ins::Br { cond: Cond::Ne, to: ended },
        load(target.gas, field(target, offset_of!(Frame, gas))),
    ];
    [Ins::EnterStub].into_iter().chain(operation(target)).chain(goes_on)
}

/// The operation whose offset in `Callouts` is in scratch 0, where its result is then.
fn operation(target: &'static Target) -> [Ins; 7] {
    let [t0, _, _] = target.scratch;
    let gas = field(target, offset_of!(Frame, gas));
    [
        store(target.sp, field(target, offset_of!(Frame, sp))),
        store(target.gas, gas),
        Ins::Alu { op: AluOp::Add, flags: false, dst: target.callee, a: t0, b: Src::M(field(target, offset_of!(Frame, callouts))) },
        Ins::Mov { dst: R(0), src: target.frame },
        Ins::CallMem(at(target.callee, 0)),
        // What it has charged, whether the frame goes on or not.
        Ins::Alu { op: AluOp::Sub, flags: false, dst: target.gas, a: target.gas, b: Src::M(gas) },
        Ins::AluMem { op: AluOp::Add, mem: field(target, offset_of!(Frame, gas_of_effects)), src: Src::R(target.gas) },
    ]
}
