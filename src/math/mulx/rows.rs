//! Rows of products in machine code, as text: `mulx`, with `adcx` and `adox` for two chains of carries. The limb that a row multiplies by is in `rdx`; `rax` and `rbp`
//! are low and high half of what was multiplied last.

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

pub(super) use {add, carry, extend, high, row, sums};
