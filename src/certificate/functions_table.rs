//! How far functions of one value may be off in float32: data, written by `benchmarks/functions.py write`.
//!
//! Measured in ONNX Runtime 1.32.0 on Intel(R) Xeon(R) Processor
//! (avx2, fma, avx512f, avx512_fp16), against double precision; `benchmarks/functions.md` has the table.
//! Every number is 2 times what was found, since other processors and runtimes differ.

/// A computed value is off by at most `ulps` units in the last place of the exact one, and `absolute` beside that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    /// Units in the last place of the exact result in float32 (2⁻¹⁴⁹ for subnormal ones).
    pub(crate) ulps: f64,
    /// Beside them: saturation, cancellation, results that are flushed to zero.
    pub(crate) absolute: f64,
}

const fn row(name: &'static str, ulps: f64, absolute: f64) -> (&'static str, Allowance) {
    (name, Allowance { ulps, absolute })
}

/// By ONNX's operator. `Gelu tanh` is Gelu with `approximate = tanh`; `RNN f` is an activation there; LSTM has the operators' own.
pub(crate) const ALLOWANCES: &[(&str, Allowance)] = &[
    // every 64th float32 and all near ends tried
    row("Acos", 8.6, 3e-45),
    // every 64th float32 and all near ends tried
    row("Acosh", 3.9, 3e-45),
    // every 64th float32 and all near ends tried
    row("Asin", 9.0, 3e-45),
    // every 64th float32 and all near ends tried
    row("Asinh", 3.6, 3e-45),
    // every 64th float32 and all near ends tried
    row("Atan", 7.7, 3e-45),
    // every 64th float32 and all near ends tried
    row("Atanh", 3.2, 3e-45),
    // every 64th float32 and all near ends tried; `absolute` times max(1, |alpha|)
    row("Celu", 1.0, 1.2e-07),
    // every 64th float32 and all near ends tried
    row("Cos", 4.8, 3e-45),
    // every 64th float32 and all near ends tried
    row("Cosh", 3.7, 3e-45),
    // every 64th float32 and all near ends tried; `absolute` times max(1, |alpha|)
    row("Elu", 1.0, 1.2e-07),
    // every 64th float32 and all near ends tried
    row("Erf", 2.0, 3e-45),
    // every float32 tried
    row("Exp", 1.8, 3e-45),
    // every 64th float32 and all near ends tried
    row("Gelu", 2.0, 1.7e-07),
    // every 64th float32 and all near ends tried
    row("Gelu tanh", 1.0, 1.6e-06),
    // every 64th float32 and all near ends tried; for the default alpha and beta; better enclosed step by step (product, sum, clip)
    row("HardSigmoid", 1.0, 2.9e-08),
    // every 64th float32 and all near ends tried; better enclosed step by step (product, sum, clip, product)
    row("HardSwish", 2.0, 1.2e-07),
    // every 64th float32 and all near ends tried; one product
    row("LeakyRelu", 1.0, 3e-45),
    // every 64th float32 and all near ends tried
    row("Log", 6.5, 3e-45),
    // every 64th float32 and all near ends tried
    row("Mish", 16.0, 2.9e-41),
    // every 64th float32 and all near ends tried; the worst of the exponents in functions.md; 3 is x x x
    row("Pow", 2.6, 3e-45),
    // every 64th float32 and all near ends tried; `absolute` times max(1, |alpha|)
    row("RNN Elu", 1.0, 6e-08),
    // every 64th float32 and all near ends tried; as HardSigmoid
    row("RNN HardSigmoid", 1.0, 2.9e-08),
    // every 64th float32 and all near ends tried; for alpha 1.7, beta 0.6; `absolute` times max(1, |alpha| / 1.7)
    row("RNN ScaledTanh", 3.0, 4.3e-07),
    // every 64th float32 and all near ends tried
    row("RNN Sigmoid", 4.9, 3e-45),
    // every 64th float32 and all near ends tried; infinite from x = 88.7229 on
    row("RNN Softplus", 2.0, 1.2e-07),
    // every 64th float32 and all near ends tried
    row("RNN Softsign", 3.0, 3e-45),
    // every 64th float32 and all near ends tried
    row("RNN Tanh", 2.0, 2.4e-07),
    // every 64th float32 and all near ends tried
    row("Reciprocal", 1.0, 3e-45),
    // every 64th float32 and all near ends tried; for the default alpha and gamma; `absolute` times max(1, |alpha gamma| / 1.758)
    row("Selu", 1.0, 2.4e-07),
    // every float32 tried
    row("Sigmoid", 1.0, 3.6e-07),
    // every 64th float32 and all near ends tried
    row("Sin", 4.8, 3e-45),
    // every 64th float32 and all near ends tried
    row("Sinh", 3.7, 3e-45),
    // every 64th float32 and all near ends tried; ONNX Runtime takes log1p(exp(-|x|)) + max(x, 0)
    row("Softplus", 8.3, 3e-45),
    // every 64th float32 and all near ends tried
    row("Softsign", 4.0, 3e-45),
    // every 64th float32 and all near ends tried
    row("Sqrt", 1.0, 3e-45),
    // every 64th float32 and all near ends tried; `absolute` times max(1, 1 / |alpha|)
    row("Swish", 1.0, 4.6e-06),
    // every 64th float32 and all near ends tried
    row("Tan", 2.9, 3e-45),
    // every float32 tried
    row("Tanh", 12.0, 2.9e-43),
];
