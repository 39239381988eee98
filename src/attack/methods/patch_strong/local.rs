//! The network around an input, in a few values that may move: programs over its activation region.
//!
//! In its region a network is affine in the inputs. Only some values may move: the columns. A network with
//! convolutions has the lead's linearisation at the input and no rows of phases; what a program says is then only
//! proposed, and evaluated like everything else here.

use super::beam::FoolingInput;
use super::front::Front;
use super::probe::Probe;
use crate::attack::Task;
use crate::lp::{ColumnId, LinearProgram};
use crate::network::Surrogate;
use crate::network::frozen::{Piece, piece};
use crate::network::layered::{Edges, Layered, Trace};
use crate::network::op::UnaryFunction;
use crate::region::layers::{maps, values};

/// Broken phases that are named at a time.
const ROWS: usize = 8;

/// An affine function of the columns' values: its slopes, and its value at the input.
struct ColumnLine {
    slopes: Vec<f64>,
    now: f64,
}

/// Neurons' sums with the range of their piece.
struct PieceRange {
    sum: ColumnLine,
    from: f64,
    to: f64,
}

/// The lead and the phases around an input.
pub(super) struct Local {
    lead: ColumnLine,
    /// What the lead has to be: twice what a result needs, so that rounding to single precision leaves enough.
    needed: f64,
    phases: Vec<PieceRange>,
    /// From the input back to the image, one number a column.
    back: Vec<f64>,
    /// How far each column may go up and down from the image.
    rooms: Vec<(f64, f64)>,
    /// The columns' values in the image.
    image: Vec<f32>,
}

/// A row of a program: `from ≤ Σ slope · change ≤ to`, with changes counted from the image.
pub(super) struct ChangeRow<'l> {
    pub(super) slopes: &'l [f64],
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A program's columns: for each value that may move, by how much it goes up and by how much down.
pub(super) struct Moves {
    pub(super) up: Vec<ColumnId>,
    pub(super) down: Vec<ColumnId>,
}

impl Moves {
    /// Adds the columns at these costs a unit.
    pub(super) fn new(program: &mut LinearProgram, local: &Local, costs: &[f64]) -> Self {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (&(above, below), &cost) in local.rooms.iter().zip(costs) {
            up.push(program.column(0.0, above, cost));
            down.push(program.column(0.0, below, cost));
        }
        Self { up, down }
    }

    /// A row's terms.
    pub(super) fn terms(&self, row: &ChangeRow<'_>) -> Vec<(ColumnId, f64)> {
        let ups = self.up.iter().copied().zip(row.slopes.iter().copied());
        let downs = self.down.iter().copied().zip(row.slopes.iter().map(|s| -s));
        ups.chain(downs).collect()
    }

    /// The changes that a solution makes.
    pub(super) fn changes(&self, values: &[f64]) -> Vec<f64> {
        self.up.iter().zip(&self.down).map(|(up, down)| values[up.index()] - values[down.index()]).collect()
    }
}

impl Local {
    /// The network around an input that leads to a class, in these columns.
    pub(super) fn around(probe: &Probe<'_, '_, '_>, found: &FoolingInput, columns: &[usize]) -> Self {
        let (task, here) = (probe.task, &found.spot.input);
        let input: Vec<f64> = here.iter().map(|&x| f64::from(x)).collect();
        let (lead, outputs, phases) = match probe.front {
            Some(front) => Self::of_layers(front, &input, columns, (task, found.class)),
            None => {
                let (lead, outputs) = Self::of_slopes(probe, &input, columns, found.class);
                (lead, outputs, Vec::new())
            }
        };
        let image = |i: usize| f64::from(task.image[i]);
        let room = |&i: &usize| {
            let (lower, upper) = (f64::from(task.lower(i)), f64::from(task.upper(i)));
            ((upper - image(i)).max(0.0), (image(i) - lower).max(0.0))
        };
        Self {
            lead,
            needed: 2.0 * f64::from(task.asked(&outputs)),
            phases,
            back: columns.iter().map(|&i| image(i) - input[i]).collect(),
            rooms: columns.iter().map(room).collect(),
            image: columns.iter().map(|&i| task.image[i]).collect(),
        }
    }

