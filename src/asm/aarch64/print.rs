//! Standard syntax with the manual's preferred aliases, immediates in hexadecimal, distances as `$+0x8`.

use super::{Addr, Binary, Cond, Imm12, Inst, Logic, Mask, MovWide, PairAddr, Reg, Shift, Size, Sum, Unary, Vec};
use core::fmt::{Display, Formatter, Result};

impl Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Reg::SP => f.write_str("sp"),
            Reg::ZR => f.write_str("xzr"),
            r => write!(f, "x{}", r.number()),
        }
    }
}

/// A register by its name at a size: `w` up to 32 bits.
pub(super) struct Sized(pub Size, pub Reg);

impl Display for Sized {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.0, self.1) {
            (Size::B64, r) => r.fmt(f),
            (Size::B8 | Size::B16 | Size::B32, Reg::SP) => f.write_str("wsp"),
            (Size::B8 | Size::B16 | Size::B32, Reg::ZR) => f.write_str("wzr"),
            (Size::B8 | Size::B16 | Size::B32, r) => write!(f, "w{}", r.number()),
        }
    }
}

macro_rules! names {
    ($($type:ident { $($variant:ident $name:literal),* })*) => {
        $(impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.write_str(match self { $($type::$variant => $name),* })
            }
        })*
    };
}

names! {
    Sum { Add "add", Adds "adds", Sub "sub", Subs "subs" }
    Logic { And "and", Bic "bic", Orr "orr", Orn "orn", Eor "eor", Eon "eon", Ands "ands", Bics "bics" }
    MovWide { Movn "movn", Movz "movz", Movk "movk" }
    Shift { Lsl "lsl", Lsr "lsr", Asr "asr", Ror "ror" }
    Binary { Umulh "umulh", Smulh "smulh", Udiv "udiv", Sdiv "sdiv" }
    Unary { Rbit "rbit", Rev "rev", Clz "clz" }
    Cond {
        Eq "eq", Ne "ne", Hs "hs", Lo "lo", Mi "mi", Pl "pl", Vs "vs", Vc "vc", Hi "hi", Ls "ls", Ge "ge", Lt "lt", Gt "gt", Le "le"
    }
}

/// A signed number of bytes.
struct Bytes(i32);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{:#x}", if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs())
    }
}

/// A distance from the instruction.
struct Distance(i64);

impl Display for Distance {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "${}{:#x}", if self.0 < 0 { "-" } else { "+" }, self.0.unsigned_abs())
    }
}

impl Display for Imm12 {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "#{:#x}", self.bits() & 0xfff)?;
        if self.bits() >> 12 == 0 { Ok(()) } else { f.write_str(", lsl #12") }
    }
}

impl Display for Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Addr::Scaled(base, 0) | Addr::Unscaled(base, 0) => write!(f, "[{base}]"),
            Addr::Scaled(base, offset) => write!(f, "[{base}, #{offset:#x}]"),
            Addr::Unscaled(base, offset) => write!(f, "[{base}, #{}]", Bytes(offset.into())),
            Addr::Indexed(base, index, _) => write!(f, "[{base}, {index}"),
        }
    }
}

/// An address with the scale of its index, which is that of the access.
struct At(Addr, u32);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.fmt(f)?;
        match self.0 {
            Addr::Indexed(_, _, true) => write!(f, ", lsl #{}]", self.1),
            Addr::Indexed(_, _, false) => f.write_str("]"),
            Addr::Scaled(..) | Addr::Unscaled(..) => Ok(()),
        }
    }
}

impl Display for PairAddr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            PairAddr::Offset(base, 0) => write!(f, "[{base}]"),
            PairAddr::Offset(base, offset) => write!(f, "[{base}, #{}]", Bytes(offset.into())),
            PairAddr::Before(base, offset) => write!(f, "[{base}, #{}]!", Bytes(offset.into())),
            PairAddr::After(base, offset) => write!(f, "[{base}], #{}", Bytes(offset.into())),
        }
    }
}

/// The middle of a mnemonic: `u` for the unscaled form.
fn form(addr: Addr) -> &'static str {
    match addr {
        Addr::Unscaled(..) => "ur",
        Addr::Scaled(..) | Addr::Indexed(..) => "r",
    }
}

fn suffix(size: Size, signed: bool) -> &'static str {
    match (size, signed) {
        (Size::B8, false) => "b",
        (Size::B16, false) => "h",
        (Size::B32 | Size::B64, false) | (Size::B64, true) => "",
        (Size::B8, true) => "sb",
        (Size::B16, true) => "sh",
        (Size::B32, true) => "sw",
    }
}

/// The size in the name of an extension.
fn extended(size: Size) -> &'static str {
    match size {
        Size::B8 => "b",
        Size::B16 => "h",
        Size::B32 | Size::B64 => "w",
    }
}

