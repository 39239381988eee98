//! The paper (Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching", Algorithm 1 and
//! Section V) as an attack on images.
//!
//! For a class aimed at, the property is `label − class ≤ 0` in the outputs. Algorithm 1 patches the middle layer, then
//! earlier ones, and `mod2adv` looks for an image that gives the first layer the sums it has with the patch: the one
//! with the least sum of changes, and from its pixels the fewest, with a switch each (Eqns. 3-5). The readings of
//! [`variants`] are tried from the paper's letter to the most relaxed, until one fools the network; what each finds
//! when taken alone is in `benchmarks/patching.md`. Networks with convolutions are patched behind the last of them and
//! of its poolings (footnote 5), with the part in front linearised at the image.
//!
//! Deviation: the paper's program has a switch for every input. Here the inputs that the sum's program leaves alone
//! keep theirs off, and where it moves very many it is the answer: with 784 switches the program takes minutes.

use super::attempt::{Attempt, outcome};
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use crate::network::layered::{Edges, Layered};
use crate::property::{Conjunction, Row, RowKind};
use crate::search::patch::find_first_layer_modification;
use crate::search::patch::pullback::{Aim, Start, mod2adv};
use crate::search::patch::strategy::{Variant, applies, variants};
use crate::search::programs::Programs;

/// Inputs with switches, at most: so few are proven in milliseconds, and a least sum that moves more has nearly as many
/// as there are sums to meet.
const MOST_SWITCHES: usize = 32;

struct Patch {
    /// The view of a network without convolutions; others have one for each image.
    whole: Option<View>,
}

/// A network's edge layers, and the first of them as a map from the inputs.
struct View {
    network: Layered,
    first: Edges,
}

/// Makes the method.
///
/// # Errors
/// [`NotUsable`] where the network cannot be seen as edge layers, or its programs would be too large.
pub fn make(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    let network = &run.victim.double;
    let outline = applies(network).map_err(|reason| NotUsable(reason.0.to_owned()))?;
    let whole = if outline.behind_convolutions {
        None
    } else {
        Some(View::of(Layered::new(network).map_err(|reason| NotUsable(reason.to_string()))?))
    };
    Ok(Box::new(Patch { whole }))
}

impl Method for Patch {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

impl Patch {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let aims = task.aims(session.outputs(task.image)?);
        let own;
        let view = if let Some(view) = &self.whole {
            view
        } else {
            let image: Vec<f64> = task.image.iter().map(|&x| f64::from(x)).collect();
            let Ok(network) = Layered::behind_convolutions(&task.victim.double, &image) else {
                return Ok(None);
            };
            own = View::of(network);
            &own
        };
        for variant in variants(None, None) {
            let mut best: Option<(usize, Vec<f32>)> = None;
            for &aim in &aims {
                for input in view.inputs(&variant, aim, task, session)? {
                    let pixels = task.change(&input).pixels;
                    let fewer = best.as_ref().is_none_or(|(least, _)| pixels < *least);
                    let fooled = session.fools(task, &input)?;
                    if fewer && fooled && task.keeps_limits(&input) {
                        best = Some((pixels, input));
                    }
                }
            }
            if let Some((_, input)) = best {
                return Ok(Some(input));
            }
        }
        Ok(None)
    }
}

impl View {
    fn of(network: Layered) -> Self {
        Self { first: network.first_edges(), network }
    }

