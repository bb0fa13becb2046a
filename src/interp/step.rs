//! The fast path of the common opcodes.
//!
//! [`step`] is instantiated per opcode. It charges the opcode's static gas, checks all that it needs, and either executes the instruction or
//! leaves everything else as it was, for `exact` to do it or to find out why it fails. It calls nothing that is not inlined
//! except word operations on stack slots, and never takes the address of a local variable: both would cost the threaded
//! interpreter its jumps.

use crate::abi::{Env, Frame};
use crate::evm::fork::constant_gas;
use crate::evm::{STACK_LIMIT, U256, opcode::*};
use crate::runtime::arith;
use crate::runtime::limbs::{self as word, Word};
use crate::runtime::word::{read, write};

/// Calls a macro with the opcodes that have a fast path.
macro_rules! with_fast_opcodes {
    ($then:ident) => {
        $then! {
            ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD SIGNEXTEND LT GT SLT SGT EQ ISZERO AND OR XOR NOT BYTE SHL SHR SAR CLZ
            ADDRESS ORIGIN CALLER CALLVALUE CALLDATALOAD CALLDATASIZE CODESIZE GASPRICE RETURNDATASIZE
            COINBASE TIMESTAMP NUMBER DIFFICULTY GASLIMIT CHAINID BASEFEE BLOBBASEFEE
            POP MLOAD MSTORE MSTORE8 JUMP JUMPI PC MSIZE GAS JUMPDEST
            PUSH0 PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH7 PUSH8 PUSH9 PUSH10 PUSH11 PUSH12 PUSH13 PUSH14 PUSH15 PUSH16
            PUSH17 PUSH18 PUSH19 PUSH20 PUSH21 PUSH22 PUSH23 PUSH24 PUSH25 PUSH26 PUSH27 PUSH28 PUSH29 PUSH30 PUSH31 PUSH32
            DUP1 DUP2 DUP3 DUP4 DUP5 DUP6 DUP7 DUP8 DUP9 DUP10 DUP11 DUP12 DUP13 DUP14 DUP15 DUP16
            SWAP1 SWAP2 SWAP3 SWAP4 SWAP5 SWAP6 SWAP7 SWAP8 SWAP9 SWAP10 SWAP11 SWAP12 SWAP13 SWAP14 SWAP15 SWAP16
        }
    };
}
pub(super) use with_fast_opcodes;

/// Size of a stack slot.
const SLOT: usize = size_of::<U256>();

/// What the interpreter keeps in registers.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    /// The opcode of the next instruction.
    pub(super) ip: *const u8,
    /// As `frame.sp`.
    pub(super) sp: *mut U256,
    /// As `frame.gas`.
    pub(super) gas: i64,
}

/// Big-endian 64 bits at `at`.
///
/// # Safety
/// 8 bytes are readable.
#[inline(always)]
unsafe fn big_endian(at: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    u64::from_be_bytes(unsafe { at.cast::<[u8; 8]>().read_unaligned() })
}

/// The `len` bytes at `at` as a number, of which nothing beyond is read.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn number(at: *const u8, len: usize) -> Word {
    let limb = |n: usize| {
        // SAFETY: the caller's promise.
        unsafe {
            match len as isize - 8 * n as isize {
                left @ 8.. => big_endian(at.offset(left - 8)),
                left @ 1.. => short(at, left as usize),
                _ => 0,
            }
        }
    };
    [limb(0), limb(1), limb(2), limb(3)]
}

/// The `len` bytes at `at`, fewer than 8, as a number: in one read, or in two that meet or overlap.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn short(at: *const u8, len: usize) -> u64 {
    // SAFETY: the caller's promise; each read ends with the last byte or before.
    unsafe {
        let half = |at: *const u8| u64::from(u32::from_be_bytes(at.cast::<[u8; 4]>().read_unaligned()));
        let quarter = |at: *const u8| u64::from(u16::from_be_bytes(at.cast::<[u8; 2]>().read_unaligned()));
        match len {
            4.. => half(at) << (8 * (len - 4)) | half(at.add(len - 4)),
            2.. => quarter(at) << (8 * (len - 2)) | quarter(at.add(len - 2)),
            _ => u64::from(*at),
        }
    }
}

/// Whether a word fits 64 bits.
#[inline(always)]
fn is_narrow(word: &Word) -> bool {
    word[1] | word[2] | word[3] == 0
}

/// The methods are safe to call only where [`step`] may be, for the frame it was called for.
impl Registers {
    /// Pays the static gas of `OP`; false if there is not enough, or if the fork does not have it.
    #[inline(always)]
    fn pay<const OP: u8>(&mut self, frame: &Frame) -> bool {
        self.gas -= const { constant_gas(OP) };
        let since = const { OPCODE_TABLE[OP as usize].since as u8 };
        self.gas >= 0 && (since == 0 || frame.fork as u8 >= since)
    }

