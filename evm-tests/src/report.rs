//! Results: a verdict for each case, a summary, and the output of geth's `evm statetest` and of
//! `revme statetest --json-outcome`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use revm::primitives::hardfork::SpecId;
use revm::primitives::{B256, Bytes};
use serde::Serialize;
use thiserror::Error;

use crate::load::LoadError;
use crate::model::Indexes;
use crate::skip::SkipReason;

/// What came of one case.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Name of the test within its file.
    pub name: Arc<str>,
    /// Name of the fork, as the file has it.
    pub fork: Arc<str>,
    /// Which variants of the transaction.
    pub indexes: Indexes,
    /// Passed, failed or skipped.
    pub verdict: Verdict,
    /// What the execution gave; `None` if it did not come to one.
    pub execution: Option<Execution>,
}

/// What the execution of a case gave.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The rules.
    pub spec: SpecId,
    /// Root of the state left behind.
    pub state_root: B256,
    /// Hash of the logs.
    pub logs_hash: B256,
    /// What the transaction returned.
    pub output: Bytes,
    /// Gas the sender paid for.
    pub gas_used: u64,
    /// `Success: Stop`, `Revert`, `Halt: …`, or why the transaction was rejected.
    pub result: String,
}

/// Passed, failed or skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected in everything.
    Passed,
    /// Not as expected.
    Failed(Failure),
    /// Not run.
    Skipped(SkipReason),
}

/// How a case failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Failure {
    /// The state is not as expected.
    #[error("state root mismatch: got {got}, expected {expected}")]
    StateRoot {
        /// The root of the state left behind.
        got: B256,
        /// The root the test states.
        expected: B256,
    },
    /// The logs are not as expected.
    #[error("logs root mismatch: got {got}, expected {expected}")]
    Logs {
        /// The hash of the logs.
        got: B256,
        /// The hash the test states.
        expected: B256,
    },
    /// The output is not as expected.
    #[error("unexpected output: got {got}, expected {expected}")]
    Output {
        /// What was returned.
        got: Bytes,
        /// What the test states.
        expected: Bytes,
    },
    /// A transaction was rejected that is valid, or executed though invalid.
    #[error("unexpected exception: got {got:?}, expected {expected:?}")]
    Exception {
        /// Why it was rejected, if it was.
        got: Option<String>,
        /// Why it had to be, if it had to.
        expected: Option<String>,
    },
    /// The executor gave up on a transaction for a reason of its own.
    #[error("execution failed: {0}")]
    Execution(String),
    /// The test contradicts itself.
    #[error("malformed test: {0}")]
    Malformed(String),
    /// The executor panicked.
    #[error("panicked: {0}")]
    Panicked(String),
}

/// What came of one file.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its cases in the order of the file.
    pub cases: Vec<CaseReport>,
    /// Why it could not be read, if it could not; counted as one failure.
    pub error: Option<LoadError>,
    /// Time within the executor.
    pub executing: Duration,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// The files in the order given.
    pub files: Vec<FileReport>,
    /// Start to end.
    pub wall: Duration,
}

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Cases passed.
    pub passed: usize,
    /// Cases failed, and files that could not be read.
    pub failed: usize,
    /// Cases skipped, by reason.
    pub skipped: BTreeMap<SkipReason, usize>,
    /// Time within executors, all threads together.
    pub executing: Duration,
    /// Start to end.
    pub wall: Duration,
}

impl Summary {
    /// Adds what came of one file.
    pub fn add(&mut self, file: &FileReport) {
        self.files += 1;
        self.failed += usize::from(file.error.is_some());
        self.executing += file.executing;
        for case in &file.cases {
            match &case.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed(_) => self.failed += 1,
                Verdict::Skipped(reason) => *self.skipped.entry(reason.clone()).or_default() += 1,
            }
        }
    }

    /// Cases skipped, for whatever reason.
    pub fn skipped_total(&self) -> usize {
        self.skipped.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped; {} files, {:.1} s ({:.1} s executing)",
            self.passed,
            self.failed,
            self.skipped_total(),
            self.files,
            self.wall.as_secs_f64(),
            self.executing.as_secs_f64(),
        )?;
        for (reason, count) in &self.skipped {
            write!(f, "\n  skipped {count}: {reason}")?;
        }
        Ok(())
    }
}

