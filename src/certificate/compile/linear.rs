//! Matrix products, normalisations and reductions.

use std::sync::Arc;

use super::super::tape::{Chain, Form, Groups, Linear, Rounding, Scalar, StepKind};
use super::elementwise::{broadcast, places, weighed};
use super::{Compiler, Entry, Results, TapeCall, TapeValue, TapeView, format_of};
use crate::onnx::{Data, ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("BatchNormalization", batch_norm),
    ("Gemm", gemm),
    ("MatMul", matmul),
    ("ReduceMax", |c, n| reduce(c, n, TapeReduction::Largest)),
    ("ReduceMean", |c, n| reduce(c, n, TapeReduction::Mean)),
    ("ReduceMin", |c, n| reduce(c, n, TapeReduction::Smallest)),
    ("ReduceSum", |c, n| reduce(c, n, TapeReduction::Sum)),
];

/// Roundings that a runtime may add to those of a sum when it fuses scales and biases of neighbouring nodes into it.
pub(super) const FUSED: usize = 4;
/// A matrix with fewer non-zero entries than this share is written out by them.
const SPARSE: f64 = 0.25;

/// A constant matrix, one row an output.
struct TapeMatrix {
    outputs: usize,
    width: usize,
    entries: Entries,
    /// Whether the entries are the constant's own, or scaled without rounding.
    exact: bool,
}

enum Entries {
    Dense(Vec<f64>),
    /// By output: which columns, and what stands there.
    Sparse(Vec<Vec<(usize, f64)>>),
}

impl TapeMatrix {
    /// From a constant of `rows × columns` values; its columns are the outputs unless it is transposed.
    fn new(
        tensor: &Tensor,
        rows: usize,
        columns: usize,
        transposed: bool,
        scale: f64,
    ) -> Result<Self, String> {
        let (outputs, width) = if transposed { (rows, columns) } else { (columns, rows) };
        let values = match &tensor.data {
            Data::SparseF32(_) | Data::SparseF64(_) => Vec::new(),
            _ => tensor.to_f64(),
        };
        let is_single = |x: f64| f64::from(x as f32) == x;
        let (mut count, mut finite, mut single) = (0, true, true);
        each(tensor, &values, columns, |_, _, x| {
            count += usize::from(x != 0.0);
            finite &= x.is_finite();
            single &= is_single(x);
        });
        if !finite {
            return Err("weights that are no finite numbers have no enclosure".into());
        }
        let exact = scale == 1.0 || (single && is_single(scale));
        let place = |row: usize, column: usize| if transposed { (row, column) } else { (column, row) };
        let entries = if count as f64 >= SPARSE * (rows * columns) as f64 {
            let mut weights = vec![0.0; outputs * width];
            each(tensor, &values, columns, |row, column, x| {
                let (output, at) = place(row, column);
                weights[output * width + at] = x * scale;
            });
            Entries::Dense(weights)
        } else {
            let mut by_output = vec![Vec::new(); outputs];
            each(tensor, &values, columns, |row, column, x| {
                let (output, at) = place(row, column);
                if x != 0.0 {
                    by_output[output].push((at, x * scale));
                }
            });
            Entries::Sparse(by_output)
        };
        Ok(Self { outputs, width, entries, exact })
    }

    /// The products with rows of numbers: row by row, all outputs.
    fn times(
        self,
        compiler: &mut Compiler<'_>,
        inputs: Vec<Scalar>,
        bias: Vec<f64>,
    ) -> Result<Linear, String> {
        let mut unweighed = Vec::new();
        let form = match self.entries {
            Entries::Dense(weights) => {
                compiler.spend(weights.len())?;
                Form::Dense { width: self.width, outputs: self.outputs, inputs, weights: Arc::new(weights) }
            }
            Entries::Sparse(by_output) => {
                let rows = inputs.len() / self.width.max(1);
                compiler.spend(rows * by_output.iter().map(Vec::len).sum::<usize>())?;
                let (mut starts, mut numbers, mut weights) = (Vec::new(), Vec::new(), Vec::new());
                for row in inputs.chunks_exact(self.width) {
                    for entries in &by_output {
                        starts.push(numbers.len());
                        numbers.extend(entries.iter().map(|&(at, _)| row[at]));
                        weights.extend(entries.iter().map(|&(_, x)| x));
                    }
                }
                unweighed = inputs;
                Form::Sparse { starts, inputs: numbers, weights }
            }
        };
        Ok(Linear { unweighed, ..Linear::new(form, bias).computed(self.exact) })
    }
}

