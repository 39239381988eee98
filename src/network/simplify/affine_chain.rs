//! Two affine layers in a row become one where that costs no more multiplications.
//!
//! The layers may contract different splits of the same numbers: a normalisation of each pixel's channels before
//! a dense layer over the flattened image. The smaller one is then repeated, `I ⊗ A ⊗ I`, which is cheap for the
//! diagonal matrices that this is meant for. Products are computed in double precision and rounded once.

use std::borrow::Cow;

use super::{Replacement, RewriteSubject, axis_of};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Op, Unary, UnaryFunction};
use crate::network::real::Real;
use crate::network::shape::{self, Split};

/// Multiplications that computing a product may cost: a fraction of a second.
const MOST_WORK: usize = 200_000_000;

/// An affine map of one split of a value: `[outer][inputs][inner]` to `[outer][outputs][inner]`.
struct AffineLayer<'a, T: Clone> {
    affine: Cow<'a, Affine<T>>,
    split: Split,
}

/// An operator that is affine.
enum AffinePart<'a, T> {
    Layer(&'a Affine<T>),
    /// `scale · x + shift`, which fits every split.
    Scale(f64, f64),
}

pub(super) fn merge<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let operand = *subject.inputs.first()?;
    let before = subject.past_reshape(operand);
    let middle = subject.node(before);
    let source = *middle.inputs.first()?;
    let (source_shape, operand_shape) = (&subject.node(source).shape, &subject.node(operand).shape);
    let (first, second) = (part(&middle.op)?, part(subject.op)?);
    let final_shape = subject.op.output_shape(&[operand_shape]).ok()?;
    if let (AffinePart::Scale(a, b), AffinePart::Scale(c, d)) = (&first, &second) {
        let f = UnaryFunction::Scale { scale: c * a, shift: c * b + d };
        return Some(Replacement {
            inputs: vec![source],
            ops: vec![Op::Unary(Unary(f)), Op::Reshape(final_shape)],
        });
    }
    let (first, second) = layers(first, source_shape, second, operand_shape)?;
    let (cost_first, cost_second) = (cost(&first), cost(&second));
    let by = common(&first, &second)?;
    let (first, second) = (widened(first, by.0)?, widened(second, by.1)?);
    let split = first.split;
    let merged = AffineLayer { affine: Cow::Owned(product(&first.affine, &second.affine)?), split };
    let shared = !subject.single_use(operand) || !subject.single_use(before);
    if cost(&merged) > if shared { cost_second } else { cost_first + cost_second } {
        return None;
    }
    let mut affine = merged.affine.into_owned();
    let (reshape, axis) = place(subject.op, source_shape, operand_shape, split);
    affine.axis = axis;
    let ops = reshape.map(Op::Reshape).into_iter().chain([Op::Affine(affine), Op::Reshape(final_shape)]);
    Some(Replacement { inputs: vec![source], ops: ops.collect() })
}

/// Where the merged layer works: an axis of the source's shape, or of another one that the source is given.
fn place<T>(
    second: &Op<T>,
    source: &[usize],
    operand: &[usize],
    split: Split,
) -> (Option<Vec<usize>>, usize) {
    if let Some(axis) = axis_of(source, split) {
        return (None, axis);
    }
    // The second layer's own operand shape, where it has the split: then the result needs no reshape.
    if let Op::Affine(second) = second {
        let mut shape = operand.to_vec();
        shape[second.axis] = split.axis;
        if shape::split(&shape, second.axis) == split {
            return (Some(shape), second.axis);
        }
    }
    (Some(vec![split.outer, split.axis, split.inner]), 1)
}

fn part<T>(op: &Op<T>) -> Option<AffinePart<'_, T>> {
    match op {
        Op::Affine(affine) => Some(AffinePart::Layer(affine)),
        Op::Unary(Unary(UnaryFunction::Scale { scale, shift })) => Some(AffinePart::Scale(*scale, *shift)),
        Op::Unary(Unary(UnaryFunction::Neg)) => Some(AffinePart::Scale(-1.0, 0.0)),
        _ => None,
    }
}

