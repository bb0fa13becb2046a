//! What one EVM instance keeps from transaction to transaction: executor, frame pool, known contracts, counters.

use super::exec::blank_inputs;
use super::frames::FramePool;
use super::host::{HostMemory, same_code};
use crate::abi::{Exit, Host};
use crate::engine::{Contract, Difference, Engine, Executor};
use crate::evm::{SpecId, code::Code};
use core::{any::TypeId, marker::PhantomData};
use revm::{
    bytecode::Bytecode,
    context_interface::{Cfg, ContextTr, cfg::GasParams},
    handler::EthPrecompiles,
    interpreter::{CallInputs, FrameInput, instructions::GasTable, instructions::gas_table_spec, interpreter_action::FrameInit},
    primitives::B256,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Contracts remembered by the address of their code.
const MEMO_SLOTS: usize = 256;

/// The static gas of an instruction set.
#[derive(Clone, Copy, Debug)]
pub enum StaticGas<'a> {
    /// That of a fork, known to be unchanged.
    OfFork(SpecId),
    /// Whatever the table says.
    Table(&'a GasTable),
}

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
    pub(super) works: Works,
    pub(super) memory: HostMemory,
    standard: Standard,
}

/// What frames run on.
#[derive(Debug)]
pub(super) struct Works {
    pub(super) executor: Executor,
    pub(super) pool: FramePool,
    pub(super) counters: Counters,
    pub(super) contracts: Contracts,
    /// The call that a frame asks for, in the form that precompiles take it.
    pub(super) child_inputs: Option<Box<CallInputs>>,
    first_difference: Option<Box<Difference>>,
}

/// Gas costs of a fork, as revm has them.
#[derive(Debug)]
struct Standard {
    fork: SpecId,
    /// Made when an embedder's table is to be compared with it.
    table: Option<Box<GasTable>>,
    params: GasParams,
}

impl Standard {
    fn new(fork: SpecId) -> Standard {
        Standard { fork, table: None, params: GasParams::new_spec(fork) }
    }

    /// Whether `gas` is the fork's own.
    #[inline]
    fn is(&mut self, gas: StaticGas<'_>) -> bool {
        match gas {
            StaticGas::OfFork(fork) if fork == self.fork => true,
            StaticGas::OfFork(fork) => self.table() == &gas_table_spec(fork),
            StaticGas::Table(table) => self.table() == table,
        }
    }

    fn table(&mut self) -> &GasTable {
        self.table.get_or_insert_with(|| Box::new(gas_table_spec(self.fork)))
    }

    /// Whether `params` is the fork's own; it is then known by its address the next time.
    fn has(&mut self, params: &GasParams) -> bool {
        if core::ptr::eq(params.table(), self.params.table()) {
            return true;
        }
        let same = *params == self.params;
        if same {
            self.params.clone_from(params);
        }
        same
    }
}

/// Contracts by the address of their code.
#[derive(Debug)]
pub(super) struct Contracts {
    known: Box<[Option<Known>; MEMO_SLOTS]>,
    /// The engine's generation that they are of.
    generation: u64,
}

/// A contract, and its code in the embedder's memory, whose address cannot be used for other code while it is held here.
#[derive(Debug)]
struct Known {
    bytecode: Bytecode,
    contract: Arc<Contract>,
}

impl Runner {
    /// A runner on `engine`.
    pub fn new(engine: &Engine) -> Runner {
        Runner::for_fork(engine, SpecId::default())
    }

    /// A runner on `engine` whose first transaction is likely under the rules of `fork`.
    pub fn for_fork(engine: &Engine, fork: SpecId) -> Runner {
        let works = Works {
            executor: engine.executor(),
            pool: FramePool::new(),
            counters: Counters::default(),
            contracts: Contracts { known: Box::new([const { None }; MEMO_SLOTS]), generation: engine.generation() },
            child_inputs: Some(Box::new(blank_inputs())),
            first_difference: None,
        };
        Runner { works, memory: HostMemory::default(), standard: Standard::new(fork) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.works.executor.engine()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.works.counters
    }

    /// The first difference that `check` mode found.
    pub fn first_difference(&self) -> Option<&Difference> {
        self.works.first_difference.as_deref()
    }

    /// Whether a transaction that begins with `first` can be executed here with the results of revm's own loop. `static_gas` is that of the
    /// instruction set that revm would use, whose instructions must be the standard ones.
    ///
    /// Not handled: AMSTERDAM and state gas (EIP-8037), gas costs other than those of the fork, gas limits above `i64::MAX`.
    #[inline]
    pub fn handles<CTX: ContextTr>(&mut self, ctx: &CTX, static_gas: StaticGas<'_>, first: &FrameInit) -> bool {
        let cfg = ctx.cfg();
        let fork: SpecId = cfg.spec().into();
        let (gas_limit, reservoir) = match &first.frame_input {
            FrameInput::Call(inputs) => (inputs.gas_limit, inputs.reservoir),
            FrameInput::Create(inputs) => (inputs.gas_limit(), inputs.reservoir()),
            FrameInput::Empty => return false,
        };
        if self.standard.fork != fork {
            self.standard = Standard::new(fork);
        }
        !fork.is_enabled_in(SpecId::AMSTERDAM)
            && !cfg.is_amsterdam_eip8037_enabled()
            && reservoir == 0
            && i64::try_from(gas_limit).is_ok()
            && self.standard.has(cfg.gas_params())
            && self.standard.is(static_gas)
    }

    /// Notes that a transaction went to revm's own loop.
    pub fn count_handed_to_revm(&mut self) {
        self.works.counters.handed_to_revm += 1;
        self.engine().counters().handed_over.fetch_add(1, Ordering::Relaxed);
    }
}

impl Works {
    /// Whether contracts are held of a generation that is no more.
    #[inline(always)]
    pub(super) fn is_behind(&self) -> bool {
        self.contracts.generation != self.executor.engine().generation()
    }

