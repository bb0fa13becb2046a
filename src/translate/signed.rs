//! Words that are the sign extension of one limb, as small numbers with a sign are: operations on them take that limb. Where sums, differences and products were
//! seen not to fit 64 bits without a sign, they are taken to fit with one, as in [`super::narrow`], and so is in loops what SAR leaves of wide words.
//!
//! SDIV and SMOD: as DIV and MOD where no operand can be negative; of magnitudes, with the sign put back, where the divisor is a constant; by runtime
//! functions otherwise.

use super::context::Wide;
use super::narrow::Guess;
use super::values::{ValueId, at, is_signed_limb};
use super::{Job, Translator};
use crate::abi::Callouts;
use crate::evm::U256;
use crate::evm::block::Pc;
use crate::evm::opcode as op;
use crate::ir::{AluOp, Cond, Ins, Quad, R, ShiftOp, Src};
use core::mem::offset_of;

impl Translator {
    /// Before an operation that knows no words of one limb and its sign: its operands, so many, become four limbs.
    pub(super) fn spread(&mut self, operands: usize) {
        if self.s.has_signs {
            for i in self.s.len() - operands..self.s.len() {
                self.s.spread(self.s.at(i));
            }
        }
    }

    /// The operation at `pc` on words of one limb and its sign, if they are such, and the result is, or is likely to be; false if not, and then nothing has
    /// happened.
    #[inline]
    pub(super) fn signed(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) -> bool {
        if matches!(opcode, op::SAR | op::SDIV | op::SMOD | op::SIGNEXTEND) {
            (self.s.has_signs, job.versions.has_signs) = (true, true);
        }
        self.s.has_signs && self.on_limbs(job, opcode, pc)
    }

    #[inline(never)]
    fn on_limbs(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) -> bool {
        let top = self.s.len() - 1;
        let x = self.s.at(top);
        if opcode == op::ISZERO {
            let is_signed = self.s.value(x).signed;
            if is_signed {
                self.is_zero();
            }
            return is_signed;
        }
        if op::info(opcode).inputs != 2 {
            return false;
        }
        let y = self.s.at(top - 1);
        let is_any = self.s.value(x).signed || self.s.value(y).signed;
        let fit = |this: &Translator| this.s.fits_signed(x) && this.s.fits_signed(y);
        let may_fit = |this: &Translator| [x, y].into_iter().all(|v| this.may_fit_signed(v, is_any));
        match opcode {
            op::SIGNEXTEND => return self.extend_limb(x, y),
            op::ADD | op::SUB | op::MUL | op::OR | op::XOR if is_any && self.used_bits(job.code, pc).is_some() => {
                self.low_bits(alu_of(opcode), x, y);
            }
            op::SUB if may_fit(self) && (is_any || self.was_wide(job, pc)) => return self.guess_signed_sum(job, AluOp::Sub, pc),
            op::ADD if may_fit(self) && is_any => return self.guess_signed_sum(job, AluOp::Add, pc),
            op::MUL if may_fit(self) && is_any && self.guess_signed_product(job, pc) => {}
            op::MUL if fit(self) && is_any => self.multiply_limbs(),
            op::SAR if !self.s.value(y).signed => return self.shift_to_limb(job, y, pc),
            op::SDIV | op::SMOD if self.divide_limb(opcode == op::SMOD) => {}
            op::SDIV | op::SMOD => return self.guess_quotient(job, opcode == op::SMOD, pc),
            _ if !is_any => return false,
            op::AND if self.bits(x).min(self.bits(y)) <= 64 => self.operation(opcode),
            op::AND if fit(self) => self.signed_op(AluOp::And),
            op::OR if fit(self) => self.signed_op(AluOp::Or),
            op::XOR if fit(self) => self.signed_op(AluOp::Xor),
            op::EQ if fit(self) => self.compare_signed(Cond::Eq),
            op::SLT if fit(self) => self.compare_signed(Cond::Slt),
            op::SGT if fit(self) => self.compare_signed(Cond::Sgt),
            op::SAR if self.s.konst(x).is_some() => self.shift_signed(),
            _ => return false,
        }
        true
    }

    /// Whether the result of the instruction at `pc` was seen not to fit 64 bits without a sign, in a contract that knows signs.
    pub(super) fn was_wide(&mut self, job: &Job<'_>, pc: usize) -> bool {
        self.s.has_signs && (job.versions.is_wide(Pc(pc as u32)) || self.s.dice.one_in(4))
    }

    /// Whether a word may be taken to be one limb and its sign: in loops also one of which nothing is known, if `any` is tried.
    fn may_fit_signed(&self, v: ValueId, any: bool) -> bool {
        self.s.fits_signed(v) || self.s.known(v).is_none() && (self.bits(v) == 64 || any && self.looping)
    }

