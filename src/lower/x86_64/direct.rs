//! The short way for the instructions that streams are full of: 64-bit moves, loads, stores and arithmetic whose operands take one of two
//! forms, registers or base and displacement. Their bytes are put together in one machine word. What is not of these forms goes the general
//! way, and gives the same bytes for the same instruction; a test compares them.

use super::*;
use crate::asm::x86_64::Cc;
use crate::ir::{ShiftOp, WSrc};

/// Number of each IR register in the encoding; 4 (the stack pointer) for those that do not exist.
const NUMBER: [u8; 16] = [7, 6, 2, 1, 8, 9, 0, 10, 11, 3, 5, 12, 13, 14, 15, 4];

const REX_W: u64 = 0x48;
const MOV_LOAD: u64 = 0x8b;
const MOV_STORE: u64 = 0x89;
const MOV_IMM: u64 = 0xc7;
const LEA: u64 = 0x8d;
const TEST: u64 = 0x85;
const SHIFT: u64 = 0xc1;
const IMUL: u64 = 0xaf0f;

/// The forms of `[base + disp]`, by how many of these hold: there is a displacement, it takes more than a byte. The mode, the bits of the
/// displacement that count, and the length of the instruction. Looked up rather than branched upon: which it is can not be foretold.
const FORMS: [(u64, u32, usize); 3] = [(0, 0, 3), (0x40, 0xff, 4), (0x80, u32::MAX, 7)];

/// The opcode `op reg, rm` of the arithmetic group.
const fn group_opcode(op: Alu) -> u64 {
    (op as u64) << 3 | 3
}

impl Lowerer {
    /// Lowers the instruction if it has a short way; false if not, and then nothing has happened.
    #[inline(always)]
    pub(super) fn direct(&mut self, ins: &Ins) -> bool {
        match *ins {
            Ins::Imm { dst, value } => self.constant(dst, value),
            Ins::Mov { dst, src } => (dst == src && dst.0 < REGISTERS) || self.registers(MOV_LOAD, dst, src),
            Ins::Load { width: Width::B64, dst, mem: ir::Mem { base, index: None, disp, .. }, .. } => {
                self.displaced(MOV_LOAD, dst, base, disp)
            }
            Ins::Store { width: Width::B64, src, mem: ir::Mem { base, index: None, disp, .. } } => {
                self.displaced(MOV_STORE, src, base, disp)
            }
            Ins::StoreImm { width: Width::B64, value, mem: ir::Mem { base, index: None, disp, .. } } => {
                // The opcode's extension is 0, as is the number of rax.
                let done = self.displaced(MOV_IMM, RESULT, base, disp);
                if done {
                    self.code.push_bits(value as u32 as u64, 4);
                }
                done
            }
            Ins::ShiftImm { op, dst, a, amount } if dst == a && amount & 63 != 0 => self.shift_in_place(op, dst, amount & 63),
            Ins::Lea { dst, mem: ir::Mem { base, index: None, disp, .. } } if disp != 0 => self.displaced(LEA, dst, base, disp),
            Ins::Alu { op, dst, a, b, .. } if dst == a => match (group(op), b) {
                (Some(op), Src::R(b)) => self.registers(group_opcode(op), dst, b),
                (Some(op), Src::M(ir::Mem { base, index: None, disp, .. })) => self.displaced(group_opcode(op), dst, base, disp),
                (Some(Alu::And), Src::I(_)) => false,
                (Some(op), Src::I(imm)) => self.immediate(op, dst, imm),
                (None, Src::R(b)) => self.product(dst, b),
                (None, Src::I(_) | Src::M(_)) | (Some(_), Src::M(_)) => false,
            },
            Ins::Cmp { a, b } => match b {
                Src::R(b) => self.registers(group_opcode(Alu::Cmp), a, b),
                Src::M(ir::Mem { base, index: None, disp, .. }) => self.displaced(group_opcode(Alu::Cmp), a, base, disp),
                Src::I(0) => self.registers(TEST, a, a),
                Src::I(imm) => self.immediate(Alu::Cmp, a, imm),
                Src::M(_) => false,
            },
            Ins::Test { a, b: Src::R(b) } => self.registers(TEST, b, a),
            Ins::WStore { src: WSrc::N(r), base, disp } => self.narrow_word(MOV_STORE, r, base, disp),
            Ins::WStore { src: WSrc::I(0), base, disp } => {
                let fits = self.fits(base, disp);
                if fits {
                    self.zero_limbs(base, [disp, disp + 16]);
                }
                fits
            }
            Ins::WStore { src: WSrc::I(imm @ 0..), base, disp } => {
                if !self.fits(base, disp) || !self.displaced(MOV_IMM, RESULT, base, disp) {
                    return false;
                }
                self.code.push_bits(imm as u64, 4);
                self.zero_limbs(base, [disp + 8, disp + 16]);
                true
            }
            Ins::JmpSlot { slot } => {
                self.jmp_slot(slot);
                true
            }
            Ins::JmpTo { addr } => {
                self.jmp_to(addr);
                true
            }
            Ins::Br { cond, to } if self.labels.offset(to).is_none() => {
                self.forward_branch(cc(cond));
                self.fix_up(to);
                true
            }
            Ins::Exit { cond, dst, value, to, through } => {
                self.exit(cond, dst, value, to, through);
                true
            }
            Ins::Label(label) => {
                self.label(label);
                true
            }
            _ => false, // the general way has them all
        }
    }

