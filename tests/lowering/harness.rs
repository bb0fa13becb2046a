//! Runs a stream natively and in the evaluator on the same memory image, and compares registers, flags and memory.

use crate::generate::Rng;
use ejit::arena::{Arena, call};
use ejit::ir::{Cond, Ins, MAX_REGISTERS, Machine, Mem, R, Role, Width, check, verify};
use ejit::lower::{Features, Lowerer, REGISTERS};

/// The context in bytes: registers in, registers out, conditions out, scratch memory.
const OUT: usize = 8 * MAX_REGISTERS;
const CONDS_OUT: usize = 2 * OUT;
pub const SCRATCH: usize = CONDS_OUT + 8 * 16;
pub const SCRATCH_BYTES: usize = 512;
const BYTES: usize = SCRATCH + SCRATCH_BYTES;

#[rustfmt::skip]
pub const CONDS: [Cond; 14] = [
    Cond::Eq, Cond::Ne, Cond::Ult, Cond::Ule, Cond::Ugt, Cond::Uge, Cond::Slt, Cond::Sle, Cond::Sgt, Cond::Sge,
    Cond::Overflow, Cond::NoOverflow, Cond::Neg, Cond::NotNeg,
];

const CODE_BYTES: usize = 1 << 20;

/// A stream under construction, with the state it has led to.
pub struct Case {
    /// Where the context is, for native code and evaluator alike.
    memory: Vec<u64>,
    pub machine: Machine,
    pub context: R,
    pub body: Vec<Ins>,
    /// Registers that hold rubbish.
    undefined: Vec<R>,
    pub features: Features,
}

impl Case {
    pub fn random(rng: &mut Rng) -> Case {
        let context = R(rng.below(REGISTERS as u64) as u8);
        Case::new(rng, context)
    }

    /// One whose context register is none of these.
    pub fn random_avoiding(rng: &mut Rng, used: &[R]) -> Case {
        loop {
            let context = R(rng.below(REGISTERS as u64) as u8);
            if !used.contains(&context) {
                return Case::new(rng, context);
            }
        }
    }

    fn new(rng: &mut Rng, context: R) -> Case {
        let memory: Vec<u64> = (0..BYTES / 8).map(|_| rng.value()).collect();
        let base = memory.as_ptr() as u64;
        let mut machine = Machine::new(memory.iter().flat_map(|word| word.to_le_bytes()).collect(), base);
        machine.regs[..REGISTERS as usize].copy_from_slice(&memory[..REGISTERS as usize]);
        machine.regs[context.0 as usize] = base;
        let features = rng.features();
        Case { memory, machine, context, body: Vec::new(), undefined: Vec::new(), features }
    }

    pub fn context_address(&self) -> u64 {
        self.machine.base
    }

    /// Appends an instruction if it is allowed here; says whether it was.
    pub fn push(&mut self, ins: Ins) -> bool {
        let mut bad = check(&ins, REGISTERS).is_err();
        ins.registers(|role, r| match role {
            Role::Read => bad |= self.undefined.contains(&r),
            Role::Write | Role::Temp => bad |= r == self.context,
        });
        if bad {
            return false;
        }
        let mut after = self.machine.clone();
        if after.run(&[ins, Ins::Ret], 2).is_err() || after.memory[..SCRATCH] != self.machine.memory[..SCRATCH] {
            return false;
        }
        ins.registers(|role, r| match role {
            Role::Read => {}
            Role::Write => self.undefined.retain(|&u| u != r),
            Role::Temp => self.undefined.push(r),
        });
        self.machine = after;
        self.body.push(ins);
        true
    }

    fn slot(&self, offset: usize) -> Mem {
        Mem { base: self.context, index: None, shift: 0, disp: offset as i32 }
    }

