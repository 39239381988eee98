//! How a network of features reads the pictures of a run: any network of images will do, whatever their size.
//!
//! A picture (values 0 to 1) is brought to the network's height and width ([`bilinear`]), to its channels ([`recolour`])
//! and to its scale, in this order, which is that of pytorch-fid. Which axis of the input has the channels is told by
//! its size, 1 or 3. A network of the same images that reads flat rows is read as the network under attack is.

use super::resize::{bilinear, recolour};
use crate::attack::Victim;
use crate::attack::fit::{self, FitError};
use crate::attack::images::Shape;
use crate::attack::victim::{ChannelOrder, ImageLayout, Scaling};
use crate::onnx::{Dim, Model, ValueInfo};

/// Why pictures cannot be brought before a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// It has no input, or several.
    #[error("the network has {0} inputs (help: a network of features reads one image)")]
    Inputs(usize),
    /// It does not read images.
    #[error(
        "the network's input {declared:?} is no image (help: export it with an input [1, channels, height, width] or \
         [1, height, width, channels]; a flat row has to have the {values} values of an image of the run)"
    )]
    NoImage {
        /// The declared sizes.
        declared: Vec<usize>,
        /// Values of an image of the run.
        values: usize,
    },
    /// A height, a width or the channels are a name.
    #[error(
        "the network's input {0} leaves open how large its images are (help: export it with numbers in place of the \
         names; networks of Inception's kind read 299 x 299)"
    )]
    Open(String),
    /// It reads several images at once.
    #[error("the network reads {0} images at once (help: export it with a first size of 1, or an open one)")]
    Batch(usize),
    /// No axis has as many entries as an image has channels.
    #[error(
        "the network's input {0:?} has no axis of channels (help: its second or its last size has to be 1, grey, or 3, colour)"
    )]
    NoChannels(Vec<usize>),
    /// Two axes have.
    #[error(
        "the network's input {0:?} does not tell which axis the channels are (help: add --layout nchw or --layout nhwc)"
    )]
    Order(Vec<usize>),
    /// Pictures with transparency, or of other channels.
    #[error(
        "the images have {images} channels, the network reads {network} (help: only grey and three colours become one another)"
    )]
    Colours {
        /// Values a pixel of the run's images.
        images: usize,
        /// Values a pixel that the network reads.
        network: usize,
    },
    /// The scale or the order of flat rows.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// What a network makes of a picture before its first layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureReader {
    images: Shape,
    layout: ImageLayout,
    scaling: Scaling,
}

impl PictureReader {
    /// The victim's own way.
    pub fn of_victim(victim: &Victim) -> Self {
        Self { images: victim.shape(), layout: victim.layout, scaling: victim.scaling.clone() }
    }

    /// For images of this shape. `order` is asked where the input does not tell; `mean` and `deviation` hold no number, one,
    /// or one a channel of the network.
    ///
    /// # Errors
    /// [`ReaderError`] where the network does not read images, or none that these can become.
    pub fn new(
        model: &Model,
        images: Shape,
        order: Option<ChannelOrder>,
        mean: &[f32],
        deviation: &[f32],
    ) -> Result<Self, ReaderError> {
        let layout = match &model.graph.inputs[..] {
            [_] if reads_alike(model, images) => fit::layout(model, images, order)?,
            [input] => layout(input, images, order)?,
            inputs => return Err(ReaderError::Inputs(inputs.len())),
        };
        if recolour(&[], images.channels, layout.channels).is_none() {
            return Err(ReaderError::Colours { images: images.channels, network: layout.channels });
        }
        let names = ["--features-mean", "--features-std"];
        let scaling = fit::scaling(layout.channels, mean, deviation, names)?;
        Ok(Self { images, layout, scaling })
    }

    /// The network's input for a picture: values from 0 to 1, the channels of a pixel side by side.
    pub fn reads(&self, picture: &[f32]) -> Vec<f32> {
        let ImageLayout { channels, height, width, .. } = self.layout;
        if (height, width) == (self.images.height, self.images.width) && channels == self.images.channels {
            return fit::input(self.layout, &self.scaling, picture);
        }
        let resized = bilinear(picture, self.images, height, width);
        let coloured = recolour(&resized, self.images.channels, channels).unwrap_or(resized);
        fit::input(self.layout, &self.scaling, &coloured)
    }

