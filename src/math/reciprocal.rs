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
use super::product::{Products, add, bits, less, select, shl, shr, sub};

/// Bound on the error of an estimate, in units of its fraction.
const ERROR: u8 = 13;

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
    /// Any other: by estimating the quotient of the product times `2^s`.
    General,
}

const FORMS: [Form; 5] = [Form::Power, Form::Ones, Form::Fold, Form::Large, Form::General];

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

impl Reciprocal<u64> {
    /// Limbs that say all of it.
    pub(crate) const LIMBS: usize = 15;

    /// It as limbs: `V`, `d`, `e`, `s` and the form.
    pub(crate) fn to_limbs(self) -> [u64; Self::LIMBS] {
        let ([v0, v1, v2, v3, v4], [d0, d1, d2, d3], [e0, e1, e2, e3]) = (self.inverse, self.divisor, self.shifted);
        [v0, v1, v2, v3, v4, d0, d1, d2, d3, e0, e1, e2, e3, self.shift.into(), self.form as u64]
    }

    /// The opposite of [`Reciprocal::to_limbs`].
    #[inline(always)]
    pub(crate) fn from_limbs(limbs: &[u64; Self::LIMBS]) -> Self {
        let [v0, v1, v2, v3, v4, d0, d1, d2, d3, e0, e1, e2, e3, shift, form] = *limbs;
        let form = FORMS.into_iter().find(|&known| known as u64 == form).unwrap_or(Form::General);
        Reciprocal {
            inverse: [v0, v1, v2, v3, v4],
            divisor: [d0, d1, d2, d3],
            shifted: [e0, e1, e2, e3],
            shift: shift as u32,
            form,
        }
    }
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
    pub(crate) fn quotient(&self, a: &[L; 4], by: impl Products<L>) -> [L; 4] {
        let [l0, l1, l2, l3] = *a;
        let u = [L::ZERO, l0, l1, l2, l3];
        let (sum, carried) = add(&by.high(u, &self.inverse), &u);
        let ([_, q0, q1, q2, q3], carried_too) = add(&sum, &[L::from_u8(ERROR), L::ZERO, L::ZERO, L::ZERO, L::ZERO]);
        let high = if carried | carried_too { L::ONE } else { L::ZERO };
        shr(high, &[q0, q1, q2, q3], 4 * L::BITS - self.shift)
    }

    /// `a mod d`
    #[inline(always)]
    pub(crate) fn remainder(&self, a: &[L; 4], by: impl Products<L>) -> [L; 4] {
        match self.form {
            Form::Power => self.masked(a),
            _ => sub(a, &by.low(self.quotient(a, by), &self.divisor)).0,
        }
    }

