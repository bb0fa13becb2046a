//! One line per instruction.
//!
//! The mnemonic first (`w` for words, `.f` where flags are asked for, the width of memory accesses), then destinations, then sources.

use super::*;
use core::fmt::{Display, Formatter, Result};

impl Display for R {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "r{}", self.0)
    }
}

impl Display for V {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "v{}", self.0)
    }
}

/// Type and number of lanes.
impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}x{}", self.ty, self.lanes())
    }
}

impl Display for Quad {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let [a, b, c, d] = self.0;
        write!(f, "{{{a} {b} {c} {d}}}")
    }
}

impl Display for Label {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "L{}", self.0)
    }
}

/// A displacement with its sign; nothing for 0.
struct Disp(i32);

impl Display for Disp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            0 => Ok(()),
            disp if disp < 0 => write!(f, " - {:#x}", disp.unsigned_abs()),
            disp => write!(f, " + {disp:#x}"),
        }
    }
}

impl Display for Mem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{}", self.base)?;
        if let Some(index) = self.index {
            write!(f, " + {index}")?;
            if self.shift != 0 {
                write!(f, "<<{}", self.shift)?;
            }
        }
        write!(f, "{}]", Disp(self.disp))
    }
}

impl Display for Src {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Src::R(r) => r.fmt(f),
            Src::I(imm) => imm.fmt(f),
            Src::M(mem) => mem.fmt(f),
        }
    }
}

/// A word in memory.
struct WordAt(R, i32);

impl Display for WordAt {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{}{}]", self.0, Disp(self.1))
    }
}

impl Display for Factor {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Factor::Q(quad) => quad.fmt(f),
            Factor::M(base, disp) => WordAt(base, disp).fmt(f),
        }
    }
}

impl Display for WSrc {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            WSrc::Q(quad) => quad.fmt(f),
            WSrc::M(base, disp) => WordAt(base, disp).fmt(f),
            WSrc::N(r) => write!(f, "narrow {r}"),
            WSrc::I(imm) => imm.fmt(f),
        }
    }
}

macro_rules! names {
    ($($type:ident { $($variant:ident $name:literal),* })*) => {
        $(impl $type {
            /// As it is printed.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }
        }
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.write_str(self.name())
            }
        })*
    };
}

names! {
    Cond {
        Eq "eq", Ne "ne", Ult "ult", Ule "ule", Ugt "ugt", Uge "uge", Slt "slt", Sle "sle", Sgt "sgt", Sge "sge",
        Overflow "overflow", NoOverflow "no-overflow", Neg "neg", NotNeg "not-neg"
    }
    Width { B8 "8", B16 "16", B32 "32", B64 "64" }
    AluOp { Add "add", Adc "adc", Sub "sub", Sbb "sbb", And "and", Or "or", Xor "xor", Mul "mul" }
    ShiftOp { Shl "shl", Shr "shr", Sar "sar", Ror "ror", Rol "rol" }
    UnOp { Not "not", Neg "neg", Bswap "bswap", Clz "clz", Ctz "ctz", Popcount "popcount" }
    WordOp { Add "wadd", Sub "wsub", And "wand", Or "wor", Xor "wxor" }
    Type { I8 "i8", I16 "i16", I32 "i32", I64 "i64", F16 "f16", F32 "f32", F64 "f64" }
    VSize { S64 "64", S128 "128", S256 "256", S512 "512" }
    VOp {
        Add "vadd", Sub "vsub", Mul "vmul", Div "vdiv", And "vand", Or "vor", Xor "vxor", AndNot "vandnot", Min "vmin", Max "vmax",
        UMin "vumin", UMax "vumax"
    }
    VUnOp { Not "vnot", Neg "vneg", Abs "vabs", Sqrt "vsqrt", Recip "vrecip", Rsqrt "vrsqrt", ByteSwap "vbyteswap" }
    VCond { Eq "eq", Ne "ne", Lt "lt", Le "le", Gt "gt", Ge "ge", Ult "ult", Ule "ule", Ugt "ugt", Uge "uge" }
    VShift { Shl "vshl", Shr "vshr", Sar "vsar" }
    VConvert {
        I32ToF32 "i32-f32", F32ToI32 "f32-i32", I64ToF64 "i64-f64", F64ToI64 "f64-i64", F16ToF32 "f16-f32", F32ToF16 "f32-f16",
        F32ToF64 "f32-f64", F64ToF32 "f64-f32"
    }
    WShiftOp { Shl "wshl", Shr "wshr", Sar "wsar" }
}

