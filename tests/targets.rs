//! Accounts that are called again in one transaction: each rule by which what is known of them ends, or does not begin.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::context_interface::{Cfg, ContextTr};
use revm::database::InMemoryDB;
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult};
use revm::primitives::{Address, AddressSet, Bytes, KECCAK_EMPTY, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{ExecuteEvm, MainBuilder, MainContext};
use support::{Asm, CALLER, World, address};

const A: Address = address(0xa1);
const B: Address = address(0xb2);
const C: Address = address(0xc3);

const CALL: u8 = 0xf1;
const FORKS: &[SpecId] = &[SpecId::HOMESTEAD, SpecId::BYZANTIUM, SpecId::BERLIN, SpecId::CANCUN, SpecId::OSAKA];

/// Calls of nothing, one after the other.
fn calls(targets: &[Address]) -> Asm {
    targets.iter().fold(Asm::new(), |code, &to| code.call(CALL, 100_000, to, 0, (0, 0), (0, 0)).ops(&[0x50]))
}

/// `code`, then REVERT.
fn reverting(code: Asm) -> Vec<u8> {
    code.push(0).push(0).ops(&[0xfd]).build()
}

/// Stores ADDRESS, CALLER, CALLVALUE and the first word of the call data.
fn teller() -> Vec<u8> {
    Asm::new().ops(&[0x30, 0x5f, 0x55, 0x33, 0x60, 1, 0x55, 0x34, 0x60, 2, 0x55, 0x5f, 0x35, 0x60, 3, 0x55]).build()
}

fn to_a(tx: &mut TxEnv) {
    tx.kind = TxKind::Call(A);
}

/// What a reverted frame was the first to call is cold again; what was called before it is not. Nothing is known in the next transaction.
#[test]
fn a_revert_takes_back_warmth() {
    for first in [&[][..], &[B], &[C], &[B, C]] {
        for within in [&[B][..], &[B, B], &[C, B]] {
            let world = World::new().code(A, calls(&[first, &[C, C, B, B]].concat()).build()).code(B, vec![0x00]);
            world.code(C, reverting(calls(within))).check(FORKS, to_a);
        }
    }
}

/// A contract that was created, called and taken back has no code, wherever it is called from.
#[test]
fn a_revert_takes_back_code() {
    let created = C.create(1);
    // Deploys one byte, INVALID.
    let mut init = [0; 32];
    init[..9].copy_from_slice(&[0x60, 0xfe, 0x5f, 0x53, 0x60, 1, 0x5f, 0xf3, 0]);
    let create = Asm::new().ops(&[0x7f]).ops(&init).push(0).ops(&[0x52]).push(9).push(0).push(0).ops(&[0xf0, 0x50]).build();
    let body = Asm::new().ops(&create).ops(&calls(&[created, created]).build());
    for code in [reverting(body.clone()), body.build()] {
        World::new().code(A, calls(&[created, C, created, created]).build()).code(C, code).check(
            &[SpecId::SHANGHAI, SpecId::OSAKA],
            |tx| {
                to_a(tx);
                tx.gas_limit = 3_000_000;
            },
        );
    }
}

/// An account that delegates (EIP-7702) is asked for its delegate at each call, which is paid for.
#[test]
fn delegations_are_followed_at_each_call() {
    let designator = [&[0xef, 0x01, 0x00][..], C.as_slice()].concat();
    for targets in [&[B, B, B][..], &[C, B, C, B]] {
        let world = World::new().code(A, calls(targets).build()).code(B, designator.clone());
        world.code(C, teller()).check(&[SpecId::PRAGUE, SpecId::OSAKA], to_a);
    }
}

/// Each kind of call of an account that is known: who it is told that it is, who calls, with what, until there is nothing left to send.
#[test]
fn each_kind_of_call_again() {
    for (first, then) in [(0xf1, 0xf4), (0xf4, 0xf1), (0xf2, 0xfa), (0xfa, 0xf2), (0xf1, 0xf1), (0xf2, 0xf2), (0xf4, 0xf4)] {
        for value in [0, 4] {
            let mut code = Asm::new().push(7).push(0).ops(&[0x52]);
            for opcode in [first, then, then, first, then] {
                code = code.call(opcode, 100_000, B, value, (0, 32), (32, 32)).push(u64::from(opcode)).ops(&[0x55]);
            }
            let code = code.build();
            World::new().code(A, code.clone()).code(B, teller()).check(&[SpecId::SHANGHAI, SpecId::OSAKA], |tx| {
                to_a(tx);
                tx.gas_limit = 3_000_000;
            });
            World::new().code(A, code).code(B, reverting(Asm::new())).check(FORKS, to_a);
        }
    }
}

/// An account is known by its code alone; a call of the account itself touches it then.
#[test]
fn a_known_account_is_touched_when_it_is_called() {
    let code = Asm::new().call(0xf4, 100_000, B, 0, (0, 0), (0, 0)).ops(&calls(&[B, B]).build()).build();
    World::new().code(A, code).code(B, vec![0x00]).check(FORKS, to_a);
}

type Ctx = Context<BlockEnv, TxEnv, CfgEnv, InMemoryDB, Journal<InMemoryDB>, ()>;

fn context(contracts: &[(Address, Vec<u8>)], edit: impl FnOnce(&mut InMemoryDB)) -> Ctx {
    let mut db = InMemoryDB::default();
    db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
    for (at, code) in contracts {
        let info = AccountInfo::from_bytecode(Bytecode::new_raw(code.clone().into()));
        db.insert_account_info(*at, AccountInfo { balance: U256::from(u64::from(*at == A)), ..info });
    }
    edit(&mut db);
    Context::mainnet()
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.disable_nonce_check = true;
        })
        .with_db(db)
}

