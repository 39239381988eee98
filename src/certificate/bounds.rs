//! Intervals of all numbers of a tape over a box of inputs, for every permitted computation.
//!
//! Each number's interval is that of the function it stands for, over the intervals of its operands, widened by what rounding
//! can do to it. What is widened for is kept as the number's price: the backward sweep (`sweep.rs`) charges it.
//!
//! Numbers that are known to be whole multiples of a power of two (its *grain*: signs, quantised values, integers, inputs that
//! are given) add up without any rounding as long as the sum has few enough digits, in whatever order; then nothing is widened,
//! and ends are moved inwards to the next multiple. So ties of whole numbers stay ties.

use super::directed::{Interval, gamma, up};
use super::format::{self, Format, exp2};
use super::functions::{Function, Line, Lines};
use super::tape::{Comparison, Form, Groups, Linear, Rounding, Scalar, Step, StepKind, Tape};
use crate::dispatch::vectorized;

/// Room for the operations that compute an allowance.
const ROOM: f64 = 1.0 + 1e-12;

/// What is known of the numbers of a tape over a box.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// Each is a multiple of two to this power.
    pub(super) grain: Vec<i32>,
    /// What a unit of a number's coefficient loses to rounding, of the network and of the sweep.
    pub(super) price: Vec<f64>,
    /// Lines around the functions, for the numbers of unary steps.
    pub(super) lines: Vec<Lines>,
}

/// A number as the steps compute it.
#[derive(Debug, Clone, Copy)]
struct Number {
    range: Interval,
    grain: i32,
    price: f64,
}

impl Number {
    /// Nothing is known of it, not even that it is a number.
    const ANY: Self = Self { range: Interval::EVERYTHING, grain: format::UNKNOWN, price: f64::INFINITY };
}

impl Bounds {
    pub(super) fn new(tape: &Tape) -> Self {
        let nothing = Lines::flat(Interval::EVERYTHING);
        Self {
            low: vec![f64::NEG_INFINITY; tape.len],
            high: vec![f64::INFINITY; tape.len],
            grain: vec![format::UNKNOWN; tape.len],
            price: vec![f64::INFINITY; tape.len],
            lines: vec![nothing; tape.len],
        }
    }

    /// Makes room for numbers that a tape has got since.
    pub(super) fn grow(&mut self, len: usize) {
        self.low.resize(len, f64::NEG_INFINITY);
        self.high.resize(len, f64::INFINITY);
        self.grain.resize(len, format::UNKNOWN);
        self.price.resize(len, f64::INFINITY);
        self.lines.resize(len, Lines::flat(Interval::EVERYTHING));
    }

    /// Takes it that a whole number is this one.
    pub(super) fn assume(&mut self, x: Scalar, value: f64) {
        self.set(
            x as usize,
            Number { range: Interval::point(value), grain: format::grain(value), price: 0.0 },
        );
    }

    pub(super) fn of(&self, x: Scalar) -> Interval {
        Interval { low: self.low[x as usize], high: self.high[x as usize] }
    }

    fn grain_of(&self, x: Scalar) -> i32 {
        self.grain[x as usize]
    }

    fn set(&mut self, at: usize, number: Number) {
        self.low[at] = number.range.low;
        self.high[at] = number.range.high;
        self.grain[at] = number.grain;
        self.price[at] = number.price;
    }

    /// Sets an input's interval; without a format it is a whole number.
    pub(super) fn set_input(&mut self, at: Scalar, range: Interval, format: Option<Format>) {
        let grain = match format {
            None => 0,
            Some(_) if range.low == range.high => format::grain(range.low),
            Some(format) => format::grain_from(format, range.mignitude()),
        };
        self.set(at as usize, Number { range, grain, price: 0.0 });
    }

