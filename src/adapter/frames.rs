//! The pool of frames: one slot per depth, reused by every call at that depth, so that a call allocates nothing in the steady state.
//!
//! Stacks lie one above the other: a callee's begins where its caller's ends at the moment of the call, so that a call touches memory that
//! is in the cache, and a thousand of them few pages. Above a stack there is always room for all that it may become, whose
//! contents are never read before they are written.
//!
//! A slot that ended keeps its memory until the next call at its depth: the return data of its parent lies there. The EVM ends
//! the life of return data at the next call, which is the very moment at which the slot is used again.

use crate::abi::{CallKind, CallRequest, Callouts, Env, Frame, Request, StackBuffer};
use crate::engine::Contract;
use crate::evm::{STACK_LIMIT, SpecId, code::Code};
use crate::runtime::record::{Child, Tape};
use crate::runtime::word::by_limbs;
use crate::runtime::{self, Outcome};
use core::{fmt, ptr};
use revm::primitives::{Address, Bytes, U256};
use std::sync::Arc;

use super::host::word;
use super::targets::Checkpoint;

/// Bytes of EVM memory that all slots together may keep from one transaction to the next.
const KEPT_MEMORY: usize = 16 << 20;

/// Full stacks that the first region has room for, and each further one. Most transactions need one region: a stack is seldom full
/// when its owner calls.
const FIRST_STACKS: usize = 2;
const MORE_STACKS: usize = 32;

/// Bytes of a full stack.
const STACK_BYTES: usize = size_of::<StackBuffer>();

/// Bytes of EVM memory that a new slot has ready.
const FIRST_MEMORY: usize = 2048;

/// Bytes of the first stack that are touched before anyone waits for it.
const TOUCHED_BYTES: usize = 2 * PAGE_BYTES;
const PAGE_BYTES: usize = 4096;

/// Where zero bytes are.
pub(super) const NOTHING: *const u8 = ptr::NonNull::dangling().as_ptr();

/// A frame and what it owns.
pub(super) struct Slot {
    /// The frame.
    pub(super) frame: Frame,
    /// What it executes. Only [`Slot::hold`] changes it.
    pub(super) contract: Arc<Contract>,
    /// Where it goes back to if it fails.
    pub(super) checkpoint: Checkpoint,
    /// The account it creates, if it is a creation.
    pub(super) created: Option<Address>,
    /// Gas it began with.
    pub(super) gas_limit: u64,
    /// Its record, in `check` mode.
    pub(super) tape: Option<Box<Tape>>,
    /// The highest address at which a stack may begin in the region that its own lies in.
    last_stack: usize,
    /// What it counts for in [`FramePool::kept`].
    kept: usize,
}

/// What is the same for all frames of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// Runtime functions for the host.
    pub(super) callouts: &'static Callouts,
    /// The rules in force.
    pub(super) fork: SpecId,
    /// Most bytes that the memories of all frames may have together.
    pub(super) memory_limit: u64,
    /// Most bytes of init code.
    pub(super) init_code_limit: usize,
    /// Frames are recorded.
    pub(super) record: bool,
    /// What calls of an account come to may be known from others.
    pub(super) knows_targets: bool,
}

/// How a frame begins. What is long is copied from where it is to where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    /// Gas it may spend.
    pub(super) gas_limit: u64,
    /// Where the call data is, which stays there while the frame runs, and its length.
    pub(super) input: (*const u8, usize),
    /// The environment, or null while nothing has needed it.
    pub(super) env: *const Env,
    /// ADDRESS.
    pub(super) address: &'a Address,
    /// CALLER, as a word.
    pub(super) caller: &'a U256,
    /// CALLVALUE.
    pub(super) value: &'a U256,
    /// State changes are forbidden.
    pub(super) is_static: bool,
    /// Depth, 0 for the first frame.
    pub(super) depth: u32,
    /// Where it goes back to if it fails.
    pub(super) checkpoint: &'a Checkpoint,
    /// The account it creates, if it is a creation.
    pub(super) created: Option<Address>,
}

impl<'a> Start<'a> {
    /// How the call that `parent` asks for begins (Yellow Paper, appendix H; EIP-7, EIP-214).
    #[inline(always)]
    fn of_call(parent: &'a Frame, env: *const Env, checkpoint: &'a Checkpoint) -> Start<'a> {
        let Request::Call(request) = &parent.request else { unreachable!("a call is asked for") };
        let (address, caller) = match request.kind {
            CallKind::Call | CallKind::StaticCall => (&request.code_address, &parent.address_word),
            CallKind::CallCode => (&parent.address, &parent.address_word),
            CallKind::DelegateCall => (&parent.address, &parent.caller_word),
        };
        let (offset, len) = request.input;
        let input: &[u8] = if len == 0 { &[] } else { &parent.buffer[offset..][..len] };
        Start {
            gas_limit: request.gas_limit,
            input: (input.as_ptr(), len),
            env,
            address,
            caller,
            value: &request.value,
            is_static: parent.is_static || request.kind == CallKind::StaticCall,
            depth: parent.depth + 1,
            checkpoint,
            created: None,
        }
    }
}

