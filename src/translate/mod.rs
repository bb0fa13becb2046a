//! EVM bytecode to IR: the driver. One call translates a *unit*: the version of a block asked for and the blocks that are likely to follow it.
//!
//! It knows what opcodes mean and how the frame is laid out; it knows no machine encoding, and executes nothing. What is known at the end of
//! a block (words in registers, constants, bounds, elements and memory that surely exist) goes on to the next: in line, or as the
//! [`context`] of a version. Gas is charged once per section at its start, and sections that only an unconditional jump parts are charged
//! together; an instruction inside a section that needs the exact amount adds back what is not due yet (`spare`, a compile-time constant).
//! Memory growth may leave gas negative, which means that the frame runs out of gas before the section ends: nothing observable happens in
//! between, and every way out of compiled code looks at the sign. A section whose gas or stack check fails leaves through a *site*, from
//! which the engine restores the stack for the interpreter.

mod chaos;
mod checked;
mod compare;
mod constants;
pub mod context;
mod control;
mod divide;
mod edge;
mod effects;
mod facts;
mod fold;
mod homes;
mod memory;
mod modular;
mod multiply;
mod narrow;
mod operands;
mod outlined;
mod overflow;
mod registers;
mod routines;
mod signed;
mod sparse;
mod stubs;
mod target;
mod values;
mod words;

pub use routines::Routines;
pub use stubs::{Stubs, stubs};
pub use target::{AARCH64, Target, X86_64};

use crate::abi::{Exit, Frame};
use crate::evm::U256;
use crate::evm::block::{Block, End, MAX_INSTRUCTIONS, Pc, Section};
use crate::evm::code::Code;
use crate::evm::fork::Schedule;
use crate::evm::opcode::{self as op, Class, info};
use crate::ir::{AluOp, Cond, Ins, Label, Quad, R, Src};
use chaos::Dice;
use checked::Product;
use constants::{Address, Constant};
use context::{Context, Site, Version, VersionId, Versions, Wide};
use control::{Next, To};
use core::{mem::offset_of, num::NonZeroU64};
use facts::Fact;
use overflow::Sum;
use values::{State, ValueId};

/// Blocks that one unit follows at most.
const UNIT_BLOCKS: usize = 24;
/// Bytes of bytecode after which a unit follows no further block.
const UNIT_BYTES: usize = 1024;
/// Words of memory that did not fit 64 bits in one contract, after which others that follow one are not taken to fit either.
const WIDE_LOADS: u32 = 3;
/// Stack elements with names beyond which a unit follows no further block.
const UNIT_DEPTH: usize = 256;
/// Elements that a check for room asks for beyond those needed, so that blocks that follow need none. Where there is no such room the
/// interpreter goes on.
const EXTRA_ROOM: u32 = 24;
/// Gas that sections charged together may come to: an immediate operand.
const MAX_CHARGE: u32 = i32::MAX as u32;

/// Where link slots come from.
pub trait Slots {
    /// The address of a new slot that holds `initial`.
    fn new_slot(&mut self, initial: u64) -> Result<u64, Refusal>;
}

/// What is to be translated.
pub struct Job<'a> {
    /// The bytecode.
    pub code: &'a Code,
    /// Gas under its fork.
    pub schedule: &'a Schedule,
    /// Versions and sites of the contract.
    pub versions: &'a mut Versions,
    /// Source of link slots.
    pub slots: &'a mut dyn Slots,
    /// No further versions but generic ones: the contract has had its share of code memory.
    pub frugal: bool,
    /// Code that calls a routine for each instruction, if the translator was told where they are: the contract has had more than its share.
    pub outlined: bool,
}

impl Job<'_> {
    fn is_loop(&mut self, pc: Pc) -> bool {
        self.versions.is_loop(self.code, pc)
    }
}

/// Why code was not compiled. The caller interprets instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The block begins with an instruction that is not translated.
    Unsupported,
    /// Code memory or link slots are spent.
    Full,
}

/// Options that change the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Count executed instructions in `frame.compiled`.
    pub count: bool,
    /// Make choices that results must not depend on at random, from this seed. For tests.
    pub chaos: Option<NonZeroU64>,
}

