//! Conjunctions of many rows as least squares: Levenberg and Marquardt's method within the box, from bend to kink.
//!
//! A search that climbs the worst row of a conjunction goes to and fro between the rows. Here every row that does not hold
//! is an equation (`residuals.rs`), and each step solves all of them at once, linearised at the point, damped and within
//! the box (`step.rs`; Levenberg 1944, Marquardt 1963). The Jacobian is one block of backward passes, a row a lane; eight
//! dampings are tried in one block of evaluations, and the best stays.
//!
//! In a network of ReLUs the method stops where a phase would have to change first. So it begins on a softened twin
//! ([`Softened`]), whose bends narrow from stage to stage, and ends on the network itself: for random networks with 20 to
//! 64 inputs and 20 to 50 outputs within a tolerance of a target, 1 to 3 starts instead of hundreds or none of any number.
//! The first width is another one each time: with a fixed row of widths all starts may end at the same wrong place. All
//! of it is in double precision; the end is rounded into the box and judged like every other point.

mod cholesky;
mod residuals;
mod step;

use crate::network::soften::{Softened, smooths};
use crate::network::{Network, Real, Surrogate, Workspace};
use crate::problem::Problem;
use crate::property::margin::{Block, MarginGradient};
use crate::property::{Conjunction, Region};
use crate::search::kernel::points::show;
use crate::search::kernel::starts::Starts;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use residuals::Residuals;
use step::System;

/// The first width of the bends, in deviations of what goes into them: drawn between these, evenly by its logarithm. It is
/// halved from stage to stage until it is less than the least; then comes the network itself.
const FIRST_WIDTH: (f64, f64) = (0.3, 3.0);
const LEAST_WIDTH: f64 = 0.006;
/// Steps of a stage, at most.
const MOST_STEPS: usize = 100;
/// Steps that a stage takes on average, for its price.
const USUAL_STEPS: usize = 10;
/// Dampings that are tried in a step, as multiples of the one that was best before.
const DAMPINGS: [f64; 8] = [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4];
/// The damping that a stage begins with, and the least and the largest, as shares of a column's mean square.
const FIRST_DAMPING: f64 = 1e-2;
const DAMPING_LIMITS: (f64, f64) = (1e-8, 1e4);
/// A step that gains less than this share of the sum of squares ends its stage.
const LEAST_GAIN: f64 = 1e-4;
/// Work after which a stage waits for the next round.
const MOST_WORK: u64 = 2_000_000_000;
/// Points that a block of a Jacobian holds at most, and multiples that it comes in.
const MOST_LANES: usize = 64;
const LANES: usize = 8;
/// What is too large for a square system, and for a Jacobian.
const LARGEST_SYSTEM: usize = 600;
const LARGEST_JACOBIAN: usize = 20_000_000;
/// Multiplications of a network that is not copied in double precision, twice.
const LARGE: usize = 50_000_000;
/// Multiplications of the search's own blocks that take the time of one of these: in double precision, with bends that
/// are logarithms of exponentials, and eight points in a block. Measured on networks of 13,000 to 100,000
/// multiplications.
const PRICE: u64 = 3;
/// Starts without a better end, for each row, after which more of them are worth half as much. Two rows are often a puzzle behind
/// sums, which another start does not solve either; a system of many rows has many starts that end beside it.
const PATIENCE: f64 = 8.0;

/// Makes the strategy; it applies where some way to violate has two rows or more, and the network has gradients or is made
/// of signs.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let starts = Starts::new(region, seed)?;
    let network = &problem.network;
    if network.plain_nodes().next().is_some() {
        return Err(NotApplicable("parts of the network have no gradient"));
    }
    if !smooths(network) {
        return Err(NotApplicable("the network jumps: its gradient says nothing"));
    }
    if network.multiplications() > LARGE {
        return Err(NotApplicable("the network is too large to be copied in double precision"));
    }
    let inputs = starts.free.len();
    let systems = region.conjunctions.iter().filter(|conjunction| is_system(conjunction, inputs));
    let most_rows = systems.map(|conjunction| conjunction.rows.len()).max();
    if region.condition.is_none() && most_rows.is_none() {
        return Err(NotApplicable("each way to violate the property is a single row"));
    }
    Ok(Box::new(LeastSquares {
        starts,
        points: Vec::new(),
        engines: None,
        journey: None,
        least: f64::INFINITY,
        in_vain: 0,
        rows: most_rows.unwrap_or(2) as f64,
    }))
}

