//! What single changes around an input do to the outputs, and the slopes of margins, for many at once.
//!
//! Two paths give the same numbers: through the [`Front`] of a fully connected network, or the whole network in
//! blocks.

use super::best::{RatedInput, Worth};
use super::effort::SearchWidths;
use super::front::Front;
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use crate::network::{Surrogate, Workspace};

/// Where fewer than one in so many lanes of a block are used, single passes cost less.
const FEW: usize = 4;

/// An input with what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The values.
    pub input: Vec<f32>,
    /// The first layer's sums; empty where the network has no front.
    sums: Vec<f32>,
}

/// One changed value of an input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ValueChange {
    /// The input's number among those given with the change.
    pub parent: usize,
    /// The value's index.
    pub index: usize,
    /// What it becomes.
    pub value: f32,
}

/// Outputs of several inputs: `classes` numbers each.
#[derive(Debug)]
pub(super) struct Answers {
    outputs: Vec<f32>,
    classes: usize,
}

impl Answers {
    /// One after the other.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.outputs.chunks_exact(self.classes)
    }
}

/// Evaluations for one image.
pub(super) struct Probe<'a, 's, 't> {
    pub(super) task: &'a Task<'t>,
    pub(super) session: &'a mut Session<'s>,
    pub(super) front: Option<&'a Front>,
    workspace: Workspace<f32>,
    points: Vec<f32>,
    block: Vec<f32>,
    best: RatedInput,
}

impl<'a, 's, 't> Probe<'a, 's, 't> {
    /// Evaluations through the front where there is one, in blocks of at most `lanes` points. What is kept of the
    /// results is the best by `worth`.
    pub(super) fn new(
        task: &'a Task<'t>,
        session: &'a mut Session<'s>,
        front: Option<&'a Front>,
        lanes: usize,
        worth: Worth,
    ) -> Self {
        let network = front.map_or(&task.victim.network, |front| &front.suffix);
        let workspace = network.workspace(network.block_lanes().min(lanes));
        let points = vec![0.0; network.input_len() * workspace.lanes()];
        let best = RatedInput { input: None, worth };
        Self { task, session, front, workspace, points, block: Vec::new(), best }
    }

    /// The best result so far.
    pub(super) fn best(&self) -> Option<&[f32]> {
        self.best.input.as_ref().map(|(_, input)| input.as_slice())
    }

    /// Keeps a result that is better than the best one, if the network as a whole agrees that it is one.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up, here and below.
    pub(super) fn offer(&mut self, input: &[f32]) -> Result<(), StopReason> {
        if self.beats_best(input) && self.accepts(input)? {
            self.keep(input);
        }
        Ok(())
    }

    /// Keeps what the network as a whole is known to take for another class, within the limits, if it is better.
    pub(super) fn keep(&mut self, input: &[f32]) {
        if self.beats_best(input) {
            let worth = (self.best.worth)(&self.task.victim.unit, self.task.image, input);
            self.best.input = Some((worth, input.to_vec()));
        }
    }

    fn beats_best(&self, input: &[f32]) -> bool {
        self.best.is_beaten_by(&self.task.victim.unit, self.task.image, input)
    }

    /// What may be spent, by what an evaluation costs.
    pub(super) fn effort(&self) -> SearchWidths {
        SearchWidths::at(
            self.front.map_or(&self.task.victim.network, |front| &front.suffix).multiplications(),
        )
    }

    /// Points in a block.
    pub(super) fn lanes(&self) -> usize {
        self.workspace.lanes()
    }

    /// An input to be looked around.
    pub(super) fn spot(&self, input: Vec<f32>) -> Spot {
        let sums = self.front.map_or_else(Vec::new, |front| front.sums(&input));
        Spot { input, sums }
    }

    /// The same input with some values replaced.
    pub(super) fn moved(&self, spot: &Spot, changes: &[(usize, f32)]) -> Spot {
        let mut spot = spot.clone();
        for &(index, value) in changes {
            if let Some(front) = self.front {
                let step = value - spot.input[index];
                spot.sums.iter_mut().zip(front.column(index)).for_each(|(sum, w)| *sum += w * step);
            }
            spot.input[index] = value;
        }
        spot
    }

    /// Whether an input is a result: it fools the network as a whole and keeps the limits.
    fn accepts(&mut self, input: &[f32]) -> Result<bool, StopReason> {
        let fooled = self.session.fools(self.task, input)?;
        Ok(fooled && self.task.keeps_limits(input))
    }

