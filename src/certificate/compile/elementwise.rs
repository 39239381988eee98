//! Operators that compute each value of their result from one value of each operand.

use super::super::allowances;
use super::super::directed::Interval;
use super::super::format::Format;
use super::super::functions::Function;
use super::super::tape::{Comparison, Form, Groups, Linear, Rounding, Scalar, Step, StepKind};
use super::{Compiler, Entry, Results, TapeCall, TapeValue, TapeView, format_of};
use crate::onnx::{ElementType, Node};

pub(super) const OPERATORS: &[Entry] = &[
    ("Abs", |c, n| function(c, n, Function::Abs)),
    ("Add", |c, n| sum(c, n, &[1.0, 1.0])),
    ("And", |c, n| extreme(c, n, false)),
    ("Atan", |c, n| function(c, n, Function::Atan)),
    ("Cast", cast),
    ("Ceil", |c, n| function(c, n, Function::Ceil)),
    ("Clip", clip),
    ("Cos", |c, n| function(c, n, Function::Cos)),
    ("DequantizeLinear", dequantize),
    ("Div", div),
    ("Elu", |c, n| function(c, n, Function::Elu { alpha: n.float("alpha", 1.0)? })),
    ("Equal", |c, n| compare(c, n, Comparison::Equal, false)),
    ("Erf", |c, n| function(c, n, Function::Erf)),
    ("Exp", |c, n| function(c, n, Function::Exp)),
    ("Floor", |c, n| function(c, n, Function::Floor)),
    ("Gelu", gelu),
    ("Greater", |c, n| compare(c, n, Comparison::Less, true)),
    ("GreaterOrEqual", |c, n| compare(c, n, Comparison::LessOrEqual, true)),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", |c, n| function(c, n, Function::HardSwish)),
    ("LeakyRelu", |c, n| function(c, n, Function::Rectifier { leak: n.float("alpha", 0.01)? })),
    ("Less", |c, n| compare(c, n, Comparison::Less, false)),
    ("LessOrEqual", |c, n| compare(c, n, Comparison::LessOrEqual, false)),
    ("Log", |c, n| function(c, n, Function::Log)),
    ("Max", |c, n| extreme(c, n, true)),
    ("Min", |c, n| extreme(c, n, false)),
    ("Mish", |c, n| function(c, n, Function::Mish)),
    ("Mul", mul),
    ("Neg", |c, n| scaled(c, n, -1.0, 0.0)),
    ("Not", |c, n| scaled(c, n, -1.0, 1.0)),
    ("Or", |c, n| extreme(c, n, true)),
    ("PRelu", prelu),
    ("Pow", pow),
    ("QuantizeLinear", quantize),
    ("Reciprocal", |c, n| function(c, n, Function::Reciprocal)),
    ("Relu", |c, n| function(c, n, Function::Rectifier { leak: 0.0 })),
    ("Round", |c, n| function(c, n, Function::Round)),
    ("Selu", selu),
    ("Sigmoid", |c, n| function(c, n, Function::Sigmoid)),
    ("Sign", |c, n| function(c, n, Function::Sign)),
    ("Sin", |c, n| function(c, n, Function::Sin)),
    ("Softplus", |c, n| function(c, n, Function::Softplus)),
    ("Softsign", |c, n| function(c, n, Function::Softsign)),
    ("Sqrt", |c, n| function(c, n, Function::Sqrt)),
    ("Sub", |c, n| sum(c, n, &[1.0, -1.0])),
    ("Sum", |c, n| sum(c, n, &vec![1.0; n.inputs.len()])),
    ("Swish", |c, n| function(c, n, Function::Swish { alpha: n.float("alpha", 1.0)? })),
    ("Tanh", |c, n| function(c, n, Function::Tanh)),
    ("Where", select),
];