/// Whether a conjunction is more than one row to be climbed, and its system with so many inputs small enough.
fn is_system(conjunction: &Conjunction, inputs: usize) -> bool {
    let rows = conjunction.rows.len();
    rows > 1 && rows.min(inputs) <= LARGEST_SYSTEM && rows.saturating_mul(inputs) <= LARGEST_JACOBIAN
}

struct LeastSquares<T> {
    starts: Starts,
    /// The block of starts.
    points: Vec<T>,
    /// Made in the first round.
    engines: Option<Engines>,
    /// The descent that goes on in the next round.
    journey: Option<KinkJourney>,
    /// The least sum of squares that a descent ended with, and the starts since.
    least: f64,
    in_vain: u32,
    /// Of the largest conjunction.
    rows: f64,
}

/// A descent from bend to kink.
#[derive(Debug)]
struct KinkJourney {
    residuals: Residuals,
    /// Their sum of squares.
    size: f64,
    /// Coordinates of the free inputs, from 0 to 1 across the box.
    place: Vec<f64>,
    /// The stage's width, the steps that it has made, and the damping that was best in the last one.
    width: f64,
    steps: usize,
    damping: f64,
}

impl KinkJourney {
    fn next_stage(&mut self) {
        (self.width, self.steps, self.damping) = (self.width / 2.0, 0, FIRST_DAMPING);
    }
}

/// The softened twin, and the memory for both networks.
struct Engines {
    soft: Option<(Softened, BlockEngine)>,
    exact: BlockEngine,
}

/// Memory for blocks of one network.
struct BlockEngine {
    jacobian: Workspace<f64>,
    trials: Workspace<f64>,
    outputs: Vec<f64>,
    cotangent: Vec<f64>,
    own: Vec<f64>,
    gradient: Vec<f64>,
}

impl<T: Real> Falsifier<T> for LeastSquares<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        let lanes = 3 * problem.network.block_lanes().min(MOST_LANES) + DAMPINGS.len();
        PRICE * (USUAL_STEPS * lanes * problem.network.multiplications()) as u64
    }

    /// The more rows, the less do the others find, who climb one at a time, or their sum: a random network's 100 outputs within a
    /// tolerance of a target were found by this strategy alone, in a tenth of the time.
    fn promise(&self, _searched: f64) -> f64 {
        (1.0 + self.rows.log2() / 2.0) / (1.0 + f64::from(self.in_vain) / (PATIENCE * self.rows))
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let mut journey = match self.journey.take() {
            Some(journey) => journey,
            None => {
                let inputs = self.starts.free.len();
                // Of a formula that is kept as it stands the ways that have come up so far.
                if !oracle.region.conjunctions.iter().any(|conjunction| is_system(conjunction, inputs)) {
                    return Ok(Progress::Exhausted);
                }
                self.starts.draw(oracle, &mut self.points)?;
                let Some(journey) = self.start(oracle) else { return Ok(Progress::More) };
                journey
            }
        };
        let before = oracle.tally.work;
        let is_over = self.stage(oracle, &mut journey);
        oracle.tally.work += (PRICE - 1) * (oracle.tally.work - before);
        if !is_over? {
            self.journey = Some(journey);
            return Ok(Progress::More);
        }
        let end = fill(&oracle.region, &self.starts.free, &[journey.place.as_slice()]);
        show(oracle, &mut self.points, &end)?;
        self.in_vain += 1;
        // The last digits of a place where all descents end are no progress.
        if journey.size < 0.99 * self.least {
            (self.least, self.in_vain) = (journey.size, 0);
        }
        Ok(Progress::More)
    }
}

impl<T: Real> LeastSquares<T> {
    /// A stage or a part of one; whether the descent is over.
    fn stage(&mut self, oracle: &mut Oracle<'_, T>, journey: &mut KinkJourney) -> Result<bool, Halt> {
        let engines = match &mut self.engines {
            Some(engines) => engines,
            none => none.insert(Engines::new(oracle, &self.points)),
        };
        let free = &self.starts.free;
        match &mut engines.soft {
            Some((soft, engine)) if journey.width >= LEAST_WIDTH => {
                soft.set_width(journey.width);
                let mut descent = Descent { network: soft.network(), engine, free };
                if descent.run(oracle, journey, false)? {
                    journey.next_stage();
                }
                Ok(false)
            }
            _ => {
                let network = oracle.problem.double();
                Descent { network, engine: &mut engines.exact, free }.run(oracle, journey, true)
            }
        }
    }

