//! Arithmetic, comparisons, shifts and conversions of lanes. Each function works on one register of 64 or 128 bits; the destination may be any
//! of the sources.

use super::vector::TMP;
use super::*;
use crate::asm::aarch64::{Lanes, Vec, VecShift, VecThree, VecTwo, VectorInst};
use crate::ir::{Type, V, VCond, VConvert, VOp, VShift, VSize, VUnOp};

impl Lowerer {
    fn two(&mut self, op: VecTwo, lanes: Lanes, dst: Vec, src: Vec) {
        self.emit_vector(VectorInst::Two { op, lanes, dst, src });
    }

    fn by(&mut self, op: VecShift, lanes: Lanes, dst: Vec, src: Vec, amount: u8) {
        self.emit_vector(VectorInst::Shift { op, lanes, dst, src, amount });
    }

    pub(super) fn vector_op(&mut self, op: VOp, ty: Type, lanes: Lanes, dst: Vec, a: Vec, b: Vec) {
        let pick = |float, integer| if ty.is_float() { float } else { integer };
        // There are no least and greatest of 64 bits, and those of floating point have other ideas of NaN and zero.
        let by_comparison = ty.is_float() || lanes.size == Size::B64;
        let [min, max, unsigned_min, unsigned_max] = [VecThree::Smin, VecThree::Smax, VecThree::Umin, VecThree::Umax];
        let three = match op {
            VOp::Add => pick(VecThree::Fadd, VecThree::Add),
            VOp::Sub => pick(VecThree::Fsub, VecThree::Sub),
            VOp::Mul if !ty.is_float() && lanes.size == Size::B64 => return self.mul_of_64(lanes, dst, a, b),
            VOp::Mul => pick(VecThree::Fmul, VecThree::Mul),
            VOp::Div => VecThree::Fdiv,
            VOp::And => VecThree::And,
            VOp::Or => VecThree::Orr,
            VOp::Xor => VecThree::Eor,
            VOp::AndNot => VecThree::Bic,
            VOp::Min if by_comparison => return self.choose(pick(VecThree::Fcmgt, VecThree::Cmgt), lanes, dst, [b, a], [a, b]),
            VOp::Max if by_comparison => return self.choose(pick(VecThree::Fcmgt, VecThree::Cmgt), lanes, dst, [a, b], [a, b]),
            VOp::UMin if by_comparison => return self.choose(VecThree::Cmhi, lanes, dst, [b, a], [a, b]),
            VOp::UMax if by_comparison => return self.choose(VecThree::Cmhi, lanes, dst, [a, b], [a, b]),
            VOp::Min => min,
            VOp::Max => max,
            VOp::UMin => unsigned_min,
            VOp::UMax => unsigned_max,
        };
        self.three(three, lanes, dst, a, b);
    }

    /// `dst = x cond y ? a : b`
    fn choose(&mut self, cond: VecThree, lanes: Lanes, dst: Vec, [x, y]: [Vec; 2], [a, b]: [Vec; 2]) {
        let mask = if dst == a || dst == b { TMP[0] } else { dst };
        self.three(cond, lanes, mask, x, y);
        self.three(VecThree::Bsl, lanes, mask, a, b);
        self.copy(lanes.quad, dst, mask);
    }

    /// low * low + ((low * high + high * low) << 32)
    fn mul_of_64(&mut self, lanes: Lanes, dst: Vec, a: Vec, b: Vec) {
        let [sum, x, y, _] = TMP;
        let words = Lanes { size: Size::B32, quad: true };
        self.two(VecTwo::Rev64, words, sum, b);
        self.three(VecThree::Mul, words, sum, sum, a);
        self.emit_vector(VectorInst::Uaddlp { dst: sum, src: sum });
        self.by(VecShift::Shl, lanes, sum, sum, 32);
        self.emit_vector(VectorInst::Xtn { dst: x, src: a });
        self.emit_vector(VectorInst::Xtn { dst: y, src: b });
        self.emit_vector(VectorInst::Umlal { dst: sum, a: x, b: y });
        self.copy(lanes.quad, dst, sum);
    }

    pub(super) fn vector_un(&mut self, op: VUnOp, ty: Type, lanes: Lanes, dst: Vec, src: Vec) {
        let two = match op {
            VUnOp::Not => VecTwo::Mvn,
            VUnOp::Neg | VUnOp::Abs if ty == Type::F16 => {
                // Bits, which need no arithmetic of the machine's.
                let bits = if op == VUnOp::Neg { VecThree::Eor } else { VecThree::Bic };
                self.emit_vector(VectorInst::Movi { lanes, dst: TMP[0], imm: 0x80, at_top: true });
                return self.three(bits, lanes, dst, src, TMP[0]);
            }
            VUnOp::Neg => {
                if ty.is_float() {
                    VecTwo::Fneg
                } else {
                    VecTwo::Neg
                }
            }
            VUnOp::Abs => {
                if ty.is_float() {
                    VecTwo::Fabs
                } else {
                    VecTwo::Abs
                }
            }
            VUnOp::Sqrt => VecTwo::Fsqrt,
            VUnOp::Recip => VecTwo::Frecpe,
            VUnOp::Rsqrt => VecTwo::Frsqrte,
            VUnOp::ByteSwap => {
                let within = match lanes.size {
                    Size::B8 | Size::B16 => VecTwo::Rev16,
                    Size::B32 => VecTwo::Rev32,
                    Size::B64 => VecTwo::Rev64,
                };
                return self.two(within, lanes.bytes(), dst, src);
            }
        };
        self.two(two, lanes, dst, src);
    }

