//! Values that several commands take: hex, numbers, forks, modes, code.

use super::failure::{Failure, Result, read_text};
use crate::engine::{Config, Mode};
use clap::{Args, ValueEnum};
use regex::Regex;
use revm::primitives::{Address, Bytes, U256, hardfork::SpecId};
use std::{io::Read, path::PathBuf};

/// Which engine executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Jit {
    /// ejit's interpreter alone
    Off,
    /// Every block is compiled when first reached
    Always,
    /// Interpreted first, compiled when it pays
    Tiered,
    /// Interpreted and compiled; a difference is an error
    Check,
    /// revm's own interpreter
    Revm,
}

impl Jit {
    /// The engine's settings; none for revm's own interpreter.
    pub fn config(self) -> Option<Config> {
        let mode = match self {
            Jit::Off => Mode::Off,
            Jit::Always => Mode::Always,
            Jit::Tiered => Mode::Tiered,
            Jit::Check => Mode::Check,
            Jit::Revm => return None,
        };
        Some(Config::with_mode(mode))
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Jit::Off => "off",
            Jit::Always => "always",
            Jit::Tiered => "tiered",
            Jit::Check => "check",
            Jit::Revm => "revm",
        }
    }
}

/// The fork of that name, in any case.
pub fn fork(name: &str) -> Result<SpecId> {
    evm_tests::fork::rules(name).ok_or_else(|| {
        let names: Vec<&str> = evm_tests::fork::names().collect();
        Failure::input(format_args!("unknown fork `{name}`; known: {}", names.join(", ")))
    })
}

/// Bytes from hex digits, with or without `0x`; white space around and between is ignored.
pub fn hex(text: &str) -> Result<Bytes> {
    let start = text.len() - text.trim_start().len();
    let body = text[start..].strip_prefix("0x").unwrap_or(&text[start..]);
    let skipped = text[..text.len() - body.len()].chars().count();
    let mut digits = Vec::with_capacity(body.len());
    for (at, character) in body.chars().enumerate() {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if character.is_ascii_whitespace() => {}
            None => return Err(Failure::input(format_args!("malformed hex: {character:?} at character {}", skipped + at + 1))),
        }
    }
    if digits.len() % 2 != 0 {
        return Err(Failure::input(format_args!("malformed hex: an odd number of digits ({})", digits.len())));
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<u8>>().into())
}

/// A number, decimal or `0x`.
pub fn number(text: &str) -> Result<U256> {
    let malformed = |why: &dyn std::fmt::Display| Failure::input(format_args!("malformed number `{text}`: {why}"));
    match text.strip_prefix("0x") {
        Some("") => Ok(U256::ZERO),
        Some(digits) => U256::from_str_radix(digits, 16).map_err(|error| malformed(&error)),
        None if text.is_empty() => Err(malformed(&"empty")),
        None => U256::from_str_radix(text, 10).map_err(|error| malformed(&error)),
    }
}

/// A number of at most 64 bits, decimal or `0x`.
pub fn number64(text: &str) -> Result<u64> {
    number(text)?.try_into().map_err(|_| Failure::input(format_args!("number `{text}` does not fit in 64 bits")))
}

/// An address: 40 hex digits, with or without `0x`.
pub fn address(text: &str) -> Result<Address> {
    let bytes = hex(text)?;
    Address::try_from(bytes.as_ref())
        .map_err(|_| Failure::input(format_args!("malformed address `{text}`: {} bytes, not 20", bytes.len())))
}

/// `K=V`, a storage slot and its value.
pub fn slot(text: &str) -> Result<(U256, U256)> {
    let (key, value) = text.split_once('=').ok_or_else(|| Failure::input(format_args!("malformed slot `{text}`: not K=V")))?;
    Ok((number(key)?, number(value)?))
}

/// A regular expression.
pub fn regex(text: &str) -> Result<Regex> {
    // The parser draws where the error is; its last line says what it is.
    Regex::new(text).map_err(|error| Failure::input(error.to_string().lines().last().unwrap_or_default()))
}

/// Where bytecode comes from.
#[derive(Args, Debug)]
pub struct CodeArgs {
    /// Bytecode in hex; `-` reads it from standard input
    #[arg(value_name = "HEX", conflicts_with = "code_file")]
    pub code: Option<String>,
    /// Read the bytecode, in hex, from a file (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,
}

impl CodeArgs {
    /// The bytecode, if any was given.
    pub fn read(&self) -> Result<Option<Bytes>> {
        match (&self.code, &self.code_file) {
            (Some(code), _) if code != "-" => hex(code).map(Some).map_err(|failure| failure.within("code")),
            (None, Some(path)) if path.as_os_str() != "-" => {
                hex(&read_text(path)?).map(Some).map_err(|failure| failure.within(path.display()))
            }
            (None, None) => Ok(None),
            _ => hex(&read_stdin()?).map(Some).map_err(|failure| failure.within("standard input")),
        }
    }
}

/// All of standard input, as text.
pub fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::input(format_args!("standard input: cannot read: {error}")))?;
    Ok(text)
}
