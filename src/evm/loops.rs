//! Loop headers, as far as a short look tells.

use super::ahead::{Ahead, ahead};
use super::code::Code;
use super::opcode;

/// Eights of bytes that are looked through at once where there is no jump.
const EIGHTS: usize = 8;

/// Where jumps with constant destinations lead backwards.
#[derive(Clone, Debug, Default)]
pub struct Loops {
    /// Bitmap of the positions that a `PUSH destination; JUMP` or `JUMPI` further on leads back to. Whether they are jump destinations is not
    /// looked at.
    back: Vec<u64>,
    /// Bitmap of those that were found to be headers; the others lose their bit in `back`.
    headers: Vec<u64>,
}

impl Loops {
    /// Looks through all of the code, once: eight bytes at a time for jumps, and before those for what they go to. Immediates are not told from
    /// instructions.
    pub fn of(code: &Code) -> Loops {
        let len = code.bytes().len();
        let mut back = vec![0; len.div_ceil(64)];
        // Behind the code are zeros, which are no jumps.
        let (eights, _) = code.padded().as_chunks();
        for (n, eights) in eights[..len.div_ceil(8)].chunks(EIGHTS).enumerate() {
            if !has_jump(eights.as_flattened()) {
                continue;
            }
            for (k, eight) in eights.iter().enumerate() {
                let mut jumps = jumps_among(*eight);
                while jumps != 0 {
                    let pc = 8 * (EIGHTS * n + k) + jumps.trailing_zeros() as usize / 8;
                    note(before(code, pc), pc, &mut back);
                    jumps &= jumps - 1;
                }
            }
        }
        Loops { headers: vec![0; back.len()], back }
    }

    /// Whether a loop's header is at `pc`: a jump leads back there, and not to a shared end of functions, from where a look ahead ends with the
    /// frame or with a function's return.
    pub fn is_header(&mut self, code: &Code, pc: usize) -> bool {
        let (at, bit) = (pc / 64, 1 << (pc % 64));
        if self.back.get(at).is_none_or(|bits| bits & bit == 0) {
            return false;
        }
        if self.headers[at] & bit == 0 {
            if ahead(code, pc) != Ahead::Open {
                self.back[at] &= !bit;
                return false;
            }
            self.headers[at] |= bit;
        }
        true
    }
}

/// Notes where the jump at `pc` leads back to, if one of the four bytes `before` it begins the instruction that says it.
#[inline(always)]
fn note(before: u32, pc: usize, back: &mut [u64]) {
    for (bits, push) in [(8, opcode::PUSH1), (16, opcode::PUSH2), (24, opcode::PUSH3)] {
        let destination = (before & ((1 << bits) - 1)) as usize;
        if (before >> bits) as u8 == push && destination < pc {
            back[destination / 64] |= 1 << (destination % 64);
        }
    }
}

/// Whether one of the bytes is a JUMP or JUMPI. Without a branch, so that many are looked at at once.
#[inline(always)]
fn has_jump(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, byte| any | (byte & !1 == opcode::JUMP))
}

/// JUMP and JUMPI among eight bytes: the top bit of each, the first byte being the lowest.
fn jumps_among(bytes: [u8; 8]) -> u64 {
    const _: () = assert!(opcode::JUMP & 1 == 0 && opcode::JUMPI == opcode::JUMP | 1);
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    let other = (u64::from_le_bytes(bytes) ^ u64::from_ne_bytes([opcode::JUMP; 8])) & !u64::from_ne_bytes([1; 8]);
    // The top bit of each byte that is not zero: no carry leaves a byte.
    !(((other & LOW) + LOW) | other | LOW)
}

/// The four bytes before `pc`, the last the lowest; where there are fewer, zeros, which push nothing, before them.
#[inline]
fn before(code: &Code, pc: usize) -> u32 {
    let bytes = &code.padded()[pc.saturating_sub(4)..pc];
    match bytes.first_chunk() {
        Some(four) => u32::from_be_bytes(*four),
        None => bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(bytes: &[u8]) -> Vec<usize> {
        let code = Code::new(bytes);
        let mut loops = Loops::of(&code);
        let mut found = || (0..bytes.len() + 64).filter(|&pc| loops.is_header(&code, pc)).collect::<Vec<_>>();
        let first = found();
        assert_eq!(found(), first, "what was found is remembered");
        first
    }

    #[test]
    fn only_backward_jumps_make_headers() {
        // 0: JUMPDEST; 1: PUSH1 6; JUMP; 4: PUSH1 0 (no jump); 6: JUMPDEST; 7: PUSH1 0; JUMPI; 10: PUSH2 0x0006; JUMP
        assert_eq!(headers(&[0x5b, 0x60, 6, 0x56, 0x60, 0, 0x5b, 0x60, 0, 0x57, 0x61, 0, 6, 0x56, 0x61, 0]), [0, 6]);
        assert!(headers(&[0x60]).is_empty());
        assert!(headers(&[]).is_empty());
    }

    #[test]
    fn shared_ends_of_functions_are_no_headers() {
        // 0: JUMPDEST; POP; JUMP; 3: PUSH1 0; JUMP; 6: JUMPDEST; STOP; 8: PUSH1 6; JUMP
        assert!(headers(&[0x5b, 0x50, 0x56, 0x60, 0, 0x56, 0x5b, 0x00, 0x60, 6, 0x56]).is_empty());
    }
}
