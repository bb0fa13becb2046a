//! Cold code that is made to cost: codes that are called once each, by the hundred or thousand, from raw bytes and on engines that have seen
//! nothing, against revm: `cargo bench --features cli --bench hostile -- [name...]`.
//!
//! Each case is one transaction. On both sides everything from the analysis of raw code on is timed; gas is compared, and nothing may
//! be compiled but the loop that calls. Printed are megagas a second of CPU time at the median, and the ratio.

#[allow(dead_code, reason = "shared with tests, which use the rest")]
#[path = "../tests/support/mod.rs"]
mod support;

use cpu_time::ThreadTime;
use ejit::cli::machine::{Call, Machine};
use ejit::cli::prestate::{Account, Prestate};
use ejit::engine::{Config, Engine, Mode};
use revm::primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId};
use std::sync::Arc;
use support::{Asm, CALLER, address};

const FIRST: Address = address(0xa1);
/// The codes lie at addresses from this one on.
const CODES: u64 = 0x0100_0000;
/// Ethereum's largest contract (EIP-170) and init code (EIP-3860).
const CONTRACT: usize = 0x6000;
const INIT_CODE: usize = 0xc000;
/// What the calling loop may be compiled to: its start, and what follows a call.
const LOOP_UNITS: u64 = 2;
/// How often each case is timed on each side.
const ROUNDS: usize = 9;

/// A name, how many codes, and what they are.
struct Case {
    name: &'static str,
    count: usize,
    kind: Kind,
}

enum Kind {
    /// Code of so many bytes, which the byte at each place is given of, called once.
    Called(usize, fn(&mut u64, usize) -> u8, Run),
    /// Init code likewise.
    Created(fn(&mut u64, usize) -> u8),
}

/// What a code does before it stops.
#[derive(Clone, Copy, PartialEq)]
enum Run {
    /// Nothing.
    Nothing,
    /// It jumps to its end.
    Jump,
    /// It runs through all of its bytes.
    Through,
}

/// A linear congruential generator (Knuth's MMIX).
fn random(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 56) as u8
}

fn cases() -> Vec<Case> {
    let jumpdests = |_: &mut u64, _| 0x5b;
    let called = |name, byte, run| Case { name, count: 1000, kind: Kind::Called(CONTRACT, byte, run) };
    vec![
        called("jumpdests_jump", jumpdests, Run::Jump),
        called("random_jump", |state, _| random(state), Run::Jump),
        called("push1_jump", |_, _| 0x60, Run::Jump),
        called("push32_jump", |_, _| 0x7f, Run::Jump),
        called("push_jumpdest_jump", |_, at| if at % 2 == 0 { 0x60 } else { 0x5b }, Run::Jump),
        called("random_stop", |state, _| random(state), Run::Nothing),
        called("jumpdests_through", jumpdests, Run::Through),
        Case { name: "jumpdests_64k_through", count: 100, kind: Kind::Called(0x10000, jumpdests, Run::Through) },
        Case { name: "jumpdests_64k_jump", count: 300, kind: Kind::Called(0x10000, jumpdests, Run::Jump) },
        Case { name: "create_random", count: 200, kind: Kind::Created(|state, _| random(state)) },
        Case { name: "create_jumpdests", count: 200, kind: Kind::Created(jumpdests) },
    ]
}

/// `len` bytes of code number `n` of a case, unlike all others: they run as `run` says and then stop.
fn code(len: usize, byte: fn(&mut u64, usize) -> u8, run: Run, n: usize) -> Vec<u8> {
    let mut state = n as u64;
    let mut code: Vec<u8> = (0..len).map(|at| byte(&mut state, at)).collect();
    // The last destination, after zeros that end every PUSH before; then STOP, and what is never run: the number.
    let end = len - 5;
    if run != Run::Through {
        code[end - 33..end].fill(0);
    }
    code[end..].copy_from_slice(&[0x5b, 0x00, (n >> 16) as u8, (n >> 8) as u8, n as u8]);
    match run {
        Run::Nothing => code[0] = 0,
        Run::Jump => code[..4].copy_from_slice(&[0x61, (end >> 8) as u8, end as u8, 0x56]),
        Run::Through => {}
    }
    code
}

