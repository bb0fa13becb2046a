//! What contracts do with words from outside: a comparison or a mask says whether a word is in range, a branch follows, and the word is used on
//! both sides, where the compiler knows its width.

use super::world::{Case, Harness};
use evm_tests::assemble::assemble;
use revm::primitives::U256;

/// Conditions on the word on top of the stack, of `width` bits; the word stays below the result.
fn conditions(width: usize) -> Vec<String> {
    let mask = (U256::ONE << width) - U256::ONE;
    let limit = U256::ONE << width;
    [
        format!("{mask} DUP2 AND DUP2 EQ"),
        format!("DUP1 {mask} AND DUP2 EQ"),
        format!("DUP1 DUP1 {mask} AND EQ"),
        format!("DUP1 {mask} DUP3 AND EQ"),
        // The same in other clothes: another word compared, the mask used once more, another mask.
        format!("{mask} DUP2 AND DUP1 EQ"),
        format!("DUP1 {mask} AND DUP1 DUP3 EQ SWAP1 POP"),
        format!("{} DUP2 AND DUP2 EQ", mask << 1),
        format!("{mask} DUP2 GT ISZERO"),
        format!("{limit} DUP2 LT"),
        format!("DUP1 {limit} GT"),
        format!("DUP1 {mask} LT ISZERO"),
        format!("{limit} DUP2 SLT"),
        format!("{mask} DUP2 SGT ISZERO"),
        format!("{mask} DUP2 GT ISZERO ISZERO ISZERO"),
        format!("{mask} 32 CALLDATALOAD AND DUP2 EQ"),
        format!("{mask} 32 CALLDATALOAD AND DUP2 LT"),
        // The flags are lost, the condition is not.
        format!("{mask} DUP2 GT ISZERO 32 CALLDATALOAD 7 ADD POP"),
        format!("{mask} DUP2 GT 32 CALLDATALOAD 7 ADD POP ISZERO"),
        format!("{mask} DUP2 AND DUP2 EQ GAS POP"),
    ]
    .into()
}

/// Uses of the word on top of the stack, each of which leaves a word there.
fn uses(width: usize) -> Vec<String> {
    let mask = (U256::ONE << width) - U256::ONE;
    [
        format!("{mask} AND"),
        "DUP1 ADD".into(),
        format!("DUP1 {mask} AND DUP2 XOR ADD"),
        "1 ADD DUP1 MUL".into(),
        format!("DUP1 {} SHR SWAP1 3 SHL OR", width / 2),
        "DUP1 0x40 MSTORE 0x40 MLOAD SUB DUP1 NOT LT".into(),
        "DUP1 0x1f AND BYTE".into(),
    ]
    .into()
}

/// Words about `width` bits wide.
fn words(width: usize) -> [U256; 8] {
    let limit = U256::ONE << width;
    [
        U256::ZERO,
        U256::ONE,
        limit - U256::ONE,
        limit,
        limit + U256::ONE,
        U256::MAX,
        U256::ONE << 255,
        (U256::MAX << width) | (limit >> 1),
    ]
}

fn check(width: usize) {
    let mut harness = Harness::new();
    for condition in conditions(width) {
        for using in uses(width) {
            // The word in registers, and in memory with others above it.
            for before in ["", "32 CALLDATALOAD DUP1 MUL DUP1 DUP1 DUP1 MUL ADD SWAP2"] {
                let text = format!(
                    "0 CALLDATALOAD {before} {condition} @in JUMPI {using} 0 MSTORE 0x11 32 MSTORE @end JUMP \
                     in: {using} 0 MSTORE end: 64 0 RETURN"
                );
                let code = assemble(&text).expect("the text is assembly");
                for word in words(width) {
                    let other = [0x5a; 32];
                    let input = [word.to_be_bytes::<32>(), other].concat();
                    harness.check(&Case::new(code.clone()).input(input));
                }
            }
        }
    }
}

#[test]
fn words_in_range() {
    for width in [1, 8, 31, 32, 63, 64] {
        check(width);
    }
}

#[test]
fn wide_words_in_range() {
    for width in [65, 127, 128, 160, 192, 255] {
        check(width);
    }
}

/// Words whose products are about 64, 128, 255 and 256 bits wide, of either sign.
fn factors() -> Vec<U256> {
    let mut words = vec![U256::ZERO, U256::ONE, U256::from(3), U256::MAX, U256::from(1_000_000_007)];
    for bit in [32, 63, 64, 127, 128, 192, 255] {
        let power: U256 = U256::ONE << bit;
        words.extend([power - U256::ONE, power, power.wrapping_neg(), (!power).wrapping_add(U256::ONE << 5)]);
    }
    words
}

