//! A layered network whose neurons all bend once, at zero, and convexly: `f(z) = max(low · z, high · z)`.
//!
//! Every piecewise-linear activation that the engine knows is a sum of such hinges (`clip(z, a, b) = a + max(0, z − a) −
//! max(0, z − b)`), so a neuron with three pieces becomes two, and a concave one is mirrored. The search then knows one kind
//! of neuron, with two phases.

use crate::network::layered::{EdgeLayer, Edges, Layered};
use crate::network::op::UnaryFunction;

/// A layer of affine sums with a hinge behind each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HingeLayer {
    pub(super) edges: Edges,
    /// The slope below zero.
    pub(super) low: f64,
    /// The slope above zero, not smaller.
    pub(super) high: f64,
}

/// A network of hinges. The outputs are the sums of the last layer, without a bend.
#[derive(Debug, Clone, PartialEq)]
pub struct Hinges {
    pub(super) layers: Vec<HingeLayer>,
}

/// Why a network's nearest input cannot be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExact {
    /// An activation that is not piecewise linear.
    #[error(
        "the activation {0} is not piecewise linear, and only those are bounded exactly (help: attack with a method that \
         needs no exact pieces, such as patch-strong-linf or fab-t; verify without --nearest)"
    )]
    Activation(String),
    /// The part in front of the layers was linearised at a point.
    #[error(
        "the network's layers are seen at one point only (help: give a network of fully connected layers)"
    )]
    Entry,
}

/// `outer · max(0, inner · z + shift)`
struct Term {
    outer: f64,
    inner: f64,
    shift: f64,
}

/// How an activation is made of hinges.
enum HingeShape {
    /// `max(low · z, high · z)`
    Hinge(f64, f64),
    /// `min(low · z, high · z)` with `low > high`: the mirror image of a hinge.
    Mirrored(f64, f64),
    /// A sum of rectifiers and a constant.
    Sum(Vec<Term>, f64),
}

fn shape(function: UnaryFunction) -> Option<HingeShape> {
    use UnaryFunction::*;
    let term = |outer, inner, shift| Term { outer, inner, shift };
    Some(match function {
        Relu => HingeShape::Hinge(0.0, 1.0),
        Abs => HingeShape::Hinge(-1.0, 1.0),
        LeakyRelu { alpha } if alpha <= 1.0 => HingeShape::Hinge(alpha, 1.0),
        LeakyRelu { alpha } if alpha.is_finite() => HingeShape::Mirrored(alpha, 1.0),
        Clip { low, high } if low > high => return None,
        Clip { low, high } => match (low.is_finite(), high.is_finite()) {
            (true, true) => HingeShape::Sum(vec![term(1.0, 1.0, -low), term(-1.0, 1.0, -high)], low),
            (true, false) => HingeShape::Sum(vec![term(1.0, 1.0, -low)], low),
            (false, true) => HingeShape::Sum(vec![term(-1.0, -1.0, high)], high),
            (false, false) => return None,
        },
        HardSigmoid { alpha, beta } if alpha > 0.0 => {
            HingeShape::Sum(vec![term(1.0, alpha, beta), term(-1.0, alpha, beta - 1.0)], 0.0)
        }
        _ => return None,
    })
}

/// What stands for a layer's values: how many times each neuron's sum appears, with which factor, and what the next
/// layer multiplies it by.
struct Rewritten {
    layer: HingeLayer,
    /// Of each copy of the layer's neurons.
    outer: Vec<f64>,
    constant: f64,
}

fn rewrite(edges: Edges, shape: HingeShape) -> Rewritten {
    match shape {
        HingeShape::Hinge(low, high) => {
            Rewritten { layer: HingeLayer { edges, low, high }, outer: vec![1.0], constant: 0.0 }
        }
        HingeShape::Mirrored(low, high) => {
            // min(low z, high z) = −max(high (−z), low (−z)), where the argument is −z.
            let layer = HingeLayer { edges: copies(&edges, &[(-1.0, 0.0)]), low: high, high: low };
            Rewritten { layer, outer: vec![-1.0], constant: 0.0 }
        }
        HingeShape::Sum(terms, constant) => {
            let inner: Vec<(f64, f64)> = terms.iter().map(|term| (term.inner, term.shift)).collect();
            let layer = HingeLayer { edges: copies(&edges, &inner), low: 0.0, high: 1.0 };
            Rewritten { layer, outer: terms.iter().map(|term| term.outer).collect(), constant }
        }
    }
}

/// All rows with each factor and shift, one copy after the other.
fn copies(edges: &Edges, inner: &[(f64, f64)]) -> Edges {
    let mut copied = Edges { weights: Vec::new(), bias: Vec::new(), inputs: edges.inputs };
    for &(factor, shift) in inner {
        copied.weights.extend(edges.weights.iter().map(|w| factor * w));
        copied.bias.extend(edges.bias.iter().map(|b| factor * b + shift));
    }
    copied
}

/// The edges of the next layer, from the copies in front of it.
fn behind(edges: &Edges, outer: &[f64], constant: f64) -> Edges {
    let mut weights = Vec::with_capacity(edges.weights.len() * outer.len());
    let mut bias = edges.bias.clone();
    for (o, bias) in bias.iter_mut().enumerate() {
        let row = edges.row(o);
        outer.iter().for_each(|factor| weights.extend(row.iter().map(|w| factor * w)));
        *bias += constant * row.iter().sum::<f64>();
    }
    Edges { weights, bias, inputs: edges.inputs * outer.len() }
}

