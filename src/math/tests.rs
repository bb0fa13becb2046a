//! Tests of the folder: words against `ruint`, and the same code on limbs of eight bits against the machine's integers.
//!
//! How many random cases: `EJIT_MATH_CASES`, by default some hundred thousand (in all tests together). For tens of millions:
//! `EJIT_MATH_CASES=20000000 cargo test --profile fast --no-default-features --features evm --lib math`.

use super::Fast;
use super::divide::{digit_of_two, divide, reciprocal_of_two, remainder_of_sum, three_by_two, two_by_one};
use super::limb::Limb;
use super::modular::{self, PREPARED, Prepared, Reciprocals, quotient, remainder, remainder_prepared};
use super::power::power;
use super::product::{Portable, Products, add, less, low, shl, shr, square};
use super::reciprocal::Reciprocal;
use revm_primitives::U256;

type Word = [u64; 4];

/// A generator of test operands (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    /// Always the same sequence.
    pub(crate) fn new() -> Random {
        Random(1)
    }

    /// The next limb.
    pub(crate) fn limb(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of `count`.
    fn below(&mut self, count: u64) -> u64 {
        self.limb() % count
    }

    /// A limb that is often near a power of two.
    fn edge(&mut self) -> u64 {
        let near = 1u64 << self.below(64);
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => near,
            3 => near - 1,
            4 => near.wrapping_neg(),
            5 => self.limb() >> self.below(64),
            _ => self.limb(),
        }
    }

    /// A word of any number of limbs.
    pub(crate) fn word(&mut self) -> Word {
        let len = self.below(5) as usize;
        core::array::from_fn(|i| if i < len { self.edge() } else { 0 })
    }

    /// An operand, often near a multiple of `n`.
    fn operand(&mut self, n: U256) -> Word {
        let word = U256::from_limbs(self.word());
        let near = match self.below(4) {
            0 => n,
            1 => n.wrapping_mul(word.checked_div(n).unwrap_or_default()),
            _ => return word.into_limbs(),
        };
        near.wrapping_add(U256::from(self.below(5))).wrapping_sub(U256::from(2)).into_limbs()
    }
}

fn cases(share: usize) -> usize {
    let all = std::env::var("EJIT_MATH_CASES").map_or(600_000, |text| text.parse().expect("EJIT_MATH_CASES is a number"));
    all / share
}

/// How many of the known moduli are used by contracts: the first.
const NAMED: u64 = 9;

/// Moduli that contracts use, and others with a form of their own.
fn known_moduli() -> Vec<Word> {
    let one = U256::from(1);
    let hex = |text: &str| U256::from_str_radix(text, 16).unwrap();
    let mut moduli = vec![
        // The fields and orders of secp256k1, P-256, BN254, BLS12-381 (order), ed25519.
        hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
        hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
        hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        hex("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"),
        hex("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"),
        hex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"),
        hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"),
        U256::MAX,
        U256::from(10).pow(U256::from(18)),
        U256::from(10_000),
    ];
    for bit in 0..256usize {
        let power = one << bit;
        moduli.extend([power, power - one, power + one, power.wrapping_neg(), power.wrapping_neg() - one]);
    }
    moduli.retain(|n| !n.is_zero());
    moduli.into_iter().map(U256::into_limbs).collect()
}

/// `(a + b) mod n`, sums that are not reduced as compiled code has them reduced.
fn add_modulo_known(a: &Word, b: &Word, n: &Word, known: &mut Reciprocals) -> Word {
    if less(a, n) && less(b, n) {
        return modular::add_modulo(a, b, n);
    }
    let (sum, carry) = add(a, b);
    modular::reduce(carry, &sum, n, Some(known))
}

/// `(a * b) mod n`
fn multiply_modulo(a: &Word, b: &Word, n: &Word, known: Option<&mut Reciprocals>) -> Word {
    let mut result = [0; 4];
    // SAFETY: references are valid.
    unsafe { modular::multiply_modulo(&mut result, a, b, n, known) };
    result
}

