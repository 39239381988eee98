//! The best result so far: whenever the time is up, it is the answer.

use super::plane::PixelNorm;

/// What makes a result better, smaller first: a number that comes first and one that decides between equals.
/// `unit` is by how much each input moves where its pixel moves by 1: lengths are in pixels.
pub(super) type Worth = fn(unit: &[f32], image: &[f32], input: &[f32]) -> (f64, f64);

/// A result with its worth.
pub(super) struct RatedInput {
    pub input: Option<((f64, f64), Vec<f32>)>,
    pub worth: Worth,
}

impl RatedInput {
    /// Whether an input would be better.
    pub(super) fn is_beaten_by(&self, unit: &[f32], image: &[f32], input: &[f32]) -> bool {
        self.input.as_ref().is_none_or(|(worth, _)| (self.worth)(unit, image, input) < *worth)
    }
}

/// The number of changed values, then the Euclidean length.
pub(super) fn fewest(unit: &[f32], image: &[f32], input: &[f32]) -> (f64, f64) {
    let count = image.iter().zip(input).filter(|(a, b)| a != b).count();
    (count as f64, euclidean(unit, image, input).0)
}

/// The Euclidean length.
pub(super) fn euclidean(unit: &[f32], image: &[f32], input: &[f32]) -> (f64, f64) {
    (PixelNorm::Euclidean.of(unit, image, input), 0.0)
}

/// The largest change.
pub(super) fn largest(unit: &[f32], image: &[f32], input: &[f32]) -> (f64, f64) {
    (PixelNorm::Largest.of(unit, image, input), 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_values_come_first_and_then_the_shorter_change() {
        let (image, unit) = ([0.5; 4], [1.0, 1.0, 1.0, 4.0]);
        let cases: [(Worth, [f32; 4], [f32; 4]); 5] = [
            (fewest, [1.0, 0.5, 0.5, 0.5], [0.6, 0.6, 0.5, 0.5]),
            (fewest, [0.6, 0.6, 0.5, 0.5], [0.6, 0.7, 0.5, 0.5]),
            (euclidean, [0.6, 0.6, 0.5, 0.5], [0.7, 0.5, 0.5, 0.5]),
            (largest, [0.6, 0.6, 0.6, 0.6], [0.65, 0.5, 0.5, 0.5]),
            (euclidean, [0.5, 0.5, 0.5, 0.8], [0.6, 0.5, 0.5, 0.5]),
        ];
        for (worth, better, other) in cases {
            let best = |input: [f32; 4]| RatedInput {
                input: Some((worth(&unit, &image, &input), input.to_vec())),
                worth,
            };
            assert!(best(other).is_beaten_by(&unit, &image, &better), "{better:?}");
            assert!(!best(better).is_beaten_by(&unit, &image, &other), "{other:?}");
            assert!(
                !best(better).is_beaten_by(&unit, &image, &better),
                "equal results do not replace each other"
            );
        }
        assert!(RatedInput { input: None, worth: fewest }.is_beaten_by(&unit, &image, &image));
    }
}
