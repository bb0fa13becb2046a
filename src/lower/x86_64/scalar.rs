//! 64-bit arithmetic, shifts, comparisons, selection.

use super::*;
use crate::asm::x86_64::{Count, Shift, ShiftX, Unary};
use crate::ir::{ShiftOp, UnOp};

impl Lowerer {
    pub(super) fn imm(&mut self, dst: R, value: u64) {
        let dst = self.r(dst);
        self.emit(Inst::MovImm { dst, value });
    }

    pub(super) fn mov_ir(&mut self, dst: R, src: R) {
        let (dst, src) = (self.r(dst), self.r(src));
        self.mov(dst, src);
    }

    pub(super) fn extend_bits(&mut self, width: Width, signed: bool, dst: R, src: R) {
        let (dst, src) = (self.r(dst), self.r(src));
        if width == Width::B64 {
            return self.mov(dst, src);
        }
        self.emit(Inst::Load { size: size(width), signed, dst, src: Rm::R(src) });
    }

    pub(super) fn lea(&mut self, dst: R, mem: ir::Mem) {
        let (dst, mem) = (self.r(dst), self.mem(mem));
        match (mem.index(), mem.disp()) {
            (None, 0) => self.mov(dst, mem.base()),
            (Some(_), _) | (None, _) => self.emit(Inst::Lea { dst, src: mem }),
        }
    }

    /// `dst = dst op b`
    #[inline(always)]
    pub(super) fn alu_in_place(&mut self, op: AluOp, dst: R, b: R) {
        let (dst, b) = (self.r(dst), self.r(b));
        match group(op) {
            Some(alu) => self.op_r(alu, dst, b),
            None => self.emit(Inst::Imul { dst, src: Rm::R(b) }),
        }
    }

    /// `dst = dst op imm`
    #[inline(always)]
    pub(super) fn alu_imm_in_place(&mut self, alu: Alu, dst: R, imm: i32) {
        let dst = self.r(dst);
        self.op_i(alu, dst, imm);
    }

    pub(super) fn alu_ins(&mut self, op: AluOp, flags: bool, dst: R, a: R, b: Src) {
        let (dst, a, b) = (self.r(dst), self.r(a), self.src(b));
        let Some(alu) = group(op) else {
            return self.mul(dst, a, b);
        };
        if alu == Alu::And
            && let Operand::Imm(imm) = b
            && imm >= 0
        {
            return self.mask(flags, dst, a, imm);
        }
        if dst == a {
            return self.op(alu, dst, b);
        }
        match b {
            Operand::Rm(Rm::R(b)) if b == dst => self.reversed(alu, flags, dst, a),
            Operand::Rm(Rm::M(mem)) if mem.bits() & dst.bit() != 0 => {
                // The address needs dst as it is, so the second operand comes first.
                self.load(dst, Rm::M(mem));
                self.reversed(alu, flags, dst, a);
            }
            Operand::Rm(Rm::R(b)) if alu == Alu::Add && !flags => self.sum(dst, a, b),
            Operand::Imm(imm) if alu == Alu::Add && !flags => {
                self.emit(Inst::Lea { dst, src: Mem::new(a, imm) });
            }
            Operand::Imm(imm) if alu == Alu::Sub && !flags && imm != i32::MIN => {
                self.emit(Inst::Lea { dst, src: Mem::new(a, -imm) });
            }
            Operand::Rm(Rm::R(_) | Rm::M(_)) | Operand::Imm(_) => {
                self.mov(dst, a);
                self.op(alu, dst, b);
            }
        }
    }

    /// `dst = a & imm` for a mask without sign: 32-bit forms give the same word and the same flags.
    fn mask(&mut self, flags: bool, dst: Reg, a: Reg, imm: i32) {
        let bytes = match imm {
            0xff => Some(Size::B8),
            0xffff => Some(Size::B16),
            _ => None,
        };
        if let (Some(size), false) = (bytes, flags) {
            return self.emit(Inst::Load { size, signed: false, dst, src: Rm::R(a) });
        }
        if dst != a {
            self.emit(Inst::Load { size: Size::B32, signed: false, dst, src: Rm::R(a) });
        }
        self.emit(Inst::AluImm { op: Alu::And, size: Size::B32, dst: Rm::R(dst), imm });
    }

    /// `dst = a + b` without flags; bases 5 and 13 would cost a displacement.
    fn sum(&mut self, dst: Reg, a: Reg, b: Reg) {
        let (base, index) = if a.number() & 7 == 5 { (b, a) } else { (a, b) };
        self.emit(Inst::Lea { dst, src: Mem::indexed(base, index, 0, 0) });
    }