/// Calls `visit` with row, column and value of a constant's entries; `values` are all of them, unless it lists those that matter.
fn each(tensor: &Tensor, values: &[f64], columns: usize, mut visit: impl FnMut(usize, usize, f64)) {
    match &tensor.data {
        Data::SparseF32(sparse) => {
            let entries = sparse.indices.iter().zip(&sparse.values);
            entries.for_each(|(at, &x)| visit(at / columns, at % columns, x.into()));
        }
        Data::SparseF64(sparse) => {
            let entries = sparse.indices.iter().zip(&sparse.values);
            entries.for_each(|(at, &x)| visit(at / columns, at % columns, x));
        }
        // Without a division for each entry.
        _ => {
            for (row, line) in values.chunks_exact(columns.max(1)).enumerate() {
                line.iter().enumerate().for_each(|(column, &x)| visit(row, column, x));
            }
        }
    }
}

fn matmul(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (a, b) = (call.input(0)?.clone(), call.input(1)?.clone());
    match (&a, &b) {
        (TapeValue::Numbers(x), TapeValue::Known(w)) if w.shape.len() == 2 && !x.shape.is_empty() => {
            right_matrix(compiler, x, w)
        }
        (TapeValue::Known(w), TapeValue::Numbers(x)) if w.shape.len() == 2 && x.shape.len() >= 2 => {
            left_matrix(compiler, w, x)
        }
        _ => {
            let (x, y) = (compiler.view(&a), compiler.view(&b));
            of_numbers(compiler, x, y)
        }
    }
}

/// Stacked rows of numbers times a constant.
fn right_matrix(compiler: &mut Compiler<'_>, x: &TapeView, w: &Tensor) -> Results {
    let width = x.shape[x.shape.len() - 1];
    if w.shape[0] != width {
        return Err(format!("a product of operands of shapes {:?} and {:?}", x.shape, w.shape));
    }
    let matrix = TapeMatrix::new(w, w.shape[0], w.shape[1], false, 1.0)?;
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: width + FUSED };
    let linear = matrix.times(compiler, x.numbers.clone(), Vec::new())?;
    let mut shape = x.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = w.shape[1];
    }
    Ok(vec![compiler.push(shape, x.element, rounding, StepKind::Linear(linear))])
}

/// A constant times stacked matrices of numbers: their columns are the rows.
fn left_matrix(compiler: &mut Compiler<'_>, w: &Tensor, x: &TapeView) -> Results {
    let (stack, matrix_shape) = x.shape.split_at(x.shape.len() - 2);
    let (k, n) = (matrix_shape[0], matrix_shape[1]);
    let m = w.shape[0];
    if w.shape[1] != k {
        return Err(format!("a product of operands of shapes {:?} and {:?}", w.shape, x.shape));
    }
    let matrix = TapeMatrix::new(w, m, k, true, 1.0)?;
    let stacks: usize = stack.iter().product();
    let columns = (0..stacks).flat_map(|s| (0..n).map(move |j| (s, j)));
    let inputs = columns.flat_map(|(s, j)| (0..k).map(move |t| x.numbers[(s * k + t) * n + j])).collect();
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: k + FUSED };
    let linear = matrix.times(compiler, inputs, Vec::new())?;
    let made: Vec<Scalar> = compiler.tape.push(stacks * n * m, rounding, StepKind::Linear(linear)).collect();
    let places = (0..stacks).flat_map(|s| (0..m).flat_map(move |i| (0..n).map(move |j| (s * n + j) * m + i)));
    let numbers = places.map(|at| made[at]).collect();
    let shape = [stack, &[m, n]].concat();
    Ok(vec![TapeValue::Numbers(TapeView { shape, element: x.element, numbers })])
}

/// A vector on the left is a row, one on the right a column; the result loses that dimension again.
fn of_numbers(compiler: &mut Compiler<'_>, mut x: TapeView, mut y: TapeView) -> Results {
    let (row, column) = (x.shape.len() == 1, y.shape.len() == 1);
    if row {
        x.shape.insert(0, 1);
    }
    if column {
        y.shape.push(1);
    }
    let mut results = products(compiler, &x, &y)?;
    if let Some(TapeValue::Numbers(view)) = results.first_mut() {
        let rank = view.shape.len();
        if column && rank > 0 {
            view.shape.remove(rank - 1);
        }
        if row && rank > 1 {
            view.shape.remove(rank - 2);
        }
    }
    Ok(results)
}

