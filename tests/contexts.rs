//! Loops, internal functions and branches with words of every width, in every mode against revm: what is carried over edges between blocks, and
//! what is guessed about widths, shows in nothing.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::evm::opcode as op;
use revm::primitives::{Address, TxKind, hardfork::SpecId};
use support::{Asm, Random, World, address};

const CONTRACT: Address = address(0xc0de);

/// Programs tried where `EJIT_CONTEXT_PROGRAMS` does not say how many.
const PROGRAMS: u64 = 300;

/// What a transaction costs before anything runs, and what programs get besides where gas is to run out.
const INTRINSIC_GAS: u64 = 21_000;
const GAS: u64 = 8_000;

/// Elements below the loop counter.
const ELEMENTS: u64 = 7;

/// Writes one program: straight code with patches for labels.
struct Program {
    code: Vec<u8>,
    random: Random,
    /// Positions of two-byte operands that become the place of a function, with its number.
    calls: Vec<(usize, usize)>,
    /// Functions asked for.
    functions: usize,
}

impl Program {
    fn op(&mut self, op: u8) {
        self.code.push(op);
    }

    fn push(&mut self, value: &[u8]) {
        self.code.push(op::PUSH1 + value.len() as u8 - 1);
        self.code.extend(value);
    }

    fn push2(&mut self, value: usize) {
        self.push(&(value as u16).to_be_bytes());
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.below(n)
    }

