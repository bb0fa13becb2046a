//! A function from IR, ready to call.

use super::pages::Pages;
use super::pool::Lease;
use super::{Arguments, CodePtr, Full, Function, Results, call};
use crate::ir::Ins;
use crate::lower::{Features, LowerError, Lowerer, MAX_INSTRUCTIONS, MOST_BYTES};
use std::io;

/// Why there is no executable.
#[derive(Debug)]
pub enum ExecutableError {
    /// The stream was not lowered.
    Lower(LowerError),
    /// The system refused code memory.
    Memory(io::Error),
    /// The code is larger than its arena.
    Full(Full),
}

impl core::fmt::Display for ExecutableError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ExecutableError::Lower(error) => error.fmt(f),
            ExecutableError::Memory(error) => error.fmt(f),
            ExecutableError::Full(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ExecutableError {}

impl From<LowerError> for ExecutableError {
    fn from(error: LowerError) -> ExecutableError {
        ExecutableError::Lower(error)
    }
}

impl From<io::Error> for ExecutableError {
    fn from(error: io::Error) -> ExecutableError {
        ExecutableError::Memory(error)
    }
}

impl From<Full> for ExecutableError {
    fn from(error: Full) -> ExecutableError {
        ExecutableError::Full(error)
    }
}

/// Machine code of one function in pages of its own, or of a [`Pool`](super::Pool).
///
/// ```
/// use ejit::arena::Executable;
/// use ejit::ir::{AluOp, Ins, R, Src};
/// use ejit::lower::RESULT;
/// let add = [Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: R(0), b: Src::R(R(1)) }, Ins::Ret];
/// let add = Executable::from_ir(add)?;
/// let add = add.function::<(u64, u64), u64>();
/// // SAFETY: the function takes two integers, touches no memory, and returns one.
/// assert_eq!(unsafe { add.call((40, 2)) }, 42);
/// # Ok::<(), ejit::arena::ExecutableError>(())
/// ```
#[derive(Debug)]
pub struct Executable {
    pub(super) memory: Memory,
    pub(super) code_bytes: usize,
}

/// What a function lies in.
#[derive(Debug)]
pub(super) enum Memory {
    Own(Pages),
    Kept(Lease),
}

impl Executable {
    /// Compiles a function for the machine this runs on. Its arguments, at most [`MAX_ARGUMENTS`](super::MAX_ARGUMENTS) integers, are in `R(0)`.. .
    ///
    /// # Errors
    ///
    /// If the stream can not be lowered, or there is no code memory.
    pub fn from_ir(ins: impl IntoIterator<Item = Ins>) -> Result<Executable, ExecutableError> {
        Executable::with_features(ins, Features::detect())
    }

    /// The same for a machine with these features.
    ///
    /// # Errors
    ///
    /// As for [`from_ir`](Executable::from_ir).
    pub fn with_features(ins: impl IntoIterator<Item = Ins>, features: Features) -> Result<Executable, ExecutableError> {
        let mut stream = Vec::new();
        collect(ins, &mut stream);
        // The address is to be known before the code is: its size is bounded by that of the stream.
        let pages = Pages::new(most_bytes(stream.len()))?;
        let mut lowerer = Lowerer::new(features);
        let code = lowerer.stream(&stream, pages.address())?;
        Ok(Executable { memory: Memory::Own(pages.publish(code)?), code_bytes: code.len() })
    }

    /// Where it starts.
    pub fn entry(&self) -> CodePtr {
        match &self.memory {
            Memory::Own(pages) => CodePtr(pages.address()),
            Memory::Kept(lease) => lease.entry(),
        }
    }

    /// Bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.code_bytes
    }

    /// As a function of `A` that returns `T`.
    pub fn function<A: Arguments, T: Results>(&self) -> Function<'_, A, T> {
        // SAFETY: the memory lives, unchanged, as long as `self` does.
        unsafe { Function::new(self.entry()) }
    }

    /// Calls it as a function of integers.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_ARGUMENTS`](super::MAX_ARGUMENTS) arguments.
    ///
    /// # Safety
    ///
    /// As for [`Function::call`].
    pub unsafe fn call(&self, args: &[u64]) -> u64 {
        // SAFETY: the code is alive as long as `self` is; the rest is the caller's promise.
        unsafe { call(self.entry(), args) }
    }
}

/// The stream as a slice, cut where it is too long to be lowered anyway.
pub(super) fn collect(stream: impl IntoIterator<Item = Ins>, into: &mut Vec<Ins>) {
    into.clear();
    into.extend(stream.into_iter().take(MAX_INSTRUCTIONS + 1));
}

/// The most bytes of machine code that so many instructions become.
pub(super) fn most_bytes(instructions: usize) -> usize {
    (instructions + 1).saturating_mul(MOST_BYTES)
}
