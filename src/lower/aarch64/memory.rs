//! Addresses, loads and stores, of 64 bits and of words.

use super::*;
use crate::asm::aarch64::{Addr, PairAddr, Unary, Vec};

/// Vector registers of the lowering, for word copies.
const COPY: [Vec; 2] = [Vec(16), Vec(17)];
const LOG2_VEC: u32 = 4;
const LOG2_LIMB: u32 = Size::B64.log2();
const LIMB_BYTES: i64 = 8;
const PAIR_BYTES: i64 = 2 * LIMB_BYTES;

/// Where a word's limbs are.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub base: Reg,
    pub disp: i64,
}

impl Place {
    /// The pair of limbs from `limb` on, if one instruction reaches it.
    pub(super) fn pair(self, limb: usize) -> Option<PairAddr> {
        PairAddr::offset(self.base, self.limb(limb), LOG2_LIMB)
    }

    /// Displacement of a limb.
    fn limb(self, limb: usize) -> i64 {
        self.disp + LIMB_BYTES * limb as i64
    }
}

/// Ways to split a displacement into something to add first, and the rest, which the access takes.
fn splits(disp: i64) -> [(i64, i64); 3] {
    let low = disp & 0xfff;
    [(0, disp), (disp - low, low), (disp, 0)]
}

/// A displacement split by one addition at most, for an access of `1 << log2` bytes.
fn split(disp: i64, log2: u32) -> Option<(i64, i64)> {
    splits(disp)
        .into_iter()
        .find(|&(add, rest)| sum_operand(Sum::Add, add).is_some() && Addr::offset(Reg::SP, rest, log2).is_some())
}

impl Lowerer {
    /// `dst = base + disp`, where `base` may be `dst`, but not `scratch`.
    fn displace(&mut self, dst: Reg, base: Reg, disp: i64, scratch: Reg) {
        match disp {
            0 => self.mov(dst, base),
            disp => self.sum_imm(Sum::Add, dst, base, disp, scratch),
        }
    }

    /// An addressing mode for a place in memory; what it needs is put into `scratch`, which is no register of `mem`.
    pub(super) fn place(&mut self, mem: ir::Mem, log2: u32, scratch: Reg) -> Addr {
        let base = self.r(mem.base);
        let Some(index) = mem.index else {
            return self.at(base, mem.disp.into(), log2, scratch);
        };
        let index = self.r(index);
        if mem.disp == 0 && (mem.shift == 0 || u32::from(mem.shift) == log2) {
            return Addr::Indexed(base, index, mem.shift != 0);
        }
        let add = |b, amount| Inst::Sum { op: Sum::Add, size: Size::B64, dst: scratch, a: scratch, b, amount };
        match split(mem.disp.into(), log2) {
            Some(_) => {
                self.emit(Inst::Sum { op: Sum::Add, size: Size::B64, dst: scratch, a: base, b: index, amount: mem.shift });
                self.at(scratch, mem.disp.into(), log2, scratch)
            }
            None => {
                self.imm(scratch, mem.disp as u64);
                self.emit(add(index, mem.shift));
                Addr::Indexed(base, scratch, false)
            }
        }
    }

    /// Likewise for `[base + disp]`; `base` may be `scratch` if the displacement can be [`split`].
    fn at(&mut self, base: Reg, disp: i64, log2: u32, scratch: Reg) -> Addr {
        for (add, rest) in splits(disp) {
            let from = if add == 0 { base } else { scratch };
            if let (Some((op, imm)), Some(addr)) = (sum_operand(Sum::Add, add), Addr::offset(from, rest, log2)) {
                if add != 0 {
                    self.emit(Inst::SumImm { op, size: Size::B64, dst: scratch, a: base, imm });
                }
                return addr;
            }
        }
        self.imm(scratch, disp as u64);
        Addr::Indexed(base, scratch, false)
    }

    /// A load of 64 bits; the address may pass through `dst`, which is no register of the IR.
    pub(super) fn load_mem(&mut self, dst: Reg, mem: ir::Mem) {
        self.load_sized(Size::B64, dst, mem);
    }

    /// Likewise of any size, zero-extended.
    pub(super) fn load_sized(&mut self, size: Size, dst: Reg, mem: ir::Mem) {
        let src = self.place(mem, size.log2(), dst);
        self.emit(Inst::Load { size, signed: false, dst, src });
    }

    pub(super) fn load_ins(&mut self, width: Width, signed: bool, dst: R, mem: ir::Mem) {
        let (dst, size) = (self.r(dst), size(width));
        let src = self.place(mem, size.log2(), S0);
        self.emit(Inst::Load { size, signed: signed && size != Size::B64, dst, src });
    }

