//! From an ONNX model to a tape: a walk over the file's own nodes.
//!
//! Operators that only move values are not written down a second time: the plain engine is run on the *positions* of the
//! values, and says which goes where ([`moves`]). Operators on constants are run there as well, where their result is the same
//! in every runtime (whole numbers, single operations that are correctly rounded). All else is written here as ONNX defines it,
//! with the roundings that ONNX leaves to the runtime.
//!
//! What has no rule is refused: then nothing is proved and nothing certified, and the answer says so.

mod constants;
mod control;
mod elementwise;
mod linear;
mod moves;
mod shares;
mod windows;
mod within;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

pub(super) use within::{Assumed, NumberPlace, WithinBox};

use crate::onnx::live::Live;
use crate::onnx::{Data, ElementType, Graph, Model, Node, Tensor};

use super::directed::Interval;
use super::format::Format;
use super::tape::{Rounding, Scalar, StepKind, Tape};

/// Numbers on a tape, at most: 16 rows of coefficients of so many take 2 GiB.
const MOST_NUMBERS: usize = 1 << 24;
/// Terms that are written out one by one, at most.
const MOST_TERMS: usize = 1 << 26;

/// From here on not every whole number is a double.
const LONG: f64 = 9_007_199_254_740_992.0;

/// Why a network has no enclosure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoEnclosure(pub String);

/// A tensor of numbers on the tape.
#[derive(Debug, Clone)]
pub(super) struct TapeView {
    pub(super) shape: Vec<usize>,
    pub(super) element: ElementType,
    pub(super) numbers: Vec<Scalar>,
}

/// A value during the walk.
#[derive(Debug, Clone)]
enum TapeValue {
    Known(Arc<Tensor>),
    Numbers(TapeView),
}

impl TapeValue {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Known(tensor) => &tensor.shape,
            Self::Numbers(view) => &view.shape,
        }
    }

    fn element(&self) -> ElementType {
        match self {
            Self::Known(tensor) => tensor.element,
            Self::Numbers(view) => view.element,
        }
    }
}

/// A value with what is known of where it comes from.
#[derive(Debug, Clone)]
struct HeldValue {
    value: TapeValue,
    /// Whether it depends on an input.
    varies: bool,
    /// Over a box: the whole numbers with more than one value there that it depends on, the nearest ones.
    open: Rc<Vec<Scalar>>,
}

/// The values of a graph during the walk, within those of the graph around it.
struct CompileScope<'s> {
    graph: &'s Graph,
    values: HashMap<&'s str, HeldValue>,
    outer: Option<&'s CompileScope<'s>>,
}

impl CompileScope<'_> {
    fn find(&self, name: &str) -> Option<HeldValue> {
        let constant = |tensor: &Arc<Tensor>| HeldValue {
            value: TapeValue::Known(Arc::clone(tensor)),
            varies: false,
            open: Rc::default(),
        };
        let own = self.values.get(name).cloned().or_else(|| self.graph.initializers.get(name).map(constant));
        own.or_else(|| self.outer?.find(name))
    }
}

/// An operator application.
struct TapeCall<'a> {
    node: &'a Node,
    opset: i64,
    inputs: Vec<Option<TapeValue>>,
}

