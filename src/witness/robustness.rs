//! Whether a violation would survive another engine's rounding.
//!
//! The judge replays a witness in ONNX Runtime on a machine of its own; at zero tolerance the last bit decides. What
//! engines differ by cannot be bounded, but measured: the outputs in the model's type against those in double. A
//! violation is robust if in one disjunct every comparison holds by at least
//! `Σ |coefficient| · (10 · |f32 − f64| + 1e-6 · |output|)`, each output with at least the average of its tensor
//! (one output alone may agree by luck). On 71 networks ONNX Runtime's own optimiser moves outputs by less than that.

use vnnlib::{Comparison, Event, Formula, LinearRow, Operator, Query, Relation};

use super::judge::{fold, is_input, only_inputs, value_at};

/// How much larger than the difference between the two precisions a margin has to be.
const GAP_FACTOR: f64 = 10.0;
/// And how large in relation to the outputs.
const RELATIVE: f64 = 1e-6;

/// A point, computed twice: one list a tensor, in declaration order. The inputs are the printed decimals as doubles.
pub(super) struct Twice<'a> {
    pub(super) model: &'a [Vec<f64>],
    pub(super) double: &'a [Vec<f64>],
}

/// By how much the margin exceeds what is asked: negative if the violation might be rounding. Positive infinity if
/// the outputs do not matter.
pub(super) fn excess(query: &Query, point: &Twice<'_>) -> f64 {
    let noise = Noise::measure(point);
    let assertions = query.assertions();
    let values = assertions.map(|assertion| {
        fold(assertion.formula(), &mut |comparison| comparison_excess(query, comparison, point, &noise))
    });
    values.fold(f64::INFINITY, f64::min)
}

/// Whether a property leaves no room for a margin: every comparison that holds by too little is an equality of outputs, or one side of
/// a band that is narrower than the noise. A witness cannot be better than to the last digit then.
pub(super) fn leaves_no_room(query: &Query, point: &Twice<'_>) -> bool {
    let noise = Noise::measure(point);
    let mut open: Vec<Formula<'_>> = query.assertions().map(|assertion| assertion.formula()).collect();
    let mut asserted = Vec::new();
    while let Some(formula) = open.pop() {
        match formula {
            Formula::Compare(comparison) => asserted.push(comparison),
            Formula::And(operands) => open.extend(operands),
            // Another operand might leave room.
            Formula::Or(_) => {}
        }
    }
    let rows: Vec<Option<LinearRow>> = asserted.iter().map(|comparison| comparison.linear().ok()).collect();
    let is_tight = |at: usize| {
        let comparison = asserted[at];
        let needed = sides(query, comparison, point, &noise).map_or(0.0, |(a, b)| a.noise + b.noise);
        let band = |row: &LinearRow| {
            let others = rows.iter().flatten().filter_map(|other| band_width(row, other));
            others.fold(f64::INFINITY, f64::min) <= 2.0 * needed
        };
        comparison.relation() == Relation::Equal || rows[at].as_ref().is_some_and(band)
    };
    let thin: Vec<usize> = (0..asserted.len())
        .filter(|&at| comparison_excess(query, asserted[at], point, &noise) < 0.0)
        .collect();
    !thin.is_empty() && thin.into_iter().all(is_tight)
}

/// How wide the band is that two rows about the same sum leave; `None` if they are no band.
fn band_width(row: &LinearRow, other: &LinearRow) -> Option<f64> {
    let is_upper = |row: &LinearRow| match row.relation {
        Relation::Less | Relation::LessEqual => Some(true),
        Relation::Greater | Relation::GreaterEqual => Some(false),
        _ => None,
    };
    let (upper, lower) = match (is_upper(row)?, is_upper(other)?) {
        (true, false) => (row, other),
        (false, true) => (other, row),
        _ => return None,
    };
    let mut pairs = upper.terms.iter().zip(&lower.terms);
    let same =
        upper.terms.len() == lower.terms.len() && pairs.all(|((a, x), (b, y))| a == b && x.value == y.value);
    // Σ + k ≤ 0 and Σ + l ≥ 0 leave k from l.
    same.then_some(lower.constant.value - upper.constant.value)
}

/// What is added to every output's own noise: averages over its tensor.
struct Noise {
    by_tensor: Vec<(f64, f64)>,
}

impl Noise {
    fn measure(point: &Twice<'_>) -> Self {
        let averages = |(model, double): (&Vec<f64>, &Vec<f64>)| {
            let count = model.len().max(1) as f64;
            let gap: f64 = model.iter().zip(double).map(|(m, d)| (m - d).abs()).sum();
            let size: f64 = double.iter().map(|d| d.abs()).sum();
            (gap / count, size / count)
        };
        Self { by_tensor: point.model.iter().zip(point.double).map(averages).collect() }
    }

    fn of(&self, tensor: usize, model: f64, double: f64) -> f64 {
        let (gap, size) = self.by_tensor.get(tensor).copied().unwrap_or_default();
        GAP_FACTOR * (model - double).abs().max(gap) + RELATIVE * double.abs().max(size)
    }
}

/// A term in both precisions, and how far another engine's value may be.
#[derive(Clone, Copy)]
struct NoisyValue {
    model: f64,
    double: f64,
    noise: f64,
}

