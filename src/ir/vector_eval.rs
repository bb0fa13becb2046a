//! What vector instructions mean, lane by lane.
//!
//! A lane travels as its bits in a `u64`. Floating point is computed in F64 and rounded to the lane's type: for one operation on F32 or
//! F16 that is what rounding once gives (Figueroa, "When is double rounding innocuous?", 1995: 53 >= 2 * 24 + 2).

use super::eval::{Eval, VECTOR_BYTES};
use super::vector::LOW_BYTES;
use super::*;

type Bytes = [u8; VECTOR_BYTES];

/// What the bytes beyond an instruction's size become: they are undefined.
const UNDEFINED: u8 = 0xa5;

fn lane(from: &Bytes, ty: Type, index: usize) -> u64 {
    let at = index * ty.bytes();
    let mut all = [0; 8];
    all[..ty.bytes()].copy_from_slice(&from[at..at + ty.bytes()]);
    u64::from_le_bytes(all)
}

fn set_lane(to: &mut Bytes, ty: Type, index: usize, bits: u64) {
    let at = index * ty.bytes();
    to[at..at + ty.bytes()].copy_from_slice(&bits.to_le_bytes()[..ty.bytes()]);
}

/// A vector from what each lane is to hold.
fn build(ty: Type, lanes: usize, mut bits: impl FnMut(usize) -> u64) -> Bytes {
    let mut out = [UNDEFINED; VECTOR_BYTES];
    (0..lanes).for_each(|index| set_lane(&mut out, ty, index, bits(index)));
    out
}

/// The integer of a lane.
fn signed(ty: Type, bits: u64) -> i64 {
    let up = 64 - 8 * ty.bytes() as u32;
    (bits << up) as i64 >> up
}

/// The number of a lane.
fn float(ty: Type, bits: u64) -> f64 {
    match ty {
        Type::F16 => f64_from_f16(bits as u16),
        Type::F32 => f32::from_bits(bits as u32).into(),
        Type::F64 => f64::from_bits(bits),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => signed(ty, bits) as f64,
    }
}

