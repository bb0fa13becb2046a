//! The short way for the instructions that streams are full of: 64-bit moves, loads, stores and arithmetic whose operands take one of two
//! forms, registers or base and displacement. Their bytes are put together in one machine word, of which an instruction takes what it needs.
//! What is not of these forms goes the general way, and gives the same bytes for the same instruction; a test compares them.

use super::*;
use crate::asm::x86_64::Cc;
use crate::ir::{ShiftOp, WSrc};

const REX_W: u64 = 0x48;
const MOV_LOAD: u64 = 0x8b;
const MOV_STORE: u64 = 0x89;
const MOV_IMM: u64 = 0xc7;
const LEA: u64 = 0x8d;
const TEST: u64 = 0x85;
const SHIFT: u64 = 0xc1;
const IMUL: u64 = 0xaf0f;
const MOVBE_LOAD: u64 = 0xf0;
const MOVBE_STORE: u64 = 0xf1;

/// Marks in [`REG`] and [`RM`], where no instruction has bytes that count: no such register; a base that takes a displacement, be it zero.
const NONE: u64 = 1 << 63;
const DISPLACED: u64 = 1 << 62;

/// Where the bytes of an instruction with a prefix and one byte of opcode begin.
const MODRM: u32 = 16;
const SIB: u32 = 24;

/// What a base of number 4 or 12 has after the ModRM byte: itself, and no index. No other entry of [`RM`] has bits there.
const SIB_OF_BASE: u64 = 0x24 << SIB;

/// What each IR register puts into prefix, ModRM and SIB byte as `reg`.
const REG: [u64; 256] = {
    let mut table = [NONE; 256];
    let mut r = 0;
    while r < REGISTERS as usize {
        let number = MACHINE[r].number() as u64;
        table[r] = number >> 3 << 2 | (number & 7) << 3 << MODRM;
        r += 1;
    }
    table
};

/// The same as `rm`, or as the base of an address.
const RM: [u64; 256] = {
    let mut table = [NONE; 256];
    let mut r = 0;
    while r < REGISTERS as usize {
        let number = MACHINE[r].number() as u64;
        let marks = match number & 7 {
            4 => SIB_OF_BASE,
            5 => DISPLACED,
            _ => 0,
        };
        table[r] = number >> 3 | (number & 7) << MODRM | marks;
        r += 1;
    }
    table
};

/// The opcode `op reg, rm` of the arithmetic group.
const fn group_opcode(op: Alu) -> u64 {
    (op as u64) << 3 | 3
}

/// By the number of the operation, so that it is looked up rather than branched upon: the opcode `op reg, rm`; 0 for the one that is not in the group.
const OPCODES: [u8; 8] = {
    let mut table = [0; 8];
    let mut ops = [AluOp::Add, AluOp::Adc, AluOp::Sub, AluOp::Sbb, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Mul].as_slice();
    while let [op, rest @ ..] = ops {
        if let Some(alu) = group(*op) {
            table[*op as usize] = group_opcode(alu) as u8;
        }
        ops = rest;
    }
    table
};

/// Which form of `[base + disp]` it takes: 0 without displacement, 1 with one byte, 2 with four. Calculated rather than branched upon: which it is
/// can not be foretold.
#[inline(always)]
fn form(base: u64, disp: i32) -> u64 {
    u64::from(disp != 0 || base & DISPLACED != 0) + u64::from(disp as i8 as i32 != disp)
}

