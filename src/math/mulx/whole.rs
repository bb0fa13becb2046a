//! MULMOD as one piece of machine code, from the operands in memory to the result there: a compiler that puts the pieces of
//! [`Reciprocal::multiply`] together moves limbs between registers and the stack as often as it multiplies.
//!
//! Each function does what `Reciprocal::multiply` does, which has the reasons, for the moduli of one form. Tests compare both. In the code, `rax` and `rbp` are low and
//! high half of what was multiplied last. Whatever seldom happens is behind a branch at the end.

use super::super::reciprocal::{ANY, ERROR_OF_UPPER, Form, Reciprocal};
use super::Mulx;
use super::rows::{
    add, answer, carry, difference, estimate, extend, grown, high, lines, product, rest, restore, row, save, square, sums, take_if,
};
use core::arch::naked_asm;
use core::mem::offset_of;

type Word = [u64; 4];

type Prepared = Reciprocal<u64>;

/// `*out = *a * *b mod d`, where `d` has `BY` zero bits above it, or that is [`ANY`]: `Reciprocal::multiply_upper`.
///
/// # Safety
/// The pointers are valid, and the processor has the instructions; `out` may be that of an operand.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_upper<const BY: u32>(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        save!(),
        "cmp rsi, rbx",
        "je 3f",
        // The product from index 2 on: r15, r8 to r12.
        "mov rdx, [rsi]",
        "mulx r8, r15, [rbx + 16]",
        "mulx r9, rax, [rbx + 24]",
        "add r8, rax",
        "adc r9, 0",
        row!("[rsi + 8]", "edi"),
        grown!("rbx + 8"; "r15", "r8", "r9"; "r10", "rdi"),
        row!("[rsi + 16]", "edi"),
        grown!("rbx"; "r15", "r8", "r9", "r10"; "r11", "rdi"),
        row!("[rsi + 24]", "edi"),
        grown!("rbx"; "r8", "r9", "r10", "r11"; "r12", "rdi"),
        // What it lacks: r13, r14, added to r15 and r8.
        "mov rdi, r8",
        "mov rdx, [rsi]",
        "mulx r14, r13, [rbx]",
        "mulx rbp, rax, [rbx + 8]",
        "add r14, rax",
        "adc r15, rbp",
        "adc r8, 0",
        "mov rdx, [rsi + 8]",
        "mulx rbp, rax, [rbx]",
        "add r14, rax",
        "adc r15, rbp",
        "adc r8, 0",
        // From index 3 on, where rdi is what r8 was, for the quotient.
        "2:",
        "mov rdx, rdi",
        "mulx rdi, rax, [rcx + {half} + 32]",
        // The fraction and the quotient: rdi, r9 to r12, each limb in the place of the factor's that is not needed any more.
        estimate!("r9", "rcx + {half} + 24"; "rdi"; "r9"),
        estimate!("r10", "rcx + {half} + 16"; "rdi", "r9"; "r10"),
        estimate!("r11", "rcx + {half} + 8"; "rdi", "r9", "r10"; "r11"),
        estimate!("r12", "rcx + {half}"; "rdi", "r9", "r10", "r11"; "r12"),
        // Shifted, and so is the error, which is added to the fraction then.
        ".if {by} == 0",
        "add rdi, rdi",
        "adc r9, r9",
        "adc r10, r10",
        "adc r11, r11",
        "adc r12, r12",
        ".elseif {by} < {any}",
        "mov rax, r11",
        "shr rax, 63 - {by}",
        "lea r12, [rax + {factor} * r12]",
        "mov rbp, r10",
        "shr rbp, 63 - {by}",
        "lea r11, [rbp + {factor} * r11]",
        "mov rax, r9",
        "shr rax, 63 - {by}",
        "lea r10, [rax + {factor} * r10]",
        "mov rbp, rdi",
        "shr rbp, 63 - {by}",
        "lea r9, [rbp + {factor} * r9]",
        "shl rdi, {by} + 1",
        ".else",
        "mov rsi, [rcx + {shift}]",
        "mov ebx, 63",
        "sub ebx, esi",
        "inc esi",
        "shrx rax, r11, rbx",
        "shlx r12, r12, rsi",
        "or r12, rax",
        "shrx rbp, r10, rbx",
        "shlx r11, r11, rsi",
        "or r11, rbp",
        "shrx rax, r9, rbx",
        "shlx r10, r10, rsi",
        "or r10, rax",
        "shrx rbp, rdi, rbx",
        "shlx r9, r9, rsi",
        "or r9, rbp",
        "shlx rdi, rdi, rsi",
        "mov ebx, {error}",
        "shlx rbx, rbx, rsi",
        ".endif",
        // The quotient's multiple of minus the modulus added.
        rest!("r9", "r10", "r11", "r12"),
        ".if {by} < {any}",
        "add rdi, {error} << ({by} + 1)",
        ".else",
        "add rdi, rbx",
        ".endif",
        "jc 6f",
        "7:",
        answer!(),
        "3:",
        square!(),
        "mov rdi, r8",
        "jmp 2b",
        // The modulus less, if that is not less than 0.
        "6:",
        difference!(),
        "test rbx, rbx",
        take_if!("ns"),
        "jmp 7b",
        by = const BY,
        any = const ANY,
        factor = const 2 << BY,
        error = const ERROR_OF_UPPER,
        shift = const offset_of!(Prepared, shift),
        half = const offset_of!(Prepared, half),
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}

