//! The sponge with its state in five registers of 512 bits, for x86-64 machines with AVX-512 (those since Ice Lake and Zen 4: earlier ones lower
//! their clock for such registers).
//!
//! A *layout* says where lane (x, y) is: in which register, and at which of five positions in it; both are linear in x and y modulo five. Theta adds up
//! columns in place where the position is a multiple of x, and chi is five operations on whole registers where it is a multiple of y. Between the two, in each
//! register for itself, the positions only turn: by `pi` times the register's number on the way to chi and by `turn` times it on the way back, so that
//! register 0, which has lane (0, 0) and is the last to be ready since it takes the round's constant, stays as it is.
//!
//! With register `a x + b y` before theta it is `(a + b) x + 3 a y` before chi, in the coordinates that pi gives: the ratio t = b / a becomes 3 / (1 + t), that
//! is 3, 2, 1, 4. At 4 a register would have a whole row, so each third round begins by exchanging lanes between registers at each position,
//! which the sums of columns do not see and which is done while they are computed. Scales of positions repeat after six rounds.

use super::{FIRST, LAST, RATE, ROUND, Word};
use core::arch::x86_64::*;

/// The state: registers whose lanes 5 to 7 mean nothing.
type Registers = [__m512i; 5];

/// Eight lanes in memory.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes([u64; 8]);

/// What a round does to the registers.
#[derive(Clone, Copy)]
struct Stage {
    /// Lane (x, y) is in register `x.0 * x + x.1 * y` when theta is added,
    register: (usize, usize),
    /// at position `column * x`, and when chi is done at `row * y`.
    column: usize,
    row: usize,
}

impl Stage {
    const fn new(register: (usize, usize), column: usize, row: usize) -> Stage {
        Stage { register, column, row }
    }

    /// How far the positions of register 1 turn for pi.
    const fn pi(self) -> usize {
        3 * self.row * inverse(self.register.1) % 5
    }

    /// How far they turn for the next theta, where positions are multiples of `column`.
    const fn turn(self, column: usize) -> usize {
        column * inverse(self.next()) % 5
    }

    /// The register of the next lane of a row, from that of a lane, when chi is done.
    const fn next(self) -> usize {
        (self.register.0 + self.register.1) % 5
    }
}

const STAGES: [Stage; 6] = [
    Stage::new((2, 1), 1, 1),
    Stage::new((3, 1), 2, 4),
    Stage::new((4, 4), 1, 4),
    Stage::new((2, 1), 4, 4),
    Stage::new((3, 1), 3, 1),
    Stage::new((4, 4), 4, 1),
];

/// Registers where the first and the fourth stage find the lanes, before they are exchanged.
const ENTRY: (usize, usize) = (3, 2);

/// By how many bits rho rotates lane (x, y), at `[y][x]`.
const RHO: [[u64; 5]; 5] = [[0, 1, 62, 28, 27], [36, 44, 6, 55, 20], [3, 10, 43, 25, 39], [41, 45, 15, 21, 8], [18, 2, 61, 56, 14]];

/// One divided by `n`, modulo five.
const fn inverse(n: usize) -> usize {
    n * n * n % 5
}

/// Which lane (x, y) is in `register` at position `at` of a layout.
const fn lane(layout: (usize, usize), column: usize, register: usize, at: usize) -> (usize, usize) {
    let x = at * inverse(column) % 5;
    (x, (register + 25 - layout.0 * x) * inverse(layout.1) % 5)
}

/// Indices that turn positions by so many.
static TURNS: [Lanes; 5] = {
    let mut turns = [Lanes([0; 8]); 5];
    let mut i = 0;
    while i < 25 {
        turns[i / 5].0[i % 5] = ((i % 5 + 5 - i / 5) % 5) as u64;
        i += 1;
    }
    turns
};

/// What rho rotates by, for each stage and register.
static ROTATIONS: [[Lanes; 5]; 6] = {
    let mut rotations = [[Lanes([0; 8]); 5]; 6];
    let mut i = 0;
    while i < 6 * 25 {
        let (stage, register, at) = (i / 25, i / 5 % 5, i % 5);
        let (x, y) = lane(STAGES[stage].register, STAGES[stage].column, register, at);
        rotations[stage][register].0[at] = RHO[y][x];
        i += 1;
    }
    rotations
};

