//! Functions of one value: activations, roundings, exponentials, trigonometry, tests.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{BinaryFunction, Op, Unary, UnaryFunction};
use crate::onnx::{ElementType, ModelError};

impl<T: Real> Importer<T> {
    pub(super) const ELEMENTWISE: &'static [Entry<T>] = &[
        ("Abs", |c| c.map(UnaryFunction::Abs)),
        ("Acos", |c| c.map(UnaryFunction::Acos)),
        ("Acosh", |c| c.map(UnaryFunction::Acosh)),
        ("Asin", |c| c.map(UnaryFunction::Asin)),
        ("Asinh", |c| c.map(UnaryFunction::Asinh)),
        ("Atan", |c| c.map(UnaryFunction::Atan)),
        ("Atanh", |c| c.map(UnaryFunction::Atanh)),
        ("Ceil", |c| c.map(UnaryFunction::Ceil)),
        ("Celu", celu),
        ("Clip", clip),
        ("Cos", |c| c.map(UnaryFunction::Cos)),
        ("Cosh", |c| c.map(UnaryFunction::Cosh)),
        ("Elu", elu),
        ("Erf", |c| c.map(UnaryFunction::Erf)),
        ("Exp", |c| c.map(UnaryFunction::Exp)),
        ("Floor", |c| c.map(UnaryFunction::Floor)),
        ("Gelu", gelu),
        ("HardSigmoid", hard_sigmoid),
        ("HardSwish", |c| c.map(UnaryFunction::HardSwish)),
        ("IsInf", is_inf),
        ("IsNaN", |c| c.test(UnaryFunction::IsNan)),
        ("LeakyRelu", leaky_relu),
        ("Log", |c| c.map(UnaryFunction::Log)),
        ("Mish", |c| c.map(UnaryFunction::Mish)),
        ("Neg", |c| c.map(UnaryFunction::Neg)),
        ("Not", |c| c.test(UnaryFunction::Not)),
        ("Reciprocal", |c| c.map(UnaryFunction::Reciprocal)),
        ("Relu", |c| c.map(UnaryFunction::Relu)),
        ("Round", |c| c.map(UnaryFunction::Round)),
        ("Selu", selu),
        ("Shrink", shrink),
        ("Sigmoid", |c| c.map(UnaryFunction::Sigmoid)),
        ("Sign", |c| c.map(UnaryFunction::Sign)),
        ("Sin", |c| c.map(UnaryFunction::Sin)),
        ("Sinh", |c| c.map(UnaryFunction::Sinh)),
        ("Softplus", |c| c.map(UnaryFunction::Softplus)),
        ("Softsign", |c| c.map(UnaryFunction::Softsign)),
        ("Sqrt", |c| c.map(UnaryFunction::Sqrt)),
        ("Swish", swish),
        ("Tan", |c| c.map(UnaryFunction::Tan)),
        ("Tanh", |c| c.map(UnaryFunction::Tanh)),
        ("ThresholdedRelu", thresholded_relu),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    /// A function of the first operand.
    fn map(&mut self, f: UnaryFunction) -> Built {
        let x = self.operand(0)?;
        self.result(Op::Unary(Unary(f)), &[x])
    }

    /// A question about the first operand's values: true or false.
    fn test(&mut self, f: UnaryFunction) -> Built {
        let x = self.operand(0)?;
        Ok(vec![self.apply_as(ElementType::Bool, Op::Unary(Unary(f)), &[x])?])
    }

    /// An error where the first operand holds integers.
    pub(super) fn floats_only(&self) -> Result<(), ModelError> {
        let element = self.element(&self.operand(0)?);
        if element.is_float() { Ok(()) } else { Err(self.error(format!("{element} is not supported here"))) }
    }

    fn float_or(&self, name: &str, default: f64) -> Result<f64, ModelError> {
        Ok(self.node.float(name)?.unwrap_or(default))
    }
}

fn celu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", 1.0)?;
    call.map(UnaryFunction::Celu { alpha })
}

fn elu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", 1.0)?;
    call.map(UnaryFunction::Elu { alpha })
}

fn gelu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    match call.node.string("approximate")? {
        None | Some("none") => call.map(UnaryFunction::Gelu),
        Some("tanh") => call.map(UnaryFunction::GeluTanh),
        Some(other) => Err(call.error(format!("approximate is {other:?}, not \"none\" or \"tanh\""))),
    }
}

fn hard_sigmoid<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    // The standard's default is the float 0.2.
    let alpha = call.float_or("alpha", f64::from(0.2f32))?;
    let beta = call.float_or("beta", 0.5)?;
    call.map(UnaryFunction::HardSigmoid { alpha, beta })
}

fn is_inf<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let negative = call.node.flag("detect_negative", true)?;
    let positive = call.node.flag("detect_positive", true)?;
    call.test(UnaryFunction::IsInf { negative, positive })
}

fn leaky_relu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", f64::from(0.01f32))?;
    call.map(UnaryFunction::LeakyRelu { alpha })
}

fn selu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", f64::from(1.673_263_2_f32))?;
    let gamma = call.float_or("gamma", f64::from(1.050_701_f32))?;
    call.map(UnaryFunction::Selu { alpha, gamma })
}

fn shrink<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    call.floats_only()?;
    let lambda = call.float_or("lambd", 0.5)?;
    let bias = call.float_or("bias", 0.0)?;
    call.map(UnaryFunction::Shrink { lambda, bias })
}

fn swish<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", 1.0)?;
    call.map(UnaryFunction::Swish { alpha })
}

fn thresholded_relu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let alpha = call.float_or("alpha", 1.0)?;
    call.map(UnaryFunction::ThresholdedRelu { alpha })
}

/// Bounds are attributes before operator set 11, operands after. Constant bounds make one piecewise-linear
/// function; bounds that vary become a maximum and a minimum.
fn clip<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let varies = |bound: &Option<Operand>| matches!(bound, Some(Operand::Node(_)));
    if varies(&call.optional(1)) || varies(&call.optional(2)) {
        let mut y = x;
        for (i, f) in [(1, BinaryFunction::Max), (2, BinaryFunction::Min)] {
            if let Some(bound) = call.optional(i) {
                y = call.binary(f, &y, &bound)?;
            }
        }
        return Ok(vec![y]);
    }
    let low = call.number_or_attribute(1, "min")?.unwrap_or(f64::NEG_INFINITY);
    let high = call.number_or_attribute(2, "max")?.unwrap_or(f64::INFINITY);
    call.map(UnaryFunction::Clip { low, high })
}
