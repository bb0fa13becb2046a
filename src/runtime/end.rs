//! How a frame ends by itself: RETURN, REVERT, SELFDESTRUCT.

use super::{Flow, address, length, run};
use crate::abi::{Exit, Frame, Host};

/// RETURN
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
pub(super) unsafe extern "C" fn ret(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, |frame| output(frame, Exit::Return)) }
}

/// REVERT
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
pub(super) unsafe extern "C" fn revert(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, |frame| output(frame, Exit::Revert)) }
}

fn output(frame: &mut Frame, end: Exit) -> Flow {
    let len = length(&frame.operand(2))?;
    let mut offset = 0;
    if len != 0 {
        offset = length(&frame.operand(1))?;
        frame.touch(offset, len)?;
    }
    (frame.out_offset, frame.out_len) = (offset, len);
    frame.drop_operands(2);
    Err(end)
}

/// SELFDESTRUCT
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp); `H` is the type of `frame.host`.
pub(super) unsafe extern "C" fn selfdestruct<H: Host>(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, destroy::<H>) }
}

fn destroy<H: Host>(frame: &mut Frame) -> Flow {
    frame.require_not_static()?;
    let schedule = frame.schedule();
    let cold = schedule.cold_account + schedule.warm_access;
    let skip_cold = !frame.can_pay(cold);
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    let found = unsafe { frame.host::<H>() }.selfdestruct(frame.address, address(&frame.operand(1)), skip_cold)?;

    let creates = !found.target_exists && (found.had_value || !schedule.empty_is_nonexistent);
    let mut cost = if creates { schedule.selfdestruct_new_account } else { 0 };
    if found.is_cold {
        cost += cold;
    }
    frame.charge(cost)?;
    if !found.previously_destroyed {
        frame.refund += schedule.selfdestruct_refund as i64;
    }
    frame.drop_operands(1);
    Err(Exit::SelfDestruct)
}
