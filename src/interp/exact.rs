//! What has no fast path, or where the fast path gave up: runtime functions, growing memory, failures in revm's order.

use crate::abi::{Callouts, Exit, Frame, FrameOp};
use crate::evm::fork::constant_gas;
use crate::evm::opcode::{self, Class, info};
use crate::evm::{STACK_LIMIT, U256};
use crate::runtime::{ensure_environment, limbs, word};

/// Calls a macro with the opcodes that a runtime function executes, each with its function's name in [`Callouts`].
macro_rules! with_runtime_opcodes {
    ($then:ident) => {
        $then! {
            EXP exp KECCAK256 keccak256 BALANCE balance SELFBALANCE selfbalance EXTCODESIZE extcodesize EXTCODECOPY extcodecopy
            EXTCODEHASH extcodehash BLOCKHASH blockhash BLOBHASH blobhash CALLDATALOAD calldataload CALLDATACOPY calldatacopy
            CODECOPY codecopy RETURNDATACOPY returndatacopy MCOPY mcopy SLOAD sload SSTORE sstore TLOAD tload TSTORE tstore
            LOG0 log0 LOG1 log1 LOG2 log2 LOG3 log3 LOG4 log4
            CALL call CALLCODE callcode DELEGATECALL delegatecall STATICCALL staticcall CREATE create CREATE2 create2
            RETURN ret REVERT revert SELFDESTRUCT selfdestruct
        }
    };
}
pub(super) use with_runtime_opcodes;

/// Executes the instruction at `ip`, whose opcode `OP` has a runtime function, as [`execute`] would: without its detours where the
/// instruction can be paid, is in the fork and has its operands.
///
/// # Safety
/// As for [`execute`], except that `ip`, `sp` and `gas` are ahead of the frame's.
#[inline(always)]
pub(super) unsafe fn call<const OP: u8, const COUNT: bool>(frame: &mut Frame, ip: *const u8, sp: *mut U256, gas: i64) -> u64 {
    let schedule = frame.schedule();
    let static_gas = i64::from(schedule.static_gas[OP as usize]);
    let left = gas - static_gas;
    // SAFETY: `ip` is in the frame's code.
    frame.pc = unsafe { ip.offset_from(frame.code) } as u64;
    frame.sp = sp;
    let depth = sp as usize - frame.stack as usize;
    let room = const { !grows(OP) } || depth < STACK_LIMIT * size_of::<U256>();
    if left < 0 || depth < const { first_operands(OP) * size_of::<U256>() } || !room || !schedule.active[OP as usize] {
        frame.gas = gas;
        // SAFETY: the frame is up to date.
        return unsafe { execute::<COUNT>(frame, false) };
    }
    if COUNT {
        frame.interpreted += 1;
    }
    frame.gas = left;
    frame.pc += 1;
    // SAFETY: `callouts` is valid for as long as the frame; the operands are there.
    unsafe { perform(frame, operation(&*frame.callouts, OP).expect("one of the list"), static_gas) }
}

/// Grows memory for the instruction at `ip`, MLOAD, MSTORE or MSTORE8 as `OP` says, whose static gas was charged, and leaves it to be executed
/// again: as [`execute`] would, without its detours where the instruction can be paid and has its operands.
///
/// # Safety
/// As for [`execute`], except that `ip`, `sp` and `gas` are ahead of the frame's.
#[inline(always)]
pub(super) unsafe fn make_room<const OP: u8, const COUNT: bool>(frame: &mut Frame, ip: *const u8, sp: *mut U256, gas: i64) -> u64 {
    // SAFETY: `ip` is in the frame's code.
    frame.pc = unsafe { ip.offset_from(frame.code) } as u64;
    (frame.sp, frame.gas) = (sp, gas);
    let depth = sp as usize - frame.stack as usize;
    if gas < 0 || depth < const { first_operands(OP) * size_of::<U256>() } {
        // SAFETY: the frame is up to date.
        return unsafe { execute::<COUNT>(frame, true) };
    }
    let static_gas = const { constant_gas(OP) };
    frame.gas += static_gas;
    // SAFETY: the operands are there.
    unsafe { grow(frame, if OP == opcode::MSTORE8 { 1 } else { 32 }, static_gas) }.map_or_else(|exit| exit as u64, |()| 0)
}

