//! One message call at depth 0 on revm's context and journal, through revm's own loop or ejit's.
//!
//! The call has no transaction around it: no intrinsic gas, no fee, no nonce of the sender. Warm at its start are the
//! caller, the target, the coinbase and the precompiles.
//!
//! "Raw code" on both sides: revm analyses code when it makes a `Bytecode` of it, so for revm's loop the database holds
//! bytes, and the analysis happens when the code is loaded. ejit wants bytes and hash alone; its database holds finished
//! `Bytecode`s, whose jump tables an engine with [`own_analysis`](crate::engine::Config::own_analysis) does not read.

use super::args::Jit;
use super::failure::{Failure, Result};
use super::prestate::{Prestate, PrestateDb, analyse};
use crate::adapter::{BuildEjit, EjitEvm, EjitHandler};
use crate::engine::{CounterValues, Engine};
use revm::{
    Inspector, MainBuilder, MainContext,
    context::{BlockEnv, CfgEnv, Context, ContextTr, JournalTr, LocalContextTr, TxEnv, result::EVMError},
    context_interface::block::BlobExcessGasAndPrice,
    handler::{EvmTr, FrameResult, FrameTr, Handler, MainnetContext, MainnetHandler},
    inspector::InspectorHandler,
    interpreter::{FrameInput, GasTracker, interpreter::EthInterpreter, interpreter_action::FrameInit},
    primitives::{Address, B256, Bytes, Log, TxKind, U256, hardfork::SpecId},
    state::EvmState,
};
use std::{convert::Infallible, sync::Arc};

/// revm's context over a prestate.
pub type CallContext = MainnetContext<PrestateDb>;
/// revm's own EVM over a prestate.
pub type RevmMachine<I = ()> = revm::MainnetEvm<CallContext, I>;

/// ejit's EVM over a prestate.
pub type EjitMachine = EjitEvm<CallContext>;

type CallError = EVMError<Infallible>;

/// What is to be executed, and where.
#[derive(Clone, Debug)]
pub struct Call {
    /// The rules.
    pub fork: SpecId,
    /// The block around the call.
    pub block: BlockEnv,
    /// The chain.
    pub chain_id: u64,
    /// The price GASPRICE answers, in wei.
    pub gas_price: u128,
    /// Who calls; also the origin.
    pub caller: Address,
    /// Whom it calls, or the creation of a contract whose init code is the input.
    pub kind: TxKind,
    /// Wei sent along.
    pub value: U256,
    /// Call data or init code.
    pub input: Bytes,
    /// The gas that the call has.
    pub gas: u64,
    /// The accounts before it.
    pub prestate: Arc<Prestate>,
}

impl Call {
    /// The block that calls run in unless they say otherwise.
    pub fn default_block() -> BlockEnv {
        BlockEnv {
            number: U256::from(20_000_000),
            timestamp: U256::from(1_750_000_000),
            gas_limit: 36_000_000,
            prevrandao: Some(B256::ZERO),
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
            ..BlockEnv::default()
        }
    }

    /// A fresh context for this call.
    pub fn context(&self) -> CallContext {
        let mut cfg = CfgEnv::new_with_spec(self.fork);
        cfg.chain_id = self.chain_id;
        let mut context =
            Context::mainnet().with_db(PrestateDb::new(self.prestate.clone())).with_block(self.block.clone()).with_cfg(cfg);
        context.tx = TxEnv {
            caller: self.caller,
            gas_limit: self.gas,
            gas_price: self.gas_price,
            kind: self.kind,
            value: self.value,
            data: self.input.clone(),
            chain_id: Some(self.chain_id),
            ..TxEnv::default()
        };
        context
    }

    /// revm's own EVM for this call, observed by `inspector`.
    pub fn inspected<I>(&self, inspector: I) -> RevmMachine<I> {
        self.context().build_mainnet_with_inspector(inspector)
    }
}

/// The first frame of the context's call on a journal that holds nothing yet.
pub fn first_frame<E>(evm: &mut E) -> Result<FrameInit>
where
    E: EvmTr<Context = CallContext, Frame: FrameTr<FrameInit = FrameInit, FrameResult = FrameResult>>,
{
    let mut handler = MainnetHandler::<E, CallError, E::Frame>::default();
    let loaded = (|| {
        handler.load_accounts(evm)?;
        let context = evm.ctx_mut();
        context.local_mut().clear();
        let (caller, gas) = (context.tx.caller, context.tx.gas_limit);
        context.journal_mut().load_account(caller)?;
        handler.first_frame_input(evm, &mut GasTracker::new(gas, gas, 0))
    })();
    loaded.map_err(failed)?.ok_or_else(|| Failure::input("the gas does not cover what is charged before the first frame"))
}

/// A failure of execution itself, as opposed to a call that reverts or halts.
fn failed(error: CallError) -> Failure {
    Failure::input(format_args!("execution failed: {error}"))
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned or stopped.
    Success,
    /// It reverted.
    Revert,
    /// It failed and lost its gas.
    Halt,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// `success`, `revert` or `halt:REASON`.
    pub status: String,
    /// Gas used, before refunds.
    pub gas_used: u64,
    /// The refund counter, uncapped; 0 unless successful.
    pub gas_refund: i64,
    /// What it returned, or the reason it reverted with.
    pub output: Bytes,
    /// The contract that it created.
    pub created: Option<Address>,
    /// The logs, in order; none unless successful.
    pub logs: Vec<Log>,
    /// The accounts it touched.
    pub state: EvmState,
}

