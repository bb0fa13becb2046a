//! Routines: what outlined code calls, one for each opcode, made once per arena by the translator itself.
//!
//! A routine works on the EVM stack in memory: the stack pointer register is exact on entry and on return, and nothing is kept in other
//! registers. Most are the translation of a block of that one instruction, which assumes nothing and brings its result home. They know
//! neither pc nor gas but for what they are given in the scratch registers.

use super::Translator;
use super::chaos::Dice;
use super::context::{Context, Versions};
use super::effects::frame_op;
use super::stubs::{self, field, load, store};
use super::values::at;
use crate::abi::{Callouts, Frame};
use crate::evm::opcode::{self as op, Class, Info, OPCODES};
use crate::ir::{AluOp, Cond, Ins, Label, Quad, ShiftOp, Src, WSrc, Width};
use core::mem::offset_of;

/// Pushes the limb in scratch 0.
const PUSH_LIMB: u32 = 256;
/// Pops a word; the or of its limbs is in scratch 0.
const CONDITION: u32 = 257;
/// Calls a runtime function, whose offset in `Callouts` is in scratch 0, and has the stack as that left it.
const FRAME_OP: u32 = 258;
/// Begins a block: the pc is in scratch 2, what [`pack`] makes of its first section and stack bounds in scratch 1.
const BEGIN: u32 = 259;
/// Begins one of the [`FREQUENT`] blocks: the pc is in scratch 2.
const BEGIN_FREQUENT: u32 = 260;
/// Labels inside routines.
const FIRST_FREE: u32 = BEGIN_FREQUENT + FREQUENT.len() as u32;

/// Blocks of one instruction: gas, elements needed, elements by which the stack grows. Nothing but them has so little bytecode to a block.
const FREQUENT: [[u32; 3]; 2] = [
    // JUMPDEST
    [1, 0, 0],
    // JUMPI
    [10, 2, 0],
];

/// Bits of each of the two stack bounds in a packed word: a block of [`super::outlined::INSTRUCTIONS`] does not need more.
const BOUND_BITS: u8 = 10;
/// The largest stack bound.
pub(super) const MAX_BOUND: u32 = (1 << BOUND_BITS) - 1;

/// Gas of a block's first section, elements it needs and elements by which the stack grows, as one number: mostly of 32 bits.
fn pack([gas, need, grow]: [u32; 3]) -> u64 {
    debug_assert!(need <= MAX_BOUND && grow <= MAX_BOUND, "blocks of outlined code are short");
    u64::from(gas) << (2 * BOUND_BITS) | u64::from(need) << BOUND_BITS | u64::from(grow)
}

/// Where the routines are.
#[derive(Clone, Debug)]
pub struct Routines {
    /// By label.
    addresses: Vec<u64>,
}

impl Routines {
    /// Their addresses, from that of each label in the code of [`Translator::routines`]; `None` for labels that are not in it.
    pub fn resolve(address: impl Fn(Label) -> Option<u64>) -> Routines {
        Routines { addresses: (0..FIRST_FREE).map(|label| address(Label(label)).unwrap_or(0)).collect() }
    }

    fn at(&self, label: u32) -> u64 {
        let address = self.addresses[label as usize];
        debug_assert!(address != 0, "routine {label} exists");
        address
    }
}

/// Whether an opcode has a routine. The others' code is as short, or depends on where they are.
fn has_routine(opcode: u8, row: &Info) -> bool {
    match row.class {
        Class::Pure | Class::Dup | Class::Swap | Class::Memory | Class::Effect | Class::Call | Class::Jump => true,
        Class::Env => !matches!(opcode, op::PC | op::CODESIZE | op::GAS),
        Class::Terminal => !matches!(opcode, op::STOP | op::INVALID),
        Class::Push => opcode == op::PUSH0,
        Class::Pop | Class::StackN | Class::JumpDest | Class::Undefined => false,
    }
}

impl Translator {
    /// The address of an opcode's routine.
    pub(super) fn routine(&self, opcode: u8) -> u64 {
        self.routine_at(opcode.into())
    }

    fn routine_at(&self, label: u32) -> u64 {
        self.routines.as_ref().map_or(0, |routines| routines.at(label))
    }

    /// Calls the routine of an opcode.
    pub(super) fn call_routine(&mut self, opcode: u8) {
        let addr = self.routine(opcode);
        self.s.emit(Ins::Call { addr });
    }

