//! Edges: from the state at the end of a block to the context of a version.

use super::context::{Anchor, Context, Entry, Place, Versions};
use super::values::{Regs, State, Value, ValueId, at, has_bits, is_signed_limb, mask, quad_mask};
use crate::evm::U256;
use crate::evm::block::Pc;
use crate::ir::{Ins, Quad, R, WSrc, Width};

/// What going over an edge costs, as a number to compare: a word stored or loaded counts 2 to 4, knowledge lost 1 to 8.
pub(super) type Loss = u32;

/// Losing that an element is a certain jump destination makes a jump dynamic.
const LOST_DESTINATION: Loss = 8;

/// What the state knows besides its elements.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// The lowest position that surely exists.
    pub floor: i32,
    /// Positions below this surely are within the stack's limit.
    pub ceil: i32,
    /// Bytes that memory surely has.
    pub memory: u32,
}

/// Moves between registers that happen at once.
#[derive(Debug, Default)]
struct Moves {
    from: [u8; 32],
    pending: u32,
}

impl Moves {
    fn add(&mut self, dst: R, src: R) {
        if dst != src {
            self.from[dst.0 as usize] = src.0;
            self.pending |= 1 << dst.0;
        }
    }

    fn sources(&self) -> u32 {
        let mut rest = self.pending;
        let mut sources = 0;
        while rest != 0 {
            sources |= 1 << self.from[rest.trailing_zeros() as usize];
            rest &= rest - 1;
        }
        sources
    }

    /// Emits them one by one; a cycle is broken through `tmp`.
    fn emit(mut self, out: &mut Vec<Ins>, tmp: R) {
        while self.pending != 0 {
            let ready = self.pending & !self.sources();
            if ready != 0 {
                let dst = ready.trailing_zeros() as u8;
                out.push(Ins::Mov { dst: R(dst), src: R(self.from[dst as usize]) });
                self.pending &= !(1 << dst);
            } else {
                let src = R(self.from[self.pending.trailing_zeros() as usize]);
                out.push(Ins::Mov { dst: tmp, src });
                for from in &mut self.from {
                    if *from == src.0 {
                        *from = tmp.0;
                    }
                }
            }
        }
    }
}

impl Facts {
    /// Whether they are enough for a version of this context, entered at `height`.
    pub fn suffice(&self, context: &Context, height: i32) -> bool {
        context.known <= height - self.floor && context.room <= self.ceil - height && context.memory <= self.memory
    }
}

impl State {
    /// Before an edge: no element is in the flags, or in memory anywhere but at home. Flags survive; only the first scratch register is used.
    pub fn settle(&mut self) {
        self.kill_flags();
        if !self.moved {
            return;
        }
        self.moved = false;
        let misplaced = |s: &State, i: usize| {
            let value = s.value(s.at(i));
            value.regs == Regs::None && value.konst.is_none() && value.slot != Some(s.position(i))
        };
        let mut left = false;
        let start = self.unchanged();
        for i in start..self.len() {
            if misplaced(self, i) {
                // A load is half of a copy.
                let v = self.at(i);
                let room = self.free & !self.pinned;
                if has_bits(room, if self.value(v).bits <= 64 || self.value(v).signed { 1 } else { 4 }) {
                    let pinned = self.pinned;
                    self.load_regs(v);
                    self.pinned = pinned;
                } else {
                    left = true;
                }
            }
        }
        if !left {
            return;
        }
        self.bring_home(|s, i| i >= start && misplaced(s, i));
        for i in start..self.len() {
            if misplaced(self, i) {
                self.split(i);
            }
        }
    }

    /// The context of the state as it is, settled. Elements that have not changed since the last one are taken from there.
    pub fn capture(&mut self, facts: Facts, versions: &mut Versions) -> Context {
        let start = self.unchanged();
        let first = versions.begin_like(&self.last, start);
        for i in start..self.len() {
            let value = *self.value(self.at(i));
            let at_home = value.slot == Some(self.position(i));
            let place = match (value.konst, value.regs) {
                (Some(k), _) => Place::Const(self.share(k, versions)),
                (None, Regs::Narrow(r)) => Place::Narrow(r),
                (None, Regs::Signed(r)) => Place::Signed(r),
                (None, Regs::Wide(q)) => Place::Wide(q),
                (None, Regs::None) if value.bits >= 256 && !value.signed => continue,
                (None, Regs::None) => Place::Home,
            };
            versions.add_entry(i, value.bits, value.signed, at_home, place);
        }
        let context = self.complete(facts, versions, first);
        debug_assert!(self.is_as_it_says(&context, versions));
        self.is_now(context);
        context
    }

