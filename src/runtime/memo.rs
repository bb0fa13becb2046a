//! What an executor remembers from one operation to the next: reciprocals of moduli, and hashes of short inputs. It changes how long operations take, never
//! their results.

use super::keccak;
use super::limbs::Word;
use crate::math::modular::Reciprocals;
use core::borrow::Borrow;
use core::ffi::c_void;

/// Hashes remembered: of 32 and 64 bytes, which are the keys of mappings, and of others of less than a block: addresses that CREATE2 gives, and their salts.
const KEYS: usize = 256;
const OTHERS: usize = 64;

/// The tag of an empty place.
const EMPTY: u64 = u64::MAX;

/// Lanes of an input.
const KEY_LANES: usize = 8;
const BLOCK_LANES: usize = keccak::RATE / 8;

/// So many unknown hashes in a row, and only one in so many is looked for from then on, until one is known again: chains of hashes of what was
/// hashed are never known.
const PATIENCE: u32 = 1024;
const SELDOM: u32 = 16;

/// The memory of one executor. Runtime functions find it through [`Frame::memo`](crate::abi::Frame); without it, they compute everything anew.
#[derive(Debug)]
pub struct Memo {
    pub(crate) reciprocals: Reciprocals,
    keys: Table<KEY_LANES>,
    others: Table<BLOCK_LANES>,
    /// How often hashes were forgotten.
    epoch: u64,
    counts: HashCounts,
}

/// Hashes of inputs of less than a block (136 bytes) since the memo was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashCounts {
    /// All of them.
    pub asked: u64,
    /// Those that were remembered.
    pub known: u64,
}

/// An input and its hash. The tag is the input's length in bytes and an epoch, or [`EMPTY`].
#[derive(Clone, Copy, Debug)]
struct Hash<const LANES: usize> {
    input: [u64; LANES],
    digest: Word,
    tag: u64,
}

/// Hashes of inputs of at most so many lanes.
#[derive(Debug)]
struct Table<const LANES: usize> {
    /// Made with the memo, so that no frame waits for memory; none, where hashes are not remembered.
    places: Vec<Hash<LANES>>,
    /// Hashes since one was known.
    unknown: u32,
}

impl<const LANES: usize> Table<LANES> {
    fn new(places: usize) -> Table<LANES> {
        Table { places: vec![Hash { input: [0; LANES], digest: [0; 4], tag: EMPTY }; places], unknown: 0 }
    }

    /// Whether the next hash is looked for.
    #[inline(always)]
    fn looks(&mut self) -> bool {
        self.unknown = self.unknown.wrapping_add(1);
        self.unknown <= PATIENCE || self.unknown.is_multiple_of(SELDOM)
    }

    /// What `compute` gives, the hash of the input with this tag whose lanes are `N`, or that from the table. Lanes that are there already are lent, since to copy
    /// what was just written waits for it (a loop over mappings took 1.19 times as long).
    #[inline(always)]
    fn hash<const N: usize, L: Borrow<[u64; N]>>(
        &mut self,
        counts: &mut HashCounts,
        tag: u64,
        lanes: impl FnOnce() -> L,
        compute: impl FnOnce() -> Word,
    ) -> Word {
        if self.places.is_empty() {
            return compute();
        }
        counts.asked += 1;
        if !self.looks() {
            return compute();
        }
        let lanes = lanes();
        let lanes = lanes.borrow();
        let at = place(lanes) % self.places.len();
        let place = &mut self.places[at];
        let different = (0..N).fold(0, |all, i| all | (place.input[i] ^ lanes[i]));
        if different == 0 && place.tag == tag {
            counts.known += 1;
            self.unknown = 0;
            return place.digest;
        }
        let digest = compute();
        place.input[..N].copy_from_slice(lanes);
        (place.digest, place.tag) = (digest, tag);
        digest
    }
}

impl Memo {
    /// Remembers nothing yet. `remember_hashes`: whether it ever will hashes.
    pub fn new(remember_hashes: bool) -> Memo {
        let places = |count| if remember_hashes { count } else { 0 };
        let (keys, others) = (Table::new(places(KEYS)), Table::new(places(OTHERS)));
        Memo { reciprocals: Reciprocals::new(), keys, others, epoch: 0, counts: HashCounts::default() }
    }

    /// Forgets all hashes; counts go on.
    pub fn forget_hashes(&mut self) {
        self.epoch += 1;
    }

    /// What was counted so far.
    pub fn hash_counts(&self) -> HashCounts {
        self.counts
    }

    fn tag(&self, len: usize) -> u64 {
        self.epoch << 8 | len as u64
    }

    /// The hash of `N` lanes, which are 4 or 8.
    #[inline]
    fn hash_lanes<const N: usize>(&mut self, lanes: &[u64; N]) -> Word {
        let tag = self.tag(8 * N);
        self.keys.hash(&mut self.counts, tag, || lanes, || keccak::hash_lanes(lanes))
    }

