//! `check` mode: every frame twice.
//!
//! The interpreter runs a frame on the real host, with each request, answer and child outcome on a [`Tape`]; when the frame has ended,
//! compiled code runs a second frame, made from the same inputs, on a host that answers from the tape. Both must ask the same in the same
//! order with the same gas left, suspend with the same request, and end alike. The first [`Difference`] is an error.
//!
//! The second run's stack is filled with a pattern first, so that reading a slot that was not written shows. It has no memo: what the first run took
//! from there is computed anew.

use super::contract::Contract;
use super::counters::Counters;
use super::executor::Executor;
use crate::abi::{Callouts, Exit, Frame, Host, Request, StackBuffer};
use crate::evm::{SpecId, opcode};
use crate::runtime::record::{Mismatch, Recorder, Replayer, Tape, call_data};
use crate::runtime::{callouts, resume_call, resume_create};
use core::{fmt, ptr};
use revm_primitives::{Address, Bytes, U256};

/// What the second run's stack slots hold before they are written.
const UNWRITTEN: U256 = U256::from_limbs([0x5eed_0bad_5eed_0bad; 4]);

/// Bytes around the first difference of two memories that are shown.
const MEMORY_SHOWN: usize = 32;

/// Where compiled code did something else than the interpreter, and all that is needed to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The bytecode.
    pub code: Bytes,
    /// Whether it is init code.
    pub is_init: bool,
    /// The call data.
    pub input: Bytes,
    /// The rules.
    pub fork: SpecId,
    /// The contract.
    pub address: Address,
    /// Gas that the frame began with.
    pub gas: u64,
    /// Depth of the frame.
    pub depth: u32,
    /// Requests and suspensions that were alike.
    pub alike: usize,
    /// Program counter of the interpreter's instruction at which they were not.
    pub pc: u64,
    /// What the interpreter did.
    pub expected: String,
    /// What compiled code did.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.code.get(self.pc as usize).map_or("the end of code", |&byte| opcode::info(byte).name);
        let kind = if self.is_init { "init code" } else { "code" };
        writeln!(
            f,
            "compiled {kind} differs from the interpreter at pc {} ({name}), after {} requests alike",
            self.pc, self.alike
        )?;
        writeln!(f, "  expected: {}", self.expected)?;
        writeln!(f, "  got:      {}", self.got)?;
        writeln!(f, "  fork {:?}, gas {}, depth {}, contract {}", self.fork, self.gas, self.depth, self.address)?;
        writeln!(f, "  code:  {}", self.code)?;
        write!(f, "  input: {}", self.input)
    }
}

impl std::error::Error for Difference {}

impl Executor {
    /// The first run: interprets `frame` from `frame.pc` until it ends, suspends or is pending, and records on `tape` what it asks `host`.
    /// Whoever resumes the frame puts what with on the tape too ([`Tape::resume`]).
    pub fn record<H: Host>(&mut self, frame: &mut Frame, host: &mut H, tape: &mut Tape) -> Exit {
        self.count_frame();
        let mut recorder = Recorder::new(host, tape);
        frame.callouts = callouts::<Recorder<'_, H>>();
        frame.host = ptr::from_mut(&mut recorder).cast();
        frame.memo = ptr::from_mut(self.memo()).cast();
        let exit = self.interpret(frame, u64::MAX);
        (frame.host, frame.memo) = (ptr::null_mut(), ptr::null_mut());
        tape.instructions += core::mem::take(&mut frame.interpreted);
        if exit == Exit::Suspend {
            tape.pause(frame);
        }
        exit
    }

