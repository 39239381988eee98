//! The paper's method as a strategy of the portfolio.
//!
//! It takes one start after the other (the centre of the box first, then the best of a block of samples) and the
//! conjunction that is nearest there, and follows one reading from it: the default one, or that of `--reading`. A round
//! is one shot. Deviation: an input that `mod2adv` returns is looked at together with the ray through it, which costs little more than the single
//! point, and a journey goes on from the best point of the ray.

use std::collections::HashMap;

use super::journey::Journey;
use super::pullback::Start;
use super::reading::{Phases, Reading};
use crate::network::frozen::piece;
use crate::network::layered::bounds::{Ranges, envelope};
use crate::network::layered::{Layered, Outline};
use crate::network::op::UnaryFunction;
use crate::network::{Network, Real};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::centre::middle;
use crate::search::local;
use crate::search::programs::Programs;
use crate::search::ray::look_along;
use crate::search::sample::{Sampler, fix};
use crate::search::{Config, Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Weights of the layers together over which the programs cost more than they find.
const MOST_WEIGHTS: usize = 2_000_000;
/// Entries of a first shot's programs, in weights of the network.
const PROGRAMS: usize = 12;

/// Patches from one start after the other.
struct Patch<T> {
    reading: Reading,
    /// What the next round goes on with.
    journey: Option<(Journey, u32)>,
    sampler: Sampler,
    started: bool,
    points: Vec<T>,
    /// Bounds over the box, where the reading wants them.
    of_box: Option<Ranges>,
    has_convolutions: bool,
    /// What the samples nearest to each conjunction do: the classes of the linear approximation.
    classes: HashMap<u32, Ranges>,
}

/// The edge layers that a reading works on.
///
/// # Errors
/// [`NotApplicable`] where it does not work on a network.
pub fn applies(network: &Network<f64>, reading: &Reading) -> Result<Outline, NotApplicable> {
    let outline = Layered::outline(network).map_err(|reason| NotApplicable(reason.reason()))?;
    affordable(network)?;
    let functions: Vec<UnaryFunction> = outline.layers.iter().filter_map(|layer| layer.activation).collect();
    let has_pieces = functions.iter().all(|&function| piece(function, 0.0).is_some());
    let has_bounds = functions.iter().all(|&function| envelope(function, (-1.0, 1.0)).is_some());
    match reading.phases {
        Phases::Free | Phases::Held | Phases::Monotone if has_pieces => Ok(outline),
        Phases::Approximated | Phases::ApproximatedBox if has_bounds => Ok(outline),
        _ if has_bounds => Err(NotApplicable(
            "an activation is not piecewise linear, and only readings with approximated phases patch it",
        )),
        _ => Err(NotApplicable("no reading of patching knows one of the activations")),
    }
}

/// Whether the programs are small enough: asked before a copy in double precision is made.
fn affordable<T: Real>(network: &Network<T>) -> Result<(), NotApplicable> {
    match network.multiplications() <= MOST_WEIGHTS {
        true => Ok(()),
        false => Err(NotApplicable("the patching programs would be too large")),
    }
}

/// Makes the strategy; it applies to chains of layers of moderate size.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let sampler = Sampler::new(region, seed)?;
    affordable(&problem.network)?;
    Ok(Box::new(Patch {
        reading: Reading::default(),
        journey: None,
        sampler,
        started: false,
        points: Vec::new(),
        of_box: None,
        has_convolutions: false,
        classes: HashMap::new(),
    }))
}

impl<T: Real> Falsifier<T> for Patch<T> {
    fn configure(&mut self, problem: &Problem<T>, config: &Config) -> Result<(), NotApplicable> {
        self.reading = config.reading.unwrap_or_default();
        self.has_convolutions = applies(problem.double(), &self.reading)?.behind_convolutions;
        Ok(())
    }

