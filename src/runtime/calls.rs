//! CALL*, CREATE*: their price, the request that they leave in the frame, and how the frame goes on when the child has ended.

use super::{Flow, address, is_zero, length, run, words};
use crate::abi::{CallKind, CallRequest, CreateRequest, Exit, Frame, Host, Request};
use crate::evm::fork::KECCAK_WORD;
use revm_primitives::{Address, Bytes, U256};

/// A CALL* of the given [`CallKind`].
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp); `H` is the type of `frame.host`.
pub(super) unsafe extern "C" fn call<H: Host, const KIND: u8>(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, |frame| request_call::<H, KIND>(frame)) }
}

const fn kind(kind: u8) -> CallKind {
    const KINDS: [CallKind; 4] = [CallKind::Call, CallKind::CallCode, CallKind::DelegateCall, CallKind::StaticCall];
    KINDS[kind as usize]
}

/// Grows memory to the range that operands `at` (offset) and `at + 1` (length) describe. An empty range is wherever it is.
#[inline(always)]
fn range(frame: &mut Frame, at: usize) -> Flow<(usize, usize)> {
    let len = length(&frame.operand(at + 1))?;
    if len == 0 {
        return Ok((0, 0));
    }
    let offset = length(&frame.operand(at))?;
    frame.touch(offset, len)?;
    Ok((offset as usize, len as usize))
}

#[inline(always)]
fn request_call<H: Host, const KIND: u8>(frame: &mut Frame) -> Flow {
    let kind = const { kind(KIND) };
    let sends_value = matches!(kind, CallKind::Call | CallKind::CallCode);
    let wanted_gas = super::saturated(&frame.operand(1));
    let to = address(&frame.operand(2));
    let with_value = sends_value && !is_zero(&frame.operand(3));
    if kind == CallKind::Call && frame.is_static && with_value {
        return Err(Exit::CallInStatic);
    }
    let ranges = if sends_value { 4 } else { 3 };
    frame.require_stack(ranges + 3)?;
    let input = range(frame, ranges)?;
    let output = range(frame, ranges + 2)?;
    let gas_limit = price_call::<H>(frame, kind, to, with_value, wanted_gas)?;

    // Copied from its place or written as a whole, as it will be read.
    let usual = *if kind == CallKind::DelegateCall { &frame.value } else { &U256::ZERO };
    frame.request = Request::Call(CallRequest { kind, gas_limit, code_address: to, value: usual, input, output });
    if with_value {
        let value = frame.operand(3).into_limbs();
        if let Request::Call(request) = &mut frame.request {
            super::word::write_in_halves(&mut request.value, value);
        }
    }
    frame.drop_operands(ranges + 3);
    Err(Exit::Suspend)
}

/// Loads the called account, and the one it delegates to; pays for both, for value and creation, and for the child's gas, which is returned with
/// the stipend. Nothing is paid before the host has answered, so that the instruction can be repeated.
#[inline(always)]
fn price_call<H: Host>(frame: &mut Frame, kind: CallKind, to: Address, with_value: bool, wanted_gas: u64) -> Flow<u64> {
    let schedule = frame.schedule();
    let mut left = frame.gas as u64;
    if with_value {
        left = left.checked_sub(schedule.call_value).ok_or(Exit::OutOfGas)?;
    }
    // SAFETY: `H` is the host's type by this function's instantiation in its table.
    let host = unsafe { frame.host::<H>() };
    let target = host.call_target(to, left < schedule.cold_account)?;
    let mut cost = if target.is_cold { schedule.cold_account } else { 0 };
    if kind == CallKind::Call && target.is_empty {
        if with_value || !schedule.empty_is_nonexistent {
            cost += schedule.new_account;
        }
    } else if let Some(delegate) = target.delegate {
        cost += schedule.warm_access;
        if cost > left {
            return Err(Exit::OutOfGas);
        }
        if host.call_delegate(delegate, left < cost + schedule.cold_account)? {
            cost += schedule.cold_account;
        }
    }
    left = left.checked_sub(cost).ok_or(Exit::OutOfGas)?;

    let child = if schedule.keeps_a_64th { wanted_gas.min(left - left / 64) } else { wanted_gas };
    left = left.checked_sub(child).ok_or(Exit::OutOfGas)?;
    frame.gas = left as i64;
    Ok(if with_value { child.saturating_add(schedule.call_stipend) } else { child })
}

