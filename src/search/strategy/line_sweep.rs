//! Lines through the box, each searched exactly ([`crate::search::kernel::line`]).
//!
//! Where one input is free, the box is a line, and one sweep sees every point of it. Learned indexes are such networks:
//! their first layers choose one of a thousand models by steps with slopes of 1e10, and between two models there is a
//! plateau 1e-8 wide where none is chosen. Elsewhere a walk sweeps from a promising sample ([`crate::search::kernel::seeds`]) along the
//! signs of the gradient and then along the inputs that matter most, and goes on from the best point of a line as long as
//! there is a better one: a line is searched across all valleys, not up to the first hill.

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::line::{BendSweep, SearchLine, Stretch};
use crate::search::kernel::local::{NOT_PIECEWISE, widen};
use crate::search::kernel::points::repeat;
use crate::search::kernel::seeds::{self, Seed, Seeds};
use crate::search::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};

/// Inputs that a walk tries alone, from one point.
const MOST_INPUTS: usize = 8;
/// Gain of the margin, relative to its size, under which a line brought nothing.
const LEAST_GAIN: f64 = 1e-7;

/// What the sweep of a whole box is worth: it begins right after the first samples.
const WHOLE: f64 = 4.0;
/// Free inputs at which a line is worth about half as much.
const PROMISING_DIMENSIONS: f64 = 32.0;

struct LineSweep<T> {
    sweep: BendSweep<T>,
    seeds: Seeds<T>,
    free: Vec<usize>,
    /// What is swept next.
    left: Option<Stretch>,
    walk: Option<LineWalk<T>>,
    points: Vec<T>,
}

/// A walk from line to line.
struct LineWalk<T> {
    point: Vec<T>,
    margin: f64,
    /// Lines through the point that have not been tried, by the gradient of its nearest conjunction; the last is next.
    /// `None` before they are drawn.
    lines: Option<Vec<Stretch>>,
}

/// Makes the strategy; it applies to piecewise-linear networks.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    let sweep = BendSweep::new(&problem.network).ok_or(NOT_PIECEWISE)?;
    let free: Vec<usize> = region.free().collect();
    // The box of one input is a line: the first and the only one.
    let whole = |&i: &usize| Stretch::of_input(&region.lower, i, region.lower[i], region.upper[i]);
    let left = free.first().filter(|_| free.len() == 1).map(whole);
    Ok(Box::new(LineSweep { sweep, seeds, free, left, walk: None, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for LineSweep<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        let block = problem.network.block_lanes() * problem.network.multiplications();
        let line = (2 + self.sweep.depth()) * block;
        line as u64 + if self.free.len() > 1 { seeds::price(problem) } else { 0 }
    }

    fn depends_on_seed(&self) -> bool {
        self.free.len() > 1
    }

    /// A line is the whole box of one input: nothing else needs to look there first. It says little of a box of many.
    fn promise(&self, _searched: f64) -> f64 {
        match self.free.len() {
            1 => WHOLE,
            free => 1.0 / (1.0 + free as f64 / PROMISING_DIMENSIONS),
        }
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        if let Some(stretch) = self.left.take() {
            self.left = self.sweep.along(oracle, &stretch)?;
            self.advance();
        } else if self.free.len() > 1 {
            self.choose_line(oracle)?;
        } else {
            return Ok(Progress::Exhausted);
        }
        Ok(Progress::More)
    }
}

impl<T: Real> LineSweep<T> {
    /// Goes on from the best point of the last stretch if it is better.
    fn advance(&mut self) {
        let (Some(walk), Some((margin, point))) = (&mut self.walk, self.sweep.best()) else { return };
        let margin = margin.widen();
        if margin > walk.margin + LEAST_GAIN * (1.0 + walk.margin.abs()) {
            walk.margin = margin;
            walk.point.clear();
            walk.point.extend_from_slice(point);
            walk.lines = None;
        }
    }

    fn choose_line(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        if let Some(walk) = &mut self.walk {
            if walk.lines.is_none() {
                walk.lines = Some(walk.draw(oracle, &mut self.points, &self.free)?);
            }
            self.left = walk.lines.as_mut().and_then(Vec::pop);
            if self.left.is_some() {
                return Ok(());
            }
        }
        let walk = |seed: Seed<T>| LineWalk { point: seed.point, margin: f64::NEG_INFINITY, lines: None };
        self.walk = self.seeds.next(oracle)?.map(walk);
        Ok(())
    }
}

impl<T: Real> LineWalk<T> {
    /// The lines through the point, by its gradient.
    fn draw(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        points: &mut Vec<T>,
        free: &[usize],
    ) -> Result<Vec<Stretch>, Halt> {
        let lanes = oracle.lanes();
        repeat(self.point.iter().copied(), lanes, points);
        oracle.evaluate(points)?;
        self.margin = oracle.margins()[0].widen();
        oracle.gradient(Objective::Nearest, Surrogate::exact());
        let (lower, upper) = (widen(&oracle.lower), widen(&oracle.upper));
        let from = widen(&self.point);
        // What an input promises: its slope times the interval's width.
        let slope = |&i: &usize| (i, oracle.last_gradient()[i * lanes].widen() * (upper[i] - lower[i]));
        let mut slopes: Vec<(usize, f64)> = free.iter().map(slope).filter(|(_, g)| *g != 0.0).collect();
        slopes.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let alone = slopes.iter().take(MOST_INPUTS).rev();
        let mut lines: Vec<Stretch> =
            alone.map(|&(i, _)| Stretch::of_input(&from, i, lower[i], upper[i])).collect();
        let has_room =
            |&&(i, g): &&(usize, f64)| if g > 0.0 { from[i] < upper[i] } else { from[i] > lower[i] };
        let step = |&(i, g): &(usize, f64)| (i, g.signum() * (upper[i] - lower[i]));
        let direction = slopes.iter().filter(has_room).map(step).collect();
        let steepest = Stretch::within(SearchLine { from, direction }, &lower, &upper);
        lines.extend((!steepest.is_empty()).then_some(steepest));
        Ok(lines)
    }
}
