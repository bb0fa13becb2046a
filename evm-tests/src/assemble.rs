//! EVM assembly text to bytecode: what the tests of this project are written in.
//!
//! Tokens are separated by blanks; `;` begins a comment that ends with the line.
//!
//! | token | bytes |
//! |---|---|
//! | `ADD`, `DUP3`, … | the opcode, by revm's name for it |
//! | `PUSH7 0x1` | the opcode and a number of that width |
//! | `0x1f`, `31` | the shortest PUSH1 to PUSH32 of the number |
//! | `loop:` | JUMPDEST, and the name of its place |
//! | `@loop` | PUSH2 of the place |
//! | `hex:c0de` | these bytes as they are |
//!
//! ```
//! let code = evm_tests::assemble::assemble("again: 1 0x0100 ADD @again JUMP").unwrap();
//! assert_eq!(code[..], [0x5b, 0x60, 1, 0x61, 1, 0, 0x01, 0x61, 0, 0, 0x56]);
//! ```

use std::collections::HashMap;

use revm::bytecode::opcode::{JUMPDEST, OPCODE_INFO, PUSH0, PUSH1, PUSH2, PUSH32};
use revm::primitives::{Bytes, U256, hex};
use thiserror::Error;

/// Why a text is no assembly.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AssembleError {
    /// Neither opcode, number nor label.
    #[error("`{0}` is neither opcode, number nor label")]
    Token(String),
    /// A PUSHn without a number, or with one that is too wide.
    #[error("`{0}` lacks a number that fits it")]
    Immediate(String),
    /// A label that is used and nowhere defined.
    #[error("label `{0}` is not defined")]
    Undefined(String),
    /// A label defined twice.
    #[error("label `{0}` is defined twice")]
    Twice(String),
}

/// Assembles a text.
pub fn assemble(text: &str) -> Result<Bytes, AssembleError> {
    let mut code = Vec::new();
    let mut labels = HashMap::new();
    let mut uses = Vec::new();
    let lines = text.lines().map(|line| line.split(';').next().unwrap_or_default());
    let mut tokens = lines.flat_map(str::split_whitespace);
    while let Some(token) = tokens.next() {
        let unknown = || AssembleError::Token(token.into());
        if let Some(label) = token.strip_suffix(':') {
            if labels.insert(label, code.len()).is_some() {
                return Err(AssembleError::Twice(label.into()));
            }
            code.push(JUMPDEST);
        } else if let Some(label) = token.strip_prefix('@') {
            code.push(PUSH2);
            uses.push((label, code.len()));
            code.extend([0, 0]);
        } else if let Some(bytes) = token.strip_prefix("hex:") {
            code.extend(hex::decode(bytes).map_err(|_| unknown())?);
        } else if let Some(number) = number(token) {
            push(&mut code, number.byte_len().max(1), number);
        } else {
            let opcode = opcode(token).ok_or_else(unknown)?;
            if (PUSH1..=PUSH32).contains(&opcode) {
                let width = usize::from(opcode - PUSH0);
                let number = tokens.next().and_then(number).filter(|number| number.byte_len() <= width);
                push(&mut code, width, number.ok_or_else(|| AssembleError::Immediate(token.into()))?);
            } else {
                code.push(opcode);
            }
        }
    }
    for (label, at) in uses {
        let place = labels.get(label).ok_or_else(|| AssembleError::Undefined(label.into()))?;
        code[at..at + 2].copy_from_slice(&U256::from(*place).to_be_bytes::<32>()[30..]);
    }
    Ok(code.into())
}

fn push(code: &mut Vec<u8>, width: usize, number: U256) {
    code.push(PUSH0 + width as u8);
    code.extend(&number.to_be_bytes::<32>()[32 - width..]);
}

fn number(token: &str) -> Option<U256> {
    match token.strip_prefix("0x") {
        Some(digits) => U256::from_str_radix(digits, 16).ok(),
        None if token.starts_with(|first: char| first.is_ascii_digit()) => U256::from_str_radix(token, 10).ok(),
        None => None,
    }
}

fn opcode(name: &str) -> Option<u8> {
    let known = |byte: &u8| OPCODE_INFO[usize::from(*byte)].is_some_and(|info| info.name() == name);
    (0..=u8::MAX).find(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let bytes = |text| assemble(text).map(hex::encode);
        assert_eq!(bytes("0 255 256 ADD ; text").unwrap(), "600060ff61010001");
        assert_eq!(bytes("PUSH3 0x1 PUSH0 hex:fe00").unwrap(), "620000015ffe00");
        assert_eq!(bytes("@end JUMP end:\nSTOP").unwrap(), "610004565b00");
        assert_eq!(bytes("ADDD"), Err(AssembleError::Token("ADDD".into())));
        assert_eq!(bytes("PUSH1 256"), Err(AssembleError::Immediate("PUSH1".into())));
        assert_eq!(bytes("PUSH1"), Err(AssembleError::Immediate("PUSH1".into())));
        assert_eq!(bytes("@a"), Err(AssembleError::Undefined("a".into())));
        assert_eq!(bytes("a: a:"), Err(AssembleError::Twice("a".into())));
    }
}
