//! Values as operands: where an operation finds a word or a limb of it, and the registers that it may overwrite.

use super::values::{Regs, State, ValueId, at, imm32, number, word_imm32};
use crate::ir::{AluOp, Ins, Quad, R, ShiftOp, Src, WSrc, Width};

impl State {
    /// Whether a value can still be had: an element or an operation refers to it, or it is a constant.
    pub fn is_known(&self, v: ValueId) -> bool {
        self.value(v).refs > 0 || self.value(v).konst.is_some()
    }

    /// Whether the operation holds the only reference.
    pub fn is_last(&self, v: ValueId) -> bool {
        self.value(v).refs == 1
    }

    pub(super) fn touch(&mut self, v: ValueId) {
        self.clock += 1;
        let clock = self.clock;
        self.value_mut(v).stamp = clock;
        self.pinned |= self.regs_mask(v);
    }

    /// Loads a value into fresh registers (one if it is narrow), pinned.
    pub(super) fn load_regs(&mut self, v: ValueId) {
        let value = *self.value(v);
        debug_assert!(value.regs == Regs::None);
        if value.bits <= 64 || value.signed {
            let r = self.alloc();
            match (value.konst, value.slot) {
                (Some(k), _) => {
                    let value = self.const_of(k).as_limbs()[0];
                    self.out.push(Ins::Imm { dst: r, value });
                }
                (None, slot) => {
                    let (base, disp) = self.slot_at(slot.expect("a live value is somewhere"));
                    self.out.push(Ins::Load { width: Width::B64, signed: false, dst: r, mem: at(base, disp) });
                }
            }
            self.set_regs(v, if value.signed { Regs::Signed(r) } else { Regs::Narrow(r) });
        } else {
            let q = self.alloc_quad();
            self.fill(q, v);
            self.set_regs(v, Regs::Wide(q));
        }
    }

    /// A word that is one limb and its sign becomes four limbs, for operations that know no others. Between operations only: flags are lost.
    pub fn spread(&mut self, v: ValueId) {
        match self.value(v).regs {
            Regs::Signed(_) => {
                self.kill_flags();
                self.quad(v);
                self.unpin();
            }
            // It will be loaded as four limbs, if it is.
            Regs::None if self.value(v).signed => self.change(v).signed = false,
            Regs::None | Regs::Narrow(_) | Regs::Wide(_) => {}
        }
    }

    /// Emits code that puts `v` into `q`.
    pub(super) fn fill(&mut self, q: Quad, v: ValueId) {
        let value = *self.value(v);
        match (value.regs, value.konst, value.slot) {
            (Regs::Wide(src), _, _) => self.out.push(Ins::WMov { dst: q, src }),
            (Regs::Narrow(src), _, _) => {
                self.out.push(Ins::Mov { dst: q.0[0], src });
                q.0[1..].iter().for_each(|&dst| self.out.push(Ins::Imm { dst, value: 0 }));
            }
            (Regs::Signed(src), _, _) => {
                let [low, sign, above @ ..] = q.0;
                self.out.push(Ins::Mov { dst: low, src });
                self.out.push(Ins::ShiftImm { op: ShiftOp::Sar, dst: sign, a: src, amount: 63 });
                above.iter().for_each(|&dst| self.out.push(Ins::Mov { dst, src: sign }));
            }
            (Regs::None, Some(k), _) => {
                let limbs = *self.const_of(k).as_limbs();
                for (dst, value) in q.0.into_iter().zip(limbs) {
                    self.out.push(Ins::Imm { dst, value });
                }
            }
            (Regs::None, None, slot) => {
                let (base, disp) = self.slot_at(slot.expect("a live value is somewhere"));
                self.out.push(Ins::WLoad { dst: q, base, disp });
            }
        }
    }

    /// The low limb in a register, not to be changed.
    pub fn low(&mut self, v: ValueId) -> R {
        match self.value(v).regs {
            Regs::Narrow(r) | Regs::Signed(r) => {
                self.touch(v);
                r
            }
            Regs::Wide(q) => {
                self.touch(v);
                q.0[0]
            }
            Regs::None if self.value(v).bits <= 64 || self.value(v).signed => {
                self.load_regs(v);
                self.touch(v);
                self.low(v)
            }
            Regs::None => self.quad(v).0[0],
        }
    }

    /// All limbs in registers, not to be changed.
    pub fn quad(&mut self, v: ValueId) -> Quad {
        if let Regs::Wide(q) = self.value(v).regs {
            self.touch(v);
            return q;
        }
        self.touch(v);
        let q = self.alloc_quad();
        self.fill(q, v);
        self.drop_regs(v);
        self.set_regs(v, Regs::Wide(q));
        self.touch(v);
        q
    }

    /// All limbs in registers that the operation may overwrite: the value's own if nothing else refers to it, else a copy.
    pub fn take_quad(&mut self, v: ValueId) -> Quad {
        self.touch(v);
        if self.is_last(v)
            && let Regs::Wide(q) = self.value(v).regs
        {
            self.disown_quad(q);
            self.change(v).regs = Regs::None;
            return q;
        }
        let q = self.alloc_quad();
        self.fill(q, v);
        self.pinned &= !self.regs_mask(v);
        q
    }

