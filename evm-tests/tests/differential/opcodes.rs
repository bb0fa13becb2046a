//! Each opcode with its operands in each location, with boundary values, and its result consumed in each way.

use crate::world::{Case, FORKS, Harness, LATEST, is_available};
use ejit::evm::opcode::{self as op, Class, Info, OPCODES};
use evm_tests::random::{Item, Program, Random};
use revm::primitives::U256;
use revm::primitives::hardfork::SpecId;

/// Where an operand is when the opcode is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Location {
    /// A constant pushed just before.
    Constant,
    /// A word that may have any value, computed just before.
    Wide,
    /// A word masked to 64 bits.
    Narrow,
    /// A word masked to a byte by BYTE.
    Byte,
    /// A comparison's result.
    Flag,
    /// The same element as the operand before (which the first operand cannot be).
    Alias,
    /// A word that the block found on the stack.
    Slot,
}

const LOCATIONS: [Location; 7] =
    [Location::Constant, Location::Wide, Location::Narrow, Location::Byte, Location::Flag, Location::Alias, Location::Slot];

/// What becomes of a result.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// Stored in memory and returned.
    Return,
    /// Decides a jump.
    Branch,
    /// Stored in a slot.
    Store,
    /// Left on the stack for the next block, which returns it.
    Carry,
}

const USES: [Use; 4] = [Use::Return, Use::Branch, Use::Store, Use::Carry];

/// Values at which limbs, widths, shifts and signs change.
fn boundaries() -> Vec<U256> {
    let one = U256::ONE;
    let mut values: Vec<U256> =
        [0u64, 1, 2, 3, 7, 31, 32, 33, 63, 64, 127, 128, 255, 256, 257, 0xffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX]
            .map(U256::from)
            .into();
    for bit in [64, 65, 128, 192, 254, 255] {
        values.extend([(one << bit) - one, one << bit, (one << bit) + one]);
    }
    values.extend([
        U256::MAX,
        U256::MAX - one,
        U256::MAX << 8,
        U256::MAX >> 1,
        U256::from(1_000_000_007u64),
        U256::from(10).pow(U256::from(18)),
    ]);
    values
}

/// The code that brings operand `i`, which is the `i`th word of the input, to the top of the stack.
fn operand(location: Location, i: usize, value: U256) -> Vec<Item> {
    let input = [Item::Push(U256::from(32 * i)), Item::Op(op::CALLDATALOAD)];
    let with = |rest: &[Item]| input.iter().chain(rest).cloned().collect();
    match location {
        Location::Constant => vec![Item::Push(value)],
        Location::Wide => with(&[]),
        Location::Narrow => with(&[Item::Push(U256::from(u64::MAX)), Item::Op(op::AND)]),
        Location::Byte => with(&[Item::Push(U256::from(31)), Item::Op(op::BYTE)]),
        Location::Flag => with(&[Item::Op(op::ISZERO)]),
        Location::Alias => vec![Item::Op(op::DUP1)],
        Location::Slot => Vec::new(),
    }
}

/// A program that executes `byte` with operands (the deepest first) in these locations.
fn program(byte: u8, locations: &[Location], values: &[U256], consumer: Use) -> Program {
    let mut items = Vec::new();
    // Operands in slots must lie below the others.
    let slots = locations.iter().take_while(|location| **location == Location::Slot).count();
    for (i, value) in values.iter().enumerate().take(slots) {
        items.extend(operand(Location::Wide, i, *value));
    }
    if slots > 0 {
        items.extend([Item::PushLabel(0), Item::Op(op::JUMP), Item::Label(0)]);
    }
    for (i, location) in locations.iter().enumerate().skip(slots) {
        items.extend(operand(*location, i, values[i]));
    }
    items.push(Item::Op(byte));
    let zero = Item::Push(U256::ZERO);
    if OPCODES[usize::from(byte)].outputs == 0 {
        items.extend([
            Item::Op(op::MSIZE),
            Item::Push(U256::from(96)),
            Item::Op(op::MSTORE),
            Item::Push(U256::from(128)),
            zero,
            Item::Op(op::RETURN),
        ]);
        return Program(items);
    }
    let give_back = [zero.clone(), Item::Op(op::MSTORE), Item::Push(U256::from(32)), zero.clone(), Item::Op(op::RETURN)];
    match consumer {
        Use::Return => items.extend(give_back),
        Use::Branch => {
            items.extend([Item::PushLabel(1), Item::Op(op::JUMPI), Item::Push(U256::from(7))]);
            items.extend(give_back.clone());
            items.extend([Item::Label(1), Item::Op(op::MSIZE)]);
            items.extend(give_back);
        }
        Use::Store => items.extend([zero, Item::Op(op::SSTORE)]),
        Use::Carry => {
            items.extend([Item::PushLabel(1), Item::Op(op::JUMP), Item::Label(1)]);
            items.extend(give_back);
        }
    }
    Program(items)
}

