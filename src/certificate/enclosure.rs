//! Enclosures of a query's networks: what every permitted computation yields over a box, and what that says of the formula.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vnnlib::{Coefficient, Comparison, Equivalence, Query, Relation, Role, Variable};

use super::compile::{Assumed, Compiler, NoEnclosure, NumberPlace, TapeView, WithinBox};
use super::directed::Interval;
use super::formula::{self, Choices};
use super::functions::Function;
use super::input::{Ends, Input};
use super::sweep::TapeRow;
use super::tape::{Rounding, Scalar, StepKind, Tape};
use super::worker::Aim;
use crate::onnx::{Dim, ElementType, Model};

/// A query's networks on one tape.
#[derive(Debug)]
pub(crate) struct Enclosure {
    pub(super) query: Query,
    /// The models that it was made of.
    pub(super) models: Vec<Arc<Model>>,
    pub(super) tape: Tape,
    /// The declared tensors' numbers.
    tensors: Vec<TapeView>,
    /// The inputs, those that the query sets equal once: the first declared variable, its number.
    pub(super) inputs: Vec<Input>,
    /// Whether inputs are outputs of other networks: a point of them all is then one of a single computation.
    pub(super) follows: bool,
    /// Where the inputs stand in `inputs`.
    places: HashMap<Scalar, u32>,
    /// Of every comparison that is linear.
    rows: HashMap<u32, TapeRow>,
    /// The same with their decimals as doubles, which is how every judge reads a property; that a witness satisfies the
    /// decimals is for the validator to see.
    judged: HashMap<u32, TapeRow>,
    /// The same with room for the rounding of inputs, where they have any: the numbers on the tape are what the networks get, and
    /// the property speaks of the decimals that these were rounded from.
    loose: HashMap<u32, TapeRow>,
    /// Which function steps use a number, and where in them.
    pub(super) users: Users,
    /// Pre-activations of functions, by the name of the node, where that is unique.
    nodes: HashMap<String, Option<Vec<Scalar>>>,
}

/// Which function steps use a number, and where in them. Every leaf asks for each of its neurons: a table, not a map.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// Where the places of each number begin, and where the last ones end.
    starts: Vec<u32>,
    places: Vec<(usize, usize)>,
}

impl Users {
    fn new(tape: &Tape) -> Self {
        let mut all: Vec<(Scalar, (usize, usize))> = Vec::new();
        for (s, step) in tape.steps.iter().enumerate() {
            if let StepKind::Unary { operands, .. } = &step.kind {
                all.extend(operands.iter().enumerate().map(|(i, &x)| (x, (s, i))));
            }
        }
        all.sort_unstable();
        let begin = |number: usize| all.partition_point(|&(x, _)| (x as usize) < number) as u32;
        let starts = (0..=tape.len).map(begin).collect();
        Self { starts, places: all.into_iter().map(|(_, place)| place).collect() }
    }

    pub(super) fn of(&self, number: Scalar) -> &[(usize, usize)] {
        let at = number as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&begin), Some(&end)) => &self.places[begin as usize..end as usize],
            _ => &[],
        }
    }
}

/// What is put on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TapeExtent {
    /// The inputs, each by itself.
    Inputs,
    /// The inputs, those that the query sets equal once.
    Coupled,
    /// The networks.
    Whole,
}

/// Why networks could not be enclosed, as far as the tape goes.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) why: NoEnclosure,
    pub(super) tape: Tape,
    /// What is known of the box that it was for.
    pub(super) within: Option<WithinBox>,
}

impl Unsettled {
    /// Whether no computation is in the part that it was for.
    pub(super) fn is_nothing(&self) -> bool {
        self.within.as_ref().is_some_and(|within| within.is_nothing)
    }
}

