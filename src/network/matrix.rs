//! The matrix of an affine layer: dense and packed for the kernel, sparse, or diagonal.

use std::sync::{Arc, OnceLock};

use super::kernel::dot;
use super::kernel::panels::{Panels, Rows, SumStart, weighted_rows_on};
use super::op::cast;
use super::real::Real;
use crate::dispatch::{WORTH_THREADS, side_by_side, vectorized};

/// An `[outputs][inputs]` matrix.
#[derive(Debug, Clone)]
pub enum Matrix<T> {
    /// All entries.
    Dense(Dense<T>),
    /// The non-zero entries, by rows and by columns.
    Sparse(Box<Sparse<T>>),
    /// The diagonal of a square matrix: a scaling.
    Diagonal(Vec<T>),
}

/// A dense matrix, row-major.
#[derive(Debug, Clone)]
pub struct Dense<T> {
    outputs: usize,
    inputs: usize,
    /// The model's own, where that holds it like this.
    data: Arc<Vec<T>>,
    forms: Box<DenseForms<T>>,
}

/// Other orders of the same entries, each made when a pass first needs it.
#[derive(Debug, Clone, Default)]
struct DenseForms<T> {
    forward: OnceLock<Panels<T>>,
    backward: OnceLock<Panels<T>>,
    /// The transposed matrix, row-major, for a single point of a narrow one.
    turned: OnceLock<Vec<T>>,
}

/// A thread's numbers of a vector are a multiple of this: what goes together on one thread does on several, and gives the same bits.
const PART: usize = 64;

/// A row of a matrix with so few columns is over before it has paid for the sum of its vector's lanes.
const NARROW: usize = 32;

/// A sparse matrix in both orders: forward passes walk rows, backward passes columns.
#[derive(Debug, Clone)]
pub struct Sparse<T> {
    rows: Compressed<T>,
    columns: Compressed<T>,
}

/// Compressed sparse rows (of the matrix or of its transpose).
#[derive(Debug, Clone)]
struct Compressed<T> {
    /// Entries of row `r` are `starts[r]..starts[r + 1]`.
    starts: Vec<u32>,
    indices: Vec<u32>,
    values: Vec<T>,
}

impl<T: Real> Matrix<T> {
    /// A dense matrix from its row-major entries.
    pub fn dense(outputs: usize, inputs: usize, data: Vec<T>) -> Self {
        Self::shared(outputs, inputs, data.into())
    }

    /// The same from entries that somebody else holds too.
    pub fn shared(outputs: usize, inputs: usize, mut data: Arc<Vec<T>>) -> Self {
        assert_eq!(data.len(), outputs * inputs, "a matrix has outputs × inputs entries");
        if data.iter().any(|&entry| entry.normal_or_zero() != entry) {
            let entries = Arc::unwrap_or_clone(data);
            data = Arc::new(entries.into_iter().map(T::normal_or_zero).collect());
        }
        Self::Dense(Dense { outputs, inputs, data, forms: Box::default() })
    }

    /// A sparse matrix from `(output, input, value)` entries in any order; entries at one place add up.
    pub fn sparse(outputs: usize, inputs: usize, mut entries: Vec<(u32, u32, T)>) -> Self {
        entries.sort_unstable_by_key(|&(output, input, _)| (output, input));
        let rows = Compressed::new(outputs, entries.iter().copied());
        entries.sort_unstable_by_key(|&(output, input, _)| (input, output));
        let columns = Compressed::new(inputs, entries.iter().map(|&(o, i, x)| (i, o, x)));
        Self::Sparse(Box::new(Sparse { rows, columns }))
    }

