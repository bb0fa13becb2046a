//! From IR to machine instructions, one directory per target. Both are there on every host; [`Lowerer`] is that of the host.
//!
//! Owns the choice of machine instructions for each [`Ins`](crate::ir::Ins), labels and branch distances. Must never know the
//! EVM or where the code is stored; it is told the address. Invariant: an instruction changes its destination and its declared
//! temporaries, keeps flags where the IR says so, and lowering a stream takes time linear in its length and allocates nothing
//! once its buffers have grown.
//!
//! ```
//! use ejit::ir::{Ins, R};
//! use ejit::lower::x86_64::{Features, Lowerer};
//! let mut code = Vec::new();
//! Lowerer::new(Features::none()).lower(&[Ins::Mov { dst: R(6), src: R(0) }, Ins::Ret], 0x1000, &mut code)?;
//! assert_eq!(code, [0x48, 0x8b, 0xc7, 0xc3]); // mov rax, rdi; ret
//! # Ok::<(), ejit::lower::LowerError>(())
//! ```

#![forbid(unsafe_code)]

pub mod aarch64;
mod labels;
pub mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as host;
#[cfg(not(target_arch = "aarch64"))]
use x86_64 as host;

pub use host::{Features, Lowerer, REGISTERS, RESULT, RESULTS, VECTORS};

use crate::ir::{Ins, Label};

/// Why a stream was not lowered. `at` is the index of the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowerError {
    /// A register that the target does not have.
    Register {
        /// Index.
        at: usize,
    },
    /// A word in memory whose displacement leaves 32 bits.
    Displacement {
        /// Index.
        at: usize,
    },
    /// A label bound twice.
    Rebound {
        /// Index.
        at: usize,
        /// The label.
        label: Label,
    },
    /// A label number of [`MAX_LABELS`] or more.
    LabelNumber {
        /// Index.
        at: usize,
        /// The label.
        label: Label,
    },
    /// A branch to a label that is nowhere bound.
    Unbound {
        /// The label.
        label: Label,
    },
    /// A jump to, or through, an address that is too far from the code.
    Reach {
        /// Index.
        at: usize,
        /// The address.
        addr: u64,
    },
    /// A condition on carry or borrow where it depends on the way here which of the two the flags hold.
    Flags {
        /// Index.
        at: usize,
    },
    /// What the target, or a machine of these features, does not have.
    Unsupported {
        /// Index.
        at: usize,
        /// The instruction.
        ins: Ins,
        /// What it takes.
        needs: &'static str,
    },
    /// Fixed registers that an instruction demands on this target are not the ones given.
    FixedRegisters {
        /// Index.
        at: usize,
    },
    /// A reference forward that its instruction does not reach: on aarch64 1 MiB, or where the stream is lowered as a whole 128 MiB.
    Far,
    /// More than [`MAX_INSTRUCTIONS`].
    TooLong,
}

impl core::fmt::Display for LowerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LowerError::Register { at } => write!(f, "instruction {at}: no such register on this target"),
            LowerError::Displacement { at } => write!(f, "instruction {at}: the displacement of the word's end leaves 32 bits"),
            LowerError::Rebound { at, label } => write!(f, "instruction {at}: label {} is bound already", label.0),
            LowerError::LabelNumber { at, label } => write!(f, "instruction {at}: label {} is not below {MAX_LABELS}", label.0),
            LowerError::Unbound { label } => write!(f, "label {} is never bound", label.0),
            LowerError::Reach { at, addr } => write!(f, "instruction {at}: {addr:#x} is out of reach"),
            LowerError::Flags { at } => {
                write!(f, "instruction {at}: the flags are of an addition or a subtraction, depending on the way here")
            }
            LowerError::Unsupported { at, ins, needs } => write!(f, "instruction {at}: {ins} needs {needs}"),
            LowerError::FixedRegisters { at } => write!(f, "instruction {at}: not the registers that it demands on this target"),
            LowerError::Far => f.write_str("a reference forward is too far: lowered as a whole, streams have a longer reach"),
            LowerError::TooLong => write!(f, "the stream has more than {MAX_INSTRUCTIONS} instructions"),
        }
    }
}

impl core::error::Error for LowerError {}

/// Label numbers are below this. A lowerer keeps some bytes (4 on x86-64, 12 on aarch64) for each number up to the highest it has met.
pub const MAX_LABELS: u32 = 1 << 24;

/// No instruction lowers to more bytes, what it puts out of line and the constant it loads included.
pub const MOST_BYTES: usize = 640;

/// The most instructions of a stream: with [`MOST_BYTES`] each it is 1.25 GiB, over which 32-bit distances reach.
pub const MAX_INSTRUCTIONS: usize = 1 << 21;
