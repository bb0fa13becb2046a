//! The frame loop: what revm's `run_exec_loop` and `EthFrame` do, on frames of our own.
//!
//! Order and kind of the journal's operations are those of revm-handler's `make_call_frame`, `make_create_frame`,
//! `process_next_action` and `return_result`; the functions here carry their names in the comments.

use super::frames::{NOTHING, Shared, Start};
use super::host::{JournalHost, word};
use super::runner::{Runner, Works, answers_by_address};
use super::targets::{Checkpoint, Known};
use crate::abi::{CallKind, CallRequest, CreateRequest, Exit, Frame, Host, Request};
use crate::engine::Mode;
use crate::evm::code::Code;
use crate::runtime;
use core::ops::Range;
use revm::{
    bytecode::Bytecode,
    context_interface::{
        Cfg, ContextTr, CreateScheme, Database, JournalTr, LocalContextTr,
        context::{ContextError, take_error},
        journaled_state::{JournalCheckpoint, account::JournaledAccountTr},
    },
    handler::{FrameResult, PrecompileProvider, evm::ContextDbError, handle_reservoir_remaining_gas, return_create},
    interpreter::{
        CallInput, CallInputs, CallOutcome, CallScheme, CallValue, CreateInputs, CreateOutcome, FrameInput, Gas, GasTracker,
        InstructionResult, InterpreterResult, interpreter_action::FrameInit,
    },
    primitives::{Address, B256, Bytes, KECCAK_EMPTY, Log, U256, constants::CALL_STACK_LIMIT, keccak256},
};

/// Executes `first` and every frame that it calls or creates, on the journal of `ctx`, and returns what revm's
/// `Handler::run_exec_loop` would: for handlers to call from their own `run_exec_loop`.
///
/// The caller asks [`Runner::handles`] first. Frames live on the heap, the native stack does not grow with the depth of calls.
///
/// # Errors
/// Database errors, fatal errors of precompiles, and whatever the context's error slot holds when a frame returns. In `check` mode, the
/// first [`Difference`](crate::engine::Difference) as text.
#[inline]
pub fn exec_loop<CTX, P, E>(ctx: &mut CTX, precompiles: &mut P, runner: &mut Runner, first: FrameInit) -> Result<FrameResult, E>
where
    CTX: ContextTr,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
    E: From<ContextDbError<CTX>>,
{
    let Runner { works, memory, .. } = runner;
    let cfg = ctx.cfg();
    let shared = Shared {
        callouts: runtime::callouts::<JournalHost<'_, CTX>>(),
        fork: cfg.spec().into(),
        memory_limit: cfg.memory_limit(),
        init_code_limit: cfg.max_initcode_size(),
        record: works.executor.engine().config().mode == Mode::Check,
        knows_targets: answers_by_address::<P>(),
    };
    works.counters.transactions += 1;
    memory.forget();
    let mut exec = Exec {
        host: JournalHost::new(ctx, memory),
        precompiles,
        works,
        shared,
        input: None,
        returned: None,
        first_precompile: None,
        outcome: Outcome::early(InstructionResult::Stop, 0),
        base_depth: first.depth,
    };
    if exec.shared.record {
        // Both runs of a frame are to find it in place.
        exec.host.env();
    }
    if let Err(error) = exec.run(&first.frame_input) {
        exec.works.pool.reset();
        return Err(error.into());
    }
    let (output, created) = exec.take_output();
    exec.works.pool.reset();
    let Outcome { result, gas_left, refund, .. } = exec.outcome;
    let result = |gas_limit| InterpreterResult { result, output, gas: gas(gas_limit, gas_left, refund) };
    Ok(match &first.frame_input {
        FrameInput::Call(inputs) => {
            let mut call = CallOutcome::new(result(inputs.gas_limit), inputs.return_memory_offset.clone());
            if let Some(precompile) = exec.first_precompile {
                call.was_precompile_called = true;
                (call.result.gas, call.precompile_call_logs) = *precompile;
            }
            FrameResult::Call(call)
        }
        FrameInput::Create(inputs) => FrameResult::Create(CreateOutcome::new(result(inputs.gas_limit()), created)),
        FrameInput::Empty => unreachable!("a transaction calls or creates"),
    })
}

