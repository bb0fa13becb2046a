//! Stage "analyse": raw bytes to jump destinations, ours against revm's, on ordinary and hostile code.
//!
//!     cargo bench --bench analyse --features revm
//!     EJIT_WORKLOADS=folder cargo bench ...      # also the contract codes in a folder of workload files
//!
//! `complete` finds every destination of the code; `copy_and_complete` constructs `Code` first, which pads by copying, as `revm` does;
//! `copy_and_first_jump` goes only as far as a jump to the middle of the code; `from_revm` takes revm's finished map. Codes are
//! 24,576 bytes unless the label says otherwise.

use divan::{Bencher, counter::BytesCount};
use ejit::evm::code::Code;
use std::{fmt, path::Path, sync::LazyLock};

/// Ethereum's largest contract (EIP-170).
const LEN: usize = 0x6000;

fn main() {
    divan::main();
}

/// A code to analyse, by name.
struct Input {
    name: String,
    code: Vec<u8>,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

static INPUTS: LazyLock<Vec<Input>> = LazyLock::new(|| {
    let repeat =
        |name: &str, pattern: &[u8]| Input { name: name.into(), code: pattern.iter().copied().cycle().take(LEN).collect() };
    let mut inputs = vec![
        repeat("zeros", &[0]),
        repeat("jumpdest", &[0x5b]),
        repeat("push1", &[0x60]),
        repeat("push2", &[0x61]),
        repeat("push32", &[0x7f]),
        repeat("push1_jumpdest", &[0x60, 0x5b]),
        repeat("push1_jumpdest_jumpdest", &[0x60, 0x5b, 0x5b]),
        repeat("push32_jumpdest", &[0x7f, 0x5b]),
        random("random_bytes", |byte| byte),
        random("random_pushes", |byte| 0x60 | byte & 31),
        random("random_short", |byte| [0x5b, 0x60, 0x61, 0x01][byte as usize % 4]),
    ];
    match std::env::var_os("EJIT_WORKLOADS") {
        Some(folder) => inputs.extend(contracts(Path::new(&folder))),
        None => eprintln!("EJIT_WORKLOADS names no folder of workload files: ordinary code is not measured"),
    }
    inputs
});

fn random(name: &str, byte: impl Fn(u8) -> u8) -> Input {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        byte((state >> 56) as u8)
    };
    Input { name: name.into(), code: (0..LEN).map(|_| next()).collect() }
}

/// The codes of a folder's workload files, those of 2 KB and more: each longest first by itself, then all of them in a row.
fn contracts(folder: &Path) -> Vec<Input> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<Input> = files.filter_map(|file| contract(&file.expect("a readable folder").path())).collect();
    inputs.sort_by_key(|input| (usize::MAX - input.code.len(), input.name.clone()));
    let all = Input { name: format!("all {} contracts", inputs.len()), code: inputs.iter().flat_map(|i| i.code.clone()).collect() };
    inputs.truncate(8);
    inputs.push(all);
    inputs
}

fn contract(path: &Path) -> Option<Input> {
    let text = std::fs::read_to_string(path).ok().filter(|_| path.extension().is_some_and(|end| end == "json"))?;
    let code = text.split("\"code\": \"0x").nth(1)?.split('"').next()?;
    let code: Vec<u8> = code
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let name = path.file_stem()?.to_string_lossy().into_owned();
    (code.len() >= 2048).then(|| Input { name: format!("{name} ({} B)", code.len()), code })
}

/// Code with one more JUMPDEST byte at its end, so that there is a jump for which everything must be known.
fn with_last_destination(input: &Input) -> Vec<u8> {
    [&input.code[..], &[0x5b]].concat()
}

#[divan::bench(args = INPUTS.iter())]
fn complete(bencher: Bencher, input: &Input) {
    let raw = with_last_destination(input);
    let last = raw.len() as u64 - 1;
    bencher.counter(BytesCount::of_slice(&raw)).with_inputs(|| Code::new(&raw)).bench_refs(|code| code.is_jump_destination(last));
}

#[divan::bench(args = INPUTS.iter())]
fn copy_and_complete(bencher: Bencher, input: &Input) {
    let raw = with_last_destination(input);
    let last = raw.len() as u64 - 1;
    bencher.counter(BytesCount::of_slice(&raw)).bench(|| {
        let code = Code::new(&raw);
        (code.is_jump_destination(last), code)
    });
}

#[divan::bench(args = INPUTS.iter())]
fn copy_and_first_jump(bencher: Bencher, input: &Input) {
    let mut raw = input.code.clone();
    let middle = raw.len() / 2;
    raw[middle] = 0x5b;
    bencher.counter(BytesCount::of_slice(&raw)).bench(|| {
        let code = Code::new(&raw);
        (code.is_jump_destination(middle as u64), code)
    });
}

/// What revm does with raw bytes: pad by copying, find all destinations.
#[cfg(feature = "revm")]
#[divan::bench(args = INPUTS.iter())]
fn revm(bencher: Bencher, input: &Input) {
    use revm::{bytecode::Bytecode, primitives::Bytes};
    let raw = Bytes::from(with_last_destination(input));
    bencher.counter(BytesCount::of_slice(&raw)).bench(|| Bytecode::new_legacy(raw.clone()));
}

/// `Code` from revm's analysed bytecode: bytes and map are borrowed.
#[cfg(feature = "revm")]
#[divan::bench(args = INPUTS.iter())]
fn from_revm(bencher: Bencher, input: &Input) {
    use revm::{bytecode::Bytecode, primitives::Bytes};

    struct Table(Bytecode);
    impl AsRef<[u8]> for Table {
        fn as_ref(&self) -> &[u8] {
            self.0.legacy_jump_table().map_or(&[], |table| table.as_slice())
        }
    }
    let bytecode = Bytecode::new_legacy(Bytes::from(input.code.clone()));
    bencher
        .counter(BytesCount::of_slice(&input.code))
        // SAFETY: revm has padded it for execution.
        .bench(|| unsafe { Code::from_runnable(bytecode.bytes(), bytecode.len()) }.with_jump_destinations(Table(bytecode.clone())));
}
