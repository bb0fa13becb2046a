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

pub use check::Difference;
pub use compile::Listing;
pub use contract::Contract;
pub use counters::{CounterValues, Counters};
pub use executor::Executor;

use crate::evm::{B256, SpecId, block::Pc};
use crate::interp;
use crate::translate::Refusal;
use compile::{Compiler, Wanted};
use revm_primitives::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

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
    /// Bytes of code memory reserved (touched only as used).
    pub arena_bytes: usize,
    /// Link slots reserved: one per block that was referred to before it was compiled.
    pub slots: usize,
    /// Contracts kept by code hash.
    pub contracts: usize,
    /// Count executed instructions, interpreted and compiled (costs a little speed).
    pub count: bool,
    /// In `tiered` mode, code of a contract is compiled when interpreting the contract has cost this many times what compiling it does, all
    /// that was compiled of it before included. 0: as soon as it is reached, after [`Config::least_work`].
    pub payback: u64,
    /// Executors remember the hashes of 32- and 64-byte inputs (storage slots of mappings).
    pub remember_hashes: bool,
    /// In `tiered` mode, nothing of a contract is compiled before so much gas of plain instructions was interpreted.
    pub least_work: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::default(),
            arena_bytes: 64 << 20,
            slots: 1 << 20,
            contracts: 4096,
            count: false,
            payback: 3,
            remember_hashes: true,
            least_work: 0,
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
    contracts: RwLock<HashMap<(B256, SpecId), Arc<Contract>>>,
    /// `None` where there is no executable memory: everything is interpreted.
    compiler: Option<Mutex<Compiler>>,
    /// Code memory or link slots are spent: nothing more will be compiled.
    full: AtomicBool,
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
        let compiler = match config.mode {
            Mode::Off => None,
            Mode::Always | Mode::Tiered | Mode::Check => Compiler::new(&config).ok().map(Mutex::new),
        };
        let inner =
            Inner { config, counters: Counters::default(), contracts: RwLock::default(), compiler, full: AtomicBool::new(false) };
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
        self.inner.compiler.is_some()
    }

    /// An executor over this engine, for one EVM instance.
    pub fn executor(&self) -> Executor {
        Executor::new(self.clone())
    }

    /// Forgets all contracts. Code that frames are executing stays until the engine is dropped.
    pub fn clear(&self) {
        self.inner.contracts.write().unwrap_or_else(|e| e.into_inner()).clear();
    }

    /// Compiles the block at `pc` and everything that its code refers to, before anything has run: at most `units` units. Gives how many
    /// there were.
    pub fn compile_ahead(&self, contract: &Contract, pc: Pc, units: usize) -> Result<usize, Refusal> {
        let mut compiler = self.compiler().ok_or(Refusal::Full)?;
        let (mut wanted, mut last, mut compiled) = (Wanted::Block(pc), None, 0);
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

    /// Compiles the block at `pc`, which must not be compiled yet, and likely successors, and gives what was made for people to read.
    pub fn listing(&self, contract: &Contract, pc: Pc) -> Result<Listing, Refusal> {
        self.compiler().ok_or(Refusal::Full)?.listing(contract, Wanted::Block(pc), &self.inner.counters)
    }

    /// As [`Engine::listing`], for the next version that compiled code refers to and that is not compiled. `None` when there is none.
    pub fn next_listing(&self, contract: &Contract) -> Option<Result<Listing, Refusal>> {
        let wanted = contract.next_wanted(None)?;
        let mut compiler = self.compiler()?;
        Some(compiler.listing(contract, Wanted::Version(wanted), &self.inner.counters))
    }

    /// Whether code memory or link slots are spent.
    pub fn is_full(&self) -> bool {
        self.inner.full.load(Relaxed)
    }

    fn compiler(&self) -> Option<MutexGuard<'_, Compiler>> {
        // A panic while compiling leaves nothing published, so the compiler stays usable.
        self.inner.compiler.as_ref().map(|c| c.lock().unwrap_or_else(|e| e.into_inner()))
    }
}
