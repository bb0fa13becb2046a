//! DIV, MOD, ADDMOD and MULMOD of words, with a memory of the moduli's reciprocals.

use super::Fast;
use super::divide::{divide, remainder_of_sum};
use super::limb::Limb;
use super::product::{Portable, Products, add, below, less};
use super::reciprocal::Reciprocal;

type Word = [u64; 4];

type Multiply = super::product::Multiply<u64>;

const ZERO: Word = [0; 4];

/// Moduli remembered.
const SLOTS: usize = 64;

/// Uses of a modulus, with no other in its place meanwhile, at which it is prepared: that takes as long as two divisions, which moduli that take turns
/// in a place would pay again and again.
pub(crate) const PREPARED: u8 = 4;

/// The moduli met last, with the reciprocals of those that were met several times.
#[derive(Debug)]
pub(crate) struct Reciprocals {
    /// The prepared modulus that was met last: mostly it is met again, and need not be hashed then. At first 1.
    last: Box<Known>,
    /// One place for each modulus, found by a hash of it. None, until the first modulus is to be remembered.
    slots: Vec<Slot>,
    /// What they multiply with, if not with [`Portable`].
    fast: Option<Fast>,
}

/// A modulus that is prepared.
#[derive(Debug)]
struct Known {
    multiply: Multiply,
    reciprocal: Prepared,
    /// Its slot.
    place: usize,
}

#[derive(Debug)]
struct Slot {
    divisor: Word,
    /// How often it was asked for in a row, up to [`PREPARED`].
    uses: u8,
    /// What it was prepared to, but for the last.
    known: Option<Box<Known>>,
}

impl Reciprocals {
    /// None known.
    pub(crate) fn new() -> Reciprocals {
        let fast = Fast::detected();
        Reciprocals { last: Box::new(Known::new(&[1, 0, 0, 0], 0, fast)), slots: Vec::new(), fast }
    }

    /// `divisor`, which is not 0, if it is the last, or as [`Reciprocals::find`].
    #[inline(always)]
    fn get(&mut self, divisor: &Word) -> Option<&Known> {
        if different(&self.last.reciprocal.divisor, divisor) { self.find_apart(divisor) } else { Some(&self.last) }
    }

    /// [`Reciprocals::find`], out of the way.
    #[inline(never)]
    fn find_apart(&mut self, divisor: &Word) -> Option<&Known> {
        self.find(divisor)
    }

    /// Makes `divisor`, which is not 0, the last, if it was asked for often enough.
    #[inline(always)]
    fn find(&mut self, divisor: &Word) -> Option<&Known> {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || Slot { divisor: ZERO, uses: 0, known: None });
        }
        let place = place(divisor);
        let slot = &mut self.slots[place];
        if different(&slot.divisor, divisor) {
            *slot = Slot { divisor: *divisor, uses: 1, known: None };
            return None;
        }
        slot.uses = PREPARED.min(slot.uses + 1);
        if slot.uses < PREPARED {
            return None;
        }
        let known = slot.known.take().unwrap_or_else(|| Box::new(Known::new(divisor, place, self.fast)));
        let before = core::mem::replace(&mut self.last, known);
        let slot = &mut self.slots[before.place];
        if !different(&slot.divisor, &before.reciprocal.divisor) {
            slot.known = Some(before);
        }
        Some(&self.last)
    }
}

impl Known {
    #[inline(never)]
    fn new(divisor: &Word, place: usize, fast: Option<Fast>) -> Known {
        let reciprocal = Reciprocal::new(divisor);
        Known { multiply: multiply_function(&reciprocal, fast), reciprocal, place }
    }

    /// `*out = *a * *b` modulo it.
    ///
    /// # Safety
    /// The pointers are valid; `out` may be that of an operand.
    #[inline(always)]
    unsafe fn multiply(&self, out: *mut Word, a: *const Word, b: *const Word) {
        // SAFETY: the caller's promise; the function was chosen for this reciprocal and this processor.
        unsafe { (self.multiply)(out, a, b, &self.reciprocal) }
    }
}

/// The slot of a modulus.
#[inline(always)]
fn place(divisor: &Word) -> usize {
    let mixed = divisor[0] ^ divisor[1].rotate_left(17) ^ divisor[2].rotate_left(31) ^ divisor[3].rotate_left(47);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % SLOTS
}

/// `a / b`, 0 where `b` is 0.
///
/// Without reciprocals: by one limb the machine divides faster, and divisors of more limbs are seldom the same.
#[inline(always)]
pub(crate) fn quotient(a: &Word, b: &Word) -> Word {
    if is_zero(b) || less(a, b) { ZERO } else { divide(a, b).0 }
}

/// `a mod b`, 0 where `b` is 0.
#[inline(always)]
pub(crate) fn remainder(a: &Word, b: &Word) -> Word {
    if is_zero(b) {
        return ZERO;
    }
    if less(a, b) { *a } else { divide(a, b).1 }
}

/// `(a + b) mod n`, 0 where `n` is 0.
#[inline(always)]
pub(crate) fn add_modulo(a: &Word, b: &Word, n: &Word) -> Word {
    if less(a, n) && less(b, n) { add_reduced(a, b, n) } else { add_any(a, b, n) }
}

/// [`add_modulo`] of numbers less than `n`.
#[inline(always)]
fn add_reduced(a: &Word, b: &Word, n: &Word) -> Word {
    let (sum, carry) = add(a, b);
    below(carry, &sum, n)
}

/// [`add_modulo`] of any numbers.
#[inline(always)]
fn add_any(a: &Word, b: &Word, n: &Word) -> Word {
    let (sum, carry) = add(a, b);
    reduce(carry, &sum, n, None)
}

