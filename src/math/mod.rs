//! Arithmetic of words that costs more than a few instructions: products, division, modular arithmetic, powers. Pure functions of limbs, the
//! least significant first; what they remember is handed to them.

pub(crate) mod constant;
pub(crate) mod divide;
pub(crate) mod limb;
pub(crate) mod modular;
#[cfg(target_arch = "x86_64")]
pub(crate) mod mulx;
pub(crate) mod power;
pub(crate) mod product;
pub(crate) mod reciprocal;
mod solinas;
#[cfg(test)]
pub(crate) mod tests;

/// The products of a processor that has instructions for them.
#[cfg(target_arch = "x86_64")]
use mulx::Mulx as Fast;
#[cfg(not(target_arch = "x86_64"))]
use product::Portable as Fast;
