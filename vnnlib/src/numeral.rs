//! Decimal numbers exactly as written, and their rounding to binary floats.
//!
//! A bound such as `0.1` is no binary float. Whoever reasons about it must know on which side of it a float lies,
//! so nothing here rounds silently: [`Numeral::cmp_f64`] is exact, and the directed roundings are built on it.
//! The comparison needs 128-bit integers for up to 19 significant digits and exponents from -22 to 19, which covers
//! nearly all numbers in the competition's files; other numbers take [`Exact`], the plain way.

use std::cmp::Ordering;
use std::fmt;

use nom::Finish;
use num_bigint::BigUint;

use crate::exact::Exact;
use crate::lex;

/// A decimal number as written: an optional sign, digits with an optional point before, in or behind them, and an
/// optional exponent: `-1`, `0.5`, `+1.`, `.5`, `1.5e-3`.
///
/// Two numerals are equal if they are spelled alike; compare values with [`Numeral::cmp_value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Numeral<'a> {
    text: &'a str,
}

/// Why a text is no [`Numeral`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumeralError {
    /// The text does not follow the grammar of numbers.
    #[error("not a decimal number such as `-1`, `0.5` or `1.5e-3`")]
    Malformed,
    /// The text is longer than [`Numeral::MAX_LENGTH`] or its exponent beyond [`Numeral::MAX_EXPONENT`].
    #[error("more than 4096 characters, or an exponent outside -9999 to 9999")]
    OutOfRange,
}

/// A number taken apart: (-1)^negative · significand · 10^exponent. The significand ends in no zero.
struct Decimal {
    negative: bool,
    significand: Option<u64>,
    exponent: i32,
}

impl<'a> Numeral<'a> {
    /// The longest text that is accepted; it bounds the cost of exact arithmetic.
    pub const MAX_LENGTH: usize = 4096;
    /// The largest exponent, either way, that is accepted: far beyond every binary float, small enough to be exact.
    pub const MAX_EXPONENT: i32 = 9999;

    /// Reads a number; nothing may stand around it.
    pub fn new(text: &'a str) -> Result<Self, NumeralError> {
        match lex::numeral(text.as_bytes()).finish() {
            Ok(([], _)) => Self::within_range(text),
            _ => Err(NumeralError::Malformed),
        }
    }

    /// Checks length and exponent of a text that follows the grammar.
    pub(crate) fn within_range(text: &'a str) -> Result<Self, NumeralError> {
        let exponent = match text.find(['e', 'E']) {
            Some(at) => text[at + 1..].parse::<i32>().map_err(|_| NumeralError::OutOfRange)?,
            None => 0,
        };
        if text.len() > Self::MAX_LENGTH || exponent.abs() > Self::MAX_EXPONENT {
            return Err(NumeralError::OutOfRange);
        }
        Ok(Self { text })
    }

    /// A text that [`Self::within_range`] has accepted before.
    pub(crate) fn accepted(text: &'a str) -> Self {
        Self { text }
    }

    /// The number as written.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether it is written with neither a point nor an exponent.
    pub fn is_integer(self) -> bool {
        !self.text.contains(['.', 'e', 'E'])
    }

