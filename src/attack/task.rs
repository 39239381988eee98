//! One image under attack, and what an attack may do to it.

use super::Victim;

/// Which wrong classes are aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// The class with the second largest output.
    RunnerUp,
    /// So many classes with the largest outputs.
    Strongest(usize),
    /// Every other class.
    All,
}

/// What every method keeps, besides the valid range. Lengths are on the scale of the network's inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// No input moves by more. `f32::INFINITY` for no limit.
    pub linf: f32,
    /// Euclidean length of the change. `f32::INFINITY` for no limit.
    pub l2: f32,
    /// No more pixels change. `usize::MAX` for no limit.
    pub pixels: usize,
}

impl Limits {
    /// Only the valid range.
    pub fn none() -> Self {
        Self { linf: f32::INFINITY, l2: f32::INFINITY, pixels: usize::MAX }
    }
}

/// An image to be changed until the victim's decision is no longer `label`.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The classifier.
    pub victim: &'a Victim,
    /// The flat input, within the valid range.
    pub image: &'a [f32],
    /// The class that the victim gives it, and that is right.
    pub label: usize,
    /// What is allowed.
    pub limits: &'a Limits,
    /// Which classes to aim at, where a method aims at classes.
    pub targets: Targets,
}

impl Task<'_> {
    /// The least value that input `index` may take: valid, and no farther away than the limit.
    pub fn lower(&self, index: usize) -> f32 {
        self.victim.lower[index].max(self.image[index] - self.limits.linf)
    }

    /// The largest.
    pub fn upper(&self, index: usize) -> f32 {
        self.victim.upper[index].min(self.image[index] + self.limits.linf)
    }

    /// The classes to aim at, the strongest first, by the outputs at the image.
    pub fn aims(&self, outputs: &[f32]) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..outputs.len()).filter(|&class| class != self.label).collect();
        classes.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
        classes.truncate(match self.targets {
            Targets::RunnerUp => 1,
            Targets::Strongest(count) => count.max(1),
            Targets::All => usize::MAX,
        });
        classes
    }
}
