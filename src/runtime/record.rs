//! The record of a frame's run, and the two hosts of `check` mode: one that writes it, one that plays it back.
//!
//! A [`Tape`] holds, in order, each request to the host with its answer, and each suspension with what came of the child: all that a run
//! learns from outside, and all that it does there. A [`Recorder`] stands before the real host while the tape is written; a [`Replayer`]
//! stands in for it afterwards, touches no state, and notes the first request that is not the recorded one.
//!
//! Knows no adapter and neither engine: it sees frames only where they ask or pause.

use crate::abi::{CallTarget, Env, Frame, Host, HostError, Loaded, LoadedWord, Request, SelfDestruct, StorageWrite};
use core::fmt;
use revm_primitives::{Address, B256, Bytes, U256};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use super::Outcome;

/// Events of one frame at most (about 200 bytes each): what asks more often is not recorded to its end.
const MAX_EVENTS: usize = 1 << 20;

/// Stack elements that are compared where a frame suspends, from the top.
const STACK_SHOWN: usize = 16;

/// Bytes of a child's input that reports show.
const INPUT_SHOWN: usize = 128;

/// How far a frame has come, as far as that is the same in both engines wherever the frame asks its host or suspends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Gas left.
    pub gas: i64,
    /// Refund counter.
    pub refund: i64,
    /// Elements on the stack.
    pub stack: usize,
    /// Bytes of memory.
    pub memory: u64,
}

impl State {
    fn of(frame: &Frame) -> State {
        State { gas: frame.gas, refund: frame.refund, stack: frame.depth_of_stack(), memory: frame.memory_len }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { gas, refund, stack, memory } = self;
        write!(f, "gas {gas}, refund {refund}, {stack} on the stack, {memory} bytes of memory")
    }
}

/// What a suspended frame hands to its child, or keeps while it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The next instruction.
    pub pc: u64,
    /// What it waits for.
    pub request: Request,
    /// Hash of the child's input or init code.
    pub input_hash: u64,
    /// The first bytes of it.
    pub input: Bytes,
    /// The topmost elements of the stack, the top first.
    pub stack: Vec<U256>,
}

impl Pause {
    fn of(frame: &Frame) -> Pause {
        let (offset, len) = match frame.request {
            Request::Call(request) => request.input,
            Request::Create(request) => request.code,
            Request::None => (0, 0),
        };
        let input = if len == 0 { &[] } else { &frame.buffer[offset..][..len] };
        let mut hasher = DefaultHasher::new();
        hasher.write(input);
        Pause {
            pc: frame.pc,
            request: frame.request,
            input_hash: hasher.finish(),
            input: Bytes::copy_from_slice(&input[..input.len().min(INPUT_SHOWN)]),
            stack: (1..=frame.depth_of_stack().min(STACK_SHOWN)).map(|n| frame.operand(n)).collect(),
        }
    }
}

/// What came of a child frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// How it ended.
    pub outcome: Outcome,
    /// Gas that comes back.
    pub gas: u64,
    /// Refund that is added.
    pub refund: i64,
    /// The account that was created.
    pub address: Address,
    /// Its output.
    pub output: Bytes,
}

/// What a frame did that its surroundings saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It asked the host.
    Asked(Question, Answer),
    /// It suspended, and was resumed with what came of the child (if it was).
    Paused(Pause, Option<Child>),
}

/// An event on a tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The interpreter's program counter: past the opcode.
    pub pc: u64,
    /// The frame's state.
    pub state: State,
    /// What happened.
    pub step: Step,
}

/// The record of one frame.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Gas that the frame began with.
    pub gas: i64,
    /// Its instructions, counted by the interpreter.
    pub instructions: u64,
    /// What happened, in order.
    pub events: Vec<Event>,
    overflow: bool,
    /// State at the present instruction's first request, its pc, and the events before it.
    present: (State, u64, usize),
}

impl Tape {
    /// Forgets everything: a frame begins with `gas`.
    pub fn begin(&mut self, gas: i64) {
        self.events.clear();
        *self = Tape { gas, events: core::mem::take(&mut self.events), ..Tape::default() };
    }

    /// Whether every event is there (more than a frame may have are not kept).
    pub fn is_complete(&self) -> bool {
        !self.overflow
    }

    /// Notes that `frame` suspended.
    pub fn pause(&mut self, frame: &Frame) {
        self.push(Event { pc: frame.pc, state: State::of(frame), step: Step::Paused(Pause::of(frame), None) });
    }

