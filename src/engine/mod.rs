//! The engine: code cache, tiering policy, limits, counters, control surface.
//!
//! [`Engine`] owns the code memory and everything compiled, is shared between threads, and is cheap to clone. An [`Executor`] is one EVM
//! instance's access to it. Compiling takes a lock; running does not.

mod check;
mod compile;
mod contract;
mod counters;
mod deopt;
mod executor;
mod generation;

pub use check::Difference;
pub use contract::Contract;
pub use counters::{CounterValues, Counters};
pub use executor::Executor;

use crate::evm::{SpecId, block::Pc, code::Code};
use crate::interp;
use crate::translate::Refusal;
use crate::translate::context::Origin;
use compile::Wanted;
use generation::{Generation, Resident};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How frames are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The interpreter alone.
    Off,
    /// Every block is compiled when first reached, init code excepted, which runs once.
    Always,
    /// Compiled when the work it has cost interpreted reaches a multiple of what compiling costs.
    #[default]
    Tiered,
    /// Every frame twice: interpreted while its host is recorded, then compiled (as in `always`) from the record, touching no host. A
    /// difference is an error.
    Check,
}

/// Settings of an [`Engine`].
#[derive(Clone, Debug)]
pub struct Config {
    /// How frames are executed.
    pub mode: Mode,
    /// Bytes of code memory reserved for a generation of compiled code (touched only as used).
    pub arena_bytes: usize,
    /// Link slots reserved with it: one per block that was referred to before it was compiled.
    pub slots: usize,
    /// Most generations at a time: one is compiled into, others are full and in use still. While there are so many, and the last one is full, what is not
    /// compiled is interpreted.
    pub generations: usize,
    /// Contracts kept by code hash.
    pub contracts: usize,
    /// Bytes of bytecode in them.
    pub code_bytes: usize,
    /// Count executed instructions, interpreted and compiled (costs a little speed).
    pub count: bool,
    /// In `tiered` mode, code of a contract is compiled when what was executed of the contract would have cost the interpreter this many times what
    /// compiling it does, all that was compiled of it before included. 0: as soon as it is reached, after [`Config::least_work`].
    pub payback: u64,
    /// Executors remember the hashes of inputs of less than a block, 136 bytes (storage slots of mappings, addresses of CREATE2).
    pub remember_hashes: bool,
    /// Jump destinations are found here even where the embedder knows them already. Results do not depend on it; for measuring.
    pub own_analysis: bool,
    /// In `tiered` mode, nothing of a contract is compiled before so much gas of plain instructions was executed.
    pub least_work: u64,
    /// The translator makes choices that results must not depend on at random, from this seed: code is slower. For tests.
    pub chaos: Option<NonZeroU64>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::default(),
            arena_bytes: 64 << 20,
            slots: 1 << 20,
            generations: 4,
            contracts: 4096,
            code_bytes: 64 << 20,
            count: false,
            payback: 3,
            remember_hashes: true,
            own_analysis: false,
            least_work: 0,
            chaos: None,
        }
    }
}

impl Config {
    /// Default settings with the given mode.
    pub fn with_mode(mode: Mode) -> Config {
        Config { mode, ..Config::default() }
    }
}

/// Compiled code and policy, shared by all executors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    counters: Counters,
    /// Contracts by hash, and where they are compiled: nowhere where there is no executable memory, and everything is interpreted.
    resident: RwLock<Resident>,
    /// Number of the present generation.
    generation: AtomicU64,
    /// Generations whose memory is mapped.
    alive: Arc<AtomicUsize>,
    /// Compiled code is not entered.
    disabled: AtomicBool,
    /// Nothing is compiled.
    paused: AtomicBool,
}

/// What an engine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Contracts known by hash.
    pub contracts: usize,
    /// Bytes of bytecode in them.
    pub code_bytes: usize,
    /// Bytes of machine code in the present generation.
    pub native_bytes: usize,
    /// Generations whose memory is mapped.
    pub generations: usize,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(Config::default())
    }
}

