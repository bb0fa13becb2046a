//! From a pc to published code: translate, lower, publish.

use super::Config;
use super::contract::Contract;
use super::counters::Counters;
use crate::arena::{Arena, CodePtr, SlotPtr};
use crate::evm::block::Pc;
use crate::ir::{Ins, Label};
use crate::lower::{Features, Lowerer};
use crate::runtime::Entry;
use crate::translate::{AARCH64, CodeMap, Options, Refusal, Stubs, Target, Translator, X86_64, stubs};
use std::io;
use std::time::Instant;

/// Nanoseconds that compiling took, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompileTimes {
    /// EVM to IR.
    pub translate: u64,
    /// IR to machine code.
    pub lower: u64,
    /// Into the arena.
    pub publish: u64,
}

/// A compiled unit for people to read.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Address of the first byte.
    pub address: u64,
    /// The machine code.
    pub bytes: Vec<u8>,
    /// The IR.
    pub ins: Vec<Ins>,
    /// IR position and pc of each EVM instruction.
    pub notes: Vec<(usize, Pc)>,
    /// Entry pcs of its blocks, with their addresses.
    pub blocks: Vec<(Pc, u64)>,
}

/// Code memory and the scratch of the compiler's stages. One at a time compiles.
#[derive(Debug)]
pub(super) struct Compiler {
    arena: Arena,
    translator: Translator,
    lowerer: Lowerer,
    bytes: Vec<u8>,
    entry: Entry,
}

struct Map<'a> {
    contract: &'a Contract,
    arena: &'a mut Arena,
    base: u64,
    made: Vec<(Pc, SlotPtr)>,
}

impl CodeMap for Map<'_> {
    fn address(&self, pc: Pc) -> Option<u64> {
        self.contract.offset(u64::from(pc.0)).map(|offset| self.base + u64::from(offset))
    }

    fn slot(&mut self, pc: Pc) -> Result<(u64, bool), Refusal> {
        let mut slots = self.contract.slots.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(slot) = slots.get(&pc) {
            return Ok((slot.address(), false));
        }
        let slot = self.arena.new_slot(0).map_err(|_| Refusal::Full)?;
        slots.insert(pc, slot);
        self.made.push((pc, slot));
        Ok((slot.address(), true))
    }
}

impl Map<'_> {
    /// Forgets slots made for a unit that was not published.
    fn undo(self) {
        let mut slots = self.contract.slots.lock().unwrap_or_else(|e| e.into_inner());
        for (pc, _) in &self.made {
            slots.remove(pc);
        }
    }
}

impl Compiler {
    pub(super) fn new(config: &Config) -> io::Result<Compiler> {
        let target = host_target().ok_or(io::ErrorKind::Unsupported)?;
        let mut arena = Arena::new(config.arena_bytes, config.slots)?;
        let mut lowerer = Lowerer::new(Features::detect());
        let mut bytes = Vec::new();
        let base = arena.next_address();
        lowerer.lower(&stubs(target), base, &mut bytes).map_err(io::Error::other)?;
        arena.publish(&bytes).map_err(io::Error::other)?;
        let stubs = Stubs::resolve(|label| base + u64::from(lowerer.label_offset(label).expect("every stub has its label")));
        // SAFETY: the stub was just published at this address, in the arena that this compiler owns for as long as its engine lives.
        let entry = unsafe { Entry::new(stubs.enter) };
        let translator = Translator::new(target, stubs, Options { count: config.count });
        Ok(Compiler { arena, translator, lowerer, bytes, entry })
    }

    pub(super) fn entry(&self) -> Entry {
        self.entry
    }

    pub(super) fn code_base(&self) -> u64 {
        self.arena.code_base() as u64
    }

