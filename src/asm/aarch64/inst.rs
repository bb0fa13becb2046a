//! The machine instructions that lowering uses, and their bits.

use super::{Addr, Binary, Cond, Imm12, Logic, Mask, MovWide, PairAddr, Reg, Shift, Size, Sum, Unary, Vec, VectorInst};

/// One machine instruction. Operands of 64 bits unless it has a `size`. Distances are in bytes from the instruction itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // of fields: the line above each variant shows them
pub enum Inst {
    /// `op dst, a, b, lsl #amount` (0..=63, below the size)
    Sum { op: Sum, size: Size, dst: Reg, a: Reg, b: Reg, amount: u8 },
    /// `op dst, a, #imm`
    SumImm { op: Sum, size: Size, dst: Reg, a: Reg, imm: Imm12 },
    /// `adc`, `adcs`, `sbc`, `sbcs`: the operation's name without carry stands for it.
    Carry { op: Sum, dst: Reg, a: Reg, b: Reg },
    /// `op dst, a, b, shift #amount`
    Logic { op: Logic, dst: Reg, a: Reg, b: Reg, shift: Shift, amount: u8 },
    /// `op dst, a, #imm`; `And`, `Orr`, `Eor` and `Ands` have this form.
    LogicImm { op: Logic, dst: Reg, a: Reg, imm: Mask },
    /// `op dst, #imm, lsl #16 * half`
    MovWide { op: MovWide, dst: Reg, imm: u16, half: u8 },
    /// `op dst, a, b`: by the low six bits of `b`
    Shift { op: Shift, dst: Reg, a: Reg, b: Reg },
    /// `op dst, a, #amount` (1..=63)
    ShiftImm { op: Shift, dst: Reg, a: Reg, amount: u8 },
    /// `sxtb`, `sxth`, `sxtw`: the low bits with their sign
    SignExtend { size: Size, dst: Reg, src: Reg },
    /// `extr dst, high, low, #amount`: 64 bits of the pair from bit `amount` (0..=63) on
    Extr { dst: Reg, high: Reg, low: Reg, amount: u8 },
    /// `madd dst, a, b, c`: `c + a * b`
    Madd { dst: Reg, a: Reg, b: Reg, c: Reg },
    /// `msub dst, a, b, c`: `c - a * b`
    Msub { dst: Reg, a: Reg, b: Reg, c: Reg },
    /// `op dst, a, b`
    Binary { op: Binary, dst: Reg, a: Reg, b: Reg },
    /// `op dst, src`
    Unary { op: Unary, dst: Reg, src: Reg },
    /// `csel dst, a, b, cond`
    Csel { cond: Cond, dst: Reg, a: Reg, b: Reg },
    /// `csinc dst, a, b, cond`: `cond ? a : b + 1`
    Csinc { cond: Cond, dst: Reg, a: Reg, b: Reg },
    /// `ccmp a, b, #nzcv, cond`: the flags of `a - b` if the condition holds, else `nzcv` (0..=15)
    Ccmp { cond: Cond, a: Reg, b: Reg, nzcv: u8 },
    /// `ccmp a, #imm, #nzcv, cond` (0..=31)
    CcmpImm { cond: Cond, a: Reg, imm: u8, nzcv: u8 },
    /// `ccmn a, #imm, #nzcv, cond`: likewise of `a + imm`
    CcmnImm { cond: Cond, a: Reg, imm: u8, nzcv: u8 },
    /// A load, zero- or sign-extended to 64 bits (not signed at 64)
    Load { size: Size, signed: bool, dst: Reg, src: Addr },
    /// A store
    Store { size: Size, src: Reg, dst: Addr },
    /// `ldp a, b, [..]`
    LoadPair { a: Reg, b: Reg, src: PairAddr },
    /// `stp a, b, [..]`
    StorePair { a: Reg, b: Reg, dst: PairAddr },
    /// `ldr q, [..]`, or `ldr d, [..]`; scaled offsets are multiples of 16, or of 8
    LoadVec { quad: bool, dst: Vec, src: Addr },
    /// `str q, [..]`, or `str d, [..]`
    StoreVec { quad: bool, src: Vec, dst: Addr },
    /// `ldp q, q, [..]`
    LoadVecPair { a: Vec, b: Vec, src: PairAddr },
    /// `stp q, q, [..]`
    StoreVecPair { a: Vec, b: Vec, dst: PairAddr },
    /// `ldr dst, <distance>`: 64 bits at a multiple of 4 within 1 MiB
    LoadLiteral { dst: Reg, distance: i32 },
    /// `adr dst, <distance>`: within 1 MiB
    Adr { dst: Reg, distance: i32 },
    /// `adrp dst, <pages>`: the page of 4 KiB at this distance in pages, within 4 GiB
    Adrp { dst: Reg, pages: i32 },
    /// `b`, within 128 MiB
    B { distance: i32 },
    /// `bl`, likewise
    Bl { distance: i32 },
    /// `b.cond`, within 1 MiB
    BCond { cond: Cond, distance: i32 },
    /// `br`
    Br(Reg),
    /// `blr`
    Blr(Reg),
    /// `ret` through x30
    Ret,
    /// `brk #0`
    Brk,
    /// `nop`
    Nop,
    /// On vector registers
    Vector(VectorInst),
}

