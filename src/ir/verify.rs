//! The rules of `ins.rs`, checked.

use super::{Factor, Ins, Label, MAX_VECTOR_REGISTERS, Mem, Quad, R, Role, Src, V, WSrc, WordOp};

/// What is wrong with an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A register number that is too large.
    Register(R),
    /// A vector register number that no target has.
    VectorRegister(V),
    /// A vector instruction for types or lanes that it does not take.
    Shape,
    /// A shift amount, scale, length or alignment out of range.
    Amount(u8),
    /// A word whose registers are not distinct.
    Quad(Quad),
    /// Two destinations or temporaries that must differ.
    NotDistinct(R),
    /// A destination that partly overlaps a source, or a temporary that overlaps an operand.
    Overlap,
    /// A label bound a second time.
    Rebound(Label),
    /// A branch to a label that is nowhere bound.
    Unbound(Label),
}

/// The first instruction that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Its index.
    pub at: usize,
    /// It.
    pub ins: Ins,
    /// The rule.
    pub fault: Fault,
}

impl core::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "instruction {} ({}): {:?}", self.at, self.ins, self.fault)
    }
}

impl core::error::Error for VerifyError {}

/// Checks a stream for a target of `registers` integer registers.
///
/// # Errors
///
/// The first instruction that breaks a rule.
pub fn verify(ins: &[Ins], registers: u8) -> Result<(), VerifyError> {
    let mut bound: Vec<Label> = Vec::new();
    for (at, &ins) in ins.iter().enumerate() {
        let fail = |fault| Err(VerifyError { at, ins, fault });
        check(&ins, registers).or_else(fail)?;
        if let Ins::Label(label) = ins {
            bound.push(label);
        }
    }
    bound.sort_unstable();
    for (at, &ins) in ins.iter().enumerate() {
        let fail = |fault| Err(VerifyError { at, ins, fault });
        match ins {
            Ins::Jmp(to) | Ins::Br { cond: _, to } | Ins::LabelAddr { dst: _, label: to } if bound.binary_search(&to).is_err() => {
                fail(Fault::Unbound(to))?
            }
            Ins::Label(label) if bound.iter().skip_while(|&&l| l < label).take_while(|&&l| l == label).count() > 1 => {
                fail(Fault::Rebound(label))?;
            }
            _ => {} // every other instruction has no label
        }
    }
    Ok(())
}

type Rule = Result<(), Fault>;

/// Checks one instruction; labels are not looked at.
///
/// # Errors
///
/// The rule it breaks.
pub fn check(ins: &Ins, registers: u8) -> Rule {
    let mut result = Ok(());
    ins.registers(|_, r| {
        if r.0 >= registers.min(64) && result.is_ok() {
            result = Err(Fault::Register(r));
        }
    });
    result?;
    match *ins {
        Ins::Alu { b: src, .. } | Ins::Cmp { b: src, .. } | Ins::Test { b: src, .. } => scale_of(src),
        Ins::AluMem { mem, src: b, .. } | Ins::CmpMem { mem, b, .. } => scale(mem).and(scale_of(b)),
        Ins::Lea { mem, .. } | Ins::Load { mem, .. } | Ins::Store { mem, .. } | Ins::StoreImm { mem, .. } => scale(mem),
        Ins::LoadSwap { mem, .. } | Ins::StoreSwap { mem, .. } | Ins::JmpMem(mem) | Ins::CallMem(mem) => scale(mem),
        Ins::ShiftImm { amount, .. } => within(amount, 0, 63),
        Ins::FunnelImm { dst, hi: _, lo, amount, tmp } => within(amount, 1, 63).and(apart(bit(tmp), bits(&[dst, lo]))),
        Ins::MulWide { hi: x, lo: y, .. } | Ins::MulWideSigned { hi: x, lo: y, .. } => distinct(&[x, y]),
        Ins::DivRem { quot: x, rem: y, .. } | Ins::DivRemSigned { quot: x, rem: y, .. } => distinct(&[x, y]),
        Ins::DivWide { quot, rem, .. } => distinct(&[quot, rem]),
        Ins::Vector(vector) => {
            vector.memory().map_or(Ok(()), scale)?;
            let mut result = if vector.is_sound() { Ok(()) } else { Err(Fault::Shape) };
            vector.vectors(|_, v, _| {
                if usize::from(v.0) >= MAX_VECTOR_REGISTERS {
                    result = Err(Fault::VectorRegister(v));
                }
            });
            result
        }
        Ins::Data { len, .. } => within(len, 1, 16),
        Ins::Align { to } => within(to, 1, 64).and(if to.is_power_of_two() { Ok(()) } else { Err(Fault::Amount(to)) }),
        Ins::W { op, dst, a, b } => word_op(op, dst, a, b),
        Ins::WNot { dst, a } => same_or_apart(dst, a),
        Ins::WMov { dst, src } => quad(dst).and(quad(src)),
        Ins::WLoad { dst, .. } => quad(dst),
        Ins::WStore { src, .. } => quad_of(src),
        Ins::WLoadSwap { dst: q, mem } | Ins::WStoreSwap { src: q, mem } => quad(q).and(scale(mem)),
        Ins::WCmp { a, b, .. } | Ins::WEq { a, b, .. } => quad(a).and(quad_of(b)).and(temps(ins)),
        Ins::WCmpMem { b, .. } | Ins::WEqMem { b, .. } => quad_of(b).and(temps(ins)),
        Ins::WIsZero { a, .. } => quad(a).and(temps(ins)),
        Ins::WIsZeroMem { .. } => temps(ins),
        Ins::WShiftImm { dst, a, amount, .. } => same_or_apart(dst, a).and(within(amount, 1, 255)).and(temps(ins)),
        Ins::WShift { dst, amount, .. } => quad(dst).and(apart(bits(&dst.0), bit(amount))).and(temps(ins)),
        Ins::WMul { dst, a, b, .. } => quad(dst).and(factor(dst, a)).and(factor(dst, b)).and(temps(ins)),
        Ins::WMulHigh { dst, a, b, limbs, .. } => {
            quad(dst).and(factor(dst, a)).and(apart(bits(&dst.0), bit(b))).and(within(limbs, 2, 4)).and(temps(ins))
        }
        Ins::Imm { .. } | Ins::Mov { .. } | Ins::Un { .. } | Ins::Shift { .. } | Ins::Set { .. } | Ins::Select { .. } => Ok(()),
        Ins::WCopy { .. } | Ins::Label(_) | Ins::Jmp(_) | Ins::Br { .. } | Ins::JmpTo { .. } | Ins::BrTo { .. } => Ok(()),
        Ins::LabelAddr { .. } | Ins::MulHigh { .. } | Ins::Extend { .. } | Ins::Call { .. } | Ins::Exit { .. } => Ok(()),
        Ins::EnterStub | Ins::LeaveStub | Ins::DropStub => Ok(()),
        Ins::JmpSlot { .. } | Ins::JmpReg(_) | Ins::CallReg(_) | Ins::Enter | Ins::Leave | Ins::Ret | Ins::Trap => Ok(()),
    }
}

