//! Intervals of the operators that are neither affine nor functions of one number: comparisons, selections, orders,
//! softmax. Linear bounds take these intervals as constants.

use super::product::product_range;
use super::range::EVERYTHING;
use super::{Bounder, below};
use crate::network::op::{ArgExtreme, BinaryFunction, Op, Pick, Reduce, Reduction, Select, Softmax, TopK};
use crate::network::{Node, shape};

/// Lower and upper end.
type Ends = (f64, f64);

/// Whether [`Bounder::ends`] knows the operator.
pub(super) fn has_ends(op: &Op<f64>) -> bool {
    match op {
        Op::Binary(op) => !matches!(op.0, BinaryFunction::Modulo | BinaryFunction::Remainder),
        Op::Reduce(Reduce { function, .. }) => *function == Reduction::Product,
        Op::Softmax(_) | Op::Select(_) | Op::Pick(_) | Op::ArgExtreme(_) | Op::TopK(_) => true,
        _ => false,
    }
}

impl Bounder<'_> {
    /// Computes the interval of a node from those of its operands.
    pub(super) fn ends(&mut self, node: &Node<f64>) {
        let operand = |i: usize| {
            let from = self.network.node(node.inputs[i]);
            OperandInterval {
                shape: &from.shape,
                lower: &self.lower[from.slot],
                upper: &self.upper[from.slot],
            }
        };
        let ends: Vec<Ends> = match &node.op {
            Op::Binary(op) => binary(op.0, operand(0), operand(1), &node.shape),
            Op::Softmax(op) => softmax(op, operand(0)),
            Op::Select(Select) => select(operand(0), operand(1), operand(2)),
            Op::Pick(op) => pick(op, operand(0), operand(1)),
            Op::ArgExtreme(op) => arg_extreme(op, operand(0)),
            Op::TopK(op) => top(op, operand(0)),
            Op::Reduce(op) => products(op, operand(0)),
            _ => vec![EVERYTHING; node.len()],
        };
        for (i, (low, high)) in ends.into_iter().enumerate() {
            self.lower[node.slot][i] = low;
            self.upper[node.slot][i] = high;
        }
    }
}

/// An operand's shape and interval.
#[derive(Clone, Copy)]
struct OperandInterval<'a> {
    shape: &'a [usize],
    lower: &'a [f64],
    upper: &'a [f64],
}

impl OperandInterval<'_> {
    fn at(&self, i: usize) -> Ends {
        (self.lower[i], self.upper[i])
    }

    /// The flat index that broadcasting to `shape` gives the result's flat index `at`.
    fn place(&self, mut at: usize, shape: &[usize]) -> usize {
        let (mut place, mut step) = (0, 1);
        for (back, &d) in shape.iter().rev().enumerate() {
            let own = self.shape.len().checked_sub(back + 1).map_or(1, |axis| self.shape[axis]);
            place += if own == 1 { 0 } else { at % d * step };
            step *= own;
            at /= d.max(1);
        }
        place
    }
}

fn binary(
    function: BinaryFunction,
    a: OperandInterval<'_>,
    b: OperandInterval<'_>,
    shape: &[usize],
) -> Vec<Ends> {
    (0..shape::len(shape))
        .map(|at| of_pair(function, a.at(a.place(at, shape)), b.at(b.place(at, shape))))
        .collect()
}

