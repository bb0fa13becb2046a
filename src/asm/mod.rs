//! Encoders: machine instructions as data, which print themselves and turn into bytes.
//!
//! Owns the byte formats of the targets. Must never know the IR, the EVM, or where the bytes will live. Invariant: what an
//! instruction prints is what its bytes decode to; a test asks an outside disassembler.
//!
//! ```
//! use ejit::asm::{CodeBuffer, x86_64::{Inst, Reg}};
//! let mut code = CodeBuffer::new();
//! code.push(Inst::Bswap(Reg::R12).encode());
//! assert_eq!(code.bytes(), [0x49, 0x0f, 0xcc]);
//! assert_eq!(Inst::Bswap(Reg::R12).to_string(), "bswap r12");
//! ```

#![forbid(unsafe_code)]

pub mod x86_64;

/// The bytes of one instruction: at most eight of opcode and operands, then at most eight of displacement and immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    head: u64,
    tail: u64,
    head_len: u8,
    tail_len: u8,
}

impl Code {
    /// No bytes.
    #[inline(always)]
    pub const fn new() -> Code {
        Code { head: 0, tail: 0, head_len: 0, tail_len: 0 }
    }

    /// Appends a byte to the head.
    #[inline(always)]
    pub const fn byte(mut self, byte: u8) -> Code {
        self.head |= (byte as u64) << (8 * self.head_len);
        self.head_len += 1;
        self
    }

    /// Appends the low `len` bytes of `value` to the tail; its other bits must be zero.
    #[inline(always)]
    pub const fn tail(mut self, value: u64, len: u8) -> Code {
        if len != 0 {
            self.tail |= value << (8 * self.tail_len);
            self.tail_len += len;
        }
        self
    }

    /// How many bytes.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.head_len as usize + self.tail_len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Code {
    fn default() -> Code {
        Code::new()
    }
}

/// A growing run of machine code.
#[derive(Clone, Debug, Default)]
pub struct CodeBuffer {
    bytes: Vec<u8>,
}

impl CodeBuffer {
    /// An empty buffer.
    pub const fn new() -> CodeBuffer {
        CodeBuffer { bytes: Vec::new() }
    }

    /// A buffer that goes on where `bytes` ends, and keeps its capacity.
    pub const fn from_vec(bytes: Vec<u8>) -> CodeBuffer {
        CodeBuffer { bytes }
    }

    /// The bytes, with their capacity.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for `more` bytes.
    pub fn reserve(&mut self, more: usize) {
        self.bytes.reserve(more);
    }

    /// Appends an instruction: one wide store, then the length.
    #[inline(always)]
    pub fn push(&mut self, code: Code) {
        let end = self.bytes.len() + code.len();
        if code.tail_len == 0 {
            self.bytes.extend_from_slice(&code.head.to_le_bytes());
        } else {
            let all = u128::from(code.head) | (u128::from(code.tail) << (8 * code.head_len));
            self.bytes.extend_from_slice(&all.to_le_bytes());
        }
        self.bytes.truncate(end);
    }

    /// Replaces the byte at `at`, which exists.
    pub fn patch_u8(&mut self, at: usize, value: u8) {
        self.bytes[at] = value;
    }

    /// Replaces the four bytes at `at`, which exist, by `value` in little-endian order.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}
