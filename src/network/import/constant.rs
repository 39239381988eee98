//! Constants of a model as numbers and matrices of the network's type, and results of folding as constants.

use std::sync::Arc;

use crate::network::Real;
use crate::network::matrix::Matrix;
use crate::onnx::{Data, ElementType, Tensor};

/// A dense matrix of at least this many entries is worth a look at its zeros.
const SPARSE_FROM: usize = 4096;
/// A matrix is held sparse when fewer than one entry in this many is not zero: below that the irregular
/// accesses of a sparse product cost less than the dense product's extra multiplications.
const SPARSE_RATIO: usize = 8;

impl Tensor {
    /// A constant of the given element type; values are rounded to it.
    pub fn rounded(element: ElementType, shape: Vec<usize>, values: &[f64]) -> Self {
        use ElementType::*;
        let single = |round: fn(f64) -> f32| Data::F32(Arc::new(values.iter().map(|&x| round(x)).collect()));
        let integer = |wrap: fn(i64) -> i64| Data::I64(values.iter().map(|&x| wrap(x as i64)).collect());
        let data = match element {
            Float32 => single(|x| x as f32),
            Float16 => single(|x| short_float(x, 11, -24, 65504.0) as f32),
            BFloat16 => single(|x| short_float(x, 8, -133, 3.389_531_389_251_535_5e38) as f32),
            Float64 => Data::F64(values.to_vec()),
            Bool => Data::I64(values.iter().map(|&x| i64::from(x != 0.0)).collect()),
            Int8 => integer(|x| i64::from(x as i8)),
            Int16 => integer(|x| i64::from(x as i16)),
            Int32 => integer(|x| i64::from(x as i32)),
            UInt8 => integer(|x| i64::from(x as u8)),
            UInt16 => integer(|x| i64::from(x as u16)),
            UInt32 => integer(|x| i64::from(x as u32)),
            Int64 | UInt64 => integer(|x| x),
        };
        Self { element, shape, data }
    }

    /// A list of 64-bit integers.
    pub fn int64(values: Vec<i64>) -> Self {
        Self { element: ElementType::Int64, shape: vec![values.len()], data: Data::I64(values) }
    }

    /// The same values under another shape of equal length.
    pub fn reshaped(&self, shape: Vec<usize>) -> Self {
        Self { element: self.element, shape, data: self.data.clone() }
    }

    /// The values in the network's type, rounded to nearest.
    pub fn values<T: Real>(&self) -> Vec<T> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| T::of(f64::from(x))).collect(),
            Data::F64(v) => v.iter().map(|&x| T::of(x)).collect(),
            _ => self.to_f64().into_iter().map(T::of).collect(),
        }
    }

    /// The single value of a tensor with one value.
    pub fn scalar(&self) -> Option<f64> {
        if self.len() == 1 { self.to_f64().first().copied() } else { None }
    }

    /// The tensor as an `[outputs][inputs]` matrix, times `scale`; it is stored that way or, `transposed`, as
    /// `[inputs][outputs]`. Nearly empty tensors become sparse matrices without ever being dense.
    pub(crate) fn matrix<T: Real>(
        &self,
        outputs: usize,
        inputs: usize,
        transposed: bool,
        scale: f64,
    ) -> Matrix<T> {
        let layout = ConstantLayout { outputs, inputs, transposed };
        // A large matrix is not widened as a whole: that would take twice its memory on top.
        match &self.data {
            Data::SparseF32(s) => {
                layout.sparse(s.indices.iter().zip(&s.values).map(|(&at, &x)| (at, f64::from(x))), scale)
            }
            Data::SparseF64(s) => {
                layout.sparse(s.indices.iter().zip(&s.values).map(|(&at, &x)| (at, x)), scale)
            }
            Data::F32(values) => layout.matrix(values, scale, T::shared(values)),
            Data::F64(values) => layout.matrix(values, scale, None),
            _ => layout.matrix(&self.to_f64(), scale, None),
        }
    }
}

/// How a tensor holds a matrix.
#[derive(Clone, Copy)]
struct ConstantLayout {
    outputs: usize,
    inputs: usize,
    /// Stored as `[inputs][outputs]`.
    transposed: bool,
}

