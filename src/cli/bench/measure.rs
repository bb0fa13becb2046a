//! The measuring: lanes that run the same call in turn, each from the same state.

use crate::cli::clock::{Clock, LONG_NS, median};
use crate::cli::failure::Result;
use crate::cli::machine::{Call, Machine};
use crate::engine::{Config, CounterValues, Engine, Mode};
use crate::evm::{code::Code, opcode::JUMPDEST};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The lengths of the series whose mean is in `first_ns`.
pub const FIRST: [usize; 4] = [1, 10, 100, 1000];
/// Compilations from which the fastest is taken.
const COMPILATIONS: usize = 9;
/// How long a machine runs before it is measured as warm, if code of it was outlined.
const OUTLINED: Duration = Duration::from_millis(100);

/// Rounds of series of first runs, but for one: more are not worth the time.
const MAX_SERIES: usize = 8;
/// Rounds of a measurement: at least so many, whatever the time.
const MIN_ROUNDS: usize = 3;
/// Rounds of a measurement: more are not worth the time.
const MAX_ROUNDS: usize = 400;

/// How long each part of measuring a workload may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The lanes in steady state, all together.
    steady: Duration,
    /// The cold runs, both sides together.
    cold: Duration,
    /// The first runs, both sides together.
    first: Duration,
    /// One series of first runs: stopped after this.
    series: Duration,
}

impl Budget {
    /// About two seconds a workload.
    pub fn full() -> Budget {
        Budget {
            steady: Duration::from_millis(1000),
            cold: Duration::from_millis(300),
            first: Duration::from_millis(600),
            series: Duration::from_millis(2000),
        }
    }

    /// A fifth of that.
    pub fn quick() -> Budget {
        Budget {
            steady: Duration::from_millis(200),
            cold: Duration::from_millis(60),
            first: Duration::from_millis(120),
            series: Duration::from_millis(400),
        }
    }
}

/// Means over the first 1, 10, 100, 1000 runs; absent where time ran out before.
pub type First = [Option<f64>; FIRST.len()];

/// What was measured of one workload; times are nanoseconds per run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// revm's own loop.
    pub revm_ns: f64,
    /// Mode `off`.
    pub off_ns: f64,
    /// Mode `always`, everything compiled before.
    pub warm_ns: f64,
    /// Mode `tiered` in steady state.
    pub tiered_ns: f64,
    /// revm, one run from raw code.
    pub revm_cold_ns: f64,
    /// `tiered`, one run from raw code and empty caches.
    pub cold_ns: f64,
    /// `tiered`, means over the first runs.
    pub first_ns: First,
    /// revm, means over the first runs.
    pub revm_first_ns: First,
    /// Taking in all codes of the prestate and finding all of their jump destinations.
    pub analyse_ns: u64,
    /// What compiling it in `always` took and gave.
    pub compiled: CounterValues,
    /// What the engines of the runs in `always` and `tiered` have done in the end.
    pub counted: [CounterValues; 2],
    /// The share of the instructions that ran compiled in `check` mode, init code excluded.
    pub compiled_share: f64,
}

/// Measures one call in every way.
pub fn measure(call: &Call, budget: &Budget) -> Result<Figures> {
    // revm's analysis of the codes that this side's database holds, made before the clock starts, is not used.
    let ejit = |mode| Machine::ejit(call, &Engine::new(Config { own_analysis: true, ..Config::with_mode(mode) }));
    let mut revm = Machine::revm(call);
    let about = estimate(&mut revm)?;
    let clock = Clock::for_runs_of(about, Clock::wall());

    let new = || [Machine::revm(call), ejit(Mode::Tiered)];
    let mut elders = [Machine::revm(call), ejit(Mode::Off)];
    let cold = cold_runs(new, &mut elders, clock, about, budget)?;
    let ([revm_first_ns, first_ns], [_, tiered]) = first_runs(new, &mut elders, clock, budget)?;
    let (warm, compiled) = compile(call, budget)?;
    let analyse_ns = (0..COMPILATIONS).map(|_| analyse(call)).min().unwrap_or_default();
    let (steady, [_, _, warm, tiered]) = steady_runs([revm, ejit(Mode::Off), warm, tiered], clock, budget)?;
    Ok(Figures {
        revm_ns: steady[0],
        off_ns: steady[1],
        warm_ns: steady[2],
        tiered_ns: steady[3],
        revm_cold_ns: cold[0],
        cold_ns: cold[1],
        first_ns,
        revm_first_ns,
        analyse_ns,
        compiled,
        counted: [warm, tiered].map(Machine::into_counters),
        compiled_share: compiled_share(call)?,
    })
}

