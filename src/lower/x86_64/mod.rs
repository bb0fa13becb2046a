//! x86-64. The driver is here; `scalar` has the 64-bit instructions, `wide` multiplication and division, `memory` loads and
//! stores, `word` and `word_shift` the 256-bit instructions, `control` jumps, calls and the prologue.
//!
//! Where the machine demands a register (rax and rdx to multiply and divide, rcx to shift without BMI2) its value is exchanged or
//! pushed, so that the IR need not know; the common case needs neither. Pushing moves the stack pointer, on which no address of
//! the IR depends.

mod control;
mod direct;
mod features;
mod memory;
mod scalar;
mod vector;
mod vector_float;
mod vector_integer;
mod wide;
mod word;
mod word_shift;

pub use features::Features;
pub use vector::VECTORS;

use super::labels::Labels;
use super::{LowerError, MAX_INSTRUCTIONS, MAX_LABELS};
use crate::asm::CodeBuffer;
use crate::asm::x86_64::{Alu, Cc, Inst, Mem, Reg, Rm, Size};
use crate::ir::{self, AluOp, Cond, Factor, Ins, Label, Quad, R, Src, Width};
use core::borrow::Borrow;

/// How many integer registers the IR has on this target.
pub const REGISTERS: u8 = 15;

/// Where `CallMem` and `CallReg` leave a result, and a function returns it.
pub const RESULT: R = R(6);

/// Where a function returns two results.
pub const RESULTS: [R; 2] = [RESULT, R(2)];

/// The machine register of each IR register; the last entry stands for those that do not exist.
#[rustfmt::skip]
const MACHINE: [Reg; 16] = [
    Reg::Rdi, Reg::Rsi, Reg::Rdx, Reg::Rcx, Reg::R8, Reg::R9, Reg::Rax, Reg::R10, Reg::R11,
    Reg::Rbx, Reg::Rbp, Reg::R12, Reg::R13, Reg::R14, Reg::R15, Reg::Rsp,
];

/// More bytes than most instructions take.
const TYPICAL_BYTES: usize = 16;

/// What is wrong with the instruction being lowered.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Register,
    Displacement,
    FixedRegisters,
    LabelNumber(Label),
    Rebound(Label),
    Reach(u64),
    TooLong,
    /// What the machine lacks.
    Unsupported(&'static str),
}

impl Fault {
    fn at(self, at: usize, ins: &Ins) -> LowerError {
        match self {
            Fault::Register => LowerError::Register { at },
            Fault::Displacement => LowerError::Displacement { at },
            Fault::FixedRegisters => LowerError::FixedRegisters { at },
            Fault::LabelNumber(label) => LowerError::LabelNumber { at, label },
            Fault::Rebound(label) => LowerError::Rebound { at, label },
            Fault::Reach(addr) => LowerError::Reach { at, addr },
            Fault::TooLong => LowerError::TooLong,
            Fault::Unsupported(needs) => LowerError::Unsupported { at, ins: *ins, needs },
        }
    }
}

/// Lowers streams; reused, it allocates nothing per stream.
#[derive(Clone, Debug)]
pub struct Lowerer {
    features: Features,
    labels: Labels,
    code: CodeBuffer,
    base: u64,
    fault: Option<Fault>,
    /// Exits whose code is still to be emitted.
    exits: Vec<control::OutOfLine>,
    /// Instructions pushed so far.
    at: usize,
    /// The vector register for zeroing is zero.
    zeroed: bool,
    /// Registers wider than 128 bits have been used.
    upper: bool,
}

impl Lowerer {
    /// A lowerer for a machine with these features.
    pub fn new(features: Features) -> Lowerer {
        let features = features.closed();
        Lowerer {
            features,
            labels: Labels::default(),
            code: CodeBuffer::new(),
            base: 0,
            fault: None,
            exits: Vec::new(),
            at: 0,
            zeroed: false,
            upper: false,
        }
    }

    /// All branches have the same reach, which is enough: no stream is lowered twice.
    pub const BEGINS_AGAIN: bool = false;

