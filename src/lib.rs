//! ejit accelerates an Ethereum VM.

pub mod ir;

#[cfg(feature = "evm")]
pub mod abi;
#[cfg(feature = "evm")]
pub mod engine;
#[cfg(feature = "evm")]
pub mod evm;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
