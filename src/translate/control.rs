//! How blocks end: jumps, edges to versions of other blocks, terminal opcodes.

use super::compare::invert;
use super::context::{Context, VersionId, Versions, Wide};
use super::edge::{Facts, Loss};
use super::facts::Fact;
use super::values::{ValueId, one_limb};
use super::{Cold, Job, Refusal, Translator, UNIT_BYTES, UNIT_DEPTH};
use crate::abi::{Exit, Frame};
use crate::evm::U256;
use crate::evm::block::{Block, End, MAX_INSTRUCTIONS, Pc};
use crate::evm::code::Code;
use crate::evm::opcode as op;
use crate::ir::{AluOp, Cond, Ins, Label, Mem, Src, Width};
use core::mem::offset_of;

/// Versions of one block that are made for where they are reached from; from then on edges fall back on what there is.
const MAX_VERSIONS: usize = 10;

/// Versions besides, for where none that exists would do: they know which elements are in registers, but no return address. After them there is
/// only the generic one.
const GENERAL_VERSIONS: usize = 2;

/// Versions besides, one for each loop that began late, in the generic version of its header: else it would go through generic ones.
const LATE_VERSIONS: usize = 8;

/// What an edge to an existing version may cost before a version of its own is made, by the number of versions there are.
const TOLERANCE: [Loss; MAX_VERSIONS] = [0, 2, 4, 6, 8, 8, 10, 10, 12, 12];

/// Elements from the top that are taken to be narrow in a loop until one is not.
const GUARDED: usize = 8;

/// The largest number that counters begin with.
const FIRST: U256 = U256::ONE;

/// Instructions that going around a loop may take to put words where they were, before another version is made to go around twice.
const TURN: usize = 4;

/// Registers that a loop's context leaves free.
const LOOP_FREE: u32 = 5;

/// Where a jump goes.
#[derive(Clone, Copy, Debug)]
enum Destination {
    /// A constant that is a jump destination.
    Known(Pc),
    /// A constant that is not.
    Invalid,
    /// Only known at run time.
    Dynamic,
}

/// The block to go on with in line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub pc: Pc,
    /// Nothing else reaches it: its gas may be charged together with what comes before.
    pub merge: bool,
}

/// How to get to a version.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// In this unit.
    Label(Label),
    /// Published.
    Address(u64),
    /// Through its link slot, with its number for when it is not compiled.
    Slot(VersionId, u64),
}

/// Whether a constant is a jump destination.
pub(super) fn is_destination(code: &Code, k: &U256) -> bool {
    one_limb(k).is_some_and(|pc| code.is_jump_destination(pc))
}

/// Versions that the block at `to` has.
fn made(job: &Job<'_>, to: Pc) -> usize {
    job.versions.made(to).all.into()
}

/// Whether a block of which so many versions were made may have no more.
fn is_full(job: &Job<'_>, made: usize) -> bool {
    job.frugal || made > MAX_VERSIONS + GENERAL_VERSIONS
}

impl Translator {
    /// Ends the block; returns the block to go on with in line.
    pub(super) fn finish(&mut self, job: &mut Job<'_>, block: &Block) -> Result<Option<Next>, Refusal> {
        match block.finish {
            End::Fall => self.go(job, block.end),
            End::Jump => self.jump(job),
            End::JumpIf => self.jump_if(job, block.end),
            End::Call => {
                let opcode = job.code.padded()[block.end.index() - 1];
                self.s.flush(None);
                self.last_effect(opcode, Some(block.end));
                // With which the frame goes on when it is resumed.
                job.versions.generic(block.end);
                Ok(None)
            }
            End::Terminal(opcode) => {
                self.terminal(opcode);
                Ok(None)
            }
            End::Unknown => {
                self.s.flush(None);
                self.settle_sp();
                self.leave_to_interpreter(block.end);
                Ok(None)
            }
        }
    }