/// The numbers of an operand whose result has the same shape.
fn operand(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Result<TapeView, String> {
    let value = call.input(0)?.clone();
    Ok(compiler.view(&value))
}

/// How a runtime rounds an operator that stands for a function.
fn rounding_of(node: &Node, function: Function, element: ElementType) -> Result<Rounding, String> {
    let exact = matches!(function, Function::Abs | Function::Sign) || function.selects();
    let Some(format) = Format::of(element) else {
        // Whole numbers that are only compared or selected. The smallest one has no absolute value.
        if let (Function::Abs, Ok(format)) = (function, whole(element)) {
            return Ok(Rounding::Sum { format, roundings: 0 });
        }
        return if exact { Ok(Rounding::Exact) } else { format_of(element).map(|_| Rounding::Exact) };
    };
    Ok(match function {
        _ if exact => Rounding::Sum { format, roundings: 0 },
        Function::Rectifier { .. } => Rounding::Sum { format, roundings: 1 },
        _ => allowances::rounding(node, function, format)
            .ok_or("how far runtimes are off has not been measured")?,
    })
}

fn function(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, function: Function) -> Results {
    let x = operand(compiler, call)?;
    let rounding = rounding_of(call.node, function, x.element)?;
    Ok(vec![unary(compiler, &x, function, rounding)])
}

/// A function of each number.
fn unary(compiler: &mut Compiler<'_>, x: &TapeView, function: Function, rounding: Rounding) -> TapeValue {
    let kind = StepKind::Unary { function, operands: x.numbers.clone() };
    compiler.push(x.shape.clone(), x.element, rounding, kind)
}

/// Numbers that no runtime computes.
fn exact(compiler: &mut Compiler<'_>, x: &TapeView, function: Function) -> TapeView {
    let kind = StepKind::Unary { function, operands: x.numbers.clone() };
    let numbers = compiler.tape.push(x.numbers.len(), Rounding::Exact, kind).collect();
    TapeView { numbers, ..x.clone() }
}

/// `scale · x + shift`, exactly: minus a number, the opposite of a truth.
fn scaled(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, scale: f64, shift: f64) -> Results {
    let x = operand(compiler, call)?;
    let rounding =
        Format::of(x.element).map_or(Rounding::Exact, |format| Rounding::Sum { format, roundings: 0 });
    if rounding == Rounding::Exact && x.element != ElementType::Bool {
        return format_of(x.element).map(|_| Vec::new());
    }
    let linear = weighed(x.numbers.iter().map(|&x| (x, scale)), vec![shift; x.numbers.len()]);
    Ok(vec![compiler.push(x.shape, x.element, rounding, StepKind::Linear(linear))])
}

/// One term a number.
pub(super) fn weighed(terms: impl Iterator<Item = (Scalar, f64)>, bias: Vec<f64>) -> Linear {
    let (inputs, weights): (Vec<Scalar>, Vec<f64>) = terms.unzip();
    Linear::new(Form::Sparse { starts: (0..inputs.len()).collect(), inputs, weights }, bias)
}

/// The shape that operands are broadcast to.
pub(super) fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        for (have, &need) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            match (*have, need) {
                (1, _) => *have = need,
                (have, need) if need == 1 || need == have => {}
                _ => return Err(format!("operands of shapes {shapes:?} cannot be broadcast")),
            }
        }
    }
    Ok(out)
}

/// For each place of `to`, the place in `from` that is broadcast there.
pub(super) fn places(from: &[usize], to: &[usize]) -> Vec<usize> {
    let count = to.iter().product();
    let place = |mut at: usize| {
        let (mut place, mut step) = (0, 1);
        for (back, &d) in to.iter().rev().enumerate() {
            let own = from.len().checked_sub(back + 1).map_or(1, |axis| from[axis]);
            place += if own == 1 { 0 } else { at % d * step };
            step *= own;
            at /= d.max(1);
        }
        place
    };
    (0..count).map(place).collect()
}

/// A shape, the operands' numbers broadcast to it, and the type of the last one.
type Broadcast = (Vec<usize>, Vec<Vec<Scalar>>, ElementType);

