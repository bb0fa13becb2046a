//! Jump destinations: which JUMPDEST bytes are instructions rather than immediates of a PUSH.
//!
//! Owns [`JumpMap`], a bitmap that is computed only as far as a jump asked for, and the scans behind it. It knows PUSH and
//! JUMPDEST, nothing else of the EVM: the answer is the same under every fork (EIP-8024's immediates stay valid destinations).
//!
//! A walk from instruction to instruction is bound by the latency of one after the other, which hostile code (PUSH1 after PUSH1)
//! drives to 4 cycles a byte. Where the processor has AVX2, blocks of [`BLOCK`] bytes are scanned in a time that does not depend
//! on content: for all 16 bytes of a lane at once, "if an instruction started here, where would the next one start" is one
//! vector, and looking that vector up in itself doubles the number of instructions stepped over (pointer jumping), so that four lookups yield
//! the lane's exit, and the destinations on the way to it, for every possible entry. What remains serial is one table load a lane.

#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::opcode::{JUMPDEST, PUSH1, PUSH32};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::OnceLock;

/// Bytes that are scanned at a time.
const BLOCK: usize = 128;
/// Codes of at most this many bytes are walked as soon as they are known: that takes less than being asked for it later.
pub(super) const SHORT: usize = 128;
/// So many times must a PUSH have come again before it is taken for likely that it goes on so.
const ROW: u32 = 4;
/// Analysis goes on to a multiple of this many bytes past the destination that was asked for.
const STRIDE: usize = 4 * BLOCK;

/// How far a scan has come: all bits below `base` are known, and the first instruction at or after `base` starts at
/// `base + carry`. One word, so that both advance together: `base` is a multiple of [`BLOCK`] and `carry` at most 32, and of two
/// frontiers of the same code the greater word is the one further on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frontier(u64);

impl Frontier {
    const START: Frontier = Frontier(0);

    #[inline]
    fn new(base: usize, carry: usize) -> Frontier {
        debug_assert!(base.is_multiple_of(BLOCK) && carry < BLOCK);
        Frontier((base | carry) as u64)
    }

    #[inline]
    fn base(self) -> usize {
        self.0 as usize & !(BLOCK - 1)
    }

    #[inline]
    fn carry(self) -> usize {
        self.0 as usize & (BLOCK - 1)
    }
}

/// The jump destinations of one code, found on demand and shared between threads.
///
/// Threads that meet an unknown part at the same time each scan it and store the same bits; the frontier only advances after
/// the bits below it are stored.
#[derive(Debug)]
pub(super) struct JumpMap {
    /// [`Frontier`]; stored with release after the bits below it, loaded with acquire before them.
    frontier: AtomicU64,
    /// A bit per byte of code, allocated when a jump first asks.
    bits: OnceLock<Box<[AtomicU8]>>,
}

impl JumpMap {
    /// A map of which nothing is known yet.
    pub(super) const fn new() -> JumpMap {
        JumpMap { frontier: AtomicU64::new(Frontier::START.0), bits: OnceLock::new() }
    }

    /// Whether the byte at `pc`, which must be within `code`, is a jump destination. `code` must be the same at every call.
    #[inline]
    pub(super) fn contains(&self, code: &[u8], pc: usize) -> bool {
        if pc >= Frontier(self.frontier.load(Ordering::Acquire)).base() {
            self.extend(code, pc);
        }
        let bits = self.bits.get().and_then(|bits| bits.get(pc / 8));
        bits.is_some_and(|bits| bits.load(Ordering::Relaxed) >> (pc % 8) & 1 != 0)
    }

    /// Bits of eight bytes of code, as far as they are known: what is set is a jump destination.
    #[inline(always)]
    pub(super) fn bits(&self, index: usize) -> Option<u8> {
        Some(self.bits.get()?.get(index)?.load(Ordering::Relaxed))
    }

    /// Scans on until the byte at `pc` is known.
    #[cold]
    fn extend(&self, code: &[u8], pc: usize) {
        let bits = self.bits.get_or_init(|| {
            let count = code.len().next_multiple_of(BLOCK) / 8;
            (0..count).map(|_| AtomicU8::new(0)).collect()
        });
        let from = Frontier(self.frontier.load(Ordering::Acquire));
        let end = (pc + 1).next_multiple_of(STRIDE).min(code.len());
        if from.base() < end {
            let reached = scan(&code[..end], from, bits);
            self.frontier.fetch_max(reached.0, Ordering::AcqRel);
        }
    }
}

/// The jump destinations of a code of at most [`SHORT`] bytes: a bit per byte, the lowest bit of a byte first.
pub(super) fn of_short(code: &[u8]) -> [u8; SHORT / 8] {
    let bits: [AtomicU8; SHORT / 8] = Default::default();
    walk(code, Frontier::START, &bits, usize::MAX);
    bits.map(AtomicU8::into_inner)
}

/// Scans from `from` to the end of `code`, which is cut off at a multiple of [`BLOCK`] or complete, and stores the bits: whole
/// bytes of them, each as it stays, so that a thread that is late does no harm. `bits` must be zero beyond `from`, or as an
/// earlier scan of the same code left them.
fn scan(code: &[u8], from: Frontier, bits: &[AtomicU8]) -> Frontier {
    #[cfg(target_arch = "x86_64")]
    if let Some(reached) = x86_64::scan(code, from, bits) {
        return reached;
    }
    walk(code, from, bits, usize::MAX)
}

/// Scans instruction by instruction. After `limit` instructions it stops at the end of the block.
fn walk(code: &[u8], from: Frontier, bits: &[AtomicU8], limit: usize) -> Frontier {
    let mut at = from.base() + from.carry();
    let (mut left, mut end) = (limit, code.len());
    // The byte of the map that the last destination is in, and its bits so far.
    let (mut index, mut found) = (0, 0);
    // The last PUSH, and how often it came again in a row.
    let (mut last, mut again) = (0, 0);
    while let Some(&byte) = code[..end].get(at) {
        if left == 0 {
            end = end.min((at + 1).next_multiple_of(BLOCK));
        }
        left = left.wrapping_sub(1);
        match byte {
            PUSH1..=PUSH32 => {
                let size = (byte - PUSH1) as usize + 2;
                at += size;
                again = if byte == last { again + 1 } else { 0 };
                last = byte;
                if again == ROW {
                    // As long as it is the same again, what is added is known before the byte is read: no read waits for the one before.
                    while left != 0 && code[..end].get(at) == Some(&byte) {
                        at += size;
                        left -= 1;
                    }
                    again = 0;
                }
            }
            JUMPDEST => {
                if index != at / 8 {
                    store(bits, index, found);
                    (index, found) = (at / 8, 0);
                }
                found |= 1 << (at % 8);
                at += 1;
            }
            _ => at += 1,
        }
    }
    store(bits, index, found);
    let base = end.next_multiple_of(BLOCK);
    Frontier::new(base, at.saturating_sub(base))
}

/// Stores a byte of the map; one without bits may be left as it was made.
fn store(bits: &[AtomicU8], index: usize, found: u8) {
    if found != 0 {
        bits[index].store(found, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
