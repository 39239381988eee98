//! Counted, batched evaluations of the network and the property's margins.

use crate::budget::{Budget, StopReason};
use crate::network::{Real, Surrogate, Workspace};
use crate::onnx::ElementType;
use crate::problem::Problem;
use crate::property::condition::Levels;
use crate::property::margin::{Block, MarginGradient, add_row_gradient, conjunction_margins, lane_margin};
use crate::property::{Conjunction, Region, Row};
use crate::search::kernel::asking::Asking;
use crate::search::kernel::losses::RowLoss;
use crate::search::kernel::points::off_centre;
use crate::search::kernel::shared::Shared;
use crate::search::kernel::spread;
use crate::search::kernel::tally::Tally;
use crate::search::kernel::ties::Ties;
use crate::search::{Candidate, Halt, Judge, Judgement};

/// What a backward pass differentiates, lane by lane.
#[derive(Debug, Clone, Copy)]
pub enum Objective<'o, T> {
    /// The margin of the conjunction that is nearest to being violated.
    Nearest,
    /// The margin (least row) of a given conjunction for each lane.
    Target(&'o [u32]),
    /// The margin of a given conjunction for each lane over the spread of its outputs, as a direction (its length is
    /// not told; [`spread`]).
    Scaled(&'o [u32]),
    /// All rows of a given conjunction for each lane, as a loss for each lane makes one number of them.
    Rows(&'o [u32], &'o [RowLoss]),
    /// `Σ w · output` for these weights: `output_len × lanes` numbers.
    Direction(&'o [T]),
}

/// A witness that is held is worth one part in so many of the work before it, for one that every computation confirms.
const PATIENCE: u64 = 2;
/// Witnesses that are held before the search ends: each costs a replay and an enclosure.
const MOST_HELD: u32 = 8;

/// Lanes of a block that are shown to the judge while several witnesses are gathered.
const MOST_OF_A_BLOCK: usize = 4;

/// The best point so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Best<T> {
    /// Its margin; negative means no violation.
    pub margin: T,
    /// The flat input.
    pub input: Vec<T>,
}

/// Evaluates blocks of points of one region.
pub struct Oracle<'a, T: Real> {
    /// The problem.
    pub problem: &'a Problem<T>,
    /// The region that is being searched.
    pub region: Region,
    /// Its lower ends.
    pub lower: Vec<T>,
    /// Its upper ends.
    pub upper: Vec<T>,
    /// Which of its inputs may differ by little.
    ties: Ties,
    /// What has been spent since the oracle was made.
    pub tally: Tally,
    /// The best point in the region.
    pub best: Option<Best<T>>,
    judge: &'a dyn Judge<T>,
    shared: &'a Shared,
    /// The search's, ended by a witness on another thread too.
    budget: Budget,
    workspace: Workspace<T>,
    /// Memory for a block in double precision; made when first needed.
    double: Option<Workspace<f64>>,
    inputs: Vec<T>,
    outputs: Vec<T>,
    margins: Vec<T>,
    nearest: Vec<u32>,
    /// `conjunctions × lanes`, like `worst_rows`.
    by_conjunction: Vec<T>,
    worst_rows: Vec<u32>,
    scratch: Vec<T>,
    cotangent: Vec<T>,
    gradient: Vec<T>,
    own_gradient: Vec<T>,
    asking: Asking<T>,
    has_found: bool,
    /// Once the judge holds a witness: the work by which the search ends, and how many it holds.
    held: Option<(u64, u32)>,
    /// Of a region with a condition: the row that decides each lane, and the memory of its evaluation.
    deciding: Vec<u32>,
    levels: Levels<T>,
    /// Ways of the condition that wait for the end of a round: strategies count on the conjunctions' numbers.
    promising: Vec<Conjunction>,
}

