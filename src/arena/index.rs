//! The index from program counter to compiled code that compiled code itself reads.

use core::sync::atomic::{AtomicU32, Ordering};

/// One 32-bit entry per position, 0 at first. Its memory is not touched before it is written, so a large one costs nothing.
#[derive(Debug)]
pub struct PcIndex {
    entries: Box<[AtomicU32]>,
}

impl PcIndex {
    /// An index of `len` zero entries.
    pub fn new(len: usize) -> PcIndex {
        // Zeroed by the allocator; initialising atomics one by one would touch every page.
        let zeros = Box::into_raw(vec![0u32; len].into_boxed_slice());
        // SAFETY: the pointer comes from a box of as many `u32`, and `AtomicU32` has the same size, alignment and bit validity.
        let entries = unsafe { Box::from_raw(zeros as *mut [AtomicU32]) };
        PcIndex { entries }
    }

    /// The entry at `position`; 0 where there is none.
    #[inline]
    pub fn get(&self, position: usize) -> u32 {
        self.entries.get(position).map_or(0, |entry| entry.load(Ordering::Acquire))
    }

    /// Publishes an entry. Positions outside the index are ignored.
    pub fn set(&self, position: usize, value: u32) {
        if let Some(entry) = self.entries.get(position) {
            entry.store(value, Ordering::Release);
        }
    }

    /// Where the entries are.
    #[inline]
    pub fn as_ptr(&self) -> *const u32 {
        self.entries.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_zero_until_set() {
        let index = PcIndex::new(3);
        assert_eq!((index.get(0), index.get(2), index.get(3)), (0, 0, 0));
        index.set(2, 7);
        index.set(3, 9);
        assert_eq!((index.get(2), index.get(3)), (7, 0));
    }
}
