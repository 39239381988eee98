//! Makes a model fit a query before anything is built from it: dimensions that the model leaves open take the values that
//! the user, the declarations of VNN-LIB 2.0 or the number of variables in 1.0 give them, and outputs that the query does
//! not declare are left out. Both engines then see the same closed model, and what was decided is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use vnnlib::{Equivalence, Query, Role, Tensor, Version};

use super::ModelsError;
use crate::escape::escaped;
use crate::network;
use crate::onnx::{Attribute, Dim, Model, ModelError, Place, ValueInfo};

/// Most ways to choose open dimensions that are tried.
const MOST_TRIES: usize = 100_000;

/// Values for open dimensions, by the model's name for them (`batch`) or by their place (`input[0]`).
pub type Named = BTreeMap<String, usize>;

/// A model that fits, and what was decided for it, a sentence each.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The model.
    pub model: Arc<Model>,
    /// What was decided.
    pub notes: Vec<String>,
    /// Open dimensions that are 1 because nothing says otherwise.
    pub ones: Vec<String>,
}

/// An open dimension: those of one name are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum OpenDimension {
    Named(String),
    /// Without a name: input and axis.
    At(String, usize),
}

impl OpenDimension {
    fn of(input: &ValueInfo, axis: usize, symbol: &str) -> Self {
        match symbol {
            "" => Self::At(input.name.clone(), axis),
            symbol => Self::Named(symbol.to_owned()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::At(input, axis) => format!("{input}[{axis}]"),
        }
    }
}

/// The models of a query's networks (those that need one of their own, in declaration order), made to fit.
///
/// # Errors
/// If a dimension is zero, or a given or declared value contradicts the model, or there are several ways to fit.
pub fn models(query: &Query, models: &[Arc<Model>], named: &Named) -> Result<Vec<Fitted>, ModelsError> {
    check_names(models, named)?;
    let needing = query.networks().iter().enumerate();
    let needing =
        needing.filter(|(_, network)| !matches!(network.equivalence(), Some(Equivalence::EqualTo(_))));
    let numbers: Vec<usize> = needing.map(|(number, _)| number).collect();
    let place = |(at, model): (usize, &Arc<Model>)| {
        // Too many models are somebody else's error.
        let own = |role: Role| match numbers.get(at) {
            Some(&number) => query
                .tensors()
                .iter()
                .filter(|tensor| tensor.network() == number && tensor.role() == role)
                .collect::<Vec<&Tensor>>(),
            None => Vec::new(),
        };
        let flat = query.version() == Version::V1;
        let declared = DeclaredTensors { inputs: own(Role::Input), outputs: own(Role::Output), flat };
        declared.fit(model, named).map_err(|error| unusable(model, error))
    };
    models.iter().enumerate().map(place).collect()
}

/// What is to be said of an output that maps labels to numbers in the file.
fn labelled(model: &Model, name: &str) -> Option<String> {
    let maker = model.graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output == name))?;
    let labels: Vec<String> = maker.attributes.iter().find_map(|(key, labels)| match labels {
        Attribute::Ints(labels) if key.starts_with("classlabels") => {
            Some(labels.iter().map(i64::to_string).collect())
        }
        Attribute::Strings(labels) if key.starts_with("classlabels") => {
            Some(labels.iter().map(|label| escaped(&String::from_utf8_lossy(label)).into_owned()).collect())
        }
        _ => None,
    })?;
    let name = escaped(name);
    Some(format!(
        "output {name} maps labels to numbers: these are its numbers, in the order {}",
        labels.join(", ")
    ))
}

/// A model by itself, as `inspect` sees it: only what the user names is bound, the rest is 1.
///
/// # Errors
/// As [`models`].
pub fn alone(model: &Arc<Model>, named: &Named) -> Result<Fitted, ModelsError> {
    check_names(std::slice::from_ref(model), named)?;
    let declared = DeclaredTensors { inputs: Vec::new(), outputs: Vec::new(), flat: false };
    declared.fit(model, named).map_err(|error| unusable(model, error))
}

