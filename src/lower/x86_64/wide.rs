//! Multiplication to 128 bits, division, and the 256-bit product.

use super::*;
use crate::asm::x86_64::{Adx, Unary};

/// The registers of `WMul`: the multiplier, and two for partial products.
const PRODUCT: [Reg; 3] = [Reg::Rdx, Reg::Rax, Reg::Rcx];

impl Lowerer {
    pub(super) fn mul_wide(&mut self, hi: R, lo: R, a: R, b: R) {
        let (hi, lo, a, b) = (self.r(hi), self.r(lo), self.r(a), self.r(b));
        if !self.features.bmi2 {
            return self.mul_in_rax(Unary::Mul, hi, lo, a, b);
        }
        let (a, b) = if b == Reg::Rdx { (b, a) } else { (a, b) };
        let mulx = Inst::Mulx { hi, lo, src: Rm::R(b) };
        let free = hi == Reg::Rdx || lo == Reg::Rdx;
        if a == Reg::Rdx || free {
            self.mov(Reg::Rdx, a);
            return self.emit(mulx);
        }
        self.emit(Inst::Push(Reg::Rdx));
        self.mov(Reg::Rdx, a);
        self.emit(mulx);
        self.emit(Inst::Pop(Reg::Rdx));
    }

    pub(super) fn mul_wide_signed(&mut self, hi: R, lo: R, a: R, b: R) {
        let (hi, lo, a, b) = (self.r(hi), self.r(lo), self.r(a), self.r(b));
        self.mul_in_rax(Unary::Imul, hi, lo, a, b);
    }

    /// By the instruction that gives both halves; the low one goes nowhere.
    pub(super) fn mul_high(&mut self, signed: bool, dst: R, a: R, b: R) {
        let (dst, a, b) = (self.r(dst), self.r(a), self.r(b));
        let (a, b) = if b == Reg::Rdx { (b, a) } else { (a, b) };
        if !signed && self.features.bmi2 && (a == Reg::Rdx || dst == Reg::Rdx) {
            self.mov(Reg::Rdx, a);
            return self.emit(Inst::Mulx { hi: dst, lo: dst, src: Rm::R(b) });
        }
        let (a, b) = if b == Reg::Rax { (b, a) } else { (a, b) };
        self.keeping_rax_and_rdx(dst, None, |this| {
            this.mov(Reg::Rax, a);
            this.emit(Inst::Unary { op: if signed { Unary::Imul } else { Unary::Mul }, rm: Rm::R(b) });
        });
    }

    /// `hi:lo = a * b` by the instruction that multiplies rax into rdx:rax.
    fn mul_in_rax(&mut self, op: Unary, hi: Reg, lo: Reg, a: Reg, b: Reg) {
        let (a, b) = if b == Reg::Rax { (b, a) } else { (a, b) };
        self.keeping_rax_and_rdx(hi, Some(lo), |this| {
            this.mov(Reg::Rax, a);
            this.emit(Inst::Unary { op, rm: Rm::R(b) });
        });
    }

    pub(super) fn div_rem(&mut self, signed: bool, quot: R, rem: R, a: R, b: R) {
        let (quot, rem, a, b) = (self.r(quot), self.r(rem), self.r(a), self.r(b));
        let in_way = b == Reg::Rax || b == Reg::Rdx;
        self.keeping_rax_and_rdx(rem, Some(quot), |this| {
            if in_way {
                this.emit(Inst::Push(b));
            }
            this.mov(Reg::Rax, a);
            let rm = if in_way { Rm::M(Mem::new(Reg::Rsp, 0)) } else { Rm::R(b) };
            if signed {
                this.emit(Inst::Cqo);
                this.emit(Inst::Unary { op: Unary::Idiv, rm });
            } else {
                this.zero(Reg::Rdx);
                this.emit(Inst::Unary { op: Unary::Div, rm });
            }
            if in_way {
                this.emit(Inst::Lea { dst: Reg::Rsp, src: Mem::new(Reg::Rsp, size_of::<u64>() as i32) });
            }
        });
    }

