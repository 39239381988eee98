//! Mending: the nearest strict witness to a point that is none, or only within tolerance.
//!
//! Tools print six decimals, clip to bounds computed in double, or stop when a solver's tolerance is met: their points
//! lie a hair outside the input set, or a hair on the safe side of the property. So the point is first moved into the
//! box as the decimals of the file say. Where that does not do, it follows the exact gradient of the property's worst
//! row, by the least change of the largest coordinate that a linear margin would need, until all rows hold with the
//! room that replay asks for; then it is pulled back as far as the margin allows. Whatever comes of it passes
//! [`Validator::validate`] like any other candidate.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use vnnlib::Query;

use super::replay::ReplayError;
use super::validate::{Validation, Validator, Witness};
use crate::network::{Network, Real, Surrogate, Workspace};
use crate::onnx::Model;
use crate::problem::{ModelsError, Problem, need_double};
use crate::property::margin::{Block, MarginGradient, add_row_gradient};
use crate::property::{Conjunction, PropertyError, Region, Row, grid};
use crate::unpack::shown;

/// Regions that are tried, the nearest first.
const REGIONS: usize = 16;
/// Conjunctions of a region that are tried, the nearest to a violation first.
const CONJUNCTIONS: usize = 8;
/// Steps along a gradient for one conjunction.
const STEPS: usize = 100;
/// The first margin that is asked for, in relation to the sizes that the row adds up; grows by [`GROWTH`].
const FIRST_ROOM: f64 = 1e-7;
const GROWTH: f64 = 4.0;
/// How often it grows: up to a share of 0.1.
const GROWTHS: usize = 10;
/// Halvings on the way back: the point ends within 0.1% of the shortest way.
const HALVINGS: usize = 10;

/// How a point became a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointChange {
    /// It is one as it stands.
    None,
    /// It was moved into the input set.
    Snapped,
    /// It was moved along the gradient of the property's margin.
    Stepped,
}