/// One run of the loop.
struct Exec<'a, CTX, P> {
    host: JournalHost<'a, CTX>,
    precompiles: &'a mut P,
    works: &'a mut Works,
    shared: Shared,
    /// Call data of the first frame, where it is not the transaction's own.
    input: Option<Bytes>,
    /// Output that lies in no frame's memory: of a precompile, or of a creation.
    returned: Option<Bytes>,
    /// All of a precompile's gas, and its logs, where it is the transaction's own call.
    first_precompile: Option<Box<(Gas, Vec<Log>)>>,
    /// Of the transaction's own call or creation, or of one that ended before it had a frame.
    outcome: Outcome,
    base_depth: usize,
}

/// How a call or creation ended.
#[derive(Clone, Copy)]
struct Outcome {
    result: InstructionResult,
    /// The result as a parent sees it.
    how: runtime::Outcome,
    gas_left: u64,
    refund: i64,
    output: Output,
    /// It had a frame, the one that ended last.
    had_frame: bool,
}

/// Where the output is.
#[derive(Clone, Copy)]
enum Output {
    /// Nowhere: there is none.
    Empty,
    /// In `Exec::returned`.
    Returned,
    /// In the memory of the frame that ended last.
    Ended,
}

impl Outcome {
    /// Ended before a frame came to be.
    #[inline(always)]
    fn early(result: InstructionResult, gas_limit: u64) -> Outcome {
        Outcome { result, how: how(result), gas_left: gas_limit, refund: 0, output: Output::Empty, had_frame: false }
    }
}

/// A creation, from a transaction or from an opcode.
struct Creation {
    caller: Address,
    scheme: CreateScheme,
    value: U256,
    gas_limit: u64,
}

/// What follows when a call or creation has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// It has a frame, which is to be executed.
    Started,
    /// It has ended, as `Exec::outcome` says.
    Ended,
}

/// Something, or what revm's loop fails with.
type OrError<CTX, T> = Result<T, ContextDbError<CTX>>;

