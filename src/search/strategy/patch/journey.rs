//! The way from a start to an input that violates the property: a patch, its pull-back, and so on.
//!
//! A pull-back that meets all of the patch's sums gives an input at which the network does what the patched one does
//! at the start: with exact phases it violates the property, and one shot is all. Where the box or the number of
//! inputs stands in the way, an iterated reading takes the input that misses least and patches the network there
//! anew. A miss is worth no more than the linear picture of it, so steps stay within a *trust region* round the point
//! where the patch was made: it grows after a gain of the margin, and shrinks after a step that lost.
//!
//! A patch may lead nowhere. An iterated reading then leaves the first layer to itself and works on those behind, with what
//! is in front of them linearised at the point: it has fewer sums that matter, and the last layer's are the property's own. Where a
//! part of the network is linearised from the beginning (convolutions), the order is the other way round: the last layer's ten sums are
//! met by few inputs, and the 256 of the layer in front only by many, but these lead out where the ten do not. It is the other way
//! round, too, where fewer inputs are free than the first layer has sums (ACAS Xu: 5, and 30 active ones): they never meet its patch, and
//! a shot at the last layer takes 0.2 ms where one at the first takes 8. If all layers bring nothing
//! more, the journey begins anew from the start with other patches: first such as overshoot the property, because some
//! of what they ask for will be missed, then, where the middle layer comes first, such as branch and bound finds, then such
//! as come by tangents.
//!
//! Changes are measured from the start throughout, not from the last point: the input that is found in the end is the
//! one that is near.

use super::aims::Aims;
use super::pullback::{Start, Strictness, approach, mod2adv};
use super::reading::{LayerOrder, PaperReading, PhaseTreatment, Shots};
use super::targets::Targets;
use super::{FirstLayerModification, PRICE, Site, Stuck, find_first_layer_modification};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Edges, Extent, Layered};
use crate::property::Conjunction;
use crate::search::kernel::programs::{Obstacle, Programs};

/// Half width of the trust region after the first shot, as a part of the box.
const FIRST_RADIUS: f64 = 0.5;
/// Below this a journey ends.
const LEAST_RADIUS: f64 = 0.01;
/// Shots at one layer in a row, and of a journey.
const MOST_SHOTS: usize = 40;
const MOST_OF_ALL: usize = 200;
/// By how much a patch overshoots the property, in parts of what the start misses it by, when a journey begins anew.
const OVERSHOOT: f64 = 0.25;
/// Programs of the branch and bound that looks for what an earlier layer must do where no descent has found it. A first layer
/// whose neurons are all inactive (27 of the paper's 300 MNIST images) has no descent at all: nothing that is small moves it.
const PROOF: usize = 200;
/// A gain of the margin is one from this part of its size on.
const GAIN: f64 = 1e-6;

/// Why there is no further input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JourneyFailure {
    /// Algorithm 1 stopped.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// The first layer's sums cannot be had from the input.
    #[error("mod2adv: {0}")]
    Pullback(Obstacle),
    /// The reading has no further shot, or the last ones brought nothing.
    #[error("nothing is left to try")]
    Over,
    /// The journey goes on with other layers: it wants the view of another [extent](Journey::extent).
    #[error("other layers are next")]
    Elsewhere,
}

impl JourneyFailure {
    /// Whether another layer's patch may succeed.
    fn is_of_this_layer(&self) -> bool {
        matches!(
            self,
            Self::Stuck(Stuck { obstacle: Obstacle::Infeasible, .. }) | Self::Pullback(Obstacle::Infeasible)
        )
    }
}

/// From one start, for one conjunction.
#[derive(Debug)]
pub struct Journey {
    reading: PaperReading,
    /// The reading that was asked for, and how often the journey has begun anew with another.
    asked: PaperReading,
    begun_anew: usize,
    property: Conjunction,
    /// Where it began: what changes are measured from, and the margin there.
    origin: Vec<f64>,
    first_margin: f64,
    lower: Vec<f64>,
    upper: Vec<f64>,
    here: Vec<f64>,
    /// The margin at `here`.
    margin: f64,
    /// The patch that was made at `here`.
    patched: Option<FirstLayerModification>,
    radius: f64,
    /// The view that is wanted, and whether a part of the network is in front of its layers.
    extent: Extent,
    has_entry: bool,
    /// How many of the view's layers have had their turn before this one.
    turn: usize,
    /// Turns of layers in all.
    turns: usize,
    /// The view from that layer on, linearised at `here`, where it is not the first.
    deeper: Option<Layered>,
    /// Shots at it, and of the whole journey.
    shots: usize,
    all_shots: usize,
    /// Whether some shot has gained since the first layer's turn.
    has_gained: bool,
}

