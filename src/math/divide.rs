//! Division without preparation: Knuth's algorithm D (The Art of Computer Programming 2, 4.3.1) on a divisor shifted to have its highest bit
//! set, with quotient digits by multiplication with a reciprocal of the divisor's highest one or two limbs (Moeller and Granlund,
//! "Improved division by invariant integers", 2011), or by the machine's division where it has one and there are few digits: reciprocals take a division too.
//!
//! One function per number of the divisor's limbs; the remainder so far is a window of that many limbs, into which the dividend is shifted from
//! the top. Indices are constants once loops are unrolled, so all of it stays in registers. By one limb the machine divides likewise.

use super::limb::Limb;
use super::product::{add, len, less, sub};
use core::hint::select_unpredictable;

/// Quotient and remainder.
type Quotient<L, const M: usize> = ([L; M], [L; 4]);

/// `u / d` and `u mod d`, `d` not being 0.
#[inline(always)]
pub(crate) fn divide<L: Limb, const M: usize>(u: &[L; M], d: &[L; 4]) -> Quotient<L, M> {
    match len(d) {
        1 => long::<L, M, 1>(u, [d[0]]),
        2 => long::<L, M, 2>(u, [d[0], d[1]]),
        3 => long::<L, M, 3>(u, [d[0], d[1], d[2]]),
        _ => match u.first_chunk() {
            Some(u) if M == 4 => {
                let (digit, remainder) = one_digit(false, u, d);
                let mut quotient = [L::ZERO; M];
                quotient[0] = digit;
                (quotient, remainder)
            }
            _ => long::<L, M, 4>(u, *d),
        },
    }
}

/// `high:a mod d`, where the highest limb of `d` is more than 1, and `high` at most 1.
#[inline(always)]
pub(crate) fn remainder_of_sum<L: Limb>(high: bool, a: &[L; 4], d: &[L; 4]) -> [L; 4] {
    one_digit(high, a, d).1
}

/// Quotient and remainder of `high:a` by `d`, where the highest limb of `d` is more than `high`, which is at most 1: the quotient is one digit, and nothing has
/// to be prepared.
///
/// The digit by the highest limb of the shifted divisor is right or up to two too large (Knuth's theorem B), the more seldom the smaller it is; then the divisor
/// is added back. The dividend's highest limb has at most one bit more than the shift, so it is less than the divisor's.
#[inline(always)]
fn one_digit<L: Limb>(high: bool, a: &[L; 4], d: &[L; 4]) -> (L, [L; 4]) {
    let shift = d[3].leading_zeros();
    let divisor = shifted(d, shift);
    let mut low = shifted(a, shift);
    let top = L::select(high, L::ONE, L::ZERO).funnel_left(a[3], shift);
    let mut digit = top.divide(low[3], divisor[3]).0;
    let (mut borrow, mut carry) = (false, L::ZERO);
    for i in 0..4 {
        let product;
        (product, carry) = digit.mul_add(divisor[i], carry, L::ZERO);
        (low[i], borrow) = low[i].sub_borrow(product, borrow);
    }
    borrow = top.sub_borrow(carry, borrow).1;
    while borrow {
        let carried;
        (low, carried) = add(&low, &divisor);
        borrow = !carried;
        digit = digit.sub(L::ONE);
    }
    let mut remainder = [L::ZERO; 4];
    for i in 0..4 {
        remainder[i] = if i < 3 { low[i + 1] } else { L::ZERO }.funnel_right(low[i], shift);
    }
    (digit, remainder)
}

