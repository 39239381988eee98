//! The exact margin over a box as a mixed-integer program.
//!
//! Each unstable neuron gets a binary `d` (Tjeng, Xiao, Tedrake, ICLR 2019):
//! `a ≥ z, a ≥ 0, a ≤ z − lo (1 − d), a ≤ hi d`. Neurons that paths mark as decrement need none: nothing pulls their
//! value over the larger of its two lower bounds.
//!
//! How fast such a program is solved hangs on its bounds. Where a sum hangs on a few unstable neurons only, as
//! behind sparse edges, `tighten` finds its true ends by two small programs of the same kind: on a ramp made of
//! two ReLUs of slope 50, linear bounds are 25 times too wide.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Layered, Trace};
use crate::property::Conjunction;
use crate::region::layers::slope_below;
use crate::region::rows::{ProgramValue, add_sum};
use crate::region::rows::{add_inputs, add_margins};
use crate::search::kernel::programs::Programs;
use crate::search::strategy::patch::marking::{Mark, Marking};

/// Unstable neurons behind a sum up to which its ends are found exactly.
const MOST_BEHIND: usize = 4;
/// Sums whose ends are found exactly.
const MOST_TIGHTENED: usize = 400;
/// Simplex iterations for each of these programs; four binaries need no more.
const ITERATIONS: u64 = 1_000;

/// What a column stands for: how its value follows from an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Input(usize),
    Margin,
    Sum(usize, usize),
    Value(usize, usize),
    Active(usize, usize),
}

/// The exact margin over a box as a mixed-integer program.
#[derive(Debug, Clone)]
pub struct Neighbourhood {
    /// Maximises the least margin.
    pub program: LinearProgram,
    /// The inputs' columns.
    pub inputs: Vec<ColumnId>,
    /// How many binaries it has.
    pub binaries: usize,
    roles: Vec<Role>,
    enough: f64,
}

impl Neighbourhood {
    /// The program over a box in which `ranges` bound the sums, for a network whose activations are convex (ReLU,
    /// leaky ReLU). Margins over `enough` count as `enough`.
    pub fn new(
        network: &Layered,
        property: &Conjunction,
        bounds: (&[f64], &[f64]),
        ranges: &Ranges,
        enough: f64,
    ) -> Self {
        let mut builder = NeighbourhoodBuilder::new(network, bounds, ranges);
        let least = builder.column(Role::Margin, f64::NEG_INFINITY, enough, 1.0);
        let marks = marks(network, property);
        let everything: Vec<Vec<bool>> = ranges.sums.iter().map(|sums| vec![true; sums.len()]).collect();
        let outputs = builder.layers(&everything, &|at, neuron| marks[at][neuron]);
        let NeighbourhoodBuilder { mut program, inputs, roles, binaries, .. } = builder;
        add_margins(&mut program, property, &inputs, least, |output, _| outputs[output]);
        Self { program, inputs, binaries, roles, enough }
    }

    /// The program's point that belongs to an input of the box.
    pub fn point(&self, network: &Layered, property: &Conjunction, x: &[f64]) -> Vec<f64> {
        let trace = network.simulate(x);
        let margin = property.margin(x, trace.outputs()).min(self.enough);
        self.roles.iter().map(|role| role.value(x, &trace, margin)).collect()
    }
}

impl Role {
    fn value(self, x: &[f64], trace: &Trace, margin: f64) -> f64 {
        match self {
            Self::Input(i) => x[i],
            Self::Margin => margin,
            Self::Sum(at, neuron) => trace.sums[at][neuron],
            Self::Value(at, neuron) => trace.values[at][neuron],
            Self::Active(at, neuron) => f64::from(u8::from(trace.sums[at][neuron] > 0.0)),
        }
    }
}

/// Marks of the neurons' values, by paths; activations here never fall, so the sums' marks are the values'.
pub(in crate::search) fn marks(network: &Layered, property: &Conjunction) -> Vec<Vec<Mark>> {
    Marking::Paths.mark(network, &network.simulate(&vec![0.0; network.input_len()]), property)
}

/// How many binaries a program over a box with these ranges needs.
pub(in crate::search) fn binaries_needed(network: &Layered, ranges: &Ranges, marks: &[Vec<Mark>]) -> usize {
    let bent =
        network.layers.iter().zip(&ranges.sums).zip(marks).filter(|((l, _), _)| l.activation.is_some());
    bent.flat_map(|((_, sums), marks)| sums.iter().zip(marks))
        .filter(|&(&range, &mark)| needs_binary(range, mark))
        .count()
}

fn straddles((low, high): (f64, f64)) -> bool {
    low < 0.0 && high > 0.0
}

fn needs_binary(range: (f64, f64), mark: Mark) -> bool {
    straddles(range) && !matches!(mark, Mark::Decrement | Mark::Idle)
}

