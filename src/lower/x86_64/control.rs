//! Labels, jumps, the prologue.

use super::*;
use crate::asm::Code;
use crate::lower::labels::Fixup;

/// Pushed by `Enter` in this order.
const SAVED: [Reg; 6] = [Reg::Rbx, Reg::Rbp, Reg::R12, Reg::R13, Reg::R14, Reg::R15];

/// What six registers and the return address, or the return address of a stub alone, leave to the next multiple of sixteen.
pub(super) const PADDING: i32 = 8;

const SHORT_LEN: i64 = 2;
const JMP_LEN: i64 = 5;
const JCC_LEN: i64 = 6;

/// What is emitted after the stream: the code of an exit.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutOfLine {
    /// Index of the instruction.
    at: usize,
    /// Where the branch's distance is.
    distance: u32,
    dst: Reg,
    value: u32,
    to: u64,
    through: bool,
}

/// The distance from the end of an instruction of `len` bytes, if it fits 32 bits.
fn near(distance: i64, len: i64) -> Option<i32> {
    i32::try_from(distance.checked_sub(len)?).ok()
}

impl Lowerer {
    #[inline(always)]
    pub(super) fn here(&self) -> u32 {
        self.code.len() as u32
    }

    #[inline]
    pub(super) fn label(&mut self, label: Label) {
        self.zeroed = false;
        if label.0 >= MAX_LABELS {
            self.fault = Some(Fault::LabelNumber(label));
        } else if !self.labels.bind(label, self.here()) {
            self.fault = Some(Fault::Rebound(label));
        }
    }

    pub(super) fn jmp(&mut self, to: Label) {
        match self.backward(to) {
            Some(distance) => self.jmp_by(distance),
            None => {
                self.emit(Inst::JmpRel { rel: 0 });
                self.fix_up(to);
            }
        }
    }

    pub(super) fn branch(&mut self, cond: Cond, to: Label) {
        match self.backward(to) {
            Some(distance) => self.branch_by(cc(cond), distance),
            None => {
                self.emit(Inst::JccRel { cc: cc(cond), rel: 0 });
                self.fix_up(to);
            }
        }
    }

    pub(super) fn label_addr(&mut self, dst: R, label: Label) {
        let dst = self.r(dst);
        self.emit(Inst::LeaRip { dst, disp: 0 });
        self.fix_up(label);
    }

    /// The distance from here to a label that is bound already.
    fn backward(&self, to: Label) -> Option<i32> {
        self.labels.offset(to).map(|offset| offset.wrapping_sub(self.here()) as i32)
    }

    /// The four bytes just emitted are to become the distance to a label.
    #[inline]
    pub(super) fn fix_up(&mut self, label: Label) {
        self.labels.fixups.push(Fixup { at: self.here() - 4, label });
    }

    /// Fills in the distances of forward branches.
    pub(super) fn resolve(&mut self) -> Result<(), LowerError> {
        for fixup in &self.labels.fixups {
            let label = fixup.label;
            let offset = self.labels.offset(label).ok_or(LowerError::Unbound { label })?;
            self.code.patch_u32(fixup.at as usize, offset.wrapping_sub(fixup.at + 4));
        }
        Ok(())
    }

    fn jmp_by(&mut self, distance: i32) {
        let distance = distance as i64;
        match (i8::try_from(distance - SHORT_LEN), near(distance, JMP_LEN)) {
            (Ok(rel), _) => self.emit(Inst::JmpShort { rel }),
            (Err(_), Some(rel)) => self.emit(Inst::JmpRel { rel }),
            (Err(_), None) => self.fault = Some(Fault::Reach(self.base)),
        }
    }

    fn branch_by(&mut self, cc: Cc, distance: i32) {
        let distance = distance as i64;
        match (i8::try_from(distance - SHORT_LEN), near(distance, JCC_LEN)) {
            (Ok(rel), _) => self.emit(Inst::JccShort { cc, rel }),
            (Err(_), Some(rel)) => self.emit(Inst::JccRel { cc, rel }),
            (Err(_), None) => self.fault = Some(Fault::Reach(self.base)),
        }
    }