/// Code that belongs out of line; emitted after the unit's blocks.
#[derive(Clone, Copy, Debug)]
enum Cold {
    /// `dst = 0`, and back.
    Zero { at: Label, dst: R, back: Label },
    /// `dst = 0` (a word), and back.
    ZeroWord { at: Label, dst: Quad, back: Label },
    /// `word` modulo a word in memory, and back; `high`: with what the first scratch register has above it.
    Reduce { at: Label, word: Quad, high: bool, modulus: Address, back: Label },
    /// Memory growth to hold `len` bytes at an offset.
    Grow { at: Label, offset: Offset, len: u8, spare: u32, back: Label },
    /// Call data at a constant offset, or at the one in the first scratch register, not all of it inside.
    InputWord { at: Label, offset: Option<u32>, dst: Quad, back: Label },
    /// A dynamic jump to the address in the second scratch register found no code.
    DynamicJump { at: Label },
    /// Ends the frame with `exit`, or out of gas if gas is negative.
    Halt { at: Label, exit: Exit },
    /// A guess that a result is narrow was wrong: restores the operand that it was put over, gives gas back that will be charged again, and on to
    /// a version.
    Widen { at: Label, undo: Option<Ins>, spare: u32, to: To },
    /// Moves of an edge, a range of [`Translator::edges`], and on to a version.
    Edge { at: Label, moves: (u32, u32), to: To },
}

/// An offset into memory.
#[derive(Clone, Copy, Debug)]
enum Offset {
    Constant(u32),
    In(R),
}

/// The section that is being translated.
#[derive(Clone, Debug, Default)]
struct Open {
    /// Index of the instruction that charges it, if one does.
    charge: Option<usize>,
    /// Gas charged.
    gas: u32,
    /// Index of the instruction that counts its instructions, if they are counted.
    count: usize,
    /// What out of line belongs to it begins here.
    cold: usize,
    /// Its sites begin here.
    sites: usize,
    /// Instructions that have `spare` as an immediate.
    spares: Vec<usize>,
}

/// The translator: scratch memory that is reused from unit to unit.
#[derive(Debug)]
pub struct Translator {
    s: State,
    stubs: Stubs,
    routines: Option<Routines>,
    options: Options,
    block: Block,
    cold: Vec<Cold>,
    /// Constants that the unit refers to by address.
    constants: Vec<(Label, Constant)>,
    edges: Vec<Ins>,
    labels: u32,
    /// Blocks of the unit with their labels.
    blocks: Vec<(Pc, Label)>,
    /// Versions that can be entered in this unit.
    entries: Vec<(VersionId, Label)>,
    /// IR position and pc of each instruction translated, if asked for.
    notes: Option<Vec<(usize, Pc)>>,
    bytes: usize,
    /// Blocks that the unit may have.
    most_blocks: usize,
    /// One past the block that is being translated.
    block_end: usize,
    /// Static gas of the current section that is charged but not due yet.
    spare: u32,
    open: Open,
    /// What is known where a version begins, until something of it is translated.
    entry: Option<Context>,
    /// The next result is known not to fit 64 bits.
    widened: bool,
    /// It is a word of memory, as others were before: those that follow will not fit either.
    loads_wide: bool,
    /// The value that did not.
    wide: Option<ValueId>,
    /// The operands of the last division, and its quotient.
    division: Option<[ValueId; 3]>,
    /// What the last condition tells.
    fact: Option<Fact>,
    /// The word that was last found not to be zero.
    nonzero: Option<ValueId>,
    /// The last product.
    product: Option<Product>,
    /// The last product of two limbs with signs: two limbs and their sign.
    two_limbs: Option<ValueId>,
    /// The last sum or difference.
    sum: Option<Sum>,
    /// Instructions that the last one has done too.
    fused: usize,
    /// Bytes that memory surely has at this point.
    memory_known: u32,
    /// The code is part of a loop, or reached from one.
    looping: bool,
    /// Header of that loop, if it began late: in the generic version of its header.
    late: Option<Pc>,
    /// The lowest position that surely exists.
    floor: i32,
    /// Positions below this are surely within the stack's limit.
    ceil: i32,
}

