//! How a network's outputs are read as a decision.

use crate::network::Real;

/// Which output is decided for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The largest output: classifiers.
    Largest,
    /// The smallest output: ACAS Xu's costs.
    Smallest,
}

impl Decision {
    /// The output that is decided for; the first of equals, 0 without outputs.
    pub fn of<T: Real>(self, outputs: impl Iterator<Item = T>) -> usize {
        let mut best: Option<(usize, T)> = None;
        for (index, value) in outputs.enumerate() {
            let wins = best.is_none_or(|(_, held)| match self {
                Self::Largest => value > held,
                Self::Smallest => value < held,
            });
            if wins {
                best = Some((index, value));
            }
        }
        best.map_or(0, |(index, _)| index)
    }
}
