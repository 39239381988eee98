//! Which of the points that seem to violate the property are shown to the judge.
//!
//! A replay costs as much as hundreds of evaluations, so a slow climb must not ask at every step: a candidate that was
//! rejected or found thin raises a bar, and a margin has to beat it by half. But where a property wants an output to the
//! last digit, no margin ever grows: the points of a plateau are equal for the fast engine and different for the judge,
//! whose rounding is another. So points that were not shown before are shown too, at first every one, then at longer and
//! longer intervals, counted in blocks of evaluations.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::network::Real;

/// Points of equal margin that are shown before the intervals grow by one more block.
const AT_ONE_INTERVAL: u32 = 8;
/// Fingerprints that are kept; then they are forgotten.
const MOST_SEEN: usize = 1 << 16;

/// What was shown to the judge.
#[derive(Debug)]
pub(in crate::search) struct Asking<T> {
    /// A candidate has to beat this margin, or to wait for its turn.
    bar: T,
    /// Points that were shown though their margin was no better.
    equals: u32,
    /// Blocks since the last of them.
    waited: u32,
    /// Whether only larger margins are of interest: the judge holds a witness already.
    holds: bool,
    seen: HashSet<u64>,
}

impl<T: Real> Default for Asking<T> {
    fn default() -> Self {
        Self { bar: T::neg_infinity(), equals: 0, waited: 0, holds: false, seen: HashSet::new() }
    }
}

impl<T: Real> Asking<T> {
    /// Another region begins: its margins are new. What was spent stays spent.
    pub(in crate::search) fn enter(&mut self) {
        self.bar = T::neg_infinity();
    }

    /// Another block was evaluated.
    pub(in crate::search) fn next_block(&mut self) {
        self.waited = self.waited.saturating_add(1);
    }

    /// Whether a margin is better than those that were shown.
    pub(in crate::search) fn rises(&self, margin: T) -> bool {
        margin > self.bar
    }

    /// Whether it is the turn of a point that is no better.
    pub(in crate::search) fn is_due(&self) -> bool {
        !self.holds && self.waited > self.equals / AT_ONE_INTERVAL
    }

    /// One is shown.
    pub(in crate::search) fn count(&mut self) {
        self.equals = self.equals.saturating_add(1);
        self.waited = 0;
    }

    /// Whether a point was shown before.
    pub(in crate::search) fn has_seen(&self, point: &[T]) -> bool {
        self.seen.contains(&fingerprint(point))
    }

    /// The judge holds a point with this margin, and wants a much larger one.
    pub(in crate::search) fn hold(&mut self, point: &[T], margin: T) {
        self.holds = true;
        self.note(point, margin + margin);
    }

    /// A point was shown, and says nothing of the margin that others need.
    pub(in crate::search) fn see(&mut self, point: &[T]) {
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        self.seen.insert(fingerprint(point));
    }

    /// A point with this margin did not end the search.
    pub(in crate::search) fn note(&mut self, point: &[T], margin: T) {
        self.see(point);
        let bar = margin + margin * T::of(0.5) + T::of(1e-7);
        if bar > self.bar {
            self.bar = bar;
        }
    }
}

fn fingerprint<T: Real>(point: &[T]) -> u64 {
    let mut hasher = DefaultHasher::new();
    point.iter().for_each(|x| x.widen().to_bits().hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `blocks` blocks have a point shown, where each has a new one and its margin is `margin(block)`.
    fn shown(blocks: u32, margin: impl Fn(u32) -> f64) -> usize {
        let mut asking = Asking::<f64>::default();
        let mut shown = 0;
        for block in 0..blocks {
            asking.next_block();
            let (point, margin) = ([f64::from(block)], margin(block));
            if !asking.rises(margin) {
                if !asking.is_due() || asking.has_seen(&point) {
                    continue;
                }
                asking.count();
            }
            asking.note(&point, margin);
            shown += 1;
        }
        shown
    }

    #[test]
    fn a_plateau_is_shown_at_growing_intervals() {
        // n points take about n² / 16 blocks.
        let cases: [(u32, std::ops::Range<usize>); 3] = [(8, 8..9), (100, 30..50), (10_000, 300..500)];
        for (blocks, want) in cases {
            assert!(want.contains(&shown(blocks, |_| 0.0)), "{blocks} blocks: {}", shown(blocks, |_| 0.0));
        }
        let climb = shown(10_000, |block| f64::from(block) * 1e-3);
        assert!((300..600).contains(&climb), "a slow climb asks {climb} times");
    }

    #[test]
    fn a_point_is_shown_once() {
        let mut asking = Asking::<f32>::default();
        asking.note(&[1.0, 2.0], 0.0);
        assert!(asking.has_seen(&[1.0, 2.0]) && !asking.has_seen(&[2.0, 1.0]));
        asking.enter();
        assert!(asking.rises(0.0) && asking.has_seen(&[1.0, 2.0]));
    }
}
