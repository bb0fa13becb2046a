//! What certainly lies ahead: where a short look over jumps to constants, calls of internal functions and their returns ends.

use super::{
    code::Code,
    opcode::{self, Class, info},
};

/// Instructions looked at.
const INSTRUCTIONS: usize = 64;

/// Stack elements that are kept track of.
const ELEMENTS: usize = 64;

/// An element that is no small constant.
const UNKNOWN: u32 = u32::MAX;

/// The top of the stack as far as it was pushed by the code looked at; what is below is unknown.
struct Top {
    elements: [u32; ELEMENTS],
    len: usize,
}

impl Top {
    fn push(&mut self, value: u32) {
        if self.len == ELEMENTS {
            // What lies deep is forgotten.
            self.elements.copy_within(1.., 0);
            self.len -= 1;
        }
        self.elements[self.len] = value;
        self.len += 1;
    }

    fn pop(&mut self) -> u32 {
        match self.len.checked_sub(1) {
            Some(len) => {
                self.len = len;
                self.elements[len]
            }
            None => UNKNOWN,
        }
    }

    fn dup(&mut self, n: usize) {
        let value = self.len.checked_sub(n).map_or(UNKNOWN, |i| self.elements[i]);
        self.push(value);
    }

    fn swap(&mut self, n: usize) {
        match self.len.checked_sub(n + 1) {
            Some(i) => self.elements.swap(i, self.len - 1),
            // The top goes where nothing is known of.
            None => {
                self.pop();
                self.push(UNKNOWN);
            }
        }
    }
}

/// What PUSH with an immediate of so many bytes pushes, of which four are there at least.
#[inline]
fn immediate(bytes: &[u8], len: u32) -> u32 {
    match (len, bytes.first_chunk()) {
        (1..=4, Some(four)) => u32::from_be_bytes(*four) >> (32 - 8 * len),
        (0, _) => 0,
        _ => UNKNOWN,
    }
}

/// Where a look ahead ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// At an opcode that ends the frame, or at the end of code (STOP).
    Ends(u8),
    /// At a jump whose destination is not known, or is none.
    Jumps,
    /// At a branch, a call, an opcode that is left to the interpreter, or too far away.
    Open,
}

/// Looks ahead from `pc`.
pub fn ahead(code: &Code, mut pc: usize) -> Ahead {
    let mut top = Top { elements: [UNKNOWN; ELEMENTS], len: 0 };
    let padded = code.padded();
    for _ in 0..INSTRUCTIONS {
        if pc >= code.bytes().len() {
            return Ahead::Ends(opcode::STOP);
        }
        let op = padded[pc];
        let row = info(op);
        let next = pc + row.size();
        match row.class {
            Class::Push => top.push(immediate(&padded[pc + 1..], row.immediate.into())),
            Class::Dup => top.dup(usize::from(op - opcode::DUP1) + 1),
            Class::Swap => top.swap(usize::from(op - opcode::SWAP1) + 1),
            Class::Jump if op == opcode::JUMP => {
                let to = top.pop();
                if to == UNKNOWN || !code.is_jump_destination(to.into()) {
                    return Ahead::Jumps;
                }
                pc = to as usize;
                continue;
            }
            Class::Terminal => return Ahead::Ends(op),
            Class::Pop | Class::Pure | Class::Env | Class::Memory | Class::Effect | Class::JumpDest => {
                top.len = top.len.saturating_sub(row.inputs.into());
                for _ in 0..row.outputs {
                    top.push(UNKNOWN);
                }
            }
            Class::Jump | Class::Call | Class::StackN | Class::Undefined => return Ahead::Open,
        }
        pc = next;
    }
    Ahead::Open
}

/// What was found ahead of the positions of one code, so that each is looked at once.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// Bitmap of positions that were looked at.
    taken: Vec<u64>,
    /// Bitmap of those from where the frame certainly reverts or fails.
    reverting: Vec<u64>,
}

impl Looks {
    /// None taken yet in `code`.
    pub fn new(code: &Code) -> Looks {
        let words = code.bytes().len() / 64 + 1;
        Looks { taken: vec![0; words], reverting: vec![0; words] }
    }

    /// As [`Ahead::reverts`] of what lies ahead of `pc`, in the code that this was made for.
    pub fn reverts(&mut self, code: &Code, pc: usize) -> bool {
        let (at, bit) = (pc / 64, 1 << (pc % 64));
        let (Some(taken), Some(reverting)) = (self.taken.get_mut(at), self.reverting.get_mut(at)) else {
            return false;
        };
        if *taken & bit == 0 {
            *taken |= bit;
            *reverting |= if ahead(code, pc).reverts() { bit } else { 0 };
        }
        *reverting & bit != 0
    }
}

impl Ahead {
    /// Whether the frame certainly reverts or fails: a branch that leads there is taken to be unlikely.
    pub fn reverts(self) -> bool {
        matches!(self, Ahead::Ends(opcode::REVERT | opcode::INVALID))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: &[u8]) -> bool {
        let (code, mut looks) = (Code::new(bytes), Looks::new(&Code::new(bytes)));
        let found = ahead(&code, 0).reverts();
        assert_eq!([looks.reverts(&code, 0), looks.reverts(&code, 0)], [found; 2]);
        found
    }

    #[test]
    fn straight_code_and_internal_functions_are_followed() {
        // PUSH0 PUSH0 REVERT; INVALID; STOP; the end of code.
        assert!(at(&[0x5f, 0x5f, 0xfd]));
        assert!(at(&[0xfe]));
        assert!(!at(&[0x00]));
        assert!(!at(&[0x5f]));
        // 0: PUSH1 5; PUSH1 8; JUMP; 5: JUMPDEST; INVALID; 7: STOP; 8: JUMPDEST; JUMP: a function that returns to what reverts.
        assert!(at(&[0x60, 5, 0x60, 8, 0x56, 0x5b, 0xfe, 0x00, 0x5b, 0x56]));
        // The same by way of DUP and SWAP: 8: JUMPDEST; DUP1; SWAP1; POP; JUMP.
        assert!(at(&[0x60, 5, 0x60, 8, 0x56, 0x5b, 0xfe, 0x00, 0x5b, 0x80, 0x90, 0x50, 0x56]));
        // No jump destination; one not known; a branch; a call.
        assert!(!at(&[0x60, 3, 0x56, 0xfe]));
        assert!(!at(&[0x35, 0x56, 0xfe]));
        assert!(!at(&[0x60, 3, 0x5f, 0x57, 0xfe]));
        assert!(!at(&[0xf1, 0xfe]));
        // PUSH5 of a destination and more.
        assert!(!at(&[0x64, 1, 0, 0, 0, 8, 0x56, 0x00, 0x5b, 0xfe]));
    }

    #[test]
    fn looks_end() {
        let look = |bytes: &[u8]| ahead(&Code::new(bytes), 0);
        // A circle: JUMPDEST; PUSH0; JUMP.
        assert_eq!(look(&[0x5b, 0x5f, 0x56]), Ahead::Open);
        assert_eq!(look(&[0x5f, 0x5f, 0x57]), Ahead::Open);
        assert_eq!(look(&[0x35, 0x56]), Ahead::Jumps);
        assert_eq!(look(&[0x5f]), Ahead::Ends(opcode::STOP));
        assert_eq!(look(&[0xf3]), Ahead::Ends(opcode::RETURN));
    }
}
