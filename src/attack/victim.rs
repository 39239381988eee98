//! The classifier under attack, and how its flat input is an image.

use std::sync::Arc;

use crate::network::{self, ImportError, Network};
use crate::onnx::Model;
use crate::reference::{Engine, Precision, Unsupported};

/// Where the channels of an image are in the flat input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOrder {
    /// All values of the first channel, then of the second.
    ChannelsFirst,
    /// The channels of a pixel side by side.
    ChannelsLast,
}

/// The image that a flat input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLayout {
    /// Values a pixel.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Order of the values.
    pub order: ChannelOrder,
}

impl ImageLayout {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.channels * self.pixels()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The flat index of a channel's value of a pixel (row-major).
    pub fn index(&self, pixel: usize, channel: usize) -> usize {
        match self.order {
            ChannelOrder::ChannelsFirst => channel * self.pixels() + pixel,
            ChannelOrder::ChannelsLast => pixel * self.channels + channel,
        }
    }

    /// The pixel that a flat index belongs to.
    pub fn pixel(&self, index: usize) -> usize {
        match self.order {
            ChannelOrder::ChannelsFirst => index % self.pixels(),
            ChannelOrder::ChannelsLast => index / self.channels,
        }
    }

    /// The channel that a flat index belongs to.
    pub fn channel(&self, index: usize) -> usize {
        match self.order {
            ChannelOrder::ChannelsFirst => index / self.pixels(),
            ChannelOrder::ChannelsLast => index % self.channels,
        }
    }
}

/// Why a network is no classifier of images that this program can attack.
#[derive(Debug, thiserror::Error)]
pub enum VictimError {
    /// The fast engine cannot evaluate it.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The reference engine cannot.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It reads another number of values than the images have.
    #[error(
        "the network reads {network} values, an image of {channels} x {height} x {width} has {image} (help: check --layout and --images)"
    )]
    Size {
        /// What the network reads.
        network: usize,
        /// What an image has.
        image: usize,
        /// Values a pixel.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// It has one output.
    #[error(
        "the network has {0} output(s), a classifier has at least two (help: give the network whose outputs are the classes' scores)"
    )]
    Classes(usize),
}

/// How the values of an image become inputs of the network, channel by channel: `(value / 255 - mean) / deviation`.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// Subtracted, one a channel, on the scale 0 to 1.
    pub mean: Vec<f32>,
    /// Divided by, one a channel.
    pub deviation: Vec<f32>,
}

impl Scaling {
    /// Inputs are the values themselves, 0 to 1.
    pub fn unit(channels: usize) -> Self {
        Self { mean: vec![0.0; channels], deviation: vec![1.0; channels] }
    }
}

/// A classifier: the class of an image is the index of its largest output, the first among equals.
///
/// Methods see images on the scale of the network's inputs; `lower` and `upper` are black and white there, `unit` the way
/// between them.
#[derive(Debug)]
pub struct Victim {
    /// The fast engine: forward, gradients, bounds.
    pub network: Network<f32>,
    /// The same in double precision, for linear programs.
    pub double: Network<f64>,
    /// How an input is an image.
    pub layout: ImageLayout,
    /// The scale of the inputs.
    pub scaling: Scaling,
    /// The valid range's lower ends, one an input.
    pub lower: Vec<f32>,
    /// Its upper ends.
    pub upper: Vec<f32>,
    /// By how much each input moves where its pixel's value moves by 1, the way from black to white. Limits and distances
    /// are in pixels: whatever compares the two scales asks here.
    pub unit: Vec<f32>,
    engine: Engine,
}

impl Victim {
    /// A classifier of images of this layout.
    ///
    /// # Errors
    /// [`VictimError`] where the network cannot be evaluated or does not fit the images.
    pub fn new(model: Arc<Model>, layout: ImageLayout, scaling: Scaling) -> Result<Self, VictimError> {
        let network = network::import::<f32>(&model)?;
        if network.input_len() != layout.len() {
            let ImageLayout { channels, height, width, .. } = layout;
            let (network, image) = (network.input_len(), layout.len());
            return Err(VictimError::Size { network, image, channels, height, width });
        }
        if network.output_len() < 2 {
            return Err(VictimError::Classes(network.output_len()));
        }
        let channel = |index: usize| layout.channel(index);
        let end = |value: f32| {
            let scaled =
                |index: usize| (value - scaling.mean[channel(index)]) / scaling.deviation[channel(index)];
            (0..layout.len()).map(scaled).collect::<Vec<f32>>()
        };
        let (lower, upper) = (end(0.0), end(1.0));
        let unit = (0..layout.len()).map(|index| 1.0 / scaling.deviation[channel(index)]).collect();
        let double = network::import::<f64>(&model)?;
        Ok(Self { network, double, layout, lower, upper, unit, scaling, engine: Engine::new(model)? })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.network.output_len()
    }

    /// By how much a pixel's value moves, 0 to 1, where its input moves by so much.
    pub fn in_pixels(&self, index: usize, change: f64) -> f64 {
        change / f64::from(self.unit[index])
    }

    /// The network's outputs by the reference engine, which shares no kernel with the fast one; `None` where it
    /// cannot compute them.
    pub fn replay(&self, input: &[f32]) -> Option<Vec<f64>> {
        let mut inputs = Vec::new();
        let mut rest = input;
        for &id in self.network.inputs() {
            let (own, after) = rest.split_at(self.network.node(id).len());
            inputs.push(own.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
            rest = after;
        }
        let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs = self.engine.run(&views, Precision::Model).ok()?;
        Some(outputs.into_iter().flat_map(|output| output.values).collect())
    }
}

/// The class that a network's outputs name: the first largest. `None` where an output is no number.
pub fn decision<T: PartialOrd + Copy>(outputs: &[T]) -> Option<usize> {
    let mut best = 0;
    for (class, value) in outputs.iter().enumerate() {
        value.partial_cmp(value)?;
        if *value > outputs[best] {
            best = class;
        }
    }
    (!outputs.is_empty()).then_some(best)
}
