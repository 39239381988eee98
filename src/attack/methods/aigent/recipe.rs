//! The constants of the published code: three programs of the same shape, with numbers of their own.
//!
//! Read in the repository `IamRitz/AIGENT_XAI`, in the state whose logs the paper's figures are from:
//! `AttackMNIST/src` and `AttackCIFAR/src` at commit 616ac78, `AttackImagenet/OurMethod` at ab085c4, each in
//! `findModificationsLayerK.py` (the first stage), `modificationDivided.py` (the later ones) and `attackMethod.py` or
//! `GurobiAttack.py` (mod2adv). Later commits mark neurons first (`label.py`: by weights of magnitude at most 0.05, whatever
//! their sign) and let the marks restrict the first stage's directions; the logs are from before that, and so is this.
//!
//! Which program an image gets is a matter of its size, as in the code: grey images, colour images up to 32 × 32,
//! larger ones. All numbers are on the scale of the network's inputs; the code's are 0 to 1.

use crate::attack::ImageLayout;
use crate::network::layered::Edges;

/// How often `aigent-published-high-defect` goes through the last step, with other vertices each time. On MNIST (784-8-16-10, 276 images,
/// seeds 0 to 2) four rounds find 247 to 249 for the published 232 to 236, and no more than 249 can be: the other 27 have no active
/// neuron in the first layer, so no program.
pub(super) const ROUNDS: usize = 4;

/// How long the last step goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As the code: so many attempts.
    Published,
    /// Until all values may move, [`ROUNDS`] times from the start.
    High,
}

/// Which edges of a layer may change (`FindCutoff`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum KeptEdges {
    /// All of them.
    All,
    /// This share of the positive weights, the largest, and this share of the others, the most negative.
    Outer(f64),
    /// All that are not negative, and of the negative ones the one nearest to zero: what the ImageNet code's comparison
    /// amounts to.
    Rising,
}

/// The bounds of one stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageBounds {
    /// No weight changes by more.
    pub(super) change: f64,
    /// The signed sum of all changes stays within this of zero.
    pub(super) total: f64,
    /// The value of a neuron that is on stays within this of zero. It may be negative: phases are not enforced.
    pub(super) value: f64,
    /// The edges that may change.
    pub(super) kept: KeptEdges,
}

/// What the first stage minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StageObjective {
    /// The sum of all outputs but the runner-up's.
    Others,
    /// The label's own output, within ±100.
    Own,
}

/// How far a sum may stand above the value it should have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slack {
    /// Where that value is above zero.
    pub(super) on: f64,
    /// Where it is zero: the sum itself.
    pub(super) off: f64,
}

/// The last step, from the first layer's values to an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LastStep {
    /// No value moves by more.
    pub(super) step: f64,
    /// No value leaves this distance of zero.
    pub(super) value: f64,
    /// The sum of all changes is between zero and this.
    pub(super) total: f64,
    /// How far the first layer's sums may stand above the patched network's.
    pub(super) slack: Slack,
    /// Values that may move: so many at first, ...
    pub(super) count: usize,
    /// ... so many times more at each further attempt, ...
    pub(super) growth: usize,
    /// ... and so many attempts.
    pub(super) attempts: usize,
    /// Only the brightest values may move, so many or as many as the attempt allows.
    pub(super) brightest: Option<usize>,
}

/// One of the three programs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    /// The first stage's objective.
    pub(super) aim: StageObjective,
    /// The first stage's bounds.
    pub(super) first: StageBounds,
    /// Those of the later stages.
    pub(super) later: StageBounds,
    /// The edges that may change in the network's first layer, where later stages have their own rule for it.
    pub(super) entry: KeptEdges,
    /// How far the sums of a later stage may stand above the stage before.
    pub(super) slack: Slack,
    /// The last step.
    pub(super) last: LastStep,
}

/// `AttackMNIST`: 3, 6, ... 384 pixels, each by at most 1. One of the two logs stops at 192.
const GREY: Recipe = Recipe {
    aim: StageObjective::Others,
    first: StageBounds { change: 10.0, total: 10.0, value: 10.0, kept: KeptEdges::All },
    later: StageBounds { change: 10.0, total: 10.0, value: 10.0, kept: KeptEdges::All },
    entry: KeptEdges::All,
    slack: Slack { on: 2.0, off: 2.0 },
    last: LastStep {
        step: 1.0,
        value: 10.0,
        total: 150.0,
        slack: Slack { on: 3.0, off: 3.0 },
        count: 3,
        growth: 2,
        attempts: 8,
        brightest: None,
    },
};

/// `AttackCIFAR`: 12, 24, ... 1536 values, each by at most 10.
const COLOUR: Recipe = Recipe {
    aim: StageObjective::Own,
    first: StageBounds { change: 100.0, total: 100.0, value: 1000.0, kept: KeptEdges::Outer(0.5) },
    later: StageBounds { change: 50.0, total: 100.0, value: 50.0, kept: KeptEdges::Outer(0.25) },
    entry: KeptEdges::Outer(0.25),
    slack: Slack { on: 2.0, off: 2.0 },
    last: LastStep {
        step: 10.0,
        value: 10.0,
        total: 150.0,
        slack: Slack { on: 3.0, off: 3.0 },
        count: 12,
        growth: 2,
        attempts: 8,
        brightest: None,
    },
};

