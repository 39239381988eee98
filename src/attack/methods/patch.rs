//! The paper (Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching", Algorithm 1 and
//! Section V) as an attack on images.
//!
//! For a class aimed at, the property is `label − class ≤ 0` in the outputs. The network is patched so that it holds, and
//! `mod2adv` looks for an image that gives the first layer the sums it has with the patch: the one with the least sum of
//! changes, and from its pixels the fewest, with a switch each (Eqns. 3-5). One [`Reading`] says how all that is meant.
//! Of the classes aimed at, the image that changes the fewest pixels is the answer. Networks with convolutions are
//! patched behind the last of them and of its poolings (footnote 5), with the part in front linearised at the image.
//!
//! Deviation: the paper's program has a switch for every input. Here the inputs that the sum's program leaves alone
//! keep theirs off, and where it moves very many it is the answer: with 50 switches the program takes half a second and
//! saves nothing.

use super::attempt::{Attempt, outcome};
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Confidence, Session, Targets, Task};
use crate::budget::StopReason;
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Edges, Layered};
use crate::property::{Conjunction, Row, RowKind};
use crate::search::patch::journey::Journey;
use crate::search::patch::pullback::{Aim, Start, Wish, mod2adv};
use crate::search::patch::reading::{Phases, Reading};
use crate::search::patch::strategy::applies;
use crate::search::programs::Programs;

/// Inputs with switches, at most.
const MOST_SWITCHES: usize = 32;

struct Patch {
    reading: Reading,
    /// The view of a network without convolutions; others have one for each point.
    whole: Option<Layered>,
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
    let outline = applies(network, &run.reading).map_err(|reason| NotUsable(reason.0.to_owned()))?;
    let whole = match outline.behind_convolutions {
        true => None,
        false => Some(Layered::new(network).map_err(|reason| NotUsable(reason.to_string()))?),
    };
    let ranges = whole.as_ref().map_or(Vec::new(), |network| ranges(network, run));
    Ok(Box::new(Patch { reading: run.reading, whole, ranges }))
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
        Phases::Approximated => classes.map(of_class).collect(),
        Phases::ApproximatedBox => {
            let of_box = Ranges::of_box(network, &widen(&run.victim.lower), &widen(&run.victim.upper));
            classes.map(|_| of_box.clone()).collect()
        }
        Phases::Free | Phases::Held | Phases::Monotone => Vec::new(),
    }
}

fn widen(image: &[f32]) -> Vec<f64> {
    image.iter().map(|&x| f64::from(x)).collect()
}

impl Method for Patch {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

/// An image that fools the network within the limits, and how it was found.
struct Found {
    image: Vec<f32>,
    pixels: usize,
    /// Before it was narrowed.
    input: Vec<f64>,
    first: Edges,
    targets: Vec<(f64, f64)>,
}

impl Patch {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let aims = task.aims(session.outputs(task.image)?);
        let mut best: Option<Found> = None;
        for aim in aims {
            let found = match self.journey(aim, task, session) {
                Ok(found) => found,
                // What an earlier class gave is an answer.
                Err(_) if best.is_some() => break,
                Err(stop) => return Err(stop),
            };
            let better = |found: &Found| best.as_ref().is_none_or(|best| found.pixels < best.pixels);
            best = found.filter(better).or(best);
        }
        let Some(best) = best else { return Ok(None) };
        let fewer = best.fewer(task, session)?;
        Ok(Some(fewer.unwrap_or(best.image)))
    }

    /// The reading, with the lead that is asked of a result.
    fn reading_of(&self, task: &Task<'_>) -> Reading {
        let lead = match task.confidence {
            Confidence::Lead(lead) => f64::from(lead),
            Confidence::Picture => 0.0,
        };
        Reading { margin: self.reading.margin.max(lead), ..self.reading }
    }

