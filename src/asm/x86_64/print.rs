//! Instructions as text, in Intel syntax.

use super::vector::{Class, Form};
use super::{
    Adx, Alu, Cc, Coding, Count, Double, Inst, Mem, Reg, Rm, Shift, ShiftX, Size, Unary, VectorInst, VectorOp, VectorRm, Xmm,
};
use core::fmt::{Display, Formatter, Result};

#[rustfmt::skip]
const NAMES: [[&str; 4]; 16] = [
    ["al", "ax", "eax", "rax"], ["cl", "cx", "ecx", "rcx"], ["dl", "dx", "edx", "rdx"], ["bl", "bx", "ebx", "rbx"],
    ["spl", "sp", "esp", "rsp"], ["bpl", "bp", "ebp", "rbp"], ["sil", "si", "esi", "rsi"], ["dil", "di", "edi", "rdi"],
    ["r8b", "r8w", "r8d", "r8"], ["r9b", "r9w", "r9d", "r9"], ["r10b", "r10w", "r10d", "r10"], ["r11b", "r11w", "r11d", "r11"],
    ["r12b", "r12w", "r12d", "r12"], ["r13b", "r13w", "r13d", "r13"], ["r14b", "r14w", "r14d", "r14"], ["r15b", "r15w", "r15d", "r15"],
];

impl Reg {
    /// Its name at an operand size.
    pub const fn name(self, size: Size) -> &'static str {
        NAMES[self.number() as usize][size as usize]
    }
}

impl Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.name(Size::B64))
    }
}

impl Display for Xmm {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "xmm{}", self.0)
    }
}

/// A number as the listing shows it.
struct Number(u64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0 < 10 { write!(f, "{}", self.0) } else { write!(f, "{:#x}", self.0) }
    }
}

/// A sign-extended immediate cut to the operand size.
fn immediate(size: Size, imm: i32) -> Number {
    Number(match size {
        Size::B8 => imm as u8 as u64,
        Size::B16 => imm as u16 as u64,
        Size::B32 => imm as u32 as u64,
        Size::B64 => imm as i64 as u64,
    })
}

impl Display for Mem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{}", self.base())?;
        if let Some(index) = self.index() {
            write!(f, "+{index}")?;
            if self.shift() != 0 {
                write!(f, "*{}", 1 << self.shift())?;
            }
        }
        match self.disp() {
            0 => {}
            disp if disp < 0 => write!(f, "-{}", Number(disp.unsigned_abs() as u64))?,
            disp => write!(f, "+{}", Number(disp as u64))?,
        }
        f.write_str("]")
    }
}

/// An operand at a size.
struct Sized(Rm, Size);

impl Display for Sized {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Rm::R(r) => f.write_str(r.name(self.1)),
            Rm::M(mem) => write!(f, "{} ptr {mem}", ["byte", "word", "dword", "qword"][self.1 as usize]),
        }
    }
}

fn q(rm: Rm) -> Sized {
    Sized(rm, Size::B64)
}

macro_rules! names {
    ($($type:ident { $($name:ident),* })*) => {
        $(impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                let name = match self { $($type::$name => stringify!($name)),* };
                name.chars().try_for_each(|c| write!(f, "{}", c.to_ascii_lowercase()))
            }
        })*
    };
}

names! {
    Alu { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp }
    Shift { Rol, Ror, Shl, Shr, Sar }
    Double { Shld, Shrd }
    ShiftX { Shlx, Shrx, Sarx }
    Adx { Adcx, Adox }
    Unary { Not, Neg, Mul, Imul, Div, Idiv }
    Count { Bsf, Bsr, Tzcnt, Lzcnt, Popcnt }
    Cc { O, No, B, Ae, E, Ne, Be, A, S, Ns, L, Ge, Le, G }
}

fn load_name(size: Size, signed: bool) -> &'static str {
    match (size, signed) {
        (Size::B8 | Size::B16, false) => "movzx",
        (Size::B8 | Size::B16, true) => "movsx",
        (Size::B32, true) => "movsxd",
        (Size::B32, false) | (Size::B64, _) => "mov",
    }
}

