//! Many decimal numbers as text, in one piece of memory: a witness of VGG has 150,000 of them.

use std::fmt::Write;

/// A list of decimal numbers as they are printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decimals {
    text: String,
    ends: Vec<usize>,
}

impl Decimals {
    /// An empty list with room for `count` numbers.
    pub fn with_capacity(count: usize) -> Self {
        Self { text: String::with_capacity(count.saturating_mul(20)), ends: Vec::with_capacity(count) }
    }

    /// Appends a number as it is.
    pub fn push(&mut self, decimal: &str) {
        self.text.push_str(decimal);
        self.ends.push(self.text.len());
    }

    /// Appends the shortest decimal that reads back as this float; no exponent, whatever the size.
    pub fn push_shortest(&mut self, x: f64) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{x}");
        self.ends.push(self.text.len());
    }

    /// Appends all digits of a finite float.
    pub fn push_exact(&mut self, x: f64) {
        let _ = write!(self.text, "{x:.*}", fraction_digits(x));
        self.ends.push(self.text.len());
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The number at a position.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.text.get(start..end)
    }

    /// All numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|index| self.get(index))
    }
}

/// Digits behind the point of the exact decimal of a finite float: those of m / 2^k are k.
fn fraction_digits(x: f64) -> usize {
    let bits = x.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    // Eleven bits: the conversion loses none.
    let biased = ((bits >> 52) & 0x7ff) as i32;
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    if mantissa == 0 {
        return 0;
    }
    let exponent = exponent + mantissa.trailing_zeros() as i32;
    usize::try_from(-exponent).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(x: f64) -> String {
        let mut decimals = Decimals::default();
        decimals.push_exact(x);
        decimals.get(0).unwrap().to_owned()
    }

    #[test]
    fn exact_decimals_have_all_digits() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (-3.0, "-3"),
            (1e22, "10000000000000000000000"),
            (f64::from(0.15f32), "0.1500000059604644775390625"),
        ];
        for (x, want) in cases {
            assert_eq!(exact(x), want);
        }
    }

    proptest! {
        #[test]
        fn both_spellings_read_back_and_the_exact_one_is_exact(bits in any::<u32>()) {
            let x = f64::from(f32::from_bits(bits));
            prop_assume!(x.is_finite());
            let mut decimals = Decimals::default();
            decimals.push_shortest(x);
            decimals.push_exact(x);
            for decimal in decimals.iter() {
                prop_assert_eq!(decimal.parse::<f64>().unwrap().to_bits(), x.to_bits());
                prop_assert!(!decimal.contains(['e', 'E']));
            }
            let numeral = vnnlib::Numeral::new(decimals.get(1).unwrap()).unwrap();
            prop_assert_eq!(numeral.cmp_f64(x), Some(std::cmp::Ordering::Equal));
        }
    }
}
