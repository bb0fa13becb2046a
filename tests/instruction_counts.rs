//! How many machine instructions compiled code executes on each target: the lengths of the blocks, from lowering for both targets on this
//! host, times how often each block is entered, from a trace of revm. What runs out of line and inside runtime functions is left out.
//!
//! `EJIT_WORKLOADS` names a directory of workloads to count besides those of the repository; with a manifest, those marked `core`.

use ejit::cli::json;
use ejit::cli::machine::{CallContext, run_inspected};
use ejit::cli::workload::{Workload, find};
use ejit::evm::block::Pc;
use ejit::evm::{SpecId, code::Code, fork::schedule};
use ejit::ir::{Ins, Label};
use ejit::lower::{LowerError, aarch64, x86_64};
use ejit::translate::{AARCH64, CodeMap, Options, Refusal, Stubs, Target, Translator, X86_64, stubs};
use revm::Inspector;
use revm::interpreter::{Interpreter, interpreter::EthInterpreter, interpreter_types::Jumps};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Executed instructions on aarch64 over those on x86-64, at most.
const LIMIT: f64 = 1.25;
/// Likewise where the work is cryptography: long products, which x86-64 has instructions with memory operands for.
const LIMIT_CRYPTO: f64 = 1.5;

/// A code and how often each of its instructions was executed, in the order of their first execution.
#[derive(Default)]
struct Executed {
    code: Vec<u8>,
    order: Vec<u32>,
    counts: HashMap<u32, u64>,
}

#[derive(Default)]
struct Trace(BTreeMap<[u8; 32], Executed>);

impl Inspector<CallContext, EthInterpreter> for Trace {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CallContext) {
        let pc = interpreter.bytecode.pc() as u32;
        let hash = interpreter.bytecode.get_or_calculate_hash().0;
        let code = interpreter.bytecode.original_byte_slice();
        let executed = self.0.entry(hash).or_insert_with(|| Executed { code: code.to_vec(), ..Executed::default() });
        let count = executed.counts.entry(pc).or_default();
        if *count == 0 {
            executed.order.push(pc);
        }
        *count += 1;
    }
}

/// Where code would be in an arena, with its link slots behind.
struct Places {
    compiled: HashMap<Pc, u64>,
    slots: HashMap<Pc, u64>,
}

const BASE: u64 = 0x10_0000_0000;
const SLOTS: u64 = BASE + (64 << 20);

impl CodeMap for Places {
    fn address(&self, pc: Pc) -> Option<u64> {
        self.compiled.get(&pc).copied()
    }

    fn slot(&mut self, pc: Pc) -> Result<(u64, bool), Refusal> {
        let next = SLOTS + 8 * self.slots.len() as u64;
        let slot = *self.slots.entry(pc).or_insert(next);
        Ok((slot, slot == next))
    }
}

/// A target: its description, its lowering (bytes, and where labels are), and how many instructions bytes are.
struct Side {
    target: &'static Target,
    lower: fn(&[Ins], u64, &[Label]) -> Result<(Vec<u8>, Vec<u32>), LowerError>,
    count: fn(&[u8]) -> u64,
}

macro_rules! lower {
    ($target:ident) => {
        |ins, base, labels| {
            let mut lowerer = $target::Lowerer::new($target::Features::all());
            let mut bytes = Vec::new();
            lowerer.lower(ins, base, &mut bytes)?;
            let offsets = labels.iter().map(|&label| lowerer.label_offset(label).expect("it is bound"));
            Ok((bytes, offsets.collect()))
        }
    };
}

const SIDES: [Side; 2] = [
    Side { target: &X86_64, lower: lower!(x86_64), count: |bytes| iced_x86::Decoder::new(64, bytes, 0).into_iter().count() as u64 },
    Side { target: &AARCH64, lower: lower!(aarch64), count: |bytes| bytes.len() as u64 / 4 },
];

/// Whether control never goes on behind it.
fn ends(ins: &Ins) -> bool {
    matches!(ins, Ins::Jmp(_) | Ins::JmpTo { .. } | Ins::JmpSlot { .. } | Ins::JmpReg(_) | Ins::JmpMem(_) | Ins::Trap)
}