impl Display for Inst {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Inst::Alu { op, size, dst, src } => write!(f, "{op} {}, {}", dst.name(size), Sized(src, size)),
            Inst::AluStore { op, size, dst, src } => write!(f, "{op} {}, {}", Sized(Rm::M(dst), size), src.name(size)),
            Inst::AluImm { op, size, dst, imm } => write!(f, "{op} {}, {}", Sized(dst, size), immediate(size, imm)),
            Inst::Test { size, a, b } => write!(f, "test {}, {}", Sized(a, size), b.name(size)),
            Inst::TestImm { size, a, imm } => write!(f, "test {}, {}", Sized(a, size), immediate(size, imm)),
            Inst::MovImm { dst, value } => {
                let size = if value >> 32 == 0 { Size::B32 } else { Size::B64 };
                write!(f, "mov {}, {}", dst.name(size), Number(value))
            }
            Inst::Load { size, signed, dst, src } => {
                let dst = dst.name(if signed || size == Size::B64 { Size::B64 } else { Size::B32 });
                write!(f, "{} {dst}, {}", load_name(size, signed), Sized(src, size))
            }
            Inst::Store { size, dst, src } => write!(f, "mov {}, {}", Sized(Rm::M(dst), size), src.name(size)),
            Inst::StoreImm { size, dst, imm } => write!(f, "mov {}, {}", Sized(Rm::M(dst), size), immediate(size, imm)),
            Inst::MovbeLoad { dst, src } => write!(f, "movbe {dst}, {}", q(Rm::M(src))),
            Inst::MovbeStore { dst, src } => write!(f, "movbe {}, {src}", q(Rm::M(dst))),
            Inst::LeaRip { dst, disp } => write!(f, "lea {dst}, [rip{disp:+}]"),
            Inst::Lea { dst, src } => write!(f, "lea {dst}, {src}"),
            Inst::Imul { dst, src } => write!(f, "imul {dst}, {}", q(src)),
            Inst::ImulImm { dst, src, imm } => write!(f, "imul {dst}, {}, {}", q(src), immediate(Size::B64, imm)),
            Inst::Unary { op, rm } => write!(f, "{op} {}", q(rm)),
            Inst::Bswap(r) => write!(f, "bswap {r}"),
            Inst::Count { op, dst, src } => write!(f, "{op} {dst}, {}", q(src)),
            Inst::ShiftImm { op, dst, amount } => write!(f, "{op} {dst}, {}", Number(amount as u64)),
            Inst::ShiftCl { op, dst } => write!(f, "{op} {dst}, cl"),
            Inst::DoubleImm { op, dst, src, amount } => write!(f, "{op} {dst}, {src}, {}", Number(amount as u64)),
            Inst::DoubleCl { op, dst, src } => write!(f, "{op} {dst}, {src}, cl"),
            Inst::ShiftX { op, dst, src, count } => write!(f, "{op} {dst}, {}, {count}", q(src)),
            Inst::Rorx { dst, src, amount } => write!(f, "rorx {dst}, {}, {}", q(src), Number(amount as u64)),
            Inst::Mulx { hi, lo, src } => write!(f, "mulx {hi}, {lo}, {}", q(src)),
            Inst::Adx { op, dst, src } => write!(f, "{op} {dst}, {}", q(src)),
            Inst::Setcc { cc, dst } => write!(f, "set{cc} {}", dst.name(Size::B8)),
            Inst::Cmov { cc, dst, src } => write!(f, "cmov{cc} {dst}, {}", q(src)),
            Inst::Xchg { a, b } => write!(f, "xchg {a}, {b}"),
            Inst::Push(r) => write!(f, "push {r}"),
            Inst::Pop(r) => write!(f, "pop {r}"),
            Inst::Cqo => f.write_str("cqo"),
            Inst::Stc => f.write_str("stc"),
            Inst::Cmc => f.write_str("cmc"),
            Inst::Jmp(rm) => write!(f, "jmp {}", q(rm)),
            Inst::Call(rm) => write!(f, "call {}", q(rm)),
            Inst::JmpRip { disp } => write!(f, "jmp qword ptr [rip{disp:+}]"),
            Inst::CallRel { rel } => write!(f, "call {rel:+}"),
            Inst::JmpRel { rel } => write!(f, "jmp {rel:+}"),
            Inst::JmpShort { rel } => write!(f, "jmp {rel:+}"),
            Inst::JccRel { cc, rel } => write!(f, "j{cc} {rel:+}"),
            Inst::JccShort { cc, rel } => write!(f, "j{cc} {rel:+}"),
            Inst::Ret => f.write_str("ret"),
            Inst::Ud2 => f.write_str("ud2"),
            Inst::Nop => f.write_str("nop"),
            Inst::MovupsLoad { dst, src } => write!(f, "movups {dst}, xmmword ptr {src}"),
            Inst::XorXmm(r) => write!(f, "xorps {r}, {r}"),
            Inst::MovupsStore { dst, src } => write!(f, "movups xmmword ptr {dst}, {src}"),
        }
    }
}

