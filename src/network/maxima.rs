//! A network without maxima: each is written out as rectifiers.
//!
//! `max(a, b) = max(0, a − b) + max(0, b) − max(0, −b)`, and a maximum of several numbers is a tree of such pairs. So a pooling by the
//! largest number, a maximum of two values or along an axis, their minima and a PReLU are a few more layers of ReLUs, and whatever knows
//! the phases of a chain of layers knows theirs. All numbers of a level go through its rectifiers, the single ones too: no value skips a
//! layer. Of numbers that are not negative (behind a ReLU) the third term is left out.
//!
//! The function is the same over the real numbers, not in floats: for the search only, never behind a replay or a certificate.

use std::sync::Arc;

use super::build::Builder;
use super::frozen::is_bend;
use super::op::windows::{WindowAxis, Windows};
use super::op::{Binary, BinaryFunction, Concat, Op, Rearrange, Reduction, Unary, UnaryFunction};
use super::shape::{self, ShapeError};
use super::{Network, Node, NodeId, Real};

/// Numbers of the rectifiers that are written, at most.
const MOST_NEURONS: usize = 200_000;

/// Whether a network has something that can be written out.
pub fn any<T: Real>(network: &Network<T>) -> bool {
    network.nodes.iter().any(|node| node.varies && is_maximum(&node.op))
}

/// How many numbers bend a network that is piecewise linear once its maxima are written out, by a generous count; `None` for others.
pub fn neurons<T: Real>(network: &Network<T>) -> Option<usize> {
    let mut as_they_are = 0;
    for node in network.nodes.iter().filter(|node| node.varies) {
        match &node.op {
            Op::Binary(Binary(BinaryFunction::PRelu)) if network.node(node.inputs[1]).varies => return None,
            op if is_maximum(op) => {}
            _ if is_bend(network, node)? => as_they_are += node.len(),
            _ => {}
        }
    }
    let written = rectifiers(network);
    (written <= MOST_NEURONS).then_some(as_they_are + written)
}

/// No fewer rectifiers than a network's maxima take: a tree over `k` numbers has fewer than `4 k / 3` places in its levels, and each
/// takes three at most. Counted before anything is laid out: of a network of VGG16's shape that alone would take 200 MB.
fn rectifiers<T: Real>(network: &Network<T>) -> usize {
    let of_node = |node: &Node<T>| match &node.op {
        Op::MaxPool(pool) => node.len().saturating_mul(pool.windows.taps()),
        _ => node.inputs.iter().map(|&id| network.node(id).len()).sum::<usize>().max(node.len()),
    };
    let maxima = network.nodes.iter().filter(|node| node.varies && is_maximum(&node.op));
    maxima.map(|node| of_node(node).saturating_mul(4)).fold(0, usize::saturating_add)
}

/// Numbers of one group that are compared pair by pair, at most.
const MOST_COMPARED: usize = 4;

/// A number in a node's value.
pub type ValueAt = (NodeId, u32);

/// The pairs of numbers of which a maximum may go over from one to the other, of a node that is one; `None` where they are too many
/// or the node is none. Where all pairs are known to keep their order, the node is affine.
pub fn rivals<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Vec<[ValueAt; 2]>> {
    if !is_maximum(&node.op) || rectifiers(network) > MOST_NEURONS {
        return None;
    }
    if let Op::Binary(Binary(BinaryFunction::Max | BinaryFunction::Min)) = &node.op {
        let [a, b] = [node.inputs[0], node.inputs[1]];
        let places = |id| Some(Rearrange::expand(&network.node(id).shape, &node.shape).ok()?.map);
        let (first, second) = (places(a)?, places(b)?);
        return Some(first.iter().zip(second.iter()).map(|(&i, &j)| [(a, i), (b, j)]).collect());
    }
    let groups = groups(network, node)?;
    if groups.iter().any(|group| group.len() > MOST_COMPARED) {
        return None;
    }
    let x = node.inputs[0];
    let pairs = groups.iter().flat_map(|group| {
        (0..group.len()).flat_map(move |i| (i + 1..group.len()).map(move |j| [(x, group[i]), (x, group[j])]))
    });
    Some(pairs.collect())
}

