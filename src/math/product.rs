//! Products of words, row by row (Knuth, The Art of Computer Programming 2, 4.3.1 M), and words added, subtracted, compared, shifted.

use super::limb::Limb;
use super::reciprocal::Reciprocal;

/// The products that modular arithmetic is made of: what a machine may have instructions for.
pub(crate) trait Products<L>: Copy {
    /// `a * b`
    fn full(self, a: &[L; 4], b: &[L; 4]) -> [L; 8];
    /// `a * a`
    fn square(self, a: &[L; 4]) -> [L; 8] {
        self.full(a, a)
    }
    /// How to multiply modulo what `n` was prepared from.
    fn multiply_function(self, n: &Reciprocal<L>) -> Multiply<L>;
}

/// `*out = *a * *b mod d`, the last being what `d` was prepared to.
///
/// # Safety
/// The pointers are valid, the function is one for this `d` and this processor; `out` may be that of an operand.
pub(crate) type Multiply<L> = unsafe extern "C" fn(out: *mut [L; 4], a: *const [L; 4], b: *const [L; 4], n: *const Reciprocal<L>);

/// Products of any digits on any machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

#[cfg(not(target_arch = "x86_64"))]
impl Portable {
    /// Nothing is faster there.
    pub(crate) fn detected() -> Option<Portable> {
        None
    }
}

impl<L: Limb> Products<L> for Portable {
    #[inline(always)]
    fn full(self, a: &[L; 4], b: &[L; 4]) -> [L; 8] {
        let mut product = [L::ZERO; 8];
        for i in 0..4 {
            let mut carry = L::ZERO;
            for j in 0..4 {
                (product[i + j], carry) = a[i].mul_add(b[j], product[i + j], carry);
            }
            product[i + 4] = carry;
        }
        product
    }

    fn multiply_function(self, _n: &Reciprocal<L>) -> Multiply<L> {
        multiply_portably
    }
}

/// See [`Multiply`].
///
/// # Safety
/// As there.
unsafe extern "C" fn multiply_portably<L: Limb>(out: *mut [L; 4], a: *const [L; 4], b: *const [L; 4], n: *const Reciprocal<L>) {
    // SAFETY: the caller's promise; the operands are not used any more when `out` is written.
    unsafe { out.write((*n).multiply(&*a, &*b, Portable)) }
}

/// `a * b`, without what is beyond a word.
#[inline(always)]
pub(crate) fn low<L: Limb>(a: &[L; 4], b: &[L; 4]) -> [L; 4] {
    add_low([L::ZERO; 4], a, b)
}

/// `sum + a * b`, without what is beyond a word.
#[inline(always)]
pub(super) fn add_low<L: Limb>(mut sum: [L; 4], a: &[L; 4], b: &[L; 4]) -> [L; 4] {
    for i in 0..4 {
        let mut carry = L::ZERO;
        for j in 0..3 - i {
            (sum[i + j], carry) = a[i].mul_add(b[j], sum[i + j], carry);
        }
        sum[3] = sum[3].add(a[i].mul_low(b[3 - i])).add(carry);
    }
    sum
}

/// `a + b * c`, and what is beyond a word.
#[inline(always)]
pub(super) fn add_multiple<L: Limb>(mut a: [L; 4], b: [L; 4], c: L) -> ([L; 4], L) {
    let mut carry = L::ZERO;
    for i in 0..4 {
        (a[i], carry) = b[i].mul_add(c, a[i], carry);
    }
    (a, carry)
}

/// `a * a`, without what is beyond a word: the products off the diagonal once, doubled.
#[inline(always)]
pub(crate) fn square(a: &[u64; 4]) -> [u64; 4] {
    let (p1, c) = a[0].mul_add(a[1], 0, 0);
    let (p2, c) = a[0].mul_add(a[2], c, 0);
    let p3 = a[0].mul_low(a[3]).wrapping_add(c).wrapping_add(a[1].mul_low(a[2]));
    let twice = [p1 << 1, p2.funnel_left(p1, 1), p3.funnel_left(p2, 1)];
    let (r0, high) = a[0].mul_add(a[0], 0, 0);
    let (r1, c) = twice[0].carrying_add(high, false);
    let (low, high) = a[1].mul_add(a[1], 0, 0);
    let (r2, c) = twice[1].carrying_add(low, c);
    [r0, r1, r2, twice[2].wrapping_add(high).wrapping_add(u64::from(c))]
}

/// `a + b` and whether it carried.
#[inline(always)]
pub(crate) fn add<L: Limb, const N: usize>(a: &[L; N], b: &[L; N]) -> ([L; N], bool) {
    add_carrying(a, b, false)
}

