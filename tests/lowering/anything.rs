//! Streams of anything at all, most of it nonsense: verifying and lowering them ends in an answer.

use crate::generate::Rng;
use crate::harness::{CONDS, decode_all};
use ejit::arena::{Arena, Assembler, Executable, ExecutableError, Pool};
use ejit::ir::*;
use ejit::lower::{Features, LowerError, Lowerer, MAX_INSTRUCTIONS, MAX_LABELS, MOST_BYTES, REGISTERS};

const STREAMS: usize = 50_000;

/// Mostly registers that exist.
fn r(rng: &mut Rng) -> R {
    R(if rng.below(60) == 0 { rng.next() as u8 } else { rng.below(REGISTERS.into()) as u8 })
}

fn v(rng: &mut Rng) -> V {
    V(if rng.below(30) == 0 { rng.next() as u8 } else { rng.below(13) as u8 })
}

fn q(rng: &mut Rng) -> Quad {
    if rng.below(4) == 0 {
        return Quad([0; 4].map(|_| r(rng)));
    }
    let first = rng.below(REGISTERS as u64 - 3) as u8;
    Quad([0, 1, 2, 3].map(|n| R(first + n)))
}

fn number(rng: &mut Rng) -> i32 {
    let edges = [0, 1, -1, 127, 128, -128, -129, i32::MAX, i32::MIN, i32::MAX - 7, i32::MAX - 24, i32::MIN + 1];
    if rng.below(2) == 0 { rng.pick(&edges) } else { rng.next() as i32 >> rng.below(32) }
}

fn mem(rng: &mut Rng) -> Mem {
    let index = (rng.below(2) == 0).then(|| r(rng));
    let shift = if rng.below(8) == 0 { rng.next() as u8 } else { rng.below(4) as u8 };
    Mem { base: r(rng), index, shift, disp: number(rng) }
}

fn src(rng: &mut Rng) -> Src {
    match rng.below(3) {
        0 => Src::R(r(rng)),
        1 => Src::I(number(rng)),
        _ => Src::M(mem(rng)),
    }
}

fn word(rng: &mut Rng) -> WSrc {
    match rng.below(4) {
        0 => WSrc::Q(q(rng)),
        1 => WSrc::M(r(rng), number(rng)),
        2 => WSrc::N(r(rng)),
        _ => WSrc::I(number(rng)),
    }
}

fn label(rng: &mut Rng) -> Label {
    Label(match rng.below(30) {
        0 => u32::MAX,
        1 => MAX_LABELS,
        _ => rng.below(3) as u32,
    })
}

fn amount(rng: &mut Rng) -> u8 {
    let edges = [0, 1, 15, 16, 31, 32, 63, 64, 65, 127, 128, 255];
    rng.pick(&edges)
}

fn width(rng: &mut Rng) -> Width {
    rng.pick(&[Width::B8, Width::B16, Width::B32, Width::B64])
}

fn vector(rng: &mut Rng) -> VectorIns {
    let size = rng.pick(&VSize::ALL);
    let ty = rng.pick(&Type::ALL);
    let shape = Shape { ty, size };
    let shift = rng.pick(&[VShift::Shl, VShift::Shr, VShift::Sar]);
    match rng.below(16) {
        0 => VectorIns::Mov { size, dst: v(rng), src: v(rng) },
        1 => VectorIns::Load { size, dst: v(rng), mem: mem(rng) },
        2 => VectorIns::Store { size, src: v(rng), mem: mem(rng) },
        3 => VectorIns::FromR { ty, dst: v(rng), src: r(rng) },
        4 => VectorIns::Extract { ty, lane: amount(rng), dst: r(rng), src: v(rng) },
        5 => VectorIns::Insert { ty, lane: amount(rng), dst: v(rng), src: r(rng) },
        6 => VectorIns::Splat { shape, dst: v(rng), src: r(rng) },
        7 => VectorIns::SplatLane { shape, dst: v(rng), src: v(rng) },
        8 => {
            let op = rng.pick(&[VOp::Add, VOp::Mul, VOp::Div, VOp::AndNot, VOp::Min, VOp::UMax]);
            VectorIns::Op { op, shape, dst: v(rng), a: v(rng), b: v(rng) }
        }
        9 => {
            let op = rng.pick(&[VUnOp::Neg, VUnOp::Abs, VUnOp::Sqrt, VUnOp::Recip, VUnOp::ByteSwap]);
            VectorIns::Un { op, shape, dst: v(rng), src: v(rng) }
        }
        10 => VectorIns::Compare { cond: rng.pick(&[VCond::Ne, VCond::Lt, VCond::Uge]), shape, dst: v(rng), a: v(rng), b: v(rng) },
        11 => VectorIns::ShiftImm { op: shift, shape, dst: v(rng), a: v(rng), amount: amount(rng) },
        12 => VectorIns::Shift { op: shift, shape, dst: v(rng), a: v(rng), amount: v(rng) },
        13 => VectorIns::Fma { shape, dst: v(rng), a: v(rng), b: v(rng), c: v(rng) },
        14 => {
            let op = rng.pick(&[VConvert::I32ToF32, VConvert::F64ToI64, VConvert::F32ToF16, VConvert::F32ToF64]);
            VectorIns::Convert { op, size, dst: v(rng), src: v(rng) }
        }
        _ => VectorIns::Sum { shape, dst: v(rng), src: v(rng) },
    }
}

