//! Tables of labels: `index,label` or `file,label`, with or without a line of names. Columns called `index`, `file`,
//! `name` and `label`, `class` are found by their names; without names they are the first two. A column called `target`
//! names the class that an attack on the image should reach; where its cell is empty, any wrong class will do.

use std::collections::HashMap;

use super::{ImageError, Set};
use crate::csv::{self, Broken, TableRow};

/// Classes of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// One an image, in order.
    InOrder(Vec<usize>),
    /// By number or file name: the class, and the class that an attack should reach.
    ByName(HashMap<String, (usize, Option<usize>)>),
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
            let found = match self {
                Self::InOrder(labels) => labels.get(at).map(|&label| (label, None)),
                Self::ByName(labels) => labels.get(&image.name).or_else(|| labels.get(file)).copied(),
            };
            let missing = || ImageError::Unknown(format!("the labels say nothing of image {}", image.name));
            let (label, target) = found.ok_or_else(missing)?;
            (image.label, image.target) = (Some(label), target);
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
    let LabelColumns { key, label, target, begin } = columns(rows.first());
    let mut labels = HashMap::new();
    for row in rows.get(begin..).unwrap_or_default() {
        let (Some(key), Some(class)) = (row.cells.get(key), row.cells.get(label)) else {
            return Err(wrong(row.line, "a column is missing"));
        };
        let class = class.parse::<usize>().map_err(|_| wrong(row.line, "the label is no whole number"))?;
        let target = target.and_then(|target| row.cells.get(target)).filter(|cell| !cell.is_empty());
        let target = target.map(|cell| cell.parse::<usize>()).transpose();
        let target = target.map_err(|_| wrong(row.line, "the target is no whole number"))?;
        if labels.insert(key.clone(), (class, target)).is_some_and(|other| other != (class, target)) {
            return Err(wrong(row.line, "an image has two labels or targets"));
        }
    }
    if labels.is_empty() { Err(wrong(1, "there are no labels")) } else { Ok(Labels::ByName(labels)) }
}

/// Where the columns are, and the first row of the table proper.
struct LabelColumns {
    key: usize,
    label: usize,
    target: Option<usize>,
    begin: usize,
}

fn columns(first: Option<&TableRow>) -> LabelColumns {
    let unnamed = LabelColumns { key: 0, label: 1, target: None, begin: 0 };
    let Some(first) = first else { return unnamed };
    let named = |names: &[&str]| {
        first.cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    match (named(&["index", "file", "name", "image"]), named(&["label", "class", "true_label"])) {
        (Some(key), Some(label)) => {
            LabelColumns { key, label, target: named(&["target", "target_class"]), begin: 1 }
        }
        _ => unnamed,
    }
}
