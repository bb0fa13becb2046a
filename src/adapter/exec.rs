//! The frame loop: what revm's `run_exec_loop` and `EthFrame` do, on frames of our own.
//!
//! Order and kind of the journal's operations are those of revm-handler's `make_call_frame`, `make_create_frame`,
//! `process_next_action` and `return_result`; the functions here carry their names in the comments.

use super::frames::{Input, Shared, Start};
use super::host::JournalHost;
use super::runner::Runner;
use crate::abi::{CallKind, CallRequest, CreateRequest, Env, Exit, Request};
use crate::engine::Mode;
use crate::evm::code::Code;
use crate::runtime::{self, record::Child};
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
    primitives::{Address, B256, Bytes, Log, U256, constants::CALL_STACK_LIMIT, keccak256},
};

/// Executes `first` and every frame that it calls or creates, on the journal of `ctx`, and returns what revm's
/// `Handler::run_exec_loop` would: for handlers to call from their own `run_exec_loop`.
///
/// The caller asks [`Runner::handles`] first. Frames live on the heap, the native stack does not grow with the depth of calls.
///
/// # Errors
/// Database errors, fatal errors of precompiles, and whatever the context's error slot holds when a frame returns. In `check` mode, the
/// first [`Difference`](crate::engine::Difference) as text.
pub fn exec_loop<CTX, P>(
    ctx: &mut CTX,
    precompiles: &mut P,
    runner: &mut Runner,
    first: FrameInit,
) -> Result<FrameResult, ContextDbError<CTX>>
where
    CTX: ContextTr,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    let shared_limits = (ctx.cfg().memory_limit(), ctx.cfg().max_initcode_size());
    let host = JournalHost::new(ctx);
    let env: Env = host.env();
    let shared = Shared {
        callouts: runtime::callouts::<JournalHost<'_, CTX>>(),
        env: &env,
        fork: host.spec,
        memory_limit: shared_limits.0,
        init_code_limit: shared_limits.1,
        record: runner.engine().config().mode == Mode::Check,
    };
    runner.pool.reset();
    runner.counters.transactions += 1;
    Exec { host, precompiles, runner, shared, base_depth: first.depth }.run(first.frame_input)
}

/// One run of the loop.
struct Exec<'a, CTX, P> {
    host: JournalHost<'a, CTX>,
    precompiles: &'a mut P,
    runner: &'a mut Runner,
    shared: Shared,
    base_depth: usize,
}

/// How a call or creation ended.
struct Outcome {
    result: InstructionResult,
    gas: Gas,
    output: Output,
    created: Option<Address>,
    precompile_logs: Option<Vec<Log>>,
}

/// Where the output is.
enum Output {
    /// Nowhere: there is none.
    Empty,
    /// In bytes of its own.
    Owned(Bytes),
    /// In the memory of the frame that ended last.
    Ended,
}

impl Outcome {
    /// Ended before a frame came to be.
    fn early(result: InstructionResult, gas_limit: u64) -> Outcome {
        let gas = Gas::new(gas_limit);
        Outcome { result, gas, output: Output::Empty, created: None, precompile_logs: None }
    }
}

/// A creation, from a transaction or from an opcode.
struct Creation {
    caller: Address,
    scheme: CreateScheme,
    value: U256,
    gas_limit: u64,
}

