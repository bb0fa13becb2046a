//! Advanced SIMD: one table of opcodes, and their encodings and syntax (C4.1, C7.2).
//!
//! An operation on floating point in 16 bits is encoded apart (FEAT_FP16); the table's row is the same.

use super::{Reg, Size, Vec};
use core::fmt::{Display, Formatter, Result};

/// The lanes of an operand: their size, and whether they fill 128 bits or 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Lanes {
    pub size: Size,
    pub quad: bool,
}

impl Lanes {
    /// As many bytes in bytes.
    pub const fn bytes(self) -> Lanes {
        Lanes { size: Size::B8, quad: self.quad }
    }
}

impl Display for Lanes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let bytes = if self.quad { 16 } else { 8 };
        write!(f, "{}{}", bytes >> self.size.log2(), letter(self.size))
    }
}

const fn letter(size: Size) -> char {
    match size {
        Size::B8 => 'b',
        Size::B16 => 'h',
        Size::B32 => 's',
        Size::B64 => 'd',
    }
}

/// What lanes hold, as far as the encoding tells. Numbers are bits 23 and 22, or 23.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Integers of the lanes' size.
    Integer,
    /// Bits, of no size.
    Bits(u32),
    /// Floating point of the lanes' size, at least 16 bits.
    Float(u32),
}

/// A row of a table.
struct Row {
    name: &'static str,
    /// Bit 29.
    u: u32,
    kind: Kind,
    opcode: u32,
}

macro_rules! table {
    ($(#[$doc:meta])* $type:ident { $($variant:ident $name:literal $u:literal $kind:expr, $opcode:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // the manual's names
        pub enum $type { $($variant),* }

        impl $type {
            /// All of them.
            pub const ALL: &[$type] = &[$($type::$variant),*];

            /// Whether its lanes are floating point.
            pub const fn is_float(self) -> bool {
                matches!(self.row().kind, Kind::Float(_))
            }

            /// Whether it has no lanes.
            pub const fn is_of_bits(self) -> bool {
                matches!(self.row().kind, Kind::Bits(_))
            }

            const fn row(self) -> Row {
                match self {
                    $($type::$variant => Row { name: $name, u: $u, kind: $kind, opcode: $opcode }),*
                }
            }
        }
    };
}

table! {
    /// `op dst, a, b`: three operands of the same lanes. `Bsl` selects by the bits of `dst`: `dst ? a : b`; `Fmla` adds to `dst`.
    VecThree {
        Add "add" 0 Kind::Integer, 0b10000;
        Sub "sub" 1 Kind::Integer, 0b10000;
        Mul "mul" 0 Kind::Integer, 0b10011;
        Smax "smax" 0 Kind::Integer, 0b01100;
        Smin "smin" 0 Kind::Integer, 0b01101;
        Umax "umax" 1 Kind::Integer, 0b01100;
        Umin "umin" 1 Kind::Integer, 0b01101;
        Cmeq "cmeq" 1 Kind::Integer, 0b10001;
        Cmgt "cmgt" 0 Kind::Integer, 0b00110;
        Cmge "cmge" 0 Kind::Integer, 0b00111;
        Cmhi "cmhi" 1 Kind::Integer, 0b00110;
        Cmhs "cmhs" 1 Kind::Integer, 0b00111;
        Sshl "sshl" 0 Kind::Integer, 0b01000;
        Ushl "ushl" 1 Kind::Integer, 0b01000;
        And "and" 0 Kind::Bits(0), 0b00011;
        Bic "bic" 0 Kind::Bits(1), 0b00011;
        Orr "orr" 0 Kind::Bits(2), 0b00011;
        Eor "eor" 1 Kind::Bits(0), 0b00011;
        Bsl "bsl" 1 Kind::Bits(1), 0b00011;
        Fadd "fadd" 0 Kind::Float(0), 0b11010;
        Fsub "fsub" 0 Kind::Float(1), 0b11010;
        Fmul "fmul" 1 Kind::Float(0), 0b11011;
        Fdiv "fdiv" 1 Kind::Float(0), 0b11111;
        Fmla "fmla" 0 Kind::Float(0), 0b11001;
        Fcmeq "fcmeq" 0 Kind::Float(0), 0b11100;
        Fcmge "fcmge" 1 Kind::Float(0), 0b11100;
        Fcmgt "fcmgt" 1 Kind::Float(1), 0b11100;
    }
}

table! {
    /// `op dst, src`: two operands of the same lanes. `Rev16` to `Rev64` reverse the lanes within that many bits.
    VecTwo {
        Rev64 "rev64" 0 Kind::Integer, 0b00000;
        Rev32 "rev32" 1 Kind::Integer, 0b00000;
        Rev16 "rev16" 0 Kind::Integer, 0b00001;
        Cnt "cnt" 0 Kind::Integer, 0b00101;
        Abs "abs" 0 Kind::Integer, 0b01011;
        Neg "neg" 1 Kind::Integer, 0b01011;
        Mvn "mvn" 1 Kind::Bits(0), 0b00101;
        Fabs "fabs" 0 Kind::Float(1), 0b01111;
        Fneg "fneg" 1 Kind::Float(1), 0b01111;
        Fsqrt "fsqrt" 1 Kind::Float(1), 0b11111;
        Frecpe "frecpe" 0 Kind::Float(1), 0b11101;
        Frsqrte "frsqrte" 1 Kind::Float(1), 0b11101;
        Scvtf "scvtf" 0 Kind::Float(0), 0b11101;
        Fcvtzs "fcvtzs" 0 Kind::Float(1), 0b11011;
    }
}

/// Shifts of lanes by a constant: left by 0 to one less than the bits of a lane, right by 1 to those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum VecShift {
    Shl,
    Ushr,
    Sshr,
}

