//! A piecewise-linear network on a line through its inputs, exactly: every place where it bends.
//!
//! Between two neighbouring bends the network is affine, so the best margin of a row on the line lies at a bend, and that
//! of several rows at a bend or where two rows are equal. No sample and no gradient has to hit a piece: one that is 1e-8 of
//! the line wide is found like any other. (Sotoudeh and Thakur, "Computing Linear Restrictions of Neural Networks",
//! NeurIPS 2019, ExactLine.)
//!
//! The bends are found node by node. Where all nodes in front bend only at known points, the sums that go into a node are
//! affine between these, and two neighbouring sums on different sides of a kink tell where it is crossed. Deviation: the
//! paper carries the values of the points in between along by interpolation; here each new point is evaluated by the
//! network itself, in its own precision, so that rounding does not add up over the layers, and every point is a candidate.

use crate::network::frozen::{is_bend, kinks};
use crate::network::maxima::{self, Groups, ValueAt};
use crate::network::op::{Binary, BinaryFunction, Op, Unary};
use crate::network::{Network, Node, NodeId, Real};
use crate::property::RowKind;
use crate::property::margin::{Block, row_margins};
use crate::search::kernel::envelope::handovers;
use crate::search::{Halt, Oracle};

/// Numbers that the points of a stretch may hold together: 32 MB in single precision. A line with more bends is swept in
/// several stretches.
const MOST_NUMBERS: usize = 8 << 20;
/// Points of a stretch at least, however large the network is.
const LEAST_POINTS: usize = 64;

/// A line: `from + at · direction`.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchLine {
    /// The flat input where `at` is zero.
    pub from: Vec<f64>,
    /// The inputs that move, and by how much for each unit of `at`.
    pub direction: Vec<(usize, f64)>,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The line.
    pub line: SearchLine,
    /// Where it begins, in the line's units.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

/// Finds all bends of a network on a line. The memory is kept from stretch to stretch.
#[derive(Debug)]
pub struct BendSweep<T> {
    bends: Vec<BendingNode>,
    /// Sums that go into all bends, at one point.
    width: usize,
    most_numbers: usize,
    least_points: usize,
    /// Where the points are; this and the next two in the order of evaluation.
    at: Vec<f64>,
    /// `points × width`
    sums: Vec<T>,
    /// Margins of the rows of all conjunctions: `points × rows`.
    rows: Vec<T>,
    /// The points along the line.
    order: Vec<usize>,
    /// Where to evaluate next.
    fresh: Vec<f64>,
    points: Vec<T>,
    scratch: Vec<T>,
    best: Option<(T, Vec<T>)>,
}

/// A node that bends the network.
#[derive(Debug)]
struct BendingNode {
    crossing: Crossing,
    kinks: Vec<f64>,
    /// Its place among the sums of a point.
    sums: std::ops::Range<usize>,
}

/// The numbers that cross the kinks of a node.
#[derive(Debug)]
enum Crossing {
    /// All of a node's.
    Sums(NodeId),
    /// Differences of numbers of which a maximum takes one.
    Rivals(Vec<[ValueAt; 2]>),
    /// All numbers of a node, of which the largest of each group is taken; times the sign.
    Largest { operand: NodeId, groups: Groups, sign: f64 },
}

impl BendingNode {
    /// The node's; `None` where it is affine, nothing at all where it is neither that nor piecewise linear.
    fn of<T: Real>(network: &Network<T>, node: &Node<T>, first: usize) -> Option<Option<Self>> {
        let bend = |crossing, kinks, count| Some(BendingNode { crossing, kinks, sums: first..first + count });
        if let Some(rivals) = maxima::rivals(network, node) {
            let count = rivals.len();
            return Some(bend(Crossing::Rivals(rivals), vec![0.0], count));
        }
        if let Some(groups) = maxima::large_groups(network, node) {
            let operand = node.inputs[0];
            let sign = if maxima::is_minimum(&node.op) { -1.0 } else { 1.0 };
            let crossing = Crossing::Largest { operand, groups, sign };
            return Some(bend(crossing, Vec::new(), network.node(operand).len()));
        }
        match &node.op {
            Op::Binary(Binary(BinaryFunction::PRelu)) if !network.node(node.inputs[1]).varies => {
                let operand = node.inputs[0];
                Some(bend(Crossing::Sums(operand), vec![0.0], network.node(operand).len()))
            }
            Op::Unary(Unary(function)) if is_bend(network, node)? => {
                Some(bend(Crossing::Sums(node.inputs[0]), kinks(*function).collect(), node.len()))
            }
            _ => is_bend(network, node).map(|_| None),
        }
    }
}

