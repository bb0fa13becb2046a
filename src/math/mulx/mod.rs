//! Products by the instructions that leave flags alone (`mulx`, BMI2) and add along two carry chains at once (`adcx`, `adox`, ADX): Intel,
//! "New instructions supporting large integer arithmetic" (2012). A compiler of plain Rust uses one chain and twice as many additions.
//!
//! Knows nothing of what the products are for. Each must be equal to that of [`Portable`](super::product::Portable), which tests compare.

mod limbs;
mod rows;
mod whole;

use super::product::{Multiply, Products};
use super::reciprocal::{ANY, Form, Reciprocal};
use core::arch::asm;

/// Proof that the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mulx(());

impl Mulx {
    /// If the processor has them.
    #[inline(always)]
    pub(crate) fn detected() -> Option<Mulx> {
        (std::is_x86_feature_detected!("bmi2") && std::is_x86_feature_detected!("adx")).then_some(Mulx(()))
    }
}

impl Products<u64> for Mulx {
    #[inline(always)]
    fn full(self, a: &[u64; 4], b: &[u64; 4]) -> [u64; 8] {
        let (r0, r1, r2, r3, r4, r5, r6, r7);
        // SAFETY: the processor has the instructions, which `self` proves; they read the two words and write registers.
        unsafe {
            asm!(
                "mov rdx, [{a}]",
                "mulx {r1}, {r0}, [{b}]",
                "mulx {r2}, {t}, [{b} + 8]",
                "add {r1}, {t}",
                "mulx {r3}, {t}, [{b} + 16]",
                "adc {r2}, {t}",
                "mulx {r4}, {t}, [{b} + 24]",
                "adc {r3}, {t}",
                "adc {r4}, 0",
                // The second row; `xor` clears both carries too.
                "mov rdx, [{a} + 8]",
                "xor {z:e}, {z:e}",
                "mulx {r7}, {t}, [{b}]",
                "adcx {r1}, {t}",
                "adox {r2}, {r7}",
                "mulx {r7}, {t}, [{b} + 8]",
                "adcx {r2}, {t}",
                "adox {r3}, {r7}",
                "mulx {r7}, {t}, [{b} + 16]",
                "adcx {r3}, {t}",
                "adox {r4}, {r7}",
                "mulx {r5}, {t}, [{b} + 24]",
                "adcx {r4}, {t}",
                "adox {r5}, {z}",
                "adcx {r5}, {z}",
                // The third.
                "mov rdx, [{a} + 16]",
                "xor {z:e}, {z:e}",
                "mulx {r7}, {t}, [{b}]",
                "adcx {r2}, {t}",
                "adox {r3}, {r7}",
                "mulx {r7}, {t}, [{b} + 8]",
                "adcx {r3}, {t}",
                "adox {r4}, {r7}",
                "mulx {r7}, {t}, [{b} + 16]",
                "adcx {r4}, {t}",
                "adox {r5}, {r7}",
                "mulx {r6}, {t}, [{b} + 24]",
                "adcx {r5}, {t}",
                "adox {r6}, {z}",
                "adcx {r6}, {z}",
                // The fourth.
                "mov rdx, [{a} + 24]",
                "xor {z:e}, {z:e}",
                "mulx {r7}, {t}, [{b}]",
                "adcx {r3}, {t}",
                "adox {r4}, {r7}",
                "mulx {r7}, {t}, [{b} + 8]",
                "adcx {r4}, {t}",
                "adox {r5}, {r7}",
                "mulx {r7}, {t}, [{b} + 16]",
                "adcx {r5}, {t}",
                "adox {r6}, {r7}",
                "mulx {r7}, {t}, [{b} + 24]",
                "adcx {r6}, {t}",
                "adox {r7}, {z}",
                "adcx {r7}, {z}",
                a = in(reg) a.as_ptr(),
                b = in(reg) b.as_ptr(),
                r0 = out(reg) r0,
                r1 = out(reg) r1,
                r2 = out(reg) r2,
                r3 = out(reg) r3,
                r4 = out(reg) r4,
                r5 = out(reg) r5,
                r6 = out(reg) r6,
                r7 = out(reg) r7,
                t = out(reg) _,
                z = out(reg) _,
                out("rdx") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3, r4, r5, r6, r7]
    }

    /// The products off the diagonal once; doubled along one chain, while the squares are added along the other.
    #[inline(always)]
    fn square(self, a: &[u64; 4]) -> [u64; 8] {
        let (r0, r1, r2, r3, r4, r5, r6, r7);
        // SAFETY: as above.
        unsafe {
            asm!(
                "mov rdx, [{a}]",
                "mulx {r2}, {r1}, [{a} + 8]",
                "mulx {r3}, {t}, [{a} + 16]",
                "add {r2}, {t}",
                "mulx {r4}, {t}, [{a} + 24]",
                "adc {r3}, {t}",
                "mov rdx, [{a} + 8]",
                "mulx {r5}, {t}, [{a} + 24]",
                "adc {r4}, {t}",
                "adc {r5}, 0",
                "mulx {h}, {t}, [{a} + 16]",
                "add {r3}, {t}",
                "adc {r4}, {h}",
                "mov rdx, [{a} + 16]",
                "mulx {r6}, {t}, [{a} + 24]",
                "adc {r5}, {t}",
                "adc {r6}, 0",
                "mov rdx, [{a}]",
                "xor {t:e}, {t:e}",
                "mulx {h}, {r0}, rdx",
                "adcx {r1}, {r1}",
                "adox {r1}, {h}",
                "mov rdx, [{a} + 8]",
                "mulx {h}, {t}, rdx",
                "adcx {r2}, {r2}",
                "adox {r2}, {t}",
                "adcx {r3}, {r3}",
                "adox {r3}, {h}",
                "mov rdx, [{a} + 16]",
                "mulx {h}, {t}, rdx",
                "adcx {r4}, {r4}",
                "adox {r4}, {t}",
                "adcx {r5}, {r5}",
                "adox {r5}, {h}",
                "mov rdx, [{a} + 24]",
                "mulx {r7}, {t}, rdx",
                "adcx {r6}, {r6}",
                "adox {r6}, {t}",
                "mov {t:e}, 0",
                "adcx {r7}, {t}",
                "adox {r7}, {t}",
                a = in(reg) a.as_ptr(),
                r0 = out(reg) r0,
                r1 = out(reg) r1,
                r2 = out(reg) r2,
                r3 = out(reg) r3,
                r4 = out(reg) r4,
                r5 = out(reg) r5,
                r6 = out(reg) r6,
                r7 = out(reg) r7,
                t = out(reg) _,
                h = out(reg) _,
                out("rdx") _,
                options(pure, readonly, nostack),
            );
        }
        [r0, r1, r2, r3, r4, r5, r6, r7]
    }

    #[inline(always)]
    fn multiply_function(self, n: &Reciprocal<u64>) -> Multiply<u64> {
        match n.form {
            Form::NoBitSpare => whole::multiply_upper::<0>,
            Form::OneBitSpare => whole::multiply_upper::<1>,
            Form::TwoBitsSpare => whole::multiply_upper::<2>,
            Form::BitsSpare => whole::multiply_upper::<ANY>,
            Form::Ones => whole::multiply_ones,
            Form::Power => whole::multiply_power,
            Form::Fold => whole::multiply_fold::<0>,
            Form::FoldOneBitSpare => whole::multiply_fold::<1>,
            Form::Solinas => whole::multiply_solinas,
            Form::One => limbs::multiply_one,
            Form::Two => limbs::multiply_two,
            Form::Three => limbs::multiply_three,
            Form::Four => limbs::multiply_four,
        }
    }
}
