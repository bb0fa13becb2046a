//! aarch64: registers, operands and the names of operations. [`Inst`] is in `inst`, its printer in `print`; `vector` has what works on vector
//! registers.
//!
//! Mnemonics and encodings are those of the Arm Architecture Reference Manual for A-profile (DDI 0487), chapters C4, C6 and C7.

mod inst;
mod print;
mod vector;

pub use inst::{Inst, aim};
pub use vector::{Lanes, VecShift, VecThree, VecTwo, VectorInst};

/// A general-purpose register, the zero register or the stack pointer. The last two have one number, 31; the instruction and the position
/// of the operand say which of them it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reg(u8);

impl Reg {
    /// The zero register.
    pub const ZR: Reg = Reg(31);
    /// The stack pointer.
    pub const SP: Reg = Reg(63);
    /// The frame pointer, x29.
    pub const FP: Reg = Reg(29);
    /// The link register, x30.
    pub const LR: Reg = Reg(30);

    /// Register `n` of x0..=x30.
    #[inline(always)]
    pub const fn x(n: u8) -> Reg {
        debug_assert!(n <= 30);
        Reg(n)
    }

    /// The number in the encoding, 0..=31.
    #[inline(always)]
    pub const fn number(self) -> u32 {
        (self.0 & 31) as u32
    }
}

/// A vector register, 0..=31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vec(pub u8);

/// Size of a memory access, or of an operation (then 32 or 64 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Size {
    B8 = 0,
    B16 = 1,
    B32 = 2,
    B64 = 3,
}

impl Size {
    /// The logarithm of the number of bytes.
    #[inline(always)]
    pub const fn log2(self) -> u32 {
        self as u32
    }
}

/// Addition and subtraction; those with an `s` write the flags. By the bits `op` and `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Sum {
    Add = 0,
    Adds = 1,
    Sub = 2,
    Subs = 3,
}

/// Bitwise operations; those with an `n` complement the second operand. By the bits `opc` and `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Logic {
    And = 0,
    Bic = 1,
    Orr = 2,
    Orn = 3,
    Eor = 4,
    Eon = 5,
    Ands = 6,
    Bics = 7,
}

/// Moves of 16 bits: the others become zero, one, or stay. By the field `opc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum MovWide {
    Movn = 0,
    Movz = 2,
    Movk = 3,
}

/// Shifts, by the field `shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Shift {
    Lsl = 0,
    Lsr = 1,
    Asr = 2,
    Ror = 3,
}

/// Three registers: products and quotients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Binary {
    Umulh,
    Smulh,
    Udiv,
    Sdiv,
}

/// Two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Unary {
    Rbit = 0,
    Rev = 3,
    Clz = 4,
}

/// Conditions, by number; complements differ in the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Cond {
    Eq = 0,
    Ne = 1,
    Hs = 2,
    Lo = 3,
    Mi = 4,
    Pl = 5,
    Vs = 6,
    Vc = 7,
    Hi = 8,
    Ls = 9,
    Ge = 10,
    Lt = 11,
    Gt = 12,
    Le = 13,
}

impl Cond {
    /// All, by number.
    #[rustfmt::skip]
    pub const ALL: [Cond; 14] = [
        Cond::Eq, Cond::Ne, Cond::Hs, Cond::Lo, Cond::Mi, Cond::Pl, Cond::Vs, Cond::Vc, Cond::Hi, Cond::Ls, Cond::Ge, Cond::Lt, Cond::Gt, Cond::Le,
    ];

    /// The condition that holds when this one does not.
    #[inline(always)]
    pub const fn inverse(self) -> Cond {
        Cond::ALL[(self as usize) ^ 1]
    }
}

/// A second operand of twelve bits, shifted left by none or by twelve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Imm12(u16);

impl Imm12 {
    /// `value` as such an operand, if it is one.
    #[inline(always)]
    pub const fn new(value: u64) -> Option<Imm12> {
        if value < 1 << 12 {
            Some(Imm12(value as u16))
        } else if value < 1 << 24 && value & 0xfff == 0 {
            Some(Imm12((value >> 12) as u16 | 1 << 12))
        } else {
            None
        }
    }

    /// Nothing.
    pub const ZERO: Imm12 = Imm12(0);

    /// The low twelve bits of a number.
    #[inline(always)]
    pub const fn low(value: u64) -> Imm12 {
        Imm12(value as u16 & 0xfff)
    }

    /// The bits, with that of the shift above them.
    #[inline(always)]
    const fn bits(self) -> u32 {
        self.0 as u32
    }
}