impl Stretch {
    /// All values of one input, the others kept.
    pub fn of_input(point: &[f64], input: usize, lower: f64, upper: f64) -> Self {
        let mut from = point.to_vec();
        from[input] = 0.0;
        Self { line: SearchLine { from, direction: vec![(input, 1.0)] }, start: lower, end: upper }
    }

    /// The part of a line that lies in a box around `line.from`.
    pub fn within(line: SearchLine, lower: &[f64], upper: &[f64]) -> Self {
        let (mut start, mut end) = (f64::NEG_INFINITY, f64::INFINITY);
        for &(i, slope) in line.direction.iter().filter(|(_, slope)| *slope != 0.0) {
            let ends = [lower[i], upper[i]].map(|x| (x - line.from[i]) / slope);
            start = start.max(ends[0].min(ends[1]));
            end = end.min(ends[0].max(ends[1]));
        }
        Self { line, start: start.min(0.0), end: end.max(0.0) }
    }

    /// Whether there is anything between its ends.
    pub fn is_empty(&self) -> bool {
        !(self.start < self.end && (self.end - self.start).is_finite())
    }
}

impl<T: Real> BendSweep<T> {
    /// Sweeps of a network; `None` where it is not built of affine operators, piecewise-linear functions of one number, and maxima.
    pub fn new(network: &Network<T>) -> Option<Self> {
        let mut bends: Vec<BendingNode> = Vec::new();
        for node in network.nodes().iter().filter(|node| node.varies) {
            let width = bends.last().map_or(0, |bend| bend.sums.end);
            bends.extend(BendingNode::of(network, node, width)?);
        }
        let width = bends.last().map_or(0, |bend| bend.sums.end);
        Some(Self {
            bends,
            width,
            most_numbers: MOST_NUMBERS,
            least_points: LEAST_POINTS,
            at: Vec::new(),
            sums: Vec::new(),
            rows: Vec::new(),
            order: Vec::new(),
            fresh: Vec::new(),
            points: Vec::new(),
            scratch: Vec::new(),
            best: None,
        })
    }

    /// Nodes that bend the network: a sweep evaluates at least one block for each that bends it on the line.
    pub fn depth(&self) -> usize {
        self.bends.len()
    }

    /// The best point of the last stretch.
    pub fn best(&self) -> Option<(T, &[T])> {
        self.best.as_ref().map(|(margin, point)| (*margin, point.as_slice()))
    }

