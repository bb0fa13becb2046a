//! Checked multiplication: the division of a product by one of its factors, by which contracts see whether the product has overflowed
//! (`x == 0 || x * y / x == y`). It gives the other factor, unless the product did overflow or the divisor is zero. That is guessed, as in
//! [`super::narrow`]; what is left of the check folds.

use super::context::Wide;
use super::values::ValueId;
use super::{Job, Translator};
use crate::evm::opcode as op;
use crate::ir::{AluOp, Cond, Ins, ShiftOp, Src};

/// A product and its factors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    of: ValueId,
    factors: [ValueId; 2],
    /// It was seen to fit 64 bits, as its factors did.
    is_narrow: bool,
}

impl Translator {
    /// The top of the stack is the product of these, modulo 2^256.
    pub(super) fn note_product(&mut self, factors: [ValueId; 2], is_narrow: bool) {
        self.product = Some(Product { of: self.s.at(self.s.len() - 1), factors, is_narrow });
    }

    /// DIV or SDIV at `pc` of a product by one of its factors; false if it is not that, and then nothing has happened.
    pub(super) fn divide_product(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) -> bool {
        let Some((mut product, mut other)) = self.product_by_factor() else { return false };
        let (fits, below) = (self.fits(product, opcode), self.s.len() - 2);
        let is_nonzero = self.s.konst(self.s.at(below)).is_some();
        if !(fits && is_nonzero) {
            let place = (0..=below).rfind(|&i| self.s.at(i) == other);
            self.s.spread(other);
            let Some(guess) = self.guess(job, 2, Some(self.t0()), pc, Wide::Result) else { return false };
            // Getting ready may have given elements other names.
            other = place.map_or(other, |i| self.s.at(i));
            let divisor = self.s.at(below);
            product.factors = [divisor, other];
            if !fits {
                self.test_halves(product.factors, opcode == op::SDIV);
                self.widen_if(Cond::Ne, guess.gas, guess.to, None);
            }
            if !is_nonzero {
                self.test_zero(divisor);
                self.widen_if(Cond::Eq, guess.gas, guess.to, None);
            }
        }
        let (dividend, divisor) = (self.s.pop(), self.s.pop());
        self.s.push(other);
        self.release2(dividend, divisor);
        self.s.unpin();
        true
    }

    /// The product on top of the stack, and its other factor, if what is below it is one of them.
    fn product_by_factor(&self) -> Option<(Product, ValueId)> {
        let (dividend, divisor) = (self.s.at(self.s.len() - 1), self.s.at(self.s.len() - 2));
        let product = self.product.filter(|product| product.of == dividend)?;
        let konst = self.s.konst(divisor);
        if self.s.konst(dividend).is_some() || konst.is_some_and(|k| k.is_zero()) {
            // Constants fold, and so does division by zero.
            return None;
        }
        let is_divisor = |v| v == divisor || konst.is_some() && self.s.konst(v) == konst;
        let other = match product.factors {
            [x, y] if is_divisor(x) => y,
            [x, y] if is_divisor(y) => x,
            _ => return None,
        };
        self.s.is_known(other).then_some((product, other))
    }

    /// Whether a product surely did not overflow, as the division takes words: signed or not.
    fn fits(&self, product: Product, opcode: u8) -> bool {
        let bits = product.factors.iter().map(|&v| self.bits(v)).sum::<u16>();
        product.is_narrow || bits <= 256 - u16::from(opcode == op::SDIV)
    }

    /// Sets the flags to `Eq` if both factors fit half a word: their upper limbs are zero, or copies of the sign. Their product fits a word.
    pub(super) fn test_halves(&mut self, factors: [ValueId; 2], signed: bool) {
        let [all, limb, sign] = self.s.target.scratch;
        let alu = |op, dst, b| Ins::Alu { op, flags: false, dst, a: dst, b };
        self.s.emit(Ins::Imm { dst: all, value: 0 });
        for v in factors {
            if self.bits(v) <= 128 - u16::from(signed) {
                continue;
            }
            if !signed {
                self.s.or_limbs(v, 2, all, limb);
                continue;
            }
            self.s.limb_to(v, 1, sign);
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: sign, amount: 63 });
            for i in 2..4 {
                self.s.limb_to(v, i, limb);
                self.s.emit(alu(AluOp::Xor, limb, Src::R(sign)));
                self.s.emit(alu(AluOp::Or, all, Src::R(limb)));
            }
        }
        self.s.emit(Ins::Test { a: all, b: Src::R(all) });
    }
}
