//! Networks that are written formulas: what the rows ask of single sums of inputs, solved as one small program.
//!
//! Puzzles, locks and logic come as networks whose outputs add up penalties: a hat for a variable that must be 0 or 1, a
//! hinge for a clause, a window for a chain's link. A gradient sees their sum; a program over the phases of all neurons
//! has a loose relaxation. `unfold.rs` takes the sum apart: each ridge may lie in a few intervals. Binaries that choose
//! between these make a program that is much smaller than that of the phases and as tight as can be: planted 3-SAT
//! formulas of 100 to 200 variables take HiGHS one to five seconds, parities, sudokus and subset sums hundredths.
//!
//! A first program asks for any point, a second one for a point that is far inside of the rows that leave a choice. In
//! turn with them a walk (`walk.rs`) tries values for the inputs: formulas of 500 variables are beyond the programs. The
//! network judges. It costs a look at the weights where rows ask nothing of single ridges, which is the rule.

mod profile;
mod unfold;
mod walk;

use std::collections::VecDeque;

use crate::lp::{ColumnId, LinearProgram};
use crate::network::Real;
use crate::network::frozen::bends_of;
use crate::network::layered::Layered;
use crate::network::op::Op;
use crate::problem::Problem;
use crate::property::{Conjunction, Region, RowKind};
use crate::random::Random;
use crate::search::kernel::local::widen;
use crate::search::kernel::points::show;
use crate::search::kernel::programs::{Obstacle, Programs};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use profile::{ClosedInterval, Profile};
use unfold::{Needs, ValueRow, unfold};
use walk::RidgeWalk;

/// Multiplications of a network whose weights are looked at; and where convolutions have to be written out first.
const LARGE: usize = 20_000_000;
const LARGE_CONVOLUTIONS: usize = 1_000_000;
/// What the look costs, in evaluations of one point.
const LOOK: usize = 30;
/// Simplex iterations for a program at first, and the factor from one time to the next.
const FIRST_ITERATIONS: u64 = 2_000;
const MORE_ITERATIONS: u64 = 4;
/// Moves of a walk in a round.
const MOVES: usize = 50_000;
/// Pieces of a program, all ridges together: beyond that it would not be solved.
const MOST_PIECES: usize = 50_000;
/// What the strategy is worth once rows ask something of single ridges: then little else finds anything.
const PROMISE: f64 = 8.0;
/// The entries of these programs, three or four a row, cost so much less than those of a region's, which are dense:
/// parities of 60 numbers and formulas of 100 variables were charged with sixteen times their time.
const SPARSE: usize = 16;
/// How far inside of a row the second program wants a point, as a share of what the row leaves.
const INSIDE: f64 = 0.5;

/// Makes the strategy; it applies to piecewise-linear networks that bend.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    if region.free().next().is_none() {
        return Err(NotApplicable("the region is a single point"));
    }
    let convolves = problem.network.nodes().iter().any(|node| matches!(node.op, Op::Conv(_)));
    if problem.network.multiplications() > if convolves { LARGE_CONVOLUTIONS } else { LARGE } {
        return Err(NotApplicable("the network is too large"));
    }
    match bends_of(&problem.network) {
        Some(bends) if !bends.is_empty() => {
            let random = Random::new(seed);
            Ok(Box::new(Ridges { jobs: None, points: Vec::new(), random }))
        }
        _ => Err(NotApplicable("the network is not piecewise linear")),
    }
}

struct Ridges<T> {
    /// Made in the first round.
    jobs: Option<VecDeque<ConjunctionJob>>,
    points: Vec<T>,
    random: Random,
}

/// One conjunction: its programs and its walk.
struct ConjunctionJob {
    needs: Needs,
    /// What the next program asks for; `None` where there is none to come.
    aim: Option<ProgramAim>,
    iterations: u64,
    walk: Option<RidgeWalk>,
    /// What programs and walks have cost.
    programs: u64,
    walks: u64,
}

/// What the next program asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProgramAim {
    /// Any point.
    Any,
    /// One that is far inside of the rows that leave a choice.
    Inside,
}

