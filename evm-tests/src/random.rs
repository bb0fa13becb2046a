//! Random programs: structured enough to run far, odd enough to reach corners. And the seeded numbers behind them.
//!
//! A [`Program`] is a list of [`Item`]s rather than bytes, so that a failing one can be made smaller item by item and still
//! be assembled: a jump to a label that is gone goes to 0. Which opcodes may occur is the caller's to say; what they take from the
//! stack and put there is revm's table's.
//!
//! ```
//! use evm_tests::random::{Program, Random};
//! let program = Program::random(&mut Random::new(7), &|_| true);
//! assert_eq!(program.assemble(), Program::random(&mut Random::new(7), &|_| true).assemble());
//! ```

use revm::bytecode::opcode::{self as op, OPCODE_INFO};
use revm::primitives::{U256, hex};
use std::fmt;

/// Seeded random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of some things.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Bytes without any structure.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.bits() as u8).collect()
    }

    /// A word at or near a boundary, or small, or any.
    pub fn word(&mut self) -> U256 {
        let boundary =
            |random: &mut Random| U256::ONE << random.pick(&[0, 1, 5, 7, 8, 15, 16, 31, 32, 63, 64, 65, 127, 128, 191, 192, 255]);
        match self.below(10) {
            0..=3 => U256::from(self.below(70)),
            4 => boundary(self),
            5 => boundary(self) - U256::ONE,
            6 => boundary(self).wrapping_neg(),
            7 => U256::from(self.bits()),
            8 => U256::MAX - U256::from(self.below(3)),
            _ => U256::from_limbs([self.bits(), self.bits(), self.bits(), self.bits()]),
        }
    }
}

/// A piece of a program that can be taken out by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An opcode, or any byte.
    Op(u8),
    /// The shortest PUSH of a word (PUSH1 for zero).
    Push(U256),
    /// PUSH2 of a label's place.
    PushLabel(usize),
    /// JUMPDEST with a number.
    Label(usize),
}

/// A program as a list of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program(pub Vec<Item>);

impl Program {
    /// A random program of the opcodes that `is_available`.
    pub fn random(random: &mut Random, is_available: &dyn Fn(u8) -> bool) -> Program {
        let mut generator = Generator { random, is_available, items: Vec::new(), depth: 0, labels: 0, nesting: 0 };
        generator.program();
        Program(generator.items)
    }

    /// Its bytecode.
    pub fn assemble(&self) -> Vec<u8> {
        let mut places = Vec::new();
        let mut code = Vec::new();
        let mut uses = Vec::new();
        for item in &self.0 {
            match *item {
                Item::Op(byte) => code.push(byte),
                Item::Push(word) => {
                    let bytes = word.to_be_bytes_trimmed_vec();
                    let bytes = if bytes.is_empty() { vec![0] } else { bytes };
                    code.push(op::PUSH0 + bytes.len() as u8);
                    code.extend(bytes);
                }
                Item::PushLabel(label) => {
                    code.push(op::PUSH2);
                    uses.push((code.len(), label));
                    code.extend([0, 0]);
                }
                Item::Label(label) => {
                    places.resize(places.len().max(label + 1), 0u16);
                    places[label] = code.len() as u16;
                    code.push(op::JUMPDEST);
                }
            }
        }
        for (at, label) in uses {
            let place = places.get(label).copied().unwrap_or_default();
            code[at..at + 2].copy_from_slice(&place.to_be_bytes());
        }
        code
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.0 {
            match item {
                Item::Op(byte) => match OPCODE_INFO[usize::from(*byte)] {
                    Some(info) => write!(f, "{} ", info.name())?,
                    None => write!(f, "hex:{} ", hex::encode([*byte]))?,
                },
                Item::Push(word) => write!(f, "{word:#x} ")?,
                Item::PushLabel(label) => write!(f, "@{label} ")?,
                Item::Label(label) => write!(f, "\n{label}: ")?,
            }
        }
        Ok(())
    }
}