/// All operands as numbers, broadcast to one shape.
fn broadcast_all(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Result<Broadcast, String> {
    let values = (0..call.inputs.len()).map(|i| call.input(i).cloned()).collect::<Result<Vec<_>, _>>()?;
    let shapes: Vec<&[usize]> = values.iter().map(TapeValue::shape).collect();
    let shape = broadcast(&shapes)?;
    let mut all = Vec::with_capacity(values.len());
    for value in &values {
        let view = compiler.view(value);
        all.push(places(&view.shape, &shape).into_iter().map(|i| view.numbers[i]).collect());
    }
    let element = values.last().ok_or("it has no operands")?.element();
    Ok((shape, all, element))
}

/// A sum with these signs: one rounding a plus. Constants are part of the bias.
fn sum(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, signs: &[f64]) -> Results {
    let values = (0..signs.len()).map(|i| call.input(i)).collect::<Result<Vec<_>, _>>()?;
    let shapes: Vec<&[usize]> = values.iter().map(|v| v.shape()).collect();
    let shape = broadcast(&shapes)?;
    let format = format_of(values.first().ok_or("it has no operands")?.element())?;
    let count: usize = shape.iter().product();
    let constants = values.iter().filter(|value| matches!(value, TapeValue::Known(_))).count();
    let mut bias = if constants == 1 { vec![0.0; count] } else { Vec::new() };
    let mut rows: Vec<(Vec<usize>, TapeView, f64)> = Vec::new();
    for (value, &sign) in values.iter().zip(signs) {
        let map = places(value.shape(), &shape);
        match value {
            // Several constants would be added up outside of the intervals.
            TapeValue::Known(tensor) if constants == 1 && tensor.to_f64().iter().all(|x| x.is_finite()) => {
                let terms = tensor.to_f64();
                bias.iter_mut().zip(map).for_each(|(b, i)| *b = sign * terms[i]);
            }
            value => {
                let view = compiler.view(value);
                rows.push((map, view, sign));
            }
        }
    }
    compiler.spend(count * rows.len())?;
    let terms =
        (0..count).flat_map(|at| rows.iter().map(move |(map, view, sign)| (view.numbers[map[at]], *sign)));
    let (inputs, weights): (Vec<Scalar>, Vec<f64>) = terms.unzip();
    let starts = (0..count).map(|at| at * rows.len()).collect();
    let linear = Linear::new(Form::Sparse { starts, inputs, weights }, bias);
    let before = rows.iter().map(|(_, view, _)| roundings_of(compiler, view)).max().unwrap_or(0);
    let rounding = Rounding::Sum { format, roundings: before + signs.len() - 1 };
    let element = values[0].element();
    Ok(vec![compiler.push(shape, element, rounding, StepKind::Linear(linear))])
}

/// How often the terms of products of matrices and of convolutions are rounded: runtimes fuse a sum with them, and may then begin
/// with what is added, so that all of these roundings see it.
fn roundings_of(compiler: &Compiler<'_>, view: &TapeView) -> usize {
    let of_step = |step: &Step| match (&step.kind, step.rounding) {
        (StepKind::Linear(_), Rounding::Sum { roundings, .. }) if roundings > 1 => roundings,
        _ => 0,
    };
    let mut most = 0;
    let mut last = usize::MAX;
    for &number in &view.numbers {
        let at = compiler.tape.step_of(number);
        if at != last {
            (most, last) = (most.max(of_step(&compiler.tape.steps[at])), at);
        }
    }
    most
}

/// A product with a constant is linear, one of two numbers is not.
fn mul(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let (constant, varying) = match (a, b) {
        (TapeValue::Known(c), x) | (x, TapeValue::Known(c)) => (c, x),
        _ => return product(compiler, call),
    };
    let factors = constant.to_f64();
    factor(compiler, (a.shape(), b.shape()), (&factors, &constant.shape), varying, (1, true))
}

/// Numbers times constants, so often rounded; the constants may be rounded themselves.
fn factor(
    compiler: &mut Compiler<'_>,
    shapes: (&[usize], &[usize]),
    (factors, constant): (&[f64], &[usize]),
    varying: &TapeValue,
    (roundings, exact): (usize, bool),
) -> Results {
    let shape = broadcast(&[shapes.0, shapes.1])?;
    let view = compiler.view(varying);
    let format = format_of(view.element)?;
    if factors.iter().any(|x| !x.is_finite()) {
        return Err("a factor that is no finite number has no enclosure".into());
    }
    let (own, of) = (places(&view.shape, &shape), places(constant, &shape));
    let terms = own.iter().zip(&of).map(|(&i, &j)| (view.numbers[i], factors[j]));
    // Powers of two scale without rounding, as long as nothing underflows.
    let linear = weighed(terms, Vec::new()).computed(exact);
    Ok(vec![compiler.push(
        shape,
        view.element,
        Rounding::Sum { format, roundings },
        StepKind::Linear(linear),
    )])
}

fn product(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (shape, all, element) = broadcast_all(compiler, call)?;
    let [a, b] = all.as_slice() else { return Err("a product of other than two operands".into()) };
    let pairs = a.iter().copied().zip(b.iter().copied()).collect();
    let rounding = Rounding::Sum { format: format_of(element)?, roundings: 1 };
    Ok(vec![compiler.push(shape, element, rounding, StepKind::Product { pairs })])
}

fn div(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if let TapeValue::Known(divisor) = b {
        let divisors = divisor.to_f64();
        let power = |x: &f64| x.is_normal() && x.to_bits() << 12 == 0;
        // The reciprocal of another number is rounded itself.
        let exact = divisors.iter().all(power);
        // In double precision the factor here counts as well as a runtime's.
        let roundings = if exact { 1 } else { 3 };
        let factors: Vec<f64> = divisors.iter().map(|x| 1.0 / x).collect();
        return factor(compiler, (a.shape(), b.shape()), (&factors, &divisor.shape), a, (roundings, exact));
    }
    let divisor = compiler.view(b);
    let reciprocal = TapeValue::Numbers(exact(compiler, &divisor, Function::Reciprocal));
    let inputs = vec![Some(a.clone()), Some(reciprocal)];
    mul(compiler, &TapeCall { node: call.node, opset: call.opset, inputs })
}

fn pow(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    if let (Some(TapeValue::Known(_)), Some(TapeValue::Numbers(x))) = (call.optional(0), call.optional(1)) {
        return exponential(compiler, call, x.clone());
    }
    let exponent = call.known_scalar(1)?.ok_or("an exponent for each value has no enclosure")?;
    let power = match exponent {
        1.0 => Function::Identity,
        2.0 => Function::Square,
        3.0 => Function::Cube,
        -1.0 => Function::Reciprocal,
        0.5 => Function::Sqrt,
        _ => return Err(format!("the power {exponent} has no enclosure")),
    };
    let (base, exponent) = (call.input(0)?.shape(), call.input(1)?.shape());
    let shape = broadcast(&[base, exponent])?;
    let mut results = function(compiler, call, power)?;
    if let Some(TapeValue::Numbers(view)) = results.first_mut() {
        // An exponent with one value and many axes adds axes.
        view.shape = shape;
    }
    Ok(results)
}

/// `base^x = exp(x · ln base)` for one positive base.
fn exponential(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, x: TapeView) -> Results {
    let base = call.known_scalar(0)?.filter(|base| *base > 0.0 && base.is_finite());
    let base = base.ok_or("a power of a base that is not positive has no enclosure")?;
    if call.input(0)?.element() != x.element {
        return Err("a power of operands of two types has no enclosure".into());
    }
    let rounding = rounding_of(call.node, Function::Exp, x.element)?;
    let count = x.numbers.len();
    // The logarithm's own rounding is a hundredth of what lines and ranges have to spare.
    let linear = weighed(x.numbers.iter().map(|&x| (x, base.ln())), Vec::new()).computed(false);
    let scaled = compiler.tape.push(count, Rounding::Exact, StepKind::Linear(linear)).collect();
    Ok(vec![unary(compiler, &TapeView { numbers: scaled, ..x }, Function::Exp, rounding)])
}

fn extreme(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, largest: bool) -> Results {
    let (shape, all, element) = broadcast_all(compiler, call)?;
    let mut groups = Groups::default();
    for at in 0..shape.iter().product() {
        groups.push(all.iter().map(|numbers| numbers[at]));
    }
    Ok(vec![compiler.push(shape, element, Rounding::Exact, StepKind::Extreme { largest, groups })])
}

fn compare(
    compiler: &mut Compiler<'_>,
    call: &TapeCall<'_>,
    comparison: Comparison,
    swapped: bool,
) -> Results {
    let (shape, all, _) = broadcast_all(compiler, call)?;
    let [a, b] = all.as_slice() else { return Err("a comparison of other than two operands".into()) };
    let pairs = a.iter().zip(b).map(|(&a, &b)| if swapped { (b, a) } else { (a, b) }).collect();
    Ok(vec![compiler.push(
        shape,
        ElementType::Bool,
        Rounding::Exact,
        StepKind::Compare { comparison, pairs },
    )])
}

fn select(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (shape, all, element) = broadcast_all(compiler, call)?;
    let [condition, a, b] = all.as_slice() else { return Err("a selection without three operands".into()) };
    let choices = (0..condition.len()).map(|i| [condition[i], a[i], b[i]]).collect();
    Ok(vec![compiler.push(shape, element, Rounding::Exact, StepKind::Select { choices })])
}

/// Limits are attributes before operator set 11, operands from then on.
fn clip(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let limit = |name: &str, position: usize, none: f64| -> Result<f64, String> {
        let given = if call.opset < 11 { None } else { call.known_scalar(position)? };
        Ok(if call.opset < 11 { call.float(name, none)? } else { given.unwrap_or(none) })
    };
    let (low, high) = (limit("min", 1, f64::NEG_INFINITY)?, limit("max", 2, f64::INFINITY)?);
    if low.is_nan() || high.is_nan() || low > high {
        return Err("limits that have passed each other have no enclosure".into());
    }
    function(compiler, call, Function::Clip { low, high })
}

/// A slope for each number below zero.
fn prelu(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = operand(compiler, call)?;
    let format = format_of(x.element)?;
    let slopes = call.known(1)?.ok_or("operand 1 is missing")?;
    let map = places(call.input(1)?.shape(), &x.shape);
    let mut numbers = vec![0; x.numbers.len()];
    let mut leaks: Vec<f64> = slopes.clone();
    leaks.sort_by(f64::total_cmp);
    leaks.dedup_by(|a, b| a.total_cmp(b).is_eq());
    for leak in leaks {
        let with: Vec<usize> =
            (0..numbers.len()).filter(|&i| slopes[map[i]].total_cmp(&leak).is_eq()).collect();
        let kind = StepKind::Unary {
            function: Function::Rectifier { leak },
            operands: with.iter().map(|&i| x.numbers[i]).collect(),
        };
        let made = compiler.tape.push(with.len(), Rounding::Sum { format, roundings: 1 }, kind);
        with.into_iter().zip(made).for_each(|(i, number)| numbers[i] = number);
    }
    Ok(vec![TapeValue::Numbers(TapeView { numbers, ..x })])
}

/// A product, a sum, and limits.
fn hard_sigmoid(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    let x = operand(compiler, call)?;
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: 2 };
    let linear = weighed(x.numbers.iter().map(|&x| (x, alpha)), vec![beta; x.numbers.len()]);
    let numbers = compiler.tape.push(x.numbers.len(), rounding, StepKind::Linear(linear)).collect();
    let inner = TapeView { numbers, ..x };
    Ok(vec![unary(compiler, &inner, Function::Clip { low: 0.0, high: 1.0 }, Rounding::Exact)])
}

