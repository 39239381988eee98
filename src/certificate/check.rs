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

use super::directed::Interval;
use super::enclosure::Enclosure;
use super::formula::{Choices, Truth};
use super::tokens::{Certificate, Token};
use super::worker::{Aim, Decided, Multipliers, Worker};

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
struct Part {
    /// `None` where bounds of inputs contradict each other: there is no point.
    ranges: Option<Arc<Vec<Interval>>>,
    phases: Vec<Decided>,
    choices: Arc<Choices>,
}

/// A leaf with its part.
#[derive(Debug)]
struct Leaf {
    token: usize,
    part: Part,
    multipliers: Multipliers,
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
    let leaves = leaves(enclosure, certificate)?;
    let next = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let going = || !over.load(Ordering::Relaxed) && keep_going();
    let failed: Mutex<Option<Refusal>> = Mutex::default();
    let mended: Mutex<Vec<(usize, Vec<Token>)>> = Mutex::default();
    let work = || {
        let mut judge = Judge::new(enclosure);
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
fn leaves(enclosure: &Enclosure, certificate: &Certificate) -> Result<Vec<Leaf>, Refusal> {
    let none = Choices::new();
    let root =
        Part { ranges: enclosure.domain(&none).map(Arc::new), phases: Vec::new(), choices: Arc::new(none) };
    let mut open = vec![root];
    let mut leaves = Vec::new();
    for (number, token) in certificate.tokens.iter().enumerate() {
        let refuse = |what: &str| Refusal::Shape { token: number + 1, what: what.into() };
        let part = open.pop().ok_or_else(|| refuse("the tree was complete before it"))?;
        match token {
            Token::Leaf { slopes, weights } => {
                let multipliers = multipliers(enclosure, slopes, weights).map_err(refuse)?;
                leaves.push(Leaf { token: number, part, multipliers });
            }
            Token::Cut { input, at } => {
                let [low, high] = part.cut(*input as usize, *at).map_err(refuse)?;
                open.extend([high, low]);
            }
            Token::Phase { neuron } => {
                if !enclosure.is_neuron(*neuron) {
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

fn multipliers(
    enclosure: &Enclosure,
    slopes: &[(u32, f32)],
    weights: &[(u32, f32)],
) -> Result<Multipliers, &'static str> {
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
    Ok(Multipliers { slopes: slopes.to_vec(), weights: weights.to_vec() })
}

impl Part {
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
            Self { ranges, phases: self.phases.clone(), choices: Arc::new(choices) }
        };
        Ok((0..count).map(case).collect())
    }
}

/// Looks at leaves one after the other.
struct Judge<'e> {
    enclosure: &'e Enclosure,
    worker: Worker,
    /// The box whose bounds were tightened last.
    base: Option<(Arc<Vec<Interval>>, Worker)>,
}

impl<'e> Judge<'e> {
    fn new(enclosure: &'e Enclosure) -> Self {
        Self { enclosure, worker: Worker::new(enclosure), base: None }
    }

    /// Whether a leaf holds: `None` as it stands, tokens where it was mended.
    fn leaf(
        &mut self,
        leaf: &Leaf,
        mending: Mending,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Token>>, Refusal> {
        if self.holds(&leaf.part, &leaf.multipliers, keep_going)? {
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
            if self.holds(&part, &leaf.multipliers, keep_going)? {
                let Multipliers { slopes, weights } = leaf.multipliers.clone();
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
        part: &Part,
        multipliers: &Multipliers,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<bool, Refusal> {
        let Some(ranges) = &part.ranges else { return Ok(true) };
        if !keep_going() {
            return Err(Refusal::Ended);
        }
        let plain = part.phases.is_empty() && multipliers.slopes.is_empty();
        if plain {
            self.worker.enclose(self.enclosure, ranges);
            if self.worker.truth(self.enclosure, &part.choices, Aim::Refute, &[]) == Truth::False {
                return Ok(true);
            }
        }
        let known = self.base.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, ranges) || of == ranges);
        if !known {
            let mut worker = std::mem::replace(&mut self.worker, Worker::new(self.enclosure));
            if !worker.tighten(self.enclosure, ranges, keep_going) {
                return Err(Refusal::Ended);
            }
            self.base = Some((Arc::clone(ranges), worker));
        }
        let Some((_, base)) = &self.base else { return Ok(false) };
        self.worker.take_bounds(base);
        if !self.worker.decide(self.enclosure, &part.phases, multipliers) {
            return Ok(true);
        }
        let pushes = self.worker.pushes(multipliers);
        Ok(self.worker.truth(self.enclosure, &part.choices, Aim::Refute, &pushes) == Truth::False)
    }
}

impl Part {
    /// The widest input, and its middle.
    fn widest(&self) -> Option<(usize, f64)> {
        let ranges = self.ranges.as_ref()?;
        let width = |i: usize| ranges[i].high - ranges[i].low;
        let input = (0..ranges.len()).max_by(|&a, &b| width(a).total_cmp(&width(b)))?;
        let at = 0.5 * ranges[input].low + 0.5 * ranges[input].high;
        (ranges[input].low < at && at < ranges[input].high).then_some((input, at))
    }
}
