//! The way into compiled code.

use crate::abi::{Exit, Frame};

/// Where compiled code is entered: the address of the entry stub of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

impl Entry {
    /// The entry stub at `address`.
    ///
    /// # Safety
    /// `address` is that of the published code of [`crate::translate::Stubs::enter`]'s label, and the arena outlives every use.
    pub unsafe fn new(address: u64) -> Entry {
        Entry(address)
    }

    /// Runs `frame` in compiled code from the block at `code` until it leaves.
    ///
    /// # Safety
    /// `code` is the address of a block in the same arena, compiled for the frame's bytecode and fork; the frame's pointers are valid, its stack,
    /// memory, `pc_index` and `code_base` are as [`Frame`] says.
    pub unsafe fn enter(self, frame: &mut Frame, code: u64) -> Exit {
        // SAFETY: the stub has this signature, per `new`'s contract.
        let stub: unsafe extern "C" fn(*mut Frame, u64) -> u64 = unsafe { core::mem::transmute(self.0 as usize) };
        // SAFETY: the caller upholds the contract of compiled code; it does not unwind and returns with the stack as it was.
        let exit = unsafe { stub(frame, code) };
        Exit::from_code(exit as u32).expect("compiled code leaves with an exit code")
    }
}