/// `*out = (*a * *b) mod *n`, 0 where `*n` is 0.
///
/// # Safety
/// The pointers are valid; `out` may be that of an operand.
#[inline(always)]
pub(crate) unsafe fn multiply_modulo(
    out: *mut Word,
    a: *const Word,
    b: *const Word,
    n: *const Word,
    known: Option<&mut Reciprocals>,
) {
    // SAFETY: the caller's promise. (The calls are the last that is done, so they are jumps, and no registers are saved for those that need none.)
    unsafe {
        match known {
            Some(known) if !different(&known.last.reciprocal.divisor, &*n) => known.last.multiply(out, a, b),
            known if is_narrow(&*n) => multiply_by_limb(out, a, b, n, known),
            Some(known) => multiply_and_find(out, a, b, n, known),
            None => multiply_and_divide(out, a, b, n),
        }
    }
}

/// A divisor as compiled code has it: [`Reciprocal::to_limbs`].
pub(crate) type Prepared = Reciprocal<u64>;

/// [`multiply_modulo`] by a modulus that was prepared.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn multiply_prepared(
    out: *mut Word,
    a: *const Word,
    b: *const Word,
    n: *const Prepared,
    known: Option<&Reciprocals>,
) {
    // SAFETY: the caller's promise; the function is that of `n`.
    unsafe { multiply_function(&*n, known.and_then(|known| known.fast))(out, a, b, n) }
}

/// How to multiply modulo what `n` was prepared from. It needs the instructions of `fast`.
#[inline(always)]
fn multiply_function(n: &Prepared, fast: Option<Fast>) -> Multiply {
    match fast {
        Some(fast) => fast.multiply_function(n),
        None => Portable.multiply_function(n),
    }
}

/// [`remainder`] by a divisor that was prepared.
#[inline(always)]
pub(crate) fn remainder_prepared(a: &Word, b: &Prepared) -> Word {
    b.remainder(a)
}

/// `a mod n`, with `2^256` added to `a` if `high`; 0 where `n` is 0.
#[inline(always)]
pub(crate) fn reduce(high: bool, a: &Word, n: &Word, known: Option<&mut Reciprocals>) -> Word {
    if n[3] > 1 {
        return remainder_of_sum(high, a, n);
    }
    if !is_narrow(n) {
        if let Some(known) = known.and_then(|known| known.get(n)) {
            return known.reciprocal.remainder_of_sum(high, a);
        }
        let [a0, a1, a2, a3] = *a;
        return divide(&[a0, a1, a2, a3, high.into()], n).1;
    }
    if n[0] < 2 {
        return ZERO;
    }
    let rest = a.iter().rev().fold(high.into(), |rest: u64, &limb| rest.divide(limb, n[0]).1);
    [rest, 0, 0, 0]
}

/// [`multiply_modulo`] for a modulus of one limb or none that is not the last: only operands of more limbs make it worth finding.
///
/// # Safety
/// As there.
#[inline(never)]
unsafe extern "C" fn multiply_by_limb(
    out: *mut Word,
    a: *const Word,
    b: *const Word,
    n: *const Word,
    known: Option<&mut Reciprocals>,
) {
    // SAFETY: the caller's promise; the operands are not used any more when `out` is written.
    unsafe {
        let limb = (*n)[0];
        if limb == 0 {
            out.write(ZERO);
        } else if is_narrow(&*a) && is_narrow(&*b) {
            let (low, high) = (*a)[0].carrying_mul((*b)[0], 0);
            let high = if high < limb { high } else { high % limb };
            out.write([high.divide(low, limb).1, 0, 0, 0]);
        } else if let Some(known) = known {
            multiply_and_find(out, a, b, n, known);
        } else {
            multiply_and_divide(out, a, b, n);
        }
    }
}

/// [`multiply_modulo`] for a modulus other than 0 that is not the last.
///
/// # Safety
/// As there.
#[inline(never)]
unsafe extern "C" fn multiply_and_find(out: *mut Word, a: *const Word, b: *const Word, n: *const Word, known: &mut Reciprocals) {
    // SAFETY: the caller's promise.
    unsafe {
        match known.find(&*n) {
            Some(known) => known.multiply(out, a, b),
            None => multiply_and_divide(out, a, b, n),
        }
    }
}

/// [`multiply_modulo`] for a modulus other than 0 of which nothing is known.
///
/// # Safety
/// As there.
#[inline(never)]
unsafe extern "C" fn multiply_and_divide(out: *mut Word, a: *const Word, b: *const Word, n: *const Word) {
    // SAFETY: the caller's promise; the operands are not used any more when `out` is written.
    unsafe {
        let (a, b, n) = (&*a, &*b, &*n);
        out.write(if is_narrow(n) {
            let [a, b] = [a, b].map(|factor| divide(factor, n).1[0]);
            let (low, high) = a.carrying_mul(b, 0);
            [high.divide(low, n[0]).1, 0, 0, 0]
        } else {
            divide(&Portable.full(a, b), n).1
        });
    }
}

/// Whether all but the lowest limb are 0.
#[inline(always)]
fn is_narrow(a: &Word) -> bool {
    a[1] | a[2] | a[3] == 0
}

/// Whether two words differ: limb by limb, as they were written.
#[inline(always)]
fn different(a: &Word, b: &Word) -> bool {
    !is_zero(&[a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]])
}

#[inline(always)]
fn is_zero(a: &Word) -> bool {
    a[0] | a[1] | a[2] | a[3] == 0
}