    /// A number near the edge of some width.
    fn number(&mut self) {
        let wide = |bytes: &[u8], at: usize| {
            let mut word = [0; 32];
            word[32 - at - bytes.len()..32 - at].copy_from_slice(bytes);
            word
        };
        let low = self.below(4) as u8;
        // Upper limbs of a negative number.
        let below_zero = |limb: [u8; 8]| {
            let mut word = [0xff; 32];
            word[24..].copy_from_slice(&limb);
            word
        };
        match self.below(11) {
            0 | 1 => self.push(&[low]),
            8 => self.push(&below_zero((-1 - i64::from(low)).to_be_bytes())),
            9 => self.push(&below_zero((i64::MIN + i64::from(low)).to_be_bytes())),
            10 => self.push(&below_zero((i64::MAX - i64::from(low)).to_be_bytes())),
            2 => self.push(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc + low]),
            3 => self.push(&[0x80, 0, 0, 0, 0, 0, 0, low]),
            4 => self.push(&wide(&[0xff; 32], 0)),
            5 => self.push(&wide(&[1 + low], 8)),
            6 => self.push(&[0x12, 0x34, 0x56, 0x78, low]),
            _ => {
                let at = self.below(31) as usize;
                self.push(&wide(&[0x80 | low], at));
            }
        }
    }

    /// DUP of an element, with `above` things on top of the elements.
    fn dup(&mut self, above: u64) {
        let n = self.below(ELEMENTS) + above;
        self.op(op::DUP1 + n as u8);
    }

    /// Puts the top in the place of an element.
    fn put(&mut self, above: u64) {
        let n = self.below(ELEMENTS) + above;
        self.op(op::SWAP1 + n as u8);
        self.op(op::POP);
    }

    fn binary(&mut self) -> u8 {
        let ops = [
            op::ADD,
            op::ADD,
            op::ADD,
            op::SUB,
            op::SUB,
            op::MUL,
            op::SHL,
            op::SHR,
            op::SAR,
            op::AND,
            op::OR,
            op::XOR,
            op::DIV,
            op::MOD,
            op::LT,
            op::GT,
            op::SLT,
            op::SGT,
            op::EQ,
            op::BYTE,
            op::SIGNEXTEND,
            op::SDIV,
            op::SMOD,
            op::MULMOD,
        ];
        ops[self.below(ops.len() as u64) as usize]
    }

    /// Replaces an element by what becomes of others; `above` things are on top of the elements.
    fn step(&mut self, above: u64) {
        match self.below(15) {
            0..=4 => {
                let binary = self.binary();
                let operands = if binary == op::MULMOD { 3 } else { 2 };
                for n in 0..operands {
                    self.dup(above + n);
                }
                self.op(binary);
            }
            5 => {
                self.number();
                self.dup(above + 1);
                let binary = self.binary();
                if binary == op::MULMOD {
                    self.dup(above + 2);
                }
                self.op(binary);
            }
            6 => {
                self.dup(above);
                let unary = [op::ISZERO, op::NOT, op::ISZERO][self.below(3) as usize];
                self.op(unary);
            }
            7 => {
                // Masked arithmetic: only the low bits matter.
                self.dup(above);
                self.dup(above + 1);
                self.op(op::MUL);
                self.number();
                self.op(op::ADD);
                self.push(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
                self.op(op::AND);
            }
            8 => {
                let offset = self.below(40) as u8 * 8;
                self.dup(above);
                self.push(&[offset]);
                self.op(op::MSTORE);
                let offset = self.below(40) as u8 * 8;
                self.push(&[offset]);
                self.op(op::MLOAD);
            }
            9 => {
                // Elements change places.
                let (a, b) = (self.below(ELEMENTS) + above, self.below(ELEMENTS) + above);
                for n in [a, b, a] {
                    if n > 0 {
                        self.op(op::SWAP1 + n as u8 - 1);
                    }
                }
                return;
            }
            10 => {
                self.push(&[1]);
                self.op(op::SLOAD);
            }
            11 => {
                // Only whether they differ matters.
                self.dup(above);
                self.dup(above + 1);
                self.difference();
                self.op(op::ISZERO);
            }
            12 => {
                // The mask lies below the operands.
                let mask = [0xff; 8];
                let len = 1 + self.below(8) as usize;
                self.push(&mask[..len]);
                self.number();
                self.dup(above + 2);
                if self.below(2) == 0 {
                    self.push(&[0xff]);
                    self.op(op::AND);
                }
                let operation = [op::SHR, op::SHR, op::BYTE, op::MUL, op::SUB][self.below(5) as usize];
                self.op(operation);
                self.op(op::AND);
            }
            13 => {
                // A byte of an element, at an index that another one gives.
                self.dup(above);
                self.dup(above + 1);
                self.push(&[0x1f]);
                self.op(op::AND);
                self.op(op::BYTE);
            }
            _ => {
                self.dup(above);
                self.push(&[31]);
                self.op(op::AND);
                self.op(op::MLOAD);
            }
        }
        self.put(above);
    }

    /// An operation that gives 0 where its operands are the same.
    fn difference(&mut self) {
        let operation = [op::SUB, op::XOR][self.below(2) as usize];
        self.op(operation);
    }

    /// A step that is made only if one element is less than another, or another one.
    fn branch(&mut self, above: u64) {
        self.dup(above);
        self.dup(above + 1);
        if self.below(3) == 0 {
            self.difference();
        } else {
            self.op(op::LT);
        }
        let at = self.code.len() + 1;
        self.push2(0);
        self.op(op::JUMPI);
        self.step(above);
        self.bind(at);
    }

    /// A call of a function, which makes a step below its return address.
    fn call(&mut self) {
        let back = self.code.len() + 1;
        self.push2(0);
        let function = self.below(3) as usize;
        self.functions = self.functions.max(function + 1);
        self.calls.push((self.code.len() + 1, function));
        self.push2(0);
        self.op(op::JUMP);
        self.bind(back);
    }

    /// A jump destination here, whose place goes to the operand at `at`.
    fn bind(&mut self, at: usize) {
        let here = (self.code.len() as u16).to_be_bytes();
        self.code[at..at + 2].copy_from_slice(&here);
        self.op(op::JUMPDEST);
    }

    fn body(&mut self) {
        for _ in 0..self.below(6) + 1 {
            match self.below(8) {
                0..=4 => self.step(1),
                5 | 6 => self.branch(1),
                _ => self.call(),
            }
        }
    }

    /// A loop of some rounds, perhaps with another one in it. Its counter is on top of the elements.
    fn repeat(&mut self) {
        let rounds = self.below(9) as u8 + 2;
        self.push(&[rounds]);
        let top = self.code.len();
        self.op(op::JUMPDEST);
        self.body();
        self.push(&[1]);
        self.op(op::SWAP1);
        self.op(op::SUB);
        self.op(op::DUP1);
        self.push2(top);
        self.op(op::JUMPI);
        self.op(op::POP);
    }

    fn written(seed: u64) -> Vec<u8> {
        let mut program = Program { code: Vec::new(), random: Random::new(seed), calls: Vec::new(), functions: 0 };
        for n in 0..ELEMENTS {
            program.number();
            program.op(op::DUP1);
            program.push(&[n as u8 * 32]);
            program.op(op::MSTORE);
        }
        for _ in 0..program.below(3) + 1 {
            program.repeat();
        }
        for n in 0..ELEMENTS {
            program.push2(512 + 32 * n as usize);
            program.op(op::MSTORE);
        }
        program.push2(512 + 32 * ELEMENTS as usize);
        program.push(&[0]);
        program.op(op::RETURN);
        for function in 0..program.functions {
            let here = (program.code.len() as u16).to_be_bytes();
            for (at, _) in program.calls.clone().into_iter().filter(|call| call.1 == function) {
                program.code[at..at + 2].copy_from_slice(&here);
            }
            program.op(op::JUMPDEST);
            program.step(2);
            program.op(op::JUMP);
        }
        program.code
    }
}

