//! The functions that compiled code and the interpreter call, as one list.

use super::Frame;
use core::ffi::c_void;
use revm_primitives::U256;

/// A runtime operation on the frame. On entry `frame.gas`, `frame.sp` and (for suspending ones) `frame.pc`, the pc of the *next*
/// instruction, are in place and static gas is paid; it takes its operands from the stack, pays dynamic gas, puts its results on
/// the stack, and returns 0 or the code of an [`super::Exit`]. Stack bounds were checked by the caller.
///
/// # Safety
/// `frame` is valid and exclusively borrowed; its `sp` has the operands below it.
pub type FrameOp = unsafe extern "C" fn(frame: *mut Frame) -> u64;

/// A function of words alone: `*out = f(*a, *b, *c)`. `out` may be the same address as an operand; operands not needed may be anything. The last operand of
/// those that are called *prepared* is a divisor as `math::reciprocal` prepares it for them. `memo` is the frame's ([`Frame::memo`]).
///
/// # Safety
/// The pointers that the operation uses are valid.
pub type WordOp = unsafe extern "C" fn(out: *mut U256, a: *const U256, b: *const U256, c: *const U256, memo: *mut c_void);

macro_rules! callouts {
    (words { $($word:ident)* } frames { $($(#[$doc:meta])* $op:ident)* }) => {
        /// Table of runtime functions, one static per host type; compiled code calls through `frame.callouts`.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct Callouts {
            $(#[doc = concat!("Word operation `", stringify!($word), "`.")] pub $word: WordOp,)*
            $(#[doc = concat!("Frame operation `", stringify!($op), "`.")] $(#[$doc])* pub $op: FrameOp,)*
            /// Grows memory to hold a number of bytes (the high half of the last argument) at `offset`, paying for it. The low half is static
            /// gas of the section that is charged already but not due yet. Returns 0 or an exit code. May leave `frame.gas` negative: the
            /// frame then runs out of gas in this section.
            pub grow: unsafe extern "C" fn(frame: *mut Frame, offset: u64, len_and_spare: u64) -> u64,
            /// Puts the 32 bytes of call data at `offset` (zeros beyond its end) as a word into `frame.scratch`. Returns 0.
            pub input_word: unsafe extern "C" fn(frame: *mut Frame, offset: u64, unused: u64) -> u64,
            /// `high * 2^256 + frame.scratch`, `high` being 0 or 1, modulo the word at `modulus` (0 if that is 0), into `frame.scratch`. Returns 0.
            pub reduce: unsafe extern "C" fn(frame: *mut Frame, high: u64, modulus: *const U256) -> u64,
        }

        impl Callouts {
            /// Names and byte offsets of the table's entries, for printing.
            pub const ENTRIES: &[(&str, usize)] = &[
                $((stringify!($word), core::mem::offset_of!(Callouts, $word)),)*
                $((stringify!($op), core::mem::offset_of!(Callouts, $op)),)*
                ("grow", core::mem::offset_of!(Callouts, grow)),
                ("input_word", core::mem::offset_of!(Callouts, input_word)),
                ("reduce", core::mem::offset_of!(Callouts, reduce)),
            ];
        }
    };
}

callouts! {
    words { div sdiv rem rem_prepared srem mulmod mulmod_prepared signextend byte clz }
    frames {
        exp keccak256 balance selfbalance extcodesize extcodecopy extcodehash blockhash blobhash
        calldataload calldatacopy codecopy returndatacopy mcopy
        sload sstore tload tstore
        log0 log1 log2 log3 log4
        call callcode delegatecall staticcall create create2
        ret revert selfdestruct
        /// Inside a gas section, so that gas may be overdrawn: `frame.scratch` has static gas that was charged and is not due yet.
        mload
        /// As `mload`.
        mstore
        /// As `mload`.
        mstore8
        /// Puts the environment in place, no instruction's operation.
        environment
    }
}
