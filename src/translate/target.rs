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
    /// Where the address of a runtime function is on the way to it: no argument register, and no word survives a call in it.
    pub callee: R,
    /// Temporaries that `Ins::WMul` demands, all scratch.
    pub mul: [R; 3],
    /// Whether `Ins::DivWide` is one instruction.
    pub divides_wide: bool,
    /// Whether an address may have an index and a displacement.
    pub displaces_indexed: bool,
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
    callee: R(6),
    mul: [R(2), R(6), R(3)],
    divides_wide: true,
    displaces_indexed: true,
    words: &[R(1), R(0), R(4), R(5), R(7), R(8), R(12), R(13), R(14)],
    saved: &[R(12), R(13), R(14)],
};

/// aarch64, AAPCS64: frame x19, gas x20, sp x21; x0 (which calls return in), x14 and x15 are scratch. Five words and more in registers.
#[rustfmt::skip]
pub static AARCH64: Target = Target {
    frame: R(16),
    gas: R(17),
    sp: R(18),
    scratch: [R(0), R(14), R(15)],
    callee: R(15),
    mul: [R(0), R(14), R(15)],
    divides_wide: false,
    displaces_indexed: false,
    words: &[
        R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9), R(10), R(11), R(12), R(13),
        R(19), R(20), R(21), R(22), R(23), R(24), R(25),
    ],
    saved: &[R(19), R(20), R(21), R(22), R(23), R(24), R(25)],
};
