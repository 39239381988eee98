//! What stands at the end of a classical model: its scores turned into what `post_transform` says, one column made into two, and
//! the label of the best class. ONNX says little of it; this is what ONNX Runtime does (1.32, `ml_common.h`). Where that does
//! something else than ONNX says, the model is refused.

use super::writer::Writer;
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

/// The second column of a classifier that has scores for one class only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondScore {
    /// Scores are like probabilities: the other is 1 less the score.
    Complement,
    /// Scores are like distances: the other is the score's opposite.
    Opposite,
}

/// The transform that is asked for, by its name.
pub(super) fn transform<'a>(w: &Writer<'a>) -> Result<&'a str, ModelError> {
    let names = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"];
    // The newest operator gives a number.
    let name = match w.node.attributes.get("post_transform") {
        // ONNX counts in this order, ONNX Runtime has the first two after NONE the other way around.
        Some(Attribute::Int(1 | 2)) => return Err(contradicted(w, "post_transform SOFTMAX or LOGISTIC")),
        Some(Attribute::Int(number)) => {
            usize::try_from(*number).ok().and_then(|number| names.get(number)).copied()
        }
        _ => Some(w.node.string("post_transform")?.unwrap_or("NONE")),
    };
    name.filter(|name| names.contains(name)).ok_or_else(|| w.error("its post_transform does not exist"))
}

/// Scores of two classes or targets and more.
pub(super) fn finished(w: &mut Writer<'_>, scores: &str) -> Result<String, ModelError> {
    Ok(match transform(w)? {
        "SOFTMAX" => w.softmax(scores),
        "LOGISTIC" => w.op("Sigmoid", &[scores]),
        "SOFTMAX_ZERO" => softmax_of_nonzero(w, scores),
        "PROBIT" => probit(w, scores),
        _ => scores.to_owned(),
    })
}

/// What a regressor computes, of one target or of several.
pub(super) fn finished_targets(w: &mut Writer<'_>, y: &str, targets: usize) -> Result<String, ModelError> {
    let name = transform(w)?;
    if targets == 1 && !matches!(name, "NONE" | "PROBIT") {
        return Err(contradicted(w, &format!("post_transform {name} of a single target")));
    }
    finished(w, y)
}

/// What ONNX defines and ONNX Runtime does not do.
pub(super) fn contradicted(w: &Writer<'_>, what: &str) -> ModelError {
    w.error(format!("{what} is not what ONNX Runtime computes"))
        .help("leave post_transform out and put the function behind the model as a node of its own")
}

/// A score as two columns.
pub(super) fn two_columns(
    w: &mut Writer<'_>,
    score: &str,
    second: SecondScore,
) -> Result<String, ModelError> {
    let (first, score) = match (transform(w)?, second) {
        ("LOGISTIC", _) => {
            let opposite = w.op("Neg", &[score]);
            (w.op("Sigmoid", &[&opposite]), w.op("Sigmoid", &[score]))
        }
        ("NONE", SecondScore::Complement) => {
            let one = w.like(1.0, score);
            (w.op("Sub", &[&one, score]), score.to_owned())
        }
        ("NONE", SecondScore::Opposite) => (w.op("Neg", &[score]), score.to_owned()),
        (name, _) => return Err(contradicted(w, &format!("post_transform {name} of a single score"))),
    };
    Ok(w.with("Concat", &[&first, &score], &[("axis", Attribute::Int(1))]))
}

/// The largest or the sum along the last axis, which stays.
pub(super) fn along_last(w: &mut Writer<'_>, operator: &str, x: &str) -> String {
    if w.opset < 18 && !(operator == "ReduceSum" && w.opset >= 13) {
        return w.with(operator, &[x], &[("axes", Attribute::Ints(vec![-1]))]);
    }
    let axes = w.ints(&[-1]);
    w.op(operator, &[x, &axes])
}

