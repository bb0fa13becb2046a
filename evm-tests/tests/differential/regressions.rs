//! Bugs that EVM implementations had: each program went wrong in one.

use crate::world::{Case, FORKS, GAS, Harness, LATEST};
use evm_tests::assemble::assemble;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Bytes, hex};

fn code(text: &str) -> Bytes {
    assemble(text).expect("the text is assembly")
}

/// Gas of a whole block charged before its first state access makes the access disappear (EIP-7928).
#[test]
fn state_access_before_out_of_gas_in_one_block() {
    let mut harness = Harness::new();
    let expensive = "0 MLOAD POP ".repeat(600);
    for access in
        ["7 SLOAD POP", "0x99 BALANCE POP", "0x99 EXTCODEHASH POP", "1 7 SSTORE", "0x99 EXTCODESIZE POP", "1 7 TSTORE", "0 0 LOG0"]
    {
        let case = Case::new(code(&format!("{access} {expensive} 8 SLOAD {expensive}")));
        for fork in [SpecId::BERLIN, LATEST, SpecId::AMSTERDAM] {
            harness.check_gas_limits(&case.clone().fork(fork), 300);
        }
    }
}

/// All failures taken for out-of-gas: under Amsterdam this program cost 1,000,000 instead of 902,080.
#[test]
fn failure_kinds_are_kept_apart() {
    let mut harness = Harness::new();
    for fork in FORKS {
        for program in [
            &hex!("600160ea5501")[..],
            &hex!("5b600160ea5501"),
            &hex!("01"),
            &hex!("fe"),
            &hex!("0c"),
            &hex!("600356"),
            &hex!("6001600257"),
        ] {
            harness.check(&Case::new(program).gas(1_000_000).fork(fork));
        }
    }
}

/// Stack length not written back before SELFDESTRUCT; snapshots of the stack cut off at 64 elements.
#[test]
fn long_stacks_are_written_back() {
    let mut harness = Harness::new();
    for count in [1, 15, 16, 17, 63, 64, 65, 66, 100, 300] {
        let pushes = "CALLDATASIZE ".repeat(count);
        let pops = "ADD ".repeat(count - 1);
        for end in ["SELFDESTRUCT", "0 MSTORE 32 0 RETURN", "0 0 0 0 0 0xb2 30000 CALL ADD 0 SSTORE", "0 SSTORE"] {
            for middle in
                ["", "@next JUMP next:", "5 SLOAD", "0 0 0 0 0 0xb2 30000 CALL", "@next CALLDATASIZE @next JUMPI next:", "INVALID"]
            {
                let case = Case::new(code(&format!("{pushes} {middle} {pops} {end}")));
                harness.check(&case);
                harness.check(&case.input(vec![1, 2, 3]));
            }
        }
    }
}

/// Two equal byte sequences, one of them an immediate, taken for the same block.
#[test]
fn immediates_are_not_opcodes() {
    let mut harness = Harness::new();
    let program = hex!("6007600736610012575b63000000005580005b630055800000");
    for input in [vec![], vec![0], vec![1], vec![0; 40]] {
        let used = harness.check(&Case::new(program).input(input.clone()).fork(SpecId::CANCUN));
        if input == [0] {
            assert_eq!(used, 21_029);
        }
    }
}

/// EIP-8024: the byte after DUPN, SWAPN, EXCHANGE is an immediate when executed and may still be jumped to.
#[test]
fn immediates_of_eip_8024_are_jump_destinations() {
    let mut harness = Harness::new();
    for fork in [LATEST, SpecId::AMSTERDAM] {
        for byte in 0xe6..=0xe8u8 {
            for immediate in 0..=u8::MAX {
                let pushes = "CALLDATASIZE PC ".repeat(20);
                let run = [&code(&pushes)[..], &[byte, immediate], &code("0 MSTORE 0 SSTORE 32 0 RETURN")].concat();
                harness.check(&Case::new(run).fork(fork));
            }
            // Jumps over the opcode to its immediate, which is a JUMPDEST; and executes both.
            let into = [&hex!("600456")[..], &[byte, 0x5b], &hex!("600160005500")].concat();
            harness.check(&Case::new(into).fork(fork));
        }
    }
}