    /// `dst = a op dst`, `dst` being another register than `a`.
    fn reversed(&mut self, alu: Alu, flags: bool, dst: Reg, a: Reg) {
        let not = Inst::Unary { op: Unary::Not, rm: Rm::R(dst) };
        match alu {
            Alu::Add | Alu::Or | Alu::Adc | Alu::And | Alu::Xor => self.op_r(alu, dst, a),
            Alu::Sub | Alu::Cmp if !flags => {
                self.emit(Inst::Unary { op: Unary::Neg, rm: Rm::R(dst) });
                self.op_r(Alu::Add, dst, a);
            }
            // a - b - borrow = a + !b + !borrow; `not` writes no flags.
            Alu::Sub | Alu::Cmp | Alu::Sbb => {
                self.emit(not);
                self.emit(if alu == Alu::Sbb { Inst::Cmc } else { Inst::Stc });
                self.op_r(Alu::Adc, dst, a);
                self.emit(Inst::Cmc);
            }
        }
    }

    fn mul(&mut self, dst: Reg, a: Reg, b: Operand) {
        match b {
            Operand::Imm(imm) => self.emit(Inst::ImulImm { dst, src: Rm::R(a), imm }),
            Operand::Rm(src) if dst == a => self.emit(Inst::Imul { dst, src }),
            Operand::Rm(Rm::R(b)) if dst == b => self.emit(Inst::Imul { dst, src: Rm::R(a) }),
            Operand::Rm(src) => {
                // A load of the second operand first serves an address that contains dst too.
                self.load(dst, src);
                self.emit(Inst::Imul { dst, src: Rm::R(a) });
            }
        }
    }

    pub(super) fn alu_mem(&mut self, op: AluOp, mem: ir::Mem, src: Src) {
        let (mem, src) = (self.mem(mem), self.src(src));
        let Some(alu) = group(op) else {
            return self.mul_mem(mem, src);
        };
        match src {
            Operand::Rm(Rm::R(src)) => self.emit(Inst::AluStore { op: alu, size: Size::B64, dst: mem, src }),
            Operand::Imm(imm) => self.emit(Inst::AluImm { op: alu, size: Size::B64, dst: Rm::M(mem), imm }),
            Operand::Rm(Rm::M(from)) => {
                let tmp = outside(mem.bits() | from.bits());
                self.emit(Inst::Push(tmp));
                self.load(tmp, Rm::M(from));
                self.emit(Inst::AluStore { op: alu, size: Size::B64, dst: mem, src: tmp });
                self.emit(Inst::Pop(tmp));
            }
        }
    }

    fn mul_mem(&mut self, mem: Mem, src: Operand) {
        let used = match src {
            Operand::Rm(Rm::R(r)) => r.bit(),
            Operand::Rm(Rm::M(from)) => from.bits(),
            Operand::Imm(_) => 0,
        };
        let tmp = outside(mem.bits() | used);
        self.emit(Inst::Push(tmp));
        match src {
            Operand::Rm(src) => {
                self.load(tmp, src);
                self.emit(Inst::Imul { dst: tmp, src: Rm::M(mem) });
            }
            Operand::Imm(imm) => self.emit(Inst::ImulImm { dst: tmp, src: Rm::M(mem), imm }),
        }
        self.store(mem, tmp);
        self.emit(Inst::Pop(tmp));
    }

    pub(super) fn unary(&mut self, op: UnOp, dst: R, src: R) {
        let (dst, src) = (self.r(dst), self.r(src));
        match op {
            UnOp::Not | UnOp::Neg => {
                self.mov(dst, src);
                let op = if op == UnOp::Not { Unary::Not } else { Unary::Neg };
                self.emit(Inst::Unary { op, rm: Rm::R(dst) });
            }
            UnOp::Bswap => {
                self.mov(dst, src);
                self.emit(Inst::Bswap(dst));
            }
            UnOp::Clz if self.features.lzcnt => self.emit(Inst::Count { op: Count::Lzcnt, dst, src: Rm::R(src) }),
            UnOp::Clz => {
                // 63 - n is n ^ 63; 127 ^ 63 is 64.
                self.scan(Count::Bsr, dst, src, 127);
                self.emit(Inst::AluImm { op: Alu::Xor, size: Size::B32, dst: Rm::R(dst), imm: 63 });
            }
            UnOp::Ctz if self.features.bmi1 => self.emit(Inst::Count { op: Count::Tzcnt, dst, src: Rm::R(src) }),
            UnOp::Ctz => self.scan(Count::Bsf, dst, src, 64),
            UnOp::Popcount if self.features.popcnt => {
                self.emit(Inst::Count { op: Count::Popcnt, dst, src: Rm::R(src) });
            }
            UnOp::Popcount => self.count_ones(dst, src),
        }
    }

