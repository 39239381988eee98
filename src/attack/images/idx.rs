//! MNIST's format (IDX): two zeros, the type (8: bytes), the number of axes, their sizes as big-endian 32-bit numbers,
//! then the bytes.

use super::{ImageError, Set, Shape};

/// Reads images.
///
/// # Errors
/// [`ImageError`] where the bytes are no images.
pub fn images(bytes: &[u8]) -> Result<Set, ImageError> {
    let (sizes, data) = array(bytes)?;
    let found =
        Shape::of_array(&sizes).filter(|(shape, first)| !shape.is_empty() && !first && sizes.len() > 2);
    let Some((shape, _)) = found else {
        return Err(ImageError::Array(format!(
            "{sizes:?} (help: images are [N,H,W]; labels go to --labels)"
        )));
    };
    let values: Vec<f32> = data.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(Set::from_values(shape, &values))
}

/// Reads classes.
///
/// # Errors
/// [`ImageError`] where the bytes are no list.
pub fn labels(bytes: &[u8]) -> Result<Vec<usize>, ImageError> {
    match array(bytes)? {
        (sizes, data) if sizes.len() == 1 => Ok(data.iter().map(|&byte| usize::from(byte)).collect()),
        (sizes, _) => {
            Err(ImageError::Array(format!("{sizes:?} (help: labels are a list; images go to --images)")))
        }
    }
}

fn array(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), ImageError> {
    let damaged = |at, what: &str| ImageError::Damaged { at, what: what.to_owned() };
    let [0, 0, 8, axes, rest @ ..] = bytes else { return Err(damaged(0, "not an IDX file of bytes")) };
    let head = rest.split_at_checked(4 * usize::from(*axes));
    let (head, data) = head.ok_or_else(|| damaged(4, "the sizes are missing"))?;
    let size = |four: &[u8]| four.iter().fold(0_usize, |number, &byte| number << 8 | usize::from(byte));
    let sizes: Vec<usize> = head.chunks_exact(4).map(size).collect();
    let count = sizes.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
    if count != Some(data.len()) {
        let what = format!("{} bytes follow, which does not fit the sizes {sizes:?}", data.len());
        return Err(ImageError::Damaged { at: 4 + head.len(), what });
    }
    Ok((sizes, data))
}
