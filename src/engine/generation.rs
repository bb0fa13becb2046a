//! Code memory in generations, and the contracts that are known by hash.
//!
//! A [`Generation`] is one arena and what compiles into it. Contracts hold the generation that their code lies in, and frames hold their
//! contracts, so an arena is unmapped when the last frame, executor or table that can reach its code has let go: no thread is ever inside memory that
//! is gone, and none has to be asked. [`Resident`] is what is found by hash: contracts of the present generation alone. When that is full,
//! the next one takes its place with no contracts; what is still in use is found again, costs its work again, and is compiled again.

use super::compile::Compiler;
use super::contract::Contract;
use super::{Config, Counters};
use crate::evm::{B256, SpecId, code::Code};
use crate::runtime::Entry;
use revm_primitives::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// Contracts that there is room for from the start, so that the first ones wait for no memory.
const FIRST_CONTRACTS: usize = 64;

/// An arena, and what compiles into it.
#[derive(Debug)]
pub(super) struct Generation {
    /// Which one, counted from 0.
    pub(super) number: u64,
    /// Where its code is entered, and what offsets in indexes are relative to.
    pub(super) entry: Entry,
    pub(super) base: u64,
    compiler: Mutex<Compiler>,
    /// Its code memory or link slots are spent.
    full: AtomicBool,
    /// How many there are.
    alive: Arc<AtomicUsize>,
}

impl Generation {
    /// Fails where there is no executable memory, and where there are as many generations as there may be.
    pub(super) fn new(config: &Config, number: u64, alive: &Arc<AtomicUsize>) -> io::Result<Arc<Generation>> {
        let one_more = |alive| (alive < config.generations.max(1)).then_some(alive + 1);
        if alive.fetch_update(Relaxed, Relaxed, one_more).is_err() {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let compiler = Compiler::new(config).inspect_err(|_| _ = alive.fetch_sub(1, Relaxed))?;
        Ok(Arc::new(Generation {
            number,
            entry: compiler.entry(),
            base: compiler.code_base(),
            compiler: Mutex::new(compiler),
            full: AtomicBool::new(false),
            alive: alive.clone(),
        }))
    }

    pub(super) fn compiler(&self) -> MutexGuard<'_, Compiler> {
        // A panic while compiling leaves nothing published, so the compiler stays usable.
        self.compiler.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    pub(super) fn set_full(&self) {
        self.full.store(true, Relaxed);
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

/// The contracts that are known by the hash of their code and the rules they run under.
#[derive(Debug)]
pub(super) struct Resident {
    contracts: HashMap<(B256, SpecId), Arc<Contract>>,
    /// Bytes of bytecode in them.
    bytes: usize,
    /// Where they are compiled; `None` where nothing is.
    generation: Option<Arc<Generation>>,
}

impl Resident {
    pub(super) fn new(generation: Option<Arc<Generation>>) -> Resident {
        let contracts = HashMap::with_capacity_and_hasher(FIRST_CONTRACTS, Default::default());
        Resident { contracts, bytes: 0, generation }
    }

    pub(super) fn generation(&self) -> Option<&Arc<Generation>> {
        self.generation.as_ref()
    }

    /// Contracts, and bytes of bytecode in them.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.contracts.len(), self.bytes)
    }

    pub(super) fn get(&self, hash: B256, fork: SpecId) -> Option<&Arc<Contract>> {
        self.contracts.get(&(hash, fork))
    }

    /// A contract of `code` that is not found again.
    pub(super) fn stranger(&self, code: Code, fork: SpecId) -> Arc<Contract> {
        Arc::new(Contract::new(code, fork, self.generation.clone()))
    }

    /// The contract with that hash, which is `code` unless another thread was faster. Makes room where limits are reached: first by forgetting what
    /// is not compiled, then all.
    pub(super) fn admit(&mut self, hash: B256, fork: SpecId, code: Code, config: &Config, counters: &Counters) -> Arc<Contract> {
        let fits = |resident: &Resident, part: usize| {
            resident.contracts.len() < config.contracts / part && resident.bytes + code.bytes().len() <= config.code_bytes / part
        };
        if !fits(self, 1) {
            let before = self.contracts.len();
            self.contracts.retain(|_, contract| contract.is_compiled());
            self.bytes = self.contracts.values().map(|contract| contract.code.bytes().len()).sum();
            if !fits(self, 2) {
                self.forget();
            }
            Counters::add(&counters.evicted, (before - self.contracts.len()) as u64);
        }
        let generation = &self.generation;
        let contract = self.contracts.entry((hash, fork)).or_insert_with(|| {
            self.bytes += code.bytes().len();
            Arc::new(Contract::new(code, fork, generation.clone()))
        });
        contract.clone()
    }

    /// Forgets all contracts, and compiles those to come in `generation`.
    pub(super) fn renew(&mut self, generation: Arc<Generation>) {
        self.forget();
        self.generation = Some(generation);
    }

    pub(super) fn forget(&mut self) {
        self.contracts.clear();
        self.bytes = 0;
    }
}
