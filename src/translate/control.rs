//! How blocks end: jumps, edges to other blocks, terminal opcodes.

use super::values::ValueId;
use super::words::invert;
use super::{CodeMap, Cold, Refusal, Translator, UNIT_BLOCKS, UNIT_BYTES};
use crate::abi::{Exit, Frame};
use crate::evm::block::{Block, End, MAX_INSTRUCTIONS, Pc};
use crate::evm::code::Code;
use crate::evm::fork::Schedule;
use crate::evm::opcode as op;
use crate::ir::{AluOp, Cond, Ins, Mem, Src, Width};
use core::mem::offset_of;

/// Where a jump goes.
#[derive(Clone, Copy, Debug)]
enum Destination {
    /// A constant that is a jump destination.
    Known(Pc),
    /// A constant that is not.
    Invalid,
    /// Only known at run time.
    Dynamic,
}

impl Translator {
    /// Ends the block; returns the block to go on with in line.
    pub(super) fn finish(
        &mut self,
        code: &Code,
        schedule: &Schedule,
        block: &Block,
        map: &mut impl CodeMap,
    ) -> Result<Option<Pc>, Refusal> {
        match block.finish {
            End::Fall => {
                self.s.flush(None);
                self.settle_sp();
                self.edge(block.end, map)
            }
            End::Jump => self.jump(code, map),
            End::JumpIf => self.jump_if(code, schedule, block.end, map),
            End::Call => {
                let opcode = code.padded()[block.end.index() - 1];
                self.s.flush(None);
                self.frame_call(opcode, Some(block.end.0));
                self.s.after_frame_op(crate::evm::opcode::info(opcode).inputs as usize);
                self.s.push_home();
                self.settle_sp();
                self.edge(block.end, map)
            }
            End::Terminal(opcode) => {
                self.terminal(opcode);
                Ok(None)
            }
            End::Unknown => {
                self.s.flush(None);
                self.settle_sp();
                self.leave_to_interpreter(block.end);
                Ok(None)
            }
        }
    }

    fn terminal(&mut self, opcode: u8) {
        match opcode {
            op::STOP => self.halt(Exit::Stop, 0),
            op::INVALID => self.halt(Exit::InvalidOpcode, 0),
            _ => {
                // What lies below the operands is never seen again.
                self.s.flush(Some(op::info(opcode).inputs as usize));
                self.frame_call(opcode, None);
                self.s.emit(Ins::Trap);
            }
        }
    }

    /// Goes to the block at `to`: in line if it can be, else by a jump.
    fn edge(&mut self, to: Pc, map: &mut impl CodeMap) -> Result<Option<Pc>, Refusal> {
        if let Some(ins) = self.known(to, map) {
            self.s.emit(ins);
            return Ok(None);
        }
        if self.blocks.len() < UNIT_BLOCKS && self.bytes < UNIT_BYTES {
            return Ok(Some(to));
        }
        let slot = self.slot(to, map)?;
        self.s.emit(Ins::JmpSlot { slot });
        Ok(None)
    }

    /// A direct jump to a block that has an address or a label already.
    fn known(&self, to: Pc, map: &impl CodeMap) -> Option<Ins> {
        if let Some(&(_, label)) = self.blocks.iter().find(|b| b.0 == to) {
            return Some(Ins::Jmp(label));
        }
        map.address(to).map(|addr| Ins::JmpTo { addr })
    }

    fn slot(&mut self, to: Pc, map: &mut impl CodeMap) -> Result<u64, Refusal> {
        let (slot, new) = map.slot(to)?;
        if new {
            let at = self.label();
            self.cold.push(Cold::Stub { at, pc: to });
            self.slots.push(at);
        }
        Ok(slot)
    }

    fn destination(&self, v: ValueId, code: &Code) -> Destination {
        match self.s.konst(v) {
            Some(k) => match u32::try_from(k) {
                Ok(pc) if code.is_jump_destination(u64::from(pc)) => Destination::Known(Pc(pc)),
                _ => Destination::Invalid,
            },
            None => Destination::Dynamic,
        }
    }

    fn jump(&mut self, code: &Code, map: &mut impl CodeMap) -> Result<Option<Pc>, Refusal> {
        let v = self.s.pop();
        match self.destination(v, code) {
            Destination::Known(pc) => {
                self.s.release(v);
                self.s.flush(None);
                self.settle_sp();
                self.edge(pc, map)
            }
            Destination::Invalid => {
                self.halt(Exit::InvalidJump, 0);
                Ok(None)
            }
            Destination::Dynamic => {
                self.s.kill_flags();
                self.destination_to_scratch(v);
                self.s.release(v);
                self.s.flush(None);
                self.settle_sp();
                self.dynamic_jump();
                Ok(None)
            }
        }
    }

    /// Puts a destination into the second scratch register, saturated to 2^64 - 1.
    fn destination_to_scratch(&mut self, v: ValueId) {
        let [t0, t1, t2] = self.s.target.scratch;
        if self.s.value(v).bits <= 64 {
            self.s.limb_to(v, 0, t1);
            return;
        }
        self.s.limb_to(v, 1, t2);
        for i in 2..4 {
            let b = self.s.limb_or(v, i, t0);
            self.s.emit(Ins::Alu { op: AluOp::Or, flags: false, dst: t2, a: t2, b });
        }
        self.s.limb_to(v, 0, t1);
        self.s.emit(Ins::Imm { dst: t0, value: u64::MAX });
        self.s.emit(Ins::Test { a: t2, b: Src::R(t2) });
        self.s.emit(Ins::Select { cond: Cond::Ne, dst: t1, a: t0, b: t1 });
    }

