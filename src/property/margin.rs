//! Margins and their gradients for a block of points.

use super::{Conjunction, Row, RowKind};
use crate::network::Real;

/// Inputs and outputs of a block of points, lanes innermost as everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a, T> {
    /// `input_len × lanes` numbers.
    pub inputs: &'a [T],
    /// `output_len × lanes` numbers.
    pub outputs: &'a [T],
    /// Number of points.
    pub lanes: usize,
}

/// Where the gradients of a block's margins go: same shapes as the block.
#[derive(Debug)]
pub struct MarginGradient<'a, T> {
    /// What the rows' own input terms contribute.
    pub inputs: &'a mut [T],
    /// Gradient with respect to the outputs: the cotangent of a backward pass.
    pub outputs: &'a mut [T],
}

/// Margins of one row: `bound − Σ` for each lane.
pub fn row_margins<T: Real>(row: &Row, block: Block<'_, T>, margins: &mut [T]) {
    let lanes = block.lanes;
    margins.fill(T::of(row.bound));
    for (terms, values) in [(&row.inputs, block.inputs), (&row.outputs, block.outputs)] {
        for &(i, coefficient) in terms {
            let c = T::of(coefficient);
            for (m, &v) in margins.iter_mut().zip(&values[i * lanes..(i + 1) * lanes]) {
                *m += -(c * v);
            }
        }
    }
    if row.kind == RowKind::Differs {
        margins.iter_mut().for_each(|m| *m = m.abs());
    }
}

/// Margin of one row in one lane, in double precision.
pub fn lane_margin<T: Real>(row: &Row, block: Block<'_, T>, lane: usize) -> f64 {
    let sum = |terms: &[(usize, f64)], values: &[T]| {
        terms.iter().map(|&(i, c)| c * values[i * block.lanes + lane].widen()).sum::<f64>()
    };
    let gap = row.bound - sum(&row.inputs, block.inputs) - sum(&row.outputs, block.outputs);
    if row.kind == RowKind::Differs { gap.abs() } else { gap }
}

/// Least margin of a conjunction's rows for each lane, and which row attains it.
///
/// `scratch` holds `lanes` numbers. Without rows the margin is `+∞`.
pub fn conjunction_margins<T: Real>(
    conjunction: &Conjunction,
    block: Block<'_, T>,
    margins: &mut [T],
    worst: &mut [u32],
    scratch: &mut [T],
) {
    margins.fill(T::infinity());
    for (r, row) in (0u32..).zip(&conjunction.rows) {
        row_margins(row, block, scratch);
        for ((m, w), &s) in margins.iter_mut().zip(worst.iter_mut()).zip(scratch.iter()) {
            // A margin that is no number must not look like a violation.
            if s < *m || s.is_nan() {
                *m = if s.is_nan() { T::neg_infinity() } else { s };
                *w = r;
            }
        }
    }
}

/// Adds `weight · ∂margin(row)/∂(inputs, outputs)` in one lane.
pub fn add_row_gradient<T: Real>(
    row: &Row,
    weight: T,
    block: Block<'_, T>,
    lane: usize,
    gradient: &mut MarginGradient<'_, T>,
) {
    let lanes = block.lanes;
    let mut weight = weight;
    if row.kind == RowKind::Differs {
        let sum = |terms: &[(usize, f64)], values: &[T]| {
            terms.iter().map(|&(i, c)| c * values[i * lanes + lane].widen()).sum::<f64>()
        };
        if row.bound < sum(&row.inputs, block.inputs) + sum(&row.outputs, block.outputs) {
            weight = -weight;
        }
    }
    for &(i, c) in &row.inputs {
        gradient.inputs[i * lanes + lane] += -(weight * T::of(c));
    }
    for &(i, c) in &row.outputs {
        gradient.outputs[i * lanes + lane] += -(weight * T::of(c));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(inputs: &[(usize, f64)], outputs: &[(usize, f64)], bound: f64, kind: RowKind) -> Row {
        Row { inputs: inputs.to_vec(), outputs: outputs.to_vec(), bound, kind }
    }

    #[test]
    fn block_margins_agree_with_single_ones_and_gradients_with_differences() {
        let conjunction = Conjunction {
            rows: vec![
                row(&[(0, 1.0)], &[(1, -2.0)], 0.25, RowKind::AtMost),
                row(&[], &[(0, 1.0), (1, 1.0)], 1.0, RowKind::Below),
                row(&[(1, 3.0)], &[], 0.7, RowKind::Differs),
            ],
        };
        let lanes = 3;
        let inputs: Vec<f64> = vec![0.1, -0.4, 2.0, 0.6, 0.9, -1.0];
        let outputs: Vec<f64> = vec![0.3, 1.5, -0.2, 0.8, -0.9, 0.05];
        let at = |values: &[f64], lane: usize| vec![values[lane], values[lanes + lane]];
        let (mut margins, mut worst, mut scratch) = (vec![0.0; lanes], vec![0; lanes], vec![0.0; lanes]);
        let block = Block { inputs: &inputs, outputs: &outputs, lanes };
        conjunction_margins(&conjunction, block, &mut margins, &mut worst, &mut scratch);
        for lane in 0..lanes {
            let (x, y) = (at(&inputs, lane), at(&outputs, lane));
            assert!((margins[lane] - conjunction.margin(&x, &y)).abs() < 1e-12);
            for row in &conjunction.rows {
                let (mut gx, mut gy) = (vec![0.0; 2 * lanes], vec![0.0; 2 * lanes]);
                let mut gradient = MarginGradient { inputs: &mut gx, outputs: &mut gy };
                add_row_gradient(row, 1.0, block, lane, &mut gradient);
                for i in 0..2 {
                    let h = 1e-6;
                    let (mut more, mut less) = (x.clone(), x.clone());
                    more[i] += h;
                    less[i] -= h;
                    let want = (row.margin(&more, &y) - row.margin(&less, &y)) / (2.0 * h);
                    assert!((gx[i * lanes + lane] - want).abs() < 1e-6);
                    let (mut more, mut less) = (y.clone(), y.clone());
                    more[i] += h;
                    less[i] -= h;
                    let want = (row.margin(&x, &more) - row.margin(&x, &less)) / (2.0 * h);
                    assert!((gy[i * lanes + lane] - want).abs() < 1e-6);
                }
            }
        }
    }
}