    /// Computes the numbers of a step from those before it.
    pub(super) fn compute(&mut self, step: &Step) {
        match &step.kind {
            StepKind::Input => {}
            StepKind::Constant(values) => {
                for (i, &range) in values.iter().enumerate() {
                    let grain =
                        if range.low == range.high { format::grain(range.low) } else { format::UNKNOWN };
                    self.set(step.first + i, Number { range, grain, price: 0.0 });
                }
            }
            StepKind::Linear(linear) => {
                let is_unknown = |&x: &Scalar| !self.of(x).is_finite();
                match &linear.form {
                    _ if linear.unweighed.iter().any(is_unknown) => self.each(step, |_, _| Number::ANY),
                    Form::Dense { width, outputs, inputs, weights } if *width > 0 => {
                        self.dense(step, linear, (*width, *outputs), inputs, weights);
                    }
                    _ => self.each(step, |bounds, i| bounds.linear(step, linear, i)),
                }
            }
            StepKind::Unary { function, operands } => {
                for (i, &x) in operands.iter().enumerate() {
                    self.unary(step, *function, x, i, None);
                }
            }
            StepKind::Extreme { largest, groups } => {
                self.each(step, |bounds, i| bounds.extreme(step, *largest, groups.get(i)));
            }
            StepKind::Product { pairs } => self.each(step, |bounds, i| bounds.product(step, pairs[i])),
            StepKind::Softmax { groups } => self.softmax(step, groups),
            StepKind::Compare { comparison, pairs } => {
                self.each(step, |bounds, i| bounds.compare(*comparison, pairs[i]));
            }
            StepKind::Select { choices } => self.each(step, |bounds, i| bounds.select(step, choices[i])),
        }
    }

    fn each(&mut self, step: &Step, number: impl Fn(&Self, usize) -> Number) {
        for i in 0..step.len {
            let number = number(self, i);
            self.set(step.first + i, number);
        }
    }

    fn linear(&self, step: &Step, linear: &Linear, i: usize) -> Number {
        let mut sums = Sums::default();
        let mut grain = format::OF_ZERO;
        linear.visit(i, |x, w| {
            let range = self.of(x);
            sums.add(w, range.low, range.high, range.magnitude());
            grain = grain.min(self.grain_of(x));
        });
        self.summed(step, linear, i, sums, grain)
    }

    /// The same for a matrix product: the operands of a row are gathered once for all its sums.
    fn dense(
        &mut self,
        step: &Step,
        linear: &Linear,
        (width, outputs): (usize, usize),
        inputs: &[Scalar],
        weights: &[f64],
    ) {
        let (mut low, mut high, mut size) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        let mut sums = vec![Sums::default(); outputs];
        for (row, numbers) in inputs.chunks_exact(width).enumerate() {
            let mut grain = format::OF_ZERO;
            for (k, &x) in numbers.iter().enumerate() {
                let range = self.of(x);
                (low[k], high[k], size[k]) = (range.low, range.high, range.magnitude());
                grain = grain.min(self.grain_of(x));
            }
            vectorized(
                #[inline(always)]
                || {
                    for (sums, w) in sums.iter_mut().zip(weights.chunks_exact(width)) {
                        *sums = Sums::of(w, &low, &high, &size);
                    }
                },
            );
            for (column, &sums) in sums.iter().enumerate() {
                let i = row * outputs + column;
                let number = self.summed(step, linear, i, sums, grain);
                self.set(step.first + i, number);
            }
        }
    }

    /// A sum of so much, and its bias. `grain` divides the operands.
    fn summed(&self, step: &Step, linear: &Linear, i: usize, sums: Sums, grain: i32) -> Number {
        let bias = linear.bias_of(i);
        let (low, high, size) = (sums.low + bias, sums.high + bias, sums.size + bias.abs());
        // Zero times what is no finite number is no number: this sum then is NaN, as a runtime's is.
        if size.is_nan() {
            return Number::ANY;
        }
        let way = self.way(step, linear, i, grain);
        let grain = match linear.exact {
            true => (grain + linear.grain).min(format::grain(bias)).max(format::UNKNOWN),
            false => format::UNKNOWN,
        };
        // The sums above are rounded themselves.
        let off = gamma(linear.terms + 2);
        let size = times(size, 1.0 + 2.0 * off);
        let range = snapped(Interval::new(low, high).widened(times(off, size)), grain);
        let hidden = linear.hidden.get(i).copied().unwrap_or(0.0);
        let mut number = rounded_on(way, step.rounding, range, size + hidden, grain);
        number.price += times(gamma(step.fan + 4), size);
        // Rounding keeps the sign of a product, or makes it zero: an index that is a scaled input is not below zero for it.
        if linear.terms == 1 && bias == 0.0 && hidden == 0.0 && linear.chains.is_empty() {
            number.range.low = if low >= 0.0 { number.range.low.max(0.0) } else { number.range.low };
            number.range.high = if high <= 0.0 { number.range.high.min(0.0) } else { number.range.high };
        }
        number
    }

