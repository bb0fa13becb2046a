//! EVM memory: growth and its price, and copies into it.

use super::{Flow, length, run, saturated, words};
use crate::abi::{Exit, Frame};
use crate::evm::fork::{COPY_WORD, memory_gas};

/// Most bytes a memory can have here whatever is paid; keeps lengths within what can be allocated at all.
const ADDRESSABLE: u64 = isize::MAX as u64;

/// Bytes that are made ready behind memory when it grows: as many as it has, within these bounds. Growth into them is cheap, and compiled code does
/// it by itself.
const AHEAD: (usize, usize) = (256, 4096);

/// Bytes reserved besides, so that what is allocated behind memory is about half a page off it: copies between addresses that agree in their low 12 bits
/// wait for each other ("4K aliasing", Intel 64 and IA-32 Architectures Optimization Reference Manual).
const STAGGER: usize = 2048 + 64;

impl Frame {
    /// Grows memory to hold `offset..offset + len`, `len` not being 0, and pays for it.
    #[inline]
    pub(crate) fn touch(&mut self, offset: u64, len: u64) -> Flow {
        let end = offset.saturating_add(len);
        if end > self.memory_len { self.grow(end, 0) } else { Ok(()) }
    }

    /// Grows memory to `end` bytes and more. `spare` is gas charged ahead that is not due yet.
    #[inline(never)]
    fn grow(&mut self, end: u64, spare: u64) -> Flow {
        let payable = self.gas.saturating_add_unsigned(spare);
        if payable < 0 {
            return Err(Exit::OutOfGas);
        }
        let new_words = words(end);
        if new_words.saturating_mul(32) > self.memory_limit {
            return Err(Exit::MemoryLimit);
        }
        let price = memory_gas(new_words);
        let cost = price - self.memory_paid;
        if cost > payable as u64 || new_words > ADDRESSABLE / 32 {
            return Err(Exit::MemoryOutOfGas);
        }
        let len = new_words * 32;
        if len > self.memory_ready {
            self.make_ready(len);
        }
        self.gas -= cost as i64;
        self.memory_paid = price;
        (self.memory_len, self.memory_words) = (len, len - 31);
        Ok(())
    }

    /// Makes more than `len` bytes ready.
    #[cold]
    #[inline(never)]
    fn make_ready(&mut self, len: u64) {
        let ahead = (len as usize).clamp(AHEAD.0, AHEAD.1) as u64;
        let ready = (len + ahead).min(self.memory_limit & !31);
        self.buffer.reserve(ready as usize + STAGGER - self.buffer.len());
        self.buffer.resize(ready as usize, 0);
        self.memory = self.buffer.as_mut_ptr();
        self.memory_ready = ready;
    }

    /// Makes memory empty, of which there may be `limit` bytes from now on. What little was used is zeroed, so that as much is ready at once; a buffer of
    /// which much was used begins anew.
    #[inline]
    pub fn clear_memory(&mut self, limit: u64) {
        if self.memory_len != 0 {
            match self.buffer.get_mut(..self.memory_len as usize) {
                Some(used) if used.len() <= AHEAD.1 => used.fill(0),
                _ => self.buffer.clear(),
            }
        }
        self.memory = self.buffer.as_mut_ptr();
        (self.memory_len, self.memory_words, self.memory_paid) = (0, 0, 0);
        self.memory_ready = (self.buffer.len() as u64).min(limit & !31);
        self.memory_limit = limit;
    }

    /// The word of call data at `offset`, zeros beyond its end. Limb by limb: what is copied to a buffer and read again waits for the copy.
    #[inline(always)]
    fn input_at(&self, offset: u64) -> revm_primitives::U256 {
        let mut limbs = [0; 4];
        if offset < self.input_len {
            let count = 32.min(self.input_len - offset) as usize;
            // SAFETY: call data is valid for `input_len` bytes.
            let bytes = unsafe { core::slice::from_raw_parts(self.input.add(offset as usize), count) };
            for (limb, piece) in limbs.iter_mut().rev().zip(bytes.chunks(8)) {
                *limb = match piece.first_chunk() {
                    Some(whole) => u64::from_be_bytes(*whole),
                    None => piece.iter().fold(0, |high, &byte| high << 8 | u64::from(byte)) << (64 - 8 * piece.len()),
                };
            }
        }
        revm_primitives::U256::from_limbs(limbs)
    }

