//! Tests of state: storage, transient storage, logs, refunds, rejected transactions.

use evm_tests::fill::{COINBASE, Filler, TARGET};
use revm::primitives::{Address, Bytes, U256, address};

const OTHER: Address = address!("00000000000000000000000000000000000c0de1");

pub fn all() -> Vec<Filler> {
    vec![storage(), transient(), logs(), reverts(), access_list(), rejected(), coinbase()]
}

fn storage() -> Filler {
    // Slots 1 to 9 begin with 0, 1 or 2, and take two values in a row.
    let writes = [(1, 0, 5), (2, 5, 0), (3, 0, 0), (4, 1, 0), (5, 0, 1), (6, 7, 1), (7, 0, 0), (8, 2, 3), (9, 3, 2)];
    let code = writes.map(|(slot, first, second)| {
        format!("GAS {first} {slot} SSTORE GAS SWAP1 SUB {second} {slot} SSTORE {slot} SLOAD ADD {} SSTORE\n", slot + 100)
    });
    let code = format!("{} GAS 0xffff SLOAD POP GAS SWAP1 SUB 200 SSTORE", code.concat());
    Filler::new("storage", "SSTORE from and to zero, restored and dirty, with refunds")
        .forks(&["Frontier", "Byzantium", "ConstantinopleFix", "Istanbul", "Berlin", "London", "Prague", "Amsterdam"])
        .contract(TARGET, &code, &[(4, 1), (5, 1), (6, 1), (7, 2), (8, 2), (9, 2)])
        .gas(&[4_000_000, 120_000, 23_400])
}

fn transient() -> Filler {
    let code = "
        CALLER ADDRESS EQ @inner JUMPI
        7 1 TSTORE 1 TLOAD 1 SSTORE 2 TLOAD 2 SSTORE
        0 0 32 0 0 ADDRESS GAS CALL 3 SSTORE            ; inner, returning
        1 TLOAD 4 SSTORE
        1 0 MSTORE
        0 0 32 0 0 ADDRESS GAS CALL 5 SSTORE            ; inner, reverting
        1 TLOAD 6 SSTORE
        0 0 0 0 ADDRESS GAS STATICCALL 7 SSTORE         ; inner, not allowed to write
        0 1 TSTORE 1 TLOAD 8 SSTORE STOP
        inner: 1 TLOAD 3 MUL 1 TSTORE 0 CALLDATALOAD @fail JUMPI STOP
        fail: 0 0 REVERT";
    Filler::new("transient", "TSTORE and TLOAD over reentrant, reverting and static calls")
        .forks(&["Shanghai", "Cancun", "Osaka", "Amsterdam"])
        .contract(TARGET, code, &[])
        .gas(&[2_000_000])
}

fn logs() -> Filler {
    let code = "
        0xaabbccdd 0 MSTORE
        0 0 LOG0  4 28 LOG0  0x71 32 0 LOG1  0x72 0x73 33 5 LOG2
        1 2 3 0 0 LOG3  0 NOT 1 0 0 NOT 100 300 LOG4
        0 CALLDATALOAD 7 LOG0";
    let lengths = [U256::ZERO, U256::from(50), U256::MAX];
    Filler::new("logs", "all numbers of topics, growing memory, lengths from the data")
        .forks(&["Frontier", "Berlin", "Osaka", "Amsterdam"])
        .contract(TARGET, code, &[])
        .data(lengths.map(|length| Bytes::from(length.to_be_bytes::<32>())))
        .gas(&[100_000, 24_000])
}

fn reverts() -> Filler {
    // The inner call writes, logs and clears, then ends as the data says; the outer notes what is left.
    let outer = "
        CALLDATASIZE 0 0 CALLDATACOPY
        1 1 SSTORE 0 2 SSTORE
        64 512 32 0 3 0xc0de1 0x30000 CALL 3 SSTORE
        512 MLOAD 4 SSTORE 0xc0de1 BALANCE 5 SSTORE GAS 6 SSTORE";
    let inner = "
        5 1 SSTORE 0 2 SSTORE 0x77 0 0 LOG1
        0x1234 0 MSTORE
        0 CALLDATALOAD 1 EQ @revert JUMPI 0 CALLDATALOAD 2 EQ @invalid JUMPI
        0 CALLDATALOAD 3 EQ @loop JUMPI 0 CALLDATALOAD 4 EQ @bad JUMPI 0 CALLDATALOAD 5 EQ @pop JUMPI
        32 0 RETURN
        revert: 32 0 REVERT  invalid: INVALID  loop: @loop JUMP  bad: 1 JUMP  pop: POP";
    Filler::new("reverts", "an inner call that returns, reverts or halts in each way; what stays of it")
        .forks(&["Frontier", "EIP150", "Byzantium", "Istanbul", "London", "Cancun", "Amsterdam"])
        .contract(TARGET, outer, &[(2, 1)])
        .contract(OTHER, inner, &[(2, 1), (1, 4)])
        .data((0..6u64).map(|kind| Bytes::from(U256::from(kind).to_be_bytes::<32>())))
        .gas(&[800_000])
}

fn access_list() -> Filler {
    let code = "
        GAS 1 SLOAD POP GAS SWAP1 SUB 10 SSTORE   GAS 2 SLOAD POP GAS SWAP1 SUB 11 SSTORE
        GAS 0xc0de1 BALANCE POP GAS SWAP1 SUB 12 SSTORE   GAS 0xc0de2 EXTCODESIZE POP GAS SWAP1 SUB 13 SSTORE
        GAS 5 1 SSTORE GAS SWAP1 SUB 14 SSTORE   GAS 5 2 SSTORE GAS SWAP1 SUB 15 SSTORE";
    Filler::new("access_list", "warm and cold slots and accounts, by an EIP-2930 list under EIP-1559 fees")
        .forks(&["London", "Shanghai", "Osaka", "Amsterdam"])
        .contract(TARGET, code, &[(1, 1), (2, 2)])
        .contract(OTHER, "STOP", &[])
        .access_list(&[(TARGET, &[1, 3]), (OTHER, &[])])
        .fees(50, 2)
}

fn rejected() -> Filler {
    Filler::new("rejected", "a nonce that is not the sender's: nothing may happen")
        .forks(&["Frontier", "Berlin", "Cancun", "Amsterdam"])
        .contract(TARGET, "1 0 SSTORE", &[])
        .nonce(3)
        .gas(&[100_000, 20_000])
}

fn coinbase() -> Filler {
    let code = "GAS COINBASE BALANCE POP GAS SWAP1 SUB 1 SSTORE 0 0 0 0 0 COINBASE 5000 CALL 2 SSTORE";
    Filler::new("coinbase", "the beneficiary is touched and paid, warm since Shanghai; empty before Spurious Dragon")
        .forks(&["Homestead", "EIP158", "London", "Shanghai", "Osaka"])
        .contract(TARGET, code, &[])
        .account(COINBASE, 0, 0)
        .gas(&[200_000])
}