    /// The outputs at some inputs.
    pub(super) fn outputs(&mut self, spots: &[Spot]) -> Result<Answers, StopReason> {
        let classes = self.task.victim.classes();
        let mut answers = Answers { outputs: vec![0.0; spots.len() * classes], classes };
        let lanes = self.lanes();
        for (chunk, outputs) in spots.chunks(lanes).zip(answers.outputs.chunks_mut(lanes * classes)) {
            self.load(chunk.iter());
            self.run(chunk.len())?;
            self.unload(outputs);
        }
        Ok(answers)
    }

    /// The outputs after each of some changes of one value, each of one of the parents.
    pub(super) fn after(
        &mut self,
        parents: &[&Spot],
        changes: &[ValueChange],
    ) -> Result<Answers, StopReason> {
        let classes = self.task.victim.classes();
        let mut answers = Answers { outputs: vec![0.0; changes.len() * classes], classes };
        let lanes = self.lanes();
        let mut loaded: Vec<Option<ValueChange>> = vec![None; lanes];
        for (chunk, outputs) in changes.chunks(lanes).zip(answers.outputs.chunks_mut(lanes * classes)) {
            for (lane, change) in chunk.iter().enumerate() {
                self.apply(parents[change.parent], lane, loaded[lane], change);
                loaded[lane] = Some(*change);
            }
            self.run(chunk.len())?;
            self.unload(outputs);
        }
        Ok(answers)
    }

    /// Puts a change of one value into a lane that holds another one.
    fn apply(&mut self, spot: &Spot, lane: usize, held: Option<ValueChange>, change: &ValueChange) {
        let lanes = self.lanes();
        let Some(front) = self.front else {
            match held.filter(|held| held.parent == change.parent) {
                Some(held) => self.points[held.index * lanes + lane] = spot.input[held.index],
                None => fill(&mut self.points[lane..], lanes, spot.input.iter().copied()),
            }
            self.points[change.index * lanes + lane] = change.value;
            return;
        };
        let step = change.value - spot.input[change.index];
        let sums = spot.sums.iter().zip(front.column(change.index)).map(|(sum, w)| sum + w * step);
        fill(&mut self.points[lane..], lanes, sums);
    }

    /// For each spot with a class: the slopes of its lead over the class that it has to get past, in all values.
    pub(super) fn slopes(&mut self, asked: &[(&Spot, usize)]) -> Result<Vec<Vec<f32>>, StopReason> {
        let lanes = self.lanes();
        let mut all = Vec::with_capacity(asked.len());
        let mut slopes = Vec::new();
        if self.front.is_none() && asked.len() * FEW < lanes {
            return self.single_slopes(asked);
        }
        for chunk in asked.chunks(lanes) {
            self.load(chunk.iter().map(|(spot, _)| *spot));
            self.run(chunk.len())?;
            let mut weights = vec![0.0; self.block.len()];
            for (lane, &(_, class)) in chunk.iter().enumerate() {
                let outputs: Vec<f32> = self.block[lane..].iter().step_by(lanes).copied().collect();
                weights[class * lanes + lane] += 1.0;
                weights[self.task.rival(&outputs, class) * lanes + lane] -= 1.0;
            }
            let network = self.front.map_or(&self.task.victim.network, |front| &front.suffix);
            network.backward(&mut self.workspace, &weights, Surrogate::exact(), &mut slopes);
            self.session.spent.gradients += chunk.len() as u64;
            for lane in 0..chunk.len() {
                let own: Vec<f32> = slopes[lane..].iter().step_by(lanes).copied().collect();
                all.push(self.front.map_or(own.clone(), |front| front.pull_back(&own)));
            }
        }
        Ok(all)
    }

    /// The same one by one.
    fn single_slopes(&mut self, asked: &[(&Spot, usize)]) -> Result<Vec<Vec<f32>>, StopReason> {
        let mut weights = vec![0.0; self.task.victim.classes()];
        let mut all = Vec::with_capacity(asked.len());
        for (spot, class) in asked {
            let outputs = self.session.outputs(&spot.input)?;
            weights.fill(0.0);
            weights[*class] += 1.0;
            weights[self.task.rival(outputs, *class)] -= 1.0;
            all.push(self.session.gradient(&weights).to_vec());
        }
        Ok(all)
    }