    /// The distance from here to an address.
    fn distance_to(&mut self, addr: u64) -> i32 {
        let here = self.base.wrapping_add(self.here() as u64);
        i32::try_from(addr.wrapping_sub(here) as i64).unwrap_or_else(|_| {
            self.fault = Some(Fault::Reach(addr));
            0
        })
    }

    pub(super) fn jmp_to(&mut self, addr: u64) {
        let distance = self.distance_to(addr);
        self.jmp_by(distance);
    }

    pub(super) fn branch_to(&mut self, cond: Cond, addr: u64) {
        let distance = self.distance_to(addr);
        self.branch_by(cc(cond), distance);
    }

    pub(super) fn jmp_slot(&mut self, slot: u64) {
        let jmp = Inst::JmpRip { disp: 0 }.encode();
        let end = self.base.wrapping_add(self.code.len() as u64 + jmp.len() as u64);
        match i32::try_from(slot.wrapping_sub(end) as i64) {
            Ok(disp) => self.emit(Inst::JmpRip { disp }),
            Err(_) => self.fault = Some(Fault::Reach(slot)),
        }
    }

    /// The instruction `at`; what it sets is a register and its value.
    pub(super) fn exit(&mut self, at: usize, cond: Cond, (dst, value): (R, u32), to: u64, through: bool) {
        let dst = self.r(dst);
        self.forward_branch(cc(cond));
        self.exits.push(OutOfLine { at, distance: self.here() - 4, dst, value, to, through });
    }

    /// The code of the exits, after the stream.
    pub(super) fn emit_exits(&mut self) -> Result<(), LowerError> {
        for i in 0..self.exits.len() {
            let OutOfLine { at, distance: site, dst, value, to, through } = self.exits[i];
            let distance = self.here().wrapping_sub(site + 4);
            self.code.patch_u32(site as usize, distance);
            let number = u64::from(dst.number());
            let head = (0x41 | (0xb8 | number & 7) << 8, 0xb8 | number & 7);
            let (bits, len) = if number >= 8 { (head.0 | u64::from(value) << 16, 6) } else { (head.1 | u64::from(value) << 8, 5) };
            self.code.push_bits(bits, len);
            if through {
                self.jmp_slot(to)
            } else {
                self.jmp_to(to)
            }
            if let Some(fault) = self.fault {
                return Err(fault.at(at, &Ins::Trap));
            }
        }
        Ok(())
    }

    pub(super) fn move_sp(&mut self, op: Alu, bytes: i32) {
        self.emit(Inst::AluImm { op, size: Size::B64, dst: Rm::R(Reg::Rsp), imm: bytes });
    }

    /// Near, or through a register that a call clobbers and that carries no argument.
    pub(super) fn call(&mut self, addr: u64) {
        self.zeroed = false;
        self.clear_upper();
        let distance = addr.wrapping_sub(self.base.wrapping_add(self.here() as u64)) as i64;
        match near(distance, Inst::CallRel { rel: 0 }.encode().len() as i64) {
            Some(rel) => self.emit(Inst::CallRel { rel }),
            None => {
                self.emit(Inst::MovImm { dst: Reg::R11, value: addr });
                self.emit(Inst::Call(Rm::R(Reg::R11)));
            }
        }
    }

    pub(super) fn data(&mut self, bytes: [u8; 16], len: u8) {
        for byte in bytes.into_iter().take(len.into()) {
            self.code.push(Code::short(byte.into(), 1));
        }
    }

    pub(super) fn align(&mut self, to: u8) {
        let here = self.base.wrapping_add(self.here() as u64);
        for _ in 0..here.wrapping_neg() & u64::from(to.max(1) - 1) {
            self.emit(Inst::Nop);
        }
    }

    pub(super) fn enter(&mut self) {
        for r in SAVED {
            self.emit(Inst::Push(r));
        }
        self.move_sp(Alu::Sub, PADDING);
    }

    pub(super) fn leave(&mut self) {
        self.clear_upper();
        self.move_sp(Alu::Add, PADDING);
        for r in SAVED.into_iter().rev() {
            self.emit(Inst::Pop(r));
        }
        self.emit(Inst::Ret);
    }
}
