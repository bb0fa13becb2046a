//! Environment reads, runtime functions on the frame, and code out of line.

use super::values::{ValueId, at};
use super::{Cold, Offset, Translator};
use crate::abi::{Callouts, Env, Exit, Frame};
use crate::evm::U256;
use crate::evm::block::Pc;
use crate::evm::opcode::{self as op, info};
use crate::ir::{AluOp, Cond, Ins, Label, Mem, R, Src, WSrc, Width};
use core::mem::offset_of;

/// The runtime function of an opcode that is one, as an offset into `Callouts`.
pub(super) fn frame_op(opcode: u8) -> usize {
    match opcode {
        op::EXP => offset_of!(Callouts, exp),
        op::KECCAK256 => offset_of!(Callouts, keccak256),
        op::BALANCE => offset_of!(Callouts, balance),
        op::SELFBALANCE => offset_of!(Callouts, selfbalance),
        op::EXTCODESIZE => offset_of!(Callouts, extcodesize),
        op::EXTCODECOPY => offset_of!(Callouts, extcodecopy),
        op::EXTCODEHASH => offset_of!(Callouts, extcodehash),
        op::BLOCKHASH => offset_of!(Callouts, blockhash),
        op::BLOBHASH => offset_of!(Callouts, blobhash),
        op::CALLDATACOPY => offset_of!(Callouts, calldatacopy),
        op::CODECOPY => offset_of!(Callouts, codecopy),
        op::RETURNDATACOPY => offset_of!(Callouts, returndatacopy),
        op::MCOPY => offset_of!(Callouts, mcopy),
        op::SLOAD => offset_of!(Callouts, sload),
        op::SSTORE => offset_of!(Callouts, sstore),
        op::TLOAD => offset_of!(Callouts, tload),
        op::TSTORE => offset_of!(Callouts, tstore),
        op::LOG0 => offset_of!(Callouts, log0),
        op::LOG1 => offset_of!(Callouts, log1),
        op::LOG2 => offset_of!(Callouts, log2),
        op::LOG3 => offset_of!(Callouts, log3),
        op::LOG4 => offset_of!(Callouts, log4),
        op::CALL => offset_of!(Callouts, call),
        op::CALLCODE => offset_of!(Callouts, callcode),
        op::DELEGATECALL => offset_of!(Callouts, delegatecall),
        op::STATICCALL => offset_of!(Callouts, staticcall),
        op::CREATE => offset_of!(Callouts, create),
        op::CREATE2 => offset_of!(Callouts, create2),
        op::RETURN => offset_of!(Callouts, ret),
        op::REVERT => offset_of!(Callouts, revert),
        op::SELFDESTRUCT => offset_of!(Callouts, selfdestruct),
        other => unreachable!("{other:#x} has no runtime function"),
    }
}

/// Where an environment opcode's word is in `Env`.
fn env_word(opcode: u8) -> Option<usize> {
    Some(match opcode {
        op::ORIGIN => offset_of!(Env, origin),
        op::GASPRICE => offset_of!(Env, gas_price),
        op::COINBASE => offset_of!(Env, coinbase),
        op::TIMESTAMP => offset_of!(Env, timestamp),
        op::NUMBER => offset_of!(Env, number),
        op::DIFFICULTY => offset_of!(Env, difficulty),
        op::GASLIMIT => offset_of!(Env, gas_limit),
        op::CHAINID => offset_of!(Env, chain_id),
        op::BASEFEE => offset_of!(Env, base_fee),
        op::BLOBBASEFEE => offset_of!(Env, blob_base_fee),
        op::SLOTNUM => offset_of!(Env, slot_number),
        _ => return None,
    })
}

impl Translator {
    pub(super) fn environment(&mut self, opcode: u8, pc: usize, code_len: usize) {
        // Allocating may spill, which needs no flags; but nothing below reads them, and CALLDATALOAD writes them.
        if let Some(offset) = env_word(opcode) {
            let dst = self.s.alloc_quad();
            let t0 = self.t0();
            self.load_field(t0, offset_of!(Frame, env));
            self.s.emit(Ins::WLoad { dst, base: t0, disp: offset as i32 });
            self.s.push_wide(dst, 256);
            self.s.unpin();
            return;
        }
        let frame = self.s.target.frame;
        match opcode {
            op::ADDRESS => self.push_word(frame, offset_of!(Frame, address_word) as i32, 160),
            op::CALLER => self.push_word(frame, offset_of!(Frame, caller_word) as i32, 160),
            op::CALLVALUE => self.push_word(frame, offset_of!(Frame, value) as i32, 256),
            op::CALLDATASIZE => self.push_field(offset_of!(Frame, input_len), 63),
            op::RETURNDATASIZE => self.push_field(offset_of!(Frame, return_data_len), 63),
            op::CODESIZE => self.s.push_const(U256::from(code_len)),
            op::PC => self.s.push_const(U256::from(pc)),
            op::GAS => {
                let dst = self.s.alloc();
                self.open.spares.push(self.s.out.len());
                let mem = at(self.s.target.gas, self.spare as i32);
                self.s.emit(Ins::Lea { dst, mem });
                self.s.push_narrow(dst, 64);
                self.s.unpin();
            }
            op::CALLDATALOAD => self.calldataload(),
            other => unreachable!("{other:#x} is no environment opcode"),
        }
    }

