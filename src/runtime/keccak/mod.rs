//! Keccak-256 as Ethereum uses it: Keccak-f[1600] in a sponge of 136-byte blocks with the padding of the original submission (Bertoni, Daemen,
//! Peeters, Van Assche, "The Keccak reference", 2011).
//!
//! The permutation is plain Rust, two rounds from one array of lanes to another and back, so that no lane is moved; on x86-64 it is compiled a second time
//! for machines with `andn` and `rorx`, and machines with AVX-512 have one in registers of 512 bits. Input is read in place. Of the last round only the four
//! lanes that are the digest are computed.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::limbs::Word;

/// Bytes of a block.
pub(super) const RATE: usize = 136;
/// Lanes of a block.
const RATE_LANES: usize = RATE / 8;
/// The first bit of the padding, after the last byte of the input.
const FIRST: u64 = 1;
/// The last bit of the padding, in the last lane of the block.
const LAST: u64 = 1 << 63;

/// The state: 25 lanes, `(x, y)` at `x + 5 y`.
type State = [u64; 25];

/// What is added to lane (0, 0) in each round.
const ROUND: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// The hash of `input`, as a word.
#[inline]
pub(crate) fn hash(input: &[u8]) -> Word {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { avx512::hash(input) };
    }
    #[cfg(target_arch = "x86_64")]
    if has_bmi() {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { bmi::hash(input) };
    }
    sponge(input)
}

/// The hash of four or eight lanes of eight bytes (the first byte lowest).
#[inline]
pub(crate) fn hash_lanes<const N: usize>(lanes: &[u64; N]) -> Word {
    const { assert!(N == 4 || N == 8) };
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { avx512::hash(bytes(lanes)) };
    }
    #[cfg(target_arch = "x86_64")]
    if has_bmi() {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { bmi::hash_lanes(lanes) };
    }
    single(lanes)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_bmi() -> bool {
    std::is_x86_feature_detected!("bmi1") && std::is_x86_feature_detected!("bmi2")
}

/// The bytes of lanes, where lanes begin with their lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn bytes<const N: usize>(lanes: &[u64; N]) -> &[u8] {
    // SAFETY: they are eight times as many, and lie in the same place.
    unsafe { core::slice::from_raw_parts(lanes.as_ptr().cast(), 8 * N) }
}

/// Whether the machine has what [`avx512`] is compiled for, and is none that would rather not (which know no VBMI2).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_avx512() -> bool {
    std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512vl")
        && std::is_x86_feature_detected!("avx512vbmi2")
}

/// The same functions, compiled for machines with `andn` and `rorx`.
#[cfg(target_arch = "x86_64")]
mod bmi {
    use super::{Word, single, sponge};

    #[target_feature(enable = "bmi1,bmi2")]
    pub(super) fn hash(input: &[u8]) -> Word {
        sponge(input)
    }

    #[target_feature(enable = "bmi1,bmi2")]
    pub(super) fn hash_lanes<const N: usize>(lanes: &[u64; N]) -> Word {
        single(lanes)
    }
}

#[inline(always)]
fn single<const N: usize>(lanes: &[u64; N]) -> Word {
    const { assert!(N < RATE_LANES) };
    let mut state = [0; 25];
    state[..N].copy_from_slice(lanes);
    state[N] = FIRST;
    state[RATE_LANES - 1] |= LAST;
    squeeze(&mut state)
}

#[inline(always)]
fn sponge(input: &[u8]) -> Word {
    let mut state = [0; 25];
    let (blocks, tail) = input.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
        permute::<12>(&mut state);
    }
    let used = absorb(&mut state, tail);
    state[used / 8] ^= FIRST << (8 * (used % 8));
    state[RATE_LANES - 1] ^= LAST;
    squeeze(&mut state)
}

/// Adds at most a block of bytes to the first lanes of a state; returns how many.
#[inline(always)]
pub(super) fn absorb(state: &mut [u64], bytes: &[u8]) -> usize {
    let (lanes, rest) = bytes.as_chunks::<8>();
    for (lane, bytes) in state.iter_mut().zip(lanes) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        state[lanes.len()] ^= u64::from_le_bytes(last);
    }
    bytes.len()
}

