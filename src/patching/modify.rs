//! `modifyEdgeLayer`, quickly: a small change of one layer, by a counted number of linear programs.
//!
//! With phases free it descends over them (`walk`) from those that the network has. Where these hold no answer, it
//! starts at a change found by projection (`tune`), and last from the network's phases by way of points that miss the
//! goal. A branch and bound over all phases may follow, of so many programs as are wanted: it finds what the descent
//! missed, or proves that there is nothing.
//!
//! Where an activation is smooth, tangents (`tangent.rs`) take the place of phases.
//!
//! At a single point only the sums matter. The cheapest way to move a sum is its edge from the largest source, and
//! with all edges moving alike the smallest largest change; so the layer is replaced by one edge a neuron, and the
//! programs are as small as what stands behind the layer. A limit α needs all edges.

use super::encode::Encoded;
use super::exact::{self, Exact, SettingScope};
use super::fewest;
use super::layer::{Layer, source_of};
use super::phases::PhaseFreedom;
use super::search::{BestPatch, COSTS, GAIN};
use super::switched::Setting;
use super::tangent;
use super::tune::Tuning;
use super::walk::{Landing, SettingWalker};
use super::{Change, ChangeNorm, Obstacle, Patch, PatchQuery, optimum};
use crate::budget::{Budget, StopReason};

/// Entries times simplex iterations of one program without an end in sight.
const MOST_WORK: usize = 200_000_000;
/// Projections tried in turn: the part of all edges that may move, and the slope that wakes dead neurons.
const PROJECTIONS: [(f64, f64); 5] = [(1.0, 0.0), (0.25, 0.0), (1.0, 0.1), (0.25, 0.1), (1.0, 0.5)];

/// How much a search may do. Counted, never timed: one seed gives one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Linear programs of a descent over phases after its first. Default 12.
    pub programs: usize,
    /// Linear programs of the branch and bound over all phases. Default none.
    pub proof: usize,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchSpending {
    /// Programs solved.
    pub programs: u64,
    /// Their entries together.
    pub entries: usize,
}

/// A change that reaches the goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Modified {
    /// The change; its layer is the query's first.
    pub patch: Patch,
    /// Whether nothing smaller does (to six digits), under the rules.
    pub optimal: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Self { programs: 12, proof: 0 }
    }
}

/// A layer of one edge a neuron that moves its sums as cheaply as the real one.
struct Reduced {
    weights: Vec<f64>,
    sums: Vec<f64>,
    sources: [Vec<f64>; 1],
    /// The real edges that the one stands for, and the sign with which each moves.
    edges: Vec<(usize, f64)>,
}

impl Reduced {
    /// `None` where it would not be the same.
    fn of(query: &PatchQuery<'_>) -> Option<Self> {
        let ([sources], Some(layer)) = (query.sources, query.layers.first()) else { return None };
        let size = |i: usize| source_of(sources, i).abs();
        let all = || (0..query.width()).filter(|&i| size(i) > 0.0);
        let edge = |i: usize| (i, source_of(sources, i).signum());
        let edges: Vec<(usize, f64)> = match query.norm {
            ChangeNorm::Largest => all().map(edge).collect(),
            ChangeNorm::Total | ChangeNorm::Fewest if query.limit.is_infinite() => {
                all().max_by(|&a, &b| size(a).total_cmp(&size(b))).map(edge).into_iter().collect()
            }
            ChangeNorm::Total | ChangeNorm::Fewest => return None,
        };
        let effect = edges.iter().map(|&(i, _)| size(i)).sum();
        let (sums, weights) = (layer.sums(sources), vec![0.0; layer.outputs()]);
        Some(Self { weights, sums, sources: [vec![effect]], edges })
    }

    fn layer<'r>(&'r self, real: &Layer<'_>) -> Layer<'r> {
        let Self { weights, sums, .. } = self;
        Layer { inputs: 1, weights, bias: sums, shift: &[], activation: real.activation }
    }

