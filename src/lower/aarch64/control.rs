//! Labels, jumps, the prologue.

use super::scalar::Holds;
use super::*;
use crate::asm::aarch64::{self as machine, Addr, PairAddr, aim};
use crate::lower::labels::Fixup;

/// Pairs that `Enter` stores, each above the one before.
const SAVED: [(u8, u8); 5] = [(19, 20), (21, 22), (23, 24), (25, 26), (27, 28)];

/// The frame and link registers.
const LINK_BYTES: i16 = 16;

/// Bytes of a constant behind the code, and what they are aligned to.
const LITERAL_BYTES: u8 = 8;

/// These, and the pairs.
const FRAME_BYTES: i16 = LINK_BYTES + 16 * SAVED.len() as i16;

/// What is emitted after the stream: the code of an exit.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutOfLine {
    /// Of the branch to it.
    branch: u32,
    at: usize,
    dst: R,
    value: u32,
    to: u64,
    through: bool,
}

impl Lowerer {
    fn here(&self) -> u32 {
        self.code.len() as u32
    }

    /// The address of the next instruction.
    fn pc(&self) -> u64 {
        self.base.wrapping_add(self.here().into())
    }

    fn address_of(&self, label: Label) -> Option<u64> {
        self.labels.offset(label).map(|offset| self.base.wrapping_add(offset.into()))
    }

    pub(super) fn label(&mut self, label: Label) {
        let at = self.at;
        // Who comes here from elsewhere has not made the copy.
        self.copied = None;
        if label.0 >= MAX_LABELS {
            self.fault = Some(LowerError::LabelNumber { at, label });
        } else if !self.labels.bind(label, self.here()) {
            self.fault = Some(LowerError::Rebound { at, label });
        } else {
            self.carries.bind(label);
        }
    }

    /// Notes a branch; false if what the flags hold there would depend on the way.
    fn branches_to(&mut self, label: Label) -> bool {
        // A number that is too large is bound nowhere, which comes out at the end.
        let agreed = label.0 >= MAX_LABELS || self.carries.branch(label);
        if !agreed {
            self.fault = Some(LowerError::Flags { at: self.at });
        }
        agreed
    }

    pub(super) fn jmp(&mut self, to: Label) {
        if self.branches_to(to) {
            self.jmp_label(to);
        }
    }

    fn jmp_label(&mut self, to: Label) {
        match self.address_of(to) {
            Some(addr) => self.jmp_to(addr),
            None => self.forward(Inst::B { distance: 0 }, to),
        }
    }

    pub(super) fn branch(&mut self, cond: Cond, to: Label) {
        let holds = self.condition(cond);
        if self.branches_to(to) {
            match holds {
                Holds::If(cond) => self.branch_label(cond, to),
                Holds::Either(a, b) => {
                    self.branch_label(a, to);
                    self.branch_label(b, to);
                }
                Holds::Both(a, b) => self.unless(a, |this| this.branch_label(b, to)),
            }
        }
    }

    fn branch_label(&mut self, cond: machine::Cond, to: Label) {
        match self.address_of(to) {
            Some(addr) => self.branch_addr(cond, addr),
            None if self.long => self.unless(cond, |this| this.forward(Inst::B { distance: 0 }, to)),
            None => self.forward(Inst::BCond { cond, distance: 0 }, to),
        }
    }

    /// `body`, skipped unless the condition holds: a veneer for branches that reach further than conditional ones.
    fn unless(&mut self, cond: machine::Cond, body: impl FnOnce(&mut Lowerer)) {
        let skip = self.code.len();
        self.emit(Inst::BCond { cond: cond.inverse(), distance: 0 });
        body(self);
        let distance = (self.code.len() - skip) as i32;
        self.code.patch_u32(skip, Inst::BCond { cond: cond.inverse(), distance }.encode());
    }

    pub(super) fn label_addr(&mut self, dst: R, label: Label) {
        let dst = self.r(dst);
        match self.address_of(label) {
            Some(addr) => self.address(dst, addr),
            None if self.long => {
                self.forward(Inst::Adrp { dst, pages: 0 }, label);
                self.forward(page_offset(dst, 0), label);
            }
            None => self.forward(Inst::Adr { dst, distance: 0 }, label),
        }
    }