    fn terminal(&mut self, opcode: u8) {
        match opcode {
            op::STOP => self.halt(Exit::Stop, 0),
            op::INVALID => self.halt(Exit::InvalidOpcode, 0),
            _ => {
                // What lies below the operands is never seen again.
                self.s.flush(Some(op::info(opcode).inputs as usize));
                self.last_effect(opcode, None);
            }
        }
    }

    // ---- edges ----

    pub(super) fn facts(&self) -> Facts {
        Facts { floor: self.floor, ceil: self.ceil, memory: self.memory_known }
    }

    /// The existing version of the block at `to` that the settled state suits best, if it is good enough.
    fn existing(&mut self, job: &Job<'_>, to: Pc) -> Option<VersionId> {
        match usize::from(job.versions.made(to).special) {
            0 => None,
            _ if self.s.dice.one_in(3) => None,
            _ if self.s.dice.one_in(2) => self.best(job, to, Loss::MAX),
            count => self.best(job, to, TOLERANCE.get(count).map_or(Loss::MAX, |most| most + 1)),
        }
    }

    /// The version of the block at `to` that the settled state suits best, with a loss below `limit`.
    fn best(&mut self, job: &Job<'_>, to: Pc, mut limit: Loss) -> Option<VersionId> {
        let facts = self.facts();
        let mut best = None;
        for (id, version) in job.versions.of(to) {
            let context = &version.context;
            if !facts.suffice(context, self.s.height()) {
                continue;
            }
            self.s.extend(context.names.into(), 0);
            if !self.s.has_anchor(version.anchor) {
                continue;
            }
            // Of two that suit as well, the one to which fewer words are moved: in this unit, where that is most likely for a loop.
            let rival = best.filter(|_| self.entries.iter().any(|e| e.0 == id));
            let most = limit.saturating_add(rival.is_some().into());
            if let Some(loss) = self.s.fit(facts, context, job.versions, most, |k| is_destination(job.code, k))
                && (loss < limit || rival.is_some_and(|rival| self.moves(job, id) < self.moves(job, rival)))
            {
                (best, limit) = (Some(id), loss);
            }
        }
        best
    }

    /// How many instructions it takes to go on with a version that fits.
    fn moves(&mut self, job: &Job<'_>, id: VersionId) -> usize {
        let first = self.edges.len();
        self.s.edge(&job.versions.get(id).context, job.versions, &mut self.edges);
        self.edges.drain(first..).count()
    }

    /// The version that an edge out of the unit goes to where none that exists is good enough: a new one, or the generic one.
    fn fresh(&mut self, job: &mut Job<'_>, to: Pc) -> VersionId {
        let made = made(job, to);
        if self.is_spent(job, to, made) || self.s.dice.one_in(8) {
            return job.versions.generic(to);
        }
        let general = job.is_loop(to) || made > MAX_VERSIONS || self.s.dice.one_in(4);
        let context = if general { self.capture_general(job, to, made) } else { self.capture(job) };
        self.new_version(job, to, context)
    }

    /// Whether the block at `to`, of which so many versions were made, may have no more for an edge from here.
    fn is_spent(&self, job: &Job<'_>, to: Pc, made: usize) -> bool {
        let has_room = || made <= MAX_VERSIONS + GENERAL_VERSIONS + LATE_VERSIONS && !job.frugal;
        let is_first = || job.versions.of(to).all(|(_, version)| version.late != self.late);
        is_full(job, made) && !(self.late.is_some() && has_room() && is_first())
    }

    /// A new version that an edge from here leads to.
    fn new_version(&self, job: &mut Job<'_>, to: Pc, context: Context) -> VersionId {
        let id = job.versions.add(to, context, self.looping);
        job.versions.get_mut(id).late = self.late;
        id
    }

    /// The context of the state as it is, settled.
    pub(super) fn capture(&mut self, job: &mut Job<'_>) -> Context {
        let facts = self.facts();
        self.s.capture(facts, job.versions)
    }

