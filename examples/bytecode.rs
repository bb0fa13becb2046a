//! A tiny machine with four registers, its bytecode interpreted, and compiled: one instruction of the machine after the other.

use ejit::arena::Executable;
use ejit::ir::{AluOp, Cond, Ins, Label, R, Src};
use ejit::lower::RESULT;

/// An instruction is an opcode and two bytes of operands.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// `register = number`
    Set(usize, u8),
    /// `register += register`
    Add(usize, usize),
    /// `register -= register`
    Sub(usize, usize),
    /// `register *= register`
    Mul(usize, usize),
    /// Goes on at the instruction of this number unless the register is zero.
    JumpIf(usize, usize),
    /// Ends with the register's value.
    Return(usize),
}

fn decode(code: &[u8]) -> Result<Vec<Op>, String> {
    let register = |n: u8| if n < 4 { Ok(usize::from(n)) } else { Err(format!("no register {n}")) };
    let one = |bytes: &[u8]| -> Result<Op, String> {
        let &[opcode, a, b] = bytes else { return Err("half an instruction".into()) };
        Ok(match opcode {
            0 => Op::Set(register(a)?, b),
            1 => Op::Add(register(a)?, register(b)?),
            2 => Op::Sub(register(a)?, register(b)?),
            3 => Op::Mul(register(a)?, register(b)?),
            4 if usize::from(b) < code.len() / 3 => Op::JumpIf(register(a)?, b.into()),
            5 => Op::Return(register(a)?),
            _ => return Err(format!("bad instruction {bytes:?}")),
        })
    };
    code.chunks(3).map(one).collect()
}

fn interpret(ops: &[Op], argument: u64) -> u64 {
    let (mut r, mut at) = ([argument, 0, 0, 0], 0);
    loop {
        let Some(&op) = ops.get(at) else { return 0 };
        at += 1;
        match op {
            Op::Set(a, n) => r[a] = n.into(),
            Op::Add(a, b) => r[a] = r[a].wrapping_add(r[b]),
            Op::Sub(a, b) => r[a] = r[a].wrapping_sub(r[b]),
            Op::Mul(a, b) => r[a] = r[a].wrapping_mul(r[b]),
            Op::JumpIf(a, to) if r[a] != 0 => at = to,
            Op::JumpIf(..) => {}
            Op::Return(a) => return r[a],
        }
    }
}

/// The machine's registers are the first four of ours, of which the first is the argument.
fn compile(ops: &[Op]) -> Vec<Ins> {
    let r = |n: usize| R(n as u8);
    let alu = |op, a, b| Ins::Alu { op, flags: false, dst: r(a), a: r(a), b: Src::R(r(b)) };
    let mut ins: Vec<Ins> = (1..4).map(|n| Ins::Imm { dst: r(n), value: 0 }).collect();
    for (at, &op) in ops.iter().enumerate() {
        ins.push(Ins::Label(Label(at as u32)));
        match op {
            Op::Set(a, n) => ins.push(Ins::Imm { dst: r(a), value: n.into() }),
            Op::Add(a, b) => ins.push(alu(AluOp::Add, a, b)),
            Op::Sub(a, b) => ins.push(alu(AluOp::Sub, a, b)),
            Op::Mul(a, b) => ins.push(alu(AluOp::Mul, a, b)),
            Op::JumpIf(a, to) => {
                ins.push(Ins::Cmp { a: r(a), b: Src::I(0) });
                ins.push(Ins::Br { cond: Cond::Ne, to: Label(to as u32) });
            }
            Op::Return(a) => ins.extend([Ins::Mov { dst: RESULT, src: r(a) }, Ins::Ret]),
        }
    }
    // Running off the end gives zero.
    ins.extend([Ins::Imm { dst: RESULT, value: 0 }, Ins::Ret]);
    ins
}

/// Runs it, and checks what comes out.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    // r1 = 1; r2 = 1; do { r1 *= r0; r0 -= r2 } while r0 != 0; return r1
    let factorial = [0, 1, 1, 0, 2, 1, 3, 1, 0, 2, 0, 2, 4, 0, 2, 5, 1, 0];
    let ops = decode(&factorial)?;
    let code = Executable::from_ir(compile(&ops))?;
    let compiled = code.function::<u64, u64>();
    for n in 1..=20 {
        // SAFETY: a function of one integer, which touches no memory and returns one; it ends for these arguments.
        let result = unsafe { compiled.call(n) };
        println!("{n}! = {result}");
        assert_eq!(result, (1..=n).product::<u64>());
        assert_eq!(result, interpret(&ops, n));
    }
    assert!(decode(&[9, 0, 0]).is_err() && decode(&[1, 4, 0]).is_err() && decode(&[4, 0, 9]).is_err() && decode(&[1]).is_err());
    Ok(())
}
