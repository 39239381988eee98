//! The features of images: the values of one layer of a network. Without a name it is the penultimate layer, what the
//! last matrix or convolution reads; a network that has no such layer behind its input gives its outputs.
//!
//! On a network of Inception's size an image takes a second: several threads share the images, and an interrupt ends it.

use std::thread;

use nalgebra::DMatrix;

use super::reader::PictureReader;
use crate::budget::Budget;
use crate::network::op::Op;
use crate::network::{Network, NodeId};

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureLayer {
    /// The nodes whose values are the features, one after the other.
    nodes: Vec<NodeId>,
    /// What it is, for people.
    pub name: String,
}

/// There is no such layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the network has no node {wanted} that depends on its input (help: there are {})", .known.join(", "))]
pub struct NoLayer {
    /// The name.
    pub wanted: String,
    /// Names that exist.
    pub known: Vec<String>,
}

impl FeatureLayer {
    /// The penultimate layer, or else the outputs.
    pub fn penultimate(network: &Network<f32>) -> Self {
        let linear = |op: &Op<f32>| matches!(op, Op::Affine(_) | Op::Conv(_) | Op::MatMul(_));
        let last = network.nodes().iter().rposition(|node| node.varies && linear(&node.op));
        let operand = last.and_then(|last| {
            network.nodes()[last].inputs.iter().copied().find(|&id| network.node(id).varies)
        });
        match operand.filter(|&id| !is_input(network, id)) {
            Some(id) => {
                let (name, size) = (network.node(id).name.clone(), network.node(id).len());
                Self { nodes: vec![id], name: format!("the penultimate layer, {size} values of node {name}") }
            }
            None => Self {
                nodes: network.outputs().to_vec(),
                name: format!("the outputs, {} values", network.output_len()),
            },
        }
    }

    /// The values of a node of the ONNX file, or of an output: the names of these are `outputs`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(network: &Network<f32>, outputs: &[&str], wanted: &str) -> Result<Self, NoLayer> {
        let nodes = network.nodes();
        let output = outputs.iter().position(|&output| output == wanted);
        if let Some(&id) = output.and_then(|output| network.outputs().get(output)) {
            let name = format!("{} values of output {wanted}", network.node(id).len());
            return Ok(Self { nodes: vec![id], name });
        }
        let Some(place) = nodes.iter().rposition(|node| node.varies && node.name == wanted) else {
            let mut known: Vec<String> = Vec::new();
            for node in nodes.iter().filter(|node| node.varies) {
                if known.last() != Some(&node.name) {
                    known.push(node.name.clone());
                }
            }
            known.extend(outputs.iter().map(|&output| output.to_owned()));
            return Err(NoLayer { wanted: wanted.to_owned(), known });
        };
        Ok(Self {
            nodes: vec![NodeId(place)],
            name: format!("{} values of node {wanted}", nodes[place].len()),
        })
    }

    /// How many features an image has.
    fn len(&self, network: &Network<f32>) -> usize {
        self.nodes.iter().map(|&id| network.node(id).len()).sum()
    }
}

/// Whether a node is an input, perhaps under another shape.
fn is_input(network: &Network<f32>, id: NodeId) -> bool {
    let node = network.node(id);
    match (&node.op, &node.inputs[..]) {
        (Op::Input(_), _) => true,
        (Op::Reshape(_), [operand]) => is_input(network, *operand),
        _ => false,
    }
}

/// A network, the layer of it that is measured, and how it is brought images.
#[derive(Debug)]
pub struct Features<'a> {
    /// The network.
    pub network: &'a Network<f32>,
    /// The layer.
    pub layer: FeatureLayer,
    /// How it reads images.
    pub reader: PictureReader,
    /// What all of it is, for people.
    pub name: String,
    /// Images at a time, at least one.
    pub threads: usize,
    /// What may interrupt it.
    pub budget: &'a Budget,
}

impl<'a> Features<'a> {
    /// Names what is measured: `of` is the network.
    pub fn new(
        network: &'a Network<f32>,
        layer: FeatureLayer,
        reader: PictureReader,
        of: &str,
        threads: usize,
        budget: &'a Budget,
    ) -> Self {
        let mut name = format!("{} of {of}", layer.name);
        if let Some(resized) = reader.resized() {
            name = format!("{name}, images {resized}");
        }
        Self { network, layer, reader, name, threads, budget }
    }

    /// The features of pictures, one row a picture: values from 0 to 1, the channels of a pixel side by side. What an
    /// interrupt leaves undone is zero.
    pub fn of(&self, pictures: &[Vec<f32>]) -> DMatrix<f64> {
        let columns = self.layer.len(self.network);
        let mut features = vec![0.0; pictures.len() * columns];
        let share = pictures.len().div_ceil(self.threads.max(1)).max(1);
        thread::scope(|scope| {
            let parts = pictures.chunks(share).zip(features.chunks_mut((share * columns).max(1)));
            for (pictures, rows) in parts {
                scope.spawn(move || self.fill(pictures, rows, columns));
            }
        });
        DMatrix::from_row_slice(pictures.len(), columns, &features)
    }