    /// The low limb in a register that the operation may overwrite.
    pub fn take_low(&mut self, v: ValueId) -> R {
        if self.is_last(v)
            && let Regs::Narrow(r) | Regs::Signed(r) = self.value(v).regs
        {
            self.touch(v);
            self.reg_owner[number(r)] = None;
            self.change(v).regs = Regs::None;
            return r;
        }
        self.touch(v);
        let dst = self.alloc();
        self.limb_to(v, 0, dst);
        self.pinned &= !self.regs_mask(v);
        dst
    }

    /// A register for a result made from the low limb, and the register that this is in: the same if nothing else refers to the value.
    pub fn low_for(&mut self, v: ValueId) -> (R, R) {
        let from = match self.limb(v, 0) {
            Some(Src::R(from)) if !(self.is_last(v) && self.is_one_limb(v)) => from,
            _ => {
                let dst = self.take_low(v);
                return (dst, dst);
            }
        };
        self.touch(v);
        let dst = self.alloc();
        self.pinned &= !self.regs_mask(v);
        (dst, from)
    }

    /// Whether one register holds the value.
    fn is_one_limb(&self, v: ValueId) -> bool {
        matches!(self.value(v).regs, Regs::Narrow(_) | Regs::Signed(_))
    }

    /// The register of the element at `i` if it is in one and nothing else refers to it.
    pub fn own_register(&self, i: usize) -> Option<R> {
        let v = self.at(i);
        match self.value(v).regs {
            Regs::Narrow(r) | Regs::Signed(r) if self.is_last(v) && self.value(v).konst.is_none() => Some(r),
            _ => None,
        }
    }

    /// Pins a value's registers until the operation ends.
    pub fn hold(&mut self, v: ValueId) {
        self.touch(v);
    }

    /// One limb as an operand, if it needs no code: a register, memory, or a small constant.
    pub fn limb(&self, v: ValueId, i: usize) -> Option<Src> {
        let value = self.value(v);
        if let Some(k) = value.konst {
            return imm32(self.const_of(k).as_limbs()[i]).map(Src::I);
        }
        match (value.regs, value.slot) {
            (Regs::Wide(q), _) => Some(Src::R(q.0[i])),
            (Regs::Narrow(r), _) => Some(if i == 0 { Src::R(r) } else { Src::I(0) }),
            (Regs::Signed(r), _) if i == 0 => Some(Src::R(r)),
            (Regs::Signed(_), _) => unreachable!("operations that want more limbs spread it"),
            (Regs::None, Some(_)) if usize::from(value.bits) <= 64 * i => Some(Src::I(0)),
            (Regs::None, Some(s)) => {
                let (base, disp) = self.slot_at(s);
                Some(Src::M(at(base, disp + 8 * i as i32)))
            }
            (Regs::None, None) => None,
        }
    }

    /// Loads one limb into a register. Flags survive.
    pub fn limb_to(&mut self, v: ValueId, i: usize, dst: R) {
        let ins = match self.limb(v, i) {
            Some(Src::R(src)) if src == dst => return,
            Some(Src::R(src)) => Ins::Mov { dst, src },
            Some(Src::I(value)) => Ins::Imm { dst, value: value as i64 as u64 },
            Some(Src::M(mem)) => Ins::Load { width: Width::B64, signed: false, dst, mem },
            None => {
                let k = self.konst(v).expect("only a large constant is no operand");
                Ins::Imm { dst, value: k.as_limbs()[i] }
            }
        };
        self.out.push(ins);
    }

    /// The register that one limb is in, or `tmp`, into which it is loaded.
    pub fn limb_in(&mut self, v: ValueId, i: usize, tmp: R) -> R {
        match self.limb(v, i) {
            Some(Src::R(r)) => r,
            Some(_) | None => {
                self.limb_to(v, i, tmp);
                tmp
            }
        }
    }

    /// One limb as an operand, through `tmp` if it needs code.
    pub fn limb_or(&mut self, v: ValueId, i: usize, tmp: R) -> Src {
        self.limb(v, i).unwrap_or_else(|| {
            self.limb_to(v, i, tmp);
            Src::R(tmp)
        })
    }

    /// The limbs above the lowest, or-ed into `dst`.
    pub fn upper_limbs(&mut self, v: ValueId, dst: R, tmp: R) {
        self.limb_to(v, 1, dst);
        self.or_limbs(v, 2, dst, tmp);
    }

    /// Ors the limbs from `first` on into `dst`.
    pub fn or_limbs(&mut self, v: ValueId, first: usize, dst: R, tmp: R) {
        for i in first..4 {
            let b = self.limb_or(v, i, tmp);
            if b != Src::I(0) {
                self.out.push(Ins::Alu { op: AluOp::Or, flags: false, dst, a: dst, b });
            }
        }
    }

    /// The value as the second operand of a word instruction, pinned.
    pub fn wsrc(&mut self, v: ValueId) -> WSrc {
        let value = *self.value(v);
        if let Some(i) = value.konst.and_then(|k| word_imm32(self.const_of(k))) {
            return WSrc::I(i);
        }
        match (value.regs, value.konst, value.slot) {
            (Regs::Narrow(r), _, _) => {
                self.touch(v);
                WSrc::N(r)
            }
            (Regs::None, None, Some(s)) => {
                let (base, disp) = self.slot_at(s);
                WSrc::M(base, disp)
            }
            (Regs::Wide(_) | Regs::Signed(_) | Regs::None, _, _) => WSrc::Q(self.quad(v)),
        }
    }
}