    fn price(&self, problem: &Problem<T>) -> u64 {
        // The programs of a patch, with the layers behind the first, and two of a pull-back.
        local::price(problem, PROGRAMS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let (mut journey, target) = match self.journey.take() {
            Some(journey) => journey,
            None => match self.next_start(oracle)? {
                Some((start, target)) => (self.begin(oracle, &start, target), target),
                None => return Ok(Progress::More),
            },
        };
        let own;
        let problem = oracle.problem;
        let network = if self.has_convolutions {
            let Ok(view) = Layered::behind_convolutions(problem.double(), journey.here()) else {
                return Ok(Progress::Exhausted);
            };
            own = view;
            &own
        } else {
            let Ok(whole) = problem.layered() else { return Ok(Progress::Exhausted) };
            whole
        };
        let ranges = match self.reading.phases {
            Phases::Approximated => self.classes.get(&target),
            Phases::ApproximatedBox => self.of_box.as_ref(),
            Phases::Free | Phases::Held | Phases::Monotone => None,
        };
        let mut programs = Programs::new(oracle.budget());
        let outcome = journey.shot(network, ranges, &mut programs);
        let (solved, entries) = (programs.solved, programs.entries);
        oracle.tally.count_programs(solved, entries);
        if let Ok(input) = outcome {
            let here = journey.here().to_vec();
            let through = input.iter().copied().enumerate();
            let (margin, best) = look_along(oracle, &mut self.points, &here, through, target as usize)?;
            let best: Vec<f64> = best.into_iter().map(Real::widen).collect();
            journey.observe(&best, margin);
            self.journey = Some((journey, target));
        }
        Ok(Progress::More)
    }
}

impl<T: Real> Patch<T> {
    fn begin(&self, oracle: &Oracle<'_, T>, start: &[f64], target: u32) -> Journey {
        let region = &oracle.region;
        let property = region.conjunctions[target as usize].clone();
        let margin = property.margin(start, &oracle.problem.double().evaluate(start));
        let from = Start { input: start, lower: &region.lower, upper: &region.upper };
        Journey::new(self.reading, property, from, margin)
    }

    /// A point and the conjunction nearest there: the centre, then the best of a block of samples.
    fn next_start(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Option<(Vec<f64>, u32)>, Halt> {
        if self.started {
            self.sampler.draw(oracle, &mut self.points);
        } else {
            fix(oracle, &mut self.points);
            let lanes = oracle.lanes();
            for (i, values) in self.points.chunks_exact_mut(lanes).enumerate() {
                values.fill(middle(oracle.lower[i], oracle.upper[i]));
            }
        }
        oracle.evaluate(&self.points)?;
        if !self.started && !self.has_convolutions && self.reading.phases == Phases::ApproximatedBox {
            let region = &oracle.region;
            let of_box = |view| Ranges::of_box(view, &region.lower, &region.upper);
            self.of_box = oracle.problem.layered().ok().and_then(of_box);
        }
        self.started = true;
        self.learn(oracle);
        let best = |a: usize, b: usize| if oracle.margins()[b] > oracle.margins()[a] { b } else { a };
        let lane = (0..oracle.lanes()).reduce(best).unwrap_or(0);
        let point: Vec<f64> = oracle.point(lane).into_iter().map(Real::widen).collect();
        Ok(point.iter().all(|x| x.is_finite()).then(|| (point, oracle.nearest()[lane])))
    }

    /// Adds a few of the last block's points to their classes.
    fn learn(&mut self, oracle: &Oracle<'_, T>) {
        const A_BLOCK: usize = 8;
        if self.has_convolutions || self.reading.phases != Phases::Approximated {
            return;
        }
        let Ok(network) = oracle.problem.layered() else { return };
        for lane in 0..oracle.lanes().min(A_BLOCK) {
            let point: Vec<f64> = oracle.point(lane).into_iter().map(Real::widen).collect();
            let trace = network.simulate(&point);
            let class = self.classes.entry(oracle.nearest()[lane]).or_insert_with(|| Ranges::at(&trace));
            class.include(&trace);
        }
    }
}
