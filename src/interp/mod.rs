//! The interpreter: tier 0, the exact path that decides every failure, and the oracle of `check` mode.
//!
//! One loop with the stack pointer, the code pointer and gas in registers; the frame is up to date whenever a runtime function is called
//! and when the loop is left. Words are read limb by limb (see `runtime::word`). What is rare or large is out of the loop, in `effect`.
//!
//! Gas that an opcode costs in every fork is a constant of its handler; everything else looks its schedule up.

mod effect;

use crate::abi::{Exit, Frame};
use crate::evm::fork::constant_gas;
use crate::evm::{STACK_LIMIT, SpecId, opcode::*};
use crate::runtime::{arith, limbs as word, word as slot};
use revm_primitives::U256;

/// Executes `frame` from `frame.pc` until it ends, suspends or is pending, or until `frame.fuel` (which is decremented at each taken jump)
/// becomes 0: then `Exit::Hot`, with `frame.pc` the destination of the jump that was just made. With `COUNT`, executed instructions are added
/// to `frame.interpreted`.
///
/// The frame must satisfy its invariants, and all that it points to must be valid: whoever built it answers for that.
pub fn run<const COUNT: bool>(frame: &mut Frame) -> Exit {
    if frame.gas < 0 {
        return Exit::OutOfGas;
    }
    // SAFETY: whoever built the frame promises that it satisfies its invariants.
    unsafe { execute::<COUNT>(frame) }
}

/// Size of a stack slot.
const SLOT: usize = size_of::<U256>();

/// Big-endian 64 bits at `at`.
///
/// # Safety
/// 8 bytes are readable.
#[inline(always)]
unsafe fn big_endian(at: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    u64::from_be_bytes(unsafe { at.cast::<[u8; 8]>().read_unaligned() })
}

/// The `N` bytes at `at` as a number.
///
/// # Safety
/// As many bytes as whole limbs take are readable.
#[inline(always)]
unsafe fn immediate<const N: usize>(at: *const u8) -> word::Word {
    let mut limbs = [0; 4];
    let mut left = N;
    for limb in &mut limbs {
        if left >= 8 {
            // SAFETY: within the immediate.
            *limb = unsafe { big_endian(at.add(left - 8)) };
            left -= 8;
        } else if left > 0 {
            // SAFETY: the caller's promise: more bytes are read than used.
            *limb = unsafe { big_endian(at) } >> (64 - 8 * left);
            left = 0;
        }
    }
    limbs
}

/// Makes memory at the offset `top` of the stack hold `len` bytes.
///
/// # Safety
/// `frame` satisfies its invariants.
#[cold]
#[inline(never)]
unsafe fn grow_memory(frame: &mut Frame, offset: word::Word, len: u64) -> u64 {
    if offset[1] | offset[2] | offset[3] != 0 {
        return Exit::InvalidOperand as u64;
    }
    // SAFETY: `callouts` is valid, and so is the frame.
    unsafe { ((*frame.callouts).grow)(frame, offset[0].saturating_add(len), 0) }
}