    pub(super) fn div_wide(&mut self, quot: R, rem: R, hi: R, lo: R, b: R) {
        let (quot, rem, b) = (self.r(quot), self.r(rem), self.r(b));
        let (hi, lo) = (self.r(hi), self.r(lo));
        let in_way = b == Reg::Rax || b == Reg::Rdx;
        self.keeping_rax_and_rdx(rem, Some(quot), |this| {
            if in_way {
                this.emit(Inst::Push(b));
            }
            match (hi, lo) {
                (Reg::Rax, Reg::Rdx) => this.emit(Inst::Xchg { a: Reg::Rax, b: Reg::Rdx }),
                (_, Reg::Rdx) => {
                    this.mov(Reg::Rax, lo);
                    this.mov(Reg::Rdx, hi);
                }
                (_, _) => {
                    this.mov(Reg::Rdx, hi);
                    this.mov(Reg::Rax, lo);
                }
            }
            let rm = if in_way { Rm::M(Mem::new(Reg::Rsp, 0)) } else { Rm::R(b) };
            this.emit(Inst::Unary { op: Unary::Div, rm });
            if in_way {
                this.emit(Inst::Lea { dst: Reg::Rsp, src: Mem::new(Reg::Rsp, size_of::<u64>() as i32) });
            }
        });
    }

    /// Runs `body`, which leaves results in rdx (`high`) and rax (`low`), moves them and restores what is not a destination.
    fn keeping_rax_and_rdx(&mut self, high: Reg, low: Option<Reg>, body: impl FnOnce(&mut Lowerer)) {
        let saved = |r: Reg| r != high && Some(r) != low;
        for r in [Reg::Rax, Reg::Rdx] {
            if saved(r) {
                self.emit(Inst::Push(r));
            }
        }
        body(self);
        match (high, low) {
            (_, None) => self.mov(high, Reg::Rdx),
            (Reg::Rax, Some(Reg::Rdx)) => self.emit(Inst::Xchg { a: Reg::Rax, b: Reg::Rdx }),
            (_, Some(Reg::Rdx)) => {
                self.mov(high, Reg::Rdx);
                self.mov(Reg::Rdx, Reg::Rax);
            }
            (_, Some(low)) => {
                self.mov(low, Reg::Rax);
                self.mov(high, Reg::Rdx);
            }
        }
        for r in [Reg::Rdx, Reg::Rax] {
            if saved(r) {
                self.emit(Inst::Pop(r));
            }
        }
    }

    pub(super) fn word_mul(&mut self, dst: Quad, a: Factor, b: Factor, tmp: [R; 3]) {
        let d = self.quad(dst);
        self.check_product(tmp);
        let is_square = a == b;
        let (a, b) = (self.factor(a), self.factor(b));
        if self.features.bmi2 && is_square {
            return self.square(d, a);
        }
        if self.features.bmi2 {
            self.first_row(d, a[0], b);
            self.second_row(d, a[1], b);
            self.third_row(d, a[2], b);
        } else {
            self.rows_by_mul(d, a, b);
        }
        self.load(Reg::Rdx, a[3]);
        self.add_low_product(d[3], b[0]);
    }

    /// The temporaries of a product are demanded.
    fn check_product(&mut self, tmp: [R; 3]) {
        if tmp.map(|r| self.r(r)) != PRODUCT {
            self.fault = Some(Fault::FixedRegisters);
        }
    }

    /// The limbs of a factor.
    fn factor(&mut self, factor: Factor) -> [Rm; 4] {
        match factor {
            Factor::Q(quad) => self.quad(quad).map(Rm::R),
            Factor::M(base, disp) => {
                let word = Mem::new(self.r(base), disp);
                [0, 1, 2, 3].map(|limb| Rm::M(self.limb_of(word, limb)))
            }
        }
    }

    /// The upper half of a product, row by row, one limb of `a` after the other. A row ends with its lowest column, of which only the carry counts, and whose register
    /// becomes that of the next column: so the registers change places once a row, and begin where they come to be in order at the end.
    pub(super) fn word_mul_high(&mut self, dst: Quad, a: Factor, b: (R, i32), limbs: usize, plus: bool, tmp: [R; 3]) {
        let mut columns = self.quad(dst);
        self.check_product(tmp);
        let (a, b) = (self.factor(a), self.factor(Factor::M(b.0, b.1)));
        let (a, b) = (&a[..limbs], &b[..limbs]);
        for &above in &columns[limbs..] {
            self.zero(above);
        }
        let columns = &mut columns[..limbs];
        let short = self.features.bmi2 && self.features.adx;
        let first = usize::from(short && !plus);
        if first == 1 {
            columns.rotate_left(1);
            self.first_upper_row(columns, a[0], b);
        } else {
            for (&column, &limb) in columns.iter().zip(b) {
                if plus { self.load(column, limb) } else { self.zero(column) }
            }
        }
        for &limb in &a[first..] {
            if short {
                self.upper_row(columns, limb, b)
            } else {
                self.upper_row_by_mul(columns, limb, b)
            }
            columns.rotate_left(1);
        }
    }