/// Calls a runtime function, the instruction's static gas being paid, and puts the instruction back if there is no answer yet.
///
/// # Safety
/// As for the function.
#[inline(always)]
unsafe fn perform(frame: &mut Frame, operation: FrameOp, static_gas: i64) -> u64 {
    let before = frame.gas;
    // SAFETY: the caller's promise.
    let code = unsafe { operation(frame) };
    frame.gas_of_effects += before - frame.gas;
    if code == Exit::Pending as u64 {
        frame.gas += static_gas;
        frame.pc -= 1;
    }
    code
}

/// Executes the instruction at `frame.pc`, whose static gas was charged if `paid`, as far as it can be: memory that it needs may be grown and
/// the instruction left to be executed again. Returns 0 to go on at `frame.pc`, or an exit code.
///
/// The order of checks is revm's: static gas, activation, static frame, stack.
///
/// # Safety
/// `frame` satisfies its invariants, except that gas may be negative if `paid`.
#[inline(never)]
pub(super) unsafe fn execute<const COUNT: bool>(frame: &mut Frame, paid: bool) -> u64 {
    // SAFETY: `pc` is within code or its padding.
    let op = unsafe { *frame.code.add(frame.pc as usize) };
    let schedule = frame.schedule();
    let static_gas = i64::from(schedule.static_gas[op as usize]);
    if COUNT {
        frame.interpreted += 1;
    }
    if !paid {
        frame.gas -= static_gas;
    }
    if frame.gas < 0 {
        return Exit::OutOfGas as u64;
    }
    if let Err(exit) = check(frame, op, schedule.active[op as usize]) {
        return exit as u64;
    }
    frame.pc += 1;
    // SAFETY: `callouts` is valid for as long as the frame.
    if let Some(operation) = operation(unsafe { &*frame.callouts }, op) {
        // SAFETY: the frame is borrowed exclusively, and the operands' presence was checked.
        return unsafe { perform(frame, operation, static_gas) };
    }
    // SAFETY: the caller's promise; the operands' presence was checked.
    let flow = unsafe {
        match op {
            opcode::MLOAD | opcode::MSTORE | opcode::MSTORE8 => {
                let len = if op == opcode::MSTORE8 { 1 } else { 32 };
                // The fast path does it once memory is there.
                frame.gas += static_gas;
                frame.pc -= 1;
                let grown = grow(frame, len, static_gas);
                if COUNT && grown.is_ok() {
                    frame.interpreted -= 1;
                }
                grown
            }
            opcode::ORIGIN
            | opcode::GASPRICE
            | opcode::COINBASE
            | opcode::TIMESTAMP
            | opcode::NUMBER
            | opcode::DIFFICULTY
            | opcode::GASLIMIT
            | opcode::CHAINID
            | opcode::BASEFEE
            | opcode::BLOBBASEFEE => {
                // The fast path does it once the environment is there.
                frame.gas += static_gas;
                frame.pc -= 1;
                if COUNT {
                    frame.interpreted -= 1;
                }
                ensure_environment(frame);
                Ok(())
            }
            opcode::JUMP | opcode::JUMPI => jump(frame, op),
            _ => rare(frame, op),
        }
    };
    flow.map_or_else(|exit| exit as u64, |()| 0)
}

/// What revm checks before the first operand is used.
#[inline]
fn check(frame: &Frame, op: u8, active: bool) -> Result<(), Exit> {
    let info = info(op);
    if !active {
        return Err(match info.class {
            Class::Undefined => Exit::OpcodeNotFound,
            // revm looks at this first.
            _ if op == opcode::CREATE2 && frame.is_static => Exit::StateChangeInStatic,
            _ => Exit::NotActivated,
        });
    }
    let depth = frame.depth_of_stack();
    if depth < first_operands(op) {
        let changes_state = matches!(
            op,
            opcode::SSTORE | opcode::TSTORE | opcode::LOG0..=opcode::LOG4 | opcode::CREATE | opcode::CREATE2 | opcode::SELFDESTRUCT
        );
        return Err(match info.class {
            _ if changes_state && frame.is_static => Exit::StateChangeInStatic,
            // As revm has it.
            Class::Dup => Exit::StackOverflow,
            _ => Exit::StackUnderflow,
        });
    }
    if depth == STACK_LIMIT && grows(op) {
        return Err(Exit::StackOverflow);
    }
    Ok(())
}

/// Operands whose presence revm checks before it uses any.
const fn first_operands(op: u8) -> usize {
    match op {
        opcode::LOG0..=opcode::LOG4 | opcode::DELEGATECALL | opcode::STATICCALL => 2,
        opcode::CALL | opcode::CALLCODE | opcode::CREATE2 => 3,
        _ => info(op).inputs as usize,
    }
}

