//! The shapes of encodings: legacy and VEX, with a register or memory operand.

use super::super::Code;
use super::{Mem, Rm, Size};

/// Opcode maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    One,
    Of,
    Of38,
    Of3a,
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

#[inline(always)]
fn head(op: Op, rex: Rex, bits: u8) -> Code {
    let mut code = Code::new();
    if op.prefix != 0 {
        code = code.byte(op.prefix);
    }
    let bits = bits | ((rex.w as u8) << 3);
    if rex.w || rex.force || bits != 0 {
        code = code.byte(0x40 | bits);
    }
    opcode(code, op)
}

#[inline(always)]
fn opcode(mut code: Code, op: Op) -> Code {
    code = match op.map {
        Map::One => code,
        Map::Of => code.byte(0x0f),
        Map::Of38 => code.byte(0x0f).byte(0x38),
        Map::Of3a => code.byte(0x0f).byte(0x3a),
    };
    code.byte(op.opcode)
}

/// Legacy encoding with two registers (or an opcode extension as `reg`).
#[inline(always)]
pub(super) fn reg_reg(op: Op, rex: Rex, reg: u8, rm: u8) -> Code {
    head(op, rex, (reg >> 3 << 2) | (rm >> 3)).byte(0xc0 | ((reg & 7) << 3) | (rm & 7))
}

/// Legacy encoding with a memory operand.
#[inline]
pub(super) fn reg_mem(op: Op, rex: Rex, reg: u8, mem: &Mem) -> Code {
    let index = index_number(mem);
    let code = head(op, rex, (reg >> 3 << 2) | (index >> 3 << 1) | (mem.base.number() >> 3));
    address(code, reg, mem)
}

/// Legacy encoding with a register or memory operand.
#[inline(always)]
pub(super) fn reg_rm(op: Op, rex: Rex, reg: u8, rm: &Rm) -> Code {
    match rm {
        Rm::R(r) => reg_reg(op, rex, reg, r.number()),
        Rm::M(mem) => reg_mem(op, rex, reg, mem),
    }
}

/// VEX.LZ.W1 encoding; `prefix` is the two-bit field (0, 66, F3, F2), `vvvv` the register between.
#[inline]
pub(super) fn vex(prefix: u8, map: Map, op: u8, reg: u8, vvvv: u8, rm: &Rm) -> Code {
    let select = match map {
        Map::One => 0,
        Map::Of => 1,
        Map::Of38 => 2,
        Map::Of3a => 3,
    };
    let (x, b) = match rm {
        Rm::R(r) => (0, r.number() >> 3),
        Rm::M(mem) => (index_number(mem) >> 3, mem.base.number() >> 3),
    };
    let inverted = ((reg >> 3) << 7 | x << 6 | b << 5) ^ 0xe0;
    let code = Code::new().byte(0xc4).byte(inverted | select).byte(0x80 | ((vvvv ^ 15) << 3) | prefix).byte(op);
    match rm {
        Rm::R(r) => code.byte(0xc0 | ((reg & 7) << 3) | (r.number() & 7)),
        Rm::M(mem) => address(code, reg, mem),
    }
}

#[inline(always)]
fn index_number(mem: &Mem) -> u8 {
    match mem.index {
        Some(index) => index.number(),
        None => 0,
    }
}

/// ModRM, SIB and displacement. Base numbers 4 and 12 need a SIB, 5 and 13 a displacement.
#[inline(always)]
fn address(code: Code, reg: u8, mem: &Mem) -> Code {
    let base = mem.base.number();
    let disp = mem.disp;
    let (mode, len, value) = if disp == 0 && base & 7 != 5 {
        (0, 0, 0)
    } else if disp as i8 as i32 == disp {
        (0x40, 1, disp as u8 as u64)
    } else {
        (0x80, 4, disp as u32 as u64)
    };
    let reg = (reg & 7) << 3;
    let code = match mem.index {
        Some(index) => {
            debug_assert!(index.number() != 4 && mem.shift < 4);
            code.byte(mode | reg | 4).byte((mem.shift << 6) | ((index.number() & 7) << 3) | (base & 7))
        }
        None if base & 7 == 4 => code.byte(mode | reg | 4).byte(0x24),
        None => code.byte(mode | reg | (base & 7)),
    };
    code.tail(value, len)
}
