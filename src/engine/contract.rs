//! A contract's code as the engine knows it: bytecode, what is compiled of it, and how much work it has cost.

use super::generation::Generation;
use crate::arena::PcIndex;
use crate::evm::block::Pc;
use crate::evm::code::Code;
use crate::evm::{SpecId, fork::Schedule, fork::schedule};
use crate::translate::context::{VersionId, Versions};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Marks entries of the index for blocks that begin at no jump destination (the program's start, what follows a branch or a
/// call): as signed numbers they are negative, and a dynamic jump does not go there.
const NO_DESTINATION: u32 = 1 << 31;

/// Entry of the index for a block that cannot be compiled. (No block lies at the arena's start.)
const REFUSED: u32 = NO_DESTINATION;

/// A contract's code under one fork's rules.
#[derive(Debug)]
pub struct Contract {
    /// Its bytecode.
    pub code: Code,
    /// The rules it runs under.
    pub fork: SpecId,
    pub(super) schedule: &'static Schedule,
    /// Init code: its instructions are counted apart.
    pub(super) is_init: bool,
    /// Where it is compiled, if anywhere.
    pub(super) generation: Option<Arc<Generation>>,
    /// From pc to offset of compiled code in the arena, with [`NO_DESTINATION`]; 0: not compiled. One entry per byte of bytecode and
    /// one for its end.
    index: OnceLock<PcIndex>,
    /// Versions of its blocks. Changed only under the compiler's lock.
    versions: OnceLock<Mutex<Versions>>,
    /// Bytes of machine code compiled for it, by origin.
    pub(super) native_bytes: [AtomicU64; 2],
    /// Bytes of bytecode that it was compiled from, once for each version, likewise.
    pub(super) compiled_bytes: [AtomicU64; 2],
    /// Gas of plain instructions that were executed, and what detours for want of compiled code come to.
    work: AtomicU64,
    /// What executing outlined code has taken, in gas of plain instructions.
    outlined: AtomicU64,
    /// What it has taken when it is better compiled otherwise; 0 where nothing is outlined, or that has happened.
    promotion: AtomicU64,
    promoted: AtomicBool,
    /// What compiling has taken so far, in the same unit, and what it takes before the first unit.
    spent: AtomicU64,
}

/// What compiling a unit takes besides its bytes, in gas of plain instructions, of which the interpreter does one in about half a nanosecond.
const UNIT_WORK: u64 = 12_000;
/// What compiling a byte of bytecode takes, likewise.
const BYTE_WORK: u64 = 160;
/// How many times the price of compiling them otherwise outlined units have taken when that is done.
const PROMOTION: u64 = 3;
/// What a gas of outlined code takes, likewise: calls that come once each are badly predicted.
const OUTLINED_WORK: u64 = 4;
/// What looking for loops takes before the first unit of a contract is compiled, per byte of the contract, likewise.
const CODE_WORK: u64 = 6;
/// What the first unit takes besides, likewise: the compiler itself is not in the processor's caches then.
const COLD_WORK: u64 = 60_000;
/// Bytes of a unit, as far as it is counted on before it is compiled.
const EXPECTED_BYTES: usize = 256;

impl Contract {
    /// A contract that is interpreted only.
    pub fn interpreted(code: Code, fork: SpecId) -> Contract {
        Contract::new(code, fork, None)
    }

    /// A contract of which nothing is compiled yet.
    pub(super) fn new(code: Code, fork: SpecId, generation: Option<Arc<Generation>>) -> Contract {
        let spent = COLD_WORK + CODE_WORK * code.bytes().len() as u64;
        Contract {
            generation,
            code,
            fork,
            schedule: schedule(fork),
            is_init: false,
            index: OnceLock::new(),
            versions: OnceLock::new(),
            native_bytes: Default::default(),
            compiled_bytes: Default::default(),
            work: AtomicU64::new(0),
            outlined: AtomicU64::new(0),
            promotion: AtomicU64::new(0),
            promoted: AtomicBool::new(false),
            spent: AtomicU64::new(spent),
        }
    }

    /// As [`Contract::new`], for init code.
    pub(super) fn of_init_code(code: Code, fork: SpecId, generation: Option<Arc<Generation>>) -> Contract {
        Contract { is_init: true, ..Contract::new(code, fork, generation) }
    }

    /// The index from pc to code.
    #[inline]
    pub(super) fn index(&self) -> &PcIndex {
        self.index.get_or_init(|| PcIndex::new(self.code.bytes().len() + 1))
    }

    /// The versions of its blocks.
    pub(super) fn versions(&self) -> MutexGuard<'_, Versions> {
        let versions = self.versions.get_or_init(|| Mutex::new(Versions::new(&self.code)));
        versions.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A version that code refers to, and that could be compiled and is not, after `last` if there is one.
    pub(super) fn next_wanted(&self, last: Option<VersionId>) -> Option<VersionId> {
        self.versions().next_wanted(last, |pc| !self.is_refused(pc.0.into()))
    }

    /// Offset of the code of the block at `pc`, if it is compiled.
    #[inline]
    pub(super) fn offset(&self, pc: u64) -> Option<u32> {
        match self.index().get(usize::try_from(pc).ok()?) {
            0 | REFUSED => None,
            offset => Some(offset & !NO_DESTINATION),
        }
    }

    /// Whether the block at `pc` was found to be one that cannot be compiled.
    #[inline]
    pub(super) fn is_refused(&self, pc: u64) -> bool {
        usize::try_from(pc).is_ok_and(|pc| self.index().get(pc) == REFUSED)
    }

    /// Notes that the block at `pc` cannot be compiled, unless a version of it is.
    pub(super) fn refuse(&self, pc: u64) {
        if let Ok(pc) = usize::try_from(pc)
            && self.index().get(pc) == 0
        {
            self.index().set(pc, REFUSED);
        }
    }

    /// Enters the offset of the code of the block at `pc`, which is now published.
    pub(super) fn set_offset(&self, pc: Pc, offset: u32) {
        debug_assert!(offset < NO_DESTINATION, "code memory is smaller than 2 GiB");
        let mark = if self.code.is_jump_destination(pc.0.into()) { 0 } else { NO_DESTINATION };
        self.index().set(pc.index(), offset | mark);
    }

    /// The block at `pc` has no code any more, if that at this offset was found there.
    pub(super) fn forget_offset(&self, pc: Pc, offset: u32) {
        if self.offset(pc.0.into()) == Some(offset) {
            self.index().set(pc.index(), 0);
        }
    }

    /// Notes gas of plain instructions that were executed, or a detour's. Read and written apart: what another thread adds in between may be lost, which only
    /// puts compiling off.
    #[inline]
    pub(super) fn add_work(&self, gas: u64) {
        if gas > 0 {
            self.work.store(self.work.load(Relaxed).saturating_add(gas), Relaxed);
        }
    }

    /// Notes that a unit of `bytes` bytes was compiled.
    pub(super) fn add_unit(&self, bytes: usize, outlined: bool) {
        let work = UNIT_WORK + BYTE_WORK * bytes as u64;
        self.spent.fetch_add(work, Relaxed);
        if outlined && !self.is_promoted() {
            self.promotion.fetch_add(PROMOTION * work, Relaxed);
        }
    }

    /// Notes gas of outlined code that was executed; whether that is now so much that it is better compiled otherwise.
    pub(super) fn add_outlined(&self, gas: u64) -> bool {
        self.outlined.store(self.outlined.load(Relaxed).saturating_add(OUTLINED_WORK * gas), Relaxed);
        let promotion = self.promotion.load(Relaxed);
        promotion > 0 && self.outlined.load(Relaxed) >= promotion
    }

    /// From now on it may have more machine code; false if so it was. What outlined code has executed is work that pays for it.
    pub(super) fn promote(&self) -> bool {
        let first = !self.promoted.swap(true, Relaxed);
        if first {
            self.add_work(self.promotion.swap(0, Relaxed));
        }
        first
    }

    /// Whether its outlined code has run so often that it may have more machine code.
    pub(super) fn is_promoted(&self) -> bool {
        self.promoted.load(Relaxed)
    }

    /// Work that is missing until the block at `pc` may be compiled: the ski-rental rule (Karlin, Manasse, Rudolph, Sleator,
    /// "Competitive snoopy caching", 1988), so that compiling never takes more than a `payback`th of what interpreting all of it and detours take.
    #[inline]
    pub(super) fn missing_work(&self, pc: u64, payback: u64, least: u64) -> u64 {
        let left = self.code.bytes().len().saturating_sub(usize::try_from(pc).unwrap_or(usize::MAX));
        let next = UNIT_WORK + BYTE_WORK * left.min(EXPECTED_BYTES) as u64;
        let needed = payback.saturating_mul(self.spent.load(Relaxed) + next).max(least);
        needed.saturating_sub(self.work.load(Relaxed))
    }

    /// Whether anything of it is compiled.
    #[inline]
    pub fn is_compiled(&self) -> bool {
        self.index.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(len: usize) -> Contract {
        Contract::interpreted(Code::new(&vec![0x5b; len]), SpecId::OSAKA)
    }

    /// The rental rule: whatever is compiled, and whenever, it has taken at most a `payback`th of the work before, but for what one unit
    /// is longer than was counted on.
    #[test]
    fn compiling_is_paid_by_work() {
        const PAYBACK: u64 = 6;
        let contract = contract(20_000);
        let (mut work, mut cost, mut units) = (0, 0, 0);
        for step in 0..10_000u64 {
            let pc = step * 37 % 20_000;
            if contract.missing_work(pc, PAYBACK, 0) == 0 {
                let bytes = EXPECTED_BYTES.min(20_000 - pc as usize);
                contract.add_unit(bytes, false);
                cost += UNIT_WORK + BYTE_WORK * bytes as u64;
                units += 1;
                assert!(cost * PAYBACK <= work, "unit {units} at step {step}: {cost} against {work}");
            }
            contract.add_work(step % 3000);
            work += step % 3000;
        }
        assert!(units > 10, "{units}");
    }

    #[test]
    fn without_payback_the_least_work_decides() {
        let contract = contract(100);
        assert_eq!(contract.missing_work(0, 0, 60), 60);
        contract.add_work(59);
        assert_eq!(contract.missing_work(0, 0, 60), 1);
        contract.add_work(1);
        contract.add_unit(100, false);
        assert_eq!(contract.missing_work(50, 0, 60), 0);
    }

    #[test]
    fn a_refused_block_has_no_code() {
        let contract = contract(4);
        contract.refuse(1);
        assert!(contract.is_refused(1) && !contract.is_refused(2));
        assert_eq!(contract.offset(1), None);
        contract.set_offset(Pc(2), 64);
        assert_eq!((contract.offset(2), contract.offset(3), contract.offset(u64::MAX)), (Some(64), None, None));
    }
}
