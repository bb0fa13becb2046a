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
//! # The low-level JIT
//!
//! Without features, [`ir`], [`asm`], [`lower`] and [`arena`] are a code generator for other virtual machines: an iterator of [`ir::Ins`] in, a
//! callable function out. [`arena::Executable`] puts one function into pages of its own; [`arena::Assembler`] takes instructions one by one, and
//! function after function into memory that it keeps. Registers are physical, so that nothing has to be allocated; what the machine at hand
//! lacks is a [`lower::LowerError`] that names the instruction. The folder `examples` has a loop, a copy of memory, a compiler for a tiny machine, and a
//! dot product in vectors.
//!
//! ```
//! # #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))] {
//! use ejit::arena::Executable;
//! use ejit::ir::{Ins, R};
//! use ejit::lower::RESULTS;
//!
//! // The product of two numbers in 128 bits: the high half, then the low one.
//! let product = [Ins::MulWide { hi: RESULTS[0], lo: RESULTS[1], a: R(0), b: R(1) }, Ins::Ret];
//! let code = Executable::from_ir(product)?;
//! let product = code.function::<(u64, u64), (u64, u64)>();
//! // SAFETY: a function of two integers, which touches no memory, and returns two.
//! assert_eq!(unsafe { product.call((u64::MAX, 3)) }, (2, u64::MAX - 2));
//! # }
//! # Ok::<(), ejit::arena::ExecutableError>(())
//! ```

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
pub(crate) mod math;
#[cfg(feature = "evm")]
pub mod runtime;
#[cfg(feature = "evm")]
pub mod translate;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
