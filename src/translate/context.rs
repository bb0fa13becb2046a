//! What is known where control enters a block, and the versions of blocks compiled for it (lazy basic-block versioning: Chevalier-Boisvert
//! and Feeley, ECOOP 2015).
//!
//! A *context* says where the top stack elements are, how wide they can be, how many elements there surely are, and how much memory. A
//! *version* is a block with a context; its code may be entered only where the context holds. The *generic* version of a block assumes
//! nothing: every element is at home in the EVM stack. Elements that a context does not mention are at home and up to 256 bits wide.

use super::sparse::Sparse;
use crate::evm::U256;
use crate::evm::ahead::Looks;
use crate::evm::block::Pc;
use crate::evm::code::Code;
use crate::evm::loops::Loops;
use crate::evm::opcode;
use crate::ir::{Quad, R};

/// Where an element is, besides its home if [`Entry::is_home`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At home: its slot of the EVM stack.
    Home,
    /// Nowhere: it is this constant of [`Versions::constant`].
    Const(u32),
    /// The low limb in a register, the others zero.
    Narrow(R),
    /// The low limb in a register, the others its sign.
    Signed(R),
    /// Four registers.
    Wide(Quad),
}

/// Blocks of one contract of which is remembered what came there with a sign.
const SIGNED_BLOCKS: usize = 32;

/// The width that is stored of a word that is the sign extension of its low limb.
const SIGNED: u16 = 257;

/// What is known of one stack element, as it is stored: from the lowest bit, its place (32 bits), the width (9), the kind of place (2), whether it is
/// at home, and from bit 48 its index among the elements with names, 0 being the lowest. So what lies deep in the stack is stored alike however
/// high the stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed(u64);

/// What is known of one stack element. It is taken apart where it is looked at, which spares a branch on the kind of place.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    packed: Packed,
    /// So many elements have names.
    names: u16,
}

impl Packed {
    const BITS: u32 = 32;
    const KIND: u32 = 41;
    const HOME: u32 = 43;
    const INDEX: u32 = 48;

    #[inline]
    fn new(index: u16, bits: u16, home: bool, place: Place) -> Packed {
        let (kind, payload) = match place {
            Place::Home => (0, 0),
            Place::Const(k) => (1, k),
            Place::Narrow(r) | Place::Signed(r) => (2, r.0.into()),
            Place::Wide(q) => (3, u32::from_le_bytes(q.each(|r| r.0))),
        };
        let known = u64::from(bits) << Packed::BITS | kind << Packed::KIND | u64::from(home) << Packed::HOME;
        Packed(u64::from(payload) | known | u64::from(index) << Packed::INDEX)
    }

    #[inline]
    fn index(self) -> u16 {
        (self.0 >> Packed::INDEX) as u16
    }
}

impl Entry {
    /// 1 is the top.
    #[inline]
    pub fn depth(self) -> u16 {
        self.names - self.packed.index()
    }

    /// Its index among the elements with names, 0 being the lowest.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.packed.index().into()
    }

    /// Upper bound of its width in bits.
    #[inline]
    pub fn bits(self) -> u16 {
        self.width().min(256)
    }

    /// Whether it is the sign extension of its low limb, and may be negative.
    #[inline]
    pub fn is_signed(self) -> bool {
        self.width() == SIGNED
    }

    #[inline]
    fn width(self) -> u16 {
        (self.packed.0 >> Packed::BITS & 0x1ff) as u16
    }

    /// It is at home too.
    #[inline]
    pub fn is_home(self) -> bool {
        self.packed.0 >> Packed::HOME & 1 != 0
    }

    /// Where it is.
    #[inline]
    pub fn place(self) -> Place {
        let payload = self.packed.0 as u32;
        match self.packed.0 >> Packed::KIND & 3 {
            0 => Place::Home,
            1 => Place::Const(payload),
            2 if self.is_signed() => Place::Signed(R(payload as u8)),
            2 => Place::Narrow(R(payload as u8)),
            _ => {
                let [a, b, c, d] = payload.to_le_bytes();
                Place::Wide(Quad([R(a), R(b), R(c), R(d)]))
            }
        }
    }
}

