//! What the translator knows of a target: which registers it may use for what. Siblings differ in this table alone.

use crate::ir::R;

/// Roles of a target's registers.
#[derive(Debug)]
pub struct Target {
    /// The frame, pinned (callee-saved).
    pub frame: R,
    /// Gas left, pinned (callee-saved).
    pub gas: R,
    /// The EVM stack pointer, pinned (callee-saved).
    pub sp: R,
    /// Scratch, never holding a word across instructions. The first is the result register of calls.
    pub scratch: [R; 3],
    /// Temporaries that `Ins::WMul` demands, all scratch.
    pub mul: [R; 3],
    /// Registers for words, in order of preference.
    pub words: &'static [R],
    /// Those of `words` that survive a call.
    pub saved: &'static [R],
}

/// x86-64, System V: sp rbx, frame rbp, gas r12; rax, rcx, rdx are scratch, since multiplication, division and shifts want them.
pub static X86_64: Target = Target {
    frame: R(10),
    gas: R(11),
    sp: R(9),
    scratch: [R(6), R(3), R(2)],
    mul: [R(2), R(6), R(3)],
    words: &[R(1), R(0), R(4), R(5), R(7), R(8), R(12), R(13), R(14)],
    saved: &[R(12), R(13), R(14)],
};