    /// `dst` = an address near the code.
    fn address(&mut self, dst: Reg, addr: u64) {
        if self.emit_aimed(Inst::Adr { dst, distance: 0 }, addr) {
            return;
        }
        if self.emit_aimed(Inst::Adrp { dst, pages: 0 }, addr) {
            return self.emit(page_offset(dst, addr));
        }
        self.fault = Some(LowerError::Reach { at: self.at, addr });
    }

    /// Emits an instruction that is to become one that reaches a label.
    fn forward(&mut self, inst: Inst, label: Label) {
        self.labels.fixups.push(Fixup { at: self.here(), label });
        self.emit(inst);
    }

    /// Emits an instruction made to reach an address, if it can be.
    fn emit_aimed(&mut self, inst: Inst, addr: u64) -> bool {
        let aimed = aim(inst.encode(), self.pc(), addr);
        if let Some(code) = aimed {
            self.code.push_u32(code);
        }
        aimed.is_some()
    }

    /// Fills in forward references; false if one is out of reach.
    pub(super) fn resolve(&mut self) -> Result<bool, LowerError> {
        for fixup in &self.labels.fixups {
            let label = fixup.label;
            let offset = self.labels.offset(label).ok_or(LowerError::Unbound { label })?;
            let at = fixup.at as usize;
            let from = self.base.wrapping_add(fixup.at.into());
            match aim(self.code.u32_at(at), from, self.base.wrapping_add(offset.into())) {
                Some(code) => self.code.patch_u32(at, code),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    pub(super) fn jmp_to(&mut self, addr: u64) {
        if !self.emit_aimed(Inst::B { distance: 0 }, addr) {
            self.address(S0, addr);
            self.emit(Inst::Br(S0));
        }
    }

    pub(super) fn branch_to(&mut self, cond: Cond, addr: u64) {
        match self.condition(cond) {
            Holds::If(cond) => self.branch_addr(cond, addr),
            Holds::Either(a, b) => {
                self.branch_addr(a, addr);
                self.branch_addr(b, addr);
            }
            Holds::Both(a, b) => self.unless(a, |this| this.branch_addr(b, addr)),
        }
    }

    fn branch_addr(&mut self, cond: machine::Cond, addr: u64) {
        if !self.emit_aimed(Inst::BCond { cond, distance: 0 }, addr) {
            self.unless(cond, |this| this.jmp_to(addr));
        }
    }

    pub(super) fn exit(&mut self, cond: Cond, dst: R, value: u32, to: u64, through: bool) {
        let leave = |this: &mut Lowerer, cond| {
            let exit = |this: &Lowerer| OutOfLine { branch: this.here(), at: this.at, dst, value, to, through };
            if this.long {
                this.unless(cond, |this| {
                    this.exits.push(exit(this));
                    this.emit(Inst::B { distance: 0 });
                });
            } else {
                this.exits.push(exit(this));
                this.emit(Inst::BCond { cond, distance: 0 });
            }
        };
        match self.condition(cond) {
            Holds::If(cond) => leave(self, cond),
            Holds::Either(a, b) => {
                leave(self, a);
                leave(self, b);
            }
            Holds::Both(a, b) => self.unless(a, |this| leave(this, b)),
        }
        self.r(dst);
    }

    /// Emits the code of exits; false if a branch does not reach it.
    pub(super) fn emit_exits(&mut self) -> bool {
        let mut reached = true;
        for i in 0..self.exits.len() {
            let OutOfLine { branch, at, dst, value, to, through } = self.exits[i];
            let site = branch as usize;
            match aim(self.code.u32_at(site), self.base.wrapping_add(branch.into()), self.pc()) {
                Some(code) => self.code.patch_u32(site, code),
                None => reached = false,
            }
            let dst = self.r(dst);
            self.imm(dst, value.into());
            // Errors are those of the instruction, not of the end.
            let end = core::mem::replace(&mut self.at, at);
            if through {
                self.jmp_slot(to)
            } else {
                self.jmp_to(to)
            }
            self.at = end;
        }
        reached
    }

    /// The constants, behind everything else. Says whether all loads reach theirs.
    pub(super) fn emit_literals(&mut self) -> bool {
        self.instructions = self.code.len();
        if self.literals.is_empty() {
            return true;
        }
        self.align(LITERAL_BYTES);
        let mut reached = true;
        for i in 0..self.literals.len() {
            let (load, value) = self.literals[i];
            match aim(self.code.u32_at(load as usize), self.base.wrapping_add(load.into()), self.pc()) {
                Some(code) => self.code.patch_u32(load as usize, code),
                None => reached = false,
            }
            self.code.push_bits(value, LITERAL_BYTES.into());
        }
        reached
    }

    pub(super) fn call(&mut self, addr: u64) {
        if !self.emit_aimed(Inst::Bl { distance: 0 }, addr) {
            if self.emit_aimed(Inst::Adrp { dst: S0, pages: 0 }, addr) {
                self.emit(page_offset(S0, addr));
            } else {
                self.imm(S0, addr);
            }
            self.emit(Inst::Blr(S0));
        }
    }

    /// Bytes as they are, up to where the next instruction can be.
    pub(super) fn data(&mut self, bytes: &[u8], len: u8) {
        for word in bytes[..(len as usize).min(bytes.len())].chunks(4) {
            self.code.push_u32((0..).zip(word).fold(0, |all, (i, &byte)| all | u32::from(byte) << (8 * i)));
        }
    }

    pub(super) fn align(&mut self, to: u8) {
        // What follows stays where it is.
        self.copied = None;
        while self.pc() & u64::from(to.max(1) - 1) & !3 != 0 {
            self.emit(Inst::Nop);
        }
    }

    pub(super) fn enter_stub(&mut self) {
        self.emit(Inst::StorePair { a: Reg::FP, b: Reg::LR, dst: PairAddr::Before(Reg::SP, -LINK_BYTES) });
    }

    pub(super) fn leave_stub(&mut self) {
        self.emit(Inst::LoadPair { a: Reg::FP, b: Reg::LR, src: PairAddr::After(Reg::SP, LINK_BYTES) });
        self.emit(Inst::Ret);
    }

    pub(super) fn drop_stub(&mut self) {
        let imm = Imm12::low(LINK_BYTES as u64);
        self.emit(Inst::SumImm { op: Sum::Add, size: Size::B64, dst: Reg::SP, a: Reg::SP, imm });
    }

    pub(super) fn jmp_slot(&mut self, slot: u64) {
        if !self.emit_aimed(Inst::LoadLiteral { dst: S0, distance: 0 }, slot) {
            if !self.emit_aimed(Inst::Adrp { dst: S0, pages: 0 }, slot) {
                self.fault = Some(LowerError::Reach { at: self.at, addr: slot });
            }
            let offset = (slot & PAGE_MASK) as i64;
            let log2 = Size::B64.log2();
            let src = Addr::offset(S0, offset, log2).unwrap_or_else(|| {
                self.emit(page_offset(S0, slot));
                Addr::Scaled(S0, 0)
            });
            self.emit(Inst::Load { size: Size::B64, signed: false, dst: S0, src });
        }
        self.emit(Inst::Br(S0));
    }

    pub(super) fn enter(&mut self) {
        self.emit(Inst::StorePair { a: Reg::FP, b: Reg::LR, dst: PairAddr::Before(Reg::SP, -FRAME_BYTES) });
        // A chain of frames, as debuggers and profilers walk them.
        self.emit(Inst::SumImm { op: Sum::Add, size: Size::B64, dst: Reg::FP, a: Reg::SP, imm: Imm12::ZERO });
        for (i, (a, b)) in (1..).zip(SAVED) {
            self.emit(Inst::StorePair { a: Reg::x(a), b: Reg::x(b), dst: PairAddr::Offset(Reg::SP, 16 * i) });
        }
    }

    pub(super) fn leave(&mut self) {
        for (i, (a, b)) in (1..).zip(SAVED) {
            self.emit(Inst::LoadPair { a: Reg::x(a), b: Reg::x(b), src: PairAddr::Offset(Reg::SP, 16 * i) });
        }
        self.emit(Inst::LoadPair { a: Reg::FP, b: Reg::LR, src: PairAddr::After(Reg::SP, FRAME_BYTES) });
        self.emit(Inst::Ret);
    }
}

const PAGE_MASK: u64 = 0xfff;

/// Adds to an address by `adrp` what its page lacks.
fn page_offset(dst: Reg, addr: u64) -> Inst {
    Inst::SumImm { op: Sum::Add, size: Size::B64, dst, a: dst, imm: Imm12::low(addr) }
}