/// Products divided by a factor, as solc, SafeMath and Vyper check them, and in ways that look like that.
#[test]
fn products_divided_by_a_factor() {
    // On `x y`; leaves a word on top.
    let checks = [
        "DUP2 DUP2 MUL DUP3 DUP2 DIV DUP3 EQ DUP4 ISZERO OR ADD",
        "DUP2 DUP2 MUL DUP2 DUP2 DIV DUP4 EQ DUP3 ISZERO OR ADD",
        "DUP1 DUP3 MUL DUP3 DUP2 SDIV DUP3 EQ DUP4 ISZERO OR ADD",
        "DUP2 DUP2 MUL DUP2 SWAP1 DIV",
        "DUP2 DUP2 MUL DUP2 SWAP1 SDIV",
        "DUP2 DUP2 MUL DUP2 SWAP1 MOD",
        "DUP2 DUP2 MUL DUP2 DIV",
        "DUP1 DUP1 MUL DUP2 SWAP1 DIV",
        "DUP1 DUP1 MUL DUP2 SWAP1 SDIV DUP2 SUB",
        "1000 DUP2 MUL 1000 SWAP1 DIV DUP2 EQ",
        "1000 DUP2 MUL DUP2 SWAP1 DIV 1000 EQ",
        "1000 DUP2 MUL 1001 SWAP1 DIV",
        "0 DUP2 MUL 0 SWAP1 DIV",
        "1 DUP2 MUL DUP2 SWAP1 DIV",
        "64 DUP2 MUL 64 SWAP1 SDIV",
        "DUP2 DUP2 MUL 5 SLOAD POP DUP2 SWAP1 DIV",
        "DUP2 DUP2 MUL DUP3 DUP3 1 ADD MUL DUP3 SWAP1 DIV SWAP1 DUP3 SWAP1 DIV ADD",
        "DUP2 DUP2 MUL SWAP2 POP DUP2 DIV",
        "MUL DUP1 SWAP1 DIV",
        "DUP2 DUP2 LT DUP3 DUP3 MUL DUP3 SWAP1 DIV ADD",
    ];
    let masks = ["", "0xffffffff AND", "0xffffffffffffffff AND", "0xffffffffffffffffffffffffffffffff AND", "15 SIGNEXTEND"];
    let mut harness = Harness::new();
    for check in checks {
        for mask in masks {
            let text = format!(
                "0 CALLDATALOAD {mask} 32 CALLDATALOAD {mask} {check} DUP1 @in JUMPI 7 ADD in: 0 MSTORE DUP1 32 MSTORE 64 0 RETURN"
            );
            let code = assemble(&text).expect("the text is assembly");
            for x in factors() {
                for y in factors() {
                    let input = [x.to_be_bytes::<32>(), y.to_be_bytes::<32>()].concat();
                    harness.check(&Case::new(code.clone()).input(input));
                }
            }
        }
    }
}

/// What is only looked at in part: whether it is zero, some of its bits, a byte. Operands are constants, narrow and wide words, amounts and indices in range and beyond.
#[test]
fn results_of_which_a_part_is_used() {
    let table = "0x303132333435363738396162636465666768696a6b6c6d6e6f7071727374fffe";
    // On `x y`; leaves a word on top.
    let mut parts: Vec<String> =
        ["DUP2 DUP2 BYTE", "DUP2 0x1f AND DUP2 SWAP1 BYTE", "DUP2 0x3f AND DUP2 SWAP1 BYTE", "DUP1 DUP1 BYTE"]
            .map(String::from)
            .into();
    for operation in ["SUB", "XOR"] {
        parts.push(format!("DUP2 DUP2 {operation} ISZERO"));
        parts.push(format!("DUP2 DUP2 {operation} ISZERO ISZERO"));
        parts.push(format!("7 DUP2 {operation} ISZERO"));
        parts.push(format!("DUP2 DUP2 {operation} @skip JUMPI DUP1 2 ADD SWAP1 POP skip: DUP1"));
        parts.push(format!("DUP2 DUP2 {operation} DUP1 @skip JUMPI DUP2 2 ADD SWAP2 POP skip: DUP1 ADD"));
    }
    for index in ["0xf", "0x1f", "0x3f"] {
        parts.push(format!("{table} DUP2 {index} AND BYTE"));
    }
    for mask in ["1", "0x20", "0x1ffffffffffffff", "0x3ffffffffffffff", "0xffffffffffffffff", "0x1ffffffffffffffff"] {
        for amount in ["DUP2", "DUP2 0xff AND", "DUP2 0x1ff AND", "DUP2 0x3f AND", "8"] {
            parts.push(format!("{mask} {table} {} SHR AND", amount.replace("DUP2", "DUP3")));
            parts.push(format!("{table} {amount} SHR {mask} AND"));
        }
        for operation in ["ADD", "SUB", "MUL", "OR", "XOR", "SHR", "SHL"] {
            parts.push(format!("{mask} DUP3 DUP3 {operation} AND"));
            parts.push(format!("{mask} DUP2 9 {operation} AND"));
        }
    }
    let masks = ["", "0xff AND", "0xffffffffffffffff AND"];
    let words: Vec<U256> = [0, 1, 7, 8, 9, 31, 32, 57, 63, 64, 199, 255, 256, 263, 511]
        .map(U256::from)
        .into_iter()
        .chain([U256::MAX, U256::ONE << 255, U256::ONE << 64, U256::from(u64::MAX), (U256::ONE << 136) + U256::from(65)])
        .collect();
    let mut harness = Harness::new();
    for part in &parts {
        for mask in masks {
            let text = format!("0 CALLDATALOAD {mask} 32 CALLDATALOAD {mask} {part} 0 MSTORE DUP1 32 MSTORE 64 0 RETURN");
            let code = assemble(&text).expect("the text is assembly");
            for x in &words {
                for y in &words {
                    let input = [x.to_be_bytes::<32>(), y.to_be_bytes::<32>()].concat();
                    harness.check(&Case::new(code.clone()).input(input));
                }
            }
        }
    }
}

