//! Where the largest of several affine functions becomes another one: the bends of a maximum on a line.

/// The places between 0 and 1, in ascending order, where another function becomes the largest. The functions are given by their
/// values at 0 and at 1.
pub fn handovers(ends: impl Iterator<Item = (f64, f64)> + Clone, mut found: impl FnMut(f64)) {
    let rise = |(a, b): (f64, f64)| b - a;
    let steeper = |x: &(f64, f64), y: &(f64, f64)| rise(*x).total_cmp(&rise(*y));
    // Of those that are largest at 0, the steepest is so behind it.
    let first = ends.clone().max_by(|x, y| x.0.total_cmp(&y.0).then_with(|| steeper(x, y)));
    let Some(mut largest) = first else { return };
    // Each is the largest on one part only.
    for _ in 0..ends.clone().count() {
        let meets = |other: (f64, f64)| {
            let by = rise(other) - rise(largest);
            (by > 0.0).then(|| ((largest.0 - other.0) / by, other))
        };
        let met = ends.clone().filter_map(meets);
        let next = met.min_by(|x, y| x.0.total_cmp(&y.0).then_with(|| steeper(&y.1, &x.1)));
        let Some((at, other)) = next.filter(|(at, _)| *at < 1.0) else { return };
        if at > 0.0 {
            found(at);
        }
        largest = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The places, against what samples of the maximum say.
    fn check(ends: &[(f64, f64)]) {
        let largest = |at: f64| ends.iter().map(|(a, b)| a + at * (b - a)).fold(f64::NEG_INFINITY, f64::max);
        let mut places = vec![0.0];
        handovers(ends.iter().copied(), |at| places.push(at));
        places.push(1.0);
        assert!(places.is_sorted() && places.len() <= ends.len() + 1, "{ends:?}: {places:?}");
        for pair in places.windows(2) {
            let values = [pair[0], 0.5 * (pair[0] + pair[1]), pair[1]].map(largest);
            assert!((values[1] - 0.5 * (values[0] + values[2])).abs() < 1e-9, "{ends:?} bends in {pair:?}");
        }
        for triple in places.windows(3) {
            let slope = |pair: &[f64]| (largest(pair[1]) - largest(pair[0])) / (pair[1] - pair[0]);
            assert!(slope(&triple[1..]) > slope(&triple[..2]), "{ends:?} does not bend at {}", triple[1]);
        }
    }

    #[test]
    fn a_maximum_bends_where_it_is_said() {
        check(&[(0.5, 0.25)]);
        check(&[(1.0, 0.0), (0.0, 1.0)]);
        check(&[(1.0, 0.0), (0.0, 1.0), (0.75, 0.75), (-1.0, 0.5)]);
        let mut random = Random::new(5);
        for _ in 0..300 {
            let count = 1 + random.below(9);
            let ends: Vec<(f64, f64)> = (0..count).map(|_| (random.normal(), random.normal())).collect();
            check(&ends);
        }
    }

    #[test]
    fn equal_functions_and_numbers_that_are_none_end() {
        let mut found = Vec::new();
        handovers([(1.0, 0.0), (1.0, 0.0), (1.0, 2.0)].into_iter(), |at| found.push(at));
        handovers([(f64::NAN, 0.0), (0.0, f64::INFINITY), (1.0, 2.0)].into_iter(), |at| found.push(at));
        assert!(found.iter().all(|at| (0.0..1.0).contains(at)), "{found:?}");
    }
}
