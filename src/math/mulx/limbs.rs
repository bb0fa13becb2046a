//! MULMOD by numbers of one to four limbs as one piece of machine code: what `Reciprocal::multiply_limbs` does, which has the reasons. Tests compare both.
//!
//! In all functions the dividend is in `r13`, `r14`, `r15`, `r8` to `r12`, the fraction in `rdi`, the quotient in `rsi` and then in the registers of the dividend's limbs that are not
//! needed any more. Whatever seldom happens is behind a branch at the end.

use super::super::reciprocal::{ERROR, Reciprocal};
use super::rows::{
    add, answer, carry, difference, estimate, extend, grown, high, lines, product, rest, restore, row, save, sums, take_if,
};
use core::arch::naked_asm;
use core::mem::offset_of;

type Word = [u64; 4];

type Prepared = Reciprocal<u64>;

/// Where a limb of the reciprocal is.
macro_rules! inverse {
    ($index:literal) => {
        concat!("rcx + {inverse} + 8 * ", $index)
    };
}

/// The first row of an estimate: of the highest limb of the reciprocal, all that is needed is the high half.
macro_rules! begin {
    ($limb:literal, $index:literal) => {
        concat!("mov rdx, ", $limb, "\nmulx rdi, rax, [", inverse!($index), "]")
    };
}

/// A row that reaches the highest limb that is wanted; of the product there, with the limb of the reciprocal that is named last, the low half counts.
macro_rules! complete {
    ($limb:literal, $index:literal: $($sum:literal),+; $highest:literal, $last:literal) => {
        lines!(
            concat!("mov rdx, ", $limb),
            concat!("imul ", $limb, ", [", inverse!($last), "]"),
            "xor ebx, ebx",
            high!(concat!("[", inverse!($index), "]"), "rdi"),
            sums!(concat!(inverse!($index), " + 8"), $($sum),+),
            concat!("adc ", $highest, ", ", $limb),
        )
    };
}

/// The quotient of six limbs by three.
macro_rules! estimate_of_six {
    () => {
        lines!(
            begin!("r14", 6),
            estimate!("r15", inverse!(5); "rdi"; "rsi"),
            estimate!("r8", inverse!(4); "rdi", "rsi"; "r8"),
            estimate!("r9", inverse!(3); "rdi", "rsi", "r8"; "r9"),
            complete!("r10", 2: "rdi", "rsi", "r8", "r9"; "r9", 6)
        )
    };
}

/// The quotient of four limbs by two.
macro_rules! estimate_of_four {
    () => {
        lines!(
            begin!("r13", 7),
            estimate!("r14", inverse!(6); "rdi"; "rsi"),
            estimate!("r15", inverse!(5); "rdi", "rsi"; "r15"),
            complete!("r8", 4: "rdi", "rsi", "r15"; "r15", 7)
        )
    };
}

/// `*out = *a * *b mod d`, where `d` has four limbs.
///
/// # Safety
/// The pointers are valid, and the processor has the instructions; `out` may be that of an operand.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_four(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        save!(),
        product!(),
        begin!("r15", 5),
        estimate!("r8", inverse!(4); "rdi"; "rsi"),
        estimate!("r9", inverse!(3); "rdi", "rsi"; "r9"),
        estimate!("r10", inverse!(2); "rdi", "rsi", "r9"; "r10"),
        estimate!("r11", inverse!(1); "rdi", "rsi", "r9", "r10"; "r11"),
        // Products of operands that are reduced mostly have no more limbs.
        "test r12, r12",
        "jnz 4f",
        "5:",
        // The quotient's multiple of minus the modulus added.
        rest!("rsi", "r9", "r10", "r11"),
        "cmp rdi, {certain}",
        "ja 3f",
        "2:",
        answer!(),
        // The modulus less, if that is not less than 0.
        "3:",
        difference!(),
        "test rbx, rbx",
        take_if!("ns"),
        "jmp 2b",
        "4:",
        complete!("r12", 0: "rdi", "rsi", "r9", "r10", "r11"; "r11", 5),
        "jmp 5b",
        certain = const -1 - ERROR as i64,
        inverse = const offset_of!(Prepared, inverse),
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}

