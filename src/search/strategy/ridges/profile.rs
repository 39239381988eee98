//! Piecewise-linear functions of one number, and sets of intervals.

/// Numbers from `low` to `high`, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClosedInterval {
    pub low: f64,
    pub high: f64,
}

/// A continuous piecewise-linear function between its first and its last corner.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// Arguments in ascending order, with the values there; never empty.
    corners: Vec<(f64, f64)>,
}

impl Profile {
    /// The function that has these values at these corners and is linear between them.
    pub(super) fn through(mut places: Vec<f64>, value: impl Fn(f64) -> f64) -> Self {
        places.sort_by(f64::total_cmp);
        places.dedup();
        Self { corners: places.into_iter().map(|s| (s, value(s))).collect() }
    }

    /// The value at an argument; outside of the corners that of the nearest one.
    pub(super) fn at(&self, s: f64) -> f64 {
        let next = self.corners.partition_point(|corner| corner.0 < s);
        match (next.checked_sub(1).map(|last| self.corners[last]), self.corners.get(next)) {
            (Some((s0, v0)), Some(&(s1, v1))) => v0 + (s - s0) / (s1 - s0) * (v1 - v0),
            (Some((_, value)), None) | (None, Some(&(_, value))) => value,
            (None, None) => 0.0,
        }
    }

    /// The least and the largest value on some intervals; infinite the wrong way round where there are none.
    pub(super) fn range(&self, on: &[ClosedInterval]) -> (f64, f64) {
        let values = on.iter().flat_map(|part| {
            let inside = |s: &f64| part.low < *s && *s < part.high;
            let corners = self.corners.iter().map(|corner| corner.0).filter(inside);
            [part.low, part.high].into_iter().chain(corners).map(|s| self.at(s))
        });
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (least.min(v), most.max(v)))
    }

    /// The part of some intervals where the value is at most `level`.
    pub(super) fn sublevel(&self, on: &[ClosedInterval], level: f64) -> Vec<ClosedInterval> {
        let mut parts: Vec<ClosedInterval> = Vec::new();
        for piece in self.pieces(on) {
            let (v0, v1) = (self.at(piece.low), self.at(piece.high));
            if v0.min(v1) > level {
                continue;
            }
            let crossing = || piece.low + (level - v0) / (v1 - v0) * (piece.high - piece.low);
            let low = if v0 <= level { piece.low } else { crossing() };
            let high = if v1 <= level { piece.high } else { crossing() };
            match parts.last_mut() {
                Some(last) if last.high == low => last.high = high,
                _ => parts.push(ClosedInterval { low, high }),
            }
        }
        parts
    }

    /// The part of some intervals where the value is the least of all but for rounding: pieces and ends of pieces, so that
    /// a point stays a point.
    pub(super) fn lowest(&self, on: &[ClosedInterval], rounding: f64) -> Vec<ClosedInterval> {
        let (least, most) = self.range(on);
        let is_least = |s: f64| self.at(s) <= least + rounding * (most - least);
        let mut parts: Vec<ClosedInterval> = Vec::new();
        for piece in self.pieces(on) {
            let (low, high) = match (is_least(piece.low), is_least(piece.high)) {
                (true, true) => (piece.low, piece.high),
                (true, false) => (piece.low, piece.low),
                (false, true) => (piece.high, piece.high),
                (false, false) => continue,
            };
            match parts.last_mut() {
                Some(last) if last.high == low => last.high = high,
                _ => parts.push(ClosedInterval { low, high }),
            }
        }
        parts
    }

    /// Some intervals cut at the corners inside: the function is linear on each.
    pub(super) fn pieces(&self, on: &[ClosedInterval]) -> Vec<ClosedInterval> {
        let mut pieces = Vec::with_capacity(on.len());
        for part in on {
            let mut low = part.low;
            for &(s, _) in self.corners.iter().filter(|corner| part.low < corner.0 && corner.0 < part.high) {
                pieces.push(ClosedInterval { low, high: s });
                low = s;
            }
            pieces.push(ClosedInterval { low, high: part.high });
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> ClosedInterval {
        ClosedInterval { low, high }
    }

    /// A window of half width 1 around 3, upside down: 0 at its middle, 1 outside.
    fn window() -> Profile {
        Profile::through(vec![4.0, 0.0, 2.0, 3.0, 10.0], |s: f64| (s - 3.0).abs().min(1.0))
    }

    #[test]
    fn values_lie_on_the_lines_between_corners() {
        for (s, want) in [(-1.0, 1.0), (0.0, 1.0), (2.5, 0.5), (3.0, 0.0), (3.25, 0.25), (99.0, 1.0)] {
            assert_eq!(window().at(s), want, "{s}");
        }
    }

    #[test]
    fn sublevels_are_where_the_value_is_small() {
        let everywhere = [interval(0.0, 10.0)];
        assert_eq!(window().range(&everywhere), (0.0, 1.0));
        assert_eq!(window().sublevel(&everywhere, 0.5), [interval(2.5, 3.5)]);
        assert_eq!(window().sublevel(&everywhere, 0.0), [interval(3.0, 3.0)]);
        assert_eq!(window().sublevel(&everywhere, 1.0), everywhere);
        assert_eq!(window().sublevel(&everywhere, -0.1), []);
        assert_eq!(
            window().sublevel(&[interval(0.0, 2.75), interval(3.5, 4.0)], 0.5),
            [interval(2.5, 2.75), interval(3.5, 3.5)]
        );
        // Two wells: a number that shall be 0 or 1.
        let wells = Profile::through(vec![0.0, 0.5, 1.0], |s: f64| s.min(1.0 - s));
        assert_eq!(wells.lowest(&[interval(0.0, 1.0)], 1e-6), [interval(0.0, 0.0), interval(1.0, 1.0)]);
        assert_eq!(window().lowest(&[interval(5.0, 10.0)], 1e-6), [interval(5.0, 10.0)]);
        assert_eq!(window().lowest(&[interval(0.0, 2.5)], 1e-6), [interval(2.5, 2.5)]);
    }

    #[test]
    fn pieces_are_cut_at_corners() {
        let pieces = window().pieces(&[interval(1.0, 3.5)]);
        assert_eq!(pieces, [interval(1.0, 2.0), interval(2.0, 3.0), interval(3.0, 3.5)]);
    }
}