    /// `columns = a * b >> 64`
    fn first_upper_row(&mut self, columns: &[Reg], a: Rm, b: &[Rm]) {
        let [multiplier, low, _] = PRODUCT;
        self.load(multiplier, a);
        self.mulx(columns[0], columns[0], b[0]);
        for (i, &limb) in b.iter().enumerate().skip(1) {
            self.mulx(columns[i], low, limb);
            self.op_r(if i == 1 { Alu::Add } else { Alu::Adc }, columns[i - 1], low);
        }
        self.op(Alu::Adc, columns[b.len() - 1], Operand::Imm(0));
    }

    /// `columns += a * b` in two carry chains, what is above them in place of the lowest.
    fn upper_row(&mut self, columns: &[Reg], a: Rm, b: &[Rm]) {
        let [multiplier, low, high] = PRODUCT;
        let (lowest, last) = (columns[0], b.len() - 1);
        let adx = |op, dst, src| Inst::Adx { op, dst, src: Rm::R(src) };
        self.load(multiplier, a);
        self.zero(low); // clears both carries
        for (i, &limb) in b.iter().enumerate() {
            let high = if i == last { lowest } else { high };
            self.mulx(high, low, limb);
            self.emit(adx(Adx::Adcx, columns[i], low));
            if i < last {
                self.emit(adx(Adx::Adox, columns[i + 1], high));
            }
        }
        self.emit(Inst::MovImm { dst: low, value: 0 });
        self.emit(adx(Adx::Adcx, lowest, low));
        self.emit(adx(Adx::Adox, lowest, low));
    }

    /// As [`Lowerer::upper_row`] without `mulx`, each product in rdx:rax.
    fn upper_row_by_mul(&mut self, columns: &[Reg], a: Rm, b: &[Rm]) {
        let [high, low, carry] = PRODUCT;
        for (i, &limb) in b.iter().enumerate() {
            self.load(low, a);
            self.emit(Inst::Unary { op: Unary::Mul, rm: limb });
            if i > 0 {
                self.op_r(Alu::Add, low, carry);
                self.op(Alu::Adc, high, Operand::Imm(0));
            }
            self.op_r(Alu::Add, columns[i], low);
            self.op(Alu::Adc, high, Operand::Imm(0));
            self.mov(if i < b.len() - 1 { carry } else { columns[0] }, high);
        }
    }

    /// `d = a * a`: each product of two different limbs once, all doubled, and the squares of limbs added.
    fn square(&mut self, d: [Reg; 4], a: [Rm; 4]) {
        let [multiplier, low, high] = PRODUCT;
        let imul = |src| Inst::Imul { dst: low, src };
        self.load(multiplier, a[0]);
        self.mulx(d[2], d[1], a[1]);
        self.mulx(d[3], low, a[2]);
        self.op_r(Alu::Add, d[2], low);
        self.op(Alu::Adc, d[3], Operand::Imm(0));
        self.mov(low, multiplier);
        self.emit(imul(a[3]));
        self.op_r(Alu::Add, d[3], low);
        self.load(low, a[1]);
        self.emit(imul(a[2]));
        self.op_r(Alu::Add, d[3], low);
        for (op, limb) in [(Alu::Add, 1), (Alu::Adc, 2), (Alu::Adc, 3)] {
            self.op_r(op, d[limb], d[limb]);
        }
        self.mulx(high, d[0], a[0]);
        self.op_r(Alu::Add, d[1], high);
        self.load(multiplier, a[1]);
        self.mulx(high, low, a[1]);
        self.op_r(Alu::Adc, d[2], low);
        self.op_r(Alu::Adc, d[3], high);
    }

    /// `d += rdx * b` in the top limb.
    fn add_low_product(&mut self, d: Reg, b: Rm) {
        self.emit(Inst::Imul { dst: Reg::Rdx, src: b });
        self.op_r(Alu::Add, d, Reg::Rdx);
    }

