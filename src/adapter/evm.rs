//! The type to swap in for revm's EVM, and the handler behind it.
//!
//! revm's `ExecuteEvm` family is hard-wired to its mainnet handler, so the traits are implemented anew here; each method does
//! what revm's own does, with [`EjitHandler`] in the mainnet handler's place.

use super::{Counters, Runner, StaticGas, exec_loop};
use crate::engine::{Difference, Engine};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use revm::{
    Context, Inspector,
    context::{ContextSetters, Evm},
    context_interface::{
        Block, Cfg, ContextTr, Database, FrameStack, Host, JournalTr, Transaction,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultAndState},
    },
    database_interface::DatabaseCommit,
    handler::{
        EthFrame, EthPrecompiles, EvmTr, EvmTrError, ExecuteCommitEvm, ExecuteEvm, FrameInitOrResult, FrameResult, FrameTr,
        Handler, MainnetHandler, PrecompileProvider, SystemCallCommitEvm, SystemCallEvm, SystemCallTx,
        evm::{ContextDbError, FrameInitResult},
        instructions::{EthInstructions, InstructionProvider},
    },
    inspector::{InspectCommitEvm, InspectEvm, InspectSystemCallEvm, InspectorEvmTr, InspectorHandler, JournalExt},
    interpreter::{
        InterpreterResult,
        instructions::{GasTable, InstructionTable},
        interpreter::EthInterpreter,
        interpreter_action::FrameInit,
    },
    primitives::{Address, Bytes, hardfork::SpecId},
    state::EvmState,
};

/// revm's frame, used where its own loop runs.
type RevmFrame = EthFrame<EthInterpreter>;

/// An instruction set that says whether it is Ethereum's. One that is not is executed by revm's own loop.
pub trait InstructionSet: InstructionProvider {
    /// The static gas, if every instruction is the standard one; else none.
    fn standard_gas(&self) -> Option<StaticGas<'_>>;
}

/// Ethereum's instruction set, not open to change: what lets frames be executed here. (revm's `EthInstructions` may have been
/// given other instructions, and does not tell.)
#[derive(Debug)]
pub struct StandardInstructions<CTX>(EthInstructions<EthInterpreter, CTX>);

impl<CTX: Host> StandardInstructions<CTX> {
    /// The instructions and static gas of `fork`.
    pub fn new(fork: SpecId) -> Self {
        StandardInstructions(EthInstructions::new_mainnet_with_spec(fork))
    }
}

impl<CTX: Host> Clone for StandardInstructions<CTX> {
    fn clone(&self) -> Self {
        StandardInstructions(self.0.clone())
    }
}

impl<CTX: Host> InstructionProvider for StandardInstructions<CTX> {
    type Context = CTX;
    type InterpreterTypes = EthInterpreter;

    fn instruction_table(&self) -> &InstructionTable<EthInterpreter, CTX> {
        self.0.instruction_table()
    }

    fn gas_table(&self) -> &GasTable {
        self.0.gas_table()
    }
}

impl<CTX: Host> InstructionSet for StandardInstructions<CTX> {
    fn standard_gas(&self) -> Option<StaticGas<'_>> {
        Some(StaticGas::OfFork(self.0.spec))
    }
}

impl<CTX: Host> InstructionSet for EthInstructions<EthInterpreter, CTX> {
    fn standard_gas(&self) -> Option<StaticGas<'_>> {
        None
    }
}

/// An EVM that executes frames with ejit. Dereferences to revm's `Evm`, so context, inspector and precompiles are where they are
/// in revm.
#[derive(Debug)]
pub struct EjitEvm<CTX, INSP = (), I = StandardInstructions<CTX>, P = EthPrecompiles> {
    /// revm's EVM: all but the frame loop.
    pub inner: Evm<CTX, INSP, I, P, RevmFrame>,
    runner: Runner,
}

impl<CTX: ContextTr, INSP, P> EjitEvm<CTX, INSP, StandardInstructions<CTX>, P> {
    /// An EVM with the standard instructions of the fork that `ctx` is configured for.
    pub fn new(ctx: CTX, inspector: INSP, precompiles: P, engine: &Engine) -> Self {
        let fork = ctx.cfg().spec().into();
        let inner = Evm::new_with_inspector(ctx, inspector, StandardInstructions::new(fork), precompiles);
        EjitEvm { inner, runner: Runner::for_fork(engine, fork) }
    }
}

impl<CTX, INSP, I, P> EjitEvm<CTX, INSP, I, P> {
    /// An EVM with an instruction set of the embedder's.
    pub fn with_instructions(ctx: CTX, inspector: INSP, instructions: I, precompiles: P, engine: &Engine) -> Self {
        EjitEvm { inner: Evm::new_with_inspector(ctx, inspector, instructions, precompiles), runner: Runner::new(engine) }
    }

