//! Division by a constant as a multiplication, of a limb: Granlund and Montgomery, "Division by invariant integers using multiplication" (1994), section 4; of a
//! word: Robison, "N-bit unsigned division via N-bit multiply-add" (2005).

use super::divide::reciprocal_of_word;
use super::limb::Limb;
use super::product::{add, bits, low, shl, shr, sub};

/// How to divide numbers by a constant without dividing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multiplier {
    /// The high half of `(x >> before) * factor`, shifted right by `after`.
    High {
        /// Shift of the dividend.
        before: u8,
        /// By what it is multiplied.
        factor: u64,
        /// Shift of the product's high half.
        after: u8,
    },
    /// With the high half `t` of `x * factor`, `((x - t) / 2 + t) >> after`: the factor has a bit too many, `2^64`.
    Carry {
        /// The factor's other bits.
        factor: u64,
        /// Shift of the sum.
        after: u8,
    },
}

impl Multiplier {
    /// For numbers of at most `bits` bits, 1 to 64, by `d`, which is neither 0 nor a power of two. None above `2^63`.
    ///
    /// A factor `m = (2^(64 + s) + e) / d` gives `x * m / 2^(64 + s) = x / d + x * e / (d * 2^(64 + s))`, whose integer part is that of `x / d` if the second term is
    /// less than `1 / d`, as it is for all `x` if `e` is at most `2^(64 + s - bits)`. For `s` one less than the width of `d`, the factor has 64 bits and `e` is less
    /// than `2^(s + 1)`: that is enough for 63 bits.
    pub(crate) fn new(d: u64, bits: u16) -> Option<Multiplier> {
        let width = 64 - d.leading_zeros();
        if width == 64 {
            return None;
        }
        for s in 0..width {
            let power = 1u128 << (64 + s);
            let factor = power / u128::from(d) + 1;
            let e = factor * u128::from(d) - power;
            if let Ok(factor) = u64::try_from(factor)
                && e <= 1 << (64 + s - u32::from(bits))
            {
                return Some(Multiplier::High { before: 0, factor, after: s as u8 });
            }
        }
        let even = d.trailing_zeros();
        if even > 0 {
            return match Multiplier::new(d >> even, bits - even as u16)? {
                Multiplier::High { factor, after, .. } => Some(Multiplier::High { before: even as u8, factor, after }),
                carry @ Multiplier::Carry { .. } => Some(carry),
            };
        }
        let factor = (1u128 << (64 + width)) / u128::from(d) + 1;
        Some(Multiplier::Carry { factor: factor as u64, after: width as u8 - 1 })
    }
}

/// How to divide words by a constant: the upper half of the product with `factor`, shifted right by `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WideMultiplier<L> {
    /// As many limbs as the dividend has; zeros above.
    pub(crate) factor: [L; 4],
    /// Whether it is the dividend plus one that is multiplied.
    pub(crate) plus: bool,
    /// Less than the width of a word.
    pub(crate) after: u8,
}

