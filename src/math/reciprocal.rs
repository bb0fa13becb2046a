//! A divisor prepared for division by multiplication (Barrett, "Implementing the RSA algorithm on a standard digital signal processor",
//! 1986): its reciprocal has one limb more than itself, so that a quotient is wrong only where the fraction computed with it says so.
//!
//! Let `B` be the base, `W` the width of a word of four limbs, `d` the divisor, of `n` bits, `s = W - n`, `e = d << s`, whose highest bit is set, and
//! `V = floor((B^9 - 1) / e) - B^5`. [`Reciprocal::estimate`] computes `u * (B^5 + V) / B^6`, about `u * B^3 / e`, for `u` of five limbs. Its unit is the last place
//! of the fraction, `1 / B`. What it leaves out of the product are the low halves at index 4 (five, less than one unit each), the products at index
//! 3 (four, likewise) and those below (together less than one unit for `B` of 8 bits and more); what `V` lacks is less than one unit, and
//! where `u` stands for a number cut off after its five highest limbs, that is less than two. So the sum is less than [`ERROR`] units too small.

use super::divide::reciprocal_of_word;
use super::limb::Limb;
use super::product::{Products, add, add_carrying, bits, less, seldom_below, select, shl, shr, sub};
use super::solinas;
use core::mem::offset_of;
use core::ptr;

/// Bound on the error of an estimate, in units of its fraction.
const ERROR: u8 = 13;

/// The same for [`Reciprocal::multiply_upper`].
pub(super) const ERROR_OF_UPPER: u8 = 49;

/// How products are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Form {
    /// `d` is a power of two: by a mask.
    Power,
    /// `d` is `B^4 - 1`: by adding the halves.
    Ones,
    /// `s` is at most 1, and `d` is `2^n - c` with `c` of one limb less three bits (pseudo-Mersenne numbers): modulo `d`, `2^n` is `c`.
    Fold,
    /// `d` is [`solinas::modulus`]: by sums of half limbs.
    Solinas,
    /// `s` is 0: by estimating the quotient of the product's upper limbs while the lower ones are multiplied.
    NoBitSpare,
    /// `s` is 1: likewise.
    OneBitSpare,
    /// `s` is 2: likewise.
    TwoBitsSpare,
    /// `s` is at most half a limb: by estimating the quotient of the product.
    Large,
    /// Any other: by estimating the quotient of the product times `2^s`.
    General,
}

/// A divisor other than 0, and what dividing by it takes. Of limbs of 64 bits, [`Reciprocal::to_limbs`] is what it is in memory.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Reciprocal<L> {
    /// `V`
    pub(super) inverse: [L; 5],
    /// `d`
    pub(super) divisor: [L; 4],
    /// `-d`, modulo `B^4`
    pub(super) minus_divisor: [L; 4],
    /// `-e`, modulo `B^4`
    minus_shifted: [L; 4],
    /// `(B^5 + V) / 2`, rounded down
    pub(super) half: [L; 5],
    /// `s`
    shift: u64,
    pub(super) form: Form,
}

const _: () = assert!(
    offset_of!(Reciprocal<u64>, divisor) == 5 * 8
        && offset_of!(Reciprocal<u64>, minus_divisor) == 9 * 8
        && offset_of!(Reciprocal<u64>, minus_shifted) == 13 * 8
        && offset_of!(Reciprocal<u64>, half) == 17 * 8
        && offset_of!(Reciprocal<u64>, shift) == 22 * 8
        && offset_of!(Reciprocal<u64>, form) == 23 * 8
        && size_of::<Reciprocal<u64>>() == Reciprocal::LIMBS * 8
);

impl Reciprocal<u64> {
    /// Limbs that say all of it.
    pub(crate) const LIMBS: usize = 24;

    /// It as limbs.
    pub(crate) fn to_limbs(self) -> [u64; Self::LIMBS] {
        let ([v0, v1, v2, v3, v4], [d0, d1, d2, d3]) = (self.inverse, self.divisor);
        let ([m0, m1, m2, m3], [e0, e1, e2, e3], [h0, h1, h2, h3, h4]) = (self.minus_divisor, self.minus_shifted, self.half);
        let shift = self.shift;
        [v0, v1, v2, v3, v4, d0, d1, d2, d3, m0, m1, m2, m3, e0, e1, e2, e3, h0, h1, h2, h3, h4, shift, self.form as u64]
    }
}

