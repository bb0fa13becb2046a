//! One transaction to one contract, executed by revm and by ejit.

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use ejit::evm::opcode::OPCODES;
use revm::bytecode::Bytecode;
use revm::context::{CfgEnv, Context, TxEnv};
use revm::context_interface::result::{ExecutionResult, ResultAndState};
use revm::database::{CacheDB, EmptyDB, WrapDatabaseRef};
use revm::inspector::Inspector;
use revm::interpreter::{Interpreter, InterpreterTypes};
use revm::primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId, hex};
use revm::state::AccountInfo;
use revm::{ExecuteEvm, InspectEvm, MainBuilder, MainContext};
use std::fmt;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// All rules that differ.
pub const FORKS: [SpecId; 15] = [
    SpecId::FRONTIER,
    SpecId::HOMESTEAD,
    SpecId::TANGERINE,
    SpecId::SPURIOUS_DRAGON,
    SpecId::BYZANTIUM,
    SpecId::PETERSBURG,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::MERGE,
    SpecId::SHANGHAI,
    SpecId::CANCUN,
    SpecId::PRAGUE,
    SpecId::OSAKA,
    SpecId::AMSTERDAM,
];
/// The rules most tests use.
pub const LATEST: SpecId = SpecId::OSAKA;
/// Gas that is enough for any program here.
pub const GAS: u64 = 400_000;

const SENDER: u64 = 0x5e4d;
/// The contract that is called.
pub const CONTRACT: u64 = 0xa1;
/// Adds its input to a slot, logs it and returns 96 bytes of it.
const STORES: (u64, &[u8]) = (0xb2, &hex!("36600060003760003560005401600055366000a060606000f3"));
/// Reverts with its input.
const REVERTS: (u64, &[u8]) = (0xc3, &hex!("366000600037366000fd"));
/// Calls its caller back with half of its gas, then spends the rest.
const CALLS_BACK: (u64, &[u8]) = (0xd4, &hex!("602060006000600060003360025a04f1fe"));

/// The address that is a number.
pub fn address(number: u64) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}

/// Whether these rules know the opcode.
pub fn is_available(fork: SpecId, byte: u8) -> bool {
    OPCODES[usize::from(byte)].name != "UNDEFINED" && fork.is_enabled_in(OPCODES[usize::from(byte)].since)
}

/// A transaction: code of the called contract, input, rules.
#[derive(Clone, Debug)]
pub struct Case {
    pub code: Vec<u8>,
    pub input: Bytes,
    pub value: u64,
    pub gas: u64,
    pub fork: SpecId,
}

impl Case {
    pub fn new(code: impl Into<Vec<u8>>) -> Case {
        Case { code: code.into(), input: Bytes::new(), value: 0, gas: GAS, fork: LATEST }
    }

    pub fn input(self, input: impl Into<Bytes>) -> Case {
        Case { input: input.into(), ..self }
    }

    pub fn gas(self, gas: u64) -> Case {
        Case { gas, ..self }
    }

    pub fn fork(self, fork: SpecId) -> Case {
        Case { fork, ..self }
    }

    fn database(&self) -> CacheDB<EmptyDB> {
        let mut db = CacheDB::default();
        db.insert_account_info(address(SENDER), AccountInfo::from_balance(U256::from(1u64 << 60)));
        for (at, code) in [(CONTRACT, &self.code[..]), STORES, REVERTS, CALLS_BACK] {
            let code = Bytecode::new_legacy(Bytes::copy_from_slice(code));
            db.insert_account_info(
                address(at),
                AccountInfo { balance: U256::from(1000), nonce: 1, ..AccountInfo::from_bytecode(code) },
            );
        }
        for key in 0..3u64 {
            db.insert_account_storage(address(CONTRACT), U256::from(key), U256::from(key * 0x1111))
                .expect("an empty database does not fail");
        }
        db
    }

    fn transaction(&self) -> TxEnv {
        TxEnv {
            caller: address(SENDER),
            gas_limit: self.gas,
            kind: TxKind::Call(address(CONTRACT)),
            value: U256::from(self.value),
            data: self.input.clone(),
            ..TxEnv::default()
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { code, input, value, gas, fork } = self;
        write!(f, "{fork:?}, gas {gas}, value {value}, input 0x{}, code 0x{}", hex::encode(input), hex::encode(code))
    }
}

type Db<'a> = WrapDatabaseRef<&'a CacheDB<EmptyDB>>;
type MainnetContext<'a> = Context<revm::context::BlockEnv, TxEnv, CfgEnv, Db<'a>>;

fn context<'a>(db: &'a CacheDB<EmptyDB>, fork: SpecId) -> MainnetContext<'a> {
    Context::mainnet().with_db(WrapDatabaseRef(db)).modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(fork))
}

/// Gas left at each instruction of every frame: where gas can run out.
#[derive(Default)]
struct GasPoints(Vec<u64>);

impl<CTX, INTR: InterpreterTypes> Inspector<CTX, INTR> for GasPoints {
    fn step(&mut self, interpreter: &mut Interpreter<INTR>, _context: &mut CTX) {
        self.0.push(interpreter.gas.remaining());
    }
}

