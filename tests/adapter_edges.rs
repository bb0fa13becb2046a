//! `EjitEvm` beside plain transactions: what is handed to revm, inspectors, system calls, precompiles of the embedder's, databases that
//! fail or lie.
#![cfg(feature = "revm")]

#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

use ejit::adapter::{BuildEjit, EjitEvm};
use ejit::engine::{Config, Engine, Mode};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::context_interface::{Cfg, ContextTr, JournalTr, LocalContextTr, cfg::gas_params::GasId};
use revm::database::{CacheDB, EmptyDB, InMemoryDB};
use revm::handler::{EthPrecompiles, PrecompileProvider, instructions::EthInstructions};
use revm::inspector::{InspectEvm, Inspector};
use revm::interpreter::{CallInput, CallInputs, CallOutcome, Gas, InstructionResult, InterpreterResult};
use revm::primitives::{Address, AddressSet, B256, Bytes, Log, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Database, DatabaseCommit, ExecuteCommitEvm, ExecuteEvm, InspectCommitEvm, MainBuilder, MainContext, SystemCallEvm};
use support::{Asm, CALLER, address};

const A: Address = address(0xa1);
const B: Address = address(0xb2);

type MainnetContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, ()>;

fn engine() -> Engine {
    Engine::new(Config::with_mode(Mode::Off))
}

fn database(contracts: &[(Address, Vec<u8>)]) -> InMemoryDB {
    let mut db = InMemoryDB::default();
    db.insert_account_info(CALLER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
    for (at, code) in contracts {
        db.insert_account_info(*at, AccountInfo::from_bytecode(Bytecode::new_raw(code.clone().into())));
    }
    db
}

fn context<DB: Database>(db: DB, fork: SpecId) -> MainnetContext<DB> {
    Context::mainnet()
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(fork);
            cfg.disable_nonce_check = true;
        })
        .with_db(db)
}

fn call(to: Address) -> TxEnv {
    TxEnv { caller: CALLER, kind: TxKind::Call(to), gas_limit: 1_000_000, ..TxEnv::default() }
}

/// A calls B, which stores and logs.
fn caller_and_callee() -> InMemoryDB {
    let caller = Asm::new().push(7).push(0).ops(&[0x52]).call(0xf1, 200_000, B, 0, (0, 32), (0, 32)).push(1).ops(&[0x55]).build();
    let callee =
        Asm::new().push(0).ops(&[0x35]).push(2).ops(&[0x55]).push(32).push(0).ops(&[0xa0]).push(32).push(0).ops(&[0xf3]).build();
    database(&[(A, caller), (B, callee)])
}

#[test]
fn unknown_configurations_go_to_revm() {
    let amsterdam = |context: MainnetContext<InMemoryDB>| {
        context.modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::AMSTERDAM))
    };
    let dear_memory = |context: MainnetContext<InMemoryDB>| {
        context.modify_cfg_chained(|cfg| cfg.gas_params.override_gas([(GasId::memory_linear_cost(), 30)]))
    };
    let changes: [&dyn Fn(MainnetContext<InMemoryDB>) -> MainnetContext<InMemoryDB>; 2] = [&amsterdam, &dear_memory];
    for change in changes {
        let expected = change(context(caller_and_callee(), SpecId::OSAKA)).build_mainnet().transact(call(A)).unwrap();
        let mut evm = change(context(caller_and_callee(), SpecId::OSAKA)).build_ejit(&engine());
        assert_eq!(evm.transact(call(A)).unwrap(), expected);
        assert_eq!((evm.counters().handed_to_revm, evm.counters().frames), (1, 0));
        assert_eq!(evm.engine().counters().read().handed_over, 1);
    }
    // The fork changed under an EVM that was built with another fork's gas table.
    let mut evm = context(caller_and_callee(), SpecId::BYZANTIUM).build_ejit(&engine());
    evm.inner.ctx.modify_cfg(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA));
    evm.transact(call(A)).unwrap();
    assert_eq!(evm.counters().handed_to_revm, 1);
}

