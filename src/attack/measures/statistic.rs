//! Mean, median and maximum of a measure.

use serde::Serialize;

/// What a list of numbers is summed up to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistic {
    /// The mean.
    pub mean: f64,
    /// The middle one; the mean of the two in the middle of an even number.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Statistic {
    /// Of these numbers; `None` if there are none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&max, count) = (sorted.last()?, sorted.len());
        let median = f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]);
        Some(Self { mean: sorted.iter().sum::<f64>() / count as f64, median, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_small_lists() {
        let cases: [(&[f64], Option<[f64; 3]>); 4] = [
            (&[], None),
            (&[3.0], Some([3.0, 3.0, 3.0])),
            (&[4.0, 1.0], Some([2.5, 2.5, 4.0])),
            (&[9.0, 1.0, 2.0], Some([4.0, 2.0, 9.0])),
        ];
        for (numbers, want) in cases {
            let got = Statistic::of(numbers.iter().copied());
            assert_eq!(got.map(|s| [s.mean, s.median, s.max]), want, "{numbers:?}");
        }
    }
}
