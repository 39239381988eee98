//! DeepXplore: gradient ascent until networks that agreed differ, while neurons not yet covered are activated.
//!
//! Pei, Cao, Yang and Jana, "DeepXplore: automated whitebox testing of deep learning systems", SOSP 2017, algorithm 1,
//! with the values of its MNIST experiments. With the victim `j` and the other networks `i` that give the image the same
//! class `c`, it ascends on the outputs
//!
//! ```text
//! Σ_i o_i[c] − λ1 · o_j[c] + λ2 · Σ act(one neuron of each network that the run's images do not cover)
//! g = gradient / (its root mean square + 1e-5);   x += s · constrained(g)
//! ```
//!
//! with λ1 = 1, λ2 = 0.1, s = 10, at most 20 steps, and a neuron being covered if its scaled activation exceeds 0.
//! Constraints: `light`, all values move by the mean of g; `occlusion`, only those of one 10 × 10 rectangle, placed
//! at random; `blackout`, a random 6 × 6 patch moves by −1 in each step if the mean of g is negative there. The plain
//! name is the occlusion, whose figures are nearest to the patching paper's row (60 pixels, L∞ 1).
//!
//! Here the points stay in the valid range, and only a change of the victim's class counts, not of another network's.
//! Coverage is that of the run's images, at most the first 1000: no image depends on another one's attack.
//! Images on which fewer than two other networks agree with the victim are given up.

use super::attempt::{Attempt, confirm, outcome};
use super::companion::{self, Companion, from_unit, one, to_unit};
use super::coverage::Neurons;
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::victim::decision;
use crate::attack::{ImageLayout, Session, Task, Victim};
use crate::network::Workspace;
use crate::random::Random;

const STEPS: usize = 20;
const STEP: f32 = 10.0;
/// λ1 and λ2.
const AGAINST: f32 = 1.0;
const COVERAGE: f32 = 0.1;
const THRESHOLD: f32 = 0.0;
const RECTANGLE: usize = 10;
const PATCH: usize = 6;
const OTHERS: usize = 2;
/// Images whose coverage is gathered in front.
const GATHERED: usize = 1000;

#[derive(Debug, Clone, Copy)]
enum Constraint {
    Light,
    Occlusion,
    Blackout,
}

/// Makes `deepxplore`, with occlusion.
pub fn make(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    build(preparation, Constraint::Occlusion)
}

/// Makes `deepxplore-light`.
pub fn make_light(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    build(preparation, Constraint::Light)
}

/// Makes `deepxplore-blackout`.
pub fn make_blackout(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    build(preparation, Constraint::Blackout)
}

fn build(preparation: &Preparation<'_>, constraint: Constraint) -> Result<Box<dyn Method>, NotUsable> {
    let Preparation { victim, companions, images, .. } = *preparation;
    if companions.len() < OTHERS {
        let problem = "deepxplore compares the network with at least two others (help: name them, with the same \
                       images and classes)";
        return Err(NotUsable(problem.into()));
    }
    let alike =
        |other: &Victim| companion::has_the_images(other, victim) && other.classes() == victim.classes();
    if !companions.iter().all(alike) {
        let problem = "deepxplore needs networks of the same images and classes";
        return Err(NotUsable(problem.into()));
    }
    let members = std::iter::once(victim).chain(companions);
    let members = members.map(|network| Member::new(network, victim, images)).collect();
    Ok(Box::new(DeepXplore { members, constraint }))
}

struct DeepXplore {
    /// The victim first.
    members: Vec<Member>,
    constraint: Constraint,
}

impl Method for DeepXplore {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

/// One of the networks, and its neurons.
struct Member {
    companion: Companion,
    neurons: Neurons,
    uncovered: Vec<usize>,
}

impl Member {
    fn new(own: &Victim, victim: &Victim, images: &[Vec<f32>]) -> Self {
        let companion = Companion::new(own, victim);
        let neurons = Neurons::of(&own.network);
        let mut covered = vec![false; neurons.len()];
        let mut workspace = companion.network.workspace(1);
        for image in images.iter().take(GATHERED) {
            companion.forward(&mut workspace, &to_unit(victim, image));
            let activations = neurons.activations(&companion.network, &workspace);
            covered.iter_mut().zip(activations).for_each(|(known, x)| *known |= x > THRESHOLD);
        }
        let uncovered = (0..covered.len()).filter(|&neuron| !covered[neuron]).collect();
        Self { companion, neurons, uncovered }
    }

