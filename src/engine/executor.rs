//! Running a frame: which engine executes it, and how control passes between them.

use super::compile::{Wanted, words_of_target};
use super::contract::Contract;
use super::counters::Counters;
use super::deopt::{leave_at_site, restore};
use super::{Engine, Mode};
use crate::abi::{Exit, Frame};
use crate::evm::{B256, SpecId, block::Pc, code::Code};
use crate::interp;
use crate::runtime::{Entry, HashCounts, Memo};
use crate::translate::Refusal;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Work, in taken jumps, that one activation of a frame counts for besides its jumps.
const ACTIVATION_WORK: u64 = 2;

/// Gas, and bytes of code, of the instructions between two taken jumps, typically.
const GAS_PER_JUMP: u64 = 32;
const BYTES_PER_JUMP: u64 = 16;

/// One EVM instance's access to an engine.
#[derive(Debug)]
pub struct Executor {
    pub(super) engine: Engine,
    /// Where compiled code is entered, and what its offsets are relative to.
    entry: Option<(Entry, u64)>,
    /// Frames not yet added to the engine's counters, which all threads share.
    frames: u64,
    /// What runtime functions remember. Frames point to it while they run.
    memo: Box<Memo>,
    /// What of the memo's counts the engine knows.
    told: HashCounts,
}

/// Frames that an executor counts by itself before it tells the engine what it has counted.
const FRAMES_APART: u64 = 1024;

