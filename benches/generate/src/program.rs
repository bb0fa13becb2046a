//! The functions that are generated, as every generator gets them.

/// Registers that steps work on.
pub const REGISTERS: usize = 8;

/// One step of a straight function with branches that skip a few steps. Registers are below [`REGISTERS`].
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// `d += b`
    Add(usize, usize),
    /// `d -= b`
    Sub(usize, usize),
    /// `d ^= b`
    Xor(usize, usize),
    /// `d *= b`
    Mul(usize, usize),
    /// `d += number`
    AddImm(usize, i32),
    /// `d <<= number`
    Shl(usize, u8),
    /// `d = memory[n]`
    Load(usize, usize),
    /// `memory[n] = d`
    Store(usize, usize),
    /// Goes on at a later step if `a < b`.
    SkipIfLess(usize, usize, usize),
}

/// What is to be generated.
pub enum Program {
    /// The sum of 1 to n, in a loop of nine instructions.
    Sum,
    /// A function of a pointer to [`REGISTERS`] numbers: loads all, takes the steps, returns the exclusive or of all registers.
    Straight(Vec<Step>),
}

impl Program {
    pub fn sum() -> Program {
        Program::Sum
    }

    pub fn straight(len: usize) -> Program {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % n
        };
        let steps = (0..len).map(|at| {
            let (d, b) = (below(REGISTERS), below(REGISTERS));
            match below(10) {
                0 | 1 => Step::Add(d, b),
                2 => Step::Sub(d, b),
                3 => Step::Xor(d, b),
                4 => Step::Mul(d, b),
                5 => Step::AddImm(d, below(10_000) as i32 - 5000),
                6 => Step::Shl(d, 1 + below(63) as u8),
                7 => Step::Load(d, below(REGISTERS)),
                8 => Step::Store(d, below(REGISTERS)),
                _ => Step::SkipIfLess(d, b, (at + 2 + below(6)).min(len)),
            }
        });
        Program::Straight(steps.collect())
    }

    pub fn name(&self) -> &'static str {
        match self {
            Program::Sum => "sum loop",
            Program::Straight(_) => "straight code",
        }
    }

    /// Instructions of ejit's IR, labels too.
    pub fn instructions(&self) -> usize {
        super::by_ejit::instructions(self).len()
    }

    /// Calls generated code and compares with what it should do.
    ///
    /// # Safety
    ///
    /// The code is what a generator made of this program.
    pub unsafe fn check(&self, code: *const u8) {
        let mut memory = [1, 2, 3, 5, 8, 13, 21, u64::MAX];
        match self {
            Program::Sum => {
                // SAFETY: a function of an integer that returns one, as the caller promises.
                let sum = unsafe { core::mem::transmute::<*const u8, extern "C" fn(u64) -> u64>(code) };
                assert_eq!((sum(0), sum(10), sum(1000)), (0, 55, 500_500));
            }
            Program::Straight(steps) => {
                let mut expected = memory;
                let result = evaluate(steps, &mut expected);
                // SAFETY: a function of a pointer to as many numbers that returns one, as the caller promises.
                let straight = unsafe { core::mem::transmute::<*const u8, extern "C" fn(*mut u64) -> u64>(code) };
                assert_eq!((straight(memory.as_mut_ptr()), memory), (result, expected));
            }
        }
    }
}

fn evaluate(steps: &[Step], memory: &mut [u64; REGISTERS]) -> u64 {
    let (mut r, mut at) = (*memory, 0);
    while let Some(&step) = steps.get(at) {
        at += 1;
        match step {
            Step::Add(d, b) => r[d] = r[d].wrapping_add(r[b]),
            Step::Sub(d, b) => r[d] = r[d].wrapping_sub(r[b]),
            Step::Xor(d, b) => r[d] ^= r[b],
            Step::Mul(d, b) => r[d] = r[d].wrapping_mul(r[b]),
            Step::AddImm(d, imm) => r[d] = r[d].wrapping_add(imm as u64),
            Step::Shl(d, amount) => r[d] <<= amount,
            Step::Load(d, n) => r[d] = memory[n],
            Step::Store(d, n) => memory[n] = r[d],
            Step::SkipIfLess(a, b, to) if r[a] < r[b] => at = to,
            Step::SkipIfLess(..) => {}
        }
    }
    r.into_iter().fold(0, |all, r| all ^ r)
}