    /// The same EVM with another inspector.
    pub fn with_inspector<OTHER>(self, inspector: OTHER) -> EjitEvm<CTX, OTHER, I, P> {
        EjitEvm { inner: self.inner.with_inspector(inspector), runner: self.runner }
    }

    /// The same EVM with other precompiles.
    pub fn with_precompiles<OTHER>(self, precompiles: OTHER) -> EjitEvm<CTX, INSP, I, OTHER> {
        EjitEvm { inner: self.inner.with_precompiles(precompiles), runner: self.runner }
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.runner.counters()
    }

    /// Forgets the hashes that are remembered from earlier transactions. Results do not depend on them.
    pub fn forget_hashes(&mut self) {
        self.runner.works.executor.memo().forget_hashes();
    }

    /// The first difference that `check` mode found.
    pub fn first_difference(&self) -> Option<&Difference> {
        self.runner.first_difference()
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.runner.engine()
    }
}

/// Builds an [`EjitEvm`] from a context, as revm's `MainBuilder` builds its own.
pub trait BuildEjit: Sized {
    /// The context.
    type Context;

    /// An EVM with Ethereum's precompiles and no inspector.
    fn build_ejit(self, engine: &Engine) -> EjitEvm<Self::Context>;

    /// An EVM with Ethereum's precompiles and an inspector.
    fn build_ejit_with_inspector<INSP>(self, inspector: INSP, engine: &Engine) -> EjitEvm<Self::Context, INSP>;
}

impl<BLOCK, TX, CFG, DB, JOURNAL, CHAIN> BuildEjit for Context<BLOCK, TX, CFG, DB, JOURNAL, CHAIN>
where
    BLOCK: Block,
    TX: Transaction,
    CFG: Cfg,
    DB: Database,
    JOURNAL: JournalTr<Database = DB>,
{
    type Context = Self;

    fn build_ejit(self, engine: &Engine) -> EjitEvm<Self> {
        self.build_ejit_with_inspector((), engine)
    }

    fn build_ejit_with_inspector<INSP>(self, inspector: INSP, engine: &Engine) -> EjitEvm<Self, INSP> {
        let precompiles = EthPrecompiles::new(self.cfg.spec().into());
        EjitEvm::new(self, inspector, precompiles, engine)
    }
}

impl<CTX, INSP, I, P> Deref for EjitEvm<CTX, INSP, I, P> {
    type Target = Evm<CTX, INSP, I, P, RevmFrame>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<CTX, INSP, I, P> DerefMut for EjitEvm<CTX, INSP, I, P> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<CTX, INSP, I, P> EvmTr for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr,
    I: InstructionProvider<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    type Context = CTX;
    type Instructions = I;
    type Precompiles = P;
    type Frame = RevmFrame;

    fn all(&self) -> (&CTX, &I, &P, &FrameStack<RevmFrame>) {
        self.inner.all()
    }

    fn all_mut(&mut self) -> (&mut CTX, &mut I, &mut P, &mut FrameStack<RevmFrame>) {
        self.inner.all_mut()
    }

    fn frame_init(&mut self, init: FrameInit) -> Result<FrameInitResult<'_, RevmFrame>, ContextDbError<CTX>> {
        self.inner.frame_init(init)
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<RevmFrame>, ContextDbError<CTX>> {
        self.inner.frame_run()
    }

    fn frame_return_result(&mut self, result: FrameResult) -> Result<Option<FrameResult>, ContextDbError<CTX>> {
        self.inner.frame_return_result(result)
    }
}

impl<CTX, INSP, I, P> InspectorEvmTr for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalExt> + ContextSetters,
    I: InstructionProvider<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    INSP: Inspector<CTX, EthInterpreter>,
{
    type Inspector = INSP;

    fn all_inspector(&self) -> (&CTX, &I, &P, &FrameStack<RevmFrame>, &INSP) {
        self.inner.all_inspector()
    }

    fn all_mut_inspector(&mut self) -> (&mut CTX, &mut I, &mut P, &mut FrameStack<RevmFrame>, &mut INSP) {
        self.inner.all_mut_inspector()
    }
}

/// revm's mainnet handler, with the frame loop of this crate where [`Runner::handles`] allows it.
#[derive(Clone, Debug)]
pub struct EjitHandler<EVM, ERROR>(PhantomData<(EVM, ERROR)>);

impl<EVM, ERROR> Default for EjitHandler<EVM, ERROR> {
    fn default() -> Self {
        EjitHandler(PhantomData)
    }
}

