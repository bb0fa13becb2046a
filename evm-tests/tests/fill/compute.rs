//! Tests of what happens within a frame: arithmetic, memory, control flow, the stack.

use evm_tests::fill::{Filler, TARGET};
use revm::primitives::{Bytes, U256};

use crate::store_each;

/// Every opcode of two operands that has been there from the start.
const BINARY: [&str; 17] =
    ["ADD", "MUL", "SUB", "DIV", "SDIV", "MOD", "SMOD", "EXP", "SIGNEXTEND", "LT", "GT", "SLT", "SGT", "EQ", "AND", "OR", "XOR"];

/// Operands at which something changes: sign, width, wrap.
fn edges() -> Vec<U256> {
    let one = U256::ONE;
    let low = [0, 1, 2, 31, 32, 255, 256].map(U256::from);
    let high = [one << 63, (one << 64) - one, one << 64, one << 128, (one << 255) - one, one << 255, U256::MAX - one, U256::MAX];
    [low.as_slice(), high.as_slice()].concat()
}

/// Pairs of edges: each with its neighbours, itself and the last.
fn pairs() -> Vec<(U256, U256)> {
    let edges = edges();
    let next = edges.windows(2).flat_map(|pair| [(pair[0], pair[1]), (pair[1], pair[0])]);
    let last = edges.iter().map(|edge| (*edge, U256::MAX));
    let same = edges.iter().map(|edge| (*edge, *edge));
    next.chain(last).chain(same).collect()
}

fn words(words: &[U256]) -> Bytes {
    words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<_>>().into()
}

fn word(number: u64) -> Bytes {
    words(&[U256::from(number)])
}

pub fn all() -> Vec<Filler> {
    vec![
        arithmetic_of_inputs(),
        arithmetic_of_constants(),
        shifts(),
        modular(),
        memory(),
        memory_limits(),
        control_flow(),
        jump_destinations(),
        stack(),
        push0(),
        mcopy(),
        out_of_gas(),
        environment(),
    ]
}

fn arithmetic_of_inputs() -> Filler {
    let (first, second) = ("0 CALLDATALOAD", "32 CALLDATALOAD");
    let mut expressions: Vec<String> = BINARY.iter().map(|name| format!("{second} {first} {name}")).collect();
    expressions.extend(["ISZERO", "NOT"].map(|name| format!("{first} {name}")));
    expressions.push(format!("{second} {first} BYTE"));
    Filler::new("arithmetic_of_inputs", "binary opcodes on operands that no compiler can know")
        .forks(&["Frontier", "Byzantium", "Cancun"])
        .contract(TARGET, &store_each(&expressions), &[])
        .data(pairs().into_iter().step_by(2).map(|(first, second)| words(&[first, second])))
}

fn arithmetic_of_constants() -> Filler {
    let pairs = pairs();
    let of = |name: &&str| {
        let sum = pairs.iter().map(|(first, second)| format!("{second:#x} {first:#x} {name} DUP2 3 MUL ADD XOR"));
        format!("0 {}", sum.collect::<Vec<_>>().join("\n"))
    };
    // Each running value depends on all results so far, so one wrong result shows in the slot.
    let expressions: Vec<String> = BINARY.iter().map(of).collect();
    Filler::new("arithmetic_of_constants", "binary opcodes on constants, folded or not")
        .forks(&["Frontier", "Istanbul", "Osaka", "Amsterdam"])
        .contract(TARGET, &store_each(&expressions), &[])
        .gas(&[10_000_000])
}

