//! Products, divisions, and sums and products modulo others, of words of every width, constant or not, against revm: the translator has ways of its own for
//! many of them. `EJIT_HEAVY_ROUNDS=1000 cargo test --profile fast --features revm --test heavy` repeats that with other operands: a round is some 13,000
//! operations in each mode.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::evm::opcode as op;
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use support::{Asm, Random, World, address};

const CONTRACT: Address = address(0xc0de);

/// Widths of operands in bits: around the edges of limbs.
const WIDTHS: [usize; 13] = [1, 8, 32, 62, 63, 64, 65, 127, 128, 129, 192, 255, 256];

/// How often each test is repeated with other operands.
fn rounds() -> u64 {
    std::env::var("EJIT_HEAVY_ROUNDS").map_or(1, |text| text.parse().expect("EJIT_HEAVY_ROUNDS is a number"))
}

/// How an operand comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Known to the translator.
    Constant,
    /// From memory, and masked: only its width is known.
    Masked,
    /// As that, and shifted by an unknown amount of 0: the translator knows a width, and has four registers for it.
    Shifted,
    /// From memory: nothing is known.
    Unknown,
}

/// A word of at most `bits` bits: any, the largest, the largest power of two, a power of ten, or 0.
fn word(bits: usize, random: &mut Random) -> U256 {
    let largest = U256::MAX >> (256 - bits);
    match random.below(8) {
        0 => U256::ZERO,
        1 => largest,
        2 => (largest >> 1) + U256::from(1),
        3 => (largest >> 1usize).wrapping_neg() & largest,
        4 => U256::from(10).pow(U256::from(random.below(1 + bits as u64 * 3 / 10))) & largest,
        _ => U256::from_limbs([(); 4].map(|()| random.next())) & largest,
    }
}

fn push(asm: Asm, word: U256) -> Asm {
    asm.ops(&[op::PUSH1 + 31]).ops(&word.to_be_bytes::<32>())
}

/// Leaves `word` on the stack.
fn operand(asm: Asm, kind: Kind, bits: usize, word: U256) -> Asm {
    match kind {
        Kind::Constant => push(asm, word),
        Kind::Masked => push(operand(asm, Kind::Unknown, bits, word), U256::MAX >> (256 - bits)).ops(&[op::AND]),
        Kind::Shifted => operand(operand(asm, Kind::Masked, bits, word), Kind::Unknown, 1, U256::ZERO).ops(&[op::SHR]),
        Kind::Unknown => push(asm, word).push(0).ops(&[op::MSTORE]).push(0).ops(&[op::MLOAD]),
    }
}

/// `op` on operands of all widths and kinds, each result added to what is twice the sum so far, which is returned. The first operand is duplicated
/// below, so that its registers stay its own, where `keep`.
fn program(opcode: u8, x_kind: Kind, y_kind: Kind, keep: bool, random: &mut Random) -> Vec<u8> {
    let mut asm = Asm::new().push(0);
    for x_bits in WIDTHS {
        for y_bits in WIDTHS {
            asm = operand(asm, x_kind, x_bits, word(x_bits, random));
            if keep {
                asm = asm.ops(&[op::DUP1]);
            }
            asm = operand(asm, y_kind, y_bits, word(y_bits, random)).ops(&[op::SWAP1, opcode]);
            if keep {
                asm = asm.ops(&[op::XOR]);
            }
            asm = asm.ops(&[op::SWAP1, op::DUP1, op::ADD, op::ADD]);
        }
    }
    asm.push(0).ops(&[op::MSTORE]).push(32).push(0).ops(&[op::RETURN]).build()
}

#[test]
fn all_widths_are_what_revm_says() {
    let kinds = [Kind::Constant, Kind::Masked, Kind::Shifted, Kind::Unknown];
    let mut random = Random::new(7);
    for opcode in [op::MUL, op::DIV, op::MOD, op::SDIV, op::SMOD].repeat(rounds() as usize) {
        for (x, y, keep) in kinds.iter().flat_map(|&x| kinds.map(|y| [(x, y, false), (x, y, true)])).flatten() {
            let code = program(opcode, x, y, keep, &mut random);
            let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
            assert!(frames > 0, "{opcode:#x} {x:?} {y:?} {keep}");
        }
    }
}

