//! Running a frame: which engine executes it, and how control passes between them.

use super::compile::{Wanted, words_of_target};
use super::contract::Contract;
use super::counters::Counters;
use super::deopt::{leave_at_site, restore};
use super::generation::Generation;
use super::{Engine, Mode};
use crate::abi::{Exit, Frame};
use crate::evm::{B256, SpecId, block::Pc, code::Code};
use crate::interp;
use crate::runtime::{HashCounts, Memo, ensure_environment};
use crate::translate::Refusal;
use crate::translate::context::{Origin, Version};
use std::ptr;
use std::sync::Arc;

/// Gas after which the interpreter is asked again whether compiling pays, for each jump that it was allowed: more than most pieces of straight
/// code cost, so that it is asked too often rather than too late.
const GAS_PER_JUMP: u64 = 256;

/// What entering compiled code takes more than going on interpreting, in gas of plain instructions: frames that do no more than that are not
/// worth compiling, however many there are.
const ENTRY_WORK: i64 = 40;

/// What it takes to leave compiled code for want of a version that is not worth compiling yet, likewise: the way out, some interpreting, and
/// the generic version of a block further on, in which less is known. Without it what is rarely reached would wait for its work the longer the
/// less is interpreted.
const DETOUR_WORK: u64 = 1000;

/// How many times the work is asked for before compiled code begins in the middle of a frame, where nothing is known of the stack: frames that come
/// again are better compiled from where they begin.
const MIDDLE: u64 = 2;

/// Taken jumps after which the interpreter looks for compiled code again, where it runs what is not worth compiling yet: at first, and at
/// most.
const FIRST_LOOK: u64 = 4;
const LAST_LOOK: u64 = 64;

