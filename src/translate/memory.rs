//! MLOAD, MSTORE, MSTORE8, MSIZE: inline, with growth out of line.

use super::values::{Regs, ValueId, at, imm32, one_limb};
use super::{Cold, Job, Offset, Translator};
use crate::abi::Frame;
use crate::evm::opcode as op;
use crate::ir::{Cond, Ins, Mem, R, ShiftOp, Src, WSrc, Width};
use core::mem::offset_of;

impl Translator {
    /// Translates the instruction at `pc`, which accesses memory or tells its size.
    pub(super) fn memory(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) {
        if opcode != op::MSIZE {
            // Of the offset all is looked at.
            self.spread(1);
        }
        match opcode {
            op::MLOAD if self.guess_load(job, pc) => {}
            op::MLOAD => self.mload(),
            op::MSTORE => self.mstore(),
            op::MSTORE8 => self.mstore8(),
            op::MSIZE => self.push_field(offset_of!(Frame, memory_len), 64),
            other => unreachable!("{other:#x} is no memory opcode"),
        }
        self.note_wide();
    }

    pub(super) fn frame_field(&self, offset: usize) -> Mem {
        at(self.s.target.frame, offset as i32)
    }

    pub(super) fn load_field(&mut self, dst: R, offset: usize) {
        let mem = self.frame_field(offset);
        self.s.emit(Ins::Load { width: Width::B64, signed: false, dst, mem });
    }

    pub(super) fn push_field(&mut self, offset: usize, bits: u16) {
        let dst = self.s.alloc();
        self.load_field(dst, offset);
        self.s.push_narrow(dst, bits);
        self.s.unpin();
    }

    /// Makes sure that `len` bytes (1 or 32) of memory exist at the offset `v`, and gives the operand that addresses them, with the memory's
    /// base in the second scratch register. The third scratch register may be part of it, or a register of `v`.
    pub(super) fn access(&mut self, v: ValueId, len: u8) -> Mem {
        let [t0, base, t2] = self.s.target.scratch;
        let konst = self.s.known(v).and_then(one_limb);
        let end_of = |offset: i32| offset.checked_add(len.into()).map(|end| (offset, end));
        let small = konst.and_then(|k| i32::try_from(k).ok()).and_then(end_of);
        if let Some((disp, end)) = small {
            if end as u32 > self.memory_known {
                let (grow, back) = (self.label(), self.label());
                let mem = self.frame_field(offset_of!(Frame, memory_len));
                self.s.emit(Ins::CmpMem { width: Width::B64, mem, b: Src::I(end) });
                self.s.emit(Ins::Br { cond: Cond::Ult, to: grow });
                self.s.emit(Ins::Label(back));
                self.cold.push(Cold::Grow { at: grow, offset: Offset::Constant(disp as u32), len, spare: self.spare, back });
                self.memory_known = end as u32;
            }
            self.load_field(base, offset_of!(Frame, memory));
            return at(base, disp);
        }
        if self.s.value(v).bits > 64 {
            // No gas could pay for an offset of 2^64 or more.
            self.s.upper_limbs(v, t0, base);
            self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
            self.open.spares.push(self.s.out.len());
            let to = self.stubs.invalid_operand;
            self.s.emit(Ins::Exit { cond: Cond::Ne, dst: base, value: self.spare, to, through: false });
        }
        let index = self.s.limb_in(v, 0, t2);
        if index != t2 {
            self.s.hold(v);
        }
        let most = 1u64.checked_shl(self.s.value(v).bits.into()).map_or(u64::MAX, |beyond| beyond - 1);
        if most.saturating_add(len.into()) > self.memory_known.into() {
            let room = if len == 1 { offset_of!(Frame, memory_len) } else { offset_of!(Frame, memory_words) };
            let room = self.frame_field(room);
            let (grow, back) = (self.label(), self.label());
            self.s.emit(Ins::Cmp { a: index, b: Src::M(room) });
            self.s.emit(Ins::Br { cond: Cond::Uge, to: grow });
            self.s.emit(Ins::Label(back));
            self.cold.push(Cold::Grow { at: grow, offset: Offset::In(index), len, spare: self.spare, back });
        }
        self.load_field(base, offset_of!(Frame, memory));
        let mem = Mem { base, index: Some(index), shift: 0, disp: 0 };
        if len == 1 || self.s.target.displaces_indexed {
            return mem;
        }
        self.s.emit(Ins::Lea { dst: base, mem });
        at(base, 0)
    }

