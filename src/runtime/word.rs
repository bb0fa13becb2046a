//! Access to words of the stack.

use revm_primitives::U256;

/// Reads a word limb by limb. A wider load of what was just written limb by limb waits until those stores have retired, so the compiler
/// must not merge these, which volatile reads prevent.
///
/// # Safety
/// `at` is valid for reads.
#[inline(always)]
pub(crate) unsafe fn read(at: *const U256) -> [u64; 4] {
    let at = at.cast::<u64>();
    // SAFETY: the caller's promise; a U256 is four limbs.
    unsafe { [at.read_volatile(), at.add(1).read_volatile(), at.add(2).read_volatile(), at.add(3).read_volatile()] }
}

/// A copy, made as [`read`] reads.
#[cfg(feature = "revm")]
#[inline(always)]
pub(crate) fn by_limbs(word: &U256) -> U256 {
    // SAFETY: a reference is valid for reads.
    U256::from_limbs(unsafe { read(word) })
}

/// A word where it is, for functions that read it limb by limb.
///
/// # Safety
/// `at` is valid for reads, and nobody writes there while the reference lives.
#[inline(always)]
pub(crate) unsafe fn limbs<'w>(at: *const U256) -> &'w [u64; 4] {
    // SAFETY: the caller's promise; a U256 is four limbs.
    unsafe { &*at.cast() }
}

/// Two limbs side by side, `low` first, in one vector register where the target has them.
#[inline(always)]
pub(crate) fn side_by_side(low: u64, high: u64) -> [u8; 16] {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 processor has SSE2. Both types are 16 bytes, of which any are valid.
        unsafe { core::mem::transmute(core::arch::x86_64::_mm_set_epi64x(high as i64, low as i64)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low.to_ne_bytes());
        bytes[8..].copy_from_slice(&high.to_ne_bytes());
        bytes
    }
}

/// Writes a word in the pieces in which whole words are copied: a read of those waits for stores of single limbs.
#[inline(always)]
pub(crate) fn write_in_halves(at: &mut U256, [a, b, c, d]: [u64; 4]) {
    let at = core::ptr::from_mut(at).cast::<[u8; 16]>();
    // SAFETY: a U256 is two halves, any bytes of which are valid.
    unsafe {
        at.write_unaligned(side_by_side(a, b));
        at.add(1).write_unaligned(side_by_side(c, d));
    }
}

/// Writes a word.
///
/// # Safety
/// `at` is valid for writes.
#[inline(always)]
pub(crate) unsafe fn write(at: *mut U256, limbs: [u64; 4]) {
    // SAFETY: the caller's promise.
    unsafe { at.write(U256::from_limbs(limbs)) }
}
