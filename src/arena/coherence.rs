//! Making published code visible to instruction fetch.
//!
//! x86-64 does that by itself: stores to code are seen by fetches of other addresses of the same memory once a jump has been made, and whoever
//! jumps to fresh code has made one (Intel SDM volume 3, 9.1.3). aarch64 does not (Arm ARM, B2.4.4): data caches are cleaned to the point
//! where instruction caches fill from, those are invalidated, and every thread that may run the code must discard what it has fetched ahead.

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
pub(super) use aarch64::{publish, register};
#[cfg(not(all(target_os = "linux", target_arch = "aarch64")))]
pub(super) use coherent::{publish, register};

#[cfg(not(all(target_os = "linux", target_arch = "aarch64")))]
mod coherent {
    /// Nothing to register for.
    pub(in super::super) fn register() -> std::io::Result<()> {
        Ok(())
    }

    /// Nothing to do.
    pub(in super::super) fn publish(_: *const u8, _: usize) {}
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
mod aarch64 {
    use core::arch::asm;
    use std::io;

    /// `MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE` and its registration, from linux/membarrier.h.
    const SYNC_CORE: libc::c_int = 1 << 5;
    const REGISTER_SYNC_CORE: libc::c_int = 1 << 6;

    fn membarrier(command: libc::c_int) -> io::Result<()> {
        // SAFETY: a system call that takes integers and touches no memory of ours.
        match unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Lets this process ask all its threads to synchronise (membarrier(2)); asking again does nothing.
    ///
    /// # Errors
    ///
    /// On Linux before 4.16, or where the call is forbidden: other threads could run what was there before.
    pub(in super::super) fn register() -> io::Result<()> {
        membarrier(REGISTER_SYNC_CORE)
    }

    /// Makes `len` bytes at `start` of an executable view, which have been written through another view, what all threads of the process fetch.
    pub(in super::super) fn publish(start: *const u8, len: usize) {
        let cache_type: u64;
        // SAFETY: reads a register that Linux lets user code read.
        unsafe { asm!("mrs {}, ctr_el0", out(reg) cache_type, options(nomem, nostack, preserves_flags)) };
        // `DminLine` and `IminLine`: logarithms of the smallest lines in words of four bytes.
        let (data_line, code_line) = (4 << (cache_type >> 16 & 15), 4 << (cache_type & 15));
        let start = start as usize;
        for line in (start & !(data_line - 1)..start + len).step_by(data_line) {
            // SAFETY: the line is mapped and readable, all that the instruction asks for; it changes no contents.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
        // SAFETY: barriers.
        unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
        for line in (start & !(code_line - 1)..start + len).step_by(code_line) {
            // SAFETY: as for the data lines.
            unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
        // SAFETY: barriers.
        unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
        let told = membarrier(SYNC_CORE);
        debug_assert!(told.is_ok(), "the process is registered: {told:?}");
    }
}
