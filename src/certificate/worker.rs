//! Bounds of one box at a time, and what they say of a query's formula: the work behind every part of a certificate and every
//! certified point.

use std::collections::HashMap;

use vnnlib::{Comparison, Relation};

use super::bounds::Bounds;
use super::directed::Interval;
use super::enclosure::Enclosure;
use super::formula::{self, Choices, Truth};
use super::functions::Function;
use super::sweep::{LANES, Push, SweepWorkspace, TapeRow};
use super::tape::{Scalar, Step, StepKind, Tape};

/// What a proof is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// That comparisons are false everywhere.
    Refute,
    /// That they are true everywhere.
    Affirm,
}

/// A neuron whose phase is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decided {
    /// Its pre-activation.
    pub(super) number: Scalar,
    /// Whether that is at least zero; else it is at most zero.
    pub(super) active: bool,
}

/// Multipliers of one leaf.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct LeafMultipliers {
    /// Slopes of the lines below open rectifiers, by pre-activation, as shares of the way from the leak to 1.
    pub(super) slopes: Vec<(Scalar, f32)>,
    /// Weights of decided phases, not negative, by pre-activation.
    pub(super) weights: Vec<(Scalar, f32)>,
}

/// Bounds of one box, and the memory that computing them takes.
#[derive(Debug)]
pub(super) struct Worker {
    bounds: Bounds,
    workspace: SweepWorkspace,
}

