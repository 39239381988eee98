//! Products and quotients of two values: element by element, and matrices.
//!
//! For `a` in `[al, au]` and `b` in `[bl, bu]` McCormick's planes (1976) hold:
//! `al·b + bl·a − al·bl ≤ a·b ≤ au·b + bl·a − au·bl`. With a constant operand they are the product itself. A
//! quotient is the product with the reciprocal, which has lines of its own.

use super::linear::SweepSums;
use super::range::{EVERYTHING, range, times};
use super::{Bounder, below, gamma, magnitude_of, relax};
use crate::network::op::{Binary, BinaryFunction, Op, UnaryFunction};
use crate::network::{Network, Node, NodeId, shape};

/// The products that a node adds up: an odometer over the result's axes and the one that is summed over.
pub(super) struct Products {
    dims: Vec<usize>,
    /// For each axis the steps in the result, the left and the right operand.
    steps: Vec<[usize; 3]>,
    /// Products in a sum.
    pub(super) terms: usize,
    /// How many products one number of an operand is part of, at most.
    uses: usize,
}

/// An operand's interval, or that of its reciprocal.
struct Factor {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Products {
    /// The products of a node; `None` if it is none.
    pub(super) fn of(network: &Network<f64>, node: &Node<f64>) -> Option<Self> {
        let [a, b] = [*node.inputs.first()?, *node.inputs.get(1)?].map(|id| network.node(id));
        let rank = node.shape.len();
        let (mut dims, mut steps, terms) = match &node.op {
            Op::Binary(Binary(BinaryFunction::Mul | BinaryFunction::Div)) => (Vec::new(), Vec::new(), 1),
            Op::MatMul(_) => {
                let (m, n, k) = (node.shape[rank - 2], node.shape[rank - 1], a.shape[a.shape.len() - 1]);
                (vec![m, n, k], vec![[n, k, 0], [1, 0, 1], [0, 1, n]], k)
            }
            _ => return None,
        };
        // The axes in front of a matrix, or all of them, are broadcast.
        let inner = if terms == 1 && dims.is_empty() { 0 } else { 2 };
        let outer = &node.shape[..rank - inner];
        let mut at = [shape::len(&node.shape), shape::len(&a.shape), shape::len(&b.shape)];
        for (axis, &d) in outer.iter().enumerate() {
            let mut step = [0; 3];
            for (which, of) in [&node.shape, &a.shape, &b.shape].into_iter().enumerate() {
                let own = (axis + of.len()).checked_sub(rank).map_or(1, |own| of[own]);
                at[which] /= own.max(1);
                step[which] = if own == 1 { 0 } else { at[which] };
            }
            dims.insert(axis, d);
            steps.insert(axis, step);
        }
        let total: usize = dims.iter().product();
        let uses = total / a.len().min(b.len()).max(1);
        Some(Self { dims, steps, terms, uses })
    }

    /// Calls `visit(place in the result, in the left operand, in the right operand)` for each product.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let total: usize = self.dims.iter().product();
        let (mut index, mut at) = (vec![0; self.dims.len()], [0; 3]);
        for _ in 0..total {
            visit(at[0], at[1], at[2]);
            for axis in (0..self.dims.len()).rev() {
                index[axis] += 1;
                let step = self.steps[axis];
                (0..3).for_each(|which| at[which] += step[which]);
                if index[axis] < self.dims[axis] {
                    break;
                }
                (0..3).for_each(|which| at[which] -= step[which] * self.dims[axis]);
                index[axis] = 0;
            }
        }
    }
}

