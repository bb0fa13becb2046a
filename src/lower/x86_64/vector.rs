//! Vectors: which encodings a size has on this machine, moves, lanes. `vector_integer` has the arithmetic of integers and what works on
//! bits, `vector_float` that of floating point, and conversions.
//!
//! `V(0)`..`V(12)` are xmm0..xmm12, and the ymm and zmm registers around them. The rest is scratch.

use super::*;
use crate::asm::x86_64::{Coding, VectorInst, VectorOp as Op, VectorRm};
use crate::ir::{Shape, Type, V, VSize, VectorIns};

/// How many vector registers the IR has on this target.
pub const VECTORS: u8 = 13;

/// Scratch. The last one holds zero for word stores, and is marked as spoilt when it is used.
pub(super) const TMP: [u8; 3] = [14, 15, 13];

/// What is missing, as errors say it.
pub(super) mod needs {
    pub const SSE42: &str = "SSE4.2";
    pub const AVX: &str = "AVX";
    pub const AVX2: &str = "AVX2";
    pub const F16C: &str = "F16C";
    pub const FMA: &str = "FMA";
    pub const AVX512: &str = "AVX-512 (F, BW, DQ, VL)";
    pub const F16_OF_512: &str = "AVX-512 FP16, which is not made use of";
    pub const NOTHING: &str = "an instruction that x86-64 does not have";
    pub const SOUND: &str = "types and lanes that it takes";
}

impl Lowerer {
    pub(super) fn vector(&mut self, ins: VectorIns) {
        if !ins.is_sound() {
            return self.lacks(needs::SOUND);
        }
        match ins {
            VectorIns::Mov { size, dst, src } => {
                let (dst, src) = (self.v(dst), self.v(src));
                if let Some(c) = self.float_coding(size) {
                    self.copy(c, dst, src);
                }
            }
            VectorIns::Load { size, dst, mem } => {
                let (reg, mem) = (self.v(dst), self.mem(mem));
                let op = if size == VSize::S64 { Op::Movq } else { Op::Movups };
                if let Some(c) = self.float_coding(size) {
                    self.emit_vector(VectorInst::memory(op, c, reg, mem));
                }
            }
            VectorIns::Store { size, src, mem } => {
                let (reg, mem) = (self.v(src), self.mem(mem));
                let op = if size == VSize::S64 { Op::MovqStore } else { Op::MovupsStore };
                if let Some(c) = self.float_coding(size) {
                    self.emit_vector(VectorInst::memory(op, c, reg, mem));
                }
            }
            VectorIns::FromR { ty, dst, src } => {
                let (dst, src) = (self.v(dst), self.r(src));
                self.general_to_lane(ty, dst, src);
            }
            VectorIns::Extract { ty, lane, dst, src } => self.extract(ty, lane, dst, src),
            VectorIns::Insert { ty, lane, dst, src } => self.insert(ty, lane, dst, src),
            VectorIns::Splat { shape, dst, src } => {
                let (dst, src) = (self.v(dst), self.r(src));
                if self.splat_coding(shape.size).is_some() {
                    self.general_to_lane(shape.ty, dst, src);
                    self.splat(shape, dst, dst);
                }
            }
            VectorIns::SplatLane { shape, dst, src } => {
                let (dst, src) = (self.v(dst), self.v(src));
                self.splat(shape, dst, src);
            }
            VectorIns::Op { op, shape, dst, a, b } => {
                let (dst, a, b) = (self.v(dst), self.v(a), self.v(b));
                if shape.ty.is_float() { self.float_op(op, shape, dst, a, b) } else { self.integer_op(op, shape, dst, a, b) }
            }
            VectorIns::Un { op, shape, dst, src } => {
                let (dst, src) = (self.v(dst), self.v(src));
                if shape.ty.is_float() { self.float_un(op, shape, dst, src) } else { self.integer_un(op, shape, dst, src) }
            }
            VectorIns::Compare { cond, shape, dst, a, b } => {
                let (dst, a, b) = (self.v(dst), self.v(a), self.v(b));
                if shape.ty.is_float() {
                    self.float_compare(cond, shape, dst, a, b);
                } else if let Some(c) = self.integer_coding(shape.size) {
                    self.integer_compare(c, shape.ty, cond, dst, a, b);
                }
            }
            VectorIns::ShiftImm { op, shape, dst, a, amount } => {
                let (dst, a) = (self.v(dst), self.v(a));
                self.vector_shift_imm(op, shape, dst, a, amount);
            }
            VectorIns::Shift { op, shape, dst, a, amount } => {
                let (dst, a, amount) = (self.v(dst), self.v(a), self.v(amount));
                self.vector_shift(op, shape, dst, a, amount);
            }
            VectorIns::Fma { shape, dst, a, b, c } => self.fma(shape, dst, a, b, c),
            VectorIns::Convert { op, size, dst, src } => {
                let (dst, src) = (self.v(dst), self.v(src));
                self.convert(op, size, dst, src);
            }
            VectorIns::Sum { shape, dst, src } => {
                let (dst, src) = (self.v(dst), self.v(src));
                self.sum_lanes(shape, dst, src);
            }
        }
    }

