//! The float types that a network is computed in, as far as rounding is concerned.

use crate::onnx::ElementType;

/// What a float type can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Format {
    /// Binary digits of a number, the leading one included.
    pub(super) digits: i32,
    /// The smallest normal number: what lies below may be flushed to zero.
    pub(super) tiny: f64,
    /// The largest number.
    pub(super) largest: f64,
}

impl Format {
    pub(super) const F16: Self = Self { digits: 11, tiny: 6.103_515_625e-5, largest: 65_504.0 };
    pub(super) const BF16: Self =
        Self { digits: 8, tiny: f32::MIN_POSITIVE as f64, largest: 3.389_531_389_251_535_5e38 };
    pub(super) const F32: Self =
        Self { digits: 24, tiny: f32::MIN_POSITIVE as f64, largest: f32::MAX as f64 };
    pub(super) const F64: Self = Self { digits: 53, tiny: f64::MIN_POSITIVE, largest: f64::MAX };

    /// The format of a float type; `None` for integers.
    pub(super) fn of(element: ElementType) -> Option<Self> {
        match element {
            ElementType::Float16 => Some(Self::F16),
            ElementType::BFloat16 => Some(Self::BF16),
            ElementType::Float32 => Some(Self::F32),
            ElementType::Float64 => Some(Self::F64),
            _ => None,
        }
    }

    /// Half a unit in the last place of numbers from 1 to 2: `2^-digits`.
    pub(super) fn unit(self) -> f64 {
        exp2(-self.digits)
    }
}

/// `2^exponent`, for exponents of normal doubles.
pub(super) fn exp2(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// A number is a multiple of `2^grain`. Zero is one of every power: its grain is this.
pub(super) const OF_ZERO: i32 = 2_000;
/// Of a number that is a multiple of nothing that is known.
pub(super) const UNKNOWN: i32 = -2_000;

/// The largest power of two that divides `x`, as an exponent.
pub(super) fn grain(x: f64) -> i32 {
    if x == 0.0 {
        return OF_ZERO;
    }
    if !x.is_finite() || x.abs() < f64::MIN_POSITIVE {
        return UNKNOWN;
    }
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let digits = (x.to_bits() & ((1 << 52) - 1)) | (1 << 52);
    exponent - 52 + digits.trailing_zeros() as i32
}

/// What divides every number of `format` whose absolute value is at least `least`.
pub(super) fn grain_from(format: Format, least: f64) -> i32 {
    if least < format.tiny || !least.is_finite() {
        return UNKNOWN;
    }
    let exponent = ((least.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    exponent - (format.digits - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_divides_a_number() {
        let cases = [
            (1.0, 0),
            (-6.0, 1),
            (0.75, -2),
            (f64::from(0.1f32), -27),
            (0.0, OF_ZERO),
            (f64::INFINITY, UNKNOWN),
        ];
        for (x, expected) in cases {
            assert_eq!(grain(x), expected, "{x}");
        }
        assert_eq!(grain_from(Format::F32, 1.0), -23);
        assert_eq!(grain_from(Format::F32, 1.9), -23);
        assert_eq!(grain_from(Format::F32, 0.0), UNKNOWN);
        assert_eq!(exp2(-24), 2f64.powi(-24));
    }
}
