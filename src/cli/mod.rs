//! The command line: a file per command; each takes its arguments and a writer and gives back an exit code.
//!
//! Exit codes: 0 success; 1 a call that reverted or halted, a test or check that failed; 2 usage or bad input.

pub mod args;
mod bench;
mod clock;
mod compile;
pub mod failure;
pub mod json;
mod listing;
pub mod machine;
pub mod prestate;
mod replay;
mod run;
mod statetest;
mod stats;
pub mod workload;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

#[derive(Parser, Debug)]
#[command(name = "ejit", version, about = "An Ethereum VM accelerator", propagate_version = true)]
#[command(after_help = "Examples:
  ejit run 600160020160005260206000f3
  ejit run --code-file fixtures/contracts/Token.bin-runtime --input 0x18160ddd
  ejit statetest fixtures/statetests
  ejit bench fixtures/workloads
Each command's --help has more. Exit codes: 0 success, 1 the call or a test failed, 2 usage or bad input.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Execute one message call
    Run(run::RunArgs),
    /// Show what a contract is compiled to
    Compile(compile::CompileArgs),
    /// Run Ethereum state tests
    Statetest(statetest::StatetestArgs),
    /// Check and measure workloads against revm
    Bench(bench::BenchArgs),
    /// Check and measure blocks of transactions against revm
    Replay(replay::ReplayArgs),
    /// Make a block for `replay` of workloads
    Block(replay::BlockArgs),
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let result = match &cli.command {
        Command::Run(args) => run::run(args, &mut out),
        Command::Compile(args) => compile::run(args, &mut out),
        Command::Statetest(args) => statetest::run(args, &mut out),
        Command::Bench(args) => bench::run(args, &mut out),
        Command::Replay(args) => replay::run(args, &mut out),
        Command::Block(args) => replay::run_block(args, &mut out),
    };
    match result.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when standard error is closed as well.
            let _ = out.flush().and_then(|()| writeln!(io::stderr(), "ejit: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Whether standard output takes colours: a terminal, and `NO_COLOR` is not set.
fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