fn gelu(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let kind = if call.text("approximate", "none")? == "tanh" { Function::GeluTanh } else { Function::Gelu };
    function(compiler, call, kind)
}

/// `gamma · elu(x)`.
fn selu(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = operand(compiler, call)?;
    let (alpha, gamma) = (call.float("alpha", 1.673_263_2)?, call.float("gamma", 1.050_701)?);
    let rounding = rounding_of(call.node, Function::Elu { alpha }, x.element)?;
    let inner = exact(compiler, &x, Function::Elu { alpha });
    let linear = weighed(inner.numbers.iter().map(|&x| (x, gamma)), Vec::new());
    Ok(vec![compiler.push(x.shape, x.element, rounding, StepKind::Linear(linear))])
}

/// Whether each number is not zero.
fn truths(compiler: &mut Compiler<'_>, x: TapeView) -> TapeValue {
    let count = x.numbers.len();
    let zero = compiler.tape.push(1, Rounding::Exact, StepKind::Constant(vec![Interval::point(0.0)])).start;
    let pairs = x.numbers.iter().map(|&number| (number, zero)).collect();
    let kind = StepKind::Compare { comparison: Comparison::Equal, pairs };
    let is_zero = compiler.tape.push(count, Rounding::Exact, kind);
    let linear = weighed(is_zero.map(|number| (number, -1.0)), vec![1.0; count]);
    compiler.push(x.shape, ElementType::Bool, Rounding::Exact, StepKind::Linear(linear))
}

