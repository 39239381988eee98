//! From a network, a property and points to the network that is changed least: each choice of layers is searched, the repairs are
//! written into a copy of the file from the smallest up, and the first copy that holds when it is read back and replayed is it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vnnlib::Query;

use crate::budget::{Budget, Stopwatch};
use crate::error::Error;
use crate::load;
use crate::onnx::Model;
use crate::problem::{ModelsError, fit};
use crate::repair::{Job, JobError, RepairOutcome, repair as search_repair};

pub use crate::repair::answer::{RepairAnswer, RepairAttempt, RepairedCopy};
pub use crate::repair::{Change, ChangeNorm, LayerChoice, Patch, RepairSettings};

/// What a choice of layers gets at most where the budget has no end.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RepairWish {
    /// The layers that may change.
    pub layers: LayerChoice,
    /// How the repair is looked for.
    pub settings: RepairSettings,
}

/// Repairs a network that is in memory as the bytes of its file, which can have no external data; `name` is what messages call it.
/// Each point has one number for each input that the property declares.
///
/// ```
/// use std::time::Duration;
/// use counterpatch::budget::Budget;
/// use counterpatch::pipeline::repair::{RepairWish, of_bytes};
///
/// let bytes = std::fs::read("tests/data/toy.onnx")?;
/// let query = counterpatch::vnnlib::parse("
///     (declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)
///     (assert (<= X_0 1.0)) (assert (>= X_0 -1.0)) (assert (<= X_1 1.0)) (assert (>= X_1 -1.0))
///     (assert (<= Y_0 Y_1))")?;
/// let budget = Budget::unlimited().slice(Duration::from_secs(10));
/// let answer = of_bytes("toy.onnx", bytes, query, &[vec![0.5, -0.5]], &RepairWish::default(), &budget)?;
/// assert!(answer.copy.is_some_and(|copy| copy.margins.model > 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the network cannot be used or has no fully connected end, or property and points do not fit it.
pub fn of_bytes(
    name: &str,
    bytes: Vec<u8>,
    query: Query,
    points: &[Vec<f64>],
    wish: &RepairWish,
    budget: &Budget,
) -> Result<RepairAnswer, Error> {
    let model = fitted(&query, load::network_of_bytes(name, &bytes)?)?;
    let path = model.path.clone();
    let job = Job::new(model, bytes, query, points).map_err(|source| unusable(&path, source))?;
    repair(&job, wish, budget, |bytes| load::network_of_bytes(name, bytes))
}

/// The same of a job that stands. `read_back` makes a network of the bytes of a copy, as a user of the file would: it may write
/// them beside the external data.
///
/// # Errors
/// If the solver fails, a layer does not exist, or a copy cannot be written or read.
pub(crate) fn repair(
    job: &Job,
    wish: &RepairWish,
    budget: &Budget,
    mut read_back: impl FnMut(&[u8]) -> Result<Model, Error>,
) -> Result<RepairAnswer, Error> {
    let unusable = |source: JobError| unusable(job.path(), source);
    let choices = wish.layers.attempts(job.tail().layers.len()).map_err(|error| unusable(error.into()))?;
    let mut answer = RepairAnswer { attempts: attempts(job, choices, &wish.settings, budget)?, copy: None };
    for (attempt, patches) in smallest_first(&answer.attempts, wish.settings.norm) {
        let bytes = job.rewritten(&patches).map_err(unusable)?;
        let model = Arc::new(fitted(job.query(), read_back(&bytes)?)?);
        let margins = job.replayed(Arc::clone(&model)).map_err(unusable)?;
        if margins.model > 0.0 && margins.double > 0.0 {
            answer.copy = Some(RepairedCopy { attempt, patches, bytes, model, margins });
            break;
        }
        answer.attempts[attempt].is_lost = true;
    }
    Ok(answer)
}

/// A search of each choice of layers; each gets its part of the time that is left.
fn attempts(
    job: &Job,
    choices: Vec<Vec<usize>>,
    settings: &RepairSettings,
    budget: &Budget,
) -> Result<Vec<RepairAttempt>, Error> {
    let all = choices.len();
    let attempt = |(index, layers): (usize, Vec<usize>)| {
        let left = u32::try_from(all - index).unwrap_or(u32::MAX);
        let slice = budget.slice(budget.remaining().unwrap_or(LONGEST) / left);
        let watch = Stopwatch::start();
        let outcome = search_repair(&job.task(), &layers, settings, &slice)?;
        Ok(RepairAttempt { layers, outcome, is_lost: false, time: watch.elapsed() })
    };
    choices.into_iter().enumerate().map(attempt).collect()
}

/// The repairs that were found, and the positions of their attempts.
fn smallest_first(attempts: &[RepairAttempt], norm: ChangeNorm) -> Vec<(usize, Vec<Patch>)> {
    let found = attempts.iter().enumerate().filter_map(|(index, attempt)| match &attempt.outcome {
        RepairOutcome::Repaired(repair) => Some((index, repair.patches.clone())),
        RepairOutcome::Impossible | RepairOutcome::NotFound(_) => None,
    });
    let mut found: Vec<(usize, Vec<Patch>)> = found.collect();
    found.sort_by(|(_, a), (_, b)| norm.of(a).total_cmp(&norm.of(b)));
    found
}

/// The model with its open dimensions as the property has them.
///
/// # Errors
/// If it does not fit the property.
pub(crate) fn fitted(query: &Query, model: Model) -> Result<Model, Error> {
    let fitted = fit::models(query, &[Arc::new(model)], &fit::Named::new())?;
    let model = fitted.into_iter().next().map(|fitted| Arc::unwrap_or_clone(fitted.model));
    model.ok_or_else(|| ModelsError::Unassigned { network: String::new() }.into())
}

fn unusable(path: &Path, source: JobError) -> Error {
    Error::Repair { path: path.to_path_buf(), source: source.into() }
}
