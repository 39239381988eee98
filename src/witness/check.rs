//! Judging what any tool has written, as the competition does: replay the listed inputs, and see whether the property
//! is violated strictly, within the tolerance, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use vnnlib::{Query, Role, Version};

use super::judge::Rules;
use super::read::{Claim, Listed, Reading, Values};
use super::replay::{Replay, ReplayError};
use super::robustness::{Twice, excess};
use super::validate::{Certainty, Printed, Unmet, Validation, Validator};
use crate::onnx::Model;
use crate::reference::Precision;

/// The rules of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Year {
    /// Listed outputs do not count; inputs may be off by 1e-4.
    Of2026,
    /// Listed outputs count, and must be within 1e-3 of the replay; everything may be off by 1e-4. Strictly correct
    /// is what needs no more than 1e-7.
    Of2025Small,
    /// As before; strictly correct is what needs no tolerance at all and lists the outputs exactly.
    Of2025Zero,
}

/// How a file is judged. The words are the competition's.
#[derive(Debug, Clone, PartialEq)]
pub enum Class {
    /// A strict counterexample: proves `sat`.
    Correct,
    /// Scored, but proves nothing.
    WithinTolerance,
    /// The point does not violate the property.
    NotViolated,
    /// Another number of values than the network has inputs.
    WrongShape {
        /// How many there are.
        listed: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The tensors do not match their declarations (2.0); a file that cannot be read is none at all.
    Mismatch(String),
    /// The listed outputs are not those of the network (2025).
    OutputsDiffer {
        /// The largest difference, relative to the largest listed output.
        relative: f64,
    },
    /// `sat` without a counterexample.
    NoCounterexample,
    /// The file claims something else.
    NoClaim(String),
}

impl Class {
    /// The competition's word.
    pub fn word(&self) -> String {
        match self {
            Self::Correct => "correct".into(),
            Self::WithinTolerance => "correct_up_to_tolerance".into(),
            Self::NotViolated => "incorrect:spec_not_violated".into(),
            Self::WrongShape { .. } => "incorrect:wrong_shape".into(),
            Self::Mismatch(_) => "incorrect:malformed_ce".into(),
            Self::OutputsDiffer { .. } => "incorrect:exec_doesnt_match".into(),
            Self::NoCounterexample => "incorrect:no_ce".into(),
            Self::NoClaim(word) => format!("no_witness:{word}"),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::WrongShape { listed, wanted } => {
                vec![format!("{listed} inputs are listed, the network has {wanted}")]
            }
            Self::Mismatch(what) => vec![what.clone()],
            Self::OutputsDiffer { relative } if relative.is_infinite() => {
                vec!["the outputs are not listed".to_owned()]
            }
            Self::OutputsDiffer { relative } => {
                vec![format!("the listed outputs are off by {relative:.1e} of the largest one")]
            }
            Self::NoCounterexample => vec!["the file claims sat and lists no counterexample".to_owned()],
            Self::Correct | Self::WithinTolerance | Self::NotViolated | Self::NoClaim(_) => Vec::new(),
        }
    }
}

/// The verdict with what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The verdict.
    pub class: Class,
    /// Assertions that do not hold exactly: listed decimals against the property's, replayed outputs unrounded. Such
    /// a file can still be correct, because judges round.
    pub unmet: Vec<Unmet>,
    /// Whether the verdict hangs on the last bits: in double precision it is another one, or the property is violated
    /// by less than engines differ. The judge's own replay may then come out otherwise.
    pub fragile: bool,
    /// The largest absolute difference between listed and replayed outputs; `None` where none are listed.
    pub output_error: Option<f64>,
    /// Listed values that are no finite numbers, and whatever else is odd about the file.
    pub remarks: Vec<String>,
    /// Whether all listed inputs are finite numbers; others satisfy nothing exactly.
    pub finite: bool,
}

impl Report {
    fn only(class: Class) -> Self {
        Self {
            class,
            unmet: Vec::new(),
            fragile: false,
            output_error: None,
            remarks: Vec::new(),
            finite: true,
        }
    }

    /// What led to the verdict, one line each.
    pub fn details(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let mut details = self.class.details();
        details.extend(self.remarks.iter().cloned());
        if self.fragile {
            details.push("fragile: another engine's rounding may change the verdict".to_owned());
        }
        if let Some(error) = self.output_error {
            details.push(format!("listed and replayed outputs differ by at most {error:.1e}"));
        }
        details.extend(self.unmet.iter().take(SHOWN).map(|unmet| format!("exactly: {unmet}")));
        if self.unmet.len() > SHOWN {
            details.push(format!("exactly: {} more assertions do not hold", self.unmet.len() - SHOWN));
        }
        details
    }
}

/// Judges a file.
///
/// # Errors
/// If the network cannot be run.
pub fn check(replay: &Replay, reading: &Reading, year: Year) -> Result<Report, ReplayError> {
    let mut report = judged(replay, reading, year)?;
    report.remarks.extend(reading.remarks.iter().cloned());
    Ok(report)
}