/// The groups of numbers of its operand that a node takes the largest of, or the smallest, where they are too large for [`rivals`].
pub fn large_groups<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Groups> {
    let fits = is_maximum(&node.op) && rectifiers(network) <= MOST_NEURONS;
    groups(network, node).filter(|groups| fits && groups.iter().any(|group| group.len() > MOST_COMPARED))
}

/// Whether a node takes the smallest numbers.
pub fn is_minimum<T>(op: &Op<T>) -> bool {
    matches!(op, Op::Reduce(reduce) if reduce.function == Reduction::Min)
}

/// The groups of a maximum of one operand's numbers.
fn groups<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Groups> {
    let operand = network.node(*node.inputs.first()?);
    match &node.op {
        Op::MaxPool(pool) => {
            let channels = operand.len() / pool.windows.image_len().max(1);
            Some(of_windows(&pool.windows, channels))
        }
        Op::Reduce(reduce) if is_maximum(&node.op) => Some(along_axis(&operand.shape, reduce.axis)),
        _ => None,
    }
}

fn is_maximum<T>(op: &Op<T>) -> bool {
    match op {
        Op::MaxPool(_) => true,
        Op::Reduce(reduce) => matches!(reduce.function, Reduction::Max | Reduction::Min),
        Op::Binary(binary) => {
            matches!(binary.0, BinaryFunction::Max | BinaryFunction::Min | BinaryFunction::PRelu)
        }
        _ => false,
    }
}

/// The network with its maxima written out; `None` where it has none, or they are too many or of a form that is not known.
pub fn written_out<T: Real>(network: &Network<T>) -> Option<Network<T>> {
    if !any(network) || rectifiers(network) > MOST_NEURONS {
        return None;
    }
    let mut pen = Pen { builder: Builder::default(), not_negative: Vec::new() };
    let mut ids: Vec<NodeId> = Vec::with_capacity(network.nodes.len());
    for node in &network.nodes {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|id| ids[id.0]).collect();
        ids.push(pen.add(network, node, &inputs)?);
    }
    let outputs = network.outputs.iter().map(|id| ids[id.0]).collect();
    Some(pen.builder.finish(outputs))
}

/// What is written, and what is known of it.
struct Pen<T> {
    builder: Builder<T>,
    /// Nodes all of whose numbers are known not to be negative.
    not_negative: Vec<NodeId>,
}

/// For each result the places of the numbers whose maximum it is.
pub type Groups = Vec<Vec<u32>>;

impl<T: Real> Pen<T> {
    /// Adds a node, or what stands for it; gives the node of the result.
    fn add(&mut self, network: &Network<T>, node: &Node<T>, inputs: &[NodeId]) -> Option<NodeId> {
        let plain = |pen: &mut Self| match &node.op {
            Op::Input(shape) => pen.builder.input(&node.name, node.element, shape.clone()).ok(),
            op => pen.builder.push(&node.name, op.clone(), inputs, node.element).ok(),
        };
        let new = match &node.op {
            _ if !node.varies => plain(self),
            Op::MaxPool(_) => self.largest(node, inputs[0], groups(network, node)?).ok(),
            Op::Reduce(reduce) if is_maximum(&node.op) => {
                let turned = reduce.function == Reduction::Min;
                self.extreme(node, inputs[0], groups(network, node)?, turned).ok()
            }
            Op::Binary(Binary(BinaryFunction::PRelu)) if !network.node(node.inputs[1]).varies => {
                self.bent(node, inputs).ok()
            }
            Op::Binary(Binary(function)) if *function != BinaryFunction::PRelu && is_maximum(&node.op) => {
                self.of_two(node, inputs, *function == BinaryFunction::Min).ok()
            }
            _ => plain(self),
        }?;
        if self.stays(&node.op, inputs) {
            self.not_negative.push(new);
        }
        Some(new)
    }

    /// Whether an operator gives nothing negative from these operands.
    fn stays(&self, op: &Op<T>, inputs: &[NodeId]) -> bool {
        let all = |pen: &Self| inputs.iter().all(|input| pen.not_negative.contains(input));
        match op {
            Op::Unary(Unary(function)) => match *function {
                UnaryFunction::Relu | UnaryFunction::Abs | UnaryFunction::Sigmoid => true,
                UnaryFunction::HardSigmoid { .. } => true,
                UnaryFunction::Clip { low, .. } => low >= 0.0,
                _ => false,
            },
            Op::Rearrange(moved) => moved.fill >= 0.0 && all(self),
            Op::Reshape(_) | Op::Concat(_) | Op::MaxPool(_) => all(self),
            Op::Reduce(reduce) => reduce.function != Reduction::Product && all(self),
            _ => false,
        }
    }