/// What is known on entry to a version, or where compiled code leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Elements between the stack pointer register and the top.
    pub lead: i32,
    /// Elements that are surely on the stack.
    pub known: i32,
    /// Elements for which there surely is room.
    pub room: i32,
    /// Bytes that memory surely has.
    pub memory: u32,
    /// Elements with names: entries are among them.
    pub names: u16,
    /// Entries in [`Versions::entries`], the deepest first.
    pub(super) entries: (u32, u32),
}

/// A block compiled, or to be compiled, for a context.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// The block.
    pub pc: Pc,
    /// What its code relies on.
    pub context: Context,
    /// Address of its code; 0 before it is published.
    pub address: u64,
    /// That code calls routines: others reach it through its link slot, so that better can take its place.
    pub outlined: bool,
    /// Address of such code that was forgotten, for if there is no better.
    pub forgotten: u64,
    /// Address of its link slot; 0 if it has none.
    pub slot: u64,
    /// It goes on where a word did not fit 64 bits: what is to be made for wide words from now on.
    pub widens: Option<Wide>,
    /// It is reached from a loop.
    pub looping: bool,
    /// Header of the loop that it is reached from and that began late: in the generic version of its header.
    pub late: Option<Pc>,
    /// Where the compiled code began that leads to it.
    pub origin: Origin,
    /// The next version of the same block, plus one.
    next: u32,
    /// What is looked at before the context is.
    pub(super) anchor: Anchor,
    /// How many versions the block has, this and the older ones.
    made: Made,
}

/// The topmost element that a context says to be a constant. Most contexts that do not hold are told by it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchor {
    /// 1 is the top; 0 if there is none.
    pub depth: u16,
    /// The constant's low bits.
    pub low: u32,
}

/// Numbers of versions of a block, but for those that widen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    /// All.
    pub all: u8,
    /// Those that are not generic.
    pub special: u8,
}

/// Where compiled code began. What is compiled for one keeps to itself: code from the middle knows less, and would take the place of better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Where frames begin or are resumed.
    #[default]
    Start,
    /// Where the interpreter had come to: nothing is known of the stack.
    Middle,
}

/// What was taken to fit 64 bits, and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// The result of the version's first instruction.
    Result,
    /// The same, with a sign.
    SignedResult,
    /// The element at a depth, at the loop header where the version begins.
    Element(u16),
}

/// Number of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionId(pub u32);

/// A point where compiled code leaves to the interpreter.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Where the interpreter goes on.
    pub pc: Pc,
    /// Gas to give back: charged ahead and not due.
    pub gas: u32,
    /// Where the stack elements are.
    pub context: Context,
}

/// All versions and sites of one contract.
#[derive(Debug, Default)]
pub struct Versions {
    list: Vec<Version>,
    sites: Vec<Site>,
    entries: Vec<Packed>,
    consts: Vec<U256>,
    /// By origin and pc, the newest version plus one.
    heads: [Sparse; 2],
    /// Of what is being compiled.
    origin: Origin,
    /// Looked for when they are first asked for.
    loops: Option<Loops>,
    looks: Looks,
    /// Bitmap of instructions whose results do not fit 64 bits.
    wide: Vec<u64>,
    /// As `wide`, of those that do not fit 64 bits with a sign either; as long as it has to be.
    wide_signed: Vec<u64>,
    /// How often one of them loads from memory.
    wide_loads: u32,
    /// There are operations on words with signs.
    pub(super) has_signs: bool,
    /// Loop headers and depths of elements that do not; a few.
    wide_elements: Vec<(Pc, u16)>,
    /// Of some blocks, which elements came there as one limb and its sign: a mask of depths, the top's the lowest bit.
    signed_elements: Vec<(Pc, u64)>,
}

impl Versions {
    /// No versions yet of the blocks of `code`.
    pub fn new(code: &Code) -> Versions {
        let len = code.bytes().len();
        // Room for what contracts that are compiled whole come to about: growing means to copy, room that stays empty costs nothing.
        Versions {
            list: Vec::with_capacity(len / 8),
            sites: Vec::with_capacity(len / 32),
            entries: Vec::with_capacity(len),
            consts: Vec::with_capacity(len / 64),
            heads: [Sparse::new(len + 1), Sparse::new(len + 1)],
            wide: vec![0; len.div_ceil(64)],
            looks: Looks::new(code),
            ..Versions::default()
        }
    }

