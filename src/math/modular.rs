//! DIV, MOD, ADDMOD and MULMOD of words, with a memory of the moduli's reciprocals.

use super::Fast;
use super::divide::{divide, remainder_of_sum};
use super::limb::Limb;
use super::product::{Portable, Products, add, below, less};
use super::reciprocal::Reciprocal;

type Word = [u64; 4];

const ZERO: Word = [0; 4];

/// Moduli remembered.
const SLOTS: usize = 64;

/// Uses of a modulus, with no other in its place meanwhile, at which it is prepared: that takes as long as two divisions, which moduli that take turns
/// in a place would pay again and again.
pub(crate) const PREPARED: u8 = 4;

/// The moduli of two and more limbs met last, with the reciprocals of those that were met several times.
///
/// One place for each modulus, found by a hash of it.
#[derive(Clone, Debug)]
pub(crate) struct Reciprocals {
    /// None, until the first modulus is to be remembered.
    slots: Option<Box<[Slot; SLOTS]>>,
    /// The place of the modulus met last: mostly it is met again, and need not be hashed then.
    last: usize,
    /// What they multiply with, if not with [`Portable`].
    fast: Option<Fast>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    divisor: Word,
    /// How often it was asked for in a row, up to [`PREPARED`].
    uses: u8,
    reciprocal: Reciprocal<u64>,
}

impl Reciprocals {
    /// None known.
    pub(crate) fn new() -> Reciprocals {
        Reciprocals { slots: None, last: 0, fast: Fast::detected() }
    }

    /// The reciprocal of `divisor`, which is not 0, if it was asked for often enough.
    #[inline(always)]
    fn get(&mut self, divisor: &Word) -> Option<(&Reciprocal<u64>, Option<Fast>)> {
        if self.slots.is_none() {
            self.make_slots();
        }
        let slots = self.slots.as_mut()?;
        if different(&slots[self.last].divisor, divisor) {
            self.last = place(divisor);
        }
        let slot = &mut slots[self.last];
        if different(&slot.divisor, divisor) {
            (slot.divisor, slot.uses) = (*divisor, 1);
            return None;
        }
        if slot.uses < PREPARED && !slot.prepare() {
            return None;
        }
        Some((&slot.reciprocal, self.fast))
    }

    /// Makes room for the first modulus.
    #[cold]
    fn make_slots(&mut self) {
        let slot = Slot { divisor: ZERO, uses: 0, reciprocal: Reciprocal::new(&[1, 0, 0, 0]) };
        self.slots = Some(Box::new([slot; SLOTS]));
    }
}

impl Slot {
    /// One more use of a modulus that is not prepared; whether it is now.
    #[inline(never)]
    fn prepare(&mut self) -> bool {
        self.uses += 1;
        if self.uses == PREPARED {
            self.reciprocal = Reciprocal::new(&self.divisor);
        }
        self.uses == PREPARED
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
    reduce(carry, &sum, n)
}

/// `(a * b) mod n`, 0 where `n` is 0.
#[inline(always)]
pub(crate) fn multiply_modulo(a: &Word, b: &Word, n: &Word, known: Option<&mut Reciprocals>) -> Word {
    if n[1] | n[2] | n[3] == 0 {
        let [r0, r1, r2, r3] = multiply_by_limb(a, b, n[0]);
        return [r0, r1, r2, r3];
    }
    // In registers, not where functions that are called have put it.
    let [r0, r1, r2, r3] = match known {
        Some(known) => match known.get(n) {
            Some((reciprocal, Some(by))) => return reciprocal.multiply(a, b, by),
            Some((reciprocal, None)) => multiply_portably(reciprocal, a, b),
            None => multiply_and_divide(a, b, n),
        },
        None => multiply_and_divide(a, b, n),
    };
    [r0, r1, r2, r3]
}

/// A divisor as compiled code has it: [`Reciprocal::to_limbs`].
pub(crate) type Prepared = Reciprocal<u64>;

/// [`multiply_modulo`] by a modulus that was prepared.
#[inline(always)]
pub(crate) fn multiply_prepared(a: &Word, b: &Word, n: &Prepared, known: Option<&Reciprocals>) -> Word {
    if let Some(by) = known.and_then(|known| known.fast) {
        return n.multiply(a, b, by);
    }
    let [r0, r1, r2, r3] = multiply_portably(n, a, b);
    [r0, r1, r2, r3]
}

/// [`remainder`] by a divisor that was prepared.
#[inline(always)]
pub(crate) fn remainder_prepared(a: &Word, b: &Prepared, known: Option<&Reciprocals>) -> Word {
    match known.and_then(|known| known.fast) {
        Some(by) => b.remainder(a, by),
        None => b.remainder(a, Portable),
    }
}

/// `a mod n`, with `2^256` added to `a` if `high`; 0 where `n` is 0.
#[inline(always)]
pub(crate) fn reduce(high: bool, a: &Word, n: &Word) -> Word {
    if n[3] > 1 {
        return remainder_of_sum(high, a, n);
    }
    if is_zero(n) {
        return ZERO;
    }
    let [a0, a1, a2, a3] = *a;
    divide(&[a0, a1, a2, a3, high.into()], n).1
}

/// `(a * b) mod n` for a modulus of one limb, 0 where it is 0.
#[inline(never)]
fn multiply_by_limb(a: &Word, b: &Word, n: u64) -> Word {
    if n == 0 {
        return ZERO;
    }
    let reduced = |x: &Word| if x[1] | x[2] | x[3] == 0 && x[0] < n { x[0] } else { divide(x, &[n, 0, 0, 0]).1[0] };
    let (low, high) = reduced(a).carrying_mul(reduced(b), 0);
    [high.divide(low, n).1, 0, 0, 0]
}

/// `(a * b) mod n` by the reciprocal of `n`.
#[inline(never)]
fn multiply_portably(n: &Reciprocal<u64>, a: &Word, b: &Word) -> Word {
    n.multiply(a, b, Portable)
}

/// `(a * b) mod n` for a modulus met for the first time.
#[inline(never)]
fn multiply_and_divide(a: &Word, b: &Word, n: &Word) -> Word {
    divide(&Portable.full(a, b), n).1
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
