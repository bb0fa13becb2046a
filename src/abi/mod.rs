//! The contract between compiled code, the interpreter and the runtime: the [`Frame`] both engines work on, the ways
//! out of it ([`Exit`]) and the functions that they call ([`Callouts`]).
//!
//! A leaf: it knows neither IR nor opcodes, and does nothing itself. Compiled code addresses `Frame`, `Env` and
//! `Callouts` by `core::mem::offset_of!`, so a field is declared once.

mod callouts;
mod exit;
mod frame;
mod host;

pub use callouts::{Callouts, FrameOp, WordOp};
pub use exit::Exit;
pub use frame::{CallKind, CallRequest, CreateRequest, Env, Frame, Request, SAVED_REGISTERS, SPILL_SLOTS, StackBuffer};
pub use host::{CallTarget, Host, HostError, Loaded, LoadedWord, SelfDestruct, StorageWrite};