    /// Whether every entry of a context says what is the case.
    fn is_as_it_says(&self, context: &Context, versions: &Versions) -> bool {
        let mut entries = versions.entries(context).peekable();
        let all = (0..self.len()).rev().all(|i| {
            let value = self.value(self.at(i));
            let home = value.slot == Some(self.position(i));
            match (entries.next_if(|e| usize::from(e.depth()) == self.len() - i), value.konst, value.regs) {
                (None, None, Regs::None) => value.bits >= 256 && !value.signed && home,
                (None, _, _) => false,
                (Some(e), konst, regs) => {
                    let place = match (e.place(), konst, regs) {
                        (Place::Const(k), Some(konst), _) => versions.constant(k) == self.const_of(konst),
                        (Place::Narrow(r), None, Regs::Narrow(own)) | (Place::Signed(r), None, Regs::Signed(own)) => r == own,
                        (Place::Wide(q), None, Regs::Wide(own)) => q == own,
                        (Place::Home, None, Regs::None) => true,
                        _ => false,
                    };
                    place && e.is_home() == home && e.bits() == value.bits && e.is_signed() == value.signed
                }
            }
        });
        all && entries.next().is_none()
    }

    /// The context for where other edges will come to with other numbers, as to a loop's header: constants become words in registers, of which
    /// `keep_free` stay free, or at home, unless one at a depth `stays`; bounds are rounded up; what came with a sign to the block at `to` gets room for one.
    pub fn capture_general(
        &self,
        to: Pc,
        facts: Facts,
        versions: &mut Versions,
        keep_free: u32,
        stays: impl Fn(&Versions, u16, &U256) -> bool,
    ) -> Context {
        let first = versions.begin_context();
        let (len, mut free) = (self.len(), self.free);
        let (known, mut came) = (if self.has_signs { versions.signed_elements(to) } else { 0 }, 0);
        for i in (0..len).rev() {
            let value = self.value(self.at(i));
            let depth = (len - i) as u16;
            let mut signed = value.signed;
            let bit = 1u64.checked_shl(u32::from(depth) - 1).unwrap_or_default();
            came |= if signed { bit } else { 0 };
            let gets_sign = known & bit != 0 && !signed && self.fits_signed(self.at(i));
            let mut bits = match value.bits {
                0..=8 => 8,
                9..=32 => 32,
                33..=64 => 64,
                65..=160 => 160,
                _ => 256,
            };
            let place = match (value.konst.map(|k| self.const_of(k)), value.regs) {
                (Some(k), _) if stays(versions, depth, k) => {
                    bits = k.bit_len() as u16;
                    Place::Const(versions.add_constant(*k))
                }
                (Some(k), _) => {
                    bits = if k.bit_len() <= 64 && !gets_sign { 64 } else { 256 };
                    signed = bits == 256 && self.has_signs && is_signed_limb(k);
                    match free.count_ones().saturating_sub(keep_free) {
                        1.. if bits == 64 => Place::Narrow(take_lowest(&mut free)),
                        1.. if signed => Place::Signed(take_lowest(&mut free)),
                        4.. => Place::Wide(Quad(core::array::from_fn(|_| take_lowest(&mut free)))),
                        _ => Place::Home,
                    }
                }
                // Of a value that is several elements, all would have to.
                (None, Regs::Narrow(r)) if gets_sign && value.refs == 1 => {
                    (bits, signed) = (256, true);
                    Place::Signed(r)
                }
                (None, Regs::Narrow(r)) => Place::Narrow(r),
                (None, Regs::Signed(r)) => Place::Signed(r),
                (None, Regs::Wide(q)) => Place::Wide(q),
                (None, Regs::None) => Place::Home,
            };
            if place == Place::Home && bits >= 256 && !signed {
                continue;
            }
            let home = place == Place::Home || value.slot == Some(self.position(i));
            versions.add_entry(i, bits, signed, home, place);
        }
        if came & !known != 0 {
            versions.note_signed(to, came);
        }
        versions.reverse_entries(first);
        self.complete(facts, versions, first)
    }

