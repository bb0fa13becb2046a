//! Bytecode and its jump destinations.

use revm_primitives::Bytes;

/// Bytecode, zero-padded, with its jump destinations analysed on demand.
#[derive(Debug)]
pub struct Code {
    bytes: Bytes,
    len: usize,
}

/// Zero bytes that follow every code, so that a truncated PUSH32 and the implicit STOP need no check.
pub const PADDING: usize = 40;

impl Code {
    /// Takes raw code and pads it.
    pub fn new(raw: &[u8]) -> Code {
        let mut padded = Vec::with_capacity(raw.len() + PADDING);
        padded.extend_from_slice(raw);
        padded.resize(raw.len() + PADDING, 0);
        Code { bytes: padded.into(), len: raw.len() }
    }

    /// The code without padding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The code followed by at least [`PADDING`] zero bytes.
    pub fn padded(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `pc` is a JUMPDEST that is not inside the immediate of a PUSH.
    pub fn is_jump_destination(&self, pc: u64) -> bool {
        let mut at = 0;
        let code = self.bytes();
        while at < code.len() {
            if at as u64 == pc {
                return code[at] == super::opcode::JUMPDEST;
            }
            at += if (0x60..0x80).contains(&code[at]) { (code[at] - 0x5e) as usize } else { 1 };
        }
        false
    }
}
