//! Reductions, arg-reductions, cumulative sums, and what orders numbers along an axis.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::matrix::Matrix;
use crate::network::op::{
    Affine, ArgExtreme, BinaryFunction, Op, Reduce, Reduction, Softmax, TopK, UnaryFunction,
};
use crate::network::shape;
use crate::onnx::{ElementType, ModelError};

impl<T: Real> Importer<T> {
    pub(super) const REDUCTION: &'static [Entry<T>] = &[
        ("ArgMax", |c| c.arg(true)),
        ("ArgMin", |c| c.arg(false)),
        ("CumSum", cum_sum),
        ("Hardmax", hardmax),
        ("LogSoftmax", |c| c.soft(true)),
        ("ReduceL1", |c| c.reduce(|c, x, axes| c.norm_sum(x, axes, UnaryFunction::Abs))),
        ("ReduceL2", |c| c.reduce_floats(reduce_l2)),
        ("ReduceLogSum", |c| c.reduce_floats(reduce_log_sum)),
        ("ReduceLogSumExp", |c| c.reduce_floats(reduce_log_sum_exp)),
        ("ReduceMax", |c| c.reduce(|c, x, axes| c.reduced(x, Reduction::Max, axes))),
        ("ReduceMean", |c| c.reduce(|c, x, axes| c.mean(x, axes))),
        ("ReduceMin", |c| c.reduce(|c, x, axes| c.reduced(x, Reduction::Min, axes))),
        ("ReduceProd", |c| c.reduce(|c, x, axes| c.reduced(x, Reduction::Product, axes))),
        ("ReduceSum", |c| c.reduce(|c, x, axes| c.reduced(x, Reduction::Sum, axes))),
        ("ReduceSumSquare", |c| {
            c.reduce_floats(|c, x, axes| c.norm_sum(x, axes, UnaryFunction::Power { exponent: 2.0 }))
        }),
        ("Softmax", |c| c.soft(false)),
        ("TopK", top_k),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    /// As [`Call::reduce`], of floats: ONNX Runtime computes these of integers in a type of its own.
    fn reduce_floats(
        &mut self,
        body: impl Fn(&mut Self, &Operand, &[usize]) -> Result<Operand, ModelError>,
    ) -> Built {
        if let Some(Operand::Node(_)) = self.optional(0) {
            self.floats_only()?;
        }
        self.reduce(body)
    }

    /// Reduces along several axes, which are kept with length 1. Neighbouring axes are reduced as one.
    pub(super) fn reduced(
        &mut self,
        x: &Operand,
        function: Reduction,
        axes: &[usize],
    ) -> Result<Operand, ModelError> {
        let mut y = x.clone();
        let mut i = 0;
        while i < axes.len() {
            let first = axes[i];
            while i + 1 < axes.len() && axes[i + 1] == axes[i] + 1 {
                i += 1;
            }
            let last = axes[i];
            let shape = self.shape(&y);
            let group = [&shape[..first], &[shape::len(&shape[first..=last])], &shape[last + 1..]].concat();
            y = self.reshape(&y, group)?;
            y = self.apply(Op::Reduce(Reduce { function, axis: first }), &[y])?;
            let kept = [&shape[..first], &vec![1; last - first + 1], &shape[last + 1..]].concat();
            y = self.reshape(&y, kept)?;
            i += 1;
        }
        Ok(y)
    }

    pub(super) fn mean(&mut self, x: &Operand, axes: &[usize]) -> Result<Operand, ModelError> {
        let shape = self.shape(x);
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let sum = self.reduced(x, Reduction::Sum, axes)?;
        self.unary(UnaryFunction::Scale { scale: 1.0 / count as f64, shift: 0.0 }, &sum)
    }

    fn norm_sum(&mut self, x: &Operand, axes: &[usize], f: UnaryFunction) -> Result<Operand, ModelError> {
        let x = self.unary(f, x)?;
        self.reduced(&x, Reduction::Sum, axes)
    }

    /// A reduction node: `axes` as attribute or operand, `keepdims`, `noop_with_empty_axes`.
    fn reduce(
        &mut self,
        body: impl Fn(&mut Self, &Operand, &[usize]) -> Result<Operand, ModelError>,
    ) -> Built {
        let x = self.operand(0)?;
        let shape = self.shape(&x);
        let given = self.ints_or_attribute(1, "axes")?.unwrap_or_default();
        let axes = if !given.is_empty() {
            self.axes(&given, shape.len())?
        } else if self.node.flag("noop_with_empty_axes", false)? {
            // Functions of each number are still applied, over no axis at all.
            return Ok(vec![body(self, &x, &[])?]);
        } else {
            (0..shape.len()).collect()
        };
        let y = body(self, &x, &axes)?;
        if self.node.flag("keepdims", true)? {
            return Ok(vec![y]);
        }
        let to = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        Ok(vec![self.reshape(&y, to)?])
    }

    fn arg(&mut self, largest: bool) -> Built {
        let x = self.operand(0)?;
        let shape = self.shape(&x);
        let axis = self.axis(self.node.int("axis")?.unwrap_or(0), shape.len())?;
        let last = self.node.flag("select_last_index", false)?;
        if shape[axis] == 0 {
            return Err(self.error("there is no extreme of nothing"));
        }
        let y =
            self.apply_as(ElementType::Int64, Op::ArgExtreme(ArgExtreme { axis, largest, last }), &[x])?;
        if self.node.flag("keepdims", true)? {
            return Ok(vec![y]);
        }
        let to = [&shape[..axis], &shape[axis + 1..]].concat();
        Ok(vec![self.reshape(&y, to)?])
    }