    /// A context for the block at `to` that suits others who come there too. Around a loop of the main program, which is met with one set
    /// of constants, these are taken to stay what they are until they are seen not to, but for those that counters begin with.
    fn capture_general(&mut self, job: &mut Job<'_>, to: Pc, made: usize) -> Context {
        let code = job.code;
        let returns = |i: usize| self.s.konst(self.s.at(i)).is_some_and(|k| is_destination(code, &k));
        let is_main = || !(0..self.s.len()).any(returns);
        self.s.capture_general(to, self.facts(), job.versions, LOOP_FREE, |versions, depth, k| {
            let stays = || is_destination(code, k) || *k > FIRST && versions.has_constant(to, depth, k).unwrap_or_else(is_main);
            made <= MAX_VERSIONS && stays()
        })
    }

    /// How to get to a version.
    pub(super) fn way(&mut self, job: &mut Job<'_>, id: VersionId) -> Result<To, Refusal> {
        if let Some(&(_, label)) = self.entries.iter().find(|e| e.0 == id) {
            return Ok(To::Label(label));
        }
        let version = job.versions.get_mut(id);
        if version.address != 0 && !version.outlined {
            return Ok(To::Address(version.address));
        }
        if version.slot == 0 {
            let initial = if version.address == 0 { self.stubs.compile } else { version.address };
            version.slot = job.slots.new_slot(initial)?;
        }
        Ok(To::Slot(id, version.slot))
    }

    /// Jumps to where the context of a version holds.
    pub(super) fn jump_to(&mut self, to: To) {
        match to {
            To::Label(label) => self.s.emit(Ins::Jmp(label)),
            To::Address(addr) => self.s.emit(Ins::JmpTo { addr }),
            To::Slot(id, slot) => {
                self.s.emit(Ins::Imm { dst: self.s.target.scratch[2], value: id.0.into() });
                self.s.emit(Ins::JmpSlot { slot });
            }
        }
    }

    /// Goes to a version that fits, out of line.
    fn depart(&mut self, job: &mut Job<'_>, id: VersionId) -> Result<(), Refusal> {
        let context = job.versions.get(id).context;
        self.move_to(&context, job.versions);
        let way = self.way(job, id)?;
        self.jump_to(way);
        Ok(())
    }

    /// Appends the moves that make `context` hold.
    fn move_to(&mut self, context: &Context, versions: &Versions) {
        let mut out = core::mem::take(&mut self.s.out);
        self.s.edge(context, versions, &mut out);
        self.s.out = out;
    }

    /// Goes to the block at `to`: to a version that exists, or in line.
    fn go(&mut self, job: &mut Job<'_>, to: Pc) -> Result<Option<Next>, Refusal> {
        self.s.settle();
        let is_loop = job.is_loop(to);
        let room = self.has_room() && !self.s.dice.one_in(4);
        let id = match self.existing(job, to) {
            Some(id) if is_loop && room && self.turns(job, to, id) => return Ok(Some(self.begin_loop(job, to))),
            Some(id) => id,
            None if room && !is_loop => return Ok(Some(Next { pc: to, merge: true })),
            None if room && !self.is_spent(job, to, made(job, to)) => {
                self.guard(job, to)?;
                return Ok(Some(self.begin_loop(job, to)));
            }
            None => self.fresh(job, to),
        };
        self.depart(job, id).map(|()| None)
    }

    /// Whether the unit may go on with another block.
    fn has_room(&self) -> bool {
        self.blocks.len() < self.most_blocks && self.bytes < UNIT_BYTES && self.s.len() < UNIT_DEPTH
    }

