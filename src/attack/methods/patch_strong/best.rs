//! The best result so far: whenever the time is up, it is the answer.

/// What makes a result better, smaller first: a number that comes first and one that decides between equals.
pub(super) type Worth = fn(image: &[f32], input: &[f32]) -> (f64, f64);

/// A result with its worth.
pub(super) struct Best {
    pub input: Option<((f64, f64), Vec<f32>)>,
    pub worth: Worth,
}

impl Best {
    /// Whether an input would be better.
    pub(super) fn is_beaten_by(&self, image: &[f32], input: &[f32]) -> bool {
        self.input.as_ref().is_none_or(|(worth, _)| (self.worth)(image, input) < *worth)
    }
}

/// The number of changed values, then the Euclidean length.
pub(super) fn fewest(image: &[f32], input: &[f32]) -> (f64, f64) {
    let count = image.iter().zip(input).filter(|(a, b)| a != b).count();
    (count as f64, euclidean(image, input).0)
}

/// The Euclidean length.
pub(super) fn euclidean(image: &[f32], input: &[f32]) -> (f64, f64) {
    (changes(image, input).map(|change| change * change).sum::<f64>().sqrt(), 0.0)
}

/// The largest change.
pub(super) fn largest(image: &[f32], input: &[f32]) -> (f64, f64) {
    (changes(image, input).fold(0.0, f64::max), 0.0)
}

fn changes(image: &[f32], input: &[f32]) -> impl Iterator<Item = f64> {
    image.iter().zip(input).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_values_come_first_and_then_the_shorter_change() {
        let image = [0.5; 4];
        let cases: [(Worth, [f32; 4], [f32; 4]); 4] = [
            (fewest, [1.0, 0.5, 0.5, 0.5], [0.6, 0.6, 0.5, 0.5]),
            (fewest, [0.6, 0.6, 0.5, 0.5], [0.6, 0.7, 0.5, 0.5]),
            (euclidean, [0.6, 0.6, 0.5, 0.5], [0.7, 0.5, 0.5, 0.5]),
            (largest, [0.6, 0.6, 0.6, 0.6], [0.65, 0.5, 0.5, 0.5]),
        ];
        for (worth, better, other) in cases {
            let best = |input: [f32; 4]| Best { input: Some((worth(&image, &input), input.to_vec())), worth };
            assert!(best(other).is_beaten_by(&image, &better), "{better:?}");
            assert!(!best(better).is_beaten_by(&image, &other), "{other:?}");
            assert!(!best(better).is_beaten_by(&image, &better), "equal results do not replace each other");
        }
        assert!(Best { input: None, worth: fewest }.is_beaten_by(&image, &image));
    }
}
