//! A small state that serves both our runtime functions and revm's interpreter, and remembers what it was asked.

use ejit::abi::{self, CallTarget, Env, Frame, HostError, Loaded, LoadedWord, StackBuffer, StorageWrite};
use ejit::evm::{SpecId, code::Code};
use revm::context_interface::{
    Host,
    cfg::GasParams,
    context::{SStoreResult, SelfDestructResult, StateLoad},
    host::LoadError,
    journaled_state::AccountInfoLoad,
};
use revm::primitives::{Address, B256, Bytes, KECCAK_EMPTY, Log, U256, keccak256};
use revm::state::{AccountInfo, Bytecode};
use std::collections::{HashMap, HashSet};

/// Something the host was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Account(Address, bool),
    Load(Address, U256),
    Store(Address, U256, U256),
    Log(Address, Vec<U256>, Vec<u8>),
    Destroy(Address, Address),
    BlockHash(u64),
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub fork: SpecId,
    pub env: Env,
    pub accounts: HashMap<Address, AccountInfo>,
    pub storage: HashMap<(Address, U256), U256>,
    pub original: HashMap<(Address, U256), U256>,
    pub transient: HashMap<(Address, U256), U256>,
    pub warm: HashSet<Address>,
    pub warm_slots: HashSet<(Address, U256)>,
    pub destroyed: HashSet<Address>,
    pub params: GasParams,
    pub record: bool,
    pub accesses: Vec<Access>,
}

impl World {
    pub fn new(fork: SpecId) -> World {
        World { fork, params: GasParams::new_spec(fork), ..World::default() }
    }

    pub fn deploy(&mut self, address: Address, balance: U256, code: &[u8]) {
        let code = Bytecode::new_raw(Bytes::copy_from_slice(code));
        self.accounts
            .insert(address, AccountInfo { balance, code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() });
    }

    fn note(&mut self, access: Access) {
        if self.record {
            self.accesses.push(access);
        }
    }

    /// Whether the access is cold; `None` if it was skipped for that.
    fn warm_up(&mut self, address: Address, skip_cold: bool) -> Option<bool> {
        let cold = !self.warm.contains(&address);
        if cold && skip_cold {
            return None;
        }
        if cold {
            self.warm.insert(address);
        }
        Some(cold)
    }

    fn warm_up_slot(&mut self, slot: (Address, U256), skip_cold: bool) -> Option<bool> {
        let cold = !self.warm_slots.contains(&slot);
        if cold && skip_cold {
            return None;
        }
        if cold {
            self.warm_slots.insert(slot);
        }
        Some(cold)
    }

    /// What `what` makes of an account and whether it is empty.
    fn load<T>(
        &mut self,
        address: Address,
        with_code: bool,
        skip_cold: bool,
        what: impl FnOnce(AccountInfo, bool) -> T,
    ) -> Result<Loaded<T>, HostError> {
        let is_cold = self.warm_up(address, skip_cold).ok_or(HostError::ColdSkipped)?;
        self.note(Access::Account(address, with_code));
        let info = self.accounts.get(&address).cloned().unwrap_or_default();
        Ok(Loaded { value: what(info, self.empty(address)), is_cold })
    }

    fn empty(&self, address: Address) -> bool {
        self.accounts.get(&address).is_none_or(|info| info.is_empty())
    }

    fn read(&mut self, address: Address, key: U256, skip_cold: bool) -> Option<(U256, bool)> {
        let cold = self.warm_up_slot((address, key), skip_cold)?;
        self.note(Access::Load(address, key));
        Some((self.storage.get(&(address, key)).copied().unwrap_or_default(), cold))
    }

    fn write(&mut self, address: Address, key: U256, new: U256, skip_cold: bool) -> Option<StorageWrite> {
        let is_cold = self.warm_up_slot((address, key), skip_cold)?;
        self.note(Access::Store(address, key, new));
        let present = self.storage.insert((address, key), new).unwrap_or_default();
        let original = self.original.get(&(address, key)).copied().unwrap_or_default();
        Some(StorageWrite { original, present, new, is_cold })
    }

    fn destroy(&mut self, address: Address, target: Address, skip_cold: bool) -> Option<abi::SelfDestruct> {
        let is_cold = self.warm_up(target, skip_cold)?;
        self.note(Access::Destroy(address, target));
        Some(abi::SelfDestruct {
            had_value: self.accounts.get(&address).is_some_and(|info| !info.balance.is_zero()),
            target_exists: !self.empty(target),
            previously_destroyed: !self.destroyed.insert(address),
            is_cold,
        })
    }
}

