//! What commands print of counters with `--stats`: an engine's, and what listings come to.

use super::listing::Listing;
use crate::engine::CounterValues;
use crate::ir::Ins;
use serde_json::{Map, Value};
use std::fmt::Write;

/// An engine's counters as a JSON object.
pub fn json(values: &CounterValues) -> Value {
    object(values.entries())
}

/// A line for each counter that counted anything in one of two engines: its name, and what it came to in `always` and in `tiered`.
pub fn rows([always, tiered]: &[CounterValues; 2]) -> String {
    let pairs = always.entries().into_iter().zip(tiered.entries());
    let counted = pairs.filter(|((_, always), (_, tiered))| always + tiered > 0);
    counted.fold(String::new(), |mut text, ((name, always), (_, tiered))| {
        let _ = writeln!(text, "  {name:<16} always {always:>14}  tiered {tiered:>14}");
        text
    })
}

/// What was compiled, in numbers.
#[derive(Clone, Debug)]
pub struct Compiled(Vec<(&'static str, u64)>);

impl Compiled {
    /// Of all units of a contract.
    pub fn of(listings: &[Listing]) -> Compiled {
        let sum = |part: &dyn Fn(&Listing) -> usize| listings.iter().map(part).sum::<usize>() as u64;
        let instructions = |wanted: fn(&Ins) -> bool| sum(&|unit| unit.ins.iter().filter(|ins| wanted(ins)).count());
        Compiled(vec![
            ("units", listings.len() as u64),
            ("blocks", sum(&|unit| unit.blocks.len())),
            ("versions", sum(&|unit| unit.versions)),
            ("widenings", sum(&|unit| unit.widenings)),
            ("dynamic_jumps", instructions(|ins| matches!(ins, Ins::JmpReg(_)))),
            ("side_exits", instructions(|ins| matches!(ins, Ins::Exit { .. }))),
            ("compiled_bytes", sum(&|unit| unit.code_bytes)),
            ("native_bytes", sum(&|unit| unit.bytes.len())),
            ("constant_bytes", sum(&|unit| unit.bytes.len() - unit.instructions)),
            ("ir_instructions", sum(&|unit| unit.ins.len())),
        ])
    }

    /// As a JSON object.
    pub fn json(&self) -> Value {
        object(self.0.iter().copied())
    }

    /// As lines.
    pub fn lines(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:16} {value}");
            text
        })
    }
}

fn object(entries: impl IntoIterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(entries.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect::<Map<_, _>>())
}
