//! The adversary of tiering: first calls that stop at every length, right after something of them was compiled as well, on engines that have seen
//! nothing: `cargo bench --features revm --bench policy -- [name...]`.
//!
//! Each program takes a number of rounds as its call data; the sweep goes from too few to compile anything to many times what the first
//! compilation needs, in steps of a few percent. Printed are the ratios to revm (whole transactions) and to the interpreter alone at the worst
//! lengths, and what was compiled by then.

#[allow(dead_code, reason = "shared with tests, which use the rest")]
#[path = "../tests/support/mod.rs"]
mod support;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::database::InMemoryDB;
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};
use std::time::Instant;
use support::{Asm, CALLER, address};

const PROGRAM: Address = address(0xadad);
/// Rounds at first, the factor from one length to the next, and the most rounds.
const FIRST: f64 = 20.0;
const STEP: f64 = 1.07;
const LAST: f64 = 20_000.0;
/// How often each length is timed; the fastest counts.
const TIMES: usize = 9;

/// `body` as often as the call data says; it finds the counter on the stack and leaves the stack as it was.
fn rounds(body: &[u8]) -> Vec<u8> {
    let start = Asm::new().push(0).ops(&[0x35]).build();
    let top = start.len() as u64;
    // JUMPDEST, body, then counter - 1, and back unless that is 0.
    let end = Asm::new().push(1).ops(&[0x90, 0x03, 0x80]).push(top).ops(&[0x57, 0x00]).build();
    [&start[..], &[0x5b], body, &end].concat()
}

/// A chain of blocks, each of which adds its number and jumps to the next.
fn chain(blocks: u16, offset: u16) -> Vec<u8> {
    let mut code = Vec::new();
    for n in 0..blocks {
        // PUSH2 n, ADD, PUSH2 n, SWAP1, SUB, PUSH2 next, JUMP, JUMPDEST
        let next = offset + code.len() as u16 + 13;
        code.extend([0x61, (n >> 8) as u8, n as u8, 0x01, 0x61, (n >> 8) as u8, n as u8, 0x90, 0x03]);
        code.extend([0x61, (next >> 8) as u8, next as u8, 0x56, 0x5b]);
    }
    code
}

fn programs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("loop", rounds(&[])),
        ("wide_words", rounds(&Asm::new().ops(&[0x80, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x19, 0x50]).build())),
        ("chain_10", rounds(&chain(10, 4))),
        ("chain_100", rounds(&chain(100, 4))),
        ("chain_1000", rounds(&chain(1000, 4))),
        ("storage", rounds(&Asm::new().ops(&[0x80, 0x54, 0x50]).build())),
    ]
}

fn context(code: &[u8]) -> Context<revm::context::BlockEnv, TxEnv, revm::context::CfgEnv, InMemoryDB> {
    let mut db = InMemoryDB::default();
    db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
    db.insert_account_info(PROGRAM, AccountInfo::from_bytecode(Bytecode::new_raw(code.to_vec().into())));
    Context::mainnet().modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::CANCUN)).with_db(db)
}

/// Nanoseconds of the first transaction of `evm`, and whether it succeeded.
fn first_call<E: ExecuteEvm<Tx = TxEnv>>(mut evm: E, rounds: u64) -> f64
where
    E::Error: std::fmt::Debug,
{
    let data = U256::from(rounds).to_be_bytes::<32>().to_vec().into();
    let tx = TxEnv { caller: CALLER, kind: TxKind::Call(PROGRAM), gas_limit: 16_000_000, data, ..TxEnv::default() };
    let start = Instant::now();
    evm.transact_one(tx).expect("a valid transaction");
    start.elapsed().as_nanos() as f64
}

/// The fastest first calls of revm, of the interpreter and of `tiered`, and how many units the last compiled.
fn measure(code: &[u8], rounds: u64) -> ([f64; 3], u64) {
    let (mut best, mut units) = ([f64::MAX; 3], 0);
    for _ in 0..TIMES {
        let engines = [Mode::Off, Mode::Tiered].map(|mode| Engine::new(Config::with_mode(mode)));
        best[0] = best[0].min(first_call(context(code).build_mainnet(), rounds));
        for (best, engine) in best[1..].iter_mut().zip(&engines) {
            *best = best.min(first_call(context(code).build_ejit(engine), rounds));
        }
        units = engines[1].counters().read().units;
    }
    (best, units)
}

/// Memory that is given back stays with the allocator: whether a map that grows within the clock finds pages that are there must not depend on what
/// was allocated before.
fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for option in [libc::M_TRIM_THRESHOLD, libc::M_MMAP_THRESHOLD, libc::M_TOP_PAD] {
        // SAFETY: sets an option of the allocator, before there are other threads.
        assert_eq!(unsafe { libc::mallopt(option, 1 << 28) }, 1, "the allocator takes the option");
    }
}

fn main() {
    keep_memory();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    println!(
        "{:<12} {:>34} {:>34} {:>10}",
        "program", "worst over revm (rounds, units)", "over interpreter (rounds, units)", "lengths"
    );
    for (name, code) in programs() {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        let lengths = std::iter::successors(Some(FIRST), |rounds| Some(rounds * STEP)).take_while(|rounds| *rounds < LAST);
        let figures: Vec<(u64, [f64; 3], u64)> = lengths
            .map(|rounds| {
                let (times, units) = measure(&code, rounds as u64);
                (rounds as u64, times, units)
            })
            .collect();
        let worst = |against: usize| {
            let ratio = |figures: &&(u64, [f64; 3], u64)| figures.1[against] / figures.1[2];
            let worst = figures.iter().min_by(|a, b| ratio(a).total_cmp(&ratio(b))).expect("there are lengths");
            format!("{:.2} ({}, {})", ratio(&worst), worst.0, worst.2)
        };
        println!("{name:<12} {:>34} {:>34} {:>10}", worst(0), worst(1), figures.len());
    }
}
