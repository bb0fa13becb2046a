//! Workload files: one message call each, with everything it starts from and what it must come to.

use super::args;
use super::failure::{Failure, Result};
use super::json::{self, Node};
use super::machine::{Call, Ending, Outcome};
use super::prestate::{Account, Prestate};
use evm_tests::root;
use revm::{
    context::BlockEnv,
    context_interface::block::BlobExcessGasAndPrice,
    primitives::{Address, B256, TxKind, U256, keccak256},
    state::EvmState,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Output longer than this is given by length and hash alone.
const OUTPUT_SHOWN: usize = 4096;

/// A workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// What it exercises: `arithmetic`, `memory`, `calls`, ...
    pub kind: String,
    /// The call.
    pub call: Call,
    /// Instructions that it executes, where the file says so.
    pub instructions: Option<u64>,
    /// What it must come to, where the file says so.
    pub expected: Option<Expected>,
}

/// What a workload comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `success`, `revert` or `halt:REASON`.
    pub status: String,
    /// Gas used, before refunds.
    pub gas_used: u64,
    /// The refund counter.
    pub gas_refund: i64,
    /// Length of the output.
    pub output_len: u64,
    /// Hash of the output.
    pub output_keccak: B256,
    /// Hash over the changed slots.
    pub storage_digest: B256,
    /// Hash over the RLP of the logs.
    pub logs_keccak: B256,
}

/// The workload files in the given files and directories, sorted; what is no workload is passed over in directories.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error| Failure::input(format_args!("{}: cannot read: {error}", path.display()));
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|e| e == "json") && file.file_stem().is_some_and(|s| s != "manifest") {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(Failure::input(format_args!("{}: no workload (.json) in this directory", path.display())));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

impl Workload {
    /// Reads a workload file.
    pub fn load(path: &Path) -> Result<Workload> {
        let value = json::read(path)?;
        Workload::from_json(&Node::root(&value, &path.display().to_string()))
    }

    /// Reads a workload from its JSON.
    pub fn from_json(root: &Node<'_>) -> Result<Workload> {
        let to = root.field("to")?.address()?;
        let mut prestate = Prestate::from_alloc(&root.field("pre")?)?;
        let code = root.field("code")?.bytes()?;
        if !code.is_empty() {
            prestate.set_code(to, code);
        }
        let fork = root.field("fork")?;
        let env = root.field("env")?;
        let call = Call {
            fork: args::fork(fork.str()?).map_err(|failure| fork.error(failure))?,
            block: block(&env)?,
            chain_id: env.get("chain_id").map_or(Ok(1), |n| n.u64())?,
            gas_price: env.get("gas_price").map_or(Ok(0), |n| n.u64())?.into(),
            caller: root.field("caller")?.address()?,
            kind: TxKind::Call(to),
            value: root.field("value")?.u256()?,
            input: root.field("calldata")?.bytes()?,
            gas: root.field("gas_limit")?.u64()?,
            prestate: Arc::new(prestate),
        };
        Ok(Workload {
            name: root.field("name")?.str()?.to_string(),
            kind: root.field("kind")?.str()?.to_string(),
            call,
            instructions: root.get("stats").and_then(|stats| stats.get("instructions")).map(|n| n.u64()).transpose()?,
            expected: root.get("expected").map(|node| Expected::from_json(&node)).transpose()?,
        })
    }
}

/// The block that `env` describes.
fn block(env: &Node<'_>) -> Result<BlockEnv> {
    let mut block = Call::default_block();
    for (name, node) in env.entries()? {
        match name {
            "number" => block.number = node.u256()?,
            "timestamp" => block.timestamp = node.u256()?,
            "basefee" => block.basefee = node.u64()?,
            "coinbase" => block.beneficiary = node.address()?,
            "prevrandao" => block.prevrandao = Some(node.u256()?.into()),
            "gas_limit" => block.gas_limit = node.u64()?,
            "blob_basefee" => {
                let blob_gasprice = node.u64()?.into();
                block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice });
            }
            "chain_id" | "gas_price" => {}
            _ => return Err(node.error("unknown field")),
        }
    }
    Ok(block)
}

impl Expected {
    fn from_json(node: &Node<'_>) -> Result<Expected> {
        let hash = |name: &str| -> Result<B256> { Ok(node.field(name)?.u256()?.into()) };
        Ok(Expected {
            status: node.field("status")?.str()?.to_string(),
            gas_used: node.field("gas_used")?.u64()?,
            gas_refund: node.field("gas_refund")?.u64()?.try_into().map_err(|_| node.error("`gas_refund` is too large"))?,
            output_len: node.field("output_len")?.u64()?,
            output_keccak: hash("output_keccak")?,
            storage_digest: hash("storage_digest")?,
            logs_keccak: hash("logs_keccak")?,
        })
    }