/// Code that does `body` `count` times; that finds on the stack how often it is still to be done, and leaves the stack as it was.
fn repeat(start: Asm, count: usize, body: Asm) -> Vec<u8> {
    let mut code = start.push(count as u64).build();
    let top = code.len() as u64;
    code.extend(Asm::new().ops(&[0x5b]).push(1).ops(&[0x90, 0x03]).build());
    code.extend(body.build());
    code.extend(Asm::new().ops(&[0x80]).push(top).ops(&[0x57, 0x00]).build());
    code
}

/// The transaction of a case.
fn call(case: &Case) -> Call {
    let mut prestate = Prestate::default();
    let first = match case.kind {
        Kind::Called(len, byte, run) => {
            for n in 0..case.count {
                prestate.set_code(place(n), code(len, byte, run, n).into());
            }
            // CALL(gas, CODES + n, 0, 0, 0, 0, 0)
            let to = Asm::new().ops(&[0x5f; 5]).ops(&[0x85]).push(CODES).ops(&[0x01, 0x5a, 0xf1, 0x50]);
            repeat(Asm::new(), case.count, to)
        }
        Kind::Created(byte) => {
            let init = code(INIT_CODE, byte, Run::Jump, 0);
            // The init code lies behind this one, is copied once, and told apart by a word in the middle.
            let body = || {
                Asm::new()
                    .ops(&[0x80])
                    .push(INIT_CODE as u64 / 2)
                    .ops(&[0x52])
                    .push(INIT_CODE as u64)
                    .ops(&[0x5f, 0x5f, 0xf0, 0x50])
            };
            let copy = |at: u64| Asm::new().push(INIT_CODE as u64).push(at).ops(&[0x5f, 0x39]);
            // Pushes of numbers between 128 and 65535 are equally long.
            let len = repeat(copy(0x200), case.count, body()).len();
            let mut all = repeat(copy(0x200), case.count, body());
            all.resize(0x200.max(len), 0);
            all.extend(init);
            all
        }
    };
    prestate.set_code(FIRST, first.into());
    prestate.accounts.insert(CALLER, Account { balance: U256::from(1u128 << 100), ..Account::default() });
    Call {
        fork: SpecId::CANCUN,
        block: Call::default_block(),
        chain_id: 1,
        gas_price: 0,
        caller: CALLER,
        kind: TxKind::Call(FIRST),
        value: U256::ZERO,
        input: Bytes::new(),
        gas: 1 << 32,
        prestate: Arc::new(prestate),
    }
}

/// Where code number `n` lies.
fn place(n: usize) -> Address {
    Address::from_word(U256::from(CODES + n as u64).into())
}

/// CPU nanoseconds of a machine's first run, from raw code, and the gas that was left.
fn timed(mut machine: Machine) -> (f64, u64) {
    let mut frame = machine.first_frame().expect("a valid call");
    machine.forget_codes();
    let start = ThreadTime::now();
    machine.take_raw_code(&mut frame);
    let result = machine.execute(frame).expect("it ends");
    let took = start.elapsed().as_nanos() as f64;
    let result = result.into_interpreter_result();
    assert!(result.result.is_ok(), "{:?}", result.result);
    (took, result.gas.remaining())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    println!("{:<24} {:>6} {:>14} {:>14} {:>8}", "case", "codes", "revm Mgas/s", "ejit Mgas/s", "ratio");
    for case in cases() {
        if !wanted.is_empty() && !wanted.iter().any(|name| case.name.contains(name.as_str())) {
            continue;
        }
        let call = call(&case);
        let mut times = [Vec::new(), Vec::new()];
        let mut used = 0;
        for round in 0..ROUNDS {
            let mut left = [0; 2];
            for turn in 0..2 {
                let side = (turn + round) % 2;
                let engine = Engine::new(Config { own_analysis: true, ..Config::with_mode(Mode::Tiered) });
                let machine = if side == 0 { Machine::revm(&call) } else { Machine::ejit(&call, &engine) };
                let (took, gas) = timed(machine);
                times[side].push(took);
                left[side] = gas;
                assert!(engine.counters().read().units <= LOOP_UNITS, "{}: only the calling loop is worth compiling", case.name);
            }
            assert_eq!(left[0], left[1], "{}: the same gas", case.name);
            used = call.gas - left[0];
        }
        let [revm, ejit] = times.map(median);
        let rate = |ns: f64| 1e3 * used as f64 / ns;
        println!("{:<24} {:>6} {:>14.0} {:>14.0} {:>8.2}", case.name, case.count, rate(revm), rate(ejit), revm / ejit);
    }
}