    /// Notes what the suspended frame is resumed with.
    pub fn resume(&mut self, child: Child) {
        if let Some(Event { step: Step::Paused(_, slot), .. }) = self.events.last_mut() {
            *slot = Some(child);
        }
    }

    fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.overflow = true;
            self.events = Vec::new();
        }
        if !self.overflow {
            self.events.push(event);
        }
    }

    fn enter(&mut self, frame: &Frame) {
        self.present = (State::of(frame), frame.pc, self.events.len());
    }

    fn ask(&mut self, question: Question, answer: Answer) {
        let (state, pc, _) = self.present;
        self.push(Event { pc, state, step: Step::Asked(question, answer) });
    }

    /// The present instruction will be executed again: what it asked so far will be asked again.
    fn take_back(&mut self) {
        self.events.truncate(self.present.2);
    }
}

/// A host that writes down what the host behind it is asked and answers. An answer that is still pending is not written down.
#[derive(Debug)]
pub struct Recorder<'a, H> {
    host: &'a mut H,
    tape: &'a mut Tape,
}

impl<'a, H: Host> Recorder<'a, H> {
    /// A recorder of `host` on `tape`.
    pub fn new(host: &'a mut H, tape: &'a mut Tape) -> Recorder<'a, H> {
        Recorder { host, tape }
    }
}

/// A point at which a run parts from a tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The interpreter's program counter there, past the opcode; `None` at the end of the tape.
    pub pc: Option<u64>,
    /// What the tape says.
    pub expected: String,
    /// What the run did.
    pub got: String,
}

/// A host that answers from a tape. Once a request is not the recorded one, it fails all that follow.
#[derive(Debug)]
pub struct Replayer<'a> {
    events: &'a [Event],
    next: usize,
    present: State,
    mismatch: Option<Mismatch>,
}

impl<'a> Replayer<'a> {
    /// A host that answers from `tape`.
    pub fn new(tape: &'a Tape) -> Replayer<'a> {
        Replayer { events: &tape.events, next: 0, present: State::default(), mismatch: None }
    }

    /// Events played so far.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The first request that was not as recorded.
    pub fn mismatch(&mut self) -> Option<Mismatch> {
        self.mismatch.take()
    }

    /// The frame suspended: gives what to resume it with, or how it should not have.
    pub fn pause(&mut self, frame: &Frame) -> Result<Child, Mismatch> {
        let (state, pause) = (State::of(frame), Pause::of(frame));
        match self.events.get(self.next) {
            Some(Event { state: expected, step: Step::Paused(recorded, Some(child)), .. })
                if *expected == state && *recorded == pause =>
            {
                self.next += 1;
                Ok(child.clone())
            }
            other => Err(mismatch(other, format!("{pause:?}; {state}"))),
        }
    }

    /// The frame has ended: fails if the tape has not.
    pub fn end(&self, how: impl FnOnce() -> String) -> Result<(), Mismatch> {
        self.events.get(self.next).map_or(Ok(()), |event| Err(mismatch(Some(event), how())))
    }

    fn ask(&mut self, question: Question) -> Option<Answer> {
        if self.mismatch.is_some() {
            return None;
        }
        match self.events.get(self.next) {
            Some(Event { state, step: Step::Asked(expected, answer), .. }) if *expected == question && *state == self.present => {
                self.next += 1;
                Some(answer.clone())
            }
            other => {
                self.mismatch = Some(mismatch(other, format!("{question:?}; {}", self.present)));
                None
            }
        }
    }
}

fn mismatch(expected: Option<&Event>, got: String) -> Mismatch {
    let text = match expected.map(|event| (&event.step, event.state)) {
        Some((Step::Asked(question, _), state)) => format!("{question:?}; {state}"),
        Some((Step::Paused(pause, _), state)) => format!("{pause:?}; {state}"),
        None => "the end of the frame".to_string(),
    };
    Mismatch { pc: expected.map(|event| event.pc), expected: text, got }
}

/// What a host answers when the tape has no answer.
trait Unanswered {
    const UNANSWERED: Self;
    /// Whether this is no answer yet.
    fn is_pending(&self) -> bool {
        false
    }
}

impl<T> Unanswered for Result<T, HostError> {
    const UNANSWERED: Self = Err(HostError::Fatal);
    fn is_pending(&self) -> bool {
        matches!(self, Err(HostError::Pending))
    }
}

impl Unanswered for LoadedWord {
    const UNANSWERED: Self = LoadedWord::failed(HostError::Fatal);
    fn is_pending(&self) -> bool {
        self.is_cold.is_pending()
    }
}

impl Unanswered for U256 {
    const UNANSWERED: Self = U256::ZERO;
}

impl Unanswered for B256 {
    const UNANSWERED: Self = B256::ZERO;
}

impl Unanswered for () {
    const UNANSWERED: Self = ();
}

/// From the list of a host's methods: question, answer, and both hosts. `=>` gives the type that a borrowed argument is kept as.
macro_rules! host {
    ($($name:ident $method:ident($($argument:ident: $given:ty $(=> $kept:ty)?),*) -> $answer:ty;)*) => {
        /// A request to the host, with its arguments.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Question {
            $(#[doc = concat!("`Host::", stringify!($method), "`")]
            #[allow(missing_docs, reason = "the method's arguments")]
            $name { $($argument: host!(@kept $given $(=> $kept)?)),* },)*
        }

        /// The host's answer to the question of the same name.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Answer {
            $(#[doc = concat!("Of `Host::", stringify!($method), "`")] $name($answer),)*
        }

        impl<H: Host> Host for Recorder<'_, H> {
            fn enter(&mut self, frame: &Frame) {
                self.tape.enter(frame);
                self.host.enter(frame);
            }

            fn env(&mut self) -> &Env {
                self.host.env()
            }

            $(fn $method(&mut self, $($argument: $given),*) -> $answer {
                let answer = self.host.$method($($argument),*);
                if answer.is_pending() {
                    self.tape.take_back();
                } else {
                    self.tape.ask(Question::$name { $($argument: host!(@keep $argument $(=> $kept)?)),* }, Answer::$name(answer.clone()));
                }
                answer
            })*
        }