/// The last permutation of the state, and the digest.
#[inline(always)]
fn squeeze(state: &mut State) -> Word {
    permute::<11>(state);
    let mut last = [0; 25];
    round(state, &mut last, ROUND[22]);
    round(&last, state, ROUND[23]);
    [state[3].swap_bytes(), state[2].swap_bytes(), state[1].swap_bytes(), state[0].swap_bytes()]
}

/// The first `PAIRS` pairs of rounds.
#[inline(always)]
fn permute<const PAIRS: usize>(state: &mut State) {
    let (mut even, mut odd) = (*state, [0; 25]);
    for pair in 0..PAIRS {
        round(&even, &mut odd, ROUND[2 * pair]);
        round(&odd, &mut even, ROUND[2 * pair + 1]);
    }
    *state = even;
}

/// One round: the steps theta, rho and pi as one lane after another is fetched for chi, and iota.
#[inline(always)]
fn round(a: &State, e: &mut State, constant: u64) {
    let parity = |x: usize| a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    let c = [parity(0), parity(1), parity(2), parity(3), parity(4)];
    let theta = |x: usize| c[(x + 4) % 5] ^ c[(x + 1) % 5].rotate_left(1);
    let d = [theta(0), theta(1), theta(2), theta(3), theta(4)];
    let lane = |at: usize, by: u32| (a[at] ^ d[at % 5]).rotate_left(by);
    let mut plane = |y: usize, b: [u64; 5]| {
        for x in 0..5 {
            e[5 * y + x] = b[x] ^ (!b[(x + 1) % 5] & b[(x + 2) % 5]);
        }
    };
    plane(0, [lane(0, 0), lane(6, 44), lane(12, 43), lane(18, 21), lane(24, 14)]);
    plane(1, [lane(3, 28), lane(9, 20), lane(10, 3), lane(16, 45), lane(22, 61)]);
    plane(2, [lane(1, 1), lane(7, 6), lane(13, 25), lane(19, 8), lane(20, 18)]);
    plane(3, [lane(4, 27), lane(5, 36), lane(11, 10), lane(17, 15), lane(23, 56)]);
    plane(4, [lane(2, 62), lane(8, 55), lane(14, 39), lane(15, 41), lane(21, 2)]);
    e[0] ^= constant;
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm_primitives::U256;
    use sha3::{Digest, Keccak256};

    /// By all of ours that the machine can run, and by two others.
    fn check(input: &[u8]) {
        let expected = revm_primitives::keccak256(input);
        assert_eq!(expected[..], Keccak256::digest(input)[..], "{} bytes", input.len());
        let agrees = |digest| assert_eq!(U256::from_limbs(digest), U256::from_be_bytes(expected.0), "{} bytes", input.len());
        agrees(hash(input));
        agrees(sponge(input));
        #[cfg(target_arch = "x86_64")]
        if has_bmi() {
            // SAFETY: the machine has what the function is compiled for.
            agrees(unsafe { bmi::hash(input) });
        }
        #[cfg(target_arch = "x86_64")]
        if has_avx512() {
            // SAFETY: the machine has what the function is compiled for.
            agrees(unsafe { avx512::hash(input) });
        }
    }

    #[test]
    fn agrees_with_two_others_for_every_length() {
        let mut random = crate::math::tests::Random::new();
        let bytes: Vec<u8> = (0..1200).map(|_| random.limb() as u8).collect();
        for len in 0..=1100 {
            for from in 0..8 {
                check(&bytes[from..from + len]);
            }
        }
    }

    /// Likewise for lanes.
    fn check_lanes<const N: usize>(lanes: [u64; N]) {
        let expected: Vec<u8> = lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        let expected = sponge(&expected);
        assert_eq!(hash_lanes(&lanes), expected);
        assert_eq!(single(&lanes), expected);
        #[cfg(target_arch = "x86_64")]
        if has_bmi() {
            // SAFETY: the machine has what the function is compiled for.
            assert_eq!(unsafe { bmi::hash_lanes(&lanes) }, expected);
        }
        #[cfg(target_arch = "x86_64")]
        if has_avx512() {
            // SAFETY: the machine has what the function is compiled for.
            assert_eq!(unsafe { avx512::hash(bytes(&lanes)) }, expected);
        }
    }

    #[test]
    fn lanes_hash_as_their_bytes() {
        let mut random = crate::math::tests::Random::new();
        for _ in 0..100 {
            check_lanes::<4>(core::array::from_fn(|_| random.limb()));
            check_lanes::<8>(core::array::from_fn(|_| random.limb()));
        }
    }
}
