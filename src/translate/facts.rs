//! What conditions tell of words: how wide an operand of a comparison can be at most where a branch has seen the result. That is how offsets,
//! lengths and addresses that a contract checks become narrow.

use super::Translator;
use super::values::{Regs, State, ValueId};
use crate::evm::U256;
use crate::evm::code::Code;
use crate::evm::opcode as op;
use crate::ir::{Cond, Ins, Quad, ShiftOp, Src};

/// What is known of a word if a condition holds, or if it does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The condition.
    pub of: ValueId,
    /// Whether the condition holds where the fact does.
    pub holds: bool,
    /// The word.
    word: ValueId,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Upper bound of its width in bits.
    Bits(u16),
    Nonzero,
}

impl Translator {
    /// What the result of `a < b` (unsigned), which will be pushed as `of`, tells of the wider one.
    pub(super) fn told_by_less(&self, a: ValueId, b: ValueId) -> Option<Fact> {
        let (wa, wb) = (self.bits(a), self.bits(b));
        let below = self.s.konst(b).map_or(wb, |k| k.saturating_sub(U256::ONE).bit_len() as u16);
        let of = self.s.next_value();
        if below < wa {
            Some(Fact { of, holds: true, word: a, what: What::Bits(below) })
        } else {
            (wa < wb).then_some(Fact { of, holds: false, word: b, what: What::Bits(wa) })
        }
    }

    /// What the result of `a == b`, which will be pushed, tells of the wider one.
    pub(super) fn told_by_equal(&self, a: ValueId, b: ValueId) -> Option<Fact> {
        let (wa, wb) = (self.bits(a), self.bits(b));
        let word = if wa > wb { a } else { b };
        (wa != wb).then_some(Fact { of: self.s.next_value(), holds: true, word, what: What::Bits(wa.min(wb)) })
    }

    /// What it tells of `word` whether it is negative, which will be pushed.
    pub(super) fn told_by_sign(&self, word: ValueId) -> Fact {
        Fact { of: self.s.next_value(), holds: false, word, what: What::Bits(255) }
    }

    /// What the negation of `condition`, or of any word, which will be pushed, tells.
    pub(super) fn told_by_negation(&self, condition: ValueId) -> Option<Fact> {
        let of = self.s.next_value();
        Some(match self.fact.filter(|fact| fact.of == condition) {
            Some(fact) => Fact { of, holds: !fact.holds, ..fact },
            None => Fact { of, holds: false, word: condition, what: What::Nonzero },
        })
    }

    /// Goes on where a branch found that its condition `holds`, or does not.
    pub(super) fn learn(&mut self, fact: Option<Fact>, holds: bool) {
        if let Some(fact) = fact
            && fact.holds == holds
            && !self.s.dice.one_in(4)
        {
            match fact.what {
                What::Bits(bits) => self.s.bound(fact.word, bits),
                What::Nonzero => self.nonzero = Some(fact.word),
            }
        }
    }

    /// AND by a mask of low bits at `pc` whose result is only compared with the operand (`DUPn EQ` or `EQ` follows), as ABI decoders check types:
    /// a test of the bits above, which is all three instructions. False if it is something else, and then nothing has happened.
    pub(super) fn mask_test(&mut self, code: &Code, pc: usize) -> bool {
        let (padded, len) = (code.padded(), self.s.len());
        let (x, y) = (self.s.at(len - 1), self.s.at(len - 2));
        let (word, mask) = match (self.s.konst(x), self.s.konst(y)) {
            (Some(mask), None) => (y, mask),
            (None, Some(mask)) => (x, mask),
            _ => return false,
        };
        let (other, fused) = match padded[pc + 1] {
            op::EQ => (2, 1),
            dup @ op::DUP2..=op::DUP16 if padded[pc + 2] == op::EQ => (usize::from(dup - op::DUP1) + 1, 2),
            _ => return false,
        };
        let is_operand = len > other && self.s.at(len - 1 - other) == word;
        if !is_operand || !is_low_mask(&mask) || pc + fused >= self.block_end {
            return false;
        }
        self.s.kill_flags();
        let width = mask.bit_len() as u16;
        let is_known = self.bits(word) <= width;
        if !is_known {
            self.test_above(word, width);
        }
        // Operand and mask; `EQ` also takes the operand's copy.
        for _ in 0..4 - fused {
            let v = self.s.pop();
            self.s.release(v);
        }
        if is_known {
            self.s.push_limb(1);
        } else {
            self.fact = Some(Fact { of: self.s.next_value(), holds: true, word, what: What::Bits(width) });
            self.s.push_flags(Cond::Eq);
        }
        self.fused = fused;
        true
    }

    /// Sets the flags to `Eq` if `word` has no bits from `width` on, which is below 256.
    pub(super) fn test_above(&mut self, word: ValueId, width: u16) {
        let [t0, t1, _] = self.s.target.scratch;
        let (limb, low) = (usize::from(width / 64), (width % 64) as u8);
        self.s.limb_to(word, limb, t0);
        if low > 0 {
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Shr, dst: t0, a: t0, amount: low });
        }
        self.s.or_limbs(word, limb + 1, t0, t1);
        self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
    }
}

/// Whether a constant is 2^n - 1, `n` from 1 to 255.
pub(super) fn is_low_mask(k: &U256) -> bool {
    !k.is_zero() && *k != U256::MAX && (*k & k.wrapping_add(U256::ONE)).is_zero()
}

impl State {
    /// From here on a word is known to have so many bits at most.
    pub(super) fn bound(&mut self, v: ValueId, bits: u16) {
        let value = *self.value(v);
        if value.refs == 0 || value.konst.is_some() || value.bits <= bits {
            return;
        }
        // What is not negative is its low limb, without the sign.
        let bits = bits.clamp(1, if value.signed { 63 } else { 256 });
        let changed = self.change(v);
        (changed.bits, changed.signed) = (bits, false);
        match value.regs {
            Regs::Wide(Quad([low, ..])) | Regs::Signed(low) if bits <= 64 => {
                self.drop_regs(v);
                self.set_regs(v, Regs::Narrow(low));
            }
            _ => {}
        }
    }
}
