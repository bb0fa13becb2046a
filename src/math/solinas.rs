//! Products modulo the prime of P-256, `2^256 - 2^224 + 2^192 + 2^96 - 1`: Solinas, "Generalized Mersenne numbers" (1999); FIPS 186-4, D.2.3. Its terms are
//! powers of `b = 2^32`, half a limb, so what is above `b^8` counts as sums and differences of half limbs. That is so for any `b`.

use super::limb::Limb;
use super::product::{add, seldom_below, sub};

/// `b^8 - b^7 + b^6 + b^3 - 1`
pub(super) fn modulus<L: Limb>() -> [L; 4] {
    let half = L::BITS / 2;
    [L::MAX, L::ZERO.funnel_right(L::MAX, half), L::ZERO, L::MAX.funnel_left(L::ZERO, half).or(L::ONE)]
}

/// `t` modulo [`modulus`].
///
/// The places of the sum are less than `8 b` in magnitude. Their carry `k` out of the highest, estimated by the highest two places, is `b^8`, that is
/// `b^7 - b^6 - b^3 + 1`, so often. It is right or one off, and what is left is in the word or just outside: as seldom as a place is at its end.
#[inline(always)]
pub(super) fn reduce<L: Limb>(t: [L; 8]) -> [L; 4] {
    let half = L::BITS / 2;
    let [c0, c1] = t[0].halves();
    let [c2, c3] = t[1].halves();
    let [c4, c5] = t[2].halves();
    let [c6, c7] = t[3].halves();
    let [c8, c9] = t[4].halves();
    let [c10, c11] = t[5].halves();
    let [c12, c13] = t[6].halves();
    let [c14, c15] = t[7].halves();
    let v6 = c6 + 2 * (c14 + c15) + (c13 + c14) - (c8 + c9);
    let v7 = c7 + 3 * c15 + c8 - (c10 + c11) - (c12 + c13);
    let k = (v7 + (v6 >> half)) >> half;
    let x0 = c0 + (c8 + c9) - (c11 + c12) - (c13 + c14) + k;
    let x1 = c1 + (c9 + c10) - (c12 + c13) - (c14 + c15) + (x0 >> half);
    let x2 = c2 + (c10 + c11) - (c13 + c14) - c15 + (x1 >> half);
    let x3 = c3 + 2 * (c11 + c12) + c13 - c15 - (c8 + c9) - k + (x2 >> half);
    let x4 = c4 + 2 * (c12 + c13) + c14 - (c9 + c10) + (x3 >> half);
    let x5 = c5 + 2 * (c13 + c14) + c15 - (c10 + c11) + (x4 >> half);
    let x6 = v6 - k + (x5 >> half);
    let x7 = v7 + k - (k << half) + (x6 >> half);
    let mut rest = [L::from_halves(x0, x1), L::from_halves(x2, x3), L::from_halves(x4, x5), L::from_halves(x6, x7)];
    let modulus = modulus();
    let mut beyond = x7 >> half;
    while beyond != 0 {
        let (next, carried) = if beyond > 0 { sub(&rest, &modulus) } else { add(&rest, &modulus) };
        rest = next;
        beyond -= if carried { beyond.signum() } else { 0 };
    }
    seldom_below(false, &rest, &modulus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::tests::Random;

    /// Sums of 16 places of four bits each: near multiples of the modulus, near powers of two, and any.
    #[test]
    fn small_sums_reduce_exactly() {
        let n = u64::from(u32::from_le_bytes(modulus::<u8>()));
        assert_eq!(n, 0xf100_0fff);
        let check = |t: u64| assert_eq!(u64::from(u32::from_le_bytes(reduce(t.to_le_bytes()))), t % n, "{t:#x}");
        let mut random = Random::new();
        for _ in 0..400_000 {
            let t = random.limb() >> (random.limb() % 64);
            let multiple = t / n * n;
            for near in [t, !t, multiple, multiple.wrapping_sub(1), multiple.wrapping_add(1), t & random.limb() & random.limb()] {
                check(near);
            }
        }
        for high in 0..64 {
            for low in 0..64 {
                for t in [1 << high | 1 << low, (1 << high) - (1 << low.min(high)), !((1 << high) ^ (1 << low))] {
                    check(t);
                }
            }
        }
    }
}
