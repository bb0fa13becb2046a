//! Code that is made to be compiled to much: what is outlined gives what revm gives, and no contract comes to more machine code than it may.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::engine::{Config, CounterValues, Engine, Mode};
use ejit::evm::fork::schedule;
use ejit::evm::{block::Pc, code::Code, opcode as op};
use ejit::ir::{self, Ins, Label};
use ejit::lower::{LowerError, aarch64, x86_64};
use ejit::translate::context::Versions;
use ejit::translate::{AARCH64, Job, Options, Refusal, Routines, Slots, Stubs, Target, Translator, X86_64};
use revm::primitives::{Address, TxKind, hardfork::SpecId};
use support::{Asm, Caller, Random, World, address};

const CONTRACT: Address = address(0xb0b);
const OTHERS: [Address; 2] = [address(0xb0c), address(0xb0d)];

/// Programs tried where `EJIT_OUTLINED_PROGRAMS` does not say how many.
const PROGRAMS: u64 = 150;

/// Ethereum's largest contract (EIP-170).
const CONTRACT_BYTES: usize = 0x6000;

/// Machine code per byte of bytecode at most.
const MOST: u64 = 16;

/// What a transaction costs before anything runs.
const INTRINSIC_GAS: u64 = 21_000;

/// `head`, then `body` as often as there is room.
fn repeated(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut code = head.to_vec();
    while code.len() + body.len() <= CONTRACT_BYTES {
        code.extend(body);
    }
    code
}

/// Names and codes, each of which is compiled to much where every instruction is translated in place.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    use op::{BYTE, CALL, CALLDATALOAD, DUP1, DUP16, JUMP, JUMPDEST, JUMPI, MSTORE, MUL, PUSH0, SHL, SLOAD, SWAP1, SWAP16};
    let word = [PUSH0, CALLDATALOAD];
    let call = [PUSH0, PUSH0, PUSH0, PUSH0, PUSH0, PUSH0, PUSH0, CALL, op::POP];
    let constant: Vec<u8> = [&[op::PUSH1 + 31][..], &[0x9c; 32], &[op::MULMOD]].concat();
    vec![
        ("BYTE", repeated(&word, &[DUP1, BYTE])),
        ("calls", repeated(&[], &call)),
        ("jumps", repeated(&[], &[JUMPDEST, PUSH0, CALLDATALOAD, JUMP])),
        ("branches", repeated(&[], &[JUMPDEST, PUSH0, CALLDATALOAD, PUSH0, CALLDATALOAD, JUMPI])),
        ("jump destinations", repeated(&[], &[JUMPDEST])),
        ("MSTORE", repeated(&[], &[PUSH0, CALLDATALOAD, DUP1, MSTORE])),
        ("MUL", repeated(&word, &[DUP1, MUL])),
        ("SHL", repeated(&word, &[DUP1, SHL])),
        ("SLOAD", repeated(&[], &[PUSH0, CALLDATALOAD, SLOAD, op::POP])),
        ("shuffles", repeated(&word.repeat(16), &[DUP16, SWAP16, op::ADD, SWAP1])),
        ("constants", repeated(&word, &[&[DUP1, DUP1][..], &constant].concat())),
        ("dense, then jump destinations", [repeated(&word, &[DUP1, SHL])[..4096].to_vec(), vec![JUMPDEST; 20_480]].concat()),
    ]
}

/// What compiling all of a code comes to, from its beginning on and from all jump destinations that this does not reach.
fn compiled(code: &[u8]) -> CounterValues {
    let engine = Engine::new(Config::with_mode(Mode::Always));
    let contract = engine.contract(Code::new(code), SpecId::OSAKA);
    engine.compile_ahead(&contract, Pc(0), 100_000).expect("there is room");
    if engine.counters().read().compiled_bytes < code.len() as u64 {
        for (pc, _) in code.iter().enumerate().filter(|(_, byte)| **byte == op::JUMPDEST) {
            engine.compile_ahead(&contract, Pc(pc as u32), 1).expect("there is room");
        }
    }
    engine.counters().read()
}

#[test]
fn no_code_comes_to_more_than_it_may() {
    for (name, code) in bombs() {
        let counted = compiled(&code);
        assert!(counted.compiled_bytes >= code.len() as u64, "{name}: {counted:?}");
        assert!(counted.native_bytes <= MOST * counted.compiled_bytes, "{name}: {counted:?}");
    }
    let (_, dense) = &bombs()[7];
    let counted = compiled(dense);
    assert!(counted.outlined_bytes > counted.compiled_bytes / 2, "{counted:?}");
    let plain = compiled(&vec![op::JUMPDEST; CONTRACT_BYTES]);
    assert_eq!(plain.outlined_bytes, 0, "{plain:?}");
}