/// Accounts that programs call: themselves, three of the harness's, two precompiles, nobody.
const CALLEES: [u64; 7] = [0xa1, 0xb2, 0xc3, 0xd4, 2, 4, 0x99];
/// Opcodes that take something from the stack and have neither side effects nor operands that must be small.
const PURE: [u8; 27] = [
    op::ADD,
    op::MUL,
    op::SUB,
    op::DIV,
    op::SDIV,
    op::MOD,
    op::SMOD,
    op::ADDMOD,
    op::MULMOD,
    op::EXP,
    op::SIGNEXTEND,
    op::LT,
    op::GT,
    op::SLT,
    op::SGT,
    op::EQ,
    op::ISZERO,
    op::AND,
    op::OR,
    op::XOR,
    op::NOT,
    op::BYTE,
    op::SHL,
    op::SHR,
    op::SAR,
    op::CLZ,
    op::CALLDATALOAD,
];
/// Opcodes that only put something on the stack.
const READS: [u8; 20] = [
    op::ADDRESS,
    op::ORIGIN,
    op::CALLER,
    op::CALLVALUE,
    op::CALLDATASIZE,
    op::CODESIZE,
    op::GASPRICE,
    op::RETURNDATASIZE,
    op::COINBASE,
    op::TIMESTAMP,
    op::NUMBER,
    op::DIFFICULTY,
    op::GASLIMIT,
    op::CHAINID,
    op::SELFBALANCE,
    op::BASEFEE,
    op::BLOBBASEFEE,
    op::PC,
    op::MSIZE,
    op::GAS,
];
/// Opcodes that take an account.
const ACCOUNTS: [u8; 3] = [op::BALANCE, op::EXTCODESIZE, op::EXTCODEHASH];

/// State of the generation of one program. `depth` is how many elements the stack holds at least, if all goes well.
struct Generator<'a> {
    random: &'a mut Random,
    is_available: &'a dyn Fn(u8) -> bool,
    items: Vec<Item>,
    depth: usize,
    labels: usize,
    nesting: usize,
}

