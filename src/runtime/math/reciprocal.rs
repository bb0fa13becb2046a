//! A divisor prepared for division by multiplication (Barrett, "Implementing the RSA algorithm on a standard digital signal processor",
//! 1986): its reciprocal has one limb more than itself, so that a quotient is wrong only where the fraction computed with it says so.
//!
//! Let `B` be the base, `W` the width of a word of four limbs, `d` the divisor, of `n` bits, `s = W - n`, `e = d << s`, whose highest bit is set, and
//! `V = floor((B^9 - 1) / e) - B^5`. [`Reciprocal::estimate`] computes `u * (B^5 + V) / B^6`, about `u * B^3 / e`, for `u` of five limbs. Its unit is the last place
//! of the fraction, `1 / B`. What it leaves out of the product are the low halves at index 4 (five, less than one unit each), the products at index
//! 3 (four, likewise) and those below (together less than one unit for `B` of 8 bits and more); what `V` lacks is less than one unit, and
//! where `u` stands for a number cut off after its five highest limbs, that is less than two. So the sum is less than [`MARGIN`]
//! units too small; after adding `MARGIN`, the truth is at most the estimate, and less than `MARGIN` units below it.

use super::divide::{divide, reciprocal_of_word, two_by_one};
use super::limb::Limb;
use super::product::{add, bits, full, less, low, select, shl, shr, sub};

/// Bound on the error of an estimate, in units of its fraction.
const MARGIN: u8 = 13;

/// How products are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `d` is a power of two: by a mask.
    Power,
    /// `d` is `B^4 - 1`: by adding the halves.
    Ones,
    /// `s` is at most 1, and `e` is `B^4 - c` with `c` of one limb (pseudo-Mersenne numbers): modulo `e`, `B^4` is `c`.
    Fold,
    /// `s` is at most half a limb: by estimating the quotient.
    Large,
    /// `d` is one limb: as the next, but simpler for factors of one limb.
    Narrow,
    /// Any other: by estimating the quotient of the product times `2^s`.
    General,
}

/// A divisor other than 0, and what dividing by it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reciprocal<L> {
    /// `V`
    inverse: [L; 5],
    /// `d`
    divisor: [L; 4],
    /// `e`
    shifted: [L; 4],
    /// `s`
    shift: u32,
    form: Form,
}

impl<L: Limb> Reciprocal<L> {
    /// Prepares `divisor`, which is not 0.
    #[inline(never)]
    pub(crate) fn new(divisor: &[L; 4]) -> Self {
        let shift = 4 * L::BITS - bits(divisor);
        let shifted = shl(divisor, shift);
        let below = sub(divisor, &[L::ONE, L::ZERO, L::ZERO, L::ZERO]).0;
        let form = if *divisor == [L::MAX; 4] {
            Form::Ones
        } else if divisor.iter().zip(below).all(|(&d, below)| d.and(below) == L::ZERO) {
            Form::Power
        } else if shift <= 1 && shifted[1..] == [L::MAX; 3] && shifted[0] != L::ZERO {
            Form::Fold
        } else if shift <= L::BITS / 2 {
            Form::Large
        } else if divisor[1..] == [L::ZERO; 3] {
            Form::Narrow
        } else {
            Form::General
        };
        Reciprocal { inverse: reciprocal_of_word(&shifted), divisor: *divisor, shifted, shift, form }
    }

    /// `a / d`
    ///
    /// The estimate `a * 2^n / d` is never too small and less than 1 too large, and the true value is at least `2^n / d > 1` below the next multiple
    /// of `2^n`, so its quotient by `2^n` is exact (the argument of Granlund and Montgomery, "Division by invariant integers using
    /// multiplication", 1994).
    #[inline(always)]
    pub(crate) fn quotient(&self, a: &[L; 4]) -> [L; 4] {
        let (high, integer, _) = self.estimate(&[L::ZERO, a[0], a[1], a[2], a[3]]);
        shr(high, &integer, 4 * L::BITS - self.shift)
    }

