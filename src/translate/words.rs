//! Arithmetic, logic, comparisons and shifts on words: narrow words take one machine instruction, wide ones a carry chain
//! or a runtime function.

use super::Translator;
use super::constants::{Address, Constant};
use super::facts::is_low_mask;
use super::values::{Regs, ValueId, at, imm32};
use crate::abi::{Callouts, Frame};
use crate::evm::{U256, opcode as op};
use crate::ir::{AluOp, Cond, Factor, Ins, Mem, Quad, R, ShiftOp, Src, WShiftOp, Width, WordOp};
use core::mem::offset_of;

impl Translator {
    /// An operation on words of which nothing is known that would spare it.
    pub(super) fn operation(&mut self, opcode: u8) {
        match opcode {
            op::ISZERO => self.is_zero(),
            op::NOT => self.not(),
            op::CLZ => self.clz(),
            op::ADDMOD | op::MULMOD => self.modular(opcode),
            _ => self.binary(opcode),
        }
    }

    /// An operation of two words, which does not fold.
    fn binary(&mut self, opcode: u8) {
        let x = self.s.pop();
        let y = self.s.pop();
        self.s.kill_flags();
        match opcode {
            op::ADD => self.add(x, y),
            op::SUB => self.sub(x, y),
            op::AND => self.and(x, y),
            op::OR => self.or_xor(WordOp::Or, x, y),
            op::XOR => self.or_xor(WordOp::Xor, x, y),
            op::MUL => {
                self.mul(x, y);
                self.note_product([x, y], false);
            }
            op::DIV => self.div(x, y, false),
            op::MOD => self.div(x, y, true),
            op::LT => self.less(Cond::Ult, x, y),
            op::GT => self.less(Cond::Ult, y, x),
            op::SLT => self.less(Cond::Slt, x, y),
            op::SGT => self.less(Cond::Slt, y, x),
            op::EQ => self.equal(x, y),
            op::BYTE => self.byte(x, y),
            op::SHL => self.shift(WShiftOp::Shl, x, y),
            op::SHR => self.shift(WShiftOp::Shr, x, y),
            op::SAR => self.shift(WShiftOp::Sar, x, y),
            op::SIGNEXTEND => self.sign_extend(x, y),
            op::SDIV => self.div_signed(x, y, false),
            op::SMOD => self.div_signed(x, y, true),
            other => unreachable!("{other:#x} is no operation of two words"),
        }
        self.s.unpin();
    }

    pub(super) fn bits(&self, v: ValueId) -> u16 {
        self.s.value(v).bits
    }

    pub(super) fn release2(&mut self, x: ValueId, y: ValueId) {
        self.s.release(x);
        self.s.release(y);
    }

    pub(super) fn add(&mut self, x: ValueId, y: ValueId) {
        let bits = self.bits(x).max(self.bits(y)) + 1;
        let (x, y) = self.constant_last(x, y);
        if bits <= 64 {
            self.low_op(AluOp::Add, x, y, bits);
        } else {
            self.word_op(WordOp::Add, x, y, bits.min(256));
        }
        self.note_sum([x, y], false, bits <= 256);
    }

    fn sub(&mut self, x: ValueId, y: ValueId) {
        let q = self.s.take_quad(x);
        let b = self.s.wsrc(y);
        self.s.emit(Ins::W { op: WordOp::Sub, dst: q, a: q, b });
        self.release2(x, y);
        self.s.push_wide(q, 256);
        self.note_sum([x, y], true, false);
    }

    /// `x op y` of low limbs, which is all that matters.
    pub(super) fn low_op(&mut self, op: AluOp, x: ValueId, y: ValueId, bits: u16) {
        let (dst, a) = self.s.low_for(x);
        let b = self.s.limb_or(y, 0, self.t0());
        self.s.emit(Ins::Alu { op, flags: false, dst, a, b });
        self.release2(x, y);
        self.s.push_narrow(dst, bits);
    }

    /// `x op y` for a commutative `op`.
    fn word_op(&mut self, word: WordOp, x: ValueId, y: ValueId, bits: u16) {
        let q = self.s.take_quad(x);
        let b = self.s.wsrc(y);
        self.s.emit(Ins::W { op: word, dst: q, a: q, b });
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }

