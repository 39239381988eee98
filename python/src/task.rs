//! A question from Python, and the ways to ask it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterpatch::budget::Budget;
use counterpatch::nearest::Norm;
use counterpatch::onnx::Model;
use counterpatch::pipeline::several::{Distinction, Several};
use counterpatch::pipeline::{nearest, point, radius, repair};
use counterpatch::problem::{ModelsError, fit};
use counterpatch::property::around::{Around, Violation};
use counterpatch::property::decision::Decision;
use counterpatch::property::within::{HalfSpace, Within};
use counterpatch::search::Config;
use counterpatch::search::observer::Silent;
use counterpatch::witness::check::{self, Year};
use counterpatch::witness::read::{self, WitnessReadError};
use counterpatch::witness::{Class, Malformed, Reading, Replay};
use counterpatch::{Counterexample, Error, Falsification, load, vnnlib};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::answer::{Concluded, Found, FromBothSides, Heard, Judged, Near, step};
use crate::errors::{raised, unfit};
use crate::repair::{RepairOptions, Repaired};
use crate::waiting::interruptible;

/// A file's path, or what a file would hold.
#[derive(FromPyObject)]
pub(crate) enum Source {
    /// The content of a network's file.
    Bytes(Vec<u8>),
    /// A path.
    Path(PathBuf),
}

/// What a search may spend, and what counts.
#[derive(FromPyObject)]
pub(crate) struct Limits {
    /// Seconds, above 0 and finite; `None` for as long as strategies have something to try.
    timeout: Option<f64>,
    /// Threads; `None` for as many as the process may use.
    threads: Option<usize>,
    seed: u64,
    accept_thin: bool,
    /// Counterexamples that are wanted, and how far apart they have to be; `None` for those of other activation patterns.
    count: usize,
    apart: Option<f64>,
}

impl Limits {
    fn duration(&self) -> PyResult<Option<Duration>> {
        let limit = self.timeout.map(Duration::try_from_secs_f64).transpose();
        limit.map_err(|error| unfit(format!("timeout: {error} (help: give a number of seconds above 0)")))
    }

    /// The same question with these limits.
    fn of(&self, falsification: &Falsification) -> PyResult<Falsification> {
        let distinction = self.apart.map_or(Distinction::Pattern, Distinction::Apart);
        let several = Several { count: self.count, distinction };
        let limited = falsification.clone().seed(self.seed).several(several);
        let limited = self.duration()?.into_iter().fold(limited, Falsification::budget);
        let limited = self.threads.into_iter().fold(limited, Falsification::threads);
        Ok(if self.accept_thin { limited.accept_thin() } else { limited })
    }

    fn config(&self) -> Config {
        let config = Config { seed: self.seed, ..Config::default() };
        Config { threads: self.threads.unwrap_or(config.threads), ..config }
    }
}

/// A network with the name that the property declares for it, where it was given one.
pub(crate) type Given = (Option<String>, Source);

/// Reads it.
pub(crate) fn model((name, source): &Given) -> Result<Model, Error> {
    match source {
        Source::Path(path) => load::network(path),
        Source::Bytes(bytes) => load::network_of_bytes(name.as_deref().unwrap_or("network"), bytes),
    }
}

fn asked(networks: &[Given], query: vnnlib::Query) -> Result<Falsification, Error> {
    let models = networks.iter().map(model).collect::<Result<Vec<_>, _>>()?;
    let names: Option<Vec<String>> = networks.iter().map(|(name, _)| name.clone()).collect();
    match names {
        Some(names) => Falsification::named(names.into_iter().zip(models).collect(), query),
        None => Ok(Falsification::new(models, query)),
    }
}

/// A question: networks and a property.
#[pyclass(frozen, module = "counterpatch._native")]
pub(crate) struct Task {
    falsification: Falsification,
    /// The point and what must not happen near it, where the question came from one.
    around: Option<Around>,
}

impl Task {
    fn new(falsification: Falsification, dims: BTreeMap<String, usize>) -> Self {
        let with_dim = |task: Falsification, (name, size): (String, usize)| task.dim(name, size);
        Self { falsification: dims.into_iter().fold(falsification, with_dim), around: None }
    }
}

/// How a question is made, and what can be asked of it.
#[pymethods]
impl Task {
    /// Of the text of a property.
    #[staticmethod]
    fn of_text(
        py: Python<'_>,
        networks: Vec<Given>,
        text: String,
        dims: BTreeMap<String, usize>,
    ) -> PyResult<Self> {
        let asked = py.detach(|| asked(&networks, vnnlib::parse_named("property", text)?));
        Ok(Self::new(asked.map_err(raised)?, dims))
    }

