//! The linear program that advises: the least distance at which the relaxed network can meet a property.
//!
//! Columns are the sums of the first layer (or the inputs, where they are fewer), and behind them the sums and values of all
//! neurons; rows are the layers, the triangle of each open hinge, the property. What the inputs can do is not written out,
//! which would take two rows a pixel: the input is a mixture of *corners*, points of the box that cost their distance, and
//! each solve's duals ask for the next one (Dantzig and Wolfe, Decomposition Principle for Linear Programs, Operations
//! Research 8, 1960). One form serves all norms, and the optimum is an input.
//!
//! The property, phases decided by branching and the upper sides of triangles may be missed at a price, so that there always
//! is an optimum, and its duals say why a branch is empty. Nothing here has to be right to the last digit: of the answer only the duals are used, and
//! [`sweep`](super::sweep) makes a bound of them whatever they are.

use std::rc::Rc;

use super::hinges::Hinges;
use super::intervals::DecidedNeuron;
use super::sweep::{Choices, Intervals, chord};
use crate::bounds::Phase;
use crate::budget::Budget;
use crate::lp::{ColumnId, LinearProgram, LpError, LpOptions, LpOutcome, RowId, Solution, Solver};
use crate::property::{Conjunction, Row, RowKind};

/// What corners are mixed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    /// The inputs themselves: they are few.
    Inputs,
    /// The sums of the first layer.
    Sums,
}

/// A point of the box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Corner {
    pub(super) x: Vec<f64>,
    /// What the interface is there.
    pub(super) interface: Vec<f64>,
    /// Its distance from the nominal input.
    pub(super) distance: f64,
}

/// What the duals and the optimum of a solve say.
#[derive(Debug, Clone)]
pub(super) struct Advice {
    /// The distance of the optimum, and the price of what is missed.
    pub(super) value: f64,
    /// By how much something was missed.
    pub(super) missing: f64,
    /// Multipliers of the property's rows.
    pub(super) weights: Vec<f64>,
    /// What to choose at the neurons.
    pub(super) choices: Vec<Choices>,
    /// By layer and neuron: the sums at the optimum.
    pub(super) sums: Vec<Vec<f64>>,
    /// The part of each corner in the optimum.
    pub(super) shares: Vec<f64>,
}

/// What stands for a neuron's value.
#[derive(Debug, Clone, Copy)]
enum NeuronValue {
    Zero,
    Of(ColumnId, f64),
}

/// The rows below an open hinge.
#[derive(Debug, Clone, Copy)]
struct OpenHinge {
    layer: usize,
    neuron: usize,
    /// `value ≥ low · sum`, `value ≥ high · sum`.
    below: [RowId; 2],
}

/// What a program is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgramParts<'a> {
    pub(super) network: &'a Hinges,
    pub(super) intervals: &'a Intervals,
    pub(super) decisions: &'a [DecidedNeuron],
    pub(super) conjunction: &'a Conjunction,
    /// The box of the inputs.
    pub(super) lower: &'a [f64],
    pub(super) upper: &'a [f64],
    pub(super) interface: Interface,
    /// The price of a unit by which the property is missed, in units of distance.
    pub(super) price: f64,
}

/// A program inside its solver.
pub(super) struct NearestProgram {
    solver: Solver,
    missing: ColumnId,
    /// Rows that mix the corners: one a coordinate of the interface, and that the shares are one in all.
    links: Vec<RowId>,
    whole: RowId,
    corners: Vec<ColumnId>,
    /// Corners that have come so far; the columns behind them are empty.
    used: usize,
    sums: Vec<Vec<Option<ColumnId>>>,
    open: Vec<OpenHinge>,
    /// Decided neurons with the row that says so.
    decided: Vec<(DecidedNeuron, RowId)>,
    property: Vec<RowId>,
    widths: Vec<usize>,
    slopes: Vec<(f64, f64)>,
}

/// By how much more than asked a program meets a row, so that its optimum does not miss it by the solver's tolerance.
pub(super) fn ease(row: &Row) -> f64 {
    1e-7 * (1.0 + row.bound.abs())
}

/// The rows of a property that bounds can use.
pub(super) fn usable(conjunction: &Conjunction) -> impl Iterator<Item = &Row> {
    conjunction.rows.iter().filter(|row| row.kind != RowKind::Differs)
}

/// What is known while a program is written.
struct ProgramWriter<'a> {
    parts: ProgramParts<'a>,
    program: LinearProgram,
    missing: ColumnId,
    inputs: Vec<ColumnId>,
    sums: Vec<Vec<Option<ColumnId>>>,
    values: Vec<NeuronValue>,
    open: Vec<OpenHinge>,
    decided: Vec<(DecidedNeuron, RowId)>,
}