    /// Orders the operands of a commutative operation: what can be overwritten first, a constant or a word in memory last.
    pub(super) fn constant_last(&self, x: ValueId, y: ValueId) -> (ValueId, ValueId) {
        let score = |v: ValueId| {
            let value = self.s.value(v);
            if value.konst.is_some() {
                0
            } else {
                match value.regs {
                    Regs::Wide(_) if self.s.is_last(v) => 4,
                    Regs::Wide(_) => 3,
                    Regs::None => 2,
                    Regs::Narrow(_) | Regs::Signed(_) => 1,
                }
            }
        };
        if score(x) >= score(y) { (x, y) } else { (y, x) }
    }

    pub(super) fn and(&mut self, x: ValueId, y: ValueId) {
        let bits = self.bits(x).min(self.bits(y));
        let (x, y) = self.constant_last(x, y);
        if bits == self.bits(x) && self.s.konst(y).is_some_and(|k| is_low_mask(&k)) {
            self.s.push(x);
            self.release2(x, y);
            return;
        }
        if bits <= 64 {
            // The narrower operand's upper limbs are zero, so only the low limbs matter.
            if self.s.limb(y, 0) != Some(Src::I(-1)) {
                return self.low_op(AluOp::And, x, y, bits);
            }
            let dst = self.s.take_low(x);
            self.release2(x, y);
            self.s.push_narrow(dst, bits);
            return;
        }
        let Some(k) = self.s.konst(y) else {
            self.word_op(WordOp::And, x, y, bits);
            return;
        };
        let (q, is_own) = self.s.over_or_beside(x);
        for (i, (&dst, &limb)) in q.0.iter().zip(k.as_limbs()).enumerate() {
            if limb == 0 {
                self.s.emit(Ins::Imm { dst, value: 0 });
                continue;
            }
            if !is_own {
                self.s.limb_to(x, i, dst);
            }
            if limb != u64::MAX {
                let b = self.imm_or(limb, self.t0());
                self.s.emit(Ins::Alu { op: AluOp::And, flags: false, dst, a: dst, b });
            }
        }
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }

    /// A 64-bit constant as an operand, through `tmp` if it is large. Flags survive.
    pub(super) fn imm_or(&mut self, limb: u64, tmp: R) -> Src {
        match imm32(limb) {
            Some(i) => Src::I(i),
            None => {
                self.s.emit(Ins::Imm { dst: tmp, value: limb });
                Src::R(tmp)
            }
        }
    }

    fn or_xor(&mut self, word: WordOp, x: ValueId, y: ValueId) {
        let bits = self.bits(x).max(self.bits(y));
        let (x, y) = self.constant_last(x, y);
        if word == WordOp::Or && bits == self.bits(y) && self.s.konst(y).is_some_and(|k| is_low_mask(&k)) {
            // All bits that there can be.
            self.s.push(y);
            self.release2(x, y);
            return;
        }
        if bits <= 64 {
            let op = if word == WordOp::Or { AluOp::Or } else { AluOp::Xor };
            return self.low_op(op, x, y, bits);
        }
        self.word_op(word, x, y, bits);
    }

    /// NOT.
    pub(super) fn not(&mut self) {
        let x = self.s.pop();
        if let Some(k) = self.s.konst(x) {
            self.s.release(x);
            self.s.push_const(!k);
            return;
        }
        self.s.kill_flags();
        let q = self.s.take_quad(x);
        self.s.emit(Ins::WNot { dst: q, a: q });
        self.s.release(x);
        self.s.push_wide(q, 256);
        self.s.unpin();
    }

    /// The exponent of two that `y` is, if it is a constant and one.
    pub(super) fn power_of_two(&self, y: ValueId) -> Option<u16> {
        self.s.konst(y).filter(|k| k.count_ones() == 1).map(|k| k.trailing_zeros() as u16)
    }

    pub(super) fn mul(&mut self, x: ValueId, y: ValueId) {
        let (x, y) = self.constant_last(x, y);
        let bits = (self.bits(x) + self.bits(y)).min(256);
        if let Some(amount) = self.power_of_two(y) {
            self.s.release(y);
            self.shift_const(WShiftOp::Shl, amount, x);
            return;
        }
        if self.bits(x) <= 64 && self.bits(y) <= 64 {
            self.mul_narrow(x, y, bits);
            return;
        }
        if self.bits(y) > 64
            && let Some(k) = self.s.konst(y).filter(|k| k.count_ones() == 2)
        {
            self.s.release(y);
            return self.mul_by_two_bits(x, k);
        }
        if self.bits(x) <= 64 {
            return self.mul_by_narrow(y, x, bits);
        }
        if self.bits(y) <= 64 {
            return self.mul_by_narrow(x, y, bits);
        }
        // The registers of two words and the product are more than there may be.
        let (a, b) = if matches!(self.s.value(x).regs, Regs::Wide(_)) { (x, y) } else { (y, x) };
        let first = self.factor(a);
        let second = if a == b { first } else { self.factor_in_memory(b) };
        let (dst, tmp) = (self.s.alloc_quad(), self.s.target.mul);
        self.s.emit(Ins::WMul { dst, a: first, b: second, tmp });
        self.release2(x, y);
        self.s.push_wide(dst, bits);
    }

