//! What instructions mean: a slow evaluator over registers, flags and a run of bytes. Targets are tested against it.

use super::*;

/// As many as any target has.
pub const MAX_REGISTERS: usize = 32;

/// As many vector registers as any target has.
pub const MAX_VECTOR_REGISTERS: usize = 32;

/// Flags; `None` is undefined, and reading it an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Carry of an addition, borrow of a subtraction.
    pub carry: Option<bool>,
    /// The result is zero.
    pub zero: Option<bool>,
    /// The result is negative.
    pub sign: Option<bool>,
    /// The signed result does not fit.
    pub overflow: Option<bool>,
}

impl Flags {
    /// Whether a condition holds, if that is defined.
    pub fn holds(&self, cond: Cond) -> Option<bool> {
        let less = || Some(self.sign? != self.overflow?);
        Some(match cond {
            Cond::Eq => self.zero?,
            Cond::Ne => !self.zero?,
            Cond::Ult => self.carry?,
            Cond::Uge => !self.carry?,
            Cond::Ule => self.carry? || self.zero?,
            Cond::Ugt => !(self.carry? || self.zero?),
            Cond::Slt => less()?,
            Cond::Sge => !less()?,
            Cond::Sle => less()? || self.zero?,
            Cond::Sgt => !(less()? || self.zero?),
            Cond::Overflow => self.overflow?,
            Cond::NoOverflow => !self.overflow?,
            Cond::Neg => self.sign?,
            Cond::NotNeg => !self.sign?,
        })
    }

    /// Zero and sign of a result; the rest is undefined.
    fn of(result: u64) -> Flags {
        Flags { carry: None, zero: Some(result == 0), sign: Some((result as i64) < 0), overflow: None }
    }

    fn zero(zero: bool) -> Flags {
        Flags { zero: Some(zero), ..Flags::default() }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `Ret` or `Leave`.
    Return,
    /// A jump out of the stream, to an address.
    Jump(u64),
}

/// Why a stream was not evaluated to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// An access outside the memory.
    Memory(u64),
    /// A condition on flags that are undefined.
    UndefinedFlags(usize),
    /// A division that the IR forbids.
    Division(usize),
    /// A call, which the evaluator does not follow.
    Call(usize),
    /// The address of a label: there is no code here.
    CodeAddress(usize),
    /// `Trap`, data, or the end of the stream.
    Trap(usize),
    /// A branch to nowhere.
    Unbound(Label),
    /// More steps than allowed.
    Steps,
}

/// The state of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Registers.
    pub regs: [u64; MAX_REGISTERS],
    /// Vector registers, lane 0 first.
    pub vectors: [[u8; VECTOR_BYTES]; MAX_VECTOR_REGISTERS],
    /// Flags.
    pub flags: Flags,
    /// Memory from address `base` on.
    pub memory: Vec<u8>,
    /// Where memory begins.
    pub base: u64,
}

/// Bytes of the widest vector register.
pub(super) const VECTOR_BYTES: usize = VSize::S512.bytes();

type Word = [u64; 4];
pub(super) type Eval<T> = Result<T, EvalError>;

impl Machine {
    /// A machine with this memory, everything else zero or undefined.
    pub fn new(memory: Vec<u8>, base: u64) -> Machine {
        let vectors = [[0; VECTOR_BYTES]; MAX_VECTOR_REGISTERS];
        Machine { regs: [0; MAX_REGISTERS], vectors, flags: Flags::default(), memory, base }
    }

