//! Our interpreter and runtime functions against revm's interpreter, on the same small state: exit kind, gas, refund, stack, memory, requests, order of
//! host accesses.
#![cfg(feature = "revm")]

#[path = "common/world.rs"]
mod world;

use ejit::abi::{CallKind, Exit, Frame, Request};
use ejit::evm::{SpecId, code::Code, opcode};
use ejit::interp;
use ejit::runtime::{Outcome, resume_call, resume_create};
use revm::bytecode::Bytecode;
use revm::interpreter::{
    CallInput, CallScheme, FrameInput, Gas, InputsImpl, InstructionResult, Interpreter, InterpreterAction, SharedMemory,
    instructions::{gas_table_spec, instruction_table},
    interpreter::{EthInterpreter, ExtBytecode},
};
use revm::primitives::{Address, Bytes, U256};
use world::{Access, Message, World};

/// All that can be seen of an execution. Gas, stack and memory are left out after an exceptional halt, which makes them meaningless.
#[derive(Debug, PartialEq)]
struct Seen {
    exit: Exit,
    gas: u64,
    refund: i64,
    stack: Vec<U256>,
    memory: Vec<u8>,
    output: Vec<u8>,
    requests: Vec<Request>,
    accesses: Vec<Access>,
}

impl Seen {
    fn settled(mut self) -> Seen {
        if self.exit.is_halt() {
            (self.gas, self.refund) = (0, 0);
            self.stack.clear();
            self.memory.clear();
        }
        self
    }
}

fn at(n: u8) -> Address {
    Address::repeat_byte(n)
}

/// What children of either engine answer: the `n`th succeeds, reverts or halts in turn.
fn child(n: usize) -> (Outcome, Bytes) {
    match n % 3 {
        0 => (Outcome::Success, vec![0xaa; 40].into()),
        1 => (Outcome::Revert, vec![0xbb; 33].into()),
        _ => (Outcome::Halt, Bytes::new()),
    }
}

const REFUND_OF_CHILD: i64 = 7;

/// Requests after which a run is stopped.
const MOST_REQUESTS: usize = 8;

fn run_ours(mut world: World, message: &Message, run: fn(&mut Frame) -> Exit) -> Seen {
    let code = Code::new(&message.code);
    let mut stack = ejit::abi::StackBuffer::new();
    let mut frame = world::frame(&mut world, message, &code, &mut stack, Vec::new());
    let mut requests = vec![];
    let exit = loop {
        let exit = run(&mut frame);
        if exit != Exit::Suspend || requests.len() == MOST_REQUESTS {
            break exit;
        }
        let (outcome, output) = child(requests.len());
        let request = frame.request;
        requests.push(request);
        match request {
            Request::Call(call) => resume_call(&mut frame, outcome, call.gas_limit / 2, REFUND_OF_CHILD, output, call.output),
            Request::Create(create) => resume_create(&mut frame, outcome, at(0x77), create.gas_limit / 2, REFUND_OF_CHILD, output),
            Request::None => panic!("suspended for nothing"),
        }
    };
    // SAFETY: the elements between `stack` and `sp` are valid.
    let elements = unsafe { core::slice::from_raw_parts(frame.stack, frame.sp.offset_from(frame.stack) as usize) };
    let output = match exit {
        Exit::Return | Exit::Revert if frame.out_len != 0 => {
            frame.buffer[frame.out_offset as usize..][..frame.out_len as usize].to_vec()
        }
        _ => vec![],
    };
    Seen {
        exit,
        gas: frame.gas as u64,
        refund: frame.refund,
        stack: elements.to_vec(),
        memory: frame.buffer[..frame.memory_len as usize].to_vec(),
        output,
        requests,
        accesses: std::mem::take(&mut world.accesses),
    }
}

