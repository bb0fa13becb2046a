//! Vector instructions: lanes of one type, side by side.
//!
//! Registers are physical: `V(0)`.. are the vector argument registers of the platform in order, then its other caller-saved ones. A call
//! preserves none of them.
//!
//! | target | V(0)... | count |
//! |---|---|---|
//! | x86-64 | xmm0..xmm12 (and the ymm, zmm around them; 13 to 15 are the lowering's scratch) | 13 |
//! | aarch64 | v0..v7, v20, v21 (v22..v31 hold what is above 128 bits of each; 16 to 19 are the lowering's scratch) | 10 |
//!
//! What holds of all of them:
//! - An instruction says how many bytes it works on. Those of its destination beyond are undefined afterwards.
//! - Flags survive.
//! - Floating point is IEEE 754 in the default environment: round to nearest even, denormals kept, no traps. *Which* NaN an arithmetic
//!   instruction gives (sign, payload, quietened or not) is either.
//! - What neither a target nor the machine at hand has, lowering refuses by name. Which shapes an instruction takes at all is
//!   [`VectorIns::is_sound`].

use super::{Mem, R, Role, V};

/// The type of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // their names say all
pub enum Type {
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
}

impl Type {
    /// All of them.
    pub const ALL: [Type; 7] = [Type::I8, Type::I16, Type::I32, Type::I64, Type::F16, Type::F32, Type::F64];

    /// Bytes of a lane.
    pub const fn bytes(self) -> usize {
        match self {
            Type::I8 => 1,
            Type::I16 | Type::F16 => 2,
            Type::I32 | Type::F32 => 4,
            Type::I64 | Type::F64 => 8,
        }
    }

    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64)
    }
}

/// The size of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VSize {
    /// 64 bits.
    S64,
    /// 128 bits.
    S128,
    /// 256 bits.
    S256,
    /// 512 bits.
    S512,
}

impl VSize {
    /// All of them.
    pub const ALL: [VSize; 4] = [VSize::S64, VSize::S128, VSize::S256, VSize::S512];

    /// Bytes.
    pub const fn bytes(self) -> usize {
        8 << self as usize
    }
}

/// Lanes and how much of a register they fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The type of the lanes.
    pub ty: Type,
    /// All of them together.
    pub size: VSize,
}

impl Shape {
    /// How many lanes.
    pub const fn lanes(self) -> usize {
        self.size.bytes() / self.ty.bytes()
    }
}

/// Lane-wise operations of two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VOp {
    /// `a + b`; integers wrap.
    Add,
    /// `a - b`; integers wrap.
    Sub,
    /// `a * b`; integers keep the low half.
    Mul,
    /// `a / b`. Floating point only.
    Div,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// `a & ~b`
    AndNot,
    /// `a < b ? a : b`, signed. For floating point this is `b` if either is a NaN or both are zeros.
    Min,
    /// `a > b ? a : b`, signed. For floating point this is `b` if either is a NaN or both are zeros.
    Max,
    /// The lesser, unsigned. Integers only.
    UMin,
    /// The greater, unsigned. Integers only.
    UMax,
}

/// Lane-wise operations of one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VUnOp {
    /// Bitwise complement.
    Not,
    /// Negation; floating point: the sign bit alone, of NaNs too.
    Neg,
    /// Magnitude; integers wrap at the least one. Floating point: the sign bit alone, of NaNs too.
    Abs,
    /// Square root, correctly rounded. Floating point only.
    Sqrt,
    /// About `1 / a`. Floating point only. The relative error is below 2^-8 where operand and result are normal; zeros give infinities and
    /// infinities zeros, of the operand's sign; denormals, as operand or result, give anything.
    Recip,
    /// About `1 / sqrt(a)`, as exact as `Recip`. NaN for what is below zero; zeros give infinities of their sign.
    Rsqrt,
    /// The bytes of each lane reversed. Integers of more than a byte only.
    ByteSwap,
}

/// Lane-wise comparisons: a lane of ones where it holds, of zeros where not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VCond {
    /// Equal; false for NaNs.
    Eq,
    /// Not equal; true for NaNs.
    Ne,
    /// Less, signed; false for NaNs.
    Lt,
    /// Less or equal, signed; false for NaNs.
    Le,
    /// Greater, signed; false for NaNs.
    Gt,
    /// Greater or equal, signed; false for NaNs.
    Ge,
    /// Less, unsigned. Integers only.
    Ult,
    /// Less or equal, unsigned. Integers only.
    Ule,
    /// Greater, unsigned. Integers only.
    Ugt,
    /// Greater or equal, unsigned. Integers only.
    Uge,
}

/// Lane-wise shifts of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VShift {
    /// Left.
    Shl,
    /// Logical right.
    Shr,
    /// Arithmetic right.
    Sar,
}