    /// Whether what goes around the loop to the version `id` of its `header`, the only one in this unit, is moved so much that it had better go
    /// around twice: variables that take turns then end in the registers that they came in.
    fn turns(&mut self, job: &Job<'_>, header: Pc, id: VersionId) -> bool {
        let mut here = self.entries.iter().filter(|(other, _)| job.versions.get(*other).pc == header);
        let is_only = matches!((here.next(), here.next()), (Some((only, _)), None) if *only == id);
        is_only && !self.is_spent(job, header, made(job, header)) && self.moves(job, id) >= TURN
    }

    /// Begins the version for those that come around the loop at `header`, in line.
    fn begin_loop(&mut self, job: &mut Job<'_>, header: Pc) -> Next {
        let context = self.capture_general(job, header, made(job, header));
        self.looping = true;
        let id = self.new_version(job, header, context);
        self.move_to(&context, job.versions);
        // Whoever else comes here knows what the context says and no more.
        self.begin(id, &context, job.versions);
        Next { pc: header, merge: false }
    }

    /// In the version `id` of the loop header at `pc`, which has just begun: where its context leaves open how wide words are, guesses that they are
    /// narrow, and goes on with a version that knows.
    pub(super) fn enter_loop(&mut self, job: &mut Job<'_>, id: VersionId, pc: Pc) -> Result<Option<Next>, Refusal> {
        let next = Next { pc, merge: false };
        // The generic version has always room for the loop that begins in it: there is one of it.
        let is_generic = job.versions.get(id).context.is_generic();
        if job.frugal || is_full(job, made(job, pc)) && !is_generic {
            return Ok(Some(next));
        }
        let mut block = core::mem::replace(&mut self.block, Block::empty());
        block.rescan(job.code.padded(), job.code.bytes().len(), pc, job.schedule, MAX_INSTRUCTIONS);
        self.check_stack(job, &block, self.entry);
        self.s.extend(block.need, block.grow);
        self.block = block;
        let checked = self.s.out.len();
        self.guard(job, pc)?;
        if self.s.out.len() == checked {
            return Ok(Some(next));
        }
        if is_generic {
            self.late = Some(pc);
        }
        self.s.settle();
        // Nothing may be lost, or two versions could send each other the same words without end: so each knows more than the one before.
        match self.best(job, pc, 1) {
            Some(other) if other != id => self.depart(job, other).map(|()| None),
            Some(_) | None => Ok(Some(self.begin_loop(job, pc))),
        }
    }

    /// Goes on in a widening version if `cond`, with `spare` gas given back, after what was done is made `undo`ne. Gives where that is done.
    pub(super) fn widen_if(&mut self, cond: Cond, spare: u32, to: To, undo: Option<Ins>) -> Label {
        let at = self.label();
        self.s.emit(Ins::Br { cond, to: at });
        self.cold.push(Cold::Widen { at, undo, spare, to });
        at
    }

    /// Before the loop at `header`: words of unknown width near the top are taken to fit 64 bits, as counters and bounds do; one check each.
    fn guard(&mut self, job: &mut Job<'_>, header: Pc) -> Result<(), Refusal> {
        let [t0, t1, _] = self.s.target.scratch;
        for depth in 1..=GUARDED.min(self.s.len()) {
            let v = self.s.at(self.s.len() - depth);
            let value = *self.s.value(v);
            let is_wide = self.wide == Some(v) || job.versions.is_wide_element(header, depth as u16) || self.s.dice.one_in(4);
            if value.bits <= 64 || value.signed || value.konst.is_some() || is_wide {
                continue;
            }
            let context = self.capture(job);
            let id = job.versions.add_widening(header, context, Wide::Element(depth as u16));
            let to = self.way(job, id)?;
            self.s.upper_limbs(v, t0, t1);
            self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
            self.widen_if(Cond::Ne, 0, to, None);
            self.s.narrow_to_limb(v, LOOP_FREE);
        }
        Ok(())
    }

    // ---- jumps ----

