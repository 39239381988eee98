//! The closest adversarial image, the paper's future work: branch and bound over activation phases around the image, with a
//! proved lower bound of the distance (see [`nearest`](crate::nearest), and there what the bound is of).
//!
//! All wrong classes count, whatever `--targets` says, unless one alone is chosen: the nearest image of some classes is not
//! the nearest. What is proved is of images that lead by what `--confidence` asks at the image. The norm is the run's; under L0 a pixel is all of its channels. The time of one image ends the search, and what is known by then is
//! reported: the best image, the bound, the gap between them.
//!
//! The search measures on the scale of the network's inputs, the report in pixels. Where all channels have one deviation
//! that is the same question. Where they differ (CIFAR-10's usual ones by 7%), the image is the nearest on the inputs'
//! scale, and of the bound is reported what holds in pixels whatever channel moves: the gap is wider by the ratio.

use super::attempt::{Attempt, outcome};
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::record::Proved;
use crate::attack::{ImageLayout, Session, Task};
use crate::nearest::{
    Disjunct, GAP, Hinges, Nearest as Answer, NearestEnding, Norm, Pixels, Question, nearest,
};
use crate::network::layered::Layered;

struct NearestMethod {
    network: Hinges,
    norm: Norm,
    pixels: Pixels,
}

/// Makes the method.
///
/// # Errors
/// [`NotUsable`] where the network is no chain of layers, or has an activation that is not piecewise linear.
pub fn make(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    let layered = Layered::new(&run.victim.double.clone().up_to_order()).map_err(|reason| {
        NotUsable(format!(
            "{reason}, which the closest image needs (help: patch-strong-linf, patch-strong-l2 and fab-t look for close \
             images of such networks, without a bound)"
        ))
    })?;
    let network = Hinges::of(&layered).map_err(|reason| NotUsable(reason.to_string()))?;
    Ok(Box::new(NearestMethod { network, norm: run.norm, pixels: pixels(run.victim.layout) }))
}

/// The values of each pixel.
fn pixels(layout: ImageLayout) -> Pixels {
    let members = |pixel| (0..layout.channels).map(|channel| layout.index(pixel, channel)).collect();
    Pixels::of((0..layout.pixels()).map(members).collect())
}

impl Method for NearestMethod {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

impl NearestMethod {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        session.budget.check()?;
        let lead = task.asked(session.outputs(task.image)?);
        let inputs = 0..task.image.len();
        let (lower, upper): (Vec<f64>, Vec<f64>) =
            inputs.map(|i| (f64::from(task.lower(i)), f64::from(task.upper(i)))).unzip();
        let ways: Vec<Disjunct> = (0..task.victim.classes())
            .filter(|&class| task.counts(class))
            .map(|class| Disjunct {
                lower: lower.clone(),
                upper: upper.clone(),
                hull_lower: lower.clone(),
                hull_upper: upper.clone(),
                conjunction: task.property(class, lead),
            })
            .collect();
        let nominal: Vec<f64> = task.image.iter().map(|&x| f64::from(x)).collect();
        let question = Question {
            network: &self.network,
            nominal: &nominal,
            norm: self.norm,
            pixels: &self.pixels,
            ways: &ways,
            seeds: &[],
            snap: &|_, x| f64::from(x as f32),
            gap: GAP,
        };
        let budget = session.budget;
        let mut judge = |_: usize, x: &[f64]| fools(task, session, x);
        let answer = nearest(&question, &mut judge, budget);
        session.spent.programs += answer.programs;
        session.proved = Some(proved(task, self.norm, &answer));
        Ok(answer.input.map(|input| narrow(&input)))
    }
}

/// What the report says of an answer, in pixels.
fn proved(task: &Task<'_>, norm: Norm, answer: &Answer) -> Proved {
    let finite = |x: f64| x.is_finite().then_some(x);
    let (answer, is_same) = in_pixels(task, norm, answer);
    let gap = answer.gap();
    Proved {
        norm,
        distance: finite(answer.distance),
        bound: finite(answer.bound),
        gap,
        // Without any image that the limits allow, that there is none is what was proved.
        optimal: match answer.input {
            Some(_) => answer.is_optimal() && (is_same || gap <= GAP),
            None => answer.ending == NearestEnding::Proved && answer.bound.is_infinite(),
        },
        parts: answer.parts,
    }
}