    /// `a mod d`
    #[inline(always)]
    pub(crate) fn remainder(&self, a: &[L; 4]) -> [L; 4] {
        match self.form {
            Form::Power => self.masked(a),
            _ => sub(a, &low(&self.quotient(a), &self.divisor)).0,
        }
    }

    /// `a * b mod d`
    #[inline(always)]
    pub(crate) fn multiply(&self, a: &[L; 4], b: &[L; 4]) -> [L; 4] {
        match self.form {
            Form::Power => self.masked(&low(a, b)),
            Form::Ones => {
                let (low, high) = halves(full(a, b));
                let (sum, carry) = add(&low, &high);
                // Both halves together are less than twice the divisor, and what carries is at most that less one.
                let sum = plus_carry(sum, carry);
                let is_divisor = sum[0].and(sum[1]).and(sum[2]).and(sum[3]) == L::MAX;
                select(is_divisor, &[L::ZERO; 4], &sum)
            }
            Form::Fold => {
                let rest = self.fold(full(a, b));
                if self.shift == 0 {
                    return rest;
                }
                // `e` is twice `d`.
                let (less, borrow) = sub(&rest, &self.divisor);
                select(borrow, &rest, &less)
            }
            Form::Large => self.reduce(&full(a, b)),
            Form::Narrow if highest_zero::<L, 1>(a, b) => [self.multiply_narrow(a[0], b[0]), L::ZERO, L::ZERO, L::ZERO],
            Form::General | Form::Narrow => {
                if highest_zero::<L, 2>(a, b) {
                    return self.remainder(&low(a, b));
                }
                let (a, b) = self.shifted_factors(a, b);
                shr(L::ZERO, &self.reduce_shifted(&full(&a, &b)), self.shift)
            }
        }
    }

    /// `a * b mod d`, all of one limb. The highest limb of `V` is the reciprocal of the highest of `e`.
    #[inline(always)]
    fn multiply_narrow(&self, a: L, b: L) -> L {
        let (e, v, shift) = (self.shifted[3], self.inverse[4], self.shift % L::BITS);
        let b = if b < self.divisor[0] {
            b.funnel_left(L::ZERO, shift)
        } else {
            two_by_one(L::ZERO.funnel_left(b, shift), b.funnel_left(L::ZERO, shift), e, v).1
        };
        let (low, high) = a.mul_add(b, L::ZERO, L::ZERO);
        L::ZERO.funnel_right(two_by_one(high, low, e, v).1, shift)
    }

    /// `a mod d` where `d` is a power of two.
    #[inline(always)]
    fn masked(&self, a: &[L; 4]) -> [L; 4] {
        let mask = sub(&self.divisor, &[L::ONE, L::ZERO, L::ZERO, L::ZERO]).0;
        [a[0].and(mask[0]), a[1].and(mask[1]), a[2].and(mask[2]), a[3].and(mask[3])]
    }

    /// Two factors whose product is that of `a` and `b` modulo `d`, times `2^s`: one of them is less than `e`, so the product's upper half is too.
    #[inline(always)]
    fn shifted_factors(&self, a: &[L; 4], b: &[L; 4]) -> ([L; 4], [L; 4]) {
        let (a, b) = if less(b, &self.divisor) {
            (*a, *b)
        } else if less(a, &self.divisor) {
            (*b, *a)
        } else {
            (*a, self.remainder(b))
        };
        (a, if self.shift == 0 { b } else { shl(&b, self.shift) })
    }

