//! `ejit block`: a block of transactions made of workloads, some often and most seldom (Zipf's law), among plain transfers.
//!
//! A workload whose `to` is the only contract in it is moved to an address of its own, since many were made at the same one; of others that
//! claim the same address for different contracts, only the first is taken.

use crate::cli::failure::{Failure, Result};
use crate::cli::workload::{self, Workload};
use clap::Args;
use revm::primitives::{Address, Bytes, KECCAK_EMPTY, TxKind, U256, hardfork::SpecId, keccak256};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, io::Write, path::PathBuf, process::ExitCode};

/// Arguments of `ejit block`.
#[derive(Args, Debug)]
#[command(
    after_help = "Programs are drawn by rank, the one at rank n in proportion to 1 / n^EXPONENT; which program has which rank is drawn too.
The same workloads, numbers and seed give the same block.

Example:
  ejit block fixtures/workloads --transactions 200 --seed 7 > block.json"
)]
pub struct BlockArgs {
    /// Workload files, or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Transactions in the block
    #[arg(long, value_name = "N", default_value_t = 200)]
    transactions: usize,
    /// Plain transfers among them, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 30)]
    transfers: u64,
    /// Zipf's exponent
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    exponent: f64,
    /// Where the drawing starts
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Leave out workloads that use more gas
    #[arg(long, value_name = "GAS", default_value_t = 500_000)]
    most_gas: u64,
    /// Only workloads of these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', default_value = "token,dex,calls,storage,cold")]
    kinds: Vec<String>,
}

/// Accounts that send each other plain transfers.
const PEOPLE: u64 = 64;
/// What every sender has at least, in wei.
const WEALTH: u128 = 1 << 90;
/// Gas that a program may use beyond twice what it used when it was recorded, intrinsic gas included.
const SPARE_GAS: u64 = 200_000;

/// An account of the block's prestate.
#[derive(Clone, Debug, Default, PartialEq)]
struct Account {
    balance: U256,
    nonce: u64,
    code: Vec<u8>,
    storage: BTreeMap<U256, U256>,
}

/// Prints a block of the workloads that the arguments name.
pub fn run(args: &BlockArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let mut block = Draft::default();
    for path in workload::find(&args.paths)? {
        let workload = Workload::load(&path)?;
        let gas = workload.expected.as_ref().map_or(u64::MAX, |expected| expected.gas_used);
        if args.kinds.contains(&workload.kind) && gas <= args.most_gas {
            block.add(&workload, gas);
        }
    }
    if block.programs.is_empty() {
        return Err(Failure::input("no workload is left after --kinds and --most-gas"));
    }
    writeln!(out, "{:#}", block.draw(args))?;
    Ok(ExitCode::SUCCESS)
}

/// A block in the making.
#[derive(Debug, Default)]
struct Draft {
    accounts: BTreeMap<Address, Account>,
    programs: Vec<Value>,
    fork: SpecId,
    header: Map<String, Value>,
}

