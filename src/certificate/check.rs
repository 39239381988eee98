//! The judge of `unsat`: checks a certificate, part by part.
//!
//! [`Proof`] can only be made here, and a verdict of `unsat` only of a [`Proof`]. Nothing of the search is used: the bounds of a
//! part are computed anew on the tape, which is made from the file's own nodes.
//!
//! A part is looked at with growing effort, since most are easy: intervals; rows; rows over intervals that are tightened
//! function by function. The tightened bounds of a box serve all parts of it that differ in decided phases.
//!
//! A search proves in other arithmetic than this judge, so that now and then a part fails by a little. With [`Mending::Cut`] it is
//! cut further, a bounded number of times, and the certificate that results has these cuts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::cells::Cell;
use super::compile::{Assumed, NumberPlace};
use super::directed::Interval;
use super::enclosure::Enclosure;
use super::formula::{Choices, Truth};
use super::tokens::{Certificate, Token};
use super::worker::{Aim, Decided, LeafMultipliers, Worker};

/// Halves that a part which fails is cut into, at most.
const MOST_CUTS: usize = 64;

/// That a query has no counterexample, in any permitted computation: a certificate that was checked.
#[derive(Debug, Clone)]
pub struct Proof {
    certificate: Certificate,
    ground: Ground,
}

/// What a proof rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// No input satisfies the property's constraints of inputs.
    NoInputs,
    /// Bounds of every permitted computation, in so many parts of the input set.
    Bounds(usize),
}

impl std::fmt::Display for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoInputs => f.write_str("no input satisfies the property's input constraints"),
            Self::Bounds(1) => {
                f.write_str("proved: bounds of every permitted computation exclude a violation")
            }
            Self::Bounds(parts) => write!(
                f,
                "proved: bounds of every permitted computation exclude a violation, in each of {parts} parts of the input set"
            ),
        }
    }
}

impl Proof {
    /// What was checked; where parts were mended, with their cuts.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What it rests on.
    pub fn ground(&self) -> Ground {
        self.ground
    }
}

/// What happens to a part that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// The certificate is refused.
    Refuse,
    /// It is cut further.
    Cut,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its tree does not belong to the query.
    #[error("token {token}: {what}")]
    Shape {
        /// Tokens from 1: the line of the unpacked file less one.
        token: usize,
        /// What is wrong.
        what: String,
    },
    /// A part may hold a counterexample, as far as its bounds go.
    #[error("token {token}: the bounds of this part do not exclude a counterexample")]
    Open {
        /// Tokens from 1.
        token: usize,
    },
    /// The time was up, or somebody ended it.
    #[error("the check was ended before it was done")]
    Ended,
}

/// A part of the input set.
#[derive(Debug, Clone)]
struct ProofPart {
    /// `None` where bounds of inputs contradict each other: there is no point.
    ranges: Option<Arc<Vec<Interval>>>,
    phases: Vec<Decided>,
    choices: Arc<Choices>,
    /// Whole numbers whose values are assumed.
    assumed: Arc<Assumed>,
    /// Where its own networks begin.
    settled: Option<Arc<SettledPart>>,
}

/// A part that has networks of its own, and so all parts of it.
#[derive(Debug)]
struct SettledPart {
    ranges: Arc<Vec<Interval>>,
    assumed: Arc<Assumed>,
}

/// A leaf with its part.
#[derive(Debug)]
struct Leaf {
    token: usize,
    part: ProofPart,
    multipliers: LeafMultipliers,
}

