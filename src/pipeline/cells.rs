//! Networks with computed indices, cell by cell: in each part of the input set in which every index has one value.
//!
//! A detector whose patch is put where two inputs say has as many networks as there are places. Every cell is visited once, at its
//! middle, whatever else is found there: a search by samples would visit the common ones again and again. Then they are settled one
//! by one, those first whose middle came nearest to a violation. A cell's network has constants in the place of its indices, so that it
//! has gradients, bounds and proofs as any other; often nothing of it is left to vary, and the judge settles it at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use vnnlib::Query;

use super::{CertificateQuestion, Jury, transcript};
use crate::budget::{Budget, StopReason};
use crate::certificate::{self, Cell, Cells, Certificate, Enclosure, Mending, NoCells, Proof, Token};
use crate::network::{Network, Node, Real};
use crate::onnx::Model;
use crate::problem::Problem;
use crate::property::Region;
use crate::search::observer::{Event, Observer, Silent};
use crate::search::{self, Candidate, Config, Ending, Judge, Judgement};

/// Work on a cell before the next one's turn comes, in multiplications; so many times as much in each further turn.
const FIRST_WORK: u64 = 50_000_000;
const GROWTH: u64 = 8;
/// Turns that a cell has: the last one is longer than any time limit.
const MOST_TURNS: u32 = 8;
/// Regions that a cell's middle is measured in.
const MOST_REGIONS: usize = 64;

/// What came of the cells.
pub(super) enum CellsOutcome {
    /// There are none, or none that help: the networks are to be searched as they are.
    None,
    /// The jury holds a witness.
    Found,
    /// All are proved.
    Proved(Proof),
    /// Some are left.
    Left(StopReason),
}

/// Multiplications from which on a network that could be searched and bounded as it is has no cells: one walk over its numbers takes a
/// second.
const LARGE: usize = 20_000_000;

/// How much cells may help a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Help {
    /// Nothing in it is computed of which there could be few values.
    None,
    /// It can be searched and bounded as it is; conditions in it make bounds wide.
    Some,
    /// Without them it has no bounds.
    Much,
}

/// Whether an index, a size or a condition may be computed in the network.
pub(super) fn help<T: Real>(network: &Network<T>) -> Help {
    let is_whole = |node: &Node<T>| node.varies && !node.element.is_float() && !node.inputs.is_empty();
    match network.nodes().iter().any(is_whole) {
        _ if network.plain_nodes().next().is_some() => Help::Much,
        true if network.multiplications() < LARGE => Help::Some,
        _ => Help::None,
    }
}

/// A search of the network as it is, before its cells are looked for, in multiplications.
pub(super) const WORK_BEFORE: u64 = 200_000_000;

/// What there is to say of the cells of a query.
///
/// # Errors
/// Why there are none; `Ok(None)` where none are needed.
pub fn described(query: &Query, models: &[Arc<Model>], budget: &Budget) -> Result<Option<String>, String> {
    match Cells::find(query, models, &|| budget.check().is_ok()) {
        Ok(cells) => Ok(Some(description(&cells))),
        Err(NoCells::NotNeeded) => Ok(None),
        Err(NoCells::NotEnumerable(why)) => Err(why),
        Err(NoCells::Ended) => Err("the time is up".into()),
    }
}

fn description(cells: &Cells) -> String {
    if cells.cells().len() == 1 {
        return "indices, sizes or conditions are computed from the inputs: each has one value in the whole input set, which is folded".into();
    }
    let mut causes = Vec::new();
    if !cells.inputs().is_empty() {
        let mut inputs = cells.inputs().to_vec();
        inputs.sort_unstable();
        let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
        causes.push(format!("of input {}", inputs.join(", ")));
    }
    if !cells.values().is_empty() {
        causes.push(format!("of {}", cells.values().join(", ")));
    }
    format!(
        "indices, sizes or conditions are computed from the inputs: each of {} cells, by the values {}, has a network of its own",
        cells.cells().len(),
        causes.join(" and ")
    )
}