#[test]
fn bombs_end_as_they_must() {
    for (name, code) in bombs() {
        for (input, gas) in [(0, 1_000_000), (1, 1_000_000), (0, INTRINSIC_GAS + 15_001), (3, INTRINSIC_GAS + 20_002)] {
            let frames = World::new().code(CONTRACT, code.clone()).check(&[SpecId::OSAKA], |tx| {
                (tx.kind, tx.gas_limit) = (TxKind::Call(CONTRACT), gas);
                tx.data = [[0; 31].as_slice(), &[input]].concat().into();
            });
            assert!(frames > 0, "{name}");
        }
    }
}

/// Code so dense that what follows it is outlined. It leaves the stack as it was.
fn dense() -> Vec<u8> {
    let mut code = vec![op::PUSH0, op::CALLDATALOAD];
    code.extend([op::DUP1, op::SHL].repeat(600));
    code.push(op::POP);
    code
}

/// Runs a code on engines of its own; some of it must have been outlined if it was compiled at all. Gives the bytes that were.
fn check(worlds: World, gas: u64) -> u64 {
    let engines = [Mode::Always, Mode::Check].map(|mode| Engine::new(Config::with_mode(mode)));
    let mut caller = Caller::new(&worlds, &engines, SpecId::OSAKA);
    for _ in 0..2 {
        caller.check(|tx| {
            (tx.kind, tx.gas_limit) = (TxKind::Call(CONTRACT), gas);
            tx.data = (0..70).collect::<Vec<u8>>().into();
        });
    }
    engines[0].counters().read().outlined_bytes
}

/// Says which program failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn outlined_programs_are_what_revm_says() {
    let programs = std::env::var("EJIT_OUTLINED_PROGRAMS").map_or(PROGRAMS, |n| n.parse().expect("a number of programs"));
    let first = std::env::var("EJIT_OUTLINED_FIRST").map_or(0, |n| n.parse().expect("the first seed"));
    let mut outlined = 0;
    for seed in first..first + programs {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let mut world = World::new().storage(CONTRACT, 1, seed);
        let program = [dense(), random.program(&OTHERS)].concat();
        for at in OTHERS {
            world = world.code(at, [dense(), random.program(&[CONTRACT])].concat());
        }
        outlined += check(world.code(CONTRACT, program.clone()), 2_000_000);
        // It runs out of gas anywhere, and as revm says.
        let gas = INTRINSIC_GAS + 4_000 + random.below(6_000);
        check(World::new().code(CONTRACT, program), gas);
    }
    assert!(outlined > programs * 100, "{outlined}");
}

/// Every opcode of words, in outlined code, on operands of many kinds; and memory that grows until it cannot be paid for.
#[test]
fn every_opcode_is_outlined() {
    let operands: [&[u8]; 7] = [
        &[0],
        &[1],
        &[31],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x7f; 32],
        &[0x80; 32],
    ];
    let mut outlined = 0;
    let mut random = Random::new(7);
    for (opcode, row) in (0..=u8::MAX).zip(&op::OPCODES) {
        let words = matches!(row.class, op::Class::Pure | op::Class::Env | op::Class::Memory | op::Class::Dup | op::Class::Swap);
        if !words || !row.active(SpecId::OSAKA) {
            continue;
        }
        for round in 0..8 {
            let mut asm = Asm::new().ops(&dense());
            for _ in 0..row.inputs.max(1) {
                let operand = operands[random.below(operands.len() as u64) as usize];
                asm = asm.ops(&[op::PUSH1 + operand.len() as u8 - 1]).ops(operand);
            }
            asm = asm.ops(&[opcode, op::MSIZE, op::GAS, op::PC, op::CODESIZE]);
            // Everything on the stack is seen, and memory.
            for n in 0..row.inputs.max(1) - row.inputs + row.outputs + 4 {
                asm = asm.push(64 + 32 * u64::from(n)).ops(&[op::MSTORE]);
            }
            let code = asm.push(1024).push(0).ops(&[op::RETURN]).build();
            let gas = if round == 7 { INTRINSIC_GAS + 5_200 + random.below(400) } else { 1_000_000 };
            outlined += check(World::new().code(CONTRACT, code), gas);
        }
    }
    assert!(outlined > 10_000, "{outlined}");
}

