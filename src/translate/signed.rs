//! SDIV and SMOD: as DIV and MOD where no operand can be negative; of magnitudes, with the sign put back, where the divisor is a constant; by runtime
//! functions otherwise.

use super::Translator;
use super::values::ValueId;
use crate::abi::Callouts;
use crate::evm::U256;
use crate::ir::{AluOp, Ins, Quad, R, ShiftOp, Src};
use core::mem::offset_of;

impl Translator {
    /// As [`Translator::div`], of two's complement words.
    pub(super) fn div_signed(&mut self, x: ValueId, y: ValueId, rem: bool) {
        if self.bits(x) < 256 && self.bits(y) < 256 {
            return self.div(x, y, rem);
        }
        if let Some(divisor) = self.s.konst(y) {
            self.s.release(y);
            return self.div_by_signed_constant(x, divisor, rem);
        }
        let offset = if rem { offset_of!(Callouts, srem) } else { offset_of!(Callouts, sdiv) };
        self.word_call(offset, &[x, y], 256);
    }

    /// Quotients round towards zero, so they have the magnitude of the magnitudes' quotient; a remainder has the sign of `x`.
    fn div_by_signed_constant(&mut self, x: ValueId, divisor: U256, rem: bool) {
        let word = self.s.take_quad(x);
        let sign = self.s.alloc();
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: word.0[3], amount: 63 });
        self.negate_where(sign, word);
        self.s.release(x);
        self.s.push_narrow(sign, 64);
        let sign = self.s.pop();
        self.s.push_wide(word, 256);
        let magnitude = self.s.pop();
        self.s.unpin();
        let negative = divisor.bit(255);
        let divisor = self.constant_operand(if negative { divisor.wrapping_neg() } else { divisor });
        self.div(magnitude, divisor, rem);
        self.s.unpin();
        let result = self.s.pop();
        if self.s.konst(result).is_none() {
            let word = self.s.take_quad(result);
            let mask = self.s.take_low(sign);
            if negative && !rem {
                self.s.emit(Ins::Alu { op: AluOp::Xor, flags: false, dst: mask, a: mask, b: Src::I(-1) });
            }
            self.negate_where(mask, word);
            self.s.give_back(mask);
            self.s.push_wide(word, 256);
        } else {
            // 0, which has no sign: magnitudes are unknown otherwise.
            self.s.push(result);
        }
        self.release2(result, sign);
    }

    /// `-word` where `mask` is all ones, `word` where it is 0.
    fn negate_where(&mut self, mask: R, word: Quad) {
        for limb in word.0 {
            self.s.emit(Ins::Alu { op: AluOp::Xor, flags: false, dst: limb, a: limb, b: Src::R(mask) });
        }
        for (i, limb) in word.0.into_iter().enumerate() {
            let op = if i == 0 { AluOp::Sub } else { AluOp::Sbb };
            self.s.emit(Ins::Alu { op, flags: i < 3, dst: limb, a: limb, b: Src::R(mask) });
        }
    }
}
