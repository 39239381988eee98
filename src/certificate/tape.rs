//! A network as a list of numbers, each computed from earlier ones: what bounds are computed of.
//!
//! A tape has one entry a number, not one a tensor: operators that only move values leave no trace, and a residual connection,
//! a gather with repeated indices or a broadcast is nothing special, for the backward pass adds up what reaches a
//! number whatever the way. Numbers that are computed alike stand together as a [`Step`].
//!
//! Each step says how its numbers are rounded by those who compute it ([`Rounding`]). A number whose rounding is `Exact` is
//! a mathematical one that no runtime needs to compute, such as a product inside of a sum.

use std::sync::Arc;

use super::directed::Interval;
use super::format::{self, Format};
use super::functions::Function;

/// Position of a number on the tape.
pub(super) type Scalar = u32;

/// A network's numbers.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) steps: Vec<Step>,
    /// Numbers in all.
    pub(super) len: usize,
    /// The most terms that the backward pass adds up at any number.
    pub(super) most_uses: usize,
}

/// Numbers that are computed alike.
#[derive(Debug)]
pub(super) struct Step {
    /// The first of them.
    pub(super) first: usize,
    /// How many.
    pub(super) len: usize,
    pub(super) rounding: Rounding,
    pub(super) kind: StepKind,
    /// The largest number of terms that the backward pass adds up at a number that this step uses.
    pub(super) fan: usize,
}

/// What separates the computed number from the function of its computed operands that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rounding {
    /// Nothing.
    Exact,
    /// So many roundings on the way of each term, sums in any order.
    Sum { format: Format, roundings: usize },
    /// A function: so many units in the last place, and this much more anywhere.
    Function { format: Format, ulps: f64, absolute: f64 },
}

/// How the numbers of a step come about.
#[derive(Debug)]
pub(super) enum StepKind {
    /// What the user provides.
    Input,
    /// Constants; intervals where they are themselves computed.
    Constant(Vec<Interval>),
    Linear(Linear),
    Unary {
        function: Function,
        operands: Vec<Scalar>,
    },
    /// The largest (or smallest) of each group.
    Extreme {
        largest: bool,
        groups: Groups,
    },
    /// Products of pairs.
    Product {
        pairs: Vec<(Scalar, Scalar)>,
    },
    /// Each group's numbers as shares that add up to one.
    Softmax {
        groups: Groups,
    },
    /// 1 where a comparison holds, else 0.
    Compare {
        comparison: Comparison,
        pairs: Vec<(Scalar, Scalar)>,
    },
    /// The second where the first is not zero, else the third.
    Select {
        choices: Vec<[Scalar; 3]>,
    },
}

/// A comparison of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
}

/// Lists of numbers, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) starts: Vec<usize>,
    pub(super) members: Vec<Scalar>,
}

impl Groups {
    pub(super) fn push(&mut self, members: impl IntoIterator<Item = Scalar>) {
        self.starts.push(self.members.len());
        self.members.extend(members);
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn get(&self, group: usize) -> &[Scalar] {
        let end = self.starts.get(group + 1).copied().unwrap_or(self.members.len());
        &self.members[self.starts[group]..end]
    }
}

/// `Σ weight · number + bias` for each number of a step.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) form: Form,
    /// One a number, or none.
    pub(super) bias: Vec<f64>,
    /// Absolute values that were added up on the way to the bias, where that rounds too; or none.
    pub(super) hidden: Vec<f64>,
    /// Where terms are products of three factors: one for all numbers, one a number, or none.
    pub(super) chains: Vec<Chain>,
    /// Divides all weights.
    pub(super) grain: i32,
    /// Whether weights and biases are the numbers that a runtime has: not quotients or products that were rounded here, so that
    /// what divides them divides its numbers, too.
    pub(super) exact: bool,
    /// Numbers that have no term because their weight is zero: zero times what is no finite number is no number.
    pub(super) unweighed: Vec<Scalar>,
    /// Terms of the longest sum, the bias not counted.
    pub(super) terms: usize,
}

/// Terms `scale · share · (number + offset)` with `scale · share` as their weight. A runtime may multiply any two of the factors first,
/// or scale the sum as a whole: what is computed on the way may be too large or too small where the term is neither.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chain {
    /// Not zero.
    pub(super) scale: f64,
    /// Not negative.
    pub(super) offset: f64,
}

impl Chain {
    /// How large anything on the way to a term may be, and what it loses if that is flushed to zero, in units of the smallest number.
    #[inline(always)]
    pub(super) fn term(self, weight: f64, size: f64) -> (f64, f64) {
        let (scale, share, size) = (self.scale.abs(), (weight / self.scale).abs(), size + self.offset);
        let most = scale.max(1.0) * share.max(1.0) * size.max(1.0);
        // A factor of one rounds nothing.
        let folded = if share == 1.0 { 0.0 } else { size };
        (most, scale + share + weight.abs() + folded + 2.0)
    }

