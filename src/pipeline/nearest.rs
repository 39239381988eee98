//! The nearest counterexample to a point, from models and a query to a witness with a bound.
//!
//! A search for any counterexample comes first: what it finds is a start for the walks of [`nearest`](crate::nearest::nearest),
//! and if it proves that there is none, that is the answer. The function that the bound is of is the network as read in double
//! precision, over the property's boxes as their decimals say; what is reported has passed the validation of any other
//! witness.

use std::sync::Arc;

use vnnlib::{Query, Role};

use super::{Verdict, falsify};
use crate::budget::{Budget, StopReason};
use crate::error::Error;
use crate::nearest::{
    self, Disjunct, Hinges, Nearest, NearestEnding, NearestRefusal, Norm, Pixels, Question,
};
use crate::onnx::Model;
use crate::problem::Problem;
use crate::property::grid;
use crate::search::Config;
use crate::search::observer::{Event, Observer};
use crate::witness::{Validation, Validator, Witness};

/// The part of the time that the search for any counterexample has: one over this.
const FIRST: u32 = 4;
/// Ways to violate, at most: each is bounded by itself.
const MOST_WAYS: usize = 2_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestWish {
    /// The nominal point: one number for each declared input, in declaration order; `None` for the middle of the box.
    pub point: Option<Vec<f64>>,
    /// How distance is measured.
    pub norm: Norm,
    /// The part of the distance by which the bound may be below it.
    pub gap: f64,
}

