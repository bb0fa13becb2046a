//! Listings: the choice of machine instructions for the cases that matter most.

use ejit::ir::*;
use ejit::lower::aarch64;
use ejit::lower::x86_64::{Features, Lowerer};
use iced_x86::{DecoderOptions, Formatter, IntelFormatter};
use yaxpeax_arch::{Decoder, U8Reader};

fn listing(features: Features, ins: &[Ins]) -> Vec<String> {
    let mut code = Vec::new();
    Lowerer::new(features).lower(ins, 0, &mut code).unwrap();
    let mut formatter = IntelFormatter::new();
    let lines = iced_x86::Decoder::new(64, &code, DecoderOptions::NONE).into_iter().map(|instruction| {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        text
    });
    lines.collect()
}

const Q: Quad = Quad([R(4), R(5), R(7), R(8)]);
const TMP: [R; 3] = [R(6), R(3), R(2)];

#[test]
fn scalar() {
    let add = |flags, dst, a, b| Ins::Alu { op: AluOp::Add, flags, dst, a, b };
    let ins = [
        add(false, R(6), R(0), Src::R(R(1))),
        add(false, R(6), R(0), Src::I(8)),
        add(true, R(6), R(0), Src::I(8)),
        Ins::Alu { op: AluOp::Sub, flags: false, dst: R(6), a: R(0), b: Src::R(R(6)) },
        Ins::Alu { op: AluOp::And, flags: false, dst: R(6), a: R(0), b: Src::I(0xff) },
        Ins::Cmp { a: R(0), b: Src::I(0) },
        Ins::Set { cond: Cond::Ult, dst: R(6) },
        Ins::MulWide { hi: R(1), lo: R(0), a: R(6), b: R(2) },
        Ins::Shift { op: ShiftOp::Shl, dst: R(6), a: R(0), amount: R(1) },
        Ins::LoadSwap { dst: R(6), mem: Mem { base: R(9), index: Some(R(0)), shift: 0, disp: 24 } },
    ];
    #[rustfmt::skip]
    let expected = [
        "lea rax,[rdi+rsi]", "lea rax,[rdi+8]", "mov rax,rdi", "add rax,8", "neg rax", "add rax,rdi", "movzx eax,dil",
        "test rdi,rdi", "mov eax,0", "setb al", "mulx rsi,rdi,rax", "shlx rax,rdi,rsi", "movbe rax,[rbx+rdi+18h]",
    ];
    assert_eq!(listing(Features::all(), &ins), expected);
}