    /// The body between loads of all registers and stores of all results.
    fn stream(&self) -> Vec<Ins> {
        let registers = || (0..REGISTERS).map(R).filter(|&r| r != self.context);
        let place = |r: R, from: usize| self.slot(from + 8 * r.0 as usize);
        let mut ins = vec![Ins::Enter, Ins::Mov { dst: self.context, src: R(0) }];
        ins.extend(registers().map(|r| Ins::Load { width: Width::B64, signed: false, dst: r, mem: place(r, 0) }));
        ins.extend(&self.body);
        ins.extend(registers().map(|r| Ins::Store { width: Width::B64, src: r, mem: place(r, OUT) }));
        let spare = registers().next().unwrap();
        for (i, cond) in CONDS.into_iter().enumerate() {
            if self.machine.flags.holds(cond).is_some() {
                ins.push(Ins::Set { cond, dst: spare });
                ins.push(Ins::Store { width: Width::B64, src: spare, mem: self.slot(CONDS_OUT + 8 * i) });
            }
        }
        ins.push(Ins::Leave);
        ins
    }

    /// What memory holds when all has gone well.
    fn expected(&self) -> Vec<u64> {
        let words = self.machine.memory.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        let mut words: Vec<u64> = words.collect();
        for r in 0..REGISTERS as usize {
            if R(r as u8) != self.context {
                words[OUT / 8 + r] = self.machine.regs[r];
            }
        }
        for (i, cond) in CONDS.into_iter().enumerate() {
            if let Some(holds) = self.machine.flags.holds(cond) {
                words[CONDS_OUT / 8 + i] = holds as u64;
            }
        }
        words
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self.body.iter().map(|ins| format!("    {ins}\n")).collect();
        format!("context {}, {:?}\n{}", self.context, self.features, lines.concat())
    }
}

pub struct Harness {
    arena: Arena,
    code: Vec<u8>,
}

impl Harness {
    pub fn new() -> Harness {
        Harness { arena: Arena::new(CODE_BYTES, 0).unwrap(), code: Vec::new() }
    }

    pub fn check(&mut self, case: &Case) {
        let ins = case.stream();
        verify(&ins, REGISTERS).unwrap();
        let mut lowerer = Lowerer::new(case.features);
        self.code.clear();
        lowerer.lower(&ins, self.arena.next_address(), &mut self.code).unwrap();
        decode_all(&self.code[..lowerer.instruction_bytes()]);
        let entry = self.arena.publish(&self.code).unwrap_or_else(|_| {
            // None of these streams depends on where it lies.
            self.arena = Arena::new(CODE_BYTES, 0).unwrap();
            self.arena.publish(&self.code).unwrap()
        });
        let mut seen = case.memory.clone();
        // The context lies where the addresses in registers and immediates say.
        let expected = case.expected();
        let context = case.memory.as_ptr() as *mut u64;
        // SAFETY: the stream returns, saves what it must, and accesses the context alone, which outlives the call. Nobody else looks
        // at the context meanwhile; it is put back as it was.
        unsafe {
            call(entry, &[context as u64]);
            for (i, word) in seen.iter_mut().enumerate() {
                core::ptr::swap(word, context.add(i));
            }
        }
        for (i, (&seen, &expected)) in seen.iter().zip(&expected).enumerate() {
            let undefined = case.undefined.iter().any(|r| OUT / 8 + r.0 as usize == i);
            assert!(undefined || seen == expected, "word {i}: {seen:#x}, expected {expected:#x}\n{}", case.text());
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub fn decode_all(code: &[u8]) {
    use yaxpeax_arch::{Decoder, U8Reader};
    let decoder = yaxpeax_arm::armv8::a64::InstDecoder::default();
    for word in code.chunks(4) {
        assert!(decoder.decode(&mut U8Reader::new(word)).is_ok(), "{word:02x?} in {code:02x?}");
    }
}

#[cfg(target_arch = "x86_64")]
pub fn decode_all(code: &[u8]) {
    use iced_x86::{Decoder, DecoderOptions};
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    while decoder.can_decode() {
        assert!(!decoder.decode().is_invalid(), "{code:02x?}");
    }
}
