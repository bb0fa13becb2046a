//! What the EVM asks of its host: state, logs and block hashes. The order of calls is consensus-relevant (EIP-7928).

use super::{Env, Frame};
use revm_primitives::{Address, B256, Bytes, U256};

/// A host call that gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The access would have been cold and the caller said it could not pay for that: nothing was accessed.
    ColdSkipped,
    /// The database failed; the embedder keeps the reason.
    Fatal,
    /// No answer yet; ask again.
    Pending,
}

/// A value and whether this was the first access to it in the transaction (EIP-2929).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// First access in this transaction.
    pub is_cold: bool,
}

/// A word as [`Loaded`], or why there is none.
///
/// No `Result` of both: the error would lie in the word's first byte, so that the rest would be moved apart from that, by loads that wait for stores of
/// other widths (5 ns each time).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadedWord {
    /// The value, zero if there is no answer.
    pub value: U256,
    /// First access in this transaction, or why there is no answer.
    pub is_cold: Result<bool, HostError>,
}

impl LoadedWord {
    /// No answer.
    pub const fn failed(error: HostError) -> LoadedWord {
        LoadedWord { value: U256::ZERO, is_cold: Err(error) }
    }
}

impl From<Result<Loaded<U256>, HostError>> for LoadedWord {
    fn from(loaded: Result<Loaded<U256>, HostError>) -> LoadedWord {
        loaded.map_or_else(LoadedWord::failed, |Loaded { value, is_cold }| LoadedWord { value, is_cold: Ok(is_cold) })
    }
}

/// The three values that price an SSTORE (EIP-2200).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageWrite {
    /// Value at the start of the transaction.
    pub original: U256,
    /// Value before this write.
    pub present: U256,
    /// Value written.
    pub new: U256,
    /// First access in this transaction.
    pub is_cold: bool,
}

/// What SELFDESTRUCT found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfDestruct {
    /// The contract had a balance.
    pub had_value: bool,
    /// The beneficiary exists (by the fork's notion of existence).
    pub target_exists: bool,
    /// The contract was destroyed before in this transaction.
    pub previously_destroyed: bool,
    /// The beneficiary was cold.
    pub is_cold: bool,
}

/// What a CALL* needs to know of the called account to price the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTarget {
    /// Empty as EIP-161 defines it; before that fork, non-existent.
    pub is_empty: bool,
    /// First access in this transaction.
    pub is_cold: bool,
    /// Where its code delegates to (EIP-7702), if it is a delegation designator.
    pub delegate: Option<Address>,
}

/// State, logs and hashes as one transaction's execution sees them. Implemented by the adapter on revm's journal, and by the recording
/// and replaying hosts of `check` mode.
///
/// `skip_cold`: the caller cannot pay for a cold access; if it would be one, return [`HostError::ColdSkipped`] without accessing (and without
/// warming). Before Berlin it is always false, and `is_cold` costs nothing.
///
/// [`HostError::Pending`] means that nothing happened: the same instruction will be executed again later.
pub trait Host {
    /// Called before the first request of each instruction, with the frame as it is then. For hosts that record; others need nothing here.
    #[inline(always)]
    fn enter(&mut self, _frame: &Frame) {}
    /// The environment, at the same place throughout the transaction. Asked for when an instruction first needs it, and only for frames that begin
    /// without.
    fn env(&mut self) -> &Env {
        unreachable!("frames of this host begin with their environment")
    }
    /// Storage of the running contract.
    fn sload(&mut self, address: Address, key: U256, skip_cold: bool) -> LoadedWord;
    /// Writes storage.
    fn sstore(&mut self, address: Address, key: U256, value: U256, skip_cold: bool) -> Result<StorageWrite, HostError>;
    /// Transient storage (EIP-1153).
    fn tload(&mut self, address: Address, key: U256) -> U256;
    /// Writes transient storage.
    fn tstore(&mut self, address: Address, key: U256, value: U256);
    /// Balance of an account, in wei.
    fn balance(&mut self, address: Address, skip_cold: bool) -> LoadedWord;
    /// Hash of an account's code as EXTCODEHASH answers it: zero for an account that is empty (EIP-161; before that fork, non-existent).
    fn code_hash(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<B256>, HostError>;
    /// Length of an account's code, in bytes. The code is loaded.
    fn code_len(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<usize>, HostError>;
    /// An account's code, unpadded.
    fn code(&mut self, address: Address, skip_cold: bool) -> Result<Loaded<Bytes>, HostError>;
    /// Balance of the running contract (SELFBALANCE: always warm).
    fn self_balance(&mut self, address: Address) -> Result<U256, HostError>;
    /// Hash of a block among the last 256; the range is checked by the caller.
    fn block_hash(&mut self, number: u64) -> Result<B256, HostError>;
    /// Versioned hash of a blob of the transaction, or zero.
    fn blob_hash(&mut self, index: u64) -> B256;
    /// Appends a log.
    fn log(&mut self, address: Address, topics: &[U256], data: &[u8]);
    /// Marks `address` for destruction, its balance going to `target`.
    fn selfdestruct(&mut self, address: Address, target: Address, skip_cold: bool) -> Result<SelfDestruct, HostError>;
    /// Loads the account that a CALL* goes to, with its code (as [`Host::code`]). The host remembers this code and its
    /// hash: it is what the child frame of the call that follows runs, unless [`Host::call_delegate`] replaces it. All pricing is the
    /// caller's; the host neither follows the delegation nor looks at gas.
    fn call_target(&mut self, address: Address, skip_cold: bool) -> Result<CallTarget, HostError>;
    /// Second step of a CALL* whose target delegates: loads the delegate with its code, which replaces the remembered one (not followed further,
    /// should it be a delegation itself). Called right after `call_target` gave this address, only when the call can pay for a warm access and
    /// the target's creation is not what is being paid for. Returns whether the delegate was cold.
    ///
    /// A host that answers [`HostError::Pending`] here will be asked `call_target` again when the instruction is repeated, and must then
    /// answer as it did the first time (`is_cold` in particular).
    fn call_delegate(&mut self, address: Address, skip_cold: bool) -> Result<bool, HostError>;
}