/// A witness near a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// The witness.
    pub witness: Witness,
    /// What was done.
    pub change: PointChange,
    /// The largest change of an input (those set equal count once), in the input's unit, from the number that
    /// the network's type makes of it.
    pub distance: f64,
    /// The same in relation to the width of the input's interval; inputs without width do not count.
    pub relative: f64,
    /// How many inputs were changed.
    pub changed: usize,
}

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The models are not what the query's networks need.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The network cannot be replayed.
    #[error("{}: {source}", shown(.path))]
    Replay {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The property cannot be searched.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// Looks for a strict witness near `listed`, the inputs that a tool has listed for the query. `None` if there is none
/// within reach; a thin witness counts if nothing better is found.
///
/// # Errors
/// If the network or the property cannot be used, or do not belong together.
pub fn mend(query: Query, models: &[Arc<Model>], listed: &[f64]) -> Result<Option<Mended>, MendError> {
    if need_double(models) {
        mend_in::<f64>(query, models, listed)
    } else {
        mend_in::<f32>(query, models, listed)
    }
}

/// The same, in the type that the search computes in.
fn mend_in<T: Real>(
    query: Query,
    models: &[Arc<Model>],
    listed: &[f64],
) -> Result<Option<Mended>, MendError> {
    let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
    let problem = Problem::<T>::of_models(query.clone(), models)?;
    let validator = Validator::new(query, models.iter().cloned());
    let validator = validator.map_err(|source| MendError::Replay { path, source })?;
    let validator = validator.following(problem.property.layout());
    Ok(near(&problem, &validator, listed)?)
}

fn near<T: Real>(
    problem: &Problem<T>,
    validator: &Validator,
    listed: &[f64],
) -> Result<Option<Mended>, PropertyError> {
    let layout = problem.property.layout();
    if listed.len() != layout.declared_inputs() || listed.iter().any(|x| !x.is_finite()) {
        return Ok(None);
    }
    // What the networks hold of the listed decimals. Of inputs that the property sets equal the first one counts.
    let mut held = vec![0.0; layout.inputs()];
    for (&x, source) in listed.iter().zip(layout.sources()).rev() {
        source
            .iter()
            .for_each(|&source| held[source] = grid::nearest(layout.element(source), T::of(x).widen()));
    }
    let same = |(&x, source): (&f64, &Option<usize>)| {
        source.is_none_or(|source| grid::nearest(layout.element(source), x) == held[source])
    };
    let coupled = listed.iter().zip(layout.sources()).all(same);
    let mut walker = MendingWalker { problem, validator, listed: &held, thin: None };
    let regions = nearest_regions(problem, &held)?;
    for region in &regions {
        let snapped = region.clamped(&held);
        let change = if snapped == held && coupled { PointChange::None } else { PointChange::Snapped };
        if let Some(mended) = walker.judge(region, &snapped, change) {
            return Ok(Some(mended));
        }
    }
    let mut slopes = Slopes::new(problem.double());
    for region in &regions {
        if let Some(mended) = walker.step_into(region, &mut slopes) {
            return Ok(Some(mended));
        }
    }
    Ok(walker.thin)
}

/// The regions whose boxes are nearest to a point.
fn nearest_regions<T: Real>(problem: &Problem<T>, point: &[f64]) -> Result<Vec<Region>, PropertyError> {
    let mut nearest: Vec<(f64, Region)> = Vec::new();
    for index in 0..problem.property.region_count() {
        let region = problem.property.region(index)?;
        let distance = distance(point, &region.clamped(point));
        let place = nearest.partition_point(|(other, _)| *other <= distance);
        if place < REGIONS {
            nearest.insert(place, (distance, region));
            nearest.truncate(REGIONS);
        }
    }
    Ok(nearest.into_iter().map(|(_, region)| region).collect())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

struct MendingWalker<'a, T> {
    problem: &'a Problem<T>,
    validator: &'a Validator,
    listed: &'a [f64],
    /// The first witness whose margin another engine's rounding might eat up.
    thin: Option<Mended>,
}

impl<T: Real> MendingWalker<'_, T> {
    /// Validates a point of the region, rounded into it.
    fn judge(&mut self, region: &Region, point: &[f64], change: PointChange) -> Option<Mended> {
        let rounded: Vec<f64> = point.iter().map(|&x| T::of(x).widen()).collect();
        // The region's ends are numbers of the network's type.
        let rounded = region.clamped(&rounded);
        let narrow: Vec<T> = rounded.iter().map(|&x| T::of(x)).collect();
        let (declared, literals) = self.problem.declared_inputs(&narrow, &region.literals);
        match self.validator.validate(&declared, &literals) {
            Validation::Confirmed(witness) => Some(self.measured(witness, region, &rounded, change)),
            Validation::Thin(witness) => {
                if self.thin.is_none() {
                    self.thin = Some(self.measured(witness, region, &rounded, change));
                }
                None
            }
            Validation::Rejected(_) => None,
        }
    }

    fn measured(&self, witness: Witness, region: &Region, point: &[f64], change: PointChange) -> Mended {
        let moves = || self.listed.iter().zip(point).map(|(a, b)| (a - b).abs());
        let widths = region.upper.iter().zip(&region.lower).map(|(u, l)| u - l);
        let relative = moves().zip(widths).filter(|&(_, w)| w > 0.0).map(|(m, w)| m / w);
        Mended {
            witness,
            change,
            distance: moves().fold(0.0, f64::max),
            relative: relative.fold(0.0, f64::max),
            changed: moves().filter(|&m| m > 0.0).count(),
        }
    }

    fn step_into(&mut self, region: &Region, slopes: &mut Slopes<'_>) -> Option<Mended> {
        let start = region.clamped(self.listed);
        let outputs = slopes.network.evaluate(&start);
        let margin = |c: &&Conjunction| c.margin(&start, &outputs);
        let ways = region.ways_at(&start, &outputs);
        let mut conjunctions: Vec<&Conjunction> = ways.iter().collect();
        conjunctions.sort_by(|a, b| margin(b).partial_cmp(&margin(a)).unwrap_or(Ordering::Equal));
        conjunctions.truncate(CONJUNCTIONS);
        conjunctions.into_iter().find_map(|conjunction| self.walk(region, conjunction, &start, slopes))
    }

    /// Walks until every row has the room that is asked for, asking for more until the replay agrees.
    fn walk(
        &mut self,
        region: &Region,
        conjunction: &Conjunction,
        start: &[f64],
        slopes: &mut Slopes<'_>,
    ) -> Option<Mended> {
        let (mut here, mut room) = (start.to_vec(), FIRST_ROOM);
        let mut growths = 0;
        for _ in 0..STEPS {
            let lacking = slopes.most_lacking(conjunction, &here, room);
            let Some((row, lack)) = lacking else {
                let back = pulled_back(start, &here, |x| slopes.most_lacking(conjunction, x, room).is_none());
                let judged = self.judge(region, &back, PointChange::Stepped);
                let judged = judged.or_else(|| self.judge(region, &here, PointChange::Stepped));
                growths += 1;
                if judged.is_some() || growths > GROWTHS {
                    return judged;
                }
                room *= GROWTH;
                continue;
            };
            let gradient = slopes.gradient(row, &here);
            let next = stepped(region, &here, &gradient, lack);
            if next == here {
                return None;
            }
            here = next;
        }
        None
    }
}

/// The point on the way from `start` to `end` that is nearest to `start` and still good, to a thousandth.
fn pulled_back(start: &[f64], end: &[f64], mut good: impl FnMut(&[f64]) -> bool) -> Vec<f64> {
    let between = |share: f64| start.iter().zip(end).map(|(s, e)| s + share * (e - s)).collect::<Vec<f64>>();
    let (mut bad, mut kept) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (bad + kept);
        if good(&between(middle)) { kept = middle } else { bad = middle }
    }
    between(kept)
}

