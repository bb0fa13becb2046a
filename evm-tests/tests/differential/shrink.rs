//! Making a failing program smaller while it fails.

use crate::world::{Case, Difference, Harness};
use evm_tests::random::{Item, Program};
use revm::primitives::{Bytes, U256};

/// A program that differs, and how.
pub struct Failure {
    pub program: Program,
    pub difference: Box<Difference>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nprogram: {}", self.difference, self.program)
    }
}

/// Takes out whatever is not needed for a difference between revm and fresh engines. Where fresh engines do not differ, the
/// program is given back as it is: then what was executed before matters.
pub fn shrink(program: Program, difference: Box<Difference>) -> Failure {
    let case = difference.case.clone();
    let differs = |program: &Program, case: &Case| {
        let case = Case { code: program.assemble(), ..case.clone() };
        Harness::with_settings(vec![difference.settings.clone()]).compare(&case).err()
    };
    let Some(difference) = differs(&program, &case) else { return Failure { program, difference } };
    let mut failure = Failure { program, difference };
    loop {
        let size = measure(&failure);
        remove_items(&mut failure, &differs);
        simplify_words(&mut failure, &differs);
        simplify_case(&mut failure, &differs);
        if measure(&failure) == size {
            return failure;
        }
    }
}

/// What gets less when a failure gets simpler.
fn measure(failure: &Failure) -> (usize, usize, usize, u64) {
    let Failure { program, difference } = failure;
    (program.0.len(), program.assemble().len(), difference.case.input.len(), difference.case.value)
}

type Differs<'a> = dyn Fn(&Program, &Case) -> Option<Box<Difference>> + 'a;

fn remove_items(failure: &mut Failure, differs: &Differs) {
    let mut count = failure.program.0.len() / 2;
    while count > 0 {
        let mut at = 0;
        while at < failure.program.0.len() {
            let mut fewer = failure.program.clone();
            fewer.0.drain(at..(at + count).min(fewer.0.len()));
            if !accept(failure, fewer, None, differs) {
                at += count;
            }
        }
        count /= 2;
    }
}

fn simplify_words(failure: &mut Failure, differs: &Differs) {
    for at in 0..failure.program.0.len() {
        let Item::Push(word) = failure.program.0[at] else { continue };
        for simpler in [U256::ZERO, U256::ONE, U256::from(32), word >> 128, word >> 64, word >> 8] {
            if simpler < word {
                let mut program = failure.program.clone();
                program.0[at] = Item::Push(simpler);
                if accept(failure, program, None, differs) {
                    break;
                }
            }
        }
    }
}

fn simplify_case(failure: &mut Failure, differs: &Differs) {
    let case = failure.difference.case.clone();
    let half = case.input.len() / 2;
    for input in [Bytes::new(), case.input.slice(half..), case.input.slice(..half)] {
        let shorter = Case { input, ..case.clone() };
        if shorter.input.len() < case.input.len() && accept(failure, failure.program.clone(), Some(shorter), differs) {
            break;
        }
    }
    let case = Case { value: 0, ..failure.difference.case.clone() };
    accept(failure, failure.program.clone(), Some(case), differs);
}

fn accept(failure: &mut Failure, program: Program, case: Option<Case>, differs: &Differs) -> bool {
    let case = case.unwrap_or_else(|| failure.difference.case.clone());
    let Some(difference) = differs(&program, &case) else { return false };
    *failure = Failure { program, difference };
    true
}
