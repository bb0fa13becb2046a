//! Comparisons: their results are the machine's flags until something else needs these.

use super::Translator;
use super::values::{Regs, ValueId, word_imm32};
use crate::evm::U256;
use crate::evm::code::Code;
use crate::evm::opcode::{self as op, info};
use crate::ir::{AluOp, Cond, Ins, R, Src, WSrc, Width};

impl Translator {
    /// ISZERO.
    pub(super) fn is_zero(&mut self) {
        let x = self.s.pop();
        if let Some(k) = self.s.konst(x) {
            self.s.release(x);
            self.s.push_const(U256::from(k.is_zero()));
            return;
        }
        if let Some(cond) = self.s.condition(x)
            && self.s.is_last(x)
        {
            self.fact = self.told_by_negation(x);
            self.s.release(x);
            self.s.push_flags(invert(cond));
            return;
        }
        self.s.kill_flags();
        self.test_zero(x);
        self.fact = self.told_by_negation(x);
        self.s.release(x);
        self.s.push_flags(Cond::Eq);
        self.s.unpin();
    }

    /// Sets the flags to `Eq` if `x` is zero, else `Ne`.
    pub(super) fn test_zero(&mut self, x: ValueId) {
        let t0 = self.t0();
        let value = *self.s.value(x);
        if value.bits <= 64 || value.signed {
            match self.s.limb_or(x, 0, t0) {
                Src::R(a) if self.flags_tell(a) => {}
                Src::R(a) => self.s.emit(Ins::Test { a, b: Src::R(a) }),
                Src::M(mem) => self.s.emit(Ins::CmpMem { width: Width::B64, mem, b: Src::I(0) }),
                Src::I(_) => unreachable!("constants are folded"),
            }
            return;
        }
        match (value.regs, value.slot) {
            (Regs::None, Some(slot)) => {
                let (base, disp) = self.s.slot_at(slot);
                self.s.emit(Ins::WIsZeroMem { base, disp, tmp: t0 });
            }
            _ => {
                let a = self.s.quad(x);
                self.s.emit(Ins::WIsZero { a, tmp: t0 });
            }
        }
    }

    /// Whether the flags are `Eq` if the register `a` is zero, else `Ne`: the last instruction, but for a branch, has computed it.
    fn flags_tell(&mut self, a: R) -> bool {
        match self.s.out.as_mut_slice() {
            [.., Ins::Alu { op: AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Add | AluOp::Sub, flags, dst, .. }] if *dst == a => {
                *flags = true;
                true
            }
            [.., Ins::Alu { op: AluOp::Add | AluOp::Sub, flags: true, dst, .. }, Ins::Br { .. }] => *dst == a,
            _ => false,
        }
    }

    /// SUB or XOR at `pc` of which only matters whether it is zero, since ISZERO follows, or a destination and JUMPI: a comparison; false if it is not that,
    /// and then nothing has happened.
    pub(super) fn difference_test(&mut self, code: &Code, pc: usize) -> bool {
        let padded = code.padded();
        let (test, at) = match padded[pc + 1] {
            push @ op::PUSH1..=op::PUSH32 => (op::JUMPI, pc + 2 + usize::from(info(push).immediate)),
            _ => (op::ISZERO, pc + 1),
        };
        if at >= self.block_end || padded[at] != test {
            return false;
        }
        let (x, y) = (self.s.pop(), self.s.pop());
        self.s.kill_flags();
        self.equal(x, y);
        self.s.unpin();
        self.is_zero();
        true
    }

    /// `x == y`.
    pub(super) fn equal(&mut self, x: ValueId, y: ValueId) {
        let [t0, t1, _] = self.s.target.scratch;
        let (x, y) = self.constant_last(x, y);
        if self.s.konst(y).is_some_and(|k| k.is_zero()) {
            self.test_zero(x);
        } else if self.bits(x) <= 64 && self.bits(y) <= 64 {
            let a = self.s.low(x);
            let b = self.s.limb_or(y, 0, t0);
            self.s.emit(Ins::Cmp { a, b });
        } else {
            let value = *self.s.value(x);
            match (value.regs, value.konst, value.slot) {
                (Regs::None, None, Some(slot)) => {
                    let b = self.s.wsrc(y);
                    let (base, disp) = self.s.slot_at(slot);
                    self.s.emit(Ins::WEqMem { base, disp, b, tmp: [t0, t1] });
                }
                _ => {
                    let a = self.s.quad(x);
                    let b = self.s.wsrc(y);
                    self.s.emit(Ins::WEq { a, b, tmp: [t0, t1] });
                }
            }
        }
        self.fact = self.told_by_equal(x, y);
        self.release2(x, y);
        self.s.push_flags(Cond::Eq);
    }

