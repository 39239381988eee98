//! Losses of attacks on one point: the value, and its derivatives by the outputs. All are to be made large.

/// Largest output of another class than `label`, and that class.
fn strongest(outputs: &[f32], label: usize) -> Option<usize> {
    let others = (0..outputs.len()).filter(|&class| class != label);
    others.max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]))
}

/// Cross-entropy of the softmax of the outputs against the label.
pub fn cross_entropy(outputs: &[f32], label: usize, weights: &mut [f32]) -> f32 {
    let top = outputs.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
    let powers: Vec<f64> = outputs.iter().map(|&x| f64::from(x - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    for (class, (weight, power)) in weights.iter_mut().zip(&powers).enumerate() {
        // The label's share is summed from the others', so that it does not vanish where the softmax saturates.
        let others = || powers.iter().enumerate().filter(|&(other, _)| other != label).map(|(_, p)| p);
        *weight = if class == label { -others().sum::<f64>() / sum } else { power / sum } as f32;
    }
    (sum.ln() + f64::from(top) - f64::from(outputs[label])) as f32
}

/// The strongest other output over the label's.
pub fn margin(outputs: &[f32], label: usize, weights: &mut [f32]) -> f32 {
    match strongest(outputs, label) {
        Some(target) => difference(outputs, label, target, weights),
        None => f32::NEG_INFINITY,
    }
}

/// A target's output over the label's.
pub fn difference(outputs: &[f32], label: usize, target: usize, weights: &mut [f32]) -> f32 {
    weights.fill(0.0);
    weights[target] = 1.0;
    weights[label] = -1.0;
    outputs[target] - outputs[label]
}

/// The targeted difference-of-logits ratio, `−(o_y − o_t) / (o_(1) − ½ (o_(3) + o_(4)))`, with outputs in brackets sorted,
/// the largest first (Croce and Hein 2020, equation 7). With fewer than four classes the ratio has no meaning: it is
/// the [`difference`] then.
///
/// The derivatives are multiplied by the denominator: attacks here use their signs alone.
pub fn targeted_dlr(outputs: &[f32], label: usize, target: usize, weights: &mut [f32]) -> f32 {
    let gap = difference(outputs, label, target, weights);
    let mut order: Vec<usize> = (0..outputs.len()).collect();
    order.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
    let [first, _, third, fourth, ..] = order[..] else { return gap };
    let scale = outputs[first] - 0.5 * (outputs[third] + outputs[fourth]) + 1e-12;
    let ratio = gap / scale;
    weights[first] -= ratio;
    weights[third] += 0.5 * ratio;
    weights[fourth] += 0.5 * ratio;
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derivatives against finite differences; `scale` undoes the factor that a loss leaves out.
    fn check(loss: impl Fn(&[f32], &mut [f32]) -> f32, scale: impl Fn(&[f32]) -> f32, outputs: &[f32]) {
        let mut weights = vec![0.0; outputs.len()];
        loss(outputs, &mut weights);
        for class in 0..outputs.len() {
            let step = 1.0 / 256.0;
            let mut moved = outputs.to_vec();
            let mut unused = vec![0.0; outputs.len()];
            moved[class] += step;
            let up = loss(&moved, &mut unused);
            moved[class] -= 2.0 * step;
            let slope = (up - loss(&moved, &mut unused)) / (2.0 * step) * scale(outputs);
            assert!((slope - weights[class]).abs() < 2e-3, "class {class}: {slope}, {weights:?}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_values() {
        let one = |_: &[f32]| 1.0;
        let spread = |o: &[f32]| {
            let mut sorted = o.to_vec();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted[0] - 0.5 * (sorted[2] + sorted[3])
        };
        let outputs = [1.5, -0.25, 0.75, 2.5, -1.0];
        for label in 0..5 {
            check(|o, w| cross_entropy(o, label, w), one, &outputs);
            check(|o, w| margin(o, label, w), one, &outputs);
            for target in (0..5).filter(|&target| target != label) {
                check(|o, w| targeted_dlr(o, label, target, w), spread, &outputs);
            }
        }
        check(|o, w| targeted_dlr(o, 0, 1, w), one, &[1.0, 0.25, 0.5]);
    }

    #[test]
    fn a_saturated_softmax_still_has_a_direction() {
        let mut weights = [0.0; 3];
        let loss = cross_entropy(&[60.0, 0.0, -5.0], 0, &mut weights);
        assert!(
            loss >= 0.0 && weights[0] < 0.0 && weights[1] > weights[2] && weights[2] > 0.0,
            "{weights:?}"
        );
    }
}
