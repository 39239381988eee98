//! Candidate to witness: every check that stands between a point that the fast engine likes and the word `sat`.
//!
//! In order: the inputs are printed (shortest decimals of the values widened to double; a bound's own decimal where
//! no number of the network's type lies in the interval) and read back; the reference engine runs on what was read,
//! in the model's type, in double (then rounded to the outputs' type, if need be), and where the margin is thin with sums
//! formed in another order; each result must satisfy the query exactly, decimals against
//! decimals, outputs as they are or as they are printed; the
//! judges' own arithmetic must agree; and the margin is measured.
//!
//! A point at which every permitted computation violates ([`certificate`](crate::certificate)) needs no second precision: it is
//! certified, however thin it is.
//!
//! Inputs that an equality with outputs determines (`follow`) are solved for in ONNX Runtime where that is at hand, else in the
//! plain engine: there the equality holds as printed. Another computation may end in another last digit. If one does, the witness
//! has to violate in it with its own solution, and is thin unless ONNX Runtime has decided.
//!
//! Where kernels for bytes may compute otherwise (`reference::byte_kernels`), a witness says whether it holds there, too: ONNX means
//! another number, but a judge may compute this one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use vnnlib::{Assignment, EvaluateError, Numeral, Query, Role, Value, Variable, Version};

use super::decimals::Decimals;
use super::follow::{Followed, Solved};
use super::judge::Rules;
use super::replay::{Replay, ReplayError};
use super::robustness::{Twice, excess, leaves_no_room};
use crate::certificate::{Enclosure, certify};
use crate::onnx::Model;
use crate::property::layout::Layout;
use crate::reference::{ByteKernels, Precision};

/// A counterexample that has passed every check. Only [`Validator::validate`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    version: Version,
    tensors: Vec<WitnessTensor>,
    excess: f64,
    certified: bool,
    /// Whether what could be asked to agree did: ONNX Runtime, or another order of the sums where the property leaves no room
    /// for a margin.
    agreed: bool,
    lost: Lost,
}

/// In which kernels for bytes a witness is none: the worse, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// It is one in all of them.
    Nowhere,
    /// In those that saturate: ONNX Runtime on x86 without VNNI.
    Saturating,
    /// In fused ones: wherever ONNX Runtime's optimiser is on.
    Fused,
}

/// What a witness rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Every permitted computation violates the property.
    Certified,
    /// Several do, with a margin that no other should eat up; or ONNX Runtime does; or the property leaves no room for a margin,
    /// and sums in two orders agree to the last digit.
    Replayed,
    /// Several do, with less than that.
    Thin,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certified => "certified",
            Self::Replayed => "replayed",
            Self::Thin => "thin",
        })
    }
}

/// One declared tensor of a witness.
#[derive(Debug, Clone, PartialEq)]
pub struct WitnessTensor {
    name: String,
    element_type: vnnlib::ElementType,
    shape: Vec<u32>,
    values: Decimals,
}

impl Witness {
    /// The version of the language that the property is written in, which decides the form of the file.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All tensors in declaration order.
    pub fn tensors(&self) -> &[WitnessTensor] {
        &self.tensors
    }

    /// By how much the margin exceeds what other engines' rounding may cost; negative for a thin witness.
    pub fn excess(&self) -> f64 {
        self.excess
    }

    /// Where it is none, because kernels for bytes compute otherwise than ONNX means.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// What it rests on.
    pub fn certainty(&self) -> Certainty {
        match self {
            Self { certified: true, .. } => Certainty::Certified,
            Self { excess, agreed, .. } if *agreed || *excess >= 0.0 => Certainty::Replayed,
            _ => Certainty::Thin,
        }
    }
}

impl WitnessTensor {
    /// All tensors of a query with these inputs, in declaration order, as shortest decimals; outputs are left empty.
    pub(crate) fn of_inputs(query: &Query, inputs: &[f64]) -> Vec<Self> {
        let mut rest = inputs.iter();
        let list = |tensor: &vnnlib::Tensor| {
            let mut list = Decimals::default();
            if tensor.role() == Role::Input {
                rest.by_ref().take(tensor.len()).for_each(|&x| list.push_shortest(x));
            }
            list
        };
        labelled(query, query.tensors().iter().map(list).collect())
    }