    /// Of the file of a property.
    #[staticmethod]
    fn of_file(
        py: Python<'_>,
        networks: Vec<Given>,
        path: PathBuf,
        dims: BTreeMap<String, usize>,
    ) -> PyResult<Self> {
        let asked = py.detach(|| asked(&networks, load::property(&path)?));
        Ok(Self::new(asked.map_err(raised)?, dims))
    }

    /// Of a box and unsafe sets: rows of coefficients, each with its bound.
    #[staticmethod]
    fn within(
        py: Python<'_>,
        network: Given,
        lower: PyReadonlyArray1<'_, f64>,
        upper: PyReadonlyArray1<'_, f64>,
        unsafe_sets: Vec<Vec<(Vec<f64>, f64)>>,
        dims: BTreeMap<String, usize>,
    ) -> PyResult<Self> {
        let half_space = |(coefficients, bound)| HalfSpace { coefficients, bound };
        let set = |rows: Vec<_>| rows.into_iter().map(half_space).collect();
        let within = Within {
            lower: lower.as_array().to_vec(),
            upper: upper.as_array().to_vec(),
            unsafe_sets: unsafe_sets.into_iter().map(set).collect(),
        };
        let asked = py.detach(|| Falsification::within(model(&network)?, &within));
        Ok(Self::new(asked.map_err(raised)?, dims))
    }

    /// Of a point that the network should decide as `label` says, or as it does there, for all inputs within reach.
    #[staticmethod]
    fn around(
        py: Python<'_>,
        network: Given,
        point: PyReadonlyArray1<'_, f64>,
        reach: Vec<f64>,
        valid: (f64, f64),
        label: Option<usize>,
        dims: BTreeMap<String, usize>,
    ) -> PyResult<Self> {
        let point = point.as_array().to_vec();
        let made = py.detach(|| -> Result<Self, Error> {
            let model = fit::alone(&Arc::new(model(&network)?), &dims)?.model;
            let outputs = point::outputs(&model, &point)?;
            let decision = Decision::Largest;
            let output = label.unwrap_or_else(|| decision.of(outputs.iter().copied()));
            let violation = Violation::Leaves { output, decision };
            let around = Around { point, reach, valid, outputs: outputs.len(), violation };
            let falsification = Falsification::around(model, &around)?;
            Ok(Self { falsification, around: Some(around) })
        });
        made.map_err(raised)
    }

    /// What the property's author may not have meant.
    fn doubts(&self) -> Vec<String> {
        self.falsification.doubts().into_iter().map(|doubt| doubt.text).collect()
    }

