//! Recurrent cells: `RNN`, `LSTM`, `GRU`, in one or both directions.
//!
//! Source: the equations in the specification of each. Weights are stacked by gate (LSTM: i, o, f, c; GRU: z, r, h).

use super::super::array::{self, floats};
use super::super::call::{Call, Results};
use super::Entry;
use super::unary::{sigmoid, softplus};
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[
    ("GRU", |c| recurrent(c, Kind::Gru)),
    ("LSTM", |c| recurrent(c, Kind::Lstm)),
    ("RNN", |c| recurrent(c, Kind::Rnn)),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rnn,
    Lstm,
    Gru,
}

impl Kind {
    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    fn activations(self) -> &'static [&'static str] {
        match self {
            Self::Rnn => &["Tanh"],
            Self::Lstm => &["Sigmoid", "Tanh", "Tanh"],
            Self::Gru => &["Sigmoid", "Tanh"],
        }
    }
}

type Activation = Box<dyn Fn(f64) -> f64>;

/// One direction's weights, and how they are used.
struct RecurrentCell {
    kind: Kind,
    input: usize,
    hidden: usize,
    /// `[gates · hidden, input]`
    weights: Vec<f64>,
    /// `[gates · hidden, hidden]`
    recurrence: Vec<f64>,
    /// Of the input, then of the recurrence: `[2 · gates · hidden]`
    bias: Vec<f64>,
    /// LSTM: i, o, f: `[3 · hidden]`
    peepholes: Vec<f64>,
    activations: Vec<Activation>,
    clip: f64,
    linear_before_reset: bool,
    input_forget: bool,
}

impl RecurrentCell {
    fn dot(row: &[f64], x: &[f64]) -> f64 {
        row.iter().zip(x).map(|(w, x)| w * x).sum()
    }

    fn input_part(&self, gate: usize, j: usize, x: &[f64]) -> f64 {
        let row = gate * self.hidden + j;
        Self::dot(&self.weights[row * self.input..][..self.input], x) + self.bias[row]
    }

    fn state_part(&self, gate: usize, j: usize, h: &[f64]) -> f64 {
        let row = gate * self.hidden + j;
        let bias = self.bias[self.kind.gates() * self.hidden + row];
        Self::dot(&self.recurrence[row * self.hidden..][..self.hidden], h) + bias
    }

    fn activate(&self, which: usize, x: f64) -> f64 {
        (self.activations[which])(x.clamp(-self.clip, self.clip))
    }

    /// The next hidden and cell state (only an LSTM has the latter).
    fn step(&self, x: &[f64], h: &[f64], c: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let sum = |gate: usize, j: usize| self.input_part(gate, j, x) + self.state_part(gate, j, h);
        let each = 0..self.hidden;
        match self.kind {
            Kind::Rnn => (each.map(|j| self.activate(0, sum(0, j))).collect(), Vec::new()),
            Kind::Gru => {
                let gate = |g: usize| each.clone().map(|j| self.activate(0, sum(g, j))).collect::<Vec<_>>();
                let (z, r) = (gate(0), gate(1));
                let reset: Vec<f64> = r.iter().zip(h).map(|(r, h)| r * h).collect();
                let candidate = |j: usize| match self.linear_before_reset {
                    true => self.input_part(2, j, x) + r[j] * self.state_part(2, j, h),
                    false => self.input_part(2, j, x) + self.state_part(2, j, &reset),
                };
                let next = each.clone().map(|j| (1.0 - z[j]) * self.activate(1, candidate(j)) + z[j] * h[j]);
                (next.collect(), Vec::new())
            }
            Kind::Lstm => each.map(|j| self.lstm(j, sum, c[j])).unzip(),
        }
    }

    fn lstm(&self, j: usize, sum: impl Fn(usize, usize) -> f64, c: f64) -> (f64, f64) {
        let peek = |gate: usize, c: f64| self.peepholes[gate * self.hidden + j] * c;
        let i = self.activate(0, sum(0, j) + peek(0, c));
        let f = if self.input_forget { 1.0 - i } else { self.activate(0, sum(2, j) + peek(2, c)) };
        let next = f * c + i * self.activate(1, sum(3, j));
        let o = self.activate(0, sum(1, j) + peek(1, next));
        // ONNX Runtime clips what the gates add up, not the cell.
        (o * (self.activations[2])(next), next)
    }
}

/// Sizes of the operands, and where their values are.
struct RecurrentSizes {
    time: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    directions: usize,
    batch_first: bool,
}