/// Ways of a condition that a region gathers for strategies that need conjunctions.
const MOST_WAYS: usize = 256;
/// Multiplications of a network that is not copied in double precision for the sake of last digits.
const LARGE: usize = 1_000_000;
/// Those that are taken as they come, before only better points add any.
const FIRST_WAYS: usize = 16;

impl<'a, T: Real> Oracle<'a, T> {
    /// An oracle that has not entered a region yet.
    pub fn new(
        problem: &'a Problem<T>,
        judge: &'a dyn Judge<T>,
        shared: &'a Shared,
        budget: &Budget,
    ) -> Self {
        let budget = budget.clone().with_interrupt(shared.over.clone());
        let lanes = problem.network.block_lanes();
        Self {
            problem,
            region: Region::default(),
            lower: Vec::new(),
            upper: Vec::new(),
            ties: Ties::default(),
            tally: Tally::default(),
            best: None,
            judge,
            shared,
            budget,
            workspace: problem.network.workspace(lanes),
            double: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            margins: vec![T::zero(); lanes],
            nearest: vec![0; lanes],
            by_conjunction: Vec::new(),
            worst_rows: Vec::new(),
            scratch: vec![T::zero(); lanes],
            cotangent: Vec::new(),
            gradient: Vec::new(),
            own_gradient: Vec::new(),
            asking: Asking::default(),
            has_found: false,
            held: None,
            deciding: vec![0; lanes],
            levels: Levels::default(),
            promising: Vec::new(),
        }
    }

    /// From now on blocks may be evaluated on so many threads.
    pub fn use_threads(&mut self, threads: usize) {
        self.workspace.set_threads(threads);
    }

    /// Goes on with another region, whose best point so far is given; the memory is kept.
    pub fn enter(&mut self, region: &Region, best: Option<Best<T>>) {
        let narrow = |values: &[f64]| values.iter().map(|&x| T::of(x)).collect();
        self.lower = narrow(&region.lower);
        self.upper = narrow(&region.upper);
        self.ties = Ties::of(region, T::epsilon().widen());
        self.region.clone_from(region);
        self.promising.clear();
        self.make_room();
        // Of outputs that are no numbers no conjunction is nearest: the number of one in another region must not stay.
        self.nearest.fill(0);
        self.best = best;
        self.asking.enter();
    }