impl<L: Limb> Reciprocal<L> {
    /// Prepares `divisor`, which is not 0.
    #[inline(never)]
    pub(crate) fn new(divisor: &[L; 4]) -> Self {
        let shift = 4 * L::BITS - bits(divisor);
        let shifted = shl(divisor, shift);
        let [minus_divisor, minus_shifted] = [*divisor, shifted].map(|number| sub(&[L::ZERO; 4], &number).0);
        let below = sub(divisor, &[L::ONE, L::ZERO, L::ZERO, L::ZERO]).0;
        let form = if *divisor == [L::MAX; 4] {
            Form::Ones
        } else if divisor.iter().zip(below).all(|(&d, below)| d.and(below) == L::ZERO) {
            Form::Power
        } else if shift <= 1 && minus_shifted[1..] == [L::ZERO; 3] && minus_shifted[0].leading_zeros() > 2 {
            Form::Fold
        } else if *divisor == solinas::modulus() {
            Form::Solinas
        } else {
            match shift {
                0 => Form::NoBitSpare,
                1 => Form::OneBitSpare,
                2 => Form::TwoBitsSpare,
                _ if shift <= L::BITS / 2 => Form::Large,
                _ => Form::General,
            }
        };
        let inverse = reciprocal_of_word(&shifted);
        let [v0, v1, v2, v3, v4] = inverse;
        let half = [(v1, v0), (v2, v1), (v3, v2), (v4, v3), (L::ONE, v4)].map(|(high, low)| high.funnel_right(low, 1));
        Reciprocal { inverse, divisor: *divisor, minus_divisor, minus_shifted, half, shift: shift.into(), form }
    }

    /// `a / d`
    ///
    /// The estimate `a * 2^n / d` is never too small and less than 1 too large, and the true value is at least `2^n / d > 1` below the next multiple
    /// of `2^n`, so its quotient by `2^n` is exact (the argument of Granlund and Montgomery, "Division by invariant integers using
    /// multiplication", 1994).
    #[inline(always)]
    pub(crate) fn quotient(&self, a: &[L; 4], by: impl Products<L>) -> [L; 4] {
        let [l0, l1, l2, l3] = *a;
        let u = [L::ZERO, l0, l1, l2, l3];
        let (sum, carried) = add(&by.high(u, &self.inverse), &u);
        let ([_, q0, q1, q2, q3], carried_too) = add(&sum, &[L::from_u8(ERROR), L::ZERO, L::ZERO, L::ZERO, L::ZERO]);
        let high = if carried | carried_too { L::ONE } else { L::ZERO };
        shr(high, &[q0, q1, q2, q3], 4 * L::BITS - self.shift())
    }

    /// `a mod d`
    #[inline(always)]
    pub(crate) fn remainder(&self, a: &[L; 4], by: impl Products<L>) -> [L; 4] {
        match self.form {
            Form::Power => self.masked(a),
            _ => by.add_low(*a, self.quotient(a, by), &self.minus_divisor),
        }
    }

    /// `a * b mod d`
    #[inline(always)]
    pub(crate) fn multiply(&self, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 4] {
        self.multiply_as(self.form, a, b, by)
    }

    /// [`Reciprocal::multiply`], `form` being `d`'s.
    #[inline(always)]
    pub(super) fn multiply_as(&self, form: Form, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 4] {
        match form {
            Form::Power => self.masked(&by.add_low([L::ZERO; 4], *a, b)),
            Form::Ones => sum_of_halves(product(a, b, by)),
            Form::Fold if self.shift == 0 => self.fold(product(a, b, by), by, |fifth, _| fifth),
            Form::Fold => self.fold(product(a, b, by), by, |fifth, fourth| by.funnel::<1>(fifth, fourth)),
            Form::Solinas => solinas::reduce(product(a, b, by)),
            Form::NoBitSpare => self.multiply_upper::<0>(a, b, by),
            Form::OneBitSpare => self.multiply_upper::<1>(a, b, by),
            Form::TwoBitsSpare => self.multiply_upper::<2>(a, b, by),
            Form::Large => self.reduce_any(&product(a, b, by), by),
            Form::General => {
                if a[2].or(a[3]).or(b[2]).or(b[3]) == L::ZERO {
                    return self.remainder(&by.add_low([L::ZERO; 4], *a, b), by);
                }
                // Two factors whose product is that of `a` and `b` modulo `d`, one of them less than `d`: times `2^s`, the product's upper half is less than `e`.
                // (References: words that are copied are copied by wide loads, which wait for the limbs that were stored.)
                let rest;
                let (a, b) = if less(b, &self.divisor) {
                    (a, b)
                } else if less(a, &self.divisor) {
                    (b, a)
                } else {
                    rest = self.remainder(b, by);
                    (a, &rest)
                };
                shr(L::ZERO, &self.reduce_shifted(&by.full(a, &shl(b, self.shift())), by), self.shift())
            }
        }
    }

