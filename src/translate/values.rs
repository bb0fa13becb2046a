//! The virtual stack: which value is where. PUSH, DUP, SWAP and POP only move names here and emit nothing.
//!
//! A value may be known as a constant, be in registers (one if narrow, four if wide), be in a stack slot in memory, or be the machine flags
//! just computed; several of these at once. *Slots* are 32-byte words at the EVM stack pointer of the block's entry plus an index; slot `p`
//! is the home of stack position `p`. Invariants: a live value is somewhere; `slot_owner[s] == v` iff `v.slot == s`;
//! `reg_owner[r] == v` iff `r` is among `v`'s registers.

use super::chaos::Dice;
use super::context::{Context, Entry, Place, Versions};
use super::target::Target;
use crate::abi::SPILL_SLOTS;
use crate::evm::U256;
use crate::ir::{Cond, Ins, Mem, Quad, R};
use core::num::NonZeroU16;

/// Index of a value; never 0, so that there is room for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueId(NonZeroU16);

impl ValueId {
    fn new(index: usize) -> ValueId {
        ValueId(NonZeroU16::new(index as u16).expect("a unit has fewer than 2^16 values"))
    }

    fn index(self) -> usize {
        usize::from(self.0.get())
    }
}

/// Registers that hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Regs {
    None,
    /// The low limb; the others are zero.
    Narrow(R),
    /// The low limb; the others are its sign.
    Signed(R),
    Wide(Quad),
}

/// Index of a constant, plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConstId(NonZeroU16);

/// A constant of the unit.
#[derive(Clone, Copy, Debug)]
struct Const {
    value: U256,
    /// Its number among the contract's constants, or [`UNSHARED`].
    shared: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    /// Stack positions and running operations that refer to it.
    pub refs: u16,
    /// Upper bound of its width in bits.
    pub bits: u16,
    /// It is the sign extension of its low limb, and may be negative: `bits` is 256.
    pub signed: bool,
    /// When it was last used, for choosing what to spill.
    pub(super) stamp: u32,
    pub regs: Regs,
    pub slot: Option<i32>,
    /// It is this condition of the current machine flags (and nowhere else).
    pub flags: Option<Cond>,
    pub konst: Option<ConstId>,
    /// No element below this index is this value.
    low: u16,
}

impl Value {
    /// A value of at most so many bits that is nowhere yet.
    const fn of_width(bits: u16) -> Value {
        Value { refs: 0, bits, signed: false, stamp: 0, regs: Regs::None, slot: None, flags: None, konst: None, low: u16::MAX }
    }
}

/// The translator ran out of something that a shorter block does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// No contract has so many constants.
const UNSHARED: u32 = u32::MAX;

/// State of the virtual stack and register file within a block, and the code emitted so far.
#[derive(Debug)]
pub(super) struct State {
    pub target: &'static Target,
    /// The target's registers for words.
    words: u32,
    pub out: Vec<Ins>,
    /// The first is none.
    values: Vec<Value>,
    consts: Vec<Const>,
    pub(super) stack: Vec<ValueId>,
    pub(super) need: i32,
    pub(super) grow: i32,
    /// The stack pointer register is entry + 32 * base.
    pub base: i32,
    pub(super) slot_owner: Vec<Option<ValueId>>,
    pub(super) reg_owner: [Option<ValueId>; 32],
    pub(super) free: u32,
    pub(super) pinned: u32,
    pub(super) flags: Option<ValueId>,
    /// An element may be in memory somewhere else than at home.
    pub(super) moved: bool,
    /// The contract has operations on words with signs: none is [`Value::signed`] before.
    pub(super) has_signs: bool,
    pub(super) clock: u32,
    /// Set when spill slots ran out; the block must be translated again, shorter.
    pub overflow: Option<TooLong>,
    pub(super) todo: Vec<i32>,
    /// What was last captured, or begun with.
    pub(super) last: Context,
    /// Elements below this index have not changed since.
    clean: usize,
    pub(super) dice: Dice,
}

/// A register's number: there are 32 at most.
pub(super) fn number(r: R) -> usize {
    usize::from(r.0 % 32)
}

pub(super) fn mask(r: R) -> u32 {
    1 << number(r)
}

pub(super) fn masks(registers: &[R]) -> u32 {
    registers.iter().fold(0, |m, &r| m | mask(r))
}

pub(super) fn quad_mask(q: Quad) -> u32 {
    let [a, b, c, d] = q.each(mask);
    a | b | c | d
}

