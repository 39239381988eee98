//! The way from a start to an input that violates the property: a patch, its pull-back, and so on.
//!
//! A pull-back that meets all of the patch's sums gives an input at which the network does what the patched one does
//! at the start: with exact phases it violates the property, and one shot is all. Where the box or the number of
//! inputs stands in the way, an iterated reading takes the input that misses least and patches the network there
//! anew. A miss is worth no more than the linear picture of it, so steps stay within a *trust region* round the point
//! where the patch was made: it grows after a gain of the margin, and shrinks after a step that lost.
//!
//! Changes are measured from the start throughout, not from the last point: the input that is found in the end is the
//! one that is near.

use super::marking::gradient;
use super::pullback::{Start, Wish, approach, mod2adv};
use super::reading::{Order, Reading, Shots};
use super::targets::Targets;
use super::{FirstLayerModification, PRICE, Site, Stuck, find_first_layer_modification};
use crate::network::layered::Layered;
use crate::network::layered::bounds::Ranges;
use crate::property::{Conjunction, Row};
use crate::search::programs::{Obstacle, Programs};

/// Half width of the trust region after the first shot, as a part of the box.
const FIRST_RADIUS: f64 = 0.5;
/// Below this a journey ends.
const LEAST_RADIUS: f64 = 0.01;
/// Shots of a journey.
const MOST_SHOTS: usize = 16;
/// What a miss of a sum that does nothing to the margin costs, in parts of the dearest.
const LEAST_WORTH: f64 = 0.02;
/// A gain of the margin is one from this part of its size on.
const GAIN: f64 = 1e-6;

/// Why there is no further input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Algorithm 1 stopped.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// The first layer's sums cannot be had from the input.
    #[error("mod2adv: {0}")]
    Pullback(Obstacle),
    /// The reading has no further shot, or the last ones brought nothing.
    #[error("nothing is left to try")]
    Over,
}

/// From one start, for one conjunction.
#[derive(Debug)]
pub struct Journey {
    reading: Reading,
    property: Conjunction,
    /// Where it began: what changes are measured from.
    origin: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    here: Vec<f64>,
    /// The margin at `here`.
    margin: f64,
    /// The patch that was made at `here`.
    patched: Option<FirstLayerModification>,
    radius: f64,
    shots: usize,
}

impl Journey {
    /// Begins at the start, where the property has this margin.
    pub fn new(reading: Reading, property: Conjunction, start: Start<'_>, margin: f64) -> Self {
        let (origin, lower, upper) = (start.input.to_vec(), start.lower.to_vec(), start.upper.to_vec());
        let (here, patched, radius, shots) = (origin.clone(), None, f64::INFINITY, 0);
        Self { reading, property, origin, lower, upper, here, margin, patched, radius, shots }
    }