    fn destination(&self, v: ValueId, code: &Code) -> Destination {
        match self.s.konst(v) {
            Some(k) if is_destination(code, &k) => Destination::Known(Pc(k.as_limbs()[0] as u32)),
            Some(_) => Destination::Invalid,
            None => Destination::Dynamic,
        }
    }

    fn jump(&mut self, job: &mut Job<'_>) -> Result<Option<Next>, Refusal> {
        let v = self.s.pop();
        match self.destination(v, job.code) {
            Destination::Known(pc) => {
                self.s.release(v);
                self.go(job, pc)
            }
            Destination::Invalid => {
                self.halt(Exit::InvalidJump, 0);
                Ok(None)
            }
            Destination::Dynamic => {
                self.s.kill_flags();
                self.destination_to_scratch(v);
                self.s.release(v);
                self.s.flush(None);
                self.settle_sp();
                self.dynamic_jump();
                Ok(None)
            }
        }
    }

    /// Puts a destination into the second scratch register, saturated to 2^64 - 1.
    pub(super) fn destination_to_scratch(&mut self, v: ValueId) {
        let [t0, t1, t2] = self.s.target.scratch;
        if self.s.value(v).bits <= 64 {
            self.s.limb_to(v, 0, t1);
            return;
        }
        self.s.spread(v);
        self.s.upper_limbs(v, t2, t0);
        self.s.limb_to(v, 0, t1);
        self.s.emit(Ins::Imm { dst: t0, value: u64::MAX });
        self.s.emit(Ins::Test { a: t2, b: Src::R(t2) });
        self.s.emit(Ins::Select { cond: Cond::Ne, dst: t1, a: t0, b: t1 });
    }

    /// Jumps through the frame's index to the pc in the second scratch register.
    pub(super) fn dynamic_jump(&mut self) {
        let [t0, t1, _] = self.s.target.scratch;
        let miss = self.label();
        let len = self.frame_field(offset_of!(Frame, code_len));
        self.s.emit(Ins::Cmp { a: t1, b: Src::M(len) });
        self.s.emit(Ins::Br { cond: Cond::Uge, to: miss });
        self.load_field(t0, offset_of!(Frame, pc_index));
        let entry = Mem { base: t0, index: Some(t1), shift: 2, disp: 0 };
        self.s.emit(Ins::Load { width: Width::B32, signed: true, dst: t0, mem: entry });
        // Zero: not compiled. Negative: compiled, but no jump destination.
        self.s.emit(Ins::Test { a: t0, b: Src::R(t0) });
        self.s.emit(Ins::Br { cond: Cond::Sle, to: miss });
        let base = self.frame_field(offset_of!(Frame, code_base));
        self.s.emit(Ins::Alu { op: AluOp::Add, flags: false, dst: t0, a: t0, b: Src::M(base) });
        self.s.emit(Ins::JmpReg(t0));
        self.cold.push(Cold::DynamicJump { at: miss });
    }

    fn jump_if(&mut self, job: &mut Job<'_>, fall: Pc) -> Result<Option<Next>, Refusal> {
        let to = self.s.pop();
        let condition = self.s.pop();
        let fact = self.fact.filter(|fact| fact.of == condition);
        let destination = self.destination(to, job.code);
        if let Some(k) = self.s.konst(condition) {
            self.s.release(condition);
            if k.is_zero() {
                self.s.release(to);
                return self.go(job, fall);
            }
            self.s.push(to);
            self.s.release(to);
            return self.jump(job);
        }
        if matches!(destination, Destination::Dynamic) {
            return self.jump_if_dynamic(job, to, condition, fall);
        }
        self.s.release(to);
        let cond = self.branch_condition(condition);
        self.s.release(condition);
        self.s.unpin();
        self.s.settle();
        match destination {
            Destination::Known(pc) => self.branch(job, cond, (pc, fall), fact),
            Destination::Invalid | Destination::Dynamic => {
                let at = self.label();
                self.s.emit(Ins::Br { cond, to: at });
                self.cold.push(Cold::Halt { at, exit: Exit::InvalidJump });
                self.after_branch(job, fall)
            }
        }
    }

