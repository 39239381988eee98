//! What there is to know when a network was to be repaired: each attempt, and the copy of its file that holds.

use std::sync::Arc;
use std::time::Duration;

use super::job::Margins;
use super::{Patch, RepairOutcome};
use crate::onnx::Model;

/// What came of one choice of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairAttempt {
    /// The layers.
    pub layers: Vec<usize>,
    /// What the search said.
    pub outcome: RepairOutcome,
    /// Whether a repair was found that does not hold when its weights are rounded to the file's type.
    pub is_lost: bool,
    /// The time of the search.
    pub time: Duration,
}

/// A copy of the network's file that holds: read back, it satisfies the property at all points.
#[derive(Debug)]
pub struct RepairedCopy {
    /// Position of its attempt.
    pub attempt: usize,
    /// What was changed.
    pub patches: Vec<Patch>,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The network that they are.
    pub model: Arc<Model>,
    /// By how much it satisfies the property.
    pub margins: Margins,
}

/// All attempts, and the repaired network if one has succeeded.
#[derive(Debug)]
pub struct RepairAnswer {
    /// In the order of the choices.
    pub attempts: Vec<RepairAttempt>,
    /// The smallest repair that holds.
    pub copy: Option<RepairedCopy>,
}
