//! Integer lanes, and operations on bits.

use super::vector::{PAIRS_SWAPPED, TMP, needs};
use super::*;
use crate::asm::x86_64::{Coding, VectorInst, VectorOp as Op};
use crate::ir::{Shape, Type, VCond, VOp, VShift, VUnOp};

/// The upper half of each 64-bit lane in both of its halves, for `pshufd`.
const UPPER_TWICE: u8 = 0b11_11_01_01;
/// The order of 16-bit lanes reversed, for `pshuflw` and `pshufhw`.
const REVERSED: u8 = 0b00_01_10_11;

/// One row for each size of lane, of a family of instructions.
#[derive(Clone, Copy)]
pub(super) struct Family {
    b: Op,
    w: Op,
    d: Op,
    q: Op,
}

impl Family {
    pub(super) fn of(self, ty: Type) -> Op {
        match ty {
            Type::I8 => self.b,
            Type::I16 | Type::F16 => self.w,
            Type::I32 | Type::F32 => self.d,
            Type::I64 | Type::F64 => self.q,
        }
    }
}

const ADD: Family = Family { b: Op::Paddb, w: Op::Paddw, d: Op::Paddd, q: Op::Paddq };
const SUB: Family = Family { b: Op::Psubb, w: Op::Psubw, d: Op::Psubd, q: Op::Psubq };
const EQUAL: Family = Family { b: Op::Pcmpeqb, w: Op::Pcmpeqw, d: Op::Pcmpeqd, q: Op::Pcmpeqq };
const GREATER: Family = Family { b: Op::Pcmpgtb, w: Op::Pcmpgtw, d: Op::Pcmpgtd, q: Op::Pcmpgtq };
const MASK: Family = Family { b: Op::Vpcmpb, w: Op::Vpcmpw, d: Op::Vpcmpd, q: Op::Vpcmpq };
const UNSIGNED_MASK: Family = Family { b: Op::Vpcmpub, w: Op::Vpcmpuw, d: Op::Vpcmpud, q: Op::Vpcmpuq };
pub(super) const SPREAD: Family = Family { b: Op::Vpmovm2b, w: Op::Vpmovm2w, d: Op::Vpmovm2d, q: Op::Vpmovm2q };
const MIN: Family = Family { b: Op::Pminsb, w: Op::Pminsw, d: Op::Pminsd, q: Op::Vpminsq };
const MAX: Family = Family { b: Op::Pmaxsb, w: Op::Pmaxsw, d: Op::Pmaxsd, q: Op::Vpmaxsq };
const UMIN: Family = Family { b: Op::Pminub, w: Op::Pminuw, d: Op::Pminud, q: Op::Vpminuq };
const UMAX: Family = Family { b: Op::Pmaxub, w: Op::Pmaxuw, d: Op::Pmaxud, q: Op::Vpmaxuq };
const ABS: Family = Family { b: Op::Pabsb, w: Op::Pabsw, d: Op::Pabsd, q: Op::Vpabsq };
// There are none of bytes: those of 16 bits stand in their place, and are not used.
const LEFT: Family = Family { b: Op::Psllw, w: Op::Psllw, d: Op::Pslld, q: Op::Psllq };
const RIGHT: Family = Family { b: Op::Psrlw, w: Op::Psrlw, d: Op::Psrld, q: Op::Psrlq };
const RIGHT_SIGNED: Family = Family { b: Op::Psraw, w: Op::Psraw, d: Op::Psrad, q: Op::Vpsraq };
const LEFT_EACH: Family = Family { b: Op::Vpsllvw, w: Op::Vpsllvw, d: Op::Vpsllvd, q: Op::Vpsllvq };
const RIGHT_EACH: Family = Family { b: Op::Vpsrlvw, w: Op::Vpsrlvw, d: Op::Vpsrlvd, q: Op::Vpsrlvq };
const RIGHT_SIGNED_EACH: Family = Family { b: Op::Vpsravw, w: Op::Vpsravw, d: Op::Vpsravd, q: Op::Vpsravq };

/// The mask register that comparisons of AVX-512 leave their result in, before it is spread to lanes.
pub(super) const K: u8 = 1;

