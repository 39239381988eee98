//! What it is worth to meet a patched layer's sums.
//!
//! φ′ asks for all sums of a layer alike. Where not all can be had (8 neurons for 16 sums, 5 inputs for 50) a miss should
//! cost what it does to the property: its price is the margin's slope by that sum, in the network behind the layer where
//! its sums are those of the patch. And beyond the sum on the side on which the margin rises there is nothing to miss.

use super::PRICE;
use super::marking::gradient;
use crate::network::layered::EdgeLayer;
use crate::property::{Conjunction, Row, RowKind};

/// What a miss of a sum that does nothing to the margin costs, in parts of the dearest.
const LEAST_WORTH: f64 = 0.02;

/// Ranges for sums that may be missed, and what a unit costs by which each is.
#[derive(Debug, Clone, PartialEq)]
pub struct Aims {
    /// By neuron.
    pub ranges: Vec<(f64, f64)>,
    /// In units of what is to be small; the dearest costs [`PRICE`].
    pub prices: Vec<f64>,
}

impl Aims {
    /// For the first of the layers, where a patch gives it these sums and others will do as well.
    pub fn of(layers: &[EdgeLayer], patched: &[f64], targets: &[(f64, f64)], property: &Conjunction) -> Self {
        let mut sums = vec![patched.to_vec()];
        for (at, layer) in layers.iter().enumerate().skip(1) {
            sums.push(layer.edges.apply(&layers[at - 1].activate(&sums[at - 1])));
        }
        let rows = property.rows.iter().filter(|row| row.kind != RowKind::Differs);
        let of_row = |row: &Row| gradient(layers, &sums, row).into_iter().next();
        let gradients: Vec<Vec<f64>> = rows.filter_map(of_row).collect();
        let falls = |sum: usize| gradients.iter().any(|gradient| gradient[sum] < 0.0);
        let rises = |sum: usize| gradients.iter().any(|gradient| gradient[sum] > 0.0);
        let worth = |sum: usize| gradients.iter().map(|gradient| gradient[sum].abs()).fold(0.0, f64::max);
        let is_last = layers.len() == 1;
        let range = |(sum, &(low, high)): (usize, &(f64, f64))| match (rises(sum), falls(sum)) {
            (true, false) => (low, f64::INFINITY),
            (false, true) => (f64::NEG_INFINITY, high),
            // An output that no row speaks of.
            (false, false) if is_last => (f64::NEG_INFINITY, f64::INFINITY),
            _ => (low, high),
        };
        let worths: Vec<f64> = (0..patched.len()).map(worth).collect();
        let most = worths.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let ranges = targets.iter().enumerate().map(range).collect();
        Self { ranges, prices: worths.iter().map(|worth| PRICE * (worth / most).max(LEAST_WORTH)).collect() }
    }
}
