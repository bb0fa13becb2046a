//! The instructions.
//!
//! Registers are physical. `R(0)`.. are the integer argument registers of the platform's calling convention in order, then its other
//! caller-saved ones (the result register first), then the callee-saved ones; the stack pointer is not among them, nor are the
//! registers a target keeps for itself.
//!
//! | target | R(0)... | count |
//! |---|---|---|
//! | x86-64 | rdi rsi rdx rcx r8 r9, rax r10 r11, rbx rbp r12 r13 r14 r15 | 15 |
//! | aarch64 | x0..x15, x19..x28 (x16, x17 are the lowering's scratch) | 26 |
//!
//! An instruction changes its destination and declared temporaries and nothing else, except where it says so; flags are written by
//! `Cmp*`, `W::Cmp*`, and by arithmetic with `flags: true`, are read by `Br`, `Set`, `Select`, `Adc`, `Sbb`, and are undefined after any
//! other instruction that is not a move, load, store or address computation.

use super::VectorIns;

/// An integer register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct R(pub u8);

/// A vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct V(pub u8);

/// Four registers holding a 256-bit word, least significant limb first. They must be distinct. Aligned so that it is copied at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(align(4))]
pub struct Quad(pub [R; 4]);

impl Quad {
    /// What `of` gives for each register. Spelled out: `array::map` is not always inlined, and is several times as long.
    #[inline(always)]
    pub(crate) fn each<T>(self, mut of: impl FnMut(R) -> T) -> [T; 4] {
        let [a, b, c, d] = self.0;
        [of(a), of(b), of(c), of(d)]
    }
}

/// A position in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

/// A condition on the flags of the last comparison, or of the last flag-writing arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// Equal, zero.
    Eq,
    /// Not equal, not zero.
    Ne,
    /// Unsigned less (after subtraction: borrow; after addition: carry).
    Ult,
    /// Unsigned less or equal. Not after word comparisons.
    Ule,
    /// Unsigned greater. Not after word comparisons.
    Ugt,
    /// Unsigned greater or equal (after subtraction: no borrow; after addition: no carry).
    Uge,
    /// Signed less.
    Slt,
    /// Signed less or equal. Not after word comparisons.
    Sle,
    /// Signed greater. Not after word comparisons.
    Sgt,
    /// Signed greater or equal.
    Sge,
    /// Signed overflow.
    Overflow,
    /// No signed overflow.
    NoOverflow,
    /// Negative.
    Neg,
    /// Not negative.
    NotNeg,
}

/// Width of a memory access or sub-word operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 8 bits.
    B8,
    /// 16 bits.
    B16,
    /// 32 bits.
    B32,
    /// 64 bits.
    B64,
}

/// `[base + (index << shift) + disp]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mem {
    /// Base register.
    pub base: R,
    /// Index register.
    pub index: Option<R>,
    /// 0..=3.
    pub shift: u8,
    /// Displacement in bytes.
    pub disp: i32,
}

/// Second operand of 64-bit arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Src {
    /// Register.
    R(R),
    /// Sign-extended immediate.
    I(i32),
    /// 64 bits of memory.
    M(Mem),
}

/// Second operand of 256-bit arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WSrc {
    /// A word in registers.
    Q(Quad),
    /// A word in memory, limbs in little-endian order at `base + disp`.
    M(R, i32),
    /// A 64-bit register, zero-extended to 256 bits.
    N(R),
    /// An immediate, sign-extended to 256 bits.
    I(i32),
}

/// A factor of 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Factor {
    /// A word in registers.
    Q(Quad),
    /// A word in memory, limbs in little-endian order at `base + disp`.
    M(R, i32),
}

/// Two-operand 64-bit arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AluOp {
    /// `a + b`
    Add,
    /// `a + b + carry`
    Adc,
    /// `a - b`
    Sub,
    /// `a - b - borrow`
    Sbb,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// Low 64 bits of `a * b`. With `flags`, `Overflow` says that the *unsigned* product does not fit is NOT provided: use `MulWide`.
    Mul,
}

/// 64-bit shifts; the count is taken modulo 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShiftOp {
    /// Left.
    Shl,
    /// Logical right.
    Shr,
    /// Arithmetic right.
    Sar,
    /// Rotate right.
    Ror,
    /// Rotate left.
    Rol,
}

/// One-operand 64-bit operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// Bitwise complement.
    Not,
    /// Two's complement.
    Neg,
    /// Byte reversal of 64 bits.
    Bswap,
    /// Leading zeros; 64 for 0.
    Clz,
    /// Trailing zeros; 64 for 0.
    Ctz,
    /// Ones.
    Popcount,
}

/// 256-bit operations on register quads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordOp {
    /// `a + b` modulo 2^256; the flags give carry (`Ult`).
    Add,
    /// `a - b` modulo 2^256; the flags give borrow (`Ult`) and, for a quad, memory or immediate `b`, `Slt`.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
}

