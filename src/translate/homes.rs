//! Values and their slots: spilling, and bringing elements home. A *home* is the slot of the element's stack position.

use super::edge::{store_const, store_signed};
use super::values::{Regs, State, TooLong, ValueId, at, has_bits, masks, number};
use crate::abi::SPILL_SLOTS;
use crate::evm::U256;
use crate::ir::{Ins, R, WSrc, Width};

impl State {
    /// The address of a slot.
    pub fn slot_at(&self, slot: i32) -> (R, i32) {
        (self.target.sp, (slot - self.base) * 32)
    }

    /// A slot that no value is in: the home of the next element to be pushed if it is free, else a spill slot. The caller puts a value there
    /// at once.
    pub fn reserve_slot(&mut self) -> i32 {
        let home = self.height();
        if home < self.grow && self.slot_owner[(home + self.need) as usize].is_none() {
            return home;
        }
        self.spill_slot()
    }

    pub(super) fn spill_slot(&mut self) -> i32 {
        self.moved = true;
        let first = self.grow;
        for i in 0..SPILL_SLOTS as i32 {
            if self.slot_owner[(first + i + self.need) as usize].is_none() {
                return first + i;
            }
        }
        self.overflow = Some(TooLong);
        first
    }

    /// Where to spill `v`: its home if that is free, else a spill slot.
    pub(super) fn slot_for(&mut self, v: ValueId) -> i32 {
        let top = self.stack.len();
        for i in (top.saturating_sub(24)..top).rev() {
            if self.stack[i] == v && self.slot_owner[i].is_none() {
                return i as i32 - self.need;
            }
        }
        self.spill_slot()
    }

    /// Makes sure that `v` is in memory and says in which slot. Flags survive; only the first scratch register is used.
    pub fn ensure_slot(&mut self, v: ValueId) -> i32 {
        self.ensure_slot_by(v, self.target.scratch[0])
    }

    /// As [`State::ensure_slot`], through `tmp`: a value's own register will do if it is given up, and the value is in one.
    pub(super) fn ensure_slot_by(&mut self, v: ValueId, tmp: R) -> i32 {
        if let Some(s) = self.value(v).slot {
            return s;
        }
        self.moved = true;
        let s = self.slot_for(v);
        self.store_to(v, s, tmp);
        self.change(v).slot = Some(s);
        self.slot_owner[(s + self.need) as usize] = Some(v);
        s
    }

    /// Writes `v`'s 32 bytes to a slot, without recording it.
    fn store_to(&mut self, v: ValueId, slot: i32, tmp: R) {
        let (base, disp) = self.slot_at(slot);
        let value = *self.value(v);
        match (value.regs, value.konst, value.slot) {
            (Regs::Narrow(r), _, _) => self.out.push(Ins::WStore { src: WSrc::N(r), base, disp }),
            (Regs::Signed(r), _, _) => store_signed(r, base, disp, tmp, &mut self.out),
            (Regs::Wide(q), _, _) => self.out.push(Ins::WStore { src: WSrc::Q(q), base, disp }),
            (Regs::None, Some(k), _) => {
                let k = *self.const_of(k);
                store_const(&k, base, disp, tmp, &mut self.out);
            }
            (Regs::None, None, Some(s)) => self.copy_slot(s, slot, value.bits),
            (Regs::None, None, None) => {
                let cond = value.flags.expect("a live value is somewhere");
                self.out.push(Ins::Set { cond, dst: tmp });
                self.out.push(Ins::WStore { src: WSrc::N(tmp), base, disp });
            }
        }
    }

    /// Copies a slot with a word of so many bits limb by limb: its last write may have been limb by limb, and a wider read would stall.
    pub(super) fn copy_slot(&mut self, from: i32, to: i32, bits: u16) {
        let tmp = self.target.scratch[0];
        let (base, from) = self.slot_at(from);
        let (_, to) = self.slot_at(to);
        if bits <= 64 {
            self.out.push(Ins::Load { width: Width::B64, signed: false, dst: tmp, mem: at(base, from) });
            self.out.push(Ins::WStore { src: WSrc::N(tmp), base, disp: to });
            return;
        }
        for i in 0..4 {
            self.out.push(Ins::Load { width: Width::B64, signed: false, dst: tmp, mem: at(base, from + 8 * i) });
            self.out.push(Ins::Store { width: Width::B64, src: tmp, mem: at(base, to + 8 * i) });
        }
    }

