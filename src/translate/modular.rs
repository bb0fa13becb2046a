//! ADDMOD and MULMOD: sums in place, as long as they are less than twice the modulus; moduli that are constants prepared, powers of two and `2^256 - 1`
//! without any division.

use super::constants::{Address, Constant};
use super::values::ValueId;
use super::{Cold, Translator};
use crate::abi::Callouts;
use crate::evm::{U256, opcode as op};
use crate::ir::{AluOp, Cond, Ins, Quad, Src, WordOp};
use core::mem::offset_of;

impl Translator {
    /// ADDMOD or MULMOD.
    pub(super) fn modular(&mut self, opcode: u8) {
        let (x, y, n) = (self.s.pop(), self.s.pop(), self.s.pop());
        self.s.kill_flags();
        let sum = opcode == op::ADDMOD;
        match self.s.konst(n) {
            Some(modulus) => {
                self.s.release(n);
                self.modulo_constant(sum, x, y, modulus);
            }
            None if sum => {
                let address = self.address_of(n);
                self.add_modulo(x, y, address, 256);
                self.s.release(n);
            }
            None => self.word_call(offset_of!(Callouts, mulmod), &[x, y, n], 256),
        }
        self.s.unpin();
    }

    /// `x + y`, or their product, modulo a constant.
    fn modulo_constant(&mut self, sum: bool, x: ValueId, y: ValueId, n: U256) {
        if let (Some(kx), Some(ky)) = (self.s.konst(x), self.s.konst(y)) {
            self.release2(x, y);
            return self.s.push_const(if sum { kx.add_mod(ky, n) } else { kx.mul_mod(ky, n) });
        }
        let Some(largest) = n.checked_sub(U256::from(1)) else {
            self.release2(x, y);
            return self.s.push_const(U256::ZERO);
        };
        let bits = largest.bit_len() as u16;
        if n.count_ones() == 1 {
            if sum {
                self.add(x, y)
            } else {
                self.mul(x, y)
            }
            let wrapped = self.s.pop();
            return self.masked(wrapped, bits);
        }
        match sum {
            true if n == U256::MAX => self.add_modulo_ones(x, y),
            true => {
                let address = Address::Constant(self.constant(Constant::Word(n)));
                self.add_modulo(x, y, address, bits);
            }
            false => self.prepared_call(offset_of!(Callouts, mulmod_prepared), &[x, y], n, bits),
        }
    }

    /// `(x + y) mod n`, in place if the sum is less than twice the modulus: that is so if what is left after subtracting it once, where it can be
    /// subtracted, is less than it. Otherwise, and where the modulus is 0, the runtime reduces what is left.
    fn add_modulo(&mut self, x: ValueId, y: ValueId, n: Address, bits: u16) {
        let [high, address, tmp] = self.s.target.scratch;
        let carries = self.bits(x).max(self.bits(y)) == 256;
        let sum = self.sum(x, y);
        if carries {
            self.s.emit(Ins::Set { cond: Cond::Ult, dst: high });
        }
        let rest = self.s.alloc_quad();
        let modulus = self.word_at(n, address);
        self.s.emit(Ins::WMov { dst: rest, src: sum });
        self.s.emit(Ins::W { op: WordOp::Sub, dst: rest, a: rest, b: modulus });
        if carries {
            // Less 1 if the sum is less than the modulus.
            self.s.emit(Ins::Alu { op: AluOp::Sbb, flags: true, dst: high, a: high, b: Src::I(0) });
        }
        for (&dst, &whole) in rest.0.iter().zip(&sum.0) {
            self.s.emit(Ins::Select { cond: Cond::Ult, dst, a: whole, b: dst });
        }
        let (slow, back) = (self.label(), self.label());
        if carries {
            self.s.emit(Ins::Cmp { a: high, b: Src::I(1) });
            self.s.emit(Ins::Br { cond: Cond::Eq, to: slow });
        }
        self.s.emit(Ins::WCmp { a: rest, b: modulus, tmp });
        self.s.emit(Ins::Br { cond: Cond::Uge, to: slow });
        self.s.emit(Ins::Label(back));
        self.cold.push(Cold::Reduce { at: slow, word: rest, high: carries, modulus: n, back });
        sum.0.into_iter().for_each(|r| self.s.give_back(r));
        self.s.push_wide(rest, bits);
    }

    /// `x + y` in registers of its own, and its carry in the flags.
    fn sum(&mut self, x: ValueId, y: ValueId) -> Quad {
        let (x, y) = self.constant_last(x, y);
        let sum = self.s.take_quad(x);
        let b = self.s.wsrc(y);
        self.s.emit(Ins::W { op: WordOp::Add, dst: sum, a: sum, b });
        self.s.pinned &= !self.s.regs_mask(y);
        self.release2(x, y);
        sum
    }

    /// `(x + y) mod (2^256 - 1)`: `2^256` is 1, so the carry is added, which cannot carry again.
    fn add_modulo_ones(&mut self, x: ValueId, y: ValueId) {
        let carries = self.bits(x).max(self.bits(y)) == 256;
        let bits = (self.bits(x).max(self.bits(y)) + 1).min(256);
        let sum = self.sum(x, y);
        if carries {
            for (i, &dst) in sum.0.iter().enumerate() {
                self.s.emit(Ins::Alu { op: AluOp::Adc, flags: i < 3, dst, a: dst, b: Src::I(0) });
            }
        }
        self.zero_if_ones(sum);
        self.s.push_wide(sum, bits);
    }

    /// What is `2^256 - 1` becomes 0.
    fn zero_if_ones(&mut self, word: Quad) {
        let all = self.t0();
        let [first, rest @ ..] = word.0;
        self.s.emit(Ins::Mov { dst: all, src: first });
        for limb in rest {
            self.s.emit(Ins::Alu { op: AluOp::And, flags: false, dst: all, a: all, b: Src::R(limb) });
        }
        let (zero, back) = (self.label(), self.label());
        self.s.emit(Ins::Cmp { a: all, b: Src::I(-1) });
        self.s.emit(Ins::Br { cond: Cond::Eq, to: zero });
        self.s.emit(Ins::Label(back));
        self.cold.push(Cold::ZeroWord { at: zero, dst: word, back });
    }
}
