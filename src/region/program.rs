//! The program of one activation region of a chain of layers: the best margin on it.

use super::layers::maps;
use super::rows::{ProgramValue, add_inputs, add_margins};
use crate::lp::{ColumnId, LinearProgram, RowId};
use crate::network::frozen::Piece;
use crate::network::layered::Layered;
use crate::property::Conjunction;

/// A neuron that could change its piece within the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnableNeuron {
    /// Its layer.
    pub layer: usize,
    /// Its place there.
    pub index: usize,
}

/// The program of one activation region: `max t` over the box, the rows' margins and the neurons' pieces.
#[derive(Debug, Clone)]
pub struct RegionProgram {
    /// The program itself.
    pub program: LinearProgram,
    /// The inputs' columns.
    pub inputs: Vec<ColumnId>,
    /// One row a neuron, in the order given.
    pub phases: Vec<RowId>,
}

impl RegionProgram {
    /// The program of the region with these pieces; only the given neurons have rows.
    pub fn new(
        network: &Layered,
        pieces: &[Vec<Piece>],
        neurons: &[TurnableNeuron],
        property: &Conjunction,
        (lower, upper): (&[f64], &[f64]),
    ) -> Self {
        let maps = maps(network, network.first_edges().clone(), pieces);
        let mut program = LinearProgram::maximise();
        let inputs = add_inputs(&mut program, lower, upper);
        let least = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
        let outputs: Vec<(Vec<(ColumnId, f64)>, f64)> = maps.last().map_or_else(Vec::new, |outputs| {
            let row = |o: usize| inputs.iter().copied().zip(outputs.row(o).iter().copied()).collect();
            (0..outputs.outputs()).map(|o| (row(o), outputs.bias[o])).collect()
        });
        // An output is a column of its own, tied to the inputs: properties may combine several.
        let tied: Vec<ColumnId> = outputs
            .into_iter()
            .map(|(terms, bias)| {
                let column = program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
                program.equal(terms.into_iter().chain([(column, -1.0)]), -bias);
                column
            })
            .collect();
        add_margins(&mut program, property, &inputs, least, |output, _| ProgramValue::column(tied[output]));
        let phases = neurons
            .iter()
            .map(|&TurnableNeuron { layer, index }| {
                let (map, piece) = (&maps[layer], &pieces[layer][index]);
                let terms = inputs.iter().copied().zip(map.row(index).iter().copied());
                program.row(piece.from - map.bias[index], terms, piece.to - map.bias[index])
            })
            .collect();
        Self { program, inputs, phases }
    }
}
