//! Matrix products. A constant with few non-zero entries is multiplied by those alone.

use super::super::array::{self, broadcast, combined, floats, integers, same_element, view};
use super::super::call::{Call, Results};
use super::Entry;
use super::product::{Fused, RealValue, Right, Sizes, product, product_sparse, sparse_product, widened};
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] =
    &[("Det", det), ("Gemm", gemm), ("MatMul", matmul), ("MatMulInteger", matmul_integer)];

fn matmul(call: &Call<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[a, b])?;
    let plan = Plan::new(&a.shape, &b.shape)?;
    let values = if !element.is_float() {
        let values = plan.integers(integers(a)?, integers(b)?);
        return Ok(vec![call.store_integers(element, plan.shape, values)]);
    } else if call.is_fused(element) {
        widened(plan.floats::<Fused>(a, b, call.threads))
    } else if call.is_single(element) {
        widened(plan.floats::<f32>(a, b, call.threads))
    } else {
        plan.floats::<f64>(a, b, call.threads)
    };
    Ok(vec![call.store(element, plan.shape, values)])
}

/// How two stacks of matrices are multiplied (numpy's rules): which matrix with which.
pub(in crate::reference) struct Plan {
    pub(in crate::reference) sizes: Sizes,
    /// For each matrix of the result: numbers of the left and the right matrix.
    pub(in crate::reference) pairs: Vec<(usize, usize)>,
    shape: Vec<usize>,
}

impl Plan {
    pub(in crate::reference) fn new(a: &[usize], b: &[usize]) -> Result<Self, String> {
        let fail = || Err(format!("a product of operands of shapes {a:?} and {b:?}"));
        if a.is_empty() || b.is_empty() {
            return fail();
        }
        // A vector on the left is a row, one on the right a column; the result loses that dimension again.
        let left = if a.len() == 1 { vec![1, a[0]] } else { a.to_vec() };
        let right = if b.len() == 1 { vec![b[0], 1] } else { b.to_vec() };
        let (left_stack, left_matrix) = left.split_at(left.len() - 2);
        let (right_stack, right_matrix) = right.split_at(right.len() - 2);
        let sizes = Sizes { m: left_matrix[0], k: left_matrix[1], n: right_matrix[1] };
        if right_matrix[0] != sizes.k {
            return fail();
        }
        let stack = broadcast(&[left_stack, right_stack])?;
        // Matrices are numbered in the order of their stacks.
        let numbers = |stack: &[usize]| (0..stack.iter().product()).collect::<Vec<usize>>();
        let (left, right) = (numbers(left_stack), numbers(right_stack));
        let pairs = combined(&stack, [left_stack, right_stack], &left, &right, |i, j| (i, j))?;
        let mut shape = stack;
        shape.extend((a.len() > 1).then_some(sizes.m));
        shape.extend((b.len() > 1).then_some(sizes.n));
        array::len(&shape)?;
        Ok(Self { sizes, pairs, shape })
    }

    fn floats<T: RealValue>(&self, a: &Tensor, b: &Tensor, threads: usize) -> Vec<T> {
        let Sizes { m, k, n } = self.sizes;
        if let ([_], Some((indices, values))) = (self.pairs.as_slice(), T::entries(b)) {
            return product_sparse(&T::read(a), (indices, &values), self.sizes);
        }
        if let ([_], Some((indices, values))) = (self.pairs.as_slice(), T::entries(a)) {
            return sparse_product((indices, &values), &T::read(b), self.sizes);
        }
        let x = T::read(a);
        // One matrix on the right for all on the left is a single product: all rows stacked.
        if self.pairs.iter().enumerate().all(|(i, &pair)| pair == (i, 0)) {
            return Right::read(b).product(&x, Sizes { m: m * self.pairs.len(), k, n }, threads);
        }
        let y = T::read(b);
        let one = |&(i, j): &(usize, usize)| {
            product(&x[i * m * k..(i + 1) * m * k], &y[j * k * n..(j + 1) * k * n], self.sizes, threads)
        };
        self.pairs.iter().flat_map(one).collect()
    }

    fn integers(&self, a: &[i64], b: &[i64]) -> Vec<i64> {
        let Sizes { m, k, n } = self.sizes;
        let mut out = Vec::with_capacity(self.pairs.len() * m * n);
        for &(x, y) in &self.pairs {
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let term = |t: usize| a[(x * m + i) * k + t].wrapping_mul(b[(y * k + t) * n + j]);
                out.push((0..k).map(term).fold(0, i64::wrapping_add));
            }
        }
        out
    }
}

