//! The engine: code cache, tiering policy, limits, counters, control surface.

use crate::abi::{Exit, Frame};
use crate::evm::{B256, SpecId, code::Code};
use std::sync::Arc;

/// How frames are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The interpreter alone.
    Off,
    /// Every block is compiled when first reached.
    Always,
    /// Compiled when the work it has cost interpreted reaches a multiple of what compiling costs.
    #[default]
    Tiered,
    /// Every frame twice, interpreted with a recorded host and compiled from the record; a difference is an error.
    Check,
}

/// Settings of an [`Engine`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How frames are executed.
    pub mode: Mode,
}

/// Compiled code and policy, shared by all executors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Arc<Config>,
}

/// A contract's code as the engine knows it, for one fork.
#[derive(Debug)]
pub struct Contract {
    /// Its bytecode.
    pub code: Code,
    /// The rules it runs under.
    pub fork: SpecId,
}

impl Engine {
    /// A new engine.
    pub fn new(config: Config) -> Engine {
        Engine { config: Arc::new(config) }
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An executor over this engine, for one EVM instance.
    pub fn executor(&self) -> Executor {
        Executor { engine: self.clone() }
    }
}

/// One EVM instance's access to an engine; owns scratch memory and memos.
#[derive(Debug)]
pub struct Executor {
    engine: Engine,
}

impl Executor {
    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The contract with this code hash; `code` is asked for when the engine does not know it.
    pub fn contract(&mut self, _hash: B256, fork: SpecId, _bytes: &[u8], code: impl FnOnce() -> Code) -> Arc<Contract> {
        Arc::new(Contract { code: code(), fork })
    }

    /// Init code: never looked up; compiled only in `always` and `check` mode.
    pub fn init_code(&mut self, fork: SpecId, code: Code) -> Arc<Contract> {
        Arc::new(Contract { code, fork })
    }

    /// Executes `frame` from `frame.pc` until it ends, suspends or is pending. `contract` must be what the frame was made for.
    pub fn run(&mut self, frame: &mut Frame, _contract: &Contract) -> Exit {
        frame.fuel = u64::MAX;
        crate::interp::run::<false>(frame)
    }
}