/// An instruction on vectors. Lanes are those of the destination unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // of fields: the line above each variant shows them
pub enum VectorInst {
    /// `op dst, a, b`
    Three { op: VecThree, lanes: Lanes, dst: Vec, a: Vec, b: Vec },
    /// `op dst, src`
    Two { op: VecTwo, lanes: Lanes, dst: Vec, src: Vec },
    /// `op dst, src, #amount`
    Shift { op: VecShift, lanes: Lanes, dst: Vec, src: Vec, amount: u8 },
    /// `ext dst, a, b, #from`: bytes of the pair from byte `from` on
    Ext { quad: bool, dst: Vec, a: Vec, b: Vec, from: u8 },
    /// `dup dst, src`: a register in all lanes
    Dup { lanes: Lanes, dst: Vec, src: Reg },
    /// `dup dst, src[0]`
    DupLane { lanes: Lanes, dst: Vec, src: Vec },
    /// `mov dst[lane], src`: the other lanes stay
    Insert { size: Size, lane: u8, dst: Vec, src: Reg },
    /// `umov dst, src[lane]`, zero-extended; `mov` for 32 and 64 bits
    Extract { size: Size, lane: u8, dst: Reg, src: Vec },
    /// `movi dst, #imm, lsl #(bits - 8)`: eight bits at the top of each lane, of at most 32 bits
    Movi { lanes: Lanes, dst: Vec, imm: u8, at_top: bool },
    /// `fcvtl`, `fcvtl2`: the lower half of `src`, or the upper one, to lanes of `size` twice as wide, 32 or 64 bits
    Fcvtl { size: Size, upper: bool, dst: Vec, src: Vec },
    /// `fcvtn`, `fcvtn2`: lanes of `size`, 32 or 64 bits, to half as wide ones in the lower half of `dst`, whose upper one is cleared; or in the
    /// upper one, and the lower one stays
    Fcvtn { size: Size, upper: bool, dst: Vec, src: Vec },
    /// `xtn dst, src`: the low half of each lane of 64 bits
    Xtn { dst: Vec, src: Vec },
    /// `uaddlp dst, src`: sums of neighbours among four lanes of 32 bits, in 64
    Uaddlp { dst: Vec, src: Vec },
    /// `umlal dst, a, b`: products of the lower two lanes of 32 bits, added to 64
    Umlal { dst: Vec, a: Vec, b: Vec },
    /// `addv b, v.8b`: sum of the bytes
    SumBytes { dst: Vec, src: Vec },
    /// `fmov s, w` or `fmov d, x`; clears the rest
    FmovTo { size: Size, dst: Vec, src: Reg },
    /// `fmov x, d`
    FmovFrom { dst: Reg, src: Vec },
}

const fn d(v: Vec) -> u32 {
    (v.0 & 31) as u32
}

const fn n(v: Vec) -> u32 {
    d(v) << 5
}

const fn m(v: Vec) -> u32 {
    d(v) << 16
}

const fn q(quad: bool) -> u32 {
    (quad as u32) << 30
}

/// Whether lanes have 64 bits, of two sizes that an instruction has.
const fn wide(size: Size) -> u32 {
    matches!(size, Size::B64) as u32
}

