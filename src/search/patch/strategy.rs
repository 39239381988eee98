//! Algorithm 1 as a strategy of the portfolio.
//!
//! Each round takes one start (the centre of the box first, then the best of a block of samples) and the
//! conjunction that is nearest there, and tries the [`variants`] in order, from the paper's letter to the most
//! relaxed. Deviation: an input that `mod2adv` returns is looked at together with the ray from the start through it,
//! which costs no more than the single point.

use std::collections::HashMap;
use std::sync::Arc;

use super::marking::Marking;
use super::pullback::{Aim, Start, Wish, mod2adv};
use super::targets::Targets;
use super::{Change, Phases, Rules, Stuck, find_first_layer_modification};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Layered, Outline};
use crate::network::{Network, Real};
use crate::problem::Problem;
use crate::property::{Conjunction, Region};
use crate::search::centre::middle;
use crate::search::local;
use crate::search::programs::{Obstacle, Programs};
use crate::search::ray::look_along;
use crate::search::sample::{Sampler, fix};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Weights of the layers together over which the programs cost more than they find.
const MOST_WEIGHTS: usize = 2_000_000;
/// What a miss of one unit costs an elastic pull-back, as in the prototypes.
const PRICE: f64 = 100.0;

/// A reading of the method, from Algorithm 1 to the input.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its name in tables.
    pub name: &'static str,
    /// How Algorithm 1 is read.
    pub rules: Rules,
    /// What `mod2adv` minimises.
    pub aim: Aim,
    /// How strictly `mod2adv` is read.
    pub wish: Wish,
}

/// The readings, from the paper's letter to the most relaxed. Ranges of a class of inputs and over the box give one
/// more each.
pub fn variants(class: Option<&Arc<Ranges>>, of_box: Option<&Arc<Ranges>>) -> Vec<Variant> {
    let strict = |name, rules| Variant { name, rules, aim: Aim::LeastTotal, wish: Wish::Strict };
    let rules = Rules::default;
    let marked = || Rules { targets: Targets::Marked, ..rules() };
    let gradient = || Rules { marking: Marking::Gradient, ..marked() };
    let approximated = |name, ranges: Option<&Arc<Ranges>>| {
        let phases = Phases::Approximated(Arc::clone(ranges?));
        Some(Variant { wish: Wish::Elastic(PRICE), ..strict(name, Rules { phases, ..gradient() }) })
    };
    let mut all = vec![
        strict("literal", rules()),
        strict("literal, largest change", Rules { objective: Change::Largest, ..rules() }),
        strict("monotone phases", Rules { phases: Phases::Monotone, ..rules() }),
        strict("rectified targets", Rules { targets: Targets::Rectified, ..rules() }),
        strict("marked targets", marked()),
        strict("marks from gradients", gradient()),
        Variant { wish: Wish::Elastic(PRICE), ..strict("elastic", gradient()) },
    ];
    all.extend(approximated("class bounds", class));
    all.extend(approximated("box bounds", of_box));
    all
}

/// Why a variant brought no input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Algorithm 1 stopped.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// The first layer's sums cannot be had from the input.
    #[error("mod2adv: {0}")]
    Pullback(Obstacle),
}

impl Variant {
    /// Runs the method from one input: an input in the box that should satisfy the conjunction.
    ///
    /// # Errors
    /// [`Failure`] with the stage that had no answer.
    pub fn run(
        &self,
        network: &Layered,
        start: Start<'_>,
        property: &Conjunction,
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, Failure> {
        let found = find_first_layer_modification(network, start.input, property, &self.rules, programs)?;
        let first = network.first_edges();
        mod2adv(&first, &found.targets, start, self.aim, self.wish, programs).map_err(Failure::Pullback)
    }
}

/// Patches from one start after the other.
struct Patch<T> {
    sampler: Sampler,
    started: bool,
    points: Vec<T>,
    /// The view of a network without convolutions, and its bounds over the box.
    whole: Option<(Layered, Option<Arc<Ranges>>)>,
    has_convolutions: bool,
    /// What the samples nearest to each conjunction do: the classes of the linear approximation.
    classes: HashMap<u32, Ranges>,
}

/// The edge layers that the strategy works on.
///
/// # Errors
/// [`NotApplicable`] where it does not work on a network.
pub fn applies(network: &Network<f64>) -> Result<Outline, NotApplicable> {
    let outline = Layered::outline(network).map_err(|reason| NotApplicable(reason.reason()))?;
    affordable(network)?;
    Ok(outline)
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
    let has_convolutions = applies(problem.double())?.behind_convolutions;
    Ok(Box::new(Patch {
        sampler,
        started: false,
        points: Vec::new(),
        whole: None,
        has_convolutions,
        classes: HashMap::new(),
    }))
}

impl<T: Real> Falsifier<T> for Patch<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        // Three programs for each of nine variants.
        local::price(problem, 27)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Some((start, target)) = self.next_start(oracle)? else { return Ok(Progress::More) };
        let own;
        let (network, of_box) = if self.has_convolutions {
            let Ok(view) = Layered::behind_convolutions(oracle.problem.double(), &start) else {
                return Ok(Progress::Exhausted);
            };
            own = view;
            (&own, None)
        } else {
            let Some((view, of_box)) = &self.whole else { return Ok(Progress::Exhausted) };
            (view, of_box.as_ref())
        };
        let class = self.classes.get(&target).map(|ranges| Arc::new(ranges.clone()));
        for variant in variants(class.as_ref(), of_box) {
            oracle.check()?;
            let mut programs = Programs::new(oracle.budget());
            let region = &oracle.region;
            let from = Start { input: &start, lower: &region.lower, upper: &region.upper };
            let property = &region.conjunctions[target as usize];
            let outcome = variant.run(network, from, property, &mut programs);
            let (solved, entries) = (programs.solved, programs.entries);
            oracle.tally.count_programs(solved, entries);
            if let Ok(input) = outcome {
                let through = input.iter().copied().enumerate();
                look_along(oracle, &mut self.points, &start, through, target as usize)?;
            }
        }
        Ok(Progress::More)
    }
}

impl<T: Real> Patch<T> {
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
        if !self.started && !self.has_convolutions {
            let region = &oracle.region;
            self.whole = Layered::new(oracle.problem.double()).ok().map(|view| {
                let of_box = Ranges::of_box(&view, &region.lower, &region.upper);
                (view, of_box.map(Arc::new))
            });
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
        let Some((network, _)) = &self.whole else { return };
        for lane in 0..oracle.lanes().min(A_BLOCK) {
            let point: Vec<f64> = oracle.point(lane).into_iter().map(Real::widen).collect();
            let trace = network.simulate(&point);
            let class = self.classes.entry(oracle.nearest()[lane]).or_insert_with(|| Ranges::at(&trace));
            class.include(&trace);
        }
    }
}
