//! The intermediate representation: a flat stream of [`Ins`] over physical registers. No EVM in it.
//!
//! Beside the list of instructions: what registers each reads and writes ([`Ins::registers`]), how it prints (`Display`), the rules it
//! keeps ([`verify`](verify())), and what it means ([`Machine`], a reference evaluator to test targets against).

#![forbid(unsafe_code)]

mod eval;
mod ins;
mod operands;
mod print;
mod vector;
mod vector_eval;
mod verify;

pub use eval::{EvalError, Exit, Flags, MAX_REGISTERS, MAX_VECTOR_REGISTERS, Machine};
pub use ins::*;
pub use operands::{FlagEffect, Role};
pub use vector::{Shape, Type, VCond, VConvert, VOp, VShift, VSize, VUnOp, VectorIns};
pub use verify::{Fault, VerifyError, check, verify};
