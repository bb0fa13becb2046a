//! The short way for the instructions that streams are full of: 64-bit moves, loads, stores and arithmetic whose operands take one of two
//! forms, registers or base and displacement. Their bytes are put together in one machine word, of which an instruction takes what it needs.
//! What is not of these forms goes the general way, and gives the same bytes for the same instruction; a test compares them.

use super::*;
use crate::asm::x86_64::{Cc, Limbs};
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

/// Mark in the tables by register, where no instruction has bytes that count: no such register.
const NONE: u64 = 1 << 63;

/// Where the bytes of an instruction with a prefix and one byte of opcode begin.
const MODRM: u32 = 16;
const SIB: u32 = 24;

/// In the tables of addresses, above four bytes of instruction: where the displacement begins in bits, and how many bytes there are in all.
const DISP: u32 = 32;
const LEN: u32 = 40;

/// The number in ModRM for an address with a SIB byte, and in that for no index.
const BY_SIB: u64 = 4;

/// What each IR register puts into prefix and ModRM byte as `reg`.
const REG: [u64; 256] = registers_at(2, MODRM + 3);

/// The same as `rm`.
const RM: [u64; 256] = registers_at(0, MODRM);

/// The same as index of an address, in its SIB byte.
const INDEX: [u64; 256] = registers_at(1, SIB + 3);

/// The top bit of each register's number at bit `rex` of the prefix, the others from bit `low` on.
const fn registers_at(rex: u32, low: u32) -> [u64; 256] {
    let mut table = [NONE; 256];
    let mut r = 0;
    while r < REGISTERS as usize {
        let number = MACHINE[r].number() as u64;
        table[r] = number >> 3 << rex | (number & 7) << low;
        r += 1;
    }
    table
}

/// What each IR register puts into prefix, ModRM and SIB byte as base of an address without index, by the address's [`form`].
const BASE: [[u64; 256]; 3] = [bases(0, false), bases(1, false), bases(2, false)];

/// The same of an address with an index.
const INDEXED: [[u64; 256]; 3] = [bases(0, true), bases(1, true), bases(2, true)];

const fn bases(form: u64, indexed: bool) -> [u64; 256] {
    let mut table = [NONE; 256];
    let mut r = 0;
    while r < REGISTERS as usize {
        let number = MACHINE[r].number() as u64;
        // Bases of number 5 and 13 take a displacement, be it zero, those of number 4 and 12 a SIB byte.
        let form = if form == 0 && number & 7 == 5 { 1 } else { form };
        let by_sib = indexed || number & 7 == BY_SIB;
        let none = if indexed { 0 } else { BY_SIB << 3 };
        let bytes = if by_sib { BY_SIB << MODRM | (none | number & 7) << SIB } else { (number & 7) << MODRM };
        let len = 3 + by_sib as u64 + form * form;
        let disp = SIB as u64 + 8 * by_sib as u64;
        table[r] = number >> 3 | bytes | form << 6 << MODRM | disp << DISP | len << LEN;
        r += 1;
    }
    table
}

/// How an address has its displacement: 0 for none, 1 for one byte, 2 for four, which is the square in bytes. Calculated rather than branched upon:
/// which it is can not be foretold.
#[inline(always)]
fn form(disp: i32) -> usize {
    usize::from(disp != 0) + usize::from(disp as i8 as i32 != disp)
}

/// What an address puts into the instruction: bytes below [`DISP`], then what [`BASE`] says.
#[inline(always)]
fn address(mem: ir::Mem) -> u64 {
    let (form, base) = (form(mem.disp), usize::from(mem.base.0));
    match mem.index {
        None => BASE[form][base],
        Some(index) => INDEXED[form][base] | INDEX[usize::from(index.0)] | u64::from(mem.shift & 3) << (SIB + 6),
    }
}

/// `[base + disp]`
#[inline(always)]
fn displaced(base: R, disp: i32) -> ir::Mem {
    ir::Mem { base, index: None, shift: 0, disp }
}

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

