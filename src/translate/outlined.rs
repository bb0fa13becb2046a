//! Outlined code: a unit in which each instruction is a call of its routine (subroutine-threaded code: Bell, "Threaded code", CACM 16(6), 1973;
//! Ertl, Gregg, "The structure and performance of efficient interpreters", JILP 5, 2003).
//!
//! It takes about 5 bytes of machine code an instruction and is translated in a fraction of the time, so it bounds what a contract can come to
//! that is made to be compiled to much. Between instructions every element is at home and the stack pointer register exact: nothing is known
//! but generic contexts, so there are neither sites nor edges with moves. Gas sections are those of all compiled code, but each block begins
//! with a check, which leaves to the interpreter.

use super::context::{Context, Version, VersionId};
use super::control::{To, is_destination};
use super::edge::store_const;
use super::routines::MAX_BOUND;
use super::values::at;
use super::{Cold, Job, Refusal, Translator, UNIT_BYTES};
use crate::abi::Exit;
use crate::evm::U256;
use crate::evm::block::{Block, End, Pc, Section};
use crate::evm::opcode::{self as op, Class};
use crate::ir::{Cond, Ins, Src};

/// Instructions that a block may have: few enough for its stack bounds to be packed.
pub(super) const INSTRUCTIONS: usize = 128;

/// LOG4 takes the most elements and leaves none.
const _: () = assert!(INSTRUCTIONS as u32 * 7 <= MAX_BOUND);

impl Translator {
    /// Translates a version and what follows it to calls of routines.
    pub(super) fn outline(&mut self, job: &mut Job<'_>, id: VersionId) -> Result<(), Refusal> {
        self.clear();
        let Version { pc, context, .. } = *job.versions.get(id);
        let mut next = Some(pc);
        self.begin(id, &context, job.versions);
        if !context.is_generic() {
            // Not on to the generic version's code, which may guess what was wrong where this version is asked for, and come back without end.
            self.s.flush(None);
            self.settle_sp();
        }
        self.s.begin(&Context::default(), job.versions);
        while let Some(pc) = next {
            next = self.outline_block(job, pc)?;
        }
        Ok(())
    }

    /// Translates one block; returns the block to go on with in line.
    fn outline_block(&mut self, job: &mut Job<'_>, pc: Pc) -> Result<Option<Pc>, Refusal> {
        let mut block = std::mem::replace(&mut self.block, Block::empty());
        block.rescan(job.code.padded(), job.code.bytes().len(), pc, job.schedule, INSTRUCTIONS);
        let next = if block.sections.is_empty() && block.finish == End::Unknown && self.blocks.is_empty() {
            Err(Refusal::Unsupported)
        } else {
            self.outline_entry(job, pc);
            self.bytes += block.end.index() - pc.index();
            let destination = self.outline_sections(job, &block);
            self.outline_finish(job, &block, destination)
        };
        self.block = block;
        next
    }

    /// Where a block begins that may be reached from elsewhere: its generic version, unless that is what this unit began with.
    fn outline_entry(&mut self, job: &mut Job<'_>, pc: Pc) {
        let label = self.label();
        self.s.emit(Ins::Label(label));
        self.blocks.push((pc, label));
        let id = job.versions.generic(pc);
        if job.versions.get(id).address == 0 && !self.entries.iter().any(|entry| entry.0 == id) {
            self.entries.push((id, label));
        }
    }

    /// Translates all instructions but the one that ends the block. A constant that this one would jump to is not pushed, but given.
    fn outline_sections(&mut self, job: &Job<'_>, block: &Block) -> Option<U256> {
        let padded = job.code.padded();
        let jumps = matches!(block.finish, End::Jump | End::JumpIf);
        for (n, section) in block.sections.iter().enumerate() {
            if n == 0 {
                self.outline_begin(job, block, section);
            } else {
                self.charge(job, section);
            }
            let mut pc = section.start.index();
            for _ in 0..section.instructions {
                let (start, opcode) = (pc, padded[pc]);
                let row = &job.schedule.rows[opcode as usize];
                pc += usize::from(row.size);
                self.spare -= u32::from(row.gas);
                match row.class {
                    Class::Push if jumps && pc + 1 == block.end.index() => {
                        return Some(U256::from_be_slice(&padded[start + 1..pc]));
                    }
                    Class::Push => self.outline_push(opcode, &padded[start + 1..pc]),
                    Class::Env if opcode == op::PC => self.outline_limb(start as u64),
                    Class::Env if opcode == op::CODESIZE => self.outline_limb(job.code.bytes().len() as u64),
                    Class::Env if opcode == op::GAS => {
                        let mem = at(self.s.target.gas, self.spare as i32);
                        self.s.emit(Ins::Lea { dst: self.t0(), mem });
                        self.call_push_limb();
                    }
                    Class::Memory => {
                        if opcode != op::MSIZE {
                            let dst = self.s.target.scratch[1];
                            self.s.emit(Ins::Imm { dst, value: self.spare.into() });
                        }
                        self.call_routine(opcode);
                    }
                    Class::Pop => self.outline_move(-1),
                    Class::Pure | Class::Dup | Class::Swap | Class::Env | Class::Effect => self.call_routine(opcode),
                    Class::JumpDest | Class::Jump | Class::Terminal | Class::Call => {}
                    Class::StackN | Class::Undefined => unreachable!("not in a block"),
                }
            }
        }
        None
    }

