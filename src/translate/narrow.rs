//! Arithmetic kept to 64 bits: where only the low bits of a result are ever used, and where it is likely that a result fits. In the second case
//! a result that does not fit goes on in a *widening* version of the same instruction, which is compiled when that first happens; from then on
//! the instruction is compiled for wide words.

use super::constants::Constant;
use super::context::{VersionId, Wide};
use super::control::To;
use super::values::ValueId;
use super::{Job, Translator};
use crate::evm::U256;
use crate::evm::block::Pc;
use crate::evm::code::Code;
use crate::evm::opcode::{self as op, info};
use crate::ir::{AluOp, Cond, Ins, Mem, R, ShiftOp, Src, Width};

/// Operations on constants that are looked at for what becomes of a result.
const LOOK_AHEAD: usize = 4;

/// Where contracts keep the free memory pointer, which is below 2^32: nobody could pay for more memory.
const POINTER_OFFSET: u64 = 0x40;

/// A speculation under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    /// For the result; not among the captured registers.
    pub dst: R,
    /// Where to go on if it does not fit.
    pub to: To,
    /// Gas to give back there.
    pub gas: u32,
}

/// How many low bits, at most 64, are ever used of the word that the instruction before `pc` pushes: constants are added to it, and so on, until
/// it is masked, all before the block's `end`. `None` if it is not used like that.
fn only_low_bits(code: &Code, mut pc: usize, end: usize) -> Option<u16> {
    for _ in 0..LOOK_AHEAD {
        let row = info(code.padded()[pc]);
        let (start, len) = (pc + 1, usize::from(row.immediate));
        if !(op::PUSH1..=op::PUSH32).contains(&code.padded()[pc]) || start + len >= end {
            return None;
        }
        pc = start + len;
        match code.padded()[pc] {
            op::AND => {
                let mask = U256::from_be_slice(&code.padded()[start..start + len]);
                return Some(mask.bit_len() as u16).filter(|bits| *bits <= 64);
            }
            op::ADD | op::SUB | op::MUL | op::OR | op::XOR => pc += 1,
            _ => return None,
        }
    }
    None
}

impl Translator {
    /// ADD, SUB, MUL, SHL, SHR, OR and XOR in 64 bits, if that is right or likely to be; false if not, and then nothing has happened.
    pub(super) fn narrow(&mut self, job: &mut Job<'_>, opcode: u8, pc: usize) -> bool {
        if !matches!(opcode, op::ADD | op::SUB | op::MUL | op::SHL | op::SHR | op::OR | op::XOR) {
            return false;
        }
        let top = self.s.len() - 1;
        let (x, y) = (self.s.at(top), self.s.at(top - 1));
        let (kx, ky) = (self.s.konst(x), self.s.konst(y));
        let (wx, wy) = (self.s.value(x).bits, self.s.value(y).bits);
        let alu = match opcode {
            op::ADD => AluOp::Add,
            op::SUB => AluOp::Sub,
            op::MUL => AluOp::Mul,
            op::SHR => return self.low_of_shift(job, pc, kx, y),
            op::OR | op::XOR if wx <= 64 && wy <= 64 => return false,
            op::OR => AluOp::Or,
            op::XOR => AluOp::Xor,
            _ => {
                let amount = kx.and_then(|k| u8::try_from(k).ok()).filter(|amount| (1..64).contains(amount));
                return amount.is_some_and(|amount| wy <= 64 && self.guess_shift(job, amount, false, wy, pc));
            }
        };
        if self.used_bits(job.code, pc).is_some() {
            self.low_bits(alu, x, y);
            return true;
        }
        if wx > 64 || wy > 64 || matches!(alu, AluOp::Or | AluOp::Xor) {
            return false;
        }
        match alu {
            AluOp::Add if wx.max(wy) < 64 => false,
            AluOp::Sub if ky == Some(U256::ONE) && self.nonzero == Some(x) => {
                self.low_bits(alu, x, y);
                true
            }
            AluOp::Mul if wx + wy <= 64 => false,
            AluOp::Mul => match kx.map(|k| (k, true)).or(ky.map(|k| (k, false))) {
                Some((k, on_top)) if k.count_ones() == 1 => {
                    let bits = if on_top { wy } else { wx };
                    self.guess_shift(job, k.trailing_zeros() as u8, !on_top, bits, pc)
                }
                Some(_) | None => self.guess_product(job, pc),
            },
            _ => self.guess_sum(job, alu, wx, pc),
        }
    }

    /// How many low bits, at most 64, are ever used of what the operation of two words at `pc` gives; `None` if that is not known.
    pub(super) fn used_bits(&self, code: &Code, pc: usize) -> Option<u16> {
        if code.padded()[pc + 1] == op::AND && pc + 1 < self.block_end {
            // The mask may lie below the operands.
            let mask = self.s.konst(self.s.at(self.s.len().checked_sub(3)?))?;
            return Some(mask.bit_len() as u16).filter(|bits| *bits <= 64);
        }
        only_low_bits(code, pc + 1, self.block_end)
    }

