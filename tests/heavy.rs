//! Products and divisions of words of every width, constant or not, against revm: the translator has ways of its own for narrow ones.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::evm::opcode as op;
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use support::{Asm, Random, World, address};

const CONTRACT: Address = address(0xc0de);

/// Widths of operands in bits: around the edges of limbs.
const WIDTHS: [usize; 11] = [1, 8, 63, 64, 65, 127, 128, 129, 192, 255, 256];

/// How an operand comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Known to the translator.
    Constant,
    /// From memory, and masked: only its width is known.
    Masked,
    /// From memory: nothing is known.
    Unknown,
}

/// A word of at most `bits` bits: any, the largest, the largest power of two, or 0.
fn word(bits: usize, random: &mut Random) -> U256 {
    let largest = U256::MAX >> (256 - bits);
    match random.below(8) {
        0 => U256::ZERO,
        1 => largest,
        2 => (largest >> 1) + U256::from(1),
        3 => (largest >> 1usize).wrapping_neg() & largest,
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
    let kinds = [Kind::Constant, Kind::Masked, Kind::Unknown];
    let mut random = Random::new(7);
    for opcode in [op::MUL, op::DIV, op::MOD, op::SDIV, op::SMOD] {
        for (x, y, keep) in kinds.iter().flat_map(|&x| kinds.map(|y| [(x, y, false), (x, y, true)])).flatten() {
            let code = program(opcode, x, y, keep, &mut random);
            let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
            assert!(frames > 0, "{opcode:#x} {x:?} {y:?} {keep}");
        }
    }
}
