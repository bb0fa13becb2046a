//! `ejit run`: one message call.

use super::args::{self, CodeArgs, Jit};
use super::clock::{Clock, median};
use super::failure::{Failure, Result};
use super::json::{self, Node};
use super::machine::{Call, Ending, Machine, Outcome, run_inspected};
use super::prestate::{Account, Prestate};
use super::stats;
use crate::engine::{Config, CounterValues, Engine};
use clap::Args;
use revm::{
    inspector::inspectors::TracerEip3155,
    primitives::{Address, Bytes, TxKind, U256, address},
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a caller that is in no prestate owns: a million ether.
const CALLER_BALANCE: U256 = U256::from_limbs([0x1bce_cced_a100_0000, 0xd3c2, 0, 0]);
/// How long `--bench` measures.
const BENCH_TIME: Duration = Duration::from_secs(1);

/// Arguments of `ejit run`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ejit run 600160020160005260206000f3
  ejit run --code-file Token.bin-runtime --input 0x18160ddd --storage 2=1000
  echo 5f5ffd | ejit run - --jit always
  ejit run --prestate alloc.json --to 0xcccccccccccccccccccccccccccccccccccccccc --trace
Exit codes: 0 success, 1 revert or halt, 2 usage or bad input.")]
pub struct RunArgs {
    #[command(flatten)]
    code: CodeArgs,
    /// Call data in hex
    #[arg(long, value_name = "HEX", default_value = "")]
    input: String,
    /// Gas of the call
    #[arg(long, default_value = "10000000000")]
    gas: String,
    /// The rules
    #[arg(long, default_value = "Osaka")]
    fork: String,
    /// Wei sent along
    #[arg(long, value_name = "WEI", default_value = "0")]
    value: String,
    /// Who calls; when it is not in the prestate, it owns a million ether
    #[arg(long, value_name = "ADDRESS", default_value_t = address!("1111111111111111111111111111111111111111").to_string())]
    caller: String,
    /// Whom it calls: the account that the code is put into
    #[arg(long, value_name = "ADDRESS", default_value_t = address!("cccccccccccccccccccccccccccccccccccccccc").to_string())]
    to: String,
    /// Storage of the called account; decimal or 0x numbers, repeatable
    #[arg(long, value_name = "K=V", num_args = 1..)]
    storage: Vec<String>,
    /// Accounts before the call: a geth `alloc` object, or a genesis file with one
    #[arg(long, value_name = "FILE")]
    prestate: Option<PathBuf>,
    /// The code is init code: create a contract, with the input appended to it
    #[arg(long, conflicts_with = "to")]
    create: bool,
    /// The engine
    #[arg(long, value_enum, default_value = "tiered", value_name = "MODE")]
    jit: Jit,
    /// Print EIP-3155 lines on standard error; executes in revm's own loop
    #[arg(long)]
    trace: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Print what the engine counts in one run more, on a new engine: what it looked up, compiled and left, and the instructions interpreted and
    /// compiled
    #[arg(long, conflicts_with = "trace")]
    stats: bool,
    /// Measure against revm, pair by pair
    #[arg(long, conflicts_with = "trace")]
    bench: bool,
}

/// Executes the call and prints what came of it.
pub fn run(args: &RunArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let call = call(args)?;
    let (outcome, timing) = match (args.trace, args.bench) {
        (true, _) => (trace(&call)?, None),
        (false, false) => (Machine::new(&call, args.jit).run()?, None),
        (false, true) => measure(&call, args.jit)?,
    };
    let counted = if args.stats { Some(count(&call, args.jit)?) } else { None };
    if args.json {
        writeln!(out, "{}", to_json(args, &outcome, timing.as_ref(), counted.as_ref()))?;
    } else {
        print(&outcome, timing.as_ref(), out)?;
        if let Some(values) = counted {
            write!(out, "{values}")?;
        }
    }
    Ok(if outcome.ending == Ending::Success { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What an engine counts in one run; nothing, if the run is revm's own.
fn count(call: &Call, jit: Jit) -> Result<CounterValues> {
    let engine = jit.config().map(|config| Engine::new(Config { count: true, ..config }));
    let mut machine = engine.map_or_else(|| Machine::revm(call), |engine| Machine::ejit(call, &engine));
    machine.run()?;
    Ok(machine.into_counters())
}

/// The call that the arguments describe.
fn call(args: &RunArgs) -> Result<Call> {
    let at = |option: &'static str| move |failure: Failure| failure.within(option);
    let caller = args::address(&args.caller).map_err(at("--caller"))?;
    let to = args::address(&args.to).map_err(at("--to"))?;
    let value = args::number(&args.value).map_err(at("--value"))?;
    let input = args::hex(&args.input).map_err(at("--input"))?;
    let code = args.code.read()?;
    let mut prestate = args.prestate.as_deref().map_or(Ok(Prestate::default()), read_prestate)?;
    let (kind, input) = match (args.create, code) {
        (true, None) => return Err(Failure::input("--create: no init code given")),
        (true, Some(init)) => (TxKind::Create, Bytes::from([init, input].concat())),
        (false, code) => {
            place_code(&mut prestate, to, code)?;
            (TxKind::Call(to), input)
        }
    };
    for text in &args.storage {
        let (key, value) = args::slot(text).map_err(at("--storage"))?;
        prestate.set_storage(to, key, value);
    }
    prestate.accounts.entry(caller).or_insert_with(|| Account { balance: CALLER_BALANCE.max(value), ..Account::default() });
    Ok(Call {
        fork: args::fork(&args.fork)?,
        block: Call::default_block(),
        chain_id: 1,
        gas_price: 0,
        caller,
        kind,
        value,
        input,
        gas: args::number64(&args.gas).map_err(at("--gas"))?,
        prestate: Arc::new(prestate),
    })
}

/// Puts the code into the called account; without code, the account must be in the prestate.
fn place_code(prestate: &mut Prestate, to: Address, code: Option<Bytes>) -> Result<()> {
    match code {
        Some(code) => prestate.set_code(to, code),
        None if prestate.accounts.contains_key(&to) => {}
        None => {
            return Err(Failure::input(
                "no code: give it in hex, with --code-file, `-` for standard input, or --prestate with --to",
            ));
        }
    }
    Ok(())
}

fn read_prestate(path: &Path) -> Result<Prestate> {
    let value = json::read(path)?;
    let file = path.display().to_string();
    let root = Node::root(&value, &file);
    let alloc = root.get("alloc").unwrap_or(root);
    Prestate::from_alloc(&alloc)
}

/// Executes in revm's loop, each step a line on standard error, and the line that ends an EIP-3155 trace.
fn trace(call: &Call) -> Result<Outcome> {
    let tracer = TracerEip3155::buffered(io::stderr()).without_summary();
    let (outcome, _) = run_inspected(call, tracer)?;
    let summary = json!({
        "output": outcome.output,
        "gasUsed": format!("{:#x}", outcome.gas_used),
        "pass": outcome.ending == Ending::Success,
        "fork": evm_tests::fork::name(call.fork),
    });
    writeln!(io::stderr(), "{summary}")?;
    Ok(outcome)
}

/// Median times of a run, in nanoseconds.
#[derive(Clone, Debug)]
struct Timing {
    revm_ns: f64,
    ejit_ns: f64,
    runs: usize,
}

/// Runs revm and the chosen engine in turn, from the same state, and takes the medians.
fn measure(call: &Call, jit: Jit) -> Result<(Outcome, Option<Timing>)> {
    let time = |machine: &mut Machine, clock: Clock| -> Result<f64> {
        let frame = machine.first_frame()?;
        let (result, ns) = clock.time(|| machine.execute(frame));
        result?;
        machine.reset();
        Ok(ns)
    };
    let mut machines = [Machine::revm(call), Machine::new(call, jit)];
    machines[0].run()?;
    let outcome = machines[1].run()?;
    let wall = Clock::wall();
    let clock = Clock::for_runs_of(time(&mut machines[0], wall)?, wall);
    let mut times = [Vec::new(), Vec::new()];
    let start = Instant::now();
    while times[0].len() < 3 || (start.elapsed() < BENCH_TIME && times[0].len() < 100_000) {
        for (machine, times) in machines.iter_mut().zip(&mut times) {
            times.push(time(machine, clock)?);
        }
    }
    let runs = times[0].len();
    let [revm_ns, ejit_ns] = times.map(|mut times| median(&mut times));
    Ok((outcome, Some(Timing { revm_ns, ejit_ns, runs })))
}

fn print(outcome: &Outcome, timing: Option<&Timing>, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "output    {}", outcome.output)?;
    if let Some(created) = outcome.created {
        writeln!(out, "created   {created}")?;
    }
    for log in &outcome.logs {
        writeln!(out, "log       {} topics {:?} data {}", log.address, log.topics(), log.data.data)?;
    }
    let refund = if outcome.gas_refund == 0 { String::new() } else { format!(" (refund counter {})", outcome.gas_refund) };
    writeln!(out, "gas used  {}{refund}", outcome.gas_used)?;
    writeln!(out, "status    {}", outcome.status)?;
    if let Some(timing) = timing {
        let ratio = timing.revm_ns / timing.ejit_ns;
        writeln!(
            out,
            "time      {:.0} ns; revm {:.0} ns; {ratio:.2} times as fast ({} pairs)",
            timing.ejit_ns, timing.revm_ns, timing.runs
        )?;
    }
    Ok(())
}

fn to_json(args: &RunArgs, outcome: &Outcome, timing: Option<&Timing>, counted: Option<&CounterValues>) -> Value {
    let log = |log: &revm::primitives::Log| json!({"address": log.address, "topics": log.topics(), "data": log.data.data});
    let mut object = json!({
        "status": outcome.status,
        "output": outcome.output,
        "gas_used": outcome.gas_used,
        "gas_refund": outcome.gas_refund,
        "created": outcome.created,
        "logs": outcome.logs.iter().map(log).collect::<Vec<_>>(),
        "jit": if args.trace { Jit::Revm.name() } else { args.jit.name() },
    });
    if let Some(timing) = timing {
        object["bench"] = json!({
            "revm_ns": timing.revm_ns,
            "ejit_ns": timing.ejit_ns,
            "ratio": timing.revm_ns / timing.ejit_ns,
            "pairs": timing.runs,
        });
    }
    if let Some(values) = counted {
        object["stats"] = stats::json(values);
    }
    object
}