    pub(super) fn vector_compare(&mut self, cond: VCond, float: bool, lanes: Lanes, dst: Vec, a: Vec, b: Vec) {
        let pick = |of_float, of_integer| if float { of_float } else { of_integer };
        let [equal, greater, least] =
            [pick(VecThree::Fcmeq, VecThree::Cmeq), pick(VecThree::Fcmgt, VecThree::Cmgt), pick(VecThree::Fcmge, VecThree::Cmge)];
        match cond {
            VCond::Eq | VCond::Ne => self.three(equal, lanes, dst, a, b),
            VCond::Gt => self.three(greater, lanes, dst, a, b),
            VCond::Ge => self.three(least, lanes, dst, a, b),
            VCond::Lt => self.three(greater, lanes, dst, b, a),
            VCond::Le => self.three(least, lanes, dst, b, a),
            VCond::Ugt => self.three(VecThree::Cmhi, lanes, dst, a, b),
            VCond::Uge => self.three(VecThree::Cmhs, lanes, dst, a, b),
            VCond::Ult => self.three(VecThree::Cmhi, lanes, dst, b, a),
            VCond::Ule => self.three(VecThree::Cmhs, lanes, dst, b, a),
        }
        if cond == VCond::Ne {
            self.two(VecTwo::Mvn, lanes, dst, dst);
        }
    }

    pub(super) fn vector_shift_imm(&mut self, op: VShift, lanes: Lanes, dst: Vec, a: Vec, amount: u8) {
        match (op, amount) {
            (_, 0) => self.copy(lanes.quad, dst, a),
            (VShift::Shl, _) => self.by(VecShift::Shl, lanes, dst, a, amount),
            (VShift::Shr, _) => self.by(VecShift::Ushr, lanes, dst, a, amount),
            (VShift::Sar, _) => self.by(VecShift::Sshr, lanes, dst, a, amount),
        }
    }

    /// The machine looks at the low byte of each amount, a signed number: negative is to the right. So amounts are limited to the bits of a lane,
    /// where nothing is left.
    pub(super) fn vector_shift(&mut self, op: VShift, lanes: Lanes, dst: Vec, a: Vec, amount: Vec) {
        let [limited, bits, ..] = TMP;
        let count = 8 << lanes.size.log2();
        if lanes.size == Size::B64 {
            self.emit_vector(VectorInst::Movi { lanes: lanes.bytes(), dst: bits, imm: count, at_top: false });
            self.by(VecShift::Ushr, lanes, bits, bits, 64 - 8);
            self.choose(VecThree::Cmhi, lanes, limited, [bits, amount], [amount, bits]);
        } else {
            self.emit_vector(VectorInst::Movi { lanes, dst: bits, imm: count, at_top: false });
            self.three(VecThree::Umin, lanes, limited, amount, bits);
        }
        if op != VShift::Shl {
            self.two(VecTwo::Neg, lanes, limited, limited);
        }
        self.three(if op == VShift::Sar { VecThree::Sshl } else { VecThree::Ushl }, lanes, dst, a, limited);
    }

    /// `dst = a * b + c`
    pub(super) fn fma(&mut self, lanes: Lanes, dst: Vec, [a, b]: [Vec; 2], c: Vec) {
        let sum = if dst != c && (dst == a || dst == b) { TMP[0] } else { dst };
        self.copy(lanes.quad, sum, c);
        self.three(VecThree::Fmla, lanes, sum, a, b);
        self.copy(lanes.quad, dst, sum);
    }

    pub(super) fn convert(&mut self, op: VConvert, size: VSize, dst: V, src: V) {
        let (dst, src) = (self.v(dst), self.v(src));
        let both = size == VSize::S256;
        let quad = size != VSize::S64;
        let [words, doubles] = [Lanes { size: Size::B32, quad }, Lanes { size: Size::B64, quad: true }];
        match op {
            VConvert::I32ToF32 => self.convert_same(VecTwo::Scvtf, words, both, dst, src),
            VConvert::F32ToI32 => self.convert_same(VecTwo::Fcvtzs, words, both, dst, src),
            VConvert::I64ToF64 => self.convert_same(VecTwo::Scvtf, doubles, both, dst, src),
            VConvert::F64ToI64 => self.convert_same(VecTwo::Fcvtzs, doubles, both, dst, src),
            VConvert::F16ToF32 => self.widen(Size::B32, both, dst, src),
            VConvert::F32ToF64 => self.widen(Size::B64, both, dst, src),
            VConvert::F32ToF16 => self.narrow(Size::B32, both, dst, src),
            VConvert::F64ToF32 => self.narrow(Size::B64, both, dst, src),
        }
    }

    fn convert_same(&mut self, op: VecTwo, lanes: Lanes, both: bool, dst: [Vec; 2], src: [Vec; 2]) {
        self.two(op, lanes, dst[0], src[0]);
        if both {
            self.two(op, lanes, dst[1], src[1]);
        }
    }

    /// To lanes of `size`. The upper half first: the lower one may be the source.
    fn widen(&mut self, size: Size, both: bool, dst: [Vec; 2], src: [Vec; 2]) {
        if both {
            self.emit_vector(VectorInst::Fcvtl { size, upper: true, dst: dst[1], src: src[0] });
        }
        self.emit_vector(VectorInst::Fcvtl { size, upper: false, dst: dst[0], src: src[0] });
    }

    /// From lanes of `size`.
    fn narrow(&mut self, size: Size, both: bool, dst: [Vec; 2], src: [Vec; 2]) {
        self.emit_vector(VectorInst::Fcvtn { size, upper: false, dst: dst[0], src: src[0] });
        if both {
            self.emit_vector(VectorInst::Fcvtn { size, upper: true, dst: dst[0], src: src[1] });
        }
    }
}
