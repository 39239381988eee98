//! The attacks, one a file, and their table.

pub mod aigent;
pub mod apgd;
pub mod attempt;
pub mod autoattack;
pub mod ball;
pub mod blackbox;
pub mod block;
pub mod companion;
pub mod coverage;
pub mod deepxplore;
pub mod dlfuzz;
pub mod fab;
pub mod fab_t;
pub mod fgsm;
pub mod greedy_pixel;
pub mod losses;
pub mod nearest;
pub mod odi;
pub mod patch;
pub mod patch_strong;
pub mod random_k;
pub mod simba_ods;
#[cfg(test)]
mod small;
pub mod square;

use super::{Session, Task, Victim};
use crate::budget::StopReason;
use crate::nearest::Norm;
use crate::search::strategy::patch::reading::PaperReading;

/// How an attack on one image ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An input that the fast engine classifies differently, within the limits.
    Adversarial(Vec<f32>),
    /// It has tried what it does.
    GaveUp,
    /// The budget was used up.
    Stopped(StopReason),
}

/// What a method may need besides the image: made once a run.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// The classifier under attack.
    pub victim: &'a Victim,
    /// Other classifiers of the same images (DeepXplore, SimBA-ODS), in the order given.
    pub companions: &'a [Victim],
    /// Images of the run, for statistics that a method gathers in front (class bounds, coverage).
    pub images: &'a [Vec<f32>],
    /// The right class of each.
    pub labels: &'a [usize],
    /// The run's seed.
    pub seed: u64,
    /// How the paper's method is to be understood.
    pub reading: PaperReading,
    /// What the closest image is closest in.
    pub norm: Norm,
}

/// One attack. It is made once a run and shared by the threads: it has no state that one image leaves to another.
pub trait Method: Send + Sync {
    /// Attacks one image.
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome;
}

/// Why a method cannot be used in a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUsable(pub String);