    /// Runs a verified stream, at most `steps` instructions of it.
    ///
    /// # Errors
    ///
    /// Where the stream does what the IR leaves undefined, or what is not modelled.
    pub fn run(&mut self, ins: &[Ins], steps: usize) -> Eval<Exit> {
        let mut at = 0;
        for _ in 0..steps {
            let Some(&this) = ins.get(at) else { return Err(EvalError::Trap(at)) };
            let to = match this {
                Ins::Jmp(to) => Some(to),
                Ins::Br { cond, to } => self.holds(cond, at)?.then_some(to),
                Ins::JmpTo { addr } => return Ok(Exit::Jump(addr)),
                Ins::BrTo { cond, addr } if self.holds(cond, at)? => return Ok(Exit::Jump(addr)),
                Ins::Exit { cond, dst, value, to, through } if self.holds(cond, at)? => {
                    self.set(dst, u64::from(value));
                    return Ok(Exit::Jump(if through { self.read(to, Width::B64)? } else { to }));
                }
                Ins::JmpSlot { slot } => return Ok(Exit::Jump(self.read(slot, Width::B64)?)),
                Ins::JmpReg(r) => return Ok(Exit::Jump(self.get(r))),
                Ins::JmpMem(mem) => return Ok(Exit::Jump(self.read(self.address(mem), Width::B64)?)),
                Ins::Ret | Ins::Leave | Ins::LeaveStub => return Ok(Exit::Return),
                _ => {
                    self.step(&this, at)?;
                    None
                }
            };
            at = match to {
                Some(label) => ins.iter().position(|&i| i == Ins::Label(label)).ok_or(EvalError::Unbound(label))?,
                None => at + 1,
            };
        }
        Err(EvalError::Steps)
    }

    fn holds(&self, cond: Cond, at: usize) -> Eval<bool> {
        self.flags.holds(cond).ok_or(EvalError::UndefinedFlags(at))
    }

    pub(super) fn get(&self, r: R) -> u64 {
        self.regs[r.0 as usize]
    }

    pub(super) fn set(&mut self, r: R, value: u64) {
        self.regs[r.0 as usize] = value;
    }

    fn quad(&self, quad: Quad) -> Word {
        quad.each(|r| self.get(r))
    }

    fn set_quad(&mut self, quad: Quad, word: Word) {
        for (r, limb) in quad.0.into_iter().zip(word) {
            self.set(r, limb);
        }
    }

    pub(super) fn address(&self, mem: Mem) -> u64 {
        let index = mem.index.map_or(0, |index| self.get(index) << mem.shift);
        self.get(mem.base).wrapping_add(index).wrapping_add(mem.disp as u64)
    }

    pub(super) fn range(&self, addr: u64, len: usize) -> Eval<core::ops::Range<usize>> {
        let offset = addr.wrapping_sub(self.base);
        match usize::try_from(offset).ok().and_then(|offset| Some(offset..offset.checked_add(len)?)) {
            Some(range) if range.end <= self.memory.len() => Ok(range),
            Some(_) | None => Err(EvalError::Memory(addr)),
        }
    }

    fn read(&self, addr: u64, width: Width) -> Eval<u64> {
        let range = self.range(addr, bytes(width))?;
        let mut all = [0; 8];
        all[..range.len()].copy_from_slice(&self.memory[range]);
        Ok(u64::from_le_bytes(all))
    }

    fn write(&mut self, addr: u64, width: Width, value: u64) -> Eval<()> {
        let range = self.range(addr, bytes(width))?;
        let len = range.len();
        self.memory[range].copy_from_slice(&value.to_le_bytes()[..len]);
        Ok(())
    }

    fn read_word(&self, base: R, disp: i32) -> Eval<Word> {
        let addr = self.get(base).wrapping_add(disp as u64);
        let mut word = [0; 4];
        for (i, limb) in word.iter_mut().enumerate() {
            *limb = self.read(addr.wrapping_add(8 * i as u64), Width::B64)?;
        }
        Ok(word)
    }

    fn write_word(&mut self, base: R, disp: i32, word: Word) -> Eval<()> {
        let addr = self.get(base).wrapping_add(disp as u64);
        for (i, limb) in word.into_iter().enumerate() {
            self.write(addr.wrapping_add(8 * i as u64), Width::B64, limb)?;
        }
        Ok(())
    }

    fn src(&self, src: Src, width: Width) -> Eval<u64> {
        match src {
            Src::R(r) => Ok(self.get(r)),
            Src::I(imm) => Ok(imm as u64),
            Src::M(mem) => self.read(self.address(mem), width),
        }
    }