fn run_theirs(mut world: World, message: &Message) -> Seen {
    let mut memory = SharedMemory::new();
    memory.set_memory_limit(message.memory_limit);
    let mut interpreter = Interpreter::<EthInterpreter>::new(
        memory,
        ExtBytecode::new(Bytecode::new_legacy(message.code.clone().into())),
        InputsImpl {
            target_address: message.address,
            caller_address: message.caller,
            input: CallInput::Bytes(message.input.clone()),
            call_value: message.value,
            ..InputsImpl::default()
        },
        message.is_static,
        world.fork,
        message.gas,
    );
    let instructions = instruction_table::<EthInterpreter, World>();
    let gas_table = gas_table_spec(world.fork);
    let mut requests = vec![];
    let result = loop {
        match interpreter.run_plain(&instructions, &gas_table, &mut world) {
            InterpreterAction::Return(result) => break Some(result),
            InterpreterAction::NewFrame(_) if requests.len() == MOST_REQUESTS => break None,
            InterpreterAction::NewFrame(input) => {
                let (outcome, output) = child(requests.len());
                requests.push(request(&input));
                resume_theirs(&mut interpreter, &input, outcome, output);
            }
        }
    };
    let (exit, output) = match result {
        Some(result) => (exit(result.result), result.output.to_vec()),
        None => (Exit::Suspend, vec![]),
    };
    let gas: Gas = interpreter.gas;
    Seen {
        exit,
        gas: gas.remaining(),
        refund: gas.refunded(),
        stack: interpreter.stack.data().clone(),
        memory: interpreter.memory.context_memory().to_vec(),
        output,
        requests,
        accesses: std::mem::take(&mut world.accesses),
    }
}

/// As `EthFrame::return_result` does it.
fn resume_theirs(interpreter: &mut Interpreter<EthInterpreter>, input: &FrameInput, outcome: Outcome, output: Bytes) {
    let gas_limit = match input {
        FrameInput::Call(call) => {
            interpreter.return_data.0 = output.clone();
            if outcome != Outcome::Halt {
                let len = output.len().min(call.return_memory_offset.len());
                interpreter.memory.set(call.return_memory_offset.start, &output[..len]);
            }
            let _ = interpreter.stack.push(U256::from(outcome == Outcome::Success));
            call.gas_limit
        }
        FrameInput::Create(create) => {
            interpreter.return_data.0 = if outcome == Outcome::Revert { output } else { Bytes::new() };
            let created = if outcome == Outcome::Success { at(0x77).into_word().into() } else { U256::ZERO };
            let _ = interpreter.stack.push(created);
            create.gas_limit()
        }
        FrameInput::Empty => unreachable!(),
    };
    if outcome != Outcome::Halt {
        interpreter.gas.erase_cost(gas_limit / 2);
    }
    if outcome == Outcome::Success {
        interpreter.gas.record_refund(REFUND_OF_CHILD);
    }
}

fn request(input: &FrameInput) -> Request {
    let range = |range: &core::ops::Range<usize>| if range.is_empty() { (0, 0) } else { (range.start, range.len()) };
    match input {
        FrameInput::Call(call) => {
            let CallInput::SharedBuffer(input) = &call.input else { panic!("input is not in memory") };
            Request::Call(ejit::abi::CallRequest {
                kind: match call.scheme {
                    CallScheme::Call => CallKind::Call,
                    CallScheme::CallCode => CallKind::CallCode,
                    CallScheme::DelegateCall => CallKind::DelegateCall,
                    CallScheme::StaticCall => CallKind::StaticCall,
                },
                gas_limit: call.gas_limit,
                code_address: call.bytecode_address,
                value: call.value.get(),
                input: range(input),
                output: range(&call.return_memory_offset),
            })
        }
        FrameInput::Create(create) => Request::Create(ejit::abi::CreateRequest {
            salt: match create.scheme() {
                revm::context_interface::CreateScheme::Create2 { salt } => Some(salt),
                _ => None,
            },
            gas_limit: create.gas_limit(),
            value: create.value(),
            // revm copies the code out of memory; the offset is checked through memory's contents.
            code: (0, create.init_code().len()),
        }),
        FrameInput::Empty => Request::None,
    }
}

