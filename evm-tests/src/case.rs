//! One runnable case: a test, a fork, and one combination of the transaction's variants, as the
//! configuration, block, transaction and pre-state that revm takes.
//!
//! A transaction that cannot even be written down (a value above 2^256 - 1, no signature, a blob
//! transaction that creates a contract) is *rejected* here, as a client would while decoding it.

use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::either::Either;
use revm::context_interface::transaction::{AccessList, AccessListItem, Authorization, SignedAuthorization, TransactionType};
use revm::database::{CacheState, EmptyDB, State};
use revm::database_interface::Database;
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, KECCAK_EMPTY, TxKind, U256, keccak256};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, MainContext};
use thiserror::Error;

use crate::execute::CaseDb;
use crate::model::{self, Indexes, Quantity, Unit};

/// Everything an executor needs to run one case, but the state.
#[derive(Clone, Debug)]
pub struct Case {
    /// Rules, chain id, limits.
    pub cfg: CfgEnv,
    /// The block.
    pub block: BlockEnv,
    /// The transaction.
    pub tx: TxEnv,
}

impl Case {
    /// The rules of the case.
    pub fn spec(&self) -> SpecId {
        self.cfg.spec
    }

    /// revm's context for this case over `db`: what an EVM is built from.
    pub fn context<DB: Database>(&self, db: DB) -> MainnetContext<DB> {
        Context::mainnet().with_db(db).with_cfg(self.cfg.clone()).with_block(self.block.clone()).with_tx(self.tx.clone())
    }
}

/// Why there is no case to run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// No client could decode this transaction.
    #[error("the transaction cannot exist: {0}")]
    Rejected(&'static str),
    /// The file is wrong.
    #[error("{0}")]
    Malformed(String),
}

/// Builds the configuration of a test for a fork.
pub fn cfg(unit: &Unit, fork: &str, spec: SpecId) -> CfgEnv {
    let mut cfg = CfgEnv::new_with_spec(spec);
    let chain_id = unit.config.chainid.or(unit.env.current_chain_id);
    cfg.chain_id = chain_id.map_or(1, |id| id.0.saturating_to());
    // Since Osaka (EIP-7594) a transaction has its own limit below that of the block.
    cfg.set_max_blobs_per_tx(if spec.is_enabled_in(SpecId::PRAGUE) && !spec.is_enabled_in(SpecId::OSAKA) { 9 } else { 6 });
    let schedule = unit.config.blob_schedule.0.iter().find(|(name, _)| name == fork);
    if let Some((_, blobs)) = schedule {
        cfg.blob_base_fee_update_fraction = Some(blobs.base_fee_update_fraction.0.saturating_to());
        if !spec.is_enabled_in(SpecId::OSAKA) {
            cfg.set_max_blobs_per_tx(blobs.max.0.saturating_to());
        }
    }
    cfg
}

/// Builds the block of a test.
pub fn block(unit: &Unit, cfg: &CfgEnv) -> BlockEnv {
    let env = &unit.env;
    let mut block = BlockEnv {
        number: env.current_number.0,
        beneficiary: env.current_coinbase,
        timestamp: env.current_timestamp.0,
        gas_limit: env.current_gas_limit.0.saturating_to(),
        basefee: env.current_base_fee.unwrap_or_default().0.saturating_to(),
        difficulty: env.current_difficulty.0,
        prevrandao: env.current_random.map(|word| B256::from(word.0)),
        slot_num: env.slot_number.unwrap_or_default().0.saturating_to(),
        ..BlockEnv::default()
    };
    if let Some(excess) = env.current_excess_blob_gas {
        block.set_blob_excess_gas_and_price(excess.0.saturating_to(), cfg.blob_base_fee_update_fraction());
    }
    if cfg.spec.is_enabled_in(SpecId::MERGE) && block.prevrandao.is_none() {
        block.prevrandao = Some(B256::ZERO);
    }
    block
}

/// Builds the state before the transaction. Code lies beside the accounts, by its hash, as a node's
/// database serves it.
pub fn pre_state(unit: &Unit) -> CacheState {
    let mut state = CacheState::new();
    for (address, account) in &unit.pre.0 {
        let mut code_hash = KECCAK_EMPTY;
        if !account.code.is_empty() {
            code_hash = keccak256(&account.code);
            let code =
                Bytecode::new_raw_checked(account.code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(account.code.clone()));
            state.contracts.insert(code_hash, code);
        }
        let info = AccountInfo {
            balance: account.balance.0,
            nonce: account.nonce.0.saturating_to(),
            code_hash,
            code: None,
            ..AccountInfo::default()
        };
        let storage = account.storage.0.iter().map(|(key, value)| (key.0, value.0)).collect();
        state.insert_account_with_storage(*address, info, storage);
    }
    state
}

/// A database over a copy of the pre-state. Old block hashes are those the tests expect: the hash of
/// the number as decimal text.
pub fn database(pre: &CacheState) -> CaseDb {
    State::builder().with_database(EmptyDB::new()).with_cached_prestate(pre.clone()).build()
}

