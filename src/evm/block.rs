//! Basic blocks and gas sections: one linear scan from a start pc, without looking at any other block.
//!
//! A *basic block* is a straight run of instructions: it starts where control can arrive and ends at a jump, a terminal opcode, a call, an
//! opcode the fork does not have, before the next JUMPDEST, or after [`MAX_INSTRUCTIONS`]. A *gas section* is a part of it whose static gas
//! is charged at once: it ends after every instruction with an effect that is seen from outside or with dynamic gas (`Class::Effect`), so
//! that charging ahead never makes a state access appear or disappear (EIP-7928).

use super::{
    fork::Schedule,
    opcode::{self, Class},
};

/// A position in bytecode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pc(pub u32);

impl Pc {
    /// As an index into the code.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Instructions in a block at most: bounds what one block can cost to compile and how many words it can hold.
pub const MAX_INSTRUCTIONS: usize = 1024;

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Goes on at `Block::end`: before a JUMPDEST, or the block grew too long.
    Fall,
    /// JUMP.
    Jump,
    /// JUMPI.
    JumpIf,
    /// CALL* or CREATE*: goes on at `Block::end` when the child has ended.
    Call,
    /// STOP, RETURN, REVERT, SELFDESTRUCT, INVALID (the opcode given), or the end of code (STOP).
    Terminal(u8),
    /// The instruction at `Block::end` is left to the interpreter: no opcode of this fork.
    Unknown,
}

/// A gas section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its first instruction.
    pub start: Pc,
    /// Static gas of all its instructions.
    pub gas: u32,
    /// How many instructions it has.
    pub instructions: u32,
}

/// A basic block's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// First instruction.
    pub start: Pc,
    /// One past the last instruction.
    pub end: Pc,
    /// Elements that must be on the stack at entry.
    pub need: u32,
    /// How far the stack grows above its height at entry, at most.
    pub grow: u32,
    /// Height at the end relative to entry.
    pub delta: i32,
    /// How it ends.
    pub finish: End,
    /// Its gas sections in order; never empty unless the block is.
    pub sections: Vec<Section>,
}

impl Block {
    /// A block of nothing, to be scanned into.
    pub const fn empty() -> Block {
        Block { start: Pc(0), end: Pc(0), need: 0, grow: 0, delta: 0, finish: End::Fall, sections: Vec::new() }
    }

    /// Scans the block that starts at `start` under `schedule`'s fork, with at most `limit` instructions. `padded` is the code followed by
    /// zero bytes (at least 33), `len` its length without them.
    pub fn scan(padded: &[u8], len: usize, start: Pc, schedule: &Schedule, limit: usize) -> Block {
        let mut block = Block::empty();
        block.rescan(padded, len, start, schedule, limit);
        block
    }

    /// As [`Block::scan`], reusing this block's allocation. Apart from its callers, so that its loop has all registers.
    #[inline(never)]
    pub fn rescan(&mut self, padded: &[u8], len: usize, start: Pc, schedule: &Schedule, limit: usize) {
        self.sections.clear();
        self.start = start;
        let code = padded.get(start.index()..).unwrap_or_default();
        // The sum of all steps: bytes, gas and the stack's growth side by side. A block has few enough instructions for each to have room.
        let mut sum = 0u64;
        let (bytes, gas) = (|sum: u64| usize::from(sum as u16), |sum: u64| (sum >> 16) as u32);
        let limit = limit.min(MAX_INSTRUCTIONS);
        let (mut low, mut high) = (0i32, 0i32);
        let mut section = Section { start, gas: 0, instructions: 0 };
        // Instructions that there may be still, and how many there could be and what the sum was when the section began.
        let (mut left, mut before, mut gas_before) = (limit, limit, 0);
        self.finish = loop {
            let op = code.get(bytes(sum)).copied().unwrap_or(opcode::STOP);
            let row = &schedule.rows[usize::from(op)];
            // Behind the code are zeros, which are not plain.
            if left == 0 || !row.plain {
                if start.index() + bytes(sum) >= len {
                    break End::Terminal(opcode::STOP);
                }
                if left == 0 || row.class == Class::JumpDest && left < limit {
                    break End::Fall;
                }
                if row.class == Class::Undefined {
                    break End::Unknown;
                }
            }
            left -= 1;
            let height = |sum: u64| (sum as i64 >> 48) as i32;
            low = low.min(height(sum) - i32::from(row.inputs));
            sum = sum.wrapping_add(row.step);
            high = high.max(height(sum));
            if row.plain {
                continue;
            }
            match row.class {
                Class::Effect => {
                    (section.gas, section.instructions) = (gas(sum) - gas_before, (before - left) as u32);
                    self.sections.push(section);
                    section.start = Pc((start.index() + bytes(sum)) as u32);
                    (before, gas_before) = (left, gas(sum));
                }
                Class::Terminal => break End::Terminal(op),
                Class::Call => break End::Call,
                Class::Jump => break if op == opcode::JUMP { End::Jump } else { End::JumpIf },
                Class::Pure
                | Class::Push
                | Class::Pop
                | Class::Dup
                | Class::Swap
                | Class::StackN
                | Class::Env
                | Class::Memory
                | Class::JumpDest
                | Class::Undefined => {}
            }
        };
        (section.gas, section.instructions) = (gas(sum) - gas_before, (before - left) as u32);
        if section.instructions > 0 {
            self.sections.push(section);
        }
        self.end = Pc((start.index() + bytes(sum)) as u32);
        self.need = low.unsigned_abs();
        self.grow = high as u32;
        self.delta = (sum as i64 >> 48) as i32;
    }
}
