//! How far an input is from the nominal one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is to be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// The number of inputs that change; of images the number of pixels.
    L0,
    /// The sum of all changes.
    L1,
    /// The Euclidean length of the change.
    L2,
    /// The largest change.
    Linf,
}

impl Norm {
    /// All of them, by their names.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::Linf];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::L0 => "l0",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Linf => "linf",
        }
    }

    /// The distance of two points; `pixels` says which inputs count as one under [`Norm::L0`].
    pub fn distance(self, a: &[f64], b: &[f64], pixels: &Pixels) -> f64 {
        let changes = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        match self {
            Self::L0 => pixels.all().filter(|pixel| pixel.iter().any(|&i| a[i] != b[i])).count() as f64,
            Self::L1 => changes.sum(),
            Self::L2 => changes.map(|change| change * change).sum::<f64>().sqrt(),
            Self::Linf => changes.fold(0.0, f64::max),
        }
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which inputs are one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    members: Vec<Vec<usize>>,
}

impl Pixels {
    /// Each input by itself.
    pub fn single(inputs: usize) -> Self {
        Self { members: (0..inputs).map(|input| vec![input]).collect() }
    }

    /// The inputs of each pixel: every input in exactly one.
    pub fn of(members: Vec<Vec<usize>>) -> Self {
        Self { members }
    }

    /// The inputs of each.
    pub(super) fn all(&self) -> impl Iterator<Item = &[usize]> {
        self.members.iter().map(Vec::as_slice)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }
}