impl<T: Real> Falsifier<T> for Ridges<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (LOOK * problem.network.multiplications()) as u64
    }

    fn promise(&self, _searched: f64) -> f64 {
        if self.jobs.is_some() { PROMISE } else { 1.0 }
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        oracle.check()?;
        let Some(jobs) = &mut self.jobs else {
            self.jobs = Some(look(oracle, &self.random));
            return Ok(if self.jobs.iter().all(VecDeque::is_empty) {
                Progress::Exhausted
            } else {
                Progress::More
            });
        };
        let Some(mut job) = jobs.pop_front() else { return Ok(Progress::Exhausted) };
        let before = oracle.tally.work;
        let is_walk = job.walk.is_some() && (job.aim.is_none() || job.walks <= job.programs);
        let found = if is_walk { job.step(oracle) } else { job.solve(oracle) };
        *if is_walk { &mut job.walks } else { &mut job.programs } += oracle.tally.work - before;
        if job.aim.is_some() || job.walk.is_some() {
            jobs.push_back(job);
        }
        if let Some(point) = found {
            show(oracle, &mut self.points, &point)?;
        }
        Ok(Progress::More)
    }
}

impl ConjunctionJob {
    /// Goes on with the walk.
    fn step<T: Real>(&mut self, oracle: &mut Oracle<'_, T>) -> Option<Vec<f64>> {
        let walk = self.walk.as_mut()?;
        oracle.tally.work += (MOVES * walk.price()) as u64;
        walk.run(MOVES)
    }

    /// The next program.
    fn solve<T: Real>(&mut self, oracle: &mut Oracle<'_, T>) -> Option<Vec<f64>> {
        let program = RidgeProgram::of(&self.needs, self.aim?, &oracle.region);
        let mut programs = Programs::new(oracle.budget());
        let outcome = programs.solve_within(self.iterations, &program.program, None);
        let (solved, entries) = (programs.solved, programs.entries);
        oracle.tally.count_programs(solved, entries / SPARSE);
        self.iterations = self.iterations.saturating_mul(MORE_ITERATIONS);
        self.aim = match &outcome {
            Ok((_, true)) => (self.aim == Some(ProgramAim::Any) && !self.needs.sums.is_empty())
                .then_some(ProgramAim::Inside),
            Ok((_, false)) => Some(ProgramAim::Inside),
            Err(Obstacle::Unsolved) => self.aim,
            Err(_) => None,
        };
        if outcome == Err(Obstacle::Infeasible) {
            self.walk = None;
        }
        Some(program.point(&outcome.ok()?.0.values))
    }
}

/// Unfolds every conjunction; those that ask something become jobs.
fn look<T: Real>(oracle: &mut Oracle<'_, T>, random: &Random) -> VecDeque<ConjunctionJob> {
    oracle.tally.work += (LOOK * oracle.problem.network.multiplications()) as u64;
    let Ok(network) = oracle.problem.layered() else { return VecDeque::new() };
    let (lower, upper) = (widen(&oracle.lower), widen(&oracle.upper));
    let mut jobs = VecDeque::new();
    for conjunction in &oracle.region.conjunctions {
        let Some(rows) = hidden_rows(network, conjunction) else { continue };
        if let Ok(needs) = unfold(network, &lower, &upper, rows)
            && (0..needs.ridges.len()).map(|ridge| pieces(&needs, ridge).len()).sum::<usize>() <= MOST_PIECES
        {
            let walk = RidgeWalk::new(&needs, &lower, &upper, random.fork(jobs.len() as u64));
            let (aim, iterations) = (Some(ProgramAim::Any), FIRST_ITERATIONS);
            jobs.push_back(ConjunctionJob { needs, aim, iterations, walk, programs: 0, walks: 0 });
        }
    }
    jobs
}

/// A conjunction as rows over the values of the last layer but one; `None` where a row has inputs too.
fn hidden_rows(network: &Layered, conjunction: &Conjunction) -> Option<Vec<ValueRow>> {
    let last = network.layers.last().filter(|last| last.activation.is_none())?;
    let rows = conjunction.rows.iter().filter(|row| row.kind != RowKind::Differs && !row.outputs.is_empty());
    rows.map(|row| {
        let mut values = vec![0.0; last.edges.inputs];
        let mut bound = row.bound;
        for &(output, c) in &row.outputs {
            bound -= c * last.edges.bias[output];
            values.iter_mut().zip(last.edges.row(output)).for_each(|(sum, w)| *sum += c * w);
        }
        let terms = values.into_iter().enumerate().filter(|(_, c)| *c != 0.0).collect();
        row.inputs.is_empty().then_some(ValueRow { terms, bound })
    })
    .collect()
}

