//! Integers as files declare them: what wraps around, and what becomes of numbers that do not fit.
//!
//! The engine holds integers as whole numbers of its float type. An operator whose result may leave the range of its
//! element type is followed by [`Integer::wrap`]. A cast from a float that does not fit is undefined in C, and ONNX leaves
//! it open: [`Integer::convert`] is what ONNX Runtime does on x86, measured for every pair of types: narrow integers are
//! the low bits of a 32-bit conversion, and a conversion that does not fit gives the least integer.

use crate::onnx::ElementType;

/// A two's complement integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    bits: u32,
    signed: bool,
}

/// Beyond this, doubles do not hold every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Integer {
    /// The type, unless it is a float or a truth value.
    pub fn of(element: ElementType) -> Option<Self> {
        use ElementType::*;
        let (bits, signed) = match element {
            Int8 => (8, true),
            Int16 => (16, true),
            Int32 => (32, true),
            Int64 => (64, true),
            UInt8 => (8, false),
            UInt16 => (16, false),
            UInt32 => (32, false),
            UInt64 => (64, false),
            Float16 | BFloat16 | Float32 | Float64 | Bool => return None,
        };
        Some(Self { bits, signed })
    }

    /// Least and largest number. Of 64-bit types those that doubles hold without gaps: what leaves them may be off.
    pub fn range(self) -> (f64, f64) {
        let half = 2f64.powi(self.bits as i32 - 1);
        match (self.bits, self.signed) {
            (64, true) => (-EXACT, EXACT),
            (64, false) => (0.0, EXACT),
            (_, true) => (-half, half - 1.0),
            (_, false) => (0.0, 2.0 * half - 1.0),
        }
    }

    /// Whether single precision lacks some of its numbers.
    pub fn is_wide(self) -> bool {
        self.bits > 16
    }

    /// The whole number `x` modulo the type's range.
    pub fn wrap(self, x: f64) -> f64 {
        if !x.is_finite() {
            return self.convert(x);
        }
        let modulus = 2f64.powi(self.bits as i32);
        // A double near 2⁶⁴ would swallow small negative numbers.
        if self.signed && (-modulus / 2.0..modulus / 2.0).contains(&x) {
            return x;
        }
        let rest = x - modulus * (x / modulus).floor();
        if self.signed && rest >= modulus / 2.0 { rest - modulus } else { rest }
    }

    /// A float as this type: towards zero; where that does not fit, as on x86.
    pub fn convert(self, x: f64) -> f64 {
        let x = x.trunc();
        match (self.bits, self.signed) {
            (8 | 16, _) => self.wrap(f64::from(single(x))),
            (32, true) => f64::from(single(x)),
            (32, false) => self.wrap(double(x) as f64),
            (_, true) => double(x) as f64,
            _ if (0.0..2.0 * TOP).contains(&x) => x,
            _ if x >= 2.0 * TOP => 0.0,
            // The bits of the signed conversion, read as an unsigned number.
            _ => double(x) as u64 as f64,
        }
    }

    /// The product modulo the type's range, also where it is not a double.
    pub fn multiply(self, a: f64, b: f64) -> f64 {
        let product = a * b;
        if product.abs() < EXACT {
            return self.wrap(product);
        }
        let whole = |x: f64| if x < TOP { x as i64 } else { x as u64 as i64 };
        let (low, spare) = (whole(a).wrapping_mul(whole(b)), 64 - self.bits);
        if self.signed { ((low << spare) >> spare) as f64 } else { ((low as u64) << spare >> spare) as f64 }
    }
}

/// 2⁶³
const TOP: f64 = 9_223_372_036_854_775_808.0;

/// `cvttsd2si` to 32 bits.
fn single(x: f64) -> i32 {
    if x >= f64::from(i32::MIN) && x <= f64::from(i32::MAX) { x as i32 } else { i32::MIN }
}

/// `cvttsd2si` to 64 bits.
fn double(x: f64) -> i64 {
    if (-TOP..TOP).contains(&x) { x as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElementType::*;

    fn of(element: ElementType) -> Integer {
        Integer::of(element).unwrap()
    }

    #[test]
    fn whole_numbers_wrap_around() {
        let cases = [
            (Int8, 127.0, 127.0),
            (Int8, 128.0, -128.0),
            (Int8, -129.0, 127.0),
            (UInt8, -1.0, 255.0),
            (UInt8, 256.0, 0.0),
            (Int16, 40_000.0, -25_536.0),
            (UInt16, 70_000.0, 4_464.0),
            (Int32, 3e9, -1_294_967_296.0),
            (UInt32, -1.0, 4_294_967_295.0),
            (Int64, TOP, -TOP),
            (Int64, -5.0, -5.0),
            (UInt64, -2048.0, 2.0 * TOP - 2048.0),
        ];
        for (element, x, want) in cases {
            assert_eq!(of(element).wrap(x), want, "{x} as {element}");
        }
    }

    /// What ONNX Runtime 1.32 gives on x86.
    #[test]
    fn floats_that_do_not_fit_become_what_x86_makes_of_them() {
        let cases = [
            (Int8, 200.0, -56.0),
            (Int8, -1.9, -1.0),
            (Int8, 3e9, 0.0),
            (Int8, f64::NAN, 0.0),
            (UInt8, -1.9, 255.0),
            (UInt8, 70_000.0, 112.0),
            (Int16, 2_147_483_520.0, -128.0),
            (UInt16, -70_000.0, 61_072.0),
            (Int32, 2_147_483_648.0, -2_147_483_648.0),
            (Int32, f64::NAN, -2_147_483_648.0),
            (Int32, f64::NEG_INFINITY, -2_147_483_648.0),
            (UInt32, 3e9, 3e9),
            (UInt32, -1.0, 4_294_967_295.0),
            (UInt32, 5e9, 705_032_704.0),
            (Int64, 9.3e18, -TOP),
            (Int64, f64::INFINITY, -TOP),
            (UInt64, 9.3e18, 9.3e18),
            (UInt64, 1.9e19, 0.0),
            (UInt64, f64::NAN, TOP),
            (UInt64, -1e19, TOP),
        ];
        for (element, x, want) in cases {
            assert_eq!(of(element).convert(x), want, "{x} as {element}");
        }
    }

    #[test]
    fn products_are_right_in_their_last_bit() {
        let cases = [
            (Int8, 100.0, 3.0, 44.0),
            (Int32, 100_000.0, 30_000.0, -1_294_967_296.0),
            (Int32, 2_147_483_647.0, 2_147_483_647.0, 1.0),
            (UInt32, 4_294_967_295.0, 4_294_967_295.0, 1.0),
            (Int64, 4_294_967_296.0, 4_294_967_296.0, 0.0),
            (UInt64, 2.0 * TOP - 2048.0, 3.0, 2.0 * TOP - 6144.0),
        ];
        for (element, a, b, want) in cases {
            assert_eq!(of(element).multiply(a, b), want, "{a} · {b} as {element}");
        }
    }
}
