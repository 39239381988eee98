//! What a search has spent, and what its pieces cost.

use crate::network::{Network, Real};

/// What has been spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Points evaluated.
    pub evaluations: u64,
    /// Points differentiated.
    pub gradients: u64,
    /// Linear and mixed-integer programs solved.
    pub programs: u64,
    /// Boxes bounded.
    pub boxes: u64,
    /// All of it in multiplications, roughly: what the schedule goes by, because it does not depend on the clock.
    pub work: u64,
}

impl Tally {
    /// Counts a block of evaluations.
    pub fn count_evaluations<T: Real>(&mut self, network: &Network<T>, lanes: usize) {
        self.evaluations += lanes as u64;
        self.work += (cost(network) * lanes) as u64;
    }

    /// Counts the gradients of a block: each costs twice what an evaluation does.
    pub fn count_gradients<T: Real>(&mut self, network: &Network<T>, lanes: usize) {
        self.gradients += lanes as u64;
        self.work += (2 * cost(network) * lanes) as u64;
    }

    /// Counts a replay of a candidate: two runs of a plain engine, and what is printed and read.
    pub fn count_replay<T: Real>(&mut self, network: &Network<T>) {
        self.work += (REPLAY * cost(network)) as u64;
    }

    /// Counts a program of `rows` by `columns` entries.
    pub fn count_program(&mut self, rows: usize, columns: usize) {
        self.count_programs(1, rows * columns);
    }

    /// Counts several programs with `entries` in all.
    pub fn count_programs(&mut self, programs: u64, entries: usize) {
        self.programs += programs;
        self.work += program_work(entries);
    }

    /// Counts the bounds of a box, by their multiplications.
    pub fn count_bounds(&mut self, multiplications: usize) {
        self.boxes += 1;
        self.work += PRICE_OF_BOUNDS * multiplications.max(1) as u64;
    }
}

impl std::ops::Sub for Tally {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            evaluations: self.evaluations - other.evaluations,
            gradients: self.gradients - other.gradients,
            programs: self.programs - other.programs,
            boxes: self.boxes - other.boxes,
            work: self.work - other.work,
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.evaluations += other.evaluations;
        self.gradients += other.gradients;
        self.programs += other.programs;
        self.boxes += other.boxes;
        self.work += other.work;
    }
}

/// Multiplications of a block of evaluations that take the time of one of the bounds, which are in double precision and a
/// box at a time: on ACAS Xu 13 for boxes, with the loops beside the products.
pub const PRICE_OF_BOUNDS: u64 = 13;

/// Evaluations in a block that take the time of one replay: on ACAS Xu about 200.
const REPLAY: usize = 200;

/// What an evaluation costs: a network that only moves numbers about is not for nothing, or whoever evaluates it first
/// would have all the time.
fn cost<T: Real>(network: &Network<T>) -> usize {
    network.multiplications().max(network.input_len()).max(1)
}

/// What a program with so many entries costs, in multiplications: a cold simplex run of the region programs of ACAS
/// Xu (300 × 6) takes about as long as 2,000 evaluations of 13,000 multiplications.
pub fn program_work(entries: usize) -> u64 {
    14_000 * entries as u64
}
