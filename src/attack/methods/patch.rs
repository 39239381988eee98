//! The paper (Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching", Algorithm 1 and
//! Section V) as an attack on images.
//!
//! For a class aimed at, the property is `label − class ≤ 0` in the outputs. The network is patched so that it holds, and
//! `mod2adv` looks for an image that gives the first layer the sums it has with the patch: the one with the least sum of
//! changes, and from its pixels the fewest, with a switch each (Eqns. 3-5). One [`PaperReading`] says how all that is meant.
//! Of the classes aimed at, the image that changes the fewest pixels is the answer. Networks with convolutions are
//! patched behind the last of them and of its poolings (footnote 5), with the part in front linearised at the image.
//!
//! What its programs make small is measured on the scale of the network's inputs: with several deviations (`--std`) a channel
//! counts by its own.
//!
//! Deviation: the paper's program has a switch for every input. Here the inputs that the sum's program leaves alone
//! keep theirs off, and where it moves very many it is the answer: with 50 switches the program takes half a second and
//! saves nothing.

use super::attempt::{Attempt, outcome};
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Confidence, Session, Task};
use crate::budget::StopReason;
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Edges, Layered};
use crate::property::Conjunction;
use crate::search::kernel::programs::Programs;
use crate::search::strategy::patch::journey::{Journey, JourneyFailure};
use crate::search::strategy::patch::pullback::{PullbackObjective, Start, Strictness, mod2adv};
use crate::search::strategy::patch::reading::{PaperReading, PhaseTreatment};
use crate::search::strategy::patch::strategy::applies;
use crate::search::strategy::patch::views::Views;

/// Inputs with switches, at most.
const MOST_SWITCHES: usize = 32;

struct PatchMethod {
    reading: PaperReading,
    /// The layers that the reading works on; where a part of the network is in front of them, it is linearised anew at
    /// each point.
    view: Layered,
    /// What the neurons do on the run's images of each class, or over the whole range of the inputs: where the reading
    /// wants that.
    ranges: Vec<Option<Ranges>>,
}

/// Makes the method.
///
/// # Errors
/// [`NotUsable`] where the network cannot be seen as edge layers, or its programs would be too large.
pub fn make(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    let network = &run.victim.double;
    let unusable = |reason: &'static str| NotUsable(reason.to_owned());
    let outline = applies(network, &run.reading).map_err(|reason| unusable(reason.0))?;
    let view = Layered::at(network, run.reading.extent(), &widen(&run.victim.lower));
    let view = view.map_err(|reason| unusable(reason.reason()))?;
    let ranges = if outline.has_entry { Vec::new() } else { ranges(&view, run) };
    Ok(Box::new(PatchMethod { reading: run.reading, view, ranges }))
}

/// By class.
fn ranges(network: &Layered, run: &Preparation<'_>) -> Vec<Option<Ranges>> {
    let of_class = |class: usize| {
        let images = run.images.iter().zip(run.labels).filter(|&(_, &label)| label == class);
        let traces: Vec<_> = images.map(|(image, _)| network.simulate(&widen(image))).collect();
        Ranges::of_points(&traces)
    };
    let classes = 0..run.victim.classes();
    match run.reading.phases {
        PhaseTreatment::Approximated => classes.map(of_class).collect(),
        PhaseTreatment::ApproximatedBox => {
            let of_box = Ranges::of_box(network, &widen(&run.victim.lower), &widen(&run.victim.upper));
            classes.map(|_| of_box.clone()).collect()
        }
        PhaseTreatment::Free | PhaseTreatment::Held | PhaseTreatment::Monotone | PhaseTreatment::Tangent => {
            Vec::new()
        }
    }
}

fn widen(image: &[f32]) -> Vec<f64> {
    image.iter().map(|&x| f64::from(x)).collect()
}

