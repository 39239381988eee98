//! Operators whose operands are all constants.

use std::sync::Arc;

use super::{Call, Results, Value};
use crate::onnx::Attribute;
use crate::reference::{self, Precision};

/// Operators on floats whose result every runtime rounds to the same number: they move values, or are one operation that IEEE
/// 754 rounds correctly, or several on whole numbers.
const SAME_EVERYWHERE: &[&str] = &[
    "Abs",
    "Add",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Constant",
    "ConstantOfShape",
    "DequantizeLinear",
    "Div",
    "Equal",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Range",
    "Relu",
    "Round",
    "Sign",
    "Sqrt",
    "Sub",
    "Where",
];

/// The results of an operator on constants; `None` where it has operands that are not, or runtimes may differ.
pub(super) fn fold(call: &Call<'_>) -> Result<Option<Vec<Value>>, String> {
    let known = |value: &Option<Value>| match value {
        None => Some(None),
        Some(Value::Known(tensor)) => Some(Some(Arc::clone(tensor))),
        Some(Value::Numbers(_)) => None,
    };
    let Some(inputs) = call.inputs.iter().map(known).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let name = call.node.operator.as_str();
    let whole = inputs.iter().flatten().all(|tensor| !tensor.element.is_float());
    let makes_floats =
        call.node.attributes.values().any(|a| matches!(a, Attribute::Float(_) | Attribute::Floats(_)));
    let same = SAME_EVERYWHERE.contains(&name)
        || super::moves::operands(name).is_some()
        || (whole && !inputs.is_empty() && !makes_floats);
    if !same {
        return Ok(None);
    }
    run(call, inputs, Precision::Model).map(Some)
}

/// Runs an operator in the plain engine.
pub(super) fn run(
    call: &Call<'_>,
    inputs: Vec<Option<Arc<crate::onnx::Tensor>>>,
    precision: Precision,
) -> Results {
    let results = reference::run_node(call.node, call.opset, inputs, precision)?;
    Ok(results.into_iter().map(|tensor| Value::Known(Arc::new(tensor))).collect())
}
