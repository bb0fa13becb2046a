//! The official state tests on revm: what the runner must get right before it may judge anything else.
//!
//! Environment: `EJIT_STATE_TESTS`, files and folders separated by colons; `EJIT_STATE_TESTS_EVERY=n`
//! runs each n-th file; `EJIT_STATE_TESTS_SLOW=1` adds the slow ones.

use std::env;
use std::path::PathBuf;

use evm_tests::{Options, Revm, load, run};

/// Our own tests: a regression here is one of the runner.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/statetests");

#[test]
fn own_suite() {
    expect_all_to_pass(OWN.into(), &Options::default());
}

#[test]
fn official_suites() {
    let Some(roots) = env::var_os("EJIT_STATE_TESTS") else {
        eprintln!("official suites: not run: EJIT_STATE_TESTS is not set");
        return;
    };
    let mut options = Options { include_slow: env::var_os("EJIT_STATE_TESTS_SLOW").is_some(), ..Options::default() };
    if let Ok(every) = env::var("EJIT_STATE_TESTS_EVERY") {
        options.every = every.parse().expect("EJIT_STATE_TESTS_EVERY is a number above 0");
    }
    for root in env::split_paths(&roots) {
        expect_all_to_pass(root, &options);
    }
}

fn expect_all_to_pass(root: PathBuf, options: &Options) {
    let files = load::find(std::slice::from_ref(&root)).unwrap();
    let report = run::run(&files, options, || Revm, &());
    let summary = report.summary();
    eprintln!("{}: {summary}", root.display());
    for failure in report.failures().take(50) {
        eprintln!("  {failure}");
    }
    assert_eq!(summary.failed, 0, "{}", root.display());
    assert_ne!(summary.passed, 0, "{} has no cases", root.display());
}
