//! The numbers that an element type has: nearest, next, least and largest.
//!
//! All are held as doubles, which every type but 64-bit integers beyond 2^53 fits into exactly.

use half::{bf16, f16};

use crate::onnx::ElementType;

/// Integers up to this are doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The number of the type that is nearest to `x`.
pub fn nearest(element: ElementType, x: f64) -> f64 {
    match element {
        ElementType::Float64 => x,
        ElementType::Float32 => f64::from(x as f32),
        ElementType::Float16 => f16::from_f64(x).to_f64(),
        ElementType::BFloat16 => bf16::from_f64(x).to_f64(),
        _ => {
            let (low, high) = range(element);
            // A negative zero is no integer's spelling.
            x.round_ties_even().clamp(low, high) + 0.0
        }
    }
}

/// The next larger (or smaller) number of the type.
pub fn next(element: ElementType, x: f64, up: bool) -> f64 {
    // 16-bit floats in the order of their numbers: the bits of positive ones count up, those of negative ones down.
    let step16 = |bits: u16| -> u16 {
        match (bits, up) {
            (0x0000 | 0x8000, true) => 0x0001,
            (0x0000 | 0x8000, false) => 0x8001,
            _ if (bits & 0x8000 == 0) == up => bits.saturating_add(1),
            _ => bits.saturating_sub(1),
        }
    };
    match element {
        ElementType::Float64 if up => x.next_up(),
        ElementType::Float64 => x.next_down(),
        ElementType::Float32 if up => f64::from((x as f32).next_up()),
        ElementType::Float32 => f64::from((x as f32).next_down()),
        ElementType::Float16 => f16::from_bits(step16(f16::from_f64(x).to_bits())).to_f64(),
        ElementType::BFloat16 => bf16::from_bits(step16(bf16::from_f64(x).to_bits())).to_f64(),
        _ => x + if up { 1.0 } else { -1.0 },
    }
}

/// The least and the largest number of an integer type (of 64-bit ones, as far as doubles are exact); infinite for
/// floating-point types, whose range is the property's affair.
pub fn range(element: ElementType) -> (f64, f64) {
    match element {
        ElementType::Bool => (0.0, 1.0),
        ElementType::UInt8 => (0.0, u8::MAX.into()),
        ElementType::UInt16 => (0.0, u16::MAX.into()),
        ElementType::UInt32 => (0.0, u32::MAX.into()),
        ElementType::UInt64 => (0.0, EXACT),
        ElementType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        ElementType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        ElementType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        ElementType::Int64 => (-EXACT, EXACT),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// Whether [`range`] is less than what the type holds.
pub fn is_cut(element: ElementType) -> bool {
    matches!(element, ElementType::Int64 | ElementType::UInt64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElementType::*;

    #[test]
    fn neighbours_are_neighbours() {
        for element in [Float16, BFloat16, Float32, Float64, Int8, Int64] {
            for x in [-3.0, -1.0, 0.0, 1.0, 2.0, 5.0] {
                let (below, above) = (next(element, x, false), next(element, x, true));
                assert!(below < x && x < above, "{element}: {below} {x} {above}");
                assert_eq!(nearest(element, x + (above - x) * 0.3), x, "{element}");
                assert_eq!(nearest(element, above), above, "{element}");
                assert_eq!(next(element, above, false), x, "{element}");
            }
        }
        assert_eq!(nearest(UInt8, -3.7), 0.0);
        assert_eq!(nearest(Int8, 200.0), 127.0);
        assert_eq!(next(Float16, 1.0, true), 1.0 + 2f64.powi(-10));
    }
}