    /// The features it uses.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Lowers `ins` as if its first byte came to lie at address `base`, and appends the bytes to `out`. After an error `out` is
    /// what it was. Streams that [`verify`](crate::ir::verify()) refuses may be lowered to code that does something else.
    pub fn lower(&mut self, ins: &[Ins], base: u64, out: &mut Vec<u8>) -> Result<(), LowerError> {
        out.extend_from_slice(self.stream(ins, base)?);
        Ok(())
    }

    /// As [`lower`](Lowerer::lower), for bytes that are only looked at until the next stream begins.
    ///
    /// # Errors
    ///
    /// As for [`lower`](Lowerer::lower).
    pub fn stream(&mut self, ins: &[Ins], base: u64) -> Result<&[u8], LowerError> {
        self.begin(base);
        if ins.len() > MAX_INSTRUCTIONS {
            return Err(self.fail(Fault::TooLong, &Ins::Trap));
        }
        self.code.reserve(ins.len() * TYPICAL_BYTES);
        self.all(ins)?;
        self.finish()?;
        Ok(self.bytes())
    }

    /// Begins a stream whose instructions [`push`](Lowerer::push) takes one by one, as if its first byte came to lie at address `base`.
    pub fn begin(&mut self, base: u64) {
        self.labels.clear();
        self.exits.clear();
        self.fault = None;
        self.at = 0;
        self.zeroed = false;
        self.upper = false;
        self.base = base;
        self.code.truncate(0);
    }

    /// Lowers the next instruction.
    ///
    /// # Errors
    ///
    /// As for [`lower`](Lowerer::lower); the stream ends there, and has no bytes.
    #[inline]
    pub fn push(&mut self, ins: &Ins) -> Result<(), LowerError> {
        self.extend([ins])
    }

    /// Lowers more instructions.
    ///
    /// # Errors
    ///
    /// As for [`push`](Lowerer::push).
    pub fn extend(&mut self, ins: impl IntoIterator<Item = impl Borrow<Ins>>) -> Result<(), LowerError> {
        let mut ins = ins.into_iter();
        self.all(ins.by_ref().take(MAX_INSTRUCTIONS - self.at))?;
        match ins.next() {
            None => Ok(()),
            Some(ins) => Err(self.fail(Fault::TooLong, ins.borrow())),
        }
    }

    /// Lowers instructions that are not too many.
    #[inline(always)]
    fn all(&mut self, ins: impl IntoIterator<Item = impl Borrow<Ins>>) -> Result<(), LowerError> {
        let mut at = self.at;
        for ins in ins {
            let ins = ins.borrow();
            // Instructions that streams are full of have a way of their own, on which nothing goes wrong.
            if !self.direct(ins, at) {
                self.general(ins, at);
                if let Some(fault) = self.fault {
                    self.at = at;
                    return Err(self.fail(fault, ins));
                }
            }
            at += 1;
        }
        self.at = at;
        Ok(())
    }

    /// Fills in what waited for labels.
    ///
    /// # Errors
    ///
    /// A label that is nowhere bound; the stream has no bytes.
    pub fn finish(&mut self) -> Result<(), LowerError> {
        let result = self.emit_exits().and_then(|()| self.resolve());
        result.inspect_err(|_| self.code.truncate(0))
    }

    /// The bytes of the stream so far, or of the last one. Distances to labels that were not bound yet are filled in by
    /// [`finish`](Lowerer::finish).
    pub fn bytes(&self) -> &[u8] {
        self.code.bytes()
    }

    /// How many of the [`bytes`](Lowerer::bytes) of a finished stream are instructions: all, constants being part of them.
    pub fn instruction_bytes(&self) -> usize {
        self.code.len()
    }

    #[cold]
    fn fail(&mut self, fault: Fault, ins: &Ins) -> LowerError {
        self.code.truncate(0);
        fault.at(self.at, ins)
    }

