//! 64-bit arithmetic, shifts, comparisons, selection.

use super::*;
use crate::asm::aarch64::{self as machine, Lanes, Unary, Vec, VecTwo, VectorInst};
use crate::ir::{ShiftOp, UnOp};

/// For what the integer registers can not do.
const V: Vec = Vec(16);

/// A condition of the IR in terms of the machine's.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    If(machine::Cond),
    Either(machine::Cond, machine::Cond),
    Both(machine::Cond, machine::Cond),
}

impl Lowerer {
    pub(super) fn imm_ins(&mut self, dst: R, value: u64) {
        let dst = self.r(dst);
        self.constant(dst, value);
    }

    pub(super) fn mov_ir(&mut self, dst: R, src: R) {
        let (dst, src) = (self.r(dst), self.r(src));
        self.mov(dst, src);
        if dst != src {
            self.copied = Some(Copied { dst, src, end: self.code.len() });
        }
    }

    pub(super) fn alu_ins(&mut self, op: AluOp, flags: bool, dst: R, a: R, b: Src) {
        let (dst, mut a) = (self.r(dst), self.r(a));
        match b {
            Src::I(_) => a = self.original(dst, a, None),
            Src::R(b) => {
                let b = self.r(b);
                a = self.original(dst, a, Some(b));
            }
            Src::M(_) => {} // an address may need the copy
        }
        self.alu(op, flags, dst, a, b, S0);
    }

    pub(super) fn extend_ins(&mut self, width: Width, signed: bool, dst: R, src: R) {
        let (dst, src, size) = (self.r(dst), self.r(src), size(width));
        let src = self.original(dst, src, None);
        match Mask::new(u64::MAX >> (64 - (8 << size.log2()))) {
            None => self.mov(dst, src),
            Some(_) if signed => self.emit(Inst::SignExtend { size, dst, src }),
            Some(imm) => self.emit(Inst::LogicImm { op: Logic::And, dst, a: src, imm }),
        }
    }

    /// `dst = a op b`, with a scratch register that is not `a`.
    fn alu(&mut self, op: AluOp, flags: bool, dst: Reg, a: Reg, b: Src, scratch: Reg) {
        let sum = match (op, flags) {
            (AluOp::Add | AluOp::Adc, false) => Sum::Add,
            (AluOp::Add | AluOp::Adc, true) => Sum::Adds,
            (AluOp::Sub | AluOp::Sbb, false) => Sum::Sub,
            (AluOp::Sub | AluOp::Sbb, true) => Sum::Subs,
            (AluOp::And, _) => return self.bitwise(Logic::And, flags, dst, a, b, scratch),
            (AluOp::Or, _) => return self.bitwise(Logic::Orr, flags, dst, a, b, scratch),
            (AluOp::Xor, _) => return self.bitwise(Logic::Eor, flags, dst, a, b, scratch),
            (AluOp::Mul, _) => {
                let b = self.src(b, scratch);
                return self.emit(Inst::Madd { dst, a, b, c: Reg::ZR });
            }
        };
        match (op, b) {
            (AluOp::Adc | AluOp::Sbb, b) => {
                self.carry_in(op, scratch);
                let b = self.src(b, scratch);
                self.emit(Inst::Carry { op: sum, dst, a, b });
            }
            (_, Src::I(imm)) => self.sum_imm(sum, dst, a, imm.into(), scratch),
            (_, Src::R(_) | Src::M(_)) => {
                let b = self.src(b, scratch);
                self.sum(sum, dst, a, b);
            }
        }
    }

    /// Makes the carry flag what `adc` or `sbc` expects, if an instruction of the other kind left it.
    fn carry_in(&mut self, op: AluOp, scratch: Reg) {
        let wanted = if op == AluOp::Adc { Carry::Sum } else { Carry::Difference };
        let found = self.carries.read();
        match found {
            Carry::Mixed => self.fault = Some(LowerError::Flags { at: self.at }),
            Carry::Sum if wanted == Carry::Difference => {
                // 0 - carry borrows if there was a carry.
                self.cset(machine::Cond::Hs, scratch);
                self.sum(Sum::Subs, Reg::ZR, Reg::ZR, scratch);
            }
            Carry::Difference if wanted == Carry::Sum => {
                // borrow - 1 does not borrow if there was a borrow: the flag is set.
                self.cset(machine::Cond::Lo, scratch);
                self.sum_imm(Sum::Subs, Reg::ZR, scratch, 1, scratch);
            }
            Carry::Sum | Carry::Difference | Carry::None => {}
        }
    }

