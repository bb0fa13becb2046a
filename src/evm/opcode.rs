//! The opcode table: every fact about an opcode that does not depend on gas stands here and nowhere else.
//!
//! A row is `byte NAME (inputs -> outputs) immediate Class FORK`. Enumerations of opcodes, names, stack effects and the
//! splitting of code into blocks and gas sections follow from it.

use revm_primitives::hardfork::SpecId;

/// What an opcode is to the block splitter, the translator and the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Ends execution of the frame: STOP, RETURN, REVERT, INVALID, SELFDESTRUCT.
    Terminal,
    /// A function of its operands alone (arithmetic, logic, comparison, shifts).
    Pure,
    /// PUSH0..PUSH32: a constant.
    Push,
    /// POP.
    Pop,
    /// DUP1..DUP16.
    Dup,
    /// SWAP1..SWAP16.
    Swap,
    /// DUPN, SWAPN, EXCHANGE (EIP-8024): stack operations with an immediate.
    StackN,
    /// Reads frame or environment; constant during a gas section.
    Env,
    /// MLOAD, MSTORE, MSTORE8, MSIZE: inside a section, may charge memory growth.
    Memory,
    /// Dynamic gas or an effect seen from outside, done by a runtime function: ends its gas section.
    Effect,
    /// CALL*, CREATE*: as `Effect`, and suspends the frame.
    Call,
    /// JUMP or JUMPI: ends its basic block.
    Jump,
    /// JUMPDEST: begins a basic block.
    JumpDest,
    /// Not an opcode in any fork.
    Undefined,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The specification's mnemonic; "UNDEFINED" where there is none.
    pub name: &'static str,
    /// Elements taken from the stack.
    pub inputs: u8,
    /// Elements put on the stack.
    pub outputs: u8,
    /// Bytes of immediate data after the opcode.
    pub immediate: u8,
    /// Kind of opcode.
    pub class: Class,
    /// First fork that has it.
    pub since: SpecId,
}

