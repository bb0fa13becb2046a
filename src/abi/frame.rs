//! The frame: everything that one message call's execution reads and writes, shared by both engines.

use super::Callouts;
use crate::evm::{STACK_LIMIT, SpecId, code::Code};
use core::{ffi::c_void, ptr};
use revm_primitives::{Address, Bytes, U256};

/// Values that are the same for all frames of a transaction, as words ready to push.
#[repr(C)]
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// ORIGIN
    pub origin: U256,
    /// GASPRICE (effective)
    pub gas_price: U256,
    /// COINBASE
    pub coinbase: U256,
    /// TIMESTAMP
    pub timestamp: U256,
    /// NUMBER
    pub number: U256,
    /// DIFFICULTY before the Merge, PREVRANDAO from then on
    pub difficulty: U256,
    /// GASLIMIT
    pub gas_limit: U256,
    /// CHAINID
    pub chain_id: U256,
    /// BASEFEE
    pub base_fee: U256,
    /// BLOBBASEFEE
    pub blob_base_fee: U256,
    /// SLOTNUM (EIP-7843)
    pub slot_number: U256,
}

/// Slots that compiled code may use above the EVM stack's 1024 elements to spill words that are not at home.
pub const SPILL_SLOTS: usize = 64;

/// Registers that compiled code can keep in [`Frame::saved`].
pub const SAVED_REGISTERS: usize = 24;

/// Memory of one EVM stack: 1024 elements, then spill slots of compiled code.
#[repr(C, align(64))]
pub struct StackBuffer(pub [U256; STACK_LIMIT + SPILL_SLOTS]);

/// Which CALL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// CALL
    Call,
    /// CALLCODE
    CallCode,
    /// DELEGATECALL
    DelegateCall,
    /// STATICCALL
    StaticCall,
}

/// A message call that a frame asks for. Gas is already taken from the caller. What else the child is told follows from the kind and the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// Which CALL.
    pub kind: CallKind,
    /// Gas of the child, stipend included.
    pub gas_limit: u64,
    /// Account whose code runs.
    pub code_address: Address,
    /// CALLVALUE in the child; moved from caller to target for CALL (and checked for CALLCODE), only apparent for DELEGATECALL.
    pub value: U256,
    /// Input: offset and length in the caller's memory (which is grown to hold it).
    pub input: (usize, usize),
    /// Output area: offset and length in the caller's memory (which is grown to hold it).
    pub output: (usize, usize),
}

/// A contract creation that a frame asks for. Gas is already taken from the creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// Salt of CREATE2.
    pub salt: Option<U256>,
    /// Gas of the child.
    pub gas_limit: u64,
    /// Endowment.
    pub value: U256,
    /// Init code: offset and length in the creator's memory.
    pub code: (usize, usize),
}

/// What a suspended frame waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Request {
    /// Nothing.
    #[default]
    None,
    /// A message call.
    Call(CallRequest),
    /// A creation.
    Create(CreateRequest),
}