impl Lowerer {
    pub(super) fn integer_op(&mut self, op: VOp, shape: Shape, dst: u8, a: u8, b: u8) {
        let Some(c) = self.integer_coding(shape.size) else { return };
        let ty = shape.ty;
        match op {
            VOp::Add => self.three(ADD.of(ty), c, dst, a, b),
            VOp::Sub => self.three(SUB.of(ty), c, dst, a, b),
            VOp::Mul => self.integer_mul(c, ty, dst, a, b),
            VOp::And | VOp::Or | VOp::Xor | VOp::AndNot => self.bits(op, c, dst, a, b),
            VOp::Min => self.extreme(c, ty, (MIN, VCond::Lt), dst, a, b),
            VOp::Max => self.extreme(c, ty, (MAX, VCond::Gt), dst, a, b),
            VOp::UMin => self.extreme(c, ty, (UMIN, VCond::Ult), dst, a, b),
            VOp::UMax => self.extreme(c, ty, (UMAX, VCond::Ugt), dst, a, b),
            VOp::Div => self.lacks(needs::NOTHING),
        }
    }

    /// Bitwise operations.
    pub(super) fn bits(&mut self, op: VOp, c: Coding, dst: u8, a: u8, b: u8) {
        let [and, and_not, or, xor] = if c == Coding::Evex512 {
            [Op::Vpandd, Op::Vpandnd, Op::Vpord, Op::Vpxord]
        } else {
            [Op::Pand, Op::Pandn, Op::Por, Op::Pxor]
        };
        match op {
            VOp::And => self.three(and, c, dst, a, b),
            VOp::Or => self.three(or, c, dst, a, b),
            VOp::Xor => self.three(xor, c, dst, a, b),
            // The machine complements its first operand.
            VOp::AndNot => self.three(and_not, c, dst, b, a),
            VOp::Add | VOp::Sub | VOp::Mul | VOp::Div | VOp::Min | VOp::Max | VOp::UMin | VOp::UMax => self.lacks(needs::NOTHING),
        }
    }

    fn integer_mul(&mut self, c: Coding, ty: Type, dst: u8, a: u8, b: u8) {
        let [x, y, _] = TMP;
        match ty {
            Type::I16 => self.three(Op::Pmullw, c, dst, a, b),
            Type::I32 if self.features.sse42 => self.three(Op::Pmulld, c, dst, a, b),
            Type::I64 if c == Coding::Evex512 => self.three(Op::Vpmullq, c, dst, a, b),
            Type::I64 => {
                // low * low + ((high * low + low * high) << 32)
                self.lanes_by(Op::Psrlq, c, x, a, 32);
                self.three(Op::Pmuludq, c, x, x, b);
                self.lanes_by(Op::Psrlq, c, y, b, 32);
                self.three(Op::Pmuludq, c, y, y, a);
                self.three(Op::Paddq, c, x, x, y);
                self.lanes_by(Op::Psllq, c, x, x, 32);
                self.three(Op::Pmuludq, c, y, a, b);
                self.three(Op::Paddq, c, dst, x, y);
            }
            Type::I8 => {
                // The odd bytes, then the even ones, each as the low half of 16 bits.
                self.lanes_by(Op::Psrlw, c, x, a, 8);
                self.lanes_by(Op::Psrlw, c, y, b, 8);
                self.three(Op::Pmullw, c, x, x, y);
                self.lanes_by(Op::Psllw, c, x, x, 8);
                self.three(Op::Pmullw, c, y, a, b);
                self.lanes_by(Op::Psllw, c, y, y, 8);
                self.lanes_by(Op::Psrlw, c, y, y, 8);
                self.bits(VOp::Or, c, dst, x, y);
            }
            Type::I32 | Type::F16 | Type::F32 | Type::F64 => self.lacks(needs::SSE42),
        }
    }

    /// By the instruction, where there is one, or by a comparison.
    fn extreme(&mut self, c: Coding, ty: Type, (family, cond): (Family, VCond), dst: u8, a: u8, b: u8) {
        let op = family.of(ty);
        let baseline = matches!(op, Op::Pminsw | Op::Pmaxsw | Op::Pminub | Op::Pmaxub);
        if baseline || c == Coding::Evex512 || (self.features.sse42 && ty != Type::I64) {
            return self.three(op, c, dst, a, b);
        }
        let [mask, kept, _] = TMP;
        self.integer_compare(c, ty, cond, mask, a, b);
        self.bits(VOp::And, c, kept, a, mask);
        self.bits(VOp::AndNot, c, mask, b, mask);
        self.bits(VOp::Or, c, dst, kept, mask);
    }