    /// From the sample of the block that is nearest to its target, the best point so far aside, from which the first start
    /// of all has come; `None` where no target is a system that can be solved.
    fn start(&mut self, oracle: &Oracle<'_, T>) -> Option<KinkJourney> {
        let lanes = oracle.lanes();
        let block = Block { inputs: &self.points, outputs: oracle.outputs(), lanes };
        let mut systems: Vec<Option<Residuals>> = vec![None; oracle.region.conjunctions.len()];
        let mut nearest: Option<(f64, usize)> = None;
        let first = usize::from(self.starts.batch > 1 && lanes > 1);
        for (lane, &target) in self.starts.targets.iter().enumerate().skip(first) {
            let conjunction = &oracle.region.conjunctions[target as usize];
            if !is_system(conjunction, self.starts.free.len()) {
                continue;
            }
            let system = systems[target as usize].get_or_insert_with(|| Residuals::of(conjunction));
            let size = square(&system.values(block, lane));
            if nearest.is_none_or(|(least, _)| size < least) {
                nearest = Some((size, lane));
            }
        }
        let (size, lane) = nearest?;
        let point = oracle.point(lane);
        let coordinate = |&i: &usize| {
            let (low, high) = (oracle.region.lower[i], oracle.region.upper[i]);
            ((point[i].widen() - low) / (high - low)).clamp(0.0, 1.0)
        };
        let place: Vec<f64> = self.starts.free.iter().map(coordinate).collect();
        let residuals = systems.swap_remove(self.starts.targets[lane] as usize)?;
        let width = self.starts.random.between(FIRST_WIDTH.0.ln(), FIRST_WIDTH.1.ln()).exp();
        Some(KinkJourney { residuals, size, place, width, steps: 0, damping: FIRST_DAMPING })
    }
}

/// The input at a coordinate.
fn across(region: &Region, input: usize, coordinate: f64) -> f64 {
    let (low, high) = (region.lower[input], region.upper[input]);
    (low + coordinate * (high - low)).clamp(low, high)
}

fn square(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().map(|x| x * x).sum();
    if sum.is_nan() { f64::INFINITY } else { sum }
}

impl Engines {
    /// The networks, with the widths measured on a block of points.
    fn new<T: Real>(oracle: &mut Oracle<'_, T>, points: &[T]) -> Self {
        let exact = oracle.problem.double();
        let rows =
            oracle.region.conjunctions.iter().map(|conjunction| conjunction.rows.len()).max().unwrap_or(1);
        let soft = Softened::new(exact).map(|mut soft| {
            let mut block = Workspace::new(soft.network(), oracle.lanes());
            let points: Vec<f64> = points.iter().map(|x| x.widen()).collect();
            soft.network().forward(&mut block, &points);
            soft.measure(&block);
            oracle.tally.count_evaluations(soft.network(), block.lanes());
            let engine = BlockEngine::new(soft.network(), rows);
            (soft, engine)
        });
        Self { soft, exact: BlockEngine::new(exact, rows) }
    }
}

impl BlockEngine {
    fn new(network: &Network<f64>, rows: usize) -> Self {
        let lanes = rows.next_multiple_of(LANES).min(MOST_LANES).min(network.block_lanes());
        Self {
            jacobian: network.workspace(lanes),
            trials: network.workspace(DAMPINGS.len()),
            outputs: Vec::new(),
            cotangent: Vec::new(),
            own: Vec::new(),
            gradient: Vec::new(),
        }
    }
}

/// One stage: descent on one network.
struct Descent<'d> {
    network: &'d Network<f64>,
    engine: &'d mut BlockEngine,
    free: &'d [usize],
}

