//! What one EVM instance keeps from transaction to transaction: executor, frame pool, known contracts, counters.

use super::frames::FramePool;
use super::host::same_code;
use crate::abi::{Exit, Host};
use crate::engine::{Contract, Difference, Engine, Executor};
use crate::evm::{SpecId, code::Code};
use revm::{
    bytecode::Bytecode,
    context_interface::{Cfg, ContextTr, cfg::GasParams},
    interpreter::{FrameInput, instructions::GasTable, instructions::gas_table_spec, interpreter_action::FrameInit},
    primitives::B256,
};
use std::sync::Arc;

/// Contracts remembered by the address of their code.
const MEMO_SLOTS: usize = 256;

/// What an EVM instance has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames executed by this crate.
    pub frames: u64,
    /// Calls answered by a precompile.
    pub precompiles: u64,
    /// Transactions (and system calls) executed by this crate.
    pub transactions: u64,
    /// Transactions handed to revm's own loop, because [`Runner::handles`] said no.
    pub handed_to_revm: u64,
}

/// The state of [`exec_loop`](super::exec_loop): one for each EVM instance.
#[derive(Debug)]
pub struct Runner {
    pub(super) executor: Executor,
    pub(super) pool: FramePool,
    pub(super) counters: Counters,
    contracts: Vec<Option<Known>>,
    first_difference: Option<Box<Difference>>,
}

/// A contract by the address of its code, which cannot be used for other code while the `Bytecode` is held here.
#[derive(Debug)]
struct Known {
    bytecode: Bytecode,
    fork: SpecId,
    contract: Arc<Contract>,
}

impl Runner {
    /// A runner on `engine`.
    pub fn new(engine: &Engine) -> Runner {
        Runner {
            executor: engine.executor(),
            pool: FramePool::default(),
            counters: Counters::default(),
            contracts: Vec::new(),
            first_difference: None,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.executor.engine()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The first difference that `check` mode found.
    pub fn first_difference(&self) -> Option<&Difference> {
        self.first_difference.as_deref()
    }

    /// Whether a transaction that begins with `first` can be executed here with the results of revm's own loop. `gas_table` is the
    /// static gas of the instruction set that revm would use, whose instructions must be the standard ones.
    ///
    /// Not handled: AMSTERDAM and state gas (EIP-8037), gas costs other than those of the fork, gas limits above `i64::MAX`.
    pub fn handles<CTX: ContextTr>(&self, ctx: &CTX, gas_table: &GasTable, first: &FrameInit) -> bool {
        let cfg = ctx.cfg();
        let fork: SpecId = cfg.spec().into();
        let (gas_limit, reservoir) = match &first.frame_input {
            FrameInput::Call(inputs) => (inputs.gas_limit, inputs.reservoir),
            FrameInput::Create(inputs) => (inputs.gas_limit(), inputs.reservoir()),
            FrameInput::Empty => return false,
        };
        !fork.is_enabled_in(SpecId::AMSTERDAM)
            && !cfg.is_amsterdam_eip8037_enabled()
            && reservoir == 0
            && i64::try_from(gas_limit).is_ok()
            && *cfg.gas_params() == GasParams::new_spec(fork)
            && *gas_table == gas_table_spec(fork)
    }

    /// Notes that a transaction went to revm's own loop.
    pub fn count_handed_to_revm(&mut self) {
        self.counters.handed_to_revm += 1;
    }

    /// The contract of `bytecode`, whose hash is said to be `hash`. The hash is not believed: a database or a state override may be
    /// wrong about it, so the engine compares the bytes, and is asked once for each allocation of them.
    pub(super) fn contract(&mut self, hash: B256, bytecode: &Bytecode, fork: SpecId) -> Arc<Contract> {
        if self.contracts.is_empty() {
            self.contracts.resize_with(MEMO_SLOTS, || None);
        }
        let address = bytecode.bytes_ref().as_ptr() as usize;
        let slot = &mut self.contracts[((address >> 4) ^ (address >> 12)) % MEMO_SLOTS];
        if let Some(known) = slot
            && same_code(&known.bytecode, bytecode)
            && known.fork == fork
        {
            return known.contract.clone();
        }
        let bytes = bytecode.original_byte_slice();
        let contract = self.executor.contract(hash, fork, bytes, || Code::new(bytes));
        *slot = Some(Known { bytecode: bytecode.clone(), fork, contract: contract.clone() });
        contract
    }

    /// Runs the top frame on `host` until it ends or suspends. The one place at which frames are entered.
    ///
    /// In `check` mode it is recorded, and run again compiled when it has ended.
    ///
    /// # Errors
    /// What that second run did otherwise.
    pub(super) fn activate<H: Host>(&mut self, host: &mut H) -> Result<Exit, Box<Difference>> {
        let slot = self.pool.top();
        let Some(tape) = &mut slot.tape else {
            slot.frame.host = core::ptr::from_mut(host).cast();
            return Ok(self.executor.run(&mut slot.frame, &slot.contract));
        };
        let exit = self.executor.record(&mut slot.frame, host, tape);
        if exit.is_end() {
            self.executor
                .check(&slot.frame, &slot.contract, exit, tape)
                .inspect_err(|found| _ = self.first_difference.get_or_insert_with(|| found.clone()))?;
        }
        Ok(exit)
    }
}
