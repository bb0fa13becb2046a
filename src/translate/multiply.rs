//! MUL of wide words with fewer products than ten: by a word of 64 bits, and by constants of two bits, which copy a word's limbs.

use super::Translator;
use super::values::ValueId;
use crate::evm::U256;
use crate::ir::{AluOp, Ins, Src, WShiftOp};

impl Translator {
    /// `x` times a constant of two bits: the sum of `x` shifted by each.
    pub(super) fn mul_by_two_bits(&mut self, x: ValueId, k: U256) {
        let [low, high] = [k.trailing_zeros() as u16, k.bit_len() as u16 - 1];
        let shifted = |s: &mut Self, amount| {
            s.s.push(x);
            let again = s.s.pop();
            s.shift_const(WShiftOp::Shl, amount, again);
            s.s.unpin();
            s.s.pop()
        };
        let above = shifted(self, high);
        let below = shifted(self, low);
        self.s.release(x);
        self.add(above, below);
    }

    /// `x * y` of `bits` bits, `y` having 64 at most.
    pub(super) fn mul_by_narrow(&mut self, x: ValueId, y: ValueId, bits: u16) {
        let [factor, t0, t1] = self.s.target.mul;
        let limbs = usize::from(self.bits(x).div_ceil(64));
        let q = self.s.take_quad(x);
        let t2 = self.s.alloc();
        self.s.limb_to(y, 0, factor);
        let highs = [t0, t1, t2];
        for (i, &limb) in q.0.iter().enumerate().take(limbs) {
            self.s.emit(match highs.get(i) {
                Some(&hi) => Ins::MulWide { hi, lo: limb, a: factor, b: limb },
                None => Ins::Alu { op: AluOp::Mul, flags: false, dst: limb, a: limb, b: Src::R(factor) },
            });
        }
        for (i, &high) in highs.iter().enumerate().take(limbs) {
            let op = if i == 0 { AluOp::Add } else { AluOp::Adc };
            let dst = q.0[i + 1];
            self.s.emit(Ins::Alu { op, flags: i < 2, dst, a: dst, b: Src::R(high) });
        }
        self.s.give_back(t2);
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }
}