    fn expanded(&self, changes: &[Change]) -> Vec<Change> {
        let all = changes.iter().flat_map(|&Change { target, by, .. }| {
            self.edges.iter().map(move |&(source, sign)| Change { target, source, by: sign * by })
        });
        all.collect()
    }
}

/// Looks for a small change of the query's first layer that reaches its goal, and adds what that took to `spent`.
///
/// # Errors
/// [`Obstacle`] where none was found; [`Obstacle::Infeasible`] is proved only where no phase is free.
pub fn modify(
    query: &PatchQuery<'_>,
    effort: Effort,
    budget: &Budget,
    spent: &mut PatchSpending,
) -> Result<Modified, Obstacle> {
    let Some(reduced) = Reduced::of(query) else { return search(query, effort, budget, spent) };
    let mut layers = query.layers.to_vec();
    layers[0] = reduced.layer(&query.layers[0]);
    let rules = super::ChangeRules { biases: false, ..query.rules };
    let small = PatchQuery { layers: &layers, sources: &reduced.sources, rules, ..*query };
    let mut found = search(&small, effort, budget, spent)?;
    found.patch.changes = reduced.expanded(&found.patch.changes);
    Ok(found)
}

fn search(
    query: &PatchQuery<'_>,
    effort: Effort,
    budget: &Budget,
    spent: &mut PatchSpending,
) -> Result<Modified, Obstacle> {
    let patch = |changes| Patch { layer: 0, changes };
    let is_smooth = query.rules.phases == PhaseFreedom::Free && query.has_smooth();
    if is_smooth || matches!(query.rules.phases, PhaseFreedom::Tangent(_)) {
        let changes = tangent::modify(query, budget, spent)?;
        return Ok(Modified { patch: patch(changes), optimal: false });
    }
    let encoded = query.encode()?;
    let program = &encoded.switched.program;
    if program.columns().is_empty() {
        return Ok(Modified { patch: patch(Vec::new()), optimal: true });
    }
    let entries: usize = program.rows().map(|row| row.columns.len()).sum();
    let mut count = |programs: usize| {
        spent.programs += programs as u64;
        spent.entries = spent.entries.saturating_add(programs.saturating_mul(entries));
    };
    if encoded.switched.switches.is_empty() && query.norm != ChangeNorm::Fewest {
        count(1);
        let solution = optimum(program, budget)?;
        return Ok(Modified { patch: patch(encoded.changes(&solution.values)), optimal: true });
    }
    let mut walker = SettingWalker::new(&encoded)?;
    walker.obey(budget)?;
    walker.limit_iterations((MOST_WORK / entries.max(1)).clamp(300, 100_000) as u32)?;
    walker.most = effort.programs;
    let landed = land(query, &mut walker, budget);
    let descended = walker.solved;
    let mut proof = PhaseProof { query, encoded: &encoded, walker, left: effort.proof };
    let mut best = match landed {
        Ok(Landing { setting, solution }) => {
            let changes = encoded.changes(&solution.values);
            BestPatch { changes, objective: solution.objective, setting, optimal: false }
        }
        Err(Obstacle::Infeasible) if effort.proof > 0 => proof.first(budget)?,
        Err(obstacle) => {
            count(descended);
            return Err(obstacle);
        }
    };
    if best.objective > 0.0 {
        proof.improve(&mut best, budget)?;
    }
    count(proof.walker.solved + effort.proof - proof.left);
    if query.norm == ChangeNorm::Fewest && best.changes.len() > 1 {
        fewest::reweight(&encoded, &mut best, budget)?;
        best.optimal = best.changes.len() <= 1;
    }
    Ok(Modified { patch: patch(best.changes), optimal: best.optimal || best.objective <= 0.0 })
}