    fn push_word(&mut self, base: R, disp: i32, bits: u16) {
        let dst = self.s.alloc_quad();
        self.s.emit(Ins::WLoad { dst, base, disp });
        self.s.push_wide(dst, bits);
        self.s.unpin();
    }

    /// CALLDATALOAD: four loads when all 32 bytes are there, out of line otherwise.
    fn calldataload(&mut self) {
        let t1 = self.s.target.scratch[1];
        self.spread(1);
        let offset = self.s.pop();
        self.s.kill_flags();
        let known = self.s.konst(offset).map(|k| i32::try_from(k).ok().filter(|k| *k < i32::MAX - 32));
        if known == Some(None) {
            // Call data is never that long.
            self.s.release(offset);
            self.s.push_const(U256::ZERO);
            return;
        }
        let (out_of_line, back) = (self.label(), self.label());
        // Before the branch: what this spills must be home on both ways.
        self.s.hold(offset);
        let dst = self.s.alloc_quad();
        let mem = match known.flatten() {
            Some(disp) => {
                let mem = self.frame_field(offset_of!(Frame, input_len));
                self.s.emit(Ins::CmpMem { width: Width::B64, mem, b: Src::I(disp + 32) });
                self.s.emit(Ins::Br { cond: Cond::Ult, to: out_of_line });
                at(t1, disp)
            }
            None => self.input_offset(offset, out_of_line),
        };
        self.s.release(offset);
        self.load_field(t1, offset_of!(Frame, input));
        self.s.emit(Ins::WLoadSwap { dst, mem });
        self.s.emit(Ins::Label(back));
        let konst = known.map(|_| mem.disp as u32);
        self.cold.push(Cold::InputWord { at: out_of_line, offset: konst, dst, back });
        self.s.push_wide(dst, 256);
        self.s.unpin();
    }

    /// Puts an offset into call data in the first scratch register; goes `out_of_line` if not all 32 bytes are there.
    fn input_offset(&mut self, offset: ValueId, out_of_line: Label) -> Mem {
        let [t0, t1, t2] = self.s.target.scratch;
        let wide = self.s.value(offset).bits > 64;
        if wide {
            self.s.upper_limbs(offset, t1, t0);
        }
        self.s.limb_to(offset, 0, t0);
        if wide {
            // An offset of 2^64 or more is as good as 2^64 - 1.
            self.s.emit(Ins::Imm { dst: t2, value: u64::MAX });
            self.s.emit(Ins::Test { a: t1, b: Src::R(t1) });
            self.s.emit(Ins::Select { cond: Cond::Ne, dst: t0, a: t2, b: t0 });
        }
        self.load_field(t1, offset_of!(Frame, input_len));
        self.s.emit(Ins::Alu { op: AluOp::Sub, flags: true, dst: t1, a: t1, b: Src::I(32) });
        self.s.emit(Ins::Br { cond: Cond::Ult, to: out_of_line });
        self.s.emit(Ins::Cmp { a: t0, b: Src::R(t1) });
        self.s.emit(Ins::Br { cond: Cond::Ugt, to: out_of_line });
        Mem { base: t1, index: Some(t0), shift: 0, disp: 0 }
    }

    /// An opcode done by a runtime function, inside a block: it finds its operands at home.
    pub(super) fn effect(&mut self, opcode: u8) {
        let row = info(opcode);
        self.s.flush(Some(row.inputs as usize));
        self.s.spill_for_call();
        self.s.vacate_result(row.inputs as usize);
        self.settle_sp();
        self.s.emit(Ins::Imm { dst: self.t0(), value: frame_op(opcode) as u64 });
        self.s.emit(Ins::Call { addr: self.stubs.frame_op });
        self.s.after_frame_op(row.inputs as usize);
        for _ in 0..row.outputs {
            self.s.push_home();
        }
    }

    /// Leaves through the runtime function of `opcode`; operands are at home. `next` is the frame's pc for functions that suspend.
    pub(super) fn last_effect(&mut self, opcode: u8, next: Option<Pc>) {
        self.settle_sp();
        if let Some(pc) = next {
            let mem = self.frame_field(offset_of!(Frame, pc));
            self.s.emit(Ins::StoreImm { width: Width::B64, value: pc.0 as i32, mem });
        }
        self.s.emit(Ins::Imm { dst: self.t0(), value: frame_op(opcode) as u64 });
        self.s.emit(Ins::JmpTo { addr: self.stubs.last_op });
    }

    /// Calls through the frame's table; arguments are in place.
    pub(super) fn emit_callout(&mut self, offset: usize) {
        let callee = self.s.target.callee;
        self.load_field(callee, offset_of!(Frame, callouts));
        self.s.emit(Ins::CallMem(at(callee, offset as i32)));
    }