    // ---- operands and encodings ----

    #[inline]
    pub(super) fn v(&mut self, v: V) -> u8 {
        if v.0 >= VECTORS {
            self.fault = Some(Fault::Register);
        }
        v.0 & 15
    }

    pub(super) fn lacks(&mut self, what: &'static str) {
        self.fault = Some(Fault::Unsupported(what));
    }

    /// `None`, and a fault, where the machine lacks it.
    fn coding(&mut self, size: VSize, wide: bool, wide_needs: &'static str) -> Option<Coding> {
        match size {
            VSize::S64 | VSize::S128 => Some(self.low_coding()),
            VSize::S256 if wide => {
                self.upper = true;
                Some(Coding::Vex256)
            }
            VSize::S512 if self.features.avx512 => {
                self.upper = true;
                Some(Coding::Evex512)
            }
            VSize::S256 => {
                self.lacks(wide_needs);
                None
            }
            VSize::S512 => {
                self.lacks(needs::AVX512);
                None
            }
        }
    }

    /// For 128 bits and less.
    pub(super) fn low_coding(&self) -> Coding {
        if self.features.avx { Coding::Vex128 } else { Coding::Sse }
    }

    /// For integers, and what treats others as integers.
    pub(super) fn integer_coding(&mut self, size: VSize) -> Option<Coding> {
        self.coding(size, self.features.avx2, needs::AVX2)
    }

    /// For floating point, loads, stores and moves.
    pub(super) fn float_coding(&mut self, size: VSize) -> Option<Coding> {
        self.coding(size, self.features.avx, needs::AVX)
    }

    /// A feature that an instruction needs.
    pub(super) fn demand(&mut self, has: bool, what: &'static str) -> bool {
        if !has {
            self.lacks(what);
        }
        has
    }

    /// The third scratch register.
    pub(super) fn third(&mut self) -> u8 {
        self.zeroed = false;
        TMP[2]
    }

    // ---- machine instructions ----

    pub(super) fn emit_vector(&mut self, inst: VectorInst) {
        self.code.push(inst.encode());
    }

    pub(super) fn copy(&mut self, c: Coding, dst: u8, src: u8) {
        if dst != src {
            self.two(Op::Movaps, c, dst, src);
        }
    }

    pub(super) fn two(&mut self, op: Op, c: Coding, dst: u8, src: u8) {
        self.emit_vector(VectorInst::two(op, c, dst, src));
    }

    pub(super) fn two_imm(&mut self, op: Op, c: Coding, dst: u8, src: u8, imm: u8) {
        self.emit_vector(VectorInst::two(op, c, dst, src).imm(imm));
    }

    /// `dst = op(a, b)`. Legacy encodings may need a scratch register, where `dst` is `b`: the first that is not `dst`.
    pub(super) fn three(&mut self, op: Op, c: Coding, dst: u8, a: u8, b: u8) {
        self.three_imm(op, c, dst, a, b, 0);
    }

