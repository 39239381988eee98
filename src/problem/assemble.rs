//! Several networks, couplings, inputs that follow, and products as one network.

use crate::network::build::Builder;
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Binary, BinaryFunction, Concat, Op, Rearrange, Unary, UnaryFunction};
use crate::network::shape::{self, ShapeError};
use crate::network::{Network, NodeId, Real};
use crate::onnx::ElementType;
use crate::property::followed::FollowedInput;
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
    let (sources, outputs) = if layout.has_couplings() {
        Wiring::new(&mut builder, &networks, layout)?.join(&mut builder)?
    } else {
        side_by_side(&mut builder, &networks)?
    };
    let mut all = outputs;
    if !layout.products().is_empty() {
        let product = products(&mut builder, &sources, &all, layout)?;
        all.extend(product);
    }
    Ok(builder.finish(all))
}

/// The networks with inputs of their own: those, and all outputs.
fn side_by_side<T: Real>(
    builder: &mut Builder<T>,
    networks: &[Network<T>],
) -> Result<(Vec<NodeId>, Vec<NodeId>), ShapeError> {
    let declared = networks.iter().flat_map(|net| net.inputs().iter().map(|&id| net.node(id)));
    // All inputs come before all else: a sweep over a part of the network meets them all.
    let sources: Vec<NodeId> = declared
        .map(|node| builder.input(&node.name, node.element, node.shape.clone()))
        .collect::<Result<_, _>>()?;
    let (mut outputs, mut rest) = (Vec::new(), sources.iter());
    for network in networks {
        let mut feeds = Vec::new();
        for (node, &source) in network.inputs().iter().map(|&id| network.node(id)).zip(&mut rest) {
            feeds.push(whole_numbers(builder, source, &node.name, node.element)?);
        }
        outputs.extend(builder.embed(network, &feeds)?);
    }
    Ok((sources, outputs))
}

/// The numbers as an input of this type takes them.
fn whole_numbers<T: Real>(
    builder: &mut Builder<T>,
    feed: NodeId,
    name: &str,
    element: ElementType,
) -> Result<NodeId, ShapeError> {
    if element.is_float() {
        return Ok(feed);
    }
    builder.push(name, Op::Unary(Unary(UnaryFunction::Round)), &[feed], element)
}

/// Numbers that lie one after the other in the inputs of the search or in its outputs.
#[derive(Clone, Copy)]
struct KnownStretch {
    space: Space,
    first: usize,
    len: usize,
    node: NodeId,
}

/// Networks whose inputs are taken from one vector, or from what other networks compute.
struct Wiring<'w, T> {
    networks: &'w [Network<T>],
    layout: &'w Layout,
    source: NodeId,
    /// What there is to take from.
    known: Vec<KnownStretch>,
    /// The nodes of each network's outputs.
    outputs: Vec<Vec<NodeId>>,
    /// The nodes of inputs that follow as sums, with where they begin among the outputs.
    sums: Vec<(usize, NodeId)>,
}

impl<'w, T: Real> Wiring<'w, T> {
    fn new(
        builder: &mut Builder<T>,
        networks: &'w [Network<T>],
        layout: &'w Layout,
    ) -> Result<Self, ShapeError> {
        let source = builder.input("inputs", ElementType::Float64, vec![layout.inputs()])?;
        let known = vec![KnownStretch { space: Space::Input, first: 0, len: layout.inputs(), node: source }];
        Ok(Self {
            networks,
            layout,
            source,
            known,
            outputs: vec![Vec::new(); networks.len()],
            sums: Vec::new(),
        })
    }

    /// The inputs of the search, and the declared outputs with the sums behind them.
    fn join(mut self, builder: &mut Builder<T>) -> Result<(Vec<NodeId>, Vec<NodeId>), ShapeError> {
        for &number in self.layout.order() {
            self.add_sums(builder)?;
            let Some(network) = self.networks.get(number) else { continue };
            let before = |of: fn(&Network<T>) -> usize| self.networks[..number].iter().map(of).sum::<usize>();
            let (mut input, mut first) = (before(Network::input_len), before(Network::output_len));
            let mut feeds = Vec::new();
            for node in network.inputs().iter().map(|&id| network.node(id)) {
                let places: Vec<_> =
                    (input..input + node.len()).map(|i| self.layout.place_of_input(i)).collect();
                let feed = self.gather(builder, &places, &node.shape, node.element)?;
                feeds.push(whole_numbers(builder, feed, &node.name, node.element)?);
                input += node.len();
            }
            self.outputs[number] = builder.embed(network, &feeds)?;
            for &output in &self.outputs[number] {
                let len = shape::len(builder.shape(output));
                let node = builder.push("flat", Op::Reshape(vec![len]), &[output], ElementType::Float64)?;
                self.known.push(KnownStretch { space: Space::Output, first, len, node });
                first += len;
            }
        }
        self.add_sums(builder)?;
        self.sums.sort_unstable_by_key(|&(first, _)| first);
        let sums = self.sums.into_iter().map(|(_, node)| node);
        Ok((vec![self.source], self.outputs.concat().into_iter().chain(sums).collect()))
    }