    /// The condition under which `v` is not zero, in the flags.
    fn branch_condition(&mut self, v: ValueId) -> Cond {
        if let Some(cond) = self.s.condition(v) {
            return cond;
        }
        self.s.kill_flags();
        self.test_zero(v);
        Cond::Ne
    }

    fn jump_if_dynamic(&mut self, job: &mut Job<'_>, to: ValueId, condition: ValueId, fall: Pc) -> Result<Option<Next>, Refusal> {
        self.s.kill_flags();
        self.destination_to_scratch(to);
        self.s.release(to);
        self.s.unpin();
        self.s.hold(condition);
        self.test_zero(condition);
        self.s.release(condition);
        self.s.unpin();
        self.s.flush(None);
        self.settle_sp();
        let not_taken = self.label();
        self.s.emit(Ins::Br { cond: Cond::Eq, to: not_taken });
        self.dynamic_jump();
        self.s.emit(Ins::Label(not_taken));
        self.after_branch(job, fall)
    }

    /// Branches to `to` if `cond`, else goes on at `fall`; the likely side in line, where what the condition tells is known.
    fn branch(&mut self, job: &mut Job<'_>, cond: Cond, (to, fall): (Pc, Pc), fact: Option<Fact>) -> Result<Option<Next>, Refusal> {
        let known = self.existing(job, to);
        let again = known.is_some_and(|id| job.is_loop(to) && self.has_room() && self.turns(job, to, id));
        if let Some(id) = known.filter(|_| !again) {
            self.branch_to(job, cond, id)?;
            self.learn(fact, false);
            return self.after_branch(job, fall);
        }
        let reverts = |job: &mut Job<'_>| job.versions.looks().reverts(job.code, fall.index());
        let (out, cond, on, holds) =
            if again || reverts(job) || self.s.dice.one_in(3) { (fall, invert(cond), to, true) } else { (to, cond, fall, false) };
        let known = if out == to { None } else { self.existing(job, out) };
        let id = match known {
            Some(id) => id,
            None => self.fresh(job, out),
        };
        self.branch_to(job, cond, id)?;
        self.learn(fact, holds);
        self.after_branch(job, on)
    }

    /// Goes on at `to` after a branch: what was charged is due, and others' code is not merged with it.
    fn after_branch(&mut self, job: &mut Job<'_>, to: Pc) -> Result<Option<Next>, Refusal> {
        let next = self.go(job, to)?;
        Ok(next.map(|next| Next { merge: false, ..next }))
    }

    /// A conditional branch to a version that fits.
    fn branch_to(&mut self, job: &mut Job<'_>, cond: Cond, id: VersionId) -> Result<(), Refusal> {
        let way = self.way(job, id)?;
        let first = self.edges.len();
        self.s.edge(&job.versions.get(id).context, job.versions, &mut self.edges);
        if self.edges.len() == first {
            let t2 = self.s.target.scratch[2];
            self.s.emit(match way {
                To::Label(to) => Ins::Br { cond, to },
                To::Address(addr) => Ins::BrTo { cond, addr },
                To::Slot(id, slot) => Ins::Exit { cond, dst: t2, value: id.0, to: slot, through: true },
            });
        } else if matches!(way, To::Label(_)) {
            // Most likely a loop: its moves are in line.
            let skip = self.label();
            self.s.emit(Ins::Br { cond: invert(cond), to: skip });
            self.s.out.extend(self.edges.drain(first..));
            self.jump_to(way);
            self.s.emit(Ins::Label(skip));
        } else {
            let at = self.label();
            self.s.emit(Ins::Br { cond, to: at });
            self.cold.push(Cold::Edge { at, moves: (first as u32, self.edges.len() as u32), to: way });
        }
        Ok(())
    }
}
