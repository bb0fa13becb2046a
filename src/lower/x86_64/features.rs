//! What the machine has beyond the baseline.

/// Instruction-set extensions that lowering makes use of. Each field may be cleared; what builds on a cleared one is not used either.
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
    /// SSSE3, SSE4.1 and SSE4.2.
    pub sse42: bool,
    /// AVX: three operands, 256 bits of floating point. Builds on `sse42`.
    pub avx: bool,
    /// AVX2: 256 bits of integers. Builds on `avx`.
    pub avx2: bool,
    /// Conversions of F16. Builds on `avx`.
    pub f16c: bool,
    /// Fused multiplication and addition. Builds on `avx`.
    pub fma: bool,
    /// AVX-512 F, BW, DQ and VL. Builds on `avx2`, `f16c` and `fma`.
    pub avx512: bool,
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
            sse42: std::is_x86_feature_detected!("ssse3")
                && std::is_x86_feature_detected!("sse4.1")
                && std::is_x86_feature_detected!("sse4.2"),
            avx: std::is_x86_feature_detected!("avx"),
            avx2: std::is_x86_feature_detected!("avx2"),
            f16c: std::is_x86_feature_detected!("f16c"),
            fma: std::is_x86_feature_detected!("fma"),
            avx512: std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512bw")
                && std::is_x86_feature_detected!("avx512dq")
                && std::is_x86_feature_detected!("avx512vl"),
        }
        .closed();
        #[cfg(not(target_arch = "x86_64"))]
        Features::none()
    }

    /// The baseline: SSE2.
    pub const fn none() -> Features {
        Features {
            bmi1: false,
            bmi2: false,
            adx: false,
            movbe: false,
            lzcnt: false,
            popcnt: false,
            sse42: false,
            avx: false,
            avx2: false,
            f16c: false,
            fma: false,
            avx512: false,
        }
    }

    /// All of them.
    pub const fn all() -> Features {
        Features {
            bmi1: true,
            bmi2: true,
            adx: true,
            movbe: true,
            lzcnt: true,
            popcnt: true,
            sse42: true,
            avx: true,
            avx2: true,
            f16c: true,
            fma: true,
            avx512: true,
        }
    }

    /// Without what builds on something that is not there.
    pub(super) const fn closed(self) -> Features {
        let avx = self.avx && self.sse42;
        let (avx2, f16c, fma) = (self.avx2 && avx, self.f16c && avx, self.fma && avx);
        Features { avx, avx2, f16c, fma, avx512: self.avx512 && avx2 && f16c && fma, ..self }
    }
}
