//! The runner: files in, verdicts out.
//!
//! Files are spread over threads, each with an executor of its own; results come in the order of the
//! files whatever the number of threads. A panic of the executor fails its case, and the thread goes
//! on with a fresh executor.

use std::any::Any;
use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;
use revm::context::{BlockEnv, CfgEnv};
use revm::context_interface::result::ExecutionResult;
use revm::database::CacheState;
use revm::primitives::hardfork::SpecId;

use crate::case::{self, BuildError, Case};
use crate::execute::{CaseDb, Executor, Outcome};
use crate::model::{Post, Unit};
use crate::report::{CaseReport, Execution, Failure, FileReport, Report, Summary, Verdict};
use crate::skip::{self, SkipReason};
use crate::{fork, load, root};

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of threads; tracing uses one.
    pub jobs: NonZeroUsize,
    /// Only these rules; all if empty.
    pub forks: Vec<SpecId>,
    /// Only tests whose name matches.
    pub name: Option<Regex>,
    /// Only each n-th file, beginning with the first.
    pub every: NonZeroUsize,
    /// Also run what takes tens of seconds.
    pub include_slow: bool,
    /// Begin no further file once a case has failed.
    pub stop_at_failure: bool,
    /// Where to write an EIP-3155 trace of each case; called once a case.
    pub trace: Option<fn() -> Box<dyn Write>>,
}

impl Default for Options {
    /// Everything but the slow tests, on as many threads as the machine runs at once.
    fn default() -> Self {
        Self {
            jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            forks: Vec::new(),
            name: None,
            every: NonZeroUsize::MIN,
            include_slow: false,
            stop_at_failure: false,
            trace: None,
        }
    }
}

/// Watches a run. Called from the threads of the runner; `()` watches nothing.
pub trait Observer: Sync {
    /// A case has its verdict. With one job the calls come in order.
    fn case(&self, _path: &Path, _case: &CaseReport) {}

    /// A file is done; `so_far` counts all files done until now, of `total`.
    fn file(&self, _file: &FileReport, _so_far: &Summary, _total: usize) {}
}

impl Observer for () {}

/// Runs files. `executor` makes the executor of each thread.
pub fn run<E: Executor>(files: &[PathBuf], options: &Options, executor: impl Fn() -> E + Sync, observer: &dyn Observer) -> Report {
    let start = Instant::now();
    let files: Vec<&PathBuf> = files.iter().step_by(options.every.get()).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Summary::default(), Vec::with_capacity(files.len())));
    let work = || {
        let mut runner = Runner { make: &executor, executor: executor(), options, observer };
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(index) else { break };
            let report = runner.file(path);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            let (summary, reports) = &mut *done;
            summary.add(&report);
            summary.wall = start.elapsed();
            if options.stop_at_failure && summary.failed > 0 {
                next.store(files.len(), Ordering::Relaxed);
            }
            observer.file(&report, summary, files.len());
            reports.push((index, report));
        }
    };
    let jobs = if options.trace.is_some() { 1 } else { options.jobs.get() };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(files.len()) {
            scope.spawn(work);
        }
        work();
    });
    let (_, mut reports) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_unstable_by_key(|(index, _)| *index);
    let files = reports.into_iter().map(|(_, report)| report).collect();
    Report { files, wall: start.elapsed() }
}

/// Runs one file on this thread, as batch mode does.
pub fn run_file<E: Executor>(path: &Path, options: &Options, executor: impl Fn() -> E, observer: &dyn Observer) -> FileReport {
    Runner { make: &executor, executor: executor(), options, observer }.file(path)
}

/// The runner of one thread.
struct Runner<'a, E, F> {
    make: &'a F,
    executor: E,
    options: &'a Options,
    observer: &'a dyn Observer,
}

