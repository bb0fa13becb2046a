//! The ends of stack, gas and memory.

use crate::world::{Case, FORKS, GAS, Harness, LATEST, is_available};
use ejit::evm::opcode::{self as op, OPCODES};
use evm_tests::assemble::assemble;
use evm_tests::random::{Item, Program};
use revm::primitives::U256;
use revm::primitives::hardfork::SpecId;

/// `depth` elements, pushed in one block or by a loop, before `rest`.
fn at_depth(depth: usize, by_loop: bool, rest: &[Item]) -> Vec<u8> {
    let mut items = Vec::new();
    if by_loop {
        // The loop leaves `depth` elements; the last is zero, all others count down.
        items.extend([
            Item::Push(U256::from(depth - 1)),
            Item::Label(0),
            Item::Op(op::DUP1),
            Item::Push(U256::ONE),
            Item::Op(op::SWAP1),
        ]);
        items.extend([Item::Op(op::SUB), Item::Op(op::DUP1), Item::PushLabel(0), Item::Op(op::JUMPI)]);
    } else {
        items.extend((0..depth).map(|i| Item::Op(if i % 3 == 0 { op::CALLDATASIZE } else { op::PC })));
    }
    items.extend_from_slice(rest);
    Program(items).assemble()
}

/// Every opcode that leaves more than it takes, or needs much, near the limit of 1024.
#[test]
fn stack_limit() {
    let mut harness = Harness::new();
    for byte in (0..=u8::MAX).filter(|byte| is_available(LATEST, *byte)) {
        let info = &OPCODES[usize::from(byte)];
        for depth in [1022, 1023, 1024] {
            for by_loop in [false, true] {
                if by_loop && depth == 1024 && info.outputs <= info.inputs {
                    continue;
                }
                // With `JUMPDEST`, the opcode begins a block of its own.
                for rest in [vec![Item::Op(byte)], vec![Item::Label(9), Item::Op(byte), Item::Op(op::PC)]] {
                    harness.check(&Case::new(at_depth(depth, by_loop, &rest)));
                }
            }
        }
    }
}

/// A block whose stack goes up and down again: only its peak is beyond the limit.
#[test]
fn stack_peak_within_a_block() {
    let mut harness = Harness::new();
    for room in 0..6usize {
        for up in 1..6 {
            let mut rest = vec![Item::Label(9)];
            rest.extend((0..up).map(|_| Item::Op(op::DUP1)));
            rest.extend((0..up).map(|_| Item::Op(op::POP)));
            rest.extend([Item::Push(U256::ONE), Item::Push(U256::ZERO), Item::Op(op::SSTORE)]);
            harness.check(&Case::new(at_depth(1024 - room, true, &rest)));
            harness.check(&Case::new(at_depth(1024 - room, false, &rest)));
        }
    }
}

/// Programs whose every out-of-gas point is tried: section boundaries, dynamic gas, calls, refunds.
const GAS_PROGRAMS: [&str; 12] = [
    "1 2 ADD 3 MUL 0 MSTORE 32 0 RETURN",
    "0 SLOAD 1 ADD 0 SSTORE 1 SLOAD 7 SLOAD ADD 1 SSTORE",
    "0 1 SSTORE 0 2 SSTORE 5 0 SSTORE 0 0 SSTORE",
    "10 loop: DUP1 DUP1 MUL 0 MSTORE 1 SWAP1 SUB DUP1 @loop JUMPI 32 0 RETURN",
    "0 0 MSTORE 1 1000 MSTORE 100 3 KECCAK256 5000 MSTORE8 64 64 LOG2",
    "64 0 64 0 1 0xb2 9000 CALL 0 SSTORE RETURNDATASIZE 1 SSTORE",
    "32 0 32 0 0xc3 GAS DELEGATECALL 64 0 32 0 0xb2 20000 STATICCALL ADD 0 SSTORE",
    "0 0 0 0 0 0xd4 GAS CALL 0 SSTORE",
    "0x600b60005560016000f3 0 MSTORE 10 22 1 CREATE EXTCODESIZE 0 SSTORE 5 10 22 0 CREATE2 BALANCE 1 SSTORE",
    "0xb2 BALANCE 0xc3 EXTCODESIZE 0x99 EXTCODEHASH 32 0 0 0xb2 EXTCODECOPY 0x99 SELFDESTRUCT",
    "@f @f JUMP f: 9 1 EXP GAS 0 MSTORE GAS 0 TSTORE 0 TLOAD 0 SSTORE 64 0 32 MCOPY @end JUMPI STOP end: INVALID",
    "1 0xffff MSTORE 0 CALLDATALOAD 2 EXP 0 CALLDATALOAD MSTORE 0 0xffff 0 CALLDATACOPY 0 0 REVERT",
];