fn of_pair(function: BinaryFunction, a: Ends, b: Ends) -> Ends {
    use BinaryFunction::*;
    // From what is certain: whether it holds everywhere, and whether it holds nowhere.
    let truth = |always: bool, never: bool| (f64::from(always), f64::from(!never));
    let is_true = |x: Ends| x.0 > 0.0 || x.1 < 0.0;
    let is_false = |x: Ends| x == (0.0, 0.0);
    match function {
        Add => outward(a.0 + b.0, a.1 + b.1),
        Sub => outward(a.0 - b.1, a.1 - b.0),
        Mul => product_range(a, b),
        Div => quotient(a, b),
        IntegerDiv => {
            let (low, high) = quotient(a, b);
            (low.trunc(), high.trunc())
        }
        Pow => power(a, b),
        Max => (a.0.max(b.0), a.1.max(b.1)),
        Min => (a.0.min(b.0), a.1.min(b.1)),
        Less => truth(a.1 < b.0, a.0 >= b.1),
        LessOrEqual => truth(a.1 <= b.0, a.0 > b.1),
        Greater => truth(a.0 > b.1, a.1 <= b.0),
        GreaterOrEqual => truth(a.0 >= b.1, a.1 < b.0),
        Equal => truth(a.0 == a.1 && a == b, a.1 < b.0 || b.1 < a.0),
        And => truth(is_true(a) && is_true(b), is_false(a) || is_false(b)),
        Or => truth(is_true(a) || is_true(b), is_false(a) && is_false(b)),
        Xor => truth(
            (is_true(a) && is_false(b)) || (is_false(a) && is_true(b)),
            (is_true(a) && is_true(b)) || (is_false(a) && is_false(b)),
        ),
        PRelu => {
            let negative = product_range((a.0.min(0.0), a.1.min(0.0)), b);
            let positive = (a.0.max(0.0), a.1.max(0.0));
            match (a.0 >= 0.0, a.1 < 0.0) {
                (true, _) => positive,
                (_, true) => outward(negative.0, negative.1),
                _ => outward(negative.0.min(0.0), negative.1.max(positive.1)),
            }
        }
        Modulo | Remainder | WrappingMul(_) => EVERYTHING,
    }
}

fn outward(low: f64, high: f64) -> Ends {
    (below(low), -below(-high))
}

fn quotient(a: Ends, b: Ends) -> Ends {
    if b.0 <= 0.0 && b.1 >= 0.0 {
        return EVERYTHING;
    }
    let (low, high) = product_range(a, (1.0 / b.1, 1.0 / b.0));
    outward(low, high)
}

/// `a^b` for a positive base is monotone in either operand, whichever way; 1e-12 covers the function's rounding.
fn power(a: Ends, b: Ends) -> Ends {
    if a.0 <= 0.0 {
        return EVERYTHING;
    }
    let corners = [a.0.powf(b.0), a.0.powf(b.1), a.1.powf(b.0), a.1.powf(b.1)];
    if corners.iter().any(|corner| corner.is_nan()) {
        return EVERYTHING;
    }
    let (low, high) = corners.iter().fold((f64::INFINITY, 0.0f64), |(l, h), &x| (l.min(x), h.max(x)));
    // Through 1 the direction changes: the corners still hold the extremes, as each operand is monotone alone.
    (low * (1.0 - 1e-12), high * (1.0 + 1e-12))
}

/// Each number is least where it is at its lower end and all others are at their upper ends.
fn softmax(op: &Softmax, x: OperandInterval<'_>) -> Vec<Ends> {
    let split = shape::split(x.shape, op.axis);
    let mut ends = vec![EVERYTHING; x.lower.len()];
    for outer in 0..split.outer {
        for i in 0..split.inner {
            let place = |k: usize| (outer * split.axis + k) * split.inner + i;
            for k in 0..split.axis {
                let others = |from: f64, to: &[f64]| -> f64 {
                    (0..split.axis).filter(|&j| j != k).map(|j| (to[place(j)] - from).exp()).sum()
                };
                let most = others(x.upper[place(k)], x.lower);
                let least = others(x.lower[place(k)], x.upper);
                ends[place(k)] = share(least, most, split.axis, op.log);
            }
        }
    }
    ends
}

/// `1 / (1 + sum)` for both sums, widened by the rounding of the exponentials and of the sum.
fn share(of_least: f64, of_most: f64, terms: usize, log: bool) -> Ends {
    let slack = (terms + 16) as f64 * 4.0 * f64::EPSILON;
    let end = |sum: f64| if sum.is_nan() { None } else { Some(1.0 / (1.0 + sum)) };
    if log {
        // The exponents themselves are rounded, which the logarithm shows as an absolute error.
        let low = -of_least.ln_1p();
        let high = -of_most.ln_1p();
        let widen = |y: f64| slack * (1.0 + y.abs());
        return if low.is_nan() || high.is_nan() {
            (f64::NEG_INFINITY, 0.0)
        } else {
            (low - widen(low), (high + widen(high)).max(high))
        };
    }
    (
        end(of_least).map_or(0.0, |y| (y * (1.0 - slack)).max(0.0)),
        end(of_most).map_or(1.0, |y| (y * (1.0 + slack)).min(1.0)),
    )
}

