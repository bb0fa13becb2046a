//! The machine instructions that lowering uses, and their bytes.

use super::super::Code;
use super::encode::{Map, Op, Rex, reg_mem, reg_reg, reg_rm, vex};
use super::{Adx, Alu, Cc, Count, Double, Mem, Reg, Rm, Shift, ShiftX, Size, Unary, Xmm};

/// One machine instruction. Operands of 64 bits unless it has a `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // of fields: the line above each variant shows them
pub enum Inst {
    /// `op dst, src`
    Alu { op: Alu, size: Size, dst: Reg, src: Rm },
    /// `op [dst], src`
    AluStore { op: Alu, size: Size, dst: Mem, src: Reg },
    /// `op dst, imm`; the immediate is cut to the size, or sign-extended.
    AluImm { op: Alu, size: Size, dst: Rm, imm: i32 },
    /// `test a, b`
    Test { size: Size, a: Rm, b: Reg },
    /// `test a, imm`
    TestImm { size: Size, a: Rm, imm: i32 },
    /// `mov dst, value`: five, seven or ten bytes.
    MovImm { dst: Reg, value: u64 },
    /// `mov`, `movzx`, `movsx` or `movsxd`, from a register or memory into all 64 bits.
    Load { size: Size, signed: bool, dst: Reg, src: Rm },
    /// `mov [dst], src`
    Store { size: Size, dst: Mem, src: Reg },
    /// `mov [dst], imm`
    StoreImm { size: Size, dst: Mem, imm: i32 },
    /// `movbe dst, [src]`
    MovbeLoad { dst: Reg, src: Mem },
    /// `movbe [dst], src`
    MovbeStore { dst: Mem, src: Reg },
    /// `lea dst, [src]`
    Lea { dst: Reg, src: Mem },
    /// `lea dst, [rip + disp]`
    LeaRip { dst: Reg, disp: i32 },
    /// `imul dst, src`
    Imul { dst: Reg, src: Rm },
    /// `imul dst, src, imm`
    ImulImm { dst: Reg, src: Rm, imm: i32 },
    /// `op rm`
    Unary { op: Unary, rm: Rm },
    /// `bswap`
    Bswap(Reg),
    /// `op dst, src`
    Count { op: Count, dst: Reg, src: Rm },
    /// `op dst, amount` (1..=63)
    ShiftImm { op: Shift, dst: Reg, amount: u8 },
    /// `op dst, cl`
    ShiftCl { op: Shift, dst: Reg },
    /// `op dst, src, amount` (1..=63)
    DoubleImm { op: Double, dst: Reg, src: Reg, amount: u8 },
    /// `op dst, src, cl`
    DoubleCl { op: Double, dst: Reg, src: Reg },
    /// `op dst, src, count` (BMI2)
    ShiftX { op: ShiftX, dst: Reg, src: Rm, count: Reg },
    /// `rorx dst, src, amount` (BMI2)
    Rorx { dst: Reg, src: Rm, amount: u8 },
    /// `mulx hi, lo, src`: times rdx (BMI2)
    Mulx { hi: Reg, lo: Reg, src: Rm },
    /// `op dst, src` (ADX)
    Adx { op: Adx, dst: Reg, src: Rm },
    /// `setcc` of the low byte
    Setcc { cc: Cc, dst: Reg },
    /// `cmovcc dst, src`
    Cmov { cc: Cc, dst: Reg, src: Rm },
    /// `xchg a, b`
    Xchg { a: Reg, b: Reg },
    /// `push`
    Push(Reg),
    /// `pop`
    Pop(Reg),
    /// `cqo`
    Cqo,
    /// `stc`
    Stc,
    /// `cmc`
    Cmc,
    /// `jmp rm`
    Jmp(Rm),
    /// `call rm`
    Call(Rm),
    /// `jmp [rip + disp]`, from the end of the instruction.
    JmpRip { disp: i32 },
    /// `call` by a distance from the end of the instruction.
    CallRel { rel: i32 },
    /// `jmp` by a distance from the end of the instruction.
    JmpRel { rel: i32 },
    /// `jmp short` likewise.
    JmpShort { rel: i8 },
    /// `jcc` likewise.
    JccRel { cc: Cc, rel: i32 },
    /// `jcc short` likewise.
    JccShort { cc: Cc, rel: i8 },
    /// `ret`
    Ret,
    /// `ud2`
    Ud2,
    /// `nop`
    Nop,
    /// `movups dst, [src]`
    MovupsLoad { dst: Xmm, src: Mem },
    /// `movups [dst], src`
    MovupsStore { dst: Mem, src: Xmm },
    /// `xorps r, r`
    XorXmm(Xmm),
}