    /// Exact, with the phases of all neurons.
    fn of_layers(
        front: &Front,
        input: &[f64],
        columns: &[usize],
        (task, class): (&Task<'_>, usize),
    ) -> (ColumnLine, Vec<f32>, Vec<PieceRange>) {
        let layered = &front.layered;
        let trace = layered.simulate(input);
        let all = pieces_or_tangents(layered, &trace);
        let maps = maps(layered, in_columns(layered.first_edges(), columns, &trace.sums[0]), &all);
        let mut phases = Vec::new();
        for ((map, pieces), sums) in maps.iter().zip(&all).zip(&trace.sums) {
            for (neuron, piece) in pieces.iter().enumerate().filter(|(_, piece)| is_bounded(piece)) {
                let sum = ColumnLine { slopes: map.row(neuron).to_vec(), now: sums[neuron] };
                phases.push(PieceRange { sum, from: piece.from, to: piece.to });
            }
        }
        // An activation behind the last layer makes the outputs of its sums.
        let last = match (maps.last(), all.get(layered.layers.len() - 1)) {
            (Some(sums), Some(pieces)) => &values(sums, pieces),
            (sums, _) => sums.unwrap_or(layered.first_edges()),
        };
        let row = |class: usize| last.row(class);
        let outputs = trace.outputs();
        let narrowed = narrow(outputs);
        let rival = task.rival(&narrowed, class);
        let slopes = row(class).iter().zip(row(rival)).map(|(a, b)| a - b).collect();
        (ColumnLine { slopes, now: outputs[class] - outputs[rival] }, narrowed, phases)
    }

    /// The linearisation of the lead, from a backward pass in double precision.
    fn of_slopes(
        probe: &Probe<'_, '_, '_>,
        input: &[f64],
        columns: &[usize],
        class: usize,
    ) -> (ColumnLine, Vec<f32>) {
        let network = &probe.task.victim.double;
        let mut workspace = network.workspace(1);
        network.forward(&mut workspace, input);
        let (mut outputs, mut slopes) = (Vec::new(), Vec::new());
        network.outputs_into(&workspace, &mut outputs);
        let narrowed = narrow(&outputs);
        let rival = probe.task.rival(&narrowed, class);
        let mut weights = vec![0.0; outputs.len()];
        (weights[class], weights[rival]) = (1.0, -1.0);
        network.backward(&mut workspace, &weights, Surrogate::exact(), &mut slopes);
        let now = outputs[class] - outputs[rival];
        let slopes = columns.iter().map(|&i| slopes[i]).collect();
        (ColumnLine { slopes, now }, narrowed)
    }

    /// Number of phases.
    #[cfg(test)]
    pub(super) fn phases(&self) -> usize {
        self.phases.len()
    }

    /// How far each column may go up and down.
    pub(super) fn rooms(&self) -> &[(f64, f64)] {
        &self.rooms
    }

    /// A line's value at the image's values, from which changes count.
    fn at_image(&self, line: &ColumnLine) -> f64 {
        line.now + line.slopes.iter().zip(&self.back).map(|(s, back)| s * back).sum::<f64>()
    }

    /// The row of the lead; where the input itself does not reach what is asked, its own lead is asked.
    pub(super) fn keeps_lead(&self) -> ChangeRow<'_> {
        let from = self.needed.min(self.lead.now) - self.at_image(&self.lead);
        ChangeRow { slopes: &self.lead.slopes, from, to: f64::INFINITY }
    }

    /// The row of the lead, whatever the input's is.
    pub(super) fn leads(&self) -> ChangeRow<'_> {
        ChangeRow { from: self.needed - self.at_image(&self.lead), ..self.keeps_lead() }
    }

    /// The row that holds a phase on its piece.
    pub(super) fn phase(&self, at: usize) -> ChangeRow<'_> {
        let phase = &self.phases[at];
        let (base, now) = (self.at_image(&phase.sum), phase.sum.now);
        ChangeRow {
            slopes: &phase.sum.slopes,
            from: phase.from.min(now) - base,
            to: phase.to.max(now) - base,
        }
    }

    /// The phases that changes break most, without those that are held already.
    pub(super) fn broken(&self, held: &[usize], changes: &[f64]) -> Vec<usize> {
        let mut broken: Vec<(f64, usize)> = Vec::new();
        for at in (0..self.phases.len()).filter(|at| !held.contains(at)) {
            let row = self.phase(at);
            let moved: f64 = row.slopes.iter().zip(changes).map(|(s, c)| s * c).sum();
            let miss = (row.from - moved).max(moved - row.to);
            if miss > 1e-9 {
                broken.push((miss, at));
            }
        }
        broken.sort_by(|a, b| b.0.total_cmp(&a.0));
        broken.into_iter().take(ROWS).map(|(_, at)| at).collect()
    }

    /// The columns' values after changes; what a solver means by zero is no change.
    pub(super) fn values(&self, changes: &[f64]) -> Vec<f32> {
        let value = |(&image, &change): (&f32, &f64)| {
            if change.abs() < 1e-6 { image } else { (f64::from(image) + change) as f32 }
        };
        self.image.iter().zip(changes).map(value).collect()
    }
}

/// As the network's own type holds them.
fn narrow(outputs: &[f64]) -> Vec<f32> {
    outputs.iter().map(|&output| output as f32).collect()
}

/// The pieces of all neurons; a smooth activation is taken as its tangent, and nothing then holds the neuron.
fn pieces_or_tangents(layered: &Layered, trace: &Trace) -> Vec<Vec<Piece>> {
    let bent =
        layered.layers.iter().zip(&trace.sums).filter_map(|(layer, sums)| Some((layer.activation?, sums)));
    let of = |function: UnaryFunction, z: f64| {
        piece(function, z).unwrap_or_else(|| {
            let value = function.value(z);
            let slope = function.derivative(z, value);
            Piece { from: f64::NEG_INFINITY, to: f64::INFINITY, slope, shift: value - slope * z }
        })
    };
    bent.map(|(function, sums)| sums.iter().map(|&z| of(function, z)).collect()).collect()
}

/// Whether a neuron can leave its piece.
fn is_bounded(piece: &Piece) -> bool {
    piece.from.is_finite() || piece.to.is_finite()
}

/// The first layer in a few inputs' changes from where its sums are these.
fn in_columns(first: &Edges, columns: &[usize], sums: &[f64]) -> Edges {
    let row = |neuron: usize| columns.iter().map(move |&i| first.row(neuron)[i]);
    let weights = (0..first.outputs()).flat_map(row).collect();
    Edges { weights, bias: sums.to_vec(), inputs: columns.len() }
}