/// Words at the edges of one limb with a sign, of two, and of none.
fn edge(n: usize, random: &mut Random) -> U256 {
    let negative = |k: U256| k.wrapping_neg();
    let power = |n: usize| U256::from(1) << n;
    let one = U256::from(1);
    match n {
        0 => U256::ZERO,
        1 => one,
        2 => negative(one),
        3 => power(63) - one,
        4 => power(63),
        5 => negative(power(63)),
        6 => negative(power(63) + one),
        7 => negative(power(64)),
        8 => power(127),
        9 => power(255),
        _ => {
            let shift = random.below(64) as usize;
            let magnitude = U256::from(random.next() >> shift);
            if random.below(2) == 0 { magnitude } else { negative(magnitude) }
        }
    }
}

/// Of [`edge`]s tried with each other.
const EDGES: usize = 13;

/// How a word with a sign comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Signed {
    Constant,
    /// By SIGNEXTEND of eight bytes.
    Extended,
    /// From memory: nothing is known.
    Loaded,
}

/// `op` on edges of all kinds, in a loop of three rounds, each result added to what is twice the sum so far, which is returned.
fn signed_program(opcode: u8, x: Signed, y: Signed, keep: bool, random: &mut Random) -> Vec<u8> {
    let operand = |asm: Asm, kind, word| match kind {
        Signed::Constant => push(asm, word),
        Signed::Extended => operand(asm, Kind::Unknown, 256, word).push(7).ops(&[op::SIGNEXTEND]),
        Signed::Loaded => operand(asm, Kind::Unknown, 256, word),
    };
    let mut asm = Asm::new().push(3).push(0);
    let head = asm.len();
    asm = asm.ops(&[op::JUMPDEST]);
    for n in 0..EDGES * EDGES {
        asm = operand(asm, x, edge(n / EDGES, random));
        if keep {
            asm = asm.ops(&[op::DUP1]);
        }
        asm = operand(asm, y, edge(n % EDGES, random)).ops(&[op::SWAP1, opcode]);
        if keep {
            asm = asm.ops(&[op::XOR]);
        }
        asm = asm.ops(&[op::SWAP1, op::DUP1, op::ADD, op::ADD]);
    }
    asm = asm.ops(&[op::SWAP1]).push(1).ops(&[op::SWAP1, op::SUB, op::SWAP1, op::DUP1 + 1]).push(head as u64).ops(&[op::JUMPI]);
    asm.push(0).ops(&[op::MSTORE]).push(32).push(0).ops(&[op::RETURN]).build()
}

#[test]
fn limbs_with_signs_are_what_revm_says() {
    let kinds = [Signed::Constant, Signed::Extended, Signed::Loaded];
    let ops = [
        op::ADD,
        op::SUB,
        op::MUL,
        op::SDIV,
        op::SMOD,
        op::DIV,
        op::SAR,
        op::SHR,
        op::SHL,
        op::SLT,
        op::SGT,
        op::LT,
        op::EQ,
        op::AND,
        op::OR,
        op::XOR,
        op::SIGNEXTEND,
        op::BYTE,
    ];
    let mut random = Random::new(11);
    for opcode in ops.repeat(rounds() as usize) {
        for (x, y, keep) in kinds.iter().flat_map(|&x| kinds.map(|y| [(x, y, false), (x, y, true)])).flatten() {
            let code = signed_program(opcode, x, y, keep, &mut random);
            let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
            assert!(frames > 0, "{opcode:#x} {x:?} {y:?} {keep}");
        }
    }
}

/// DIV and MOD of the same operands, one after the other; the quotient is used up before where not `keep`.
fn both(x_kind: Kind, y_kind: Kind, keep: bool, random: &mut Random) -> Vec<u8> {
    let mut asm = Asm::new().push(0);
    for x_bits in WIDTHS {
        for y_bits in WIDTHS {
            let y = word(y_bits, random);
            asm = operand(asm, y_kind, y_bits, y);
            asm = operand(asm, x_kind, x_bits, word(x_bits, random));
            asm = asm.ops(&[op::DUP1 + 1, op::DUP1 + 1, op::DIV]);
            if !keep {
                asm = asm.ops(&[op::ISZERO]);
            }
            asm = asm.ops(&[op::SWAP1 + 1]);
            if y_kind == Kind::Constant {
                // As a compiler does it: the constant again.
                asm = push(asm.ops(&[op::POP]), y);
            }
            asm = asm.ops(&[op::SWAP1, op::MOD, op::XOR]);
            asm = asm.ops(&[op::SWAP1, op::DUP1, op::ADD, op::ADD]);
        }
    }
    asm.push(0).ops(&[op::MSTORE]).push(32).push(0).ops(&[op::RETURN]).build()
}

