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