/// Bytes of displacement of a [`form`].
#[inline(always)]
fn displacement_len(form: u64) -> usize {
    (form * form) as usize
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
            Ins::LoadSwap { dst, mem: ir::Mem { base, index: None, disp, .. } } => self.swapped(MOVBE_LOAD, dst, base, disp),
            Ins::StoreSwap { src, mem: ir::Mem { base, index: None, disp, .. } } => self.swapped(MOVBE_STORE, src, base, disp),
            Ins::ShiftImm { op, dst, a, amount } if dst == a && amount & 63 != 0 => self.shift_in_place(op, dst, amount & 63),
            Ins::Lea { dst, mem: ir::Mem { base, index: None, disp, .. } } if disp != 0 => self.displaced(LEA, dst, base, disp),
            Ins::Alu { op: AluOp::Mul, dst, a, b: Src::R(b), .. } if dst == a => self.product(dst, b),
            Ins::Alu { op, dst, a, b, .. } if dst == a && op != AluOp::Mul => {
                let opcode = OPCODES[op as usize].into();
                match b {
                    Src::R(b) => self.registers(opcode, dst, b),
                    Src::M(ir::Mem { base, index: None, disp, .. }) => self.displaced(opcode, dst, base, disp),
                    Src::I(imm) if op != AluOp::And => self.immediate(opcode >> 3, dst, imm),
                    Src::I(_) | Src::M(_) => false,
                }
            }
            Ins::Alu { op: AluOp::Add, flags: false, dst, a, b: Src::I(imm) } => self.displaced(LEA, dst, a, imm),
            Ins::Cmp { a, b } => match b {
                Src::R(b) => self.registers(group_opcode(Alu::Cmp), a, b),
                Src::M(ir::Mem { base, index: None, disp, .. }) => self.displaced(group_opcode(Alu::Cmp), a, base, disp),
                Src::I(0) => self.registers(TEST, a, a),
                Src::I(imm) => self.immediate(Alu::Cmp as u64, a, imm),
                Src::M(_) => false,
            },
            Ins::Test { a, b: Src::R(b) } => self.registers(TEST, b, a),
            Ins::WLoad { dst, base, disp } => {
                self.word_load(dst, base, disp);
                true
            }
            Ins::WStore { src, base, disp } => match src {
                WSrc::N(r) => self.narrow_word(r, base, disp),
                WSrc::I(0) => self.zero_limbs(base, disp, [0, 16]),
                WSrc::I(imm @ 1..) => self.constant_word(imm, base, disp),
                WSrc::Q(_) | WSrc::I(_) | WSrc::M(..) => {
                    self.word_store(src, base, disp);
                    true
                }
            },
            Ins::JmpSlot { slot } => {
                self.jmp_slot(slot);
                true
            }
            Ins::JmpTo { addr } => {
                self.jmp_to(addr);
                true
            }
            Ins::Jmp(to) if self.labels.offset(to).is_none() => {
                self.code.push_bits(0xe9, 5);
                self.fix_up(to);
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

    /// `mov r, value` in the shortest form.
    #[inline(always)]
    fn constant(&mut self, dst: R, value: u64) -> bool {
        let rm = RM[usize::from(dst.0)];
        if rm & NONE != 0 {
            return false;
        }
        let (rex, low) = (rm & 1, rm >> MODRM & 7);
        if value as u32 as u64 == value {
            let (head, len) = if rex != 0 { (0x41 | (0xb8 | low) << 8, 2) } else { (0xb8 | low, 1) };
            self.code.push_bits(head | value << (8 * len), len + 4);
        } else if value as i32 as i64 as u64 == value {
            self.code.push_bits(REX_W | rex | MOV_IMM << 8 | (0xc0 | low) << MODRM | value << SIB, 7);
        } else {
            let head = REX_W | rex | (0xb8 | low) << 8;
            self.code.push_wide(u128::from(head) | u128::from(value) << 16, 10);
        }
        true
    }

    /// `op reg, rm` with registers.
    #[inline(always)]
    fn registers(&mut self, opcode: u64, reg: R, rm: R) -> bool {
        let bits = REG[usize::from(reg.0)] | RM[usize::from(rm.0)];
        if bits & NONE != 0 {
            return false;
        }
        self.code.push_bits(bits | REX_W | opcode << 8 | 0xc0 << MODRM, 3);
        true
    }

    /// `op reg, [base + disp]`, or the other way round.
    #[inline(always)]
    fn displaced(&mut self, opcode: u64, reg: R, base: R, disp: i32) -> bool {
        let base = RM[usize::from(base.0)];
        let bits = REG[usize::from(reg.0)] | base;
        if bits & NONE != 0 {
            return false;
        }
        let form = form(base, disp);
        let sib = u64::from(base & SIB_OF_BASE != 0);
        let disp = u64::from(disp as u32) << (u64::from(SIB) + 8 * sib);
        self.code.push_bits(bits | REX_W | opcode << 8 | form << 6 << MODRM | disp, 3 + sib as usize + displacement_len(form));
        true
    }

    /// `movbe reg, [base + disp]`, or the other way round.
    #[inline(always)]
    fn swapped(&mut self, opcode: u64, reg: R, base: R, disp: i32) -> bool {
        let base = RM[usize::from(base.0)];
        let bits = REG[usize::from(reg.0)] | base;
        if bits & (NONE | SIB_OF_BASE) != 0 || !self.features.movbe {
            return false;
        }
        let form = form(base, disp);
        // Two bytes of opcode more than elsewhere.
        let modrm = (bits >> MODRM & 0x3f) | form << 6;
        let head = REX_W | bits & 7 | 0x380f << 8 | opcode << 24 | modrm << 32;
        self.code.push_wide(u128::from(head) | u128::from(disp as u32) << 40, 5 + displacement_len(form));
        true
    }

    /// `op reg, imm`, by the operation's number in the group.
    #[inline(always)]
    fn immediate(&mut self, op: u64, reg: R, imm: i32) -> bool {
        let rm = RM[usize::from(reg.0)];
        if rm & NONE != 0 {
            return false;
        }
        let bits = REX_W | rm & 1 | (0xc0 | op << 3 | rm >> MODRM & 7) << MODRM;
        if imm as i8 as i32 == imm {
            self.code.push_bits(bits | 0x83 << 8 | u64::from(imm as u8) << SIB, 4);
        } else if reg == RESULT {
            // rax has a form without ModRM.
            self.code.push_bits(REX_W | (op << 3 | 5) << 8 | u64::from(imm as u32) << 16, 6);
        } else {
            self.code.push_bits(bits | 0x81 << 8 | u64::from(imm as u32) << SIB, 7);
        }
        true
    }

    /// `op reg, amount`.
    #[inline(always)]
    fn shift_in_place(&mut self, op: ShiftOp, reg: R, amount: u8) -> bool {
        let rm = RM[usize::from(reg.0)];
        // The form of one byte less has another opcode.
        if rm & NONE != 0 || amount == 1 {
            return false;
        }
        let modrm = 0xc0 | (scalar::machine_shift(op) as u64) << 3 | rm >> MODRM & 7;
        self.code.push_bits(REX_W | rm & 1 | SHIFT << 8 | modrm << MODRM | u64::from(amount) << SIB, 4);
        true
    }

    /// `imul reg, rm`.
    #[inline(always)]
    fn product(&mut self, reg: R, rm: R) -> bool {
        let bits = REG[usize::from(reg.0)] | RM[usize::from(rm.0)];
        if bits & NONE != 0 {
            return false;
        }
        // A byte of opcode more than elsewhere.
        let modrm = 0xc0 | bits >> MODRM & 0x3f;
        self.code.push_bits(REX_W | bits & 7 | IMUL << 8 | modrm << 24, 4);
        true
    }

    /// Zeroes two limbs from each of `from` bytes on, which may overlap, in the word at `base + disp`: `movups [base + disp], zero`.
    #[inline(always)]
    fn zero_limbs(&mut self, base: R, disp: i32, from: [i32; 2]) -> bool {
        let base = RM[usize::from(base.0)];
        let Some(last) = disp.checked_add(24) else { return false };
        if base & (NONE | SIB_OF_BASE) != 0 {
            return false;
        }
        self.make_zero();
        for from in from {
            let disp = last - 24 + from;
            let form = form(base, disp);
            // REX.R, 0f 11, the zero register's low bits.
            let modrm = (u64::from(memory::ZERO.0) & 7) << 3 | base >> MODRM & 7 | form << 6;
            let head = 0x44 | base & 1 | 0x110f << 8 | modrm << 24;
            self.code.push_bits(head | u64::from(disp as u32) << 32, 4 + displacement_len(form));
        }
        true
    }

    /// Stores a register to the low limb of a word whose other limbs are zero.
    #[inline(always)]
    fn narrow_word(&mut self, r: R, base: R, disp: i32) -> bool {
        let short = self.short_word(base, disp) && self.displaced(MOV_STORE, r, base, disp);
        short && self.zero_limbs(base, disp, [8, 16])
    }

    /// Stores a small constant as a word.
    #[inline(always)]
    fn constant_word(&mut self, imm: i32, base: R, disp: i32) -> bool {
        if !self.short_word(base, disp) || !self.displaced(MOV_IMM, RESULT, base, disp) {
            return false;
        }
        self.code.push_bits(imm as u64, 4);
        self.zero_limbs(base, disp, [8, 16])
    }

    /// Whether [`zero_limbs`](Lowerer::zero_limbs) has a short way to all limbs of the word at `base + disp`.
    #[inline(always)]
    fn short_word(&self, base: R, disp: i32) -> bool {
        RM[usize::from(base.0)] & (NONE | SIB_OF_BASE) == 0 && disp <= i32::MAX - 24
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
            let features = Features { movbe: true, ..Features::none() };
            let (mut short, mut general) = (Lowerer::new(features), Lowerer::new(features));
            if short.direct(&ins) {
                general.general(&ins);
                assert_eq!(short.fault.is_none(), general.fault.is_none(), "{ins}");
                if short.fault.is_none() {
                    assert_eq!(short.code.bytes(), general.code.bytes(), "{ins}");
                    compared += 1;
                }
            }
        };
        let shifts = [ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Ror, ShiftOp::Rol];
        let ops = [AluOp::Add, AluOp::Adc, AluOp::Sub, AluOp::Sbb, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Mul];
        for a in (0..17).chain([255]).map(R) {
            for value in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, u64::MAX, 1 << 63, (i32::MIN as i64 - 1) as u64] {
                compare(Ins::Imm { dst: a, value });
            }
            for b in (0..17).chain([255]).map(R) {
                compare(Ins::Mov { dst: a, src: b });
                compare(Ins::Test { a, b: Src::R(b) });
                compare(Ins::Cmp { a, b: Src::R(b) });
                ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::R(b) }));
                for disp in disps {
                    let mem = ir::Mem { base: b, index: None, shift: 0, disp };
                    compare(Ins::Load { width: Width::B64, signed: false, dst: a, mem });
                    compare(Ins::Store { width: Width::B64, src: a, mem });
                    compare(Ins::StoreImm { width: Width::B64, value: disp ^ 5, mem });
                    compare(Ins::LoadSwap { dst: a, mem });
                    compare(Ins::StoreSwap { src: a, mem });
                    compare(Ins::Lea { dst: a, mem });
                    compare(Ins::WStore { src: WSrc::N(a), base: b, disp });
                    compare(Ins::WStore { src: WSrc::I(disp), base: b, disp });
                    compare(Ins::Cmp { a, b: Src::M(mem) });
                    ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::M(mem) }));
                }
            }
            for imm in disps {
                compare(Ins::Cmp { a, b: Src::I(imm) });
                compare(Ins::Alu { op: AluOp::Add, flags: false, dst: a, a: R(7), b: Src::I(imm) });
                let amount = imm as u8;
                shifts.into_iter().for_each(|op| compare(Ins::ShiftImm { op, dst: a, a, amount }));
                ops.into_iter().for_each(|op| compare(Ins::Alu { op, flags: true, dst: a, a, b: Src::I(imm) }));
            }
        }
        assert!(compared > 20_000, "{compared}");
    }
}
