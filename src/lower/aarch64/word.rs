//! 256-bit arithmetic, logic and comparison: carry chains over four limbs, chains of conditional comparisons.

use super::memory::Place;
use super::*;
use crate::asm::aarch64 as machine;
use crate::ir::WordOp;

/// A word operand on this machine.
#[derive(Clone, Copy)]
enum Word {
    Regs([Reg; 4]),
    Mem(Place),
    /// Sign-extended.
    Imm(i32),
}

/// The limbs of a word, one after the other; those in memory pass through two registers that are not the base.
struct Limbs {
    word: Word,
    through: [Reg; 2],
}

impl Limbs {
    /// A limb in a register. Limbs of memory are to be asked for in ascending order; the even ones load their neighbours too where one
    /// instruction can, unless both pass through the same register.
    fn get(&self, lowerer: &mut Lowerer, limb: usize) -> Reg {
        let [even, odd] = self.through;
        match self.word {
            Word::Regs(regs) => regs[limb],
            Word::Mem(place) => match place.pair(limb & !1).filter(|_| even != odd) {
                Some(_) if limb & 1 != 0 => odd,
                Some(src) => {
                    lowerer.emit(Inst::LoadPair { a: even, b: odd, src });
                    even
                }
                None => {
                    lowerer.load_limb(even, place, limb);
                    even
                }
            },
            Word::Imm(imm) => {
                let value = if limb == 0 { imm } else { imm >> 31 };
                lowerer.src(Src::I(value), even)
            }
        }
    }
}

impl Lowerer {
    fn word(&mut self, src: WSrc) -> Word {
        match src {
            WSrc::Q(quad) => Word::Regs(self.quad(quad)),
            WSrc::M(base, disp) => Word::Mem(self.word_place(base, disp)),
            WSrc::N(r) => Word::Regs([self.r(r), Reg::ZR, Reg::ZR, Reg::ZR]),
            WSrc::I(imm) => Word::Imm(imm),
        }
    }

    pub(super) fn word_op(&mut self, op: WordOp, dst: Quad, a: Quad, b: WSrc) {
        let (dst, a, b) = (self.quad(dst), self.quad(a), self.word(b));
        match op {
            WordOp::Add => self.chain(Sum::Adds, dst, Word::Regs(a), b, [S0, S1]),
            WordOp::Sub => self.chain(Sum::Subs, dst, Word::Regs(a), b, [S0, S1]),
            WordOp::And => self.word_logic(Logic::And, dst, a, b),
            WordOp::Or => self.word_logic(Logic::Orr, dst, a, b),
            WordOp::Xor => self.word_logic(Logic::Eor, dst, a, b),
        }
    }

    /// `dst = a op b` limb by limb; `b` passes through `through` if need be, `a` through the lowering's scratch.
    fn chain(&mut self, op: Sum, dst: [Reg; 4], a: Word, b: Word, through: [Reg; 2]) {
        let (a, limbs) = (Limbs { word: a, through: [S0, S1] }, Limbs { word: b, through });
        let low = a.get(self, 0);
        let mut rest = op;
        match b {
            Word::Imm(imm) => {
                // A negative number is added by subtracting its opposite: the other limbs are 0 then, and the carry is the same.
                if imm < 0 {
                    rest = if op == Sum::Adds { Sum::Subs } else { Sum::Adds };
                }
                self.sum_imm(rest, dst[0], low, i64::from(imm).abs(), through[0]);
            }
            Word::Regs(_) | Word::Mem(_) => {
                let b = limbs.get(self, 0);
                self.sum(op, dst[0], low, b);
            }
        }
        for (limb, &dst) in dst.iter().enumerate().skip(1) {
            let a = a.get(self, limb);
            let b = if matches!(b, Word::Imm(_)) { Reg::ZR } else { limbs.get(self, limb) };
            self.emit(Inst::Carry { op: rest, dst, a, b });
        }
    }