    pub(super) fn store_ins(&mut self, width: Width, src: R, mem: ir::Mem) {
        let (src, size) = (self.r(src), size(width));
        let dst = self.place(mem, size.log2(), S0);
        self.emit(Inst::Store { size, src, dst });
    }

    pub(super) fn store_imm(&mut self, width: Width, value: i32, mem: ir::Mem) {
        let size = size(width);
        let src = self.src(Src::I(value), S0);
        let dst = self.place(mem, size.log2(), S1);
        self.emit(Inst::Store { size, src, dst });
    }

    pub(super) fn load_swap(&mut self, dst: R, mem: ir::Mem) {
        self.load_ins(Width::B64, false, dst, mem);
        let dst = self.r(dst);
        self.reverse(dst, dst);
    }

    pub(super) fn store_swap(&mut self, src: R, mem: ir::Mem) {
        let src = self.r(src);
        let dst = self.place(mem, LOG2_LIMB, S1);
        self.reverse(S0, src);
        self.emit(Inst::Store { size: Size::B64, src: S0, dst });
    }

    /// Reverses bytes.
    fn reverse(&mut self, dst: Reg, src: Reg) {
        self.emit(Inst::Unary { op: Unary::Rev, dst, src });
    }

    pub(super) fn lea(&mut self, dst: R, mem: ir::Mem) {
        let dst = self.r(dst);
        self.effective(dst, mem, S0);
    }

    /// An address into `dst`, which may be a register of `mem`; `scratch` may not, and is not `dst`.
    pub(super) fn effective(&mut self, dst: Reg, mem: ir::Mem, scratch: Reg) {
        let base = self.r(mem.base);
        let mut sum = base;
        if let Some(index) = mem.index {
            let b = self.r(index);
            self.emit(Inst::Sum { op: Sum::Add, size: Size::B64, dst, a: base, b, amount: mem.shift });
            sum = dst;
        }
        self.displace(dst, sum, mem.disp.into(), scratch);
    }

    // ---- words ----

    pub(super) fn word_place(&mut self, base: R, disp: i32) -> Place {
        Place { base: self.r(base), disp: disp.into() }
    }

    /// The same place such that pairs reach it, its address in `scratch` if need be.
    fn reachable(&mut self, place: Place, scratch: Reg) -> Place {
        if place.pair(0).is_some() && place.pair(2).is_some() {
            return place;
        }
        self.displace(scratch, place.base, place.disp, scratch);
        Place { base: scratch, disp: 0 }
    }

    /// A limb into `dst`, which is not the base: the address may pass through it.
    pub(super) fn load_limb(&mut self, dst: Reg, from: Place, limb: usize) {
        let src = self.at(from.base, from.limb(limb), LOG2_LIMB, dst);
        self.emit(Inst::Load { size: Size::B64, signed: false, dst, src });
    }

    /// Two limbs from `limb` on into two registers, neither of which is the base.
    pub(super) fn load_limbs(&mut self, a: Reg, b: Reg, from: Place, limb: usize) {
        match from.pair(limb) {
            Some(src) => self.emit(Inst::LoadPair { a, b, src }),
            None => {
                self.load_limb(a, from, limb);
                self.load_limb(b, from, limb + 1);
            }
        }
    }

    /// A word from a place in reach into four registers in the order of memory; the base may be among them.
    fn load_word(&mut self, dst: [Reg; 4], from: Place) {
        // Limbs that replace the base come last.
        let order = if dst[..2].contains(&from.base) { [2, 0] } else { [0, 2] };
        for limb in order {
            match from.pair(limb) {
                Some(src) => self.emit(Inst::LoadPair { a: dst[limb], b: dst[limb + 1], src }),
                None => debug_assert!(false, "the place is in reach"),
            }
        }
    }

    /// Two registers to a place in reach.
    fn store_limbs(&mut self, a: Reg, b: Reg, to: Place, limb: usize) {
        match to.pair(limb) {
            Some(dst) => self.emit(Inst::StorePair { a, b, dst }),
            None => debug_assert!(false, "the place is in reach"),
        }
    }

    pub(super) fn word_load(&mut self, dst: Quad, base: R, disp: i32) {
        let (dst, from) = (self.quad(dst), self.word_place(base, disp));
        let from = self.reachable(from, S0);
        self.load_word(dst, from);
    }