/// Up to eight bytes as they are.
#[inline(always)]
fn bytes<const N: usize>(bytes: [u8; N]) -> Code {
    let mut all = [0; 8];
    all[..N].copy_from_slice(&bytes);
    Code::short(u64::from_le_bytes(all), N as u32)
}

#[inline(always)]
fn prefix(size: Size) -> u8 {
    if matches!(size, Size::B16) { 0x66 } else { 0 }
}

#[inline(always)]
fn rm_number(rm: Rm) -> u8 {
    match rm {
        Rm::R(r) => r.number(),
        Rm::M(_) => 0,
    }
}

/// The opcode of a group whose even member works on bytes.
#[inline(always)]
fn sized_op(size: Size, opcode: u8) -> Op {
    let opcode = if matches!(size, Size::B8) { opcode & !1 } else { opcode };
    Op::prefixed(prefix(size), Map::One, opcode)
}

/// An immediate as wide as the operand, at most 32 bits.
#[inline(always)]
fn full_imm(code: Code, size: Size, imm: i32) -> Code {
    match size {
        Size::B8 => code.then(imm as u8 as u64, 1),
        Size::B16 => code.then(imm as u16 as u64, 2),
        Size::B32 | Size::B64 => code.then(imm as u32 as u64, 4),
    }
}

#[inline(always)]
fn alu_imm(op: Alu, size: Size, dst: Rm, imm: i32) -> Code {
    let rex = Rex::sized(size, rm_number(dst));
    let short = imm as i8 as i32 == imm || (matches!(size, Size::B16) && imm as i8 as i16 == imm as i16);
    if matches!(size, Size::B8) {
        return reg_rm(Op::one(0x80), rex, op as u8, dst).then(imm as u8 as u64, 1);
    }
    if short {
        return reg_rm(sized_op(size, 0x83), rex, op as u8, dst).then(imm as u8 as u64, 1);
    }
    if matches!(dst, Rm::R(Reg::Rax)) {
        return accumulator(size, (op as u8) << 3 | 5, imm);
    }
    full_imm(reg_rm(sized_op(size, 0x81), rex, op as u8, dst), size, imm)
}

/// The form without ModRM that only rax has.
#[inline(never)]
fn accumulator(size: Size, opcode: u8, imm: i32) -> Code {
    let code = match size {
        Size::B64 => bytes([0x48, opcode]),
        Size::B16 => bytes([0x66, opcode]),
        Size::B8 | Size::B32 => bytes([opcode]),
    };
    full_imm(code, size, imm)
}

#[inline(always)]
fn test_imm(size: Size, a: Rm, imm: i32) -> Code {
    if matches!(a, Rm::R(Reg::Rax)) {
        return accumulator(size, if matches!(size, Size::B8) { 0xa8 } else { 0xa9 }, imm);
    }
    full_imm(reg_rm(sized_op(size, 0xf7), Rex::sized(size, rm_number(a)), 0, a), size, imm)
}

#[inline(always)]
fn mov_imm(dst: Reg, value: u64) -> Code {
    let n = dst.number();
    if value as u32 as u64 == value {
        return in_opcode(0xb8, dst).then(value, 4);
    }
    if value as i32 as i64 as u64 == value {
        return reg_reg(Op::one(0xc7), Rex::W, 0, n).then(value as u32 as u64, 4);
    }
    bytes([0x48 | (n >> 3), 0xb8 | (n & 7)]).then(value, 8)
}