    fn push(&mut self, node: &Node<T>, op: Op<T>, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        self.builder.push(&node.name, op, inputs, node.element)
    }

    fn binary(
        &mut self,
        node: &Node<T>,
        function: BinaryFunction,
        a: NodeId,
        b: NodeId,
    ) -> Result<NodeId, ShapeError> {
        self.push(node, Op::Binary(Binary(function)), &[a, b])
    }

    fn unary(&mut self, node: &Node<T>, function: UnaryFunction, x: NodeId) -> Result<NodeId, ShapeError> {
        self.push(node, Op::Unary(Unary(function)), &[x])
    }

    /// The numbers of `x` at some places, or zero, as a list.
    fn chosen(&mut self, node: &Node<T>, x: NodeId, places: Vec<Option<u32>>) -> Result<NodeId, ShapeError> {
        let map: Arc<[u32]> = places.iter().map(|place| place.unwrap_or(Rearrange::FILL)).collect();
        let from = self.builder.shape(x).to_vec();
        let moved = Rearrange { from, to: vec![places.len()], map, fill: 0.0 };
        self.push(node, Op::Rearrange(moved), &[x])
    }

    /// A node's values as a list, expanded to a shape first.
    fn flat(&mut self, node: &Node<T>, x: NodeId, to: &[usize]) -> Result<NodeId, ShapeError> {
        let expanded = Rearrange::expand(self.builder.shape(x), to)?;
        let x = self.push(node, Op::Rearrange(expanded), &[x])?;
        self.push(node, Op::Reshape(vec![shape::len(to)]), &[x])
    }

    /// The largest or, turned around twice, the smallest number of each group.
    fn extreme(
        &mut self,
        node: &Node<T>,
        x: NodeId,
        groups: Groups,
        smallest: bool,
    ) -> Result<NodeId, ShapeError> {
        if !smallest {
            return self.largest(node, x, groups);
        }
        let turned = self.unary(node, UnaryFunction::Neg, x)?;
        let largest = self.largest(node, turned, groups)?;
        self.unary(node, UnaryFunction::Neg, largest)
    }

    /// The largest number of each group, in the shape of the node.
    fn largest(&mut self, node: &Node<T>, mut x: NodeId, mut groups: Groups) -> Result<NodeId, ShapeError> {
        if groups.iter().any(Vec::is_empty) {
            return Err(ShapeError("the maximum of no number".into()));
        }
        let signed = !self.not_negative.contains(&x);
        while groups.iter().any(|group| group.len() > 1) {
            (x, groups) = self.level(node, x, &groups, signed)?;
        }
        let y = self.chosen(node, x, groups.iter().map(|group| group.first().copied()).collect())?;
        self.push(node, Op::Reshape(node.shape.clone()), &[y])
    }

    /// One level of the tree: the maxima of pairs, and the numbers that have no partner.
    fn level(
        &mut self,
        node: &Node<T>,
        x: NodeId,
        groups: &Groups,
        signed: bool,
    ) -> Result<(NodeId, Groups), ShapeError> {
        let pairs: Vec<(u32, Option<u32>)> = groups
            .iter()
            .flat_map(|group| group.chunks(2).map(|pair| (pair[0], pair.get(1).copied())))
            .collect();
        let count = pairs.len();
        // What goes through as it is: the second of a pair, or the single one.
        let through = || pairs.iter().map(|&(a, b)| Some(b.unwrap_or(a)));
        let nothing = || std::iter::repeat_n(None, count);
        // Rectified: a − b (nothing for a single one), what goes through, and what goes through with its sign turned.
        let mut plus: Vec<Option<u32>> = pairs.iter().map(|&(a, b)| b.map(|_| a)).chain(through()).collect();
        let mut minus: Vec<Option<u32>> = pairs.iter().map(|&(_, b)| b).chain(nothing()).collect();
        if signed {
            plus.extend(nothing());
            minus.extend(through());
        }
        let (plus, minus) = (self.chosen(node, x, plus)?, self.chosen(node, x, minus)?);
        let sums = self.binary(node, BinaryFunction::Sub, plus, minus)?;
        let rectified = self.unary(node, UnaryFunction::Relu, sums)?;
        let part = |k: usize| (k * count..(k + 1) * count).map(|at| Some(at as u32)).collect::<Vec<_>>();
        let (above, kept) = (self.chosen(node, rectified, part(0))?, self.chosen(node, rectified, part(1))?);
        let mut y = self.binary(node, BinaryFunction::Add, above, kept)?;
        if signed {
            let below = self.chosen(node, rectified, part(2))?;
            y = self.binary(node, BinaryFunction::Sub, y, below)?;
        }
        let mut next = 0..count as u32;
        let groups =
            groups.iter().map(|group| next.by_ref().take(group.len().div_ceil(2)).collect()).collect();
        Ok((y, groups))
    }

