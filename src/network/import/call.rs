//! What a builder function sees of the node it builds: operands, attributes, and ways to apply operators.

use std::sync::Arc;

use super::reach;
use super::{Importer, Operand};
use crate::network::Real;
use crate::network::build::Builder;
use crate::network::op::{Binary, BinaryFunction, Integer, Op, Rearrange, Unary, UnaryFunction};
use crate::network::shape::{self, ShapeError};
use crate::onnx::ModelError;
use crate::onnx::Node;
use crate::onnx::{ElementType, Tensor};

/// The results of a node, in order.
pub(crate) type Built = Result<Vec<Operand>, ModelError>;
/// Builds one node.
pub(crate) type Build<T> = fn(&mut ImportCall<'_, T>) -> Built;

/// One node in the making.
pub(crate) struct ImportCall<'a, T> {
    pub(super) importer: &'a mut Importer<T>,
    /// The node.
    pub(crate) node: &'a Node,
    /// Its operands; `None` for an optional one that is left out.
    pub(super) operands: Vec<Option<Operand>>,
}

impl<T: Real> ImportCall<'_, T> {
    /// Version of the operator set.
    pub(crate) fn opset(&self) -> i64 {
        self.importer.opset
    }

    /// An error at this node.
    pub(crate) fn error(&self, what: impl Into<String>) -> ModelError {
        self.node.error(what)
    }

    /// Puts this node's name to what is wrong with its shapes.
    pub(crate) fn at<A>(&self, result: Result<A, ShapeError>) -> Result<A, ModelError> {
        result.map_err(|error| self.error(error.0))
    }

    /// Number of operands, left-out ones included.
    pub(crate) fn count(&self) -> usize {
        self.operands.len()
    }

    /// An operand that must be there.
    pub(crate) fn operand(&self, i: usize) -> Result<Operand, ModelError> {
        self.optional(i).ok_or_else(|| self.error(format!("operand {i} is missing")))
    }

    /// An operand that may be left out.
    pub(crate) fn optional(&self, i: usize) -> Option<Operand> {
        self.operands.get(i).cloned().flatten()
    }

    /// All operands, none of which may be left out.
    pub(crate) fn all(&self) -> Result<Vec<Operand>, ModelError> {
        if self.count() == 0 {
            return Err(self.error("the node has no operands"));
        }
        (0..self.count()).map(|i| self.operand(i)).collect()
    }

    /// Shape of a value.
    pub(crate) fn shape(&self, operand: &Operand) -> Vec<usize> {
        self.importer.shape_of(operand).to_vec()
    }

    /// Element type of a value.
    pub(crate) fn element(&self, operand: &Operand) -> ElementType {
        self.importer.element_of(operand)
    }

    /// An operand that must be known now.
    pub(crate) fn constant(&self, i: usize) -> Result<Arc<Tensor>, ModelError> {
        match self.operand(i)? {
            Operand::Constant(tensor) => Ok(tensor),
            Operand::Node(_) | Operand::List(_) => Err(self
                .error(format!("operand {i} depends on the network's input; only constants are supported"))),
        }
    }

    /// As [`Call::constant`], for an operand that may be left out.
    pub(crate) fn optional_constant(&self, i: usize) -> Result<Option<Arc<Tensor>>, ModelError> {
        self.optional(i).map(|_| self.constant(i)).transpose()
    }

    /// A constant list of integers.
    pub(crate) fn ints(&self, i: usize) -> Result<Vec<i64>, ModelError> {
        let tensor = self.constant(i)?;
        let ints =
            tensor.as_i64().ok_or_else(|| self.error(format!("operand {i} does not hold integers")))?;
        Ok(ints.to_vec())
    }

    /// A constant list of integers that older operator sets have as an attribute, newer ones as operand `i`.
    pub(crate) fn ints_or_attribute(&self, i: usize, name: &str) -> Result<Option<Vec<i64>>, ModelError> {
        if self.optional(i).is_some() {
            return self.ints(i).map(Some);
        }
        Ok(self.node.ints(name)?.map(<[i64]>::to_vec))
    }

    /// A constant number that older operator sets have as an attribute, newer ones as operand `i`.
    pub(crate) fn number_or_attribute(&self, i: usize, name: &str) -> Result<Option<f64>, ModelError> {
        match self.optional_constant(i)? {
            Some(tensor) => tensor
                .scalar()
                .map(Some)
                .ok_or_else(|| self.error(format!("operand {i} is not a single number"))),
            None => self.node.float(name),
        }
    }

    /// `axis` from the front.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize, ModelError> {
        self.at(shape::axis(axis, rank))
    }

    /// A list of axes from the front, sorted, without repetition.
    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, ModelError> {
        let mut list = axes.iter().map(|&a| self.axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        list.sort_unstable();
        if list.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(self.error(format!("axes {axes:?} name one axis twice")));
        }
        Ok(list)
    }

    /// Applies an operator; the result has the first operand's element type.
    pub(crate) fn apply(&mut self, op: Op<T>, operands: &[Operand]) -> Result<Operand, ModelError> {
        let element = operands.first().map_or(ElementType::Float32, |operand| self.element(operand));
        self.apply_as(element, op, operands)
    }

    /// Applies an operator. Where all operands are constants the result is one: computed in double precision,
    /// rounded to `element`. An integer result that may leave its type is brought back into it.
    pub(crate) fn apply_as(
        &mut self,
        element: ElementType,
        op: Op<T>,
        operands: &[Operand],
    ) -> Result<Operand, ModelError> {
        if element.is_float() {
            return self.apply_to_floats(element, op, operands);
        }
        let reaches: Vec<_> = operands.iter().map(|operand| self.importer.reach_of(operand)).collect();
        let shape = operands.first().map(|operand| self.shape(operand)).unwrap_or_default();
        let reach = reach::of_result(&op, &reaches, &shape);
        let Some(integer) = Integer::of(element) else {
            let result = self.apply_plain(element, op, operands)?;
            self.note_reach(&result, reach);
            return Ok(result);
        };
        if reach::makes_fractions(&op) || operands.iter().any(|x| op.is_power() && self.element(x).is_float())
        {
            let result = self.apply_plain(element, op, operands)?;
            return self.apply_plain(element, Op::Unary(Unary(UnaryFunction::Convert(integer))), &[result]);
        }
        if op.wraps().is_some() {
            return self.apply_plain(element, op, operands);
        }
        if reach::fits(reach, integer) {
            let result = self.apply_plain(element, op, operands)?;
            self.note_reach(&result, reach);
            return Ok(result);
        }
        if matches!(op, Op::Binary(Binary(BinaryFunction::Mul))) {
            let product = Op::Binary(Binary(BinaryFunction::WrappingMul(integer)));
            return self.apply_plain(element, product, operands);
        }
        let result = self.apply_plain(element, op, operands)?;
        self.apply_plain(element, Op::Unary(Unary(UnaryFunction::Wrap(integer))), &[result])
    }

    /// Of floats only simple chains are followed: what lies before a cast.
    fn apply_to_floats(
        &mut self,
        element: ElementType,
        op: Op<T>,
        operands: &[Operand],
    ) -> Result<Operand, ModelError> {
        let reach = match (&op, operands) {
            (Op::Unary(_) | Op::Reshape(_) | Op::Rearrange(_), [Operand::Node(_)]) => {
                reach::of_result(&op, &[self.importer.reach_of(&operands[0])], &self.shape(&operands[0]))
            }
            _ => reach::of_element(element),
        };
        let result = self.apply_plain(element, op, operands)?;
        self.note_reach(&result, reach);
        Ok(result)
    }

    fn note_reach(&mut self, result: &Operand, reach: reach::Reach) {
        if let Operand::Node(id) = result
            && reach != reach::of_element(self.element(result))
        {
            self.importer.reaches.insert(*id, reach);
        }
    }

    fn apply_plain(
        &mut self,
        element: ElementType,
        op: Op<T>,
        operands: &[Operand],
    ) -> Result<Operand, ModelError> {
        let constants: Option<Vec<&Arc<Tensor>>> = operands
            .iter()
            .map(|operand| if let Operand::Constant(tensor) = operand { Some(tensor) } else { None })
            .collect();
        if let Some(constants) = constants {
            let folded = fold(&op, &constants);
            return self
                .at(folded)
                .map(|(shape, data)| Operand::Constant(Arc::new(Tensor::rounded(element, shape, &data))));
        }
        let ids =
            operands.iter().map(|operand| self.importer.node_of(operand)).collect::<Result<Vec<_>, _>>();
        let ids = self.at(ids)?;
        let name = &self.node.name;
        let id = self.importer.builder.push(name, op, &ids, element);
        self.at(id).map(Operand::Node)
    }

    /// Whether all values are numbers of this type, whatever the inputs.
    pub(crate) fn always_fits(&self, x: &Operand, integer: Integer) -> bool {
        let (low, high) = self.importer.reach_of(x);
        reach::fits((low.trunc(), high.trunc()), integer)
    }

    /// The single result of an operator.
    pub(crate) fn result(&mut self, op: Op<T>, operands: &[Operand]) -> Built {
        self.apply(op, operands).map(|result| vec![result])
    }

    /// Applies a function to every value.
    pub(crate) fn unary(&mut self, f: UnaryFunction, x: &Operand) -> Result<Operand, ModelError> {
        self.apply(Op::Unary(Unary(f)), std::slice::from_ref(x))
    }

    /// Applies a function to two broadcast operands.
    pub(crate) fn binary(
        &mut self,
        f: BinaryFunction,
        a: &Operand,
        b: &Operand,
    ) -> Result<Operand, ModelError> {
        self.apply(Op::Binary(Binary(f)), &[a.clone(), b.clone()])
    }

    /// A constant of the given element type.
    pub(crate) fn literal(&self, element: ElementType, shape: Vec<usize>, values: &[f64]) -> Operand {
        Operand::Constant(Arc::new(Tensor::rounded(element, shape, values)))
    }

    /// The value under another shape.
    pub(crate) fn reshape(&mut self, x: &Operand, to: Vec<usize>) -> Result<Operand, ModelError> {
        let from = self.importer.shape_of(x);
        if from == to {
            return Ok(x.clone());
        }
        if self.at(shape::checked_len(&to))? != shape::len(from) {
            return Err(self.error(format!("shape {from:?} cannot be reshaped to {to:?}")));
        }
        match x {
            Operand::Constant(tensor) => Ok(Operand::Constant(Arc::new(tensor.reshaped(to)))),
            Operand::Node(_) | Operand::List(_) => self.apply(Op::Reshape(to), std::slice::from_ref(x)),
        }
    }

    /// Moves numbers by an index map; a map that moves nothing is a reshape.
    pub(crate) fn rearrange(
        &mut self,
        x: &Operand,
        map: Result<Rearrange, ShapeError>,
    ) -> Result<Operand, ModelError> {
        let map = self.at(map)?;
        if map.is_identity() {
            return self.reshape(x, map.to);
        }
        self.apply(Op::Rearrange(map), std::slice::from_ref(x))
    }

    /// The value with its axes in another order.
    pub(crate) fn transpose(&mut self, x: &Operand, order: &[usize]) -> Result<Operand, ModelError> {
        let shape = self.shape(x);
        self.rearrange(x, Rearrange::transpose(&shape, order))
    }

    /// The value repeated along axes of length 1 (or missing in front) up to the shape `to`.
    pub(crate) fn expand(&mut self, x: &Operand, to: &[usize]) -> Result<Operand, ModelError> {
        let shape = self.shape(x);
        self.rearrange(x, Rearrange::expand(&shape, to))
    }
}

/// Evaluates an operator on constants in double precision.
fn fold<T: Real>(op: &Op<T>, constants: &[&Arc<Tensor>]) -> Result<(Vec<usize>, Vec<f64>), ShapeError> {
    let mut builder = Builder::<f64>::default();
    let mut ids = Vec::new();
    for tensor in constants {
        ids.push(builder.constant("", tensor.element, tensor.shape.clone(), tensor.to_f64())?);
    }
    let id = builder.push("", op.cast(), &ids, ElementType::Float64)?;
    let shape = builder.shape(id).to_vec();
    let constant =
        builder.as_constant(id).ok_or_else(|| ShapeError("a constant could not be computed".into()))?;
    Ok((shape, constant.data.clone()))
}