impl<CTX, P> Exec<'_, CTX, P>
where
    CTX: ContextTr,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    /// Executes the call or creation that a transaction makes to its end.
    #[inline]
    fn run(&mut self, first: &FrameInput) -> OrError<CTX, ()> {
        let begun = match first {
            FrameInput::Call(inputs) => self.call(inputs, None)?,
            FrameInput::Create(inputs) => self.first_create(inputs)?,
            FrameInput::Empty => unreachable!("a transaction calls or creates"),
        };
        if begun == Begun::Ended {
            return Ok(());
        }
        let mut inputs = self.works.child_inputs.take().unwrap_or_else(|| Box::new(blank_inputs()));
        let ran = self.run_frames(&mut inputs);
        self.works.child_inputs = Some(inputs);
        ran
    }

    /// Executes the first frame, and every one that it calls or creates, to its end. `inputs` is room for the calls.
    #[inline]
    fn run_frames(&mut self, inputs: &mut CallInputs) -> OrError<CTX, ()> {
        loop {
            let exit = self.works.activate(&mut self.host).map_err(|difference| ContextError::Custom(difference.to_string()))?;
            if exit == Exit::Suspend {
                if self.start_child(inputs)? == Begun::Started {
                    continue;
                }
            } else if self.works.pool.top_is_callee() {
                self.end_call(exit)?;
                continue;
            } else {
                self.end(exit);
                if self.works.pool.active() == 0 {
                    return Ok(());
                }
            }
            self.resume()?;
        }
    }

    /// It ended so before a frame came to be.
    #[inline]
    fn ended_early(&mut self, result: InstructionResult, gas_limit: u64) -> Begun {
        self.outcome = Outcome::early(result, gas_limit);
        Begun::Ended
    }

    /// Goes back to `checkpoint`.
    #[inline]
    fn revert(&mut self, checkpoint: Checkpoint) {
        self.host.ctx.journal_mut().checkpoint_revert(checkpoint.journal);
        self.host.memory.revert(checkpoint);
    }

    /// Depth of the frame about to start.
    #[inline]
    fn depth(&self) -> usize {
        self.base_depth + self.works.pool.active()
    }

    /// The creation that a transaction makes.
    fn first_create(&mut self, inputs: &CreateInputs) -> OrError<CTX, Begun> {
        let creation =
            Creation { caller: inputs.caller(), scheme: inputs.scheme(), value: inputs.value(), gas_limit: inputs.gas_limit() };
        let opened = open_creation(&mut self.host, &creation, inputs.init_code(), self.base_depth)?;
        Ok(self.create(&creation, opened, || Code::new(inputs.init_code())))
    }

    /// Starts what the top frame asks for.
    #[inline(always)]
    fn start_child(&mut self, inputs: &mut CallInputs) -> OrError<CTX, Begun> {
        match self.works.pool.top().frame.request {
            Request::Call(_) => match self.host.memory.known {
                Some(known) => Ok(self.call_known(known)),
                None => self.call_unknown(inputs),
            },
            Request::Create(request) => self.child_create(&request),
            Request::None => unreachable!("a suspended frame has a request"),
        }
    }

    fn child_create(&mut self, request: &CreateRequest) -> OrError<CTX, Begun> {
        let depth = self.depth();
        let parent = self.works.pool.top();
        let creation = Creation {
            caller: parent.frame.address,
            scheme: match request.salt {
                None => CreateScheme::Create,
                Some(salt) => CreateScheme::Create2 { salt },
            },
            value: request.value,
            gas_limit: request.gas_limit,
        };
        let (offset, len) = request.code;
        let init_code = if len == 0 { &[] } else { &parent.frame.buffer[offset..][..len] };
        let opened = open_creation(&mut self.host, &creation, init_code, depth)?;
        let code = opened.is_ok().then(|| Code::new(init_code));
        Ok(self.create(&creation, opened, || code.expect("made for what was opened")))
    }

    /// `make_call_frame` for the call of a known account.
    #[inline(always)]
    fn call_known(&mut self, known: Known) -> Begun {
        let parent = &self.works.pool.top().frame;
        let Request::Call(request) = &parent.request else { unreachable!("a known account is called") };
        if parent.depth >= CALL_STACK_LIMIT as u32 {
            let gas_limit = request.gas_limit;
            return self.ended_early(InstructionResult::CallTooDeep, gas_limit);
        }
        let checkpoint = self.host.checkpoint();
        let to_itself = request.kind == CallKind::CallCode;
        let changes_nothing = !to_itself && request.value.is_zero() && self.host.memory.targets.is_known_touched(known);
        if !changes_nothing && request.kind != CallKind::DelegateCall {
            let to = if to_itself { parent.address } else { request.code_address };
            let (from, value, gas_limit) = (parent.address, request.value, request.gas_limit);
            if let Err(error) = self.transfer(from, to, value, checkpoint) {
                return self.ended_early(error, gas_limit);
            }
        }
        let contract = self.host.memory.targets.contract(known);
        self.works.pool.push_call(contract, self.host.known_env(), &checkpoint, &self.shared);
        self.works.counters.frames += 1;
        self.keep_up();
        Begun::Started
    }

    /// `make_call_frame` for the call of any other account.
    #[inline(always)]
    fn call_unknown(&mut self, inputs: &mut CallInputs) -> OrError<CTX, Begun> {
        let parent = self.works.pool.top();
        let Request::Call(request) = &parent.frame.request else { unreachable!("an account is called") };
        let input = request.input;
        describe_call(inputs, &parent.frame, request);
        // Swapped rather than moved: in a loop that calls one contract, both places hold its code and no count changes.
        inputs.known_bytecode.0 = self.host.memory.target.0;
        core::mem::swap(&mut inputs.known_bytecode.1, self.host.memory.target.1.get_or_insert_default());
        self.call(inputs, Some(input))
    }

    /// `make_call_frame`. `input` is the place of the call data in the caller's memory, if there is a caller.
    ///
    /// Inlined, so that whether there is an outcome already is no byte in memory that is read again by a wider load, which takes 9 ns.
    #[inline(always)]
    fn call(&mut self, inputs: &CallInputs, input: Option<(usize, usize)>) -> OrError<CTX, Begun> {
        let depth = self.depth();
        let gas_limit = inputs.gas_limit;
        if depth > CALL_STACK_LIMIT as usize {
            return Ok(self.ended_early(InstructionResult::CallTooDeep, gas_limit));
        }
        let checkpoint = self.host.checkpoint();
        if let CallValue::Transfer(value) = inputs.value
            && !(value.is_zero() && self.host.memory.targets.is_touched(&inputs.target_address))
            && let Err(error) = self.transfer(inputs.caller, inputs.target_address, value, checkpoint)
        {
            return Ok(self.ended_early(error, gas_limit));
        }
        // Precompiles find input that lies in the caller's memory in revm's shared buffer, which that memory takes the place of meanwhile.
        let lends = input.is_some_and(|(_, len)| len > 0);
        if lends {
            self.swap_shared_buffer();
        }
        let answer = self.precompiles.run(self.host.ctx, inputs);
        if lends {
            self.swap_shared_buffer();
            self.works.pool.top().restore_memory();
        }
        if !self.shared.knows_targets {
            self.host.memory.slots.doubt();
        }
        match answer {
            Ok(None) => {}
            Ok(Some(result)) => {
                self.end_precompile(result, checkpoint);
                return Ok(Begun::Ended);
            }
            Err(error) => return Err(ContextError::Custom(error)),
        }
        if inputs.known_bytecode.1.is_empty() {
            self.host.ctx.journal_mut().checkpoint_commit();
            return Ok(self.ended_early(InstructionResult::Stop, gas_limit));
        }
        self.start_frame(inputs, input.is_some(), depth, checkpoint);
        Ok(Begun::Started)
    }

    /// Moves the value of a call. Where that fails, `checkpoint` is reverted to.
    #[inline(always)]
    fn transfer(&mut self, from: Address, to: Address, value: U256, checkpoint: Checkpoint) -> Result<(), InstructionResult> {
        if let Some(error) = self.host.ctx.journal_mut().transfer_loaded(from, to, value) {
            self.revert(checkpoint);
            return Err(error.into());
        }
        if from != to && value.is_zero() {
            self.host.memory.targets.note_touched(&to);
        }
        Ok(())
    }

    /// The frame of a call, by a frame or by the transaction.
    #[inline]
    fn start_frame(&mut self, inputs: &CallInputs, has_caller: bool, depth: usize, checkpoint: Checkpoint) {
        self.keep_up();
        let (hash, bytecode) = &inputs.known_bytecode;
        let Works { executor, pool, contracts, counters, .. } = &mut *self.works;
        counters.frames += 1;
        let contract = contracts.get(executor, hash, bytecode, self.shared.fork);
        let env = self.host.known_env();
        if has_caller {
            // What has code counts as empty only where its hash says so.
            let is_lasting = self.host.memory.is_own && !hash.is_zero() && *hash != KECCAK_EMPTY;
            let mut certain = checkpoint.certain;
            if self.shared.knows_targets && is_lasting {
                // It was loaded before the checkpoint, so that a revert leaves it known.
                certain = certain.or(self.host.memory.targets.note(&inputs.bytecode_address, contract));
            }
            pool.push_call(contract, env, &Checkpoint { certain, ..checkpoint }, &self.shared);
            return;
        }
        let input: &[u8] = match &inputs.input {
            CallInput::Bytes(bytes) => bytes,
            CallInput::SharedBuffer(_) => self.input.insert(inputs.input.bytes(self.host.ctx)),
        };
        let start = Start {
            gas_limit: inputs.gas_limit,
            input: (input.as_ptr(), input.len()),
            env,
            address: &inputs.target_address,
            caller: &word(inputs.caller),
            value: match &inputs.value {
                CallValue::Transfer(value) | CallValue::Apparent(value) => value,
            },
            is_static: inputs.is_static,
            depth: depth as u32,
            checkpoint: &checkpoint,
            created: None,
        };
        pool.push(&start, contract, &self.shared);
    }

    /// Lets go of contracts of a generation that is no more, so that its memory can be given back.
    #[inline(always)]
    fn keep_up(&mut self) {
        if self.works.is_behind() {
            self.works.renew();
            self.host.memory.targets.let_go();
        }
    }

    /// The frame of a creation that was opened, or how it ended already.
    fn create(&mut self, creation: &Creation, opened: Opened, code: impl FnOnce() -> Code) -> Begun {
        let (created, journal) = match opened {
            Ok(opened) => opened,
            Err(result) => return self.ended_early(result, creation.gas_limit),
        };
        let checkpoint = self.host.since(journal);
        let start = Start {
            gas_limit: creation.gas_limit,
            input: (NOTHING, 0),
            env: self.host.known_env(),
            address: &created,
            caller: &word(creation.caller),
            value: &creation.value,
            is_static: false,
            depth: self.depth() as u32,
            checkpoint: &checkpoint,
            created: Some(created),
        };
        let Works { executor, pool, counters, .. } = &mut *self.works;
        counters.frames += 1;
        let contract = executor.init_code(self.shared.fork, code());
        pool.push(&start, &contract, &self.shared);
        Begun::Started
    }

    /// Exchanges the top frame's memory with revm's shared buffer.
    fn swap_shared_buffer(&mut self) {
        let frame = &mut self.works.pool.top().frame;
        let mut shared = self.host.ctx.local().shared_memory_buffer().borrow_mut();
        core::mem::swap(&mut *shared, &mut frame.buffer);
    }

    #[inline(never)]
    fn end_precompile(&mut self, mut result: InterpreterResult, checkpoint: Checkpoint) {
        self.works.counters.precompiles += 1;
        let is_first = self.works.pool.active() == 0;
        let journal = self.host.ctx.journal_mut();
        let mut logs = Vec::new();
        if result.result.is_ok() {
            journal.checkpoint_commit();
        } else {
            if is_first {
                logs = journal.logs()[checkpoint.journal.log_i..].to_vec();
            }
            self.revert(checkpoint);
        }
        if is_first {
            self.first_precompile = Some(Box::new((result.gas, logs)));
        }
        // What comes back to a parent that has nothing yet is what comes back.
        let mut returned = GasTracker::new(u64::MAX, 0, 0);
        handle_reservoir_remaining_gas(result.result, &mut returned, result.gas.tracker_mut());
        self.returned = Some(result.output);
        self.outcome = Outcome {
            result: result.result,
            how: how(result.result),
            gas_left: returned.remaining(),
            refund: returned.refunded(),
            output: Output::Returned,
            had_frame: false,
        };
    }

    /// The second half of `process_next_action`, and `return_result`: the top frame, which another has called, ended with `exit`.
    #[inline(always)]
    fn end_call(&mut self, exit: Exit) -> OrError<CTX, ()> {
        let how = runtime::Outcome::of(exit);
        self.close(how);
        self.works.pool.pop();
        self.fail()?;
        assert!(exit != Exit::Fatal, "a fatal error without its reason");
        let (caller, ended) = self.works.pool.top_and_ended();
        let ended = ended.expect("a frame has ended");
        caller.resume_call(how, gas_left(exit, &ended.frame), ended.frame.refund, ended.output());
        Ok(())
    }

    /// The second half of `process_next_action`: the top frame, a creation or the first of all, ended with `exit`.
    #[inline(always)]
    fn end(&mut self, exit: Exit) {
        let slot = self.works.pool.top();
        self.outcome = Outcome {
            result: instruction_result(exit),
            how: runtime::Outcome::of(exit),
            gas_left: gas_left(exit, &slot.frame),
            refund: slot.frame.refund,
            output: if slot.frame.out_len > 0 { Output::Ended } else { Output::Empty },
            had_frame: true,
        };
        match slot.created {
            Some(created) => self.end_creation(created),
            None => self.close(self.outcome.how),
        }
        self.works.pool.pop();
    }

    /// Ends what the top frame has noted in the journal.
    #[inline(always)]
    fn close(&mut self, how: runtime::Outcome) {
        if how == runtime::Outcome::Success {
            self.host.ctx.journal_mut().checkpoint_commit();
        } else {
            let checkpoint = self.works.pool.top().checkpoint;
            self.revert(checkpoint);
        }
    }

    /// `return_create`: deploys the output of the top frame unless the creation failed.
    #[inline(never)]
    fn end_creation(&mut self, created: Address) {
        let (slot, outcome) = (self.works.pool.top(), &mut self.outcome);
        let deploys = outcome.result.is_ok();
        let code = if deploys { Bytes::copy_from_slice(slot.output()) } else { Bytes::new() };
        let mut result = InterpreterResult::new(outcome.result, code, gas(slot.gas_limit, outcome.gas_left, outcome.refund));
        return_create(self.host.ctx, slot.checkpoint.journal, &mut result, created);
        self.host.memory.revert(slot.checkpoint);
        (outcome.result, outcome.how, outcome.gas_left) = (result.result, how(result.result), result.gas.remaining());
        if deploys {
            self.returned = Some(result.output);
            outcome.output = Output::Returned;
        }
    }

    /// Fails with the error that the context holds, if it does.
    #[inline(always)]
    fn fail(&mut self) -> OrError<CTX, ()> {
        if self.host.ctx.error().is_err() {
            take_error::<ContextDbError<CTX>, <CTX::Db as Database>::Error>(self.host.ctx.error())?;
        }
        Ok(())
    }

    /// `return_result`: the top frame goes on with the outcome of what it has asked for, which was a creation or had no frame.
    #[inline(always)]
    fn resume(&mut self) -> OrError<CTX, ()> {
        self.fail()?;
        let Outcome { result, how, gas_left, refund, output, had_frame } = self.outcome;
        if how == runtime::Outcome::Halt {
            assert!(result != InstructionResult::FatalExternalError, "a fatal error without its reason");
        }
        let (parent, ended) = self.works.pool.top_and_ended();
        let data: &[u8] = match (output, ended) {
            (Output::Returned, _) => self.returned.as_ref().map_or(&[], |bytes| bytes),
            (Output::Ended, Some(ended)) => ended.output(),
            (Output::Empty, _) | (Output::Ended, None) => &[],
        };
        if let Request::Call(_) = parent.frame.request {
            parent.resume_call(how, gas_left, refund, data);
            if let Output::Returned = output {
                parent.frame.return_bytes = self.returned.take().unwrap_or_default();
            }
        } else {
            let created = ended.filter(|_| had_frame).and_then(|ended| ended.created).unwrap_or_default();
            parent.resume_create(how, created, gas_left, refund, data);
        }
        Ok(())
    }

    /// The output of what ended, and the account that it created.
    #[inline]
    fn take_output(&mut self) -> (Bytes, Option<Address>) {
        let ended = self.works.pool.last_ended();
        let output = match self.outcome.output {
            Output::Empty => Bytes::new(),
            Output::Returned => self.returned.take().unwrap_or_default(),
            Output::Ended => ended.map_or(Bytes::new(), |slot| Bytes::copy_from_slice(slot.output())),
        };
        (output, ended.filter(|_| self.outcome.had_frame).and_then(|slot| slot.created))
    }
}

