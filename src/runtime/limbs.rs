//! Functions of words as four limbs, the least significant first.

/// A word.
pub(crate) type Word = [u64; 4];

/// A word of 64 bits.
#[inline(always)]
pub(crate) fn narrow(low: u64) -> Word {
    [low, 0, 0, 0]
}

/// Whether all limbs are zero.
#[inline(always)]
pub(crate) fn is_zero(a: Word) -> bool {
    a[0] | a[1] | a[2] | a[3] == 0
}

/// The word as a number that fits 64 bits; anything larger as the largest.
#[inline(always)]
pub(crate) fn saturated(a: Word) -> u64 {
    if a[1] | a[2] | a[3] != 0 { u64::MAX } else { a[0] }
}

#[inline(always)]
pub(crate) fn add(a: Word, b: Word) -> Word {
    let (r0, c) = a[0].overflowing_add(b[0]);
    let (r1, c) = a[1].carrying_add(b[1], c);
    let (r2, c) = a[2].carrying_add(b[2], c);
    let (r3, _) = a[3].carrying_add(b[3], c);
    [r0, r1, r2, r3]
}

/// `a - b` and whether it borrowed.
#[inline(always)]
fn subtract(a: Word, b: Word) -> (Word, bool) {
    let (r0, c) = a[0].overflowing_sub(b[0]);
    let (r1, c) = a[1].borrowing_sub(b[1], c);
    let (r2, c) = a[2].borrowing_sub(b[2], c);
    let (r3, c) = a[3].borrowing_sub(b[3], c);
    ([r0, r1, r2, r3], c)
}

#[inline(always)]
pub(crate) fn sub(a: Word, b: Word) -> Word {
    subtract(a, b).0
}

#[inline(always)]
pub(crate) fn mul(a: Word, b: Word) -> Word {
    // Row by row, without what overflows 256 bits.
    let (r0, c) = a[0].carrying_mul(b[0], 0);
    let (r1, c) = a[0].carrying_mul(b[1], c);
    let (r2, c) = a[0].carrying_mul(b[2], c);
    let r3 = a[0].wrapping_mul(b[3]).wrapping_add(c);

    let (r1, c) = a[1].carrying_mul_add(b[0], r1, 0);
    let (r2, c) = a[1].carrying_mul_add(b[1], r2, c);
    let r3 = a[1].wrapping_mul(b[2]).wrapping_add(c).wrapping_add(r3);

    let (r2, c) = a[2].carrying_mul_add(b[0], r2, 0);
    let r3 = a[2].wrapping_mul(b[1]).wrapping_add(c).wrapping_add(r3);

    let r3 = a[3].wrapping_mul(b[0]).wrapping_add(r3);
    [r0, r1, r2, r3]
}

#[inline(always)]
pub(crate) fn lt(a: Word, b: Word) -> Word {
    narrow(subtract(a, b).1 as u64)
}

#[inline(always)]
pub(crate) fn gt(a: Word, b: Word) -> Word {
    lt(b, a)
}

/// Moves the sign bit's meaning so that signed order is unsigned order.
#[inline(always)]
fn biased(a: Word) -> Word {
    [a[0], a[1], a[2], a[3] ^ (1 << 63)]
}

#[inline(always)]
pub(crate) fn slt(a: Word, b: Word) -> Word {
    lt(biased(a), biased(b))
}

#[inline(always)]
pub(crate) fn sgt(a: Word, b: Word) -> Word {
    slt(b, a)
}

#[inline(always)]
pub(crate) fn eq(a: Word, b: Word) -> Word {
    narrow(is_zero(xor(a, b)) as u64)
}

#[inline(always)]
pub(crate) fn and(a: Word, b: Word) -> Word {
    [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]]
}

#[inline(always)]
pub(crate) fn or(a: Word, b: Word) -> Word {
    [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]]
}