impl RecurrentSizes {
    fn new(call: &Call<'_>) -> Result<Self, String> {
        let (x, r) = (call.input(0)?, call.input(2)?);
        let batch_first = call.flag("layout", false)?;
        let ([a, b, input], [directions, _, hidden]) = (x.shape.as_slice(), r.shape.as_slice()) else {
            return Err(format!("operands of shapes {:?} and {:?}", x.shape, r.shape));
        };
        let (time, batch) = if batch_first { (*b, *a) } else { (*a, *b) };
        Ok(Self { time, batch, input: *input, hidden: *hidden, directions: *directions, batch_first })
    }

    fn input_at(&self, t: usize, b: usize) -> usize {
        (if self.batch_first { b * self.time + t } else { t * self.batch + b }) * self.input
    }

    fn output_at(&self, t: usize, d: usize, b: usize) -> usize {
        let row = match self.batch_first {
            true => (b * self.time + t) * self.directions + d,
            false => (t * self.directions + d) * self.batch + b,
        };
        row * self.hidden
    }

    fn state_at(&self, d: usize, b: usize) -> usize {
        (if self.batch_first { b * self.directions + d } else { d * self.batch + b }) * self.hidden
    }

    fn state_shape(&self) -> Vec<usize> {
        match self.batch_first {
            true => vec![self.batch, self.directions, self.hidden],
            false => vec![self.directions, self.batch, self.hidden],
        }
    }

    fn output_shape(&self) -> Vec<usize> {
        match self.batch_first {
            true => vec![self.batch, self.time, self.directions, self.hidden],
            false => vec![self.time, self.directions, self.batch, self.hidden],
        }
    }
}

fn recurrent(call: &Call<'_>, kind: Kind) -> Results {
    let sizes = RecurrentSizes::new(call)?;
    let x = call.input(0)?;
    let values = floats(x);
    let state = array::len(&sizes.state_shape())?;
    let mut h = operand(call, 5, state)?;
    let mut c = if kind == Kind::Lstm { operand(call, 6, state)? } else { vec![0.0; state] };
    let lengths = lengths(call, &sizes)?;
    let mut y = vec![0.0; array::len(&sizes.output_shape())?];
    let direction = call.string("direction", "forward")?;
    let expected = if direction == "bidirectional" { 2 } else { 1 };
    if sizes.directions != expected || !["forward", "reverse", "bidirectional"].contains(&direction) {
        return Err(format!("weights for {} directions, which are {direction}", sizes.directions));
    }
    for d in 0..sizes.directions {
        let cell = cell(call, kind, &sizes, d)?;
        let backward = d == 1 || direction == "reverse";
        for (b, &length) in lengths.iter().enumerate() {
            let at = sizes.state_at(d, b)..sizes.state_at(d, b) + sizes.hidden;
            for step in 0..length {
                let t = if backward { length - 1 - step } else { step };
                let input = &values[sizes.input_at(t, b)..][..sizes.input];
                let (next_h, next_c) = cell.step(input, &h[at.clone()], &c[at.clone()]);
                y[sizes.output_at(t, d, b)..][..sizes.hidden].copy_from_slice(&next_h);
                h[at.clone()].copy_from_slice(&next_h);
                if kind == Kind::Lstm {
                    c[at.clone()].copy_from_slice(&next_c);
                }
            }
        }
    }
    let mut results =
        vec![call.store(x.element, sizes.output_shape(), y), call.store(x.element, sizes.state_shape(), h)];
    if kind == Kind::Lstm {
        results.push(call.store(x.element, sizes.state_shape(), c));
    }
    Ok(results)
}

/// Optional operand number `i` with `len` values; zeros where it is left out.
fn operand(call: &Call<'_>, i: usize, len: usize) -> Result<Vec<f64>, String> {
    let Some(tensor) = call.optional(i) else { return Ok(vec![0.0; len]) };
    expect(tensor, i, len)
}

fn expect(tensor: &Tensor, i: usize, len: usize) -> Result<Vec<f64>, String> {
    if tensor.len() != len {
        return Err(format!("operand {i} of shape {:?} where {len} values are needed", tensor.shape));
    }
    Ok(floats(tensor).into_owned())
}