    /// Pushes the limb in the first scratch register.
    pub(super) fn call_push_limb(&mut self) {
        let addr = self.routine_at(PUSH_LIMB);
        self.s.emit(Ins::Call { addr });
    }

    /// Pops a word, the or of whose limbs is then in the first scratch register.
    pub(super) fn call_condition(&mut self) {
        let addr = self.routine_at(CONDITION);
        self.s.emit(Ins::Call { addr });
    }

    /// Begins a block at `pc` with such gas and stack bounds: what cannot be paid, or has not the stack, is left to the interpreter.
    pub(super) fn call_begin(&mut self, pc: u32, bounds: [u32; 3]) {
        let [_, t1, t2] = self.s.target.scratch;
        self.s.emit(Ins::Imm { dst: t2, value: pc.into() });
        let addr = match FREQUENT.iter().position(|frequent| *frequent == bounds) {
            Some(n) => self.routine_at(BEGIN_FREQUENT + n as u32),
            None => {
                self.s.emit(Ins::Imm { dst: t1, value: pack(bounds) });
                self.routine_at(BEGIN)
            }
        };
        self.s.emit(Ins::Call { addr });
    }

    /// From now on units may be outlined.
    pub fn use_routines(&mut self, routines: Routines) {
        self.routines = Some(routines);
    }

    /// Whether units may be outlined.
    pub fn has_routines(&self) -> bool {
        self.routines.is_some()
    }

    /// The code of all routines.
    pub fn routines(&mut self) -> &[Ins] {
        self.clear();
        self.labels = FIRST_FREE;
        self.s.dice = Dice::default();
        let versions = Versions::default();
        let rows = (0..=u8::MAX).zip(&OPCODES);
        for (opcode, row) in rows.filter(|(opcode, row)| has_routine(*opcode, row)) {
            self.s.emit(Ins::Label(Label(opcode.into())));
            match row.class {
                Class::Memory if opcode != op::MSIZE => self.memory_routine(opcode),
                Class::Effect | Class::Call | Class::Terminal => self.effect_routine(opcode, row),
                Class::Jump => self.jump_routine(opcode, &versions),
                Class::Push => self.s.emit(Ins::Imm { dst: self.t0(), value: 0 }),
                Class::Pure | Class::Dup | Class::Swap | Class::Env | Class::Memory => self.plain_routine(opcode, row, &versions),
                Class::Pop | Class::StackN | Class::JumpDest | Class::Undefined => unreachable!("{opcode:#x} has no routine"),
            }
            if opcode == op::PUSH0 {
                self.push_limb_routine();
            }
            self.emit_cold();
            self.cold.clear();
        }
        self.condition_routine();
        self.frame_op_routine();
        self.begin_routine(BEGIN, None);
        for (label, bounds) in (BEGIN_FREQUENT..).zip(FREQUENT) {
            self.begin_routine(label, Some(bounds));
        }
        &self.s.out
    }

    /// Nothing is known, and elements have names as an instruction of these `inputs` and `outputs` wants.
    fn begin_routine_of(&mut self, row: &Info, versions: &Versions) {
        self.s.begin(&Context::default(), versions);
        self.s.extend(row.inputs.into(), row.outputs.saturating_sub(row.inputs).into());
        self.forget();
        self.spare = 0;
    }

    /// An instruction as the translator knows it.
    fn plain_routine(&mut self, opcode: u8, row: &Info, versions: &Versions) {
        self.begin_routine_of(row, versions);
        self.s.emit(Ins::EnterStub);
        match row.class {
            Class::Dup => self.s.dup((opcode - op::DUP1 + 1).into()),
            Class::Swap => self.s.swap((opcode - op::SWAP1 + 1).into()),
            Class::Env => self.environment(opcode, 0, 0),
            Class::Memory => self.push_field(offset_of!(Frame, memory_len), 64),
            _ => self.operation(opcode),
        }
        self.s.flush(None);
        self.settle_sp();
        self.s.emit(Ins::LeaveStub);
    }