/// 256-bit shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WShiftOp {
    /// Left.
    Shl,
    /// Logical right.
    Shr,
    /// Arithmetic right.
    Sar,
}

/// One instruction. `Copy`, at most 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // of fields: the line above each variant says what they are
pub enum Ins {
    // ---- 64-bit ----
    /// `dst = value` (any 64-bit constant; flags survive).
    Imm { dst: R, value: u64 },
    /// `dst = src`.
    Mov { dst: R, src: R },
    /// `dst = a op b`. `Adc`/`Sbb` read the carry that the previous flag-writing add/sub/adc/sbb left.
    Alu { op: AluOp, flags: bool, dst: R, a: R, b: Src },
    /// `[mem] = [mem] op src` (64 bits; flags written).
    AluMem { op: AluOp, mem: Mem, src: Src },
    /// `dst = op src`.
    Un { op: UnOp, dst: R, src: R },
    /// `dst = a shifted by amount` (0..=63).
    ShiftImm { op: ShiftOp, dst: R, a: R, amount: u8 },
    /// `dst = a shifted by amount mod 64`.
    Shift { op: ShiftOp, dst: R, a: R, amount: R },
    /// Funnel shift left: `dst = (hi << amount) | (lo >> (64 - amount))`, 1..=63. Clobbers `tmp`, which is neither `dst` nor `lo`, but may be `hi`.
    FunnelImm { dst: R, hi: R, lo: R, amount: u8, tmp: R },
    /// `dst = base + (index << shift) + disp` as an address; flags survive.
    Lea { dst: R, mem: Mem },
    /// `hi:lo = a * b`, unsigned. `hi` and `lo` distinct.
    MulWide { hi: R, lo: R, a: R, b: R },
    /// `hi:lo = a * b`, signed. `hi` and `lo` distinct.
    MulWideSigned { hi: R, lo: R, a: R, b: R },
    /// Unsigned `quot = a / b`, `rem = a % b`; `b` must not be 0. Distinct destinations.
    DivRem { quot: R, rem: R, a: R, b: R },
    /// Signed division; `b` must not be 0, and not -1 with the least `a`.
    DivRemSigned { quot: R, rem: R, a: R, b: R },
    /// High 64 bits of `a * b`.
    MulHigh { signed: bool, dst: R, a: R, b: R },
    /// Unsigned `quot = hi:lo / b`, `rem = hi:lo % b`; `hi` must be below `b`, so that the quotient fits. Distinct destinations.
    DivWide { quot: R, rem: R, hi: R, lo: R, b: R },
    /// `dst` = the low bits of `src`, zero- or sign-extended; flags survive.
    Extend { width: Width, signed: bool, dst: R, src: R },
    /// Flags of `a - b`.
    Cmp { a: R, b: Src },
    /// Flags of `[mem] - b` at the given width (immediate or register).
    CmpMem { width: Width, mem: Mem, b: Src },
    /// Flags of `a & b` (`Eq`: no common bit; `Neg`: sign of the result).
    Test { a: R, b: Src },
    /// `dst = cond ? 1 : 0` (64 bits; flags survive).
    Set { cond: Cond, dst: R },
    /// `dst = cond ? a : b` (flags survive).
    Select { cond: Cond, dst: R, a: R, b: R },

    // ---- memory ----
    /// Load, zero- or sign-extended.
    Load { width: Width, signed: bool, dst: R, mem: Mem },
    /// Store of the low bits.
    Store { width: Width, src: R, mem: Mem },
    /// Store of a sign-extended immediate.
    StoreImm { width: Width, value: i32, mem: Mem },
    /// Load of 64 bits in reversed byte order.
    LoadSwap { dst: R, mem: Mem },
    /// Store of 64 bits in reversed byte order; `src` is preserved.
    StoreSwap { src: R, mem: Mem },

