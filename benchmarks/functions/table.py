"""The functions that are measured: ONNX's operator, its attributes and constants, and the exact function.

`exact` maps doubles to doubles. Formulas that cancel are replaced by equal ones that do not: x·Φ(x) for Gelu, a logistic
for 1 + tanh, expm1 and log1p. `wide` is the same in extended precision, for doubles.
"""
import dataclasses
from typing import Callable

import numpy as np
from scipy import special

F32 = np.float32


@dataclasses.dataclass
class Function:
    name: str
    operator: str
    exact: Callable
    range: tuple | None = None
    attributes: dict = dataclasses.field(default_factory=dict)
    constants: tuple = ()
    wide: Callable | None = None
    opset: int = 22
    output: int = 0


def plain(operator, exact, range=None, wide=True, **more):
    return Function(operator, operator, exact, range, wide=exact if wide else None, **more)


def named(name, operator, exact, range=None, opset=22, constants=(), **attributes):
    return Function(name, operator, exact, range, attributes, constants, opset=opset)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def logistic(x):
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def elu(alpha):
    return lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu(alpha):
    return lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def selu(x):
    alpha, gamma = float(F32(1.67326319217681884765625)), float(F32(1.05070102214813232421875))
    return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gelu_tanh(x):
    y = x * logistic(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return np.where(np.isneginf(x), np.nan, y)


def mish(x):
    w = np.exp(np.minimum(x, 40))
    n = w * (w + 2)
    return np.where(np.isneginf(x), np.nan, x * (n / (n + 2)))


def swish(alpha):
    return lambda x: np.where(np.isneginf(x), np.nan, x * logistic(alpha * x))


def hard_sigmoid(x):
    return np.clip(float(F32(0.2)) * x + 0.5, 0, 1)


def hard_swish(x):
    return x * np.clip(x / 6 + 0.5, 0, 1)


def power(p):
    return named(f"Pow {p:g}", "Pow", lambda x: np.power(x, float(F32(p))), constants=(p,))


def rnn(activation, exact, range=None, alpha=None, beta=None):
    """h = f(x): one hidden value, weight 1, recurrent weight 0."""
    more = {} if alpha is None else {"activation_alpha": [alpha]}
    more |= {} if beta is None else {"activation_beta": [beta]}
    return recurrent("RNN", activation, exact, range, ([[[1.0]]], [[[0.0]]]), 1, activations=[activation], **more)


def recurrent(operator, place, exact, range, constants, output, **attributes):
    return Function(f"{operator} {place}", operator, exact, range, attributes | {"hidden_size": 1}, constants, output=output)


def lstm(place, exact, range, weights, biases, activations, output):
    """Gates i, o, f, c with one weight and one bias each; gates that shall be 1 are HardSigmoid far to the right."""
    constants = (np.reshape(weights, (1, 4, 1)), np.zeros((1, 4, 1)), np.reshape(biases + [0.0] * 4, (1, 8)))
    more = dict(activation_alpha=[0.2], activation_beta=[0.5]) if activations[0] == "HardSigmoid" else {}
    return recurrent("LSTM", place, exact, range, constants, output, activations=activations, **more)


def softsign(x):
    return np.where(np.isinf(x), np.nan, x / (1 + np.abs(x)))


HALF_PI = float(np.pi / 2)
ALPHA, GAMMA = float(F32(1.67326319217681884765625)), float(F32(1.05070102214813232421875))

FUNCTIONS = [
    plain("Sigmoid", logistic, (0, 1)),
    plain("Tanh", np.tanh, (-1, 1)),
    plain("Exp", np.exp, (0, np.inf)),
    plain("Erf", special.erf, (-1, 1), wide=False),
    plain("Softplus", softplus, (0, np.inf)),
    plain("Elu", elu(1.0), (-1, np.inf)),
    plain("Selu", selu, (-ALPHA * GAMMA, np.inf)),
    named("Gelu", "Gelu", lambda x: np.where(np.isneginf(x), np.nan, x * special.ndtr(x)), (-0.16997120747990369, np.inf)),
    named("Gelu tanh", "Gelu", gelu_tanh, (-0.17004075055, np.inf), approximate="tanh"),
    plain("Sin", np.sin, (-1, 1)),
    plain("Cos", np.cos, (-1, 1)),
    plain("Log", np.log),
    plain("Sqrt", np.sqrt, (0, np.inf)),
    power(2.0),
    plain("Reciprocal", lambda x: 1 / x),
    plain("Softsign", softsign, (-1, 1)),
    plain("Celu", celu(1.0), (-1, np.inf)),
    named("HardSwish", "HardSwish", hard_swish, (-0.375, np.inf)),
    plain("Mish", mish, (-0.30884341301725, np.inf), wide=False),
    named("Swish", "Swish", swish(1.0), (-0.27846454276107, np.inf), opset=24),
    plain("Tan", np.tan),
    plain("Asin", np.arcsin, (-HALF_PI, HALF_PI)),
    plain("Acos", np.arccos, (0, float(np.pi))),
    plain("Atan", np.arctan, (-HALF_PI, HALF_PI)),
    plain("Sinh", np.sinh),
    plain("Cosh", np.cosh, (1, np.inf)),
    plain("Asinh", np.arcsinh),
    plain("Acosh", np.arccosh, (0, np.inf)),
    plain("Atanh", np.arctanh),
    plain("HardSigmoid", hard_sigmoid, (0, 1)),
    named("Elu 0.3", "Elu", elu(float(F32(0.3))), (-float(F32(0.3)), np.inf), alpha=0.3),
    named("Elu 2", "Elu", elu(2.0), (-2, np.inf), alpha=2.0),
    named("Celu 0.5", "Celu", celu(0.5), (-0.5, np.inf), alpha=0.5),
    named("Celu 3", "Celu", celu(3.0), (-3, np.inf), alpha=3.0),
    named("Swish 1.702", "Swish", swish(float(F32(1.702))), opset=24, alpha=1.702),
    named("LeakyRelu", "LeakyRelu", lambda x: np.where(x >= 0, x, float(F32(0.01)) * x)),
    *[power(p) for p in (3.0, 4.0, 0.5, 1.5, -1.0, -0.5, -2.0, 0.3, 10.0)],
    rnn("Tanh", np.tanh, (-1, 1)),
    rnn("Sigmoid", logistic, (0, 1)),
    rnn("Softsign", softsign, (-1, 1)),
    rnn("Softplus", softplus, (0, np.inf)),
    rnn("HardSigmoid", hard_sigmoid, (0, 1), 0.2, 0.5),
    rnn("Elu", elu(1.0), (-1, np.inf), 1.0),
    lstm("g Tanh", np.tanh, (-1, 1), [0.0, 0.0, 0.0, 1.0], [100.0, 100.0, 0.0, 0.0], ["HardSigmoid", "Tanh", "Tanh"], 2),
    lstm("h Tanh", lambda x: np.tanh(np.maximum(x, 0)), (-1, 1), [0.0, 0.0, 0.0, 1.0], [100.0, 100.0, 0.0, 0.0], ["HardSigmoid", "Relu", "Tanh"], 1),
    lstm("f Sigmoid", logistic, (0, 1), [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], ["Sigmoid", "Relu", "Tanh"], 2),
    rnn("ScaledTanh", lambda x: float(F32(1.7)) * np.tanh(float(F32(0.6)) * x), (-float(F32(1.7)), float(F32(1.7))), 1.7, 0.6),
]
