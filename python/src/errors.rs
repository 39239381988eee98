//! Errors of the library as the package's exceptions: what a caller can mend is an `InputError`, everything else an `Error`.

use counterpatch::Error as Library;
use pyo3::PyErr;

mod exceptions {
    //! The classes that the package declares.

    pyo3::import_exception!(counterpatch._errors, Error);
    pyo3::import_exception!(counterpatch._errors, InputError);
}

/// The exception of an error.
pub(crate) fn raised(error: Library) -> PyErr {
    match error {
        Library::Solver(_) | Library::Write(_) => exceptions::Error::new_err(error.to_string()),
        _ => exceptions::InputError::new_err(error.to_string()),
    }
}

/// An exception about an argument.
pub(crate) fn unfit(what: impl Into<String>) -> PyErr {
    exceptions::InputError::new_err(what.into())
}

/// An exception about the system.
pub(crate) fn refused(error: &std::io::Error) -> PyErr {
    exceptions::Error::new_err(format!("the system refuses a thread: {error} (help: end other programs)"))
}