/// `(a * b) mod n`, put where `a` was.
fn multiply_prepared(a: &Word, b: &Word, n: &Prepared, known: Option<&Reciprocals>) -> Word {
    let mut result = *a;
    let (out, b) = (&raw mut result, if core::ptr::eq(a, b) { &raw const result } else { b });
    // SAFETY: the pointers are those of words that live.
    unsafe { modular::multiply_prepared(out, out, b, n, known) };
    result
}

/// Everything that takes operands and a modulus or divisor, against `ruint`.
fn check(a: Word, b: Word, n: Word, known: &mut Reciprocals) {
    let [x, y, m] = [a, b, n].map(U256::from_limbs);
    let note = || format!("{a:x?} {b:x?} {n:x?}");
    let quotient_is = x.checked_div(m).unwrap_or_default().into_limbs();
    let remainder_is = x.checked_rem(m).unwrap_or_default().into_limbs();
    let (sum_is, product_is) = (x.add_mod(y, m).into_limbs(), x.mul_mod(y, m).into_limbs());
    assert_eq!(quotient(&a, &n), quotient_is, "{}", note());
    assert_eq!(remainder(&a, &n), remainder_is, "{}", note());
    assert_eq!(modular::add_modulo(&a, &b, &n), sum_is, "{}", note());
    assert_eq!(add_modulo_known(&a, &b, &n, known), sum_is, "{}", note());
    assert_eq!(multiply_modulo(&a, &b, &n, None), product_is, "{}", note());
    // For the first time, again, and prepared.
    for _ in 0..PREPARED {
        assert_eq!(multiply_modulo(&a, &b, &n, Some(known)), product_is, "{}", note());
    }
    assert_eq!(add_modulo_known(&a, &b, &n, known), sum_is, "{}", note());
    // The same word twice.
    let square_is = x.mul_mod(x, m).into_limbs();
    assert_eq!(multiply_modulo(&a, &a, &n, Some(known)), square_is, "{}", note());
    if !m.is_zero() {
        let reciprocal = Reciprocal::new(&n);
        assert_eq!(remainder_prepared(&a, &reciprocal), remainder_is, "{}", note());
        assert_eq!(reciprocal.multiply(&a, &b, Portable), product_is, "{}", note());
        for known in [None, Some(&*known)] {
            assert_eq!(multiply_prepared(&a, &b, &reciprocal, known), product_is, "{}", note());
            assert_eq!(multiply_prepared(&a, &a, &reciprocal, known), square_is, "{}", note());
        }
    }
}

#[test]
fn known_moduli_agree_with_ruint() {
    let mut known = Reciprocals::new();
    let mut random = Random::new();
    let ones = [u64::MAX; 4];
    for n in known_moduli() {
        let below = U256::from_limbs(n).wrapping_sub(U256::from(1)).into_limbs();
        let above = U256::from_limbs(n).wrapping_add(U256::from(1)).into_limbs();
        let edges = [[0; 4], [1, 0, 0, 0], n, below, above, ones];
        for a in edges {
            for b in edges {
                check(a, b, n, &mut known);
            }
            check(a, random.word(), n, &mut known);
        }
    }
}

#[test]
fn random_operands_agree_with_ruint() {
    let mut known = Reciprocals::new();
    let mut random = Random::new();
    let moduli = known_moduli();
    for case in 0..cases(4) {
        let n = match case % 4 {
            0 => moduli[random.below(moduli.len() as u64) as usize],
            1 => moduli[random.below(NAMED) as usize],
            _ => random.word(),
        };
        let (a, b) = (random.operand(U256::from_limbs(n)), random.operand(U256::from_limbs(n)));
        check(a, b, n, &mut known);
    }
}