#[test]
fn every_out_of_gas_point() {
    let mut harness = Harness::new();
    for text in GAS_PROGRAMS {
        let code = assemble(text).expect("the text is assembly");
        for fork in FORKS {
            let most = if fork == LATEST { 400 } else { 40 };
            for input in [vec![], vec![0xff; 31], [vec![0; 31], vec![200]].concat()] {
                harness.check_gas_limits(&Case::new(code.clone()).input(input).fork(fork), most);
            }
        }
    }
}

/// Every gas limit there is, for a program of a few thousand gas.
#[test]
fn every_gas_limit() {
    let mut harness = Harness::new();
    for text in [GAS_PROGRAMS[0], GAS_PROGRAMS[3], "0 SLOAD GAS 0 MSTORE 0 SLOAD ADD 0 BALANCE 32 0 RETURN"] {
        let case = Case::new(assemble(text).expect("the text is assembly"));
        let used = harness.check(&case);
        for gas in 20_990..=used + 1 {
            harness.check(&case.clone().gas(gas));
        }
    }
}

/// Opcodes with an offset and a length, at offsets and lengths that no memory has, and at its edge.
#[test]
fn memory_edges() {
    let one = U256::ONE;
    let words = [
        U256::ZERO,
        one,
        U256::from(31),
        U256::from(32),
        U256::from(33),
        U256::from(1023),
        U256::from(1024),
        U256::from((1 << 20) - 32),
        U256::from(u32::MAX) - U256::from(31),
        U256::from(u32::MAX),
        one << 32,
        U256::from(i64::MAX),
        one << 63,
        U256::from(u64::MAX) - U256::from(31),
        U256::from(u64::MAX),
        one << 64,
        (one << 64) + U256::from(32),
        one << 255,
        U256::MAX - U256::from(31),
        U256::MAX,
    ];
    let mut harness = Harness::new();
    for offset in words {
        for length in words {
            let two = format!("{length} {offset}");
            for text in [
                format!("{two} MSTORE MSIZE 0 MSTORE 32 0 RETURN"),
                format!("{two} MSTORE8 {offset} MLOAD {length} MLOAD ADD 0 MSTORE 64 0 RETURN"),
                format!("{two} KECCAK256 0 SSTORE MSIZE 1 SSTORE"),
                format!("{two} RETURN"),
                format!("{two} REVERT"),
                format!("9 {two} LOG1"),
                format!("{two} 0 CREATE 0 SSTORE"),
                format!("{length} 0 {offset} CALLDATACOPY {length} {offset} 64 CODECOPY MSIZE 0 SSTORE"),
                format!("{length} 64 {offset} MCOPY {length} {offset} 64 MCOPY MSIZE 0 SSTORE"),
                format!("{length} {offset} 0 0xb2 EXTCODECOPY {length} {offset} 0 RETURNDATACOPY MSIZE 0 SSTORE"),
                format!("{two} {two} 0 0xb2 GAS CALL MSIZE 0 SSTORE 0 SSTORE"),
                format!("32 0 {two} 4 GAS STATICCALL MSIZE 0 SSTORE 0 SSTORE"),
            ] {
                let gas = if length < one << 20 { GAS } else { 16_000_000 };
                harness.check(&Case::new(assemble(&text).expect("the text is assembly")).gas(gas));
            }
        }
    }
}

/// The same offsets, unknown when the code is compiled, under rules with and without newer opcodes.
#[test]
fn memory_edges_from_input() {
    let mut harness = Harness::new();
    let words = [
        U256::ZERO,
        U256::from(32),
        U256::from(u32::MAX),
        U256::from(u64::MAX),
        U256::ONE << 64,
        U256::MAX - U256::from(31),
        U256::MAX,
    ];
    for text in [
        "0 CALLDATALOAD MLOAD 32 CALLDATALOAD MSTORE MSIZE 0 SSTORE",
        "1 0 CALLDATALOAD 32 CALLDATALOAD MSTORE8 0 CALLDATALOAD DUP1 KECCAK256 0 SSTORE",
        "32 CALLDATALOAD 0 CALLDATALOAD RETURN",
        "32 CALLDATALOAD 0 CALLDATALOAD DUP1 CALLDATACOPY MSIZE 0 SSTORE",
        "0 CALLDATALOAD CALLDATALOAD 32 CALLDATALOAD BLOCKHASH ADD 0 SSTORE",
    ] {
        let code = assemble(text).expect("the text is assembly");
        for fork in [SpecId::FRONTIER, SpecId::BERLIN, LATEST, SpecId::AMSTERDAM] {
            for first in words {
                for second in words {
                    let input = [first.to_be_bytes::<32>(), second.to_be_bytes()].concat();
                    harness.check(&Case::new(code.clone()).input(input).fork(fork).gas(10_000_000));
                }
            }
        }
    }
}
