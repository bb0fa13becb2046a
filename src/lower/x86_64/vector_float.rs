//! Floating-point lanes and conversions.
//!
//! F16 is computed in F32 and rounded: for one operation that is what rounding once gives (see `ir::vector_eval`).

use super::vector::{TMP, needs};
use super::vector_integer::{K, SPREAD};
use super::*;
use crate::asm::x86_64::{Coding, VectorInst, VectorOp as Op};
use crate::ir::{Shape, Type, V, VCond, VConvert, VOp, VSize, VUnOp};

/// Round to nearest even, in the immediate of a conversion to F16.
const NEAREST: u8 = 0;
/// Neither operand is a NaN, in the immediate of a comparison.
const ORDERED: u8 = 7;

impl Lowerer {
    pub(super) fn float_op(&mut self, op: VOp, shape: Shape, dst: u8, a: u8, b: u8) {
        let [ps, pd] = match op {
            VOp::Add => [Op::Addps, Op::Addpd],
            VOp::Sub => [Op::Subps, Op::Subpd],
            VOp::Mul => [Op::Mulps, Op::Mulpd],
            VOp::Div => [Op::Divps, Op::Divpd],
            VOp::Min => [Op::Minps, Op::Minpd],
            VOp::Max => [Op::Maxps, Op::Maxpd],
            VOp::And | VOp::Or | VOp::Xor | VOp::AndNot => return self.float_bits(op, shape.size, dst, a, b),
            VOp::UMin | VOp::UMax => return self.lacks(needs::NOTHING),
        };
        match shape.ty {
            Type::F16 => {
                let Some(c) = self.widened_coding(shape.size) else { return };
                let [x, y, _] = TMP;
                self.two(Op::Vcvtph2ps, c, x, a);
                self.two(Op::Vcvtph2ps, c, y, b);
                self.three(ps, c, x, x, y);
                self.two_imm(Op::Vcvtps2ph, c, dst, x, NEAREST);
            }
            Type::F32 | Type::F64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                let Some(c) = self.float_coding(shape.size) else { return };
                self.three(if shape.ty == Type::F64 { pd } else { ps }, c, dst, a, b);
            }
        }
    }

    fn float_bits(&mut self, op: VOp, size: VSize, dst: u8, a: u8, b: u8) {
        let Some(c) = self.float_coding(size) else { return };
        match op {
            _ if c == Coding::Evex512 => self.bits(op, c, dst, a, b),
            VOp::And => self.three(Op::Andps, c, dst, a, b),
            VOp::Or => self.three(Op::Orps, c, dst, a, b),
            VOp::Xor => self.three(Op::Xorps, c, dst, a, b),
            // The machine complements its first operand.
            VOp::AndNot => self.three(Op::Andnps, c, dst, b, a),
            VOp::Add | VOp::Sub | VOp::Mul | VOp::Div | VOp::Min | VOp::Max | VOp::UMin | VOp::UMax => self.lacks(needs::NOTHING),
        }
    }

    /// For the F32 lanes of a vector of F16 lanes.
    fn widened_coding(&mut self, size: VSize) -> Option<Coding> {
        if !self.demand(self.features.f16c, needs::F16C) {
            return None;
        }
        match size {
            VSize::S64 => self.float_coding(VSize::S128),
            VSize::S128 => self.float_coding(VSize::S256),
            VSize::S256 => self.float_coding(VSize::S512),
            VSize::S512 => {
                self.lacks(needs::F16_OF_512);
                None
            }
        }
    }

    pub(super) fn float_un(&mut self, op: VUnOp, shape: Shape, dst: u8, src: u8) {
        match op {
            VUnOp::Not | VUnOp::Neg | VUnOp::Abs => {
                let Some(c) = self.integer_coding(shape.size) else { return };
                let [mask, _, _] = TMP;
                match op {
                    VUnOp::Neg => {
                        self.top_bits(c, shape.ty, mask);
                        self.bits(VOp::Xor, c, dst, src, mask);
                    }
                    VUnOp::Abs => {
                        self.low_bits(c, shape.ty, mask);
                        self.bits(VOp::And, c, dst, src, mask);
                    }
                    VUnOp::Not | VUnOp::Sqrt | VUnOp::Recip | VUnOp::Rsqrt | VUnOp::ByteSwap => self.complement(c, dst, src),
                }
            }
            VUnOp::ByteSwap => self.lacks(needs::NOTHING),
            VUnOp::Sqrt | VUnOp::Recip | VUnOp::Rsqrt => match shape.ty {
                Type::F16 => {
                    let Some(c) = self.widened_coding(shape.size) else { return };
                    let [x, _, _] = TMP;
                    self.two(Op::Vcvtph2ps, c, x, src);
                    self.root_or_estimate(op, c, x, x);
                    self.two_imm(Op::Vcvtps2ph, c, dst, x, NEAREST);
                }
                Type::F64 => self.of_doubles(op, shape.size, dst, src),
                Type::F32 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                    let Some(c) = self.float_coding(shape.size) else { return };
                    self.root_or_estimate(op, c, dst, src);
                }
            },
        }
    }

    /// Of F32.
    fn root_or_estimate(&mut self, op: VUnOp, c: Coding, dst: u8, src: u8) {
        let [recip, rsqrt] = if c == Coding::Evex512 { [Op::Vrcp14ps, Op::Vrsqrt14ps] } else { [Op::Rcpps, Op::Rsqrtps] };
        match op {
            VUnOp::Recip => self.two(recip, c, dst, src),
            VUnOp::Rsqrt => self.two(rsqrt, c, dst, src),
            VUnOp::Sqrt | VUnOp::Not | VUnOp::Neg | VUnOp::Abs | VUnOp::ByteSwap => self.two(Op::Sqrtps, c, dst, src),
        }
    }

    /// Before AVX-512 there are no estimates of F64: what they estimate is computed.
    fn of_doubles(&mut self, op: VUnOp, size: VSize, dst: u8, src: u8) {
        let [one, root, _] = TMP;
        let coding = if op == VUnOp::Sqrt { self.float_coding(size) } else { self.integer_coding(size) };
        let Some(c) = coding else { return };
        match op {
            VUnOp::Recip if c == Coding::Evex512 => self.two(Op::Vrcp14pd, c, dst, src),
            VUnOp::Rsqrt if c == Coding::Evex512 => self.two(Op::Vrsqrt14pd, c, dst, src),
            VUnOp::Recip => {
                self.doubles_of_one(c, one);
                self.three(Op::Divpd, c, dst, one, src);
            }
            VUnOp::Rsqrt => {
                self.two(Op::Sqrtpd, c, root, src);
                self.doubles_of_one(c, one);
                self.three(Op::Divpd, c, dst, one, root);
            }
            VUnOp::Sqrt | VUnOp::Not | VUnOp::Neg | VUnOp::Abs | VUnOp::ByteSwap => self.two(Op::Sqrtpd, c, dst, src),
        }
    }

    /// 1.0 is ten ones above 52 zeros.
    fn doubles_of_one(&mut self, c: Coding, dst: u8) {
        self.ones(c, dst);
        self.lanes_by(Op::Psrlq, c, dst, dst, 54);
        self.lanes_by(Op::Psllq, c, dst, dst, 52);
    }

    pub(super) fn float_compare(&mut self, cond: VCond, shape: Shape, dst: u8, a: u8, b: u8) {
        let (predicate, a, b) = match cond {
            VCond::Eq => (0, a, b),
            VCond::Lt => (1, a, b),
            VCond::Le => (2, a, b),
            VCond::Ne => (4, a, b),
            VCond::Gt => (1, b, a),
            VCond::Ge => (2, b, a),
            VCond::Ult | VCond::Ule | VCond::Ugt | VCond::Uge => return self.lacks(needs::NOTHING),
        };
        if shape.ty != Type::F16 {
            let Some(c) = self.float_coding(shape.size) else { return };
            return self.float_mask(c, shape.ty, predicate, dst, a, b);
        }
        let Some(c) = self.widened_coding(shape.size) else { return };
        let [x, y, _] = TMP;
        self.two(Op::Vcvtph2ps, c, x, a);
        self.two(Op::Vcvtph2ps, c, y, b);
        match c {
            Coding::Evex512 => {
                self.emit_vector(VectorInst::three(Op::VcmppsMask, c, K, x, y).imm(predicate));
                self.two(SPREAD.of(Type::F16), Coding::Evex256, dst, K);
            }
            Coding::Vex256 => {
                self.three_imm(Op::Cmpps, c, x, x, y, predicate);
                self.two_imm(Op::Vextractf128, c, y, x, 1);
                self.three(Op::Packssdw, Coding::Vex128, dst, x, y);
            }
            Coding::Sse | Coding::Vex128 | Coding::Evex128 | Coding::Evex256 => {
                self.three_imm(Op::Cmpps, c, x, x, y, predicate);
                self.three(Op::Packssdw, c, dst, x, x);
            }
        }
    }

    /// Lanes of ones where the comparison that `predicate` selects holds.
    fn float_mask(&mut self, c: Coding, ty: Type, predicate: u8, dst: u8, a: u8, b: u8) {
        let double = ty == Type::F64;
        if c == Coding::Evex512 {
            let op = if double { Op::VcmppdMask } else { Op::VcmppsMask };
            self.emit_vector(VectorInst::three(op, c, K, a, b).imm(predicate));
            return self.two(SPREAD.of(ty), c, dst, K);
        }
        self.three_imm(if double { Op::Cmppd } else { Op::Cmpps }, c, dst, a, b, predicate);
    }

    pub(super) fn fma(&mut self, shape: Shape, dst: V, a: V, b: V, c: V) {
        let [dst, a, b, addend] = [dst, a, b, c].map(|v| self.v(v));
        let Some(c) = self.float_coding(shape.size) else { return };
        if !self.demand(self.features.fma, needs::FMA) {
            return;
        }
        let double = shape.ty == Type::F64;
        let to_addend = if double { Op::Vfmadd231pd } else { Op::Vfmadd231ps };
        let to_factor = if double { Op::Vfmadd213pd } else { Op::Vfmadd213ps };
        if dst == a {
            self.three(to_factor, c, dst, b, addend);
        } else if dst == b {
            self.three(to_factor, c, dst, a, addend);
        } else {
            self.copy(c, dst, addend);
            self.three(to_addend, c, dst, a, b);
        }
    }

    pub(super) fn convert(&mut self, op: VConvert, size: VSize, dst: u8, src: u8) {
        let halves = matches!(op, VConvert::F16ToF32 | VConvert::F32ToF16);
        let words = matches!(op, VConvert::I64ToF64 | VConvert::F64ToI64);
        if (halves && !self.demand(self.features.f16c, needs::F16C)) || (words && !self.demand(self.features.avx512, needs::AVX512))
        {
            return;
        }
        let coding = if op == VConvert::F32ToI32 { self.integer_coding(size) } else { self.float_coding(size) };
        let Some(c) = coding else { return };
        let evex = match c {
            Coding::Evex512 => c,
            Coding::Vex256 => Coding::Evex256,
            Coding::Sse | Coding::Vex128 | Coding::Evex128 | Coding::Evex256 => Coding::Evex128,
        };
        match op {
            VConvert::I32ToF32 => self.two(Op::Cvtdq2ps, c, dst, src),
            VConvert::I64ToF64 => self.two(Op::Vcvtqq2pd, evex, dst, src),
            VConvert::F32ToI32 => self.saturating(Op::Cvttps2dq, c, c, Type::I32, dst, src),
            VConvert::F64ToI64 => self.saturating(Op::Vcvttpd2qq, evex, c, Type::I64, dst, src),
            VConvert::F16ToF32 => self.two(Op::Vcvtph2ps, c, dst, src),
            VConvert::F32ToF16 => self.two_imm(Op::Vcvtps2ph, c, dst, src, NEAREST),
            VConvert::F32ToF64 => self.two(Op::Cvtps2pd, c, dst, src),
            VConvert::F64ToF32 => self.two(Op::Cvtpd2ps, c, dst, src),
        }
    }

    /// The machine gives the least integer for all that does not fit, and for NaN: it becomes the greatest one where the operand's sign is
    /// clear, and zero for NaN.
    fn saturating(&mut self, op: Op, op_coding: Coding, c: Coding, ty: Type, dst: u8, src: u8) {
        let [value, mask, least] = [TMP[0], TMP[1], self.third()];
        self.two(op, op_coding, value, src);
        self.top_bits(c, ty, least);
        self.integer_compare(c, ty, VCond::Eq, least, value, least);
        if ty == Type::I64 {
            self.two_imm(Op::Vpsraq, op_coding, mask, src, 63);
        } else {
            self.lanes_by(Op::Psrad, c, mask, src, 31);
        }
        self.bits(VOp::AndNot, c, mask, least, mask);
        self.bits(VOp::Xor, c, value, value, mask);
        self.float_mask(c, if ty == Type::I64 { Type::F64 } else { Type::F32 }, ORDERED, mask, src, src);
        self.bits(VOp::And, c, dst, value, mask);
    }
}
