//! What there is to say of a repair: every attempt, what was written, and what it changed elsewhere. Serialised as it
//! stands.

use std::path::PathBuf;

use serde::Serialize;

use crate::budget::StopReason;
use crate::repair::answer::{RepairAnswer, RepairAttempt, RepairedCopy};
use crate::repair::{ChangeNorm, Patch, RepairOutcome, Tail};

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repairs {
    /// Number of points.
    pub points: usize,
    /// One entry for each choice of layers.
    pub attempts: Vec<Attempt>,
    /// The repaired network; `None` if no attempt has succeeded.
    pub written: Option<Written>,
    /// How often the repaired network decides differently; `None` without a sample or a repaired network.
    pub sample: Option<Sample>,
}

/// What came of changing some layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// The layers, counted from 0.
    pub layers: Vec<usize>,
    /// How it ended.
    pub outcome: RepairEnding,
    /// Whether it is proved that nothing smaller does.
    pub optimal: bool,
    /// Changed weights.
    pub weights: usize,
    /// Σ |ε|
    pub total: f64,
    /// max |ε|
    pub largest: f64,
    /// Seconds of the search.
    pub seconds: f64,
    /// The layers that were changed.
    pub patches: Vec<Changed>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairEnding {
    /// With a repair.
    Repaired,
    /// With a repair that does not hold in the written file's precision.
    LostToRounding,
    /// With a proof that there is none.
    Impossible,
    /// Without one: the reason.
    NotFound(String),
}

/// The change of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The layer, counted from 0.
    pub layer: usize,
    /// The ONNX node with its weights.
    pub node: String,
    /// Changed weights.
    pub weights: usize,
    /// Σ |ε|
    pub total: f64,
    /// max |ε|
    pub largest: f64,
}

/// A repaired network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Position of its attempt.
    pub attempt: usize,
    /// By how much the file, read back, satisfies the property at the points: in the model's precision; `None` if
    /// nothing is demanded.
    pub margin: Option<f64>,
    /// The same in double precision.
    pub margin_double: Option<f64>,
}

/// How often two networks decide differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Inputs that were compared.
    pub inputs: usize,
    /// Those with another decision.
    pub different: usize,
}

impl Repairs {
    /// Describes an answer; the copy that holds is in this file.
    pub fn new(points: usize, answer: &RepairAnswer, tail: &Tail, file: PathBuf) -> Self {
        let attempts = answer.attempts.iter().map(|attempt| Attempt::new(attempt, tail)).collect();
        let written = answer.copy.as_ref().map(|copy| Written::new(file, copy));
        Self { points, attempts, written, sample: None }
    }
}

impl Attempt {
    fn new(attempt: &RepairAttempt, tail: &Tail) -> Self {
        let (outcome, patches, optimal) = match &attempt.outcome {
            RepairOutcome::Repaired(repair) => {
                let ending =
                    if attempt.is_lost { RepairEnding::LostToRounding } else { RepairEnding::Repaired };
                (ending, repair.patches.as_slice(), repair.optimal)
            }
            RepairOutcome::Impossible => (RepairEnding::Impossible, [].as_slice(), false),
            RepairOutcome::NotFound(reason) => (RepairEnding::NotFound(why(*reason)), [].as_slice(), false),
        };
        let changed = patches.iter().filter(|patch| !patch.changes.is_empty());
        Self {
            layers: attempt.layers.clone(),
            outcome,
            optimal,
            weights: patches.iter().map(|patch| patch.changes.len()).sum(),
            total: ChangeNorm::Total.of(patches),
            largest: ChangeNorm::Largest.of(patches),
            seconds: attempt.time.as_secs_f64(),
            patches: changed.map(|patch| Changed::new(patch, tail)).collect(),
        }
    }
}

fn why(reason: StopReason) -> String {
    match reason {
        StopReason::Exhausted => "the search has ended, which proves nothing".to_owned(),
        StopReason::TimeUp
        | StopReason::Interrupted
        | StopReason::MemoryUp
        | StopReason::NoNumbers
        | StopReason::Unconfirmed => reason.to_string(),
    }
}

impl Changed {
    fn new(patch: &Patch, tail: &Tail) -> Self {
        Self {
            layer: patch.layer,
            node: tail.layers[patch.layer].name.clone(),
            weights: patch.changes.len(),
            total: patch.total(),
            largest: patch.largest(),
        }
    }
}

impl Written {
    fn new(file: PathBuf, copy: &RepairedCopy) -> Self {
        let finite = |margin: f64| margin.is_finite().then_some(margin);
        let (margin, margin_double) = (finite(copy.margins.model), finite(copy.margins.double));
        Self { file, attempt: copy.attempt, margin, margin_double }
    }
}