    /// Whether there are `count` elements on the stack.
    #[inline(always)]
    fn has(&self, frame: &Frame, count: usize) -> bool {
        self.sp as usize >= frame.stack as usize + count * SLOT
    }

    /// The `n`th element, 1 being the top.
    ///
    /// # Safety
    /// It is there.
    #[inline(always)]
    unsafe fn operand(&self, n: usize) -> Word {
        // SAFETY: the caller's promise.
        unsafe { read(self.sp.sub(n)) }
    }

    /// Takes `inputs` elements and puts a word.
    ///
    /// # Safety
    /// They are there; where there are none, there is room.
    #[inline(always)]
    unsafe fn replace(&mut self, inputs: usize, result: Word) {
        // SAFETY: the caller's promise.
        unsafe {
            write(self.sp.sub(inputs), result);
            self.sp = self.sp.sub(inputs).add(1);
        }
    }

    /// Goes on `bytes` further.
    #[inline(always)]
    fn advance(&mut self, bytes: usize) -> bool {
        self.ip = self.ip.wrapping_add(bytes);
        true
    }

    /// An opcode that pushes a word.
    #[inline(always)]
    unsafe fn push<const OP: u8>(&mut self, frame: &Frame, word: impl FnOnce(&Self) -> Word) -> bool {
        if !self.pay::<OP>(frame) || self.sp >= frame.stack_limit {
            return false;
        }
        // SAFETY: there is room.
        unsafe { self.replace(0, word(self)) };
        self.advance(const { OPCODE_TABLE[OP as usize].size() })
    }

    /// An opcode that pushes a word of the environment, if that is there.
    #[inline(always)]
    unsafe fn environment<const OP: u8>(&mut self, frame: &Frame, word: impl FnOnce(&Env) -> &U256) -> bool {
        if frame.env.is_null() {
            self.pay::<OP>(frame);
            return false;
        }
        // SAFETY: `env` is valid for as long as the frame.
        unsafe { self.push::<OP>(frame, |_| read(word(&*frame.env))) }
    }

    /// A function of the topmost word.
    #[inline(always)]
    unsafe fn unary<const OP: u8>(&mut self, frame: &Frame, function: impl FnOnce(Word) -> Word) -> bool {
        if !self.pay::<OP>(frame) || !self.has(frame, 1) {
            return false;
        }
        // SAFETY: the operand is there.
        unsafe { self.replace(1, function(self.operand(1))) };
        self.advance(1)
    }

    /// A function of the two topmost words.
    #[inline(always)]
    unsafe fn binary<const OP: u8>(&mut self, frame: &Frame, function: impl FnOnce(Word, Word) -> Word) -> bool {
        if !self.pay::<OP>(frame) || !self.has(frame, 2) {
            return false;
        }
        // SAFETY: the operands are there.
        unsafe { self.replace(2, function(self.operand(1), self.operand(2))) };
        self.advance(1)
    }

    /// A word operation of the runtime on the topmost `inputs` elements.
    #[inline(always)]
    unsafe fn call<const OP: u8>(&mut self, frame: &Frame, inputs: usize, operation: crate::abi::WordOp) -> bool {
        if !self.pay::<OP>(frame) || !self.has(frame, inputs) {
            return false;
        }
        // SAFETY: the operands are there, and an operation may write over its operands.
        unsafe {
            let out = self.sp.sub(inputs);
            operation(out, self.sp.sub(1), self.sp.sub(2), out, frame.memo);
            self.sp = out.add(1);
        }
        self.advance(1)
    }

    /// DIV and MOD, unsigned, of words that fit 64 bits; others by the runtime's operation.
    #[inline(always)]
    unsafe fn divide<const OP: u8>(&mut self, frame: &Frame, narrow: fn(u64, u64) -> u64, wide: crate::abi::WordOp) -> bool {
        if !self.pay::<OP>(frame) || !self.has(frame, 2) {
            return false;
        }
        // SAFETY: the operands are there, and an operation may write over its operands.
        unsafe {
            let (a, b) = (self.operand(1), self.operand(2));
            if is_narrow(&a) && is_narrow(&b) && b[0] != 0 {
                self.replace(2, word::narrow(narrow(a[0], b[0])));
            } else {
                let out = self.sp.sub(2);
                wide(out, self.sp.sub(1), out, out, frame.memo);
                self.sp = out.add(1);
            }
        }
        self.advance(1)
    }