fn exit(result: InstructionResult) -> Exit {
    use InstructionResult as R;
    match result {
        R::Stop => Exit::Stop,
        R::Return => Exit::Return,
        R::SelfDestruct => Exit::SelfDestruct,
        R::Revert => Exit::Revert,
        R::OutOfGas => Exit::OutOfGas,
        R::MemoryOOG => Exit::MemoryOutOfGas,
        R::MemoryLimitOOG => Exit::MemoryLimit,
        R::InvalidOperandOOG => Exit::InvalidOperand,
        R::ReentrancySentryOOG => Exit::ReentrancySentry,
        R::OpcodeNotFound => Exit::OpcodeNotFound,
        R::CallNotAllowedInsideStatic => Exit::CallInStatic,
        R::StateChangeDuringStaticCall => Exit::StateChangeInStatic,
        R::InvalidFEOpcode => Exit::InvalidOpcode,
        R::InvalidJump => Exit::InvalidJump,
        R::NotActivated => Exit::NotActivated,
        R::StackUnderflow => Exit::StackUnderflow,
        R::StackOverflow => Exit::StackOverflow,
        R::OutOfOffset => Exit::OutOfOffset,
        R::CreateInitCodeSizeLimit => Exit::InitCodeLimit,
        R::InvalidImmediateEncoding => Exit::InvalidImmediate,
        other => panic!("{other:?}"),
    }
}

/// The forks that run here.
fn forks() -> impl Iterator<Item = SpecId> {
    (0..=SpecId::OSAKA as u8).map(|fork| SpecId::try_from_u8(fork).expect("a fork"))
}

fn world(fork: SpecId) -> World {
    let mut world = World::new(fork);
    world.record = true;
    world.env.number = U256::from(1000);
    world.env.timestamp = U256::from(1_700_000_000);
    world.env.origin = at(0x0e).into_word().into();
    world.env.coinbase = at(0xcb).into_word().into();
    world.env.chain_id = U256::from(1);
    world.env.base_fee = U256::from(7);
    world.env.gas_price = U256::from(8);
    world.env.gas_limit = U256::from(30_000_000);
    world.env.difficulty = U256::MAX - U256::from(5);
    world.env.blob_base_fee = U256::from(3);
    world.deploy(at(0x11), U256::from(100), &[0x60, 0x01, 0x5b, 0x00]);
    world.deploy(at(0x22), U256::from(1), &[&[0xef, 0x01, 0x00][..], at(0x11).as_slice()].concat());
    world.deploy(at(0x33), U256::from(1), &[&[0xef, 0x01, 0x00][..], at(0x99).as_slice()].concat());
    world.deploy(at(0x44), U256::ZERO, &[]);
    for (key, value) in [(0, 1), (1, 2), (2, 0)] {
        world.storage.insert((at(0x11), U256::from(key)), U256::from(value));
    }
    world.original = world.storage.clone();
    world.storage.insert((at(0x11), U256::from(31)), U256::from(9));
    world.storage.insert((at(0x11), U256::from(32)), U256::ZERO);
    world.original.insert((at(0x11), U256::from(32)), U256::from(4));
    world.warm.extend([at(0x11), at(0x44)]);
    world
}

fn message(code: Vec<u8>) -> Message {
    Message {
        code,
        gas: 10_000_000,
        input: (0..=99).collect::<Vec<u8>>().into(),
        value: U256::from(5),
        address: at(0x11),
        caller: at(0x0c),
        is_static: false,
        memory_limit: u64::MAX,
    }
}

/// Runs both and compares. Returns gas spent, or none after a halt.
fn compare(world: &World, message: &Message, what: &dyn Fn() -> String) -> Option<u64> {
    let theirs = run_theirs(world.clone(), message).settled();
    for run in [interp::run_looped::<true>, interp::run::<false>] {
        let mut ours = run_ours(world.clone(), message, run).settled();
        for request in &mut ours.requests {
            if let Request::Create(create) = request {
                create.code.0 = 0;
            }
        }
        assert_eq!(
            ours,
            theirs,
            "{:?} gas {} static {} {}: {:02x?}",
            world.fork,
            message.gas,
            message.is_static,
            what(),
            message.code
        );
    }
    (!theirs.exit.is_halt()).then(|| message.gas.saturating_sub(theirs.gas))
}

