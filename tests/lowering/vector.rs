//! Every vector instruction in every shape over boundary values, with features masked, against the evaluator; sequences of them; the forms that this
//! machine can not run decoded at least.

use crate::generate::Rng;
use crate::harness::decode_all;
use ejit::arena::{Arena, call};
use ejit::ir::*;
use ejit::lower::{Features, LowerError, Lowerer, REGISTERS, VECTORS};
use std::collections::BTreeMap;
use std::io::Write;

const CONTEXT: R = R(0);
const INTEGER: R = R(1);
const RESULT: R = R(2);
/// The context in bytes: an integer, three operands, results, a word that integer code writes.
const OPERANDS: usize = 64;
const RESULTS: usize = OPERANDS + 3 * 64;
const WORD: usize = RESULTS + VECTORS as usize * 64;
const BYTES: usize = WORD + 64;
const CODE_BYTES: usize = 1 << 20;

const OPS: [VOp; 12] =
    [VOp::Add, VOp::Sub, VOp::Mul, VOp::Div, VOp::And, VOp::Or, VOp::Xor, VOp::AndNot, VOp::Min, VOp::Max, VOp::UMin, VOp::UMax];
const UNARY: [VUnOp; 7] = [VUnOp::Not, VUnOp::Neg, VUnOp::Abs, VUnOp::Sqrt, VUnOp::Recip, VUnOp::Rsqrt, VUnOp::ByteSwap];
#[rustfmt::skip]
const CONDS: [VCond; 10] = [
    VCond::Eq, VCond::Ne, VCond::Lt, VCond::Le, VCond::Gt, VCond::Ge, VCond::Ult, VCond::Ule, VCond::Ugt, VCond::Uge,
];
const SHIFTS: [VShift; 3] = [VShift::Shl, VShift::Shr, VShift::Sar];
const CONVERSIONS: [VConvert; 8] = [
    VConvert::I32ToF32,
    VConvert::F32ToI32,
    VConvert::I64ToF64,
    VConvert::F64ToI64,
    VConvert::F16ToF32,
    VConvert::F32ToF16,
    VConvert::F32ToF64,
    VConvert::F64ToF32,
];

/// From the baseline up to what the machine has.
#[cfg(target_arch = "aarch64")]
fn masks() -> Vec<Features> {
    vec![Features::none(), Features::detect()]
}

/// What instructions need, by the names in errors, as far as the machine has it.
#[cfg(target_arch = "aarch64")]
fn there() -> Vec<&'static str> {
    let fp16 = Features::detect().fp16.then_some("FP16 (half-precision arithmetic)");
    fp16.into_iter().collect()
}

/// How many instructions are lowered with all features at least, and what of the rest is known.
#[cfg(target_arch = "aarch64")]
const LOWERED: usize = 700;

#[cfg(target_arch = "aarch64")]
fn is_known(_: &VectorIns, needs: &str) -> bool {
    needs == "512 bits, which Advanced SIMD does not have"
}

/// From the baseline up to what the machine has.
#[cfg(target_arch = "x86_64")]
fn masks() -> Vec<Features> {
    let has = Features::detect();
    let none = Features { sse42: false, avx: false, avx2: false, f16c: false, fma: false, avx512: false, ..has };
    let sse42 = Features { sse42: has.sse42, ..none };
    let avx = Features { avx: has.avx, ..sse42 };
    let extras = Features { f16c: has.f16c, fma: has.fma, ..avx };
    let avx2 = Features { avx2: has.avx2, ..avx };
    vec![none, sse42, avx, extras, avx2, has]
}

/// What instructions need, by the names in errors, as far as the machine has it.
#[cfg(target_arch = "x86_64")]
fn there() -> Vec<&'static str> {
    let has = Features::detect();
    let names = [
        ("SSE4.2", has.sse42),
        ("AVX", has.avx),
        ("AVX2", has.avx2),
        ("F16C", has.f16c),
        ("FMA", has.fma),
        ("AVX-512 (F, BW, DQ, VL)", has.avx512),
    ];
    names.into_iter().filter(|&(_, has)| has).map(|(name, _)| name).collect()
}

