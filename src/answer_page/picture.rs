//! The input as a picture, where its shape is that of one: the middle of the box, the point, and the change, amplified.

use maud::{Markup, html};
use vnnlib::{Query, Role, Version};

use super::AnswerContent;
use super::point::ShownPoint;
use super::slices::PointInBox;
use crate::attack::images::{Shape, picture};
use crate::report::chart::short;
use crate::report::markup::png_source;

/// How the values of an input are a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PictureShape {
    shape: Shape,
    channels_first: bool,
}

/// The pictures; nothing where the input is none.
pub(super) fn pictures(
    content: &AnswerContent<'_>,
    point: Option<&ShownPoint>,
    place: &PointInBox<'_>,
) -> Markup {
    let (Some(point), Some(shape)) = (point, of_content(content)) else { return html! {} };
    let bounds = place.declared_box();
    let middle: Vec<f64> = bounds.iter().map(|(low, high)| 0.5 * low + 0.5 * high).collect();
    let found = point.inputs(content.query);
    let ends = middle.iter().chain(&found).filter(|value| value.is_finite());
    let (least, most) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &value| {
        (least.min(value), most.max(value))
    });
    let [middle, found] = [middle, found].map(|values| shape.pixels(&values, least, most));
    let difference = picture::difference(&middle, &found);
    let largest = middle.iter().zip(&found).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    let shown = [
        ("the middle of the box", middle),
        ("the point found", found),
        ("the change, amplified", difference),
    ];
    html! {
        h2 { "As a picture" }
        div.pictures {
            @for (name, values) in shown {
                figure {
                    // Values of this shape always fit it.
                    img alt=(name) src=(png_source(&picture::write(shape.shape, &values).unwrap_or_default()));
                    figcaption { (name) }
                }
            }
        }
        p {
            (shape.shape) ", by the shape of the input. Black is " (short(least)) ", white " (short(most))
            "; in the last one grey is no change, and white or black the largest, "
            (short(f64::from(largest) * (most - least))) "."
        }
    }
}

/// How the only input is a picture; `None` where it is none.
fn of_content(content: &AnswerContent<'_>) -> Option<PictureShape> {
    let sizes = of_query(content.query).or_else(|| match content.models {
        [model] => match model.graph.inputs.as_slice() {
            [input] => input.closed_shape(),
            _ => None,
        },
        _ => None,
    })?;
    let shape = PictureShape::of(&sizes)?;
    let inputs = content.query.tensors().iter().filter(|tensor| tensor.role() == Role::Input);
    (inputs.map(vnnlib::Tensor::len).sum::<usize>() == shape.shape.len()).then_some(shape)
}

/// The declared shape: VNN-LIB 1.0 declares none.
fn of_query(query: &Query) -> Option<Vec<usize>> {
    if query.version() == Version::V1 {
        return None;
    }
    let mut inputs = query.tensors().iter().filter(|tensor| tensor.role() == Role::Input);
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Some(input.shape().iter().map(|&size| size as usize).collect()),
        _ => None,
    }
}

impl PictureShape {
    /// Of 1 x channels x rows x columns or 1 x rows x columns x channels, grey or in three colours. Where both could be meant,
    /// the channels come first, as in most networks.
    fn of(sizes: &[usize]) -> Option<Self> {
        let is_channels = |size: usize| size == 1 || size == 3;
        let is_side = |size: usize| size > 1;
        match *sizes {
            [1, channels, height, width] if is_channels(channels) && is_side(height) && is_side(width) => {
                Some(Self { shape: Shape { height, width, channels }, channels_first: true })
            }
            [1, height, width, channels] if is_channels(channels) && is_side(height) && is_side(width) => {
                Some(Self { shape: Shape { height, width, channels }, channels_first: false })
            }
            _ => None,
        }
    }

    /// The values from 0 to 1, the channels of a pixel side by side.
    fn pixels(self, values: &[f64], least: f64, most: f64) -> Vec<f32> {
        let Shape { height, width, channels } = self.shape;
        let at = |pixel: usize, channel: usize| match self.channels_first {
            true => channel * height * width + pixel,
            false => pixel * channels + channel,
        };
        let scale = if most > least { 1.0 / (most - least) } else { 0.0 };
        let value =
            |pixel, channel| values.get(at(pixel, channel)).map_or(0.0, |value| (value - least) * scale);
        (0..height * width).flat_map(|p| (0..channels).map(move |c| value(p, c) as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_alone_says_what_is_a_picture() {
        let shape = |height, width, channels, channels_first| {
            Some(PictureShape { shape: Shape { height, width, channels }, channels_first })
        };
        for (sizes, want) in [
            (&[1, 3, 32, 30][..], shape(32, 30, 3, true)),
            (&[1, 28, 28, 1], shape(28, 28, 1, false)),
            (&[1, 3, 5, 3], shape(5, 3, 3, true)),
            (&[1, 4, 8, 8], None),
            (&[2, 3, 8, 8], None),
            (&[1, 1, 1, 5], None),
            (&[1, 784], None),
        ] {
            assert_eq!(PictureShape::of(sizes), want, "{sizes:?}");
        }
    }

    #[test]
    fn both_orders_are_the_same_picture() {
        let (first, last) = (PictureShape::of(&[1, 3, 2, 2]), PictureShape::of(&[1, 2, 2, 3]));
        let planes: Vec<f64> = (0..12).map(f64::from).collect();
        let pixels: Vec<f64> = (0..4).flat_map(|p| (0..3).map(move |c| f64::from(4 * c + p))).collect();
        let shown = first.unwrap().pixels(&planes, 0.0, 11.0);
        assert_eq!(shown, last.unwrap().pixels(&pixels, 0.0, 11.0));
        assert_eq!((shown[0], shown[11]), (0.0, 1.0));
    }
}