    /// Lets go of them, so that its memory can be given back.
    #[cold]
    pub(super) fn renew(&mut self) {
        self.contracts.known.fill_with(|| None);
        self.contracts.generation = self.executor.engine().generation();
        self.pool.let_go();
    }

    /// Runs the top frame on `host` until it ends or suspends. The one place at which frames are entered.
    ///
    /// In `check` mode it is recorded, and run again compiled when it has ended.
    ///
    /// # Errors
    /// What that second run did otherwise.
    #[inline]
    pub(super) fn activate<H: Host>(&mut self, host: &mut H) -> Result<Exit, Box<Difference>> {
        let slot = self.pool.top();
        if slot.tape.is_some() {
            return self.activate_checked(host);
        }
        slot.frame.host = core::ptr::from_mut(host).cast();
        Ok(self.executor.run(&mut slot.frame, &slot.contract))
    }

    /// [`Works::activate`] in `check` mode.
    #[inline(never)]
    fn activate_checked<H: Host>(&mut self, host: &mut H) -> Result<Exit, Box<Difference>> {
        let slot = self.pool.top();
        let tape = slot.tape.as_mut().expect("frames are recorded");
        let exit = self.executor.record(&mut slot.frame, host, tape);
        if exit.is_end() {
            self.executor
                .check(&slot.frame, &slot.contract, exit, tape)
                .inspect_err(|found| _ = self.first_difference.get_or_insert_with(|| found.clone()))?;
        }
        Ok(exit)
    }
}

/// Whether precompiles of type `P` are those of some addresses, whatever else is in a call: what is none for one call is none for the next. It is so for
/// revm's own; of others nothing is known. (A type's identity whether or not it is `'static`, as the crate `typeid` has it.)
pub(super) fn answers_by_address<P>() -> bool {
    trait Identity {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<T> Identity for PhantomData<T> {
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }
    let of_p: &dyn Identity = &PhantomData::<P>;
    // SAFETY: only the lifetime bound changes, and `id` reads nothing through it: the identity of a type does not depend on its lifetimes.
    let of_p: &(dyn Identity + 'static) = unsafe { core::mem::transmute(of_p) };
    of_p.id() == TypeId::of::<EthPrecompiles>()
}

impl Contracts {
    /// The contract of `bytecode`, whose hash is said to be `hash`. The hash is not believed: a database or a state override may be
    /// wrong about it, so the engine compares the bytes, and is asked once for each allocation of them.
    #[inline]
    pub(super) fn get(&mut self, executor: &mut Executor, hash: &B256, bytecode: &Bytecode, fork: SpecId) -> &Arc<Contract> {
        let address = bytecode.bytes_ref().as_ptr() as usize;
        let slot = &mut self.known[((address >> 4) ^ (address >> 12)) % MEMO_SLOTS];
        let hit = slot.as_ref().is_some_and(|known| same_code(&known.bytecode, bytecode) && known.contract.fork == fork);
        if !hit {
            *slot = Some(Known::new(executor, hash, bytecode, fork));
        }
        &slot.as_ref().expect("just filled").contract
    }
}

impl Known {
    #[cold]
    fn new(executor: &mut Executor, hash: &B256, bytecode: &Bytecode, fork: SpecId) -> Known {
        let own_analysis = executor.engine().config().own_analysis;
        let contract = executor.contract(*hash, fork, bytecode.original_byte_slice(), || code(bytecode, own_analysis));
        Known { bytecode: bytecode.clone(), contract }
    }
}

/// revm's code as we execute it: where it is, and with the jump destinations that revm knows already, unless `own_analysis` is asked for.
fn code(bytecode: &Bytecode, own_analysis: bool) -> Code {
    if !bytecode.is_legacy() {
        return Code::new(bytecode.original_byte_slice());
    }
    // SAFETY: revm executes legacy code as it is in a `Bytecode`, whose makers answer for the padding (`Bytecode::new_analyzed`).
    let code = unsafe { Code::from_runnable(bytecode.bytes(), bytecode.len()) };
    match bytecode.legacy_jump_table() {
        Some(table) if !own_analysis && table.len() >= bytecode.len() => code.with_jump_destinations(JumpTableOf(bytecode.clone())),
        _ => code,
    }
}

/// The bits of revm's jump table.
struct JumpTableOf(Bytecode);

impl AsRef<[u8]> for JumpTableOf {
    fn as_ref(&self) -> &[u8] {
        self.0.legacy_jump_table().map_or(&[], |table| table.as_slice())
    }
}