/// A call that sends nothing touches what it calls, which a revert takes back. The next call touches it again.
#[test]
fn touched_accounts_are_those_of_revm() {
    let [reverts, empty] = [0xc3, 0xd4].map(address);
    let plain = |to| Asm::new().call(0xf1, 50_000, to, 0, (0, 0), (0, 0)).ops(&[0x50]);
    let calls = |targets: &[Address]| targets.iter().flat_map(|&to| plain(to).build()).collect::<Vec<u8>>();
    let reverting = |targets: &[Address]| [calls(targets), Asm::new().push(0).push(0).ops(&[0xfd]).build()].concat();
    let codes = |first: Vec<u8>, second: Vec<u8>| [(A, first), (B, vec![0x00]), (reverts, second)];
    let identity = address(4);
    let cases = [
        codes(calls(&[B, B, empty, empty]), vec![]),
        codes(calls(&[reverts, B, empty]), reverting(&[B, empty, B, empty])),
        codes(calls(&[reverts, reverts]), reverting(&[B, empty])),
        codes(calls(&[identity, B, reverts, identity, B]), reverting(&[identity, B])),
        codes(calls(&[B, empty, reverts]), reverting(&[B, empty, identity])),
        codes(calls(&[A, reverts, A, empty]), reverting(&[reverts, empty])),
    ];
    for fork in [SpecId::HOMESTEAD, SpecId::BYZANTIUM, SpecId::CANCUN] {
        for case in &cases {
            let expected = context(database(case), fork).build_mainnet().transact(call(A)).unwrap();
            let found = context(database(case), fork).build_ejit(&engine()).transact(call(A)).unwrap();
            assert_eq!(found, expected, "{fork:?} {case:02x?}");
        }
    }
}

#[test]
fn huge_gas_limits_go_to_revm() {
    let run = |gas_limit| {
        let mut evm = context(caller_and_callee(), SpecId::CANCUN).build_ejit(&engine());
        let result = evm.transact(TxEnv { gas_limit, ..call(A) }).unwrap();
        assert!(result.result.is_success());
        evm.counters().handed_to_revm
    };
    assert_eq!(run(u64::MAX), 1);
    assert_eq!(run(i64::MAX as u64), 0);
}

#[test]
fn instructions_of_the_embedders_go_to_revm() {
    let ctx = context(caller_and_callee(), SpecId::OSAKA);
    let instructions = EthInstructions::new_mainnet_with_spec(SpecId::OSAKA);
    let precompiles = EthPrecompiles::new(SpecId::OSAKA);
    let mut evm = EjitEvm::with_instructions(ctx, (), instructions, precompiles, &engine());
    assert!(evm.transact(call(A)).unwrap().result.is_success());
    assert_eq!((evm.counters().handed_to_revm, evm.counters().frames), (1, 0));
}

/// Counts steps and remembers calls.
#[derive(Default, Debug, PartialEq)]
struct Watcher {
    steps: usize,
    calls: Vec<(Address, Bytes)>,
    logs: usize,
}

impl<CTX: ContextTr> Inspector<CTX> for Watcher {
    fn step(&mut self, _: &mut revm::interpreter::Interpreter, _: &mut CTX) {
        self.steps += 1;
    }

    fn call(&mut self, ctx: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.calls.push((inputs.target_address, inputs.input.bytes(ctx)));
        None
    }

    fn log(&mut self, _: &mut CTX, _: Log) {
        self.logs += 1;
    }
}

#[test]
fn inspectors_see_revms_own_loop() {
    let mut plain = context(caller_and_callee(), SpecId::OSAKA).build_mainnet_with_inspector(Watcher::default());
    let mut evm = context(caller_and_callee(), SpecId::OSAKA).build_ejit_with_inspector(Watcher::default(), &engine());
    let expected = plain.inspect_tx(call(A)).unwrap();
    assert_eq!(evm.inspect_tx(call(A)).unwrap(), expected);
    assert_eq!(evm.inspector, plain.inspector);
    assert!(evm.inspector.steps > 10 && evm.inspector.calls.len() == 2);
    assert_eq!(evm.counters().frames, 0);
    // The same EVM without inspection uses frames of its own, with the same result.
    assert_eq!(evm.transact(call(A)).unwrap(), plain.transact(call(A)).unwrap());
    assert_eq!(evm.counters().frames, 2);
    evm.inspect_tx_commit(call(A)).unwrap();
    plain.inspect_tx_commit(call(A)).unwrap();
    assert_eq!(evm.transact(call(A)).unwrap(), plain.transact(call(A)).unwrap());
}

