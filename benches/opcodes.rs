//! Every opcode in both engines and in revm: nanoseconds per operation and millions of gas per second, per operand size; and the functions behind
//! the heavy ones against `ruint`: `cargo bench --features revm --bench opcodes -- [name...]`. With the feature `asm-keccak`, revm hashes with OpenSSL's
//! assembly.
//!
//! An operation is the difference between two loops in a contract: one duplicates its operands, executes it and pops the result, the other
//! pops the operands. Operands come from call data, so no compiler knows them. What ends a frame is in the first loop only as part of calls, and
//! creations are in the bench `calls`.

#[path = "opcodes/functions.rs"]
mod functions;
#[allow(dead_code, reason = "shared with tests, which use the rest")]
#[path = "../tests/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with tests, which use the rest")]
#[path = "../tests/common/world.rs"]
mod world;

use ejit::adapter::BuildEjit;
use ejit::engine::{Config, Engine, Mode};
use ejit::evm::opcode::*;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::database::InMemoryDB;
use revm::primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};
use std::time::Duration;
use support::{Asm, address};

const SENDER: Address = support::CALLER;
const CONTRACT: Address = address(0xa1);
const OTHER: Address = address(0xb2);

/// Operations in one round of a loop.
const UNROLLED: u64 = 16;
/// Rounds, for operations of up to [`CHEAP`] gas; fewer for others.
const LOOPS: u64 = 1000;
const CHEAP: u64 = 200;
/// How often each program is timed; the fastest counts.
const SAMPLES: usize = 25;
/// What a client wants of its slowest operation, in millions of gas per second.
const WANTED: f64 = 250.0;
/// A quotient of two times that noise alone does not explain.
const SLOWER: f64 = 0.9;

/// An operation: what it is called, its code, its operands (the top of the stack first), how many results it leaves.
struct Case {
    name: String,
    code: Vec<u8>,
    operands: Vec<U256>,
    results: usize,
    /// Let the executor remember hashes.
    remember: bool,
}

/// Time of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn hex(text: &str) -> U256 {
    U256::from_str_radix(text, 16).expect("a number")
}

/// A word of `bits` bits without a pattern.
fn word(bits: usize, seed: u64) -> U256 {
    let mut random = support::Random::new(seed);
    (U256::from_limbs([(); 4].map(|()| random.next())) | U256::from(1) << 255) >> (256 - bits)
}