/// Gas as revm counts it.
#[inline(always)]
fn gas(limit: u64, left: u64, refund: i64) -> Gas {
    let mut gas = Gas::new(limit);
    gas.set_remaining(left);
    gas.set_refund(refund);
    gas
}

/// Gas that comes back of a frame that ended with `exit`.
#[inline(always)]
fn gas_left(exit: Exit, frame: &Frame) -> u64 {
    if exit.is_halt() { 0 } else { frame.gas.max(0) as u64 }
}

/// Inputs to be filled in.
pub(super) fn blank_inputs() -> CallInputs {
    CallInputs {
        input: CallInput::SharedBuffer(0..0),
        return_memory_offset: 0..0,
        gas_limit: 0,
        reservoir: 0,
        bytecode_address: Address::ZERO,
        known_bytecode: (B256::ZERO, Bytecode::new()),
        target_address: Address::ZERO,
        caller: Address::ZERO,
        value: CallValue::Transfer(U256::ZERO),
        scheme: CallScheme::Call,
        is_static: false,
        charged_new_account_state_gas: false,
    }
}

/// Makes `inputs` describe what `parent` asks for, except for the code. Addresses are copied from place to place: one that was chosen before it is
/// written is written in pieces, and read in others, which takes 5 ns.
#[inline(always)]
fn describe_call(inputs: &mut CallInputs, parent: &Frame, request: &CallRequest) {
    inputs.input = CallInput::SharedBuffer(span(request.input));
    inputs.return_memory_offset = span(request.output);
    inputs.gas_limit = request.gas_limit;
    inputs.bytecode_address = request.code_address;
    inputs.target_address = *match request.kind {
        CallKind::Call | CallKind::StaticCall => &request.code_address,
        CallKind::CallCode | CallKind::DelegateCall => &parent.address,
    };
    inputs.caller = parent.address;
    if request.kind == CallKind::DelegateCall {
        inputs.caller = Address::from_word(parent.caller_word.into());
    }
    inputs.is_static = parent.is_static || request.kind == CallKind::StaticCall;
    let value = request.value;
    (inputs.scheme, inputs.value) = match request.kind {
        CallKind::Call => (CallScheme::Call, CallValue::Transfer(value)),
        CallKind::CallCode => (CallScheme::CallCode, CallValue::Transfer(value)),
        CallKind::DelegateCall => (CallScheme::DelegateCall, CallValue::Apparent(value)),
        CallKind::StaticCall => (CallScheme::StaticCall, CallValue::Transfer(value)),
    };
}