/// Between floats one rounding; to whole numbers cut towards zero, and anything where they do not fit.
fn cast(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = operand(compiler, call)?;
    let to = i32::try_from(call.int("to", 0)?).unwrap_or(0);
    let to = ElementType::from_number(to).map_err(|what| format!("a cast to {what}"))?;
    if to == ElementType::Bool && x.element != ElementType::Bool {
        return Ok(vec![truths(compiler, x)]);
    }
    let (function, rounding) = match (Format::of(x.element), Format::of(to)) {
        (_, Some(format)) => (Function::Identity, Rounding::Sum { format, roundings: 1 }),
        (Some(_), None) => (Function::Truncate, Rounding::Sum { format: whole(to)?, roundings: 0 }),
        (None, None) => (Function::Identity, Rounding::Sum { format: whole(to)?, roundings: 0 }),
    };
    let kind = StepKind::Unary { function, operands: x.numbers };
    Ok(vec![compiler.push(x.shape, to, rounding, kind)])
}

/// A whole-number type as a format whose largest number is the end of what surely fits.
fn whole(element: ElementType) -> Result<Format, String> {
    let largest = match element {
        ElementType::Int8 => 127.0,
        ElementType::Int16 => 32_767.0,
        ElementType::Int32 => 2_147_483_647.0,
        ElementType::Int64 => 9_007_199_254_740_992.0,
        _ => return Err(format!("a cast to {element} has no enclosure")),
    };
    Ok(Format { largest, ..Format::F64 })
}

