//! The general state test format as Rust types: what a file says, nothing derived from it.
//!
//! Only what the runner needs is kept. The expected post-states (`state`, `postState`) and receipts,
//! most of the bytes of a modern suite, are skipped while parsing; the roots say the same. Fields that
//! are not known are ignored, so files of newer fillers load as long as the format keeps its core.
//!
//! Invariant: numbers keep what the file says. A [`Quantity`] above 2^256 - 1 is legal in a test of
//! transactions that must be rejected, so it is a value here and not a parse error.

use std::fmt;
use std::marker::PhantomData;

use revm::primitives::{Address, B256, Bytes, U256};
use serde::Deserialize as DeriveDeserialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// A JSON object as a list of pairs, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<K, V> {
            type Value = Pairs<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

/// A number as the tests write it: `"0x1f"`, `"0x"` (zero), decimal text, a JSON number, or
/// `"0x:bigint 0x1…"`. `None` when it does not fit 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(pub Option<U256>);

/// A [`Quantity`] that must fit 256 bits: balances, storage, the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word(pub U256);

impl Quantity {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("0x:bigint ").unwrap_or(text);
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        if !digits.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self(Some(U256::ZERO)));
        }
        Some(Self(U256::from_str_radix(digits, u64::from(radix)).ok()))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QuantityVisitor;

        impl Visitor<'_> for QuantityVisitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, hexadecimal with 0x or decimal")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Quantity::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(Some(U256::from(number))))
            }
        }

        deserializer.deserialize_any(QuantityVisitor)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Quantity::deserialize(deserializer)?.0.map(Word).ok_or_else(|| de::Error::custom("the number does not fit 256 bits"))
    }
}

/// One named test of a file.
#[derive(Clone, Debug, DeriveDeserialize)]
pub struct Unit {
    /// The block.
    pub env: Env,
    /// The state before the transaction.
    pub pre: Pairs<Address, Account>,
    /// The transaction, with its variants.
    pub transaction: Transaction,
    /// What must come of it, by the name of the fork.
    pub post: Pairs<String, Vec<Post>>,
    /// The expected output of the transaction, in old tests.
    #[serde(default)]
    pub out: Option<Bytes>,
    /// The chain, in newer tests.
    #[serde(default)]
    pub config: Config,
}

/// The chain a test runs on.
#[derive(Clone, Debug, Default, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Chain id; 1 when absent.
    #[serde(default)]
    pub chainid: Option<Word>,
    /// Blob parameters by fork.
    #[serde(default)]
    pub blob_schedule: Pairs<String, BlobParams>,
}

/// EIP-7840 blob parameters.
#[derive(Clone, Copy, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobParams {
    /// Most blobs of a block.
    pub max: Word,
    /// How fast the blob base fee moves.
    pub base_fee_update_fraction: Word,
}

/// The block a transaction is executed in.
#[derive(Clone, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct Env {
    /// Chain id, in old tests.
    #[serde(default, rename = "currentChainID")]
    pub current_chain_id: Option<Word>,
    /// The beneficiary.
    pub current_coinbase: Address,
    /// Difficulty, before the merge.
    #[serde(default)]
    pub current_difficulty: Word,
    /// Gas limit of the block.
    pub current_gas_limit: Word,
    /// Number of the block.
    pub current_number: Word,
    /// Seconds since 1970.
    pub current_timestamp: Word,
    /// EIP-1559 base fee.
    #[serde(default)]
    pub current_base_fee: Option<Word>,
    /// EIP-4399 randomness, after the merge.
    #[serde(default)]
    pub current_random: Option<Word>,
    /// EIP-4844 excess blob gas.
    #[serde(default)]
    pub current_excess_blob_gas: Option<Word>,
    /// EIP-7843 slot number.
    #[serde(default, alias = "currentSlotNumber")]
    pub slot_number: Option<Word>,
}

/// An account before the transaction.
#[derive(Clone, Debug, DeriveDeserialize)]
pub struct Account {
    /// Wei.
    pub balance: Word,
    /// Bytecode.
    pub code: Bytes,
    /// Transactions sent, or contracts created.
    pub nonce: Word,
    /// Storage, zero values included as the file has them.
    pub storage: Pairs<Word, Word>,
}

