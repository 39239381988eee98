//! One image under attack, and what an attack may do to it.

use super::Victim;
use super::measures::distance::Distance;
use super::victim::decision;
use crate::nearest::Norm;
use crate::property::{Conjunction, Row, RowKind};

/// Which wrong classes are aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetClasses {
    /// The class with the second largest output.
    RunnerUp,
    /// So many classes with the largest outputs.
    Strongest(usize),
    /// Every other class.
    All,
    /// This one, and no other class is a success.
    Only(usize),
}

/// By how much a wrong class has to lead over the label, or a chosen class over every other one, in units of the
/// outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Confidence {
    /// By more than the rounding of another engine; and methods that search the grid of 8-bit pictures leave nothing
    /// whose picture is not adversarial.
    Picture,
    /// By so much, at least 0, and in any case by more than that rounding: at 0, results stand on the border.
    Lead(f32),
}

/// What every method keeps, besides the valid range. Lengths are in pixels, whose values go from 0 to 1, whatever the scale
/// of the network's inputs: 8/255 is eight levels of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// No value moves by more. `f32::INFINITY` for no limit.
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

    /// The norm that a run is about: the one that is limited; another one where none is, or several are.
    pub fn norm(&self, otherwise: Norm) -> Norm {
        match (self.linf.is_finite(), self.l2.is_finite(), self.pixels < usize::MAX) {
            (true, false, false) => Norm::Linf,
            (false, true, false) => Norm::L2,
            (false, false, true) => Norm::L0,
            _ => otherwise,
        }
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
    pub targets: TargetClasses,
    /// By how much a class has to lead.
    pub confidence: Confidence,
}

/// By how much a change may exceed its limit, in pixels: ends are rounded to the inputs' type, and so is a difference.
pub(super) const ROUNDING: f64 = 1e-6;

impl Task<'_> {
    /// The least value that input `index` may take: valid, and no farther away than the limit.
    pub fn lower(&self, index: usize) -> f32 {
        self.victim.lower[index].max(self.image[index] - self.reach(index))
    }

    /// The largest.
    pub fn upper(&self, index: usize) -> f32 {
        self.victim.upper[index].min(self.image[index] + self.reach(index))
    }

    /// The value nearest to this one that input `index` may take. Not `clamp`, which panics where rounding has left an empty
    /// range.
    pub fn clip(&self, index: usize, value: f32) -> f32 {
        value.max(self.lower(index)).min(self.upper(index))
    }

    /// How far input `index` may move by the limit, on its own scale; infinite without one.
    pub fn reach(&self, index: usize) -> f32 {
        self.limits.linf * self.victim.unit[index]
    }

    /// By how much input `index` is away from the image's at a value, in pixels.
    pub fn moved(&self, index: usize, value: f32) -> f64 {
        self.victim.in_pixels(index, (f64::from(value) - f64::from(self.image[index])).abs())
    }

    /// Whether an input keeps the valid range and all limits: the largest change and the Euclidean length may exceed theirs
    /// by a millionth of the way from black to white, for rounding. All methods and the last check ask here.
    pub fn keeps_limits(&self, input: &[f32]) -> bool {
        let victim = self.victim;
        let ranges = victim.lower.iter().zip(&victim.upper);
        let within = |(&x, (&low, &high)): (&f32, (&f32, &f32))| low <= x && x <= high;
        let change = self.change(input);
        input.iter().zip(ranges).all(within)
            && f64::from(self.limits.linf) + ROUNDING >= change.linf
            && f64::from(self.limits.l2) + ROUNDING >= change.l2
            && change.pixels <= self.limits.pixels
    }

    /// How far an input is from the image, in pixels.
    pub fn change(&self, input: &[f32]) -> Distance {
        Distance::between(self.victim.layout, &self.victim.unit, self.image, input)
    }

    /// The class that counts as a success, the strongest of several, and by how much it leads: over the label, and over
    /// every other class where only one counts.
    pub fn lead(&self, outputs: &[f32]) -> (usize, f32) {
        let class = match self.targets {
            TargetClasses::Only(class) => class,
            TargetClasses::RunnerUp | TargetClasses::Strongest(_) | TargetClasses::All => {
                strongest(outputs, self.label)
            }
        };
        (class, self.toward(outputs, class))
    }

    /// The class that one aimed at has to get past.
    pub fn rival(&self, outputs: &[f32], class: usize) -> usize {
        match self.targets {
            TargetClasses::Only(_) => strongest(outputs, class),
            TargetClasses::RunnerUp | TargetClasses::Strongest(_) | TargetClasses::All => self.label,
        }
    }

    /// By how much a class leads over the one that it has to get past.
    pub fn toward(&self, outputs: &[f32], class: usize) -> f32 {
        outputs[class] - outputs[self.rival(outputs, class)]
    }

    /// What outputs have to do to be classified as a class: lead by so much over the label, or over every other class where
    /// this one alone counts.
    pub fn property(&self, class: usize, lead: f32) -> Conjunction {
        let behind = |other: usize| {
            let outputs = vec![(other, 1.0), (class, -1.0)];
            Row { inputs: Vec::new(), outputs, bound: -f64::from(lead), kind: RowKind::AtMost }
        };
        let rows = match self.targets {
            TargetClasses::Only(_) => {
                (0..self.victim.classes()).filter(|&o| o != class).map(behind).collect()
            }
            TargetClasses::RunnerUp | TargetClasses::Strongest(_) | TargetClasses::All => {
                vec![behind(self.label)]
            }
        };
        Conjunction { rows }
    }

    /// The lead that is asked of a result.
    pub fn asked(&self, outputs: &[f32]) -> f32 {
        match self.confidence {
            Confidence::Picture => rounding(outputs),
            Confidence::Lead(lead) => lead.max(rounding(outputs)),
        }
    }

    /// Whether a result leads by what is asked, and by so much more that the reference engine says so, too.
    pub fn is_safe(&self, outputs: &[f32]) -> bool {
        let enough = self.lead(outputs).1 >= self.asked(outputs) + rounding(outputs);
        enough && self.success(outputs).is_some()
    }

    /// The class of a success: the network's decision, if it counts and leads by as much as is asked.
    pub fn success(&self, outputs: &[f32]) -> Option<usize> {
        let class = decision(outputs).filter(|&class| self.counts(class))?;
        (self.lead(outputs).1 >= self.asked(outputs)).then_some(class)
    }

    /// The same of what the reference engine computes; an input that it cannot compute is none.
    pub fn confirmed(&self, outputs: &[f64]) -> Option<usize> {
        let narrow: Vec<f32> = outputs.iter().map(|&output| output as f32).collect();
        if narrow.is_empty() { None } else { self.success(&narrow) }
    }

    /// Whether a decision for this class is a success.
    pub fn counts(&self, class: usize) -> bool {
        match self.targets {
            TargetClasses::Only(only) => class == only,
            TargetClasses::RunnerUp | TargetClasses::Strongest(_) | TargetClasses::All => class != self.label,
        }
    }

    /// The classes to aim at, the strongest first, by the outputs at the image.
    pub fn aims(&self, outputs: &[f32]) -> Vec<usize> {
        if let TargetClasses::Only(class) = self.targets {
            return vec![class];
        }
        let mut classes: Vec<usize> = (0..outputs.len()).filter(|&class| class != self.label).collect();
        classes.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
        classes.truncate(match self.targets {
            TargetClasses::RunnerUp => 1,
            TargetClasses::Strongest(count) => count.max(1),
            TargetClasses::All | TargetClasses::Only(_) => usize::MAX,
        });
        classes
    }
}

