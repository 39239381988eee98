//! `counterpatch._native`: what the Python package needs of the library. Arguments are checked and shaped in Python
//! (`counterpatch/_api.py`); here are conversions, the search without the interpreter's lock, and errors as exceptions.

mod answer;
mod attack;
mod errors;
mod repair;
mod task;
mod waiting;

use std::ffi::OsString;

use pyo3::prelude::*;

/// The native part of the package `counterpatch`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::attack::attack;
    #[pymodule_export]
    use super::command_line;
    #[pymodule_export]
    use super::task::Task;
}

/// Runs the command line, and gives its exit status. `itself` starts it once more.
#[pyfunction]
fn command_line(py: Python<'_>, itself: Vec<OsString>, arguments: Vec<OsString>) -> u8 {
    let invocation = counterpatch::cli::Invocation { itself, arguments, commit: None };
    py.detach(|| counterpatch::cli::run(&invocation) as u8)
}
