//! Cutting a network at its activations, and writing out what lies between.

use std::collections::HashSet;

use super::{EdgeLayer, Edges, Extent, LayerOutline, Layered, LinearisedEntry, Outline};
use crate::network::backward::Surrogate;
use crate::network::frozen;
use crate::network::op::{Binary, BinaryFunction, Conv, Op, Operands, Pass, Rearrange, Unary, UnaryFunction};
use crate::network::shape::split;
use crate::network::{Network, NodeId, Workspace};

/// Entries of all matrices together (8 bytes each) over which the view is refused.
const MOST_ENTRIES: usize = 24_000_000;
/// Unit vectors evaluated at once.
const LANES: usize = 64;
/// Sums differentiated at once.
const ROWS: usize = 16;

/// Why a network cannot be seen as edge layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum NotLayered {
    /// Some operator is neither affine nor a function of one number.
    Operator,
    /// A value skips an activation, or two activations stand side by side.
    Branches,
    /// The written-out matrices are too large.
    TooLarge,
}

impl NotLayered {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Operator => "the network has an operator that is neither affine nor an activation",
            Self::Branches => "the network is not a chain of layers",
            Self::TooLarge => "the network's layers are too large to be written out",
        }
    }
}

/// Where a network is cut: the level of a node is the number of activations and maxima in front of it.
pub(super) struct Cuts<'a> {
    network: &'a Network<f64>,
    /// `None` for constants.
    levels: Vec<Option<usize>>,
    /// What ends each level but the last, in order.
    bends: Vec<(NodeId, LevelEnd)>,
}

/// What ends a level.
#[derive(Clone, Copy, PartialEq)]
enum LevelEnd {
    Activation(UnaryFunction),
    /// A pooling by the largest number: it can only stand in the part that is linearised.
    Maximum,
}

impl<'a> Cuts<'a> {
    pub(super) fn of(network: &'a Network<f64>) -> Result<Self, NotLayered> {
        let mut cuts = Self { network, levels: Vec::new(), bends: Vec::new() };
        for (index, node) in network.nodes.iter().enumerate() {
            let level = match &node.op {
                Op::Input(_) => Some(0),
                _ if !node.varies => None,
                _ => Some(cuts.level_of(&node.inputs)?),
            };
            let bend = match &node.op {
                Op::Unary(Unary(function)) if frozen::bends(*function) => {
                    Some(LevelEnd::Activation(*function))
                }
                Op::MaxPool(_) => Some(LevelEnd::Maximum),
                _ => None,
            };
            let level = match (bend, level) {
                (Some(bend), Some(level)) => {
                    if cuts.bends.len() != level {
                        return Err(NotLayered::Branches);
                    }
                    cuts.bends.push((NodeId(index), bend));
                    Some(level + 1)
                }
                (None, Some(_)) if !is_affine(&node.op, &node.inputs, network) => {
                    return Err(NotLayered::Operator);
                }
                (_, level) => level,
            };
            cuts.levels.push(level);
        }
        let ends = network.outputs.iter().all(|id| cuts.levels[id.0] == Some(cuts.bends.len()));
        if ends && !network.outputs.is_empty() { Ok(cuts) } else { Err(NotLayered::Branches) }
    }

    /// The common level of the operands that vary.
    fn level_of(&self, inputs: &[NodeId]) -> Result<usize, NotLayered> {
        let mut levels = inputs.iter().filter_map(|id| self.levels[id.0]);
        let level = levels.next().ok_or(NotLayered::Branches)?;
        if levels.all(|other| other == level) { Ok(level) } else { Err(NotLayered::Branches) }
    }

    pub(super) fn layered(&self) -> Result<Layered, NotLayered> {
        if (0..self.bends.len()).any(|level| self.ends_with_maximum(level)) {
            return Err(NotLayered::Operator);
        }
        self.within_limits(0)?;
        let layers = (0..=self.bends.len()).map(|level| self.layer(level)).collect();
        Ok(Layered { entry: None, layers })
    }

    fn ends_with_maximum(&self, level: usize) -> bool {
        self.bends.get(level).is_some_and(|&(_, bend)| bend == LevelEnd::Maximum)
    }

    fn activation(&self, level: usize) -> Option<UnaryFunction> {
        match self.bends.get(level) {
            Some(&(_, LevelEnd::Activation(function))) => Some(function),
            _ => None,
        }
    }

    /// The level of the first edge layer.
    fn first_level(&self, extent: Extent) -> Result<usize, NotLayered> {
        let last = self.bends.len();
        if extent == Extent::Last {
            return Ok(last);
        }
        let is_front = |&level: &usize| self.is_shared(level) || self.ends_with_maximum(level);
        match (0..=last).rfind(is_front) {
            // A convolution in the last layer leaves nothing behind it that could be changed edge by edge.
            Some(level) if level == last => Err(NotLayered::Branches),
            Some(level) => Ok(level + 1),
            None => Ok(0),
        }
    }