impl Generator<'_> {
    fn program(&mut self) {
        for _ in 0..3 + self.random.below(40) {
            self.statement();
        }
        while self.depth > 0 && !self.random.once_in(8) {
            let at = self.random.below(96) as u64;
            self.push(at);
            self.op(op::MSTORE);
        }
        let (length, offset) = (self.random.below(130) as u64, self.random.below(40) as u64);
        self.push(length);
        self.push(offset);
        let end = self.random.pick(&[op::RETURN, op::RETURN, op::RETURN, op::REVERT, op::STOP, op::INVALID]);
        self.op(end);
    }

    fn statement(&mut self) {
        match self.random.below(34) {
            0..=4 => self.push_word(),
            5..=6 => self.read(),
            7..=13 => self.pure(),
            14..=17 => self.shuffle(),
            18..=20 => self.memory(),
            21 => self.copy(),
            22..=23 => self.storage(),
            24 => self.effect(),
            25 => self.call(),
            26..=27 => self.branch(),
            28..=29 => self.repeat(),
            30 => self.function(),
            31 => self.switch(),
            32 if self.random.once_in(4) => self.create(),
            33 if self.random.once_in(8) => self.stray(),
            _ => self.pure(),
        }
    }

    /// Appends an opcode, with what it needs on the stack, if it may occur.
    fn op(&mut self, byte: u8) {
        let Some(info) = OPCODE_INFO[usize::from(byte)].filter(|_| (self.is_available)(byte)) else { return };
        while self.depth < usize::from(info.inputs()) && !self.random.once_in(200) {
            self.push_word();
        }
        self.items.push(Item::Op(byte));
        self.depth = self.depth.saturating_sub(info.inputs().into()) + usize::from(info.outputs());
    }

    fn push(&mut self, word: impl Into<u64>) {
        self.items.push(Item::Push(U256::from(word.into())));
        self.depth += 1;
    }

    fn push_word(&mut self) {
        let word = self.random.word();
        self.items.push(Item::Push(word));
        self.depth += 1;
    }

    fn push_label(&mut self, label: usize) {
        self.items.push(Item::PushLabel(label));
        self.depth += 1;
    }

    fn new_label(&mut self) -> usize {
        self.labels += 1;
        self.labels - 1
    }

    fn label(&mut self, label: usize) {
        self.items.push(Item::Label(label));
    }

    fn jump(&mut self, label: usize) {
        self.push_label(label);
        self.op(op::JUMP);
    }

    fn read(&mut self) {
        let byte = self.random.pick(&READS);
        self.op(byte);
    }

    fn pure(&mut self) {
        let byte = self.random.pick(&PURE);
        if byte == op::CALLDATALOAD && self.random.once_in(2) {
            let at = self.random.below(100) as u64;
            self.push(at);
        }
        self.op(byte);
    }

    fn shuffle(&mut self) {
        let reach = self.depth.clamp(1, 17) as u8;
        let n = self.random.below(reach.into()) as u8;
        match self.random.below(5) {
            0..=1 => self.op(op::DUP1 + n.min(15)),
            2..=3 if reach > 1 => self.op(op::SWAP1 + n.clamp(1, 16) - 1),
            _ => self.op(op::POP),
        }
    }

    /// Makes the top of the stack a number that is mostly below 256.
    fn small(&mut self) {
        if self.depth == 0 || self.random.once_in(2) {
            let word = self.random.below(160) as u64;
            self.push(word);
        } else if !self.random.once_in(12) {
            self.push(0xffu64);
            self.op(op::AND);
        }
    }

    fn memory(&mut self) {
        let byte = self.random.pick(&[op::MLOAD, op::MLOAD, op::MSTORE, op::MSTORE, op::MSTORE, op::MSTORE8]);
        self.small();
        self.op(byte);
    }

    fn copy(&mut self) {
        let byte = self.random.pick(&[op::CALLDATACOPY, op::CODECOPY, op::RETURNDATACOPY, op::MCOPY, op::EXTCODECOPY]);
        self.small();
        self.small();
        self.small();
        if byte == op::EXTCODECOPY {
            self.callee();
        }
        self.op(byte);
    }

    fn callee(&mut self) {
        let callee = self.random.pick(&CALLEES);
        self.push(callee);
    }

    fn storage(&mut self) {
        let byte = self.random.pick(&[op::SLOAD, op::SLOAD, op::SSTORE, op::SSTORE, op::TLOAD, op::TSTORE]);
        if !self.random.once_in(8) {
            let key = self.random.below(5) as u64;
            self.push(key);
        }
        self.op(byte);
    }

    fn effect(&mut self) {
        match self.random.below(8) {
            0..=2 => {
                let topics = self.random.below(5) as u8;
                self.small();
                self.small();
                self.op(op::LOG0 + topics);
            }
            3..=4 => {
                self.small();
                self.small();
                self.op(op::KECCAK256);
            }
            5..=6 => {
                let byte = self.random.pick(&ACCOUNTS);
                self.callee();
                self.op(byte);
            }
            _ => {
                let byte = self.random.pick(&[op::BLOCKHASH, op::BLOBHASH, op::SELFDESTRUCT, op::STOP]);
                self.op(byte);
            }
        }
    }

    fn call(&mut self) {
        let byte = self.random.pick(&[op::CALL, op::CALL, op::CALLCODE, op::DELEGATECALL, op::STATICCALL]);
        for _ in 0..4 {
            self.small();
        }
        if matches!(byte, op::CALL | op::CALLCODE) {
            let value = u64::from(self.random.once_in(4));
            self.push(value);
        }
        self.callee();
        match self.random.below(4) {
            0 => {
                self.push(2u64);
                self.op(op::GAS);
                self.op(op::DIV);
            }
            1 => self.push_word(),
            _ => {
                let gas = self.random.below(30_000) as u64;
                self.push(gas);
            }
        }
        self.op(byte);
    }

    /// Creates a contract whose code is a few bytes of memory.
    fn create(&mut self) {
        let byte = self.random.pick(&[op::CREATE, op::CREATE2]);
        if byte == op::CREATE2 {
            self.push_word();
        }
        self.small();
        self.small();
        let value = u64::from(self.random.once_in(3));
        self.push(value);
        self.op(byte);
    }

    /// `if` with one side or two.
    fn branch(&mut self) {
        let (other, end) = (self.new_label(), self.new_label());
        self.pure();
        self.push_label(other);
        self.op(op::JUMPI);
        let depth = self.depth;
        self.body(3);
        if self.random.once_in(2) {
            self.jump(end);
            let after = std::mem::replace(&mut self.depth, depth);
            self.label(other);
            self.body(3);
            self.label(end);
            self.depth = self.depth.min(after);
        } else {
            self.label(other);
            self.depth = self.depth.min(depth);
        }
    }

    /// Some statements, less the deeper they are.
    fn body(&mut self, most: usize) {
        self.nesting += 1;
        if self.nesting < 5 {
            for _ in 0..self.random.below(most + 1) {
                self.statement();
            }
        }
        self.nesting -= 1;
    }

    /// A loop that counts down in a stack element, or in memory (then its body's stack effect adds up).
    fn repeat(&mut self) {
        let head = self.new_label();
        let count = 1 + self.random.below(12) as u64;
        if self.random.once_in(3) {
            self.push(count);
            self.push(0x200u64);
            self.op(op::MSTORE);
            self.label(head);
            self.body(4);
            for item in
                [Item::Push(U256::ONE), Item::Push(U256::from(0x200)), Item::Op(op::MLOAD), Item::Op(op::SUB), Item::Op(op::DUP1)]
            {
                self.items.push(item);
            }
            self.items.extend([Item::Push(U256::from(0x200)), Item::Op(op::MSTORE), Item::PushLabel(head), Item::Op(op::JUMPI)]);
        } else {
            self.push(count);
            let depth = self.depth;
            self.label(head);
            self.body(4);
            while self.depth > depth {
                self.op(op::POP);
            }
            while self.depth < depth {
                self.push_word();
            }
            self.items.extend([Item::Push(U256::ONE), Item::Op(op::SWAP1), Item::Op(op::SUB), Item::Op(op::DUP1)]);
            self.items.extend([Item::PushLabel(head), Item::Op(op::JUMPI)]);
        }
    }

    /// An internal function, called once or twice, that returns by a jump to an address on the stack.
    fn function(&mut self) {
        let (entry, skip) = (self.new_label(), self.new_label());
        self.jump(skip);
        self.label(entry);
        // The return address is on top and stays there: nothing below it is counted.
        let depth = std::mem::take(&mut self.depth);
        for _ in 0..self.random.below(4) {
            self.pure();
        }
        while self.depth > 0 {
            self.op(op::POP);
        }
        self.items.push(Item::Op(op::JUMP));
        self.depth = depth;
        self.label(skip);
        for _ in 0..1 + self.random.below(3) {
            let back = self.new_label();
            self.push_label(back);
            self.push_label(entry);
            self.items.extend([Item::Op(op::JUMP), Item::Label(back)]);
            self.depth = depth.min(self.depth.saturating_sub(2));
        }
    }

    /// A jump whose target is computed.
    fn switch(&mut self) {
        let labels = [self.new_label(), self.new_label()];
        self.push_label(labels[0]);
        self.push_label(labels[1]);
        let depth = std::mem::take(&mut self.depth);
        self.push_word();
        self.pure();
        while self.depth > 1 {
            self.op(op::POP);
        }
        // labels[0] or labels[1], by the lowest bit of the top element: l0 ^ ((l0 ^ l1) * bit).
        self.items.extend([Item::Push(U256::ONE), Item::Op(op::AND), Item::Op(op::DUP3), Item::Op(op::DUP3), Item::Op(op::XOR)]);
        self.items.extend([Item::Op(op::MUL), Item::Op(op::DUP3), Item::Op(op::XOR), Item::Op(op::JUMP)]);
        self.depth = depth;
        self.label(labels[0]);
        self.body(2);
        self.depth = self.depth.min(depth);
        self.label(labels[1]);
        self.depth = self.depth.min(depth);
    }

    /// What no compiler writes: any byte, a jump to anywhere.
    fn stray(&mut self) {
        let byte = self.random.bits() as u8;
        match self.random.below(4) {
            0 => self.items.push(Item::Op(byte)),
            1 => self.op(op::JUMPI),
            2 => self.op(op::JUMP),
            _ => self.items.push(Item::Op(op::JUMPDEST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_places() {
        let program = Program(vec![
            Item::PushLabel(1),
            Item::Op(op::JUMP),
            Item::Push(U256::from(0x1234)),
            Item::Label(1),
            Item::PushLabel(9),
        ]);
        assert_eq!(program.assemble(), [0x61, 0, 7, 0x56, 0x61, 0x12, 0x34, 0x5b, 0x61, 0, 0]);
    }

    #[test]
    fn only_available_opcodes_occur() {
        let is_available = |byte| byte != op::SLOAD && byte != op::CALL;
        for seed in 0..200 {
            let program = Program::random(&mut Random::new(seed), &is_available);
            let strays = program.0.iter().filter(|item| matches!(item, Item::Op(byte) if !is_available(*byte))).count();
            assert!(strays <= 1, "{program}");
        }
    }
}