impl<L: Limb> WideMultiplier<L> {
    /// For numbers of `limbs` limbs, 1 to 4, and at most `width` bits, by `d`, which is neither 0 nor a power of two, and has no more limbs.
    ///
    /// With `s` one less than the width of `d`, and `K = limbs * BITS + s`, let `m = floor(2^K / d)` and `e = 2^K - m d`. If `d - e` is at most `2^(K - width)`, `m + 1` is the
    /// factor, as for [`Multiplier::new`]. Otherwise `e` is, since both together are `d`, less than `2^(s + 1)`, and the factor is `m` for `x + 1`: then `(x + 1) m / 2^K` is
    /// `(x + 1) / d` less `(x + 1) e / (d 2^K)`, which is more than 0 and at most `1 / d`. So it is not below `x / d` and below `(x + 1) / d`, and has the integer part of `x / d`.
    pub(crate) fn new(d: &[L; 4], limbs: usize, width: u32) -> Self {
        let s = bits(d) - 1;
        let shifted = shl(d, 4 * L::BITS - s - 1);
        // `floor((B^9 - 1) / shifted)`, of which the factor is the upper part.
        let [_, v1, v2, v3, v4] = reciprocal_of_word(&shifted);
        let mut factor = shr(L::ONE, &[v1, v2, v3, v4], 1);
        factor.rotate_left(4 - limbs);
        factor[limbs..].fill(L::ZERO);
        let one = [L::ONE, L::ZERO, L::ZERO, L::ZERO];
        let power = if limbs as u32 * L::BITS + s < 4 * L::BITS { shl(&one, limbs as u32 * L::BITS + s) } else { [L::ZERO; 4] };
        let e = sub(&power, &low(&factor, d)).0;
        let above = sub(d, &e).0;
        let plus = width == limbs as u32 * L::BITS && bits(&sub(&above, &one).0) > s;
        if !plus {
            factor = add(&factor, &one).0;
        }
        WideMultiplier { factor, plus, after: s as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::tests::Random;
    use revm_primitives::U256;
    use ruint::aliases::U512;

    fn high(a: u64, b: u64) -> u64 {
        ((u128::from(a) * u128::from(b)) >> 64) as u64
    }

    /// What compiled code does.
    fn quotient(x: u64, by: Multiplier) -> u64 {
        match by {
            Multiplier::High { before, factor, after } => high(x >> before, factor) >> after,
            Multiplier::Carry { factor, after } => {
                let t = high(x, factor);
                ((x - t) / 2 + t) >> after
            }
        }
    }

    #[test]
    fn multiplying_is_dividing() {
        let mut random = Random::new();
        let mut divisors: Vec<u64> = (3..5_000).collect();
        for bit in 2..63 {
            divisors.extend([(1 << bit) - 1, (1 << bit) + 1, (3 << (bit - 1)), (1 << bit) - 2]);
        }
        divisors.extend((0..20_000).map(|_| (random.limb() >> (1 + random.limb() % 61)).max(3)));
        divisors.extend([1_000_000_000_000_000_000, (1 << 63) - 1]);
        let mut carries = 0;
        for d in divisors.into_iter().filter(|d| !d.is_power_of_two()) {
            for bits in [1, 2, 31, 32, 33, 62, 63, 64] {
                let by = Multiplier::new(d, bits).unwrap();
                carries += usize::from(matches!(by, Multiplier::Carry { .. }));
                let largest = u64::MAX >> (64 - bits);
                let multiple = largest / d * d;
                let near = [0, 1, d - 1, d, multiple, multiple.wrapping_sub(1), largest, random.limb(), random.limb() / d * d];
                for x in near.into_iter().filter(|&x| x <= largest) {
                    assert_eq!(quotient(x, by), x / d, "{x:#x} {d:#x} {bits}");
                }
            }
        }
        assert!(carries > 0);
        assert_eq!(Multiplier::new(1 << 63 | 1, 64), None);
    }

    /// What compiled code does, with limbs of eight bits.
    fn small_quotient(x: u64, by: &WideMultiplier<u8>, limbs: usize) -> u64 {
        let factor = u64::from(u32::from_le_bytes(by.factor));
        let product = (u128::from(x) + u128::from(by.plus)) * u128::from(factor);
        ((product >> (8 * limbs)) as u64) >> by.after
    }

    #[test]
    fn multiplying_small_words_is_dividing() {
        let mut random = Random::new();
        let mut forms = [0; 2];
        let mut check = |d: u32, limbs: usize, width: u32, random: &mut Random| {
            let by = WideMultiplier::new(&d.to_le_bytes(), limbs, width);
            forms[usize::from(by.plus)] += 1;
            assert!(by.factor[limbs..].iter().all(|&limb| limb == 0));
            let (d, largest) = (u64::from(d), (1 << width) - 1);
            let multiple = largest / d * d;
            let some = random.limb() & largest;
            for x in [
                0,
                1,
                d - 1,
                d,
                multiple,
                multiple.wrapping_sub(1) & largest,
                largest,
                some,
                some / d * d,
                (some / d * d).wrapping_sub(1) & largest,
            ] {
                if x <= largest {
                    assert_eq!(small_quotient(x, &by, limbs), x / d, "{x:#x} {d:#x} {limbs} {width}");
                }
            }
        };
        for d in (3..1 << 16).filter(|d: &u32| !d.is_power_of_two()) {
            for (limbs, width) in [(2, 16), (2, 15), (3, 24), (3, 20), (4, 32), (4, 31), (4, 25)] {
                if width >= 32 - d.leading_zeros() {
                    check(d, limbs, width, &mut random);
                }
            }
        }
        for _ in 0..300_000 {
            let d = (random.limb() as u32 >> (random.limb() % 15)).max(3);
            if !d.is_power_of_two() {
                check(d, 4, 32, &mut random);
            }
        }
        assert!(forms.iter().all(|&count| count > 10_000), "{forms:?}");
        // All dividends of 16 bits, by all divisors of eight.
        for d in (3..256_u32).filter(|d| !d.is_power_of_two()) {
            let by = WideMultiplier::new(&d.to_le_bytes(), 2, 16);
            for x in 0..1 << 16 {
                assert_eq!(small_quotient(x, &by, 2), x / u64::from(d), "{x:#x} {d:#x}");
            }
        }
    }

    #[test]
    fn multiplying_words_is_dividing() {
        let mut random = Random::new();
        for _ in 0..100_000 {
            let d = U256::from_limbs(random.word());
            let x = U256::from_limbs(random.word());
            if d.count_ones() < 2 {
                continue;
            }
            for limbs in 2..=4_usize {
                let mask = U256::MAX >> (256 - 64 * limbs);
                if d > mask {
                    continue;
                }
                let x = x & mask;
                let near = (x / d * d).min(mask);
                for width in [64 * limbs, x.bit_len().max(d.bit_len())] {
                    let by = WideMultiplier::new(d.as_limbs(), limbs, width as u32);
                    for x in [x, near, near.saturating_sub(U256::ONE), mask] {
                        if x.bit_len() <= width {
                            let product = (U512::from(x) + U512::from(by.plus as u8)) * U512::from(U256::from_limbs(by.factor));
                            let quotient: U512 = product >> (64 * limbs + usize::from(by.after));
                            assert_eq!(quotient, U512::from(x / d), "{x:#x} {d:#x} {limbs} {width}");
                        }
                    }
                }
            }
        }
    }
}