/// Whether a mask has at least so many bits, one or more. For a few bits this is shorter than to count all, which not every machine has an
/// instruction for.
#[inline]
pub(super) fn has_bits(mut mask: u32, least: u32) -> bool {
    for _ in 1..least {
        mask &= mask.wrapping_sub(1);
    }
    mask != 0
}

/// A constant that fits 64 bits.
#[inline]
pub(super) fn one_limb(value: &U256) -> Option<u64> {
    let [low, upper @ ..] = value.as_limbs();
    (upper[0] | upper[1] | upper[2] == 0).then_some(*low)
}

/// Whether a word is the sign extension of its low limb.
pub(super) fn is_signed_limb(value: &U256) -> bool {
    let [low, upper @ ..] = *value.as_limbs();
    let sign = (low as i64 >> 63) as u64;
    upper == [sign; 3]
}

/// A constant as a sign-extended 32-bit immediate of a 64-bit operation.
pub(super) fn imm32(limb: u64) -> Option<i32> {
    i32::try_from(limb as i64).ok()
}

/// A constant as a sign-extended 32-bit immediate of a 256-bit operation.
pub(super) fn word_imm32(value: &U256) -> Option<i32> {
    let l = value.as_limbs();
    let low = imm32(l[0])?;
    let ext = if low < 0 { u64::MAX } else { 0 };
    (l[1] == ext && l[2] == ext && l[3] == ext).then_some(low)
}

/// `[base + disp]`.
#[inline]
pub(super) fn at(base: R, disp: i32) -> Mem {
    Mem { base, index: None, shift: 0, disp }
}

impl State {
    pub fn new(target: &'static Target) -> State {
        State {
            target,
            words: masks(target.words),
            out: Vec::new(),
            values: Vec::new(),
            consts: Vec::new(),
            stack: Vec::new(),
            need: 0,
            grow: 0,
            base: 0,
            slot_owner: Vec::new(),
            reg_owner: [None; 32],
            free: 0,
            pinned: 0,
            flags: None,
            moved: false,
            has_signs: false,
            clock: 0,
            overflow: None,
            todo: Vec::new(),
            last: Context::default(),
            clean: 0,
            dice: Dice::default(),
        }
    }

    /// Begins a unit where `context` holds.
    pub fn begin(&mut self, context: &Context, versions: &Versions) {
        let names = usize::from(context.names);
        self.consts.clear();
        self.need = names as i32;
        self.grow = 0;
        self.base = -context.lead;
        self.reg_owner = [None; 32];
        self.free = self.words;
        self.pinned = 0;
        self.flags = None;
        self.moved = false;
        self.values.clear();
        self.values.push(Value::of_width(0));
        self.stack.clear();
        self.slot_owner.clear();
        for entry in versions.entries(context).rev() {
            self.begin_homes(entry.index());
            self.begin_element(entry.index(), entry, versions);
        }
        self.begin_homes(names);
        self.slot_owner.resize(names + SPILL_SLOTS, None);
        self.is_now(*context);
    }

    /// Elements up to the one at `end` of which nothing is known: they are at home.
    #[inline]
    fn begin_homes(&mut self, end: usize) {
        while self.stack.len() < end {
            let i = self.stack.len();
            self.begin_value(i, Value { slot: Some(i as i32 - self.need), ..Value::of_width(256) });
        }
    }

    /// The next element, at `i`, is as an entry says.
    #[inline]
    fn begin_element(&mut self, i: usize, entry: Entry, versions: &Versions) {
        let v = ValueId::new(i + 1);
        let slot = entry.is_home().then_some(i as i32 - self.need);
        let (mut konst, mut regs) = (None, Regs::None);
        match entry.place() {
            Place::Home => {}
            Place::Const(k) => {
                debug_assert_eq!(usize::from(entry.bits()), versions.constant(k).bit_len(), "constants know their width");
                self.consts.push(Const { value: *versions.constant(k), shared: k });
                konst = NonZeroU16::new(self.consts.len() as u16).map(ConstId);
            }
            Place::Narrow(r) => {
                if let Some(same) = self.reg_owner[number(r)] {
                    return self.begin_alias(same, slot);
                }
                self.own(r, v);
                regs = Regs::Narrow(r);
            }
            Place::Signed(r) => {
                if let Some(same) = self.reg_owner[number(r)] {
                    return self.begin_alias(same, slot);
                }
                self.own(r, v);
                regs = Regs::Signed(r);
            }
            Place::Wide(q) => {
                if let Some(same) = self.reg_owner[number(q.0[0])] {
                    return self.begin_alias(same, slot);
                }
                self.own_quad(q, v);
                regs = Regs::Wide(q);
            }
        }
        self.begin_value(i, Value { slot, konst, regs, signed: entry.is_signed(), ..Value::of_width(entry.bits()) });
    }

