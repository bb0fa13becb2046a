//! How execution of a frame stops or pauses.

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why an engine handed the frame back. The code is what compiled code returns in its result register and what
        /// runtime functions return (0 means "go on").
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Exit { $($(#[$doc])* $name = $code,)* }

        impl Exit {
            /// Every exit, in the order of its codes.
            pub const ALL: &[Exit] = &[$(Exit::$name,)*];

            /// The exit with this code. `None` for 0 ("go on") and for numbers that are no exit.
            #[inline]
            pub const fn from_code(code: u32) -> Option<Exit> {
                const CODES: usize = {
                    let mut above = 0;
                    $(if $code >= above { above = $code + 1; })*
                    above
                };
                const BY_CODE: [Option<Exit>; CODES] = {
                    let mut exits = [None; CODES];
                    $(exits[$code] = Some(Exit::$name);)*
                    exits
                };
                if (code as usize) < CODES { BY_CODE[code as usize] } else { None }
            }
        }
    };
}

exits! {
    /// STOP, or the end of code.
    Stop = 1,
    /// RETURN: the output is `memory[frame.out_offset..][..frame.out_len]`.
    Return = 2,
    /// SELFDESTRUCT succeeded.
    SelfDestruct = 3,
    /// REVERT: the output as for `Return`; gas left is given back to the caller.
    Revert = 4,
    /// A CALL* or CREATE* wants a child frame: `frame.request` says which; `frame.pc` is the next instruction.
    Suspend = 8,
    /// Compiled code does not go on here: the interpreter executes from `frame.pc` (which is a block's or section's start).
    Interpret = 9,
    /// Compiled code reached a version that is not compiled: `frame.pc` is its number, `frame.saved` has the registers.
    Compile = 10,
    /// The interpreter's budget is spent at the jump destination `frame.pc`: compiling may pay now.
    Hot = 11,
    /// Compiled code jumped to `frame.pc`, computed at run time, for which it has no code: it may not be a jump destination.
    DynamicJump = 13,
    /// Compiled code leaves to the interpreter through the site whose number is `frame.pc`; `frame.saved` has the registers.
    Deopt = 14,
    /// The host cannot answer yet: execute the instruction at `frame.pc` again later.
    Pending = 12,
    /// Static or dynamic gas not affordable.
    OutOfGas = 32,
    /// Memory growth not affordable.
    MemoryOutOfGas = 33,
    /// Memory larger than the configured limit.
    MemoryLimit = 34,
    /// An operand that no gas could pay for (offset or length of 2^64 and more).
    InvalidOperand = 36,
    /// SSTORE with no more gas than the stipend (EIP-2200).
    ReentrancySentry = 37,
    /// A byte that is no opcode in any fork.
    OpcodeNotFound = 38,
    /// CALL with value in a static frame.
    CallInStatic = 39,
    /// State change in a static frame.
    StateChangeInStatic = 40,
    /// INVALID (0xfe).
    InvalidOpcode = 41,
    /// JUMP or JUMPI to what is no JUMPDEST.
    InvalidJump = 42,
    /// An opcode of a later fork.
    NotActivated = 43,
    /// Too few elements on the stack.
    StackUnderflow = 44,
    /// More than 1024 elements on the stack.
    StackOverflow = 45,
    /// RETURNDATACOPY beyond the return data.
    OutOfOffset = 46,
    /// Init code longer than EIP-3860 allows.
    InitCodeLimit = 54,
    /// The host failed (database error): the whole transaction ends.
    Fatal = 55,
    /// DUPN, SWAPN, EXCHANGE with an immediate that EIP-8024 forbids.
    InvalidImmediate = 56,
}

impl Exit {
    /// Whether this is an exceptional halt: all gas is consumed, state is rolled back.
    pub const fn is_halt(self) -> bool {
        self as u32 >= Exit::OutOfGas as u32
    }

    /// Whether the frame has ended (successfully, by revert or by halt).
    pub const fn is_end(self) -> bool {
        self.is_halt() || (self as u32) < Exit::Suspend as u32
    }
}
