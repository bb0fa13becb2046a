//! Operations that need no code: on constants, on a word and itself, and with a constant that changes nothing or decides the result.

use super::Translator;
use crate::evm::{U256, opcode as op};

/// Folds an operation on constants, as the EVM defines it. Operands in stack order (`x` was on top).
fn fold(opcode: u8, x: U256, y: U256) -> U256 {
    let bool_word = |b: bool| if b { U256::from(1) } else { U256::ZERO };
    let sign = |v: U256| v.bit(255);
    let magnitude = |v: U256| if sign(v) { v.wrapping_neg() } else { v };
    let negate_if = |negative: bool, v: U256| if negative { v.wrapping_neg() } else { v };
    match opcode {
        op::ADD => x.wrapping_add(y),
        op::MUL => x.wrapping_mul(y),
        op::SUB => x.wrapping_sub(y),
        op::DIV => x.checked_div(y).unwrap_or_default(),
        op::MOD => x.checked_rem(y).unwrap_or_default(),
        op::SDIV => negate_if(sign(x) != sign(y), magnitude(x).checked_div(magnitude(y)).unwrap_or_default()),
        op::SMOD => negate_if(sign(x), magnitude(x).checked_rem(magnitude(y)).unwrap_or_default()),
        op::LT => bool_word(x < y),
        op::GT => bool_word(x > y),
        op::SLT => bool_word((sign(x), y) > (sign(y), x)),
        op::SGT => bool_word((sign(y), x) > (sign(x), y)),
        op::EQ => bool_word(x == y),
        op::AND => x & y,
        op::OR => x | y,
        op::XOR => x ^ y,
        op::BYTE => {
            if x < U256::from(32) {
                U256::from(y.byte(31 - x.as_limbs()[0] as usize))
            } else {
                U256::ZERO
            }
        }
        op::SHL => y.checked_shl_word(x),
        op::SHR => y.checked_shr_word(x),
        op::SAR => {
            if x < U256::from(256) {
                y.arithmetic_shr(x.as_limbs()[0] as usize)
            } else if sign(y) {
                U256::MAX
            } else {
                U256::ZERO
            }
        }
        op::SIGNEXTEND => {
            if x < U256::from(31) {
                let shift = 248 - 8 * x.as_limbs()[0] as usize;
                (y << shift).arithmetic_shr(shift)
            } else {
                y
            }
        }
        other => unreachable!("{other:#x} is no operation of two words"),
    }
}

trait WordShift {
    fn checked_shl_word(self, amount: U256) -> U256;
    fn checked_shr_word(self, amount: U256) -> U256;
}

impl WordShift for U256 {
    fn checked_shl_word(self, amount: U256) -> U256 {
        if amount < U256::from(256) { self << amount.as_limbs()[0] as usize } else { U256::ZERO }
    }
    fn checked_shr_word(self, amount: U256) -> U256 {
        if amount < U256::from(256) { self >> amount.as_limbs()[0] as usize } else { U256::ZERO }
    }
}

/// What an operation gives that needs no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    /// The operand of which nothing else is known.
    Operand,
    Number(u64),
}

/// What an operation gives for a word and itself.
fn of_equals(opcode: u8) -> Option<Gives> {
    match opcode {
        op::AND | op::OR => Some(Gives::Operand),
        op::EQ => Some(Gives::Number(1)),
        op::SUB | op::XOR | op::LT | op::GT | op::SLT | op::SGT => Some(Gives::Number(0)),
        _ => None,
    }
}

/// What an operation gives for `k` on top of an unknown word.
fn of_top(opcode: u8, k: &U256) -> Option<Gives> {
    match opcode {
        op::ADD | op::OR | op::XOR | op::SHL | op::SHR | op::SAR if k.is_zero() => Some(Gives::Operand),
        op::MUL if *k == U256::ONE => Some(Gives::Operand),
        op::AND if *k == U256::MAX => Some(Gives::Operand),
        op::SIGNEXTEND if *k >= U256::from(31) => Some(Gives::Operand),
        op::MUL | op::AND | op::DIV | op::SDIV | op::MOD | op::SMOD | op::GT if k.is_zero() => Some(Gives::Number(0)),
        op::SHL | op::SHR if *k >= U256::from(256) => Some(Gives::Number(0)),
        op::BYTE if *k >= U256::from(32) => Some(Gives::Number(0)),
        op::LT if *k == U256::MAX => Some(Gives::Number(0)),
        op::SLT if *k == U256::MAX >> 1 => Some(Gives::Number(0)),
        op::SGT if *k == U256::ONE << 255 => Some(Gives::Number(0)),
        _ => None,
    }
}

/// What an operation gives for an unknown word on top of `k`.
fn of_second(opcode: u8, k: &U256) -> Option<Gives> {
    match opcode {
        op::ADD | op::SUB | op::OR | op::XOR if k.is_zero() => Some(Gives::Operand),
        op::MUL | op::DIV | op::SDIV if *k == U256::ONE => Some(Gives::Operand),
        op::AND if *k == U256::MAX => Some(Gives::Operand),
        op::MUL | op::AND | op::DIV | op::SDIV | op::SHL | op::SHR | op::SAR | op::BYTE | op::SIGNEXTEND | op::LT
            if k.is_zero() =>
        {
            Some(Gives::Number(0))
        }
        op::MOD | op::SMOD if *k <= U256::ONE => Some(Gives::Number(0)),
        op::GT if *k == U256::MAX => Some(Gives::Number(0)),
        op::SLT if *k == U256::ONE << 255 => Some(Gives::Number(0)),
        op::SGT if *k == U256::MAX >> 1 => Some(Gives::Number(0)),
        _ => None,
    }
}

impl Translator {
    /// An operation of two words, if it needs no code; false if it does, and then nothing has happened.
    pub(super) fn folds(&mut self, opcode: u8) -> bool {
        let top = self.s.len() - 1;
        let (x, y) = (self.s.at(top), self.s.at(top - 1));
        let (gives, operand) = match (self.s.known(x), self.s.known(y)) {
            (Some(kx), Some(ky)) => {
                let k = fold(opcode, *kx, *ky);
                self.drop_operands();
                self.s.push_const(k);
                return true;
            }
            (Some(k), None) => (of_top(opcode, k), y),
            (None, Some(k)) => (of_second(opcode, k), x),
            (None, None) if x == y => (of_equals(opcode), x),
            (None, None) => return false,
        };
        match gives {
            None => return false,
            Some(Gives::Number(n)) => {
                self.drop_operands();
                self.s.push_limb(n);
            }
            Some(Gives::Operand) => {
                let (x, y) = (self.s.pop(), self.s.pop());
                self.s.push(operand);
                self.release2(x, y);
            }
        }
        true
    }

    fn drop_operands(&mut self) {
        let (x, y) = (self.s.pop(), self.s.pop());
        self.release2(x, y);
    }
}