fn unusable(model: &Model, error: ModelError) -> ModelsError {
    ModelsError::Import { path: model.path.clone(), source: Box::new(error.into()) }
}

/// Refuses values for dimensions that no model leaves open.
fn check_names(models: &[Arc<Model>], named: &Named) -> Result<(), ModelsError> {
    let Some(first) = models.first() else { return Ok(()) };
    let mut known = Vec::new();
    for model in models {
        known.extend(
            open_dimensions(model).map_err(|error| unusable(model, error))?.iter().map(OpenDimension::name),
        );
    }
    match named.keys().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let error = ModelError::new(
                Place::File,
                format!("--dim {name}: no input leaves a dimension of this name open"),
            );
            let help = if known.is_empty() {
                "all dimensions are numbers".into()
            } else {
                format!("open are {}", known.join(", "))
            };
            Err(unusable(first, error.help(help)))
        }
    }
}

/// What a query declares of one model.
struct DeclaredTensors<'q> {
    inputs: Vec<&'q Tensor>,
    outputs: Vec<&'q Tensor>,
    /// VNN-LIB 1.0: only the number of variables means anything.
    flat: bool,
}

impl DeclaredTensors<'_> {
    fn fit(&self, model: &Arc<Model>, named: &Named) -> Result<Fitted, ModelError> {
        let mut bound: BTreeMap<OpenDimension, (usize, String)> = BTreeMap::new();
        let mut open = open_dimensions(model)?;
        for dimension in &open {
            if let Some(&value) = named.get(&dimension.name()) {
                bound.insert(dimension.clone(), (value, "--dim".to_owned()));
            }
        }
        if !self.flat {
            self.bind_declared(model, &mut bound)?;
        }
        open.retain(|dimension| !bound.contains_key(dimension));
        if self.flat && !open.is_empty() {
            self.solve(model, &open, &mut bound)?;
        }
        open.retain(|dimension| !bound.contains_key(dimension));
        let ones = open.iter().map(|dimension| escaped(&dimension.name()).into_owned()).collect();
        let (kept, mut notes) = self.kept_outputs(model);
        let because = bound.iter().map(|(dimension, (value, why))| {
            format!("dimension {} is {value}: {why}", escaped(&dimension.name()))
        });
        notes.extend(because);
        notes.extend(kept.iter().filter_map(|&at| labelled(model, &model.graph.outputs[at].name)));
        bound.extend(open.into_iter().map(|dimension| (dimension, (1, String::new()))));
        Ok(Fitted { model: self.closed(model, &bound, &kept), notes, ones })
    }

    /// The model with its open dimensions filled in and the outputs that are not declared left out.
    fn closed(
        &self,
        model: &Arc<Model>,
        bound: &BTreeMap<OpenDimension, (usize, String)>,
        kept: &[usize],
    ) -> Arc<Model> {
        let shapeless = |at: usize| {
            let declared = self.inputs.get(at).filter(|_| !self.flat);
            declared.map(|tensor| tensor.shape().iter().map(|&n| Dim::Fixed(n as usize)).collect())
        };
        if bound.is_empty()
            && kept.len() == model.graph.outputs.len()
            && model.graph.inputs.iter().all(|input| input.shape.is_some())
        {
            return Arc::clone(model);
        }
        let mut model = Model::clone(model);
        for (at, input) in model.graph.inputs.iter_mut().enumerate() {
            let Some(mut dims) = input.shape.take().or_else(|| shapeless(at)) else { continue };
            for (axis, dim) in dims.iter_mut().enumerate() {
                if let Dim::Symbolic(symbol) = dim
                    && let Some(&(value, _)) = bound.get(&OpenDimension::of(input, axis, symbol))
                {
                    *dim = Dim::Fixed(value);
                }
            }
            input.shape = Some(dims);
        }
        let outputs = std::mem::take(&mut model.graph.outputs).into_iter().enumerate();
        model.graph.outputs = outputs.filter(|(at, _)| kept.contains(at)).map(|(_, output)| output).collect();
        Arc::new(model)
    }

    /// Where declared shapes have as many axes as the model's, they bind one another.
    fn bind_declared(
        &self,
        model: &Model,
        bound: &mut BTreeMap<OpenDimension, (usize, String)>,
    ) -> Result<(), ModelError> {
        for (tensor, input) in self.inputs.iter().zip(&model.graph.inputs) {
            let Some(dims) = input.shape.as_ref().filter(|dims| dims.len() == tensor.shape().len()) else {
                continue;
            };
            for (axis, (dim, &declared)) in dims.iter().zip(tensor.shape()).enumerate() {
                let Dim::Symbolic(symbol) = dim else { continue };
                let (dimension, value) = (OpenDimension::of(input, axis, symbol), declared as usize);
                let why = format!("{} is declared with the shape {:?}", tensor.name(), tensor.shape());
                match bound.get(&dimension) {
                    Some((other, reason)) if *other != value => {
                        let what = format!(
                            "its dimension {} would be {value}, because {why}, and {other}, because of {reason}",
                            dimension.name()
                        );
                        return Err(ModelError::new(Place::Value(input.name.clone()), what)
                            .help("declare one value for dimensions of one name"));
                    }
                    Some(_) => {}
                    None => {
                        bound.insert(dimension, (value, why));
                    }
                }
            }
        }
        Ok(())
    }

    /// Open dimensions from the number of input variables. All of them 1 is the usual meaning; else the first axes are, and
    /// the others are what they must be, if there is one way only.
    fn solve(
        &self,
        model: &Model,
        open: &[OpenDimension],
        bound: &mut BTreeMap<OpenDimension, (usize, String)>,
    ) -> Result<(), ModelError> {
        let wanted: usize = self.inputs.iter().map(|tensor| tensor.len()).sum();
        let sizes = InputSizes::new(model, bound);
        let Some(sizes) = sizes else { return Ok(()) };
        let first: Vec<OpenDimension> =
            open.iter().filter(|dimension| is_first_axis(model, dimension)).cloned().collect();
        let inner: Vec<OpenDimension> =
            open.iter().filter(|dimension| !first.contains(dimension)).cloned().collect();
        let ones = open.iter().map(|dimension| (dimension.clone(), 1)).collect();
        if sizes.total(&ones) == wanted {
            return Ok(());
        }
        for unknown in [&inner, &first] {
            if unknown.is_empty() {
                continue;
            }
            let solutions = sizes.solutions(&ones, unknown, wanted);
            let why = format!("the property declares {wanted} inputs");
            match &solutions[..] {
                [one] => {
                    bound.extend(
                        unknown.iter().zip(one).map(|(dim, &value)| (dim.clone(), (value, why.clone()))),
                    );
                    return Ok(());
                }
                [] => {}
                several => {
                    let names: Vec<String> = unknown.iter().map(OpenDimension::name).collect();
                    let what = format!(
                        "{why}, and the open dimensions {} can have them in {} ways, such as {:?} and {:?}",
                        names.join(", "),
                        several.len(),
                        several[0],
                        several[1]
                    );
                    let place =
                        model.graph.inputs.first().map_or(Place::File, |i| Place::Value(i.name.clone()));
                    let help = format!("say which with --dim {}=N", names[0]);
                    return Err(ModelError::new(place, what).help(help));
                }
            }
        }
        // No way fits: the comparison of both signatures says so.
        Ok(())
    }

    /// Which outputs the query means: all, or, where it declares fewer, those that fit in one way only.
    fn kept_outputs(&self, model: &Model) -> (Vec<usize>, Vec<String>) {
        let outputs = &model.graph.outputs;
        let all: Vec<usize> = (0..outputs.len()).collect();
        let length = |output: &ValueInfo| {
            let dims = output.shape.as_ref()?;
            let size = |dim: &Dim| if let Dim::Fixed(n) = dim { *n } else { 1 };
            dims.iter().map(size).try_fold(1_usize, usize::checked_mul)
        };
        let kept = if self.outputs.is_empty() || outputs.len() < 2 {
            return (all, Vec::new());
        } else if self.flat {
            let wanted: usize = self.outputs.iter().map(|tensor| tensor.len()).sum();
            if outputs.iter().map(length).sum::<Option<usize>>() == Some(wanted) {
                return (all, Vec::new());
            }
            let fitting: Vec<usize> =
                all.iter().copied().filter(|&at| length(&outputs[at]) == Some(wanted)).collect();
            // Labels are integers, and what cannot be computed cannot be meant.
            let floats = |&at: &usize| outputs[at].element.is_float();
            let supported = |&at: &usize| {
                let mut alone = Model::clone(model);
                alone.graph.outputs = vec![outputs[at].clone()];
                network::unsupported(&alone).is_empty()
            };
            let floats: Vec<usize> = fitting.iter().copied().filter(floats).collect();
            let fitting = if floats.is_empty() { fitting } else { floats };
            match fitting.len() {
                0 | 1 => fitting,
                _ => fitting.into_iter().filter(supported).collect(),
            }
        } else if self.outputs.len() < outputs.len() {
            let named = |tensor: &&Tensor| outputs.iter().position(|output| output.name == tensor.name());
            let by_name: Option<Vec<usize>> = self.outputs.iter().map(named).collect();
            by_name.unwrap_or_default()
        } else {
            return (all, Vec::new());
        };
        let fits =
            if self.flat { kept.len() == 1 } else { kept.len() == self.outputs.len() && kept.is_sorted() };
        if !fits {
            return (all, Vec::new());
        }
        let left: Vec<String> = all
            .iter()
            .filter(|at| !kept.contains(at))
            .map(|&at| escaped(&outputs[at].name).into_owned())
            .collect();
        let note = format!("outputs that the property does not declare are left out: {}", left.join(", "));
        (kept, vec![note])
    }
}