/// Return data that is a view of the caller's memory (CVE-2021-39137), and the identity precompile's shallow copy.
#[test]
fn return_data_does_not_alias_memory() {
    let mut harness = Harness::new();
    for call in
        ["0 4 GAS CALL", "0 4 GAS CALLCODE", "4 GAS STATICCALL", "4 GAS DELEGATECALL", "0 0xb2 GAS CALL", "0xc3 GAS STATICCALL"]
    {
        for (input, output) in [("32 0", "32 4"), ("32 7", "32 0"), ("64 0", "0 0"), ("32 16", "96 16")] {
            let program = format!(
                "0x11223344556677889900aabbccddeeff 0 MSTORE 0x0102030405 32 MSTORE {output} {input} {call} 0 SSTORE
                 0xff 5 MSTORE8 0xffff 30 MSTORE RETURNDATASIZE 0 128 RETURNDATACOPY 0xee 3 MSTORE8 256 0 RETURN"
            );
            for fork in [SpecId::BYZANTIUM, LATEST] {
                harness.check(&Case::new(code(&program)).fork(fork));
            }
        }
    }
}

/// Shift amounts, sizes and gas taken as signed or cut to fewer bits (CVE-2021-41272, CVE-2022-36025).
#[test]
fn amounts_are_not_truncated() {
    let mut harness = Harness::new();
    for amount in [
        "0",
        "1",
        "255",
        "256",
        "0x80000000",
        "0xffffffff",
        "0x100000000",
        "0x100000001",
        "0x8000000000000000",
        "0x10000000000000001",
        "0x100000000000000000000000000000001",
    ] {
        for opcode in ["SHL", "SHR", "SAR", "BYTE", "SIGNEXTEND", "EXP"] {
            harness.check(&Case::new(code(&format!(
                "0xff00000000000000000000000000000000000000000000000000000000000081 {amount} {opcode} 0 SSTORE"
            ))));
        }
        for (value, gas) in [("0", amount), ("1", amount), (amount, "50000")] {
            for call in ["CALL", "CALLCODE"] {
                let program = format!("0 0 0 0 {value} 0xb2 {gas} {call} 0 SSTORE GAS 1 SSTORE");
                harness.check(&Case::new(code(&program)));
            }
            harness.check(&Case::new(code(&format!(
                "0 0 0 0 0xb2 {gas} DELEGATECALL 0 SSTORE 0 0 0 0 0xb2 {gas} STATICCALL 1 SSTORE"
            ))));
        }
        harness.check(&Case::new(code(&format!("0 0 {amount} CREATE 0 SSTORE"))));
    }
}

/// Calls to itself as deep as they go: 1024 frames need no native stack.
#[test]
fn deepest_calls() {
    let mut harness = Harness::new();
    let gas = 16_000_000;
    for program in [
        "0 0 0 0 0 ADDRESS GAS CALL 0 SSTORE",
        "0 0 0 0 ADDRESS GAS DELEGATECALL 0 SSTORE",
        "0 SLOAD 1 ADD 0 SSTORE 0 0 0 0 0 ADDRESS 2000 GAS SUB CALL POP",
        "0 SLOAD 1 ADD 0 SSTORE 0 0 0 0 ADDRESS GAS CALLCODE",
        "CODESIZE 0 0 CODECOPY CODESIZE 0 0 CREATE 0 SSTORE",
    ] {
        for fork in [SpecId::FRONTIER, SpecId::HOMESTEAD, SpecId::TANGERINE, LATEST] {
            harness.check(&Case::new(code(program)).gas(gas).fork(fork));
        }
    }
}

