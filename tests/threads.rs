//! One engine, many threads: programs that call each other, on EVMs that live on from transaction to transaction, while contracts are forgotten and
//! code memory is renewed, must come to what revm comes to, as one thread alone does.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::engine::{Config, Engine, Mode};
use revm::primitives::{TxKind, hardfork::SpecId};
use std::sync::Arc;
use support::{Caller, Random, World, address};

/// Contracts that call each other, at the addresses from [`FIRST`] on.
const CONTRACTS: u16 = 300;
const FIRST: u16 = 0x1000;
const THREADS: u64 = 6;
/// Transactions of each thread.
const TRANSACTIONS: u64 = 250;

fn world() -> World {
    let mut random = Random::new(0xb10c);
    let mut world = World::new();
    for n in 0..CONTRACTS {
        let callees: [_; 3] = core::array::from_fn(|_| address(FIRST + random.below(CONTRACTS.into()) as u16));
        world = world.code(address(FIRST + n), random.program(&callees));
    }
    world
}

/// Calls in an order that depends on the thread, a few contracts more often than the rest. Gives the gas used in all.
fn calls(caller: &mut Caller, thread: u64) -> u64 {
    let mut random = Random::new(1 + thread % 2);
    (0..TRANSACTIONS)
        .map(|_| {
            let range = if random.below(2) == 0 { 8 } else { CONTRACTS.into() };
            let to = address(FIRST + random.below(range) as u16);
            caller.check(|tx| {
                tx.kind = TxKind::Call(to);
                tx.gas_limit = 300_000;
            })
        })
        .sum()
}

/// Small code memory in generations, the same without a second generation, and plenty.
fn engines() -> Vec<Engine> {
    [(Mode::Always, 1 << 17, 4), (Mode::Always, 1 << 17, 1), (Mode::Tiered, 1 << 16, 3), (Mode::Tiered, 64 << 20, 4)]
        .map(|(mode, arena_bytes, generations)| {
            let config = Config { arena_bytes, generations, contracts: 100, least_work: 20, payback: 0, ..Config::with_mode(mode) };
            Engine::new(config)
        })
        .into()
}

#[test]
fn threads_share_engines() {
    let world = Arc::new(world());
    let alone: Vec<u64> = (0..2).map(|thread| calls(&mut Caller::new(&world, &engines(), SpecId::OSAKA), thread)).collect();
    let engines = engines();
    let together: Vec<u64> = std::thread::scope(|scope| {
        let (world, engines) = (&world, &engines);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || calls(&mut Caller::new(world, engines, SpecId::OSAKA), thread)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    for (thread, gas) in together.iter().enumerate() {
        assert_eq!(*gas, alone[thread % 2]);
    }
    let counters: Vec<_> = engines.iter().map(|engine| engine.counters().read()).collect();
    assert!(counters.iter().all(|counters| counters.units > 0), "nothing was compiled");
    assert!(counters[0].generations > 3 && counters[2].generations > 3, "code memory was to be renewed: {counters:?}");
    assert!(counters[0].evicted > 0);
    assert!(counters.iter().all(|counters| counters.misses > 0 && counters.lookups == counters.hits + counters.misses));
    assert!(counters[1].generations == 0 && counters[1].refused_full > 0, "code memory was to stay full");
    // All EVMs are gone, and with them what they were the last to hold.
    for engine in &engines {
        assert_eq!(engine.holdings().generations, 1);
    }
}

/// What is executed does not depend on whether compiled code may be entered and made at the time.
#[test]
fn engines_are_switched_while_they_run() {
    let world = Arc::new(world());
    let config = Config { least_work: 20, payback: 0, ..Config::default() };
    let engine = Engine::new(config);
    let engines = [engine.clone()];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let (world, engines) = (&world, &engines);
                scope.spawn(move || calls(&mut Caller::new(world, engines, SpecId::CANCUN), thread))
            })
            .collect();
        let mut step = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            match step % 6 {
                0 => engine.pause(),
                1 => engine.disable(),
                2 => engine.resume(),
                3 => engine.clear(),
                4 => engine.enable(),
                _ => std::thread::yield_now(),
            }
            step += 1;
        }
        threads.into_iter().for_each(|thread| assert!(thread.join().expect("no thread panics") > 0));
    });
}

#[test]
fn a_disabled_engine_interprets_and_a_paused_one_keeps_what_it_has() {
    let world = Arc::new(world());
    let engine = Engine::new(Config { count: true, ..Config::with_mode(Mode::Always) });
    let mut caller = Caller::new(&world, std::slice::from_ref(&engine), SpecId::OSAKA);
    let counted = |caller: &mut Caller| {
        let before = engine.counters().read();
        calls(caller, 0);
        let after = engine.counters().read();
        (after.units - before.units, after.compiled - before.compiled, after.interpreted - before.interpreted)
    };
    engine.disable();
    let (units, compiled, interpreted) = counted(&mut caller);
    assert!(!engine.is_enabled() && units == 0 && compiled == 0 && interpreted > 0);
    engine.enable();
    engine.pause();
    let (units, compiled, _) = counted(&mut caller);
    assert!(engine.is_enabled() && engine.is_paused() && units == 0 && compiled == 0);
    engine.resume();
    let (units, compiled, _) = counted(&mut caller);
    assert!(!engine.is_paused() && units > 0 && compiled > 0);
    engine.pause();
    let (units, compiled, _) = counted(&mut caller);
    assert!(units == 0 && compiled > 0);
    assert!(engine.holdings().native_bytes > 10_000 && engine.holdings().contracts > 100);
    engine.clear();
    assert_eq!((engine.holdings().contracts, engine.generation()), (0, 1));
    let (units, compiled, _) = counted(&mut caller);
    assert_eq!((units, compiled), (0, 0), "nothing is left of what was cleared");
}
