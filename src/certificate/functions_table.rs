//! How far runtimes are off a function, as measured (`benchmarks/functions.md`).

use super::format::Format;

/// What a runtime's value of a function may differ from the mathematical one by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowance {
    /// Units in the last place of the result, in float32.
    pub(super) ulps: f64,
    /// Anywhere: where a runtime saturates, or flushes small results to zero.
    pub(super) absolute: f64,
}

/// By ONNX operator.
const ALLOWANCES: &[(&str, Allowance)] = &[
    ("Pow", Allowance { ulps: 4.0, absolute: 0.0 }),
    ("Reciprocal", Allowance { ulps: 4.0, absolute: 0.0 }),
    ("Sqrt", Allowance { ulps: 2.0, absolute: 0.0 }),
    ("Sigmoid", Allowance { ulps: 16.0, absolute: 4e-8 }),
    ("Tanh", Allowance { ulps: 16.0, absolute: 1e-37 }),
    ("Exp", Allowance { ulps: 8.0, absolute: 1e-37 }),
    ("Softmax", Allowance { ulps: 64.0, absolute: 1e-37 }),
    ("Sin", Allowance { ulps: 4.0, absolute: 1e-7 }),
    ("Cos", Allowance { ulps: 4.0, absolute: 1e-7 }),
];

/// What is allowed for an operator; `None` where nobody has measured it.
pub(super) fn allowance(operator: &str) -> Option<Allowance> {
    ALLOWANCES.iter().find(|(name, _)| *name == operator).map(|&(_, allowance)| allowance)
}

impl Allowance {
    /// In another format: at least as many units, and the absolute part in proportion to the unit.
    pub(super) fn in_format(self, format: Format) -> (f64, f64) {
        let ratio = format.unit() / Format::F32.unit();
        (self.ulps, self.absolute * ratio.max(1.0))
    }
}
