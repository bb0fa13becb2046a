//! From one instruction to the next by jumps: each opcode has a handler, a function that ends by calling the handler of the next instruction
//! with the same arguments, which an optimising compiler turns into a jump. State stays in argument registers, and each
//! handler has an indirect jump of its own to predict.
//!
//! Stable Rust does not promise that those calls become jumps. So [`available`] finds out once, by running a program of all handlers
//! and comparing the depth of the native stack before and after; where it grew, the loop is used instead.

use super::exact::{self, with_runtime_opcodes};
use super::step::{Registers, step, with_fast_opcodes};
use crate::abi::{
    CallTarget, Callouts, Env, Exit, Frame, Host, HostError, Loaded, LoadedWord, SelfDestruct, StackBuffer, StorageWrite,
};
use crate::evm::{Address, B256, SpecId, U256, code::Code, opcode::*};
use core::mem::MaybeUninit;
use revm_primitives::Bytes;
use std::sync::OnceLock;

/// An argument that is never given a value. It takes the place of the register that x86 demands for variable shifts (`rcx`), so that
/// handlers need not move something out of it first.
type Free = MaybeUninit<u64>;

/// Defines the type of handlers and functions with their calling convention: all arguments in registers.
macro_rules! handlers {
    ($abi:literal; $($(#[$meta:meta])* fn $name:ident$(<$(const $param:ident: $type:ty),*>)?($frame:ident, $ip:ident, $sp:ident, $gas:ident, $table:ident) $body:block)*) => {
        /// A handler: executes the instruction at `ip` and all that follow, returns the code of the exit.
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        struct Handler(unsafe extern $abi fn(*mut Frame, *const u8, *mut U256, Free, i64, *const Handler) -> u64);

        $($(#[$meta])*
        unsafe extern $abi fn $name$(<$(const $param: $type),*>)?(
            $frame: *mut Frame, $ip: *const u8, $sp: *mut U256, _: Free, $gas: i64, $table: *const Handler,
        ) -> u64 $body)*
    };
    ($($functions:tt)*) => {
        #[cfg(target_arch = "x86_64")]
        handlers! { "sysv64"; $($functions)* }
        #[cfg(not(target_arch = "x86_64"))]
        handlers! { "C"; $($functions)* }
    };
}

handlers! {
    /// An opcode with a fast path.
    ///
    /// # Safety
    /// `frame` satisfies its invariants, except that the other arguments are ahead of its own; `table` is the table.
    fn fast<const OP: u8, const COUNT: bool>(frame, ip, sp, gas, table) {
        let mut registers = Registers { ip, sp, gas };
        // SAFETY: the caller's promise; `ip` stays within code and its padding, which ends in STOP.
        unsafe {
            if step::<OP, COUNT>(&mut registers, &mut *frame) {
                if COUNT {
                    (*frame).interpreted += 1;
                }
                let next = (*table.add(*registers.ip as usize)).0;
                next(frame, registers.ip, registers.sp, Free::uninit(), registers.gas, table)
            } else if const { matches!(OP, MLOAD | MSTORE | MSTORE8) } {
                make_room::<OP, COUNT>(frame, ip, sp, Free::uninit(), registers.gas, table)
            } else {
                gave_up::<COUNT>(frame, ip, sp, Free::uninit(), registers.gas, table)
            }
        }
    }

    /// MLOAD, MSTORE or MSTORE8, likely for want of memory.
    ///
    /// # Safety
    /// As for `fast`.
    #[cold]
    #[inline(never)]
    fn make_room<const OP: u8, const COUNT: bool>(frame, ip, sp, gas, table) {
        // SAFETY: the caller's promise.
        unsafe {
            let exit = exact::make_room::<OP, COUNT>(&mut *frame, ip, sp, gas);
            if exit != 0 {
                return exit;
            }
            resume(frame, ip, sp, Free::uninit(), gas, table)
        }
    }

    /// An instruction whose fast path has given up, after paying its static gas.
    ///
    /// # Safety
    /// As for `fast`.
    #[cold]
    #[inline(never)]
    fn gave_up<const COUNT: bool>(frame, ip, sp, gas, table) {
        // SAFETY: the caller's promise.
        unsafe {
            let exit = out_of_line::<COUNT>(&mut *frame, ip, sp, gas, true);
            if exit != 0 {
                return exit;
            }
            resume(frame, ip, sp, Free::uninit(), gas, table)
        }
    }

    /// An opcode that a runtime function executes.
    ///
    /// # Safety
    /// As for `fast`.
    fn call<const OP: u8, const COUNT: bool>(frame, ip, sp, gas, table) {
        // SAFETY: the caller's promise.
        unsafe {
            let exit = exact::call::<OP, COUNT>(&mut *frame, ip, sp, gas);
            if exit != 0 {
                return exit;
            }
            resume(frame, ip, sp, Free::uninit(), gas, table)
        }
    }

    /// STOP.
    ///
    /// # Safety
    /// As for `fast`.
    fn stop<const COUNT: bool>(frame, ip, sp, gas, _table) {
        // SAFETY: the caller's promise.
        unsafe {
            (*frame).pc = ip.offset_from((*frame).code) as u64 + 1;
            ((*frame).sp, (*frame).gas) = (sp, gas);
            if COUNT {
                (*frame).interpreted += 1;
            }
        }
        Exit::Stop as u64
    }

    /// Any other opcode.
    ///
    /// # Safety
    /// As for `fast`.
    fn slow<const COUNT: bool>(frame, ip, sp, gas, table) {
        // SAFETY: the caller's promise.
        unsafe {
            let exit = out_of_line::<COUNT>(&mut *frame, ip, sp, gas, false);
            if exit != 0 {
                return exit;
            }
            resume(frame, ip, sp, Free::uninit(), gas, table)
        }
    }

    /// Goes on with what the frame says.
    ///
    /// # Safety
    /// As for `fast`, but only the frame and the table count.
    #[inline(always)]
    fn resume(frame, _ip, _sp, _gas, table) {
        // SAFETY: the caller's promise.
        unsafe {
            let ip = (*frame).code.add((*frame).pc as usize);
            let next = (*table.add(*ip as usize)).0;
            next(frame, ip, (*frame).sp, Free::uninit(), (*frame).gas, table)
        }
    }
}

/// Brings the frame up to date and does the instruction at `ip` exactly.
///
/// # Safety
/// As for [`exact::execute`].
#[inline(always)]
unsafe fn out_of_line<const COUNT: bool>(frame: &mut Frame, ip: *const u8, sp: *mut U256, gas: i64, paid: bool) -> u64 {
    // SAFETY: `ip` is in the frame's code; the caller's promise.
    unsafe {
        frame.pc = ip.offset_from(frame.code) as u64;
        frame.sp = sp;
        frame.gas = gas;
        exact::execute::<COUNT>(frame, paid)
    }
}

/// The handlers by opcode.
const fn table<const COUNT: bool>() -> [Handler; 256] {
    let mut table = [Handler(slow::<COUNT>); 256];
    macro_rules! fill {
        ($($op:ident)*) => { $(table[$op as usize] = Handler(fast::<$op, COUNT>);)* };
    }
    with_fast_opcodes!(fill);
    macro_rules! fill_calls {
        ($($op:ident $function:ident)*) => { $(if $op != CALLDATALOAD { table[$op as usize] = Handler(call::<$op, COUNT>); })* };
    }
    with_runtime_opcodes!(fill_calls);
    table[STOP as usize] = Handler(stop::<COUNT>);
    table
}

/// Executes until an exit, whose code is returned.
///
/// # Safety
/// `frame` satisfies its invariants, and all that it points to is valid.
pub(super) unsafe fn execute<const COUNT: bool>(frame: &mut Frame) -> u64 {
    let table = const { &table::<COUNT>() };
    // SAFETY: the caller's promise.
    unsafe { resume(frame, core::ptr::null(), core::ptr::null_mut(), Free::uninit(), 0, table.as_ptr()) }
}

/// Whether handlers run in constant native stack in this build.
#[inline]
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(probe)
}

/// Runs every handler's fast path, recording the depth of the native stack before and after.
#[cold]
fn probe() -> bool {
    let mut depths: Vec<usize> = Vec::new();
    let code = Code::new(&probe_program());
    let mut stack = StackBuffer::new();
    let callouts = Callouts { tload: record_depth, ..*crate::runtime::callouts::<NoHost>() };
    let (env, input) = (Env::default(), [0; 64]);
    let mut frame = Frame::blank();
    frame.start(&code, &mut stack);
    frame.gas = 1 << 30;
    frame.fork = SpecId::OSAKA;
    frame.env = &env;
    frame.callouts = &callouts;
    frame.host = (&raw mut depths).cast();
    (frame.input, frame.input_len) = (input.as_ptr(), input.len() as u64);
    // A second time, because a jump's fast path is only taken where code is analysed already.
    let ended = (0..2).all(|_| {
        (frame.pc, frame.sp) = (0, frame.stack);
        // SAFETY: the frame was just built as its invariants demand; what it points to lives until the end of this function.
        unsafe { execute::<false>(&mut frame) == Exit::Stop as u64 }
    });
    ended && depths.len() == 4 && depths.chunks(2).all(|pair| pair[0] == pair[1])
}

/// All opcodes with a fast path between two that record.
fn probe_program() -> Vec<u8> {
    let mut code = vec![PUSH0, TLOAD];
    code.extend([PUSH1, 1].repeat(16));
    let mut add = |op: u8| match op {
        JUMP | JUMPI => {
            // Not taken, if it can be.
            code.extend([PUSH0, PUSH0, JUMPI, PUSH1, 1]);
            code.extend([PUSH2, 0, 0, op, JUMPDEST]);
            let destination = (code.len() - 1) as u16;
            let at = code.len() - 4;
            code[at..at + 2].copy_from_slice(&destination.to_be_bytes());
        }
        PUSH1..=PUSH32 => {
            code.push(op);
            code.extend(vec![1; (op - PUSH0) as usize]);
        }
        _ => code.extend([PUSH1, 1, PUSH1, 1, PUSH1, 1, op]),
    };
    macro_rules! all {
        ($($op:ident)*) => { $(add($op);)* };
    }
    with_fast_opcodes!(all);
    code.extend([PUSH0, TLOAD, STOP]);
    code
}

/// Stands in for TLOAD: appends the address of a local variable to the `Vec<usize>` that is the host.
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
unsafe extern "C" fn record_depth(frame: *mut Frame) -> u64 {
    let here = 0u8;
    // SAFETY: the host is what `probe` made it.
    unsafe { (*(*frame).host.cast::<Vec<usize>>()).push(core::hint::black_box(&raw const here) as usize) };
    0
}

/// The host of frames that ask for nothing.
enum NoHost {}

impl Host for NoHost {
    fn sload(&mut self, _: Address, _: U256, _: bool) -> LoadedWord {
        match *self {}
    }
    fn sstore(&mut self, _: Address, _: U256, _: U256, _: bool) -> Result<StorageWrite, HostError> {
        match *self {}
    }
    fn tload(&mut self, _: Address, _: U256) -> U256 {
        match *self {}
    }
    fn tstore(&mut self, _: Address, _: U256, _: U256) {
        match *self {}
    }
    fn balance(&mut self, _: Address, _: bool) -> LoadedWord {
        match *self {}
    }
    fn code_hash(&mut self, _: Address, _: bool) -> Result<Loaded<B256>, HostError> {
        match *self {}
    }
    fn code_len(&mut self, _: Address, _: bool) -> Result<Loaded<usize>, HostError> {
        match *self {}
    }
    fn code(&mut self, _: Address, _: bool) -> Result<Loaded<Bytes>, HostError> {
        match *self {}
    }
    fn self_balance(&mut self, _: Address) -> Result<U256, HostError> {
        match *self {}
    }
    fn block_hash(&mut self, _: u64) -> Result<B256, HostError> {
        match *self {}
    }
    fn blob_hash(&mut self, _: u64) -> B256 {
        match *self {}
    }
    fn log(&mut self, _: Address, _: &[U256], _: &[u8]) {
        match *self {}
    }
    fn selfdestruct(&mut self, _: Address, _: Address, _: bool) -> Result<SelfDestruct, HostError> {
        match *self {}
    }
    fn call_target(&mut self, _: Address, _: bool) -> Result<CallTarget, HostError> {
        match *self {}
    }
    fn call_delegate(&mut self, _: Address, _: bool) -> Result<bool, HostError> {
        match *self {}
    }
}
