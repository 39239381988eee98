//! Softmax and its logarithm: numbers that become shares of one.

use std::ops::Range;

use super::super::allowances;
use super::super::directed::Interval;
use super::super::format::Format;
use super::super::functions::Function;
use super::super::tape::{Form, Groups, Linear, Rounding, Scalar, StepKind, Tape};
use super::{Compiler, Entry, Results, TapeCall, TapeValue, TapeView, format_of};

pub(super) const OPERATORS: &[Entry] = &[("LogSoftmax", log_softmax), ("Softmax", softmax)];

/// The numbers of one axis; before operator set 13 of all axes from the given one on.
struct SharedTerms {
    x: TapeView,
    groups: Groups,
    /// Where each member of the groups lies in the operand.
    order: Vec<usize>,
    /// Members of a group.
    len: usize,
}

fn shared(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Result<SharedTerms, String> {
    let x = compiler.view(&call.input(0)?.clone());
    let rank = x.shape.len() as i64;
    let axis = call.int("axis", if call.opset < 13 { 1 } else { -1 })?;
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(0..rank.max(1)).contains(&axis) {
        return Err(format!("axis {axis} of an operand with {rank} dimensions"));
    }
    let axis = axis as usize;
    let outer: usize = x.shape[..axis.min(x.shape.len())].iter().product();
    let (len, inner): (usize, usize) = if call.opset < 13 {
        (x.shape[axis..].iter().product(), 1)
    } else {
        (x.shape[axis], x.shape[axis + 1..].iter().product())
    };
    let mut groups = Groups::default();
    let mut order = Vec::with_capacity(x.numbers.len());
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let places = (0..len).map(|k| (o * len + k) * inner + i);
        groups.push(places.clone().map(|at| x.numbers[at]));
        order.extend(places);
    }
    Ok(SharedTerms { x, groups, order, len })
}

impl SharedTerms {
    /// The result's numbers, made in the order of the groups.
    fn placed(self, made: Range<Scalar>) -> TapeValue {
        let mut numbers = vec![0; self.order.len()];
        self.order.into_iter().zip(made).for_each(|(at, number)| numbers[at] = number);
        TapeValue::Numbers(TapeView { numbers, ..self.x })
    }
}

fn softmax(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let mut shared = shared(compiler, call)?;
    let rounding = allowances::of_shares(format_of(shared.x.element)?, shared.len);
    let groups = std::mem::take(&mut shared.groups);
    let made = compiler.tape.push(shared.order.len(), rounding, StepKind::Softmax { groups });
    Ok(vec![shared.placed(made)])
}

/// `(x − m) − ln Σ exp(x − m)` with the largest number `m` of a group, step by step; the last two differences in any
/// order.
fn log_softmax(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let mut shared = shared(compiler, call)?;
    let len = shared.len;
    if len == 0 {
        return Err("shares of nothing have no enclosure".into());
    }
    let format = format_of(shared.x.element)?;
    let groups = std::mem::take(&mut shared.groups);
    let (members, count, tape) = (groups.members.clone(), groups.len(), &mut compiler.tape);
    let largest = tape.push(count, Rounding::Exact, StepKind::Extreme { largest: true, groups }).start;
    let of = |first: Scalar, at: usize| first + (at / len) as Scalar;
    let apart = sums((0..members.len()).map(|at| vec![(members[at], 1.0), (of(largest, at), -1.0)]));
    let rounding = |roundings| Rounding::Sum { format, roundings };
    let apart = tape.push(members.len(), rounding(1), StepKind::Linear(apart));
    let logarithms = logarithms_of_sums(tape, apart, len, format)?;
    let result = |at: usize| vec![(members[at], 1.0), (of(largest, at), -1.0), (of(logarithms, at), -1.0)];
    let result = sums((0..members.len()).map(result));
    let made = tape.push(members.len(), rounding(2), StepKind::Linear(result));
    Ok(vec![shared.placed(made)])
}

/// `ln Σ exp(d)` for groups of `len` numbers of which none is above zero and one is zero; the first of the results.
///
/// The largest number's exponential is one, but for what the function is off by, and a sum of numbers that are not negative
/// is below none of them, but for rounding: no sum is below `1 − 8 (len + 4) u`. Intervals of the differences, of which any
/// may seem to be far below zero, do not know that.
fn logarithms_of_sums(
    tape: &mut Tape,
    apart: Range<Scalar>,
    len: usize,
    format: Format,
) -> Result<Scalar, String> {
    let function = |name| allowances::of_function(name, format);
    let unmeasured = "how far runtimes are off has not been measured";
    let (of_exp, of_log) = (function("Exp").ok_or(unmeasured)?, function("Log").ok_or(unmeasured)?);
    let count = apart.len() / len;
    let kind = StepKind::Unary { function: Function::Exp, operands: apart.clone().collect() };
    let powers = tape.push(apart.len(), of_exp, kind).start;
    let members = |group: usize| (0..len).map(move |k| (powers + (group * len + k) as Scalar, 1.0)).collect();
    let linear = StepKind::Linear(sums((0..count).map(members)));
    let all = tape.push(count, Rounding::Sum { format, roundings: len }, linear);
    let floor = 1.0 - 8.0 * (len as f64 + 4.0) * format.unit();
    let floor = tape.push(1, Rounding::Exact, StepKind::Constant(vec![Interval::point(floor)])).start;
    let mut groups = Groups::default();
    all.for_each(|sum| groups.push([sum, floor]));
    let raised = tape.push(count, Rounding::Exact, StepKind::Extreme { largest: true, groups });
    let kind = StepKind::Unary { function: Function::Log, operands: raised.collect() };
    Ok(tape.push(count, of_log, kind).start)
}

/// A sum of terms for each number.
fn sums(all: impl Iterator<Item = Vec<(Scalar, f64)>>) -> Linear {
    let (mut starts, mut inputs, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for terms in all {
        starts.push(inputs.len());
        inputs.extend(terms.iter().map(|term| term.0));
        weights.extend(terms.iter().map(|term| term.1));
    }
    Linear::new(Form::Sparse { starts, inputs, weights }, Vec::new())
}