/// Checks a certificate on so many threads. `keep_going` is asked now and then.
///
/// # Errors
/// [`Refusal`] says which token is wrong.
pub(crate) fn check(
    enclosure: &Enclosure,
    certificate: &Certificate,
    mending: Mending,
    threads: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Proof, Refusal> {
    let none = Choices::new();
    let root = ProofPart::new(enclosure.domain(&none).map(Arc::new), none);
    check_from(enclosure, root, certificate, mending, threads, keep_going)
}

/// Checks the part of a certificate that is a cell's, with the cell's networks; what is mended is cut further. Its tokens.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_cell(
    enclosure: &Enclosure,
    cell: &Cell,
    certificate: &Certificate,
    threads: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Token>, Refusal> {
    let root = ProofPart::new(Some(cell.shared_ranges()), Choices::new());
    let proof = check_from(enclosure, root, certificate, Mending::Cut, threads, keep_going)?;
    Ok(proof.certificate.tokens)
}

fn check_from(
    enclosure: &Enclosure,
    root: ProofPart,
    certificate: &Certificate,
    mending: Mending,
    threads: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Proof, Refusal> {
    let leaves = leaves(enclosure, root, certificate)?;
    let next = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let going = || !over.load(Ordering::Relaxed) && keep_going();
    let failed: Mutex<Option<Refusal>> = Mutex::default();
    let mended: Mutex<Vec<(usize, Vec<Token>)>> = Mutex::default();
    let work = || {
        let mut judge = LeafJudge::new(enclosure);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(leaf) = leaves.get(index) else { return };
            match judge.leaf(leaf, mending, &going) {
                Ok(None) => {}
                Ok(Some(tokens)) => lock(&mended).push((leaf.token, tokens)),
                Err(refusal) => {
                    over.store(true, Ordering::Relaxed);
                    let mut failed = lock(&failed);
                    // What ended the others is of interest, not that they were ended.
                    if failed.is_none() || *failed == Some(Refusal::Ended) {
                        *failed = Some(refusal);
                    }
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        let others = threads.clamp(1, leaves.len().max(1)) - 1;
        (0..others).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    if let Some(refusal) = lock(&failed).take() {
        return Err(refusal);
    }
    let mended = mended.into_inner().unwrap_or_else(PoisonError::into_inner);
    let certificate = spliced(certificate, mended);
    let is_leaf = |token: &&Token| matches!(token, Token::Leaf { .. });
    let ground = match leaves.iter().all(|leaf| leaf.part.ranges.is_none()) {
        true => Ground::NoInputs,
        false => Ground::Bounds(certificate.tokens.iter().filter(is_leaf).count()),
    };
    Ok(Proof { ground, certificate })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The certificate with what stands for mended leaves in their places.
fn spliced(certificate: &Certificate, mut mended: Vec<(usize, Vec<Token>)>) -> Certificate {
    mended.sort_by_key(|&(token, _)| token);
    let mut mended = mended.into_iter().peekable();
    let mut tokens = Vec::with_capacity(certificate.tokens.len());
    for (number, token) in certificate.tokens.iter().enumerate() {
        match mended.next_if(|&(at, _)| at == number) {
            Some((_, instead)) => tokens.extend(instead),
            None => tokens.push(token.clone()),
        }
    }
    Certificate { tokens }
}

/// Walks the tree and collects its leaves; whatever a part is cut into covers it.
fn leaves(enclosure: &Enclosure, root: ProofPart, certificate: &Certificate) -> Result<Vec<Leaf>, Refusal> {
    let mut open = vec![root];
    let mut leaves = Vec::new();
    for (number, token) in certificate.tokens.iter().enumerate() {
        let refuse = |what: &str| Refusal::Shape { token: number + 1, what: what.into() };
        let part = open.pop().ok_or_else(|| refuse("the tree was complete before it"))?;
        match token {
            Token::Leaf { slopes, weights } => {
                let multipliers = LeafMultipliers { slopes: slopes.clone(), weights: weights.clone() };
                if part.settled.is_none() {
                    check_multipliers(enclosure, &multipliers).map_err(refuse)?;
                }
                leaves.push(Leaf { token: number, part, multipliers });
            }
            Token::Cut { input, at } => {
                let [low, high] = part.cut(*input as usize, *at).map_err(refuse)?;
                open.extend([high, low]);
            }
            Token::Gap { input, at } => {
                let [low, high] = part.gap(enclosure, *input as usize, *at).map_err(refuse)?;
                open.extend([high, low]);
            }
            Token::Values { network, value, at, low, count } => {
                let place = NumberPlace { network: *network, value: value.clone(), at: *at };
                let values = part.values(enclosure, place, *low, *count).map_err(refuse)?;
                open.extend(values.into_iter().rev());
            }
            Token::Settled => open.push(part.settle().map_err(refuse)?),
            Token::Phase { neuron } => {
                if part.settled.is_none() && !enclosure.is_neuron(*neuron) {
                    return Err(refuse("there is no rectifier with this pre-activation"));
                }
                open.extend([false, true].map(|active| part.decide(*neuron, active)));
            }
            Token::Cases { or, count } => {
                let cases = part.cases(enclosure, *or, *count).map_err(refuse)?;
                open.extend(cases.into_iter().rev());
            }
        }
    }
    match open.len() {
        0 => Ok(leaves),
        missing => Err(Refusal::Shape {
            token: certificate.tokens.len() + 1,
            what: format!("the tree ends here, {missing} parts are missing"),
        }),
    }
}

fn check_multipliers(
    enclosure: &Enclosure,
    LeafMultipliers { slopes, weights }: &LeafMultipliers,
) -> Result<(), &'static str> {
    if !slopes.iter().all(|&(neuron, share)| enclosure.is_neuron(neuron) && (0.0..=1.0).contains(&share)) {
        return Err("a slope belongs to no rectifier, or is none between its own two");
    }
    if !weights
        .iter()
        .all(|&(neuron, weight)| enclosure.is_neuron(neuron) && weight >= 0.0 && weight.is_finite())
    {
        return Err("a weight belongs to no rectifier, or is negative");
    }
    // The rounding of a sweep counts one for each.
    let mut named = std::collections::HashSet::with_capacity(weights.len());
    if !weights.iter().all(|&(neuron, _)| named.insert(neuron)) {
        return Err("a rectifier has two weights");
    }
    Ok(())
}

/// Values of a whole number that a part is taken apart by, at most.
const MOST_VALUES: u32 = 1 << 16;

impl ProofPart {
    /// A part with nothing decided.
    fn new(ranges: Option<Arc<Vec<Interval>>>, choices: Choices) -> Self {
        let (phases, assumed) = Default::default();
        Self { ranges, phases, choices: Arc::new(choices), assumed, settled: None }
    }

    /// The halves below and above a number, which belongs to both.
    fn cut(&self, input: usize, at: f64) -> Result<[Self; 2], &'static str> {
        let Some(ranges) = &self.ranges else { return Ok([self.clone(), self.clone()]) };
        let range = ranges.get(input).ok_or("there is no such input")?;
        if !(range.low <= at && at <= range.high) {
            return Err("it is cut outside of the part");
        }
        let half = |low: f64, high: f64| {
            let mut ranges = Vec::clone(ranges);
            ranges[input] = Interval { low, high };
            Self { ranges: Some(Arc::new(ranges)), ..self.clone() }
        };
        Ok([half(range.low, at), half(at, range.high)])
    }

    /// The parts up to a number and from the next one of the input's type on.
    fn gap(&self, enclosure: &Enclosure, input: usize, at: f64) -> Result<[Self; 2], &'static str> {
        let Some(ranges) = &self.ranges else { return Ok([self.clone(), self.clone()]) };
        let range = ranges.get(input).ok_or("there is no such input")?;
        let next = enclosure.inputs[input]
            .after(at)
            .ok_or("it is cut behind what is no number of the input's type")?;
        if !(range.low <= at && next <= range.high) {
            return Err("it is cut outside of the part");
        }
        let half = |low: f64, high: f64| {
            let mut ranges = Vec::clone(ranges);
            ranges[input] = Interval { low, high };
            Self { ranges: Some(Arc::new(ranges)), ..self.clone() }
        };
        Ok([half(range.low, at), half(next, range.high)])
    }

    /// A part for each value that the bounds of a whole number admit.
    fn values(
        &self,
        enclosure: &Enclosure,
        place: NumberPlace,
        low: i64,
        count: u32,
    ) -> Result<Vec<Self>, &'static str> {
        if count > MOST_VALUES {
            return Err("these are more values than a part is taken apart by");
        }
        let Some(ranges) = &self.ranges else { return Ok(vec![self.clone(); count as usize]) };
        if self.settled.is_some() {
            return Err("the networks are settled above it");
        }
        let range = enclosure.whole_number(ranges, &self.assumed, &place);
        let (least, most) = range.ok_or("there is no such whole number, or it has no bounds")?;
        if low != least || i64::from(count) != most - least + 1 {
            return Err("these are not the values that the number may have");
        }
        let case = |value: i64| {
            let mut assumed = Assumed::clone(&self.assumed);
            assumed.insert(place.clone(), value);
            Self { assumed: Arc::new(assumed), ..self.clone() }
        };
        Ok((least..=most).map(case).collect())
    }

    /// The part with networks of its own.
    fn settle(&self) -> Result<Self, &'static str> {
        if self.settled.is_some() || !self.phases.is_empty() {
            return Err("the networks are settled above it, or neurons of others are decided");
        }
        let own = |ranges: &Arc<Vec<Interval>>| {
            Arc::new(SettledPart { ranges: Arc::clone(ranges), assumed: Arc::clone(&self.assumed) })
        };
        Ok(Self { settled: self.ranges.as_ref().map(own), ..self.clone() })
    }

    fn decide(&self, number: u32, active: bool) -> Self {
        let mut phases = self.phases.clone();
        phases.push(Decided { number, active });
        Self { phases, ..self.clone() }
    }

    /// A part for each operand of an `or`, within the bounds that the operand itself asserts.
    fn cases(&self, enclosure: &Enclosure, or: u32, count: u32) -> Result<Vec<Self>, &'static str> {
        let operands = super::formula::undecided(&enclosure.query, &self.choices);
        if !operands.contains(&(or, count)) {
            return Err(
                "there is no such `or`, it has another number of operands, or it was chosen from before",
            );
        }
        let case = |operand: u32| {
            let mut choices = Choices::clone(&self.choices);
            choices.insert(or, operand);
            let meet = |old: &Arc<Vec<Interval>>| -> Option<Arc<Vec<Interval>>> {
                let own = enclosure.domain(&choices)?;
                let both: Option<Vec<_>> = old.iter().zip(own).map(|(a, b)| a.meet(b)).collect();
                both.map(Arc::new)
            };
            let ranges = self.ranges.as_ref().and_then(meet);
            Self { ranges, choices: Arc::new(choices), ..self.clone() }
        };
        Ok((0..count).map(case).collect())
    }
}