fn factor(rng: &mut Rng) -> Factor {
    if rng.below(2) == 0 { Factor::Q(q(rng)) } else { Factor::M(r(rng), number(rng)) }
}

fn word_ins(rng: &mut Rng) -> Ins {
    let op = rng.pick(&[WordOp::Add, WordOp::Sub, WordOp::And, WordOp::Or, WordOp::Xor]);
    let shift = rng.pick(&[WShiftOp::Shl, WShiftOp::Shr, WShiftOp::Sar]);
    let three = |rng: &mut Rng| if rng.below(2) == 0 { [2, 6, 3].map(R) } else { [r(rng), r(rng), r(rng)] };
    match rng.below(18) {
        0 => Ins::W { op, dst: q(rng), a: q(rng), b: word(rng) },
        1 => Ins::WNot { dst: q(rng), a: q(rng) },
        2 => Ins::WMov { dst: q(rng), src: q(rng) },
        3 => Ins::WLoad { dst: q(rng), base: r(rng), disp: number(rng) },
        4 => Ins::WStore { src: word(rng), base: r(rng), disp: number(rng) },
        5 => Ins::WLoadSwap { dst: q(rng), mem: mem(rng) },
        6 => Ins::WStoreSwap { src: q(rng), mem: mem(rng) },
        7 => Ins::WCopy { to: r(rng), to_disp: number(rng), from: r(rng), from_disp: number(rng) },
        8 => Ins::WCmp { a: q(rng), b: word(rng), tmp: r(rng) },
        9 => Ins::WCmpMem { a: r(rng), a_disp: number(rng), b: word(rng), tmp: r(rng) },
        10 => Ins::WEq { a: q(rng), b: word(rng), tmp: [r(rng), r(rng)] },
        11 => Ins::WEqMem { base: r(rng), disp: number(rng), b: word(rng), tmp: [r(rng), r(rng)] },
        12 => Ins::WIsZero { a: q(rng), tmp: r(rng) },
        13 => Ins::WIsZeroMem { base: r(rng), disp: number(rng), tmp: r(rng) },
        14 => Ins::WShiftImm { op: shift, dst: q(rng), a: q(rng), amount: amount(rng), tmp: three(rng) },
        15 => Ins::WShift { op: shift, dst: q(rng), amount: r(rng), tmp: [r(rng), r(rng)] },
        16 => Ins::WMul { dst: q(rng), a: factor(rng), b: factor(rng), tmp: three(rng) },
        _ => Ins::WMulHigh {
            dst: q(rng),
            a: factor(rng),
            b: r(rng),
            b_disp: number(rng),
            limbs: rng.below(6) as u8,
            plus: rng.below(2) == 0,
            tmp: three(rng),
        },
    }
}