    /// Makes the stack pointer register point one past the top element.
    pub(super) fn settle_sp(&mut self) {
        let height = self.s.height();
        if height != self.s.base {
            let sp = self.s.target.sp;
            self.s.emit(Ins::Lea { dst: sp, mem: at(sp, 32 * (height - self.s.base)) });
            self.s.base = height;
        }
    }

    /// Leaves through the stub at `way`, with `pc` for it.
    fn leave(&mut self, way: u64, pc: Pc) {
        let pc_reg = self.s.target.scratch[2];
        self.s.emit(Ins::Imm { dst: pc_reg, value: u64::from(pc.0) });
        self.s.emit(Ins::JmpTo { addr: way });
    }

    /// Leaves with `exit`, or out of gas if `gas + spare` is negative.
    pub(super) fn halt(&mut self, exit: Exit, spare: u32) {
        let (t0, gas) = (self.t0(), self.s.target.gas);
        if spare > 0 {
            self.s.emit(Ins::Lea { dst: gas, mem: at(gas, spare as i32) });
        }
        self.s.emit(Ins::Imm { dst: t0, value: exit as u64 });
        self.s.emit(Ins::JmpTo { addr: self.stubs.halt });
    }

    /// Emits what was put off to be out of line.
    pub(super) fn emit_cold(&mut self) {
        let mut i = 0;
        while i < self.cold.len() {
            self.emit_cold_one(self.cold[i]);
            i += 1;
        }
    }

    fn emit_cold_one(&mut self, cold: Cold) {
        let [t0, t1, _] = self.s.target.scratch;
        match cold {
            Cold::Zero { at, dst, back } => {
                self.s.out.extend([Ins::Label(at), Ins::Imm { dst, value: 0 }, Ins::Jmp(back)]);
            }
            Cold::ZeroWord { at, dst, back } => {
                self.s.emit(Ins::Label(at));
                self.s.out.extend(dst.each(|dst| Ins::Imm { dst, value: 0 }));
                self.s.emit(Ins::Jmp(back));
            }
            Cold::Reduce { at: label, word, high, modulus, back } => {
                let (frame, disp) = (self.s.target.frame, offset_of!(Frame, scratch) as i32);
                self.s.emit(Ins::Label(label));
                self.s.emit(Ins::WStore { src: WSrc::Q(word), base: frame, disp });
                if !high {
                    self.s.emit(Ins::Imm { dst: t0, value: 0 });
                }
                self.load_address(t1, modulus);
                self.s.out.extend([
                    Ins::Call { addr: self.stubs.reduce },
                    Ins::WLoad { dst: word, base: frame, disp },
                    Ins::Jmp(back),
                ]);
            }
            Cold::Grow { at, offset, len, spare, back } => self.s.out.extend([
                Ins::Label(at),
                match offset {
                    Offset::Constant(offset) => Ins::Imm { dst: t0, value: offset.into() },
                    Offset::In(src) => Ins::Mov { dst: t0, src },
                },
                Ins::Imm { dst: t1, value: u64::from(len) << 32 | u64::from(spare) },
                Ins::Call { addr: self.stubs.grow },
                Ins::Jmp(back),
            ]),
            Cold::InputWord { at, offset, dst, back } => {
                self.s.emit(Ins::Label(at));
                if let Some(offset) = offset {
                    self.s.emit(Ins::Imm { dst: t0, value: u64::from(offset) });
                }
                self.s.out.extend([
                    Ins::Call { addr: self.stubs.input_word },
                    Ins::WLoad { dst, base: self.s.target.frame, disp: offset_of!(Frame, scratch) as i32 },
                    Ins::Jmp(back),
                ]);
            }
            Cold::DynamicJump { at } => {
                self.s.emit(Ins::Label(at));
                let mem = self.frame_field(offset_of!(Frame, pc));
                self.s.emit(Ins::Store { width: Width::B64, src: t1, mem });
                self.s.emit(Ins::Imm { dst: t0, value: Exit::DynamicJump as u64 });
                self.s.emit(Ins::JmpTo { addr: self.stubs.leave });
            }
            Cold::Halt { at, exit } => {
                self.s.emit(Ins::Label(at));
                self.halt(exit, 0);
            }
            Cold::Widen { at: label, undo, spare, to } => {
                let gas = self.s.target.gas;
                self.s.emit(Ins::Label(label));
                self.s.out.extend(undo);
                self.s.emit(Ins::Lea { dst: gas, mem: at(gas, spare as i32) });
                self.jump_to(to);
            }
            Cold::Edge { at, moves: (first, end), to } => {
                self.s.emit(Ins::Label(at));
                self.s.out.extend_from_slice(&self.edges[first as usize..end as usize]);
                self.jump_to(to);
            }
        }
    }

    /// Ends the block by leaving to the interpreter at `pc`.
    pub(super) fn leave_to_interpreter(&mut self, pc: Pc) {
        self.leave(self.stubs.interpret, pc);
    }
}
