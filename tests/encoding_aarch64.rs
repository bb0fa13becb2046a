//! Every machine instruction over its boundary operands: what it prints is what an outside disassembler reads.

use ejit::asm::CodeBuffer;
use ejit::asm::aarch64::{
    Addr, Binary, Cond, Imm12, Inst, Lanes, Logic, Mask, MovWide, PairAddr, Reg, Shift, Size, Sum, Unary, Vec as Vector, VecShift,
    VecThree, VecTwo, VectorInst,
};
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

const SUMS: [Sum; 4] = [Sum::Add, Sum::Adds, Sum::Sub, Sum::Subs];
const SHIFTS: [Shift; 4] = [Shift::Lsl, Shift::Lsr, Shift::Asr, Shift::Ror];
const SIZES: [Size; 4] = [Size::B8, Size::B16, Size::B32, Size::B64];
const AMOUNTS: [u8; 5] = [0, 1, 31, 32, 63];
#[rustfmt::skip]
const LOGICS: [Logic; 8] = [
    Logic::And, Logic::Bic, Logic::Orr, Logic::Orn, Logic::Eor, Logic::Eon, Logic::Ands, Logic::Bics,
];

struct Outside {
    decoder: InstDecoder,
    checked: usize,
}

impl Outside {
    fn new() -> Outside {
        Outside { decoder: InstDecoder::default(), checked: 0 }
    }

    fn check(&mut self, inst: Inst) {
        self.check_as(inst, &inst.to_string());
    }

    fn check_as(&mut self, inst: Inst, text: &str) {
        let mut code = CodeBuffer::new();
        code.push_u32(inst.encode());
        let bytes = code.bytes();
        let seen = self.decoder.decode(&mut U8Reader::new(bytes));
        let seen = seen.unwrap_or_else(|error| panic!("{inst}: {bytes:02x?}: {error}"));
        assert_eq!(seen.to_string(), text, "{bytes:02x?}");
        self.checked += 1;
    }
}

/// Some registers, the first and last among them, and the zero register.
fn some() -> Vec<Reg> {
    [0, 1, 15, 16, 29, 30].map(Reg::x).into_iter().chain([Reg::ZR]).collect()
}

/// All bases of addresses.
fn bases() -> Vec<Reg> {
    (0..31).map(Reg::x).chain([Reg::SP]).collect()
}

fn all() -> Vec<Reg> {
    (0..31).map(Reg::x).chain([Reg::ZR]).collect()
}

#[test]
fn sums() {
    let mut o = Outside::new();
    for op in SUMS {
        let writes_flags = matches!(op, Sum::Adds | Sum::Subs);
        for size in [Size::B32, Size::B64] {
            for dst in all() {
                for a in some() {
                    for b in some() {
                        for amount in AMOUNTS.into_iter().filter(|&amount| size == Size::B64 || amount < 32) {
                            o.check(Inst::Sum { op, size, dst, a, b, amount });
                        }
                        o.check(Inst::Carry { op, dst, a, b });
                    }
                }
            }
            // Number 31 is the stack pointer here, but the zero register as a destination that comes with flags.
            let dsts = if writes_flags { all() } else { bases() };
            for dst in dsts {
                for a in bases() {
                    for imm in [0, 1, 0xfff, 0x1000, 0xfff000] {
                        o.check(Inst::SumImm { op, size, dst, a, imm: Imm12::new(imm).unwrap() });
                    }
                }
            }
        }
    }
    assert_eq!([0x1001, 0xfff + 0x1000, 1 << 24, u64::MAX].map(Imm12::new), [None; 4]);
}

#[test]
fn logic() {
    let mut o = Outside::new();
    let masks = [1, 2, 0xff, 0xff00, 0xffff_0000, 1 << 63, (1 << 63) | 1, u64::MAX - 1, u64::MAX >> 1, 0x5555_5555_5555_5555];
    let repeated = [0xf0f0_f0f0_f0f0_f0f0, 0x0007_0007_0007_0007, 0x8000_0001_8000_0001, 0x1818_1818_1818_1818];
    for op in LOGICS {
        for dst in all() {
            for a in some() {
                for b in some() {
                    for shift in SHIFTS {
                        // The disassembler leaves the amount 0 of the other shifts out, which C6.2 prints.
                        for amount in AMOUNTS.into_iter().filter(|&amount| amount != 0 || shift == Shift::Lsl) {
                            o.check(Inst::Logic { op, dst, a, b, shift, amount });
                        }
                    }
                }
                for value in masks.into_iter().chain(repeated) {
                    // Only the flagless forms may write the stack pointer, and then not the zero register.
                    let dst = if dst == Reg::ZR && op != Logic::Ands { Reg::SP } else { dst };
                    // C6.2, MOV (bitmask immediate): no alias where `MoveWidePreferred`. The disassembler uses it there too.
                    if op == Logic::Orr && a == Reg::ZR && halves(value) + 1 >= 4 {
                        continue;
                    }
                    if matches!(op, Logic::And | Logic::Orr | Logic::Eor | Logic::Ands) {
                        o.check(Inst::LogicImm { op, dst, a, imm: Mask::new(value).unwrap() });
                    }
                }
            }
        }
    }
}