/// As [`divide`], by a divisor whose `N`th limb is its highest.
#[inline(always)]
fn long<L: Limb, const M: usize, const N: usize>(u: &[L; M], d: [L; N]) -> Quotient<L, M> {
    if N == 1 && L::DIVIDES {
        return short(u, d[0]);
    }
    let shift = d[N - 1].leading_zeros();
    // A reciprocal takes a division too: it pays with three digits.
    let divisor = Divisor::new(shifted(&d, shift), L::DIVIDES && (N == 2 || M - N < 2));
    let limb = |i: usize| {
        let high = if i < M { u[i] } else { L::ZERO };
        high.funnel_left(if i > 0 { u[i - 1] } else { L::ZERO }, shift)
    };
    let size = len(u);
    let mut quotient = [L::ZERO; M];
    // The highest limb is less than `2^shift`, so less than the divisor's, whose highest bit is set.
    let mut rest = [L::ZERO; N];
    for (i, place) in rest.iter_mut().enumerate() {
        *place = limb(M - N + 1 + i);
    }
    for i in (0..=M - N).rev() {
        let mut digit = L::ZERO;
        let none = size == i + N && rest[N - 1] == L::ZERO && less(&pushed(rest, limb(i)), &divisor.limbs);
        if none || size < i + N {
            // All of the dividend is further down, or the first digit is 0, which it mostly is again if it was the last time.
            rest = pushed(rest, limb(i));
        } else {
            digit = divisor.step(&mut rest, limb(i));
        }
        // Not put where it belongs, which would be a place in memory: each digit pushes those before it up.
        quotient = pushed(quotient, digit);
    }
    let mut remainder = [L::ZERO; 4];
    for i in 0..N {
        let high = if i + 1 < N { rest[i + 1] } else { L::ZERO };
        remainder[i] = high.funnel_right(rest[i], shift);
    }
    (quotient, remainder)
}

/// `digits` each one place higher, `low` below them: in another array, since within one a compiler moves them in memory, by loads that wait for the stores before.
#[inline(always)]
#[expect(clippy::manual_memcpy, reason = "limbs that are moved one by one stay in registers")]
fn pushed<L: Limb, const N: usize>(digits: [L; N], low: L) -> [L; N] {
    let mut pushed = [low; N];
    for i in 1..N {
        pushed[i] = digits[i - 1];
    }
    pushed
}

/// As [`long`], by the machine's division, one limb after the other.
#[inline(always)]
fn short<L: Limb, const M: usize>(u: &[L; M], d: L) -> Quotient<L, M> {
    let (mut quotient, mut rest) = ([L::ZERO; M], L::ZERO);
    let size = len(u);
    for i in (0..M).rev() {
        if i < size {
            (quotient[i], rest) = rest.divide(u[i], d);
        }
    }
    (quotient, [rest, L::ZERO, L::ZERO, L::ZERO])
}

/// `floor((B^9 - 1) / e) - B^5` of a word whose highest bit is set.
pub(crate) fn reciprocal_of_word<L: Limb>(e: &[L; 4]) -> [L; 5] {
    let mut quotient = [L::ZERO; 5];
    divide_repeated(e.map(L::not), L::MAX, e, &mut quotient);
    quotient
}

/// Divides `rest`, followed by as many `next` as the quotient has digits, by `e`, whose highest bit is set, and which is more than `rest`.
pub(super) fn divide_repeated<L: Limb>(mut rest: [L; 4], next: L, e: &[L; 4], quotient: &mut [L]) {
    let divisor = Divisor::new(*e, false);
    for digit in quotient.iter_mut().rev() {
        *digit = divisor.step(&mut rest, next);
    }
}

#[inline(always)]
fn shifted<L: Limb, const N: usize>(d: &[L; N], shift: u32) -> [L; N] {
    let mut shifted = [L::ZERO; N];
    for i in 0..N {
        shifted[i] = d[i].funnel_left(if i > 0 { d[i - 1] } else { L::ZERO }, shift);
    }
    shifted
}

/// A divisor whose highest bit is set, with the reciprocal of its highest limb, or two, unless the machine divides by them.
struct Divisor<L, const N: usize> {
    limbs: [L; N],
    reciprocal: Option<L>,
}

impl<L: Limb, const N: usize> Divisor<L, N> {
    #[inline(always)]
    fn new(limbs: [L; N], by_machine: bool) -> Self {
        let reciprocal = match N {
            _ if by_machine => None,
            1 => Some(limbs[0].reciprocal()),
            _ => Some(reciprocal_of_two(limbs[N - 1], limbs[N - 2])),
        };
        Divisor { limbs, reciprocal }
    }