/// Says which program failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: {}", self.0, Program::written(self.0).iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
}

#[test]
fn random_loops_are_what_revm_says() {
    let programs = std::env::var("EJIT_CONTEXT_PROGRAMS").map_or(PROGRAMS, |n| n.parse().expect("a number of programs"));
    let first = std::env::var("EJIT_CONTEXT_FIRST").map_or(0, |n| n.parse().expect("the first seed"));
    for seed in first..first + programs {
        let _seed = Seed(seed);
        let world = World::new().code(CONTRACT, Program::written(seed)).storage(CONTRACT, 1, seed);
        let frames = world.check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
        assert!(frames > 0, "seed {seed}");
        // Not enough gas, mostly: it runs out anywhere, and as revm says.
        let gas = Random::new(!seed).below(GAS);
        world.check(&[SpecId::OSAKA], |tx| (tx.kind, tx.gas_limit) = (TxKind::Call(CONTRACT), INTRINSIC_GAS + gas));
    }
}

#[test]
fn counters_cross_the_width_of_registers() {
    // Counts up past 2^64, and down past 0, in steps; the sum of both counters is returned.
    for (op, start) in [(op::ADD, u64::MAX - 3), (op::SUB, 4), (op::MUL, 1 << 40)] {
        let code = Asm::new().push(start).push(9).ops(&[op::JUMPDEST]).build();
        let top = code.len() as u64 - 1;
        let code = Asm::new()
            .ops(&code)
            .push(if op == op::MUL { 16 } else { 1 })
            .ops(&[op::DUP1 + 2, op, op::SWAP1 + 1, op::POP, op::PUSH1, 1, op::SWAP1, op::SUB, op::DUP1])
            .push(top)
            .ops(&[op::JUMPI, op::POP, op::PUSH1, 0, op::MSTORE, op::PUSH1, 32, op::PUSH1, 0, op::RETURN])
            .build();
        let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
        assert!(frames > 0);
    }
}

#[test]
fn deep_stacks_end_where_they_must() {
    // Pushes until the stack is full, in a loop whose words are in registers: the failure is revm's.
    for step in [1, 2, 7] {
        let mut code = vec![op::PUSH1, 3, op::JUMPDEST];
        code.extend([op::DUP1].repeat(step));
        code.extend([op::PUSH1, 1, op::ADD, op::PUSH1, 2, op::JUMP]);
        let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
        assert!(frames > 0);
    }
}

#[test]
fn loops_over_wide_words_get_on_when_they_get_hot() {
    // Elements that do not fit 64 bits, where the loop's header guesses that they do once it is compiled: what is asked for then is not worth
    // compiling yet.
    for wide in 1..3 {
        let mut code = Asm::new().push(1).ops(&[op::PUSH1, 200, op::SHL].repeat(wide)).push(5_000).ops(&[op::JUMPDEST]).build();
        let top = code.len() as u8 - 1;
        code.extend([op::PUSH1, 1, op::SWAP1, op::SUB, op::SWAP1, op::DUP1, op::ADD, op::CALLER, op::XOR, op::SWAP1, op::DUP1]);
        code.extend([op::PUSH1, top, op::JUMPI, op::POP, op::PUSH1, 0, op::MSTORE, op::PUSH1, 32, op::PUSH1, 0, op::RETURN]);
        let frames = World::new().code(CONTRACT, code).check(&[SpecId::OSAKA], |tx| tx.kind = TxKind::Call(CONTRACT));
        assert!(frames > 0);
    }
}
