//! Boxes of detectors: which of them are kept.

use std::cmp::Ordering;

use super::super::array::{self, floats};
use super::super::call::{Call, Results};
use super::Entry;

pub(super) const OPERATORS: &[Entry] = &[("NonMaxSuppression", suppress)];

/// A box by its corners, the smaller ones first.
#[derive(Debug, Clone, Copy)]
struct Corners {
    low: [f64; 2],
    high: [f64; 2],
}

impl Corners {
    /// From two opposite corners in any order, or from a centre and a size.
    fn new(numbers: &[f64], from_centre: bool) -> Self {
        let [a, b, c, d] = [numbers[0], numbers[1], numbers[2], numbers[3]];
        if from_centre {
            return Self { low: [a - c / 2.0, b - d / 2.0], high: [a + c / 2.0, b + d / 2.0] };
        }
        Self { low: [a.min(c), b.min(d)], high: [a.max(c), b.max(d)] }
    }

    fn area(self) -> f64 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// The area that two boxes share, as a part of the area that they cover.
    fn overlap(self, other: Self) -> f64 {
        let side = |i: usize| (self.high[i].min(other.high[i]) - self.low[i].max(other.low[i])).max(0.0);
        let shared = side(0) * side(1);
        let covered = self.area() + other.area() - shared;
        if covered > 0.0 { shared / covered } else { 0.0 }
    }
}

/// For each batch and class the boxes of the largest scores, none of which overlaps an earlier one too much: rows of batch,
/// class and box. How many there are depends on the values.
fn suppress(call: &Call<'_>) -> Results {
    let (boxes, scores) = (call.input(0)?, call.input(1)?);
    let (&[batches, count, 4], &[_, classes, _]) = (boxes.shape.as_slice(), scores.shape.as_slice()) else {
        return Err(format!("boxes of shape {:?} and scores of shape {:?}", boxes.shape, scores.shape));
    };
    if scores.shape != [batches, classes, count] {
        return Err(format!("scores of shape {:?} for boxes of shape {:?}", scores.shape, boxes.shape));
    }
    let most = call.scalar(2)?.unwrap_or(0.0).max(0.0) as usize;
    let (threshold, least) = (call.scalar(3)?.unwrap_or(0.0), call.scalar(4)?);
    let from_centre = call.flag("center_point_box", false)?;
    let (boxes, scores) = (floats(boxes), floats(scores));
    let mut rows = Vec::new();
    for (batch, class) in (0..batches).flat_map(|batch| (0..classes).map(move |class| (batch, class))) {
        let corners = |i: usize| Corners::new(&boxes[(batch * count + i) * 4..][..4], from_centre);
        let scores = &scores[(batch * classes + class) * count..][..count];
        let mut order: Vec<usize> =
            (0..count).filter(|&i| least.is_none_or(|least| scores[i] > least)).collect();
        // Among equals the first box comes first.
        order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap_or(Ordering::Equal));
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            if kept.len() < most && kept.iter().all(|&k| corners(k).overlap(corners(i)) <= threshold) {
                kept.push(i);
            }
        }
        rows.extend(kept.into_iter().flat_map(|i| [batch as i64, class as i64, i as i64]));
    }
    Ok(vec![array::int64(vec![rows.len() / 3, 3], rows)])
}