    /// The number of an IR register; none of those that do not exist.
    #[inline(always)]
    fn number(r: R) -> u64 {
        NUMBER[usize::from(r.0.min(15))].into()
    }

    /// `mov r, value` in the shortest form.
    #[inline(always)]
    fn constant(&mut self, dst: R, value: u64) -> bool {
        let dst = Lowerer::number(dst);
        if dst == 4 {
            return false;
        }
        if value as u32 as u64 == value {
            let (rex, rex_len) = if dst >= 8 { (0x41, 1) } else { (0, 0) };
            self.code.push_bits(rex | (0xb8 | dst & 7 | value << 8) << (8 * rex_len), 5 + rex_len);
        } else if value as i32 as i64 as u64 == value {
            self.code.push_bits(REX_W | dst >> 3 | MOV_IMM << 8 | (0xc0 | dst & 7) << 16 | (value as u32 as u64) << 24, 7);
        } else {
            self.code.push_bits(REX_W | dst >> 3 | (0xb8 | dst & 7) << 8, 2);
            self.code.push_bits(value, 8);
        }
        true
    }

    /// Whether all limbs of a word at `base + disp` have short addresses.
    #[inline(always)]
    fn fits(&self, base: R, disp: i32) -> bool {
        Lowerer::number(base) & 7 != 4 && disp <= i32::MAX - 24
    }

    /// Stores a register to the low limb of a word whose other limbs are zero.
    #[inline(always)]
    fn narrow_word(&mut self, opcode: u64, r: R, base: R, disp: i32) -> bool {
        if !self.fits(base, disp) || !self.displaced(opcode, r, base, disp) {
            return false;
        }
        self.zero_limbs(base, [disp + 8, disp + 16]);
        true
    }

    /// Zeroes two limbs from each of `disps` on, which may overlap: `movups [base + disp], zero`.
    #[inline(always)]
    fn zero_limbs(&mut self, base: R, disps: [i32; 2]) {
        self.make_zero();
        let base = Lowerer::number(base);
        for disp in disps {
            // REX.R, 0f 11, the zero register's low bits.
            let head = 0x44 | base >> 3 | 0x0f << 8 | 0x11 << 16;
            let modrm = (u64::from(memory::ZERO.0) & 7) << 3 | base & 7;
            if disp == 0 && base & 7 != 5 {
                self.code.push_bits(head | modrm << 24, 4);
            } else if disp as i8 as i32 == disp {
                self.code.push_bits(head | (0x40 | modrm) << 24 | (disp as u8 as u64) << 32, 5);
            } else {
                self.code.push_bits(head | (0x80 | modrm) << 24 | (disp as u32 as u64) << 32, 8);
            }
        }
    }

    /// `op reg, rm` with registers.
    #[inline(always)]
    fn registers(&mut self, opcode: u64, reg: R, rm: R) -> bool {
        let (reg, rm) = (Lowerer::number(reg), Lowerer::number(rm));
        if reg == 4 || rm == 4 {
            return false;
        }
        let rex = REX_W | reg >> 3 << 2 | rm >> 3;
        let modrm = 0xc0 | (reg & 7) << 3 | rm & 7;
        self.code.push_bits(rex | opcode << 8 | modrm << 16, 3);
        true
    }

    /// `op reg, [base + disp]`, or the other way round.
    #[inline(always)]
    fn displaced(&mut self, opcode: u64, reg: R, base: R, disp: i32) -> bool {
        let (reg, base) = (Lowerer::number(reg), Lowerer::number(base));
        // Bases 4 and 12 have a longer form, and registers of number 4 do not exist.
        if base & 7 == 4 || reg == 4 {
            return false;
        }
        let head = REX_W | reg >> 3 << 2 | base >> 3 | opcode << 8 | ((reg & 7) << 3 | base & 7) << 16;
        let (mode, mask, len) = FORMS[usize::from(disp != 0 || base & 7 == 5) + usize::from(disp as i8 as i32 != disp)];
        self.code.push_bits(head | mode << 16 | u64::from(disp as u32 & mask) << 24, len);
        true
    }

