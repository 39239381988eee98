//! Upper bounds before the tree: walks towards the border.
//!
//! From a point the network is affine nearby, so that the row that is met least is a plane; the nominal input projected on
//! it is the next point (DeepFool, Moosavi-Dezfooli et al., CVPR 2016, with FAB's projection from the nominal input). Such a
//! walk ends where the plane no longer changes: at a point that is nearest within its activation region.

use super::best::Incumbent;
use super::bound::reach;
use super::program::usable;
use super::{Disjunct, Question};

/// Projections from one start.
const STEPS: usize = 30;
/// By how much farther than the plane a step goes.
const OVERSHOOT: f64 = 1e-3;

/// Walks from the nominal input and from every seed, for each way.
pub(super) fn walks(question: &Question<'_>, best: &mut Incumbent<'_, '_>, keep_going: &dyn Fn() -> bool) {
    for (index, way) in question.ways.iter().enumerate() {
        best.offer(index, question.nominal);
        for seed in question.seeds {
            best.offer(index, seed);
        }
        let nominal = [question.nominal.to_vec()];
        for start in nominal.iter().chain(question.seeds) {
            if !keep_going() {
                return;
            }
            walk(question, way, start.clone(), |point| best.offer(index, point));
        }
    }
}

/// Projects the nominal input on the plane at `x`, goes there, and so on.
fn walk(question: &Question<'_>, way: &Disjunct, mut x: Vec<f64>, mut offer: impl FnMut(&[f64]) -> bool) {
    let reach = reach(question, (&way.lower, &way.upper), &[]);
    let mut idle = 0;
    for _ in 0..STEPS {
        let sums = question.network.sums(&x);
        let outputs = sums.last().map_or(&[][..], Vec::as_slice);
        let rows = usable(&way.conjunction).map(|row| (row, row.margin(&x, outputs)));
        let Some((row, margin)) = rows.min_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        let mut slopes = question.network.slopes(&sums, &row.outputs);
        row.inputs.iter().for_each(|&(i, c)| slopes[i] += c);
        // slopes · (x' − x) ≤ margin
        let constant = -margin - slopes.iter().zip(&x).map(|(s, x)| s * x).sum::<f64>();
        let radius = reach.radius(&slopes, constant);
        let next = reach.point(&slopes, if radius.is_finite() { radius * (1.0 + OVERSHOOT) } else { 1e300 });
        idle = if offer(&next) { 0 } else { idle + 1 };
        if next == x || (idle > 6 && margin >= 0.0) {
            return;
        }
        x = next;
    }
}
