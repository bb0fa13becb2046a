//! The digits that the algorithms of this folder are written in: 64 bits wide, and 8 bits wide in tests, where operands can be run through.

use core::fmt::Debug;

/// An unsigned digit.
pub(crate) trait Limb: Copy + Ord + Debug {
    /// Its width.
    const BITS: u32;
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// All ones.
    const MAX: Self;
    /// Whether [`Limb::divide`] is one instruction.
    const DIVIDES: bool;

    /// `self * b + c + carry`, low and high digit: it always fits.
    fn mul_add(self, b: Self, c: Self, carry: Self) -> (Self, Self);
    /// Low digit of `self * b`.
    fn mul_low(self, b: Self) -> Self;
    /// `self + b + carry` and whether it carried.
    fn add_carry(self, b: Self, carry: bool) -> (Self, bool);
    /// `self - b - borrow` and whether it borrowed.
    fn sub_borrow(self, b: Self, borrow: bool) -> (Self, bool);
    /// `!self`
    fn not(self) -> Self;
    /// `self & b`
    fn and(self, b: Self) -> Self;
    /// `self | b`
    fn or(self, b: Self) -> Self;
    /// `a` if `first`, otherwise `b`, by masks: nobody could predict a branch.
    fn select(first: bool, a: Self, b: Self) -> Self;
    /// A small number.
    fn from_u8(number: u8) -> Self;
    /// Zero bits above the highest one.
    fn leading_zeros(self) -> u32;
    /// High digit of `self:low << by`, `by` being less than `BITS`.
    fn funnel_left(self, low: Self, by: u32) -> Self;
    /// Low digit of `self:low >> by`, `by` being less than `BITS`.
    fn funnel_right(self, low: Self, by: u32) -> Self;
    /// Its lower and its upper half.
    fn halves(self) -> [i64; 2];
    /// The digit of two halves, of which bits above a half do not count.
    fn from_halves(low: i64, high: i64) -> Self;
    /// Quotient and remainder of `self:low` by `d`, which is greater than `self`.
    fn divide(self, low: Self, d: Self) -> (Self, Self);
    /// `floor((B^2 - 1) / self) - B` of a digit whose highest bit is set, `B` being the base.
    fn reciprocal(self) -> Self;

    /// `self + b`, without what overflows.
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.add_carry(b, false).0
    }

    /// `self - b`, without what overflows.
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.sub_borrow(b, false).0
    }

    /// High digit of `self * b`.
    #[inline(always)]
    fn mul_high(self, b: Self) -> Self {
        self.mul_add(b, Self::ZERO, Self::ZERO).1
    }
}