    /// `max(a, b)`, or the minimum.
    fn of_two(&mut self, node: &Node<T>, inputs: &[NodeId], smallest: bool) -> Result<NodeId, ShapeError> {
        let count = node.len() as u32;
        let lists = [self.flat(node, inputs[0], &node.shape)?, self.flat(node, inputs[1], &node.shape)?];
        let both = self.push(node, Op::Concat(Concat { axis: 0 }), &lists)?;
        let groups = (0..count).map(|i| vec![i, count + i]).collect();
        self.extreme(node, both, groups, smallest)
    }

    /// `max(0, x) − slope · max(0, −x)`
    fn bent(&mut self, node: &Node<T>, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        let count = node.len() as u32;
        let (x, slope) = (self.flat(node, inputs[0], &node.shape)?, self.flat(node, inputs[1], &node.shape)?);
        let all = || (0..count).map(Some);
        let nothing = || std::iter::repeat_n(None, count as usize);
        let plus = self.chosen(node, x, all().chain(nothing()).collect())?;
        let minus = self.chosen(node, x, nothing().chain(all()).collect())?;
        let sums = self.binary(node, BinaryFunction::Sub, plus, minus)?;
        let rectified = self.unary(node, UnaryFunction::Relu, sums)?;
        let above = self.chosen(node, rectified, all().collect())?;
        let below = self.chosen(node, rectified, (count..2 * count).map(Some).collect())?;
        let below = self.binary(node, BinaryFunction::Mul, below, slope)?;
        let y = self.binary(node, BinaryFunction::Sub, above, below)?;
        self.push(node, Op::Reshape(node.shape.clone()), &[y])
    }
}

/// The places in the image under each window, channel by channel.
fn of_windows(windows: &Windows, channels: usize) -> Groups {
    let [a, b, c] = &windows.0;
    let under = |axis: &WindowAxis, window: usize| -> Vec<usize> {
        let places =
            (0..axis.kernel).map(|k| (window * axis.stride + k * axis.dilation).checked_sub(axis.pad));
        places.flatten().filter(|&place| place < axis.image).collect()
    };
    let mut groups = Vec::with_capacity(channels * windows.count());
    for (channel, i, j, k) in (0..channels).flat_map(|channel| {
        (0..a.windows).flat_map(move |i| {
            (0..b.windows).flat_map(move |j| (0..c.windows).map(move |k| (channel, i, j, k)))
        })
    }) {
        let (first, second, third) = (under(a, i), under(b, j), under(c, k));
        let mut group = Vec::with_capacity(first.len() * second.len() * third.len());
        for (x, y) in first.iter().flat_map(|x| second.iter().map(move |y| (x, y))) {
            let row = ((channel * a.image + x) * b.image + y) * c.image;
            group.extend(third.iter().map(|z| (row + z) as u32));
        }
        groups.push(group);
    }
    groups
}