/// Conversions. The size given is that of the wider side; the other has as many lanes at the bottom of its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VConvert {
    /// Signed 32-bit integers to F32.
    I32ToF32,
    /// F32 to signed 32-bit integers: towards zero, what does not fit becomes the nearest that does, NaN becomes 0.
    F32ToI32,
    /// Signed 64-bit integers to F64.
    I64ToF64,
    /// F64 to signed 64-bit integers, as `F32ToI32`.
    F64ToI64,
    /// F16 to F32, exact.
    F16ToF32,
    /// F32 to F16, rounded.
    F32ToF16,
    /// F32 to F64, exact.
    F32ToF64,
    /// F64 to F32, rounded.
    F64ToF32,
}

impl VConvert {
    /// From and to.
    pub const fn types(self) -> (Type, Type) {
        match self {
            VConvert::I32ToF32 => (Type::I32, Type::F32),
            VConvert::F32ToI32 => (Type::F32, Type::I32),
            VConvert::I64ToF64 => (Type::I64, Type::F64),
            VConvert::F64ToI64 => (Type::F64, Type::I64),
            VConvert::F16ToF32 => (Type::F16, Type::F32),
            VConvert::F32ToF16 => (Type::F32, Type::F16),
            VConvert::F32ToF64 => (Type::F32, Type::F64),
            VConvert::F64ToF32 => (Type::F64, Type::F32),
        }
    }

    /// Bytes read and bytes written at a size.
    pub const fn bytes(self, size: VSize) -> (usize, usize) {
        let (from, to) = self.types();
        let wider = if from.bytes() > to.bytes() { from.bytes() } else { to.bytes() };
        (size.bytes() / wider * from.bytes(), size.bytes() / wider * to.bytes())
    }
}

/// One vector instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // of fields: the line above each variant says what they are
pub enum VectorIns {
    /// `dst = src`.
    Mov { size: VSize, dst: V, src: V },
    /// Load; the address need not be aligned.
    Load { size: VSize, dst: V, mem: Mem },
    /// Store; likewise.
    Store { size: VSize, src: V, mem: Mem },
    /// Lane 0 = the low bits of `src`, zeros above in the lowest 128 bits. Types of 32 and 64 bits only.
    FromR { ty: Type, dst: V, src: R },
    /// `dst` = a lane of the lowest 128 bits, zero-extended.
    Extract { ty: Type, lane: u8, dst: R, src: V },
    /// A lane of the lowest 128 bits of `dst` = the low bits of `src`; the other lanes there stay.
    Insert { ty: Type, lane: u8, dst: V, src: R },
    /// All lanes = the low bits of `src`.
    Splat { shape: Shape, dst: V, src: R },
    /// All lanes = lane 0 of `src`.
    SplatLane { shape: Shape, dst: V, src: V },
    /// `dst = a op b`.
    Op { op: VOp, shape: Shape, dst: V, a: V, b: V },
    /// `dst = op src`.
    Un { op: VUnOp, shape: Shape, dst: V, src: V },
    /// `dst` = masks of `a cond b`.
    Compare { cond: VCond, shape: Shape, dst: V, a: V, b: V },
    /// `dst = a` shifted by a constant, less than the bits of a lane.
    ShiftImm { op: VShift, shape: Shape, dst: V, a: V, amount: u8 },
    /// `dst = a` shifted, each lane by the unsigned number in the same lane of `amount`; from the bits of a lane on nothing is left but zeros,
    /// or the sign.
    Shift { op: VShift, shape: Shape, dst: V, a: V, amount: V },
    /// `dst = a * b + c`, rounded once. F32 and F64 only.
    Fma { shape: Shape, dst: V, a: V, b: V, c: V },
    /// Conversion of each lane.
    Convert { op: VConvert, size: VSize, dst: V, src: V },
    /// Lane 0 of `dst` = the sum of all lanes: the upper half is added to the lower one lane by lane until one is left. Not F16.
    Sum { shape: Shape, dst: V, src: V },
}

/// Bytes of the lowest part that lanes are inserted into and extracted from.
pub(super) const LOW_BYTES: usize = VSize::S128.bytes();

