//! Element-wise functions of one operand with attributes.

use super::super::array::{combined, floats, same_element};
use super::super::call::{Call, Results};
use super::Entry;
use super::unary::{erf, float, sigmoid};

pub(super) const OPERATORS: &[Entry] = &[
    ("Celu", celu),
    ("Elu", elu),
    ("Gelu", gelu),
    ("HardSigmoid", hard_sigmoid),
    ("IsInf", is_inf),
    ("LeakyRelu", leaky_relu),
    ("PRelu", prelu),
    ("Selu", selu),
    ("Shrink", shrink),
    ("Swish", swish),
    ("ThresholdedRelu", thresholded_relu),
];

fn celu(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 1.0)?;
    float(call, |x| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0))
}

fn elu(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 1.0)?;
    float(call, |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
}

fn gelu(call: &Call<'_>) -> Results {
    match call.string("approximate", "none")? {
        "none" => float(call, |x| 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))),
        "tanh" => {
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            float(call, |x| 0.5 * x * (1.0 + (scale * (x + 0.044715 * x * x * x)).tanh()))
        }
        other => Err(format!("its attribute approximate is {other:?}, not \"none\" or \"tanh\"")),
    }
}

fn swish(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 1.0)?;
    float(call, |x| x * sigmoid(alpha * x))
}

fn hard_sigmoid(call: &Call<'_>) -> Results {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    float(call, |x| (alpha * x + beta).clamp(0.0, 1.0))
}

fn is_inf(call: &Call<'_>) -> Results {
    let positive = call.flag("detect_positive", true)?;
    let negative = call.flag("detect_negative", true)?;
    let x = call.input(0)?;
    let found = |v: &f64| (positive && *v == f64::INFINITY) || (negative && *v == f64::NEG_INFINITY);
    Ok(vec![call.store_bools(x.shape.clone(), floats(x).iter().map(found))])
}

fn leaky_relu(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 0.01)?;
    float(call, |x| if x < 0.0 { alpha * x } else { x })
}

/// The slope is broadcast to the operand, but not the other way round.
fn prelu(call: &Call<'_>) -> Results {
    let (x, slope) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[x, slope])?;
    if !element.is_float() {
        return Err(format!("floats are needed where {element} is given"));
    }
    let fits = |(a, b): (&usize, &usize)| a == b || *b == 1;
    if slope.shape.len() > x.shape.len() || !x.shape.iter().rev().zip(slope.shape.iter().rev()).all(fits) {
        return Err(format!("a slope of shape {:?} for an operand of shape {:?}", slope.shape, x.shape));
    }
    let bent = |v, slope| if v < 0.0 { v * slope } else { v };
    let values = combined(&x.shape, [&x.shape, &slope.shape], &floats(x), &floats(slope), bent)?;
    Ok(vec![call.store(element, x.shape.clone(), values)])
}

/// The defaults are the specification's, rounded to single precision as the file would hold them.
fn selu(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 1.673_263_2)?;
    let gamma = call.float("gamma", 1.050_701)?;
    float(call, |x| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() })
}

fn shrink(call: &Call<'_>) -> Results {
    let (bias, lambda) = (call.float("bias", 0.0)?, call.float("lambd", 0.5)?);
    float(call, |x| {
        if x < -lambda {
            x + bias
        } else if x > lambda {
            x - bias
        } else {
            0.0
        }
    })
}

fn thresholded_relu(call: &Call<'_>) -> Results {
    let alpha = call.float("alpha", 1.0)?;
    float(call, |x| if x > alpha { x } else { 0.0 })
}