/// A lane by number and size, in one field.
const fn lane(size: Size, lane: u8) -> u32 {
    ((lane as u32) << 1 | 1) << (16 + size.log2())
}

impl VectorInst {
    /// The instruction's four bytes as a number.
    #[inline]
    pub const fn encode(self) -> u32 {
        match self {
            VectorInst::Three { op, lanes, dst, a, b } => {
                let Row { u, kind, opcode, .. } = op.row();
                let operands = q(lanes.quad) | u << 29 | m(b) | n(a) | d(dst);
                operands
                    | match kind {
                        Kind::Integer => 0x0e20_0400 | (lanes.size as u32) << 22 | opcode << 11,
                        Kind::Bits(size) => 0x0e20_0400 | size << 22 | opcode << 11,
                        Kind::Float(high) if lanes.size as u32 == Size::B16 as u32 => {
                            0x0e40_0400 | high << 23 | (opcode & 0b111) << 11
                        }
                        Kind::Float(high) => 0x0e20_0400 | high << 23 | wide(lanes.size) << 22 | opcode << 11,
                    }
            }
            VectorInst::Two { op, lanes, dst, src } => {
                let Row { u, kind, opcode, .. } = op.row();
                let operands = q(lanes.quad) | u << 29 | opcode << 12 | n(src) | d(dst);
                operands
                    | match kind {
                        Kind::Integer => 0x0e20_0800 | (lanes.size as u32) << 22,
                        Kind::Bits(size) => 0x0e20_0800 | size << 22,
                        Kind::Float(high) if lanes.size as u32 == Size::B16 as u32 => 0x0e78_0800 | high << 23,
                        Kind::Float(high) => 0x0e20_0800 | high << 23 | wide(lanes.size) << 22,
                    }
            }
            VectorInst::Shift { op, lanes, dst, src, amount } => {
                let bits = 8 << lanes.size.log2();
                let (head, field) = match op {
                    VecShift::Shl => (0x0f00_5400, bits + amount as u32),
                    VecShift::Ushr => (0x2f00_0400, 2 * bits - amount as u32),
                    VecShift::Sshr => (0x0f00_0400, 2 * bits - amount as u32),
                };
                head | q(lanes.quad) | (field & 0x7f) << 16 | n(src) | d(dst)
            }
            VectorInst::Ext { quad, dst, a, b, from } => 0x2e00_0000 | q(quad) | m(b) | (from as u32 & 15) << 11 | n(a) | d(dst),
            VectorInst::Dup { lanes, dst, src } => 0x0e00_0c00 | q(lanes.quad) | lane(lanes.size, 0) | src.number() << 5 | d(dst),
            VectorInst::DupLane { lanes, dst, src } => 0x0e00_0400 | q(lanes.quad) | lane(lanes.size, 0) | n(src) | d(dst),
            VectorInst::Insert { size, lane: index, dst, src } => 0x4e00_1c00 | lane(size, index) | src.number() << 5 | d(dst),
            VectorInst::Extract { size, lane: index, dst, src } => {
                0x0e00_3c00 | wide(size) << 30 | lane(size, index) | n(src) | dst.number()
            }
            VectorInst::Movi { lanes, dst, imm, at_top } => {
                let mode = match lanes.size {
                    Size::B8 => 0b1110,
                    Size::B16 => 0b1000 | (at_top as u32) << 1,
                    Size::B32 | Size::B64 => (at_top as u32 * 3) << 1,
                };
                let [high, low] = [imm as u32 >> 5, imm as u32 & 31];
                0x0f00_0400 | q(lanes.quad) | high << 16 | mode << 12 | low << 5 | d(dst)
            }
            VectorInst::Fcvtl { size, upper, dst, src } => 0x0e21_7800 | q(upper) | wide(size) << 22 | n(src) | d(dst),
            VectorInst::Fcvtn { size, upper, dst, src } => 0x0e21_6800 | q(upper) | wide(size) << 22 | n(src) | d(dst),
            VectorInst::Xtn { dst, src } => 0x0ea1_2800 | n(src) | d(dst),
            VectorInst::Uaddlp { dst, src } => 0x6ea0_2800 | n(src) | d(dst),
            VectorInst::Umlal { dst, a, b } => 0x2ea0_8000 | m(b) | n(a) | d(dst),
            VectorInst::SumBytes { dst, src } => 0x0e31_b800 | n(src) | d(dst),
            VectorInst::FmovTo { size, dst, src } => 0x1e27_0000 | wide(size) << 31 | wide(size) << 22 | src.number() << 5 | d(dst),
            VectorInst::FmovFrom { dst, src } => 0x9e66_0000 | n(src) | dst.number(),
        }
    }
}