    /// The second run: compiled code executes what `frame`, which ended with `exit`, was made for, on a host that answers from `tape`.
    ///
    /// # Errors
    /// The first difference between the two.
    pub fn check(&mut self, frame: &Frame, contract: &Contract, exit: Exit, tape: &Tape) -> Result<(), Box<Difference>> {
        self.check_with(frame, contract, exit, tape, callouts::<Replayer<'_>>())
    }

    /// As [`Executor::check`], with other runtime functions for the second run; they must be for a [`Replayer`].
    ///
    /// # Errors
    /// As there.
    pub fn check_with(
        &mut self,
        frame: &Frame,
        contract: &Contract,
        exit: Exit,
        tape: &Tape,
        callouts: &Callouts,
    ) -> Result<(), Box<Difference>> {
        let counters = &self.engine.inner.counters;
        if !tape.is_complete() {
            Counters::add(&counters.unchecked, 1);
            return Ok(());
        }
        Counters::add(&counters.checked, 1);
        let mut stack = StackBuffer::new();
        stack.0.fill(UNWRITTEN);
        let mut second = second_frame(frame, tape.gas, contract, &mut stack, callouts);
        let mut replayer = Replayer::new(tape);
        match self.replay(&mut second, contract, &mut replayer, (frame, exit)) {
            Ok(()) => {
                self.count(contract, second.interpreted, tape.instructions.saturating_sub(second.interpreted));
                Ok(())
            }
            Err(mismatch) => {
                Counters::add(&counters.differences, 1);
                Err(Box::new(difference(frame, contract, tape, replayer.position(), mismatch)))
            }
        }
    }

    /// Executes `frame` to its end, which must be that of the first run: its frame and exit.
    fn replay(
        &self,
        frame: &mut Frame,
        contract: &Contract,
        replayer: &mut Replayer<'_>,
        first: (&Frame, Exit),
    ) -> Result<(), Mismatch> {
        loop {
            frame.host = ptr::from_mut(&mut *replayer).cast();
            let exit = self.execute(frame, contract);
            if let Some(mismatch) = replayer.mismatch() {
                return Err(mismatch);
            }
            if exit != Exit::Suspend {
                replayer.end(|| format!("the end: {exit:?}"))?;
                return compare_ends(first, (frame, exit));
            }
            let child = replayer.pause(frame)?;
            match frame.request {
                Request::Call(call) => resume_call(frame, child.outcome, child.gas, child.refund, child.output, call.output),
                Request::Create(_) => resume_create(frame, child.outcome, child.address, child.gas, child.refund, child.output),
                Request::None => unreachable!("a suspended frame has a request"),
            }
        }
    }
}

/// A frame that begins as `first` began, with `gas`. It borrows what `first` points to.
fn second_frame(first: &Frame, gas: i64, contract: &Contract, stack: &mut StackBuffer, callouts: &Callouts) -> Frame {
    let mut frame = Frame {
        gas,
        input: first.input,
        input_len: first.input_len,
        return_data: ptr::NonNull::dangling().as_ptr(),
        callouts,
        env: first.env,
        address_word: first.address_word,
        caller_word: first.caller_word,
        value: first.value,
        fork: first.fork,
        is_static: first.is_static,
        depth: first.depth,
        address: first.address,
        memory_limit: first.memory_limit,
        init_code_limit: first.init_code_limit,
        ..Frame::blank()
    };
    frame.start(&contract.code, stack);
    frame.memory = frame.buffer.as_mut_ptr();
    frame
}

/// Compares two ended frames in what outlives them, and after success in memory.
fn compare_ends(first: (&Frame, Exit), second: (&Frame, Exit)) -> Result<(), Mismatch> {
    let ((a, exit), (b, exit_b)) = (first, second);
    let same = |what: &str, equal: bool, expected: &dyn fmt::Debug, got: &dyn fmt::Debug| {
        if equal {
            return Ok(());
        }
        Err(Mismatch { pc: None, expected: format!("{what} {expected:?} at the end"), got: format!("{what} {got:?}") })
    };
    same("exit", exit == exit_b, &exit, &exit_b)?;
    if exit.is_halt() {
        return Ok(());
    }
    same("gas", a.gas == b.gas, &a.gas, &b.gas)?;
    same("refund", a.refund == b.refund, &a.refund, &b.refund)?;
    let (output, output_b) = (output(a, exit), output(b, exit));
    same("output", output == output_b, &output, &output_b)?;
    if exit == Exit::Revert {
        return Ok(());
    }
    same("memory size", a.memory_len == b.memory_len, &a.memory_len, &b.memory_len)?;
    let [memory, memory_b] = [a, b].map(|frame| &frame.buffer[..frame.memory_len as usize]);
    let parting = memory.iter().zip(memory_b).position(|(a, b)| a != b);
    parting.map_or(Ok(()), |at| {
        let shown = |memory: &[u8]| Bytes::copy_from_slice(&memory[at..memory.len().min(at + MEMORY_SHOWN)]);
        same(&format!("memory from {at} on"), false, &shown(memory), &shown(memory_b))
    })
}

fn output(frame: &Frame, exit: Exit) -> Bytes {
    match exit {
        Exit::Return | Exit::Revert if frame.out_len > 0 => {
            Bytes::copy_from_slice(&frame.buffer[frame.out_offset as usize..][..frame.out_len as usize])
        }
        _ => Bytes::new(),
    }
}

fn difference(frame: &Frame, contract: &Contract, tape: &Tape, alike: usize, mismatch: Mismatch) -> Difference {
    Difference {
        code: Bytes::copy_from_slice(contract.code.bytes()),
        is_init: contract.is_init,
        input: Bytes::copy_from_slice(call_data(frame)),
        fork: frame.fork,
        address: frame.address,
        gas: tape.gas as u64,
        depth: frame.depth,
        alike,
        // The interpreter is past the opcode wherever it asks or pauses.
        pc: mismatch.pc.unwrap_or(frame.pc).saturating_sub(1),
        expected: mismatch.expected,
        got: mismatch.got,
    }
}