/// An answer's distance and bound in pixels, and whether the nearest in pixels is the nearest of the search.
fn in_pixels(task: &Task<'_>, norm: Norm, answer: &Answer) -> (Answer, bool) {
    let units = &task.victim.unit;
    let (least, most) =
        units.iter().fold((f32::INFINITY, 0.0f32), |(a, b), &unit| (a.min(unit), b.max(unit)));
    if norm == Norm::L0 || (least, most) == (1.0, 1.0) {
        return (answer.clone(), true);
    }
    let change = answer.input.as_ref().map(|input| task.change(&narrow(input)));
    let distance = change.map_or(answer.distance, |change| match norm {
        Norm::L0 => change.pixels as f64,
        Norm::L1 => change.l1,
        Norm::L2 => change.l2,
        Norm::Linf => change.linf,
    });
    // A change of the inputs is in pixels no shorter than with the largest unit everywhere. The quotient may be rounded up.
    let bound = match answer.bound {
        f64::INFINITY => f64::INFINITY,
        bound => (bound / f64::from(most)).next_down().max(0.0),
    };
    (Answer { distance, bound, ..answer.clone() }, least == most)
}

fn narrow(input: &[f64]) -> Vec<f32> {
    input.iter().map(|&x| x as f32).collect()
}

/// Whether both engines call an image a success, within the limits.
fn fools(task: &Task<'_>, session: &mut Session<'_>, x: &[f64]) -> bool {
    let input = narrow(x);
    let by_both = session.fools(task, &input).unwrap_or(false)
        && task.victim.replay(&input).is_some_and(|outputs| task.confirmed(&outputs).is_some());
    by_both && task.keeps_limits(&input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::testing::{attack_all, changed, cnn, image, mlp, preparation};

    /// The nearest image is no farther than what another method finds.
    fn check(norm: Norm, other: super::super::Make, distance: fn(&[f32], &[f32]) -> f64) {
        let victim = mlp(&[30, 12, 4], 1);
        let run = Preparation { norm, ..preparation(&victim) };
        let (own, other) = (make(&run).unwrap(), other(&run).unwrap());
        let own = attack_all(own.as_ref(), &victim, &Limits::none(), 0..8);
        let others = attack_all(other.as_ref(), &victim, &Limits::none(), 0..8);
        let mut compared = 0;
        for ((image, own), (_, other)) in own.iter().zip(&others) {
            let Some(other) = other else { continue };
            let own = own.as_ref().expect("there is an adversarial image");
            let (own, other) = (distance(image, own), distance(image, other));
            assert!(own <= other * (1.0 + 3e-3) + 1e-6, "{norm}: {own} against {other}");
            compared += 1;
        }
        assert!(compared >= 5, "{norm}: only {compared} compared");
    }

    #[test]
    fn no_other_method_is_nearer() {
        let largest =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        let length =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let count = |a: &[f32], b: &[f32]| changed(a, b) as f64;
        check(Norm::Linf, super::super::patch_strong::make_linf, largest);
        check(Norm::L2, super::super::patch_strong::make_l2, length);
        check(Norm::L0, super::super::greedy_pixel::make, count);
    }

    #[test]
    fn what_is_proved_is_on_the_record() {
        let victim = mlp(&[12, 5, 3], 2);
        let run = Preparation { norm: Norm::L1, ..preparation(&victim) };
        let method = make(&run).unwrap();
        let (image, limits) = (image(&victim, 1), Limits::none());
        let label = crate::attack::testing::class(&victim, &image);
        let targets = crate::attack::TargetClasses::RunnerUp;
        let task = Task {
            victim: &victim,
            image: &image,
            label,
            limits: &limits,
            targets,
            confidence: crate::attack::Confidence::Picture,
        };
        let budget = crate::budget::Budget::unlimited();
        let attack = |task: &Task<'_>| {
            let mut session = Session::new(&victim.network, &budget, crate::random::Random::new(1));
            let found = method.attack(task, &mut session);
            (matches!(found, Outcome::Adversarial(_)), session.proved.unwrap())
        };
        let (found, proved) = attack(&task);
        assert!(
            found && proved.optimal && proved.bound <= proved.distance && proved.gap <= GAP,
            "{proved:?}"
        );
        // Half as far there is none, and that is proved as well.
        let near = Limits { linf: proved.bound.unwrap() as f32 / 24.0, ..Limits::none() };
        let (found, proved) = attack(&Task { limits: &near, ..task });
        assert!(!found && proved.optimal && proved.bound.is_none(), "{proved:?}");
    }

    #[test]
    fn networks_with_poolings_are_refused_with_a_remedy() {
        let victim = cnn(1);
        let refused = make(&preparation(&victim)).err().unwrap().to_string();
        assert!(refused.contains("help: patch-strong-linf"), "{refused}");
    }
}
