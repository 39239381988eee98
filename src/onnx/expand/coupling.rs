//! Probabilities of classes from the scores of pairs of them, as libsvm couples them: T.-F. Wu, C.-J. Lin and R. C. Weng,
//! "Probability estimates for multi-class classification by pairwise coupling", JMLR 5 (2004), second method (algorithm 2). It goes
//! round until the error is below 0.005 / classes, a hundred times at most. Where it ends is seen in the third digit, so that it
//! is written as it stands: a loop whose end is computed, with rows that have ended left as they are.

use super::scores::along_last;
use super::writer::Writer;
use crate::onnx::error::ModelError;
use crate::onnx::model::{Attribute, Graph, ValueInfo};
use crate::onnx::tensor::{ElementType, Tensor};

/// Most rounds.
const ROUNDS: i64 = 100;
/// Probabilities of a pair are kept this far from 0 and 1.
const MARGIN: f64 = 1e-7;
/// Each class has nodes of its own in a round.
const MOST_CLASSES: usize = 200;

/// Numbers `[points, classes]` from scores `[points, pairs]` and the two lists of Platt's sigmoids.
pub(super) fn probabilities(
    w: &mut Writer<'_>,
    scores: &str,
    classes: usize,
    (a, b): (&[f32], &[f32]),
) -> Result<String, ModelError> {
    let pairs = classes * (classes - 1) / 2;
    if a.len() < pairs || b.len() < pairs {
        return Err(w.error(format!("its attributes prob_a and prob_b do not have {pairs} entries")));
    }
    if classes > MOST_CLASSES {
        return Err(w
            .error(format!("probabilities of more than {MOST_CLASSES} classes are not supported"))
            .help("convert the model without probabilities: the scores of pairs are read"));
    }
    let own = |list: &[f32]| list[..pairs].iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let (a, b) = (w.floats(vec![pairs], &own(a)), w.floats(vec![pairs], &own(b)));
    let scaled = w.op("Mul", &[scores, &a]);
    let moved = w.op("Add", &[&scaled, &b]);
    let opposite = w.op("Neg", &[&moved]);
    let chance = w.op("Sigmoid", &[&opposite]);
    let (low, high) = (w.number(MARGIN), w.number(1.0 - MARGIN));
    let chance = w.op("Clip", &[&chance, &low, &high]);
    let matrix = matrix(w, &chance, classes);
    coupled(w, &matrix, classes)
}

/// The matrix Q of the paper, `[points, classes, classes]`: of `r`, the chances of row against column, `Qᵢᵢ = Σ rⱼᵢ²` and
/// `Qᵢⱼ = −rⱼᵢ rᵢⱼ`.
fn matrix(w: &mut Writer<'_>, chance: &str, classes: usize) -> String {
    let pairs = classes * (classes - 1) / 2;
    let (mut spread, mut offset) = (vec![0.0; pairs * classes * classes], vec![0.0; classes * classes]);
    let mut pair = 0;
    for i in 0..classes {
        for j in i + 1..classes {
            spread[pair * classes * classes + i * classes + j] = 1.0;
            spread[pair * classes * classes + j * classes + i] = -1.0;
            offset[j * classes + i] = 1.0;
            pair += 1;
        }
    }
    let spread = w.floats(vec![pairs, classes * classes], &spread);
    let offset = w.floats(vec![classes * classes], &offset);
    let product = w.op("MatMul", &[chance, &spread]);
    let flat = w.op("Add", &[&product, &offset]);
    let r = w.reshape(&flat, &[-1, classes as i64, classes as i64]);
    let turned = w.transpose(&r, &[0, 2, 1]);
    let both = w.op("Mul", &[&r, &turned]);
    let square = w.op("Mul", &[&turned, &turned]);
    let sums = along_last(w, "ReduceSum", &square);
    let unit: Vec<f64> =
        (0..classes * classes).map(|at| f64::from(u8::from(at % (classes + 1) == 0))).collect();
    let unit = w.floats(vec![classes, classes], &unit);
    let diagonal = w.op("Mul", &[&sums, &unit]);
    w.op("Sub", &[&diagonal, &both])
}