/// A machine in `always` with everything compiled, and what that took: of several engines, the one that took least.
fn compile(call: &Call, budget: &Budget) -> Result<(Machine, CounterValues)> {
    let start = Instant::now();
    let mut best: Option<(Machine, CounterValues, Engine)> = None;
    for _ in 0..COMPILATIONS {
        let engine = Engine::new(Config::with_mode(Mode::Always));
        let mut machine = Machine::ejit(call, &engine);
        machine.run()?;
        let values = engine.counters().read();
        if best.as_ref().is_none_or(|(_, least, _)| compile_ns(&values) < compile_ns(least)) {
            best = Some((machine, values, engine));
        }
        if start.elapsed() > budget.cold {
            break;
        }
    }
    let (mut machine, values, engine) = best.expect("it is compiled at least once");
    // What was outlined is compiled once more when it has run often.
    let start = Instant::now();
    while engine.counters().read().outlined_bytes > 0 && start.elapsed() < OUTLINED {
        machine.run()?;
    }
    Ok((machine, values))
}

/// Nanoseconds that a complete analysis of all codes of the prestate takes.
fn analyse(call: &Call) -> u64 {
    let start = Instant::now();
    for raw in call.prestate.codes.values() {
        let code = Code::new(raw);
        // The last one that is asked for decides how far the analysis goes.
        let last = raw.iter().rposition(|&byte| byte == JUMPDEST).unwrap_or_default();
        black_box(code.is_jump_destination(last as u64));
    }
    start.elapsed().as_nanos() as u64
}

/// Nanoseconds spent compiling, all stages after the analysis.
pub fn compile_ns(values: &CounterValues) -> u64 {
    values.translate_ns + values.lower_ns + values.publish_ns
}

/// The share of the instructions that run compiled when everything is compiled as it is reached, init code excluded: counted in `check` mode.
fn compiled_share(call: &Call) -> Result<f64> {
    let engine = Engine::new(Config::with_mode(Mode::Check));
    Machine::ejit(call, &engine).run()?;
    Ok(engine.counters().read().compiled_share().unwrap_or_default())
}

/// One timed run from the prestate.
fn timed(machine: &mut Machine, clock: Clock) -> Result<f64> {
    let frame = machine.first_frame()?;
    let (result, ns) = clock.time(|| machine.execute(frame));
    result?;
    machine.reset();
    Ok(ns)
}

/// About how long a run takes: the second of two.
fn estimate(machine: &mut Machine) -> Result<f64> {
    timed(machine, Clock::ThreadCpu)?;
    timed(machine, Clock::ThreadCpu)
}

/// Runs that make a sample long enough to be measured.
fn repetitions(about: f64) -> usize {
    (LONG_NS / about.max(50.0)).ceil().max(1.0) as usize
}

/// The medians of all lanes, and the lanes, sampled in turn; who is first in a round changes from round to round.
fn steady_runs<const N: usize>(mut lanes: [Machine; N], clock: Clock, budget: &Budget) -> Result<([f64; N], [Machine; N])> {
    let mut repeat = [1; N];
    for (lane, repeat) in lanes.iter_mut().zip(&mut repeat) {
        let about = timed(lane, clock)?.min(timed(lane, clock)?);
        *repeat = repetitions(about);
    }
    let mut samples = [const { Vec::new() }; N];
    let start = Instant::now();
    for round in 0..MAX_ROUNDS {
        if round >= MIN_ROUNDS && start.elapsed() > budget.steady {
            break;
        }
        for turn in 0..N {
            let lane = (turn + round) % N;
            let mut sum = 0.0;
            for _ in 0..repeat[lane] {
                sum += timed(&mut lanes[lane], clock)?;
            }
            samples[lane].push(sum / repeat[lane] as f64);
        }
    }
    Ok((samples.map(|mut samples| median(&mut samples)), lanes))
}

