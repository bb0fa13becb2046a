//! The executor: what runs a case.
//!
//! Any EVM that takes revm's configuration, block, transaction and database and commits like revm can
//! be one; the runner knows no more of it. revm itself is [`Revm`], the oracle. A wrapper of revm's EVM is
//! plugged in like this:
//!
//! ```
//! use evm_tests::{Case, CaseDb, Executor, Outcome};
//! use revm::{ExecuteCommitEvm, MainBuilder};
//!
//! struct Wrapper;
//!
//! impl Executor for Wrapper {
//!     fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
//!         let mut evm = case.context(db).build_mainnet(); // here the wrapper's own type
//!         evm.transact_commit(case.tx.clone())
//!     }
//! }
//! ```

use std::io::Write;

use revm::context_interface::result::{EVMError, ExecutionResult};
use revm::database::{EmptyDB, State};
use revm::database_interface::Database;
use revm::inspector::inspectors::TracerEip3155;
use revm::{ExecuteCommitEvm, InspectCommitEvm, MainBuilder};

use crate::case::Case;

/// The database of a case: its pre-state in memory, to which the executor commits.
pub type CaseDb = State<EmptyDB>;

/// What came of a transaction: a result, or its rejection.
pub type Outcome = Result<ExecutionResult, EVMError<<CaseDb as Database>::Error>>;

/// Executes cases, one after the other. Each thread of the runner has its own.
pub trait Executor {
    /// Executes the transaction and commits what it did to `db`.
    fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome;

    /// The same, writing an EIP-3155 trace to `out`. By default revm interprets.
    fn trace(&mut self, case: &Case, db: &mut CaseDb, out: Box<dyn Write>) -> Outcome {
        Revm.trace(case, db, out)
    }
}

/// revm's mainnet EVM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revm;

impl Executor for Revm {
    fn transact(&mut self, case: &Case, db: &mut CaseDb) -> Outcome {
        case.context(db).build_mainnet().transact_commit(case.tx.clone())
    }

    fn trace(&mut self, case: &Case, db: &mut CaseDb, out: Box<dyn Write>) -> Outcome {
        let tracer = TracerEip3155::buffered(out).without_summary();
        let mut evm = case.context(db).build_mainnet_with_inspector(tracer);
        evm.inspect_tx_commit(case.tx.clone())
    }
}