    /// What is done to pictures, for people; `None` where they stay as large as they are.
    pub fn resized(&self) -> Option<String> {
        let (Shape { height, width, channels }, to) = (self.images, self.layout);
        let same = (height, width, channels) == (to.height, to.width, to.channels);
        (!same).then(|| {
            format!(
                "resized from {height} x {width} x {channels} to {} x {} x {}",
                to.height, to.width, to.channels
            )
        })
    }
}

/// Whether an input is one of the run's images, as a picture or as a flat row.
fn reads_alike(model: &Model, images: Shape) -> bool {
    let Shape { height, width, channels } = images;
    let declared = model.graph.inputs.first().and_then(ValueInfo::closed_shape).unwrap_or_default();
    let flat = declared.len() != 4 || declared.iter().filter(|&&size| size > 1).count() <= 1;
    let whole =
        declared.ends_with(&[channels, height, width]) || declared.ends_with(&[height, width, channels]);
    declared.iter().try_fold(1usize, |all, &size| all.checked_mul(size)) == Some(images.len())
        && (flat || whole)
}

/// The layout of an input with four axes.
fn layout(input: &ValueInfo, images: Shape, order: Option<ChannelOrder>) -> Result<ImageLayout, ReaderError> {
    let declared = input.closed_shape().unwrap_or_default();
    let [batch, second, third, last] = declared[..] else {
        return Err(ReaderError::NoImage { declared, values: images.len() });
    };
    let dims = input.shape.as_deref().unwrap_or_default();
    if dims.iter().skip(1).any(|dim| matches!(dim, Dim::Symbolic(_))) {
        let text = |dim: &Dim| match dim {
            Dim::Fixed(size) => size.to_string(),
            Dim::Symbolic(name) if name.is_empty() => "?".to_owned(),
            Dim::Symbolic(name) => name.clone(),
        };
        let texts: Vec<String> = dims.iter().map(text).collect();
        return Err(ReaderError::Open(format!("[{}]", texts.join(", "))));
    }
    if batch != 1 {
        return Err(ReaderError::Batch(batch));
    }
    let is_channels = |size: usize| matches!(size, 1 | 3);
    let order = match (is_channels(second), is_channels(last)) {
        (true, false) => ChannelOrder::ChannelsFirst,
        (false, true) => ChannelOrder::ChannelsLast,
        (true, true) => order.ok_or_else(|| ReaderError::Order(declared.clone()))?,
        (false, false) => return Err(ReaderError::NoChannels(declared)),
    };
    Ok(match order {
        ChannelOrder::ChannelsFirst => ImageLayout { channels: second, height: third, width: last, order },
        ChannelOrder::ChannelsLast => ImageLayout { channels: last, height: second, width: third, order },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{ElementType, Graph};

    const GREY: Shape = Shape { height: 2, width: 2, channels: 1 };
    const COLOUR: Shape = Shape { height: 2, width: 1, channels: 3 };

    /// A model of which only the input matters; 0 is an open size.
    fn model(sizes: &[usize]) -> Model {
        let dim = |&size: &usize| if size == 0 { Dim::Symbolic("n".into()) } else { Dim::Fixed(size) };
        let shape = Some(sizes.iter().map(dim).collect());
        let mut graph = Graph::default();
        graph.inputs.push(ValueInfo { name: "input".into(), element: ElementType::Float32, shape });
        Model { path: "features.onnx".into(), ir_version: 8, opset: 13, graph }
    }

    fn reader(
        sizes: &[usize],
        images: Shape,
        order: Option<ChannelOrder>,
    ) -> Result<PictureReader, ReaderError> {
        PictureReader::new(&model(sizes), images, order, &[], &[])
    }

    #[test]
    fn the_axis_of_the_channels_is_told_by_its_size() {
        use ChannelOrder::{ChannelsFirst as First, ChannelsLast as Last};
        let check = |sizes: &[usize], order, want: (usize, usize, usize, ChannelOrder)| {
            let layout = reader(sizes, GREY, order).map(|reader| reader.layout);
            let (channels, height, width, order) = want;
            assert_eq!(layout, Ok(ImageLayout { channels, height, width, order }), "{sizes:?}");
        };
        check(&[1, 3, 299, 299], None, (3, 299, 299, First));
        check(&[0, 1, 8, 6], None, (1, 8, 6, First));
        check(&[0, 8, 6, 3], None, (3, 8, 6, Last));
        check(&[1, 8, 6, 1], Some(First), (1, 8, 6, Last));
        check(&[1, 3, 6, 1], Some(First), (3, 6, 1, First));
        check(&[1, 3, 6, 1], Some(Last), (1, 3, 6, Last));
        // The run's own images, as pictures and flat.
        check(&[1, 1, 2, 2], None, (1, 2, 2, First));
        check(&[0, 2, 2, 1], None, (1, 2, 2, Last));
        for flat in [&[1, 4][..], &[4], &[1, 1, 1, 4], &[1, 4, 1, 1]] {
            check(flat, None, (1, 2, 2, First));
        }
    }

    #[test]
    fn an_input_that_holds_no_such_picture_is_refused_with_a_remedy() {
        let check = |sizes: &[usize], images, want: &str| {
            let error = reader(sizes, images, None).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(want) && error.contains("(help: "), "{sizes:?}: {error}");
        };
        check(&[1, 5], GREY, "[1, 5] is no image");
        check(&[3, 8, 8], GREY, "[3, 8, 8] is no image");
        check(&[1, 3, 8, 3], GREY, "does not tell which axis");
        check(&[1, 5, 8, 8], GREY, "no axis of channels");
        check(&[0, 3, 0, 0], GREY, "[n, 3, n, n] leaves open");
        check(&[8, 3, 9, 9], GREY, "reads 8 images at once");
        check(&[1, 3, 9, 9], Shape { channels: 4, ..GREY }, "have 4 channels, the network reads 3");
        check(&[1, 6], COLOUR, "add --layout nchw");
        let two = PictureReader::new(&model(&[1, 3, 9, 9]), GREY, None, &[0.5, 0.5], &[]);
        assert!(two.is_err_and(|error| error.to_string().starts_with("--features-mean has 2 numbers")));
        let mut none = model(&[1, 3, 9, 9]);
        none.graph.inputs.clear();
        assert_eq!(PictureReader::new(&none, GREY, None, &[], &[]), Err(ReaderError::Inputs(0)));
    }

    #[test]
    fn a_picture_is_resized_then_coloured_then_scaled() {
        let check =
            |sizes: &[usize], images, picture: &[f32], mean: &[f32], deviation: &[f32], want: &[f32]| {
                let reader = PictureReader::new(&model(sizes), images, None, mean, deviation).unwrap();
                let got = reader.reads(picture);
                let near = got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6);
                assert!(near && got.len() == want.len(), "{sizes:?}: {got:?}, not {want:?}");
            };
        let line = Shape { height: 1, width: 2, channels: 1 };
        let scaled = [-1.0, -0.5, 0.5, 1.0];
        let thrice = [scaled, scaled, scaled].concat();
        check(&[1, 3, 1, 4], line, &[0.0, 1.0], &[0.5], &[0.5], &thrice);
        let aside: Vec<f32> = [scaled, scaled].concat().iter().flat_map(|&value| [value; 3]).collect();
        check(&[1, 2, 4, 3], line, &[0.0, 1.0], &[0.5], &[0.5], &aside);
        // One mean a channel of the network; and as many rows and columns as before.
        let (grey, means) = ([0.5, 0.5, 1.0, 1.0], [0.0, 0.25, 0.5]);
        let coloured = [0.5, 0.5, 1.0, 1.0, 0.25, 0.25, 0.75, 0.75, 0.0, 0.0, 0.5, 0.5];
        check(&[1, 3, 2, 2], GREY, &grey, &means, &[], &coloured);
        let greyed = [0.299, 0.299, 0.25275, 0.25275, 0.16025, 0.16025, 0.114, 0.114];
        check(&[1, 1, 4, 2], COLOUR, &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0], &[], &[], &greyed);
    }

    #[test]
    fn what_was_done_is_said() {
        let check = |sizes: &[usize], want: Option<&str>| {
            assert_eq!(reader(sizes, GREY, None).unwrap().resized().as_deref(), want);
        };
        check(&[0, 3, 299, 299], Some("resized from 2 x 2 x 1 to 299 x 299 x 3"));
        check(&[1, 4], None);
        check(&[1, 1, 2, 2], None);
    }
}