const fn d(r: Reg) -> u32 {
    r.number()
}

const fn n(r: Reg) -> u32 {
    r.number() << 5
}

const fn m(r: Reg) -> u32 {
    r.number() << 16
}

const fn vd(v: Vec) -> u32 {
    (v.0 & 31) as u32
}

/// The low `bits` bits of a number.
const fn low(value: i32, bits: u32) -> u32 {
    value as u32 & ((1 << bits) - 1)
}

const fn sf(size: Size) -> u32 {
    (matches!(size, Size::B64) as u32) << 31
}

/// The address field of a single load or store with the scaled, unscaled and indexed forms of an instruction; `head` has all other bits.
#[inline(always)]
const fn address(head: u32, log2: u32, addr: Addr) -> u32 {
    match addr {
        Addr::Scaled(base, offset) => head | 1 << 24 | ((offset >> log2) as u32 & 0xfff) << 10 | n(base),
        Addr::Unscaled(base, offset) => head | low(offset as i32, 9) << 12 | n(base),
        Addr::Indexed(base, index, scaled) => {
            head | 1 << 21 | m(index) | 0b011 << 13 | (scaled as u32) << 12 | 0b10 << 10 | n(base)
        }
    }
}

/// Likewise for pairs.
#[inline(always)]
const fn pair(head: u32, log2: u32, addr: PairAddr) -> u32 {
    let (mode, base, offset) = match addr {
        PairAddr::After(base, offset) => (0b01, base, offset),
        PairAddr::Offset(base, offset) => (0b10, base, offset),
        PairAddr::Before(base, offset) => (0b11, base, offset),
    };
    head | mode << 23 | low(offset as i32 >> log2, 7) << 15 | n(base)
}

/// `adr` and `adrp`: the low two bits stand apart.
const fn relative(head: u32, dst: Reg, value: i32) -> u32 {
    head | low(value, 2) << 29 | low(value >> 2, 19) << 5 | d(dst)
}

const LOG2_X: u32 = Size::B64.log2();
const LOG2_Q: u32 = 4;

