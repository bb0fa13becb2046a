//! Vectors: registers, moves, lanes. `vector_arithmetic` has the rest.
//!
//! `V(0)`..`V(9)` are v0..v7, v20 and v21; what is above 128 bits of them is in v22..v31, in the same order, so that an instruction on 256
//! bits is two on 128. v16 to v19 are scratch.

use super::*;
use crate::asm::aarch64::{Lanes, PairAddr, Vec, VecThree, VectorInst};
use crate::ir::{Shape, Type, V, VOp, VSize, VUnOp, VectorIns};

/// How many vector registers the IR has on this target.
pub const VECTORS: u8 = 10;

/// Scratch.
pub(super) const TMP: [Vec; 4] = [Vec(16), Vec(17), Vec(18), Vec(19)];

/// What is missing, as errors say it.
mod needs {
    pub const FP16: &str = "FP16 (half-precision arithmetic)";
    pub const WIDE: &str = "512 bits, which Advanced SIMD does not have";
    pub const SOUND: &str = "types and lanes that it takes";
}

const LOG2_Q: u32 = 4;
const Q_BYTES: i64 = 1 << LOG2_Q;

impl Lowerer {
    pub(super) fn vector(&mut self, ins: VectorIns) {
        match self.lacks(ins) {
            Some(needs) => self.fault = Some(LowerError::Unsupported { at: self.at, ins: Ins::Vector(ins), needs }),
            None => self.supported(ins),
        }
    }

