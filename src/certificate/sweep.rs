//! Rows bounded from below, backwards from the numbers that they name to the inputs.
//!
//! A row `Σ c · number` is rewritten, step by step from the last to the first, into a row over the inputs that is nowhere larger
//! on the box: sums are substituted, functions are replaced by the line below them where their coefficient is positive and by
//! the line above where it is negative (CROWN, Zhang et al. 2018; DeepPoly, Singh et al. 2019). Every number that is
//! substituted costs its price: what the network's own rounding, and that of this sweep, can change.
//!
//! Decided phases add a multiple of `z ≥ 0` or `z ≤ 0` to the row (Beta-CROWN, Wang et al. 2021, section 3.2). `z` is the
//! number as it is computed, so that the two phases leave nothing out.

use super::bounds::Bounds;
use super::directed::{Account, Interval, down, gamma, up};
use super::functions::Line;
use super::tape::{Linear, Scalar, Step, StepKind, Tape};
use crate::dispatch::vectorized;

/// Rows of one sweep.
pub(super) const LANES: usize = 16;

/// `Σ coefficient · number + constant`, to be bounded from below.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TapeRow {
    /// Numbers and their coefficients.
    pub(super) terms: Vec<(Scalar, f64)>,
    /// What may be added.
    pub(super) constant: f64,
    /// How far the constant may be off.
    pub(super) off: f64,
    /// How far coefficients may be off.
    pub(super) doubts: Vec<(Scalar, f64)>,
}

impl TapeRow {
    /// The row of the opposite sign.
    pub(super) fn negated(&self) -> Self {
        let terms = self.terms.iter().map(|&(x, c)| (x, -c)).collect();
        Self { terms, constant: -self.constant, off: self.off, doubts: self.doubts.clone() }
    }

    /// How far the row as a whole may be off over the box.
    fn off(&self, bounds: &Bounds) -> f64 {
        let doubt = |&(x, off): &(Scalar, f64)| up::mul(off, bounds.of(x).magnitude());
        self.doubts.iter().map(doubt).fold(self.off, up::add)
    }
}

/// Coefficients that are tried as a pivot of shares.
const MOST_PIVOTS: usize = 16;

/// A multiple of a decided pre-activation that is added to every row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Push {
    /// The pre-activation.
    pub(super) number: Scalar,
    /// Negative for an active phase, positive for an inactive one.
    pub(super) weight: f64,
}

/// Coefficients, kept from sweep to sweep.
#[derive(Debug, Default)]
pub(super) struct SweepWorkspace {
    coefficients: Vec<f64>,
}

impl SweepWorkspace {
    /// Lower bounds of rows. `pushes` are sorted by number, ascending.
    pub(super) fn rows(
        &mut self,
        tape: &Tape,
        bounds: &Bounds,
        rows: &[TapeRow],
        pushes: &[Push],
    ) -> Vec<f64> {
        let mut least = Vec::with_capacity(rows.len());
        for part in rows.chunks(LANES) {
            match part.len() {
                1 => self.some_rows::<1>(tape, bounds, part, pushes, &mut least),
                2..=4 => self.some_rows::<4>(tape, bounds, part, pushes, &mut least),
                _ => self.some_rows::<LANES>(tape, bounds, part, pushes, &mut least),
            }
        }
        for (row, least) in rows.iter().zip(&mut least) {
            *least = least.max(by_intervals(bounds, row).low);
        }
        least
    }

    fn some_rows<const L: usize>(
        &mut self,
        tape: &Tape,
        bounds: &Bounds,
        rows: &[TapeRow],
        pushes: &[Push],
        least: &mut Vec<f64>,
    ) {
        let last = rows.iter().flat_map(|row| &row.terms).map(|&(x, _)| tape.step_of(x)).max();
        let end = last.map_or(0, |last| last + 1);
        let len = tape.steps.get(end).map_or(tape.len, |step| step.first);
        self.coefficients.clear();
        self.coefficients.resize(len * L, 0.0);
        let (coefficients, _) = self.coefficients.as_chunks_mut::<L>();
        let mut account = Account::<L>::new();
        let uses = tape.most_uses;
        account.charge(&[1.0; L], lost_coefficients(bounds, len, uses));
        for (lane, row) in rows.iter().enumerate() {
            account.add_in(lane, 1.0, row.constant);
            let mut unit = [0.0; L];
            unit[lane] = 1.0;
            account.charge(&unit, row.off(bounds));
            // What is added to a coefficient later rounds this part of it, too.
            let rounding = gamma(uses + row.terms.len() + 4);
            for &(x, c) in &row.terms {
                coefficients[x as usize][lane] += c;
                account.charge(&unit, up::mul(rounding, up::mul(c.abs(), bounds.of(x).magnitude())));
            }
        }
        let mut sweep = Sweep { bounds, coefficients, account: &mut account, pushes, uses };
        tape.steps[..end].iter().rev().for_each(|step| sweep.step(step));
        least.extend((0..rows.len()).map(|lane| account.least(lane)));
    }
}