    /// Computes the sums whose terms are known by now, those that lie one after the other by one layer.
    fn add_sums(&mut self, builder: &mut Builder<T>) -> Result<(), ShapeError> {
        let is_known = |input: &FollowedInput| {
            input.terms.iter().all(|&(v, _)| self.stretch(self.layout.place(v)).is_some())
        };
        let place = |input: &FollowedInput| Some(self.layout.place_of_input(*input.members.first()?).1);
        let sums = self.layout.followed().iter().filter_map(|input| Some((place(input)?, input)));
        let ready = |&(place, input): &(usize, &FollowedInput)| {
            place >= self.layout.declared_outputs()
                && self.stretch((Space::Output, place)).is_none()
                && is_known(input)
        };
        let ready: Vec<(usize, &FollowedInput)> = sums.filter(ready).collect();
        let is_done = ready.is_empty();
        for run in ready.chunk_by(|a, b| a.0 + 1 == b.0) {
            let Some(&(first, _)) = run.first() else { continue };
            let node = self.layer(builder, run)?;
            self.sums.push((first, node));
            self.known.push(KnownStretch { space: Space::Output, first, len: run.len(), node });
        }
        // Others may follow from these.
        if is_done { Ok(()) } else { self.add_sums(builder) }
    }

    /// Sums as one layer over all that they read.
    fn layer(&self, builder: &mut Builder<T>, run: &[(usize, &FollowedInput)]) -> Result<NodeId, ShapeError> {
        let terms = |input: &FollowedInput| -> Vec<((Space, usize), f64)> {
            input.terms.iter().map(|&(v, c)| (self.layout.place(v), c)).collect()
        };
        let mut places: Vec<_> = run.iter().flat_map(|(_, input)| terms(input)).map(|term| term.0).collect();
        places.sort_unstable();
        places.dedup();
        let mut entries = Vec::new();
        for (row, (_, input)) in (0..).zip(run) {
            let at = |place| places.partition_point(|&other| other < place) as u32;
            entries.extend(terms(input).into_iter().map(|(place, c)| (row, at(place), T::of(c))));
        }
        let operand = self.gather(builder, &places, &[places.len()], ElementType::Float64)?;
        let affine = Affine {
            matrix: Matrix::sparse(run.len(), places.len(), entries),
            bias: run.iter().map(|(_, input)| T::of(input.constant)).collect(),
            axis: 0,
        };
        builder.push("sums", Op::Affine(affine), &[operand], ElementType::Float64)
    }

    /// The stretch that has a number, if there is one by now.
    fn stretch(&self, (space, index): (Space, usize)) -> Option<usize> {
        let has = |s: &KnownStretch| s.space == space && (s.first..s.first + s.len).contains(&index);
        self.known.iter().position(has)
    }

    /// These numbers in the given shape. What is a whole stretch as it stands is taken as it is: a network whose inputs are all that
    /// another one computes stays a chain of layers with it.
    fn gather(
        &self,
        builder: &mut Builder<T>,
        places: &[(Space, usize)],
        to: &[usize],
        element: ElementType,
    ) -> Result<NodeId, ShapeError> {
        let missing = || ShapeError("an input follows from what is not computed yet".into());
        let found = places.iter().map(|&place| self.stretch(place)).collect::<Option<Vec<_>>>();
        let found = found.ok_or_else(missing)?;
        let mut used = found.clone();
        used.sort_unstable();
        used.dedup();
        let mut offsets = vec![0; self.known.len()];
        let mut next = 0;
        for &stretch in &used {
            offsets[stretch] = next;
            next += self.known[stretch].len;
        }
        let from = |(&stretch, &(_, index)): (&usize, &(Space, usize))| {
            offsets[stretch] + index - self.known[stretch].first
        };
        let at: Vec<usize> = found.iter().zip(places).map(from).collect();
        let total = next;
        let nodes: Vec<NodeId> = used.iter().map(|&stretch| self.known[stretch].node).collect();
        let pool = match nodes.as_slice() {
            &[one] => one,
            several => {
                builder.push("known", Op::Concat(Concat { axis: 0 }), several, ElementType::Float64)?
            }
        };
        let as_it_is = at.len() == total && at.iter().enumerate().all(|(i, &from)| i == from);
        let wiring = if as_it_is { Op::Reshape(to.to_vec()) } else { pick(total, to, &at)? };
        builder.push("wiring", wiring, &[pool], element)
    }
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
    let count = layout.inputs() + layout.declared_outputs() + layout.sums();
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