    /// Puts spots into the lanes; the last one fills those that are left.
    fn load<'b>(&mut self, spots: impl Iterator<Item = &'b Spot>) {
        let lanes = self.lanes();
        for (from, spot) in spots.enumerate() {
            let values = if self.front.is_some() { &spot.sums } else { &spot.input };
            for (row, &value) in self.points.chunks_exact_mut(lanes).zip(values) {
                if from == 0 { row.fill(value) } else { row[from] = value }
            }
        }
    }

    fn run(&mut self, used: usize) -> Result<(), StopReason> {
        self.session.budget.check()?;
        let network = self.front.map_or(&self.task.victim.network, |front| &front.suffix);
        network.forward(&mut self.workspace, &self.points);
        network.outputs_into(&self.workspace, &mut self.block);
        self.session.spent.evaluations += used as u64;
        Ok(())
    }

    /// The last block's outputs, point by point.
    fn unload(&self, outputs: &mut [f32]) {
        let (lanes, classes) = (self.lanes(), self.task.victim.classes());
        for (lane, outputs) in outputs.chunks_exact_mut(classes).enumerate() {
            let own = self.block[lane..].iter().step_by(lanes);
            outputs.iter_mut().zip(own).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Writes a lane of a block that starts with it.
fn fill(points: &mut [f32], lanes: usize, values: impl Iterator<Item = f32>) {
    points.iter_mut().step_by(lanes).zip(values).for_each(|(point, value)| *point = value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::methods::patch_strong::best::fewest;
    use crate::attack::testing::{class, cnn, image, mlp};
    use crate::attack::{Confidence, Limits, TargetClasses};
    use crate::budget::Budget;
    use crate::random::Random;

    fn near(a: &[f32], b: &[f32]) {
        let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(a.len() == b.len() && distance < 1e-5, "{a:?} and {b:?}");
    }

    #[test]
    fn both_paths_agree_with_the_network_itself() {
        for victim in [mlp(&[20, 9, 7, 4], 1), mlp(&[20, 4], 2), cnn(3)] {
            let front = Front::new(&victim.double);
            let image = image(&victim, 4);
            let limits = Limits::none();
            let label = class(&victim, &image);
            let task = Task {
                victim: &victim,
                image: &image,
                label,
                limits: &limits,
                targets: TargetClasses::All,
                confidence: Confidence::Picture,
            };
            let budget = Budget::unlimited();
            for front in [None, front.as_ref()] {
                let mut session = Session::new(&victim.network, &budget, Random::new(1));
                let mut probe = Probe::new(&task, &mut session, front, usize::MAX, fewest);
                let spot = probe.spot(image.clone());
                let changes: Vec<(usize, f32)> =
                    (0..2 * image.len()).map(|i| (i / 2, (i % 2) as f32)).collect();
                let other = probe.moved(&spot, &changes[3..9]);
                let child = |(at, &(index, value)): (usize, &(usize, f32))| ValueChange {
                    parent: at / 3 % 2,
                    index,
                    value,
                };
                let children: Vec<ValueChange> = changes.iter().enumerate().map(child).collect();
                let parents = [&spot, &other];
                for (outputs, change) in probe.after(&parents, &children).unwrap().iter().zip(&children) {
                    let mut input = parents[change.parent].input.clone();
                    input[change.index] = change.value;
                    near(outputs, &victim.network.evaluate(&input));
                }
                let spots: Vec<Spot> = (0..70).map(|i| probe.moved(&spot, &changes[..i % 30])).collect();
                for (outputs, spot) in probe.outputs(&spots).unwrap().iter().zip(&spots) {
                    near(outputs, &victim.network.evaluate(&spot.input));
                }
                let other = usize::from(label == 0);
                let asked: Vec<(&Spot, usize)> = spots.iter().map(|spot| (spot, other)).collect();
                let slopes = probe.slopes(&asked).unwrap();
                let mut weights = vec![0.0; victim.classes()];
                (weights[other], weights[label]) = (1.0, -1.0);
                for (slopes, spot) in slopes.iter().zip(&spots) {
                    let mut session = Session::new(&victim.network, &budget, Random::new(1));
                    session.outputs(&spot.input).unwrap();
                    near(slopes, session.gradient(&weights));
                }
            }
        }
    }
}
