//! Compiling whole contracts, all versions of their blocks: nanoseconds per byte of bytecode by stage, and bytes of machine code.
//!
//! `cargo bench --bench compile -- [FILE...]`: files hold runtime bytecode in hexadecimal; without any, the fixtures' contracts are compiled.
//! The least of several rounds by one engine, which forgets the contract in between; every block with every context is compiled, also those
//! that a run would never reach.

use ejit::engine::{Config, CounterValues, Engine, Mode};
use ejit::evm::{SpecId, block::Pc, code::Code};

const ROUNDS: usize = 12;

/// Units compiled of one contract at most.
const UNITS: usize = 10_000;

/// What compiling the contract took, each stage by itself at its best.
fn measure(engine: &Engine, code: &[u8]) -> Stages {
    let mut best: Option<Stages> = None;
    for _ in 0..ROUNDS {
        let contract = engine.contract(Code::new(code), SpecId::OSAKA);
        let before = engine.counters().read();
        engine.compile_ahead(&contract, Pc(0), UNITS).expect("there is room for all rounds");
        let stages = Stages::between(before, engine.counters().read());
        best = Some(best.map_or(stages, |best| best.least(stages)));
    }
    best.expect("there are rounds")
}

#[derive(Clone, Copy)]
struct Stages {
    translate: u64,
    lower: u64,
    publish: u64,
    bytes: u64,
    native: u64,
    units: u64,
}

impl Stages {
    fn between(from: CounterValues, to: CounterValues) -> Stages {
        Stages {
            translate: to.translate_ns - from.translate_ns,
            lower: to.lower_ns - from.lower_ns,
            publish: to.publish_ns - from.publish_ns,
            bytes: to.compiled_bytes - from.compiled_bytes,
            native: to.native_bytes - from.native_bytes,
            units: to.units - from.units,
        }
    }

    fn least(self, other: Stages) -> Stages {
        Stages {
            translate: self.translate.min(other.translate),
            lower: self.lower.min(other.lower),
            publish: self.publish.min(other.publish),
            ..self
        }
    }
}

fn main() {
    let mut files: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if files.is_empty() {
        let contracts = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/contracts");
        files = ["Loops", "Token"].map(|name| format!("{contracts}/{name}.bin-runtime")).into();
    }
    let columns = ["bytes", "units", "translate", "lower", "publish", "total", "native/byte"];
    println!("{:<32} {}", "ns per byte of bytecode", columns.map(|column| format!("{column:>11}")).join(" "));
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let code = revm_primitives::hex::decode(text.trim()).expect("hexadecimal");
        let engine = Engine::new(Config { arena_bytes: 256 << 20, ..Config::with_mode(Mode::Always) });
        let stages = measure(&engine, &code);
        let per_byte = |ns: u64| format!("{:>11.1}", ns as f64 / stages.bytes as f64);
        let total = stages.translate + stages.lower + stages.publish;
        let times = [stages.translate, stages.lower, stages.publish, total, stages.native].map(per_byte);
        let name = file.rsplit('/').next().unwrap_or(&file);
        println!("{name:<32} {:>11} {:>11} {}", stages.bytes, stages.units, times.join(" "));
    }
}
