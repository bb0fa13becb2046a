//! Published code as a Rust function: which integers go in and come out.
//!
//! The only place where machine code is entered by the platform's calling convention. Must never know who compiled it.

use super::CodePtr;
use core::marker::PhantomData;

/// Most integer arguments a function takes: those that the calling convention has in registers.
pub const MAX_ARGUMENTS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 6 };

/// What travels in an integer register.
pub trait Word: Copy {
    /// All 64 bits of the register; narrow integers are extended as their sign says.
    fn to_bits(self) -> u64;
    /// From the low bits of a register.
    fn from_bits(bits: u64) -> Self;
}

/// What a function is called with: nothing, a [`Word`], a tuple of two to [`MAX_ARGUMENTS`] of them, or an array of so many integers; they
/// are in `R(0)`.. in this order.
pub trait Arguments {
    /// The registers; what is not used is zero.
    fn registers(self) -> [u64; MAX_ARGUMENTS];
}

/// What a function returns: nothing, a [`Word`] in the target's `RESULTS[0]`, or two of them in its `RESULTS`.
pub trait Results {
    /// From the registers.
    fn from_registers(registers: [u64; 2]) -> Self;
}

macro_rules! words {
    ($($type:ty),*) => {
        $(impl Word for $type {
            fn to_bits(self) -> u64 {
                self as u64
            }

            fn from_bits(bits: u64) -> $type {
                bits as $type
            }
        }
        one! { [] $type })*
    };
}

/// A word by itself as arguments and as result.
macro_rules! one {
    ([$($generic:ident)?] $type:ty) => {
        impl$(<$generic>)? Arguments for $type {
            fn registers(self) -> [u64; MAX_ARGUMENTS] {
                first([self.to_bits()])
            }
        }

        impl$(<$generic>)? Results for $type {
            fn from_registers([first, _]: [u64; 2]) -> $type {
                <$type>::from_bits(first)
            }
        }
    };
}

words! { u8, u16, u32, u64, usize, i8, i16, i32, i64, isize }

impl<T> Word for *const T {
    fn to_bits(self) -> u64 {
        self as u64
    }

    fn from_bits(bits: u64) -> *const T {
        bits as *const T
    }
}

impl<T> Word for *mut T {
    fn to_bits(self) -> u64 {
        self as u64
    }

    fn from_bits(bits: u64) -> *mut T {
        bits as *mut T
    }
}

one! { [T] *const T }
one! { [T] *mut T }

/// These, and zeros behind them.
fn first<const N: usize>(words: [u64; N]) -> [u64; MAX_ARGUMENTS] {
    core::array::from_fn(|n| words.get(n).copied().unwrap_or(0))
}

impl Arguments for () {
    fn registers(self) -> [u64; MAX_ARGUMENTS] {
        [0; MAX_ARGUMENTS]
    }
}

impl Arguments for [u64; MAX_ARGUMENTS] {
    fn registers(self) -> [u64; MAX_ARGUMENTS] {
        self
    }
}

impl Results for () {
    fn from_registers(_: [u64; 2]) {}
}

impl<A: Word, B: Word> Results for (A, B) {
    fn from_registers([first, second]: [u64; 2]) -> (A, B) {
        (A::from_bits(first), B::from_bits(second))
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(impl<$($name: Word),+> Arguments for ($($name,)+) {
            #[allow(non_snake_case)] // the types' names stand for the values too
            fn registers(self) -> [u64; MAX_ARGUMENTS] {
                let ($($name,)+) = self;
                first([$($name.to_bits()),+])
            }
        })*
    };
}

tuples! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

#[cfg(target_arch = "aarch64")]
tuples! {
    A B C D E F G;
    A B C D E F G H;
}

/// How functions are called on each target: with all registers that arguments may be in, of which those that a function does not take are free.
macro_rules! entered {
    ($($cfg:meta: $($register:ident)+;)*) => {
        $(#[cfg($cfg)]
        type Code = unsafe extern "C" fn($(entered!(@word $register)),+) -> Pair;

        /// # Safety
        ///
        /// As for [`Function::call`].
        #[cfg($cfg)]
        #[inline(always)]
        unsafe fn enter(code: Code, [$($register),+]: [u64; MAX_ARGUMENTS]) -> Pair {
            // SAFETY: passed on.
            unsafe { code($($register),+) }
        })*
    };
    (@word $register:ident) => { u64 };
}

entered! {
    target_arch = "aarch64": a b c d e f g h;
    not(target_arch = "aarch64"): a b c d e f;
}

/// Published code as a function of `A` that returns `T`, as long as its memory lives.
pub struct Function<'code, A, T> {
    entry: CodePtr,
    code: PhantomData<&'code ()>,
    signature: PhantomData<fn(A) -> T>,
}

impl<A, T> Clone for Function<'_, A, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, T> Copy for Function<'_, A, T> {}

impl<A, T> core::fmt::Debug for Function<'_, A, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Function").field(&self.entry).finish()
    }
}

/// What the convention returns in two registers.
#[repr(C)]
struct Pair(u64, u64);

impl<A: Arguments, T: Results> Function<'_, A, T> {
    /// A function at an address.
    ///
    /// # Safety
    ///
    /// `entry` is published code, and stays so as long as the lifetime says.
    pub const unsafe fn new(entry: CodePtr) -> Self {
        Function { entry, code: PhantomData, signature: PhantomData }
    }

    /// Where it starts.
    pub const fn entry(self) -> CodePtr {
        self.entry
    }

    /// Calls it.
    ///
    /// # Safety
    ///
    /// The code is a function of the platform's calling convention (it saves what is callee-saved, and returns), which with these arguments
    /// accesses only memory that it may, and leaves what `T` says in the target's result registers.
    #[inline]
    pub unsafe fn call(self, args: A) -> T {
        let args = args.registers();
        // SAFETY: the caller promises that a function of this convention is there; the register of a result it does not have is free.
        let Pair(first, second) = unsafe { enter(core::mem::transmute::<*const (), Code>(self.entry.0 as *const ()), args) };
        T::from_registers([first, second])
    }
}

/// Calls published code as a function of integers.
///
/// # Panics
///
/// With more than [`MAX_ARGUMENTS`] arguments.
///
/// # Safety
///
/// `entry` is published code in an arena that outlives the call; the rest is as for [`Function::call`].
pub unsafe fn call(entry: CodePtr, args: &[u64]) -> u64 {
    assert!(args.len() <= MAX_ARGUMENTS, "too many arguments");
    let mut all = [0; MAX_ARGUMENTS];
    all[..args.len()].copy_from_slice(args);
    // SAFETY: passed on.
    unsafe { Function::<[u64; MAX_ARGUMENTS], u64>::new(entry).call(all) }
}