/// Products of numbers, stacked as numpy does.
fn products(compiler: &mut Compiler<'_>, x: &TapeView, y: &TapeView) -> Results {
    if x.shape.len() < 2 || y.shape.len() < 2 {
        return Err(format!("a product of operands of shapes {:?} and {:?}", x.shape, y.shape));
    }
    let (left, [m, k]) = split(&x.shape);
    let (right, [other, n]) = split(&y.shape);
    if k != other {
        return Err(format!("a product of operands of shapes {:?} and {:?}", x.shape, y.shape));
    }
    let stack = &broadcast(&[left, right])?;
    let (a, b) = (places(left, stack), places(right, stack));
    compiler.spend(a.len() * m * k * n)?;
    let cells = a.iter().zip(&b).flat_map(|(&a, &b)| (0..m * n).map(move |cell| (a, b, cell / n, cell % n)));
    let pairs = cells.flat_map(|(a, b, i, j)| {
        (0..k).map(move |t| (x.numbers[(a * m + i) * k + t], y.numbers[(b * k + t) * n + j]))
    });
    let pairs: Vec<_> = pairs.collect();
    let terms = compiler.tape.push(pairs.len(), Rounding::Exact, StepKind::Product { pairs });
    let inputs: Vec<Scalar> = terms.collect();
    let shape = [stack.as_slice(), &[m, n]].concat();
    let starts = (0..shape.iter().product()).map(|cell: usize| cell * k).collect();
    let weights = vec![1.0; inputs.len()];
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: 2 * k + FUSED };
    let linear = Linear::new(Form::Sparse { starts, inputs, weights }, Vec::new());
    Ok(vec![compiler.push(shape, x.element, rounding, StepKind::Linear(linear))])
}

fn split(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (stack, last) = shape.split_at(shape.len() - 2);
    (stack, [last[0], last[1]])
}

/// `alpha · A' · B' + beta · C`.
fn gemm(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let TapeValue::Known(b) = call.input(1)? else {
        return Err("a second operand that depends on the inputs has no enclosure".into());
    };
    let a = compiler.view(&call.input(0)?.clone());
    let ([rows, columns], [b_rows, b_columns]) = (a.shape.as_slice(), b.shape.as_slice()) else {
        return Err("operands that are no matrices".into());
    };
    let inputs = if call.int("transA", 0)? == 0 {
        a.numbers.clone()
    } else {
        (0..*columns)
            .flat_map(|j| (0..*rows).map(move |i| (i, j)))
            .map(|(i, j)| a.numbers[i * columns + j])
            .collect()
    };
    let (m, k) = if call.int("transA", 0)? == 0 { (*rows, *columns) } else { (*columns, *rows) };
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    if alpha == 0.0 || !alpha.is_finite() {
        return Err(format!("a factor alpha of {alpha} has no enclosure"));
    }
    let matrix = TapeMatrix::new(b, *b_rows, *b_columns, call.int("transB", 0)? != 0, alpha)?;
    if matrix.width != k {
        return Err(format!("a product of operands of shapes {:?} and {:?}", a.shape, b.shape));
    }
    let shape = vec![m, matrix.outputs];
    let (bias, addend) = match call.optional(2) {
        None => (Vec::new(), None),
        Some(TapeValue::Known(c)) => {
            let values = c.to_f64();
            (places(&c.shape, &shape).into_iter().map(|i| beta * values[i]).collect(), None)
        }
        Some(TapeValue::Numbers(c)) => (Vec::new(), Some(c.clone())),
    };
    if bias.iter().any(|x: &f64| !x.is_finite()) {
        return Err("biases that are no finite numbers have no enclosure".into());
    }
    let format = format_of(a.element)?;
    // alpha and beta round once each.
    let rounding = Rounding::Sum { format, roundings: k + 1 + FUSED };
    let short = beta == 1.0 || format.digits <= 24;
    let linear = matrix.times(compiler, inputs, bias)?.computed(short).scaled_by(alpha);
    let product = compiler.push(shape.clone(), a.element, rounding, StepKind::Linear(linear));
    let (Some(c), TapeValue::Numbers(product)) = (addend, product.clone()) else { return Ok(vec![product]) };
    let map = places(&c.shape, &shape);
    let terms = product.numbers.iter().zip(map).flat_map(|(&x, i)| [(x, 1.0), (c.numbers[i], beta)]);
    let (inputs, weights): (Vec<Scalar>, Vec<f64>) = terms.unzip();
    let starts = (0..product.numbers.len()).map(|i| 2 * i).collect();
    // The addend may be among the products' partial sums from the first one on, and round all of them.
    let linear = Linear::new(Form::Sparse { starts, inputs, weights }, Vec::new()).computed(false);
    let rounding = Rounding::Sum { format, roundings: k + 1 + FUSED };
    Ok(vec![compiler.push(shape, a.element, rounding, StepKind::Linear(linear))])
}