/// Operands at the edges of what opcodes distinguish.
fn operands() -> Vec<U256> {
    let mut words: Vec<U256> = [
        0u64,
        1,
        2,
        3,
        5,
        31,
        32,
        33,
        64,
        255,
        256,
        900,
        999,
        1000,
        3000,
        49_152,
        49_153,
        1 << 20,
        1 << 32,
        u64::MAX - 31,
        u64::MAX,
    ]
    .into_iter()
    .map(U256::from)
    .collect();
    words.extend([
        U256::MAX,
        U256::MAX - U256::from(30),
        U256::from(1) << 64,
        U256::from(1) << 128,
        U256::from(1) << 255,
        (U256::from(1) << 255) - U256::from(1),
        U256::from(0x8000_0000_0000_0000u64),
        at(0x11).into_word().into(),
        at(0x22).into_word().into(),
        at(0x33).into_word().into(),
        at(0x44).into_word().into(),
        at(0x55).into_word().into(),
        U256::from_be_bytes([0x81; 32]),
        U256::from_limbs([u64::MAX, 0, u64::MAX, 0]),
    ]);
    words
}

/// Repeatable pseudo-random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n
    }
    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn push(code: &mut Vec<u8>, word: U256) {
    let len = word.byte_len().max(1);
    code.push(opcode::PUSH1 + len as u8 - 1);
    code.extend_from_slice(&word.to_be_bytes::<32>()[32 - len..]);
}

/// Compares at full gas, at exactly what is needed, and at various shortages.
fn compare_with_shortages(world: &World, message: &Message, random: &mut Random, what: &dyn Fn() -> String) {
    let Some(spent) = compare(world, message, what) else {
        for gas in [3, 700, 3000, 30_000] {
            compare(world, &Message { gas, ..message.clone() }, what);
        }
        return;
    };
    for gas in [spent, spent.saturating_sub(1), spent / 2, spent + 2300, random.next() % (spent + 1)] {
        compare(world, &Message { gas, ..message.clone() }, what);
    }
}

/// The loop is for builds without optimisation: in others, a fast path has come to need native stack (see `interp::threaded`).
#[cfg(not(debug_assertions))]
#[test]
fn optimised_builds_are_threaded() {
    assert!(interp::is_threaded());
}

#[test]
fn each_opcode_in_each_fork() {
    let operands = operands();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for fork in forks() {
        let world = world(fork);
        for op in 0..=255u8 {
            let info = opcode::info(op);
            for round in 0..if info.inputs > 0 { 40 } else { 3 } {
                let mut code = vec![];
                if round % 2 == 0 {
                    // Something in memory and in return data.
                    push(&mut code, U256::from_be_bytes([0x5a; 32]));
                    code.extend([opcode::PUSH1, 3, opcode::MSTORE]);
                }
                for _ in 0..info.inputs.max(1) {
                    let word = if random.below(3) == 0 { U256::from(random.below(100)) } else { *random.pick(&operands) };
                    push(&mut code, word);
                }
                code.push(op);
                code.extend([0x5b, 0x5b, 0x00]);
                let message = Message { is_static: round % 7 == 6, ..message(code) };
                compare_with_shortages(&world, &message, &mut random, &|| format!("{} round {round}", info.name));
            }
        }
    }
}

#[test]
fn words_of_all_pairs_of_operands() {
    let operands = operands();
    let world = world(SpecId::OSAKA);
    for op in (opcode::ADD..=opcode::SIGNEXTEND).chain(opcode::LT..=opcode::CLZ) {
        for &a in &operands {
            for &b in &operands {
                let mut code = vec![];
                for word in [U256::from(97), b, a] {
                    push(&mut code, word);
                }
                code.push(op);
                compare(&world, &message(code), &|| opcode::info(op).name.to_string());
            }
        }
    }
}

#[test]
fn too_few_and_too_many_elements() {
    for fork in forks() {
        let world = world(fork);
        for op in 0..=255u8 {
            for is_static in [false, true] {
                for depth in (0..=17).chain(1022..=1024) {
                    let mut code = vec![opcode::GASLIMIT; depth];
                    code.push(op);
                    compare(&world, &Message { is_static, ..message(code) }, &|| {
                        format!("{} at depth {depth}", opcode::info(op).name)
                    });
                }
            }
        }
    }
}

