//! [`Host`] on revm's context: every access goes through revm's own `Host` trait, in the order and with the `skip_cold` that
//! revm's instructions use, and a database error stays in the context's error slot, where revm's handler looks for it.

use super::slots::Slots;
use super::targets::{Checkpoint, Known, Targets};
use crate::abi::{CallTarget, Env, Host, HostError, Loaded, LoadedWord, SelfDestruct, StorageWrite};
use crate::runtime::word::by_limbs;
use revm::{
    bytecode::Bytecode,
    context_interface::{
        Cfg, ContextTr, Host as RevmHost, JournalTr,
        host::LoadError,
        journaled_state::{AccountInfoLoad, JournalCheckpoint},
    },
    primitives::{Address, B256, Bytes, Log, LogData, U256, hardfork::SpecId},
};

/// The host of all frames of one transaction.
pub(super) struct JournalHost<'a, CTX> {
    /// revm's context: journal, configuration, transaction, block.
    pub(super) ctx: &'a mut CTX,
    /// The rules in force.
    pub(super) spec: SpecId,
    /// What it keeps elsewhere.
    pub(super) memory: &'a mut HostMemory,
}

/// What hosts keep from one request to the next, and allocate once for all transactions.
#[derive(Debug, Default)]
pub(super) struct HostMemory {
    /// The environment, and whether it is that of this transaction.
    env: Env,
    has_env: bool,
    /// What was called before.
    pub(super) targets: Targets,
    /// What storage was read before.
    pub(super) slots: Slots,
    /// The last call target, if it is known, for the call that follows.
    pub(super) known: Option<Known>,
    /// Else its hash and code, its delegation resolved.
    pub(super) target: (B256, Option<Bytecode>),
    /// Which is its own, not that of an account that it delegates to.
    pub(super) is_own: bool,
}

impl HostMemory {
    /// Another transaction begins.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.targets.forget();
        self.slots.forget();
    }

    /// Less is certain than may be, if the journal was not reverted to there.
    #[inline]
    pub(super) fn revert(&mut self, checkpoint: Checkpoint) {
        self.targets.revert(checkpoint.certain);
        self.slots.revert(checkpoint.noted);
    }
}

impl<'a, CTX: ContextTr> JournalHost<'a, CTX> {
    /// The host for the transaction that `ctx` holds.
    #[inline]
    pub(super) fn new(ctx: &'a mut CTX, memory: &'a mut HostMemory) -> Self {
        memory.has_env = false;
        let spec = ctx.cfg().spec().into();
        JournalHost { ctx, spec, memory }
    }

    /// Where a call that begins goes back to if it fails.
    #[inline(always)]
    pub(super) fn checkpoint(&mut self) -> Checkpoint {
        let journal = self.ctx.journal_mut().checkpoint();
        self.since(journal)
    }

    /// The same of a creation for which the journal has its checkpoint already.
    #[inline(always)]
    pub(super) fn since(&self, journal: JournalCheckpoint) -> Checkpoint {
        let HostMemory { targets, slots, .. } = &*self.memory;
        Checkpoint { journal, certain: targets.certain(), noted: slots.noted() }
    }

    /// The environment if anything has needed it yet, else null.
    #[inline]
    pub(super) fn known_env(&self) -> *const Env {
        if self.memory.has_env { &raw const self.memory.env } else { core::ptr::null() }
    }

    /// Writes the environment words of the transaction, each where it belongs: by limbs, as revm has just made them.
    #[cold]
    fn fill_env(&mut self) {
        self.memory.has_env = true;
        let (ctx, env) = (&*self.ctx, &mut self.memory.env);
        env.origin = word(ctx.caller());
        env.gas_price = by_limbs(&ctx.effective_gas_price());
        env.coinbase = word(ctx.beneficiary());
        env.timestamp = by_limbs(&ctx.timestamp());
        env.number = by_limbs(&ctx.block_number());
        let difficulty = if self.spec.is_enabled_in(SpecId::MERGE) {
            // Validation has made sure of it; system calls skip validation and get zero where revm would panic.
            ctx.prevrandao().unwrap_or_default()
        } else {
            ctx.difficulty()
        };
        env.difficulty = by_limbs(&difficulty);
        env.gas_limit = by_limbs(&ctx.gas_limit());
        env.chain_id = by_limbs(&ctx.chain_id());
        env.base_fee = by_limbs(&ctx.basefee());
        env.blob_base_fee = by_limbs(&ctx.blob_gasprice());
        env.slot_number = by_limbs(&ctx.slot_num());
    }

