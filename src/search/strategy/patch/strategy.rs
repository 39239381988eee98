//! The paper's method as a strategy of the portfolio.
//!
//! It takes one start after the other (the centre of the box first, then [seeds](crate::search::kernel::seeds) as other strategies do) and
//! the conjunction that is nearest there, and follows one reading from it: the default one, or that of `--reading`. A round
//! is one shot. A journey that turns to another layer waits, and half of the work is for first layers' turns from new starts: many
//! cheap starts find more than few that are followed to the end. Deviation: an input that `mod2adv` returns is looked at together with the ray through it, which costs little more than the single
//! point, and a journey goes on from the best point of the ray.
//!
//! In the portfolio it takes part where the network's programs are small; asked for by name it also works behind
//! convolutions.

use std::collections::{HashMap, VecDeque};

use super::journey::{Journey, JourneyFailure};
use super::pullback::Start;
use super::reading::{PaperReading, PhaseTreatment};
use super::views::Views;
use crate::network::frozen::piece;
use crate::network::layered::bounds::{Ranges, envelope};
use crate::network::layered::{Layered, Outline};
use crate::network::op::UnaryFunction;
use crate::network::{Network, Real};
use crate::patching::phases::tangent;
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::local;
use crate::search::kernel::points::middle;
use crate::search::kernel::points::repeat;
use crate::search::kernel::programs::Programs;
use crate::search::kernel::ray::look_along;
use crate::search::kernel::seeds::Seeds;
use crate::search::{Config, Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Weights of the layers together over which the programs cost more than they find.
const MOST_WEIGHTS: usize = 2_000_000;
/// Multiplications to linearise what is in front of the layers, a pass for each of the first one's sums.
const MOST_MULTIPLICATIONS: usize = 4_000_000_000;
/// What the strategy is called.
pub const NAME: &str = "patch";
const TOO_LARGE: NotApplicable = NotApplicable("the patching programs would be too large");
/// Entries of a first shot's programs, in weights of the network.
const PROGRAMS: usize = 12;
/// Journeys that are kept to be gone on with.
const MOST_WAITING: usize = 64;

/// Patches from one start after the other.
struct PatchStrategy<T> {
    reading: PaperReading,
    /// What the next round goes on with.
    journey: Option<(Journey, u32)>,
    /// Journeys that would go on with another layer, the oldest first.
    waiting: VecDeque<(Journey, u32)>,
    /// Entries of the programs of journeys that had not turned yet, and of those that had.
    work: (usize, usize),
    seeds: Seeds<T>,
    started: bool,
    points: Vec<T>,
    /// Bounds over the box, where the reading wants them.
    of_box: Option<Ranges>,
    /// The layers where something is in front of them, and as they are seen from where the journey is.
    base: Option<Layered>,
    views: Views,
    /// What the samples nearest to each conjunction do: the classes of the linear approximation.
    classes: HashMap<u32, Ranges>,
}

/// The edge layers that a reading works on.
///
/// # Errors
/// [`NotApplicable`] where it does not work on a network.
pub fn applies(network: &Network<f64>, reading: &PaperReading) -> Result<Outline, NotApplicable> {
    let outline =
        Layered::outline(network, reading.extent()).map_err(|reason| NotApplicable(reason.reason()))?;
    let weights: usize = outline.layers.iter().map(|layer| layer.sources * layer.targets).sum();
    let rows = outline.layers.first().map_or(0, |layer| layer.targets);
    let in_front = if outline.has_entry { rows.saturating_mul(network.multiplications()) } else { 0 };
    if weights > MOST_WEIGHTS || in_front > MOST_MULTIPLICATIONS {
        return Err(TOO_LARGE);
    }
    if outline.has_entry && network.jumps() {
        return Err(NotApplicable("the part in front of the layers jumps, so that it has no tangent"));
    }
    let functions: Vec<UnaryFunction> = outline.layers.iter().filter_map(|layer| layer.activation).collect();
    let all = |known: fn(UnaryFunction) -> bool| functions.iter().all(|&function| known(function));
    let has_tangents = all(|function| tangent(function, 0.0).is_some());
    let applies = match reading.phases {
        PhaseTreatment::Free | PhaseTreatment::Tangent => has_tangents,
        PhaseTreatment::Held | PhaseTreatment::Monotone => all(|function| piece(function, 0.0).is_some()),
        PhaseTreatment::Approximated | PhaseTreatment::ApproximatedBox => {
            all(|function| envelope(function, (-1.0, 1.0)).is_some())
        }
    };
    match applies {
        true => Ok(outline),
        false if has_tangents => Err(NotApplicable(
            "of one of the activations only readings with free phases or tangents know enough",
        )),
        false => Err(NotApplicable("no reading of patching knows one of the activations")),
    }
}

/// Makes the strategy; it applies to chains of layers of moderate size.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    // Asked before a copy in double precision is made.
    if problem.network.multiplications() > MOST_MULTIPLICATIONS {
        return Err(TOO_LARGE);
    }
    Ok(Box::new(PatchStrategy {
        reading: PaperReading::default(),
        journey: None,
        waiting: VecDeque::new(),
        work: (0, 0),
        seeds,
        started: false,
        points: Vec::new(),
        of_box: None,
        base: None,
        views: Views::default(),
        classes: HashMap::new(),
    }))
}