/// Both parts as layers; a scale takes the split of the other part.
fn layers<'a, T: Real>(
    first: AffinePart<'a, T>,
    source: &[usize],
    second: AffinePart<'a, T>,
    operand: &[usize],
) -> Option<(AffineLayer<'a, T>, AffineLayer<'a, T>)> {
    let layer = |affine: &'a Affine<T>, shape: &[usize]| AffineLayer {
        affine: Cow::Borrowed(affine),
        split: shape::split(shape, affine.axis),
    };
    let scale = |(scale, shift): (f64, f64), split: Split| {
        let matrix = Matrix::Diagonal(vec![T::of(scale); split.axis]);
        let affine = Affine { matrix, bias: vec![T::of(shift); split.axis], axis: 0 };
        AffineLayer { affine: Cow::Owned(affine), split }
    };
    match (first, second) {
        (AffinePart::Layer(a), AffinePart::Layer(b)) => Some((layer(a, source), layer(b, operand))),
        (AffinePart::Layer(a), AffinePart::Scale(c, d)) => {
            let first = layer(a, source);
            let split = Split { axis: a.matrix.outputs(), ..first.split };
            Some((first, scale((c, d), split)))
        }
        (AffinePart::Scale(a, b), AffinePart::Layer(c)) => {
            let second = layer(c, operand);
            let split = second.split;
            Some((scale((a, b), split), second))
        }
        (AffinePart::Scale(..), AffinePart::Scale(..)) => None,
    }
}

fn cost<T: Real>(layer: &AffineLayer<'_, T>) -> usize {
    layer.affine.matrix.entries() * layer.split.outer * layer.split.inner
}

/// How often each layer has to be repeated, in front and behind, for both to contract the same split.
fn common<T: Real>(
    first: &AffineLayer<'_, T>,
    second: &AffineLayer<'_, T>,
) -> Option<((usize, usize), (usize, usize))> {
    let (a, b) = (first.split, second.split);
    let ratio = |x: usize, y: usize| (y != 0 && x.is_multiple_of(y)).then(|| x / y);
    let (outputs, inputs) = (first.affine.matrix.outputs(), second.affine.matrix.inputs());
    if let (Some(k), Some(m)) = (ratio(a.outer, b.outer), ratio(a.inner, b.inner))
        && k * outputs * m == inputs
    {
        return Some(((k, m), (1, 1)));
    }
    if let (Some(k), Some(m)) = (ratio(b.outer, a.outer), ratio(b.inner, a.inner))
        && k * inputs * m == outputs
    {
        return Some(((1, 1), (k, m)));
    }
    None
}

/// `I_k ⊗ A ⊗ I_m`
fn widened<T: Real>(layer: AffineLayer<'_, T>, (k, m): (usize, usize)) -> Option<AffineLayer<'_, T>> {
    if (k, m) == (1, 1) {
        return Some(layer);
    }
    // Repeating a dense matrix makes it cost more, never less.
    let Matrix::Diagonal(diagonal) = &layer.affine.matrix else { return None };
    let (len, split) = (diagonal.len(), layer.split);
    let repeat = |numbers: &[T]| -> Vec<T> { (0..k * len * m).map(|at| numbers[at / m % len]).collect() };
    let affine =
        Affine { matrix: Matrix::Diagonal(repeat(diagonal)), bias: repeat(&layer.affine.bias), axis: 1 };
    let split = Split { outer: split.outer / k, axis: k * len * m, inner: split.inner / m };
    Some(AffineLayer { affine: Cow::Owned(affine), split })
}

/// The layer that does what `first` and then `second` do.
fn product<T: Real>(first: &Affine<T>, second: &Affine<T>) -> Option<Affine<T>> {
    let (a, b) = (&first.matrix, &second.matrix);
    let (outputs, inputs) = (b.outputs(), a.inputs());
    let per_row = a.entries() / a.outputs().max(1) + 1;
    if b.entries().checked_mul(per_row)? > MOST_WORK {
        return None;
    }
    let bias = (0..outputs).map(|o| {
        let mut sum = second.bias[o].widen();
        b.for_row(o, |j, w| sum += w.widen() * first.bias[j].widen());
        T::of(sum)
    });
    let bias = bias.collect();
    let matrix = match (a, b) {
        (Matrix::Diagonal(a), Matrix::Diagonal(b)) => {
            Matrix::Diagonal(a.iter().zip(b).map(|(&a, &b)| T::of(a.widen() * b.widen())).collect())
        }
        (Matrix::Diagonal(a), b) => b.map(|_, i, w| T::of(w.widen() * a[i].widen())),
        (a, Matrix::Diagonal(b)) => a.map(|o, _, w| T::of(w.widen() * b[o].widen())),
        (Matrix::Dense(_), Matrix::Dense(_)) => {
            let mut sums = vec![0.0; outputs * inputs];
            for (o, row) in sums.chunks_exact_mut(inputs.max(1)).enumerate() {
                b.for_row(o, |j, w| a.for_row(j, |i, x| row[i] += w.widen() * x.widen()));
            }
            Matrix::dense(outputs, inputs, sums.into_iter().map(T::of).collect())
        }
        // A sparse matrix times another fills up; what is gained is not worth the search for when it does not.
        _ => return None,
    };
    Some(Affine { matrix, bias, axis: 0 })
}