impl Report {
    /// The run in numbers.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { wall: self.wall, ..Summary::default() };
        for file in &self.files {
            summary.add(file);
        }
        summary
    }

    /// What failed, one line each: file, test, fork, variants, how.
    pub fn failures(&self) -> impl Iterator<Item = String> + '_ {
        self.files.iter().flat_map(|file| {
            let unread = file.error.iter().map(ToString::to_string);
            let cases = file.cases.iter().filter_map(|case| {
                let Verdict::Failed(failure) = &case.verdict else {
                    return None;
                };
                let Indexes { data, gas, value } = case.indexes;
                let (path, name, fork) = (file.path.display(), &case.name, &case.fork);
                Some(format!("{path}: test `{name}` [{fork} d{data} g{gas} v{value}]: {failure}"))
            });
            unread.chain(cases)
        })
    }
}

/// An entry of the array that geth's `evm statetest` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GethResult {
    /// Name of the test.
    pub name: String,
    /// Whether it passed.
    pub pass: bool,
    /// Root of the state left behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_root: Option<B256>,
    /// Name of the fork.
    pub fork: String,
    /// How it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// A line of `revme statetest --json-outcome`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevmeResult {
    /// Root of the state left behind.
    pub state_root: B256,
    /// Hash of the logs.
    pub logs_root: B256,
    /// What the transaction returned.
    pub output: Bytes,
    /// Gas the sender paid for.
    pub gas_used: u64,
    /// Whether the case passed.
    pub pass: bool,
    /// How it failed.
    pub error_msg: String,
    /// How the execution ended.
    pub evm_result: String,
    /// Hash of the logs, under its other name.
    pub post_logs_hash: B256,
    /// The rules.
    pub fork: SpecId,
    /// Name of the test.
    pub test: String,
    /// Index of the data.
    pub d: usize,
    /// Index of the gas limit.
    pub g: usize,
    /// Index of the value.
    pub v: usize,
}

impl CaseReport {
    /// How the case failed, as text; empty if it did not.
    fn error(&self) -> String {
        match &self.verdict {
            Verdict::Failed(failure) => failure.to_string(),
            Verdict::Passed | Verdict::Skipped(_) => String::new(),
        }
    }

    /// geth's form of this result; `None` for what was skipped.
    pub fn geth(&self) -> Option<GethResult> {
        (!matches!(self.verdict, Verdict::Skipped(_))).then(|| GethResult {
            name: self.name.to_string(),
            pass: self.verdict == Verdict::Passed,
            state_root: self.execution.as_ref().map(|execution| execution.state_root),
            fork: self.fork.to_string(),
            error: self.error(),
        })
    }

    /// The line that geth prints for this case on standard error: `{"stateRoot": "0x…"}`. `None` if
    /// there was no execution.
    pub fn geth_state_root(&self) -> Option<String> {
        let execution = self.execution.as_ref()?;
        Some(format!("{{\"stateRoot\": \"{:#x}\"}}", execution.state_root))
    }

    /// revme's form of this result; `None` if there was no execution.
    pub fn revme(&self) -> Option<RevmeResult> {
        let execution = self.execution.as_ref()?;
        Some(RevmeResult {
            state_root: execution.state_root,
            logs_root: execution.logs_hash,
            output: execution.output.clone(),
            gas_used: execution.gas_used,
            pass: self.verdict == Verdict::Passed,
            error_msg: self.error(),
            evm_result: execution.result.clone(),
            post_logs_hash: execution.logs_hash,
            fork: execution.spec,
            test: self.name.to_string(),
            d: self.indexes.data,
            g: self.indexes.gas,
            v: self.indexes.value,
        })
    }
}