    /// A bit scan that gives `of_zero` for zero.
    fn scan(&mut self, op: Count, dst: Reg, src: Reg, of_zero: u64) {
        self.emit(Inst::Count { op, dst, src: Rm::R(src) });
        let skip = Inst::MovImm { dst, value: of_zero };
        self.emit(Inst::JccShort { cc: Cc::Ne, rel: skip.encode().len() as i8 });
        self.emit(skip);
    }

    /// Without `popcnt`: clears the lowest bit until none is left.
    fn count_ones(&mut self, dst: Reg, src: Reg) {
        let bits = outside(dst.bit() | src.bit());
        let less = outside(dst.bit() | src.bit() | bits.bit());
        self.emit(Inst::Push(bits));
        self.emit(Inst::Push(less));
        self.mov(bits, src);
        self.zero(dst);
        let body = [
            Inst::AluImm { op: Alu::Add, size: Size::B64, dst: Rm::R(dst), imm: 1 },
            Inst::Lea { dst: less, src: Mem::new(bits, -1) },
            Inst::Alu { op: Alu::And, size: Size::B64, dst: bits, src: Rm::R(less) },
        ];
        let test = Inst::Test { size: Size::B64, a: Rm::R(bits), b: bits };
        let body_len: usize = body.iter().map(|inst| inst.encode().len()).sum();
        let back = Inst::JccShort { cc: Cc::Ne, rel: 0 };
        let round = body_len + test.encode().len() + back.encode().len();
        self.emit(Inst::JmpShort { rel: body_len as i8 });
        for inst in body {
            self.emit(inst);
        }
        self.emit(test);
        self.emit(Inst::JccShort { cc: Cc::Ne, rel: -(round as i8) });
        self.emit(Inst::Pop(less));
        self.emit(Inst::Pop(bits));
    }

    pub(super) fn shift_imm(&mut self, op: ShiftOp, dst: R, a: R, amount: u8) {
        let (dst, a) = (self.r(dst), self.r(a));
        let amount = amount & 63;
        if amount == 0 {
            return self.mov(dst, a);
        }
        if dst != a {
            match op {
                ShiftOp::Shl if amount == 1 => return self.sum(dst, a, a),
                ShiftOp::Ror if self.features.bmi2 => {
                    return self.emit(Inst::Rorx { dst, src: Rm::R(a), amount });
                }
                ShiftOp::Rol if self.features.bmi2 => {
                    return self.emit(Inst::Rorx { dst, src: Rm::R(a), amount: 64 - amount });
                }
                ShiftOp::Shl | ShiftOp::Shr | ShiftOp::Sar | ShiftOp::Ror | ShiftOp::Rol => self.mov(dst, a),
            }
        }
        self.emit(Inst::ShiftImm { op: machine_shift(op), dst, amount });
    }

    pub(super) fn shift(&mut self, op: ShiftOp, dst: R, a: R, amount: R) {
        let (dst, a, count) = (self.r(dst), self.r(a), self.r(amount));
        if self.features.bmi2 {
            let x = match op {
                ShiftOp::Shl => Some(ShiftX::Shlx),
                ShiftOp::Shr => Some(ShiftX::Shrx),
                ShiftOp::Sar => Some(ShiftX::Sarx),
                ShiftOp::Ror | ShiftOp::Rol => None,
            };
            if let Some(op) = x {
                return self.emit(Inst::ShiftX { op, dst, src: Rm::R(a), count });
            }
        }
        let shift = |dst| Inst::ShiftCl { op: machine_shift(op), dst };
        if dst != Reg::Rcx && dst != count {
            self.mov(dst, a);
            self.with_count_in_rcx(count, |this| this.emit(shift(dst)));
        } else {
            let tmp = outside(Reg::Rcx.bit() | dst.bit() | a.bit() | count.bit());
            self.emit(Inst::Push(tmp));
            self.mov(tmp, a);
            self.with_count_in_rcx(count, |this| this.emit(shift(tmp)));
            self.mov(dst, tmp);
            self.emit(Inst::Pop(tmp));
        }
    }