    /// The nearest `f64`, ties to even; infinite beyond the range of `f64`.
    pub fn nearest_f64(self) -> f64 {
        // The grammar of numerals is a subset of what `f64` reads, and std rounds correctly at any length.
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The nearest `f32`, ties to even, rounded once; infinite beyond the range of `f32`.
    pub fn nearest_f32(self) -> f32 {
        self.text.parse().unwrap_or(f32::NAN)
    }

    /// The largest `f64` that is not above the number (negative infinity if there is no finite one).
    pub fn f64_down(self) -> f64 {
        let near = self.nearest_f64();
        if self.cmp_f64(near) == Some(Ordering::Less) { near.next_down() } else { near }
    }

    /// The smallest `f64` that is not below the number (infinity if there is no finite one).
    pub fn f64_up(self) -> f64 {
        let near = self.nearest_f64();
        if self.cmp_f64(near) == Some(Ordering::Greater) { near.next_up() } else { near }
    }

    /// The largest `f32` that is not above the number (negative infinity if there is no finite one).
    pub fn f32_down(self) -> f32 {
        let near = self.nearest_f32();
        if self.cmp_f64(f64::from(near)) == Some(Ordering::Less) { near.next_down() } else { near }
    }

    /// The smallest `f32` that is not below the number (infinity if there is no finite one).
    pub fn f32_up(self) -> f32 {
        let near = self.nearest_f32();
        if self.cmp_f64(f64::from(near)) == Some(Ordering::Greater) { near.next_up() } else { near }
    }

    /// Compares the number, unrounded, with a binary float; `None` for NaN.
    pub fn cmp_f64(self, other: f64) -> Option<Ordering> {
        let near = self.nearest_f64();
        if near != other {
            // Rounding to nearest keeps the order towards every other float.
            return near.partial_cmp(&other);
        }
        if near.is_infinite() {
            return Some(if near > 0.0 { Ordering::Less } else { Ordering::Greater });
        }
        let magnitude = self.decimal().cmp_magnitude_narrow(near.abs());
        match magnitude {
            Some(order) => Some(if self.is_negative() { order.reverse() } else { order }),
            None => Exact::from_f64(other).map(|other| Exact::from(self).cmp(&other)),
        }
    }

    /// Compares two numbers by value.
    pub fn cmp_value(self, other: Numeral<'_>) -> Ordering {
        if self.text == other.text {
            return Ordering::Equal;
        }
        Exact::from(self).cmp(&Exact::from(other))
    }

    /// The same value with a point and without exponent: `1.5e-3` is `0.0015`, `2` is `2.0`.
    pub fn to_plain(self) -> String {
        let (digits, exponent) = self.parts();
        let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{after}");
        // Where the point goes, counted from the first digit.
        let point = i64::try_from(whole.len()).unwrap_or(0) + i64::from(exponent);
        let before = usize::try_from(-point).unwrap_or(0);
        let padded = format!("{}{all}", "0".repeat(before));
        let point = usize::try_from(point).unwrap_or(0);
        let sign = if self.is_negative() { "-" } else { "" };
        if point >= padded.len() {
            return format!("{sign}{padded}{}.0", "0".repeat(point - padded.len()));
        }
        let (whole, after) = padded.split_at(point);
        format!("{sign}{}.{after}", if whole.is_empty() { "0" } else { whole })
    }

    fn is_negative(self) -> bool {
        self.text.starts_with('-')
    }

    /// The digits and the point, without sign and exponent; and the exponent as written.
    fn parts(self) -> (&'a str, i32) {
        let unsigned = self.text.trim_start_matches(['+', '-']);
        match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse().unwrap_or(0)),
            None => (unsigned, 0),
        }
    }

    fn decimal(self) -> Decimal {
        let (digits, mut exponent) = self.parts();
        let (mut significand, mut zeros, mut after_point) = (Some(0_u64), 0_u32, false);
        for byte in digits.bytes() {
            if byte == b'.' {
                after_point = true;
                continue;
            }
            exponent -= i32::from(after_point);
            zeros += 1;
            if byte != b'0' {
                let digit = u64::from(byte - b'0');
                significand = significand.and_then(|s| append(s, zeros, digit));
                zeros = 0;
            }
        }
        exponent = exponent.saturating_add_unsigned(zeros);
        Decimal { negative: self.is_negative(), significand, exponent }
    }

    /// The significand of any length and its decimal exponent, for [`Exact`].
    pub(crate) fn to_big(self) -> (bool, BigUint, i32) {
        let decimal = self.decimal();
        if let Some(significand) = decimal.significand {
            return (decimal.negative, BigUint::from(significand), decimal.exponent);
        }
        let (digits, mut exponent) = self.parts();
        let mut plain = Vec::with_capacity(digits.len());
        let mut after_point = false;
        for byte in digits.bytes() {
            if byte == b'.' {
                after_point = true;
            } else {
                exponent -= i32::from(after_point);
                plain.push(byte);
            }
        }
        (self.is_negative(), BigUint::parse_bytes(&plain, 10).unwrap_or_default(), exponent)
    }
}

/// `significand` followed by `places - 1` zeros and `digit`, if that fits; leading zeros cost nothing.
fn append(significand: u64, places: u32, digit: u64) -> Option<u64> {
    if significand == 0 {
        return Some(digit);
    }
    significand.checked_mul(10_u64.checked_pow(places)?)?.checked_add(digit)
}

impl Decimal {
    /// Compares the magnitude with a float in 128-bit integers; `None` where they do not suffice.
    fn cmp_magnitude_narrow(&self, float: f64) -> Option<Ordering> {
        let significand = u128::from(self.significand?);
        if significand == 0 || float == 0.0 {
            return Some(significand.cmp(&u128::from(float != 0.0)));
        }
        let (mantissa, exponent) = decompose(float);
        let power = 10_u128.checked_pow(self.exponent.unsigned_abs())?;
        let (mut left, mut right) = (significand, u128::from(mantissa));
        if self.exponent < 0 {
            right = right.checked_mul(power)?;
        } else {
            left = left.checked_mul(power)?;
        }
        if exponent < 0 {
            left = shift(left, exponent.unsigned_abs())?;
        } else {
            right = shift(right, exponent.unsigned_abs())?;
        }
        Some(left.cmp(&right))
    }
}

fn shift(value: u128, by: u32) -> Option<u128> {
    (by <= value.leading_zeros()).then(|| value << by)
}

/// A finite non-negative float as `mantissa · 2^exponent`.
pub(crate) fn decompose(float: f64) -> (u64, i32) {
    let bits = float.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    // Eleven bits of exponent: the conversion cannot lose any.
    let biased = ((bits >> 52) & 0x7ff) as i32;
    if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) }
}

impl fmt::Display for Numeral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}