impl Outcome {
    /// Takes the outcome out of a context whose call returned `result`.
    pub fn take(context: &mut CallContext, result: FrameResult) -> Outcome {
        let gas_limit = context.tx.gas_limit;
        let logs = context.journal_mut().take_logs();
        let state = context.journal_mut().finalize();
        let created = match &result {
            FrameResult::Create(outcome) => outcome.address,
            FrameResult::Call(_) => None,
        };
        let result = result.into_interpreter_result();
        let (ending, status) = match result.result {
            reason if reason.is_ok() => (Ending::Success, "success".to_string()),
            reason if reason.is_revert() => (Ending::Revert, "revert".to_string()),
            reason => (Ending::Halt, format!("halt:{reason:?}")),
        };
        Outcome {
            gas_used: if ending == Ending::Halt { gas_limit } else { gas_limit - result.gas.remaining() },
            gas_refund: if ending == Ending::Success { result.gas.refunded() } else { 0 },
            created: created.filter(|_| ending == Ending::Success),
            logs: if ending == Ending::Success { logs } else { Vec::new() },
            output: result.output,
            ending,
            status,
            state,
        }
    }
}

/// An EVM that executes one call again and again, each time from the prestate.
#[derive(Debug)]
pub enum Machine {
    /// revm's own loop.
    Revm(Box<RevmMachine>),
    /// ejit's loop.
    Ejit(Box<EjitMachine>),
}

impl Machine {
    /// A machine for `call` with an engine of its own; `Jit::Revm` is revm's own loop.
    pub fn new(call: &Call, jit: Jit) -> Machine {
        match jit.config() {
            None => Machine::revm(call),
            Some(config) => Machine::ejit(call, &Engine::new(config)),
        }
    }

    /// revm's own loop, with no code analysed yet.
    pub fn revm(call: &Call) -> Machine {
        Machine::Revm(Box::new(call.context().build_mainnet()))
    }

    /// ejit's loop on `engine`.
    pub fn ejit(call: &Call, engine: &Engine) -> Machine {
        let mut context = call.context();
        context.db_mut().analyse_all();
        Machine::Ejit(Box::new(context.build_ejit(engine)))
    }

    /// What its engine has done, after the last run; nothing, where there is none. (An executor tells all that it has counted when it is dropped.)
    pub fn into_counters(self) -> CounterValues {
        match self {
            Machine::Revm(_) => CounterValues::default(),
            Machine::Ejit(evm) => {
                let engine = evm.engine().clone();
                drop(evm);
                engine.counters().read()
            }
        }
    }

    fn context(&mut self) -> &mut CallContext {
        match self {
            Machine::Revm(evm) => &mut evm.ctx,
            Machine::Ejit(evm) => &mut evm.ctx,
        }
    }

    /// The first frame of the next run.
    pub fn first_frame(&mut self) -> Result<FrameInit> {
        match self {
            Machine::Revm(evm) => first_frame(&mut **evm),
            Machine::Ejit(evm) => first_frame(&mut **evm),
        }
    }

    /// The execution loop alone.
    #[inline]
    pub fn execute(&mut self, frame: FrameInit) -> Result<FrameResult> {
        let result = match self {
            Machine::Revm(evm) => MainnetHandler::<RevmMachine, CallError, _>::default().run_exec_loop(evm, frame),
            Machine::Ejit(evm) => EjitHandler::<EjitMachine, CallError>::default().run_exec_loop(evm, frame),
        };
        result.map_err(failed)
    }

    /// Forgets the changes of the last run, and the hashes that it computed.
    pub fn reset(&mut self) {
        self.context().journal_mut().finalize();
        if let Machine::Ejit(evm) = self {
            evm.forget_hashes();
        }
    }

    /// Makes revm forget all code that it has analysed; a new machine of ejit's has seen none.
    pub fn forget_codes(&mut self) {
        if let Machine::Revm(evm) = self {
            evm.ctx.db_mut().forget_codes();
        }
    }

    /// Puts the called code, from its raw bytes, into a frame of revm's made from code that was analysed before.
    pub fn take_raw_code(&mut self, frame: &mut FrameInit) {
        if let (Machine::Revm(evm), FrameInput::Call(inputs)) = (self, &mut frame.frame_input) {
            let (hash, code) = &mut inputs.known_bytecode;
            if let Some(raw) = evm.ctx.db_mut().raw_code(hash) {
                *code = analyse(raw.clone());
            }
        }
    }

    /// Executes the call once.
    pub fn run(&mut self) -> Result<Outcome> {
        let frame = self.first_frame()?;
        let result = self.execute(frame)?;
        Ok(Outcome::take(self.context(), result))
    }
}

/// Executes `call` once through revm's loop, observed by `inspector`, which is given back.
pub fn run_inspected<I: Inspector<CallContext, EthInterpreter>>(call: &Call, inspector: I) -> Result<(Outcome, I)> {
    let mut evm = call.inspected(inspector);
    let frame = first_frame(&mut evm)?;
    let result =
        MainnetHandler::<RevmMachine<I>, CallError, _>::default().inspect_run_exec_loop(&mut evm, frame).map_err(failed)?;
    Ok((Outcome::take(&mut evm.ctx, result), evm.inspector))
}