fn judged(replay: &Replay, reading: &Reading, year: Year) -> Result<Report, ReplayError> {
    let query = replay.query();
    if let Claim::Other(word) = &reading.claim {
        return Ok(Report::only(Class::NoClaim(word.clone())));
    }
    let Some(listed) = &reading.assignment else { return Ok(Report::only(Class::NoCounterexample)) };
    let lists = match by_tensor(query, listed) {
        Ok(lists) => lists,
        Err(class) => return Ok(Report::only(class)),
    };
    let given: Vec<Vec<f64>> = lists.iter().map(|values| values.floats.clone()).collect();
    let held = replay.rounded(given.clone());
    // The judges use ONNX Runtime: where it is at hand, it decides.
    let run = match replay.run_in_runtime(held.clone()) {
        Some(run) => run?,
        None => replay.run(held.clone(), Precision::Model)?,
    };
    let class = match year {
        Year::Of2026 => class_2026(replay, &run),
        Year::Of2025Small => class_2025(query, &given, &run, (1e-7, 1e-6)),
        Year::Of2025Zero => class_2025(query, &given, &run, (0.0, 0.0)),
    };
    let fragile = match (year, &class) {
        (Year::Of2026, Class::Correct | Class::WithinTolerance | Class::NotViolated) => {
            let double = replay.run(held, Precision::Double)?;
            let hangs = excess(query, &Twice { model: &run, double: &double }) < 0.0;
            class_2026(replay, &double) != class || class == Class::Correct && hangs
        }
        _ => false,
    };
    let unmet = unmet(query, &lists, &run);
    let remarks = not_finite(query, &given);
    let inputs = query.tensors().iter().zip(&given).filter(|(tensor, _)| tensor.role() == Role::Input);
    let finite = inputs.flat_map(|(_, values)| values).all(|value| value.is_finite());
    Ok(Report { class, unmet, fragile, output_error: output_error(query, &given, &run), remarks, finite })
}

/// What a correct counterexample rests on; `None` where it holds only as a judge rounds.
pub fn certainty(query: &Query, models: &[Arc<Model>], reading: &Reading) -> Option<Certainty> {
    let listed = listed_inputs(query, reading.assignment.as_ref()?)?;
    let validator = Validator::new(query.clone(), models.iter().cloned()).ok()?;
    match validator.validate(&listed, &BTreeMap::new()) {
        Validation::Confirmed(witness) | Validation::Thin(witness) => Some(witness.certainty()),
        Validation::Rejected(_) => None,
    }
}

/// Listed values that are no finite numbers: what they are, and what that means.
fn not_finite(query: &Query, given: &[Vec<f64>]) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut remarks = Vec::new();
    let mut more = 0;
    for (tensor, values) in query.tensors().iter().zip(given) {
        let is_input = tensor.role() == Role::Input;
        for (at, value) in values.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
            if remarks.len() == SHOWN {
                more += 1;
                continue;
            }
            let name = match query.version() {
                Version::V1 => format!("{}_{at}", tensor.name()),
                Version::V2 { .. } => format!("{}[{at}]", tensor.name()),
            };
            let why = match (value.is_nan(), is_input) {
                (true, true) => "satisfies no bound",
                (false, true) => "no input set reaches so far",
                (_, false) => {
                    "the network gives such a value for inputs that are too large, or the tool has failed"
                }
            };
            remarks.push(format!(
                "{name} is listed as {}, which is no finite number: {why}",
                value.to_string().to_lowercase()
            ));
        }
    }
    if more > 0 {
        remarks.push(format!("{more} more values are no finite numbers"));
    }
    remarks
}

/// The listed values of all inputs in declaration order; `None` if they do not fit the query.
pub fn listed_inputs(query: &Query, listed: &Listed) -> Option<Vec<f64>> {
    let lists = by_tensor(query, listed).ok()?;
    let inputs = query.tensors().iter().zip(lists).filter(|(tensor, _)| tensor.role() == Role::Input);
    Some(inputs.flat_map(|(_, values)| values.floats.iter().copied()).collect())
}

/// The listed values in declaration order; lists of outputs may be empty in the first form.
fn by_tensor<'a>(query: &Query, listed: &'a Listed) -> Result<Vec<&'a Values>, Class> {
    match (query.version(), listed) {
        (Version::V1, Listed::Pairs { inputs, outputs }) => {
            let wanted: usize = sizes(query, Role::Input);
            if inputs.floats.len() != wanted {
                return Err(Class::WrongShape { listed: inputs.floats.len(), wanted });
            }
            let of = |tensor: &vnnlib::Tensor| if tensor.role() == Role::Input { inputs } else { outputs };
            Ok(query.tensors().iter().map(of).collect())
        }
        (Version::V2 { .. }, Listed::Tensors(tensors)) => {
            if tensors.len() != query.tensors().len() {
                let (has, wanted) = (tensors.len(), query.tensors().len());
                return Err(Class::Mismatch(format!("{has} tensors are listed, {wanted} are declared")));
            }
            let pairs = tensors.iter().zip(query.tensors());
            pairs.map(|(listed, tensor)| matching(listed, tensor).map(|()| &listed.values)).collect()
        }
        (Version::V1, Listed::Tensors(_)) => {
            Err(Class::Mismatch("tensors are listed, the property wants pairs such as `(X_0 0.5)`".into()))
        }
        (Version::V2 { .. }, Listed::Pairs { .. }) => {
            Err(Class::Mismatch("pairs are listed, the property wants tensors".into()))
        }
    }
}