impl ConstantLayout {
    fn place(self, at: usize) -> (u32, u32) {
        let row_len = if self.transposed { self.outputs } else { self.inputs };
        let (row, column) = (at / row_len.max(1), at % row_len.max(1));
        if self.transposed { (column as u32, row as u32) } else { (row as u32, column as u32) }
    }

    fn sparse<T: Real>(self, entries: impl Iterator<Item = (usize, f64)>, scale: f64) -> Matrix<T> {
        let entries = entries.map(|(at, x)| {
            let (o, i) = self.place(at);
            (o, i, T::of(x * scale))
        });
        Matrix::sparse(self.outputs, self.inputs, entries.collect())
    }

    /// `shared` are the same values in the network's type, if they are held in it.
    fn matrix<T: Real, S: Copy + Into<f64>>(
        self,
        values: &[S],
        scale: f64,
        shared: Option<Arc<Vec<T>>>,
    ) -> Matrix<T> {
        let wide = values.iter().map(|&x| x.into());
        if values.len() >= SPARSE_FROM {
            let entries = wide.clone().filter(|&x: &f64| x != 0.0).count();
            if entries * SPARSE_RATIO < values.len() {
                return self.sparse(wide.enumerate().filter(|e| e.1 != 0.0), scale);
            }
        }
        if let Some(shared) = shared.filter(|_| !self.transposed && scale == 1.0) {
            return Matrix::shared(self.outputs, self.inputs, shared);
        }
        let mut dense = Vec::with_capacity(values.len());
        if self.transposed {
            for o in 0..self.outputs {
                let column = (0..self.inputs).map(|i| values[i * self.outputs + o].into());
                dense.extend(column.map(|x: f64| T::of(x * scale)));
            }
        } else {
            dense.extend(wide.map(|x| T::of(x * scale)));
        }
        Matrix::dense(self.outputs, self.inputs, dense)
    }
}

/// `x` rounded to a float of `digits` significant bits whose smallest step is `2^least` and largest value `max`.
fn short_float(x: f64, digits: i32, least: i32, max: f64) -> f64 {
    if !x.is_finite() || x == 0.0 {
        return x;
    }
    let exponent = x.abs().log2().floor() as i32;
    let step = 2f64.powi((exponent + 1 - digits).max(least));
    let rounded = (x / step).round_ties_even() * step;
    if rounded.abs() > max { f64::INFINITY.copysign(x) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_their_element_type() {
        let check = |element: ElementType, x: f64, want: f64| {
            let tensor = Tensor::rounded(element, vec![1], &[x]);
            assert_eq!(tensor.scalar(), Some(want), "{element} {x}");
        };
        check(ElementType::Float32, 0.1, f64::from(0.1f32));
        check(ElementType::Float16, 0.1, 0.099_975_585_937_5);
        check(ElementType::Float16, 65520.0, f64::INFINITY);
        check(ElementType::Float16, 6.0e-8, 5.960_464_477_539_063e-8);
        check(ElementType::BFloat16, 1.003, 1.0);
        check(ElementType::Int8, 130.0, -126.0);
        check(ElementType::UInt8, -1.0, 255.0);
        check(ElementType::Int64, 1e300, i64::MAX as f64);
        check(ElementType::Bool, -3.0, 1.0);
    }

    #[test]
    fn matrices_keep_their_entries_in_every_storage() {
        let values: Vec<f64> = (0..80 * 60).map(|i| if i % 11 == 0 { f64::from(i) } else { 0.0 }).collect();
        let dense = Tensor::rounded(ElementType::Float64, vec![80, 60], &values);
        let places: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
        let data = crate::onnx::SparseValues {
            values: places.iter().map(|&i| values[i]).collect(),
            indices: places,
        };
        let sparse = Tensor { data: Data::SparseF64(data), ..dense.clone() };
        for transposed in [false, true] {
            let (outputs, inputs) = if transposed { (60, 80) } else { (80, 60) };
            let a: Matrix<f64> = dense.matrix(outputs, inputs, transposed, 2.0);
            let b: Matrix<f64> = sparse.matrix(outputs, inputs, transposed, 2.0);
            assert!(matches!((&a, &b), (Matrix::Sparse(_), Matrix::Sparse(_))));
            assert_eq!(a.to_dense(), b.to_dense());
            let at = if transposed { values[11 * 60 + 22] } else { values[22 * 60 + 11] };
            let row = 22 * inputs + 11;
            assert_eq!(a.to_dense()[row], 2.0 * at);
        }
    }
}
