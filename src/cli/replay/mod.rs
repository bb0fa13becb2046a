//! `ejit replay`: blocks, executed by revm and by ejit in each mode, transaction by transaction; `ejit block` makes such blocks of workloads.

mod block;
mod generate;
mod lane;

pub use generate::BlockArgs;
pub use generate::run as run_block;

use super::args::Jit;
use super::clock::median;
use super::failure::{Failure, Result};
use crate::engine::Engine;
use block::Block;
use clap::Args;
use lane::{Lane, Took};
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Arguments of `ejit replay`.
#[derive(Args, Debug)]
#[command(
    after_help = "Each file holds a block: its fields are those of Ethereum's blockchain tests (`pre`, `blockHeader`, `transactions`
with `sender`), and `fork` and `name` besides. The block is first executed once in every mode, and each transaction's result
and changes of state must be revm's. Then it is timed, the modes in turn: each transaction from validation to the
changes in a database in memory, whose codes are analysed before.

`first` is the block on a new engine that has seen nothing; `again` the same block on the same engine later. `limit` is how
much faster the block would be if the execution loop (frames, instructions, state, precompiles) took no time.

Examples:
  ejit block fixtures/workloads --transactions 200 > block.json
  ejit replay block.json
  ejit replay block.json --json --rounds 50"
)]
pub struct ReplayArgs {
    /// Block files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON object per block
    #[arg(long)]
    json: bool,
    /// Executions of the block in each mode that are timed
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
}

/// The modes that are timed beside revm.
const MODES: [Jit; 3] = [Jit::Off, Jit::Always, Jit::Tiered];
/// Executions on an engine before `again` is timed.
const WARM_UP: usize = 5;

/// What a block took in one mode, in nanoseconds.
#[derive(Debug, Default)]
struct Figures {
    /// All transactions: the median over the rounds.
    total: f64,
    /// The execution loops in it.
    execution: f64,
    /// Median, 90th and 99th percentile of the transactions, each at its own median over the rounds.
    percentiles: [f64; 3],
}