/// `*out = *a * *b mod d`, where `d` has three limbs.
///
/// # Safety
/// As [`multiply_four`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_three(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        save!(),
        "mov rax, [rsi + 24]",
        "or rax, [rbx + 24]",
        "jnz 4f",
        // The product of three by three limbs.
        "mov rdx, [rsi]",
        "mulx r14, r13, [rbx]",
        "mulx r15, rax, [rbx + 8]",
        "add r14, rax",
        "mulx r8, rax, [rbx + 16]",
        "adc r15, rax",
        "adc r8, 0",
        row!("[rsi + 8]", "edi"),
        grown!("rbx"; "r14", "r15", "r8"; "r9", "rdi"),
        row!("[rsi + 16]", "edi"),
        grown!("rbx"; "r15", "r8", "r9"; "r10", "rdi"),
        estimate_of_six!(),
        "5:",
        // The quotient's multiple of minus the modulus added.
        "mov rdx, rsi",
        "imul rsi, [rcx + {minus} + 16]",
        "xor eax, eax",
        sums!("rcx + {minus}", "r13", "r14", "r15"),
        "adc r15, rsi",
        "mov rdx, r8",
        "imul r8, [rcx + {minus} + 8]",
        "imul r9, [rcx + {minus}]",
        "mulx rbp, rax, [rcx + {minus}]",
        "add r8, r9",
        "add r14, rax",
        "adc r15, rbp",
        "add r15, r8",
        "cmp rdi, {certain}",
        "ja 3f",
        "2:",
        "pop rdi",
        "mov [rdi], r13",
        "mov [rdi + 8], r14",
        "mov [rdi + 16], r15",
        "mov qword ptr [rdi + 24], 0",
        restore!(),
        // The modulus less, if that is not less than 0.
        "3:",
        "mov rax, r13",
        "mov rbp, r14",
        "mov rdx, r15",
        "sub rax, [rcx + {modulus}]",
        "sbb rbp, [rcx + {modulus} + 8]",
        "sbb rdx, [rcx + {modulus} + 16]",
        "test rdx, rdx",
        "cmovns r13, rax",
        "cmovns r14, rbp",
        "cmovns r15, rdx",
        "jmp 2b",
        // An operand of four limbs.
        "4:",
        product!(),
        estimate_of_six!(),
        complete!("r11", 1: "rdi", "rsi", "r8", "r9"; "r9", 5),
        complete!("r12", 0: "rdi", "rsi", "r8", "r9"; "r9", 4),
        "jmp 5b",
        certain = const -1 - ERROR as i64,
        inverse = const offset_of!(Prepared, inverse),
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}