/// What one call of [`Translator::translate`] produced.
#[derive(Debug)]
pub struct Unit<'a> {
    /// The code.
    pub ins: &'a [Ins],
    /// Blocks and where they begin.
    pub blocks: &'a [(Pc, Label)],
    /// Versions and the labels of their entries.
    pub entries: &'a [(VersionId, Label)],
    /// Bytes of bytecode translated.
    pub bytes: usize,
    /// It calls routines.
    pub outlined: bool,
    /// Where constants begin, and how many bytes of them there are, if any.
    pub constants: Option<(Label, usize)>,
    /// For listings: IR position and pc of each EVM instruction.
    pub notes: &'a [(usize, Pc)],
}

impl Translator {
    /// A translator for `target` whose code uses the given stubs.
    pub fn new(target: &'static Target, stubs: Stubs, options: Options) -> Translator {
        Translator {
            s: State::new(target),
            stubs,
            routines: None,
            options,
            block: Block::empty(),
            cold: Vec::new(),
            constants: Vec::new(),
            edges: Vec::new(),
            labels: 0,
            blocks: Vec::new(),
            entries: Vec::new(),
            notes: None,
            bytes: 0,
            most_blocks: 0,
            block_end: 0,
            spare: 0,
            open: Open::default(),
            entry: None,
            widened: false,
            loads_wide: false,
            wide: None,
            division: None,
            fact: None,
            nonzero: None,
            two_limbs: None,
            sum: None,
            product: None,
            fused: 0,
            memory_known: 0,
            looping: false,
            late: None,
            floor: 0,
            ceil: 0,
        }
    }

    /// Keeps the positions of EVM instructions from now on, for listings.
    pub fn annotate(&mut self) {
        self.notes = Some(Vec::new());
    }

