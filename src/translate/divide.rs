//! DIV and MOD: by shifts and masks, by multiplying where a divisor of one limb is a constant, by the machine's division where it is none,
//! by runtime functions otherwise.

use super::constants::Constant;
use super::values::{ValueId, imm32};
use super::{Cold, Translator};
use crate::abi::Callouts;
use crate::evm::U256;
use crate::ir::{AluOp, Cond, Ins, Label, R, ShiftOp, Src, WShiftOp, WordOp};
use crate::math::constant::{Multiplier, WideMultiplier};
use core::mem::offset_of;

impl Translator {
    /// Quotient of `x` by `y`, or remainder (`rem`).
    pub(super) fn div(&mut self, x: ValueId, y: ValueId, rem: bool) {
        if let Some(amount) = self.power_of_two(y) {
            self.s.release(y);
            if rem {
                self.masked(x, amount);
            } else {
                self.shift_const(WShiftOp::Shr, amount, x);
            }
            return;
        }
        if rem && let Some(quotient) = self.known_quotient(x, y) {
            return self.rem_by_quotient(x, y, quotient);
        }
        let constant = self.s.konst(y);
        if constant.is_some() && self.bits(x) < self.bits(y) {
            // The divisor is greater.
            if rem {
                self.s.push(x);
            } else {
                self.s.push_const(U256::ZERO);
            }
            return self.release2(x, y);
        }
        match (self.bits(x) <= 64, self.bits(y) <= 64, constant) {
            (true, true, _) => self.div_narrow(x, y, rem),
            (false, true, Some(d)) => self.div_by_constant(x, y, d, rem),
            (false, false, Some(d)) if !rem => self.div_by_constant(x, y, d, rem),
            (false, true, None) if self.s.target.divides_wide => self.div_by_narrow(x, y, rem),
            (_, _, _) => self.div_wide(x, y, rem),
        }
        if !rem {
            self.division = self.s.stack.last().map(|&quotient| [x, y, quotient]);
        }
    }

    /// The quotient of `x` by `y`, if it was the last that was computed and still is an element or operand. (Names of values are not used again.)
    fn known_quotient(&self, x: ValueId, y: ValueId) -> Option<ValueId> {
        let [dividend, divisor, quotient] = self.division?;
        let same_divisor = divisor == y || self.s.konst(y).is_some_and(|k| self.s.konst(divisor) == Some(k));
        let as_wide = self.bits(x) > 64 || self.bits(y) <= 64;
        (dividend == x && same_divisor && self.s.value(quotient).refs > 0 && as_wide).then_some(quotient)
    }

    /// Remainder of `x` by `y`, whose quotient is known: what its multiple leaves, of which the lowest limb will do if `y` has no more. 0 where `y` is 0.
    fn rem_by_quotient(&mut self, x: ValueId, y: ValueId, quotient: ValueId) {
        let bits = self.bits(x).min(self.bits(y));
        let (zero, done) = (self.label(), self.label());
        if self.bits(y) <= 64 {
            let [multiple, ..] = self.s.target.mul;
            let dst = self.s.alloc();
            let divisor = self.s.low(y);
            let checked = self.unless_zero(y, divisor, zero);
            self.s.limb_to(quotient, 0, multiple);
            self.s.limb_to(x, 0, dst);
            self.s.emit(Ins::Alu { op: AluOp::Mul, flags: false, dst: multiple, a: multiple, b: Src::R(divisor) });
            self.s.emit(Ins::Alu { op: AluOp::Sub, flags: false, dst, a: dst, b: Src::R(multiple) });
            return self.push_checked(x, y, dst, bits, checked.then_some((zero, done)));
        }
        let [quotient, factor] = [quotient, y].map(|v| {
            self.s.push(v);
            self.s.pop()
        });
        self.mul(quotient, factor);
        self.s.unpin();
        let multiple = self.s.pop();
        let word = self.s.take_quad(x);
        let b = self.s.wsrc(multiple);
        self.s.emit(Ins::W { op: WordOp::Sub, dst: word, a: word, b });
        self.s.release(multiple);
        if self.s.konst(y).is_none() {
            self.test_zero(y);
            self.s.emit(Ins::Br { cond: Cond::Eq, to: zero });
            self.s.emit(Ins::Label(done));
            self.cold.push(Cold::ZeroWord { at: zero, dst: word, back: done });
        }
        self.release2(x, y);
        self.s.push_wide(word, bits);
    }