fn select(condition: OperandInterval<'_>, a: OperandInterval<'_>, b: OperandInterval<'_>) -> Vec<Ends> {
    let one = |i: usize| match condition.at(i) {
        (0.0, 0.0) => b.at(i),
        (low, high) if low > 0.0 || high < 0.0 => a.at(i),
        _ => (a.lower[i].min(b.lower[i]), a.upper[i].max(b.upper[i])),
    };
    (0..condition.lower.len()).map(one).collect()
}

/// The hull of the rows that the index may name.
fn pick(op: &Pick, x: OperandInterval<'_>, indices: OperandInterval<'_>) -> Vec<Ends> {
    let split = shape::split(x.shape, op.axis);
    let last = split.axis - 1;
    let row = |index: f64| {
        let from_front = if index < 0.0 { index + split.axis as f64 } else { index };
        (from_front.max(0.0) as usize).min(last)
    };
    let mut ends = Vec::new();
    for outer in 0..split.outer {
        for at in 0..indices.lower.len() {
            let (low, high) = indices.at(at);
            // An index that may change its sign may come from either end of the axis.
            let rows = if low < 0.0 && high >= 0.0 { 0..=last } else { row(low)..=row(high) };
            for i in 0..split.inner {
                let hull = rows.clone().map(|row| x.at((outer * split.axis + row) * split.inner + i));
                ends.push(hull.fold((f64::INFINITY, f64::NEG_INFINITY), |h, e| (h.0.min(e.0), h.1.max(e.1))));
            }
        }
    }
    ends
}

/// The places of the numbers that may be the extreme one.
fn arg_extreme(op: &ArgExtreme, x: OperandInterval<'_>) -> Vec<Ends> {
    let split = shape::split(x.shape, op.axis);
    let mut ends = Vec::new();
    for outer in 0..split.outer {
        for i in 0..split.inner {
            let at = |k: usize| x.at((outer * split.axis + k) * split.inner + i);
            let may = |k: usize| {
                (0..split.axis).all(|j| if op.largest { at(k).1 >= at(j).0 } else { at(k).0 <= at(j).1 })
            };
            let mut able = (0..split.axis).filter(|&k| may(k));
            let first = able.next().unwrap_or(0);
            let last = able.next_back().unwrap_or(first);
            ends.push((first as f64, last as f64));
        }
    }
    ends
}

/// The n-th largest number grows with every number; its place may be any.
fn top(op: &TopK, x: OperandInterval<'_>) -> Vec<Ends> {
    let split = shape::split(x.shape, op.axis);
    let mut ends = vec![(0.0, (split.axis - 1) as f64); split.outer * op.count * split.inner];
    if op.places {
        return ends;
    }
    let mut numbers = [Vec::new(), Vec::new()];
    for outer in 0..split.outer {
        for i in 0..split.inner {
            for (side, values) in [x.lower, x.upper].into_iter().enumerate() {
                let column = (0..split.axis).map(|k| values[(outer * split.axis + k) * split.inner + i]);
                numbers[side] = column.collect();
                numbers[side].sort_by(f64::total_cmp);
                if op.largest {
                    numbers[side].reverse();
                }
            }
            for rank in 0..op.count {
                ends[(outer * op.count + rank) * split.inner + i] = (numbers[0][rank], numbers[1][rank]);
            }
        }
    }
    ends
}

fn products(op: &Reduce, x: OperandInterval<'_>) -> Vec<Ends> {
    let split = shape::split(x.shape, op.axis);
    let mut ends = Vec::new();
    for outer in 0..split.outer {
        for i in 0..split.inner {
            let factors = (0..split.axis).map(|k| x.at((outer * split.axis + k) * split.inner + i));
            ends.push(factors.fold((1.0, 1.0), |product, factor| {
                let (low, high) = product_range(product, factor);
                outward(low, high)
            }));
        }
    }
    ends
}