/// `(x − mean) / sqrt(variance + epsilon) · scale + bias`, in whatever order a runtime computes that.
fn batch_norm(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    if call.int("training_mode", 0)? != 0 || x.shape.len() < 2 {
        return Err("training, or an operand without channels, has no enclosure".into());
    }
    let parameter = |i: usize| call.known(i)?.ok_or_else(|| format!("operand {i} is missing"));
    let (scale, bias, mean, variance) = (parameter(1)?, parameter(2)?, parameter(3)?, parameter(4)?);
    let epsilon = call.float("epsilon", 1e-5)?;
    let channels = x.shape[1];
    if [&scale, &bias, &mean, &variance].iter().any(|p| p.len() != channels) {
        return Err("parameters of another number than the channels".into());
    }
    let inner: usize = x.shape[2..].iter().product();
    let channel = |i: usize| i / inner.max(1) % channels;
    let spreads: Vec<f64> = variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
    let factors: Vec<f64> = scale.iter().zip(&variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    if spreads.iter().chain(&factors).chain(&mean).chain(&bias).any(|x| !x.is_finite()) {
        return Err("parameters that are no finite numbers have no enclosure".into());
    }
    let format = format_of(x.element)?;
    if format.digits < 24 && variance.iter().any(|v| v + epsilon < format.tiny) {
        return Err("a variance that the type hardly holds has no enclosure".into());
    }
    let count = x.numbers.len();
    let terms = x.numbers.iter().enumerate().map(|(i, &x)| (x, factors[channel(i)]));
    let shift = |c: usize| bias[c] - mean[c] * factors[c];
    // Sums and quotients that are exact here need not be so on a runtime's way.
    let mut linear = weighed(terms, (0..count).map(|i| shift(channel(i))).collect()).computed(false);
    let chain = |c: usize| Chain { scale: spreads[c], offset: mean[c].abs() };
    linear.chains = (0..count).map(|i| chain(channel(i))).collect();
    linear.hidden = (0..count).map(channel).map(|c| bias[c].abs() + (mean[c] * factors[c]).abs()).collect();
    // Root, quotient, difference, product, sum, and what they may be fused with.
    let rounding = Rounding::Sum { format, roundings: 6 + FUSED };
    Ok(vec![compiler.push(x.shape, x.element, rounding, StepKind::Linear(linear))])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TapeReduction {
    Sum,
    Mean,
    Largest,
    Smallest,
}

/// Axes are an attribute before operator set 13 (sums) or 18 (the others), an operand from then on.
fn reduce(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, reduction: TapeReduction) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    let rank = x.shape.len();
    let axes = match call.ints("axes")? {
        Some(axes) => Some(axes.to_vec()),
        None => call.known_ints(1)?,
    };
    let all = (0..rank as i64).collect::<Vec<_>>();
    let axes = match axes {
        Some(axes) if !axes.is_empty() => axes,
        _ if call.int("noop_with_empty_axes", 0)? != 0 => return Ok(vec![TapeValue::Numbers(x)]),
        _ => all,
    };
    let reduced: Vec<usize> =
        axes.iter().map(|&a| (if a < 0 { a + rank as i64 } else { a }) as usize).collect();
    if reduced.iter().any(|&axis| axis >= rank) {
        return Err(format!("axes {axes:?} of an operand with {rank} dimensions"));
    }
    let kept: Vec<usize> = (0..rank).map(|d| if reduced.contains(&d) { 1 } else { x.shape[d] }).collect();
    let mut groups = Groups::default();
    let mut members = vec![Vec::new(); kept.iter().product()];
    for (i, place) in places(&kept, &x.shape).into_iter().enumerate() {
        members[place].push(x.numbers[i]);
    }
    let count = members.first().map_or(0, Vec::len);
    members.into_iter().for_each(|m| groups.push(m));
    let shape = match call.int("keepdims", 1)? {
        0 => (0..rank).filter(|d| !reduced.contains(d)).map(|d| x.shape[d]).collect(),
        _ => kept,
    };
    gathered(compiler, (shape, x.element), groups, count, reduction)
}

/// A reduction of groups of numbers with `count` members each.
fn gathered(
    compiler: &mut Compiler<'_>,
    (shape, element): (Vec<usize>, ElementType),
    groups: Groups,
    count: usize,
    reduction: TapeReduction,
) -> Results {
    if count == 0 {
        return Err("reductions of nothing have no enclosure".into());
    }
    if let TapeReduction::Largest | TapeReduction::Smallest = reduction {
        let kind = StepKind::Extreme { largest: reduction == TapeReduction::Largest, groups };
        return Ok(vec![compiler.push(shape, element, Rounding::Exact, kind)]);
    }
    compiler.spend(groups.members.len())?;
    let weight = if reduction == TapeReduction::Mean { 1.0 / count as f64 } else { 1.0 };
    let weights = vec![weight; groups.members.len()];
    let rounding = Rounding::Sum { format: format_of(element)?, roundings: count + 2 };
    let linear =
        Linear::new(Form::Sparse { starts: groups.starts, inputs: groups.members, weights }, Vec::new())
            .computed(reduction == TapeReduction::Sum || count.is_power_of_two())
            .scaled_by(weight);
    Ok(vec![compiler.push(shape, element, rounding, StepKind::Linear(linear))])
}