    /// The lowest `amount` bits of `x`, less than 256.
    pub(super) fn masked(&mut self, x: ValueId, amount: u16) {
        let mask = self.constant_operand((U256::from(1) << usize::from(amount)) - U256::from(1));
        self.and(x, mask);
    }

    /// Division by the runtime, which finds the one constant divisor there may be here, that of a remainder, prepared.
    fn div_wide(&mut self, x: ValueId, y: ValueId, rem: bool) {
        let bits = if rem { self.bits(x).min(self.bits(y)) } else { self.bits(x) };
        let Some(k) = self.s.konst(y) else {
            let offset = if rem { offset_of!(Callouts, rem) } else { offset_of!(Callouts, div) };
            return self.word_call(offset, &[x, y], bits);
        };
        self.s.release(y);
        self.prepared_call(offset_of!(Callouts, rem_prepared), &[x], k, bits);
    }

    /// Leaves for `zero` if the divisor is 0, which no constant is here. Returns whether it may.
    fn unless_zero(&mut self, y: ValueId, divisor: R, zero: Label) -> bool {
        let checked = self.s.konst(y).is_none();
        if checked {
            self.s.emit(Ins::Test { a: divisor, b: Src::R(divisor) });
            self.s.emit(Ins::Br { cond: Cond::Eq, to: zero });
        }
        checked
    }

    /// Division of 64-bit words; by zero it gives zero.
    fn div_narrow(&mut self, x: ValueId, y: ValueId, rem: bool) {
        if let Some(d) = self.s.konst(y).map(|k| k.as_limbs()[0])
            && let Some(by) = Multiplier::new(d, self.bits(x))
        {
            return self.div_by_multiplying(x, y, d, by, rem);
        }
        let [quot, _, rest] = self.s.target.scratch;
        let divisor = self.s.low(y);
        let bits = if rem { self.bits(x).min(self.bits(y)) } else { self.bits(x) };
        let dst = self.s.take_low(x);
        let (zero, done) = (self.label(), self.label());
        let checked = self.unless_zero(y, divisor, zero);
        self.s.emit(Ins::DivRem { quot, rem: rest, a: dst, b: divisor });
        self.s.emit(Ins::Mov { dst, src: if rem { rest } else { quot } });
        self.push_checked(x, y, dst, bits, checked.then_some((zero, done)));
    }

    /// Division of a 64-bit word by the constant `d`, which `y` is.
    fn div_by_multiplying(&mut self, x: ValueId, y: ValueId, d: u64, by: Multiplier, rem: bool) {
        let [factor, quot, _] = self.s.target.mul;
        let bits = if rem { self.bits(y) } else { self.bits(x) + 1 - self.bits(y) };
        let dst = self.s.take_low(x);
        let shift = |dst, amount| Ins::ShiftImm { op: ShiftOp::Shr, dst, a: dst, amount };
        match by {
            Multiplier::High { before, factor: value, after } => {
                let mut dividend = dst;
                if before > 0 {
                    dividend = quot;
                    self.s.out.extend([Ins::Mov { dst: quot, src: dst }, shift(quot, before)]);
                }
                self.s.emit(Ins::Imm { dst: factor, value });
                self.s.emit(Ins::MulHigh { signed: false, dst: quot, a: factor, b: dividend });
                if after > 0 {
                    self.s.emit(shift(quot, after));
                }
            }
            Multiplier::Carry { factor: value, after } => {
                self.s.emit(Ins::Imm { dst: factor, value });
                self.s.emit(Ins::MulHigh { signed: false, dst: quot, a: factor, b: dst });
                self.s.emit(Ins::Alu { op: AluOp::Sub, flags: false, dst: factor, a: dst, b: Src::R(quot) });
                self.s.emit(shift(factor, 1));
                self.s.emit(Ins::Alu { op: AluOp::Add, flags: false, dst: quot, a: quot, b: Src::R(factor) });
                self.s.emit(shift(quot, after));
            }
        }
        if rem {
            let b = imm32(d).map_or(Src::R(factor), Src::I);
            if b == Src::R(factor) {
                self.s.emit(Ins::Imm { dst: factor, value: d });
            }
            self.s.emit(Ins::Alu { op: AluOp::Mul, flags: false, dst: quot, a: quot, b });
            self.s.emit(Ins::Alu { op: AluOp::Sub, flags: false, dst, a: dst, b: Src::R(quot) });
        } else {
            self.s.emit(Ins::Mov { dst, src: quot });
        }
        self.release2(x, y);
        self.s.push_narrow(dst, bits);
    }

