//! Numerals: every rounding against fractions of big integers, the plain way.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint};
use proptest::prelude::*;
use vnnlib::{Exact, Numeral, NumeralError};

/// A number as numerator and denominator, both from the text alone.
fn fraction(text: &str) -> (BigInt, BigInt) {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
    let numerator: BigInt = format!("{whole}{after}").parse().unwrap();
    let exponent = exponent.parse::<i64>().unwrap() - after.len() as i64;
    let power = BigInt::from(BigUint::from(10_u32).pow(exponent.unsigned_abs() as u32));
    if exponent < 0 { (numerator, power) } else { (numerator * power, BigInt::from(1)) }
}

/// A finite float as a fraction, through its bits.
fn float(value: f64) -> (BigInt, BigInt) {
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
    let (mantissa, exponent) =
        if exponent == 0 { (mantissa, -1074) } else { (mantissa | 1 << 52, exponent - 1075) };
    let signed = if value < 0.0 { -BigInt::from(mantissa) } else { BigInt::from(mantissa) };
    let power = BigInt::from(1) << exponent.unsigned_abs();
    if exponent < 0 { (signed, power) } else { (signed * power, BigInt::from(1)) }
}

fn compare((a, b): &(BigInt, BigInt), (c, d): &(BigInt, BigInt)) -> Ordering {
    (a * d).cmp(&(c * b))
}

/// The order of a number and a float that may be infinite.
fn plain(text: &str, value: f64) -> Ordering {
    if value.is_infinite() {
        return if value > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    compare(&fraction(text), &float(value))
}

/// All promises about one number.
fn check(text: &str) {
    let numeral = Numeral::new(text).unwrap();
    assert_eq!(numeral.as_str(), text);
    let (down, up, near) = (numeral.f64_down(), numeral.f64_up(), numeral.nearest_f64());
    for value in
        [down, up, near, near.next_up(), near.next_down(), f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]
    {
        assert_eq!(numeral.cmp_f64(value), Some(plain(text, value)), "{text} and {value:e}");
    }
    assert_eq!(numeral.cmp_f64(f64::NAN), None);
    assert!(plain(text, down).is_ge() && plain(text, down.next_up()).is_lt(), "{text} down {down:e}");
    assert!(plain(text, up).is_le() && plain(text, up.next_down()).is_gt(), "{text} up {up:e}");
    assert!(near == down || near == up);

    let (down, up, near) = (numeral.f32_down(), numeral.f32_up(), numeral.nearest_f32());
    let wide = |value: f32| plain(text, f64::from(value));
    assert!(wide(down).is_ge() && wide(down.next_up()).is_lt(), "{text} f32 down {down:e}");
    assert!(wide(up).is_le() && wide(up.next_down()).is_gt(), "{text} f32 up {up:e}");
    assert!(near == down || near == up);

    let exact = Exact::from(numeral);
    assert_eq!(exact.nearest_f64(), numeral.nearest_f64(), "{text}");
    let printed = exact.to_decimal();
    assert!(!printed.contains(['e', 'E']), "{text}: {printed}");
    let (ours, theirs) = (fraction(&printed), fraction(text));
    assert_eq!(ours.0 * theirs.1, theirs.0 * ours.1, "{text}: {printed}");
}

#[test]
fn numbers_at_the_edges() {
    let edges = [
        "0",
        "-0",
        "0.0",
        "-0.000",
        "0e9999",
        "1",
        "-1",
        "0.1",
        "-0.1",
        "0.5",
        "007",
        "1.50",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740993",
        "-9007199254740993",
        "9007199254740993e19",
        "18446744073709551615",
        "18446744073709551616",
        "0.30000000000000004",
        "0.3000000000000000444089209850062616169452667236328125",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "-1e309",
        "1e9999",
        "-1e9999",
        "1e-9999",
        "-1e-9999",
        "4.9406564584124654e-324",
        "2.5e-324",
        "2.4e-324",
        "2.2250738585072011e-308",
        "3.4028235e38",
        "3.4028236e38",
        "1.401298464324817e-45",
        "7.006492321624085e-46",
        "16777217",
        "0.00000000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000",
        "1E5",
        "1.",
        "+1.0",
        "+.1",
        "-.5",
        "1.E0",
        "-.1e+1",
        "+12345678901234567890.",
        "1e+5",
        "123456789012345678901234567890.5e-10",
    ];
    edges.iter().for_each(|text| check(text));
}

#[test]
fn other_texts_are_no_numbers() {
    for text in [
        "", "-", "+", ".", "-.", "+-1", ".e5", "1e", "1e+", "e5", "0x1", "inf", "nan", " 1", "1 ", "1_0",
        "--1", "1.2.3", "..5", "5..",
    ] {
        assert_eq!(Numeral::new(text), Err(NumeralError::Malformed), "{text}");
    }
    let long = "1".repeat(Numeral::MAX_LENGTH + 1);
    for text in ["1e10000", "1e-10000", "1e999999999999999999999", long.as_str()] {
        assert_eq!(Numeral::new(text), Err(NumeralError::OutOfRange), "{text}");
    }
    check(&"9".repeat(Numeral::MAX_LENGTH));
}

proptest! {
    #[test]
    fn short_numbers(text in "[+-]?[0-9]{1,3}(\\.[0-9]{0,17})?(e[+-]?[0-9]{1,2})?") {
        check(&text);
    }

    #[test]
    fn long_numbers(text in "[+-]?[0-9]{0,30}\\.[0-9]{1,60}([eE][+-]?[0-9]{1,3})?") {
        check(&text);
    }

    /// Floats printed in full are their own rounding; the points halfway between two floats are the hardest.
    #[test]
    fn floats_and_the_points_between(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite() && value.next_up().is_finite() && value.abs() > 1e-200);
        check(&format!("{value:e}"));
        let (a, b) = (Exact::from_f64(value).unwrap(), Exact::from_f64(value.next_up()).unwrap());
        let sum = a.add(&b).unwrap();
        let middle = sum.multiply(&Exact::from(Numeral::new("0.5").unwrap())).unwrap();
        prop_assert!(a < middle && middle < b);
        let near = middle.nearest_f64();
        let even = if value.to_bits() % 2 == 0 { value } else { value.next_up() };
        prop_assert_eq!(near, even);
    }

    #[test]
    fn arithmetic_agrees_with_fractions(a in "-?[0-9]{1,12}(\\.[0-9]{1,12})?(e-?[0-9]{1,2})?", b in "-?[0-9]{1,12}(\\.[0-9]{1,12})?") {
        let (x, y) = (Numeral::new(&a).unwrap(), Numeral::new(&b).unwrap());
        prop_assert_eq!(x.cmp_value(y), compare(&fraction(&a), &fraction(&b)));
        let ((an, ad), (bn, bd)) = (fraction(&a), fraction(&b));
        let (x, y) = (Exact::from(x), Exact::from(y));
        let difference = x.subtract(&y).unwrap();
        prop_assert_eq!(difference.sign(), (&an * &bd).cmp(&(&bn * &ad)));
        // (x - y) · y + y² = x · y
        let product = difference.multiply(&y).unwrap().add(&y.multiply(&y).unwrap()).unwrap();
        prop_assert_eq!(product, x.multiply(&y).unwrap());
    }
}