impl Inst {
    /// The instruction's four bytes as a number.
    #[inline(always)]
    pub const fn encode(self) -> u32 {
        match self {
            Inst::Sum { op, size, dst, a, b, amount } => {
                0x0b00_0000 | sf(size) | (op as u32) << 29 | m(b) | (amount as u32 & 63) << 10 | n(a) | d(dst)
            }
            Inst::SumImm { op, size, dst, a, imm } => 0x1100_0000 | sf(size) | (op as u32) << 29 | imm.bits() << 10 | n(a) | d(dst),
            Inst::Carry { op, dst, a, b } => 0x9a00_0000 | (op as u32) << 29 | m(b) | n(a) | d(dst),
            Inst::Logic { op, dst, a, b, shift, amount } => {
                let op = (op as u32 >> 1) << 29 | (op as u32 & 1) << 21;
                0x8a00_0000 | op | (shift as u32) << 22 | m(b) | (amount as u32 & 63) << 10 | n(a) | d(dst)
            }
            Inst::LogicImm { op, dst, a, imm } => 0x9200_0000 | (op as u32 >> 1) << 29 | imm.bits() << 10 | n(a) | d(dst),
            Inst::MovWide { op, dst, imm, half } => {
                0x9280_0000 | (op as u32) << 29 | (half as u32 & 3) << 21 | (imm as u32) << 5 | d(dst)
            }
            Inst::Shift { op, dst, a, b } => 0x9ac0_2000 | m(b) | (op as u32) << 10 | n(a) | d(dst),
            Inst::ShiftImm { op, dst, a, amount } => shift_imm(op, dst, a, amount as u32 & 63),
            Inst::SignExtend { size, dst, src } => 0x9340_0000 | ((8 << size.log2()) - 1) << 10 | n(src) | d(dst),
            Inst::Extr { dst, high, low, amount } => 0x93c0_0000 | m(low) | (amount as u32 & 63) << 10 | n(high) | d(dst),
            Inst::Madd { dst, a, b, c } => 0x9b00_0000 | m(b) | c.number() << 10 | n(a) | d(dst),
            Inst::Msub { dst, a, b, c } => 0x9b00_8000 | m(b) | c.number() << 10 | n(a) | d(dst),
            Inst::Binary { op, dst, a, b } => {
                let op = match op {
                    Binary::Umulh => 0x9bc0_7c00,
                    Binary::Smulh => 0x9b40_7c00,
                    Binary::Udiv => 0x9ac0_0800,
                    Binary::Sdiv => 0x9ac0_0c00,
                };
                op | m(b) | n(a) | d(dst)
            }
            Inst::Unary { op, dst, src } => 0xdac0_0000 | (op as u32) << 10 | n(src) | d(dst),
            Inst::Csel { cond, dst, a, b } => 0x9a80_0000 | m(b) | (cond as u32) << 12 | n(a) | d(dst),
            Inst::Csinc { cond, dst, a, b } => 0x9a80_0400 | m(b) | (cond as u32) << 12 | n(a) | d(dst),
            Inst::Ccmp { cond, a, b, nzcv } => 0xfa40_0000 | m(b) | (cond as u32) << 12 | n(a) | (nzcv as u32 & 15),
            Inst::CcmpImm { cond, a, imm, nzcv } => compare_imm(0xfa40_0800, cond, a, imm, nzcv),
            Inst::CcmnImm { cond, a, imm, nzcv } => compare_imm(0xba40_0800, cond, a, imm, nzcv),
            Inst::Load { size, signed, dst, src } => {
                let kind = if signed { 0b10 } else { 0b01 };
                address(0x3800_0000 | (size as u32) << 30 | kind << 22 | d(dst), size.log2(), src)
            }
            Inst::Store { size, src, dst } => address(0x3800_0000 | (size as u32) << 30 | d(src), size.log2(), dst),
            Inst::LoadPair { a, b, src } => pair(0xa840_0000 | b.number() << 10 | d(a), LOG2_X, src),
            Inst::StorePair { a, b, dst } => pair(0xa800_0000 | b.number() << 10 | d(a), LOG2_X, dst),
            Inst::LoadVec { quad: true, dst, src } => address(0x3cc0_0000 | vd(dst), LOG2_Q, src),
            Inst::LoadVec { quad: false, dst, src } => address(0xfc40_0000 | vd(dst), LOG2_X, src),
            Inst::StoreVec { quad: true, src, dst } => address(0x3c80_0000 | vd(src), LOG2_Q, dst),
            Inst::StoreVec { quad: false, src, dst } => address(0xfc00_0000 | vd(src), LOG2_X, dst),
            Inst::LoadVecPair { a, b, src } => pair(0xac40_0000 | vd(b) << 10 | vd(a), LOG2_Q, src),
            Inst::StoreVecPair { a, b, dst } => pair(0xac00_0000 | vd(b) << 10 | vd(a), LOG2_Q, dst),
            Inst::LoadLiteral { dst, distance } => 0x5800_0000 | low(distance >> 2, 19) << 5 | d(dst),
            Inst::Adr { dst, distance } => relative(0x1000_0000, dst, distance),
            Inst::Adrp { dst, pages } => relative(0x9000_0000, dst, pages),
            Inst::B { distance } => 0x1400_0000 | low(distance >> 2, 26),
            Inst::Bl { distance } => 0x9400_0000 | low(distance >> 2, 26),
            Inst::BCond { cond, distance } => 0x5400_0000 | low(distance >> 2, 19) << 5 | cond as u32,
            Inst::Br(r) => 0xd61f_0000 | n(r),
            Inst::Blr(r) => 0xd63f_0000 | n(r),
            Inst::Ret => 0xd65f_03c0,
            Inst::Brk => 0xd420_0000,
            Inst::Nop => 0xd503_201f,
            Inst::Vector(inst) => inst.encode(),
        }
    }
}