fn scalar(rng: &mut Rng) -> Ins {
    let op = rng.pick(&[AluOp::Add, AluOp::Adc, AluOp::Sub, AluOp::Sbb, AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Mul]);
    let shift = rng.pick(&[ShiftOp::Shl, ShiftOp::Shr, ShiftOp::Sar, ShiftOp::Ror, ShiftOp::Rol]);
    let cond = rng.pick(&CONDS);
    match rng.below(26) {
        0 => Ins::Imm { dst: r(rng), value: rng.value() },
        1 => Ins::Mov { dst: r(rng), src: r(rng) },
        2 => Ins::Alu { op, flags: rng.below(2) == 0, dst: r(rng), a: r(rng), b: src(rng) },
        3 => Ins::AluMem { op, mem: mem(rng), src: src(rng) },
        4 => {
            let op = rng.pick(&[UnOp::Not, UnOp::Neg, UnOp::Bswap, UnOp::Clz, UnOp::Ctz, UnOp::Popcount]);
            Ins::Un { op, dst: r(rng), src: r(rng) }
        }
        5 => Ins::ShiftImm { op: shift, dst: r(rng), a: r(rng), amount: amount(rng) },
        6 => Ins::Shift { op: shift, dst: r(rng), a: r(rng), amount: r(rng) },
        7 => Ins::FunnelImm { dst: r(rng), hi: r(rng), lo: r(rng), amount: amount(rng), tmp: r(rng) },
        8 => Ins::Lea { dst: r(rng), mem: mem(rng) },
        9 => Ins::MulWide { hi: r(rng), lo: r(rng), a: r(rng), b: r(rng) },
        10 => Ins::MulWideSigned { hi: r(rng), lo: r(rng), a: r(rng), b: r(rng) },
        11 => Ins::DivRem { quot: r(rng), rem: r(rng), a: r(rng), b: r(rng) },
        12 => Ins::DivRemSigned { quot: r(rng), rem: r(rng), a: r(rng), b: r(rng) },
        13 => Ins::MulHigh { signed: rng.below(2) == 0, dst: r(rng), a: r(rng), b: r(rng) },
        14 => Ins::DivWide { quot: r(rng), rem: r(rng), hi: r(rng), lo: r(rng), b: r(rng) },
        15 => Ins::Extend { width: width(rng), signed: rng.below(2) == 0, dst: r(rng), src: r(rng) },
        16 => Ins::Cmp { a: r(rng), b: src(rng) },
        17 => Ins::CmpMem { width: width(rng), mem: mem(rng), b: src(rng) },
        18 => Ins::Test { a: r(rng), b: src(rng) },
        19 => Ins::Set { cond, dst: r(rng) },
        20 => Ins::Select { cond, dst: r(rng), a: r(rng), b: r(rng) },
        21 => Ins::Load { width: width(rng), signed: rng.below(2) == 0, dst: r(rng), mem: mem(rng) },
        22 => Ins::Store { width: width(rng), src: r(rng), mem: mem(rng) },
        23 => Ins::StoreImm { width: width(rng), value: number(rng), mem: mem(rng) },
        24 => Ins::LoadSwap { dst: r(rng), mem: mem(rng) },
        _ => Ins::StoreSwap { src: r(rng), mem: mem(rng) },
    }
}

fn control(rng: &mut Rng) -> Ins {
    let cond = rng.pick(&CONDS);
    let addr = if rng.below(2) == 0 { BASE.wrapping_add(rng.next() >> rng.below(64)) } else { BASE };
    match rng.below(20) {
        0 | 1 => Ins::Label(label(rng)),
        2 => Ins::Jmp(label(rng)),
        3 => Ins::Br { cond, to: label(rng) },
        4 => Ins::LabelAddr { dst: r(rng), label: label(rng) },
        5 => Ins::JmpTo { addr },
        6 => Ins::BrTo { cond, addr },
        7 => Ins::JmpSlot { slot: addr },
        8 => Ins::JmpReg(r(rng)),
        9 => Ins::JmpMem(mem(rng)),
        10 => Ins::CallMem(mem(rng)),
        11 => Ins::CallReg(r(rng)),
        12 => Ins::Call { addr },
        13 => Ins::Enter,
        14 => Ins::Leave,
        15 => rng.pick(&[Ins::Ret, Ins::Trap]),
        16 => Ins::Exit { cond, dst: r(rng), value: rng.value() as u32, to: addr, through: rng.below(2) == 0 },
        17 => rng.pick(&[Ins::EnterStub, Ins::LeaveStub, Ins::DropStub]),
        18 => Ins::Data { bytes: rng.next().to_le_bytes().repeat(2).try_into().unwrap(), len: amount(rng) },
        _ => Ins::Align { to: amount(rng) },
    }
}

const BASE: u64 = 0x7fff_0000_1000;

