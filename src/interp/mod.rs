//! The interpreter: tier 0, the exact path that decides every failure, and the oracle of `check` mode.
//!
//! Three parts:
//!
//! - [`step`]: the fast path of each common opcode, as a function of registers (code pointer, stack pointer, gas) that makes no
//!   decision but whether it can do the instruction;
//! - [`exact`]: everything else out of line: runtime functions, growing memory, failures and their order;
//! - a way from one instruction to the next: [`threaded`], where each handler jumps to the next one's, or [`looped`], one
//!   loop around a `match`, for builds whose compiler does not turn the former's calls into jumps.
//!
//! Registers are written to the frame whenever `exact` is called and when the interpreter is left. Gas that an opcode costs in every fork is a
//! constant of its step.

mod exact;
mod looped;
mod step;
mod threaded;

use crate::abi::{Exit, Frame};

/// Executes `frame` from `frame.pc` until it ends, suspends or is pending, or until `frame.fuel` (which is decremented at each taken jump)
/// becomes 0: then `Exit::Hot`, with `frame.pc` the destination of the jump that was just made. With `COUNT`, executed instructions are added
/// to `frame.interpreted`.
///
/// The frame must satisfy its invariants, and all that it points to must be valid: whoever built it answers for that.
#[inline]
pub fn run<const COUNT: bool>(frame: &mut Frame) -> Exit {
    if frame.gas < 0 {
        return Exit::OutOfGas;
    }
    // SAFETY: whoever built the frame promises that it satisfies its invariants.
    exit_of(unsafe { if threaded::available() { threaded::execute::<COUNT>(frame) } else { looped::execute::<COUNT>(frame) } })
}

/// Whether [`run`] is threaded in this build, rather than a loop.
pub fn is_threaded() -> bool {
    threaded::available()
}

/// [`run`] by the loop, whatever the build; for tests.
#[doc(hidden)]
pub fn run_looped<const COUNT: bool>(frame: &mut Frame) -> Exit {
    if frame.gas < 0 {
        return Exit::OutOfGas;
    }
    // SAFETY: whoever built the frame promises that it satisfies its invariants.
    exit_of(unsafe { looped::execute::<COUNT>(frame) })
}

/// The exit with a code that a runtime function returned.
fn exit_of(code: u64) -> Exit {
    Exit::from_code(code as u32).expect("the code of an exit")
}