    pub(super) fn word_store(&mut self, src: WSrc, base: R, disp: i32) {
        let to = self.word_place(base, disp);
        let [a, b, c, d] = match src {
            WSrc::M(from, from_disp) => return self.word_copy(base, disp, from, from_disp),
            WSrc::I(imm) if imm < -1 => return self.store_negative(imm, to),
            WSrc::Q(quad) => self.quad(quad),
            WSrc::N(r) => [self.r(r), Reg::ZR, Reg::ZR, Reg::ZR],
            WSrc::I(imm) => {
                let low = self.src(Src::I(imm), S0);
                if imm < 0 { [low; 4] } else { [low, Reg::ZR, Reg::ZR, Reg::ZR] }
            }
        };
        let to = self.reachable(to, S1);
        self.store_limbs(a, b, to, 0);
        self.store_limbs(c, d, to, 2);
    }

    /// A negative immediate other than -1, with one register for both of its limbs.
    fn store_negative(&mut self, imm: i32, to: Place) {
        let to = self.reachable(to, S1);
        self.imm(S0, imm as u64);
        self.store_limbs(S0, S0, to, 0);
        self.imm(S0, u64::MAX);
        self.store_limb(S0, to, 1);
        self.store_limbs(S0, S0, to, 2);
    }

    /// One limb to a place in reach, which is based on `S1` only if it has no negative displacement.
    fn store_limb(&mut self, src: Reg, to: Place, limb: usize) {
        let dst = self.at(to.base, to.limb(limb), LOG2_LIMB, S1);
        self.emit(Inst::Store { size: Size::B64, src, dst });
    }

    /// A place in reach of pairs for an address that may have an index; one based on `scratch` has no negative displacement.
    fn indexed_word(&mut self, mem: ir::Mem, scratch: Reg) -> Place {
        let place = self.word_place(mem.base, mem.disp);
        let Some(index) = mem.index else {
            return self.reachable(place, scratch);
        };
        let (b, amount) = (self.r(index), mem.shift);
        let add = |a| Inst::Sum { op: Sum::Add, size: Size::B64, dst: scratch, a, b, amount };
        if place.disp >= 0 && place.pair(0).is_some() && place.pair(2).is_some() {
            self.emit(add(place.base));
            return Place { base: scratch, ..place };
        }
        match sum_operand(Sum::Add, place.disp) {
            Some((op, imm)) => self.emit(Inst::SumImm { op, size: Size::B64, dst: scratch, a: place.base, imm }),
            None => {
                self.imm(scratch, place.disp as u64);
                self.sum(Sum::Add, scratch, scratch, place.base);
            }
        }
        self.emit(add(scratch));
        Place { base: scratch, disp: 0 }
    }

    pub(super) fn word_load_swap(&mut self, dst: Quad, mem: ir::Mem) {
        let [a, b, c, d] = self.quad(dst);
        let from = self.indexed_word(mem, S0);
        self.load_word([d, c, b, a], from);
        for r in [d, c, b, a] {
            self.reverse(r, r);
        }
    }

    pub(super) fn word_store_swap(&mut self, src: Quad, mem: ir::Mem) {
        let [a, b, c, d] = self.quad(src);
        let to = self.indexed_word(mem, S1);
        for (limb, high, low) in [(0, d, c), (2, b, a)] {
            if to.base == S1 {
                for (limb, src) in [(limb, high), (limb + 1, low)] {
                    self.reverse(S0, src);
                    self.store_limb(S0, to, limb);
                }
            } else {
                self.reverse(S0, high);
                self.reverse(S1, low);
                self.store_limbs(S0, S1, to, limb);
            }
        }
    }

    pub(super) fn word_copy(&mut self, to: R, to_disp: i32, from: R, from_disp: i32) {
        let (to, from) = (self.word_place(to, to_disp), self.word_place(from, from_disp));
        let [a, b] = COPY;
        match PairAddr::offset(from.base, from.disp, LOG2_VEC) {
            Some(src) => self.emit(Inst::LoadVecPair { a, b, src }),
            None => {
                for (dst, disp) in [(a, from.disp), (b, from.disp + PAIR_BYTES)] {
                    let src = self.at(from.base, disp, LOG2_VEC, S0);
                    self.emit(Inst::LoadVec { quad: true, dst, src });
                }
            }
        }
        match PairAddr::offset(to.base, to.disp, LOG2_VEC) {
            Some(dst) => self.emit(Inst::StoreVecPair { a, b, dst }),
            None => {
                for (src, disp) in [(a, to.disp), (b, to.disp + PAIR_BYTES)] {
                    let dst = self.at(to.base, disp, LOG2_VEC, S0);
                    self.emit(Inst::StoreVec { quad: true, src, dst });
                }
            }
        }
    }
}
