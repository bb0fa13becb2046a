//! What is generic over alloy-evm's `EvmFactory`, on revm's factory and on ours: results, states and what inspectors see must be equal.
#![cfg(feature = "alloy")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    eth::EthEvmFactory,
    revm::{
        DatabaseCommit, Inspector,
        bytecode::Bytecode,
        context::{
            BlockEnv, CfgEnv, TxEnv,
            result::{HaltReason, ResultAndState},
        },
        database::InMemoryDB,
        interpreter::{Interpreter, interpreter::EthInterpreter, interpreter_types::Jumps},
        primitives::{Address, TxKind, U256, hardfork::SpecId},
        state::AccountInfo,
    },
};
use ejit::{
    adapter::EjitEvmFactory,
    engine::{Config, Engine, Mode},
};
use support::{CALLER, Random, address};

const PROGRAMS: u16 = 40;
const FIRST: u16 = 0x2000;

fn state() -> InMemoryDB {
    let mut random = Random::new(0xa110);
    let mut db = InMemoryDB::default();
    db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..AccountInfo::default() });
    for n in 0..PROGRAMS {
        let others: [Address; 3] = core::array::from_fn(|_| address(FIRST + random.below(PROGRAMS.into()) as u16));
        let code = Bytecode::new_raw(random.program(&others).into());
        db.insert_account_info(address(FIRST + n), AccountInfo { nonce: 1, ..AccountInfo::from_bytecode(code) });
    }
    db
}

fn env() -> EvmEnv {
    let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
    cfg.disable_nonce_check = true;
    EvmEnv::new(cfg, BlockEnv::default())
}

fn transactions() -> impl Iterator<Item = TxEnv> {
    (0..3 * PROGRAMS).map(|n| TxEnv {
        caller: CALLER,
        kind: TxKind::Call(address(FIRST + n % PROGRAMS)),
        gas_limit: 400_000,
        ..TxEnv::default()
    })
}

/// Every transaction's result and state, one on the other.
fn outcomes(mut evm: impl Evm<DB = InMemoryDB, Tx = TxEnv, HaltReason = HaltReason>) -> Vec<ResultAndState> {
    transactions()
        .map(|tx| {
            let outcome = evm.transact(tx).unwrap_or_else(|error| panic!("a valid transaction: {error:?}"));
            evm.db_mut().commit(outcome.state.clone());
            outcome
        })
        .collect()
}

#[test]
fn factories_agree() {
    let expected = outcomes(EthEvmFactory::default().create_evm(state(), env()));
    assert!(expected.iter().any(|outcome| outcome.result.is_success()));
    for mode in [Mode::Off, Mode::Always, Mode::Tiered, Mode::Check] {
        let engine = Engine::new(Config { payback: 0, least_work: 50, ..Config::with_mode(mode) });
        let factory = EjitEvmFactory::new(engine);
        assert_eq!(outcomes(factory.create_evm(state(), env())), expected, "{mode:?}");
        let counters = factory.engine().counters().read();
        assert!(counters.frames > expected.len() as u64 && counters.handed_over == 0, "{mode:?} {counters:?}");
    }
}

/// Counts instructions.
#[derive(Clone, Debug, Default, PartialEq)]
struct Steps(Vec<u8>);

impl<CTX> Inspector<CTX, EthInterpreter> for Steps {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CTX) {
        self.0.push(interpreter.bytecode.opcode());
    }
}

#[test]
fn inspectors_see_every_step_while_they_are_enabled() {
    let mut revm = EthEvmFactory::default().create_evm_with_inspector(state(), env(), Steps::default());
    let engine = Engine::new(Config::with_mode(Mode::Always));
    let mut ours = EjitEvmFactory::new(engine).create_evm_with_inspector(state(), env(), Steps::default());
    for (n, tx) in transactions().enumerate() {
        revm.set_inspector_enabled(n % 3 != 1);
        ours.set_inspector_enabled(n % 3 != 1);
        let (expected, got) = (revm.transact(tx.clone()).unwrap(), ours.transact(tx).unwrap());
        assert_eq!(got, expected);
    }
    assert_eq!(ours.inspector(), revm.inspector());
    assert!(ours.inspector().0.len() > 1000);
    assert!(ours.counters().frames > 0, "transactions that nobody inspects are executed here");
    let (_, env) = ours.finish();
    assert_eq!(env.cfg_env.spec, SpecId::PRAGUE);
}
