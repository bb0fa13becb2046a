//! Loop headers, as far as the bytes tell: where a jump with a constant destination leads backwards.

use super::opcode::{self, info};

/// A bitmap of the positions of `code` that a `PUSH destination; JUMP` or `JUMPI` further on leads back to. Whether they are jump
/// destinations is not looked at. One pass.
pub fn headers(code: &[u8]) -> Vec<u64> {
    let mut headers = vec![0; code.len().div_ceil(64)];
    let mut pc = 0;
    while let Some(&op) = code.get(pc) {
        let size = info(op).size();
        if let (opcode::PUSH1..=opcode::PUSH3, Some(&(opcode::JUMP | opcode::JUMPI))) = (op, code.get(pc + size)) {
            let to = code[pc + 1..pc + size].iter().fold(0, |to, &byte| to << 8 | usize::from(byte));
            if to <= pc {
                headers[to / 64] |= 1 << (to % 64);
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
        assert_eq!(headers(&code), [1 | 1 << 6]);
        assert_eq!(headers(&[0x60]), [0]);
        assert!(headers(&[]).is_empty());
    }
}