/// Searches cell by cell.
pub(super) fn search<T: Real>(
    question: &CertificateQuestion<'_, T>,
    jury: &Jury<'_, T>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> CellsOutcome {
    let property = &question.problem.property;
    if property.unbounded_count() > 0 || property.is_partial() {
        return CellsOutcome::None;
    }
    let keep_going = || budget.check().is_ok();
    let cells = match Cells::find(question.query, question.models, &keep_going) {
        Ok(cells) => cells,
        Err(NoCells::NotEnumerable(why)) => {
            observer.event(&Event::Note(&format!("what is computed from the inputs has no cells: {why}")));
            return CellsOutcome::None;
        }
        Err(NoCells::NotNeeded | NoCells::Ended) => return CellsOutcome::None,
    };
    observer.event(&Event::Note(&description(&cells)));
    let Some(places) = CellPlaces::new(question) else { return CellsOutcome::None };
    let proofs = vec![None; cells.cells().len()];
    let mut settling = Settling { question, jury, config, budget, places, proofs };
    match settling.run(&cells) {
        CellsOutcome::Left(StopReason::Exhausted) => CellsOutcome::None,
        outcome => outcome,
    }
}

struct Settling<'s, T: Real> {
    question: &'s CertificateQuestion<'s, T>,
    jury: &'s Jury<'s, T>,
    config: &'s Config,
    budget: &'s Budget,
    places: CellPlaces,
    /// How each cell was proved.
    proofs: Vec<Option<Vec<Token>>>,
}

impl<T: Real> Settling<'_, T> {
    fn run(&mut self, cells: &Cells) -> CellsOutcome {
        let Some(mut order) = self.visit(cells) else { return CellsOutcome::Found };
        for turn in 0..MOST_TURNS {
            let mut left = Vec::new();
            for &at in &order {
                if let Err(reason) = self.budget.check() {
                    return CellsOutcome::Left(reason);
                }
                match self.settle(&cells.cells()[at], turn) {
                    CellState::Proved(tokens) => self.proofs[at] = Some(tokens),
                    CellState::Found => return CellsOutcome::Found,
                    CellState::Open => left.push(at),
                }
            }
            if left.is_empty() {
                return self.prove(cells);
            }
            order = left;
        }
        CellsOutcome::Left(StopReason::Exhausted)
    }

    /// Every cell's middle, and the order in which cells are settled; `None` if the jury has confirmed one.
    fn visit(&self, cells: &Cells) -> Option<Vec<usize>> {
        let property = &self.question.problem.property;
        let regions =
            (0..property.region_count().min(MOST_REGIONS)).filter_map(|index| property.region(index).ok());
        let regions: Vec<Region> = regions.collect();
        let mut margins = Vec::with_capacity(cells.cells().len());
        for cell in cells.cells() {
            let margin = self.budget.check().ok().map(|()| self.middle(cell, &regions));
            margins.push(margin.unwrap_or(Some(f64::NEG_INFINITY))?);
        }
        let mut order: Vec<usize> = (0..margins.len()).collect();
        order.sort_by(|&a, &b| margins[b].total_cmp(&margins[a]));
        Some(order)
    }

    /// The margin at a cell's middle; `None` if the jury has confirmed it.
    fn middle(&self, cell: &Cell, regions: &[Region]) -> Option<f64> {
        let problem = self.question.problem;
        let (lower, upper) = self.places.bounds(cell);
        let middle: Vec<f64> = lower.iter().zip(&upper).map(|(l, u)| 0.5 * l + 0.5 * u).collect();
        let rounded: Vec<T> = middle.iter().map(|&x| T::of(x)).collect();
        let (declared, _) = problem.declared_inputs(&rounded, &BTreeMap::new());
        let middle = self.places.searched(&declared, middle);
        let point: Vec<T> = middle.iter().map(|&x| T::of(x)).collect();
        let outputs: Vec<f64> = problem.network.evaluate(&point).iter().map(|y| y.widen()).collect();
        let inside = regions.iter().filter(|region| region.clamped(&middle) == middle);
        let of_region = |region: &Region| (region.margin(&middle, &outputs), region.literals.clone());
        let best = inside.map(of_region).filter(|(margin, _)| !margin.is_nan());
        let Some((margin, literals)) = best.max_by(|a, b| a.0.total_cmp(&b.0)) else {
            return Some(f64::NEG_INFINITY);
        };
        let candidate = Candidate { input: point, literals };
        let is_confirmed = margin >= 0.0 && self.jury.judge(&candidate) == Judgement::Confirmed;
        (!is_confirmed).then_some(margin)
    }

    /// A cell by the judge alone, then by a search of its own.
    fn settle(&self, cell: &Cell, turn: u32) -> CellState {
        let keep_going = || self.budget.check().is_ok();
        let CertificateQuestion { query, models, .. } = self.question;
        let Ok((enclosure, own)) = cell.networks(query, models) else { return CellState::Open };
        let prove = |tokens: Vec<Token>| {
            certificate::check_cell(
                &enclosure,
                cell,
                &Certificate { tokens },
                self.config.threads,
                &keep_going,
            )
            .ok()
        };
        if turn == 0
            && let Some(tokens) = prove(vec![Token::plain_leaf()])
        {
            return CellState::Proved(tokens);
        }
        let Some(problem) = self.problem_of(cell, &own) else { return CellState::Open };
        let config = Config { seed: self.config.seed.wrapping_add(u64::from(turn)), ..self.config.clone() };
        let work = FIRST_WORK * GROWTH.pow(turn);
        let summary = search::falsify_briefly(&problem, &config, self.budget, work, self.jury, &Silent);
        if self.jury.is_complete() {
            return CellState::Found;
        }
        let proved = (summary.ending == Ending::Proved)
            .then(|| transcript::transcribe(&problem, &enclosure, &summary.proofs))
            .flatten();
        proved.and_then(|certificate| prove(certificate.tokens)).map_or(CellState::Open, CellState::Proved)
    }

    /// The problem of a cell.
    fn problem_of(&self, cell: &Cell, models: &[Arc<Model>]) -> Option<Problem<T>> {
        let mut problem = Problem::<T>::of_models(self.question.query.clone(), models).ok()?;
        let (lower, upper) = self.places.bounds(cell);
        problem.property.narrow(lower, upper);
        (problem.property.region_count() > 0).then_some(problem)
    }

    /// The whole certificate, checked as any other.
    fn prove(&self, cells: &Cells) -> CellsOutcome {
        let left = CellsOutcome::Left(StopReason::Unconfirmed);
        let Some(proofs) = self.proofs.iter().cloned().collect::<Option<Vec<_>>>() else { return left };
        let Ok(root) = Enclosure::root(self.question.query, self.question.models) else { return left };
        let certificate = Certificate { tokens: cells.tokens(&proofs) };
        let keep_going = || self.budget.check().is_ok();
        match certificate::check(&root, &certificate, Mending::Cut, self.config.threads, &keep_going) {
            Ok(proof) => CellsOutcome::Proved(proof),
            Err(_) => CellsOutcome::Left(self.budget.check().err().unwrap_or(StopReason::Unconfirmed)),
        }
    }
}

