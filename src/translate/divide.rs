//! DIV, MOD, SDIV and SMOD: by shifts and masks, by the machine's division where the divisor has one limb, by runtime functions otherwise.

use super::values::ValueId;
use super::{Cold, Translator};
use crate::abi::Callouts;
use crate::evm::U256;
use crate::ir::{Cond, Ins, Label, R, Src, WShiftOp};
use core::mem::offset_of;

impl Translator {
    /// Quotient of `x` by `y`, or remainder (`rem`).
    pub(super) fn div(&mut self, x: ValueId, y: ValueId, rem: bool) {
        if self.zero_by_constant(x, y) {
            return;
        }
        if let Some(amount) = self.power_of_two(y) {
            self.s.release(y);
            if rem {
                self.s.push_const((U256::from(1) << usize::from(amount)) - U256::from(1));
                let mask = self.s.pop();
                self.and(x, mask);
            } else {
                self.shift_const(WShiftOp::Shr, amount, x);
            }
            return;
        }
        match (self.bits(x) <= 64, self.bits(y) <= 64) {
            (true, true) => self.div_narrow(x, y, rem),
            (false, true) if self.s.target.divides_wide => self.div_by_narrow(x, y, rem),
            (_, _) => {
                let offset = if rem { offset_of!(Callouts, rem) } else { offset_of!(Callouts, div) };
                self.word_call(offset, &[x, y]);
            }
        }
    }

    /// As [`Translator::div`], of two's complement words: the same if neither can be negative.
    pub(super) fn div_signed(&mut self, x: ValueId, y: ValueId, rem: bool) {
        if self.bits(x) < 256 && self.bits(y) < 256 {
            return self.div(x, y, rem);
        }
        let offset = if rem { offset_of!(Callouts, srem) } else { offset_of!(Callouts, sdiv) };
        self.word_call(offset, &[x, y]);
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