fn bit(r: R) -> u64 {
    1 << r.0
}

fn bits(regs: &[R]) -> u64 {
    regs.iter().fold(0, |bits, &r| bits | bit(r))
}

fn within(amount: u8, low: u8, high: u8) -> Rule {
    if (low..=high).contains(&amount) { Ok(()) } else { Err(Fault::Amount(amount)) }
}

fn scale(mem: Mem) -> Rule {
    within(mem.shift, 0, if mem.index.is_some() { 3 } else { 0 })
}

fn scale_of(src: Src) -> Rule {
    match src {
        Src::M(mem) => scale(mem),
        Src::R(_) | Src::I(_) => Ok(()),
    }
}

fn distinct(regs: &[R]) -> Rule {
    match regs.iter().enumerate().find(|&(i, r)| regs[..i].contains(r)) {
        Some((_, &r)) => Err(Fault::NotDistinct(r)),
        None => Ok(()),
    }
}

fn quad(quad: Quad) -> Rule {
    distinct(&quad.0).map_err(|_| Fault::Quad(quad))
}

fn quad_of(src: WSrc) -> Rule {
    match src {
        WSrc::Q(q) => quad(q),
        WSrc::M(..) | WSrc::N(_) | WSrc::I(_) => Ok(()),
    }
}

/// A factor of a product in `dst`.
fn factor(dst: Quad, factor: Factor) -> Rule {
    match factor {
        Factor::Q(q) => quad(q).and(apart(bits(&dst.0), bits(&q.0))),
        Factor::M(r, _) => apart(bits(&dst.0), bit(r)),
    }
}

fn apart(x: u64, y: u64) -> Rule {
    if x & y == 0 { Ok(()) } else { Err(Fault::Overlap) }
}

fn same_or_apart(dst: Quad, a: Quad) -> Rule {
    quad(dst).and(quad(a))?;
    if dst == a { Ok(()) } else { apart(bits(&dst.0), bits(&a.0)) }
}

fn word_op(op: WordOp, dst: Quad, a: Quad, b: WSrc) -> Rule {
    quad(dst).and(quad(a)).and(quad_of(b))?;
    let commutes = match op {
        WordOp::Add | WordOp::And | WordOp::Or | WordOp::Xor => true,
        WordOp::Sub => false,
    };
    let set = bits(&dst.0);
    match b {
        WSrc::Q(b) if b == dst && (commutes || a == dst) => same_or_apart(dst, a),
        WSrc::Q(b) => same_or_apart(dst, a).and(apart(set, bits(&b.0))),
        WSrc::M(r, _) | WSrc::N(r) => same_or_apart(dst, a).and(apart(set, bit(r))),
        WSrc::I(_) => same_or_apart(dst, a),
    }
}

/// Temporaries differ from each other and from every operand.
fn temps(ins: &Ins) -> Rule {
    let (mut temps, mut operands, mut twice) = (0, 0, None);
    ins.registers(|role, r| match role {
        Role::Temp if temps & bit(r) != 0 => twice = Some(r),
        Role::Temp => temps |= bit(r),
        Role::Read | Role::Write => operands |= bit(r),
    });
    match twice {
        Some(r) => Err(Fault::NotDistinct(r)),
        None => apart(temps, operands),
    }
}
