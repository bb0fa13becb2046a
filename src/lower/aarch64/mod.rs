//! aarch64. The driver is here; `scalar` has the 64-bit instructions, `wide` multiplication and division, `memory` loads and
//! stores, `word` and `word_shift` the 256-bit instructions, `vector` and `vector_arithmetic` the vectors, `control` jumps, calls and the
//! prologue, `carry` what the carry flag means.
//!
//! Constants of four halves that differ are loaded from behind the code: one instruction where moves would be four.
//!
//! x16 and x17, which the calling convention leaves to linkers and no IR register is, hold what an instruction needs on its way: an address
//! that no addressing mode has, a constant, a limb from memory. x18 belongs to the platform and is never touched. v16 to v19 are the
//! vector registers of the lowering.

mod carry;
mod control;
mod features;
mod memory;
mod scalar;
mod vector;
mod vector_arithmetic;
mod wide;
mod word;
mod word_shift;

pub use features::Features;
pub use vector::VECTORS;

use super::labels::Labels;
use super::{LowerError, MAX_INSTRUCTIONS, MAX_LABELS};
use crate::asm::CodeBuffer;
use crate::asm::aarch64::{Imm12, Inst, Logic, Mask, MovWide, Reg, Shift, Size, Sum};
use crate::ir::{self, AluOp, Cond, Factor, Ins, Label, Quad, R, Src, WSrc, Width};
use carry::{Carries, Carry};
use core::borrow::Borrow;

/// How many integer registers the IR has on this target.
pub const REGISTERS: u8 = 26;

/// Where `CallMem` and `CallReg` leave a result, and a function returns it.
pub const RESULT: R = R(0);

/// Where a function returns two results.
pub const RESULTS: [R; 2] = [RESULT, R(1)];

/// IR registers from this one on are callee-saved, x19 and up.
const FIRST_SAVED: u8 = 16;
const FIRST_SAVED_X: u8 = 19;

/// Scratch of the lowering.
const S0: Reg = Reg::x(16);
const S1: Reg = Reg::x(17);

/// Bytes of a machine instruction.
const INST_BYTES: usize = 4;

/// More bytes than most instructions take.
const TYPICAL_BYTES: usize = 16;

/// Lowers streams; reused, it allocates nothing per stream.
#[derive(Clone, Debug)]
pub struct Lowerer {
    features: Features,
    labels: Labels,
    carries: Carries,
    code: CodeBuffer,
    base: u64,
    /// The instruction being lowered.
    at: usize,
    fault: Option<LowerError>,
    /// Exits whose code is still to be emitted.
    exits: Vec<control::OutOfLine>,
    /// Constants that are loaded from behind the code, and where the loads are.
    literals: Vec<(u32, u64)>,
    /// Bytes of the stream that are instructions, once it is finished.
    instructions: usize,
    /// Forward references must reach beyond 1 MiB.
    long: bool,
    /// The last instruction, if it is a copy.
    copied: Option<Copied>,
}

/// `dst` is what `src` is, by the instruction that ends at `end`.
#[derive(Clone, Copy, Debug)]
struct Copied {
    dst: Reg,
    src: Reg,
    end: usize,
}

impl Lowerer {
    /// A lowerer for a machine with these features.
    pub fn new(features: Features) -> Lowerer {
        Lowerer {
            features,
            labels: Labels::default(),
            carries: Carries::default(),
            code: CodeBuffer::new(),
            base: 0,
            at: 0,
            fault: None,
            exits: Vec::new(),
            literals: Vec::new(),
            instructions: 0,
            long: false,
            copied: None,
        }
    }

    /// Whether [`stream`](Lowerer::stream) lowers what [`finish`](Lowerer::finish) refuses as too [far](LowerError::Far).
    pub const BEGINS_AGAIN: bool = true;

    /// The features it uses.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Lowers `ins` as if its first byte came to lie at address `base`, a multiple of 4, and appends the bytes to `out`. After an error
    /// `out` is what it was. Streams that [`verify`](crate::ir::verify()) refuses may be lowered to code that does something else.
    pub fn lower(&mut self, ins: &[Ins], base: u64, out: &mut Vec<u8>) -> Result<(), LowerError> {
        out.extend_from_slice(self.stream(ins, base)?);
        Ok(())
    }

    /// As [`lower`](Lowerer::lower), for bytes that are only looked at until the next stream begins.
    ///
    /// Forward references are taken to reach less than 1 MiB; a stream in which one does not is lowered a second time.
    ///
    /// # Errors
    ///
    /// As for [`lower`](Lowerer::lower).
    pub fn stream(&mut self, ins: &[Ins], base: u64) -> Result<&[u8], LowerError> {
        self.begin(base);
        self.code.reserve(ins.len().min(MAX_INSTRUCTIONS) * TYPICAL_BYTES);
        self.extend(ins)?;
        if !self.complete()? {
            self.begin(base);
            self.long = true;
            self.extend(ins)?;
            self.finish()?;
        }
        Ok(self.bytes())
    }