    /// `a * b mod d`
    #[inline(always)]
    pub(crate) fn multiply(&self, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> [L; 4] {
        match self.form {
            Form::Power => self.masked(&by.low(*a, b)),
            Form::Ones => {
                let (low, high) = halves(by.full(a, b));
                let (sum, carry) = add(&low, &high);
                // Both halves together are less than twice the divisor, and what carries is at most that less one.
                let sum = plus_carry(sum, carry);
                let is_divisor = sum[0].and(sum[1]).and(sum[2]).and(sum[3]) == L::MAX;
                select(is_divisor, &[L::ZERO; 4], &sum)
            }
            Form::Fold => {
                let rest = self.fold(by.full(a, b), by);
                if self.shift == 0 {
                    return rest;
                }
                // `e` is twice `d`.
                let (less, borrow) = sub(&rest, &self.divisor);
                select(borrow, &rest, &less)
            }
            Form::Large => self.reduce(&by.full(a, b), by),
            Form::General => {
                if a[2].or(a[3]).or(b[2]).or(b[3]) == L::ZERO {
                    return self.remainder(&by.low(*a, b), by);
                }
                let (a, b) = self.shifted_factors(a, b, by);
                shr(L::ZERO, &self.reduce_shifted(&by.full(&a, &b), by), self.shift)
            }
        }
    }

    /// `a mod d` where `d` is a power of two.
    #[inline(always)]
    fn masked(&self, a: &[L; 4]) -> [L; 4] {
        let mask = sub(&self.divisor, &[L::ONE, L::ZERO, L::ZERO, L::ZERO]).0;
        [a[0].and(mask[0]), a[1].and(mask[1]), a[2].and(mask[2]), a[3].and(mask[3])]
    }

    /// Two factors whose product is that of `a` and `b` modulo `d`, times `2^s`: one of them is less than `e`, so the product's upper half is too.
    #[inline(always)]
    fn shifted_factors(&self, a: &[L; 4], b: &[L; 4], by: impl Products<L>) -> ([L; 4], [L; 4]) {
        let (a, b) = if less(b, &self.divisor) {
            (*a, *b)
        } else if less(a, &self.divisor) {
            (*b, *a)
        } else {
            (*a, self.remainder(b, by))
        };
        (a, if self.shift == 0 { b } else { shl(&b, self.shift) })
    }

    /// A number less than `e`, which is `B^4 - c`, that is `t` modulo it.
    ///
    /// `low + high * c` has at most `c` in its fifth limb; that times `c` added to the rest carries at most once, and then leaves so little that
    /// `c` can be added.
    #[inline(always)]
    fn fold(&self, t: [L; 8], by: impl Products<L>) -> [L; 4] {
        let c = L::ZERO.sub(self.shifted[0]);
        let (low, high) = halves(t);
        let (rest, fifth) = by.add_multiple(low, high, c);
        let (first, second) = fifth.mul_add(c, L::ZERO, L::ZERO);
        let (rest, carried) = add(&rest, &[first, second, L::ZERO, L::ZERO]);
        let above = add(&rest, &[c, L::ZERO, L::ZERO, L::ZERO]);
        // Adding `c` is subtracting `e`: due if it carries, or if that carried.
        select(carried | above.1, &above.0, &rest)
    }

    /// `t mod d`, for `s` of at most half a limb.
    ///
    /// The estimate is of `t / e`, so its quotient and fraction times `2^s` are those of `t / d`, and so is the error. The quotient times `2^s` times `d`
    /// is the quotient times `e`, and `d` times the bits that come up from the fraction.
    #[inline(always)]
    fn reduce(&self, t: &[L; 8], by: impl Products<L>) -> [L; 4] {
        let (quotient, fraction) = self.estimate([t[3], t[4], t[5], t[6], t[7]], by);
        let bits = L::ZERO.funnel_left(fraction, self.shift);
        let multiple = by.add_multiple(by.low(quotient, &self.shifted), self.divisor, bits).0;
        let rest = sub(&[t[0], t[1], t[2], t[3]], &multiple).0;
        corrected(
            rest,
            &self.divisor,
            fraction.funnel_left(L::ZERO, self.shift),
            L::from_u8(ERROR).funnel_left(L::ZERO, self.shift),
        )
    }

    /// `t mod e`, the upper half of `t` being less than `e`.
    #[inline(always)]
    fn reduce_shifted(&self, t: &[L; 8], by: impl Products<L>) -> [L; 4] {
        let (quotient, fraction) = self.estimate([t[3], t[4], t[5], t[6], t[7]], by);
        let rest = sub(&[t[0], t[1], t[2], t[3]], &by.low(quotient, &self.shifted)).0;
        corrected(rest, &self.shifted, fraction, L::from_u8(ERROR))
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
/// Then the true quotient is within the error of the next integer, so `rest` is within `ERROR * B^3`, less than `B^4 / 16`, of `d`, and the highest
/// bit of the difference is its sign.
#[inline(always)]
fn corrected<L: Limb>(rest: [L; 4], d: &[L; 4], fraction: L, error: L) -> [L; 4] {
    if fraction.not() < error {
        let less = sub(&rest, d).0;
        return select(less[3].leading_zeros() > 0, &less, &rest);
    }
    rest
}

#[inline(always)]
fn halves<L: Limb>(t: [L; 8]) -> ([L; 4], [L; 4]) {
    ([t[0], t[1], t[2], t[3]], [t[4], t[5], t[6], t[7]])
}

#[inline(always)]
fn plus_carry<L: Limb>(mut a: [L; 4], mut carry: bool) -> [L; 4] {
    for limb in &mut a {
        (*limb, carry) = limb.add_carry(L::ZERO, carry);
    }
    a
}