/// Replaces the ranges of sums behind few unstable neurons by their true ends over the box.
pub(in crate::search) fn tighten(
    network: &Layered,
    bounds: (&[f64], &[f64]),
    ranges: &mut Ranges,
    programs: &mut Programs<'_>,
) {
    let mut left = MOST_TIGHTENED;
    for at in 1..network.depth() {
        for neuron in 0..ranges.sums[at].len() {
            let needed = behind(network, at, neuron);
            let unstable =
                needed[..at].iter().zip(&ranges.sums).flat_map(|(needed, sums)| needed.iter().zip(sums));
            let unstable = unstable.filter(|&(&needed, &range)| needed && straddles(range)).count();
            if unstable == 0 || unstable > MOST_BEHIND || left == 0 {
                continue;
            }
            left -= 1;
            let (low, high) = ranges.sums[at][neuron];
            let end = |sense: f64, programs: &mut Programs<'_>| {
                let mut builder = NeighbourhoodBuilder::new(network, bounds, ranges);
                let sums = builder.layers(&needed, &|_, _| Mark::Neutral);
                let column = sums[neuron].term?.0;
                builder.program.set_cost(column, sense).ok()?;
                let (solution, proven) = programs.solve_within(ITERATIONS, &builder.program, None).ok()?;
                let slack = 1e-7 * (1.0 + solution.objective.abs());
                proven.then_some(sense * (solution.objective + slack))
            };
            let ends = (end(-1.0, programs), end(1.0, programs));
            ranges.sums[at][neuron] =
                (ends.0.map_or(low, |end| end.max(low)), ends.1.map_or(high, |end| end.min(high)));
        }
    }
}

/// Which sums of which layers a sum hangs on, itself included; layers behind it are left out.
fn behind(network: &Layered, at: usize, neuron: usize) -> Vec<Vec<bool>> {
    let layers = &network.layers[..=at];
    let mut needed: Vec<Vec<bool>> = layers.iter().map(|l| vec![false; l.edges.outputs()]).collect();
    needed[at][neuron] = true;
    for layer in (1..=at).rev() {
        let (front, back) = needed.split_at_mut(layer);
        for (target, _) in back[0].iter().enumerate().filter(|(_, needed)| **needed) {
            let weights = layers[layer].edges.row(target).iter();
            front[layer - 1].iter_mut().zip(weights).for_each(|(needed, &w)| *needed |= w != 0.0);
        }
    }
    needed
}

/// Writes the layers of a network down as rows.
struct NeighbourhoodBuilder<'n> {
    network: &'n Layered,
    ranges: &'n Ranges,
    program: LinearProgram,
    inputs: Vec<ColumnId>,
    roles: Vec<Role>,
    binaries: usize,
}

impl<'n> NeighbourhoodBuilder<'n> {
    fn new(network: &'n Layered, (lower, upper): (&[f64], &[f64]), ranges: &'n Ranges) -> Self {
        let mut program = LinearProgram::maximise();
        let inputs = add_inputs(&mut program, lower, upper);
        let roles = (0..inputs.len()).map(Role::Input).collect();
        Self { network, ranges, program, inputs, roles, binaries: 0 }
    }

    fn column(&mut self, role: Role, low: f64, high: f64, cost: f64) -> ColumnId {
        self.roles.push(role);
        self.program.column(low, high, cost)
    }

    /// The needed sums of as many layers as `needed` has; those of the last come back, zero where not needed.
    fn layers(&mut self, needed: &[Vec<bool>], mark: &dyn Fn(usize, usize) -> Mark) -> Vec<ProgramValue> {
        let mut values: Vec<ProgramValue> =
            self.inputs.iter().map(|&column| ProgramValue::column(column)).collect();
        for (at, layer_needs) in needed.iter().enumerate() {
            let mut next = Vec::with_capacity(layer_needs.len());
            for (neuron, &needed_here) in layer_needs.iter().enumerate() {
                if !needed_here {
                    next.push(ProgramValue::fixed(0.0));
                    continue;
                }
                let sum = self.sum(at, neuron, &values);
                let is_last = at + 1 == needed.len();
                next.push(if is_last {
                    ProgramValue::column(sum)
                } else {
                    self.value(at, neuron, sum, mark(at, neuron))
                });
            }
            values = next;
        }
        values
    }

    fn sum(&mut self, at: usize, neuron: usize, sources: &[ProgramValue]) -> ColumnId {
        let (low, high) = self.ranges.sums[at][neuron];
        let sum = self.column(Role::Sum(at, neuron), low, high, 0.0);
        add_sum(&mut self.program, &self.network.layers[at], neuron, sources, sum);
        sum
    }

    /// The value behind a sum, exact where it matters.
    fn value(&mut self, at: usize, neuron: usize, sum: ColumnId, mark: Mark) -> ProgramValue {
        let below = self.network.layers[at].activation.map_or(1.0, slope_below);
        let (low, high) = self.ranges.sums[at][neuron];
        if low >= 0.0 {
            return ProgramValue::column(sum);
        }
        if high <= 0.0 {
            let line = ProgramValue { term: Some((sum, below)), constant: 0.0 };
            return if below == 0.0 { ProgramValue::fixed(0.0) } else { line };
        }
        // For ReLU the column's own bound is the second of the two lower bounds.
        let value = self.column(Role::Value(at, neuron), below * low, high, 0.0);
        self.program.at_least([(value, 1.0), (sum, -1.0)], 0.0);
        if below != 0.0 {
            self.program.at_least([(value, 1.0), (sum, -below)], 0.0);
        }
        if needs_binary((low, high), mark) {
            let active = self.program.binary(0.0);
            self.roles.push(Role::Active(at, neuron));
            self.binaries += 1;
            let steps = 1.0 - below;
            // value ≤ z − (1 − below) lo (1 − d)   and   value ≤ below z + (1 − below) hi d
            self.program.at_most([(value, 1.0), (sum, -1.0), (active, -steps * low)], -steps * low);
            self.program.at_most([(value, 1.0), (sum, -below), (active, -steps * high)], 0.0);
        }
        ProgramValue::column(value)
    }
}
