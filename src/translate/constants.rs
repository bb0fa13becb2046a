//! Constants that code refers to by address. They lie behind the unit's code, each once.

use super::Translator;
use super::values::{ValueId, at};
use crate::evm::U256;
use crate::ir::{Ins, Label, R, WSrc};
use crate::math::reciprocal::Reciprocal;

/// Bytes of one [`Ins::Data`].
const PIECE: usize = 16;

/// What is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// A word.
    Word(U256),
    /// A word, and zeros above it, as many again as eight bytes read from any of its own.
    Extended(U256),
    /// A divisor or modulus other than 0, as the runtime's functions want it prepared.
    Prepared(U256),
}

/// Where a word is that code refers to by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// In the stack.
    Slot(R, i32),
    /// Behind the code.
    Constant(Label),
}

impl Translator {
    /// The label of a constant.
    pub(super) fn constant(&mut self, constant: Constant) -> Label {
        if let Some(&(label, _)) = self.constants.iter().find(|(_, known)| *known == constant) {
            return label;
        }
        let label = self.label();
        self.constants.push((label, constant));
        label
    }

    /// A constant as an operand, which the caller owns like one that it popped.
    pub(super) fn constant_operand(&mut self, k: U256) -> ValueId {
        self.s.push_const(k);
        self.s.pop()
    }

    /// Where `v` is in memory: it is put there unless it is a constant or there already.
    pub(super) fn address_of(&mut self, v: ValueId) -> Address {
        if let (Some(k), None) = (self.s.konst(v), self.s.value(v).slot) {
            return Address::Constant(self.constant(Constant::Word(k)));
        }
        let slot = self.s.ensure_slot(v);
        let (base, disp) = self.s.slot_at(slot);
        Address::Slot(base, disp)
    }

    /// Puts an address into a register. Flags survive.
    pub(super) fn load_address(&mut self, dst: R, address: Address) {
        self.s.emit(match address {
            Address::Slot(base, disp) => Ins::Lea { dst, mem: at(base, disp) },
            Address::Constant(label) => Ins::LabelAddr { dst, label },
        });
    }

    /// An address as base and displacement, through `tmp` if it is a constant's. Flags survive.
    pub(super) fn base_of(&mut self, address: Address, tmp: R) -> (R, i32) {
        match address {
            Address::Slot(base, disp) => (base, disp),
            Address::Constant(_) => {
                self.load_address(tmp, address);
                (tmp, 0)
            }
        }
    }

    /// The word at an address as an operand, through `tmp` if it is a constant. Flags survive.
    pub(super) fn word_at(&mut self, address: Address, tmp: R) -> WSrc {
        let (base, disp) = self.base_of(address, tmp);
        WSrc::M(base, disp)
    }

    /// Emits the constants, which nothing runs into. Returns the label of the first, and how many bytes they are.
    pub(super) fn emit_constants(&mut self) -> Option<(Label, usize)> {
        let &(first, _) = self.constants.first()?;
        self.s.emit(Ins::Align { to: PIECE as u8 });
        let start = self.s.out.len();
        for i in 0..self.constants.len() {
            let (label, constant) = self.constants[i];
            self.s.emit(Ins::Label(label));
            match constant {
                Constant::Word(word) => self.emit_limbs(word.as_limbs()),
                Constant::Extended(word) => {
                    self.emit_limbs(word.as_limbs());
                    self.emit_limbs(&[0; 2]);
                }
                Constant::Prepared(divisor) => self.emit_limbs(&Reciprocal::new(divisor.as_limbs()).to_limbs()),
            }
        }
        Some((first, PIECE * (self.s.out.len() - start - self.constants.len())))
    }

    fn emit_limbs(&mut self, limbs: &[u64]) {
        for pair in limbs.chunks(PIECE / size_of::<u64>()) {
            let mut bytes = [0; PIECE];
            for (place, limb) in bytes.chunks_mut(size_of::<u64>()).zip(pair) {
                place.copy_from_slice(&limb.to_le_bytes());
            }
            self.s.emit(Ins::Data { bytes, len: PIECE as u8 });
        }
    }
}