    /// The hash of less than a block.
    fn hash_short(&mut self, input: &[u8]) -> Word {
        let tag = self.tag(input.len());
        self.others.hash(&mut self.counts, tag, || block(input), || keccak::hash(input))
    }
}

/// A number that depends on all of an input but its seventeenth lane: products of pairs of lanes, high and low halves mixed (after wyhash).
#[inline(always)]
fn place<const N: usize>(lanes: &[u64; N]) -> usize {
    let mut mixed = 0;
    for pair in lanes.chunks_exact(2) {
        let product = u128::from(pair[0] ^ 0x9e37_79b9_7f4a_7c15) * u128::from(pair[1] ^ 0xd1b5_4a32_d192_ed03);
        mixed = u64::rotate_left(mixed, 7) ^ (product as u64) ^ (product >> 64) as u64;
    }
    mixed as usize
}

/// The Keccak-256 hash of `input`, as a word: looked up in `memo` if there is one and the input is less than a block.
#[inline]
pub(super) fn hash(input: &[u8], memo: Option<&mut Memo>) -> Word {
    if let Some(memo) = memo {
        if let Ok(input) = <&[u8; 64]>::try_from(input) {
            return memo.hash_lanes(&lanes::<8>(input.as_chunks().0));
        }
        if let Ok(input) = <&[u8; 32]>::try_from(input) {
            return memo.hash_lanes(&lanes::<4>(input.as_chunks().0));
        }
        if input.len() < keccak::RATE {
            return memo.hash_short(input);
        }
    }
    keccak::hash(input)
}

#[inline(always)]
fn lanes<const N: usize>(bytes: &[[u8; 8]]) -> [u64; N] {
    core::array::from_fn(|i| u64::from_le_bytes(bytes[i]))
}

/// Less than a block as lanes, zeros above.
fn block(input: &[u8]) -> [u64; BLOCK_LANES] {
    let mut lanes = [0; BLOCK_LANES];
    keccak::absorb(&mut lanes, input);
    lanes
}

/// The memo that a frame's pointer leads to.
///
/// # Safety
/// `memo` is null, or points to a [`Memo`] that nobody else uses while the reference lives.
#[inline(always)]
pub(super) unsafe fn of<'m>(memo: *mut c_void) -> Option<&'m mut Memo> {
    // SAFETY: the caller's promise.
    unsafe { memo.cast::<Memo>().as_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm_primitives::{U256, keccak256};

    #[test]
    fn remembers_exactly() {
        let mut memo = Memo::new(true);
        let mut random = crate::math::tests::Random::new();
        // Few inputs often, among them a long one that begins like a short one followed by zeros.
        let mut inputs: Vec<Vec<u8>> = vec![vec![0; 32], vec![0; 64], vec![7; 32], [[7; 32], [0; 32]].concat()];
        inputs.extend([vec![0; 85], vec![0; 86], vec![7; 1], vec![7; 135], vec![7; 136]]);
        inputs.extend((0..400).map(|i| (0..[32, 64, 32, 64, 1 + i % 140][i % 5]).map(|_| random.limb() as u8).collect()));
        let mut short = 0;
        for _ in 0..20_000 {
            let skewed = (random.limb() % inputs.len() as u64) & random.limb();
            let input = &inputs[skewed as usize % inputs.len()];
            let expected = U256::from_be_bytes(keccak256(input).0);
            assert_eq!(U256::from_limbs(hash(input, Some(&mut memo))), expected);
            short += u64::from(input.len() < keccak::RATE);
        }
        let counts = memo.hash_counts();
        assert_eq!(counts.asked, short);
        assert!(counts.known > 10_000 && counts.known < short, "{counts:?}");
        memo.forget_hashes();
        for input in [&inputs[0], &inputs[4]] {
            hash(input, Some(&mut memo));
        }
        assert_eq!(memo.hash_counts(), HashCounts { asked: short + 2, ..counts });
    }

    #[test]
    fn is_looked_at_seldom_while_nothing_is_known() {
        let mut memo = Memo::new(true);
        let mut chain = vec![0; 32];
        for _ in 0..2 * PATIENCE {
            let next = keccak256(&chain).0.to_vec();
            assert_eq!(U256::from_limbs(hash(&chain, Some(&mut memo))), U256::from_be_slice(&next));
            chain = next;
        }
        assert_eq!(memo.hash_counts(), HashCounts { asked: 2 * u64::from(PATIENCE), known: 0 });
        for _ in 0..3 * SELDOM {
            hash(&chain, Some(&mut memo));
        }
        assert_eq!(memo.keys.unknown, 0, "known, and looked for each time again");
        assert!(memo.hash_counts().known >= u64::from(SELDOM), "{:?}", memo.hash_counts());
    }

    #[test]
    fn can_be_turned_off() {
        let mut memo = Memo::new(false);
        for _ in 0..2 {
            assert_eq!(U256::from_limbs(hash(&[1; 64], Some(&mut memo))), U256::from_be_bytes(keccak256([1; 64]).0));
        }
        assert_eq!(memo.hash_counts(), HashCounts::default());
    }
}