/// The point in the box that a linear function with this gradient needs to gain `lack`, with the least change of the
/// largest coordinate: all coordinates move by the same amount, until they meet the box.
fn stepped(region: &Region, here: &[f64], gradient: &[f64], lack: f64) -> Vec<f64> {
    let room = |i: usize| match gradient[i].partial_cmp(&0.0) {
        Some(Ordering::Greater) => region.upper[i] - here[i],
        Some(Ordering::Less) => here[i] - region.lower[i],
        _ => 0.0,
    };
    let mut rooms: Vec<(f64, f64)> =
        (0..here.len()).map(|i| (room(i), gradient[i].abs())).filter(|&(room, _)| room > 0.0).collect();
    rooms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut slope, mut gained, mut by) = (rooms.iter().map(|&(_, g)| g).sum::<f64>(), 0.0, 0.0);
    for (room, steepness) in rooms {
        if gained + slope * (room - by) >= lack {
            break;
        }
        gained += slope * (room - by);
        by = room;
        slope -= steepness;
    }
    if slope > 0.0 && gained < lack {
        by += (lack - gained) / slope;
    }
    let moved = |i: usize| match gradient[i].partial_cmp(&0.0) {
        Some(Ordering::Greater) => (here[i] + by).min(region.upper[i]),
        Some(Ordering::Less) => (here[i] - by).max(region.lower[i]),
        _ => here[i],
    };
    (0..here.len()).map(moved).collect()
}

/// The network in double precision, one point at a time, with the gradients of rows.
struct Slopes<'a> {
    network: &'a Network<f64>,
    workspace: Workspace<f64>,
    outputs: Vec<f64>,
}

impl<'a> Slopes<'a> {
    fn new(network: &'a Network<f64>) -> Self {
        Self { network, workspace: network.workspace(1), outputs: Vec::new() }
    }

    /// The row that lacks most of the room asked for, and how much; `None` if all have it.
    fn most_lacking<'c>(
        &mut self,
        conjunction: &'c Conjunction,
        point: &[f64],
        room: f64,
    ) -> Option<(&'c Row, f64)> {
        self.network.forward(&mut self.workspace, point);
        self.network.outputs_into(&self.workspace, &mut self.outputs);
        let lack = |row: &Row| room * self.size(row, point) - row.margin(point, &self.outputs);
        let lacks = conjunction.rows.iter().map(|row| (row, lack(row)));
        lacks.filter(|&(_, lack)| lack > 0.0).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What a row adds up, without signs: rounding is in relation to this.
    fn size(&self, row: &Row, point: &[f64]) -> f64 {
        let sizes =
            |terms: &[(usize, f64)], x: &[f64]| terms.iter().map(|&(i, c)| (c * x[i]).abs()).sum::<f64>();
        let scale = row.bound.abs() + sizes(&row.inputs, point) + sizes(&row.outputs, &self.outputs);
        // Outputs that are zero where the point is may not be so beside it.
        scale.max(f64::from(f32::MIN_POSITIVE))
    }

    /// The gradient of a row's margin at the point of the last evaluation.
    fn gradient(&mut self, row: &Row, point: &[f64]) -> Vec<f64> {
        let mut own = vec![0.0; point.len()];
        let mut cotangent = vec![0.0; self.outputs.len()];
        let block = Block { inputs: point, outputs: &self.outputs, lanes: 1 };
        let mut parts = MarginGradient { inputs: &mut own, outputs: &mut cotangent };
        add_row_gradient(row, 1.0, block, 0, &mut parts);
        let mut gradient = Vec::new();
        self.network.backward(&mut self.workspace, &cotangent, Surrogate::exact(), &mut gradient);
        gradient.iter_mut().zip(&own).for_each(|(g, own)| *g += own);
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit_box(dimensions: usize) -> Region {
        Region { lower: vec![0.0; dimensions], upper: vec![1.0; dimensions], ..Region::default() }
    }

    #[test]
    fn a_step_moves_all_inputs_alike_until_the_box_stops_them() {
        let cases = [
            (&[0.5, 0.5], &[1.0, -1.0], 0.2, &[0.6, 0.4]),
            (&[0.95, 0.5], &[1.0, 1.0], 0.25, &[1.0, 0.7]),
            (&[0.5, 0.5], &[0.0, 2.0], 0.2, &[0.5, 0.6]),
            // All that the box has to give is not enough.
            (&[0.5, 0.5], &[1.0, 1.0], 9.0, &[1.0, 1.0]),
            (&[1.0, 0.5], &[1.0, 0.0], 0.1, &[1.0, 0.5]),
        ];
        for (here, gradient, lack, want) in cases {
            let got = stepped(&unit_box(2), here, gradient, lack);
            assert!(distance(&got, want) < 1e-12, "{here:?} along {gradient:?} by {lack}: {got:?}");
        }
    }

    #[test]
    fn the_way_back_ends_where_the_point_is_still_good() {
        let back = pulled_back(&[0.0], &[1.0], |x| x[0] >= 0.3);
        assert!(back[0] >= 0.3 && back[0] < 0.302, "{back:?}");
    }
}
