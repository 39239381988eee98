//! A walk over a box of inputs: what has one value there is a constant.
//!
//! Where an index, a size or a condition is computed from the inputs, most operators have no rule: where numbers go would depend on
//! the input. Over a small enough box, such whole numbers have one value each, in every permitted computation. The walk bounds each
//! node as it goes, and takes such a value for the constant that it is. Whole numbers only: their arithmetic is the same in every
//! runtime, while floats that are constants here are none in the file, and a runtime may round them in other orders.
//!
//! A part of a proof may also *assume* the value of a whole number, if all values that its bounds admit have a part each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::super::bounds::Bounds;
use super::super::directed::Interval;
use super::super::format::Format;
use super::super::tape::{Scalar, Tape};
use super::{Compiler, HeldValue, LONG, NoEnclosure, TapeValue, TapeView};
use crate::onnx::{Data, ElementType, Node, Tensor};

/// A whole number that a node of a main graph computes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct NumberPlace {
    /// Which network of the query.
    pub(in super::super) network: u32,
    /// The value's name.
    pub(in super::super) value: String,
    /// Its flat index.
    pub(in super::super) at: u32,
}

/// Whole numbers that are taken for known.
pub(in super::super) type Assumed = BTreeMap<NumberPlace, i64>;

/// What a walk knows of a box.
#[derive(Debug)]
pub(in super::super) struct WithinBox {
    ranges: Vec<Interval>,
    assumed: Assumed,
    /// The inputs that have got their ranges, in their order; how many steps are bounded.
    inputs: Vec<Scalar>,
    steps: usize,
    network: u32,
    pub(in super::super) bounds: Bounds,
    /// Values of the main graphs that have one value in the box, though they depend on inputs.
    pub(in super::super) known: Vec<(u32, String, Arc<Tensor>)>,
    /// Whole numbers that have several, and where they stand in the main graphs.
    pub(in super::super) open: Vec<Scalar>,
    pub(in super::super) places: HashMap<Scalar, NumberPlace>,
    /// Those that the node depends on at which the walk ended.
    pub(in super::super) missing: Rc<Vec<Scalar>>,
    /// Whether what is assumed cannot be: no computation is in this part.
    pub(in super::super) is_nothing: bool,
}

impl WithinBox {
    pub(in super::super) fn new(ranges: &[Interval], assumed: &Assumed) -> Self {
        Self {
            ranges: ranges.to_vec(),
            assumed: assumed.clone(),
            inputs: Vec::new(),
            steps: 0,
            network: 0,
            bounds: Bounds::new(&Tape::default()),
            known: Vec::new(),
            open: Vec::new(),
            places: HashMap::new(),
            missing: Rc::default(),
            is_nothing: false,
        }
    }

    /// Between which values a whole number lies; `None` if it is none of several values, or has no bounds.
    pub(in super::super) fn whole_number(&self, place: &NumberPlace) -> Option<(i64, i64)> {
        let (&number, _) = self.places.iter().find(|(_, own)| *own == place)?;
        let range = self.bounds.of(number);
        let (low, high) = (range.low.ceil(), range.high.floor());
        (low <= high && low.abs().max(high.abs()) < LONG).then_some((low as i64, high as i64))
    }

    /// Of some whole numbers the one with the fewest values that has a place, and its values.
    pub(in super::super) fn fewest_values(&self, numbers: &[Scalar]) -> Option<((i64, i64), NumberPlace)> {
        let values = |number: &Scalar| {
            let place = self.places.get(number)?;
            Some((self.whole_number(place)?, place.clone()))
        };
        numbers.iter().filter_map(values).min_by_key(|((low, high), _)| high - low)
    }

    /// The inputs, in the order of their ranges.
    pub(in super::super) fn inputs(&self) -> &[Scalar] {
        &self.inputs
    }

    /// Whether these are the inputs, in the order in which they got their ranges.
    pub(in super::super) fn is_of(&self, inputs: impl Iterator<Item = Scalar>) -> bool {
        inputs.eq(self.inputs.iter().copied())
    }

    /// Bounds the steps that have come since.
    fn advance(&mut self, tape: &Tape) {
        self.bounds.grow(tape.len);
        tape.steps[self.steps..].iter().for_each(|step| self.bounds.compute(step));
        self.steps = tape.steps.len();
    }

    /// The one value of each number; `None` if one has several, or more digits than doubles.
    fn points(&self, view: &TapeView) -> Option<Vec<f64>> {
        let point = |&x: &Scalar| {
            let range = self.bounds.of(x);
            let fits = view.element.is_float() || range.low.abs() < LONG;
            (range.low == range.high && fits).then_some(range.low)
        };
        view.numbers.iter().map(point).collect()
    }

    /// Puts what is assumed of a value in the place of its bounds. `false` if that cannot be.
    fn assume(&mut self, name: &str, view: &TapeView) -> bool {
        for (at, &number) in (0..).zip(&view.numbers) {
            let place = NumberPlace { network: self.network, value: name.to_owned(), at };
            let Some(&value) = self.assumed.get(&place) else { continue };
            let (range, value) = (self.bounds.of(number), value as f64);
            if !(range.low <= value && value <= range.high) {
                return false;
            }
            self.bounds.assume(number, value);
        }
        true
    }
}