/// Looks at leaves one after the other.
struct LeafJudge<'e> {
    enclosure: &'e Enclosure,
    desk: Desk,
    /// The part with networks of its own that was looked at last.
    own: Option<Own>,
}

/// A part's own networks.
struct Own {
    part: Arc<SettledPart>,
    /// `None` where they have no enclosure.
    networks: Option<(Enclosure, Desk)>,
    /// Whether no computation is in the part: a number cannot be what is assumed.
    is_nothing: bool,
}

impl Own {
    fn new(root: &Enclosure, part: &Arc<SettledPart>) -> Self {
        let networks = Enclosure::within(&root.query, &root.models, &part.ranges, &part.assumed);
        let is_nothing = networks.as_ref().is_err_and(|open| open.is_nothing());
        let networks = networks.ok().map(|(enclosure, _)| {
            let desk = Desk::new(&enclosure);
            (enclosure, desk)
        });
        Self { part: Arc::clone(part), networks, is_nothing }
    }
}

/// Bounds of one tape.
struct Desk {
    worker: Worker,
    /// The box whose bounds were tightened last.
    base: Option<(Arc<Vec<Interval>>, Worker)>,
}

impl<'e> LeafJudge<'e> {
    fn new(enclosure: &'e Enclosure) -> Self {
        Self { enclosure, desk: Desk::new(enclosure), own: None }
    }

