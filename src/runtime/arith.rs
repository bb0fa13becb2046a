//! Word operations as functions of pointers, and EXP.

use super::{Flow, limbs, memo, run, word};
use crate::abi::Frame;
use crate::math::{modular, power};
use core::ffi::c_void;
use limbs::Word;
use revm_primitives::U256;

/// The absolute value of a two's complement word, and whether it was negative.
#[inline(always)]
fn magnitude(word: Word) -> (Word, bool) {
    let negative = word[3] >> 63 == 1;
    (negate(negative, word), negative)
}

/// `-word` if `negative`, without a branch: nobody could predict it.
#[inline(always)]
fn negate(negative: bool, word: Word) -> Word {
    let mask = [u64::from(negative).wrapping_neg(); 4];
    limbs::sub(limbs::xor(word, mask), mask)
}

/// `a / b` of two's complement words, rounded towards zero; 0 where `b` is 0; -2^255 / -1 is -2^255.
#[inline(always)]
fn quotient_signed(a: Word, b: Word) -> Word {
    let ((a, a_negative), (b, b_negative)) = (magnitude(a), magnitude(b));
    negate(a_negative != b_negative, modular::quotient(&a, &b))
}

/// Remainder of [`quotient_signed`]: it has the sign of `a`.
#[inline(always)]
fn remainder_signed(a: Word, b: Word) -> Word {
    let ((a, negative), (b, _)) = (magnitude(a), magnitude(b));
    negate(negative, modular::remainder(&a, &b))
}

/// Defines [`WordOp`](crate::abi::WordOp)s. Each is `unsafe` as that type says.
macro_rules! word_ops {
    ($($(#[$doc:meta])* $name:ident($a:ident $(, $b:ident)*) = $result:expr;)*) => {
        $($(#[$doc])*
        // Inlined, its local variables would cost the threaded interpreter's handler its jump.
        #[inline(never)]
        pub(crate) unsafe extern "C" fn $name(out: *mut U256, a: *const U256, b: *const U256, c: *const U256, memo: *mut c_void) {
            let _ = (c, memo);
            // SAFETY: the contract of WordOp: the pointers that the operation uses are valid; operands are read before `out` is written.
            unsafe {
                word_ops!(@read a b c; $a $($b)*);
                word::write(out, $result);
            }
        })*
    };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident) => { let _ = $pb; let $a = word::read($pa); };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident $b:ident) => { let ($a, $b) = (word::read($pa), word::read($pb)); };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident $b:ident $c:ident) => {
        let ($a, $b, $c) = (word::read($pa), word::read($pb), word::read($pc));
    };
}

word_ops! {
    /// DIV
    div(a, b) = modular::quotient(&a, &b);
    /// SDIV
    sdiv(a, b) = quotient_signed(a, b);
    /// MOD
    rem(a, b) = modular::remainder(&a, &b);
    /// SMOD
    srem(a, b) = remainder_signed(a, b);
    /// ADDMOD. Without the reciprocals that the executor knows: to have them at hand would cost sums of reduced numbers 0.4 to 0.9 ns of 3.
    addmod(a, b, n) = modular::add_modulo(&a, &b, &n);
    /// SIGNEXTEND
    signextend(size, a) = limbs::signextend(size, a);
    /// BYTE
    byte(index, a) = limbs::byte(index, a);
    /// CLZ
    clz(a) = limbs::clz(a);
}

/// MULMOD: as the others, but operands are read in place, and moduli looked for among those that the executor knows.
pub(crate) unsafe extern "C" fn mulmod(out: *mut U256, a: *const U256, b: *const U256, n: *const U256, memo: *mut c_void) {
    // SAFETY: the contract of WordOp: the pointers are valid, and the memo is null or the executor's, which runs nothing else.
    unsafe {
        let known = memo::of(memo).map(|memo| &mut memo.reciprocals);
        modular::multiply_modulo(out.cast(), a.cast(), b.cast(), n.cast(), known);
    }
}

/// MULMOD by a modulus that is prepared: likewise.
pub(crate) unsafe extern "C" fn mulmod_prepared(out: *mut U256, a: *const U256, b: *const U256, n: *const U256, memo: *mut c_void) {
    // SAFETY: as above.
    unsafe {
        let known = memo::of(memo).map(|memo| &memo.reciprocals);
        modular::multiply_prepared(out.cast(), a.cast(), b.cast(), n.cast(), known);
    }
}

/// MOD by a divisor that is prepared: likewise.
pub(crate) unsafe extern "C" fn rem_prepared(out: *mut U256, a: *const U256, b: *const U256, _c: *const U256, _memo: *mut c_void) {
    // SAFETY: as above; the operand is not used any more when `out` is written.
    unsafe { word::write(out, modular::remainder_prepared(word::limbs(a), &*b.cast())) };
}

/// See [`Callouts::reduce`](crate::abi::Callouts).
///
/// # Safety
/// `frame` is valid and exclusively borrowed, and its memo null or the executor's; `modulus` is valid.
pub(super) unsafe extern "C" fn reduce(frame: *mut Frame, high: u64, modulus: *const U256) -> u64 {
    // SAFETY: the caller's promise.
    let (frame, modulus, memo) = unsafe { (&mut *frame, word::read(modulus), memo::of((*frame).memo)) };
    let known = memo.map(|memo| &mut memo.reciprocals);
    frame.scratch = U256::from_limbs(modular::reduce(high != 0, frame.scratch.as_limbs(), &modulus, known));
    0
}

/// EXP: pays per byte of the exponent.
///
/// # Safety
/// As [`FrameOp`](crate::abi::FrameOp).
pub(super) unsafe extern "C" fn exp(frame: *mut Frame) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { run(frame, exponentiate) }
}

fn exponentiate(frame: &mut Frame) -> Flow {
    let (base, exponent) = (frame.operand(1), frame.operand(2));
    frame.charge(frame.schedule().exp_byte * exponent.byte_len() as u64)?;
    frame.replace(2, U256::from_limbs(power::power(base.as_limbs(), exponent.as_limbs())));
    Ok(())
}