impl<E: Executor, F: Fn() -> E> Runner<'_, E, F> {
    fn file(&mut self, path: &Path) -> FileReport {
        let mut report = FileReport { path: path.into(), cases: Vec::new(), error: None, executing: Duration::ZERO };
        match load::file(path) {
            Ok(tests) => {
                for (name, unit) in &tests {
                    if self.options.name.as_ref().is_none_or(|regex| regex.is_match(name)) {
                        self.unit(name, unit, &mut report);
                    }
                }
            }
            Err(error) => report.error = Some(error),
        }
        report
    }

    fn unit(&mut self, name: &str, unit: &Unit, report: &mut FileReport) {
        let name: Arc<str> = name.into();
        let pre = case::pre_state(unit);
        for (fork, posts) in &unit.post.0 {
            let rules = fork::rules(fork);
            let chosen = &self.options.forks;
            if !chosen.is_empty() && !rules.is_some_and(|spec| chosen.contains(&spec)) {
                continue;
            }
            let skipped = skip::reason(&report.path, &name, fork, self.options.include_slow);
            let stage = rules.map(|spec| Stage::new(unit, &pre, fork, spec));
            let fork: Arc<str> = fork.as_str().into();
            for post in posts {
                let (verdict, execution) = match (&skipped, &stage) {
                    (Some(reason), _) => (Verdict::Skipped(reason.clone()), None),
                    (None, None) => (Verdict::Skipped(SkipReason::UnknownFork(fork.to_string())), None),
                    (None, Some(stage)) => self.case(stage, post, &mut report.executing),
                };
                let (name, fork, indexes) = (name.clone(), fork.clone(), post.indexes);
                let case = CaseReport { name, fork, indexes, verdict, execution };
                self.observer.case(&report.path, &case);
                report.cases.push(case);
            }
        }
    }

    fn case(&mut self, stage: &Stage<'_>, post: &Post, time: &mut Duration) -> (Verdict, Option<Execution>) {
        let mut db = case::database(stage.pre);
        let ending = match case::transaction(stage.unit, post.indexes) {
            Ok(tx) => {
                let case = Case { cfg: stage.cfg.clone(), block: stage.block.clone(), tx };
                let start = Instant::now();
                let outcome = self.execute(&case, &mut db);
                *time += start.elapsed();
                match outcome {
                    Ok(outcome) => outcome.map_err(|error| error.to_string()),
                    Err(panic) => return (Verdict::Failed(Failure::Panicked(panic)), None),
                }
            }
            Err(error @ BuildError::Rejected(_)) => Err(error.to_string()),
            Err(BuildError::Malformed(error)) => {
                return (Verdict::Failed(Failure::Malformed(error)), None);
            }
        };
        let execution = describe(stage.cfg.spec, &ending, &db);
        let verdict = match judge(stage, post, &ending, &execution) {
            Ok(()) => Verdict::Passed,
            Err(failure) => Verdict::Failed(failure),
        };
        (verdict, Some(execution))
    }

    /// Executes; a panic becomes its message, and the executor is replaced.
    fn execute(&mut self, case: &Case, db: &mut CaseDb) -> Result<Outcome, String> {
        let executor = &mut self.executor;
        let trace = self.options.trace;
        let caught = catch_unwind(AssertUnwindSafe(|| match trace {
            Some(out) => executor.trace(case, db, out()),
            None => executor.transact(case, db),
        }));
        caught.map_err(|panic| {
            self.executor = (self.make)();
            panic_message(panic.as_ref())
        })
    }
}

/// A test on the rules of one fork.
struct Stage<'a> {
    unit: &'a Unit,
    pre: &'a CacheState,
    cfg: CfgEnv,
    block: BlockEnv,
}

impl<'a> Stage<'a> {
    fn new(unit: &'a Unit, pre: &'a CacheState, fork: &str, spec: SpecId) -> Self {
        let cfg = case::cfg(unit, fork, spec);
        let block = case::block(unit, &cfg);
        Self { unit, pre, cfg, block }
    }
}

/// A result, or why the transaction was rejected.
type Ending = Result<ExecutionResult, String>;

fn describe(spec: SpecId, ending: &Ending, db: &CaseDb) -> Execution {
    let logs = ending.as_ref().map_or(&[][..], ExecutionResult::logs);
    Execution {
        spec,
        state_root: root::state_root(db.cache.trie_account()),
        logs_hash: root::logs_hash(logs),
        output: ending.as_ref().ok().and_then(ExecutionResult::output).cloned().unwrap_or_default(),
        gas_used: ending.as_ref().map_or(0, ExecutionResult::tx_gas_used),
        result: match ending {
            Ok(ExecutionResult::Success { reason, .. }) => format!("Success: {reason:?}"),
            Ok(ExecutionResult::Revert { .. }) => "Revert".into(),
            Ok(ExecutionResult::Halt { reason, .. }) => format!("Halt: {reason:?}"),
            Err(error) => error.clone(),
        },
    }
}

/// Compares with what the test states. The root it states for a rejected transaction includes what a
/// miner did to the block around it, so there the state must be what it was before.
fn judge(stage: &Stage<'_>, post: &Post, ending: &Ending, execution: &Execution) -> Result<(), Failure> {
    if ending.is_err() != post.expect_exception.is_some() {
        let (got, expected) = (ending.as_ref().err().cloned(), post.expect_exception.clone());
        return Err(Failure::Exception { got, expected });
    }
    let Ok(result) = ending else {
        let (got, expected) = (execution.state_root, root::state_root(stage.pre.trie_account()));
        return if got == expected { Ok(()) } else { Err(Failure::StateRoot { got, expected }) };
    };
    if let (Some(expected), Some(got)) = (&stage.unit.out, result.output())
        && got != expected
    {
        return Err(Failure::Output { got: got.clone(), expected: expected.clone() });
    }
    if execution.logs_hash != post.logs {
        return Err(Failure::Logs { got: execution.logs_hash, expected: post.logs });
    }
    if execution.state_root != post.hash {
        return Err(Failure::StateRoot { got: execution.state_root, expected: post.hash });
    }
    Ok(())
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").into()
}
