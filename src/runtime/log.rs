//! LOG0 to LOG4.

use super::{Flow, length, run};
use crate::abi::{Frame, Host};
use crate::evm::fork::{LOG_BYTE, LOG_TOPIC};
use revm_primitives::U256;

/// LOG with `N` topics.
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp); `H` is the type of `frame.host`.
pub(super) unsafe extern "C" fn log<H: Host, const N: usize>(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, |frame| append::<H, N>(frame)) }
}

fn append<H: Host, const N: usize>(frame: &mut Frame) -> Flow {
    frame.require_not_static()?;
    let len = length(&frame.operand(2))?;
    frame.charge(LOG_BYTE.saturating_mul(len).saturating_add(LOG_TOPIC * N as u64))?;
    let mut offset = 0;
    if len != 0 {
        offset = length(&frame.operand(1))?;
        frame.touch(offset, len)?;
    }
    frame.require_stack(2 + N)?;
    let topics: [U256; N] = core::array::from_fn(|n| frame.operand(3 + n));
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    unsafe { frame.host::<H>() }.log(frame.address, &topics, frame.memory_range(offset, len));
    frame.drop_operands(2 + N);
    Ok(())
}