impl NearestProgram {
    /// Writes the program, with room for so many more corners, and hands it to a solver that ends when the budget does.
    ///
    /// # Errors
    /// If the solver refuses it.
    pub(super) fn new(
        parts: ProgramParts<'_>,
        (corners, more): (&[Rc<Corner>], usize),
        budget: &Budget,
    ) -> Result<Self, LpError> {
        let mut program = LinearProgram::minimise();
        let missing = program.column(0.0, f64::INFINITY, parts.price);
        let inputs = match parts.interface {
            Interface::Inputs => {
                parts.lower.iter().zip(parts.upper).map(|(&l, &u)| program.column(l, u, 0.0)).collect()
            }
            Interface::Sums => Vec::new(),
        };
        let (sums, values, open, decided) = Default::default();
        let mut writer = ProgramWriter { parts, program, missing, inputs, sums, values, open, decided };
        (0..parts.network.bent()).for_each(|layer| writer.layer(layer));
        let property = writer.property();
        let interface: Vec<ColumnId> = match parts.interface {
            Interface::Inputs => writer.inputs.clone(),
            Interface::Sums => writer.sums[0].iter().flatten().copied().collect(),
        };
        let ProgramWriter { mut program, sums, open, decided, .. } = writer;
        // A solver takes no new columns: empty ones are held ready.
        let columns: Vec<ColumnId> =
            (0..corners.len() + more).map(|_| program.column(0.0, 0.0, 0.0)).collect();
        let links = interface.iter().map(|&column| program.equal([(column, 1.0)], 0.0)).collect();
        let whole = program.equal([], 1.0);
        let mut solver = Solver::new(&program, &LpOptions::default())?;
        solver.obey(budget)?;
        let layers = &parts.network.layers;
        let mut made = Self {
            solver,
            missing,
            links,
            whole,
            corners: columns,
            used: 0,
            sums,
            open,
            decided,
            property,
            widths: layers[..parts.network.bent()].iter().map(|layer| layer.edges.outputs()).collect(),
            slopes: layers.iter().map(|layer| (layer.low, layer.high)).collect(),
        };
        corners.iter().try_for_each(|corner| made.add(corner))?;
        Ok(made)
    }

    /// Whether there is room for another corner.
    pub(super) fn has_room(&self) -> bool {
        self.used < self.corners.len()
    }

    /// Adds a corner, where there is room.
    ///
    /// # Errors
    /// If the solver refuses it.
    pub(super) fn add(&mut self, corner: &Corner) -> Result<(), LpError> {
        let Some(&column) = self.corners.get(self.used) else { return Ok(()) };
        self.used += 1;
        for (&row, &value) in self.links.iter().zip(&corner.interface) {
            self.solver.set_coefficient(row, column, -value)?;
        }
        self.solver.set_coefficient(self.whole, column, 1.0)?;
        self.solver.set_cost(column, corner.distance)?;
        self.solver.set_bounds(column, 0.0, f64::INFINITY)
    }

    /// Changes the price of what is missed.
    ///
    /// # Errors
    /// If the solver refuses it.
    pub(super) fn set_price(&mut self, price: f64) -> Result<(), LpError> {
        self.solver.set_cost(self.missing, price)
    }

    /// Solves it as it stands; `None` where there is no optimum: the budget is over, or rounding has won.
    ///
    /// # Errors
    /// If the solver fails.
    pub(super) fn solve(&mut self) -> Result<Option<Advice>, LpError> {
        match self.solver.solve()? {
            LpOutcome::Optimal(solution) => Ok(Some(self.advice(&solution))),
            LpOutcome::Infeasible | LpOutcome::Unbounded | LpOutcome::Limit(_) => Ok(None),
        }
    }

    fn advice(&self, solution: &Solution) -> Advice {
        let mut choices: Vec<Choices> = self
            .widths
            .iter()
            .zip(&self.slopes)
            .map(|(&width, &(low, high))| Choices {
                slopes: vec![0.5 * (low + high); width],
                pushes: vec![(0.0, 0.0); width],
            })
            .collect();
        for OpenHinge { layer, neuron, below } in &self.open {
            let [low, high] = below.map(|row| solution.row_duals[row.index()].max(0.0));
            if low + high > 0.0 {
                let slopes = self.slopes[*layer];
                choices[*layer].slopes[*neuron] = (low * slopes.0 + high * slopes.1) / (low + high);
            }
        }
        let mut sums = Vec::with_capacity(self.sums.len());
        for (layer, columns) in self.sums.iter().enumerate() {
            for (neuron, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let cost = solution.reduced_costs[column.index()];
                choices[layer].pushes[neuron] = (cost.max(0.0), (-cost).max(0.0));
            }
            let value = |column: &Option<ColumnId>| column.map_or(0.0, |c| solution.values[c.index()]);
            sums.push(columns.iter().map(value).collect());
        }
        for (decision, row) in &self.decided {
            let dual = solution.row_duals[row.index()].abs();
            let pushes = &mut choices[decision.layer].pushes[decision.neuron];
            match decision.phase {
                Phase::Active => pushes.0 += dual,
                Phase::Inactive => pushes.1 += dual,
            }
        }
        let weight = |row: &RowId| (-solution.row_duals[row.index()]).max(0.0);
        Advice {
            value: solution.objective,
            missing: solution.values[self.missing.index()],
            weights: self.property.iter().map(weight).collect(),
            choices,
            sums,
            shares: self.corners[..self.used].iter().map(|column| solution.values[column.index()]).collect(),
        }
    }
}