    fn mload(&mut self) {
        let offset = self.s.pop();
        self.s.kill_flags();
        let mem = self.access(offset, 32);
        self.s.release(offset);
        self.s.unpin();
        let dst = self.s.alloc_quad();
        self.s.emit(Ins::WLoadSwap { dst, mem });
        self.s.push_wide(dst, 256);
        self.s.unpin();
    }

    fn mstore(&mut self) {
        let offset = self.s.pop();
        let value = self.s.pop();
        self.s.kill_flags();
        let mem = self.access(offset, 32);
        let v = *self.s.value(value);
        if let (Regs::Wide(src), None) = (v.regs, v.konst) {
            self.s.emit(Ins::WStoreSwap { src, mem });
        } else if let (Regs::Signed(src), None) = (v.regs, v.konst) {
            let sign = self.t0();
            let at = |disp: i32| Mem { disp: mem.disp + disp, ..mem };
            self.s.emit(Ins::StoreSwap { src, mem: at(24) });
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: src, amount: 63 });
            for disp in [0, 8, 16] {
                self.s.emit(Ins::Store { width: Width::B64, src: sign, mem: at(disp) });
            }
        } else {
            let is_zero = |limb: usize| match v.konst {
                Some(k) => self.s.const_of(k).as_limbs()[limb] == 0,
                None => usize::from(v.bits) <= 64 * limb,
            };
            let zero = [0, 1, 2, 3].map(is_zero);
            let at_once = zero.into_iter().filter(|&zero| zero).count() > 1;
            let mut to = mem;
            if at_once {
                // All are zeroed at once, and what is not zero stored over that.
                if mem.index.is_some() {
                    self.s.emit(Ins::Lea { dst: mem.base, mem });
                    to = at(mem.base, 0);
                }
                self.s.emit(Ins::WStore { src: WSrc::I(0), base: to.base, disp: to.disp });
            }
            for (limb, zero) in zero.into_iter().enumerate() {
                if !(at_once && zero) {
                    self.store_limb(value, limb, Mem { disp: to.disp + 24 - 8 * limb as i32, ..to });
                }
            }
        }
        self.s.release(offset);
        self.s.release(value);
        self.s.unpin();
    }

    /// Stores one limb in big-endian order.
    fn store_limb(&mut self, value: ValueId, limb: usize, mem: Mem) {
        let t0 = self.t0();
        if let Some(k) = self.s.konst(value) {
            let swapped = k.as_limbs()[limb].swap_bytes();
            match imm32(swapped) {
                Some(value) => self.s.emit(Ins::StoreImm { width: Width::B64, value, mem }),
                None => {
                    self.s.emit(Ins::Imm { dst: t0, value: swapped });
                    self.s.emit(Ins::Store { width: Width::B64, src: t0, mem });
                }
            }
            return;
        }
        match self.s.limb(value, limb) {
            Some(Src::I(0)) => self.s.emit(Ins::StoreImm { width: Width::B64, value: 0, mem }),
            Some(Src::R(src)) => self.s.emit(Ins::StoreSwap { src, mem }),
            Some(Src::M(from)) => {
                self.s.emit(Ins::LoadSwap { dst: t0, mem: from });
                self.s.emit(Ins::Store { width: Width::B64, src: t0, mem });
            }
            Some(Src::I(_)) | None => unreachable!("constants are stored above"),
        }
    }

    fn mstore8(&mut self) {
        let offset = self.s.pop();
        let value = self.s.pop();
        self.s.kill_flags();
        let mem = self.access(offset, 1);
        if let Some(k) = self.s.konst(value) {
            self.s.emit(Ins::StoreImm { width: Width::B8, value: i32::from(k.byte(0) as i8), mem });
        } else {
            let src = self.s.limb_in(value, 0, self.s.target.scratch[0]);
            self.s.emit(Ins::Store { width: Width::B8, src, mem });
        }
        self.s.release(offset);
        self.s.release(value);
        self.s.unpin();
    }
}
