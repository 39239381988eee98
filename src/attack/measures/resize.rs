//! A picture of another size and other colours, as networks of features read it.
//!
//! Bilinear with half-pixel centres and without antialiasing: what `torch.nn.functional.interpolate(mode="bilinear",
//! align_corners=False)` does, and with it pytorch-fid, which brings pictures to 299 x 299 that way. A sample of a
//! smaller picture therefore weighs at most two rows and two columns, however many lie between two samples.
//!
//! Pictures are lists of values, the channels of a pixel side by side.

use crate::attack::images::Shape;

/// Rec. 601: what the eye sees of red, green and blue in a grey.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// A sample between two of a line: the places of both, and the share of the second.
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

/// Where the samples of a line of `to` lie in a line of `from`: sample `i` at `(i + ½) from / to − ½`, none in front of the
/// first.
fn samples(from: usize, to: usize) -> Vec<Between> {
    let last = from.saturating_sub(1);
    let one = |at: usize| {
        let place = ((at as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let first = (place as usize).min(last);
        Between { first, second: (first + 1).min(last), share: (place - first as f64) as f32 }
    };
    (0..to).map(one).collect()
}

/// A picture with so many rows and columns.
pub fn bilinear(picture: &[f32], from: Shape, height: usize, width: usize) -> Vec<f32> {
    let Shape { channels, .. } = from;
    let columns = samples(from.width, width);
    let mut resized = Vec::with_capacity(height * width * channels);
    for row in samples(from.height, height) {
        let value = |line: usize, column: usize, channel: usize| {
            picture[(line * from.width + column) * channels + channel]
        };
        for column in &columns {
            for channel in 0..channels {
                let along = |line: usize| {
                    let (left, right) =
                        (value(line, column.first, channel), value(line, column.second, channel));
                    left + column.share * (right - left)
                };
                let (above, below) = (along(row.first), along(row.second));
                resized.push(above + row.share * (below - above));
            }
        }
    }
    resized
}

/// A picture in so many channels: grey in each of three, three as the grey that the eye sees (Rec. 601). `None` for
/// other numbers that differ.
pub fn recolour(picture: &[f32], from: usize, to: usize) -> Option<Vec<f32>> {
    match (from, to) {
        _ if from == to => Some(picture.to_vec()),
        (1, 3) => Some(picture.iter().flat_map(|&grey| [grey; 3]).collect()),
        (3, 1) => {
            let grey = |pixel: &[f32]| pixel.iter().zip(LUMA).map(|(value, share)| value * share).sum();
            Some(picture.chunks_exact(3).map(grey).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        picture: &[f32],
        (height, width, channels): (usize, usize, usize),
        to: (usize, usize),
        want: &[f32],
    ) {
        let got = bilinear(picture, Shape { height, width, channels }, to.0, to.1);
        assert_eq!(got.len(), want.len(), "{to:?}");
        let near = got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6);
        assert!(near, "{height} x {width} to {to:?}: {got:?}, not {want:?}");
    }

    /// Worked out by hand from the formula of [`samples`].
    #[test]
    fn samples_lie_between_their_neighbours() {
        // Two to four: at −¼ (so 0), ¼, ¾ and 1¼ (behind the last there is the last).
        check(&[0.0, 1.0], (1, 2, 1), (1, 4), &[0.0, 0.25, 0.75, 1.0]);
        check(&[0.0, 1.0], (2, 1, 1), (4, 1), &[0.0, 0.25, 0.75, 1.0]);
        #[rustfmt::skip]
        let square = [
            0.0,  0.25,  0.75,  1.0,
            0.5,  0.625, 0.875, 1.0,
            1.5,  1.375, 1.125, 1.0,
            2.0,  1.75,  1.25,  1.0,
        ];
        check(&[0.0, 1.0, 2.0, 1.0], (2, 2, 1), (4, 4), &square);
        // Four to two: at ½ and 2½. Four to three: at 1/6, 1½ and 2 + 5/6.
        check(&[0.0, 1.0, 4.0, 9.0], (1, 4, 1), (1, 2), &[0.5, 6.5]);
        check(&[0.0, 6.0, 12.0, 36.0], (1, 4, 1), (1, 3), &[1.0, 9.0, 32.0]);
        // Nine to three, at 1, 4 and 7: nothing is smoothed, two of three values do not matter.
        check(&[9.0, 1.0, 9.0, 9.0, 2.0, 9.0, 9.0, 3.0, 9.0], (1, 9, 1), (1, 3), &[1.0, 2.0, 3.0]);
        // Channels do not mix, a picture of one pixel is flat, and the same size changes nothing.
        check(&[0.0, 8.0, 1.0, 4.0], (1, 2, 2), (1, 4), &[0.0, 8.0, 0.25, 7.0, 0.75, 5.0, 1.0, 4.0]);
        check(&[0.7], (1, 1, 1), (2, 3), &[0.7; 6]);
        check(&[0.1, 0.9, 0.3, 0.4], (2, 2, 1), (2, 2), &[0.1, 0.9, 0.3, 0.4]);
    }

    #[test]
    fn grey_becomes_three_channels_and_three_become_grey() {
        let check = |picture: &[f32], from, to, want: Option<&[f32]>| {
            let got = recolour(picture, from, to);
            let near = |(got, want): (&f32, &f32)| (got - want).abs() < 1e-6;
            let same = match (&got, want) {
                (Some(got), Some(want)) => got.len() == want.len() && got.iter().zip(want).all(near),
                (got, want) => got.is_none() && want.is_none(),
            };
            assert!(same, "{from} to {to}: {got:?}, not {want:?}");
        };
        check(&[0.5, 0.25], 1, 3, Some(&[0.5, 0.5, 0.5, 0.25, 0.25, 0.25]));
        check(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.5], 3, 1, Some(&[0.299, 0.644]));
        check(&[0.5, 0.25], 2, 2, Some(&[0.5, 0.25]));
        check(&[0.5, 0.25], 2, 3, None);
        check(&[0.5, 0.25, 0.5, 1.0], 4, 1, None);
    }
}