fn comparison_excess(query: &Query, comparison: Comparison<'_>, point: &Twice<'_>, noise: &Noise) -> f64 {
    let Some((left, right)) = sides(query, comparison, point, noise) else { return f64::NEG_INFINITY };
    let gaps = [right.model - left.model, right.double - left.double];
    if gaps.iter().any(|gap| gap.is_nan()) {
        return f64::NEG_INFINITY;
    }
    let at_least = |turn: fn(f64) -> f64| turn(gaps[0]).min(turn(gaps[1]));
    let slack = match comparison.relation() {
        Relation::LessEqual | Relation::Less => at_least(|gap| gap),
        Relation::GreaterEqual | Relation::Greater => at_least(|gap| -gap),
        Relation::Equal => at_least(|gap| -gap.abs()),
        Relation::NotEqual => at_least(f64::abs),
    };
    if only_inputs(query, comparison.events()) {
        // The caller has checked the inputs exactly; here they only tell which disjunct is meant. Reading decimals as
        // doubles keeps their order, sums of several inputs may be off in the last bits.
        let rounding = 1e-12 * left.double.abs().max(right.double.abs());
        return if slack >= -rounding { f64::INFINITY } else { f64::NEG_INFINITY };
    }
    let excess = slack - left.noise - right.noise;
    if excess.is_nan() { f64::NEG_INFINITY } else { excess }
}

fn sides(
    query: &Query,
    comparison: Comparison<'_>,
    point: &Twice<'_>,
    noise: &Noise,
) -> Option<(NoisyValue, NoisyValue)> {
    let mut stack: Vec<NoisyValue> = Vec::new();
    for event in comparison.events() {
        match event {
            Event::Open(_) | Event::Close { operator: Operator::Compare(_), .. } => {}
            Event::Numeral(numeral) => {
                let value = numeral.nearest_f64();
                stack.push(NoisyValue { model: value, double: value, noise: 0.0 });
            }
            Event::Variable(variable) => {
                let (model, double) = (value_at(point.model, variable), value_at(point.double, variable));
                let noise = match is_input(query, variable) {
                    true => 0.0,
                    false => noise.of(variable.tensor().index(), model, double),
                };
                stack.push(NoisyValue { model, double, noise });
            }
            Event::Close { operator, operands } => {
                let operands = stack.split_off(stack.len().checked_sub(operands)?);
                stack.push(apply(operator, &operands)?);
            }
        }
    }
    let right = stack.pop()?;
    Some((stack.pop()?, right))
}

fn apply(operator: Operator, operands: &[NoisyValue]) -> Option<NoisyValue> {
    let negated = |v: NoisyValue| NoisyValue { model: -v.model, double: -v.double, ..v };
    let sum = |a: NoisyValue, b: NoisyValue| NoisyValue {
        model: a.model + b.model,
        double: a.double + b.double,
        noise: a.noise + b.noise,
    };
    let product = |a: NoisyValue, b: NoisyValue| NoisyValue {
        model: a.model * b.model,
        double: a.double * b.double,
        noise: a.double.abs() * b.noise + b.double.abs() * a.noise + a.noise * b.noise,
    };
    match (operator, operands) {
        (Operator::Negation, [one]) => Some(negated(*one)),
        (Operator::Difference, [first, rest @ ..]) => {
            Some(rest.iter().fold(*first, |so_far, &next| sum(so_far, negated(next))))
        }
        (Operator::Product, _) => operands.iter().copied().reduce(product),
        _ => operands.iter().copied().reduce(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARE: &str = "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";

    fn check(assertion: &str, model: [f64; 2], double: [f64; 2], want: f64) {
        let query = vnnlib::parse(format!("{DECLARE}(assert {assertion})")).unwrap();
        let (model, double) =
            ([vec![0.5], vec![model[0], model[1]]], [vec![0.5], vec![double[0], double[1]]]);
        let got = excess(&query, &Twice { model: &model, double: &double });
        assert!(
            got == want || (got - want).abs() < 1e-12,
            "{assertion} at {model:?} against {double:?}: {got}, not {want}"
        );
    }

    #[test]
    fn margins_are_measured_against_noise() {
        let infinity = f64::INFINITY;
        // Gap 1e-4 for Y_0, 0 for Y_1, average 5e-5; sizes 1 and 3, average 2.
        let (model, double) = ([1.0001, 3.0], [1.0, 3.0]);
        let (first, second) = (1e-3 + 2e-6, 5e-4 + 3e-6);
        check("(>= Y_0 0.5)", model, double, 0.5 - first);
        check("(<= Y_0 Y_1)", model, double, 1.9999 - first - second);
        check("(<= (* 2 Y_0) 2.5)", model, double, 0.4998 - 2.0 * first);
        check("(or (<= Y_0 0) (>= Y_1 2))", model, double, 1.0 - second);
        check("(and (<= X_0 0.5) (>= Y_1 2))", model, double, 1.0 - second);
        check("(or (and (<= X_0 0.4) (>= Y_1 2)) (>= Y_0 1))", model, double, -first);
        check("(<= X_0 1)", model, double, infinity);
        check("(>= X_0 1)", model, double, -infinity);
        check("(= Y_1 3)", model, double, -second);
        check("(<= Y_0 1e9)", [f64::NAN, 0.0], double, -infinity);
    }
}
