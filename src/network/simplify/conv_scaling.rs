//! A scaling and shift of a convolution's channels goes into its weights: batch normalisation behind Conv.

use super::{Replacement, RewriteSubject};
use crate::network::matrix::Matrix;
use crate::network::op::{Conv, Op, Unary, UnaryFunction};
use crate::network::real::Real;

pub(super) fn merge<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let before = *subject.inputs.first()?;
    let Op::Conv(conv) = &subject.node(before).op else { return None };
    if !subject.single_use(before) {
        return None;
    }
    let channels = conv.bias.len();
    let terms: Vec<(f64, f64)> = match subject.op {
        Op::Affine(affine) if affine.axis == 1 => match &affine.matrix {
            Matrix::Diagonal(d) => d.iter().zip(&affine.bias).map(|(d, b)| (d.widen(), b.widen())).collect(),
            _ => return None,
        },
        Op::Unary(Unary(UnaryFunction::Scale { scale, shift })) => vec![(*scale, *shift); channels],
        Op::Unary(Unary(UnaryFunction::Neg)) => vec![(-1.0, 0.0); channels],
        _ => return None,
    };
    let (own, taps) = (conv.inputs / conv.groups, conv.windows.taps());
    let channel = |at: usize| {
        let (output, input) = (at / taps / own, at / taps % own);
        if conv.transposed { output / (conv.outputs / conv.groups) * own + input } else { output }
    };
    let scaled = |(at, w): (usize, &T)| T::of(w.widen() * terms[channel(at)].0);
    let merged = Conv::new(
        conv.weights.iter().enumerate().map(scaled).collect(),
        conv.bias.iter().zip(&terms).map(|(b, t)| T::of(b.widen() * t.0 + t.1)).collect(),
        (conv.outputs, conv.inputs, conv.groups),
        conv.windows.clone(),
        conv.rank,
        conv.transposed,
    );
    Some(Replacement { inputs: subject.node(before).inputs.clone(), ops: vec![Op::Conv(merged.ok()?)] })
}