/// `*out = *a * *b mod d`, where `d` is `2^(256 - BY) - c`, `BY` being at most 1: `Reciprocal::fold`.
///
/// # Safety
/// As [`multiply_upper`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_fold<const BY: u32>(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        save!(),
        "cmp rsi, rbx",
        "je 3f",
        product!(),
        "2:",
        // The lower half and the upper one times `2^BY * c`: r13 to r15, r8, rdi.
        "mov rsi, [rcx + {minus}]",
        "lea rdx, [{factor} * rsi]",
        "xor ebx, ebx",
        add!("r9", "r13", "r14"),
        add!("r10", "r14", "r15"),
        add!("r11", "r15", "r8"),
        "mulx rdi, rax, r12",
        "adcx r8, rax",
        carry!("rdi", "rbx"),
        // What is above likewise.
        ".if {by}",
        "lea rdx, [{factor} * rdi]",
        "mov rax, r8",
        "shr rax, 63",
        "or rdx, rax",
        "btr r8, 63",
        "mulx rbp, rax, rsi",
        ".else",
        "mov rdx, rsi",
        "mulx rbp, rax, rdi",
        ".endif",
        "add r13, rax",
        "adc r14, rbp",
        "adc r15, 0",
        "adc r8, 0",
        "jc 4f",
        "cmp r8, [rcx + {modulus} + 24]",
        "jae 4f",
        "5:",
        answer!(),
        "3:",
        square!(),
        "jmp 2b",
        // The modulus less, if it is not more than what is there: that less what is beyond a word, of which the carry tells.
        "4:",
        "mov esi, 0",
        "adc rsi, 0",
        difference!(),
        "sbb rsi, 0",
        "cmp rsi, -1",
        take_if!("ne"),
        "jmp 5b",
        by = const BY,
        factor = const 1 << BY,
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}

/// `*out = *a * *b mod 2^256 - 1`: the halves of the product added.
///
/// # Safety
/// As [`multiply_upper`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_ones(out: *mut Word, a: *const Word, b: *const Word, _n: *const Prepared) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov rcx, rdx",
        // The product: r8 to r11, rbx, r12 to r14.
        "mov rdx, [rsi]",
        "mulx r9, r8, [rcx]",
        "mulx r10, rax, [rcx + 8]",
        "add r9, rax",
        "mulx r11, rax, [rcx + 16]",
        "adc r10, rax",
        "mulx rbx, rax, [rcx + 24]",
        "adc r11, rax",
        "adc rbx, 0",
        row!("[rsi + 8]", "r14d"),
        grown!("rcx"; "r9", "r10", "r11", "rbx"; "r12", "r14"),
        row!("[rsi + 16]", "r14d"),
        grown!("rcx"; "r10", "r11", "rbx", "r12"; "r13", "r14"),
        row!("[rsi + 24]", "esi"),
        grown!("rcx"; "r11", "rbx", "r12", "r13"; "r14", "rsi"),
        "add r8, rbx",
        "adc r9, r12",
        "adc r10, r13",
        "adc r11, r14",
        "adc r8, 0",
        "jc 3f",
        "2:",
        "cmp r11, -1",
        "je 4f",
        "5:",
        "mov [rdi], r8",
        "mov [rdi + 8], r9",
        "mov [rdi + 16], r10",
        "mov [rdi + 24], r11",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        // The carry goes on, which seldom happens; not out of the sum.
        "3:",
        "add r9, 1",
        "adc r10, 0",
        "adc r11, 0",
        "jmp 2b",
        // The modulus itself is 0.
        "4:",
        "mov rax, r8",
        "and rax, r9",
        "and rax, r10",
        "cmp rax, -1",
        "jne 5b",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "xor r10d, r10d",
        "xor r11d, r11d",
        "jmp 5b",
    )
}

/// Defines functions as [`multiply_upper`] is one, of what a compiler puts together, each for the moduli of one form.
macro_rules! compiled {
    ($($(#[$doc:meta])* $name:ident = $form:ident;)*) => {
        $($(#[$doc])*
        ///
        /// # Safety
        /// As [`multiply_upper`].
        #[inline(never)]
        pub(super) unsafe extern "C" fn $name(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
            // SAFETY: the caller's promise; the operands are not used any more when `out` is written.
            unsafe { out.write((*n).multiply_as(Form::$form, &*a, &*b, Mulx(()))) }
        })*
    };
}

compiled! {
    /// Modulo [`Form::Power`].
    multiply_power = Power;
    /// Modulo [`Form::Solinas`].
    multiply_solinas = Solinas;
}