    /// Whether a leaf holds: `None` as it stands, tokens where it was mended.
    fn leaf(
        &mut self,
        leaf: &Leaf,
        mending: Mending,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Token>>, Refusal> {
        let Some(part) = &leaf.part.settled else {
            return self.desk.leaf(self.enclosure, leaf, mending, keep_going);
        };
        if self.own.as_ref().is_none_or(|own| !Arc::ptr_eq(&own.part, part)) {
            self.own = Some(Own::new(self.enclosure, part));
        }
        if self.own.as_ref().is_some_and(|own| own.is_nothing) {
            return Ok(None);
        }
        let own = self.own.as_mut().and_then(|own| own.networks.as_mut());
        let (enclosure, desk) = own.ok_or(Refusal::Open { token: leaf.token + 1 })?;
        let refuse = |what: &str| Refusal::Shape { token: leaf.token + 1, what: what.into() };
        check_multipliers(enclosure, &leaf.multipliers).map_err(refuse)?;
        if !leaf.part.phases.iter().all(|phase| enclosure.is_neuron(phase.number)) {
            return Err(refuse("a phase above it is that of no rectifier of the part's networks"));
        }
        desk.leaf(enclosure, leaf, mending, keep_going)
    }
}

impl Desk {
    fn new(enclosure: &Enclosure) -> Self {
        Self { worker: Worker::new(enclosure), base: None }
    }

