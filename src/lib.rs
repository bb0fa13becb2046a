//! ejit accelerates an Ethereum VM.

pub mod arena;
pub mod asm;
pub mod ir;
pub mod lower;

#[cfg(feature = "evm")]
pub mod abi;
#[cfg(feature = "revm")]
pub mod adapter;
#[cfg(feature = "evm")]
pub mod engine;
#[cfg(feature = "evm")]
pub mod evm;
#[cfg(feature = "evm")]
pub mod interp;
#[cfg(feature = "evm")]
pub mod runtime;
#[cfg(feature = "evm")]
pub mod translate;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
