//! Loop headers, as far as a short look tells: where a jump with a constant destination leads backwards, and not to a shared end of functions.

use super::ahead::{Ahead, ahead};
use super::code::Code;
use super::opcode::{self, info};

/// A bitmap of the positions of `code` that a `PUSH destination; JUMP` or `JUMPI` further on leads back to, unless a look ahead from there ends
/// with the frame, or with a function's return. Whether they are jump destinations is not looked at. One pass.
pub fn headers(code: &Code) -> Vec<u64> {
    let bytes = code.bytes();
    let mut headers = vec![0; bytes.len().div_ceil(64)];
    let mut pc = 0;
    while let Some(&op) = bytes.get(pc) {
        let size = info(op).size();
        if let (opcode::PUSH1..=opcode::PUSH3, Some(&(opcode::JUMP | opcode::JUMPI))) = (op, bytes.get(pc + size)) {
            let to = bytes[pc + 1..pc + size].iter().fold(0, |to, &byte| to << 8 | usize::from(byte));
            let bit = 1 << (to % 64);
            if to <= pc && headers[to / 64] & bit == 0 && ahead(code, to) == Ahead::Open {
                headers[to / 64] |= bit;
            }
        }
        pc += size;
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backward_jumps_make_headers() {
        // 0: JUMPDEST; 1: PUSH1 6; JUMP; 4: PUSH1 0 (no jump); 6: JUMPDEST; 7: PUSH1 0; JUMPI; 10: PUSH2 0x0006; JUMP
        let code = [0x5b, 0x60, 6, 0x56, 0x60, 0, 0x5b, 0x60, 0, 0x57, 0x61, 0, 6, 0x56, 0x61, 0];
        assert_eq!(headers(&Code::new(&code)), [1 | 1 << 6]);
        assert_eq!(headers(&Code::new(&[0x60])), [0]);
        assert!(headers(&Code::new(&[])).is_empty());
    }

    #[test]
    fn shared_ends_of_functions_are_no_headers() {
        // 0: JUMPDEST; POP; JUMP; 3: PUSH1 0; JUMP; 6: JUMPDEST; STOP; 8: PUSH1 6; JUMP
        let code = [0x5b, 0x50, 0x56, 0x60, 0, 0x56, 0x5b, 0x00, 0x60, 6, 0x56];
        assert_eq!(headers(&Code::new(&code)), [0]);
    }
}
