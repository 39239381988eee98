//! How wide the searches are, by what one evaluation costs.
//!
//! Measured on the paper's networks: three times the width and ten times the evaluations find the same number of
//! values on nineteen of twenty images. A convolutional network costs 3 to 4 million multiplications, a fully connected
//! one behind its first sums some thousands.

/// Multiplications that a step of a search may take: a quarter of a millisecond.
const WORK: usize = 3_000_000;
/// Multiplications of one evaluation from which on the searches are narrow.
const COSTLY: usize = WORK / 4;
/// Most evaluations of a step.
const MOST: usize = 32_768;

/// The widths of the searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SearchWidths {
    /// Evaluations of a step.
    pub(super) evaluations: usize,
    /// States of a beam for each class.
    pub(super) width: usize,
    /// Values given up in a trade, at most.
    pub(super) trade: usize,
    /// Inputs that the search of a trade starts from.
    pub(super) starts: usize,
    /// Results of a beam that are shortened.
    pub(super) shortened: usize,
}

impl SearchWidths {
    /// For evaluations of so many multiplications.
    pub(super) fn at(price: usize) -> Self {
        if price > COSTLY {
            return Self { evaluations: 64, width: 2, trade: 3, starts: 6, shortened: 3 };
        }
        let evaluations = (WORK / price.max(1)).clamp(96, MOST);
        Self { evaluations, width: 3, trade: 4, starts: 8, shortened: 6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_evaluations_make_wide_searches() {
        for (price, evaluations, width) in
            [(0, MOST, 3), (300, 10_000, 3), (6_500, 461, 3), (700_000, 96, 3), (3_000_000, 64, 2)]
        {
            let effort = SearchWidths::at(price);
            assert_eq!((effort.evaluations, effort.width), (evaluations, width), "{price}");
        }
    }
}