#[cfg(target_arch = "x86_64")]
const SOME_FEATURES: Features = Features { avx: true, sse42: true, ..Features::none() };
#[cfg(target_arch = "aarch64")]
const SOME_FEATURES: Features = Features::none();

/// Kinds of refusal that the target does not know, or that hardly ever come about, as numbered below.
const RARE: &[usize] = if cfg!(target_arch = "aarch64") { &[1, 2, 8] } else { &[8] };

/// What the buffer holds before a stream.
const BEFORE: [u8; 4] = [0xcc; 4];

fn stream(rng: &mut Rng) -> Vec<Ins> {
    let len = 1 + rng.below(8) as usize;
    let ins = |_| match rng.below(4) {
        0 => scalar(rng),
        1 => word_ins(rng),
        2 => Ins::Vector(vector(rng)),
        _ => control(rng),
    };
    (0..len).map(ins).collect()
}

fn features(rng: &mut Rng) -> Features {
    rng.pick(&[Features::none(), Features::all(), SOME_FEATURES])
}

#[test]
fn ends_in_an_answer() {
    let mut rng = Rng::new(99);
    let mut code = Vec::new();
    let (mut sound, mut lowered, mut refused) = (0, 0, [0; 9]);
    for _ in 0..STREAMS {
        let (features, stream) = (features(&mut rng), stream(&mut rng));
        let len = stream.len();
        let text: String = stream.iter().map(|ins| format!("{ins}\n")).collect();
        assert_eq!(text.lines().count(), len);
        let is_sound = verify(&stream, REGISTERS).is_ok();
        sound += usize::from(is_sound);
        code.clear();
        code.extend(BEFORE);
        let mut lowerer = Lowerer::new(features);
        let result = lowerer.lower(&stream, BASE, &mut code);
        let (at, kind) = match result {
            Ok(()) => {
                lowered += 1;
                // Data decodes to anything.
                if is_sound && !stream.iter().any(|ins| matches!(ins, Ins::Data { .. })) {
                    decode_all(&code[BEFORE.len()..][..lowerer.instruction_bytes()]);
                }
                continue;
            }
            Err(LowerError::Register { at }) => (at, 0),
            Err(LowerError::Displacement { at }) => (at, 1),
            Err(LowerError::FixedRegisters { at }) => (at, 2),
            Err(LowerError::LabelNumber { at, .. }) => (at, 3),
            Err(LowerError::Rebound { at, .. }) => (at, 4),
            Err(LowerError::Reach { at, .. }) => (at, 5),
            Err(LowerError::Unsupported { at, ins, .. }) => {
                assert_eq!(ins, stream[at]);
                (at, 6)
            }
            Err(LowerError::Unbound { label }) => {
                assert!(!stream.contains(&Ins::Label(label)));
                (0, 7)
            }
            Err(LowerError::Flags { at }) => (at, 8),
            Err(error @ (LowerError::Far | LowerError::TooLong)) => panic!("{error}"),
        };
        assert!(at < len, "{text}");
        assert_eq!(code, BEFORE, "something is left of a stream that was refused:\n{text}");
        refused[kind] += 1;
        // What verifies is refused only for what depends on the target, or on where the code lies.
        assert!(!is_sound || !matches!(kind, 4 | 7), "{text}");
    }
    assert!(
        sound > 1000 && lowered > 1000 && (0..refused.len()).all(|n| RARE.contains(&n) || refused[n] > 40),
        "{sound} {lowered} {refused:?}"
    );
}

/// What becomes of a stream: how many bytes, or why none. Where it lies decides whether addresses are in reach.
fn outcome(result: Result<usize, ExecutableError>) -> Result<usize, Option<LowerError>> {
    match result {
        Ok(len) => Ok(len),
        Err(ExecutableError::Lower(LowerError::Reach { .. })) => Err(None),
        Err(ExecutableError::Lower(error)) => Err(Some(error)),
        Err(error) => panic!("{error}"),
    }
}

/// Whether what is lowered depends on where it comes to lie.
fn depends_on_place(ins: &Ins) -> bool {
    match ins {
        Ins::JmpTo { .. } | Ins::BrTo { .. } | Ins::JmpSlot { .. } | Ins::Exit { .. } | Ins::Call { .. } | Ins::Align { .. } => {
            true
        }
        // The page of a label, which may be another.
        Ins::LabelAddr { .. } => cfg!(target_arch = "aarch64"),
        _ => false,
    }
}