    /// `s`
    #[inline(always)]
    fn shift(&self) -> u32 {
        self.shift as u32
    }

    /// `a mod d` where `d` is a power of two.
    #[inline(always)]
    fn masked(&self, a: &[L; 4]) -> [L; 4] {
        let mask = sub(&self.divisor, &[L::ONE, L::ZERO, L::ZERO, L::ZERO]).0;
        [a[0].and(mask[0]), a[1].and(mask[1]), a[2].and(mask[2]), a[3].and(mask[3])]
    }

    /// `t mod d`, where `d` is `2^n - c`, and `above` what of the fifth and fourth digits is above `2^n`.
    ///
    /// `low + high * 2^s * c` has at most `2^s * c` in its fifth limb. What is above `2^n` there, less than `2^(2 s) * 2 c`, times `c` added to the rest comes to
    /// less than `2^n + d`, and is seldom as much as `d`.
    #[inline(always)]
    fn fold(&self, t: [L; 8], by: impl Products<L>, above: impl Fn(L, L) -> L) -> [L; 4] {
        let (low, high) = halves(t);
        let ([r0, r1, r2, r3], fifth) = by.add_multiple(low, high, self.minus_shifted[0]);
        let rest = [r0, r1, r2, r3.and(L::ZERO.funnel_right(L::MAX, self.shift()))];
        let (first, second) = above(fifth, r3).mul_add(self.minus_divisor[0], L::ZERO, L::ZERO);
        let (rest, carried) = add(&rest, &[first, second, L::ZERO, L::ZERO]);
        seldom_below(carried, &rest, &self.divisor)
    }

    /// `a * b mod d` where `BY` is `s`.
    ///
    /// The quotient is estimated by the upper limbs `u` of `a * b * 2^s`, and is twice their product with `(B^5 + V) / 2`: that has five limbs, where `B^5 + V` has a bit more.
    /// What of `u` is above five limbs, as only factors that are not reduced bring about, adds as many `B^5 + V`. Bits of the quotient above its fourth limb do not count.
    /// As the lower columns of the product are not needed for that, a machine may multiply them when it has to wait anyway.
    ///
    /// In units of the fraction before it is doubled, what this leaves out is: the products at index 4 and below, less than 10 (as above); what the reciprocal lacks,
    /// less than 1; of `a * b`, the products of limbs 0 and 0, 0 and 1, 1 and 0, less than `2 B^3` together, and the limbs below the fourth, less than `B^3`: times `2^s`, less
    /// than 12 units. The sum is less than 23 units; doubled, with what up to three times `V` lacks, less than [`ERROR_OF_UPPER`].
    #[inline(always)]
    fn multiply_upper<const BY: u32>(&self, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 4] {
        let mut t = [L::ZERO; 8];
        for i in 0..4 {
            let mut carry = L::ZERO;
            for j in 2_usize.saturating_sub(i)..4 {
                (t[i + j], carry) = a[i].mul_add(b[j], t[i + j], carry);
            }
            t[i + 4] = carry;
        }
        let limb = |i: usize| by.funnel::<BY>(t[i], t[i - 1]);
        let u = [t[3].funnel_left(L::ZERO, BY), limb(4), limb(5), limb(6), limb(7)];
        let half = by.high(u, &self.half);
        let mut quotient = add(&half, &half).0;
        let mut above = L::ZERO.funnel_left(t[7], BY);
        while above != L::ZERO {
            quotient = add(&quotient, &self.inverse).0;
            above = above.sub(L::ONE);
        }
        let [fraction, q0, q1, q2, q3] = quotient;
        let (t0, above) = a[0].mul_add(b[0], L::ZERO, L::ZERO);
        let (t1, above) = a[0].mul_add(b[1], above, L::ZERO);
        let (t1, above_too) = a[1].mul_add(b[0], t1, L::ZERO);
        let (t2, carried) = t[2].add_carry(above, false);
        let (t2, carried_too) = t2.add_carry(above_too, false);
        let t3 = t[3].add_carry(L::ZERO, carried).0.add_carry(L::ZERO, carried_too).0;
        let rest = by.add_low([t0, t1, t2, t3], [q0, q1, q2, q3], &self.minus_divisor);
        corrected(rest, &self.divisor, fraction, L::from_u8(ERROR_OF_UPPER))
    }

