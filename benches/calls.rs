//! Times calls, creations and precompiles against revm, interleaved: `cargo bench --features revm --bench calls -- [name...]`.
//!
//! Every workload is a loop in a contract; results and gas are compared before anything is timed. Of calls to a contract that
//! stops it says too what they take above revm's journal, whose part is timed by itself.

#[allow(dead_code, reason = "shared with tests, which use the rest")]
#[path = "../tests/support/mod.rs"]
mod support;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use revm::bytecode::Bytecode;
use revm::context::{ContextTr, Host, JournalTr, TxEnv};
use revm::database::InMemoryDB;
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{Asm, CALLER, address};

const A: Address = address(0xa1);
const B: Address = address(0xb2);

/// Calls per transaction.
const CALLS: u64 = 2_000;
/// Where the loop of [`repeat`] begins.
const LOOP: u64 = 3;
/// How often each is timed; the fastest counts.
const ROUNDS: usize = 40;

/// A name, what A runs, what B runs.
type Workload = (&'static str, Vec<u8>, Vec<u8>);

/// `body` `CALLS` times; it finds the counter on the stack and leaves the stack as it was.
fn repeat(body: Asm) -> Vec<u8> {
    let mut code = Asm::new().push(CALLS).ops(&[0x5b]).build();
    assert_eq!(code.iter().position(|&byte| byte == 0x5b), Some(LOOP as usize));
    code.extend(body.build());
    code.extend(Asm::new().push(1).ops(&[0x90, 0x03, 0x80]).push(LOOP).ops(&[0x57]).build());
    code
}

fn workloads() -> Vec<Workload> {
    let call = |opcode, input, output| repeat(Asm::new().call(opcode, 50_000, B, 0, input, output).ops(&[0x50]));
    let echo = Asm::new().push(0).ops(&[0x35]).push(0).ops(&[0x52]).push(32).push(0).ops(&[0xf3]).build();
    let precompile = |number, len| repeat(Asm::new().call(0xfa, 50_000, address(number), 0, (0, len), (0, 32)).ops(&[0x50]));
    // Calls itself with one less in the call data until that is 0.
    let deep = Asm::new().push(0).ops(&[0x35, 0x80, 0x15]).push(58).ops(&[0x57]).push(1).ops(&[0x90, 0x03]).push(0).ops(&[0x52]);
    let deep = deep.push(32).push(0).push(32).push(0).push(0).push_address(B).ops(&[0x5a, 0xf1]);
    let mut deep = deep.push(0).ops(&[0x51]).build();
    deep.resize(58, 0x00);
    deep.extend([0x5b, 0x00]);
    let start_deep = Asm::new().push(200).push(0).ops(&[0x52]).build();
    let mut ten_deep = start_deep;
    for _ in 0..10 {
        ten_deep.extend(Asm::new().call(0xf1, 40_000_000, B, 0, (0, 32), (0, 0)).ops(&[0x50]).build());
    }
    // Deploys 10 bytes.
    let mut init = [0; 32];
    init[..5].copy_from_slice(&[0x60, 10, 0x60, 0, 0xf3]);
    let create = Asm::new().ops(&[0x7f]).ops(&init).push(0).ops(&[0x52]).push(5).push(0).push(0).ops(&[0xf0, 0x50]);
    vec![
        ("call_stop", call(0xf1, (0, 0), (0, 0)), vec![0x00]),
        ("call_no_code", call(0xf1, (0, 0), (0, 0)), vec![]),
        ("call_value", repeat(Asm::new().call(0xf1, 50_000, B, 1, (0, 0), (0, 0)).ops(&[0x50])), vec![0x00]),
        ("staticcall_echo", call(0xfa, (0, 32), (0, 32)), echo.clone()),
        ("delegatecall_echo", call(0xf4, (0, 32), (0, 32)), echo),
        ("call_revert", call(0xf1, (0, 32), (0, 32)), Asm::new().push(32).push(0).ops(&[0xfd]).build()),
        ("deep_call_200", ten_deep, deep),
        ("identity_32", precompile(4, 32), vec![]),
        ("identity_4096", precompile(4, 4096), vec![]),
        ("sha256_32", precompile(2, 32), vec![]),
        ("create", repeat(create), vec![]),
        ("transfer", vec![], vec![]),
    ]
}

fn context(workload: &Workload) -> Context<revm::context::BlockEnv, TxEnv, revm::context::CfgEnv, InMemoryDB> {
    let mut db = InMemoryDB::default();
    db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
    for (at, code) in [(A, &workload.1), (B, &workload.2)] {
        let info = AccountInfo::from_bytecode(Bytecode::new_raw(code.clone().into()));
        db.insert_account_info(at, AccountInfo { balance: U256::from(1u64 << 40), nonce: 1, ..info });
    }
    Context::mainnet()
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::CANCUN);
            cfg.disable_nonce_check = true;
        })
        .with_db(db)
}