/// How many instructions are lowered with all features at least, and what of the rest is known.
#[cfg(target_arch = "x86_64")]
const LOWERED: usize = 900;

#[cfg(target_arch = "x86_64")]
fn is_known(ins: &VectorIns, needs: &str) -> bool {
    let of_512 = types(ins).0 == Type::F16 && is_of(ins, VSize::S512);
    let of_bytes = matches!(ins, VectorIns::Shift { shape: Shape { ty: Type::I8, .. }, .. });
    match needs {
        "AVX-512 FP16, which is not made use of" => of_512,
        "an instruction that x86-64 does not have" => of_bytes,
        _ => false,
    }
}

/// All sound instructions over these registers.
fn all(dst: V, a: V, b: V, c: V) -> Vec<VectorIns> {
    let mut all = Vec::new();
    let mem = |disp: usize| Mem { base: CONTEXT, index: None, shift: 0, disp: disp as i32 };
    for size in VSize::ALL {
        all.push(VectorIns::Mov { size, dst, src: a });
        all.push(VectorIns::Load { size, dst, mem: mem(OPERANDS + 3) });
        all.push(VectorIns::Store { size, src: a, mem: mem(RESULTS + 5) });
        all.extend(CONVERSIONS.map(|op| VectorIns::Convert { op, size, dst, src: a }));
        for ty in Type::ALL {
            let shape = Shape { ty, size };
            all.push(VectorIns::Splat { shape, dst, src: INTEGER });
            all.push(VectorIns::SplatLane { shape, dst, src: a });
            all.push(VectorIns::Fma { shape, dst, a, b, c });
            all.push(VectorIns::Sum { shape, dst, src: a });
            all.extend(OPS.map(|op| VectorIns::Op { op, shape, dst, a, b }));
            all.extend(UNARY.map(|op| VectorIns::Un { op, shape, dst, src: a }));
            all.extend(CONDS.map(|cond| VectorIns::Compare { cond, shape, dst, a, b }));
            all.extend(SHIFTS.map(|op| VectorIns::Shift { op, shape, dst, a, amount: b }));
            for amount in [0, 1, 7, 8, 15, 16, 31, 32, 63] {
                all.extend(SHIFTS.map(|op| VectorIns::ShiftImm { op, shape, dst, a, amount }));
            }
        }
    }
    for ty in Type::ALL {
        all.push(VectorIns::FromR { ty, dst, src: INTEGER });
        for lane in 0..16 {
            all.push(VectorIns::Extract { ty, lane, dst: RESULT, src: a });
            all.push(VectorIns::Insert { ty, lane, dst, src: INTEGER });
        }
    }
    all.retain(VectorIns::is_sound);
    all
}

/// Lanes at the edges of a type.
fn edge(rng: &mut Rng, ty: Type) -> u64 {
    let float = match ty {
        Type::F16 => rng.pick(&[
            0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x8400, 0x3c00, 0xbc00, 0x3c01, 0x4248, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00,
            0xfe01, 0x7c01, 0x3555, 0x5140,
        ]),
        Type::F32 => rng.pick(&[
            0,
            0x8000_0000,
            1,
            0x8000_0001,
            0x7f_ffff,
            0x80_0000,
            0x3f80_0000,
            0xbf80_0000,
            0x3f80_0001,
            0x4049_0fdb,
            0x7f7f_ffff,
            0xff7f_ffff,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0001,
            0x7f80_0001,
            0x4f00_0000,
            0xcf00_0000,
            0x4eff_ffff,
            0xcf00_0001,
            0x477f_e000,
            0x477f_f000,
            0x3380_0000,
            0x3300_0000,
            0x3300_0001,
            0x3f00_0000,
            0xbfc0_0000,
        ]),
        Type::F64 => rng.pick(&[
            0,
            1 << 63,
            1,
            1 << 63 | 1,
            (1 << 52) - 1,
            1 << 52,
            1.0f64.to_bits(),
            (-1.0f64).to_bits(),
            core::f64::consts::PI.to_bits(),
            f64::MAX.to_bits(),
            f64::MIN.to_bits(),
            f64::INFINITY.to_bits(),
            f64::NEG_INFINITY.to_bits(),
            0x7ff8_0000_0000_0000,
            0xfff8_0000_0000_0001,
            0x7ff0_0000_0000_0001,
            9_223_372_036_854_775_808.0f64.to_bits(),
            (-9_223_372_036_854_775_808.0f64).to_bits(),
            f64::from(f32::MAX).to_bits(),
            3.402_823_567_797_336_6e38f64.to_bits(),
            1.0e-45f64.to_bits(),
            (1.0f64 + f64::from(f32::EPSILON) / 2.0).to_bits(),
        ]),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            let top = 1u64 << (8 * ty.bytes() - 1);
            rng.pick(&[0, 1, u64::MAX, top, top - 1, top + 1, 2, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x80, 0xff, 0x100])
        }
    };
    match rng.below(4) {
        // What lies near is likely to make sums and products that round.
        0 => rng.next(),
        1 if ty.is_float() => float.wrapping_add(rng.below(9)).wrapping_sub(4),
        _ => float,
    }
}

