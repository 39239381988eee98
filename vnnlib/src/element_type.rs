//! The element types of tensors: those of ONNX under the names of the VNN-LIB standard, and `real`.

use std::fmt;

/// The element type of a declared tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[allow(missing_docs, reason = "the names say it; `name` gives the spelling in VNN-LIB")]
pub enum ElementType {
    /// Real arithmetic, whatever the type that the model computes in.
    Real,
    Float16,
    Float32,
    Float64,
    BFloat16,
    Float8E4M3Fn,
    Float8E5M2,
    Float8E4M3FnUz,
    Float8E5M2FnUz,
    Float4E2M1,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Complex64,
    Complex128,
    Bool,
    String,
}

impl ElementType {
    /// All types.
    pub const ALL: [Self; 22] = [
        Self::Real,
        Self::Float16,
        Self::Float32,
        Self::Float64,
        Self::BFloat16,
        Self::Float8E4M3Fn,
        Self::Float8E5M2,
        Self::Float8E4M3FnUz,
        Self::Float8E5M2FnUz,
        Self::Float4E2M1,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Complex64,
        Self::Complex128,
        Self::Bool,
        Self::String,
    ];

    /// The name in VNN-LIB.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::BFloat16 => "bfloat16",
            Self::Float8E4M3Fn => "float8e4m3fn",
            Self::Float8E5M2 => "float8e5m2",
            Self::Float8E4M3FnUz => "float8e4m3fnuz",
            Self::Float8E5M2FnUz => "float8e5m2fnuz",
            Self::Float4E2M1 => "float4e2m1",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }

    /// Whether numbers with a point belong to it, as opposed to integers.
    pub fn is_real_valued(self) -> bool {
        !matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::UInt8
                | Self::UInt16
                | Self::UInt32
                | Self::UInt64
                | Self::Bool
                | Self::String
        )
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