#[test]
fn system_calls_and_commits() {
    let mut plain = context(caller_and_callee(), SpecId::OSAKA).build_mainnet();
    let mut evm = context(caller_and_callee(), SpecId::OSAKA).build_ejit(&engine());
    assert_eq!(evm.system_call(A, Bytes::new()), plain.system_call(A, Bytes::new()));
    assert_eq!(evm.transact_commit(call(A)), plain.transact_commit(call(A)));
    assert_eq!(evm.transact_many([call(B), call(A)].into_iter()), plain.transact_many([call(B), call(A)].into_iter()));
    assert_eq!(evm.finalize(), plain.finalize());
    assert_eq!(evm.replay(), plain.replay());
    assert_eq!(evm.counters().frames, 2 + 2 + 3 + 2);
    // A transaction that is not valid leaves nothing behind.
    let invalid = TxEnv { gas_limit: 100, ..call(A) };
    assert_eq!(evm.transact_one(invalid.clone()), plain.transact_one(invalid));
    assert_eq!(evm.transact(call(A)), plain.transact(call(A)));
}

/// Where the embedder's precompile is.
const ECHO: Address = address(0xe0);

/// Ethereum's precompiles, and one that logs, spoils the shared buffer and returns its input; what it saw is kept.
#[derive(Debug)]
struct Echo {
    standard: EthPrecompiles,
    warm: AddressSet,
    seen: Vec<(CallInput, Bytes, Address, U256, bool)>,
}

impl Echo {
    fn new(fork: SpecId) -> Echo {
        let standard = EthPrecompiles::new(fork);
        let mut warm = standard.warm_addresses().clone();
        warm.insert(ECHO);
        Echo { standard, warm, seen: Vec::new() }
    }
}

impl<CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<CTX> for Echo {
    type Output = InterpreterResult;

    fn set_spec(&mut self, fork: SpecId) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.standard, fork)
    }

    fn run(&mut self, ctx: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        if inputs.bytecode_address != ECHO {
            return self.standard.run(ctx, inputs);
        }
        let input = inputs.input.bytes(ctx);
        self.seen.push((inputs.input.clone(), input.clone(), inputs.target_address, inputs.value.get(), inputs.is_static));
        ctx.journal_mut().log(Log { address: ECHO, ..Log::default() });
        let mut gas = Gas::new(inputs.gas_limit);
        if input.first() == Some(&0xff) {
            ctx.local().shared_memory_buffer().borrow_mut().clear();
            return Err("fatal".into());
        }
        let result = if input.len() < 8 { InstructionResult::Revert } else { InstructionResult::Return };
        let _ = gas.record_regular_cost(10);
        Ok(Some(InterpreterResult::new(result, input, gas)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        &self.warm
    }
}

#[test]
fn precompiles_of_the_embedders() {
    for len in [0, 4, 40] {
        for first in [1, 0xff] {
            let code = Asm::new()
                .push(first)
                .push(0)
                .ops(&[0x53])
                .push(0x77)
                .push(33)
                .ops(&[0x53])
                .call(0xf1, 10_000, ECHO, 0, (0, len), (64, 40))
                .push(1)
                .ops(&[0x55])
                .call(0xfa, 10_000, ECHO, 0, (0, len), (64, 40))
                .push(2)
                .ops(&[0x55])
                .push(64)
                .ops(&[0x51])
                .push(3)
                .ops(&[0x55, 0x3d])
                .push(4)
                .ops(&[0x55])
                .push(0)
                .ops(&[0x51])
                .push(5)
                .ops(&[0x55])
                .build();
            let db = database(&[(A, code)]);
            let mut plain = context(db.clone(), SpecId::OSAKA).build_mainnet().with_precompiles(Echo::new(SpecId::OSAKA));
            let mut evm = context(db, SpecId::OSAKA).build_ejit(&engine()).with_precompiles(Echo::new(SpecId::OSAKA));
            assert_eq!(evm.transact(call(A)), plain.transact(call(A)));
            assert_eq!(evm.transact(call(ECHO)), plain.transact(call(ECHO)));
            assert_eq!(evm.precompiles.seen, plain.precompiles.seen);
        }
    }
}

/// A database that fails at one account or at storage, and gives a wrong code hash for every contract.
#[derive(Clone, Debug)]
struct Unreliable {
    inner: CacheDB<EmptyDB>,
    no_account: Option<Address>,
    no_storage: bool,
    one_hash: Option<B256>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failure")
    }
}