/// All ways in agree, and each is good for the next function whatever became of the last.
#[test]
fn every_way_in_gives_the_same_answer() {
    let mut rng = Rng::new(100);
    let (mut made, mut refused) = (0, 0);
    let features = Features::none();
    let arena = || Arena::new(1 << 20, 0).unwrap();
    let mut assembler = Assembler::in_arena(arena(), features);
    let mut pool = Pool::with_features(1 << 20, features);
    let ok = [Ins::Imm { dst: R(0), value: 1 }, Ins::Ret];
    for _ in 0..WAYS {
        let stream = stream(&mut rng);
        let text: String = stream.iter().map(|ins| format!("{ins}\n")).collect();
        let mut compile = |one_by_one: bool| {
            if assembler.arena().used().0 > 1 << 19 {
                assembler.replace_arena(arena());
            }
            let before = assembler.arena().used().0;
            let pushed = if one_by_one { stream.iter().try_for_each(|&ins| assembler.push(ins)) } else { Ok(()) };
            let result = match pushed {
                Err(error) => Err(error.into()),
                Ok(()) if one_by_one => assembler.finish(),
                Ok(()) => assembler.compile(&stream),
            };
            let result = result.map(|_| assembler.arena().used().0 - before);
            assert!(result.is_ok() || assembler.arena().used().0 == before, "{text}");
            assembler.compile(ok).unwrap();
            outcome(result)
        };
        let (whole, pieces) = (compile(false), compile(true));
        let own = outcome(Executable::with_features(stream.clone(), features).map(|function| function.code_bytes()));
        let pooled = outcome(pool.executable(stream.clone()).map(|function| function.code_bytes()));
        pool.executable(ok).unwrap();
        if stream.iter().any(depends_on_place) {
            continue;
        }
        assert_eq!(own, pooled, "{text}");
        let rounded = |len: usize| len.next_multiple_of(ejit::arena::CODE_ALIGN);
        assert_eq!(own.map(rounded), whole, "{text}");
        assert_eq!(whole, pieces, "{text}");
        *(if own.is_ok() { &mut made } else { &mut refused }) += 1;
    }
    assert!(made > 500 && refused > 500, "{made} {refused}");
}

const WAYS: usize = 4000;

/// The bound by which memory is reserved before a stream is lowered.
#[test]
fn no_instruction_has_more_bytes_than_it_may() {
    let mut rng = Rng::new(101);
    let mut lowerers = [Features::none(), Features::all(), SOME_FEATURES].map(Lowerer::new);
    let (mut most, mut seen) = (0, 0);
    for _ in 0..STREAMS {
        for ins in stream(&mut rng) {
            for lowerer in &mut lowerers {
                if let Ok(code) = lowerer.stream(&[ins], BASE + rng.below(64) * 4) {
                    assert!(code.len() <= MOST_BYTES, "{ins}: {}", code.len());
                    most = most.max(code.len());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > STREAMS && most > MOST_BYTES / 2, "{seen} {most}: the bound may be too loose");
}

#[test]
fn streams_without_end_are_refused() {
    let nops = || core::iter::repeat(Ins::Mov { dst: R(0), src: R(0) });
    assert!(matches!(Executable::from_ir(nops()), Err(ExecutableError::Lower(LowerError::TooLong))));
    let mut lowerer = Lowerer::new(Features::none());
    lowerer.begin(0);
    lowerer.extend(nops().take(MAX_INSTRUCTIONS)).unwrap();
    assert_eq!(lowerer.push(&Ins::Ret), Err(LowerError::TooLong));
    assert!(lowerer.bytes().is_empty());
}

/// What verifies can be evaluated, up to where it leaves what is defined.
#[test]
fn the_evaluator_ends_in_an_answer() {
    let mut rng = Rng::new(102);
    let (mut ended, mut left) = (0, 0);
    for _ in 0..STREAMS {
        let stream = stream(&mut rng);
        if verify(&stream, REGISTERS).is_err() {
            continue;
        }
        let mut machine = Machine::new(vec![0x5a; 256], BASE);
        machine.regs.fill_with(|| if rng.below(2) == 0 { BASE + rng.below(256) } else { rng.value() });
        *(if machine.run(&stream, 100).is_ok() { &mut ended } else { &mut left }) += 1;
    }
    assert!(ended > 100 && left > 100, "{ended} {left}");
}
