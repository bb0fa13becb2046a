//! EVM bytecode to IR: the driver. One call translates a *unit*: the block asked for and the blocks that are likely to follow it.
//!
//! It knows what opcodes mean and how the frame is laid out; it knows no machine encoding, and executes nothing. Invariants at every block
//! boundary: all words are at home in the EVM stack, the stack pointer register points one past the top, the gas register is exact.
//! Gas is charged once per section at its start; an instruction inside a section that needs the exact amount adds back what is not due yet
//! (`spare`, a compile-time constant). Memory growth may leave gas negative, which means that the frame runs out of gas before the section
//! ends: nothing observable happens in between, and every way out of compiled code looks at the sign.
//!
//! Words at block edges live in slots; a *context* (what is known on entry) is empty for now, so every block has one version.

mod control;
mod effects;
mod memory;
mod stubs;
mod target;
mod values;
mod words;

pub use stubs::{Stubs, stubs};
pub use target::{AARCH64, Target, X86_64};

use crate::abi::{Exit, Frame};
use crate::evm::U256;
use crate::evm::block::{Block, End, MAX_INSTRUCTIONS, Pc};
use crate::evm::code::Code;
use crate::evm::fork::Schedule;
use crate::evm::opcode::{self as op, Class, info};
use crate::ir::{AluOp, Cond, Ins, Label, Quad, R, Src};
use core::mem::offset_of;
use values::State;

/// Blocks that one unit follows at most.
const UNIT_BLOCKS: usize = 24;
/// Bytes of bytecode after which a unit follows no further block.
const UNIT_BYTES: usize = 1024;

/// What the translator must know of code compiled before.
pub trait CodeMap {
    /// Where the block at `pc` is, if it is compiled.
    fn address(&self, pc: Pc) -> Option<u64>;
    /// The address of the link slot of the block at `pc`, and whether it was made just now, so that it needs a stub.
    fn slot(&mut self, pc: Pc) -> Result<(u64, bool), Refusal>;
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
}

/// Code that belongs out of line; emitted after the unit's blocks.
#[derive(Clone, Copy, Debug)]
enum Cold {
    /// `dst = 0`, and back.
    Zero { at: Label, dst: R, back: Label },
    /// `dst = 0` (a word), and back.
    ZeroWord { at: Label, dst: Quad, back: Label },
    /// Memory growth to the end in the first scratch register.
    Grow { at: Label, spare: u32, back: Label },
    /// Memory growth to `end`.
    GrowTo { at: Label, end: u32, spare: u32, back: Label },
    /// An end of 2^64 or more: grows to 2^64 - 1 (and fails).
    Saturate { at: Label, grow: Label },
    /// An offset of 2^64 or more.
    InvalidOperand { at: Label, spare: u32 },
    /// Call data at `offset`, or at the one in the first scratch register, not all of it inside.
    InputWord { at: Label, offset: Option<u32>, dst: Quad, back: Label },
    /// A section's gas check (`at`), or before that its block's stack check (`stack`) failed: the interpreter executes from its start.
    Fail { at: Label, stack: Option<Label>, gas: u32, height: i32, pc: Pc },
    /// A dynamic jump to the address in the second scratch register found no code.
    DynamicJump { at: Label },
    /// Ends the frame with `exit`, or out of gas if gas is negative.
    Halt { at: Label, exit: Exit },
    /// Goes on through a link slot.
    Link { at: Label, slot: u64 },
    /// What a new link slot first points at.
    Stub { at: Label, pc: Pc },
}

/// The translator: scratch memory that is reused from unit to unit.
#[derive(Debug)]
pub struct Translator {
    s: State,
    stubs: Stubs,
    options: Options,
    block: Block,
    scratch_block: Block,
    cold: Vec<Cold>,
    labels: u32,
    /// Blocks of the unit with their labels.
    blocks: Vec<(Pc, Label)>,
    /// Labels of the stubs of link slots made for this unit, in the order in which they were made.
    slots: Vec<Label>,
    /// IR position and pc of each instruction translated, if asked for.
    notes: Option<Vec<(usize, Pc)>>,
    bytes: usize,
    /// Static gas of the current section that is charged but not due yet.
    spare: u32,
    /// Bytes that memory surely has at this point of the block.
    memory_known: u32,
}