/// Range of `a·b`; a factor that is exactly zero makes the product zero.
pub(super) fn product_range(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
    let corners = [product(a.0, b.0), product(a.0, b.1), product(a.1, b.0), product(a.1, b.1)];
    if corners.iter().any(|corner| corner.is_nan()) {
        return EVERYTHING;
    }
    (corners.into_iter().fold(f64::INFINITY, f64::min), corners.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

impl Bounder<'_> {
    fn factors(&self, node: &Node<f64>) -> [Factor; 2] {
        let [left, right] = [node.inputs[0], node.inputs[1]].map(|id| {
            let slot = self.network.node(id).slot;
            Factor { lower: self.lower[slot].clone(), upper: self.upper[slot].clone() }
        });
        if !is_quotient(node) {
            return [left, right];
        }
        let reciprocal = |(&l, &u): (&f64, &f64)| range(UnaryFunction::Reciprocal, l, u);
        let (lower, upper) = right.lower.iter().zip(&right.upper).map(reciprocal).unzip();
        [left, Factor { lower, upper }]
    }

    /// The interval of a product: the sum of its products' intervals.
    pub(super) fn product(&mut self, node: &Node<f64>) {
        let Some(products) = Products::of(self.network, node) else { return };
        let [a, b] = self.factors(node);
        let mut sums = vec![[0.0; 3]; node.len()];
        products.each(|o, i, j| {
            let (low, high) = product_range((a.lower[i], a.upper[i]), (b.lower[j], b.upper[j]));
            let [least, most, size] = &mut sums[o];
            *least += low;
            *most += high;
            *size += magnitude_of(low, high);
        });
        let unit = gamma(products.terms);
        for (i, [least, most, size]) in sums.into_iter().enumerate() {
            self.lower[node.slot][i] = below(least - unit * size);
            self.upper[node.slot][i] = -below(-most - unit * size);
        }
    }

    /// Replaces a product by its planes.
    pub(super) fn through_product<const L: usize>(
        &mut self,
        id: NodeId,
        cotangent: &[f64],
        sums: &mut SweepSums<L>,
    ) {
        let network = self.network;
        let node = network.node(id);
        let Some(products) = Products::of(network, node) else { return };
        let [a, b] = self.factors(node);
        let [a_node, b_node] = [node.inputs[0], node.inputs[1]].map(|id| network.node(id));
        self.shifts(&products, [&a, &b], a_node.varies && b_node.varies, cotangent, sums);
        if a_node.varies {
            let target = &mut self.cotangents[a_node.slot];
            products.each(|o, i, j| {
                let row = &cotangent[o * L..][..L];
                for (t, &c) in target[i * L..][..L].iter_mut().zip(row) {
                    *t += times(c, b.lower[j]);
                }
            });
        }
        if b_node.varies {
            let (slot, quotient) = (b_node.slot, is_quotient(node));
            let target = &mut self.cotangents[slot];
            products.each(|o, i, j| {
                // For a product the line of the right factor is the factor itself.
                let lines = quotient.then(|| {
                    relax::lines(UnaryFunction::Reciprocal, self.lower[slot][j], self.upper[slot][j])
                });
                for lane in 0..L {
                    let c = cotangent[o * L + lane];
                    let weight = times(c, if c >= 0.0 { a.lower[i] } else { a.upper[i] });
                    let Some((under, over)) = lines else {
                        target[j * L + lane] += weight;
                        continue;
                    };
                    let line = if weight >= 0.0 { under } else { over };
                    target[j * L + lane] += times(weight, line.slope);
                    let shift = times(weight, line.shift);
                    sums.constant[lane] += shift;
                    sums.absolute[lane] += shift.abs();
                }
            });
        }
    }

    /// The planes' constants, and what rounding can change of the planes: each of their terms is at most as large
    /// as the largest product, each coefficient is added up from as many as `uses` products, and a reciprocal's
    /// line is at most thrice as large as the reciprocal.
    fn shifts<const L: usize>(
        &self,
        products: &Products,
        [a, b]: [&Factor; 2],
        both: bool,
        cotangent: &[f64],
        sums: &mut SweepSums<L>,
    ) {
        let mut planes = vec![[0.0; 3]; cotangent.len() / L];
        products.each(|o, i, j| {
            let [under, over, size] = &mut planes[o];
            *size += times(magnitude_of(a.lower[i], a.upper[i]), magnitude_of(b.lower[j], b.upper[j]));
            if both {
                *under -= times(a.lower[i], b.lower[j]);
                *over -= times(a.upper[i], b.lower[j]);
            }
        });
        let unit = 12.0 * gamma(products.terms + products.uses);
        for (row, [under, over, size]) in cotangent.chunks_exact(L).zip(planes) {
            for (lane, &c) in row.iter().enumerate() {
                let shift = times(c, if c >= 0.0 { under } else { over });
                sums.constant[lane] += shift;
                sums.absolute[lane] += shift.abs();
                sums.rounding[lane] += unit * times(c.abs(), size);
            }
        }
    }
}

fn is_quotient(node: &Node<f64>) -> bool {
    matches!(node.op, Op::Binary(Binary(BinaryFunction::Div)))
}
