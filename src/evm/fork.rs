//! Gas per fork, written as the previous fork plus its changes.

use super::SpecId;

/// Static gas of every opcode, and which opcodes exist, in one fork.
#[derive(Debug)]
pub struct Schedule {
    /// The fork.
    pub fork: SpecId,
    /// Gas charged for each opcode whatever its operands; 0 for what does not exist.
    pub static_gas: [u16; 256],
}

/// The schedule of a fork.
pub fn schedule(_fork: SpecId) -> &'static Schedule {
    static FRONTIER: Schedule = Schedule { fork: SpecId::FRONTIER, static_gas: [3; 256] };
    &FRONTIER
}
