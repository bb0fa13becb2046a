//! From one instruction to the next by a loop around a `match`: for every build.

use super::exact;
use super::step::{Registers, step, with_fast_opcodes};
use crate::abi::Frame;
use crate::evm::opcode::*;

/// Executes until an exit, whose code is returned. Not inlined, so that who may call it need not save what it uses.
///
/// # Safety
/// `frame` satisfies its invariants, and all that it points to is valid.
#[inline(never)]
pub(super) unsafe fn execute<const COUNT: bool>(frame: &mut Frame) -> u64 {
    // SAFETY: `ip` stays within code and its padding, which ends in STOP; `step` and `exact` get the frame as they demand.
    unsafe {
        let mut registers = Registers { ip: frame.code.add(frame.pc as usize), sp: frame.sp, gas: frame.gas };
        loop {
            let at = registers.ip;
            macro_rules! dispatch {
                ($($op:ident)*) => {
                    match *at {
                        $($op => (step::<$op, COUNT>(&mut registers, frame), true),)*
                        _ => (false, false),
                    }
                };
            }
            let (done, paid) = with_fast_opcodes!(dispatch);
            if done {
                if COUNT {
                    frame.interpreted += 1;
                }
                continue;
            }
            frame.pc = at.offset_from(frame.code) as u64;
            frame.sp = registers.sp;
            frame.gas = registers.gas;
            let exit = exact::execute::<COUNT>(frame, paid);
            if exit != 0 {
                return exit;
            }
            registers = Registers { ip: frame.code.add(frame.pc as usize), sp: frame.sp, gas: frame.gas };
        }
    }
}
