//! DLFuzz: small steps away from the class and towards chosen neurons; mutants that cover more are mutated again.
//!
//! Guo, Jiang, Zhao, Chen and Sun, "DLFuzz: differential fuzzing testing of deep learning systems", ESEC/FSE 2018,
//! algorithm 1, with the values of the authors' code. With the outputs of an image from the queue sorted, `o1` its
//! class, it ascends on
//!
//! ```text
//! ½ (o2 + o3 + o4 + o5) − o1 + ½ · Σ (activations of 10 chosen neurons)
//! g = gradient / (its root mean square + 1e-5);   x += 0.02 · g,   5 times
//! ```
//!
//! A neuron is covered if its scaled activation exceeds 0.25. A mutant joins the queue if it covers more than 1% of
//! the neurons anew and its relative Euclidean change is under 2%. (The code's 1% falls with the number of the image;
//! here no image depends on another, so that each is the first.) The neurons are chosen by strategy, once for each
//! image of the queue:
//!
//! - `dlfuzz`: at random among the tenth with the largest mean weights, those with a positive one (the default);
//! - `dlfuzz-often`, `dlfuzz-rare`: at random by how often the run's images (at most 1000) cover them, or do not;
//! - `dlfuzz-threshold`: those whose activation is just above the threshold, to rise, and just below it, to fall.

use std::collections::VecDeque;

use super::attempt::{Attempt, confirm, outcome};
use super::coverage::Neurons;
use super::deepxplore::normalise;
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::network::{Network, Workspace};
use crate::random::Random;

const STEPS: usize = 5;
const STEP: f32 = 0.02;
const OTHERS: usize = 4;
/// Weights of the other classes and of the neurons.
const HALF: f32 = 0.5;
const NEURONS: usize = 10;
const THRESHOLD: f32 = 0.25;
const ABOVE: f32 = 0.25;
const BELOW: f32 = 0.2;
/// Share of the neurons that count as those of large weight.
const HEAVY: f64 = 0.1;
/// What a mutant of the queue gains in coverage, and how far it may be away.
const GAIN: f64 = 0.01;
const NEAR: f64 = 0.02;
/// Images whose coverage is gathered in front.
const GATHERED: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NeuronSelection {
    Often,
    Rare,
    Weight,
    Threshold,
}

/// Makes `dlfuzz`: neurons of large weight.
pub fn make(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(DlFuzz::new(preparation, NeuronSelection::Weight)))
}

/// Makes `dlfuzz-often`.
pub fn make_often(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(DlFuzz::new(preparation, NeuronSelection::Often)))
}

/// Makes `dlfuzz-rare`.
pub fn make_rare(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(DlFuzz::new(preparation, NeuronSelection::Rare)))
}

/// Makes `dlfuzz-threshold`.
pub fn make_threshold(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(DlFuzz::new(preparation, NeuronSelection::Threshold)))
}

struct DlFuzz {
    strategy: NeuronSelection,
    neurons: Neurons,
    /// How many of the run's images cover each neuron.
    times: Vec<u32>,
    /// The neurons of large weight.
    heavy: Vec<usize>,
}

impl Method for DlFuzz {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

impl DlFuzz {
    fn new(preparation: &Preparation<'_>, strategy: NeuronSelection) -> Self {
        let network = &preparation.victim.network;
        let neurons = Neurons::of(network);
        let mut times = vec![0; neurons.len()];
        let mut workspace = network.workspace(1);
        for image in preparation.images.iter().take(GATHERED) {
            network.forward(&mut workspace, image);
            count(&neurons.activations(network, &workspace), &mut times);
        }
        let weights = neurons.mean_weights(network);
        let mut heavy: Vec<usize> = (0..weights.len()).filter(|&neuron| weights[neuron] > 0.0).collect();
        heavy.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        heavy.truncate((HEAVY * weights.len() as f64).ceil() as usize);
        Self { strategy, neurons, times, heavy }
    }

    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let network = &task.victim.network;
        let mut workspace = network.workspace(1);
        let (mut outputs, mut gradient) = (Vec::new(), Vec::new());
        let mut times = self.times.clone();
        let mut queue = VecDeque::from([task.image.to_vec()]);
        // Each entry of the queue covers one neuron in a hundred anew, so that it runs empty.
        while let Some(mut point) = queue.pop_front() {
            session.block(&mut workspace, &point, &mut outputs)?;
            let activations = self.neurons.activations(network, &workspace);
            count(&activations, &mut times);
            let weights = by_rank(&outputs, task.label);
            let chosen = self.choose(&times, &activations, &mut session.random);
            for _ in 0..STEPS {
                session.block_gradient(&mut workspace, &weights, &mut gradient);
                session.spent.gradients +=
                    self.neurons.add_gradient(network, &mut workspace, &chosen, &mut gradient);
                step(task, &mut gradient, &mut point);
                session.block(&mut workspace, &point, &mut outputs)?;
                let gain = self.gain(network, &workspace, &mut times);
                if task.success(&outputs).is_some() {
                    if let Some(found) = confirm(task, session, point.clone())? {
                        return Ok(Some(found));
                    }
                } else if gain > GAIN && relative(task, &point) < NEAR {
                    queue.push_back(point.clone());
                }
            }
        }
        Ok(None)
    }

