//! Random programs, and random bytes.

use crate::shrink::{Failure, shrink};
use crate::world::{Case, FORKS, GAS, Harness, LATEST, gas_limits, is_available};
use ejit::engine::Mode;
use evm_tests::random::{Item, Program, Random};
use std::time::{Duration, Instant};

/// Programs in an ordinary test run.
const PROGRAMS: u64 = 1500;
/// Differences that are made smaller and shown, before the test ends.
const MOST_FAILURES: usize = 5;
/// Gas limits tried with each program, besides one that is enough.
const GAS_LIMITS: usize = 4;

/// A variable that holds a number.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, not a number")))
}

/// Seeds for an ordinary run, or for as long as `EJIT_FUZZ_SECONDS` says.
fn seeds() -> impl Iterator<Item = u64> {
    let first = setting("EJIT_FUZZ_SEED").unwrap_or(0);
    let until = setting("EJIT_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    (first..).take_while(move |seed| until.map_or(*seed < first + PROGRAMS, |until| Instant::now() < until))
}

/// Compares what `make` makes of each seed's numbers.
fn compare_seeds(make: impl Fn(&mut Random, &Case) -> Program) {
    let mut harness = Harness::with_modes(&[Mode::Always, Mode::Tiered, Mode::Check, Mode::Off]);
    let mut failures: Vec<(u64, Failure)> = Vec::new();
    let mut count = 0;
    for seed in seeds() {
        let random = &mut Random::new(seed);
        let case = setting_of(random);
        let program = make(random, &case);
        count += 1;
        if let Err(failure) = compare(&mut harness, &program, case) {
            failures.push((seed, failure));
            if failures.len() == MOST_FAILURES {
                break;
            }
        }
    }
    let texts: Vec<String> = failures.iter().map(|(seed, failure)| format!("seed {seed}, {failure}")).collect();
    assert!(texts.is_empty(), "{} of {count} programs differ\n\n{}", texts.len(), texts.join("\n\n"));
    assert!(harness.compiled_instructions() > count, "compiled code has executed next to nothing");
}

/// A case without its code.
fn setting_of(random: &mut Random) -> Case {
    let fork = if random.once_in(3) { random.pick(&FORKS) } else { LATEST };
    let input: Vec<u8> = (0..random.below(4)).flat_map(|_| random.word().to_be_bytes::<32>()).collect();
    let cut = random.below(4);
    let case = Case::new([]).fork(fork).input(input[..input.len().saturating_sub(cut)].to_vec());
    Case { value: random.below(3) as u64, gas: GAS - random.below(1000) as u64, ..case }
}

fn compare(harness: &mut Harness, program: &Program, case: Case) -> Result<(), Failure> {
    let case = Case { code: program.assemble(), ..case };
    let limits = gas_limits(&case, GAS_LIMITS);
    let cases = std::iter::once(case.clone()).chain(limits.into_iter().map(|gas| case.clone().gas(gas)));
    for case in cases {
        harness.compare(&case).map_err(|difference| shrink(program.clone(), difference))?;
    }
    Ok(())
}

#[test]
fn random_programs() {
    compare_seeds(|random, case| Program::random(random, &|byte| is_available(case.fork, byte)));
}

#[test]
fn random_bytes() {
    compare_seeds(|random, case| {
        let count = random.below(200);
        let byte = |random: &mut Random| match random.below(4) {
            // Mostly what can be executed, with something on the stack.
            0 => random.pick(&[0x5b, 0x60, 0x60, 0x80, 0x81, 0x90, 0x36, 0x35, 0x5f, 0x34, 0x56, 0x57]),
            1 => random.bits() as u8,
            _ => loop {
                let byte = random.bits() as u8;
                if is_available(case.fork, byte) {
                    break byte;
                }
            },
        };
        let pushes = (0..random.below(30)).map(|_| Item::Push(random.word())).collect::<Vec<_>>();
        Program(pushes.into_iter().chain((0..count).map(|_| Item::Op(byte(random)))).collect())
    });
}