impl Worker {
    pub(super) fn new(enclosure: &Enclosure) -> Self {
        Self { bounds: Bounds::new(&enclosure.tape), workspace: SweepWorkspace::default() }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Goes on from another's bounds of the same enclosure.
    pub(super) fn take_bounds(&mut self, other: &Self) {
        self.bounds.clone_from(&other.bounds);
    }

    /// Intervals of all numbers over a box.
    pub(super) fn enclose(&mut self, enclosure: &Enclosure, ranges: &[Interval]) {
        for (input, &range) in enclosure.inputs.iter().zip(ranges) {
            self.bounds.set_input(input.number, range, input.format());
        }
        enclosure.tape.steps.iter().for_each(|step| self.bounds.compute(step));
    }

    /// The same, with numbers that functions bend in tightened by rows of their own. `false` if that was ended.
    pub(super) fn tighten(
        &mut self,
        enclosure: &Enclosure,
        ranges: &[Interval],
        keep_going: &dyn Fn() -> bool,
    ) -> bool {
        for (input, &range) in enclosure.inputs.iter().zip(ranges) {
            self.bounds.set_input(input.number, range, input.format());
        }
        for step in &enclosure.tape.steps {
            if let StepKind::Unary { function, operands } = &step.kind
                && !self.tighten_operands(&enclosure.tape, *function, operands, keep_going)
            {
                return false;
            }
            self.bounds.compute(step);
        }
        true
    }

    fn tighten_operands(
        &mut self,
        tape: &Tape,
        function: Function,
        operands: &[Scalar],
        keep_going: &dyn Fn() -> bool,
    ) -> bool {
        let is_open = |x: &Scalar| {
            let range = self.bounds.of(*x);
            let given = matches!(tape.steps[tape.step_of(*x)].kind, StepKind::Input | StepKind::Constant(_));
            !given && range.low < range.high && function.bends_in(range)
        };
        let mut open: Vec<Scalar> = operands.iter().copied().filter(is_open).collect();
        open.sort_unstable();
        open.dedup();
        for part in open.chunks(LANES / 2) {
            if !keep_going() {
                return false;
            }
            let row = |x: Scalar, sign: f64| TapeRow { terms: vec![(x, sign)], ..TapeRow::default() };
            let rows: Vec<TapeRow> = part.iter().flat_map(|&x| [row(x, 1.0), row(x, -1.0)]).collect();
            let least = self.workspace.rows(tape, &self.bounds, &rows, &[]);
            for (&x, ends) in part.iter().zip(least.chunks_exact(2)) {
                let tighter = self.bounds.of(x).meet(Interval { low: ends[0], high: -ends[1] });
                debug_assert!(tighter.is_some(), "the ends of number {x} cross");
                if let Some(tighter) = tighter {
                    (self.bounds.low[x as usize], self.bounds.high[x as usize]) = (tighter.low, tighter.high);
                }
            }
        }
        true
    }

    /// Takes a part of the box in which phases are decided, with its own slopes. `false` if no point is in it.
    pub(super) fn decide(
        &mut self,
        enclosure: &Enclosure,
        phases: &[Decided],
        multipliers: &LeafMultipliers,
    ) -> bool {
        for phase in phases {
            let x = phase.number as usize;
            if phase.active {
                self.bounds.low[x] = self.bounds.low[x].max(0.0);
            } else {
                self.bounds.high[x] = self.bounds.high[x].min(0.0);
            }
            if self.bounds.low[x] > self.bounds.high[x] {
                return false;
            }
            self.relax(enclosure, phase.number, None);
        }
        for &(number, share) in &multipliers.slopes {
            self.relax(enclosure, number, Some(share));
        }
        true
    }

    /// Multiples of pre-activations whose phase is decided in this part, by number; others count for nothing.
    pub(super) fn pushes(&self, multipliers: &LeafMultipliers) -> Vec<Push> {
        let push = |&(number, weight): &(Scalar, f32)| {
            let range = self.bounds.of(number);
            // z ≥ 0: the row less weight · z is nowhere larger; z ≤ 0: the row and weight · z.
            let weight = match range {
                _ if weight == 0.0 => return None,
                Interval { low, .. } if low >= 0.0 => -f64::from(weight),
                Interval { high, .. } if high <= 0.0 => f64::from(weight),
                _ => return None,
            };
            Some(Push { number, weight })
        };
        let mut pushes: Vec<Push> = multipliers.weights.iter().filter_map(push).collect();
        pushes.sort_by_key(|push| push.number);
        pushes
    }

    /// Computes the functions of a number anew.
    fn relax(&mut self, enclosure: &Enclosure, number: Scalar, share: Option<f32>) {
        for &(s, i) in enclosure.users.of(number) {
            let step: &Step = &enclosure.tape.steps[s];
            if let StepKind::Unary { function: function @ Function::Rectifier { leak }, .. } = step.kind {
                let below = share.map(|share| leak + (1.0 - leak) * f64::from(share));
                let below = below.filter(|_| leak < 1.0);
                // Most slopes that a leaf asks for are those that are there.
                if below.is_none_or(|below| self.bounds.lines[step.first + i].under.slope != below) {
                    self.bounds.unary(step, function, number, i, below);
                }
            }
        }
    }

    /// What the bounds say of a query over the box.
    pub(super) fn truth(
        &mut self,
        enclosure: &Enclosure,
        choices: &Choices,
        aim: Aim,
        pushes: &[Push],
    ) -> Truth {
        self.truth_with(enclosure, choices, aim, pushes, &|_| None)
    }

    /// The same where some comparisons are known: others are looked at by intervals, those that stay open by rows.
    pub(super) fn truth_with(
        &mut self,
        enclosure: &Enclosure,
        choices: &Choices,
        aim: Aim,
        pushes: &[Push],
        known: &dyn Fn(Comparison<'_>) -> Option<Truth>,
    ) -> Truth {
        let query = &enclosure.query;
        let row = |comparison: Comparison<'_>| enclosure.row(comparison.number(), aim);
        let mut open: Vec<(u32, Relation, &TapeRow)> = Vec::new();
        let whole = formula::truth(query, choices, &mut |comparison| {
            if let Some(truth) = known(comparison) {
                return truth;
            }
            let Some(row) = row(comparison) else { return Truth::Open };
            let truth = self.by_intervals(comparison.relation(), row);
            if truth == Truth::Open && !enclosure.is_bound(row) {
                open.push((comparison.number(), comparison.relation(), row));
            }
            truth
        });
        if whole != Truth::Open || open.is_empty() {
            return whole;
        }
        let found = self.by_rows(&enclosure.tape, open, aim, pushes);
        formula::truth(query, choices, &mut |comparison| {
            let known = known(comparison).or_else(|| found.get(&comparison.number()).copied());
            known.unwrap_or_else(|| {
                row(comparison).map_or(Truth::Open, |row| self.by_intervals(comparison.relation(), row))
            })
        })
    }

    fn by_intervals(&self, relation: Relation, row: &TapeRow) -> Truth {
        decided(relation, super::sweep::by_intervals(&self.bounds, row))
    }

    fn by_rows(
        &mut self,
        tape: &Tape,
        open: Vec<(u32, Relation, &TapeRow)>,
        aim: Aim,
        pushes: &[Push],
    ) -> HashMap<u32, Truth> {
        let mut rows = Vec::with_capacity(2 * open.len());
        for (_, relation, row) in &open {
            let (from_below, from_above) = sides(*relation, aim);
            rows.extend(from_below.then(|| TapeRow::clone(row)));
            rows.extend(from_above.then(|| row.negated()));
        }
        let mut least = self.workspace.rows(tape, &self.bounds, &rows, pushes).into_iter();
        let mut end = || least.next().unwrap_or(f64::NEG_INFINITY);
        let mut found = HashMap::new();
        for (number, relation, _) in open {
            let (from_below, from_above) = sides(relation, aim);
            let low = if from_below { end() } else { f64::NEG_INFINITY };
            let high = if from_above { -end() } else { f64::INFINITY };
            found.insert(number, decided(relation, Interval { low, high }));
        }
        found
    }
}

/// Which ends of `left − right` a proof needs: the lower, the upper.
fn sides(relation: Relation, aim: Aim) -> (bool, bool) {
    match (relation, aim) {
        (Relation::LessEqual | Relation::Less, Aim::Refute) => (true, false),
        (Relation::LessEqual | Relation::Less, Aim::Affirm) => (false, true),
        (Relation::GreaterEqual | Relation::Greater, Aim::Refute) => (false, true),
        (Relation::GreaterEqual | Relation::Greater, Aim::Affirm) => (true, false),
        (Relation::Equal | Relation::NotEqual, _) => (true, true),
    }
}

/// A comparison of a difference with zero.
fn decided(relation: Relation, Interval { low, high }: Interval) -> Truth {
    let (always, never) = match relation {
        Relation::LessEqual => (high <= 0.0, low > 0.0),
        Relation::Less => (high < 0.0, low >= 0.0),
        Relation::GreaterEqual => (low >= 0.0, high < 0.0),
        Relation::Greater => (low > 0.0, high <= 0.0),
        Relation::Equal => (low == 0.0 && high == 0.0, low > 0.0 || high < 0.0),
        Relation::NotEqual => (low > 0.0 || high < 0.0, low == 0.0 && high == 0.0),
    };
    match (always, never) {
        (true, false) => Truth::True,
        (false, true) => Truth::False,
        _ => Truth::Open,
    }
}