impl<CTX, INSP, I, P, ERROR> Handler for EjitHandler<EjitEvm<CTX, INSP, I, P>, ERROR>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>>,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    ERROR: EvmTrError<EjitEvm<CTX, INSP, I, P>>,
{
    type Evm = EjitEvm<CTX, INSP, I, P>;
    type Error = ERROR;
    type HaltReason = HaltReason;

    fn run_exec_loop(&mut self, evm: &mut Self::Evm, first: <RevmFrame as FrameTr>::FrameInit) -> Result<FrameResult, ERROR> {
        let EjitEvm { inner, runner } = evm;
        let gas = inner.instruction.standard_gas();
        if !gas.is_some_and(|gas| runner.handles(&inner.ctx, gas, &first)) {
            runner.count_handed_to_revm();
            return MainnetHandler::<Self::Evm, ERROR, RevmFrame>::default().run_exec_loop(evm, first);
        }
        exec_loop(&mut inner.ctx, &mut inner.precompiles, runner, first)
    }
}

impl<CTX, INSP, I, P, ERROR> InspectorHandler for EjitHandler<EjitEvm<CTX, INSP, I, P>, ERROR>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState> + JournalExt> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    INSP: Inspector<CTX, EthInterpreter>,
    ERROR: EvmTrError<EjitEvm<CTX, INSP, I, P>>,
{
    type IT = EthInterpreter;
}

impl<CTX, INSP, I, P> ExecuteEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    type ExecutionResult = ExecutionResult<HaltReason>;
    type State = EvmState;
    type Error = EVMError<<CTX::Db as Database>::Error, InvalidTransaction>;
    type Tx = <CTX as ContextTr>::Tx;
    type Block = <CTX as ContextTr>::Block;

    fn set_block(&mut self, block: Self::Block) {
        self.inner.ctx.set_block(block);
    }

    fn transact_one(&mut self, tx: Self::Tx) -> Result<Self::ExecutionResult, Self::Error> {
        self.inner.ctx.set_tx(tx);
        EjitHandler::default().run(self)
    }

    fn finalize(&mut self) -> Self::State {
        self.inner.ctx.journal_mut().finalize()
    }

    fn replay(&mut self) -> Result<ResultAndState<HaltReason>, Self::Error> {
        let result = EjitHandler::<Self, Self::Error>::default().run(self);
        let state = self.finalize();
        Ok(ResultAndState::new(result?, state))
    }
}

impl<CTX, INSP, I, P> ExecuteCommitEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>, Db: DatabaseCommit> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    fn commit(&mut self, state: Self::State) {
        self.inner.ctx.db_mut().commit(state);
    }
}

impl<CTX, INSP, I, P> SystemCallEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>, Tx: SystemCallTx> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    fn system_call_one_with_caller(
        &mut self,
        caller: Address,
        contract: Address,
        data: Bytes,
    ) -> Result<Self::ExecutionResult, Self::Error> {
        self.inner.ctx.set_tx(CTX::Tx::new_system_tx_with_caller(caller, contract, data));
        EjitHandler::default().run_system_call(self)
    }
}

impl<CTX, INSP, I, P> SystemCallCommitEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>, Db: DatabaseCommit, Tx: SystemCallTx> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    fn system_call_with_caller_commit(
        &mut self,
        caller: Address,
        contract: Address,
        data: Bytes,
    ) -> Result<Self::ExecutionResult, Self::Error> {
        let output = self.system_call_with_caller(caller, contract, data)?;
        self.commit(output.state);
        Ok(output.result)
    }
}

impl<CTX, INSP, I, P> InspectEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState> + JournalExt> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    INSP: Inspector<CTX, EthInterpreter>,
{
    type Inspector = INSP;

    fn set_inspector(&mut self, inspector: Self::Inspector) {
        self.inner.inspector = inspector;
    }

    fn inspect_one_tx(&mut self, tx: Self::Tx) -> Result<Self::ExecutionResult, Self::Error> {
        self.inner.ctx.set_tx(tx);
        EjitHandler::default().inspect_run(self)
    }
}

impl<CTX, INSP, I, P> InspectCommitEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState> + JournalExt, Db: DatabaseCommit> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    INSP: Inspector<CTX, EthInterpreter>,
{
}

impl<CTX, INSP, I, P> InspectSystemCallEvm for EjitEvm<CTX, INSP, I, P>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState> + JournalExt, Tx: SystemCallTx> + ContextSetters,
    I: InstructionSet<Context = CTX, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    INSP: Inspector<CTX, EthInterpreter>,
{
    fn inspect_one_system_call_with_caller(
        &mut self,
        caller: Address,
        contract: Address,
        data: Bytes,
    ) -> Result<Self::ExecutionResult, Self::Error> {
        self.inner.ctx.set_tx(CTX::Tx::new_system_tx_with_caller(caller, contract, data));
        EjitHandler::default().inspect_run_system_call(self)
    }
}
