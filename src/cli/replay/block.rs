//! Block files: the accounts before a block, the block, its transactions.
//!
//! A file is one JSON object. Names and values are those of Ethereum's blockchain tests, so `pre` of a test and `blockHeader` and
//! `transactions` of one of its blocks can be taken as they are; fields that are not in this list are passed over.
//!
//! | field | value |
//! |---|---|
//! | `name` | what it is called |
//! | `fork` | the rules, by name |
//! | `chainId` | 1 if absent |
//! | `pre` | accounts by address: `balance`, `nonce`, `code`, `storage` (a geth `alloc`) |
//! | `blockHeader` | `number`, `timestamp`, `gasLimit`, `coinbase`, `baseFeePerGas`, `mixHash` (or `difficulty` before the Merge), `excessBlobGas` |
//! | `transactions` | in order: `sender`, `to` (absent or empty: a creation), `value`, `data`, `gasLimit`, `gasPrice` or `maxFeePerGas` and `maxPriorityFeePerGas`, `nonce`, `accessList` |
//!
//! A transaction without a nonce is valid whatever its sender's nonce is.

use crate::cli::args;
use crate::cli::failure::Result;
use crate::cli::json::{self, Node};
use crate::cli::machine::Call;
use crate::cli::prestate::{Prestate, analyse};
use revm::{
    Context, MainContext,
    context::{
        BlockEnv, CfgEnv, TxEnv,
        transaction::{AccessList, AccessListItem},
    },
    context_interface::block::BlobExcessGasAndPrice,
    database::InMemoryDB,
    handler::MainnetContext,
    primitives::{Address, B256, TxKind, hardfork::SpecId},
    state::AccountInfo,
};
use std::path::Path;

/// The context that a block's transactions are executed on.
pub type BlockContext = MainnetContext<InMemoryDB>;

/// A block to execute.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// The rules.
    pub fork: SpecId,
    /// The chain.
    pub chain_id: u64,
    /// The block around the transactions.
    pub env: BlockEnv,
    /// The transactions, each with whether it says a nonce.
    pub transactions: Vec<(TxEnv, bool)>,
    /// The accounts before it, their codes analysed.
    pub accounts: InMemoryDB,
}

impl Block {
    /// Reads a block file.
    pub fn load(path: &Path) -> Result<Block> {
        let value = json::read(path)?;
        Block::from_json(&Node::root(&value, &path.display().to_string()))
    }

    /// Reads a block from its JSON.
    pub fn from_json(root: &Node<'_>) -> Result<Block> {
        let fork = root.field("fork")?;
        let chain_id = root.get("chainId").map_or(Ok(1), |n| n.u64())?;
        let transactions = root.field("transactions")?;
        Ok(Block {
            name: root.field("name")?.str()?.to_string(),
            fork: args::fork(fork.str()?).map_err(|failure| fork.error(failure))?,
            chain_id,
            env: header(&root.field("blockHeader")?)?,
            transactions: transactions.items()?.map(|tx| transaction(&tx, chain_id)).collect::<Result<_>>()?,
            accounts: database(&Prestate::from_alloc(&root.field("pre")?)?),
        })
    }

    /// A context at the beginning of the block.
    pub fn context(&self) -> BlockContext {
        let mut cfg = CfgEnv::new_with_spec(self.fork);
        cfg.chain_id = self.chain_id;
        Context::mainnet().with_db(self.accounts.clone()).with_block(self.env.clone()).with_cfg(cfg)
    }
}

/// The accounts in memory, with all codes analysed as revm does it.
fn database(prestate: &Prestate) -> InMemoryDB {
    let mut db = InMemoryDB::default();
    for (address, account) in &prestate.accounts {
        let code = prestate.codes.get(&account.code_hash).cloned().map(analyse);
        let (balance, nonce, code_hash) = (account.balance, account.nonce, account.code_hash);
        db.insert_account_info(*address, AccountInfo { balance, nonce, code_hash, code, ..AccountInfo::default() });
        for (key, value) in &account.storage {
            let inserted = db.insert_account_storage(*address, *key, *value);
            inserted.expect("the database behind is empty and does not fail");
        }
    }
    db
}

fn header(node: &Node<'_>) -> Result<BlockEnv> {
    let mut env = Call::default_block();
    env.number = node.field("number")?.u256()?;
    env.timestamp = node.field("timestamp")?.u256()?;
    env.gas_limit = node.field("gasLimit")?.u64()?;
    env.beneficiary = node.field("coinbase")?.address()?;
    env.basefee = node.get("baseFeePerGas").map_or(Ok(0), |n| n.u64())?;
    if let Some(mix) = node.get("mixHash") {
        env.prevrandao = Some(mix.u256()?.into());
    }
    if let Some(difficulty) = node.get("difficulty") {
        env.difficulty = difficulty.u256()?;
    }
    if let Some(excess) = node.get("excessBlobGas") {
        // The price only matters to BLOBBASEFEE: transactions with blobs are not in the format.
        env.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas: excess.u64()?, blob_gasprice: 1 });
    }
    Ok(env)
}

/// A transaction, and whether it says its nonce.
fn transaction(node: &Node<'_>, chain_id: u64) -> Result<(TxEnv, bool)> {
    let kind = match node.get("to") {
        Some(to) if !to.str()?.is_empty() => TxKind::Call(to.address()?),
        Some(_) | None => TxKind::Create,
    };
    let access_list: Option<Vec<AccessListItem>> =
        node.get("accessList").map(|list| list.items()?.map(|item| access(&item)).collect()).transpose()?;
    let priority = node.get("maxPriorityFeePerGas").map(|n| n.u64()).transpose()?;
    let price = match priority {
        Some(_) => node.field("maxFeePerGas")?,
        None => node.field("gasPrice")?,
    };
    let nonce = node.get("nonce").map(|n| n.u64()).transpose()?;
    let tx = TxEnv {
        tx_type: match (priority, &access_list) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        },
        caller: node.field("sender")?.address()?,
        gas_limit: node.field("gasLimit")?.u64()?,
        gas_price: price.u64()?.into(),
        gas_priority_fee: priority.map(Into::into),
        kind,
        value: node.field("value")?.u256()?,
        data: node.field("data")?.bytes()?,
        nonce: nonce.unwrap_or_default(),
        chain_id: Some(chain_id),
        access_list: AccessList(access_list.unwrap_or_default()),
        ..TxEnv::default()
    };
    Ok((tx, nonce.is_some()))
}

fn access(node: &Node<'_>) -> Result<AccessListItem> {
    let address: Address = node.field("address")?.address()?;
    let keys = node.field("storageKeys")?.items()?.map(|key| Ok(key.u256()?.into())).collect::<Result<Vec<B256>>>()?;
    Ok(AccessListItem { address, storage_keys: keys })
}