    /// Between two rounds: the conjunctions of promising points join those of the region.
    pub fn admit(&mut self) {
        if !self.promising.is_empty() {
            self.region.conjunctions.append(&mut self.promising);
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        let size = self.region.conjunctions.len() * self.lanes();
        self.by_conjunction.resize(size, T::zero());
        self.worst_rows.resize(size, 0);
    }

    /// Points in a block.
    pub fn lanes(&self) -> usize {
        self.workspace.lanes()
    }

    /// Number of inputs.
    pub fn dimensions(&self) -> usize {
        self.lower.len()
    }

    /// The time that may be spent, for solvers that run on their own.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether to stop.
    ///
    /// # Errors
    /// [`Halt`] if so.
    pub fn check(&self) -> Result<(), Halt> {
        if self.shared.over.is_raised() || self.shared.patience_is_over(&self.budget) {
            return Err(Halt::Over);
        }
        if self.held.is_some_and(|(until, asked)| self.tally.work > until || asked >= MOST_HELD) {
            self.shared.over.raise();
            return Err(Halt::Over);
        }
        if self.shared.most_work.is_some_and(|most| self.tally.work > most) {
            return Err(Halt::Stopped(StopReason::Exhausted));
        }
        Ok(self.budget.check()?)
    }

    /// Moves a block of points to where the region's ties admit them.
    pub fn tie(&self, points: &mut [T]) {
        self.ties.project(points, &self.lower, &self.upper);
    }

    /// Evaluates a block: `points` holds `dimensions × lanes` numbers, lanes innermost. What is evaluated are these points as
    /// [`Oracle::tie`] moves them.
    ///
    /// # Errors
    /// [`Halt`] when a witness was confirmed or the budget is used up.
    pub fn evaluate(&mut self, points: &[T]) -> Result<(), Halt> {
        self.check()?;
        let network = &self.problem.network;
        let lanes = self.lanes();
        self.inputs.clear();
        self.inputs.extend_from_slice(points);
        self.ties.project(&mut self.inputs, &self.lower, &self.upper);
        network.forward(&mut self.workspace, &self.inputs);
        network.outputs_into(&self.workspace, &mut self.outputs);
        self.tally.count_evaluations(network, lanes);
        self.measure();
        self.gather();
        self.remember_best();
        self.consider()
    }

    /// Ends the search on all threads: it is proved that there is no counterexample.
    pub fn end_all(&self) {
        self.shared.over.raise();
    }

    /// Whether the judge holds a thin witness.
    pub fn has_thin(&self) -> bool {
        self.shared.has_witness()
    }

    /// Whether a point of this oracle was confirmed.
    pub fn has_found(&self) -> bool {
        self.has_found
    }

    /// For each lane of the last block, the largest margin of the region's ways.
    pub fn margins(&self) -> &[T] {
        &self.margins
    }

    /// The conjunction that attains it, or comes nearest to it.
    pub fn nearest(&self) -> &[u32] {
        &self.nearest
    }

    /// Margins of one conjunction for the last block.
    pub fn margins_of(&self, conjunction: usize) -> &[T] {
        let lanes = self.lanes();
        &self.by_conjunction[conjunction * lanes..][..lanes]
    }

    /// Outputs of the last block: `output_len × lanes` numbers.
    pub fn outputs(&self) -> &[T] {
        &self.outputs
    }

    /// Inputs and outputs of the last block.
    pub fn block(&self) -> Block<'_, T> {
        Block { inputs: &self.inputs, outputs: &self.outputs, lanes: self.workspace.lanes() }
    }

    /// The workspace of the last block.
    pub fn workspace(&self) -> &Workspace<T> {
        &self.workspace
    }

    /// The flat input of a lane of the last block.
    pub fn point(&self, lane: usize) -> Vec<T> {
        self.inputs.iter().skip(lane).step_by(self.lanes()).copied().collect()
    }

    /// The gradient of an objective at the last block's points: `dimensions × lanes` numbers.
    pub fn gradient(&mut self, objective: Objective<'_, T>, surrogate: Surrogate<'_, T>) -> &[T] {
        let lanes = self.lanes();
        self.own_gradient.clear();
        self.own_gradient.resize(self.inputs.len(), T::zero());
        self.cotangent.clear();
        self.cotangent.resize(self.outputs.len(), T::zero());
        for lane in 0..lanes {
            match objective {
                Objective::Nearest => self.add_nearest_row(lane),
                Objective::Target(targets) => self.add_worst_row(targets[lane] as usize, lane),
                Objective::Scaled(targets) => self.add_scaled_row(targets[lane] as usize, lane),
                Objective::Rows(targets, losses) => {
                    self.add_weighted_rows(targets[lane] as usize, losses[lane], lane);
                }
                Objective::Direction(_) => {}
            }
        }
        if let Objective::Direction(weights) = objective {
            self.cotangent.copy_from_slice(weights);
        }
        let network = &self.problem.network;
        network.backward(&mut self.workspace, &self.cotangent, surrogate, &mut self.gradient);
        for (g, &own) in self.gradient.iter_mut().zip(&self.own_gradient) {
            *g += own;
        }
        self.tally.count_gradients(network, lanes);
        &self.gradient
    }

    /// What [`Oracle::gradient`] returned last, for whoever needs the oracle's box beside it.
    pub fn last_gradient(&self) -> &[T] {
        &self.gradient
    }

    fn add_worst_row(&mut self, conjunction: usize, lane: usize) {
        let row = self.worst_rows[conjunction * self.workspace.lanes() + lane] as usize;
        self.add_row(conjunction, row, lane);
    }

