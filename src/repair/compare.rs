//! How often a patched network decides differently.

use crate::network::{Network, Real};
use crate::property::decision::Decision;

/// Points evaluated at once.
const LANES: usize = 64;

/// The number of points (flat inputs) for which two networks of the same shape decide differently.
pub fn differences<T: Real>(
    before: &Network<T>,
    after: &Network<T>,
    decision: Decision,
    points: impl Iterator<Item = Vec<T>>,
) -> usize {
    let mut workspaces = [before.workspace(LANES), after.workspace(LANES)];
    let mut outputs = [Vec::new(), Vec::new()];
    let (inputs, classes) = (before.input_len(), before.output_len());
    let mut block = vec![T::zero(); inputs * LANES];
    let (mut filled, mut different) = (0, 0);
    let mut points = points.peekable();
    while let Some(point) = points.next() {
        for (i, &x) in point.iter().enumerate().take(inputs) {
            block[i * LANES + filled] = x;
        }
        filled += 1;
        if filled < LANES && points.peek().is_some() {
            continue;
        }
        for ((network, workspace), out) in [before, after].into_iter().zip(&mut workspaces).zip(&mut outputs)
        {
            network.forward(workspace, &block);
            network.outputs_into(workspace, out);
        }
        let decided = |out: &[T], lane: usize| decision.of((0..classes).map(|o| out[o * LANES + lane]));
        different +=
            (0..filled).filter(|&lane| decided(&outputs[0], lane) != decided(&outputs[1], lane)).count();
        filled = 0;
    }
    different
}
