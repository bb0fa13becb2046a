//! Accounts that the journal is known to have marked as touched.
//!
//! A transfer of nothing to such an account changes nothing: revm's journal would look it up, find the mark (EIP-161), and be done. Most calls
//! send nothing, and to the same few contracts. Only a revert takes marks away, whoever asks for it: then everything here is forgotten.

use revm::primitives::Address;

/// Accounts that are remembered, by the last bits of their addresses.
const SLOTS: usize = u8::BITS as usize;

/// Touched accounts of one transaction, as far as they are remembered.
#[derive(Debug, Default)]
pub(super) struct Touched {
    accounts: [Address; SLOTS],
    /// Which of them are, one bit each.
    known: u8,
}

impl Touched {
    /// Whether `account` is known to be touched.
    #[inline(always)]
    pub(super) fn knows(&self, account: &Address) -> bool {
        let slot = slot(account);
        self.known >> slot & 1 != 0 && self.accounts[slot] == *account
    }

    /// `account` was touched.
    #[inline(always)]
    pub(super) fn note(&mut self, account: &Address) {
        let slot = slot(account);
        self.accounts[slot] = *account;
        self.known |= 1 << slot;
    }

    /// The journal may have been reverted, or is another's.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.known = 0;
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

    #[test]
    fn what_is_noted_is_known_until_it_is_forgotten_or_displaced() {
        let [zero, one, ninth] = [0, 1, 9].map(Address::with_last_byte);
        let mut touched = Touched::default();
        assert!(!touched.knows(&zero), "nothing is known at first");
        touched.note(&zero);
        touched.note(&one);
        assert!(touched.knows(&zero) && touched.knows(&one) && !touched.knows(&ninth));
        touched.note(&ninth);
        assert!(touched.knows(&ninth) && !touched.knows(&one));
        touched.forget();
        assert!([zero, one, ninth].iter().all(|account| !touched.knows(account)));
    }
}
