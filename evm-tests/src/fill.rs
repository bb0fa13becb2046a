//! Filling: state tests in the official format from a short description, with revm as the oracle.
//!
//! A [`Filler`] is written as JSON without results, read back by the loader, run on revm for each fork
//! and each combination of variants, and written again with the roots that came of it. So what is filled is
//! what the runner will run.
//!
//! ```
//! use evm_tests::fill::{Filler, TARGET};
//!
//! let text = Filler::new("sum", "one plus one into slot 0")
//!     .forks(&["Cancun"])
//!     .contract(TARGET, "1 1 ADD 0 SSTORE", &[])
//!     .fill();
//! assert!(text.contains("\"Cancun\""));
//! ```

use std::fmt::Write;

use k256::ecdsa::SigningKey;
use revm::primitives::{Address, B256, Bytes, U256, address, b256};
use serde_json::{Value, json};

use crate::assemble::assemble;
use crate::case::{self, Case};
use crate::execute::{Executor, Revm};
use crate::model::{Indexes, Unit};
use crate::{fork, load, root};

/// The key of the sender.
pub const SENDER_KEY: B256 = b256!("00000000000000000000000000000000000000000000000000000000000e7170");
/// Where the transaction goes unless told otherwise.
pub const TARGET: Address = address!("00000000000000000000000000000000000c0de0");
/// The beneficiary of the block.
pub const COINBASE: Address = address!("00000000000000000000000000000000c01bba5e");

/// A state test to be filled.
#[derive(Clone, Debug)]
pub struct Filler {
    name: String,
    about: String,
    forks: Vec<String>,
    pre: Vec<(Address, Value)>,
    to: Option<Address>,
    nonce: u64,
    data: Vec<Bytes>,
    gas: Vec<u64>,
    value: Vec<u64>,
    access_list: Option<Value>,
    authorizations: Option<Vec<Value>>,
    fees: Option<(u64, u64)>,
}

impl Filler {
    /// A test with a rich sender, one empty variant of the data, a million gas and no value.
    pub fn new(name: &str, about: &str) -> Self {
        let sender = address_of(SENDER_KEY);
        let filler = Self {
            name: name.into(),
            about: about.into(),
            forks: Vec::new(),
            pre: Vec::new(),
            to: Some(TARGET),
            nonce: 0,
            data: vec![Bytes::new()],
            gas: vec![1_000_000],
            value: vec![0],
            access_list: None,
            authorizations: None,
            fees: None,
        };
        filler.account(sender, 1_000_000_000_000, 0)
    }

    /// The name of the test.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The forks to fill for.
    pub fn forks(mut self, forks: &[&str]) -> Self {
        self.forks.extend(forks.iter().map(ToString::to_string));
        self
    }

    /// An account without code.
    pub fn account(self, address: Address, balance: u64, nonce: u64) -> Self {
        self.put(address, balance, nonce, Bytes::new(), &[])
    }

    /// A contract with a balance of 1000, from assembly text (see [`crate::assemble`]) and storage.
    ///
    /// # Panics
    ///
    /// If the text is no assembly.
    pub fn contract(self, address: Address, code: &str, storage: &[(u64, u64)]) -> Self {
        let code = assemble(code).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.put(address, 1000, 1, code, storage)
    }

    fn put(mut self, address: Address, balance: u64, nonce: u64, code: Bytes, storage: &[(u64, u64)]) -> Self {
        let storage: serde_json::Map<String, Value> =
            storage.iter().map(|(key, value)| (quantity(*key), quantity(*value).into())).collect();
        let account = json!({
            "balance": quantity(balance), "nonce": quantity(nonce), "code": code, "storage": storage,
        });
        self.pre.push((address, account));
        self
    }

    /// The recipient; `None` creates a contract.
    pub fn to(mut self, to: Option<Address>) -> Self {
        self.to = to;
        self
    }

    /// The nonce of the transaction.
    pub fn nonce(mut self, nonce: u64) -> Self {
        self.nonce = nonce;
        self
    }

    /// The variants of the data.
    pub fn data(mut self, data: impl IntoIterator<Item = Bytes>) -> Self {
        self.data = data.into_iter().collect();
        self
    }

    /// The variants of the gas limit.
    pub fn gas(mut self, gas: &[u64]) -> Self {
        self.gas = gas.into();
        self
    }

    /// The variants of the value.
    pub fn value(mut self, value: &[u64]) -> Self {
        self.value = value.into();
        self
    }

    /// An EIP-2930 access list, the same for each variant of the data.
    pub fn access_list(mut self, items: &[(Address, &[u64])]) -> Self {
        let items = items.iter().map(|(address, keys)| {
            let keys: Vec<B256> = keys.iter().map(|key| U256::from(*key).into()).collect();
            json!({ "address": address, "storageKeys": keys })
        });
        self.access_list = Some(items.collect());
        self
    }

    /// EIP-1559 fees: the cap, and the tip.
    pub fn fees(mut self, cap: u64, tip: u64) -> Self {
        self.fees = Some((cap, tip));
        self
    }

