//! What the machine has beyond the baseline, Armv8.0-A with Advanced SIMD.

/// Instruction-set extensions that lowering makes use of. Each field may be cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// FEAT_FP16: arithmetic of F16.
    pub fp16: bool,
}

impl Features {
    /// Those of the machine this runs on; none on another architecture.
    pub fn detect() -> Features {
        #[cfg(target_arch = "aarch64")]
        return Features { fp16: std::arch::is_aarch64_feature_detected!("fp16") };
        #[cfg(not(target_arch = "aarch64"))]
        Features::none()
    }

    /// The baseline.
    pub const fn none() -> Features {
        Features { fp16: false }
    }

    /// All of them.
    pub const fn all() -> Features {
        Features { fp16: true }
    }
}