fn sum(f: &mut Formatter<'_>, op: Sum, size: Size, [dst, a, b]: [Reg; 3], amount: u8) -> Result {
    let [d, n, m] = [dst, a, b].map(|r| Sized(size, r));
    match (op, dst, a) {
        (Sum::Adds, Reg::ZR, _) => write!(f, "cmn {n}, {m}")?,
        (Sum::Subs, Reg::ZR, _) => write!(f, "cmp {n}, {m}")?,
        (Sum::Sub, _, Reg::ZR) => write!(f, "neg {d}, {m}")?,
        (Sum::Subs, _, Reg::ZR) => write!(f, "negs {d}, {m}")?,
        (op, _, _) => write!(f, "{op} {d}, {n}, {m}")?,
    }
    if amount == 0 { Ok(()) } else { write!(f, ", lsl #{amount}") }
}

fn sum_imm(f: &mut Formatter<'_>, op: Sum, size: Size, [dst, a]: [Reg; 2], imm: Imm12) -> Result {
    let [d, n] = [dst, a].map(|r| Sized(size, r));
    match op {
        Sum::Add if imm.bits() == 0 && (dst == Reg::SP || a == Reg::SP) => write!(f, "mov {d}, {n}"),
        Sum::Adds if dst == Reg::ZR => write!(f, "cmn {n}, {imm}"),
        Sum::Subs if dst == Reg::ZR => write!(f, "cmp {n}, {imm}"),
        Sum::Add | Sum::Adds | Sum::Sub | Sum::Subs => write!(f, "{op} {d}, {n}, {imm}"),
    }
}

fn logic(f: &mut Formatter<'_>, op: Logic, [dst, a, b]: [Reg; 3], shift: Shift, amount: u8) -> Result {
    let plain = shift == Shift::Lsl && amount == 0;
    match (op, dst, a) {
        (Logic::Ands, Reg::ZR, _) => write!(f, "tst {a}, {b}")?,
        (Logic::Orr, _, Reg::ZR) if plain => write!(f, "mov {dst}, {b}")?,
        (Logic::Orn, _, Reg::ZR) => write!(f, "mvn {dst}, {b}")?,
        (op, _, _) => write!(f, "{op} {dst}, {a}, {b}")?,
    }
    if plain { Ok(()) } else { write!(f, ", {shift} #{amount}") }
}

fn logic_imm(f: &mut Formatter<'_>, op: Logic, [dst, a]: [Reg; 2], imm: Mask) -> Result {
    let value = imm.value();
    // `mov` is the alias of what the other moves can not do.
    let one_half = |value: u64| (0..4).any(|half| value & !(0xffff << (16 * half)) == 0);
    match (op, dst, a) {
        (Logic::Ands, Reg::ZR, _) => write!(f, "tst {a}, #{value:#x}"),
        (Logic::Orr, _, Reg::ZR) if !one_half(value) && !one_half(!value) => write!(f, "mov {dst}, #{value:#x}"),
        (op, _, _) => write!(f, "{op} {dst}, {a}, #{value:#x}"),
    }
}

fn mov_wide(f: &mut Formatter<'_>, op: MovWide, dst: Reg, imm: u16, half: u8) -> Result {
    let value = u64::from(imm) << (16 * half);
    match op {
        MovWide::Movz if imm != 0 || half == 0 => write!(f, "mov {dst}, #{value:#x}"),
        MovWide::Movn if imm != 0 || half == 0 => write!(f, "mov {dst}, #{:#x}", !value),
        op if half == 0 => write!(f, "{op} {dst}, #{imm:#x}"),
        op => write!(f, "{op} {dst}, #{imm:#x}, lsl #{}", 16 * half),
    }
}

/// Q registers.
fn vectors(f: &mut Formatter<'_>, name: &str, a: Vec, b: Vec, addr: PairAddr) -> Result {
    write!(f, "{name} q{}, q{}, {addr}", a.0, b.0)
}

