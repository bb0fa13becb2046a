//! `ejit bench`: workloads, checked in every mode and measured against revm in one process.

mod measure;
mod report;

use super::args::{self, Jit};
use super::failure::{Failure, Result};
use super::machine::{CallContext, Machine, run_inspected};
use super::workload::{self, Expected, Workload};
use clap::Args;
use measure::{Budget, Figures};
use report::Report;
use revm::{
    Inspector,
    interpreter::{Interpreter, interpreter::EthInterpreter},
};
use serde_json::json;
use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `ejit bench`.
#[derive(Args, Debug)]
#[command(
    after_help = "Each workload is one message call. It is first checked in every mode: status, gas, refund, output, storage and
logs must be what the file expects. Then the execution loops of revm and of ejit are timed in turn; setting up and
resetting state is not timed.

Examples:
  ejit bench fixtures/workloads
  ejit bench fixtures/workloads --json --only '^erc20' > figures.jsonl
  ejit bench fixtures/workloads --kind token --quick"
)]
pub struct BenchArgs {
    /// Workload files, or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print a JSON object per workload, and a summary object last
    #[arg(long)]
    json: bool,
    /// Only workloads whose name matches
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
    /// Only workloads of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Print what the engines in modes `always` and `tiered` counted through all runs besides
    #[arg(long)]
    stats: bool,
    /// Spend a fifth of the time: coarser figures
    #[arg(long)]
    quick: bool,
    /// Write what revm comes to into the files' `expected` and `stats`, and measure nothing
    #[arg(long, hide = true)]
    bless: bool,
}

/// The modes that are checked and measured beside revm's own loop.
const MODES: [Jit; 4] = [Jit::Off, Jit::Always, Jit::Tiered, Jit::Check];

/// Checks and measures each workload, and prints the figures.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let selected = select(args)?;
    if args.bless {
        for (path, workload) in &selected {
            bless(path, workload)?;
            writeln!(out, "blessed {}", path.display())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let budget = if args.quick { Budget::quick() } else { Budget::full() };
    let mut report = Report::new(args.json, args.stats, super::colours());
    report.begin(out)?;
    for (_, workload) in &selected {
        let problem = check(workload);
        let figures = match problem {
            None => measure::measure(&workload.call, &budget)?,
            Some(_) => Figures::default(),
        };
        let instructions = match workload.instructions {
            Some(known) => known,
            None => count_instructions(workload)?,
        };
        report.workload(workload, instructions, problem, figures, out)?;
        out.flush()?;
    }
    report.end(out)?;
    Ok(if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The workloads that the arguments name.
fn select(options: &BenchArgs) -> Result<Vec<(PathBuf, Workload)>> {
    let only = options.only.as_deref().map(args::regex).transpose().map_err(|failure| failure.within("--only"))?;
    let mut selected = Vec::new();
    for path in workload::find(&options.paths)? {
        let workload = Workload::load(&path)?;
        let named = only.as_ref().is_none_or(|regex| regex.is_match(&workload.name));
        if named && options.kind.as_ref().is_none_or(|kind| *kind == workload.kind) {
            selected.push((path, workload));
        }
    }
    if selected.is_empty() {
        return Err(Failure::input("no workload is left after --only and --kind"));
    }
    Ok(selected)
}

/// Runs a workload in every mode; the first mode that differs from what is expected, and how.
fn check(workload: &Workload) -> Option<String> {
    let Some(expected) = &workload.expected else {
        return Some("the file has no `expected`".to_string());
    };
    [Jit::Revm].into_iter().chain(MODES).find_map(|jit| {
        // A panic is a bug of ours that must not hide the other workloads' results.
        let outcome = catch_unwind(AssertUnwindSafe(|| Machine::new(&workload.call, jit).run()));
        let difference = match outcome {
            Ok(Ok(outcome)) => expected.difference(&Expected::of(&outcome)),
            Ok(Err(failure)) => Some(failure.to_string()),
            Err(_) => Some("panicked".to_string()),
        };
        difference.map(|difference| format!("{}: {difference}", jit.name()))
    })
}

/// Counts the steps of revm's interpreter.
#[derive(Clone, Copy, Debug, Default)]
struct Steps(u64);

impl Inspector<CallContext, EthInterpreter> for Steps {
    fn step(&mut self, _: &mut Interpreter<EthInterpreter>, _: &mut CallContext) {
        self.0 += 1;
    }
}

fn count_instructions(workload: &Workload) -> Result<u64> {
    Ok(run_inspected(&workload.call, Steps::default())?.1.0)
}

/// Fills in a file's `expected` and `stats` from revm.
fn bless(path: &Path, workload: &Workload) -> Result<()> {
    let mut value = super::json::read(path)?;
    let (outcome, steps) = run_inspected(&workload.call, Steps::default())?;
    value["expected"] = workload::expected_json(&outcome, &workload.call.prestate);
    value["stats"] = json!({"instructions": steps.0});
    let text = format!("{value:#}\n");
    std::fs::write(path, text).map_err(|error| Failure::input(format_args!("{}: cannot write: {error}", path.display())))
}