fn lengths(call: &Call<'_>, sizes: &RecurrentSizes) -> Result<Vec<usize>, String> {
    let Some(given) = call.integers(4)? else { return Ok(vec![sizes.time; sizes.batch]) };
    let lengths: Vec<usize> =
        given.iter().filter_map(|&n| usize::try_from(n).ok()).filter(|&n| n <= sizes.time).collect();
    if lengths.len() != sizes.batch || given.len() != sizes.batch {
        return Err(format!("lengths {given:?} for {} sequences of up to {} steps", sizes.batch, sizes.time));
    }
    Ok(lengths)
}

fn cell(call: &Call<'_>, kind: Kind, sizes: &RecurrentSizes, d: usize) -> Result<RecurrentCell, String> {
    let (directions, rows) = (sizes.directions, kind.gates() * sizes.hidden);
    let part = |all: Vec<f64>| all[d * all.len() / directions..][..all.len() / directions].to_vec();
    let peepholes =
        if kind == Kind::Lstm { operand(call, 7, directions * 3 * sizes.hidden)? } else { Vec::new() };
    Ok(RecurrentCell {
        kind,
        input: sizes.input,
        hidden: sizes.hidden,
        weights: part(expect(call.input(1)?, 1, directions * rows * sizes.input)?),
        recurrence: part(expect(call.input(2)?, 2, directions * rows * sizes.hidden)?),
        bias: part(operand(call, 3, directions * 2 * rows)?),
        peepholes: part(peepholes),
        activations: activations(call, kind, d)?,
        clip: if call.has("clip") { call.float("clip", 0.0)?.max(0.0) } else { f64::INFINITY },
        linear_before_reset: call.flag("linear_before_reset", false)?,
        input_forget: call.flag("input_forget", false)?,
    })
}

/// The activations of direction `d`. Parameters are listed for those functions only that have some.
fn activations(call: &Call<'_>, kind: Kind, d: usize) -> Result<Vec<Activation>, String> {
    use crate::onnx::Attribute;
    let defaults = kind.activations();
    let names: Vec<String> = match call.node.attributes.get("activations") {
        Some(Attribute::Strings(given)) => {
            given.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
        }
        _ => defaults.iter().chain(defaults).map(|s| (*s).to_string()).collect(),
    };
    let mut alphas = call.floats("activation_alpha")?.unwrap_or_default().into_iter();
    let mut betas = call.floats("activation_beta")?.unwrap_or_default().into_iter();
    let mut all = Vec::with_capacity(names.len());
    for name in &names {
        all.push(activation(name, &mut alphas, &mut betas)?);
    }
    let rest = all.split_off((d * defaults.len()).min(all.len()));
    if rest.len() < defaults.len() {
        return Err(format!("{} activations where each direction needs {}", names.len(), defaults.len()));
    }
    Ok(rest)
}

fn activation(
    name: &str,
    alphas: &mut dyn Iterator<Item = f64>,
    betas: &mut dyn Iterator<Item = f64>,
) -> Result<Activation, String> {
    // ONNX names no default for Affine and ScaledTanh; for ThresholdedRelu, ONNX Runtime takes another one than ONNX.
    let needed = |list: &mut dyn Iterator<Item = f64>| {
        list.next()
            .ok_or_else(|| format!("activation {name} needs its activation_alpha (and activation_beta)"))
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "relu" => Box::new(|x: f64| x.max(0.0)),
        "tanh" => Box::new(f64::tanh),
        "sigmoid" => Box::new(sigmoid),
        "softplus" => Box::new(softplus),
        "softsign" => Box::new(|x| x / (1.0 + x.abs())),
        "affine" => {
            let (a, b) = (needed(alphas)?, needed(betas)?);
            Box::new(move |x| a * x + b)
        }
        "leakyrelu" => {
            let a = alphas.next().unwrap_or(0.01);
            Box::new(move |x| if x < 0.0 { a * x } else { x })
        }
        "thresholdedrelu" => {
            let a = needed(alphas)?;
            Box::new(move |x| if x > a { x } else { 0.0 })
        }
        "scaledtanh" => {
            let (a, b) = (needed(alphas)?, needed(betas)?);
            Box::new(move |x| a * (b * x).tanh())
        }
        "hardsigmoid" => {
            let (a, b) = (alphas.next().unwrap_or(0.2), betas.next().unwrap_or(0.5));
            Box::new(move |x| (a * x + b).clamp(0.0, 1.0))
        }
        "elu" => {
            let a = alphas.next().unwrap_or(1.0);
            Box::new(move |x| if x < 0.0 { a * x.exp_m1() } else { x })
        }
        _ => return Err(format!("the activation {name} is not supported")),
    })
}
