//! x86-64: registers, operands and the names of operations. [`Inst`] is in `inst`, its printer in `print`.
//!
//! Mnemonics and encodings are those of the Intel 64 Software Developer's Manual, volume 2.

mod encode;
mod inst;
mod limbs;
mod print;
mod vector;

pub use inst::Inst;
pub use limbs::Limbs;
pub use vector::{Coding, VectorInst, VectorOp, VectorRm};

/// A general-purpose register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // their names say all
pub enum Reg {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

impl Reg {
    /// All, by number.
    #[rustfmt::skip]
    pub const ALL: [Reg; 16] = [
        Reg::Rax, Reg::Rcx, Reg::Rdx, Reg::Rbx, Reg::Rsp, Reg::Rbp, Reg::Rsi, Reg::Rdi,
        Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::R12, Reg::R13, Reg::R14, Reg::R15,
    ];

    /// The number in the encoding, 0..=15.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The bit of this register in a set of registers.
    #[inline(always)]
    pub const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A vector register (128 bits), 0..=15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Xmm(pub u8);

/// `[base + (index << shift) + disp]`, in one machine word: base, index, shift a byte each, then the displacement. As a struct of
/// four fields it was written and read back in different widths, which cost lowering a third of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mem(u64);

/// What stands for the index where there is none: rsp can not be one.
const NO_INDEX: u8 = Reg::Rsp.number();

impl Mem {
    /// `[base + disp]`
    #[inline(always)]
    pub const fn new(base: Reg, disp: i32) -> Mem {
        Mem(base as u64 | (NO_INDEX as u64) << 8 | (disp as u32 as u64) << 32)
    }

    /// `[base + (index << shift) + disp]`; a `shift` of 0..=3. With `Rsp` as index, which the machine does not have, there is none.
    #[inline(always)]
    pub const fn indexed(base: Reg, index: Reg, shift: u8, disp: i32) -> Mem {
        Mem(base as u64 | (index as u64) << 8 | ((shift & 3) as u64) << 16 | (disp as u32 as u64) << 32)
    }

    /// The same with another displacement.
    #[inline(always)]
    pub const fn at(self, disp: i32) -> Mem {
        Mem(self.0 as u32 as u64 | (disp as u32 as u64) << 32)
    }

    /// Number of the base register.
    #[inline(always)]
    const fn base_number(self) -> u8 {
        self.0 as u8
    }

    /// Number of the index register, or [`NO_INDEX`].
    #[inline(always)]
    const fn index_number(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Base register.
    #[inline(always)]
    pub const fn base(self) -> Reg {
        Reg::ALL[(self.base_number() & 15) as usize]
    }

    /// Index register.
    #[inline(always)]
    pub const fn index(self) -> Option<Reg> {
        match self.index_number() {
            NO_INDEX => None,
            n => Some(Reg::ALL[(n & 15) as usize]),
        }
    }

    /// By how many bits the index is shifted.
    #[inline(always)]
    pub const fn shift(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Displacement in bytes.
    #[inline(always)]
    pub const fn disp(self) -> i32 {
        (self.0 >> 32) as i32
    }

    /// The set of registers it reads; that of the stack pointer may be in it.
    #[inline(always)]
    pub const fn bits(self) -> u16 {
        1 << self.base_number() | 1 << self.index_number()
    }
}

/// A register or memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rm {
    /// Register.
    R(Reg),
    /// Memory.
    M(Mem),
}

/// Operand size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Size {
    B8,
    B16,
    B32,
    B64,
}

/// The arithmetic group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// The shift group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Double-precision shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Double {
    Shld,
    Shrd,
}

/// BMI2 shifts, by mandatory prefix field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ShiftX {
    Shlx = 1,
    Sarx = 2,
    Shrx = 3,
}

/// Two-chain carry additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Adx {
    Adcx,
    Adox,
}

/// The unary group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Unary {
    Not = 2,
    Neg = 3,
    Mul = 4,
    Imul = 5,
    Div = 6,
    Idiv = 7,
}

/// Bit counts and scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Count {
    Bsf,
    Bsr,
    Tzcnt,
    Lzcnt,
    Popcnt,
}

/// Condition codes, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Cc {
    O = 0,
    No = 1,
    B = 2,
    Ae = 3,
    E = 4,
    Ne = 5,
    Be = 6,
    A = 7,
    S = 8,
    Ns = 9,
    L = 12,
    Ge = 13,
    Le = 14,
    G = 15,
}

impl Cc {
    /// The condition that holds when this one does not.
    #[rustfmt::skip]
    pub const fn inverse(self) -> Cc {
        match self {
            Cc::O => Cc::No, Cc::No => Cc::O, Cc::B => Cc::Ae, Cc::Ae => Cc::B, Cc::E => Cc::Ne, Cc::Ne => Cc::E,
            Cc::Be => Cc::A, Cc::A => Cc::Be, Cc::S => Cc::Ns, Cc::Ns => Cc::S, Cc::L => Cc::Ge, Cc::Ge => Cc::L,
            Cc::Le => Cc::G, Cc::G => Cc::Le,
        }
    }
}
