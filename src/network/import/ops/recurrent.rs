//! Recurrent cells, unrolled: one step is a few matrix products and activations, a sequence a chain of them.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{BinaryFunction, UnaryFunction};
use crate::network::shape;
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const RECURRENT: &'static [Entry<T>] = &[
        ("GRU", |c| c.recurrent(ImportedCell::Gru)),
        ("LSTM", |c| c.recurrent(ImportedCell::Lstm)),
        ("RNN", |c| c.recurrent(ImportedCell::Rnn)),
    ];
}

#[derive(Clone, Copy, PartialEq)]
enum ImportedCell {
    Rnn,
    Gru,
    Lstm,
}

impl ImportedCell {
    /// Gates of `hidden_size` rows each in the weight matrices.
    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    fn default_activations(self) -> &'static [&'static str] {
        match self {
            Self::Rnn => &["Tanh"],
            Self::Gru => &["Sigmoid", "Tanh"],
            Self::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// What one direction works with: weights as rows of gates.
struct Direction {
    w: Operand,
    r: Operand,
    w_bias: Option<Operand>,
    r_bias: Option<Operand>,
    peephole: Option<Operand>,
    activations: Vec<Vec<UnaryFunction>>,
    hidden: usize,
    clip: Option<f64>,
    linear_before_reset: bool,
    couple: bool,
}

struct State {
    h: Operand,
    c: Option<Operand>,
}

/// Functions, the last of which is applied last. ONNX names no default for Affine and ScaledTanh, and ONNX Runtime takes
/// others than ONNX for ThresholdedRelu: those need their numbers.
fn activation(name: &str, alpha: Option<f32>, beta: Option<f32>) -> Result<Vec<UnaryFunction>, &'static str> {
    let or = |x: Option<f32>, default: f64| x.map_or(default, f64::from);
    let needed = |x: Option<f32>| x.map(f64::from).ok_or("needs its activation_alpha (and activation_beta)");
    Ok(vec![match name.to_ascii_lowercase().as_str() {
        "relu" => UnaryFunction::Relu,
        "tanh" => UnaryFunction::Tanh,
        "sigmoid" => UnaryFunction::Sigmoid,
        "affine" => UnaryFunction::Scale { scale: needed(alpha)?, shift: needed(beta)? },
        "scaledtanh" => {
            let (scale, inner) = (needed(alpha)?, needed(beta)?);
            let scaled = |scale| UnaryFunction::Scale { scale, shift: 0.0 };
            return Ok(vec![scaled(inner), UnaryFunction::Tanh, scaled(scale)]);
        }
        "leakyrelu" => UnaryFunction::LeakyRelu { alpha: or(alpha, 0.01) },
        "thresholdedrelu" => UnaryFunction::ThresholdedRelu { alpha: needed(alpha)? },
        "hardsigmoid" => UnaryFunction::HardSigmoid { alpha: or(alpha, 0.2), beta: or(beta, 0.5) },
        "elu" => UnaryFunction::Elu { alpha: or(alpha, 1.0) },
        "softsign" => UnaryFunction::Softsign,
        "softplus" => UnaryFunction::Softplus,
        _ => return Err("is not supported"),
    }])
}

/// How many numbers of `activation_alpha` and `activation_beta` an activation consumes.
fn parameters(name: &str) -> (usize, usize) {
    match name.to_ascii_lowercase().as_str() {
        "affine" | "scaledtanh" | "hardsigmoid" => (1, 1),
        "leakyrelu" | "thresholdedrelu" | "elu" => (1, 0),
        _ => (0, 0),
    }
}

impl<T: Real> ImportCall<'_, T> {
    /// `activation_alpha` and `activation_beta` of the activation behind `earlier` ones. Only those that have parameters
    /// consume some.
    fn parameters_of(&self, earlier: &[&str]) -> Result<(Option<f32>, Option<f32>), ModelError> {
        let used = earlier.iter().map(|name| parameters(name));
        let (alphas, betas) = used.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        let number = |list: Option<&[f32]>, at: usize| list.and_then(|l| l.get(at)).copied();
        Ok((
            number(self.node.floats("activation_alpha")?, alphas),
            number(self.node.floats("activation_beta")?, betas),
        ))
    }

    /// `x · rowsᵀ + bias` for one gate, or for all of them where `gate` is `None`.
    fn gate(
        &mut self,
        x: &Operand,
        rows: &Operand,
        bias: Option<&Operand>,
        gate: Option<(usize, usize)>,
    ) -> Result<Operand, ModelError> {
        let part = |call: &mut Self, value: &Operand, axis: usize| match gate {
            Some((gate, hidden)) => call.rows(value, axis, (gate * hidden) as isize, 1, hidden),
            None => Ok(value.clone()),
        };
        let rows = part(self, rows, 0)?;
        let turned = self.transpose(&rows, &[1, 0])?;
        let product = self.product(x, &turned)?;
        match bias {
            Some(bias) => {
                let bias = part(self, bias, 0)?;
                self.binary(BinaryFunction::Add, &product, &bias)
            }
            None => Ok(product),
        }
    }

    /// `f(clip(a + b))`
    fn activate(
        &mut self,
        f: &[UnaryFunction],
        a: &Operand,
        b: &Operand,
        clip: Option<f64>,
    ) -> Result<Operand, ModelError> {
        let mut sum = self.binary(BinaryFunction::Add, a, b)?;
        if let Some(bound) = clip {
            sum = self.unary(UnaryFunction::Clip { low: -bound, high: bound }, &sum)?;
        }
        self.apply_all(f, &sum)
    }

    fn apply_all(&mut self, functions: &[UnaryFunction], x: &Operand) -> Result<Operand, ModelError> {
        functions.iter().try_fold(x.clone(), |x, &f| self.unary(f, &x))
    }

    /// Input and recurrent part of gate `i`, summed and activated.
    fn gated(
        &mut self,
        d: &Direction,
        x: &Operand,
        h: &Operand,
        i: usize,
        f: &[UnaryFunction],
        peep: Option<(usize, &Operand)>,
    ) -> Result<Operand, ModelError> {
        let mut a = self.gate(x, &d.w, d.w_bias.as_ref(), Some((i, d.hidden)))?;
        if let (Some((at, c)), Some(peephole)) = (peep, &d.peephole) {
            let weights = self.rows(peephole, 0, (at * d.hidden) as isize, 1, d.hidden)?;
            let seen = self.binary(BinaryFunction::Mul, c, &weights)?;
            a = self.binary(BinaryFunction::Add, &a, &seen)?;
        }
        let b = self.gate(h, &d.r, d.r_bias.as_ref(), Some((i, d.hidden)))?;
        self.activate(f, &a, &b, d.clip)
    }

    fn one_minus(&mut self, x: &Operand) -> Result<Operand, ModelError> {
        self.unary(UnaryFunction::Scale { scale: -1.0, shift: 1.0 }, x)
    }

    fn step(
        &mut self,
        cell: ImportedCell,
        d: &Direction,
        x: &Operand,
        s: &State,
    ) -> Result<State, ModelError> {
        match cell {
            ImportedCell::Rnn => {
                Ok(State { h: self.gated(d, x, &s.h, 0, &d.activations[0], None)?, c: None })
            }
            ImportedCell::Gru => self.gru_step(d, x, &s.h),
            ImportedCell::Lstm => self.lstm_step(d, x, s),
        }
    }

    /// Gates in the order update, reset, hidden.
    fn gru_step(&mut self, d: &Direction, x: &Operand, h: &Operand) -> Result<State, ModelError> {
        let (f, g) = (&d.activations[0], &d.activations[1]);
        let update = self.gated(d, x, h, 0, f, None)?;
        let reset = self.gated(d, x, h, 1, f, None)?;
        let own = Some((2, d.hidden));
        let input = self.gate(x, &d.w, d.w_bias.as_ref(), own)?;
        let recurrent = if d.linear_before_reset {
            let all = self.gate(h, &d.r, d.r_bias.as_ref(), own)?;
            self.binary(BinaryFunction::Mul, &reset, &all)?
        } else {
            let kept = self.binary(BinaryFunction::Mul, &reset, h)?;
            self.gate(&kept, &d.r, d.r_bias.as_ref(), own)?
        };
        let new = self.activate(g, &input, &recurrent, d.clip)?;
        let rest = self.one_minus(&update)?;
        let fresh = self.binary(BinaryFunction::Mul, &rest, &new)?;
        let kept = self.binary(BinaryFunction::Mul, &update, h)?;
        Ok(State { h: self.binary(BinaryFunction::Add, &fresh, &kept)?, c: None })
    }

    /// Gates in the order input, output, forget, cell; peepholes input, output, forget.
    fn lstm_step(&mut self, d: &Direction, x: &Operand, s: &State) -> Result<State, ModelError> {
        let (f, g, h) = (&d.activations[0], &d.activations[1], &d.activations[2]);
        let c = s.c.clone().ok_or_else(|| self.error("the cell state is missing"))?;
        let input = self.gated(d, x, &s.h, 0, f, Some((0, &c)))?;
        let forget =
            if d.couple { self.one_minus(&input)? } else { self.gated(d, x, &s.h, 2, f, Some((2, &c)))? };
        let fresh = self.gated(d, x, &s.h, 3, g, None)?;
        let kept = self.binary(BinaryFunction::Mul, &forget, &c)?;
        let added = self.binary(BinaryFunction::Mul, &input, &fresh)?;
        let c = self.binary(BinaryFunction::Add, &kept, &added)?;
        let output = self.gated(d, x, &s.h, 1, f, Some((1, &c)))?;
        let shown = self.apply_all(h, &c)?;
        Ok(State { h: self.binary(BinaryFunction::Mul, &output, &shown)?, c: Some(c) })
    }

    /// Row `i` of axis 0, without that axis; `None` where the operand is left out.
    fn row_of(&mut self, operand: usize, i: usize) -> Result<Option<Operand>, ModelError> {
        let Some(x) = self.optional(operand) else { return Ok(None) };
        self.row(&x, i).map(Some)
    }

    fn row(&mut self, x: &Operand, i: usize) -> Result<Operand, ModelError> {
        let shape = self.shape(x);
        if shape.is_empty() || i >= shape[0] {
            return Err(self.error(format!("shape {shape:?} has no row {i}")));
        }
        let row = self.rows(x, 0, i as isize, 1, 1)?;
        self.reshape(&row, shape[1..].to_vec())
    }

    fn direction(&mut self, cell: ImportedCell, i: usize) -> Result<Direction, ModelError> {
        let missing = |call: &Self| call.error("weights are missing");
        let w = self.row_of(1, i)?.ok_or_else(|| missing(self))?;
        let r = self.row_of(2, i)?.ok_or_else(|| missing(self))?;
        let &[rows, hidden] = self.shape(&r).as_slice() else { return Err(missing(self)) };
        if rows != cell.gates() * hidden {
            return Err(
                self.error(format!("{rows} rows of recurrent weights do not fit {hidden} hidden units"))
            );
        }
        let (mut w_bias, mut r_bias) = (None, None);
        if let Some(bias) = self.row_of(3, i)? {
            w_bias = Some(self.rows(&bias, 0, 0, 1, rows)?);
            r_bias = Some(self.rows(&bias, 0, rows as isize, 1, rows)?);
        }
        let peephole = if cell == ImportedCell::Lstm { self.row_of(7, i)? } else { None };
        let names = self.node.strings("activations")?;
        let count = cell.default_activations().len();
        let mut activations = Vec::new();
        for at in i * count..(i + 1) * count {
            let name = |at: usize| {
                let given = names.as_ref().and_then(|n| n.get(at)).copied();
                given.unwrap_or(cell.default_activations()[at % count])
            };
            let (alpha, beta) = self.parameters_of(&(0..at).map(name).collect::<Vec<_>>())?;
            let f = activation(name(at), alpha, beta);
            activations.push(f.map_err(|why| self.error(format!("activation {} {why}", name(at))))?);
        }
        Ok(Direction {
            w,
            r,
            w_bias,
            r_bias,
            peephole,
            activations,
            hidden,
            clip: self.node.float("clip")?,
            linear_before_reset: self.node.flag("linear_before_reset", false)?,
            couple: self.node.flag("input_forget", false)?,
        })
    }

    fn recurrent(&mut self, cell: ImportedCell) -> Built {
        let mut x = self.operand(0)?;
        let batch_first = self.node.flag("layout", false)?;
        if batch_first {
            x = self.transpose(&x, &[1, 0, 2])?;
        }
        let &[steps, batch, _] = self.shape(&x).as_slice() else {
            return Err(self.error("the operand is no sequence of batches of vectors"));
        };
        if let Some(lengths) = self.optional_constant(4)?
            && lengths.to_f64().iter().any(|&n| n != steps as f64)
        {
            return Err(self.error("sequences of different lengths are not supported"));
        }
        let directions: &[bool] = match self.node.string("direction")?.unwrap_or("forward") {
            "forward" => &[false],
            "reverse" => &[true],
            _ => &[false, true],
        };
        let element = self.element(&x);
        let (mut all, mut last_h, mut last_c) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &reverse) in directions.iter().enumerate() {
            let d = self.direction(cell, i)?;
            let zeros =
                self.literal(element, vec![batch, d.hidden], &vec![0.0; shape::len(&[batch, d.hidden])]);
            let start = |call: &mut Self, operand: usize| -> Result<Operand, ModelError> {
                let Some(given) = call.optional(operand) else { return Ok(zeros.clone()) };
                let given = if batch_first { call.transpose(&given, &[1, 0, 2])? } else { given };
                call.row(&given, i)
            };
            let h = start(self, 5)?;
            let c = if cell == ImportedCell::Lstm { Some(start(self, 6)?) } else { None };
            let mut state = State { h, c };
            let mut outputs = Vec::new();
            for t in 0..steps {
                let input = self.row(&x, if reverse { steps - 1 - t } else { t })?;
                state = self.step(cell, &d, &input, &state)?;
                outputs.push(self.reshape(&state.h, vec![1, 1, batch, d.hidden])?);
            }
            if reverse {
                outputs.reverse();
            }
            all.push(self.join(&outputs, 0)?);
            last_h.push(self.reshape(&state.h, vec![1, batch, d.hidden])?);
            if let Some(c) = state.c {
                last_c.push(self.reshape(&c, vec![1, batch, d.hidden])?);
            }
        }
        let mut results = vec![self.join(&all, 1)?, self.join(&last_h, 0)?];
        if !last_c.is_empty() {
            results.push(self.join(&last_c, 0)?);
        }
        if batch_first {
            results[0] = self.transpose(&results[0].clone(), &[2, 0, 1, 3])?;
            for result in &mut results[1..] {
                *result = self.transpose(&result.clone(), &[1, 0, 2])?;
            }
        }
        Ok(results)
    }
}
