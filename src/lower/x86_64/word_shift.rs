//! 256-bit shifts. Where bits cross from limb to limb, two shifts and an or: `shld` and `shrd` are six micro-operations on AMD's processors
//! (Zen 3: 1.6 ns for a word against 1.1 ns).

use super::*;
use crate::asm::x86_64::{Double, Shift, ShiftX, Unary};
use crate::ir::WShiftOp;

const LIMB_BITS: u8 = 64;

impl Lowerer {
    pub(super) fn word_shift_imm(&mut self, op: WShiftOp, dst: Quad, a: Quad, amount: u8, tmp: R) {
        let (dst, a, tmp) = (self.quad(dst), self.quad(a), self.r(tmp));
        let (limbs, bits) = ((amount / LIMB_BITS) as usize, amount % LIMB_BITS);
        match op {
            WShiftOp::Shl => self.shift_left(dst, a, limbs, bits, tmp),
            WShiftOp::Shr => self.shift_right(Shift::Shr, dst, a, limbs, bits, tmp),
            WShiftOp::Sar => self.shift_right(Shift::Sar, dst, a, limbs, bits, tmp),
        }
    }

    /// From the top down, so that in place each limb is read before it is written.
    fn shift_left(&mut self, dst: [Reg; 4], a: [Reg; 4], limbs: usize, bits: u8, tmp: Reg) {
        for limb in (0..4).rev() {
            let to = dst[limb];
            match limb.checked_sub(limbs) {
                None => self.zero(to),
                Some(from) => {
                    self.mov(to, a[from]);
                    if bits == 0 {
                        continue;
                    }
                    self.emit(Inst::ShiftImm { op: Shift::Shl, dst: to, amount: bits });
                    if let Some(below) = from.checked_sub(1) {
                        self.mov(tmp, a[below]);
                        self.emit(Inst::ShiftImm { op: Shift::Shr, dst: tmp, amount: LIMB_BITS - bits });
                        self.op_r(Alu::Or, to, tmp);
                    }
                }
            }
        }
    }

    /// From the bottom up; the top limb of `a` is read last, by the limb that only its sign fills.
    fn shift_right(&mut self, op: Shift, dst: [Reg; 4], a: [Reg; 4], limbs: usize, bits: u8, tmp: Reg) {
        for (limb, to) in dst.into_iter().enumerate() {
            let from = limb + limbs;
            if from > 3 {
                if op == Shift::Sar {
                    self.mov(to, a[3]);
                    self.emit(Inst::ShiftImm { op, dst: to, amount: LIMB_BITS - 1 });
                } else {
                    self.zero(to);
                }
                continue;
            }
            self.mov(to, a[from]);
            if bits == 0 {
                continue;
            }
            self.emit(Inst::ShiftImm { op: if from < 3 { Shift::Shr } else { op }, dst: to, amount: bits });
            if from < 3 {
                self.mov(tmp, a[from + 1]);
                self.emit(Inst::ShiftImm { op: Shift::Shl, dst: tmp, amount: LIMB_BITS - bits });
                self.op_r(Alu::Or, to, tmp);
            }
        }
    }

    /// Without branches: by the amount modulo 64, then by one limb and by two if bits 6 and 7 of the amount say so.
    pub(super) fn word_shift(&mut self, op: WShiftOp, dst: Quad, amount: R, tmp: [R; 2]) {
        let (mut dst, mut count) = (self.quad(dst), self.r(amount));
        let mut tmp = tmp.map(|r| self.r(r));
        if op != WShiftOp::Shl {
            // A right shift is a left shift of the limbs the other way round.
            dst.reverse();
        }
        if self.features.bmi2 {
            self.shift_bits_bmi2(op, dst, count, tmp);
            self.shift_limbs(op, dst, count, tmp[0]);
            return;
        }
        let other = count;
        let exchanged = other != Reg::Rcx;
        if exchanged {
            // Whoever was in rcx is in the amount's register until the end.
            self.emit(Inst::Xchg { a: Reg::Rcx, b: other });
            for r in dst.iter_mut().chain(&mut tmp) {
                if *r == Reg::Rcx {
                    *r = other;
                }
            }
            count = Reg::Rcx;
        }
        let double = if op == WShiftOp::Shl { Double::Shld } else { Double::Shrd };
        for limb in (1..4).rev() {
            self.emit(Inst::DoubleCl { op: double, dst: dst[limb], src: dst[limb - 1] });
        }
        self.emit(Inst::ShiftCl { op: edge(op), dst: dst[0] });
        self.shift_limbs(op, dst, count, tmp[0]);
        if exchanged {
            self.emit(Inst::Xchg { a: Reg::Rcx, b: other });
        }
    }

    /// `shld` by a register is slow on many machines: two shifts and an or. The bits that cross are those of the neighbour shifted by
    /// one, then by 63 - n, which is 0 left for n = 0.
    fn shift_bits_bmi2(&mut self, op: WShiftOp, dst: [Reg; 4], count: Reg, [cross, inverse]: [Reg; 2]) {
        let (along, back, one) = match op {
            WShiftOp::Shl => (ShiftX::Shlx, ShiftX::Shrx, Shift::Shr),
            WShiftOp::Shr | WShiftOp::Sar => (ShiftX::Shrx, ShiftX::Shlx, Shift::Shl),
        };
        let x = |op, dst, count| Inst::ShiftX { op, dst, src: Rm::R(dst), count };
        self.mov(inverse, count);
        self.emit(Inst::Unary { op: Unary::Not, rm: Rm::R(inverse) });
        for limb in (1..4).rev() {
            self.mov(cross, dst[limb - 1]);
            self.emit(Inst::ShiftImm { op: one, dst: cross, amount: 1 });
            self.emit(x(back, cross, inverse));
            self.emit(x(along, dst[limb], count));
            self.op_r(Alu::Or, dst[limb], cross);
        }
        let edge = if op == WShiftOp::Sar { ShiftX::Sarx } else { along };
        self.emit(x(edge, dst[0], count));
    }

    /// Limbs move towards the end of `dst`; `fill` becomes what comes in.
    fn shift_limbs(&mut self, op: WShiftOp, dst: [Reg; 4], count: Reg, fill: Reg) {
        if op == WShiftOp::Sar {
            self.mov(fill, dst[0]);
            self.emit(Inst::ShiftImm { op: Shift::Sar, dst: fill, amount: LIMB_BITS - 1 });
        } else {
            self.zero(fill);
        }
        for step in [1, 2] {
            let bit = step as i32 * LIMB_BITS as i32;
            let size = if bit < 0x80 { Size::B8 } else { Size::B32 };
            self.emit(Inst::TestImm { size, a: Rm::R(count), imm: bit });
            for limb in (0..4_usize).rev() {
                let src = limb.checked_sub(step).map_or(fill, |from| dst[from]);
                self.emit(Inst::Cmov { cc: Cc::Ne, dst: dst[limb], src: Rm::R(src) });
            }
        }
    }
}

fn edge(op: WShiftOp) -> Shift {
    match op {
        WShiftOp::Shl => Shift::Shl,
        WShiftOp::Shr => Shift::Shr,
        WShiftOp::Sar => Shift::Sar,
    }
}
