//! What the measured table of functions (`functions_table.rs`) allows an operator, in its own type and with its attributes.

use super::format::Format;
use super::functions::Function;
use super::functions_table::{ALLOWANCES, Allowance};
use super::tape::Rounding;
use crate::onnx::Node;

fn allowance(name: &str) -> Option<Allowance> {
    ALLOWANCES.iter().find(|(known, _)| *known == name).map(|&(_, allowance)| allowance)
}

/// How an operator's value may differ from the function's; `None` where nobody has measured it.
pub(super) fn rounding(node: &Node, function: Function, format: Format) -> Option<Rounding> {
    let name = match function {
        Function::GeluTanh => "Gelu tanh",
        _ => node.operator.as_str(),
    };
    let Allowance { ulps, absolute } = allowance(name)?;
    // The absolute part was measured with parameters of one.
    let scale = match function {
        Function::Elu { alpha } => {
            let gamma = node.float("gamma").ok().flatten().map_or(1.0, |gamma| gamma.abs().max(1.0));
            alpha.abs().max(1.0) * gamma * 2.0
        }
        Function::Swish { alpha } => alpha.abs().recip().max(1.0),
        _ => 1.0,
    };
    Some(in_format(Allowance { ulps, absolute: absolute * scale }, format))
}

/// The same for a function within another operator, by the name of its own.
pub(super) fn of_function(name: &str, format: Format) -> Option<Rounding> {
    allowance(name).map(|allowed| in_format(allowed, format))
}

/// In another format than float32: one rounding more, and the absolute part in proportion to the unit where that is larger. In
/// double precision libraries differ by more units than in single, and the absolute part is that of their own.
fn in_format(Allowance { ulps, absolute }: Allowance, format: Format) -> Rounding {
    let ratio = format.unit() / Format::F32.unit();
    Rounding::Function { format, ulps: 2.0 * ulps + 1.0, absolute: absolute * ratio.max(1.0) }
}

/// Shares that add up to one: exponentials of differences, a sum of so many in any order, a quotient or a product with a rounded
/// reciprocal. What the differences' own rounding does depends on how large they are (`bounds.rs`).
pub(super) fn of_shares(format: Format, members: usize) -> Rounding {
    let exponential = allowance("Exp").map_or(f64::INFINITY, |allowed| allowed.ulps);
    let ulps = 2.0 * exponential + 2.0 + members as f64 / 2.0;
    Rounding::Function { format, ulps, absolute: format.tiny }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_are_enclosed_were_measured() {
        for name in
            ["Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Gelu tanh", "Pow", "Erf"]
        {
            assert!(allowance(name).is_some_and(|a| a.ulps >= 1.0), "{name}");
        }
    }
}