    pub(super) fn view(&self, extent: Extent, x: &[f64]) -> Result<Layered, NotLayered> {
        let first = self.first_level(extent)?;
        self.within_limits(first)?;
        let layers = (first..=self.bends.len()).map(|level| self.layer(level)).collect();
        Ok(Layered { entry: (first > 0).then(|| self.entry(first, x)), layers })
    }

    /// The sizes of a view's layers.
    pub(super) fn outline(&self, extent: Extent) -> Result<Outline, NotLayered> {
        let first = self.first_level(extent)?;
        self.within_limits(first)?;
        let layer = |level| LayerOutline {
            sources: self.len(&self.sources(level)),
            targets: self.len(&self.targets(level)),
            activation: self.activation(level),
        };
        Ok(Outline { has_entry: first > 0, layers: (first..=self.bends.len()).map(layer).collect() })
    }

    /// The part in front of a level, linearised at `x`.
    pub(super) fn entry(&self, level: usize, x: &[f64]) -> LinearisedEntry {
        let network = self.network;
        let targets = self.targets(level);
        let (inputs, outputs) = (x.len(), self.len(&targets));
        let lanes = ROWS.min(outputs);
        let mut workspace = network.workspace(lanes);
        let points: Vec<f64> = x.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect();
        network.forward(&mut workspace, &points);
        let values = |ids: &[NodeId]| -> Vec<f64> {
            let lanes_of = |&id: &NodeId| workspace.value(network, id).iter().step_by(lanes).copied();
            ids.iter().flat_map(lanes_of).collect()
        };
        let (sources, mut bias) = (values(&self.sources(level)), values(&targets));
        let mut weights = vec![0.0; inputs * outputs];
        let mut gradient = Vec::new();
        let mut rows = weights.chunks_exact_mut(inputs.max(1));
        for &id in &targets {
            let len = network.node(id).len();
            for start in (0..len).step_by(lanes) {
                let mut cotangent = vec![0.0; len * lanes];
                (start..len).zip(0..lanes).for_each(|(o, lane)| cotangent[o * lanes + lane] = 1.0);
                network.backward_from(&mut workspace, id, &cotangent, Surrogate::exact(), &mut gradient);
                for (lane, row) in (0..lanes.min(len - start)).zip(rows.by_ref()) {
                    row.iter_mut().zip(gradient[lane..].iter().step_by(lanes)).for_each(|(w, &g)| *w = g);
                }
            }
        }
        let rows = weights.chunks_exact(inputs.max(1));
        bias.iter_mut().zip(rows).for_each(|(bias, row)| *bias -= super::dot(row, x));
        LinearisedEntry { point: x.to_vec(), sources, edges: Edges { weights, bias, inputs }, level }
    }

    /// Values of some nodes together.
    fn len(&self, ids: &[NodeId]) -> usize {
        ids.iter().map(|&id| self.network.node(id).len()).sum()
    }

    fn within_limits(&self, first: usize) -> Result<(), NotLayered> {
        let entries = (first..=self.bends.len())
            .map(|level| self.len(&self.sources(level)).saturating_mul(self.len(&self.targets(level))));
        if entries.fold(0, usize::saturating_add) > MOST_ENTRIES {
            return Err(NotLayered::TooLarge);
        }
        Ok(())
    }

    /// The nodes that a level starts from.
    fn sources(&self, level: usize) -> Vec<NodeId> {
        match level.checked_sub(1) {
            Some(bend) => vec![self.bends[bend].0],
            None => self.network.inputs.clone(),
        }
    }

    /// The nodes that a level ends with: what goes into its activation, or the outputs.
    fn targets(&self, level: usize) -> Vec<NodeId> {
        match self.bends.get(level) {
            Some(&(bend, _)) => vec![self.network.node(bend).inputs[0]],
            None => self.network.outputs.clone(),
        }
    }