fn transaction() -> TxEnv {
    TxEnv { caller: CALLER, kind: TxKind::Call(A), gas_limit: 1_000_000, ..TxEnv::default() }
}

/// A database says of code that its hash is that of no code: to send something to the account makes it one that is not empty.
#[test]
fn what_counts_as_empty_is_not_known() {
    for hash in [KECCAK_EMPTY, Default::default()] {
        let code = calls(&[B]).call(CALL, 100_000, B, 1, (0, 0), (0, 0)).build();
        let lie = |db: &mut InMemoryDB| {
            let info = &mut db.cache.accounts.get_mut(&B).expect("just made").info;
            (info.nonce, info.code, info.code_hash) = (0, Some(Bytecode::new_raw(Bytes::from_static(&[0x00]))), hash);
        };
        let contracts = [(A, code), (B, vec![0x00])];
        let expected = context(&contracts, lie).build_mainnet().transact(transaction()).unwrap();
        let found =
            context(&contracts, lie).build_ejit(&Engine::new(Config::with_mode(Mode::Off))).transact(transaction()).unwrap();
        assert_eq!(found, expected);
    }
}

/// Precompiles that answer where there is call data.
#[derive(Debug)]
struct Fickle(EthPrecompiles);

impl<CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<CTX> for Fickle {
    type Output = InterpreterResult;

    fn set_spec(&mut self, fork: SpecId) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.0, fork)
    }

    fn run(&mut self, ctx: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        if inputs.bytecode_address != B || inputs.input.is_empty() {
            return self.0.run(ctx, inputs);
        }
        Ok(Some(InterpreterResult::new(InstructionResult::Return, Bytes::from_static(&[1; 32]), Gas::new(inputs.gas_limit))))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.0.warm_addresses()
    }
}

/// Of precompiles that are not revm's own nothing is known: they are asked at each call.
#[test]
fn precompiles_of_the_embedders_are_asked_at_each_call() {
    let code = calls(&[B]).call(CALL, 100_000, B, 0, (0, 8), (0, 32)).push(0).ops(&[0x51]).push(1).ops(&[0x55]).build();
    let contracts = [(A, code), (B, vec![0x00])];
    let fickle = || Fickle(EthPrecompiles::new(SpecId::OSAKA));
    let expected = context(&contracts, |_| {}).build_mainnet().with_precompiles(fickle()).transact(transaction()).unwrap();
    let engine = Engine::new(Config::with_mode(Mode::Off));
    let found = context(&contracts, |_| {}).build_ejit(&engine).with_precompiles(fickle()).transact(transaction()).unwrap();
    assert_eq!(found, expected);
}

/// What is known of accounts keeps no memory of a generation that is no more.
#[test]
fn a_generation_is_let_go() {
    let engine = Engine::new(Config::with_mode(Mode::Always));
    let contracts = [(A, calls(&[B, B]).build()), (B, vec![0x00]), (C, vec![0x00])];
    let mut evm = context(&contracts, |_| {}).build_ejit(&engine);
    let first = evm.transact(transaction()).unwrap();
    engine.clear();
    let other = TxEnv { kind: TxKind::Call(C), ..transaction() };
    for _ in 0..2 {
        evm.transact(other.clone()).unwrap();
    }
    assert_eq!(engine.holdings().generations, 1);
    assert_eq!(evm.transact(transaction()).unwrap(), first);
}
