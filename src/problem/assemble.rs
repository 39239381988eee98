//! Several networks, couplings and products as one network.

use crate::network::build::Builder;
use crate::network::op::{Binary, BinaryFunction, Concat, Op, Rearrange, Unary, UnaryFunction};
use crate::network::shape::{self, ShapeError};
use crate::network::{Network, NodeId, Real};
use crate::onnx::ElementType;
use crate::property::layout::{Factor, Layout, Space};

/// The network that is searched: its inputs and outputs are those of the layout.
///
/// # Errors
/// If the whole is too large.
pub(super) fn assemble<T: Real>(
    mut networks: Vec<Network<T>>,
    layout: &Layout,
) -> Result<Network<T>, ShapeError> {
    let rounds = (0..layout.inputs()).any(|input| !layout.element(input).is_float());
    if networks.len() == 1 && !layout.has_couplings() && layout.products().is_empty() && !rounds {
        return networks.pop().ok_or_else(|| ShapeError("there is no network".into()));
    }
    let mut builder = Builder::default();
    let (sources, feeds) = inputs(&mut builder, &networks, layout)?;
    let (mut outputs, mut feeds) = (Vec::new(), feeds.as_slice());
    for network in &networks {
        let (own, rest) = feeds.split_at(network.inputs().len());
        outputs.extend(builder.embed(network, own)?);
        feeds = rest;
    }
    if !layout.products().is_empty() {
        let product = products(&mut builder, &sources, &outputs, layout)?;
        outputs.extend(product);
    }
    Ok(builder.finish(outputs))
}

/// The inputs of the search, and the nodes that the networks' inputs get.
fn inputs<T: Real>(
    builder: &mut Builder<T>,
    networks: &[Network<T>],
    layout: &Layout,
) -> Result<(Vec<NodeId>, Vec<NodeId>), ShapeError> {
    let declared: Vec<_> =
        networks.iter().flat_map(|net| net.inputs().iter().map(|&id| net.node(id))).collect();
    let (mut sources, mut feeds) = (Vec::new(), Vec::new());
    if layout.has_couplings() {
        sources.push(builder.input("inputs", ElementType::Float64, vec![layout.inputs()])?);
    }
    let mut offset = 0;
    for node in declared {
        let mut feed = if layout.has_couplings() {
            let own = layout.sources().get(offset..offset + node.len()).unwrap_or_default();
            let wiring = pick(layout.inputs(), &node.shape, own)?;
            builder.push(&node.name, wiring, &sources, node.element)?
        } else {
            let source = builder.input(&node.name, node.element, node.shape.clone())?;
            sources.push(source);
            source
        };
        offset += node.len();
        if !node.element.is_float() {
            feed = builder.push(&node.name, Op::Unary(Unary(UnaryFunction::Round)), &[feed], node.element)?;
        }
        feeds.push(feed);
    }
    Ok((sources, feeds))
}

/// The products of inputs and outputs, in the layout's order: those with the same powers are computed together.
fn products<T: Real>(
    builder: &mut Builder<T>,
    sources: &[NodeId],
    outputs: &[NodeId],
    layout: &Layout,
) -> Result<Vec<NodeId>, ShapeError> {
    let mut flat = Vec::with_capacity(sources.len() + outputs.len());
    for &id in sources.iter().chain(outputs) {
        let len = shape::len(builder.shape(id));
        flat.push(builder.push("flat", Op::Reshape(vec![len]), &[id], ElementType::Float64)?);
    }
    let all = builder.push("variables", Op::Concat(Concat { axis: 0 }), &flat, ElementType::Float64)?;
    let count = layout.inputs() + layout.declared_outputs();
    let place = |&((space, index), _): &Factor| match space {
        Space::Input => index,
        Space::Output => layout.inputs() + index,
    };
    let alike = |a: &Vec<Factor>, b: &Vec<Factor>| a.iter().map(|f| f.1).eq(b.iter().map(|f| f.1));
    let mut results = Vec::new();
    for group in layout.products().chunk_by(alike) {
        let Some(first) = group.first() else { continue };
        let mut product: Option<NodeId> = None;
        for (number, &(_, power)) in first.iter().enumerate() {
            let places: Vec<usize> = group.iter().map(|factors| place(&factors[number])).collect();
            let wiring = pick(count, &[places.len()], &places)?;
            let mut factor = builder.push("factor", wiring, &[all], ElementType::Float64)?;
            if power > 1 {
                let function = UnaryFunction::Power { exponent: f64::from(power) };
                factor =
                    builder.push("power", Op::Unary(Unary(function)), &[factor], ElementType::Float64)?;
            }
            product = Some(match product {
                None => factor,
                Some(so_far) => {
                    let times = Op::Binary(Binary(BinaryFunction::Mul));
                    builder.push("product", times, &[so_far, factor], ElementType::Float64)?
                }
            });
        }
        results.extend(product);
    }
    Ok(results)
}

/// The index map that takes these places of a vector, in the given shape.
fn pick<T>(from: usize, to: &[usize], places: &[usize]) -> Result<Op<T>, ShapeError> {
    let mut places = places.iter();
    Ok(Op::Rearrange(Rearrange::from_fn(&[from], to, 0.0, |_| places.next().copied())?))
}