/// Where lanes of the input go.
struct Places {
    /// Which lane of two registers comes to each position, or what is there else.
    indices: [Lanes; 5],
    /// The positions to which a lane comes.
    masks: [u8; 5],
}

impl Places {
    /// For the first `count` lanes, in two registers of which the first has `split`; `padded`: with the padding of a single block that ends there.
    const fn new(count: usize, split: usize, padded: bool) -> Places {
        let mut places = Places { indices: [Lanes([0; 8]); 5], masks: [0; 5] };
        let mut i = 0;
        while i < 25 {
            let (register, at) = (i / 5, i % 5);
            let (x, y) = lane(ENTRY, STAGES[0].column, register, at);
            let lane = x + 5 * y;
            places.indices[register].0[at] = if lane < count {
                places.masks[register] |= 1 << at;
                (lane % split + 8 * (lane / split)) as u64
            } else if padded && lane == count {
                FIRST
            } else if padded && lane == super::RATE_LANES - 1 {
                LAST
            } else {
                0
            };
            i += 1;
        }
        places
    }
}

/// The first 16 lanes of a block.
static BLOCK: Places = Places::new(16, 8, false);
/// Single blocks of four and of eight lanes.
static FOUR: Places = Places::new(4, 4, true);
static EIGHT: Places = Places::new(8, 4, true);

/// As [`super::hash`]. Rounds are called from one place, so that they become part of it and the state stays in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn hash(mut input: &[u8]) -> Word {
    let mut ends = input.len() == 32 || input.len() == 64;
    let mut state = [_mm512_setzero_si512(); 5];
    if ends {
        let (quads, _) = input.as_chunks::<32>();
        let places = if quads.len() == 1 { &FOUR } else { &EIGHT };
        add(&mut state, places, quad(&quads[0]), quad(&quads[quads.len() - 1]));
    }
    loop {
        if !ends {
            let (block, rest) = input.split_at(input.len().min(RATE));
            (ends, input) = (block.len() < RATE, rest);
            add(&mut state, &BLOCK, load(block, 0), load(block, 64));
            // What follows a whole block is nowhere looked at.
            let last = _mm512_castsi512_si128(load(block, 128));
            let last = _mm_xor_si128(last, _mm_cvtsi64_si128(if ends { LAST as i64 } else { 0 }));
            const { assert!(matches!(lane(ENTRY, STAGES[0].column, 4, 1), (1, 3))) };
            state[4] = _mm512_xor_si512(state[4], _mm512_maskz_broadcastq_epi64(1 << 1, last));
        }
        let mut done = 0;
        let rows = loop {
            let constants = &ROUND.as_chunks::<6>().0[done];
            let rows = round::<0>(state, constants[0]);
            let rows = round::<1>(turn::<0>(rows), constants[1]);
            let rows = round::<2>(turn::<1>(rows), constants[2]);
            let rows = round::<3>(turn::<2>(rows), constants[3]);
            let rows = round::<4>(turn::<3>(rows), constants[4]);
            let rows = round::<5>(turn::<4>(rows), constants[5]);
            done += 1;
            if done == 4 {
                break rows;
            }
            state = turn::<5>(rows);
        };
        if ends {
            return digest(rows);
        }
        state = turn::<5>(rows);
    }
}

/// The 64 bytes of a block from `at` on; what is not there is the first bit of the padding and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load(block: &[u8], at: usize) -> __m512i {
    let bytes = block.len().saturating_sub(at).min(64) as u32;
    let end = block.len().wrapping_sub(at).min(64) as u32;
    // SAFETY: bytes that the mask has not are not read, and it has those that there are.
    let bytes = unsafe { _mm512_maskz_loadu_epi8(u64::MAX.unbounded_shr(64 - bytes), block.as_ptr().wrapping_add(at).cast()) };
    _mm512_mask_mov_epi8(bytes, 1_u64.unbounded_shl(end), _mm512_set1_epi8(FIRST as i8))
}

/// Four lanes that may just have been stored, by eight bytes: one larger load would have to wait until they are in the cache.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn quad(lanes: &[u8; 32]) -> __m512i {
    let (low, high): (__m128i, __m128i);
    // SAFETY: reads the four lanes.
    unsafe {
        core::arch::asm!(
            "vmovq {low}, qword ptr [{lanes}]",
            "vmovq {high}, qword ptr [{lanes} + 16]",
            "vmovhps {low}, {low}, qword ptr [{lanes} + 8]",
            "vmovhps {high}, {high}, qword ptr [{lanes} + 24]",
            lanes = in(reg) lanes,
            low = out(xmm_reg) low,
            high = out(xmm_reg) high,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    _mm512_castsi256_si512(_mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high))
}

