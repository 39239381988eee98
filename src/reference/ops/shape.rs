//! Operators that give the same values another shape, or tell the shape.

use super::super::array::{self, int64, reshaped};
use super::super::call::{Call, Results, single};
use super::Entry;
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("Dropout", dropout),
    ("Flatten", flatten),
    ("Reshape", reshape),
    ("Shape", shape),
    ("Size", |c| Ok(vec![int64(vec![], vec![c.input(0)?.len() as i64])])),
    ("Squeeze", squeeze),
    ("Unsqueeze", unsqueeze),
];

/// Outside training all values pass, and the mask is true everywhere.
fn dropout(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let ratio = call.scalar(1)?.unwrap_or(0.5);
    if call.opset >= 12 && ratio != 0.0 && call.scalar(2)?.is_some_and(|training| training != 0.0) {
        return Err("it is in training mode, which draws random numbers".into());
    }
    let mask = if call.opset < 10 {
        call.store(x.element, x.shape.clone(), vec![1.0; x.len()])
    } else {
        call.store_integers(ElementType::Bool, x.shape.clone(), vec![1; x.len()])
    };
    Ok(vec![x.clone(), mask])
}

fn flatten(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = call.int("axis", 1)?;
    let axis = if axis == x.shape.len() as i64 { x.shape.len() } else { array::axis(axis, x.shape.len())? };
    let rows = x.shape[..axis].iter().product();
    Ok(vec![reshaped(x, vec![rows, x.shape[axis..].iter().product()])])
}

/// -1 stands for what is left; 0 for the operand's own dimension, or with `allowzero` for 0.
fn reshape(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let asked = call.integers(1)?.ok_or("it has no shape")?;
    let keep = !call.flag("allowzero", false)?;
    let fail = || format!("a shape {asked:?} for {} values of shape {:?}", x.len(), x.shape);
    let mut open = None;
    let mut shape = Vec::with_capacity(asked.len());
    for (i, &size) in asked.iter().enumerate() {
        shape.push(match size {
            0 if keep => *x.shape.get(i).ok_or_else(fail)?,
            -1 if open.replace(i).is_none() => 1,
            size => usize::try_from(size).map_err(|_| fail())?,
        });
    }
    let known = array::len(&shape)?;
    if let Some(i) = open {
        shape[i] = x.len().checked_div(known).unwrap_or(0);
    }
    if array::len(&shape)? != x.len() {
        return Err(fail());
    }
    Ok(vec![reshaped(x, shape)])
}

/// `start` and `end` cut a part out of the shape (operator set 15).
fn shape(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let rank = x.shape.len() as i64;
    let clamp = |at: i64| if at < 0 { (at + rank).max(0) } else { at.min(rank) } as usize;
    let (start, end) = (clamp(call.int("start", 0)?), clamp(call.int("end", rank)?));
    let part: Vec<i64> = x.shape.get(start..end).unwrap_or_default().iter().map(|&n| n as i64).collect();
    Ok(vec![int64(vec![part.len()], part)])
}

fn squeeze(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let drop = match call.moved_ints("axes", 13, 1)? {
        Some(given) => array::axes(given, x.shape.len())?,
        None => (0..x.shape.len()).filter(|&d| x.shape[d] == 1).collect(),
    };
    if let Some(&axis) = drop.iter().find(|&&d| x.shape[d] != 1) {
        return Err(format!("axis {axis} of shape {:?} has more than one value", x.shape));
    }
    let kept = x.shape.iter().enumerate().filter(|(d, _)| !drop.contains(d));
    Ok(vec![reshaped(x, kept.map(|(_, &n)| n).collect())])
}

fn unsqueeze(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let given = call.moved_ints("axes", 13, 1)?.ok_or("it has no axes")?;
    let rank = x.shape.len() + given.len();
    let new = array::axes(given, rank)?;
    let mut old = x.shape.iter();
    let size = |d: usize| if new.contains(&d) { 1 } else { old.next().copied().unwrap_or(1) };
    Ok(vec![reshaped(x, (0..rank).map(size).collect())])
}

/// A shape that an operand gives.
pub(super) fn from_operand(tensor: &Tensor) -> Result<Vec<usize>, String> {
    let sizes = array::integers(tensor)?;
    let shape: Option<Vec<usize>> = sizes.iter().map(|&n| usize::try_from(n).ok()).collect();
    let shape = shape.ok_or_else(|| format!("a shape {sizes:?}"))?;
    array::len(&shape)?;
    Ok(shape)
}

/// The only value of an integer tensor.
pub(super) fn index(tensor: &Tensor) -> Result<i64, String> {
    array::integers(tensor)?;
    Ok(single(tensor)? as i64)
}
