//! `mod2adv`: from what the first layer's sums should be to an input that makes them so.
//!
//! The first layer with its original weights is affine, so the wish for its sums is a set of linear constraints on
//! the input: `Σ_i w_ij x′_i + b_j` in its range, `x′` in the box. Among the inputs that fulfil it the paper wants
//! the one that differs in the fewest pixels: each pixel has a switch `M_i ∈ {0, 1}` that lets it move, and the sum
//! of the switches is minimised (Eqns. 3-5). The least sum of changes and the smallest largest change are linear
//! programs.
//!
//! The program with switches starts at the answer of the least sum, so that it always has one, and ends after a number
//! of simplex iterations: one seed gives one answer.
//!
//! The least sum moves hardly more inputs than there are sums. Its program begins with the inputs that are likely to
//! move, and takes in those that its duals ask for until none is left that would make the sum smaller: the same answer,
//! from programs a tenth of the size (3072 inputs and 100 sums: 600,000 entries).
//!
//! The wish is often out of reach: there may be more sums than inputs, and inputs end at their box.
//! [`Strictness::Elastic`] then asks for the input that misses it least.

use super::PRICE;
use super::aims::Aims;
use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::Edges;
pub use crate::patching::encode::Strictness;
use crate::search::kernel::programs::{Obstacle, Programs};

/// Simplex iterations for one program with switches.
const SWITCH_ITERATIONS: u64 = 1_000;
/// Inputs up to which the least sum is one program.
const FEW_INPUTS: usize = 200;
/// Programs that take in further inputs, at most; then all are taken in.
const MOST_ROUNDS: usize = 40;
/// What a miss costs while it is not known whether the wish can be met, in units of the sum of changes.
const DEAR: f64 = 1e5;
/// A miss of this is none.
const MET: f64 = 1e-7;

/// What is to be small about the change of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullbackObjective {
    /// The number of changed inputs.
    FewestInputs,
    /// Σ |x′ − x|
    LeastTotal,
    /// max |x′ − x|
    LeastLargest,
}

/// The box of the inputs and the point that changes are measured from; it may lie outside.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The input.
    pub input: &'a [f64],
    /// Lower ends.
    pub lower: &'a [f64],
    /// Upper ends.
    pub upper: &'a [f64],
}

/// Columns of an input's ways up and down, where it has any room there.
type Ways = (Option<ColumnId>, Option<ColumnId>);

/// A wish for the sums of the first layer, at a start.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    first: &'a Edges,
    targets: &'a [(f64, f64)],
    start: Start<'a>,
    /// What a miss of each sum costs, if not all the same.
    prices: Option<&'a [f64]>,
}

/// A program for an input, and the columns in it that have a meaning.
struct Pull {
    program: LinearProgram,
    /// Of the inputs that may move.
    moves: Vec<(usize, Ways)>,
    /// What is missing and what is too much of each sum that is wanted, where it may be.
    misses: Vec<(ColumnId, ColumnId)>,
    switches: Vec<Option<ColumnId>>,
}

/// Finds the input in the box nearest to the start whose sums lie in their ranges.
///
/// # Errors
/// [`Obstacle`] if there is none, or the program was not solved.
pub fn mod2adv(
    first: &Edges,
    targets: &[(f64, f64)],
    start: Start<'_>,
    aim: PullbackObjective,
    wish: Strictness,
    programs: &mut Programs<'_>,
) -> Result<Vec<f64>, Obstacle> {
    let wanted = Wanted { first, targets, start, prices: None };
    let all: Vec<usize> = (0..start.input.len()).collect();
    let can_move = start.lower.iter().zip(start.upper).any(|(low, high)| low < high);
    if !can_move {
        // All that is left to ask is whether the sums are there already.
        let own = wanted.nearest();
        let holds = wanted.missed(&own).iter().all(|miss| miss.abs() <= MET);
        return if holds || wish != Strictness::Strict { Ok(own) } else { Err(Obstacle::Infeasible) };
    }
    if aim == PullbackObjective::LeastLargest {
        let pull = Pull::new(wanted, &all, aim, wish);
        let values = programs.solve(&pull.program)?.values;
        return Ok(pull.input(&values, start));
    }
    let least = match least_total(wanted, wish, programs)? {
        Pulled::Met(input) => input,
        Pulled::Nearest(input) if wish != Strictness::Strict => input,
        Pulled::Nearest(_) => return Err(Obstacle::Infeasible),
    };
    if aim == PullbackObjective::LeastTotal {
        return Ok(least);
    }
    let pull = Pull::new(wanted, &all, aim, wish);
    let known = pull.at(&least, wanted);
    let (solution, _) = programs.solve_within(SWITCH_ITERATIONS, &pull.program, Some(&known))?;
    Ok(pull.input(&solution.values, start))
}

/// What a wish for sums came to.
enum Pulled {
    /// The nearest input that meets it.
    Met(Vec<f64>),
    /// None does: the one that misses it least, and among these the nearest.
    Nearest(Vec<f64>),
}

