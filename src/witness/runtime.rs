//! Replay in ONNX Runtime, the engine that the competition's judges use, where its library is at hand (feature `ort`;
//! COUNTERPATCH_ORT names the file). It is loaded when the first candidate has passed everything else.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::onnx::{Model, ModelError};
use crate::reference::onnxruntime::{Library, NotAvailable, OnnxRuntime};

/// One session a declared network, or why there are none.
pub(super) struct Runtime {
    sessions: OnceLock<Result<Vec<Mutex<OnnxRuntime>>, NotAvailable>>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// Nothing is loaded yet.
    pub(super) fn new() -> Self {
        Self { sessions: OnceLock::new() }
    }

    /// Runs network `index` of `models`; `None` without ONNX Runtime.
    pub(super) fn run(
        &self,
        models: &[&Model],
        index: usize,
        inputs: &[&[f64]],
    ) -> Option<Result<Vec<Vec<f64>>, ModelError>> {
        let session = self.sessions(models).as_ref().ok()?.get(index)?;
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs);
        Some(outputs.map(|outputs| outputs.into_iter().map(|output| output.values).collect()))
    }

    /// Whether there is a replay.
    pub(super) fn is_at_hand(&self, models: &[&Model]) -> bool {
        self.sessions(models).is_ok()
    }

    /// Why there is no replay; `None` if there is one, or none was asked for yet.
    pub(super) fn missing(&self) -> Option<&NotAvailable> {
        self.sessions.get()?.as_ref().err()
    }

    fn sessions(&self, models: &[&Model]) -> &Result<Vec<Mutex<OnnxRuntime>>, NotAvailable> {
        self.sessions.get_or_init(|| {
            let library = Library::from_variables()?;
            models.iter().map(|model| library.session(model).map(Mutex::new)).collect()
        })
    }
}