macro_rules! limb {
    ($digit:ty, $double:ty, $divides:expr, $divide:expr, $reciprocal:expr) => {
        impl Limb for $digit {
            const BITS: u32 = <$digit>::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const MAX: Self = <$digit>::MAX;
            const DIVIDES: bool = $divides;

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self, carry: Self) -> (Self, Self) {
                self.carrying_mul_add(b, c, carry)
            }
            #[inline(always)]
            fn mul_low(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn add_carry(self, b: Self, carry: bool) -> (Self, bool) {
                self.carrying_add(b, carry)
            }
            #[inline(always)]
            fn sub_borrow(self, b: Self, borrow: bool) -> (Self, bool) {
                self.borrowing_sub(b, borrow)
            }
            #[inline(always)]
            fn not(self) -> Self {
                !self
            }
            #[inline(always)]
            fn and(self, b: Self) -> Self {
                self & b
            }
            #[inline(always)]
            fn or(self, b: Self) -> Self {
                self | b
            }
            #[inline(always)]
            fn select(first: bool, a: Self, b: Self) -> Self {
                b ^ ((a ^ b) & Self::from(first).wrapping_neg())
            }
            #[inline(always)]
            fn from_u8(number: u8) -> Self {
                number.into()
            }
            #[inline(always)]
            fn leading_zeros(self) -> u32 {
                <$digit>::leading_zeros(self)
            }
            #[inline(always)]
            fn funnel_left(self, low: Self, by: u32) -> Self {
                let by = by % Self::BITS;
                self << by | low >> 1 >> (Self::BITS - 1 - by)
            }
            #[inline(always)]
            fn funnel_right(self, low: Self, by: u32) -> Self {
                let by = by % Self::BITS;
                low >> by | self << 1 << (Self::BITS - 1 - by)
            }
            #[inline(always)]
            fn halves(self) -> [i64; 2] {
                let half = Self::BITS / 2;
                [(self & (Self::MAX >> half)) as i64, (self >> half) as i64]
            }
            #[inline(always)]
            fn from_halves(low: i64, high: i64) -> Self {
                let half = Self::BITS / 2;
                low as Self & (Self::MAX >> half) | (high as Self) << half
            }
            #[inline(always)]
            fn divide(self, low: Self, d: Self) -> (Self, Self) {
                let function: fn($digit, $digit, $digit) -> ($digit, $digit) = $divide;
                function(self, low, d)
            }
            #[inline(always)]
            fn reciprocal(self) -> Self {
                let function: fn($digit) -> $digit = $reciprocal;
                function(self)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
limb!(u64, u128, true, divide, |d| divide(!d, u64::MAX, d).0);
#[cfg(not(target_arch = "x86_64"))]
limb!(u64, u128, false, divide, reciprocal);
#[cfg(test)]
limb!(
    u8,
    u16,
    false,
    |high, low, d| {
        let u = u16::from(high) << 8 | u16::from(low);
        ((u / u16::from(d)) as u8, (u % u16::from(d)) as u8)
    },
    |d| (u16::MAX / u16::from(d) - 256) as u8
);

/// `high:low` by `d`, which is greater than `high`: 12 cycles on Zen 3.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn divide(high: u64, low: u64, d: u64) -> (u64, u64) {
    assert!(high < d, "a quotient of one digit");
    let (quotient, rest);
    // SAFETY: the quotient fits, so the instruction does not fault; it uses no memory.
    unsafe {
        core::arch::asm!(
            "div {d}",
            d = in(reg) d,
            inout("rax") low => quotient,
            inout("rdx") high => rest,
            options(pure, nomem, nostack),
        );
    }
    (quotient, rest)
}

/// `high:low` by `d`, which is greater than `high`.
#[cfg(not(target_arch = "x86_64"))]
fn divide(high: u64, low: u64, d: u64) -> (u64, u64) {
    let shift = d.leading_zeros();
    let d = d << shift;
    let (quotient, rest) = super::divide::two_by_one(high.funnel_left(low, shift), low << shift, d, d.reciprocal());
    (quotient, rest >> shift)
}

/// First approximations of reciprocals by the highest nine bits of the divisor, the first of which is set.
#[cfg(any(test, not(target_arch = "x86_64")))]
const FIRST: [u16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = (((1 << 19) - 3 * (1 << 8)) / (256 + i)) as u16;
        i += 1;
    }
    table
};

/// `floor((2^128 - 1) / d) - 2^64`, the highest bit of `d` being set: Moeller and Granlund, "Improved division by invariant integers" (2011),
/// algorithm 3. Each step doubles the good bits: 11, 21, 34, 65, and the last is exact (theorem 1 there).
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn reciprocal(d: u64) -> u64 {
    let (d40, d63, d0) = ((d >> 24) + 1, (d >> 1) + (d & 1), d & 1);
    let v0 = u64::from(FIRST[(d >> 55) as usize % 256]);
    let v1 = (v0 << 11) - ((v0 * v0 * d40) >> 40) - 1;
    let v2 = (v1 << 13) + ((v1 * ((1 << 60) - v1 * d40)) >> 47);
    let error = ((v2 >> 1) & d0.wrapping_neg()).wrapping_sub(v2.wrapping_mul(d63));
    let v3 = (v2 << 31).wrapping_add(v2.mul_high(error) >> 1);
    v3.wrapping_sub(v3.mul_add(d, d, 0).1.wrapping_add(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reciprocals_are_exact() {
        let exact = |d: u64| (u128::MAX / u128::from(d) - (1 << 64)) as u64;
        let mut divisors = vec![1 << 63, u64::MAX];
        for bit in 0..63 {
            let near = (1 << 63) | (1 << bit);
            divisors.extend([near, near + 1, near - 1, !(1 << bit), (1 << 63) | ((1 << bit) - 1)]);
        }
        let mut random = crate::math::tests::Random::new();
        divisors.extend((0..200_000).map(|_| random.limb() | 1 << 63));
        for d in divisors {
            assert_eq!([d.reciprocal(), reciprocal(d)], [exact(d); 2], "{d:#x}");
        }
        for d in 128..=255u8 {
            assert_eq!(u32::from(d.reciprocal()), 65535 / u32::from(d) - 256);
        }
    }
}