impl VectorIns {
    /// Calls `visit` for each vector register named, reads first, with the number of bytes from the bottom on that are read or defined.
    pub fn vectors(&self, mut visit: impl FnMut(Role, V, usize)) {
        let mut read = |v: V, bytes: usize| visit(Role::Read, v, bytes);
        let (dst, bytes) = match *self {
            VectorIns::Mov { size, dst, src } => {
                read(src, size.bytes());
                (dst, size.bytes())
            }
            VectorIns::Load { size, dst, mem: _ } => (dst, size.bytes()),
            VectorIns::Store { size, src, mem: _ } => return read(src, size.bytes()),
            VectorIns::FromR { ty: _, dst, src: _ } => (dst, LOW_BYTES),
            VectorIns::Extract { ty, lane, dst: _, src } => return read(src, ty.bytes() * (usize::from(lane) + 1)),
            VectorIns::Insert { ty: _, lane: _, dst, src: _ } => {
                read(dst, LOW_BYTES);
                (dst, LOW_BYTES)
            }
            VectorIns::Splat { shape, dst, src: _ } => (dst, shape.size.bytes()),
            VectorIns::SplatLane { shape, dst, src } => {
                read(src, shape.ty.bytes());
                (dst, shape.size.bytes())
            }
            VectorIns::Op { op: _, shape, dst, a, b }
            | VectorIns::Compare { cond: _, shape, dst, a, b }
            | VectorIns::Shift { op: _, shape, dst, a, amount: b } => {
                read(a, shape.size.bytes());
                read(b, shape.size.bytes());
                (dst, shape.size.bytes())
            }
            VectorIns::Un { op: _, shape, dst, src: a } | VectorIns::ShiftImm { op: _, shape, dst, a, amount: _ } => {
                read(a, shape.size.bytes());
                (dst, shape.size.bytes())
            }
            VectorIns::Fma { shape, dst, a, b, c } => {
                [a, b, c].into_iter().for_each(|v| read(v, shape.size.bytes()));
                (dst, shape.size.bytes())
            }
            VectorIns::Convert { op, size, dst, src } => {
                let (from, to) = op.bytes(size);
                read(src, from);
                (dst, to)
            }
            VectorIns::Sum { shape, dst, src } => {
                read(src, shape.size.bytes());
                (dst, shape.ty.bytes())
            }
        };
        visit(Role::Write, dst, bytes);
    }

    /// The memory operand.
    pub fn memory(&self) -> Option<Mem> {
        match *self {
            VectorIns::Load { mem, .. } | VectorIns::Store { mem, .. } => Some(mem),
            VectorIns::Mov { .. } | VectorIns::FromR { .. } | VectorIns::Extract { .. } | VectorIns::Insert { .. } => None,
            VectorIns::Splat { .. } | VectorIns::SplatLane { .. } | VectorIns::Op { .. } | VectorIns::Un { .. } => None,
            VectorIns::Compare { .. } | VectorIns::ShiftImm { .. } | VectorIns::Shift { .. } | VectorIns::Fma { .. } => None,
            VectorIns::Convert { .. } | VectorIns::Sum { .. } => None,
        }
    }

    /// The integer register it names beside those of an address.
    pub fn integer(&self) -> Option<(Role, R)> {
        match *self {
            VectorIns::FromR { src, .. } | VectorIns::Insert { src, .. } | VectorIns::Splat { src, .. } => Some((Role::Read, src)),
            VectorIns::Extract { dst, .. } => Some((Role::Write, dst)),
            VectorIns::Mov { .. } | VectorIns::Load { .. } | VectorIns::Store { .. } | VectorIns::SplatLane { .. } => None,
            VectorIns::Op { .. } | VectorIns::Un { .. } | VectorIns::Compare { .. } | VectorIns::ShiftImm { .. } => None,
            VectorIns::Shift { .. } | VectorIns::Fma { .. } | VectorIns::Convert { .. } | VectorIns::Sum { .. } => None,
        }
    }

    /// Whether it exists for its types, lanes and amounts.
    pub fn is_sound(&self) -> bool {
        match *self {
            VectorIns::Mov { .. } | VectorIns::Load { .. } | VectorIns::Store { .. } | VectorIns::Convert { .. } => true,
            VectorIns::Splat { .. } | VectorIns::SplatLane { .. } => true,
            VectorIns::FromR { ty, .. } => ty.bytes() >= 4,
            VectorIns::Extract { ty, lane, .. } | VectorIns::Insert { ty, lane, .. } => usize::from(lane) < LOW_BYTES / ty.bytes(),
            VectorIns::Op { op, shape, .. } => match op {
                VOp::Add | VOp::Sub | VOp::Mul | VOp::And | VOp::Or | VOp::Xor | VOp::AndNot | VOp::Min | VOp::Max => true,
                VOp::Div => shape.ty.is_float(),
                VOp::UMin | VOp::UMax => !shape.ty.is_float(),
            },
            VectorIns::Un { op, shape, .. } => match op {
                VUnOp::Not | VUnOp::Neg | VUnOp::Abs => true,
                VUnOp::Sqrt | VUnOp::Recip | VUnOp::Rsqrt => shape.ty.is_float(),
                VUnOp::ByteSwap => !shape.ty.is_float() && shape.ty != Type::I8,
            },
            VectorIns::Compare { cond, shape, .. } => match cond {
                VCond::Eq | VCond::Ne | VCond::Lt | VCond::Le | VCond::Gt | VCond::Ge => true,
                VCond::Ult | VCond::Ule | VCond::Ugt | VCond::Uge => !shape.ty.is_float(),
            },
            VectorIns::ShiftImm { shape, amount, .. } => !shape.ty.is_float() && usize::from(amount) < 8 * shape.ty.bytes(),
            VectorIns::Shift { shape, .. } => !shape.ty.is_float(),
            VectorIns::Fma { shape, .. } => matches!(shape.ty, Type::F32 | Type::F64),
            VectorIns::Sum { shape, .. } => shape.ty != Type::F16,
        }
    }
}
