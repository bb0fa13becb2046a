//! Multiplication to 128 bits, division, and the 256-bit product.

use super::*;
use crate::asm::aarch64::{Binary, Cond as MachineCond};

impl Lowerer {
    fn binary(&mut self, op: Binary, dst: Reg, a: Reg, b: Reg) {
        self.emit(Inst::Binary { op, dst, a, b });
    }

    /// `dst = c + a * b`
    fn madd(&mut self, dst: Reg, a: Reg, b: Reg, c: Reg) {
        self.emit(Inst::Madd { dst, a, b, c });
    }

    fn mul(&mut self, dst: Reg, a: Reg, b: Reg) {
        self.madd(dst, a, b, Reg::ZR);
    }

    pub(super) fn mul_wide(&mut self, signed: bool, hi: R, lo: R, a: R, b: R) {
        let (hi, lo, a, b) = (self.r(hi), self.r(lo), self.r(a), self.r(b));
        let high = if signed { Binary::Smulh } else { Binary::Umulh };
        if hi != a && hi != b {
            self.binary(high, hi, a, b);
            self.mul(lo, a, b);
        } else if lo != a && lo != b {
            self.mul(lo, a, b);
            self.binary(high, hi, a, b);
        } else {
            self.binary(high, S0, a, b);
            self.mul(lo, a, b);
            self.mov(hi, S0);
        }
    }

    pub(super) fn div_rem(&mut self, signed: bool, quot: R, rem: R, a: R, b: R) {
        let (quot, rem, a, b) = (self.r(quot), self.r(rem), self.r(a), self.r(b));
        let op = if signed { Binary::Sdiv } else { Binary::Udiv };
        let q = if quot == a || quot == b { S0 } else { quot };
        self.binary(op, q, a, b);
        self.emit(Inst::Msub { dst: rem, a: q, b, c: a });
        self.mov(quot, q);
    }

    pub(super) fn mul_high(&mut self, signed: bool, dst: R, a: R, b: R) {
        let (dst, a, b) = (self.r(dst), self.r(a), self.r(b));
        self.binary(if signed { Binary::Smulh } else { Binary::Umulh }, dst, a, b);
    }

    /// There is no such division: bit by bit, shifting the dividend left and the quotient in behind it (Knuth, TAOCP 4.3.1, in base 2).
    pub(super) fn div_wide(&mut self, quot: R, rem: R, hi: R, lo: R, b: R) {
        let (quot, rem, hi, lo, b) = (self.r(quot), self.r(rem), self.r(hi), self.r(lo), self.r(b));
        let (high, low) = (S0, S1);
        // Until the end, one of the destinations is free to count.
        let count = if quot == b { rem } else { quot };
        self.mov(high, hi);
        self.mov(low, lo);
        self.imm(count, 64);
        let one = Imm12::low(1);
        let sum_imm = |op, dst| Inst::SumImm { op, size: Size::B64, dst, a: dst, imm: one };
        let start = self.code.len();
        self.sum(Sum::Adds, low, low, low);
        self.emit(Inst::Carry { op: Sum::Adds, dst: high, a: high, b: high });
        // A bit that left the register makes the rest larger than any divisor.
        self.emit(Inst::BCond { cond: MachineCond::Hs, distance: 12 });
        self.sum(Sum::Subs, Reg::ZR, high, b);
        self.emit(Inst::BCond { cond: MachineCond::Lo, distance: 12 });
        self.sum(Sum::Sub, high, high, b);
        self.emit(sum_imm(Sum::Add, low));
        self.emit(sum_imm(Sum::Subs, count));
        let distance = start as i32 - self.code.len() as i32;
        self.emit(Inst::BCond { cond: MachineCond::Ne, distance });
        self.mov(quot, low);
        self.mov(rem, high);
    }

    /// Two limbs of a factor from `limb` on, in registers of its own or loaded into those that are given.
    fn factor_limbs(&mut self, [x, y]: [Reg; 2], from: Factor, limb: usize) -> [Reg; 2] {
        match from {
            Factor::Q(quad) => {
                let quad = self.quad(quad);
                [quad[limb], quad[limb + 1]]
            }
            Factor::M(base, disp) => {
                let from = self.word_place(base, disp);
                self.load_limbs(x, y, from, limb);
                [x, y]
            }
        }
    }