/// What a ridge is left, cut where a row that leaves a choice has a corner.
fn pieces(needs: &Needs, ridge: usize) -> Vec<ClosedInterval> {
    let mut pieces = needs.ridges[ridge].allowed.clone();
    for sum in &needs.sums {
        if let Ok(at) = sum.terms.binary_search_by_key(&ridge, |term| term.0) {
            pieces = sum.terms[at].1.pieces(&pieces);
        }
    }
    pieces
}

/// The program of a conjunction's needs.
struct RidgeProgram {
    program: LinearProgram,
    inputs: Vec<ColumnId>,
    /// Inputs that are a ridge of their own: the intervals, with the binary that chooses each.
    own: Vec<(usize, Vec<(ClosedInterval, ColumnId)>)>,
}

/// A ridge in the program: a linear function of columns on each of its pieces.
struct Placed {
    pieces: Vec<ClosedInterval>,
    /// The ridge's sum on each piece, and the binary that chooses it; without a choice the sum is that of the inputs.
    chosen: Vec<(ColumnId, ColumnId)>,
}

impl RidgeProgram {
    fn of(needs: &Needs, aim: ProgramAim, region: &Region) -> Self {
        let mut program = LinearProgram::maximise();
        let inputs: Vec<ColumnId> = region
            .lower
            .iter()
            .zip(&region.upper)
            .map(|(&low, &high)| program.column(low, high, 0.0))
            .collect();
        let mut own = Vec::new();
        let mut placed = Vec::with_capacity(needs.ridges.len());
        for (number, ridge) in needs.ridges.iter().enumerate() {
            let terms: Vec<(ColumnId, f64)> = ridge.direction.iter().map(|&(i, c)| (inputs[i], c)).collect();
            let place = Placed::add(&mut program, &terms, pieces(needs, number));
            if let [(input, _)] = ridge.direction[..]
                && !place.chosen.is_empty()
            {
                let binaries = place.chosen.iter().map(|chosen| chosen.1);
                own.push((input, place.pieces.iter().copied().zip(binaries).collect()));
            }
            placed.push(place);
        }
        let inside = program.column(0.0, 1.0, if aim == ProgramAim::Inside { 1.0 } else { 0.0 });
        for sum in &needs.sums {
            let least: f64 =
                sum.terms.iter().map(|(r, profile)| profile.range(&needs.ridges[*r].allowed).0).sum();
            let mut bound = sum.bound;
            let mut terms = vec![(inside, INSIDE * (sum.bound - least).max(0.0))];
            for (number, profile) in &sum.terms {
                let ridge: Vec<(ColumnId, f64)> =
                    needs.ridges[*number].direction.iter().map(|&(i, c)| (inputs[i], c)).collect();
                bound -= placed[*number].add_value(profile, &ridge, &mut terms);
            }
            program.at_most(terms, bound);
        }
        Self { program, inputs, own }
    }

    /// The inputs of a solution, those with intervals of their own exactly inside.
    fn point(&self, values: &[f64]) -> Vec<f64> {
        let mut point: Vec<f64> = self.inputs.iter().map(|column| values[column.index()]).collect();
        for (input, intervals) in &self.own {
            let chosen = |(_, binary): &&(ClosedInterval, ColumnId)| values[binary.index()] > 0.5;
            if let Some((interval, _)) = intervals.iter().find(chosen) {
                point[*input] = point[*input].clamp(interval.low, interval.high);
            }
        }
        point
    }
}

