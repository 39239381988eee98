//! A run that owes a verdict: whatever happens in it, there is one, in the results file and as exit status.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::delivery::{Delivery, Style, ToldVerdict};
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::object;
use super::terminal::say;
use super::watchdog::Signals;
use crate::witness::{Answer, ResultsFile};

/// Where the verdict of a run goes.
pub(super) struct Outlets<'a> {
    /// The results file.
    pub(super) results_file: Option<&'a Path>,
    /// The folder for a counterexample as files of tensors.
    pub(super) folder: Option<&'a Path>,
    /// Standard output.
    pub(super) style: Style,
}

/// Does the work, which delivers the verdict; delivers `error` where it fails or panics.
pub(super) fn run(
    outlets: Outlets<'_>,
    work: impl FnOnce(Signals, &Arc<Delivery>) -> Result<Exit, Failure>,
) -> Exit {
    let signals = Signals::install();
    let file = match outlets.results_file.map(ResultsFile::open).transpose() {
        Ok(file) => file,
        Err(error) => {
            say!("error: {error}");
            return Exit::CannotWrite;
        }
    };
    let delivery = Arc::new(Delivery::new(file, outlets.folder.map(Path::to_path_buf), outlets.style));
    let work = || signals.map_err(Failure::System).and_then(|signals| work(signals, &delivery));
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Bug));
    result.unwrap_or_else(|failure| deliver(&failure, &delivery))
}

/// Says what is wrong on standard error, and `error` in the results file.
fn deliver(failure: &Failure, delivery: &Delivery) -> Exit {
    let exit = failure.say();
    let fields = object::error(&failure.to_string(), exit);
    match delivery.deliver(ToldVerdict { answer: Answer::Error, fields }) {
        Some(Exit::Answered) => exit,
        Some(other) => other,
        // The watchdog was faster, and its answer stands.
        None => Exit::Answered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_leaves_a_results_file_that_says_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.txt");
        let outlets = Outlets { results_file: Some(&file), folder: None, style: Style::Text };
        let exit = run(outlets, |_, _| panic!("a bug"));
        assert_eq!((exit, std::fs::read_to_string(&file).unwrap().as_str()), (Exit::Bug, "error\n"));
    }
}
