//! 256-bit arithmetic, logic and comparison: carry chains over four limbs.

use super::*;
use crate::asm::x86_64::{Limbs, Unary};
use crate::ir::{WSrc, WordOp};

/// A word operand on this machine.
#[derive(Clone, Copy)]
enum Word {
    Regs([Reg; 4]),
    /// The first limb; the others are known to be addressable.
    Mem(Mem),
    /// Zero-extended.
    Low(Reg),
    /// Sign-extended.
    Imm(i32),
}

impl Word {
    #[inline(always)]
    fn limb(&self, limb: usize) -> Operand {
        match self {
            Word::Regs(regs) => Operand::reg(regs[limb]),
            Word::Mem(mem) => Operand::Rm(Rm::M(mem.at(mem.disp().wrapping_add(8 * limb as i32)))),
            Word::Low(r) if limb == 0 => Operand::reg(*r),
            Word::Low(_) => Operand::Imm(0),
            Word::Imm(imm) if limb == 0 => Operand::Imm(*imm),
            Word::Imm(imm) => Operand::Imm(imm >> 31),
        }
    }
}

impl Lowerer {
    #[inline(always)]
    fn word(&mut self, src: WSrc) -> Word {
        match src {
            WSrc::Q(quad) => Word::Regs(self.quad(quad)),
            WSrc::M(base, disp) => {
                let mem = Mem::new(self.r(base), disp);
                self.limb_of(mem, 3);
                Word::Mem(mem)
            }
            WSrc::N(r) => Word::Low(self.r(r)),
            WSrc::I(imm) => Word::Imm(imm),
        }
    }

    /// `mov dst, src`; flags survive.
    #[inline(always)]
    fn fetch(&mut self, dst: Reg, src: Operand) {
        match src {
            Operand::Rm(Rm::R(r)) => self.mov(dst, r),
            Operand::Rm(mem) => self.load(dst, mem),
            Operand::Imm(imm) => self.emit(Inst::MovImm { dst, value: imm as i64 as u64 }),
        }
    }

    pub(super) fn word_op(&mut self, op: WordOp, dst: Quad, a: Quad, b: WSrc) {
        let (dst, mut a, mut b) = (self.quad(dst), self.quad(a), self.word(b));
        if let Word::Regs(quad) = b
            && quad == dst
            && a != dst
        {
            // Only operations that commute may be asked for here.
            b = Word::Regs(a);
            a = dst;
        }
        if dst != a {
            for limb in 0..4 {
                self.mov(dst[limb], a[limb]);
            }
        }
        match op {
            WordOp::Add => self.chain(Alu::Add, Alu::Adc, dst, b),
            WordOp::Sub => self.chain(Alu::Sub, Alu::Sbb, dst, b),
            WordOp::And => self.logic(Alu::And, dst, b),
            WordOp::Or => self.logic(Alu::Or, dst, b),
            WordOp::Xor => self.logic(Alu::Xor, dst, b),
        }
    }

    fn chain(&mut self, first: Alu, rest: Alu, dst: [Reg; 4], b: Word) {
        if let Word::Mem(mem) = b
            && self.fault.is_none()
        {
            return Limbs::Alu { first, rest }.encode(&mut self.code, dst, mem.base(), mem.disp());
        }
        self.op(first, dst[0], b.limb(0));
        self.op(rest, dst[1], b.limb(1));
        self.op(rest, dst[2], b.limb(2));
        self.op(rest, dst[3], b.limb(3));
    }

    fn logic(&mut self, op: Alu, dst: [Reg; 4], b: Word) {
        if let Word::Mem(_) = b {
            return self.chain(op, op, dst, b);
        }
        for (limb, dst) in dst.into_iter().enumerate() {
            match b.limb(limb) {
                Operand::Imm(imm) => self.logic_imm(op, dst, imm),
                Operand::Rm(Rm::R(b)) => self.op_r(op, dst, b),
                Operand::Rm(Rm::M(b)) => self.op_m(op, dst, b),
            }
        }
    }

    fn logic_imm(&mut self, op: Alu, dst: Reg, imm: i32) {
        match (op, imm) {
            (Alu::And, -1) | (Alu::Or | Alu::Xor, 0) => {}
            (Alu::And, 0) => self.zero(dst),
            (Alu::Xor, -1) => self.emit(Inst::Unary { op: Unary::Not, rm: Rm::R(dst) }),
            (op, imm) => self.op_i(op, dst, imm),
        }
    }

