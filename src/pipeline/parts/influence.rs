//! How much of a violation bounds leave in a box: what tells hard parts from easy ones, and a cut that helps from one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use vnnlib::Query;

use crate::bounds::Bounder;
use crate::certificate::Enclosure;
use crate::network::{Network, Real};
use crate::onnx::Model;
use crate::problem::{Problem, need_double};
use crate::property::Region;
use crate::search::kernel::exclusion::price_of_bounds;
use crate::search::strategy::split::margin_in_box;

/// Multiplications that measuring may cost: some ten seconds.
const MOST_WORK: u64 = 100_000_000_000;
/// Regions of a property that are measured, at most.
const MOST_REGIONS: usize = 64;

/// A region, and the operands of `or`s that lead to it.
struct MeasuredRegion {
    region: Region,
    ways: Vec<BTreeMap<u32, u32>>,
    ways_of_conjunctions: Vec<BTreeMap<u32, u32>>,
}

/// What is measured.
pub(super) struct InfluenceMeasure {
    network: Network<f64>,
    regions: Vec<MeasuredRegion>,
    /// The certificate's input, by input of the search.
    inputs: Vec<Option<u32>>,
}

/// The measure at work.
pub(super) struct Influence<'m> {
    measure: &'m InfluenceMeasure,
    bounder: Bounder<'m>,
}

impl InfluenceMeasure {
    /// Of a question, for so many boxes; `None` where it would cost too much, or there are no bounds.
    pub(super) fn new(
        query: &Query,
        models: &[Arc<Model>],
        enclosure: &Enclosure,
        boxes: usize,
    ) -> Option<Self> {
        if need_double(models) {
            Self::of(Problem::<f64>::of_models(query.clone(), models).ok()?, enclosure, boxes)
        } else {
            Self::of(Problem::<f32>::of_models(query.clone(), models).ok()?, enclosure, boxes)
        }
    }

    fn of<T: Real>(problem: Problem<T>, enclosure: &Enclosure, boxes: usize) -> Option<Self> {
        let property = &problem.property;
        let regions = property.region_count();
        let work =
            price_of_bounds(&problem.network).saturating_mul(boxes as u64).saturating_mul(regions as u64);
        if work > MOST_WORK || regions > MOST_REGIONS || property.unbounded_count() > 0 {
            return None;
        }
        let maps = |ways: Vec<Vec<(u32, u32)>>| ways.into_iter().map(BTreeMap::from_iter).collect();
        let region = |index: usize| {
            Some(MeasuredRegion {
                region: property.region(index).ok()?,
                ways: maps(property.ways_of(index)),
                ways_of_conjunctions: maps(property.ways_of_conjunctions(index)),
            })
        };
        let regions = (0..regions).map(region).collect::<Option<Vec<_>>>()?;
        let mut inputs = vec![None; property.layout().inputs()];
        for (declared, source) in property.layout().sources().iter().enumerate() {
            let Some(source) = *source else { continue };
            inputs[source] = inputs[source].or(enclosure.input_of_declared(declared));
        }
        Some(Self { network: problem.double().clone(), regions, inputs })
    }

    /// Begins; `None` where an operator has no bounds.
    pub(super) fn start(&self) -> Option<Influence<'_>> {
        Some(Influence { measure: self, bounder: Bounder::new(&self.network).ok()? })
    }
}

impl Influence<'_> {
    /// The largest margin that bounds leave where the chosen operands hold, in a box by input of the certificate; `None` if they
    /// exclude a violation.
    pub(super) fn hope(&mut self, choices: &BTreeMap<u32, u32>, ranges: &[(f64, f64)]) -> Option<f64> {
        let agrees = |way: &BTreeMap<u32, u32>| {
            choices.iter().all(|(or, operand)| way.get(or).is_none_or(|chosen| chosen == operand))
        };
        let mut best = None;
        for MeasuredRegion { region, ways, ways_of_conjunctions } in &self.measure.regions {
            let end = |input: usize| {
                let place = self.measure.inputs.get(input).copied().flatten();
                place.and_then(|place| ranges.get(place as usize)).copied()
            };
            let ends = (0..region.hull_lower.len()).map(|input| {
                let (low, high) = end(input).unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
                (region.hull_lower[input].max(low), region.hull_upper[input].min(high))
            });
            let (lower, upper): (Vec<f64>, Vec<f64>) = ends.unzip();
            let is_empty = lower.iter().zip(&upper).any(|(low, high)| low > high);
            if is_empty || !ways.iter().any(agrees) {
                continue;
            }
            let is_meant = |number: usize| ways_of_conjunctions.get(number).is_none_or(agrees);
            let hope = margin_in_box(&mut self.bounder, region, (&lower, &upper), is_meant);
            best = [best, hope].into_iter().flatten().max_by(f64::total_cmp);
        }
        best
    }
}