#[inline(always)]
fn load(size: Size, signed: bool, dst: Reg, src: Rm) -> Code {
    let byte = Rex { w: signed, force: Rex::sized(Size::B8, rm_number(src)).force };
    let (op, rex) = match (size, signed) {
        (Size::B8, false) => (Op::of(0xb6), byte),
        (Size::B8, true) => (Op::of(0xbe), byte),
        (Size::B16, false) => (Op::of(0xb7), Rex::NONE),
        (Size::B16, true) => (Op::of(0xbf), Rex::W),
        (Size::B32, false) => (Op::one(0x8b), Rex::NONE),
        (Size::B32, true) => (Op::one(0x63), Rex::W),
        (Size::B64, false | true) => (Op::one(0x8b), Rex::W),
    };
    reg_rm(op, rex, dst.number(), src)
}

#[inline(always)]
fn imul_imm(dst: Reg, src: Rm, imm: i32) -> Code {
    if imm as i8 as i32 == imm {
        return reg_rm(Op::one(0x6b), Rex::W, dst.number(), src).then(imm as u8 as u64, 1);
    }
    reg_rm(Op::one(0x69), Rex::W, dst.number(), src).then(imm as u32 as u64, 4)
}

#[inline(always)]
fn shift_imm(op: Shift, dst: Reg, amount: u8) -> Code {
    if amount == 1 {
        return reg_reg(Op::one(0xd1), Rex::W, op as u8, dst.number());
    }
    reg_reg(Op::one(0xc1), Rex::W, op as u8, dst.number()).then(amount as u64, 1)
}

#[inline(always)]
fn count_op(op: Count) -> Op {
    let f3 = |opcode| Op::prefixed(0xf3, Map::Of, opcode);
    match op {
        Count::Bsf => Op::of(0xbc),
        Count::Bsr => Op::of(0xbd),
        Count::Tzcnt => f3(0xbc),
        Count::Lzcnt => f3(0xbd),
        Count::Popcnt => f3(0xb8),
    }
}

/// A one-byte opcode with the register in its low bits; 64 bits by default.
#[inline(always)]
fn in_opcode(opcode: u8, reg: Reg) -> Code {
    let opcode = opcode | (reg.number() & 7);
    if reg.number() >= 8 { bytes([0x41, opcode]) } else { bytes([opcode]) }
}