    /// A word as a factor of a product: in its registers, pinned, if it is in some.
    pub(super) fn factor(&mut self, v: ValueId) -> Factor {
        match self.s.value(v).regs {
            Regs::Wide(q) => {
                self.s.hold(v);
                Factor::Q(q)
            }
            _ => self.factor_in_memory(v),
        }
    }

    fn factor_in_memory(&mut self, v: ValueId) -> Factor {
        let slot = self.s.ensure_slot(v);
        let (base, disp) = self.s.slot_at(slot);
        Factor::M(base, disp)
    }

    fn mul_narrow(&mut self, x: ValueId, y: ValueId, bits: u16) {
        if bits <= 64 {
            return self.low_op(AluOp::Mul, x, y, bits);
        }
        let tmp = self.s.target.mul[0];
        let a = self.s.low(x);
        self.s.limb_to(y, 0, tmp);
        let q = self.s.alloc_quad();
        self.s.emit(Ins::MulWide { hi: q.0[1], lo: q.0[0], a: tmp, b: a });
        self.s.emit(Ins::Imm { dst: q.0[2], value: 0 });
        self.s.emit(Ins::Imm { dst: q.0[3], value: 0 });
        self.release2(x, y);
        self.s.push_wide(q, bits);
    }

    /// BYTE: `x` is the index, from the most significant byte.
    fn byte(&mut self, x: ValueId, y: ValueId) {
        let Some(k) = self.s.konst(x) else {
            return if self.bits(x) <= 64 { self.byte_at(x, y) } else { self.word_call(offset_of!(Callouts, byte), &[x, y], 8) };
        };
        let index = 31 - k.as_limbs()[0] as usize;
        let (limb, byte) = (index / 8, (index % 8) as u8);
        let dst = self.s.alloc();
        match self.s.limb(y, limb) {
            Some(Src::M(mem)) => {
                let mem = at(mem.base, mem.disp + i32::from(byte));
                self.s.emit(Ins::Load { width: Width::B8, signed: false, dst, mem });
            }
            _ => {
                self.s.limb_to(y, limb, dst);
                if byte > 0 {
                    self.s.emit(Ins::ShiftImm { op: ShiftOp::Shr, dst, a: dst, amount: 8 * byte });
                }
                if byte < 7 {
                    self.s.emit(Ins::Alu { op: AluOp::And, flags: false, dst, a: dst, b: Src::I(0xff) });
                }
            }
        }
        self.release2(x, y);
        self.s.push_narrow(dst, 8);
    }

    /// BYTE of a word in memory at an index that only the run knows.
    fn byte_at(&mut self, x: ValueId, y: ValueId) {
        let address = self.address_of(y);
        let ([t0, t1, _], dst) = (self.s.target.scratch, self.s.alloc());
        let (zero, done) = (self.label(), self.label());
        let index = self.s.limb_in(x, 0, t0);
        let checked = self.bits(x) > 5;
        self.s.emit(Ins::Imm { dst, value: 31 });
        self.s.emit(Ins::Alu { op: AluOp::Sub, flags: checked, dst, a: dst, b: Src::R(index) });
        if checked {
            self.s.emit(Ins::Br { cond: Cond::Ult, to: zero });
        }
        let (base, disp) = self.base_of(address, t1);
        let mem = Mem { base, index: Some(dst), shift: 0, disp };
        self.s.emit(Ins::Load { width: Width::B8, signed: false, dst, mem });
        self.push_checked(x, y, dst, 8, checked.then_some((zero, done)));
    }