fn shifts() -> Filler {
    let shift = |name: &str| format!("32 CALLDATALOAD 0 CALLDATALOAD {name}");
    let by_constant = |name: &str, by: u64| format!("32 CALLDATALOAD {by} {name}");
    let mut expressions = ["SHL", "SHR", "SAR"].map(shift).to_vec();
    for by in [0, 1, 63, 64, 65, 192, 224, 255, 256] {
        expressions.extend(["SHL", "SHR", "SAR"].map(|name| by_constant(name, by)));
    }
    let values = [U256::ONE, U256::MAX, U256::ONE << 255, U256::from(0x0123_4567_89ab_cdefu64) << 100];
    let amounts = [0u64, 1, 8, 64, 127, 128, 200, 255, 256, 257].map(U256::from).into_iter().chain([U256::ONE << 64, U256::MAX]);
    let data = amounts.flat_map(|by| values.map(|value| words(&[by, value]))).step_by(3);
    Filler::new("shifts", "SHL, SHR, SAR; before Petersburg they are not there")
        .forks(&["Byzantium", "ConstantinopleFix", "Cancun"])
        .contract(TARGET, &store_each(&expressions), &[])
        .data(data)
}

fn modular() -> Filler {
    let inputs = "64 CALLDATALOAD 32 CALLDATALOAD 0 CALLDATALOAD";
    let prime = "0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47";
    let loaded = "32 CALLDATALOAD 0 CALLDATALOAD";
    let expressions = [
        format!("{inputs} ADDMOD"),
        format!("{inputs} MULMOD"),
        format!("{prime} {loaded} ADDMOD"),
        format!("{prime} {loaded} MULMOD"),
        format!("0x10000000000000000 {loaded} MULMOD"),
        format!("0 {loaded} MULMOD"),
        "7 0 CALLDATALOAD EXP".into(),
        "0 CALLDATALOAD 2 EXP".into(),
        "0 CALLDATALOAD 3 EXP".into(),
    ];
    let edges = edges();
    let triples = edges.iter().enumerate().map(|(index, edge)| {
        let at = |distance: usize| edges[(index + distance) % edges.len()];
        words(&[*edge, at(7), at(11)])
    });
    Filler::new("modular", "ADDMOD, MULMOD, EXP: 512-bit intermediates, zero and constant moduli")
        .forks(&["Homestead", "EIP158", "Shanghai"])
        .contract(TARGET, &store_each(&expressions), &[])
        .data(triples)
}

