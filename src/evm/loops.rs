//! Loop headers, as far as a short look tells.

use super::ahead::{Ahead, ahead};
use super::code::Code;
use super::opcode::{self, info};

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
    /// Looks through all of the code, once.
    pub fn of(code: &Code) -> Loops {
        let bytes = code.bytes();
        let mut back = vec![0; bytes.len().div_ceil(64)];
        let mut pc = 0;
        while let Some(&op) = bytes.get(pc) {
            let size = info(op).size();
            if let (opcode::PUSH1..=opcode::PUSH3, Some(&(opcode::JUMP | opcode::JUMPI))) = (op, bytes.get(pc + size)) {
                let to = bytes[pc + 1..pc + size].iter().fold(0, |to, &byte| to << 8 | usize::from(byte));
                if to <= pc {
                    back[to / 64] |= 1 << (to % 64);
                }
            }
            pc += size;
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