/// What became of a cell.
enum CellState {
    Proved(Vec<Token>),
    Found,
    Open,
}

/// Where the search's inputs are among those of the certificate.
struct CellPlaces {
    /// Of each declared input that is searched: its place, the search's, the certificate's.
    inputs: Vec<(usize, usize, usize)>,
    count: usize,
}

impl CellPlaces {
    fn new<T: Real>(question: &CertificateQuestion<'_, T>) -> Option<Self> {
        let root = Enclosure::root(question.query, question.models).ok()?;
        let layout = question.problem.property.layout();
        let sources = layout.sources().iter().enumerate();
        let searched = sources.filter_map(|(declared, source)| Some((declared, (*source)?)));
        let place = |(declared, source)| Some((declared, source, root.input_of_declared(declared)? as usize));
        Some(Self { inputs: searched.map(place).collect::<Option<_>>()?, count: layout.inputs() })
    }

    /// A cell's box, by input of the search.
    fn bounds(&self, cell: &Cell) -> (Vec<f64>, Vec<f64>) {
        let ranges: Vec<(f64, f64)> = cell.ranges().collect();
        let (mut lower, mut upper) = (vec![f64::NEG_INFINITY; self.count], vec![f64::INFINITY; self.count]);
        for &(_, source, place) in &self.inputs {
            lower[source] = lower[source].max(ranges[place].0);
            upper[source] = upper[source].min(ranges[place].1);
        }
        (lower, upper)
    }

    /// Declared inputs as those of the search.
    fn searched(&self, declared: &[f64], mut point: Vec<f64>) -> Vec<f64> {
        for &(place, source, _) in &self.inputs {
            point[source] = declared[place];
        }
        point
    }
}
