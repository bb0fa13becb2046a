//! What is known of storage slots that were read before in the same transaction.
//!
//! Most reads of storage are of slots that were accessed before. Such a slot is warm and in revm's journal, which would look up account and slot and
//! answer with the value, without an access of the database or an entry of its own: the answer is remembered here instead.
//!
//! It is certain until the slot is written, which is noted, until a revert takes back value or warmth, a precompile that is not revm's own may have
//! written to storage, or the transaction ends. What was noted is listed in order, as in the journal, so that a revert forgets what was noted since
//! the checkpoint. No slot takes the place of another: what is certain stays so, and a program that reads more slots than there is room for pays for
//! one comparison.

use crate::runtime::word::by_limbs;
use revm::primitives::{Address, U256};

/// Slots that are remembered, by a hash.
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 8;

/// Slots that one transaction has read, as far as they are remembered.
#[derive(Debug)]
pub(super) struct Slots {
    /// When each was noted, or 0. Apart from the slots: what is not known is told by a few lines of the cache.
    when: [u32; SLOTS],
    slots: Box<[Slot; SLOTS]>,
    /// What was noted in this transaction, in order.
    noted: Vec<u8>,
    /// Goes up where nothing is certain any more, and is never 0: what was noted at another number does not count.
    now: u32,
}

/// A slot of an account, and its value.
#[derive(Clone, Copy, Debug)]
struct Slot {
    key: U256,
    value: U256,
    address: Address,
}

/// How much was noted when a call or creation began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted(u32);

impl Default for Slots {
    fn default() -> Slots {
        let none = Slot { key: U256::ZERO, value: U256::ZERO, address: Address::ZERO };
        Slots { when: [0; SLOTS], slots: Box::new([none; SLOTS]), noted: Vec::new(), now: 1 }
    }
}

impl Slots {
    /// The value of a slot, if it is certain to be warm and to have that.
    #[inline(always)]
    pub(super) fn find(&self, address: &Address, key: &U256) -> Option<&U256> {
        self.find_place(address, key).map(|place| &self.slots[place].value)
    }

    /// Where that is.
    #[inline(always)]
    fn find_place(&self, address: &Address, key: &U256) -> Option<usize> {
        let place = place(address, key);
        let slot = &self.slots[place];
        (self.when[place] == self.now && is_same(&slot.key, key) && slot.address == *address).then_some(place)
    }

    /// A slot that was not found was read: it is warm and in the journal, and has this value.
    #[inline(never)]
    pub(super) fn note(&mut self, address: &Address, key: &U256, value: &U256) {
        let place = place(address, key);
        if self.when[place] == self.now {
            return;
        }
        let slot = &mut self.slots[place];
        (slot.key, slot.value, slot.address) = (by_limbs(key), by_limbs(value), *address);
        self.when[place] = self.now;
        self.noted.push(place as u8);
    }

    /// A slot was written.
    #[inline]
    pub(super) fn write(&mut self, address: &Address, key: &U256, value: &U256) {
        if let Some(place) = self.find_place(address, key) {
            self.slots[place].value = by_limbs(value);
            self.noted.push(place as u8);
        }
    }

    /// What was noted up to now, for [`Slots::revert`].
    #[inline(always)]
    pub(super) fn noted(&self) -> Noted {
        Noted(self.noted.len() as u32)
    }

    /// The journal was reverted to where so much had been noted.
    #[inline]
    pub(super) fn revert(&mut self, Noted(before): Noted) {
        for place in self.noted.drain((before as usize).min(self.noted.len())..) {
            self.when[usize::from(place)] = 0;
        }
    }

    /// Another transaction begins.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.noted.clear();
        self.doubt();
    }

    /// Something else may have written to storage: nothing is certain any more. The list stays as it is, since checkpoints say how much of it there was.
    #[inline]
    pub(super) fn doubt(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            (self.when, self.now) = ([0; SLOTS], 1);
        }
    }
}

