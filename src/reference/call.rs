//! One operator application: its operands, its attributes and how its results are stored.

use std::sync::Arc;

use half::{bf16, f16};

use crate::onnx::{Attribute, Data, ElementType, Node, Tensor};

use super::array;

/// The arithmetic of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Each value in the element type that the model declares for it.
    Model,
    /// The same with matrix products and convolutions in single precision added up in another way that ONNX leaves open:
    /// one term after the other, by fused multiply-adds.
    Fused,
    /// As [`Model`](Self::Model), but as kernels for bytes compute it: not what ONNX means, but what runtimes do.
    Bytes(ByteKernels),
    /// All floating-point values in double precision.
    Double,
}

/// Kernels for bytes, into which a runtime fuses dequantised operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteKernels {
    /// Those of every machine.
    Fused,
    /// Those of x86 without VNNI, whose products saturate.
    Saturating,
}

/// What an operator sees of the graph.
pub(super) struct Call<'a> {
    pub(super) node: &'a Node,
    /// Version of the operator set.
    pub(super) opset: i64,
    pub(super) precision: Precision,
    /// How many threads a large product may be dealt out to; no result depends on it.
    pub(super) threads: usize,
    /// Operands in order; `None` where an optional one is left out.
    pub(super) inputs: Vec<Option<Arc<Tensor>>>,
}

/// Results in the node's order, or what is wrong with the node.
pub(super) type Results = Result<Vec<Tensor>, String>;

impl Call<'_> {
    /// Operand number `i`.
    pub(super) fn input(&self, i: usize) -> Result<&Tensor, String> {
        self.optional(i).ok_or_else(|| format!("operand {i} is missing"))
    }

    /// Operand number `i`, if there is one.
    pub(super) fn optional(&self, i: usize) -> Option<&Tensor> {
        self.inputs.get(i)?.as_deref()
    }

    /// All operands of an operator that takes any number of them.
    pub(super) fn all_inputs(&self) -> Result<Vec<&Tensor>, String> {
        (0..self.inputs.len()).map(|i| self.input(i)).collect()
    }

    /// Integer operand number `i` as a list, if there is one.
    pub(super) fn integers(&self, i: usize) -> Result<Option<&[i64]>, String> {
        self.optional(i).map(array::integers).transpose()
    }

    /// Operand number `i`, which has one value.
    pub(super) fn scalar(&self, i: usize) -> Result<Option<f64>, String> {
        self.optional(i).map(single).transpose()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.node.attributes.contains_key(name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.node.attributes.get(name) {
            None => Ok(default),
            Some(Attribute::Int(value)) => Ok(*value),
            Some(_) => Err(format!("its attribute {name} is no integer")),
        }
    }

    /// An integer attribute that is 0 or 1.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    pub(super) fn ints(&self, name: &str) -> Result<Option<&[i64]>, String> {
        match self.node.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(_) => Err(format!("its attribute {name} is no list of integers")),
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f64, String> {
        match self.node.attributes.get(name) {
            None => Ok(default.into()),
            Some(Attribute::Float(value)) => Ok((*value).into()),
            Some(_) => Err(format!("its attribute {name} is no number")),
        }
    }

    pub(super) fn floats(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        match self.node.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Floats(values)) => Ok(Some(values.iter().map(|&x| x.into()).collect())),
            Some(_) => Err(format!("its attribute {name} is no list of numbers")),
        }
    }

    pub(super) fn string(&self, name: &str, default: &'static str) -> Result<&str, String> {
        match self.node.attributes.get(name) {
            None => Ok(default),
            Some(Attribute::String(value)) => {
                std::str::from_utf8(value).map_err(|_| format!("its attribute {name} is no text"))
            }
            Some(_) => Err(format!("its attribute {name} is no text")),
        }
    }

    /// An attribute that names an element type.
    pub(super) fn element(&self, name: &str) -> Result<Option<ElementType>, String> {
        if !self.has(name) {
            return Ok(None);
        }
        let number = i32::try_from(self.int(name, 0)?).unwrap_or(0);
        ElementType::from_number(number)
            .map(Some)
            .map_err(|what| format!("its attribute {name} names {what}"))
    }

    /// Axes that are an attribute before operator set `since` and operand number `operand` from then on.
    pub(super) fn moved_ints(
        &self,
        name: &str,
        since: i64,
        operand: usize,
    ) -> Result<Option<&[i64]>, String> {
        if self.opset < since { self.ints(name) } else { self.integers(operand) }
    }

    /// Stores floats as `element`, rounded to it where the model's own precision is asked for.
    pub(super) fn store(&self, element: ElementType, shape: Vec<usize>, values: Vec<f64>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "{}", self.node.operator);
        let narrow =
            |round: fn(f64) -> f32| Data::F32(values.iter().map(|&x| round(x)).collect::<Vec<_>>().into());
        let data = match (self.precision, element) {
            (Precision::Double, _) | (_, ElementType::Float64) => Data::F64(values),
            (_, ElementType::Float16) => narrow(|x| f16::from_f64(x).to_f32()),
            (_, ElementType::BFloat16) => narrow(|x| bf16::from_f64(x).to_f32()),
            _ => narrow(|x| x as f32),
        };
        Tensor { element, shape, data }
    }

    /// Stores integers as `element`, wrapped around where they do not fit.
    pub(super) fn store_integers(
        &self,
        element: ElementType,
        shape: Vec<usize>,
        mut values: Vec<i64>,
    ) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "{}", self.node.operator);
        values.iter_mut().for_each(|x| *x = wrapped(element, *x));
        Tensor { element, shape, data: Data::I64(values) }
    }

    /// Stores truth values.
    pub(super) fn store_bools(&self, shape: Vec<usize>, values: impl Iterator<Item = bool>) -> Tensor {
        Tensor { element: ElementType::Bool, shape, data: Data::I64(values.map(i64::from).collect()) }
    }

    /// Whether they are added up by fused multiply-adds.
    pub(super) fn is_fused(&self, element: ElementType) -> bool {
        self.precision == Precision::Fused && self.is_single(element)
    }

    /// Whether products and sums of operands of this type are computed in single precision.
    pub(super) fn is_single(&self, element: ElementType) -> bool {
        self.precision != Precision::Double && element != ElementType::Float64
    }
}

/// The only value of a tensor.
pub(super) fn single(tensor: &Tensor) -> Result<f64, String> {
    match array::floats(tensor).as_ref() {
        [x] => Ok(*x),
        _ => Err(format!("an operand of shape {:?} where one value is needed", tensor.shape)),
    }
}

/// `x` as the element type holds it, modulo its range. 64-bit unsigned integers are held as signed ones.
pub(super) fn wrapped(element: ElementType, x: i64) -> i64 {
    use ElementType::*;
    match element {
        Int8 => (x as i8).into(),
        Int16 => (x as i16).into(),
        Int32 => (x as i32).into(),
        UInt8 => (x as u8).into(),
        UInt16 => (x as u16).into(),
        UInt32 => (x as u32).into(),
        Bool => i64::from(x != 0),
        Int64 | UInt64 | Float16 | BFloat16 | Float32 | Float64 => x,
    }
}