impl Enclosure {
    /// Puts the networks of a query on a tape. `models` are those of the networks that need one of their own, in
    /// declaration order.
    ///
    /// # Errors
    /// If an operator has no enclosure, or a number depends on what is not given.
    pub(crate) fn new(query: &Query, models: &[Arc<Model>]) -> Result<Self, NoEnclosure> {
        Self::make(query, models, TapeExtent::Whole, None)
            .map(|(enclosure, _)| enclosure)
            .map_err(|open| open.why)
    }

    /// The same; where that depends on the inputs' values, as that of computed indices does, of the inputs alone: parts of the
    /// input set then have enclosures of their own ([`Enclosure::within`]).
    ///
    /// # Errors
    /// If not even the inputs have one.
    pub(crate) fn root(query: &Query, models: &[Arc<Model>]) -> Result<Self, NoEnclosure> {
        Self::new(query, models).or_else(|_| {
            let made = Self::make(query, models, TapeExtent::Coupled, None);
            made.map(|(enclosure, _)| enclosure).map_err(|open| open.why)
        })
    }

    /// Of the networks as they are in a box of inputs, where some whole numbers are assumed: whole numbers that have one value there
    /// are constants. It holds for that part only.
    ///
    /// # Errors
    /// Where something with several values in the box decides what is computed.
    pub(super) fn within(
        query: &Query,
        models: &[Arc<Model>],
        ranges: &[Interval],
        assumed: &Assumed,
    ) -> Result<(Self, WithinBox), Box<Unsettled>> {
        let within = WithinBox::new(ranges, assumed);
        let (enclosure, within) = Self::make(query, models, TapeExtent::Whole, Some(within))?;
        let refuse = |what: &str| {
            Box::new(Unsettled { why: NoEnclosure(what.into()), tape: Tape::default(), within: None })
        };
        let within = within.ok_or_else(|| refuse("there is no box"))?;
        // Inputs get their ranges network by network, tensor by tensor.
        let is_in_order = within.is_of(enclosure.inputs.iter().map(|input| input.number));
        if is_in_order {
            Ok((enclosure, within))
        } else {
            Err(refuse("the inputs of the networks are mixed"))
        }
    }

    /// Of the inputs alone: enough to show that no input satisfies the query's bounds.
    ///
    /// # Errors
    /// As [`Enclosure::new`].
    pub(crate) fn of_inputs(query: &Query, models: &[Arc<Model>]) -> Result<Self, NoEnclosure> {
        Self::make(query, models, TapeExtent::Inputs, None)
            .map(|(enclosure, _)| enclosure)
            .map_err(|open| open.why)
    }

    fn make(
        query: &Query,
        models: &[Arc<Model>],
        extent: TapeExtent,
        within: Option<WithinBox>,
    ) -> Result<(Self, Option<WithinBox>), Box<Unsettled>> {
        let mut tape = Tape::default();
        let mut compiler = Compiler::new(&mut tape, within);
        let tensors = Self::tensors(query, models, extent, &mut compiler);
        let (nodes, within) = compiler.finish();
        let tensors = match tensors {
            Ok(tensors) => tensors,
            Err(why) => return Err(Box::new(Unsettled { why, tape, within })),
        };
        let products = products(query, &tensors, &mut tape);
        tape.count_uses();
        let mut whole = Self { nodes, ..Self::complete(query, tape, tensors) };
        whole.models = models.to_vec();
        whole.rows = whole.all_rows(&products);
        let rounded = |(&number, row): (&u32, &TapeRow)| {
            (number, TapeRow { off: 0.0, doubts: Vec::new(), ..row.clone() })
        };
        whole.judged = whole.rows.iter().map(rounded).collect();
        let loose = whole.rows.iter().filter_map(|(&number, row)| Some((number, whole.loosened(row)?)));
        whole.loose = loose.collect();
        Ok((whole, within))
    }