/// What one call of [`Translator::translate`] produced.
#[derive(Debug)]
pub struct Unit<'a> {
    /// The code.
    pub ins: &'a [Ins],
    /// Blocks and the labels of their entries.
    pub blocks: &'a [(Pc, Label)],
    /// Labels of the stubs that new link slots must first point at, in the order in which [`CodeMap::slot`] made them.
    pub slots: &'a [Label],
    /// Bytes of bytecode translated.
    pub bytes: usize,
    /// For listings: IR position and pc of each EVM instruction.
    pub notes: &'a [(usize, Pc)],
}

impl Translator {
    /// A translator for `target` whose code uses the given stubs.
    pub fn new(target: &'static Target, stubs: Stubs, options: Options) -> Translator {
        let empty = Block { start: Pc(0), end: Pc(0), need: 0, grow: 0, delta: 0, finish: End::Fall, sections: Vec::new() };
        Translator {
            s: State::new(target),
            stubs,
            options,
            block: empty.clone(),
            scratch_block: empty,
            cold: Vec::new(),
            labels: 0,
            blocks: Vec::new(),
            slots: Vec::new(),
            notes: None,
            bytes: 0,
            spare: 0,
            memory_known: 0,
        }
    }

    /// Keeps the positions of EVM instructions for listings.
    pub fn annotate(&mut self) {
        self.notes = Some(Vec::new());
    }