/// How many of the four halves of a word are all zeros, or all ones, whichever is more.
fn halves(value: u64) -> usize {
    let are = |what: u64| (0..4).filter(|half| value >> (16 * half) & 0xffff == what).count();
    are(0).max(are(0xffff))
}

#[test]
fn moves_and_shifts() {
    let mut o = Outside::new();
    for dst in all() {
        for half in 0..4 {
            for imm in [0, 1, 0x8000, 0xffff] {
                for op in [MovWide::Movn, MovWide::Movz, MovWide::Movk] {
                    // C6.2, MOV (wide immediate) and (inverted wide immediate): no alias for 0 in a higher half. The disassembler uses it.
                    if op != MovWide::Movk && imm == 0 && half != 0 {
                        continue;
                    }
                    o.check(Inst::MovWide { op, dst, imm, half });
                }
            }
        }
        for a in all() {
            for amount in AMOUNTS {
                if amount != 0 {
                    SHIFTS.into_iter().for_each(|op| o.check(Inst::ShiftImm { op, dst, a, amount }));
                }
                some().into_iter().for_each(|low| o.check(Inst::Extr { dst, high: a, low, amount }));
            }
            [Size::B8, Size::B16, Size::B32].into_iter().for_each(|size| o.check(Inst::SignExtend { size, dst, src: a }));
            [Unary::Rbit, Unary::Rev, Unary::Clz].into_iter().for_each(|op| o.check(Inst::Unary { op, dst, src: a }));
            for b in some() {
                SHIFTS.into_iter().for_each(|op| o.check(Inst::Shift { op, dst, a, b }));
                for op in [Binary::Umulh, Binary::Smulh, Binary::Udiv, Binary::Sdiv] {
                    o.check(Inst::Binary { op, dst, a, b });
                }
                for c in some() {
                    o.check(Inst::Madd { dst, a, b, c });
                    o.check(Inst::Msub { dst, a, b, c });
                }
            }
        }
    }
}

#[test]
fn conditions() {
    let mut o = Outside::new();
    for cond in Cond::ALL {
        for a in all() {
            for b in some() {
                for dst in some() {
                    o.check(Inst::Csel { cond, dst, a, b });
                    o.check(Inst::Csinc { cond, dst, a, b });
                }
                [0, 4, 15].into_iter().for_each(|nzcv| o.check(Inst::Ccmp { cond, a, b, nzcv }));
            }
            for imm in [0, 1, 31] {
                for nzcv in [0, 1, 8, 15] {
                    o.check(Inst::CcmpImm { cond, a, imm, nzcv });
                    o.check(Inst::CcmnImm { cond, a, imm, nzcv });
                }
            }
        }
        assert_eq!(cond.inverse().inverse(), cond);
    }
}

/// Addresses at the edges of each form.
fn addresses(base: Reg, log2: u32) -> Vec<Addr> {
    let unscaled = [-256, -1, 0, 255].map(|offset| Addr::Unscaled(base, offset));
    let scaled = [0, 1, 4095].map(|units: u32| Addr::offset(base, i64::from(units) << log2, log2).unwrap());
    let scales: &[bool] = if log2 == 0 { &[false] } else { &[false, true] };
    let indexed = all().into_iter().flat_map(|index| scales.iter().map(move |&scaled| Addr::Indexed(base, index, scaled)));
    unscaled.into_iter().chain(scaled).chain(indexed).collect()
}

