//! The opcodes that the loop does not execute itself: those with a runtime function, those that end the frame, rare ones, and failures.

use crate::abi::{Callouts, Exit, Frame, FrameOp};
use crate::evm::STACK_LIMIT;
use crate::evm::opcode::{self, Class, info};
use crate::runtime::word;

/// Executes `op`, with `frame` in the state before the instruction except that `frame.pc` is past the opcode byte. Returns 0 or an exit code.
///
/// The order of checks is revm's: static gas, activation, static frame, stack.
///
/// # Safety
/// `frame` satisfies its invariants.
pub(super) unsafe fn execute(frame: &mut Frame, op: u8) -> u64 {
    let schedule = frame.schedule();
    frame.gas -= i64::from(schedule.static_gas[op as usize]);
    if frame.gas < 0 {
        return Exit::OutOfGas as u64;
    }
    if let Err(exit) = check(frame, op, schedule.active[op as usize]) {
        return exit as u64;
    }
    // SAFETY: `callouts` is valid for as long as the frame.
    let Some(operation) = operation(unsafe { &*frame.callouts }, op) else {
        // SAFETY: the caller's promise.
        return unsafe { rare(frame, op) }.map_or_else(|exit| exit as u64, |()| 0);
    };
    // SAFETY: the frame is borrowed exclusively, and the operands' presence was checked.
    let code = unsafe { operation(frame) };
    if code == Exit::Pending as u64 {
        frame.gas += i64::from(schedule.static_gas[op as usize]);
        frame.pc -= 1;
    }
    code
}

/// What revm checks before the first operand is used.
#[inline]
fn check(frame: &Frame, op: u8, active: bool) -> Result<(), Exit> {
    let changes_state = matches!(
        op,
        opcode::SSTORE | opcode::TSTORE | opcode::LOG0..=opcode::LOG4 | opcode::CREATE | opcode::CREATE2 | opcode::SELFDESTRUCT
    );
    if !active {
        return Err(match info(op).class {
            Class::Undefined => Exit::OpcodeNotFound,
            // revm looks at this first.
            _ if op == opcode::CREATE2 && frame.is_static => Exit::StateChangeInStatic,
            _ => Exit::NotActivated,
        });
    }
    if frame.depth_of_stack() < first_operands(op) {
        return Err(if changes_state && frame.is_static { Exit::StateChangeInStatic } else { Exit::StackUnderflow });
    }
    Ok(())
}

/// Operands that must be there before anything else of the instruction happens. The runtime functions look for the others.
#[inline]
fn first_operands(op: u8) -> usize {
    match op {
        opcode::LOG0..=opcode::LOG4 | opcode::DELEGATECALL | opcode::STATICCALL => 2,
        opcode::CALL | opcode::CALLCODE | opcode::CREATE2 => 3,
        _ => info(op).inputs as usize,
    }
}

/// The runtime function of an opcode.
#[inline]
fn operation(callouts: &Callouts, op: u8) -> Option<FrameOp> {
    Some(match op {
        opcode::EXP => callouts.exp,
        opcode::KECCAK256 => callouts.keccak256,
        opcode::BALANCE => callouts.balance,
        opcode::SELFBALANCE => callouts.selfbalance,
        opcode::EXTCODESIZE => callouts.extcodesize,
        opcode::EXTCODECOPY => callouts.extcodecopy,
        opcode::EXTCODEHASH => callouts.extcodehash,
        opcode::BLOCKHASH => callouts.blockhash,
        opcode::BLOBHASH => callouts.blobhash,
        opcode::CALLDATALOAD => callouts.calldataload,
        opcode::CALLDATACOPY => callouts.calldatacopy,
        opcode::CODECOPY => callouts.codecopy,
        opcode::RETURNDATACOPY => callouts.returndatacopy,
        opcode::MCOPY => callouts.mcopy,
        opcode::SLOAD => callouts.sload,
        opcode::SSTORE => callouts.sstore,
        opcode::TLOAD => callouts.tload,
        opcode::TSTORE => callouts.tstore,
        opcode::LOG0 => callouts.log0,
        opcode::LOG1 => callouts.log1,
        opcode::LOG2 => callouts.log2,
        opcode::LOG3 => callouts.log3,
        opcode::LOG4 => callouts.log4,
        opcode::CALL => callouts.call,
        opcode::CALLCODE => callouts.callcode,
        opcode::DELEGATECALL => callouts.delegatecall,
        opcode::STATICCALL => callouts.staticcall,
        opcode::CREATE => callouts.create,
        opcode::CREATE2 => callouts.create2,
        opcode::RETURN => callouts.ret,
        opcode::REVERT => callouts.revert,
        opcode::SELFDESTRUCT => callouts.selfdestruct,
        _ => return None,
    })
}

/// Opcodes without a runtime function that are too rare for the loop: INVALID, and those of Amsterdam.
///
/// # Safety
/// `frame` satisfies its invariants.
#[cold]
unsafe fn rare(frame: &mut Frame, op: u8) -> Result<(), Exit> {
    let depth = frame.depth_of_stack();
    // SAFETY: bytes follow every opcode, zeros at last.
    let immediate = usize::from(unsafe { *frame.code.add(frame.pc as usize) });
    let single = || match immediate {
        91..=127 => Err(Exit::InvalidImmediate),
        _ => Ok((immediate + 145) % 256),
    };
    // SAFETY: each read and written element is within the stack by the check before it.
    unsafe {
        match op {
            opcode::DUPN => {
                let n = single()?;
                if depth < n || depth == STACK_LIMIT {
                    return Err(Exit::StackOverflow);
                }
                word::write(frame.sp, word::read(frame.sp.sub(n)));
                frame.sp = frame.sp.add(1);
            }
            opcode::SWAPN => {
                let n = single()?;
                exchange(frame, 0, n)?;
            }
            opcode::EXCHANGE => {
                if (82..=127).contains(&immediate) {
                    return Err(Exit::InvalidImmediate);
                }
                let (high, low) = ((immediate ^ 143) / 16, (immediate ^ 143) % 16);
                let (n, m) = if high < low { (high + 1, low + 1) } else { (low + 1, 29 - high) };
                exchange(frame, n, m)?;
            }
            opcode::SLOTNUM => {
                if depth == STACK_LIMIT {
                    return Err(Exit::StackOverflow);
                }
                word::write(frame.sp, word::read(&(*frame.env).slot_number));
                frame.sp = frame.sp.add(1);
                return Ok(());
            }
            _ => return Err(Exit::InvalidOpcode),
        }
    }
    frame.pc += 1;
    Ok(())
}

/// Exchanges two elements, counted from 0 at the top.
fn exchange(frame: &mut Frame, n: usize, m: usize) -> Result<(), Exit> {
    if frame.depth_of_stack() <= n.max(m) {
        return Err(Exit::StackUnderflow);
    }
    // SAFETY: both are on the stack.
    unsafe { core::ptr::swap(frame.sp.sub(1 + n), frame.sp.sub(1 + m)) };
    Ok(())
}
