//! The paper's method is open to several readings. A [`PaperReading`] is one choice for each of its questions, each by name:
//! `phases=free,order=direct,targets=elastic`.

use std::fmt;
use std::str::FromStr;

use super::marking::Marking;
use super::pullback::PullbackObjective;
use super::targets::Targets;
use crate::network::layered::Extent;
use crate::patching::ChangeNorm;

/// How the method is to be understood, where the paper offers or leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperReading {
    /// How the phases of neurons are treated.
    pub phases: PhaseTreatment,
    /// Which layer is changed first.
    pub order: LayerOrder,
    /// What an earlier layer, and at last the input, has to bring about.
    pub targets: Targets,
    /// Whether the method goes on from the input that it has found.
    pub shots: Shots,
    /// What is to be small about a patch.
    pub objective: ChangeNorm,
    /// The largest change of a weight, over 0; infinite for no limit.
    pub alpha: f64,
    /// Where marks come from; they fix the signs of the changes, and what marked targets may overshoot.
    pub marks: Marking,
    /// What is to be small about the change of the input.
    pub inputs: PullbackObjective,
    /// By how much each row of the property is to hold under the patch, in units of the outputs; at least 0.
    pub margin: f64,
    /// Linear programs of a branch and bound over all phases that follows each patch.
    pub proof: usize,
}

/// How the programs of a patch treat activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseTreatment {
    /// Exactly: `max(0, ·)` as in Eqns. 6 to 11, and so every piecewise-linear one. Where one is smooth, all are as
    /// [`Tangent`](Self::Tangent).
    Free,
    /// Every neuron stays on the piece of its activation that it is on at the input.
    Held,
    /// And behind the changed layer, active neurons may only increase and inactive ones only decrease.
    Monotone,
    /// Linear bounds over what the neurons do on a class of inputs ("Overcoming a Methodological Limitation").
    Approximated,
    /// Linear bounds over what the neurons can do on the whole box.
    ApproximatedBox,
    /// Every activation is its tangent, read again from the patched network until that does what it should.
    Tangent,
}

/// Which layer is changed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerOrder {
    /// Algorithm 1: the middle layer, then the middle of what is in front of it, down to the first.
    MiddleFirst,
    /// The first layer at once; of a convolutional network the first behind the last convolution (footnote 5).
    Direct,
    /// The last layer alone: whatever is in front of it is linearised.
    Last,
}

/// How often patch and pull-back follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shots {
    /// Once, as printed.
    Once,
    /// Again from the input that was found, within a trust region, until the property is violated or nothing improves.
    Iterated,
}

/// Programs of a search that stands for a complete one: on 784-8-16-10 no stage is left open by them.
const COMPLETE: usize = 500;

impl Default for PaperReading {
    /// What the method does unless it is told otherwise, by measurement (`benchmarks/patching.md`).
    fn default() -> Self {
        Self {
            phases: PhaseTreatment::Free,
            order: LayerOrder::Direct,
            targets: Targets::Elastic,
            shots: Shots::Iterated,
            objective: ChangeNorm::Total,
            alpha: f64::INFINITY,
            marks: Marking::Off,
            inputs: PullbackObjective::LeastTotal,
            margin: 1e-4,
            proof: 0,
        }
    }
}

impl PaperReading {
    /// The edge layers that it works on.
    pub fn extent(&self) -> Extent {
        match self.order {
            LayerOrder::MiddleFirst | LayerOrder::Direct => Extent::BehindConvolutions,
            LayerOrder::Last => Extent::Last,
        }
    }

    /// The default with each other way to treat phases and each other order, by name.
    pub fn variants() -> Vec<(String, Self)> {
        let default = Self::default();
        let phases = PHASES.map(|(name, phases)| (format!("phases={name}"), Self { phases, ..default }));
        let orders = ORDERS.map(|(name, order)| (format!("order={name}"), Self { order, ..default }));
        phases.into_iter().chain(orders).collect()
    }

    /// Algorithm 1 and `mod2adv` as they are printed: the middle layer first, once, exact phases by a search that is complete
    /// up to its limit (the paper has a mixed-integer solver), and equalities that the marks relax to inequalities.
    pub fn printed() -> Self {
        Self {
            order: LayerOrder::MiddleFirst,
            targets: Targets::Marked,
            shots: Shots::Once,
            marks: Marking::Paths,
            proof: COMPLETE,
            ..Self::default()
        }
    }
}

/// A text that is no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// A part that is no pair.
    #[error("{0}: not of the form KEY=VALUE (help: the keys are {keys})", keys = keys())]
    Pair(String),
    /// A key that does not exist.
    #[error("there is no key {0} (help: the keys are {keys})", keys = keys())]
    Key(String),
    /// A value that the key does not have.
    #[error("{key}={value}: no such value (help: write {values})")]
    Value {
        /// The key.
        key: &'static str,
        /// What was typed.
        value: String,
        /// What can be typed.
        values: String,
    },
}

const PHASES: [(&str, PhaseTreatment); 6] = [
    ("free", PhaseTreatment::Free),
    ("held", PhaseTreatment::Held),
    ("monotone", PhaseTreatment::Monotone),
    ("approximated", PhaseTreatment::Approximated),
    ("approximated-box", PhaseTreatment::ApproximatedBox),
    ("tangent", PhaseTreatment::Tangent),
];
const ORDERS: [(&str, LayerOrder); 3] =
    [("direct", LayerOrder::Direct), ("middle-first", LayerOrder::MiddleFirst), ("last", LayerOrder::Last)];