    fn add_nearest_row(&mut self, lane: usize) {
        match self.region.condition.clone() {
            None => self.add_worst_row(self.nearest[lane] as usize, lane),
            Some(condition) => {
                if let Some(row) = condition.rows.get(self.deciding[lane] as usize) {
                    self.add_gradient_of(row, lane);
                }
            }
        }
    }

    fn add_scaled_row(&mut self, conjunction: usize, lane: usize) {
        self.add_worst_row(conjunction, lane);
        let (lanes, margin) = (self.lanes(), self.margins_of(conjunction)[lane]);
        spread::add_gradient(&self.outputs, lanes, lane, margin, &mut self.cotangent);
    }

    fn add_weighted_rows(&mut self, conjunction: usize, loss: RowLoss, lane: usize) {
        let block = Block { inputs: &self.inputs, outputs: &self.outputs, lanes: self.workspace.lanes() };
        let rows = &self.region.conjunctions[conjunction].rows;
        let mut weights: Vec<f64> = rows.iter().map(|row| lane_margin(row, block, lane)).collect();
        loss.weigh(&mut weights, |row, margin| margin < 0.0 || (margin == 0.0 && !rows[row].admits_zero()));
        let mut gradient = MarginGradient { inputs: &mut self.own_gradient, outputs: &mut self.cotangent };
        for (row, weight) in rows.iter().zip(weights).filter(|(_, weight)| *weight > 0.0) {
            add_row_gradient(row, T::of(weight), block, lane, &mut gradient);
        }
    }

    fn add_row(&mut self, conjunction: usize, row: usize, lane: usize) {
        let Some(row) = self.region.conjunctions[conjunction].rows.get(row).cloned() else { return };
        self.add_gradient_of(&row, lane);
    }

    fn add_gradient_of(&mut self, row: &Row, lane: usize) {
        let block = Block { inputs: &self.inputs, outputs: &self.outputs, lanes: self.workspace.lanes() };
        let mut gradient = MarginGradient { inputs: &mut self.own_gradient, outputs: &mut self.cotangent };
        add_row_gradient(row, T::one(), block, lane, &mut gradient);
    }

    fn measure(&mut self) {
        let lanes = self.lanes();
        let block = Block { inputs: &self.inputs, outputs: &self.outputs, lanes };
        self.margins.fill(T::neg_infinity());
        for (number, conjunction) in self.region.conjunctions.iter().enumerate() {
            let margins = &mut self.by_conjunction[number * lanes..][..lanes];
            let worst = &mut self.worst_rows[number * lanes..][..lanes];
            conjunction_margins(conjunction, block, margins, worst, &mut self.scratch);
            for lane in 0..lanes {
                if margins[lane] > self.margins[lane] {
                    self.margins[lane] = margins[lane];
                    self.nearest[lane] = number as u32;
                }
            }
        }
        if let Some(condition) = &self.region.condition {
            condition.margins(block, &mut self.margins, &mut self.deciding, &mut self.levels);
        }
    }

    /// Notes the best way at the best point of the block, while there are few, or if no point was better before.
    fn gather(&mut self) {
        let Some(condition) = &self.region.condition else { return };
        let lane = self.best_lane();
        let is_record = self.best.as_ref().is_none_or(|best| self.margins[lane] > best.margin);
        let (known, waiting) = (&self.region.conjunctions, &self.promising);
        let count = known.len() + waiting.len();
        if count >= if is_record { MOST_WAYS } else { FIRST_WAYS } {
            return;
        }
        let block = self.block();
        let way = condition.best_way(block, lane);
        if !known.contains(&way) && !waiting.contains(&way) {
            self.promising.push(way);
        }
    }

    /// The lane of the last block with the largest margin.
    pub fn best_lane(&self) -> usize {
        let better = |a: usize, b: usize| if self.margins[b] > self.margins[a] { b } else { a };
        (0..self.lanes()).reduce(better).unwrap_or(0)
    }