    /// MLOAD, MSTORE, MSTORE8 where memory reaches so far; the runtime does the others, and is told the spare gas that is in the second scratch register.
    fn memory_routine(&mut self, opcode: u8) {
        let [t0, t1, _] = self.s.target.scratch;
        let (sp, slow) = (self.s.target.sp, self.label());
        let words = self.s.target.words;
        let word = Quad([words[0], words[1], words[2], words[3]]);
        let limb = |element: i32, n: i32| at(sp, 8 * n - 32 * element);
        let room = if opcode == op::MSTORE8 { offset_of!(Frame, memory_len) } else { offset_of!(Frame, memory_words) };
        let (room, memory) = (self.frame_field(room), self.frame_field(offset_of!(Frame, memory)));
        self.s.emit(load(t0, limb(1, 1)));
        for n in 2..4 {
            self.s.emit(Ins::Alu { op: AluOp::Or, flags: false, dst: t0, a: t0, b: Src::M(limb(1, n)) });
        }
        self.s.out.extend([
            Ins::Test { a: t0, b: Src::R(t0) },
            Ins::Br { cond: Cond::Ne, to: slow },
            load(t0, limb(1, 0)),
            Ins::Cmp { a: t0, b: Src::M(room) },
            Ins::Br { cond: Cond::Uge, to: slow },
            Ins::Alu { op: AluOp::Add, flags: false, dst: t0, a: t0, b: Src::M(memory) },
        ]);
        let drop = Ins::Lea { dst: sp, mem: at(sp, -64) };
        match opcode {
            op::MLOAD => self
                .s
                .out
                .extend([Ins::WLoadSwap { dst: word, mem: at(t0, 0) }, Ins::WStore { src: WSrc::Q(word), base: sp, disp: -32 }]),
            op::MSTORE => self.s.out.extend([
                Ins::WLoad { dst: word, base: sp, disp: -64 },
                Ins::WStoreSwap { src: word, mem: at(t0, 0) },
                drop,
            ]),
            _ => {
                let byte = Ins::Store { width: Width::B8, src: word.0[0], mem: at(t0, 0) };
                self.s.out.extend([load(word.0[0], limb(2, 0)), byte, drop]);
            }
        }
        let callout = match opcode {
            op::MLOAD => offset_of!(Callouts, mload),
            op::MSTORE => offset_of!(Callouts, mstore),
            _ => offset_of!(Callouts, mstore8),
        };
        self.s.out.extend([
            Ins::Ret,
            Ins::Label(slow),
            store(t1, field(self.s.target, offset_of!(Frame, scratch))),
            Ins::Imm { dst: t0, value: callout as u64 },
            Ins::Jmp(Label(FRAME_OP)),
        ]);
    }

    /// An opcode with a runtime function. What never goes on is jumped to; calls are given the next pc in the third scratch register.
    fn effect_routine(&mut self, opcode: u8, row: &Info) {
        let [t0, _, t2] = self.s.target.scratch;
        if row.class == Class::Call {
            self.s.emit(store(t2, field(self.s.target, offset_of!(Frame, pc))));
        }
        self.s.emit(Ins::Imm { dst: t0, value: frame_op(opcode) as u64 });
        self.s.emit(if row.class == Class::Effect { Ins::Jmp(Label(FRAME_OP)) } else { Ins::JmpTo { addr: self.stubs.last_op } });
    }

    /// JUMP, which is jumped to, and JUMPI, which is called and returns where it does not jump.
    fn jump_routine(&mut self, opcode: u8, versions: &Versions) {
        self.begin_routine_of(op::info(opcode), versions);
        let stays = self.label();
        let to = self.s.pop();
        self.destination_to_scratch(to);
        self.s.release(to);
        self.s.unpin();
        if opcode == op::JUMPI {
            self.s.emit(Ins::EnterStub);
            let condition = self.s.pop();
            self.test_zero(condition);
            self.s.release(condition);
            self.s.unpin();
        }
        self.s.flush(None);
        self.settle_sp();
        if opcode == op::JUMPI {
            self.s.emit(Ins::Br { cond: Cond::Eq, to: stays });
            self.s.emit(Ins::DropStub);
        }
        self.dynamic_jump();
        self.s.emit(Ins::Label(stays));
        if opcode == op::JUMPI {
            self.s.emit(Ins::LeaveStub);
        }
    }

    fn push_limb_routine(&mut self) {
        let (t0, sp) = (self.t0(), self.s.target.sp);
        self.s.out.extend([
            Ins::Label(Label(PUSH_LIMB)),
            Ins::WStore { src: WSrc::N(t0), base: sp, disp: 0 },
            Ins::Lea { dst: sp, mem: at(sp, 32) },
            Ins::Ret,
        ]);
    }

