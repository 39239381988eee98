//! Tables of labels: `index,label` or `file,label`, with or without a line of names. Columns called `index`, `file`,
//! `name` and `label`, `class` are found by their names; without names they are the first two.

use std::collections::HashMap;

use super::{ImageError, Set};
use crate::audit::csv::{self, Broken, Row};

/// Classes of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// One an image, in order.
    InOrder(Vec<usize>),
    /// By number or file name.
    ByName(HashMap<String, usize>),
}

impl Labels {
    /// One an image, in order.
    pub fn in_order(labels: Vec<usize>) -> Self {
        Self::InOrder(labels)
    }

    /// Gives the images their classes.
    ///
    /// # Errors
    /// If an image has none.
    pub fn give(&self, set: &mut Set) -> Result<(), ImageError> {
        let count = set.images.len();
        if let Self::InOrder(labels) = self
            && labels.len() != count
        {
            return Err(ImageError::Array(format!("of {} labels for {count} images", labels.len())));
        }
        for (at, image) in set.images.iter_mut().enumerate() {
            let file = image.name.rsplit('/').next().unwrap_or_default();
            let label = match self {
                Self::InOrder(labels) => labels.get(at),
                Self::ByName(labels) => labels.get(&image.name).or_else(|| labels.get(file)),
            };
            let missing = || ImageError::Unknown(format!("the labels say nothing of image {}", image.name));
            image.label = Some(*label.ok_or_else(missing)?);
        }
        Ok(())
    }
}

/// Reads a table.
///
/// # Errors
/// [`ImageError`] with the line.
pub fn parse(bytes: &[u8]) -> Result<Labels, ImageError> {
    let wrong = |line, what: &str| ImageError::Labels { line, what: what.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "not a table of text"))?;
    let rows = csv::rows(text).map_err(|Broken(line)| wrong(line, "a quote is not closed"))?;
    let (key, label, begin) = columns(rows.first());
    let mut labels = HashMap::new();
    for row in rows.get(begin..).unwrap_or_default() {
        let (Some(key), Some(class)) = (row.cells.get(key), row.cells.get(label)) else {
            return Err(wrong(row.line, "a column is missing"));
        };
        let class = class.parse::<usize>().map_err(|_| wrong(row.line, "the label is no whole number"))?;
        if labels.insert(key.clone(), class).is_some_and(|other| other != class) {
            return Err(wrong(row.line, "an image has two labels"));
        }
    }
    if labels.is_empty() { Err(wrong(1, "there are no labels")) } else { Ok(Labels::ByName(labels)) }
}

/// The columns of keys and labels, and the first row of the table proper.
fn columns(first: Option<&Row>) -> (usize, usize, usize) {
    let Some(first) = first else { return (0, 1, 0) };
    let named = |names: &[&str]| {
        first.cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    match (named(&["index", "file", "name", "image"]), named(&["label", "class", "true_label"])) {
        (Some(key), Some(label)) => (key, label, 1),
        _ => (0, 1, 0),
    }
}
