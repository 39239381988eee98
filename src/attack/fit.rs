//! Images and networks: in which order a network reads an image, and the way from the one to the other and back.

use super::images::{Shape, picture};
use super::victim::{ChannelOrder, ImageLayout, Scaling, Victim};
use crate::onnx::{Model, ValueInfo};

/// The network does not say how it reads images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// It reads a flat row of several channels.
    #[error(
        "the network's input {shape:?} does not tell where the {channels} channels are (help: add --layout nchw or --layout nhwc)"
    )]
    Order {
        /// The declared sizes.
        shape: Vec<usize>,
        /// Values a pixel.
        channels: usize,
    },
    /// Not one number a channel.
    #[error(
        "{option} has {given} numbers, the images have {channels} channel(s) (help: give one number, or one a channel)"
    )]
    Scaling {
        /// The option.
        option: &'static str,
        /// How many were given.
        given: usize,
        /// Values a pixel.
        channels: usize,
    },
}

/// The layout in which a network reads images of this shape; `order` is asked where its input is flat.
///
/// # Errors
/// If nothing tells.
pub fn layout(model: &Model, shape: Shape, order: Option<ChannelOrder>) -> Result<ImageLayout, FitError> {
    let Shape { height, width, channels } = shape;
    let declared = model.graph.inputs.first().and_then(ValueInfo::closed_shape).unwrap_or_default();
    let last = |wanted: [usize; 3]| declared.ends_with(&wanted);
    let found = match (last([channels, height, width]), last([height, width, channels])) {
        (true, false) => Some(ChannelOrder::ChannelsFirst),
        (false, true) => Some(ChannelOrder::ChannelsLast),
        _ => order.or((channels == 1).then_some(ChannelOrder::ChannelsFirst)),
    };
    let order = found.ok_or(FitError::Order { shape: declared, channels })?;
    Ok(ImageLayout { channels, height, width, order })
}

/// A scaling from one number for all channels or one each, as the options of these names give them.
///
/// # Errors
/// If there are others.
pub fn scaling(
    channels: usize,
    mean: &[f32],
    deviation: &[f32],
    names: [&'static str; 2],
) -> Result<Scaling, FitError> {
    let each = |option, numbers: &[f32], without: f32| match *numbers {
        [] => Ok(vec![without; channels]),
        [all] => Ok(vec![all; channels]),
        _ if numbers.len() == channels => Ok(numbers.to_vec()),
        _ => Err(FitError::Scaling { option, given: numbers.len(), channels }),
    };
    Ok(Scaling { mean: each(names[0], mean, 0.0)?, deviation: each(names[1], deviation, 1.0)? })
}

/// The flat input of this layout and scale for an image: values from 0 to 1, the channels of a pixel side by side.
pub fn input(layout: ImageLayout, scaling: &Scaling, image: &[f32]) -> Vec<f32> {
    let mut input = vec![0.0; layout.len()];
    for (at, &value) in image.iter().enumerate() {
        let (pixel, channel) = (at / layout.channels, at % layout.channels);
        let scaled = (value - scaling.mean[channel]) / scaling.deviation[channel];
        input[layout.index(pixel, channel)] = scaled;
    }
    input
}

impl Victim {
    /// The shape of its images.
    pub fn shape(&self) -> Shape {
        let ImageLayout { channels, height, width, .. } = self.layout;
        Shape { height, width, channels }
    }

    /// The input that it reads for an image: values from 0 to 1, the channels of a pixel side by side.
    pub fn reads(&self, image: &[f32]) -> Vec<f32> {
        input(self.layout, &self.scaling, image)
    }

    /// The input that a reader of the PNG file of an input gives the network; `None` where a PNG does not hold as many
    /// channels.
    pub fn pictured(&self, input: &[f32]) -> Option<Vec<f32>> {
        let bytes = picture::write(self.shape(), &self.shows(input)).ok()?;
        let (shape, values) = picture::read(&bytes).ok()?;
        (shape == self.shape()).then(|| self.reads(&values))
    }

    /// The image that an input is: the way back, up to rounding. Exact where inputs are not scaled.
    pub fn shows(&self, input: &[f32]) -> Vec<f32> {
        let one = |at: usize| {
            let (pixel, channel) = (at / self.layout.channels, at % self.layout.channels);
            let value = input[self.layout.index(pixel, channel)];
            value * self.scaling.deviation[channel] + self.scaling.mean[channel]
        };
        (0..self.layout.len()).map(one).collect()
    }
}