/// One message call in execution. The first part is read and written by compiled code by offset; the rest is Rust's alone.
///
/// Invariants at every block boundary, upheld by both engines: `sp` is within `stack..=stack+1024`, elements below it are valid,
/// `memory` and `memory_ready` describe `buffer`, whose first `memory_len` bytes (a multiple of 32) are EVM memory, the others zero; `gas` is what is
/// left (negative only after compiled code met a doomed section: whoever sees that ends the frame with `Exit::OutOfGas`).
#[repr(C)]
#[derive(Debug)]
pub struct Frame {
    /// Gas left.
    pub gas: i64,
    /// One past the top stack element; the stack grows upwards.
    pub sp: *mut U256,
    /// The stack's first element.
    pub stack: *mut U256,
    /// One past the stack's last possible element (`stack + 1024`).
    pub stack_limit: *mut U256,
    /// EVM memory.
    pub memory: *mut u8,
    /// Its size in bytes, a multiple of 32.
    pub memory_len: u64,
    /// At how many offsets a whole word lies in memory: `memory_len - 31`, or 0 without memory.
    pub memory_words: u64,
    /// Program counter: valid whenever an engine has handed the frame back.
    pub pc: u64,
    /// Bytecode, followed by what its instructions read beyond its end, the implicit STOP included.
    pub code: *const u8,
    /// Its length in bytes, padding excluded.
    pub code_len: u64,
    /// The same bytecode with its jump destinations.
    pub code_object: *const Code,
    /// Call data.
    pub input: *const u8,
    /// Its length in bytes.
    pub input_len: u64,
    /// Return data of the last child.
    pub return_data: *const u8,
    /// Its length in bytes.
    pub return_data_len: u64,
    /// Runtime functions for this frame's host.
    pub callouts: *const Callouts,
    /// Environment of the transaction; null while nothing has needed it and the host can be asked for it ([`Host::env`](super::Host)). Compiled code
    /// finds it in place.
    pub env: *const Env,
    /// The host, of the type that `callouts` was made for.
    pub host: *mut c_void,
    /// What runtime functions remember between them: the executor's `runtime::Memo`, or null.
    pub memo: *mut c_void,
    /// Compiled code's table from pc to code offset (0: none; negative: none that may be jumped to), one entry per byte of bytecode;
    /// null while there is none.
    pub pc_index: *const u32,
    /// What entries of `pc_index` are relative to.
    pub code_base: *const u8,
    /// The size to which memory can grow by writing `memory_len` and `memory_words` alone.
    pub memory_ready: u64,
    /// Gas that memory of its size costs.
    pub memory_paid: u64,
    /// Taken jumps the interpreter may still make before it exits with `Exit::Hot`.
    pub fuel: u64,
    /// Instructions executed by the interpreter (counted only in its counting variant).
    pub interpreted: u64,
    /// Instructions executed by compiled code (counted only by code compiled to count).
    pub compiled: u64,
    /// Where compiled code keeps its registers for words when it leaves for a while, or around an out-of-line callout.
    pub saved: [u64; SAVED_REGISTERS],
    /// A word that a callout returns to compiled code.
    pub scratch: U256,
    /// ADDRESS as a word.
    pub address_word: U256,
    /// CALLER as a word.
    pub caller_word: U256,
    /// CALLVALUE.
    pub value: U256,
    /// Offset of the output in memory, after `Return` or `Revert`.
    pub out_offset: u64,
    /// Length of the output.
    pub out_len: u64,
    /// Refund counter of this frame (may be negative).
    pub refund: i64,
    /// The rules in force.
    pub fork: SpecId,
    /// State changes are forbidden.
    pub is_static: bool,
    /// Depth of the call, 0 for the first frame.
    pub depth: u32,
    /// The running contract.
    pub address: Address,
    /// Most bytes that memory may have.
    pub memory_limit: u64,
    /// Most bytes that init code may have (EIP-3860).
    pub init_code_limit: usize,
    /// Gas that runtime functions took, that of callees included: work that compiling does not spare. Compiled code leaves out memory growth.
    pub gas_of_effects: i64,
    /// Static gas that blocks of outlined code began with since the frame was entered, as far as nobody has asked.
    pub outlined: u64,
    /// What the frame waits for when suspended.
    pub request: Request,
    /// Owner of EVM memory, and of zeros behind it.
    pub buffer: Vec<u8>,
    /// Owner of the return data.
    pub return_bytes: Bytes,
}

impl Frame {
    /// A frame of nothing, without code, stack or host: whoever runs it sets those.
    pub fn blank() -> Frame {
        Frame {
            gas: 0,
            sp: ptr::null_mut(),
            stack: ptr::null_mut(),
            stack_limit: ptr::null_mut(),
            memory: ptr::null_mut(),
            memory_len: 0,
            memory_words: 0,
            memory_ready: 0,
            memory_paid: 0,
            pc: 0,
            code: ptr::null(),
            code_len: 0,
            code_object: ptr::null(),
            input: ptr::null(),
            input_len: 0,
            return_data: ptr::null(),
            return_data_len: 0,
            callouts: ptr::null(),
            env: ptr::null(),
            host: ptr::null_mut(),
            memo: ptr::null_mut(),
            pc_index: ptr::null(),
            code_base: ptr::null(),
            fuel: u64::MAX,
            interpreted: 0,
            gas_of_effects: 0,
            compiled: 0,
            outlined: 0,
            saved: [0; SAVED_REGISTERS],
            scratch: U256::ZERO,
            address_word: U256::ZERO,
            caller_word: U256::ZERO,
            value: U256::ZERO,
            out_offset: 0,
            out_len: 0,
            refund: 0,
            fork: SpecId::FRONTIER,
            is_static: false,
            depth: 0,
            address: Address::ZERO,
            memory_limit: u64::MAX,
            init_code_limit: usize::MAX,
            request: Request::None,
            buffer: Vec::new(),
            return_bytes: Bytes::new(),
        }
    }

    /// Gives the frame code and an empty stack.
    pub fn start(&mut self, code: &Code, stack: &mut StackBuffer) {
        self.code = code.runnable().as_ptr();
        self.code_len = code.bytes().len() as u64;
        self.code_object = code;
        let stack = stack.0.as_mut_ptr();
        (self.sp, self.stack, self.stack_limit) = (stack, stack, stack.wrapping_add(STACK_LIMIT));
    }
}

impl StackBuffer {
    /// An empty stack.
    pub fn new() -> Box<StackBuffer> {
        Box::new(StackBuffer([U256::ZERO; STACK_LIMIT + SPILL_SLOTS]))
    }
}
