//! `ejit compile`: what a contract is compiled to, stage by stage.

use super::args::{self, CodeArgs};
use super::failure::{Failure, Result};
use clap::{Args, ValueEnum};
use revm::primitives::hardfork::SpecId;
use serde_json::json;
use std::{io::Write, process::ExitCode};

/// Arguments of `ejit compile`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ejit compile 6001600201 --emit blocks
  ejit compile --code-file contract.hex --emit asm --fork Cancun")]
pub struct CompileArgs {
    #[command(flatten)]
    code: CodeArgs,
    /// The stage to print
    #[arg(long, value_enum, default_value = "asm")]
    emit: Stage,
    /// The rules to compile for
    #[arg(long, default_value = "Osaka")]
    fork: String,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// A stage of compiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Basic blocks with their gas sections and stack bounds
    Blocks,
    /// The intermediate representation
    Ir,
    /// Machine code, disassembled
    Asm,
    /// Machine code in hex
    Hex,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Blocks => "blocks",
            Stage::Ir => "ir",
            Stage::Asm => "asm",
            Stage::Hex => "hex",
        }
    }
}

/// Prints one stage of compiling a code.
pub fn run(args: &CompileArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let fork = args::fork(&args.fork)?;
    let code = args.code.read()?.ok_or_else(|| Failure::input("no code: give it in hex, with --code-file, or `-` for standard input"))?;
    let text = emit(&code, fork, args.emit)?;
    if args.json {
        let object = json!({"emit": args.emit.name(), "fork": evm_tests::fork::name(fork), "code_bytes": code.len(), "text": text});
        writeln!(out, "{object}")?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of one stage of compiling `code` under the rules of `fork`.
fn emit(_code: &[u8], _fork: SpecId, stage: Stage) -> Result<String> {
    Err(Failure::input(format_args!("--emit {} is not in this build", stage.name())))
}
