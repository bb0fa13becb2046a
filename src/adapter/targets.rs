//! What is known of accounts that were called before in the same transaction.
//!
//! Most calls go to the same few contracts, and send nothing. Of an account that was called before two things are remembered:
//!
//! - It is *touched*: a transfer of nothing to it changes nothing. revm's journal would look it up, find the mark (EIP-161), and be done.
//! - It is *known*: a call of it finds it warm, with the same code, which is not empty and delegates to no other, and no precompile in its place.
//!   revm's journal would look it up and answer so, without an access of the database or an entry of its own.
//!
//! Both end with a revert, which takes back marks, warmth and code, whoever asks for it, with the creation of an account, which gives it code, and with the
//! transaction: then everything here is forgotten. Code changes in no other way within a transaction: delegations (EIP-7702) are set before its first
//! frame, destroyed accounts keep theirs to its end, and a creation finds no account that has code (EIP-7610).

use crate::engine::Contract;
use revm::primitives::Address;
use std::sync::Arc;

/// Accounts that are remembered, by the last bits of their addresses.
const SLOTS: usize = u32::BITS as usize;

/// Accounts that one transaction has called, as far as they are remembered.
#[derive(Debug, Default)]
pub(super) struct Targets {
    slots: [Target; SLOTS],
    /// Which of them are touched, one bit each.
    touched: u32,
    /// Which of them are known.
    known: u32,
}

/// An account, and what a call of it executes, if that is known. It stays here when it is forgotten: the next transaction is likely to call it too.
#[derive(Debug, Default)]
struct Target {
    address: Address,
    contract: Option<Arc<Contract>>,
}

/// The place of a known account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(u8);

impl Targets {
    /// `account`, if it is known.
    #[inline(always)]
    pub(super) fn find(&self, account: &Address) -> Option<Known> {
        let slot = slot(account);
        let found = self.known >> slot & 1 != 0 && self.slots[slot].address == *account;
        found.then_some(Known(slot as u8))
    }

    /// What a call of a known account executes.
    #[inline(always)]
    pub(super) fn contract(&self, Known(slot): Known) -> &Arc<Contract> {
        self.slots[usize::from(slot) % SLOTS].contract.as_ref().expect("known accounts have contracts")
    }

    /// `account` is known: it executes `contract`.
    pub(super) fn note(&mut self, account: &Address, contract: &Arc<Contract>) {
        let slot = self.place(account);
        let held = &mut self.slots[slot].contract;
        if !held.as_ref().is_some_and(|held| Arc::ptr_eq(held, contract)) {
            *held = Some(contract.clone());
        }
        self.known |= 1 << slot;
    }

    /// Whether `account` is touched for certain.
    #[inline(always)]
    pub(super) fn is_touched(&self, account: &Address) -> bool {
        let slot = slot(account);
        self.touched >> slot & 1 != 0 && self.slots[slot].address == *account
    }

    /// As [`Targets::is_touched`], for a known account.
    #[inline(always)]
    pub(super) fn is_known_touched(&self, Known(slot): Known) -> bool {
        self.touched >> slot & 1 != 0
    }

    /// `account` was touched.
    #[inline]
    pub(super) fn note_touched(&mut self, account: &Address) {
        let slot = self.place(account);
        self.touched |= 1 << slot;
    }

    /// Where `account` is remembered, in place of others.
    #[inline]
    fn place(&mut self, account: &Address) -> usize {
        let slot = slot(account);
        if self.slots[slot].address != *account {
            self.slots[slot].address = *account;
            self.touched &= !(1 << slot);
            self.known &= !(1 << slot);
        }
        slot
    }

    /// Nothing is certain any more: the journal was reverted, or an account was created, or this is another transaction.
    #[inline]
    pub(super) fn forget(&mut self) {
        (self.touched, self.known) = (0, 0);
    }

    /// Lets go of the contracts.
    pub(super) fn let_go(&mut self) {
        *self = Targets::default();
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

    #[test]
    fn what_is_noted_is_certain_until_it_is_forgotten_or_displaced() {
        let [zero, one, other] = [0, 1, 1 + SLOTS as u8].map(Address::with_last_byte);
        let [first, second] = [0, 1].map(|_| Arc::new(Contract::interpreted(Code::new(&[]), SpecId::OSAKA)));
        let mut targets = Targets::default();
        assert!(!targets.is_touched(&zero) && targets.find(&zero).is_none(), "nothing is certain at first");
        targets.note_touched(&zero);
        targets.note_touched(&one);
        assert!(targets.is_touched(&zero) && targets.is_touched(&one) && !targets.is_touched(&other));
        assert_eq!(targets.find(&one), None, "touched is not known");

        targets.note(&one, &first);
        assert!(targets.is_touched(&one));
        assert!(targets.find(&one).is_some_and(|found| Arc::ptr_eq(targets.contract(found), &first)));
        targets.note(&other, &second);
        assert!(targets.find(&other).is_some_and(|found| Arc::ptr_eq(targets.contract(found), &second)));
        assert!(targets.find(&one).is_none() && !targets.is_touched(&one) && !targets.is_touched(&other));

        targets.forget();
        assert!([zero, one, other].iter().all(|account| !targets.is_touched(account) && targets.find(account).is_none()));
        targets.note_touched(&other);
        assert_eq!(targets.find(&other), None, "what was forgotten is not known because it is touched");
    }

    #[test]
    fn contracts_are_let_go() {
        let contract = Arc::new(Contract::interpreted(Code::new(&[]), SpecId::OSAKA));
        let mut targets = Targets::default();
        targets.note(&Address::ZERO, &contract);
        assert_eq!(Arc::strong_count(&contract), 2);
        targets.let_go();
        assert_eq!((Arc::strong_count(&contract), targets.find(&Address::ZERO)), (1, None));
    }
}