    fn condition_routine(&mut self) {
        let (t0, sp) = (self.t0(), self.s.target.sp);
        self.s.out.extend([Ins::Label(Label(CONDITION)), Ins::Lea { dst: sp, mem: at(sp, -32) }, load(t0, at(sp, 0))]);
        for n in 1..4 {
            self.s.emit(Ins::Alu { op: AluOp::Or, flags: false, dst: t0, a: t0, b: Src::M(at(sp, 8 * n)) });
        }
        self.s.emit(Ins::Ret);
    }

    fn frame_op_routine(&mut self) {
        let (target, ended) = (self.s.target, self.label());
        self.s.emit(Ins::Label(Label(FRAME_OP)));
        self.s.out.extend(stubs::frame_op(target, ended));
        self.s.out.extend([
            load(target.sp, field(target, offset_of!(Frame, sp))),
            Ins::LeaveStub,
            Ins::Label(ended),
            Ins::DropStub,
            Ins::JmpTo { addr: self.stubs.leave_as_is },
        ]);
    }

    /// Checks gas and stack, charges, and notes what ran. The bounds are in the second scratch register, if they are not known here.
    fn begin_routine(&mut self, label: u32, known: Option<[u32; 3]>) {
        let target = self.s.target;
        let [_, t1, _] = target.scratch;
        let (price, bound) = (target.words[0], target.words[1]);
        let (stack, limit) = (field(target, offset_of!(Frame, stack)), field(target, offset_of!(Frame, stack_limit)));
        let ran = field(target, offset_of!(Frame, outlined));
        let refused = self.label();
        let refuse = |cond| Ins::Br { cond, to: refused };
        self.s.out.extend([Ins::Label(Label(label)), Ins::EnterStub]);
        match known {
            Some([gas, need, _]) => {
                self.s.out.extend([Ins::Cmp { a: target.gas, b: Src::I(gas as i32) }, refuse(Cond::Slt)]);
                if need > 0 {
                    self.s.emit(Ins::Lea { dst: bound, mem: at(target.sp, -32 * need as i32) });
                    self.s.out.extend([Ins::Cmp { a: bound, b: Src::M(stack) }, refuse(Cond::Ult)]);
                }
                self.s.emit(Ins::Lea { dst: target.gas, mem: at(target.gas, -(gas as i32)) });
                self.s.emit(Ins::AluMem { op: AluOp::Add, mem: ran, src: Src::I(gas as i32) });
            }
            None => {
                // A bound in bytes: 32 is `1 << 5`.
                let bytes = |from: u8| {
                    let mask = Src::I((MAX_BOUND << 5) as i32);
                    let shift = match from {
                        0 => Ins::ShiftImm { op: ShiftOp::Shl, dst: bound, a: t1, amount: 5 },
                        from => Ins::ShiftImm { op: ShiftOp::Shr, dst: bound, a: t1, amount: from - 5 },
                    };
                    [shift, Ins::Alu { op: AluOp::And, flags: false, dst: bound, a: bound, b: mask }]
                };
                let alu = |op, dst, a, b| Ins::Alu { op, flags: false, dst, a, b: Src::R(b) };
                self.s.out.extend([
                    Ins::ShiftImm { op: ShiftOp::Shr, dst: price, a: t1, amount: 2 * BOUND_BITS },
                    Ins::Cmp { a: target.gas, b: Src::R(price) },
                    refuse(Cond::Slt),
                ]);
                self.s.out.extend(bytes(BOUND_BITS));
                self.s.out.extend([
                    alu(AluOp::Sub, bound, target.sp, bound),
                    Ins::Cmp { a: bound, b: Src::M(stack) },
                    refuse(Cond::Ult),
                ]);
                self.s.out.extend(bytes(0));
                self.s.out.extend([
                    alu(AluOp::Add, bound, bound, target.sp),
                    Ins::Cmp { a: bound, b: Src::M(limit) },
                    refuse(Cond::Ugt),
                    alu(AluOp::Sub, target.gas, target.gas, price),
                    Ins::AluMem { op: AluOp::Add, mem: ran, src: Src::R(price) },
                ]);
            }
        }
        self.s.out.extend([Ins::LeaveStub, Ins::Label(refused), Ins::DropStub, Ins::JmpTo { addr: self.stubs.interpret }]);
    }
}
