//! Success against budget: which part of the attacked images would have been changed successfully if the distance had
//! been limited so.

/// Points of a curve: the distance, and the part of `attacked` images whose result is no farther away. One point a
/// distinct distance, ascending.
pub fn curve(distances: impl IntoIterator<Item = f64>, attacked: usize) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = distances.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (at, &distance) in sorted.iter().enumerate() {
        let part = (at + 1) as f64 / attacked.max(1) as f64;
        match points.last_mut() {
            Some(last) if last.0 == distance => last.1 = part,
            _ => points.push((distance, part)),
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_at_each_distance() {
        assert_eq!(curve([2.0, 1.0, 2.0], 4), [(1.0, 0.25), (2.0, 0.75)]);
        assert_eq!(curve([], 4), []);
        // The plain twin: count what is within each distance.
        let distances = [0.3, 0.1, 0.3, 0.2, 0.9];
        for (distance, part) in curve(distances, 10) {
            assert_eq!(part, distances.iter().filter(|&&other| other <= distance).count() as f64 / 10.0);
        }
    }
}
