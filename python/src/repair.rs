//! Repairs of networks that Python has as bytes.

use counterpatch::StopReason;
use counterpatch::pipeline::repair::{ChangeNorm, LayerChoice, RepairAnswer, RepairSettings, RepairWish};
use counterpatch::repair::RepairOutcome;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::unfit;

/// What is wanted of a repair.
#[derive(FromPyObject)]
pub(crate) struct RepairOptions {
    /// `last`, `each`, or `together` with `numbers`.
    layers: String,
    numbers: Vec<usize>,
    norm: String,
    margin: f64,
    limit: f64,
}

impl RepairOptions {
    /// The same for the library.
    pub(crate) fn wish(&self, seed: u64) -> PyResult<RepairWish> {
        let layers = match self.layers.as_str() {
            "last" => LayerChoice::Last,
            "each" => LayerChoice::Each,
            _ => LayerChoice::Together(self.numbers.clone()),
        };
        let norm = match self.norm.as_str() {
            "l1" => ChangeNorm::Total,
            "linf" => ChangeNorm::Largest,
            "l0" => ChangeNorm::Fewest,
            other => {
                return Err(unfit(format!(
                    "norm {other}: there is no such norm (help: there are l1, linf, l0)"
                )));
            }
        };
        let (margin, limit) = (self.margin, self.limit);
        Ok(RepairWish {
            layers,
            settings: RepairSettings { norm, margin, limit, seed, ..Default::default() },
        })
    }
}

/// A weight that was changed: its layer, the neuron that it goes out of and the one that it goes into, and by how much.
type Changed = (usize, usize, usize, f64);

/// What came of a choice of layers: the layers, in a word what came of it, whether nothing smaller does, and its seconds.
type Attempted = (Vec<usize>, String, bool, f64);

/// What came of a repair.
#[derive(IntoPyObject)]
pub(crate) struct Repaired<'py> {
    network: Option<Bound<'py, PyBytes>>,
    changes: Vec<Changed>,
    margin: Option<f64>,
    attempts: Vec<Attempted>,
}

impl<'py> Repaired<'py> {
    /// The same for the interpreter.
    pub(crate) fn new(py: Python<'py>, answer: &RepairAnswer) -> Self {
        let copy = answer.copy.as_ref();
        let patches = copy.map(|copy| copy.patches.as_slice()).unwrap_or_default();
        let changes = patches.iter().flat_map(|patch| {
            patch.changes.iter().map(|change| (patch.layer, change.source, change.target, change.by))
        });
        let attempts = answer.attempts.iter().map(|attempt| {
            let (said, optimal) = match &attempt.outcome {
                RepairOutcome::Repaired(_) if attempt.is_lost => ("lost to rounding".to_owned(), false),
                RepairOutcome::Repaired(repair) => ("repaired".to_owned(), repair.optimal),
                RepairOutcome::Impossible => ("impossible".to_owned(), true),
                RepairOutcome::NotFound(StopReason::Exhausted) => ("not found".to_owned(), false),
                RepairOutcome::NotFound(reason) => (format!("not found: {reason}"), false),
            };
            (attempt.layers.clone(), said, optimal, attempt.time.as_secs_f64())
        });
        Self {
            network: copy.map(|copy| PyBytes::new(py, &copy.bytes)),
            changes: changes.collect(),
            margin: copy.map(|copy| copy.margins.model).filter(|margin| margin.is_finite()),
            attempts: attempts.collect(),
        }
    }
}