    fn word(&self, src: WSrc) -> Eval<Word> {
        Ok(match src {
            WSrc::Q(quad) => self.quad(quad),
            WSrc::M(base, disp) => self.read_word(base, disp)?,
            WSrc::N(r) => [self.get(r), 0, 0, 0],
            WSrc::I(imm) => {
                let sign = (imm >> 31) as u64;
                [imm as u64, sign, sign, sign]
            }
        })
    }

    /// One instruction that is no jump.
    fn step(&mut self, ins: &Ins, at: usize) -> Eval<()> {
        let before = self.flags;
        match *ins {
            Ins::Imm { dst, value } => self.set(dst, value),
            Ins::Mov { dst, src } => self.set(dst, self.get(src)),
            Ins::Lea { dst, mem } => self.set(dst, self.address(mem)),
            Ins::Set { cond, dst } => self.set(dst, self.holds(cond, at)? as u64),
            Ins::Select { cond, dst, a, b } => {
                let value = if self.holds(cond, at)? { self.get(a) } else { self.get(b) };
                self.set(dst, value);
            }
            Ins::Load { width, signed, dst, mem } => {
                let value = self.read(self.address(mem), width)?;
                self.set(dst, if signed { sign_extend(value, width) } else { value });
            }
            Ins::Store { width, src, mem } => self.write(self.address(mem), width, self.get(src))?,
            Ins::StoreImm { width, value, mem } => self.write(self.address(mem), width, value as u64)?,
            Ins::LoadSwap { dst, mem } => self.set(dst, self.read(self.address(mem), Width::B64)?.swap_bytes()),
            Ins::StoreSwap { src, mem } => self.write(self.address(mem), Width::B64, self.get(src).swap_bytes())?,
            Ins::Vector(vector) => self.step_vector(vector)?,
            _ if self.step_word(ins, at)? || self.step_scalar(ins, at)? => {}
            Ins::CallMem(_) | Ins::CallReg(_) | Ins::Call { .. } => return Err(EvalError::Call(at)),
            Ins::LabelAddr { .. } => return Err(EvalError::CodeAddress(at)),
            Ins::Trap | Ins::Data { .. } => return Err(EvalError::Trap(at)),
            // The prologue is not modelled, a label does nothing, `run` has dealt with jumps; a branch not taken goes on.
            Ins::Enter | Ins::EnterStub | Ins::DropStub | Ins::Exit { .. } => {}
            Ins::Label(_) | Ins::Align { .. } | Ins::BrTo { .. } => {}
            // `step_word`, `step_scalar` and `run` know all others.
            _ => debug_assert!(false, "{ins} has no meaning"),
        }
        match ins.flag_effect() {
            FlagEffect::Keep => self.flags = before,
            FlagEffect::Write => {}
            FlagEffect::Undefine => self.flags = Flags::default(),
        }
        Ok(())
    }

    fn alu(&mut self, op: AluOp, a: u64, b: u64, at: usize) -> Eval<u64> {
        let carry = match op {
            AluOp::Adc | AluOp::Sbb => self.flags.carry.ok_or(EvalError::UndefinedFlags(at))?,
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => false,
        };
        let (result, flags) = match op {
            AluOp::Add | AluOp::Adc => add(a, b, carry),
            AluOp::Sub | AluOp::Sbb => sub(a, b, carry),
            AluOp::And => (a & b, Flags::of(a & b)),
            AluOp::Or => (a | b, Flags::of(a | b)),
            AluOp::Xor => (a ^ b, Flags::of(a ^ b)),
            AluOp::Mul => (a.wrapping_mul(b), Flags::default()),
        };
        self.flags = flags;
        Ok(result)
    }

