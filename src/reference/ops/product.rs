//! The loops of matrix products: one nest for each way the right side lies, and one for each side with few entries.
//!
//! The terms of an entry are added up in one order, which neither the strips that the cache holds change, nor the vectors that the
//! loops are compiled to, nor the threads that the entries are dealt out to: a product has the same bits everywhere.

use std::borrow::Cow;
use std::ops::{AddAssign, Mul, Range};

use super::super::array::{Held, floats};
use crate::dispatch::{VectorLoops, WORTH_THREADS, side_by_side, vectorized};
use crate::onnx::{Data, SparseValues, Tensor};

/// Terms that are added up before they join the total: rounding errors grow with this and with the number of blocks,
/// not with their product. ONNX Runtime's kernels add up in blocks too.
const BLOCK: usize = 128;
/// Columns whose part of `b` the cache holds at a time: with [`BLOCK`] rows 32 KB in double precision, which the first cache holds. With
/// four times as many, products in double precision take twice as long.
const STRIP: usize = 32;
/// Columns that are rows of a transposed right side and are used for all rows of the left one before the next ones.
const ROWS: usize = 16;
/// Partial sums of a dot product, at most.
const LANES: usize = 16;

/// The types that products are computed in.
pub(super) trait RealValue:
    Copy + Default + Send + Sync + AddAssign + Mul<Output = Self> + Into<f64> + From<f32>
{
    /// Partial sums of a dot product; at most 16.
    const LANES: usize = LANES;
    /// Adds a product.
    #[inline(always)]
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
pub(super) struct Fused(pub(super) f32);

impl AddAssign for Fused {
    #[inline(always)]
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
    #[inline(always)]
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

    #[inline(always)]
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

/// What one thread multiplies: whole rows of the product, or columns of a single row; and where they go.
struct ProductPart<'p, T, S> {
    a: &'p [T],
    b: &'p [S],
    sizes: Sizes,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &'p mut [T],
}

/// A product whose entries are dealt out to up to so many threads.
fn in_parts<T: RealValue, S: Sync>(
    (a, b): (&[T], &[S]),
    sizes: Sizes,
    threads: usize,
    compute: impl Fn(ProductPart<'_, T, S>) + Sync,
) -> Vec<T> {
    let Sizes { m, k, n } = sizes;
    let mut results = vec![T::default(); m * n];
    if results.is_empty() {
        return results;
    }
    let threads = if m * k * n < WORTH_THREADS { 1 } else { threads.max(1) };
    let (count, width) = if m == 1 { (n, 1) } else { (m, n) };
    let each = count.div_ceil(threads);
    let compute = |(number, out): (usize, &mut [T])| {
        let range = number * each..number * each + out.len() / width;
        let (rows, columns) = if m == 1 { (0..1, range) } else { (range, 0..n) };
        compute(ProductPart { a, b, sizes, rows, columns, out });
    };
    side_by_side(results.chunks_mut(each * width).enumerate(), compute);
    results
}

/// `a × b`, both row-major, on up to so many threads.
pub(super) fn product<T: RealValue, S: Copy + Sync + Into<T>>(
    a: &[T],
    b: &[S],
    sizes: Sizes,
    threads: usize,
) -> Vec<T> {
    in_parts((a, b), sizes, threads, |part| vectorized(ByStrips(part)))
}

/// A strip of `b` that the cache holds is used for all rows of `a` before the next one.
struct ByStrips<'p, T, S>(ProductPart<'p, T, S>);

impl<T: RealValue, S: Copy + Into<T>> VectorLoops for ByStrips<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let ProductPart { a, b, sizes: Sizes { k, n, .. }, rows, columns, out } = self.0;
        let mut strip: Vec<T> = Vec::new();
        let mut sums = [T::default(); STRIP];
        for from in columns.clone().step_by(STRIP) {
            let width = STRIP.min(columns.end - from);
            for start in (0..k).step_by(BLOCK) {
                let terms = start..(start + BLOCK).min(k);
                strip.clear();
                for t in terms.clone() {
                    strip.extend(b[t * n + from..][..width].iter().map(|&x| x.into()));
                }
                for (i, out) in rows.clone().zip(out.chunks_exact_mut(columns.len())) {
                    let sums = &mut sums[..width];
                    sums.fill(T::default());
                    add_rows(&a[i * k + start..][..terms.len()], &strip, sums);
                    let out = &mut out[from - columns.start..][..width];
                    out.iter_mut().zip(&*sums).for_each(|(total, &sum)| *total += sum);
                }
            }
        }
    }
}

