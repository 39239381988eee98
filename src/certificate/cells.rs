//! Computed indices: an input set taken apart until every index, size and condition that is computed has one value.
//!
//! A slice whose start is computed from an input is one of finitely many slices. Where it changes from one to the next, it does so
//! between two neighbouring floats, which bounds find by bisection: the largest number up to which they stay as narrow as at the end
//! of the box. A number that rounding may put on either side of a step has two values there, and each becomes a part. What is
//! left is a tree of boxes, each with networks of its own that have no computed index: its *cells*. The search takes them for its
//! networks, and the tree is the beginning of the certificate.
//!
//! Nothing here is trusted: the judge bounds every number anew (`check.rs`).

use std::sync::Arc;

use vnnlib::Query;

use super::NoEnclosure;
use super::bounds::Bounds;
use super::compile::{Assumed, NumberPlace, WithinBox};
use super::directed::Interval;
use super::enclosure::Enclosure;
use super::input::Input;
use super::tape::{Scalar, StepKind, Tape};
use super::tokens::Token;
use crate::onnx::{Model, Tensor};

/// Cells, at most. Of a network of a detector's size each takes some tenths of a second to search, of a small one a millisecond.
const MOST_CELLS: usize = 20_000;
/// The same where the networks could be searched and bounded as they are: then cells are only the better way.
const MOST_BETTER: usize = 4096;
/// Values of one number that become a part each.
const MOST_VALUES: i64 = 64;
/// A condition that depends on more inputs than these is left to bounds: it is no place where something is put.
const FEW_INPUTS: usize = 4;
/// A part of a box is no sliver if it has at least this share of the whole input set's width.
const SLIVER: f64 = 1.0 / 65_536.0;

/// A part of the input set in which whole numbers that decide have one value each.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    ranges: Arc<Vec<Interval>>,
    assumed: Arc<Assumed>,
}

/// What became of a part.
#[derive(Debug, Clone)]
enum Division {
    /// It was cut; the two parts.
    Cut(Token, [usize; 2]),
    /// A part for each value of a number.
    Values(Token, Vec<usize>),
    /// A cell, by its place in the list; `None` where no computation is.
    Cell(Option<usize>),
}

/// An input set taken apart.
#[derive(Debug)]
pub(crate) struct Cells {
    divisions: Vec<Division>,
    cells: Vec<Cell>,
    /// Inputs that were cut along, the names of values that were taken apart by.
    inputs: Vec<usize>,
    values: Vec<String>,
}

/// Why there are no cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoCells {
    /// Nothing is computed that would have finitely many values: the networks are as they are.
    NotNeeded,
    /// What decides cannot be taken apart, and why.
    NotEnumerable(String),
    /// It was ended.
    Ended,
}

impl Cells {
    /// Takes the input set apart.
    ///
    /// # Errors
    /// [`NoCells`] says why not.
    pub(crate) fn find(
        query: &Query,
        models: &[Arc<Model>],
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Self, NoCells> {
        let root = Enclosure::root(query, models).map_err(|why| NoCells::NotEnumerable(why.0))?;
        let Some(ranges) = root.domain(&Default::default()) else { return Err(NoCells::NotNeeded) };
        let search = |better: bool| Finder::new(&root, ranges.clone(), better).run(keep_going);
        match search(true) {
            Err(NoCells::NotEnumerable(_)) => search(false),
            found => found,
        }
    }

    /// The cells.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Along which declared inputs it was cut, by their place among all that the query does not set equal.
    pub(crate) fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// The names of values of which each value became a part.
    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    /// The certificate's tree, with these tokens for each cell.
    pub(crate) fn tokens(&self, of_cells: &[Vec<Token>]) -> Vec<Token> {
        let (mut tokens, mut left) = (Vec::new(), vec![0]);
        while let Some(at) = left.pop() {
            match &self.divisions[at] {
                Division::Cut(token, [low, high]) => {
                    tokens.push(token.clone());
                    left.extend([*high, *low]);
                }
                Division::Values(token, parts) => {
                    tokens.push(token.clone());
                    left.extend(parts.iter().rev());
                }
                Division::Cell(None) => tokens.extend([Token::Settled, Token::plain_leaf()]),
                Division::Cell(Some(cell)) => {
                    tokens.push(Token::Settled);
                    tokens.extend(of_cells[*cell].iter().cloned());
                }
            }
        }
        tokens
    }
}

impl Cell {
    /// Its box, by input.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.ranges.iter().map(|range| (range.low, range.high))
    }

