//! Word operations: multiplication, division, modular arithmetic, and EXP.

use super::{Flow, limbs, run, word};

use crate::abi::Frame;
use revm_primitives::U256;

const ZERO: U256 = U256::ZERO;

/// Whether both words fit 64 bits.
#[inline(always)]
fn narrow(a: &U256, b: &U256) -> bool {
    let (a, b) = (a.as_limbs(), b.as_limbs());
    a[1] | a[2] | a[3] | b[1] | b[2] | b[3] == 0
}

#[inline(always)]
fn divide(a: U256, b: U256) -> U256 {
    if b.is_zero() {
        ZERO
    } else if narrow(&a, &b) {
        U256::from(a.as_limbs()[0] / b.as_limbs()[0])
    } else {
        a.wrapping_div(b)
    }
}

#[inline(always)]
fn remainder(a: U256, b: U256) -> U256 {
    if b.is_zero() {
        ZERO
    } else if narrow(&a, &b) {
        U256::from(a.as_limbs()[0] % b.as_limbs()[0])
    } else {
        a.wrapping_rem(b)
    }
}

/// The absolute value of a two's complement word, and whether it was negative.
#[inline(always)]
fn magnitude(word: U256) -> (U256, bool) {
    if word.bit(255) { (word.wrapping_neg(), true) } else { (word, false) }
}

/// `a / b` of two's complement words, rounded towards zero; 0 where `b` is 0; -2^255 / -1 is -2^255.
#[inline(always)]
fn divide_signed(a: U256, b: U256) -> U256 {
    let ((a, a_negative), (b, b_negative)) = (magnitude(a), magnitude(b));
    let quotient = divide(a, b);
    if a_negative != b_negative { quotient.wrapping_neg() } else { quotient }
}

/// Remainder of [`divide_signed`]: it has the sign of `a`.
#[inline(always)]
fn remainder_signed(a: U256, b: U256) -> U256 {
    let ((a, negative), (b, _)) = (magnitude(a), magnitude(b));
    let rest = remainder(a, b);
    if negative { rest.wrapping_neg() } else { rest }
}

/// `(a + b) mod n`, 0 where `n` is 0.
#[inline(always)]
fn add_modulo(a: U256, b: U256, n: U256) -> U256 {
    a.add_mod(b, n)
}

/// `(a * b) mod n`, 0 where `n` is 0.
#[inline(always)]
fn multiply_modulo(a: U256, b: U256, n: U256) -> U256 {
    a.mul_mod(b, n)
}

/// A word of the stack.
///
/// # Safety
/// `at` is valid.
#[inline(always)]
unsafe fn word(at: *const U256) -> U256 {
    // SAFETY: the caller's promise.
    U256::from_limbs(unsafe { word::read(at) })
}

/// Defines [`WordOp`](crate::abi::WordOp)s. Each is `unsafe` as that type says.
macro_rules! word_ops {
    ($($(#[$doc:meta])* $name:ident($a:ident $(, $b:ident)*) = $result:expr;)*) => {
        $($(#[$doc])*
        // Inlined, its local variables would cost the threaded interpreter's handler its jump.
        #[inline(never)]
        pub(crate) unsafe extern "C" fn $name(out: *mut U256, a: *const U256, b: *const U256, c: *const U256) {
            let _ = c;
            // SAFETY: the contract of WordOp: the pointers that the operation uses are valid; operands are read before `out` is written.
            unsafe {
                word_ops!(@read a b c; $a $($b)*);
                out.write($result);
            }
        })*
    };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident) => { let _ = $pb; let $a = word($pa); };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident $b:ident) => { let ($a, $b) = (word($pa), word($pb)); };
    (@read $pa:ident $pb:ident $pc:ident; $a:ident $b:ident $c:ident) => { let ($a, $b, $c) = (word($pa), word($pb), word($pc)); };
}

word_ops! {
    /// DIV
    div(a, b) = divide(a, b);
    /// SDIV
    sdiv(a, b) = divide_signed(a, b);
    /// MOD
    rem(a, b) = remainder(a, b);
    /// SMOD
    srem(a, b) = remainder_signed(a, b);
    /// ADDMOD
    addmod(a, b, n) = add_modulo(a, b, n);
    /// MULMOD
    mulmod(a, b, n) = multiply_modulo(a, b, n);
    /// SIGNEXTEND
    signextend(size, a) = U256::from_limbs(limbs::signextend(size.into_limbs(), a.into_limbs()));
    /// BYTE
    byte(index, a) = U256::from_limbs(limbs::byte(index.into_limbs(), a.into_limbs()));
    /// SHL
    shl(by, a) = U256::from_limbs(limbs::shl(by.into_limbs(), a.into_limbs()));
    /// SHR
    shr(by, a) = U256::from_limbs(limbs::shr(by.into_limbs(), a.into_limbs()));
    /// SAR
    sar(by, a) = U256::from_limbs(limbs::sar(by.into_limbs(), a.into_limbs()));
    /// CLZ
    clz(a) = U256::from_limbs(limbs::clz(a.into_limbs()));
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
    frame.replace(2, base.wrapping_pow(exponent));
    Ok(())
}