    fn word_logic(&mut self, op: Logic, dst: [Reg; 4], a: [Reg; 4], b: Word) {
        let limbs = Limbs { word: b, through: [S0, S1] };
        for (limb, (dst, a)) in dst.into_iter().zip(a).enumerate() {
            match b {
                Word::Imm(imm) => self.logic_imm(op, dst, a, if limb == 0 { imm } else { imm >> 31 }),
                Word::Regs(regs) if regs[limb] == Reg::ZR => self.logic_imm(op, dst, a, 0),
                Word::Regs(_) | Word::Mem(_) => {
                    let b = limbs.get(self, limb);
                    self.logic(op, dst, a, b);
                }
            }
        }
    }

    fn logic_imm(&mut self, op: Logic, dst: Reg, a: Reg, imm: i32) {
        match (op, imm) {
            (Logic::And, 0) => self.imm(dst, 0),
            (Logic::Orr, -1) => self.imm(dst, u64::MAX),
            (Logic::And, -1) | (Logic::Orr | Logic::Eor, 0) => self.mov(dst, a),
            (Logic::Eor, -1) => self.logic(Logic::Orn, dst, Reg::ZR, a),
            (op, imm) => match Mask::new(imm as u64) {
                Some(imm) => self.emit(Inst::LogicImm { op, dst, a, imm }),
                None => {
                    self.imm(S0, imm as u64);
                    self.logic(op, dst, a, S0);
                }
            },
        }
    }

    pub(super) fn word_not(&mut self, dst: Quad, a: Quad) {
        for (dst, a) in self.quad(dst).into_iter().zip(self.quad(a)) {
            self.logic(Logic::Orn, dst, Reg::ZR, a);
        }
    }

    /// A parallel move: moves into registers that no pending move reads; what is left then is cycles, opened by moving one register away.
    pub(super) fn word_mov(&mut self, dst: Quad, src: Quad) {
        let (dst, mut src) = (self.quad(dst), self.quad(src));
        let mut pending = [0, 1, 2, 3].map(|limb| dst[limb] != src[limb]);
        while let Some(any) = (0..4).find(|&limb| pending[limb]) {
            let read = |limb: usize| (0..4).any(|other| pending[other] && other != limb && src[other] == dst[limb]);
            if let Some(limb) = (0..4).find(|&limb| pending[limb] && !read(limb)) {
                self.mov(dst[limb], src[limb]);
                pending[limb] = false;
            } else {
                self.mov(S0, dst[any]);
                for src in src.iter_mut().filter(|src| **src == dst[any]) {
                    *src = S0;
                }
            }
        }
    }

    pub(super) fn word_cmp(&mut self, a: WSrc, b: WSrc, tmp: R) {
        let (a, b, tmp) = (self.word(a), self.word(b), self.r(tmp));
        // The scratch registers are taken if `a` is in memory.
        let through = if matches!(a, Word::Mem(_)) { [tmp; 2] } else { [S0, S1] };
        self.chain(Sum::Subs, [Reg::ZR; 4], a, b, through);
    }

    /// Each limb is compared if those before it were equal; else the flags stay those of "not equal".
    pub(super) fn word_eq(&mut self, a: WSrc, b: WSrc, tmp: R) {
        let (word, b, tmp) = (self.word(a), self.word(b), self.r(tmp));
        let through = if matches!(word, Word::Mem(_)) { [tmp; 2] } else { [S0, S1] };
        let (a, limbs) = (Limbs { word, through: [S0, S1] }, Limbs { word: b, through });
        for limb in 0..4 {
            let a = a.get(self, limb);
            let (cond, nzcv) = (machine::Cond::Eq, 0);
            match b {
                Word::Imm(imm) if limb == 0 => self.sum_imm(Sum::Subs, Reg::ZR, a, imm.into(), through[0]),
                Word::Imm(0..) => self.emit(Inst::CcmpImm { cond, a, imm: 0, nzcv }),
                Word::Imm(_) => self.emit(Inst::CcmnImm { cond, a, imm: 1, nzcv }),
                Word::Regs(_) | Word::Mem(_) => {
                    let b = limbs.get(self, limb);
                    match limb {
                        0 => self.sum(Sum::Subs, Reg::ZR, a, b),
                        _ => self.emit(Inst::Ccmp { cond, a, b, nzcv }),
                    }
                }
            }
        }
    }
}