    /// What a reading finds for one class: the image with the least sum of changes, and that with the fewest of its
    /// pixels. None where some program has no answer.
    fn inputs(
        &self,
        variant: &Variant,
        aim: usize,
        task: &Task<'_>,
        session: &mut Session<'_>,
    ) -> Result<Vec<Vec<f32>>, StopReason> {
        session.budget.check()?;
        let wide = |value: &dyn Fn(usize) -> f32| -> Vec<f64> {
            (0..task.image.len()).map(|i| f64::from(value(i))).collect()
        };
        let image = wide(&|i| task.image[i]);
        let (lower, upper) = (wide(&|i| task.lower(i)), wide(&|i| task.upper(i)));
        let mut programs = Programs::new(session.budget);
        let goal = property(task.label, aim);
        let patched =
            find_first_layer_modification(&self.network, &image, &goal, &variant.rules, &mut programs);
        let mut found = Vec::new();
        if let Ok(patched) = patched {
            let start = Start { input: &image, lower: &lower, upper: &upper };
            let (targets, wish) = (&patched.targets, variant.wish);
            let least = mod2adv(&self.first, targets, start, variant.aim, wish, &mut programs);
            if let Ok(least) = least {
                let moved = |i: usize| (least[i] - image[i]).abs() > 1e-7;
                let held = |end: &[f64]| -> Vec<f64> {
                    (0..image.len()).map(|i| if moved(i) { end[i] } else { image[i] }).collect()
                };
                let (lower, upper) = (held(&lower), held(&upper));
                let start = Start { input: &image, lower: &lower, upper: &upper };
                let few = (0..image.len()).filter(|&i| moved(i)).count() <= MOST_SWITCHES;
                let fewest =
                    || mod2adv(&self.first, targets, start, Aim::FewestInputs, wish, &mut programs).ok();
                let fewest = few.then(fewest).flatten();
                found.extend([Some(least), fewest].into_iter().flatten());
            }
        }
        session.spent.programs += programs.solved;
        Ok(found.into_iter().map(|input| narrow(&input, task)).collect())
    }
}

/// The property whose witnesses are classified as `aim` before `label`.
fn property(label: usize, aim: usize) -> Conjunction {
    let outputs = vec![(label, 1.0), (aim, -1.0)];
    Conjunction { rows: vec![Row { inputs: Vec::new(), outputs, bound: 0.0, kind: RowKind::AtMost }] }
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
    use crate::attack::testing::{attack_all, changed, class, mlp, preparation};
    use crate::attack::{Limits, Targets};
    use crate::budget::Budget;
    use crate::random::Random;

    #[test]
    fn patches_lead_to_images_that_fool_the_network() {
        let victim = mlp(&[40, 6, 6, 4], 3);
        let method = make(&preparation(&victim)).unwrap();
        let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
        let found: Vec<_> = results.iter().filter_map(|(a, b)| Some((a, b.as_ref()?))).collect();
        assert!(found.len() >= 5, "{} of 20", found.len());
        // A vertex moves at most one value for each sum, and those that end at a limit.
        assert!(found.iter().all(|(image, input)| changed(image, input) < 40));
        let limits = Limits { linf: 0.5, l2: 1.5, pixels: 8 };
        attack_all(method.as_ref(), &victim, &limits, 0..20);
    }

    #[test]
    fn the_first_answer_is_what_the_search_finds_by_itself() {
        let victim = mlp(&[40, 6, 6, 4], 3);
        let view = View::of(Layered::new(&victim.double).unwrap());
        let (limits, budget) = (Limits::none(), Budget::unlimited());
        let mut answers = 0;
        for seed in 0..20 {
            let image = crate::attack::testing::image(&victim, seed);
            let label = class(&victim, &image);
            let task = Task { victim: &victim, image: &image, label, limits: &limits, targets: Targets::All };
            let wide: Vec<f64> = image.iter().map(|&x| f64::from(x)).collect();
            let start = Start { input: &wide, lower: &[0.0; 40], upper: &[1.0; 40] };
            let every = |aim| variants(None, None).into_iter().map(move |variant| (aim, variant));
            for (aim, variant) in (0..4).filter(|&aim| aim != label).flat_map(every) {
                let mut session = Session::new(&victim.network, &budget, Random::new(1));
                let own = view.inputs(&variant, aim, &task, &mut session).unwrap();
                let goal = property(label, aim);
                let twin = variant.run(&view.network, start, &goal, &mut Programs::new(&budget));
                assert_eq!(own.is_empty(), twin.is_err());
                if let (Some(own), Ok(twin)) = (own.first(), twin) {
                    let far =
                        own.iter().zip(&twin).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
                    assert!(far < 1e-6, "{far}");
                    answers += 1;
                }
            }
        }
        assert!(answers > 3, "{answers}");
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
