//! Label positions and the branches that wait for them.

use crate::ir::Label;

const UNBOUND: u32 = u32::MAX;
const LABELS_AT_ONCE: usize = 64;

/// A branch to a label that was not bound when it was emitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixup {
    /// Where the distance is, from the start of the code.
    pub at: u32,
    pub label: Label,
}

/// Reused from stream to stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    offsets: Vec<u32>,
    pub fixups: Vec<Fixup>,
}

impl Labels {
    pub(super) fn clear(&mut self) {
        self.offsets.clear();
        self.fixups.clear();
    }

    /// Where a label is bound, if it is.
    #[inline]
    pub(super) fn offset(&self, label: Label) -> Option<u32> {
        self.offsets.get(label.0 as usize).copied().filter(|&offset| offset != UNBOUND)
    }

    /// Binds a label for which there is room and that is not bound yet; false if it is another.
    #[inline(always)]
    pub(super) fn bind_known(&mut self, label: Label, offset: u32) -> bool {
        match self.offsets.get_mut(label.0 as usize) {
            Some(slot) if *slot == UNBOUND => {
                *slot = offset;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Binds a label; false if it was bound before.
    #[inline]
    pub(super) fn bind(&mut self, label: Label, offset: u32) -> bool {
        let index = label.0 as usize;
        if index >= self.offsets.len() {
            self.grow(index);
        }
        core::mem::replace(&mut self.offsets[index], offset) == UNBOUND
    }

    /// Makes room for a label and some more: they are mostly bound in the order of their numbers.
    #[cold]
    fn grow(&mut self, index: usize) {
        self.offsets.resize((index + 1).next_multiple_of(LABELS_AT_ONCE), UNBOUND);
    }
}
