//! The inner loops of a backward sweep over its lanes, compiled for the instruction set of the machine.
//!
//! Beside the matrix products these loops are most of a sweep: with a branch for each sign and without wide vectors
//! they took four times as long as the products.

use super::linear::SweepSums;
use super::range::times;
use super::relax::RelaxationLine;
use crate::dispatch::vectorized;

/// How a bending function is replaced at one neuron, and how its coefficients are pushed where its phase is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct NeuronRelaxation {
    /// The line below, for coefficients that are not negative.
    pub(super) under: RelaxationLine,
    /// The line above, for the others.
    pub(super) over: RelaxationLine,
    /// What is added to the coefficient of the pre-activation: `pre-activation · push ≤ 0` is known to hold.
    pub(super) push: f64,
}

impl<const L: usize> SweepSums<L> {
    /// Adds `Σ |coefficient| · size` to the rounding: `sizes` has one number a value.
    pub(super) fn add_rounding(&mut self, cotangent: &[f64], sizes: impl Iterator<Item = f64>) {
        let rounding = &mut self.rounding;
        vectorized(
            #[inline(always)]
            || {
                for (row, size) in cotangent.as_chunks::<L>().0.iter().zip(sizes) {
                    for lane in 0..L {
                        rounding[lane] += times(row[lane].abs(), size);
                    }
                }
            },
        );
    }

    /// Adds `Σ coefficient · shift` to the constants.
    pub(super) fn add_constants(&mut self, cotangent: &[f64], shifts: &[f64]) {
        let (constant, absolute) = (&mut self.constant, &mut self.absolute);
        vectorized(
            #[inline(always)]
            || {
                for (row, &shift) in cotangent.as_chunks::<L>().0.iter().zip(shifts) {
                    for lane in 0..L {
                        let term = times(row[lane], shift);
                        constant[lane] += term;
                        absolute[lane] += term.abs();
                    }
                }
            },
        );
    }

    /// Replaces a bending function by its lines: adds the slopes to `target`, the pre-activation's coefficients.
    pub(super) fn bend(&mut self, cotangent: &[f64], target: &mut [f64], bends: &[NeuronRelaxation]) {
        let (constant, absolute) = (&mut self.constant, &mut self.absolute);
        vectorized(
            #[inline(always)]
            || {
                let rows = cotangent.as_chunks::<L>().0.iter().zip(target.as_chunks_mut::<L>().0);
                for ((row, into), bend) in rows.zip(bends) {
                    for lane in 0..L {
                        let c = row[lane];
                        let slope = if c >= 0.0 { bend.under.slope } else { bend.over.slope };
                        let shift = if c >= 0.0 { bend.under.shift } else { bend.over.shift };
                        into[lane] += times(c, slope) + bend.push;
                        let term = times(c, shift);
                        constant[lane] += term;
                        absolute[lane] += term.abs();
                    }
                }
            },
        );
    }

    /// Replaces values by the end of their interval that makes the row least.
    pub(super) fn settle(&mut self, cotangent: &[f64], lower: &[f64], upper: &[f64]) {
        let (constant, absolute) = (&mut self.constant, &mut self.absolute);
        vectorized(
            #[inline(always)]
            || {
                for ((row, &low), &high) in cotangent.as_chunks::<L>().0.iter().zip(lower).zip(upper) {
                    for lane in 0..L {
                        let c = row[lane];
                        let term = times(c, if c >= 0.0 { low } else { high });
                        constant[lane] += term;
                        absolute[lane] += term.abs();
                    }
                }
            },
        );
    }
}