    /// The declared name; `X` or `Y` in VNN-LIB 1.0.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The declared element type.
    pub fn element_type(&self) -> vnnlib::ElementType {
        self.element_type
    }

    /// The declared shape.
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// The values as printed, row-major.
    pub fn values(&self) -> &Decimals {
        &self.values
    }
}

/// What validation says of a candidate.
#[derive(Debug)]
pub enum Validation {
    /// A witness with a margin that no other engine's rounding should eat up.
    Confirmed(Witness),
    /// A witness that holds with zero tolerance everywhere, but by less than that.
    Thin(Witness),
    /// No witness.
    Rejected(Rejection),
}

/// Why a candidate is no witness.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// It has another number of inputs than the query.
    #[error("the candidate has {has} inputs, the property declares {declared}")]
    Length {
        /// Inputs of the candidate.
        has: usize,
        /// Inputs of the property.
        declared: usize,
    },
    /// An input is NaN, infinite, or no number of the network's type.
    #[error("input {0} is no finite number of the network's type")]
    NotRepresentable(usize),
    /// The replay failed.
    #[error("the replay failed: {0}")]
    Replay(#[from] ReplayError),
    /// The replay gave NaN or an infinity, or a number too large for exact arithmetic.
    #[error("{run}: {error}")]
    NotEvaluable {
        /// Which run.
        run: Run,
        /// Why.
        error: EvaluateError,
    },
    /// The replay gave NaN or an infinity for an output that the property does not speak about.
    #[error("the replay gave an output that is not finite")]
    NotFinite,
    /// The point does not violate the property.
    #[error("{run}: {unmet}")]
    NotViolated {
        /// Which run.
        run: Run,
        /// The assertion that fails.
        unmet: Unmet,
    },
    /// It does, but not as a judge of the competition computes.
    #[error("the judge of {0} would not accept it")]
    Judge(u16),
}

/// Which evaluation a rejection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The reference engine in the model's type.
    Model,
    /// The reference engine in the model's type, with sums formed in another order.
    Fused,
    /// The reference engine as kernels for bytes compute.
    Bytes,
    /// The reference engine in double precision.
    Double,
    /// ONNX Runtime.
    Runtime,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "replayed in the model's type",
            Self::Fused => "replayed with fused multiply-adds",
            Self::Bytes => "replayed as kernels for bytes compute",
            Self::Double => "replayed in double precision",
            Self::Runtime => "replayed in ONNX Runtime",
        })
    }
}

/// An assertion that does not hold: where and by how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    /// File, line and column of the comparison that decides.
    pub place: String,
    /// Its text, shortened.
    pub text: String,
    /// How far its sides are apart.
    pub amount: f64,
}

impl Unmet {
    /// A violation, in words.
    pub(super) fn of(query: &Query, violation: &vnnlib::Violation) -> Self {
        Self::at(query, violation, query.line_and_column(violation.comparison))
    }

    /// Many violations: where lines begin is looked up once, as a point may leave thousands of bounds.
    pub(super) fn all(query: &Query, violations: &[vnnlib::Violation]) -> Vec<Self> {
        let text = query.text();
        let line_starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let place = |violation: &vnnlib::Violation| {
            let start = violation.comparison.start();
            let line = line_starts.partition_point(|&line| line <= start);
            let line_start = line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
            let column = text.get(line_start..start).map_or(0, |before| before.chars().count()) + 1;
            Self::at(query, violation, (line, column))
        };
        violations.iter().map(place).collect()
    }

    fn at(query: &Query, violation: &vnnlib::Violation, (line, column): (usize, usize)) -> Self {
        let text = query.text().get(violation.comparison.start()..violation.comparison.end());
        let text = text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let text = match text.char_indices().nth(60) {
            Some((at, _)) => format!("{}...", &text[..at]),
            None => text,
        };
        Self { place: format!("{}:{line}:{column}", query.name()), text, amount: violation.amount }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} does not hold, by {:e}", self.place, self.text, self.amount)
    }
}

/// How non-literal inputs are printed.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Shortest,
    /// All digits. Needed where a bound has more digits than the shortest decimal, so that the value lies inside and
    /// its shortest decimal does not.
    Exact,
}

