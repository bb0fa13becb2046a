//! The scan with AVX2: four vectors of two 16-byte lanes make a block.
//!
//! In a lane, a position is the byte `HERE + i` for `i` in 0..16 and "beyond this lane" is `HERE + 16` and more, whose top bit
//! is set: exactly the indexes for which a byte shuffle gives zero. Stepping never goes back, so `max(shuffle(f, p), p)` is "f
//! of p, or p itself where p has left the lane".

use super::{BLOCK, Frontier, JUMPDEST, PUSH1, walk};
use core::arch::x86_64::*;
use core::sync::atomic::{AtomicU8, Ordering};

/// Bytes of a lane, within which a shuffle looks up.
const LANE: usize = 16;
/// Bytes of a vector.
const VECTOR: usize = 2 * LANE;
/// Vectors of a block.
const VECTORS: usize = BLOCK / VECTOR;
/// The position of a lane's first byte; [`LANE`] more is the first byte value with the top bit set.
const HERE: u8 = 0x80 - LANE as u8;
/// Bytes that are scanned before it is judged which way to go on: at first, and then.
const FIRST_RUN: usize = 2 * BLOCK;
const RUN: usize = 8 * BLOCK;
/// A run in which instructions start in no more than this part of the lanes is sparse: one of PUSH20, and one in four of random bytes.
const SPARSE_LANES: (usize, usize) = (25, 32);
/// Bytes that are walked before it is judged again, at first, and then. It is done at once after more than an instruction for each lane of them.
const SPARSE_PROBE: usize = 2 * BLOCK;
const SPARSE_RUN: usize = 16 * BLOCK;

/// Scans as [`super::scan`] does, if the processor has AVX2.
///
/// Where PUSHes are long, walking from one to the next is faster than looking at every byte: code is walked while it is sparse.
pub(super) fn scan(code: &[u8], from: Frontier, bits: &[AtomicU8]) -> Option<Frontier> {
    if !is_x86_feature_detected!("avx2") {
        return None;
    }
    let (mut at, mut bytes) = (from, FIRST_RUN);
    while at.base() < code.len() {
        // SAFETY: the processor has the only feature that the function needs.
        let (reached, entered) = unsafe { scan_run(run(code, at, bytes), at, bits) };
        let lanes = (reached.base() - at.base()) / LANE;
        at = reached;
        bytes = RUN;
        let mut is_sparse = SPARSE_LANES.1 * entered <= SPARSE_LANES.0 * lanes;
        let mut walked = SPARSE_PROBE;
        while is_sparse && at.base() < code.len() {
            let run = run(code, at, walked);
            at = walk(run, at, bits, walked / LANE);
            is_sparse = at.base() >= run.len();
            walked = SPARSE_RUN;
        }
    }
    Some(at)
}

/// The code up to the end of a run of so many bytes that begins at `from`.
fn run(code: &[u8], from: Frontier, bytes: usize) -> &[u8] {
    &code[..code.len().min(from.base() + bytes)]
}