    fn mulx(&mut self, hi: Reg, lo: Reg, src: Rm) {
        self.emit(Inst::Mulx { hi, lo, src });
    }

    /// `d = a * b`
    fn first_row(&mut self, d: [Reg; 4], a: Rm, b: [Rm; 4]) {
        let [multiplier, low, _] = PRODUCT;
        self.load(multiplier, a);
        self.mulx(d[1], d[0], b[0]);
        self.mulx(d[2], low, b[1]);
        self.op_r(Alu::Add, d[1], low);
        self.mulx(d[3], low, b[2]);
        self.op_r(Alu::Adc, d[2], low);
        self.op(Alu::Adc, d[3], Operand::Imm(0));
        self.add_low_product(d[3], b[3]);
    }

    /// `d[1..] += a * b`, in two carry chains if the machine has them.
    fn second_row(&mut self, d: [Reg; 4], a: Rm, b: [Rm; 4]) {
        let [multiplier, low, high] = PRODUCT;
        self.load(multiplier, a);
        if self.features.adx {
            let adx = |op, dst, src| Inst::Adx { op, dst, src: Rm::R(src) };
            self.zero(low); // clears both carries
            self.mulx(high, low, b[0]);
            self.emit(adx(Adx::Adcx, d[1], low));
            self.emit(adx(Adx::Adox, d[2], high));
            self.mulx(high, low, b[1]);
            self.emit(adx(Adx::Adcx, d[2], low));
            self.emit(adx(Adx::Adox, d[3], high));
            self.mulx(high, low, b[2]);
            self.emit(adx(Adx::Adcx, d[3], low));
            return;
        }
        self.mulx(high, low, b[0]);
        self.op_r(Alu::Add, d[1], low);
        self.op_r(Alu::Adc, d[2], high);
        self.op(Alu::Adc, d[3], Operand::Imm(0));
        self.mulx(high, low, b[1]);
        self.op_r(Alu::Add, d[2], low);
        self.op_r(Alu::Adc, d[3], high);
        self.add_low_product(d[3], b[2]);
    }

    /// `d[2..] += a * b`
    fn third_row(&mut self, d: [Reg; 4], a: Rm, b: [Rm; 4]) {
        let [multiplier, low, high] = PRODUCT;
        self.load(multiplier, a);
        self.mulx(high, low, b[0]);
        self.op_r(Alu::Add, d[2], low);
        self.op_r(Alu::Adc, d[3], high);
        self.add_low_product(d[3], b[1]);
    }

    /// The first three rows without `mulx`, each product in rdx:rax.
    fn rows_by_mul(&mut self, d: [Reg; 4], a: [Rm; 4], b: [Rm; 4]) {
        let [high, low, carry] = PRODUCT;
        let product = |this: &mut Lowerer, a: Rm, b: Rm| {
            this.load(low, a);
            this.emit(Inst::Unary { op: Unary::Mul, rm: b });
        };
        product(self, a[0], b[0]);
        self.mov(d[0], low);
        self.mov(d[1], high);
        product(self, a[0], b[1]);
        self.op_r(Alu::Add, d[1], low);
        self.op(Alu::Adc, high, Operand::Imm(0));
        self.mov(d[2], high);
        product(self, a[0], b[2]);
        self.op_r(Alu::Add, d[2], low);
        self.op(Alu::Adc, high, Operand::Imm(0));
        self.mov(d[3], high);
        self.load(high, a[0]);
        self.add_low_product(d[3], b[3]);

        product(self, a[1], b[0]);
        self.op_r(Alu::Add, d[1], low);
        self.op(Alu::Adc, high, Operand::Imm(0));
        self.mov(carry, high);
        product(self, a[1], b[1]);
        self.op_r(Alu::Add, low, carry);
        self.op(Alu::Adc, high, Operand::Imm(0));
        self.op_r(Alu::Add, d[2], low);
        self.op_r(Alu::Adc, d[3], high);
        self.load(high, a[1]);
        self.add_low_product(d[3], b[2]);

        product(self, a[2], b[0]);
        self.op_r(Alu::Add, d[2], low);
        self.op_r(Alu::Adc, d[3], high);
        self.load(high, a[2]);
        self.add_low_product(d[3], b[1]);
    }
}
