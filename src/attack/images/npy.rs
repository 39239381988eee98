//! One array of numpy (`.npy`), format versions 1 to 3:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. The header is a Python dictionary; the
//! sizes in it are checked against the bytes that follow before any memory is asked for.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_until};
use nom::character::complete::{char, multispace0, u64};
use nom::combinator::{opt, value};
use nom::multi::{many1, separated_list0};
use nom::sequence::{delimited, separated_pair, terminated};
use nom::{IResult, Parser};

use super::{ImageError, Set, Shape};

/// How the file begins.
pub const MAGIC: &[u8] = b"\x93NUMPY";

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
pub enum Column<'a> {
    /// Single precision, rows of so many values.
    Floats(&'a [f32], usize),
    /// Whole numbers.
    Numbers(&'a [i64]),
    /// Texts.
    Texts(&'a [&'a str]),
}

/// Writes an array, format version 1: floats as `<f4`, whole numbers as `<i8`, texts as `<U` and the longest of them.
pub fn write(column: Column<'_>) -> Vec<u8> {
    let (descr, sizes, data) = match column {
        Column::Floats(values, width) => {
            let rows = values.len() / width.max(1);
            let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            ("<f4".to_owned(), format!("({rows}, {width})"), data)
        }
        Column::Numbers(values) => {
            let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            ("<i8".to_owned(), format!("({},)", values.len()), data)
        }
        Column::Texts(texts) => {
            // A text of numpy is a row of code points of four bytes, filled up with zeros.
            let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            let padded = |text: &&str| {
                let points = text.chars().map(u32::from).chain(std::iter::repeat(0));
                points.take(longest).flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
            };
            (format!("<U{longest}"), format!("({},)", texts.len()), texts.iter().flat_map(padded).collect())
        }
    };
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {sizes}, }}");
    // The data begins at a multiple of 64 bytes; the header ends with a line feed.
    let header = format!("{dictionary:<width$}\n", width = (dictionary.len() + 11).next_multiple_of(64) - 11);
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes(), &data].concat()
}

/// An entry of the header.
#[derive(Debug, Clone)]
enum Entry {
    Text(String),
    Truth(bool),
    Sizes(Vec<u64>),
}

/// How one number is written.
#[derive(Debug, Clone, Copy)]
enum Element {
    Truth,
    Unsigned(usize),
    Signed(usize),
    Float(usize),
}

impl Element {
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "b1" => Self::Truth,
            "u1" | "u2" | "u4" | "u8" => Self::Unsigned(usize::from(code.as_bytes()[1] - b'0')),
            "i1" | "i2" | "i4" | "i8" => Self::Signed(usize::from(code.as_bytes()[1] - b'0')),
            "f4" | "f8" => Self::Float(usize::from(code.as_bytes()[1] - b'0')),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::Truth => 1,
            Self::Unsigned(size) | Self::Signed(size) | Self::Float(size) => size,
        }
    }

    /// The number in `bytes`, of which there are [`size`](Self::size), the lowest first.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        let whole = u64::from_le_bytes(padded);
        match self {
            Self::Truth | Self::Unsigned(_) => whole as f64,
            Self::Signed(size) => {
                let unused = 64 - 8 * u32::try_from(size).unwrap_or(8);
                ((whole << unused).cast_signed() >> unused) as f64
            }
            Self::Float(4) => f64::from(f32::from_bits(whole as u32)),
            Self::Float(_) => f64::from_bits(whole),
        }
    }
}