fn hash_of_number(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

fn blob_hash(index: u64) -> Option<U256> {
    (index < 3).then(|| U256::from(index + 77) << 200)
}

impl abi::Host for World {
    fn sload(&mut self, address: Address, key: U256, skip_cold: bool) -> LoadedWord {
        let read = self.read(address, key, skip_cold).ok_or(HostError::ColdSkipped);
        read.map(|(value, is_cold)| Loaded { value, is_cold }).into()
    }
    fn sstore(&mut self, address: Address, key: U256, value: U256, skip_cold: bool) -> Result<StorageWrite, HostError> {
        self.write(address, key, value, skip_cold).ok_or(HostError::ColdSkipped)
    }
    fn tload(&mut self, address: Address, key: U256) -> U256 {
        self.transient.get(&(address, key)).copied().unwrap_or_default()
    }
    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        self.transient.insert((address, key), value);
    }
    fn balance(&mut self, address: Address, skip_cold: bool) -> LoadedWord {
        self.load(address, false, skip_cold, |info, _| info.balance).into()
    }
    fn code_hash(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<B256>, HostError> {
        self.load(address, false, skip_cold, |info, empty| if empty { B256::ZERO } else { info.code_hash })
    }
    fn code_len(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<usize>, HostError> {
        self.load(address, true, skip_cold, |info, _| info.code.map_or(0, |code| code.len()))
    }
    fn code(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<Bytes>, HostError> {
        self.load(address, true, skip_cold, |info, _| info.code.map(|code| code.original_bytes()).unwrap_or_default())
    }
    fn self_balance(&mut self, address: Address) -> Result<U256, HostError> {
        self.note(Access::Account(address, false));
        self.warm.insert(address);
        Ok(self.accounts.get(&address).map(|info| info.balance).unwrap_or_default())
    }
    fn block_hash(&mut self, number: u64) -> Result<B256, HostError> {
        self.note(Access::BlockHash(number));
        Ok(hash_of_number(number))
    }
    fn blob_hash(&mut self, index: u64) -> B256 {
        blob_hash(index).unwrap_or_default().into()
    }
    fn log(&mut self, address: Address, topics: &[U256], data: &[u8]) {
        self.note(Access::Log(address, topics.to_vec(), data.to_vec()));
    }
    fn selfdestruct(&mut self, address: Address, target: Address, skip_cold: bool) -> Result<abi::SelfDestruct, HostError> {
        self.destroy(address, target, skip_cold).ok_or(HostError::ColdSkipped)
    }
    fn call_target(&mut self, address: Address, skip_cold: bool) -> Result<CallTarget, HostError> {
        let is_cold = self.warm_up(address, skip_cold).ok_or(HostError::ColdSkipped)?;
        self.note(Access::Account(address, true));
        let delegate = self.accounts.get(&address).and_then(|info| info.code.as_ref()).and_then(Bytecode::eip7702_address);
        Ok(CallTarget { is_empty: self.empty(address), is_cold, delegate })
    }
    fn call_delegate(&mut self, address: Address, skip_cold: bool) -> Result<bool, HostError> {
        let is_cold = self.warm_up(address, skip_cold).ok_or(HostError::ColdSkipped)?;
        self.note(Access::Account(address, true));
        Ok(is_cold)
    }
}

impl Host for World {
    fn basefee(&self) -> U256 {
        self.env.base_fee
    }
    fn blob_gasprice(&self) -> U256 {
        self.env.blob_base_fee
    }
    fn gas_limit(&self) -> U256 {
        self.env.gas_limit
    }
    fn difficulty(&self) -> U256 {
        self.env.difficulty
    }
    fn prevrandao(&self) -> Option<U256> {
        Some(self.env.difficulty)
    }
    fn block_number(&self) -> U256 {
        self.env.number
    }
    fn timestamp(&self) -> U256 {
        self.env.timestamp
    }
    fn beneficiary(&self) -> Address {
        Address::from_word(self.env.coinbase.into())
    }
    fn slot_num(&self) -> U256 {
        self.env.slot_number
    }
    fn chain_id(&self) -> U256 {
        self.env.chain_id
    }
    fn effective_gas_price(&self) -> U256 {
        self.env.gas_price
    }
    fn caller(&self) -> Address {
        Address::from_word(self.env.origin.into())
    }
    fn blob_hash(&self, number: usize) -> Option<U256> {
        blob_hash(number as u64)
    }
    fn max_initcode_size(&self) -> usize {
        INIT_CODE_LIMIT
    }
    fn gas_params(&self) -> &GasParams {
        &self.params
    }
    fn is_amsterdam_eip8037_enabled(&self) -> bool {
        false
    }
    fn block_hash(&mut self, number: u64) -> Option<B256> {
        self.note(Access::BlockHash(number));
        Some(hash_of_number(number))
    }
    fn selfdestruct(
        &mut self,
        address: Address,
        target: Address,
        skip_cold: bool,
    ) -> Result<StateLoad<SelfDestructResult>, LoadError> {
        let found = self.destroy(address, target, skip_cold).ok_or(LoadError::ColdLoadSkipped)?;
        let result = SelfDestructResult {
            had_value: found.had_value,
            target_exists: found.target_exists,
            previously_destroyed: found.previously_destroyed,
        };
        Ok(StateLoad::new(result, found.is_cold))
    }
    fn log(&mut self, log: Log) {
        let topics = log.data.topics().iter().map(|topic| (*topic).into()).collect();
        self.note(Access::Log(log.address, topics, log.data.data.to_vec()));
    }
    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        value: U256,
        skip_cold: bool,
    ) -> Result<StateLoad<SStoreResult>, LoadError> {
        let write = self.write(address, key, value, skip_cold).ok_or(LoadError::ColdLoadSkipped)?;
        let result = SStoreResult { original_value: write.original, present_value: write.present, new_value: write.new };
        Ok(StateLoad::new(result, write.is_cold))
    }
    fn sload_skip_cold_load(&mut self, address: Address, key: U256, skip_cold: bool) -> Result<StateLoad<U256>, LoadError> {
        let (value, cold) = self.read(address, key, skip_cold).ok_or(LoadError::ColdLoadSkipped)?;
        Ok(StateLoad::new(value, cold))
    }
    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        self.transient.insert((address, key), value);
    }
    fn tload(&mut self, address: Address, key: U256) -> U256 {
        self.transient.get(&(address, key)).copied().unwrap_or_default()
    }
    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold: bool,
    ) -> Result<AccountInfoLoad<'_>, LoadError> {
        let cold = self.warm_up(address, skip_cold).ok_or(LoadError::ColdLoadSkipped)?;
        self.note(Access::Account(address, load_code));
        let empty = self.empty(address);
        let absent = || AccountInfo { code_hash: KECCAK_EMPTY, code: Some(Bytecode::default()), ..AccountInfo::default() };
        let info = self.accounts.entry(address).or_insert_with(absent);
        Ok(AccountInfoLoad::new(info, cold, empty))
    }
}

