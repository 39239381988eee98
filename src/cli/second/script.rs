//! Any tool through its `run_instance.sh` of VNN-COMP: `v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT`. As there, the results
//! file counts only if the script ends with status 0.

use std::path::{Path, PathBuf};

use super::{CommandEnding, ToolAnswer, ToolCall, ToolQuestion, last_line};
use crate::witness::read::{self, Claim};
use crate::witness::word::ClaimedVerdict;

/// The results file, in the call's folder.
pub(in crate::cli) const RESULTS: &str = "results.txt";
/// What is given to a script when there is no limit: a day.
const NO_LIMIT: u64 = 24 * 3600;

pub(super) fn call(path: &Path, category: &str, question: &ToolQuestion, scratch: &Path) -> ToolCall {
    // Whole seconds: some scripts cannot read others.
    let time = question.time.map_or(NO_LIMIT, |time| time.as_secs().max(1));
    let program = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    let arguments = vec![
        "v1".to_owned(),
        category.to_owned(),
        question.network.clone(),
        question.property.display().to_string(),
        scratch.join(RESULTS).display().to_string(),
        time.to_string(),
    ];
    ToolCall { program, arguments, environment: Vec::new() }
}

pub(super) fn answer(ending: &CommandEnding, scratch: &Path) -> ToolAnswer {
    if *ending != CommandEnding::Exited(0) {
        let said = last_line(&scratch.join("stderr")).map_or(String::new(), |line| format!(": {line}"));
        return ToolAnswer::None(format!("{ending}{said}"));
    }
    match read::read(&scratch.join(RESULTS)) {
        Ok(reading) => match &reading.claim {
            Claim::Sat => ToolAnswer::Sat(reading),
            Claim::Other(word) if ClaimedVerdict::of(word) == ClaimedVerdict::Unsat => ToolAnswer::Unsat,
            Claim::Other(word) => ToolAnswer::None(word.clone()),
        },
        Err(error) => ToolAnswer::None(format!("its results file cannot be used: {error}")),
    }
}