    /// The same, as the judge has it.
    pub(super) fn shared_ranges(&self) -> Arc<Vec<Interval>> {
        Arc::clone(&self.ranges)
    }

    /// The networks as they are in the cell: what the judge bounds, and the models with constants in the place of what has one
    /// value there.
    ///
    /// # Errors
    /// If they have no enclosure even there.
    pub(crate) fn networks(
        &self,
        query: &Query,
        models: &[Arc<Model>],
    ) -> Result<(Enclosure, Vec<Arc<Model>>), NoEnclosure> {
        let (enclosure, within) =
            Enclosure::within(query, models, &self.ranges, &self.assumed).map_err(|open| open.why)?;
        // Networks that are equal to earlier ones have no model, and their inputs may differ: constants of one are none of the other.
        if query.networks().len() != models.len() {
            return Err(NoEnclosure("a network that is declared equal to another has no cells".into()));
        }
        let own = |(network, model): (u32, &Arc<Model>)| {
            let known = within.known.iter().filter(|(of, ..)| *of == network);
            Arc::new(with_constants(model, known.map(|(_, name, tensor)| (name, tensor))))
        };
        Ok((enclosure, (0..).zip(models).map(own).collect()))
    }
}

/// A model with constants in the place of values that nodes compute.
fn with_constants<'k>(model: &Model, known: impl Iterator<Item = (&'k String, &'k Arc<Tensor>)>) -> Model {
    let mut model = model.clone();
    let computed: std::collections::HashSet<String> =
        model.graph.nodes.iter().flat_map(|node| node.outputs.iter().cloned()).collect();
    for (name, tensor) in known.filter(|(name, _)| computed.contains(*name)) {
        for result in model.graph.nodes.iter_mut().flat_map(|node| &mut node.outputs) {
            if result == name {
                // Nobody asks for it any more.
                result.clear();
            }
        }
        model.graph.initializers.insert(name.clone(), Arc::clone(tensor));
    }
    model.graph.nodes.retain(|node| node.outputs.iter().any(|name| !name.is_empty()));
    model
}

/// Takes an input set apart.
struct Finder<'f> {
    root: &'f Enclosure,
    whole: Vec<Interval>,
    /// Whether conditions that bounds could deal with are taken apart as well.
    better: bool,
    found: Cells,
    left: Vec<(usize, Cell)>,
}

/// Where a box is cut: this is the last number of the first part.
struct Cut {
    input: usize,
    at: f64,
    next: f64,
}

impl<'f> Finder<'f> {
    fn new(root: &'f Enclosure, whole: Vec<Interval>, better: bool) -> Self {
        let cell = Cell { ranges: Arc::new(whole.clone()), assumed: Arc::default() };
        let found = Cells {
            divisions: vec![Division::Cell(None)],
            cells: Vec::new(),
            inputs: Vec::new(),
            values: Vec::new(),
        };
        Self { root, whole, better, found, left: vec![(0, cell)] }
    }

    fn run(mut self, keep_going: &dyn Fn() -> bool) -> Result<Cells, NoCells> {
        let most = if self.better { MOST_BETTER } else { MOST_CELLS };
        while let Some((at, cell)) = self.left.pop() {
            if !keep_going() {
                return Err(NoCells::Ended);
            }
            self.divide(at, cell)?;
            if self.found.cells.len() + self.left.len() > most {
                return Err(NoCells::NotEnumerable(format!("it has more than {most} parts")));
            }
        }
        // One cell is of use where indices have one value in the whole input set.
        match self.found.divisions.len() == 1 && !self.root.outputs().is_empty() {
            true => Err(NoCells::NotNeeded),
            false => Ok(self.found),
        }
    }