    /// The rounding of what the row that decides a lane adds up, if it is rounded once.
    pub fn rounding(&self, lane: usize) -> f64 {
        let lanes = self.lanes();
        let nearest = self.nearest[lane] as usize;
        let row = match &self.region.condition {
            Some(condition) => condition.rows.get(self.deciding[lane] as usize),
            None => {
                self.region.conjunctions[nearest].rows.get(self.worst_rows[nearest * lanes + lane] as usize)
            }
        };
        let Some(row) = row else { return 0.0 };
        let size = |terms: &[(usize, f64)], values: &[T]| {
            terms.iter().map(|&(i, c)| (c * values[i * lanes + lane].widen()).abs()).sum::<f64>()
        };
        let sum = row.bound.abs() + size(&row.inputs, &self.inputs) + size(&row.outputs, &self.outputs);
        sum * T::epsilon().widen()
    }

    fn remember_best(&mut self) {
        let lane = self.best_lane();
        let margin = self.margins[lane];
        if self.best.as_ref().is_none_or(|best| margin > best.margin) {
            self.best = Some(Best { margin, input: self.point(lane) });
        }
    }

    /// Shows a lane to the judge if it seems to violate the property: the best one if its margin is new, or, now and
    /// then, one that was not shown before ([`Asking`]).
    fn consider(&mut self) -> Result<(), Halt> {
        self.asking.next_block();
        if self.shared.gathers() {
            return self.consider_others();
        }
        let lane = self.best_lane();
        let margin = self.margins[lane];
        if margin < T::zero() || margin.is_nan() {
            return Ok(());
        }
        if self.asking.rises(margin) {
            return self.ask(lane);
        }
        if self.asking.is_due() {
            let seems = |&lane: &usize| self.margins[lane] >= T::zero();
            let unseen =
                (0..self.lanes()).filter(seems).find(|&lane| !self.asking.has_seen(&self.point(lane)));
            if let Some(lane) = unseen {
                self.asking.count();
                return self.ask(lane);
            }
        }
        Ok(())
    }

    /// Once the judge keeps one of several witnesses: a small margin is as welcome as a large one, so each lane that seems to violate
    /// the property may be another. Few of a block, at growing intervals: what is not replayed costs an evaluation.
    fn consider_others(&mut self) -> Result<(), Halt> {
        let seems = |margin: T| margin >= T::zero();
        if !self.asking.is_due() || !self.margins.iter().any(|&margin| seems(margin)) {
            return Ok(());
        }
        self.asking.count();
        let mut asked = 0;
        for lane in 0..self.lanes() {
            if seems(self.margins[lane]) && !self.asking.has_seen(&self.point(lane)) {
                self.ask(lane)?;
                asked += 1;
            }
            if asked == MOST_OF_A_BLOCK {
                break;
            }
        }
        Ok(())
    }

    /// Shows lanes of the last block to the judge whose margins are no worse than `least`, best first and not more than
    /// `most`: the fast engine's rounding may hide what the judge sees.
    ///
    /// # Errors
    /// [`Halt`] when one is confirmed or the budget is used up.
    pub fn ask_near(&mut self, least: T, most: usize) -> Result<(), Halt> {
        let near = |&lane: &usize| self.margins[lane] >= least;
        let mut lanes: Vec<usize> = (0..self.lanes()).filter(near).collect();
        if lanes.is_empty() {
            return Ok(());
        }
        lanes.sort_by(|&a, &b| self.margins[b].widen().total_cmp(&self.margins[a].widen()));
        let exact = self.exact_outputs();
        let mut asked = 0;
        for lane in lanes {
            let holds = exact.as_ref().is_none_or(|outputs| self.holds_when_rounded_once(outputs, lane));
            if asked < most && holds && !self.asking.has_seen(&self.point(lane)) {
                asked += 1;
                self.check()?;
                self.ask(lane)?;
            }
        }
        Ok(())
    }

