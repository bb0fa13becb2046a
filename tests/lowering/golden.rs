//! Listings: the choice of machine instructions for the cases that matter most.

use ejit::ir::*;
use ejit::lower::x86_64::{Features, Lowerer};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

fn listing(features: Features, ins: &[Ins]) -> Vec<String> {
    let mut code = Vec::new();
    Lowerer::new(features).lower(ins, 0, &mut code).unwrap();
    let mut formatter = IntelFormatter::new();
    let lines = Decoder::new(64, &code, DecoderOptions::NONE).into_iter().map(|instruction| {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        text
    });
    lines.collect()
}

const Q: Quad = Quad([R(4), R(5), R(7), R(8)]);

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
        "test rdi,rdi", "setb al", "movzx eax,al", "mulx rsi,rdi,rax", "shlx rax,rdi,rsi", "movbe rax,[rbx+rdi+18h]",
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
        Ins::WShiftImm { op: WShiftOp::Shr, dst: Q, a: Q, amount: 224 },
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