    /// A square matrix that has only these entries, on its diagonal.
    pub fn diagonal(entries: Vec<T>) -> Self {
        Self::Diagonal(entries.into_iter().map(T::normal_or_zero).collect())
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Dense(m) => m.outputs,
            Self::Sparse(m) => m.rows.len(),
            Self::Diagonal(d) => d.len(),
        }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Dense(m) => m.inputs,
            Self::Sparse(m) => m.columns.len(),
            Self::Diagonal(d) => d.len(),
        }
    }

    /// Entries that take part in a product.
    pub fn entries(&self) -> usize {
        match self {
            Self::Dense(m) => m.data.len(),
            Self::Sparse(m) => m.rows.values.len(),
            Self::Diagonal(d) => d.len(),
        }
    }

    /// Calls `visit(input, value)` for the entries of one output's row that may be non-zero.
    pub fn for_row(&self, output: usize, mut visit: impl FnMut(usize, T)) {
        match self {
            Self::Dense(m) => {
                for (i, &x) in m.data[output * m.inputs..(output + 1) * m.inputs].iter().enumerate() {
                    visit(i, x);
                }
            }
            Self::Sparse(m) => m.rows.row(output).for_each(|(i, x)| visit(i, x)),
            Self::Diagonal(d) => visit(output, d[output]),
        }
    }

    /// The matrix in row-major form.
    pub fn to_dense(&self) -> Vec<T> {
        if let Self::Dense(m) = self {
            return m.data.to_vec();
        }
        let inputs = self.inputs();
        let mut data = vec![T::zero(); self.outputs() * inputs];
        for output in 0..self.outputs() {
            self.for_row(output, |i, x| data[output * inputs + i] = x);
        }
        data
    }

    /// `out[o][·] = start + Σ_i matrix[o][i] · x[i][·]` for rows of `lanes` numbers, on up to so many threads.
    pub(crate) fn apply(&self, x: &[T], start: SumStart<'_, T>, out: &mut [T], lanes: usize, threads: usize) {
        match self {
            Self::Dense(m) if lanes == 1 => {
                initialise(start, out, 1);
                if m.inputs <= NARROW && m.outputs > m.inputs {
                    return dot::vector_matrix(m.turned(), m.outputs, 0, x, out);
                }
                m.in_parts(threads, out, &|first, out| {
                    dot::matrix_vector(&m.data[first * m.inputs..], x, out);
                });
            }
            Self::Dense(m) => {
                let rows = Rows::Strided { data: x, stride: lanes };
                weighted_rows_on(threads, m.forward_panels().view(), rows, start, out, lanes);
            }
            Self::Sparse(m) => m.rows.apply(x, start, out, lanes),
            Self::Diagonal(d) => scale_rows(d, x, start, out, lanes),
        }
    }

    /// `out[i][·] += Σ_o matrix[o][i] · y[o][·]` for rows of `lanes` numbers, on up to so many threads: the transposed product.
    pub fn apply_transposed(&self, y: &[T], out: &mut [T], lanes: usize, threads: usize) {
        match self {
            Self::Dense(m) if lanes == 1 => m.in_parts(threads, out, &|first, out| {
                dot::vector_matrix(&m.data, m.inputs, first, y, out);
            }),
            Self::Dense(m) => {
                let rows = Rows::Strided { data: y, stride: lanes };
                let start = SumStart::Accumulate;
                weighted_rows_on(threads, m.backward_panels().view(), rows, start, out, lanes);
            }
            Self::Sparse(m) => m.columns.apply(y, SumStart::Accumulate, out, lanes),
            Self::Diagonal(d) => scale_rows(d, y, SumStart::Accumulate, out, lanes),
        }
    }

    /// The matrix with each entry `x` replaced by `f(output, input, x)`; what is no entry stays zero.
    pub fn map(&self, f: impl Fn(usize, usize, T) -> T) -> Self {
        match self {
            Self::Dense(m) => {
                let data = m.data.iter().enumerate().map(|(at, &x)| f(at / m.inputs, at % m.inputs, x));
                Self::dense(m.outputs, m.inputs, data.collect())
            }
            Self::Sparse(m) => {
                let mut entries = Vec::with_capacity(m.rows.values.len());
                for o in 0..m.rows.len() {
                    entries.extend(m.rows.row(o).map(|(i, x)| (o as u32, i as u32, f(o, i, x))));
                }
                Self::sparse(self.outputs(), self.inputs(), entries)
            }
            Self::Diagonal(d) => Self::diagonal(d.iter().enumerate().map(|(i, &x)| f(i, i, x)).collect()),
        }
    }

    /// The same matrix in another precision.
    pub fn cast<U: Real>(&self) -> Matrix<U> {
        match self {
            Self::Dense(m) => Matrix::dense(m.outputs, m.inputs, cast(&m.data)),
            Self::Sparse(m) => {
                Matrix::Sparse(Box::new(Sparse { rows: m.rows.cast(), columns: m.columns.cast() }))
            }
            Self::Diagonal(d) => Matrix::diagonal(cast(d)),
        }
    }
}

