//! What the EVM is, apart from how it is executed: opcodes, gas per fork, code and its jump destinations, blocks.
//!
//! A leaf: imports nothing of the crate.

pub mod ahead;
pub mod block;
pub mod code;
pub mod fork;
mod jumps;
pub mod loops;
pub mod opcode;

pub use revm_primitives::{Address, B256, U256, hardfork::SpecId};

/// Elements that the EVM stack holds at most.
pub const STACK_LIMIT: usize = 1024;