    /// What may happen on the way to a sum of products of three factors. `grain` divides its numbers.
    fn way(&self, step: &Step, linear: &Linear, i: usize, grain: i32) -> Way {
        let (Some(chain), Rounding::Sum { format, .. }) = (linear.chain_of(i), step.rounding) else {
            return Way::default();
        };
        let (mut peak, mut lost) = (0.0, 0.0);
        linear.visit(i, |x, w| {
            let (most, loss) = chain.term(w, self.of(x).magnitude());
            peak += most;
            lost += loss;
        });
        let room = 1.0 + 2.0 * gamma(linear.terms + 8);
        let is_kept = linear.exact && exp2(chain.grain(grain, linear.grain)) >= format.tiny;
        Way { peak: peak * room, lost: if is_kept { 0.0 } else { lost * format.tiny * room } }
    }

    /// The interval and the lines of a function's value; `below` asks for a slope of the line below.
    pub(super) fn unary(&mut self, step: &Step, function: Function, x: Scalar, i: usize, below: Option<f64>) {
        let at = step.first + i;
        let (number, lines) = self.value_of(step, function, x, below);
        self.set(at, number);
        self.lines[at] = lines;
    }

    fn value_of(&self, step: &Step, function: Function, x: Scalar, below: Option<f64>) -> (Number, Lines) {
        let argument = self.of(x);
        if !argument.is_finite() {
            // It may be no number, and then the function's value is none, or any: runtimes differ.
            return (Number::ANY, Lines::flat(Interval::EVERYTHING));
        }
        let lines = function.lines(argument, below);
        let grain = match function {
            Function::Sign | Function::Floor | Function::Ceil | Function::Round | Function::Truncate => 0,
            Function::Rectifier { leak: 0.0 } | Function::Abs | Function::Identity => self.grain_of(x),
            Function::Clip { low, high } => {
                let limits = [low, high].into_iter().filter(|limit| limit.is_finite()).map(format::grain);
                limits.fold(self.grain_of(x), i32::min)
            }
            _ => format::UNKNOWN,
        };
        let range = snapped(function.range(argument), grain);
        let rounding = match step.rounding {
            // Nothing is rounded where a number is copied, and a rectifier rounds only what it scales.
            Rounding::Sum { format, .. }
                if function.selects() || (function.is_rectifier() && argument.low >= 0.0) =>
            {
                Rounding::Sum { format, roundings: 0 }
            }
            rounding => rounding,
        };
        let mut number = rounded(rounding, range, range.magnitude(), grain);
        let slopes = [lines.under.slope, lines.over.slope, 1.0].iter().fold(0.0f64, |m, s| m.max(s.abs()));
        number.price += times(gamma(step.fan + 4), 2.0 * times(slopes, argument.magnitude()));
        (number, lines)
    }

    fn extreme(&self, step: &Step, largest: bool, group: &[Scalar]) -> Number {
        let ranges = group.iter().map(|&x| self.of(x));
        let pick = |a: Interval, b: Interval| match largest {
            true => Interval { low: a.low.max(b.low), high: a.high.max(b.high) },
            false => Interval { low: a.low.min(b.low), high: a.high.min(b.high) },
        };
        let size = ranges.clone().map(Interval::magnitude).fold(0.0, f64::max);
        if !ranges.clone().all(Interval::is_finite) {
            // Some runtimes hand on what is no number, some skip it.
            return Number::ANY;
        }
        let grain = group.iter().map(|&x| self.grain_of(x)).min().unwrap_or(format::UNKNOWN);
        let range = ranges.reduce(pick).unwrap_or(Interval::EVERYTHING);
        Number { range, grain, price: times(gamma(step.fan + 4), size) }
    }

    fn product(&self, step: &Step, (a, b): (Scalar, Scalar)) -> Number {
        let (x, y) = (self.of(a), self.of(b));
        if !x.is_finite() || !y.is_finite() {
            return Number::ANY;
        }
        let grain = (self.grain_of(a) + self.grain_of(b)).clamp(format::UNKNOWN, format::OF_ZERO);
        let range = if a == b { Function::Square.range(x) } else { x.mul(y) };
        let size = times(x.magnitude(), y.magnitude());
        let mut number = rounded(step.rounding, range, size, grain);
        number.price += times(gamma(step.fan + 4), 4.0 * size);
        number
    }

