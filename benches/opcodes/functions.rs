//! The functions behind the heavy operations, as both engines call them, against `ruint`: operands in memory, the divisor met before
//! ("known") or nothing remembered ("plain"). In a chain, each result is an operand of the next.

use super::{cpu_time, moduli, word};
use crate::world::World;
use ejit::abi::WordOp;
use ejit::runtime::{Memo, callouts};
use revm::primitives::U256;
use std::hint::black_box;
use std::ptr;

/// Calls per sample, and samples, of which the fastest counts.
const CALLS: usize = 20_000;
const SAMPLES: usize = 40;

/// A function of ruint's of up to three words.
type Reference = fn(U256, U256, U256) -> U256;

/// A word as both engines leave it in memory: limb by limb.
struct Slot([u64; 4]);

impl Slot {
    fn new(word: U256) -> Slot {
        Slot(word.into_limbs())
    }

    fn pointer(&mut self) -> *mut U256 {
        ptr::from_mut(&mut self.0).cast()
    }

    fn read(&self) -> U256 {
        U256::from_limbs([0, 1, 2, 3].map(|i| black_box(self.0[i])))
    }

    fn write(&mut self, word: U256) {
        for (place, limb) in self.0.iter_mut().zip(word.into_limbs()) {
            *black_box(place) = limb;
        }
    }
}

/// Nanoseconds per call.
fn time(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..SAMPLES {
        let start = cpu_time();
        for _ in 0..CALLS {
            call();
        }
        best = best.min((cpu_time() - start).as_nanos() as f64 / CALLS as f64);
    }
    best
}

/// Known, plain, ruint; each alone and in a chain.
fn measure(ours: WordOp, theirs: Reference, operands: [U256; 3]) -> [f64; 6] {
    let mut memo = Memo::new(false);
    let known = ptr::from_mut(&mut memo).cast();
    let expected = theirs(operands[0], operands[1], operands[2]);
    let mut times = Vec::new();
    for memo in [known, ptr::null_mut()] {
        for chain in [false, true] {
            let [mut a, mut b, mut c] = operands.map(Slot::new);
            let mut out = Slot::new(U256::ZERO);
            let [a, b, c, apart] = [&mut a, &mut b, &mut c, &mut out].map(Slot::pointer);
            // Twice the same word is one word in memory, as in compiled code.
            let b = if operands[0] == operands[1] { a } else { b };
            let result = if chain { a } else { apart };
            let call = || {
                // SAFETY: the pointers are those of words, and the memo is ours alone or null.
                unsafe { ours(black_box(result), a, b, c, memo) }
            };
            if !chain {
                (0..8).for_each(|_| call());
                // SAFETY: as above.
                assert_eq!(unsafe { apart.read() }, expected);
            }
            times.push(time(call));
        }
    }
    for chain in [false, true] {
        let [mut a, b, c] = operands.map(Slot::new);
        let mut out = Slot::new(U256::ZERO);
        times.push(time(|| {
            let result = theirs(a.read(), b.read(), c.read());
            if chain { a.write(result) } else { out.write(result) }
        }));
    }
    times.try_into().expect("six times")
}

/// Prints the table of what is wanted.
pub fn table(wanted: &dyn Fn(&str) -> bool) {
    let callouts = callouts::<World>();
    println!(
        "{:<24} | {:>9} {:>9} {:>9} | {:>11} {:>9} {:>9} | {:>9}",
        "function", "known ns", "plain ns", "ruint ns", "chain known", "plain", "ruint", "over ruint"
    );
    let row = |name: String, ours, theirs, operands| {
        if wanted(&name) {
            let [known, plain, ruint, known_chain, plain_chain, ruint_chain] = {
                let [known, known_chain, plain, plain_chain, ruint, ruint_chain] = measure(ours, theirs, operands);
                [known, plain, ruint, known_chain, plain_chain, ruint_chain]
            };
            println!(
                "{name:<24} | {known:>9.2} {plain:>9.2} {ruint:>9.2} | {known_chain:>11.2} {plain_chain:>9.2} {ruint_chain:>9.2} | {:>9.2}",
                ruint_chain / known_chain
            );
        }
    };
    for (a, b) in [(64, 32), (128, 64), (256, 64), (256, 128), (256, 192), (256, 250), (128, 256)] {
        let operands = [word(a, 1), word(b, 2), U256::ZERO];
        row(format!("div {a}/{b}"), callouts.div, |a, b, _| a.wrapping_div(b), operands);
        row(format!("rem {a}/{b}"), callouts.rem, |a, b, _| a.wrapping_rem(b), operands);
    }
    for (name, n) in moduli() {
        let operands = [word(256, 1) % n, word(256, 2) % n, n];
        row(format!("mulmod {name}"), callouts.mulmod, |a, b, n| a.mul_mod(b, n), operands);
        let operands = [operands[0], operands[0], n];
        row(format!("square {name}"), callouts.mulmod, |a, b, n| a.mul_mod(b, n), operands);
    }
    for bits in [64, 128, 192, 224, 254] {
        let operands = [word(256, 1), word(256, 2), word(bits, 3)];
        row(format!("mulmod {bits} bits unreduced"), callouts.mulmod, |a, b, n| a.mul_mod(b, n), operands);
    }
}
