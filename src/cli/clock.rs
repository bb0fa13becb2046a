//! Time that a piece of work takes: thread CPU time where it is long, the wall clock, whose steps are finer, where it is
//! short.

use cpu_time::ThreadTime;
use std::time::Instant;

/// A run at least this long, in nanoseconds, is timed by the thread's CPU time.
pub const LONG_NS: f64 = 100_000.0;

/// Which clock to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// The CPU time of this thread: other processes do not count.
    ThreadCpu,
    /// The wall clock, less what reading it costs (in nanoseconds).
    Wall(f64),
}

impl Clock {
    /// The wall clock, with the cost of reading it measured.
    pub fn wall() -> Clock {
        let mut costs: Vec<f64> = (0..1001)
            .map(|_| {
                let start = Instant::now();
                start.elapsed().as_nanos() as f64
            })
            .collect();
        Clock::Wall(median(&mut costs))
    }

    /// The clock for runs of about `ns` nanoseconds; `wall` is the calibrated wall clock.
    pub fn for_runs_of(ns: f64, wall: Clock) -> Clock {
        if ns >= LONG_NS { Clock::ThreadCpu } else { wall }
    }

    /// The result of `work` and the nanoseconds it took.
    #[inline]
    pub fn time<T>(self, work: impl FnOnce() -> T) -> (T, f64) {
        match self {
            Clock::ThreadCpu => {
                let start = ThreadTime::now();
                let result = work();
                (result, start.elapsed().as_nanos() as f64)
            }
            Clock::Wall(cost) => {
                let start = Instant::now();
                let result = work();
                let ns = start.elapsed().as_nanos() as f64 - cost;
                (result, ns.max(1.0))
            }
        }
    }
}

/// The middle of `values`, which it sorts; 0 for none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