/// revm's range for an operand area: empty ones lie at the end of all memory.
#[inline(always)]
fn span((offset, len): (usize, usize)) -> Range<usize> {
    if len == 0 { usize::MAX..usize::MAX } else { offset..offset + len }
}

/// The new account and the checkpoint, or how the creation ended already.
type Opened = Result<(Address, JournalCheckpoint), InstructionResult>;

/// `make_create_frame` up to the frame itself.
fn open_creation<CTX: ContextTr>(
    host: &mut JournalHost<'_, CTX>,
    creation: &Creation,
    init_code: &[u8],
    depth: usize,
) -> OrError<CTX, Opened> {
    if depth > CALL_STACK_LIMIT as usize {
        return Ok(Err(InstructionResult::CallTooDeep));
    }
    let journal = host.ctx.journal_mut();
    let mut caller = journal.load_account_mut(creation.caller)?;
    if *caller.balance() < creation.value {
        return Ok(Err(InstructionResult::OutOfFunds));
    }
    let nonce = caller.nonce();
    if !caller.bump_nonce() {
        return Ok(Err(InstructionResult::Return));
    }
    drop(caller);
    let created = match creation.scheme {
        CreateScheme::Create => creation.caller.create(nonce),
        CreateScheme::Create2 { salt } => creation.caller.create2(salt.to_be_bytes::<32>(), keccak256(init_code)),
        CreateScheme::Custom { address } => address,
    };
    journal.load_account(created)?;
    match journal.create_account_checkpoint(creation.caller, created, creation.value, host.spec) {
        Ok(checkpoint) => Ok(Ok((created, checkpoint))),
        Err(error) => Ok(Err(error.into())),
    }
}