/// Whether two words are the same, limb by limb: keys have just been written so, and to compare more at once would wait for that (5 ns).
#[inline(always)]
fn is_same(a: &U256, b: &U256) -> bool {
    let [a, b] = [by_limbs(a).into_limbs(), by_limbs(b).into_limbs()];
    (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) == 0
}

/// Where a slot is remembered: by the top bits of a product (Knuth, TAOCP volume 3, section 6.4).
#[inline(always)]
fn place(address: &Address, key: &U256) -> usize {
    let [.., a, b, c, d] = address.0.0;
    let mixed = key.as_limbs()[0] ^ u64::from(u32::from_le_bytes([a, b, c, d])) << 32;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Address = Address::with_last_byte(1);

    fn word(value: usize) -> U256 {
        U256::from(value)
    }

    fn slots() -> Slots {
        let mut slots = Slots::default();
        slots.forget();
        slots
    }

    #[test]
    fn what_is_noted_is_found_until_the_transaction_ends() {
        let (mut slots, other) = (slots(), Address::with_last_byte(2));
        assert_eq!(slots.find(&HERE, &word(5)), None);
        slots.note(&HERE, &word(5), &word(6));
        assert_eq!(slots.find(&HERE, &word(5)), Some(&word(6)));
        assert_eq!((slots.find(&other, &word(5)), slots.find(&HERE, &(word(5) + (word(1) << 64)))), (None, None));
        slots.write(&HERE, &word(5), &U256::MAX);
        slots.write(&HERE, &word(4), &word(1));
        assert_eq!((slots.find(&HERE, &word(5)), slots.find(&HERE, &word(4))), (Some(&U256::MAX), None));
        slots.forget();
        assert_eq!(slots.find(&HERE, &word(5)), None);
    }

    #[test]
    fn a_revert_forgets_what_was_noted_since() {
        let mut slots = slots();
        slots.note(&HERE, &word(1), &word(10));
        slots.note(&HERE, &word(2), &word(20));
        let before = slots.noted();
        slots.write(&HERE, &word(2), &word(21));
        slots.note(&HERE, &word(3), &word(30));
        slots.revert(before);
        let found = [1, 2, 3].map(|key| slots.find(&HERE, &word(key)).copied());
        assert_eq!(found, [Some(word(10)), None, None]);
        slots.note(&HERE, &word(2), &word(20));
        slots.revert(before);
        assert_eq!(slots.find(&HERE, &word(2)), None, "and so does another to the same place");
        slots.revert(Noted(0));
        assert_eq!(slots.find(&HERE, &word(1)), None);
    }

    #[test]
    fn after_a_doubt_reverts_forget_as_ever() {
        let mut slots = slots();
        slots.note(&HERE, &word(1), &word(10));
        let before = slots.noted();
        slots.doubt();
        assert_eq!(slots.find(&HERE, &word(1)), None);
        slots.note(&HERE, &word(2), &word(20));
        slots.note(&HERE, &word(1), &word(11));
        assert_eq!(slots.find(&HERE, &word(1)), Some(&word(11)));
        slots.revert(before);
        assert_eq!([1, 2].map(|key| slots.find(&HERE, &word(key))), [None, None]);
    }

    #[test]
    fn no_slot_takes_the_place_of_another() {
        let mut slots = slots();
        (0..10 * SLOTS).for_each(|key| slots.note(&HERE, &word(key), &word(!key)));
        let found: Vec<_> = (0..10 * SLOTS).filter(|&key| slots.find(&HERE, &word(key)) == Some(&word(!key))).collect();
        assert!(found.len() > SLOTS / 2 && found.len() == slots.noted.len(), "{}", found.len());
        let first = |key: &usize| (0..*key).all(|other| place(&HERE, &word(other)) != place(&HERE, &word(*key)));
        assert!(found.iter().all(first));
    }

    #[test]
    fn numbers_come_again() {
        let mut slots = slots();
        slots.note(&HERE, &word(5), &word(6));
        slots.now = u32::MAX;
        slots.forget();
        assert_eq!((slots.now, slots.find(&HERE, &word(5))), (1, None));
    }
}