/// `a + b + carry` and whether it carried.
#[inline(always)]
pub(crate) fn add_carrying<L: Limb, const N: usize>(a: &[L; N], b: &[L; N], mut carry: bool) -> ([L; N], bool) {
    let mut sum = [L::ZERO; N];
    for i in 0..N {
        (sum[i], carry) = a[i].add_carry(b[i], carry);
    }
    (sum, carry)
}

/// `a - b` and whether it borrowed.
#[inline(always)]
pub(crate) fn sub<L: Limb, const N: usize>(a: &[L; N], b: &[L; N]) -> ([L; N], bool) {
    let (mut difference, mut borrow) = ([L::ZERO; N], false);
    for i in 0..N {
        (difference[i], borrow) = a[i].sub_borrow(b[i], borrow);
    }
    (difference, borrow)
}

/// Whether `a < b`: by the highest limb that differs, which is nearly always the same one for the same code.
#[inline(always)]
pub(crate) fn less<L: Limb, const N: usize>(a: &[L; N], b: &[L; N]) -> bool {
    for i in (1..N).rev() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
    }
    a[0] < b[0]
}

/// `a` if `first`, otherwise `b`, without a branch. (Limb by limb in so many words: the closure of an iterator is optimised before it is inlined, and
/// then chooses between addresses, for which both words must go to memory.)
#[inline(always)]
pub(crate) fn select<L: Limb>(first: bool, a: &[L; 4], b: &[L; 4]) -> [L; 4] {
    [L::select(first, a[0], b[0]), L::select(first, a[1], b[1]), L::select(first, a[2], b[2]), L::select(first, a[3], b[3])]
}

/// What `word`, which has `carried` beyond four limbs or not, is modulo `d`: less than `2 d`, so `d` is subtracted at most once.
#[inline(always)]
pub(crate) fn below<L: Limb>(carried: bool, word: &[L; 4], d: &[L; 4]) -> [L; 4] {
    let (less, borrow) = sub(word, d);
    select(carried | !borrow, &less, word)
}

/// As [`below`], behind a branch, for what seldom is as much as `d`.
#[inline(always)]
pub(crate) fn seldom_below<L: Limb>(carried: bool, word: &[L; 4], d: &[L; 4]) -> [L; 4] {
    if carried || word[3] >= d[3] { below(carried, word, d) } else { *word }
}

/// Significant limbs: `a` without the zeros above.
#[inline(always)]
pub(crate) fn len<L: Limb, const N: usize>(a: &[L; N]) -> usize {
    a.iter().rposition(|&limb| limb != L::ZERO).map_or(0, |highest| highest + 1)
}

/// Significant bits.
#[inline(always)]
pub(crate) fn bits<L: Limb, const N: usize>(a: &[L; N]) -> u32 {
    let len = len(a);
    if len == 0 { 0 } else { len as u32 * L::BITS - a[len - 1].leading_zeros() }
}

/// `a << by`, without what is beyond a word; `by` is less than the word's width.
#[inline(always)]
pub(crate) fn shl<L: Limb>(a: &[L; 4], by: u32) -> [L; 4] {
    let (limbs, bits) = ((by / L::BITS) as usize, by % L::BITS);
    let [a0, a1, a2, a3] = *a;
    let [r0, r1, r2, r3] =
        [a0.funnel_left(L::ZERO, bits), a1.funnel_left(a0, bits), a2.funnel_left(a1, bits), a3.funnel_left(a2, bits)];
    match limbs {
        0 => [r0, r1, r2, r3],
        1 => [L::ZERO, r0, r1, r2],
        2 => [L::ZERO, L::ZERO, r0, r1],
        _ => [L::ZERO, L::ZERO, L::ZERO, r0],
    }
}

/// Low word of `high:a >> by`; `by` is at most a word's width, and `high >> by` is 0.
#[inline(always)]
pub(crate) fn shr<L: Limb>(high: L, a: &[L; 4], by: u32) -> [L; 4] {
    let (limbs, bits) = ((by / L::BITS) as usize, by % L::BITS);
    let [a0, a1, a2, a3] = *a;
    match limbs {
        0 => [a1.funnel_right(a0, bits), a2.funnel_right(a1, bits), a3.funnel_right(a2, bits), high.funnel_right(a3, bits)],
        1 => [a2.funnel_right(a1, bits), a3.funnel_right(a2, bits), high.funnel_right(a3, bits), L::ZERO.funnel_right(high, bits)],
        2 => [a3.funnel_right(a2, bits), high.funnel_right(a3, bits), L::ZERO.funnel_right(high, bits), L::ZERO],
        3 => [high.funnel_right(a3, bits), L::ZERO.funnel_right(high, bits), L::ZERO, L::ZERO],
        _ => [high, L::ZERO, L::ZERO, L::ZERO],
    }
}
