//! An index map: every operator that only moves numbers.
//!
//! Slice, Transpose, Gather with constant indices, Tile, Expand, Pad, DepthToSpace, nearest-neighbour Resize and
//! a dozen more differ only in the map that the importer computes once.

use std::sync::Arc;

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// `y[i] = x[map[i]]`, or `fill` where the map says [`Rearrange::FILL`].
#[derive(Debug, Clone)]
pub struct Rearrange {
    /// Shape of the operand that the map was made for.
    pub from: Vec<usize>,
    /// Shape of the result; `map` has its length.
    pub to: Vec<usize>,
    /// For each number of the result the flat index of its source.
    pub map: Arc<[u32]>,
    /// The value where there is no source.
    pub fill: f64,
}

impl Rearrange {
    /// Marks a number without a source.
    pub const FILL: u32 = u32::MAX;

    /// The map in which the number at `index` comes from the flat index that `source` gives, or is `fill`.
    pub fn from_fn(
        from: &[usize],
        to: &[usize],
        fill: f64,
        mut source: impl FnMut(&[usize]) -> Option<usize>,
    ) -> Result<Self, ShapeError> {
        let (from_len, len) = (shape::checked_len(from)?, shape::checked_len(to)?);
        if from_len >= Self::FILL as usize || len >= Self::FILL as usize {
            return Err(ShapeError(format!(
                "a tensor of shape {from:?} or {to:?} is too large to be indexed"
            )));
        }
        let mut map = Vec::with_capacity(len);
        let mut index = vec![0; to.len()];
        for _ in 0..len {
            map.push(match source(&index) {
                Some(at) if at < from_len => at as u32,
                Some(at) => {
                    return Err(ShapeError(format!("index {at} is outside a tensor of shape {from:?}")));
                }
                None => Self::FILL,
            });
            for axis in (0..to.len()).rev() {
                index[axis] += 1;
                if index[axis] < to[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(Self { from: from.to_vec(), to: to.to_vec(), map: map.into(), fill })
    }

    /// The map whose source is `offset + Σ index · steps`.
    pub fn strided(from: &[usize], to: &[usize], offset: isize, steps: &[isize]) -> Result<Self, ShapeError> {
        Self::from_fn(from, to, 0.0, |index| {
            let at = index.iter().zip(steps).map(|(&i, &step)| i as isize * step).sum::<isize>() + offset;
            Some(at as usize)
        })
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of the operand.
    pub fn transpose(from: &[usize], order: &[usize]) -> Result<Self, ShapeError> {
        let mut seen = vec![false; from.len()];
        let fits = order.iter().all(|&axis| axis < from.len() && !std::mem::replace(&mut seen[axis], true));
        if !fits || order.len() != from.len() {
            return Err(ShapeError(format!("{order:?} is not an order of the axes of shape {from:?}")));
        }
        shape::checked_len(from)?;
        let strides = shape::strides(from);
        let to: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
        let steps: Vec<isize> = order.iter().map(|&axis| strides[axis] as isize).collect();
        Self::strided(from, &to, 0, &steps)
    }

    /// Axes of length 1, or missing in front, repeated up to the shape `to`.
    pub fn expand(from: &[usize], to: &[usize]) -> Result<Self, ShapeError> {
        if shape::broadcast(&[from, to])? != to {
            return Err(ShapeError(format!("shape {from:?} cannot be expanded to {to:?}")));
        }
        let strides = shape::strides(from);
        let missing = to.len() - from.len();
        let step = |axis: usize| match axis.checked_sub(missing) {
            Some(own) if from[own] != 1 => strides[own] as isize,
            _ => 0,
        };
        Self::strided(from, to, 0, &(0..to.len()).map(step).collect::<Vec<_>>())
    }

    /// Whether every number stays where it is.
    pub fn is_identity(&self) -> bool {
        self.map.len() == shape::len(&self.from)
            && self.map.iter().enumerate().all(|(i, &at)| i == at as usize)
    }
}

impl<T: Real> Operator<T> for Rearrange {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let len = shape::checked_len(&self.from)?;
        if inputs[0] != self.from || self.map.len() != shape::checked_len(&self.to)? {
            return Err(ShapeError(format!(
                "an index map from {:?} does not fit {:?}",
                self.from, inputs[0]
            )));
        }
        if self.map.iter().any(|&i| i != Self::FILL && i as usize >= len) {
            return Err(ShapeError("an index points outside the operand".into()));
        }
        Ok(self.to.clone())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0).data;
        let fill = T::of(self.fill);
        if pass.lanes == 1 {
            for (y, &i) in output.iter_mut().zip(self.map.iter()) {
                *y = x.get(i as usize).copied().unwrap_or(fill);
            }
            return;
        }
        for (row, &i) in output.chunks_exact_mut(pass.lanes).zip(self.map.iter()) {
            if i == Self::FILL {
                row.fill(fill);
            } else {
                row.copy_from_slice(&x[i as usize * pass.lanes..][..pass.lanes]);
            }
        }
    }

    fn vjp(
        &self,
        _operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        for (row, &i) in cotangent.chunks_exact(pass.lanes).zip(self.map.iter()) {
            if i != Self::FILL {
                let target = &mut gradient[i as usize * pass.lanes..][..pass.lanes];
                target.iter_mut().zip(row).for_each(|(g, &c)| *g += c);
            }
        }
    }
}
