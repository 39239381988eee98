//! One image under attack, and what an attack may do to it.

use super::Victim;
use super::measures::distance::Distance;

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

    /// Whether an input keeps the valid range and all limits. Ends are rounded to the inputs' type, and so is a
    /// difference: the largest change may exceed its limit by a millionth of the valid range.
    pub fn keeps_limits(&self, input: &[f32]) -> bool {
        let victim = self.victim;
        let ranges = victim.lower.iter().zip(&victim.upper);
        let within = |(&x, (&low, &high)): (&f32, (&f32, &f32))| low <= x && x <= high;
        let slack = |(&low, &high): (&f32, &f32)| 1e-6 * (high - low);
        let near = |((&a, &b), range): ((&f32, &f32), (&f32, &f32))| {
            (a - b).abs() <= self.limits.linf + slack(range)
        };
        let change = self.change(input);
        input.iter().zip(ranges.clone()).all(within)
            && self.image.iter().zip(input).zip(ranges).all(near)
            && f64::from(self.limits.l2) + 1e-6 >= change.l2
            && change.pixels <= self.limits.pixels
    }

    /// How far an input is from the image.
    pub fn change(&self, input: &[f32]) -> Distance {
        Distance::between(self.victim.layout, self.image, input)
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