/// `*out = *a * *b mod d`, where `d` has two limbs.
///
/// # Safety
/// As [`multiply_four`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_two(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        save!(),
        "mov rax, [rsi + 16]",
        "or rax, [rsi + 24]",
        "or rax, [rbx + 16]",
        "or rax, [rbx + 24]",
        "jnz 4f",
        // The product of two by two limbs.
        "mov rdx, [rsi]",
        "mulx r14, r13, [rbx]",
        "mulx r15, rax, [rbx + 8]",
        "add r14, rax",
        "adc r15, 0",
        row!("[rsi + 8]", "edi"),
        grown!("rbx"; "r14", "r15"; "r8", "rdi"),
        estimate_of_four!(),
        "5:",
        // The quotient's multiple of minus the modulus added.
        "mov rdx, rsi",
        "imul rsi, [rcx + {minus} + 8]",
        "imul r15, [rcx + {minus}]",
        "mulx rbp, rax, [rcx + {minus}]",
        "add rsi, r15",
        "add r13, rax",
        "adc r14, rbp",
        "add r14, rsi",
        "cmp rdi, {certain}",
        "ja 3f",
        "2:",
        "pop rdi",
        "xor eax, eax",
        "mov [rdi], r13",
        "mov [rdi + 8], r14",
        "mov [rdi + 16], rax",
        "mov [rdi + 24], rax",
        restore!(),
        // The modulus less, if that is not less than 0.
        "3:",
        "mov rax, r13",
        "mov rbp, r14",
        "sub rax, [rcx + {modulus}]",
        "sbb rbp, [rcx + {modulus} + 8]",
        "test rbp, rbp",
        "cmovns r13, rax",
        "cmovns r14, rbp",
        "jmp 2b",
        // An operand of more limbs.
        "4:",
        product!(),
        estimate_of_four!(),
        complete!("r9", 3: "rdi", "rsi", "r15"; "r15", 6),
        complete!("r10", 2: "rdi", "rsi", "r15"; "r15", 5),
        complete!("r11", 1: "rdi", "rsi", "r15"; "r15", 4),
        complete!("r12", 0: "rdi", "rsi", "r15"; "r15", 3),
        "jmp 5b",
        certain = const -1 - ERROR as i64,
        inverse = const offset_of!(Prepared, inverse),
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}

/// `*out = *a * *b mod d`, where `d` has one limb: by the machine's division where operands have no more.
///
/// # Safety
/// As [`multiply_four`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn multiply_one(out: *mut Word, a: *const Word, b: *const Word, n: *const Prepared) {
    naked_asm!(
        "mov rax, [rsi + 8]",
        "or rax, [rsi + 16]",
        "or rax, [rsi + 24]",
        "or rax, [rdx + 8]",
        "or rax, [rdx + 16]",
        "or rax, [rdx + 24]",
        "jnz 4f",
        "mov r8, [rcx + {modulus}]",
        "mov rax, [rsi]",
        "mul qword ptr [rdx]",
        "cmp rdx, r8",
        "jae 3f",
        "2:",
        "div r8",
        "xor eax, eax",
        "mov [rdi], rdx",
        "mov [rdi + 8], rax",
        "mov [rdi + 16], rax",
        "mov [rdi + 24], rax",
        "ret",
        // A quotient of two limbs.
        "3:",
        "mov r9, rax",
        "mov rax, rdx",
        "xor edx, edx",
        "div r8",
        "mov rax, r9",
        "jmp 2b",
        "4:",
        save!(),
        product!(),
        "mov rdx, r13",
        "mulx rdi, rax, [rcx + {inverse} + 56]",
        "mulx rsi, rax, [rcx + {inverse} + 64]",
        "add rdi, rax",
        "adc rsi, 0",
        complete!("r14", 6: "rdi", "rsi"; "rsi", 8),
        complete!("r15", 5: "rdi", "rsi"; "rsi", 7),
        complete!("r8", 4: "rdi", "rsi"; "rsi", 6),
        complete!("r9", 3: "rdi", "rsi"; "rsi", 5),
        complete!("r10", 2: "rdi", "rsi"; "rsi", 4),
        complete!("r11", 1: "rdi", "rsi"; "rsi", 3),
        complete!("r12", 0: "rdi", "rsi"; "rsi", 2),
        "imul rsi, [rcx + {minus}]",
        "add r13, rsi",
        "cmp rdi, {certain}",
        "ja 6f",
        "5:",
        "pop rdi",
        "xor eax, eax",
        "mov [rdi], r13",
        "mov [rdi + 8], rax",
        "mov [rdi + 16], rax",
        "mov [rdi + 24], rax",
        restore!(),
        // The modulus less, if that is not less than 0.
        "6:",
        "mov rax, r13",
        "sub rax, [rcx + {modulus}]",
        "cmovns r13, rax",
        "jmp 5b",
        certain = const -1 - ERROR as i64,
        inverse = const offset_of!(Prepared, inverse),
        modulus = const offset_of!(Prepared, divisor),
        minus = const offset_of!(Prepared, minus_divisor),
    )
}
