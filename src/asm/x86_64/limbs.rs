//! Runs of four instructions that go through the limbs of a word in memory: most of what a 256-bit machine emits. They share prefix,
//! address form and displacement width, so they are put together at once.

use super::{Alu, Inst, Mem, Reg, Rm, Size};
use crate::asm::CodeBuffer;

/// What is done with each limb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limbs {
    /// `mov reg, [limb]`
    Load,
    /// `mov [limb], reg`
    Store,
    /// `first reg, [limb 0]`, then `rest reg, [limb]`
    Alu {
        /// With limb 0.
        first: Alu,
        /// With the others.
        rest: Alu,
    },
}

impl Limbs {
    const fn opcodes(self) -> [u8; 4] {
        match self {
            Limbs::Load => [0x8b; 4],
            Limbs::Store => [0x89; 4],
            Limbs::Alu { first, rest } => {
                let (first, rest) = ((first as u8) << 3 | 3, (rest as u8) << 3 | 3);
                [first, rest, rest, rest]
            }
        }
    }

    /// The instruction for limb `i`, which is at `mem`.
    const fn inst(self, i: usize, reg: Reg, mem: Mem) -> Inst {
        let size = Size::B64;
        match self {
            Limbs::Load => Inst::Load { size, signed: false, dst: reg, src: Rm::M(mem) },
            Limbs::Store => Inst::Store { size, dst: mem, src: reg },
            Limbs::Alu { first, rest } => Inst::Alu { op: if i == 0 { first } else { rest }, size, dst: reg, src: Rm::M(mem) },
        }
    }

    /// Appends the four instructions for `regs` and the limbs from `[base + disp]` on, whose displacements fit 32 bits.
    #[inline]
    pub fn encode(self, code: &mut CodeBuffer, regs: [Reg; 4], base: Reg, disp: i32) {
        let number = base.number();
        let opcodes = self.opcodes();
        let head = |i: usize| {
            let reg = regs[i].number();
            let rex = 0x48 | (reg >> 3 << 2) | (number >> 3);
            let modrm = ((reg & 7) << 3) | (number & 7);
            u32::from(rex) | u32::from(opcodes[i]) << 8 | u32::from(modrm) << 16
        };
        // Bases 4 and 12 need another byte; without displacement an instruction is shorter, but for bases 5 and 13.
        let plain = number & 7 != 4;
        let displaced = number & 7 == 5 || !(-24..=0).contains(&disp);
        if plain && displaced && (-128..=127 - 24).contains(&disp) {
            let at = |i: usize| u32::from((disp + 8 * i as i32) as u8) << 24;
            let one = |i: usize| head(i) | 0x40 << 16 | at(i);
            code.push_fours([one(0), one(1), one(2), one(3)]);
        } else if plain && !(-128 - 24..=127).contains(&disp) {
            let at = |i: usize| u64::from((disp + 8 * i as i32) as u32) << 24;
            let one = |i: usize| u64::from(head(i) | 0x80 << 16) | at(i);
            code.push_sevens([one(0), one(1), one(2), one(3)]);
        } else {
            for (i, reg) in regs.into_iter().enumerate() {
                code.push(self.inst(i, reg, Mem::new(base, disp + 8 * i as i32)).encode());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_instructions_one_by_one() {
        let kinds = [
            Limbs::Load,
            Limbs::Store,
            Limbs::Alu { first: Alu::Add, rest: Alu::Adc },
            Limbs::Alu { first: Alu::Xor, rest: Alu::Xor },
        ];
        let disps = [
            0, 8, 32, 96, 103, 104, 105, 120, 127, 128, 129, 1000, -8, -16, -24, -25, -32, -96, -127, -128, -129, -136, -152, -153,
            -4096,
        ];
        let regs = [[Reg::Rsi, Reg::Rdi, Reg::R8, Reg::R9], [Reg::R12, Reg::R13, Reg::Rsp, Reg::Rax]];
        for kind in kinds {
            for base in Reg::ALL {
                for disp in disps {
                    for regs in regs {
                        let (mut run, mut single) = (CodeBuffer::new(), CodeBuffer::new());
                        kind.encode(&mut run, regs, base, disp);
                        for (i, reg) in regs.into_iter().enumerate() {
                            single.push(kind.inst(i, reg, Mem::new(base, disp + 8 * i as i32)).encode());
                        }
                        assert_eq!(run.bytes(), single.bytes(), "{kind:?} {base:?} {disp} {regs:?}");
                    }
                }
            }
        }
    }
}
