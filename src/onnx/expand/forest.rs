//! A forest of decision trees written out as matrices: which conditions hold, for each leaf how many of those on its path do, and
//! the sum of the weights of the leaves all of whose conditions hold. Every point reaches one leaf of each tree.

use super::scores::along_last;
use super::writer::Writer;
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

/// Largest matrix of conditions and leaves.
const MOST_ENTRIES: usize = 1 << 26;

/// How a condition compares a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SplitMode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    /// Whether it is one of a set.
    Member,
}

impl SplitMode {
    pub(super) const ALL: [Self; 7] = [
        Self::LessOrEqual,
        Self::Less,
        Self::GreaterOrEqual,
        Self::Greater,
        Self::Equal,
        Self::NotEqual,
        Self::Member,
    ];

    /// The operator that compares, and whether its answer is turned around.
    fn operator(self) -> (&'static str, bool) {
        match self {
            Self::LessOrEqual => ("Greater", true),
            Self::Less => ("Less", false),
            Self::GreaterOrEqual => ("Less", true),
            Self::Greater => ("Greater", false),
            Self::Equal | Self::Member => ("Equal", false),
            Self::NotEqual => ("Equal", true),
        }
    }
}

/// A node that decides.
pub(super) struct TreeSplit {
    pub(super) feature: i64,
    pub(super) mode: SplitMode,
    pub(super) threshold: f64,
    /// Of [`Mode::Member`].
    pub(super) members: Vec<f64>,
    pub(super) yes: Child,
    pub(super) no: Child,
}

/// What stands below.
#[derive(Clone, Copy)]
pub(super) enum Child {
    Split(usize),
    Leaf(usize),
}

/// How the trees' weights become one number a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Average,
    Sum,
    Least,
    Largest,
}

impl Aggregate {
    pub(super) const ALL: [Self; 4] = [Self::Average, Self::Sum, Self::Least, Self::Largest];
}

/// A forest as plain data.
pub(super) struct Forest {
    pub(super) splits: Vec<TreeSplit>,
    pub(super) roots: Vec<Child>,
    /// For each leaf its targets and their weights.
    pub(super) leaves: Vec<Vec<(usize, f64)>>,
    pub(super) targets: usize,
    /// Float32, or Float64 where thresholds are compared in double precision.
    pub(super) element: ElementType,
}

/// A leaf where it is reached.
struct Reached {
    tree: usize,
    leaf: usize,
    /// Splits on the way and what they must be.
    path: Vec<(usize, bool)>,
}

impl Forest {
    /// Numbers `[points, targets]`, without base values.
    pub(super) fn scores(&self, w: &mut Writer<'_>, aggregate: Aggregate) -> Result<String, ModelError> {
        let leaves = self.reached(w)?;
        // A member of a set is a comparison of its own.
        let compared: usize = self.splits.iter().map(|split| split.members.len().max(1)).sum();
        let (n, m, trees) = (compared, leaves.len(), self.roots.len());
        let columns = if matches!(aggregate, Aggregate::Sum | Aggregate::Average) { 1 } else { trees };
        let fits = |rows: usize, columns: usize| rows.checked_mul(columns).is_some_and(|n| n <= MOST_ENTRIES);
        if m == 0 || !fits(n, m) || !fits(m, self.targets.saturating_mul(columns)) {
            return Err(w.error(format!("{n} conditions and {m} leaves are none or too many")));
        }
        let reached = self.leaves_reached(w, &leaves)?;
        match aggregate {
            Aggregate::Sum => Ok(self.sums(w, &reached, &leaves, 1.0)),
            Aggregate::Average => Ok(self.sums(w, &reached, &leaves, 1.0 / trees as f64)),
            Aggregate::Least => Ok(self.extremes(w, &reached, &leaves, "ReduceMin")),
            Aggregate::Largest => Ok(self.extremes(w, &reached, &leaves, "ReduceMax")),
        }
    }

    /// Whether every point reaches a leaf with a weight for a target: all leaves of some tree have one.
    pub(super) fn always_weighs(&self, target: usize) -> bool {
        let has = |leaf: usize| self.leaves[leaf].iter().any(|(own, _)| *own == target);
        self.roots.iter().any(|&root| {
            let mut open = vec![root];
            let mut steps = 0;
            while let Some(child) = open.pop() {
                steps += 1;
                match child {
                    Child::Leaf(leaf) if !has(leaf) => return false,
                    Child::Leaf(_) => {}
                    // Paths through a node with two parents are refused elsewhere.
                    Child::Split(_) if steps > 2 * self.splits.len() + 1 => return false,
                    Child::Split(at) => open.extend([self.splits[at].yes, self.splits[at].no]),
                }
            }
            true
        })
    }