/// The type of the lanes that an instruction reads, and of those that it writes.
fn types(ins: &VectorIns) -> (Type, Type) {
    match *ins {
        VectorIns::Mov { .. } | VectorIns::Load { .. } | VectorIns::Store { .. } => (Type::I8, Type::I8),
        VectorIns::FromR { ty, .. } | VectorIns::Extract { ty, .. } | VectorIns::Insert { ty, .. } => (ty, ty),
        VectorIns::Splat { shape, .. } | VectorIns::SplatLane { shape, .. } | VectorIns::Op { shape, .. } => (shape.ty, shape.ty),
        VectorIns::Un { shape, .. } | VectorIns::Compare { shape, .. } | VectorIns::ShiftImm { shape, .. } => (shape.ty, shape.ty),
        VectorIns::Shift { shape, .. } | VectorIns::Fma { shape, .. } | VectorIns::Sum { shape, .. } => (shape.ty, shape.ty),
        VectorIns::Convert { op, .. } => op.types(),
    }
}

/// Whether results are rounded, so that a NaN may be any.
fn is_arithmetic(ins: &VectorIns) -> bool {
    match *ins {
        VectorIns::Op { op, shape, .. } => {
            let bits = matches!(op, VOp::And | VOp::Or | VOp::Xor | VOp::AndNot);
            shape.ty.is_float() && !bits
        }
        VectorIns::Un { op, .. } => matches!(op, VUnOp::Sqrt | VUnOp::Recip | VUnOp::Rsqrt),
        VectorIns::Fma { .. } => true,
        VectorIns::Sum { shape, .. } => shape.ty.is_float(),
        VectorIns::Convert { op, .. } => op.types().1.is_float(),
        VectorIns::Mov { .. } | VectorIns::Load { .. } | VectorIns::Store { .. } | VectorIns::FromR { .. } => false,
        VectorIns::Extract { .. } | VectorIns::Insert { .. } | VectorIns::Splat { .. } | VectorIns::SplatLane { .. } => false,
        VectorIns::Compare { .. } | VectorIns::ShiftImm { .. } | VectorIns::Shift { .. } => false,
    }
}

fn is_estimate(ins: &VectorIns) -> bool {
    matches!(ins, VectorIns::Un { op: VUnOp::Recip | VUnOp::Rsqrt, .. })
}