/// Adds the lanes of two registers where the first stage finds them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn add(state: &mut Registers, places: &Places, low: __m512i, high: __m512i) {
    for (i, register) in state.iter_mut().enumerate() {
        let lanes = _mm512_mask2_permutex2var_epi64(low, fetch(&places.indices[i]), places.masks[i], high);
        *register = _mm512_xor_si512(*register, lanes);
    }
}

/// One round, to where the rows are when chi is done.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn round<const STAGE: usize>(mut a: Registers, constant: u64) -> Registers {
    let stage = const { STAGES[STAGE] };
    let parity = xor(xor(a[0], a[1], a[2]), a[3], a[4]);
    let left = turned(parity, stage.column);
    let right = turned(_mm512_rol_epi64::<1>(parity), 4 * stage.column);
    if STAGE.is_multiple_of(3) {
        a = exchange::<STAGE>(a);
    }
    for i in 0..5 {
        let rotated = _mm512_rolv_epi64(xor(a[i], left, right), fetch(&ROTATIONS[STAGE][i]));
        a[i] = turned(rotated, stage.pi() * i);
    }
    let mut e = a;
    for i in 0..5 {
        // a ^ (!b & c)
        e[i] = _mm512_ternarylogic_epi64::<0xd2>(a[i], a[(i + stage.next()) % 5], a[(i + 2 * stage.next()) % 5]);
    }
    e[0] = _mm512_mask_xor_epi64(e[0], 1, e[0], _mm512_set1_epi64(constant as i64));
    e
}

/// From where the rows are after chi to where the next round's columns are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn turn<const STAGE: usize>(rows: Registers) -> Registers {
    let by = const { STAGES[STAGE].turn(STAGES[(STAGE + 1) % 6].column) };
    let mut columns = rows;
    for i in 1..5 {
        columns[i] = turned(rows[i], by * i);
    }
    columns
}

/// What is in register `3 x + 2 y` comes to `2 x + y`: register i has what was in `2 i - x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn exchange<const STAGE: usize>(a: Registers) -> Registers {
    let (mut odd, mut four, mut all) = (a, a, a);
    for i in 0..5 {
        odd[i] = _mm512_mask_blend_epi64(const { at(STAGE, &[1, 3]) }, a[i], a[(i + 4) % 5]);
    }
    for i in 0..5 {
        four[i] = _mm512_mask_blend_epi64(const { at(STAGE, &[4]) }, odd[i], a[(i + 1) % 5]);
    }
    for i in 0..5 {
        all[i] = _mm512_mask_blend_epi64(const { at(STAGE, &[2, 3]) }, four[2 * i % 5], odd[(2 * i + 3) % 5]);
    }
    all
}

/// The positions of columns, as a mask.
const fn at(stage: usize, columns: &[usize]) -> u8 {
    let (mut mask, mut i) = (0, 0);
    while i < columns.len() {
        mask |= 1 << (STAGES[stage].column * columns[i] % 5);
        i += 1;
    }
    mask
}

/// The digest in the first four lanes of the plane, which are in position 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn digest(rows: Registers) -> Word {
    let lane = |x: usize| _mm512_castsi512_si128(rows[x * const { STAGES[5].next() } % 5]);
    let (high, low) = (_mm_unpacklo_epi64(lane(3), lane(2)), _mm_unpacklo_epi64(lane(1), lane(0)));
    let words = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(high), low);
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607));
    let mut digest = [0; 4];
    // SAFETY: it has 32 bytes.
    unsafe { _mm256_storeu_si256(digest.as_mut_ptr().cast(), _mm256_shuffle_epi8(words, swap)) };
    digest
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

/// What is at position p comes to p + `by`.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(register: __m512i, by: usize) -> __m512i {
    if by.is_multiple_of(5) { register } else { _mm512_permutexvar_epi64(fetch(&TURNS[by % 5]), register) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn fetch(lanes: &Lanes) -> __m512i {
    // SAFETY: it has 64 bytes and begins where their number divides the address.
    unsafe { _mm512_load_si512(core::ptr::from_ref(lanes).cast()) }
}