    fn shift(&mut self, shift: WShiftOp, amount: ValueId, y: ValueId) {
        if let Some(k) = self.s.konst(amount) {
            self.s.release(amount);
            let amount = if k < U256::from(256) { k.as_limbs()[0] as u16 } else { 256 };
            self.shift_const(shift, amount, y);
            return;
        }
        if shift == WShiftOp::Sar && self.bits(y) == 256 {
            self.shift_arithmetic(amount, y);
            return;
        }
        // What is not negative is shifted like any other word.
        let shift = if shift == WShiftOp::Sar { WShiftOp::Shr } else { shift };
        let [t0, t1, t2] = self.s.target.scratch;
        let q = self.s.take_quad(y);
        let big = self.label();
        let done = self.label();
        // An amount of 256 or more gives zero.
        if self.bits(amount) > 64 {
            self.s.upper_limbs(amount, t0, t1);
            self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
            self.s.emit(Ins::Br { cond: Cond::Ne, to: big });
        }
        self.s.limb_to(amount, 0, t1);
        let checked = self.bits(amount) > 8;
        if checked {
            self.s.emit(Ins::Cmp { a: t1, b: Src::I(255) });
            self.s.emit(Ins::Br { cond: Cond::Ugt, to: big });
        }
        self.s.emit(Ins::WShift { op: shift, dst: q, amount: t1, tmp: [t0, t2] });
        if checked {
            self.s.emit(Ins::Label(done));
            self.cold.push(super::Cold::ZeroWord { at: big, dst: q, back: done });
        }
        let bits = if shift == WShiftOp::Shr { self.bits(y) } else { 256 };
        self.release2(amount, y);
        self.s.push_wide(q, bits);
    }

    /// SAR of what may be negative: shifting by 255 already leaves only copies of the sign.
    fn shift_arithmetic(&mut self, amount: ValueId, y: ValueId) {
        let [t0, t1, t2] = self.s.target.scratch;
        let q = self.s.take_quad(y);
        let bits = self.bits(amount);
        if bits > 64 {
            self.s.upper_limbs(amount, t0, t2);
        }
        self.s.limb_to(amount, 0, t1);
        if bits > 8 {
            self.s.emit(Ins::Imm { dst: t2, value: 255 });
            self.s.emit(Ins::Cmp { a: t1, b: Src::R(t2) });
            self.s.emit(Ins::Select { cond: Cond::Ugt, dst: t1, a: t2, b: t1 });
        }
        if bits > 64 {
            self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
            self.s.emit(Ins::Select { cond: Cond::Ne, dst: t1, a: t2, b: t1 });
        }
        self.s.emit(Ins::WShift { op: WShiftOp::Sar, dst: q, amount: t1, tmp: [t0, t2] });
        self.release2(amount, y);
        self.s.push_wide(q, 256);
    }

    /// Shifts by a constant, 0..=256.
    pub(super) fn shift_const(&mut self, shift: WShiftOp, amount: u16, y: ValueId) {
        let bits = self.bits(y);
        if amount == 0 {
            self.s.push(y);
            self.s.release(y);
            return;
        }
        if shift == WShiftOp::Sar && bits == 256 {
            // Shifting by 255 already leaves only copies of the sign.
            let q = self.wide_shift(shift, amount.min(255) as u8, y);
            self.s.push_wide(q, 256);
            return;
        }
        if shift == WShiftOp::Shl { self.shift_left(amount, bits, y) } else { self.shift_right(amount, bits, y) }
    }

    /// `y` shifted, over its own registers or from them.
    fn wide_shift(&mut self, op: WShiftOp, amount: u8, y: ValueId) -> Quad {
        let (dst, a) = match self.s.value(y).regs {
            Regs::Wide(a) if !self.s.is_last(y) => (self.s.alloc_beside(y), a),
            _ => {
                let q = self.s.take_quad(y);
                (q, q)
            }
        };
        self.s.emit(Ins::WShiftImm { op, dst, a, amount, tmp: self.s.target.scratch });
        self.s.release(y);
        dst
    }

