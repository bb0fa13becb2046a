//! Registers and flags: which are free, and what goes to memory when none is.

use super::values::{Regs, State, ValueId, has_bits, mask, masks, number, quad_mask};
use crate::ir::{Cond, Ins, Quad, R};

impl State {
    /// A free register, pinned until the operation ends. Spills if there is none. Emits only moves and stores: flags survive.
    pub fn alloc(&mut self) -> R {
        while self.free & !self.pinned == 0 {
            self.evict();
        }
        self.take_free()
    }

    /// Takes a register of those that are free: there is one. Registers that calls destroy have the lower numbers.
    fn take_free(&mut self) -> R {
        let mut usable = self.free & !self.pinned;
        while self.dice.one_in(2) && usable & (usable - 1) != 0 {
            usable &= usable - 1;
        }
        let lowest = usable & usable.wrapping_neg();
        self.free &= !lowest;
        self.pinned |= lowest;
        R(lowest.trailing_zeros() as u8)
    }

    /// Gives back a register from [`State::alloc`] that got no value.
    pub fn give_back(&mut self, r: R) {
        self.free |= mask(r);
        self.pinned &= !mask(r);
    }

    /// Whether so many registers can be had without spilling.
    pub fn has_free(&self, count: u32) -> bool {
        has_bits(self.free & !self.pinned, count)
    }

    pub fn alloc_quad(&mut self) -> Quad {
        while !self.has_free(4) {
            self.evict();
        }
        Quad([self.take_free(), self.take_free(), self.take_free(), self.take_free()])
    }

    /// As [`State::alloc_quad`], for a result to be made from `v`, which stays where it is.
    pub fn alloc_beside(&mut self, v: ValueId) -> Quad {
        self.touch(v);
        self.alloc_quad()
    }

    /// Four registers for a result to be made from `v`, limb by limb: its own, and then true, if nothing else refers to it, else others.
    pub fn over_or_beside(&mut self, v: ValueId) -> (Quad, bool) {
        let is_own = self.is_last(v) && matches!(self.value(v).regs, Regs::Wide(_));
        (if is_own { self.take_quad(v) } else { self.alloc_beside(v) }, is_own)
    }

    pub(super) fn evict(&mut self) {
        let mut best: Option<(bool, u32, ValueId)> = None;
        let mut seen = 0;
        for &r in self.target.words {
            let Some(v) = self.reg_owner[number(r)] else { continue };
            if mask(r) & seen != 0 {
                continue;
            }
            let regs = self.regs_mask(v);
            seen |= regs;
            if regs & self.pinned != 0 {
                continue;
            }
            let value = self.value(v);
            let key = (value.slot.is_none() && value.konst.is_none(), value.stamp, v);
            if best.is_none_or(|b| (key.0, key.1) < (b.0, b.1)) {
                best = Some(key);
            }
        }
        let (_, _, v) = best.expect("an operation never pins every register");
        self.spill(v);
    }

    /// A value in registers is in memory instead, or nowhere if it is a constant.
    pub(super) fn spill(&mut self, v: ValueId) {
        self.moved = true;
        if self.value(v).konst.is_none() {
            let own = match self.value(v).regs {
                Regs::Signed(r) => r,
                Regs::None | Regs::Narrow(_) | Regs::Wide(_) => self.target.scratch[0],
            };
            self.ensure_slot_by(v, own);
        }
        self.drop_regs(v);
    }

    pub(super) fn regs_mask(&self, v: ValueId) -> u32 {
        match self.value(v).regs {
            Regs::None => 0,
            Regs::Narrow(r) | Regs::Signed(r) => mask(r),
            Regs::Wide(q) => quad_mask(q),
        }
    }

    /// Spills what a call would destroy.
    pub fn spill_for_call(&mut self) {
        let saved = masks(self.target.saved);
        for &r in self.target.words {
            let Some(v) = self.reg_owner[number(r)] else { continue };
            if self.regs_mask(v) & !saved != 0 {
                self.spill(v);
            }
        }
    }

    /// Turns a pending condition into a register before something overwrites the flags. Flags survive.
    #[inline]
    pub fn kill_flags(&mut self) {
        if let Some(v) = self.flags.take() {
            self.flags_to_register(v);
        }
    }

    /// What the flags are goes to a register.
    #[inline(never)]
    fn flags_to_register(&mut self, v: ValueId) {
        let cond = self.value_mut(v).flags.take().expect("the flags' value has a condition");
        let dst = self.alloc();
        self.out.push(Ins::Set { cond, dst });
        self.set_regs(v, Regs::Narrow(dst));
        self.unpin();
    }

    /// The condition that `v` is, if it is still in the flags.
    pub fn condition(&self, v: ValueId) -> Option<Cond> {
        (self.flags == Some(v)).then(|| self.value(v).flags).flatten()
    }
}
