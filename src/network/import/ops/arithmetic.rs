//! Functions of two or more broadcast operands: arithmetic, comparisons, logic.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{Binary, BinaryFunction, Op, UnaryFunction};
use crate::onnx::{ElementType, ModelError};

impl<T: Real> Importer<T> {
    pub(super) const ARITHMETIC: &'static [Entry<T>] = &[
        ("Add", |c| c.pair(BinaryFunction::Add)),
        ("And", |c| c.compare(BinaryFunction::And)),
        ("Div", div),
        ("Equal", |c| c.compare(BinaryFunction::Equal)),
        ("Greater", |c| c.compare(BinaryFunction::Greater)),
        ("GreaterOrEqual", |c| c.compare(BinaryFunction::GreaterOrEqual)),
        ("Less", |c| c.compare(BinaryFunction::Less)),
        ("LessOrEqual", |c| c.compare(BinaryFunction::LessOrEqual)),
        ("Max", |c| c.many(BinaryFunction::Max)),
        ("Mean", mean),
        ("Min", |c| c.many(BinaryFunction::Min)),
        ("Mod", modulo),
        ("Mul", |c| c.pair(BinaryFunction::Mul)),
        ("Or", |c| c.compare(BinaryFunction::Or)),
        ("PRelu", prelu),
        ("Pow", pow),
        ("Sub", |c| c.pair(BinaryFunction::Sub)),
        ("Sum", |c| c.many(BinaryFunction::Add)),
        ("Xor", |c| c.compare(BinaryFunction::Xor)),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    fn pair(&mut self, f: BinaryFunction) -> Built {
        let (a, b) = self.both()?;
        self.result(Op::Binary(Binary(f)), &[a, b])
    }

    fn compare(&mut self, f: BinaryFunction) -> Built {
        let (a, b) = self.both()?;
        Ok(vec![self.apply_as(ElementType::Bool, Op::Binary(Binary(f)), &[a, b])?])
    }

    /// All operands, joined from the left.
    fn many(&mut self, f: BinaryFunction) -> Built {
        Ok(vec![self.joined(f)?])
    }

    fn joined(&mut self, f: BinaryFunction) -> Result<Operand, ModelError> {
        let operands = self.all()?;
        let mut sum = operands[0].clone();
        for operand in &operands[1..] {
            sum = self.binary(f, &sum, operand)?;
        }
        Ok(sum)
    }

    /// The two operands. Operator sets before 7 aligned the second one at `axis`: those models are refused.
    fn both(&self) -> Result<(Operand, Operand), ModelError> {
        if self.node.int("axis")?.is_some() {
            return Err(
                self.error("the broadcast attribute `axis` of operator sets before 7 is not supported")
            );
        }
        Ok((self.operand(0)?, self.operand(1)?))
    }
}

fn div<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let integers = !call.element(&call.operand(0)?).is_float();
    call.pair(if integers { BinaryFunction::IntegerDiv } else { BinaryFunction::Div })
}

fn mean<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let count = call.count() as f64;
    let sum = call.joined(BinaryFunction::Add)?;
    Ok(vec![call.unary(UnaryFunction::Scale { scale: 1.0 / count, shift: 0.0 }, &sum)?])
}

fn modulo<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let truncated = call.node.flag("fmod", false)?;
    call.pair(if truncated { BinaryFunction::Remainder } else { BinaryFunction::Modulo })
}

/// The slope is broadcast to the operand's shape, never the other way round.
fn prelu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    call.floats_only()?;
    let (x, slope) = call.both()?;
    if let Operand::Constant(tensor) = &slope
        && let Some(alpha) = tensor.scalar()
        && tensor.shape.len() <= call.shape(&x).len()
    {
        return Ok(vec![call.unary(UnaryFunction::LeakyRelu { alpha }, &x)?]);
    }
    call.pair(BinaryFunction::PRelu)
}

fn pow<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (base, exponent) = call.both()?;
    if let Operand::Constant(tensor) = &exponent
        && let Some(exponent) = tensor.scalar()
        && tensor.shape.len() <= call.shape(&base).len()
    {
        return Ok(vec![call.unary(UnaryFunction::Power { exponent }, &base)?]);
    }
    call.pair(BinaryFunction::Pow)
}