    /// Adds an EIP-7702 authorization: the account of `key` shall run the code of `code`.
    pub fn authorize(mut self, key: B256, code: Address, nonce: u64) -> Self {
        let inner = revm::context_interface::transaction::Authorization { chain_id: U256::ONE, address: code, nonce };
        let (signature, parity) = SigningKey::from_slice(key.as_slice())
            .and_then(|key| key.sign_prehash_recoverable(inner.signature_hash().as_slice()))
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let word = |bytes: &[u8]| format!("{:#x}", U256::from_be_slice(bytes));
        let authorization = json!({
            "chainId": "0x1", "address": code, "nonce": quantity(nonce), "signer": address_of(key),
            "yParity": quantity(parity.to_byte().into()),
            "r": word(&signature.r().to_bytes()), "s": word(&signature.s().to_bytes()),
        });
        self.authorizations.get_or_insert_default().push(authorization);
        self
    }

    /// Fills the test: the text of its file.
    ///
    /// # Panics
    ///
    /// If the description makes no test: a fork that is not known, a transaction that cannot be built.
    pub fn fill(&self) -> String {
        let unit = self.unit();
        let post = self.forks.iter().map(|fork| {
            let rules = fork::rules(fork).unwrap_or_else(|| panic!("{}: fork {fork}", self.name));
            let stage = case::cfg(&unit, fork, rules);
            let block = case::block(&unit, &stage);
            let entries = self.combinations().map(|indexes| {
                let tx = case::transaction(&unit, indexes).unwrap_or_else(|error| panic!("{}: {error}", self.name));
                entry(&unit, Case { cfg: stage.clone(), block: block.clone(), tx }, indexes)
            });
            let entries: Vec<String> = entries.map(|entry| format!("        {entry}")).collect();
            format!("      \"{fork}\": [\n{}\n      ]", entries.join(",\n"))
        });
        let post: Vec<String> = post.collect();
        self.text(&format!("{{\n{}\n    }}", post.join(",\n")))
    }

    fn combinations(&self) -> impl Iterator<Item = Indexes> {
        let (datas, gases, values) = (self.data.len(), self.gas.len(), self.value.len());
        (0..datas).flat_map(move |data| (0..gases).flat_map(move |gas| (0..values).map(move |value| Indexes { data, gas, value })))
    }

    fn unit(&self) -> Unit {
        let text = self.text("{}");
        let mut tests = load::text(self.name.as_ref(), text.as_bytes())
            .unwrap_or_else(|error| panic!("a filler writes what the loader reads: {error}"));
        tests.remove(0).1
    }

    /// The file with this text as its `post`.
    fn text(&self, post: &str) -> String {
        let fields = [
            ("_info", json!({ "comment": self.about, "filledWith": "ejit's filler, on revm" })),
            ("config", json!({ "chainid": "0x1" })),
            ("env", env()),
            ("pre", self.pre.iter().map(|(address, account)| (format!("{address:?}"), account.clone())).collect()),
            ("transaction", self.transaction()),
        ];
        let mut text = format!("{{\n  \"{}\": {{\n", self.name);
        for (name, value) in fields {
            let value = format!("{value:#}").replace('\n', "\n    ");
            let _ = writeln!(text, "    \"{name}\": {value},");
        }
        let _ = write!(text, "    \"post\": {post}\n  }}\n}}\n");
        text
    }

    fn transaction(&self) -> Value {
        let list = |numbers: &[u64]| numbers.iter().map(|number| quantity(*number)).collect::<Vec<_>>();
        let mut tx = json!({
            "sender": address_of(SENDER_KEY), "secretKey": SENDER_KEY, "nonce": quantity(self.nonce),
            "to": self.to.map_or(String::new(), |to| format!("{to:?}")),
            "data": self.data, "gasLimit": list(&self.gas), "value": list(&self.value),
        });
        match self.fees {
            Some((cap, tip)) => {
                tx["maxFeePerGas"] = quantity(cap).into();
                tx["maxPriorityFeePerGas"] = quantity(tip).into();
            }
            None => tx["gasPrice"] = "0xa".into(),
        }
        if let Some(items) = &self.access_list {
            tx["accessLists"] = vec![items.clone(); self.data.len()].into();
        }
        if let Some(list) = &self.authorizations {
            tx["authorizationList"] = list.clone().into();
        }
        tx
    }
}

/// Runs one combination on revm: its line in `post`.
fn entry(unit: &Unit, case: Case, indexes: Indexes) -> String {
    let pre = case::pre_state(unit);
    let mut db = case::database(&pre);
    let outcome = Revm.transact(&case, &mut db);
    let logs = outcome.as_ref().map_or(&[][..], |result| result.logs());
    let Indexes { data, gas, value } = indexes;
    let mut entry = json!({
        "hash": root::state_root(db.cache.trie_account()),
        "logs": root::logs_hash(logs),
        "indexes": { "data": data, "gas": gas, "value": value },
    });
    if let Err(error) = outcome {
        entry["expectException"] = error.to_string().into();
    }
    entry.to_string()
}

fn env() -> Value {
    json!({
        "currentCoinbase": COINBASE, "currentDifficulty": "0x20000",
        "currentGasLimit": "0x1c9c380", "currentNumber": "0x100", "currentTimestamp": "0x3e8",
        "currentBaseFee": "0x7", "currentExcessBlobGas": "0x0", "slotNumber": "0x11",
        "currentRandom": "0x00000000000000000000000000000000000000000000000000000000ba5eba11",
    })
}

fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// The address of a key that is known to be one.
fn address_of(key: B256) -> Address {
    case::address_of(key).unwrap_or_else(|| panic!("{key} is no key"))
}