/// Products just below and above multiples of the modulus, where an estimate leaves open which quotient it is: factors are small multiples of each
/// other's inverses.
#[test]
fn products_near_multiples_agree_with_ruint() {
    let mut known = Reciprocals::new();
    let mut random = Random::new();
    let moduli = known_moduli();
    let mut near = 0;
    for case in 0..cases(10) {
        let n = match case % 5 {
            0 => moduli[case / 5 % moduli.len()],
            1 => moduli[case / 5 % NAMED as usize],
            2 => [random.edge(), random.edge(), random.edge(), random.limb() >> random.below(64)],
            _ => random.word(),
        };
        let (a, m) = (random.word(), U256::from_limbs(n));
        let Some(inverse) = U256::from_limbs(a).inv_mod(m) else { continue };
        let b = inverse.mul_mod(U256::from(random.below(4)), m);
        // Remainders whose lower limbs are 0: what carries into them goes on.
        let even = inverse.mul_mod(U256::from(1) << (64 * random.below(4) as usize), m);
        for b in [b, m.wrapping_sub(b), even] {
            check(a, b.into_limbs(), n, &mut known);
            near += 1;
        }
    }
    assert!(near > cases(10) / 4, "{near}");
}

/// Sums just below and above multiples of the modulus, as many of them with a carry as without.
#[test]
fn sums_near_multiples_agree_with_ruint() {
    let mut known = Reciprocals::new();
    let mut random = Random::new();
    let moduli = known_moduli();
    let mut carried = 0;
    for case in 0..cases(10) {
        let n = if case % 2 == 0 { moduli[case / 2 % moduli.len()] } else { random.word() };
        let (a, m) = (U256::from_limbs(random.word()), U256::from_limbs(n));
        let Some(rest) = a.checked_rem(m) else { continue };
        // With `b` the sum is a multiple, whichever word it is taken below.
        let some = U256::from_limbs(random.word());
        let b = some.wrapping_sub(some.add_mod(rest, m));
        for b in [b, b.wrapping_sub(U256::from(1)), b.wrapping_add(U256::from(1))] {
            carried += usize::from(a.overflowing_add(b).1);
            check(a.into_limbs(), b.into_limbs(), n, &mut known);
        }
    }
    assert!(carried > cases(10) / 4, "{carried}");
}

#[test]
fn products_and_shifts_agree_with_ruint() {
    let mut random = Random::new();
    for _ in 0..cases(4) {
        let (a, b) = (random.word(), random.word());
        let (x, y) = (U256::from_limbs(a), U256::from_limbs(b));
        let (low_half, all) = (x.wrapping_mul(y).into_limbs(), Portable.full(&a, &b));
        assert_eq!(low(&a, &b), low_half);
        assert_eq!(all[..4], low_half);
        let product: revm_primitives::ruint::Uint<512, 8> = x.widening_mul(y);
        assert_eq!(&all, product.as_limbs());
        assert_eq!(square(&a), low(&a, &a), "{a:x?}");
        let by = random.below(256) as u32;
        assert_eq!(shl(&a, by), (x << by as usize).into_limbs());
        assert_eq!(shr(0, &a, by), (x >> by as usize).into_limbs());
    }
}

/// The instructions of this machine, if it has any, against plain Rust.
#[test]
fn fast_products_agree_with_portable_ones() {
    let Some(fast) = Fast::detected() else {
        println!("this processor has no instructions of its own for products");
        return;
    };
    let mut random = Random::new();
    for _ in 0..cases(4) {
        let (a, b) = (random.word(), random.word());
        assert_eq!(fast.full(&a, &b), Portable.full(&a, &b), "{a:x?} {b:x?}");
        assert_eq!(fast.square(&a), Portable.full(&a, &a), "{a:x?}");
    }
}

#[test]
fn powers_agree_with_ruint() {
    let mut random = Random::new();
    let check = |base: Word, exponent: Word| {
        let expected = U256::from_limbs(base).wrapping_pow(U256::from_limbs(exponent)).into_limbs();
        assert_eq!(power(&base, &exponent), expected, "{base:x?} {exponent:x?}");
    };
    for base in 0..=258 {
        for exponent in (0..=260).chain([1 << 29, 1 << 30, 1 << 31, u64::MAX]) {
            check([base, 0, 0, 0], [exponent, 0, 0, 0]);
            check([u64::MAX - base, u64::MAX, u64::MAX, u64::MAX], [exponent, 0, 0, 0]);
        }
    }
    for bit in 0..256usize {
        let power = (U256::from(1) << bit).into_limbs();
        for other in [[3, 0, 0, 0], [1 << 40, 0, 0, 0], [u64::MAX; 4], power] {
            check(power, other);
            check(other, power);
        }
    }
    for _ in 0..cases(40) {
        check(random.word(), random.word());
        check(random.word(), [random.edge(), 0, 0, 0]);
    }
}

