//! A divisor prepared for division by multiplication (Barrett, "Implementing the RSA algorithm on a standard digital signal processor",
//! 1986): its reciprocal has limbs below those that a quotient needs, so that a quotient is wrong only where the fraction computed with it says so.
//!
//! Let `B` be the base, `d` the divisor, of `N` limbs and not a power of two, and `X = floor(B^9 / d)`, which has `K = 10 - N` limbs. [`Reciprocal::reduce`] computes
//! `t * X / B^9`, about `t / d`, for `t` of eight limbs: `N` limbs of it, which is as many as count where only the rest is wanted, and a fraction of one limb, whose last
//! place, `1 / B`, is the unit of what follows. What it leaves out of the product are the low halves of limbs' products below the fraction (at most `K`, less than
//! one unit each), the products below those (likewise) and what is further down (together less than one unit for `B` of 8 bits and more); what `X`
//! lacks is less than one unit. So the sum is less than [`ERROR`] units too small. Nothing has to be shifted, neither dividend nor quotient nor rest, and operands may
//! have more limbs than `d`.

use super::divide::divide_repeated;
use super::limb::Limb;
use super::product::{Products, add, add_carrying, add_low, add_multiple, bits, len, low, seldom_below, select, shl, sub};
use super::solinas;
use core::mem::offset_of;
use core::ptr;

/// Bound on the error of an estimate, in units of its fraction.
pub(super) const ERROR: u8 = 20;

/// The same for [`Reciprocal::multiply_upper`], before the estimate is shifted.
pub(super) const ERROR_OF_UPPER: u8 = 14;

/// As many zero bits above a divisor as there are: more than those for which there is code of its own.
pub(super) const ANY: u32 = 3;

/// How products are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Form {
    /// `d` is a power of two: by a mask.
    Power,
    /// `d` is `B^4 - 1`: by adding the halves.
    Ones,
    /// `s` is 0, and `d` is `2^n - c` with `c` of one limb less three bits (pseudo-Mersenne numbers): modulo `d`, `2^n` is `c`.
    Fold,
    /// `s` is 1: likewise.
    FoldOneBitSpare,
    /// `d` is [`solinas::modulus`]: by sums of half limbs.
    Solinas,
    /// `s` is 0: by estimating the quotient of the product's upper limbs while the lower ones are multiplied.
    NoBitSpare,
    /// `s` is 1: likewise.
    OneBitSpare,
    /// `s` is 2: likewise.
    TwoBitsSpare,
    /// `s` is small: likewise.
    BitsSpare,
    /// Any other of one limb: by estimating the product's quotient.
    One,
    /// Of two: likewise.
    Two,
    /// Of three: likewise.
    Three,
    /// Of four: likewise.
    Four,
}

/// A divisor other than 0, of `n` bits, with `s` zero bits above them, and what dividing by it takes. Of limbs of 64 bits, [`Reciprocal::to_limbs`] is what it is in memory.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Reciprocal<L> {
    /// `X`
    pub(super) inverse: [L; 9],
    /// `d`
    pub(super) divisor: [L; 4],
    /// `-d`, modulo `B^4`
    pub(super) minus_divisor: [L; 4],
    /// `X / 2^(s + 1)`, rounded down, if `N` is 4 and `s` is small
    pub(super) half: [L; 5],
    /// `s`
    pub(super) shift: u64,
    pub(super) form: Form,
}

