//! `mod2adv`: from what the first layer's sums should be to an input that makes them so.
//!
//! The first layer with its original weights is affine, so the wish for its sums is a set of linear constraints on
//! the input: `Σ_i w_ij x′_i + b_j` in its range, `x′` in the box. Among the inputs that fulfil it the paper wants
//! the one that differs in the fewest pixels: each pixel has a switch `M_i ∈ {0, 1}` that lets it move, and the sum
//! of the switches is minimised (Eqns. 3-5). The least sum of changes and the smallest largest change are linear
//! programs.
//!
//! The wish is often out of reach: there are more sums than inputs. [`Wish::Elastic`] then asks for the input that
//! misses it least.

use std::time::Duration;

use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::Edges;
use crate::search::programs::{Obstacle, Programs};

/// Time for one program with pixel switches.
const SWITCH_TIME: Duration = Duration::from_secs(10);

/// What is to be small about the change of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The number of changed inputs.
    FewestInputs,
    /// Σ |x′ − x|
    LeastTotal,
    /// max |x′ − x|
    LeastLargest,
}

/// How strictly the ranges of the sums are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wish {
    /// They have to be met.
    Strict,
    /// Each unit by which a sum misses its range costs this much, in units of the aim.
    Elastic(f64),
}

/// The box of the inputs and the point in it that is changed.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The input.
    pub input: &'a [f64],
    /// Lower ends.
    pub lower: &'a [f64],
    /// Upper ends.
    pub upper: &'a [f64],
}

/// Finds the input in the box nearest to the start whose sums lie in their ranges.
///
/// # Errors
/// [`Obstacle`] if there is none, or the program was not solved.
pub fn mod2adv(
    first: &Edges,
    targets: &[(f64, f64)],
    start: Start<'_>,
    aim: Aim,
    wish: Wish,
    programs: &mut Programs<'_>,
) -> Result<Vec<f64>, Obstacle> {
    let mut program = LinearProgram::minimise();
    let moves = add_moves(&mut program, start, aim);
    for (neuron, &(low, high)) in targets.iter().enumerate() {
        if low == f64::NEG_INFINITY && high == f64::INFINITY {
            continue;
        }
        let row = first.row(neuron);
        let now = first.bias[neuron] + row.iter().zip(start.input).map(|(w, x)| w * x).sum::<f64>();
        let mut terms = Vec::with_capacity(2 * row.len());
        for (&weight, &(up, down)) in row.iter().zip(&moves) {
            terms.extend(up.map(|column| (column, weight)));
            terms.extend(down.map(|column| (column, -weight)));
        }
        if let Wish::Elastic(price) = wish {
            let (missing, excess) =
                (program.column(0.0, f64::INFINITY, price), program.column(0.0, f64::INFINITY, price));
            terms.extend([(missing, 1.0), (excess, -1.0)]);
        }
        program.row(low - now, terms, high - now);
    }
    if program.columns().is_empty() {
        return Err(Obstacle::Infeasible);
    }
    let values = match aim {
        Aim::FewestInputs => programs.solve_mixed(&program, SWITCH_TIME)?.values,
        Aim::LeastTotal | Aim::LeastLargest => programs.solve(&program)?.values,
    };
    let value = |column: Option<ColumnId>| column.map_or(0.0, |column| values[column.index()]);
    let moved = |(i, &(up, down)): (usize, &(Option<ColumnId>, Option<ColumnId>))| {
        (start.input[i] + value(up) - value(down)).clamp(start.lower[i], start.upper[i])
    };
    Ok(moves.iter().enumerate().map(moved).collect())
}

/// For each input a column for the way up and one for the way down, within the box, and the objective.
fn add_moves(
    program: &mut LinearProgram,
    start: Start<'_>,
    aim: Aim,
) -> Vec<(Option<ColumnId>, Option<ColumnId>)> {
    let largest = (aim == Aim::LeastLargest).then(|| program.column(0.0, f64::INFINITY, 1.0));
    let cost = if aim == Aim::LeastTotal { 1.0 } else { 0.0 };
    let mut moves = Vec::with_capacity(start.input.len());
    for (&x, (&low, &high)) in start.input.iter().zip(start.lower.iter().zip(start.upper)) {
        let mut room = |room: f64| (room > 0.0).then(|| (program.column(0.0, room, cost), room));
        let ways = (room(high - x), room(x - low));
        let columns: Vec<_> = [ways.0, ways.1].into_iter().flatten().collect();
        match (aim, largest) {
            (Aim::FewestInputs, _) if !columns.is_empty() => {
                let switch = program.binary(1.0);
                for &(column, room) in &columns {
                    program.at_most([(column, 1.0), (switch, -room)], 0.0);
                }
            }
            (_, Some(largest)) if !columns.is_empty() => {
                let both = columns.iter().map(|&(column, _)| (column, 1.0));
                program.at_most(both.chain([(largest, -1.0)]), 0.0);
            }
            _ => {}
        }
        moves.push((ways.0.map(|way| way.0), ways.1.map(|way| way.0)));
    }
    moves
}