    /// Puts the networks on a tape: the numbers of the declared tensors.
    fn tensors(
        query: &Query,
        models: &[Arc<Model>],
        extent: TapeExtent,
        compiler: &mut Compiler<'_>,
    ) -> Result<Vec<TapeView>, NoEnclosure> {
        let refuse = |what: &str| NoEnclosure(what.into());
        let with_outputs = extent == TapeExtent::Whole;
        let mut tensors: Vec<TapeView> = query
            .tensors()
            .iter()
            .map(|_| TapeView { shape: vec![], element: ElementType::Float32, numbers: vec![] })
            .collect();
        let (mut rest, mut assigned): (_, Vec<Arc<Model>>) = (models.iter(), Vec::new());
        for network in query.networks() {
            let model = match network.equivalence() {
                Some(Equivalence::EqualTo(other)) => assigned.get(other).cloned(),
                _ => rest.next().cloned(),
            };
            assigned.push(model.ok_or_else(|| refuse("a network has no model"))?);
        }
        for (position, (network, model)) in query.networks().iter().zip(&assigned).enumerate() {
            let of_role = |role| {
                network.tensors().map(|t| t.index()).filter(move |&t| query.tensors()[t].role() == role)
            };
            if with_outputs && of_role(Role::Hidden).next().is_some() {
                return Err(refuse("hidden values have no enclosure"));
            }
            let views = model.graph.inputs.iter().map(|info| {
                let dims = info.shape.as_ref().ok_or_else(|| refuse("an input has no shape"))?;
                let shape = dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).collect();
                Ok(compiler.inputs(shape, info.element))
            });
            let views = views.collect::<Result<Vec<_>, NoEnclosure>>()?;
            share_out(&views, of_role(Role::Input), query, &mut tensors)?;
            if extent == TapeExtent::Inputs {
                continue;
            }
            let views = merged(query, views, &mut tensors, position);
            if !with_outputs {
                continue;
            }
            compiler.enter(position, &views)?;
            let outputs = compiler.model(model, views)?;
            share_out(&outputs, of_role(Role::Output), query, &mut tensors)?;
        }
        Ok(tensors)
    }

    /// Between which values a whole number lies that a node of a main graph computes, over a box; `None` if it is none, has one value
    /// only, or no bounds.
    pub(super) fn whole_number(
        &self,
        ranges: &[Interval],
        assumed: &Assumed,
        place: &NumberPlace,
    ) -> Option<(i64, i64)> {
        let within = match Self::within(&self.query, &self.models, ranges, assumed) {
            Ok((_, within)) => within,
            Err(unsettled) => unsettled.within?,
        };
        within.whole_number(place)
    }

    /// The pre-activations of a rectifier, by its node's name; `None` where several nodes have it.
    pub(crate) fn pre_activations(&self, node: &str) -> Option<&[Scalar]> {
        self.nodes.get(node)?.as_deref()
    }

    /// Whether bounds of inputs contradict each other.
    pub(crate) fn is_empty(&self, choices: &Choices) -> bool {
        self.domain(choices).is_none()
    }

    /// The `or`s outside of every other that no operand has been chosen of, with the number of their operands.
    pub(crate) fn undecided(&self, choices: &Choices) -> Vec<(u32, u32)> {
        formula::undecided(&self.query, choices)
    }

    /// Which input a declared one is, by its place among all declared inputs.
    pub(crate) fn input_of_declared(&self, declared: usize) -> Option<u32> {
        let inputs = self.tensors.iter().zip(self.query.tensors()).filter(|(_, t)| t.role() == Role::Input);
        let number = inputs.flat_map(|(view, _)| view.numbers.iter().copied()).nth(declared)?;
        self.places.get(&number).copied()
    }

    /// The inputs' values at a point; `None` where one is missing, or inputs that the query sets equal differ.
    pub(super) fn values_of_inputs(&self, point: &[Vec<f64>]) -> Option<Vec<f64>> {
        let mut values: HashMap<Scalar, f64> = HashMap::new();
        for ((view, tensor), given) in self.tensors.iter().zip(self.query.tensors()).zip(point) {
            if tensor.role() != Role::Input {
                continue;
            }
            for (&number, &x) in view.numbers.iter().zip(given) {
                if !x.is_finite() || *values.entry(number).or_insert(x) != x {
                    return None;
                }
            }
        }
        self.inputs.iter().map(|input| values.get(&input.number).copied()).collect()
    }

    /// Whether a number is the pre-activation of a rectifier.
    pub(super) fn is_neuron(&self, number: Scalar) -> bool {
        let rectifies = |&(s, _): &(usize, usize)| {
            matches!(self.tape.steps[s].kind, StepKind::Unary { function: Function::Rectifier { .. }, .. })
        };
        self.users.of(number).iter().any(rectifies)
    }

    fn complete(query: &Query, tape: Tape, tensors: Vec<TapeView>) -> Self {
        let mut inputs: Vec<Input> = Vec::new();
        let mut seen = HashSet::new();
        let given: HashSet<Scalar> = tape.inputs().collect();
        let mut follows = false;
        for (view, tensor) in tensors.iter().zip(query.tensors()) {
            if tensor.role() == Role::Input {
                follows |= !view.numbers.iter().all(|number| given.contains(number));
                let is_new = |number: &&Scalar| given.contains(number) && seen.insert(**number);
                let new = view.numbers.iter().filter(is_new);
                inputs.extend(new.map(|&number| Input { number, element: view.element }));
            }
        }
        let users = Users::new(&tape);
        let places = (0..).zip(&inputs).map(|(place, input): (u32, &Input)| (input.number, place)).collect();
        let (rows, judged, loose, nodes) = Default::default();
        let models = Vec::new();
        Self {
            query: query.clone(),
            models,
            tape,
            tensors,
            inputs,
            follows,
            places,
            rows,
            judged,
            loose,
            users,
            nodes,
        }
    }

    /// The row as it bounds a comparison of decimals, from what they were rounded to; `None` if it has no inputs that round.
    fn loosened(&self, row: &TapeRow) -> Option<TapeRow> {
        let mut loose = row.clone();
        for &(number, c) in &row.terms {
            let input = self.places.get(&number).map(|&place| self.inputs[place as usize]);
            if let Some(format) = input.and_then(Input::format) {
                // Half a unit in the last place, and a little for what that is of the rounded number.
                loose.doubts.push((number, 1.001 * format.unit() * c.abs()));
                loose.off += 2.0 * format.tiny * format.unit() * c.abs();
            }
        }
        (loose.doubts.len() > row.doubts.len()).then_some(loose)
    }

    /// The row of a comparison.
    pub(super) fn row(&self, number: u32, aim: Aim) -> Option<&TapeRow> {
        match aim {
            Aim::Refute => self.loose.get(&number).or_else(|| self.rows.get(&number)),
            Aim::Affirm => self.judged.get(&number),
        }
    }

    /// Whether a row is a bound of one input, of which its interval says all.
    pub(super) fn is_bound(&self, row: &TapeRow) -> bool {
        matches!(row.terms.as_slice(), [(x, _)] if self.places.contains_key(x))
    }

    fn number(&self, variable: Variable) -> Option<Scalar> {
        self.tensors.get(variable.tensor().index())?.numbers.get(variable.element()).copied()
    }

    /// The inputs' intervals, as far as bounds that every point satisfies say; `None` if two of them contradict each other. The
    /// numbers that decimals within the bounds are rounded to are inside, too.
    pub(super) fn domain(&self, choices: &Choices) -> Option<Vec<Interval>> {
        let mut ends = vec![Ends::default(); self.inputs.len()];
        for comparison in formula::asserted(&self.query, choices) {
            let Some(bound) = comparison.as_bound() else { continue };
            // An output may be an input's own number, but not the decimal that this was rounded from.
            if self.query.tensors()[bound.variable.tensor().index()].role() != Role::Input {
                continue;
            }
            if let Some(&i) = self.number(bound.variable).and_then(|number| self.places.get(&number)) {
                ends[i as usize].add(bound.relation, bound.numeral);
            }
        }
        let hull = |(ends, input): (&Ends<'_>, &Input)| ends.reals().map(|(low, high)| input.hull(low, high));
        ends.iter().zip(&self.inputs).map(hull).collect()
    }

    /// The rows of all comparisons whose products are on the tape.
    fn all_rows(&self, products: &Products) -> HashMap<u32, TapeRow> {
        let mut rows = HashMap::new();
        formula::for_each_comparison(&self.query, |comparison| {
            rows.extend(self.make_row(comparison, products).map(|row| (comparison.number(), row)));
        });
        rows
    }

    /// `left − right` of a comparison, over numbers of the tape; `None` if one of them is not there.
    fn make_row(&self, comparison: Comparison<'_>, products: &Products) -> Option<TapeRow> {
        let mut doubts = Vec::new();
        let (terms, constant) = match comparison.linear() {
            Ok(row) => {
                let term = |(variable, coefficient)| Some((self.number(variable)?, coefficient));
                (row.terms.into_iter().map(term).collect::<Option<Vec<_>>>()?, row.constant)
            }
            Err(_) => {
                let row = comparison.polynomial(|variable| variable).ok()?;
                for (factors, coefficient) in &row.terms {
                    doubts.extend(self.doubts_of_inputs(factors, coefficient.value, products)?);
                }
                let term = |(factors, coefficient): (Vec<Variable>, Coefficient)| {
                    Some((products.get(&factors).copied()?, coefficient))
                };
                (row.terms.into_iter().map(term).collect::<Option<Vec<_>>>()?, row.constant)
            }
        };
        let mut row = TapeRow { constant: constant.value, off: constant.error, doubts, ..TapeRow::default() };
        for (number, coefficient) in terms {
            row.terms.push((number, coefficient.value));
            row.doubts.extend((coefficient.error > 0.0).then_some((number, coefficient.error)));
        }
        Some(row)
    }
}

