//! A network whose kinks and signs are rounded off, by as much as is asked for.
//!
//! A least-squares search on a network of ReLUs stops where phases would have to change in the right order. Where every
//! kink is a smooth bend it does not, and a bend that narrows to the kink leads to a point of the network itself: a
//! homotopy, as for complementarity problems (Chen and Mangasarian 1996, "A class of smoothing functions for nonlinear
//! and mixed complementarity problems": `w · softplus(x / w)` for `max(0, x)`).
//!
//! A piecewise-linear function is the line of its first piece and, for each kink `k` where the slope rises by `a`, the
//! term `a · max(0, x − k)`; so one rule covers ReLU, LeakyReLU, Abs, Clip and HardSigmoid. A sign becomes a tanh. The
//! widths are shares of what the numbers in front of a function deviate by among some points (`Softened::measure`), for
//! no width fits all layers. What else bends (maxima, smooth functions) stays as it is.

use super::build::Builder;
use super::frozen::{bends, kinks, piece};
use super::op::{Binary, BinaryFunction, Op, Unary, UnaryFunction};
use super::shape::ShapeError;
use super::{Network, Node, NodeId, Real, Workspace};

/// The network with its bends, whose widths can be changed.
#[derive(Debug, Clone)]
pub struct Softened {
    network: Network<f64>,
    bends: Vec<SoftenedTerm>,
}

/// One term of a function that was replaced: `height · softplus((x − kink) / width) · width`, or `tanh(x / width)`.
#[derive(Debug, Clone)]
struct SoftenedTerm {
    /// The node `x` in the softened network.
    operand: NodeId,
    /// The node `(x − kink) / width`.
    inward: NodeId,
    kink: f64,
    /// The node `height · width · …`, and the height; a tanh has none.
    outward: Option<(NodeId, f64)>,
    /// What the operand's numbers deviate by.
    deviation: f64,
}

impl Softened {
    /// The softened twin of a network; `None` where nothing can be softened, or the twin would be too large.
    pub fn new(network: &Network<f64>) -> Option<Self> {
        let mut builder = Builder::default();
        let mut bends = Vec::new();
        let mut ids = Vec::with_capacity(network.nodes.len());
        for node in &network.nodes {
            let inputs: Vec<NodeId> = node.inputs.iter().map(|id| ids[id.0]).collect();
            ids.push(add(&mut builder, node, &inputs, &mut bends).ok()?);
        }
        let outputs = network.outputs.iter().map(|id| ids[id.0]).collect();
        let last = ids.last()?.0;
        let network = builder.finish(outputs);
        // A dead node that was dropped would have shifted the numbers of those behind it.
        (!bends.is_empty() && network.nodes.len() == last + 1).then_some(Self { network, bends })
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network<f64> {
        &self.network
    }

    /// Takes the deviations from the block of a workspace of the softened network that has been evaluated.
    pub fn measure(&mut self, workspace: &Workspace<f64>) {
        for bend in &mut self.bends {
            let values = workspace.value(&self.network, bend.operand);
            let rows = values.chunks_exact(workspace.lanes());
            let (count, sum) = rows.map(variance).fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v));
            let deviation = f64::sqrt(sum / f64::max(count, 1.0));
            if deviation.is_finite() && deviation > 0.0 {
                bend.deviation = deviation;
            }
        }
    }

    /// Makes every bend so many deviations wide.
    pub fn set_width(&mut self, share: f64) {
        for bend in &self.bends {
            let width = share * bend.deviation;
            self.network.nodes[bend.inward.0].op = scale(1.0 / width, -bend.kink / width);
            if let Some((outward, height)) = bend.outward {
                self.network.nodes[outward.0].op = scale(height * width, 0.0);
            }
        }
    }
}

/// Adds a node, or the terms that stand for it; gives the node of the result.
fn add(
    builder: &mut Builder<f64>,
    node: &Node<f64>,
    inputs: &[NodeId],
    bends: &mut Vec<SoftenedTerm>,
) -> Result<NodeId, ShapeError> {
    match &node.op {
        Op::Input(shape) => builder.input(&node.name, node.element, shape.clone()),
        Op::Unary(op) if node.varies && softens(op.0) => {
            let mut place = ReplacedFunction { builder, node, operand: inputs[0], bends };
            if is_sign(op.0) { place.sign() } else { place.pieces(op.0) }
        }
        op => builder.push(&node.name, op.clone(), inputs, node.element),
    }
}

/// Whether the softened twin of a network has a gradient everywhere: signs are the only jumps.
pub fn smooths<T: Real>(network: &Network<T>) -> bool {
    network.jumping_nodes().all(|node| matches!(&node.op, Op::Unary(op) if is_sign(op.0)))
}

fn is_sign(function: UnaryFunction) -> bool {
    matches!(function, UnaryFunction::Sign | UnaryFunction::SignOr { .. })
}

/// Whether a function has kinks or is a sign.
fn softens(function: UnaryFunction) -> bool {
    is_sign(function) || (piece(function, 0.0).is_some() && bends(function))
}

fn scale(scale: f64, shift: f64) -> Op<f64> {
    Op::Unary(Unary(UnaryFunction::Scale { scale, shift }))
}

/// Where a function is replaced by its terms.
struct ReplacedFunction<'a> {
    builder: &'a mut Builder<f64>,
    node: &'a Node<f64>,
    operand: NodeId,
    bends: &'a mut Vec<SoftenedTerm>,
}

