//! Images and their labels, from the files that data sets are kept in. Every reader takes bytes, so that each can be
//! tested on garbled ones; what a file is follows from its first bytes, not from its name.
//!
//! Whatever the file, a [`Set`] holds values from 0 (black) to 1 (white), the channels of a pixel side by side.

pub mod cifar;
pub mod idx;
pub mod labels;
pub mod npy;
pub mod npz;
pub mod picture;
mod shape;

pub use shape::Shape;

/// One image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Its number in the array, or its file's name.
    pub name: String,
    /// Values from 0 to 1: rows, columns, channels.
    pub values: Vec<f32>,
    /// The right class.
    pub label: Option<usize>,
    /// The class that an attack should reach, if one was chosen.
    pub target: Option<usize>,
}

/// Images of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Their shape.
    pub shape: Shape,
    /// The images, in the file's order.
    pub images: Vec<Image>,
}

/// Why bytes are no images or labels that this program can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The bytes end too early, or there are too many.
    #[error("byte {at}: {what} (help: the file is damaged or incomplete; fetch it again)")]
    Damaged {
        /// Where.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// It is something else.
    #[error(
        "{0} (help: give a folder of PNG or JPEG files, .npy, .npz, MNIST's IDX, or CIFAR-10's binary format)"
    )]
    Unknown(String),
    /// An array of the wrong kind.
    #[error("the array is {0}")]
    Array(String),
    /// A value that is no number from 0 to 1, nor from 0 to 255.
    #[error(
        "image {image}: a value is {value} (help: images hold bytes, or numbers from 0 to 1 or from 0 to 255)"
    )]
    Range {
        /// The image's number.
        image: usize,
        /// The value.
        value: String,
    },
    /// A table of labels that cannot be read.
    #[error("line {line}: {what} (help: a line is `INDEX,LABEL` or `FILE,LABEL`; more columns do no harm)")]
    Labels {
        /// The line.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFileKind {
    /// One numpy array.
    Npy,
    /// A zip archive of numpy arrays.
    Npz,
    /// MNIST's format.
    Idx,
    /// A picture.
    Picture,
    /// CIFAR-10's records, which have no mark of their own.
    Cifar,
}

/// What a file holds; `None` if it is none of the formats.
pub fn kind(bytes: &[u8]) -> Option<ImageFileKind> {
    let begins = |mark: &[u8]| bytes.starts_with(mark);
    match () {
        () if begins(npy::MAGIC) => Some(ImageFileKind::Npy),
        () if begins(b"PK\x03\x04") => Some(ImageFileKind::Npz),
        () if begins(b"\x89PNG") || begins(b"\xff\xd8\xff") => Some(ImageFileKind::Picture),
        () if begins(&[0, 0, 8]) && matches!(bytes.get(3), Some(1..=4)) => Some(ImageFileKind::Idx),
        () if !bytes.is_empty() && bytes.len().is_multiple_of(cifar::RECORD) => Some(ImageFileKind::Cifar),
        () => None,
    }
}

/// Reads a file of images.
///
/// # Errors
/// [`ImageError`] with the place.
pub fn read(bytes: &[u8]) -> Result<Set, ImageError> {
    match kind(bytes) {
        Some(ImageFileKind::Npy) => npy::read(bytes)?.images(),
        Some(ImageFileKind::Npz) => npz::read(bytes),
        Some(ImageFileKind::Idx) => idx::images(bytes),
        Some(ImageFileKind::Cifar) => cifar::read(bytes),
        Some(ImageFileKind::Picture) => {
            Err(ImageError::Unknown("this is one picture, not a set of them".into()))
        }
        None => Err(ImageError::Unknown("no known format of images".into())),
    }
}

/// Reads a file of labels: an array, IDX, or a table.
///
/// # Errors
/// [`ImageError`] with the place.
pub fn read_labels(bytes: &[u8]) -> Result<labels::Labels, ImageError> {
    match kind(bytes) {
        Some(ImageFileKind::Npy) => Ok(labels::Labels::in_order(npy::read(bytes)?.labels()?)),
        Some(ImageFileKind::Npz) => Ok(labels::Labels::in_order(npz::labels(bytes)?)),
        Some(ImageFileKind::Idx) => Ok(labels::Labels::in_order(idx::labels(bytes)?)),
        _ => labels::parse(bytes),
    }
}

impl Set {
    /// Images from values one after the other, all of one shape, without labels.
    fn from_values(shape: Shape, values: &[f32]) -> Self {
        let images = values.chunks_exact(shape.len().max(1)).enumerate();
        let image = |(at, values): (usize, &[f32])| Image {
            name: at.to_string(),
            values: values.to_vec(),
            label: None,
            target: None,
        };
        Self { shape, images: images.map(image).collect() }
    }

    /// The same images with their classes, in order.
    ///
    /// # Errors
    /// If there is not one label an image.
    fn with_labels(mut self, labels: Vec<usize>) -> Result<Self, ImageError> {
        if labels.len() != self.images.len() {
            let (images, labels) = (self.images.len(), labels.len());
            return Err(ImageError::Array(format!("of {labels} labels for {images} images")));
        }
        for (image, label) in self.images.iter_mut().zip(labels) {
            image.label = Some(label);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
