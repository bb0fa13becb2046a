//! The official state tests, and our own, on revm: what the runner must get right before it may judge
//! anything else.

use std::path::PathBuf;

use evm_tests::{Options, Revm, load, run};

/// Where the official suites are: files and folders, separated by colons.
const SUITES: &str = "EJIT_STATE_TESTS";

#[test]
fn official_suites() {
    let Some(roots) = std::env::var_os(SUITES) else {
        eprintln!("official suites not run: {SUITES} is not set");
        return;
    };
    for root in std::env::split_paths(&roots) {
        expect_all_to_pass(root);
    }
}

fn expect_all_to_pass(root: PathBuf) {
    let files = load::find(std::slice::from_ref(&root)).unwrap();
    let report = run::run(&files, &Options::default(), || Revm, &());
    let summary = report.summary();
    eprintln!("{}: {summary}", root.display());
    for failure in report.failures().take(50) {
        eprintln!("  {failure}");
    }
    assert_eq!(summary.failed, 0, "{}", root.display());
    assert_ne!(summary.passed, 0, "{} has no cases", root.display());
}