impl ReplacedFunction<'_> {
    fn push(&mut self, op: Op<f64>, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        self.builder.push(&self.node.name, op, inputs, self.node.element)
    }

    fn sign(&mut self) -> Result<NodeId, ShapeError> {
        let inward = self.push(scale(1.0, 0.0), &[self.operand])?;
        self.bends.push(SoftenedTerm {
            operand: self.operand,
            inward,
            kink: 0.0,
            outward: None,
            deviation: 1.0,
        });
        self.push(Op::Unary(Unary(UnaryFunction::Tanh)), &[inward])
    }

    /// The first piece's line and a term for every kink.
    fn pieces(&mut self, function: UnaryFunction) -> Result<NodeId, ShapeError> {
        let slope = |x: f64| piece(function, x).map_or(0.0, |piece| piece.slope);
        let first = piece(function, f64::MIN).map_or((0.0, 0.0), |piece| (piece.slope, piece.shift));
        let mut sum = None;
        if first != (0.0, 0.0) {
            sum = Some(self.push(scale(first.0, first.1), &[self.operand])?);
        }
        for kink in kinks(function) {
            // Next to the kink, whatever its size.
            let height = slope(kink.next_up()) - slope(kink.next_down());
            let inward = self.push(scale(1.0, -kink), &[self.operand])?;
            let bent = self.push(Op::Unary(Unary(UnaryFunction::Softplus)), &[inward])?;
            let outward = self.push(scale(height, 0.0), &[bent])?;
            let bend = SoftenedTerm {
                operand: self.operand,
                inward,
                kink,
                outward: Some((outward, height)),
                deviation: 1.0,
            };
            self.bends.push(bend);
            sum = Some(match sum {
                Some(sum) => self.push(Op::Binary(Binary(BinaryFunction::Add)), &[sum, outward])?,
                None => outward,
            });
        }
        Ok(sum.unwrap_or(self.operand))
    }
}

/// The variance of one number among the points of a block.
fn variance(row: &[f64]) -> f64 {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Surrogate;
    use crate::network::forward::Workspace;
    use crate::onnx::ElementType;

    /// `f(x)` for four numbers.
    fn single(function: UnaryFunction) -> Network<f64> {
        let mut builder = Builder::default();
        let x = builder.input("x", ElementType::Float64, vec![4]).unwrap();
        let y = builder.push("f", Op::Unary(Unary(function)), &[x], ElementType::Float64).unwrap();
        builder.finish(vec![y])
    }

    /// At width `share` the twin is within `share · ln 2` times the sum of the kinks' heights of the function, and its
    /// gradient is that of finite differences.
    fn check(function: UnaryFunction, heights: f64) {
        let (network, points) = (single(function), [-2.5, -0.4, 0.7, 3.1]);
        let mut soft = Softened::new(&network).unwrap();
        let exact = network.evaluate(&points);
        for share in [0.5, 0.1, 0.001] {
            soft.set_width(share);
            let got = soft.network().evaluate(&points);
            for (got, exact) in got.iter().zip(&exact) {
                let most = share * heights * std::f64::consts::LN_2 + 1e-9;
                assert!((got - exact).abs() <= most, "{function:?} at width {share}: {got}, {exact}");
            }
        }
        soft.set_width(0.5);
        let mut workspace = Workspace::new(soft.network(), 1);
        soft.network().forward(&mut workspace, &points);
        let mut gradient = Vec::new();
        soft.network().backward(&mut workspace, &[1.0; 4], Surrogate::exact(), &mut gradient);
        for i in 0..4 {
            let h = 1e-6;
            let moved = |by: f64| {
                let mut points = points;
                points[i] += by;
                soft.network().evaluate(&points)[i]
            };
            let want = (moved(h) - moved(-h)) / (2.0 * h);
            assert!((gradient[i] - want).abs() < 1e-6, "{function:?}, {i}: {}, {want}", gradient[i]);
        }
    }

    #[test]
    fn softened_functions_come_near_the_function_as_they_narrow() {
        use UnaryFunction::*;
        check(Relu, 1.0);
        check(LeakyRelu { alpha: 0.1 }, 0.9);
        check(Abs, 2.0);
        check(Clip { low: -0.5, high: 2.0 }, 2.0);
        check(Clip { low: 0.0, high: f64::INFINITY }, 1.0);
        check(HardSigmoid { alpha: 0.2, beta: 0.5 }, 0.4);
        // Far from its jump a tanh is the sign to within this.
        check(Sign, 4.0);
    }

    #[test]
    fn a_smooth_function_is_left_alone() {
        assert!(Softened::new(&single(UnaryFunction::Tanh)).is_none());
        assert!(Softened::new(&single(UnaryFunction::Scale { scale: 2.0, shift: 0.0 })).is_none());
    }

    #[test]
    fn widths_are_shares_of_what_numbers_deviate_by() {
        let network = single(UnaryFunction::Relu);
        let mut soft = Softened::new(&network).unwrap();
        let mut workspace = Workspace::new(soft.network(), 2);
        // Two points: each number is 10 apart from itself, a deviation of 5.
        soft.network().forward(&mut workspace, &[0.0, 10.0, -5.0, 5.0, 1.0, 11.0, 2.0, 12.0]);
        soft.measure(&workspace);
        soft.set_width(0.2);
        assert_eq!(soft.network().evaluate(&[0.0; 4]), [std::f64::consts::LN_2; 4]);
    }
}