/// Adds rows, each times its factor, one after the other. Four go in one pass, so that sums are read and written once for four: 11
/// billion products a second in single precision and 8 in double where each row by itself made 6 and 4.
#[inline(always)]
fn add_rows<T: RealValue>(factors: &[T], rows: &[T], sums: &mut [T]) {
    let width = sums.len();
    let (fours, mut left) = (factors.chunks_exact(4), rows.chunks_exact(4 * width));
    let rest = fours.remainder();
    for (f, four) in fours.zip(left.by_ref()) {
        let (front, back) = four.split_at(2 * width);
        let ((p, q), (r, s)) = (front.split_at(width), back.split_at(width));
        for ((((sum, &p), &q), &r), &s) in sums.iter_mut().zip(p).zip(q).zip(r).zip(s) {
            sum.add_product(f[0], p);
            sum.add_product(f[1], q);
            sum.add_product(f[2], r);
            sum.add_product(f[3], s);
        }
    }
    for (&factor, row) in rest.iter().zip(left.remainder().chunks_exact(width)) {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| sum.add_product(factor, x));
    }
}

/// `a × bᵀ`, on up to so many threads: `b` holds a column of the product's right side in each row.
fn product_transposed<T: RealValue, S: Copy + Sync + Into<T>>(
    a: &[T],
    b: &[S],
    sizes: Sizes,
    threads: usize,
) -> Vec<T> {
    in_parts((a, b), sizes, threads, |part| vectorized(ByDots(part)))
}

/// Some rows of `b` are used for all rows of `a` before the next ones.
struct ByDots<'p, T, S>(ProductPart<'p, T, S>);

impl<T: RealValue, S: Copy + Into<T>> VectorLoops for ByDots<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let ProductPart { a, b, sizes: Sizes { k, .. }, rows, columns, out } = self.0;
        for from in columns.clone().step_by(ROWS) {
            let here = from..columns.end.min(from + ROWS);
            for (i, out) in rows.clone().zip(out.chunks_exact_mut(columns.len())) {
                for (j, out) in here.clone().zip(&mut out[from - columns.start..]) {
                    *out = dot(&a[i * k..][..k], &b[j * k..][..k]);
                }
            }
        }
    }
}

#[inline(always)]
fn dot<T: RealValue, S: Copy + Into<T>>(x: &[T], y: &[S]) -> T {
    let count = T::LANES.min(LANES);
    let mut lanes = [T::default(); LANES];
    let (xs, ys) = (x.chunks_exact(count), y.chunks_exact(count));
    let rest = xs.remainder().iter().zip(ys.remainder());
    for (x, y) in xs.zip(ys) {
        lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(l, (&x, &y))| l.add_product(x, y.into()));
    }
    lanes.iter_mut().zip(rest).for_each(|(l, (&x, &y))| l.add_product(x, y.into()));
    let mut total = T::default();
    lanes.iter().for_each(|&l| total += l);
    total
}

