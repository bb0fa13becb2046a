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
    let mut m = std::collections::BTreeMap::<String, (usize, usize)>::new();
    for f in &report.files { for c in &f.cases {
        let e = m.entry(f.path.display().to_string()).or_default();
        match c.verdict { evm_tests::Verdict::Passed => e.0 += 1, evm_tests::Verdict::Failed(_) => e.1 += 1, _ => () }
    }}
    for (k, (a, b)) in m { if b > 0 { eprintln!("FF {k} pass {a} fail {b}"); } }
    let mut t: Vec<_> = report.files.iter().map(|f| (f.executing, f.path.display().to_string())).collect();
    t.sort(); t.reverse();
    for x in t.iter().take(12) { eprintln!("TT {x:?}"); }
    assert_eq!(summary.failed, 0, "{}", root.display());
    assert_ne!(summary.passed, 0, "{} has no cases", root.display());
}