impl Display for Ins {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Ins::Imm { dst, value } => write!(f, "imm {dst}, {value:#x}"),
            Ins::Mov { dst, src } => write!(f, "mov {dst}, {src}"),
            Ins::Alu { op, flags, dst, a, b } => write!(f, "{op}{} {dst}, {a}, {b}", if flags { ".f" } else { "" }),
            Ins::AluMem { op, mem, src } => write!(f, "{op}.m {mem}, {src}"),
            Ins::Un { op, dst, src } => write!(f, "{op} {dst}, {src}"),
            Ins::ShiftImm { op, dst, a, amount } => write!(f, "{op} {dst}, {a}, {amount}"),
            Ins::Shift { op, dst, a, amount } => write!(f, "{op} {dst}, {a}, {amount}"),
            Ins::FunnelImm { dst, hi, lo, amount, tmp } => write!(f, "funnel {dst}, {hi}, {lo}, {amount}, tmp {tmp}"),
            Ins::Lea { dst, mem } => write!(f, "lea {dst}, {mem}"),
            Ins::MulWide { hi, lo, a, b } => write!(f, "mulwide {hi}, {lo}, {a}, {b}"),
            Ins::MulWideSigned { hi, lo, a, b } => write!(f, "smulwide {hi}, {lo}, {a}, {b}"),
            Ins::DivRem { quot, rem, a, b } => write!(f, "divrem {quot}, {rem}, {a}, {b}"),
            Ins::DivRemSigned { quot, rem, a, b } => write!(f, "sdivrem {quot}, {rem}, {a}, {b}"),
            Ins::MulHigh { signed, dst, a, b } => write!(f, "{}mulhigh {dst}, {a}, {b}", if signed { "s" } else { "" }),
            Ins::DivWide { quot, rem, hi, lo, b } => write!(f, "divwide {quot}, {rem}, {hi}:{lo}, {b}"),
            Ins::Extend { width, signed, dst, src } => write!(f, "extend{width}{} {dst}, {src}", if signed { "s" } else { "" }),
            Ins::Cmp { a, b } => write!(f, "cmp {a}, {b}"),
            Ins::CmpMem { width, mem, b } => write!(f, "cmp{width} {mem}, {b}"),
            Ins::Test { a, b } => write!(f, "test {a}, {b}"),
            Ins::Set { cond, dst } => write!(f, "set {dst}, {cond}"),
            Ins::Select { cond, dst, a, b } => write!(f, "select {dst}, {cond}, {a}, {b}"),
            Ins::Load { width, signed, dst, mem } => write!(f, "load{width}{} {dst}, {mem}", if signed { "s" } else { "" }),
            Ins::Store { width, src, mem } => write!(f, "store{width} {mem}, {src}"),
            Ins::StoreImm { width, value, mem } => write!(f, "store{width} {mem}, {value}"),
            Ins::LoadSwap { dst, mem } => write!(f, "loadswap {dst}, {mem}"),
            Ins::StoreSwap { src, mem } => write!(f, "storeswap {mem}, {src}"),
            Ins::W { op, dst, a, b } => write!(f, "{op} {dst}, {a}, {b}"),
            Ins::WNot { dst, a } => write!(f, "wnot {dst}, {a}"),
            Ins::WMov { dst, src } => write!(f, "wmov {dst}, {src}"),
            Ins::WLoad { dst, base, disp } => write!(f, "wload {dst}, {}", WordAt(base, disp)),
            Ins::WStore { src, base, disp } => write!(f, "wstore {}, {src}", WordAt(base, disp)),
            Ins::WLoadSwap { dst, mem } => write!(f, "wloadswap {dst}, {mem}"),
            Ins::WStoreSwap { src, mem } => write!(f, "wstoreswap {mem}, {src}"),
            Ins::WCopy { to, to_disp, from, from_disp } => write!(f, "wcopy {}, {}", WordAt(to, to_disp), WordAt(from, from_disp)),
            Ins::WCmp { a, b, tmp } => write!(f, "wcmp {a}, {b}, tmp {tmp}"),
            Ins::WCmpMem { a, a_disp, b, tmp } => write!(f, "wcmp {}, {b}, tmp {tmp}", WordAt(a, a_disp)),
            Ins::WEq { a, b, tmp: [t, u] } => write!(f, "weq {a}, {b}, tmp {t} {u}"),
            Ins::WEqMem { base, disp, b, tmp: [t, u] } => write!(f, "weq {}, {b}, tmp {t} {u}", WordAt(base, disp)),
            Ins::WIsZero { a, tmp } => write!(f, "wiszero {a}, tmp {tmp}"),
            Ins::WIsZeroMem { base, disp, tmp } => write!(f, "wiszero {}, tmp {tmp}", WordAt(base, disp)),
            Ins::WShiftImm { op, dst, a, amount, tmp: [t, u, v] } => write!(f, "{op} {dst}, {a}, {amount}, tmp {t} {u} {v}"),
            Ins::WShift { op, dst, amount, tmp: [t, u] } => write!(f, "{op} {dst}, {amount}, tmp {t} {u}"),
            Ins::WMul { dst, a, b, tmp: [t, u, v] } => write!(f, "wmul {dst}, {a}, {b}, tmp {t} {u} {v}"),
            Ins::WMulHigh { dst, a, b, b_disp, limbs, plus, tmp: [t, u, v] } => {
                let plus = if plus { "+1" } else { "" };
                write!(f, "wmulhigh.{limbs} {dst}, {a}{plus}, {}, tmp {t} {u} {v}", WordAt(b, b_disp))
            }
            Ins::Vector(vector) => vector.fmt(f),
            Ins::Label(label) => write!(f, "{label}:"),
            Ins::LabelAddr { dst, label } => write!(f, "lea {dst}, {label}"),
            Ins::Jmp(to) => write!(f, "jmp {to}"),
            Ins::Br { cond, to } => write!(f, "br {cond}, {to}"),
            Ins::JmpTo { addr } => write!(f, "jmp {addr:#x}"),
            Ins::BrTo { cond, addr } => write!(f, "br {cond}, {addr:#x}"),
            Ins::Exit { cond, dst, value, to, through } => {
                write!(f, "exit {cond}, {dst} = {value}, {}{to:#x}", if through { "slot " } else { "" })
            }
            Ins::EnterStub => f.write_str("enterstub"),
            Ins::LeaveStub => f.write_str("leavestub"),
            Ins::DropStub => f.write_str("dropstub"),
            Ins::JmpSlot { slot } => write!(f, "jmp slot {slot:#x}"),
            Ins::JmpReg(r) => write!(f, "jmp {r}"),
            Ins::JmpMem(mem) => write!(f, "jmp {mem}"),
            Ins::CallMem(mem) => write!(f, "call {mem}"),
            Ins::CallReg(r) => write!(f, "call {r}"),
            Ins::Call { addr } => write!(f, "call {addr:#x}"),
            Ins::Enter => f.write_str("enter"),
            Ins::Leave => f.write_str("leave"),
            Ins::Ret => f.write_str("ret"),
            Ins::Trap => f.write_str("trap"),
            Ins::Data { bytes, len } => {
                f.write_str("data")?;
                bytes.iter().take(len.into()).try_for_each(|byte| write!(f, " {byte:02x}"))
            }
            Ins::Align { to } => write!(f, "align {to}"),
        }
    }
}