fn memory() -> Filler {
    let code = "
        0x1122334455667788990011223344556677889900112233445566778899aabbcc 1 MSTORE
        0xfe 40 MSTORE8   0x1ff 41 MSTORE8
        0 MLOAD 0 SSTORE  1 MLOAD 1 SSTORE  31 MLOAD 2 SSTORE  MSIZE 3 SSTORE
        7 MLOAD 4 SSTORE  100 MLOAD 5 SSTORE  MSIZE 6 SSTORE
        20 3 200 CALLDATACOPY   40 0 230 CALLDATACOPY   200 MLOAD 7 SSTORE  230 MLOAD 8 SSTORE
        64 5 300 CODECOPY  300 MLOAD 9 SSTORE  32 0x8000 400 CODECOPY  400 MLOAD 10 SSTORE
        0 0 0xffffffff CALLDATACOPY  MSIZE 11 SSTORE
        45 3 KECCAK256 12 SSTORE  0 0xffffffffffff KECCAK256 13 SSTORE  MSIZE 14 SSTORE
        2000 MLOAD 15 SSTORE MSIZE 16 SSTORE";
    Filler::new("memory", "words and bytes at all alignments, copies past the end, MSIZE")
        .forks(&["Frontier", "Istanbul", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .data([Bytes::new(), Bytes::from_static(&[0xd1; 5]), Bytes::from_static(&[0xd2; 33])])
        .gas(&[4_000_000, 150_000])
}

fn memory_limits() -> Filler {
    let body = "32 CALLDATALOAD 0 CALLDATALOAD";
    let each = ["MSTORE", "KECCAK256 POP", "LOG0", "RETURN"]
        .map(|name| format!("64 CALLDATALOAD {} EQ @{} JUMPI", name.len(), name.split(' ').next().unwrap().to_lowercase()));
    let code = format!(
        "1 1 SSTORE {} STOP
         mstore: {body} MSTORE MSIZE 2 SSTORE STOP
         keccak256: {body} KECCAK256 POP MSIZE 2 SSTORE STOP
         log0: {body} LOG0 MSIZE 2 SSTORE STOP
         return: {body} RETURN",
        each.join("\n")
    );
    let one = U256::ONE;
    let offsets = [0u64, 31, 4096, 0x10_0000, 0xffff_ffff].map(U256::from);
    let offsets = offsets.into_iter().chain([one << 32, (one << 64) - one, one << 64, U256::MAX - U256::from(31), U256::MAX]);
    let data = offsets.enumerate().flat_map(|(index, offset)| {
        let length = [U256::from(32), U256::ZERO, U256::MAX, U256::ONE][index % 4];
        [6u64, 13, 4].map(|which| words(&[offset, length, U256::from(which)]))
    });
    Filler::new("memory_limits", "offsets and lengths up to 2^256 - 1: paid for or out of gas")
        .forks(&["Frontier", "Berlin", "Osaka"])
        .contract(TARGET, &code, &[])
        .data(data)
}

fn control_flow() -> Filler {
    let code = "
        0 0 CALLDATALOAD               ; sum, count
        loop: DUP1 ISZERO @done JUMPI
            DUP1 @square_return SWAP1 @square JUMP
        square_return:
            DUP3 ADD SWAP2 POP          ; sum += count * count
            1 SWAP1 SUB @loop JUMP
        square: DUP1 MUL SWAP1 JUMP
        done: POP 0 SSTORE
            @a 5 @twice JUMP a: 1 SSTORE
            @b 0xffffffffffffffffffffffffffffffff @twice JUMP b: 2 SSTORE
            PC 3 SSTORE GAS 4 SSTORE STOP
        twice: DUP1 ADD SWAP1 JUMP";
    Filler::new("control_flow", "a loop that calls a function, a function called from two places")
        .forks(&["Frontier", "EIP150", "Berlin", "Cancun", "Amsterdam"])
        .contract(TARGET, code, &[])
        .data([0, 1, 7, 300].map(word))
        .gas(&[1_500_000, 65_000])
}

fn jump_destinations() -> Filler {
    // Data 0 to 15 is the destination; 3 is a JUMPDEST, 6 one within a PUSH's number.
    let code = "0 CALLDATALOAD JUMP hex:5b605b5b 1 1 SSTORE STOP";
    let far = [U256::from(0x1_0000_0003u64), U256::ONE << 64 | U256::from(4), U256::MAX];
    let near = (0..16u64).map(U256::from);
    Filler::new("jump_destinations", "dynamic jumps to every place, to places in numbers and far outside")
        .forks(&["Frontier", "London"])
        .contract(TARGET, code, &[])
        .data(near.chain(far).map(|to| words(&[to])))
        .gas(&[100_000])
}

fn stack() -> Filler {
    let body = format!(
        "0 CALLDATALOAD 0xfffe EQ @over JUMPI 0 CALLDATALOAD 0xffff EQ @under JUMPI
         {} DUP16 1 SSTORE SWAP16 2 SSTORE SWAP15 3 SSTORE DUP15 4 SSTORE SWAP1 5 SSTORE DUP1 6 SSTORE
         0 CALLDATALOAD                                    ; 15 words and the count
         fill: 0 SWAP1 1 SWAP1 SUB DUP1 @fill JUMPI 1 7 SSTORE STOP
         over: {} 1 1 SSTORE STOP
         under: 1 1 SSTORE 1 ADD STOP",
        (1..=17).map(|number| format!("{number} ")).collect::<String>(),
        "0 ".repeat(1025),
    );
    let data = [1, 900, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 0xfffe, 0xffff];
    Filler::new("stack", "deep DUP and SWAP; overflow in a loop and in one block; underflow")
        .forks(&["Frontier", "Istanbul", "Osaka"])
        .contract(TARGET, &body, &[])
        .data(data.map(word))
}

fn push0() -> Filler {
    let code = "1 0 SSTORE PUSH0 PUSH0 ADD 3 ADD 1 SSTORE PUSH0 CALLDATALOAD 2 SSTORE";
    Filler::new("push0", "PUSH0, and the halt it is before Shanghai")
        .forks(&["London", "Paris", "Shanghai", "Cancun"])
        .contract(TARGET, code, &[])
        .data([word(9)])
}

fn mcopy() -> Filler {
    let code = "
        0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 0 MSTORE
        0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f 32 MSTORE
        64 CALLDATALOAD 32 CALLDATALOAD 0 CALLDATALOAD MCOPY
        0 MLOAD 0 SSTORE 32 MLOAD 1 SSTORE 64 MLOAD 2 SSTORE MSIZE 3 SSTORE";
    let copy = |to: u64, from: u64, length: u64| words(&[to, from, length].map(U256::from));
    let data = [
        copy(0, 1, 63),
        copy(1, 0, 63),
        copy(5, 5, 20),
        copy(32, 0, 32),
        copy(0, 60, 40),
        copy(1000, 2000, 0),
        copy(60, 0, 40),
        words(&[U256::MAX, U256::MAX, U256::ZERO]),
        words(&[U256::MAX, U256::ZERO, U256::ONE]),
        words(&[U256::ZERO, U256::ZERO, U256::MAX]),
    ];
    Filler::new("mcopy", "overlap both ways, growth by source and destination, length 0 and too large")
        .forks(&["Shanghai", "Cancun", "Osaka", "Amsterdam"])
        .contract(TARGET, code, &[])
        .data(data)
        .gas(&[800_000])
}

fn out_of_gas() -> Filler {
    let code = "1 0 SSTORE 0 1 loop: 1 ADD DUP1 0 MSTORE 32 0 KECCAK256 POP DUP1 64 MUL MLOAD POP @loop JUMP";
    let gas: Vec<u64> = (0..12).map(|step| 43_000 + step * 7).chain([20_999, 21_000, 21_001, 22_106, 500_000]).collect();
    Filler::new("out_of_gas", "a loop that ends by gas at each of its opcodes; limits about the intrinsic gas")
        .forks(&["Homestead", "Berlin", "Prague", "Amsterdam"])
        .contract(TARGET, code, &[])
        .gas(&gas)
}

fn environment() -> Filler {
    let old = [
        "ADDRESS",
        "ORIGIN",
        "CALLER",
        "CALLVALUE",
        "CALLDATASIZE",
        "CODESIZE",
        "GASPRICE",
        "COINBASE",
        "TIMESTAMP",
        "NUMBER",
        "DIFFICULTY",
        "GASLIMIT",
        "ADDRESS BALANCE",
        "ORIGIN BALANCE",
        "0xdead BALANCE",
        "ADDRESS EXTCODESIZE",
        "0xdead EXTCODESIZE",
        "0 BLOCKHASH",
        "255 BLOCKHASH",
        "256 BLOCKHASH",
        "0 NOT BLOCKHASH",
        "32 2 0 ADDRESS EXTCODECOPY 0 MLOAD",
        "GAS",
    ];
    let new = [
        "RETURNDATASIZE",
        "ADDRESS EXTCODEHASH",
        "0xdead EXTCODEHASH",
        "CHAINID",
        "SELFBALANCE",
        "BASEFEE",
        "0 BLOBHASH",
        "BLOBBASEFEE",
    ];
    let choose: String = (1..=new.len()).map(|at| format!("CALLDATASIZE {at} EQ @new{at} JUMPI\n")).collect();
    let each = new.iter().enumerate();
    let each: String = each.map(|(at, name)| format!("new{}: {name} 100 SSTORE STOP\n", at + 1)).collect();
    let code = format!("{} {choose} STOP {each}", store_each(&old));
    Filler::new("environment", "everything a contract can ask; one variant for each of the newer opcodes")
        .forks(&["Frontier", "Byzantium", "Istanbul", "London", "Paris", "Cancun", "Amsterdam"])
        .contract(TARGET, &code, &[])
        .data((0..=new.len()).map(|length| vec![7; length].into()))
        .gas(&[4_000_000])
        .value(&[5])
}
