//! How far an input is from the image: counts of values and pixels, and three norms of the change.

use serde::{Deserialize, Serialize};

use crate::attack::ImageLayout;

/// Distances of one adversarial input in pixels, whose values go from 0 to 1: the scale of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Distance {
    /// Values that differ (L0).
    pub values: usize,
    /// Pixels of which at least one value differs.
    pub pixels: usize,
    /// Sum of the changes.
    pub l1: f64,
    /// Euclidean length of the change.
    pub l2: f64,
    /// The largest change.
    pub linf: f64,
}

impl Distance {
    /// Between two inputs of a layout; `unit` is by how much each input moves where its pixel moves by 1.
    pub fn between(layout: ImageLayout, unit: &[f32], image: &[f32], input: &[f32]) -> Self {
        let mut touched = vec![false; layout.pixels()];
        let mut distance = Self::default();
        for (index, ((&from, &to), &unit)) in image.iter().zip(input).zip(unit).enumerate() {
            if from != to {
                let change = (f64::from(to) - f64::from(from)).abs() / f64::from(unit);
                touched[layout.pixel(index)] = true;
                distance.values += 1;
                distance.l1 += change;
                distance.l2 += change * change;
                distance.linf = distance.linf.max(change);
            }
        }
        distance.pixels = touched.into_iter().filter(|&touched| touched).count();
        distance.l2 = distance.l2.sqrt();
        distance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::ChannelOrder;

    #[test]
    fn norms_and_counts_are_those_of_the_definition() {
        let image = [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 1.0, 1.0];
        let input = [0.0, 0.75, 0.5, 0.0, 0.0, 1.0, 1.0, 1.0];
        // Values 1 and 5: pixel 1 of both channels, or channel 1 of pixels 0 and 2.
        for (order, pixels) in [(ChannelOrder::ChannelsFirst, 1), (ChannelOrder::ChannelsLast, 2)] {
            let layout = ImageLayout { channels: 2, height: 2, width: 2, order };
            for unit in [1.0, 4.0] {
                let got = Distance::between(layout, &[unit; 8], &image, &input);
                let [l1, l2, linf] = [1.25, 1.0625_f64.sqrt(), 1.0].map(|norm| norm / f64::from(unit));
                assert_eq!(got, Distance { values: 2, pixels, l1, l2, linf }, "{order:?}, {unit}");
            }
        }
    }
}
