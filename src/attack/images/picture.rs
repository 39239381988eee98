//! PNG and JPEG: one image a file.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, Limits};

use super::{ImageError, Shape};

/// Longest side of a picture, in pixels: larger ones are no inputs of classifiers.
const LONGEST: u32 = 1 << 12;
/// Most memory for decoding one picture: 16 bits for each of four channels take half of it.
const MOST_MEMORY: u64 = 1 << 28;

/// Reads a picture: grey ones have one channel, all others red, green and blue. Transparency is left out.
///
/// # Errors
/// [`ImageError`] where the bytes are no PNG or JPEG.
pub fn read(bytes: &[u8]) -> Result<(Shape, Vec<f32>), ImageError> {
    let damaged = |what: String| ImageError::Damaged { at: 0, what };
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(match bytes {
        [0xff, 0xd8, ..] => ImageFormat::Jpeg,
        _ => ImageFormat::Png,
    });
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| damaged(error.to_string()))?;
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let grey = matches!(picture.color(), ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16);
    let (channels, values) = if grey { (1, grey_values(picture)) } else { (3, colour_values(picture)) };
    Ok((Shape { height, width, channels }, values))
}

fn grey_values(picture: DynamicImage) -> Vec<f32> {
    match picture {
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            picture.into_luma16().into_raw().into_iter().map(|value| f32::from(value) / 65535.0).collect()
        }
        other => other.into_luma8().into_raw().into_iter().map(|value| f32::from(value) / 255.0).collect(),
    }
}

fn colour_values(picture: DynamicImage) -> Vec<f32> {
    match picture {
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            picture.into_rgb16().into_raw().into_iter().map(|value| f32::from(value) / 65535.0).collect()
        }
        other => other.into_rgb8().into_raw().into_iter().map(|value| f32::from(value) / 255.0).collect(),
    }
}

/// Writes a PNG of values from 0 to 1, the channels of a pixel side by side; what is outside is cut off. One channel is
/// grey, three are colours; of two or four the last one, transparency, is left out.
///
/// # Errors
/// If the values do not fit the shape.
pub fn write(shape: Shape, values: &[f32]) -> Result<Vec<u8>, ImageError> {
    let (kept, colour) = match shape.channels {
        1 | 2 => (1, ExtendedColorType::L8),
        _ => (3, ExtendedColorType::Rgb8),
    };
    let pixels = values.chunks_exact(shape.channels.max(1));
    let bytes: Vec<u8> = pixels
        .flat_map(|pixel| pixel.iter().take(kept).map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8))
        .collect();
    let size = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let (width, height) = (size(shape.width), size(shape.height));
    if bytes.len() != kept * shape.width * shape.height {
        return Err(ImageError::Array(format!("of {} values, not of {shape:?}", values.len())));
    }
    let mut out = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut out);
    let written = encoder.write_image(&bytes, width, height, colour);
    written.map(|()| out).map_err(|error| ImageError::Array(error.to_string()))
}

/// How a change is shown: grey where nothing changed, lighter or darker where it did, the largest change of the image
/// being white or black.
pub fn difference(original: &[f32], result: &[f32]) -> Vec<f32> {
    let changes: Vec<f32> = original.iter().zip(result).map(|(from, to)| to - from).collect();
    let largest = changes.iter().fold(0.0_f32, |most, change| most.max(change.abs()));
    let scale = if largest > 0.0 { 0.5 / largest } else { 0.0 };
    changes.into_iter().map(|change| 0.5 + change * scale).collect()
}