    /// What divides everything on the way, where numbers and weights are multiples of two to these powers.
    pub(super) fn grain(self, numbers: i32, weights: i32) -> i32 {
        let scale = format::grain(self.scale);
        numbers + scale.min(0) + (weights - scale).min(0)
    }
}

/// Which weights belong to which numbers.
#[derive(Debug)]
pub(super) enum Form {
    /// `rows` of `width` numbers each, times the rows of a matrix with `width` columns.
    Dense { width: usize, outputs: usize, inputs: Vec<Scalar>, weights: Arc<Vec<f64>> },
    /// A convolution.
    Windows(TapeWindows),
    /// The terms of each sum, one after the other.
    Sparse { starts: Vec<usize>, inputs: Vec<Scalar>, weights: Vec<f64> },
}

/// A convolution of `images × channels × places` numbers.
#[derive(Debug)]
pub(super) struct TapeWindows {
    pub(super) inputs: Vec<Scalar>,
    /// Per image.
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) groups: usize,
    /// Places of a channel of the operand.
    pub(super) in_places: usize,
    /// For each place of the result: where its taps lie in a channel, and which tap each is.
    pub(super) starts: Vec<usize>,
    pub(super) taps: Vec<(u32, u32)>,
    /// `out_channels × (in_channels / groups) × kernel`.
    pub(super) weights: Vec<f64>,
    pub(super) kernel: usize,
}

impl Linear {
    pub(super) fn new(form: Form, bias: Vec<f64>) -> Self {
        let (weights, terms): (&[f64], usize) = match &form {
            Form::Dense { width, weights, .. } => (weights, *width),
            Form::Windows(windows) => (&windows.weights, windows.terms()),
            Form::Sparse { starts, inputs, weights } => {
                let ends = starts.iter().skip(1).copied().chain([inputs.len()]);
                (weights, starts.iter().zip(ends).map(|(s, e)| e - s).max().unwrap_or(0))
            }
        };
        let grain = weights.iter().map(|&w| format::grain(w)).min().unwrap_or(format::OF_ZERO);
        let (hidden, chains, unweighed) = (Vec::new(), Vec::new(), Vec::new());
        Self { form, bias, hidden, chains, grain, exact: true, unweighed, terms }
    }

    /// The same, with weights or biases that were rounded here unless `exact` says that they were not.
    pub(super) fn computed(self, exact: bool) -> Self {
        Self { exact: self.exact && exact, ..self }
    }

    /// The same, with terms of three factors of which one is the same for all.
    pub(super) fn scaled_by(mut self, scale: f64) -> Self {
        if scale != 1.0 {
            self.chains = vec![Chain { scale, offset: 0.0 }];
        }
        self
    }

    /// How the terms of one sum come about.
    pub(super) fn chain_of(&self, output: usize) -> Option<Chain> {
        if self.chains.len() == 1 { self.chains.first() } else { self.chains.get(output) }.copied()
    }

    /// Calls `visit` with each term of one sum.
    #[inline(always)]
    pub(super) fn visit(&self, output: usize, mut visit: impl FnMut(Scalar, f64)) {
        match &self.form {
            Form::Dense { width, outputs, inputs, weights } => {
                let (row, column) = (output / outputs, output % outputs);
                let numbers = &inputs[row * width..][..*width];
                let weights = &weights[column * width..][..*width];
                // Loops, not `for_each`: what that calls is compiled by itself, for the oldest processor.
                for (&x, &w) in numbers.iter().zip(weights) {
                    visit(x, w);
                }
            }
            Form::Windows(windows) => windows.visit(output, visit),
            Form::Sparse { starts, inputs, weights } => {
                let end = starts.get(output + 1).copied().unwrap_or(inputs.len());
                let range = starts[output]..end;
                for (&x, &w) in inputs[range.clone()].iter().zip(&weights[range]) {
                    visit(x, w);
                }
            }
        }
    }

    pub(super) fn bias_of(&self, output: usize) -> f64 {
        self.bias.get(output).copied().unwrap_or(0.0)
    }

    /// Products of all sums.
    pub(super) fn work(&self, len: usize) -> usize {
        match &self.form {
            Form::Sparse { inputs, .. } => inputs.len(),
            _ => self.terms.saturating_mul(len),
        }
    }
}

impl TapeWindows {
    fn terms(&self) -> usize {
        let places = self.starts.len();
        let ends = self.starts.iter().skip(1).copied().chain([self.taps.len()]);
        let taps = self.starts.iter().zip(ends).map(|(s, e)| e - s).max().unwrap_or(0);
        if places == 0 { 0 } else { taps * (self.in_channels / self.groups) }
    }