/// Sums, differences and products checked for overflow as solc 0.8 does, early versions and late ones, and in ways that look like that.
#[test]
fn overflow_checks() {
    let greatest = format!("{:#x}", U256::MAX);
    // On `x y`; leaves a word on top.
    let mut checks: Vec<String> = Vec::new();
    for operation in ["ADD", "SUB"] {
        for compare in [
            "DUP1 DUP3 GT",
            "DUP1 DUP4 GT",
            "DUP1 DUP3 LT",
            "DUP1 DUP4 LT",
            "DUP2 DUP2 LT",
            "DUP3 DUP2 LT",
            "DUP2 DUP2 GT",
            "DUP3 DUP2 GT",
            "DUP1 DUP4 SLT",
        ] {
            checks.push(format!("DUP2 DUP2 {operation} {compare} ADD"));
            checks.push(format!("DUP2 DUP2 {operation} 9 SLOAD POP {compare} SWAP1 POP"));
            checks.push(format!("DUP2 DUP2 {operation} {compare} @over JUMPI DUP2 MUL over:"));
        }
        checks.push(format!("0x20 DUP2 {operation} DUP1 DUP3 GT ADD"));
        checks.push(format!("DUP1 0x20 {operation} DUP1 DUP3 LT ADD"));
        checks.push(format!("DUP2 DUP2 {operation} SWAP2 POP DUP2 DUP2 GT"));
    }
    for complement in ["NOT".to_string(), format!("{greatest} SUB"), format!("{} SUB", U256::MAX - U256::ONE)] {
        checks.push(format!("DUP2 {complement} DUP2 GT"));
        checks.push(format!("DUP2 {complement} DUP3 GT"));
        checks.push(format!("DUP1 {complement} DUP2 GT ISZERO"));
        checks.push(format!("DUP2 {complement} DUP1 GT"));
        checks.push(format!("DUP2 {complement} DUP2 LT"));
        checks.push(format!("DUP2 {complement} DUP2 GT @over JUMPI DUP2 DUP2 ADD SWAP1 POP over: DUP1"));
    }
    let halves: U256 = (U256::ONE << 128) - U256::ONE;
    for limit in [
        U256::MAX,
        U256::MAX - (U256::ONE << 89),
        halves * halves,
        halves * halves - U256::ONE,
        U256::ONE << 128,
        U256::from(1000),
        U256::ZERO,
    ] {
        checks.push(format!("DUP2 {limit} DIV DUP2 GT"));
        checks.push(format!("DUP2 {limit} DIV DUP3 GT"));
        checks.push(format!("DUP2 {limit} DIV DUP2 GT DUP3 ISZERO ISZERO AND @over JUMPI DUP2 DUP2 MUL SWAP1 POP over: DUP1"));
        checks.push(format!("DUP2 {limit} DIV DUP1 GT"));
        checks.push(format!("5 {limit} DIV DUP2 GT"));
        checks.push(format!("3 DUP2 {limit} DIV DUP2 GT SWAP1 POP"));
        checks.push(format!("0 DUP2 {limit} DIV DUP2 GT SWAP1 POP"));
    }
    let masks = ["", "0xffffffffffffffff AND", "0xffffffffffffffffffffffffffffffff AND"];
    let mut harness = Harness::new();
    for check in &checks {
        for mask in masks {
            let text = format!("0 CALLDATALOAD {mask} 32 CALLDATALOAD {mask} {check} 0 MSTORE DUP1 32 MSTORE 64 0 RETURN");
            let code = assemble(&text).expect("the text is assembly");
            for x in factors().into_iter().step_by(2) {
                for y in factors().into_iter().step_by(2) {
                    let input = [x.to_be_bytes::<32>(), y.to_be_bytes::<32>()].concat();
                    harness.check(&Case::new(code.clone()).input(input));
                }
            }
        }
    }
}
