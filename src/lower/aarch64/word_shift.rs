//! 256-bit shifts.

use super::*;
use crate::asm::aarch64::Cond as MachineCond;
use crate::ir::WShiftOp;

const LIMB_BITS: u8 = 64;

impl Lowerer {
    pub(super) fn word_shift_imm(&mut self, op: WShiftOp, dst: Quad, a: Quad, amount: u8) {
        let (dst, a) = (self.quad(dst), self.quad(a));
        let (limbs, bits) = ((amount / LIMB_BITS) as usize, amount % LIMB_BITS);
        match op {
            WShiftOp::Shl => self.shift_left(dst, a, limbs, bits),
            WShiftOp::Shr => self.shift_right(Shift::Lsr, dst, a, limbs, bits),
            WShiftOp::Sar => self.shift_right(Shift::Asr, dst, a, limbs, bits),
        }
    }

    /// From the top down, so that in place each limb is read before it is written.
    fn shift_left(&mut self, dst: [Reg; 4], a: [Reg; 4], limbs: usize, bits: u8) {
        for (limb, to) in dst.into_iter().enumerate().rev() {
            match limb.checked_sub(limbs) {
                None => self.imm(to, 0),
                Some(from) if bits == 0 => self.mov(to, a[from]),
                Some(0) => self.emit(Inst::ShiftImm { op: Shift::Lsl, dst: to, a: a[0], amount: bits }),
                Some(from) => self.emit(Inst::Extr { dst: to, high: a[from], low: a[from - 1], amount: LIMB_BITS - bits }),
            }
        }
    }

    /// From the bottom up; the top limb of `a` is read last, by the limb that only its sign fills.
    fn shift_right(&mut self, op: Shift, dst: [Reg; 4], a: [Reg; 4], limbs: usize, bits: u8) {
        for (limb, to) in dst.into_iter().enumerate() {
            match limb + limbs {
                4.. if op == Shift::Asr => self.emit(Inst::ShiftImm { op, dst: to, a: a[3], amount: LIMB_BITS - 1 }),
                4.. => self.imm(to, 0),
                from if bits == 0 => self.mov(to, a[from]),
                3 => self.emit(Inst::ShiftImm { op, dst: to, a: a[3], amount: bits }),
                from => self.emit(Inst::Extr { dst: to, high: a[from + 1], low: a[from], amount: bits }),
            }
        }
    }

    /// Without branches: by the amount modulo 64, then by one limb and by two if bits 6 and 7 of the amount say so.
    pub(super) fn word_shift(&mut self, op: WShiftOp, dst: Quad, amount: R) {
        let (mut dst, count) = (self.quad(dst), self.r(amount));
        if op != WShiftOp::Shl {
            // A right shift is a left shift of the limbs the other way round.
            dst.reverse();
        }
        let (along, back, edge) = match op {
            WShiftOp::Shl => (Shift::Lsl, Shift::Lsr, Shift::Lsl),
            WShiftOp::Shr => (Shift::Lsr, Shift::Lsl, Shift::Lsr),
            WShiftOp::Sar => (Shift::Lsr, Shift::Lsl, Shift::Asr),
        };
        // The bits that cross are those of the neighbour shifted by one, then by 63 - n, which is 0 left for n = 0.
        let (cross, inverse) = (S0, S1);
        self.logic(Logic::Orn, inverse, Reg::ZR, count);
        for limb in (1..4).rev() {
            self.emit(Inst::ShiftImm { op: back, dst: cross, a: dst[limb - 1], amount: 1 });
            self.emit(Inst::Shift { op: back, dst: cross, a: cross, b: inverse });
            self.emit(Inst::Shift { op: along, dst: dst[limb], a: dst[limb], b: count });
            self.logic(Logic::Orr, dst[limb], dst[limb], cross);
        }
        self.emit(Inst::Shift { op: edge, dst: dst[0], a: dst[0], b: count });
        self.shift_limbs(op, dst, count);
    }

    /// Limbs move towards the end of `dst`; zeros or copies of the sign come in.
    fn shift_limbs(&mut self, op: WShiftOp, dst: [Reg; 4], count: Reg) {
        let fill = match op {
            WShiftOp::Shl | WShiftOp::Shr => Reg::ZR,
            WShiftOp::Sar => {
                self.emit(Inst::ShiftImm { op: Shift::Asr, dst: S0, a: dst[0], amount: LIMB_BITS - 1 });
                S0
            }
        };
        for step in [1, 2] {
            if let Some(imm) = Mask::new(u64::from(LIMB_BITS) * step as u64) {
                self.emit(Inst::LogicImm { op: Logic::Ands, dst: Reg::ZR, a: count, imm });
            }
            for limb in (0..4_usize).rev() {
                let a = limb.checked_sub(step).map_or(fill, |from| dst[from]);
                self.emit(Inst::Csel { cond: MachineCond::Ne, dst: dst[limb], a, b: dst[limb] });
            }
        }
    }
}