impl Enclosure {
    /// What the rounding of inputs, which the property speaks of as decimals, can change of a product; `None` where that would
    /// take more than two factors.
    fn doubts_of_inputs(
        &self,
        factors: &[Variable],
        coefficient: f64,
        products: &Products,
    ) -> Option<Vec<(Scalar, f64)>> {
        let format_of = |variable: &Variable| {
            let place = self.places.get(&self.number(*variable)?)?;
            self.inputs[*place as usize].format()
        };
        let mut doubts = Vec::new();
        for (at, format) in factors.iter().map(format_of).enumerate() {
            let Some(format) = format.filter(|_| factors.len() > 1) else { continue };
            let [first, second] = factors else { return None };
            let other = self.number(if at == 0 { *second } else { *first })?;
            // Half a unit in the last place of the input, or of the smallest normal number.
            doubts.push((products.get(factors).copied()?, 1.01 * format.unit() * coefficient.abs()));
            doubts.push((other, 2.0 * format.tiny * format.unit() * coefficient.abs()));
        }
        Some(doubts)
    }
}

/// The numbers of products of variables.
type Products = HashMap<Vec<Variable>, Scalar>;

/// Puts the products that comparisons multiply on the tape: what they are of the numbers as computed, exactly.
fn products(query: &Query, tensors: &[TapeView], tape: &mut Tape) -> Products {
    let number = |variable: &Variable| {
        tensors.get(variable.tensor().index())?.numbers.get(variable.element()).copied()
    };
    let mut products = Products::new();
    formula::for_each_comparison(query, |comparison| {
        if comparison.linear().is_ok() {
            return;
        }
        let Ok(row) = comparison.polynomial(|variable| variable) else { return };
        for (factors, _) in row.terms {
            let Some(numbers) = factors.iter().map(number).collect::<Option<Vec<_>>>() else { continue };
            let mut product: Option<Scalar> = None;
            for factor in numbers {
                product = Some(match product {
                    None => factor,
                    Some(so_far) => {
                        let kind = StepKind::Product { pairs: vec![(so_far, factor)] };
                        tape.push(1, Rounding::Exact, kind).start
                    }
                });
            }
            products.extend(product.map(|product| (factors, product)));
        }
    });
    products
}