impl Draft {
    /// Adds a workload's accounts and its call, unless an account is in the way.
    fn add(&mut self, workload: &Workload, gas: u64) {
        let call = &workload.call;
        let TxKind::Call(to) = call.kind else { return };
        let mut accounts: BTreeMap<Address, Account> = BTreeMap::new();
        for (address, account) in &call.prestate.accounts {
            let code = call.prestate.codes.get(&account.code_hash).filter(|_| account.code_hash != KECCAK_EMPTY);
            let code = code.map_or(Vec::new(), |code| code.to_vec());
            let storage = account.storage.iter().map(|(key, value)| (*key, *value)).collect();
            accounts.insert(*address, Account { balance: account.balance, nonce: account.nonce, code, storage });
        }
        let alone = accounts.values().filter(|account| !account.code.is_empty()).count() <= 1;
        let place = if alone { Address::from_word(keccak256(workload.name.as_bytes())) } else { to };
        if let Some(contract) = accounts.remove(&to) {
            accounts.insert(place, contract);
        }
        let sender = accounts.entry(call.caller).or_default();
        sender.balance = sender.balance.max(U256::from(WEALTH));
        let is_contract = !sender.code.is_empty();
        let in_the_way = |(address, account): (&Address, &Account)| {
            self.accounts.get(address).is_some_and(|known| known != account && !(known.code.is_empty() && account.code.is_empty()))
        };
        if is_contract || accounts.iter().any(in_the_way) {
            return;
        }
        self.accounts.append(&mut accounts);
        if self.programs.is_empty() {
            let block = &call.block;
            self.header = [
                ("number", hex(block.number)),
                ("timestamp", hex(block.timestamp)),
                ("gasLimit", hex(U256::from(block.gas_limit))),
                ("coinbase", block.beneficiary.to_string()),
                ("baseFeePerGas", hex(U256::from(block.basefee))),
                ("mixHash", block.prevrandao.unwrap_or_default().to_string()),
                ("excessBlobGas", hex(U256::ZERO)),
            ]
            .map(|(name, value)| (name.to_string(), json!(value)))
            .into_iter()
            .collect();
        }
        self.fork = self.fork.max(call.fork);
        self.programs.push(json!({
            "workload": workload.name,
            "sender": call.caller.to_string(),
            "to": place.to_string(),
            "value": hex(call.value),
            "data": call.input.to_string(),
            "gasLimit": format!("{:#x}", (2 * gas + SPARE_GAS).min(call.block.gas_limit)),
            "gasPrice": format!("{:#x}", call.gas_price.max(2 * u128::from(call.block.basefee) + 1)),
        }));
    }

    /// The block: transactions drawn from the programs, and transfers.
    fn draw(mut self, args: &BlockArgs) -> Value {
        let mut random = Random(args.seed);
        for at in (1..self.programs.len()).rev() {
            self.programs.swap(at, random.below(at as u64 + 1) as usize);
        }
        let weights: Vec<f64> = (1..=self.programs.len()).map(|rank| (rank as f64).powf(-args.exponent)).collect();
        let sum: f64 = weights.iter().sum();
        let person = |n: u64| Address::from_word(keccak256(format!("person {n}").as_bytes()));
        for n in 0..PEOPLE {
            self.accounts.insert(person(n), Account { balance: U256::from(WEALTH), ..Account::default() });
        }
        let transactions: Vec<Value> = (0..args.transactions)
            .map(|_| {
                if random.below(100) < args.transfers {
                    return json!({
                        "workload": "transfer",
                        "sender": person(random.below(PEOPLE)).to_string(),
                        "to": person(random.below(PEOPLE)).to_string(),
                        "value": format!("{:#x}", 1 + random.below(1 << 40)),
                        "data": "0x",
                        "gasLimit": "0x5208",
                        "gasPrice": self.programs[0]["gasPrice"],
                    });
                }
                let mut point = random.fraction() * sum;
                let drawn = weights.iter().position(|weight| {
                    point -= weight;
                    point < 0.0
                });
                self.programs[drawn.unwrap_or_default()].clone()
            })
            .collect();
        let pre: Map<String, Value> = self
            .accounts
            .iter()
            .map(|(address, account)| {
                let storage: Map<String, Value> =
                    account.storage.iter().map(|(key, value)| (hex(*key), json!(hex(*value)))).collect();
                let code = Bytes::copy_from_slice(&account.code).to_string();
                let value = json!({"balance": hex(account.balance), "nonce": account.nonce, "code": code, "storage": storage});
                (address.to_string(), value)
            })
            .collect();
        json!({
            "name": format!("{} transactions of {} programs, seed {}", args.transactions, self.programs.len(), args.seed),
            "fork": <&str>::from(self.fork),
            "chainId": 1,
            "blockHeader": self.header,
            "pre": pre,
            "transactions": transactions,
        })
    }
}

fn hex(number: U256) -> String {
    format!("{number:#x}")
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// At least 0 and less than 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