/// `alpha · A' · B' + beta · C`, where `'` is an optional transposition and `C` is broadcast.
fn gemm(call: &Call<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[a, b])?;
    if !element.is_float() {
        return Err(format!("floats are needed where {element} is given"));
    }
    let values = if call.is_fused(element) {
        widened(gemm_product::<Fused>(call)?)
    } else if call.is_single(element) {
        widened(gemm_product::<f32>(call)?)
    } else {
        gemm_product::<f64>(call)?
    };
    let shape = gemm_sizes(call).map(|s| vec![s.m, s.n])?;
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let scaled = values.into_iter().map(|x| alpha * x);
    let Some(c) = call.optional(2) else { return Ok(vec![call.store(element, shape, scaled.collect())]) };
    if broadcast(&[&c.shape, &shape])? != shape {
        return Err(format!("a third operand of shape {:?} for a product of shape {shape:?}", c.shape));
    }
    let scaled: Vec<f64> = scaled.collect();
    let values = combined(&shape, [&shape, &c.shape], &scaled, &floats(c), |x, c| x + beta * c)?;
    Ok(vec![call.store(element, shape, values)])
}

pub(in crate::reference) fn gemm_sizes(call: &Call<'_>) -> Result<Sizes, String> {
    let (a, b) = (&call.input(0)?.shape, &call.input(1)?.shape);
    let ([rows, columns], [b_rows, b_columns]) = (a.as_slice(), b.as_slice()) else {
        return Err(format!("matrices are needed where operands of shapes {a:?} and {b:?} are given"));
    };
    let (m, k) = if call.flag("transA", false)? { (*columns, *rows) } else { (*rows, *columns) };
    let (inner, n) = if call.flag("transB", false)? { (*b_columns, *b_rows) } else { (*b_rows, *b_columns) };
    if k != inner {
        return Err(format!("a product of operands of shapes {a:?} and {b:?} as transposed"));
    }
    array::len(&[m, n])?;
    Ok(Sizes { m, k, n })
}

fn gemm_product<T: RealValue>(call: &Call<'_>) -> Result<Vec<T>, String> {
    let sizes = gemm_sizes(call)?;
    let Sizes { m, k, n } = sizes;
    let mut left = T::read(call.input(0)?);
    if call.flag("transA", false)? {
        left = array::listed(view(&[k, m], &left)?.reversed_axes()).into();
    }
    let b = call.input(1)?;
    let transposed = call.flag("transB", false)?;
    if let Some((indices, values)) = T::entries(b) {
        let indices = indices.iter().map(|&i| if transposed { i % k * n + i / k } else { i });
        return Ok(product_sparse(&left, (&indices.collect::<Vec<_>>(), &values), sizes));
    }
    let right = Right::read(b);
    Ok(match transposed {
        true => right.product_transposed(&left, sizes, call.threads),
        false => right.product(&left, sizes, call.threads),
    })
}

/// Product of 8-bit integers around their zero points.
fn matmul_integer(call: &Call<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let plan = Plan::new(&a.shape, &b.shape)?;
    let x = centred(a, call.optional(2), a.shape.len().saturating_sub(2))?;
    let y = centred(b, call.optional(3), b.shape.len().saturating_sub(1))?;
    let values = plan.integers(&x, &y);
    Ok(vec![call.store_integers(ElementType::Int32, plan.shape, values)])
}

/// Integers less their zero point: one for all, or one for each index of `axis`.
pub(super) fn centred(tensor: &Tensor, zero: Option<&Tensor>, axis: usize) -> Result<Vec<i64>, String> {
    let values = integers(tensor)?;
    let Some(zero) = zero else { return Ok(values.to_vec()) };
    let zeros = integers(zero)?;
    match (zeros, tensor.shape.get(axis)) {
        ([zero], _) => Ok(values.iter().map(|x| x - zero).collect()),
        (zeros, Some(&n)) if zeros.len() == n => {
            let shape = &tensor.shape;
            let mut own = vec![1; shape.len()];
            own[axis] = n;
            combined(shape, [shape, &own], values, zeros, |x, zero| x - zero)
        }
        _ => Err(format!("{} zero points for an operand of shape {:?}", zeros.len(), tensor.shape)),
    }
}

/// Determinants by Gaussian elimination with row exchanges.
fn det(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let (stack, n) = match x.shape.as_slice() {
        [stack @ .., rows, columns] if rows == columns => (stack.to_vec(), *rows),
        other => return Err(format!("square matrices are needed where shape {other:?} is given")),
    };
    let count: usize = stack.iter().product();
    let values = floats(x);
    let one = |i: usize| determinant(values[i * n * n..(i + 1) * n * n].to_vec(), n);
    Ok(vec![call.store(x.element, stack, (0..count).map(one).collect())])
}

fn determinant(mut a: Vec<f64>, n: usize) -> f64 {
    let mut result = 1.0;
    for c in 0..n {
        let pivot = (c..n).max_by(|&i, &j| a[i * n + c].abs().total_cmp(&a[j * n + c].abs())).unwrap_or(c);
        if pivot != c {
            (0..n).for_each(|j| a.swap(c * n + j, pivot * n + j));
            result = -result;
        }
        let top = a[c * n + c];
        result *= top;
        if top == 0.0 {
            return 0.0;
        }
        for i in c + 1..n {
            let factor = a[i * n + c] / top;
            (c..n).for_each(|j| a[i * n + j] -= factor * a[c * n + j]);
        }
    }
    result
}