    /// Makes a part a cell, or takes it apart.
    fn divide(&mut self, at: usize, cell: Cell) -> Result<(), NoCells> {
        let settled = Enclosure::within(&self.root.query, &self.root.models, &cell.ranges, &cell.assumed);
        let (tape, within, refused) = match settled {
            Ok((enclosure, within)) => (enclosure.tape, within, None),
            Err(open) if open.is_nothing() => return Ok(()),
            Err(open) => match open.within {
                Some(within) => (open.tape, within, Some(open.why)),
                None => return Err(NoCells::NotEnumerable(open.why.0)),
            },
        };
        let open: &[Scalar] = if refused.is_some() { &within.missing } else { &within.open };
        let mut part = CellPart::new(&tape, &within, self.root, &cell.ranges);
        let open = part.those_of_few(open, refused.is_some() || !self.better);
        if refused.is_none() && (open.is_empty() || !self.better) {
            self.keep(at, cell);
            return Ok(());
        }
        if let Some(cut) = part.cut(&open, &self.whole) {
            self.cut(at, &cell, cut);
            return Ok(());
        }
        let values = refused.as_ref().and_then(|_| within.fewest_values(&open));
        let Some((range, place)) = values.filter(|((low, high), _)| high - low < MOST_VALUES) else {
            // A part that cannot be settled, as where an index is out of range, is searched as far as it can be.
            return match refused {
                Some(why) if at == 0 => Err(NoCells::NotEnumerable(match open.is_empty() {
                    true => why.0,
                    false => format!("{}, and what decides has too many values", why.0),
                })),
                _ => {
                    self.keep(at, cell);
                    Ok(())
                }
            };
        };
        self.take_values(at, &cell, range, place);
        Ok(())
    }

    fn keep(&mut self, at: usize, cell: Cell) {
        self.found.divisions[at] = Division::Cell(Some(self.found.cells.len()));
        self.found.cells.push(cell);
    }

    /// A new part, to be looked at.
    fn add(&mut self, cell: Cell) -> usize {
        let at = self.found.divisions.len();
        self.found.divisions.push(Division::Cell(None));
        self.left.push((at, cell));
        at
    }

    fn cut(&mut self, at: usize, cell: &Cell, Cut { input, at: last, next }: Cut) {
        if !self.found.inputs.contains(&input) {
            self.found.inputs.push(input);
        }
        let half = |low: f64, high: f64| {
            let mut ranges = Vec::clone(&cell.ranges);
            ranges[input] = Interval { low, high };
            Cell { ranges: Arc::new(ranges), assumed: Arc::clone(&cell.assumed) }
        };
        let range = cell.ranges[input];
        let (high, low) = (self.add(half(next, range.high)), self.add(half(range.low, last)));
        self.found.divisions[at] = Division::Cut(Token::Gap { input: input as u32, at: last }, [low, high]);
    }

    fn take_values(&mut self, at: usize, cell: &Cell, (low, high): (i64, i64), place: NumberPlace) {
        if !self.found.values.contains(&place.value) {
            self.found.values.push(place.value.clone());
        }
        let with = |value: i64| {
            let mut assumed = Assumed::clone(&cell.assumed);
            assumed.insert(place.clone(), value);
            Cell { ranges: Arc::clone(&cell.ranges), assumed: Arc::new(assumed) }
        };
        let mut parts: Vec<usize> = (low..=high).rev().map(|value| self.add(with(value))).collect();
        parts.reverse();
        let count = (high - low + 1) as u32;
        let token = Token::Values { network: place.network, value: place.value, at: place.at, low, count };
        self.found.divisions[at] = Division::Values(token, parts);
    }
}

/// A box with a tape of its networks, as far as they could be put on one.
struct CellPart<'p> {
    tape: &'p Tape,
    bounds: Bounds,
    inputs: &'p [Input],
    numbers: &'p [Scalar],
    ranges: &'p [Interval],
}

impl<'p> CellPart<'p> {
    fn new(tape: &'p Tape, within: &'p WithinBox, root: &'p Enclosure, ranges: &'p [Interval]) -> Self {
        Self { tape, bounds: within.bounds.clone(), inputs: &root.inputs, numbers: within.inputs(), ranges }
    }