/// A vector operand in its place.
struct VectorOperand(VectorInst, Class, VectorRm);

impl Display for VectorOperand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let VectorOperand(inst, class, place) = *self;
        let bytes = match class {
            Class::Full => inst.coding.bytes(),
            Class::Half => (inst.coding.bytes() / 2).max(Coding::Sse.bytes()),
            Class::Xmm | Class::G32 | Class::G64 | Class::K => Coding::Sse.bytes(),
        };
        let general = |number: u8| Reg::ALL[(number & 15) as usize];
        match place {
            VectorRm::M(mem) if matches!(inst.op, VectorOp::Movq | VectorOp::MovqStore) => q(Rm::M(mem)).fmt(f),
            VectorRm::M(mem) => write!(f, "{}mmword ptr {mem}", letter(bytes)),
            VectorRm::R(number) => match class {
                Class::Full | Class::Half | Class::Xmm => write!(f, "{}mm{number}", letter(bytes)),
                Class::G32 => f.write_str(general(number).name(Size::B32)),
                Class::G64 => f.write_str(general(number).name(Size::B64)),
                Class::K => write!(f, "k{number}"),
            },
        }
    }
}

/// The first letter of a vector register of so many bytes.
fn letter(bytes: usize) -> char {
    match bytes {
        64 => 'z',
        32 => 'y',
        _ => 'x',
    }
}

impl Display for VectorInst {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let row = self.op.row();
        let legacy = self.coding == Coding::Sse;
        write!(f, "{}{}", if legacy { "" } else { "v" }, row.name)?;
        let operand = |class, place| VectorOperand(*self, class, place);
        let (reg, mid) = (VectorRm::R(self.reg), VectorRm::R(self.mid));
        match row.form {
            Form::RegMidRm([a, _, c]) if legacy => write!(f, " {}, {}", operand(a, reg), operand(c, self.rm))?,
            Form::RegMidRm([a, b, c]) => write!(f, " {}, {}, {}", operand(a, reg), operand(b, mid), operand(c, self.rm))?,
            Form::RegRm([a, b]) => write!(f, " {}, {}", operand(a, reg), operand(b, self.rm))?,
            Form::RmReg([a, b]) => write!(f, " {}, {}", operand(a, self.rm), operand(b, reg))?,
            Form::MidRm(_, [_, b]) if legacy => write!(f, " {}", operand(b, self.rm))?,
            Form::MidRm(_, [a, b]) => write!(f, " {}, {}", operand(a, mid), operand(b, self.rm))?,
            Form::Alone => {}
        }
        if row.imm { write!(f, ", {}", Number(self.imm.into())) } else { Ok(()) }
    }
}
