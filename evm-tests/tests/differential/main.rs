//! ejit against revm, in every mode, on programs written for the purpose.
//!
//! | file | what it compares |
//! |---|---|
//! | `world` | one transaction in revm and in ejit: result, gas, refund, output, logs, every account and slot |
//! | `opcodes` | each opcode, its operands in each location, with boundary values, its result consumed in each way |
//! | `checks` | words that are checked to be in range, and used on both sides of the branch |
//! | `edges` | stack limits, every out-of-gas point, memory offsets no memory has |
//! | `programs` | random programs, made smaller when they fail |
//! | `regressions` | bugs that other EVM implementations had |
//! | `hostile` | programs in hex from a folder that `EJIT_HOSTILE` names |
//!
//! `EJIT_FUZZ_SECONDS=600 cargo test -p evm-tests --test differential random` goes on with random programs for that long;
//! `EJIT_FUZZ_SEED` says where to begin.
//!
//! Stack and memory after each opcode are compared by the interpreter's own tests.

mod checks;
mod edges;
mod hostile;
mod opcodes;
mod programs;
mod regressions;
mod shrink;
mod world;