/// Instructions executed of one code, compiled block by block as they are reached.
fn executed(side: &Side, executed: &Executed, fork: SpecId) -> u64 {
    let fixed = stubs(side.target);
    let names: Vec<Label> = (0..8).map(Label).collect();
    let (bytes, offsets) = (side.lower)(&fixed, BASE, &names).expect("the stubs can be lowered");
    let fixed = Stubs::resolve(|label| BASE + u64::from(offsets[label.0 as usize]));
    let mut translator = Translator::new(side.target, fixed, Options { count: false });
    let mut places = Places { compiled: HashMap::new(), slots: HashMap::new() };
    let mut next = BASE + bytes.len().next_multiple_of(16) as u64;
    let code = Code::new(&executed.code);
    let mut covered = HashSet::new();
    let mut total = 0;
    for &pc in &executed.order {
        if covered.contains(&pc) {
            continue;
        }
        translator.annotate();
        let Ok(unit) = translator.translate(&code, schedule(fork), Pc(pc), &mut places) else {
            covered.insert(pc);
            continue;
        };
        // The last block ends where control does not go on; what follows is out of line.
        let mut ins = unit.ins.to_vec();
        let last = unit.blocks.last().expect("a unit has a block").1;
        let start = ins.iter().position(|&i| i == Ins::Label(last)).expect("it is bound");
        let length = ins[start..].iter().position(ends).expect("a block ends") + 1;
        let labels = ins.iter().filter_map(|i| if let Ins::Label(label) = i { Some(label.0) } else { None });
        let end = Label(labels.max().expect("there are labels") + 1);
        ins.insert(start + length, Ins::Label(end));
        let marks: Vec<Label> = unit.blocks.iter().map(|&(_, label)| label).chain([end]).collect();
        let (bytes, offsets) = (side.lower)(&ins, next, &marks).expect("a unit can be lowered");
        for (i, &(pc, _)) in unit.blocks.iter().enumerate() {
            let entered = executed.counts.get(&pc.0).copied().unwrap_or(0);
            total += entered * (side.count)(&bytes[offsets[i] as usize..offsets[i + 1] as usize]);
            places.compiled.insert(pc, next + u64::from(offsets[i]));
        }
        covered.extend(unit.notes.iter().map(|(_, pc)| pc.0));
        covered.extend(unit.blocks.iter().map(|(pc, _)| pc.0));
        // Instructions that only end a block have no notes: jumps, calls, halts follow the last that has one, if any.
        for &(pc, _) in unit.blocks {
            let block = ejit::evm::block::Block::scan(code.padded(), code.bytes().len(), pc, schedule(fork), usize::MAX);
            covered.extend(block.start.0..block.end.0);
        }
        next += bytes.len().next_multiple_of(16) as u64;
    }
    total
}

/// The repository's workloads, and those of the directory that the environment names.
fn workloads() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workloads");
    let mut all = find(&[own]).expect("the repository's workloads");
    if let Some(folder) = std::env::var_os("EJIT_WORKLOADS").map(PathBuf::from) {
        let manifest = json::read(&folder.join("manifest.json")).expect("a manifest");
        let rows = manifest["workloads"].as_array().expect("a list of workloads").clone();
        let core = rows.iter().filter(|row| row["core"] == true).map(|row| row["name"].as_str().expect("a name").to_string());
        all.extend(core.map(|name| folder.join(name + ".json")));
    }
    all
}

#[test]
fn aarch64_executes_few_more_instructions() {
    let mut over = Vec::new();
    println!("{:<32} {:>12} {:>12} {:>6}", "workload", "x86-64", "aarch64", "ratio");
    for path in workloads() {
        let workload = Workload::load(&path).expect("a workload");
        let (_, trace) = run_inspected(&workload.call, Trace::default()).expect("it runs");
        let [x86, arm] = SIDES.map(|side| trace.0.values().map(|code| executed(&side, code, workload.call.fork)).sum::<u64>());
        let ratio = arm as f64 / x86 as f64;
        println!("{:<32} {x86:>12} {arm:>12} {ratio:>6.3}", workload.name);
        assert!(x86 > 0, "{}: nothing was compiled", workload.name);
        if ratio > if workload.kind == "crypto" { LIMIT_CRYPTO } else { LIMIT } {
            over.push(workload.name);
        }
    }
    assert!(over.is_empty(), "too many instructions: {over:?}");
}