#[test]
fn words() {
    let ins = [
        Ins::W { op: WordOp::Add, dst: Q, a: Q, b: WSrc::M(R(9), -32) },
        Ins::W { op: WordOp::Sub, dst: Q, a: Q, b: WSrc::N(R(0)) },
        Ins::W { op: WordOp::And, dst: Q, a: Q, b: WSrc::I(255) },
        Ins::WCmp { a: Q, b: WSrc::I(-1), tmp: R(6) },
        Ins::WIsZero { a: Q, tmp: R(6) },
        Ins::WShiftImm { op: WShiftOp::Shr, dst: Q, a: Q, amount: 224, tmp: TMP },
        Ins::WShiftImm { op: WShiftOp::Shl, dst: Q, a: Q, amount: 13, tmp: TMP },
        Ins::WShiftImm { op: WShiftOp::Shr, dst: Quad([R(0), R(1), R(12), R(13)]), a: Q, amount: 71, tmp: TMP },
        Ins::WShift { op: WShiftOp::Shr, dst: Q, amount: R(3), tmp: [R(6), R(2)] },
    ];
    #[rustfmt::skip]
    let expected = [
        "add r8,[rbx-20h]", "adc r9,[rbx-18h]", "adc r10,[rbx-10h]", "adc r11,[rbx-8]",
        "sub r8,rdi", "sbb r9,0", "sbb r10,0", "sbb r11,0",
        "and r8,0FFh", "xor r9d,r9d", "xor r10d,r10d", "xor r11d,r11d",
        "cmp r8,0FFFFFFFFFFFFFFFFh", "mov rax,r9", "sbb rax,0FFFFFFFFFFFFFFFFh", "mov rax,r10", "sbb rax,0FFFFFFFFFFFFFFFFh",
        "mov rax,r11", "sbb rax,0FFFFFFFFFFFFFFFFh",
        "mov rax,r8", "or rax,r9", "or rax,r10", "or rax,r11",
        "mov r8,r11", "shr r8,20h", "xor r9d,r9d", "xor r10d,r10d", "xor r11d,r11d",
        "mov edx,33h", "shl r11,0Dh", "shrx rax,r10,rdx", "or r11,rax", "shl r10,0Dh", "shrx rax,r9,rdx", "or r10,rax",
        "shl r9,0Dh", "shrx rax,r8,rdx", "or r9,rax", "shl r8,0Dh",
        "mov ecx,7", "mov edx,39h", "shrx rdi,r9,rcx", "shlx rax,r10,rdx", "or rdi,rax", "shrx rsi,r10,rcx", "shlx rax,r11,rdx", "or rsi,rax",
        "shrx r13,r11,rcx", "xor r14d,r14d",
        "mov rdx,rcx", "not rdx", "lea rax,[r9+r9]", "shlx rax,rax,rdx", "shrx r8,r8,rcx", "or r8,rax", "lea rax,[r10+r10]", "shlx rax,rax,rdx",
        "shrx r9,r9,rcx", "or r9,rax", "lea rax,[r11+r11]", "shlx rax,rax,rdx", "shrx r10,r10,rcx", "or r10,rax", "shrx r11,r11,rcx",
        "xor eax,eax", "test cl,40h", "cmovne r8,r9", "cmovne r9,r10", "cmovne r10,r11", "cmovne r11,rax",
        "test ecx,80h", "cmovne r8,r10", "cmovne r9,r11", "cmovne r10,rax", "cmovne r11,rax",
    ];
    assert_eq!(listing(Features::all(), &ins), expected);
}