    /// The next element, at `i`, is a value of its own.
    #[inline]
    fn begin_value(&mut self, i: usize, value: Value) {
        let v = ValueId::new(i + 1);
        self.slot_owner.push(value.slot.map(|_| v));
        self.values.push(Value { refs: 1, low: i as u16, ..value });
        self.stack.push(v);
    }

    /// The next element is a value that one below is too. Of two homes it counts as being in the upper one.
    #[inline(never)]
    fn begin_alias(&mut self, v: ValueId, slot: Option<i32>) {
        if slot.is_some() {
            self.drop_slot(v);
            self.value_mut(v).slot = slot;
        }
        self.value_mut(v).refs += 1;
        self.slot_owner.push(slot.map(|_| v));
        self.values.push(Value::of_width(0));
        self.stack.push(v);
    }

    /// The state is as `context` says.
    pub fn is_now(&mut self, context: Context) {
        self.last = context;
        self.clean = self.stack.len();
    }

    /// Elements that have not changed since the last context: as many, the lowest.
    pub fn unchanged(&self) -> usize {
        self.clean.min(self.stack.len())
    }

    /// Whether nothing needs to be moved for a context to hold: it is the last one.
    pub fn holds(&self, context: &Context) -> bool {
        self.clean >= self.stack.len() && self.last == *context && self.height() - self.base == context.lead
    }

    /// Goes on with code that needs `need` elements of the present stack and grows it by `grow`: elements get names.
    #[inline]
    pub fn extend(&mut self, need: u32, grow: u32) {
        if need as usize > self.stack.len() || self.height() + grow as i32 > self.grow {
            self.extend_by(need, grow);
        }
    }

    fn extend_by(&mut self, need: u32, grow: u32) {
        let more = need.saturating_sub(self.stack.len() as u32) as usize;
        if more > 0 {
            let old = self.need;
            self.need += more as i32;
            self.clean = 0;
            self.stack.splice(0..0, std::iter::repeat_n(ValueId::new(1), more));
            self.slot_owner.splice(0..0, std::iter::repeat_n(None, more));
            for position in -self.need..-old {
                let v = self.new_value(256);
                let i = (position + self.need) as usize;
                let value = self.value_mut(v);
                (value.slot, value.refs, value.low) = (Some(position), 1, i as u16);
                self.slot_owner[i] = Some(v);
                self.stack[i] = v;
            }
        }
        let grow = self.height() + grow as i32;
        if grow > self.grow {
            self.slot_owner.resize((self.need + grow) as usize + SPILL_SLOTS, None);
            self.grow = grow;
        }
    }

    // ---- stack elements by index, 0 being the lowest that has a name ----

    /// How many elements have names.
    pub fn len(&self) -> usize {
        self.stack.len()
    }

    /// The value of an element.
    #[inline]
    pub fn at(&self, i: usize) -> ValueId {
        self.stack[i]
    }

    /// The slot that is an element's home.
    pub fn position(&self, i: usize) -> i32 {
        i as i32 - self.need
    }

    /// An element whose value was copied to its home, but counts as being elsewhere, becomes a value of its own.
    pub fn split(&mut self, i: usize) {
        let v = self.stack[i];
        let slot = self.position(i);
        let Value { bits, signed, .. } = *self.value(v);
        let own = self.new_value(bits);
        let value = self.value_mut(own);
        (value.slot, value.refs, value.low, value.signed) = (Some(slot), 1, i as u16, signed);
        self.clean = self.clean.min(i);
        self.slot_owner[i] = Some(own);
        self.stack[i] = own;
        self.release(v);
    }

    /// What was seen to fit 64 bits becomes narrow, in a register if it was in some or more than `keep_free` are free.
    pub fn narrow_to_limb(&mut self, v: ValueId, keep_free: u32) {
        let regs = self.value(v).regs;
        self.change(v).bits = 64;
        match regs {
            Regs::Wide(q) => {
                self.drop_regs(v);
                self.set_regs(v, Regs::Narrow(q.0[0]));
            }
            Regs::None if has_bits(self.free, keep_free + 1) => {
                self.load_regs(v);
                self.unpin();
            }
            Regs::None | Regs::Narrow(_) | Regs::Signed(_) => {}
        }
    }