/// Branch and bound over all phases.
struct PhaseProof<'a> {
    query: &'a PatchQuery<'a>,
    encoded: &'a Encoded,
    walker: SettingWalker<'a>,
    /// Programs that are left.
    left: usize,
}

impl PhaseProof<'_> {
    /// The best setting that costs less, and whether it is proved that there is no other.
    fn below(&mut self, cost: f64, budget: &Budget) -> Result<(Option<BestPatch>, bool), Obstacle> {
        let bounds = self.query.switch_bounds(cost);
        let scope = SettingScope {
            bounds: &bounds,
            free: None,
            setting: &[],
            cutoff: cost,
            gain: GAIN,
            most: self.left,
        };
        let (found, solved) = exact::search(self.encoded, &scope, budget)?;
        self.left = self.left.saturating_sub(solved);
        let proved = matches!(found, Exact::Proved(_));
        let (Exact::Proved(setting) | Exact::Open(setting)) = found;
        let Some(setting) = setting else { return Ok((None, proved)) };
        // Bounds that were as tight as a cost allows are lifted again: the descent may find still less.
        let landing = step(&mut self.walker, &setting, false, budget)?;
        let best = |Landing { setting, solution }: Landing| {
            let changes = self.encoded.changes(&solution.values);
            BestPatch { changes, objective: solution.objective, setting, optimal: proved }
        };
        Ok((landing.map(best), proved))
    }

    /// Some change, where no descent has found one.
    fn first(&mut self, budget: &Budget) -> Result<BestPatch, Obstacle> {
        let unlimited = self.query.limit.is_finite().then_some(f64::INFINITY);
        for cost in COSTS.into_iter().chain(unlimited) {
            match self.below(cost, budget)? {
                (Some(best), _) => return Ok(best),
                (None, true) => {}
                (None, false) => return Err(Obstacle::Unsolved),
            }
        }
        Err(Obstacle::Infeasible)
    }

    fn improve(&mut self, best: &mut BestPatch, budget: &Budget) -> Result<(), Obstacle> {
        if self.left == 0 || best.optimal {
            return Ok(());
        }
        match self.below(best.objective * (1.0 - GAIN), budget)? {
            (Some(better), _) if better.objective < best.objective => *best = better,
            (_, proved) => best.optimal = proved,
        }
        Ok(())
    }
}

/// A local optimum among the phases.
fn land(
    query: &PatchQuery<'_>,
    walker: &mut SettingWalker<'_>,
    budget: &Budget,
) -> Result<Landing, Obstacle> {
    let own = query.setting(&[]);
    if let Some(landing) = step(walker, &own, false, budget)? {
        return Ok(landing);
    }
    let edges = (query.width() * query.layers.first().map_or(0, Layer::outputs)) as f64;
    let mut seen: Vec<Setting> = vec![own.clone()];
    for (part, leak) in PROJECTIONS {
        let tuning = Tuning { support: (part * edges).ceil() as usize, pace: 1.0, leak };
        let Some(changes) = query.tuned(&[], tuning) else { continue };
        let setting = query.setting(&changes);
        if seen.contains(&setting) {
            continue;
        }
        if let Some(landing) = step(walker, &setting, false, budget)? {
            return Ok(landing);
        }
        seen.push(setting);
    }
    // From where a projection ended, rather than from where nothing helps.
    let last = seen.last().unwrap_or(&own).clone();
    for setting in [last, own] {
        if let Some(landing) = step(walker, &setting, true, budget)? {
            return Ok(landing);
        }
    }
    Err(Obstacle::Infeasible)
}

fn step(
    walker: &mut SettingWalker<'_>,
    setting: &[usize],
    slack: bool,
    budget: &Budget,
) -> Result<Option<Landing>, Obstacle> {
    match walker.walk(setting, slack, budget)? {
        Ok(landing) => Ok(landing),
        Err(StopReason::Exhausted) => Err(Obstacle::Infeasible),
        Err(_) => Err(Obstacle::Unsolved),
    }
}
