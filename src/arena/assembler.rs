//! Functions built instruction by instruction, one after the other in the same memory.

use super::{Arena, CodePtr, ExecutableError};
use crate::ir::{Ins, Label};
use crate::lower::{Features, LowerError, Lowerer};
use core::borrow::Borrow;
use std::io;

/// An incremental assembler. Instructions are lowered as they come (on aarch64 they are kept too: a function with branches over more than 1 MiB
/// is lowered again); [`finish`](Assembler::finish) publishes a function and the next one begins. It owns its code memory, whose functions live as
/// long as it does, and allocates nothing once its buffers have grown.
///
/// ```
/// use ejit::arena::{Assembler, Function};
/// use ejit::ir::{AluOp, Cond, Ins, R, Src};
/// use ejit::lower::RESULT;
///
/// // Doubles its argument until it is at least a thousand.
/// let mut assembler = Assembler::new(4096)?;
/// let again = assembler.label();
/// assembler.push(Ins::Mov { dst: RESULT, src: R(0) })?;
/// assembler.push(Ins::Label(again))?;
/// assembler.push(Ins::Alu { op: AluOp::Add, flags: false, dst: RESULT, a: RESULT, b: Src::R(RESULT) })?;
/// assembler.push(Ins::Cmp { a: RESULT, b: Src::I(1000) })?;
/// assembler.push(Ins::Br { cond: Cond::Ult, to: again })?;
/// assembler.push(Ins::Ret)?;
/// let entry = assembler.finish()?;
/// // SAFETY: the assembler lives; the function takes an integer, touches no memory, and returns one.
/// let result = unsafe { Function::<u64, u64>::new(entry).call(3) };
/// assert_eq!(result, 1536);
/// # Ok::<(), ejit::arena::ExecutableError>(())
/// ```
#[derive(Debug)]
pub struct Assembler {
    arena: Arena,
    lowerer: Lowerer,
    labels: u32,
    /// The function so far, where it may have to be lowered a second time.
    ins: Vec<Ins>,
    /// A function has been begun.
    open: bool,
}

impl Assembler {
    /// With memory of its own for so many bytes of code, for the machine this runs on.
    ///
    /// # Errors
    ///
    /// As for [`Arena::new`].
    pub fn new(code_bytes: usize) -> io::Result<Assembler> {
        Ok(Assembler::in_arena(Arena::new(code_bytes, 0)?, Features::detect()))
    }

    /// In the rest of an arena, for a machine with these features.
    pub fn in_arena(arena: Arena, features: Features) -> Assembler {
        Assembler { arena, lowerer: Lowerer::new(features), labels: 0, ins: Vec::new(), open: false }
    }

    /// A label of this function that is nowhere bound yet.
    pub fn label(&mut self) -> Label {
        let label = Label(self.labels);
        self.labels = self.labels.saturating_add(1);
        label
    }

    /// A whole function: [`push`](Assembler::push) of each instruction, then [`finish`](Assembler::finish).
    ///
    /// # Errors
    ///
    /// As for these.
    pub fn compile(&mut self, ins: impl IntoIterator<Item = impl Borrow<Ins>>) -> Result<CodePtr, ExecutableError> {
        self.open();
        let pushed = if Lowerer::BEGINS_AGAIN {
            self.lowerer.extend(ins.into_iter().inspect(|ins| self.ins.push(*ins.borrow())))
        } else {
            self.lowerer.extend(ins)
        };
        if pushed.is_err() {
            self.give_up();
        }
        pushed?;
        self.finish()
    }

    /// Lowers an instruction.
    ///
    /// # Errors
    ///
    /// What can not be lowered; the function is given up, and the next one begins.
    #[inline]
    pub fn push(&mut self, ins: Ins) -> Result<(), LowerError> {
        self.open();
        if Lowerer::BEGINS_AGAIN {
            self.ins.push(ins);
        }
        self.lowerer.push(&ins).inspect_err(|_| self.give_up())
    }

    /// Publishes the function.
    ///
    /// # Errors
    ///
    /// A label that is used and not bound; an arena that is full. The function is given up in both cases.
    pub fn finish(&mut self) -> Result<CodePtr, ExecutableError> {
        self.open();
        (self.open, self.labels) = (false, 0);
        let code = match self.lowerer.finish() {
            Err(LowerError::Far) if Lowerer::BEGINS_AGAIN => self.lowerer.stream(&self.ins, self.arena.next_address())?,
            result => result.map(|()| self.lowerer.bytes())?,
        };
        Ok(self.arena.publish(code)?)
    }

    fn open(&mut self) {
        if !self.open {
            self.ins.clear();
            self.lowerer.begin(self.arena.next_address());
            self.open = true;
        }
    }

    /// Drops what has been pushed since the last function.
    pub fn give_up(&mut self) {
        (self.open, self.labels) = (false, 0);
    }

    /// The memory, with all functions in it.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Takes the memory out; what was not finished is dropped.
    pub fn into_arena(self) -> Arena {
        self.arena
    }

    /// Goes on in other memory, and gives back what was used so far: functions in it live as long as that does.
    pub fn replace_arena(&mut self, arena: Arena) -> Arena {
        self.give_up();
        core::mem::replace(&mut self.arena, arena)
    }
}