/// The input that misses the ranges least, where a miss of each sum has its own price.
///
/// # Errors
/// [`Obstacle`] if the program was not solved.
pub fn approach(
    first: &Edges,
    aims: &Aims,
    start: Start<'_>,
    programs: &mut Programs<'_>,
) -> Result<Vec<f64>, Obstacle> {
    let wanted = Wanted { first, targets: &aims.ranges, start, prices: Some(&aims.prices) };
    let (Pulled::Met(input) | Pulled::Nearest(input)) =
        least_total(wanted, Strictness::Elastic(PRICE), programs)?;
    Ok(input)
}

/// The input with the least sum of changes.
fn least_total(
    wanted: Wanted<'_>,
    wish: Strictness,
    programs: &mut Programs<'_>,
) -> Result<Pulled, Obstacle> {
    let start = wanted.start;
    let inputs = start.input.len();
    let dear = match wish {
        Strictness::Strict => Strictness::Elastic(DEAR),
        Strictness::Elastic(_) => wish,
    };
    let rows = wanted.targets.iter().filter(|range| is_wanted(range)).count();
    let batch = (2 * rows).max(FEW_INPUTS / 2);
    let missed = wanted.missed(&wanted.nearest());
    if rows == 0 {
        return Ok(Pulled::Met(wanted.nearest()));
    }
    let mut chosen = match inputs {
        0..=FEW_INPUTS => (0..inputs).collect(),
        _ => wanted.promising(&missed, 0.0, &[], batch),
    };
    for round in 0..=MOST_ROUNDS {
        if round == MOST_ROUNDS {
            chosen = (0..inputs).collect();
        }
        let pull = Pull::new(wanted, &chosen, PullbackObjective::LeastTotal, dear);
        let solution = programs.solve(&pull.program)?;
        let more = match round == MOST_ROUNDS {
            true => Vec::new(),
            false => {
                let mut duals = solution.row_duals.iter();
                let worth = |range: &(f64, f64)| {
                    if is_wanted(range) { duals.next().copied().unwrap_or(0.0) } else { 0.0 }
                };
                let worth: Vec<f64> = wanted.targets.iter().map(worth).collect();
                wanted.promising(&worth, 1.0 + 1e-7, &chosen, batch)
            }
        };
        if more.is_empty() {
            let excess: f64 =
                pull.misses.iter().flat_map(|&(a, b)| [a, b]).map(|c| solution.values[c.index()]).sum();
            let input = pull.input(&solution.values, start);
            let is_met = excess <= MET * (1.0 + rows as f64);
            return Ok(if is_met { Pulled::Met(input) } else { Pulled::Nearest(input) });
        }
        chosen.extend(more);
        chosen.sort_unstable();
    }
    Err(Obstacle::Unsolved)
}

fn is_wanted(&(low, high): &(f64, f64)) -> bool {
    low.is_finite() || high.is_finite()
}

fn within((&x, (&low, &high)): (&f64, (&f64, &f64))) -> f64 {
    x.max(low).min(high)
}

impl Wanted<'_> {
    /// The point of the box that is nearest to the start.
    fn nearest(&self) -> Vec<f64> {
        self.start.input.iter().zip(self.start.lower.iter().zip(self.start.upper)).map(within).collect()
    }

    /// By how much each sum has to rise to lie in its range; negative where it has to fall.
    fn missed(&self, input: &[f64]) -> Vec<f64> {
        let sums = self.first.apply(input);
        sums.iter()
            .zip(self.targets)
            .map(|(&z, &(low, high))| (low - z).max(0.0) + (high - z).min(0.0))
            .collect()
    }

    /// The inputs, other than `known`, that bring most if a unit of each sum is worth so much: more than `least`, and
    /// with room in that direction.
    fn promising(&self, worth: &[f64], least: f64, known: &[usize], most: usize) -> Vec<usize> {
        let mut gains = vec![0.0; self.start.input.len()];
        for (neuron, &worth) in worth.iter().enumerate().filter(|(_, worth)| **worth != 0.0) {
            gains.iter_mut().zip(self.first.row(neuron)).for_each(|(gain, w)| *gain += worth * w);
        }
        known.iter().for_each(|&i| gains[i] = 0.0);
        let Start { input, lower, upper } = self.start;
        let room = |i: usize| if gains[i] > 0.0 { upper[i] - input[i] } else { input[i] - lower[i] };
        // Inputs that the box moves away from the start have to be there.
        let forced = |i: usize| input[i] < lower[i] || input[i] > upper[i];
        let is_first = known.is_empty();
        let mut all: Vec<usize> = (0..gains.len())
            .filter(|&i| gains[i].abs() > least && room(i) > 0.0 || is_first && forced(i))
            .collect();
        let rank = |i: usize| if is_first && forced(i) { f64::INFINITY } else { gains[i].abs() };
        all.sort_by(|&a, &b| rank(b).total_cmp(&rank(a)));
        let forced = all.iter().filter(|&&i| is_first && forced(i)).count();
        all.truncate(most.max(forced));
        all.sort_unstable();
        all
    }
}

