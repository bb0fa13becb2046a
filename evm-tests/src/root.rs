//! State root and logs hash: the two numbers that say whether a case passed.
//!
//! The tries are built by `alloy-trie`; this module decides what goes into them (live accounts,
//! non-zero storage).

use alloy_trie::TrieAccount;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use revm::database::PlainAccount;
use revm::primitives::{Address, B256, Log, keccak256};

/// The Merkle-Patricia root of a state.
pub fn state_root<'a>(accounts: impl IntoIterator<Item = (Address, &'a PlainAccount)>) -> B256 {
    state_root_unhashed(accounts.into_iter().map(|(address, account)| {
        let storage = account.storage.iter().filter(|(_, value)| !value.is_zero()).map(|(key, value)| (B256::from(*key), *value));
        let trie_account = TrieAccount {
            nonce: account.info.nonce,
            balance: account.info.balance,
            storage_root: storage_root_unhashed(storage),
            code_hash: account.info.code_hash,
        };
        (address, trie_account)
    }))
}

/// Keccak-256 of the RLP list of the logs.
pub fn logs_hash(logs: &[Log]) -> B256 {
    let mut encoded = Vec::new();
    alloy_rlp::encode_list(logs, &mut encoded);
    keccak256(&encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::primitives::b256;

    #[test]
    fn nothing() {
        assert_eq!(
            state_root([]),
            b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
            "keccak256(rlp(\"\"))"
        );
        assert_eq!(logs_hash(&[]), b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"), "keccak256(rlp([]))");
    }
}