#[test]
fn quotients_with_remainders_are_what_revm_says() {
    let kinds = [Kind::Constant, Kind::Masked, Kind::Shifted, Kind::Unknown];
    let mut random = Random::new(13);
    for keep in [false, true].repeat(rounds() as usize) {
        for (x, y) in kinds.iter().flat_map(|&x| kinds.map(|y| (x, y))) {
            let code = both(x, y, keep, &mut random);
            let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
            assert!(frames > 0, "{x:?} {y:?} {keep}");
        }
    }
}

/// Moduli that contracts use, others with a form of their own, and any.
fn moduli(random: &mut Random) -> Vec<U256> {
    let hex = |text: &str| U256::from_str_radix(text, 16).unwrap();
    let mut moduli = vec![
        U256::MAX,
        hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
        hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
        hex("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"),
        hex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"),
        hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"),
    ];
    for bits in WIDTHS.into_iter().chain([224, 253, 254]) {
        let power = U256::from(1) << (bits - 1);
        moduli.extend([power, power - U256::from(1), power + U256::from(1), word(bits, random)]);
    }
    moduli
}

/// An operand near a multiple of `n`, or any.
fn near(n: U256, random: &mut Random) -> U256 {
    let one = U256::from(1);
    match random.below(8) {
        0 => n,
        1 => n.wrapping_sub(one),
        2 => n.wrapping_add(one),
        3 => U256::MAX.wrapping_sub(U256::from(random.below(3))),
        4 => n >> 1,
        5 => U256::from(random.below(3)),
        6 => word(256, random).checked_rem(n).unwrap_or_default(),
        _ => word(1 + random.below(256) as usize, random),
    }
}

/// `op` modulo each of the moduli, so often that the runtime prepares those that are no constants, as [`program`] does it with two operands; all of them are duplicated where
/// `keep`. Then again with one operand twice.
fn modular(opcode: u8, [x_kind, y_kind, n_kind]: [Kind; 3], keep: bool, random: &mut Random) -> Vec<u8> {
    let mut asm = Asm::new().push(0);
    for n in moduli(random).into_iter().flat_map(|n| [n; 6]) {
        let (x, y) = (near(n, random), near(n, random));
        let mut operands = [(n_kind, n), (y_kind, y), (x_kind, x)];
        if keep {
            operands.reverse();
        }
        for (kind, word) in operands {
            asm = operand(asm, kind, word.bit_len().max(1), word);
        }
        asm = match keep {
            true => asm.ops(&[op::DUP1, op::DUP1 + 2, op::DUP1 + 4, opcode, op::XOR, op::XOR, op::XOR]),
            false => asm.ops(&[opcode]),
        };
        asm = operand(asm, n_kind, n.bit_len().max(1), n);
        asm = operand(asm, x_kind, x.bit_len().max(1), x).ops(&[op::DUP1, opcode, op::XOR]);
        asm = asm.ops(&[op::SWAP1, op::DUP1, op::ADD, op::ADD]);
    }
    asm.push(0).ops(&[op::MSTORE]).push(32).push(0).ops(&[op::RETURN]).build()
}

#[test]
fn all_moduli_are_what_revm_says() {
    let kinds = [Kind::Constant, Kind::Masked, Kind::Unknown];
    let mut random = Random::new(11);
    for opcode in [op::ADDMOD, op::MULMOD].repeat(rounds() as usize) {
        for (x, y, n) in kinds.iter().flat_map(|&x| kinds.map(|y| kinds.map(|n| (x, y, n)))).flatten() {
            for keep in [false, true] {
                let code = modular(opcode, [x, y, n], keep, &mut random);
                let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
                assert!(frames > 0, "{opcode:#x} {x:?} {y:?} {n:?} {keep}");
            }
        }
    }
}