    /// Exchanges `count` and rcx around `body`, which uses neither but cl.
    fn with_count_in_rcx(&mut self, count: Reg, body: impl FnOnce(&mut Lowerer)) {
        if count == Reg::Rcx {
            return body(self);
        }
        self.emit(Inst::Xchg { a: Reg::Rcx, b: count });
        body(self);
        self.emit(Inst::Xchg { a: Reg::Rcx, b: count });
    }

    /// By two shifts and an or, as in `word_shift`, unless it is a rotation.
    pub(super) fn funnel_imm(&mut self, dst: R, hi: R, lo: R, amount: u8, tmp: R) {
        if hi == lo {
            return self.shift_imm(ShiftOp::Rol, dst, hi, amount);
        }
        let (dst, hi, lo, tmp) = (self.r(dst), self.r(hi), self.r(lo), self.r(tmp));
        let amount = amount & 63;
        if amount == 0 {
            return self.mov(dst, hi);
        }
        self.mov(tmp, hi);
        self.emit(Inst::ShiftImm { op: Shift::Shl, dst: tmp, amount });
        self.mov(dst, lo);
        self.emit(Inst::ShiftImm { op: Shift::Shr, dst, amount: 64 - amount });
        self.op_r(Alu::Or, dst, tmp);
    }

    pub(super) fn cmp(&mut self, a: R, b: Src) {
        let (a, b) = (self.r(a), self.src(b));
        match b {
            // The same flags, a byte less.
            Operand::Imm(0) => self.emit(Inst::Test { size: Size::B64, a: Rm::R(a), b: a }),
            Operand::Imm(_) | Operand::Rm(_) => self.op(Alu::Cmp, a, b),
        }
    }

    pub(super) fn cmp_mem(&mut self, width: Width, mem: ir::Mem, b: Src) {
        let (mem, b, size) = (self.mem(mem), self.src(b), size(width));
        match b {
            Operand::Rm(Rm::R(src)) => self.emit(Inst::AluStore { op: Alu::Cmp, size, dst: mem, src }),
            Operand::Imm(imm) => self.emit(Inst::AluImm { op: Alu::Cmp, size, dst: Rm::M(mem), imm }),
            Operand::Rm(Rm::M(from)) => {
                let tmp = outside(mem.bits() | from.bits());
                self.emit(Inst::Push(tmp));
                self.emit(Inst::Load { size, signed: false, dst: tmp, src: Rm::M(from) });
                self.emit(Inst::AluStore { op: Alu::Cmp, size, dst: mem, src: tmp });
                self.emit(Inst::Pop(tmp));
            }
        }
    }

    pub(super) fn test(&mut self, a: R, b: Src) {
        let (a, b) = (self.r(a), self.src(b));
        match b {
            Operand::Rm(Rm::R(b)) => self.emit(Inst::Test { size: Size::B64, a: Rm::R(a), b }),
            Operand::Rm(mem) => self.emit(Inst::Test { size: Size::B64, a: mem, b: a }),
            Operand::Imm(imm) => {
                // A mask whose top bit is clear gives the same flags at every size it fits.
                let size = match imm {
                    0..=0x7f => Size::B8,
                    0x80.. => Size::B32,
                    i32::MIN..0 => Size::B64,
                };
                self.emit(Inst::TestImm { size, a: Rm::R(a), imm });
            }
        }
    }

    pub(super) fn set(&mut self, cond: Cond, dst: R) {
        let dst = self.r(dst);
        // Not zero-extended afterwards: that would make whoever waits for the result wait a cycle longer.
        self.emit(Inst::MovImm { dst, value: 0 });
        self.emit(Inst::Setcc { cc: cc(cond), dst });
    }

    pub(super) fn select(&mut self, cond: Cond, dst: R, a: R, b: R) {
        let (dst, a, b, cc) = (self.r(dst), self.r(a), self.r(b), cc(cond));
        if dst == a {
            return self.emit(Inst::Cmov { cc: cc.inverse(), dst, src: Rm::R(b) });
        }
        self.mov(dst, b);
        self.emit(Inst::Cmov { cc, dst, src: Rm::R(a) });
    }
}

pub(super) fn machine_shift(op: ShiftOp) -> Shift {
    match op {
        ShiftOp::Shl => Shift::Shl,
        ShiftOp::Shr => Shift::Shr,
        ShiftOp::Sar => Shift::Sar,
        ShiftOp::Ror => Shift::Ror,
        ShiftOp::Rol => Shift::Rol,
    }
}
