//! What a contract is compiled to, for either target on any host: translated and lowered as the engine does it, at addresses that are the same in
//! every run. Nothing is published, so nothing can be run.

use crate::evm::block::Pc;
use crate::evm::code::Code;
use crate::evm::{SpecId, fork::Schedule, fork::schedule};
use crate::ir::{Ins, Label};
use crate::lower::{LowerError, aarch64, x86_64};
use crate::translate::context::{VersionId, Versions};
use crate::translate::{AARCH64, Job, Options, Refusal, Slots, Stubs, Translator, X86_64, stubs};
use clap::ValueEnum;
use std::collections::BTreeSet;
use std::ops::Range;

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// SSE2
    #[value(name = "x86-64")]
    X86_64,
    /// Armv8.0-A
    Aarch64,
}

impl Machine {
    /// That of the host.
    fn host() -> Machine {
        if cfg!(target_arch = "aarch64") { Machine::Aarch64 } else { Machine::X86_64 }
    }
}

/// The lowerer of any target.
#[derive(Debug)]
pub enum AnyLowerer {
    X86_64(x86_64::Lowerer),
    Aarch64(aarch64::Lowerer),
}

impl AnyLowerer {
    /// For a target's baseline, or for the machine at hand with all that it has.
    pub fn new(target: Option<Machine>) -> AnyLowerer {
        match target.unwrap_or(Machine::host()) {
            Machine::X86_64 => {
                let features = if target.is_some() { x86_64::Features::none() } else { x86_64::Features::detect() };
                AnyLowerer::X86_64(x86_64::Lowerer::new(features))
            }
            Machine::Aarch64 => {
                let features = if target.is_some() { aarch64::Features::none() } else { aarch64::Features::detect() };
                AnyLowerer::Aarch64(aarch64::Lowerer::new(features))
            }
        }
    }

    /// As the lowerers have it.
    pub fn stream(&mut self, ins: &[Ins], base: u64) -> Result<&[u8], LowerError> {
        match self {
            AnyLowerer::X86_64(lowerer) => lowerer.stream(ins, base),
            AnyLowerer::Aarch64(lowerer) => lowerer.stream(ins, base),
        }
    }

    /// As the lowerers have it.
    pub fn instruction_bytes(&self) -> usize {
        match self {
            AnyLowerer::X86_64(lowerer) => lowerer.instruction_bytes(),
            AnyLowerer::Aarch64(lowerer) => lowerer.instruction_bytes(),
        }
    }

    /// Lowers `ins` one by one, and gives where the machine code of each begins.
    pub fn positions(&mut self, ins: &[Ins], base: u64) -> Result<Vec<usize>, LowerError> {
        macro_rules! positions {
            ($lowerer:ident) => {{
                $lowerer.begin(base);
                let mut positions = Vec::with_capacity(ins.len());
                for one in ins {
                    positions.push($lowerer.bytes().len());
                    $lowerer.push(one)?;
                }
                $lowerer.finish()?;
                Ok(positions)
            }};
        }
        match self {
            AnyLowerer::X86_64(lowerer) => positions!(lowerer),
            AnyLowerer::Aarch64(lowerer) => positions!(lowerer),
        }
    }

    /// The bytes of what was lowered last.
    pub fn bytes(&self) -> &[u8] {
        match self {
            AnyLowerer::X86_64(lowerer) => lowerer.bytes(),
            AnyLowerer::Aarch64(lowerer) => lowerer.bytes(),
        }
    }

    /// As the lowerers have it.
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        match self {
            AnyLowerer::X86_64(lowerer) => lowerer.label_offset(label),
            AnyLowerer::Aarch64(lowerer) => lowerer.label_offset(label),
        }
    }
}

/// A compiled unit.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Address of the first byte.
    pub address: u64,
    /// The machine code.
    pub bytes: Vec<u8>,
    /// How many bytes of it are instructions and constants among them; constants of the lowering follow.
    pub instructions: usize,
    /// The constants among them.
    pub constants: Range<usize>,
    /// The IR.
    pub ins: Vec<Ins>,
    /// IR position and pc of each EVM instruction.
    pub notes: Vec<(usize, Pc)>,
    /// Entry pcs of its blocks, with their offsets.
    pub blocks: Vec<(Pc, usize)>,
    /// Bytes of bytecode in its blocks.
    pub code_bytes: usize,
    /// Versions of blocks in it.
    pub versions: usize,
    /// Those among them that take over where a guess fails.
    pub widenings: usize,
    /// The block it was compiled for.
    pub pc: Pc,
    /// What it relies on, in words.
    pub context: String,
}

