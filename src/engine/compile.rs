//! From a pc to published code: translate, lower, publish.

use super::Config;
use super::contract::Contract;
use super::counters::Counters;
use crate::arena::{Arena, CodePtr, SlotPtr};
use crate::evm::block::Pc;
use crate::ir::R;
use crate::lower::{Features, Lowerer};
use crate::runtime::Entry;
use crate::translate::context::{Origin, Version, VersionId};
use crate::translate::{AARCH64, Job, Options, Refusal, Routines, Slots, Stubs, Target, Translator, X86_64, stubs};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Bytes of machine code per byte of bytecode, and besides them, after which a contract gets no further versions but generic ones; by origin.
const NATIVE_PER_BYTE: [u64; 2] = [16, 8];
const NATIVE_AT_LEAST: [u64; 2] = [1 << 16, 1 << 15];

/// Bytes of machine code per byte of bytecode compiled, and besides them, after which code is outlined: of what is not part of a loop, of what is,
/// and of contracts whose outlined code has run so often that they may have more.
const OUTLINED_PER_BYTE: [u64; 3] = [9, 12, 24];
const OUTLINED_AT_LEAST: [u64; 3] = [40 << 10, 64 << 10, 64 << 10];

/// Bytes of machine code that a unit of such a contract may have per byte of bytecode, and besides them, or it is outlined as before.
const MOST_PER_BYTE: usize = 25;
const MOST_BESIDES: usize = 512;

/// Bytes of code memory and slots that a new engine gets at once: what a few contracts need.
const PREPARED: (usize, usize) = (1 << 19, 1 << 11);

/// Code memory and the scratch of the compiler's stages. One at a time compiles.
#[derive(Debug)]
pub(super) struct Compiler {
    arena: Arena,
    translator: Translator,
    lowerer: Lowerer,
    entry: Entry,
    /// Where link slots of versions lead that are not compiled.
    wanting: CodePtr,
}

struct ArenaSlots<'a>(&'a mut Arena);

impl Slots for ArenaSlots<'_> {
    fn new_slot(&mut self, initial: u64) -> Result<u64, Refusal> {
        self.0.new_slot(initial).map(SlotPtr::address).map_err(|_| Refusal::Full)
    }
}

/// What to compile.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// The generic version of the block at a pc.
    Block(Pc, Origin),
    /// A version that compiled code has met.
    Version(VersionId),
}

impl Compiler {
    pub(super) fn new(config: &Config) -> io::Result<Compiler> {
        let target = host_target().ok_or(io::ErrorKind::Unsupported)?;
        let mut arena = Arena::new(config.arena_bytes, config.slots)?;
        arena.prepare(PREPARED.0, PREPARED.1);
        let mut lowerer = Lowerer::new(Features::detect());
        let base = arena.next_address();
        let bytes = lowerer.stream(&stubs(target), base).map_err(io::Error::other)?;
        let code = arena.publish(bytes).map_err(io::Error::other)?;
        let stubs = Stubs::resolve(|label| base + u64::from(lowerer.label_offset(label).expect("every stub has its label")));
        // SAFETY: the stubs were just published at these addresses, in the arena that this compiler owns for as long as its engine lives.
        let entry = unsafe { Entry::new(stubs.enter, stubs.resume) };
        let translator = Translator::new(target, stubs, Options { count: config.count, chaos: config.chaos });
        let wanting = code.offset(stubs.compile - base);
        let mut compiler = Compiler { arena, translator, lowerer, entry, wanting };
        if config.chaos.is_some() {
            compiler.make_routines().map_err(|refusal| io::Error::other(format!("{refusal:?}")))?;
        }
        Ok(compiler)
    }

    /// Makes what outlined code calls, once.
    #[cold]
    fn make_routines(&mut self) -> Result<(), Refusal> {
        let base = self.arena.next_address();
        let Ok(bytes) = self.lowerer.stream(self.translator.routines(), base) else {
            debug_assert!(false, "the translator emits what the target can lower");
            return Err(Refusal::Unsupported);
        };
        self.arena.publish(bytes).map_err(|_| Refusal::Full)?;
        let lowerer = &self.lowerer;
        self.translator.use_routines(Routines::resolve(|label| Some(base + u64::from(lowerer.label_offset(label)?))));
        Ok(())
    }

    pub(super) fn entry(&self) -> Entry {
        self.entry
    }

    /// Bytes of code memory in use.
    pub(super) fn used(&self) -> usize {
        self.arena.used().0
    }

    pub(super) fn code_base(&self) -> u64 {
        self.arena.code_base() as u64
    }

    /// Compiles what is wanted, and likely successors, unless it is compiled already. Gives its address. What cannot be compiled is noted in the
    /// contract.
    pub(super) fn compile(&mut self, contract: &Contract, wanted: Wanted, counters: &Counters) -> Result<u64, Refusal> {
        let result = self.unit(contract, wanted, counters);
        if result == Err(Refusal::Unsupported) {
            contract.refuse(match wanted {
                Wanted::Block(pc, _) => pc.0.into(),
                Wanted::Version(id) => contract.versions().get(id).pc.0.into(),
            });
        }
        result
    }

    /// Forgets the outlined code of a contract, which is then compiled to better where it is reached. Who is executing it goes on there.
    #[cold]
    pub(super) fn promote(&mut self, contract: &Contract, counters: &Counters) {
        let mut versions = contract.versions();
        if !contract.promote() {
            return;
        }
        let base = self.arena.code_base() as u64;
        for version in versions.outlined() {
            contract.forget_offset(version.pc, (version.address - base) as u32);
            (version.address, version.outlined, version.forgotten) = (0, false, version.address);
            if version.slot != 0 {
                self.arena.set_slot_at(version.slot, self.wanting);
            }
        }
        Counters::add(&counters.promoted, 1);
    }

