//! What is known of accounts that were called before in the same transaction.
//!
//! Most calls go to the same few contracts, and send nothing. Of an account that was called before two things are remembered:
//!
//! - It is *touched*: a transfer of nothing to it changes nothing. revm's journal would look it up, find the mark (EIP-161), and be done.
//! - It is *known*: a call of it finds it warm, with the same code, which is not empty and delegates to no other, and no precompile in its place.
//!   revm's journal would look it up and answer so, without an access of the database or an entry of its own.
//!
//! Both are certain until a revert takes back marks and warmth, or the transaction ends. Code changes in no other way: delegations (EIP-7702) are set before the
//! first frame, destroyed accounts keep theirs to the end of the transaction, and a creation finds no account that has code (EIP-7610).
//!
//! What is [`Certain`] is a set that only grows between a checkpoint and its commit or revert: no account takes the place of another that
//! something is certain of. So a revert leaves what was certain at the checkpoint.

use super::slots::Noted;
use crate::engine::Contract;
use revm::{context_interface::journaled_state::JournalCheckpoint, primitives::Address};
use std::sync::Arc;

/// Accounts that are remembered, by the last bits of their addresses.
const SLOTS: usize = u64::BITS as usize;

/// Accounts that one transaction has called, as far as they are remembered.
#[derive(Debug)]
pub(super) struct Targets {
    slots: Box<[Target; SLOTS]>,
    certain: Certain,
}

/// An account, and what a call of it executes. They stay when nothing of them is certain any more: the next transaction is likely to call the same.
#[derive(Debug)]
struct Target {
    address: Address,
    contract: Option<Arc<Contract>>,
}

/// What is certain, a bit for each slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Certain {
    touched: u64,
    known: u64,
}

impl Certain {
    /// What is certain in either.
    #[inline(always)]
    pub(super) fn or(self, other: Certain) -> Certain {
        Certain { touched: self.touched | other.touched, known: self.known | other.known }
    }
}

/// The place of a known account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(u8);

/// Where a call or creation goes back to if it fails.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoint {
    /// The journal's.
    pub(super) journal: JournalCheckpoint,
    /// What was certain of accounts.
    pub(super) certain: Certain,
    /// What was noted of storage.
    pub(super) noted: Noted,
}

impl Default for Targets {
    fn default() -> Targets {
        let slots = Box::new([const { Target { address: Address::ZERO, contract: None } }; SLOTS]);
        Targets { slots, certain: Certain::default() }
    }
}

impl Targets {
    /// `account`, if it is known.
    #[inline(always)]
    pub(super) fn find(&self, account: &Address) -> Option<Known> {
        let slot = slot(account);
        let Target { address, contract } = &self.slots[slot];
        let found = self.certain.known >> slot & 1 != 0 && address == account && contract.is_some();
        found.then_some(Known(slot as u8))
    }

    /// What a call of a known account executes.
    #[inline(always)]
    pub(super) fn contract(&self, Known(slot): Known) -> &Arc<Contract> {
        self.slots[usize::from(slot) % SLOTS].contract.as_ref().expect("known accounts have contracts")
    }

    /// `account` is known: it executes `contract`. Gives what is certain by that.
    #[inline]
    pub(super) fn note(&mut self, account: &Address, contract: &Arc<Contract>) -> Certain {
        let Some(slot) = self.place(account) else {
            return Certain::default();
        };
        let held = &mut self.slots[slot].contract;
        if !held.as_ref().is_some_and(|held| Arc::ptr_eq(held, contract)) {
            *held = Some(contract.clone());
        }
        self.certain.known |= 1 << slot;
        Certain { touched: 0, known: 1 << slot }
    }

    /// Whether `account` is touched for certain.
    #[inline(always)]
    pub(super) fn is_touched(&self, account: &Address) -> bool {
        let slot = slot(account);
        self.certain.touched >> slot & 1 != 0 && self.slots[slot].address == *account
    }

    /// As [`Targets::is_touched`], for a known account.
    #[inline(always)]
    pub(super) fn is_known_touched(&self, Known(slot): Known) -> bool {
        self.certain.touched >> slot & 1 != 0
    }

    /// `account` was touched.
    #[inline]
    pub(super) fn note_touched(&mut self, account: &Address) {
        if let Some(slot) = self.place(account) {
            self.certain.touched |= 1 << slot;
        }
    }