fn sizes(query: &Query, role: Role) -> usize {
    query.tensors().iter().filter(|tensor| tensor.role() == role).map(vnnlib::Tensor::len).sum()
}

fn matching(listed: &super::read::ListedTensor, tensor: &vnnlib::Tensor) -> Result<(), Class> {
    let fail = |what: String| Err(Class::Mismatch(format!("line {}: {what}", listed.line)));
    let (declared, written) = (tensor.element_type(), listed.element_type.to_ascii_lowercase());
    if listed.name != tensor.name() {
        return fail(format!("tensor {} is listed where {} is declared", listed.name, tensor.name()));
    }
    if listed.shape != tensor.shape() {
        let name = tensor.name();
        return fail(format!("{name} has the shape {:?}, not {:?}", listed.shape, tensor.shape()));
    }
    let is_float = declared.is_real_valued();
    if written != declared.name() && !(is_float && written == "real") {
        return fail(format!("{} has the type {}, not {declared}", tensor.name(), listed.element_type));
    }
    Ok(())
}

fn class_2026(replay: &Replay, run: &[Vec<f64>]) -> Class {
    let (query, element) = (replay.query(), replay.element());
    if Rules::strict_2026(element).holds(query, run) {
        Class::Correct
    } else if Rules::lenient_2026(element).holds(query, run) {
        Class::WithinTolerance
    } else {
        Class::NotViolated
    }
}

fn class_2025(query: &Query, given: &[Vec<f64>], run: &[Vec<f64>], strict: (f64, f64)) -> Class {
    let (tolerance, relative_tolerance) = strict;
    let relative = match outputs(query, given, run) {
        Some(pairs) => relative_difference(&pairs),
        None => f64::INFINITY,
    };
    if relative > 1e-3 {
        return Class::OutputsDiffer { relative };
    }
    if !Rules::of_2025(1e-4).holds(query, given) {
        return Class::NotViolated;
    }
    if relative <= relative_tolerance && Rules::of_2025(tolerance).holds(query, given) {
        Class::Correct
    } else {
        Class::WithinTolerance
    }
}

/// Listed and replayed outputs in pairs, if all are listed.
fn outputs(query: &Query, given: &[Vec<f64>], run: &[Vec<f64>]) -> Option<Vec<(f64, f64)>> {
    let mut pairs = Vec::new();
    for (tensor, (given, run)) in query.tensors().iter().zip(given.iter().zip(run)) {
        if tensor.role() != Role::Input {
            if given.len() != run.len() {
                return None;
            }
            pairs.extend(given.iter().copied().zip(run.iter().copied()));
        }
    }
    Some(pairs)
}

fn relative_difference(pairs: &[(f64, f64)]) -> f64 {
    let largest = pairs.iter().map(|(listed, _)| listed.abs()).fold(0.0, f64::max);
    let difference = pairs.iter().map(|(listed, run)| (listed - run).abs()).fold(0.0, f64::max);
    if largest < 1e-6 { 0.0 } else { difference / largest }
}

fn output_error(query: &Query, given: &[Vec<f64>], run: &[Vec<f64>]) -> Option<f64> {
    let pairs = outputs(query, given, run)?;
    let difference = |(listed, run): &(f64, f64)| {
        // What is no number is as far off as anything can be; two equal infinities are not apart.
        let apart = if listed == run { 0.0 } else { (listed - run).abs() };
        if apart.is_nan() { f64::INFINITY } else { apart }
    };
    Some(pairs.iter().map(difference).fold(0.0, f64::max))
}

/// Assertions that fail exactly. Numbers that are no plain decimals (`.5`, `inf`) count as their doubles.
fn unmet(query: &Query, lists: &[&Values], run: &[Vec<f64>]) -> Vec<Unmet> {
    let exact = |(tensor, values): (&vnnlib::Tensor, &&Values)| {
        let plain = values.decimals.iter().all(|decimal| vnnlib::Numeral::new(decimal).is_ok());
        if tensor.role() == Role::Input && plain { values.decimals.clone() } else { Default::default() }
    };
    let decimals: Vec<_> = query.tensors().iter().zip(lists).map(exact).collect();
    let violations = query.violations(&Printed { decimals: &decimals, floats: run });
    Unmet::all(query, &violations.unwrap_or_default())
}
