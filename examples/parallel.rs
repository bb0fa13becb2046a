//! Mixed transactions, executed by workers in parallel over one engine, through alloy-evm's factory. What is generic over `EvmFactory` runs
//! on revm and on ejit alike: `cargo run --release --example parallel --features alloy`.

use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    eth::EthEvmFactory,
    revm::{
        bytecode::Bytecode,
        context::{BlockEnv, CfgEnv, TxEnv},
        database::InMemoryDB,
        primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId},
        state::AccountInfo,
    },
};
use ejit::{adapter::EjitEvmFactory, engine::Engine};

const WORKERS: usize = 4;
const TRANSACTIONS: u64 = 400;

/// Adds up 1 to the number in the call data, and returns the sum.
const SUM: &str = "5f355f5b811560145781019060019003906003565b5f5260205ff3";
/// Counts its calls in storage.
const COUNTER: &str = "5f546001015f5500";
/// Hands its call data on to the contract at [`sum`] and returns what comes back.
const PROXY: &str = "365f5f375f5f365f73000000000000000000000000000000000000a5a55af43d5f5f3e3d5ff3";

const fn address(n: u16) -> Address {
    let mut bytes = [0; 20];
    (bytes[18], bytes[19]) = ((n >> 8) as u8, n as u8);
    Address::new(bytes)
}

const CONTRACTS: [(Address, &str); 3] = [(address(0xa5a5), SUM), (address(0xc0de), COUNTER), (address(0x9999), PROXY)];

fn state() -> InMemoryDB {
    let mut db = InMemoryDB::default();
    for (at, code) in CONTRACTS {
        let bytes: Vec<u8> = (0..code.len()).step_by(2).map(|i| u8::from_str_radix(&code[i..i + 2], 16).unwrap()).collect();
        db.insert_account_info(at, AccountInfo::from_bytecode(Bytecode::new_raw(bytes.into())));
    }
    for sender in 0..TRANSACTIONS {
        let info = AccountInfo { balance: U256::from(1u64 << 60), ..AccountInfo::default() };
        db.insert_account_info(address(sender as u16), info);
    }
    db
}

/// The `n`th transaction: a sum, a count, a sum through the proxy, or a transfer.
fn transaction(n: u64) -> TxEnv {
    let to = match n % 4 {
        3 => address(1000),
        kind => CONTRACTS[kind as usize].0,
    };
    let data = Bytes::copy_from_slice(&U256::from(500 + n).to_be_bytes::<32>());
    TxEnv { caller: address(n as u16), kind: TxKind::Call(to), gas_limit: 1_000_000, data, ..TxEnv::default() }
}

/// Gas used by every transaction of one worker.
fn work<F: EvmFactory<Tx = TxEnv, Spec = SpecId, BlockEnv = BlockEnv>>(factory: &F, worker: usize) -> Vec<(u64, u64)> {
    let env = EvmEnv::new(CfgEnv::new_with_spec(SpecId::CANCUN), BlockEnv::default());
    let mut evm = factory.create_evm(state(), env);
    (0..TRANSACTIONS)
        .skip(worker)
        .step_by(WORKERS)
        .map(|n| (n, evm.transact_commit(transaction(n)).expect("a valid transaction").tx_gas_used()))
        .collect()
}

/// Executes the block on as many threads as there are workers. Gives the gas that each transaction used.
fn execute<F: EvmFactory<Tx = TxEnv, Spec = SpecId, BlockEnv = BlockEnv> + Sync>(factory: &F) -> Vec<(u64, u64)> {
    let mut used: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(factory, worker))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
    });
    used.sort_unstable();
    used
}

fn main() {
    let ejit = EjitEvmFactory::new(Engine::default());
    let expected = execute(&EthEvmFactory::default());
    for _ in 0..20 {
        assert_eq!(execute(&ejit), expected, "the same as by revm");
    }
    let gas: u64 = expected.iter().map(|(_, gas)| gas).sum();
    println!("{TRANSACTIONS} transactions by {WORKERS} workers, {gas} gas, 20 times over one engine");
    println!("{}", ejit.engine().counters().read());
}
