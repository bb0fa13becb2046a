//! Division of a limb by a constant as a multiplication: Granlund and Montgomery, "Division by invariant integers using multiplication" (1994), section 4.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::tests::Random;

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
}
