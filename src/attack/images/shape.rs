//! The shape of an image, and how it is told from the shape of an array.

/// Rows, columns and values a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values a pixel.
    pub channels: usize,
}

/// Channels that an image has: grey, with transparency, colour, colour with transparency.
fn is_channels(size: usize) -> bool {
    (1..=4).contains(&size)
}

impl Shape {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one image of an array with these sizes, the first of which counts images, and whether its channels
    /// come before its rows. A flat row is a square image, grey or in three colours: no number is a square and three
    /// times a square.
    pub(super) fn of_array(sizes: &[usize]) -> Option<(Self, bool)> {
        match *sizes {
            [_, height, width] => Some((Self { height, width, channels: 1 }, false)),
            [_, height, width, channels] if is_channels(channels) => {
                Some((Self { height, width, channels }, false))
            }
            [_, channels, height, width] if is_channels(channels) => {
                Some((Self { height, width, channels }, true))
            }
            [_, flat] => [1, 3].into_iter().find_map(|channels| {
                let side = (flat / channels).isqrt();
                (side > 0 && side * side * channels == flat)
                    .then_some((Self { height: side, width: side, channels }, false))
            }),
            _ => None,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { height, width, channels } = self;
        write!(f, "{height} rows x {width} columns x {channels} channel(s)")
    }
}