    fn shift_left(&mut self, amount: u16, bits: u16, y: ValueId) {
        if amount >= 256 {
            self.s.release(y);
            self.s.push_const(U256::ZERO);
        } else if bits + amount <= 64 {
            let (dst, a) = self.s.low_for(y);
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Shl, dst, a, amount: amount as u8 });
            self.s.release(y);
            self.s.push_narrow(dst, bits + amount);
        } else {
            let q = self.wide_shift(WShiftOp::Shl, amount as u8, y);
            self.s.push_wide(q, (bits + amount).min(256));
        }
    }

    /// A logical shift right (an arithmetic one of a word that is not negative).
    fn shift_right(&mut self, amount: u16, bits: u16, y: ValueId) {
        if amount >= bits {
            self.s.release(y);
            self.s.push_const(U256::ZERO);
            return;
        }
        if bits - amount > 64 {
            let q = self.wide_shift(WShiftOp::Shr, amount as u8, y);
            self.s.push_wide(q, bits - amount);
            return;
        }
        let dst = self.limb_from(amount, bits - amount, y);
        self.s.push_narrow(dst, bits - amount);
    }

    /// `width` bits of `y` from `bit` on, at most 64, in a register; above them is what else the limbs hold that they come from. Releases `y`.
    pub(super) fn limb_from(&mut self, bit: u16, width: u16, y: ValueId) -> R {
        let (limb, low) = (usize::from(bit / 64), (bit % 64) as u8);
        let dst = self.s.alloc();
        if u16::from(low) + width > 64 {
            let hi = self.t0();
            self.s.limb_to(y, limb, dst);
            self.s.limb_to(y, limb + 1, hi);
            self.s.emit(Ins::FunnelImm { dst, hi, lo: dst, amount: 64 - low, tmp: hi });
        } else if low > 0 {
            let a = self.s.limb_in(y, limb, dst);
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Shr, dst, a, amount: low });
        } else {
            self.s.limb_to(y, limb, dst);
        }
        self.s.release(y);
        dst
    }

    /// SIGNEXTEND: `x` is the index of the sign byte, from the least significant one.
    fn sign_extend(&mut self, x: ValueId, y: ValueId) {
        let Some(k) = self.s.konst(x) else {
            self.word_call(offset_of!(Callouts, signextend), &[x, y], 256);
            return;
        };
        self.s.release(x);
        let sign_bit = 8 * k.as_limbs()[0] as u16 + 7;
        if self.bits(y) <= sign_bit {
            self.s.push(y);
            self.s.release(y);
            return;
        }
        let (limb, shift) = (usize::from(sign_bit / 64), 63 - (sign_bit % 64) as u8);
        let (q, is_own) = self.s.over_or_beside(y);
        if !is_own {
            (0..=limb).for_each(|i| self.s.limb_to(y, i, q.0[i]));
        }
        let top = q.0[limb];
        if shift > 0 {
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Shl, dst: top, a: top, amount: shift });
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: top, a: top, amount: shift });
        }
        let mut above = q.0[limb + 1..].iter();
        if let Some(&first) = above.next() {
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: first, a: top, amount: 63 });
            for &dst in above {
                self.s.emit(Ins::Mov { dst, src: first });
            }
        }
        self.s.release(y);
        self.s.push_wide(q, 256);
    }

    /// CLZ.
    pub(super) fn clz(&mut self) {
        let x = self.s.pop();
        self.s.kill_flags();
        self.word_call(offset_of!(Callouts, clz), &[x], 9);
        self.s.unpin();
    }

    /// Calls a word function on operands in memory; the result, of at most `bits` bits, is a slot.
    pub(super) fn word_call(&mut self, callout: usize, operands: &[ValueId], bits: u16) {
        self.call_on(callout, operands, None, bits);
    }

    /// As [`Translator::word_call`], with a constant prepared for division, which is not 0, as the last operand.
    pub(super) fn prepared_call(&mut self, callout: usize, operands: &[ValueId], divisor: U256, bits: u16) {
        let prepared = self.constant(Constant::Prepared(divisor));
        self.call_on(callout, operands, Some(Address::Constant(prepared)), bits);
    }

    fn call_on(&mut self, callout: usize, operands: &[ValueId], last: Option<Address>, bits: u16) {
        let mut addresses = [None, None, None, last];
        for (address, &v) in addresses.iter_mut().zip(operands) {
            *address = Some(self.address_of(v));
        }
        self.s.spill_for_call();
        for &v in operands {
            self.s.release(v);
        }
        let out = self.s.reserve_slot();
        let (base, disp) = self.s.slot_at(out);
        self.s.emit(Ins::Lea { dst: R(0), mem: at(base, disp) });
        for (i, address) in addresses.into_iter().flatten().enumerate() {
            self.load_address(R(1 + i as u8), address);
        }
        self.load_field(R(4), offset_of!(Frame, memo));
        self.emit_callout(callout);
        self.s.push_slot(out, bits);
    }
}