/// The transaction and its variants.
#[derive(Clone, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The EIP-2718 type, where the file says it.
    #[serde(default, rename = "type")]
    pub tx_type: Option<Quantity>,
    /// Chain id; 1 when absent.
    #[serde(default)]
    pub chain_id: Option<Quantity>,
    /// The variants of the data.
    pub data: Vec<Bytes>,
    /// The variants of the gas limit.
    pub gas_limit: Vec<Quantity>,
    /// The variants of the value.
    pub value: Vec<Quantity>,
    /// Gas price of types 0 and 1.
    #[serde(default)]
    pub gas_price: Option<Quantity>,
    /// Nonce of the sender.
    pub nonce: Quantity,
    /// The sender's key. A test without one is of an unsigned transaction, which must be rejected.
    #[serde(default)]
    pub secret_key: Option<B256>,
    /// The sender; derived from the key when absent.
    #[serde(default)]
    pub sender: Option<Address>,
    /// The recipient; empty creates a contract.
    #[serde(default)]
    pub to: Option<String>,
    /// Fee cap of types 2 to 4.
    #[serde(default)]
    pub max_fee_per_gas: Option<Quantity>,
    /// Tip cap of types 2 to 4.
    #[serde(default)]
    pub max_priority_fee_per_gas: Option<Quantity>,
    /// EIP-2930 access lists, one for each variant of the data.
    #[serde(default)]
    pub access_lists: Vec<Option<Vec<AccessListItem>>>,
    /// EIP-7702 authorizations.
    #[serde(default)]
    pub authorization_list: Option<Vec<Authorization>>,
    /// EIP-4844 blobs.
    #[serde(default)]
    pub blob_versioned_hashes: Vec<B256>,
    /// EIP-4844 fee cap.
    #[serde(default)]
    pub max_fee_per_blob_gas: Option<Quantity>,
}

/// An address and storage keys to be warm.
#[derive(Clone, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessListItem {
    /// The account.
    pub address: Address,
    /// Keys of its storage.
    pub storage_keys: Vec<Word>,
}

/// A signed EIP-7702 authorization.
#[derive(Clone, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// Chain it is valid on; 0 is any.
    pub chain_id: Quantity,
    /// The code to point at.
    pub address: Address,
    /// Nonce of the signer.
    pub nonce: Quantity,
    /// Parity of the signature.
    #[serde(default)]
    pub y_parity: Option<Quantity>,
    /// The same under its older name.
    #[serde(default)]
    pub v: Option<Quantity>,
    /// Signature.
    pub r: Quantity,
    /// Signature.
    pub s: Quantity,
}

/// What must come of one combination.
#[derive(Clone, Debug, DeriveDeserialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// State root.
    pub hash: B256,
    /// Hash of the RLP of the logs.
    pub logs: B256,
    /// Which variants of the transaction.
    pub indexes: Indexes,
    /// Why the transaction must be rejected, if it must.
    #[serde(default)]
    pub expect_exception: Option<String>,
}

/// Positions in the lists of the transaction.
#[derive(Clone, Copy, Debug, DeriveDeserialize, PartialEq, Eq)]
pub struct Indexes {
    /// In `data`, and in `accessLists`.
    pub data: usize,
    /// In `gasLimit`.
    pub gas: usize,
    /// In `value`.
    pub value: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        let word = |number: u64| Some(Quantity(Some(U256::from(number))));
        assert_eq!(Quantity::parse("0x"), word(0));
        assert_eq!(Quantity::parse(""), word(0));
        assert_eq!(Quantity::parse("0x00ff"), word(255));
        assert_eq!(Quantity::parse("12"), word(12));
        assert_eq!(Quantity::parse("0x:bigint 0x10"), word(16));
        let above = format!("0x1{}", "0".repeat(64));
        assert_eq!(Quantity::parse(&above), Some(Quantity(None)));
        assert_eq!(Quantity::parse("0xfg"), None);
        assert_eq!(Quantity::parse("-1"), None);
        assert_eq!(Quantity::parse("0x:bigint"), None);
    }
}
