//! The nearest point known, and how a point that a program proposes becomes one that counts.
//!
//! An optimum lies on the border, where rounding decides. It is moved outwards along the ray from the nominal input, by a
//! ten-millionth of its distance and then more, put on the numbers of the inputs' type, and shown to the judge until it
//! accepts.

use super::program::usable;
use super::{Disjunct, Norm, Question};
use crate::property::Row;

/// By what part of its distance a point is moved outwards, one after the other.
const OUTWARDS: [f64; 8] = [0.0, 1e-7, 1e-6, 5e-6, 2e-5, 1e-4, 5e-4, 2e-3];
/// Halvings of the way back to the nominal input.
const HALVINGS: usize = 24;

/// The nearest point so far.
pub(super) struct Incumbent<'q, 'j> {
    question: &'q Question<'q>,
    judge: &'j mut dyn FnMut(usize, &[f64]) -> bool,
    pub(super) point: Option<Vec<f64>>,
    /// Infinite without a point.
    pub(super) distance: f64,
    /// The way that it was offered for.
    pub(super) way: usize,
}

impl<'q, 'j> Incumbent<'q, 'j> {
    pub(super) fn new(question: &'q Question<'q>, judge: &'j mut dyn FnMut(usize, &[f64]) -> bool) -> Self {
        Self { question, judge, point: None, distance: f64::INFINITY, way: 0 }
    }

    fn distance_of(&self, x: &[f64]) -> f64 {
        self.question.norm.distance(x, self.question.nominal, self.question.pixels)
    }

    /// Offers a point; whether something nearer came of it.
    pub(super) fn offer(&mut self, index: usize, x: &[f64]) -> bool {
        let way = &self.question.ways[index];
        let mut x = x.to_vec();
        let violates = |x: &[f64]| margin(self.question, way, x) >= 0.0;
        if !violates(&x) && !violates(&self.placed(way, &x, OUTWARDS[OUTWARDS.len() - 1])) {
            return false;
        }
        if self.question.norm != Norm::L0 {
            x = self.drawn_in(way, x);
        }
        let before = self.distance;
        for outwards in OUTWARDS {
            let point = self.placed(way, &x, outwards);
            let distance = self.distance_of(&point);
            if distance >= self.distance {
                break;
            }
            if margin(self.question, way, &point) >= 0.0 && (self.judge)(index, &point) {
                (self.distance, self.point, self.way) = (distance, Some(point), index);
                break;
            }
        }
        if self.distance < before && self.question.norm == Norm::L0 {
            self.drop_changes(index);
        }
        self.distance < before
    }

    /// A point a little farther out, in the way's box and in the inputs' type.
    fn placed(&self, way: &Disjunct, x: &[f64], outwards: f64) -> Vec<f64> {
        let value = |i: usize| {
            let nominal = self.question.nominal[i];
            if x[i] == nominal {
                return nominal.max(way.lower[i]).min(way.upper[i]);
            }
            let moved = nominal + (1.0 + outwards) * (x[i] - nominal);
            (self.question.snap)(i, moved).max(way.lower[i]).min(way.upper[i])
        };
        (0..x.len()).map(value).collect()
    }

    /// The last point that violates on the way from a violating one towards the nominal input.
    fn drawn_in(&self, way: &Disjunct, x: Vec<f64>) -> Vec<f64> {
        let nominal = self.question.nominal;
        let at = |share: f64| -> Vec<f64> {
            let value =
                |i: usize| (nominal[i] + share * (x[i] - nominal[i])).max(way.lower[i]).min(way.upper[i]);
            (0..x.len()).map(value).collect()
        };
        if margin(self.question, way, &at(0.9999)) < 0.0 {
            return x;
        }
        let (mut inside, mut outside) = (0.0, 0.9999);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (inside + outside);
            match margin(self.question, way, &at(middle)) >= 0.0 {
                true => outside = middle,
                false => inside = middle,
            }
        }
        at(outside)
    }

    /// Takes changes of pixels back, one by one, as long as the rest is enough.
    fn drop_changes(&mut self, index: usize) {
        let way = &self.question.ways[index];
        let Some(mut point) = self.point.clone() else { return };
        for members in self.question.pixels.all() {
            let nominal = self.question.nominal;
            if members.iter().all(|&i| point[i] == nominal[i]) {
                continue;
            }
            let mut fewer = point.clone();
            members.iter().for_each(|&i| fewer[i] = nominal[i].max(way.lower[i]).min(way.upper[i]));
            let is_nearer = self.distance_of(&fewer) < self.distance;
            if is_nearer && margin(self.question, way, &fewer) >= 0.0 && (self.judge)(index, &fewer) {
                self.distance = self.distance_of(&fewer);
                point = fewer;
            }
        }
        self.point = Some(point);
    }
}

/// The least margin of a way's rows at a point, in double precision.
pub(super) fn margin(question: &Question<'_>, way: &Disjunct, x: &[f64]) -> f64 {
    let sums = question.network.sums(x);
    let outputs = sums.last().map_or(&[][..], Vec::as_slice);
    usable(&way.conjunction).map(|row: &Row| row.margin(x, outputs)).fold(f64::INFINITY, f64::min)
}
