//! A function from IR, ready to call.

use super::{Arena, CodePtr, Full};
use crate::ir::Ins;
use crate::lower::{Features, LowerError, Lowerer};
use std::io;

/// Most integer arguments a function takes.
pub const MAX_ARGUMENTS: usize = 6;

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

/// Machine code of one function in memory of its own.
///
/// ```no_run
/// use ejit::arena::Executable;
/// use ejit::ir::{AluOp, Ins, R, Src};
/// use ejit::lower::RESULT;
/// let add = [Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: R(0), b: Src::R(R(1)) }, Ins::Ret];
/// let add = Executable::from_ir(add)?;
/// // SAFETY: the function takes two integers, touches no memory, and returns.
/// assert_eq!(unsafe { add.call(&[40, 2]) }, 42);
/// # Ok::<(), ejit::arena::ExecutableError>(())
/// ```
#[derive(Debug)]
pub struct Executable {
    arena: Arena,
    entry: CodePtr,
}

impl Executable {
    /// Compiles a function of at most [`MAX_ARGUMENTS`] integers, which come in `R(0)`.., for the machine this runs on.
    ///
    /// # Errors
    ///
    /// If the stream can not be lowered, or there is no code memory.
    pub fn from_ir(ins: impl IntoIterator<Item = Ins>) -> Result<Executable, ExecutableError> {
        let ins: Vec<Ins> = ins.into_iter().collect();
        let mut code = Vec::new();
        // Where the code will lie is known once there is an arena, and how large that must be is bounded by the stream.
        let mut arena = Arena::new((ins.len() + 1) * MOST_BYTES, 0)?;
        Lowerer::new(Features::detect()).lower(&ins, arena.next_address(), &mut code)?;
        let entry = arena.publish(&code)?;
        Ok(Executable { arena, entry })
    }

    /// Where it starts.
    pub fn entry(&self) -> CodePtr {
        self.entry
    }

    /// Bytes of machine code, rounded up.
    pub fn code_bytes(&self) -> usize {
        self.arena.used().0
    }

    /// Calls the function.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_ARGUMENTS`] arguments.
    ///
    /// # Safety
    ///
    /// As for [`call`](call()).
    pub unsafe fn call(&self, args: &[u64]) -> u64 {
        // SAFETY: the code is alive as long as `self` is; the rest is the caller's promise.
        unsafe { call(self.entry, args) }
    }
}

/// No instruction lowers to more bytes: the longest (a variable 256-bit shift, a 256-bit product) take fewer.
const MOST_BYTES: usize = 256;

/// Calls published code as a function of integers.
///
/// # Panics
///
/// With more than [`MAX_ARGUMENTS`] arguments.
///
/// # Safety
///
/// `entry` is the start of a function in an arena that outlives the call; the function keeps the platform's calling convention (saves
/// what is callee-saved, returns); with these arguments it accesses only memory that it may.
pub unsafe fn call(entry: CodePtr, args: &[u64]) -> u64 {
    type Function = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64) -> u64;
    assert!(args.len() <= MAX_ARGUMENTS, "too many arguments");
    let mut all = [0; MAX_ARGUMENTS];
    all[..args.len()].copy_from_slice(args);
    let [a, b, c, d, e, f] = all;
    // SAFETY: the caller promises that a function of this convention is there; registers of arguments it does not take are free.
    unsafe {
        let function = core::mem::transmute::<*const (), Function>(entry.0 as *const ());
        function(a, b, c, d, e, f)
    }
}
