//! `ejit statetest`: Ethereum state tests, with the output of geth's and revme's runners.

use super::args::{self, Jit};
use super::failure::{Failure, Result};
use crate::adapter::BuildEjit;
use crate::engine::{Config, Engine, Mode};
use clap::Args;
use evm_tests::{
    Case, CaseDb, Executor, Observer, Options, Outcome, Report, Revm,
    load::{self, LoadError},
    report::{CaseReport, FileReport, Summary},
    run::{run as run_files, run_file},
};
use indicatif::{ProgressBar, ProgressStyle};
use revm::ExecuteCommitEvm;
use std::{
    io::{self, IsTerminal, Write},
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `ejit statetest`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ejit statetest fixtures/statetests
  ejit statetest tests/GeneralStateTests --jit always --fork Cancun --run '^push' --jobs 2
  find . -name '*.json' | ejit statetest --json
With --json, standard output is an array of {name, pass, fork, stateRoot, error} as geth's `evm statetest` prints it (one
array per file when the files come from standard input), and standard error has a {\"stateRoot\": ...} line per subtest.
Exit codes: 0 all passed, 1 some failed, 2 usage, or a file that cannot be read.")]
pub struct StatetestArgs {
    /// Test files, or directories searched for them; without any, files are read from standard input, one a line
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The engine
    #[arg(long, value_enum, default_value = "tiered", value_name = "MODE")]
    jit: Jit,
    /// Only these rules; repeatable
    #[arg(long)]
    fork: Vec<String>,
    /// Only tests whose name matches
    #[arg(long, value_name = "REGEX")]
    run: Option<String>,
    /// Threads
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print results as geth does
    #[arg(long, conflicts_with = "json_outcome")]
    json: bool,
    /// Print a line per subtest on standard error, as `revme statetest` does
    #[arg(long)]
    json_outcome: bool,
    /// Print EIP-3155 lines on standard error; executes in revm's own loop, on one thread
    #[arg(long)]
    trace: bool,
    /// Go on after a failure; otherwise no further file is begun
    #[arg(long)]
    keep_going: bool,
    /// Also run what takes tens of seconds
    #[arg(long)]
    include_slow: bool,
    /// Let the compiler make choices that results must not depend on at random
    #[arg(long, value_name = "SEED")]
    chaos: Option<NonZeroU64>,
}

/// Runs the tests and prints what came of them.
pub fn run(args: &StatetestArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let options = options(args)?;
    match args.jit.config() {
        None => dispatch(args, &options, || Revm, None, out),
        Some(config) => {
            let engine = Engine::new(Config { chaos: args.chaos, ..config });
            dispatch(args, &options, || Ejit(engine.clone()), Some(&engine), out)
        }
    }
}

/// ejit's EVM as an executor of tests.
struct Ejit(Engine);

impl Executor for Ejit {
    fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
        case.context(db).build_ejit(&self.0).transact_commit(case.tx.clone())
    }
}

fn options(args: &StatetestArgs) -> Result<Options> {
    let mut options = Options {
        forks: args.fork.iter().map(|name| args::fork(name)).collect::<Result<_>>()?,
        name: args.run.as_deref().map(args::regex).transpose().map_err(|failure| failure.within("--run"))?,
        stop_at_failure: !args.keep_going,
        include_slow: args.include_slow,
        trace: args.trace.then_some(|| Box::new(io::stderr())),
        ..Options::default()
    };
    if let Some(jobs) = args.jobs {
        options.jobs = jobs;
    }
    Ok(options)
}

/// Runs the tests on the executors that `executor` makes.
fn dispatch<E: Executor>(
    args: &StatetestArgs,
    options: &Options,
    executor: impl Fn() -> E + Sync,
    engine: Option<&Engine>,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let watch = Watch::new(args);
    if args.paths.is_empty() {
        return batch(args, options, executor, engine, &watch, out);
    }
    let files = load::find(&args.paths).map_err(Failure::input)?;
    if files.is_empty() {
        return Err(Failure::input(format_args!("{}: no state test (.json) in this directory", args.paths[0].display())));
    }
    let report = run_files(&files, options, executor, &watch);
    watch.bar.finish_and_clear();
    if args.json {
        print_array(&report.files, out)?;
    } else if !args.json_outcome {
        print_failures(&report, out)?;
        writeln!(out, "{}", report.summary())?;
        print_checked(engine, out)?;
    }
    verdict(report.summary().failed, unread(&report.files), out)
}