/// The loop.
///
/// # Safety
/// `frame` satisfies its invariants, and all that it points to is valid.
#[allow(clippy::cognitive_complexity)]
unsafe fn execute<const COUNT: bool>(frame: &mut Frame) -> Exit {
    // SAFETY (of the whole function): `ip` stays within code and its padding, since code ends in zeros (STOP) for longer than an immediate is,
    // and jumps go to checked destinations. `sp` stays within the stack by the check that precedes each access.
    unsafe {
        let code = frame.code;
        let base = frame.stack as usize;
        let fork = frame.fork;
        let mut ip = code.add(frame.pc as usize);
        let mut sp = frame.sp;
        let mut gas = frame.gas;
        let mut count = 0u64;

        let exit = 'run: loop {
            /// Leaves the loop.
            macro_rules! leave {
                ($exit:expr) => {
                    break 'run $exit
                };
            }
            /// Pays gas that is the same in every fork.
            macro_rules! pay {
                ($op:expr) => {
                    gas -= const { constant_gas($op) };
                    if gas < 0 {
                        leave!(Exit::OutOfGas);
                    }
                };
            }
            /// Demands operands.
            macro_rules! need {
                ($operands:expr) => {
                    if (sp as usize) < base + $operands * SLOT {
                        leave!(Exit::StackUnderflow);
                    }
                };
            }
            /// Demands room for one more element.
            macro_rules! need_room {
                () => {
                    if sp as usize >= base + STACK_LIMIT * SLOT {
                        leave!(Exit::StackOverflow);
                    }
                };
            }
            /// Demands a fork.
            macro_rules! since {
                ($fork:ident) => {
                    if (fork as u8) < SpecId::$fork as u8 {
                        leave!(Exit::NotActivated);
                    }
                };
            }
            /// The `n`th element, 1 being the top.
            macro_rules! operand {
                ($n:expr) => {
                    slot::read(sp.sub($n))
                };
            }
            macro_rules! push {
                ($word:expr) => {{
                    need_room!();
                    let word = $word;
                    slot::write(sp, word);
                    sp = sp.add(1);
                }};
            }
            /// An operation of two words.
            macro_rules! binary {
                ($op:expr, $function:path) => {{
                    pay!($op);
                    need!(2);
                    let result = $function(operand!(1), operand!(2));
                    slot::write(sp.sub(2), result);
                    sp = sp.sub(1);
                }};
            }
            /// An operation of one word.
            macro_rules! unary {
                ($op:expr, $function:expr) => {{
                    pay!($op);
                    need!(1);
                    let result = $function(operand!(1));
                    slot::write(sp.sub(1), result);
                }};
            }
            /// A word operation of the runtime; with three operands if so said.
            macro_rules! word_op {
                ($op:expr, $inputs:literal, $function:path) => {{
                    pay!($op);
                    need!($inputs);
                    let out = sp.sub($inputs);
                    $function(out, sp.sub(1), sp.sub(2), out);
                    sp = out.add(1);
                }};
            }
            /// Brings the frame up to date, calls a function that gives 0 or an exit code, takes gas and stack pointer back.
            macro_rules! call {
                ($function:expr) => {{
                    frame.gas = gas;
                    frame.sp = sp;
                    frame.pc = ip.offset_from(code) as u64;
                    let exit: u64 = $function;
                    gas = frame.gas;
                    sp = frame.sp;
                    ip = code.add(frame.pc as usize);
                    if exit != 0 {
                        leave!(exit_of(exit));
                    }
                }};
            }
            /// Makes sure of memory at an offset given as a word; gives where it is.
            macro_rules! memory {
                ($offset:expr, $len:literal) => {{
                    let offset: word::Word = $offset;
                    let (end, overflow) = offset[0].overflowing_add($len);
                    if (offset[1] | offset[2] | offset[3]) != 0 || overflow || end > frame.memory_len {
                        call!(grow_memory(frame, offset, $len));
                    }
                    frame.memory.add(offset[0] as usize)
                }};
            }
            /// Goes to the destination given as a word, past its JUMPDEST.
            macro_rules! jump {
                ($target:expr) => {{
                    let target: word::Word = $target;
                    if (target[1] | target[2] | target[3]) != 0 || !(*frame.code_object).is_jump_destination(target[0]) {
                        leave!(Exit::InvalidJump);
                    }
                    ip = code.add(target[0] as usize);
                    frame.fuel = frame.fuel.wrapping_sub(1);
                    if frame.fuel == 0 {
                        leave!(Exit::Hot);
                    }
                    if COUNT {
                        count += 1;
                    }
                    ip = ip.add(1);
                    pay!(JUMPDEST);
                }};
            }
            macro_rules! push_immediate {
                ($n:literal) => {{
                    pay!(PUSH1);
                    push!(immediate::<$n>(ip));
                    ip = ip.add($n);
                }};
            }
            macro_rules! dup {
                ($n:literal) => {{
                    pay!(DUP1);
                    if (sp as usize).wrapping_sub(base + $n * SLOT) > (STACK_LIMIT - 1 - $n) * SLOT {
                        leave!(Exit::StackOverflow);
                    }
                    let word = operand!($n);
                    slot::write(sp, word);
                    sp = sp.add(1);
                }};
            }
            macro_rules! swap {
                ($n:literal) => {{
                    pay!(SWAP1);
                    need!($n + 1);
                    let (top, other) = (operand!(1), operand!($n + 1));
                    slot::write(sp.sub(1), other);
                    slot::write(sp.sub($n + 1), top);
                }};
            }

            let op = *ip;
            ip = ip.add(1);
            if COUNT {
                count += 1;
            }
            match op {
                STOP => leave!(Exit::Stop),
                ADD => binary!(ADD, word::add),
                MUL => binary!(MUL, word::mul),
                SUB => binary!(SUB, word::sub),
                DIV => word_op!(DIV, 2, arith::div),
                SDIV => word_op!(SDIV, 2, arith::sdiv),
                MOD => word_op!(MOD, 2, arith::rem),
                SMOD => word_op!(SMOD, 2, arith::srem),
                ADDMOD => word_op!(ADDMOD, 3, arith::addmod),
                MULMOD => word_op!(MULMOD, 3, arith::mulmod),
                SIGNEXTEND => binary!(SIGNEXTEND, word::signextend),
                LT => binary!(LT, word::lt),
                GT => binary!(GT, word::gt),
                SLT => binary!(SLT, word::slt),
                SGT => binary!(SGT, word::sgt),
                EQ => binary!(EQ, word::eq),
                ISZERO => unary!(ISZERO, |a| word::narrow(word::is_zero(a) as u64)),
                AND => binary!(AND, word::and),
                OR => binary!(OR, word::or),
                XOR => binary!(XOR, word::xor),
                NOT => unary!(NOT, word::not),
                BYTE => binary!(BYTE, word::byte),
                SHL => {
                    pay!(SHL);
                    since!(PETERSBURG);
                    need!(2);
                    let result = word::shl(operand!(1), operand!(2));
                    slot::write(sp.sub(2), result);
                    sp = sp.sub(1);
                }
                SHR => {
                    pay!(SHR);
                    since!(PETERSBURG);
                    need!(2);
                    let result = word::shr(operand!(1), operand!(2));
                    slot::write(sp.sub(2), result);
                    sp = sp.sub(1);
                }
                SAR => {
                    pay!(SAR);
                    since!(PETERSBURG);
                    need!(2);
                    let result = word::sar(operand!(1), operand!(2));
                    slot::write(sp.sub(2), result);
                    sp = sp.sub(1);
                }
                CLZ => {
                    pay!(CLZ);
                    since!(OSAKA);
                    need!(1);
                    let result = word::clz(operand!(1));
                    slot::write(sp.sub(1), result);
                }
                ADDRESS => {
                    pay!(ADDRESS);
                    push!(slot::read(&frame.address_word));
                }
                ORIGIN => {
                    pay!(ORIGIN);
                    push!(slot::read(&(*frame.env).origin));
                }
                CALLER => {
                    pay!(CALLER);
                    push!(slot::read(&frame.caller_word));
                }
                CALLVALUE => {
                    pay!(CALLVALUE);
                    push!(slot::read(&frame.value));
                }
                CALLDATALOAD => {
                    pay!(CALLDATALOAD);
                    need!(1);
                    let offset = operand!(1);
                    let (end, overflow) = offset[0].overflowing_add(32);
                    if (offset[1] | offset[2] | offset[3]) != 0 || overflow || end > frame.input_len {
                        call!(((*frame.callouts).calldataload)(frame));
                    } else {
                        let word = immediate::<32>(frame.input.add(offset[0] as usize));
                        slot::write(sp.sub(1), word);
                    }
                }
                CALLDATASIZE => {
                    pay!(CALLDATASIZE);
                    push!(word::narrow(frame.input_len));
                }
                CODESIZE => {
                    pay!(CODESIZE);
                    push!(word::narrow(frame.code_len));
                }
                GASPRICE => {
                    pay!(GASPRICE);
                    push!(slot::read(&(*frame.env).gas_price));
                }
                RETURNDATASIZE => {
                    pay!(RETURNDATASIZE);
                    since!(BYZANTIUM);
                    push!(word::narrow(frame.return_data_len));
                }
                COINBASE => {
                    pay!(COINBASE);
                    push!(slot::read(&(*frame.env).coinbase));
                }
                TIMESTAMP => {
                    pay!(TIMESTAMP);
                    push!(slot::read(&(*frame.env).timestamp));
                }
                NUMBER => {
                    pay!(NUMBER);
                    push!(slot::read(&(*frame.env).number));
                }
                DIFFICULTY => {
                    pay!(DIFFICULTY);
                    push!(slot::read(&(*frame.env).difficulty));
                }
                GASLIMIT => {
                    pay!(GASLIMIT);
                    push!(slot::read(&(*frame.env).gas_limit));
                }
                CHAINID => {
                    pay!(CHAINID);
                    since!(ISTANBUL);
                    push!(slot::read(&(*frame.env).chain_id));
                }
                BASEFEE => {
                    pay!(BASEFEE);
                    since!(LONDON);
                    push!(slot::read(&(*frame.env).base_fee));
                }
                BLOBBASEFEE => {
                    pay!(BLOBBASEFEE);
                    since!(CANCUN);
                    push!(slot::read(&(*frame.env).blob_base_fee));
                }
                POP => {
                    pay!(POP);
                    need!(1);
                    sp = sp.sub(1);
                }
                MLOAD => {
                    pay!(MLOAD);
                    need!(1);
                    let at = memory!(operand!(1), 32);
                    let word = immediate::<32>(at);
                    slot::write(sp.sub(1), word);
                }
                MSTORE => {
                    pay!(MSTORE);
                    need!(2);
                    let at = memory!(operand!(1), 32).cast::<u64>();
                    let word = operand!(2);
                    at.write_unaligned(word[3].swap_bytes());
                    at.add(1).write_unaligned(word[2].swap_bytes());
                    at.add(2).write_unaligned(word[1].swap_bytes());
                    at.add(3).write_unaligned(word[0].swap_bytes());
                    sp = sp.sub(2);
                }
                MSTORE8 => {
                    pay!(MSTORE8);
                    need!(2);
                    let at = memory!(operand!(1), 1);
                    at.write(operand!(2)[0] as u8);
                    sp = sp.sub(2);
                }
                JUMP => {
                    pay!(JUMP);
                    need!(1);
                    let target = operand!(1);
                    sp = sp.sub(1);
                    jump!(target);
                }
                JUMPI => {
                    pay!(JUMPI);
                    need!(2);
                    let (target, condition) = (operand!(1), operand!(2));
                    sp = sp.sub(2);
                    if !word::is_zero(condition) {
                        jump!(target);
                    }
                }
                PC => {
                    pay!(PC);
                    push!(word::narrow(ip.offset_from(code) as u64 - 1));
                }
                MSIZE => {
                    pay!(MSIZE);
                    push!(word::narrow(frame.memory_len));
                }
                GAS => {
                    pay!(GAS);
                    push!(word::narrow(gas as u64));
                }
                JUMPDEST => {
                    pay!(JUMPDEST);
                }
                PUSH0 => {
                    pay!(PUSH0);
                    since!(SHANGHAI);
                    push!([0; 4]);
                }
                PUSH1 => push_immediate!(1),
                PUSH2 => push_immediate!(2),
                PUSH3 => push_immediate!(3),
                PUSH4 => push_immediate!(4),
                PUSH5 => push_immediate!(5),
                PUSH6 => push_immediate!(6),
                PUSH7 => push_immediate!(7),
                PUSH8 => push_immediate!(8),
                PUSH9 => push_immediate!(9),
                PUSH10 => push_immediate!(10),
                PUSH11 => push_immediate!(11),
                PUSH12 => push_immediate!(12),
                PUSH13 => push_immediate!(13),
                PUSH14 => push_immediate!(14),
                PUSH15 => push_immediate!(15),
                PUSH16 => push_immediate!(16),
                PUSH17 => push_immediate!(17),
                PUSH18 => push_immediate!(18),
                PUSH19 => push_immediate!(19),
                PUSH20 => push_immediate!(20),
                PUSH21 => push_immediate!(21),
                PUSH22 => push_immediate!(22),
                PUSH23 => push_immediate!(23),
                PUSH24 => push_immediate!(24),
                PUSH25 => push_immediate!(25),
                PUSH26 => push_immediate!(26),
                PUSH27 => push_immediate!(27),
                PUSH28 => push_immediate!(28),
                PUSH29 => push_immediate!(29),
                PUSH30 => push_immediate!(30),
                PUSH31 => push_immediate!(31),
                PUSH32 => push_immediate!(32),
                DUP1 => dup!(1),
                DUP2 => dup!(2),
                DUP3 => dup!(3),
                DUP4 => dup!(4),
                DUP5 => dup!(5),
                DUP6 => dup!(6),
                DUP7 => dup!(7),
                DUP8 => dup!(8),
                DUP9 => dup!(9),
                DUP10 => dup!(10),
                DUP11 => dup!(11),
                DUP12 => dup!(12),
                DUP13 => dup!(13),
                DUP14 => dup!(14),
                DUP15 => dup!(15),
                DUP16 => dup!(16),
                SWAP1 => swap!(1),
                SWAP2 => swap!(2),
                SWAP3 => swap!(3),
                SWAP4 => swap!(4),
                SWAP5 => swap!(5),
                SWAP6 => swap!(6),
                SWAP7 => swap!(7),
                SWAP8 => swap!(8),
                SWAP9 => swap!(9),
                SWAP10 => swap!(10),
                SWAP11 => swap!(11),
                SWAP12 => swap!(12),
                SWAP13 => swap!(13),
                SWAP14 => swap!(14),
                SWAP15 => swap!(15),
                SWAP16 => swap!(16),
                _ => call!(effect::execute(frame, op)),
            }
        };
        frame.gas = gas;
        frame.sp = sp;
        frame.pc = ip.offset_from(code) as u64;
        if COUNT {
            frame.interpreted += count;
        }
        exit
    }
}

/// The exit that a runtime function returned.
#[cold]
fn exit_of(code: u64) -> Exit {
    Exit::from_code(code as u32).unwrap_or(Exit::Fatal)
}