/// A logical immediate: a rotated run of ones, repeated (`DecodeBitMasks` in the manual). `N`, `immr` and `imms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mask(u16);

impl Mask {
    /// `value` as such an immediate, if it is one.
    pub const fn new(value: u64) -> Option<Mask> {
        if value == 0 || value == u64::MAX {
            return None;
        }
        let mut size = 64;
        while size > 2 && value == value.rotate_right(size / 2) {
            size /= 2;
        }
        let element = value & (u64::MAX >> (64 - size));
        let ones = element.count_ones();
        // Where the run begins; one that wraps around begins in the ones at the top.
        let start = match element & 1 {
            0 => element.trailing_zeros(),
            _ => (size - (!(element << (64 - size))).leading_zeros()) % size,
        };
        // Rotated by a multiple of its period, the value as a whole is what it was.
        let run = u64::MAX >> (64 - ones);
        if value.rotate_right(start) & (u64::MAX >> (64 - size)) != run {
            return None;
        }
        let rotate = (size - start) % size;
        let imms = (!(2 * size - 1) & 0x3f) | (ones - 1);
        let n = (size == 64) as u16;
        Some(Mask(n << 12 | (rotate << 6) as u16 | imms as u16))
    }

    /// The 64 bits that it stands for.
    pub const fn value(self) -> u64 {
        let imms = (self.0 & 0x3f) as u32;
        let size = if self.0 >> 12 != 0 { 64 } else { 32 >> (!(imms << 26)).leading_zeros() };
        let ones = (imms & (size - 1)) + 1;
        let mut value = u64::MAX >> (64 - ones);
        let mut filled = size;
        while filled < 64 {
            value |= value << filled;
            filled *= 2;
        }
        value.rotate_right((self.0 >> 6 & 0x3f) as u32)
    }

    #[inline(always)]
    const fn bits(self) -> u32 {
        self.0 as u32
    }
}

/// The address of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// `[base, #offset]`, a multiple of the size from 0 to 4095 times the size, in bytes.
    Scaled(Reg, u16),
    /// `[base, #offset]`, -256..=255 bytes.
    Unscaled(Reg, i16),
    /// `[base, index]`, or `[base, index, lsl #n]` with the logarithm of the size.
    Indexed(Reg, Reg, bool),
}

impl Addr {
    /// `[base, #offset]` in the form there is for it, if there is one.
    #[inline(always)]
    pub const fn offset(base: Reg, offset: i64, log2: u32) -> Option<Addr> {
        if offset >= 0 && offset >> log2 < 1 << 12 && offset & ((1 << log2) - 1) == 0 {
            Some(Addr::Scaled(base, offset as u16))
        } else if offset >= -256 && offset < 256 {
            Some(Addr::Unscaled(base, offset as i16))
        } else {
            None
        }
    }
}

/// The address of a pair: `[base, #offset]`, a multiple of the register's size in bytes, from -64 to 63 times that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairAddr {
    /// At `base + offset`.
    Offset(Reg, i16),
    /// At `base + offset`, which becomes the base.
    Before(Reg, i16),
    /// At `base`, which becomes `base + offset`.
    After(Reg, i16),
}

impl PairAddr {
    /// `[base, #offset]` for registers of `1 << log2` bytes, if it is in range.
    #[inline(always)]
    pub const fn offset(base: Reg, offset: i64, log2: u32) -> Option<PairAddr> {
        let units = offset >> log2;
        if units >= -64 && units < 64 && units << log2 == offset { Some(PairAddr::Offset(base, offset as i16)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_what_they_stand_for() {
        let mut seen = 0;
        for size in [2, 4, 8, 16, 32, 64] {
            for ones in 1..size {
                for rotation in 0..size {
                    let run = (u64::MAX >> (64 - ones)).rotate_right(rotation);
                    let low = u64::MAX >> (64 - size);
                    let element = (run | run >> (64 - size)) & low;
                    let value = (0..64 / size).fold(0, |value, i| value | element << (i * size));
                    assert_eq!(Mask::new(value).map(Mask::value), Some(value), "{value:#x}");
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 5334);
    }

    #[test]
    fn other_values_are_no_masks() {
        for value in [0, u64::MAX, 5, 0b1011, 0x1234, 0xff00_ff01, 1 << 63 | 2, 0x5555_5555_5555_5554] {
            assert_eq!(Mask::new(value), None, "{value:#x}");
        }
    }
}