/// By how much engines may differ: single precision is good to 6e-8 of a number, sums of some hundred terms to 1e-5 of the
/// largest. Outputs whose largest is below 1 may be sums of terms of its size, no larger ones: a network may be of any
/// scale.
fn rounding(outputs: &[f32]) -> f32 {
    let largest = outputs.iter().fold(0.0f32, |most, o| most.max(o.abs()));
    (1e-5 * (largest.min(1.0) + largest)).max(f32::MIN_POSITIVE)
}

/// The class other than `but` with the largest output; the first among equals.
fn strongest(outputs: &[f32], but: usize) -> usize {
    let others = (0..outputs.len()).filter(|&class| class != but);
    others.reduce(|best, class| if outputs[class] > outputs[best] { class } else { best }).unwrap_or(but)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::testing::mlp;

    #[test]
    fn a_success_leads_by_what_is_asked() {
        let victim = mlp(&[2, 3], 1);
        let limits = Limits::none();
        let task = |targets, confidence| Task {
            victim: &victim,
            image: &[0.5; 2],
            label: 1,
            limits: &limits,
            targets,
            confidence,
        };
        let check = |targets, confidence, outputs: [f32; 3], lead, success| {
            let task = task(targets, confidence);
            let (class, by): (usize, f32) = task.lead(&outputs);
            let (wanted, least): (usize, f32) = lead;
            assert!(
                class == wanted && (by - least).abs() <= 1e-6 * least.abs().max(1.0),
                "{targets:?}: {outputs:?}"
            );
            assert_eq!(task.success(&outputs), success, "{targets:?}, {confidence:?}: {outputs:?}");
        };
        let (picture, border) = (Confidence::Picture, Confidence::Lead(0.0));
        check(TargetClasses::All, picture, [1.0, 3.0, 2.0], (2, -1.0), None);
        check(TargetClasses::All, picture, [1.0, 2.0, 3.0], (2, 1.0), Some(2));
        // Rounding may turn this one round.
        check(TargetClasses::All, picture, [5.0, 5.0, 0.0], (0, 0.0), None);
        check(TargetClasses::All, border, [5.0, 5.0, 0.0], (0, 0.0), None);
        check(TargetClasses::All, border, [5.001, 5.0, 0.0], (0, 0.001), Some(0));
        check(TargetClasses::All, Confidence::Lead(1.5), [1.0, 2.0, 3.0], (2, 1.0), None);
        check(TargetClasses::All, Confidence::Lead(1.0), [1.0, 2.0, 3.0], (2, 1.0), Some(2));
        check(TargetClasses::Only(2), picture, [4.0, 2.0, 3.0], (2, -1.0), None);
        check(TargetClasses::Only(0), picture, [4.0, 2.0, 3.0], (0, 1.0), Some(0));
        check(TargetClasses::Only(0), Confidence::Lead(1.5), [4.0, 2.0, 3.0], (0, 1.0), None);
        assert_eq!(task(TargetClasses::All, border).success(&[f32::NAN, 2.0, 3.0]), None);
        // What leads by a third of the outputs does so at any scale; nothing below the least normal number counts.
        check(TargetClasses::All, picture, [2e-6, 1e-6, 3e-6], (2, 2e-6), Some(2));
        check(TargetClasses::All, picture, [2e30, 1e30, 3e30], (2, 2e30), Some(2));
        check(TargetClasses::All, border, [0.0, 0.0, 1e-40], (2, 1e-40), None);
    }
}