    fn complete(&self, facts: Facts, versions: &Versions, first: u32) -> Context {
        let height = self.height();
        Context {
            lead: height - self.base,
            known: height - facts.floor,
            room: facts.ceil - height,
            memory: facts.memory,
            names: self.len() as u16,
            entries: versions.entries_since(first),
        }
    }

    /// What it costs to go on with a version of this context, all of whose elements have names here; `None` where it does not hold, or costs
    /// `limit` or more.
    pub fn fit(
        &self,
        facts: Facts,
        context: &Context,
        versions: &Versions,
        limit: Loss,
        is_destination: impl Fn(&U256) -> bool,
    ) -> Option<Loss> {
        let mut loss = Loss::from(context.known == 0 && self.height() > facts.floor);
        let mut entries = versions.entries(context).peekable();
        let (len, mut used) = (self.len(), 0);
        let mut above = len;
        // What has not changed is looked at last: most contexts that do not hold differ above it.
        for is_rest in [false, true] {
            let below = if is_rest { self.same_as(context, versions) } else { self.comparable(context) };
            for i in (below..above).rev() {
                if loss >= limit {
                    return None;
                }
                loss += match entries.next_if(|entry| usize::from(entry.depth()) == len - i) {
                    None => self.loss_at_home(i, &is_destination),
                    Some(entry) => {
                        if let Some(bits) = entry.registers() {
                            self.alias(self.at(i), bits, &mut used, &entry, versions, context)?;
                        }
                        self.loss_as(i, &entry, versions, &is_destination)?
                    }
                };
            }
            above = below;
        }
        for entry in entries {
            // Elements that nobody has, or that are as the context says: only whether they are one value is open.
            let i = len.checked_sub(entry.depth().into())?;
            if let Some(bits) = entry.registers() {
                self.alias(self.at(i), bits, &mut used, &entry, versions, context)?;
            }
        }
        (loss < limit).then_some(loss)
    }

    /// What it costs to lose all that is known of an element but its home.
    #[inline]
    fn loss_at_home(&self, i: usize, is_destination: impl Fn(&U256) -> bool) -> Loss {
        let value = self.value(self.at(i));
        let away = Loss::from(value.slot != Some(self.position(i)));
        match (value.konst, value.regs) {
            (Some(k), _) if is_destination(self.const_of(k)) => LOST_DESTINATION,
            (Some(_), _) => 2,
            (None, Regs::Narrow(_) | Regs::Signed(_)) => 3 + away,
            (None, Regs::Wide(_)) => 1 + 3 * away,
            (None, Regs::None) => Loss::from(value.bits <= 64 || value.signed),
        }
    }

    /// What it costs to have an element as an entry says; `None` if that is not the case.
    #[inline]
    fn loss_as(&self, i: usize, entry: &Entry, versions: &Versions, is_destination: impl Fn(&U256) -> bool) -> Option<Loss> {
        let value = self.value(self.at(i));
        if value.bits > entry.bits() || entry.is_signed() && !self.fits_signed(self.at(i)) {
            return None;
        }
        let away = Loss::from(value.slot != Some(self.position(i)));
        let konst = value.konst.map(|k| self.const_of(k));
        let lost = |k: &U256, loss: Loss| if is_destination(k) { LOST_DESTINATION } else { loss };
        let loss = match (entry.place(), konst, value.regs) {
            (Place::Const(k), Some(konst), _) if konst == versions.constant(k) => 0,
            (Place::Const(_), _, _) => return None,
            (Place::Home | Place::Wide(_), Some(k), _) => lost(k, 2),
            (Place::Narrow(_) | Place::Signed(_), Some(k), _) => lost(k, 1),
            (Place::Home, None, Regs::None) => 0,
            (Place::Home, None, _) => 1 + 2 * away,
            (Place::Narrow(_) | Place::Signed(_), None, regs) => Loss::from(regs == Regs::None),
            // To make four limbs of one takes flags.
            (Place::Wide(_), None, Regs::Signed(_)) => return None,
            (Place::Wide(q), None, Regs::Wide(from)) => 2 * Loss::from(from != q),
            (Place::Wide(_), None, Regs::Narrow(_)) => 4,
            (Place::Wide(_), None, Regs::None) => 2,
        };
        Some(loss + if entry.is_home() { 2 * away } else { 0 })
    }