    /// Before operator set 13 everything from `axis` on is one axis.
    fn soft_axis(&mut self) -> Result<(Operand, usize, Vec<usize>), ModelError> {
        let x = self.operand(0)?;
        let shape = self.shape(&x);
        if self.opset() >= 13 {
            let axis = self.axis(self.node.int("axis")?.unwrap_or(-1), shape.len())?;
            return Ok((x, axis, shape));
        }
        let axis = self.node.int("axis")?.unwrap_or(1);
        let axis = if axis == shape.len() as i64 { shape.len() } else { self.axis(axis, shape.len())? };
        let flat = vec![shape::len(&shape[..axis]), shape::len(&shape[axis..])];
        Ok((self.reshape(&x, flat)?, 1, shape))
    }

    fn soft(&mut self, log: bool) -> Built {
        let (x, axis, shape) = self.soft_axis()?;
        let y = self.apply(Op::Softmax(Softmax { axis, log }), &[x])?;
        Ok(vec![self.reshape(&y, shape)?])
    }

    /// `0, 1, …, len − 1` along an axis of a tensor of `rank` axes.
    pub(super) fn places(&self, element: ElementType, rank: usize, axis: usize, len: usize) -> Operand {
        let mut shape = vec![1; rank];
        shape[axis] = len;
        let values: Vec<f64> = (0..len).map(|i| i as f64).collect();
        self.literal(element, shape, &values)
    }
}

fn reduce_l2<T: Real>(
    call: &mut ImportCall<'_, T>,
    x: &Operand,
    axes: &[usize],
) -> Result<Operand, ModelError> {
    let sum = call.norm_sum(x, axes, UnaryFunction::Power { exponent: 2.0 })?;
    call.unary(UnaryFunction::Sqrt, &sum)
}

fn reduce_log_sum<T: Real>(
    call: &mut ImportCall<'_, T>,
    x: &Operand,
    axes: &[usize],
) -> Result<Operand, ModelError> {
    let sum = call.reduced(x, Reduction::Sum, axes)?;
    call.unary(UnaryFunction::Log, &sum)
}

/// The maximum is taken out so that no exponential overflows.
fn reduce_log_sum_exp<T: Real>(
    call: &mut ImportCall<'_, T>,
    x: &Operand,
    axes: &[usize],
) -> Result<Operand, ModelError> {
    let most = call.reduced(x, Reduction::Max, axes)?;
    let x = call.binary(BinaryFunction::Sub, x, &most)?;
    let sum = call.norm_sum(&x, axes, UnaryFunction::Exp)?;
    let log = call.unary(UnaryFunction::Log, &sum)?;
    call.binary(BinaryFunction::Add, &log, &most)
}

/// One where the first maximum is, zero elsewhere.
fn hardmax<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, axis, shape) = call.soft_axis()?;
    let element = call.element(&x);
    let flat = call.shape(&x);
    let arg = Op::ArgExtreme(ArgExtreme { axis, largest: true, last: false });
    let place = call.apply_as(ElementType::Int64, arg, &[x])?;
    let places = call.places(ElementType::Int64, flat.len(), axis, flat[axis]);
    let equal = call.binary(BinaryFunction::Equal, &place, &places)?;
    let y = call.cast_to(&equal, element)?;
    Ok(vec![call.reshape(&y, shape)?])
}

fn top_k<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axis = call.axis(call.node.int("axis")?.unwrap_or(-1), shape.len())?;
    let count = match call.optional_constant(1)? {
        Some(k) => k.as_i64().and_then(|k| k.first().copied()),
        None => call.node.int("k")?,
    };
    let count =
        count.and_then(|k| usize::try_from(k).ok()).ok_or_else(|| call.error("k is missing or negative"))?;
    let largest = call.node.flag("largest", true)?;
    let values =
        call.apply(Op::TopK(TopK { axis, count, largest, places: false }), std::slice::from_ref(&x))?;
    let places = TopK { axis, count, largest, places: true };
    let places = call.apply_as(ElementType::Int64, Op::TopK(places), &[x])?;
    Ok(vec![values, places])
}

/// A triangular matrix along the axis.
fn cum_sum<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axis = call.constant(1)?.as_i64().and_then(|a| a.first().copied());
    let axis = call.axis(axis.ok_or_else(|| call.error("the axis is not an integer"))?, shape.len())?;
    let (exclusive, reverse) = (call.node.flag("exclusive", false)?, call.node.flag("reverse", false)?);
    let len = shape[axis];
    let adds = |o: usize, i: usize| if reverse { i > o } else { i < o } || (i == o && !exclusive);
    let rows = (0..len).flat_map(|o| (0..len).map(move |i| (o, i)));
    let entries = rows.filter(|&(o, i)| adds(o, i)).map(|(o, i)| (o as u32, i as u32, T::one())).collect();
    let affine = Affine { matrix: Matrix::sparse(len, len, entries), bias: vec![T::zero(); len], axis };
    call.result(Op::Affine(affine), &[x])
}