impl Enclosure {
    /// The outputs' numbers.
    pub(super) fn outputs(&self) -> Vec<Scalar> {
        let outputs = self.tensors.iter().zip(self.query.tensors()).filter(|(_, t)| t.role() == Role::Output);
        outputs.flat_map(|(view, _)| view.numbers.clone()).collect()
    }
}

/// Shares numbers out to declared tensors, one after the other.
fn share_out(
    views: &[TapeView],
    declared: impl Iterator<Item = usize>,
    query: &Query,
    tensors: &mut [TapeView],
) -> Result<(), NoEnclosure> {
    let mut numbers = views.iter().flat_map(|view| view.numbers.iter().map(|&n| (n, view.element)));
    for tensor in declared {
        let own: Vec<_> = numbers.by_ref().take(query.tensors()[tensor].len()).collect();
        if own.len() != query.tensors()[tensor].len() {
            return Err(NoEnclosure("the declarations do not fit the network".into()));
        }
        let element = own.first().map_or(ElementType::Float32, |&(_, element)| element);
        tensors[tensor] =
            TapeView { shape: vec![own.len()], element, numbers: own.into_iter().map(|(n, _)| n).collect() };
    }
    match numbers.next() {
        None => Ok(()),
        Some(_) => Err(NoEnclosure("the declarations do not fit the network".into())),
    }
}

