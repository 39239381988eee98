//! The last step of the published code, its `mod2adv`: an image whose first layer's sums are not above what the patched
//! network's are, by more than the slack.
//!
//! The code's program has a switch for each value, lets `k` of them be on, bounds the signed sum of the changes by 0
//! and 150, and has no objective and no box. It takes what Gurobi returns, and that is no small matter: HiGHS, asked
//! the same, returns the image itself, which is feasible nearly always and fools nothing (2% of 60 MNIST images). The
//! logs say what Gurobi's answers look like: `k` values, each moved as far as it may. So is this one: `k` values drawn
//! at random, and the vertex of the program over them in a random direction that is nowhere negative. The direction is
//! upwards because with as much downwards the median `k` on MNIST is 72 to 96, where the logs have 24 and this has 24.
//!
//! Where these `k` values cannot meet the rows, those of the least change that can are taken first and the rest at
//! random. No switch is needed in either program.

use super::recipe::LastStep;
use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::Edges;
use crate::random::Random;
use crate::search::kernel::programs::{Obstacle, Programs};

/// The program's data for one image; the number of values that may move comes later.
#[derive(Debug)]
pub(super) struct Finish<'a> {
    first: &'a Edges,
    rules: &'a LastStep,
    image: &'a [f64],
    /// How far down and up each value may move.
    ways: Vec<(f64, f64)>,
    /// How far up each sum of the first layer may move; below zero where it has to come down.
    room: Vec<f64>,
    /// The values of the least change, the largest first, once it has been asked for.
    least: Option<Vec<usize>>,
}

impl<'a> Finish<'a> {
    /// The values of the first layer that are wanted, and the range that no value may leave.
    pub(super) fn new(
        first: &'a Edges,
        rules: &'a LastStep,
        image: &'a [f64],
        wanted: &[f64],
        range: impl Fn(usize) -> (f64, f64),
    ) -> Self {
        let way = |(index, &x): (usize, &f64)| {
            let (low, high) = range(index);
            let down = rules.step.min(x + rules.value).min(x - low);
            let up = rules.step.min(rules.value - x).min(high - x);
            (down.max(0.0), up.max(0.0))
        };
        let ways = image.iter().enumerate().map(way).collect();
        let ceilings = rules.slack.above(wanted);
        let room = first.apply(image).iter().zip(ceilings).map(|(sum, ceiling)| ceiling - sum).collect();
        Self { first, rules, image, ways, room, least: None }
    }

    /// An image that differs in at most `count` values.
    ///
    /// # Errors
    /// [`Obstacle`] where none was found.
    pub(super) fn image(
        &mut self,
        count: usize,
        random: &mut Random,
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, Obstacle> {
        let mut order = self.candidates(count);
        for place in 0..count.min(order.len()) {
            let other = place + random.below(order.len() - place);
            order.swap(place, other);
        }
        let chosen = &order[..count.min(order.len())];
        let direction: Vec<f64> = chosen.iter().map(|_| random.unit()).collect();
        match self.vertex(chosen, &direction, programs) {
            Err(Obstacle::Infeasible) => {
                let mut chosen = self.least_change(&order, programs)?.to_vec();
                let drawn: Vec<usize> =
                    order.iter().copied().filter(|index| !chosen.contains(index)).take(count).collect();
                chosen.extend(drawn);
                chosen.truncate(count);
                self.vertex(&chosen, &direction, programs)
            }
            answer => answer,
        }
    }

    /// The values that may move at all.
    fn candidates(&self, count: usize) -> Vec<usize> {
        let all = 0..self.image.len();
        let Some(brightest) = self.rules.brightest else { return all.collect() };
        let mut sorted = self.image.to_vec();
        sorted.sort_by(f64::total_cmp);
        let from = sorted.len().saturating_sub(brightest.max(count));
        let cut = sorted.get(from).copied().unwrap_or(f64::INFINITY);
        all.filter(|&index| self.image[index] > cut && self.image[index] != 0.0).collect()
    }

    /// The farthest point in a direction with the chosen values.
    fn vertex(
        &self,
        chosen: &[usize],
        direction: &[f64],
        programs: &mut Programs<'_>,
    ) -> Result<Vec<f64>, Obstacle> {
        let mut program = LinearProgram::maximise();
        let column = |(&index, &gain): (&usize, &f64)| {
            let (down, up) = self.ways[index];
            (index, program.column(-down, up, gain))
        };
        let moves: Vec<(usize, ColumnId)> = chosen.iter().zip(direction).map(column).collect();
        if moves.is_empty() {
            return Err(Obstacle::Infeasible);
        }
        program.row(0.0, moves.iter().map(|&(_, column)| (column, 1.0)), self.rules.total);
        for (sum, &room) in self.room.iter().enumerate() {
            let row = self.first.row(sum);
            program.at_most(moves.iter().map(|&(index, column)| (column, row[index])), room);
        }
        let values = programs.solve(&program)?.values;
        let mut image = self.image.to_vec();
        for (index, column) in moves {
            image[index] += values[column.index()];
        }
        Ok(image)
    }

    /// The values that move where Σ |change| is least, whatever their number.
    fn least_change(
        &mut self,
        candidates: &[usize],
        programs: &mut Programs<'_>,
    ) -> Result<&[usize], Obstacle> {
        if self.least.is_none() {
            self.least = Some(self.find_least_change(candidates, programs)?);
        }
        Ok(self.least.as_deref().unwrap_or_default())
    }

    fn find_least_change(
        &self,
        candidates: &[usize],
        programs: &mut Programs<'_>,
    ) -> Result<Vec<usize>, Obstacle> {
        let mut program = LinearProgram::minimise();
        let columns = |&index: &usize| {
            let (down, up) = self.ways[index];
            (index, program.column(0.0, up, 1.0), program.column(0.0, down, 1.0))
        };
        let moves: Vec<(usize, ColumnId, ColumnId)> = candidates.iter().map(columns).collect();
        if moves.is_empty() {
            return Err(Obstacle::Infeasible);
        }
        let both = |weight: &dyn Fn(usize) -> f64| -> Vec<(ColumnId, f64)> {
            moves.iter().flat_map(|&(i, up, down)| [(up, weight(i)), (down, -weight(i))]).collect()
        };
        program.row(0.0, both(&|_| 1.0), self.rules.total);
        for (sum, &room) in self.room.iter().enumerate() {
            let row = self.first.row(sum);
            program.at_most(both(&|index| row[index]), room);
        }
        let values = programs.solve(&program)?.values;
        let size = |&(index, up, down): &(usize, ColumnId, ColumnId)| {
            (index, values[up.index()] + values[down.index()])
        };
        let mut moved: Vec<(usize, f64)> = moves.iter().map(size).filter(|&(_, size)| size > 1e-9).collect();
        moved.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(moved.into_iter().map(|(index, _)| index).collect())
    }
}