    /// What `outcome` comes to.
    pub fn of(outcome: &Outcome) -> Expected {
        Expected {
            status: outcome.status.clone(),
            gas_used: outcome.gas_used,
            gas_refund: outcome.gas_refund,
            output_len: outcome.output.len() as u64,
            output_keccak: keccak256(&outcome.output),
            storage_digest: storage_digest(&changed_slots(outcome)),
            logs_keccak: root::logs_hash(&outcome.logs),
        }
    }

    /// The first field in which `found` differs, said in one line.
    pub fn difference(&self, found: &Expected) -> Option<String> {
        let fields: [(&str, &dyn std::fmt::Display, &dyn std::fmt::Display); 7] = [
            ("status", &self.status, &found.status),
            ("gas_used", &self.gas_used, &found.gas_used),
            ("gas_refund", &self.gas_refund, &found.gas_refund),
            ("output_len", &self.output_len, &found.output_len),
            ("output_keccak", &self.output_keccak, &found.output_keccak),
            ("storage_digest", &self.storage_digest, &found.storage_digest),
            ("logs_keccak", &self.logs_keccak, &found.logs_keccak),
        ];
        let texts = fields.map(|(name, want, got)| (name, want.to_string(), got.to_string()));
        texts.iter().find(|(_, want, got)| want != got).map(|(name, want, got)| format!("{name}: expected {want}, got {got}"))
    }
}

/// Storage slots that a call changed, with their new values.
pub type ChangedSlots = BTreeMap<Address, BTreeMap<U256, U256>>;

/// The slots whose value differs from the prestate; none unless the call was successful.
pub fn changed_slots(outcome: &Outcome) -> ChangedSlots {
    let mut changed = ChangedSlots::new();
    if outcome.ending != Ending::Success {
        return changed;
    }
    for (address, account) in &outcome.state {
        for (key, slot) in account.storage.iter().filter(|(_, slot)| slot.is_changed()) {
            changed.entry(*address).or_default().insert(*key, slot.present_value());
        }
    }
    changed
}

/// keccak256 over address, slot and value of each changed slot, sorted.
pub fn storage_digest(changed: &ChangedSlots) -> B256 {
    let mut bytes = Vec::new();
    for (address, slots) in changed {
        for (key, value) in slots {
            bytes.extend_from_slice(address.as_slice());
            bytes.extend_from_slice(&key.to_be_bytes::<32>());
            bytes.extend_from_slice(&value.to_be_bytes::<32>());
        }
    }
    keccak256(&bytes)
}

/// The `expected` object of a workload file.
pub fn expected_json(outcome: &Outcome, prestate: &Prestate) -> Value {
    let expected = Expected::of(outcome);
    let changed = changed_slots(outcome);
    let accounts = changed_accounts(outcome, prestate);
    let mut slots = serde_json::Map::new();
    for (address, values) in &changed {
        let values = values.iter().map(|(key, value)| (format!("{key:#x}"), json!(format!("{value:#x}"))));
        slots.insert(format!("{address:#x}"), Value::Object(values.collect()));
    }
    let mut fields = json!({
        "status": expected.status,
        "gas_used": expected.gas_used,
        "gas_refund": expected.gas_refund,
        "output_len": expected.output_len,
    });
    if outcome.output.len() <= OUTPUT_SHOWN {
        fields["output"] = json!(outcome.output);
    }
    fields["output_keccak"] = json!(expected.output_keccak);
    fields["storage_changed_slots"] = json!(changed.values().map(BTreeMap::len).sum::<usize>());
    fields["storage_digest"] = json!(expected.storage_digest);
    fields["storage_changed"] = Value::Object(slots);
    fields["accounts_changed_count"] = json!(accounts.len());
    fields["accounts_changed"] = Value::Object(accounts);
    fields["logs_count"] = json!(outcome.logs.len());
    fields["logs_keccak"] = json!(expected.logs_keccak);
    fields
}

/// Accounts whose balance, nonce or code the call changed.
fn changed_accounts(outcome: &Outcome, prestate: &Prestate) -> serde_json::Map<String, Value> {
    let none = EvmState::default();
    let state = if outcome.ending == Ending::Success { &outcome.state } else { &none };
    let mut sorted: Vec<_> = state.iter().filter(|(_, account)| account.is_touched()).collect();
    sorted.sort_by_key(|(address, _)| **address);
    let mut changed = serde_json::Map::new();
    for (address, account) in sorted {
        let before = prestate.accounts.get(address).cloned().unwrap_or_else(Account::default);
        let info = &account.info;
        if (info.balance, info.nonce, info.code_hash) != (before.balance, before.nonce, before.code_hash) {
            let fields = json!({
                "nonce": info.nonce,
                "balance": format!("{:#x}", info.balance),
                "code_keccak": info.code_hash,
            });
            changed.insert(format!("{address:#x}"), fields);
        }
    }
    changed
}
