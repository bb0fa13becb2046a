//! What the machine has beyond the baseline, Armv8.0-A with Advanced SIMD.

/// Instruction-set extensions that lowering makes use of: none so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {}

impl Features {
    /// Those of the machine this runs on.
    pub fn detect() -> Features {
        Features::none()
    }

    /// The baseline.
    pub const fn none() -> Features {
        Features {}
    }

    /// All of them.
    pub const fn all() -> Features {
        Features {}
    }
}