    /// Where memory at the offset on top of the stack is, if `len` bytes are there.
    #[inline(always)]
    unsafe fn memory(&self, frame: &Frame, len: u64) -> Option<*mut u8> {
        // SAFETY: the caller has checked that there is an operand.
        let offset = unsafe { self.operand(1) };
        let (end, overflow) = offset[0].overflowing_add(len);
        // SAFETY: `end` is within memory.
        (is_narrow(&offset) & !overflow & (end <= frame.memory_len)).then(|| unsafe { frame.memory.add(offset[0] as usize) })
    }

    /// MSTORE, MSTORE8: `store` the second word.
    #[inline(always)]
    unsafe fn store<const OP: u8>(&mut self, frame: &Frame, len: u64, store: impl FnOnce(*mut u8, Word)) -> bool {
        if !self.pay::<OP>(frame) || !self.has(frame, 2) {
            return false;
        }
        // SAFETY: the operands are there.
        unsafe {
            let Some(at) = self.memory(frame, len) else { return false };
            store(at, self.operand(2));
            self.sp = self.sp.sub(2);
        }
        self.advance(1)
    }

    /// Jumps to `target` past its JUMPDEST, whose gas is paid, after taking `inputs` off the stack. Fails if the target is wrong or not analysed yet,
    /// fuel is spent, or gas is.
    #[inline(always)]
    unsafe fn jump<const COUNT: bool>(&mut self, frame: &mut Frame, target: Word, inputs: usize) -> bool {
        let left = self.gas - const { constant_gas(JUMPDEST) };
        // SAFETY: the code is valid for as long as the frame.
        let valid = is_narrow(&target) && unsafe { (*frame.code_object).is_known_jump_destination(target[0]) };
        if !valid || left < 0 || frame.fuel == 1 {
            return false;
        }
        frame.fuel = frame.fuel.wrapping_sub(1);
        if COUNT {
            frame.interpreted += 1;
        }
        self.gas = left;
        // SAFETY: a jump destination is within code, and the operands are there.
        unsafe {
            self.ip = frame.code.add(target[0] as usize + 1);
            self.sp = self.sp.sub(inputs);
        }
        true
    }
}