/// Scans, and counts the lanes in which an instruction starts.
#[target_feature(enable = "avx2")]
fn scan_run(code: &[u8], from: Frontier, bits: &[AtomicU8]) -> (Frontier, usize) {
    let (mut base, mut carry) = (from.base(), from.carry());
    let mut entered = 0;
    let mut last = [0; BLOCK];
    while let Some(rest) = code.get(base..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.first_chunk().unwrap_or_else(|| {
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        let bits = bits[base / 8..].first_chunk().expect("a bit for each byte of each block");
        let (next, lanes) = block(bytes, carry, bits);
        entered += lanes;
        carry = next;
        base += BLOCK;
    }
    (Frontier::new(base, carry), entered)
}

/// One block: from its bytes and the start of its first instruction to the start of the next block's first instruction and the
/// number of lanes in which an instruction starts.
#[inline]
#[target_feature(enable = "avx2")]
fn block(bytes: &[u8; BLOCK], entry: usize, bits: &[AtomicU8; BLOCK / 8]) -> (usize, usize) {
    // For each byte of the block, were it an instruction: the first one beyond its lane, and the destinations from it on in the
    // first and in the second half of its lane.
    let (mut exits, mut low, mut high) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
    for (i, code) in bytes.as_chunks().0.iter().enumerate() {
        let lanes = lanes(load(code));
        exits.as_chunks_mut().0[i] = store(_mm256_add_epi8(lanes.exits, load(&BASES[i])));
        low.as_chunks_mut().0[i] = store(lanes.low);
        high.as_chunks_mut().0[i] = store(lanes.high);
    }
    let (mut at, mut entered) = (entry, 0);
    while at < BLOCK {
        entered += 1;
        let lane = at / LANE;
        bits[2 * lane].store(low[at], Ordering::Relaxed);
        bits[2 * lane + 1].store(high[at], Ordering::Relaxed);
        at = exits[at] as usize;
    }
    (at - BLOCK, entered)
}

/// What is known of every position of two lanes, were it the start of an instruction.
struct Lanes {
    /// The position at which instructions leave the lane.
    exits: __m256i,
    /// The destinations from here on among the lane's first eight bytes, a bit each.
    low: __m256i,
    /// The same among its last eight bytes.
    high: __m256i,
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(code: __m256i) -> Lanes {
    // PUSH1 to PUSH32 are the greatest bytes below 0x80: as signed bytes, all others are less than PUSH1.
    let before_push1 = _mm256_set1_epi8(PUSH1 as i8 - 1);
    let immediates = _mm256_sub_epi8(_mm256_max_epi8(code, before_push1), before_push1);
    let is_jumpdest = _mm256_cmpeq_epi8(code, _mm256_set1_epi8(JUMPDEST as i8));
    // After one instruction; then after 2, 4, 8, 16, which are more than a lane holds.
    let mut next = _mm256_add_epi8(load(&NEXT), immediates);
    let mut low = _mm256_and_si256(load(&BIT_LOW), is_jumpdest);
    let mut high = _mm256_and_si256(load(&BIT_HIGH), is_jumpdest);
    for _ in 0..LANE.ilog2() {
        low = _mm256_or_si256(low, _mm256_shuffle_epi8(low, next));
        high = _mm256_or_si256(high, _mm256_shuffle_epi8(high, next));
        next = _mm256_max_epu8(next, _mm256_shuffle_epi8(next, next));
    }
    Lanes { exits: next, low, high }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; VECTOR]) -> __m256i {
    // SAFETY: the array has the vector's size, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m256i) -> [u8; VECTOR] {
    let mut bytes = [0; VECTOR];
    // SAFETY: the array has the vector's size, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector) };
    bytes
}

/// A vector whose byte at index `i` of each lane is given by the match.
macro_rules! per_lane {
    (|$i:ident| $value:expr) => {{
        let mut bytes = [0; VECTOR];
        let mut at = 0;
        while at < VECTOR {
            let $i = (at % LANE) as u8;
            bytes[at] = $value;
            at += 1;
        }
        bytes
    }};
}

/// The position after each one.
const NEXT: [u8; VECTOR] = per_lane!(|i| HERE + i + 1);
/// For position i its bit among the lane's first eight bytes.
const BIT_LOW: [u8; VECTOR] = per_lane!(|i| if i < 8 { 1 << i } else { 0 });
/// For position i its bit among the lane's last eight bytes.
const BIT_HIGH: [u8; VECTOR] = per_lane!(|i| if i < 8 { 0 } else { 1 << (i - 8) });
/// For each vector of a block and each of its bytes, what turns a position into an index into the block.
const BASES: [[u8; VECTOR]; VECTORS] = {
    let mut vectors = [[0; VECTOR]; VECTORS];
    let mut at = 0;
    while at < BLOCK {
        vectors[at / VECTOR][at % VECTOR] = ((at / LANE * LANE) as u8).wrapping_sub(HERE);
        at += 1;
    }
    vectors
};
