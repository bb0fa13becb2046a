//! Which registers an instruction reads and writes: the one list of that.

use super::{Factor, Ins, Mem, Quad, R, Src, WSrc};

/// What an instruction does with a register it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its value matters.
    Read,
    /// It holds a result.
    Write,
    /// It holds rubbish afterwards.
    Temp,
}

/// What an instruction does to the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagEffect {
    /// They survive.
    Keep,
    /// It sets those that its documentation names.
    Write,
    /// They hold rubbish afterwards.
    Undefine,
}

struct Visitor<F>(F);

impl<F: FnMut(Role, R)> Visitor<F> {
    fn read(&mut self, r: R) -> &mut Self {
        (self.0)(Role::Read, r);
        self
    }

    fn write(&mut self, r: R) -> &mut Self {
        (self.0)(Role::Write, r);
        self
    }

    fn temp(&mut self, r: R) -> &mut Self {
        (self.0)(Role::Temp, r);
        self
    }

    fn mem(&mut self, mem: Mem) -> &mut Self {
        self.read(mem.base);
        if let Some(index) = mem.index {
            self.read(index);
        }
        self
    }

    fn src(&mut self, src: Src) -> &mut Self {
        match src {
            Src::R(r) => self.read(r),
            Src::M(mem) => self.mem(mem),
            Src::I(_) => self,
        }
    }

    fn word(&mut self, src: WSrc) -> &mut Self {
        match src {
            WSrc::Q(quad) => self.read_quad(quad),
            WSrc::M(base, _) => self.read(base),
            WSrc::N(r) => self.read(r),
            WSrc::I(_) => self,
        }
    }

    fn factor(&mut self, factor: Factor) -> &mut Self {
        match factor {
            Factor::Q(quad) => self.read_quad(quad),
            Factor::M(base, _) => self.read(base),
        }
    }

    fn read_quad(&mut self, quad: Quad) -> &mut Self {
        quad.0.into_iter().for_each(|r| (self.0)(Role::Read, r));
        self
    }

    fn write_quad(&mut self, quad: Quad) -> &mut Self {
        quad.0.into_iter().for_each(|r| (self.0)(Role::Write, r));
        self
    }
}

impl Ins {
    /// Calls `visit` for each integer register named, reads first. Calls, `Enter` and `Leave` touch registers that they do not name.
    pub fn registers(&self, visit: impl FnMut(Role, R)) {
        let mut v = Visitor(visit);
        match *self {
            Ins::Imm { dst, value: _ } => v.write(dst),
            Ins::Mov { dst, src } | Ins::Un { op: _, dst, src } => v.read(src).write(dst),
            Ins::Extend { width: _, signed: _, dst, src } => v.read(src).write(dst),
            Ins::MulHigh { signed: _, dst, a, b } => v.read(a).read(b).write(dst),
            Ins::DivWide { quot, rem, hi, lo, b } => v.read(hi).read(lo).read(b).write(quot).write(rem),
            Ins::Alu { op: _, flags: _, dst, a, b } => v.read(a).src(b).write(dst),
            Ins::AluMem { op: _, mem, src } => v.mem(mem).src(src),
            Ins::ShiftImm { op: _, dst, a, amount: _ } => v.read(a).write(dst),
            Ins::Shift { op: _, dst, a, amount } => v.read(a).read(amount).write(dst),
            Ins::FunnelImm { dst, hi, lo, amount: _, tmp } => v.read(hi).read(lo).write(dst).temp(tmp),
            Ins::Lea { dst, mem } | Ins::Load { width: _, signed: _, dst, mem } | Ins::LoadSwap { dst, mem } => {
                v.mem(mem).write(dst)
            }
            Ins::MulWide { hi, lo, a, b } | Ins::MulWideSigned { hi, lo, a, b } => v.read(a).read(b).write(hi).write(lo),
            Ins::DivRem { quot, rem, a, b } | Ins::DivRemSigned { quot, rem, a, b } => v.read(a).read(b).write(quot).write(rem),
            Ins::Cmp { a, b } | Ins::Test { a, b } => v.read(a).src(b),
            Ins::CmpMem { width: _, mem, b } => v.mem(mem).src(b),
            Ins::Set { cond: _, dst } => v.write(dst),
            Ins::Select { cond: _, dst, a, b } => v.read(a).read(b).write(dst),
            Ins::Store { width: _, src, mem } | Ins::StoreSwap { src, mem } => v.read(src).mem(mem),
            Ins::StoreImm { width: _, value: _, mem } => v.mem(mem),
            Ins::W { op: _, dst, a, b } => v.read_quad(a).word(b).write_quad(dst),
            Ins::WNot { dst, a } => v.read_quad(a).write_quad(dst),
            Ins::WShiftImm { op: _, dst, a, amount: _, tmp: [t, u, w] } => v.read_quad(a).write_quad(dst).temp(t).temp(u).temp(w),
            Ins::WMov { dst, src } => v.read_quad(src).write_quad(dst),
            Ins::WLoad { dst, base, disp: _ } => v.read(base).write_quad(dst),
            Ins::WStore { src, base, disp: _ } => v.word(src).read(base),
            Ins::WLoadSwap { dst, mem } => v.mem(mem).write_quad(dst),
            Ins::WStoreSwap { src, mem } => v.read_quad(src).mem(mem),
            Ins::WCopy { to, to_disp: _, from, from_disp: _ } => v.read(to).read(from),
            Ins::WCmp { a, b, tmp } => v.read_quad(a).word(b).temp(tmp),
            Ins::WCmpMem { a, a_disp: _, b, tmp } => v.read(a).word(b).temp(tmp),
            Ins::WEq { a, b, tmp } => v.read_quad(a).word(b).temp(tmp[0]).temp(tmp[1]),
            Ins::WEqMem { base, disp: _, b, tmp } => v.read(base).word(b).temp(tmp[0]).temp(tmp[1]),
            Ins::WIsZero { a, tmp } => v.read_quad(a).temp(tmp),
            Ins::WIsZeroMem { base, disp: _, tmp } => v.read(base).temp(tmp),
            Ins::WShift { op: _, dst, amount, tmp } => v.read_quad(dst).read(amount).write_quad(dst).temp(tmp[0]).temp(tmp[1]),
            Ins::WMul { dst, a, b, tmp: [t, u, w] } => v.factor(a).factor(b).temp(t).temp(u).temp(w).write_quad(dst),
            Ins::WMulHigh { dst, a, b, b_disp: _, limbs: _, plus: _, tmp: [t, u, w] } => {
                v.factor(a).read(b).temp(t).temp(u).temp(w).write_quad(dst)
            }
            Ins::Vector(vector) => {
                if let Some(mem) = vector.memory() {
                    v.mem(mem);
                }
                if let Some((role, r)) = vector.integer() {
                    (v.0)(role, r);
                }
                &mut v
            }
            Ins::JmpReg(r) | Ins::CallReg(r) => v.read(r),
            Ins::JmpMem(mem) | Ins::CallMem(mem) => v.mem(mem),
            Ins::LabelAddr { dst, label: _ } | Ins::Exit { dst, .. } => v.write(dst),
            Ins::Label(_) | Ins::Jmp(_) | Ins::Br { .. } | Ins::JmpTo { .. } | Ins::BrTo { .. } | Ins::JmpSlot { .. } => &mut v,
            Ins::EnterStub | Ins::LeaveStub | Ins::DropStub => &mut v,
            Ins::Enter | Ins::Leave | Ins::Ret | Ins::Trap | Ins::Call { .. } | Ins::Data { .. } | Ins::Align { .. } => &mut v,
        };
    }