impl Drop for Executor {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Executor {
    pub(super) fn new(engine: Engine) -> Executor {
        let entry = engine.compiler().map(|c| (c.entry(), c.code_base()));
        let memo = Box::new(Memo::new(engine.inner.config.remember_hashes));
        Executor { engine, entry, frames: 0, memo, told: HashCounts::default() }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The contract with this code hash; `code` is asked for when the engine does not know it. `bytes` is what the embedder holds as the code:
    /// it is compared once per address, so that a wrong hash never runs other code.
    pub fn contract(&mut self, hash: B256, fork: SpecId, bytes: &[u8], code: impl FnOnce() -> Code) -> Arc<Contract> {
        let inner = &self.engine.inner;
        Counters::add(&inner.counters.lookups, 1);
        let known = inner.contracts.read().unwrap_or_else(|e| e.into_inner()).get(&(hash, fork)).cloned();
        if let Some(contract) = known {
            let held = contract.code.bytes();
            if held.as_ptr() == bytes.as_ptr() && held.len() == bytes.len() || held == bytes {
                Counters::add(&inner.counters.hits, 1);
                return contract;
            }
            return Arc::new(Contract::new(code(), fork));
        }
        let start = Instant::now();
        let contract = Arc::new(Contract::new(code(), fork));
        Counters::add(&inner.counters.analyse_ns, start.elapsed().as_nanos() as u64);
        let mut contracts = inner.contracts.write().unwrap_or_else(|e| e.into_inner());
        if contracts.len() >= inner.config.contracts {
            contracts.clear();
        }
        contracts.entry((hash, fork)).or_insert(contract).clone()
    }

    /// Init code: never looked up; compiled only in `always` and `check` mode.
    pub fn init_code(&mut self, fork: SpecId, code: Code) -> Arc<Contract> {
        Arc::new(Contract::of_init_code(code, fork))
    }

    /// Executes `frame` from `frame.pc` until it ends, suspends or is pending. `contract` must be what the frame was made for. In `check` mode
    /// this is what `always` does: see [`Executor::record`].
    pub fn run(&mut self, frame: &mut Frame, contract: &Contract) -> Exit {
        self.count_frame();
        frame.memo = ptr::from_mut(&mut *self.memo).cast();
        let exit = self.execute(frame, contract);
        frame.memo = ptr::null_mut();
        if self.engine.inner.config.count {
            self.count(contract, std::mem::take(&mut frame.interpreted), std::mem::take(&mut frame.compiled));
        }
        exit
    }

    /// Executes as the mode says; counted instructions stay in the frame.
    #[inline]
    pub(super) fn execute(&self, frame: &mut Frame, contract: &Contract) -> Exit {
        let Some((entry, base)) = self.entry else {
            return self.interpret(frame, u64::MAX);
        };
        if self.engine.inner.config.mode == Mode::Tiered && !contract.is_compiled() {
            match self.warm_up(frame, contract) {
                Exit::Hot => {}
                exit => return exit,
            }
        }
        self.run_compiled(frame, contract, entry, base)
    }

    /// Counts an activation.
    #[inline]
    pub(super) fn count_frame(&mut self) {
        self.frames += 1;
        if self.frames == FRAMES_APART {
            self.tell();
        }
    }

    /// Adds what was counted apart to the engine's counters.
    fn tell(&mut self) {
        let (counters, counts) = (&self.engine.inner.counters, self.memo.hash_counts());
        Counters::add(&counters.frames, std::mem::take(&mut self.frames));
        Counters::add(&counters.hashes, counts.asked - self.told.asked);
        Counters::add(&counters.hashes_known, counts.known - self.told.known);
        self.told = counts;
    }

    /// What runtime functions remember of the frames that ran here. Results do not depend on it.
    pub fn memo(&mut self) -> &mut Memo {
        &mut self.memo
    }

    /// Adds executed instructions to the engine's counters.
    pub(super) fn count(&self, contract: &Contract, interpreted: u64, compiled: u64) {
        let counters = &self.engine.inner.counters;
        let (by_interpreter, by_code) = match contract.is_init {
            false => (&counters.interpreted, &counters.compiled),
            true => (&counters.init_interpreted, &counters.init_compiled),
        };
        Counters::add(by_interpreter, interpreted);
        Counters::add(by_code, compiled);
    }

    /// Interprets with the budget that the contract has left before compiling it pays.
    fn warm_up(&self, frame: &mut Frame, contract: &Contract) -> Exit {
        let config = &self.engine.inner.config;
        let size = contract.code.bytes().len() as u64;
        let threshold = (size * config.jumps_per_16_bytes / 16).max(config.least_jumps);
        // Read and written apart: what another thread adds in between may be lost, which only puts compiling off.
        let done = contract.work.load(Relaxed) + ACTIVATION_WORK;
        let budget = threshold.saturating_sub(done);
        if budget == 0 {
            return Exit::Hot;
        }
        let gas = frame.gas;
        let exit = self.interpret(frame, budget);
        // Straight code makes no jumps: gas counts for it, as far as code without loops could spend it on plain instructions.
        let straight = ((gas - frame.gas).max(0) as u64 / GAS_PER_JUMP).min(size / BYTES_PER_JUMP);
        contract.work.store(done + budget - frame.fuel.min(budget) + straight, Relaxed);
        exit
    }

    pub(super) fn interpret(&self, frame: &mut Frame, fuel: u64) -> Exit {
        frame.fuel = fuel;
        let config = &self.engine.inner.config;
        if config.count || config.mode == Mode::Check { interp::run::<true>(frame) } else { interp::run::<false>(frame) }
    }

    /// Executes compiled code, compiling versions as they are reached; what is not compiled is interpreted up to the next jump.
    fn run_compiled(&self, frame: &mut Frame, contract: &Contract, entry: Entry, base: u64) -> Exit {
        frame.pc_index = contract.index().as_ptr();
        frame.code_base = base as *const u8;
        loop {
            let mut exit = match self.block(contract, frame.pc, base) {
                // SAFETY: the address comes from the index of the contract that the frame was made for, so it is that of a generic version
                // compiled for its bytecode and fork in this engine's arena, which `self.engine` keeps alive; index and base were set above.
                Ok(address) => unsafe { entry.enter(frame, address) },
                Err(_) => Exit::Interpret,
            };
            while exit == Exit::Compile {
                exit = match self.version(frame, contract) {
                    // SAFETY: as above; compiled code asked for this version where its context holds, and nothing has changed since.
                    Ok(address) => unsafe { entry.resume(frame, address) },
                    Err(_) => Exit::Interpret,
                };
            }
            match exit {
                Exit::DynamicJump => {
                    if frame.gas < 0 {
                        return Exit::OutOfGas;
                    }
                    if !contract.code.is_jump_destination(frame.pc) {
                        return Exit::InvalidJump;
                    }
                }
                Exit::Interpret | Exit::Deopt => {
                    if exit == Exit::Deopt {
                        leave_at_site(frame, contract, words_of_target());
                    }
                    Counters::add(&self.engine.inner.counters.side_exits, 1);
                    match self.interpret(frame, 1) {
                        Exit::Hot => {}
                        exit => return exit,
                    }
                }
                exit => return exit,
            }
        }
    }

    fn block(&self, contract: &Contract, pc: u64, base: u64) -> Result<u64, Refusal> {
        if let Some(offset) = contract.offset(pc) {
            return Ok(base + u64::from(offset));
        }
        let pc = Pc(u32::try_from(pc).map_err(|_| Refusal::Unsupported)?);
        let mut compiler = self.engine.compiler().ok_or(Refusal::Full)?;
        compiler.compile(contract, Wanted::Block(pc), &self.engine.inner.counters)
    }

    /// The code of the version that compiled code has met; where it cannot be compiled, the frame is made ready for the interpreter.
    fn version(&self, frame: &mut Frame, contract: &Contract) -> Result<u64, Refusal> {
        let id = contract.versions().find(frame.pc).expect("compiled code names versions of its contract");
        let compiled = self
            .engine
            .compiler()
            .ok_or(Refusal::Full)
            .and_then(|mut compiler| compiler.compile(contract, Wanted::Version(id), &self.engine.inner.counters));
        compiled.inspect_err(|_| {
            let versions = contract.versions();
            let version = versions.get(id);
            restore(frame, &version.context, &versions, words_of_target());
            frame.pc = version.pc.0.into();
        })
    }
}