    /// Memory of a range that was grown to before; an empty range may be anywhere.
    #[inline]
    pub(super) fn memory_range(&self, offset: u64, len: u64) -> &[u8] {
        if len == 0 { &[] } else { &self.buffer[offset as usize..(offset + len) as usize] }
    }

    /// Copies `len` bytes of `source` from `from` on to memory at `to`, which was grown to before; zeros where the source has ended.
    ///
    /// # Safety
    /// `source` is valid for `source_len` bytes and no part of memory.
    unsafe fn copy_in(&mut self, to: u64, source: *const u8, source_len: u64, from: u64, len: u64) {
        let from = from.min(source_len);
        let copied = len.min(source_len - from) as usize;
        let target = &mut self.buffer[to as usize..(to + len) as usize];
        // SAFETY: `copied` bytes from `from` on are within the source by the two lines above.
        target[..copied].copy_from_slice(unsafe { core::slice::from_raw_parts(source.add(from as usize), copied) });
        target[copied..].fill(0);
    }

    /// Pays for copying `len` bytes to memory at `offset`, and grows it. `None` if there is nothing to copy.
    fn pay_copy(&mut self, offset: usize, len: u64) -> Flow<Option<u64>> {
        self.charge(COPY_WORD * words(len))?;
        if len == 0 {
            return Ok(None);
        }
        let offset = length(&self.operand(offset))?;
        self.touch(offset, len)?;
        Ok(Some(offset))
    }

    /// CALLDATACOPY and its like: operands are the offset in memory, the offset in the source, the length.
    ///
    /// # Safety
    /// As for `copy_in`.
    unsafe fn copy_operation(&mut self, source: *const u8, source_len: u64) -> Flow {
        let (from, len) = (saturated(&self.operand(2)), length(&self.operand(3))?);
        if let Some(to) = self.pay_copy(1, len)? {
            // SAFETY: the caller's promise.
            unsafe { self.copy_in(to, source, source_len, from, len) };
        }
        self.drop_operands(3);
        Ok(())
    }

    /// EXTCODECOPY's two halves around the loading of the account: pays and grows for operands 2 to 4; gives the offset in memory, and what
    /// was paid apart from growth.
    pub(super) fn pay_code_copy(&mut self) -> Flow<(Option<u64>, u64)> {
        let len = length(&self.operand(4))?;
        Ok((self.pay_copy(2, len)?, COPY_WORD * words(len)))
    }

    /// Second half: copies `code` to `to`.
    pub(super) fn copy_code(&mut self, to: Option<u64>, code: &[u8]) {
        let (from, len) = (saturated(&self.operand(3)), saturated(&self.operand(4)));
        if let Some(to) = to {
            // SAFETY: a slice is valid for its length, and the host's code is no part of EVM memory.
            unsafe { self.copy_in(to, code.as_ptr(), code.len() as u64, from, len) };
        }
    }
}

/// See [`Callouts::grow`](crate::abi::Callouts).
///
/// # Safety
/// `frame` is valid and exclusively borrowed.
pub(super) unsafe extern "C" fn grow(frame: *mut Frame, offset: u64, len_and_spare: u64) -> u64 {
    // SAFETY: the caller's promise.
    let frame = unsafe { &mut *frame };
    let (end, spare) = (offset.saturating_add(len_and_spare >> 32), u64::from(len_and_spare as u32));
    if end <= frame.memory_len {
        return 0;
    }
    match frame.grow(end, spare) {
        Ok(()) => 0,
        Err(exit) => exit as u64,
    }
}