/// The gas limits at which this transaction's outcome may change: what it has used at each instruction, one less and one more.
/// Above the intrinsic cost; at most `most` of them.
pub fn gas_limits(case: &Case, most: usize) -> Vec<u64> {
    let db = case.database();
    let mut evm = context(&db, case.fork).build_mainnet_with_inspector(GasPoints::default());
    let outcome = evm.inspect_one_tx(case.transaction());
    let used = outcome.map_or(0, |result| result.tx_gas_used());
    let GasPoints(points) = std::mem::take(&mut evm.inspector);
    let Some(&first) = points.first() else { return Vec::new() };
    let intrinsic = case.gas - first;
    let mut limits: Vec<u64> =
        points.iter().map(|left| case.gas - left).chain([used]).flat_map(|used| [used.saturating_sub(1), used, used + 1]).collect();
    limits.retain(|limit| (intrinsic..=case.gas).contains(limit));
    limits.sort_unstable();
    limits.dedup();
    let step = limits.len().div_ceil(most).max(1);
    limits.into_iter().step_by(step).collect()
}

/// What a case came to in revm and, differently, in ejit.
#[derive(Debug)]
pub struct Difference {
    pub case: Case,
    pub settings: Config,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}\n{}", self.settings, self.what, self.case)
    }
}

/// Engines in the modes to compare, kept for many cases.
pub struct Harness {
    settings: Vec<Config>,
    engines: Vec<Engine>,
    /// Instructions executed by compiled code.
    compiled: u64,
}

/// Code after which an engine is replaced, so that none is full.
const MOST_NATIVE_BYTES: u64 = 16 << 20;
/// The same for contracts that it knows.
const MOST_LOOKUPS: u64 = 20_000;

impl Harness {
    /// The modes in which everything is compared.
    pub fn new() -> Harness {
        let chaos = [Mode::Always, Mode::Tiered].map(|mode| Config { chaos: Some(CHAOS), ..settings(mode) });
        Harness::with_settings([Mode::Always, Mode::Tiered, Mode::Off].map(settings).into_iter().chain(chaos).collect())
    }

    pub fn with_modes(modes: &[Mode]) -> Harness {
        Harness::with_settings(modes.iter().copied().map(settings).collect())
    }

    /// An engine for each of the settings.
    pub fn with_settings(settings: Vec<Config>) -> Harness {
        let engines = settings.iter().cloned().map(Engine::new).collect();
        Harness { settings, engines, compiled: 0 }
    }

    /// Executes a case everywhere. Gives revm's gas used, or the first difference.
    pub fn compare(&mut self, case: &Case) -> Result<u64, Box<Difference>> {
        let db = case.database();
        let expected = context(&db, case.fork).build_mainnet().transact(case.transaction());
        for (engine, settings) in self.engines.iter_mut().zip(&self.settings) {
            let run = || context(&db, case.fork).build_ejit(engine).transact(case.transaction());
            let what = match (&expected, &catch_unwind(AssertUnwindSafe(run))) {
                (_, Err(_)) => Some("ejit panicked".into()),
                (Ok(expected), Ok(Ok(got))) => difference(expected, got),
                (expected, Ok(got)) => (expected != got).then(|| format!("revm {expected:?}, ejit {got:?}")),
            };
            if let Some(what) = what {
                return Err(Box::new(Difference { case: case.clone(), settings: settings.clone(), what }));
            }
            let counters = engine.counters().read();
            assert_eq!(counters.refused_full, 0, "an engine without room compares nothing");
            if counters.native_bytes > MOST_NATIVE_BYTES || counters.lookups > MOST_LOOKUPS {
                self.compiled += counters.compiled;
                *engine = Engine::new(settings.clone());
            }
        }
        Ok(expected.map_or(0, |outcome| outcome.result.tx_gas_used()))
    }

    /// Executes a case everywhere; panics at a difference.
    pub fn check(&mut self, case: &Case) -> u64 {
        self.compare(case).unwrap_or_else(|difference| panic!("{difference}"))
    }

    /// The same with every gas limit that may matter, at most `most` of them.
    pub fn check_gas_limits(&mut self, case: &Case, most: usize) {
        self.check(case);
        for gas in gas_limits(case, most) {
            self.check(&case.clone().gas(gas));
        }
    }

    /// Instructions executed by compiled code so far.
    pub fn compiled_instructions(&self) -> u64 {
        self.compiled + self.engines.iter().map(|engine| engine.counters().read().compiled).sum::<u64>()
    }
}

/// Seed of the engines whose compiler makes choices at random.
const CHAOS: NonZeroU64 = NonZeroU64::new(0xd1ce).unwrap();

/// An engine that counts, and that compiles early if it does so at all.
fn settings(mode: Mode) -> Config {
    Config { count: true, least_work: 60, payback: 0, ..Config::with_mode(mode) }
}

/// The first thing in which two outcomes differ.
fn difference(expected: &ResultAndState, got: &ResultAndState) -> Option<String> {
    if expected.result != got.result {
        return Some(result_difference(&expected.result, &got.result));
    }
    let mut addresses: Vec<&Address> = expected.state.keys().chain(got.state.keys()).collect();
    addresses.sort_unstable();
    addresses.into_iter().find_map(|address| {
        let (expected, got) = (expected.state.get(address), got.state.get(address));
        (expected != got).then(|| format!("account {address}\n  revm {expected:?}\n  ejit {got:?}"))
    })
}

fn result_difference(expected: &ExecutionResult, got: &ExecutionResult) -> String {
    format!("result\n  revm {expected:?}\n  ejit {got:?}")
}