/// Scores within 1e-7 of zero take no part: they are only scaled down.
fn softmax_of_nonzero(w: &mut Writer<'_>, scores: &str) -> String {
    let largest = along_last(w, "ReduceMax", scores);
    let below = w.op("Sub", &[scores, &largest]);
    let grown = w.op("Exp", &[&below]);
    let opposite = w.op("Neg", &[&largest]);
    let factor = w.op("Exp", &[&opposite]);
    let scaled = w.op("Mul", &[scores, &factor]);
    let size = w.op("Abs", &[scores]);
    let bound = w.like(1e-7, scores);
    let counts = w.op("Greater", &[&size, &bound]);
    let zero = w.like(0.0, scores);
    let counted = w.op("Where", &[&counts, &grown, &zero]);
    let sum = along_last(w, "ReduceSum", &counted);
    let each = w.op("Where", &[&counts, &grown, &scaled]);
    w.op("Div", &[&each, &sum])
}

/// √2 · erf⁻¹(2x − 1), by the formula of S. Winitzki (2008) that ONNX Runtime takes.
fn probit(w: &mut Writer<'_>, x: &str) -> String {
    let number = |w: &mut Writer<'_>, value: f64| w.like(value, x);
    let (one, two) = (number(w, 1.0), number(w, 2.0));
    let double = w.op("Mul", &[x, &two]);
    let centred = w.op("Sub", &[&double, &one]);
    let (left, right) = (w.op("Sub", &[&one, &centred]), w.op("Add", &[&one, &centred]));
    let product = w.op("Mul", &[&left, &right]);
    let log = w.op("Log", &[&product]);
    let (half, shift) = (number(w, 0.5), number(w, 2.0 / (std::f64::consts::PI * 0.147)));
    let halved = w.op("Mul", &[&log, &half]);
    let moved = w.op("Add", &[&halved, &shift]);
    let factor = number(w, 1.0 / 0.147);
    let scaled = w.op("Mul", &[&log, &factor]);
    let square = w.op("Mul", &[&moved, &moved]);
    let below = w.op("Sub", &[&square, &scaled]);
    let root = w.op("Sqrt", &[&below]);
    let inner = w.op("Sub", &[&root, &moved]);
    let size = w.op("Sqrt", &[&inner]);
    let zero = number(w, 0.0);
    let negative = w.op("Less", &[&centred, &zero]);
    let opposite = w.op("Neg", &[&size]);
    let inverse = w.op("Where", &[&negative, &opposite, &size]);
    let factor = number(w, std::f64::consts::SQRT_2);
    w.op("Mul", &[&inverse, &factor])
}

/// A classifier's labels.
pub(super) struct ClassLabels {
    /// Their numbers; `None` where they are texts.
    numbers: Option<Vec<i64>>,
    /// How many there are.
    pub(super) count: usize,
}

impl ClassLabels {
    /// From an attribute with numbers, else from one with texts.
    pub(super) fn of(w: &Writer<'_>, numbers: &str, texts: &str) -> Result<Self, ModelError> {
        let given = w.node.ints(numbers)?.map(<[i64]>::to_vec);
        let texts = w.node.attributes.get(texts).and_then(|list| match list {
            Attribute::Strings(list) if !list.is_empty() => Some(list.len()),
            _ => None,
        });
        Ok(match texts {
            Some(count) => Self { numbers: None, count },
            None => Self { count: given.as_ref().map_or(0, Vec::len), numbers: given },
        })
    }

    /// Makes the label at a position, one a point, result 0, if it is wanted. Of texts nothing is made: nobody may want them,
    /// and whoever does is told by the reader of the value, which holds texts.
    pub(super) fn give(&self, w: &mut Writer<'_>, position: &str) {
        let Some(labels) = self.numbers.as_ref().filter(|_| w.wants(0)) else { return };
        let labels = w.constant(Tensor::int64(labels.clone()));
        let chosen = w.op("Gather", &[&labels, position]);
        w.give(0, &chosen);
    }

    /// The same of the first largest score.
    pub(super) fn give_best(&self, w: &mut Writer<'_>, scores: &str) {
        let best = first_largest(w, scores);
        self.give(w, &best);
    }

    /// The same of a single score: the second label where it is above a threshold.
    pub(super) fn give_above(&self, w: &mut Writer<'_>, score: &str, threshold: f64) {
        let threshold = w.like(threshold, score);
        let above = w.op("Greater", &[score, &threshold]);
        let position = w.cast(&above, ElementType::Int64);
        let position = w.reshape(&position, &[-1]);
        self.give(w, &position);
    }
}

/// For each row the place of the first of its largest entries.
pub(super) fn first_largest(w: &mut Writer<'_>, scores: &str) -> String {
    w.with("ArgMax", &[scores], &[("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))])
}