    /// Division of a wide word by the constant `d`, which `y` is, of one limb if the remainder is wanted: that is what the quotient's multiple leaves.
    fn div_by_constant(&mut self, x: ValueId, y: ValueId, d: U256, rem: bool) {
        let (bits, width) = (self.bits(x), d.bit_len() as u16);
        let limbs = usize::from(bits.div_ceil(64));
        let by = WideMultiplier::new(d.as_limbs(), limbs, bits.into());
        let (a, label) = (self.factor(x), self.constant(Constant::Word(U256::from_limbs(by.factor))));
        let (dst, b, tmp) = (self.s.alloc_quad(), self.s.alloc(), self.s.target.mul);
        self.s.emit(Ins::LabelAddr { dst: b, label });
        self.s.emit(Ins::WMulHigh { dst, a, b, b_disp: 0, limbs: limbs as u8, plus: by.plus, tmp });
        self.s.give_back(b);
        self.s.push_wide(dst, bits);
        let product = self.s.pop();
        self.s.unpin();
        self.shift_const(WShiftOp::Shr, by.after.into(), product);
        if rem {
            let quotient = self.s.pop();
            let ([factor, multiple, _], dst) = (tmp, self.s.alloc());
            self.s.limb_to(quotient, 0, multiple);
            let b = self.imm_or(d.as_limbs()[0], factor);
            self.s.emit(Ins::Alu { op: AluOp::Mul, flags: false, dst: multiple, a: multiple, b });
            self.s.limb_to(x, 0, dst);
            self.s.emit(Ins::Alu { op: AluOp::Sub, flags: false, dst, a: dst, b: Src::R(multiple) });
            self.s.release(quotient);
            self.s.push_narrow(dst, width);
        }
        self.release2(x, y);
    }

    /// Pushes the narrow result in `dst` of an operation on `x` and `y`; where operands are checked, 0 from the first label on, which goes on at the second.
    pub(super) fn push_checked(&mut self, x: ValueId, y: ValueId, dst: R, bits: u16, checked: Option<(Label, Label)>) {
        if let Some((at, back)) = checked {
            self.s.emit(Ins::Label(back));
            self.cold.push(Cold::Zero { at, dst, back });
        }
        self.release2(x, y);
        self.s.push_narrow(dst, bits);
    }

    /// Division of a wide word by a 64-bit one that is no constant, limb after limb from the top, each together with what the one above has left; limbs above the
    /// second are mostly zero.
    fn div_by_narrow(&mut self, x: ValueId, y: ValueId, rem: bool) {
        let [quot, _, rest] = self.s.target.scratch;
        let limbs = usize::from(self.bits(x).div_ceil(64));
        let (zero, done, low) = (self.label(), self.label(), self.label());
        // In this order: narrow words may be in four registers too, and there are nine.
        let (q, dst) = if rem { (None, self.s.alloc()) } else { (Some(self.s.take_quad(x)), quot) };
        let divisor = self.s.low(y);
        self.unless_zero(y, divisor, zero);
        if limbs > 2 {
            self.s.emit(Ins::Imm { dst: quot, value: 0 });
            for i in 2..limbs {
                let b = q.map_or_else(|| self.s.limb_or(x, i, rest), |q| Src::R(q.0[i]));
                self.s.emit(Ins::Alu { op: AluOp::Or, flags: false, dst: quot, a: quot, b });
            }
            self.s.emit(Ins::Imm { dst: rest, value: 0 });
            self.s.emit(Ins::Test { a: quot, b: Src::R(quot) });
            self.s.emit(Ins::Br { cond: Cond::Eq, to: low });
        }
        for i in (0..limbs).rev() {
            let lo = q.map_or(quot, |q| q.0[i]);
            if rem {
                self.s.limb_to(x, i, quot);
            }
            self.s.emit(match i == limbs - 1 {
                true => Ins::DivRem { quot, rem: rest, a: lo, b: divisor },
                false => Ins::DivWide { quot, rem: rest, hi: rest, lo, b: divisor },
            });
            if !rem {
                self.s.emit(Ins::Mov { dst: lo, src: quot });
            }
            if limbs > 2 && i == 2 {
                self.s.emit(Ins::Label(low));
            }
        }
        let Some(q) = q else {
            self.s.emit(Ins::Mov { dst, src: rest });
            return self.push_checked(x, y, dst, self.bits(y), Some((zero, done)));
        };
        self.s.emit(Ins::Label(done));
        self.cold.push(Cold::ZeroWord { at: zero, dst: q, back: done });
        let bits = self.bits(x);
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }
}
