//! Several layers changed at once, by values proposed where the network is cut.
//!
//! After Refaeli and Katz, "Minimal Multi-Layer Modifications of Deep Neural Networks" (2021). The network is cut in
//! front of each changed layer but the first. If the values there are given, each part is a network of its own with
//! one changed layer: the first part has to produce the values, the next one starts from them. A proposal of values
//! makes one query for each part; the cheapest total is kept until the time is up. Sound, and not complete.
//!
//! Theirs proposes values on a grid. Here a proposal is what the first part produces under some change of its layer,
//! so that it can always be produced: parts of the change that would repair the network alone, such parts shaken,
//! and the best proposal shaken. The parts behind are searched in the same way, one cut fewer.

use super::{Repair, RepairOutcome, RepairSettings};
use crate::budget::{Budget, StopReason};
use crate::lp::LpError;
use crate::network::op::UnaryFunction;
use crate::patching::encode::Strictness;
use crate::patching::search::{self, Single};
use crate::patching::walk::SettingWalker;
use crate::patching::{Change, ChangeNorm, ChangeRules, Demand, Goal, Layer, Patch, PatchQuery, fewest};
use crate::random::Random;
use std::time::Duration;

/// Parts of the change that repairs alone, tried first.
const PARTS: [f64; 5] = [0.5, 0.25, 0.75, 0.1, 0.9];

/// Layers, those of them that are to change, and what the first of these is multiplied with.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerChain<'a> {
    pub(super) layers: &'a [Layer<'a>],
    /// Ascending, at least one.
    pub(super) changed: &'a [usize],
    pub(super) sources: &'a [Vec<f64>],
    pub(super) demands: &'a [Demand],
    pub(super) settings: &'a RepairSettings,
}

/// Looks for the smallest change of all the layers together.
pub(super) fn repair(
    chain: &LayerChain<'_>,
    random: &mut Random,
    budget: &Budget,
) -> Result<RepairOutcome, LpError> {
    let [first, rest @ ..] = chain.changed else { return Ok(RepairOutcome::NotFound(StopReason::Exhausted)) };
    if rest.is_empty() {
        return chain.single(random, budget);
    }
    let slice = |budget: &Budget, part: u32| {
        budget.slice(budget.remaining().map_or(Duration::MAX, |left| left / part))
    };
    // The ends of the scale: the first layer alone, and the others without it.
    let alone = LayerChain { changed: &[*first], ..*chain }.single(random, &slice(budget, 4))?;
    let unchanged = chain.produced(&[]);
    let without = LayerChain { changed: rest, sources: &unchanged, ..*chain };
    let mut best = match repair(&without, random, &slice(budget, 4))? {
        RepairOutcome::Repaired(repair) => Some(repair.patches),
        RepairOutcome::Impossible | RepairOutcome::NotFound(_) => None,
    };
    let guide = match alone {
        RepairOutcome::Repaired(repair) => repair.patches.into_iter().next(),
        RepairOutcome::Impossible | RepairOutcome::NotFound(_) => None,
    };
    if let Some(guide) = &guide
        && chain.is_better(std::slice::from_ref(guide), best.as_deref())
    {
        best = Some(vec![guide.clone()]);
    }
    let stop = chain.propose(guide.as_ref(), &mut best, random, budget)?;
    let repaired = |patches: Vec<Patch>| {
        let optimal = patches.iter().all(|patch| patch.changes.is_empty());
        RepairOutcome::Repaired(Repair { patches, optimal })
    };
    Ok(best.map_or(RepairOutcome::NotFound(stop), repaired))
}

