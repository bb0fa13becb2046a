//! Chaos mode, for tests: choices of the translator that results must not depend on are made by dice. Which registers hold what, what is
//! spilled, which version an edge takes, what is guessed to be narrow, where units end: each is correct whatever is chosen, or it is a bug.

use super::Translator;
use super::context::VersionId;
use super::values::{Regs, State, has_bits};
use crate::evm::block::MAX_INSTRUCTIONS;
use crate::evm::code::Code;
use core::num::NonZeroU64;

/// Dice that always fall on "as usual" unless they have a seed: xorshift64* (Vigna, ACM TOMS 42(4), 2016).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice for one unit of a contract. They do not depend on what else was compiled, so that a failure repeats.
    pub fn new(seed: Option<NonZeroU64>, id: VersionId, code: &Code) -> Dice {
        let unit = u64::from(id.0) << 32 | code.bytes().len() as u64;
        Dice(seed.map_or(0, |seed| (seed.get() ^ unit).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1)))
    }

    /// Whether anything is left to chance.
    #[inline]
    pub fn rolls(self) -> bool {
        self.0 != 0
    }

    /// True once in `n` times; never without a seed.
    #[inline]
    pub fn one_in(&mut self, n: u32) -> bool {
        self.rolls() && self.below(n) == 0
    }

    /// A number below `n`; 0 without a seed.
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((high * u64::from(n)) >> 32) as u32
    }
}

impl Translator {
    /// Between two instructions: something may be put elsewhere.
    pub(super) fn disturb(&mut self) {
        if self.s.dice.one_in(6) {
            self.s.spill_any();
        }
        if self.s.dice.one_in(6) {
            self.s.load_any();
        }
    }

    /// Instructions that a block may have.
    pub(super) fn usual_limit(&mut self) -> usize {
        if self.s.dice.one_in(8) { 1 + self.s.dice.below(24) as usize } else { MAX_INSTRUCTIONS }
    }
}

impl State {
    /// Spills an element that is in registers.
    fn spill_any(&mut self) {
        let Some(i) = self.any_element() else { return };
        let v = self.at(i);
        if self.value(v).regs != Regs::None {
            self.spill(v);
        }
    }

    /// Loads an element that is in none, if there is room.
    fn load_any(&mut self) {
        let Some(i) = self.any_element() else { return };
        let v = self.at(i);
        let value = self.value(v);
        if value.regs == Regs::None && value.flags.is_none() && has_bits(self.free, 4) {
            self.load_regs(v);
            self.unpin();
        }
    }

    fn any_element(&mut self) -> Option<usize> {
        let len = u32::try_from(self.len()).ok()?;
        (len > 0).then(|| self.dice.below(len) as usize)
    }
}