    #[inline(always)]
    fn visit(&self, output: usize, mut visit: impl FnMut(Scalar, f64)) {
        let places = self.starts.len();
        let (channel, place) = (output / places, output % places);
        let (image, channel) = (channel / self.out_channels, channel % self.out_channels);
        let depth = self.in_channels / self.groups;
        let group = channel / (self.out_channels / self.groups);
        let end = self.starts.get(place + 1).copied().unwrap_or(self.taps.len());
        let taps = &self.taps[self.starts[place]..end];
        for d in 0..depth {
            let from = (image * self.in_channels + group * depth + d) * self.in_places;
            let numbers = &self.inputs[from..][..self.in_places];
            let weights = &self.weights[(channel * depth + d) * self.kernel..][..self.kernel];
            for &(at, tap) in taps {
                visit(numbers[at as usize], weights[tap as usize]);
            }
        }
    }
}

impl Tape {
    /// The numbers that are given, not computed.
    pub(super) fn inputs(&self) -> impl Iterator<Item = Scalar> + '_ {
        let given = self.steps.iter().filter(|step| matches!(step.kind, StepKind::Input));
        given.flat_map(|step| step.first as Scalar..(step.first + step.len) as Scalar)
    }

    /// Appends numbers.
    pub(super) fn push(&mut self, len: usize, rounding: Rounding, kind: StepKind) -> std::ops::Range<Scalar> {
        let first = self.len;
        self.len += len;
        self.steps.push(Step { first, len, rounding, kind, fan: 0 });
        first as Scalar..self.len as Scalar
    }

    /// Counts how many terms the backward pass adds up at each number, whichever steps they come from. To be called once, when
    /// the tape is complete.
    pub(super) fn count_uses(&mut self) {
        let mut uses = vec![0usize; self.len];
        for step in &self.steps {
            step.for_each_use(|x, times| uses[x as usize] += times);
        }
        self.most_uses = uses.iter().copied().max().unwrap_or(0);
        for step in &mut self.steps {
            let mut fan = 0;
            step.for_each_use(|x, _| fan = fan.max(uses[x as usize]));
            step.fan = fan;
        }
    }

    /// The step that a number belongs to.
    pub(super) fn step_of(&self, scalar: Scalar) -> usize {
        self.steps.partition_point(|step| step.first <= scalar as usize) - 1
    }
}

impl Step {
    /// Multiplications of one pass over the step.
    pub(super) fn price(&self) -> usize {
        match &self.kind {
            StepKind::Linear(linear) => linear.work(self.len),
            _ => self.len,
        }
    }

    /// Calls `visit` with each number that one of the step's numbers is computed from.
    pub(super) fn for_each_operand(&self, i: usize, mut visit: impl FnMut(Scalar)) {
        match &self.kind {
            StepKind::Input | StepKind::Constant(_) => {}
            StepKind::Linear(linear) => {
                linear.visit(i, |x, _| visit(x));
                linear.unweighed.iter().for_each(|&x| visit(x));
            }
            StepKind::Unary { operands, .. } => visit(operands[i]),
            StepKind::Extreme { groups, .. } => groups.get(i).iter().for_each(|&x| visit(x)),
            // Shares stand in the order of their groups.
            StepKind::Softmax { groups } => groups.members.iter().for_each(|&x| visit(x)),
            StepKind::Product { pairs } | StepKind::Compare { pairs, .. } => {
                visit(pairs[i].0);
                visit(pairs[i].1);
            }
            StepKind::Select { choices } => choices[i].iter().for_each(|&x| visit(x)),
        }
    }

    /// Calls `count` with each number that a step's backward rule adds to, and how often it does at most.
    fn for_each_use(&self, mut count: impl FnMut(Scalar, usize)) {
        match &self.kind {
            StepKind::Input | StepKind::Constant(_) | StepKind::Compare { .. } => {}
            StepKind::Linear(linear) => match &linear.form {
                Form::Dense { outputs, inputs, .. } => inputs.iter().for_each(|&x| count(x, *outputs)),
                _ => (0..self.len).for_each(|i| linear.visit(i, |x, _| count(x, 1))),
            },
            // The line, and the multiplier of a decided phase.
            StepKind::Unary { operands, .. } => operands.iter().for_each(|&x| count(x, 2)),
            StepKind::Extreme { groups, .. } => groups.members.iter().for_each(|&x| count(x, 1)),
            StepKind::Softmax { groups } => {
                (0..groups.len()).flat_map(|g| groups.get(g)).for_each(|&x| count(x, 4));
            }
            StepKind::Product { pairs } => pairs.iter().for_each(|&(a, b)| {
                count(a, 1);
                count(b, 1);
            }),
            StepKind::Select { choices } => choices.iter().for_each(|&[_, a, b]| {
                count(a, 1);
                count(b, 1);
            }),
        }
    }
}