    /// Counts what the point in `workspace` covers; the share of neurons that nothing before has covered.
    fn gain(&self, network: &Network<f32>, workspace: &Workspace<f32>, times: &mut [u32]) -> f64 {
        let fresh = count(&self.neurons.activations(network, workspace), times);
        fresh as f64 / self.neurons.len().max(1) as f64
    }

    /// Neurons to activate, with the factors of the objective.
    fn choose(&self, times: &[u32], activations: &[f32], random: &mut Random) -> Vec<(usize, f32)> {
        let rising = |neurons: Vec<usize>| neurons.into_iter().map(|neuron| (neuron, HALF)).collect();
        let most = times.iter().copied().max().unwrap_or(0);
        match self.strategy {
            NeuronSelection::Often => rising(draw(times.iter().map(|&n| f64::from(n)).collect(), random)),
            NeuronSelection::Rare => {
                rising(draw(times.iter().map(|&n| f64::from(most - n)).collect(), random))
            }
            NeuronSelection::Weight => {
                let drawn = draw(vec![1.0; self.heavy.len()], random);
                rising(drawn.into_iter().map(|place| self.heavy[place]).collect())
            }
            NeuronSelection::Threshold => {
                let near = |low: f32, high: f32, factor: f32| {
                    let within = move |&(_, &x): &(usize, &f32)| low < x && x < high;
                    let all = activations.iter().enumerate().filter(within);
                    all.take(NEURONS / 2).map(move |(neuron, _)| (neuron, factor))
                };
                let above = near(THRESHOLD, THRESHOLD + ABOVE, HALF);
                above.chain(near(THRESHOLD - BELOW, THRESHOLD, -HALF)).collect()
            }
        }
    }
}

/// Counts the covered neurons; returns how many of them were not covered before.
fn count(activations: &[f32], times: &mut [u32]) -> usize {
    let mut fresh = 0;
    for (times, _) in times.iter_mut().zip(activations).filter(|(_, x)| **x > THRESHOLD) {
        fresh += usize::from(*times == 0);
        *times += 1;
    }
    fresh
}

/// Up to ten different places, drawn by weight.
fn draw(mut weights: Vec<f64>, random: &mut Random) -> Vec<usize> {
    let mut drawn = Vec::new();
    while drawn.len() < NEURONS {
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            break;
        }
        let mut left = random.unit() * sum;
        let hit = weights.iter().position(|&weight| {
            left -= weight;
            left < 0.0
        });
        // Rounding can leave nothing to hit at the very end.
        let Some(place) = hit.or_else(|| weights.iter().rposition(|&weight| weight > 0.0)) else { break };
        weights[place] = 0.0;
        drawn.push(place);
    }
    drawn
}

/// The factors of the outputs: against the class, for the four largest others.
fn by_rank(outputs: &[f32], label: usize) -> Vec<f32> {
    let mut order: Vec<usize> = (0..outputs.len()).filter(|&class| class != label).collect();
    order.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
    let mut weights = vec![0.0; outputs.len()];
    weights[label] = -1.0;
    order.into_iter().take(OTHERS).for_each(|class| weights[class] = HALF);
    weights
}

