//! Arithmetic of words that costs more than a few instructions: products, division, modular arithmetic, powers. Pure functions of limbs, the
//! least significant first; what they remember is handed to them.

pub(crate) mod divide;
pub(crate) mod limb;
pub(crate) mod modular;
pub(crate) mod power;
pub(crate) mod product;
pub(crate) mod reciprocal;
#[cfg(test)]
pub(crate) mod tests;