/// The values of the right side of a product. Those in single precision are widened one at a time: a large matrix in
/// double precision would take twice the memory of the model.
pub(super) enum Right<'t, T: RealValue> {
    Single(&'t [f32]),
    Own(Cow<'t, [T]>),
}

impl<'t, T: RealValue> Right<'t, T> {
    pub(super) fn read(tensor: &'t Tensor) -> Self {
        match &tensor.data {
            Data::F32(values) => Self::Single(values),
            _ => Self::Own(T::read(tensor)),
        }
    }

    pub(super) fn product(&self, a: &[T], sizes: Sizes, threads: usize) -> Vec<T> {
        match self {
            Self::Single(b) => product(a, b, sizes, threads),
            Self::Own(b) => product(a, b, sizes, threads),
        }
    }

    pub(super) fn product_transposed(&self, a: &[T], sizes: Sizes, threads: usize) -> Vec<T> {
        match self {
            Self::Single(b) => product_transposed(a, b, sizes, threads),
            Self::Own(b) => product_transposed(a, b, sizes, threads),
        }
    }
}

/// `a × b` with few entries in `b`.
pub(super) fn product_sparse<T: RealValue>(
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
pub(super) fn sparse_product<T: RealValue>(
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, so that every order of summation gives the same sum.
    fn numbers(len: usize, seed: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 7 + seed) % 11) as f64 - 5.0).collect()
    }

    #[test]
    fn all_ways_to_multiply_agree() {
        for (m, k, n) in
            [(1, 1, 1), (2, 3, 4), (1, 300, 5), (3, 129, 1), (4, 16, 17), (3, 40, 150), (0, 2, 3), (2, 0, 3)]
        {
            let sizes = Sizes { m, k, n };
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 4));
            let term = |i: usize, j: usize| (0..k).map(|t| a[i * k + t] * b[t * n + j]).sum::<f64>();
            let expected: Vec<f64> = (0..m * n).map(|at| term(at / n, at % n)).collect();
            let transposed: Vec<f64> = (0..n * k).map(|at| b[at % k * n + at / k]).collect();
            let (in_a, in_b): (Vec<usize>, Vec<usize>) = ((0..m * k).collect(), (0..k * n).collect());
            let narrow = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            assert_eq!(product(&a, &b, sizes, 1), expected);
            assert_eq!(product_transposed(&a, &transposed, sizes, 1), expected);
            assert_eq!(product_sparse(&a, (&in_b, &b), sizes), expected);
            assert_eq!(sparse_product((&in_a, &a), &b, sizes), expected);
            assert_eq!(widened(product(&narrow(&a), &narrow(&b), sizes, 1)), expected);
            let fused = |v: &[f64]| narrow(v).into_iter().map(Fused).collect::<Vec<Fused>>();
            assert_eq!(widened(product(&fused(&a), &narrow(&b), sizes, 1)), expected);
        }
    }

    /// One entry by its definition: blocks of terms, one term after the other.
    fn plain<T: RealValue>(a: &[T], b: &[T], Sizes { k, n, .. }: Sizes, (i, j): (usize, usize)) -> T {
        let mut total = T::default();
        for start in (0..k).step_by(BLOCK) {
            let mut partial = T::default();
            for t in start..(start + BLOCK).min(k) {
                partial.add_product(a[i * k + t], b[t * n + j]);
            }
            total += partial;
        }
        total
    }

    /// The bits of a product on one thread and on three, of which some entries are compared with their definition.
    fn check_bits<T: RealValue + PartialEq + std::fmt::Debug>(sizes: Sizes, number: fn(f64) -> T) {
        let Sizes { m, k, n } = sizes;
        let some = |len: usize, seed: usize| {
            (0..len).map(|i| number(((i * 31 + seed) as f64).sin())).collect::<Vec<T>>()
        };
        let (a, b) = (some(m * k, 1), some(k * n, 2));
        let alone = product(&a, &b, sizes, 1);
        assert!(product(&a, &b, sizes, 3) == alone, "{m} {k} {n}");
        for at in (0..m * n).step_by(1 + m * n / 50) {
            assert_eq!(alone[at], plain(&a, &b, sizes, (at / n, at % n)), "{m} {k} {n}");
        }
        assert!(product_transposed(&a, &b, sizes, 3) == product_transposed(&a, &b, sizes, 1), "{m} {k} {n}");
    }

    #[test]
    fn neither_vectors_nor_threads_change_a_bit() {
        // The last two are worth threads.
        for (m, k, n) in [(5, 300, 7), (2, 1, 200), (70, 130, 500), (1, 1100, 4000)] {
            let sizes = Sizes { m, k, n };
            check_bits::<f32>(sizes, |x| x as f32);
            check_bits::<f64>(sizes, |x| x);
            check_bits::<Fused>(sizes, |x| Fused(x as f32));
        }
    }
}