    /// Translates a version and likely successors.
    pub fn translate(&mut self, job: &mut Job<'_>, id: VersionId) -> Result<Unit<'_>, Refusal> {
        let Version { pc, widens, .. } = *job.versions.get(id);
        if let Some(wide) = widens {
            job.versions.widen(pc, wide, job.code);
        }
        self.s.dice = Dice::new(self.options.chaos, id, job.code);
        let outlined = self.routines.is_some() && (job.outlined || self.s.dice.one_in(16));
        if outlined {
            self.outline(job, id)?;
        } else {
            let mut limit = self.usual_limit();
            while !self.attempt(job, id, limit)? {
                // Registers and spill slots did not suffice for so many values.
                limit /= 2;
            }
        }
        self.emit_cold();
        let constants = self.emit_constants();
        Ok(Unit {
            ins: &self.s.out,
            blocks: &self.blocks,
            entries: &self.entries,
            bytes: self.bytes,
            outlined,
            constants,
            notes: self.notes.as_deref().unwrap_or(&[]),
        })
    }

    /// Translates with blocks of at most `limit` instructions; false if that was too many. With less than the usual limit, one block only.
    fn attempt(&mut self, job: &mut Job<'_>, id: VersionId, limit: usize) -> Result<bool, Refusal> {
        self.clear();
        self.most_blocks = if limit < MAX_INSTRUCTIONS { 1 } else { UNIT_BLOCKS };
        let Version { pc, context, widens, looping, late, .. } = *job.versions.get(id);
        let is_loop = job.is_loop(pc);
        (self.looping, self.late) = (looping || is_loop, late);
        self.s.has_signs = job.versions.has_signs;
        self.close();
        self.begin(id, &context, job.versions);
        self.widened = matches!(widens, Some(Wide::Result | Wide::SignedResult));
        let is_load = self.widened && job.code.padded()[pc.index()] == op::MLOAD;
        self.loads_wide = is_load && job.versions.wide_loads() > WIDE_LOADS;
        let mut next = if is_loop { self.enter_loop(job, id, pc)? } else { Some(Next { pc, merge: false }) };
        while let Some(to) = next {
            next = self.translate_block(job, to, limit)?;
            if self.s.overflow.take().is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins a unit: nothing is emitted yet.
    fn clear(&mut self) {
        self.s.out.clear();
        self.cold.clear();
        self.constants.clear();
        self.edges.clear();
        self.blocks.clear();
        self.entries.clear();
        self.labels = 0;
        self.bytes = 0;
        if let Some(notes) = &mut self.notes {
            notes.clear();
        }
    }

    /// Begins a version: what is known is what its `context` says.
    fn begin(&mut self, id: VersionId, context: &Context, versions: &Versions) {
        self.s.begin(context, versions);
        (self.floor, self.ceil, self.memory_known) = (-context.known, context.room, context.memory);
        self.entry = Some(*context);
        self.forget();
        let label = self.label();
        self.entries.push((id, label));
        self.s.emit(Ins::Label(label));
    }

    /// Translates one block; returns the block to go on with in line.
    fn translate_block(&mut self, job: &mut Job<'_>, this: Next, limit: usize) -> Result<Option<Next>, Refusal> {
        let mut block = std::mem::replace(&mut self.block, Block::empty());
        block.rescan(job.code.padded(), job.code.bytes().len(), this.pc, job.schedule, limit);
        if block.sections.is_empty() && block.finish == End::Unknown && self.blocks.is_empty() {
            self.block = block;
            return Err(Refusal::Unsupported);
        }
        let label = self.label();
        self.s.emit(Ins::Label(label));
        self.blocks.push((this.pc, label));
        self.bytes += block.end.index() - this.pc.index();
        self.block_end = block.end.index();
        self.begin_block(job, &block, this.merge);
        self.translate_sections(job, &block);
        let next = if self.s.overflow.is_some() { Ok(None) } else { self.finish(job, &block) };
        self.block = block;
        next
    }

    /// Checks the stack and charges the first section, together with the open one if they may `merge`.
    fn begin_block(&mut self, job: &mut Job<'_>, block: &Block, merge: bool) {
        let first = block.sections.first().map_or(0, |section| section.gas);
        let merged = merge && !block.sections.is_empty() && self.merge(job, first, block.sections[0].instructions);
        if !merged {
            self.close();
        }
        let entry = self.entry.take();
        self.check_stack(job, block, entry);
        self.s.extend(block.need, block.grow);
        match (block.sections.first(), entry) {
            (Some(section), Some(context)) if section.gas > 0 => self.charge_or_leave(job, section, context),
            (Some(section), _) if !merged => self.charge(job, section),
            (Some(_) | None, _) => {}
        }
    }

    /// No section is open.
    fn close(&mut self) {
        self.spare = 0;
        self.open.charge = None;
    }

    /// Adds gas to what the open section charges.
    fn merge(&mut self, job: &mut Job<'_>, gas: u32, instructions: u32) -> bool {
        let Some(at) = self.open.charge else { return false };
        let Some(all) = self.open.gas.checked_add(gas).filter(|all| *all <= MAX_CHARGE) else { return false };
        match &mut self.s.out[at] {
            Ins::Alu { b: Src::I(charged), .. } => *charged = all as i32,
            Ins::Lea { mem, .. } => mem.disp = -(all as i32),
            other => unreachable!("{other} charges nothing"),
        }
        self.open.gas = all;
        if self.options.count {
            let counts = &mut self.s.out[self.open.count];
            let Ins::AluMem { src: Src::I(count), .. } = counts else { unreachable!("{counts} counts nothing") };
            *count += instructions as i32;
        }
        for cold in &mut self.cold[self.open.cold..] {
            if let Cold::Grow { spare, .. } | Cold::Widen { spare, .. } = cold {
                *spare += gas;
            }
        }
        for site in job.versions.sites_from(self.open.sites) {
            site.gas += gas;
        }
        for &at in &self.open.spares {
            match &mut self.s.out[at] {
                Ins::Lea { mem, .. } => mem.disp += gas as i32,
                Ins::Exit { value, .. } => *value += gas,
                other => unreachable!("{other} has no spare gas"),
            }
        }
        self.spare += gas;
        true
    }

    /// Translates a block's instructions, section by section. Apart from its caller, so that its loop has all registers.
    #[inline(never)]
    fn translate_sections(&mut self, job: &mut Job<'_>, block: &Block) {
        let padded = job.code.padded();
        let is_watched = self.notes.is_some() || self.s.dice.rolls();
        for (n, section) in block.sections.iter().enumerate() {
            if n > 0 {
                self.charge(job, section);
            }
            let mut pc = section.start.index();
            let mut class = Class::Terminal;
            for _ in 0..section.instructions {
                let at = pc;
                let opcode = padded[at];
                let row = &job.schedule.rows[opcode as usize];
                self.spare -= u32::from(row.gas);
                if is_watched {
                    self.watch(at);
                }
                class = row.class;
                pc += usize::from(row.size);
                if self.fused > 0 {
                    self.fused -= 1;
                    continue;
                }
                match class {
                    Class::Push => self.push_immediate(&padded[at + 1..], usize::from(row.size) - 1),
                    Class::Pop => {
                        let v = self.s.pop();
                        self.s.release(v);
                    }
                    Class::Dup => self.s.dup((opcode - op::DUP1 + 1) as usize),
                    Class::Swap => self.s.swap((opcode - op::SWAP1 + 1) as usize),
                    Class::JumpDest | Class::Jump | Class::Terminal | Class::Call => {}
                    Class::Pure => self.pure(job, opcode, at),
                    Class::Env => self.environment(opcode, at, job.code.bytes().len()),
                    Class::Memory => self.memory(job, opcode, at),
                    Class::Effect => self.effect(opcode),
                    Class::StackN | Class::Undefined => unreachable!("not in a block"),
                }
            }
            if class == Class::Effect {
                self.close();
            }
        }
    }

    /// Notes where the instruction at `pc` begins, and shakes the state, as far as either is asked for.
    #[cold]
    fn watch(&mut self, pc: usize) {
        if let Some(notes) = &mut self.notes {
            notes.push((self.s.out.len(), Pc(pc as u32)));
        }
        if self.s.dice.rolls() {
            self.disturb();
        }
    }

    /// Where the result of the operation at `pc` is assigned to a variable (`SWAPn POP` follows), the variable's old value is dead before: the
    /// operation need not save it.
    fn retire_assigned(&mut self, padded: &[u8], pc: usize, inputs: usize) {
        let swap = padded[pc + 1];
        if !(op::SWAP1..=op::SWAP16).contains(&swap) || padded[pc + 2] != op::POP {
            return;
        }
        let distance = usize::from(swap - op::SWAP1) + 1 + inputs;
        if pc + 2 < self.block_end && distance <= self.s.len() {
            let variable = self.s.len() - distance;
            let mut operands = self.s.len() - inputs..self.s.len();
            if operands.any(|i| self.s.at(i) == self.s.at(variable)) {
                self.s.retire(variable);
            }
        }
    }

    /// Pushes the first `len` bytes as a number. At least 8 bytes are there.
    #[inline]
    fn push_immediate(&mut self, bytes: &[u8], len: usize) {
        match bytes.first_chunk::<8>() {
            Some(_) if len == 0 => self.s.push_limb(0),
            Some(first) if len <= 8 => self.s.push_limb(u64::from_be_bytes(*first) >> (64 - 8 * len)),
            Some(_) | None => self.s.push_const(long_immediate(&bytes[..len])),
        }
    }

    /// Translates an instruction that gives a function of its operands.
    fn pure(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) {
        let (code, inputs) = (job.code, info(opcode).inputs);
        self.retire_assigned(code.padded(), pc, inputs.into());
        if inputs == 2 && self.folds(opcode) || self.signed(job, opcode, pc) {
            return self.note_wide();
        }
        self.spread(inputs.into());
        match opcode {
            op::NOT if self.complement_test(code, pc, opcode) => {}
            _ if inputs != 2 => self.operation(opcode),
            op::AND if self.mask_test(code, pc) => {}
            op::SUB | op::XOR if self.difference_test(code, pc) => {}
            op::SUB if self.complement_test(code, pc, opcode) => {}
            op::DIV if self.quotient_test(job, pc) => {}
            op::DIV | op::SDIV if self.divide_product(job, opcode, pc) => {}
            _ if self.narrow(job, opcode, pc) => {}
            _ => self.operation(opcode),
        }
        self.note_wide();
    }

    /// From here on nothing is known of what came before.
    fn forget(&mut self) {
        (self.wide, self.fact, self.nonzero, self.two_limbs) = (None, None, None, None);
        (self.product, self.sum, self.division) = (None, None, None);
    }

    /// Where the instruction is the one that is known to give a wide result, which comes first in its version: that is the top of the stack.
    #[inline]
    fn note_wide(&mut self) {
        if std::mem::take(&mut self.widened) {
            self.wide = Some(self.s.at(self.s.len() - 1));
        }
    }

    /// Checks that the stack has what the block needs and room for what it pushes, where that is not known.
    fn check_stack(&mut self, job: &mut Job<'_>, block: &Block, entry: Option<Context>) {
        let height = self.s.height();
        let low = height - block.need as i32;
        let high = height + block.grow as i32;
        if (block.need == 0 || low >= self.floor) && (block.grow == 0 || high <= self.ceil) {
            return;
        }
        self.s.settle();
        let context = entry.unwrap_or_else(|| self.capture(job));
        let site = job.versions.add_site(Site { pc: block.start, gas: self.spare, context });
        let (t0, sp, frame) = (self.t0(), self.s.target.sp, self.s.target.frame);
        let base = self.s.base;
        if block.need > 0 && low < self.floor {
            self.s.emit(Ins::Lea { dst: t0, mem: values::at(sp, 32 * (low - base)) });
            let limit = values::at(frame, offset_of!(Frame, stack) as i32);
            self.s.emit(Ins::Cmp { a: t0, b: Src::M(limit) });
            self.exit(Cond::Ult, site);
            self.floor = low;
        }
        if block.grow > 0 && high > self.ceil {
            let high = high + EXTRA_ROOM as i32;
            self.s.emit(Ins::Lea { dst: t0, mem: values::at(sp, 32 * (high - base)) });
            let limit = values::at(frame, offset_of!(Frame, stack_limit) as i32);
            self.s.emit(Ins::Cmp { a: t0, b: Src::M(limit) });
            self.exit(Cond::Ugt, site);
            self.ceil = high;
        }
    }

    /// Leaves through a site if `cond`.
    fn exit(&mut self, cond: Cond, site: u32) {
        let dst = self.s.target.scratch[2];
        self.s.emit(Ins::Exit { cond, dst, value: site, to: self.stubs.deopt, through: false });
    }

    /// Charges a section's static gas where a version begins, in which nothing has happened since `context` held; what cannot be paid is left to
    /// the interpreter, from the section's start.
    fn charge_or_leave(&mut self, job: &mut Job<'_>, section: &Section, context: Context) {
        let (reg, gas) = (self.s.target.gas, section.gas);
        self.open(job, gas);
        let site = job.versions.add_site(Site { pc: section.start, gas, context });
        self.open.charge = Some(self.s.out.len());
        self.s.emit(Ins::Alu { op: AluOp::Sub, flags: true, dst: reg, a: reg, b: Src::I(gas as i32) });
        self.exit(Cond::Slt, site);
        self.count(section);
    }

    /// Charges a section's static gas. What cannot be paid makes gas negative, and is found out before anything can be seen of it: where the next
    /// version begins, in the next runtime function, or on the way out.
    fn charge(&mut self, job: &Job<'_>, section: &Section) {
        let (reg, gas) = (self.s.target.gas, section.gas);
        self.open(job, gas);
        if gas > 0 {
            self.open.charge = Some(self.s.out.len());
            self.s.emit(Ins::Lea { dst: reg, mem: values::at(reg, -(gas as i32)) });
        }
        self.count(section);
    }

    fn open(&mut self, job: &Job<'_>, gas: u32) {
        self.spare = gas;
        self.open.gas = gas;
        self.open.charge = None;
        self.open.sites = job.versions.sites();
        self.open.cold = self.cold.len();
        self.open.spares.clear();
    }

    /// Counts a section's instructions, if that is asked for.
    fn count(&mut self, section: &Section) {
        if self.options.count {
            self.s.kill_flags();
            self.open.count = self.s.out.len();
            let mem = values::at(self.s.target.frame, offset_of!(Frame, compiled) as i32);
            self.s.emit(Ins::AluMem { op: AluOp::Add, mem, src: Src::I(section.instructions as i32) });
        }
    }

    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// The first scratch register.
    fn t0(&self) -> R {
        self.s.target.scratch[0]
    }
}

/// The number that more than eight bytes are, the highest first.
fn long_immediate(bytes: &[u8]) -> U256 {
    let mut limbs = [0; 4];
    let (rest, eights) = bytes.as_rchunks::<8>();
    for (limb, eight) in limbs.iter_mut().zip(eights.iter().rev()) {
        *limb = u64::from_be_bytes(*eight);
    }
    if let (Some(limb), Some(first), 1..) = (limbs.get_mut(eights.len()), bytes.first_chunk(), rest.len()) {
        *limb = u64::from_be_bytes(*first) >> (64 - 8 * rest.len());
    }
    U256::from_limbs(limbs)
}