/// Reads an array.
///
/// # Errors
/// [`ImageError`] where the bytes are no array of numbers in row-major order.
pub fn read(bytes: &[u8]) -> Result<Array, ImageError> {
    let damaged = |at: usize, what: &str| ImageError::Damaged { at, what: what.to_owned() };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged(0, "not an array of numpy"))?;
    let (length, start): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err(damaged(6, "a format version other than 1, 2 and 3")),
    };
    let header = start.checked_add(length).and_then(|end| bytes.get(start..end));
    let header = header.ok_or_else(|| damaged(start, "the header is longer than the file"))?;
    let text = std::str::from_utf8(header).map_err(|_| damaged(start, "the header is no text"))?;
    let (_, entries) = dictionary(text).map_err(|_| damaged(start, "the header is no dictionary"))?;
    let (mut descr, mut column_major, mut sizes) = (None, false, None);
    for (key, entry) in entries {
        match (key, entry) {
            ("descr", Entry::Text(text)) => descr = Some(text),
            ("fortran_order", Entry::Truth(truth)) => column_major = truth,
            ("shape", Entry::Sizes(numbers)) => sizes = Some(numbers),
            _ => {}
        }
    }
    let descr = descr.ok_or_else(|| damaged(start, "the header has no `descr`"))?;
    let sizes = sizes.ok_or_else(|| damaged(start, "the header has no `shape`"))?;
    if column_major && sizes.len() > 1 {
        return Err(ImageError::Array(
            "in Fortran order (help: save `numpy.ascontiguousarray(array)`)".into(),
        ));
    }
    array(&descr, &sizes, &bytes[start + length..], start + length)
}

fn array(descr: &str, sizes: &[u64], data: &[u8], at: usize) -> Result<Array, ImageError> {
    let unusable = || ImageError::Array(format!("of type {descr} (help: save it as uint8 or float32)"));
    let (big, code) = match descr.split_at_checked(1) {
        Some(("<" | "|" | "=", code)) => (false, code),
        Some((">", code)) => (true, code),
        _ => return Err(unusable()),
    };
    let element = Element::of(code).ok_or_else(unusable)?;
    let sizes: Option<Vec<usize>> = sizes.iter().map(|&size| usize::try_from(size).ok()).collect();
    let count =
        sizes.as_ref().and_then(|sizes| sizes.iter().try_fold(1_usize, |all, &size| all.checked_mul(size)));
    let wanted = count.and_then(|count| count.checked_mul(element.size()));
    let (Some(sizes), true) = (sizes, wanted == Some(data.len())) else {
        let what = format!("{} bytes of numbers do not fit the sizes in the header", data.len());
        return Err(ImageError::Damaged { at, what });
    };
    let mut number = [0; 8];
    let values = data.chunks_exact(element.size()).map(|bytes| {
        let number = &mut number[..bytes.len()];
        number.copy_from_slice(bytes);
        if big {
            number.reverse();
        }
        element.number(number)
    });
    Ok(Array { values: values.collect(), bytes: matches!(element, Element::Unsigned(1)), sizes })
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

/// `dictionary = "{" { key ":" entry [ "," ] } "}"`
fn dictionary(input: &str) -> IResult<&str, Vec<(&str, Entry)>> {
    let pair = separated_pair(text, delimited(multispace0, char(':'), multispace0), entry);
    let pairs = many1(terminated(pair, (multispace0, opt(char(',')), multispace0)));
    delimited((multispace0, char('{'), multispace0), pairs, char('}')).parse(input)
}

/// `text = "'" { character } "'"`
fn text(input: &str) -> IResult<&str, &str> {
    delimited(char('\''), take_until("'"), char('\'')).parse(input)
}

/// `entry = text | "True" | "False" | "(" [ number { "," number } [ "," ] ] ")"`
fn entry(input: &str) -> IResult<&str, Entry> {
    let comma = || delimited(multispace0, char(','), multispace0);
    let numbers = terminated(separated_list0(comma(), u64), opt(comma()));
    alt((
        text.map(|text| Entry::Text(text.to_owned())),
        value(Entry::Truth(true), tag("True")),
        value(Entry::Truth(false), tag("False")),
        delimited((char('('), multispace0), numbers, (multispace0, char(')'))).map(Entry::Sizes),
    ))
    .parse(input)
}