impl<T: Real> Falsifier<T> for PatchStrategy<T> {
    fn configure(&mut self, problem: &Problem<T>, config: &Config) -> Result<(), NotApplicable> {
        self.reading = config.reading.unwrap_or_default();
        if problem.network.multiplications() > MOST_WEIGHTS && !config.names(NAME) {
            return Err(TOO_LARGE);
        }
        let network = problem.double();
        if applies(network, &self.reading)?.has_entry {
            let origin = vec![0.0; network.input_len()];
            let view = Layered::at(network, self.reading.extent(), &origin);
            self.base = Some(view.map_err(|reason| NotApplicable(reason.reason()))?);
        }
        Ok(())
    }

    fn price(&self, problem: &Problem<T>) -> u64 {
        // The programs of a patch, with the layers behind the first, and two of a pull-back.
        local::price(problem, PROGRAMS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Some((mut journey, target)) = self.next(oracle)? else { return Ok(Progress::More) };
        let turns = journey.turns();
        let problem = oracle.problem;
        let network = match &self.base {
            Some(base) => {
                let base = (base, self.reading.extent());
                self.views.from_here(problem.double(), base, journey.extent(), journey.here())
            }
            None => problem.layered(),
        };
        let Ok(network) = network else { return Ok(Progress::Exhausted) };
        let ranges = match self.reading.phases {
            PhaseTreatment::Approximated => self.classes.get(&target),
            PhaseTreatment::ApproximatedBox => self.of_box.as_ref(),
            PhaseTreatment::Free
            | PhaseTreatment::Held
            | PhaseTreatment::Monotone
            | PhaseTreatment::Tangent => None,
        };
        let mut programs = Programs::new(oracle.budget());
        let outcome = journey.shot(network, ranges, &mut programs);
        let (solved, entries) = (programs.solved, programs.entries);
        oracle.tally.count_programs(solved, entries);
        let work = if turns == 0 { &mut self.work.0 } else { &mut self.work.1 };
        *work = work.saturating_add(entries);
        if outcome == Err(JourneyFailure::Elsewhere) {
            self.wait(journey, target);
        } else if let Ok(input) = outcome {
            let here = journey.here().to_vec();
            let through = input.iter().copied().enumerate();
            let (margin, best) = look_along(oracle, &mut self.points, &here, through, target as usize)?;
            let best: Vec<f64> = best.into_iter().map(Real::widen).collect();
            journey.observe(&best, margin);
            match journey.turns() == turns {
                true => self.journey = Some((journey, target)),
                false => self.wait(journey, target),
            }
        }
        Ok(Progress::More)
    }
}

impl<T: Real> PatchStrategy<T> {
    fn begin(&self, oracle: &Oracle<'_, T>, start: &[f64], target: u32) -> Journey {
        let region = &oracle.region;
        let property = region.conjunctions[target as usize].clone();
        let margin = property.margin(start, &oracle.problem.double().evaluate(start));
        let from = Start { input: start, lower: &region.lower, upper: &region.upper };
        Journey::new(self.reading, property, from, margin, self.base.is_some())
    }

    /// The journey of the next round: the present one until it turns to another layer; then one from a new start or, where these
    /// had more than half of the work, the one that waits longest.
    fn next(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Option<(Journey, u32)>, Halt> {
        if let Some(journey) = self.journey.take() {
            return Ok(Some(journey));
        }
        if self.work.0 > self.work.1
            && let Some(journey) = self.waiting.pop_front()
        {
            return Ok(Some(journey));
        }
        match self.next_start(oracle)? {
            Some((start, target)) => Ok(Some((self.begin(oracle, &start, target), target))),
            // Where no sample has a gradient there are no seeds.
            None => Ok(self.waiting.pop_front()),
        }
    }

    /// Puts a journey aside; the oldest is given up where too many wait.
    fn wait(&mut self, journey: Journey, target: u32) {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((journey, target));
    }

    /// A point and the conjunction nearest there: the centre, then one seed after the other.
    fn next_start(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Option<(Vec<f64>, u32)>, Halt> {
        let start = match self.started {
            true => self.seeds.next(oracle)?.map(|seed| (seed.point, seed.target)),
            false => Some(self.centre(oracle)?),
        };
        self.started = true;
        self.learn(oracle);
        let start = start.map(|(point, target)| (point.into_iter().map(Real::widen).collect(), target));
        Ok(start.filter(|(point, _): &(Vec<f64>, u32)| point.iter().all(|x| x.is_finite())))
    }

    /// The middle of the box; bounds over the box are made with it.
    fn centre(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(Vec<T>, u32), Halt> {
        let centre: Vec<T> = oracle.lower.iter().zip(&oracle.upper).map(|(&l, &u)| middle(l, u)).collect();
        repeat(centre.iter().copied(), oracle.lanes(), &mut self.points);
        oracle.evaluate(&self.points)?;
        if self.base.is_none() && self.reading.phases == PhaseTreatment::ApproximatedBox {
            let region = &oracle.region;
            let of_box = |view| Ranges::of_box(view, &region.lower, &region.upper);
            self.of_box = oracle.problem.layered().ok().and_then(of_box);
        }
        Ok((oracle.point(0), oracle.nearest()[0]))
    }

    /// Adds a few of the last block's points to their classes.
    fn learn(&mut self, oracle: &Oracle<'_, T>) {
        const A_BLOCK: usize = 8;
        if self.base.is_some() || self.reading.phases != PhaseTreatment::Approximated {
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