    /// SHR of the wide word `y`, if only low bits of it are ever used: by a constant, or of a constant.
    fn low_of_shift(&mut self, job: &Job<'_>, pc: usize, amount: Option<U256>, y: ValueId) -> bool {
        if let (None, Some(word)) = (amount, self.s.konst(y)) {
            return self.low_of_shifted_constant(job, pc, word);
        }
        let Some(amount) = amount.and_then(|k| u8::try_from(k).ok()) else { return false };
        let bits = self.bits(y);
        if bits <= u16::from(amount).max(64) {
            return false;
        }
        let Some(used) = self.used_bits(job.code, pc) else { return false };
        self.s.kill_flags();
        let top = self.s.pop();
        self.s.release(top);
        let y = self.s.pop();
        let dst = self.limb_from(amount.into(), used.min(bits - u16::from(amount)), y);
        self.s.push_narrow(dst, 64);
        self.s.unpin();
        true
    }

    /// SHR of a constant, of which less than 58 bits are used: eight bytes from where the amount's whole bytes lead to in memory, shifted by the rest.
    fn low_of_shifted_constant(&mut self, job: &Job<'_>, pc: usize, word: U256) -> bool {
        let amount_bits = self.bits(self.s.at(self.s.len() - 1));
        if amount_bits > 64 || word.bit_len() <= 64 || self.used_bits(job.code, pc).is_none_or(|used| used > 57) {
            return false;
        }
        self.s.kill_flags();
        let (amount, y) = (self.s.pop(), self.s.pop());
        let ([base, rest, _], dst) = (self.s.target.scratch, self.s.alloc());
        let (zero, done) = (self.label(), self.label());
        self.s.limb_to(amount, 0, rest);
        if amount_bits > 8 {
            self.s.emit(Ins::Cmp { a: rest, b: Src::I(255) });
            self.s.emit(Ins::Br { cond: Cond::Ugt, to: zero });
        }
        let label = self.constant(Constant::Extended(word));
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Shr, dst, a: rest, amount: 3 });
        self.s.emit(Ins::LabelAddr { dst: base, label });
        let mem = Mem { base, index: Some(dst), shift: 0, disp: 0 };
        self.s.emit(Ins::Load { width: Width::B64, signed: false, dst, mem });
        self.s.emit(Ins::Alu { op: AluOp::And, flags: false, dst: rest, a: rest, b: Src::I(7) });
        self.s.emit(Ins::Shift { op: ShiftOp::Shr, dst, a: dst, amount: rest });
        self.push_checked(amount, y, dst, 64, (amount_bits > 8).then_some((zero, done)));
        self.s.unpin();
        true
    }

    /// The low limb of an operation on the top two elements, whose other bits nobody will see.
    pub(super) fn low_bits(&mut self, op: AluOp, x: ValueId, y: ValueId) {
        self.s.kill_flags();
        self.s.pop();
        self.s.pop();
        self.low_op(op, x, y, 64);
        self.s.unpin();
    }

    /// Gets ready to guess that the instruction at `pc` has a narrow result, or one that is not `wide`, with its `operands` still on the stack. The result
    /// gets a register of its own, or is put `over` an operand's.
    pub(super) fn guess(&mut self, job: &mut Job<'_>, operands: usize, over: Option<R>, pc: usize, wide: Wide) -> Option<Guess> {
        let failed = match wide {
            Wide::SignedResult => job.versions.is_wide_signed(Pc(pc as u32)),
            Wide::Result | Wide::Element(_) => job.versions.is_wide(Pc(pc as u32)),
        };
        if job.frugal || failed || self.s.dice.one_in(6) {
            return None;
        }
        self.s.kill_flags();
        for i in self.s.len() - operands..self.s.len() {
            self.s.hold(self.s.at(i));
        }
        // Nothing may be spilled between here and the branch: registers are as captured.
        let dst = over.unwrap_or_else(|| self.s.alloc());
        self.s.settle();
        let context = self.capture(job);
        let id: VersionId = job.versions.add_widening(Pc(pc as u32), context, wide);
        let gas = self.spare + u32::from(job.schedule.rows[job.code.padded()[pc] as usize].gas);
        match self.way(job, id) {
            Ok(to) => Some(Guess { dst, to, gas }),
            Err(_) => {
                if over.is_none() {
                    self.s.give_back(dst);
                }
                None
            }
        }
    }

    /// Takes the operands and pushes the result.
    fn guessed(&mut self, operands: usize, dst: R, bits: u16) {
        for _ in 0..operands {
            let v = self.s.pop();
            self.s.release(v);
        }
        self.s.push_narrow(dst, bits);
        self.s.unpin();
    }

    /// ADD or SUB of narrow words.
    fn guess_sum(&mut self, job: &mut Job<'_>, op: AluOp, bits: u16, pc: usize) -> bool {
        let (mut a, mut b) = (self.s.len() - 1, self.s.len() - 2);
        if op == AluOp::Add && (self.s.konst(self.s.at(a)).is_some() || self.s.own_register(b).is_some()) {
            (a, b) = (b, a);
        }
        // Before the operand's register is known: it may be wanted for what is in the flags.
        self.s.kill_flags();
        let over = self.s.own_register(a);
        let Some(guess) = self.guess(job, 2, over, pc, Wide::Result) else { return false };
        let (dst, t0) = (guess.dst, self.t0());
        let operands = [a, b].map(|i| self.s.at(i));
        self.s.limb_to(operands[0], 0, dst);
        let b = self.s.limb_or(operands[1], 0, t0);
        self.s.emit(Ins::Alu { op, flags: true, dst, a: dst, b });
        let undo = match (over, op) {
            (None, _) => None,
            (Some(_), AluOp::Sub) => Some(Ins::Alu { op: AluOp::Add, flags: false, dst, a: dst, b }),
            (Some(_), _) => Some(Ins::Alu { op: AluOp::Sub, flags: false, dst, a: dst, b }),
        };
        self.widen_if(Cond::Ult, guess.gas, guess.to, undo);
        self.guessed(2, dst, if op == AluOp::Sub { bits } else { 64 });
        self.note_sum(operands, op == AluOp::Sub, true);
        true
    }

    /// MUL of narrow words.
    fn guess_product(&mut self, job: &mut Job<'_>, pc: usize) -> bool {
        let Some(guess) = self.guess(job, 2, None, pc, Wide::Result) else { return false };
        let (dst, high, factor, top) = (guess.dst, self.t0(), self.s.target.mul[0], self.s.len() - 1);
        self.s.limb_to(self.s.at(top), 0, dst);
        self.s.limb_to(self.s.at(top - 1), 0, factor);
        self.s.emit(Ins::MulWide { hi: high, lo: dst, a: factor, b: dst });
        self.s.emit(Ins::Test { a: high, b: Src::R(high) });
        self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        let factors = [self.s.at(top), self.s.at(top - 1)];
        self.guessed(2, dst, 64);
        self.note_product(factors, true);
        true
    }

    /// A narrow word of so many bits shifted left by 1..=63: the top of the stack, or what is below it.
    fn guess_shift(&mut self, job: &mut Job<'_>, amount: u8, is_top: bool, bits: u16, pc: usize) -> bool {
        if bits + u16::from(amount) <= 64 || !(1..64).contains(&amount) {
            return false;
        }
        let Some(guess) = self.guess(job, 2, None, pc, Wide::Result) else { return false };
        let (dst, lost) = (guess.dst, self.t0());
        let v = self.s.at(self.s.len() - 1 - usize::from(!is_top));
        self.s.limb_to(v, 0, dst);
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Shr, dst: lost, a: dst, amount: 64 - amount });
        self.s.emit(Ins::ShiftImm { op: ShiftOp::Shl, dst, a: dst, amount });
        self.s.emit(Ins::Test { a: lost, b: Src::R(lost) });
        self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        self.guessed(2, dst, 64);
        true
    }

    /// MLOAD of a number: in loops, and of the free memory pointer, whose bounds save most.
    pub(super) fn guess_load(&mut self, job: &mut Job<'_>, pc: usize) -> bool {
        let offset = self.s.at(self.s.len() - 1);
        let is_pointer = self.s.konst(offset).is_some_and(|k| k == U256::from(POINTER_OFFSET));
        if !is_pointer && (self.loads_wide || !self.looping) && !self.s.dice.one_in(2) {
            return false;
        }
        let signed = self.was_wide(job, pc);
        let wide = if signed { Wide::SignedResult } else { Wide::Result };
        let Some(guess) = self.guess(job, 1, None, pc, wide) else { return false };
        let (dst, t0) = (guess.dst, self.t0());
        // Getting ready may have given the element another name.
        let mem = self.access(self.s.at(self.s.len() - 1), 32);
        let at = |disp: i32| Mem { disp: mem.disp + disp, ..mem };
        if signed {
            self.s.emit(Ins::LoadSwap { dst, mem: at(24) });
            self.s.emit(Ins::ShiftImm { op: ShiftOp::Sar, dst: t0, a: dst, amount: 63 });
            self.s.emit(Ins::Cmp { a: t0, b: Src::M(at(16)) });
            let elsewhere = self.widen_if(Cond::Ne, guess.gas, guess.to, None);
            for disp in [8, 0] {
                self.s.emit(Ins::Cmp { a: t0, b: Src::M(at(disp)) });
                self.s.emit(Ins::Br { cond: Cond::Ne, to: elsewhere });
            }
            self.guessed_signed(1, dst);
            return true;
        }
        self.s.emit(Ins::Load { width: Width::B64, signed: false, dst: t0, mem: at(0) });
        // Big-endian: what comes first must be zero, up to the last eight bytes, or four.
        for disp in [8, 16, 20].into_iter().take(if is_pointer { 3 } else { 2 }) {
            self.s.emit(Ins::Alu { op: AluOp::Or, flags: false, dst: t0, a: t0, b: Src::M(at(disp)) });
        }
        self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
        self.widen_if(Cond::Ne, guess.gas, guess.to, None);
        self.s.emit(Ins::LoadSwap { dst, mem: at(24) });
        self.guessed(1, dst, if is_pointer { 32 } else { 64 });
        true
    }
}
