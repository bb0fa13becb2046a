//! The shapes of encodings: legacy and VEX, with a register or memory operand.

use super::super::Code;
use super::{Mem, NO_INDEX, Rm, Size};

/// Opcode maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    One,
    Of,
    Of38,
    Of3a,
}

impl Map {
    /// As VEX and EVEX have it.
    #[inline(always)]
    pub(super) const fn field(self) -> u8 {
        match self {
            Map::One => 0,
            Map::Of => 1,
            Map::Of38 => 2,
            Map::Of3a => 3,
        }
    }
}

/// An opcode with its mandatory prefix (0: none).
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub prefix: u8,
    pub map: Map,
    pub opcode: u8,
}

impl Op {
    #[inline(always)]
    pub(super) const fn one(opcode: u8) -> Op {
        Op { prefix: 0, map: Map::One, opcode }
    }

    #[inline(always)]
    pub(super) const fn of(opcode: u8) -> Op {
        Op { prefix: 0, map: Map::Of, opcode }
    }

    #[inline(always)]
    pub(super) const fn prefixed(prefix: u8, map: Map, opcode: u8) -> Op {
        Op { prefix, map, opcode }
    }

    /// Escape bytes and opcode, with their length.
    #[inline(always)]
    const fn bytes(self) -> (u64, u32) {
        let opcode = self.opcode as u64;
        match self.map {
            Map::One => (opcode, 1),
            Map::Of => (opcode << 8 | 0x0f, 2),
            Map::Of38 => (opcode << 16 | 0x380f, 3),
            Map::Of3a => (opcode << 16 | 0x3a0f, 3),
        }
    }
}

/// What the REX prefix says besides the operands: the size, and whether an operand is the low byte of a register of number 4..=7.
#[derive(Clone, Copy)]
pub(super) struct Rex {
    pub w: bool,
    pub force: bool,
}

impl Rex {
    pub(super) const NONE: Rex = Rex { w: false, force: false };
    pub(super) const W: Rex = Rex { w: true, force: false };

    /// For an operand size; `byte` is the number of the register used at that size, if any.
    #[inline(always)]
    pub(super) const fn sized(size: Size, byte: u8) -> Rex {
        match size {
            Size::B64 => Rex::W,
            Size::B8 => Rex { w: false, force: byte >= 4 && byte < 8 },
            Size::B16 | Size::B32 => Rex::NONE,
        }
    }
}

/// Prefixes and opcode, with their length. `bits` are the low three bits of REX.
#[inline(always)]
fn head(op: Op, rex: Rex, bits: u8) -> (u64, u32) {
    let (opcode, len) = op.bytes();
    let bits = bits | ((rex.w as u8) << 3);
    let (head, len) = if rex.w || rex.force || bits != 0 { (opcode << 8 | 0x40 | bits as u64, len + 1) } else { (opcode, len) };
    if op.prefix != 0 { (head << 8 | op.prefix as u64, len + 1) } else { (head, len) }
}

/// Legacy encoding with two registers (or an opcode extension as `reg`).
#[inline(always)]
pub(super) fn reg_reg(op: Op, rex: Rex, reg: u8, rm: u8) -> Code {
    let (head, len) = head(op, rex, (reg >> 3 << 2) | (rm >> 3));
    let modrm = 0xc0 | ((reg & 7) << 3) | (rm & 7);
    Code::short(head | (modrm as u64) << (8 * len), len + 1)
}

/// Legacy encoding with a memory operand.
#[inline(always)]
pub(super) fn reg_mem(op: Op, rex: Rex, reg: u8, mem: Mem) -> Code {
    let (head, len) = head(op, rex, (reg >> 3 << 2) | (mem.index_number() >> 3 << 1) | (mem.base_number() >> 3));
    let (address, address_len) = address(reg, mem);
    Code::short(head, len).then(address, address_len)
}

/// Legacy encoding with a register or memory operand.
#[inline(always)]
pub(super) fn reg_rm(op: Op, rex: Rex, reg: u8, rm: Rm) -> Code {
    match rm {
        Rm::R(r) => reg_reg(op, rex, reg, r.number()),
        Rm::M(mem) => reg_mem(op, rex, reg, mem),
    }
}

/// VEX.LZ.W1 encoding; `prefix` is the two-bit field (0, 66, F3, F2), `vvvv` the register between.
#[inline(always)]
pub(super) fn vex(prefix: u8, map: Map, op: u8, reg: u8, vvvv: u8, rm: Rm) -> Code {
    let (x, b) = match rm {
        Rm::R(r) => (0, r.number() >> 3),
        Rm::M(mem) => (mem.index_number() >> 3, mem.base_number() >> 3),
    };
    let inverted = ((reg >> 3) << 7 | x << 6 | b << 5) ^ 0xe0;
    let head = u32::from_le_bytes([0xc4, inverted | map.field(), 0x80 | ((vvvv ^ 15) << 3) | prefix, op]);
    let (address, len) = match rm {
        Rm::R(r) => ((0xc0 | ((reg & 7) << 3) | (r.number() & 7)) as u64, 1),
        Rm::M(mem) => address(reg, mem),
    };
    Code::short(head as u64, 4).then(address, len)
}

/// ModRM, SIB and displacement: one to six bytes. Base numbers 4 and 12 need a SIB, 5 and 13 a displacement.
#[inline(always)]
pub(super) fn address(reg: u8, mem: Mem) -> (u64, u32) {
    let (base, index, disp) = (mem.base_number() as u64, mem.index_number() as u64, mem.disp());
    let modrm = (reg as u64 & 7) << 3 | base & 7;
    let (bits, len) = if index == NO_INDEX as u64 && base & 7 != 4 {
        (modrm, 1)
    } else {
        let sib = (mem.shift() as u64) << 6 | (index & 7) << 3 | (base & 7);
        (modrm & 0x38 | 4 | sib << 8, 2)
    };
    if disp as i8 as i32 != disp {
        (bits | 0x80 | (disp as u32 as u64) << (8 * len), len + 4)
    } else if disp != 0 || base & 7 == 5 {
        (bits | 0x40 | (disp as u8 as u64) << (8 * len), len + 1)
    } else {
        (bits, len)
    }
}
