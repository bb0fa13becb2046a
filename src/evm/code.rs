//! Bytecode and its jump destinations.
//!
//! [`Code`] is immutable bytecode that any number of threads and frames share. What the embedder has made ready to be executed is executed where
//! it is, and copied only when something is to be compiled of it. Which JUMPDEST bytes are jump
//! destinations is found when a jump asks (in codes of a hundred bytes, at once), and only as far into the code as that jump goes: a call that
//! runs a few hundred bytes of a contract of 24 KB does not pay for the rest. It knows no fork and no opcode but PUSH and JUMPDEST.
//!
//! ```
//! use ejit::evm::code::Code;
//! let code = Code::new(&[0x60, 0x5b, 0x5b]); // PUSH1 0x5b, JUMPDEST
//! assert!(!code.is_jump_destination(1));
//! assert!(code.is_jump_destination(2));
//! ```

use super::{jumps, jumps::JumpMap, opcode::JUMPDEST};
use revm_primitives::{Bytes, alloy_primitives::bytes};
use std::sync::OnceLock;

/// Zero bytes that follow [`Code::padded`], so that a truncated PUSH32 and the implicit STOP need no check, nor does looking a few instructions ahead.
pub const PADDING: usize = 40;

/// Bytecode with its jump destinations.
#[derive(Debug)]
pub struct Code {
    /// The code, and behind it what its instructions read beyond its end, the implicit STOP included.
    runnable: Bytes,
    /// Bytes of code.
    len: usize,
    padding: Padding,
    jumps: Jumps,
}

/// What follows the code where it is executed.
#[derive(Debug)]
enum Padding {
    /// [`PADDING`] zero bytes and more.
    Full,
    /// Just enough to execute it; a copy has more, and is made when it is asked for.
    Least(OnceLock<Bytes>),
}

/// Where the jump destinations come from.
#[derive(Debug)]
enum Jumps {
    /// Found by us at once, the code being short: a bit per byte of code, the lowest bit of a byte first.
    Short([u8; jumps::SHORT / 8]),
    /// Found by us, on demand.
    Lazy(JumpMap),
    /// Found by the embedder: a bit per byte of code, the lowest bit of a byte first.
    Given(Bytes),
}

impl Code {
    /// Code from raw bytes, which are copied and padded.
    pub fn new(raw: &[u8]) -> Code {
        Code { runnable: pad(raw), len: raw.len(), padding: Padding::Full, jumps: Jumps::of(raw) }
    }

    /// Code of `len` bytes at the start of `bytes`. Shares them if at least [`PADDING`] zero bytes follow, else copies.
    ///
    /// # Panics
    /// If `bytes` is shorter than `len`.
    pub fn from_padded(bytes: Bytes, len: usize) -> Code {
        let (code, padding) = bytes.split_at(len);
        let runnable = if padding.len() >= PADDING && padding.iter().all(|&byte| byte == 0) { bytes } else { pad(code) };
        let jumps = Jumps::of(&runnable[..len]);
        Code { runnable, len, padding: Padding::Full, jumps }
    }

    /// Code of `len` bytes at the start of `bytes`, which are shared.
    ///
    /// # Panics
    /// If `bytes` is shorter than `len`.
    ///
    /// # Safety
    /// What is executed lies within `bytes`: where instructions follow each other from the code's start, the immediates of the last one do, and a
    /// STOP after it unless it ends the frame. (revm's `analyze_legacy` pads so.)
    pub unsafe fn from_runnable(bytes: Bytes, len: usize) -> Code {
        let jumps = Jumps::of(&bytes[..len]);
        Code { runnable: bytes, len, padding: Padding::Least(OnceLock::new()), jumps }
    }