    /// The lowest elements that can be compared with a context by what the last one says: so many.
    fn comparable(&self, context: &Context) -> usize {
        if usize::from(context.names) == self.len() { self.unchanged() } else { 0 }
    }

    /// Of so many of the lowest elements a context says what is the case, as far as it is seen at once: it says the same as the last one.
    fn same_as(&self, context: &Context, versions: &Versions) -> usize {
        match self.comparable(context) {
            0 => 0,
            comparable => versions.common(&self.last, context).min(comparable),
        }
    }

    /// Whether an element is the constant that a context says it is, as far as an anchor tells.
    pub fn has_anchor(&self, anchor: Anchor) -> bool {
        let is_it = |i: usize| self.known(self.at(i)).is_some_and(|k| k.as_limbs()[0] as u32 == anchor.low);
        anchor.depth == 0 || self.len().checked_sub(anchor.depth.into()).is_some_and(is_it)
    }

    /// Two elements of a context in the same registers must be one value here.
    fn alias(&self, v: ValueId, bits: u32, used: &mut u32, entry: &Entry, versions: &Versions, context: &Context) -> Option<()> {
        if *used & bits == 0 {
            *used |= bits;
            return Some(());
        }
        let same = versions.entries(context).find(|e| e.place() == entry.place())?;
        let other = self.at(self.len() - usize::from(same.depth()));
        (other == v || self.konst(v).is_some() && self.konst(v) == self.konst(other)).then_some(())
    }

    /// Appends the code that makes `context`, which fits, hold. The state does not change. Uses the first scratch register; flags survive.
    pub fn edge(&self, context: &Context, versions: &Versions, out: &mut Vec<Ins>) {
        if self.holds(context) {
            return;
        }
        let (len, same) = (self.len(), self.same_as(context, versions));
        let entries = versions.entries(context).take_while(|entry| entry.index() >= same);
        let (mut moves, mut fills) = (Moves::default(), false);
        let mut rest = entries.clone().peekable();
        for i in (same..len).rev() {
            let entry = rest.next_if(|e| usize::from(e.depth()) == len - i);
            let value = self.value(self.at(i));
            let stays = entry.is_some_and(|e| !e.is_home() && e.place() != Place::Home);
            if !stays && value.slot != Some(self.position(i)) {
                self.store_home(value, i, out);
            }
            match (entry.map(|e| e.place()), value.regs) {
                (Some(Place::Narrow(r) | Place::Signed(r)), Regs::Narrow(from) | Regs::Signed(from)) => moves.add(r, from),
                (Some(Place::Narrow(r) | Place::Signed(r)), Regs::Wide(from)) => moves.add(r, from.0[0]),
                (Some(Place::Wide(q)), Regs::Wide(from)) => (0..4).for_each(|l| moves.add(q.0[l], from.0[l])),
                (Some(Place::Wide(q)), Regs::Narrow(from)) => {
                    moves.add(q.0[0], from);
                    fills = true;
                }
                (Some(Place::Wide(_)), Regs::Signed(_)) => unreachable!("it does not fit"),
                (Some(Place::Narrow(_) | Place::Signed(_) | Place::Wide(_)), Regs::None) => fills = true,
                (Some(Place::Home | Place::Const(_)) | None, _) => {}
            }
        }
        moves.emit(out, self.target.scratch[0]);
        if fills {
            entries.for_each(|entry| self.load_entry(&entry, out));
        }
        let base = self.height() - context.lead;
        if base != self.base {
            let sp = self.target.sp;
            out.push(Ins::Lea { dst: sp, mem: at(sp, 32 * (base - self.base)) });
        }
    }

    /// Stores a value that is a constant or in registers to its home.
    fn store_home(&self, value: &Value, i: usize, out: &mut Vec<Ins>) {
        let (base, disp) = self.slot_at(self.position(i));
        match (value.konst, value.regs) {
            (Some(k), _) => store_const(self.const_of(k), base, disp, self.target.scratch[0], out),
            (None, Regs::Narrow(r)) => out.push(Ins::WStore { src: WSrc::N(r), base, disp }),
            (None, Regs::Signed(r)) => store_signed(r, base, disp, self.target.scratch[0], out),
            (None, Regs::Wide(q)) => out.push(Ins::WStore { src: WSrc::Q(q), base, disp }),
            (None, Regs::None) => debug_assert!(false, "a settled element in memory is at home"),
        }
    }