    /// A number less than `e`, which is `B^4 - c`, that is `t` modulo it.
    ///
    /// `low + high * c` has at most `c` in its fifth limb; that times `c` added to the rest carries at most once, and then leaves so little that
    /// `c` can be added.
    #[inline(always)]
    fn fold(&self, t: [L; 8]) -> [L; 4] {
        let c = L::ZERO.sub(self.shifted[0]);
        let (mut rest, high) = halves(t);
        let mut carry = L::ZERO;
        for i in 0..4 {
            (rest[i], carry) = high[i].mul_add(c, rest[i], carry);
        }
        let (first, second) = carry.mul_add(c, L::ZERO, L::ZERO);
        let (rest, carried) = add(&rest, &[first, second, L::ZERO, L::ZERO]);
        let above = add(&rest, &[c, L::ZERO, L::ZERO, L::ZERO]);
        // Adding `c` is subtracting `e`: due if it carries, or if that carried.
        select(carried | above.1, &above.0, &rest)
    }

    /// `t mod d`, for `s` of at most half a limb.
    ///
    /// The estimate is of `t / e`, so its quotient and fraction times `2^s` are those of `t / d`, and so is the error. Of the quotient only the lowest
    /// four limbs matter, as the remainder has no more.
    #[inline(always)]
    fn reduce(&self, t: &[L; 8]) -> [L; 4] {
        let (_, [q0, q1, q2, q3], fraction) = self.estimate(&[t[3], t[4], t[5], t[6], t[7]]);
        let up = |high: L, low: L| high.funnel_left(low, self.shift);
        let quotient = [up(q0, fraction), up(q1, q0), up(q2, q1), up(q3, q2)];
        if up(fraction, L::ZERO) < up(L::from_u8(MARGIN), L::ZERO) {
            return exactly(*t, self.divisor);
        }
        sub(&[t[0], t[1], t[2], t[3]], &low(&quotient, &self.divisor)).0
    }

    /// `t mod e`, the upper half of `t` being less than `e`.
    #[inline(always)]
    fn reduce_shifted(&self, t: &[L; 8]) -> [L; 4] {
        let (_, quotient, fraction) = self.estimate(&[t[3], t[4], t[5], t[6], t[7]]);
        if fraction < L::from_u8(MARGIN) {
            return exactly(*t, self.shifted);
        }
        sub(&[t[0], t[1], t[2], t[3]], &low(&quotient, &self.shifted)).0
    }

    /// `u * B^3 / e` within the error stated above: what is beyond four limbs, four limbs of the integer part, and the fraction.
    #[inline(always)]
    fn estimate(&self, u: &[L; 5]) -> (L, [L; 4], L) {
        let v = &self.inverse;
        let mut sum = [L::ZERO; 5];
        for i in 0..5 {
            let mut carry = u[i].mul_high(v[4 - i]);
            for k in 0..i {
                (sum[k], carry) = u[i].mul_add(v[5 - i + k], sum[k], carry);
            }
            sum[i] = carry;
        }
        let (sum, carried) = add(&sum, u);
        let (sum, carried_too) = add(&sum, &[L::from_u8(MARGIN), L::ZERO, L::ZERO, L::ZERO, L::ZERO]);
        let [fraction, q0, q1, q2, q3] = sum;
        (if carried | carried_too { L::ONE } else { L::ZERO }, [q0, q1, q2, q3], fraction)
    }
}

/// Whether nothing is in the limbs of `a` and `b` from the `N`th on.
#[inline(always)]
fn highest_zero<L: Limb, const N: usize>(a: &[L; 4], b: &[L; 4]) -> bool {
    (N..4).fold(L::ZERO, |all, i| all.or(a[i]).or(b[i])) == L::ZERO
}

#[inline(always)]
fn halves<L: Limb>(t: [L; 8]) -> ([L; 4], [L; 4]) {
    ([t[0], t[1], t[2], t[3]], [t[4], t[5], t[6], t[7]])
}

/// `t mod d`, where an estimate of the quotient may be one too large.
#[cold]
#[inline(never)]
fn exactly<L: Limb>(t: [L; 8], d: [L; 4]) -> [L; 4] {
    divide(&t, &d).1
}

#[inline(always)]
fn plus_carry<L: Limb>(mut a: [L; 4], mut carry: bool) -> [L; 4] {
    for limb in &mut a {
        (*limb, carry) = limb.add_carry(L::ZERO, carry);
    }
    a
}