/// One timed run from raw code: the called code's analysis, and that of all that it calls, is inside the clock.
fn timed_cold(machine: &mut Machine, clock: Clock) -> Result<f64> {
    let mut frame = machine.first_frame()?;
    machine.forget_codes();
    let (result, ns) = clock.time(|| {
        machine.take_raw_code(&mut frame);
        machine.execute(frame)
    });
    result?;
    machine.reset();
    Ok(ns)
}

/// The medians of first runs in new machines. All machines of a turn are made before the first of them runs, and take turns in being first; before
/// each runs its elder, untimed. So what is cold is what belongs to the code that is called, not the processor's caches of the process.
fn cold_runs<const N: usize>(
    new: impl Fn() -> [Machine; N],
    elders: &mut [Machine; N],
    clock: Clock,
    about: f64,
    budget: &Budget,
) -> Result<[f64; N]> {
    let repeat = repetitions(about);
    let mut samples = [const { Vec::new() }; N];
    let start = Instant::now();
    for round in 0..MAX_ROUNDS {
        if round >= MIN_ROUNDS && start.elapsed() > budget.cold {
            break;
        }
        let mut sums = [0.0; N];
        for turn in 0..repeat {
            let mut machines = new();
            for place in 0..N {
                let lane = (place + turn + round) % N;
                timed(&mut elders[lane], clock)?;
                sums[lane] += timed_cold(&mut machines[lane], clock)?;
            }
        }
        for (samples, sum) in samples.iter_mut().zip(sums) {
            samples.push(sum / repeat as f64);
        }
    }
    Ok(samples.map(|mut samples| median(&mut samples)))
}

/// Series of first runs in new machines, made and taking turns as in [`cold_runs`]: the medians of their means, and the last machines, which are in
/// steady state.
fn first_runs<const N: usize>(
    new: impl Fn() -> [Machine; N],
    elders: &mut [Machine; N],
    clock: Clock,
    budget: &Budget,
) -> Result<([First; N], [Machine; N])> {
    let mut means: [[Vec<f64>; FIRST.len()]; N] = [const { [const { Vec::new() }; FIRST.len()] }; N];
    let start = Instant::now();
    for round in 0.. {
        let mut machines = new();
        let turn = Instant::now();
        for place in 0..N {
            let lane = (place + round) % N;
            timed(&mut elders[lane], clock)?;
            series(&mut machines[lane], &mut means[lane], clock, budget)?;
        }
        // Another round only where one more fits into the time.
        if start.elapsed() + turn.elapsed() > budget.first || round == MAX_SERIES {
            let medians = |mut means: Vec<f64>| (!means.is_empty()).then(|| median(&mut means));
            return Ok((means.map(|lane| lane.map(medians)), machines));
        }
    }
    unreachable!("the last round returns")
}

/// One series of first runs, whose means up to the lengths of [`FIRST`] are added to `means`.
fn series(machine: &mut Machine, means: &mut [Vec<f64>; FIRST.len()], clock: Clock, budget: &Budget) -> Result<()> {
    let start = Instant::now();
    let (mut sum, mut runs) = (0.0, 0);
    while runs < FIRST[FIRST.len() - 1] && (runs == 0 || start.elapsed() < budget.series) {
        sum += if runs == 0 { timed_cold(machine, clock)? } else { timed(machine, clock)? };
        runs += 1;
        if let Some(at) = FIRST.iter().position(|length| *length == runs) {
            means[at].push(sum / runs as f64);
        }
    }
    Ok(())
}
