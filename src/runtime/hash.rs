//! KECCAK256.

use super::{Flow, length, memo, run, words};
use crate::abi::Frame;
use crate::evm::fork::KECCAK_WORD;
use revm_primitives::{KECCAK_EMPTY, U256};

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
        KECCAK_EMPTY.into()
    } else {
        let offset = length(&frame.operand(1))?;
        frame.touch(offset, len)?;
        // SAFETY: the frame's memo is null or its executor's, which runs this frame alone.
        let memo = unsafe { memo::of(frame.memo) };
        U256::from_limbs(memo::hash(frame.memory_range(offset, len), memo))
    };
    frame.replace(2, digest);
    Ok(())
}
