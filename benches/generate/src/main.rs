//! How long it takes to generate code: from a description of a function to bytes, to code in memory that is there already, and to code in
//! pages of its own; by ejit's low-level JIT, by dynasmrt, and by Cranelift without optimisation, all in one run. Each result is called
//! and checked.
//!
//! `cargo run --release -p ejit-generate-bench`

mod by_cranelift;
mod by_dynasm;
mod by_ejit;
mod program;

use program::Program;
use std::time::{Duration, Instant};

/// What one way of generating a function took, and how much came out.
struct Line {
    what: &'static str,
    /// Nanoseconds per function, of the best round.
    time: f64,
    /// Bytes of machine code.
    bytes: usize,
}

/// Runs `function` in rounds of a fifth of a millisecond or more, which is short enough to be left alone by other programs now and then, for
/// 400 ms; nanoseconds per call of the best round.
fn best(mut function: impl FnMut()) -> f64 {
    let (mut best, mut calls) = (f64::INFINITY, 1);
    let end = Instant::now() + Duration::from_millis(400);
    while Instant::now() < end {
        let start = Instant::now();
        (0..calls).for_each(|_| function());
        let took = start.elapsed();
        if took < Duration::from_micros(200) {
            calls = calls * 3 / 2 + 1;
        } else {
            best = best.min(took.as_nanos() as f64 / f64::from(calls));
        }
    }
    best
}

fn report(program: &Program, lines: &[Line]) {
    let (count, fastest) = (program.instructions() as f64, lines.first().map_or(1.0, |line| line.time));
    println!("{}: {count} instructions", program.name());
    println!("{:44} {:>12} {:>10} {:>8} {:>8} {:>8}", "", "ns", "ns/instr", "MB/s", "bytes", "ratio");
    for Line { what, time, bytes } in lines {
        let speed = *bytes as f64 * 1000.0 / time;
        println!("{what:44} {time:12.0} {:10.2} {speed:8.1} {bytes:8} {:8.2}", time / count, time / fastest);
    }
    println!();
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for program in [Program::sum(), Program::straight(1000)] {
        let mut lines = by_ejit::run(&program)?;
        lines.extend(by_dynasm::run(&program)?);
        lines.extend(by_cranelift::run(&program)?);
        report(&program, &lines);
    }
    Ok(())
}
