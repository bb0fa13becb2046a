//! What the machine has beyond the baseline.

/// Instruction-set extensions that lowering makes use of. Each field may be cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `tzcnt`.
    pub bmi1: bool,
    /// `mulx`, `shlx`, `shrx`, `sarx`, `rorx`.
    pub bmi2: bool,
    /// `adcx`, `adox`.
    pub adx: bool,
    /// `movbe`.
    pub movbe: bool,
    /// `lzcnt`.
    pub lzcnt: bool,
    /// `popcnt`.
    pub popcnt: bool,
}

impl Features {
    /// Those of the machine this runs on; none on another architecture.
    pub fn detect() -> Features {
        #[cfg(target_arch = "x86_64")]
        return Features {
            bmi1: std::is_x86_feature_detected!("bmi1"),
            bmi2: std::is_x86_feature_detected!("bmi2"),
            adx: std::is_x86_feature_detected!("adx"),
            movbe: std::is_x86_feature_detected!("movbe"),
            lzcnt: std::is_x86_feature_detected!("lzcnt"),
            popcnt: std::is_x86_feature_detected!("popcnt"),
        };
        #[cfg(not(target_arch = "x86_64"))]
        Features::none()
    }

    /// The baseline.
    pub const fn none() -> Features {
        Features { bmi1: false, bmi2: false, adx: false, movbe: false, lzcnt: false, popcnt: false }
    }

    /// All of them.
    pub const fn all() -> Features {
        Features { bmi1: true, bmi2: true, adx: true, movbe: true, lzcnt: true, popcnt: true }
    }
}
