//! Constant tensors as an ONNX file stores them, in their own element type.
//!
//! A float tensor that is nearly all zeros is kept as its non-zero entries: the two-level-lattice networks of
//! VNN-COMP hold 270 MB of weights of which 0.08% are not zero.

use std::fmt;
use std::sync::Arc;

/// Most values that a stored tensor may have: 2 GiB of 32-bit floats, protobuf's own limit for a file. What is computed
/// from it has [limits](crate::network::build::MOST_VALUES) of its own.
pub const MAX_LEN: usize = 1 << 29;

/// Element types of ONNX that this tool can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ElementType {
    Float16,
    BFloat16,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Bool,
}

impl ElementType {
    /// All types.
    pub const ALL: [Self; 13] = [
        Self::Float16,
        Self::BFloat16,
        Self::Float32,
        Self::Float64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Bool,
    ];

    /// ONNX's number of the type (`TensorProto.DataType`).
    pub fn number(self) -> i32 {
        // The numbers of ONNX 1.16 end at 22.
        (1..=22).find(|&number| Self::from_number(number) == Ok(self)).unwrap_or(0)
    }

    /// The element type with ONNX's number `number` (`TensorProto.DataType`). Else what it stands for, as in
    /// "holds strings".
    pub fn from_number(number: i32) -> Result<Self, String> {
        use ElementType::*;
        Ok(match number {
            1 => Float32,
            2 => UInt8,
            3 => Int8,
            4 => UInt16,
            5 => Int16,
            6 => Int32,
            7 => Int64,
            9 => Bool,
            10 => Float16,
            11 => Float64,
            12 => UInt32,
            13 => UInt64,
            16 => BFloat16,
            0 => return Err("no element type".into()),
            8 => return Err("strings, which are no numbers".into()),
            14 | 15 => return Err("complex numbers, which are not supported".into()),
            17..=20 => return Err("8-bit floats, which are not supported".into()),
            21 | 22 => return Err("4-bit integers, which are not supported".into()),
            other => return Err(format!("element type {other}, which ONNX 1.16 does not have")),
        })
    }

    /// Whether values of this type are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::BFloat16 | Self::Float32 | Self::Float64)
    }

    /// The ONNX spelling, e.g. `float32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Bool => "bool",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A constant: `shape.iter().product()` values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Element type that the file declares; [`Data`] may hold it in a wider one.
    pub element: ElementType,
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values.
    pub data: Data,
}

/// Storage of a constant. Narrow types are widened without loss: 16-bit floats to `f32`, all integers and
/// booleans to `i64` (`UInt64` beyond `i64::MAX` is refused by the reader).
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// `Float16`, `BFloat16`, `Float32`; shared with whoever computes with them as they stand.
    F32(Arc<Vec<f32>>),
    /// `Float64`
    F64(Vec<f64>),
    /// Integers and `Bool` (0 or 1)
    I64(Vec<i64>),
    /// `Float32` with few non-zero entries.
    SparseF32(SparseValues<f32>),
    /// `Float64` with few non-zero entries.
    SparseF64(SparseValues<f64>),
}

/// The non-zero entries of a tensor, by ascending flat index.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseValues<T> {
    /// Flat row-major indices, ascending, each below the tensor's length.
    pub indices: Vec<usize>,
    /// The value at each index.
    pub values: Vec<T>,
}

impl Tensor {
    /// Number of values, zeros included.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in double precision, which every stored type but large integers fits exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(v) => v.clone(),
            Data::I64(v) if self.element == ElementType::UInt64 => {
                v.iter().map(|&x| x as u64 as f64).collect()
            }
            Data::I64(v) => v.iter().map(|&x| x as f64).collect(),
            Data::SparseF32(s) => s.to_dense(self.len()).into_iter().map(f64::from).collect(),
            Data::SparseF64(s) => s.to_dense(self.len()),
        }
    }

    /// The values of an integer or boolean tensor; `None` for floats.
    pub fn as_i64(&self) -> Option<&[i64]> {
        match &self.data {
            Data::I64(v) => Some(v),
            _ => None,
        }
    }

    /// Number of values that are held: all, or only the non-zero ones.
    pub fn stored_len(&self) -> usize {
        match &self.data {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::I64(v) => v.len(),
            Data::SparseF32(s) => s.values.len(),
            Data::SparseF64(s) => s.values.len(),
        }
    }

    /// The same tensor with every value stored.
    #[must_use]
    pub fn into_dense(self) -> Self {
        let len = self.len();
        let data = match self.data {
            Data::SparseF32(s) => Data::F32(s.to_dense(len).into()),
            Data::SparseF64(s) => Data::F64(s.to_dense(len)),
            dense => dense,
        };
        Self { data, ..self }
    }
}

impl<T: Copy + Default> SparseValues<T> {
    /// All `len` values.
    pub fn to_dense(&self, len: usize) -> Vec<T> {
        let mut dense = vec![T::default(); len];
        for (&i, &x) in self.indices.iter().zip(&self.values) {
            dense[i] = x;
        }
        dense
    }
}