    pub(super) fn three_imm(&mut self, op: Op, c: Coding, dst: u8, a: u8, b: u8, imm: u8) {
        let inst = |dst, a, b| VectorInst::three(op, c, dst, a, b).imm(imm);
        if c != Coding::Sse || dst == a {
            self.emit_vector(inst(dst, a, b));
        } else if dst != b {
            self.copy(c, dst, a);
            self.emit_vector(inst(dst, dst, b));
        } else if commutes(op) {
            self.emit_vector(inst(dst, dst, a));
        } else {
            let tmp = if dst == TMP[0] { TMP[1] } else { TMP[0] };
            self.copy(c, tmp, a);
            self.emit_vector(inst(tmp, tmp, b));
            self.copy(c, dst, tmp);
        }
    }

    /// A shift of lanes by a constant.
    pub(super) fn lanes_by(&mut self, op: Op, c: Coding, dst: u8, src: u8, amount: u8) {
        let src = if c == Coding::Sse {
            self.copy(c, dst, src);
            dst
        } else {
            src
        };
        self.two_imm(op, c, dst, src, amount);
    }

    pub(super) fn zeros(&mut self, c: Coding, dst: u8) {
        self.three(if c == Coding::Evex512 { Op::Vpxord } else { Op::Pxor }, c, dst, dst, dst);
    }

    pub(super) fn ones(&mut self, c: Coding, dst: u8) {
        match c {
            // The truth table that is always true.
            Coding::Evex512 => self.three_imm(Op::Vpternlogd, c, dst, dst, dst, 0xff),
            Coding::Sse | Coding::Vex128 | Coding::Vex256 | Coding::Evex128 | Coding::Evex256 => {
                self.three(Op::Pcmpeqd, c, dst, dst, dst);
            }
        }
    }

    // ---- lanes ----

    /// Lane 0 = the register; smaller lanes than 32 bits leave rubbish above.
    fn general_to_lane(&mut self, ty: Type, dst: u8, src: Reg) {
        let op = if ty.bytes() == 8 { Op::MovqFrom } else { Op::MovdFrom };
        self.two(op, self.low_coding(), dst, src.number());
    }

    fn extract(&mut self, ty: Type, lane: u8, dst: R, src: V) {
        let (dst, src, c) = (self.r(dst), self.v(src), self.low_coding());
        let number = dst.number();
        match (ty.bytes(), lane) {
            (2, _) => return self.two_imm(Op::Pextrw, c, number, src, lane),
            (4, 0) => return self.two(Op::MovdTo, c, number, src),
            (8, 0) => return self.two(Op::MovqTo, c, number, src),
            (_, 0) => {
                self.two(Op::MovdTo, c, number, src);
                return self.emit(Inst::Load { size: Size::B8, signed: false, dst, src: Rm::R(dst) });
            }
            (_, _) => {}
        }
        let op = match ty.bytes() {
            1 => Op::Pextrb,
            4 => Op::Pextrd,
            _ => Op::Pextrq,
        };
        if self.demand(self.features.sse42, needs::SSE42) {
            self.two_imm(op, c, number, src, lane);
        }
    }

    fn insert(&mut self, ty: Type, lane: u8, dst: V, src: R) {
        let (dst, src, c) = (self.v(dst), self.r(src), self.low_coding());
        let op = match ty.bytes() {
            1 => Op::Pinsrb,
            2 => Op::Pinsrw,
            4 => Op::Pinsrd,
            _ => Op::Pinsrq,
        };
        if op == Op::Pinsrw || self.demand(self.features.sse42, needs::SSE42) {
            self.three_imm(op, c, dst, dst, src.number(), lane);
        }
    }

    fn splat_coding(&mut self, size: VSize) -> Option<Coding> {
        self.integer_coding(size)
    }

