//! Operators that give a value another shape or its axes another order.

use super::Entry;
use crate::network::Real;
use crate::network::import::Importer;
use crate::network::import::call::{Built, ImportCall};
use crate::network::op::Rearrange;
use crate::network::shape;
use crate::onnx::ElementType;

impl<T: Real> Importer<T> {
    pub(super) const LAYOUT: &'static [Entry<T>] = &[
        ("DepthToSpace", depth_to_space),
        ("Dropout", dropout),
        ("Expand", expand),
        ("Flatten", flatten),
        ("Identity", |c| Ok(vec![c.operand(0)?])),
        ("Reshape", reshape),
        ("SpaceToDepth", space_to_depth),
        ("Squeeze", squeeze),
        ("Tile", tile),
        ("Transpose", transpose),
        ("Unsqueeze", unsqueeze),
    ];
}

/// At inference Dropout passes its operand on; the mask, if anybody wants it, is all true.
fn dropout<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let training = call.optional_constant(2)?.and_then(|t| t.scalar()).unwrap_or(0.0) != 0.0;
    let ratio = call.optional_constant(1)?.and_then(|t| t.scalar()).unwrap_or(0.5);
    if training && ratio != 0.0 {
        return Err(call.error("training mode is not supported").help("export the network for inference"));
    }
    let shape = call.shape(&x);
    let ones = vec![1.0; shape::len(&shape)];
    let mask =
        if call.node.outputs.len() > 1 { Some(call.literal(ElementType::Bool, shape, &ones)) } else { None };
    Ok([x].into_iter().chain(mask).collect())
}

fn flatten<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axis = call.node.int("axis")?.unwrap_or(1);
    // `axis` may also be the rank itself.
    let at = if axis == shape.len() as i64 { shape.len() } else { call.axis(axis, shape.len())? };
    let to = vec![shape::len(&shape[..at]), shape::len(&shape[at..])];
    Ok(vec![call.reshape(&x, to)?])
}

/// 0 keeps a dimension (unless `allowzero`), one −1 takes what is left.
fn reshape<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let from = call.shape(&x);
    let dims = call.ints(1)?;
    let literal_zero = call.node.flag("allowzero", false)?;
    let mut to = Vec::with_capacity(dims.len());
    let mut open = None;
    for (i, &d) in dims.iter().enumerate() {
        to.push(match d {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !literal_zero => {
                *from.get(i).ok_or_else(|| call.error(format!("no dimension {i} to keep in {from:?}")))?
            }
            d => usize::try_from(d).map_err(|_| call.error(format!("{dims:?} is not a shape")))?,
        });
    }
    if let Some(i) = open {
        let known = call.at(shape::checked_len(&to))?;
        let len = shape::len(&from);
        if known == 0 || !len.is_multiple_of(known) {
            return Err(call.error(format!("shape {from:?} cannot be reshaped to {dims:?}")));
        }
        to[i] = len / known;
    }
    Ok(vec![call.reshape(&x, to)?])
}

fn squeeze<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axes = match call.ints_or_attribute(1, "axes")? {
        Some(axes) => call.axes(&axes, shape.len())?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        return Err(call.error(format!("axis {axis} of shape {shape:?} is not 1 long")));
    }
    let to = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    Ok(vec![call.reshape(&x, to)?])
}

fn unsqueeze<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axes = call.ints_or_attribute(1, "axes")?.ok_or_else(|| call.error("axes are missing"))?;
    let rank = shape.len() + axes.len();
    let axes = call.axes(&axes, rank)?;
    let mut dims = shape.into_iter();
    let to = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { dims.next().unwrap_or(1) }).collect();
    Ok(vec![call.reshape(&x, to)?])
}

fn transpose<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let order = match call.node.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|&axis| call.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    Ok(vec![call.transpose(&x, &order)?])
}

/// The result's shape is the operand's and the given one broadcast together: a 1 in either gives way.
fn expand<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let wanted = call.shape_from(&call.ints(1)?)?;
    let to = call.at(shape::broadcast(&[&call.shape(&x), &wanted]))?;
    Ok(vec![call.expand(&x, &to)?])
}

fn tile<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let from = call.shape(&x);
    let repeats = call.shape_from(&call.ints(1)?)?;
    if repeats.len() != from.len() {
        return Err(call.error(format!("{repeats:?} does not say how often to repeat {from:?}")));
    }
    let to: Option<Vec<usize>> = from.iter().zip(&repeats).map(|(&d, &n)| d.checked_mul(n)).collect();
    let to = to.ok_or_else(|| call.error("the result is too large"))?;
    let strides = shape::strides(&from);
    let map = Rearrange::from_fn(&from, &to, 0.0, |index| {
        Some((0..from.len()).map(|axis| index[axis] % from[axis] * strides[axis]).sum())
    });
    Ok(vec![call.rearrange(&x, map)?])
}

/// Block size and the four dimensions of the operand.
fn blocks<T: Real>(call: &ImportCall<'_, T>) -> Result<(usize, [usize; 4]), crate::onnx::ModelError> {
    let size = call.node.int("blocksize")?.and_then(|b| usize::try_from(b).ok()).filter(|&b| b > 0);
    let size = size.ok_or_else(|| call.error("attribute blocksize is missing or not positive"))?;
    let shape = call.shape(&call.operand(0)?);
    match <[usize; 4]>::try_from(shape) {
        Ok(dims) => Ok((size, dims)),
        Err(shape) => Err(call.error(format!("the operand must have four axes, not shape {shape:?}"))),
    }
}

fn depth_to_space<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (b, [n, c, h, w]) = blocks(call)?;
    let x = call.operand(0)?;
    let depth = c / b.saturating_mul(b).max(1);
    if depth * b * b != c {
        return Err(call.error(format!("{c} channels do not hold blocks of {b}×{b}")));
    }
    let (split, order) = match call.node.string("mode")?.unwrap_or("DCR") {
        "DCR" => (vec![n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        mode => return Err(call.error(format!("mode is {mode:?}, not \"DCR\" or \"CRD\""))),
    };
    let x = call.reshape(&x, split)?;
    let x = call.transpose(&x, &order)?;
    Ok(vec![call.reshape(&x, vec![n, depth, h * b, w * b])?])
}

fn space_to_depth<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (b, [n, c, h, w]) = blocks(call)?;
    let x = call.operand(0)?;
    if h % b != 0 || w % b != 0 {
        return Err(call.error(format!("an image of {h}×{w} does not split into blocks of {b}×{b}")));
    }
    let x = call.reshape(&x, vec![n, c, h / b, b, w / b, b])?;
    let x = call.transpose(&x, &[0, 3, 5, 1, 2, 4])?;
    Ok(vec![call.reshape(&x, vec![n, c * b * b, h / b, w / b])?])
}