/// `AttackImagenet`: 100, 300, ... 8100 of the brightest values, each by at most 10.
const LARGE: Recipe = Recipe {
    aim: StageObjective::Own,
    first: StageBounds { change: 100.0, total: 100.0, value: 1000.0, kept: KeptEdges::Rising },
    later: StageBounds { change: 10.0, total: 10.0, value: 100.0, kept: KeptEdges::All },
    entry: KeptEdges::Outer(0.001),
    slack: Slack { on: 5.0, off: 1.0 },
    last: LastStep {
        step: 10.0,
        value: 10.0,
        total: 150.0,
        slack: Slack { on: 5.0, off: 5.0 },
        count: 100,
        growth: 3,
        attempts: 5,
        brightest: Some(500),
    },
};

impl Recipe {
    /// The program for images of this size.
    pub(super) fn of(layout: ImageLayout) -> &'static Self {
        match layout.channels {
            1 => &GREY,
            _ if layout.pixels() <= 32 * 32 => &COLOUR,
            _ => &LARGE,
        }
    }
}

impl LastStep {
    /// How many of an image's values each attempt may move, in the order of the attempts.
    pub(super) fn counts(&self, values: usize, patience: Patience) -> Vec<usize> {
        let growing =
            std::iter::successors(Some(self.count), |&count| Some(count.saturating_mul(self.growth)));
        match patience {
            Patience::Published => growing.take(self.attempts).collect(),
            Patience::High => {
                let round: Vec<usize> = growing.take_while(|&count| count < values).chain([values]).collect();
                round.repeat(ROUNDS)
            }
        }
    }
}

impl Slack {
    /// The ceilings of sums that should have these values.
    pub(super) fn above(self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|&v| if v <= 0.0 { self.off } else { v + self.on }).collect()
    }
}

impl KeptEdges {
    /// Whether each edge may change: `[outputs][inputs]`, row-major.
    pub(super) fn of(self, edges: &Edges) -> Vec<bool> {
        let sorted = |wanted: fn(f64) -> bool| {
            let mut some: Vec<f64> = edges.weights.iter().copied().filter(|&w| wanted(w)).collect();
            some.sort_by(f64::total_cmp);
            some
        };
        match self {
            Self::All => vec![true; edges.weights.len()],
            Self::Outer(share) => {
                let (up, down) = (sorted(|w| w > 0.0), sorted(|w| w <= 0.0));
                let of = |count: usize| (share * count as f64).ceil() as usize;
                let high = up.get(up.len() - of(up.len())).copied().unwrap_or(f64::INFINITY);
                let low = down.get(of(down.len())).copied().unwrap_or(f64::NEG_INFINITY);
                edges.weights.iter().map(|&w| w >= high || w <= low).collect()
            }
            Self::Rising => {
                let nearest = sorted(|w| w < 0.0).last().copied().unwrap_or(0.0);
                edges.weights.iter().map(|&w| w >= nearest).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::ChannelOrder;

    #[test]
    fn the_edges_that_may_change_are_told_by_their_weights() {
        let weights = vec![0.4, -0.1, 0.3, -0.4, 0.2, -0.3, 0.1, -0.2];
        let edges = Edges { weights, bias: vec![0.0; 2], inputs: 4 };
        let check = |kept: KeptEdges, want: &[f64]| {
            let chosen = kept.of(&edges);
            let got: Vec<f64> =
                edges.weights.iter().zip(chosen).filter(|(_, kept)| *kept).map(|(&w, _)| w).collect();
            assert_eq!(got, want, "{kept:?}");
        };
        check(KeptEdges::All, &[0.4, -0.1, 0.3, -0.4, 0.2, -0.3, 0.1, -0.2]);
        // The code's index leaves one more of the negative weights than its share says.
        check(KeptEdges::Outer(0.25), &[0.4, -0.4, -0.3]);
        check(KeptEdges::Outer(0.5), &[0.4, 0.3, -0.4, -0.3, -0.2]);
        check(KeptEdges::Rising, &[0.4, -0.1, 0.3, 0.2, 0.1]);
        let positive = Edges { weights: vec![0.5, 1.0], bias: vec![0.0], inputs: 2 };
        assert_eq!(KeptEdges::Outer(0.5).of(&positive), [false, true]);
        assert_eq!(KeptEdges::Rising.of(&positive), [true, true]);
    }

    #[test]
    fn a_high_setting_goes_on_until_all_values_may_move_and_starts_anew() {
        let check = |recipe: &Recipe, values: usize, patience: Patience, want: &[usize]| {
            assert_eq!(recipe.last.counts(values, patience), want, "{values} values");
        };
        let published = [3, 6, 12, 24, 48, 96, 192, 384];
        check(&GREY, 784, Patience::Published, &published);
        check(&GREY, 784, Patience::High, &[&published[..], &[768, 784]].concat().repeat(ROUNDS));
        check(&GREY, 24, Patience::High, &[3, 6, 12, 24].repeat(ROUNDS));
        check(&GREY, 2, Patience::High, &[2].repeat(ROUNDS));
        check(&LARGE, 12_288, Patience::Published, &[100, 300, 900, 2700, 8100]);
        check(&LARGE, 12_288, Patience::High, &[100, 300, 900, 2700, 8100, 12_288].repeat(ROUNDS));
    }

    #[test]
    fn the_size_of_an_image_says_which_program() {
        let layout = |channels, height, width| ImageLayout {
            channels,
            height,
            width,
            order: ChannelOrder::ChannelsLast,
        };
        let starts = [layout(1, 28, 28), layout(1, 64, 64), layout(3, 32, 32), layout(3, 64, 64)]
            .map(|layout| Recipe::of(layout).last.count);
        assert_eq!(starts, [3, 3, 12, 100]);
    }
}
