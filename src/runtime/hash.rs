//! KECCAK256.

use super::{Flow, length, run, words};
use crate::abi::Frame;
use crate::evm::fork::KECCAK_WORD;
use revm_primitives::{KECCAK_EMPTY, keccak256 as hash};

/// KECCAK256
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
pub(super) unsafe extern "C" fn keccak256(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, hash_memory) }
}

fn hash_memory(frame: &mut Frame) -> Flow {
    let len = length(&frame.operand(2))?;
    frame.charge(KECCAK_WORD * words(len))?;
    let digest = if len == 0 {
        KECCAK_EMPTY
    } else {
        let offset = length(&frame.operand(1))?;
        frame.touch(offset, len)?;
        hash(frame.memory_range(offset, len))
    };
    frame.replace(2, digest.into());
    Ok(())
}