impl<T: Real> Dense<T> {
    /// All entries, row-major.
    pub fn entries(&self) -> &[T] {
        &self.data
    }

    /// Computes the numbers of a vector on up to so many threads: `compute` is told the number of its part's first one.
    fn in_parts(&self, threads: usize, out: &mut [T], compute: &(dyn Fn(usize, &mut [T]) + Sync)) {
        if threads <= 1 || self.data.len() < WORTH_THREADS {
            return compute(0, out);
        }
        let each = out.len().div_ceil(threads).next_multiple_of(PART);
        side_by_side(out.chunks_mut(each).enumerate(), |(number, part)| compute(number * each, part));
    }

    fn forward_panels(&self) -> &Panels<T> {
        let at = |o: usize, i: usize| self.data[o * self.inputs + i];
        self.forms.forward.get_or_init(|| Panels::pack(self.outputs, self.inputs, at))
    }

    fn turned(&self) -> &[T] {
        let column = |i: usize| self.data.iter().skip(i).step_by(self.inputs).copied();
        self.forms.turned.get_or_init(|| (0..self.inputs).flat_map(column).collect())
    }

    fn backward_panels(&self) -> &Panels<T> {
        let at = |i: usize, o: usize| self.data[o * self.inputs + i];
        self.forms.backward.get_or_init(|| Panels::pack(self.inputs, self.outputs, at))
    }
}

impl<T: Real> Compressed<T> {
    fn new(rows: usize, entries: impl Iterator<Item = (u32, u32, T)>) -> Self {
        let mut this = Self { starts: vec![0], indices: Vec::new(), values: Vec::new() };
        let mut last = None;
        for (row, index, value) in entries {
            if last == Some((row, index)) {
                if let Some(x) = this.values.last_mut() {
                    *x += value;
                }
                continue;
            }
            last = Some((row, index));
            while this.starts.len() <= row as usize {
                this.starts.push(this.values.len() as u32);
            }
            this.indices.push(index);
            this.values.push(value);
        }
        this.starts.resize(rows + 1, this.values.len() as u32);
        this.values.iter_mut().for_each(|value| *value = value.normal_or_zero());
        this
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        self.indices[range.clone()].iter().zip(&self.values[range]).map(|(&i, &x)| (i as usize, x))
    }

    fn apply(&self, x: &[T], start: SumStart<'_, T>, out: &mut [T], lanes: usize) {
        initialise(start, out, lanes);
        if lanes == 0 {
            return;
        }
        vectorized(|| {
            for (row, sums) in out.chunks_exact_mut(lanes).enumerate().take(self.len()) {
                for (i, w) in self.row(row) {
                    for (sum, &x) in sums.iter_mut().zip(&x[i * lanes..(i + 1) * lanes]) {
                        *sum += w * x;
                    }
                }
            }
        });
    }

    fn cast<U: Real>(&self) -> Compressed<U> {
        let values = cast::<T, U>(&self.values).into_iter().map(U::normal_or_zero).collect();
        Compressed { starts: self.starts.clone(), indices: self.indices.clone(), values }
    }
}

/// `out[o][·] = start + diagonal[o] · x[o][·]`
fn scale_rows<T: Real>(diagonal: &[T], x: &[T], start: SumStart<'_, T>, out: &mut [T], lanes: usize) {
    if let (SumStart::Bias(bias), 1) = (start, lanes) {
        let rows = out.iter_mut().zip(x).zip(diagonal).zip(bias);
        return vectorized(|| rows.for_each(|(((y, &x), &d), &b)| *y = d * x + b));
    }
    initialise(start, out, lanes);
    let rows = out.chunks_exact_mut(lanes.max(1)).zip(x.chunks_exact(lanes.max(1))).zip(diagonal);
    vectorized(|| {
        for ((out, x), &d) in rows {
            out.iter_mut().zip(x).for_each(|(y, &x)| *y += d * x);
        }
    });
}