    /// A digit by the highest two limbs, `d`.
    #[inline(always)]
    fn digit(&self, u: [L; 3], d: [L; 2]) -> (L, [L; 2]) {
        match self.reciprocal {
            Some(reciprocal) => three_by_two(u, d, reciprocal),
            None => digit_of_two(u, d),
        }
    }

    /// Divides `rest:next`, `rest` being less than the divisor: returns the quotient and leaves the remainder in `rest`.
    #[inline(always)]
    fn step(&self, rest: &mut [L; N], next: L) -> L {
        match N {
            1 => {
                let quotient;
                (quotient, rest[0]) = match self.reciprocal {
                    Some(reciprocal) => two_by_one(rest[0], next, self.limbs[0], reciprocal),
                    None => rest[0].divide(next, self.limbs[0]),
                };
                quotient
            }
            2 => {
                let quotient;
                (quotient, [rest[1], rest[0]]) = self.digit([rest[1], rest[0], next], [self.limbs[1], self.limbs[0]]);
                quotient
            }
            _ => self.step_of_many(rest, next),
        }
    }

    /// The digit by the highest three limbs is right or one too large (Knuth's theorem B, with two limbs of the divisor instead of one):
    /// then what is left of those limbs is too little for the digit's multiple of the divisor's lower limbs, and the divisor is added back.
    #[inline(always)]
    fn step_of_many(&self, rest: &mut [L; N], next: L) -> L {
        let top = [self.limbs[N - 1], self.limbs[N - 2]];
        if [rest[N - 1], rest[N - 2]] == top {
            let digit;
            (digit, *rest) = self.step_of_largest(*rest, next);
            return digit;
        }
        let (digit, [r1, r0]) = self.digit([rest[N - 1], rest[N - 2], rest[N - 3]], top);
        let (mut borrow, mut carry) = (false, L::ZERO);
        let mut low = next;
        for (i, place) in rest.iter_mut().enumerate().take(N - 2) {
            let (product, difference);
            (product, carry) = digit.mul_add(self.limbs[i], carry, L::ZERO);
            (difference, borrow) = low.sub_borrow(product, borrow);
            low = core::mem::replace(place, difference);
        }
        (rest[N - 2], borrow) = r0.sub_borrow(carry, borrow);
        (rest[N - 1], borrow) = r1.sub_borrow(L::ZERO, borrow);
        if borrow {
            *rest = add(rest, &self.limbs).0;
            return digit.sub(L::ONE);
        }
        digit
    }

    /// The step where the highest two limbs are the divisor's: the digit is the largest, or one less.
    #[cold]
    #[inline(never)]
    fn step_of_largest(&self, mut rest: [L; N], next: L) -> (L, [L; N]) {
        let (mut borrow, mut carry) = (false, L::ZERO);
        let mut low = next;
        let highest = rest[N - 1];
        for (place, &limb) in rest.iter_mut().zip(&self.limbs) {
            let (product, difference);
            (product, carry) = L::MAX.mul_add(limb, carry, L::ZERO);
            (difference, borrow) = low.sub_borrow(product, borrow);
            low = std::mem::replace(place, difference);
        }
        match highest.sub_borrow(carry, borrow).1 {
            true => (L::MAX.sub(L::ONE), add(&rest, &self.limbs).0),
            false => (L::MAX, rest),
        }
    }
}

/// `floor((B^3 - 1) / (d1 * B + d0)) - B`, the highest bit of `d1` being set.
///
/// The numerator less `B` times the divisor is `!d1:!d0:MAX`. Its first two limbs by `d1` give the digit, or one or two more (Knuth's theorem B), which the
/// rest's comparison with the digit's multiple of `d0` tells.
#[inline(always)]
pub(super) fn reciprocal_of_two<L: Limb>(d1: L, d0: L) -> L {
    // Which of the corrections are due, nobody could predict.
    let less_if = |digit: L, due: bool| digit.sub(select_unpredictable(due, L::ONE, L::ZERO));
    let (digit, rest) = d1.not().divide(d0.not(), d1);
    let (low, high) = digit.mul_add(d0, L::ZERO, L::ZERO);
    let once = high > rest;
    // `rest:MAX` and the divisor: `d0` is not 0 if this matters.
    let (rest, beyond) = rest.add_carry(d1, true);
    let twice = once & !beyond & ((high, low) > (rest, d0.sub(L::ONE)));
    less_if(less_if(digit, once), twice)
}