impl Lowerer {
    /// Lowers the instruction if it has a short way. False if not, or if something is wrong with it; then the general way is to be taken.
    #[inline(always)]
    pub(super) fn direct(&mut self, ins: &Ins, at: usize) -> bool {
        match *ins {
            Ins::Imm { dst, value } => self.constant(dst, value),
            Ins::Mov { dst, src } => (dst == src && dst.0 < REGISTERS) || self.registers(MOV_LOAD, dst, src),
            Ins::Load { width: Width::B64, dst, mem, .. } => self.memory(MOV_LOAD, dst, mem),
            Ins::Store { width: Width::B64, src, mem } => self.memory(MOV_STORE, src, mem),
            // The opcode's extension is 0.
            Ins::StoreImm { width: Width::B64, value, mem } => self.memory_imm(MOV_IMM, 0, mem, value),
            Ins::LoadSwap { dst, mem } => self.swapped(MOVBE_LOAD, dst, mem),
            Ins::StoreSwap { src, mem } => self.swapped(MOVBE_STORE, src, mem),
            Ins::WLoadSwap { dst, mem } => self.word_swapped(MOVBE_LOAD, dst, mem, [3, 2, 1, 0]),
            Ins::WStoreSwap { src, mem } => self.word_swapped(MOVBE_STORE, src, mem, [3, 2, 1, 0]),
            Ins::ShiftImm { op, dst, a, amount } if dst == a && amount & 63 != 0 => self.shift_in_place(op, dst, amount & 63),
            Ins::Lea { dst, mem: ir::Mem { base, index: None, disp: 0, .. } } if dst != base => self.registers(MOV_LOAD, dst, base),
            Ins::Lea { dst, mem } => (mem.index.is_some() || mem.disp != 0) && self.memory(LEA, dst, mem),
            Ins::Alu { op: AluOp::Mul, dst, a, b: Src::R(b), .. } if dst == a => self.product(dst, b),
            Ins::Alu { op, dst, a, b, .. } if dst == a && op != AluOp::Mul => {
                let opcode = OPCODES[op as usize].into();
                match b {
                    Src::R(b) => self.registers(opcode, dst, b),
                    Src::M(mem) => self.memory(opcode, dst, mem),
                    Src::I(imm) => op != AluOp::And && self.immediate(opcode >> 3, dst, imm),
                }
            }
            Ins::Alu { op: AluOp::Add, flags: false, dst, a, b: Src::I(imm) } => self.memory(LEA, dst, displaced(a, imm)),
            Ins::Cmp { a, b } => match b {
                Src::R(b) => self.registers(group_opcode(Alu::Cmp), a, b),
                Src::M(mem) => self.memory(group_opcode(Alu::Cmp), a, mem),
                Src::I(0) => self.registers(TEST, a, a),
                Src::I(imm) => self.immediate(Alu::Cmp as u64, a, imm),
            },
            Ins::CmpMem { width: Width::B64, mem, b: Src::I(imm) } => self.compare_memory(mem, imm),
            Ins::Test { a, b: Src::R(b) } => self.registers(TEST, b, a),
            Ins::WLoad { dst, base, disp } => !dst.0.contains(&base) && self.limbs(Limbs::Load, dst, base, disp),
            Ins::WStore { src, base, disp } => match src {
                WSrc::N(r) => self.narrow_word(r, base, disp),
                WSrc::I(0) => self.zero_limbs(base, disp, [0, 16]),
                WSrc::I(imm @ 1..) => self.constant_word(imm, base, disp),
                WSrc::Q(src) => self.limbs(Limbs::Store, src, base, disp),
                WSrc::I(_) | WSrc::M(..) => false,
            },
            Ins::JmpSlot { slot } => {
                self.jmp_slot(slot);
                self.is_fine()
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
                self.exit(at, cond, (dst, value), to, through);
                self.is_fine()
            }
            Ins::Call { addr } => self.near_call(addr),
            Ins::Label(label) => {
                self.zeroed = false;
                self.labels.bind_known(label, self.here())
            }
            _ => false, // the general way has them all
        }
    }