/// Checks candidates for one query.
pub struct Validator {
    replay: Replay,
    models: Vec<Arc<Model>>,
    followed: Followed,
    /// Made when a candidate needs it; `None` where an operator has no enclosure.
    enclosure: OnceLock<Option<Enclosure>>,
}

impl Validator {
    /// A validator for a query and the models of its networks, in declaration order.
    ///
    /// # Errors
    /// As [`Replay::new`].
    pub fn new(query: Query, models: impl IntoIterator<Item = Arc<Model>>) -> Result<Self, ReplayError> {
        let models: Vec<_> = models.into_iter().collect();
        let replay = Replay::new(query, models.iter().cloned())?;
        Ok(Self { replay, models, followed: Followed::default(), enclosure: OnceLock::new() })
    }

    /// The same without asking what holds in every permitted computation, of networks that are too large for it: an enclosure of
    /// them would take longer to make than a search.
    #[must_use]
    pub fn uncertified(self) -> Self {
        Self { enclosure: OnceLock::from(None), ..self }
    }

    /// The same, with replays whose large products may be dealt out to so many threads.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { replay: self.replay.with_threads(threads), ..self }
    }

    /// The same, for candidates whose inputs that follow from outputs are to be computed.
    #[must_use]
    pub fn following(self, layout: &Layout) -> Self {
        Self { followed: Followed::new(&self.replay, layout), ..self }
    }

    /// Whether certifying is a matter of the point: the networks have an enclosure, and one that a search can afford.
    pub fn can_certify(&self) -> bool {
        self.enclosure.get().is_some_and(|made| made.as_ref().is_some_and(Enclosure::is_affordable))
    }

    /// Whether every permitted computation from these inputs violates the property.
    fn is_certified(&self, held: &[Vec<f64>], printed: &[Decimals]) -> bool {
        let make = || Enclosure::new(self.replay.query(), &self.models).ok();
        let text = |variable: Variable| printed.get(variable.tensor().index())?.get(variable.element());
        self.enclosure.get_or_init(make).as_ref().is_some_and(|enclosure| certify(enclosure, held, &text))
    }

    /// The engines.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Checks a candidate: all inputs of the query in declaration order, as doubles. Where `literals` has an entry,
    /// that decimal is printed and counts instead of the number. What is given for inputs that follow is not read.
    pub fn validate(&self, input: &[f64], literals: &BTreeMap<usize, String>) -> Validation {
        let checked = if self.followed.is_idle() {
            self.check(input, literals)
        } else {
            let solved =
                if self.replay.has_runtime() { Solved::InRuntime } else { Solved::In(Precision::Model) };
            let completed = self.followed.complete(&self.replay, input, literals, solved);
            completed.and_then(|(input, literals)| self.check(&input, &literals))
        };
        match checked {
            Ok(witness) if witness.certainty() == Certainty::Thin => Validation::Thin(witness),
            Ok(witness) => Validation::Confirmed(witness),
            Err(rejection) => Validation::Rejected(rejection),
        }
    }

    fn check(&self, input: &[f64], literals: &BTreeMap<usize, String>) -> Result<Witness, Rejection> {
        let query = self.replay.query();
        let mut printed = self.print_inputs(input, literals, Spelling::Shortest)?;
        let mut read = self.read_back(&printed, input, literals)?;
        let held = self.replay.rounded(read.clone());
        let model = self.replay.run(held.clone(), Precision::Model)?;
        let decides = !self.replay.has_runtime() || self.followed.is_idle();
        // Whether the plain engine ends in the very digits that inputs follow from, and so do others.
        let mut is_same = true;
        if self.satisfies(&printed, &model, Run::Model).is_err() {
            printed = self.print_inputs(input, literals, Spelling::Exact)?;
            read = self.read_back(&printed, input, literals)?;
            if let Err(rejection) = self.satisfies(&printed, &model, Run::Model) {
                let other = Some(Precision::Model).filter(|_| !decides);
                self.follows(input, literals, other, Run::Model).ok_or(rejection)??;
                is_same = false;
            }
        }
        let certified = self.is_certified(&held, &printed);
        let lost = self.lost(&printed, &held)?;
        let double = self.replay.run(held.clone(), Precision::Double)?;
        if !certified && self.satisfies(&printed, &double, Run::Double).is_err() {
            // An output that is wanted to the last digit has it only in the type that outputs have.
            let rounded = self.satisfies(&printed, &self.replay.rounded_outputs(double.clone()), Run::Double);
            if let Err(rejection) = rounded {
                self.follows(input, literals, Some(Precision::Double), Run::Double).ok_or(rejection)??;
                is_same = false;
            }
        }
        let runtime = self.replay.run_in_runtime(held.clone()).transpose()?;
        if let Some(runtime) = &runtime {
            self.satisfies(&printed, runtime, Run::Runtime)?;
        }
        let judge = Rules::strict_2026(self.replay.element());
        if ![Some(&model).filter(|_| decides || is_same), runtime.as_ref()]
            .into_iter()
            .flatten()
            .all(|run| judge.holds(query, run))
        {
            return Err(Rejection::Judge(2026));
        }
        let listed = with_inputs(query, &read, &model);
        if query.version() == Version::V1 && !Rules::of_2025(0.0).holds(query, &listed) {
            return Err(Rejection::Judge(2025));
        }
        let listed_double = with_inputs(query, &read, &double);
        let twice = Twice { model: &listed, double: &listed_double };
        let excess = excess(query, &twice);
        let mut agreed = false;
        if !certified && excess < 0.0 && runtime.is_none() {
            // Where the last digits decide, another order of the sums has to agree.
            let fused = self.satisfies(&printed, &self.replay.run(held, Precision::Fused)?, Run::Fused);
            if let Err(rejection) = fused {
                self.follows(input, literals, Some(Precision::Fused), Run::Fused).ok_or(rejection)??;
                is_same = false;
            }
            agreed = is_same && leaves_no_room(query, &twice);
        }
        for (tensor, outputs) in printed.iter_mut().zip(&model).filter(|(printed, _)| printed.is_empty()) {
            if !outputs.iter().all(|value| value.is_finite()) {
                return Err(Rejection::NotFinite);
            }
            outputs.iter().for_each(|&value| tensor.push_shortest(value));
        }
        Ok(Witness {
            version: query.version(),
            tensors: labelled(query, printed),
            excess,
            certified,
            agreed: agreed || runtime.is_some(),
            lost,
        })
    }

    /// Whether the point violates in a computation with what inputs follow from there; `None` if none follow, or there is none.
    fn follows(
        &self,
        input: &[f64],
        literals: &BTreeMap<usize, String>,
        precision: Option<Precision>,
        run: Run,
    ) -> Option<Result<(), Rejection>> {
        let precision = precision.filter(|_| !self.followed.is_idle())?;
        let checked = || {
            let solved = Solved::In(precision);
            let (input, literals) = self.followed.complete(&self.replay, input, literals, solved)?;
            let printed = self.print_inputs(&input, &literals, Spelling::Exact)?;
            let held = self.replay.rounded(self.read_back(&printed, &input, &literals)?);
            let values = self.replay.rounded_outputs(self.replay.run(held, precision)?);
            self.satisfies(&printed, &values, run)
        };
        Some(checked())
    }

    /// In which kernels for bytes a witness is none.
    fn lost(&self, printed: &[Decimals], held: &[Vec<f64>]) -> Result<Lost, Rejection> {
        if !self.replay.may_differ_in_bytes() {
            return Ok(Lost::Nowhere);
        }
        for (kernels, lost) in
            [(ByteKernels::Fused, Lost::Fused), (ByteKernels::Saturating, Lost::Saturating)]
        {
            let run = self.replay.run(held.to_vec(), Precision::Bytes(kernels))?;
            if self.satisfies(printed, &run, Run::Bytes).is_err() {
                return Ok(lost);
            }
        }
        Ok(Lost::Nowhere)
    }

    /// One list a tensor; those of outputs stay empty.
    fn print_inputs(
        &self,
        input: &[f64],
        literals: &BTreeMap<usize, String>,
        spelling: Spelling,
    ) -> Result<Vec<Decimals>, Rejection> {
        let tensors = self.replay.query().tensors();
        let is_input = |tensor: &vnnlib::Tensor| tensor.role() == Role::Input;
        let declared = tensors.iter().filter(|t| is_input(t)).map(vnnlib::Tensor::len).sum();
        if declared != input.len() {
            return Err(Rejection::Length { has: input.len(), declared });
        }
        let mut numbered = input.iter().copied().enumerate();
        let mut lists = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let mut list = Decimals::default();
            if is_input(tensor) {
                list = Decimals::with_capacity(tensor.len());
                for (index, x) in numbered.by_ref().take(tensor.len()) {
                    match literals.get(&index) {
                        Some(literal) => list.push(literal),
                        None if !x.is_finite() => return Err(Rejection::NotRepresentable(index)),
                        None if spelling == Spelling::Exact => list.push_exact(x),
                        None => list.push_shortest(x),
                    }
                }
            }
            lists.push(list);
        }
        Ok(lists)
    }

    /// What a reader gets from the printed text: doubles. Everything but a literal must be the candidate's number.
    fn read_back(
        &self,
        printed: &[Decimals],
        input: &[f64],
        literals: &BTreeMap<usize, String>,
    ) -> Result<Vec<Vec<f64>>, Rejection> {
        let parse = |decimal: &str| decimal.parse::<f64>().unwrap_or(f64::NAN);
        let read: Vec<Vec<f64>> = printed.iter().map(|list| list.iter().map(parse).collect()).collect();
        let held = self.replay.rounded(read.clone());
        for (index, (held, wanted)) in held.iter().flatten().zip(input).enumerate() {
            let same = held.to_bits() == wanted.to_bits();
            if !held.is_finite() || !same && !literals.contains_key(&index) {
                return Err(Rejection::NotRepresentable(index));
            }
        }
        Ok(read)
    }

    fn satisfies(&self, printed: &[Decimals], run: &[Vec<f64>], which: Run) -> Result<(), Rejection> {
        let query = self.replay.query();
        let point = Printed { decimals: printed, floats: run };
        let not_evaluable = |error| Rejection::NotEvaluable { run: which, error };
        if query.holds(&point).map_err(not_evaluable)? {
            return Ok(());
        }
        // A file that asks for the output -2.607189655303955 means the float that is printed like this, whose exact value
        // has more digits.
        if query.holds(&Printed { decimals: &with_outputs(query, printed, run), floats: run }) == Ok(true) {
            return Ok(());
        }
        let violations = query.violations(&point).map_err(not_evaluable)?;
        match violations.first() {
            Some(violation) => Err(Rejection::NotViolated { run: which, unmet: Unmet::of(query, violation) }),
            None => Ok(()),
        }
    }
}

