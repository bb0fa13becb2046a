//! Code memory for functions by themselves that is kept when they are dropped.

use super::executable::{Memory, collect, most_bytes};
use super::mapping::page_size;
use super::{Arena, CodePtr, Executable, ExecutableError, coherence};
use crate::ir::Ins;
use crate::lower::{Features, Lowerer};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Makes an [`Executable`] in memory that one before it lived in: mapping pages takes longer by far than compiling a small function. Each has an
/// [`Arena`] of its own, which goes back to the pool, filled with traps, when it is dropped; what is more than the pool may keep is unmapped.
/// A pool may be dropped before what it made.
///
/// ```
/// use ejit::arena::Pool;
/// use ejit::ir::{Ins, R};
/// use ejit::lower::RESULT;
/// let mut pool = Pool::new(1 << 20);
/// for n in 0..10 {
///     let constant = pool.executable([Ins::Imm { dst: RESULT, value: n }, Ins::Ret])?;
///     // SAFETY: the function takes nothing, touches no memory, and returns an integer.
///     assert_eq!(unsafe { constant.function::<(), u64>().call(()) }, n);
/// }
/// assert!(pool.kept() > 0);
/// # Ok::<(), ejit::arena::ExecutableError>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    lowerer: Lowerer,
    /// The stream, while its length is being found out.
    ins: Vec<Ins>,
    shelf: Arc<Shelf>,
}

/// Arenas that hold nothing.
#[derive(Debug)]
struct Shelf {
    /// The most that is kept, in bytes of code memory.
    room: usize,
    arenas: Mutex<Vec<Arena>>,
}

impl Shelf {
    fn arenas(&self) -> MutexGuard<'_, Vec<Arena>> {
        // Whoever panicked left whole arenas here.
        self.arenas.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// An arena on loan.
#[derive(Debug)]
pub(super) struct Lease {
    /// `None` once it has gone back.
    arena: Option<Arena>,
    shelf: Arc<Shelf>,
}

impl Lease {
    pub(super) fn entry(&self) -> CodePtr {
        CodePtr(self.arena.as_ref().map_or(0, |arena| arena.code_base() as u64))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut arena) = self.arena.take() else { return };
        arena.clear();
        let mut arenas = self.shelf.arenas();
        let kept = bytes(&arenas);
        if arena.capacity().0 <= self.shelf.room.saturating_sub(kept) {
            arenas.push(arena);
        }
    }
}

fn bytes(arenas: &[Arena]) -> usize {
    arenas.iter().map(|arena| arena.capacity().0).sum()
}

impl Pool {
    /// Keeps at most so many bytes of code memory that nobody uses, for the machine this runs on. None where the system can not make all threads
    /// discard what they fetched from memory before it is used again.
    pub fn new(room: usize) -> Pool {
        Pool::with_features(room, Features::detect())
    }

    /// The same for a machine with these features.
    pub fn with_features(room: usize, features: Features) -> Pool {
        let room = if coherence::register_reuse().is_ok() { room } else { 0 };
        Pool { lowerer: Lowerer::new(features), ins: Vec::new(), shelf: Arc::new(Shelf { room, arenas: Mutex::default() }) }
    }

    /// Compiles a function, as [`Executable::from_ir`] does. What a fork inherits of it can not be run.
    ///
    /// # Errors
    ///
    /// As for [`Executable::from_ir`].
    pub fn executable(&mut self, ins: impl IntoIterator<Item = Ins>) -> Result<Executable, ExecutableError> {
        collect(ins, &mut self.ins);
        let mut lease = self.lease(most_bytes(self.ins.len()))?;
        let mut code_bytes = 0;
        if let Some(arena) = &mut lease.arena {
            let code = self.lowerer.stream(&self.ins, arena.next_address())?;
            code_bytes = code.len();
            arena.publish(code)?;
        }
        Ok(Executable { memory: Memory::Kept(lease), code_bytes })
    }

    /// An arena of at least `len` bytes, and of one of few sizes, so that one that is kept fits the next function too.
    fn lease(&self, len: usize) -> Result<Lease, ExecutableError> {
        let size = len.max(page_size()).checked_next_power_of_two().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut arenas = self.shelf.arenas();
        let kept = arenas.iter().rposition(|arena| arena.capacity().0 == size).map(|at| arenas.swap_remove(at));
        drop(arenas);
        let arena = kept.map_or_else(|| Arena::new(size, 0), Ok)?;
        Ok(Lease { arena: Some(arena), shelf: self.shelf.clone() })
    }

    /// Bytes of code memory that are kept and not in use.
    pub fn kept(&self) -> usize {
        bytes(&self.shelf.arenas())
    }
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use crate::arena::TRAP_BYTE;
    use crate::ir::{Label, R};
    use crate::lower::{LowerError, RESULT};

    fn constant(value: u64) -> [Ins; 2] {
        [Ins::Imm { dst: RESULT, value }, Ins::Ret]
    }

    fn call(executable: &Executable) -> u64 {
        // SAFETY: all functions here take nothing, touch no memory, and return an integer.
        unsafe { executable.function::<(), u64>().call(()) }
    }

    #[test]
    fn memory_goes_back_full_of_traps_and_is_used_again() {
        let mut pool = Pool::new(1 << 20);
        let first = pool.executable(constant(1)).unwrap();
        let second = pool.executable(constant(2)).unwrap();
        assert_eq!((call(&first), call(&second), pool.kept()), (1, 2, 0));
        let (entry, len) = (first.entry(), first.code_bytes());
        drop(first);
        assert_eq!(pool.kept(), page_size());
        // SAFETY: the pool keeps the memory, which is readable, and nothing is written to it in between.
        let left = unsafe { core::slice::from_raw_parts(entry.address() as *const u8, len) };
        assert!(left.iter().all(|&byte| byte == TRAP_BYTE), "{left:?}");
        let third = pool.executable(constant(3)).unwrap();
        assert_eq!((third.entry(), pool.kept()), (entry, 0));
        assert_eq!((call(&second), call(&third)), (2, 3));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = Pool::new(2 * page_size());
        let functions = [1, 2, 3].map(|value| pool.executable(constant(value)).unwrap());
        drop(functions);
        assert_eq!(pool.kept(), 2 * page_size());
        let long = (0..1000).map(|value| Ins::Imm { dst: R(0), value }).chain(constant(4));
        let long = pool.executable(long).unwrap();
        drop(pool);
        assert_eq!(call(&long), 4);
    }

    #[test]
    fn a_stream_that_is_refused_gives_its_memory_back() {
        let mut pool = Pool::new(1 << 20);
        let refused = pool.executable([Ins::Jmp(Label(0))]);
        assert!(matches!(refused, Err(ExecutableError::Lower(LowerError::Unbound { .. }))), "{refused:?}");
        assert_eq!(pool.kept(), page_size());
        assert_eq!(call(&pool.executable(constant(5)).unwrap()), 5);
    }

    #[test]
    fn threads_see_the_function_they_are_given_at_an_address_they_have_called() {
        let mut pool = Pool::new(1 << 20);
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::sync_channel::<(Executable, u64)>(0);
            let (done, wait) = std::sync::mpsc::sync_channel(0);
            scope.spawn(move || {
                for (executable, value) in receiver {
                    assert_eq!(call(&executable), value);
                    drop(executable);
                    done.send(()).unwrap();
                }
            });
            for value in 0..500 {
                sender.send((pool.executable(constant(value)).unwrap(), value)).unwrap();
                wait.recv().unwrap();
            }
        });
        assert_eq!(pool.kept(), page_size());
    }
}