    /// Where a label of the last stream is, from `base`.
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        self.labels.offset(label)
    }

    /// Apart from the loop over the stream, whose code is to stay small.
    #[inline(never)]
    fn general(&mut self, ins: &Ins, at: usize) {
        match *ins {
            Ins::Imm { dst, value } => self.imm(dst, value),
            Ins::Mov { dst, src } => self.mov_ir(dst, src),
            // What is most frequent goes by its own way, on which the machine instruction is known but for its registers.
            Ins::Alu { op, flags: _, dst, a, b: Src::R(b) } if dst == a => self.alu_in_place(op, dst, b),
            Ins::Alu { op: AluOp::Add, flags: _, dst, a, b: Src::I(imm) } if dst == a => self.alu_imm_in_place(Alu::Add, dst, imm),
            Ins::Alu { op: AluOp::Sub, flags: _, dst, a, b: Src::I(imm) } if dst == a => self.alu_imm_in_place(Alu::Sub, dst, imm),
            Ins::Alu { op, flags, dst, a, b } => self.alu_ins(op, flags, dst, a, b),
            Ins::AluMem { op, mem, src } => self.alu_mem(op, mem, src),
            Ins::Un { op, dst, src } => self.unary(op, dst, src),
            Ins::ShiftImm { op, dst, a, amount } => self.shift_imm(op, dst, a, amount),
            Ins::Shift { op, dst, a, amount } => self.shift(op, dst, a, amount),
            Ins::FunnelImm { dst, hi, lo, amount, tmp } => self.funnel_imm(dst, hi, lo, amount, tmp),
            Ins::LabelAddr { dst, label } => self.label_addr(dst, label),
            Ins::Lea { dst, mem } => self.lea(dst, mem),
            Ins::MulWide { hi, lo, a, b } => self.mul_wide(hi, lo, a, b),
            Ins::MulWideSigned { hi, lo, a, b } => self.mul_wide_signed(hi, lo, a, b),
            Ins::DivRem { quot, rem, a, b } => self.div_rem(false, quot, rem, a, b),
            Ins::DivRemSigned { quot, rem, a, b } => self.div_rem(true, quot, rem, a, b),
            Ins::MulHigh { signed, dst, a, b } => self.mul_high(signed, dst, a, b),
            Ins::DivWide { quot, rem, hi, lo, b } => self.div_wide(quot, rem, hi, lo, b),
            Ins::Extend { width, signed, dst, src } => self.extend_bits(width, signed, dst, src),
            Ins::Cmp { a, b } => self.cmp(a, b),
            Ins::CmpMem { width, mem, b } => self.cmp_mem(width, mem, b),
            Ins::Test { a, b } => self.test(a, b),
            Ins::Set { cond, dst } => self.set(cond, dst),
            Ins::Select { cond, dst, a, b } => self.select(cond, dst, a, b),
            Ins::Load { width: Width::B64, signed: _, dst, mem } => self.load_64(dst, mem),
            Ins::Load { width, signed, dst, mem } => self.load_ins(width, signed, dst, mem),
            Ins::Store { width: Width::B64, src, mem } => self.store_64(src, mem),
            Ins::Store { width, src, mem } => self.store_ins(width, src, mem),
            Ins::StoreImm { width, value, mem } => self.store_imm(width, value, mem),
            Ins::LoadSwap { dst, mem } => self.load_swap_ins(dst, mem),
            Ins::StoreSwap { src, mem } => self.store_swap_ins(src, mem),
            Ins::W { op, dst, a, b } => self.word_op(op, dst, a, b),
            Ins::WNot { dst, a } => self.word_not(dst, a),
            Ins::WMov { dst, src } => self.word_mov(dst, src),
            Ins::WLoad { dst, base, disp } => self.word_load(dst, base, disp),
            Ins::WStore { src, base, disp } => self.word_store(src, base, disp),
            Ins::WLoadSwap { dst, mem } => self.word_load_swap(dst, mem),
            Ins::WStoreSwap { src, mem } => self.word_store_swap(src, mem),
            Ins::WCopy { to, to_disp, from, from_disp } => self.word_copy(to, to_disp, from, from_disp),
            Ins::WCmp { a, b, tmp } => self.word_cmp(ir::WSrc::Q(a), b, tmp),
            Ins::WCmpMem { a, a_disp, b, tmp } => self.word_cmp(ir::WSrc::M(a, a_disp), b, tmp),
            Ins::WEq { a, b, tmp } => self.word_eq(ir::WSrc::Q(a), b, tmp),
            Ins::WEqMem { base, disp, b, tmp } => self.word_eq(ir::WSrc::M(base, disp), b, tmp),
            Ins::WIsZero { a, tmp } => self.word_is_zero(ir::WSrc::Q(a), tmp),
            Ins::WIsZeroMem { base, disp, tmp } => self.word_is_zero(ir::WSrc::M(base, disp), tmp),
            Ins::WShiftImm { op, dst, a, amount, tmp } => self.word_shift_imm(op, dst, a, amount, tmp),
            Ins::WShift { op, dst, amount, tmp } => self.word_shift(op, dst, amount, tmp),
            Ins::WMul { dst, a, b, tmp } => self.word_mul(dst, a, b, tmp),
            Ins::WMulHigh { dst, a, b, b_disp, limbs, plus, tmp } => {
                self.word_mul_high(dst, a, (b, b_disp), limbs.clamp(2, 4).into(), plus, tmp)
            }
            Ins::Vector(vector) => self.vector(vector),
            Ins::Label(label) => self.label(label),
            Ins::Jmp(to) => self.jmp(to),
            Ins::Br { cond, to } => self.branch(cond, to),
            Ins::JmpTo { addr } => self.jmp_to(addr),
            Ins::BrTo { cond, addr } => self.branch_to(cond, addr),
            Ins::JmpSlot { slot } => self.jmp_slot(slot),
            Ins::Exit { cond, dst, value, to, through } => self.exit(at, cond, (dst, value), to, through),
            Ins::EnterStub => self.move_sp(Alu::Sub, control::PADDING),
            Ins::LeaveStub => {
                self.clear_upper();
                self.move_sp(Alu::Add, control::PADDING);
                self.emit(Inst::Ret);
            }
            Ins::DropStub => self.move_sp(Alu::Add, 2 * control::PADDING),
            Ins::JmpReg(r) => {
                let r = self.r(r);
                self.emit(Inst::Jmp(Rm::R(r)));
            }
            Ins::JmpMem(mem) => {
                let mem = self.mem(mem);
                self.emit(Inst::Jmp(Rm::M(mem)));
            }
            Ins::CallMem(mem) => {
                self.zeroed = false;
                self.clear_upper();
                let mem = self.mem(mem);
                self.emit(Inst::Call(Rm::M(mem)));
            }
            Ins::CallReg(r) => {
                self.zeroed = false;
                self.clear_upper();
                let r = self.r(r);
                self.emit(Inst::Call(Rm::R(r)));
            }
            Ins::Call { addr } => self.call(addr),
            Ins::Enter => self.enter(),
            Ins::Leave => self.leave(),
            Ins::Ret => {
                self.clear_upper();
                self.emit(Inst::Ret);
            }
            Ins::Trap => self.emit(Inst::Ud2),
            Ins::Data { bytes, len } => self.data(bytes, len),
            Ins::Align { to } => self.align(to),
        }
    }

    // ---- operands ----

    #[inline(always)]
    fn emit(&mut self, inst: Inst) {
        self.code.push(inst.encode());
    }

    #[inline(always)]
    fn r(&mut self, r: R) -> Reg {
        if r.0 >= REGISTERS {
            self.fault = Some(Fault::Register);
        }
        MACHINE[(r.0 & 15) as usize]
    }

    #[inline(always)]
    fn quad(&mut self, quad: Quad) -> [Reg; 4] {
        quad.each(|r| self.r(r))
    }

    #[inline(always)]
    fn mem(&mut self, mem: ir::Mem) -> Mem {
        let base = self.r(mem.base);
        match mem.index {
            Some(index) => Mem::indexed(base, self.r(index), mem.shift, mem.disp),
            None => Mem::new(base, mem.disp),
        }
    }

    /// `mem`, `limb` limbs further on.
    #[inline(always)]
    fn limb_of(&mut self, mem: Mem, limb: usize) -> Mem {
        match mem.disp().checked_add(8 * limb as i32) {
            Some(disp) => mem.at(disp),
            None => {
                self.fault = Some(Fault::Displacement);
                mem
            }
        }
    }

    #[inline(always)]
    fn src(&mut self, src: Src) -> Operand {
        match src {
            Src::R(r) => Operand::Rm(Rm::R(self.r(r))),
            Src::M(mem) => Operand::Rm(Rm::M(self.mem(mem))),
            Src::I(imm) => Operand::Imm(imm),
        }
    }

    // ---- machine instructions that are used all over ----

    /// `mov dst, src`; nothing if they are the same.
    #[inline(always)]
    fn mov(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.load(dst, Rm::R(src));
        }
    }

    #[inline(always)]
    fn load(&mut self, dst: Reg, src: Rm) {
        match src {
            Rm::R(_) => self.emit(Inst::Load { size: Size::B64, signed: false, dst, src }),
            Rm::M(mem) => self.load_m(dst, mem),
        }
    }

    #[inline(never)]
    fn load_m(&mut self, dst: Reg, src: Mem) {
        self.emit(Inst::Load { size: Size::B64, signed: false, dst, src: Rm::M(src) });
    }

    #[inline(never)]
    fn store(&mut self, dst: Mem, src: Reg) {
        self.emit(Inst::Store { size: Size::B64, dst, src });
    }

    // The operand's kind is known at most places: it is not to be put into memory and taken apart again.
    #[inline(always)]
    fn op(&mut self, op: Alu, dst: Reg, src: Operand) {
        match src {
            Operand::Rm(Rm::R(src)) => self.op_r(op, dst, src),
            Operand::Rm(Rm::M(src)) => self.op_m(op, dst, src),
            Operand::Imm(imm) => self.op_i(op, dst, imm),
        }
    }

    #[inline(always)]
    fn op_r(&mut self, op: Alu, dst: Reg, src: Reg) {
        self.emit(Inst::Alu { op, size: Size::B64, dst, src: Rm::R(src) });
    }

    #[inline(never)]
    fn op_m(&mut self, op: Alu, dst: Reg, src: Mem) {
        self.emit(Inst::Alu { op, size: Size::B64, dst, src: Rm::M(src) });
    }

    #[inline(never)]
    fn op_i(&mut self, op: Alu, dst: Reg, imm: i32) {
        self.emit(Inst::AluImm { op, size: Size::B64, dst: Rm::R(dst), imm });
    }

    /// `dst = 0` where no flags are live.
    #[inline]
    fn zero(&mut self, dst: Reg) {
        self.emit(Inst::Alu { op: Alu::Xor, size: Size::B32, dst, src: Rm::R(dst) });
    }
}