    /// What the machine would need for an instruction, if it does not have it.
    fn lacks(&self, ins: VectorIns) -> Option<&'static str> {
        let mut bytes = 0;
        ins.vectors(|_, _, touched| bytes = bytes.max(touched));
        let computed = match ins {
            VectorIns::Op { op: VOp::And | VOp::Or | VOp::Xor | VOp::AndNot, .. } => None,
            VectorIns::Un { op: VUnOp::Not | VUnOp::Neg | VUnOp::Abs, .. } => None,
            VectorIns::Op { shape, .. } | VectorIns::Un { shape, .. } | VectorIns::Compare { shape, .. } => Some(shape.ty),
            VectorIns::Mov { .. } | VectorIns::Load { .. } | VectorIns::Store { .. } | VectorIns::FromR { .. } => None,
            VectorIns::Extract { .. } | VectorIns::Insert { .. } | VectorIns::Splat { .. } | VectorIns::SplatLane { .. } => None,
            VectorIns::ShiftImm { .. } | VectorIns::Shift { .. } | VectorIns::Fma { .. } => None,
            VectorIns::Convert { .. } | VectorIns::Sum { .. } => None,
        };
        if !ins.is_sound() {
            Some(needs::SOUND)
        } else if bytes > VSize::S256.bytes() {
            Some(needs::WIDE)
        } else if computed == Some(Type::F16) && !self.features.fp16 {
            Some(needs::FP16)
        } else {
            None
        }
    }

    fn supported(&mut self, ins: VectorIns) {
        match ins {
            VectorIns::Mov { size, dst, src } => {
                self.each(Shape { ty: Type::I8, size }, [dst, src], |this, lanes, [dst, src]| this.copy(lanes.quad, dst, src));
            }
            VectorIns::Load { size, dst, mem } => self.load_vector(size, dst, mem),
            VectorIns::Store { size, src, mem } => self.store_vector(size, src, mem),
            VectorIns::FromR { ty, dst, src } => {
                let ([dst, _], src) = (self.v(dst), self.r(src));
                self.emit_vector(VectorInst::FmovTo { size: lane_size(ty), dst, src });
            }
            VectorIns::Extract { ty, lane, dst, src } => {
                let (dst, [src, _]) = (self.r(dst), self.v(src));
                self.emit_vector(VectorInst::Extract { size: lane_size(ty), lane, dst, src });
            }
            VectorIns::Insert { ty, lane, dst, src } => {
                let ([dst, _], src) = (self.v(dst), self.r(src));
                self.emit_vector(VectorInst::Insert { size: lane_size(ty), lane, dst, src });
            }
            VectorIns::Splat { shape, dst, src } => {
                let src = self.r(src);
                self.each(shape, [dst], |this, lanes, [dst]| this.emit_vector(VectorInst::Dup { lanes, dst, src }));
            }
            VectorIns::SplatLane { shape, dst, src } => {
                // The upper half first: the lower one may be the source.
                let (dst, [src, _]) = (self.v(dst), self.v(src));
                for half in (0..halves(shape.size)).rev() {
                    self.emit_vector(VectorInst::DupLane { lanes: lanes(shape), dst: dst[half], src });
                }
            }
            VectorIns::Op { op, shape, dst, a, b } => {
                self.each(shape, [dst, a, b], |this, lanes, [dst, a, b]| this.vector_op(op, shape.ty, lanes, dst, a, b));
            }
            VectorIns::Un { op, shape, dst, src } => {
                self.each(shape, [dst, src], |this, lanes, [dst, src]| this.vector_un(op, shape.ty, lanes, dst, src));
            }
            VectorIns::Compare { cond, shape, dst, a, b } => {
                let float = shape.ty.is_float();
                self.each(shape, [dst, a, b], |this, lanes, [dst, a, b]| this.vector_compare(cond, float, lanes, dst, a, b));
            }
            VectorIns::ShiftImm { op, shape, dst, a, amount } => {
                self.each(shape, [dst, a], |this, lanes, [dst, a]| this.vector_shift_imm(op, lanes, dst, a, amount));
            }
            VectorIns::Shift { op, shape, dst, a, amount } => {
                self.each(shape, [dst, a, amount], |this, lanes, [dst, a, amount]| this.vector_shift(op, lanes, dst, a, amount));
            }
            VectorIns::Fma { shape, dst, a, b, c } => {
                self.each(shape, [dst, a, b, c], |this, lanes, [dst, a, b, c]| this.fma(lanes, dst, [a, b], c));
            }
            VectorIns::Convert { op, size, dst, src } => self.convert(op, size, dst, src),
            VectorIns::Sum { shape, dst, src } => self.sum_lanes(shape, dst, src),
        }
    }

    // ---- operands ----

    /// The registers that hold the low 128 bits and what is above.
    pub(super) fn v(&mut self, v: V) -> [Vec; 2] {
        match v.0 {
            0..8 => [Vec(v.0), Vec(22 + v.0)],
            8..VECTORS => [Vec(12 + v.0), Vec(22 + v.0)],
            VECTORS.. => {
                self.fault = Some(LowerError::Register { at: self.at });
                [TMP[0]; 2]
            }
        }
    }

    /// Lowers an instruction by halves, or at once. No half reads what another one writes.
    fn each<const N: usize>(&mut self, shape: Shape, v: [V; N], mut half: impl FnMut(&mut Lowerer, Lanes, [Vec; N])) {
        let v = v.map(|v| self.v(v));
        for at in 0..halves(shape.size) {
            half(self, lanes(shape), v.map(|v| v[at]));
        }
    }

    // ---- machine instructions ----

    pub(super) fn emit_vector(&mut self, inst: VectorInst) {
        self.emit(Inst::Vector(inst));
    }

    pub(super) fn copy(&mut self, quad: bool, dst: Vec, src: Vec) {
        if dst != src {
            self.three(VecThree::Orr, Lanes { size: Size::B8, quad }, dst, src, src);
        }
    }

    pub(super) fn three(&mut self, op: VecThree, lanes: Lanes, dst: Vec, a: Vec, b: Vec) {
        self.emit_vector(VectorInst::Three { op, lanes, dst, a, b });
    }

    // ---- memory ----

    fn load_vector(&mut self, size: VSize, dst: V, mem: ir::Mem) {
        let [low, high] = self.v(dst);
        if size == VSize::S256 {
            let src = self.pair_place(mem);
            self.emit(Inst::LoadVecPair { a: low, b: high, src });
        } else {
            let quad = size == VSize::S128;
            let src = self.place(mem, log2(quad), S0);
            self.emit(Inst::LoadVec { quad, dst: low, src });
        }
    }

    fn store_vector(&mut self, size: VSize, src: V, mem: ir::Mem) {
        let [low, high] = self.v(src);
        if size == VSize::S256 {
            let dst = self.pair_place(mem);
            self.emit(Inst::StoreVecPair { a: low, b: high, dst });
        } else {
            let quad = size == VSize::S128;
            let dst = self.place(mem, log2(quad), S0);
            self.emit(Inst::StoreVec { quad, src: low, dst });
        }
    }

    /// An addressing mode for 256 bits.
    fn pair_place(&mut self, mem: ir::Mem) -> PairAddr {
        let base = self.r(mem.base);
        match PairAddr::offset(base, mem.disp.into(), LOG2_Q) {
            Some(addr) if mem.index.is_none() => addr,
            _ => {
                self.effective(S0, mem, S1);
                PairAddr::Offset(S0, 0)
            }
        }
    }

    // ---- lanes ----

    /// Halves upon halves, as the IR defines it.
    fn sum_lanes(&mut self, shape: Shape, dst: V, src: V) {
        let ([dst, _], [mut sum, above]) = (self.v(dst), self.v(src));
        let add = if shape.ty.is_float() { VecThree::Fadd } else { VecThree::Add };
        let lanes = Lanes { size: lane_size(shape.ty), quad: true };
        let mut left = shape.size.bytes() as i64;
        if left > Q_BYTES {
            self.three(add, lanes, dst, sum, above);
            (sum, left) = (dst, Q_BYTES);
        }
        while left > shape.ty.bytes() as i64 {
            left /= 2;
            self.emit_vector(VectorInst::Ext { quad: true, dst: TMP[0], a: sum, b: sum, from: left as u8 });
            self.three(add, lanes, dst, sum, TMP[0]);
            sum = dst;
        }
        self.copy(true, dst, sum);
    }
}

/// How many registers a size takes.
fn halves(size: VSize) -> usize {
    match size {
        VSize::S64 | VSize::S128 => 1,
        VSize::S256 | VSize::S512 => 2,
    }
}

/// The lanes of one register. A single one of 64 bits is the lower one of two.
fn lanes(shape: Shape) -> Lanes {
    let size = lane_size(shape.ty);
    Lanes { size, quad: shape.size != VSize::S64 || size == Size::B64 }
}

pub(super) fn lane_size(ty: Type) -> Size {
    match ty {
        Type::I8 => Size::B8,
        Type::I16 | Type::F16 => Size::B16,
        Type::I32 | Type::F32 => Size::B32,
        Type::I64 | Type::F64 => Size::B64,
    }
}

fn log2(quad: bool) -> u32 {
    if quad { LOG2_Q } else { Size::B64.log2() }
}