    /// Where the points of the last stretch are, in ascending order: its ends and its bends, and where rows of a
    /// conjunction are equal at its best.
    pub fn places(&self) -> impl Iterator<Item = f64> + '_ {
        self.order.iter().map(|&point| self.at[point])
    }

    /// Evaluates a stretch at all its bends. Returns what is left of it where it has too many: the next stretch.
    ///
    /// # Errors
    /// [`Halt`] when a witness was confirmed or the budget is used up.
    pub fn along(&mut self, oracle: &mut Oracle<'_, T>, stretch: &Stretch) -> Result<Option<Stretch>, Halt> {
        self.best = None;
        self.at.clear();
        self.sums.clear();
        self.rows.clear();
        self.order.clear();
        self.fresh.clear();
        self.fresh.extend([stretch.start, stretch.end]);
        self.evaluate(oracle, &stretch.line)?;
        let rows: usize = oracle.region.conjunctions.iter().map(|c| c.rows.len()).sum();
        let most = (self.most_numbers / (self.width + rows).max(1)).max(self.least_points);
        let mut end = stretch.end;
        for bend in 0..self.bends.len() {
            self.cross(bend);
            end = self.cut(most, end);
            self.evaluate(oracle, &stretch.line)?;
        }
        self.seek_peaks(oracle);
        self.evaluate(oracle, &stretch.line)?;
        let rest = || Stretch { line: stretch.line.clone(), start: end, end: stretch.end };
        Ok((end < stretch.end).then(rest))
    }

    /// Where the sums of a node cross a kink between two known points.
    fn cross(&mut self, bend: usize) {
        let bend = &self.bends[bend];
        for pair in self.order.windows(2) {
            let (start, end) = (self.at[pair[0]], self.at[pair[1]]);
            let sums = |point: usize| &self.sums[point * self.width..][bend.sums.clone()];
            for (a, b) in sums(pair[0]).iter().zip(sums(pair[1])) {
                let (a, b) = (a.widen(), b.widen());
                for &kink in &bend.kinks {
                    if (a < kink && kink < b) || (b < kink && kink < a) {
                        let at = start + (end - start) * ((kink - a) / (b - a));
                        self.fresh.extend(between(start, T::of(at).widen(), end));
                    }
                }
            }
            if let Crossing::Largest { groups, sign, .. } = &bend.crossing {
                let (a, b) = (sums(pair[0]), sums(pair[1]));
                for group in groups {
                    let ends =
                        group.iter().map(|&i| (sign * a[i as usize].widen(), sign * b[i as usize].widen()));
                    handovers(ends, |part| {
                        let at = T::of(start + part * (end - start)).widen();
                        self.fresh.extend(between(start, at, end));
                    });
                }
            }
        }
        self.fresh.sort_by(f64::total_cmp);
        self.fresh.dedup();
    }

    /// Keeps the first points and crossings, not more than `most`, and returns where they end.
    fn cut(&mut self, most: usize, end: f64) -> f64 {
        if self.order.len() + self.fresh.len() <= most {
            return end;
        }
        let mut all: Vec<f64> = self.places().chain(self.fresh.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        let end = all[most - 1];
        self.fresh.retain(|&at| at <= end);
        self.order.retain(|&point| self.at[point] <= end);
        self.forget();
        end
    }

    /// Keeps only the points that are in order.
    fn forget(&mut self) {
        let rows = self.rows.len() / self.at.len().max(1);
        let part = |numbers: &[T], len: usize| -> Vec<T> {
            self.order.iter().flat_map(|&point| &numbers[point * len..(point + 1) * len]).copied().collect()
        };
        (self.sums, self.rows) = (part(&self.sums, self.width), part(&self.rows, rows));
        self.at = self.order.iter().map(|&point| self.at[point]).collect();
        self.order = (0..self.at.len()).collect();
    }

    /// Where the rows of a conjunction are best together between two neighbouring points: as many of the most promising
    /// places as a block holds.
    fn seek_peaks(&mut self, oracle: &Oracle<'_, T>) {
        let bar = self.best.as_ref().map_or(f64::NEG_INFINITY, |best| best.0.widen());
        let mut peaks: Vec<(f64, f64)> = Vec::new();
        let mut first = 0;
        let count = self.rows.len() / self.at.len().max(1);
        for conjunction in &oracle.region.conjunctions {
            let linear: Vec<usize> = (0..conjunction.rows.len())
                .filter(|&row| conjunction.rows[row].kind != RowKind::Differs)
                .map(|row| first + row)
                .collect();
            first += conjunction.rows.len();
            for pair in self.order.windows(2) {
                let (start, end) = (self.at[pair[0]], self.at[pair[1]]);
                let of = |point: usize, row: usize| self.rows[point * count + row].widen();
                let ends = linear.iter().map(|&row| (of(pair[0], row), of(pair[1], row)));
                if let Some((part, margin)) = peak(ends).filter(|&(_, margin)| margin > bar) {
                    let at = between(start, T::of(start + part * (end - start)).widen(), end);
                    peaks.extend(at.map(|at| (margin, at)));
                }
            }
        }
        peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
        peaks.truncate(oracle.lanes());
        self.fresh.extend(peaks.into_iter().map(|(_, at)| at));
    }

    /// Evaluates the places in `fresh`, and empties it.
    fn evaluate(&mut self, oracle: &mut Oracle<'_, T>, line: &SearchLine) -> Result<(), Halt> {
        let lanes = oracle.lanes();
        let fresh = std::mem::take(&mut self.fresh);
        for places in fresh.chunks(lanes) {
            self.place(oracle, line, places);
            oracle.evaluate(&self.points)?;
            self.keep(oracle, places);
        }
        self.fresh = fresh;
        self.fresh.clear();
        self.order.sort_by(|&a, &b| self.at[a].total_cmp(&self.at[b]));
        Ok(())
    }

    /// Makes a block of places on the line, the last one repeated.
    fn place(&mut self, oracle: &Oracle<'_, T>, line: &SearchLine, places: &[f64]) {
        let lanes = oracle.lanes();
        self.points.clear();
        for (i, &x) in line.from.iter().enumerate() {
            let x = T::of(x).max(oracle.lower[i]).min(oracle.upper[i]);
            self.points.extend(std::iter::repeat_n(x, lanes));
        }
        for &(i, slope) in &line.direction {
            for lane in 0..lanes {
                let x = T::of(line.from[i] + slope * places[lane.min(places.len() - 1)]);
                self.points[i * lanes + lane] = x.max(oracle.lower[i]).min(oracle.upper[i]);
            }
        }
    }

    /// Keeps what the last block says of its places.
    fn keep(&mut self, oracle: &Oracle<'_, T>, places: &[f64]) {
        let (lanes, network) = (oracle.lanes(), &oracle.problem.network);
        let first = self.at.len();
        self.at.extend_from_slice(places);
        self.order.extend(first..self.at.len());
        self.sums.resize(self.at.len() * self.width, T::zero());
        for bend in &self.bends {
            let of = |id: NodeId| oracle.workspace().value(network, id);
            let places = first..self.at.len();
            match &bend.crossing {
                Crossing::Sums(operand) | Crossing::Largest { operand, .. } => {
                    for (n, values) in bend.sums.clone().zip(of(*operand).chunks_exact(lanes)) {
                        for (point, &value) in places.clone().zip(values) {
                            self.sums[point * self.width + n] = value;
                        }
                    }
                }
                Crossing::Rivals(pairs) => {
                    for (n, &[(a, i), (b, j)]) in bend.sums.clone().zip(pairs) {
                        let row = |id, at: u32| &of(id)[at as usize * lanes..];
                        for (point, (&a, &b)) in places.clone().zip(row(a, i).iter().zip(row(b, j))) {
                            self.sums[point * self.width + n] = a - b;
                        }
                    }
                }
            }
        }
        let block = Block { inputs: &self.points, outputs: oracle.outputs(), lanes };
        let rows = || oracle.region.conjunctions.iter().flat_map(|c| &c.rows);
        let count = rows().count();
        self.rows.resize(self.at.len() * count, T::zero());
        self.scratch.resize(lanes, T::zero());
        for (r, row) in rows().enumerate() {
            row_margins(row, block, &mut self.scratch);
            for (point, &margin) in (first..self.at.len()).zip(&self.scratch) {
                self.rows[point * count + r] = margin;
            }
        }
        for (lane, &margin) in oracle.margins().iter().enumerate().take(places.len()) {
            if self.best.as_ref().is_none_or(|best| margin > best.0) {
                self.best = Some((margin, oracle.point(lane)));
            }
        }
    }
}