/// A 64-bit operand.
#[derive(Clone, Copy, Debug)]
enum Operand {
    Rm(Rm),
    Imm(i32),
}

impl Operand {
    #[inline(always)]
    fn reg(r: Reg) -> Operand {
        Operand::Rm(Rm::R(r))
    }
}

/// A register outside the set `used`, which leaves one.
#[inline]
fn outside(used: u16) -> Reg {
    Reg::ALL[((used | Reg::Rsp.bit()).trailing_ones() & 15) as usize]
}

#[rustfmt::skip]
fn cc(cond: Cond) -> Cc {
    match cond {
        Cond::Eq => Cc::E, Cond::Ne => Cc::Ne,
        Cond::Ult => Cc::B, Cond::Ule => Cc::Be, Cond::Ugt => Cc::A, Cond::Uge => Cc::Ae,
        Cond::Slt => Cc::L, Cond::Sle => Cc::Le, Cond::Sgt => Cc::G, Cond::Sge => Cc::Ge,
        Cond::Overflow => Cc::O, Cond::NoOverflow => Cc::No, Cond::Neg => Cc::S, Cond::NotNeg => Cc::Ns,
    }
}

fn size(width: Width) -> Size {
    match width {
        Width::B8 => Size::B8,
        Width::B16 => Size::B16,
        Width::B32 => Size::B32,
        Width::B64 => Size::B64,
    }
}

/// The machine's operation; multiplication is not in the group.
const fn group(op: AluOp) -> Option<Alu> {
    match op {
        AluOp::Add => Some(Alu::Add),
        AluOp::Adc => Some(Alu::Adc),
        AluOp::Sub => Some(Alu::Sub),
        AluOp::Sbb => Some(Alu::Sbb),
        AluOp::And => Some(Alu::And),
        AluOp::Or => Some(Alu::Or),
        AluOp::Xor => Some(Alu::Xor),
        AluOp::Mul => None,
    }
}
