//! Rows of products in machine code, as text: `mulx`, with `adcx` and `adox` for two chains of carries. The limb that a row multiplies by is in `rdx`; `rax` and `rbp`
//! are low and high half of what was multiplied last.

/// Lines of text.
macro_rules! lines {
    ($($line:expr),+ $(,)?) => {
        concat!($($line, "\n"),+)
    };
}

/// Begins a row: a limb to be multiplied with others, and no carries. The register is 0 then.
macro_rules! row {
    ($limb:literal, $zero:literal) => {
        concat!("mov rdx, ", $limb, "\nxor ", $zero, ", ", $zero)
    };
}

/// Adds the product with a limb to two limbs of a sum, along two chains of carries.
macro_rules! add {
    ($limb:expr, $low:literal, $high:literal) => {
        concat!("mulx rbp, rax, ", $limb, "\nadcx ", $low, ", rax\nadox ", $high, ", rbp")
    };
}

/// The same at the end of a row, where the sum gets a limb more, by a register that is 0.
macro_rules! extend {
    ($limb:expr, $low:literal, $high:literal, $zero:literal) => {
        concat!("mulx ", $high, ", rax, ", $limb, "\nadcx ", $low, ", rax\n", carry!($high, $zero))
    };
}

/// Adds the high half of the product with a limb to the lowest limb of a sum.
macro_rules! high {
    ($limb:expr, $low:literal) => {
        concat!("mulx rbp, rax, ", $limb, "\nadox ", $low, ", rbp")
    };
}

/// What both chains carry into their last limb.
macro_rules! carry {
    ($high:literal, $zero:literal) => {
        concat!("adox ", $high, ", ", $zero, "\nadcx ", $high, ", ", $zero)
    };
}

/// Adds the products with successive limbs, from an address on, to a sum.
macro_rules! sums {
    ($at:expr, $low:literal, $high:literal) => {
        add!(concat!("[", $at, "]"), $low, $high)
    };
    ($at:expr, $low:literal, $high:literal, $($more:literal),+) => {
        concat!(sums!($at, $low, $high), "\n", sums!(concat!($at, " + 8"), $high, $($more),+))
    };
}

/// Adds the products with successive limbs, from an address on, to a sum, which gets a limb more, by a register that is 0.
macro_rules! grown {
    ($at:expr; $last:literal; $new:literal, $zero:literal) => {
        extend!(concat!("[", $at, "]"), $last, $new, $zero)
    };
    ($at:expr; $low:literal, $high:literal $(, $more:literal)*; $new:literal, $zero:literal) => {
        concat!(sums!($at, $low, $high), "\n", grown!(concat!($at, " + 8"); $high $(, $more)*; $new, $zero))
    };
}

/// A row of an estimate, which gets a limb more: by which limb of the dividend, and the address of the reciprocal's lowest limb that counts, of which it is the high half.
macro_rules! estimate {
    ($limb:literal, $at:expr; $($sum:literal),+; $new:literal) => {
        lines!(
            row!($limb, "ebx"),
            high!(concat!("[", $at, "]"), "rdi"),
            grown!(concat!($at, " + 8"); $($sum),+; $new, "rbx")
        )
    };
}

/// Adds the multiple of minus the modulus by a quotient of four limbs, which are gone then, to the dividend in `r13`, `r14`, `r15`, `r8`.
macro_rules! rest {
    ($q0:literal, $q1:literal, $q2:literal, $q3:literal) => {
        lines!(
            concat!("mov rdx, ", $q0),
            concat!("imul ", $q0, ", [rcx + {minus} + 24]"),
            "xor eax, eax",
            sums!("rcx + {minus}", "r13", "r14", "r15", "r8"),
            concat!("adc r8, ", $q0),
            concat!("mov rdx, ", $q1),
            concat!("imul ", $q1, ", [rcx + {minus} + 16]"),
            "xor eax, eax",
            sums!("rcx + {minus}", "r14", "r15", "r8"),
            concat!("adc r8, ", $q1),
            concat!("mov rdx, ", $q2),
            concat!("imul ", $q2, ", [rcx + {minus} + 8]"),
            concat!("imul ", $q3, ", [rcx + {minus}]"),
            "mulx rbp, rax, [rcx + {minus}]",
            concat!("add ", $q2, ", ", $q3),
            "add r15, rax",
            "adc r8, rbp",
            concat!("add r8, ", $q2),
        )
    };
}