impl Display for VectorIns {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            VectorIns::Mov { size, dst, src } => write!(f, "vmov.{size} {dst}, {src}"),
            VectorIns::Load { size, dst, mem } => write!(f, "vload.{size} {dst}, {mem}"),
            VectorIns::Store { size, src, mem } => write!(f, "vstore.{size} {mem}, {src}"),
            VectorIns::FromR { ty, dst, src } => write!(f, "vfrom.{ty} {dst}, {src}"),
            VectorIns::Extract { ty, lane, dst, src } => write!(f, "vextract.{ty} {dst}, {src}, {lane}"),
            VectorIns::Insert { ty, lane, dst, src } => write!(f, "vinsert.{ty} {dst}, {src}, {lane}"),
            VectorIns::Splat { shape, dst, src } => write!(f, "vsplat.{shape} {dst}, {src}"),
            VectorIns::SplatLane { shape, dst, src } => write!(f, "vsplat.{shape} {dst}, {src}"),
            VectorIns::Op { op, shape, dst, a, b } => write!(f, "{op}.{shape} {dst}, {a}, {b}"),
            VectorIns::Un { op, shape, dst, src } => write!(f, "{op}.{shape} {dst}, {src}"),
            VectorIns::Compare { cond, shape, dst, a, b } => write!(f, "vcmp.{shape} {dst}, {cond}, {a}, {b}"),
            VectorIns::ShiftImm { op, shape, dst, a, amount } => write!(f, "{op}.{shape} {dst}, {a}, {amount}"),
            VectorIns::Shift { op, shape, dst, a, amount } => write!(f, "{op}.{shape} {dst}, {a}, {amount}"),
            VectorIns::Fma { shape, dst, a, b, c } => write!(f, "vfma.{shape} {dst}, {a}, {b}, {c}"),
            VectorIns::Convert { op, size, dst, src } => write!(f, "vconvert.{op}.{size} {dst}, {src}"),
            VectorIns::Sum { shape, dst, src } => write!(f, "vsum.{shape} {dst}, {src}"),
        }
    }
}
