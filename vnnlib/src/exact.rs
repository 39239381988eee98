//! Exact arithmetic on decimals and binary floats: numbers s · 2^a · 5^b with a big integer s.
//!
//! Every decimal and every binary float is such a number, and sums and products of them are again. So no fractions
//! have to be reduced, and the only cost is the size of s, which [`Exact::MAX_BITS`] bounds.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::numeral::{Numeral, decompose};

/// An exact number s · 2^twos · 5^fives.
#[derive(Debug, Clone)]
pub struct Exact {
    significand: BigInt,
    twos: i64,
    fives: i64,
}

/// An exact result has more than [`Exact::MAX_BITS`] bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the exact value has more than {} bits", Exact::MAX_BITS)]
pub struct TooLarge;

impl Exact {
    /// The largest significand, and the largest exponent either way, of a sum or product: nine times what the most
    /// extreme [`Numeral`] has. A float needs 1,074.
    pub const MAX_BITS: u64 = 1 << 17;

    /// Zero.
    pub fn zero() -> Self {
        Self { significand: BigInt::ZERO, twos: 0, fives: 0 }
    }

    /// One.
    pub fn one() -> Self {
        Self { significand: BigInt::from(1), twos: 0, fives: 0 }
    }

    /// The value of a float; `None` unless it is finite.
    pub fn from_f64(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let (mantissa, exponent) = decompose(float.abs());
        // Short significands keep sums of nearby numbers small.
        let zeros = mantissa.trailing_zeros().min(63);
        let magnitude = BigInt::from(mantissa >> zeros);
        let significand = if float < 0.0 { -magnitude } else { magnitude };
        Some(Self { significand, twos: i64::from(exponent) + i64::from(zeros), fives: 0 })
    }

    /// The sum.
    pub fn add(&self, other: &Self) -> Result<Self, TooLarge> {
        if self.is_zero() {
            return Ok(other.clone());
        }
        if other.is_zero() {
            return Ok(self.clone());
        }
        let (twos, fives) = (self.twos.min(other.twos), self.fives.min(other.fives));
        let significand = self.scaled_to(twos, fives) + other.scaled_to(twos, fives);
        Self { significand, twos, fives }.checked()
    }

    /// The difference.
    pub fn subtract(&self, other: &Self) -> Result<Self, TooLarge> {
        self.add(&other.negate())
    }

    /// The product.
    pub fn multiply(&self, other: &Self) -> Result<Self, TooLarge> {
        if self.significand.bits() + other.significand.bits() > Self::MAX_BITS {
            return Err(TooLarge);
        }
        let significand = &self.significand * &other.significand;
        Self { significand, twos: self.twos + other.twos, fives: self.fives + other.fives }.checked()
    }

    /// The number with the opposite sign.
    pub fn negate(&self) -> Self {
        Self { significand: -&self.significand, twos: self.twos, fives: self.fives }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.significand.sign() == Sign::NoSign
    }

    /// Its order relative to zero.
    pub fn sign(&self) -> Ordering {
        match self.significand.sign() {
            Sign::Minus => Ordering::Less,
            Sign::NoSign => Ordering::Equal,
            Sign::Plus => Ordering::Greater,
        }
    }

    /// The nearest `f64`, ties to even; infinite beyond the range of `f64`.
    pub fn nearest_f64(&self) -> f64 {
        if self.is_zero() {
            return 0.0;
        }
        // 2^a · 5^b with the common power of ten taken out is a decimal number, and std rounds those correctly.
        let ten = self.twos.min(self.fives);
        format!("{}e{ten}", self.scaled_to(ten, ten)).parse().unwrap_or(f64::NAN)
    }

    /// All its digits as a decimal number without an exponent.
    pub fn to_decimal(&self) -> String {
        if self.is_zero() {
            return "0".into();
        }
        let ten = self.twos.min(self.fives);
        let digits = self.scaled_to(ten, ten).magnitude().to_string();
        let sign = if self.sign() == Ordering::Less { "-" } else { "" };
        if ten >= 0 {
            return format!("{sign}{digits}{}", "0".repeat(ten.unsigned_abs() as usize));
        }
        let behind = ten.unsigned_abs() as usize;
        let digits = format!("{digits:0>width$}", width = behind + 1);
        let (whole, fraction) = digits.split_at(digits.len() - behind);
        match fraction.trim_end_matches('0') {
            "" => format!("{sign}{whole}"),
            fraction => format!("{sign}{whole}.{fraction}"),
        }
    }

    /// The significand that the number has with these exponents, which must not be above its own.
    fn scaled_to(&self, twos: i64, fives: i64) -> BigInt {
        let up_fives = u32::try_from(self.fives - fives).unwrap_or(0);
        let scaled = if up_fives == 0 {
            self.significand.clone()
        } else {
            &self.significand * BigInt::from(5).pow(up_fives)
        };
        scaled << (self.twos - twos).unsigned_abs()
    }

    fn checked(self) -> Result<Self, TooLarge> {
        let largest = self.significand.bits().max(self.twos.unsigned_abs()).max(self.fives.unsigned_abs());
        if largest <= Self::MAX_BITS { Ok(self) } else { Err(TooLarge) }
    }
}

impl From<Numeral<'_>> for Exact {
    fn from(numeral: Numeral<'_>) -> Self {
        let (negative, magnitude, exponent) = numeral.to_big();
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let exponent = i64::from(exponent);
        Self { significand: BigInt::from_biguint(sign, magnitude), twos: exponent, fives: exponent }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.sign() != other.sign() {
            return self.sign().cmp(&other.sign());
        }
        let (twos, fives) = (self.twos.min(other.twos), self.fives.min(other.fives));
        self.scaled_to(twos, fives).cmp(&other.scaled_to(twos, fives))
    }
}