/// A number if it lies strictly between two others.
fn between(start: f64, at: f64, end: f64) -> Option<f64> {
    (start < at && at < end).then_some(at)
}

/// Where the least of several affine functions is largest between 0 and 1, and its value there, if that is inside. The
/// functions are given by their values at 0 and at 1.
fn peak(ends: impl Iterator<Item = (f64, f64)> + Clone) -> Option<(f64, f64)> {
    let at = |(a, b): (f64, f64), part: f64| a + part * (b - a);
    let least = |part: f64| ends.clone().min_by(|&f, &g| at(f, part).total_cmp(&at(g, part)));
    // The least function on each side of the peak: one that rises and one that falls. Their crossing is the peak, or a
    // third function lies below it there and takes the place of one of them.
    let (mut rising, mut falling) = (least(0.0)?, least(1.0)?);
    for _ in 0..ends.clone().count() {
        let slopes = [rising.1 - rising.0, falling.1 - falling.0];
        if !(slopes[0] > 0.0 && slopes[1] < 0.0) {
            return None;
        }
        let part = (falling.0 - rising.0) / (slopes[0] - slopes[1]);
        let lowest = least(part)?;
        if at(lowest, part) >= at(rising, part).min(at(falling, part)) {
            return (part > 0.0 && part < 1.0).then(|| (part, at(lowest, part)));
        }
        match lowest.1 > lowest.0 {
            true => rising = lowest,
            false => falling = lowest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::network::build::Builder;
    use crate::network::op::{Reduce, Reduction};
    use crate::onnx::ElementType::Float64;
    use crate::problem::Problem;
    use crate::random::Random;
    use crate::search::kernel::shared::Shared;
    use crate::search::tests::{Never, random_network};

    /// A random network with the largest (or smallest) of each group of numbers in its middle.
    fn with_maxima(inputs: usize, seed: u64, function: Reduction, group: usize) -> Network<f64> {
        let mut builder = Builder::default();
        let push = |builder: &mut Builder<f64>, op, x| builder.push("m", op, &[x], Float64).unwrap();
        let x = builder.input("x", Float64, vec![1, inputs]).unwrap();
        let x = builder.embed(&random_network(&[inputs, 16, 4 * group], seed).cast(), &[x]).unwrap()[0];
        let groups = push(&mut builder, Op::Reshape(vec![4, group]), x);
        let largest = Reduce { function, axis: 1 };
        let largest = push(&mut builder, Op::Reduce(largest), groups);
        let row = push(&mut builder, Op::Reshape(vec![1, 4]), largest);
        let outputs = builder.embed(&random_network(&[4, 16, 2], seed + 100).cast(), &[row]).unwrap();
        builder.finish(outputs)
    }

    /// A random network with two outputs, three of four with maxima or minima, and a property whose margin is a minimum of two rows.
    fn problem(inputs: usize, seed: u64) -> Problem<f64> {
        let network = match seed % 4 {
            0 => random_network(&[inputs, 16, 16, 16, 2], seed).cast(),
            1 => with_maxima(inputs, seed, Reduction::Max, 4),
            2 => with_maxima(inputs, seed, Reduction::Max, 9),
            _ => with_maxima(inputs, seed, Reduction::Min, 6),
        };
        let mut text: String = (0..inputs)
            .map(|i| format!("(declare-const X_{i} Real)(assert (>= X_{i} -2))(assert (<= X_{i} 2))"))
            .collect();
        text += "(declare-const Y_0 Real)(declare-const Y_1 Real)(assert (>= Y_0 50))(assert (<= Y_1 -50))";
        Problem::new(vnnlib::parse(text).unwrap(), network).unwrap()
    }

    /// Sweeps a line in stretches, each with at most so many points; all places and the best margin.
    fn sweep(problem: &Problem<f64>, stretch: &Stretch, points: usize) -> (Vec<f64>, f64) {
        let (shared, budget) = (Shared::default(), Budget::unlimited());
        let mut oracle = Oracle::new(problem, &Never, &shared, &budget);
        oracle.enter(&problem.property.region(0).unwrap(), None);
        let mut sweep = BendSweep::new(&problem.network).unwrap();
        (sweep.most_numbers, sweep.least_points) = (0, points);
        let (mut places, mut best) = (Vec::new(), f64::NEG_INFINITY);
        let mut next = Some(stretch.clone());
        while let Some(stretch) = next {
            next = sweep.along(&mut oracle, &stretch).unwrap();
            places.extend(sweep.places());
            best = best.max(sweep.best().unwrap().0);
        }
        places.dedup();
        (places, best)
    }

    #[test]
    fn between_its_places_a_network_is_affine() {
        for seed in 0..12 {
            let inputs = 1 + seed as usize % 3;
            let problem = problem(inputs, seed);
            let region = problem.property.region(0).unwrap();
            let mut random = Random::new(seed);
            let mut draw = || random.between(-1.0, 1.0);
            let from: Vec<f64> = (0..inputs).map(|_| draw()).collect();
            let direction = (0..inputs).map(|i| (i, draw())).collect();
            let line = SearchLine { from, direction };
            let point = |at: f64| {
                let mut x = line.from.clone();
                line.direction.iter().for_each(|&(i, slope)| x[i] += slope * at);
                x
            };
            let margin = |x: &[f64]| region.conjunctions[0].margin(x, &problem.network.evaluate(x));
            let stretch = Stretch::within(line.clone(), &region.lower, &region.upper);
            let (places, best) = sweep(&problem, &stretch, 1000);
            assert!(places.len() > 4, "{places:?}");
            assert_eq!((places[0], *places.last().unwrap()), (stretch.start, stretch.end));
            for pair in places.windows(2) {
                let middle = problem.network.evaluate(&point(0.5 * (pair[0] + pair[1])));
                let ends = [pair[0], pair[1]].map(|at| problem.network.evaluate(&point(at)));
                for (o, y) in middle.iter().enumerate() {
                    let mean = 0.5 * (ends[0][o] + ends[1][o]);
                    assert!((y - mean).abs() < 1e-9, "seed {seed}, {pair:?}: {y} is not {mean}");
                }
            }
            let sampled = (0..20_000)
                .map(|k| stretch.start + (stretch.end - stretch.start) * f64::from(k) / 20_000.0)
                .map(|at| margin(&point(at)))
                .fold(f64::NEG_INFINITY, f64::max);
            assert!(best >= sampled - 1e-9, "seed {seed}: {best}, sampled {sampled}");
            assert!(best <= sampled + 0.05, "seed {seed}: {best}, sampled {sampled}");
            // The same places stretch by stretch, whatever a stretch holds; where rows are equal at the best of a
            // stretch there may be more.
            let (again, best_again) = sweep(&problem, &stretch, 5);
            assert!(
                places.iter().all(|a| again.iter().any(|b| (a - b).abs() < 1e-9)),
                "{places:?} {again:?}"
            );
            assert!((best - best_again).abs() < 1e-9);
        }
    }

    #[test]
    fn the_peak_of_a_minimum_is_found() {
        let mut random = Random::new(3);
        for _ in 0..500 {
            let count = 1 + random.below(5);
            let ends: Vec<(f64, f64)> = (0..count).map(|_| (random.normal(), random.normal())).collect();
            let least =
                |part: f64| ends.iter().map(|(a, b)| a + part * (b - a)).fold(f64::INFINITY, f64::min);
            let sampled = (0..=4000).map(|k| least(f64::from(k) / 4000.0)).fold(f64::NEG_INFINITY, f64::max);
            match peak(ends.iter().copied()) {
                Some((part, value)) => {
                    assert!((value - least(part)).abs() < 1e-12);
                    assert!(value >= sampled - 1e-12 && value < sampled + 5e-3, "{ends:?}");
                }
                None => assert!(sampled <= least(0.0).max(least(1.0)) + 1e-12, "{ends:?}"),
            }
        }
    }
}