    fn numbers(&self, w: &mut Writer<'_>, shape: Vec<usize>, values: &[f64]) -> String {
        w.constant(Tensor::rounded(self.element, shape, values))
    }

    /// All leaves with their paths.
    fn reached(&self, w: &Writer<'_>) -> Result<Vec<Reached>, ModelError> {
        let mut seen = vec![false; self.splits.len()];
        let mut found = Vec::new();
        let roots = self.roots.iter().enumerate();
        let mut open: Vec<Reached> = Vec::new();
        let mut places: Vec<Child> = Vec::new();
        for (tree, &root) in roots.rev() {
            open.push(Reached { tree, leaf: 0, path: Vec::new() });
            places.push(root);
        }
        while let (Some(way), Some(place)) = (open.pop(), places.pop()) {
            let at = match place {
                Child::Leaf(leaf) => {
                    found.push(Reached { leaf, ..way });
                    continue;
                }
                Child::Split(at) => at,
            };
            // A node with two parents would be visited twice, or for ever.
            if std::mem::replace(&mut seen[at], true) {
                return Err(w.error(format!("its node {at} has two parents")));
            }
            for (child, truth) in [(self.splits[at].no, false), (self.splits[at].yes, true)] {
                let path = way.path.iter().copied().chain([(at, truth)]).collect();
                open.push(Reached { tree: way.tree, leaf: 0, path });
                places.push(child);
            }
        }
        Ok(found)
    }

    /// `[points, leaves]`: 1 where a leaf is reached.
    fn leaves_reached(&self, w: &mut Writer<'_>, leaves: &[Reached]) -> Result<String, ModelError> {
        let (n, m) = (self.splits.len(), leaves.len());
        let x = w.input(0)?;
        let x = w.cast(&x, self.element);
        if n == 0 {
            // Trees of one leaf each.
            let first = w.slice(&x, 1, (0, 1), 1);
            let nothing = self.numbers(w, vec![], &[0.0]);
            let nothing = w.op("Mul", &[&first, &nothing]);
            let ones = self.numbers(w, vec![1, m], &vec![1.0; m]);
            return Ok(w.op("Add", &[&nothing, &ones]));
        }
        let (truths, order) = self.conditions_hold(w, &x);
        let mut places = vec![0; n];
        order.iter().enumerate().for_each(|(place, &split)| places[split] = place);
        // +1 for what must hold and −1 for what must not, less the number of the former: 0 where the leaf is reached, else less.
        let (mut matrix, mut missing) = (vec![0.0; n * m], vec![0.0; m]);
        for (leaf, reached) in leaves.iter().enumerate() {
            for &(split, truth) in &reached.path {
                matrix[places[split] * m + leaf] = if truth { 1.0 } else { -1.0 };
                missing[leaf] -= f64::from(u8::from(truth));
            }
        }
        let (matrix, missing) = (self.numbers(w, vec![n, m], &matrix), self.numbers(w, vec![m], &missing));
        let counts = w.op("MatMul", &[&truths, &matrix]);
        let short = w.op("Add", &[&counts, &missing]);
        let half = self.numbers(w, vec![], &[-0.5]);
        let all = w.op("Greater", &[&short, &half]);
        Ok(w.cast(&all, self.element))
    }