fn lane(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

/// Sign, exponent field, fraction field, and the exponent field's greatest value.
fn parts(ty: Type, bits: u64) -> (u64, u64, u64, u64) {
    let fraction_bits = match ty {
        Type::F16 => 10,
        Type::F32 => 23,
        _ => 52,
    };
    let most = (1 << (8 * ty.bytes() - 1 - fraction_bits)) - 1;
    (bits >> (8 * ty.bytes() - 1), bits >> fraction_bits & most, bits & ((1 << fraction_bits) - 1), most)
}

fn is_nan(ty: Type, bits: u64) -> bool {
    if !ty.is_float() {
        return false;
    }
    let (_, exponent, fraction, most) = parts(ty, bits);
    exponent == most && fraction != 0
}

fn is_denormal(ty: Type, bits: u64) -> bool {
    let (_, exponent, fraction, _) = parts(ty, bits);
    exponent == 0 && fraction != 0
}

/// Denormals give anything, zeros and infinities are exact. Between normal numbers the distance is less than 2^-8 of the value: the encodings differ by less than twice that part of a fraction's range.
fn is_near(ty: Type, seen: u64, expected: u64, operand: u64) -> bool {
    if is_denormal(ty, operand) || is_denormal(ty, expected) {
        return true;
    }
    let (sign, exponent, _, most) = parts(ty, expected);
    if exponent == 0 || exponent == most {
        return seen == expected;
    }
    let fraction_bits = parts(ty, u64::MAX >> (64 - 8 * ty.bytes())).2.count_ones();
    sign == parts(ty, seen).0 && seen.abs_diff(expected) < 1 << (fraction_bits - 7)
}

struct Bench {
    arena: Arena,
    memory: Vec<u64>,
}

impl Bench {
    fn new() -> Bench {
        Bench { arena: Arena::new(CODE_BYTES, 0).unwrap(), memory: vec![0; BYTES / 8] }
    }

    fn bytes(&self) -> Vec<u8> {
        self.memory.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn address(&self) -> u64 {
        self.memory.as_ptr() as u64
    }

    /// A context of edges of a type, and what it is in the evaluator.
    fn fill(&mut self, rng: &mut Rng, ty: Type) {
        let mut bytes = Vec::new();
        while bytes.len() < BYTES {
            bytes.extend_from_slice(&edge(rng, ty).to_le_bytes()[..ty.bytes()]);
        }
        self.memory = bytes.chunks_exact(8).map(lane).collect();
    }

    /// The context after the stream, natively; or what the features do not allow.
    fn native(&mut self, ins: &[Ins], features: Features) -> Result<Vec<u8>, LowerError> {
        let mut code = Vec::new();
        Lowerer::new(features).lower(ins, self.arena.next_address(), &mut code)?;
        decode_all(&code);
        let entry = self.arena.publish(&code).unwrap_or_else(|_| {
            self.arena = Arena::new(CODE_BYTES, 0).unwrap();
            self.arena.publish(&code).unwrap()
        });
        let before = self.memory.clone();
        // SAFETY: the stream returns and accesses the context alone, which outlives the call and is looked at by nobody else meanwhile.
        unsafe { call(entry, &[self.memory.as_mut_ptr() as u64]) };
        let seen = self.bytes();
        self.memory.copy_from_slice(&before);
        Ok(seen)
    }

    fn evaluated(&self, ins: &[Ins]) -> Vec<u8> {
        let mut machine = Machine::new(self.bytes(), self.address());
        machine.regs[usize::from(CONTEXT.0)] = self.address();
        machine.run(ins, ins.len()).unwrap();
        machine.memory
    }
}

fn at(disp: usize) -> Mem {
    Mem { base: CONTEXT, index: None, shift: 0, disp: disp as i32 }
}

fn size_of(bytes: usize) -> Option<VSize> {
    VSize::ALL.into_iter().rev().find(|size| size.bytes() <= bytes)
}

/// The instruction between loads of what it reads and stores of what it writes.
fn around(ins: VectorIns, operands: [V; 3]) -> Vec<Ins> {
    let mut all = vec![Ins::Load { width: Width::B64, signed: false, dst: INTEGER, mem: at(0) }];
    ins.vectors(|role, v, bytes| {
        let place = operands.iter().position(|&o| o == v).unwrap_or(0);
        let size = VSize::ALL.into_iter().find(|size| size.bytes() >= bytes).unwrap();
        if role == Role::Read {
            all.push(Ins::Vector(VectorIns::Load { size, dst: v, mem: at(OPERANDS + 64 * place) }));
        }
    });
    all.push(Ins::Vector(ins));
    ins.vectors(|role, v, bytes| {
        if role == Role::Read {
            return;
        }
        match size_of(bytes) {
            Some(size) => all.push(Ins::Vector(VectorIns::Store { size, src: v, mem: at(RESULTS) })),
            None => {
                let (ty, width) = match bytes {
                    1 => (Type::I8, Width::B8),
                    2 => (Type::I16, Width::B16),
                    _ => (Type::I32, Width::B32),
                };
                all.push(Ins::Vector(VectorIns::Extract { ty, lane: 0, dst: RESULT, src: v }));
                all.push(Ins::Store { width, src: RESULT, mem: at(RESULTS) });
            }
        }
    });
    if let VectorIns::Extract { dst, .. } = ins {
        all.push(Ins::Store { width: Width::B64, src: dst, mem: at(RESULTS) });
    }
    all.push(Ins::Ret);
    all
}

fn compare(ins: &VectorIns, before: &[u8], seen: &[u8], expected: &[u8], context: &str) {
    if seen == expected {
        return;
    }
    let ty = types(ins).1;
    let differ = seen.iter().zip(expected).enumerate().filter(|(_, (seen, expected))| seen != expected);
    let differ: Vec<String> =
        differ.map(|(i, (seen, expected))| format!("{}: {seen:02x} not {expected:02x}", i as i64 - RESULTS as i64)).collect();
    assert!(is_arithmetic(ins), "{ins}: {differ:?} ({context})");
    let places = |bytes: &[u8]| -> Vec<u64> { bytes[RESULTS..].chunks_exact(ty.bytes()).map(lane).collect() };
    let operands: Vec<u64> = before[OPERANDS..].chunks_exact(ty.bytes()).map(lane).collect();
    assert_eq!(seen[..RESULTS], expected[..RESULTS], "{ins}");
    for (i, (seen, expected)) in places(seen).into_iter().zip(places(expected)).enumerate() {
        let both_nan = is_nan(ty, seen) && is_nan(ty, expected);
        let near = is_estimate(ins) && is_near(ty, seen, expected, operands[i]);
        let operand = operands[i];
        assert!(
            seen == expected || both_nan || near,
            "{ins}, lane {i}: {seen:#x}, expected {expected:#x} of {operand:#x} ({context})"
        );
    }
}

/// The variable that names instructions to leave out, by parts of their names with commas between: what an emulator does as no machine does
/// (`.ci/avx512`).
const EXCEPT: &str = "EJIT_VECTORS_EXCEPT";

#[test]
fn each_instruction_in_each_shape() {
    let except = std::env::var(EXCEPT).unwrap_or_default();
    let is_left_out = |ins: &VectorIns| {
        let text = ins.to_string();
        let name = text.split(' ').next().unwrap();
        except.split(',').any(|part| !part.is_empty() && name.contains(part))
    };
    let mut left_out = 0;
    let mut rng = Rng::new(11);
    let mut bench = Bench::new();
    let has = Features::detect();
    let mut skipped: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut run = 0;
    for round in 0..ROUNDS {
        let v = |rng: &mut Rng| V(rng.below(VECTORS.into()) as u8);
        let (a, b, c) = (v(&mut rng), v(&mut rng), v(&mut rng));
        let any = v(&mut rng);
        // Each way in which the destination can be one of the sources.
        let dst = [any, a, b, c][round % 4];
        let (b, c) = if round % 7 == 6 { (a, b) } else { (b, c) };
        for ins in all(dst, a, b, c) {
            if is_left_out(&ins) {
                left_out += 1;
                continue;
            }
            bench.fill(&mut rng, types(&ins).0);
            let stream = around(ins, [a, b, c]);
            verify(&stream, REGISTERS).unwrap();
            let expected = bench.evaluated(&stream);
            for features in masks() {
                match bench.native(&stream, features) {
                    Ok(seen) => {
                        let context = format!("{a} {b} {c}, {features:?}, {:016x?}", &bench.memory[..WORD / 8]);
                        compare(&ins, &bench.bytes(), &seen, &expected, &context);
                        run += 1;
                    }
                    Err(LowerError::Unsupported { needs, .. }) if features == has && round == 0 => {
                        skipped.entry(needs).or_default().push(ins.to_string().split(' ').next().unwrap().to_string());
                    }
                    Err(LowerError::Unsupported { .. }) => {}
                    Err(error) => panic!("{ins}: {error}"),
                }
            }
        }
    }
    let mut out = std::io::stderr().lock();
    writeln!(out, "vector instructions run natively: {run}; left out by {EXCEPT}: {left_out}").unwrap();
    for (needs, mut names) in skipped {
        names.dedup();
        writeln!(out, "not run here, for want of {needs}: {} ({})", names.len(), names.join(" ")).unwrap();
        // What the machine has may not be missing.
        assert!(!there().contains(&needs), "{needs}");
    }
    assert!(run > RUN, "{run}");
}

const ROUNDS: usize = 28;
/// Instructions run natively at least, all rounds and masks counted.
const RUN: usize = 40_000;

/// With all features, what is refused is known by name; the rest decodes.
#[test]
fn every_shape_has_machine_code_with_all_features() {
    let mut refused = BTreeMap::new();
    let mut lowered = 0;
    for ins in all(V(0), V(8), V(3), V(VECTORS - 1)) {
        let mut code = Vec::new();
        match Lowerer::new(Features::all()).lower(&[Ins::Vector(ins), Ins::Ret], 0, &mut code) {
            Ok(()) => {
                decode_all(&code);
                lowered += 1;
            }
            Err(LowerError::Unsupported { at: 0, ins: named, needs }) => {
                assert_eq!(named, Ins::Vector(ins));
                assert!(code.is_empty(), "something is emitted in spite of an error");
                refused.entry(needs).or_insert_with(Vec::new).push(ins);
            }
            Err(error) => panic!("{ins}: {error}"),
        }
    }
    assert!(lowered > LOWERED, "{lowered}");
    let unknown: Vec<_> = refused.iter().flat_map(|(needs, all)| all.iter().filter(|ins| !is_known(ins, needs))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[cfg(target_arch = "x86_64")]
fn is_of(ins: &VectorIns, size: VSize) -> bool {
    let mut most = 0;
    ins.vectors(|_, _, bytes| most = most.max(bytes));
    most == size.bytes()
}

/// Values flow from one to the next, with word stores between, which share scratch registers.
#[test]
fn sequences() {
    let mut rng = Rng::new(12);
    let mut bench = Bench::new();
    let pool = |rng: &mut Rng| {
        let v = |rng: &mut Rng| V(rng.below(VECTORS.into()) as u8);
        all(v(rng), v(rng), v(rng), v(rng))
    };
    let mut longest = 0;
    for _ in 0..SEQUENCES {
        bench.fill(&mut rng, Type::F32);
        let features = rng.pick(&masks());
        let start = vec![Ins::Load { width: Width::B64, signed: false, dst: INTEGER, mem: at(0) }];
        let mut machine = Machine::new(bench.bytes(), bench.address());
        machine.regs[usize::from(CONTEXT.0)] = bench.address();
        let (mut stream, mut defined) = (Vec::new(), [0; VECTORS as usize]);
        let append = |machine: &mut Machine, stream: &mut Vec<Ins>, ins: Ins| {
            machine.run(&[ins, Ins::Ret], 2).unwrap();
            stream.push(ins);
        };
        start.into_iter().for_each(|ins| append(&mut machine, &mut stream, ins));
        let widest = VSize::ALL.into_iter().rev().find(|&size| {
            let load = Ins::Vector(VectorIns::Load { size, dst: V(0), mem: at(OPERANDS) });
            size <= VSize::S256 && Lowerer::new(features).lower(&[load], 0, &mut Vec::new()).is_ok()
        });
        let widest = widest.unwrap();
        for n in 0..VECTORS {
            append(
                &mut machine,
                &mut stream,
                Ins::Vector(VectorIns::Load { size: widest, dst: V(n), mem: at(OPERANDS + 8 * usize::from(n)) }),
            );
            defined[usize::from(n)] = widest.bytes();
        }
        let choices = pool(&mut rng);
        for _ in 0..40 {
            let ins = rng.pick(&choices);
            let unusable = matches!(ins, VectorIns::Store { .. } | VectorIns::Extract { .. })
                || Lowerer::new(features).lower(&[Ins::Vector(ins)], 0, &mut Vec::new()).is_err();
            let mut undefined = unusable || is_estimate(&ins);
            ins.vectors(|role, v, bytes| undefined |= role == Role::Read && defined[usize::from(v.0)] < bytes);
            if undefined {
                continue;
            }
            if rng.below(4) == 0 {
                append(&mut machine, &mut stream, Ins::WStore { src: WSrc::N(INTEGER), base: CONTEXT, disp: WORD as i32 });
            }
            append(&mut machine, &mut stream, Ins::Vector(ins));
            ins.vectors(|role, v, bytes| {
                if role == Role::Write {
                    let ty = types(&ins).1;
                    let nan = machine.vectors[usize::from(v.0)][..bytes].chunks_exact(ty.bytes()).any(|l| is_nan(ty, lane(l)));
                    defined[usize::from(v.0)] = if is_arithmetic(&ins) && nan { 0 } else { bytes };
                }
            });
        }
        longest = longest.max(stream.len());
        for n in 0..VECTORS {
            if let Some(size) = size_of(defined[usize::from(n)]) {
                let size = size.min(widest);
                append(
                    &mut machine,
                    &mut stream,
                    Ins::Vector(VectorIns::Store { size, src: V(n), mem: at(RESULTS + 64 * usize::from(n)) }),
                );
            }
        }
        stream.push(Ins::Ret);
        let seen = bench.native(&stream, features).unwrap();
        let text: String = stream.iter().map(|ins| format!("    {ins}\n")).collect();
        let differ = seen.iter().zip(&machine.memory).position(|(seen, expected)| seen != expected);
        assert_eq!(differ, None, "{features:?}\n{text}");
    }
    assert!(longest > 30);
}

const SEQUENCES: usize = 3000;

#[test]
fn errors_name_the_instruction() {
    let shape = Shape { ty: Type::F32, size: VSize::S512 };
    let op = |op, shape, dst| Ins::Vector(VectorIns::Op { op, shape, dst, a: V(0), b: V(1) });
    let lower = |features, ins| Lowerer::new(features).lower(&[Ins::Ret, ins], 0, &mut Vec::new());
    let add = op(VOp::Add, shape, V(2));
    let Err(LowerError::Unsupported { at: 1, ins, needs }) = lower(Features::none(), add) else {
        panic!("512 bits are no baseline")
    };
    assert_eq!((ins, needs.split(['-', ' ']).next()), (add, Some(WIDEST_NEEDS)));
    let text = LowerError::Unsupported { at: 1, ins, needs }.to_string();
    assert_eq!(text, format!("instruction 1: vadd.f32x16 v2, v0, v1 needs {needs}"));
    let none = op(VOp::Add, Shape { ty: Type::I32, size: VSize::S128 }, V(VECTORS));
    assert_eq!(lower(Features::all(), none), Err(LowerError::Register { at: 1 }));
    let divide = op(VOp::Div, Shape { ty: Type::I32, size: VSize::S128 }, V(0));
    assert!(matches!(lower(Features::all(), divide), Err(LowerError::Unsupported { at: 1, .. })));
    assert_eq!(verify(&[divide], REGISTERS).unwrap_err().fault, Fault::Shape);
    let beyond = op(VOp::Add, Shape { ty: Type::I32, size: VSize::S128 }, V(32));
    assert_eq!(verify(&[beyond], REGISTERS).unwrap_err().fault, Fault::VectorRegister(V(32)));
}

#[cfg(target_arch = "aarch64")]
const WIDEST_NEEDS: &str = "512";
#[cfg(target_arch = "x86_64")]
const WIDEST_NEEDS: &str = "AVX";

/// A feature without what it builds on is none.
#[cfg(target_arch = "x86_64")]
#[test]
fn features_build_on_others() {
    let shape = Shape { ty: Type::I32, size: VSize::S256 };
    let add = Ins::Vector(VectorIns::Op { op: VOp::Add, shape, dst: V(2), a: V(0), b: V(1) });
    let lower = |features| Lowerer::new(features).lower(&[add], 0, &mut Vec::new());
    assert_eq!(lower(Features::none()), Err(LowerError::Unsupported { at: 0, ins: add, needs: "AVX2" }));
    assert!(lower(Features { avx2: true, ..Features::none() }).is_err());
    assert_eq!(lower(Features::all()), Ok(()));
}