    pub(super) fn integer_un(&mut self, op: VUnOp, shape: Shape, dst: u8, src: u8) {
        let Some(c) = self.integer_coding(shape.size) else { return };
        match op {
            VUnOp::Not => self.complement(c, dst, src),
            VUnOp::Neg => {
                self.zeros(c, TMP[0]);
                self.three(SUB.of(shape.ty), c, dst, TMP[0], src);
            }
            VUnOp::Abs => self.integer_abs(c, shape.ty, dst, src),
            VUnOp::ByteSwap => self.byte_swap(c, shape.ty, dst, src),
            VUnOp::Sqrt | VUnOp::Recip | VUnOp::Rsqrt => self.lacks(needs::NOTHING),
        }
    }

    pub(super) fn complement(&mut self, c: Coding, dst: u8, src: u8) {
        self.ones(c, TMP[0]);
        self.bits(VOp::Xor, c, dst, src, TMP[0]);
    }

    fn integer_abs(&mut self, c: Coding, ty: Type, dst: u8, src: u8) {
        if c == Coding::Evex512 || (self.features.sse42 && ty != Type::I64) {
            return self.two(ABS.of(ty), c, dst, src);
        }
        let [sign, flipped, _] = TMP;
        if ty == Type::I64 {
            self.sign_of_64(c, sign, src);
        } else {
            self.zeros(c, sign);
            self.three(GREATER.of(ty), c, sign, sign, src);
        }
        self.bits(VOp::Xor, c, flipped, src, sign);
        self.three(SUB.of(ty), c, dst, flipped, sign);
    }

    /// 64-bit lanes of the sign.
    fn sign_of_64(&mut self, c: Coding, dst: u8, src: u8) {
        self.lanes_by(Op::Psrad, c, dst, src, 31);
        self.two_imm(Op::Pshufd, c, dst, dst, UPPER_TWICE);
    }

    /// Bytes within 16 bits, then those within the lane.
    fn byte_swap(&mut self, c: Coding, ty: Type, dst: u8, src: u8) {
        let [left, right, _] = TMP;
        self.lanes_by(Op::Psllw, c, left, src, 8);
        self.lanes_by(Op::Psrlw, c, right, src, 8);
        self.bits(VOp::Or, c, dst, left, right);
        if ty != Type::I16 {
            let order = if ty == Type::I32 { PAIRS_SWAPPED } else { REVERSED };
            self.two_imm(Op::Pshuflw, c, dst, dst, order);
            self.two_imm(Op::Pshufhw, c, dst, dst, order);
        }
    }

    /// Lanes with the top bit alone.
    pub(super) fn top_bits(&mut self, c: Coding, ty: Type, dst: u8) {
        self.ones(c, dst);
        let bits = if ty == Type::I8 { 16 } else { 8 * ty.bytes() as u8 };
        self.lanes_by(LEFT.of(ty), c, dst, dst, bits - 1);
        if ty == Type::I8 {
            // The least 16-bit number saturates to the least byte.
            self.three(Op::Packsswb, c, dst, dst, dst);
        }
    }

    /// Lanes with all but the top bit; not of bytes.
    pub(super) fn low_bits(&mut self, c: Coding, ty: Type, dst: u8) {
        self.ones(c, dst);
        self.lanes_by(RIGHT.of(ty), c, dst, dst, 1);
    }

    /// `dst` may be the first scratch register, and the operands may not.
    pub(super) fn integer_compare(&mut self, c: Coding, ty: Type, cond: VCond, dst: u8, a: u8, b: u8) {
        let unsigned = matches!(cond, VCond::Ult | VCond::Ule | VCond::Ugt | VCond::Uge);
        if c == Coding::Evex512 {
            let family = if unsigned { UNSIGNED_MASK } else { MASK };
            self.emit_vector(VectorInst::three(family.of(ty), c, K, a, b).imm(predicate(cond)));
            return self.two(SPREAD.of(ty), c, dst, K);
        }
        if ty == Type::I64 && !self.demand(self.features.sse42, needs::SSE42) {
            return;
        }
        let [x, y] = if unsigned {
            let [flipped_b, flipped_a, _] = TMP;
            self.top_bits(c, ty, flipped_b);
            self.bits(VOp::Xor, c, flipped_a, a, flipped_b);
            self.bits(VOp::Xor, c, flipped_b, b, flipped_b);
            [flipped_a, flipped_b]
        } else {
            [a, b]
        };
        match cond {
            VCond::Eq | VCond::Ne => self.three(EQUAL.of(ty), c, dst, x, y),
            VCond::Gt | VCond::Ugt | VCond::Le | VCond::Ule => self.three(GREATER.of(ty), c, dst, x, y),
            VCond::Lt | VCond::Ult | VCond::Ge | VCond::Uge => self.three(GREATER.of(ty), c, dst, y, x),
        }
        if matches!(cond, VCond::Ne | VCond::Le | VCond::Ule | VCond::Ge | VCond::Uge) {
            let all = if dst == TMP[0] { TMP[1] } else { TMP[0] };
            self.ones(c, all);
            self.bits(VOp::Xor, c, dst, dst, all);
        }
    }