    /// Each share is least where its number is at its lower end and all others are at their upper ends.
    fn softmax(&mut self, step: &Step, groups: &Groups) {
        let mut at = step.first;
        for group in (0..groups.len()).map(|g| groups.get(g)) {
            let ranges: Vec<Interval> = group.iter().map(|&x| self.of(x)).collect();
            let width = ranges.iter().map(|r| r.high - r.low).fold(0.0, f64::max);
            let shares: Vec<Interval> = (0..ranges.len()).map(|k| share(&ranges, k)).collect();
            let weighed: f64 = shares.iter().zip(&ranges).map(|(y, x)| times(y.high, x.magnitude())).sum();
            for (&y, x) in shares.iter().zip(&ranges) {
                let mut number =
                    rounded(of_differences(step.rounding, &ranges), y, y.magnitude(), format::UNKNOWN);
                number.price +=
                    times(gamma(step.fan + 16) + 1e-12, 8.0 * y.high * (1.0 + x.magnitude() + weighed));
                // Beyond a point the shares are no linear function of the numbers; see the sweep.
                let bent = 2.0 * y.high * ((4.0 * width).exp_m1()) * width * ROOM;
                let linear = bent.is_finite() && bent < y.high - y.low;
                number.price += if linear { bent } else { 0.0 };
                self.lines[at] = if linear {
                    Lines { under: Line { slope: 1.0, shift: 0.0 }, over: Line { slope: 1.0, shift: 0.0 } }
                } else {
                    Lines::flat(number.range)
                };
                self.set(at, number);
                at += 1;
            }
        }
    }

    fn compare(&self, comparison: Comparison, (a, b): (Scalar, Scalar)) -> Number {
        let (x, y) = (self.of(a), self.of(b));
        let known = x.is_finite() && y.is_finite();
        let (always, never) = match comparison {
            Comparison::Less => (x.high < y.low, x.low >= y.high),
            Comparison::LessOrEqual => (x.high <= y.low, x.low > y.high),
            Comparison::Equal => (x.low == x.high && x == y, x.high < y.low || y.high < x.low),
        };
        let range =
            Interval::new(f64::from(u8::from(known && always)), f64::from(u8::from(!(known && never))));
        Number { range, grain: 0, price: 0.0 }
    }

    fn select(&self, step: &Step, [condition, a, b]: [Scalar; 3]) -> Number {
        let grain = self.grain_of(a).min(self.grain_of(b));
        let range = match self.truth(condition) {
            Some(true) => self.of(a),
            Some(false) => self.of(b),
            None => self.of(a).hull(self.of(b)),
        };
        let size = self.of(a).magnitude().max(self.of(b).magnitude());
        Number { range, grain, price: times(gamma(step.fan + 4), size) }
    }

    /// Whether a number is certainly not zero, or certainly zero.
    pub(super) fn truth(&self, x: Scalar) -> Option<bool> {
        let range = self.of(x);
        match range {
            _ if range.low > 0.0 || range.high < 0.0 => Some(true),
            Interval { low: 0.0, high: 0.0 } => Some(false),
            _ => None,
        }
    }
}

/// The ends of a sum of products, and what bounds its partial sums.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    low: f64,
    high: f64,
    size: f64,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, w: f64, low: f64, high: f64, size: f64) {
        let (below, above) = if w >= 0.0 { (low, high) } else { (high, low) };
        self.low += w * below;
        self.high += w * above;
        self.size += w.abs() * size;
    }

    /// Of one row of a matrix, in eight sums of each: the interval loop is most of a check otherwise.
    #[inline(always)]
    fn of(weights: &[f64], low: &[f64], high: &[f64], size: &[f64]) -> Self {
        let (w, w_rest) = weights.as_chunks::<8>();
        let (l, l_rest) = low.as_chunks::<8>();
        let (h, h_rest) = high.as_chunks::<8>();
        let (s, s_rest) = size.as_chunks::<8>();
        let (mut below, mut above, mut sizes) = ([0.0; 8], [0.0; 8], [0.0; 8]);
        for (((w, l), h), s) in w.iter().zip(l).zip(h).zip(s) {
            for k in 0..8 {
                below[k] += w[k] * if w[k] >= 0.0 { l[k] } else { h[k] };
                above[k] += w[k] * if w[k] >= 0.0 { h[k] } else { l[k] };
                sizes[k] += w[k].abs() * s[k];
            }
        }
        let mut sums = Self { low: below.iter().sum(), high: above.iter().sum(), size: sizes.iter().sum() };
        for k in 0..w_rest.len() {
            sums.add(w_rest[k], l_rest[k], h_rest[k], s_rest[k]);
        }
        sums
    }
}