/// A network's inputs, those that the query sets equal to inputs or outputs of an earlier network replaced by them: whatever that
/// computes, points that satisfy the query have it there, to the last digit.
fn merged(
    query: &Query,
    mut views: Vec<TapeView>,
    tensors: &mut [TapeView],
    network: usize,
) -> Vec<TapeView> {
    let mut same: HashMap<Scalar, Scalar> = HashMap::new();
    for comparison in formula::asserted(query, &Choices::new()) {
        let Some((a, b)) = equal_values(query, comparison) else { continue };
        let of = |v: Variable| query.tensors()[v.tensor().index()].network();
        let (earlier, later) = if of(a) <= of(b) { (a, b) } else { (b, a) };
        let is_input = query.tensors()[later.tensor().index()].role() == Role::Input;
        if of(later) != network || of(earlier) >= network || !is_input {
            continue;
        }
        let number = |v: Variable| tensors[v.tensor().index()].numbers.get(v.element()).copied();
        let element = |v: Variable| tensors[v.tensor().index()].element;
        if let (Some(first), Some(second)) = (number(earlier), number(later))
            && element(earlier) == element(later)
        {
            same.insert(second, first);
        }
    }
    let replace = |number: &mut Scalar| *number = same.get(number).copied().unwrap_or(*number);
    views.iter_mut().flat_map(|view| &mut view.numbers).for_each(replace);
    tensors.iter_mut().flat_map(|view| &mut view.numbers).for_each(replace);
    views
}

/// The two variables that a comparison sets equal.
fn equal_values(query: &Query, comparison: Comparison<'_>) -> Option<(Variable, Variable)> {
    if comparison.relation() != Relation::Equal {
        return None;
    }
    let row = comparison.linear().ok()?;
    let [(a, x), (b, y)] = row.terms.as_slice() else { return None };
    let declared = |v: &Variable| query.tensors()[v.tensor().index()].element_type();
    let opposite = x.value == -y.value && x.error == 0.0 && y.error == 0.0;
    let alike = opposite && row.constant.value == 0.0 && row.constant.error == 0.0;
    (alike && declared(a) == declared(b)).then_some((*a, *b))
}