impl Display for Inst {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Inst::Sum { op, size, dst, a, b, amount } => sum(f, op, size, [dst, a, b], amount),
            Inst::SumImm { op, size, dst, a, imm } => sum_imm(f, op, size, [dst, a], imm),
            Inst::Carry { op, dst, a, b } => {
                let name = match op {
                    Sum::Add => "adc",
                    Sum::Adds => "adcs",
                    Sum::Sub if a == Reg::ZR => return write!(f, "ngc {dst}, {b}"),
                    Sum::Subs if a == Reg::ZR => return write!(f, "ngcs {dst}, {b}"),
                    Sum::Sub => "sbc",
                    Sum::Subs => "sbcs",
                };
                write!(f, "{name} {dst}, {a}, {b}")
            }
            Inst::Logic { op, dst, a, b, shift, amount } => logic(f, op, [dst, a, b], shift, amount),
            Inst::LogicImm { op, dst, a, imm } => logic_imm(f, op, [dst, a], imm),
            Inst::MovWide { op, dst, imm, half } => mov_wide(f, op, dst, imm, half),
            Inst::Shift { op, dst, a, b } => write!(f, "{op} {dst}, {a}, {b}"),
            Inst::ShiftImm { op, dst, a, amount } => write!(f, "{op} {dst}, {a}, #{amount:#x}"),
            Inst::SignExtend { size, dst, src } => write!(f, "sxt{} {dst}, {}", extended(size), Sized(Size::B32, src)),
            Inst::Extr { dst, high, low, amount } if high == low => write!(f, "ror {dst}, {low}, #{amount:#x}"),
            Inst::Extr { dst, high, low, amount } => write!(f, "extr {dst}, {high}, {low}, #{amount:#x}"),
            Inst::Madd { dst, a, b, c: Reg::ZR } => write!(f, "mul {dst}, {a}, {b}"),
            Inst::Madd { dst, a, b, c } => write!(f, "madd {dst}, {a}, {b}, {c}"),
            Inst::Msub { dst, a, b, c: Reg::ZR } => write!(f, "mneg {dst}, {a}, {b}"),
            Inst::Msub { dst, a, b, c } => write!(f, "msub {dst}, {a}, {b}, {c}"),
            Inst::Binary { op, dst, a, b } => write!(f, "{op} {dst}, {a}, {b}"),
            Inst::Unary { op, dst, src } => write!(f, "{op} {dst}, {src}"),
            Inst::Csel { cond, dst, a, b } => write!(f, "csel {dst}, {a}, {b}, {cond}"),
            Inst::Csinc { cond, dst, a: Reg::ZR, b: Reg::ZR } => write!(f, "cset {dst}, {}", cond.inverse()),
            Inst::Csinc { cond, dst, a, b } if a == b => write!(f, "cinc {dst}, {a}, {}", cond.inverse()),
            Inst::Csinc { cond, dst, a, b } => write!(f, "csinc {dst}, {a}, {b}, {cond}"),
            Inst::Ccmp { cond, a, b, nzcv } => write!(f, "ccmp {a}, {b}, #{nzcv:#x}, {cond}"),
            Inst::CcmpImm { cond, a, imm, nzcv } => write!(f, "ccmp {a}, #{imm:#x}, #{nzcv:#x}, {cond}"),
            Inst::CcmnImm { cond, a, imm, nzcv } => write!(f, "ccmn {a}, #{imm:#x}, #{nzcv:#x}, {cond}"),
            Inst::Load { size, signed, dst, src } => {
                let name = Sized(if signed { Size::B64 } else { size }, dst);
                write!(f, "ld{}{} {name}, {}", form(src), suffix(size, signed), At(src, size.log2()))
            }
            Inst::Store { size, src, dst } => {
                write!(f, "st{}{} {}, {}", form(dst), suffix(size, false), Sized(size, src), At(dst, size.log2()))
            }
            Inst::LoadPair { a, b, src } => write!(f, "ldp {a}, {b}, {src}"),
            Inst::StorePair { a, b, dst } => write!(f, "stp {a}, {b}, {dst}"),
            Inst::LoadVec { quad: true, dst, src } => write!(f, "ld{} q{}, {}", form(src), dst.0, At(src, 4)),
            Inst::LoadVec { quad: false, dst, src } => write!(f, "ld{} d{}, {}", form(src), dst.0, At(src, 3)),
            Inst::StoreVec { quad: true, src, dst } => write!(f, "st{} q{}, {}", form(dst), src.0, At(dst, 4)),
            Inst::StoreVec { quad: false, src, dst } => write!(f, "st{} d{}, {}", form(dst), src.0, At(dst, 3)),
            Inst::LoadVecPair { a, b, src } => vectors(f, "ldp", a, b, src),
            Inst::StoreVecPair { a, b, dst } => vectors(f, "stp", a, b, dst),
            Inst::LoadLiteral { dst, distance } => write!(f, "ldr {dst}, {}", Distance(distance.into())),
            Inst::Adr { dst, distance } => write!(f, "adr {dst}, {}", Distance(distance.into())),
            Inst::Adrp { dst, pages } => write!(f, "adrp {dst}, {}", Distance(i64::from(pages) << 12)),
            Inst::B { distance } => write!(f, "b {}", Distance(distance.into())),
            Inst::Bl { distance } => write!(f, "bl {}", Distance(distance.into())),
            Inst::BCond { cond, distance } => write!(f, "b.{cond} {}", Distance(distance.into())),
            Inst::Br(r) => write!(f, "br {r}"),
            Inst::Blr(r) => write!(f, "blr {r}"),
            Inst::Ret => f.write_str("ret"),
            Inst::Brk => f.write_str("brk #0x0"),
            Inst::Nop => f.write_str("nop"),
            Inst::Vector(inst) => inst.fmt(f),
        }
    }
}