    #[inline(always)]
    fn is_fine(&self) -> bool {
        self.fault.is_none()
    }

    /// `mov r, value` in the shortest form.
    #[inline(always)]
    fn constant(&mut self, dst: R, value: u64) -> bool {
        let rm = RM[usize::from(dst.0)];
        if rm & NONE != 0 {
            return false;
        }
        let (rex, low) = (rm & 1, rm >> MODRM);
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

    /// `op reg, mem`, or the other way round.
    #[inline(always)]
    fn memory(&mut self, opcode: u64, reg: R, mem: ir::Mem) -> bool {
        self.memory_bits(opcode, REG[usize::from(reg.0)], mem)
    }

    /// The same with what stands for the register.
    #[inline(always)]
    fn memory_bits(&mut self, opcode: u64, reg: u64, mem: ir::Mem) -> bool {
        let address = address(mem);
        let bits = reg | address;
        if bits & NONE != 0 {
            return false;
        }
        let disp = u64::from(mem.disp as u32) << (address >> DISP & 63);
        self.code.push_bits(REX_W | opcode << 8 | u64::from(bits as u32) | disp, (address >> LEN) as usize);
        true
    }

    /// `op mem, imm` with four bytes of it; `extension` of the opcode.
    #[inline(always)]
    fn memory_imm(&mut self, opcode: u64, extension: u64, mem: ir::Mem, imm: i32) -> bool {
        let done = self.memory_bits(opcode, extension << 3 << MODRM, mem);
        if done {
            self.code.push_bits(imm as u32 as u64, 4);
        }
        done
    }

    /// `cmp mem, imm`
    #[inline(always)]
    fn compare_memory(&mut self, mem: ir::Mem, imm: i32) -> bool {
        if imm as i8 as i32 != imm {
            return self.memory_imm(0x81, Alu::Cmp as u64, mem, imm);
        }
        let done = self.memory_bits(0x83, (Alu::Cmp as u64) << 3 << MODRM, mem);
        if done {
            self.code.push_bits(imm as u8 as u64, 1);
        }
        done
    }

    /// `movbe reg, mem`, or the other way round.
    #[inline(always)]
    fn swapped(&mut self, opcode: u64, reg: R, mem: ir::Mem) -> bool {
        let address = address(mem);
        let bits = REG[usize::from(reg.0)] | address;
        if bits & NONE != 0 || !self.features.movbe {
            return false;
        }
        // Two bytes of opcode more than elsewhere.
        let disp = u64::from(mem.disp as u32) << ((address >> DISP & 63) - u64::from(MODRM));
        let tail = u64::from(bits as u32) >> MODRM | disp;
        let head = REX_W | bits & 7 | 0x380f << 8 | opcode << 24;
        self.code.push_wide(u128::from(head) | u128::from(tail) << 32, (address >> LEN) as usize + 2);
        true
    }

    /// The same with each limb of a word, in this order.
    #[inline(always)]
    fn word_swapped(&mut self, opcode: u64, word: Quad, mem: ir::Mem, order: [usize; 4]) -> bool {
        let held = |r| word.0.contains(&r);
        let overwritten = opcode == MOVBE_LOAD && (held(mem.base) || mem.index.is_some_and(held));
        !overwritten
            && mem.disp <= i32::MAX - 24
            && order.into_iter().all(|limb| {
                let disp = mem.disp + 24 - 8 * limb as i32;
                self.swapped(opcode, word.0[limb], ir::Mem { disp, ..mem })
            })
    }

    /// `op reg, imm`, by the operation's number in the group.
    #[inline(always)]
    fn immediate(&mut self, op: u64, reg: R, imm: i32) -> bool {
        let rm = RM[usize::from(reg.0)];
        if rm & NONE != 0 {
            return false;
        }
        let bits = REX_W | rm | (0xc0 | op << 3) << MODRM;
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
        let modrm = 0xc0 | (scalar::machine_shift(op) as u64) << 3;
        self.code.push_bits(REX_W | rm | SHIFT << 8 | modrm << MODRM | u64::from(amount) << SIB, 4);
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

    /// All limbs of a word, loaded to or stored from four registers.
    #[inline(always)]
    fn limbs(&mut self, what: Limbs, word: Quad, base: R, disp: i32) -> bool {
        let [a, b, c, d] = word.each(|r| REG[usize::from(r.0)]);
        if (a | b | c | d | RM[usize::from(base.0)]) & NONE != 0 || disp > i32::MAX - 24 {
            return false;
        }
        let machine = |r: R| MACHINE[usize::from(r.0 & 15)];
        what.encode(&mut self.code, word.each(machine), machine(base), disp);
        true
    }

    /// Zeroes two limbs from each of `from` bytes on, which may overlap, in the word at `base + disp`: `movups [base + disp], zero`.
    #[inline(always)]
    fn zero_limbs(&mut self, base: R, disp: i32, from: [i32; 2]) -> bool {
        if base.0 >= REGISTERS || disp > i32::MAX - 24 {
            return false;
        }
        self.make_zero();
        for from in from {
            let disp = disp + from;
            let address = address(displaced(base, disp));
            // REX.R, 0f 11, the zero register's low bits: a byte of opcode more than elsewhere.
            let disp = u64::from(disp as u32) << ((address >> DISP & 63) - u64::from(MODRM));
            let tail = u64::from(address as u32) >> MODRM | (u64::from(memory::ZERO.0) & 7) << 3 | disp;
            let head = 0x44 | address & 1 | 0x110f << 8;
            self.code.push_wide(u128::from(head) | u128::from(tail) << 24, (address >> LEN) as usize + 1);
        }
        true
    }

    /// Stores a register to the low limb of a word whose other limbs are zero.
    #[inline(always)]
    fn narrow_word(&mut self, r: R, base: R, disp: i32) -> bool {
        disp <= i32::MAX - 24 && self.memory(MOV_STORE, r, displaced(base, disp)) && self.zero_limbs(base, disp, [8, 16])
    }

    /// Stores a small constant as a word.
    #[inline(always)]
    fn constant_word(&mut self, imm: i32, base: R, disp: i32) -> bool {
        disp <= i32::MAX - 24 && self.memory_imm(MOV_IMM, 0, displaced(base, disp), imm) && self.zero_limbs(base, disp, [8, 16])
    }

    /// `call` by a distance that fits.
    #[inline(always)]
    fn near_call(&mut self, addr: u64) -> bool {
        let distance = addr.wrapping_sub(self.base.wrapping_add(self.here() as u64)) as i64;
        let Ok(rel) = i32::try_from(distance.wrapping_sub(5)) else { return false };
        if self.upper {
            return false;
        }
        self.zeroed = false;
        self.code.push_bits(0xe8 | u64::from(rel as u32) << 8, 5);
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
            let features = Features { movbe: true, ..Features::none() };
            let (mut short, mut general) = (Lowerer::new(features), Lowerer::new(features));
            if short.direct(&ins, 0) {
                general.general(&ins, 0);
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
                let indexed = [None, Some(R(11)), Some(b), Some(R(15))];
                for (disp, (shift, index)) in disps.into_iter().flat_map(|disp| (0..).zip(indexed).map(move |index| (disp, index)))
                {
                    let mem = ir::Mem { base: b, index, shift, disp };
                    let word = Quad([a, R(1), R(7), R(14)]);
                    compare(Ins::WLoadSwap { dst: word, mem });
                    compare(Ins::WStoreSwap { src: word, mem });
                    compare(Ins::WLoad { dst: word, base: b, disp });
                    compare(Ins::WStore { src: WSrc::Q(word), base: b, disp });
                    compare(Ins::CmpMem { width: Width::B64, mem, b: Src::I(disp ^ 5) });
                    compare(Ins::CmpMem { width: Width::B64, mem, b: Src::I(i32::from(b.0)) });
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
                compare(Ins::Call { addr: imm as i64 as u64 });
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
