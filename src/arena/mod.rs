//! Code memory: one reservation, mapped twice.
//!
//! Owns the pages that machine code lives in, and the data pages of link slots. Must never know what the code does. Invariants: no
//! page is both writable and executable; a byte that was published never changes; pages that hold no code yet hold traps or are
//! beyond any published address; slots lie within reach of every instruction (32-bit displacements); a fork inherits nothing.
//!
//! ```text
//! executable view   [ slots, read + write ][ code, read + execute ........ ]   one address range
//! writable view     [ the same code pages, read + write ]                      elsewhere
//! ```
//!
//! Slots are handed out downwards from the code, which grows upwards: the first of each are near enough for one load on aarch64 (1 MiB).

mod assembler;
mod coherence;
mod executable;
mod function;
mod index;
mod mapping;
mod pages;
mod pool;

pub use assembler::Assembler;
pub use executable::{Executable, ExecutableError};
pub use function::{Arguments, Function, MAX_ARGUMENTS, Results, Word, call};
pub use index::PcIndex;
pub use pool::Pool;

use core::sync::atomic::{AtomicU64, Ordering, fence};
use mapping::Mapping;
use std::io;

/// Published code starts at multiples of this.
pub const CODE_ALIGN: usize = 16;

/// What fresh code memory holds: `int3`, or on aarch64 `udf #0`.
const TRAP_BYTE: u8 = if cfg!(target_arch = "aarch64") { 0 } else { 0xcc };

/// Pages are asked for, and filled with traps, in steps of this many bytes: one system call in place of sixteen page faults.
const FILL_STEP: usize = 1 << 16;

/// Of so many slots one is written for their page to be present: the smallest pages have 4096 bytes.
const SLOTS_TOUCHED: usize = 4096 / size_of::<AtomicU64>();

/// Code and slots together may not exceed the reach of a 32-bit displacement.
pub const MAX_BYTES: usize = 1 << 30;

/// The address of published code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodePtr(u64);

impl CodePtr {
    /// The address.
    pub const fn address(self) -> u64 {
        self.0
    }

    /// The address `bytes` further on in the same published code.
    pub const fn offset(self, bytes: u64) -> CodePtr {
        CodePtr(self.0 + bytes)
    }
}

/// The address of a link slot: an aligned 64-bit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotPtr(u64);

impl SlotPtr {
    /// The address.
    pub const fn address(self) -> u64 {
        self.0
    }
}

/// The arena has no room for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the code arena is full: another is to take its place")
    }
}

impl core::error::Error for Full {}

/// A bounded amount of code memory.
#[derive(Debug)]
pub struct Arena {
    mapping: Mapping,
    /// Bytes of code handed out, a multiple of [`CODE_ALIGN`].
    code_used: usize,
    /// Bytes that have been filled with traps or code.
    filled: usize,
    slots_used: usize,
    /// Other code has been where the next is put.
    reused: bool,
}

impl Arena {
    /// Reserves room for `code_bytes` of code (rounded up to pages) and `slots` link slots. Memory is committed as it is used.
    ///
    /// # Errors
    ///
    /// Where the system refuses (no memfd, no executable mapping), on targets without support, and for more than [`MAX_BYTES`].
    pub fn new(code_bytes: usize, slots: usize) -> io::Result<Arena> {
        let slot_bytes = slots.checked_mul(size_of::<AtomicU64>());
        match slot_bytes.and_then(|bytes| bytes.checked_add(code_bytes)) {
            Some(total) if total <= MAX_BYTES => {}
            Some(_) | None => return Err(io::Error::new(io::ErrorKind::InvalidInput, "code arena too large")),
        }
        coherence::register()?;
        let mapping = Mapping::new(code_bytes, slot_bytes.unwrap_or(0))?;
        Ok(Arena { mapping, code_used: 0, filled: 0, slots_used: 0, reused: false })
    }

    /// The first byte of the executable view.
    pub fn code_base(&self) -> *const u8 {
        self.mapping.code_base()
    }