impl ProgramWriter<'_> {
    /// The sums of a layer, and what stands for their values.
    fn layer(&mut self, layer: usize) {
        let ProgramParts { network, intervals, decisions, interface, .. } = self.parts;
        let own = &network.layers[layer];
        let of_neuron = |neuron: usize| {
            decisions.iter().find(|decision| (decision.layer, decision.neuron) == (layer, neuron)).copied()
        };
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for (neuron, &(low, high)) in intervals[layer].iter().enumerate() {
            // Only where the interval itself does not say so already.
            let decision = of_neuron(neuron).filter(|decision| match decision.phase {
                Phase::Active => low == 0.0,
                Phase::Inactive => high == 0.0,
            });
            let is_interface = layer == 0 && interface == Interface::Sums;
            if high <= 0.0 && own.low == 0.0 && decision.is_none() && !is_interface {
                columns.push(None);
                values.push(NeuronValue::Zero);
                continue;
            }
            let column = self.sum(layer, neuron, decision);
            columns.push(Some(column));
            values.push(if low >= 0.0 {
                NeuronValue::Of(column, own.high)
            } else if high <= 0.0 {
                if own.low == 0.0 { NeuronValue::Zero } else { NeuronValue::Of(column, own.low) }
            } else {
                self.open(layer, neuron, column)
            });
        }
        self.sums.push(columns);
        self.values = values;
    }

    /// A neuron's sum: a column that equals what goes in.
    fn sum(&mut self, layer: usize, neuron: usize, decision: Option<DecidedNeuron>) -> ColumnId {
        let (low, high) = self.parts.intervals[layer][neuron];
        // Behind the interface an interval may rest on decisions, which may be missed; what is open has its triangle.
        let is_interface = layer == 0 && self.parts.interface == Interface::Sums;
        let (from, to) = match decision.map(|decision| decision.phase) {
            Some(Phase::Active) => (f64::NEG_INFINITY, high),
            Some(Phase::Inactive) => (low, f64::INFINITY),
            None => (low, high),
        };
        let column = match is_interface {
            true => self.program.column(from, to, 0.0),
            false => self.program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0),
        };
        if let Some(decision) = decision {
            let row = match decision.phase {
                Phase::Active => self.program.at_least([(column, 1.0), (self.missing, 1.0)], 0.0),
                Phase::Inactive => self.program.at_most([(column, 1.0), (self.missing, -1.0)], 0.0),
            };
            self.decided.push((decision, row));
        }
        if !is_interface {
            let edges = &self.parts.network.layers[layer].edges;
            let mut terms = self.affine(layer, edges.row(neuron).iter().copied().enumerate());
            terms.push((column, -1.0));
            self.program.equal(terms, -edges.bias[neuron]);
        }
        column
    }

    /// `Σ w · value` of what goes into a layer, as terms.
    fn affine(&self, layer: usize, weights: impl Iterator<Item = (usize, f64)>) -> Vec<(ColumnId, f64)> {
        let term = |(source, w): (usize, f64)| match layer {
            0 => Some((self.inputs[source], w)),
            _ => match self.values[source] {
                NeuronValue::Zero => None,
                NeuronValue::Of(column, factor) => Some((column, w * factor)),
            },
        };
        weights.filter(|(_, w)| *w != 0.0).filter_map(term).collect()
    }

    /// The triangle of an open hinge.
    fn open(&mut self, layer: usize, neuron: usize, sum: ColumnId) -> NeuronValue {
        let own = &self.parts.network.layers[layer];
        let slopes = (own.low, own.high);
        let value = self.program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
        let (slope, shift) = chord(self.parts.intervals[layer][neuron], slopes);
        let mut row = |slope: f64| self.program.at_least([(value, 1.0), (sum, -slope)], 0.0);
        let below = [row(slopes.0), row(slopes.1)];
        self.program.at_most([(value, 1.0), (sum, -slope), (self.missing, -1.0)], shift);
        self.open.push(OpenHinge { layer, neuron, below });
        NeuronValue::Of(value, 1.0)
    }

    /// The property's rows, which may be missed at a price.
    fn property(&mut self) -> Vec<RowId> {
        let (network, bent) = (self.parts.network, self.parts.network.bent());
        let edges = &network.layers[bent].edges;
        let mut rows = Vec::new();
        for row in usable(self.parts.conjunction) {
            let mut weights = vec![0.0; edges.inputs];
            let mut bound = row.bound - ease(row);
            for &(output, c) in &row.outputs {
                weights.iter_mut().zip(edges.row(output)).for_each(|(sum, w)| *sum += c * w);
                bound -= c * edges.bias[output];
            }
            let mut terms = self.affine(bent, weights.into_iter().enumerate());
            terms.extend(row.inputs.iter().filter_map(|&(i, c)| Some((*self.inputs.get(i)?, c))));
            terms.push((self.missing, -1.0));
            rows.push(self.program.at_most(terms, bound));
        }
        rows
    }
}