macro_rules! opcodes {
    ($($byte:literal $name:ident ($inputs:literal -> $outputs:literal) $imm:literal $class:ident $fork:ident;)*) => {
        $(#[doc = concat!("The opcode ", stringify!($name), ".")] pub const $name: u8 = $byte;)*
        /// The table, indexed by opcode byte.
        pub static OPCODES: [Info; 256] = OPCODE_TABLE;
        /// The same table for use in constants.
        pub(crate) const OPCODE_TABLE: [Info; 256] = {
            let mut table = [Info { name: "UNDEFINED", inputs: 0, outputs: 0, immediate: 0, class: Class::Undefined, since: SpecId::FRONTIER }; 256];
            $(table[$byte] = Info {
                name: stringify!($name), inputs: $inputs, outputs: $outputs, immediate: $imm,
                class: Class::$class, since: SpecId::$fork,
            };)*
            table
        };
    };
}

opcodes! {
    0x00 STOP (0 -> 0) 0 Terminal FRONTIER;
    0x01 ADD (2 -> 1) 0 Pure FRONTIER;
    0x02 MUL (2 -> 1) 0 Pure FRONTIER;
    0x03 SUB (2 -> 1) 0 Pure FRONTIER;
    0x04 DIV (2 -> 1) 0 Pure FRONTIER;
    0x05 SDIV (2 -> 1) 0 Pure FRONTIER;
    0x06 MOD (2 -> 1) 0 Pure FRONTIER;
    0x07 SMOD (2 -> 1) 0 Pure FRONTIER;
    0x08 ADDMOD (3 -> 1) 0 Pure FRONTIER;
    0x09 MULMOD (3 -> 1) 0 Pure FRONTIER;
    0x0a EXP (2 -> 1) 0 Effect FRONTIER;
    0x0b SIGNEXTEND (2 -> 1) 0 Pure FRONTIER;
    0x10 LT (2 -> 1) 0 Pure FRONTIER;
    0x11 GT (2 -> 1) 0 Pure FRONTIER;
    0x12 SLT (2 -> 1) 0 Pure FRONTIER;
    0x13 SGT (2 -> 1) 0 Pure FRONTIER;
    0x14 EQ (2 -> 1) 0 Pure FRONTIER;
    0x15 ISZERO (1 -> 1) 0 Pure FRONTIER;
    0x16 AND (2 -> 1) 0 Pure FRONTIER;
    0x17 OR (2 -> 1) 0 Pure FRONTIER;
    0x18 XOR (2 -> 1) 0 Pure FRONTIER;
    0x19 NOT (1 -> 1) 0 Pure FRONTIER;
    0x1a BYTE (2 -> 1) 0 Pure FRONTIER;
    0x1b SHL (2 -> 1) 0 Pure PETERSBURG;
    0x1c SHR (2 -> 1) 0 Pure PETERSBURG;
    0x1d SAR (2 -> 1) 0 Pure PETERSBURG;
    0x1e CLZ (1 -> 1) 0 Pure OSAKA;
    0x20 KECCAK256 (2 -> 1) 0 Effect FRONTIER;
    0x30 ADDRESS (0 -> 1) 0 Env FRONTIER;
    0x31 BALANCE (1 -> 1) 0 Effect FRONTIER;
    0x32 ORIGIN (0 -> 1) 0 Env FRONTIER;
    0x33 CALLER (0 -> 1) 0 Env FRONTIER;
    0x34 CALLVALUE (0 -> 1) 0 Env FRONTIER;
    0x35 CALLDATALOAD (1 -> 1) 0 Env FRONTIER;
    0x36 CALLDATASIZE (0 -> 1) 0 Env FRONTIER;
    0x37 CALLDATACOPY (3 -> 0) 0 Effect FRONTIER;
    0x38 CODESIZE (0 -> 1) 0 Env FRONTIER;
    0x39 CODECOPY (3 -> 0) 0 Effect FRONTIER;
    0x3a GASPRICE (0 -> 1) 0 Env FRONTIER;
    0x3b EXTCODESIZE (1 -> 1) 0 Effect FRONTIER;
    0x3c EXTCODECOPY (4 -> 0) 0 Effect FRONTIER;
    0x3d RETURNDATASIZE (0 -> 1) 0 Env BYZANTIUM;
    0x3e RETURNDATACOPY (3 -> 0) 0 Effect BYZANTIUM;
    0x3f EXTCODEHASH (1 -> 1) 0 Effect PETERSBURG;
    0x40 BLOCKHASH (1 -> 1) 0 Effect FRONTIER;
    0x41 COINBASE (0 -> 1) 0 Env FRONTIER;
    0x42 TIMESTAMP (0 -> 1) 0 Env FRONTIER;
    0x43 NUMBER (0 -> 1) 0 Env FRONTIER;
    0x44 DIFFICULTY (0 -> 1) 0 Env FRONTIER;
    0x45 GASLIMIT (0 -> 1) 0 Env FRONTIER;
    0x46 CHAINID (0 -> 1) 0 Env ISTANBUL;
    0x47 SELFBALANCE (0 -> 1) 0 Effect ISTANBUL;
    0x48 BASEFEE (0 -> 1) 0 Env LONDON;
    0x49 BLOBHASH (1 -> 1) 0 Effect CANCUN;
    0x4a BLOBBASEFEE (0 -> 1) 0 Env CANCUN;
    0x4b SLOTNUM (0 -> 1) 0 Env AMSTERDAM;
    0x50 POP (1 -> 0) 0 Pop FRONTIER;
    0x51 MLOAD (1 -> 1) 0 Memory FRONTIER;
    0x52 MSTORE (2 -> 0) 0 Memory FRONTIER;
    0x53 MSTORE8 (2 -> 0) 0 Memory FRONTIER;
    0x54 SLOAD (1 -> 1) 0 Effect FRONTIER;
    0x55 SSTORE (2 -> 0) 0 Effect FRONTIER;
    0x56 JUMP (1 -> 0) 0 Jump FRONTIER;
    0x57 JUMPI (2 -> 0) 0 Jump FRONTIER;
    0x58 PC (0 -> 1) 0 Env FRONTIER;
    0x59 MSIZE (0 -> 1) 0 Memory FRONTIER;
    0x5a GAS (0 -> 1) 0 Env FRONTIER;
    0x5b JUMPDEST (0 -> 0) 0 JumpDest FRONTIER;
    0x5c TLOAD (1 -> 1) 0 Effect CANCUN;
    0x5d TSTORE (2 -> 0) 0 Effect CANCUN;
    0x5e MCOPY (3 -> 0) 0 Effect CANCUN;
    0x5f PUSH0 (0 -> 1) 0 Push SHANGHAI;
    0x60 PUSH1 (0 -> 1) 1 Push FRONTIER;
    0x61 PUSH2 (0 -> 1) 2 Push FRONTIER;
    0x62 PUSH3 (0 -> 1) 3 Push FRONTIER;
    0x63 PUSH4 (0 -> 1) 4 Push FRONTIER;
    0x64 PUSH5 (0 -> 1) 5 Push FRONTIER;
    0x65 PUSH6 (0 -> 1) 6 Push FRONTIER;
    0x66 PUSH7 (0 -> 1) 7 Push FRONTIER;
    0x67 PUSH8 (0 -> 1) 8 Push FRONTIER;
    0x68 PUSH9 (0 -> 1) 9 Push FRONTIER;
    0x69 PUSH10 (0 -> 1) 10 Push FRONTIER;
    0x6a PUSH11 (0 -> 1) 11 Push FRONTIER;
    0x6b PUSH12 (0 -> 1) 12 Push FRONTIER;
    0x6c PUSH13 (0 -> 1) 13 Push FRONTIER;
    0x6d PUSH14 (0 -> 1) 14 Push FRONTIER;
    0x6e PUSH15 (0 -> 1) 15 Push FRONTIER;
    0x6f PUSH16 (0 -> 1) 16 Push FRONTIER;
    0x70 PUSH17 (0 -> 1) 17 Push FRONTIER;
    0x71 PUSH18 (0 -> 1) 18 Push FRONTIER;
    0x72 PUSH19 (0 -> 1) 19 Push FRONTIER;
    0x73 PUSH20 (0 -> 1) 20 Push FRONTIER;
    0x74 PUSH21 (0 -> 1) 21 Push FRONTIER;
    0x75 PUSH22 (0 -> 1) 22 Push FRONTIER;
    0x76 PUSH23 (0 -> 1) 23 Push FRONTIER;
    0x77 PUSH24 (0 -> 1) 24 Push FRONTIER;
    0x78 PUSH25 (0 -> 1) 25 Push FRONTIER;
    0x79 PUSH26 (0 -> 1) 26 Push FRONTIER;
    0x7a PUSH27 (0 -> 1) 27 Push FRONTIER;
    0x7b PUSH28 (0 -> 1) 28 Push FRONTIER;
    0x7c PUSH29 (0 -> 1) 29 Push FRONTIER;
    0x7d PUSH30 (0 -> 1) 30 Push FRONTIER;
    0x7e PUSH31 (0 -> 1) 31 Push FRONTIER;
    0x7f PUSH32 (0 -> 1) 32 Push FRONTIER;
    0x80 DUP1 (1 -> 2) 0 Dup FRONTIER;
    0x81 DUP2 (2 -> 3) 0 Dup FRONTIER;
    0x82 DUP3 (3 -> 4) 0 Dup FRONTIER;
    0x83 DUP4 (4 -> 5) 0 Dup FRONTIER;
    0x84 DUP5 (5 -> 6) 0 Dup FRONTIER;
    0x85 DUP6 (6 -> 7) 0 Dup FRONTIER;
    0x86 DUP7 (7 -> 8) 0 Dup FRONTIER;
    0x87 DUP8 (8 -> 9) 0 Dup FRONTIER;
    0x88 DUP9 (9 -> 10) 0 Dup FRONTIER;
    0x89 DUP10 (10 -> 11) 0 Dup FRONTIER;
    0x8a DUP11 (11 -> 12) 0 Dup FRONTIER;
    0x8b DUP12 (12 -> 13) 0 Dup FRONTIER;
    0x8c DUP13 (13 -> 14) 0 Dup FRONTIER;
    0x8d DUP14 (14 -> 15) 0 Dup FRONTIER;
    0x8e DUP15 (15 -> 16) 0 Dup FRONTIER;
    0x8f DUP16 (16 -> 17) 0 Dup FRONTIER;
    0x90 SWAP1 (2 -> 2) 0 Swap FRONTIER;
    0x91 SWAP2 (3 -> 3) 0 Swap FRONTIER;
    0x92 SWAP3 (4 -> 4) 0 Swap FRONTIER;
    0x93 SWAP4 (5 -> 5) 0 Swap FRONTIER;
    0x94 SWAP5 (6 -> 6) 0 Swap FRONTIER;
    0x95 SWAP6 (7 -> 7) 0 Swap FRONTIER;
    0x96 SWAP7 (8 -> 8) 0 Swap FRONTIER;
    0x97 SWAP8 (9 -> 9) 0 Swap FRONTIER;
    0x98 SWAP9 (10 -> 10) 0 Swap FRONTIER;
    0x99 SWAP10 (11 -> 11) 0 Swap FRONTIER;
    0x9a SWAP11 (12 -> 12) 0 Swap FRONTIER;
    0x9b SWAP12 (13 -> 13) 0 Swap FRONTIER;
    0x9c SWAP13 (14 -> 14) 0 Swap FRONTIER;
    0x9d SWAP14 (15 -> 15) 0 Swap FRONTIER;
    0x9e SWAP15 (16 -> 16) 0 Swap FRONTIER;
    0x9f SWAP16 (17 -> 17) 0 Swap FRONTIER;
    0xa0 LOG0 (2 -> 0) 0 Effect FRONTIER;
    0xa1 LOG1 (3 -> 0) 0 Effect FRONTIER;
    0xa2 LOG2 (4 -> 0) 0 Effect FRONTIER;
    0xa3 LOG3 (5 -> 0) 0 Effect FRONTIER;
    0xa4 LOG4 (6 -> 0) 0 Effect FRONTIER;
    0xe6 DUPN (0 -> 1) 1 StackN AMSTERDAM;
    0xe7 SWAPN (0 -> 0) 1 StackN AMSTERDAM;
    0xe8 EXCHANGE (0 -> 0) 1 StackN AMSTERDAM;
    0xf0 CREATE (3 -> 1) 0 Call FRONTIER;
    0xf1 CALL (7 -> 1) 0 Call FRONTIER;
    0xf2 CALLCODE (7 -> 1) 0 Call FRONTIER;
    0xf3 RETURN (2 -> 0) 0 Terminal FRONTIER;
    0xf4 DELEGATECALL (6 -> 1) 0 Call HOMESTEAD;
    0xf5 CREATE2 (4 -> 1) 0 Call PETERSBURG;
    0xfa STATICCALL (6 -> 1) 0 Call BYZANTIUM;
    0xfd REVERT (2 -> 0) 0 Terminal BYZANTIUM;
    0xfe INVALID (0 -> 0) 0 Terminal FRONTIER;
    0xff SELFDESTRUCT (1 -> 0) 0 Terminal FRONTIER;
}

impl Info {
    /// Bytes of the instruction, its immediate included.
    pub const fn size(&self) -> usize {
        1 + self.immediate as usize
    }

    /// Whether `fork` has this opcode.
    pub fn active(&self, fork: SpecId) -> bool {
        !matches!(self.class, Class::Undefined) && fork.is_enabled_in(self.since)
    }
}

/// The row of `op`.
#[inline]
pub const fn info(op: u8) -> &'static Info {
    &OPCODES[op as usize]
}