/// `ubfm` and `sbfm`, which are all shifts by constants; `Ror` by `extr`.
const fn shift_imm(op: Shift, dst: Reg, a: Reg, amount: u32) -> u32 {
    let (head, from, to) = match op {
        Shift::Lsl => (0xd340_0000, (64 - amount) & 63, 63 - amount),
        Shift::Lsr => (0xd340_0000, amount, 63),
        Shift::Asr => (0x9340_0000, amount, 63),
        Shift::Ror => (0x93c0_0000 | m(a), 0, amount),
    };
    head | from << 16 | to << 10 | n(a) | d(dst)
}

const fn compare_imm(head: u32, cond: Cond, a: Reg, imm: u8, nzcv: u8) -> u32 {
    head | (imm as u32 & 31) << 16 | (cond as u32) << 12 | n(a) | (nzcv as u32 & 15)
}

/// An instruction that depends on a distance, `code` at address `from`, made to reach `to`: a branch, `adr`, `adrp`, a load of a literal, or
/// the `add` behind `adrp`. None if `to` is too far, or at no multiple of 4 where it must be, or if `code` is something else.
pub const fn aim(code: u32, from: u64, to: u64) -> Option<u32> {
    let distance = to.wrapping_sub(from) as i64;
    let words = if distance & 3 == 0 { Some(distance >> 2) } else { None };
    if code & 0x7c00_0000 == 0x1400_0000 {
        field(code, words, 26, 0)
    } else if code & 0xff00_0000 == 0x5400_0000 || code & 0xff00_0000 == 0x5800_0000 {
        field(code, words, 19, 5)
    } else if code & 0x9f00_0000 == 0x1000_0000 {
        halves(code, distance)
    } else if code & 0x9f00_0000 == 0x9000_0000 {
        halves(code, (to >> PAGE_BITS) as i64 - (from >> PAGE_BITS) as i64)
    } else if code & 0xffc0_0000 == 0x9100_0000 {
        Some(code | (to as u32 & ((1 << PAGE_BITS) - 1)) << 10)
    } else {
        None
    }
}

const PAGE_BITS: u32 = 12;

/// Puts a signed number into a field of zeros, if it fits.
const fn field(code: u32, value: Option<i64>, bits: u32, at: u32) -> Option<u32> {
    match value {
        Some(value) if value >> (bits - 1) == 0 || value >> (bits - 1) == -1 => Some(code | low(value as i32, bits) << at),
        _ => None,
    }
}

/// Likewise into the two fields of `adr`.
const fn halves(code: u32, value: i64) -> Option<u32> {
    match field(code, Some(value >> 2), 19, 5) {
        Some(code) => Some(code | low(value as i32, 2) << 29),
        None => None,
    }
}