impl Journey {
    /// Begins at the start, where the property has this margin. `has_entry` says whether a part of the network is in
    /// front of the reading's layers.
    pub fn new(
        reading: PaperReading,
        property: Conjunction,
        start: Start<'_>,
        margin: f64,
        has_entry: bool,
    ) -> Self {
        let mut journey = Self {
            reading,
            asked: reading,
            begun_anew: 0,
            property,
            origin: start.input.to_vec(),
            first_margin: margin,
            lower: start.lower.to_vec(),
            upper: start.upper.to_vec(),
            here: start.input.to_vec(),
            margin,
            patched: None,
            radius: f64::INFINITY,
            extent: reading.extent(),
            has_entry,
            turn: 0,
            turns: 0,
            deeper: None,
            shots: 0,
            all_shots: 0,
            has_gained: false,
        };
        journey.turn_to_first();
        journey
    }

    /// Whether one layer follows another.
    fn goes_on(&self) -> bool {
        self.reading.shots == Shots::Iterated && self.reading.order != LayerOrder::Last
    }

    fn turn_to_first(&mut self) {
        let from_behind = self.goes_on() && self.has_entry;
        self.extent = if from_behind { Extent::Last } else { self.reading.extent() };
        (self.turn, self.deeper, self.has_gained) = (0, None, false);
    }

    /// The layer that is patched, counted from the view's first.
    fn level(&self, network: &Layered) -> usize {
        let last = network.depth() - 1;
        let free = || self.lower.iter().zip(&self.upper).filter(|(low, high)| low < high).count();
        let from_behind = || !self.has_entry && self.goes_on() && free() < network.first_edges().outputs();
        if self.reading.order == LayerOrder::Last || from_behind() { last - self.turn } else { self.turn }
    }

    /// Which view the next shot wants.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// How often it has gone on with another layer, or anew.
    pub fn turns(&self) -> usize {
        self.turns
    }