fn open_dimensions(model: &Model) -> Result<Vec<OpenDimension>, ModelError> {
    let mut open = Vec::new();
    for input in &model.graph.inputs {
        for (axis, dim) in input.shape.iter().flatten().enumerate() {
            match dim {
                Dim::Fixed(0) => {
                    let what = format!("its dimension {axis} is 0: it holds no values at all");
                    return Err(ModelError::new(Place::Value(input.name.clone()), what)
                        .help("export the model with the real size, or with a symbolic dimension"));
                }
                Dim::Fixed(_) => {}
                Dim::Symbolic(symbol) => {
                    let dimension = OpenDimension::of(input, axis, symbol);
                    if !open.contains(&dimension) {
                        open.push(dimension);
                    }
                }
            }
        }
    }
    Ok(open)
}

/// Whether a dimension is the first one of several wherever it stands: the batch.
fn is_first_axis(model: &Model, dimension: &OpenDimension) -> bool {
    model.graph.inputs.iter().all(|input| {
        let dims = input.shape.as_deref().unwrap_or_default();
        let here = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Symbolic(symbol) => OpenDimension::of(input, axis, symbol) == *dimension,
            Dim::Fixed(_) => false,
        };
        dims.iter().enumerate().all(|(axis, dim)| !here((axis, dim)) || (axis == 0 && dims.len() > 1))
    })
}