    fn unit(&mut self, contract: &Contract, wanted: Wanted, counters: &Counters) -> Result<u64, Refusal> {
        let start = Instant::now();
        let mut versions = contract.versions();
        let len = contract.code.bytes().len();
        let origin = match wanted {
            Wanted::Block(_, origin) => origin,
            Wanted::Version(id) => versions.get(id).origin,
        };
        versions.select(origin);
        let id = match wanted {
            Wanted::Block(pc, _) if pc.index() <= len => versions.generic(pc),
            Wanted::Block(..) => return Err(Refusal::Unsupported),
            Wanted::Version(id) => id,
        };
        if versions.get(id).address != 0 {
            return Ok(versions.get(id).address);
        }
        let side = origin as usize;
        let frugal = contract.native_bytes[side].load(Relaxed) > NATIVE_PER_BYTE[side] * len as u64 + NATIVE_AT_LEAST[side];
        let mut outlined = is_dense(contract, side, versions.is_looping(id, &contract.code));
        if outlined && !self.translator.has_routines() {
            self.make_routines()?;
        }
        let (unit, bytes, translated) = loop {
            let mut job = Job {
                code: &contract.code,
                schedule: contract.schedule,
                versions: &mut versions,
                slots: &mut ArenaSlots(&mut self.arena),
                frugal,
                outlined,
            };
            let unit = self.translator.translate(&mut job, id).inspect_err(|refusal| {
                Counters::add(&counters.refused_full, u64::from(*refusal == Refusal::Full));
            })?;
            let translated = Instant::now();
            let Ok(bytes) = self.lowerer.stream(unit.ins, self.arena.next_address()) else {
                debug_assert!(false, "the translator emits what the target can lower");
                return Err(Refusal::Unsupported);
            };
            if outlined || unit.outlined || !contract.is_promoted() || bytes.len() <= MOST_PER_BYTE * unit.bytes + MOST_BESIDES {
                break (unit, bytes, translated);
            }
            outlined = true;
            let forgotten = versions.get(id).forgotten;
            if forgotten != 0 {
                // There is no better.
                let code = self.wanting.offset(forgotten - self.wanting.address());
                link(&self.arena, contract, versions.get_mut(id), code, true);
                return Ok(forgotten);
            }
        };
        let native = bytes.len() as u64;
        let lowered = Instant::now();
        let Ok(code) = self.arena.publish(bytes) else {
            Counters::add(&counters.refused_full, 1);
            return Err(Refusal::Full);
        };
        let mut widenings = 0;
        for &(id, label) in unit.entries {
            let offset = self.lowerer.label_offset(label).expect("the unit binds its labels");
            let version = versions.get_mut(id);
            widenings += u64::from(version.widens.is_some());
            link(&self.arena, contract, version, code.offset(offset.into()), unit.outlined);
        }
        contract.add_unit(unit.bytes, unit.outlined);
        let published = Instant::now();
        contract.native_bytes[side].fetch_add(native, Relaxed);
        contract.compiled_bytes[side].fetch_add(unit.bytes as u64, Relaxed);
        Counters::add(&counters.outlined_bytes, if unit.outlined { unit.bytes as u64 } else { 0 });
        Counters::add(&counters.units, 1);
        Counters::add(&counters.blocks, unit.blocks.len() as u64);
        Counters::add(&counters.versions, unit.entries.len() as u64);
        Counters::add(&counters.widenings, widenings);
        Counters::add(&counters.compiled_bytes, unit.bytes as u64);
        Counters::add(&counters.native_bytes, native);
        Counters::add(&counters.translate_ns, (translated - start).as_nanos() as u64);
        Counters::add(&counters.lower_ns, (lowered - translated).as_nanos() as u64);
        Counters::add(&counters.publish_ns, (published - lowered).as_nanos() as u64);
        Ok(versions.get(id).address)
    }
}

/// A version's code is at `target` from now on.
fn link(arena: &Arena, contract: &Contract, version: &mut Version, target: CodePtr, outlined: bool) {
    (version.address, version.outlined) = (target.address(), outlined);
    if version.context.is_generic() && (version.origin == Origin::Start || contract.offset(version.pc.0.into()).is_none()) {
        contract.set_offset(version.pc, (target.address() - arena.code_base() as u64) as u32);
    }
    if version.slot != 0 {
        arena.set_slot_at(version.slot, target);
    }
}

/// Whether so much machine code was made of a contract that more of it is outlined.
fn is_dense(contract: &Contract, side: usize, looping: bool) -> bool {
    let [native, compiled] = [&contract.native_bytes, &contract.compiled_bytes].map(|bytes| bytes[side].load(Relaxed));
    let row = if contract.is_promoted() { 2 } else { usize::from(looping) };
    native > OUTLINED_PER_BYTE[row] * compiled + OUTLINED_AT_LEAST[row]
}

/// The registers for words of this machine, in the order in which compiled code leaves them.
pub(super) fn words_of_target() -> &'static [R] {
    host_target().map_or(&[], |target| target.words)
}

/// The description of the machine that this runs on.
fn host_target() -> Option<&'static Target> {
    match () {
        () if cfg!(target_arch = "x86_64") => Some(&X86_64),
        () if cfg!(target_arch = "aarch64") => Some(&AARCH64),
        () => None,
    }
}