/// What coefficients that are too small for doubles can be worth: so many additions at each number.
fn lost_coefficients(bounds: &Bounds, len: usize, uses: usize) -> f64 {
    let size = |x: usize| bounds.low[x].abs().max(bounds.high[x].abs());
    // Numbers that may be infinite end every row that needs them, by the price of what uses them.
    let most = (0..len).map(size).filter(|size| size.is_finite()).fold(0.0, f64::max);
    up::mul(up::mul(len as f64 * (uses as f64 + 4.0), most), f64::MIN_POSITIVE)
}

/// A row's bounds by the intervals of its numbers alone, to the last bit.
pub(super) fn by_intervals(bounds: &Bounds, row: &TapeRow) -> Interval {
    let off = row.off(bounds);
    let mut sum = Interval { low: down::add(row.constant, -off), high: up::add(row.constant, off) };
    for &(x, c) in &row.terms {
        let term = Interval::point(c).mul(bounds.of(x));
        sum = Interval { low: down::add(sum.low, term.low), high: up::add(sum.high, term.high) };
    }
    sum
}

struct Sweep<'s, const L: usize> {
    bounds: &'s Bounds,
    coefficients: &'s mut [[f64; L]],
    account: &'s mut Account<L>,
    pushes: &'s [Push],
    uses: usize,
}

impl<const L: usize> Sweep<'_, L> {
    fn step(&mut self, step: &Step) {
        self.push(step);
        let (before, rest) = self.coefficients.split_at_mut(step.first);
        let mut view = Before { bounds: self.bounds, before, account: self.account };
        let own = &rest[..step.len];
        vectorized(
            #[inline(always)]
            || match &step.kind {
                StepKind::Linear(linear) => view.sums(step.first, linear, own),
                StepKind::Unary { operands, .. } => view.functions(step.first, operands, own),
                _ => view.others(step, own),
            },
        );
        if let StepKind::Softmax { groups } = &step.kind {
            let mut at = 0;
            for g in 0..groups.len() {
                let members = groups.get(g);
                view.shares(step.first + at, members, &rest[at..at + members.len()]);
                at += members.len();
            }
        }
    }

    /// Adds what decided phases add at the numbers of a step, before they are substituted.
    fn push(&mut self, step: &Step) {
        let from = self.pushes.partition_point(|push| (push.number as usize) < step.first);
        for push in
            self.pushes[from..].iter().take_while(|push| (push.number as usize) < step.first + step.len)
        {
            let price = gamma(self.uses + 4);
            let size = self.bounds.of(push.number).magnitude();
            let to = &mut self.coefficients[push.number as usize];
            (0..L).for_each(|l| to[l] += push.weight);
            self.account.charge(&[push.weight; L], if size == 0.0 { 0.0 } else { price * size });
        }
    }
}

/// What lies before a step.
struct Before<'s, const L: usize> {
    bounds: &'s Bounds,
    before: &'s mut [[f64; L]],
    account: &'s mut Account<L>,
}