/// The sizes of all inputs as products of numbers and open dimensions.
struct InputSizes(Vec<(usize, Vec<OpenDimension>)>);

impl InputSizes {
    /// `None` if an input has no shape or is too large.
    fn new(model: &Model, bound: &BTreeMap<OpenDimension, (usize, String)>) -> Option<Self> {
        let size = |input: &ValueInfo| {
            let (mut fixed, mut open) = (1_usize, Vec::new());
            for (axis, dim) in input.shape.as_ref()?.iter().enumerate() {
                match dim {
                    Dim::Fixed(n) => fixed = fixed.checked_mul(*n)?,
                    Dim::Symbolic(symbol) => {
                        let dimension = OpenDimension::of(input, axis, symbol);
                        match bound.get(&dimension) {
                            Some((value, _)) => fixed = fixed.checked_mul(*value)?,
                            None => open.push(dimension),
                        }
                    }
                }
            }
            Some((fixed, open))
        };
        model.graph.inputs.iter().map(size).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The number of values, saturating.
    fn total(&self, values: &BTreeMap<OpenDimension, usize>) -> usize {
        let size = |(fixed, open): &(usize, Vec<OpenDimension>)| {
            let value = |dimension: &OpenDimension| values.get(dimension).copied().unwrap_or(1);
            open.iter().map(value).fold(*fixed, usize::saturating_mul)
        };
        self.0.iter().map(size).fold(0, usize::saturating_add)
    }

    /// All values (at least 1) of the `unknown` dimensions with which there are `wanted` values in all; the others are as
    /// in `values`. Stops at [`MOST_TRIES`].
    fn solutions(
        &self,
        values: &BTreeMap<OpenDimension, usize>,
        unknown: &[OpenDimension],
        wanted: usize,
    ) -> Vec<Vec<usize>> {
        let (mut solutions, mut tries) = (Vec::new(), 0);
        let mut values = values.clone();
        self.extend(&mut values, unknown, &mut Vec::new(), wanted, &mut solutions, &mut tries);
        solutions
    }

    fn extend(
        &self,
        values: &mut BTreeMap<OpenDimension, usize>,
        unknown: &[OpenDimension],
        chosen: &mut Vec<usize>,
        wanted: usize,
        solutions: &mut Vec<Vec<usize>>,
        tries: &mut usize,
    ) {
        let Some((dimension, rest)) = unknown.split_first() else {
            if self.total(values) == wanted {
                solutions.push(chosen.clone());
            }
            return;
        };
        for value in 1..=wanted {
            *tries += 1;
            values.insert(dimension.clone(), value);
            // The sum grows with each dimension, the others being at least 1.
            if *tries > MOST_TRIES || self.total(values) > wanted {
                break;
            }
            chosen.push(value);
            self.extend(values, rest, chosen, wanted, solutions, tries);
            chosen.pop();
        }
        values.insert(dimension.clone(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{ElementType, Graph};

    /// A model with inputs such as `x[N,3,?]` and outputs likewise.
    fn model(inputs: &[&str], outputs: &[&str]) -> Arc<Model> {
        let value = |text: &&str| {
            let (name, dims) = text.split_once('[').unwrap();
            let dim = |text: &str| match text {
                "?" => Dim::Symbolic(String::new()),
                text => text.parse().map_or_else(|_| Dim::Symbolic(text.into()), Dim::Fixed),
            };
            let dims = dims.trim_end_matches(']').split(',').map(dim).collect();
            ValueInfo { name: name.into(), element: ElementType::Float32, shape: Some(dims) }
        };
        let graph = Graph {
            inputs: inputs.iter().map(value).collect(),
            outputs: outputs.iter().map(value).collect(),
            ..Graph::default()
        };
        Arc::new(Model { path: "net.onnx".into(), ir_version: 8, opset: 13, graph })
    }

    fn shapes(values: &[ValueInfo]) -> String {
        let shape = |value: &ValueInfo| {
            let dims = value.shape.iter().flatten().map(|dim| match dim {
                Dim::Fixed(n) => n.to_string(),
                Dim::Symbolic(symbol) => format!("?{symbol}"),
            });
            format!("{}[{}]", value.name, dims.collect::<Vec<_>>().join(","))
        };
        values.iter().map(shape).collect::<Vec<_>>().join(" ")
    }

    fn check(query: &str, inputs: &[&str], named: &[(&str, usize)], want: Result<&str, &str>) {
        let query = vnnlib::parse(query).unwrap();
        let named = named.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let got = super::models(&query, &[model(inputs, &["y[1,2]"])], &named);
        match (got, want) {
            (Ok(fitted), Ok(want)) => assert_eq!(shapes(&fitted[0].model.graph.inputs), want),
            (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{error}"),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    fn flat(inputs: usize, outputs: usize) -> String {
        let declare = |name: &str, count| -> String {
            (0..count).map(|i| format!("(declare-const {name}_{i} Real)")).collect()
        };
        format!("{}{}(assert (>= Y_0 0))", declare("X", inputs), declare("Y", outputs))
    }

    #[test]
    fn dimensions_are_bound_where_there_is_one_way() {
        check(&flat(12, 2), &["x[N,3,2,2]"], &[], Ok("x[1,3,2,2]"));
        check(&flat(12, 2), &["x[N,3,H,W]"], &[("H", 2)], Ok("x[1,3,2,2]"));
        check(&flat(12, 2), &["x[?,?]"], &[], Ok("x[1,12]"));
        check(&flat(12, 2), &["x[?,3]"], &[], Ok("x[4,3]"));
        check(&flat(12, 2), &["x[N,S,2]", "m[N,S]"], &[], Ok("x[1,4,2] m[1,4]"));
        check(&flat(12, 2), &["x[?,2,?]"], &[("x[0]", 3)], Ok("x[3,2,2]"));
        check(&flat(12, 2), &["x[N,3,H,W]"], &[], Err("in 3 ways, such as [1, 4] and [2, 2]"));
        check(&flat(12, 2), &["x[N,0]"], &[], Err("value x: its dimension 1 is 0"));
        check(&flat(12, 2), &["x[N,5]"], &[], Ok("x[1,5]"));
    }

    #[test]
    fn declarations_bind_dimensions() {
        let two = |x: &str, z: &str| {
            format!(
                "(vnnlib-version <2.0>)(declare-network f (declare-input X float32 {x})\
                 (declare-input Z float32 {z})(declare-output Y float32 [1,2]))(assert (>= Y[0,0] 0.0))"
            )
        };
        let inputs = ["x[N,S]", "z[N,?]"];
        check(&two("[1,4]", "[1,3]"), &inputs, &[], Ok("x[1,4] z[1,3]"));
        check(&two("[2,4]", "[2,3]"), &inputs, &[], Ok("x[2,4] z[2,3]"));
        check(&two("[1,4]", "[2,3]"), &inputs, &[], Err("dimension N would be 2"));
        check(&two("[1,4]", "[1,3]"), &inputs, &[("S", 5)], Err("and 5, because of --dim"));
    }

    #[test]
    fn outputs_that_are_not_declared_are_left_out_where_there_is_one_way() {
        let check = |query: String, outputs: &[&str], want: &str| {
            let fitted =
                super::models(&vnnlib::parse(query).unwrap(), &[model(&["x[3]"], outputs)], &Named::new());
            assert_eq!(shapes(&fitted.unwrap()[0].model.graph.outputs), want);
        };
        check(flat(3, 4), &["a[1]", "b[1,4]"], "b[1,4]");
        check(flat(3, 5), &["a[1]", "b[1,4]"], "a[1] b[1,4]");
        check(flat(3, 4), &["a[4]", "b[1,4]"], "a[4] b[1,4]");
        let named = "(vnnlib-version <2.0>)(declare-network f (declare-input X float32 [3])\
            (declare-output b float32 [4]))(assert (>= b[0] 0.0))";
        check(named.into(), &["a[1]", "b[4]", "c[2]"], "b[4]");
    }
}