impl Method for PatchMethod {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

/// An image that fools the network within the limits, and how it was found.
struct FoundImage {
    image: Vec<f32>,
    pixels: usize,
    /// Before it was narrowed.
    input: Vec<f64>,
    first: Edges,
    targets: Vec<(f64, f64)>,
}

/// A journey towards one class.
struct Trip {
    goal: Conjunction,
    journey: Journey,
    views: Views,
}

/// What a journey came to so far.
enum JourneyProgress {
    Found(FoundImage),
    /// It would go on with other layers.
    Turns,
    Over,
}

impl PatchMethod {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let aims = task.aims(session.outputs(task.image)?);
        let (mut best, mut waiting): (Option<FoundImage>, Vec<Trip>) = (None, Vec::new());
        for aim in aims {
            let mut trip = self.trip(aim, task, session)?;
            match self.follow(&mut trip, task, session) {
                Ok(JourneyProgress::Found(found)) => {
                    let is_better = best.as_ref().is_none_or(|best| found.pixels < best.pixels);
                    best = if is_better { Some(found) } else { best };
                }
                Ok(JourneyProgress::Turns) => waiting.push(trip),
                Ok(JourneyProgress::Over) => {}
                // What an earlier class gave is an answer.
                Err(_) if best.is_some() => break,
                Err(stop) => return Err(stop),
            }
        }
        // Other layers are dearer and change more: they are for images of which no class can be had without.
        while best.is_none() && !waiting.is_empty() {
            let mut trip = waiting.remove(0);
            match self.follow(&mut trip, task, session)? {
                JourneyProgress::Found(found) => best = Some(found),
                JourneyProgress::Turns => waiting.push(trip),
                JourneyProgress::Over => {}
            }
        }
        let Some(best) = best else { return Ok(None) };
        let fewer = best.fewer(task, session)?;
        Ok(Some(fewer.unwrap_or(best.image)))
    }

    /// The reading, with the lead that is asked of a result.
    fn reading_of(&self, task: &Task<'_>) -> PaperReading {
        let lead = match task.confidence {
            Confidence::Lead(lead) => f64::from(lead),
            Confidence::Picture => 0.0,
        };
        PaperReading { margin: self.reading.margin.max(lead), ..self.reading }
    }

    /// A journey towards one class, not yet begun.
    fn trip(&self, aim: usize, task: &Task<'_>, session: &mut Session<'_>) -> Result<Trip, StopReason> {
        let image = widen(task.image);
        let (lower, upper) = ends(task);
        let start = Start { input: &image, lower: &lower, upper: &upper };
        let goal = task.property(aim, 0.0);
        let margin = goal.margin(&image, &widen(session.outputs(task.image)?));
        let has_entry = self.view.entry.is_some();
        let journey = Journey::new(self.reading_of(task), goal.clone(), start, margin, has_entry);
        Ok(Trip { goal, journey, views: Views::default() })
    }

    /// Follows a journey as far as it goes with the layers that it works on.
    fn follow(
        &self,
        trip: &mut Trip,
        task: &Task<'_>,
        session: &mut Session<'_>,
    ) -> Result<JourneyProgress, StopReason> {
        let Trip { goal, journey, views } = trip;
        let base = (&self.view, self.reading.extent());
        let ranges = self.ranges.get(task.label).and_then(Option::as_ref);
        loop {
            session.budget.check()?;
            let view = views.from_here(&task.victim.double, base, journey.extent(), journey.here());
            let Ok(network) = view else { return Ok(JourneyProgress::Over) };
            let mut programs = Programs::new(session.budget);
            let shot = journey.shot(network, ranges, &mut programs);
            session.spent.programs += programs.solved;
            let input = match shot {
                Ok(input) => input,
                Err(JourneyFailure::Elsewhere) => return Ok(JourneyProgress::Turns),
                Err(_) => return Ok(JourneyProgress::Over),
            };
            let narrowed = narrow(&input, task);
            let outputs = session.outputs(&narrowed)?.to_vec();
            if task.success(&outputs).is_some() && task.keeps_limits(&narrowed) {
                let (first, targets) = journey.wish(network);
                let (first, targets) = (first.clone(), targets.to_vec());
                let pixels = task.change(&narrowed).pixels;
                return Ok(JourneyProgress::Found(FoundImage {
                    image: narrowed,
                    pixels,
                    input,
                    first,
                    targets,
                }));
            }
            journey.observe(&input, goal.margin(&input, &widen(&outputs)));
        }
    }
}