/// Checks and times each block, and prints the figures.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<ExitCode> {
    for path in &args.files {
        let block = Block::load(path)?;
        verify(&block).map_err(|failure| failure.within(path.display()))?;
        let report = measure(&block, args.rounds.max(1))?;
        if args.json {
            writeln!(out, "{report}")?;
        } else {
            print(&block, &report, out)?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Executes the block in every mode, and `check`; the first transaction that is not revm's fails.
fn verify(block: &Block) -> Result<()> {
    let engines: Vec<(Jit, Engine)> =
        MODES.into_iter().chain([Jit::Check]).filter_map(|jit| Some((jit, Engine::new(jit.config()?)))).collect();
    let mut revm = Lane::new(block, None);
    let mut lanes: Vec<(Jit, Lane)> = engines.iter().map(|(jit, engine)| (*jit, Lane::new(block, Some(engine)))).collect();
    for (number, tx) in block.transactions.iter().enumerate() {
        let named = |failure: Failure| failure.within(format_args!("transaction {number}"));
        let expected = revm.outcome(tx).map_err(named)?;
        for (jit, lane) in &mut lanes {
            let got = lane.outcome(tx).map_err(named)?;
            if got != expected {
                let message = format_args!("{}: result or state is not revm's: {:?} for {:?}", jit.name(), got.0, expected.0);
                return Err(named(Failure::input(message)));
            }
        }
    }
    Ok(())
}

/// Times of all transactions, by round.
type Rounds = Vec<Vec<Took>>;

/// One execution of the whole block.
fn execute(lane: &mut Lane, block: &Block) -> Result<Vec<Took>> {
    lane.rewind(block);
    block.transactions.iter().map(|tx| lane.transact(tx)).collect()
}

/// Times the block in every mode: `rounds` times each on new engines, and on engines that know it.
fn measure(block: &Block, rounds: usize) -> Result<Value> {
    let engine = |jit: Jit| jit.config().map(Engine::new);
    let jits = [Jit::Revm].into_iter().chain(MODES);
    let mut first: Vec<Rounds> = vec![Vec::new(); 1 + MODES.len()];
    let mut again: Vec<Rounds> = first.clone();
    let mut known: Vec<Lane> = jits.clone().map(|jit| Lane::new(block, engine(jit).as_ref())).collect();
    for lane in &mut known {
        for _ in 0..WARM_UP {
            execute(lane, block)?;
        }
    }
    for round in 0..rounds {
        for turn in 0..known.len() {
            let at = (turn + round) % known.len();
            again[at].push(execute(&mut known[at], block)?);
            let jit = jits.clone().nth(at).expect("as many lanes as modes");
            first[at].push(execute(&mut Lane::new(block, engine(jit).as_ref()), block)?);
        }
    }
    let (first, again): (Vec<Figures>, Vec<Figures>) =
        (first.iter().map(|rounds| figures(rounds)).collect(), again.iter().map(|rounds| figures(rounds)).collect());
    let modes = jits.enumerate().map(|(at, jit)| {
        let lane = |lanes: &[Figures]| {
            let (figures, revm) = (&lanes[at], &lanes[0]);
            json!({
                "total_ns": figures.total.round(),
                "over_revm": rounded(revm.total / figures.total),
                "execution_share": rounded(figures.execution / figures.total),
                "execution_over_revm": rounded(revm.execution / figures.execution),
                "limit": rounded(figures.total / (figures.total - figures.execution)),
                "median_ns": figures.percentiles[0].round(),
                "p90_ns": figures.percentiles[1].round(),
                "p99_ns": figures.percentiles[2].round(),
            })
        };
        (jit.name().to_string(), json!({ "first": lane(&first), "again": lane(&again) }))
    });
    let modes: serde_json::Map<String, Value> = modes.collect();
    Ok(json!({ "name": block.name, "transactions": block.transactions.len(), "rounds": rounds, "modes": modes }))
}

fn rounded(value: f64) -> f64 {
    (1000.0 * value).round() / 1000.0
}

fn figures(rounds: &Rounds) -> Figures {
    let sum = |part: fn(&Took) -> f64| median(&mut rounds.iter().map(|round| round.iter().map(part).sum()).collect::<Vec<f64>>());
    let transactions = rounds.first().map_or(0, Vec::len);
    let mut each: Vec<f64> =
        (0..transactions).map(|at| median(&mut rounds.iter().map(|round| round[at].total).collect::<Vec<f64>>())).collect();
    each.sort_by(f64::total_cmp);
    let percentile = |percent: usize| each.get((each.len() * percent / 100).min(each.len().saturating_sub(1))).copied();
    Figures {
        total: sum(|took| took.total),
        execution: sum(|took| took.execution),
        percentiles: [50, 90, 99].map(|percent| percentile(percent).unwrap_or_default()),
    }
}

fn print(block: &Block, report: &Value, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}: {} transactions, {:?}; times in us", block.name, block.transactions.len(), block.fork)?;
    writeln!(
        out,
        "{:<8} {:<6} {:>10} {:>8} {:>9} {:>9} {:>7} {:>9} {:>9} {:>9}",
        "mode", "", "block", "x revm", "execution", "x revm", "limit", "median", "p90", "p99"
    )?;
    for (mode, figures) in report["modes"].as_object().into_iter().flatten() {
        for time in ["first", "again"] {
            let number = |name: &str| figures[time][name].as_f64().unwrap_or_default();
            writeln!(
                out,
                "{mode:<8} {time:<6} {:>10.1} {:>8.2} {:>7.1} % {:>9.2} {:>7.2} {:>9.2} {:>9.2} {:>9.2}",
                number("total_ns") / 1e3,
                number("over_revm"),
                100.0 * number("execution_share"),
                number("execution_over_revm"),
                number("limit"),
                number("median_ns") / 1e3,
                number("p90_ns") / 1e3,
                number("p99_ns") / 1e3,
            )?;
        }
    }
    Ok(())
}