/// Jump destinations found with another fork's opcodes; pushes cut off by the end of code.
#[test]
fn jumps_know_pushes_alone() {
    let mut harness = Harness::new();
    for fork in FORKS {
        for program in [
            &hex!("6004565f5b600160005500")[..],
            &hex!("600456615b5b00"),
            &hex!("600456605b5b60"),
            &hex!("6003565b7f5b"),
            &hex!("600456e65b00"),
        ] {
            harness.check(&Case::new(program).fork(fork));
        }
    }
}

/// A computed jump to code that is compiled and is no jump destination: the program's start, what follows a call or a branch.
#[test]
fn computed_jumps_go_to_jump_destinations_alone() {
    let mut harness = Harness::new();
    for program in [
        "CALLDATASIZE JUMP",
        "1 CALLDATASIZE JUMPI",
        "0 0 0 0 0 0xb2 30000 CALL 0 SSTORE 18 CALLDATASIZE ADD JUMP",
        "0 SLOAD CALLDATASIZE @a JUMPI 11 CALLDATASIZE ADD JUMP a: STOP",
        "5 SLOAD 8 CALLDATASIZE ADD DUP1 DUP1 ADD POP JUMP",
    ] {
        for distance in 0..30 {
            harness.check(&Case::new(code(program)).input(vec![0; distance]));
        }
    }
}

/// A result that is zero whatever the operands are, moved to its slot by a call and then branched on.
#[test]
fn results_without_bits() {
    let mut harness = Harness::new();
    for zero in [
        "0 AND",
        "0 MUL",
        "0 SWAP1 MOD",
        "0 DIV",
        "0 SWAP1 SHR",
        "300 SHR",
        "256 SHL",
        "32 BYTE",
        "DUP1 XOR",
        "0 SWAP1 EXP 1 SWAP1 SUB",
        "1 SWAP1 MOD",
    ] {
        for after in ["0 0 LOG0", "GAS POP", "0 SLOAD POP", ""] {
            for end in
                ["200 JUMPI", "ISZERO ISZERO 0 MSTORE 32 0 RETURN", "DUP1 ADD 0 SSTORE", "@end JUMPI 1 0 SSTORE end: PC 1 SSTORE"]
            {
                harness.check(&Case::new(code(&format!("0 CALLDATALOAD {zero} {after} {end}"))).input(vec![0xee; 32]));
            }
        }
    }
}

/// Constants that go around a loop are as wide as they are, not as wide as the loop's header would take other numbers to be.
#[test]
fn constants_around_loops_know_their_width() {
    let mut harness = Harness::new();
    for operation in ["DIV", "MOD", "SDIV", "SMOD", "AND", "OR", "LT", "GT"] {
        for constant in ["0x1234567801", "0x1ffffffff", "0x1ffff", "0x1ffffffffffffffffff"] {
            for mask in ["0xffffffffff", "0xffffff", "0xffffffffffffffff", "0xffffffffffffffffffffffff"] {
                let text = format!(
                    "{constant} 0 CALLDATALOAD {mask} AND 0 3 loop: DUP4 DUP4 {operation} SWAP1 SWAP2 ADD SWAP1 \
                     1 SWAP1 SUB DUP1 @loop JUMPI POP 0 MSTORE 32 0 RETURN"
                );
                for byte in [0xff, 0x77, 1] {
                    harness.check(&Case::new(code(&text)).input(vec![byte; 32]));
                }
            }
        }
    }
}

/// Tiny programs that broke a compiler.
#[test]
fn tiny_programs() {
    let mut harness = Harness::new();
    for program in [
        &hex!("9f89ff")[..],
        &hex!("4343ff"),
        &hex!(""),
        &hex!("00"),
        &hex!("5b"),
        &hex!("ff"),
        &hex!("33ff"),
        &hex!("60"),
        &hex!("5bff"),
        &hex!("5f56"),
        &hex!("5b5f56"),
    ] {
        for fork in FORKS {
            harness.check_gas_limits(&Case::new(program).fork(fork).gas(GAS / 4), 50);
        }
    }
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            harness.check(&Case::new([first, second]).gas(22_000));
        }
    }
}
