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
        if at + len <= 8 && at < 8 {
            return Code::short(self.low | bits << (8 * at), at + len);
        }
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

/// A growing run of machine code, less than 4 GiB. An instruction is stored as one wide piece, of which its length counts: what lies behind the end of
/// the code, in the same vector, is there to be overwritten.
#[derive(Clone, Debug, Default)]
pub struct CodeBuffer {
    /// The code, then bytes that mean nothing.
    bytes: Vec<u8>,
    len: u32,
}

/// The most that is stored at once, in bytes.
const PIECE: usize = 16;

impl CodeBuffer {
    /// An empty buffer.
    pub const fn new() -> CodeBuffer {
        CodeBuffer { bytes: Vec::new(), len: 0 }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// How many bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for `more` bytes.
    ///
    /// # Panics
    ///
    /// If that makes 4 GiB.
    pub fn reserve(&mut self, more: usize) {
        let needed = self.len() + more + PIECE;
        if needed > self.bytes.len() {
            self.bytes.reserve(needed - self.bytes.len());
            let room = self.bytes.capacity().min(u32::MAX as usize);
            assert!(needed <= room, "4 GiB of code");
            self.bytes.resize(room, 0);
        }
    }

    /// Appends an instruction.
    #[inline(always)]
    pub fn push(&mut self, code: Code) {
        self.store(code.low, code.high, code.len());
    }

    /// Appends the low `len` bytes, at most eight, of `bits`. What the others are does not matter.
    #[inline(always)]
    pub fn push_bits(&mut self, bits: u64, len: usize) {
        // The length is read once: for all the compiler knows, what is stored may lie over it.
        let end = self.len + len as u32;
        let at = self.len();
        match self.bytes.get_mut(at..at + 8).and_then(<[u8]>::first_chunk_mut) {
            Some(room) => *room = bits.to_le_bytes(),
            None => self.store_grown(bits, 0),
        }
        self.len = end;
    }

    /// Appends the low `len` bytes, at most sixteen, of `bits`. What the others are does not matter.
    #[inline(always)]
    pub fn push_wide(&mut self, bits: u128, len: usize) {
        self.store(bits as u64, (bits >> 64) as u64, len);
    }

    /// Appends an instruction of four bytes.
    #[inline(always)]
    pub fn push_u32(&mut self, code: u32) {
        self.push_bits(code.into(), 4);
    }

    /// Appends four instructions of four bytes each.
    #[inline(always)]
    pub fn push_fours(&mut self, code: [u32; 4]) {
        let low = u64::from(code[0]) | u64::from(code[1]) << 32;
        let high = u64::from(code[2]) | u64::from(code[3]) << 32;
        self.store(low, high, 16);
    }

    /// Appends four instructions of seven bytes each, the low bytes of each number.
    #[inline(always)]
    pub fn push_sevens(&mut self, code: [u64; 4]) {
        code.into_iter().for_each(|code| self.push_bits(code, 7));
    }

    /// Stores up to sixteen bytes, of which the first `len` count. In halves, straight from registers: put together in memory first, they would
    /// have to be loaded at another width than they were written, which stalls (measured: a third of the time of lowering). That the length has
    /// 32 bits leaves one comparison: the end of the piece can not overflow.
    #[inline(always)]
    fn store(&mut self, low: u64, high: u64, len: usize) {
        let end = self.len + len as u32;
        let at = self.len();
        match self.bytes.get_mut(at..at + PIECE).map(<[u8]>::as_chunks_mut) {
            Some(([first, second], _)) => (*first, *second) = (low.to_le_bytes(), high.to_le_bytes()),
            _ => self.store_grown(low, high),
        }
        self.len = end;
    }

    /// The same where there may be no room yet. The halves are passed by value: what has an address is kept in memory.
    #[cold]
    #[inline(never)]
    fn store_grown(&mut self, low: u64, high: u64) {
        self.reserve(self.len());
        let at = self.len();
        self.bytes[at..at + 8].copy_from_slice(&low.to_le_bytes());
        self.bytes[at + 8..at + 16].copy_from_slice(&high.to_le_bytes());
    }

    /// The four bytes at `at`, which exist, in little-endian order.
    pub fn u32_at(&self, at: usize) -> u32 {
        self.bytes()[at..at + 4].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
    }

    /// Takes back what lies behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = u32::try_from(len).map_or(self.len, |len| len.min(self.len));
    }

    /// Replaces the four bytes at `at`, which exist, by `value` in little-endian order.
    #[inline]
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        let len = self.len();
        self.bytes[..len][at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}
