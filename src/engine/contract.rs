//! A contract's code as the engine knows it: bytecode, what is compiled of it, and how much work it has cost.

use crate::arena::PcIndex;
use crate::evm::block::Pc;
use crate::evm::code::Code;
use crate::evm::{SpecId, fork::Schedule, fork::schedule};
use crate::translate::context::Versions;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, OnceLock};

/// Marks entries of the index for blocks that begin at no jump destination (the program's start, what follows a branch or a
/// call): as signed numbers they are negative, and a dynamic jump does not go there.
const NO_DESTINATION: u32 = 1 << 31;

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
    /// From pc to offset of compiled code in the arena, with [`NO_DESTINATION`]; 0: not compiled. One entry per byte of bytecode and
    /// one for its end.
    index: OnceLock<PcIndex>,
    /// Versions of its blocks. Changed only under the compiler's lock.
    versions: OnceLock<Mutex<Versions>>,
    /// Bytes of machine code compiled for it.
    pub(super) native_bytes: AtomicU64,
    /// Taken jumps that it has cost interpreted, with a surcharge per activation.
    pub(super) work: AtomicU64,
}

impl Contract {
    /// A contract of which nothing is compiled.
    pub fn new(code: Code, fork: SpecId) -> Contract {
        Contract {
            code,
            fork,
            schedule: schedule(fork),
            is_init: false,
            index: OnceLock::new(),
            versions: OnceLock::new(),
            native_bytes: AtomicU64::new(0),
            work: AtomicU64::new(0),
        }
    }

    /// As [`Contract::new`], for init code.
    pub(super) fn of_init_code(code: Code, fork: SpecId) -> Contract {
        Contract { is_init: true, ..Contract::new(code, fork) }
    }

    /// The index from pc to code.
    pub(super) fn index(&self) -> &PcIndex {
        self.index.get_or_init(|| PcIndex::new(self.code.bytes().len() + 1))
    }

    /// The versions of its blocks.
    pub(super) fn versions(&self) -> MutexGuard<'_, Versions> {
        let versions = self.versions.get_or_init(|| Mutex::new(Versions::new(self.code.bytes())));
        versions.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Offset of the code of the block at `pc`, if it is compiled.
    pub(super) fn offset(&self, pc: u64) -> Option<u32> {
        match self.index().get(usize::try_from(pc).ok()?) {
            0 => None,
            offset => Some(offset & !NO_DESTINATION),
        }
    }

    /// Enters the offset of the code of the block at `pc`, which is now published.
    pub(super) fn set_offset(&self, pc: Pc, offset: u32) {
        debug_assert!(offset < NO_DESTINATION, "code memory is smaller than 2 GiB");
        let mark = if self.code.is_jump_destination(pc.0.into()) { 0 } else { NO_DESTINATION };
        self.index().set(pc.index(), offset | mark);
    }

    /// Whether anything of it is compiled.
    pub fn is_compiled(&self) -> bool {
        self.index.get().is_some()
    }
}
