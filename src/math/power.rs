//! EXP: powers of words modulo `2^256`.

use super::product::{add, low, shl, shr, square, sub};

type Word = [u64; 4];

const ONE: Word = [1, 0, 0, 0];

/// Exponent bits that are worked off one by one: the rest is a binomial series.
const BITS: u32 = 30;

/// The series' coefficients: how far the `i`th factor is shifted, and the inverse of what is odd in `i + 1`, modulo `2^256`.
const SERIES: [(u32, Word); 7] = {
    const fn inverse(odd: u64) -> Word {
        // `2^256 k + 1` is divisible by `odd` for some `k` less than it: then the quotient is the inverse.
        let mut k = 0;
        loop {
            let (mut quotient, mut rest, mut i) = ([0; 4], k, 4);
            while i > 0 {
                i -= 1;
                let digit = rest << 64 | (i == 0) as u128;
                (quotient[i], rest) = ((digit / odd as u128) as u64, digit % odd as u128);
            }
            if rest == 0 {
                return quotient;
            }
            k += 1;
        }
    }
    let mut series = [(0, ONE); 7];
    let mut i = 0;
    while i < 7 {
        let twos = (i as u64 + 1).trailing_zeros();
        series[i] = (twos, inverse((i as u64 + 1) >> twos));
        i += 1;
    }
    series
};

/// Powers of ten that fit a word.
const TENS: [Word; 78] = {
    let mut powers = [ONE; 78];
    let mut i = 1;
    while i < 78 {
        let (mut limb, mut carry) = (0, 0);
        while limb < 4 {
            let product = powers[i - 1][limb] as u128 * 10 + carry;
            (powers[i][limb], carry) = (product as u64, product >> 64);
            limb += 1;
        }
        i += 1;
    }
    powers
};

/// `base ^ exponent` modulo `2^256`.
pub(crate) fn power(base: &Word, exponent: &Word) -> Word {
    if base[0] & 1 == 1 {
        return power_of_odd(base, exponent);
    }
    // An even base has a factor of `2^exponent`.
    if exponent[1] | exponent[2] | exponent[3] != 0 || exponent[0] >= 256 {
        return [0; 4];
    }
    let exponent = exponent[0] as u32;
    if *base == [10, 0, 0, 0] && (exponent as usize) < TENS.len() {
        return TENS[exponent as usize];
    }
    if base[1] | base[2] | base[3] == 0 && base[0].is_power_of_two() {
        let by = base[0].trailing_zeros() * exponent;
        return if by < 256 { shl(&ONE, by) } else { [0; 4] };
    }
    power_by_bits(base, exponent.into()).0
}

/// Odd numbers `a` form a group under multiplication in which `a^(2^k) = 1` modulo `2^(k + 2)` for `k >= 1` (each square of `1 + 2^k x` is
/// `1 + 2^(k + 1) (...)`, and the first of an odd number is 1 modulo 8). So `base^(2^30)` is `1 + y` with `y` divisible by `2^32`.
fn power_of_odd(base: &Word, exponent: &Word) -> Word {
    let high = shr(0, exponent, BITS);
    if high == [0; 4] {
        return power_by_bits(base, exponent[0]).0;
    }
    // One more bit, so that the squares go on to it; what it multiplies is taken off the rest.
    let (power, next) = power_by_bits(base, exponent[0] & ((1 << BITS) - 1) | 1 << BITS);
    low(&power, &power_of_near_one(&next, &sub(&high, &ONE).0))
}

/// `(1 + y)^e`, where `base` is `1 + y` and `y` is divisible by `2^32`: the binomial theorem,
/// `1 + y e (1 + (y/2) (e - 1) (1 + (y/3) (e - 2) (...)))` up to `y^7`, as `y^8` is 0. Shifting `y` loses its highest bits only, which the outer
/// `y` shifts out.
fn power_of_near_one(base: &Word, e: &Word) -> Word {
    let y = sub(base, &ONE).0;
    let mut series = ONE;
    for (i, (twos, inverse)) in SERIES.iter().enumerate().rev() {
        let factor = low(&low(&shr(0, &y, *twos), inverse), &sub(e, &[i as u64, 0, 0, 0]).0);
        series = add(&ONE, &low(&factor, &series)).0;
    }
    series
}

/// `base ^ exponent`, and `base ^ (2^n)` for the highest bit `n` of the exponent.
#[inline(always)]
fn power_by_bits(base: &Word, mut exponent: u64) -> (Word, Word) {
    let (mut result, mut power) = (ONE, *base);
    loop {
        // Which bits are set cannot be predicted; a product costs less than a wrong guess.
        let set = (exponent & 1).wrapping_neg();
        let factor = [power[0] & set | !set & 1, power[1] & set, power[2] & set, power[3] & set];
        result = low(&result, &factor);
        exponent >>= 1;
        if exponent == 0 {
            return (result, power);
        }
        power = square(&power);
    }
}
