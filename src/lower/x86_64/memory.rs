//! Loads and stores, of 64 bits and of words.

use super::*;
use crate::asm::x86_64::{Limbs, Xmm};
use crate::ir::WSrc;

/// Vector registers of the lowering, for word copies.
const COPY: [Xmm; 2] = [Xmm(14), Xmm(15)];
/// Holds zero once it was needed, until a label or a call.
pub(super) const ZERO: Xmm = Xmm(13);
const XMM_BYTES: usize = 16;
const LIMB_BYTES: usize = 8;

impl Lowerer {
    #[inline(always)]
    pub(super) fn load_64(&mut self, dst: R, mem: ir::Mem) {
        let (dst, mem) = (self.r(dst), self.mem(mem));
        self.load_m(dst, mem);
    }

    #[inline(always)]
    pub(super) fn store_64(&mut self, src: R, mem: ir::Mem) {
        let (src, mem) = (self.r(src), self.mem(mem));
        self.store(mem, src);
    }

    pub(super) fn load_ins(&mut self, width: Width, signed: bool, dst: R, mem: ir::Mem) {
        let (dst, mem) = (self.r(dst), self.mem(mem));
        self.emit(Inst::Load { size: size(width), signed, dst, src: Rm::M(mem) });
    }

    pub(super) fn store_ins(&mut self, width: Width, src: R, mem: ir::Mem) {
        let (src, dst) = (self.r(src), self.mem(mem));
        self.emit(Inst::Store { size: size(width), dst, src });
    }

    pub(super) fn store_imm(&mut self, width: Width, value: i32, mem: ir::Mem) {
        let dst = self.mem(mem);
        self.emit(Inst::StoreImm { size: size(width), dst, imm: value });
    }

    pub(super) fn load_swap_ins(&mut self, dst: R, mem: ir::Mem) {
        let (dst, mem) = (self.r(dst), self.mem(mem));
        self.load_swap(dst, mem);
    }

    pub(super) fn store_swap_ins(&mut self, src: R, mem: ir::Mem) {
        let (src, mem) = (self.r(src), self.mem(mem));
        self.store_swap(src, mem);
    }

    fn load_swap(&mut self, dst: Reg, src: Mem) {
        if self.features.movbe {
            self.emit(Inst::MovbeLoad { dst, src });
        } else {
            self.load(dst, Rm::M(src));
            self.emit(Inst::Bswap(dst));
        }
    }

    fn store_swap(&mut self, src: Reg, dst: Mem) {
        if self.features.movbe {
            self.emit(Inst::MovbeStore { dst, src });
        } else if dst.bits() & src.bit() == 0 {
            self.emit(Inst::Bswap(src));
            self.store(dst, src);
            self.emit(Inst::Bswap(src));
        } else {
            // The address needs the register as it is.
            let tmp = outside(dst.bits());
            self.emit(Inst::Push(tmp));
            self.mov(tmp, src);
            self.emit(Inst::Bswap(tmp));
            self.store(dst, tmp);
            self.emit(Inst::Pop(tmp));
        }
    }

    pub(super) fn word_load(&mut self, dst: Quad, base: R, disp: i32) {
        let (dst, base) = (self.quad(dst), self.r(base));
        let mem = Mem::new(base, disp);
        self.limb_of(mem, 3);
        if self.fault.is_none() && !dst.contains(&base) {
            return Limbs::Load.encode(&mut self.code, dst, base, disp);
        }
        for limb in last(dst, base) {
            let from = self.limb_of(mem, limb);
            self.load(dst[limb], Rm::M(from));
        }
    }