#[test]
fn memory() {
    let mut o = Outside::new();
    for base in bases() {
        for size in SIZES {
            for addr in addresses(base, size.log2()) {
                for r in some() {
                    o.check(Inst::Load { size, signed: false, dst: r, src: addr });
                    o.check(Inst::Store { size, src: r, dst: addr });
                    if size != Size::B64 {
                        o.check(Inst::Load { size, signed: true, dst: r, src: addr });
                    }
                }
            }
        }
        for (quad, log2) in [(true, 4), (false, 3)] {
            for addr in addresses(base, log2) {
                for v in [0, 16, 31].map(Vector) {
                    o.check(Inst::LoadVec { quad, dst: v, src: addr });
                    o.check(Inst::StoreVec { quad, src: v, dst: addr });
                }
            }
        }
        for units in [-64, -1, 0, 1, 63] {
            for mode in [PairAddr::Offset, PairAddr::Before, PairAddr::After] {
                for (a, b) in [(0, 1), (29, 30), (16, 2)] {
                    let addr = mode(base, units * 8);
                    // A base that is written back must not be one of the pair.
                    if matches!(addr, PairAddr::Offset(..)) || (base != Reg::x(a) && base != Reg::x(b)) {
                        o.check(Inst::LoadPair { a: Reg::x(a), b: Reg::x(b), src: addr });
                        o.check(Inst::StorePair { a: Reg::x(a), b: Reg::x(b), dst: addr });
                        o.check(Inst::StorePair { a: Reg::x(a), b: Reg::ZR, dst: addr });
                    }
                    let addr = mode(base, units * 16);
                    o.check(Inst::LoadVecPair { a: Vector(a), b: Vector(b), src: addr });
                    o.check(Inst::StoreVecPair { a: Vector(a), b: Vector(31), dst: addr });
                }
            }
        }
    }
    let x = Reg::x(1);
    for (offset, log2) in [(-257, 3), (256 + 4, 3), (4096 * 8, 3), (1 << 40, 0), (i64::MIN, 0)] {
        assert_eq!(Addr::offset(x, offset, log2), None, "{offset}");
    }
    for (offset, log2) in [(-520, 3), (512, 3), (4, 3), (1024, 4), (i64::MAX, 3)] {
        assert_eq!(PairAddr::offset(x, offset, log2), None, "{offset}");
    }
}

#[test]
fn control() {
    let mut o = Outside::new();
    const NEAR: [i32; 5] = [4, -4, 0, (1 << 20) - 4, -(1 << 20)];
    for r in (0..31).map(Reg::x) {
        for distance in NEAR {
            o.check(Inst::Adr { dst: r, distance });
            o.check(Inst::LoadLiteral { dst: r, distance });
        }
        for distance in [1, -1, 2, 3, (1 << 20) - 1] {
            o.check(Inst::Adr { dst: r, distance });
        }
        [0, 1, -1, (1 << 20) - 1, -(1 << 20)].into_iter().for_each(|pages| o.check(Inst::Adrp { dst: r, pages }));
        o.check(Inst::Br(r));
        o.check(Inst::Blr(r));
    }
    for distance in NEAR.into_iter().chain([(1 << 27) - 4, -(1 << 27)]) {
        o.check(Inst::B { distance });
        o.check(Inst::Bl { distance });
    }
    for cond in Cond::ALL {
        NEAR.into_iter().for_each(|distance| o.check(Inst::BCond { cond, distance }));
    }
    o.check(Inst::Ret);
    o.check(Inst::Brk);
    o.check(Inst::Nop);
    assert!(o.checked > 700);
}

const VECTORS: [Vector; 4] = [Vector(0), Vector(1), Vector(16), Vector(31)];

/// All lanes that a vector can have; one of 64 bits is none.
fn lanes() -> impl Iterator<Item = Lanes> {
    let all = SIZES.into_iter().flat_map(|size| [false, true].map(|quad| Lanes { size, quad }));
    all.filter(|lanes| lanes.quad || lanes.size != Size::B64)
}

/// The lanes that an operation can have: those of floating point have 16 bits or more, some of the others end earlier.
fn of_three(op: VecThree, lanes: Lanes) -> bool {
    match op {
        VecThree::Mul | VecThree::Smax | VecThree::Smin | VecThree::Umax | VecThree::Umin => lanes.size != Size::B64,
        op if op.is_of_bits() => lanes.size == Size::B8,
        op => !op.is_float() || lanes.size != Size::B8,
    }
}

