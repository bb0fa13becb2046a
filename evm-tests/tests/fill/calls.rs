//! Tests of what crosses frames: calls, creates, precompiles, selfdestruct, delegation.

use evm_tests::fill::{Filler, TARGET};
use revm::primitives::{Address, B256, Bytes, U256, address, b256};

const CALLEE: Address = address!("00000000000000000000000000000000000c0de1");
const SECOND: Address = address!("00000000000000000000000000000000000c0de2");

pub fn all() -> Vec<Filler> {
    vec![
        calls(),
        call_gas(),
        call_depth(),
        static_calls(),
        return_data(),
        creates(),
        create_transaction(),
        selfdestruct(),
        precompiles(),
        delegation(),
    ]
}

fn word(number: u64) -> Bytes {
    U256::from(number).to_be_bytes::<32>().into()
}

fn calls() -> Filler {
    // Who is asked, who asks, what was paid, whose storage: by all four kinds of call.
    let code = "
        0xabcdef 0 MSTORE
        96 64 32 0 5 0xc0de1 0x20000 CALL 1 SSTORE          96 64 KECCAK256 2 SSTORE
        96 64 32 0 5 0xc0de1 0x20000 CALLCODE 3 SSTORE      96 64 KECCAK256 4 SSTORE
        96 64 32 0 0xc0de1 0x20000 DELEGATECALL 5 SSTORE    96 64 KECCAK256 6 SSTORE
        0 0 0 0 2000 0xc0de1 0x20000 CALL 7 SSTORE          ; more than there is
        0 0 0 0 1 0xeeee1 0x20000 CALL 8 SSTORE             ; a new account
        0 0 0 0 0 0xeeee2 0x20000 CALL 9 SSTORE             ; none
        CALLDATASIZE @static JUMPI STOP
        static: 96 64 32 0 0xc0de2 0x20000 STATICCALL 10 SSTORE     96 64 KECCAK256 11 SSTORE";
    let answer = "
        0x50 SLOAD 1 ADD 0x50 SSTORE
        ADDRESS 0 MSTORE CALLER 32 MSTORE CALLVALUE 0 CALLDATALOAD ADD 64 MSTORE 96 0 RETURN";
    let look = "ADDRESS 0 MSTORE CALLER 32 MSTORE CALLVALUE 0 CALLDATALOAD ADD 64 MSTORE 96 0 RETURN";
    Filler::new("calls", "CALL, CALLCODE, DELEGATECALL, STATICCALL: address, caller, value, storage, output")
        .forks(&["Frontier", "Homestead", "EIP150", "Byzantium", "Berlin", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .contract(CALLEE, answer, &[])
        .contract(SECOND, look, &[])
        .data([Bytes::new(), Bytes::from_static(&[1])])
        .gas(&[5_000_000])
        .value(&[0, 9])
}

fn call_gas() -> Filler {
    let code = "
        32 0 0 0 0 CALLDATALOAD 0xc0de1 32 CALLDATALOAD CALL 1 SSTORE 0 MLOAD 2 SSTORE GAS 3 SSTORE";
    let data = [0u64, 1, 100, 2300, 50_000, u64::MAX]
        .into_iter()
        .flat_map(|gas| [0u64, 1].map(|value| [word(value), word(gas)].concat().into()));
    Filler::new("call_gas", "the gas asked for against the gas given: all but a 64th, the stipend, too much")
        .forks(&["Frontier", "EIP150", "Berlin", "Osaka", "Amsterdam"])
        .contract(TARGET, code, &[])
        .contract(CALLEE, "GAS 0 MSTORE 32 0 RETURN", &[])
        .data(data)
        .gas(&[400_000])
}

fn call_depth() -> Filler {
    let code = "0 SLOAD 1 ADD 0 SSTORE 0 0 0 0 0 ADDRESS 0 CALLDATALOAD GAS SUB CALL 1 SSTORE";
    Filler::new("call_depth", "a contract that calls itself until gas or 1024 frames end it")
        .forks(&["Frontier", "Byzantium", "London", "Amsterdam"])
        .contract(TARGET, code, &[])
        .data([word(6000), word(30_000)])
        .gas(&[20_000_000])
}

fn static_calls() -> Filler {
    let code = "0 CALLDATALOAD 0 MSTORE 0 0 32 0 0xc0de1 0x10000 STATICCALL 1 ADD 1 SSTORE GAS 2 SSTORE";
    let deeds = [
        "1 0 SSTORE",
        "0 0 LOG0",
        "0 0 0 CREATE",
        "0 0 0 0 1 0xc0de2 GAS CALL",
        "0xc0de2 SELFDESTRUCT",
        "0 0 0 0 0 0xc0de2 GAS CALL",
        "0 0 0 0 1 0xc0de2 GAS CALLCODE",
        "0 0 0 0 CREATE2",
        "1 1 TSTORE",
        "1 SLOAD POP",
    ];
    let choose: String = (0..deeds.len()).map(|deed| format!("0 CALLDATALOAD {deed} EQ @d{deed} JUMPI\n")).collect();
    let each: String = deeds.iter().enumerate().map(|(at, deed)| format!("d{at}: {deed} STOP\n")).collect();
    Filler::new("static_calls", "everything that a static call may not do, and what it may")
        .forks(&["Byzantium", "ConstantinopleFix", "Berlin", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .contract(CALLEE, &format!("{choose} STOP {each}"), &[])
        .contract(SECOND, "1 0 SSTORE", &[])
        .data((0..deeds.len() as u64).map(word))
        .gas(&[2_000_000])
}

fn return_data() -> Filler {
    let code = "
        RETURNDATASIZE 1 SSTORE
        0 0 0 0 0xc0de1 0x10000 STATICCALL POP RETURNDATASIZE 2 SSTORE
        32 8 0 RETURNDATACOPY 0 MLOAD 3 SSTORE
        0 0 0 0 0xeeee1 0x10000 STATICCALL POP RETURNDATASIZE 4 SSTORE
        0 0 0 0 0xc0de2 0x10000 STATICCALL POP RETURNDATASIZE 5 SSTORE
        0x60036000fd 0 MSTORE 5 27 0 CREATE POP RETURNDATASIZE 6 SSTORE
        0 0 0 0 0xc0de1 0x10000 STATICCALL POP
        32 CALLDATALOAD 0 CALLDATALOAD 0 RETURNDATACOPY MSIZE 7 SSTORE";
    let copy = |from: u64, length: u64| Bytes::from([word(from), word(length)].concat());
    let data = [copy(0, 64), copy(64, 0), copy(65, 0), copy(1, 64), copy(u64::MAX, 1), copy(0, u64::MAX)];
    Filler::new("return_data", "RETURNDATASIZE after each kind of end, RETURNDATACOPY up to and past the end")
        .forks(&["Homestead", "Byzantium", "Istanbul", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .contract(CALLEE, "0x0102030405060708 8 MSTORE 64 0 RETURN", &[])
        .contract(SECOND, "0x77 0 MSTORE 7 31 REVERT", &[])
        .data(data)
        .gas(&[2_000_000])
}

/// Programs that create contracts run this init code: they take it from their data.
fn init_codes() -> Vec<Bytes> {
    let codes = [
        "",                                     // an empty contract
        "0x6001600055 0 MSTORE 5 27 RETURN",    // code that stores
        "7 0 SSTORE 0xee 0 MSTORE8 3 0 RETURN", // stores itself; code of three bytes
        "0xef 0 MSTORE8 1 0 RETURN",            // EIP-3541
        "0x6000 0 RETURN",                      // as long as code may be
        "0x6001 0 RETURN",                      // a byte longer
        "0x10001 0 RETURN",                     // too long for every fork
        "1 1 SSTORE 32 0 REVERT",
        "INVALID",
        "CALLER SELFDESTRUCT",
        "0 0 0 CREATE 0 SSTORE ADDRESS EXTCODEHASH 1 SSTORE 1 0 RETURN", // creates in turn
        "loop: @loop JUMP",
    ];
    codes.map(|code| evm_tests::assemble::assemble(code).expect(code)).into()
}

fn creates() -> Filler {
    let create = "
        CALLDATASIZE 0 0 CALLDATACOPY
        0 0 CALLDATASIZE 0 0 0xc0de1 4000000 CALL 1 SSTORE
        CALLDATASIZE 0 3 CREATE DUP1 2 SSTORE DUP1 EXTCODESIZE 3 SSTORE BALANCE 4 SSTORE
        0 0 5000 CREATE 5 SSTORE                             ; more than there is
        GAS 6 SSTORE";
    let create2 = "
        CALLDATASIZE 0 0 CALLDATACOPY
        7 CALLDATASIZE 0 2 CREATE2 DUP1 1 SSTORE DUP1 EXTCODESIZE 2 SSTORE RETURNDATASIZE 3 SSTORE
        ISZERO @end JUMPI
        7 CALLDATASIZE 0 2 CREATE2 4 SSTORE                  ; the same again: a collision
        end: GAS 5 SSTORE";
    Filler::new("creates", "CREATE and CREATE2 with init code that returns, reverts, halts, is too long")
        .forks(&["Frontier", "Homestead", "EIP158", "ConstantinopleFix", "London", "Shanghai", "Cancun", "Amsterdam"])
        .contract(TARGET, create, &[])
        .contract(CALLEE, create2, &[])
        .data(init_codes())
        .gas(&[14_000_000])
}

fn create_transaction() -> Filler {
    Filler::new("create_transaction", "transactions that create a contract")
        .forks(&["Frontier", "Homestead", "London", "Shanghai", "Osaka", "Amsterdam"])
        .to(None)
        .data(init_codes())
        .gas(&[8_000_000, 90_000])
        .value(&[2])
}

fn selfdestruct() -> Filler {
    let code = "
        0 CALLDATALOAD 0 MSTORE
        0 0 32 0 1 0xc0de1 0x20000 CALL 1 SSTORE
        0xc0de1 BALANCE 2 SSTORE 0xc0de1 EXTCODESIZE 3 SSTORE
        0 0 32 0 1 0xc0de1 0x20000 CALL 4 SSTORE             ; it is still there within the transaction
        0x33ff 0 MSTORE 2 30 9 CREATE DUP1 5 SSTORE BALANCE 6 SSTORE   ; made and gone at once
        0 CALLDATALOAD BALANCE 7 SSTORE GAS 8 SSTORE";
    let heirs = [0xc0de1u64, 0xc0de2, 0xeeee1, 0xc0de0];
    Filler::new("selfdestruct", "to itself, to another, to a new account, to the caller; twice; in init code")
        .forks(&["Frontier", "EIP150", "EIP158", "Berlin", "London", "Shanghai", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .contract(CALLEE, "0 CALLDATALOAD SELFDESTRUCT", &[(1, 1)])
        .contract(SECOND, "STOP", &[])
        .data(heirs.map(word))
}

fn precompiles() -> Filler {
    // The data is the input; each precompile gets it and its output is hashed into a slot.
    let each = (1..=18u64).map(|number| {
        let place = if number == 18 { 0x100 } else { number };
        format!(
            "256 0x1000 CALLDATASIZE 0 0 {place:#x} 200000 CALL {number} MUL 0x900 MSTORE
             0x200 0x1000 KECCAK256 0x920 MSTORE 64 0x900 KECCAK256 {number} SSTORE\n"
        )
    });
    let code = format!("CALLDATASIZE 0 0 CALLDATACOPY {}", each.collect::<String>());
    let text = Bytes::from_static(b"ejit compiles what is worth it");
    // base 3, exponent 5, modulus 7, each one byte
    let power = Bytes::from([word(1), word(1), word(1), Bytes::from_static(&[3, 5, 7])].concat());
    // the generator of BN254 and itself
    let points = Bytes::from([word(1), word(2), word(1), word(2)].concat());
    let hash = b256!("456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3");
    let ecrecover = [
        hash.to_vec(),
        word(28).to_vec(),
        b256!("9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608").to_vec(),
        b256!("4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada").to_vec(),
    ];
    Filler::new("precompiles", "each address from 1 to 17 and 256 with inputs that suit one of them, or none")
        .forks(&["Frontier", "Byzantium", "Istanbul", "Cancun", "Prague", "Osaka", "Amsterdam"])
        .contract(TARGET, &code, &[])
        .data([Bytes::new(), text, power, points, ecrecover.concat().into(), vec![0; 213].into()])
        .gas(&[10_000_000])
}

fn delegation() -> Filler {
    const SIGNER: B256 = b256!("000000000000000000000000000000000000000000000000000000000000a117");
    let signer = evm_tests::case::address_of(SIGNER).expect("a key");
    let code = format!(
        "0 0 0 0 1 {signer:?} 0x20000 CALL 1 SSTORE
         {signer:?} EXTCODESIZE 2 SSTORE {signer:?} EXTCODEHASH 3 SSTORE
         23 0 0 {signer:?} EXTCODECOPY 0 MLOAD 4 SSTORE
         0 0 0 0 {signer:?} 0x20000 DELEGATECALL 5 SSTORE
         0 0 0 0 {signer:?} 0x20000 STATICCALL 6 SSTORE GAS 7 SSTORE"
    );
    Filler::new("delegation", "EIP-7702: an account that runs a contract's code; the last of two valid authorizations holds")
        .forks(&["Prague", "Osaka", "Amsterdam"])
        .contract(TARGET, &code, &[])
        .contract(CALLEE, "0 SLOAD CALLER ADD 0 SSTORE", &[])
        .contract(SECOND, "0 SLOAD 1 ADD CALLVALUE ADD 0 SSTORE ADDRESS 1 SSTORE", &[])
        .authorize(SIGNER, CALLEE, 0)
        .authorize(SIGNER, SECOND, 1)
        .authorize(SIGNER, CALLEE, 9)
        .gas(&[3_000_000])
        .fees(20, 1)
}