/// `(x − zero) · scale`.
fn dequantize(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = operand(compiler, call)?;
    let (scale, zero) = scale_and_zero(call, &x)?;
    let element = call.input(1)?.element();
    let format = format_of(element)?;
    let bias = (0..x.numbers.len()).map(|i| -zero[i] * scale[i]).collect();
    let terms = x.numbers.iter().zip(&scale).map(|(&x, &scale)| (x, scale));
    // Products of so few digits are exact here.
    let short = zero.iter().all(|z| z.abs() <= 65_536.0) && format.digits <= 24;
    let linear = weighed(terms, bias).computed(short);
    Ok(vec![compiler.push(
        x.shape,
        element,
        Rounding::Sum { format, roundings: 2 },
        StepKind::Linear(linear),
    )])
}

/// `round(x / scale) + zero`, saturated.
fn quantize(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = operand(compiler, call)?;
    let format = format_of(x.element)?;
    let (scale, zero) = scale_and_zero(call, &x)?;
    let element = call.optional(2).map_or(ElementType::UInt8, TapeValue::element);
    if call.int("output_dtype", 0)? != 0 && call.optional(2).is_none() {
        return Err("a type of the result that is no zero point's has no enclosure".into());
    }
    let (low, high) = match element {
        ElementType::UInt8 => (0.0, 255.0),
        ElementType::Int8 => (-128.0, 127.0),
        ElementType::UInt16 => (0.0, 65_535.0),
        ElementType::Int16 => (-32_768.0, 32_767.0),
        _ => return Err(format!("quantisation to {element} has no enclosure")),
    };
    let count = x.numbers.len();
    let divided = weighed(x.numbers.iter().zip(&scale).map(|(&x, &s)| (x, 1.0 / s)), Vec::new());
    let power = scale.iter().all(|s| s.is_normal() && s.to_bits() << 12 == 0);
    let divided = StepKind::Linear(divided.computed(power));
    let divided = compiler.tape.push(count, Rounding::Sum { format, roundings: 3 }, divided);
    let round = StepKind::Unary { function: Function::Round, operands: divided.collect() };
    let rounded = compiler.tape.push(count, Rounding::Exact, round);
    let moved = weighed(rounded.map(|x| (x, 1.0)), zero);
    let moved = compiler.tape.push(count, Rounding::Exact, StepKind::Linear(moved));
    let kind = StepKind::Unary { function: Function::Clip { low, high }, operands: moved.collect() };
    Ok(vec![compiler.push(x.shape, element, Rounding::Exact, kind)])
}

/// Scale and zero point of each number: one for all, or one for each index of an axis.
fn scale_and_zero(call: &TapeCall<'_>, x: &TapeView) -> Result<(Vec<f64>, Vec<f64>), String> {
    let scale = call.known(1)?.ok_or("operand 1 is missing")?;
    let zero = call.known(2)?.unwrap_or_else(|| vec![0.0; scale.len()]);
    if scale.len() != zero.len()
        || scale.iter().any(|s| !(s.is_finite() && *s > 0.0))
        || call.int("block_size", 0)? != 0
    {
        return Err("these scales and zero points have no enclosure".into());
    }
    let axis = call.int("axis", 1)?;
    let axis = if axis < 0 { axis + x.shape.len() as i64 } else { axis } as usize;
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let index = |i: usize| if scale.len() == 1 { 0 } else { i / inner.max(1) % scale.len() };
    if scale.len() > 1 && x.shape.get(axis) != Some(&scale.len()) {
        return Err("the number of scales is not that of the axis".into());
    }
    Ok((0..x.numbers.len()).map(|i| (scale[index(i)], zero[index(i)])).unzip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_broadcast_operands() {
        assert_eq!(places(&[3], &[2, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(places(&[2, 1], &[2, 3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(places(&[], &[2]), [0, 0]);
    }
}