impl FoundImage {
    /// An image that meets the same patch with fewer of the inputs that this one changes.
    fn fewer(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let image = widen(task.image);
        let moved = |i: usize| (self.input[i] - image[i]).abs() > 1e-7;
        if (0..image.len()).filter(|&i| moved(i)).count() > MOST_SWITCHES {
            return Ok(None);
        }
        let held = |end: &[f64]| -> Vec<f64> {
            (0..image.len()).map(|i| if moved(i) { end[i] } else { image[i] }).collect()
        };
        let (lower, upper) = ends(task);
        let (lower, upper) = (held(&lower), held(&upper));
        let start = Start { input: &image, lower: &lower, upper: &upper };
        let mut programs = Programs::new(session.budget);
        let fewest = mod2adv(
            &self.first,
            &self.targets,
            start,
            PullbackObjective::FewestInputs,
            Strictness::Strict,
            &mut programs,
        );
        session.spent.programs += programs.solved;
        let Ok(input) = fewest else { return Ok(None) };
        let narrowed = narrow(&input, task);
        let is_fewer = task.change(&narrowed).pixels < self.pixels && task.keeps_limits(&narrowed);
        Ok((is_fewer && session.fools(task, &narrowed)?).then_some(narrowed))
    }
}

/// The ends of the inputs' ranges within the limits.
fn ends(task: &Task<'_>) -> (Vec<f64>, Vec<f64>) {
    (0..task.image.len()).map(|i| (f64::from(task.lower(i)), f64::from(task.upper(i)))).unzip()
}

/// An input in the network's own type, within the limits; what a solver means by no change is none.
fn narrow(input: &[f64], task: &Task<'_>) -> Vec<f32> {
    let value = |(i, &x): (usize, &f64)| {
        let near = (x - f64::from(task.image[i])).abs() <= 1e-7;
        if near { task.image[i] } else { task.clip(i, x as f32) }
    };
    input.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::testing::{activated, attack_all, changed, class, image, preparation};

    fn check(operator: &str, reading: &str, sizes: &[usize], least: usize) {
        let victim = activated(operator, sizes, 3);
        let parsed = reading.parse().unwrap();
        let images: Vec<Vec<f32>> = (100..140).map(|seed| image(&victim, seed)).collect();
        let labels: Vec<usize> = images.iter().map(|image| class(&victim, image)).collect();
        let run = Preparation { reading: parsed, images: &images, labels: &labels, ..preparation(&victim) };
        let method = make(&run).unwrap();
        let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
        let found: Vec<_> = results.iter().filter_map(|(a, b)| Some((a, b.as_ref()?))).collect();
        assert!(found.len() >= least, "{operator}, {reading}: {} of 20", found.len());
        // A vertex moves at most one value for each sum, and those that end at a limit.
        assert!(found.iter().all(|(image, input)| changed(image, input) < sizes[0]));
        let limits = Limits { linf: 0.5, l2: 1.5, pixels: 8 };
        attack_all(method.as_ref(), &victim, &limits, 0..20);
    }

    #[test]
    fn patches_lead_to_images_that_fool_the_network() {
        let sizes = [40, 6, 6, 4];
        check("Relu", "", &sizes, 18);
        check("Relu", "shots=once,targets=exact", &sizes, 10);
        check("Relu", "order=middle-first", &sizes, 10);
        check("Relu", "phases=held,order=middle-first,shots=once", &sizes, 1);
        check("Relu", "phases=tangent", &sizes, 5);
        check("Relu", "order=last", &sizes, 5);
    }

    #[test]
    fn activations_other_than_relu_are_patched_by_their_pieces_or_their_tangents() {
        for operator in ["LeakyRelu", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Softplus"] {
            check(operator, "", &[40, 6, 6, 4], 15);
        }
    }

    #[test]
    fn networks_with_pooling_are_attacked_behind_it() {
        let victim = crate::attack::testing::cnn(1);
        let method = make(&preparation(&victim)).unwrap();
        let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
        let found = results.iter().filter(|(_, input)| input.is_some()).count();
        assert!(found >= 16, "{found} of 20");
    }
}