impl Hinges {
    /// The network of hinges that computes what the layers do.
    ///
    /// # Errors
    /// [`NotExact`] names an activation that is not piecewise linear.
    pub fn of(layered: &Layered) -> Result<Self, NotExact> {
        if layered.entry.is_some() {
            return Err(NotExact::Entry);
        }
        let mut layers = Vec::with_capacity(layered.layers.len());
        let (mut outer, mut constant) = (vec![1.0], 0.0);
        for EdgeLayer { edges, activation, .. } in &layered.layers {
            let edges = if outer == [1.0] && constant == 0.0 {
                edges.clone()
            } else {
                behind(edges, &outer, constant)
            };
            let shape = match activation {
                Some(function) => {
                    shape(*function).ok_or_else(|| NotExact::Activation(format!("{function:?}")))?
                }
                None => HingeShape::Hinge(1.0, 1.0),
            };
            let rewritten = rewrite(edges, shape);
            layers.push(rewritten.layer);
            (outer, constant) = (rewritten.outer, rewritten.constant);
        }
        Ok(Self { layers })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.layers[0].edges.inputs
    }

    /// Layers with hinges: all but the last.
    pub(super) fn bent(&self) -> usize {
        self.layers.len() - 1
    }

    /// All neurons with a hinge.
    pub fn neurons(&self) -> usize {
        self.layers[..self.bent()].iter().map(|layer| layer.edges.outputs()).sum()
    }

    /// The sums of each layer at an input; the last are the outputs.
    pub(super) fn sums(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut sums: Vec<Vec<f64>> = Vec::with_capacity(self.layers.len());
        let mut values = x.to_vec();
        for layer in &self.layers {
            let own = layer.edges.apply(&values);
            values = own.iter().map(|&z| (layer.low * z).max(layer.high * z)).collect();
            sums.push(own);
        }
        sums
    }

    /// `Σ coefficient · output` as an affine function of the inputs, in the region that these sums lie in: the slopes.
    pub(super) fn slopes(&self, sums: &[Vec<f64>], outputs: &[(usize, f64)]) -> Vec<f64> {
        let mut coefficients = vec![0.0; self.layers[self.bent()].edges.outputs()];
        outputs.iter().for_each(|&(o, c)| coefficients[o] += c);
        for at in (0..self.layers.len()).rev() {
            let layer = &self.layers[at];
            if at < self.bent() {
                for (c, &z) in coefficients.iter_mut().zip(&sums[at]) {
                    *c *= if z > 0.0 { layer.high } else { layer.low };
                }
            }
            coefficients = transposed(&layer.edges, &coefficients);
        }
        coefficients
    }
}

/// `coefficientsᵀ · weights`
pub(super) fn transposed(edges: &Edges, coefficients: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; edges.inputs];
    for (o, &c) in coefficients.iter().enumerate().filter(|(_, c)| **c != 0.0) {
        sums.iter_mut().zip(edges.row(o)).for_each(|(sum, w)| *sum += c * w);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn edges(inputs: usize, outputs: usize, random: &mut Random) -> Edges {
        let weights = (0..inputs * outputs).map(|_| random.normal()).collect();
        Edges { weights, bias: (0..outputs).map(|_| random.normal()).collect(), inputs }
    }

    fn check(function: UnaryFunction) {
        let mut random = Random::new(7);
        let layer = |inputs, outputs, activation, random: &mut Random| EdgeLayer {
            edges: edges(inputs, outputs, random),
            activation,
            shared: false,
        };
        let layers = vec![
            layer(3, 5, Some(function), &mut random),
            layer(5, 4, Some(function), &mut random),
            layer(4, 2, None, &mut random),
        ];
        let layered = Layered { entry: None, layers };
        let hinges = Hinges::of(&layered).unwrap();
        assert!(hinges.layers.iter().all(|layer| layer.low <= layer.high), "{function:?} is convex");
        for _ in 0..200 {
            let x: Vec<f64> = (0..3).map(|_| 2.0 * random.normal()).collect();
            let (sums, trace) = (hinges.sums(&x), layered.simulate(&x));
            for (a, b) in sums[2].iter().zip(trace.outputs()) {
                assert!((a - b).abs() < 1e-9, "{function:?}: {a} and {b}");
            }
            let slopes = hinges.slopes(&sums, &[(1, 2.0)]);
            let moved: Vec<f64> = x.iter().map(|x| x + 1e-7).collect();
            let gain = 2.0 * (hinges.sums(&moved)[2][1] - sums[2][1]);
            let told = slopes.iter().sum::<f64>() * 1e-7;
            assert!((gain - told).abs() < 1e-4, "{function:?}: {gain} and {told}");
        }
    }

    #[test]
    fn hinges_compute_what_the_activations_do() {
        use UnaryFunction::*;
        let functions = [
            Relu,
            Abs,
            LeakyRelu { alpha: 0.1 },
            LeakyRelu { alpha: -0.5 },
            LeakyRelu { alpha: 3.0 },
            Clip { low: -0.5, high: 0.8 },
            Clip { low: f64::NEG_INFINITY, high: 0.3 },
            Clip { low: 0.2, high: f64::INFINITY },
            HardSigmoid { alpha: 0.2, beta: 0.5 },
        ];
        functions.into_iter().for_each(check);
    }

    #[test]
    fn what_is_curved_is_refused_by_name() {
        let mut random = Random::new(7);
        let first = EdgeLayer {
            edges: edges(3, 5, &mut random),
            activation: Some(UnaryFunction::Sigmoid),
            shared: false,
        };
        let last = EdgeLayer { edges: edges(5, 2, &mut random), activation: None, shared: false };
        let refused = Hinges::of(&Layered { entry: None, layers: vec![first, last] });
        assert!(matches!(&refused, Err(NotExact::Activation(name)) if name == "Sigmoid"), "{refused:?}");
    }
}
