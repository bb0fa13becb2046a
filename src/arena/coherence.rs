//! Making published code visible to instruction fetch.
//!
//! x86-64 does that by itself: stores to code are seen by fetches of other addresses of the same memory once a jump has been made, and whoever
//! jumps to fresh code has made one (Intel SDM volume 3, 9.1.3). aarch64 does not (Arm ARM, B2.4.4): data caches are cleaned to the point
//! where instruction caches fill from, those are invalidated, and every thread that may run the code must discard what it has fetched ahead.
//!
//! Where other code was before, every thread must discard what it has fetched ahead on x86-64 too (the same section of the manual).

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
pub(super) use aarch64::publish;
#[cfg(not(all(target_os = "linux", target_arch = "aarch64")))]
pub(super) use coherent::publish;

#[cfg(target_os = "linux")]
use barrier::{register as register_all, synchronise};
#[cfg(not(target_os = "linux"))]
use nowhere::{register as register_all, synchronise};

use std::io;

/// Has to succeed before code is published where there was none.
///
/// # Errors
///
/// On aarch64 as for [`register_reuse`].
pub(super) fn register() -> io::Result<()> {
    if cfg!(target_arch = "aarch64") { register_all() } else { Ok(()) }
}

/// Has to succeed before code is published where other code was.
///
/// # Errors
///
/// On Linux before 4.16, or where the system call is forbidden: other threads could run what was there before.
pub(super) fn register_reuse() -> io::Result<()> {
    register_all()
}

/// As [`publish`], where other code was.
pub(super) fn publish_over(start: *const u8, len: usize) {
    publish(start, len);
    if !cfg!(target_arch = "aarch64") {
        synchronise();
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "aarch64")))]
mod coherent {
    /// Nothing to do.
    pub(in super::super) fn publish(_: *const u8, _: usize) {}
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    pub(super) fn register() -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Nobody has registered.
    pub(super) fn synchronise() {}
}

#[cfg(target_os = "linux")]
mod barrier {
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
    pub(super) fn register() -> io::Result<()> {
        membarrier(REGISTER_SYNC_CORE)
    }

    /// Every thread of the process, this one too, has discarded what it fetched ahead when this returns.
    pub(super) fn synchronise() {
        let told = membarrier(SYNC_CORE);
        debug_assert!(told.is_ok(), "the process is registered: {told:?}");
    }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
mod aarch64 {
    use super::synchronise;
    use core::arch::asm;

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
        synchronise();
    }
}