    /// Shows the judge those lanes that violate the property and whose outputs that inputs follow from lie near one number of the
    /// outputs' type each, within so many units of the last place: then other orders of the sums likely end there, too. Returns
    /// how many.
    ///
    /// # Errors
    /// As [`Oracle::ask_near`].
    pub fn ask_centred(&mut self, within: f64) -> Result<usize, Halt> {
        let lanes = self.lanes();
        let exact = self.exact_outputs();
        let layout = self.problem.property.layout();
        let read: Vec<usize> = layout.followed_outputs().collect();
        let mut asked = 0;
        for lane in (0..lanes).filter(|&lane| exact.is_some() || lane < MOST_OF_A_BLOCK) {
            let is_centred = |outputs: &Vec<f64>| {
                read.iter().all(|&at| off_centre::<T>(outputs[at * lanes + lane]) <= within)
                    && self.holds_when_rounded_once(outputs, lane)
            };
            let seems = self.margins[lane] >= T::zero() && exact.as_ref().is_none_or(is_centred);
            if seems && !self.asking.has_seen(&self.point(lane)) {
                asked += 1;
                self.check()?;
                self.ask(lane)?;
            }
        }
        Ok(asked)
    }

    /// The last block's outputs in double precision. `None` of large networks, and of those that compute in a shorter type.
    fn exact_outputs(&mut self) -> Option<Vec<f64>> {
        let lanes = self.lanes();
        let layout = self.problem.property.layout();
        let is_short = (0..layout.inputs())
            .any(|input| !matches!(layout.element(input), ElementType::Float32 | ElementType::Float64));
        if is_short || self.problem.network.multiplications() > LARGE {
            return None;
        }
        let network = self.problem.double();
        let workspace = self.double.get_or_insert_with(|| network.workspace(lanes));
        let inputs: Vec<f64> = self.inputs.iter().map(|x| x.widen()).collect();
        let mut outputs = Vec::new();
        network.forward(workspace, &inputs);
        network.outputs_into(workspace, &mut outputs);
        self.tally.count_evaluations(&self.problem.network, lanes);
        Some(outputs)
    }

    /// Whether a lane violates the property with outputs that are rounded only at their end: the replay wants that, and costs much
    /// more to ask.
    fn holds_when_rounded_once(&self, exact: &[f64], lane: usize) -> bool {
        let lanes = self.lanes();
        let rounded: Vec<f64> = exact.iter().skip(lane).step_by(lanes).map(|&y| T::of(y).widen()).collect();
        let input: Vec<f64> = self.point(lane).iter().map(|x| x.widen()).collect();
        self.region.margin(&input, &rounded) >= 0.0
    }

    fn ask(&mut self, lane: usize) -> Result<(), Halt> {
        let margin = self.margins[lane];
        let candidate = Candidate { input: self.point(lane), literals: self.region.literals.clone() };
        let judgement = self.judge.judge(&candidate);
        if judgement != Judgement::Known {
            self.tally.count_replay(&self.problem.network);
        }
        match judgement {
            Judgement::Confirmed => {
                self.shared.over.raise();
                self.has_found = true;
                return Err(Halt::Over);
            }
            Judgement::Late => return Err(Halt::Over),
            Judgement::Held => {
                self.shared.note_held();
                let work = self.tally.work;
                let (_, asked): &mut (u64, u32) = self.held.get_or_insert((work + work / PATIENCE, 0));
                *asked += 1;
                self.asking.hold(&candidate.input, margin);
                return self.check();
            }
            Judgement::Kept | Judgement::Known => {
                self.shared.note_gathered();
                self.asking.see(&candidate.input);
                return self.check();
            }
            Judgement::Thin => self.shared.note_thin(),
            Judgement::Rejected => self.shared.note_rejected(),
        }
        self.asking.note(&candidate.input, margin);
        Ok(())
    }
}