    /// Compiles the block at `pc` and likely successors, unless it is compiled already. Gives its offset in the arena.
    pub(super) fn compile(&mut self, contract: &Contract, pc: u64, counters: &Counters) -> Result<u32, Refusal> {
        if let Some(offset) = contract.offset(pc) {
            return Ok(offset);
        }
        let entry = Pc(u32::try_from(pc).map_err(|_| Refusal::Unsupported)?);
        let start = Instant::now();
        let base = self.arena.code_base() as u64;
        let mut map = Map { contract, arena: &mut self.arena, base, made: Vec::new() };
        let unit = match self.translator.translate(&contract.code, contract.schedule, entry, &mut map) {
            Ok(unit) => unit,
            Err(refusal) => {
                map.undo();
                if refusal == Refusal::Full {
                    Counters::add(&counters.refused_full, 1);
                }
                return Err(refusal);
            }
        };
        let translated = Instant::now();
        self.bytes.clear();
        let address = map.arena.next_address();
        if self.lowerer.lower(unit.ins, address, &mut self.bytes).is_err() {
            debug_assert!(false, "the translator emits what the target can lower");
            map.undo();
            return Err(Refusal::Unsupported);
        }
        let lowered = Instant::now();
        let Ok(code) = map.arena.publish(&self.bytes) else {
            map.undo();
            Counters::add(&counters.refused_full, 1);
            return Err(Refusal::Full);
        };
        let label = |l: Label| u64::from(self.lowerer.label_offset(l).expect("the unit binds its labels"));
        link(contract, map.arena, code, base, unit.blocks, unit.slots.iter().copied().zip(map.made.iter().map(|m| m.1)), label);
        let published = Instant::now();
        Counters::add(&counters.units, 1);
        Counters::add(&counters.blocks, unit.blocks.len() as u64);
        Counters::add(&counters.compiled_bytes, unit.bytes as u64);
        Counters::add(&counters.native_bytes, self.bytes.len() as u64);
        Counters::add(&counters.translate_ns, (translated - start).as_nanos() as u64);
        Counters::add(&counters.lower_ns, (lowered - translated).as_nanos() as u64);
        Counters::add(&counters.publish_ns, (published - lowered).as_nanos() as u64);
        contract.offset(pc).ok_or(Refusal::Unsupported)
    }

    /// Compiles as [`Compiler::compile`] does and keeps everything for people to read.
    pub(super) fn listing(&mut self, contract: &Contract, pc: Pc, counters: &Counters) -> Result<Listing, Refusal> {
        self.translator.annotate();
        let address = self.arena.next_address();
        self.compile(contract, u64::from(pc.0), counters)?;
        let unit = self.translator.last();
        let entry = |label| address + u64::from(self.lowerer.label_offset(label).unwrap_or(0));
        let blocks = unit.blocks.iter().map(|&(pc, label)| (pc, entry(label))).collect();
        Ok(Listing { address, bytes: self.bytes.clone(), ins: unit.ins.to_vec(), notes: unit.notes.to_vec(), blocks })
    }
}

/// Makes a published unit reachable: stubs first, then the index, then the slots that wait for its blocks.
fn link(
    contract: &Contract,
    arena: &Arena,
    code: CodePtr,
    base: u64,
    blocks: &[(Pc, Label)],
    new_slots: impl Iterator<Item = (Label, SlotPtr)>,
    label: impl Fn(Label) -> u64,
) {
    let slots = contract.slots.lock().unwrap_or_else(|e| e.into_inner());
    for (stub, slot) in new_slots {
        arena.set_slot(slot, code.offset(label(stub)));
    }
    for &(pc, entry) in blocks {
        let target = code.offset(label(entry));
        contract.set_offset(pc, (target.address() - base) as u32);
        if let Some(&slot) = slots.get(&pc) {
            arena.set_slot(slot, target);
        }
    }
}

/// The description of the machine that this runs on.
fn host_target() -> Option<&'static Target> {
    match () {
        () if cfg!(target_arch = "x86_64") => Some(&X86_64),
        () if cfg!(target_arch = "aarch64") => Some(&AARCH64),
        () => None,
    }
}