impl<const L: usize> Before<'_, L> {
    #[inline(always)]
    fn sums(&mut self, first: usize, linear: &Linear, own: &[[f64; L]]) {
        for (i, c) in own.iter().enumerate() {
            if c.iter().all(|&c| c == 0.0) {
                continue;
            }
            self.account.charge(c, self.bounds.price[first + i]);
            self.account.add(c, linear.bias_of(i));
            let before = &mut *self.before;
            linear.visit(
                i,
                #[inline(always)]
                |x, w| {
                    let to = &mut before[x as usize];
                    for l in 0..L {
                        to[l] += w * c[l];
                    }
                },
            );
        }
    }

    #[inline(always)]
    fn functions(&mut self, first: usize, operands: &[Scalar], own: &[[f64; L]]) {
        for (i, c) in own.iter().enumerate() {
            if c.iter().any(|&c| c != 0.0) {
                self.account.charge(c, self.bounds.price[first + i]);
                let lines = &self.bounds.lines[first + i];
                self.lines(operands[i], c, lines.under, lines.over);
            }
        }
    }

    #[inline(always)]
    fn others(&mut self, step: &Step, own: &[[f64; L]]) {
        for (i, c) in own.iter().enumerate() {
            if c.iter().all(|&c| c == 0.0) {
                continue;
            }
            let at = step.first + i;
            self.account.charge(c, self.bounds.price[at]);
            match &step.kind {
                StepKind::Input | StepKind::Constant(_) | StepKind::Compare { .. } => self.ends(at, c),
                StepKind::Extreme { largest, groups } => self.extreme(at, *largest, groups.get(i), c),
                StepKind::Product { pairs } => self.product(pairs[i], c),
                StepKind::Select { choices } => match self.bounds.truth(choices[i][0]) {
                    Some(true) => self.pass(choices[i][1], c),
                    Some(false) => self.pass(choices[i][2], c),
                    None => self.ends(at, c),
                },
                // Shares as a whole, by the caller; the others have loops of their own.
                StepKind::Softmax { .. } | StepKind::Linear(_) | StepKind::Unary { .. } => {}
            }
        }
    }

    /// A number without lines, or an input: the end of its interval that is worse.
    #[inline(always)]
    fn ends(&mut self, at: usize, c: &[f64; L]) {
        let (low, high) = (self.bounds.low[at], self.bounds.high[at]);
        self.account.add_each(c, &c.map(|c| if c >= 0.0 { low } else { high }));
    }

    fn pass(&mut self, x: Scalar, c: &[f64; L]) {
        let to = &mut self.before[x as usize];
        (0..L).for_each(|l| to[l] += c[l]);
    }

    #[inline(always)]
    fn lines(&mut self, x: Scalar, c: &[f64; L], under: Line, over: Line) {
        let to = &mut self.before[x as usize];
        for l in 0..L {
            to[l] += c[l] * if c[l] >= 0.0 { under.slope } else { over.slope };
        }
        self.account.add_each(c, &c.map(|c| if c >= 0.0 { under.shift } else { over.shift }));
    }

    /// The largest number is at least any of them, and if one is never less than the others, it is that one.
    fn extreme(&mut self, at: usize, largest: bool, group: &[Scalar], c: &[f64; L]) {
        let sign = if largest { 1.0 } else { -1.0 };
        let reach = |x: Scalar| {
            let range = self.bounds.of(x);
            if largest { (range.low, range.high) } else { (-range.high, -range.low) }
        };
        let Some(&best) = group.iter().max_by(|&&a, &&b| reach(a).0.total_cmp(&reach(b).0)) else { return };
        let alone = group.iter().all(|&x| x == best || reach(x).1 <= reach(best).0);
        for l in 0..L {
            if alone || c[l] * sign > 0.0 {
                self.before[best as usize][l] += c[l];
            } else {
                let end = if c[l] >= 0.0 { self.bounds.low[at] } else { self.bounds.high[at] };
                self.account.add_in(l, c[l], end);
            }
        }
    }

    /// Planes below and above a product (McCormick 1976), those that are nearer to it in the middle of the box.
    fn product(&mut self, (a, b): (Scalar, Scalar), c: &[f64; L]) {
        let (x, y) = (self.bounds.of(a), self.bounds.of(b));
        if !x.is_finite() || !y.is_finite() {
            return self.account.add(&c.map(|c| -c.abs()), f64::INFINITY);
        }
        let middle = |low: f64, high: f64| 0.5 * low + 0.5 * high;
        let (mx, my) = (middle(x.low, x.high), middle(y.low, y.high));
        // x y ≥ q x + p y − p q for the ends p, q on the same side; ≤ for ends on opposite sides.
        let at_middle = |&(p, q): &(f64, f64)| q * mx + p * my - p * q;
        let better = |first: (f64, f64), second: (f64, f64), largest: bool| {
            let is_first = (at_middle(&first) >= at_middle(&second)) == largest;
            if is_first { first } else { second }
        };
        let under = better((x.low, y.low), (x.high, y.high), true);
        let over = better((x.high, y.low), (x.low, y.high), false);
        for l in 0..L {
            let (p, q) = if c[l] >= 0.0 { under } else { over };
            self.before[a as usize][l] += c[l] * q;
            self.before[b as usize][l] += c[l] * p;
        }
        let shift = |(p, q): (f64, f64)| -(p * q);
        self.account.add_each(c, &c.map(|c| shift(if c >= 0.0 { under } else { over })));
    }

    /// Shares near a point: `y_i ≈ y_i⁰ + y_i⁰ (x_i − x_i⁰) − y_i⁰ Σ_j y_j⁰ (x_j − x_j⁰)` around the middle of the box, the rest being in
    /// the price. Shares that bend too much are constants.
    fn shares(&mut self, first: usize, members: &[Scalar], c: &[[f64; L]]) {
        if c.iter().flatten().all(|&c| c == 0.0) {
            return;
        }
        let centre: Vec<f64> =
            members.iter().map(|&x| 0.5 * self.bounds.of(x).low + 0.5 * self.bounds.of(x).high).collect();
        let most = centre.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = centre.iter().map(|x| (x - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let y: Vec<f64> = powers.iter().map(|p| p / sum).collect();
        for l in 0..L {
            let is_linear = |i: usize| self.bounds.lines[first + i].under.slope == 1.0;
            let (linear, flat): (Vec<usize>, Vec<usize>) = (0..members.len()).partition(|&i| is_linear(i));
            // All shares together are one: Σ c y = p + Σ (c − p) y, whatever p is. Each is within its interval, roundings priced.
            let end = |c: f64, i: usize| {
                if c >= 0.0 { self.bounds.low[first + i] } else { self.bounds.high[first + i] }
            };
            let worth = |p: f64| p + flat.iter().map(|&i| (c[i][l] - p) * end(c[i][l] - p, i)).sum::<f64>();
            let pivots = flat.iter().filter(|_| linear.is_empty()).take(MOST_PIVOTS).map(|&i| c[i][l]);
            let pivot = pivots.chain([0.0]).max_by(|&a, &b| worth(a).total_cmp(&worth(b))).unwrap_or(0.0);
            self.account.add_in(l, 1.0, pivot);
            for &i in &flat {
                let own = c[i][l] - pivot;
                self.account.add_in(l, own, end(own, i));
            }
            let pulled: f64 = linear.iter().map(|&i| c[i][l] * y[i]).sum();
            self.account.add_in(l, 1.0, pulled);
            for (j, &x) in members.iter().enumerate() {
                let own = if is_linear(j) { c[j][l] * y[j] } else { 0.0 };
                let slope = own - y[j] * pulled;
                self.before[x as usize][l] += slope;
                self.account.add_in(l, -slope, centre[j]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::format::Format;
    use crate::certificate::functions::Function;
    use crate::certificate::tape::{Form, Rounding};

    #[test]
    fn a_row_of_two_rectifiers() {
        // y = max(x0 − x1, 0) + max(x0 + x1, 0) on [−1, 1]², which is at least 0 and at most 2.
        let mut tape = Tape::default();
        let x = tape.push(2, Rounding::Exact, StepKind::Input);
        let inputs: Vec<u32> = x.clone().collect();
        let form = Form::Dense { width: 2, outputs: 2, inputs, weights: vec![1.0, -1.0, 1.0, 1.0].into() };
        let z = tape.push(2, Rounding::Exact, StepKind::Linear(Linear::new(form, vec![])));
        let relu = StepKind::Unary { function: Function::Rectifier { leak: 0.0 }, operands: z.collect() };
        let h = tape.push(2, Rounding::Exact, relu);
        tape.count_uses();
        let mut bounds = Bounds::new(&tape);
        x.for_each(|x| bounds.set_input(x, Interval::new(-1.0, 1.0), Some(Format::F64)));
        tape.steps.iter().for_each(|step| bounds.compute(step));
        let row = |sign: f64| TapeRow { terms: h.clone().map(|h| (h, sign)).collect(), ..TapeRow::default() };
        let least = SweepWorkspace::default().rows(&tape, &bounds, &[row(1.0), row(-1.0)], &[]);
        // Intervals alone would give −4 for the second.
        assert!(least[0] <= 0.0 && least[0] > -1e-12 && least[1] <= -2.0 && least[1] > -3.1, "{least:?}");
    }
}
