//! What an executor remembers from one operation to the next: reciprocals of moduli, and hashes of short inputs. It changes how long operations take, never
//! their results.

use super::keccak;
use super::limbs::Word;
use crate::math::modular::Reciprocals;
use core::ffi::c_void;

/// Hashes remembered.
const HASHES: usize = 256;

/// So many unknown hashes in a row, and only one in so many is looked for from then on, until one is known again: chains of hashes of what was
/// hashed are never known.
const PATIENCE: u32 = 1024;
const SELDOM: u32 = 16;

/// The memory of one executor. Runtime functions find it through [`Frame::memo`](crate::abi::Frame); without it, they compute everything anew.
#[derive(Debug)]
pub struct Memo {
    pub(crate) reciprocals: Reciprocals,
    /// Places for hashes: made with the memo, so that no frame waits for memory; none, where hashes are not remembered.
    hashes: Vec<Hash>,
    /// How often hashes were forgotten.
    epoch: u64,
    /// Hashes since one was known.
    unknown: u32,
    counts: HashCounts,
}

/// Hashes of 32 and 64 bytes since the memo was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashCounts {
    /// All of them.
    pub asked: u64,
    /// Those that were remembered.
    pub known: u64,
}

/// An input of four or eight lanes and its hash. The tag tells the two lengths apart and ends with an epoch; 0 is the tag of an empty place.
#[derive(Clone, Copy, Debug)]
struct Hash {
    input: [u64; 8],
    digest: Word,
    tag: u64,
}

impl Hash {
    const NONE: Hash = Hash { input: [0; 8], digest: [0; 4], tag: 0 };
}

impl Memo {
    /// Remembers nothing yet. `remember_hashes`: whether it ever will hashes.
    pub fn new(remember_hashes: bool) -> Memo {
        let places = if remember_hashes { HASHES } else { 0 };
        let hashes = vec![Hash::NONE; places];
        Memo { reciprocals: Reciprocals::new(), hashes, epoch: 0, unknown: 0, counts: HashCounts::default() }
    }

    /// Forgets all hashes; counts go on.
    pub fn forget_hashes(&mut self) {
        self.epoch += 1;
    }

    /// What was counted so far.
    pub fn hash_counts(&self) -> HashCounts {
        self.counts
    }

    /// The hash of `N` lanes, which are 4 or 8.
    #[inline]
    fn hash_lanes<const N: usize>(&mut self, lanes: &[u64; N]) -> Word {
        if self.hashes.is_empty() {
            return keccak::hash_lanes(lanes);
        }
        self.counts.asked += 1;
        self.unknown = self.unknown.wrapping_add(1);
        if self.unknown > PATIENCE && !self.unknown.is_multiple_of(SELDOM) {
            return keccak::hash_lanes(lanes);
        }
        let tag = self.epoch << 4 | N as u64;
        let place = &mut self.hashes[place(lanes)];
        let different = (0..N).fold(0, |all, i| all | (place.input[i] ^ lanes[i]));
        if different == 0 && place.tag == tag {
            self.counts.known += 1;
            self.unknown = 0;
            return place.digest;
        }
        let digest = keccak::hash_lanes(lanes);
        place.input[..N].copy_from_slice(lanes);
        (place.digest, place.tag) = (digest, tag);
        digest
    }
}

/// The place of an input: products of pairs of lanes, high and low halves mixed (after wyhash).
#[inline(always)]
fn place<const N: usize>(lanes: &[u64; N]) -> usize {
    let mut mixed = 0;
    for pair in lanes.chunks_exact(2) {
        let product = u128::from(pair[0] ^ 0x9e37_79b9_7f4a_7c15) * u128::from(pair[1] ^ 0xd1b5_4a32_d192_ed03);
        mixed = u64::rotate_left(mixed, 7) ^ (product as u64) ^ (product >> 64) as u64;
    }
    mixed as usize % HASHES
}

/// The Keccak-256 hash of `input`, as a word: looked up in `memo` if there is one and the input is 32 or 64 bytes long.
#[inline]
pub(super) fn hash(input: &[u8], memo: Option<&mut Memo>) -> Word {
    if let Some(memo) = memo {
        if let Ok(input) = <&[u8; 64]>::try_from(input) {
            return memo.hash_lanes(&lanes::<8>(input.as_chunks().0));
        }
        if let Ok(input) = <&[u8; 32]>::try_from(input) {
            return memo.hash_lanes(&lanes::<4>(input.as_chunks().0));
        }
    }
    keccak::hash(input)
}

#[inline(always)]
fn lanes<const N: usize>(bytes: &[[u8; 8]]) -> [u64; N] {
    core::array::from_fn(|i| u64::from_le_bytes(bytes[i]))
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
        inputs.extend((0..400).map(|i| (0..if i % 2 == 0 { 32 } else { 64 }).map(|_| random.limb() as u8).collect()));
        for _ in 0..20_000 {
            let skewed = (random.limb() % inputs.len() as u64) & random.limb();
            let input = &inputs[skewed as usize % inputs.len()];
            let expected = U256::from_be_bytes(keccak256(input).0);
            assert_eq!(U256::from_limbs(hash(input, Some(&mut memo))), expected);
        }
        let counts = memo.hash_counts();
        assert_eq!(counts.asked, 20_000);
        assert!(counts.known > 10_000 && counts.known < 20_000, "{counts:?}");
        memo.forget_hashes();
        hash(&inputs[0], Some(&mut memo));
        assert_eq!(memo.hash_counts(), HashCounts { asked: 20_001, ..counts });
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
        assert_eq!(memo.unknown, 0, "known, and looked for each time again");
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
