//! The accounts a call starts from, and the database over them.

use super::args;
use super::failure::Result;
use super::json::Node;
use revm::{
    Database,
    bytecode::Bytecode,
    primitives::{Address, AddressMap, B256, B256Map, Bytes, KECCAK_EMPTY, StorageKey, StorageValue, U256, U256Map, keccak256},
    state::AccountInfo,
};
use std::{convert::Infallible, sync::Arc};

/// An account before the call.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its balance in wei.
    pub balance: U256,
    /// Its nonce.
    pub nonce: u64,
    /// The keccak256 of its code.
    pub code_hash: B256,
    /// Its storage; what is absent is zero.
    pub storage: U256Map<U256>,
}

impl Default for Account {
    fn default() -> Account {
        Account { balance: U256::ZERO, nonce: 0, code_hash: KECCAK_EMPTY, storage: U256Map::default() }
    }
}

/// All accounts before the call, and their codes as raw bytes.
#[derive(Clone, Debug, Default)]
pub struct Prestate {
    /// The accounts.
    pub accounts: AddressMap<Account>,
    /// The codes by their keccak256.
    pub codes: B256Map<Bytes>,
}

impl Prestate {
    /// Reads the accounts of a geth `alloc` object.
    pub fn from_alloc(alloc: &Node<'_>) -> Result<Prestate> {
        let mut state = Prestate::default();
        for (name, node) in alloc.entries()? {
            let address = args::address(name).map_err(|failure| alloc.error(failure))?;
            let account = Account {
                balance: node.field("balance")?.u256()?,
                nonce: node.get("nonce").map_or(Ok(0), |n| n.u64())?,
                ..Account::default()
            };
            state.accounts.insert(address, account);
            if let Some(code) = node.get("code") {
                state.set_code(address, code.bytes()?);
            }
            if let Some(storage) = node.get("storage") {
                for (key, value) in storage.entries()? {
                    let key = args::number(key).map_err(|failure| storage.error(failure))?;
                    state.set_storage(address, key, value.u256()?);
                }
            }
        }
        Ok(state)
    }

    /// Gives an account code, creating the account with nonce 1 when there is none.
    pub fn set_code(&mut self, address: Address, code: Bytes) {
        let hash = if code.is_empty() { KECCAK_EMPTY } else { keccak256(&code) };
        let account = self.accounts.entry(address).or_insert_with(|| Account { nonce: 1, ..Account::default() });
        account.code_hash = hash;
        if !code.is_empty() {
            self.codes.insert(hash, code);
        }
    }

    /// Sets a storage slot, creating the account when there is none.
    pub fn set_storage(&mut self, address: Address, key: U256, value: U256) {
        self.accounts.entry(address).or_default().storage.insert(key, value);
    }
}

/// The database of one EVM: the prestate, and the codes analysed so far.
#[derive(Clone, Debug)]
pub struct PrestateDb {
    prestate: Arc<Prestate>,
    analysed: B256Map<Bytecode>,
}

impl PrestateDb {
    /// A database over `prestate` in which no code is analysed yet.
    pub fn new(prestate: Arc<Prestate>) -> PrestateDb {
        PrestateDb { prestate, analysed: B256Map::default() }
    }

    /// Forgets every analysis, as if all codes came from disk again.
    pub fn forget_codes(&mut self) {
        self.analysed.clear();
    }

    /// Analyses every code.
    pub fn analyse_all(&mut self) {
        self.analysed = self.prestate.codes.iter().map(|(hash, raw)| (*hash, analyse(raw.clone()))).collect();
    }

    /// The raw code of that hash.
    pub fn raw_code(&self, hash: &B256) -> Option<&Bytes> {
        self.prestate.codes.get(hash)
    }
}

/// revm's form of raw code; what is no valid delegation is legacy code.
pub fn analyse(raw: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(raw.clone()).unwrap_or_else(|_| Bytecode::new_legacy(raw))
}

impl Database for PrestateDb {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.prestate.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: self.analysed.get(&account.code_hash).cloned(),
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Infallible> {
        if let Some(code) = self.analysed.get(&hash) {
            return Ok(code.clone());
        }
        let code = self.prestate.codes.get(&hash).cloned().map(analyse).unwrap_or_default();
        self.analysed.insert(hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, key: StorageKey) -> Result<StorageValue, Infallible> {
        Ok(self.prestate.accounts.get(&address).and_then(|account| account.storage.get(&key)).copied().unwrap_or_default())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        Ok(keccak256(number.to_string().as_bytes()))
    }
}
