//! ejit's low-level JIT.

use crate::program::{Program, REGISTERS, Step};
use crate::{Line, best};
use ejit::arena::{Arena, Assembler, Executable, ExecutableError, Pool};
use ejit::ir::{AluOp, Cond, Ins, Label, Mem, R, ShiftOp, Src, Width};
use ejit::lower::{Features, Lowerer, RESULT};
use std::hint::black_box;

const ARENA_BYTES: usize = 16 << 20;
const MEMORY: R = R(0);

/// The registers of the program; the first is the result.
const REGS: [R; REGISTERS] = [RESULT, R(1), R(2), R(3), R(4), R(5), R(7), R(8)];

/// The program as IR.
pub fn instructions(program: &Program) -> Vec<Ins> {
    let alu = |op, dst, b| Ins::Alu { op, flags: false, dst, a: dst, b };
    match program {
        Program::Sum => {
            let (n, [again, done]) = (R(0), [Label(0), Label(1)]);
            vec![
                Ins::Imm { dst: RESULT, value: 0 },
                Ins::Label(again),
                Ins::Cmp { a: n, b: Src::I(0) },
                Ins::Br { cond: Cond::Eq, to: done },
                alu(AluOp::Add, RESULT, Src::R(n)),
                alu(AluOp::Sub, n, Src::I(1)),
                Ins::Jmp(again),
                Ins::Label(done),
                Ins::Ret,
            ]
        }
        Program::Straight(steps) => {
            let at = |n: usize| Mem { base: MEMORY, index: None, shift: 0, disp: 8 * n as i32 };
            let load = |dst, n| Ins::Load { width: Width::B64, signed: false, dst, mem: at(n) };
            let mut ins: Vec<Ins> = REGS.into_iter().enumerate().map(|(n, r)| load(r, n)).collect();
            let mut targets: Vec<usize> = Vec::new();
            for (n, &step) in steps.iter().enumerate() {
                if targets.contains(&n) {
                    ins.push(Ins::Label(Label(n as u32)));
                }
                match step {
                    Step::Add(d, b) => ins.push(alu(AluOp::Add, REGS[d], Src::R(REGS[b]))),
                    Step::Sub(d, b) => ins.push(alu(AluOp::Sub, REGS[d], Src::R(REGS[b]))),
                    Step::Xor(d, b) => ins.push(alu(AluOp::Xor, REGS[d], Src::R(REGS[b]))),
                    Step::Mul(d, b) => ins.push(alu(AluOp::Mul, REGS[d], Src::R(REGS[b]))),
                    Step::AddImm(d, imm) => ins.push(alu(AluOp::Add, REGS[d], Src::I(imm))),
                    Step::Shl(d, amount) => ins.push(Ins::ShiftImm { op: ShiftOp::Shl, dst: REGS[d], a: REGS[d], amount }),
                    Step::Load(d, n) => ins.push(load(REGS[d], n)),
                    Step::Store(d, n) => ins.push(Ins::Store { width: Width::B64, src: REGS[d], mem: at(n) }),
                    Step::SkipIfLess(a, b, to) => {
                        ins.push(Ins::Cmp { a: REGS[a], b: Src::R(REGS[b]) });
                        ins.push(Ins::Br { cond: Cond::Ult, to: Label(to as u32) });
                        targets.push(to);
                    }
                }
            }
            if targets.contains(&steps.len()) {
                ins.push(Ins::Label(Label(steps.len() as u32)));
            }
            ins.extend(REGS[1..].iter().map(|&r| alu(AluOp::Xor, RESULT, Src::R(r))));
            ins.push(Ins::Ret);
            ins
        }
    }
}

/// A function of the stream in the assembler's memory, or in fresh memory when that is full.
fn assemble(assembler: &mut Assembler, ins: &[Ins]) -> Result<*const u8, ExecutableError> {
    match assembler.compile(ins) {
        Ok(entry) => Ok(entry.address() as *const u8),
        Err(ExecutableError::Full(_)) => {
            drop(assembler.replace_arena(Arena::new(ARENA_BYTES, 0)?));
            assemble(assembler, ins)
        }
        Err(error) => Err(error),
    }
}

pub fn run(program: &Program) -> Result<Vec<Line>, ExecutableError> {
    let ins = instructions(program);
    let mut lowerer = Lowerer::new(Features::detect());
    let mut code = Vec::new();
    lowerer.lower(&ins, 0x1000, &mut code)?;
    let bytes = code.len();
    let to_bytes = best(|| {
        code.clear();
        assert!(lowerer.lower(black_box(&ins), 0x1000, &mut code).is_ok());
    });

    let mut assembler = Assembler::new(ARENA_BYTES)?;
    let entry = assemble(&mut assembler, &ins)?;
    // SAFETY: made of this program, in memory that lives.
    unsafe { program.check(entry) };
    let to_arena = best(|| assert!(assemble(&mut assembler, black_box(&ins)).is_ok()));

    let mut pool = Pool::new(ARENA_BYTES);
    let executable = pool.executable(ins.iter().copied())?;
    // SAFETY: likewise.
    unsafe { program.check(executable.entry().address() as *const u8) };
    drop(executable);
    let to_pool = best(|| assert!(pool.executable(black_box(&ins).iter().copied()).is_ok()));

    let executable = Executable::from_ir(ins.iter().copied())?;
    // SAFETY: likewise.
    unsafe { program.check(executable.entry().address() as *const u8) };
    let to_pages = best(|| assert!(Executable::from_ir(black_box(&ins).iter().copied()).is_ok()));

    Ok(vec![
        Line { what: "ejit: to bytes", time: to_bytes, bytes },
        Line { what: "ejit: into an arena, callable", time: to_arena, bytes },
        Line { what: "ejit: into pages that a pool keeps, callable", time: to_pool, bytes },
        Line { what: "ejit: into pages of its own, callable", time: to_pages, bytes },
    ])
}