    /// Reads something of an account. What revm answers with is looked at where it is, here and below: to move it costs loads that wait for its
    /// stores, since they are of other widths.
    #[inline(always)]
    fn read<T>(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold: bool,
        read: impl FnOnce(&AccountInfoLoad<'_>) -> T,
    ) -> Result<Loaded<T>, HostError> {
        match &self.ctx.load_account_info_skip_cold_load(address, load_code, skip_cold) {
            Ok(load) => Ok(Loaded { value: read(load), is_cold: load.is_cold }),
            Err(error) => Err(lift(*error)),
        }
    }

    /// Loads `address` with its code into `self.memory.target`.
    #[inline(always)]
    fn load_target(&mut self, address: Address, skip_cold: bool) -> Result<TargetLoad, HostError> {
        match &self.ctx.load_account_info_skip_cold_load(address, true, skip_cold) {
            Ok(load) => {
                self.memory.target.0 = load.code_hash;
                match (&load.code, &self.memory.target.1) {
                    // The same code as last time: spare the reference count.
                    (Some(code), Some(known)) if same_code(code, known) => {}
                    (Some(code), _) => self.memory.target.1 = Some(code.clone()),
                    (None, _) => self.memory.target.1 = None,
                }
                Ok(TargetLoad { is_cold: load.is_cold, is_empty: load.is_empty })
            }
            Err(error) => Err(lift(*error)),
        }
    }

    /// Loads a call target that is not known.
    #[inline(never)]
    fn load_unknown(&mut self, address: Address, skip_cold: bool) -> Result<CallTarget, HostError> {
        let TargetLoad { is_cold, is_empty } = self.load_target(address, skip_cold)?;
        self.memory.is_own = true;
        Ok(CallTarget { is_empty, is_cold, delegate: self.memory.target.1.as_ref().and_then(Bytecode::eip7702_address) })
    }
}

/// What [`JournalHost::load_target`] found beside the code.
struct TargetLoad {
    is_cold: bool,
    is_empty: bool,
}

/// Whether two codes are the same bytes of the same allocation.
#[inline]
pub(super) fn same_code(a: &Bytecode, b: &Bytecode) -> bool {
    core::ptr::eq(a.bytes_ref().as_ptr(), b.bytes_ref().as_ptr()) && a.len() == b.len() && a.kind() == b.kind()
}

/// An address as a word, read in the pieces in which it is copied: a read across two of them waits until those are in the cache.
#[inline]
pub(super) fn word(address: Address) -> U256 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = address.into_array();
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let middle = u64::from_be_bytes([i, j, k, l, m, n, o, p]);
    let low = u32::from_be_bytes([q, r, s, t]);
    U256::from_limbs([middle << 32 | u64::from(low), high << 32 | middle >> 32, high >> 32, 0])
}

/// What an answer of revm's is when someone looks at it: a value that may be an error, which shares its first byte with the other case. An optimiser that
/// follows it through moves that byte and the rest apart, and whoever reads both together waits for the stores (5 ns).
#[inline(always)]
fn seen<T>(answer: &T) -> &T {
    core::hint::black_box(answer)
}

fn lift(error: LoadError) -> HostError {
    match error {
        LoadError::ColdLoadSkipped => HostError::ColdSkipped,
        LoadError::DBError => HostError::Fatal,
    }
}