    pub(super) fn word_not(&mut self, dst: Quad, a: Quad) {
        let (dst, a) = (self.quad(dst), self.quad(a));
        for limb in 0..4 {
            self.mov(dst[limb], a[limb]);
            self.emit(Inst::Unary { op: Unary::Not, rm: Rm::R(dst[limb]) });
        }
    }

    /// A parallel move: moves into registers that no pending move reads; what is left then is cycles, exchanged step by step.
    pub(super) fn word_mov(&mut self, dst: Quad, src: Quad) {
        let (dst, mut src) = (self.quad(dst), self.quad(src));
        let mut pending = [0, 1, 2, 3].map(|limb| dst[limb] != src[limb]);
        loop {
            let read = |limb: usize| (0..4).any(|other| pending[other] && other != limb && src[other] == dst[limb]);
            if let Some(limb) = (0..4).find(|&limb| pending[limb] && !read(limb)) {
                self.mov(dst[limb], src[limb]);
                pending[limb] = false;
            } else if let Some(limb) = (0..4).find(|&limb| pending[limb]) {
                let (to, from) = (dst[limb], src[limb]);
                self.emit(Inst::Xchg { a: to, b: from });
                pending[limb] = false;
                for (other, src) in src.iter_mut().enumerate() {
                    if *src == to {
                        *src = from;
                        pending[other] &= dst[other] != from;
                    }
                }
            } else {
                return;
            }
        }
    }

    pub(super) fn word_cmp(&mut self, a: WSrc, b: WSrc, tmp: R) {
        let (a, b, tmp) = (self.word(a), self.word(b), self.r(tmp));
        if let Operand::Rm(Rm::R(low)) = a.limb(0) {
            self.op(Alu::Cmp, low, b.limb(0));
        } else {
            self.fetch(tmp, a.limb(0));
            self.op(Alu::Cmp, tmp, b.limb(0));
        }
        for limb in 1..4 {
            self.fetch(tmp, a.limb(limb));
            self.op(Alu::Sbb, tmp, b.limb(limb));
        }
    }

    pub(super) fn word_eq(&mut self, a: WSrc, b: WSrc, tmp: [R; 2]) {
        let (a, b) = (self.word(a), self.word(b));
        let tmp = tmp.map(|r| self.r(r));
        let [all, one] = tmp;
        self.fetch(all, a.limb(0));
        match b {
            Word::Regs(_) | Word::Mem(_) => {
                self.op(Alu::Xor, all, b.limb(0));
                for limb in 1..4 {
                    self.fetch(one, a.limb(limb));
                    self.op(Alu::Xor, one, b.limb(limb));
                    self.op_r(Alu::Or, all, one);
                }
            }
            Word::Imm(imm) if imm < 0 => {
                if imm != -1 {
                    self.op(Alu::Xor, all, b.limb(0));
                    self.all_ones(one, a, 1);
                    self.emit(Inst::Unary { op: Unary::Not, rm: Rm::R(one) });
                    self.op_r(Alu::Or, all, one);
                } else {
                    self.all_ones(all, a, 0);
                    self.op(Alu::Cmp, all, Operand::Imm(-1));
                }
            }
            Word::Imm(_) | Word::Low(_) => {
                if !matches!(b, Word::Imm(0)) {
                    self.op(Alu::Xor, all, b.limb(0));
                }
                for limb in 1..4 {
                    self.op(Alu::Or, all, a.limb(limb));
                }
            }
        }
    }

    /// `dst` = the limbs from `first` on, and-ed; limb 0 is there already.
    fn all_ones(&mut self, dst: Reg, a: Word, first: usize) {
        if first != 0 {
            self.fetch(dst, a.limb(first));
        }
        for limb in first + 1..4 {
            self.op(Alu::And, dst, a.limb(limb));
        }
    }

    pub(super) fn word_is_zero(&mut self, a: WSrc, tmp: R) {
        let (a, tmp) = (self.word(a), self.r(tmp));
        self.fetch(tmp, a.limb(0));
        self.op(Alu::Or, tmp, a.limb(1));
        self.op(Alu::Or, tmp, a.limb(2));
        self.op(Alu::Or, tmp, a.limb(3));
    }
}