/// The places along an axis, for each index of the others.
fn along_axis(of: &[usize], axis: usize) -> Groups {
    let split = shape::split(of, axis);
    let place =
        |outer: usize, at: usize, inner: usize| ((outer * of[axis] + at) * split.inner + inner) as u32;
    (0..split.outer)
        .flat_map(|outer| (0..split.inner).map(move |inner| (outer, inner)))
        .map(|(outer, inner)| (0..of[axis]).map(|at| place(outer, at, inner)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::layered::Layered;
    use super::super::op::{MaxPool, Reduce};
    use super::*;
    use crate::onnx::ElementType;

    /// `f(x)` behind a ReLU or not, for an operator of one operand.
    fn single(op: Op<f64>, from: &[usize], rectified: bool) -> Network<f64> {
        let mut builder = Builder::default();
        let mut x = builder.input("x", ElementType::Float64, from.to_vec()).unwrap();
        if rectified {
            x = builder.push("r", Op::Unary(Unary(UnaryFunction::Relu)), &[x], ElementType::Float64).unwrap();
        }
        let y = builder.push("f", op, &[x], ElementType::Float64).unwrap();
        builder.finish(vec![y])
    }

    /// Of two operands: the input, and a constant or the input with its order turned around.
    fn pair(function: BinaryFunction, constant: Option<&[f64]>) -> Network<f64> {
        let mut builder = Builder::default();
        let x = builder.input("x", ElementType::Float64, vec![2, 3]).unwrap();
        let other = match constant {
            Some(data) => builder.constant("c", ElementType::Float64, vec![3], data.to_vec()).unwrap(),
            None => {
                let turned = Rearrange::transpose(&[2, 3], &[1, 0]).unwrap();
                let turned = builder.push("t", Op::Rearrange(turned), &[x], ElementType::Float64).unwrap();
                builder.push("s", Op::Reshape(vec![2, 3]), &[turned], ElementType::Float64).unwrap()
            }
        };
        let y = builder.push("f", Op::Binary(Binary(function)), &[x, other], ElementType::Float64).unwrap();
        builder.finish(vec![y])
    }

    /// The same numbers at some points, as a network and as a chain of layers.
    #[track_caller]
    fn check(network: &Network<f64>) {
        let written = written_out(network).unwrap();
        assert!(!any(&written) && neurons(&written).is_some());
        let layered = Layered::new(&written).unwrap();
        for seed in 0..20 {
            let x: Vec<f64> = (0..network.input_len())
                .map(|i| f64::from((i as u32 * 7919 + seed * 104_729) % 97) / 16.0 - 3.0)
                .collect();
            let (want, got) = (network.evaluate(&x), written.evaluate(&x));
            let chain = layered.simulate(&x);
            for ((want, got), chain) in want.iter().zip(&got).zip(chain.outputs()) {
                assert!((want - got).abs() < 1e-12 && (want - chain).abs() < 1e-12, "{want} {got} {chain}");
            }
        }
    }

    #[test]
    fn maxima_are_written_out_as_rectifiers() {
        let pool = |kernel, stride, pad, windows| {
            let axis = || WindowAxis::new(5, kernel, stride, 1, pad, windows).unwrap();
            Op::MaxPool(MaxPool::new(Windows::new(vec![axis(), axis()]).unwrap(), 2))
        };
        for rectified in [false, true] {
            // Overlapping windows, windows in the padding, windows of an odd number of taps.
            for op in [pool(2, 2, 0, 2), pool(3, 2, 1, 3), pool(2, 1, 0, 4)] {
                check(&single(op, &[1, 2, 5, 5], rectified));
            }
            for (function, axis) in [(Reduction::Max, 0), (Reduction::Max, 2), (Reduction::Min, 1)] {
                check(&single(Op::Reduce(Reduce { function, axis }), &[2, 3, 4], rectified));
            }
        }
        for function in [BinaryFunction::Max, BinaryFunction::Min] {
            check(&pair(function, None));
            check(&pair(function, Some(&[0.5, -1.0, 2.0])));
        }
        check(&pair(BinaryFunction::PRelu, Some(&[0.25, -0.5, 0.0])));
    }

    #[test]
    fn too_many_maxima_are_left_as_they_are() {
        let axis = || WindowAxis::new(200, 2, 2, 1, 0, 100).unwrap();
        let pool = MaxPool::new(Windows::new(vec![axis(), axis()]).unwrap(), 2);
        let network = single(Op::MaxPool(pool), &[1, 8, 200, 200], true);
        assert!(written_out(&network).is_none() && neurons(&network).is_none());
        assert!(network.nodes.iter().all(|node| rivals(&network, node).is_none()));
    }

    #[test]
    fn nothing_to_write_out_is_nothing() {
        assert!(written_out(&single(Op::Unary(Unary(UnaryFunction::Relu)), &[3], false)).is_none());
    }
}
