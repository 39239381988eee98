//! Operators whose operands are all constants.

use std::sync::Arc;

use super::{Results, TapeCall, TapeValue};
use crate::onnx::{Attribute, ElementType, Tensor};
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
    "Relu",
    "Round",
    "Sign",
    "Sqrt",
    "Sub",
    "Where",
];

/// The results of an operator on constants; `None` where it has operands that are not, or runtimes may differ.
pub(super) fn fold(call: &TapeCall<'_>) -> Result<Option<Vec<TapeValue>>, String> {
    let known = |value: &Option<TapeValue>| match value {
        None => Some(None),
        Some(TapeValue::Known(tensor)) => Some(Some(Arc::clone(tensor))),
        Some(TapeValue::Numbers(_)) => None,
    };
    let Some(inputs) = call.inputs.iter().map(known).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let name = call.node.operator.as_str();
    let whole = inputs.iter().flatten().all(|tensor| !tensor.element.is_float());
    let makes_floats =
        call.node.attributes.values().any(|a| matches!(a, Attribute::Float(_) | Attribute::Floats(_)));
    let same = SAME_EVERYWHERE.contains(&name)
        || super::moves::operands(name).is_some()
        || (whole && !inputs.is_empty() && !makes_floats);
    if !(same || is_short_range(name, &inputs)) || !fits(call, &inputs)? {
        return Ok(None);
    }
    run(call, inputs, Precision::Model).map(Some)
}

/// Whether it is a range of whole numbers that floats hold: of others, runtimes add up steps or multiply them.
fn is_short_range(name: &str, inputs: &[Option<Arc<Tensor>>]) -> bool {
    let is_short = |x: &f64| x.fract() == 0.0 && x.abs() <= 1024.0;
    name == "Range" && inputs.iter().flatten().all(|tensor| tensor.to_f64().iter().all(is_short))
}

/// Whether floats that become whole numbers fit: what becomes of others is left open.
fn fits(call: &TapeCall<'_>, inputs: &[Option<Arc<Tensor>>]) -> Result<bool, String> {
    let to = match call.node.operator.as_str() {
        "Cast" => ElementType::from_number(i32::try_from(call.int("to", 0)?).unwrap_or(0))
            .map_err(|what| format!("a cast to {what}"))?,
        "CastLike" => call.input(1)?.element(),
        _ => return Ok(true),
    };
    let Some(Some(source)) = inputs.first() else { return Ok(true) };
    let (least, most) = match to {
        _ if !source.element.is_float() => return Ok(true),
        ElementType::Int8 => (-128.0, 127.0),
        ElementType::UInt8 => (0.0, 255.0),
        ElementType::Int16 => (-32_768.0, 32_767.0),
        ElementType::UInt16 => (0.0, 65_535.0),
        ElementType::Int32 => (-2_147_483_648.0, 2_147_483_647.0),
        ElementType::UInt32 => (0.0, 4_294_967_295.0),
        ElementType::Int64 => (-9.2e18, 9.2e18),
        ElementType::UInt64 => (0.0, 1.8e19),
        _ => return Ok(true),
    };
    Ok(source.to_f64().iter().all(|x| (least..=most).contains(&x.trunc())))
}

/// Runs an operator in the plain engine.
pub(super) fn run(call: &TapeCall<'_>, inputs: Vec<Option<Arc<Tensor>>>, precision: Precision) -> Results {
    let results = reference::run_node(call.node, call.opset, inputs, precision)?;
    Ok(results.into_iter().map(|tensor| TapeValue::Known(Arc::new(tensor))).collect())
}