/// Where the stubs begin, and below them, downwards, the link slots, as in the arena; and the first unit.
const STUBS: u64 = 0x100_0000;
const UNITS: u64 = 0x101_0000;
const SLOT_BYTES: u64 = 8;
/// Units begin at multiples of this, as in the arena.
const ALIGN: u64 = 16;

/// Slots that do not exist: the address of the last one.
struct Numbered(u64);

impl Slots for Numbered {
    fn new_slot(&mut self, _: u64) -> Result<u64, Refusal> {
        self.0 = self.0.checked_sub(SLOT_BYTES).ok_or(Refusal::Full)?;
        Ok(self.0)
    }
}

/// Compiles the blocks of one contract.
pub struct Compiler<'a> {
    code: &'a Code,
    schedule: &'static Schedule,
    versions: Versions,
    translator: Translator,
    lowerer: AnyLowerer,
    slots: Numbered,
    /// Where the next unit begins.
    next: u64,
}

impl<'a> Compiler<'a> {
    /// A compiler of `code` under the rules of `fork`; the target is as for [`AnyLowerer::new`].
    pub fn new(target: Option<Machine>, code: &'a Code, fork: SpecId) -> Result<Compiler<'a>, LowerError> {
        let mut lowerer = AnyLowerer::new(target);
        let target = match lowerer {
            AnyLowerer::X86_64(_) => &X86_64,
            AnyLowerer::Aarch64(_) => &AARCH64,
        };
        lowerer.stream(&stubs(target), STUBS)?;
        let stubs = Stubs::resolve(|label| STUBS + u64::from(lowerer.label_offset(label).expect("every stub has its label")));
        let mut translator = Translator::new(target, stubs, Options::default());
        translator.annotate();
        let (schedule, versions, slots) = (schedule(fork), Versions::new(code), Numbered(STUBS));
        Ok(Compiler { code, schedule, versions, translator, lowerer, slots, next: UNITS })
    }

    /// Compiles the blocks at these places, unless units before hold them, and after each what its code refers to. What is refused is
    /// interpreted, and left out.
    pub fn compile(&mut self, blocks: impl IntoIterator<Item = Pc>) -> Result<Vec<Listing>, LowerError> {
        let mut listings = Vec::new();
        let (mut compiled, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for pc in blocks {
            let mut wanted = (!compiled.contains(&pc)).then(|| self.versions.generic(pc));
            let mut last = None;
            while let Some(id) = wanted {
                match self.unit(id)? {
                    Some(listing) => {
                        compiled.extend(listing.blocks.iter().map(|&(pc, _)| pc));
                        listings.push(listing);
                    }
                    None => {
                        refused.insert(self.versions.get(id).pc);
                    }
                }
                last = self.versions.next_wanted(last, |pc| !refused.contains(&pc));
                wanted = last;
            }
        }
        Ok(listings)
    }

    fn unit(&mut self, id: VersionId) -> Result<Option<Listing>, LowerError> {
        let Compiler { code, schedule, versions, slots, .. } = self;
        let mut job = Job { code, schedule, versions, slots, frugal: false, outlined: false };
        let Ok(unit) = self.translator.translate(&mut job, id) else {
            return Ok(None);
        };
        let address = self.next;
        let bytes = self.lowerer.stream(unit.ins, address)?.to_vec();
        self.next = (address + bytes.len() as u64).next_multiple_of(ALIGN);
        let offset = |label| self.lowerer.label_offset(label).expect("the unit binds its labels");
        let (versions, mut widenings) = (unit.entries.len(), 0);
        for &(id, label) in unit.entries {
            let version = self.versions.get_mut(id);
            version.address = address + u64::from(offset(label));
            widenings += usize::from(version.widens.is_some());
        }
        let blocks = unit.blocks.iter().map(|&(pc, label)| (pc, offset(label) as usize)).collect();
        let instructions = self.lowerer.instruction_bytes();
        let constants = unit.constants.map_or(0..0, |(label, bytes)| offset(label) as usize..offset(label) as usize + bytes);
        let version = self.versions.get(id);
        let (pc, context) = (version.pc, self.versions.describe(&version.context));
        let (ins, notes, code_bytes) = (unit.ins.to_vec(), unit.notes.to_vec(), unit.bytes);
        Ok(Some(Listing {
            address,
            bytes,
            instructions,
            constants,
            ins,
            notes,
            blocks,
            code_bytes,
            versions,
            widenings,
            pc,
            context,
        }))
    }
}
