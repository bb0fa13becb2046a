//! What both engines call: operations on the frame that are too large to be inlined, or that touch the host.
//!
//! A [`FrameOp`](crate::abi::FrameOp) finds static gas paid and its operands on the stack. It checks and charges in revm's order, and moves
//! `frame.sp` only when it is done, so that an instruction that is [`Exit::Pending`] can be executed again: of what it did before, only paid
//! memory growth stays. The engine that gets `Pending` sets `frame.pc` to the instruction and gives its static gas back.
//!
//! Operands that revm pops only after other checks (the topics of LOG*, the salt of CREATE2, the memory ranges of CALL*) are counted here,
//! at that point; all others are the engine's to check. Compiled code, which checks whole sections ahead, never fails those.
//!
//! Knows neither IR nor how either engine works.

pub(crate) mod arith;
mod calls;
mod end;
mod enter;
mod hash;
mod keccak;
pub(crate) mod limbs;
mod log;
mod memo;
mod memory;
pub mod record;
mod state;
mod table;
pub(crate) mod word;

pub use calls::{Outcome, resume_call, resume_call_lent, resume_create};
pub use enter::Entry;
pub use memo::{HashCounts, Memo};
pub use state::ensure_environment;
pub use table::callouts;

use crate::abi::{Exit, Frame, Host, HostError};
use crate::evm::fork::{Schedule, schedule};
use revm_primitives::{Address, U256};

/// What an operation comes to: `Err` for anything but going on to the next instruction.
type Flow<T = ()> = Result<T, Exit>;

/// Runs an operation as a [`FrameOp`](crate::abi::FrameOp): nothing happens in a frame whose gas is overdrawn.
///
/// # Safety
/// `frame` is valid and exclusively borrowed; its `sp` has the operands below it.
#[inline(always)]
unsafe fn run(frame: *mut Frame, operation: impl FnOnce(&mut Frame) -> Flow) -> u64 {
    // SAFETY: the caller's promise.
    let frame = unsafe { &mut *frame };
    let flow = if frame.gas < 0 { Err(Exit::OutOfGas) } else { operation(frame) };
    match flow {
        Ok(()) => 0,
        Err(exit) => exit as u64,
    }
}

impl Frame {
    /// The `n`th operand, 1 being the top of the stack.
    #[inline(always)]
    fn operand(&self, n: usize) -> U256 {
        // SAFETY: the contract of FrameOp: the operands are on the stack, which is valid below `sp`.
        U256::from_limbs(unsafe { word::read(self.sp.sub(n)) })
    }

    /// Takes `inputs` elements off the stack and puts `result` on it.
    #[inline(always)]
    fn replace(&mut self, inputs: usize, result: U256) {
        // SAFETY: the contract of FrameOp: `inputs` elements are on the stack; where there are none, there is room for one more.
        unsafe {
            self.sp = self.sp.sub(inputs);
            self.sp.write(result);
            self.sp = self.sp.add(1);
        }
    }

    /// Takes `inputs` elements off the stack.
    #[inline(always)]
    fn drop_operands(&mut self, inputs: usize) {
        // SAFETY: the contract of FrameOp: they are on the stack.
        self.sp = unsafe { self.sp.sub(inputs) };
    }

    /// Elements on the stack.
    #[inline(always)]
    pub(crate) fn depth_of_stack(&self) -> usize {
        (self.sp as usize - self.stack as usize) / size_of::<U256>()
    }

    /// Fails with `StackUnderflow` unless there are `elements` on the stack.
    #[inline(always)]
    fn require_stack(&self, elements: usize) -> Flow {
        if self.depth_of_stack() < elements { Err(Exit::StackUnderflow) } else { Ok(()) }
    }

    /// Gas of the frame's fork.
    #[inline(always)]
    pub(crate) fn schedule(&self) -> &'static Schedule {
        schedule(self.fork)
    }

    /// Pays `gas`.
    #[inline(always)]
    fn charge(&mut self, gas: u64) -> Flow {
        if gas > self.gas as u64 {
            return Err(Exit::OutOfGas);
        }
        self.gas -= gas as i64;
        Ok(())
    }

    /// Whether `gas` can be paid.
    #[inline(always)]
    fn can_pay(&self, gas: u64) -> bool {
        self.gas as u64 >= gas
    }

    /// Fails in a static frame.
    #[inline(always)]
    fn require_not_static(&self) -> Flow {
        if self.is_static { Err(Exit::StateChangeInStatic) } else { Ok(()) }
    }

    /// The host, told that an instruction of this frame is about to ask.
    ///
    /// # Safety
    /// `H` is the type that `frame.callouts` was made for.
    #[inline(always)]
    unsafe fn host<'h, H: Host>(&self) -> &'h mut H {
        // SAFETY: `frame.host` points to an `H` that outlives the frame and that nobody else uses while the frame runs; the reference is
        // used for one call and not kept.
        let host = unsafe { &mut *self.host.cast::<H>() };
        host.enter(self);
        host
    }
}

impl From<HostError> for Exit {
    fn from(error: HostError) -> Exit {
        match error {
            HostError::ColdSkipped => Exit::OutOfGas,
            HostError::Fatal => Exit::Fatal,
            HostError::Pending => Exit::Pending,
        }
    }
}

/// `word` where it fits 64 bits; otherwise no gas could pay for it.
#[inline(always)]
fn length(word: &U256) -> Flow<u64> {
    let [low, a, b, c] = *word.as_limbs();
    if a | b | c != 0 { Err(Exit::InvalidOperand) } else { Ok(low) }
}

/// `word`, or 2^64-1 where it is larger.
#[inline(always)]
fn saturated(word: &U256) -> u64 {
    let [low, a, b, c] = *word.as_limbs();
    if a | b | c != 0 { u64::MAX } else { low }
}

/// Whether `word` is 0, limb by limb: where operands were written so just before, a wide load waits until they are in the cache.
#[inline(always)]
fn is_zero(word: &U256) -> bool {
    let [a, b, c, d] = *word.as_limbs();
    a | b | c | d == 0
}

/// The low 20 bytes. They are put together in the pieces in which addresses are read: 8, 8 and 4 bytes by hashers, 16 and 4 by what copies and
/// compares. A read of what was written in other pieces waits until those are in the cache.
#[inline(always)]
fn address(word: &U256) -> Address {
    let [low, middle, high, _] = *word.as_limbs();
    let (first, second) = ((high << 32 | middle >> 32).to_be(), (middle << 32 | low >> 32).to_be());
    let mut bytes = [0; 20];
    let (pair, rest) = bytes.split_first_chunk_mut().expect("20 is more than 16");
    *pair = word::side_by_side(first, second);
    *rest.first_chunk_mut().expect("4 are left") = (low as u32).to_be_bytes();
    Address::new(bytes)
}

/// Words that `bytes` bytes take.
#[inline(always)]
fn words(bytes: u64) -> u64 {
    bytes.div_ceil(32)
}