    /// The same code with jump destinations that the embedder knows already: a bit per byte of code, the lowest bit of each
    /// byte first (revm's `JumpTable`). `owner` is kept, not copied. Nothing will be analysed; a wrong map gives wrong jumps.
    ///
    /// # Panics
    /// If the map has fewer bits than the code has bytes.
    pub fn with_jump_destinations<T: AsRef<[u8]> + Send + 'static>(self, owner: T) -> Code {
        let map = Bytes(bytes::Bytes::from_owner(owner));
        assert!(map.len() >= self.len.div_ceil(8), "a bit for each of {} bytes, got {} bytes of bits", self.len, map.len());
        Code { jumps: Jumps::Given(map), ..self }
    }

    /// The code without padding.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.runnable[..self.len]
    }

    /// The code followed by all that executing it reads.
    #[inline]
    pub fn runnable(&self) -> &[u8] {
        &self.runnable
    }

    /// The code followed by at least [`PADDING`] zero bytes.
    #[inline]
    pub fn padded(&self) -> &[u8] {
        match &self.padding {
            Padding::Full => &self.runnable,
            Padding::Least(copy) => copy.get_or_init(|| pad(self.bytes())),
        }
    }

    /// Whether `pc` is known to be a jump destination already. Short enough to inline without a call; what it does not know,
    /// [`Code::is_jump_destination`] finds out.
    #[inline(always)]
    pub fn is_known_jump_destination(&self, pc: u64) -> bool {
        let byte = (pc / 8) as usize;
        let bits = match &self.jumps {
            Jumps::Short(map) => map.get(byte).copied(),
            Jumps::Lazy(map) => map.bits(byte),
            Jumps::Given(map) => map.get(byte).copied(),
        };
        // 32 bits: a bit test, without the shift's fixed register.
        bits.is_some_and(|bits| u32::from(bits) & 1 << (pc as u32 % 8) != 0)
    }

    /// Whether `pc` is a JUMPDEST that is not inside the immediate of a PUSH.
    #[inline]
    pub fn is_jump_destination(&self, pc: u64) -> bool {
        let code = self.bytes();
        let Ok(pc) = usize::try_from(pc) else {
            return false;
        };
        if code.get(pc) != Some(&JUMPDEST) {
            return false;
        }
        match &self.jumps {
            Jumps::Short(map) => map[pc / 8] >> (pc % 8) & 1 != 0,
            Jumps::Lazy(map) => map.contains(code, pc),
            Jumps::Given(map) => map[pc / 8] >> (pc % 8) & 1 != 0,
        }
    }
}

impl Jumps {
    #[inline]
    fn of(code: &[u8]) -> Jumps {
        if code.len() <= jumps::SHORT { Jumps::Short(jumps::of_short(code)) } else { Jumps::Lazy(JumpMap::new()) }
    }
}

fn pad(raw: &[u8]) -> Bytes {
    let mut padded = Vec::with_capacity(raw.len() + PADDING);
    padded.extend_from_slice(raw);
    padded.resize(raw.len() + PADDING, 0);
    padded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_padded() {
        let code = Code::new(&[0x7f]);
        assert_eq!(code.bytes(), [0x7f]);
        assert_eq!(code.padded().len(), 1 + PADDING);
        assert!(code.padded()[1..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn padded_bytes_are_shared_when_the_padding_suffices() {
        let padded = pad(&[0x5b; 100]);
        let shared = Code::from_padded(padded.clone(), 100);
        assert_eq!(shared.padded().as_ptr(), padded.as_ptr());

        let short = Code::from_padded(padded.slice(..100 + PADDING - 1), 100);
        assert_ne!(short.padded().as_ptr(), padded.as_ptr());
        assert_eq!(short.padded().len(), 100 + PADDING);

        // SAFETY: JUMPDESTs and the STOP behind them are all within.
        let least = unsafe { Code::from_runnable(padded.slice(..101), 100) };
        assert_eq!((least.runnable().as_ptr(), least.runnable().len()), (padded.as_ptr(), 101));
        assert_eq!((least.bytes(), least.padded()), (shared.bytes(), short.padded()));
        assert!(least.is_jump_destination(99) && !least.is_jump_destination(100));

        let dirty = Code::from_padded(vec![0x5b; 100 + PADDING].into(), 100);
        assert_eq!(dirty.bytes(), shared.bytes());
        assert!(dirty.padded()[100..].iter().all(|&byte| byte == 0));
        assert!(!dirty.is_jump_destination(100));
    }

    #[test]
    fn a_given_map_is_believed() {
        let code = Code::new(&[0x5b; 12]).with_jump_destinations([0b1000_0001u8, 0b1000]);
        let destinations: Vec<u64> = (0..20).filter(|&pc| code.is_jump_destination(pc)).collect();
        assert_eq!(destinations, [0, 7, 11]);
    }

    #[test]
    #[should_panic(expected = "a bit for each of 9 bytes")]
    fn a_short_map_is_refused() {
        let _ = Code::new(&[0x5b; 9]).with_jump_destinations([0xffu8]);
    }

    #[test]
    fn no_destination_lies_beyond_the_code() {
        let code = Code::new(&[0x5b]);
        assert!(code.is_jump_destination(0));
        for pc in [1, 1 + PADDING as u64, 1 << 32, u64::MAX] {
            assert!(!code.is_jump_destination(pc), "{pc}");
        }
        assert!(!Code::new(&[]).is_jump_destination(0));
    }
}
