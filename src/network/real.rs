//! The two number types that networks compute in.

use std::fmt::{Debug, Display};
use std::ops::AddAssign;
use std::sync::Arc;

use super::kernel::vector::Vectors;

/// `f32` or `f64`: what networks, kernels and the search are generic over.
pub trait Real:
    num_traits::Float + AddAssign + Default + Debug + Display + Send + Sync + Vectors + 'static
{
    /// The nearest value of this type (round to nearest even).
    fn of(x: f64) -> Self;
    /// The same value in double precision, exactly.
    fn widen(self) -> f64;
    /// The number, where this type is `f32`: known when compiling, so that a choice by it costs nothing.
    fn as_single(self) -> Option<f32>;
    /// A number of single precision, exactly.
    fn from_single(x: f32) -> Self;
    /// The number, or zero for one that is smaller than the smallest normal one. Processors take up to a hundred times as long to
    /// multiply by such a number: 3% of them among the weights of a convolution, as weight decay leaves them, quadruple its time.
    /// What they could add to a sum lies far below its rounding, and runtimes may flush them, too.
    #[inline(always)]
    fn normal_or_zero(self) -> Self {
        if self.abs() < Self::min_positive_value() { Self::zero() } else { self }
    }
    /// Numbers of single precision as numbers of this type, where they are the same: without a copy.
    fn shared(_numbers: &Arc<Vec<f32>>) -> Option<Arc<Vec<Self>>> {
        None
    }
    /// `self * a + b`, fused where the compilation target fuses (the kernels dispatch at run time instead).
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        self * a + b
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn as_single(self) -> Option<f32> {
        Some(self)
    }
    #[inline(always)]
    fn from_single(x: f32) -> Self {
        x
    }
    fn shared(numbers: &Arc<Vec<f32>>) -> Option<Arc<Vec<Self>>> {
        Some(Arc::clone(numbers))
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn as_single(self) -> Option<f32> {
        None
    }
    #[inline(always)]
    fn from_single(x: f32) -> Self {
        Self::from(x)
    }
}
