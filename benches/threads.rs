//! Two threads over one engine against two threads with an engine each: `cargo bench --features cli --bench threads -- FOLDER...`, workload folders.
//!
//! Both threads execute all workloads again and again, in opposite order, first on engines that have seen nothing (`first`: compiling included, of
//! which the one engine does half), then on the same engines (`again`). Printed is the mean CPU time of a thread for one pass, at the median over
//! the rounds, and the ratio: at least 1 where sharing costs nothing.

use cpu_time::ThreadTime;
use ejit::cli::{
    machine::{Call, Machine},
    workload::{self, Workload},
};
use ejit::engine::{Config, Engine, Mode};
use std::sync::Barrier;

/// Rounds, passes over all workloads in each, and executions of a workload in a pass.
const ROUNDS: usize = 15;
const PASSES: usize = 4;
const EXECUTIONS: usize = 5;

/// CPU nanoseconds of one thread's passes over `calls` on `engine`.
fn work(calls: &[Call], engine: &Engine, forwards: bool, together: &Barrier) -> [f64; PASSES] {
    let mut machines: Vec<Machine> = calls.iter().map(|call| Machine::ejit(call, engine)).collect();
    let mut took = [0.0; PASSES];
    together.wait();
    for took in &mut took {
        for at in 0..machines.len() {
            let machine = &mut machines[if forwards { at } else { calls.len() - 1 - at }];
            for _ in 0..EXECUTIONS {
                let frame = machine.first_frame().expect("a valid call");
                let start = ThreadTime::now();
                machine.execute(frame).expect("it ends");
                *took += start.elapsed().as_nanos() as f64;
                machine.reset();
            }
        }
    }
    took
}

/// The mean of two threads' CPU times of the first pass, and of a later one.
fn both(calls: &[Call], engines: [&Engine; 2]) -> [f64; 2] {
    let together = Barrier::new(2);
    let [one, other] = std::thread::scope(|scope| {
        let threads = [true, false].map(|forwards| {
            let together = &together;
            let engine = engines[usize::from(forwards)];
            scope.spawn(move || work(calls, engine, forwards, together))
        });
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let later = |took: [f64; PASSES]| took[1..].iter().sum::<f64>() / (PASSES - 1) as f64;
    [(one[0] + other[0]) / 2.0, (later(one) + later(other)) / 2.0]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let folders: Vec<std::path::PathBuf> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(Into::into).collect();
    let files = if folders.is_empty() { vec!["fixtures/workloads".into()] } else { folders };
    let files = workload::find(&files).expect("folders of workloads");
    let calls: Vec<Call> = files.iter().map(|file| Workload::load(file).expect("a workload").call).collect();
    let new = || Engine::new(Config::with_mode(Mode::Tiered));
    // [one engine or two][first or again]
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let engines = [new(), new()];
            let engines_of = if (turn + round) % 2 == 0 { [&engines[0], &engines[0]] } else { [&engines[0], &engines[1]] };
            let took = both(&calls, engines_of);
            for (times, took) in times[(turn + round) % 2].iter_mut().zip(took) {
                times.push(took);
            }
        }
    }
    println!("{} workloads, two threads; CPU ms of one thread", calls.len());
    println!("{:<8} {:>12} {:>12} {:>8}", "", "one engine", "two engines", "ratio");
    let [one, two] = times.map(|times| times.map(median));
    for (name, one, two) in [("first", one[0], two[0]), ("again", one[1], two[1])] {
        println!("{name:<8} {:>12.3} {:>12.3} {:>8.3}", one / 1e6, two / 1e6, two / one);
    }
}
