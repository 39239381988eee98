//! Answers as dictionaries, whose keys are the fields of the package's dataclasses.

use std::sync::{Mutex, PoisonError};

use counterpatch::pipeline::radius::{RadiusStep, StepAnswer};
use counterpatch::search::observer::{Event, Observer};
use counterpatch::{Conclusion, Counterexample, Gathered, NamedArray};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

/// A name, the network's type for it, its shape, and its numbers as doubles, row by row: so `numpy` may be built on another release
/// of `ndarray` than the library.
type Named<'py> = (String, &'static str, Vec<usize>, Bound<'py, PyArray1<f64>>);

fn named<'py>(py: Python<'py>, array: &NamedArray) -> Named<'py> {
    let numbers: Vec<f64> = array.values.iter().copied().collect();
    (array.name.clone(), array.element.name(), array.values.shape().to_vec(), numbers.into_pyarray(py))
}

/// A counterexample.
#[derive(IntoPyObject)]
pub(crate) struct Found<'py> {
    inputs: Vec<Named<'py>>,
    outputs: Vec<Named<'py>>,
    certainty: String,
    excess: f64,
    text: String,
}

impl<'py> Found<'py> {
    /// The same for the interpreter.
    pub(crate) fn new(py: Python<'py>, counterexample: &Counterexample) -> Self {
        Self {
            inputs: counterexample.inputs().iter().map(|array| named(py, array)).collect(),
            outputs: counterexample.outputs().iter().map(|array| named(py, array)).collect(),
            certainty: counterexample.certainty().to_string(),
            excess: counterexample.excess(),
            text: counterexample.text(),
        }
    }
}

/// What a search has concluded.
#[derive(IntoPyObject)]
pub(crate) struct Concluded<'py> {
    status: &'static str,
    reason: String,
    witness: Option<Found<'py>>,
    thin: Option<Found<'py>>,
    seconds: f64,
    best_margin: Option<f64>,
    notes: Vec<String>,
    others: Vec<Found<'py>>,
    nearest_miss: Option<Missed<'py>>,
}

/// The input that came nearest to a violation.
#[derive(IntoPyObject)]
struct Missed<'py> {
    margin: f64,
    inputs: Vec<Named<'py>>,
}

impl<'py> Concluded<'py> {
    /// The same for the interpreter.
    pub(crate) fn new(py: Python<'py>, conclusion: &Conclusion, heard: Heard, seconds: f64) -> Self {
        let heard = heard.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let thin = match conclusion {
            Conclusion::Unknown { thin, .. } => thin.as_ref(),
            _ => None,
        };
        Self {
            status: conclusion.word(),
            reason: conclusion.to_string(),
            witness: conclusion.counterexample().map(|found| Found::new(py, found)),
            thin: thin.map(|found| Found::new(py, found)),
            seconds,
            best_margin: heard.best_margin,
            notes: heard.notes,
            others: Vec::new(),
            nearest_miss: None,
        }
    }

    /// The same with what was found beside the conclusion.
    pub(crate) fn with(self, py: Python<'py>, gathered: &Gathered) -> Self {
        let miss = gathered.nearest_miss.as_ref();
        Self {
            others: gathered.others.iter().map(|found| Found::new(py, found)).collect(),
            nearest_miss: miss.map(|(margin, inputs)| Missed {
                margin: *margin,
                inputs: inputs.iter().map(|array| named(py, array)).collect(),
            }),
            ..self
        }
    }
}

/// What is known of the nearest counterexample.
#[derive(IntoPyObject)]
pub(crate) struct Near<'py> {
    /// The verdict.
    pub(crate) verdict: Concluded<'py>,
    /// The distance of the nearest counterexample known; infinite if there is none.
    pub(crate) distance: f64,
    /// No violating input is nearer.
    pub(crate) bound: f64,
    /// Whether the two meet, within the gap asked for.
    pub(crate) optimal: bool,
}

/// How far from a point the nearest counterexample is, from both sides.
#[derive(IntoPyObject)]
pub(crate) struct FromBothSides<'py> {
    /// The largest distance within which it is proved that there is none.
    pub(crate) proved: Option<f64>,
    /// The distance of the nearest found.
    pub(crate) found: Option<f64>,
    /// It.
    pub(crate) witness: Option<Found<'py>>,
    /// All searches.
    pub(crate) steps: Vec<(f64, &'static str, f64)>,
}

/// A search of one radius: the radius, the answer, and its seconds.
pub(crate) fn step(step: &RadiusStep) -> (f64, &'static str, f64) {
    let said = match step.said {
        StepAnswer::Sat => "sat",
        StepAnswer::Unsat => "unsat",
        StepAnswer::Unknown(_) => "unknown",
    };
    (step.eps, said, step.seconds)
}

/// How a counterexample was judged.
#[derive(IntoPyObject)]
pub(crate) struct Judged {
    /// The competition's word.
    pub(crate) word: String,
    /// What led to it.
    pub(crate) details: Vec<String>,
    /// What a correct one rests on.
    pub(crate) certainty: Option<String>,
}

/// What a search has said on its way.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Overheard>);

/// Notes, and the margin that came nearest to a violation.
#[derive(Default)]
struct Overheard {
    notes: Vec<String>,
    best_margin: Option<f64>,
}

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note(note) => heard.notes.push((*note).to_owned()),
            Event::StrategyFinished { best_margin: Some(margin), .. } => {
                heard.best_margin = Some(heard.best_margin.map_or(*margin, |best| best.max(*margin)));
            }
            _ => {}
        }
    }
}