#[inline(always)]
pub(crate) fn xor(a: Word, b: Word) -> Word {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

#[inline(always)]
pub(crate) fn not(a: Word) -> Word {
    [!a[0], !a[1], !a[2], !a[3]]
}

/// BYTE: byte `index` of `a`, counted from the most significant.
#[inline(always)]
pub(crate) fn byte(index: Word, a: Word) -> Word {
    let index = saturated(index);
    if index >= 32 {
        return narrow(0);
    }
    narrow((a[3 - index as usize / 8] >> (56 - 8 * (index % 8))) & 0xff)
}

/// SIGNEXTEND: repeats the sign bit of the byte `size` (from the least significant) upwards.
#[inline(always)]
pub(crate) fn signextend(size: Word, a: Word) -> Word {
    let size = saturated(size);
    if size >= 31 {
        return a;
    }
    let limb = size as usize / 8;
    let unused = 56 - 8 * (size % 8);
    let extended = ((a[limb] << unused) as i64 >> unused) as u64;
    let sign = (extended as i64 >> 63) as u64;
    match limb {
        0 => [extended, sign, sign, sign],
        1 => [a[0], extended, sign, sign],
        2 => [a[0], a[1], extended, sign],
        _ => [a[0], a[1], a[2], extended],
    }
}

/// The high limb of `high:low << by`, `by` being less than 64.
#[inline(always)]
fn funnel_left(high: u64, low: u64, by: u32) -> u64 {
    (((high as u128) << 64 | low as u128) << by >> 64) as u64
}

/// The low limb of `high:low >> by`, `by` being less than 64.
#[inline(always)]
fn funnel_right(high: u64, low: u64, by: u32) -> u64 {
    (((high as u128) << 64 | low as u128) >> by) as u64
}

#[inline(always)]
pub(crate) fn shl(by: Word, a: Word) -> Word {
    let by = saturated(by);
    let bits = by as u32 % 64;
    match by / 64 {
        0 => [a[0] << bits, funnel_left(a[1], a[0], bits), funnel_left(a[2], a[1], bits), funnel_left(a[3], a[2], bits)],
        1 => [0, a[0] << bits, funnel_left(a[1], a[0], bits), funnel_left(a[2], a[1], bits)],
        2 => [0, 0, a[0] << bits, funnel_left(a[1], a[0], bits)],
        3 => [0, 0, 0, a[0] << bits],
        _ => [0; 4],
    }
}

#[inline(always)]
pub(crate) fn shr(by: Word, a: Word) -> Word {
    shift_right(by, a, 0)
}

#[inline(always)]
pub(crate) fn sar(by: Word, a: Word) -> Word {
    shift_right(by, a, (a[3] as i64 >> 63) as u64)
}

/// Shifts right, filling with the bits of `fill` (all equal).
#[inline(always)]
fn shift_right(by: Word, a: Word, fill: u64) -> Word {
    let by = saturated(by);
    let bits = by as u32 % 64;
    match by / 64 {
        0 => [
            funnel_right(a[1], a[0], bits),
            funnel_right(a[2], a[1], bits),
            funnel_right(a[3], a[2], bits),
            funnel_right(fill, a[3], bits),
        ],
        1 => [funnel_right(a[2], a[1], bits), funnel_right(a[3], a[2], bits), funnel_right(fill, a[3], bits), fill],
        2 => [funnel_right(a[3], a[2], bits), funnel_right(fill, a[3], bits), fill, fill],
        3 => [funnel_right(fill, a[3], bits), fill, fill, fill],
        _ => [fill; 4],
    }
}

#[inline(always)]
pub(crate) fn clz(a: Word) -> Word {
    narrow(if a[3] != 0 {
        a[3].leading_zeros()
    } else if a[2] != 0 {
        64 + a[2].leading_zeros()
    } else if a[1] != 0 {
        128 + a[1].leading_zeros()
    } else {
        192 + a[0].leading_zeros()
    } as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm_primitives::U256;

    fn samples() -> Vec<Word> {
        let limbs = [0, 1, 0x80, 0xff, 0x8000_0000_0000_0000, u64::MAX, 0x0123_4567_89ab_cdef];
        let mut words = vec![];
        for a in limbs {
            for b in limbs {
                words.extend([[a, b, 0, 0], [a, 0, 0, b], [b, a, b, a], [0, 0, b, a]]);
            }
        }
        words.extend((0..300).map(narrow));
        words
    }

    #[test]
    fn agrees_with_ruint() {
        let words = samples();
        let u = U256::from_limbs;
        for &a in &words {
            for &b in &words {
                assert_eq!(u(add(a, b)), u(a).wrapping_add(u(b)));
                assert_eq!(u(sub(a, b)), u(a).wrapping_sub(u(b)));
                assert_eq!(u(mul(a, b)), u(a).wrapping_mul(u(b)), "{a:x?} {b:x?}");
                assert_eq!(lt(a, b)[0] == 1, u(a) < u(b));
                assert_eq!(gt(a, b)[0] == 1, u(a) > u(b));
                assert_eq!(eq(a, b)[0] == 1, a == b);
                let by = saturated(a).min(256) as usize;
                assert_eq!(u(shl(a, b)), if by < 256 { u(b) << by } else { U256::ZERO });
                assert_eq!(u(shr(a, b)), if by < 256 { u(b) >> by } else { U256::ZERO });
                assert_eq!(u(sar(a, b)), u(b).arithmetic_shr(by));
                let negative = |w: Word| w[3] >> 63 == 1;
                let signed = if negative(a) == negative(b) { u(a) < u(b) } else { negative(a) };
                assert_eq!(slt(a, b)[0] == 1, signed);
                assert_eq!(sgt(b, a)[0] == 1, signed);
                assert_eq!(byte(a, b)[0], if by < 32 { u(b).byte(31 - by) as u64 } else { 0 });
                let extended = if by < 31 { (u(b) << (248 - 8 * by)).arithmetic_shr(248 - 8 * by) } else { u(b) };
                assert_eq!(u(signextend(a, b)), extended);
            }
            assert_eq!(clz(a)[0] as usize, u(a).leading_zeros());
            assert_eq!(is_zero(a), u(a).is_zero());
            assert_eq!(u(not(a)), !u(a));
        }
    }
}
