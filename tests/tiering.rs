//! The default mode: in the end everything that runs is compiled, and compiling is paid for by what was executed.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::engine::{Config, CounterValues, Engine};
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use support::{Asm, Caller, World, address};

const PROGRAM: Address = address(0x7135);
const CALLEE: Address = address(0xca77);

/// A loop of as many rounds as the call data says, which calls an internal function in each, and `tail` behind it.
fn program(tail: &[u8]) -> Vec<u8> {
    // 0: the counter; 3: JUMPDEST; the return address, PUSH1 function, JUMP
    let head = Asm::new().push(0).ops(&[0x35, 0x5b]).push(9).push(24).ops(&[0x56]).build();
    assert_eq!(head.len(), 9);
    // 9: JUMPDEST; counter - 1; back unless that is 0; then to the end, past the function at 24: JUMPDEST; x * 3 + x; back
    let back = Asm::new().ops(&[0x5b]).push(1).ops(&[0x90, 0x03, 0x80]).push(3).ops(&[0x57]).push(33).ops(&[0x56, 0, 0, 0]).build();
    assert_eq!(back.len(), 15);
    let function = [0x5b, 0x81, 0x60, 3, 0x02, 0x82, 0x01, 0x50, 0x56];
    [&head[..], &back, &function, &[0x5b], tail].concat()
}

/// Transactions to `code`, each with so many rounds; gives what the engine has counted after each.
fn run(code: Vec<u8>, config: Config, rounds: impl IntoIterator<Item = u64>) -> (Vec<CounterValues>, u64) {
    let world = World::new().code(PROGRAM, code).code(CALLEE, vec![0x5b, 0x00]);
    let engine = Engine::new(config);
    let mut caller = Caller::new(&world, std::slice::from_ref(&engine), SpecId::OSAKA);
    let mut gas = 0;
    let mut counted = Vec::new();
    for rounds in rounds {
        gas += caller.check(|tx| {
            (tx.kind, tx.gas_limit) = (TxKind::Call(PROGRAM), 16_000_000);
            tx.data = U256::from(rounds).to_be_bytes::<32>().to_vec().into();
        });
        counted.push(engine.counters().read());
    }
    (counted, gas)
}

/// Whether frames are long or short, compiled in the middle of the first or from where they begin: at last nothing is interpreted.
#[test]
fn in_the_end_all_is_compiled() {
    for rounds in [30, 300, 30_000] {
        let frames = 3_000_000 / rounds + 100;
        let (counted, _) =
            run(program(&[0x00]), Config { count: true, ..Config::default() }, std::iter::repeat_n(rounds, frames as usize));
        let (then, end) = (counted[counted.len() - 50], counted[counted.len() - 1]);
        assert!(end.units > 0 && end.compiled > then.compiled, "{rounds}: {end:?}");
        assert_eq!((end.units, end.interpreted), (then.units, then.interpreted), "{rounds}");
    }
}

/// Gas handed to a callee is no work of the caller's: compiling costs at most one part in `payback` of what the caller itself has used, and 1,000
/// for each transaction, most of which want code once that there is not yet.
#[test]
fn gas_of_callees_is_no_work() {
    const CALLS: u64 = 40;
    const RUNS: u64 = 30;
    // Each lies behind a branch that is taken: compiled code asks for that side's code, and goes on into the call.
    let tail = (0..CALLS).fold(vec![], |tail, _| {
        // PUSH1 0, CALLDATALOAD, PUSH2 side, JUMPI, STOP; side: JUMPDEST, the call, POP
        let [high, low] = ((program(&tail).len() + 8) as u16).to_be_bytes();
        let branch = Asm::new().push(0).ops(&[0x35, 0x61, high, low, 0x57, 0x00, 0x5b]);
        [tail, branch.call(0xf1, 10_000_000, CALLEE, 0, (0, 0), (0, 0)).ops(&[0x50]).build()].concat()
    });
    let tail = [tail, vec![0x00]].concat();
    let config = Config::default();
    let (counted, gas) = run(program(&tail), config.clone(), std::iter::repeat_n(200, RUNS as usize));
    let end = counted[counted.len() - 1];
    assert!(end.units > 0, "{end:?}");
    let price = 60_000 + 12_000 * end.units + 160 * end.compiled_bytes;
    // What a transaction costs before it runs, and the first access to the callee.
    let work = gas - RUNS * (21_000 + 2_600) + RUNS * 1_000;
    assert!(price * config.payback <= work, "{price} of {work}");
}
