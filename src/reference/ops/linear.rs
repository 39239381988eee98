//! Matrix products. A constant with few non-zero entries is multiplied by those alone.

use std::borrow::Cow;
use std::ops::{AddAssign, Mul};

use super::super::array::{self, Held, broadcast, combined, floats, integers, same_element, view};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::{Data, ElementType, SparseValues, Tensor};

pub(super) const OPERATORS: &[Entry] =
    &[("Det", det), ("Gemm", gemm), ("MatMul", matmul), ("MatMulInteger", matmul_integer)];

/// Terms that are added up before they join the total: rounding errors grow with this and with the number of blocks,
/// not with their product. ONNX Runtime's kernels add up in blocks too.
const BLOCK: usize = 128;
/// Columns of a product that are computed together: with [`BLOCK`] rows 128 KB in double precision.
const STRIP: usize = 128;

/// The types that products are computed in.
pub(super) trait RealValue:
    Copy + Default + AddAssign + Mul<Output = Self> + Into<f64> + From<f32>
{
    /// Partial sums of a dot product; at most 16.
    const LANES: usize = 16;
    /// Adds a product.
    fn add_product(&mut self, a: Self, b: Self) {
        *self += a * b;
    }
    /// A float tensor's values.
    fn read(tensor: &Tensor) -> Cow<'_, [Self]>;
    /// A sparse tensor's entries.
    fn entries(tensor: &Tensor) -> Option<(&[usize], Cow<'_, [Self]>)>;
}

impl RealValue for f32 {
    fn read(tensor: &Tensor) -> Cow<'_, [f32]> {
        Self::values(tensor)
    }

    fn entries(tensor: &Tensor) -> Option<(&[usize], Cow<'_, [f32]>)> {
        match &tensor.data {
            Data::SparseF32(SparseValues { indices, values }) => Some((indices, Cow::Borrowed(values))),
            _ => None,
        }
    }
}

impl RealValue for f64 {
    fn read(tensor: &Tensor) -> Cow<'_, [f64]> {
        floats(tensor)
    }

    fn entries(tensor: &Tensor) -> Option<(&[usize], Cow<'_, [f64]>)> {
        match &tensor.data {
            Data::SparseF32(s) => Some((&s.indices, s.values.iter().map(|&x| x.into()).collect())),
            Data::SparseF64(s) => Some((&s.indices, Cow::Borrowed(&s.values))),
            _ => None,
        }
    }
}

/// A number of single precision whose products are added up one by one, each with a single rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Fused(f32);

impl AddAssign for Fused {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Mul for Fused {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl From<f32> for Fused {
    fn from(x: f32) -> Self {
        Self(x)
    }
}

impl From<Fused> for f64 {
    fn from(x: Fused) -> Self {
        x.0.into()
    }
}

impl RealValue for Fused {
    const LANES: usize = 1;

    fn add_product(&mut self, a: Self, b: Self) {
        self.0 = a.0.mul_add(b.0, self.0);
    }

    fn read(tensor: &Tensor) -> Cow<'_, [Self]> {
        f32::read(tensor).iter().copied().map(Self).collect()
    }

    fn entries(tensor: &Tensor) -> Option<(&[usize], Cow<'_, [Self]>)> {
        let (indices, values) = f32::entries(tensor)?;
        Some((indices, values.iter().copied().map(Self).collect()))
    }
}

/// Rows and columns of a product: `[m, k] × [k, n]`.
#[derive(Clone, Copy)]
pub(in crate::reference) struct Sizes {
    pub(in crate::reference) m: usize,
    pub(in crate::reference) k: usize,
    pub(in crate::reference) n: usize,
}

/// `a × b`, both row-major. A strip of `b` that the cache holds is used for all rows of `a` before the next one; the order
/// in which terms are added up does not depend on the strips.
pub(super) fn product<T: RealValue, S: Copy + Into<T>>(a: &[T], b: &[S], Sizes { m, k, n }: Sizes) -> Vec<T> {
    let mut out = vec![T::default(); m * n];
    let mut strip = Vec::new();
    let mut partial = [T::default(); STRIP];
    for (from, start) in (0..n).step_by(STRIP).flat_map(|from| (0..k).step_by(BLOCK).map(move |s| (from, s)))
    {
        let width = STRIP.min(n - from);
        strip.clear();
        for t in start..(start + BLOCK).min(k) {
            strip.extend(b[t * n + from..][..width].iter().map(|&x| x.into()));
        }
        for i in 0..m {
            let partial = &mut partial[..width];
            partial.fill(T::default());
            for (&factor, row) in a[i * k + start..].iter().zip(strip.chunks_exact(width)) {
                partial.iter_mut().zip(row).for_each(|(p, &x)| p.add_product(factor, x));
            }
            out[i * n + from..][..width].iter_mut().zip(&*partial).for_each(|(t, &p)| *t += p);
        }
    }
    out
}

/// `a × bᵀ`: `b` holds a column of the product's right side in each row.
fn product_transposed<T: RealValue, S: Copy + Into<T>>(a: &[T], b: &[S], Sizes { m, k, n }: Sizes) -> Vec<T> {
    const LANES: usize = 16;
    let count = T::LANES.min(LANES);
    let mut out = Vec::with_capacity(m * n);
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let (row, column) = (&a[i * k..(i + 1) * k], &b[j * k..(j + 1) * k]);
        let mut lanes = [T::default(); LANES];
        for (x, y) in row.chunks(count).zip(column.chunks(count)) {
            lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(l, (&x, &y))| l.add_product(x, y.into()));
        }
        let mut total = T::default();
        lanes.iter().for_each(|&l| total += l);
        out.push(total);
    }
    out
}

