//! dynasmrt: templates of bytes, made when the bench is compiled, with registers and immediates filled in.

#![allow(clippy::useless_conversion)] // in what the macro expands to

use crate::program::{Program, REGISTERS, Step};
use crate::{Line, best};
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler, dynasm};
use ejit::arena::Arena;
use std::hint::black_box;

const ARENA_BYTES: usize = 16 << 20;

/// rax rsi rdx rcx r8 r9 r10 r11, as the other generator has them.
const REGS: [u8; REGISTERS] = [0, 6, 2, 1, 8, 9, 10, 11];

/// The function's instructions, by any of its assemblers. `new_label` asks it for one.
fn emit<A: DynasmApi + DynasmLabelApi<Relocation = X64Relocation>>(
    ops: &mut A,
    program: &Program,
    labels: &mut Vec<Option<DynamicLabel>>,
    mut new_label: impl FnMut(&mut A) -> DynamicLabel,
) {
    match program {
        Program::Sum => dynasm!(ops
            ; .arch x64
            ; mov eax, 0
            ; again:
            ; test rdi, rdi
            ; jz >done
            ; add rax, rdi
            ; sub rdi, 1
            ; jmp <again
            ; done:
            ; ret
        ),
        Program::Straight(steps) => {
            labels.clear();
            labels.resize(steps.len() + 1, None);
            for (n, &r) in REGS.iter().enumerate() {
                dynasm!(ops ; .arch x64 ; mov Rq(r), [rdi + 8 * n as i32]);
            }
            for (n, &step) in steps.iter().enumerate() {
                if let Some(label) = labels[n] {
                    dynasm!(ops ; .arch x64 ; =>label);
                }
                match step {
                    Step::Add(d, b) => dynasm!(ops ; .arch x64 ; add Rq(REGS[d]), Rq(REGS[b])),
                    Step::Sub(d, b) => dynasm!(ops ; .arch x64 ; sub Rq(REGS[d]), Rq(REGS[b])),
                    Step::Xor(d, b) => dynasm!(ops ; .arch x64 ; xor Rq(REGS[d]), Rq(REGS[b])),
                    Step::Mul(d, b) => dynasm!(ops ; .arch x64 ; imul Rq(REGS[d]), Rq(REGS[b])),
                    Step::AddImm(d, imm) => dynasm!(ops ; .arch x64 ; add Rq(REGS[d]), imm),
                    Step::Shl(d, amount) => dynasm!(ops ; .arch x64 ; shl Rq(REGS[d]), amount as i8),
                    Step::Load(d, n) => dynasm!(ops ; .arch x64 ; mov Rq(REGS[d]), [rdi + 8 * n as i32]),
                    Step::Store(d, n) => dynasm!(ops ; .arch x64 ; mov [rdi + 8 * n as i32], Rq(REGS[d])),
                    Step::SkipIfLess(a, b, to) => {
                        let label = *labels[to].get_or_insert_with(|| new_label(ops));
                        dynasm!(ops ; .arch x64 ; cmp Rq(REGS[a]), Rq(REGS[b]) ; jb =>label);
                    }
                }
            }
            if let Some(label) = labels[steps.len()] {
                dynasm!(ops ; .arch x64 ; =>label);
            }
            for &r in &REGS[1..] {
                dynasm!(ops ; .arch x64 ; xor rax, Rq(r));
            }
            dynasm!(ops ; .arch x64 ; ret);
        }
    }
}

fn to_bytes(ops: &mut VecAssembler<X64Relocation>, program: &Program, labels: &mut Vec<Option<DynamicLabel>>) -> Vec<u8> {
    emit(ops, program, labels, VecAssembler::new_dynamic_label);
    ops.take().expect("all labels are bound")
}

/// In pages of its own, by its own assembler.
fn to_pages(program: &Program, labels: &mut Vec<Option<DynamicLabel>>) -> dynasmrt::ExecutableBuffer {
    let mut ops = dynasmrt::x64::Assembler::new().expect("code memory");
    emit(&mut ops, program, labels, dynasmrt::x64::Assembler::new_dynamic_label);
    ops.finalize().expect("nobody reads it yet")
}

pub fn run(program: &Program) -> std::io::Result<Vec<Line>> {
    let mut labels = Vec::new();
    let mut ops = VecAssembler::<X64Relocation>::new(0);
    let bytes = to_bytes(&mut ops, program, &mut labels).len();
    let time_bytes = best(|| drop(black_box(to_bytes(&mut ops, black_box(program), &mut labels))));

    let mut arena = Arena::new(ARENA_BYTES, 0)?;
    let code = to_bytes(&mut ops, program, &mut labels);
    let entry = arena.publish(&code).map_err(std::io::Error::other)?;
    // SAFETY: made of this program, in memory that lives.
    unsafe { program.check(entry.address() as *const u8) };
    let time_arena = best(|| {
        let code = to_bytes(&mut ops, black_box(program), &mut labels);
        if arena.publish(&code).is_err() {
            arena = Arena::new(ARENA_BYTES, 0).expect("code memory");
        }
    });

    let buffer = to_pages(program, &mut labels);
    // SAFETY: likewise.
    unsafe { program.check(buffer.as_ptr()) };
    let time_pages = best(|| drop(black_box(to_pages(black_box(program), &mut labels))));

    // Its own way to more functions in one mapping: `commit` copies what is new and changes the protection back and forth.
    let mut own = dynasmrt::x64::Assembler::new()?;
    let mut committed = 0;
    let time_commit = best(|| {
        if committed > 1 << 20 {
            own = dynasmrt::x64::Assembler::new().expect("code memory");
            committed = 0;
        }
        emit(&mut own, black_box(program), &mut labels, dynasmrt::x64::Assembler::new_dynamic_label);
        own.commit().expect("all labels are bound");
        committed += bytes;
    });

    Ok(vec![
        Line { what: "dynasmrt: to bytes", time: time_bytes, bytes },
        Line { what: "dynasmrt: into ejit's arena, callable", time: time_arena, bytes },
        Line { what: "dynasmrt: into its own mapping, callable", time: time_commit, bytes },
        Line { what: "dynasmrt: into pages of its own, callable", time: time_pages, bytes },
    ])
}
