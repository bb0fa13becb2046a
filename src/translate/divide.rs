//! DIV and MOD: by shifts and masks, by multiplying where a divisor of one limb is a constant, by the machine's division where it is none,
//! by runtime functions otherwise.

use super::values::{ValueId, imm32};
use super::{Cold, Translator};
use crate::abi::Callouts;
use crate::evm::U256;
use crate::ir::{AluOp, Cond, Ins, Label, R, ShiftOp, Src, WShiftOp, WordOp};
use crate::math::constant::Multiplier;
use core::mem::offset_of;

/// Bits that a divisor has at most whose multiples with three limbs and one limb more come to less than `2^128`.
const FOLDED: u16 = 62;

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
        match (self.bits(x) <= 64, self.bits(y) <= 64) {
            (true, true) => self.div_narrow(x, y, rem),
            (false, true) if self.s.target.divides_wide => self.div_by_narrow(x, y, rem),
            (_, _) => self.div_wide(x, y, rem),
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
            return self.divided(x, y, dst, bits, checked.then_some((zero, done)));
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

    /// Division by the runtime, which finds constants of more than one limb prepared.
    fn div_wide(&mut self, x: ValueId, y: ValueId, rem: bool) {
        let known = self.s.konst(y).filter(|k| k.bit_len() > 64);
        let least = known.map_or(1, |k| k.bit_len() as u16);
        let bits = if rem { self.bits(x).min(self.bits(y)) } else { (self.bits(x) + 1).saturating_sub(least) };
        match known {
            Some(k) => {
                let offset = if rem { offset_of!(Callouts, rem_prepared) } else { offset_of!(Callouts, div_prepared) };
                self.s.release(y);
                self.prepared_call(offset, &[x], k, bits);
            }
            None => {
                let offset = if rem { offset_of!(Callouts, rem) } else { offset_of!(Callouts, div) };
                self.word_call(offset, &[x, y], bits);
            }
        }
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
        if let Some(d) = self.s.konst(y).map(|k| k.as_limbs()[0]) {
            if self.bits(x) < self.bits(y) {
                // The divisor is greater.
                self.s.release(y);
                if rem {
                    self.s.push(x)
                } else {
                    self.s.push_const(U256::ZERO)
                }
                return self.s.release(x);
            }
            if let Some(by) = Multiplier::new(d, self.bits(x)) {
                return self.div_by_multiplying(x, y, d, by, rem);
            }
        }
        let [quot, _, rest] = self.s.target.scratch;
        let divisor = self.s.low(y);
        let bits = if rem { self.bits(x).min(self.bits(y)) } else { self.bits(x) };
        let dst = self.s.take_low(x);
        let (zero, done) = (self.label(), self.label());
        let checked = self.unless_zero(y, divisor, zero);
        self.s.emit(Ins::DivRem { quot, rem: rest, a: dst, b: divisor });
        self.s.emit(Ins::Mov { dst, src: if rem { rest } else { quot } });
        self.divided(x, y, dst, bits, checked.then_some((zero, done)));
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

    /// Remainder of a word of three or four limbs by the constant `d` of at most [`FOLDED`] bits, which `y` is: limbs above the lowest are multiplied with
    /// what their place is modulo `d`, and what they all come to, less than `2^128`, is divided.
    fn rem_by_folding(&mut self, x: ValueId, y: ValueId, d: u64) {
        let ([factor, high, low], [quot, _, rest]) = (self.s.target.mul, self.s.target.scratch);
        let limbs = usize::from(self.bits(x).div_ceil(64));
        let (bits, sum, above) = (self.bits(y), self.s.alloc(), self.s.alloc());
        let mut place = 1;
        for i in 1..limbs {
            place = (u128::from(place) * (1 << 64) % u128::from(d)) as u64;
            let [hi, lo] = if i == 1 { [above, sum] } else { [high, low] };
            self.s.limb_to(x, i, lo);
            self.s.emit(Ins::Imm { dst: factor, value: place });
            self.s.emit(Ins::MulWide { hi, lo, a: factor, b: lo });
            let [first, second] = match i {
                1 => [self.s.limb_or(x, 0, low), Src::I(0)],
                _ => [Src::R(low), Src::R(high)],
            };
            self.s.emit(Ins::Alu { op: AluOp::Add, flags: true, dst: sum, a: sum, b: first });
            self.s.emit(Ins::Alu { op: AluOp::Adc, flags: false, dst: above, a: above, b: second });
        }
        let divisor = self.s.low(y);
        self.s.emit(Ins::DivRem { quot, rem: rest, a: above, b: divisor });
        self.s.emit(Ins::DivWide { quot, rem: rest, hi: rest, lo: sum, b: divisor });
        self.s.emit(Ins::Mov { dst: sum, src: rest });
        self.s.give_back(above);
        self.release2(x, y);
        self.s.push_narrow(sum, bits);
    }

    /// Pushes the narrow result in `dst` of a division of `x` by `y`; where that is checked, 0 from the first label on, which goes on at the second.
    fn divided(&mut self, x: ValueId, y: ValueId, dst: R, bits: u16, checked: Option<(Label, Label)>) {
        if let Some((at, back)) = checked {
            self.s.emit(Ins::Label(back));
            self.cold.push(Cold::Zero { at, dst, back });
        }
        self.release2(x, y);
        self.s.push_narrow(dst, bits);
    }

    /// Division of a wide word by a 64-bit one, limb after limb from the top, each together with what the one above has left.
    fn div_by_narrow(&mut self, x: ValueId, y: ValueId, rem: bool) {
        let [quot, _, rest] = self.s.target.scratch;
        let limbs = usize::from(self.bits(x).div_ceil(64));
        let least = self.s.konst(y).map_or(1, |k| k.bit_len() as u16);
        if let Some(d) = self.s.konst(y).map(|k| k.as_limbs()[0])
            && rem
            && limbs > 2
            && self.bits(y) <= FOLDED
        {
            return self.rem_by_folding(x, y, d);
        }
        let bits = if rem { self.bits(y) } else { self.bits(x) + 1 - least };
        let (zero, done) = (self.label(), self.label());
        if rem || bits <= 64 {
            let dst = self.s.alloc();
            let divisor = self.s.low(y);
            let checked = self.unless_zero(y, divisor, zero);
            for i in (0..limbs).rev() {
                if i == limbs - 1 && !rem {
                    // A quotient of one limb: the dividend's upper limb is below the divisor.
                    self.s.limb_to(x, i, rest);
                    continue;
                }
                self.s.limb_to(x, i, quot);
                self.s.emit(match i == limbs - 1 {
                    true => Ins::DivRem { quot, rem: rest, a: quot, b: divisor },
                    false => Ins::DivWide { quot, rem: rest, hi: rest, lo: quot, b: divisor },
                });
            }
            self.s.emit(Ins::Mov { dst, src: if rem { rest } else { quot } });
            self.divided(x, y, dst, bits, checked.then_some((zero, done)));
            return;
        }
        // In this order: narrow words may be in four registers too, and there are nine.
        let q = self.s.take_quad(x);
        let divisor = self.s.low(y);
        let checked = self.unless_zero(y, divisor, zero);
        for (i, &limb) in q.0.iter().enumerate().take(limbs).rev() {
            self.s.emit(match i == limbs - 1 {
                true => Ins::DivRem { quot, rem: rest, a: limb, b: divisor },
                false => Ins::DivWide { quot, rem: rest, hi: rest, lo: limb, b: divisor },
            });
            self.s.emit(Ins::Mov { dst: limb, src: quot });
        }
        if checked {
            self.s.emit(Ins::Label(done));
            self.cold.push(Cold::ZeroWord { at: zero, dst: q, back: done });
        }
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }
}