/// One EVM instance's access to an engine.
#[derive(Debug)]
pub struct Executor {
    pub(super) engine: Engine,
    /// Frames until they are added to the engine's counters, which all threads share; the rest of [`FRAMES_APART`] is not yet.
    until_told: u64,
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
        let memo = Box::new(Memo::new(engine.inner.config.remember_hashes));
        Executor { engine, until_told: FRAMES_APART, memo, told: HashCounts::default() }
    }

    /// The engine.
    #[inline]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The contract with this code hash; `code` is asked for when the engine does not know it. `bytes` is what the embedder holds as the code:
    /// it is compared once per address, so that a wrong hash never runs other code.
    pub fn contract(&mut self, hash: B256, fork: SpecId, bytes: &[u8], code: impl FnOnce() -> Code) -> Arc<Contract> {
        let inner = &self.engine.inner;
        Counters::add(&inner.counters.lookups, 1);
        let known = self.engine.resident().get(hash, fork).cloned();
        let Some(contract) = known else {
            Counters::add(&inner.counters.misses, 1);
            let code = code();
            return self.engine.resident_mut().admit(hash, fork, code, &inner.config, &inner.counters);
        };
        let held = contract.code.bytes();
        if held.as_ptr() == bytes.as_ptr() && held.len() == bytes.len() || held == bytes {
            Counters::add(&inner.counters.hits, 1);
            return contract;
        }
        Counters::add(&inner.counters.misses, 1);
        self.engine.resident().stranger(code(), fork)
    }

    /// Init code: never looked up; compiled only in `check` mode.
    pub fn init_code(&mut self, fork: SpecId, code: Code) -> Arc<Contract> {
        let generation = match self.engine.inner.config.mode {
            Mode::Check => self.engine.resident().generation().cloned(),
            Mode::Off | Mode::Always | Mode::Tiered => None,
        };
        Arc::new(Contract::of_init_code(code, fork, generation))
    }

    /// Executes `frame` from `frame.pc` until it ends, suspends or is pending. `contract` must be what the frame was made for. In `check` mode
    /// this is what `always` does: see [`Executor::record`].
    #[inline]
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

    /// Executes as the mode says; counted instructions stay in the frame. Init code runs once, so it is compiled only to be checked.
    #[inline]
    pub(super) fn execute(&self, frame: &mut Frame, contract: &Contract) -> Exit {
        let Some(generation) = contract.generation.as_ref().filter(|_| self.engine.is_enabled()) else {
            return self.interpret(frame, u64::MAX);
        };
        let mut origin = Origin::Start;
        if !contract.is_compiled() {
            let mut entry = ENTRY_WORK;
            loop {
                let missing = self.missing_work(frame, contract, Origin::Start);
                if missing == 0 {
                    break;
                }
                match self.interpret_for(frame, contract, missing / GAS_PER_JUMP + 1, entry) {
                    Exit::Hot => (entry, origin) = (0, Origin::Middle),
                    exit => return exit,
                }
            }
        }
        self.run_compiled(frame, contract, generation, origin)
    }

    /// Counts an activation.
    #[inline]
    pub(super) fn count_frame(&mut self) {
        self.until_told -= 1;
        if self.until_told == 0 {
            self.tell();
        }
    }

    /// Adds what was counted apart to the engine's counters.
    #[cold]
    fn tell(&mut self) {
        let (counters, counts) = (&self.engine.inner.counters, self.memo.hash_counts());
        Counters::add(&counters.frames, FRAMES_APART - std::mem::replace(&mut self.until_told, FRAMES_APART));
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

    /// Interprets for so many taken jumps, and counts gas of plain instructions, less `entry`, as the contract's work.
    #[inline]
    fn interpret_for(&self, frame: &mut Frame, contract: &Contract, jumps: u64, entry: i64) -> Exit {
        let before = metered(frame);
        let exit = self.interpret(frame, jumps);
        contract.add_work(plain_gas(frame, before - entry));
        exit
    }

    /// Gas that must be executed before the block at `frame.pc` may be compiled for `origin`.
    #[inline]
    fn missing_work(&self, frame: &Frame, contract: &Contract, origin: Origin) -> u64 {
        let config = &self.engine.inner.config;
        let times = match origin {
            Origin::Start => 1,
            Origin::Middle => MIDDLE,
        };
        match config.mode {
            Mode::Tiered => contract.missing_work(frame.pc, config.payback.saturating_mul(times), config.least_work),
            Mode::Off | Mode::Always | Mode::Check => 0,
        }
    }

    #[inline]
    pub(super) fn interpret(&self, frame: &mut Frame, fuel: u64) -> Exit {
        frame.fuel = fuel;
        let config = &self.engine.inner.config;
        if config.count || config.mode == Mode::Check { interp::run::<true>(frame) } else { interp::run::<false>(frame) }
    }

    /// Executes compiled code, compiling what is reached and worth it; what is not compiled is interpreted. `origin`: whether it begins in the
    /// middle of a frame.
    #[inline]
    fn run_compiled(&self, frame: &mut Frame, contract: &Contract, generation: &Arc<Generation>, origin: Origin) -> Exit {
        frame.pc_index = contract.index().as_ptr();
        frame.code_base = generation.base as *const u8;
        ensure_environment(frame);
        let Some(offset) = contract.offset(frame.pc) else {
            return self.go_on(frame, contract, generation, origin, None);
        };
        let before = metered(frame);
        // SAFETY: the address comes from the index of the contract that the frame was made for, so it is that of a generic version compiled
        // for its bytecode and fork in the arena of its generation, which it keeps alive; index and base were set above.
        let exit = unsafe { generation.entry.enter(frame, generation.base + u64::from(offset)) };
        match exit {
            Exit::Compile | Exit::DynamicJump | Exit::Interpret | Exit::Deopt => {}
            _ if frame.outlined == 0 => return exit,
            _ => {}
        }
        self.go_on(frame, contract, generation, origin, Some((exit, before)))
    }

    /// The rest of [`Executor::run_compiled`]: from a block that is not compiled, or from where compiled code was left, and how much gas there was when it was
    /// entered.
    #[inline(never)]
    fn go_on(
        &self,
        frame: &mut Frame,
        contract: &Contract,
        generation: &Arc<Generation>,
        mut origin: Origin,
        mut left: Option<(Exit, i64)>,
    ) -> Exit {
        let mut look = FIRST_LOOK;
        // Compiled code has asked for a version that is not worth compiling yet: its block's generic version could lead to the same place.
        let mut stuck = false;
        let mut missed = false;
        loop {
            let (exit, before) = match left.take() {
                Some(left) => left,
                None => {
                    let compiled = if std::mem::take(&mut stuck) { None } else { self.block(frame, contract, generation, origin) };
                    let Some(address) = compiled else {
                        missed = true;
                        // Of what cannot be compiled, only the way to the next block is interpreted.
                        let is_refused = contract.is_refused(frame.pc);
                        if !is_refused {
                            origin = Origin::Middle;
                        }
                        match self.interpret_for(frame, contract, if is_refused { 1 } else { look }, 0) {
                            Exit::Hot => look = LAST_LOOK.min(2 * look),
                            exit => return exit,
                        }
                        continue;
                    };
                    look = FIRST_LOOK;
                    let before = metered(frame);
                    // SAFETY: as in `run_compiled`.
                    (unsafe { generation.entry.enter(frame, address) }, before)
                }
            };
            // SAFETY: compiled code was entered as it demands, and nothing has changed since.
            let exit = unsafe { self.follow(frame, contract, generation, exit, before, &mut missed) };
            let outlined = std::mem::take(&mut frame.outlined);
            if outlined > 0 && contract.add_outlined(outlined) && !self.engine.is_paused() && !generation.is_full() {
                generation.compiler().promote(contract, &self.engine.inner.counters);
            }
            match exit {
                Exit::Compile => {
                    contract.add_work(DETOUR_WORK);
                    stuck = true;
                }
                Exit::DynamicJump => {
                    Counters::add(&self.engine.inner.counters.dynamic_jumps, 1);
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

    /// Goes on with the versions that compiled code asks for, as long as they are worth compiling. It was left with `exit`; there was `before` gas when it
    /// was entered. `missed`: something was not compiled, so that gas of compiled code is work too. Otherwise it is not counted, since all threads that run the
    /// contract share the count.
    ///
    /// # Safety
    /// The frame was made for the contract, its index and base are set, and compiled code of the contract in the generation has left it as it is.
    #[inline]
    unsafe fn follow(
        &self,
        frame: &mut Frame,
        contract: &Contract,
        generation: &Generation,
        mut exit: Exit,
        mut before: i64,
        missed: &mut bool,
    ) -> Exit {
        loop {
            *missed |= exit == Exit::Compile;
            if *missed {
                contract.add_work(plain_gas(frame, before));
                before = metered(frame);
            }
            let wanted = if exit == Exit::Compile { self.version(frame, contract, generation) } else { None };
            let Some(address) = wanted else { return exit };
            // SAFETY: compiled code asked for this version where its context holds, and nothing has changed since.
            exit = unsafe { generation.entry.resume(frame, address) };
        }
    }

    /// Address of the code of the generic version of the block at `frame.pc`, which is compiled first, for `origin`, if it is worth it.
    #[inline]
    fn block(&self, frame: &Frame, contract: &Contract, generation: &Generation, origin: Origin) -> Option<u64> {
        if let Some(offset) = contract.offset(frame.pc) {
            return Some(generation.base + u64::from(offset));
        }
        self.compile(frame, contract, generation, Wanted::Block(Pc(u32::try_from(frame.pc).ok()?), origin))
    }

    /// Compiles what is `wanted` for `frame.pc`, if it is worth it.
    fn compile(&self, frame: &Frame, contract: &Contract, generation: &Generation, wanted: Wanted) -> Option<u64> {
        let origin = match wanted {
            Wanted::Block(_, origin) => origin,
            Wanted::Version(_) => Origin::Start,
        };
        if self.missing_work(frame, contract, origin) > 0 || contract.is_refused(frame.pc) || self.engine.is_paused() {
            return None;
        }
        if generation.is_full() {
            self.engine.renew(generation);
            return None;
        }
        let compiled = generation.compiler().compile(contract, wanted, &self.engine.inner.counters);
        match compiled {
            Ok(address) => Some(address),
            Err(Refusal::Unsupported) => None,
            Err(Refusal::Full) => {
                generation.set_full();
                self.engine.renew(generation);
                None
            }
        }
    }

    /// The code of the version whose number compiled code has left in `frame.pc`. If there is none, the frame is made ready to go on with any
    /// version of its block.
    fn version(&self, frame: &mut Frame, contract: &Contract, generation: &Generation) -> Option<u64> {
        let (id, Version { pc, address, context, .. }) = {
            let versions = contract.versions();
            let id = versions.find(frame.pc).expect("compiled code names versions of its contract");
            (id, *versions.get(id))
        };
        if address != 0 {
            return Some(address);
        }
        frame.pc = pc.0.into();
        let compiled = self.compile(frame, contract, generation, Wanted::Version(id));
        if compiled.is_none() {
            restore(frame, &context, &contract.versions(), words_of_target());
        }
        compiled
    }
}

/// Begins to measure gas; gives what is left of it.
#[inline]
fn metered(frame: &mut Frame) -> i64 {
    frame.gas_of_effects = 0;
    frame.gas
}

/// Gas of plain instructions that were executed since there was `before` left.
#[inline]
fn plain_gas(frame: &Frame, before: i64) -> u64 {
    (before - frame.gas - frame.gas_of_effects).max(0) as u64
}