    fn bitwise(&mut self, op: Logic, flags: bool, dst: Reg, a: Reg, b: Src, scratch: Reg) {
        let op = if op == Logic::And && flags { Logic::Ands } else { op };
        let mask = match b {
            Src::I(imm) => Mask::new(imm as u64),
            Src::R(_) | Src::M(_) => None,
        };
        match (b, mask) {
            (Src::I(-1), _) if op == Logic::Eor => self.logic(Logic::Orn, dst, Reg::ZR, a),
            (_, Some(imm)) => self.emit(Inst::LogicImm { op, dst, a, imm }),
            (b, None) => {
                let b = self.src(b, scratch);
                self.logic(op, dst, a, b);
            }
        }
        if flags && op != Logic::Ands {
            self.logic(Logic::Ands, Reg::ZR, dst, dst);
        }
    }

    pub(super) fn alu_mem(&mut self, op: AluOp, mem: ir::Mem, src: Src) {
        if matches!(op, AluOp::Adc | AluOp::Sbb) {
            self.carry_in(op, S0);
        }
        self.load_mem(S0, mem);
        match op {
            // The carry is right already.
            AluOp::Adc | AluOp::Sbb => {
                let b = self.src(src, S1);
                let op = if op == AluOp::Adc { Sum::Adds } else { Sum::Subs };
                self.emit(Inst::Carry { op, dst: S0, a: S0, b });
            }
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => {
                self.alu(op, true, S0, S0, src, S1);
            }
        }
        let dst = self.place(mem, Size::B64.log2(), S1);
        self.emit(Inst::Store { size: Size::B64, src: S0, dst });
    }

    pub(super) fn unary(&mut self, op: UnOp, dst: R, src: R) {
        let (dst, src) = (self.r(dst), self.r(src));
        let src = self.original(dst, src, None);
        match op {
            UnOp::Not => self.logic(Logic::Orn, dst, Reg::ZR, src),
            UnOp::Neg => self.sum(Sum::Sub, dst, Reg::ZR, src),
            UnOp::Bswap => self.emit(Inst::Unary { op: Unary::Rev, dst, src }),
            UnOp::Clz => self.emit(Inst::Unary { op: Unary::Clz, dst, src }),
            UnOp::Ctz => {
                self.emit(Inst::Unary { op: Unary::Rbit, dst, src });
                self.emit(Inst::Unary { op: Unary::Clz, dst, src: dst });
            }
            UnOp::Popcount => {
                let lanes = Lanes { size: Size::B8, quad: false };
                self.emit(Inst::Vector(VectorInst::FmovTo { size: Size::B64, dst: V, src }));
                self.emit(Inst::Vector(VectorInst::Two { op: VecTwo::Cnt, lanes, dst: V, src: V }));
                self.emit(Inst::Vector(VectorInst::SumBytes { dst: V, src: V }));
                self.emit(Inst::Vector(VectorInst::FmovFrom { dst, src: V }));
            }
        }
    }

    pub(super) fn shift_imm(&mut self, op: ShiftOp, dst: R, a: R, amount: u8) {
        let (dst, a) = (self.r(dst), self.r(a));
        let a = self.original(dst, a, None);
        match amount & 63 {
            0 => self.mov(dst, a),
            amount => {
                let (op, left) = machine_shift(op);
                self.emit(Inst::ShiftImm { op, dst, a, amount: if left { 64 - amount } else { amount } });
            }
        }
    }

    pub(super) fn shift(&mut self, op: ShiftOp, dst: R, a: R, amount: R) {
        let (dst, a, mut b) = (self.r(dst), self.r(a), self.r(amount));
        let a = self.original(dst, a, Some(b));
        let (op, left) = machine_shift(op);
        if left {
            self.sum(Sum::Sub, S0, Reg::ZR, b);
            b = S0;
        }
        self.emit(Inst::Shift { op, dst, a, b });
    }

    pub(super) fn funnel_imm(&mut self, dst: R, hi: R, lo: R, amount: u8) {
        let (dst, high, low) = (self.r(dst), self.r(hi), self.r(lo));
        match amount & 63 {
            0 => self.mov(dst, high),
            amount => self.emit(Inst::Extr { dst, high, low, amount: 64 - amount }),
        }
    }

    pub(super) fn cmp(&mut self, a: R, b: Src) {
        let a = self.r(a);
        self.alu(AluOp::Sub, true, Reg::ZR, a, b, S0);
    }