/// A product in which nothing times infinity is nothing.
fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { up::mul(a, b) }
}

/// What a computation passes on the way to a result that says nothing of it.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// The largest absolute value.
    peak: f64,
    /// What is lost where small values are flushed to zero.
    lost: f64,
}

fn rounded(rounding: Rounding, range: Interval, size: f64, grain: i32) -> Number {
    rounded_on(Way::default(), rounding, range, size, grain)
}

/// A number after rounding: its interval widened, everything where it may overflow. `size` bounds all terms and partial sums.
fn rounded_on(way: Way, rounding: Rounding, range: Interval, size: f64, grain: i32) -> Number {
    let (format, off, grain) = match rounding {
        Rounding::Exact => return Number { range, grain, price: 0.0 },
        Rounding::Sum { format, roundings } => {
            (format, off_sum(format, roundings, range, size, grain) + way.lost, grain)
        }
        Rounding::Function { format, ulps, absolute } => {
            let off = 2.0 * ulps * format.unit() * range.magnitude() + absolute + format.tiny;
            // What a library returns is a number of the format, and a multiple of nothing else.
            (format, off * ROOM, format::UNKNOWN)
        }
    };
    let widened = match rounding {
        Rounding::Sum { roundings: 1, .. } if off > 0.0 => {
            rounded_once(format, range).unwrap_or(range.widened(off))
        }
        _ if off > 0.0 => range.widened(off),
        _ => range,
    };
    let largest = (size + off).max(way.peak);
    if size.is_nan() || largest > format.largest || widened.magnitude() > format.largest {
        return Number::ANY;
    }
    let stored = match format.digits {
        24 | 53 => format::grain_from(format, widened.mignitude()),
        // Runtimes may keep more digits than a half has.
        _ => format::UNKNOWN,
    };
    let grain = grain.max(stored);
    Number { range: snapped(widened, grain), grain, price: off }
}

/// A range of exact numbers after one correct rounding of each: rounding never changes an order, so the ends' own roundings are
/// the ends. `None` for formats that runtimes may keep more digits of.
fn rounded_once(format: Format, range: Interval) -> Option<Interval> {
    let round = |x: f64| match format.digits {
        24 => Some(f64::from(x as f32)),
        53 => Some(x),
        _ => None,
    };
    let rounded = Interval::new(round(range.low)?, round(range.high)?);
    // Small numbers may be flushed to zero.
    let small = rounded.mignitude() < format.tiny;
    Some(if small { rounded.hull(Interval::point(0.0)) } else { rounded })
}

/// What roundings can do to a sum; nothing where all partial sums have few enough digits.
fn off_sum(format: Format, roundings: usize, range: Interval, size: f64, grain: i32) -> f64 {
    let is_exact =
        grain > -1022 && exp2(grain) >= format.tiny && size <= exp2((grain + format.digits).min(1023));
    if roundings == 0 || is_exact || grain >= format::OF_ZERO {
        return 0.0;
    }
    let n = roundings as f64;
    let nu = n * format.unit();
    if nu >= 0.5 {
        return f64::INFINITY;
    }
    let size = if roundings == 1 { range.magnitude() * (1.0 + format.unit()) } else { size };
    // An infinite size is no allowance but the end of it. Products may be flushed to zero as well as sums.
    (nu / (1.0 - nu) * size + 2.0 * n * format.tiny) * ROOM
}

