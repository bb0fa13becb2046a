//! Random instructions, biased to the edges.

use crate::harness::{CONDS, Case, SCRATCH, SCRATCH_BYTES};
use ejit::ir::*;
use ejit::lower::{Features, REGISTERS};

/// xorshift64*
pub struct Rng(u64);

const EDGES: [u64; 18] = [
    0,
    1,
    2,
    63,
    64,
    127,
    128,
    255,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
    u64::MAX - 1,
    0x8000_0000_0000_0001,
];
const IMMEDIATES: [i32; 14] = [0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 0xffff, 0x1_0000, i32::MAX, i32::MIN];
const WIDTHS: [Width; 4] = [Width::B8, Width::B16, Width::B32, Width::B64];

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }

    pub fn value(&mut self) -> u64 {
        if self.below(3) == 0 { self.next() } else { self.pick(&EDGES) }
    }

    pub fn features(&mut self) -> Features {
        match self.below(3) {
            0 => Features::detect(),
            1 => Features::none(),
            _ => self.some_features(Features::detect()),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn some_features(&mut self, has: Features) -> Features {
        has
    }

    #[cfg(target_arch = "x86_64")]
    fn some_features(&mut self, has: Features) -> Features {
        Features {
            bmi1: has.bmi1 && self.flip(),
            bmi2: has.bmi2 && self.flip(),
            adx: has.adx && self.flip(),
            movbe: has.movbe && self.flip(),
            lzcnt: has.lzcnt && self.flip(),
            popcnt: has.popcnt && self.flip(),
            ..has
        }
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Few registers, so that they coincide often, or any.
    fn r(&mut self) -> R {
        R(self.below(REGISTERS as u64) as u8)
    }

    fn quad(&mut self) -> Quad {
        let mut all: Vec<R> = (0..REGISTERS).map(R).collect();
        Quad([0; 4].map(|_| all.swap_remove(self.below(all.len() as u64) as usize)))
    }

    fn imm(&mut self) -> i32 {
        if self.below(4) == 0 { self.next() as i32 } else { self.pick(&IMMEDIATES) }
    }

    fn cond(&mut self) -> Cond {
        self.pick(&CONDS)
    }

    fn amount(&mut self, max: u64) -> u8 {
        let edges = [0, 1, 63, 64, 65, 127, 128, 129, 191, 192, 255];
        let amount = if self.flip() { self.pick(&edges) } else { self.next() };
        (amount % (max + 1)) as u8
    }
}

/// An address of `len` bytes in scratch memory, with what must be put into registers first. One in four is based on the context.
fn mem(rng: &mut Rng, case: &mut Case, len: usize) -> Mem {
    let room = (SCRATCH_BYTES - len) as u64 + 1;
    let at = SCRATCH as u64 + if rng.flip() { rng.below(room / 8 + 1) * 8 % room } else { rng.below(room) };
    if rng.below(4) == 0 {
        return Mem { base: case.context, index: None, shift: 0, disp: at as i32 };
    }
    let address = case.context_address() + at;
    let (base, mut index) = (rng.r(), rng.flip().then(|| rng.r()));
    index = index.filter(|&index| index != base && index != case.context && base != case.context);
    let shift = if index.is_some() { rng.below(4) as u8 } else { 0 };
    // All limbs of a word are to be in reach of the base.
    let disp = rng.imm().min(i32::MAX - len as i32);
    let indexed = rng.value() >> 8;
    let offset = if index.is_some() { indexed << shift } else { 0 };
    case.push(Ins::Imm { dst: base, value: address.wrapping_sub(offset).wrapping_sub(disp as u64) });
    if let Some(index) = index {
        case.push(Ins::Imm { dst: index, value: indexed });
    }
    Mem { base, index, shift, disp }
}

fn word_at(rng: &mut Rng, case: &mut Case) -> (R, i32) {
    loop {
        let mem = mem(rng, case, 32);
        if mem.index.is_none() {
            return (mem.base, mem.disp);
        }
    }
}

fn factor(rng: &mut Rng, case: &mut Case) -> Factor {
    if rng.flip() {
        return Factor::Q(rng.quad());
    }
    let (base, disp) = word_at(rng, case);
    Factor::M(base, disp)
}

fn src(rng: &mut Rng, case: &mut Case) -> Src {
    match rng.below(3) {
        0 => Src::R(rng.r()),
        1 => Src::I(rng.imm()),
        _ => Src::M(mem(rng, case, 8)),
    }
}

fn word(rng: &mut Rng, case: &mut Case) -> WSrc {
    match rng.below(4) {
        0 => WSrc::Q(rng.quad()),
        1 => WSrc::I(rng.imm()),
        2 => WSrc::N(rng.r()),
        _ => {
            let (base, disp) = word_at(rng, case);
            WSrc::M(base, disp)
        }
    }
}

fn alu(rng: &mut Rng) -> AluOp {
    rng.pick(&[AluOp::Add, AluOp::Adc, AluOp::Sub, AluOp::Sbb, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Mul])
}

/// Flags for an instruction that reads them.
fn some_flags(rng: &mut Rng, case: &mut Case) {
    if case.machine.flags == Flags::default() || rng.flip() {
        let (a, b) = (rng.r(), Src::R(rng.r()));
        case.push(Ins::Cmp { a, b });
    }
}

/// How many kinds `append` knows.
pub const KINDS: usize = 38;

/// Appends a random instruction of a kind, after what it needs; false if it was not allowed.
pub fn append(rng: &mut Rng, case: &mut Case, kind: usize) -> bool {
    let ins = if kind < SCALAR_KINDS { scalar(rng, case, kind) } else { wide(rng, case, kind) };
    if !case.push(ins) {
        return false;
    }
    // Temporaries are rubbish now; mostly they are given a value, so that what follows can use them.
    if rng.below(8) != 0 {
        let mut temps = Vec::new();
        ins.registers(|role, r| {
            if role == Role::Temp {
                temps.push(r);
            }
        });
        for dst in temps {
            case.push(Ins::Imm { dst, value: rng.value() });
        }
    }
    true
}

const SCALAR_KINDS: usize = 21;

fn scalar(rng: &mut Rng, case: &mut Case, kind: usize) -> Ins {
    match kind {
        0 => Ins::Imm { dst: rng.r(), value: rng.value() },
        1 => {
            if rng.flip() {
                return Ins::Mov { dst: rng.r(), src: rng.r() };
            }
            Ins::Extend { width: rng.pick(&WIDTHS), signed: rng.flip(), dst: rng.r(), src: rng.r() }
        }
        2 | 3 => {
            let (op, b) = (alu(rng), src(rng, case));
            if matches!(op, AluOp::Adc | AluOp::Sbb) {
                some_flags(rng, case);
            }
            let dst = rng.r();
            let a = if rng.below(4) == 0 { dst } else { rng.r() };
            Ins::Alu { op, flags: rng.flip(), dst, a, b }
        }
        4 => {
            let op = alu(rng);
            let (mem, src) = (mem(rng, case, 8), src(rng, case));
            if matches!(op, AluOp::Adc | AluOp::Sbb) {
                some_flags(rng, case);
            }
            Ins::AluMem { op, mem, src }
        }
        5 => {
            let op = rng.pick(&[UnOp::Not, UnOp::Neg, UnOp::Bswap, UnOp::Clz, UnOp::Ctz, UnOp::Popcount]);
            Ins::Un { op, dst: rng.r(), src: rng.r() }
        }
        6 => Ins::ShiftImm { op: shift_op(rng), dst: rng.r(), a: rng.r(), amount: rng.amount(63) },
        7 => Ins::Shift { op: shift_op(rng), dst: rng.r(), a: rng.r(), amount: rng.r() },
        8 => {
            let hi = rng.r();
            let tmp = if rng.flip() { hi } else { rng.r() };
            Ins::FunnelImm { dst: rng.r(), hi, lo: rng.r(), amount: rng.amount(63), tmp }
        }
        9 => {
            let mem = mem(rng, case, 8);
            Ins::Lea { dst: rng.r(), mem }
        }
        10 => Ins::MulWide { hi: rng.r(), lo: rng.r(), a: rng.r(), b: rng.r() },
        11 => {
            if rng.flip() {
                return Ins::MulHigh { signed: rng.flip(), dst: rng.r(), a: rng.r(), b: rng.r() };
            }
            Ins::MulWideSigned { hi: rng.r(), lo: rng.r(), a: rng.r(), b: rng.r() }
        }
        12 => {
            if rng.flip() {
                return Ins::DivRem { quot: rng.r(), rem: rng.r(), a: rng.r(), b: rng.r() };
            }
            let (hi, b) = (rng.r(), rng.r());
            let high = case.machine.regs[b.0 as usize].saturating_sub(1);
            case.push(Ins::Imm { dst: hi, value: if rng.flip() { high } else { high & rng.next() } });
            Ins::DivWide { quot: rng.r(), rem: rng.r(), hi, lo: rng.r(), b }
        }
        13 => Ins::DivRemSigned { quot: rng.r(), rem: rng.r(), a: rng.r(), b: rng.r() },
        14 => {
            let b = src(rng, case);
            Ins::Cmp { a: rng.r(), b }
        }
        15 => {
            let (mem, b) = (mem(rng, case, 8), src(rng, case));
            Ins::CmpMem { width: rng.pick(&WIDTHS), mem, b }
        }
        16 => {
            let b = src(rng, case);
            Ins::Test { a: rng.r(), b }
        }
        17 => {
            some_flags(rng, case);
            if rng.flip() {
                return Ins::Set { cond: rng.cond(), dst: rng.r() };
            }
            Ins::Select { cond: rng.cond(), dst: rng.r(), a: rng.r(), b: rng.r() }
        }
        18 => {
            let mem = mem(rng, case, 8);
            Ins::Load { width: rng.pick(&WIDTHS), signed: rng.flip(), dst: rng.r(), mem }
        }
        19 => {
            let mem = mem(rng, case, 8);
            if rng.flip() {
                return Ins::StoreImm { width: rng.pick(&WIDTHS), value: rng.imm(), mem };
            }
            Ins::Store { width: rng.pick(&WIDTHS), src: rng.r(), mem }
        }
        _ => {
            let mem = mem(rng, case, 8);
            if rng.flip() { Ins::LoadSwap { dst: rng.r(), mem } } else { Ins::StoreSwap { src: rng.r(), mem } }
        }
    }
}

fn shift_op(rng: &mut Rng) -> ShiftOp {
    rng.pick(&[ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Ror, ShiftOp::Rol])
}

fn wide_shift_op(rng: &mut Rng) -> WShiftOp {
    rng.pick(&[WShiftOp::Shl, WShiftOp::Shr, WShiftOp::Sar])
}

/// Makes the word at hand equal, or nearly, to what it is compared with.
fn bring_close(rng: &mut Rng, case: &mut Case, a: Quad, b: WSrc) {
    let limbs: [Option<u64>; 4] = match b {
        WSrc::I(imm) => [0, 1, 2, 3].map(|limb| Some(if limb == 0 { imm as u64 } else { (imm >> 31) as u64 })),
        WSrc::N(r) => [Some(case.machine.regs[r.0 as usize]), Some(0), Some(0), Some(0)],
        WSrc::Q(quad) => quad.0.map(|r| Some(case.machine.regs[r.0 as usize])),
        WSrc::M(..) => [None; 4],
    };
    for (dst, limb) in a.0.into_iter().zip(limbs) {
        if let (Some(value), true) = (limb, rng.below(8) != 0) {
            case.push(Ins::Imm { dst, value });
        }
    }
}

fn wide(rng: &mut Rng, case: &mut Case, kind: usize) -> Ins {
    let tmp = [rng.r(), rng.r()];
    match kind {
        21..=24 => {
            let op = rng.pick(&[WordOp::Add, WordOp::Sub, WordOp::And, WordOp::Or, WordOp::Xor]);
            let (dst, mut b) = (rng.quad(), word(rng, case));
            let mut a = if rng.flip() { dst } else { rng.quad() };
            if rng.below(6) == 0 {
                (a, b) = (rng.quad(), WSrc::Q(dst));
            }
            Ins::W { op, dst, a, b }
        }
        25 => {
            let dst = rng.quad();
            Ins::WNot { dst, a: if rng.flip() { dst } else { rng.quad() } }
        }
        26 => Ins::WMov { dst: rng.quad(), src: rng.quad() },
        27 => {
            let (base, disp) = word_at(rng, case);
            if rng.flip() {
                return Ins::WLoad { dst: rng.quad(), base, disp };
            }
            let src = word(rng, case);
            Ins::WStore { src, base, disp }
        }
        28 => {
            let mem = mem(rng, case, 32);
            Ins::WLoadSwap { dst: rng.quad(), mem }
        }
        29 => {
            let mem = mem(rng, case, 32);
            Ins::WStoreSwap { src: rng.quad(), mem }
        }
        30 => {
            let ((to, to_disp), (from, from_disp)) = (word_at(rng, case), word_at(rng, case));
            Ins::WCopy { to, to_disp, from, from_disp }
        }
        31 | 32 => {
            let (a, b) = (rng.quad(), word(rng, case));
            if rng.flip() {
                bring_close(rng, case, a, b);
            }
            if kind == 31 { Ins::WCmp { a, b, tmp: tmp[0] } } else { Ins::WEq { a, b, tmp } }
        }
        33 | 34 => {
            let ((base, disp), b) = (word_at(rng, case), word(rng, case));
            if rng.flip() {
                // The word itself, or nearly.
                case.push(Ins::WStore { src: b, base, disp });
            }
            if kind == 33 { Ins::WCmpMem { a: base, a_disp: disp, b, tmp: tmp[0] } } else { Ins::WEqMem { base, disp, b, tmp } }
        }
        35 => {
            if rng.flip() {
                let a = rng.quad();
                bring_close(rng, case, a, WSrc::I(0));
                return Ins::WIsZero { a, tmp: tmp[0] };
            }
            let (base, disp) = word_at(rng, case);
            if rng.flip() {
                case.push(Ins::WStore { src: WSrc::I(0), base, disp });
            }
            Ins::WIsZeroMem { base, disp, tmp: tmp[0] }
        }
        36 => {
            if rng.flip() {
                let dst = rng.quad();
                let a = if rng.flip() { dst } else { rng.quad() };
                let tmp = [tmp[0], tmp[1], rng.r()];
                return Ins::WShiftImm { op: wide_shift_op(rng), dst, a, amount: rng.amount(255), tmp };
            }
            let amount = rng.r();
            case.push(Ins::Imm { dst: amount, value: rng.amount(255).into() });
            Ins::WShift { op: wide_shift_op(rng), dst: rng.quad(), amount, tmp }
        }
        _ => {
            let a = factor(rng, case);
            let b = if rng.flip() { a } else { factor(rng, case) };
            let tmp = if cfg!(target_arch = "x86_64") { [R(2), R(6), R(3)] } else { [tmp[0], tmp[1], rng.r()] };
            let dst = rng.quad();
            if rng.flip() {
                let (b, b_disp) = word_at(rng, case);
                return Ins::WMulHigh { dst, a, b, b_disp, limbs: rng.pick(&[2, 3, 4]), plus: rng.flip(), tmp };
            }
            Ins::WMul { dst, a, b, tmp }
        }
    }
}
