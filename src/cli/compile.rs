//! `ejit compile`: what a contract is compiled to, stage by stage.

use super::args::{self, CodeArgs};
use super::failure::{Failure, Result};
use super::listing::{AnyLowerer, Compiler, Listing, Machine};
use super::stats::Compiled;
use crate::evm::block::{Block, End, MAX_INSTRUCTIONS, Pc};
use crate::evm::code::Code;
use crate::evm::{SpecId, fork::schedule, opcode};
use clap::{Args, ValueEnum};
use iced_x86::{DecoderOptions, Formatter, IntelFormatter};
use serde_json::json;
use std::{fmt::Write as _, io::Write, process::ExitCode};
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

/// Arguments of `ejit compile`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ejit compile 6001600201 --emit blocks
  ejit compile --code-file contract.hex --emit asm --fork Cancun
Every block that execution can reach is compiled, as mode `always` does when it gets there.")]
pub struct CompileArgs {
    #[command(flatten)]
    code: CodeArgs,
    /// The stage to print
    #[arg(long, value_enum, default_value = "asm")]
    emit: Stage,
    /// The machine to compile for, without anything that not all of them have [default: this one, with all it has]
    #[arg(long, value_enum)]
    target: Option<Machine>,
    /// The rules to compile for
    #[arg(long, default_value = "Osaka")]
    fork: String,
    /// Print what was compiled in numbers, after the stage
    #[arg(long)]
    stats: bool,
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

/// A block, or a unit of blocks compiled together, as text.
#[derive(Clone, Debug)]
struct Part {
    pc: Pc,
    native_bytes: usize,
    text: String,
}

/// Prints one stage of compiling a code.
pub fn run(args: &CompileArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let fork = args::fork(&args.fork)?;
    let code =
        args.code.read()?.ok_or_else(|| Failure::input("no code: give it in hex, with --code-file, or `-` for standard input"))?;
    let (parts, stats) = emit(&code, fork, args)?;
    if !args.json {
        for part in parts {
            out.write_all(part.text.as_bytes())?;
        }
        if let Some(stats) = stats {
            out.write_all(stats.lines().as_bytes())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let native_bytes: usize = parts.iter().map(|part| part.native_bytes).sum();
    let parts: Vec<_> =
        parts.iter().map(|part| json!({"pc": part.pc.0, "native_bytes": part.native_bytes, "text": part.text})).collect();
    let mut object = json!({
        "emit": args.emit.name(),
        "fork": evm_tests::fork::name(fork),
        "code_bytes": code.len(),
        "native_bytes": native_bytes,
        "parts": parts,
    });
    if let Some(stats) = stats {
        object["stats"] = stats.json();
    }
    writeln!(out, "{object}")?;
    Ok(ExitCode::SUCCESS)
}

/// One stage of compiling `code` under the rules of `fork`, and what compiling comes to if that is asked for.
fn emit(code: &[u8], fork: SpecId, args: &CompileArgs) -> Result<(Vec<Part>, Option<Compiled>)> {
    let CompileArgs { emit: stage, target, stats, .. } = *args;
    let code = Code::new(code);
    let blocks = blocks(&code, fork);
    let listings = match stage {
        Stage::Blocks if !stats => Vec::new(),
        Stage::Blocks | Stage::Ir | Stage::Asm | Stage::Hex => Compiler::new(target, &code, fork)
            .and_then(|mut compiler| compiler.compile(blocks.iter().map(|block| block.start)))
            .map_err(|error| Failure::input(error.to_string()))?,
    };
    let parts = match stage {
        Stage::Blocks => blocks.iter().map(|block| block_part(&code, block)).collect(),
        Stage::Ir | Stage::Asm | Stage::Hex => listings.iter().map(|listing| unit_part(&code, target, listing, stage)).collect(),
    };
    Ok((parts, stats.then(|| Compiled::of(&listings))))
}

/// The blocks that control may reach: at the start, at each JUMPDEST, and after each block that goes on.
fn blocks(code: &Code, fork: SpecId) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut pc = 0;
    let mut reached = true;
    while pc < code.bytes().len() {
        let row = opcode::info(code.bytes()[pc]);
        if !reached && code.bytes()[pc] != opcode::JUMPDEST {
            pc += 1 + usize::from(row.immediate);
            continue;
        }
        let block = Block::scan(code.padded(), code.bytes().len(), Pc(pc as u32), schedule(fork), MAX_INSTRUCTIONS);
        reached = matches!(block.finish, End::Fall | End::JumpIf | End::Call);
        // An instruction that is not translated makes an empty block; the interpreter executes it.
        pc = if block.end.index() > pc { block.end.index() } else { pc + 1 + usize::from(row.immediate) };
        blocks.push(block);
    }
    blocks
}

/// `0012  PUSH1 0x80`.
fn instruction(code: &Code, pc: usize) -> String {
    let row = opcode::info(code.padded()[pc]);
    let immediate = &code.padded()[pc + 1..][..usize::from(row.immediate)];
    let mut text = format!("{pc:04x}  {}", row.name);
    if !immediate.is_empty() {
        text += " 0x";
        immediate.iter().for_each(|byte| text += &format!("{byte:02x}"));
    }
    text
}

fn block_part(code: &Code, block: &Block) -> Part {
    let Block { start, end, need, grow, delta, finish, sections } = block;
    let mut text =
        format!("block {:04x}..{:04x}: needs {need}, grows {grow}, delta {delta}, ends with {finish:?}\n", start.0, end.0);
    for section in sections {
        let _ = writeln!(text, "  section {:04x}: gas {}", section.start.0, section.gas);
        let mut pc = section.start.index();
        for _ in 0..section.instructions {
            let _ = writeln!(text, "    {}", instruction(code, pc));
            pc += 1 + usize::from(opcode::info(code.padded()[pc]).immediate);
        }
    }
    Part { pc: *start, native_bytes: 0, text }
}

fn unit_part(code: &Code, target: Option<Machine>, listing: &Listing, stage: Stage) -> Part {
    let pc = listing.pc;
    let mut text = format!("unit {:04x}: {} bytes; {}\n", pc.0, listing.bytes.len(), listing.context);
    match stage {
        Stage::Hex => {
            text = listing.bytes.iter().fold(format!("{:04x} ", pc.0), |text, byte| text + &format!("{byte:02x}"));
            text.push('\n');
        }
        Stage::Ir => {
            for (at, ins) in listing.ins.iter().enumerate() {
                for (_, pc) in listing.notes.iter().filter(|(position, _)| *position == at) {
                    let _ = writeln!(text, "  ; {}", instruction(code, pc.index()));
                }
                let _ = writeln!(text, "    {ins}");
            }
        }
        Stage::Asm | Stage::Blocks => disassemble(code, target, listing, &mut text),
    }
    Part { pc, native_bytes: listing.bytes.len(), text }
}

/// The machine code as an outside disassembler reads it, with the EVM instructions it comes from, and constants as words.
fn disassemble(code: &Code, target: Option<Machine>, listing: &Listing, text: &mut String) {
    let (notes, shown) = (offsets(target, listing), listing.address);
    let (constants, end) = (listing.constants.clone(), listing.instructions);
    let mut lines = Vec::new();
    for (range, is_code) in
        [(0..constants.start, true), (constants.clone(), false), (constants.end..end, true), (end..listing.bytes.len(), false)]
    {
        let (bytes, start) = (&listing.bytes[range.clone()], range.start);
        let part = match AnyLowerer::new(target) {
            _ if !is_code => words(bytes),
            AnyLowerer::Aarch64(_) => aarch64(bytes),
            AnyLowerer::X86_64(_) => x86_64(bytes, shown + start as u64),
        };
        lines.extend(part.into_iter().map(|(at, line)| (start + at, line)));
    }
    for (at, line) in lines {
        for (_, pc) in notes.iter().filter(|(offset, _)| *offset == at) {
            let _ = writeln!(text, "  ; {}", instruction(code, pc.index()));
        }
        let _ = writeln!(text, "    {:x}  {line}", shown + at as u64);
    }
}

/// Constants.
fn words(bytes: &[u8]) -> Vec<(usize, String)> {
    let value = |word: &[u8]| word.iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
    bytes.chunks_exact(4).enumerate().map(|(n, word)| (4 * n, format!(".word {:#010x}", value(word)))).collect()
}

/// Each instruction with its offset.
fn x86_64(bytes: &[u8], shown: u64) -> Vec<(usize, String)> {
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_hex_prefix("0x");
    formatter.options_mut().set_hex_suffix("");
    formatter.options_mut().set_uppercase_hex(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    let decoder = iced_x86::Decoder::with_ip(64, bytes, shown, DecoderOptions::NONE);
    let line = |instruction: iced_x86::Instruction| {
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        ((instruction.ip() - shown) as usize, line)
    };
    decoder.into_iter().map(line).collect()
}

/// Likewise.
fn aarch64(bytes: &[u8]) -> Vec<(usize, String)> {
    let decoder = InstDecoder::default();
    let line = |(n, word): (usize, &[u8])| {
        let decoded = decoder.decode(&mut U8Reader::new(word));
        (4 * n, decoded.map_or_else(|error| error.to_string(), |instruction| instruction.to_string()))
    };
    bytes.chunks(4).enumerate().map(line).collect()
}

/// Where the machine code of each EVM instruction starts: the IR is lowered again, instruction by instruction. Were the result not the same (far
/// branches of aarch64), the blocks' entries are all that is known.
fn offsets(target: Option<Machine>, listing: &Listing) -> Vec<(usize, Pc)> {
    let mut lowerer = AnyLowerer::new(target);
    match lowerer.positions(&listing.ins, listing.address) {
        Ok(positions) if lowerer.bytes() == listing.bytes => {
            let offset = |at: usize| positions.get(at).copied().unwrap_or(listing.instructions);
            listing.notes.iter().map(|&(at, pc)| (offset(at), pc)).collect()
        }
        Ok(_) | Err(_) => listing.blocks.iter().map(|&(pc, offset)| (offset, pc)).collect(),
    }
}