fn initialise<T: Real>(start: SumStart<'_, T>, out: &mut [T], lanes: usize) {
    match start {
        SumStart::Zero => out.fill(T::zero()),
        SumStart::Accumulate => {}
        SumStart::Bias(bias) => {
            for (row, &b) in out.chunks_exact_mut(lanes.max(1)).zip(bias) {
                row.fill(b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_products_agree_with_plain_sums() {
        // Wide, narrow, and one with many more rows than a narrow one has columns.
        for (outputs, inputs) in [(7, 11), (11, 7), (70, 3), (40, 33)] {
            check(outputs, inputs);
        }
    }

    fn check(outputs: usize, inputs: usize) {
        let entry = |o: usize, i: usize| {
            if (o + 2 * i).is_multiple_of(3) { (o as f64) - (i as f64) / 2.0 } else { 0.0 }
        };
        let dense = Matrix::dense(
            outputs,
            inputs,
            (0..outputs * inputs).map(|at| entry(at / inputs, at % inputs)).collect(),
        );
        let all = (0..outputs as u32).flat_map(|o| (0..inputs as u32).map(move |i| (o, i)));
        let entries = all.map(|(o, i)| (o, i, entry(o as usize, i as usize))).filter(|e| e.2 != 0.0);
        let sparse = Matrix::sparse(outputs, inputs, entries.collect());
        assert_eq!(sparse.to_dense(), dense.to_dense());
        for lanes in [1, 2, 5, 64] {
            let x: Vec<f64> = (0..inputs * lanes).map(|i| (i as f64).sin()).collect();
            let y: Vec<f64> = (0..outputs * lanes).map(|i| (i as f64).cos()).collect();
            let bias: Vec<f64> = (0..outputs).map(|o| o as f64).collect();
            for matrix in [&dense, &sparse] {
                let mut out = vec![0.0; outputs * lanes];
                matrix.apply(&x, SumStart::Bias(&bias), &mut out, lanes, 1);
                let mut back = vec![1.0; inputs * lanes];
                matrix.apply_transposed(&y, &mut back, lanes, 1);
                for lane in 0..lanes {
                    for o in 0..outputs {
                        let sum: f64 = (0..inputs).map(|i| entry(o, i) * x[i * lanes + lane]).sum();
                        assert!((out[o * lanes + lane] - bias[o] - sum).abs() < 1e-12);
                    }
                    for i in 0..inputs {
                        let sum: f64 = (0..outputs).map(|o| entry(o, i) * y[o * lanes + lane]).sum();
                        assert!((back[i * lanes + lane] - 1.0 - sum).abs() < 1e-12);
                    }
                }
            }
        }
    }

    /// What a product with them could add to is far below its rounding.
    #[test]
    fn entries_below_the_smallest_normal_number_are_zero() {
        let (small, normal) = (1e-40f32, f32::MIN_POSITIVE);
        let matrix = Matrix::dense(1, 4, vec![small, -small, normal, 2.0]);
        assert_eq!(matrix.to_dense(), [0.0, 0.0, normal, 2.0]);
        // Two at one place are added first.
        let half = normal / 2.0;
        let matrix = Matrix::sparse(1, 3, vec![(0, 0, small), (0, 1, half), (0, 1, half), (0, 2, 2.0)]);
        assert_eq!(matrix.to_dense(), [0.0, normal, 2.0]);
        assert_eq!(Matrix::diagonal(vec![small, 2.0]).to_dense(), [0.0, 0.0, 0.0, 2.0]);
        let small = 1e-40f64;
        let matrices = [
            Matrix::dense(1, 1, vec![small]),
            Matrix::sparse(1, 1, vec![(0, 0, small)]),
            Matrix::diagonal(vec![small]),
        ];
        for matrix in matrices {
            assert_eq!((matrix.to_dense(), matrix.cast::<f32>().to_dense()), (vec![small], vec![0.0]));
        }
    }
}
