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

/// A word where it is, for functions that read it limb by limb.
///
/// # Safety
/// `at` is valid for reads, and nobody writes there while the reference lives.
#[inline(always)]
pub(crate) unsafe fn limbs<'w>(at: *const U256) -> &'w [u64; 4] {
    // SAFETY: the caller's promise; a U256 is four limbs.
    unsafe { &*at.cast() }
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