#[test]
fn truncated_pushes_and_jumps() {
    let world = world(SpecId::OSAKA);
    for push in opcode::PUSH1..=opcode::PUSH32 {
        for len in 0..=32 {
            let mut code = vec![push];
            code.extend((1..=len).collect::<Vec<u8>>());
            compare(&world, &message(code), &String::new);
        }
    }
    for target in 0..12 {
        // JUMPDESTs at 3 (code), 6 (inside a PUSH), 8.
        compare(&world, &message(vec![0x60, target, 0x56, 0x5b, 0x5a, 0x60, 0x5b, 0x5a, 0x5b, 0x00]), &|| {
            format!("jump to {target}")
        });
    }
}

#[test]
fn memory_limit() {
    let world = world(SpecId::OSAKA);
    for offset in [0u64, 32, 960, 992, 993, 1 << 40, u64::MAX] {
        for gas in [100, 1000, 10_000_000] {
            let mut code = vec![];
            push(&mut code, U256::from(offset));
            code.push(opcode::MLOAD);
            let message = Message { memory_limit: 1024, gas, ..message(code) };
            // revm has the limit behind a feature that may be off.
            let ours = run_ours(world.clone(), &message, interp::run::<false>).settled();
            if offset.saturating_add(32) > 1024 {
                assert_eq!(ours.exit, Exit::MemoryLimit);
            } else {
                compare(&world, &message, &|| format!("offset {offset}"));
            }
        }
    }
}

/// Programs of likely and unlikely opcodes.
fn program(random: &mut Random, operands: &[U256]) -> Vec<u8> {
    let mut code = vec![];
    let likely: Vec<u8> =
        (0..=255).filter(|&op| opcode::info(op).name != "UNDEFINED" && !(opcode::PUSH1..=opcode::PUSH32).contains(&op)).collect();
    let len = 1 + random.below(120);
    while code.len() < len {
        match random.below(10) {
            0..=4 => {
                let word = if random.below(2) == 0 { U256::from(random.below(130)) } else { *random.pick(operands) };
                push(&mut code, word);
            }
            5 => code.push(opcode::JUMPDEST),
            6 => code.push(opcode::DUP1 + random.below(16) as u8),
            7 if random.below(8) == 0 => code.push(random.next() as u8),
            _ => code.push(*random.pick(&likely)),
        }
    }
    code
}

#[test]
fn random_programs() {
    let operands = operands();
    let mut random = Random(42);
    for fork in forks() {
        let world = world(fork);
        for round in 0..4000 {
            let code = program(&mut random, &operands);
            let gas = [100_000, 5000, 60_000, 1_000_000][random.below(4)];
            let message = Message { gas, is_static: random.below(8) == 0, ..message(code) };
            compare_with_shortages(&world, &message, &mut random, &|| format!("round {round}"));
        }
    }
}

/// Bytes at the end of a page, behind which nothing can be read.
fn before_a_wall(bytes: &[u8]) -> &'static [u8] {
    const SIZE: usize = 1 << 16;
    assert!(bytes.len() <= SIZE);
    // SAFETY: new memory, of which the first half is written and then only read, and which stays.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(std::ptr::null_mut(), 2 * SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(start.byte_add(SIZE), SIZE, libc::PROT_NONE), 0);
        let place = start.cast::<u8>().add(SIZE - bytes.len());
        place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        std::slice::from_raw_parts(place, bytes.len())
    }
}

/// Every opcode as the last byte of code, padded as revm pads it: a STOP after it may be the last byte that can be read.
#[test]
fn nothing_is_read_behind_the_last_byte() {
    for last in 0..=u8::MAX {
        let message = message([&[opcode::PUSH1, 1].repeat(17)[..], &[last]].concat());
        let padded = Bytecode::new_legacy(message.code.clone().into()).bytes();
        for run in [interp::run::<false>, interp::run_looped::<false>] {
            // SAFETY: revm's analysis has padded it.
            let walled = unsafe { Code::from_runnable(Bytes::from_static(before_a_wall(&padded)), message.code.len()) };
            let exits = [Code::new(&message.code), walled].map(|code| {
                let (mut world, mut stack) = (World::new(SpecId::CANCUN), ejit::abi::StackBuffer::new());
                run(&mut world::frame(&mut world, &message, &code, &mut stack, Vec::new()))
            });
            assert_eq!(exits[0], exits[1], "{last:#x}");
        }
    }
}