    /// Brings the top `count` elements home (all, if `None`). Flags survive; only the first scratch register is used.
    pub fn flush(&mut self, count: Option<usize>) {
        self.kill_flags();
        let bottom = count.map_or(0, |n| self.stack.len() - n);
        self.bring_home(|s, i| i >= bottom && s.slot_owner[i] != Some(s.stack[i]));
        if count.is_none() {
            self.rehome();
        }
    }

    /// Writes the elements that `which` chooses to their homes.
    pub fn bring_home(&mut self, which: impl Fn(&State, usize) -> bool) {
        let mut todo = std::mem::take(&mut self.todo);
        todo.clear();
        todo.extend((0..self.stack.len()).filter(|&i| which(self, i)).map(|i| i as i32));
        while !todo.is_empty() {
            let before = todo.len();
            todo.retain(|&i| !self.try_home(i as usize));
            if todo.len() == before {
                let stuck = self.slot_owner[todo[0] as usize].expect("a stuck slot is owned");
                self.evacuate(stuck);
            }
        }
        self.todo = todo;
    }

    /// When every element is at home: a value that is several elements counts as being in the lowest one's slot, which lives longest.
    pub(super) fn rehome(&mut self) {
        self.slot_owner.fill(None);
        for i in (0..self.stack.len()).rev() {
            let v = self.stack[i];
            self.change(v).slot = Some(i as i32 - self.need);
        }
        for i in 0..self.stack.len() {
            let v = self.stack[i];
            if self.value(v).slot == Some(i as i32 - self.need) {
                self.slot_owner[i] = Some(v);
            }
        }
    }

    /// Stores the element at stack index `i` to its home if nothing there is still needed.
    pub(super) fn try_home(&mut self, i: usize) -> bool {
        let v = self.stack[i];
        let slot = i as i32 - self.need;
        if let Some(w) = self.slot_owner[i] {
            let other = self.value(w);
            if other.regs == Regs::None && other.konst.is_none() {
                return false;
            }
            self.drop_slot(w);
        }
        self.store_to(v, slot, self.target.scratch[0]);
        if self.value(v).slot.is_none() {
            self.change(v).slot = Some(slot);
            self.slot_owner[i] = Some(v);
        }
        true
    }

    /// Moves a value that is only in memory out of its slot.
    pub(super) fn evacuate(&mut self, v: ValueId) {
        if has_bits(self.free & !self.pinned, 4) {
            self.load_regs(v);
            self.unpin();
            self.drop_slot(v);
        } else {
            let to = self.spill_slot();
            let from = self.value(v).slot.expect("it is in memory");
            self.copy_slot(from, to, self.value(v).bits);
            self.drop_slot(v);
            self.change(v).slot = Some(to);
            self.slot_owner[(to + self.need) as usize] = Some(v);
        }
        if self.overflow.is_some() {
            // The translation is thrown away: only termination matters.
            self.drop_slot(v);
            let zero = self.new_const(U256::ZERO);
            self.change(v).konst = Some(zero);
        }
    }

    /// Before a call that takes `inputs` operands and puts a result in their place: what else is in that slot, and nowhere else that
    /// survives the call, moves away.
    pub fn vacate_result(&mut self, inputs: usize) {
        let i = self.stack.len() - inputs;
        let Some(v) = self.slot_owner.get(i).copied().flatten() else { return };
        let among_operands = self.stack[i..].iter().filter(|&&other| other == v).count();
        let value = *self.value(v);
        if usize::from(value.refs) == among_operands {
            return;
        }
        if value.konst.is_none() && value.regs == Regs::None {
            let to = self.spill_slot();
            self.copy_slot(self.position(i), to, value.bits);
            self.drop_slot(v);
            self.change(v).slot = Some(to);
            self.slot_owner[(to + self.need) as usize] = Some(v);
        } else {
            self.drop_slot(v);
        }
    }

    /// After a call that may have changed registers and the top of the stack: `inputs` operands are gone, results will be pushed by the
    /// caller. Everything left is at home.
    pub fn after_frame_op(&mut self, inputs: usize) {
        for _ in 0..inputs {
            let v = self.pop();
            self.release(v);
        }
        let saved = masks(self.target.saved);
        for &r in self.target.words {
            if let Some(v) = self.reg_owner[number(r)]
                && self.regs_mask(v) & !saved != 0
            {
                self.drop_regs(v);
            }
        }
    }

    /// Pushes an element that a runtime function has put at its home.
    pub fn push_home(&mut self) {
        let home = self.height();
        debug_assert!(self.slot_owner[(home + self.need) as usize].is_none());
        self.push_slot(home, 256);
    }
}