impl Placed {
    /// Says that the ridge lies in one of the pieces.
    fn add(program: &mut LinearProgram, ridge: &[(ColumnId, f64)], pieces: Vec<ClosedInterval>) -> Self {
        if let [only] = pieces[..] {
            program.row(only.low, ridge.iter().copied(), only.high);
            return Self { pieces, chosen: Vec::new() };
        }
        let mut chosen = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            let binary = program.binary(0.0);
            let (low, high) = (piece.low.min(0.0), piece.high.max(0.0));
            let sum = program.column(low, high, 0.0);
            program.at_least([(sum, 1.0), (binary, -piece.low)], 0.0);
            program.at_most([(sum, 1.0), (binary, -piece.high)], 0.0);
            chosen.push((sum, binary));
        }
        program.equal(chosen.iter().map(|&(_, binary)| (binary, 1.0)), 1.0);
        let parts = chosen.iter().map(|&(sum, _)| (sum, -1.0));
        program.equal(ridge.iter().copied().chain(parts), 0.0);
        Self { pieces, chosen }
    }

    /// Adds the value of a profile to some terms; gives its constant part.
    fn add_value(
        &self,
        profile: &Profile,
        ridge: &[(ColumnId, f64)],
        terms: &mut Vec<(ColumnId, f64)>,
    ) -> f64 {
        let line = |piece: &ClosedInterval| {
            let (low, high) = (profile.at(piece.low), profile.at(piece.high));
            let width = piece.high - piece.low;
            let slope = if width > 0.0 { (high - low) / width } else { 0.0 };
            (slope, low - slope * piece.low)
        };
        if self.chosen.is_empty() {
            let (slope, shift) = self.pieces.first().map_or((0.0, 0.0), line);
            terms.extend(ridge.iter().map(|&(column, c)| (column, slope * c)));
            return shift;
        }
        for (piece, &(sum, binary)) in self.pieces.iter().zip(&self.chosen) {
            let (slope, shift) = line(piece);
            terms.extend([(sum, slope), (binary, shift)]);
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use unfold::{Ridge, RidgeSum};

    fn interval(low: f64, high: f64) -> ClosedInterval {
        ClosedInterval { low, high }
    }

    /// `x₀` and `x₁` are 0 or 1, `x₀ + x₁ ≥ 1`, and `3 x₀ + 2 x₁ + hat(x₂) ≤ 2.5`, where the hat is 1 at the middle.
    fn needs() -> Needs {
        let choice = |input| Ridge {
            direction: vec![(input, 1.0)],
            allowed: vec![interval(0.0, 0.0), interval(1.0, 1.0)],
        };
        let clause = Ridge { direction: vec![(0, 1.0), (1, 1.0)], allowed: vec![interval(1.0, 2.0)] };
        let free = Ridge { direction: vec![(2, 1.0)], allowed: vec![interval(0.0, 1.0)] };
        let times = |a: f64| Profile::through(vec![0.0, 1.0], move |s| a * s);
        let hat = Profile::through(vec![0.0, 0.5, 1.0], |s: f64| 2.0 * s.min(1.0 - s));
        let terms = vec![(0, times(3.0)), (1, times(2.0)), (3, hat)];
        Needs {
            ridges: vec![choice(0), choice(1), clause, free],
            sums: vec![RidgeSum { terms, bound: 2.5 }],
            narrows: true,
        }
    }

    fn solve(aim: ProgramAim) -> Vec<f64> {
        let region = Region { lower: vec![0.0; 3], upper: vec![1.0; 3], ..Region::default() };
        let program = RidgeProgram::of(&needs(), aim, &region);
        let budget = Budget::unlimited();
        let (solution, proven) = Programs::new(&budget).solve_within(10_000, &program.program, None).unwrap();
        assert!(proven);
        program.point(&solution.values)
    }

    #[test]
    fn programs_choose_intervals_and_obey_the_rows_that_leave_a_choice() {
        let any = solve(ProgramAim::Any);
        assert_eq!(any[..2], [0.0, 1.0]);
        assert!(2.0 * any[2].min(1.0 - any[2]) <= 0.5 + 1e-6, "{any:?}");
    }

    #[test]
    fn the_second_program_goes_inside() {
        // Half of a slack of 2.5 cannot be had beside x₁: what can is half a unit, at an end of the hat.
        let inside = solve(ProgramAim::Inside);
        assert_eq!(inside[..2], [0.0, 1.0]);
        assert!(inside[2].min(1.0 - inside[2]) < 1e-6, "{inside:?}");
    }
}
