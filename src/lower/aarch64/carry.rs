//! What the carry flag means. After an addition it is set when there was a carry; after a subtraction it is set when there was *no* borrow
//! (Arm ARM, `AddWithCarry`). The IR's conditions are about carry and borrow, so whoever reads the flag must know which of the two wrote it.
//!
//! That is known along a straight line. Across labels it is known if all ways to the label agree; where they do not, reading is refused.

use crate::ir::{AluOp, FlagEffect, Ins, Label, WordOp};

/// Who wrote the carry flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Carry {
    /// Nobody: there is no carry to read, or no way to get here.
    #[default]
    None,
    /// An addition: set for carry.
    Sum,
    /// A subtraction: clear for borrow.
    Difference,
    /// It depends on the way here.
    Mixed,
}

impl Carry {
    fn merge(self, other: Carry) -> Carry {
        match (self, other) {
            (Carry::None, x) | (x, Carry::None) => x,
            (x, y) if x == y => x,
            _ => Carry::Mixed,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct At {
    carry: Carry,
    bound: bool,
    /// Code behind the label counts on it.
    read: bool,
}

/// The state at the instruction being lowered, and at labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Carries {
    now: Carry,
    labels: Vec<At>,
    /// Labels since the flags were last written.
    across: Vec<Label>,
}

impl Carries {
    pub(super) fn clear(&mut self) {
        self.now = Carry::None;
        self.labels.clear();
        self.across.clear();
    }

    fn label(&mut self, label: Label) -> &mut At {
        let index = label.0 as usize;
        if index >= self.labels.len() {
            self.labels.resize(index + 1, At::default());
        }
        &mut self.labels[index]
    }

    /// What the flag means to an instruction that reads it.
    pub(super) fn read(&mut self) -> Carry {
        self.keep();
        self.now
    }

    /// What is known now is counted on somewhere.
    fn keep(&mut self) {
        while let Some(label) = self.across.pop() {
            self.label(label).read = true;
        }
    }

    pub(super) fn bind(&mut self, label: Label) {
        let fallen = self.now;
        let at = self.label(label);
        at.carry = at.carry.merge(fallen);
        at.bound = true;
        self.now = at.carry;
        self.across.push(label);
    }

    /// A branch to a label; false if code behind the label counts on something else.
    pub(super) fn branch(&mut self, label: Label) -> bool {
        let now = self.now;
        let at = self.label(label);
        if at.bound {
            return !at.read || now == at.carry || now == Carry::None;
        }
        at.carry = at.carry.merge(now);
        self.keep();
        true
    }

    /// The state after an instruction, labels and branches aside.
    pub(super) fn after(&mut self, ins: &Ins) {
        let written = match ins {
            Ins::Alu { flags: true, op, .. } | Ins::AluMem { op, .. } => match op {
                AluOp::Add | AluOp::Adc => Carry::Sum,
                AluOp::Sub | AluOp::Sbb => Carry::Difference,
                AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => Carry::None,
            },
            Ins::W { op, .. } => match op {
                WordOp::Add => Carry::Sum,
                WordOp::Sub => Carry::Difference,
                WordOp::And | WordOp::Or | WordOp::Xor => Carry::None,
            },
            Ins::Cmp { .. } | Ins::CmpMem { .. } | Ins::WCmp { .. } | Ins::WCmpMem { .. } => Carry::Difference,
            // Nothing goes on behind these.
            Ins::Jmp(_) | Ins::JmpTo { .. } | Ins::JmpSlot { .. } | Ins::JmpReg(_) | Ins::JmpMem(_) | Ins::Trap => Carry::None,
            _ if ins.flag_effect() == FlagEffect::Keep => return,
            _ => Carry::None, // flags of logic, or rubbish
        };
        self.now = written;
        self.across.clear();
    }
}