/// Results in the node's order.
type Results = Result<Vec<TapeValue>, String>;
/// An operator's name and its rule.
type Entry = (&'static str, fn(&mut Compiler<'_>, &TapeCall<'_>) -> Results);

const TABLES: &[&[Entry]] =
    &[elementwise::OPERATORS, linear::OPERATORS, shares::OPERATORS, windows::OPERATORS];

impl TapeCall<'_> {
    fn optional(&self, i: usize) -> Option<&TapeValue> {
        self.inputs.get(i)?.as_ref()
    }

    fn input(&self, i: usize) -> Result<&TapeValue, String> {
        self.optional(i).ok_or_else(|| format!("operand {i} is missing"))
    }

    /// A known operand's values, as doubles.
    fn known(&self, i: usize) -> Result<Option<Vec<f64>>, String> {
        match self.optional(i) {
            None => Ok(None),
            Some(TapeValue::Known(tensor)) => Ok(Some(tensor.to_f64())),
            Some(TapeValue::Numbers(_)) => Err(format!("operand {i} is not constant")),
        }
    }

    fn known_ints(&self, i: usize) -> Result<Option<Vec<i64>>, String> {
        Ok(self.known(i)?.map(|values| values.into_iter().map(|x| x as i64).collect()))
    }

    /// A known operand with one value.
    fn known_scalar(&self, i: usize) -> Result<Option<f64>, String> {
        match self.known(i)?.as_deref() {
            None | Some([]) => Ok(None),
            Some([x]) => Ok(Some(*x)),
            Some(_) => Err(format!("operand {i} has more than one value")),
        }
    }

    fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        self.node.int(name).map(|x| x.unwrap_or(default)).map_err(|e| e.to_string())
    }

    /// Attributes are single-precision numbers, and so are the values that the specification gives where they are left out.
    fn float(&self, name: &str, default: f64) -> Result<f64, String> {
        let default = f64::from(default as f32);
        self.node.float(name).map(|x| x.unwrap_or(default)).map_err(|e| e.to_string())
    }

    fn ints(&self, name: &str) -> Result<Option<&[i64]>, String> {
        self.node.ints(name).map_err(|e| e.to_string())
    }

    fn text(&self, name: &str, default: &'static str) -> Result<&str, String> {
        self.node.string(name).map(|x| x.unwrap_or(default)).map_err(|e| e.to_string())
    }
}

/// Puts networks on a tape.
pub(super) struct Compiler<'t> {
    pub(super) tape: &'t mut Tape,
    terms: usize,
    /// What rectifiers work on, by the name of the node; nothing where several nodes have it.
    nodes: HashMap<String, Option<Vec<Scalar>>>,
    /// The box that the walk is for, where it is for one.
    within: Option<WithinBox>,
}

impl<'t> Compiler<'t> {
    pub(super) fn new(tape: &'t mut Tape, within: Option<WithinBox>) -> Self {
        Self { tape, terms: 0, nodes: HashMap::new(), within }
    }

    /// What rectifiers work on, and what is known of the box.
    pub(super) fn finish(self) -> (HashMap<String, Option<Vec<Scalar>>>, Option<WithinBox>) {
        (self.nodes, self.within)
    }

    /// New inputs of a type.
    pub(super) fn inputs(&mut self, shape: Vec<usize>, element: ElementType) -> TapeView {
        let len = shape.iter().product();
        let numbers = self.tape.push(len, Rounding::Exact, StepKind::Input).collect();
        TapeView { shape, element, numbers }
    }

    /// A model's outputs for these inputs.
    ///
    /// # Errors
    /// At the first node that has no rule.
    pub(super) fn model(
        &mut self,
        model: &Model,
        inputs: Vec<TapeView>,
    ) -> Result<Vec<TapeView>, NoEnclosure> {
        let graph = &model.graph;
        let stored: usize = graph.initializers.values().map(|tensor| tensor.stored_len()).sum();
        if stored > MOST_TERMS {
            return Err(NoEnclosure("the network is too large to be enclosed number by number".into()));
        }
        let mut scope = CompileScope { graph, values: HashMap::new(), outer: None };
        for (info, view) in graph.inputs.iter().zip(inputs) {
            let held = self.held(Some(&info.name), TapeValue::Numbers(view), true, Rc::default())?;
            scope.values.insert(&info.name, held);
        }
        let outputs = self.graph(model.opset, scope)?;
        Ok(outputs.iter().map(|held| self.view(&held.value)).collect())
    }

    /// The outputs of a graph whose inputs are in its scope.
    fn graph(&mut self, opset: i64, mut scope: CompileScope<'_>) -> Result<Vec<HeldValue>, NoEnclosure> {
        let graph = scope.graph;
        for node in Live::of_outputs(graph).filter(graph) {
            let results = self.applied(opset, node, &scope)?;
            scope.values.extend(node.outputs.iter().map(String::as_str).zip(results));
        }
        let output = |info: &crate::onnx::ValueInfo| {
            scope.find(&info.name).ok_or_else(|| NoEnclosure(format!("output {} has no value", info.name)))
        };
        graph.outputs.iter().map(output).collect()
    }

