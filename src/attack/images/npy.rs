//! One array of numpy (`.npy`), format versions 1 to 3, by the crate `ndarray-npy`:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. The header is a Python literal; it is refused where it
//! is longer than numpy reads, or nested as no header is, before the crate sees it; and the sizes in it are checked against the
//! bytes that follow before any memory is asked for.

use ndarray::{ArrayD, ArrayView1, ArrayView2, ShapeBuilder};
use ndarray_npy::npy::header::{Header, Layout};
use ndarray_npy::{ReadDataError, ReadableElement, WriteNpyError, WriteNpyExt};

use super::{ImageError, Set, Shape};
use crate::onnx::ElementType;

/// How the file begins.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of a header, as numpy has it (`max_header_size`).
const MOST_HEADER: usize = 10_000;
/// Brackets within each other: a dictionary, a tuple of sizes, and what types of several fields are made of.
const MOST_BRACKETS: usize = 16;

/// Numbers of an array, as they are in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its sizes.
    pub sizes: Vec<usize>,
    /// Its values, the last axis innermost.
    pub values: Vec<f64>,
    /// Whether they are bytes: then white is 255.
    pub bytes: bool,
}

/// What is written as an array.
#[derive(Debug, Clone, Copy)]
pub enum ArrayColumn<'a> {
    /// Single precision, rows of so many values.
    Floats(&'a [f32], usize),
    /// Whole numbers.
    Numbers(&'a [i64]),
    /// Texts.
    Texts(&'a [&'a str]),
}

/// Writes an array: floats as `<f4`, whole numbers as `<i8`, texts as `<U` and the longest of them.
///
/// # Errors
/// As the crate's; what is in memory has never met one.
pub fn write(column: ArrayColumn<'_>) -> Result<Vec<u8>, WriteNpyError> {
    let mut bytes = Vec::new();
    match column {
        ArrayColumn::Floats(values, width) => {
            let rows = values.len() / width.max(1);
            let array = ArrayView2::from_shape((rows, width), values);
            array.map_err(|error| WriteNpyError::FormatData(error.into()))?.write_npy(&mut bytes)?;
        }
        ArrayColumn::Numbers(values) => ArrayView1::from(values).write_npy(&mut bytes)?,
        ArrayColumn::Texts(texts) => {
            // A text of numpy is a row of code points of four bytes, filled up with zeros. The crate writes no texts.
            let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            let descr = format!("'<U{longest}'").parse();
            let type_descriptor = descr.map_err(|error| WriteNpyError::FormatData(Box::new(error)))?;
            let header = Header { type_descriptor, layout: Layout::Standard, shape: vec![texts.len()] };
            header.write(&mut bytes)?;
            for text in texts {
                let points = text.chars().map(u32::from).chain(std::iter::repeat(0));
                bytes.extend(points.take(longest).flat_map(u32::to_le_bytes));
            }
        }
    }
    Ok(bytes)
}

/// Writes numbers in a network's type. Those of `bfloat16`, which numpy has not, are written as `<f4`: every one of them is one.
///
/// # Errors
/// As [`write`].
pub fn typed(element: ElementType, shape: Vec<usize>, values: &[f64]) -> Result<Vec<u8>, WriteNpyError> {
    fn all<const N: usize>(values: &[f64], bytes: impl Fn(f64) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(|&x| bytes(x)).collect()
    }
    let (descr, data) = match element {
        ElementType::Float16 => ("'<f2'", all(values, |x| half::f16::from_f64(x).to_le_bytes())),
        ElementType::Float32 | ElementType::BFloat16 => ("'<f4'", all(values, |x| (x as f32).to_le_bytes())),
        ElementType::Float64 => ("'<f8'", all(values, f64::to_le_bytes)),
        ElementType::Int8 => ("'|i1'", all(values, |x| (x as i8).to_le_bytes())),
        ElementType::Int16 => ("'<i2'", all(values, |x| (x as i16).to_le_bytes())),
        ElementType::Int32 => ("'<i4'", all(values, |x| (x as i32).to_le_bytes())),
        ElementType::Int64 => ("'<i8'", all(values, |x| (x as i64).to_le_bytes())),
        ElementType::UInt8 => ("'|u1'", all(values, |x| [x as u8])),
        ElementType::UInt16 => ("'<u2'", all(values, |x| (x as u16).to_le_bytes())),
        ElementType::UInt32 => ("'<u4'", all(values, |x| (x as u32).to_le_bytes())),
        ElementType::UInt64 => ("'<u8'", all(values, |x| (x as u64).to_le_bytes())),
        ElementType::Bool => ("'|b1'", all(values, |x| [u8::from(x != 0.0)])),
    };
    let type_descriptor = descr.parse().map_err(|error| WriteNpyError::FormatData(Box::new(error)))?;
    let mut bytes = Vec::new();
    Header { type_descriptor, layout: Layout::Standard, shape }.write(&mut bytes)?;
    bytes.extend(data);
    Ok(bytes)
}