    pub(super) fn cmp_mem(&mut self, width: Width, mem: ir::Mem, b: Src) {
        let size = size(width);
        self.load_sized(size, S0, mem);
        match size {
            Size::B64 => self.alu(AluOp::Sub, true, Reg::ZR, S0, b, S1),
            Size::B8 | Size::B16 | Size::B32 => {
                // At the top of the register, where the flags of 64 bits are those of the width.
                let amount = 64 - (8 << size.log2());
                self.emit(Inst::ShiftImm { op: Shift::Lsl, dst: S0, a: S0, amount });
                let b = match b {
                    Src::M(mem) => {
                        self.load_sized(size, S1, mem);
                        S1
                    }
                    Src::R(_) | Src::I(_) => self.src(b, S1),
                };
                self.emit(Inst::Sum { op: Sum::Subs, size: Size::B64, dst: Reg::ZR, a: S0, b, amount });
            }
        }
    }

    pub(super) fn test(&mut self, a: R, b: Src) {
        let a = self.r(a);
        self.bitwise(Logic::And, true, Reg::ZR, a, b, S0);
    }

    /// The machine's condition, by who wrote the flags.
    pub(super) fn condition(&mut self, cond: Cond) -> Holds {
        use machine::Cond as C;
        let unsigned = |this: &mut Lowerer, difference: Holds, sum: Holds| match this.carries.read() {
            Carry::Sum => sum,
            Carry::Difference | Carry::None => difference,
            Carry::Mixed => {
                this.fault = Some(LowerError::Flags { at: this.at });
                difference
            }
        };
        match cond {
            Cond::Ult => unsigned(self, Holds::If(C::Lo), Holds::If(C::Hs)),
            Cond::Uge => unsigned(self, Holds::If(C::Hs), Holds::If(C::Lo)),
            Cond::Ule => unsigned(self, Holds::If(C::Ls), Holds::Either(C::Hs, C::Eq)),
            Cond::Ugt => unsigned(self, Holds::If(C::Hi), Holds::Both(C::Lo, C::Ne)),
            Cond::Eq => Holds::If(C::Eq),
            Cond::Ne => Holds::If(C::Ne),
            Cond::Slt => Holds::If(C::Lt),
            Cond::Sle => Holds::If(C::Le),
            Cond::Sgt => Holds::If(C::Gt),
            Cond::Sge => Holds::If(C::Ge),
            Cond::Overflow => Holds::If(C::Vs),
            Cond::NoOverflow => Holds::If(C::Vc),
            Cond::Neg => Holds::If(C::Mi),
            Cond::NotNeg => Holds::If(C::Pl),
        }
    }

    /// `dst = cond ? 1 : 0`
    fn cset(&mut self, cond: machine::Cond, dst: Reg) {
        self.emit(Inst::Csinc { cond: cond.inverse(), dst, a: Reg::ZR, b: Reg::ZR });
    }

    pub(super) fn set(&mut self, cond: Cond, dst: R) {
        let dst = self.r(dst);
        match self.condition(cond) {
            Holds::If(cond) => self.cset(cond, dst),
            Holds::Either(a, b) => {
                self.cset(a, dst);
                self.emit(Inst::Csinc { cond: b.inverse(), dst, a: dst, b: Reg::ZR });
            }
            Holds::Both(a, b) => {
                self.cset(a, dst);
                self.emit(Inst::Csel { cond: b, dst, a: dst, b: Reg::ZR });
            }
        }
    }

    pub(super) fn select(&mut self, cond: Cond, dst: R, a: R, b: R) {
        let (dst, a, b) = (self.r(dst), self.r(a), self.r(b));
        match self.condition(cond) {
            Holds::If(cond) => self.emit(Inst::Csel { cond, dst, a, b }),
            Holds::Either(first, second) => {
                self.emit(Inst::Csel { cond: first, dst: S0, a, b });
                self.emit(Inst::Csel { cond: second, dst, a, b: S0 });
            }
            Holds::Both(first, second) => {
                self.emit(Inst::Csel { cond: first, dst: S0, a, b });
                self.emit(Inst::Csel { cond: second, dst, a: S0, b });
            }
        }
    }
}

/// The machine's shift, and whether it goes the other way, by the opposite amount.
fn machine_shift(op: ShiftOp) -> (Shift, bool) {
    match op {
        ShiftOp::Shl => (Shift::Lsl, false),
        ShiftOp::Shr => (Shift::Lsr, false),
        ShiftOp::Sar => (Shift::Asr, false),
        ShiftOp::Ror => (Shift::Ror, false),
        ShiftOp::Rol => (Shift::Ror, true),
    }
}