impl<CTX: ContextTr> Host for JournalHost<'_, CTX> {
    fn env(&mut self) -> &Env {
        if !self.memory.has_env {
            self.fill_env();
        }
        &self.memory.env
    }

    #[inline(always)]
    fn sload(&mut self, address: Address, key: U256, skip_cold: bool) -> LoadedWord {
        if let Some(value) = self.memory.slots.find(&address, &key) {
            return LoadedWord { value: *value, is_cold: Ok(false) };
        }
        match seen(&self.ctx.sload_skip_cold_load(address, key, skip_cold)) {
            Ok(load) => {
                // What is read once is not worth it.
                if !load.is_cold {
                    self.memory.slots.note(&address, &key, &load.data);
                }
                LoadedWord { value: load.data, is_cold: Ok(load.is_cold) }
            }
            Err(error) => LoadedWord::failed(lift(*error)),
        }
    }

    fn sstore(&mut self, address: Address, key: U256, value: U256, skip_cold: bool) -> Result<StorageWrite, HostError> {
        match seen(&self.ctx.sstore_skip_cold_load(address, key, value, skip_cold)) {
            Ok(load) => {
                self.memory.slots.write(&address, &key, &value);
                Ok(StorageWrite {
                    original: load.data.original_value,
                    present: load.data.present_value,
                    new: load.data.new_value,
                    is_cold: load.is_cold,
                })
            }
            Err(error) => Err(lift(*error)),
        }
    }

    fn tload(&mut self, address: Address, key: U256) -> U256 {
        self.ctx.tload(address, key)
    }

    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        self.ctx.tstore(address, key, value);
    }

    fn balance(&mut self, address: Address, skip_cold: bool) -> LoadedWord {
        match &self.ctx.load_account_info_skip_cold_load(address, false, skip_cold) {
            Ok(load) => LoadedWord { value: load.balance, is_cold: Ok(load.is_cold) },
            Err(error) => LoadedWord::failed(lift(*error)),
        }
    }

    fn code_hash(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<B256>, HostError> {
        self.read(address, false, skip_cold, |load| if load.is_empty { B256::ZERO } else { load.code_hash })
    }

    fn code_len(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<usize>, HostError> {
        self.read(address, true, skip_cold, |load| load.code.as_ref().map_or(0, Bytecode::len))
    }

    fn code(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<Bytes>, HostError> {
        self.read(address, true, skip_cold, |load| load.code.as_ref().map_or(Bytes::new(), Bytecode::original_bytes))
    }

    fn self_balance(&mut self, address: Address) -> Result<U256, HostError> {
        Ok(self.ctx.balance(address).ok_or(HostError::Fatal)?.data)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, HostError> {
        self.ctx.block_hash(number).ok_or(HostError::Fatal)
    }

    fn blob_hash(&mut self, index: u64) -> B256 {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.ctx.blob_hash(index).unwrap_or_default().into()
    }

    fn log(&mut self, address: Address, topics: &[U256], data: &[u8]) {
        let topics = topics.iter().map(|topic| B256::from(*topic)).collect();
        let data = if data.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(data) };
        self.ctx.log(Log { address, data: LogData::new_unchecked(topics, data) });
    }

    fn selfdestruct(&mut self, address: Address, target: Address, skip_cold: bool) -> Result<SelfDestruct, HostError> {
        let load = self.ctx.selfdestruct(address, target, skip_cold).map_err(lift)?;
        Ok(SelfDestruct {
            had_value: load.data.had_value,
            target_exists: load.data.target_exists,
            previously_destroyed: load.data.previously_destroyed,
            is_cold: load.is_cold,
        })
    }

    #[inline(always)]
    fn call_target(&mut self, address: Address, skip_cold: bool) -> Result<CallTarget, HostError> {
        self.memory.known = self.memory.targets.find(&address);
        match self.memory.known {
            Some(_) => Ok(CallTarget { is_empty: false, is_cold: false, delegate: None }),
            None => self.load_unknown(address, skip_cold),
        }
    }

    fn call_delegate(&mut self, address: Address, skip_cold: bool) -> Result<bool, HostError> {
        let load = self.load_target(address, skip_cold)?;
        self.memory.is_own = false;
        Ok(load.is_cold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_words() {
        let address = Address::from_slice(&core::array::from_fn::<u8, 20, _>(|i| i as u8 + 0xe0));
        assert_eq!(word(address), U256::from_be_bytes(address.into_word().0));
    }
}