    /// `a < b`, unsigned or signed.
    pub(super) fn less(&mut self, cond: Cond, a: ValueId, b: ValueId) {
        if cond == Cond::Ult && self.wrapped(a, b) {
            return;
        }
        let is_narrow = self.bits(a) <= 64 && self.bits(b) <= 64;
        let holds = match (self.s.konst(a), self.s.konst(b)) {
            _ if is_narrow => self.less_narrow(a, b),
            // `k < b` is `b >= k + 1`; for the greatest number it folds.
            (Some(k), None) => invert(self.less_than_constant(cond, b, k.wrapping_add(U256::ONE))),
            (None, Some(k)) => self.less_than_constant(cond, a, k),
            (_, _) => {
                let b = self.s.wsrc(b);
                self.compare_words(a, b);
                cond
            }
        };
        // As words of 256 bits neither narrow one is negative.
        self.fact = if cond == Cond::Ult || is_narrow { self.told_by_less(a, b) } else { None };
        self.release2(a, b);
        self.s.push_flags(holds);
    }

    /// Compares words of 64 bits; gives the condition under which `a < b`.
    fn less_narrow(&mut self, a: ValueId, b: ValueId) -> Cond {
        let (first, second, holds) = if self.s.known(a).is_some() { (b, a, Cond::Ugt) } else { (a, b, Cond::Ult) };
        let first = self.s.low(first);
        let second = self.s.limb_or(second, 0, self.t0());
        self.s.emit(Ins::Cmp { a: first, b: second });
        holds
    }

    /// Compares a word that has more than 64 bits with a constant; gives the condition under which it is less.
    fn less_than_constant(&mut self, cond: Cond, word: ValueId, k: U256) -> Cond {
        let [t0, t1, _] = self.s.target.scratch;
        if cond == Cond::Ult && k.count_ones() == 1 {
            self.test_above(word, k.trailing_zeros() as u16);
            return Cond::Eq;
        }
        if cond == Cond::Slt && k.is_zero() {
            let top = self.s.limb_in(word, 3, t0);
            self.s.emit(Ins::Test { a: top, b: Src::R(top) });
            return cond;
        }
        if let Some(i) = word_imm32(&k) {
            self.compare_words(word, WSrc::I(i));
            return cond;
        }
        for (i, &limb) in k.as_limbs().iter().enumerate() {
            let b = self.imm_or(limb, t1);
            if i == 0 {
                let a = self.s.limb_in(word, 0, t0);
                self.s.emit(Ins::Cmp { a, b });
            } else {
                self.s.limb_to(word, i, t0);
                self.s.emit(Ins::Alu { op: AluOp::Sbb, flags: true, dst: t0, a: t0, b });
            }
        }
        cond
    }

    fn compare_words(&mut self, a: ValueId, b: WSrc) {
        let tmp = self.t0();
        let value = *self.s.value(a);
        match (value.regs, value.konst, value.slot) {
            (Regs::None, None, Some(slot)) => {
                let (a, a_disp) = self.s.slot_at(slot);
                self.s.emit(Ins::WCmpMem { a, a_disp, b, tmp });
            }
            _ => {
                let a = self.s.quad(a);
                self.s.emit(Ins::WCmp { a, b, tmp });
            }
        }
    }
}

/// The opposite condition.
pub(super) fn invert(cond: Cond) -> Cond {
    match cond {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::Ult => Cond::Uge,
        Cond::Uge => Cond::Ult,
        Cond::Ule => Cond::Ugt,
        Cond::Ugt => Cond::Ule,
        Cond::Slt => Cond::Sge,
        Cond::Sge => Cond::Slt,
        Cond::Sle => Cond::Sgt,
        Cond::Sgt => Cond::Sle,
        Cond::Overflow => Cond::NoOverflow,
        Cond::NoOverflow => Cond::Overflow,
        Cond::Neg => Cond::NotNeg,
        Cond::NotNeg => Cond::Neg,
    }
}