    /// Takes the top two elements for an operation.
    fn operands(&mut self) -> (ValueId, ValueId) {
        self.s.kill_flags();
        (self.s.pop(), self.s.pop())
    }

    /// AND, OR or XOR.
    fn signed_op(&mut self, op: AluOp) {
        let (x, y) = self.operands();
        let (x, y) = self.constant_last(x, y);
        let (dst, a) = self.s.low_for(x);
        let b = self.s.limb_or(y, 0, self.t0());
        self.s.emit(Ins::Alu { op, flags: false, dst, a, b });
        self.release2(x, y);
        self.s.push_signed(dst);
        self.s.unpin();
    }

    /// EQ, SLT or SGT.
    fn compare_signed(&mut self, cond: Cond) {
        let (x, y) = self.operands();
        let (a, b, holds) = match cond {
            _ if self.s.known(x).is_none() => (x, y, cond),
            Cond::Slt => (y, x, Cond::Sgt),
            Cond::Sgt => (y, x, Cond::Slt),
            _ => (y, x, cond),
        };
        let first = self.s.low(a);
        let second = self.s.limb_or(b, 0, self.t0());
        self.s.emit(Ins::Cmp { a: first, b: second });
        self.fact = match (holds, self.s.known(b)) {
            (Cond::Eq, _) => self.told_by_equal(x, y),
            (Cond::Slt, Some(k)) if k.is_zero() => Some(self.told_by_sign(a)),
            _ => None,
        };
        self.release2(x, y);
        self.s.push_flags(holds);
        self.s.unpin();
    }

