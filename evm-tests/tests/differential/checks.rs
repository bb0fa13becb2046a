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