impl Engine {
    /// A new engine. Where executable memory cannot be had it interprets, and [`Engine::can_compile`] says so.
    pub fn new(config: Config) -> Engine {
        // Whether the interpreter is threaded is found out here, so that no frame waits for it.
        interp::is_threaded();
        let alive = Arc::default();
        let generation = match config.mode {
            Mode::Off => None,
            Mode::Always | Mode::Tiered | Mode::Check => Generation::new(&config, 0, &alive).ok(),
        };
        let inner = Inner {
            config,
            counters: Counters::default(),
            resident: RwLock::new(Resident::new(generation)),
            generation: AtomicU64::new(0),
            alive,
            disabled: AtomicBool::new(false),
            paused: AtomicBool::new(false),
        };
        Engine { inner: Arc::new(inner) }
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What it has done so far.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Whether this engine has executable memory.
    pub fn can_compile(&self) -> bool {
        self.resident().generation().is_some()
    }

    /// An executor over this engine, for one EVM instance.
    pub fn executor(&self) -> Executor {
        Executor::new(self.clone())
    }

    /// A contract of `code` of its own, which is compiled here but not found by hash.
    pub fn contract(&self, code: Code, fork: SpecId) -> Arc<Contract> {
        self.resident().stranger(code, fork)
    }

    /// Frames enter compiled code again.
    pub fn enable(&self) {
        self.inner.disabled.store(false, Relaxed);
    }

    /// Frames are interpreted from now on, those that run as soon as they are resumed. What is compiled is kept.
    pub fn disable(&self) {
        self.inner.disabled.store(true, Relaxed);
    }

    /// Whether compiled code is entered.
    #[inline]
    pub fn is_enabled(&self) -> bool {
        !self.inner.disabled.load(Relaxed)
    }

    /// Nothing more is compiled; what is compiled runs.
    pub fn pause(&self) {
        self.inner.paused.store(true, Relaxed);
    }

    /// Compiles again.
    pub fn resume(&self) {
        self.inner.paused.store(false, Relaxed);
    }

    /// Whether nothing is compiled at present.
    pub fn is_paused(&self) -> bool {
        self.inner.paused.load(Relaxed)
    }

    /// Forgets all contracts and all compiled code: a new generation starts. What frames are executing stays until they have ended. Where no generation
    /// can start, executors go on with the contracts that they know.
    pub fn clear(&self) {
        let present = self.resident().generation().cloned();
        if let Some(present) = present {
            self.renew(&present);
        }
        self.resident_mut().forget();
    }

    /// What it holds.
    pub fn holdings(&self) -> Holdings {
        let resident = self.resident();
        let (contracts, code_bytes) = resident.size();
        let native_bytes = resident.generation().map_or(0, |generation| generation.compiler().used());
        Holdings { contracts, code_bytes, native_bytes, generations: self.inner.alive.load(Relaxed) }
    }

    /// Number of the present generation of compiled code. When it changes, contracts that were asked for before are better asked for again.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.inner.generation.load(Relaxed)
    }

    /// Starts the generation after `old`, unless that has happened, or there are as many as there may be.
    #[cold]
    fn renew(&self, old: &Generation) {
        let inner = &*self.inner;
        if old.number != self.generation() {
            return;
        }
        // Made before anyone has to wait for it.
        let Ok(next) = Generation::new(&inner.config, old.number + 1, &inner.alive) else {
            return;
        };
        let mut resident = self.resident_mut();
        if old.number == self.generation() {
            Counters::add(&inner.counters.generations, 1);
            Counters::add(&inner.counters.evicted, resident.size().0 as u64);
            resident.renew(next);
            inner.generation.store(old.number + 1, Relaxed);
        }
    }

    fn resident(&self) -> RwLockReadGuard<'_, Resident> {
        self.inner.resident.read().unwrap_or_else(|e| e.into_inner())
    }

    fn resident_mut(&self) -> RwLockWriteGuard<'_, Resident> {
        self.inner.resident.write().unwrap_or_else(|e| e.into_inner())
    }

    /// Compiles the block at `pc` and everything that its code refers to, before anything has run: at most `units` units. Gives how many
    /// there were.
    pub fn compile_ahead(&self, contract: &Contract, pc: Pc, units: usize) -> Result<usize, Refusal> {
        let mut compiler = contract.generation.as_ref().ok_or(Refusal::Full)?.compiler();
        let (mut wanted, mut last, mut compiled) = (Wanted::Block(pc, Origin::Start), None, 0);
        while compiled < units {
            match compiler.compile(contract, wanted, &self.inner.counters) {
                Ok(_) => compiled += 1,
                Err(Refusal::Full) => return Err(Refusal::Full),
                // The compiler has noted that the block is to be interpreted.
                Err(Refusal::Unsupported) => {}
            }
            last = contract.next_wanted(last);
            match last {
                Some(id) => wanted = Wanted::Version(id),
                None => break,
            }
        }
        Ok(compiled)
    }
}