    /// From now on, a block's versions are those of `origin`.
    pub fn select(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// Whether the block at `pc` of the code that this was made for is a loop's header.
    pub fn is_loop(&mut self, code: &Code, pc: Pc) -> bool {
        // Most of what is asked about no jump can lead to.
        let is_destination = code.padded().get(pc.index()) == Some(&opcode::JUMPDEST);
        is_destination && self.loops.get_or_insert_with(|| Loops::of(code)).is_header(code, pc.index())
    }

    /// What certainly lies ahead in the contract.
    pub fn looks(&mut self) -> &mut Looks {
        &mut self.looks
    }

    /// A version.
    pub fn get(&self, id: VersionId) -> &Version {
        &self.list[id.0 as usize]
    }

    /// Whether a version is part of a loop or reached from one.
    pub fn is_looping(&mut self, id: VersionId, code: &Code) -> bool {
        let Version { pc, looping, .. } = *self.get(id);
        looping || self.is_loop(code, pc)
    }

    /// The versions whose code calls routines.
    pub fn outlined(&mut self) -> impl Iterator<Item = &mut Version> {
        self.list.iter_mut().filter(|version| version.outlined)
    }

    /// A version, to note its addresses.
    pub fn get_mut(&mut self, id: VersionId) -> &mut Version {
        &mut self.list[id.0 as usize]
    }

    /// The version with this number, if it exists.
    pub fn find(&self, id: u64) -> Option<VersionId> {
        (id < self.list.len() as u64).then_some(VersionId(id as u32))
    }

    /// A site; `None` if there is none with this number.
    pub fn site(&self, id: u64) -> Option<&Site> {
        self.sites.get(usize::try_from(id).ok()?)
    }

    /// How many sites there are.
    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    /// Whether the element at `depth` is this constant in a version of the block at `pc`; `None` if it is a constant in none.
    pub fn has_constant(&self, pc: Pc, depth: u16, value: &U256) -> Option<bool> {
        let of = |context| self.entries(context).find(|entry| entry.depth() == depth);
        let constants = self.of(pc).filter_map(|(_, version)| match of(&version.context)?.place() {
            Place::Const(k) => Some(self.constant(k) == value),
            Place::Home | Place::Narrow(_) | Place::Signed(_) | Place::Wide(_) => None,
        });
        constants.reduce(|any, is_it| any || is_it)
    }

    /// The versions of the block at `pc`, newest first.
    pub fn of(&self, pc: Pc) -> impl Iterator<Item = (VersionId, &Version)> {
        let mut at = self.heads[self.origin as usize].get(pc.index());
        core::iter::from_fn(move || {
            let id = at.checked_sub(1)?;
            let version = &self.list[id as usize];
            at = version.next;
            Some((VersionId(id), version))
        })
    }

    /// How many versions the block at `pc` has.
    pub(super) fn made(&self, pc: Pc) -> Made {
        let head = self.heads[self.origin as usize].get(pc.index()).checked_sub(1);
        head.map_or(Made::default(), |head| self.list[head as usize].made)
    }

    /// A new version of the block at `pc`, which is a position in the code or its end.
    pub fn add(&mut self, pc: Pc, context: Context, looping: bool) -> VersionId {
        let Made { all, special } = self.made(pc);
        let made = Made { all: all.saturating_add(1), special: special.saturating_add(u8::from(!context.is_generic())) };
        let id = self.push(pc, context, looping, made);
        let constant = self.entries(&context).find_map(|entry| match entry.place() {
            Place::Const(k) => Some(Anchor { depth: entry.depth(), low: self.constant(k).as_limbs()[0] as u32 }),
            Place::Home | Place::Narrow(_) | Place::Signed(_) | Place::Wide(_) => None,
        });
        self.get_mut(id).anchor = constant.unwrap_or_default();
        id
    }

    fn push(&mut self, pc: Pc, context: Context, looping: bool, made: Made) -> VersionId {
        let next = self.heads[self.origin as usize].replace(pc.index(), self.list.len() as u32 + 1);
        self.list.push(Version {
            pc,
            context,
            address: 0,
            outlined: false,
            forgotten: 0,
            slot: 0,
            widens: None,
            looping,
            late: None,
            origin: self.origin,
            next,
            anchor: Anchor::default(),
            made,
        });
        VersionId(self.list.len() as u32 - 1)
    }

    /// The version of the block at `pc` that relies on nothing.
    pub fn generic(&mut self, pc: Pc) -> VersionId {
        let found = self.of(pc).find(|(_, version)| version.context.is_generic()).map(|(id, _)| id);
        found.unwrap_or_else(|| self.add(pc, Context::default(), false))
    }

    /// As [`Versions::add`], for where `wide` does not fit 64 bits.
    pub fn add_widening(&mut self, pc: Pc, context: Context, wide: Wide) -> VersionId {
        let id = self.push(pc, context, true, self.made(pc));
        self.get_mut(id).widens = Some(wide);
        id
    }

    /// Whether results of the instruction at `pc` were seen not to fit 64 bits.
    pub fn is_wide(&self, pc: Pc) -> bool {
        self.wide.get(pc.index() / 64).is_some_and(|bits| bits >> (pc.index() % 64) & 1 != 0)
    }

    /// The same with a sign.
    pub fn is_wide_signed(&self, pc: Pc) -> bool {
        self.wide_signed.get(pc.index() / 64).is_some_and(|bits| bits >> (pc.index() % 64) & 1 != 0)
    }

    /// Whether the element at `depth` was seen not to fit 64 bits at the loop header `pc`.
    pub fn is_wide_element(&self, pc: Pc, depth: u16) -> bool {
        self.wide_elements.contains(&(pc, depth))
    }

    /// Which elements have come to the block at `pc` as one limb and its sign: a mask of depths, the top's the lowest bit, as far as they are known.
    pub fn signed_elements(&self, pc: Pc) -> u64 {
        self.signed_elements.iter().find(|(at, _)| *at == pc).map_or(0, |(_, mask)| *mask)
    }

    /// Notes that some have.
    pub fn note_signed(&mut self, pc: Pc, mask: u64) {
        let has_room = self.signed_elements.len() < SIGNED_BLOCKS;
        match self.signed_elements.iter_mut().find(|(at, _)| *at == pc) {
            Some((_, known)) => *known |= mask,
            None if has_room => self.signed_elements.push((pc, mask)),
            None => {}
        }
    }

    /// How many words of memory were seen not to fit 64 bits.
    pub fn wide_loads(&self) -> u32 {
        self.wide_loads
    }

    /// Notes what a version of the block at `pc` was made for.
    pub fn widen(&mut self, pc: Pc, wide: Wide, code: &Code) {
        match wide {
            Wide::Result => {
                self.widen_result(pc);
                self.wide_loads += u32::from(code.padded()[pc.index()] == opcode::MLOAD);
            }
            Wide::SignedResult => {
                self.wide_signed.resize(self.wide_signed.len().max(pc.index() / 64 + 1), 0);
                self.wide_signed[pc.index() / 64] |= 1 << (pc.index() % 64);
            }
            Wide::Element(depth) if !self.is_wide_element(pc, depth) => self.wide_elements.push((pc, depth)),
            Wide::Element(_) => {}
        }
    }

    fn widen_result(&mut self, pc: Pc) {
        if let Some(bits) = self.wide.get_mut(pc.index() / 64) {
            *bits |= 1 << (pc.index() % 64);
        }
    }

    /// A new site; gives its number.
    pub fn add_site(&mut self, site: Site) -> u32 {
        self.sites.push(site);
        self.sites.len() as u32 - 1
    }

    /// The sites from `first` on, to change what gas they give back.
    pub fn sites_from(&mut self, first: usize) -> &mut [Site] {
        &mut self.sites[first..]
    }

    /// A version of a block in `blocks` that code refers to (through its link slot, or where a call is followed by a generic version) and that is not
    /// compiled: the next after `last`, or else the first. Widening versions are left out: they may never be needed, and change what is compiled
    /// after them.
    pub fn next_wanted(&self, last: Option<VersionId>, blocks: impl Fn(Pc) -> bool) -> Option<VersionId> {
        let from = last.map_or(0, |id| id.0 as usize + 1);
        let wanted = |&id: &usize| {
            let version = &self.list[id];
            let is_referred_to = version.slot != 0 || version.context.is_generic();
            is_referred_to && version.address == 0 && version.widens.is_none() && blocks(version.pc)
        };
        (from..self.list.len()).chain(0..from).find(wanted).map(|id| VersionId(id as u32))
    }

    /// A context in words: the elements it knows of, the top first, then what it knows besides.
    pub fn describe(&self, context: &Context) -> String {
        if context.is_generic() {
            return "generic".into();
        }
        let mut words: Vec<String> = Vec::new();
        for entry in self.entries(context) {
            let place = match entry.place() {
                Place::Home if entry.is_signed() => "64 signed bits".into(),
                Place::Home => format!("{} bits", entry.bits()),
                Place::Const(k) => format!("{:#x}", self.constant(k)),
                Place::Narrow(r) => format!("{} bits in {r}", entry.bits()),
                Place::Signed(r) => format!("64 signed bits in {r}"),
                Place::Wide(q) => format!("{} bits in {q}", entry.bits()),
            };
            words.push(format!("{}: {place}{}", entry.depth(), if entry.is_home() { " and home" } else { "" }));
        }
        words.push(format!("at least {} on the stack, room for {}", context.known, context.room));
        words.push(format!("memory {}", context.memory));
        words.join(", ")
    }

    /// The entries of a context, the top first.
    pub fn entries(&self, context: &Context) -> impl DoubleEndedIterator<Item = Entry> + Clone + '_ {
        let names = context.names;
        self.packed(context).iter().rev().map(move |&packed| Entry { packed, names })
    }

