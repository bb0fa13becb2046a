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

pub mod aarch64;
pub mod x86_64;

/// The bytes of one instruction: at most fifteen, and their number in the last byte. Two machine words, so that it travels in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    low: u64,
    high: u64,
}

/// Where [`Code`] has its length.
const LEN_SHIFT: u32 = 56;

impl Code {
    /// The low `len` bytes of `bits`; the others must be zero. `len` is at most 15.
    #[inline(always)]
    pub const fn new(bits: u128, len: u32) -> Code {
        Code { low: bits as u64, high: (bits >> 64) as u64 | (len as u64) << LEN_SHIFT }
    }

    /// Up to eight bytes.
    #[inline(always)]
    pub const fn short(bits: u64, len: u32) -> Code {
        Code { low: bits, high: (len as u64) << LEN_SHIFT }
    }

    /// These bytes, then the low `len` bytes of `bits`, whose others must be zero.
    #[inline(always)]
    pub const fn then(self, bits: u64, len: u32) -> Code {
        let at = self.len() as u32;
        let high = self.high & !(0xff << LEN_SHIFT);
        let all = self.low as u128 | (high as u128) << 64 | (bits as u128) << (8 * at);
        Code::new(all, at + len)
    }

    /// How many bytes.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        (self.high >> LEN_SHIFT) as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
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
        let all = u128::from(code.low) | u128::from(code.high) << 64;
        self.bytes.extend_from_slice(&all.to_le_bytes());
        self.bytes.truncate(end);
    }

    /// Appends an instruction of four bytes.
    #[inline(always)]
    pub fn push_u32(&mut self, code: u32) {
        self.bytes.extend_from_slice(&code.to_le_bytes());
    }

    /// Appends four instructions of four bytes each.
    #[inline(always)]
    pub fn push_fours(&mut self, code: [u32; 4]) {
        let low = u64::from(code[0]) | u64::from(code[1]) << 32;
        let high = u64::from(code[2]) | u64::from(code[3]) << 32;
        self.bytes.extend_from_slice(&(u128::from(low) | u128::from(high) << 64).to_le_bytes());
    }

    /// Appends four instructions of seven bytes each, the low bytes of each number.
    #[inline(always)]
    pub fn push_sevens(&mut self, code: [u64; 4]) {
        let mut bytes = [0; 29];
        for (i, instruction) in code.into_iter().enumerate() {
            bytes[7 * i..7 * i + 8].copy_from_slice(&instruction.to_le_bytes());
        }
        self.bytes.extend_from_slice(&bytes[..28]);
    }

    /// The four bytes at `at`, which exist, in little-endian order.
    pub fn u32_at(&self, at: usize) -> u32 {
        self.bytes[at..at + 4].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
    }

    /// Takes back what lies behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
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