    /// A neuron to activate: uncovered ones first.
    fn pick(&self, random: &mut Random) -> Option<usize> {
        match self.uncovered.len() {
            0 if self.neurons.is_empty() => None,
            0 => Some(random.below(self.neurons.len())),
            count => Some(self.uncovered[random.below(count)]),
        }
    }

    /// Adds this network's part of the gradient at the point of the last forward pass, by the image on the scale 0 to 1.
    fn add_gradient(
        &self,
        workspace: &mut Workspace<f32>,
        weights: &[f32],
        neuron: Option<usize>,
        sum: &mut [f32],
    ) -> u64 {
        let mut own = self.companion.gradient(workspace, weights);
        let chosen: Vec<(usize, f32)> = neuron.map(|number| (number, COVERAGE)).into_iter().collect();
        let passes = self.neurons.add_gradient(&self.companion.network, workspace, &chosen, &mut own);
        self.companion.add(&own, sum);
        passes + 1
    }
}

impl DeepXplore {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let origin = to_unit(task.victim, task.image);
        let mut unit = origin.clone();
        let mut workspaces: Vec<Workspace<f32>> =
            self.members.iter().map(|member| member.companion.network.workspace(1)).collect();
        let mut outputs = self.forward(&mut workspaces, &unit, session)?;
        let agree: Vec<bool> = outputs.iter().map(|o| decision(o) == Some(task.label)).collect();
        if !agree[0] || agree.iter().filter(|&&agrees| agrees).count() <= OTHERS {
            return Ok(None);
        }
        let neurons: Vec<Option<usize>> =
            self.members.iter().map(|member| member.pick(&mut session.random)).collect();
        let layout = task.victim.layout;
        let corner = corner(layout, RECTANGLE, &mut session.random);
        for _ in 0..STEPS {
            let mut gradient = vec![0.0; unit.len()];
            for (place, member) in self.members.iter().enumerate().filter(|&(place, _)| agree[place]) {
                let mut weights = vec![0.0; outputs[place].len()];
                weights[task.label] = if place == 0 { -AGAINST } else { 1.0 };
                let workspace = &mut workspaces[place];
                session.spent.gradients +=
                    member.add_gradient(workspace, &weights, neurons[place], &mut gradient);
            }
            normalise(&mut gradient);
            self.constraint.apply(layout, corner, &mut gradient, &mut session.random);
            for (index, (x, g)) in unit.iter_mut().zip(&gradient).enumerate() {
                let [low, high] = [task.lower(index), task.upper(index)].map(|x| one(task.victim, index, x));
                *x = (*x + STEP * g).max(low).min(high);
            }
            outputs = self.forward(&mut workspaces, &unit, session)?;
            if task.success(&outputs[0]).is_some()
                && let Some(found) = confirm(task, session, from_unit(task, &origin, &unit))?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn forward(
        &self,
        workspaces: &mut [Workspace<f32>],
        unit: &[f32],
        session: &mut Session<'_>,
    ) -> Result<Vec<Vec<f32>>, crate::budget::StopReason> {
        session.budget.check()?;
        session.spent.evaluations += self.members.len() as u64;
        let pairs = self.members.iter().zip(workspaces);
        Ok(pairs.map(|(member, workspace)| member.companion.forward(workspace, unit)).collect())
    }
}

impl Constraint {
    fn apply(self, layout: ImageLayout, corner: (usize, usize), gradient: &mut [f32], random: &mut Random) {
        match self {
            Self::Light => {
                let mean = gradient.iter().sum::<f32>() / gradient.len() as f32;
                gradient.fill(mean);
            }
            Self::Occlusion => {
                let inside = rectangle(layout, corner, RECTANGLE);
                let kept: Vec<f32> = inside.iter().map(|&index| gradient[index]).collect();
                gradient.fill(0.0);
                inside.into_iter().zip(kept).for_each(|(index, value)| gradient[index] = value);
            }
            Self::Blackout => {
                let patch = rectangle(layout, self::corner(layout, PATCH, random), PATCH);
                let sum: f32 = patch.iter().map(|&index| gradient[index]).sum();
                gradient.fill(0.0);
                if sum < 0.0 {
                    patch.into_iter().for_each(|index| gradient[index] = -1.0);
                }
            }
        }
    }
}

/// A random upper left corner of a square of this side that lies within the image, as far as it fits.
fn corner(layout: ImageLayout, side: usize, random: &mut Random) -> (usize, usize) {
    let mut place = |length: usize| random.below(length.saturating_sub(side) + 1);
    (place(layout.height), place(layout.width))
}

/// The flat indices of the values of a square.
fn rectangle(layout: ImageLayout, (top, left): (usize, usize), side: usize) -> Vec<usize> {
    let mut indices = Vec::new();
    for row in top..(top + side).min(layout.height) {
        for column in left..(left + side).min(layout.width) {
            let pixel = row * layout.width + column;
            indices.extend((0..layout.channels).map(|channel| layout.index(pixel, channel)));
        }
    }
    indices
}

/// Divides by the root mean square.
pub fn normalise(gradient: &mut [f32]) {
    let squares: f64 = gradient.iter().map(|&x| f64::from(x).powi(2)).sum();
    let length = (squares / gradient.len().max(1) as f64).sqrt() as f32 + 1e-5;
    gradient.iter_mut().for_each(|x| *x /= length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::methods::small;

    /// A network that always says 0, and one that never does.
    fn constant(class: f64) -> Victim {
        small::dense(2, 2, &[&[(&[0.0; 4], 1.0 - class), (&[0.0; 4], class)]])
    }

    const NAMES: [&str; 3] = ["deepxplore", "deepxplore-light", "deepxplore-blackout"];

    #[test]
    fn the_victim_leaves_the_others() {
        let (victim, limits) = (small::victim(), Limits::none());
        let task = small::task(&victim, &small::IMAGE, &limits);
        for name in NAMES {
            assert!(small::succeeds(name, &task, &[constant(0.0), constant(0.0)]), "{name}");
            // The third network is left out, because it does not agree; two others are enough.
            assert!(small::succeeds(name, &task, &[constant(0.0), constant(1.0), constant(0.0)]), "{name}");
        }
    }

    #[test]
    fn networks_that_do_not_agree_are_no_evidence() {
        let (victim, limits) = (small::victim(), Limits::none());
        let task = small::task(&victim, &small::IMAGE, &limits);
        let images = [small::IMAGE.to_vec()];
        for name in NAMES {
            assert!(!small::succeeds(name, &task, &[constant(0.0), constant(1.0)]), "{name}");
        }
        let companions = [constant(0.0)];
        let preparation = Preparation {
            victim: &victim,
            companions: &companions,
            images: &images,
            labels: &[0],
            seed: 0,
            reading: Default::default(),
            norm: crate::nearest::Norm::Linf,
        };
        assert!(make(&preparation).is_err_and(|error| error.0.contains("at least two others")));
        let companions = [constant(0.0), small::deep().0];
        let preparation = Preparation { companions: &companions, ..preparation };
        assert!(make(&preparation).is_err_and(|error| error.0.contains("same images and classes")));
    }

    #[test]
    fn each_constraint_moves_what_it_may() {
        let order = crate::attack::ChannelOrder::ChannelsLast;
        let layout = ImageLayout { channels: 3, height: 20, width: 16, order };
        let mut random = Random::new(5);
        let start: Vec<f32> = (0..layout.len()).map(|i| ((i * 31 % 17) as f32) - 9.0).collect();
        let mean = start.iter().sum::<f32>() / start.len() as f32;
        let mut moved = |constraint: Constraint| {
            let mut gradient = start.clone();
            constraint.apply(layout, (7, 2), &mut gradient, &mut random);
            gradient
        };
        assert!(moved(Constraint::Light).iter().all(|&x| x == mean));
        let inside = |index: usize| {
            let (row, column) = (layout.pixel(index) / 16, layout.pixel(index) % 16);
            (7..17).contains(&row) && (2..12).contains(&column)
        };
        for (index, &x) in moved(Constraint::Occlusion).iter().enumerate() {
            assert_eq!(x, if inside(index) { start[index] } else { 0.0 });
        }
        let black = moved(Constraint::Blackout);
        assert_eq!(black.iter().filter(|&&x| x == -1.0).count(), 6 * 6 * 3);
        assert_eq!(black.iter().filter(|&&x| x == 0.0).count(), layout.len() - 6 * 6 * 3);
    }
}
