//! What the engine has done: monotonic counters, readable at any time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of an engine.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: AtomicU64,)* }

        /// A reading of [`Counters`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct CounterValues { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// Reads all counters.
            pub fn read(&self) -> CounterValues {
                CounterValues { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl CounterValues {
            /// Names and values, in a fixed order.
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Code looked up by hash.
    lookups,
    /// Lookups that found a known contract.
    hits,
    /// Lookups that did not.
    misses,
    /// Frames executed by the engine (activations: a frame resumed counts again).
    frames,
    /// Transactions handed whole to revm's own loop (unknown configuration).
    handed_over,
    /// Units compiled.
    units,
    /// Blocks compiled.
    blocks,
    /// Versions of blocks compiled.
    versions,
    /// Those among them that took over where a guess had failed.
    widenings,
    /// Bytes of bytecode in the blocks compiled.
    compiled_bytes,
    /// Those among them that were compiled to calls of routines, for want of which there would be too much machine code.
    outlined_bytes,
    /// Contracts whose outlined code ran so often that it was compiled otherwise.
    promoted,
    /// Bytes of machine code published.
    native_bytes,
    /// Times that compiled code left to the interpreter.
    side_exits,
    /// Jumps to computed destinations for which compiled code found no code.
    dynamic_jumps,
    /// Generations of code memory that took the place of full ones.
    generations,
    /// Contracts forgotten for want of room.
    evicted,
    /// Units refused because code memory or link slots were spent.
    refused_full,
    /// Instructions executed by the interpreter, init code excluded. Counted in `check` mode (of the second run of each frame) and where
    /// the configuration says so.
    interpreted,
    /// Instructions executed by compiled code, likewise. A section that is left half-way counts as a whole, but in `check` mode.
    compiled,
    /// As `interpreted`, of init code.
    init_interpreted,
    /// As `compiled`, of init code.
    init_compiled,
    /// Nanoseconds spent translating, in all.
    translate_ns,
    /// Nanoseconds spent lowering, in all.
    lower_ns,
    /// Nanoseconds spent publishing, in all.
    publish_ns,
    /// Hashes of less than 136 bytes asked of executors' memos.
    hashes,
    /// Those that were remembered.
    hashes_known,
    /// Frames compared in `check` mode.
    checked,
    /// Frames not compared in `check` mode because they asked the host more often than is recorded.
    unchecked,
    /// Differences found in `check` mode.
    differences,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }
}

impl CounterValues {
    /// The share of the counted instructions that ran compiled, init code excluded; `None` if none were counted.
    pub fn compiled_share(&self) -> Option<f64> {
        let all = self.compiled + self.interpreted;
        (all > 0).then(|| self.compiled as f64 / all as f64)
    }
}

impl CounterValues {
    /// As a JSON object on one line.
    pub fn json(&self) -> String {
        let members: Vec<String> = self.entries().iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

impl fmt::Display for CounterValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.entries() {
            writeln!(f, "{name:16} {value}")?;
        }
        Ok(())
    }
}