/// Looks for the nearest counterexample; the verdict, and what is known of the distance. The latter is `None` where it was
/// proved that there is no counterexample at all.
///
/// # Errors
/// If the networks or the property cannot be used, or have no bound of this kind.
pub fn nearest(
    query: Query,
    models: Vec<Arc<Model>>,
    wish: &NearestWish,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<(Verdict, Option<Nearest>), Error> {
    let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
    let refused = |source: NearestRefusal| Error::Nearest { path: path.clone(), source };
    let problem = Problem::<f64>::of_models(query.clone(), &models)?;
    let layered = problem.layered().map_err(|reason| refused(NearestRefusal::NotLayered(reason)))?;
    let network = Hinges::of(layered).map_err(|reason| refused(reason.into()))?;
    let regions = regions(&problem).map_err(|error| match error {
        Unusable::Refused(refusal) => refused(refusal),
        Unusable::Property(error) => error.into(),
    })?;
    let Ok(nominal) = nominal(&problem, &regions, wish) else { return Err(refused(NearestRefusal::Point)) };

    let slice = budget.remaining().map_or_else(|| budget.clone(), |left| budget.slice(left / FIRST));
    let first = falsify(query.clone(), models.clone(), config, &slice, observer)?;
    let seeds = match &first {
        Verdict::Unsat(_) => return Ok((first, None)),
        Verdict::Sat(witness) => vec![problem.property.layout().searched(&inputs_of(&query, witness))],
        Verdict::Unknown(_) => Vec::new(),
    };
    let validator = Validator::new(query, models).map_err(|source| Error::replay(&path, source))?;
    let validator = validator.following(problem.property.layout());
    let pixels = Pixels::single(nominal.len());
    let layout = problem.property.layout();
    let ways: Vec<Disjunct> = regions.iter().map(|(way, _)| way.clone()).collect();
    let question = Question {
        network: &network,
        nominal: &nominal,
        norm: wish.norm,
        pixels: &pixels,
        ways: &ways,
        seeds: &seeds,
        snap: &|input, x| grid::nearest(layout.element(input), x),
        gap: wish.gap,
    };
    let mut kept: Option<Witness> = None;
    let mut judge = |way: usize, x: &[f64]| {
        let (input, literals) = problem.declared_inputs(x, &regions[way].1);
        match validator.validate(&input, &literals) {
            Validation::Confirmed(witness) => kept = Some(witness),
            Validation::Thin(witness) if config.accept_thin => kept = Some(witness),
            Validation::Thin(_) | Validation::Rejected(_) => return false,
        }
        true
    };
    let answer = nearest::nearest(&question, &mut judge, budget);
    let verdict = match (kept, first) {
        (Some(witness), _) => Verdict::Sat(witness),
        // One that no part of the question holds: its distance is not known, but it is a counterexample.
        (None, Verdict::Sat(witness)) => Verdict::Sat(witness),
        (None, _) => Verdict::Unknown(reason(answer.ending)),
    };
    observer.event(&Event::Nearest { norm: wish.norm, answer: &answer });
    Ok((verdict, Some(answer)))
}

/// Why there is no counterexample to show.
fn reason(ending: NearestEnding) -> StopReason {
    match ending {
        NearestEnding::Stopped(reason) => reason,
        // Over the real numbers there is none, which is no proof of every permitted computation.
        NearestEnding::Proved => StopReason::Unconfirmed,
        NearestEnding::Undecided => StopReason::Exhausted,
    }
}

/// Why the property's regions cannot be used.
enum Unusable {
    Refused(NearestRefusal),
    Property(crate::property::PropertyError),
}

type Literals = std::collections::BTreeMap<usize, String>;

/// The ways to violate, each with its box and the decimals that inputs have there.
fn regions(problem: &Problem<f64>) -> Result<Vec<(Disjunct, Literals)>, Unusable> {
    let property = &problem.property;
    if property.is_partial() {
        return Err(Unusable::Refused(NearestRefusal::Unbounded));
    }
    let mut ways = Vec::new();
    for index in 0..property.region_count() {
        let region = property.region(index).map_err(Unusable::Property)?;
        if region.condition.is_some() || ways.len() + region.conjunctions.len() > MOST_WAYS {
            return Err(Unusable::Refused(NearestRefusal::Ways(MOST_WAYS)));
        }
        for conjunction in &region.conjunctions {
            let way = Disjunct {
                lower: region.lower.clone(),
                upper: region.upper.clone(),
                hull_lower: region.hull_lower.clone(),
                hull_upper: region.hull_upper.clone(),
                conjunction: conjunction.clone(),
            };
            ways.push((way, region.literals.clone()));
        }
    }
    let is_finite = |(way, _): &(Disjunct, Literals)| {
        way.hull_lower.iter().chain(&way.hull_upper).all(|end| end.is_finite())
    };
    if ways.iter().all(is_finite) { Ok(ways) } else { Err(Unusable::Refused(NearestRefusal::Unbounded)) }
}

/// The nominal point in the order of the search's inputs, as numbers of their types.
fn nominal(
    problem: &Problem<f64>,
    ways: &[(Disjunct, Literals)],
    wish: &NearestWish,
) -> Result<Vec<f64>, ()> {
    let layout = problem.property.layout();
    let point = match &wish.point {
        Some(point) if point.len() == layout.declared_inputs() => layout.searched(point),
        Some(_) => return Err(()),
        None => {
            let end = |pick: fn(&Disjunct) -> &Vec<f64>, choose: fn(f64, f64) -> f64, input: usize| {
                ways.iter().map(|(way, _)| pick(way)[input]).reduce(choose).unwrap_or(0.0)
            };
            let middle = |input| {
                let low = end(|way| &way.lower, f64::min, input);
                0.5 * low + 0.5 * end(|way| &way.upper, f64::max, input)
            };
            (0..layout.inputs()).map(middle).collect()
        }
    };
    Ok(point.iter().enumerate().map(|(input, &x)| grid::nearest(layout.element(input), x)).collect())
}

/// A witness's inputs, in declaration order.
fn inputs_of(query: &Query, witness: &Witness) -> Vec<f64> {
    let tensors = query.tensors().iter().zip(witness.tensors());
    let inputs = tensors.filter(|(tensor, _)| tensor.role() == Role::Input);
    inputs.flat_map(|(_, tensor)| tensor.values().iter().map(|text| text.parse().unwrap_or(0.0))).collect()
}