/// Divisions by one and two limbs, with all operands.
#[test]
fn small_digits_divide_exactly() {
    for d in 128..=255u8 {
        let v = d.reciprocal();
        for high in 0..d {
            for low in 0..=255 {
                let u = u16::from(high) << 8 | u16::from(low);
                assert_eq!(two_by_one(high, low, d, v), ((u / u16::from(d)) as u8, (u % u16::from(d)) as u8));
            }
        }
    }
    for d in 1 << 15..1 << 16u32 {
        let (d1, d0) = ((d >> 8) as u8, d as u8);
        let v = reciprocal_of_two(d1, d0);
        assert_eq!(u32::from(v), (((1u64 << 24) - 1) / u64::from(d)) as u32 - 256, "{d:#x}");
        let mut random = Random(d.into());
        let highs = [0, 1, d - 1, d - 2, d / 2, random.below(d.into()) as u32, random.below(d.into()) as u32];
        for high in highs {
            for low in 0..=255u8 {
                let u = high << 8 | u32::from(low);
                let digits = [(high >> 8) as u8, high as u8, low];
                for (quotient, [r1, r0]) in [three_by_two(digits, [d1, d0], v), digit_of_two(digits, [d1, d0])] {
                    assert_eq!((u32::from(quotient), u32::from(r1) << 8 | u32::from(r0)), (u / d, u % d), "{u:#x} {d:#x}");
                }
            }
        }
    }
}

/// As the algorithms know nothing of a limb's width but that, what holds for all pairs here does so for a reason. Estimates are uncertain
/// once in twenty times with eight bits, so that path is taken often.
#[test]
fn small_words_agree_with_integers() {
    let mut random = Random::new();
    let word = |number: u64| -> [u8; 4] { (number as u32).to_le_bytes() };
    let check = |a: u64, b: u64, n: u64| {
        let reciprocal = Reciprocal::new(&word(n));
        assert_eq!(reciprocal.remainder(&word(a)), word(a % n), "{a:#x} {n:#x}");
        assert_eq!(reciprocal.multiply(&word(a), &word(b), Portable), word(a * b % n), "{a:#x} {b:#x} {n:#x}");
        let sum = a + (1 << 32);
        assert_eq!(reciprocal.remainder_of_sum(true, &word(a)), word(sum % n), "{sum:#x} {n:#x}");
        if n >= 2 << 24 {
            assert_eq!(remainder_of_sum(false, &word(a), &word(n)), word(a % n), "{a:#x} {n:#x}");
            assert_eq!(remainder_of_sum(true, &word(a), &word(n)), word(sum % n), "{sum:#x} {n:#x}");
        }
        assert_eq!(divide(&word(a), &word(n)), (word(a / n), word(a % n)), "{a:#x} {n:#x}");
        assert_eq!(divide(&(a * b).to_le_bytes(), &word(n)), ((a * b / n).to_le_bytes(), word(a * b % n)), "{a:#x} {b:#x} {n:#x}");
    };
    let top = u64::from(u32::MAX);
    // The one that stands for P-256's prime.
    for _ in 0..cases(20) {
        check(random.limb() & top, random.limb() & top, 0xf100_0fff);
    }
    // All divisors of two limbs, and as many at either end of the larger ones and around powers of two.
    let around = |power: u64| power - 0x8000..=power + 0x8000;
    let powers = [23, 24, 27, 28, 29, 30, 31].into_iter().flat_map(|bit| around(1 << bit));
    for n in (1..=0xffff).chain(powers).chain(top - 0xffff..=top) {
        for a in [top, top / n * n, top / n * n - 1, n - 1, random.limb() & top] {
            check(a, random.limb() & top, n);
            check(a, n - 1, n);
        }
    }
    for _ in 0..cases(4) {
        let n = ((random.limb() & top) >> random.below(32)).max(1);
        check((random.limb() & top) >> random.below(32), random.limb() & top, n);
    }
}