/// Init code limit of both engines.
pub const INIT_CODE_LIMIT: usize = 49_152;

/// What a message call is given.
#[derive(Clone, Debug)]
pub struct Message {
    pub code: Vec<u8>,
    pub gas: u64,
    pub input: Bytes,
    pub value: U256,
    pub address: Address,
    pub caller: Address,
    pub is_static: bool,
    pub memory_limit: u64,
}

/// A frame for `message`. All that it points to must outlive it.
pub fn frame(world: &mut World, message: &Message, code: &Code, stack: &mut StackBuffer, buffer: Vec<u8>) -> Frame {
    let mut frame = Frame::blank();
    frame.start(code, stack);
    frame.gas = message.gas as i64;
    frame.memory = buffer.as_ptr().cast_mut();
    frame.buffer = buffer;
    (frame.input, frame.input_len) = (message.input.as_ptr(), message.input.len() as u64);
    frame.callouts = ejit::runtime::callouts::<World>();
    frame.env = &world.env;
    frame.host = (world as *mut World).cast();
    frame.address_word = message.address.into_word().into();
    frame.caller_word = message.caller.into_word().into();
    frame.value = message.value;
    frame.fork = world.fork;
    frame.is_static = message.is_static;
    frame.address = message.address;
    frame.memory_limit = message.memory_limit;
    frame.init_code_limit = INIT_CODE_LIMIT;
    frame
}
