//! Results that rounding leaves on a known side.
//!
//! A sum of `n` products of doubles, in any order, is off by at most `γ_n · Σ |terms|` (Higham, Accuracy and Stability of
//! Numerical Algorithms, 2nd ed., sections 3.1 and 4.2). What is added up here knows its number of terms and their sizes.

/// A bound of `γ_n = n·u / (1 − n·u)`, `u = 2⁻⁵³`, with room for sixteen more operations around the sum; good up to 10⁷
/// terms.
pub(super) fn gamma(terms: usize) -> f64 {
    (terms as f64 + 16.0) * 1.12e-16
}

/// Below `x` by a few units in the last place.
pub(super) fn below(x: f64) -> f64 {
    x - (x.abs() * 4.0 * f64::EPSILON + f64::MIN_POSITIVE)
}

/// Above `x` by a few units in the last place.
pub(super) fn above(x: f64) -> f64 {
    -below(-x)
}

/// A long sum, computed plainly, and what is to be taken off it.
#[derive(Debug, Clone, Default)]
pub(super) struct RoundedSum {
    value: f64,
    absolute: f64,
    loss: f64,
    terms: usize,
}

impl RoundedSum {
    /// Adds a number that is the result of at most a few operations.
    pub(super) fn add(&mut self, term: f64) {
        self.value += term;
        self.absolute += term.abs();
        self.terms += 4;
    }

    /// Adds the products of two lists.
    pub(super) fn add_products(&mut self, a: &[f64], b: &[f64]) {
        a.iter().zip(b).for_each(|(a, b)| self.add(a * b));
    }

    /// Takes something off that is not negative.
    pub(super) fn charge(&mut self, loss: f64) {
        self.loss += loss;
        self.terms += 1;
    }

    /// At most the exact sum less all charges; −∞ where it is no number.
    pub(super) fn least(&self) -> f64 {
        let rounding = gamma(self.terms) * self.absolute + self.loss * (1.0 + gamma(self.terms));
        let least = below(self.value - below(-rounding).abs());
        if least.is_nan() { f64::NEG_INFINITY } else { least }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_lie_below_the_exact_ones() {
        let cases: [(&[f64], f64, f64); 4] = [
            (&[1.0, 1e16, -1e16], 0.0, 1.0),
            (&[0.1; 10], 0.0, 1.0),
            (&[0.5, 0.25], 0.5, 0.25),
            (&[f64::INFINITY, -1.0], f64::INFINITY, f64::INFINITY),
        ];
        for (terms, loss, exact) in cases {
            let mut account = RoundedSum::default();
            terms.iter().for_each(|&term| account.add(term));
            account.charge(loss);
            assert!(account.least() <= exact, "{terms:?}: {}", account.least());
        }
    }
}
