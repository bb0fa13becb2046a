//! The adapter to revm 43: our frames and frame loop on revm's journal and precompiles.
//!
//! Validation, gas settlement, journal, precompiles and inspectors stay revm's; frames, calls and creations are ours.
//! [`EjitEvm`] is the type to swap in for `revm::MainnetEvm`; a chain that owns its `Handler` calls [`exec_loop`] from its
//! `run_exec_loop` instead. What this crate does not reproduce (see [`Runner::handles`]) is handed to revm's own loop as a whole.
//!
//! ```
//! use ejit::{adapter::BuildEjit, engine::{Config, Engine}};
//! use revm::{Context, ExecuteEvm, MainContext, context::TxEnv};
//!
//! let engine = Engine::new(Config::default());
//! let mut evm = Context::mainnet().build_ejit(&engine);
//! let result = evm.transact(TxEnv::builder().gas_price(0).gas_limit(21_000).build().unwrap());
//! assert!(result.unwrap().result.is_success());
//! ```

#[cfg(feature = "alloy")]
mod alloy;
mod evm;
mod exec;
mod frames;
mod host;
mod runner;
mod slots;
mod targets;

#[cfg(feature = "alloy")]
pub use alloy::{EjitAlloyEvm, EjitEvmFactory};
pub use evm::{BuildEjit, EjitEvm, EjitHandler, InstructionSet, StandardInstructions};
pub use exec::exec_loop;
pub use runner::{Counters, Runner, StaticGas};