impl Slot {
    fn new(contract: Arc<Contract>) -> Slot {
        let mut slot = Slot {
            // Every field that `begin` does not set has its final value here.
            frame: Frame { buffer: vec![0; FIRST_MEMORY], ..Frame::blank() },
            contract: contract.clone(),
            checkpoint: Checkpoint::default(),
            created: None,
            gas_limit: 0,
            tape: None,
            last_stack: 0,
            kept: 0,
        };
        slot.hold(contract);
        slot
    }

    /// Makes `contract` what the frame executes.
    fn hold(&mut self, contract: Arc<Contract>) {
        self.contract = contract;
        let (frame, code) = (&mut self.frame, &self.contract.code);
        (frame.code, frame.code_len, frame.code_object) = (code.runnable().as_ptr(), code.bytes().len() as u64, code);
        (frame.pc_index, frame.code_base) = (ptr::null(), ptr::null());
    }

    /// Makes the slot's frame the one that `start` describes, above that of `parent`, and `contract` what it executes.
    #[inline(always)]
    fn start(&mut self, start: &Start<'_>, contract: &Arc<Contract>, parent: Option<&Slot>, stacks: &mut Stacks, shared: &Shared) {
        let memory_limit = parent.map_or(shared.memory_limit, |p| p.frame.memory_limit - p.frame.memory_len);
        let (stack, last_stack) = stacks.above(parent.map(|p| (p.frame.sp, p.last_stack)));
        if !Arc::ptr_eq(&self.contract, contract) {
            self.hold(contract.clone());
        }
        self.last_stack = last_stack;
        self.begin(start, stack, shared, memory_limit);
    }

    /// Makes the slot's frame the one that `start` describes. Only what a frame reads before writing is reset.
    #[inline(always)]
    fn begin(&mut self, start: &Start<'_>, stack: *mut U256, shared: &Shared, memory_limit: u64) {
        let frame = &mut self.frame;
        self.checkpoint = *start.checkpoint;
        self.created = start.created;
        self.gas_limit = start.gas_limit;
        // Gas limits above i64::MAX never get here: `exec_loop` is not entered with them, and children have no more than their parent.
        frame.gas = start.gas_limit as i64;
        if shared.record {
            self.tape.get_or_insert_default().begin(frame.gas);
        }
        (frame.sp, frame.stack, frame.stack_limit) = (stack, stack, stack.wrapping_add(STACK_LIMIT));
        frame.clear_memory(memory_limit);
        frame.pc = 0;
        (frame.input, frame.input_len) = (start.input.0, start.input.1 as u64);
        (frame.return_data, frame.return_data_len) = (NOTHING, 0);
        frame.callouts = shared.callouts;
        frame.env = start.env;
        frame.fork = shared.fork;
        frame.init_code_limit = shared.init_code_limit;
        frame.address_word = word(*start.address);
        frame.caller_word = by_limbs(start.caller);
        frame.value = *start.value;
        (frame.out_offset, frame.out_len) = (0, 0);
        frame.refund = 0;
        frame.is_static = start.is_static;
        frame.depth = start.depth;
        frame.address = *start.address;
        frame.request = Request::None;
        if !frame.return_bytes.is_empty() {
            frame.return_bytes = Bytes::new();
        }
    }

    /// Makes the frame's view of its memory right again after the buffer was lent out, however long the borrower left it. Borrowers may add to a
    /// buffer, as revm's frames do; what was there they leave as it was.
    pub(super) fn restore_memory(&mut self) {
        let frame = &mut self.frame;
        frame.buffer.resize(frame.memory_ready as usize, 0);
        frame.memory = frame.buffer.as_mut_ptr();
    }

    /// The frame goes on with the outcome of the call that it has asked for. `output` stays where it is until the frame's next call.
    #[inline(always)]
    pub(super) fn resume_call(&mut self, how: Outcome, gas_left: u64, refund: i64, output: &[u8]) {
        let Request::Call(CallRequest { output: range, .. }) = self.frame.request else { unreachable!("it has asked for a call") };
        if let Some(tape) = &mut self.tape {
            tape.resume(Child {
                outcome: how,
                gas: gas_left,
                refund,
                address: Address::ZERO,
                output: Bytes::copy_from_slice(output),
            });
        }
        runtime::resume_call_lent(&mut self.frame, how, gas_left, refund, output, range);
    }

