//! The system calls: a file without a name, mapped writable here and executable there.

use core::sync::atomic::AtomicU64;
use std::io;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use linux::{Mapping, Range, map_anywhere, page_size};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) use nowhere::{Mapping, page_size};

/// Where code can not be run: building one fails, so none exists.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod nowhere {
    use super::*;

    pub(in super::super) fn page_size() -> usize {
        4096
    }

    #[derive(Debug)]
    pub(in super::super) enum Mapping {}

    impl Mapping {
        pub(in super::super) fn new(_: usize, _: usize) -> io::Result<Mapping> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "no code arena for this target"))
        }

        pub(in super::super) fn code_base(&self) -> *const u8 {
            match *self {}
        }

        pub(in super::super) fn code_bytes(&self) -> usize {
            match *self {}
        }

        pub(in super::super) fn write(&mut self, _: usize, _: usize) -> &mut [u8] {
            match *self {}
        }

        pub(in super::super) fn populate(&mut self, _: usize, _: usize) {
            match *self {}
        }

        pub(in super::super) fn slots(&self) -> &[AtomicU64] {
            match *self {}
        }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use super::*;
    use core::ptr::{self, NonNull};
    use libc::{
        MADV_DONTFORK, MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MFD_CLOEXEC, PROT_EXEC, PROT_NONE, PROT_READ,
        PROT_WRITE, c_int, c_uint, c_void, off_t,
    };
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// `MFD_EXEC`: without it some systems make the file non-executable. Kernels before 6.3 do not know it.
    const MFD_EXEC: c_uint = 0x10;

    /// An address range of our own, unmapped when dropped.
    #[derive(Debug)]
    pub(in super::super) struct Range {
        start: NonNull<u8>,
        len: usize,
    }

    impl Range {
        pub(in super::super) fn start(&self) -> *mut u8 {
            self.start.as_ptr()
        }

        pub(in super::super) fn len(&self) -> usize {
            self.len
        }
    }

    impl Drop for Range {
        fn drop(&mut self) {
            // SAFETY: `start` and `len` are those of a mapping that only this value owns; nothing borrowed from it is alive.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        }
    }

    #[derive(Debug)]
    pub(in super::super) struct Mapping {
        /// Slots, then executable code.
        run: Range,
        /// The code again, writable.
        write: Range,
        slot_count: usize,
    }

    // SAFETY: the mappings are plain memory that belongs to no thread; through `&Mapping` only atomics are reachable, and the
    // executable view, which nothing writes after its publication.
    unsafe impl Send for Mapping {}
    // SAFETY: as above.
    unsafe impl Sync for Mapping {}

    impl Mapping {
        pub(in super::super) fn new(code_bytes: usize, slot_bytes: usize) -> io::Result<Mapping> {
            let page = page_size();
            let code_len = code_bytes.max(1).next_multiple_of(page);
            let slots_len = slot_bytes.max(1).next_multiple_of(page);
            let file = code_file(code_len)?;
            // The reservation keeps the two parts together; they replace it piece by piece.
            let run = map(None, code_len + slots_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, None)?;
            // SAFETY: both pieces lie inside the reservation, of which nothing has been used.
            let code = unsafe { run.start.add(slots_len) };
            place(run.start, slots_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, None)?;
            place(code, code_len, PROT_READ | PROT_EXEC, MAP_SHARED, Some(&file))?;
            let write = map(None, code_len, PROT_READ | PROT_WRITE, MAP_SHARED, Some(&file))?;
            dont_fork(&run)?;
            dont_fork(&write)?;
            Ok(Mapping { run, write, slot_count: slot_bytes / size_of::<AtomicU64>() })
        }

        pub(in super::super) fn code_base(&self) -> *const u8 {
            self.run.start.as_ptr().wrapping_add(self.run.len - self.write.len)
        }

        pub(in super::super) fn code_bytes(&self) -> usize {
            self.write.len
        }

        /// The writable view of `len` bytes of code from `offset` on, which must exist.
        pub(in super::super) fn write(&mut self, offset: usize, len: usize) -> &mut [u8] {
            assert!(offset <= self.write.len && len <= self.write.len - offset);
            // SAFETY: in bounds by the assertion, mapped read-write as long as `self` lives, and borrowed from `self` exclusively; the
            // executable view of the same bytes is never borrowed as a reference here.
            unsafe { core::slice::from_raw_parts_mut(self.write.start.as_ptr().add(offset), len) }
        }

        /// Asks for the pages of `len` bytes of code from `offset` on, a multiple of the page size, before they are written. Where that is
        /// not known (Linux before 5.14) they come one by one.
        pub(in super::super) fn populate(&mut self, offset: usize, len: usize) {
            let bytes = self.write(offset, len);
            // SAFETY: the range is mapped and ours; its pages are made present, their contents stay.
            unsafe { libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), libc::MADV_POPULATE_WRITE) };
        }

        /// All slots, those not handed out yet too; the last one lies before the first byte of code.
        pub(in super::super) fn slots(&self) -> &[AtomicU64] {
            // SAFETY: the code begins on a page, so what is before it is aligned, and there is room for `slot_count`; zeroed pages are
            // valid atomics, and compiled code only reads them, with 64-bit loads.
            unsafe { core::slice::from_raw_parts(self.code_base().cast::<AtomicU64>().sub(self.slot_count), self.slot_count) }
        }
    }

    pub(in super::super) fn page_size() -> usize {
        // SAFETY: no preconditions.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(4096)
    }

    /// A file of `len` zero bytes in memory, which is gone when its mappings are.
    fn code_file(len: usize) -> io::Result<OwnedFd> {
        let create = |flags| {
            // SAFETY: the name is a C string.
            let fd = unsafe { libc::memfd_create(c"ejit".as_ptr(), flags) };
            // SAFETY: a descriptor just made, that nobody else owns.
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
        };
        let file = create(MFD_CLOEXEC | MFD_EXEC).or_else(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => create(MFD_CLOEXEC),
            Some(_) | None => Err(error),
        })?;
        let len = off_t::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: our own descriptor.
        match unsafe { libc::ftruncate(file.as_raw_fd(), len) } {
            0 => Ok(file),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Maps `len` bytes anywhere, or (with `at`, which must be part of a mapping of ours that is not in use) there.
    fn map(at: Option<NonNull<u8>>, len: usize, prot: c_int, flags: c_int, file: Option<&OwnedFd>) -> io::Result<Range> {
        let hint = at.map_or(ptr::null_mut(), |at| at.as_ptr().cast::<c_void>());
        let fixed = if at.is_some() { MAP_FIXED } else { 0 };
        let fd = file.map_or(-1, |file| file.as_raw_fd());
        // SAFETY: without `at` the system chooses unused addresses; with it the caller has said that what is there is ours and unused.
        let start = unsafe { libc::mmap(hint, len, prot, flags | fixed, fd, 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != MAP_FAILED => Ok(Range { start, len }),
            Some(_) | None => Err(io::Error::last_os_error()),
        }
    }

    /// Maps `len` bytes of no file, where the system likes.
    pub(in super::super) fn map_anywhere(len: usize, prot: c_int, flags: c_int) -> io::Result<Range> {
        map(None, len, prot, flags, None)
    }

    /// Maps over a piece of a reservation, whose owner stays the owner.
    fn place(at: NonNull<u8>, len: usize, prot: c_int, flags: c_int, file: Option<&OwnedFd>) -> io::Result<()> {
        map(Some(at), len, prot, flags, file).map(core::mem::forget)
    }

    fn dont_fork(range: &Range) -> io::Result<()> {
        // SAFETY: a mapping of ours; the advice changes what a child process inherits, not what it holds.
        match unsafe { libc::madvise(range.start.as_ptr().cast(), range.len, MADV_DONTFORK) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