        impl Host for Replayer<'_> {
            fn enter(&mut self, frame: &Frame) {
                self.present = State::of(frame);
            }

            $(fn $method(&mut self, $($argument: $given),*) -> $answer {
                match self.ask(Question::$name { $($argument: host!(@keep $argument $(=> $kept)?)),* }) {
                    Some(Answer::$name(answer)) => answer,
                    _ => Unanswered::UNANSWERED,
                }
            })*
        }
    };
    (@kept $given:ty => $kept:ty) => { $kept };
    (@kept $given:ty) => { $given };
    (@keep $argument:ident => $kept:ty) => { $argument.iter().copied().collect() };
    (@keep $argument:ident) => { $argument };
}

host! {
    StorageLoad sload(address: Address, key: U256, skip_cold: bool) -> LoadedWord;
    StorageStore sstore(address: Address, key: U256, value: U256, skip_cold: bool) -> Result<StorageWrite, HostError>;
    TransientLoad tload(address: Address, key: U256) -> U256;
    TransientStore tstore(address: Address, key: U256, value: U256) -> ();
    Balance balance(address: Address, skip_cold: bool) -> LoadedWord;
    CodeHash code_hash(address: Address, skip_cold: bool) -> Result<Loaded<B256>, HostError>;
    CodeLen code_len(address: Address, skip_cold: bool) -> Result<Loaded<usize>, HostError>;
    Code code(address: Address, skip_cold: bool) -> Result<Loaded<Bytes>, HostError>;
    SelfBalance self_balance(address: Address) -> Result<U256, HostError>;
    BlockHash block_hash(number: u64) -> Result<B256, HostError>;
    BlobHash blob_hash(index: u64) -> B256;
    Log log(address: Address, topics: &[U256] => Vec<U256>, data: &[u8] => Bytes) -> ();
    SelfDestruct selfdestruct(address: Address, target: Address, skip_cold: bool) -> Result<SelfDestruct, HostError>;
    CallTarget call_target(address: Address, skip_cold: bool) -> Result<CallTarget, HostError>;
    CallDelegate call_delegate(address: Address, skip_cold: bool) -> Result<bool, HostError>;
}

/// A frame's call data.
pub(crate) fn call_data(frame: &Frame) -> &[u8] {
    // SAFETY: call data is valid for `input_len` bytes as long as the frame is.
    unsafe { core::slice::from_raw_parts(frame.input, frame.input_len as usize) }
}