/// The values of the right side of a product. Those in single precision are widened one at a time: a large matrix in
/// double precision would take twice the memory of the model.
enum Right<'t, T: RealValue> {
    Single(&'t [f32]),
    Own(Cow<'t, [T]>),
}

impl<'t, T: RealValue> Right<'t, T> {
    fn read(tensor: &'t Tensor) -> Self {
        match &tensor.data {
            Data::F32(values) => Self::Single(values),
            _ => Self::Own(T::read(tensor)),
        }
    }

    fn product(&self, a: &[T], sizes: Sizes) -> Vec<T> {
        match self {
            Self::Single(b) => product(a, b, sizes),
            Self::Own(b) => product(a, b, sizes),
        }
    }

    fn product_transposed(&self, a: &[T], sizes: Sizes) -> Vec<T> {
        match self {
            Self::Single(b) => product_transposed(a, b, sizes),
            Self::Own(b) => product_transposed(a, b, sizes),
        }
    }
}

/// `a × b` with few entries in `b`.
fn product_sparse<T: RealValue>(
    a: &[T],
    (indices, values): (&[usize], &[T]),
    Sizes { m, k, n }: Sizes,
) -> Vec<T> {
    let mut out = vec![T::default(); m * n];
    for i in 0..m {
        for (&at, &value) in indices.iter().zip(values) {
            out[i * n + at % n].add_product(a[i * k + at / n], value);
        }
    }
    out
}

/// `a × b` with few entries in `a`.
fn sparse_product<T: RealValue>(
    (indices, values): (&[usize], &[T]),
    b: &[T],
    Sizes { m, k, n }: Sizes,
) -> Vec<T> {
    let mut out = vec![T::default(); m * n];
    for (&at, &value) in indices.iter().zip(values) {
        let (row, column) = (at / k, at % k);
        let terms = &b[column * n..(column + 1) * n];
        out[row * n..(row + 1) * n].iter_mut().zip(terms).for_each(|(t, &x)| t.add_product(value, x));
    }
    out
}

pub(super) fn widened<T: RealValue>(values: Vec<T>) -> Vec<f64> {
    values.into_iter().map(Into::into).collect()
}

fn matmul(call: &Call<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[a, b])?;
    let plan = Plan::new(&a.shape, &b.shape)?;
    let values = if !element.is_float() {
        let values = plan.integers(integers(a)?, integers(b)?);
        return Ok(vec![call.store_integers(element, plan.shape, values)]);
    } else if call.is_fused(element) {
        widened(plan.floats::<Fused>(a, b))
    } else if call.is_single(element) {
        widened(plan.floats::<f32>(a, b))
    } else {
        plan.floats::<f64>(a, b)
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

    fn floats<T: RealValue>(&self, a: &Tensor, b: &Tensor) -> Vec<T> {
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
            return Right::read(b).product(&x, Sizes { m: m * self.pairs.len(), k, n });
        }
        let y = T::read(b);
        let one = |&(i, j): &(usize, usize)| {
            product(&x[i * m * k..(i + 1) * m * k], &y[j * k * n..(j + 1) * k * n], self.sizes)
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
    Ok(if transposed { right.product_transposed(&left, sizes) } else { right.product(&left, sizes) })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, so that every order of summation gives the same sum.
    fn numbers(len: usize, seed: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 7 + seed) % 11) as f64 - 5.0).collect()
    }

    #[test]
    fn all_ways_to_multiply_agree() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (1, 300, 5), (3, 129, 1), (4, 16, 17)] {
            let sizes = Sizes { m, k, n };
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 4));
            let term = |i: usize, j: usize| (0..k).map(|t| a[i * k + t] * b[t * n + j]).sum::<f64>();
            let expected: Vec<f64> = (0..m * n).map(|at| term(at / n, at % n)).collect();
            let transposed: Vec<f64> = (0..n * k).map(|at| b[at % k * n + at / k]).collect();
            let (in_a, in_b): (Vec<usize>, Vec<usize>) = ((0..m * k).collect(), (0..k * n).collect());
            let narrow = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            assert_eq!(product(&a, &b, sizes), expected);
            assert_eq!(product_transposed(&a, &transposed, sizes), expected);
            assert_eq!(product_sparse(&a, (&in_b, &b), sizes), expected);
            assert_eq!(sparse_product((&in_a, &a), &b, sizes), expected);
            assert_eq!(widened(product(&narrow(&a), &narrow(&b), sizes)), expected);
            let fused = |v: &[f64]| narrow(v).into_iter().map(Fused).collect::<Vec<Fused>>();
            assert_eq!(widened(product(&fused(&a), &narrow(&b), sizes)), expected);
        }
    }
}