fn of_two(op: VecTwo, lanes: Lanes) -> bool {
    match op {
        VecTwo::Rev64 => lanes.size != Size::B64,
        VecTwo::Rev32 => matches!(lanes.size, Size::B8 | Size::B16),
        VecTwo::Rev16 | VecTwo::Cnt => lanes.size == Size::B8,
        op if op.is_of_bits() => lanes.size == Size::B8,
        op => !op.is_float() || lanes.size != Size::B8,
    }
}

#[test]
fn vectors() {
    let mut o = Outside::new();
    for lanes in lanes() {
        for dst in VECTORS {
            for a in VECTORS {
                for b in VECTORS {
                    for &op in VecThree::ALL.iter().filter(|&&op| of_three(op, lanes)) {
                        o.check(Inst::Vector(VectorInst::Three { op, lanes, dst, a, b }));
                    }
                    let quad = lanes.quad;
                    for from in if quad { [0, 1, 8, 15] } else { [0, 1, 4, 7] } {
                        o.check(Inst::Vector(VectorInst::Ext { quad, dst, a, b, from }));
                    }
                }
                for &op in VecTwo::ALL.iter().filter(|&&op| of_two(op, lanes)) {
                    o.check(Inst::Vector(VectorInst::Two { op, lanes, dst, src: a }));
                }
                let bits = 8 << lanes.size.log2();
                for amount in [1, 2, bits - 1] {
                    for op in [VecShift::Shl, VecShift::Ushr, VecShift::Sshr] {
                        o.check(Inst::Vector(VectorInst::Shift { op, lanes, dst, src: a, amount }));
                    }
                }
                o.check(Inst::Vector(VectorInst::Shift { op: VecShift::Shl, lanes, dst, src: a, amount: 0 }));
                o.check(Inst::Vector(VectorInst::Shift { op: VecShift::Ushr, lanes, dst, src: a, amount: bits }));
                o.check(Inst::Vector(VectorInst::Shift { op: VecShift::Sshr, lanes, dst, src: a, amount: bits }));
                // C7.2, DUP (element): `mov` is the alias of the scalar form alone. The disassembler uses it for this one too.
                let dup = Inst::Vector(VectorInst::DupLane { lanes, dst, src: a });
                o.check_as(dup, &dup.to_string().replacen("dup", "mov", 1));
            }
            all().into_iter().for_each(|src| o.check(Inst::Vector(VectorInst::Dup { lanes, dst, src })));
            if lanes.size != Size::B64 {
                for imm in [0, 1, 0x1f, 0x20, 0x80, 0xff] {
                    o.check(Inst::Vector(VectorInst::Movi { lanes, dst, imm, at_top: false }));
                    if lanes.size != Size::B8 {
                        o.check(Inst::Vector(VectorInst::Movi { lanes, dst, imm, at_top: true }));
                    }
                }
            }
        }
    }
    assert!(o.checked > 10_000, "{}", o.checked);
}

#[test]
fn vectors_and_others() {
    let mut o = Outside::new();
    for v in VECTORS {
        for r in all() {
            for size in SIZES {
                let last = (16 >> size.log2()) - 1;
                for lane in [0, 1, last] {
                    o.check(Inst::Vector(VectorInst::Insert { size, lane, dst: v, src: r }));
                    o.check(Inst::Vector(VectorInst::Extract { size, lane, dst: r, src: v }));
                }
            }
            o.check(Inst::Vector(VectorInst::FmovTo { size: Size::B32, dst: v, src: r }));
            o.check(Inst::Vector(VectorInst::FmovTo { size: Size::B64, dst: v, src: r }));
            o.check(Inst::Vector(VectorInst::FmovFrom { dst: r, src: v }));
        }
        for src in (0..32).map(Vector) {
            for (size, upper) in [(Size::B32, false), (Size::B32, true), (Size::B64, false), (Size::B64, true)] {
                o.check(Inst::Vector(VectorInst::Fcvtl { size, upper, dst: v, src }));
                o.check(Inst::Vector(VectorInst::Fcvtn { size, upper, dst: v, src }));
            }
            o.check(Inst::Vector(VectorInst::Xtn { dst: v, src }));
            o.check(Inst::Vector(VectorInst::Uaddlp { dst: v, src }));
            o.check(Inst::Vector(VectorInst::SumBytes { dst: v, src }));
            VECTORS.into_iter().for_each(|b| o.check(Inst::Vector(VectorInst::Umlal { dst: v, a: src, b })));
        }
    }
    assert!(o.checked > 3000, "{}", o.checked);
}