    /// `t mod d`, for `s` of at most half a limb.
    ///
    /// The estimate is of `t / e`, so its quotient and fraction times `2^s` are those of `t / d`, and so is the error. The quotient times `2^s` times `d`
    /// is the quotient times `e`, and `d` times the bits that come up from the fraction.
    #[inline(always)]
    fn reduce_any(&self, t: &[L; 8], by: impl Products<L>) -> [L; 4] {
        let (quotient, fraction) = self.estimate([t[3], t[4], t[5], t[6], t[7]], by);
        let bits = L::ZERO.funnel_left(fraction, self.shift());
        let rest = by.add_multiple([t[0], t[1], t[2], t[3]], self.minus_divisor, bits).0;
        let rest = by.add_low(rest, quotient, &self.minus_shifted);
        let [fraction, error] = [fraction, L::from_u8(ERROR)].map(|limb| limb.funnel_left(L::ZERO, self.shift()));
        corrected(rest, &self.divisor, fraction, error)
    }

    /// `t mod e`, the upper half of `t` being less than `e`.
    #[inline(always)]
    fn reduce_shifted(&self, t: &[L; 8], by: impl Products<L>) -> [L; 4] {
        let (quotient, fraction) = self.estimate([t[3], t[4], t[5], t[6], t[7]], by);
        let rest = by.add_low([t[0], t[1], t[2], t[3]], quotient, &self.minus_shifted);
        corrected(rest, &shl(&self.divisor, self.shift()), fraction, L::from_u8(ERROR))
    }

    /// `u * B^3 / e`, too small by less than the error stated above: four limbs of the integer part, and the fraction.
    #[inline(always)]
    fn estimate(&self, u: [L; 5], by: impl Products<L>) -> ([L; 4], L) {
        let [fraction, q0, q1, q2, q3] = add(&by.high(u, &self.inverse), &u).0;
        ([q0, q1, q2, q3], fraction)
    }
}

/// A remainder of `d`, or one more `d` if the quotient was one too small, as it can only be where `fraction` is within `error` of 1.
///
/// Then the true quotient is within the error of the next integer, so `rest` is within `error * B^3`, less than `B^4 / 4`, of `d`, and the highest
/// bit of the difference is its sign.
#[inline(always)]
fn corrected<L: Limb>(rest: [L; 4], d: &[L; 4], fraction: L, error: L) -> [L; 4] {
    if fraction.not() < error {
        let less = sub(&rest, d).0;
        return select(less[3].leading_zeros() > 0, &less, &rest);
    }
    rest
}

/// `a * b`; of the same word, given twice, the square.
#[inline(always)]
fn product<L: Limb>(a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 8] {
    if ptr::eq(a, b) { by.square(a) } else { by.full(a, b) }
}

/// `t mod (B^4 - 1)`: `B^4` is 1, so the upper half is added to the lower, and what that carries, which cannot carry again.
#[inline(always)]
fn sum_of_halves<L: Limb>(t: [L; 8]) -> [L; 4] {
    let (low, high) = halves(t);
    let (sum, carried) = add(&low, &high);
    let sum = add_carrying(&sum, &[L::ZERO; 4], carried).0;
    if sum[0].and(sum[1]).and(sum[2]).and(sum[3]) == L::MAX { [L::ZERO; 4] } else { sum }
}

#[inline(always)]
fn halves<L: Limb>(t: [L; 8]) -> ([L; 4], [L; 4]) {
    ([t[0], t[1], t[2], t[3]], [t[4], t[5], t[6], t[7]])
}