/// A register with its lanes.
struct Of(Vec, Lanes);

impl Display for Of {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "v{}.{}", self.0.0, self.1)
    }
}

/// A general-purpose register next to lanes of a size.
struct General(Size, Reg);

impl Display for General {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        super::print::Sized(if self.0 == Size::B64 { Size::B64 } else { Size::B32 }, self.1).fmt(f)
    }
}

const fn half(size: Size) -> Size {
    match size {
        Size::B64 => Size::B32,
        Size::B32 => Size::B16,
        Size::B16 | Size::B8 => Size::B8,
    }
}

impl Display for VectorInst {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let full = |size| Lanes { size, quad: true };
        match *self {
            VectorInst::Three { op: VecThree::Orr, lanes, dst, a, b } if a == b => {
                write!(f, "mov {}, {}", Of(dst, lanes.bytes()), Of(a, lanes.bytes()))
            }
            VectorInst::Three { op, lanes, dst, a, b } => {
                let lanes = if op.is_of_bits() { lanes.bytes() } else { lanes };
                write!(f, "{} {}, {}, {}", op.row().name, Of(dst, lanes), Of(a, lanes), Of(b, lanes))
            }
            VectorInst::Two { op, lanes, dst, src } => {
                let lanes = if op.is_of_bits() { lanes.bytes() } else { lanes };
                write!(f, "{} {}, {}", op.row().name, Of(dst, lanes), Of(src, lanes))
            }
            VectorInst::Shift { op, lanes, dst, src, amount } => {
                let name = match op {
                    VecShift::Shl => "shl",
                    VecShift::Ushr => "ushr",
                    VecShift::Sshr => "sshr",
                };
                write!(f, "{name} {}, {}, #{amount:#x}", Of(dst, lanes), Of(src, lanes))
            }
            VectorInst::Ext { quad, dst, a, b, from } => {
                let [dst, a, b] = [dst, a, b].map(|v| Of(v, Lanes { size: Size::B8, quad }));
                write!(f, "ext {dst}, {a}, {b}, #{from:#x}")
            }
            VectorInst::Dup { lanes, dst, src } => write!(f, "dup {}, {}", Of(dst, lanes), General(lanes.size, src)),
            VectorInst::DupLane { lanes, dst, src } => write!(f, "dup {}, v{}.{}[0]", Of(dst, lanes), src.0, letter(lanes.size)),
            VectorInst::Insert { size, lane, dst, src } => {
                write!(f, "mov v{}.{}[{lane}], {}", dst.0, letter(size), General(size, src))
            }
            VectorInst::Extract { size, lane, dst, src } => {
                let name = if matches!(size, Size::B32 | Size::B64) { "mov" } else { "umov" };
                write!(f, "{name} {}, v{}.{}[{lane}]", General(size, dst), src.0, letter(size))
            }
            VectorInst::Movi { lanes, dst, imm, at_top } => {
                write!(f, "movi {}, #{imm:#x}", Of(dst, lanes))?;
                if at_top { write!(f, ", lsl #{}", (8 << lanes.size.log2()) - 8) } else { Ok(()) }
            }
            VectorInst::Fcvtl { size, upper, dst, src } => {
                let from = Lanes { size: half(size), quad: upper };
                write!(f, "fcvtl{} {}, {}", if upper { "2" } else { "" }, Of(dst, full(size)), Of(src, from))
            }
            VectorInst::Fcvtn { size, upper, dst, src } => {
                let to = Lanes { size: half(size), quad: upper };
                write!(f, "fcvtn{} {}, {}", if upper { "2" } else { "" }, Of(dst, to), Of(src, full(size)))
            }
            VectorInst::Xtn { dst, src } => write!(f, "xtn v{}.2s, v{}.2d", dst.0, src.0),
            VectorInst::Uaddlp { dst, src } => write!(f, "uaddlp v{}.2d, v{}.4s", dst.0, src.0),
            VectorInst::Umlal { dst, a, b } => write!(f, "umlal v{}.2d, v{}.2s, v{}.2s", dst.0, a.0, b.0),
            VectorInst::SumBytes { dst, src } => write!(f, "addv b{}, v{}.8b", dst.0, src.0),
            VectorInst::FmovTo { size, dst, src } => write!(f, "fmov {}{}, {}", letter(size), dst.0, General(size, src)),
            VectorInst::FmovFrom { dst, src } => write!(f, "fmov {dst}, d{}", src.0),
        }
    }
}
