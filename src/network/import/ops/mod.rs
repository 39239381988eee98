//! The table of operators: ONNX name → builder function, one file a family.

use super::Importer;
use super::call::Build;
use crate::network::Real;

mod arithmetic;
mod constants;
mod control;
mod convolution;
mod einsum;
mod elementwise;
mod layout;
mod linear;
mod normalization;
mod pooling;
mod quantization;
mod recurrent;
mod reduction;
mod resize;
mod selection;
mod sequences;
mod slicing;
#[cfg(test)]
mod tests;

/// A row of the table.
pub(super) type Entry<T> = (&'static str, Build<T>);

impl<T: Real> Importer<T> {
    const FAMILIES: &'static [&'static [Entry<T>]] = &[
        Self::ARITHMETIC,
        Self::CONSTANTS,
        Self::CONTROL,
        Self::CONVOLUTION,
        Self::EINSUM,
        Self::ELEMENTWISE,
        Self::LAYOUT,
        Self::LINEAR,
        Self::NORMALIZATION,
        Self::POOLING,
        Self::QUANTIZATION,
        Self::RECURRENT,
        Self::REDUCTION,
        Self::RESIZE,
        Self::SELECTION,
        Self::SEQUENCES,
        Self::SLICING,
    ];
}

/// All rows.
pub(super) fn entries<T: Real>() -> impl Iterator<Item = &'static Entry<T>> {
    Importer::<T>::FAMILIES.iter().flat_map(|family| family.iter())
}

/// The row of an operator.
pub(super) fn find<T: Real>(operator: &str) -> Option<&'static Entry<T>> {
    entries::<T>().find(|entry| entry.0 == operator)
}