/// The printed inputs, and the outputs as they will be printed.
fn with_outputs(query: &Query, inputs: &[Decimals], run: &[Vec<f64>]) -> Vec<Decimals> {
    let print = |((tensor, input), run): ((&vnnlib::Tensor, &Decimals), &Vec<f64>)| {
        if tensor.role() == Role::Input {
            return input.clone();
        }
        let mut list = Decimals::with_capacity(run.len());
        run.iter().for_each(|&value| list.push_shortest(value));
        list
    };
    query.tensors().iter().zip(inputs).zip(run).map(print).collect()
}

/// A replayed point with other input lists.
fn with_inputs(query: &Query, inputs: &[Vec<f64>], run: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let lists = query.tensors().iter().zip(inputs).zip(run);
    lists
        .map(|((tensor, input), run)| (if tensor.role() == Role::Input { input } else { run }).clone())
        .collect()
}

fn labelled(query: &Query, lists: Vec<Decimals>) -> Vec<WitnessTensor> {
    let label = |(tensor, values): (&vnnlib::Tensor, Decimals)| WitnessTensor {
        name: tensor.name().to_owned(),
        element_type: tensor.element_type(),
        shape: tensor.shape().to_vec(),
        values,
    };
    query.tensors().iter().zip(lists).map(label).collect()
}

/// A point whose inputs are the printed decimals and whose outputs are floats.
pub(super) struct Printed<'a> {
    pub(super) decimals: &'a [Decimals],
    pub(super) floats: &'a [Vec<f64>],
}

impl Assignment for Printed<'_> {
    fn value(&self, variable: Variable) -> Option<Value<'_>> {
        let (tensor, element) = (variable.tensor().index(), variable.element());
        match self.decimals.get(tensor).and_then(|list| list.get(element)) {
            Some(decimal) => Numeral::new(decimal).ok().map(Value::Decimal),
            None => self.floats.get(tensor)?.get(element).map(|&float| Value::Float(float)),
        }
    }
}