/// Outlined code that runs often is compiled otherwise; what is too dense even then stays outlined.
#[test]
fn what_runs_often_is_promoted() {
    let code = [dense(), vec![op::PUSH0, op::CALLDATALOAD], [op::DUP1, op::ADD].repeat(1000)].concat();
    let engines = [Mode::Always, Mode::Tiered].map(|mode| Engine::new(Config::with_mode(mode)));
    let mut caller = Caller::new(&World::new().code(CONTRACT, code), &engines, SpecId::OSAKA);
    let mut counted = Vec::new();
    for _ in 0..2000 {
        caller.check(|tx| tx.kind = TxKind::Call(CONTRACT));
        counted.push(engines.each_ref().map(|engine| engine.counters().read()));
    }
    let [first, before, end] = [0, counted.len() - 2, counted.len() - 1].map(|run| counted[run]);
    for ((first, before), end) in first.iter().zip(&before).zip(&end) {
        assert_eq!((first.promoted, end.promoted), (0, 1), "{first:?} {end:?}");
        assert_eq!(end.units, before.units, "{end:?}");
    }
    assert!(end[0].native_bytes > first[0].native_bytes + 5_000, "{end:?}");
}

/// Where gas is overdrawn inside a section by memory that grows, a failure is the one that comes first.
#[test]
fn overdrawn_gas_is_found_out_in_order() {
    for (first, second) in [(0x2000, 0x1_0000_0000u64), (0x2000, 0x2020), (0x3000, 0x3_0000), (0x1000, u64::MAX)] {
        for rest in [20, 200, 800] {
            let wide = [op::PUSH0, op::NOT];
            let tails: [&[u8]; 3] =
                [&[op::MLOAD, op::POP], &[op::MLOAD, op::CALLDATALOAD, op::POP], &[op::POP, op::NOT, op::MLOAD]];
            for tail in tails {
                let asm = Asm::new().ops(&dense()).ops(&wide).push(1).push(first).ops(&[op::MSTORE]).push(second).ops(tail);
                let code = asm.ops(&[op::PUSH0, op::POP].repeat(rest)).build();
                for gas in (0..3_000).step_by(211) {
                    check(World::new().code(CONTRACT, code.clone()), INTRINSIC_GAS + 4_800 + gas);
                }
            }
        }
    }
}

/// Slots that do not exist.
struct Numbered(u64);

impl Slots for Numbered {
    fn new_slot(&mut self, _: u64) -> Result<u64, Refusal> {
        self.0 -= 8;
        Ok(self.0)
    }
}

/// Where the routines begin, and below them, downwards, the link slots.
const ROUTINES: u64 = 0x100_0000;
/// Where units begin.
const UNITS: u64 = 0x101_0000;

/// Machine code of a stream of instructions for a target of so many registers, which keeps the rules of the IR, and where its labels are.
type Lower = fn(&[Ins], u64, u8) -> Result<(Vec<u8>, Vec<Option<u32>>), LowerError>;

macro_rules! lower {
    ($target:ident) => {
        |ins, base, registers| {
            ir::verify(ins, registers).expect("the rules are kept");
            let mut lowerer = $target::Lowerer::new($target::Features::none());
            let bytes = lowerer.stream(ins, base)?.to_vec();
            Ok((bytes, (0..1024).map(|label| lowerer.label_offset(Label(label))).collect()))
        }
    };
}

/// Both targets, on every host: routines and outlined units keep the rules of the IR, can be lowered, and come to no more than they may.
#[test]
fn both_targets_have_routines() {
    let targets: [(&'static Target, u8, Lower); 2] = [(&X86_64, 15, lower!(x86_64)), (&AARCH64, 26, lower!(aarch64))];
    for (target, registers, lower) in targets {
        let mut translator =
            Translator::new(target, Stubs::resolve(|label| ROUTINES - 0x1_0000 + 16 * u64::from(label.0)), Options::default());
        let (bytes, labels) = lower(translator.routines(), ROUTINES, registers).expect("routines can be lowered");
        assert!(bytes.len() < 16 << 10, "{}", bytes.len());
        translator.use_routines(Routines::resolve(|label| Some(ROUTINES + u64::from((*labels.get(label.0 as usize)?)?))));
        for (name, code) in bombs() {
            let code = Code::new(&code);
            let (mut versions, mut slots) = (Versions::new(&code), Numbered(ROUTINES - 0x2_0000));
            let schedule = schedule(SpecId::OSAKA);
            let (mut native, mut compiled, mut wanted) = (0, 0, Some(versions.generic(Pc(0))));
            while let Some(id) = wanted {
                let mut job =
                    Job { code: &code, schedule, versions: &mut versions, slots: &mut slots, frugal: false, outlined: true };
                let unit = translator.translate(&mut job, id).expect("every block can be outlined");
                let (bytes, _) = lower(unit.ins, UNITS, registers).expect("units can be lowered");
                (native, compiled) = (native + bytes.len(), compiled + unit.bytes);
                for &(id, _) in unit.entries {
                    versions.get_mut(id).address = UNITS;
                }
                wanted = versions.next_wanted(Some(id), |_| true);
            }
            assert!(native <= MOST as usize * compiled, "{name}: {native} for {compiled}");
        }
    }
}