impl Descent<'_> {
    /// Steps until the sum of squares falls no more, on the network itself also until every row holds: then the stage is
    /// over. It is not where the work of a round is done.
    fn run<T: Real>(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        journey: &mut KinkJourney,
        until_held: bool,
    ) -> Result<bool, Halt> {
        let until = oracle.tally.work + MOST_WORK / PRICE;
        while journey.steps < MOST_STEPS {
            oracle.check()?;
            if oracle.tally.work > until {
                return Ok(false);
            }
            let (system, holds) = self.linearise(oracle, journey);
            journey.size = system.sum_of_squares();
            if (until_held && holds) || !system.is_usable() {
                return Ok(true);
            }
            oracle.tally.work += (DAMPINGS.len() * system.price()) as u64;
            let limited = |damping: f64| damping.clamp(DAMPING_LIMITS.0, DAMPING_LIMITS.1);
            let dampings = DAMPINGS.map(|factor| limited(factor * journey.damping));
            let places = dampings.map(|damping| system.step(damping));
            let sums = self.try_out(oracle, &journey.residuals, &places);
            let better = |&a: &usize, &b: &usize| sums[a].total_cmp(&sums[b]);
            let Some(best) = (0..places.len()).min_by(better) else { return Ok(true) };
            if sums[best] >= journey.size {
                return Ok(true);
            }
            let gain = 1.0 - sums[best] / journey.size;
            (journey.place, journey.size) = (places[best].clone(), sums[best]);
            (journey.damping, journey.steps) = (dampings[best], journey.steps + 1);
            if gain < LEAST_GAIN {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// The residuals that are not zero and their gradients, and whether all rows hold.
    fn linearise<T: Real>(&mut self, oracle: &mut Oracle<'_, T>, journey: &KinkJourney) -> (System, bool) {
        let lanes = self.engine.jacobian.lanes();
        let residuals = &journey.residuals;
        let same = vec![journey.place.as_slice(); lanes];
        let inputs = fill(&oracle.region, self.free, &same);
        let engine = &mut *self.engine;
        self.network.forward(&mut engine.jacobian, &inputs);
        self.network.outputs_into(&engine.jacobian, &mut engine.outputs);
        oracle.tally.count_evaluations(self.network, lanes);
        let block = Block { inputs: &inputs, outputs: &engine.outputs, lanes };
        let values = residuals.values(block, 0);
        let open: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
        let mut rows = Vec::with_capacity(open.len());
        for equations in open.chunks(lanes) {
            engine.own.clear();
            engine.own.resize(inputs.len(), 0.0);
            engine.cotangent.clear();
            engine.cotangent.resize(engine.outputs.len(), 0.0);
            for (lane, &equation) in equations.iter().enumerate() {
                let mut gradient = MarginGradient { inputs: &mut engine.own, outputs: &mut engine.cotangent };
                residuals.add_gradient(equation, block, lane, &mut gradient);
            }
            let exact = Surrogate::exact();
            self.network.backward(&mut engine.jacobian, &engine.cotangent, exact, &mut engine.gradient);
            oracle.tally.count_gradients(self.network, lanes);
            for lane in 0..equations.len() {
                let slope = |&i: &usize| {
                    let width = oracle.region.upper[i] - oracle.region.lower[i];
                    width * (engine.gradient[i * lanes + lane] + engine.own[i * lanes + lane])
                };
                rows.push(self.free.iter().map(slope).collect());
            }
        }
        let values: Vec<f64> = open.iter().map(|&i| values[i]).collect();
        (System::new(&rows, &values, journey.place.clone()), residuals.hold(block, 0))
    }

    /// The sums of squares at some places.
    fn try_out<T: Real>(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        residuals: &Residuals,
        places: &[Vec<f64>; DAMPINGS.len()],
    ) -> [f64; DAMPINGS.len()] {
        let lanes: Vec<&[f64]> = places.iter().map(Vec::as_slice).collect();
        let inputs = fill(&oracle.region, self.free, &lanes);
        self.network.forward(&mut self.engine.trials, &inputs);
        self.network.outputs_into(&self.engine.trials, &mut self.engine.outputs);
        oracle.tally.count_evaluations(self.network, places.len());
        let block = Block { inputs: &inputs, outputs: &self.engine.outputs, lanes: places.len() };
        std::array::from_fn(|lane| square(&residuals.values(block, lane)))
    }
}

/// A block of points: the free inputs at these coordinates, the others where the region holds them.
fn fill(region: &Region, free: &[usize], places: &[&[f64]]) -> Vec<f64> {
    let lanes = places.len();
    let mut inputs: Vec<f64> = region.lower.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect();
    for (at, &i) in free.iter().enumerate() {
        for (lane, place) in places.iter().enumerate() {
            inputs[i * lanes + lane] = across(region, i, place[at]);
        }
    }
    inputs
}