/// One step on the scale 0 to 1, within the intervals.
fn step(task: &Task<'_>, gradient: &mut [f32], point: &mut [f32]) {
    let victim = task.victim;
    let range = |index: usize| victim.upper[index] - victim.lower[index];
    gradient.iter_mut().enumerate().for_each(|(index, g)| *g *= range(index));
    normalise(gradient);
    for (index, (x, g)) in point.iter_mut().zip(gradient).enumerate() {
        *x = task.clip(index, *x + STEP * *g * range(index));
    }
}

/// Length of the change over that of the image, on the scale 0 to 1.
fn relative(task: &Task<'_>, point: &[f32]) -> f64 {
    let victim = task.victim;
    let unit = |index: usize, x: f32| f64::from(x / (victim.upper[index] - victim.lower[index]));
    let (mut change, mut whole) = (0.0, 0.0);
    for (index, (&x, &y)) in point.iter().zip(task.image).enumerate() {
        change += unit(index, x - y).powi(2);
        whole += unit(index, y - victim.lower[index]).powi(2);
    }
    (change / whole).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::methods::small;

    const NAMES: [&str; 4] = ["dlfuzz", "dlfuzz-often", "dlfuzz-rare", "dlfuzz-threshold"];

    #[test]
    fn five_steps_cross_a_near_boundary_only() {
        // Each step takes about 0.096 off the margin.
        for name in NAMES {
            let check = |bias: f64, want: bool| {
                let rows: [small::Row<'_>; 2] = [(&[1.0, 2.0, 0.0, 0.0], bias), (&[0.0, 0.0, 1.0, 0.0], 0.0)];
                let (victim, limits) = (small::dense(2, 2, &[&rows]), Limits::none());
                let task = small::task(&victim, &small::IMAGE, &limits);
                assert_eq!(small::succeeds(name, &task, &[]), want, "{name} {bias}");
            };
            check(-0.8, true);
            check(-0.4, false);
        }
    }

    #[test]
    fn strategies_choose_the_neurons_they_name() {
        let strategy = |strategy, heavy: Vec<usize>| DlFuzz {
            strategy,
            neurons: Neurons::of(&small::victim().network),
            times: Vec::new(),
            heavy,
        };
        let times: Vec<u32> = (0..40).map(|n| if n < 20 { 7 } else { 0 }).collect();
        let activations: Vec<f32> = (0..40).map(|n| (n as f32 + 0.5) / 40.0).collect();
        let chosen = |kind, heavy| {
            let mut chosen = strategy(kind, heavy).choose(&times, &activations, &mut Random::new(2));
            chosen.sort_by_key(|neuron| neuron.0);
            chosen
        };
        let check = |kind, heavy: Vec<usize>, allowed: &dyn Fn(usize) -> bool, want: usize| {
            let chosen = chosen(kind, heavy);
            assert_eq!(chosen.len(), want, "{kind:?}");
            assert!(chosen.windows(2).all(|pair| pair[0].0 < pair[1].0), "{kind:?} chooses one twice");
            assert!(chosen.iter().all(|neuron| allowed(neuron.0) && neuron.1 == 0.5), "{kind:?} {chosen:?}");
        };
        check(NeuronSelection::Often, Vec::new(), &|neuron| neuron < 20, 10);
        check(NeuronSelection::Rare, Vec::new(), &|neuron| neuron >= 20, 10);
        check(NeuronSelection::Weight, vec![4, 9, 11], &|neuron| [4, 9, 11].contains(&neuron), 3);
        let near = chosen(NeuronSelection::Threshold, Vec::new());
        let falling = [2, 3, 4, 5, 6].map(|neuron| (neuron, -0.5));
        let rising = [10, 11, 12, 13, 14].map(|neuron| (neuron, 0.5));
        assert_eq!(near, [falling, rising].concat());
    }

    #[test]
    fn coverage_is_counted_once_as_new() {
        let mut times = vec![0, 0, 3];
        assert_eq!(count(&[0.3, f32::NAN, 0.9], &mut times), 1);
        assert_eq!(count(&[0.3, 0.25, 0.1], &mut times), 0);
        assert_eq!(times, [2, 0, 4]);
    }

    #[test]
    fn hidden_neurons_take_part() {
        let (victim, image, label) = small::deep();
        let limits = Limits::none();
        let task = Task { label, ..small::task(&victim, &image, &limits) };
        let (_, spent) = small::run(small::method("dlfuzz", &task, &[]).as_ref(), &task);
        assert!(spent.gradients > spent.evaluations, "no gradient of a neuron: {spent:?}");
    }
}