    fn fill(&self, pictures: &[Vec<f32>], rows: &mut [f64], columns: usize) {
        let mut workspace = self.network.workspace(1);
        for (picture, row) in pictures.iter().zip(rows.chunks_mut(columns.max(1))) {
            if self.budget.check().is_err() {
                return;
            }
            self.network.forward(&mut workspace, &self.reader.reads(picture));
            let values = self.layer.nodes.iter().flat_map(|&id| workspace.value(self.network, id));
            for (cell, &value) in row.iter_mut().zip(values) {
                *cell = f64::from(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::ChannelOrder;
    use crate::attack::images::Shape;
    use crate::attack::measures::frechet::frechet;
    use crate::attack::testing::{feature_model, mlp};
    use crate::budget::Interrupt;
    use crate::network::import;
    use crate::onnx::Model;
    use crate::random::Random;

    const GREY: Shape = Shape { height: 9, width: 4, channels: 1 };

    fn pictures(count: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = Random::new(seed);
        (0..count).map(|_| (0..GREY.len()).map(|_| random.unit() as f32).collect()).collect()
    }

    fn of(
        model: &Model,
        node: Option<&str>,
        threads: usize,
        pictures: &[Vec<f32>],
    ) -> (String, DMatrix<f64>) {
        let network = import::<f32>(model).unwrap();
        let reader = PictureReader::new(model, GREY, None, &[0.5], &[0.5]).unwrap();
        let outputs: Vec<&str> = model.graph.outputs.iter().map(|output| output.name.as_str()).collect();
        let layer = match node {
            Some(node) => FeatureLayer::named(&network, &outputs, node).unwrap(),
            None => FeatureLayer::penultimate(&network),
        };
        let budget = Budget::unlimited();
        let features = Features::new(&network, layer, reader, "f", threads, &budget);
        (features.name.clone(), features.of(pictures))
    }

    #[test]
    fn the_order_of_the_channels_and_the_threads_change_no_figure() {
        let (a, b) = (pictures(9, 1), pictures(9, 2));
        let distance = |order, threads| {
            let model = feature_model(order, 7);
            frechet(&of(&model, None, threads, &a).1, &of(&model, None, threads, &b).1).unwrap()
        };
        let first = distance(ChannelOrder::ChannelsFirst, 1);
        assert!(first > 1e-4, "{first}");
        for threads in [1, 2, 4, 50] {
            for order in [ChannelOrder::ChannelsFirst, ChannelOrder::ChannelsLast] {
                let other = distance(order, threads);
                assert!(
                    (other - first).abs() <= 1e-5 * first,
                    "{order:?}, {threads} threads: {other}, {first}"
                );
            }
        }
    }

    #[test]
    fn a_layer_is_named_by_its_node_or_by_an_output() {
        let model = feature_model(ChannelOrder::ChannelsFirst, 7);
        let output = model.graph.outputs[0].name.clone();
        let check = |node: Option<&str>, columns: usize, want: &str| {
            let (name, features) = of(&model, node, 1, &pictures(3, 1));
            let end = " of f, images resized from 9 x 4 x 1 to 7 x 5 x 3";
            assert!(name.contains(want) && name.ends_with(end), "{name}");
            assert_eq!((features.nrows(), features.ncols()), (3, columns), "{name}");
            features
        };
        let means = check(Some("means"), 6, "6 values of node means");
        let values = check(Some(&output), 5, "5 values of output");
        assert_eq!(check(None, 6, "the penultimate layer, 6 values"), means);
        // The outputs are those of the network itself.
        let reader = PictureReader::new(&model, GREY, None, &[0.5], &[0.5]).unwrap();
        let direct = import::<f32>(&model).unwrap().evaluate(&reader.reads(&pictures(3, 1)[2]));
        let row: Vec<f32> = values.row(2).iter().map(|&value| value as f32).collect();
        assert_eq!(row, direct);
        let network = import::<f32>(&model).unwrap();
        let missing = FeatureLayer::named(&network, &[&output], "nothing").unwrap_err();
        assert!(missing.known.contains(&"means".to_owned()) && missing.known.contains(&output), "{missing}");
    }

    #[test]
    fn an_interrupt_ends_it() {
        let victim = mlp(&[4, 5, 3], 1);
        let interrupt = Interrupt::default();
        let budget = Budget::unlimited().with_interrupt(interrupt.clone());
        let layer = FeatureLayer::named(&victim.network, &["y"], "y").unwrap();
        let reader = PictureReader::of_victim(&victim);
        let features = Features::new(&victim.network, layer, reader, "f", 2, &budget);
        let pictures = vec![vec![0.5; 4]; 3];
        assert_ne!(features.of(&pictures), DMatrix::zeros(3, 3));
        interrupt.raise();
        assert_eq!(features.of(&pictures), DMatrix::zeros(3, 3));
    }
}