    /// Which steps some numbers depend on, and which inputs that are free.
    fn reach(&self, numbers: &[Scalar]) -> (Vec<usize>, Vec<usize>) {
        let mut wanted = vec![false; self.tape.len];
        numbers.iter().for_each(|&x| wanted[x as usize] = true);
        let mut steps = Vec::new();
        for (s, step) in self.tape.steps.iter().enumerate().rev() {
            let mut is_wanted = false;
            for i in (0..step.len).filter(|i| wanted[step.first + i]).collect::<Vec<_>>() {
                is_wanted = true;
                step.for_each_operand(i, |x| wanted[x as usize] = true);
            }
            if is_wanted && !matches!(step.kind, StepKind::Input) {
                steps.push(s);
            }
        }
        steps.reverse();
        let is_free = |&i: &usize| {
            let Interval { low, high } = self.ranges[i];
            low < high && wanted[self.numbers[i] as usize]
        };
        (steps, (0..self.numbers.len()).filter(is_free).collect())
    }

    /// Those of some numbers that depend on few inputs; all of them where they have to be known.
    fn those_of_few(&self, numbers: &[Scalar], all: bool) -> Vec<Scalar> {
        if all || numbers.is_empty() || self.reach(numbers).1.len() <= FEW_INPUTS {
            return numbers.to_vec();
        }
        let is_few = |&x: &Scalar| self.reach(&[x]).1.len() <= FEW_INPUTS;
        // Each costs a walk over the tape.
        numbers.iter().take(64).copied().filter(is_few).collect()
    }

    /// Where the box is cut so that some numbers have fewer values.
    fn cut(&mut self, numbers: &[Scalar], whole: &[Interval]) -> Option<Cut> {
        let (steps, free) = self.reach(numbers);
        if free.len() > FEW_INPUTS {
            return None;
        }
        free.into_iter().find_map(|input| {
            let width = whole[input].high - whole[input].low;
            let mut measure = Measure { part: self, steps: &steps, numbers, input };
            let cut = measure.at_lower_end(width).or_else(|| measure.at_upper_end(width));
            measure.set(measure.part.ranges[input]);
            cut
        })
    }
}

/// How many values some numbers have, as an input's range changes.
struct Measure<'m, 'p> {
    part: &'m mut CellPart<'p>,
    steps: &'m [usize],
    numbers: &'m [Scalar],
    input: usize,
}

impl Measure<'_, '_> {
    fn set(&mut self, range: Interval) {
        let input = self.part.inputs[self.input];
        self.part.bounds.set_input(self.part.numbers[self.input], range, input.format());
        for &s in self.steps {
            self.part.bounds.compute(&self.part.tape.steps[s]);
        }
    }

    /// Values beyond the first one of each, all together.
    fn of(&mut self, low: f64, high: f64) -> f64 {
        self.set(Interval { low, high });
        let width = |&x: &Scalar| {
            let range = self.part.bounds.of(x);
            range.high - range.low
        };
        self.numbers.iter().map(width).sum()
    }

    /// The largest part at the lower end in which the numbers have no more values than at the end itself.
    fn at_lower_end(&mut self, whole: f64) -> Option<Cut> {
        let Interval { low, high } = self.part.ranges[self.input];
        let input = self.part.inputs[self.input];
        let low = input.nearest(low);
        let least = self.of(low, low);
        if least >= self.of(low, high) {
            return None;
        }
        let (mut last, mut beyond) = (low, high);
        while let Some(middle) = input.between(last, beyond) {
            match self.of(low, middle) <= least {
                true => last = middle,
                false => beyond = middle,
            }
        }
        let next = input.after(last)?;
        let is_large = !input.element.is_float()
            || last - low >= SLIVER * whole
            || least == 0.0 && self.of(next, high) == 0.0;
        (is_large && next <= high).then_some(Cut { input: self.input, at: last, next })
    }

    /// The same at the upper end.
    fn at_upper_end(&mut self, whole: f64) -> Option<Cut> {
        let Interval { low, high } = self.part.ranges[self.input];
        let input = self.part.inputs[self.input];
        let high = input.nearest(high);
        let least = self.of(high, high);
        if least >= self.of(low, high) {
            return None;
        }
        let (mut beyond, mut first) = (low, high);
        while let Some(middle) = input.between(beyond, first) {
            match self.of(middle, high) <= least {
                true => first = middle,
                false => beyond = middle,
            }
        }
        let last = input.nearest(beyond);
        let is_large = !input.element.is_float() || high - first >= SLIVER * whole;
        (is_large && input.after(last) == Some(first)).then_some(Cut {
            input: self.input,
            at: last,
            next: first,
        })
    }
}
