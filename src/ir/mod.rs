//! The intermediate representation: a flat stream of [`Ins`] over physical registers. No EVM in it.

mod ins;

pub use ins::*;