    /// What was seen to be the sign extension of its low limb is kept as such.
    pub fn sign_to_limb(&mut self, v: ValueId) {
        let regs = self.value(v).regs;
        self.change(v).signed = true;
        if let Regs::Wide(q) = regs {
            self.drop_regs(v);
            self.set_regs(v, Regs::Signed(q.0[0]));
        }
    }

    /// The element at `i` will be dropped before anything looks at it: it no longer refers to its value.
    pub fn retire(&mut self, i: usize) {
        let old = self.stack[i];
        let zero = self.new_value(0);
        let k = self.new_const(U256::ZERO);
        let value = self.value_mut(zero);
        (value.konst, value.refs, value.low) = (Some(k), 1, i as u16);
        self.clean = self.clean.min(i);
        self.stack[i] = zero;
        self.release(old);
    }

    #[inline]
    pub fn value(&self, v: ValueId) -> &Value {
        &self.values[v.index()]
    }

    pub(super) fn value_mut(&mut self, v: ValueId) -> &mut Value {
        &mut self.values[v.index()]
    }

    /// A value, to change where it is or what is known of it.
    #[inline]
    pub(super) fn change(&mut self, v: ValueId) -> &mut Value {
        let value = &mut self.values[v.index()];
        self.clean = self.clean.min(value.low.into());
        value
    }

    /// The value that will be made next.
    pub fn next_value(&self) -> ValueId {
        ValueId::new(self.values.len())
    }

    pub(super) fn new_value(&mut self, bits: u16) -> ValueId {
        let id = ValueId::new(self.values.len());
        self.clock += 1;
        self.values.push(Value { stamp: self.clock, ..Value::of_width(bits) });
        id
    }

    #[inline]
    pub(super) fn new_const(&mut self, value: U256) -> ConstId {
        self.consts.push(Const { value, shared: UNSHARED });
        ConstId(NonZeroU16::new(self.consts.len() as u16).expect("a unit has fewer than 2^16 constants"))
    }

    fn const_mut(&mut self, id: ConstId) -> &mut Const {
        &mut self.consts[usize::from(id.0.get()) - 1]
    }

    /// The number of a constant among the contract's.
    pub fn share(&mut self, id: ConstId, versions: &mut Versions) -> u32 {
        let konst = self.const_mut(id);
        if konst.shared == UNSHARED {
            konst.shared = versions.add_constant(konst.value);
        }
        konst.shared
    }

    pub fn const_of(&self, id: ConstId) -> &U256 {
        &self.consts[usize::from(id.0.get()) - 1].value
    }

    /// The value, if it is known.
    #[inline]
    pub fn known(&self, v: ValueId) -> Option<&U256> {
        self.value(v).konst.map(|id| self.const_of(id))
    }

    /// Whether a value is the sign extension of its low limb.
    pub fn fits_signed(&self, v: ValueId) -> bool {
        let value = self.value(v);
        value.signed || value.bits < 64 || self.known(v).is_some_and(is_signed_limb)
    }

    /// As [`State::known`], by value.
    #[inline]
    pub fn konst(&self, v: ValueId) -> Option<U256> {
        self.known(v).copied()
    }

    // ---- the stack ----

    /// Height relative to the block's entry.
    #[inline]
    pub fn height(&self) -> i32 {
        self.stack.len() as i32 - self.need
    }

    /// Takes the top element; the caller owns one reference and gives it back with [`State::release`].
    #[inline]
    pub fn pop(&mut self) -> ValueId {
        self.stack.pop().expect("the block's stack need covers every pop")
    }

    pub fn push(&mut self, v: ValueId) {
        let index = self.stack.len();
        self.clean = self.clean.min(index);
        let value = self.value_mut(v);
        value.refs += 1;
        value.low = value.low.min(index as u16);
        let in_memory = value.regs == Regs::None && value.konst.is_none();
        self.moved |= in_memory;
        self.stack.push(v);
    }

    pub fn dup(&mut self, n: usize) {
        let v = self.stack[self.stack.len() - n];
        self.push(v);
    }

    pub fn swap(&mut self, n: usize) {
        let top = self.stack.len() - 1;
        let low = top - n;
        let in_memory = |v: ValueId| self.value(v).regs == Regs::None && self.value(v).konst.is_none();
        self.moved |= in_memory(self.stack[top]) || in_memory(self.stack[low]);
        self.clean = self.clean.min(low);
        self.stack.swap(top, low);
        let value = self.value_mut(self.stack[low]);
        value.low = value.low.min(low as u16);
    }

