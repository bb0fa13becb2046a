//! Runs one workload in compiled code, for `.ci/executed` to count the machine instructions of. Not a measurement by itself.
//!
//! `executed RUNS FILE`: prints where compiled code is (`range START LENGTH`, the same in every run without address randomisation), then runs the
//! workload so often, the first time compiling it.

use ejit::cli::machine::Machine;
use ejit::cli::workload::{Expected, Workload};
use ejit::engine::{Config, Engine, Mode};
use std::error::Error;
use std::path::Path;

/// The executable view of the only arena.
fn range() -> Result<(u64, u64), Box<dyn Error>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.contains("memfd:ejit") && line.contains(" r-x")).ok_or("no code memory")?;
    let bounds = line.split([' ', '-']).take(2).map(|bound| u64::from_str_radix(bound, 16));
    match bounds.collect::<Result<Vec<_>, _>>()?[..] {
        [start, end] => Ok((start, end - start)),
        _ => Err("no bounds".into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(Config::with_mode(Mode::Always));
    let (start, length) = range()?;
    println!("range {start:#x} {length:#x}");
    // `cargo bench` and `cargo test` give arguments of their own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [runs, file] = &arguments[..] else { return Ok(()) };
    let workload = Workload::load(Path::new(file))?;
    let mut machine = Machine::ejit(&workload.call, &engine);
    for _ in 0..runs.parse()? {
        let outcome = Expected::of(&machine.run()?);
        assert_eq!(workload.expected, Some(outcome), "{}", workload.name);
        machine.reset();
    }
    Ok(())
}