/// Runs one transaction and says how long it took.
fn timed<E: ExecuteEvm<Tx = TxEnv>>(evm: &mut E) -> (Duration, E::ExecutionResult)
where
    E::Error: std::fmt::Debug,
{
    let tx = TxEnv { caller: CALLER, kind: TxKind::Call(A), gas_limit: 500_000_000, ..TxEnv::default() };
    let start = Instant::now();
    let result = evm.transact_one(tx).expect("a valid transaction");
    let took = start.elapsed();
    evm.finalize();
    (took, result)
}

/// Nanoseconds of the journal's part in a call, by itself: the callee with its code, a checkpoint, a transfer of nothing, and the commit.
fn journal_ns(workload: &Workload) -> f64 {
    let mut ctx = context(workload);
    for account in [A, B] {
        ctx.load_account_info_skip_cold_load(account, true, false).expect("it is in the database");
    }
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(ctx.load_account_info_skip_cold_load(black_box(B), true, false).expect("it is in the database"));
            let journal = ctx.journal_mut();
            black_box(journal.checkpoint());
            black_box(journal.transfer_loaded(A, B, U256::ZERO));
            journal.checkpoint_commit();
        }
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e9 / CALLS as f64
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    println!("{:<20} {:>10} {:>12} {:>12} {:>8} {:>8}", "workload", "revm us", "interp us", "tiered us", "interp", "tiered");
    for workload in workloads() {
        if !wanted.is_empty() && !wanted.iter().any(|name| workload.0.contains(name.as_str())) {
            continue;
        }
        let mut plain = context(&workload).build_mainnet();
        let mut interpreted = context(&workload).build_ejit(&Engine::new(Config::with_mode(Mode::Off)));
        let mut tiered = context(&workload).build_ejit(&Engine::new(Config::with_mode(Mode::Tiered)));
        let expected = timed(&mut plain).1;
        assert!(expected.is_success(), "{expected:?}");
        assert_eq!(timed(&mut interpreted).1, expected);
        assert_eq!(timed(&mut tiered).1, expected);
        let mut best = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            best[0] = best[0].min(timed(&mut plain).0);
            best[1] = best[1].min(timed(&mut interpreted).0);
            best[2] = best[2].min(timed(&mut tiered).0);
        }
        let [revm, off, on] = best.map(|best| best.as_secs_f64() * 1e6);
        println!("{:<20} {revm:>10.1} {off:>12.1} {on:>12.1} {:>8.2} {:>8.2}", workload.0, revm / off, revm / on);
        if workload.0 == "call_stop" {
            let journal = journal_ns(&workload);
            let [revm, off, on] = [revm, off, on].map(|us| us * 1e3 / CALLS as f64 - journal);
            println!("  a round, ns: journal {journal:.0}, above it revm {revm:.0}, interp {off:.0}, tiered {on:.0}");
        }
    }
}