/// A tensor of numbers that their types hold.
fn tensor(view: &TapeView, values: Vec<f64>) -> Arc<Tensor> {
    let data = match view.element {
        ElementType::Float64 => Data::F64(values),
        element if element.is_float() => {
            Data::F32(values.into_iter().map(|x| x as f32).collect::<Vec<_>>().into())
        }
        _ => Data::I64(values.into_iter().map(|x| x as i64).collect()),
    };
    Arc::new(Tensor { element: view.element, shape: view.shape.clone(), data })
}

/// All numbers of some lists.
pub(super) fn union<'o>(mut lists: impl Iterator<Item = &'o Rc<Vec<Scalar>>>) -> Rc<Vec<Scalar>> {
    let Some(first) = lists.next() else { return Rc::default() };
    let mut all = Rc::clone(first);
    for list in lists.filter(|list| !list.is_empty()) {
        if all.is_empty() {
            all = Rc::clone(list);
        } else if !Rc::ptr_eq(&all, list) {
            let mut both = [all.as_slice(), list].concat();
            both.sort_unstable();
            both.dedup();
            all = Rc::new(both);
        }
    }
    all
}

/// Operands that are sizes though they may be floats.
fn is_size(node: &Node, operand: usize) -> bool {
    match node.operator.as_str() {
        "Range" => true,
        "Resize" => operand == 1 || operand == 2,
        "OneHot" => operand < 2,
        "Upsample" => operand == 1,
        _ => false,
    }
}

impl Compiler<'_> {
    /// Goes on with the inputs of a network, which have been merged with those of earlier ones: new numbers have the next ranges.
    pub(in super::super) fn enter(&mut self, network: usize, views: &[TapeView]) -> Result<(), NoEnclosure> {
        let Some(within) = &mut self.within else { return Ok(()) };
        within.network = network as u32;
        within.advance(self.tape);
        let mut seen: HashSet<Scalar> = within.inputs.iter().copied().collect();
        for (&number, element) in views.iter().flat_map(|v| v.numbers.iter().map(|n| (n, v.element))) {
            if seen.insert(number) {
                let range = within.ranges.get(within.inputs.len()).copied();
                let range = range.ok_or_else(|| NoEnclosure("the box has too few inputs".into()))?;
                within.inputs.push(number);
                within.bounds.set_input(number, range, Format::of(element));
            }
        }
        Ok(())
    }

    /// A value of the walk, bounded. Those of main graphs have a name here.
    pub(super) fn held(
        &mut self,
        name: Option<&str>,
        value: TapeValue,
        varies: bool,
        open: Rc<Vec<Scalar>>,
    ) -> Result<HeldValue, NoEnclosure> {
        if self.within.is_none() || !varies {
            return Ok(HeldValue { value, varies, open });
        }
        let whole = !value.element().is_float();
        let value = if whole { value } else { TapeValue::Numbers(self.view(&value)) };
        let tape = &*self.tape;
        let Some(within) = &mut self.within else { return Ok(HeldValue { value, varies, open }) };
        within.advance(tape);
        let view = match &value {
            TapeValue::Numbers(view) => view,
            TapeValue::Known(known) => {
                let named = name.map(|name| (within.network, name.to_owned(), Arc::clone(known)));
                within.known.extend(named);
                return Ok(HeldValue { value, varies, open: Rc::default() });
            }
        };
        if whole && name.is_some_and(|name| !within.assume(name, view)) {
            within.is_nothing = true;
            return Err(NoEnclosure("what is assumed of the part cannot be".into()));
        }
        if let Some(points) = within.points(view) {
            let known = tensor(view, points);
            within.known.extend(name.map(|name| (within.network, name.to_owned(), Arc::clone(&known))));
            return Ok(match whole {
                true => HeldValue { value: TapeValue::Known(known), varies, open: Rc::default() },
                false => HeldValue { value, varies, open },
            });
        }
        if !whole {
            return Ok(HeldValue { value, varies, open });
        }
        let several = |&&x: &&Scalar| within.bounds.of(x).low != within.bounds.of(x).high;
        let own: Vec<Scalar> = view.numbers.iter().filter(several).copied().collect();
        within.open.extend(&own);
        for (at, &number) in (0..).zip(&view.numbers) {
            let place = name.map(|name| NumberPlace { network: within.network, value: name.to_owned(), at });
            if let Some(place) = place {
                within.places.entry(number).or_insert(place);
            }
        }
        Ok(HeldValue { value, varies, open: Rc::new(own) })
    }

    /// An operand, as a constant where it is a size that has one value in the box.
    pub(super) fn as_size(&self, node: &Node, operand: usize, value: &TapeValue) -> TapeValue {
        match (&self.within, value) {
            (Some(within), TapeValue::Numbers(view)) if is_size(node, operand) => {
                let points = within.points(view);
                points.map_or_else(|| value.clone(), |points| TapeValue::Known(tensor(view, points)))
            }
            _ => value.clone(),
        }
    }

    /// Notes what kept a node from being put on the tape.
    pub(super) fn note_open(&mut self, operands: &[Option<HeldValue>]) {
        let Some(within) = &mut self.within else { return };
        // What an inner graph has noted is nearer.
        if !within.missing.is_empty() {
            return;
        }
        let is_whole = |held: &&HeldValue| !held.value.element().is_float();
        let direct = union(operands.iter().flatten().filter(is_whole).map(|held| &held.open));
        within.missing = match direct.is_empty() {
            false => direct,
            true => union(operands.iter().flatten().map(|held| &held.open)),
        };
    }
}
