//! Official state tests, and our own, on revm (what the runner must get right before it may judge anything else) and on ejit in every mode.
//!
//! Environment: `EJIT_STATE_TESTS`, files and folders separated by colons; `EJIT_STATE_TESTS_EVERY=n`
//! runs each n-th file; `EJIT_STATE_TESTS_SLOW=1` adds the slow ones.

use std::env;
use std::path::PathBuf;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use evm_tests::{Case, CaseDb, Executor, Options, Outcome, Revm, load, run};
use revm::ExecuteCommitEvm;

/// Our own tests: a regression here is one of the runner.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/statetests");

/// ejit's EVM as an executor of tests.
struct Ejit(Engine);

impl Executor for Ejit {
    fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
        case.context(db).build_ejit(&self.0).transact_commit(case.tx.clone())
    }
}

#[test]
fn revm() {
    expect_all_to_pass("revm", || Revm);
}

#[test]
fn off() {
    expect_mode_to_pass("off", Mode::Off);
}

#[test]
fn always() {
    expect_mode_to_pass("always", Mode::Always);
}

#[test]
fn tiered() {
    expect_mode_to_pass("tiered", Mode::Tiered);
}

#[test]
fn check() {
    expect_mode_to_pass("check", Mode::Check);
}

fn expect_mode_to_pass(name: &str, mode: Mode) {
    // A low threshold: the contracts of tests are small and run once.
    let config = Config { least_work: 60, payback: 0, ..Config::with_mode(mode) };
    let engine = Engine::new(config);
    assert!(mode == Mode::Off || engine.can_compile(), "this machine has no executable memory");
    expect_all_to_pass(name, || Ejit(engine.clone()));
    let counters = engine.counters().read();
    assert_eq!(counters.differences, 0, "{name}");
    assert!(mode == Mode::Off || counters.blocks > 0, "{name}: nothing was compiled");
}

/// The folders to run, and how: ours in full, the official ones as the environment says.
fn suites() -> Vec<(PathBuf, Options)> {
    let mut suites = vec![(OWN.into(), Options::default())];
    match env::var_os("EJIT_STATE_TESTS") {
        None => eprintln!("official suites: not run: EJIT_STATE_TESTS is not set"),
        Some(roots) => suites.extend(env::split_paths(&roots).map(|root| {
            let mut options = Options { include_slow: env::var_os("EJIT_STATE_TESTS_SLOW").is_some(), ..Options::default() };
            if let Ok(every) = env::var("EJIT_STATE_TESTS_EVERY") {
                options.every = every.parse().expect("EJIT_STATE_TESTS_EVERY is a number above 0");
            }
            (root, options)
        })),
    }
    suites
}

fn expect_all_to_pass<E: Executor>(name: &str, executor: impl Fn() -> E + Sync) {
    for (root, options) in suites() {
        let files = load::find(std::slice::from_ref(&root)).unwrap();
        let report = run::run(&files, &options, &executor, &());
        let summary = report.summary();
        eprintln!("{name}: {}: {summary}", root.file_name().unwrap_or_default().display());
        for failure in report.failures().take(20) {
            eprintln!("  {failure}");
        }
        assert_eq!(summary.failed, 0, "{name}: {}", root.display());
        assert_ne!(summary.passed, 0, "{} has no cases", root.display());
    }
}