impl Pull {
    /// The program in which these inputs may move.
    fn new(wanted: Wanted<'_>, inputs: &[usize], aim: PullbackObjective, wish: Strictness) -> Self {
        let (program, switches) = (LinearProgram::minimise(), Vec::new());
        let mut pull = Self { program, moves: Vec::new(), misses: Vec::new(), switches };
        pull.add_moves(wanted.start, inputs, aim);
        for (neuron, range) in wanted.targets.iter().enumerate().filter(|(_, range)| is_wanted(range)) {
            pull.add_sum(wanted, neuron, *range, wish);
        }
        if aim == PullbackObjective::FewestInputs {
            pull.add_switches();
        }
        pull
    }

    fn add_sum(&mut self, wanted: Wanted<'_>, neuron: usize, (low, high): (f64, f64), wish: Strictness) {
        let row = wanted.first.row(neuron);
        let now =
            wanted.first.bias[neuron] + row.iter().zip(wanted.start.input).map(|(w, x)| w * x).sum::<f64>();
        let mut terms = Vec::with_capacity(2 * self.moves.len() + 2);
        for &(i, (up, down)) in &self.moves {
            terms.extend(up.map(|column| (column, row[i])));
            terms.extend(down.map(|column| (column, -row[i])));
        }
        if let Strictness::Elastic(price) = wish {
            let price = wanted.prices.map_or(price, |prices| prices[neuron]);
            let program = &mut self.program;
            let miss = (program.column(0.0, f64::INFINITY, price), program.column(0.0, f64::INFINITY, price));
            terms.extend([(miss.0, 1.0), (miss.1, -1.0)]);
            self.misses.push(miss);
        }
        self.program.row(low - now, terms, high - now);
    }

    /// For each input a column for the way up and one for the way down, within the box, and the objective.
    fn add_moves(&mut self, start: Start<'_>, inputs: &[usize], aim: PullbackObjective) {
        let program = &mut self.program;
        let largest =
            (aim == PullbackObjective::LeastLargest).then(|| program.column(0.0, f64::INFINITY, 1.0));
        let cost = if aim == PullbackObjective::LeastTotal { 1.0 } else { 0.0 };
        let mut rows = Vec::new();
        for &i in inputs {
            let (x, low, high) = (start.input[i], start.lower[i], start.upper[i]);
            let mut way = |least: f64, most: f64| {
                (most > 0.0).then(|| program.column(least.max(0.0).min(most), most, cost))
            };
            let ways = (way(low - x, high - x), way(x - high, x - low));
            rows.extend(largest.filter(|_| ways != (None, None)).map(|largest| (largest, ways)));
            self.moves.push((i, ways));
        }
        for (largest, (up, down)) in rows {
            let both = [up, down].into_iter().flatten().map(|column| (column, 1.0));
            self.program.at_most(both.chain([(largest, -1.0)]), 0.0);
        }
    }

    /// A switch for each input that has a choice.
    fn add_switches(&mut self) {
        for &(_, (up, down)) in &self.moves {
            let columns: Vec<ColumnId> = [up, down].into_iter().flatten().collect();
            let switch = (!columns.is_empty()).then(|| self.program.binary(1.0));
            for (column, switch) in columns.into_iter().zip(switch.iter().cycle()) {
                let room = self.program.columns()[column.index()].upper;
                self.program.at_most([(column, 1.0), (*switch, -room)], 0.0);
            }
            self.switches.push(switch);
        }
    }

    /// An input as a point of the program with switches.
    fn at(&self, input: &[f64], wanted: Wanted<'_>) -> Vec<f64> {
        let mut known = vec![0.0; self.program.columns().len()];
        let mut set = |column: Option<ColumnId>, value: f64| {
            if let Some(column) = column {
                known[column.index()] = value.max(0.0);
            }
        };
        let switches = self.switches.iter().copied().chain(std::iter::repeat(None));
        for (&(i, (up, down)), switch) in self.moves.iter().zip(switches) {
            let by = input[i] - wanted.start.input[i];
            set(up, by);
            set(down, -by);
            set(switch, if by == 0.0 { 0.0 } else { 1.0 });
        }
        let missed = wanted.missed(input);
        let missed = missed.iter().zip(wanted.targets).filter(|(_, range)| is_wanted(range));
        for (&(missing, excess), (&miss, _)) in self.misses.iter().zip(missed) {
            set(Some(missing), miss);
            set(Some(excess), -miss);
        }
        known
    }

    fn input(&self, values: &[f64], start: Start<'_>) -> Vec<f64> {
        let mut input: Vec<f64> =
            start.input.iter().zip(start.lower.iter().zip(start.upper)).map(within).collect();
        let value = |column: Option<ColumnId>| column.map_or(0.0, |column| values[column.index()]);
        for &(i, (up, down)) in &self.moves {
            let x = start.input[i] + value(up) - value(down);
            input[i] = within((&x, (&start.lower[i], &start.upper[i])));
        }
        input
    }
}
