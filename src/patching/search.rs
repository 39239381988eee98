//! The smallest change of one layer, anytime.
//!
//! 1. A walk from the phases that the network has. Without switches this is the answer.
//! 2. The mixed-integer program over the switches that are nearest to turning, more of them each time that it is
//!    proved to hold nothing better. When it holds all that can turn, the repair is proved the smallest.
//! 3. Rounds: a change found by projection, from nothing or from a part of the best repair, and a walk from its
//!    phases; after a better one, 2 again.

use super::encode::{Encoded, PatchQuery};
use super::exact::{self, Exact, SettingScope};
use super::switched::Setting;
use super::tune::Tuning;
use super::walk::{Landing, SettingWalker};
use super::{Change, Patch};
use crate::budget::{Budget, StopReason};
use crate::lp::LpError;
use crate::random::Random;
use std::time::Duration;

/// Switches that the first mixed-integer program leaves free.
const FEW: usize = 12;
/// Which part of the time that is left the first walk and each branch and bound may take.
const SHARE: u32 = 4;
/// Which part the walk from phases without a repair may take.
const WALK_SHARE: u32 = 8;
/// Which part of the rounds lets derivatives through dead neurons.
const LEAKY: f64 = 0.4;
/// What a change may cost where every other search has failed, tried in turn.
pub(super) const COSTS: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
/// A change must be this much smaller, relatively, to count as better.
pub(super) const GAIN: f64 = 1e-6;

/// The best change of a layer that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BestPatch {
    pub(crate) changes: Vec<Change>,
    pub(crate) objective: f64,
    pub(crate) setting: Setting,
    pub(crate) optimal: bool,
}

/// What one layer's search came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Single {
    Found(BestPatch),
    Impossible,
    NotFound(StopReason),
}

struct PatchSearch<'a> {
    query: &'a PatchQuery<'a>,
    encoded: &'a Encoded,
    walker: SettingWalker<'a>,
    best: Option<(BestPatch, Vec<f64>)>,
    stop: Option<StopReason>,
}

/// Looks for the smallest change of the query's first layer. The norm is a sum or a maximum.
pub(crate) fn smallest(
    query: &PatchQuery<'_>,
    encoded: &Encoded,
    patience: usize,
    random: &mut Random,
    budget: &Budget,
) -> Result<Single, LpError> {
    let walker = SettingWalker::new(encoded)?;
    let mut search = PatchSearch { query, encoded, walker, best: None, stop: None };
    let own = query.setting(&[]);
    let settled = encoded.switched.switches.is_empty();
    // A large program may take all the time, and a projection finds a repair in milliseconds.
    let slice = if settled { budget.clone() } else { budget.slice(part(budget, SHARE)) };
    search.walk(&own, false, &slice)?;
    if settled {
        return Ok(match (search.best, search.stop) {
            (Some((best, _)), _) => Single::Found(BestPatch { optimal: true, ..best }),
            (None, Some(stop)) => Single::NotFound(stop),
            (None, None) => Single::Impossible,
        });
    }
    if search.best.is_none() {
        // Where it gets nowhere, a projection is the better start.
        search.walk(&own, true, &budget.slice(part(budget, WALK_SHARE)))?;
    }
    search.stop = None;
    search.polish(budget)?;
    search.rounds(patience, random, budget)?;
    if search.best.is_none() && search.is_impossible(budget)? {
        return Ok(Single::Impossible);
    }
    Ok(match search.best {
        Some((best, _)) => Single::Found(best),
        None => Single::NotFound(search.stop.unwrap_or(StopReason::Exhausted)),
    })
}