/// The interval with its ends moved inwards to multiples of two to the `grain`.
fn snapped(range: Interval, grain: i32) -> Interval {
    if grain <= -1000 || grain >= 1000 || !range.is_finite() {
        return if grain >= format::OF_ZERO && range.is_finite() { Interval::point(0.0) } else { range };
    }
    let step = exp2(grain);
    if range.magnitude() / step > exp2(53) {
        // All doubles that large are multiples.
        return range;
    }
    // Division by a power of two is exact.
    let (low, high) = ((range.low / step).ceil() * step, (range.high / step).floor() * step);
    if low <= high { Interval { low, high } } else { range }
}

/// What the rounding of differences adds to that of their exponentials: half a unit of the largest difference, relatively.
fn of_differences(rounding: Rounding, ranges: &[Interval]) -> Rounding {
    let Rounding::Function { format, ulps, absolute } = rounding else { return rounding };
    let most = ranges.iter().map(|r| r.high).fold(f64::NEG_INFINITY, f64::max);
    let least = ranges.iter().map(|r| r.low).fold(f64::INFINITY, f64::min);
    // Beyond this an exponential is nothing in single precision, and its error is part of the absolute allowance.
    let reach = if format.digits <= 24 { 104.0 } else { 746.0 };
    Rounding::Function { format, ulps: ulps + (most - least).min(reach), absolute }
}

/// The interval of one share: `1 / (1 + Σ exp(x_j − x_k))` over the others.
fn share(ranges: &[Interval], k: usize) -> Interval {
    let sum = |own: f64, end: fn(&Interval) -> f64| -> f64 {
        let others = ranges.iter().enumerate().filter(|&(j, _)| j != k);
        others.map(|(_, r)| (end(r) - own).exp()).sum()
    };
    if ranges.iter().any(|range| !range.is_finite()) {
        return Interval::EVERYTHING;
    }
    let least = 1.0 / (1.0 + sum(ranges[k].low, |r| r.high));
    let most = 1.0 / (1.0 + sum(ranges[k].high, |r| r.low));
    // Exponents up to a thousand, rounded, each exponential and the sum: a relative error, and a little where it underflows.
    let slack =
        1e-12 * ranges.len() as f64 * (1.0 + ranges.iter().map(|r| r.magnitude()).fold(0.0, f64::max));
    Interval::new(
        (least * (1.0 - slack) - f64::MIN_POSITIVE).max(0.0),
        most * (1.0 + slack) + f64::MIN_POSITIVE,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::random::Random;

    /// The interval loop over a matrix and its plain twin, a list of terms.
    #[test]
    fn dense_sums_are_those_of_their_terms() {
        let mut random = Random::new(7);
        for (width, outputs) in [(1, 1), (7, 3), (8, 4), (50, 5), (131, 2)] {
            let weights: Vec<f64> = (0..width * outputs).map(|_| random.normal()).collect();
            let mut tape = Tape::default();
            let x: Vec<Scalar> = tape.push(2 * width, Rounding::Exact, StepKind::Input).collect();
            let dense = Form::Dense { width, outputs, inputs: x.clone(), weights: Arc::new(weights.clone()) };
            let rows = x.chunks_exact(width).flat_map(|row| (0..outputs).map(move |_| row));
            let sparse = Form::Sparse {
                starts: (0..2 * outputs).map(|i| i * width).collect(),
                inputs: rows.flatten().copied().collect(),
                weights: weights.repeat(2),
            };
            let rounding = Rounding::Sum { format: Format::F32, roundings: width };
            let bias: Vec<f64> = (0..2 * outputs).map(|_| random.normal()).collect();
            let made = [dense, sparse].map(|form| {
                let kind = StepKind::Linear(Linear::new(form, bias.clone()).computed(false));
                tape.push(2 * outputs, rounding, kind)
            });
            tape.count_uses();
            let mut bounds = Bounds::new(&tape);
            for x in x {
                let low = random.normal();
                bounds.set_input(x, Interval::new(low, low + random.unit()), Some(Format::F32));
            }
            tape.steps.iter().for_each(|step| bounds.compute(step));
            let [dense, sparse] = made;
            for (d, s) in dense.zip(sparse) {
                let (d, s) = (bounds.of(d), bounds.of(s));
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (1.0 + s.magnitude());
                assert!(d.is_finite() && near(d.low, s.low) && near(d.high, s.high), "{d:?} {s:?}");
            }
        }
    }
}
