//! 256-bit shifts. Where bits cross from limb to limb, two shifts and an or: `shld` and `shrd` are six micro-operations on AMD's processors
//! (Zen 3: 1.6 ns for a word against 1.1 ns).

use super::*;
use crate::asm::x86_64::{Double, Shift, ShiftX, Unary};
use crate::ir::WShiftOp;

const LIMB_BITS: u8 = 64;

/// A constant amount below 64, and how to shift by it: where a shift has another destination than source, or a limb's neighbour has to be
/// moved to `tmp` first, `shlx` and `shrx` by a count in a register do both at once. Counts are worth it from two shifts on.
struct By {
    bits: u8,
    tmp: Reg,
    /// Holds `bits`, if worth it.
    along: Option<Reg>,
    /// Holds `64 - bits`, if worth it.
    across: Option<Reg>,
}

impl Lowerer {
    pub(super) fn word_shift_imm(&mut self, op: WShiftOp, dst: Quad, a: Quad, amount: u8, tmp: [R; 3]) {
        let (dst, a, [tmp, along, across]) = (self.quad(dst), self.quad(a), tmp.map(|r| self.r(r)));
        let (limbs, bits) = ((amount / LIMB_BITS) as usize, amount % LIMB_BITS);
        let counts = self.features.bmi2 && bits > 0;
        let by = By {
            bits,
            tmp,
            along: (counts && limbs < 3 && (limbs > 0 || dst != a)).then_some(along),
            across: (counts && limbs < 2).then_some(across),
        };
        for (count, value) in [(by.along, bits), (by.across, LIMB_BITS - bits)] {
            if let Some(dst) = count {
                self.emit(Inst::MovImm { dst, value: value.into() });
            }
        }
        match op {
            WShiftOp::Shl => self.shift_left(dst, a, limbs, &by),
            WShiftOp::Shr => self.shift_right(Shift::Shr, dst, a, limbs, &by),
            WShiftOp::Sar => self.shift_right(Shift::Sar, dst, a, limbs, &by),
        }
    }

    /// `dst = src` shifted by `amount`, which is also in `count` if that is a register.
    fn shift_limb(&mut self, op: Shift, dst: Reg, src: Reg, amount: u8, count: Option<Reg>) {
        match count {
            Some(count) if dst != src => {
                let op = match op {
                    Shift::Shl => ShiftX::Shlx,
                    Shift::Shr => ShiftX::Shrx,
                    Shift::Sar => ShiftX::Sarx,
                    Shift::Rol | Shift::Ror => unreachable!("limbs are not rotated"),
                };
                self.emit(Inst::ShiftX { op, dst, src: Rm::R(src), count });
            }
            Some(_) | None => {
                self.mov(dst, src);
                self.emit(Inst::ShiftImm { op, dst, amount });
            }
        }
    }

    /// `dst |=` the bits of `neighbour` that cross.
    fn cross(&mut self, op: Shift, dst: Reg, neighbour: Reg, by: &By) {
        self.shift_limb(op, by.tmp, neighbour, LIMB_BITS - by.bits, by.across);
        self.op_r(Alu::Or, dst, by.tmp);
    }

    /// From the top down, so that in place each limb is read before it is written.
    fn shift_left(&mut self, dst: [Reg; 4], a: [Reg; 4], limbs: usize, by: &By) {
        for limb in (0..4).rev() {
            let to = dst[limb];
            match limb.checked_sub(limbs) {
                None => self.zero(to),
                Some(from) if by.bits == 0 => self.mov(to, a[from]),
                Some(from) => {
                    self.shift_limb(Shift::Shl, to, a[from], by.bits, by.along);
                    if let Some(below) = from.checked_sub(1) {
                        self.cross(Shift::Shr, to, a[below], by);
                    }
                }
            }
        }
    }

    /// From the bottom up; the top limb of `a` is read last, by the limb that only its sign fills.
    fn shift_right(&mut self, op: Shift, dst: [Reg; 4], a: [Reg; 4], limbs: usize, by: &By) {
        for (limb, to) in dst.into_iter().enumerate() {
            match limb + limbs {
                4.. if op == Shift::Sar => self.shift_limb(op, to, a[3], LIMB_BITS - 1, None),
                4.. => self.zero(to),
                from if by.bits == 0 => self.mov(to, a[from]),
                3 => self.shift_limb(op, to, a[3], by.bits, by.along),
                from => {
                    self.shift_limb(Shift::Shr, to, a[from], by.bits, by.along);
                    self.cross(Shift::Shl, to, a[from + 1], by);
                }
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
        let (along, back) = match op {
            WShiftOp::Shl => (ShiftX::Shlx, ShiftX::Shrx),
            WShiftOp::Shr | WShiftOp::Sar => (ShiftX::Shrx, ShiftX::Shlx),
        };
        let x = |op, dst, count| Inst::ShiftX { op, dst, src: Rm::R(dst), count };
        self.mov(inverse, count);
        self.emit(Inst::Unary { op: Unary::Not, rm: Rm::R(inverse) });
        for limb in (1..4).rev() {
            let neighbour = dst[limb - 1];
            if op == WShiftOp::Shl {
                self.mov(cross, neighbour);
                self.emit(Inst::ShiftImm { op: Shift::Shr, dst: cross, amount: 1 });
            } else {
                self.emit(Inst::Lea { dst: cross, src: Mem::indexed(neighbour, neighbour, 0, 0) });
            }
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