/// The loop. Vectors are columns `[points, classes, 1]`.
fn coupled(w: &mut Writer<'_>, matrix: &str, classes: usize) -> Result<String, ModelError> {
    let (round, goes_on, p) = (w.fresh(), w.fresh(), w.fresh());
    let info = |name: &String, element| ValueInfo { name: name.clone(), element, shape: None };
    let inputs = vec![
        info(&round, ElementType::Int64),
        info(&goes_on, ElementType::Bool),
        info(&p, ElementType::Float32),
    ];
    let body = w.body(|w| {
        let (qp, total, worst) = errors(w, matrix, &p);
        let bound = w.number(0.005 / classes as f64);
        let open = w.op("GreaterOrEqual", &[&worst, &bound]);
        let next = moved(w, matrix, &p, &qp, total, classes);
        let kept = w.op("Where", &[&open, &next, &p]);
        let open = w.cast(&open, ElementType::Float32);
        let any = w.with("ReduceMax", &[&open], &[("keepdims", Attribute::Int(0))]);
        let on = w.cast(&any, ElementType::Bool);
        let outputs = vec![info(&on, ElementType::Bool), info(&kept, ElementType::Float32)];
        Ok(Graph { inputs, outputs, ..Graph::default() })
    })?;
    // As many columns as there are points, each class as likely as the others.
    let column = w.slice(matrix, 2, (0, 1), 1);
    let zero = w.number(0.0);
    let nothing = w.op("Mul", &[&column, &zero]);
    let start = w.number(1.0 / classes as f64);
    let start = w.op("Add", &[&nothing, &start]);
    let rounds = w.constant(Tensor { shape: vec![], ..Tensor::int64(vec![ROUNDS]) });
    let last = w.with("Loop", &[&rounds, "", &start], &[("body", Attribute::Graph(body.into()))]);
    Ok(w.reshape(&last, &[-1, classes as i64]))
}

/// `Q p`, `pᵀ Q p` and the largest difference between the two, for each point.
fn errors(w: &mut Writer<'_>, matrix: &str, p: &str) -> (String, String, String) {
    let qp = w.op("MatMul", &[matrix, p]);
    let each = w.op("Mul", &[p, &qp]);
    let total = if w.opset >= 13 {
        let all = w.ints(&[1, 2]);
        w.op("ReduceSum", &[&each, &all])
    } else {
        w.with("ReduceSum", &[&each], &[("axes", Attribute::Ints(vec![1, 2]))])
    };
    let off = w.op("Sub", &[&qp, &total]);
    let size = w.op("Abs", &[&off]);
    let turned = w.transpose(&size, &[0, 2, 1]);
    let worst = along_last(w, "ReduceMax", &turned);
    (qp, total, worst)
}

/// One round: class after class is moved to where its own derivative vanishes, and all are scaled to sum to one.
fn moved(w: &mut Writer<'_>, matrix: &str, p: &str, qp: &str, total: String, classes: usize) -> String {
    let (one, two) = (w.number(1.0), w.number(2.0));
    let (mut p, mut qp, mut total) = (p.to_owned(), qp.to_owned(), total);
    for i in 0..classes {
        let at = (i as i64, i as i64 + 1);
        let column = w.slice(matrix, 2, at, 1);
        let (own, q) = (w.slice(&qp, 1, at, 1), w.slice(&column, 1, at, 1));
        let short = w.op("Sub", &[&total, &own]);
        let step = w.op("Div", &[&short, &q]);
        let unit: Vec<f64> = (0..classes).map(|j| f64::from(u8::from(j == i))).collect();
        let unit = w.floats(vec![classes, 1], &unit);
        let added = w.op("Mul", &[&step, &unit]);
        let grown = w.op("Add", &[&p, &added]);
        let sum = w.op("Add", &[&one, &step]);
        let bent = w.op("Mul", &[&step, &q]);
        let twice = w.op("Mul", &[&two, &own]);
        let slope = w.op("Add", &[&bent, &twice]);
        let change = w.op("Mul", &[&step, &slope]);
        let more = w.op("Add", &[&total, &change]);
        let once = w.op("Div", &[&more, &sum]);
        total = w.op("Div", &[&once, &sum]);
        let pushed = w.op("Mul", &[&step, &column]);
        let together = w.op("Add", &[&qp, &pushed]);
        qp = w.op("Div", &[&together, &sum]);
        p = w.op("Div", &[&grown, &sum]);
    }
    p
}
