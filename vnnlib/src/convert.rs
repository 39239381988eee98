//! VNN-LIB 1.0 written as 2.0: one network `N` with an input `X` and an output `Y`.
//!
//! The meaning is unchanged: assertions stay in order, numbers keep their value but lose their exponents, which 2.0
//! does not have, and get a point, which its types ask for.

use crate::ast::{Query, Version};
use crate::element_type::ElementType;
use crate::error::Errors;
use crate::print::{Style, write_assertions};

/// What VNN-LIB 2.0 says of a network's tensor and 1.0 does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The element type, one whose numbers have a point.
    pub element_type: ElementType,
    /// The shape of the input; its size is the number of variables `X_i`.
    pub input: Vec<u32>,
    /// The shape of the output; its size is the number of variables `Y_j`.
    pub output: Vec<u32>,
}

/// Why a query cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The query is not in VNN-LIB 1.0.
    #[error("the query is in VNN-LIB 2.0 already")]
    NotVersion1,
    /// The element type has no numbers with a point.
    #[error("numbers of VNN-LIB 1.0 are real, but the element type is {0}")]
    NotReal(ElementType),
    /// A shape has another number of elements than the query has variables.
    #[error("a shape of {found} element(s) is given for {name}, which has {expected}")]
    WrongSize {
        /// `X` or `Y`.
        name: String,
        /// The number of variables.
        expected: usize,
        /// The number of elements of the shape.
        found: u64,
    },
    /// A number is too long when it is written out.
    #[error("the converted query is not valid:\n{0}")]
    Invalid(Errors),
}

impl Query {
    /// The query in VNN-LIB 2.0. Without a signature the tensors are flat and of type `real`.
    ///
    /// # Errors
    /// If the query is not in 1.0, does not fit the signature, or has a number beyond 4096 characters written out.
    pub fn to_version_2(&self, signature: Option<&Signature>) -> Result<Query, ConvertError> {
        let (Version::V1, [x, y]) = (self.version(), self.tensors()) else {
            return Err(ConvertError::NotVersion1);
        };
        let flat =
            Signature { element_type: ElementType::Real, input: x.shape().into(), output: y.shape().into() };
        let Signature { element_type, input, output } = signature.unwrap_or(&flat);
        if !element_type.is_real_valued()
            || matches!(element_type, ElementType::Complex64 | ElementType::Complex128)
        {
            return Err(ConvertError::NotReal(*element_type));
        }
        for (tensor, shape) in [(x, input), (y, output)] {
            let found = shape.iter().fold(1_u64, |count, &extent| count.saturating_mul(u64::from(extent)));
            if found != tensor.len() as u64 {
                return Err(ConvertError::WrongSize {
                    name: tensor.name().into(),
                    expected: tensor.len(),
                    found,
                });
            }
        }
        let mut text = format!(
            "(vnnlib-version <2.0>)\n(declare-network N\n    (declare-input X {element_type} {input:?})\n    \
             (declare-output Y {element_type} {output:?}))\n"
        );
        let version = Version::V2 { minor: 0 };
        let style = Style { version, tensors: vec![("X", input), ("Y", output)], plain_numbers: true };
        // Writing to a string does not fail.
        let _ = write_assertions(self, &style, &mut text);
        crate::parse_named(self.name(), text).map_err(ConvertError::Invalid)
    }
}