/// Executes the instruction `OP` at `registers.ip` (and with `COUNT` adds what it executes beyond that to `frame.interpreted`) if nothing is in its way. Otherwise returns false, having paid its static gas (perhaps
/// more than there was) and done nothing else.
///
/// # Safety
/// `frame` satisfies its invariants, except that `registers` are ahead of its own. `OP` has a fast path.
#[inline(always)]
pub(super) unsafe fn step<const OP: u8, const COUNT: bool>(registers: &mut Registers, frame: &mut Frame) -> bool {
    let r = registers;
    // SAFETY: each arm checks for its operands before it reads them, and for room before it writes; immediates are within code or its
    // padding; `env`, `input` are valid as the frame says.
    unsafe {
        match OP {
            ADD => r.binary::<OP>(frame, word::add),
            MUL => r.binary::<OP>(frame, word::mul),
            SUB => r.binary::<OP>(frame, word::sub),
            DIV => r.divide::<OP>(frame, |a, b| a / b, arith::div),
            SDIV => r.call::<OP>(frame, 2, arith::sdiv),
            MOD => r.divide::<OP>(frame, |a, b| a % b, arith::rem),
            SMOD => r.call::<OP>(frame, 2, arith::srem),
            ADDMOD => r.call::<OP>(frame, 3, arith::addmod),
            MULMOD => r.call::<OP>(frame, 3, arith::mulmod),
            SIGNEXTEND => r.binary::<OP>(frame, word::signextend),
            LT => r.binary::<OP>(frame, word::lt),
            GT => r.binary::<OP>(frame, word::gt),
            SLT => r.binary::<OP>(frame, word::slt),
            SGT => r.binary::<OP>(frame, word::sgt),
            EQ => r.binary::<OP>(frame, word::eq),
            ISZERO => r.unary::<OP>(frame, |a| word::narrow(word::is_zero(a) as u64)),
            AND => r.binary::<OP>(frame, word::and),
            OR => r.binary::<OP>(frame, word::or),
            XOR => r.binary::<OP>(frame, word::xor),
            NOT => r.unary::<OP>(frame, word::not),
            BYTE => r.binary::<OP>(frame, word::byte),
            SHL => r.binary::<OP>(frame, word::shl),
            SHR => r.binary::<OP>(frame, word::shr),
            SAR => r.binary::<OP>(frame, word::sar),
            CLZ => r.unary::<OP>(frame, word::clz),
            ADDRESS => r.push::<OP>(frame, |_| read(&frame.address_word)),
            ORIGIN => r.environment::<OP>(frame, |env| &env.origin),
            CALLER => r.push::<OP>(frame, |_| read(&frame.caller_word)),
            CALLVALUE => r.push::<OP>(frame, |_| read(&frame.value)),
            CALLDATALOAD => {
                if !r.pay::<OP>(frame) || !r.has(frame, 1) {
                    return false;
                }
                let offset = r.operand(1);
                let (end, overflow) = offset[0].overflowing_add(32);
                if !is_narrow(&offset) || overflow || end > frame.input_len {
                    return false;
                }
                r.replace(1, number(frame.input.add(offset[0] as usize), 32));
                r.advance(1)
            }
            CALLDATASIZE => r.push::<OP>(frame, |_| word::narrow(frame.input_len)),
            CODESIZE => r.push::<OP>(frame, |_| word::narrow(frame.code_len)),
            GASPRICE => r.environment::<OP>(frame, |env| &env.gas_price),
            RETURNDATASIZE => r.push::<OP>(frame, |_| word::narrow(frame.return_data_len)),
            COINBASE => r.environment::<OP>(frame, |env| &env.coinbase),
            TIMESTAMP => r.environment::<OP>(frame, |env| &env.timestamp),
            NUMBER => r.environment::<OP>(frame, |env| &env.number),
            DIFFICULTY => r.environment::<OP>(frame, |env| &env.difficulty),
            GASLIMIT => r.environment::<OP>(frame, |env| &env.gas_limit),
            CHAINID => r.environment::<OP>(frame, |env| &env.chain_id),
            BASEFEE => r.environment::<OP>(frame, |env| &env.base_fee),
            BLOBBASEFEE => r.environment::<OP>(frame, |env| &env.blob_base_fee),
            POP => {
                if !r.pay::<OP>(frame) || !r.has(frame, 1) {
                    return false;
                }
                r.sp = r.sp.sub(1);
                r.advance(1)
            }
            MLOAD => {
                if !r.pay::<OP>(frame) || !r.has(frame, 1) {
                    return false;
                }
                let Some(at) = r.memory(frame, 32) else { return false };
                r.replace(1, number(at, 32));
                r.advance(1)
            }
            MSTORE => r.store::<OP>(frame, 32, |at, word| {
                let at = at.cast::<u64>();
                at.write_unaligned(word[3].to_be());
                at.add(1).write_unaligned(word[2].to_be());
                at.add(2).write_unaligned(word[1].to_be());
                at.add(3).write_unaligned(word[0].to_be());
            }),
            MSTORE8 => r.store::<OP>(frame, 1, |at, word| at.write(word[0] as u8)),
            JUMP => r.pay::<OP>(frame) && r.has(frame, 1) && r.jump::<COUNT>(frame, r.operand(1), 1),
            JUMPI => {
                if !r.pay::<OP>(frame) || !r.has(frame, 2) {
                    return false;
                }
                if word::is_zero(r.operand(2)) {
                    r.sp = r.sp.sub(2);
                    r.advance(1)
                } else {
                    r.jump::<COUNT>(frame, r.operand(1), 2)
                }
            }
            PC => r.push::<OP>(frame, |r| word::narrow(r.ip.offset_from(frame.code) as u64)),
            MSIZE => r.push::<OP>(frame, |_| word::narrow(frame.memory_len)),
            GAS => r.push::<OP>(frame, |r| word::narrow(r.gas as u64)),
            JUMPDEST => r.pay::<OP>(frame) && r.advance(1),
            PUSH0..=PUSH32 => r.push::<OP>(frame, |r| number(r.ip.add(1), (OP - PUSH0) as usize)),
            DUP1..=DUP16 => {
                let n = (OP - DUP1) as usize + 1;
                let beyond = (r.sp as usize).wrapping_sub(frame.stack as usize + n * SLOT);
                if !r.pay::<OP>(frame) || beyond > (STACK_LIMIT - 1 - n) * SLOT {
                    return false;
                }
                r.replace(0, r.operand(n));
                r.advance(1)
            }
            SWAP1..=SWAP16 => {
                let n = (OP - SWAP1) as usize + 2;
                if !r.pay::<OP>(frame) || !r.has(frame, n) {
                    return false;
                }
                let (top, other) = (r.sp.sub(1).cast::<u64>(), r.sp.sub(n).cast::<u64>());
                for limb in 0..4 {
                    let (a, b) = (top.add(limb).read_volatile(), other.add(limb).read_volatile());
                    top.add(limb).write(b);
                    other.add(limb).write(a);
                }
                r.advance(1)
            }
            _ => unreachable!("no fast path"),
        }
    }
}