impl std::error::Error for Failure {}
impl revm::database_interface::DBErrorMarker for Failure {}

impl Database for Unreliable {
    type Error = Failure;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Failure> {
        if self.no_account == Some(address) {
            return Err(Failure);
        }
        let mut info = self.inner.basic(address).unwrap();
        if let (Some(info), Some(hash)) = (&mut info, self.one_hash)
            && !info.is_empty_code_hash()
        {
            info.code_hash = hash;
        }
        Ok(info)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Failure> {
        Ok(self.inner.code_by_hash(hash).unwrap())
    }

    fn storage(&mut self, address: Address, key: U256) -> Result<U256, Failure> {
        if self.no_storage { Err(Failure) } else { Ok(self.inner.storage(address, key).unwrap()) }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Failure> {
        Ok(self.inner.block_hash(number).unwrap())
    }
}

impl DatabaseCommit for Unreliable {
    fn commit(&mut self, changes: revm::primitives::AddressMap<revm::state::Account>) {
        self.inner.commit(changes);
    }
}

fn unreliable(contracts: &[(Address, Vec<u8>)]) -> Unreliable {
    Unreliable { inner: database(contracts), no_account: None, no_storage: false, one_hash: None }
}

#[test]
fn database_errors_end_the_transaction() {
    let caller = |opcode| Asm::new().call(opcode, 100_000, B, 0, (0, 0), (0, 0)).push(1).ops(&[0x55]).build();
    let callee = Asm::new().push(1).ops(&[0x54]).push_address(address(0x99)).ops(&[0x31]).build();
    for opcode in [0xf1, 0xf2, 0xf4, 0xfa] {
        let db = unreliable(&[(A, caller(opcode)), (B, callee.clone())]);
        for (no_account, no_storage) in [(Some(B), false), (Some(address(0x99)), false), (None, true), (Some(A), false)] {
            let db = Unreliable { no_account, no_storage, ..db.clone() };
            let mut plain = context(db.clone(), SpecId::OSAKA).build_mainnet();
            let mut evm = context(db, SpecId::OSAKA).build_ejit(&engine());
            for to in [A, B] {
                let expected = plain.transact_one(call(to));
                assert_eq!(evm.transact_one(call(to)), expected, "{opcode:x} {no_account:?} {no_storage}");
            }
            assert_eq!(evm.finalize(), plain.finalize());
        }
    }
}

#[test]
fn wrong_code_hashes_run_the_right_code() {
    let store = |value| Asm::new().push(value).push(1).ops(&[0x55]).build();
    let caller = Asm::new().call(0xf1, 100_000, B, 0, (0, 0), (0, 0)).push(1).ops(&[0x55]).build();
    let engine = engine();
    for second in [2, 4, 2] {
        let db = Unreliable { one_hash: Some(B256::repeat_byte(1)), ..unreliable(&[(A, caller.clone()), (B, store(second))]) };
        let expected = context(db.clone(), SpecId::OSAKA).build_mainnet().transact(call(A)).unwrap();
        let mut evm = context(db, SpecId::OSAKA).build_ejit(&engine);
        assert_eq!(evm.transact(call(A)).unwrap(), expected);
        assert_eq!(expected.state[&B].storage[&U256::from(1)].present_value, U256::from(second));
    }
}