    /// The frame goes on with the outcome of the creation that it has asked for. `output` stays where it is until the frame's next call.
    pub(super) fn resume_create(&mut self, how: Outcome, created: Address, gas_left: u64, refund: i64, output: &[u8]) {
        let Request::Create(_) = self.frame.request else { unreachable!("it has asked for a creation") };
        if let Some(tape) = &mut self.tape {
            tape.resume(Child { outcome: how, gas: gas_left, refund, address: created, output: Bytes::copy_from_slice(output) });
        }
        runtime::resume_create(&mut self.frame, how, created, gas_left, refund, Bytes::new());
        if how == Outcome::Revert {
            (self.frame.return_data, self.frame.return_data_len) = (output.as_ptr(), output.len() as u64);
        }
    }

    /// The output, which only RETURN and REVERT give.
    #[inline]
    pub(super) fn output(&self) -> &[u8] {
        let (offset, len) = (self.frame.out_offset as usize, self.frame.out_len as usize);
        if len == 0 { &[] } else { &self.frame.buffer[offset..][..len] }
    }
}

/// Memory for stacks: regions that are never moved, never cleared, and made when they are needed.
struct Stacks {
    regions: Vec<Vec<u64>>,
    /// The lowest stack of all.
    lowest: Place,
}

/// A stack's first element, and the highest address at which a stack may begin in its region, which tells the regions apart: two words, so that they
/// are passed in registers.
type Place = (*mut U256, usize);

impl Stacks {
    /// Room for the first frames, touched as far as most go.
    fn new() -> Stacks {
        let mut stacks = Stacks { regions: Vec::new(), lowest: (core::ptr::null_mut(), 0) };
        stacks.lowest = stacks.first_of(0);
        stacks.regions[0].resize(core::hint::black_box(TOUCHED_BYTES / size_of::<u64>()), 0);
        stacks
    }

    /// A stack above one in use, given the end of that and the highest address in its region; or the lowest stack.
    #[inline(always)]
    fn above(&mut self, below: Option<Place>) -> Place {
        let Some((end, last)) = below else {
            return self.lowest;
        };
        let stack = aligned(end);
        if stack as usize <= last { (stack, last) } else { self.after(last) }
    }

    /// The lowest stack of the region after the one with that highest address.
    #[cold]
    fn after(&mut self, last: usize) -> Place {
        let region = self.regions.iter().position(|memory| last_of(memory) == last).expect("the stack below lies in a region");
        self.first_of(region + 1)
    }

    /// The lowest stack of a region.
    #[cold]
    fn first_of(&mut self, region: usize) -> Place {
        if region == self.regions.len() {
            let stacks = if region == 0 { FIRST_STACKS } else { MORE_STACKS };
            self.regions.push(Vec::with_capacity((stacks * STACK_BYTES + align_of::<StackBuffer>()) / size_of::<u64>()));
        }
        let memory = &mut self.regions[region];
        (aligned(memory.as_mut_ptr().cast()), last_of(memory))
    }
}

/// The highest address at which a stack may begin in `memory`.
fn last_of(memory: &Vec<u64>) -> usize {
    memory.as_ptr() as usize + memory.capacity() * size_of::<u64>() - STACK_BYTES
}

/// The first place at or above `end` at which a stack may begin.
#[inline(always)]
fn aligned(end: *mut U256) -> *mut U256 {
    end.wrapping_byte_add((end as usize).wrapping_neg() % align_of::<StackBuffer>())
}

/// Frames by depth: the first `active` run or are suspended, the rest are spare.
pub(super) struct FramePool {
    // Boxed so that a slot stays where it is when the pool grows.
    #[allow(clippy::vec_box)]
    slots: Vec<Box<Slot>>,
    active: usize,
    /// Slots used since the last [`FramePool::reset`].
    used: usize,
    /// Bytes of EVM memory that slots keep, as of the last reset.
    kept: usize,
    stacks: Stacks,
    /// What spare slots hold that hold nothing else.
    nothing: Arc<Contract>,
}

impl fmt::Debug for FramePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePool").field("active", &self.active).field("slots", &self.slots.len()).finish()
    }
}

impl FramePool {
    /// A pool with its first slot made and its memory touched, so that no transaction waits for the system.
    pub(super) fn new() -> FramePool {
        let nothing = Arc::new(Contract::interpreted(Code::new(&[]), SpecId::default()));
        let slots = vec![Box::new(Slot::new(nothing.clone()))];
        FramePool { slots, active: 0, used: 0, kept: 0, stacks: Stacks::new(), nothing }
    }