    fn start(&self) -> Start<'_> {
        Start { input: &self.origin, lower: &self.lower, upper: &self.upper }
    }

    /// Where the next patch is made: networks whose view depends on the point are seen from there.
    pub fn here(&self) -> &[f64] {
        &self.here
    }

    /// The ranges of the first layer's sums that the last shot's patch asked for.
    pub fn targets(&self) -> &[(f64, f64)] {
        self.patched.as_ref().map_or(&[], |patched| &patched.targets)
    }

    /// The next input.
    ///
    /// # Errors
    /// [`Failure`] with the stage that had no answer.
    pub fn shot(
        &mut self,
        network: &Layered,
        ranges: Option<&Ranges>,
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, Failure> {
        let most = if self.reading.shots == Shots::Once { 1 } else { MOST_SHOTS };
        if self.shots >= most || self.radius < LEAST_RADIUS {
            return Err(Failure::Over);
        }
        self.shots += 1;
        let (patched, is_new) = match self.patched.take() {
            Some(patched) => (patched, false),
            None => {
                let trace = network.simulate(&self.here);
                let site =
                    Site { network, input: &self.here, trace: &trace, property: &self.property, ranges };
                (find_first_layer_modification(site, &self.reading, programs)?, true)
            }
        };
        let found = self.pull(network, &patched, is_new, programs);
        self.patched = Some(patched);
        found.map_err(Failure::Pullback)
    }

    /// The input for the patch: one that meets it (a new one: the same would be no further shot), else where the
    /// reading goes on one that misses it least.
    fn pull(
        &self,
        network: &Layered,
        patched: &FirstLayerModification,
        is_new: bool,
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, Obstacle> {
        let (first, targets) = (network.first_edges(), patched.targets.as_slice());
        let aim = self.reading.inputs;
        if self.reading.targets != Targets::Elastic && is_new {
            match mod2adv(&first, targets, self.start(), aim, Wish::Strict, programs) {
                Err(Obstacle::Infeasible) if self.reading.shots == Shots::Iterated => {}
                found => return found,
            }
        }
        let (lower, upper) = self.region();
        let region = Start { lower: &lower, upper: &upper, input: &self.origin };
        if self.reading.shots == Shots::Once {
            return mod2adv(&first, targets, region, aim, Wish::Elastic(PRICE), programs);
        }
        let (ranges, worth) = self.aims(network, patched);
        approach(&first, (&ranges, &worth), region, PRICE, programs)
    }

    /// The ranges for a step that may miss them, and what a miss of each costs: what it does to the margin of the
    /// patched network. Where going beyond a sum raises the margin, that is no miss.
    fn aims(&self, network: &Layered, patched: &FirstLayerModification) -> (Vec<(f64, f64)>, Vec<f64>) {
        let mut sums = vec![patched.sums.clone()];
        let mut values = network.layers[0].activate(&patched.sums);
        for layer in &network.layers[1..] {
            let next = layer.edges.apply(&values);
            values = layer.activate(&next);
            sums.push(next);
        }
        let margin = |row: &Row| row.margin(&self.here, &values);
        let least = self.property.rows.iter().min_by(|a, b| margin(a).total_cmp(&margin(b)));
        let of_row = |row| gradient(network, &sums, row).into_iter().next();
        let gradient = least.and_then(of_row).unwrap_or_else(|| vec![0.0; patched.sums.len()]);
        let most = gradient.iter().map(|g| g.abs()).fold(f64::MIN_POSITIVE, f64::max);
        let range = |(&(low, high), &g): (&(f64, f64), &f64)| {
            (if g < 0.0 { f64::NEG_INFINITY } else { low }, if g > 0.0 { f64::INFINITY } else { high })
        };
        let ranges = patched.targets.iter().zip(&gradient).map(range).collect();
        (ranges, gradient.iter().map(|g| (g.abs() / most).max(LEAST_WORTH)).collect())
    }

    /// The trust region.
    fn region(&self) -> (Vec<f64>, Vec<f64>) {
        let (lower, upper) = (&self.lower, &self.upper);
        if self.radius.is_infinite() {
            return (lower.clone(), upper.clone());
        }
        let reach = |i: usize| self.radius * (upper[i] - lower[i]);
        let ends =
            |i: usize| ((self.here[i] - reach(i)).max(lower[i]), (self.here[i] + reach(i)).min(upper[i]));
        (0..self.here.len()).map(ends).unzip()
    }

    /// What margin the network really has at the last shot's input.
    pub fn observe(&mut self, input: &[f64], margin: f64) {
        if margin > self.margin + GAIN * self.margin.abs().max(1e-3) {
            // As far as the step went is how far it can be trusted.
            self.radius = (2.0 * self.step(input)).clamp(LEAST_RADIUS, 1.0);
            (self.here, self.margin, self.patched) = (input.to_vec(), margin, None);
        } else {
            self.radius = (0.5 * self.step(input)).min(FIRST_RADIUS).min(0.5 * self.radius);
        }
    }

    /// The length of a step, as a part of the box.
    fn step(&self, input: &[f64]) -> f64 {
        let (lower, upper) = (&self.lower, &self.upper);
        let part = |i: usize| (input[i] - self.here[i]).abs() / (upper[i] - lower[i]).max(f64::MIN_POSITIVE);
        (0..input.len()).filter(|&i| upper[i] > lower[i]).map(part).fold(0.0, f64::max)
    }
}

/// Runs a reading on a network that has one view, and judges by that view: an input that violates the property there,
/// else the last one.
///
/// # Errors
/// [`Failure`] where there is no input at all.
pub fn run(
    reading: &Reading,
    network: &Layered,
    start: Start<'_>,
    property: &Conjunction,
    ranges: Option<&Ranges>,
    programs: &mut Programs<'_>,
) -> Result<Vec<f64>, Failure> {
    let margin = |x: &[f64]| property.margin(x, network.simulate(x).outputs());
    let mut journey = Journey::new(*reading, property.clone(), start, margin(start.input));
    let mut last = None;
    loop {
        match journey.shot(network, ranges, programs) {
            Ok(input) => {
                let reached = margin(&input);
                if reached >= 0.0 {
                    return Ok(input);
                }
                journey.observe(&input, reached);
                last = Some(input);
            }
            Err(failure) => return last.ok_or(failure),
        }
    }
}

/// The readings that `benchmarks/patching.md` compares, from the paper's letter to the default.
pub fn readings() -> Vec<(&'static str, Reading)> {
    use super::reading::Phases;
    let once = Reading { shots: Shots::Once, ..Reading::default() };
    let printed = Reading::printed();
    let middle = Reading { order: Order::MiddleFirst, ..once };
    vec![
        ("printed", printed),
        ("printed, no marks", Reading { targets: Targets::Exact, ..middle }),
        ("middle first, rectified", middle),
        ("middle first, elastic", Reading { targets: Targets::Elastic, ..middle }),
        ("middle first, iterated", Reading { order: Order::MiddleFirst, ..Reading::default() }),
        ("held", Reading { phases: Phases::Held, ..once }),
        ("held, middle first", Reading { phases: Phases::Held, ..middle }),
        ("monotone, middle first", Reading { phases: Phases::Monotone, ..middle }),
        (
            "approximated by class",
            Reading { phases: Phases::Approximated, targets: Targets::Elastic, ..middle },
        ),
        (
            "approximated over the box",
            Reading { phases: Phases::ApproximatedBox, targets: Targets::Elastic, ..middle },
        ),
        ("direct, exact", Reading { targets: Targets::Exact, ..once }),
        ("direct, rectified", once),
        ("direct, elastic", Reading { targets: Targets::Elastic, ..once }),
        ("default", Reading::default()),
    ]
}
