//! A loop: the sum of 1 to n.

use ejit::arena::Executable;
use ejit::ir::{AluOp, Cond, Ins, Label, R, Src};
use ejit::lower::RESULT;

/// `n` comes in the first argument register, which is also that of the result on some targets, and counts down.
fn sum() -> [Ins; 10] {
    let [n, total] = [R(0), R(1)];
    let [again, done] = [Label(0), Label(1)];
    [
        Ins::Imm { dst: total, value: 0 },
        Ins::Label(again),
        Ins::Cmp { a: n, b: Src::I(0) },
        Ins::Br { cond: Cond::Eq, to: done },
        Ins::Alu { op: AluOp::Add, flags: false, dst: total, a: total, b: Src::R(n) },
        Ins::Alu { op: AluOp::Sub, flags: false, dst: n, a: n, b: Src::I(1) },
        Ins::Jmp(again),
        Ins::Label(done),
        Ins::Mov { dst: RESULT, src: total },
        Ins::Ret,
    ]
}

/// Runs it, and checks what comes out.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let code = Executable::from_ir(sum())?;
    let sum = code.function::<u64, u64>();
    for n in [0, 1, 10, 1_000_000] {
        // SAFETY: a function of one integer, which touches no memory, ends, and returns an integer.
        let total = unsafe { sum.call(n) };
        println!("1 + ... + {n} = {total}");
        assert_eq!(total, n * (n + 1) / 2);
    }
    Ok(())
}
