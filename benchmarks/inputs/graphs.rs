//! Models with graphs inside of their nodes, made of bytes: loops, scans, branches and lists, nested, with values of the graphs
//! around them. Mostly right, sometimes not: what is wrong must be refused with words.
//!
//! Numbers are multiples of a quarter below 1024 wherever they come from (products are floored, sums clipped): both engines
//! compute them without any rounding, so that every difference between them is an error.

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};
use protobuf::{Message, MessageField};

/// ONNX's numbers of the element types.
const FLOAT: i32 = 1;
const INT: i32 = 7;
const BOOL: i32 = 9;

/// Deepest nesting of graphs.
const DEEPEST: usize = 3;
/// Most nodes of a graph that are chosen; some are written as two.
const MOST_NODES: usize = 9;
/// Most choices: what is nested would else be large.
const MOST_CHOICES: usize = 40;

/// A value that nodes may use.
#[derive(Clone)]
struct Value {
    name: String,
    element: i32,
    shape: Vec<usize>,
    /// Whether it is a list of such tensors.
    is_list: bool,
}

/// Makes a model of bytes; where they end, every choice is the first one.
pub(crate) struct Maker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    names: usize,
    choices: usize,
}

impl<'a> Maker<'a> {
    /// The file of a model, and how many numbers it takes.
    pub(crate) fn model(bytes: &'a [u8]) -> (Vec<u8>, usize) {
        let mut maker = Self { bytes: bytes.iter(), names: 0, choices: 0 };
        let shape = maker.shape();
        let len = shape.iter().product();
        let input = Value { name: "x".into(), element: FLOAT, shape, is_list: false };
        let opset = [13, 11, 16, 18, 21, 23][maker.below(6)];
        let (mut graph, values) = maker.graph(&[], vec![input.clone()], 0);
        graph.input.push(info(&input, true));
        let outputs = 1 + maker.below(2);
        for _ in 0..outputs {
            let value = maker.wanted(&values, FLOAT).unwrap_or_else(|| input.clone());
            let name = maker.fresh();
            // An output has a node of its own: it may not be an input, and no two may have one name.
            graph.node.push(node("Identity", &[&value.name], &[&name], vec![]));
            graph.output.push(info(&Value { name, ..value }, false));
        }
        let sets = OperatorSetIdProto { version: opset, ..Default::default() };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![sets],
            graph: MessageField::some(graph),
            ..Default::default()
        };
        (model.write_to_bytes().unwrap_or_default(), len)
    }

    fn byte(&mut self) -> usize {
        self.bytes.next().copied().unwrap_or(0).into()
    }

    fn below(&mut self, n: usize) -> usize {
        self.byte() % n.max(1)
    }

    /// One time in `n`, and never after the bytes have ended.
    fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn shape(&mut self) -> Vec<usize> {
        [vec![3], vec![2, 3], vec![1, 4], vec![], vec![1], vec![2, 1, 2], vec![4], vec![3, 2]][self.below(8)]
            .clone()
    }

    /// A value of an element type, late ones more often than early ones.
    fn tensor(&mut self, values: &[Value], element: i32) -> Option<Value> {
        let fit: Vec<&Value> = values.iter().filter(|v| !v.is_list && v.element == element).collect();
        self.late(&fit)
    }

    fn list(&mut self, values: &[Value]) -> Option<Value> {
        let fit: Vec<&Value> = values.iter().filter(|v| v.is_list).collect();
        self.late(&fit)
    }

    fn late(&mut self, fit: &[&Value]) -> Option<Value> {
        let back = self.below(fit.len().min(6));
        fit.len().checked_sub(back + 1).map(|at| fit[at].clone())
    }

    /// A value to be given by a graph: a list now and then.
    fn wanted(&mut self, values: &[Value], element: i32) -> Option<Value> {
        if self.rarely(9) { values.last().cloned() } else { self.tensor(values, element) }
    }

    /// A graph's nodes and constants, `own` being its inputs: all values that it sees in the end.
    fn graph(&mut self, around: &[Value], own: Vec<Value>, depth: usize) -> (GraphProto, Vec<Value>) {
        let mut graph = GraphProto { name: format!("g{}", self.names), ..Default::default() };
        let mut values: Vec<Value> = around.iter().cloned().chain(own).collect();
        for _ in 0..=self.below(MOST_NODES) {
            self.choices += 1;
            if self.choices > MOST_CHOICES {
                break;
            }
            match self.below(16) {
                0..=4 => self.compute(&mut graph, &mut values),
                5 => self.constant(&mut graph, &mut values),
                6..=9 => self.lists(&mut graph, &mut values),
                10 => self.move_about(&mut graph, &mut values),
                11 => self.integers(&mut graph, &mut values),
                12 if depth < DEEPEST => self.branch(&mut graph, &mut values, depth),
                13 | 14 if depth < DEEPEST => self.rounds(&mut graph, &mut values, depth),
                15 if depth < DEEPEST => self.scan(&mut graph, &mut values, depth),
                _ => self.compute(&mut graph, &mut values),
            }
        }
        self.spoil(&mut graph);
        (graph, values)
    }

    /// Now and then a node is not as it should be.
    fn spoil(&mut self, graph: &mut GraphProto) {
        if !self.rarely(24) || graph.node.is_empty() {
            return;
        }
        let at = self.below(graph.node.len());
        let node = &mut graph.node[at];
        match self.below(7) {
            0 => node.input.clear(),
            1 => node.output.truncate(node.output.len().saturating_sub(1)),
            2 => node.attribute.clear(),
            3 => node.input.reverse(),
            4 => node.input.iter_mut().for_each(|name| *name = "v1".into()),
            5 => node.output.push("extra".into()),
            _ => graph.node.swap(0, at),
        }
    }

    fn give(
        &mut self,
        graph: &mut GraphProto,
        values: &mut Vec<Value>,
        made: NodeProto,
        element: i32,
        shape: &[usize],
    ) -> Value {
        let name = self.fresh();
        graph.node.push(NodeProto { output: vec![name.clone()], ..made });
        let value = Value { name, element, shape: shape.to_vec(), is_list: false };
        values.push(value.clone());
        value
    }

    fn number(&mut self, graph: &mut GraphProto, element: i32, shape: &[usize], numbers: &[i64]) -> String {
        let name = self.fresh();
        graph.initializer.push(tensor(&name, element, shape, numbers));
        name
    }

    /// Sums and products that stay small and exact, and what needs no care.
    fn compute(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) {
        let Some(a) = self.tensor(values, FLOAT) else { return self.constant(graph, values) };
        let pick = self.below(14);
        if pick < 8 {
            let operator = ["Relu", "Neg", "Abs", "Identity", "Floor", "Sign", "Ceil", "Relu"][pick];
            self.give(graph, values, node(operator, &[&a.name], &[], vec![]), FLOAT, &a.shape);
            return;
        }
        let b = self.tensor(values, FLOAT).unwrap_or_else(|| a.clone());
        let shape = if a.shape.len() >= b.shape.len() { a.shape.clone() } else { b.shape.clone() };
        let operator = ["Add", "Sub", "Mul", "Max", "Min", "Add"][pick - 8];
        let mut made =
            self.give(graph, values, node(operator, &[&a.name, &b.name], &[], vec![]), FLOAT, &shape);
        if operator == "Mul" {
            values.pop();
            made = self.give(graph, values, node("Floor", &[&made.name], &[], vec![]), FLOAT, &shape);
        }
        if matches!(operator, "Add" | "Sub" | "Mul") {
            values.pop();
            let (low, high) =
                (self.number(graph, FLOAT, &[], &[-4096]), self.number(graph, FLOAT, &[], &[4096]));
            self.give(graph, values, node("Clip", &[&made.name, &low, &high], &[], vec![]), FLOAT, &shape);
        }
    }

    fn constant(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) {
        let element = [FLOAT, INT, BOOL][self.below(3)];
        let shape = if element == FLOAT { self.shape() } else { vec![] };
        let len: usize = shape.iter().product();
        let numbers: Vec<i64> = (0..len)
            .map(|_| {
                let byte = self.below(9) as i64 - 4;
                if element == BOOL { byte & 1 } else { byte }
            })
            .collect();
        let name = self.number(graph, element, &shape, &numbers);
        values.push(Value { name, element, shape, is_list: false });
    }

    /// Indices and truth values, known beforehand or not.
    fn integers(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) {
        match self.below(5) {
            0 => {
                let Some(a) = self.tensor(values, FLOAT) else { return };
                self.give(graph, values, node("Shape", &[&a.name], &[], vec![]), INT, &[a.shape.len()]);
            }
            1 => {
                let (Some(a), Some(b)) = (self.tensor(values, FLOAT), self.tensor(values, FLOAT)) else {
                    return;
                };
                let less =
                    self.give(graph, values, node("Less", &[&a.name, &b.name], &[], vec![]), BOOL, &a.shape);
                let c = self.tensor(values, FLOAT).unwrap_or_else(|| a.clone());
                self.give(
                    graph,
                    values,
                    node("Where", &[&less.name, &a.name, &c.name], &[], vec![]),
                    FLOAT,
                    &a.shape,
                );
            }
            2 => {
                let Some(a) = self.tensor(values, INT) else { return };
                let Some(b) = self.tensor(values, INT) else { return };
                let operator = ["Add", "Sub", "Less", "Equal"][self.below(4)];
                let element = if matches!(operator, "Add" | "Sub") { INT } else { BOOL };
                self.give(graph, values, node(operator, &[&a.name, &b.name], &[], vec![]), element, &a.shape);
            }
            3 => {
                let Some(a) = self.tensor(values, INT) else { return };
                let to = integer("to", i64::from(FLOAT));
                self.give(graph, values, node("Cast", &[&a.name], &[], vec![to]), FLOAT, &a.shape);
            }
            _ => {
                let Some(a) = self.tensor(values, FLOAT) else { return };
                let keep = integer("keepdims", 0);
                self.give(graph, values, node("ReduceMax", &[&a.name], &[], vec![keep]), FLOAT, &[]);
            }
        }
    }

    fn move_about(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) {
        let Some(a) = self.tensor(values, FLOAT) else { return };
        let rank = a.shape.len();
        match self.below(4) {
            0 => {
                let mut shape = a.shape.clone();
                shape.reverse();
                self.give(graph, values, node("Transpose", &[&a.name], &[], vec![]), FLOAT, &shape);
            }
            1 => {
                let at = self.below(4) as i64 - 1;
                let at = self.number(graph, INT, &[], &[at]);
                let shape = a.shape.iter().skip(1).copied().collect::<Vec<_>>();
                self.give(graph, values, node("Gather", &[&a.name, &at], &[], vec![]), FLOAT, &shape);
            }
            2 => {
                let len: usize = a.shape.iter().product();
                let to = self.number(graph, INT, &[1], &[len as i64]);
                self.give(graph, values, node("Reshape", &[&a.name, &to], &[], vec![]), FLOAT, &[len]);
            }
            _ => {
                let Some(b) = self.tensor(values, FLOAT) else { return };
                let axis = self.below(rank.max(1));
                let mut shape = a.shape.clone();
                if let (Some(n), Some(m)) = (shape.get_mut(axis), b.shape.get(axis)) {
                    *n += m;
                }
                let axis = integer("axis", axis as i64);
                self.give(graph, values, node("Concat", &[&a.name, &b.name], &[], vec![axis]), FLOAT, &shape);
            }
        }
    }

    fn give_list(
        &mut self,
        graph: &mut GraphProto,
        values: &mut Vec<Value>,
        made: NodeProto,
        element: i32,
        shape: &[usize],
    ) {
        let value = self.give(graph, values, made, element, shape);
        values.pop();
        values.push(Value { is_list: true, ..value });
    }

    /// A position in a list, or a place of any kind: known, computed or left out.
    fn position(&mut self, graph: &mut GraphProto, values: &[Value]) -> String {
        match self.below(6) {
            0 => String::new(),
            1 => self.tensor(values, INT).map(|v| v.name).unwrap_or_default(),
            _ => {
                let at = [0, -1, 1, 2, -2, 7][self.below(6)];
                self.number(graph, INT, &[], &[at])
            }
        }
    }

    fn lists(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) {
        let Some(a) = self.tensor(values, FLOAT) else { return };
        let Some(list) = self.list(values) else {
            return self.new_list(graph, values, &a);
        };
        let (element, shape) = (list.element, list.shape.clone());
        match self.below(9) {
            0 => self.new_list(graph, values, &a),
            1 | 2 => {
                let at = self.position(graph, values);
                let mut names = vec![list.name.as_str(), &a.name];
                if !at.is_empty() {
                    names.push(&at);
                }
                self.give_list(graph, values, node("SequenceInsert", &names, &[], vec![]), element, &a.shape);
            }
            3 | 4 => {
                let mut at = self.position(graph, values);
                if at.is_empty() {
                    at = self.number(graph, INT, &[], &[0]);
                }
                self.give(
                    graph,
                    values,
                    node("SequenceAt", &[&list.name, &at], &[], vec![]),
                    element,
                    &shape,
                );
            }
            5 => {
                let at = self.position(graph, values);
                let mut names = vec![list.name.as_str()];
                if !at.is_empty() {
                    names.push(&at);
                }
                self.give_list(graph, values, node("SequenceErase", &names, &[], vec![]), element, &shape);
            }
            6 => {
                self.give(graph, values, node("SequenceLength", &[&list.name], &[], vec![]), INT, &[]);
            }
            7 => self.give_list(graph, values, node("Identity", &[&list.name], &[], vec![]), element, &shape),
            _ => {
                let (axis, fresh) = (self.below(3) as i64 - 1, self.below(2) as i64);
                let attributes = vec![integer("axis", axis), integer("new_axis", fresh)];
                self.give(
                    graph,
                    values,
                    node("ConcatFromSequence", &[&list.name], &[], attributes),
                    element,
                    &shape,
                );
            }
        }
    }

    fn new_list(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>, a: &Value) {
        match self.below(4) {
            0 => {
                let b = self.tensor(values, FLOAT).unwrap_or_else(|| a.clone());
                let made = node("SequenceConstruct", &[&a.name, &b.name], &[], vec![]);
                self.give_list(graph, values, made, FLOAT, &a.shape);
            }
            1 => self.give_list(graph, values, node("SequenceEmpty", &[], &[], vec![]), FLOAT, &a.shape),
            2 => {
                let axis = integer("axis", self.below(3) as i64 - 1);
                let keep = integer("keepdims", self.below(2) as i64);
                let made = node("SplitToSequence", &[&a.name], &[], vec![axis, keep]);
                self.give_list(graph, values, made, FLOAT, &a.shape.iter().map(|_| 1).collect::<Vec<_>>());
            }
            _ => {
                let sizes = [vec![1], vec![2], vec![1, 2], vec![2, 2], vec![0, 3]][self.below(5)].clone();
                let shape: Vec<usize> = if sizes.len() == 1 { vec![] } else { vec![sizes.len()] };
                let sizes = self.number(graph, INT, &shape, &sizes);
                let axis = integer("axis", self.below(2) as i64);
                let made = node("SplitToSequence", &[&a.name, &sizes], &[], vec![axis]);
                self.give_list(graph, values, made, FLOAT, &a.shape);
            }
        }
    }

    /// A truth value, known or computed.
    fn truth(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>) -> String {
        match self.below(4) {
            0 => {
                let truth = self.below(2) as i64;
                self.number(graph, BOOL, &[], &[truth])
            }
            1 => self.tensor(values, BOOL).map(|value| value.name).unwrap_or_default(),
            _ => {
                let Some(a) = self.tensor(values, FLOAT) else { return String::new() };
                let keep = integer("keepdims", 0);
                let most =
                    self.give(graph, values, node("ReduceMax", &[&a.name], &[], vec![keep]), FLOAT, &[]);
                let bound = self.below(5) as i64 - 2;
                let bound = self.number(graph, FLOAT, &[], &[bound]);
                self.give(graph, values, node("Less", &[&most.name, &bound], &[], vec![]), BOOL, &[]).name
            }
        }
    }

    /// Outputs of an inner graph, each by a node of its own where it needs one.
    fn outputs(&mut self, graph: &mut GraphProto, wanted: &[Value]) {
        for value in wanted {
            let needs_node = !graph.node.iter().any(|node| node.output.contains(&value.name))
                || graph.output.iter().any(|output| output.name == value.name);
            let name = if needs_node && !self.rarely(5) {
                let name = self.fresh();
                graph.node.push(node("Identity", &[&value.name], &[&name], vec![]));
                name
            } else {
                value.name.clone()
            };
            graph.output.push(info(&Value { name, ..value.clone() }, false));
        }
    }

    /// What a node that computes graphs gives.
    fn results(
        &mut self,
        graph: &mut GraphProto,
        values: &mut Vec<Value>,
        made: NodeProto,
        results: Vec<Value>,
    ) {
        let results: Vec<Value> =
            results.into_iter().map(|value| Value { name: self.fresh(), ..value }).collect();
        let output = results.iter().map(|value| value.name.clone()).collect();
        graph.node.push(NodeProto { output, ..made });
        values.extend(results);
    }

    fn branch(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>, depth: usize) {
        let condition = self.truth(graph, values);
        let wants_list = self.rarely(4);
        let mut attributes = Vec::new();
        let mut results = Vec::new();
        for name in ["then_branch", "else_branch"] {
            let (mut inner, seen) = self.graph(values, vec![], depth + 1);
            let value = if wants_list { self.list(&seen) } else { self.tensor(&seen, FLOAT) };
            let Some(value) = value else { return };
            self.outputs(&mut inner, std::slice::from_ref(&value));
            attributes.push(body(name, inner));
            results = vec![value];
        }
        self.results(graph, values, node("If", &[&condition], &[], attributes), results);
    }

    fn rounds(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>, depth: usize) {
        let limit = match self.below(5) {
            0 => String::new(),
            1 => self.tensor(values, INT).map(|value| value.name).unwrap_or_default(),
            _ => {
                let limit = self.below(5) as i64;
                self.number(graph, INT, &[], &[limit])
            }
        };
        let condition = if self.rarely(3) { self.truth(graph, values) } else { String::new() };
        let mut carried = Vec::new();
        for _ in 0..self.below(3) {
            let value = if self.rarely(3) { self.list(values) } else { self.tensor(values, FLOAT) };
            carried.extend(value);
        }
        let number = Value { name: self.fresh(), element: INT, shape: vec![], is_list: false };
        let goes_on = Value { name: self.fresh(), element: BOOL, shape: vec![], is_list: false };
        let own: Vec<Value> =
            carried.iter().map(|value| Value { name: self.fresh(), ..value.clone() }).collect();
        let inputs: Vec<Value> = [number, goes_on].into_iter().chain(own).collect();
        let (mut inner, seen) = self.graph(values, inputs.clone(), depth + 1);
        inner.input = inputs.iter().map(|value| info(value, false)).collect();
        // It ends by itself where nothing else ends it.
        let mut seen = seen;
        let next = if limit.is_empty() || self.rarely(3) {
            let number = &inputs[0].name;
            let last = self.below(5) as i64;
            let last = self.number(&mut inner, INT, &[], &[last]);
            self.give(&mut inner, &mut seen, node("Less", &[number, &last], &[], vec![]), BOOL, &[])
        } else {
            inputs[1].clone()
        };
        let mut wanted = vec![next];
        for value in &carried {
            let fit: Vec<&Value> = seen
                .iter()
                .filter(|v| {
                    v.is_list == value.is_list
                        && v.element == value.element
                        && (v.is_list || v.shape == value.shape)
                })
                .collect();
            wanted.extend(self.late(&fit));
        }
        let mut results = wanted[1..].to_vec();
        for _ in 0..self.below(3) {
            let Some(value) = self.tensor(&seen, FLOAT) else { continue };
            let shape = [2].into_iter().chain(value.shape.clone()).collect();
            results.push(Value { shape, ..value.clone() });
            wanted.push(value);
        }
        if results.is_empty() {
            return;
        }
        self.outputs(&mut inner, &wanted);
        let names: Vec<&str> =
            [limit.as_str(), &condition].into_iter().chain(carried.iter().map(|v| v.name.as_str())).collect();
        self.results(graph, values, node("Loop", &names, &[], vec![body("body", inner)]), results);
    }

    fn scan(&mut self, graph: &mut GraphProto, values: &mut Vec<Value>, depth: usize) {
        let Some(over) = self.tensor(values, FLOAT) else { return };
        let axis = self.below(over.shape.len().max(1));
        let mut slice = over.shape.clone();
        let length = if axis < slice.len() { slice.remove(axis) } else { 1 };
        let states: Vec<Value> = (0..self.below(3)).filter_map(|_| self.tensor(values, FLOAT)).collect();
        let inputs: Vec<Value> = states
            .iter()
            .cloned()
            .chain([Value { shape: slice, ..over.clone() }])
            .map(|value| Value { name: self.fresh(), ..value })
            .collect();
        let (mut inner, seen) = self.graph(values, inputs.clone(), depth + 1);
        inner.input = inputs.iter().map(|value| info(value, false)).collect();
        let mut wanted = Vec::new();
        for state in &states {
            let fit: Vec<&Value> =
                seen.iter().filter(|v| !v.is_list && v.element == FLOAT && v.shape == state.shape).collect();
            wanted.extend(self.late(&fit));
        }
        let mut results = wanted.clone();
        if let Some(value) = self.tensor(&seen, FLOAT) {
            let shape = [length].into_iter().chain(value.shape.clone()).collect();
            results.push(Value { shape, ..value.clone() });
            wanted.push(value);
        }
        self.outputs(&mut inner, &wanted);
        let mut attributes = vec![body("body", inner), integer("num_scan_inputs", 1)];
        if axis > 0 || self.rarely(3) {
            let axis = if self.rarely(2) { axis as i64 - over.shape.len() as i64 } else { axis as i64 };
            attributes.push(integers("scan_input_axes", vec![axis]));
        }
        if self.rarely(3) {
            attributes.push(integers("scan_input_directions", vec![1]));
        }
        if results.len() > states.len() && self.rarely(3) {
            attributes.push(integers("scan_output_directions", vec![1]));
            attributes.push(integers("scan_output_axes", vec![self.below(3) as i64 - 1]));
        }
        let names: Vec<&str> = states.iter().chain([&over]).map(|value| value.name.as_str()).collect();
        self.results(graph, values, node("Scan", &names, &[], attributes), results);
    }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto {
        op_type: operator.into(),
        input: owned(inputs),
        output: owned(outputs),
        attribute,
        ..Default::default()
    }
}

fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), type_: AttributeType::INT.into(), i, ..Default::default() }
}

fn integers(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.into(), type_: AttributeType::INTS.into(), ints, ..Default::default() }
}

fn body(name: &str, graph: GraphProto) -> AttributeProto {
    let g = MessageField::some(graph);
    AttributeProto { name: name.into(), type_: AttributeType::GRAPH.into(), g, ..Default::default() }
}

/// Of floats the numbers are quarters.
fn tensor(name: &str, element: i32, shape: &[usize], numbers: &[i64]) -> TensorProto {
    let dims = shape.iter().map(|&n| n as i64).collect();
    let mut tensor = TensorProto { name: name.into(), data_type: element, dims, ..Default::default() };
    match element {
        FLOAT => tensor.float_data = numbers.iter().map(|&n| n as f32 / 4.0).collect(),
        INT => tensor.int64_data = numbers.to_vec(),
        _ => tensor.int32_data = numbers.iter().map(|&n| n as i32).collect(),
    }
    tensor
}

/// Shapes are declared of the model's inputs only: those of other values may change.
fn info(value: &Value, with_shape: bool) -> ValueInfoProto {
    let dim =
        |&n: &usize| Dimension { value: Some(dimension::Value::DimValue(n as i64)), ..Default::default() };
    let shape = if with_shape {
        MessageField::some(TensorShapeProto {
            dim: value.shape.iter().map(dim).collect(),
            ..Default::default()
        })
    } else {
        MessageField::none()
    };
    let tensor = type_proto::Tensor { elem_type: value.element, shape, ..Default::default() };
    let mut of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    if value.is_list {
        let list = type_proto::Sequence { elem_type: MessageField::some(of), ..Default::default() };
        of = TypeProto { value: Some(type_proto::Value::SequenceType(list)), ..Default::default() };
    }
    ValueInfoProto { name: value.name.clone(), type_: MessageField::some(of), ..Default::default() }
}