/// CREATE, or CREATE2 if `SALTED`.
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
pub(super) unsafe extern "C" fn create<const SALTED: bool>(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, request_create::<SALTED>) }
}

fn request_create<const SALTED: bool>(frame: &mut Frame) -> Flow {
    frame.require_not_static()?;
    let schedule = frame.schedule();
    let value = frame.operand(1);
    let len = length(&frame.operand(3))?;
    if len != 0 && schedule.init_code_word != 0 {
        if len > frame.init_code_limit as u64 {
            return Err(Exit::InitCodeLimit);
        }
        frame.charge(schedule.init_code_word * words(len))?;
    }
    let code = range(frame, 2)?;
    let salt = if SALTED {
        frame.require_stack(4)?;
        frame.charge(schedule.create.saturating_add(KECCAK_WORD.saturating_mul(words(len))))?;
        Some(frame.operand(4))
    } else {
        frame.charge(schedule.create)?;
        None
    };
    let left = frame.gas as u64;
    let gas_limit = if schedule.keeps_a_64th { left - left / 64 } else { left };
    frame.gas -= gas_limit as i64;
    frame.request = Request::Create(CreateRequest { salt, gas_limit, value, code });
    frame.drop_operands(if SALTED { 4 } else { 3 });
    Err(Exit::Suspend)
}

/// How a child frame ended, as its parent sees it. A call that never began for want of balance or depth counts as reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// STOP, RETURN, SELFDESTRUCT.
    Success,
    /// REVERT: gas left comes back, the output counts.
    Revert,
    /// Anything else: no gas comes back.
    Halt,
}

impl Outcome {
    /// The outcome of a frame that ended so.
    pub const fn of(end: Exit) -> Outcome {
        match end {
            Exit::Stop | Exit::Return | Exit::SelfDestruct => Outcome::Success,
            Exit::Revert => Outcome::Revert,
            _ => Outcome::Halt,
        }
    }
}

impl Frame {
    /// Takes back a child's gas and refund; `return_data`, which the frame does not own, becomes what RETURNDATACOPY sees.
    #[inline]
    fn settle(&mut self, outcome: Outcome, gas_left: u64, refund: i64, return_data: &[u8]) {
        if outcome != Outcome::Halt {
            self.gas += gas_left as i64;
        }
        if outcome == Outcome::Success {
            self.refund += refund;
        }
        (self.return_data, self.return_data_len) = (return_data.as_ptr(), return_data.len() as u64);
        self.request = Request::None;
    }
}

/// Gives a frame the result of the call it is suspended for: pushes success, copies output to `out_range` (offset and length in memory,
/// from the request), sets the return data, takes back gas and refund.
pub fn resume_call(frame: &mut Frame, outcome: Outcome, gas_left: u64, refund: i64, output: Bytes, out_range: (usize, usize)) {
    resume_call_lent(frame, outcome, gas_left, refund, &output, out_range);
    frame.return_bytes = output;
}

/// [`resume_call`] with output that stays where it is until the frame's next call.
#[inline]
pub fn resume_call_lent(frame: &mut Frame, outcome: Outcome, gas_left: u64, refund: i64, output: &[u8], out_range: (usize, usize)) {
    let (offset, len) = out_range;
    let copied = len.min(output.len());
    if copied != 0 && outcome != Outcome::Halt {
        frame.buffer[offset..offset + copied].copy_from_slice(&output[..copied]);
    }
    frame.settle(outcome, gas_left, refund, output);
    frame.replace(0, U256::from(outcome == Outcome::Success));
}

/// Gives a frame the result of the creation it is suspended for: pushes the address or 0, keeps the output of a REVERT as return data, takes back
/// gas and refund.
pub fn resume_create(frame: &mut Frame, outcome: Outcome, address: Address, gas_left: u64, refund: i64, output: Bytes) {
    let output = if outcome == Outcome::Revert { output } else { Bytes::new() };
    frame.settle(outcome, gas_left, refund, &output);
    frame.return_bytes = output;
    frame.replace(0, if outcome == Outcome::Success { address.into_word().into() } else { U256::ZERO });
}
