//! The examples, run.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

#[path = "../examples/bytecode.rs"]
mod bytecode;
#[path = "../examples/dot.rs"]
mod dot;
#[path = "../examples/memcpy.rs"]
mod memcpy;
#[path = "../examples/sum.rs"]
mod sum;

#[test]
fn all_run() {
    sum::main().unwrap();
    memcpy::main().unwrap();
    bytecode::main().unwrap();
    dot::main().unwrap();
}