    /// `op reg, imm`.
    #[inline(always)]
    fn immediate(&mut self, op: Alu, reg: R, imm: i32) -> bool {
        let number = Lowerer::number(reg);
        if number == 4 {
            return false;
        }
        let (op, rex) = (op as u64, REX_W | number >> 3);
        let modrm = (0xc0 | op << 3 | number & 7) << 16;
        if imm as i8 as i32 == imm {
            self.code.push_bits(rex | 0x83 << 8 | modrm | (imm as u8 as u64) << 24, 4);
        } else if number == 0 {
            self.code.push_bits(rex | (op << 3 | 5) << 8 | (imm as u32 as u64) << 16, 6);
        } else {
            self.code.push_bits(rex | 0x81 << 8 | modrm | (imm as u32 as u64) << 24, 7);
        }
        true
    }

    /// `op reg, amount`.
    #[inline(always)]
    fn shift_in_place(&mut self, op: ShiftOp, reg: R, amount: u8) -> bool {
        let number = Lowerer::number(reg);
        let modrm = 0xc0 | (scalar::machine_shift(op) as u64) << 3 | number & 7;
        // The form of one byte less has another opcode.
        if number == 4 || amount == 1 {
            return false;
        }
        self.code.push_bits(REX_W | number >> 3 | SHIFT << 8 | modrm << 16 | u64::from(amount) << 24, 4);
        true
    }

    /// `imul reg, rm`.
    #[inline(always)]
    fn product(&mut self, reg: R, rm: R) -> bool {
        let (reg, rm) = (Lowerer::number(reg), Lowerer::number(rm));
        if reg == 4 || rm == 4 {
            return false;
        }
        let rex = REX_W | reg >> 3 << 2 | rm >> 3;
        self.code.push_bits(rex | IMUL << 8 | (0xc0 | (reg & 7) << 3 | rm & 7) << 24, 4);
        true
    }

    /// `jcc` with four bytes of distance to be filled in.
    #[inline(always)]
    pub(super) fn forward_branch(&mut self, cc: Cc) {
        self.code.push_bits(0x0f | (0x80 | cc as u64) << 8, 6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_gives_the_bytes_of_the_general_one() {
        let disps = [0, 1, -1, 127, 128, -128, -129, i32::MAX, i32::MIN];
        let mut compared = 0;
        let mut compare = |ins: Ins| {
            let (mut short, mut general) = (Lowerer::new(Features::none()), Lowerer::new(Features::none()));
            if short.direct(&ins) {
                general.general(&ins);
                assert_eq!(short.code.bytes(), general.code.bytes(), "{ins}");
                assert!(general.fault.is_none(), "{ins}");
                compared += 1;
            }
        };
        let shifts = [ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Ror, ShiftOp::Rol];
        let ops = [AluOp::Add, AluOp::Adc, AluOp::Sub, AluOp::Sbb, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Mul];
        for a in (0..17).map(R) {
            for value in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, u64::MAX, 1 << 63, (i32::MIN as i64 - 1) as u64] {
                compare(Ins::Imm { dst: a, value });
            }
            for b in (0..17).map(R) {
                compare(Ins::Mov { dst: a, src: b });
                compare(Ins::Test { a, b: Src::R(b) });
                compare(Ins::Cmp { a, b: Src::R(b) });
                ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::R(b) }));
                for disp in disps {
                    let mem = ir::Mem { base: b, index: None, shift: 0, disp };
                    compare(Ins::Load { width: Width::B64, signed: false, dst: a, mem });
                    compare(Ins::Store { width: Width::B64, src: a, mem });
                    compare(Ins::StoreImm { width: Width::B64, value: disp ^ 5, mem });
                    compare(Ins::Lea { dst: a, mem });
                    if disp < i32::MAX - 24 {
                        compare(Ins::WStore { src: WSrc::N(a), base: b, disp });
                        compare(Ins::WStore { src: WSrc::I(disp), base: b, disp });
                    }
                    compare(Ins::Cmp { a, b: Src::M(mem) });
                    ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::M(mem) }));
                }
            }
            for imm in disps {
                compare(Ins::Cmp { a, b: Src::I(imm) });
                let amount = imm as u8;
                shifts.into_iter().for_each(|op| compare(Ins::ShiftImm { op, dst: a, a, amount }));
                ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::I(imm) }));
            }
        }
        assert!(compared > 20_000, "{compared}");
    }
}