    /// Fills an entry's registers with what comes from no register.
    fn load_entry(&self, entry: &Entry, out: &mut Vec<Ins>) {
        let len = self.len() as i32;
        let i = len - i32::from(entry.depth());
        let value = (i >= 0).then(|| self.value(self.at(i as usize)));
        let konst = value.and_then(|v| v.konst).map(|k| *self.const_of(k).as_limbs());
        let regs = value.map_or(Regs::None, |v| v.regs);
        let (base, disp) = self.slot_at(self.height() - i32::from(entry.depth()));
        match (entry.place(), konst, regs) {
            (Place::Narrow(dst) | Place::Signed(dst), Some(limbs), Regs::None) => out.push(Ins::Imm { dst, value: limbs[0] }),
            (Place::Narrow(dst) | Place::Signed(dst), None, Regs::None) => {
                out.push(Ins::Load { width: Width::B64, signed: false, dst, mem: at(base, disp) });
            }
            (Place::Wide(q), Some(limbs), Regs::None) => {
                out.extend(q.0.into_iter().zip(limbs).map(|(dst, value)| Ins::Imm { dst, value }));
            }
            (Place::Wide(dst), None, Regs::None) => out.push(Ins::WLoad { dst, base, disp }),
            (Place::Wide(q), _, Regs::Narrow(_)) => out.extend(q.0[1..].iter().map(|&dst| Ins::Imm { dst, value: 0 })),
            (Place::Narrow(_) | Place::Signed(_) | Place::Wide(_) | Place::Home | Place::Const(_), _, _) => {}
        }
    }
}

impl Entry {
    /// The registers that it is in, as a mask, if it is in any.
    fn registers(&self) -> Option<u32> {
        match self.place() {
            Place::Narrow(r) | Place::Signed(r) => Some(mask(r)),
            Place::Wide(q) => Some(quad_mask(q)),
            Place::Home | Place::Const(_) => None,
        }
    }
}

/// Takes one of the registers in a mask that is not empty.
fn take_lowest(mask: &mut u32) -> R {
    let r = R(mask.trailing_zeros() as u8);
    *mask &= *mask - 1;
    r
}

/// Stores the word whose low limb is in `src`, the others being its sign, through `tmp`. Flags survive: the sign is what loads extend, twice.
pub(super) fn store_signed(src: R, base: R, disp: i32, tmp: R, out: &mut Vec<Ins>) {
    let at = |offset: i32| at(base, disp + offset);
    out.push(Ins::Store { width: Width::B64, src, mem: at(0) });
    out.push(Ins::Load { width: Width::B32, signed: true, dst: tmp, mem: at(4) });
    out.push(Ins::Store { width: Width::B64, src: tmp, mem: at(8) });
    out.push(Ins::Load { width: Width::B32, signed: true, dst: tmp, mem: at(12) });
    out.extend([8, 16, 24].map(|offset| Ins::Store { width: Width::B64, src: tmp, mem: at(offset) }));
}

/// Stores a constant to memory, through `tmp` where it must.
pub(super) fn store_const(k: &U256, base: R, disp: i32, tmp: R, out: &mut Vec<Ins>) {
    use super::values::{imm32, word_imm32};
    if let Some(i) = word_imm32(k) {
        out.push(Ins::WStore { src: WSrc::I(i), base, disp });
        return;
    }
    if k.bit_len() <= 64 {
        out.push(Ins::Imm { dst: tmp, value: k.as_limbs()[0] });
        out.push(Ins::WStore { src: WSrc::N(tmp), base, disp });
        return;
    }
    for (i, &limb) in k.as_limbs().iter().enumerate() {
        let mem = at(base, disp + 8 * i as i32);
        match imm32(limb) {
            Some(value) => out.push(Ins::StoreImm { width: Width::B64, value, mem }),
            None => {
                out.push(Ins::Imm { dst: tmp, value: limb });
                out.push(Ins::Store { width: Width::B64, src: tmp, mem });
            }
        }
    }
}