    /// SAR by a constant.
    fn shift_signed(&mut self) {
        let (amount, y) = self.operands();
        let amount = self.s.konst(amount).map_or(0, |k| k.min(U256::from(63)).as_limbs()[0] as u8);
        let (dst, a) = self.s.low_for(y);
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst, a, amount });
        self.s.release(y);
        self.s.push_signed(dst);
        self.s.unpin();
    }

    /// SIGNEXTEND from one of the lowest eight bytes, which it is known to be.
    fn extend_limb(&mut self, x: ValueId, y: ValueId) -> bool {
        let Some(byte) = self.s.known(x).filter(|k| **k < U256::from(8)).map(|k| k.as_limbs()[0] as u8) else { return false };
        let sign_bit = 8 * byte + 7;
        if self.bits(y) <= u16::from(sign_bit) || self.s.konst(y).is_some() {
            return false;
        }
        let (x, y) = self.operands();
        self.s.release(x);
        if sign_bit == 63 && self.s.value(y).signed {
            self.s.push(y);
        } else {
            let (dst, a) = self.s.low_for(y);
            let amount = 63 - sign_bit;
            match amount {
                0 if dst != a => self.s.emit(Ins::Mov { dst, src: a }),
                0 => {}
                _ => {
                    self.s.emit(Ins::ShiftImm { op: ShiftOp::Shl, dst, a, amount });
                    self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst, a: dst, amount });
                }
            }
            self.s.push_signed(dst);
        }
        self.s.release(y);
        self.s.unpin();
        true
    }

    /// ADD or SUB.
    fn guess_signed_sum(&mut self, job: &mut Job<'_>, op: AluOp, pc: usize) -> bool {
        let (mut a, mut b) = (self.s.len() - 1, self.s.len() - 2);
        if op == AluOp::Add && (self.s.known(self.s.at(a)).is_some() || self.s.own_register(b).is_some()) {
            (a, b) = (b, a);
        }
        // Before the operand's register is known: it may be wanted for what is in the flags.
        self.s.kill_flags();
        let over = self.s.own_register(a);
        let Some(guess) = self.guess(job, 2, over, pc, Wide::SignedResult) else { return false };
        let (dst, t0) = (guess.dst, self.t0());
        let operands = [a, b].map(|i| self.s.at(i));
        operands.into_iter().for_each(|v| self.guess_limb(v, &guess));
        self.s.limb_to(operands[0], 0, dst);
        let b = self.s.limb_or(operands[1], 0, t0);
        self.s.emit(Ins::Alu { op, flags: true, dst, a: dst, b });
        let opposite = if op == AluOp::Sub { AluOp::Add } else { AluOp::Sub };
        let undo = over.map(|dst| Ins::Alu { op: opposite, flags: false, dst, a: dst, b });
        self.widen_if(Cond::Overflow, guess.gas, guess.to, undo);
        self.guessed_signed(2, dst);
        true
    }

    /// Takes a word to be one limb and its sign: goes on elsewhere if it is not.
    fn guess_limb(&mut self, v: ValueId, guess: &Guess) {
        if self.s.fits_signed(v) {
            return;
        }
        let [t0, t1, _] = self.s.target.scratch;
        if self.bits(v) <= 64 {
            let a = self.s.limb_in(v, 0, t0);
            self.s.emit(Ins::Test { a, b: Src::R(a) });
            self.widen_if(Cond::Neg, guess.gas, guess.to, None);
            return self.s.bound(v, 63);
        }
        let low = self.s.limb_in(v, 0, t0);
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: t0, a: low, amount: 63 });
        let b = self.s.limb_or(v, 1, t1);
        self.s.emit(Ins::Cmp { a: t0, b });
        let at = self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        for i in 2..4 {
            let b = self.s.limb_or(v, i, t1);
            self.s.emit(Ins::Cmp { a: t0, b });
            self.s.emit(Ins::Br { cond: Cond::Ne, to: at });
        }
        if self.bits(v) < 256 {
            // Its sign is 0.
            self.s.bound(v, 63);
        } else {
            self.s.sign_to_limb(v);
        }
    }

    /// MUL of words of which one may be negative, which fits one limb.
    fn guess_signed_product(&mut self, job: &mut Job<'_>, pc: usize) -> bool {
        let Some(guess) = self.guess(job, 2, None, pc, Wide::SignedResult) else { return false };
        let (dst, [x, y]) = (guess.dst, [1, 2].map(|depth| self.s.at(self.s.len() - depth)));
        [x, y].into_iter().for_each(|v| self.guess_limb(v, &guess));
        let [hi, lo] = self.halves(x, y);
        self.s.emit(Ins::Mov { dst, src: lo });
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: lo, a: lo, amount: 63 });
        self.s.emit(Ins::Cmp { a: lo, b: Src::R(hi) });
        self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        self.guessed_signed(2, dst);
        true
    }

    /// The product of two limbs with signs, its upper half first, in scratch registers.
    fn halves(&mut self, x: ValueId, y: ValueId) -> [R; 2] {
        let [hi, lo, tmp] = self.s.target.mul;
        let (a, b) = (self.s.limb_in(x, 0, lo), self.s.limb_in(y, 0, tmp));
        self.s.emit(Ins::MulWideSigned { hi, lo, a, b });
        [hi, lo]
    }

    /// MUL of the same that does not: two limbs and their sign.
    fn multiply_limbs(&mut self) {
        let (x, y) = self.operands();
        [x, y].into_iter().for_each(|v| self.s.hold(v));
        let q = self.s.alloc_quad();
        let [low, high, sign, above] = q.0;
        let [hi, lo] = self.halves(x, y);
        self.s.out.extend([Ins::Mov { dst: low, src: lo }, Ins::Mov { dst: high, src: hi }]);
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: hi, amount: 63 });
        self.s.emit(Ins::Mov { dst: above, src: sign });
        self.release2(x, y);
        self.s.push_wide(q, 256);
        self.two_limbs = Some(self.s.at(self.s.len() - 1));
        self.s.unpin();
    }

    /// SAR by a constant of a wide word, of which one limb and its sign is left: surely, or likely in loops.
    fn shift_to_limb(&mut self, job: &mut Job<'_>, y: ValueId, pc: usize) -> bool {
        let top = self.s.len() - 1;
        let amount = self.s.known(self.s.at(top)).and_then(|k| u8::try_from(*k).ok()).filter(|amount| *amount > 0);
        let Some(amount) = amount else { return false };
        let bits = self.bits(y);
        if self.s.konst(y).is_some() || bits < 256 && bits <= 64 + u16::from(amount) {
            return false;
        }
        let (first, low) = (usize::from(amount / 64), amount % 64);
        let [t0, t1, t2] = self.s.target.scratch;
        if first == 3 {
            let (shift, y) = self.operands();
            self.s.release(shift);
            let dst = self.s.alloc();
            let a = self.s.limb_in(y, 3, dst);
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst, a, amount: low });
            self.s.release(y);
            self.s.push_signed(dst);
            self.s.unpin();
            return true;
        }
        let has_two = self.two_limbs == Some(y) && first == 0;
        if !(has_two || self.looping || self.s.dice.one_in(2)) {
            return false;
        }
        let Some(guess) = self.guess(job, 2, None, pc, Wide::SignedResult) else { return false };
        // Getting ready may have given the element another name.
        let (dst, y) = (guess.dst, self.s.at(top - 1));
        self.s.limb_to(y, first, dst);
        self.s.limb_to(y, first + 1, t0);
        if low > 0 {
            self.s.emit(Ins::FunnelImm { dst, hi: t0, lo: dst, amount: 64 - low, tmp: t1 });
        }
        // All bits above the result are its sign: first those of the limb that its highest came from.
        if low > 1 {
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: t0, a: t0, amount: low - 1 });
        }
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: t1, a: dst, amount: 63 });
        let alu = |op, dst, b| Ins::Alu { op, flags: false, dst, a: dst, b: Src::R(b) };
        if has_two {
            self.s.emit(Ins::Cmp { a: t0, b: Src::R(t1) });
        } else {
            self.s.emit(alu(AluOp::Xor, t0, t1));
            for i in first + 2..4 {
                self.s.limb_to(y, i, t2);
                self.s.emit(alu(AluOp::Xor, t2, t1));
                self.s.emit(alu(AluOp::Or, t0, t2));
            }
            self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
        }
        self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        self.guessed_signed(2, dst);
        true
    }

    /// Takes the operands and pushes the result.
    pub(super) fn guessed_signed(&mut self, operands: usize, dst: R) {
        for _ in 0..operands {
            let v = self.s.pop();
            self.s.release(v);
        }
        self.s.push_signed(dst);
        self.s.unpin();
    }

    /// SDIV and SMOD of one limb by a constant of one, but for 1 and -1, of which the magnitude of a quotient might be 2^63.
    fn divide_limb(&mut self, rem: bool) -> bool {
        let len = self.s.len();
        let (x, y) = (self.s.at(len - 1), self.s.at(len - 2));
        let Some(divisor) = self.s.konst(y).filter(is_signed_limb) else { return false };
        let negative = divisor.bit(255);
        let magnitude = if negative { divisor.wrapping_neg() } else { divisor };
        if !self.s.value(x).signed || magnitude <= U256::ONE {
            return false;
        }
        let (x, y) = self.operands();
        self.s.release(y);
        let low = self.s.take_low(x);
        let sign = self.s.alloc();
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: low, amount: 63 });
        self.negate_limb_where(sign, low);
        self.s.release(x);
        self.s.push_narrow(sign, 64);
        let sign = self.s.pop();
        self.s.push_narrow(low, 64);
        let low = self.s.pop();
        self.s.unpin();
        let divisor = self.constant_operand(magnitude);
        self.div(low, divisor, rem);
        self.s.unpin();
        let result = self.s.pop();
        if self.s.konst(result).is_some() {
            // 0, which has no sign: magnitudes are unknown otherwise.
            self.s.push(result);
        } else {
            let limb = self.s.take_low(result);
            let mask = self.s.take_low(sign);
            if negative && !rem {
                self.s.emit(Ins::Alu { op: AluOp::Xor, flags: false, dst: mask, a: mask, b: Src::I(-1) });
            }
            self.negate_limb_where(mask, limb);
            self.s.give_back(mask);
            self.s.push_signed(limb);
        }
        self.release2(result, sign);
        self.s.unpin();
        true
    }

    /// SDIV and SMOD of words that are taken to be one limb and its sign each, in loops, the divisor neither 0 nor -1, which would give 2^63 once.
    fn guess_quotient(&mut self, job: &mut Job<'_>, rem: bool, pc: usize) -> bool {
        let [x, y] = [1, 2].map(|depth| self.s.at(self.s.len() - depth));
        let is_unsigned = self.bits(x) < 256 && self.bits(y) < 256;
        if is_unsigned || self.s.known(y).is_some() || ![x, y].into_iter().all(|v| self.may_fit_signed(v, true)) {
            return false;
        }
        let Some(guess) = self.guess(job, 2, None, pc, Wide::SignedResult) else { return false };
        // Getting ready may have given elements other names.
        let [x, y] = [1, 2].map(|depth| self.s.at(self.s.len() - depth));
        [x, y].into_iter().for_each(|v| self.guess_limb(v, &guess));
        let (dst, [quot, tmp, rest]) = (guess.dst, self.s.target.scratch);
        let divisor = self.s.limb_in(y, 0, tmp);
        self.s.emit(Ins::Lea { dst: quot, mem: at(divisor, 1) });
        self.s.emit(Ins::Cmp { a: quot, b: Src::I(1) });
        self.widen_if(Cond::Ule, guess.gas, guess.to, None);
        self.s.limb_to(x, 0, dst);
        self.s.emit(Ins::DivRemSigned { quot, rem: rest, a: dst, b: divisor });
        self.s.emit(Ins::Mov { dst, src: if rem { rest } else { quot } });
        self.guessed_signed(2, dst);
        true
    }

    /// `-limb` where `mask` is all ones, `limb` where it is 0.
    fn negate_limb_where(&mut self, mask: R, limb: R) {
        for op in [AluOp::Xor, AluOp::Sub] {
            self.s.emit(Ins::Alu { op, flags: false, dst: limb, a: limb, b: Src::R(mask) });
        }
    }

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

/// What computes the low limb of ADD, SUB, MUL, OR or XOR.
fn alu_of(opcode: u8) -> AluOp {
    match opcode {
        op::ADD => AluOp::Add,
        op::SUB => AluOp::Sub,
        op::MUL => AluOp::Mul,
        op::OR => AluOp::Or,
        op::XOR => AluOp::Xor,
        other => unreachable!("{other:#x} has no low limb of its own"),
    }
}
