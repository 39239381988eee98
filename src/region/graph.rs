//! An activation region of any piecewise-linear graph, chain or not: the affine maps of all neurons and of a property's rows
//! around a point, read off a network whose pieces are frozen, and the program that they make.
//!
//! Inputs are scaled to the box, `v_j ∈ [0, 1]`, and only free ones count. [`layers`](super::layers) does the same for
//! chains of layers, whose maps are products of matrices.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::Workspace;
use crate::network::frozen::{Frozen, piece};
use crate::property::margin::{Block, row_margins};
use crate::property::{Region, Row, RowKind};

/// An affine function of the scaled inputs.
struct ScaledRow {
    coefficients: Vec<f64>,
    at_zero: f64,
}

/// The region around a point, as far as a property's rows go.
pub struct LocalMap {
    free: Vec<usize>,
    /// The point itself.
    start: Vec<f64>,
    /// Neurons that could leave their piece, with the range of their sum.
    phases: Vec<(ScaledRow, f64, f64)>,
    /// Margins of the property's rows.
    margins: Vec<ScaledRow>,
}

impl LocalMap {
    /// The maps around `here`. The workspace has a lane for each free input, and one for the point.
    pub fn around(
        frozen: &Frozen<'_>,
        workspace: &mut Workspace<f64>,
        (region, rows): (&Region, &[Row]),
        here: &[f64],
    ) -> Option<Self> {
        let free: Vec<usize> = region.free().collect();
        let lanes = workspace.lanes();
        let mut inputs: Vec<f64> = here.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect();
        for (j, &i) in free.iter().enumerate() {
            inputs[i * lanes + j + 1] += region.upper[i] - region.lower[i];
        }
        frozen.forward(workspace, &inputs);
        let mut outputs = Vec::new();
        frozen.network().outputs_into(workspace, &mut outputs);
        let start = free.iter().map(|&i| (here[i] - region.lower[i]) / (region.upper[i] - region.lower[i]));
        let mut map = Self { start: start.collect(), free, phases: Vec::new(), margins: Vec::new() };
        let block = Block { inputs: &inputs, outputs: &outputs, lanes };
        for row in rows.iter().filter(|row| row.kind != RowKind::Differs) {
            let mut margins = vec![0.0; lanes];
            row_margins(row, block, &mut margins);
            let margin = map.affine(&margins);
            map.margins.push(margin);
        }
        for &id in &frozen.bends {
            let (function, values) = frozen.pre_activations(workspace, id)?;
            for lanes in values.chunks_exact(lanes) {
                let piece = piece(function, lanes[0])?;
                map.add_phase(lanes, piece.from, piece.to);
            }
        }
        Some(map)
    }

    /// Keeps the row `from ≤ z ≤ to` unless the box already implies it; a row that the point itself violates by
    /// rounding is relaxed to its value there.
    fn add_phase(&mut self, lanes: &[f64], from: f64, to: f64) {
        let row = self.affine(lanes);
        let least = row.at_zero + row.coefficients.iter().map(|c| c.min(0.0)).sum::<f64>();
        let most = row.at_zero + row.coefficients.iter().map(|c| c.max(0.0)).sum::<f64>();
        if least < from || most > to {
            let (from, to) = (from.min(lanes[0]) - row.at_zero, to.max(lanes[0]) - row.at_zero);
            self.phases.push((row, from, to));
        }
    }

    /// An affine function from its values in the lanes.
    fn affine(&self, lanes: &[f64]) -> ScaledRow {
        let coefficients: Vec<f64> = lanes[1..].iter().map(|x| x - lanes[0]).collect();
        let at_zero = lanes[0] - coefficients.iter().zip(&self.start).map(|(c, v)| c * v).sum::<f64>();
        ScaledRow { coefficients, at_zero }
    }

    /// Rows and columns of the program.
    pub fn size(&self) -> (usize, usize) {
        (self.phases.len() + self.margins.len(), self.free.len() + 1)
    }

    /// The program that maximises the least margin over the region; its first columns are the free inputs.
    pub fn program(&self) -> LinearProgram {
        let mut program = LinearProgram::maximise();
        let inputs: Vec<ColumnId> = self.free.iter().map(|_| program.column(0.0, 1.0, 0.0)).collect();
        let least = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
        let terms = |row: &ScaledRow| {
            let terms = inputs.iter().copied().zip(row.coefficients.iter().copied());
            terms.filter(|&(_, c)| c != 0.0).collect::<Vec<_>>()
        };
        for margin in &self.margins {
            program.at_least(terms(margin).into_iter().chain([(least, -1.0)]), -margin.at_zero);
        }
        for (row, from, to) in &self.phases {
            program.row(*from, terms(row), *to);
        }
        program
    }

    /// A solution as values of the free inputs, in the box's own scale.
    pub fn unscale(&self, region: &Region, values: &[f64]) -> Vec<(usize, f64)> {
        let unscale =
            |(&i, &v): (&usize, &f64)| (i, region.lower[i] + v * (region.upper[i] - region.lower[i]));
        self.free.iter().zip(values).map(unscale).collect()
    }
}