    // ---- 256-bit words ----
    /// `dst = a op b`. `dst` is either `a` or shares no register with `a` and `b` (it may share with `b` if equal to it and `op` commutes).
    W { op: WordOp, dst: Quad, a: Quad, b: WSrc },
    /// `dst = ~a`. `dst` is `a` or disjoint.
    WNot { dst: Quad, a: Quad },
    /// `dst = value of 256 bits`: a word, register by register (parallel: `dst` may overlap the source in any order).
    WMov { dst: Quad, src: Quad },
    /// Loads a word (four 64-bit loads).
    WLoad { dst: Quad, base: R, disp: i32 },
    /// Stores a word; a `src` in memory as `WCopy` does.
    WStore { src: WSrc, base: R, disp: i32 },
    /// Loads 32 big-endian bytes: limb 3 comes from `mem`, limb 0 from `mem + 24`. `dst` may contain base or index.
    WLoadSwap { dst: Quad, mem: Mem },
    /// Stores 32 big-endian bytes; `src` is preserved.
    WStoreSwap { src: Quad, mem: Mem },
    /// Copies a word from memory to memory through vector registers of the lowering (which are clobbered, never allocated): only where
    /// the source was not just written limb by limb. The words may overlap.
    WCopy { to: R, to_disp: i32, from: R, from_disp: i32 },
    /// Flags of the 256-bit unsigned/signed comparison `a - b`: `Ult`/`Uge`/`Slt`/`Sge` only. Clobbers `tmp`.
    WCmp { a: Quad, b: WSrc, tmp: R },
    /// As `WCmp` with `a` in memory.
    WCmpMem { a: R, a_disp: i32, b: WSrc, tmp: R },
    /// Flags: `Eq` if `a == b`, else `Ne`. Clobbers `tmp` (two distinct registers that are not in `a` or `b`).
    WEq { a: Quad, b: WSrc, tmp: [R; 2] },
    /// As `WEq` with `a` in memory at `base + disp`.
    WEqMem { base: R, disp: i32, b: WSrc, tmp: [R; 2] },
    /// Flags: `Eq` if the word is zero. Clobbers `tmp`.
    WIsZero { a: Quad, tmp: R },
    /// As `WIsZero` for a word in memory.
    WIsZeroMem { base: R, disp: i32, tmp: R },
    /// `dst = a shifted by a constant` 1..=255. `dst` is `a` or disjoint. Clobbers `tmp` (three registers, distinct, in neither).
    WShiftImm { op: WShiftOp, dst: Quad, a: Quad, amount: u8, tmp: [R; 3] },
    /// `dst = a shifted by amount`, a register holding 0..=255 that is not in `dst`. In place (`dst` is also the input). Clobbers `tmp`
    /// (two registers, distinct, not in `dst`, not `amount`; on x86-64 one of `amount`, `tmp` need not be rcx).
    WShift { op: WShiftOp, dst: Quad, amount: R, tmp: [R; 2] },
    /// `dst = a * b` modulo 2^256. `dst` shares nothing with `a`, `b`, `tmp`. On x86-64 `tmp` must be rdx, rax, rcx (R2, R6, R3).
    WMul { dst: Quad, a: Factor, b: Factor, tmp: [R; 3] },
    /// `dst` = the upper half of `a * b`, or with `plus` of `(a + 1) * b`, where `a` and `b` (in memory) are the lowest `limbs` limbs (2..=4) of words: as many
    /// limbs, and zeros above. Registers as for `WMul`.
    WMulHigh { dst: Quad, a: Factor, b: R, b_disp: i32, limbs: u8, plus: bool, tmp: [R; 3] },

    // ---- vectors ----
    /// Lanes side by side.
    Vector(VectorIns),

    // ---- control ----
    /// Binds a label.
    Label(Label),
    /// Jumps to a label.
    Jmp(Label),
    /// Jumps to a label if the condition holds.
    Br { cond: Cond, to: Label },
    /// Jumps to an address within reach of the code (the same arena).
    JmpTo { addr: u64 },
    /// Jumps to an address within reach if the condition holds.
    BrTo { cond: Cond, addr: u64 },
    /// If the condition holds: `dst = value` (zero-extended), then a jump to the address `to`, or with `through` to the address held in the
    /// 64-bit word at `to`. All of that is out of line, after the stream. Within reach as `JmpTo`; otherwise nothing happens.
    Exit { cond: Cond, dst: R, value: u32, to: u64, through: bool },
    /// Where code that `Call` reaches may begin: keeps the return address and the stack pointer's alignment.
    EnterStub,
    /// Undoes `EnterStub` and returns.
    LeaveStub,
    /// Undoes `EnterStub` and forgets the return address: what follows runs as if it had been jumped to.
    DropStub,
    /// `dst` = address of a label.
    LabelAddr { dst: R, label: Label },
    /// Jumps to the address held in the 64-bit word at `slot`, which lies within reach of the code.
    JmpSlot { slot: u64 },
    /// Jumps to the address in a register.
    JmpReg(R),
    /// Jumps to the address in memory.
    JmpMem(Mem),
    /// Calls the function whose address is in memory. Clobbers flags and every caller-saved register; arguments are in `R(0)`.., the result
    /// is in the platform's result register (`RESULT` of the target).
    CallMem(Mem),
    /// Calls the function whose address is in the register.
    CallReg(R),
    /// Calls the function at an address, near or far, as `CallMem` does.
    Call { addr: u64 },
    /// Function prologue: saves all callee-saved registers, keeps the stack pointer 16-byte aligned for calls.
    Enter,
    /// Undoes `Enter` and returns.
    Leave,
    /// Returns.
    Ret,
    /// A trap: never reached.
    Trap,

    // ---- data ----
    /// The first `len` (1..=16) of these bytes, which nothing may run into; a label before them, and `LabelAddr`, give their address.
    /// Followed by what the target needs for an instruction to come after them.
    Data { bytes: [u8; 16], len: u8 },
    /// Goes on at a multiple of `to` (1, 2, 4, .. 64) bytes, as far as the stream itself begins at one: the rest is filled with instructions
    /// that do nothing.
    Align { to: u8 },
}

const _: () = assert!(size_of::<Ins>() <= 24);