    pub(super) fn word_load_swap(&mut self, dst: Quad, mem: ir::Mem) {
        let (dst, mut mem) = (self.quad(dst), self.mem(mem));
        let used = dst.iter().fold(0, |bits, r| bits | r.bit());
        if let Some(index) = mem.index()
            && used & index.bit() != 0
        {
            if used & mem.base().bit() != 0 {
                // Both would be overwritten: the address goes into one of them first.
                self.emit(Inst::Lea { dst: index, src: mem });
                mem = Mem::new(index, 0);
            } else {
                return self.limbs_swapped(last(dst, index), dst, mem);
            }
        }
        self.limbs_swapped(last(dst, mem.base()), dst, mem);
    }

    fn limbs_swapped(&mut self, order: [usize; 4], dst: [Reg; 4], mem: Mem) {
        for limb in order {
            let from = self.limb_of(mem, 3 - limb);
            self.load_swap(dst[limb], from);
        }
    }

    pub(super) fn word_store(&mut self, src: WSrc, base: R, disp: i32) {
        let to = Mem::new(self.r(base), disp);
        match src {
            WSrc::Q(quad) => {
                let regs = self.quad(quad);
                self.limb_of(to, 3);
                if self.fault.is_none() {
                    Limbs::Store.encode(&mut self.code, regs, to.base(), disp);
                }
            }
            WSrc::M(from, from_disp) => self.word_copy(base, disp, from, from_disp),
            WSrc::N(r) => {
                let r = self.r(r);
                self.store(to, r);
                self.zero_from(to, [1, 2]);
            }
            WSrc::I(0) => self.zero_from(to, [0, 2]),
            WSrc::I(imm) if imm > 0 => {
                self.emit(Inst::StoreImm { size: Size::B64, dst: to, imm });
                self.zero_from(to, [1, 2]);
            }
            WSrc::I(imm) => {
                for limb in 0..4 {
                    let dst = self.limb_of(to, limb);
                    let imm = if limb == 0 { imm } else { -1 };
                    self.emit(Inst::StoreImm { size: Size::B64, dst, imm });
                }
            }
        }
    }

    /// Makes sure that the register for zeroing is zero.
    #[inline]
    pub(super) fn make_zero(&mut self) {
        if !self.zeroed {
            self.emit(Inst::XorXmm(ZERO));
            self.zeroed = true;
        }
    }

    /// Zeroes two limbs of a word from each of `limbs` on: limbs 1 to 3 by stores that overlap, shorter than three of immediates.
    fn zero_from(&mut self, word: Mem, limbs: [usize; 2]) {
        self.make_zero();
        for limb in limbs {
            let dst = self.limb_of(word, limb);
            self.emit(Inst::MovupsStore { dst, src: ZERO });
        }
    }

    pub(super) fn word_store_swap(&mut self, src: Quad, mem: ir::Mem) {
        let (src, mem) = (self.quad(src), self.mem(mem));
        for (limb, r) in src.into_iter().enumerate().rev() {
            let to = self.limb_of(mem, 3 - limb);
            self.store_swap(r, to);
        }
    }

    /// Two moves of 128 bits: no upper halves that the legacy code of callouts would have to preserve.
    pub(super) fn word_copy(&mut self, to: R, to_disp: i32, from: R, from_disp: i32) {
        let to = Mem::new(self.r(to), to_disp);
        let from = Mem::new(self.r(from), from_disp);
        let (to_high, from_high) = (self.limb_of(to, XMM_BYTES / LIMB_BYTES), self.limb_of(from, XMM_BYTES / LIMB_BYTES));
        self.emit(Inst::MovupsLoad { dst: COPY[0], src: from });
        self.emit(Inst::MovupsLoad { dst: COPY[1], src: from_high });
        self.emit(Inst::MovupsStore { dst: to, src: COPY[0] });
        self.emit(Inst::MovupsStore { dst: to_high, src: COPY[1] });
    }
}

/// The limbs in descending order, that of the register `held` last.
fn last(dst: [Reg; 4], held: Reg) -> [usize; 4] {
    let mut order = [3, 2, 1, 0];
    if let Some(limb) = dst.iter().position(|&r| r == held) {
        order.swap(3 - limb, 3);
    }
    order
}