/// Moduli by what they are.
fn moduli() -> Vec<(&'static str, U256)> {
    vec![
        ("64 bits", word(64, 9)),
        ("65 bits", word(65, 9)),
        ("128 bits", word(128, 9)),
        ("129 bits", word(129, 9)),
        ("192 bits", word(192, 9)),
        ("193 bits", word(193, 9)),
        ("224 bits", word(224, 9)),
        ("250 bits", word(250, 9)),
        ("256 bits", word(256, 9)),
        ("2^256-1", U256::MAX),
        ("secp256k1", hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")),
        ("2^255-19", hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")),
        ("P-256", hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")),
        ("BN254", hex("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47")),
        ("BLS12-381", hex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")),
    ]
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, code: Vec<u8>, operands: &[U256], results: usize| {
        cases.push(Case { name, code, operands: operands.to_vec(), results, remember: false });
    };
    let u = |number: u64| U256::from(number);
    // Functions of words, by what their operands are.
    for op in [ADD, MUL, SUB, LT, GT, SLT, SGT, EQ, AND, OR, XOR] {
        for bits in [60, 256] {
            add(format!("{} {bits}", OPCODES[op as usize].name), vec![op], &[word(bits, 1), word(bits, 2)], 1);
        }
    }
    for op in [ISZERO, NOT, CLZ] {
        add(OPCODES[op as usize].name.into(), vec![op], &[word(200, 1)], 1);
    }
    for (op, first) in [(BYTE, 7), (SHL, 77), (SHR, 77), (SAR, 77), (SIGNEXTEND, 13)] {
        add(OPCODES[op as usize].name.into(), vec![op], &[u(first), word(256, 2)], 1);
    }
    for op in [DIV, SDIV, MOD, SMOD] {
        for (a, b) in [(64, 32), (128, 64), (256, 64), (256, 128), (256, 192), (255, 250)] {
            add(format!("{} {a}/{b}", OPCODES[op as usize].name), vec![op], &[word(a, 1), word(b, 2)], 1);
        }
        for (bits, digits) in [(64, 1), (64, 18), (256, 18), (256, 27)] {
            let divisor = u(10).pow(u(digits));
            let code = [vec![PUSH32], divisor.to_be_bytes_vec(), vec![SWAP1, op]].concat();
            add(format!("{} {bits}/10^{digits} constant", OPCODES[op as usize].name), code, &[word(bits, 1)], 1);
        }
    }
    for op in [ADDMOD, MULMOD] {
        for (name, n) in moduli() {
            add(format!("{} {name}", OPCODES[op as usize].name), vec![op], &[word(256, 1) % n, word(256, 2) % n, n], 1);
        }
        // The modulus in the code: pushed and put below, which counts too.
        for (name, n) in moduli() {
            let code = [vec![PUSH32], n.to_be_bytes_vec(), vec![SWAP2, op]].concat();
            add(format!("{} {name} constant", OPCODES[op as usize].name), code, &[word(256, 1) % n, word(256, 2) % n], 1);
        }
        for bits in [64, 128, 192, 224, 254] {
            add(
                format!("{} {bits} bits unreduced", OPCODES[op as usize].name),
                vec![op],
                &[word(256, 1), word(256, 2), word(bits, 3)],
                1,
            );
        }
    }
    for (name, base, exponent) in [
        ("2^200", u(2), u(200)),
        ("10^18", u(10), u(18)),
        ("256^17", u(256), u(17)),
        ("odd^3", word(256, 1) | u(1), u(3)),
        ("odd^64 bits", word(256, 1) | u(1), word(64, 2)),
        ("odd^256 bits", word(256, 1) | u(1), word(256, 2)),
    ] {
        add(format!("EXP {name}"), vec![EXP], &[base, exponent], 1);
    }
    for len in [0, 32, 64, 128, 135, 136, 1024] {
        add(format!("KECCAK256 {len}"), vec![KECCAK256], &[u(0), u(len)], 1);
    }
    // The frame and its environment.
    let only_pushes = |row: &Info| (row.inputs, row.outputs, row.immediate) == (0, 1, 0) && row.since <= SpecId::OSAKA;
    for (op, row) in (0..=255).zip(&OPCODES).filter(|(_, row)| only_pushes(row)) {
        add(row.name.into(), vec![op], &[], 1);
    }
    add("PUSH1".into(), vec![PUSH1, 1], &[], 1);
    add("PUSH32".into(), [vec![PUSH32], vec![0xab; 32]].concat(), &[], 1);
    add("DUP1".into(), vec![DUP1, POP], &[u(1)], 1);
    add("DUP2".into(), vec![DUP2, POP], &[u(1), u(2)], 2);
    add("SWAP1".into(), vec![SWAP1], &[u(1), u(2)], 2);
    add("JUMPDEST".into(), vec![JUMPDEST], &[], 0);
    add("CALLDATALOAD".into(), vec![CALLDATALOAD], &[u(0)], 1);
    add("CALLDATALOAD at the end".into(), vec![CALLDATALOAD], &[u(3)], 1);
    add("MLOAD".into(), vec![MLOAD], &[u(3)], 1);
    add("MSTORE".into(), vec![MSTORE], &[u(3), word(256, 1)], 0);
    add("MSTORE8".into(), vec![MSTORE8], &[u(3), word(256, 1)], 0);
    for len in [32, 1024] {
        for op in [CALLDATACOPY, CODECOPY, MCOPY] {
            add(format!("{} {len}", OPCODES[op as usize].name), vec![op], &[u(0), u(1), u(len)], 0);
        }
        add(format!("EXTCODECOPY {len}"), vec![EXTCODECOPY], &[OTHER.into_word().into(), u(0), u(1), u(len)], 0);
    }
    add("RETURNDATACOPY 0".into(), vec![RETURNDATACOPY], &[u(0), u(0), u(0)], 0);
    // State, warm.
    for op in [BALANCE, EXTCODESIZE, EXTCODEHASH] {
        add(OPCODES[op as usize].name.into(), vec![op], &[OTHER.into_word().into()], 1);
    }
    add("BLOCKHASH".into(), vec![BLOCKHASH], &[u(1000)], 1);
    add("BLOBHASH".into(), vec![BLOBHASH], &[u(0)], 1);
    for op in [SLOAD, TLOAD] {
        add(OPCODES[op as usize].name.into(), vec![op], &[u(5)], 1);
    }
    for op in [SSTORE, TSTORE] {
        add(OPCODES[op as usize].name.into(), vec![op], &[u(5), u(6)], 0);
    }
    for topics in 0..=4u8 {
        let operands: Vec<U256> = [u(0), u(32)].into_iter().chain((0..topics).map(|topic| u(topic.into()))).collect();
        add(format!("LOG{topics} 32"), vec![LOG0 + topics], &operands, 0);
    }
    for op in [CALL, CALLCODE, DELEGATECALL, STATICCALL] {
        let value = if matches!(op, CALL | CALLCODE) { vec![u(0)] } else { vec![] };
        let operands = [vec![u(50_000), OTHER.into_word().into()], value, vec![u(0); 4]].concat();
        add(OPCODES[op as usize].name.into(), vec![op], &operands, 1);
    }
    for len in [32, 64] {
        let operands = vec![u(0), u(len)];
        cases.push(Case { name: format!("KECCAK256 {len} known"), code: vec![KECCAK256], operands, results: 1, remember: true });
    }
    cases
}

impl Case {
    /// The loop with the operation, or with as many POPs as it has operands.
    fn program(&self, with: bool, loops: u64) -> Vec<u8> {
        let inputs = self.operands.len();
        let mut asm = Asm::new().ops(&[PUSH0]).push(0x2020).ops(&[MSTORE]);
        for i in (0..inputs).rev() {
            asm = asm.push(32 * i as u64).ops(&[CALLDATALOAD]);
        }
        let mut code = asm.push(loops).build();
        let start = code.len() as u64;
        code.push(JUMPDEST);
        for _ in 0..UNROLLED {
            code.extend(vec![DUP1 + inputs as u8; inputs]);
            match with {
                true => code.extend([self.code.clone(), vec![POP; self.results]].concat()),
                false => code.extend(vec![POP; inputs]),
            }
        }
        code.extend(Asm::new().push(1).ops(&[SWAP1, SUB, DUP1]).push(start).ops(&[JUMPI, STOP]).build());
        code
    }

    fn context(&self, with: bool, loops: u64) -> Context<revm::context::BlockEnv, TxEnv, revm::context::CfgEnv, InMemoryDB> {
        let mut db = InMemoryDB::default();
        db.insert_account_info(SENDER, AccountInfo { balance: U256::from(1u128 << 100), ..Default::default() });
        let other = Asm::new().ops(&[STOP]).ops(&[0; 100]).build();
        for (at, code) in [(CONTRACT, self.program(with, loops)), (OTHER, other)] {
            let info = AccountInfo::from_bytecode(Bytecode::new_raw(code.into()));
            db.insert_account_info(at, AccountInfo { balance: U256::from(1u64 << 40), nonce: 1, ..info });
        }
        let edit = |cfg: &mut revm::context::CfgEnv| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.disable_nonce_check = true;
            cfg.tx_gas_limit_cap = Some(u64::MAX);
        };
        Context::mainnet().modify_cfg_chained(edit).modify_block_chained(|block| block.gas_limit = u64::MAX).with_db(db)
    }

    /// Fastest times (revm, interpreted, compiled) and gas of a program; all three must agree about the outcome.
    fn run(&self, with: bool, loops: u64) -> ([f64; 3], u64) {
        let engine = |mode| Engine::new(Config { remember_hashes: self.remember, ..Config::with_mode(mode) });
        let mut revm = self.context(with, loops).build_mainnet();
        let mut off = self.context(with, loops).build_ejit(&engine(Mode::Off));
        let mut always = self.context(with, loops).build_ejit(&engine(Mode::Always));
        let input = self.input();
        let mut best = [f64::INFINITY; 3];
        let mut gas = 0;
        for round in 0..SAMPLES {
            let (times, results) = {
                let (a, x) = timed(&mut revm, &input);
                let (b, y) = timed(&mut off, &input);
                let (c, z) = timed(&mut always, &input);
                ([a, b, c], [x, y, z])
            };
            if round == 0 {
                assert!(results[0].is_success(), "{}: {:?}", self.name, results[0]);
                assert!(results[1..].iter().all(|result| *result == results[0]), "{}", self.name);
                gas = results[0].tx_gas_used();
            }
            best = std::array::from_fn(|lane| best[lane].min(times[lane]));
        }
        (best, gas)
    }

    /// Nanoseconds per operation (revm, interpreted, compiled), and its gas.
    fn measure(&self) -> ([f64; 3], u64) {
        let loops = if self.gas_of_one() > CHEAP { LOOPS / 10 } else { LOOPS };
        let (with, gas_with) = self.run(true, loops);
        let (without, gas_without) = self.run(false, loops);
        let operations = loops * UNROLLED;
        let net = std::array::from_fn(|lane| (with[lane] - without[lane]).max(0.0) / operations as f64);
        (net, self.gas(gas_with, gas_without, operations))
    }

    /// Gas of one operation, from few of them.
    fn gas_of_one(&self) -> u64 {
        let used = |with| timed(&mut self.context(with, 4).build_mainnet(), &self.input()).1.tx_gas_used();
        self.gas(used(true), used(false), 4 * UNROLLED)
    }

    /// Operands as call data.
    fn input(&self) -> Bytes {
        self.operands.iter().flat_map(|word| word.to_be_bytes::<32>()).collect()
    }

    /// Gas of one operation: the loops differ in POPs too.
    fn gas(&self, with: u64, without: u64, operations: u64) -> u64 {
        let pops = 2 * (self.operands.len() as i64 - self.results as i64);
        ((with as i64 - without as i64) as f64 / operations as f64 + pops as f64).round() as u64
    }
}

/// Runs one transaction: how many nanoseconds it took, and what it came to.
fn timed<E: ExecuteEvm<Tx = TxEnv>>(evm: &mut E, input: &Bytes) -> (f64, E::ExecutionResult)
where
    E::Error: std::fmt::Debug,
{
    let tx = TxEnv { caller: SENDER, kind: TxKind::Call(CONTRACT), gas_limit: 1 << 40, data: input.clone(), ..TxEnv::default() };
    let start = cpu_time();
    let result = evm.transact_one(tx).expect("a valid transaction");
    let took = cpu_time() - start;
    evm.finalize();
    (took.as_nanos() as f64, result)
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    functions::table(&is_wanted);
    let (mut slow, mut slower) = (Vec::new(), Vec::new());
    println!(
        "\n{:<24} {:>6} | {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} | {:>6} {:>6}",
        "opcode", "gas", "revm ns", "interp ns", "code ns", "revm Mg/s", "interp", "code", "interp", "code"
    );
    for case in cases().iter().filter(|case| is_wanted(&case.name)) {
        let (ns, gas) = case.measure();
        // Less than a tenth of a nanosecond cannot be told from nothing.
        let rate = ns.map(|ns| gas as f64 * 1000.0 / ns.max(0.1));
        let times = [1, 2].map(|lane| ns[0].max(0.1) / ns[lane].max(0.1));
        println!(
            "{:<24} {gas:>6} | {:>9.2} {:>9.2} {:>9.2} | {:>9.0} {:>9.0} {:>9.0} | {:>6.2} {:>6.2}",
            case.name, ns[0], ns[1], ns[2], rate[0], rate[1], rate[2], times[0], times[1]
        );
        if rate[1].min(rate[2]) < WANTED {
            slow.push(format!("{} ({:.0} interpreted, {:.0} compiled)", case.name, rate[1], rate[2]));
        }
        if times[0].min(times[1]) < SLOWER {
            slower.push(format!("{} ({:.2} interpreted, {:.2} compiled)", case.name, times[0], times[1]));
        }
    }
    let list = |rows: Vec<String>| if rows.is_empty() { "none".to_string() } else { rows.join(", ") };
    println!("\nbelow {WANTED} Mgas/s: {}", list(slow));
    println!("slower than revm: {}", list(slower));
}