impl PatchSearch<'_> {
    /// Walks from a setting; whether that gave a better repair.
    fn walk(&mut self, setting: &[usize], slack: bool, budget: &Budget) -> Result<bool, LpError> {
        match self.walker.walk(setting, slack, budget)? {
            Ok(Some(landing)) => Ok(self.keep(landing)),
            Ok(None) => Ok(false),
            Err(stop) => {
                self.stop = Some(stop);
                Ok(false)
            }
        }
    }

    /// Keeps a change that no program has made smaller yet.
    fn keep_changes(&mut self, changes: Vec<Change>, setting: Setting) {
        let patch = Patch { layer: 0, changes };
        let objective = self.query.norm.of(std::slice::from_ref(&patch));
        self.best =
            Some((BestPatch { changes: patch.changes, objective, setting, optimal: false }, Vec::new()));
    }

    fn keep(&mut self, Landing { setting, solution }: Landing) -> bool {
        let better = self.best.as_ref().is_none_or(|(best, _)| {
            solution.objective < best.objective - GAIN * best.objective.abs().max(1e-6)
        });
        if better {
            let changes = self.encoded.changes(&solution.values);
            let best = BestPatch {
                changes,
                objective: solution.objective,
                setting,
                optimal: solution.objective <= 0.0,
            };
            self.best = Some((best, solution.values));
        }
        better
    }

    fn is_settled(&self) -> bool {
        self.stop.is_some() || self.best.as_ref().is_some_and(|(best, _)| best.optimal)
    }

    fn rounds(&mut self, patience: usize, random: &mut Random, budget: &Budget) -> Result<(), LpError> {
        let mut idle = 0;
        for round in 0.. {
            if self.is_settled() || idle >= patience {
                break;
            }
            if let Err(stop) = budget.check() {
                self.stop = Some(stop);
                break;
            }
            let (start, tuning) = self.start(round, random);
            let better = match self.query.tuned(&start, tuning) {
                Some(changes) => {
                    let setting = self.query.setting(&changes);
                    let is_first = self.best.is_none();
                    if is_first {
                        // The walk may not end in time; the change itself is a repair already.
                        self.keep_changes(changes, setting.clone());
                    }
                    self.walk(&setting, false, budget)? || is_first
                }
                None => false,
            };
            idle = if better { 0 } else { idle + 1 };
            if better {
                self.polish(budget)?;
            }
        }
        Ok(())
    }

    /// Where a round begins: the first ones at nothing, with more weights moving each time; then every other one at
    /// a part of the best repair, shaken.
    fn start(&self, round: usize, random: &mut Random) -> (Vec<Change>, Tuning) {
        let all = self.query.width() * self.query.layers[0].outputs();
        let doublings = (usize::BITS - all.leading_zeros()) as usize;
        if round <= doublings {
            // The largest support first: it succeeds most often.
            return (
                Vec::new(),
                Tuning { support: (1 << (doublings - round)).min(all), pace: 1.0, leak: 0.0 },
            );
        }
        let leak = if random.unit() < LEAKY { random.between(0.05, 0.5) } else { 0.0 };
        let tuning =
            Tuning { support: 1 << random.below(doublings + 1), pace: random.between(0.3, 1.5), leak };
        let scale = random.between(0.0, 1.1);
        let kept = self.best.iter().filter(|_| round.is_multiple_of(2)).flat_map(|(best, _)| &best.changes);
        let mut start: Vec<Change> = kept.map(|change| Change { by: scale * change.by, ..*change }).collect();
        let size = self
            .best
            .as_ref()
            .map_or(0.1, |(best, _)| best.changes.iter().map(|change| change.by.abs()).fold(0.0, f64::max));
        let inputs = self.query.width();
        for _ in 0..random.below(8) {
            let at = random.below(all);
            let by = 0.3 * size * random.normal();
            start.push(Change { target: at / inputs, source: at % inputs, by });
        }
        (start, tuning)
    }

    /// Mixed-integer programs round the best repair, larger and larger.
    fn polish(&mut self, budget: &Budget) -> Result<(), LpError> {
        let mut size = FEW;
        while let Some((best, values)) = self.best.as_ref().filter(|_| !self.is_settled()) {
            let bounds = self.query.switch_bounds(best.objective);
            let movable: Vec<usize> =
                (0..bounds.len()).filter(|&i| bounds[i].iter().all(|&bound| bound > 0.0)).collect();
            let whole = movable.len() <= size;
            let free = nearest(self.encoded, values, movable, size);
            let (cutoff, free) = (best.objective * (1.0 - GAIN), (!whole).then_some(free.as_slice()));
            let scope = SettingScope {
                bounds: &bounds,
                free,
                setting: &best.setting,
                cutoff,
                gain: GAIN,
                most: usize::MAX,
            };
            let slice = budget.slice(part(budget, SHARE));
            let (found, _) = exact::search(self.encoded, &scope, &slice)?;
            let proved = matches!(found, Exact::Proved(_));
            let (Exact::Proved(setting) | Exact::Open(setting)) = found;
            let better = match setting {
                Some(setting) => self.walk(&setting, false, budget)?,
                None => false,
            };
            match (proved, better) {
                (true, _) if whole => self.prove(),
                (true, false) => size *= 2,
                (_, true) => {}
                (false, false) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Branch and bound over all settings, for repairs that may cost more and more; whether it is proved that there
    /// is none within the limit. It is the last resort: where a neuron is dead at a point, no derivative and no tight
    /// switch says that it should wake.
    fn is_impossible(&mut self, budget: &Budget) -> Result<bool, LpError> {
        let costs = COSTS.into_iter().chain(self.query.limit.is_finite().then_some(f64::INFINITY));
        for cost in costs {
            let bounds = self.query.switch_bounds(cost);
            let scope = SettingScope {
                bounds: &bounds,
                free: None,
                setting: &[],
                cutoff: cost,
                gain: GAIN,
                most: usize::MAX,
            };
            match exact::search(self.encoded, &scope, budget)?.0 {
                Exact::Proved(None) if cost.is_infinite() => return Ok(true),
                Exact::Proved(None) => {}
                Exact::Proved(Some(setting)) => {
                    // Nothing is left to be better.
                    self.walk(&setting, false, budget)?;
                    self.prove();
                    return Ok(false);
                }
                Exact::Open(Some(setting)) => {
                    self.walk(&setting, false, budget)?;
                    return Ok(false);
                }
                Exact::Open(None) => return Ok(false),
            }
        }
        Ok(false)
    }

    fn prove(&mut self) {
        if let Some((best, _)) = &mut self.best {
            best.optimal = true;
        }
    }
}

/// A part of the time that is left.
fn part(budget: &Budget, share: u32) -> Duration {
    budget.remaining().map_or(Duration::MAX, |left| left / share)
}

/// The switches whose non-zero columns are smallest: those that turn first.
fn nearest(encoded: &Encoded, values: &[f64], mut switches: Vec<usize>, count: usize) -> Vec<usize> {
    let distance = |&index: &usize| -> f64 {
        let columns = encoded.switched.switches[index].columns.iter();
        columns.map(|column| values.get(column.index()).copied().unwrap_or(0.0)).sum()
    };
    switches.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    switches.truncate(count);
    switches
}