    /// What the reading finds for one class.
    fn journey(
        &self,
        aim: usize,
        task: &Task<'_>,
        session: &mut Session<'_>,
    ) -> Result<Option<Found>, StopReason> {
        let image = widen(task.image);
        let (lower, upper) = ends(task);
        let start = Start { input: &image, lower: &lower, upper: &upper };
        let goal = property(task, aim);
        let margin = goal.margin(&image, &widen(session.outputs(task.image)?));
        let mut journey = Journey::new(self.reading_of(task), goal.clone(), start, margin);
        loop {
            session.budget.check()?;
            let own;
            let network = if let Some(whole) = &self.whole {
                whole
            } else {
                let Ok(view) = Layered::behind_convolutions(&task.victim.double, journey.here()) else {
                    return Ok(None);
                };
                own = view;
                &own
            };
            let mut programs = Programs::new(session.budget);
            let ranges = self.ranges.get(task.label).and_then(Option::as_ref);
            let shot = journey.shot(network, ranges, &mut programs);
            session.spent.programs += programs.solved;
            let Ok(input) = shot else { return Ok(None) };
            let narrowed = narrow(&input, task);
            let outputs = session.outputs(&narrowed)?.to_vec();
            if task.success(&outputs).is_some() && task.keeps_limits(&narrowed) {
                let (first, targets) = (network.first_edges(), journey.targets().to_vec());
                let pixels = task.change(&narrowed).pixels;
                return Ok(Some(Found { image: narrowed, pixels, input, first, targets }));
            }
            journey.observe(&input, goal.margin(&image, &widen(&outputs)));
        }
    }
}

impl Found {
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
        let fewest =
            mod2adv(&self.first, &self.targets, start, Aim::FewestInputs, Wish::Strict, &mut programs);
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

/// The property whose witnesses are classified as `aim` before the label, or before every other class where only this
/// one counts.
fn property(task: &Task<'_>, aim: usize) -> Conjunction {
    let behind = |class: usize| {
        let outputs = vec![(class, 1.0), (aim, -1.0)];
        Row { inputs: Vec::new(), outputs, bound: 0.0, kind: RowKind::AtMost }
    };
    let rows = match task.targets {
        Targets::Only(_) => (0..task.victim.classes()).filter(|&class| class != aim).map(behind).collect(),
        Targets::RunnerUp | Targets::Strongest(_) | Targets::All => vec![behind(task.label)],
    };
    Conjunction { rows }
}

/// An input in the network's own type, within the limits; what a solver means by no change is none.
fn narrow(input: &[f64], task: &Task<'_>) -> Vec<f32> {
    let value = |(i, &x): (usize, &f64)| {
        let near = (x - f64::from(task.image[i])).abs() <= 1e-7;
        if near { task.image[i] } else { (x as f32).clamp(task.lower(i), task.upper(i)) }
    };
    input.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::testing::{attack_all, changed, class, image, mlp, preparation};

    fn check(reading: &str, sizes: &[usize], least: usize) {
        let victim = mlp(sizes, 3);
        let parsed = reading.parse().unwrap();
        let images: Vec<Vec<f32>> = (100..140).map(|seed| image(&victim, seed)).collect();
        let labels: Vec<usize> = images.iter().map(|image| class(&victim, image)).collect();
        let run = Preparation { reading: parsed, images: &images, labels: &labels, ..preparation(&victim) };
        let method = make(&run).unwrap();
        let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
        let found: Vec<_> = results.iter().filter_map(|(a, b)| Some((a, b.as_ref()?))).collect();
        assert!(found.len() >= least, "{reading}: {} of 20", found.len());
        // A vertex moves at most one value for each sum, and those that end at a limit.
        assert!(found.iter().all(|(image, input)| changed(image, input) < sizes[0]));
        let limits = Limits { linf: 0.5, l2: 1.5, pixels: 8 };
        attack_all(method.as_ref(), &victim, &limits, 0..20);
    }

    #[test]
    fn patches_lead_to_images_that_fool_the_network() {
        check("", &[40, 6, 6, 4], 18);
        check("shots=once,targets=exact", &[40, 6, 6, 4], 10);
        check("order=middle-first", &[40, 6, 6, 4], 10);
        check("phases=held,order=middle-first,shots=once", &[40, 6, 6, 4], 1);
    }

    #[test]
    fn networks_with_pooling_are_attacked_behind_it() {
        let victim = crate::attack::testing::cnn(1);
        let method = make(&preparation(&victim)).unwrap();
        let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
        let found = results.iter().filter(|(_, input)| input.is_some()).count();
        assert!(found >= 1, "{found} of 20");
    }
}
