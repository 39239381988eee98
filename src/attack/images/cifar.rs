//! CIFAR-10's binary version: records of one byte for the class and 3 × 32 × 32 bytes for the image, whole channels one
//! after the other (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use super::npy::interleaved;
use super::{ImageError, Set, Shape};

/// Bytes a record.
pub const RECORD: usize = 1 + 3 * 32 * 32;

const SHAPE: Shape = Shape { height: 32, width: 32, channels: 3 };

/// Reads images with their classes.
///
/// # Errors
/// [`ImageError`] where the bytes are no records, or one's class is none of ten.
pub fn read(bytes: &[u8]) -> Result<Set, ImageError> {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    if !bytes.len().is_multiple_of(RECORD) {
        let what = "the last record of CIFAR-10 is not whole".to_owned();
        return Err(ImageError::Damaged { at: bytes.len() / RECORD * RECORD, what });
    }
    for (at, record) in bytes.chunks_exact(RECORD).enumerate() {
        let (class, image) = record.split_at(1);
        match class {
            [class @ 0..=9] => labels.push(usize::from(*class)),
            _ => {
                let what = "not CIFAR-10: a class above 9".to_owned();
                return Err(ImageError::Damaged { at: at * RECORD, what });
            }
        }
        values.extend(image.iter().map(|&byte| f32::from(byte) / 255.0));
    }
    Set::from_values(SHAPE, &interleaved(SHAPE, &values)).with_labels(labels)
}
