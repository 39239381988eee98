//! Matrix products: with a constant on one side they are affine layers, otherwise products of two values.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{Affine, BinaryFunction, MatMul, Op, UnaryFunction};
use crate::network::shape;
use crate::onnx::{ModelError, Tensor};

impl<T: Real> Importer<T> {
    pub(super) const LINEAR: &'static [Entry<T>] = &[("Gemm", gemm), ("MatMul", mat_mul)];
}

impl<T: Real> ImportCall<'_, T> {
    /// `x` times the constant `[K, N]` (or, transposed, `[N, K]`) matrix along the last axis.
    fn times_constant(
        &mut self,
        x: &Operand,
        weights: &Tensor,
        transposed: bool,
        scale: f64,
        bias: Option<Vec<T>>,
    ) -> Result<Operand, ModelError> {
        let (&[rows, columns], Some(axis)) = (weights.shape.as_slice(), self.shape(x).len().checked_sub(1))
        else {
            return Err(self.error("a matrix product needs a matrix and an operand with axes"));
        };
        let (inputs, outputs) = if transposed { (columns, rows) } else { (rows, columns) };
        let matrix = weights.matrix(outputs, inputs, !transposed, scale);
        let bias = bias.unwrap_or_else(|| vec![T::zero(); outputs]);
        self.apply(Op::Affine(Affine { matrix, bias, axis }), std::slice::from_ref(x))
    }

    /// The constant `[M, K]` (or, transposed, `[K, M]`) matrix times `x` along its last axis but one.
    fn constant_times(
        &mut self,
        weights: &Tensor,
        x: &Operand,
        transposed: bool,
        scale: f64,
    ) -> Result<Operand, ModelError> {
        let (&[rows, columns], Some(axis)) = (weights.shape.as_slice(), self.shape(x).len().checked_sub(2))
        else {
            return Err(self.error("a matrix product needs a matrix and an operand with two axes"));
        };
        let (outputs, inputs) = if transposed { (columns, rows) } else { (rows, columns) };
        let matrix = weights.matrix(outputs, inputs, transposed, scale);
        let bias = vec![T::zero(); outputs];
        self.apply(Op::Affine(Affine { matrix, bias, axis }), std::slice::from_ref(x))
    }

    /// ONNX's `MatMul` of two values.
    pub(super) fn product(&mut self, a: &Operand, b: &Operand) -> Result<Operand, ModelError> {
        let (a_shape, b_shape) = (self.shape(a), self.shape(b));
        if a_shape.is_empty() || b_shape.is_empty() {
            return Err(self.error("a matrix product has no meaning for scalars"));
        }
        match (a, b) {
            (Operand::Node(_), Operand::Constant(weights)) if b_shape.len() == 2 => {
                return self.times_constant(a, &weights.clone(), false, 1.0, None);
            }
            (Operand::Node(_), Operand::Constant(weights)) if b_shape.len() == 1 => {
                let column = weights.reshaped(vec![b_shape[0], 1]);
                let product = self.times_constant(a, &column, false, 1.0, None)?;
                return self.reshape(&product, a_shape[..a_shape.len() - 1].to_vec());
            }
            (Operand::Constant(weights), Operand::Node(_)) if a_shape.len() == 2 && b_shape.len() >= 2 => {
                return self.constant_times(&weights.clone(), b, false, 1.0);
            }
            (Operand::Constant(weights), Operand::Node(_)) if a_shape.len() == 2 && b_shape.len() == 1 => {
                return self.times_constant(b, &weights.clone(), true, 1.0, None);
            }
            _ => {}
        }
        // Vectors are matrices with one row (left) or column (right), which the result then loses again.
        let left = if a_shape.len() == 1 { self.reshape(a, vec![1, a_shape[0]])? } else { a.clone() };
        let right = if b_shape.len() == 1 { self.reshape(b, vec![b_shape[0], 1])? } else { b.clone() };
        let product = self.apply(Op::MatMul(MatMul), &[left, right])?;
        let mut shape = self.shape(&product);
        if b_shape.len() == 1 {
            shape.pop();
        }
        if a_shape.len() == 1 {
            shape.remove(shape.len() - if b_shape.len() == 1 { 1 } else { 2 });
        }
        self.reshape(&product, shape)
    }
}

fn mat_mul<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    Ok(vec![call.product(&a, &b)?])
}

/// `alpha · A' · B' + beta · C`
fn gemm<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (a, b, c) = (call.operand(0)?, call.operand(1)?, call.optional(2));
    let alpha = call.node.float("alpha")?.unwrap_or(1.0);
    let beta = call.node.float("beta")?.unwrap_or(1.0);
    let (turn_a, turn_b) = (call.node.flag("transA", false)?, call.node.flag("transB", false)?);
    let (a_shape, b_shape) = (call.shape(&a), call.shape(&b));
    if a_shape.len() != 2 || b_shape.len() != 2 {
        return Err(call.error(format!("operands must be matrices, not {a_shape:?} and {b_shape:?}")));
    }
    let columns = b_shape[usize::from(!turn_b)];
    if let (Operand::Node(_), Operand::Constant(weights)) = (&a, &b) {
        let x = if turn_a { call.transpose(&a, &[1, 0])? } else { a.clone() };
        let bias = c.as_ref().and_then(|c| row_bias::<T>(c, beta, columns));
        let rest = if bias.is_some() { None } else { c };
        let product = call.times_constant(&x, &weights.clone(), turn_b, alpha, bias)?;
        return Ok(vec![add_scaled(call, product, rest, beta)?]);
    }
    let product = if let (Operand::Constant(weights), Operand::Node(_)) = (&a, &b) {
        let x = if turn_b { call.transpose(&b, &[1, 0])? } else { b.clone() };
        call.constant_times(&weights.clone(), &x, turn_a, alpha)?
    } else {
        let left = if turn_a { call.transpose(&a, &[1, 0])? } else { a };
        let right = if turn_b { call.transpose(&b, &[1, 0])? } else { b };
        let product = call.product(&left, &right)?;
        scaled(call, product, alpha)?
    };
    Ok(vec![add_scaled(call, product, c, beta)?])
}

/// `beta · c` as one number a column, where `c` is a constant that does not vary along the rows.
fn row_bias<T: Real>(c: &Operand, beta: f64, columns: usize) -> Option<Vec<T>> {
    let Operand::Constant(c) = c else { return None };
    let rows = shape::len(&c.shape[..c.shape.len().saturating_sub(1)]);
    let values = c.to_f64();
    match values.len() {
        _ if rows != 1 => None,
        1 => Some(vec![T::of(values[0] * beta); columns]),
        n if n == columns => Some(values.iter().map(|&x| T::of(x * beta)).collect()),
        _ => None,
    }
}

fn scaled<T: Real>(call: &mut ImportCall<'_, T>, x: Operand, scale: f64) -> Result<Operand, ModelError> {
    if scale == 1.0 { Ok(x) } else { call.unary(UnaryFunction::Scale { scale, shift: 0.0 }, &x) }
}

fn add_scaled<T: Real>(
    call: &mut ImportCall<'_, T>,
    product: Operand,
    c: Option<Operand>,
    beta: f64,
) -> Result<Operand, ModelError> {
    let Some(c) = c else { return Ok(product) };
    if shape::broadcast(&[&call.shape(&product), &call.shape(&c)]).ok() != Some(call.shape(&product)) {
        return Err(call.error(format!("C of shape {:?} does not fit the product", call.shape(&c))));
    }
    let c = scaled(call, c, beta)?;
    call.binary(BinaryFunction::Add, &product, &c)
}