/// Whether operands may be in these locations: slots first, an alias not first.
fn is_possible(locations: &[Location]) -> bool {
    let slots = locations.iter().take_while(|location| **location == Location::Slot).count();
    !locations[slots..].contains(&Location::Slot) && locations.first() != Some(&Location::Alias)
}

/// Opcodes that a program of one opcode makes sense for.
fn bytes(is_wanted: impl Fn(&Info) -> bool) -> Vec<u8> {
    let is_tested = |byte: &u8| {
        let info = &OPCODES[usize::from(*byte)];
        info.name != "UNDEFINED" && !matches!(info.class, Class::Jump | Class::JumpDest | Class::Push) && is_wanted(info)
    };
    (0..=u8::MAX).filter(is_tested).collect()
}

/// Checks `rounds` random choices of values for each choice of locations and uses (all, or `random` ones where there are many).
fn check(harness: &mut Harness, byte: u8, forks: &[SpecId], rounds: usize) {
    let info = &OPCODES[usize::from(byte)];
    let random = &mut Random::new(byte.into());
    let values = boundaries();
    let inputs = usize::from(info.inputs);
    let choices = LOCATIONS.len().pow(inputs as u32);
    let all = choices <= 7 * 7;
    for choice in 0..if all { choices } else { 60 } {
        let choice = if all { choice } else { random.bits() as usize % choices };
        let locations: Vec<Location> =
            (0..inputs).map(|i| LOCATIONS[choice / LOCATIONS.len().pow(i as u32) % LOCATIONS.len()]).collect();
        if !is_possible(&locations) {
            continue;
        }
        for consumer in if info.outputs == 0 { &USES[..1] } else { &USES[..] } {
            for _ in 0..rounds {
                let operands: Vec<U256> = locations.iter().map(|_| random.pick(&values)).collect();
                let code = program(byte, &locations, &operands, *consumer).assemble();
                let input: Vec<u8> = operands.iter().flat_map(|value| value.to_be_bytes::<32>()).collect();
                let case = Case::new(code).input(input).fork(random.pick(forks));
                if let Err(difference) = harness.compare(&case) {
                    panic!("{} of {operands:x?} in {locations:?}, {consumer:?}\n{difference}", info.name);
                }
            }
        }
    }
}

#[test]
fn pure_opcodes() {
    let mut harness = Harness::new();
    for byte in bytes(|info| info.class == Class::Pure) {
        check(&mut harness, byte, &[LATEST], 8);
    }
    assert!(harness.compiled_instructions() > 10_000, "compiled code has executed next to nothing");
}

#[test]
fn other_opcodes() {
    let mut harness = Harness::new();
    for byte in bytes(|info| info.class != Class::Pure) {
        check(&mut harness, byte, &[LATEST], 4);
    }
}

#[test]
fn opcodes_under_every_fork() {
    let mut harness = Harness::new();
    for byte in bytes(|_| true) {
        check(&mut harness, byte, &FORKS, 1);
    }
}

/// Each opcode with one operand too few, at the start of a block and after a push.
#[test]
fn underflow() {
    let mut harness = Harness::new();
    for fork in [SpecId::FRONTIER, LATEST, SpecId::AMSTERDAM] {
        for byte in (0..=u8::MAX).filter(|byte| is_available(fork, *byte)) {
            for operands in 0..usize::from(OPCODES[usize::from(byte)].inputs) {
                let mut items = vec![Item::Push(U256::ONE); operands];
                items.push(Item::Op(byte));
                harness.check(&Case::new(Program(items.clone()).assemble()).fork(fork));
                let jump = [Item::PushLabel(0), Item::Op(op::JUMP), Item::Label(0)];
                items.splice(operands..operands, jump);
                harness.check(&Case::new(Program(items).assemble()).fork(fork));
            }
        }
    }
}

/// PUSH0 to PUSH32, cut off by the end of code at every length.
#[test]
fn truncated_pushes() {
    let mut harness = Harness::new();
    for width in 0..=32u8 {
        for present in 0..=usize::from(width) {
            for before in [&[][..], &[op::JUMPDEST], &[0x36, 0x36]] {
                let code = [before, &[op::PUSH0 + width], &vec![0x5b; present]].concat();
                harness.check(&Case::new(code));
            }
        }
    }
}