    /// Whether a leaf holds: `None` as it stands, tokens where it was mended.
    fn leaf(
        &mut self,
        enclosure: &Enclosure,
        leaf: &Leaf,
        mending: Mending,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Token>>, Refusal> {
        if self.holds(enclosure, &leaf.part, &leaf.multipliers, keep_going)? {
            return Ok(None);
        }
        let open = Refusal::Open { token: leaf.token + 1 };
        if mending == Mending::Refuse {
            return Err(open);
        }
        let mut tokens = Vec::new();
        let mut waiting = vec![leaf.part.clone()];
        let mut cuts = 0;
        while let Some(part) = waiting.pop() {
            if self.holds(enclosure, &part, &leaf.multipliers, keep_going)? {
                let LeafMultipliers { slopes, weights } = leaf.multipliers.clone();
                tokens.push(Token::Leaf { slopes, weights });
                continue;
            }
            let widest = part.widest().filter(|_| cuts < MOST_CUTS).ok_or_else(|| open.clone())?;
            let (input, at) = widest;
            let [low, high] = part.cut(input, at).map_err(|_| open.clone())?;
            cuts += 1;
            tokens.push(Token::Cut { input: input as u32, at });
            waiting.extend([high, low]);
        }
        Ok(Some(tokens))
    }

    /// Whether the query is false everywhere in a part.
    fn holds(
        &mut self,
        enclosure: &Enclosure,
        part: &ProofPart,
        multipliers: &LeafMultipliers,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<bool, Refusal> {
        let Some(ranges) = &part.ranges else { return Ok(true) };
        if !keep_going() {
            return Err(Refusal::Ended);
        }
        let plain = part.phases.is_empty() && multipliers.slopes.is_empty();
        if plain {
            self.worker.enclose(enclosure, ranges);
            if self.worker.truth(enclosure, &part.choices, Aim::Refute, &[]) == Truth::False {
                return Ok(true);
            }
        }
        let known = self.base.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, ranges) || of == ranges);
        if !known {
            let mut worker = std::mem::replace(&mut self.worker, Worker::new(enclosure));
            if !worker.tighten(enclosure, ranges, keep_going) {
                return Err(Refusal::Ended);
            }
            self.base = Some((Arc::clone(ranges), worker));
        }
        let Some((_, base)) = &self.base else { return Ok(false) };
        self.worker.take_bounds(base);
        if !self.worker.decide(enclosure, &part.phases, multipliers) {
            return Ok(true);
        }
        let pushes = self.worker.pushes(multipliers);
        Ok(self.worker.truth(enclosure, &part.choices, Aim::Refute, &pushes) == Truth::False)
    }
}

impl ProofPart {
    /// The widest input, and its middle.
    fn widest(&self) -> Option<(usize, f64)> {
        let ranges = self.ranges.as_ref()?;
        let width = |i: usize| ranges[i].high - ranges[i].low;
        let input = (0..ranges.len()).max_by(|&a, &b| width(a).total_cmp(&width(b)))?;
        let at = 0.5 * ranges[input].low + 0.5 * ranges[input].high;
        (ranges[input].low < at && at < ranges[input].high).then_some((input, at))
    }
}