    /// What it does to the flags.
    pub fn flag_effect(&self) -> FlagEffect {
        match self {
            Ins::Alu { flags: true, .. } | Ins::AluMem { .. } | Ins::Cmp { .. } | Ins::CmpMem { .. } | Ins::Test { .. } => {
                FlagEffect::Write
            }
            Ins::W { .. } | Ins::WCmp { .. } | Ins::WCmpMem { .. } | Ins::WEq { .. } | Ins::WEqMem { .. } => FlagEffect::Write,
            Ins::WIsZero { .. } | Ins::WIsZeroMem { .. } => FlagEffect::Write,
            Ins::Imm { .. } | Ins::Mov { .. } | Ins::Lea { .. } | Ins::Set { .. } | Ins::Select { .. } => FlagEffect::Keep,
            Ins::Extend { .. } | Ins::Data { .. } | Ins::Align { .. } | Ins::Vector(_) => FlagEffect::Keep,
            Ins::Load { .. } | Ins::Store { .. } | Ins::StoreImm { .. } | Ins::LoadSwap { .. } | Ins::StoreSwap { .. } => {
                FlagEffect::Keep
            }
            Ins::WMov { .. } | Ins::WLoad { .. } | Ins::WStore { .. } | Ins::WLoadSwap { .. } | Ins::WStoreSwap { .. } => {
                FlagEffect::Keep
            }
            Ins::WCopy { .. } | Ins::Label(_) | Ins::Jmp(_) | Ins::Br { .. } | Ins::JmpTo { .. } | Ins::BrTo { .. } => {
                FlagEffect::Keep
            }
            Ins::Exit { .. } | Ins::JmpSlot { .. } | Ins::JmpReg(_) | Ins::JmpMem(_) | Ins::LabelAddr { .. } | Ins::Trap => {
                FlagEffect::Keep
            }
            Ins::Alu { flags: false, .. } | Ins::Un { .. } | Ins::ShiftImm { .. } | Ins::Shift { .. } => FlagEffect::Undefine,
            Ins::FunnelImm { .. } | Ins::MulWide { .. } | Ins::MulWideSigned { .. } => FlagEffect::Undefine,
            Ins::DivRem { .. } | Ins::DivRemSigned { .. } | Ins::WNot { .. } | Ins::WShiftImm { .. } => FlagEffect::Undefine,
            Ins::WShift { .. } | Ins::WMul { .. } | Ins::CallMem(_) | Ins::CallReg(_) => FlagEffect::Undefine,
            Ins::MulHigh { .. } | Ins::WMulHigh { .. } | Ins::DivWide { .. } | Ins::Call { .. } => FlagEffect::Undefine,
            Ins::Enter | Ins::Leave | Ins::Ret => FlagEffect::Undefine,
            Ins::EnterStub | Ins::LeaveStub | Ins::DropStub => FlagEffect::Undefine,
        }
    }
}
