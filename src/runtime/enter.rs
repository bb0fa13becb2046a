//! The way into compiled code.

use crate::abi::{Exit, Frame};

/// Where compiled code is entered: the addresses of the entry stubs of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    enter: u64,
    resume: u64,
}

impl Entry {
    /// The entry stubs at these addresses.
    ///
    /// # Safety
    /// They are those of the published code of the labels of [`crate::translate::Stubs::enter`] and `resume`, and the arena outlives every use.
    pub unsafe fn new(enter: u64, resume: u64) -> Entry {
        Entry { enter, resume }
    }

    /// Runs `frame` in compiled code from the generic version of a block at `code` until it leaves.
    ///
    /// # Safety
    /// `code` is the address of such a version in the same arena, compiled for the frame's bytecode and fork; the frame's pointers are valid,
    /// its stack, memory, `pc_index` and `code_base` are as [`Frame`] says.
    #[inline]
    pub unsafe fn enter(self, frame: &mut Frame, code: u64) -> Exit {
        // SAFETY: the caller's promise, and that of `new`.
        unsafe { call(self.enter, frame, code) }
    }

    /// Goes on with a version, with the registers that compiled code left in `frame.saved`.
    ///
    /// # Safety
    /// As [`Entry::enter`]; the version's context holds.
    #[inline]
    pub unsafe fn resume(self, frame: &mut Frame, code: u64) -> Exit {
        // SAFETY: the caller's promise, and that of `new`.
        unsafe { call(self.resume, frame, code) }
    }
}

/// # Safety
/// `stub` is an entry stub, and `frame` and `code` are as it demands.
unsafe fn call(stub: u64, frame: &mut Frame, code: u64) -> Exit {
    // SAFETY: the stub has this signature.
    let stub: unsafe extern "C" fn(*mut Frame, u64) -> u64 = unsafe { core::mem::transmute(stub as usize) };
    // SAFETY: the caller upholds the contract of compiled code; it does not unwind and returns with the stack as it was.
    let exit = unsafe { stub(frame, code) };
    Exit::from_code(exit as u32).expect("compiled code leaves with an exit code")
}