/// The lane of a number, rounded to nearest even.
fn rounded(ty: Type, value: f64) -> u64 {
    match ty {
        Type::F16 => f16_from_f64(value).into(),
        Type::F32 => (value as f32).to_bits().into(),
        Type::F64 => value.to_bits(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => value as u64,
    }
}

/// IEEE 754 binary16: one sign bit, five of exponent (bias 15), ten of fraction.
fn f64_from_f16(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

fn f16_from_f64(value: f64) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let value = value.abs();
    if value.is_nan() {
        return sign | 0x7e00;
    }
    // 65520 lies halfway between the largest number and what would be the next.
    if value >= 65520.0 {
        return sign | 0x7c00;
    }
    // In units of the last place, which are those of the least normal number for all below it; then the encodings are in sequence.
    let exponent = ((value.to_bits() >> 52) as i32 - 1023).max(-14);
    let units = (value * 2f64.powi(10 - exponent)).round_ties_even() as u16;
    sign | ((((exponent + 14) as u16) << 10) + units)
}

fn op(ty: Type, op: VOp, a: u64, b: u64) -> u64 {
    let (x, y) = (float(ty, a), float(ty, b));
    let (i, j) = (signed(ty, a), signed(ty, b));
    let number = |integer: u64, real: f64| if ty.is_float() { rounded(ty, real) } else { integer };
    let (less, more) = if ty.is_float() { (x < y, x > y) } else { (i < j, i > j) };
    match op {
        VOp::Add => number(a.wrapping_add(b), x + y),
        VOp::Sub => number(a.wrapping_sub(b), x - y),
        VOp::Mul => number(a.wrapping_mul(b), x * y),
        VOp::Div => rounded(ty, x / y),
        VOp::And => a & b,
        VOp::Or => a | b,
        VOp::Xor => a ^ b,
        VOp::AndNot => a & !b,
        VOp::Min => {
            if less {
                a
            } else {
                b
            }
        }
        VOp::Max => {
            if more {
                a
            } else {
                b
            }
        }
        VOp::UMin => a.min(b),
        VOp::UMax => a.max(b),
    }
}

fn un(ty: Type, op: VUnOp, a: u64) -> u64 {
    let sign = 1 << (8 * ty.bytes() - 1);
    match op {
        VUnOp::Not => !a,
        VUnOp::Neg if ty.is_float() => a ^ sign,
        VUnOp::Neg => a.wrapping_neg(),
        VUnOp::Abs if ty.is_float() => a & !sign,
        VUnOp::Abs => signed(ty, a).unsigned_abs(),
        VUnOp::Sqrt => rounded(ty, float(ty, a).sqrt()),
        VUnOp::Recip => rounded(ty, 1.0 / float(ty, a)),
        VUnOp::Rsqrt => rounded(ty, 1.0 / float(ty, a).sqrt()),
        VUnOp::ByteSwap => a.swap_bytes() >> (64 - 8 * ty.bytes()),
    }
}

fn compare(ty: Type, cond: VCond, a: u64, b: u64) -> u64 {
    let order = if ty.is_float() { float(ty, a).partial_cmp(&float(ty, b)) } else { Some(signed(ty, a).cmp(&signed(ty, b))) };
    let holds = match cond {
        VCond::Eq => order.is_some_and(|order| order.is_eq()),
        VCond::Ne => order.is_none_or(|order| order.is_ne()),
        VCond::Lt => order.is_some_and(|order| order.is_lt()),
        VCond::Le => order.is_some_and(|order| order.is_le()),
        VCond::Gt => order.is_some_and(|order| order.is_gt()),
        VCond::Ge => order.is_some_and(|order| order.is_ge()),
        VCond::Ult => a < b,
        VCond::Ule => a <= b,
        VCond::Ugt => a > b,
        VCond::Uge => a >= b,
    };
    if holds { u64::MAX } else { 0 }
}

fn shift(ty: Type, op: VShift, a: u64, amount: u64) -> u64 {
    let bits = 8 * ty.bytes() as u64;
    match op {
        VShift::Shl if amount >= bits => 0,
        VShift::Shr if amount >= bits => 0,
        VShift::Shl => a << amount,
        VShift::Shr => a >> amount,
        VShift::Sar => (signed(ty, a) >> amount.min(bits - 1)) as u64,
    }
}

fn convert(op: VConvert, bits: u64) -> u64 {
    let (from, to) = op.types();
    let value = float(from, bits);
    match op {
        VConvert::F32ToI32 => value as i32 as u64,
        VConvert::F64ToI64 => value as i64 as u64,
        VConvert::I32ToF32 | VConvert::I64ToF64 | VConvert::F16ToF32 | VConvert::F32ToF16 => rounded(to, value),
        VConvert::F32ToF64 | VConvert::F64ToF32 => rounded(to, value),
    }
}

fn sum(shape: Shape, a: &Bytes) -> u64 {
    let mut lanes: Vec<u64> = (0..shape.lanes()).map(|index| lane(a, shape.ty, index)).collect();
    while lanes.len() > 1 {
        let upper = lanes.split_off(lanes.len() / 2);
        for (low, high) in lanes.iter_mut().zip(upper) {
            *low = op(shape.ty, VOp::Add, *low, high);
        }
    }
    lanes.first().copied().unwrap_or_default()
}

fn fma(ty: Type, a: u64, b: u64, c: u64) -> u64 {
    let narrow = |bits: u64| f32::from_bits(bits as u32);
    match ty {
        Type::F32 => narrow(a).mul_add(narrow(b), narrow(c)).to_bits().into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::F16 | Type::F64 => {
            float(ty, a).mul_add(float(ty, b), float(ty, c)).to_bits()
        }
    }
}

impl Machine {
    /// Runs one vector instruction that is sound.
    pub(super) fn step_vector(&mut self, ins: VectorIns) -> Eval<()> {
        let of = |v: V| self.vectors[usize::from(v.0)];
        let (dst, value) = match ins {
            VectorIns::Mov { size, dst, src } => (dst, build(Type::I8, size.bytes(), |i| lane(&of(src), Type::I8, i))),
            VectorIns::Load { size, dst, mem } => {
                let range = self.range(self.address(mem), size.bytes())?;
                let from = &self.memory[range];
                (dst, build(Type::I8, size.bytes(), |i| from[i].into()))
            }
            VectorIns::Store { size, src, mem } => {
                let range = self.range(self.address(mem), size.bytes())?;
                let from = of(src);
                self.memory[range].copy_from_slice(&from[..size.bytes()]);
                return Ok(());
            }
            VectorIns::FromR { ty, dst, src } => {
                (dst, build(ty, LOW_BYTES / ty.bytes(), |i| if i == 0 { self.get(src) } else { 0 }))
            }
            VectorIns::Extract { ty, lane: index, dst, src } => {
                self.set(dst, lane(&of(src), ty, index.into()));
                return Ok(());
            }
            VectorIns::Insert { ty, lane: index, dst, src } => {
                let mut value = build(Type::I8, LOW_BYTES, |i| lane(&of(dst), Type::I8, i));
                set_lane(&mut value, ty, index.into(), self.get(src));
                (dst, value)
            }
            VectorIns::Splat { shape, dst, src } => (dst, build(shape.ty, shape.lanes(), |_| self.get(src))),
            VectorIns::SplatLane { shape, dst, src } => (dst, build(shape.ty, shape.lanes(), |_| lane(&of(src), shape.ty, 0))),
            VectorIns::Op { op: what, shape: Shape { ty, size }, dst, a, b } => {
                let (a, b) = (of(a), of(b));
                (dst, build(ty, size.bytes() / ty.bytes(), |i| op(ty, what, lane(&a, ty, i), lane(&b, ty, i))))
            }
            VectorIns::Compare { cond, shape: Shape { ty, size }, dst, a, b } => {
                let (a, b) = (of(a), of(b));
                (dst, build(ty, size.bytes() / ty.bytes(), |i| compare(ty, cond, lane(&a, ty, i), lane(&b, ty, i))))
            }
            VectorIns::Shift { op, shape: Shape { ty, size }, dst, a, amount } => {
                let (a, amount) = (of(a), of(amount));
                (dst, build(ty, size.bytes() / ty.bytes(), |i| shift(ty, op, lane(&a, ty, i), lane(&amount, ty, i))))
            }
            VectorIns::ShiftImm { op, shape, dst, a, amount } => {
                let a = of(a);
                (dst, build(shape.ty, shape.lanes(), |i| shift(shape.ty, op, lane(&a, shape.ty, i), amount.into())))
            }
            VectorIns::Un { op, shape, dst, src } => {
                let a = of(src);
                (dst, build(shape.ty, shape.lanes(), |i| un(shape.ty, op, lane(&a, shape.ty, i))))
            }
            VectorIns::Fma { shape: Shape { ty, size }, dst, a, b, c } => {
                let (a, b, c) = (of(a), of(b), of(c));
                (dst, build(ty, size.bytes() / ty.bytes(), |i| fma(ty, lane(&a, ty, i), lane(&b, ty, i), lane(&c, ty, i))))
            }
            VectorIns::Convert { op, size, dst, src } => {
                let ((from, to), a) = (op.types(), of(src));
                (dst, build(to, op.bytes(size).1 / to.bytes(), |i| convert(op, lane(&a, from, i))))
            }
            VectorIns::Sum { shape, dst, src } => (dst, build(shape.ty, 1, |_| sum(shape, &of(src)))),
        };
        self.vectors[usize::from(dst.0)] = value;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_trip() {
        for bits in 0..=u16::MAX {
            let value = f64_from_f16(bits);
            if !value.is_nan() {
                assert_eq!(f16_from_f64(value), bits, "{bits:#x}");
            }
        }
    }

    #[test]
    fn halves_round_to_nearest_even() {
        let one = |ulps: f64| f16_from_f64(1.0 + ulps / 1024.0);
        assert_eq!([0.5, 0.500001, 1.5, 2.5].map(one), [0x3c00, 0x3c01, 0x3c02, 0x3c02]);
        let least = 2f64.powi(-24);
        assert_eq!([0.5, 0.75, 1.5, 1023.5].map(|n| f16_from_f64(n * least)), [0, 1, 2, 0x400]);
        assert_eq!([65519.0, 65520.0, f64::INFINITY, -65504.0].map(f16_from_f64), [0x7bff, 0x7c00, 0x7c00, 0xfbff]);
    }
}