/// Makes a method for a run.
pub type Make = fn(&Preparation<'_>) -> Result<Box<dyn Method>, NotUsable>;

/// A method's row in the table.
#[derive(Debug, Clone, Copy)]
pub struct MethodEntry {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is and where it is from, one line.
    pub about: &'static str,
    /// Whether it leaves the valid range and the limits, as it was published. Its results never count as valid: they
    /// are reported apart, under its own definition of success.
    pub leaves_range: bool,
    /// Whether its results are searched for on the grid of 8-bit pictures, where that is asked, and not only rounded to
    /// it: all methods of ours but the control.
    pub searches_grid: bool,
    /// Makes it.
    pub make: Make,
}

/// All methods, in the order of the report.
pub const TABLE: &[MethodEntry] = &[
    MethodEntry {
        name: "random-k",
        about: "control: k random values to a random end of their range, k = 1, 2, 4, ...",
        leaves_range: false,
        searches_grid: false,
        make: random_k::make,
    },
    MethodEntry {
        name: "greedy-pixel",
        about: "one value at a time to an end of its range, by the gradient of the margin",
        leaves_range: false,
        searches_grid: true,
        make: greedy_pixel::make,
    },
    MethodEntry {
        name: "patch",
        about: "the paper: patches layer by layer, then the image that does what the patch does (Algorithm 1, mod2adv)",
        leaves_range: false,
        searches_grid: true,
        make: patch::make,
    },
    MethodEntry {
        name: "patch-strong",
        about: "ours beside the paper: fewest values by beam search, trades and programs in the region, then the least Euclidean length",
        leaves_range: false,
        searches_grid: true,
        make: patch_strong::make,
    },
    MethodEntry {
        name: "patch-strong-l2",
        about: "the least Euclidean change: projections on the margin's plane, then exact within the region",
        leaves_range: false,
        searches_grid: true,
        make: patch_strong::make_l2,
    },
    MethodEntry {
        name: "patch-strong-linf",
        about: "the smallest largest change: projections on the margin's plane, then exact within the region",
        leaves_range: false,
        searches_grid: true,
        make: patch_strong::make_linf,
    },
    MethodEntry {
        name: "nearest",
        about: "the closest image in the norm of --norm, with a proved lower bound: branch and bound over phases",
        leaves_range: false,
        searches_grid: false,
        make: nearest::make,
    },
    MethodEntry {
        name: "aigent-published",
        about: "the paper's attack as its authors' code does it, within the valid range and the limits",
        leaves_range: false,
        searches_grid: false,
        make: aigent::make,
    },
    MethodEntry {
        name: "aigent-published-high-defect",
        about: "the same until all values may move, four times from the start: our reading of the row \"high defect\"",
        leaves_range: false,
        searches_grid: false,
        make: aigent::make_high_defect,
    },
    MethodEntry {
        name: "aigent-published-unboxed",
        about: "the code as published: values move by up to 1 (grey) or 10 (colour) and leave the range",
        leaves_range: true,
        searches_grid: false,
        make: aigent::make_unboxed,
    },
    MethodEntry {
        name: "fgsm",
        about: "fast gradient sign method: one step on the cross-entropy (Goodfellow et al. 2015)",
        leaves_range: false,
        searches_grid: false,
        make: fgsm::make,
    },
    MethodEntry {
        name: "blackbox",
        about: "every value moves by one of ±a, ±2a at random, one draw (Alparslan et al. 2020)",
        leaves_range: false,
        searches_grid: false,
        make: blackbox::make,
    },
    MethodEntry {
        name: "deepxplore",
        about: "networks that agreed are driven apart, inside one 10 × 10 rectangle (Pei et al. 2017; needs two companions)",
        leaves_range: false,
        searches_grid: false,
        make: deepxplore::make,
    },
    MethodEntry {
        name: "deepxplore-light",
        about: "DeepXplore where all values move alike",
        leaves_range: false,
        searches_grid: false,
        make: deepxplore::make_light,
    },
    MethodEntry {
        name: "deepxplore-blackout",
        about: "DeepXplore where 6 × 6 patches turn black",
        leaves_range: false,
        searches_grid: false,
        make: deepxplore::make_blackout,
    },
    MethodEntry {
        name: "dlfuzz",
        about: "steps away from the class and towards neurons of large weight (Guo et al. 2018)",
        leaves_range: false,
        searches_grid: false,
        make: dlfuzz::make,
    },
    MethodEntry {
        name: "dlfuzz-often",
        about: "DLFuzz towards neurons that are often covered",
        leaves_range: false,
        searches_grid: false,
        make: dlfuzz::make_often,
    },
    MethodEntry {
        name: "dlfuzz-rare",
        about: "DLFuzz towards neurons that are rarely covered",
        leaves_range: false,
        searches_grid: false,
        make: dlfuzz::make_rare,
    },
    MethodEntry {
        name: "dlfuzz-threshold",
        about: "DLFuzz towards neurons near the threshold of coverage",
        leaves_range: false,
        searches_grid: false,
        make: dlfuzz::make_threshold,
    },
    MethodEntry {
        name: "autoattack",
        about: "APGD-CE, APGD-T, FAB-T and Square on what is left (Croce and Hein 2020, standard)",
        leaves_range: false,
        searches_grid: false,
        make: autoattack::make,
    },
    MethodEntry {
        name: "apgd-ce",
        about: "Auto-PGD on the cross-entropy, 100 steps (Croce and Hein 2020)",
        leaves_range: false,
        searches_grid: false,
        make: apgd::make_ce,
    },
    MethodEntry {
        name: "apgd-t",
        about: "Auto-PGD on 9 targets, difference-of-logits ratio (Croce and Hein 2020)",
        leaves_range: false,
        searches_grid: false,
        make: apgd::make_t,
    },
    MethodEntry {
        name: "fab-t",
        about: "FAB on 9 targets, 100 steps: minimal changes (Croce and Hein 2020)",
        leaves_range: false,
        searches_grid: false,
        make: fab_t::make,
    },
    MethodEntry {
        name: "square",
        about: "Square Attack: random search, 5000 queries (Andriushchenko et al. 2020)",
        leaves_range: false,
        searches_grid: false,
        make: square::make,
    },
    MethodEntry {
        name: "odi",
        about: "output-diversified starts, then PGD on the margin, 20 restarts (Tashiro et al. 2020)",
        leaves_range: false,
        searches_grid: false,
        make: odi::make,
    },
    MethodEntry {
        name: "simba-ods",
        about: "black box: output-diversified directions of companions, 10,000 queries (Tashiro et al. 2020; needs a companion)",
        leaves_range: false,
        searches_grid: false,
        make: simba_ods::make,
    },
];