impl<CTX, P> Exec<'_, CTX, P>
where
    CTX: ContextTr,
    P: PrecompileProvider<CTX, Output = InterpreterResult>,
{
    fn run(&mut self, first: FrameInput) -> Result<FrameResult, ContextDbError<CTX>> {
        let (begun, shape) = match first {
            FrameInput::Call(inputs) => {
                let shape = Shape::Call(inputs.return_memory_offset.clone());
                (self.first_call(*inputs)?, shape)
            }
            FrameInput::Create(inputs) => (self.first_create(&inputs)?, Shape::Create),
            FrameInput::Empty => unreachable!("a transaction calls or creates"),
        };
        if let Some(outcome) = begun {
            return Ok(self.first_result(outcome, shape));
        }
        loop {
            let exit = self.runner.activate(&mut self.host).map_err(|difference| ContextError::Custom(difference.to_string()))?;
            let outcome = match exit {
                Exit::Suspend => match self.start_child()? {
                    None => continue,
                    Some(outcome) => outcome,
                },
                exit => {
                    let outcome = self.end(exit);
                    if self.runner.pool.active() == 0 {
                        return Ok(self.first_result(outcome, shape));
                    }
                    outcome
                }
            };
            self.resume(outcome)?;
        }
    }

    /// Depth of the frame about to start.
    fn depth(&self) -> usize {
        self.base_depth + self.runner.pool.active()
    }

    /// The call that a transaction makes.
    fn first_call(&mut self, inputs: CallInputs) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        let input = Input::Owned(inputs.input.bytes(self.host.ctx));
        self.call(inputs, input)
    }

    /// The creation that a transaction makes.
    fn first_create(&mut self, inputs: &CreateInputs) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        let creation =
            Creation { caller: inputs.caller(), scheme: inputs.scheme(), value: inputs.value(), gas_limit: inputs.gas_limit() };
        let depth = self.depth();
        match open_creation(&mut self.host, &creation, inputs.init_code(), depth)? {
            Err(result) => Ok(Some(Outcome::early(result, creation.gas_limit))),
            Ok(opened) => {
                self.push_creation(&creation, opened, Code::new(inputs.init_code()));
                Ok(None)
            }
        }
    }

    /// Starts what the top frame asks for; `Some` if that ended without a frame.
    fn start_child(&mut self) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        match self.runner.pool.top().frame.request {
            Request::Call(request) => self.child_call(&request),
            Request::Create(request) => self.child_create(&request),
            Request::None => unreachable!("a suspended frame has a request"),
        }
    }

    fn child_call(&mut self, request: &CallRequest) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        let (hash, bytecode) = (self.host.target.0, self.host.target.1.clone());
        let (offset, len) = request.input;
        let inputs = CallInputs {
            input: CallInput::SharedBuffer(span(request.input)),
            return_memory_offset: span(request.output),
            gas_limit: request.gas_limit,
            reservoir: 0,
            bytecode_address: request.code_address,
            known_bytecode: (hash, bytecode),
            target_address: request.target,
            caller: request.caller,
            value: match request.kind {
                CallKind::DelegateCall => CallValue::Apparent(request.value),
                CallKind::Call | CallKind::CallCode | CallKind::StaticCall => CallValue::Transfer(request.value),
            },
            scheme: match request.kind {
                CallKind::Call => CallScheme::Call,
                CallKind::CallCode => CallScheme::CallCode,
                CallKind::DelegateCall => CallScheme::DelegateCall,
                CallKind::StaticCall => CallScheme::StaticCall,
            },
            is_static: request.is_static,
            charged_new_account_state_gas: false,
        };
        self.call(inputs, Input::Parent(offset, len))
    }

    fn child_create(&mut self, request: &CreateRequest) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        let depth = self.depth();
        let parent = self.runner.pool.top();
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
        match open_creation(&mut self.host, &creation, init_code, depth)? {
            Err(result) => Ok(Some(Outcome::early(result, creation.gas_limit))),
            Ok(opened) => {
                let code = Code::new(init_code);
                self.push_creation(&creation, opened, code);
                Ok(None)
            }
        }
    }

    /// `make_call_frame`. `input` is where `inputs.input` is found.
    fn call(&mut self, inputs: CallInputs, input: Input) -> Result<Option<Outcome>, ContextDbError<CTX>> {
        let depth = self.depth();
        if depth > CALL_STACK_LIMIT as usize {
            return Ok(Some(Outcome::early(InstructionResult::CallTooDeep, inputs.gas_limit)));
        }
        let journal = self.host.ctx.journal_mut();
        let checkpoint = journal.checkpoint();
        if let CallValue::Transfer(value) = inputs.value
            && let Some(error) = journal.transfer_loaded(inputs.caller, inputs.target_address, value)
        {
            journal.checkpoint_revert(checkpoint);
            return Ok(Some(Outcome::early(error.into(), inputs.gas_limit)));
        }
        if let Some(result) = self.run_precompile(&inputs)? {
            return Ok(Some(self.end_precompile(result, checkpoint)));
        }
        let (hash, bytecode) = &inputs.known_bytecode;
        if bytecode.is_empty() {
            self.host.ctx.journal_mut().checkpoint_commit();
            return Ok(Some(Outcome::early(InstructionResult::Stop, inputs.gas_limit)));
        }
        let contract = self.runner.contract(*hash, bytecode, self.shared.fork);
        let start = Start {
            gas_limit: inputs.gas_limit,
            input,
            address: inputs.target_address,
            caller: inputs.caller,
            value: inputs.value.get(),
            is_static: inputs.is_static,
            depth: depth as u32,
            checkpoint,
            created: None,
        };
        self.runner.counters.frames += 1;
        self.runner.pool.push(start, &contract, &self.shared);
        Ok(None)
    }

    /// Offers the call to the precompiles. Input that lies in the caller's memory is shown to them in revm's shared buffer, which that
    /// memory takes the place of meanwhile.
    fn run_precompile(&mut self, inputs: &CallInputs) -> Result<Option<InterpreterResult>, ContextDbError<CTX>> {
        let lend = self.runner.pool.active() > 0 && !inputs.input.is_empty();
        if lend {
            self.swap_shared_buffer();
        }
        let result = self.precompiles.run(self.host.ctx, inputs);
        if lend {
            self.swap_shared_buffer();
            self.runner.pool.top().restore_memory();
        }
        result.map_err(ContextError::Custom)
    }

    /// Exchanges the top frame's memory with revm's shared buffer.
    fn swap_shared_buffer(&mut self) {
        let frame = &mut self.runner.pool.top().frame;
        let mut shared = self.host.ctx.local().shared_memory_buffer().borrow_mut();
        core::mem::swap(&mut *shared, &mut frame.buffer);
    }

    fn end_precompile(&mut self, result: InterpreterResult, checkpoint: JournalCheckpoint) -> Outcome {
        self.runner.counters.precompiles += 1;
        let journal = self.host.ctx.journal_mut();
        let mut logs = Vec::new();
        if result.result.is_ok() {
            journal.checkpoint_commit();
        } else {
            logs = journal.logs()[checkpoint.log_i..].to_vec();
            journal.checkpoint_revert(checkpoint);
        }
        Outcome {
            result: result.result,
            gas: result.gas,
            output: Output::Owned(result.output),
            created: None,
            precompile_logs: Some(logs),
        }
    }

    fn push_creation(&mut self, creation: &Creation, opened: (Address, JournalCheckpoint), code: Code) {
        let (created, checkpoint) = opened;
        let start = Start {
            gas_limit: creation.gas_limit,
            input: Input::Parent(0, 0),
            address: created,
            caller: creation.caller,
            value: creation.value,
            is_static: false,
            depth: self.depth() as u32,
            checkpoint,
            created: Some(created),
        };
        let contract = self.runner.executor.init_code(self.shared.fork, code);
        self.runner.counters.frames += 1;
        self.runner.pool.push(start, &contract, &self.shared);
    }

    /// The second half of `process_next_action`: the top frame ended with `exit`.
    fn end(&mut self, exit: Exit) -> Outcome {
        let slot = self.runner.pool.top();
        let result = instruction_result(exit);
        let mut gas = Gas::new(slot.gas_limit);
        gas.set_remaining(if result.is_halt() { 0 } else { slot.frame.gas.max(0) as u64 });
        gas.set_refund(slot.frame.refund);
        let output = match exit {
            Exit::Return | Exit::Revert if slot.frame.out_len > 0 => Output::Ended,
            _ => Output::Empty,
        };
        let mut outcome = Outcome { result, gas, output, created: slot.created, precompile_logs: None };
        let checkpoint = slot.checkpoint;
        if let Some(created) = slot.created {
            if result.is_ok() {
                let code = match outcome.output {
                    Output::Ended => Bytes::copy_from_slice(slot.output()),
                    _ => Bytes::new(),
                };
                outcome.output = Output::Owned(code);
            }
            self.end_creation(&mut outcome, checkpoint, created);
        } else if result.is_ok() {
            self.host.ctx.journal_mut().checkpoint_commit();
        } else {
            self.host.ctx.journal_mut().checkpoint_revert(checkpoint);
        }
        self.runner.pool.pop();
        outcome
    }

    /// `return_create`, which deploys `outcome.output` unless the creation failed.
    fn end_creation(&mut self, outcome: &mut Outcome, checkpoint: JournalCheckpoint, created: Address) {
        let owned = match &mut outcome.output {
            Output::Owned(bytes) => core::mem::take(bytes),
            Output::Empty | Output::Ended => Bytes::new(),
        };
        let deployed = outcome.result.is_ok();
        let mut result = InterpreterResult::new(outcome.result, owned, outcome.gas);
        return_create(self.host.ctx, checkpoint, &mut result, created);
        outcome.result = result.result;
        outcome.gas = result.gas;
        if deployed {
            outcome.output = Output::Owned(result.output);
        }
    }

    /// `return_result`: the top frame goes on with `outcome`.
    fn resume(&mut self, mut outcome: Outcome) -> Result<(), ContextDbError<CTX>> {
        take_error::<ContextDbError<CTX>, <CTX::Db as Database>::Error>(self.host.ctx.error())?;
        assert_ne!(outcome.result, InstructionResult::FatalExternalError, "a fatal error without its reason");
        // What comes back to a parent that has nothing yet is what comes back.
        let mut returned = GasTracker::new(u64::MAX, 0, 0);
        handle_reservoir_remaining_gas(outcome.result, &mut returned, outcome.gas.tracker_mut());
        let (gas, refund) = (returned.remaining(), returned.refunded());
        let how = if outcome.result.is_ok() {
            runtime::Outcome::Success
        } else if outcome.result.is_revert() {
            runtime::Outcome::Revert
        } else {
            runtime::Outcome::Halt
        };
        let (parent, ended) = self.runner.pool.top_and_ended();
        let (output, owned): (&[u8], Bytes) = match (&outcome.output, ended) {
            (Output::Owned(bytes), _) => (bytes, bytes.clone()),
            (Output::Ended, Some(ended)) => (ended.output(), Bytes::new()),
            (Output::Empty, _) | (Output::Ended, None) => (&[], Bytes::new()),
        };
        if let Some(tape) = &mut parent.tape {
            let address = outcome.created.unwrap_or_default();
            tape.resume(Child { outcome: how, gas, refund, address, output: Bytes::copy_from_slice(output) });
        }
        match parent.frame.request {
            Request::Call(request) => {
                let (offset, len) = request.output;
                let len = len.min(output.len());
                if len != 0 && how != runtime::Outcome::Halt {
                    parent.frame.buffer[offset..][..len].copy_from_slice(&output[..len]);
                }
                runtime::resume_call(&mut parent.frame, how, gas, refund, owned, (0, 0));
                parent.lend_return_data(output);
            }
            Request::Create(_) => {
                let address = outcome.created.unwrap_or_default();
                runtime::resume_create(&mut parent.frame, how, address, gas, refund, owned);
                if how == runtime::Outcome::Revert {
                    parent.lend_return_data(output);
                }
            }
            Request::None => unreachable!("a suspended frame has a request"),
        }
        Ok(())
    }

    /// The result of the first frame, as revm's loop returns it.
    fn first_result(&mut self, outcome: Outcome, shape: Shape) -> FrameResult {
        let output = match outcome.output {
            Output::Empty => Bytes::new(),
            Output::Owned(bytes) => bytes,
            Output::Ended => match self.runner.pool.last_ended() {
                Some(slot) => Bytes::copy_from_slice(slot.output()),
                None => Bytes::new(),
            },
        };
        let result = InterpreterResult::new(outcome.result, output, outcome.gas);
        match shape {
            Shape::Call(memory_offset) => {
                let mut call = CallOutcome::new(result, memory_offset);
                call.was_precompile_called = outcome.precompile_logs.is_some();
                call.precompile_call_logs = outcome.precompile_logs.unwrap_or_default();
                FrameResult::Call(call)
            }
            Shape::Create => FrameResult::Create(CreateOutcome::new(result, outcome.created)),
        }
    }
}

/// Which `FrameResult` the first frame gives.
enum Shape {
    Call(Range<usize>),
    Create,
}

/// revm's range for an operand area: empty ones lie at the end of all memory.
fn span((offset, len): (usize, usize)) -> Range<usize> {
    if len == 0 { usize::MAX..usize::MAX } else { offset..offset + len }
}

/// `make_create_frame` up to the frame itself: the new account's address and the checkpoint, or how the creation ended already.
fn open_creation<CTX: ContextTr>(
    host: &mut JournalHost<'_, CTX>,
    creation: &Creation,
    init_code: &[u8],
    depth: usize,
) -> Result<Result<(Address, JournalCheckpoint), InstructionResult>, ContextDbError<CTX>> {
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

/// revm's name for an exit.
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
        Exit::Suspend | Exit::Interpret | Exit::Compile | Exit::Hot | Exit::DynamicJump | Exit::Pending => {
            unreachable!("{exit:?} does not end a frame")
        }
    }
}