/// Reads an array, in rows or in columns (Fortran's order).
///
/// # Errors
/// [`ImageError`] where the bytes are no array of numbers.
pub fn read(bytes: &[u8]) -> Result<Array, ImageError> {
    check_header(bytes)?;
    let mut data = bytes;
    let header = Header::from_reader(&mut data);
    let header = header.map_err(|error| damaged(MAGIC.len(), &error.to_string()))?;
    let unusable = || {
        ImageError::Array(format!("of type {} (help: save it as uint8 or float32)", header.type_descriptor))
    };
    let descr = header.type_descriptor.as_string().ok_or_else(unusable)?;
    let code = descr.trim_start_matches(['<', '>', '|']);
    let values = match code {
        "b1" => values(&header, data, 1, |truth: bool| f64::from(u8::from(truth))),
        "u1" => values::<u8>(&header, data, 1, f64::from),
        "u2" => values::<u16>(&header, data, 2, f64::from),
        "u4" => values::<u32>(&header, data, 4, f64::from),
        "u8" => values(&header, data, 8, |number: u64| number as f64),
        "i1" => values::<i8>(&header, data, 1, f64::from),
        "i2" => values::<i16>(&header, data, 2, f64::from),
        "i4" => values::<i32>(&header, data, 4, f64::from),
        "i8" => values(&header, data, 8, |number: i64| number as f64),
        "f4" => values::<f32>(&header, data, 4, f64::from),
        "f8" => values::<f64>(&header, data, 8, f64::from),
        _ => return Err(unusable()),
    };
    let values = values.map_err(|error| match error {
        ReadDataError::WrongDescriptor(_) => unusable(),
        ReadDataError::MissingData => {
            let what = format!("{} bytes of numbers do not fit the sizes in the header", data.len());
            damaged(bytes.len() - data.len(), &what)
        }
        other => damaged(bytes.len() - data.len(), &other.to_string()),
    })?;
    Ok(Array { values, bytes: code == "u1", sizes: header.shape.clone() })
}

fn damaged(at: usize, what: &str) -> ImageError {
    ImageError::Damaged { at, what: what.to_owned() }
}

/// Whether there is a header that can be given to a parser which trusts its length and its brackets.
fn check_header(bytes: &[u8]) -> Result<(), ImageError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged(0, "not an array of numpy"))?;
    let (length, start): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err(damaged(MAGIC.len(), "a format version other than 1, 2 and 3")),
    };
    if length > MOST_HEADER {
        return Err(damaged(start, &format!("the header is longer than {MOST_HEADER} bytes")));
    }
    let header = bytes.get(start..start + length);
    let header = header.ok_or_else(|| damaged(start, "the header is longer than the file"))?;
    let mut open = 0_usize;
    for byte in header {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MOST_BRACKETS {
            return Err(damaged(start, &format!("the header has brackets more than {MOST_BRACKETS} deep")));
        }
    }
    Ok(())
}

/// The values in the order of rows, each of `size` bytes in the file.
fn values<T: ReadableElement>(
    header: &Header,
    data: &[u8],
    size: usize,
    number: impl Fn(T) -> f64,
) -> Result<Vec<f64>, ReadDataError> {
    let count = header.shape.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
    let count = count.filter(|&count| count.checked_mul(size) == Some(data.len()));
    let count = count.ok_or(ReadDataError::MissingData)?;
    let values = T::read_to_end_exact_vec(data, &header.type_descriptor, count)?;
    let values: Vec<f64> = values.into_iter().map(number).collect();
    if !header.layout.is_fortran() {
        return Ok(values);
    }
    let columns = ArrayD::from_shape_vec(header.shape.clone().set_f(true), values);
    let columns = columns.map_err(|error| ReadDataError::ParseData(error.into()))?;
    Ok(columns.iter().copied().collect())
}

impl Array {
    /// The array as images.
    ///
    /// # Errors
    /// If its sizes are not those of images, or a value is out of range.
    pub fn images(self) -> Result<Set, ImageError> {
        let found = Shape::of_array(&self.sizes).filter(|(shape, _)| !shape.is_empty());
        let Some((shape, channels_first)) = found else {
            return Err(ImageError::Array(format!(
                "{:?} (help: images are an array [N,H,W], [N,H,W,C], [N,C,H,W] or, if they are square, [N,H*W*C])",
                self.sizes
            )));
        };
        let largest = self.values.iter().fold(0.0_f64, |most, &value| most.max(value));
        let white = if self.bytes || largest > 1.0 { 255.0 } else { 1.0 };
        if let Some(at) = self.values.iter().position(|value| !(0.0..=white).contains(value)) {
            return Err(ImageError::Range { image: at / shape.len(), value: self.values[at].to_string() });
        }
        // The division is in single precision, as the networks were trained with.
        let values: Vec<f32> = self.values.iter().map(|&value| value as f32 / white as f32).collect();
        Ok(Set::from_values(shape, &if channels_first { interleaved(shape, &values) } else { values }))
    }

    /// The array as classes, one an image.
    ///
    /// # Errors
    /// If it is no list of whole numbers.
    pub fn labels(self) -> Result<Vec<usize>, ImageError> {
        let list = matches!(self.sizes[..], [_] | [_, 1]);
        let whole =
            |value: &f64| (value.fract() == 0.0 && (0.0..1e9).contains(value)).then_some(*value as usize);
        let labels = list.then(|| self.values.iter().map(whole).collect::<Option<Vec<usize>>>()).flatten();
        labels.ok_or_else(|| {
            ImageError::Array("no list of classes (help: one whole number an image, from 0)".into())
        })
    }
}

/// Values with the channels of a pixel side by side, from whole channels one after the other.
pub(super) fn interleaved(shape: Shape, values: &[f32]) -> Vec<f32> {
    let pixels = shape.height * shape.width;
    let one = |image: &[f32]| -> Vec<f32> {
        (0..image.len()).map(|at| image[at % shape.channels * pixels + at / shape.channels]).collect()
    };
    values.chunks_exact(shape.len().max(1)).flat_map(one).collect()
}