    /// The same as they are stored, the deepest first.
    #[inline]
    fn packed(&self, context: &Context) -> &[Packed] {
        &self.entries[context.entries.0 as usize..context.entries.1 as usize]
    }

    /// Of how many of the lowest elements two contexts say the same, if as many have names: of all, or up to the index of the first that they differ on.
    pub(super) fn common(&self, a: &Context, b: &Context) -> usize {
        let (a, b) = (self.packed(a), self.packed(b));
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let index = |entries: &[Packed]| entries.get(same).map_or(usize::MAX, |entry| entry.index().into());
        index(a).min(index(b))
    }

    /// A constant.
    pub fn constant(&self, id: u32) -> &U256 {
        &self.consts[id as usize]
    }

    /// Notes a constant.
    pub fn add_constant(&mut self, value: U256) -> u32 {
        // Neighbouring contexts hold the same constants.
        let recent = self.consts.len().saturating_sub(8);
        let low = value.as_limbs()[0];
        if let Some(at) = self.consts[recent..].iter().rposition(|k| k.as_limbs()[0] == low && *k == value) {
            return (recent + at) as u32;
        }
        self.consts.push(value);
        self.consts.len() as u32 - 1
    }

    /// Where the entries of a context that is being made begin.
    pub(super) fn begin_context(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Begins a context with the entries of `other` for elements below `index`.
    pub(super) fn begin_like(&mut self, other: &Context, index: usize) -> u32 {
        let first = self.begin_context();
        let (from, mut to) = (other.entries.0 as usize, other.entries.1 as usize);
        while to > from && usize::from(self.entries[to - 1].index()) >= index {
            to -= 1;
        }
        self.entries.extend_from_within(from..to);
        first
    }

    /// Adds an entry to the context that is being made.
    #[inline]
    pub(super) fn add_entry(&mut self, index: usize, bits: u16, signed: bool, home: bool, place: Place) {
        self.entries.push(Packed::new(index as u16, if signed { SIGNED } else { bits }, home, place));
    }

    /// Turns the entries of the context that is being made round, which were added from the top.
    pub(super) fn reverse_entries(&mut self, first: u32) {
        self.entries[first as usize..].reverse();
    }

    /// The entries of a context that is made, which begin at `first`.
    pub(super) fn entries_since(&self, first: u32) -> (u32, u32) {
        (first, self.entries.len() as u32)
    }
}

impl Context {
    /// Whether it holds wherever every element is at home and the stack pointer at the top.
    pub fn is_generic(&self) -> bool {
        self.entries.0 == self.entries.1 && self.lead == 0 && self.known == 0 && self.room == 0 && self.memory == 0
    }
}