    /// Truths `[points, splits]` as numbers, and the split that each column is of: those of one kind stand together.
    fn conditions_hold(&self, w: &mut Writer<'_>, x: &str) -> (String, Vec<usize>) {
        let (mut parts, mut order) = (Vec::new(), Vec::new());
        for mode in SplitMode::ALL {
            let own: Vec<usize> = (0..self.splits.len()).filter(|&at| self.splits[at].mode == mode).collect();
            if own.is_empty() {
                continue;
            }
            let compared = |&at: &usize| -> Vec<(i64, f64)> {
                let split = &self.splits[at];
                let alone = [split.threshold];
                let against = if mode == SplitMode::Member { split.members.as_slice() } else { &alone };
                against.iter().map(|&value| (split.feature, value)).collect()
            };
            let all: Vec<(i64, f64)> = own.iter().flat_map(compared).collect();
            let features: Vec<i64> = all.iter().map(|(feature, _)| *feature).collect();
            let values: Vec<f64> = all.iter().map(|(_, value)| *value).collect();
            let features = w.ints(&features);
            let values = self.numbers(w, vec![values.len()], &values);
            let chosen = w.with("Gather", &[x, &features], &[("axis", Attribute::Int(1))]);
            let (operator, turned) = mode.operator();
            let mut truths = w.op(operator, &[&chosen, &values]);
            if turned {
                truths = w.op("Not", &[&truths]);
            }
            let mut truths = w.cast(&truths, self.element);
            if mode == SplitMode::Member {
                truths = self.any_member(w, &truths, &own);
            }
            parts.push(truths);
            order.extend(own);
        }
        let joined = match parts.as_slice() {
            [one] => one.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                w.with("Concat", &parts, &[("axis", Attribute::Int(1))])
            }
        };
        (joined, order)
    }

    /// One column a split from one a member.
    fn any_member(&self, w: &mut Writer<'_>, truths: &str, own: &[usize]) -> String {
        let rows: usize = own.iter().map(|&at| self.splits[at].members.len()).sum();
        let mut matrix = vec![0.0; rows * own.len()];
        let mut row = 0;
        for (column, &at) in own.iter().enumerate() {
            for _ in &self.splits[at].members {
                matrix[row * own.len() + column] = 1.0;
                row += 1;
            }
        }
        let matrix = self.numbers(w, vec![rows, own.len()], &matrix);
        let counts = w.op("MatMul", &[truths, &matrix]);
        // A member that stands twice counts twice.
        let one = self.numbers(w, vec![], &[1.0]);
        w.op("Min", &[&counts, &one])
    }

    fn sums(&self, w: &mut Writer<'_>, reached: &str, leaves: &[Reached], share: f64) -> String {
        let mut matrix = vec![0.0; leaves.len() * self.targets];
        for (row, reached) in leaves.iter().enumerate() {
            for &(target, weight) in &self.leaves[reached.leaf] {
                matrix[row * self.targets + target] += weight * share;
            }
        }
        let matrix = self.numbers(w, vec![leaves.len(), self.targets], &matrix);
        w.op("MatMul", &[reached, &matrix])
    }

    /// The least or the largest weight of all trees whose leaf has one for the target; 0 where none has.
    fn extremes(&self, w: &mut Writer<'_>, reached: &str, leaves: &[Reached], operator: &str) -> String {
        let (trees, targets) = (self.roots.len(), self.targets);
        let width = trees * targets;
        let least = operator == "ReduceMin";
        let (mut weights, mut counts) = (vec![0.0; leaves.len() * width], vec![0.0; leaves.len() * width]);
        for (row, reached) in leaves.iter().enumerate() {
            for &(target, weight) in &self.leaves[reached.leaf] {
                let at = row * width + target * trees + reached.tree;
                let better = if least { weight < weights[at] } else { weight > weights[at] };
                if counts[at] == 0.0 || better {
                    weights[at] = weight;
                }
                counts[at] = 1.0;
            }
        }
        let sizes = [-1, targets as i64, trees as i64];
        let table = |w: &mut Writer<'_>, numbers: &[f64]| {
            let matrix = self.numbers(w, vec![leaves.len(), width], numbers);
            let flat = w.op("MatMul", &[reached, &matrix]);
            w.reshape(&flat, &sizes)
        };
        let (weights, counts) = (table(w, &weights), table(w, &counts));
        let half = self.numbers(w, vec![], &[0.5]);
        let counted = w.op("Greater", &[&counts, &half]);
        let never = self.numbers(w, vec![], &[f64::from(if least { f32::MAX } else { f32::MIN })]);
        let offered = w.op("Where", &[&counted, &weights, &never]);
        let best = along_last(w, operator, &offered);
        let number = along_last(w, "ReduceMax", &counts);
        let some = w.op("Greater", &[&number, &half]);
        let zero = self.numbers(w, vec![], &[0.0]);
        let y = w.op("Where", &[&some, &best, &zero]);
        w.reshape(&y, &[-1, targets as i64])
    }
}