impl LayerChain<'_> {
    fn first(&self) -> usize {
        self.changed[0]
    }

    /// The search for the first changed layer alone.
    fn single(&self, random: &mut Random, budget: &Budget) -> Result<RepairOutcome, LpError> {
        let RepairSettings { norm, margin, limit, patience, .. } = *self.settings;
        let layers = &self.layers[self.first()..];
        let goal = Goal::Demands(self.demands, margin);
        let query =
            PatchQuery { layers, sources: self.sources, goal, norm, limit, rules: ChangeRules::default() };
        let found = match norm {
            ChangeNorm::Fewest => fewest::fewest(&query, patience, random, budget)?,
            ChangeNorm::Total | ChangeNorm::Largest => match query.encode() {
                Ok(encoded) => search::smallest(&query, &encoded, patience, random, budget)?,
                Err(_) => Single::NotFound(StopReason::Exhausted),
            },
        };
        Ok(match found {
            Single::Found(best) => {
                let patch = Patch { layer: self.first(), changes: best.changes };
                RepairOutcome::Repaired(Repair { patches: vec![patch], optimal: best.optimal })
            }
            Single::Impossible => RepairOutcome::Impossible,
            Single::NotFound(stop) => RepairOutcome::NotFound(stop),
        })
    }

    /// What the second changed layer is multiplied with, for each point, under changes of the first.
    fn produced(&self, changes: &[Change]) -> Vec<Vec<f64>> {
        let [first, second, ..] = *self.changed else { return Vec::new() };
        let part = self.part(&[]);
        let next = &self.layers[second];
        let values = part.sums(changes).into_iter().map(|sums| {
            let sums = sums.last().map_or(&[][..], Vec::as_slice);
            next.shifted(self.layers[first + part.layers.len() - 1].values(sums))
        });
        values.collect()
    }

    /// The query of the part in front of the second changed layer, for these ranges of its sums.
    fn part<'q>(&'q self, ranges: &'q [Vec<(f64, f64)>]) -> PatchQuery<'q> {
        let end = self.changed.get(1).copied().unwrap_or(self.layers.len());
        PatchQuery {
            layers: &self.layers[self.first()..end],
            sources: self.sources,
            goal: Goal::Sums(ranges, Strictness::Strict),
            norm: self.settings.norm,
            limit: self.settings.limit,
            rules: ChangeRules::default(),
        }
    }

    fn is_better(&self, patches: &[Patch], best: Option<&[Patch]>) -> bool {
        let norm = self.settings.norm;
        best.is_none_or(|best| norm.of(patches) < norm.of(best) * (1.0 - 1e-9))
    }

    /// Tries proposals until the time is up or many in a row were in vain.
    fn propose(
        &self,
        guide: Option<&Patch>,
        best: &mut Option<Vec<Patch>>,
        random: &mut Random,
        budget: &Budget,
    ) -> Result<StopReason, LpError> {
        let mut idle = 0;
        for round in 0usize.. {
            if idle >= self.settings.patience {
                break;
            }
            if let Err(stop) = budget.check() {
                return Ok(stop);
            }
            let changes = self.proposal(round, guide, best.as_deref(), random);
            let bar = best.as_ref().map_or(f64::INFINITY, |best| self.settings.norm.of(best));
            idle += 1;
            if let Some(patches) = self.evaluate(&changes, bar, random, budget)?
                && self.is_better(&patches, best.as_deref())
            {
                *best = Some(patches);
                idle = 0;
            }
        }
        Ok(StopReason::Exhausted)
    }

    /// A change of the first layer whose values are proposed.
    fn proposal(
        &self,
        round: usize,
        guide: Option<&Patch>,
        best: Option<&[Patch]>,
        random: &mut Random,
    ) -> Vec<Change> {
        let own = best.and_then(|best| best.iter().find(|patch| patch.layer == self.first()));
        let base = if round.is_multiple_of(2) { own.or(guide) } else { guide.or(own) };
        let changes = base.map_or(&[][..], |patch| &patch.changes);
        if let (Some(part), Some(guide)) = (PARTS.get(round), guide) {
            return guide.changes.iter().map(|change| Change { by: part * change.by, ..*change }).collect();
        }
        let scale = random.between(0.2, 1.2);
        let mut shaken = changes.to_vec();
        for change in &mut shaken {
            // Each by itself up or down, now and then none of it.
            change.by *= if random.unit() < 0.2 { 0.0 } else { scale * random.between(0.6, 1.4) };
        }
        let layer = &self.layers[self.first()];
        let size = changes.iter().map(|change| change.by.abs()).fold(0.0, f64::max);
        for _ in 0..random.below(3) {
            let at = random.below(layer.weights.len());
            let by = 0.3 * random.normal() * if size > 0.0 { size } else { 0.1 };
            let (target, source) = (at / layer.inputs, at % layer.inputs);
            match shaken.iter_mut().find(|change| (change.target, change.source) == (target, source)) {
                Some(change) => change.by += by,
                None => shaken.push(Change { target, source, by }),
            }
        }
        shaken.retain(|change| change.by != 0.0);
        shaken
    }

    /// The cheapest patches for the values that these changes produce; `None` if they cost `bar` or more, or the
    /// parts behind find none.
    fn evaluate(
        &self,
        changes: &[Change],
        bar: f64,
        random: &mut Random,
        budget: &Budget,
    ) -> Result<Option<Vec<Patch>>, LpError> {
        let norm = self.settings.norm;
        let own = self.cheapest(changes, budget)?;
        let patch = Patch { layer: self.first(), changes: own };
        if norm.of(std::slice::from_ref(&patch)) >= bar {
            return Ok(None);
        }
        let sources = self.produced(&patch.changes);
        let settings = RepairSettings { patience: 2, ..self.settings.clone() };
        let behind =
            LayerChain { changed: &self.changed[1..], sources: &sources, settings: &settings, ..*self };
        let slice = budget.remaining().map_or(Duration::MAX, |left| left / 8);
        let RepairOutcome::Repaired(rest) = repair(&behind, random, &budget.slice(slice))? else {
            return Ok(None);
        };
        let mut patches = vec![patch];
        patches.extend(rest.patches);
        patches.retain(|patch| !patch.changes.is_empty());
        Ok(Some(patches))
    }

    /// The cheapest change of the first layer that produces the same values as the given one, in its phases.
    fn cheapest(&self, changes: &[Change], budget: &Budget) -> Result<Vec<Change>, LpError> {
        let end = self.changed.get(1).copied().unwrap_or(self.layers.len());
        let last = &self.layers[end - 1];
        let probe = self.part(&[]).sums(changes);
        // The same values behind the activation: a ReLU makes the same of all that is not positive.
        let range = |&z: &f64| match last.activation {
            Some(UnaryFunction::Relu) if z <= 0.0 => (f64::NEG_INFINITY, 0.0),
            _ => (z, z),
        };
        let of_point =
            |sums: &Vec<Vec<f64>>| sums.last().map_or(Vec::new(), |sums| sums.iter().map(range).collect());
        let ranges: Vec<Vec<(f64, f64)>> = probe.iter().map(of_point).collect();
        let query = self.part(&ranges);
        let Ok(encoded) = query.encode() else { return Ok(changes.to_vec()) };
        let found = SettingWalker::new(&encoded)?.walk(&query.setting(changes), false, budget)?;
        let cheaper = match found {
            Ok(Some(landing)) => encoded.changes(&landing.solution.values),
            Ok(None) | Err(_) => changes.to_vec(),
        };
        let patch = |changes: &[Change]| Patch { layer: self.first(), changes: changes.to_vec() };
        let (a, b) = (patch(&cheaper), patch(changes));
        Ok(if self.settings.norm.of(&[a]) <= self.settings.norm.of(&[b]) {
            cheaper
        } else {
            changes.to_vec()
        })
    }
}