/// What a result is to a parent.
#[inline]
fn how(result: InstructionResult) -> runtime::Outcome {
    if result.is_ok() {
        runtime::Outcome::Success
    } else if result.is_revert() {
        runtime::Outcome::Revert
    } else {
        runtime::Outcome::Halt
    }
}

/// revm's name for an exit.
#[inline(always)]
fn instruction_result(exit: Exit) -> InstructionResult {
    match exit {
        Exit::Stop => InstructionResult::Stop,
        Exit::Return => InstructionResult::Return,
        Exit::SelfDestruct => InstructionResult::SelfDestruct,
        Exit::Revert => InstructionResult::Revert,
        Exit::OutOfGas => InstructionResult::OutOfGas,
        Exit::MemoryOutOfGas => InstructionResult::MemoryOOG,
        Exit::MemoryLimit => InstructionResult::MemoryLimitOOG,
        Exit::InvalidOperand => InstructionResult::InvalidOperandOOG,
        Exit::ReentrancySentry => InstructionResult::ReentrancySentryOOG,
        Exit::OpcodeNotFound => InstructionResult::OpcodeNotFound,
        Exit::CallInStatic => InstructionResult::CallNotAllowedInsideStatic,
        Exit::StateChangeInStatic => InstructionResult::StateChangeDuringStaticCall,
        Exit::InvalidOpcode => InstructionResult::InvalidFEOpcode,
        Exit::InvalidJump => InstructionResult::InvalidJump,
        Exit::NotActivated => InstructionResult::NotActivated,
        Exit::StackUnderflow => InstructionResult::StackUnderflow,
        Exit::StackOverflow => InstructionResult::StackOverflow,
        Exit::OutOfOffset => InstructionResult::OutOfOffset,
        Exit::InitCodeLimit => InstructionResult::CreateInitCodeSizeLimit,
        Exit::Fatal => InstructionResult::FatalExternalError,
        Exit::InvalidImmediate => InstructionResult::InvalidImmediateEncoding,
        Exit::Suspend | Exit::Interpret | Exit::Compile | Exit::Deopt | Exit::Hot | Exit::DynamicJump | Exit::Pending => {
            unreachable!("{exit:?} does not end a frame")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the child is told of addresses and value, by kind (Yellow Paper, appendix H; EIP-7, EIP-214).
    #[test]
    fn each_kind_of_call_names_its_accounts() {
        let [own, sender, code] = [1, 2, 3].map(Address::with_last_byte);
        let mut parent = Frame { address: own, caller_word: U256::from(2), ..Frame::blank() };
        let value = U256::from(7);
        let expected = [
            (CallKind::Call, code, own, CallScheme::Call, CallValue::Transfer(value), false),
            (CallKind::CallCode, own, own, CallScheme::CallCode, CallValue::Transfer(value), false),
            (CallKind::DelegateCall, own, sender, CallScheme::DelegateCall, CallValue::Apparent(value), false),
            (CallKind::StaticCall, code, own, CallScheme::StaticCall, CallValue::Transfer(value), true),
        ];
        // One that is filled again and again, as in `Exec`.
        let mut inputs = blank_inputs();
        for (kind, target, caller, scheme, told, is_static) in expected {
            let request = CallRequest { kind, gas_limit: 9, code_address: code, value, input: (4, 5), output: (6, 0) };
            for parent_is_static in [false, true] {
                parent.is_static = parent_is_static;
                describe_call(&mut inputs, &parent, &request);
                assert_eq!((inputs.target_address, inputs.caller, inputs.bytecode_address), (target, caller, code), "{kind:?}");
                assert_eq!((inputs.scheme, &inputs.value), (scheme, &told), "{kind:?}");
                assert_eq!(inputs.is_static, is_static || parent_is_static, "{kind:?}");
                assert_eq!((inputs.gas_limit, inputs.return_memory_offset.clone()), (9, usize::MAX..usize::MAX));
                assert!(matches!(&inputs.input, CallInput::SharedBuffer(range) if *range == (4..9)));
            }
        }
    }
}