const TARGETS: [(&str, Targets); 4] = [
    ("exact", Targets::Exact),
    ("rectified", Targets::Rectified),
    ("marked", Targets::Marked),
    ("elastic", Targets::Elastic),
];
const SHOTS: [(&str, Shots); 2] = [("once", Shots::Once), ("iterated", Shots::Iterated)];
const OBJECTIVES: [(&str, ChangeNorm); 3] =
    [("sum", ChangeNorm::Total), ("largest", ChangeNorm::Largest), ("fewest", ChangeNorm::Fewest)];
const MARKS: [(&str, Marking); 3] =
    [("off", Marking::Off), ("paths", Marking::Paths), ("gradient", Marking::Gradient)];
const INPUTS: [(&str, PullbackObjective); 3] = [
    ("sum", PullbackObjective::LeastTotal),
    ("largest", PullbackObjective::LeastLargest),
    ("fewest", PullbackObjective::FewestInputs),
];
const KEYS: [&str; 10] =
    ["phases", "order", "targets", "shots", "objective", "alpha", "marks", "inputs", "margin", "proof"];

fn keys() -> String {
    KEYS.join(", ")
}

fn named<T: Copy>(key: &'static str, value: &str, names: &[(&str, T)]) -> Result<T, ReadingError> {
    let found = names.iter().find(|(name, _)| *name == value).map(|&(_, meaning)| meaning);
    let all = || names.iter().map(|&(name, _)| name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| ReadingError::Value { key, value: value.to_owned(), values: all() })
}

fn number(key: &'static str, value: &str, holds: fn(f64) -> bool, values: &str) -> Result<f64, ReadingError> {
    let parsed = value.parse::<f64>().ok().filter(|&number| holds(number));
    parsed.ok_or_else(|| ReadingError::Value { key, value: value.to_owned(), values: values.to_owned() })
}

impl FromStr for PaperReading {
    type Err = ReadingError;

    /// Pairs separated by commas; what is not named keeps its default.
    fn from_str(text: &str) -> Result<Self, ReadingError> {
        let mut reading = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if part == "printed" {
                reading = Self::printed();
                continue;
            }
            let (key, value) = part.split_once('=').ok_or_else(|| ReadingError::Pair(part.to_owned()))?;
            let value = value.trim();
            match key.trim() {
                "phases" => reading.phases = named("phases", value, &PHASES)?,
                "order" => reading.order = named("order", value, &ORDERS)?,
                "targets" => reading.targets = named("targets", value, &TARGETS)?,
                "shots" => reading.shots = named("shots", value, &SHOTS)?,
                "objective" => reading.objective = named("objective", value, &OBJECTIVES)?,
                "marks" => reading.marks = named("marks", value, &MARKS)?,
                "inputs" => reading.inputs = named("inputs", value, &INPUTS)?,
                "alpha" => reading.alpha = number("alpha", value, |x| x > 0.0, "a number above 0, or inf")?,
                "margin" => {
                    let holds = |x: f64| x >= 0.0 && x.is_finite();
                    reading.margin = number("margin", value, holds, "a number, 0 or more")?;
                }
                "proof" => {
                    let holds = |x: f64| (0.0..=1e6).contains(&x) && x.fract() == 0.0;
                    reading.proof = number("proof", value, holds, "a whole number up to 1000000")? as usize;
                }
                key => return Err(ReadingError::Key(key.to_owned())),
            }
        }
        Ok(reading)
    }
}

impl fmt::Display for PaperReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn name<T: PartialEq>(value: T, names: &[(&'static str, T)]) -> &'static str {
            names.iter().find(|(_, meaning)| *meaning == value).map_or("", |&(name, _)| name)
        }
        write!(f, "phases={}", name(self.phases, &PHASES))?;
        write!(f, ",order={}", name(self.order, &ORDERS))?;
        write!(f, ",targets={}", name(self.targets, &TARGETS))?;
        write!(f, ",shots={}", name(self.shots, &SHOTS))?;
        write!(f, ",objective={}", name(self.objective, &OBJECTIVES))?;
        write!(f, ",alpha={}", self.alpha)?;
        write!(f, ",marks={}", name(self.marks, &MARKS))?;
        write!(f, ",inputs={}", name(self.inputs, &INPUTS))?;
        write!(f, ",margin={},proof={}", self.margin, self.proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_written_as_they_are_read() {
        let default = PaperReading::default();
        let cases = [
            ("", Ok(default)),
            ("phases=held", Ok(PaperReading { phases: PhaseTreatment::Held, ..default })),
            (
                " order = middle-first , targets=elastic,alpha=0.5",
                Ok(PaperReading {
                    order: LayerOrder::MiddleFirst,
                    targets: Targets::Elastic,
                    alpha: 0.5,
                    ..default
                }),
            ),
            ("printed,marks=off", Ok(PaperReading { marks: Marking::Off, ..PaperReading::printed() })),
            ("margin=0,proof=200", Ok(PaperReading { margin: 0.0, proof: 200, ..default })),
            ("phases", Err("phases: not of the form KEY=VALUE")),
            ("phase=free", Err("there is no key phase")),
            ("phases=freed", Err("phases=freed: no such value (help: write free, held, monotone")),
            ("alpha=0", Err("alpha=0: no such value")),
            ("alpha=nan", Err("alpha=nan: no such value")),
            ("margin=-1", Err("margin=-1: no such value")),
            ("proof=1.5", Err("proof=1.5: no such value")),
        ];
        for (text, want) in cases {
            match (text.parse::<PaperReading>(), want) {
                (Ok(reading), Ok(want)) => {
                    assert_eq!(reading, want, "{text}");
                    assert_eq!(reading.to_string().parse(), Ok(reading), "{text}");
                }
                (Err(error), Err(want)) => assert!(error.to_string().starts_with(want), "{text}: {error}"),
                (got, want) => panic!("{text}: {got:?}, {want:?} is wanted"),
            }
        }
    }
}