    /// Begins a stream whose instructions [`push`](Lowerer::push) takes one by one, as if its first byte came to lie at address `base`, a
    /// multiple of 4.
    pub fn begin(&mut self, base: u64) {
        self.labels.clear();
        self.carries.clear();
        self.exits.clear();
        self.literals.clear();
        self.fault = None;
        self.at = 0;
        self.long = false;
        self.copied = None;
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
        if self.at >= MAX_INSTRUCTIONS {
            return Err(self.fail(LowerError::TooLong));
        }
        self.ins(ins);
        self.carries.after(ins);
        self.at += 1;
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(self.fail(fault)),
        }
    }

    /// Lowers more instructions.
    ///
    /// # Errors
    ///
    /// As for [`push`](Lowerer::push).
    pub fn extend(&mut self, ins: impl IntoIterator<Item = impl Borrow<Ins>>) -> Result<(), LowerError> {
        for ins in ins {
            self.push(ins.borrow())?;
        }
        Ok(())
    }

    /// Fills in what waited for labels.
    ///
    /// # Errors
    ///
    /// A label that is nowhere bound; [`LowerError::Far`], where [`stream`](Lowerer::stream) would begin again. The stream has no bytes.
    pub fn finish(&mut self) -> Result<(), LowerError> {
        match self.complete()? {
            true => Ok(()),
            false => Err(self.fail(LowerError::Far)),
        }
    }

    /// The bytes of the stream so far, or of the last one. Distances to labels that were not bound yet are filled in by
    /// [`finish`](Lowerer::finish).
    pub fn bytes(&self) -> &[u8] {
        self.code.bytes()
    }

    /// How many of the [`bytes`](Lowerer::bytes) of a finished stream are instructions; constants follow.
    pub fn instruction_bytes(&self) -> usize {
        self.instructions
    }

    #[cold]
    fn fail(&mut self, error: LowerError) -> LowerError {
        self.code.truncate(0);
        error
    }

    /// Where a label of the last stream is, from `base`.
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        self.labels.offset(label)
    }

    /// Whether all forward references reach.
    fn complete(&mut self) -> Result<bool, LowerError> {
        let exits = self.emit_exits() & self.emit_literals();
        let result = match self.fault {
            Some(fault) => Err(fault),
            None => self.resolve().map(|labels| exits && labels),
        };
        result.map_err(|error| self.fail(error))
    }

    fn ins(&mut self, ins: &Ins) {
        match *ins {
            Ins::Imm { dst, value } => self.imm_ins(dst, value),
            Ins::Mov { dst, src } => self.mov_ir(dst, src),
            Ins::Alu { op, flags, dst, a, b } => self.alu_ins(op, flags, dst, a, b),
            Ins::AluMem { op, mem, src } => self.alu_mem(op, mem, src),
            Ins::Un { op, dst, src } => self.unary(op, dst, src),
            Ins::ShiftImm { op, dst, a, amount } => self.shift_imm(op, dst, a, amount),
            Ins::Shift { op, dst, a, amount } => self.shift(op, dst, a, amount),
            Ins::FunnelImm { dst, hi, lo, amount, tmp: _ } => self.funnel_imm(dst, hi, lo, amount),
            Ins::LabelAddr { dst, label } => self.label_addr(dst, label),
            Ins::Lea { dst, mem } => self.lea(dst, mem),
            Ins::MulWide { hi, lo, a, b } => self.mul_wide(false, hi, lo, a, b),
            Ins::MulWideSigned { hi, lo, a, b } => self.mul_wide(true, hi, lo, a, b),
            Ins::DivRem { quot, rem, a, b } => self.div_rem(false, quot, rem, a, b),
            Ins::DivRemSigned { quot, rem, a, b } => self.div_rem(true, quot, rem, a, b),
            Ins::MulHigh { signed, dst, a, b } => self.mul_high(signed, dst, a, b),
            Ins::DivWide { quot, rem, hi, lo, b } => self.div_wide(quot, rem, hi, lo, b),
            Ins::Extend { width, signed, dst, src } => self.extend_ins(width, signed, dst, src),
            Ins::Cmp { a, b } => self.cmp(a, b),
            Ins::CmpMem { width, mem, b } => self.cmp_mem(width, mem, b),
            Ins::Test { a, b } => self.test(a, b),
            Ins::Set { cond, dst } => self.set(cond, dst),
            Ins::Select { cond, dst, a, b } => self.select(cond, dst, a, b),
            Ins::Load { width, signed, dst, mem } => self.load_ins(width, signed, dst, mem),
            Ins::Store { width, src, mem } => self.store_ins(width, src, mem),
            Ins::StoreImm { width, value, mem } => self.store_imm(width, value, mem),
            Ins::LoadSwap { dst, mem } => self.load_swap(dst, mem),
            Ins::StoreSwap { src, mem } => self.store_swap(src, mem),
            Ins::W { op, dst, a, b } => self.word_op(op, dst, a, b),
            Ins::WNot { dst, a } => self.word_not(dst, a),
            Ins::WMov { dst, src } => self.word_mov(dst, src),
            Ins::WLoad { dst, base, disp } => self.word_load(dst, base, disp),
            Ins::WStore { src, base, disp } => self.word_store(src, base, disp),
            Ins::WLoadSwap { dst, mem } => self.word_load_swap(dst, mem),
            Ins::WStoreSwap { src, mem } => self.word_store_swap(src, mem),
            Ins::WCopy { to, to_disp, from, from_disp } => self.word_copy(to, to_disp, from, from_disp),
            Ins::WCmp { a, b, tmp } => self.word_cmp(WSrc::Q(a), b, tmp),
            Ins::WCmpMem { a, a_disp, b, tmp } => self.word_cmp(WSrc::M(a, a_disp), b, tmp),
            Ins::WEq { a, b, tmp: [tmp, _] } => self.word_eq(WSrc::Q(a), b, tmp),
            Ins::WEqMem { base, disp, b, tmp: [tmp, _] } => self.word_eq(WSrc::M(base, disp), b, tmp),
            Ins::WIsZero { a, tmp } => self.word_eq(WSrc::Q(a), WSrc::I(0), tmp),
            Ins::WIsZeroMem { base, disp, tmp } => self.word_eq(WSrc::M(base, disp), WSrc::I(0), tmp),
            Ins::WShiftImm { op, dst, a, amount, tmp: _ } => self.word_shift_imm(op, dst, a, amount),
            Ins::WShift { op, dst, amount, tmp: _ } => self.word_shift(op, dst, amount),
            Ins::WMul { dst, a, b, tmp } => self.word_mul(dst, a, b, tmp),
            Ins::WMulHigh { dst, a, b, b_disp, limbs, plus, tmp } => {
                self.word_mul_high(dst, a, (b, b_disp), limbs.clamp(2, 4).into(), plus, tmp)
            }
            Ins::Vector(ins) => self.vector(ins),
            Ins::Label(label) => self.label(label),
            Ins::Jmp(to) => self.jmp(to),
            Ins::Br { cond, to } => self.branch(cond, to),
            Ins::JmpTo { addr } => self.jmp_to(addr),
            Ins::BrTo { cond, addr } => self.branch_to(cond, addr),
            Ins::JmpSlot { slot } => self.jmp_slot(slot),
            Ins::JmpReg(r) => {
                let r = self.r(r);
                self.emit(Inst::Br(r));
            }
            Ins::JmpMem(mem) => {
                self.load_mem(S0, mem);
                self.emit(Inst::Br(S0));
            }
            Ins::CallMem(mem) => {
                self.load_mem(S0, mem);
                self.emit(Inst::Blr(S0));
            }
            Ins::CallReg(r) => {
                let r = self.r(r);
                self.emit(Inst::Blr(r));
            }
            Ins::Call { addr } => self.call(addr),
            Ins::Exit { cond, dst, value, to, through } => self.exit(cond, dst, value, to, through),
            Ins::EnterStub => self.enter_stub(),
            Ins::LeaveStub => self.leave_stub(),
            Ins::DropStub => self.drop_stub(),
            Ins::Data { bytes, len } => self.data(&bytes, len),
            Ins::Align { to } => self.align(to),
            Ins::Enter => self.enter(),
            Ins::Leave => self.leave(),
            Ins::Ret => self.emit(Inst::Ret),
            Ins::Trap => self.emit(Inst::Brk),
        }
    }

    // ---- operands ----

    #[inline(always)]
    fn emit(&mut self, inst: Inst) {
        self.code.push_u32(inst.encode());
    }

    #[inline(always)]
    fn r(&mut self, r: R) -> Reg {
        match r.0 {
            0..FIRST_SAVED => Reg::x(r.0),
            FIRST_SAVED..REGISTERS => Reg::x(r.0 - FIRST_SAVED + FIRST_SAVED_X),
            REGISTERS.. => {
                self.fault = Some(LowerError::Register { at: self.at });
                Reg::ZR
            }
        }
    }

    #[inline(always)]
    fn quad(&mut self, quad: Quad) -> [Reg; 4] {
        quad.each(|r| self.r(r))
    }

    /// The second operand of 64-bit arithmetic in a register: `scratch` unless it is in one.
    fn src(&mut self, src: Src, scratch: Reg) -> Reg {
        match src {
            Src::R(r) => self.r(r),
            Src::I(0) => Reg::ZR,
            Src::I(imm) => {
                self.imm(scratch, imm as u64);
                scratch
            }
            Src::M(mem) => {
                self.load_mem(scratch, mem);
                scratch
            }
        }
    }

    // ---- machine instructions that are used all over ----

    /// `mov dst, src`; nothing if they are the same.
    #[inline(always)]
    fn mov(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.logic(Logic::Orr, dst, Reg::ZR, src);
        }
    }

    /// The first operand `a` of an instruction that replaces `dst` and reads nothing else but `other`. If it is a copy just made in `dst`, the copy
    /// is taken back and the original serves: streams written for machines of two operands copy first.
    fn original(&mut self, dst: Reg, a: Reg, other: Option<Reg>) -> Reg {
        match self.copied.take() {
            Some(copied) if copied.end == self.code.len() && copied.dst == dst && a == dst && other != Some(dst) => {
                self.code.truncate(copied.end - INST_BYTES);
                copied.src
            }
            Some(_) | None => a,
        }
    }

    #[inline(always)]
    fn logic(&mut self, op: Logic, dst: Reg, a: Reg, b: Reg) {
        self.emit(Inst::Logic { op, dst, a, b, shift: Shift::Lsl, amount: 0 });
    }

    #[inline(always)]
    fn sum(&mut self, op: Sum, dst: Reg, a: Reg, b: Reg) {
        self.emit(Inst::Sum { op, size: Size::B64, dst, a, b, amount: 0 });
    }

    /// `dst = a op imm`, through `scratch` where it does not fit. The flags are those of the operation that was asked for: the carry of
    /// `a + -n` is that of `a - n`, a number other than 0 being as far from 2^64 as its negative is from 0.
    fn sum_imm(&mut self, op: Sum, dst: Reg, a: Reg, imm: i64, scratch: Reg) {
        if let Some((op, imm)) = sum_operand(op, imm) {
            self.emit(Inst::SumImm { op, size: Size::B64, dst, a, imm });
        } else {
            self.imm(scratch, imm as u64);
            self.sum(op, dst, a, scratch);
        }
    }

    /// A constant for the IR's registers.
    fn constant(&mut self, dst: Reg, value: u64) {
        let halves = |filler: u16| (0..4).filter(|half| (value >> (16 * half)) as u16 != filler).count();
        if self.long || halves(0) < 4 || halves(u16::MAX) < 4 || Mask::new(value).is_some() {
            return self.imm(dst, value);
        }
        self.literals.push((self.code.len() as u32, value));
        self.emit(Inst::LoadLiteral { dst, distance: 0 });
    }

    /// A constant, by as few instructions as there are without memory; flags survive.
    fn imm(&mut self, dst: Reg, value: u64) {
        let half = |half: u8| (value >> (16 * half)) as u16;
        let others = |filler: u16| (0..4).filter(move |&i| half(i) != filler);
        let (zeros, ones) = (others(0).count(), others(u16::MAX).count());
        if zeros > 1
            && ones > 1
            && let Some(imm) = Mask::new(value)
        {
            return self.emit(Inst::LogicImm { op: Logic::Orr, dst, a: Reg::ZR, imm });
        }
        let (first, filler) = if ones < zeros { (MovWide::Movn, u16::MAX) } else { (MovWide::Movz, 0) };
        let mut op = first;
        for i in others(filler) {
            let imm = if op == MovWide::Movn { !half(i) } else { half(i) };
            self.emit(Inst::MovWide { op, dst, imm, half: i });
            op = MovWide::Movk;
        }
        if op == first {
            self.emit(Inst::MovWide { op, dst, imm: 0, half: 0 });
        }
    }
}

/// An addition or subtraction of a constant as the machine has it, if it has.
fn sum_operand(op: Sum, imm: i64) -> Option<(Sum, Imm12)> {
    let opposite = match op {
        Sum::Add => Sum::Sub,
        Sum::Adds => Sum::Subs,
        Sum::Sub => Sum::Add,
        Sum::Subs => Sum::Adds,
    };
    match Imm12::new(imm as u64) {
        Some(imm) => Some((op, imm)),
        None => Imm12::new(imm.wrapping_neg() as u64).map(|imm| (opposite, imm)),
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
