//! Operators that only move values.
//!
//! The plain engine moves whatever it is given: here it gets the position of each value, counted from 1, in double precision. What
//! it returns then says which value stands where; a 0 that it fills in is the constant zero.

use std::sync::Arc;

use super::{Compiler, Results, TapeCall, TapeValue, TapeView, constants, doubles};
use crate::onnx::{ElementType, Tensor};
use crate::reference::Precision;

/// Which operands of an operator hold values that are moved; the others say where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// All of them.
    All,
    /// The first.
    First,
    /// The first; the third is what is filled in.
    FirstAndThird,
    /// The third.
    Third,
}

/// What an operator moves; `None` if it does more than moving.
pub(super) fn operands(operator: &str) -> Option<Moved> {
    Some(match operator {
        "Concat" => Moved::All,
        "DepthToSpace" | "Dropout" | "Expand" | "Flatten" | "Gather" | "GatherElements" | "GatherND"
        | "Identity" | "Reshape" | "Resize" | "ReverseSequence" | "Shape" | "Size" | "Slice"
        | "SpaceToDepth" | "Split" | "Squeeze" | "Tile" | "Transpose" | "Trilu" | "Unsqueeze"
        | "Upsample" => Moved::First,
        "Pad" | "ScatterElements" | "ScatterND" => Moved::FirstAndThird,
        "OneHot" => Moved::Third,
        _ => return None,
    })
}

/// Moves the numbers of a node's operands.
pub(super) fn run(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, moved: Moved) -> Results {
    refuse_more_than_moving(call)?;
    let mut numbers = Vec::new();
    let mut element = ElementType::Float32;
    let mut inputs: Vec<Option<Arc<Tensor>>> = Vec::with_capacity(call.inputs.len());
    for (position, value) in call.inputs.iter().enumerate() {
        let is_moved = match moved {
            Moved::All => true,
            Moved::First => position == 0,
            Moved::FirstAndThird => position == 0 || position == 2,
            Moved::Third => position == 2,
        };
        inputs.push(match value {
            Some(value) if is_moved => {
                let view = compiler.view(value);
                if position == 0 || moved == Moved::Third {
                    element = view.element;
                }
                Some(Arc::new(positions(&view, &mut numbers)))
            }
            Some(TapeValue::Known(tensor)) => Some(Arc::clone(tensor)),
            Some(TapeValue::Numbers(_)) => {
                return Err("where values go depends on the inputs, which has no enclosure".into());
            }
            None => None,
        });
    }
    let results = constants::run(call, inputs, Precision::Double)?;
    results.into_iter().map(|result| moved_back(compiler, result, &numbers, element)).collect()
}

/// Attributes with which these operators compute something, or fill in what is no operand.
fn refuse_more_than_moving(call: &TapeCall<'_>) -> Result<(), String> {
    let name = call.node.operator.as_str();
    let reduces =
        matches!(name, "ScatterElements" | "ScatterND") && call.text("reduction", "none")? != "none";
    let fills = name == "Pad" && call.opset < 11 && call.float("value", 0.0)? != 0.0;
    let is_resize = matches!(name, "Resize" | "Upsample");
    let weighs = is_resize && call.text("mode", "nearest")? != "nearest";
    let crops = is_resize
        && call.text("coordinate_transformation_mode", "half_pixel")? == "tf_crop_and_resize"
        && call.float("extrapolation_value", 0.0)? != 0.0;
    match reduces || fills || weighs || crops {
        true => Err("with these attributes it has no enclosure".into()),
        false => Ok(()),
    }
}

/// The positions of a view's numbers, behind those that are there.
fn positions(view: &TapeView, numbers: &mut Vec<u32>) -> Tensor {
    let first = numbers.len() + 1;
    numbers.extend(&view.numbers);
    let values = (first..first + view.numbers.len()).map(|i| i as f64).collect();
    // The engine is to keep these numbers, whatever they stand for.
    doubles(view.shape.clone(), ElementType::Float32, values)
}

fn moved_back(
    compiler: &mut Compiler<'_>,
    result: TapeValue,
    numbers: &[u32],
    element: ElementType,
) -> Result<TapeValue, String> {
    let TapeValue::Known(tensor) = result else { return Ok(result) };
    if !tensor.element.is_float() {
        // A shape, a size, a mask.
        return Ok(TapeValue::Known(tensor));
    }
    let mut zero = None;
    let mut find = |position: f64| {
        let index = position as usize;
        if position == 0.0 {
            let zero = zero.get_or_insert_with(|| {
                let tensor = doubles(vec![1], ElementType::Float64, vec![0.0]);
                compiler.view(&TapeValue::Known(Arc::new(tensor))).numbers[0]
            });
            return Ok(*zero);
        }
        numbers
            .get(index.wrapping_sub(1))
            .copied()
            .ok_or("the plain engine moved it to a place that is none".to_string())
    };
    let moved = tensor.to_f64().into_iter().map(&mut find).collect::<Result<Vec<_>, String>>()?;
    Ok(TapeValue::Numbers(TapeView { shape: tensor.shape.clone(), element, numbers: moved }))
}