    /// No frame is active any more; what is too large to keep is given back.
    #[inline]
    pub(super) fn reset(&mut self) {
        for slot in self.slots.iter_mut().take(self.used) {
            if slot.frame.buffer.capacity() == slot.kept {
                continue;
            }
            self.kept = self.kept - slot.kept + slot.frame.buffer.capacity();
            if self.kept > KEPT_MEMORY {
                self.kept -= slot.frame.buffer.capacity();
                slot.frame.buffer = Vec::new();
            }
            slot.kept = slot.frame.buffer.capacity();
        }
        (self.active, self.used) = (0, 0);
    }

    /// Lets go of the contracts of frames that have ended.
    pub(super) fn let_go(&mut self) {
        for slot in &mut self.slots[self.active..] {
            slot.hold(self.nothing.clone());
        }
    }

    /// Frames that run or are suspended.
    #[inline]
    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// Starts a frame above the present one.
    #[inline]
    pub(super) fn push(&mut self, start: &Start<'_>, contract: &Arc<Contract>, shared: &Shared) {
        self.make_room(contract);
        let (below, above) = self.slots.split_at_mut(self.active);
        above[0].start(start, contract, below.last().map(|parent| &**parent), &mut self.stacks, shared);
        self.active += 1;
        self.used = self.used.max(self.active);
    }

    /// Starts the frame of the call that the present one asks for.
    #[inline(always)]
    pub(super) fn push_call(&mut self, contract: &Arc<Contract>, env: *const Env, checkpoint: &Checkpoint, shared: &Shared) {
        self.make_room(contract);
        let (below, above) = self.slots.split_at_mut(self.active);
        let parent = below.last().expect("a frame runs");
        let start = Start::of_call(&parent.frame, env, checkpoint);
        above[0].start(&start, contract, Some(parent), &mut self.stacks, shared);
        self.active += 1;
        self.used = self.used.max(self.active);
    }

    /// Makes sure of a slot above the active ones.
    #[inline(always)]
    fn make_room(&mut self, contract: &Arc<Contract>) {
        if self.active == self.slots.len() {
            self.slots.push(Box::new(Slot::new(contract.clone())));
        }
    }

    /// The frame that runs.
    #[inline]
    pub(super) fn top(&mut self) -> &mut Slot {
        &mut self.slots[self.active - 1]
    }

    /// Whether the frame that runs was called by another.
    #[inline(always)]
    pub(super) fn top_is_callee(&mut self) -> bool {
        self.active > 1 && self.top().created.is_none()
    }

    /// Ends the frame that runs; its output stays readable until the next [`FramePool::push`].
    #[inline]
    pub(super) fn pop(&mut self) {
        self.active -= 1;
    }

    /// The frame that ended last.
    #[inline]
    pub(super) fn last_ended(&self) -> Option<&Slot> {
        self.slots.get(self.active).map(|slot| &**slot)
    }

    /// The frame that runs, and the one above it that ended last.
    #[inline]
    pub(super) fn top_and_ended(&mut self) -> (&mut Slot, Option<&Slot>) {
        let (below, above) = self.slots.split_at_mut(self.active);
        (below.last_mut().expect("a frame runs"), above.first().map(|slot| &**slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_aligned_and_apart() {
        const ELEMENTS: [usize; 6] = [0, 1, 3, 1024, 7, 1024];
        let mut stacks = Stacks::new();
        let mut below = None;
        let mut ends: Vec<usize> = Vec::new();
        for depth in 0..1025 {
            let (stack, last) = stacks.above(below);
            assert!((stack as usize).is_multiple_of(align_of::<StackBuffer>()));
            let memory = stacks.regions.iter().find(|memory| last_of(memory) == last).expect("it lies in a region");
            let start = memory.as_ptr() as usize;
            assert!(stack as usize >= start && stack as usize + STACK_BYTES <= start + 8 * memory.capacity());
            if below.is_some_and(|(_, below)| below == last) {
                assert!(ends.last().is_some_and(|&end| stack as usize >= end), "a stack lies above its caller's");
            }
            let end = stack.wrapping_add(ELEMENTS[depth % ELEMENTS.len()]);
            ends.push(end as usize);
            below = Some((end, last));
        }
        assert!(stacks.regions.len() > 2 && stacks.regions.len() < 40, "{} regions", stacks.regions.len());
        assert_eq!(stacks.above(None).0, stacks.first_of(0).0);
    }
}