    /// Where `account` is remembered, if there is room for it.
    #[inline]
    fn place(&mut self, account: &Address) -> Option<usize> {
        let slot = slot(account);
        if self.slots[slot].address != *account {
            if (self.certain.touched | self.certain.known) >> slot & 1 != 0 {
                return None;
            }
            self.slots[slot].address = *account;
        }
        Some(slot)
    }

    /// What is certain now, for [`Targets::revert`].
    #[inline(always)]
    pub(super) fn certain(&self) -> Certain {
        self.certain
    }

    /// The journal was reverted to where so much was certain.
    #[inline]
    pub(super) fn revert(&mut self, Certain { touched, known }: Certain) {
        self.certain.touched &= touched;
        self.certain.known &= known;
    }

    /// Another transaction begins.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.certain = Certain::default();
    }

    /// Lets go of the contracts.
    pub(super) fn let_go(&mut self) {
        for slot in self.slots.iter_mut() {
            slot.contract = None;
        }
    }
}

/// Where an account is remembered.
#[inline(always)]
fn slot(account: &Address) -> usize {
    account.0[19] as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evm::{SpecId, code::Code};

    fn contract() -> Arc<Contract> {
        Arc::new(Contract::interpreted(Code::new(&[]), SpecId::OSAKA))
    }

    #[test]
    fn what_is_noted_is_certain_until_it_is_forgotten() {
        let [zero, one, other] = [0, 1, 1 + SLOTS as u8].map(Address::with_last_byte);
        let first = contract();
        let mut targets = Targets::default();
        assert!(!targets.is_touched(&zero) && targets.find(&zero).is_none(), "nothing is certain at first");
        targets.note_touched(&zero);
        targets.note_touched(&one);
        assert!(targets.is_touched(&zero) && targets.is_touched(&one) && !targets.is_touched(&other));
        assert_eq!(targets.find(&one), None, "touched is not known");
        targets.note(&one, &first);
        assert!(targets.is_touched(&one));
        assert!(targets.find(&one).is_some_and(|found| Arc::ptr_eq(targets.contract(found), &first)));

        targets.forget();
        assert!([zero, one, other].iter().all(|account| !targets.is_touched(account) && targets.find(account).is_none()));
        targets.note_touched(&one);
        assert_eq!(targets.find(&one), None, "what was forgotten is not known because it is touched");
    }

    #[test]
    fn no_account_takes_the_place_of_one_that_something_is_certain_of() {
        let [one, other] = [1, 1 + SLOTS as u8].map(Address::with_last_byte);
        let [first, second] = [0, 1].map(|_| contract());
        let mut targets = Targets::default();
        targets.note_touched(&one);
        targets.note(&other, &second);
        targets.note_touched(&other);
        assert!(targets.is_touched(&one) && !targets.is_touched(&other) && targets.find(&other).is_none());
        targets.forget();
        targets.note(&other, &second);
        targets.note(&one, &first);
        assert!(targets.find(&other).is_some_and(|found| Arc::ptr_eq(targets.contract(found), &second)));
        assert_eq!((targets.find(&one), targets.is_touched(&one)), (None, false));
    }

    #[test]
    fn a_revert_leaves_what_was_certain_before() {
        let [before, after, later] = [1, 2, 3].map(Address::with_last_byte);
        let contract = contract();
        let mut targets = Targets::default();
        targets.note(&before, &contract);
        targets.note_touched(&later);
        let outer = targets.certain();
        targets.note_touched(&after);
        let outer = outer.or(targets.note(&after, &contract));
        let inner = targets.certain();
        targets.note_touched(&before);
        let inner = inner.or(targets.note(&later, &contract));
        targets.revert(inner);
        assert!([before, after, later].iter().all(|account| targets.find(account).is_some()), "known before their calls began");
        assert!(!targets.is_touched(&before) && targets.is_touched(&after) && targets.is_touched(&later));
        targets.revert(outer);
        assert!(targets.find(&before).is_some() && targets.find(&after).is_some() && targets.find(&later).is_none());
        assert!(!targets.is_touched(&after) && targets.is_touched(&later));
    }

    #[test]
    fn contracts_are_let_go() {
        let contract = contract();
        let mut targets = Targets::default();
        targets.note(&Address::ZERO, &contract);
        assert_eq!(Arc::strong_count(&contract), 2);
        targets.let_go();
        assert_eq!((Arc::strong_count(&contract), targets.find(&Address::ZERO)), (1, None));
    }
}