#[test]
fn prologue() {
    let expected = [
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp,8",
        "call qword ptr [r9+10h]",
        "add rsp,8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    ];
    let call = Ins::CallMem(Mem { base: R(5), index: None, shift: 0, disp: 16 });
    assert_eq!(listing(Features::none(), &[Ins::Enter, call, Ins::Leave]), expected);
}

/// What aarch64 makes of a stream at this address.
fn aarch64(base: u64, ins: &[Ins]) -> Vec<String> {
    let mut lowerer = aarch64::Lowerer::new(aarch64::Features::none());
    lowerer.stream(ins, base).unwrap();
    let decoder = yaxpeax_arm::armv8::a64::InstDecoder::default();
    lowerer.bytes()[..lowerer.instruction_bytes()]
        .chunks(4)
        .map(|word| decoder.decode(&mut U8Reader::new(word)).unwrap().to_string())
        .collect()
}

#[test]
fn aarch64_scalar() {
    let alu = |op, flags, b| Ins::Alu { op, flags, dst: R(6), a: R(0), b };
    let far = Mem { base: R(9), index: None, shift: 0, disp: 0x12340 };
    let indexed = Mem { base: R(9), index: Some(R(0)), shift: 3, disp: 24 };
    let load = |mem| Ins::Load { width: Width::B64, signed: false, dst: R(6), mem };
    let ins = [
        alu(AluOp::Add, false, Src::I(8)),
        alu(AluOp::Add, true, Src::I(-8)),
        alu(AluOp::Sub, false, Src::I(0x12345)),
        alu(AluOp::And, false, Src::I(0xff)),
        alu(AluOp::Or, true, Src::I(5)),
        Ins::Cmp { a: R(0), b: Src::I(-1) },
        Ins::Set { cond: Cond::Ult, dst: R(6) },
        alu(AluOp::Add, true, Src::R(R(1))),
        Ins::Set { cond: Cond::Ult, dst: R(6) },
        Ins::Set { cond: Cond::Ule, dst: R(6) },
        alu(AluOp::Sbb, true, Src::I(0)),
        Ins::Imm { dst: R(6), value: 0xffff_1234_ffff_ffff },
        Ins::Imm { dst: R(6), value: 0x00ff_00ff_00ff_00ff },
        load(far),
        load(indexed),
        load(Mem { disp: 0, ..indexed }),
    ];
    #[rustfmt::skip]
    let expected = [
        "add x6, x0, #0x8", "subs x6, x0, #0x8", "mov x16, #0x2345", "movk x16, #0x1, lsl #16", "sub x6, x0, x16", "and x6, x0, #0xff",
        "mov x16, #0x5", "orr x6, x0, x16", "tst x6, x6", "cmn x0, #0x1", "cset x6, lo", "adds x6, x0, x1", "cset x6, hs",
        "cset x6, hs", "csinc x6, x6, xzr, ne", "cset x16, hs", "cmp xzr, x16", "sbcs x6, x0, xzr",
        "mov x6, #0xffff1234ffffffff", "mov x6, #0xff00ff00ff00ff", "add x16, x9, #0x12, lsl #12", "ldr x6, [x16, #0x340]",
        "add x16, x9, x0, lsl #3", "ldr x6, [x16, #0x18]", "ldr x6, [x9, x0, lsl #3]",
    ];
    assert_eq!(aarch64(0, &ins), expected);
}

#[test]
fn aarch64_words() {
    let ins = [
        Ins::W { op: WordOp::Add, dst: Q, a: Q, b: WSrc::M(R(9), -32) },
        Ins::W { op: WordOp::Sub, dst: Q, a: Q, b: WSrc::N(R(0)) },
        Ins::W { op: WordOp::Add, dst: Q, a: Q, b: WSrc::I(-3) },
        Ins::W { op: WordOp::And, dst: Q, a: Q, b: WSrc::I(255) },
        Ins::WEq { a: Q, b: WSrc::M(R(9), 0), tmp: [R(0), R(1)] },
        Ins::WIsZero { a: Q, tmp: R(6) },
        Ins::WStore { src: WSrc::N(R(0)), base: R(9), disp: 64 },
        Ins::WCopy { to: R(9), to_disp: 0, from: R(10), from_disp: -32 },
        Ins::WLoadSwap { dst: Q, mem: Mem { base: R(9), index: Some(R(0)), shift: 0, disp: 0 } },
        Ins::WShiftImm { op: WShiftOp::Shr, dst: Q, a: Q, amount: 168, tmp: TMP },
    ];
    #[rustfmt::skip]
    let expected = [
        "ldp x16, x17, [x9, #-0x20]", "adds x4, x4, x16", "adcs x5, x5, x17", "ldp x16, x17, [x9, #-0x10]", "adcs x7, x7, x16", "adcs x8, x8, x17",
        "subs x4, x4, x0", "sbcs x5, x5, xzr", "sbcs x7, x7, xzr", "sbcs x8, x8, xzr",
        "subs x4, x4, #0x3", "sbcs x5, x5, xzr", "sbcs x7, x7, xzr", "sbcs x8, x8, xzr",
        "and x4, x4, #0xff", "mov x5, #0x0", "mov x7, #0x0", "mov x8, #0x0",
        "ldp x16, x17, [x9]", "cmp x4, x16", "ccmp x5, x17, #0x0, eq", "ldp x16, x17, [x9, #0x10]", "ccmp x7, x16, #0x0, eq", "ccmp x8, x17, #0x0, eq",
        "cmp x4, #0x0", "ccmp x5, #0x0, #0x0, eq", "ccmp x7, #0x0, #0x0, eq", "ccmp x8, #0x0, #0x0, eq",
        "stp x0, xzr, [x9, #0x40]", "stp xzr, xzr, [x9, #0x50]",
        "ldp q16, q17, [x10, #-0x20]", "stp q16, q17, [x9]",
        "add x16, x9, x0", "ldp x8, x7, [x16]", "ldp x5, x4, [x16, #0x10]", "rev x8, x8", "rev x7, x7", "rev x5, x5", "rev x4, x4",
        "extr x4, x8, x7, #0x28", "lsr x5, x8, #0x28", "mov x7, #0x0", "mov x8, #0x0",
    ];
    assert_eq!(aarch64(0, &ins), expected);
}

/// 256 bits are two registers.
#[test]
fn aarch64_vectors() {
    let shape = |ty, size| Shape { ty, size };
    let [words, quads] = [shape(Type::I32, VSize::S128), shape(Type::I64, VSize::S256)];
    let ins = [
        VectorIns::Load { size: VSize::S256, dst: V(8), mem: Mem { base: R(0), index: None, shift: 0, disp: 32 } },
        VectorIns::Load { size: VSize::S64, dst: V(0), mem: Mem { base: R(0), index: Some(R(1)), shift: 3, disp: 0 } },
        VectorIns::Op { op: VOp::Add, shape: quads, dst: V(0), a: V(8), b: V(9) },
        VectorIns::Op { op: VOp::UMin, shape: words, dst: V(0), a: V(1), b: V(2) },
        VectorIns::Op { op: VOp::Max, shape: shape(Type::F32, VSize::S128), dst: V(0), a: V(0), b: V(2) },
        VectorIns::Compare { cond: VCond::Ne, shape: words, dst: V(0), a: V(1), b: V(2) },
        VectorIns::Shift { op: VShift::Sar, shape: words, dst: V(0), a: V(1), amount: V(2) },
        VectorIns::Fma { shape: shape(Type::F64, VSize::S128), dst: V(0), a: V(0), b: V(1), c: V(2) },
        VectorIns::Convert { op: VConvert::F32ToF64, size: VSize::S256, dst: V(0), src: V(0) },
        VectorIns::Sum { shape: words, dst: V(0), src: V(1) },
    ];
    #[rustfmt::skip]
    let expected = [
        "ldp q20, q30, [x0, #0x20]",
        "ldr d0, [x0, x1, lsl #3]",
        "add v0.2d, v20.2d, v21.2d", "add v22.2d, v30.2d, v31.2d",
        "umin v0.4s, v1.4s, v2.4s",
        "fcmgt v16.4s, v0.4s, v2.4s", "bsl v16.16b, v0.16b, v2.16b", "mov v0.16b, v16.16b",
        "cmeq v0.4s, v1.4s, v2.4s", "mvn v0.16b, v0.16b",
        "movi v17.4s, #0x20", "umin v16.4s, v2.4s, v17.4s", "neg v16.4s, v16.4s", "sshl v0.4s, v1.4s, v16.4s",
        "mov v16.16b, v2.16b", "fmla v16.2d, v0.2d, v1.2d", "mov v0.16b, v16.16b",
        "fcvtl2 v22.2d, v0.4s", "fcvtl v0.2d, v0.2s",
        "ext v16.16b, v1.16b, v1.16b, #0x8", "add v0.4s, v1.4s, v16.4s", "ext v16.16b, v0.16b, v0.16b, #0x4", "add v0.4s, v0.4s, v16.4s",
    ];
    assert_eq!(aarch64(0, &ins.map(Ins::Vector)), expected);
}

/// A copy is taken back if what overwrites it reads nothing else of it, and is reached in no other way.
#[test]
fn aarch64_copies() {
    let copy = Ins::Mov { dst: R(1), src: R(2) };
    let alu = |b| Ins::Alu { op: AluOp::Add, flags: true, dst: R(1), a: R(1), b };
    let shift = Ins::ShiftImm { op: ShiftOp::Shr, dst: R(1), a: R(1), amount: 5 };
    let place = Mem { base: R(1), index: None, shift: 0, disp: 0 };
    for (ins, expected) in [
        (alu(Src::I(3)), "adds x1, x2, #0x3"),
        (alu(Src::R(R(3))), "adds x1, x2, x3"),
        (shift, "lsr x1, x2, #0x5"),
        (Ins::Un { op: UnOp::Neg, dst: R(1), src: R(1) }, "neg x1, x2"),
        (Ins::Extend { width: Width::B16, signed: true, dst: R(1), src: R(1) }, "sxth x1, w2"),
        (Ins::Shift { op: ShiftOp::Shl, dst: R(1), a: R(1), amount: R(3) }, "lsl x1, x2, x3"),
    ] {
        assert_eq!(aarch64(0, &[copy, ins]), [expected]);
        // Who jumps there has not made the copy; what is aligned stays so.
        for between in [Ins::Label(Label(0)), Ins::Align { to: 4 }, Ins::Imm { dst: R(4), value: 1 }] {
            assert_eq!(aarch64(0, &[copy, between, ins])[0], "mov x1, x2", "{between} {ins}");
        }
    }
    for ins in [alu(Src::R(R(1))), alu(Src::M(place)), Ins::Shift { op: ShiftOp::Shl, dst: R(1), a: R(1), amount: R(1) }] {
        assert_eq!(aarch64(0, &[copy, ins])[0], "mov x1, x2", "{ins}");
    }
    let other = Ins::ShiftImm { op: ShiftOp::Shr, dst: R(3), a: R(1), amount: 5 };
    assert_eq!(aarch64(0, &[copy, other, shift]), ["mov x1, x2", "lsr x3, x1, #0x5", "lsr x1, x1, #0x5"]);
}

/// Constants that would take four moves lie behind the code, aligned.
#[test]
fn aarch64_constants() {
    let imm = |value| Ins::Imm { dst: R(6), value };
    let values = [0x0123_4567_89ab_cdef, 0x0123_4567_0000_cdef, 0xfedc_ba98_7654_3210];
    let ins = [imm(values[0]), imm(values[1]), imm(values[2]), Ins::Ret];
    let expected =
        ["ldr x6, $+0x1c", "mov x6, #0xcdef", "movk x6, #0x4567, lsl #32", "movk x6, #0x123, lsl #48", "ldr x6, $+0x14", "ret"];
    assert_eq!(aarch64(4, &ins), expected);
    let mut lowerer = aarch64::Lowerer::new(aarch64::Features::none());
    let bytes = lowerer.stream(&ins, 4).unwrap();
    let nop = 4;
    assert_eq!(bytes[6 * 4 + nop..], [values[0].to_le_bytes(), values[2].to_le_bytes()].concat());
    // Beyond the reach of a load, all are moves.
    let mut far = vec![imm(values[0])];
    far.extend(vec![Ins::Mov { dst: R(0), src: R(1) }; 1 << 18]);
    far.push(Ins::Ret);
    assert_eq!(aarch64(0, &far).len(), 4 + (1 << 18) + 1);
}

/// Each way of reaching further than the one before.
#[test]
fn aarch64_reaches() {
    const BASE: u64 = 0x10_0000_0000;
    const MIB: u64 = 1 << 20;
    let br = |distance| aarch64(BASE, &[Ins::BrTo { cond: Cond::Eq, addr: BASE + distance }]);
    assert_eq!(br(MIB - 4), ["b.eq $+0xffffc"]);
    assert_eq!(br(MIB), ["b.ne $+0x8", "b $+0xffffc"]);
    assert_eq!(br(128 * MIB), ["b.ne $+0x8", "b $+0x7fffffc"]);
    assert_eq!(br(129 * MIB), ["b.ne $+0x10", "adrp x16, $+0x8100000", "add x16, x16, #0x0", "br x16"]);
    let slot = |distance| aarch64(BASE, &[Ins::JmpSlot { slot: BASE + distance }]);
    assert_eq!(slot(MIB - 8), ["ldr x16, $+0xffff8", "br x16"]);
    assert_eq!(slot(MIB + 8), ["adrp x16, $+0x100000", "ldr x16, [x16, #0x8]", "br x16"]);
    assert_eq!(slot(MIB + 0x101), ["adrp x16, $+0x100000", "add x16, x16, #0x101", "ldr x16, [x16]", "br x16"]);
}