    /// Row by row, one limb of `a` after the other, without the columns beyond 256 bits. The limbs of `b` that are in memory stay in the temporaries; the last
    /// of them has only one product and waits for it in the top limb of the result. A product that is the last of its column needs no
    /// carry and is added as it is made.
    pub(super) fn word_mul(&mut self, dst: Quad, a: Factor, b: Factor, tmp: [R; 3]) {
        let (d, [t0, t1, y]) = (self.quad(dst), tmp.map(|r| self.r(r)));
        let (zero, x) = (Reg::ZR, S0);
        let [a0, a1] = self.factor_limbs([S0, S1], a, 0);
        let [b0, b1] = self.factor_limbs([t0, t1], b, 0);
        let [b2, b3] = self.factor_limbs([y, d[3]], b, 2);

        self.mul(d[3], a0, b3);
        self.mul(d[1], a0, b1);
        self.binary(Binary::Umulh, d[2], a0, b1);
        self.binary(Binary::Umulh, d[0], a0, b0);
        self.sum(Sum::Adds, d[1], d[1], d[0]);
        self.mul(d[0], a0, b2);
        self.emit(Inst::Carry { op: Sum::Adds, dst: d[2], a: d[2], b: d[0] });
        self.binary(Binary::Umulh, d[0], a0, b2);
        self.emit(Inst::Carry { op: Sum::Add, dst: d[3], a: d[3], b: d[0] });
        self.mul(d[0], a0, b0);

        self.madd(d[3], a1, b2, d[3]);
        self.mul(x, a1, b0);
        self.mul(y, a1, b1);
        self.sum(Sum::Adds, d[1], d[1], x);
        self.emit(Inst::Carry { op: Sum::Adds, dst: d[2], a: d[2], b: y });
        self.binary(Binary::Umulh, x, a1, b1);
        self.emit(Inst::Carry { op: Sum::Add, dst: d[3], a: d[3], b: x });
        self.binary(Binary::Umulh, x, a1, b0);
        self.sum(Sum::Adds, d[2], d[2], x);
        self.emit(Inst::Carry { op: Sum::Add, dst: d[3], a: d[3], b: zero });

        let [a2, a3] = self.factor_limbs([S0, S1], a, 2);
        self.madd(d[3], a2, b1, d[3]);
        self.mul(y, a2, b0);
        self.sum(Sum::Adds, d[2], d[2], y);
        self.binary(Binary::Umulh, y, a2, b0);
        self.emit(Inst::Carry { op: Sum::Add, dst: d[3], a: d[3], b: y });
        self.madd(d[3], a3, b0, d[3]);
    }

    /// The upper half of a product, row by row, one limb of `a` after the other: first the low halves of its products, then the high ones. A row ends with its lowest
    /// column, of which only the carry counts, and whose register becomes that of the next column: so the registers change places once a row, and begin
    /// where they come to be in order at the end. Three limbs of `b` stay in the temporaries.
    pub(super) fn word_mul_high(&mut self, dst: Quad, a: Factor, b: (R, i32), limbs: usize, plus: bool, tmp: [R; 3]) {
        let (mut columns, kept) = (self.quad(dst), tmp.map(|r| self.r(r)));
        let b = self.word_place(b.0, b.1);
        self.load_limbs(kept[0], kept[1], b, 0);
        if limbs > 2 {
            self.load_limb(kept[2], b, 2);
        }
        for &above in &columns[limbs..] {
            self.imm(above, 0);
        }
        let columns = &mut columns[..limbs];
        if plus {
            for (i, &column) in columns.iter().enumerate() {
                match kept.get(i) {
                    Some(&limb) => self.mov(column, limb),
                    None => self.load_limb(column, b, i),
                }
            }
        } else {
            columns.rotate_left(1);
        }
        let product = S1;
        for row in 0..limbs {
            let limb = match a {
                Factor::Q(quad) => self.quad(quad)[row],
                Factor::M(base, disp) => {
                    let from = self.word_place(base, disp);
                    self.load_limb(S0, from, row);
                    S0
                }
            };
            let multiply = |this: &mut Lowerer, high: bool, i: usize, dst: Reg| {
                let factor = kept.get(i).copied().unwrap_or_else(|| {
                    this.load_limb(dst, b, i);
                    dst
                });
                if high { this.binary(Binary::Umulh, dst, limb, factor) } else { this.mul(dst, limb, factor) }
            };
            if row == 0 && !plus {
                for (i, &column) in columns.iter().enumerate() {
                    multiply(self, true, i, column);
                }
                for i in 1..limbs {
                    multiply(self, false, i, product);
                    self.add_to(i > 1, columns[i - 1], product);
                }
                let last = columns[limbs - 1];
                self.emit(Inst::Carry { op: Sum::Add, dst: last, a: last, b: Reg::ZR });
                continue;
            }
            for (i, &column) in columns.iter().enumerate() {
                multiply(self, false, i, product);
                self.add_to(i > 0, column, product);
            }
            let lowest = columns[0];
            self.emit(Inst::Carry { op: Sum::Add, dst: lowest, a: Reg::ZR, b: Reg::ZR });
            for (i, &column) in columns.iter().enumerate().skip(1) {
                multiply(self, true, i - 1, product);
                self.add_to(i > 1, column, product);
            }
            multiply(self, true, limbs - 1, product);
            self.emit(Inst::Carry { op: Sum::Add, dst: lowest, a: lowest, b: product });
            columns.rotate_left(1);
        }
    }

    /// `dst += src`, with the carry if there is one so far, leaving one.
    fn add_to(&mut self, carrying: bool, dst: Reg, src: Reg) {
        if carrying {
            self.emit(Inst::Carry { op: Sum::Adds, dst, a: dst, b: src });
        } else {
            self.sum(Sum::Adds, dst, dst, src);
        }
    }
}