    /// The nodes that compute something within a level.
    fn inner(&self, level: usize) -> impl Iterator<Item = usize> + '_ {
        let sources = self.sources(level);
        (0..self.levels.len()).filter(move |&index| {
            let op = &self.network.nodes[index].op;
            self.levels[index] == Some(level)
                && !sources.contains(&NodeId(index))
                && !matches!(op, Op::Reshape(_))
        })
    }

    /// Whether some operator of a level mixes values other than by one matrix over all of them.
    fn is_shared(&self, level: usize) -> bool {
        self.inner(level).any(|index| {
            let node = &self.network.nodes[index];
            match &node.op {
                Op::Affine(affine) => {
                    let split = split(&node.shape, affine.axis);
                    split.outer * split.inner != 1
                }
                Op::Unary(_) | Op::Binary(_) => false,
                // A transposition in front of a matrix is another order of its columns.
                Op::Rearrange(moved) => !is_injective(moved),
                _ => true,
            }
        })
    }

    fn layer(&self, level: usize) -> EdgeLayer {
        let edges = self.read_off(level).unwrap_or_else(|| self.write_out(level));
        EdgeLayer { edges, activation: self.activation(level), shared: self.is_shared(level) }
    }

    /// The matrix of a level that is a single product over all values, or a convolution of one image: exact to the bit.
    fn read_off(&self, level: usize) -> Option<Edges> {
        let mut inner = self.inner(level);
        let (only, None) = (inner.next()?, inner.next()) else { return None };
        let (sources, targets) = (self.sources(level), self.targets(level));
        // Reshapes between the product and the ends of the level keep the row-major order.
        if sources.len() != 1 || targets.len() != 1 {
            return None;
        }
        let node = &self.network.nodes[only];
        match &node.op {
            Op::Affine(affine) => {
                let split = split(&node.shape, affine.axis);
                (split.outer * split.inner == 1).then(|| Edges {
                    weights: affine.matrix.to_dense(),
                    bias: affine.bias.clone(),
                    inputs: affine.matrix.inputs(),
                })
            }
            Op::Conv(conv) if node.shape.first() == Some(&1) && !conv.transposed => Some(edges_of(conv)),
            _ => None,
        }
    }

    /// The matrix of a level by evaluating it at zero and at the unit vectors.
    pub(super) fn write_out(&self, level: usize) -> Edges {
        let (sources, targets) = (self.sources(level), self.targets(level));
        let (inputs, outputs) = (self.len(&sources), self.len(&targets));
        let mut edges = Edges { weights: vec![0.0; inputs * outputs], bias: vec![0.0; outputs], inputs };
        let mut workspace = self.network.workspace(LANES);
        for start in (0..inputs.max(1)).step_by(LANES - 1) {
            // Lane 0 is zero, lane k the unit vector `start + k - 1`.
            let mut first = 0;
            for &id in &sources {
                let node = self.network.node(id);
                let buffer = &mut workspace.values[node.slot];
                buffer.fill(0.0);
                for lane in 1..LANES {
                    let unit = start + lane - 1;
                    if (first..first + node.len()).contains(&unit) {
                        buffer[(unit - first) * LANES + lane] = 1.0;
                    }
                }
                first += node.len();
            }
            self.run(level, &mut workspace);
            let values = targets.iter().flat_map(|&id| workspace.value(self.network, id).chunks_exact(LANES));
            for (o, lanes) in values.enumerate() {
                edges.bias[o] = lanes[0];
                for (unit, &y) in (start..inputs).zip(&lanes[1..]) {
                    edges.weights[o * inputs + unit] = y - lanes[0];
                }
            }
        }
        edges
    }

    fn run(&self, level: usize, workspace: &mut Workspace<f64>) {
        for index in self.inner(level) {
            let node = &self.network.nodes[index];
            let mut output = std::mem::take(&mut workspace.values[node.slot]);
            let operands =
                Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &workspace.values };
            let (lanes, surrogate) = (workspace.lanes, Surrogate::exact());
            let threads = workspace.threads;
            let mut pass = Pass { lanes, scratch: &mut workspace.scratch, surrogate, threads };
            node.op.forward(operands, &mut output, &mut pass);
            workspace.values[node.slot] = output;
        }
    }
}

/// A convolution of one image as a matrix.
fn edges_of(conv: &Conv<f64>) -> Edges {
    let (count, image) = (conv.windows.count(), conv.windows.image_len());
    let (depth, filters) = (conv.inputs / conv.groups, conv.outputs / conv.groups);
    let inputs = conv.inputs * image;
    let mut weights = vec![0.0; conv.outputs * count * inputs];
    conv.windows.each_meeting(|window, tap, place| {
        for (o, c) in (0..conv.outputs).flat_map(|o| (0..depth).map(move |c| (o, c))) {
            let channel = o / filters * depth + c;
            weights[(o * count + window) * inputs + channel * image + place] = conv.weight(o, c, tap);
        }
    });
    let bias = conv.bias.iter().flat_map(|&bias| std::iter::repeat_n(bias, count)).collect();
    Edges { weights, bias, inputs }
}

/// Whether no number is moved to two places.
fn is_injective(moved: &Rearrange) -> bool {
    let mut seen = HashSet::new();
    moved.map.iter().all(|&source| source == Rearrange::FILL || seen.insert(source))
}

/// Whether a node is an affine function of the operands that vary.
fn is_affine(op: &Op<f64>, inputs: &[NodeId], network: &Network<f64>) -> bool {
    let varies = |i: usize| inputs.get(i).is_some_and(|&id| network.node(id).varies);
    match op {
        Op::Unary(Unary(function)) => matches!(function, UnaryFunction::Neg | UnaryFunction::Scale { .. }),
        Op::Binary(Binary(BinaryFunction::Add | BinaryFunction::Sub)) => true,
        Op::Binary(Binary(BinaryFunction::Mul)) => !(varies(0) && varies(1)),
        Op::Binary(Binary(BinaryFunction::Div)) => !varies(1),
        op => op.is_affine(),
    }
}
