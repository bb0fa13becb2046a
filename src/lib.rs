//! ejit accelerates an Ethereum VM: a compiler from EVM bytecode to machine code that takes microseconds, a fast interpreter over the same
//! frames, and (feature `revm`) an adapter that puts both under revm.
//!
//! # A guided tour
//!
//! Embedders start at [`engine`]: an [`engine::Engine`] is shared between threads and owns everything compiled; an [`engine::Executor`] runs an
//! [`abi::Frame`] until it ends or wants a child frame. Users of revm take `adapter::EjitEvm` in place of `MainnetEvm`.
//!
//! What bytecode goes through can be looked at stage by stage: [`evm::code`] finds jump destinations, [`evm::block`] splits code into basic blocks and gas sections,
//! [`translate`] makes IR of them, [`lower`] makes machine code of that, [`arena`] publishes it. [`runtime`] holds the functions that
//! compiled code and the interpreter ([`interp`]) both call.
//!
//! ```
//! # #[cfg(feature = "evm")] {
//! use ejit::evm::{SpecId, block::{Block, End, Pc}, code::Code, fork::schedule};
//!
//! // PUSH0 CALLDATALOAD PUSH1 6 JUMPI STOP JUMPDEST STOP
//! let code = Code::new(&[0x5f, 0x35, 0x60, 0x06, 0x57, 0x00, 0x5b, 0x00]);
//! assert!(code.is_jump_destination(6));
//! let block = Block::scan(code.padded(), code.bytes().len(), Pc(0), schedule(SpecId::CANCUN), 100);
//! assert_eq!(block.finish, End::JumpIf);
//! assert_eq!(block.sections[0].gas, 2 + 3 + 3 + 10);
//! # }
//! ```
//!
//! Without features, [`ir`], [`asm`], [`lower`] and [`arena`] are a low-level JIT for other machines: instructions in, a callable function out
//! ([`arena::Executable`]).

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
