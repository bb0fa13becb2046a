//! Checks of sums, differences and products for overflow, as solc 0.8 makes them: of a result with an operand (`x > x + y`, `x - y > x`), or of an operand with the most
//! that there is room for (`x > ~y`, `y > MAX / x`). Where results were kept to 64 bits, or are narrow enough, the answer is known; otherwise it is the carry.

use super::context::Wide;
use super::values::{Regs, ValueId};
use super::{Job, Translator};
use crate::evm::U256;
use crate::evm::code::Code;
use crate::evm::opcode as op;
use crate::ir::{AluOp, Cond, Ins, Src, WordOp};

/// A sum or difference and its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    of: ValueId,
    operands: [ValueId; 2],
    is_difference: bool,
    /// It surely has not wrapped around.
    fits: bool,
}

/// The two instructions of `DUPn GT`.
const DUP_GT: usize = 2;

impl Translator {
    /// The top of the stack is the sum of these, modulo 2^256, or the first less the second.
    pub(super) fn note_sum(&mut self, operands: [ValueId; 2], is_difference: bool, fits: bool) {
        self.sum = Some(Sum { of: self.s.at(self.s.len() - 1), operands, is_difference, fits });
    }

    /// `a < b`, if that is whether a sum or difference has wrapped around and the answer is at hand; false if not, and then nothing has happened.
    pub(super) fn wrapped(&mut self, a: ValueId, b: ValueId) -> bool {
        let Some(sum) = self.sum else { return false };
        let is_asked = match sum.is_difference {
            true => b == sum.of && a == sum.operands[0],
            false => a == sum.of && sum.operands.contains(&b),
        };
        let carry_is_left = || {
            let computed = |dst| self.s.value(sum.of).regs == Regs::Wide(dst);
            matches!(self.s.out.last(), Some(&Ins::W { op: WordOp::Add | WordOp::Sub, dst, .. }) if computed(dst))
        };
        if !is_asked || !(sum.fits || carry_is_left()) {
            return false;
        }
        self.release2(a, b);
        self.push_carry(sum.fits);
        true
    }

    /// Whether the flags have a carry; there is none where the sum `fits`.
    fn push_carry(&mut self, fits: bool) {
        if fits {
            self.s.push_limb(0);
        } else {
            self.s.push_flags(Cond::Ult);
        }
    }

    /// The index of the element that is compared if `DUPn GT` follows the instruction at `pc`, after which the stack has `len` elements: of another one than its
    /// result.
    fn compared_with_result(&self, code: &Code, pc: usize, len: usize) -> Option<usize> {
        let padded = code.padded();
        let depth = usize::from(padded[pc + 1].wrapping_sub(op::DUP1)) + 1;
        let follows = (2..=16).contains(&depth) && padded[pc + 2] == op::GT && pc + DUP_GT < self.block_end;
        if follows { len.checked_sub(depth) } else { None }
    }

    /// NOT at `pc`, or SUB from the greatest number, if `DUPn GT` follows: whether the sum of the operand and that element carries.
    pub(super) fn complement_test(&mut self, code: &Code, pc: usize, opcode: u8) -> bool {
        let mut len = self.s.len();
        if opcode == op::SUB {
            if self.s.konst(self.s.at(len - 1)) != Some(U256::MAX) {
                return false;
            }
            len -= 1;
        }
        let Some(other) = self.compared_with_result(code, pc, len) else { return false };
        let (x, y) = (self.s.at(other), self.s.at(len - 1));
        self.s.kill_flags();
        self.s.spread(x);
        let fits = self.bits(x).max(self.bits(y)) < 256;
        if !fits {
            let [t0, t1, _] = self.s.target.scratch;
            for i in 0..4 {
                let op = if i == 0 { AluOp::Add } else { AluOp::Adc };
                self.s.limb_to(x, i, t0);
                let b = self.s.limb_or(y, i, t1);
                self.s.emit(Ins::Alu { op, flags: true, dst: t0, a: t0, b });
            }
        }
        while self.s.len() >= len {
            let v = self.s.pop();
            self.s.release(v);
        }
        self.push_carry(fits);
        self.fused = DUP_GT;
        true
    }

    /// DIV of a constant at `pc`, if `DUPn GT` follows: `x > limit / y`, where the product of `x` and `y` is surely within the limit, or likely. Then it is only true if
    /// `y` is zero and `x` is not.
    pub(super) fn quotient_test(&mut self, job: &mut Job<'_>, pc: usize) -> bool {
        let below = self.s.len() - 2;
        let Some(limit) = self.s.konst(self.s.at(below + 1)) else { return false };
        let Some(other) = self.compared_with_result(job.code, pc, below + 1) else { return false };
        let [x, y] = [other, below].map(|i| self.s.at(i));
        let most = |bits: u16| U256::MAX >> usize::from(256 - bits);
        let within = |x: u16, y: u16| x + y <= 256 && most(x) * most(y) <= limit;
        if !within(self.bits(x), self.bits(y)) {
            if !within(128, 128) {
                return false;
            }
            self.s.spread(x);
            let Some(guess) = self.guess(job, 2, Some(self.t0()), pc, Wide::Result) else { return false };
            self.test_halves([other, below].map(|i| self.s.at(i)), false);
            self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        }
        self.s.kill_flags();
        // Getting ready may have given elements other names.
        let [x, y] = [other, below].map(|i| self.s.at(i));
        let drop_operands = |this: &mut Translator| {
            let (limit, divisor) = (this.s.pop(), this.s.pop());
            this.release2(limit, divisor);
        };
        match self.s.konst(x) {
            Some(k) if k.is_zero() => {
                drop_operands(self);
                self.s.push_limb(0);
            }
            Some(_) => {
                self.test_zero(y);
                drop_operands(self);
                self.s.push_flags(Cond::Eq);
            }
            None => {
                let (dst, t1) = (self.s.alloc(), self.s.target.scratch[1]);
                self.test_zero(y);
                self.s.emit(Ins::Set { cond: Cond::Eq, dst });
                self.test_zero(x);
                self.s.emit(Ins::Set { cond: Cond::Ne, dst: t1 });
                self.s.emit(Ins::Alu { op: AluOp::And, flags: false, dst, a: dst, b: Src::R(t1) });
                drop_operands(self);
                self.s.push_narrow(dst, 1);
            }
        }
        self.s.unpin();
        self.fused = DUP_GT;
        true
    }
}