    fn splat(&mut self, shape: Shape, dst: u8, src: u8) {
        let Some(c) = self.splat_coding(shape.size) else { return };
        let bytes = shape.ty.bytes();
        if self.features.avx2 {
            let op = match bytes {
                1 => Op::Vpbroadcastb,
                2 => Op::Vpbroadcastw,
                4 => Op::Vpbroadcastd,
                _ => Op::Vpbroadcastq,
            };
            return self.two(op, c, dst, src);
        }
        match bytes {
            1 => {
                self.three(Op::Punpcklbw, c, dst, src, src);
                self.two_imm(Op::Pshuflw, c, dst, dst, 0);
                self.two_imm(Op::Pshufd, c, dst, dst, 0);
            }
            2 => {
                self.two_imm(Op::Pshuflw, c, dst, src, 0);
                self.two_imm(Op::Pshufd, c, dst, dst, 0);
            }
            4 => self.two_imm(Op::Pshufd, c, dst, src, 0),
            _ => self.two_imm(Op::Pshufd, c, dst, src, PAIR_TWICE),
        }
    }

    /// Halves upon halves, as the IR defines it.
    fn sum_lanes(&mut self, shape: Shape, dst: u8, src: u8) {
        let float = shape.ty.is_float();
        let coding = if float { self.float_coding(shape.size) } else { self.integer_coding(shape.size) };
        let Some(c) = coding else { return };
        let add = match shape.ty {
            Type::I8 => Op::Paddb,
            Type::I16 => Op::Paddw,
            Type::I32 => Op::Paddd,
            Type::I64 => Op::Paddq,
            Type::F32 => Op::Addps,
            Type::F16 | Type::F64 => Op::Addpd,
        };
        let [upper, mut sum] = [TMP[0], src];
        if c == Coding::Evex512 {
            self.two_imm(Op::Vextractf64x4, c, upper, sum, 1);
            self.three(add, Coding::Vex256, dst, sum, upper);
            sum = dst;
        }
        if shape.size >= VSize::S256 {
            self.two_imm(Op::Vextractf128, Coding::Vex256, upper, sum, 1);
            self.three(add, Coding::Vex128, dst, sum, upper);
            sum = dst;
        }
        let c = self.low_coding();
        if shape.size >= VSize::S128 {
            self.two_imm(Op::Pshufd, c, upper, sum, HALVES_SWAPPED);
            self.three(add, c, dst, sum, upper);
            sum = dst;
        }
        if shape.ty.bytes() <= 4 {
            self.two_imm(Op::Pshufd, c, upper, sum, PAIRS_SWAPPED);
            self.three(add, c, dst, sum, upper);
            sum = dst;
        }
        if shape.ty.bytes() <= 2 {
            self.lanes_by(Op::Psrld, c, upper, sum, 16);
            self.three(add, c, dst, sum, upper);
        }
        if shape.ty.bytes() == 1 {
            self.lanes_by(Op::Psrlw, c, upper, sum, 8);
            self.three(add, c, dst, sum, upper);
        }
        self.copy(c, dst, sum);
    }

    /// Clears what is above 128 bits before code that may use legacy encodings, which would be slow otherwise (Intel's optimization manual,
    /// 3.11.5.3).
    pub(super) fn clear_upper(&mut self) {
        if self.upper {
            self.emit_vector(VectorInst { op: Op::Vzeroupper, coding: Coding::Vex128, reg: 0, mid: 0, rm: VectorRm::R(0), imm: 0 });
        }
    }
}

/// Selections of 32-bit lanes for `pshufd`, two bits each.
const HALVES_SWAPPED: u8 = 0b01_00_11_10;
pub(super) const PAIRS_SWAPPED: u8 = 0b10_11_00_01;
const PAIR_TWICE: u8 = 0b01_00_01_00;

/// Operations whose sources may be exchanged, of those that legacy encodings are used for.
fn commutes(op: Op) -> bool {
    matches!(
        op,
        Op::Paddb
            | Op::Paddw
            | Op::Paddd
            | Op::Paddq
            | Op::Pmullw
            | Op::Pmulld
            | Op::Pmuludq
            | Op::Pand
            | Op::Por
            | Op::Pxor
            | Op::Andps
            | Op::Orps
            | Op::Xorps
            | Op::Pcmpeqb
            | Op::Pcmpeqw
            | Op::Pcmpeqd
            | Op::Pcmpeqq
            | Op::Addps
            | Op::Addpd
            | Op::Mulps
            | Op::Mulpd
    )
}