    /// Checks the stack for the block, and checks and charges its first section.
    fn outline_begin(&mut self, job: &Job<'_>, block: &Block, section: &Section) {
        self.open(job, section.gas);
        let bounds = [section.gas, block.need, block.grow];
        if bounds != [0; 3] {
            self.call_begin(block.start.0, bounds);
        }
        self.count(section);
    }

    /// Moves the stack pointer by so many elements.
    fn outline_move(&mut self, elements: i32) {
        let sp = self.s.target.sp;
        self.s.emit(Ins::Lea { dst: sp, mem: at(sp, 32 * elements) });
    }

    fn outline_limb(&mut self, value: u64) {
        self.s.emit(Ins::Imm { dst: self.t0(), value });
        self.call_push_limb();
    }

    fn outline_push(&mut self, opcode: u8, bytes: &[u8]) {
        let value = U256::from_be_slice(bytes);
        match *value.as_limbs() {
            _ if opcode == op::PUSH0 => self.call_routine(opcode),
            [limb, 0, 0, 0] => self.outline_limb(limb),
            _ => {
                let (t0, sp) = (self.t0(), self.s.target.sp);
                store_const(&value, sp, 0, t0, &mut self.s.out);
                self.outline_move(1);
            }
        }
    }

    /// Ends a block; a `destination` is where its jump goes.
    fn outline_finish(&mut self, job: &mut Job<'_>, block: &Block, destination: Option<U256>) -> Result<Option<Pc>, Refusal> {
        let known = destination.map(|k| is_destination(job.code, &k).then(|| Pc(k.as_limbs()[0] as u32)));
        match (block.finish, known) {
            (End::Fall, _) => self.outline_go(job, block.end),
            (End::Jump, Some(Some(to))) => self.outline_go(job, to),
            (End::Jump, Some(None)) => {
                self.halt(Exit::InvalidJump, 0);
                Ok(None)
            }
            (End::Jump, None) => {
                self.jump_to_routine(op::JUMP);
                Ok(None)
            }
            (End::JumpIf, None) => {
                self.call_routine(op::JUMPI);
                self.outline_go(job, block.end)
            }
            (End::JumpIf, Some(to)) => {
                self.outline_branch(job, to)?;
                self.outline_go(job, block.end)
            }
            (End::Call, _) => {
                let [_, _, next] = self.s.target.scratch;
                self.s.emit(Ins::Imm { dst: next, value: block.end.0.into() });
                self.jump_to_routine(job.code.padded()[block.end.index() - 1]);
                Ok(self.is_next(job, block.end).then_some(block.end))
            }
            (End::Terminal(op::STOP), _) => {
                self.halt(Exit::Stop, 0);
                Ok(None)
            }
            (End::Terminal(op::INVALID), _) => {
                self.halt(Exit::InvalidOpcode, 0);
                Ok(None)
            }
            (End::Terminal(opcode), _) => {
                self.jump_to_routine(opcode);
                Ok(None)
            }
            (End::Unknown, _) => {
                self.leave_to_interpreter(block.end);
                Ok(None)
            }
        }
    }

    /// JUMPI to a constant, which may be no destination.
    fn outline_branch(&mut self, job: &mut Job<'_>, to: Option<Pc>) -> Result<(), Refusal> {
        let (t0, cond) = (self.t0(), Cond::Ne);
        let taken = match to {
            None => {
                let at = self.label();
                self.cold.push(Cold::Halt { at, exit: Exit::InvalidJump });
                Ins::Br { cond, to: at }
            }
            Some(pc) => {
                let id = job.versions.generic(pc);
                match self.way(job, id)? {
                    To::Label(to) => Ins::Br { cond, to },
                    To::Address(addr) => Ins::BrTo { cond, addr },
                    To::Slot(id, slot) => Ins::Exit { cond, dst: self.s.target.scratch[2], value: id.0, to: slot, through: true },
                }
            }
        };
        self.call_condition();
        self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
        self.s.emit(taken);
        Ok(())
    }

    /// Goes to the generic version of the block at `to`: to its code, or in line.
    fn outline_go(&mut self, job: &mut Job<'_>, to: Pc) -> Result<Option<Pc>, Refusal> {
        if self.is_next(job, to) {
            return Ok(Some(to));
        }
        let id = job.versions.generic(to);
        let way = self.way(job, id)?;
        self.jump_to(way);
        Ok(None)
    }

    /// Whether the block at `pc` has no generic version yet, and has it in line.
    fn is_next(&self, job: &mut Job<'_>, pc: Pc) -> bool {
        let id = job.versions.generic(pc);
        let here = self.entries.iter().any(|entry| entry.0 == id);
        job.versions.get(id).address == 0 && !here && self.bytes < UNIT_BYTES
    }

    /// Goes to the routine of an opcode that does not come back.
    fn jump_to_routine(&mut self, opcode: u8) {
        let addr = self.routine(opcode);
        self.s.emit(Ins::JmpTo { addr });
    }
}