    /// Jumps through the frame's index to the pc in the second scratch register.
    fn dynamic_jump(&mut self) {
        let [t0, t1, _] = self.s.target.scratch;
        let miss = self.label();
        let len = self.frame_field(offset_of!(Frame, code_len));
        self.s.emit(Ins::Cmp { a: t1, b: Src::M(len) });
        self.s.emit(Ins::Br { cond: Cond::Uge, to: miss });
        self.load_field(t0, offset_of!(Frame, pc_index));
        let entry = Mem { base: t0, index: Some(t1), shift: 2, disp: 0 };
        self.s.emit(Ins::Load { width: Width::B32, signed: true, dst: t0, mem: entry });
        // Zero: not compiled. Negative: compiled, but no jump destination.
        self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
        self.s.emit(Ins::Br { cond: Cond::Sle, to: miss });
        let base = self.frame_field(offset_of!(Frame, code_base));
        self.s.emit(Ins::Alu { op: AluOp::Add, flags: false, dst: t0, a: t0, b: Src::M(base) });
        self.s.emit(Ins::JmpReg(t0));
        self.cold.push(Cold::DynamicJump { at: miss });
    }

    fn jump_if(&mut self, code: &Code, schedule: &Schedule, fall: Pc, map: &mut impl CodeMap) -> Result<Option<Pc>, Refusal> {
        let to = self.s.pop();
        let condition = self.s.pop();
        let destination = self.destination(to, code);
        if let Some(k) = self.s.konst(condition) {
            self.s.release(condition);
            if k.is_zero() {
                self.s.release(to);
                self.s.flush(None);
                self.settle_sp();
                return self.edge(fall, map);
            }
            self.s.push(to);
            self.s.release(to);
            return self.jump(code, map);
        }
        if matches!(destination, Destination::Dynamic) {
            return self.jump_if_dynamic(to, condition, fall, map);
        }
        self.s.release(to);
        let cond = self.branch_condition(condition);
        self.s.release(condition);
        self.s.unpin();
        self.s.flush(None);
        self.settle_sp();
        match destination {
            Destination::Known(pc) => self.branch(cond, pc, fall, code, schedule, map),
            Destination::Invalid | Destination::Dynamic => {
                let at = self.label();
                self.s.emit(Ins::Br { cond, to: at });
                self.cold.push(Cold::Halt { at, exit: Exit::InvalidJump });
                self.edge(fall, map)
            }
        }
    }

    /// The condition under which `v` is not zero, in the flags.
    fn branch_condition(&mut self, v: ValueId) -> Cond {
        if let Some(cond) = self.s.condition(v) {
            return cond;
        }
        self.s.kill_flags();
        self.test_zero(v);
        Cond::Ne
    }

    fn jump_if_dynamic(
        &mut self,
        to: ValueId,
        condition: ValueId,
        fall: Pc,
        map: &mut impl CodeMap,
    ) -> Result<Option<Pc>, Refusal> {
        self.s.kill_flags();
        self.destination_to_scratch(to);
        self.s.release(to);
        self.s.unpin();
        self.s.hold(condition);
        self.test_zero(condition);
        self.s.release(condition);
        self.s.unpin();
        self.s.flush(None);
        self.settle_sp();
        let not_taken = self.label();
        self.s.emit(Ins::Br { cond: Cond::Eq, to: not_taken });
        self.dynamic_jump();
        self.s.emit(Ins::Label(not_taken));
        self.edge(fall, map)
    }

    /// Branches to `to` if `cond`, else goes on at `fall`; the likely side in line.
    fn branch(
        &mut self,
        cond: Cond,
        to: Pc,
        fall: Pc,
        code: &Code,
        schedule: &Schedule,
        map: &mut impl CodeMap,
    ) -> Result<Option<Pc>, Refusal> {
        match self.known(to, map) {
            Some(Ins::Jmp(label)) => self.s.emit(Ins::Br { cond, to: label }),
            Some(Ins::JmpTo { addr }) => self.s.emit(Ins::BrTo { cond, addr }),
            _ => {
                self.scratch_block.rescan(code.padded(), code.bytes().len(), fall, schedule, MAX_INSTRUCTIONS);
                if self.scratch_block.is_cold() {
                    self.branch_out(invert(cond), fall, map)?;
                    return self.edge(to, map);
                }
                self.branch_out(cond, to, map)?;
            }
        }
        self.edge(fall, map)
    }

    /// A conditional branch to a block that is not compiled.
    fn branch_out(&mut self, cond: Cond, to: Pc, map: &mut impl CodeMap) -> Result<(), Refusal> {
        match self.known(to, map) {
            Some(Ins::Jmp(label)) => self.s.emit(Ins::Br { cond, to: label }),
            Some(Ins::JmpTo { addr }) => self.s.emit(Ins::BrTo { cond, addr }),
            _ => {
                let slot = self.slot(to, map)?;
                let at = self.label();
                self.s.emit(Ins::Br { cond, to: at });
                self.cold.push(Cold::Link { at, slot });
            }
        }
        Ok(())
    }
}