/// Defines operations as [`FrameOp`](crate::abi::FrameOp)s, `unsafe` as that type says.
macro_rules! frame_ops {
    ($($(#[$doc:meta])* $name:ident = |$frame:ident| $body:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Safety
        /// As [`FrameOp`](crate::abi::FrameOp).
        pub(super) unsafe extern "C" fn $name(frame: *mut Frame) -> u64 {
            let operation = |$frame: &mut Frame| -> Flow { $body };
            // SAFETY: the caller's promise.
            unsafe { run(frame, operation) }
        })*
    };
}

frame_ops! {
    /// CALLDATALOAD
    calldataload = |frame| {
        let word = frame.input_at(saturated(&frame.operand(1)));
        frame.replace(1, word);
        Ok(())
    };
    /// CALLDATACOPY
    calldatacopy = |frame| {
        // SAFETY: call data is valid for `input_len` bytes, and belongs to the parent or the transaction.
        unsafe { frame.copy_operation(frame.input, frame.input_len) }
    };
    /// CODECOPY
    codecopy = |frame| {
        // SAFETY: code is valid for `code_len` bytes, and is not memory.
        unsafe { frame.copy_operation(frame.code, frame.code_len) }
    };
    /// RETURNDATACOPY
    returndatacopy = |frame| {
        let (from, len) = (saturated(&frame.operand(2)), length(&frame.operand(3))?);
        if from.saturating_add(len) > frame.return_data_len {
            return Err(Exit::OutOfOffset);
        }
        // SAFETY: return data is valid for `return_data_len` bytes, and is a buffer of its own.
        unsafe { frame.copy_operation(frame.return_data, frame.return_data_len) }
    };
    /// MCOPY
    mcopy = |frame| {
        let len = length(&frame.operand(3))?;
        frame.charge(COPY_WORD * words(len))?;
        if len != 0 {
            let (to, from) = (length(&frame.operand(1))?, length(&frame.operand(2))?);
            frame.touch(to.max(from), len)?;
            frame.buffer.copy_within(from as usize..(from + len) as usize, to as usize);
        }
        frame.drop_operands(3);
        Ok(())
    };
}

/// Defines MLOAD and its like as [`FrameOp`](crate::abi::FrameOp)s: `len` bytes of memory exist at the offset on top of the stack before the body.
macro_rules! memory_ops {
    ($($(#[$doc:meta])* $name:ident($len:literal) = |$frame:ident, $offset:ident| $body:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Safety
        /// As [`FrameOp`](crate::abi::FrameOp).
        pub(super) unsafe extern "C" fn $name(frame: *mut Frame) -> u64 {
            // SAFETY: the caller's promise.
            let $frame = unsafe { &mut *frame };
            match $frame.reach($len) {
                Ok($offset) => {
                    $body;
                    0
                }
                Err(exit) => exit as u64,
            }
        })*
    };
}

impl Frame {
    /// The offset on top of the stack, where memory is grown to hold `len` bytes. `scratch` has gas that was charged and is not due.
    fn reach(&mut self, len: u64) -> Flow<usize> {
        let spare = self.scratch.as_limbs()[0];
        let offset = match length(&self.operand(1)) {
            Err(_) if self.gas.saturating_add_unsigned(spare) < 0 => return Err(Exit::OutOfGas),
            offset => offset?,
        };
        let end = offset.saturating_add(len);
        if end > self.memory_len {
            self.grow(end, spare)?;
        }
        Ok(offset as usize)
    }
}

memory_ops! {
    /// MLOAD
    mload(32) = |frame, offset| {
        let word = revm_primitives::U256::from_be_slice(&frame.buffer[offset..offset + 32]);
        frame.replace(1, word);
    };
    /// MSTORE
    mstore(32) = |frame, offset| {
        let word = frame.operand(2).to_be_bytes::<32>();
        frame.buffer[offset..offset + 32].copy_from_slice(&word);
        frame.drop_operands(2);
    };
    /// MSTORE8
    mstore8(1) = |frame, offset| {
        frame.buffer[offset] = frame.operand(2).byte(0);
        frame.drop_operands(2);
    };
}

/// See [`Callouts::input_word`](crate::abi::Callouts).
///
/// # Safety
/// `frame` is valid and exclusively borrowed.
pub(super) unsafe extern "C" fn input_word(frame: *mut Frame, offset: u64, _: u64) -> u64 {
    // SAFETY: the caller's promise.
    let frame = unsafe { &mut *frame };
    frame.scratch = frame.input_at(offset);
    0
}
