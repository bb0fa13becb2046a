//! One way of executing a block's transactions, with the time that each takes.

use super::block::{Block, BlockContext};
use crate::adapter::{BuildEjit, EjitEvm, EjitHandler};
use crate::cli::failure::{Failure, Result};
use crate::engine::Engine;
use core::convert::Infallible;
use revm::{
    ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainnetEvm,
    context::{ContextSetters, TxEnv},
    context_interface::{
        ContextTr,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    handler::{EvmTr, EvmTrError, FrameResult, FrameTr, Handler, MainnetHandler},
    interpreter::interpreter_action::FrameInit,
    state::EvmState,
};
use std::time::Instant;

type RevmEvm = MainnetEvm<BlockContext>;
type OurEvm = EjitEvm<BlockContext>;
type TxError = EVMError<Infallible, InvalidTransaction>;

/// An EVM at some place in a block.
pub enum Lane {
    /// revm's own.
    Revm(Box<RevmEvm>),
    /// ejit's.
    Ejit(Box<OurEvm>),
}

/// What a transaction took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// From validation to the changes in the database.
    pub total: f64,
    /// The execution loop: frames, instructions, state accesses and precompiles.
    pub execution: f64,
}

impl Lane {
    /// At the beginning of `block`: on `engine`, or revm's own.
    pub fn new(block: &Block, engine: Option<&Engine>) -> Lane {
        match engine {
            None => Lane::Revm(Box::new(block.context().build_mainnet())),
            Some(engine) => Lane::Ejit(Box::new(block.context().build_ejit(engine))),
        }
    }

    fn context(&mut self) -> &mut BlockContext {
        match self {
            Lane::Revm(evm) => &mut evm.ctx,
            Lane::Ejit(evm) => &mut evm.ctx,
        }
    }

    /// Back to the beginning of `block`, keeping what the EVM has learnt.
    pub fn rewind(&mut self, block: &Block) {
        *self.context().db_mut() = block.accounts.clone();
    }

    /// Executes the next transaction and keeps its changes.
    pub fn transact(&mut self, (tx, has_nonce): &(TxEnv, bool)) -> Result<Took> {
        let tx = tx.clone();
        self.context().cfg.disable_nonce_check = !has_nonce;
        match self {
            Lane::Revm(evm) => timed::<_, MainnetHandler<RevmEvm, TxError, _>>(evm, tx),
            Lane::Ejit(evm) => timed::<_, EjitHandler<OurEvm, TxError>>(evm, tx),
        }
    }

    /// As [`Lane::transact`], but gives what the transaction came to.
    pub fn outcome(&mut self, (tx, has_nonce): &(TxEnv, bool)) -> Result<(ExecutionResult, EvmState)> {
        let tx = tx.clone();
        self.context().cfg.disable_nonce_check = !has_nonce;
        let outcome = match self {
            Lane::Revm(evm) => evm.transact(tx).inspect(|outcome| evm.commit(outcome.state.clone())),
            Lane::Ejit(evm) => evm.transact(tx).inspect(|outcome| evm.commit(outcome.state.clone())),
        };
        outcome.map(|outcome| (outcome.result, outcome.state)).map_err(invalid)
    }
}

fn invalid(error: TxError) -> Failure {
    Failure::input(format_args!("not valid: {error}"))
}

/// Executes and commits one transaction with a handler of type `H`, timed.
fn timed<E, H>(evm: &mut E, tx: TxEnv) -> Result<Took>
where
    E: EvmTr<Context = BlockContext> + ExecuteCommitEvm<State = EvmState>,
    H: Handler<Evm = E, Error = TxError, HaltReason = HaltReason> + Default,
    Timed<H>: Handler<Evm = E, Error = TxError, HaltReason = HaltReason>,
{
    let start = Instant::now();
    evm.ctx_mut().set_tx(tx);
    let mut handler = Timed { inner: H::default(), execution: 0.0 };
    let result = handler.run(evm);
    let state = evm.finalize();
    result.map_err(invalid)?;
    evm.commit(state);
    Ok(Took { total: start.elapsed().as_nanos() as f64, execution: handler.execution })
}

/// A handler whose execution loop is timed.
struct Timed<H> {
    inner: H,
    execution: f64,
}

impl<E, F, H> Handler for Timed<H>
where
    E: EvmTr<Context = BlockContext, Frame = F>,
    F: FrameTr<FrameInit = FrameInit, FrameResult = FrameResult>,
    H: Handler<Evm = E, Error = TxError, HaltReason = HaltReason>,
    TxError: EvmTrError<E>,
{
    type Evm = E;
    type Error = TxError;
    type HaltReason = HaltReason;

    fn run_exec_loop(&mut self, evm: &mut E, first: FrameInit) -> core::result::Result<FrameResult, TxError> {
        let start = Instant::now();
        let result = self.inner.run_exec_loop(evm, first);
        self.execution = start.elapsed().as_nanos() as f64;
        result
    }
}