    pub(super) fn vector_shift_imm(&mut self, op: VShift, shape: Shape, dst: u8, a: u8, amount: u8) {
        let Some(c) = self.integer_coding(shape.size) else { return };
        let family = match op {
            VShift::Shl => LEFT,
            VShift::Shr => RIGHT,
            VShift::Sar => RIGHT_SIGNED,
        };
        match (shape.ty, op) {
            _ if amount == 0 => self.copy(c, dst, a),
            (Type::I8, _) => self.shift_bytes(c, op, dst, a, amount),
            (Type::I64, VShift::Sar) if c != Coding::Evex512 => {
                let [sign, low, _] = TMP;
                self.sign_of_64(c, sign, a);
                self.lanes_by(Op::Psrlq, c, low, a, amount);
                self.lanes_by(Op::Psllq, c, sign, sign, 64 - amount);
                self.bits(VOp::Or, c, dst, low, sign);
            }
            (_, _) => self.lanes_by(family.of(shape.ty), c, dst, a, amount),
        }
    }

    /// Odd and even bytes by shifts of 16 bits.
    fn shift_bytes(&mut self, c: Coding, op: VShift, dst: u8, a: u8, amount: u8) {
        let [odd, even, _] = TMP;
        match op {
            VShift::Shl => {
                self.lanes_by(Op::Psrlw, c, odd, a, 8);
                self.lanes_by(Op::Psllw, c, odd, odd, 8 + amount);
                self.lanes_by(Op::Psllw, c, even, a, 8 + amount);
            }
            VShift::Shr | VShift::Sar => {
                let right = if op == VShift::Shr { Op::Psrlw } else { Op::Psraw };
                self.lanes_by(right, c, odd, a, 8 + amount);
                self.lanes_by(Op::Psllw, c, odd, odd, 8);
                self.lanes_by(Op::Psllw, c, even, a, 8);
                self.lanes_by(right, c, even, even, amount);
            }
        }
        self.lanes_by(Op::Psrlw, c, even, even, 8);
        self.bits(VOp::Or, c, dst, odd, even);
    }

    pub(super) fn vector_shift(&mut self, op: VShift, shape: Shape, dst: u8, a: u8, amount: u8) {
        let Some(c) = self.integer_coding(shape.size) else { return };
        let family = match op {
            VShift::Shl => LEFT_EACH,
            VShift::Shr => RIGHT_EACH,
            VShift::Sar => RIGHT_SIGNED_EACH,
        };
        let op = family.of(shape.ty);
        if shape.ty == Type::I8 {
            return self.lacks(needs::NOTHING);
        }
        if op.codings().contains(&c) {
            if self.demand(self.features.avx2, needs::AVX2) {
                self.three(op, c, dst, a, amount);
            }
            return;
        }
        // In EVEX alone, or in VEX but not in legacy encodings.
        let evex = match c {
            Coding::Vex256 => Coding::Evex256,
            Coding::Sse | Coding::Vex128 | Coding::Evex128 | Coding::Evex256 | Coding::Evex512 => Coding::Evex128,
        };
        if op.codings().contains(&Coding::Vex128) {
            self.lacks(needs::AVX2);
        } else if self.demand(self.features.avx512, needs::AVX512) {
            self.three(op, evex, dst, a, amount);
        }
    }
}

/// The comparison that an immediate selects: 0 equal, 1 less, 2 less or equal, 4 to 6 their opposites.
fn predicate(cond: VCond) -> u8 {
    match cond {
        VCond::Eq => 0,
        VCond::Lt | VCond::Ult => 1,
        VCond::Le | VCond::Ule => 2,
        VCond::Ne => 4,
        VCond::Ge | VCond::Uge => 5,
        VCond::Gt | VCond::Ugt => 6,
    }
}
