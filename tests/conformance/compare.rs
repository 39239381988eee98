//! When two tensors count as the same: the ONNX project's own tolerance, relative 1e-3 (its runner's default).

use counterpatch::onnx::Tensor;

const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

pub(crate) fn same(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if got.element != want.element {
        return Err(format!("type {} instead of {}", got.element, want.element));
    }
    if got.shape != want.shape {
        return Err(format!("shape {:?} instead of {:?}", got.shape, want.shape));
    }
    let close = |(a, b): &(f64, f64)| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= ABSOLUTE + RELATIVE * b.abs()
    };
    let exact = |(a, b): &(f64, f64)| a == b;
    let pairs = got.to_f64().into_iter().zip(want.to_f64()).enumerate();
    let wrong = if want.element.is_float() {
        pairs.into_iter().find(|(_, pair)| !close(pair))
    } else {
        pairs.into_iter().find(|(_, pair)| !exact(pair))
    };
    wrong.map_or(Ok(()), |(i, (a, b))| Err(format!("value {i} is {a} instead of {b}")))
}