/// Builds the transaction of one combination.
pub fn transaction(unit: &Unit, indexes: Indexes) -> Result<TxEnv, BuildError> {
    let tx = &unit.transaction;
    let kind = recipient(tx)?;
    let variant =
        |list: &[Quantity], index: usize, name: &str| list.get(index).copied().ok_or_else(|| out_of_range(name, index, list.len()));
    let gas_limit = variant(&tx.gas_limit, indexes.gas, "gasLimit")?;
    let value = variant(&tx.value, indexes.value, "value")?;
    let data = tx.data.get(indexes.data).ok_or_else(|| out_of_range("data", indexes.data, tx.data.len()))?;
    let access_list = tx.access_lists.get(indexes.data).and_then(Option::as_ref);

    Ok(TxEnv {
        tx_type: tx_type(tx, access_list.is_some(), kind)?,
        caller: sender(tx)?,
        gas_limit: fits(gas_limit, "gas limit")?.saturating_to(),
        gas_price: optional(tx.gas_price.or(tx.max_fee_per_gas), "gas price")?.unwrap_or_default(),
        gas_priority_fee: optional(tx.max_priority_fee_per_gas, "priority fee")?,
        kind,
        value: fits(value, "value")?,
        data: data.clone(),
        nonce: u64::try_from(fits(tx.nonce, "nonce")?).map_err(|_| BuildError::Rejected("its nonce does not fit 64 bits"))?,
        chain_id: Some(match tx.chain_id {
            Some(id) => fits(id, "chain id")?.saturating_to(),
            None => unit.config.chainid.or(unit.env.current_chain_id).map_or(1, |id| id.0.saturating_to()),
        }),
        access_list: access_list.map(|items| access_list_of(items)).unwrap_or_default(),
        blob_hashes: tx.blob_versioned_hashes.clone(),
        max_fee_per_blob_gas: optional(tx.max_fee_per_blob_gas, "blob fee")?.unwrap_or(u128::MAX),
        authorization_list: tx
            .authorization_list
            .iter()
            .flatten()
            .map(|item| authorization(item).map(Either::Left))
            .collect::<Result<_, _>>()?,
    })
}

fn out_of_range(list: &str, index: usize, len: usize) -> BuildError {
    BuildError::Malformed(format!("indexes name entry {index} of `{list}`, which has {len}"))
}

fn fits(quantity: Quantity, what: &'static str) -> Result<U256, BuildError> {
    quantity.0.ok_or(BuildError::Rejected(what))
}

/// A fee; those above 2^128 - 1 cannot be paid by anyone, so they may as well be that.
fn optional(quantity: Option<Quantity>, what: &'static str) -> Result<Option<u128>, BuildError> {
    quantity.map(|fee| Ok(fits(fee, what)?.saturating_to())).transpose()
}

fn recipient(tx: &model::Transaction) -> Result<TxKind, BuildError> {
    match tx.to.as_deref() {
        None | Some("" | "0x") => Ok(TxKind::Create),
        Some(text) => {
            text.parse().map(TxKind::Call).map_err(|_| BuildError::Malformed(format!("transaction.to: `{text}` is not an address")))
        }
    }
}

/// The sender. A test without a key is of a transaction whose signature is wrong.
fn sender(tx: &model::Transaction) -> Result<Address, BuildError> {
    let key = tx.secret_key.ok_or(BuildError::Rejected("it is not signed"))?;
    match tx.sender {
        Some(sender) => Ok(sender),
        None => address_of(key).ok_or_else(|| BuildError::Malformed("transaction.secretKey: not a key of secp256k1".into())),
    }
}

/// The address of a private key; `None` if the number is no key.
pub fn address_of(key: B256) -> Option<Address> {
    let key = k256::ecdsa::SigningKey::from_slice(key.as_slice()).ok()?;
    let public = key.verifying_key().to_encoded_point(false);
    Some(Address::from_raw_public_key(&public.as_bytes()[1..]))
}

/// The type: as the file says it, else as the fields tell.
fn tx_type(tx: &model::Transaction, access_list: bool, kind: TxKind) -> Result<u8, BuildError> {
    if let Some(tx_type) = tx.tx_type {
        return fits(tx_type, "its type does not exist")?.try_into().map_err(|_| BuildError::Rejected("its type does not exist"));
    }
    let creates = kind == TxKind::Create;
    let tx_type = if tx.max_fee_per_blob_gas.is_some() {
        if creates {
            return Err(BuildError::Rejected("blob transactions have a recipient"));
        }
        TransactionType::Eip4844
    } else if tx.authorization_list.is_some() {
        if creates {
            return Err(BuildError::Rejected("set-code transactions have a recipient"));
        }
        TransactionType::Eip7702
    } else if tx.max_fee_per_gas.is_some() {
        TransactionType::Eip1559
    } else if access_list {
        TransactionType::Eip2930
    } else {
        TransactionType::Legacy
    };
    Ok(tx_type as u8)
}

fn access_list_of(items: &[model::AccessListItem]) -> AccessList {
    let items = items.iter().map(|item| AccessListItem {
        address: item.address,
        storage_keys: item.storage_keys.iter().map(|key| B256::from(key.0)).collect(),
    });
    AccessList(items.collect())
}

fn authorization(item: &model::Authorization) -> Result<SignedAuthorization, BuildError> {
    const PARITY: BuildError = BuildError::Rejected("the parity of an authorization is more than a byte");
    const NONCE: BuildError = BuildError::Rejected("the nonce of an authorization does not fit 64 bits");
    let parity = item
        .y_parity
        .or(item.v)
        .ok_or_else(|| BuildError::Malformed("transaction.authorizationList: missing field `yParity`".into()))?;
    let parity = fits(parity, "authorization parity")?.try_into().map_err(|_| PARITY)?;
    let inner = Authorization {
        chain_id: fits(item.chain_id, "authorization chain id")?,
        address: item.address,
        nonce: fits(item.nonce, "authorization nonce")?.try_into().map_err(|_| NONCE)?,
    };
    let (r, s) = (fits(item.r, "authorization r")?, fits(item.s, "authorization s")?);
    Ok(SignedAuthorization::new_unchecked(inner, parity, r, s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::primitives::{address, b256};

    #[test]
    fn addresses_of_keys() {
        let key = b256!("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8");
        assert_eq!(address_of(key), Some(address!("a94f5374fce5edbc8e2a8697c15331677e6ebf0b")));
        assert_eq!(address_of(B256::ZERO), None);
    }
}