    /// The results of a node.
    fn applied(
        &mut self,
        opset: i64,
        node: &Node,
        scope: &CompileScope<'_>,
    ) -> Result<Vec<HeldValue>, NoEnclosure> {
        let place = |what: String| NoEnclosure(format!("node {} ({}): {what}", node.name, node.operator));
        let find = |name: &String| match name.as_str() {
            "" => Ok(None),
            name => scope.find(name).map(Some).ok_or_else(|| format!("its operand {name} has no value")),
        };
        let operands = node.inputs.iter().map(find).collect::<Result<Vec<_>, _>>().map_err(place)?;
        if control::is_known(node) {
            return control::run(self, opset, node, &operands, scope)
                .inspect_err(|_| self.note_open(&operands));
        }
        let inputs = operands.iter().enumerate();
        let inputs = inputs.map(|(i, held)| Some(self.as_size(node, i, &held.as_ref()?.value))).collect();
        let call = TapeCall { node, opset, inputs };
        let results = self.node(&call).map_err(|what| {
            self.note_open(&operands);
            place(what)
        })?;
        if let ("Relu" | "LeakyRelu" | "PRelu", Some(TapeValue::Numbers(x))) =
            (node.operator.as_str(), call.optional(0))
        {
            let several = self.nodes.contains_key(&node.name);
            self.nodes.insert(node.name.clone(), (!several).then(|| x.numbers.clone()));
        }
        let varies = operands.iter().flatten().any(|held| held.varies);
        let open = within::union(operands.iter().flatten().map(|held| &held.open));
        let is_outermost = scope.outer.is_none();
        let named = node
            .outputs
            .iter()
            .map(|name| is_outermost.then_some(name.as_str()))
            .chain(std::iter::repeat(None));
        results
            .into_iter()
            .zip(named)
            .map(|(value, name)| self.held(name, value, varies, Rc::clone(&open)))
            .collect()
    }

    fn node(&mut self, call: &TapeCall<'_>) -> Results {
        if self.tape.len > MOST_NUMBERS || self.terms > MOST_TERMS {
            return Err("the network is too large to be enclosed number by number".into());
        }
        if !call.node.domain.is_empty() {
            return Err(format!("operators of domain {} have no enclosure", call.node.domain));
        }
        if let Some(results) = constants::fold(call)? {
            return Ok(results);
        }
        let name = call.node.operator.as_str();
        if let Some(operands) = moves::operands(name) {
            return moves::run(self, call, operands);
        }
        let entry = TABLES.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name);
        let (_, rule) = entry.ok_or("the operator has no enclosure")?;
        rule(self, call)
    }

    /// The value as numbers of the tape.
    fn view(&mut self, value: &TapeValue) -> TapeView {
        match value {
            TapeValue::Numbers(view) => view.clone(),
            TapeValue::Known(tensor) => {
                let whole = !tensor.element.is_float();
                let values: Vec<Interval> = tensor.to_f64().into_iter().map(|x| constant(x, whole)).collect();
                let numbers =
                    self.tape.push(values.len(), Rounding::Exact, StepKind::Constant(values)).collect();
                TapeView { shape: tensor.shape.clone(), element: tensor.element, numbers }
            }
        }
    }

    /// Appends numbers of one step as a tensor.
    fn push(
        &mut self,
        shape: Vec<usize>,
        element: ElementType,
        rounding: Rounding,
        kind: StepKind,
    ) -> TapeValue {
        let len = shape.iter().product();
        let numbers = self.tape.push(len, rounding, kind).collect();
        TapeValue::Numbers(TapeView { shape, element, numbers })
    }

    /// Counts terms that are written out.
    fn spend(&mut self, terms: usize) -> Result<(), String> {
        self.terms = self.terms.saturating_add(terms);
        if self.terms > MOST_TERMS {
            return Err("the network is too large to be enclosed number by number".into());
        }
        Ok(())
    }
}

/// A constant's interval; NaN is anything, and a whole number that is too long for doubles lies near.
fn constant(x: f64, whole: bool) -> Interval {
    match x.is_finite() {
        true if whole && x.abs() >= LONG => Interval::new(x.next_down(), x.next_up()),
        true => Interval::point(x),
        false => Interval::EVERYTHING,
    }
}

/// The format of results of this type.
fn format_of(element: ElementType) -> Result<Format, String> {
    Format::of(element)
        .ok_or_else(|| format!("arithmetic on {element} that depends on the inputs has no enclosure"))
}

/// A tensor of positions or sizes.
fn doubles(shape: Vec<usize>, element: ElementType, values: Vec<f64>) -> Tensor {
    let data = if element.is_float() {
        Data::F64(values)
    } else {
        Data::I64(values.into_iter().map(|x| x as i64).collect())
    };
    Tensor { element, shape, data }
}