const _: () = assert!(
    offset_of!(Reciprocal<u64>, divisor) == 9 * 8
        && offset_of!(Reciprocal<u64>, minus_divisor) == 13 * 8
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
        let ([x0, x1, x2, x3, x4, x5, x6, x7, x8], [d0, d1, d2, d3]) = (self.inverse, self.divisor);
        let ([m0, m1, m2, m3], [h0, h1, h2, h3, h4]) = (self.minus_divisor, self.half);
        let shift = self.shift;
        [x0, x1, x2, x3, x4, x5, x6, x7, x8, d0, d1, d2, d3, m0, m1, m2, m3, h0, h1, h2, h3, h4, shift, self.form as u64]
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
        let limbs = len(divisor);
        let form = if *divisor == [L::MAX; 4] {
            Form::Ones
        } else if divisor.iter().zip(below).all(|(&d, below)| d.and(below) == L::ZERO) {
            Form::Power
        } else if shift <= 1 && minus_shifted[1..] == [L::ZERO; 3] && minus_shifted[0].leading_zeros() > 2 {
            if shift == 0 { Form::Fold } else { Form::FoldOneBitSpare }
        } else if *divisor == solinas::modulus() {
            Form::Solinas
        } else {
            match (limbs, shift) {
                (1, _) => Form::One,
                (2, _) => Form::Two,
                (3, _) => Form::Three,
                (_, 0) => Form::NoBitSpare,
                (_, 1) => Form::OneBitSpare,
                (_, 2) => Form::TwoBitsSpare,
                // The error, shifted, is seldom met then, and less than half.
                _ if shift <= L::BITS / 4 * 3 - 4 => Form::BitsSpare,
                _ => Form::Four,
            }
        };
        let mut inverse = [L::ZERO; 9];
        if form != Form::Power {
            // Numerator and denominator times `B^(4 - N)` and what is left of `2^s`.
            let numerator = [L::ZERO, L::ZERO, L::ZERO, L::ONE.funnel_left(L::ZERO, shift % L::BITS)];
            divide_repeated(numerator, L::ZERO, &shifted, &mut inverse[..10 - limbs]);
        }
        let mut half = [L::ZERO; 5];
        if shift < L::BITS {
            half = core::array::from_fn(|i| inverse[i + 1].funnel_right(inverse[i], shift + 1));
        }
        Reciprocal { inverse, divisor: *divisor, minus_divisor, half, shift: shift.into(), form }
    }

    /// `a mod d`
    #[inline(always)]
    pub(crate) fn remainder(&self, a: &[L; 4]) -> [L; 4] {
        self.remainder_of_sum(false, a)
    }

    /// `a mod d`, with `B^4` added to `a` if `high`.
    #[inline(always)]
    pub(super) fn remainder_of_sum(&self, high: bool, a: &[L; 4]) -> [L; 4] {
        let t = extended(a, L::select(high, L::ONE, L::ZERO));
        match self.form {
            Form::Power => self.masked(a),
            Form::One => self.reduce::<1>(&t),
            Form::Two => self.reduce::<2>(&t),
            Form::Three => self.reduce::<3>(&t),
            Form::Ones
            | Form::Fold
            | Form::FoldOneBitSpare
            | Form::Solinas
            | Form::NoBitSpare
            | Form::OneBitSpare
            | Form::TwoBitsSpare
            | Form::BitsSpare
            | Form::Four => self.reduce::<4>(&t),
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
            Form::Power => self.masked(&low(a, b)),
            Form::Ones => sum_of_halves(product(a, b, by)),
            Form::Fold => self.fold(product(a, b, by), |fifth, _| fifth),
            Form::FoldOneBitSpare => self.fold(product(a, b, by), |fifth, fourth| fifth.funnel_left(fourth, 1)),
            Form::Solinas => solinas::reduce(product(a, b, by)),
            Form::NoBitSpare => self.multiply_upper::<0>(a, b),
            Form::OneBitSpare => self.multiply_upper::<1>(a, b),
            Form::TwoBitsSpare => self.multiply_upper::<2>(a, b),
            Form::BitsSpare => self.multiply_upper::<ANY>(a, b),
            Form::One => self.multiply_limbs::<1>(a, b, by),
            Form::Two => self.multiply_limbs::<2>(a, b, by),
            Form::Three => self.multiply_limbs::<3>(a, b, by),
            Form::Four => self.multiply_limbs::<4>(a, b, by),
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

    /// `a * b mod d`, where `d` has `N` limbs.
    #[inline(always)]
    fn multiply_limbs<const N: usize>(&self, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 4] {
        if a[N..].iter().chain(&b[N..]).any(|&limb| limb != L::ZERO) {
            return self.reduce::<N>(&by.full(a, b));
        }
        let mut t = [L::ZERO; 8];
        for i in 0..N {
            let mut carry = L::ZERO;
            for j in 0..N {
                (t[i + j], carry) = a[i].mul_add(b[j], t[i + j], carry);
            }
            t[i + N] = carry;
        }
        self.reduce::<N>(&t)
    }

    /// `t mod d`, where `d` has `N` limbs.
    #[inline(always)]
    fn reduce<const N: usize>(&self, t: &[L; 8]) -> [L; 4] {
        let len = 10 - N;
        // The fraction, then the quotient.
        let mut estimate = [L::ZERO; 5];
        for (i, &limb) in t.iter().enumerate().skip(N.saturating_sub(2)) {
            // Of the product below the fraction's place the high half only.
            let mut carry = limb.mul_high(self.inverse[7 - i]);
            for (place, sum) in estimate.iter_mut().enumerate().take(N + 1) {
                if 8 - i + place < len {
                    (*sum, carry) = limb.mul_add(self.inverse[8 - i + place], *sum, carry);
                } else if 8 - i + place == len {
                    *sum = carry;
                }
            }
        }
        let mut rest = [L::ZERO; 4];
        rest[..N].copy_from_slice(&t[..N]);
        for i in 0..N {
            let mut carry = L::ZERO;
            for j in 0..N - i {
                (rest[i + j], carry) = estimate[i + 1].mul_add(self.minus_divisor[j], rest[i + j], carry);
            }
        }
        corrected::<L, N>(rest, &self.divisor, estimate[0], L::from_u8(ERROR))
    }

    /// `t mod d`, where `d` is `2^n - c`, and `above` what of the fifth and fourth digits is above `2^n`.
    ///
    /// `low + high * 2^s * c` has at most `2^s * c` in its fifth limb. What is above `2^n` there, less than `2^(2 s) * 2 c`, times `c` added to the rest comes to
    /// less than `2^n + d`, and is seldom as much as `d`.
    #[inline(always)]
    fn fold(&self, t: [L; 8], above: impl Fn(L, L) -> L) -> [L; 4] {
        let (low, high) = halves(t);
        let ([r0, r1, r2, r3], fifth) = add_multiple(low, high, self.minus_divisor[0].funnel_left(L::ZERO, self.shift()));
        let rest = [r0, r1, r2, r3.and(L::ZERO.funnel_right(L::MAX, self.shift()))];
        let (first, second) = above(fifth, r3).mul_add(self.minus_divisor[0], L::ZERO, L::ZERO);
        let (rest, carried) = add(&rest, &[first, second, L::ZERO, L::ZERO]);
        seldom_below(carried, &rest, &self.divisor)
    }

    /// `a * b mod d`, where `s` is small, and `BY`, or that is [`ANY`].
    ///
    /// The quotient is estimated by the upper limbs `u` of `a * b`, times `half`, which has five limbs, where `X` has one more, and shifted. Bits of it above its fourth limb
    /// do not count. As the lower columns of the product are not needed for that, a machine may multiply them when it has to wait anyway.
    ///
    /// In units of the fraction before it is shifted, what this leaves out is: of the product, the low halves at index 4 (five), the products at index 3 (four), and those
    /// below, less than 10; what `half` lacks, less than 1; of `a * b`, the products of limbs 0 and 0, 0 and 1, 1 and 0, less than `2 B^3` together, and the limbs below the
    /// fourth, less than `B^3`: less than 3. The sum is less than [`ERROR_OF_UPPER`].
    #[inline(always)]
    fn multiply_upper<const BY: u32>(&self, a: &[L; 4], b: &[L; 4]) -> [L; 4] {
        let mut t = [L::ZERO; 8];
        for i in 0..4 {
            let mut carry = L::ZERO;
            for j in 2_usize.saturating_sub(i)..4 {
                (t[i + j], carry) = a[i].mul_add(b[j], t[i + j], carry);
            }
            t[i + 4] = carry;
        }
        let estimate = high([t[3], t[4], t[5], t[6], t[7]], &self.half);
        let shift = if BY < ANY { BY } else { self.shift() };
        let shifted = |high: L, low: L| high.funnel_left(low, shift + 1);
        let quotient = core::array::from_fn(|i| shifted(estimate[i + 1], estimate[i]));
        let [fraction, error] = [estimate[0], L::from_u8(ERROR_OF_UPPER)].map(|limb| shifted(limb, L::ZERO));
        let (t0, above) = a[0].mul_add(b[0], L::ZERO, L::ZERO);
        let (t1, above) = a[0].mul_add(b[1], above, L::ZERO);
        let (t1, above_too) = a[1].mul_add(b[0], t1, L::ZERO);
        let (t2, carried) = t[2].add_carry(above, false);
        let (t2, carried_too) = t2.add_carry(above_too, false);
        let t3 = t[3].add_carry(L::ZERO, carried).0.add_carry(L::ZERO, carried_too).0;
        let rest = add_low([t0, t1, t2, t3], &quotient, &self.minus_divisor);
        corrected::<L, 4>(rest, &self.divisor, fraction, error)
    }
}

/// A remainder of `d`, which has `N` limbs, or one more `d` if the quotient was one too small, as it can only be where `fraction` is within `error` of 1.
///
/// Then the true quotient is within the error of the next integer, so `rest` is within `error / B` times `d`, less than half of it, of `d`, and the highest
/// bit of the difference's `N` limbs is its sign.
#[inline(always)]
fn corrected<L: Limb, const N: usize>(rest: [L; 4], d: &[L; 4], fraction: L, error: L) -> [L; 4] {
    if fraction.not() < error {
        let (mut less, mut borrow) = ([L::ZERO; 4], false);
        for i in 0..N {
            (less[i], borrow) = rest[i].sub_borrow(d[i], borrow);
        }
        return select(less[N - 1].leading_zeros() > 0, &less, &rest);
    }
    rest
}

/// The upper five limbs of `a * b` without what limbs below the fifth carry: products of limbs `i` and `k` count where `i + k > 4`, and
/// their high halves where it is 4.
#[inline(always)]
fn high<L: Limb>(a: [L; 5], b: &[L; 5]) -> [L; 5] {
    let mut sum = [L::ZERO; 5];
    for i in 0..5 {
        let mut carry = a[i].mul_high(b[4 - i]);
        for k in 0..i {
            (sum[k], carry) = a[i].mul_add(b[5 - i + k], sum[k], carry);
        }
        sum[i] = carry;
    }
    sum
}

/// A word, and a limb above it, as a dividend.
#[inline(always)]
fn extended<L: Limb>(word: &[L; 4], above: L) -> [L; 8] {
    let [w0, w1, w2, w3] = *word;
    [w0, w1, w2, w3, above, L::ZERO, L::ZERO, L::ZERO]
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
