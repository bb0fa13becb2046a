//! Ethereum state tests: loading, running, reporting and filling them.
//!
//! A *general state test* is a pre-state, a transaction with lists of data, gas limits and values,
//! and for each fork the state root and the hash of the logs that each combination must leave
//! behind. This crate runs such tests on anything that can execute a transaction the way revm does,
//! and knows nothing of how: see [`Executor`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`model`] | the JSON format as Rust types |
//! | [`load`] | finding and reading files; errors that name file, test and field |
//! | [`fork`] | the names of the forks and the rules they stand for |
//! | [`case`] | one runnable case: configuration, block, transaction, pre-state |
//! | [`execute`] | the executor trait, and revm itself as an executor |
//! | [`random`] | random programs, for comparing one EVM with another |
//! | [`root`] | state root and logs hash |
//! | [`skip`] | what is not run by default, each with its reason |
//! | [`run`] | the parallel runner and the verdicts |
//! | [`report`] | results, summary, geth's and revme's output |
//! | [`assemble`] | EVM assembly text to bytecode, for tests |
//! | [`fill`] | writing tests in the official format, with revm as the oracle |
//!
//! # Example
//!
//! ```
//! use evm_tests::{Options, Revm, run, load};
//!
//! let files = load::find(&["../fixtures/statetests".into()]).unwrap();
//! let report = run::run(&files, &Options::default(), || Revm, &());
//! let summary = report.summary();
//! assert_eq!(summary.failed, 0, "{summary}");
//! ```
#![forbid(unsafe_code)]

pub mod assemble;
pub mod case;
pub mod execute;
pub mod fill;
pub mod fork;
pub mod load;
pub mod model;
pub mod random;
pub mod report;
pub mod root;
pub mod run;
pub mod skip;

pub use case::Case;
pub use execute::{CaseDb, Executor, Outcome, Revm};
pub use report::{CaseReport, FileReport, Report, Summary, Verdict};
pub use run::{Observer, Options};