/// As [`three_by_two`], by the machine's division: as long as a digit by multiplication takes, and nothing to prepare.
///
/// The digit by the first limb of `d` is right or up to two too large (Knuth's theorem B), seldom two.
#[inline(always)]
pub(super) fn digit_of_two<L: Limb>([u2, u1, u0]: [L; 3], [d1, d0]: [L; 2]) -> (L, [L; 2]) {
    let (digit, (rest, beyond)) = if u2 == d1 {
        // The quotient would not fit.
        (L::MAX, u1.add_carry(d1, false))
    } else {
        let (digit, rest) = u2.divide(u1, d1);
        (digit, (rest, false))
    };
    let (low, high) = digit.mul_add(d0, L::ZERO, L::ZERO);
    let (rest, borrow) = sub(&[u0, rest], &[low, high]);
    let over = borrow & !beyond;
    let (once, enough) = add(&rest, &[d0, d1]);
    // One branch that is seldom taken, not one on either condition.
    if select_unpredictable(over, !enough, false) {
        let [r0, r1] = add(&once, &[d0, d1]).0;
        return (digit.sub(L::ONE).sub(L::ONE), [r1, r0]);
    }
    let choose = |once, rest| select_unpredictable(over, once, rest);
    (choose(digit.sub(L::ONE), digit), [choose(once[1], rest[1]), choose(once[0], rest[0])])
}

/// Quotient and remainder of `u1:u0` by `d`, `u1` being less than `d`, whose reciprocal is `v`: algorithm 4 of Moeller and Granlund.
#[inline(always)]
pub(super) fn two_by_one<L: Limb>(u1: L, u0: L, d: L, v: L) -> (L, L) {
    let (low, high) = v.mul_add(u1, u0, L::ZERO);
    let quotient = high.add(u1).add(L::ONE);
    let rest = u0.sub(quotient.mul_low(d));
    let over = rest > low;
    let mut quotient = select_unpredictable(over, quotient.sub(L::ONE), quotient);
    let mut rest = select_unpredictable(over, rest.add(d), rest);
    if rest >= d {
        quotient = quotient.add(L::ONE);
        rest = rest.sub(d);
    }
    (quotient, rest)
}

/// Quotient and remainder (highest limb first) of `u` by `d` (likewise), the first two limbs of `u` being less than `d`, whose reciprocal is `v`:
/// algorithm 5 of Moeller and Granlund.
#[inline(always)]
pub(super) fn three_by_two<L: Limb>([u2, u1, u0]: [L; 3], [d1, d0]: [L; 2], v: L) -> (L, [L; 2]) {
    let (low, high) = v.mul_add(u2, u1, L::ZERO);
    let quotient = high.add(u2);
    let r1 = u1.sub(quotient.mul_low(d1));
    let (t0, t1) = quotient.mul_add(d0, L::ZERO, L::ZERO);
    let pair = |(r0, borrow): (L, bool), r1: L, t1: L| [r1.sub_borrow(t1, borrow).0, r0];
    let [r1, r0] = pair(u0.sub_borrow(t0, false), r1, t1);
    let [less1, less0] = pair(r0.sub_borrow(d0, false), r1, d1);
    let over = less1 >= low;
    let quotient = select_unpredictable(over, quotient, quotient.add(L::ONE));
    let [r1, r0] = [select_unpredictable(over, r1, less1), select_unpredictable(over, r0, less0)];
    if (r1, r0) >= (d1, d0) {
        return (quotient.add(L::ONE), pair(r0.sub_borrow(d0, false), r1, d1));
    }
    (quotient, [r1, r0])
}
