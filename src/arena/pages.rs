//! Pages for one run of code: written first, then executable, never both. A fork inherits a copy of its own.

use std::io;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use linux::Pages;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) use nowhere::Pages;

/// Where code can not be run: building one fails, so none exists.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod nowhere {
    use super::*;

    #[derive(Debug)]
    pub(in super::super) enum Pages {}

    impl Pages {
        pub(in super::super) fn new(_: usize) -> io::Result<Pages> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "no code pages for this target"))
        }

        pub(in super::super) fn address(&self) -> u64 {
            match *self {}
        }

        pub(in super::super) fn publish(self, _: &[u8]) -> io::Result<Pages> {
            match self {}
        }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use super::super::mapping::{Range, map_anywhere, page_size};
    use super::super::{TRAP_BYTE, coherence};
    use super::*;
    use libc::{MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};

    /// Up to so many bytes are made present when they are mapped: one system call in place of a page fault.
    const POPULATED: usize = 1 << 14;

    #[derive(Debug)]
    pub(in super::super) struct Pages {
        range: Range,
    }

    impl Pages {
        /// Room for `len` bytes, writable until published.
        pub(in super::super) fn new(len: usize) -> io::Result<Pages> {
            let len = len.max(1).checked_next_multiple_of(page_size()).ok_or(io::ErrorKind::InvalidInput)?;
            let populate = if len <= POPULATED { MAP_POPULATE } else { 0 };
            coherence::register()?;
            let range = map_anywhere(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | populate)?;
            Ok(Pages { range })
        }

        /// Where the code will start.
        pub(in super::super) fn address(&self) -> u64 {
            self.range.start() as u64
        }

        /// Stores the code, traps up to the next page, and makes it executable.
        pub(in super::super) fn publish(self, bytes: &[u8]) -> io::Result<Pages> {
            let end = bytes.len().max(1).next_multiple_of(page_size());
            if end > self.range.len() {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            // SAFETY: mapped read-write, `end` bytes of it at least, and nobody else knows of it yet.
            let room = unsafe { core::slice::from_raw_parts_mut(self.range.start(), end) };
            room[..bytes.len()].copy_from_slice(bytes);
            room[bytes.len()..].fill(TRAP_BYTE);
            // SAFETY: a mapping of ours that nothing borrows.
            match unsafe { libc::mprotect(self.range.start().cast(), self.range.len(), PROT_READ | PROT_EXEC) } {
                0 => {
                    coherence::publish(self.range.start(), bytes.len());
                    Ok(self)
                }
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    // SAFETY: memory that belongs to no thread; nothing writes it after its publication, and before that it has one owner.
    unsafe impl Send for Pages {}
    // SAFETY: through `&Pages` an address is to be had, nothing else.
    unsafe impl Sync for Pages {}
}