    /// Gives back a reference; a value without any gives back its registers and slot.
    pub fn release(&mut self, v: ValueId) {
        let value = self.value_mut(v);
        value.refs -= 1;
        if value.refs == 0 {
            self.drop_regs(v);
            self.drop_slot(v);
            if self.flags == Some(v) {
                self.flags = None;
            }
        }
    }

    /// Ends an operation: its registers may be chosen for spilling again.
    pub fn unpin(&mut self) {
        self.pinned = 0;
    }

    // ---- making values ----

    /// Pushes a new value; the caller has put it where it says it is.
    #[inline]
    fn push_new(&mut self, value: Value) -> ValueId {
        let (v, index) = (ValueId::new(self.values.len()), self.stack.len());
        self.clock += 1;
        self.clean = self.clean.min(index);
        self.values.push(Value { refs: 1, stamp: self.clock, low: index as u16, ..value });
        self.stack.push(v);
        v
    }

    pub fn push_const(&mut self, value: U256) {
        let konst = Some(self.new_const(value));
        self.push_new(Value { konst, ..Value::of_width(value.bit_len() as u16) });
    }

    /// As [`State::push_const`], for one limb.
    #[inline]
    pub fn push_limb(&mut self, limb: u64) {
        let konst = Some(self.new_const(U256::from_limbs([limb, 0, 0, 0])));
        self.push_new(Value { konst, ..Value::of_width((u64::BITS - limb.leading_zeros()) as u16) });
    }

    /// Pushes a value in a register got from [`State::alloc`]. As for all that is not a constant, no bound is below one bit: what surely
    /// is zero would have an immediate limb, which only constants have.
    pub fn push_narrow(&mut self, r: R, bits: u16) {
        let v = self.push_new(Value { regs: Regs::Narrow(r), ..Value::of_width(bits.clamp(1, 64)) });
        self.own(r, v);
    }

    /// Pushes a value whose low limb is in a register got from [`State::alloc`], the others being its sign.
    pub fn push_signed(&mut self, r: R) {
        let v = self.push_new(Value { regs: Regs::Signed(r), signed: true, ..Value::of_width(256) });
        self.own(r, v);
    }

    pub fn push_wide(&mut self, q: Quad, bits: u16) {
        let v = self.push_new(Value { regs: Regs::Wide(q), ..Value::of_width(bits.max(1)) });
        self.own_quad(q, v);
    }

    pub fn push_flags(&mut self, cond: Cond) {
        self.moved = true;
        self.flags = Some(self.push_new(Value { flags: Some(cond), ..Value::of_width(1) }));
    }

    /// Pushes a value that an operation left in `slot` (reserved by [`State::reserve_slot`]).
    pub fn push_slot(&mut self, slot: i32, bits: u16) {
        self.moved = true;
        let v = self.push_new(Value { slot: Some(slot), ..Value::of_width(bits.max(1)) });
        self.slot_owner[(slot + self.need) as usize] = Some(v);
    }

    pub(super) fn set_regs(&mut self, v: ValueId, regs: Regs) {
        match regs {
            Regs::None => {}
            Regs::Narrow(r) | Regs::Signed(r) => self.own(r, v),
            Regs::Wide(q) => self.own_quad(q, v),
        }
        self.change(v).regs = regs;
    }

    pub(super) fn own(&mut self, r: R, v: ValueId) {
        self.reg_owner[number(r)] = Some(v);
        self.free &= !mask(r);
    }

    fn own_quad(&mut self, q: Quad, v: ValueId) {
        for r in q.0 {
            self.reg_owner[number(r)] = Some(v);
        }
        self.free &= !quad_mask(q);
    }

    pub(super) fn drop_regs(&mut self, v: ValueId) {
        match self.value(v).regs {
            Regs::None => return,
            Regs::Narrow(r) | Regs::Signed(r) => {
                self.reg_owner[number(r)] = None;
                self.free |= mask(r);
            }
            Regs::Wide(q) => {
                self.disown_quad(q);
                self.free |= quad_mask(q);
            }
        }
        self.change(v).regs = Regs::None;
    }

    pub(super) fn disown_quad(&mut self, q: Quad) {
        for r in q.0 {
            self.reg_owner[number(r)] = None;
        }
    }

    pub(super) fn drop_slot(&mut self, v: ValueId) {
        if let Some(s) = self.value(v).slot {
            self.change(v).slot = None;
            self.slot_owner[(s + self.need) as usize] = None;
        }
    }

    #[inline]
    pub fn emit(&mut self, ins: Ins) {
        self.out.push(ins);
    }
}