/// What is in `r13`, `r14`, `r15`, `r8` less the modulus, in `rax`, `rbp`, `rdx`, `rbx`, and the borrow.
macro_rules! difference {
    () => {
        lines!(
            "mov rax, r13",
            "mov rbp, r14",
            "mov rdx, r15",
            "mov rbx, r8",
            "sub rax, [rcx + {modulus}]",
            "sbb rbp, [rcx + {modulus} + 8]",
            "sbb rdx, [rcx + {modulus} + 16]",
            "sbb rbx, [rcx + {modulus} + 24]",
        )
    };
}

/// Takes that difference, on a condition.
macro_rules! take_if {
    ($condition:literal) => {
        lines!(
            concat!("cmov", $condition, " r13, rax"),
            concat!("cmov", $condition, " r14, rbp"),
            concat!("cmov", $condition, " r15, rdx"),
            concat!("cmov", $condition, " r8, rbx"),
        )
    };
}

/// Stores `r13`, `r14`, `r15`, `r8` as the result, and returns.
macro_rules! answer {
    () => {
        lines!("pop rdi", "mov [rdi], r13", "mov [rdi + 8], r14", "mov [rdi + 16], r15", "mov [rdi + 24], r8", restore!())
    };
}

/// Saves registers, the one with the result's address last, and puts that of the second factor into `rbx`.
macro_rules! save {
    () => {
        "push rbp\npush rbx\npush r12\npush r13\npush r14\npush r15\npush rdi\nmov rbx, rdx"
    };
}

/// Restores them, and returns.
macro_rules! restore {
    () => {
        "pop r15\npop r14\npop r13\npop r12\npop rbx\npop rbp\nret"
    };
}

/// The product of `[rsi]` and `[rbx]`, in `r13`, `r14`, `r15`, `r8` to `r12`; `rdi` is 0 then.
macro_rules! product {
    () => {
        lines!(
            "mov rdx, [rsi]",
            "mulx r14, r13, [rbx]",
            "mulx r15, rax, [rbx + 8]",
            "add r14, rax",
            "mulx r8, rax, [rbx + 16]",
            "adc r15, rax",
            "mulx r9, rax, [rbx + 24]",
            "adc r8, rax",
            "adc r9, 0",
            row!("[rsi + 8]", "edi"),
            grown!("rbx"; "r14", "r15", "r8", "r9"; "r10", "rdi"),
            row!("[rsi + 16]", "edi"),
            grown!("rbx"; "r15", "r8", "r9", "r10"; "r11", "rdi"),
            row!("[rsi + 24]", "edi"),
            grown!("rbx"; "r8", "r9", "r10", "r11"; "r12", "rdi"),
        )
    };
}

/// The square of `[rsi]` in the same registers: the products off the diagonal, doubled along one chain while those on it are added along the other.
macro_rules! square {
    () => {
        lines!(
            "mov rdx, [rsi]",
            "mulx r15, r14, [rsi + 8]",
            "mulx r8, rax, [rsi + 16]",
            "add r15, rax",
            "mulx r9, rax, [rsi + 24]",
            "adc r8, rax",
            "mov rdx, [rsi + 8]",
            "mulx r10, rax, [rsi + 24]",
            "adc r9, rax",
            "adc r10, 0",
            "mulx rbp, rax, [rsi + 16]",
            "add r8, rax",
            "adc r9, rbp",
            "mov rdx, [rsi + 16]",
            "mulx r11, rax, [rsi + 24]",
            "adc r10, rax",
            "adc r11, 0",
            row!("[rsi]", "edi"),
            "mulx rbp, r13, rdx",
            "adcx r14, r14",
            "adox r14, rbp",
            "mov rdx, [rsi + 8]",
            "mulx rbp, rax, rdx",
            "adcx r15, r15",
            "adox r15, rax",
            "adcx r8, r8",
            "adox r8, rbp",
            "mov rdx, [rsi + 16]",
            "mulx rbp, rax, rdx",
            "adcx r9, r9",
            "adox r9, rax",
            "adcx r10, r10",
            "adox r10, rbp",
            "mov rdx, [rsi + 24]",
            "mulx r12, rax, rdx",
            "adcx r11, r11",
            "adox r11, rax",
            "adcx r12, rdi",
            "adox r12, rdi",
        )
    };
}

pub(super) use {
    add, answer, carry, difference, estimate, extend, grown, high, lines, product, rest, restore, row, save, square, sums, take_if,
};