    /// The last unit.
    pub fn last(&self) -> Unit<'_> {
        Unit {
            ins: &self.s.out,
            blocks: &self.blocks,
            slots: &self.slots,
            bytes: self.bytes,
            notes: self.notes.as_deref().unwrap_or(&[]),
        }
    }

    /// Translates the block at `entry` and likely successors.
    pub fn translate(&mut self, code: &Code, schedule: &Schedule, entry: Pc, map: &mut impl CodeMap) -> Result<Unit<'_>, Refusal> {
        self.s.out.clear();
        self.cold.clear();
        self.blocks.clear();
        self.slots.clear();
        self.labels = 0;
        self.bytes = 0;
        if let Some(notes) = &mut self.notes {
            notes.clear();
        }
        let mut next = Some(entry);
        while let Some(pc) = next {
            next = self.translate_block(code, schedule, pc, map)?;
        }
        self.emit_cold();
        Ok(self.last())
    }

    /// Translates one block; returns the block to go on with in line.
    fn translate_block(
        &mut self,
        code: &Code,
        schedule: &Schedule,
        start: Pc,
        map: &mut impl CodeMap,
    ) -> Result<Option<Pc>, Refusal> {
        let marks = (self.s.out.len(), self.cold.len(), self.notes.as_ref().map_or(0, Vec::len));
        let label = self.label();
        let mut limit = MAX_INSTRUCTIONS;
        let mut block = std::mem::replace(&mut self.block, Block { sections: Vec::new(), ..self.scratch_block });
        loop {
            block.rescan(code.padded(), code.bytes().len(), start, schedule, limit);
            self.s.out.push(Ins::Label(label));
            self.s.begin(block.need, block.grow);
            self.memory_known = 0;
            let stack = self.check_stack(&block);
            self.translate_sections(code, schedule, &block, stack);
            if self.s.overflow.take().is_none() {
                break;
            }
            self.s.out.truncate(marks.0);
            self.cold.truncate(marks.1);
            if let Some(notes) = &mut self.notes {
                notes.truncate(marks.2);
            }
            limit /= 2;
        }
        if block.sections.is_empty() && block.finish == End::Unknown && self.blocks.is_empty() {
            self.block = block;
            return Err(Refusal::Unsupported);
        }
        self.blocks.push((start, label));
        self.bytes += block.end.index() - start.index();
        let next = self.finish(code, schedule, &block, map);
        self.block = block;
        next
    }

    fn translate_sections(&mut self, code: &Code, schedule: &Schedule, block: &Block, mut stack: Option<Label>) {
        let padded = code.padded();
        for section in &block.sections {
            self.charge(section.gas, section.start, section.instructions, stack.take());
            let mut pc = section.start.index();
            for _ in 0..section.instructions {
                let opcode = padded[pc];
                self.spare -= u32::from(schedule.static_gas[opcode as usize]);
                if let Some(notes) = &mut self.notes {
                    notes.push((self.s.out.len(), Pc(pc as u32)));
                }
                self.instruction(code, opcode, pc);
                pc += info(opcode).size();
            }
        }
    }

    /// Translates one instruction. Those that end a block are left to [`Translator::finish`].
    fn instruction(&mut self, code: &Code, opcode: u8, pc: usize) {
        let row = info(opcode);
        match row.class {
            Class::Push => {
                let word = push_immediate(&code.padded()[pc + 1..], row.immediate as usize);
                self.s.push_const(word);
            }
            Class::Pop => {
                let v = self.s.pop();
                self.s.release(v);
            }
            Class::Dup => self.s.dup((opcode - op::DUP1 + 1) as usize),
            Class::Swap => self.s.swap((opcode - op::SWAP1 + 1) as usize),
            Class::Pure => match opcode {
                op::ISZERO => self.is_zero(),
                op::NOT => self.not(),
                op::CLZ => self.clz(),
                op::ADDMOD | op::MULMOD => self.ternary(opcode),
                _ => self.binary(opcode),
            },
            Class::Env => self.environment(opcode, pc, code.bytes().len()),
            Class::Memory => self.memory(opcode),
            Class::Effect => self.effect(opcode),
            Class::JumpDest | Class::Jump | Class::Terminal | Class::Call => {}
            Class::StackN | Class::Undefined => unreachable!("not in a block"),
        }
    }

    /// Checks once that the stack has what the block needs and room for what it pushes; gives the label for when it has not.
    fn check_stack(&mut self, block: &Block) -> Option<Label> {
        let t0 = self.t0();
        let (sp, frame) = (self.s.target.sp, self.s.target.frame);
        if block.need == 0 && block.grow == 0 {
            return None;
        }
        let at = self.label();
        if block.need > 0 {
            self.s.emit(Ins::Lea { dst: t0, mem: values::at(sp, -32 * block.need as i32) });
            let limit = values::at(frame, offset_of!(Frame, stack) as i32);
            self.s.emit(Ins::Cmp { a: t0, b: Src::M(limit) });
            self.s.emit(Ins::Br { cond: Cond::Ult, to: at });
        }
        if block.grow > 0 {
            self.s.emit(Ins::Lea { dst: t0, mem: values::at(sp, 32 * block.grow as i32) });
            let limit = values::at(frame, offset_of!(Frame, stack_limit) as i32);
            self.s.emit(Ins::Cmp { a: t0, b: Src::M(limit) });
            self.s.emit(Ins::Br { cond: Cond::Ugt, to: at });
        }
        Some(at)
    }

    /// Charges a section's static gas; what cannot be paid is left to the interpreter, from the section's start.
    fn charge(&mut self, gas: u32, pc: Pc, instructions: u32, stack: Option<Label>) {
        let reg = self.s.target.gas;
        self.spare = gas;
        if gas > 0 || stack.is_some() {
            let at = self.label();
            let height = self.s.height() - self.s.base;
            self.cold.push(Cold::Fail { at, stack, gas, height, pc });
            if gas > 0 {
                let b = Src::I(gas as i32);
                self.s.emit(Ins::Alu { op: AluOp::Sub, flags: true, dst: reg, a: reg, b });
                self.s.emit(Ins::Br { cond: Cond::Slt, to: at });
            }
        }
        if self.options.count {
            let mem = values::at(self.s.target.frame, offset_of!(Frame, compiled) as i32);
            self.s.emit(Ins::AluMem { op: AluOp::Add, mem, src: Src::I(instructions as i32) });
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

/// The first `len` bytes as a number. At least 8 bytes are there.
fn push_immediate(bytes: &[u8], len: usize) -> U256 {
    match bytes.first_chunk::<8>() {
        Some(_) if len == 0 => U256::ZERO,
        Some(first) if len <= 8 => U256::from(u64::from_be_bytes(*first) >> (64 - 8 * len)),
        Some(_) | None => U256::from_be_slice(&bytes[..len]),
    }
}