    /// Where the next [`publish`](Arena::publish) puts its first byte.
    pub fn next_address(&self) -> u64 {
        self.code_base() as u64 + self.code_used as u64
    }

    /// Copies `bytes` to [`next_address`](Arena::next_address) and returns it as the address to run.
    ///
    /// # Errors
    ///
    /// [`Full`], and nothing has changed.
    pub fn publish(&mut self, bytes: &[u8]) -> Result<CodePtr, Full> {
        let address = CodePtr(self.next_address());
        let end = self.code_used.checked_add(bytes.len()).ok_or(Full)?;
        let used = end.checked_next_multiple_of(CODE_ALIGN).ok_or(Full)?;
        if used > self.mapping.code_bytes() {
            return Err(Full);
        }
        self.fill(used);
        self.mapping.write(self.code_used, bytes.len()).copy_from_slice(bytes);
        if self.reused {
            coherence::publish_over(address.0 as *const u8, bytes.len());
        } else {
            coherence::publish(address.0 as *const u8, bytes.len());
        }
        self.code_used = used;
        // Whoever learns the address by an acquiring load, or through a slot, sees the bytes.
        fence(Ordering::Release);
        Ok(address)
    }

    /// Makes the memory of at least the first `code_bytes` of code and of so many slots present, as far as there is room: what is published there
    /// waits for no page.
    pub fn prepare(&mut self, code_bytes: usize, slots: usize) {
        self.fill(code_bytes);
        let unused = self.mapping.slots().len() - self.slots_used;
        for slot in self.mapping.slots()[..unused].iter().rev().take(slots).step_by(SLOTS_TOUCHED) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Fills at least the first `len` bytes of code memory, as far as there are so many, with traps where there is no code yet.
    #[inline]
    fn fill(&mut self, len: usize) {
        let len = len.min(self.mapping.code_bytes());
        if len > self.filled {
            let to = len.next_multiple_of(FILL_STEP).min(self.mapping.code_bytes());
            self.mapping.populate(self.filled, to - self.filled);
            self.mapping.write(self.filled, to - self.filled).fill(TRAP_BYTE);
            self.filled = to;
        }
    }

    /// Forgets all code, in place of which there are traps, and all slots. Nobody may run what was published, and
    /// [`coherence::register_reuse`] must have succeeded.
    fn clear(&mut self) {
        self.mapping.write(0, self.code_used).fill(TRAP_BYTE);
        (self.code_used, self.slots_used, self.reused) = (0, 0, true);
    }

    /// A new link slot that holds `initial`.
    ///
    /// # Errors
    ///
    /// [`Full`], and nothing has changed.
    pub fn new_slot(&mut self, initial: u64) -> Result<SlotPtr, Full> {
        let free = self.mapping.slots().len() - self.slots_used;
        let slot = &self.mapping.slots()[free.checked_sub(1).ok_or(Full)?];
        slot.store(initial, Ordering::Release);
        self.slots_used += 1;
        Ok(SlotPtr(slot as *const AtomicU64 as u64))
    }

    /// Makes a slot point at `target`. Code that jumps through the slot goes there from now on.
    ///
    /// # Panics
    ///
    /// If the slot is not one of this arena.
    pub fn set_slot(&self, slot: SlotPtr, target: CodePtr) {
        self.slot(slot).store(target.0, Ordering::Release);
    }

    /// As [`Arena::set_slot`], by a slot's address.
    ///
    /// # Panics
    ///
    /// If there is no slot of this arena at `slot`.
    pub fn set_slot_at(&self, slot: u64, target: CodePtr) {
        self.set_slot(SlotPtr(slot), target);
    }

    /// What a slot holds.
    ///
    /// # Panics
    ///
    /// If the slot is not one of this arena.
    pub fn slot_value(&self, slot: SlotPtr) -> u64 {
        self.slot(slot).load(Ordering::Acquire)
    }

    fn slot(&self, slot: SlotPtr) -> &AtomicU64 {
        let slots = self.mapping.slots();
        let used = &slots[slots.len() - self.slots_used..];
        let offset = slot.0.wrapping_sub(used.as_ptr() as u64) as usize;
        &used[offset / size_of::<AtomicU64>()]
    }

    /// Bytes of code and number of slots in use.
    pub fn used(&self) -> (usize, usize) {
        (self.code_used, self.slots_used)
    }

    /// Bytes of code and number of slots there is room for.
    pub fn capacity(&self) -> (usize, usize) {
        (self.mapping.code_bytes(), self.mapping.slots().len())
    }
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;

    #[test]
    fn publishes_aligned_bytes_among_traps() {
        let mut arena = Arena::new(1 << 16, 4).unwrap();
        let first = arena.publish(&[0xc3]).unwrap();
        assert_eq!(first.address(), arena.code_base() as u64);
        let second = arena.publish(&[0x90; 17]).unwrap();
        assert_eq!(second.address(), first.address() + CODE_ALIGN as u64);
        assert_eq!(arena.used(), (3 * CODE_ALIGN, 0));
        // SAFETY: the executable view is readable, and this much of it has been used.
        let seen = unsafe { core::slice::from_raw_parts(arena.code_base(), 4 * CODE_ALIGN) };
        assert_eq!(&seen[..2], [0xc3, TRAP_BYTE]);
        assert_eq!(&seen[16..34], [[0x90; 17].as_slice(), &[TRAP_BYTE]].concat());
    }

    #[test]
    fn what_was_prepared_is_used_as_ever() {
        let mut arena = Arena::new(1 << 17, 600).unwrap();
        let slot = arena.new_slot(7).unwrap();
        arena.prepare(1, 10_000);
        assert_eq!((arena.used(), arena.slot_value(slot)), ((0, 1), 7));
        let code = arena.publish(&[0xc3; 100_000]).unwrap();
        arena.prepare(usize::MAX, 0);
        // SAFETY: the executable view is readable, and all of it has been filled.
        let seen = unsafe { core::slice::from_raw_parts(arena.code_base(), 1 << 17) };
        assert_eq!(code.address(), arena.code_base() as u64);
        assert!(seen[..100_000].iter().all(|&byte| byte == 0xc3) && seen[100_000..].iter().all(|&byte| byte == TRAP_BYTE));
        assert!((1..600).all(|n| arena.new_slot(n).is_ok()));
    }

    #[test]
    fn is_bounded() {
        let mut arena = Arena::new(4096, 1).unwrap();
        assert_eq!(arena.publish(&[0; 4097]), Err(Full));
        assert!(arena.publish(&[0; 4096]).is_ok());
        assert_eq!(arena.publish(&[0]), Err(Full));
        assert!(arena.new_slot(1).is_ok());
        assert_eq!(arena.new_slot(1), Err(Full));
        assert!(Arena::new(MAX_BYTES, 1).is_err());
        assert!(Arena::new(usize::MAX, usize::MAX).is_err());
    }

    #[test]
    fn slots_are_read_back_and_lie_in_reach() {
        let mut arena = Arena::new(1 << 20, 16).unwrap();
        let code = arena.publish(&[0xc3]).unwrap();
        let slot = arena.new_slot(7).unwrap();
        assert_eq!(arena.slot_value(slot), 7);
        arena.set_slot(slot, code);
        assert_eq!(arena.slot_value(slot), code.address());
        assert_eq!(slot.address(), arena.code_base() as u64 - 8);
        assert_eq!(arena.new_slot(9).unwrap().address(), slot.address() - 8);
    }

    #[test]
    fn no_page_is_writable_and_executable() {
        let mut arena = Arena::new(1 << 20, 16).unwrap();
        arena.publish(&[0xc3]).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let base = format!("{:x}-", arena.code_base() as u64);
        let line = maps.lines().find(|line| line.starts_with(&base)).unwrap();
        assert!(line.contains(" r-xs "), "{line}");
        assert!(!maps.lines().any(|line| line.split(' ').nth(1).is_some_and(|p| p.starts_with("rwx"))));
    }
}