/// Whether there must be room on the stack before it is executed. (SELFBALANCE asks the host before it looks for room.)
const fn grows(op: u8) -> bool {
    info(op).outputs > info(op).inputs && op != opcode::SELFBALANCE
}

/// Grows memory to `len` bytes from the offset on top of the stack. `due` is gas for the instruction that growth must leave.
///
/// # Safety
/// `frame` satisfies its invariants and has an operand.
unsafe fn grow(frame: &mut Frame, len: u64, due: i64) -> Result<(), Exit> {
    // SAFETY: the caller's promise.
    let offset = unsafe { word::read(frame.sp.sub(1)) };
    if offset[1] | offset[2] | offset[3] != 0 {
        return Err(Exit::InvalidOperand);
    }
    frame.gas -= due;
    let before = frame.gas;
    let grown = frame.touch(offset[0], len);
    frame.gas_of_effects += before - frame.gas;
    frame.gas += due;
    grown
}

/// JUMP and JUMPI, taken or not. `frame.pc` is the next instruction.
///
/// # Safety
/// `frame` satisfies its invariants and has the operands.
unsafe fn jump(frame: &mut Frame, op: u8) -> Result<(), Exit> {
    // SAFETY: the caller's promise; the code is valid for as long as the frame.
    unsafe {
        let target = word::read(frame.sp.sub(1));
        let taken = op == opcode::JUMP || !limbs::is_zero(word::read(frame.sp.sub(2)));
        frame.sp = frame.sp.sub(info(op).inputs as usize);
        if !taken {
            return Ok(());
        }
        let target = limbs::saturated(target);
        if !(*frame.code_object).is_jump_destination(target) {
            return Err(Exit::InvalidJump);
        }
        frame.pc = target;
    }
    frame.fuel = frame.fuel.wrapping_sub(1);
    if frame.fuel == 0 { Err(Exit::Hot) } else { Ok(()) }
}

/// The runtime function of an opcode.
#[inline(always)]
fn operation(callouts: &Callouts, op: u8) -> Option<FrameOp> {
    macro_rules! find {
        ($($op:ident $function:ident)*) => {
            match op {
                $(opcode::$op => Some(callouts.$function),)*
                _ => None,
            }
        };
    }
    with_runtime_opcodes!(find)
}

/// Opcodes with neither a fast path nor a runtime function: STOP, INVALID, and those of Amsterdam.
///
/// # Safety
/// `frame` satisfies its invariants.
#[cold]
unsafe fn rare(frame: &mut Frame, op: u8) -> Result<(), Exit> {
    let (depth, next) = (frame.depth_of_stack(), frame.code.wrapping_add(frame.pc as usize));
    // SAFETY: a byte follows every opcode that has an immediate, a zero at last. STOP may be the last byte of all.
    let immediate = || usize::from(unsafe { *next });
    let single = || match immediate() {
        91..=127 => Err(Exit::InvalidImmediate),
        byte => Ok((byte + 145) % 256),
    };
    // SAFETY: each read and written element is within the stack by the check before it.
    unsafe {
        match op {
            opcode::DUPN => {
                let n = single()?;
                if depth < n {
                    return Err(Exit::StackOverflow);
                }
                word::write(frame.sp, word::read(frame.sp.sub(n)));
                frame.sp = frame.sp.add(1);
            }
            opcode::SWAPN => {
                let n = single()?;
                exchange(frame, 0, n)?;
            }
            opcode::EXCHANGE => {
                let immediate = immediate();
                if (82..=127).contains(&immediate) {
                    return Err(Exit::InvalidImmediate);
                }
                let (high, low) = ((immediate ^ 143) / 16, (immediate ^ 143) % 16);
                let (n, m) = if high < low { (high + 1, low + 1) } else { (low + 1, 29 - high) };
                exchange(frame, n, m)?;
            }
            opcode::SLOTNUM => {
                ensure_environment(frame);
                word::write(frame.sp, word::read(&(*frame.env).slot_number));
                frame.sp = frame.sp.add(1);
                return Ok(());
            }
            opcode::STOP => return Err(Exit::Stop),
            _ => return Err(Exit::InvalidOpcode),
        }
    }
    frame.pc += 1;
    Ok(())
}

/// Exchanges two elements, counted from 0 at the top.
fn exchange(frame: &mut Frame, n: usize, m: usize) -> Result<(), Exit> {
    if frame.depth_of_stack() <= n.max(m) {
        return Err(Exit::StackUnderflow);
    }
    // SAFETY: both are on the stack.
    unsafe { core::ptr::swap(frame.sp.sub(1 + n), frame.sp.sub(1 + m)) };
    Ok(())
}