    fn start(&self) -> Start<'_> {
        Start { input: &self.origin, lower: &self.lower, upper: &self.upper }
    }

    /// Where the next patch is made: networks whose view depends on the point are seen from there.
    pub fn here(&self) -> &[f64] {
        &self.here
    }

    /// What the last shot's patch asked for: sums of a layer as a map from the inputs, and their ranges.
    pub fn wish<'a>(&'a self, network: &'a Layered) -> (&'a Edges, &'a [(f64, f64)]) {
        let first = self.deeper.as_ref().unwrap_or(network).first_edges();
        (first, self.patched.as_ref().map_or(&[], |patched| &patched.targets))
    }

    /// The next input.
    ///
    /// # Errors
    /// [`JourneyFailure`] with the stage that had no answer.
    pub fn shot(
        &mut self,
        network: &Layered,
        ranges: Option<&Ranges>,
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, JourneyFailure> {
        let most = if self.reading.shots == Shots::Once { 1 } else { MOST_SHOTS };
        let mut failed = JourneyFailure::Over;
        loop {
            if self.shots >= most || self.radius < LEAST_RADIUS {
                let extent = self.extent;
                if !self.turn(network) {
                    return Err(failed);
                }
                if self.extent != extent {
                    return Err(JourneyFailure::Elsewhere);
                }
            }
            (self.shots, self.all_shots) = (self.shots + 1, self.all_shots + 1);
            let level = self.level(network);
            if self.patched.is_none() {
                self.deeper = (level > 0).then(|| network.from_layer(level, &self.here));
            }
            let view = self.deeper.as_ref().unwrap_or(network);
            match self.patch_and_pull(view, level, ranges, programs) {
                Ok((patched, input)) => {
                    self.patched = Some(patched);
                    return Ok(input);
                }
                Err(failure) if failure.is_of_this_layer() => (failed, self.shots) = (failure, most),
                Err(failure) => return Err(failure),
            }
        }
    }

    fn patch_and_pull(
        &self,
        network: &Layered,
        level: usize,
        ranges: Option<&Ranges>,
        programs: &mut Programs<'_>,
    ) -> Result<(FirstLayerModification, Vec<f64>), JourneyFailure> {
        let (patched, is_new) = match &self.patched {
            Some(patched) => (patched.clone(), false),
            None => {
                let trace = network.simulate(&self.here);
                let behind = ranges.map(|ranges| Ranges { sums: ranges.sums[level..].to_vec() });
                let (input, property, ranges) = (self.here.as_slice(), &self.property, behind.as_ref());
                let site = Site { network, input, trace: &trace, property, ranges };
                (find_first_layer_modification(site, &self.reading, programs)?, true)
            }
        };
        let input = self.pull(network, &patched, is_new, programs).map_err(JourneyFailure::Pullback)?;
        Ok((patched, input))
    }

    /// Goes on with the next layer, after the last with the first again if that was worth it, or begins anew; `false`
    /// where nothing is left.
    fn turn(&mut self, network: &Layered) -> bool {
        if self.reading.shots == Shots::Once || self.all_shots >= MOST_OF_ALL {
            return false;
        }
        (self.shots, self.radius, self.turns) = (0, FIRST_RADIUS, self.turns + 1);
        (self.patched, self.deeper) = (None, None);
        if !self.goes_on() {
            return self.begin_anew();
        }
        // With a part in front the last layer has had its turn.
        let layers = network.depth() - usize::from(self.has_entry);
        if self.has_entry && self.extent == Extent::Last {
            self.extent = Extent::BehindConvolutions;
            true
        } else if self.turn + 1 < layers {
            self.turn += 1;
            true
        } else if self.has_gained {
            self.turn_to_first();
            true
        } else {
            self.begin_anew()
        }
    }

    /// From the start, with patches of another kind.
    fn begin_anew(&mut self) -> bool {
        let next = if self.has_entry { None } else { self.other_readings().into_iter().nth(self.begun_anew) };
        let Some(reading) = next else { return false };
        (self.reading, self.begun_anew) = (reading, self.begun_anew + 1);
        self.here.clone_from(&self.origin);
        (self.margin, self.radius) = (self.first_margin, f64::INFINITY);
        self.turn_to_first();
        true
    }

    /// What the journey begins anew with, one after the other.
    fn other_readings(&self) -> Vec<PaperReading> {
        let asked = self.asked;
        let margin = asked.margin.max(OVERSHOOT * self.first_margin.abs());
        let mut others = vec![PaperReading { margin, ..asked }];
        if asked.phases == PhaseTreatment::Free && asked.order == LayerOrder::MiddleFirst {
            // Elastic targets are always met somehow: nothing would be left to branch for.
            let targets = match asked.targets {
                Targets::Elastic => Targets::Rectified,
                strict => strict,
            };
            others.push(PaperReading { proof: asked.proof.max(PROOF), targets, ..asked });
        }
        if asked.phases == PhaseTreatment::Free {
            others.push(PaperReading { phases: PhaseTreatment::Tangent, ..asked });
        }
        others
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
        let (lower, upper) = self.region();
        let region = Start { lower: &lower, upper: &upper, input: &self.origin };
        if self.reading.targets != Targets::Elastic && is_new {
            // What meets the sums behind a linearised part need not violate, and the less so the farther it is.
            let within = if network.entry.is_some() { region } else { self.start() };
            match mod2adv(first, targets, within, aim, Strictness::Strict, programs) {
                Err(Obstacle::Infeasible) if self.reading.shots == Shots::Iterated => {}
                found => return found,
            }
        }
        if self.reading.shots == Shots::Once {
            return mod2adv(first, targets, region, aim, Strictness::Elastic(PRICE), programs);
        }
        let aims = Aims::of(&network.layers, &patched.sums, targets, &self.property);
        approach(first, &aims, region, programs)
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
            self.has_gained = true;
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
/// [`JourneyFailure`] where there is no input at all.
pub fn run(
    reading: &PaperReading,
    network: &Layered,
    start: Start<'_>,
    property: &Conjunction,
    ranges: Option<&Ranges>,
    programs: &mut Programs<'_>,
) -> Result<Vec<f64>, JourneyFailure> {
    let margin = |x: &[f64]| property.margin(x, network.simulate(x).outputs());
    let mut journey = Journey::new(*reading, property.clone(), start, margin(start.input), false);
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
pub fn readings() -> Vec<(&'static str, PaperReading)> {
    let once = PaperReading { shots: Shots::Once, ..PaperReading::default() };
    let printed = PaperReading::printed();
    let middle = PaperReading { order: LayerOrder::MiddleFirst, ..once };
    let rectified = |reading| PaperReading { targets: Targets::Rectified, ..reading };
    vec![
        ("printed", printed),
        ("printed, equalities", PaperReading { targets: Targets::Exact, ..printed }),
        ("middle first, rectified", rectified(middle)),
        ("middle first, elastic", middle),
        (
            "middle first, iterated",
            PaperReading { order: LayerOrder::MiddleFirst, ..PaperReading::default() },
        ),
        ("held", rectified(PaperReading { phases: PhaseTreatment::Held, ..once })),
        ("held, middle first", rectified(PaperReading { phases: PhaseTreatment::Held, ..middle })),
        ("monotone, middle first", rectified(PaperReading { phases: PhaseTreatment::Monotone, ..middle })),
        ("approximated by class", PaperReading { phases: PhaseTreatment::Approximated, ..middle }),
        ("approximated over the box", PaperReading { phases: PhaseTreatment::ApproximatedBox, ..middle }),
        ("direct, exact", PaperReading { targets: Targets::Exact, ..once }),
        ("direct, rectified", rectified(once)),
        ("direct, elastic", once),
        ("direct, rectified, iterated", rectified(PaperReading::default())),
        ("last layer", PaperReading { order: LayerOrder::Last, ..PaperReading::default() }),
        ("tangents", PaperReading { phases: PhaseTreatment::Tangent, ..PaperReading::default() }),
        ("default", PaperReading::default()),
    ]
}
