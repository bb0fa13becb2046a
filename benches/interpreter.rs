//! Times our interpreter against revm's on workload files, interleaved: `cargo bench --features revm --bench interpreter -- FOLDER [name...]`.
//!
//! Only workloads that are one frame can be run: both interpreters stand alone here, on the same in-memory state.

#[path = "../tests/common/world.rs"]
mod world;

use ejit::abi::Exit;
use ejit::evm::{SpecId, code::Code};
use revm::bytecode::Bytecode;
use revm::interpreter::{
    CallInput, InputsImpl, Interpreter, InterpreterAction, SharedMemory,
    instructions::{gas_table_spec, instruction_table},
    interpreter::{EthInterpreter, ExtBytecode},
};
use revm::primitives::{Address, Bytes, U256, hex};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use world::{Message, World};

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    gas_used: u64,
    refund: i64,
    output: Vec<u8>,
}

struct Workload {
    name: String,
    kind: String,
    world: World,
    message: Message,
    expected: (u64, i64),
    instructions: u64,
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let folder = args.next().expect("the folder of workload files");
    let wanted: Vec<String> = args.collect();
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    let mut kinds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    println!("threaded: {}", ejit::interp::is_threaded());
    println!("{:<32} {:<18} {:>10} {:>10} {:>7} {:>8}", "workload", "kind", "ours ns", "revm ns", "ratio", "ns/instr");
    for path in files {
        if path.extension().is_none_or(|extension| extension != "json") || path.file_stem().is_some_and(|name| name == "manifest") {
            continue;
        }
        let json: Value = serde_json::from_slice(&std::fs::read(&path).expect("file")).expect("JSON");
        let name = json["name"].as_str().expect("name");
        if json["stats"]["frames"] != 1
            || !(wanted.is_empty() || wanted.iter().any(|part| name.contains(part) || json["kind"] == **part))
        {
            continue;
        }
        let workload = load(&json);
        let Some((ours, theirs)) = measure(&workload) else { continue };
        let ratio = theirs / ours;
        println!(
            "{:<32} {:<18} {:>10.0} {:>10.0} {:>7.2} {:>8.2}",
            workload.name,
            workload.kind,
            ours,
            theirs,
            ratio,
            ours / workload.instructions as f64
        );
        kinds.entry(workload.kind).or_default().push(ratio);
    }
    for (kind, ratios) in kinds {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        println!("{kind:<20} {:>3} workloads, geometric mean {mean:.2}", ratios.len());
    }
}

fn number(value: &Value) -> U256 {
    match value {
        Value::String(text) => text.parse().expect("number"),
        other => U256::from(other.as_u64().unwrap_or_default()),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or("0x")).expect("hex")
}

fn address(value: &str) -> Address {
    value.parse().expect("address")
}

fn load(json: &Value) -> Workload {
    let fork = if json["fork"] == "Prague" { SpecId::PRAGUE } else { SpecId::CANCUN };
    let mut world = World::new(fork);
    let text = |value: &Value| address(value.as_str().expect("address"));
    let (to, caller) = (text(&json["to"]), text(&json["caller"]));
    let env = &json["env"];
    world.env.origin = caller.into_word().into();
    world.env.coinbase = text(&env["coinbase"]).into_word().into();
    world.env.number = number(&env["number"]);
    world.env.timestamp = number(&env["timestamp"]);
    world.env.base_fee = number(&env["basefee"]);
    world.env.gas_price = number(&env["gas_price"]);
    world.env.difficulty = number(&env["prevrandao"]);
    world.env.gas_limit = number(&env["gas_limit"]);
    world.env.chain_id = number(&env["chain_id"]);
    world.env.blob_base_fee = number(&env["blob_basefee"]);
    let code = bytes(&json["code"]);
    for (key, account) in json["pre"].as_object().expect("pre") {
        let key = address(key);
        let code = if key == to { code.clone() } else { bytes(&account["code"]) };
        world.deploy(key, number(&account["balance"]), &code);
        for (slot, value) in account["storage"].as_object().into_iter().flatten() {
            world.storage.insert((key, slot.parse().expect("slot")), number(value));
        }
    }
    world.original = world.storage.clone();
    world.warm.extend([caller, to, text(&env["coinbase"])]);
    let message = Message {
        code,
        gas: number(&json["gas_limit"]).to(),
        input: bytes(&json["calldata"]).into(),
        value: number(&json["value"]),
        address: to,
        caller,
        is_static: false,
        memory_limit: u64::MAX,
    };
    let expected = &json["expected"];
    Workload {
        name: json["name"].as_str().expect("name").into(),
        kind: json["kind"].as_str().expect("kind").into(),
        world,
        message,
        expected: (expected["gas_used"].as_u64().expect("gas_used"), expected["gas_refund"].as_i64().unwrap_or_default()),
        instructions: json["stats"]["instructions"].as_u64().unwrap_or(1),
    }
}

/// Time of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Median nanoseconds of ours and revm's; `None` for what calls other contracts.
fn measure(workload: &Workload) -> Option<(f64, f64)> {
    let code = Code::new(&workload.message.code);
    let bytecode = Bytecode::new_raw(Bytes::copy_from_slice(&workload.message.code));
    let mut stack = ejit::abi::StackBuffer::new();
    let mut ours = || {
        let mut world = workload.world.clone();
        let mut frame = world::frame(&mut world, &workload.message, &code, &mut stack, Vec::with_capacity(4096));
        let start = cpu_time();
        let exit = ejit::interp::run::<false>(&mut frame);
        let time = cpu_time() - start;
        let output =
            frame.buffer.get(frame.out_offset as usize..(frame.out_offset + frame.out_len) as usize).unwrap_or_default().to_vec();
        let gas_used = if exit.is_halt() { workload.message.gas } else { workload.message.gas - frame.gas as u64 };
        (exit, Outcome { gas_used, refund: frame.refund, output }, time)
    };
    let instructions = instruction_table::<EthInterpreter, World>();
    let gas_table = gas_table_spec(workload.world.fork);
    let theirs = || {
        let mut world = workload.world.clone();
        let mut interpreter = Interpreter::<EthInterpreter>::new(
            SharedMemory::new(),
            ExtBytecode::new(bytecode.clone()),
            InputsImpl {
                target_address: workload.message.address,
                caller_address: workload.message.caller,
                input: CallInput::Bytes(workload.message.input.clone()),
                call_value: workload.message.value,
                ..InputsImpl::default()
            },
            false,
            workload.world.fork,
            workload.message.gas,
        );
        let start = cpu_time();
        let action = interpreter.run_plain(&instructions, &gas_table, &mut world);
        let time = cpu_time() - start;
        (action, time)
    };
    let (exit, outcome, once) = ours();
    if exit == Exit::Suspend {
        return None;
    }
    assert_eq!((outcome.gas_used, outcome.refund), workload.expected, "{}: {exit:?}", workload.name);
    let InterpreterAction::Return(result) = theirs().0 else { panic!("revm suspends") };
    let gas = &result.gas;
    if result.is_ok() {
        let theirs = Outcome { gas_used: gas.total_gas_spent(), refund: gas.refunded(), output: result.output.to_vec() };
        assert_eq!(outcome, theirs, "{}", workload.name);
    }
    let rounds = (Duration::from_millis(400).as_nanos() / once.as_nanos().max(1)).clamp(3, 501) as usize;
    let mut times = [vec![], vec![]];
    for _ in 0..rounds {
        times[0].push(ours().2);
        times[1].push(theirs().1);
    }
    let [ours, theirs] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_nanos() as f64
    });
    Some((ours, theirs))
}