    /// 64-bit arithmetic; false if it is something else.
    fn step_scalar(&mut self, ins: &Ins, at: usize) -> Eval<bool> {
        match *ins {
            Ins::Alu { op, flags: _, dst, a, b } => {
                let value = self.alu(op, self.get(a), self.src(b, Width::B64)?, at)?;
                self.set(dst, value);
            }
            Ins::AluMem { op, mem, src } => {
                let addr = self.address(mem);
                let value = self.alu(op, self.read(addr, Width::B64)?, self.src(src, Width::B64)?, at)?;
                self.write(addr, Width::B64, value)?;
            }
            Ins::Un { op, dst, src } => self.set(dst, unary(op, self.get(src))),
            Ins::ShiftImm { op, dst, a, amount } => self.set(dst, shift(op, self.get(a), amount as u64)),
            Ins::Shift { op, dst, a, amount } => self.set(dst, shift(op, self.get(a), self.get(amount))),
            Ins::FunnelImm { dst, hi, lo, amount, tmp: _ } => {
                self.set(dst, self.get(hi) << amount | self.get(lo) >> (64 - amount));
            }
            Ins::MulWide { hi, lo, a, b } => {
                let product = u128::from(self.get(a)) * u128::from(self.get(b));
                self.set(lo, product as u64);
                self.set(hi, (product >> 64) as u64);
            }
            Ins::MulWideSigned { hi, lo, a, b } => {
                let product = i128::from(self.get(a) as i64) * i128::from(self.get(b) as i64);
                self.set(lo, product as u64);
                self.set(hi, (product >> 64) as u64);
            }
            Ins::DivRem { quot, rem, a, b } => {
                let (a, b) = (self.get(a), self.get(b));
                self.set(quot, a.checked_div(b).ok_or(EvalError::Division(at))?);
                self.set(rem, a % b);
            }
            Ins::DivRemSigned { quot, rem, a, b } => {
                let (a, b) = (self.get(a) as i64, self.get(b) as i64);
                self.set(quot, a.checked_div(b).ok_or(EvalError::Division(at))? as u64);
                self.set(rem, (a % b) as u64);
            }
            Ins::MulHigh { signed, dst, a, b } => {
                let (a, b) = (self.get(a), self.get(b));
                let signed_high = || (i128::from(a as i64) * i128::from(b as i64)) >> 64;
                self.set(dst, if signed { signed_high() as u64 } else { ((u128::from(a) * u128::from(b)) >> 64) as u64 });
            }
            Ins::DivWide { quot, rem, hi, lo, b } => {
                let (a, b) = (u128::from(self.get(hi)) << 64 | u128::from(self.get(lo)), u128::from(self.get(b)));
                let whole = a.checked_div(b).ok_or(EvalError::Division(at))?;
                self.set(quot, u64::try_from(whole).map_err(|_| EvalError::Division(at))?);
                self.set(rem, (a % b) as u64);
            }
            Ins::Extend { width, signed, dst, src } => {
                let value = self.get(src) & u64::MAX >> (64 - 8 * bytes(width));
                self.set(dst, if signed { sign_extend(value, width) } else { value });
            }
            Ins::Cmp { a, b } => self.flags = sub(self.get(a), self.src(b, Width::B64)?, false).1,
            Ins::CmpMem { width, mem, b } => {
                // At the top of the register, where the flags of 64 bits are those of the width.
                let up = 64 - 8 * bytes(width) as u32;
                let a = self.read(self.address(mem), width)? << up;
                self.flags = sub(a, self.src(b, width)? << up, false).1;
            }
            Ins::Test { a, b } => self.flags = Flags::of(self.get(a) & self.src(b, Width::B64)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// 256-bit instructions; false if it is something else.
    fn step_word(&mut self, ins: &Ins, at: usize) -> Eval<bool> {
        match *ins {
            Ins::W { op, dst, a, b } => {
                let narrow = matches!(b, WSrc::N(_));
                let (a, b) = (self.quad(a), self.word(b)?);
                let (word, flags) = word_op(op, narrow, a, b);
                self.set_quad(dst, word);
                self.flags = flags;
            }
            Ins::WNot { dst, a } => self.set_quad(dst, self.quad(a).map(|limb| !limb)),
            Ins::WMov { dst, src } => self.set_quad(dst, self.quad(src)),
            Ins::WLoad { dst, base, disp } => self.set_quad(dst, self.read_word(base, disp)?),
            Ins::WStore { src, base, disp } => self.write_word(base, disp, self.word(src)?)?,
            Ins::WLoadSwap { dst, mem } => {
                let range = self.range(self.address(mem), 32)?;
                let mut word = [0; 4];
                for (limb, chunk) in word.iter_mut().rev().zip(self.memory[range].chunks_exact(8)) {
                    *limb = chunk.iter().fold(0, |limb, &byte| limb << 8 | u64::from(byte));
                }
                self.set_quad(dst, word);
            }
            Ins::WStoreSwap { src, mem } => {
                let (addr, word) = (self.address(mem), self.quad(src));
                for (i, limb) in word.into_iter().rev().enumerate() {
                    self.write(addr.wrapping_add(8 * i as u64), Width::B64, limb.swap_bytes())?;
                }
            }
            Ins::WCopy { to, to_disp, from, from_disp } => self.write_word(to, to_disp, self.read_word(from, from_disp)?)?,
            Ins::WCmp { a, b, tmp } => self.compare(self.quad(a), b, &[tmp])?,
            Ins::WCmpMem { a, a_disp, b, tmp } => self.compare(self.read_word(a, a_disp)?, b, &[tmp])?,
            Ins::WEq { a, b, tmp } => self.equal(self.quad(a), b, &tmp)?,
            Ins::WEqMem { base, disp, b, tmp } => self.equal(self.read_word(base, disp)?, b, &tmp)?,
            Ins::WIsZero { a, tmp } => self.equal(self.quad(a), WSrc::I(0), &[tmp])?,
            Ins::WIsZeroMem { base, disp, tmp } => self.equal(self.read_word(base, disp)?, WSrc::I(0), &[tmp])?,
            Ins::WShiftImm { op, dst, a, amount, tmp: _ } => self.set_quad(dst, word_shift(op, self.quad(a), amount)),
            Ins::WShift { op, dst, amount, tmp } => {
                let amount = u8::try_from(self.get(amount)).map_err(|_| EvalError::Trap(at))?;
                self.set_quad(dst, word_shift(op, self.quad(dst), amount));
                self.spoil(&tmp);
            }
            Ins::WMul { dst, a, b, tmp } => {
                let product = product(self.factor(a)?, self.factor(b)?, 4, false);
                self.set_quad(dst, core::array::from_fn(|i| product[i]));
                self.spoil(&tmp);
            }
            Ins::WMulHigh { dst, a, b, b_disp, limbs, plus, tmp } => {
                let limbs = limbs.into();
                let product = product(self.factor(a)?, self.read_word(b, b_disp)?, limbs, plus);
                self.set_quad(dst, core::array::from_fn(|i| if i < limbs { product[limbs + i] } else { 0 }));
                self.spoil(&tmp);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn factor(&self, factor: Factor) -> Eval<Word> {
        match factor {
            Factor::Q(quad) => Ok(self.quad(quad)),
            Factor::M(base, disp) => self.read_word(base, disp),
        }
    }

    /// What a temporary holds afterwards is nobody's business.
    fn spoil(&mut self, tmp: &[R]) {
        for &r in tmp {
            self.set(r, 0xdead_dead_dead_dead);
        }
    }

    fn compare(&mut self, a: Word, b: WSrc, tmp: &[R]) -> Eval<()> {
        let flags = word_op(WordOp::Sub, false, a, self.word(b)?).1;
        self.flags = Flags { zero: None, ..flags };
        self.spoil(tmp);
        Ok(())
    }

    fn equal(&mut self, a: Word, b: WSrc, tmp: &[R]) -> Eval<()> {
        self.flags = Flags::zero(a == self.word(b)?);
        self.spoil(tmp);
        Ok(())
    }
}

fn bytes(width: Width) -> usize {
    match width {
        Width::B8 => 1,
        Width::B16 => 2,
        Width::B32 => 4,
        Width::B64 => 8,
    }
}

fn sign_extend(value: u64, width: Width) -> u64 {
    let up = 64 - 8 * bytes(width) as u32;
    ((value << up) as i64 >> up) as u64
}

fn add(a: u64, b: u64, carry: bool) -> (u64, Flags) {
    let wide = u128::from(a) + u128::from(b) + u128::from(carry);
    let exact = i128::from(a as i64) + i128::from(b as i64) + i128::from(carry);
    finish(wide as u64, wide >> 64 != 0, exact)
}

fn sub(a: u64, b: u64, borrow: bool) -> (u64, Flags) {
    let taken = u128::from(b) + u128::from(borrow);
    let exact = i128::from(a as i64) - i128::from(b as i64) - i128::from(borrow);
    finish(exact as u64, u128::from(a) < taken, exact)
}

fn finish(result: u64, carry: bool, exact: i128) -> (u64, Flags) {
    let overflow = exact != i128::from(result as i64);
    (result, Flags { carry: Some(carry), overflow: Some(overflow), ..Flags::of(result) })
}

fn unary(op: UnOp, a: u64) -> u64 {
    match op {
        UnOp::Not => !a,
        UnOp::Neg => a.wrapping_neg(),
        UnOp::Bswap => a.swap_bytes(),
        UnOp::Clz => a.leading_zeros().into(),
        UnOp::Ctz => a.trailing_zeros().into(),
        UnOp::Popcount => a.count_ones().into(),
    }
}

fn shift(op: ShiftOp, a: u64, amount: u64) -> u64 {
    let amount = (amount & 63) as u32;
    match op {
        ShiftOp::Shl => a << amount,
        ShiftOp::Shr => a >> amount,
        ShiftOp::Sar => (a as i64 >> amount) as u64,
        ShiftOp::Ror => a.rotate_right(amount),
        ShiftOp::Rol => a.rotate_left(amount),
    }
}

fn word_op(op: WordOp, narrow: bool, a: Word, b: Word) -> (Word, Flags) {
    let mut out = [0; 4];
    let mut flags = Flags { carry: Some(false), ..Flags::default() };
    for i in 0..4 {
        let carry = flags.carry == Some(true);
        (out[i], flags) = match op {
            WordOp::Add => add(a[i], b[i], carry),
            WordOp::Sub => sub(a[i], b[i], carry),
            WordOp::And => (a[i] & b[i], Flags::default()),
            WordOp::Or => (a[i] | b[i], Flags::default()),
            WordOp::Xor => (a[i] ^ b[i], Flags::default()),
        };
    }
    let flags = match op {
        WordOp::Sub if !narrow => Flags { zero: None, ..flags },
        WordOp::Add | WordOp::Sub => Flags { carry: flags.carry, ..Flags::default() },
        WordOp::And | WordOp::Or | WordOp::Xor => flags,
    };
    (out, flags)
}

/// Bit by bit, as the definition has it.
fn word_shift(op: WShiftOp, a: Word, amount: u8) -> Word {
    let bit = |n: i32| match n {
        0..=255 => a[n as usize / 64] >> (n % 64) & 1,
        256.. if op == WShiftOp::Sar => a[3] >> 63,
        i32::MIN..0 | 256.. => 0,
    };
    let distance = if op == WShiftOp::Shl { -i32::from(amount) } else { i32::from(amount) };
    let mut out = [0; 4];
    for n in 0..256 {
        out[n as usize / 64] |= bit(n + distance) << (n % 64);
    }
    out
}

/// The product of the lowest limbs, plus `b` if asked for.
fn product(a: Word, b: Word, limbs: usize, plus: bool) -> [u64; 8] {
    let mut sum = [0; 8];
    if plus {
        sum[..limbs].copy_from_slice(&b[..limbs]);
    }
    for i in 0..limbs {
        let mut carry = 0;
        for j in 0..limbs {
            let column = u128::from(a[i]) * u128::from(b[j]) + u128::from(sum[i + j]) + carry;
            sum[i + j] = column as u64;
            carry = column >> 64;
        }
        sum[i + limbs] = carry as u64;
    }
    sum
}