impl Inst {
    /// Its bytes.
    #[inline(always)]
    pub fn encode(self) -> Code {
        match self {
            Inst::Alu { op, size, dst, src } => {
                let byte = if (4..8).contains(&dst.number()) { dst.number() } else { rm_number(src) };
                reg_rm(sized_op(size, (op as u8) << 3 | 3), Rex::sized(size, byte), dst.number(), src)
            }
            Inst::AluStore { op, size, dst, src } => {
                reg_mem(sized_op(size, (op as u8) << 3 | 1), Rex::sized(size, src.number()), src.number(), dst)
            }
            Inst::AluImm { op, size, dst, imm } => alu_imm(op, size, dst, imm),
            Inst::Test { size, a, b } => {
                let byte = if (4..8).contains(&b.number()) { b.number() } else { rm_number(a) };
                reg_rm(sized_op(size, 0x85), Rex::sized(size, byte), b.number(), a)
            }
            Inst::TestImm { size, a, imm } => test_imm(size, a, imm),
            Inst::MovImm { dst, value } => mov_imm(dst, value),
            Inst::Load { size, signed, dst, src } => load(size, signed, dst, src),
            Inst::Store { size, dst, src } => reg_mem(sized_op(size, 0x89), Rex::sized(size, src.number()), src.number(), dst),
            Inst::StoreImm { size, dst, imm } => full_imm(reg_mem(sized_op(size, 0xc7), Rex::sized(size, 0), 0, dst), size, imm),
            Inst::MovbeLoad { dst, src } => reg_mem(Op::prefixed(0, Map::Of38, 0xf0), Rex::W, dst.number(), src),
            Inst::MovbeStore { dst, src } => reg_mem(Op::prefixed(0, Map::Of38, 0xf1), Rex::W, src.number(), dst),
            Inst::LeaRip { dst, disp } => {
                let number = dst.number();
                bytes([0x48 | (number >> 3) << 2, 0x8d, 0x05 | (number & 7) << 3]).then(disp as u32 as u64, 4)
            }
            Inst::Lea { dst, src } => reg_mem(Op::one(0x8d), Rex::W, dst.number(), src),
            Inst::Imul { dst, src } => reg_rm(Op::of(0xaf), Rex::W, dst.number(), src),
            Inst::ImulImm { dst, src, imm } => imul_imm(dst, src, imm),
            Inst::Unary { op, rm } => reg_rm(Op::one(0xf7), Rex::W, op as u8, rm),
            Inst::Bswap(r) => bytes([0x48 | (r.number() >> 3), 0x0f, 0xc8 | (r.number() & 7)]),
            Inst::Count { op, dst, src } => reg_rm(count_op(op), Rex::W, dst.number(), src),
            Inst::ShiftImm { op, dst, amount } => shift_imm(op, dst, amount),
            Inst::ShiftCl { op, dst } => reg_reg(Op::one(0xd3), Rex::W, op as u8, dst.number()),
            Inst::DoubleImm { op, dst, src, amount } => {
                let opcode = if matches!(op, Double::Shld) { 0xa4 } else { 0xac };
                reg_reg(Op::of(opcode), Rex::W, src.number(), dst.number()).then(amount as u64, 1)
            }
            Inst::DoubleCl { op, dst, src } => {
                let opcode = if matches!(op, Double::Shld) { 0xa5 } else { 0xad };
                reg_reg(Op::of(opcode), Rex::W, src.number(), dst.number())
            }
            Inst::ShiftX { op, dst, src, count } => vex(op as u8, Map::Of38, 0xf7, dst.number(), count.number(), src),
            Inst::Rorx { dst, src, amount } => vex(3, Map::Of3a, 0xf0, dst.number(), 0, src).then(amount as u64, 1),
            Inst::Mulx { hi, lo, src } => vex(3, Map::Of38, 0xf6, hi.number(), lo.number(), src),
            Inst::Adx { op, dst, src } => {
                let prefix = if matches!(op, Adx::Adcx) { 0x66 } else { 0xf3 };
                reg_rm(Op::prefixed(prefix, Map::Of38, 0xf6), Rex::W, dst.number(), src)
            }
            Inst::Setcc { cc, dst } => reg_reg(Op::of(0x90 | cc as u8), Rex::sized(Size::B8, dst.number()), 0, dst.number()),
            Inst::Cmov { cc, dst, src } => reg_rm(Op::of(0x40 | cc as u8), Rex::W, dst.number(), src),
            Inst::Xchg { a, b } => reg_reg(Op::one(0x87), Rex::W, b.number(), a.number()),
            Inst::Push(r) => in_opcode(0x50, r),
            Inst::Pop(r) => in_opcode(0x58, r),
            Inst::Cqo => bytes([0x48, 0x99]),
            Inst::Stc => bytes([0xf9]),
            Inst::Cmc => bytes([0xf5]),
            Inst::Jmp(rm) => reg_rm(Op::one(0xff), Rex::NONE, 4, rm),
            Inst::Call(rm) => reg_rm(Op::one(0xff), Rex::NONE, 2, rm),
            Inst::JmpRip { disp } => bytes([0xff, 0x25]).then(disp as u32 as u64, 4),
            Inst::CallRel { rel } => bytes([0xe8]).then(rel as u32 as u64, 4),
            Inst::JmpRel { rel } => bytes([0xe9]).then(rel as u32 as u64, 4),
            Inst::JmpShort { rel } => bytes([0xeb, rel as u8]),
            Inst::JccRel { cc, rel } => bytes([0x0f, 0x80 | cc as u8]).then(rel as u32 as u64, 4),
            Inst::JccShort { cc, rel } => bytes([0x70 | cc as u8, rel as u8]),
            Inst::Ret => bytes([0xc3]),
            Inst::Ud2 => bytes([0x0f, 0x0b]),
            Inst::Nop => bytes([0x90]),
            Inst::MovupsLoad { dst, src } => reg_mem(Op::of(0x10), Rex::NONE, dst.0, src),
            Inst::XorXmm(r) => reg_reg(Op::of(0x57), Rex::NONE, r.0, r.0),
            Inst::MovupsStore { dst, src } => reg_mem(Op::of(0x11), Rex::NONE, src.0, dst),
        }
    }
}