/// Runs the files that standard input names, each as soon as it is named.
fn batch<E: Executor>(
    args: &StatetestArgs,
    options: &Options,
    executor: impl Fn() -> E,
    engine: Option<&Engine>,
    watch: &Watch,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let mut summary = Summary::default();
    let mut error = None;
    for path in load::batch(io::stdin().lock()) {
        let path = path.map_err(|error| Failure::input(format_args!("standard input: {error}")))?;
        let mut file = run_file(&path, options, &executor, watch);
        summary.add(&file);
        if args.json {
            print_array(std::slice::from_ref(&file), out)?;
            out.flush()?;
        } else if !args.json_outcome {
            let report = Report { files: vec![file], ..Report::default() };
            print_failures(&report, out)?;
            file = report.files.into_iter().next().expect("one was put in");
        }
        error = error.or(unread(&[file]));
        if summary.failed > 0 && !args.keep_going {
            break;
        }
    }
    if !args.json && !args.json_outcome {
        writeln!(out, "{summary}")?;
        print_checked(engine, out)?;
    }
    verdict(summary.failed, error, out)
}

/// What `check` mode came to.
fn print_checked(engine: Option<&Engine>, out: &mut dyn Write) -> Result<()> {
    let Some(engine) = engine.filter(|engine| engine.config().mode == Mode::Check) else { return Ok(()) };
    let values = engine.counters().read();
    write!(out, "{} frames checked, {} differences", values.checked, values.differences)?;
    if values.unchecked > 0 {
        write!(out, ", {} frames too long to check", values.unchecked)?;
    }
    if values.refused_full > 0 {
        write!(out, ", {} blocks interpreted because code memory was full", values.refused_full)?;
    }
    if let Some(share) = values.compiled_share() {
        let all = values.compiled + values.interpreted;
        write!(out, "; {:.2} % of {all} instructions ran compiled, init code excluded", 100.0 * share)?;
    }
    Ok(writeln!(out)?)
}

/// What the first file that could not be read suffers from.
fn unread(files: &[FileReport]) -> Option<String> {
    files.iter().find_map(|file| file.error.as_ref()).map(LoadError::to_string)
}

fn verdict(failed: usize, unread: Option<String>, out: &mut dyn Write) -> Result<ExitCode> {
    out.flush()?;
    match (unread, failed) {
        (Some(error), _) => Err(Failure::Input(error)),
        (None, 0) => Ok(ExitCode::SUCCESS),
        (None, _) => Ok(ExitCode::from(1)),
    }
}

/// The failed cases, one a line; what could not be read is said last, on standard error.
fn print_failures(report: &Report, out: &mut dyn Write) -> Result<()> {
    let unread: Vec<String> = report.files.iter().filter_map(|file| file.error.as_ref()).map(LoadError::to_string).collect();
    for failure in report.failures().filter(|failure| !unread.contains(failure)) {
        writeln!(out, "failed: {failure}")?;
    }
    Ok(())
}

/// geth's array of results.
fn print_array(files: &[FileReport], out: &mut dyn Write) -> Result<()> {
    let results: Vec<_> = files.iter().flat_map(|file| &file.cases).filter_map(CaseReport::geth).collect();
    serde_json::to_writer_pretty(&mut *out, &results).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Shows progress on a terminal, and prints the lines that belong to each subtest.
struct Watch {
    bar: ProgressBar,
    geth: bool,
    revme: bool,
}

impl Watch {
    fn new(args: &StatetestArgs) -> Watch {
        let hidden = args.json || args.json_outcome || args.trace || args.paths.is_empty() || !io::stderr().is_terminal();
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {msg} [{elapsed}, {eta} left]");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Watch { bar, geth: args.json, revme: args.json_outcome }
    }
}

impl Observer for Watch {
    fn case(&self, _: &Path, case: &CaseReport) {
        let line = match (self.geth, self.revme) {
            (true, _) => case.geth_state_root(),
            (_, true) => case.revme().and_then(|result| serde_json::to_string(&result).ok()),
            _ => None,
        };
        if let Some(line) = line {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    fn file(&self, _: &FileReport, so_far: &Summary, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(so_far.files as u64);
        self.bar.set_message(format!("{} passed, {} failed, {} skipped", so_far.passed, so_far.failed, so_far.skipped_total()));
    }
}