    /// Searches for a counterexample.
    fn falsify<'py>(&self, py: Python<'py>, limits: Limits) -> PyResult<Concluded<'py>> {
        let (limited, heard, start) = (limits.of(&self.falsification)?, Heard::default(), Instant::now());
        let gathered = interruptible(py, |interrupt| limited.interrupt(interrupt).gather(&heard))?;
        let seconds = start.elapsed().as_secs_f64();
        let gathered = gathered.map_err(raised)?;
        Ok(Concluded::new(py, &gathered.conclusion, heard, seconds).with(py, &gathered))
    }

    /// Changes as little as possible of a network's weights so that none of the points is a counterexample of the property any more.
    /// `bytes` is the file of its one network.
    fn repair<'py>(
        &self,
        py: Python<'py>,
        bytes: Vec<u8>,
        points: Vec<Vec<f64>>,
        options: RepairOptions,
        limits: Limits,
    ) -> PyResult<Repaired<'py>> {
        let (wish, limit) = (options.wish(limits.seed)?, limits.duration()?);
        let query = self.falsification.query().clone();
        let answer = interruptible(py, |interrupt| {
            let unlimited = Budget::unlimited().with_interrupt(interrupt.clone());
            let budget = limit.map_or_else(|| unlimited.clone(), |limit| unlimited.slice(limit));
            repair::of_bytes("network", bytes, query, &points, &wish, &budget)
        })?;
        Ok(Repaired::new(py, &answer.map_err(raised)?))
    }

    /// Searches for the counterexample nearest to a point, or to the middle of the box.
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        point: Option<PyReadonlyArray1<'py, f64>>,
        norm: &str,
        gap: f64,
        limits: Limits,
    ) -> PyResult<Near<'py>> {
        let Some(norm) = Norm::ALL.into_iter().find(|known| known.name() == norm) else {
            let known = Norm::ALL.map(Norm::name).join(", ");
            return Err(unfit(format!("norm {norm}: there is no such norm (help: there are {known})")));
        };
        let point = point.map(|point| point.as_array().to_vec());
        let wish = nearest::NearestWish { point, norm, gap };
        let (limited, heard, start) = (limits.of(&self.falsification)?, Heard::default(), Instant::now());
        let answer = interruptible(py, |interrupt| limited.interrupt(interrupt).nearest(&wish, &heard))?;
        let seconds = start.elapsed().as_secs_f64();
        let (conclusion, known) = answer.map_err(raised)?;
        Ok(Near {
            verdict: Concluded::new(py, &conclusion, heard, seconds),
            distance: known.as_ref().map_or(f64::INFINITY, |known| known.distance),
            // Without a distance it is proved that there is no counterexample.
            bound: known.as_ref().map_or(f64::INFINITY, |known| known.bound),
            optimal: known.as_ref().is_some_and(|known| known.is_optimal()),
        })
    }

    /// Looks for the distance of the nearest counterexample to the point that the question came from, up to `most`.
    fn radius<'py>(
        &self,
        py: Python<'py>,
        most: f64,
        gap: f64,
        each: f64,
        limits: Limits,
    ) -> PyResult<FromBothSides<'py>> {
        let Some(around) = &self.around else {
            return Err(unfit("the radius is one around a point (help: make the question from a point)"));
        };
        let each = Duration::try_from_secs_f64(each).map_err(|error| unfit(format!("each: {error}")))?;
        let (wish, config, limit) =
            (radius::RadiusWish { most, gap, each }, limits.config(), limits.duration()?);
        let measured = interruptible(py, |interrupt| -> Result<_, Error> {
            let unlimited = Budget::unlimited().with_interrupt(interrupt.clone());
            let budget = limit.map_or_else(|| unlimited.clone(), |limit| unlimited.slice(limit));
            let models = self.falsification.models(&Silent)?;
            // A question that came from a point has one model.
            let model = models.first().ok_or(ModelsError::Unassigned { network: "N".into() })?;
            let measured = radius::radius(around, model, &wish, &config, &budget, &Silent)?;
            Ok((measured, models))
        })?;
        let (measured, models) = measured.map_err(raised)?;
        let found = measured.found.map(|(distance, witness)| {
            (distance, Counterexample::new(witness, self.falsification.query(), &models))
        });
        Ok(FromBothSides {
            proved: measured.proved,
            found: found.as_ref().map(|(distance, _)| *distance),
            witness: found.as_ref().map(|(_, counterexample)| Found::new(py, counterexample)),
            steps: measured.steps.iter().map(step).collect(),
        })
    }

    /// Judges the counterexample of a file.
    fn check_file(&self, py: Python<'_>, path: PathBuf) -> PyResult<Judged> {
        py.detach(|| match read::read(&path) {
            Ok(reading) => self.judged(&reading),
            Err(WitnessReadError::Malformed(malformed)) => Ok(no_counterexample(&malformed)),
            Err(error) => Err(error.into()),
        })
        .map_err(raised)
    }

    /// Judges a counterexample's text.
    fn check_text(&self, py: Python<'_>, text: &str) -> PyResult<Judged> {
        py.detach(|| match read::parse("counterexample", text) {
            Ok(reading) => self.judged(&reading),
            Err(malformed) => Ok(no_counterexample(&malformed)),
        })
        .map_err(raised)
    }
}

impl Task {
    fn judged(&self, reading: &Reading) -> Result<Judged, Error> {
        let models = self.falsification.models(&Silent)?;
        let query = self.falsification.query();
        let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
        let report = Replay::new(query.clone(), models.iter().cloned())
            .and_then(|replay| check::check(&replay, reading, Year::Of2026))
            .map_err(|source| Error::replay(path, source))?;
        let certainty = match report.class {
            Class::Correct => check::certainty(query, &models, reading),
            _ => None,
        };
        let certainty = certainty.map(|certainty| certainty.to_string());
        Ok(Judged { word: report.class.word(), details: report.details(), certainty })
    }
}

/// What is no counterexample, by its form.
fn no_counterexample(malformed: &Malformed) -> Judged {
    let word = "incorrect:malformed_ce".to_owned();
    Judged { word, details: vec![malformed.to_string()], certainty: None }
}
