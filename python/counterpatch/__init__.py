"""Counterpatch, a falsifier for neural networks.

It looks for an input that violates a property of an ONNX network, and proves that there is none where it can:

>>> import counterpatch
>>> verdict = counterpatch.falsify("network.onnx", "property.vnnlib", timeout=60)  # doctest: +SKIP
>>> if verdict:  # doctest: +SKIP
...     print(verdict.witness.inputs)  # NumPy arrays by name

The same questions without files: :func:`falsify` with ``box`` and ``unsafe``, :func:`robustness`, :func:`radius`,
:func:`nearest`. :func:`check` judges a counterexample of any tool.
"""

from ._api import (
    Counterexample,
    Judgement,
    Nearest,
    Radius,
    Step,
    Verdict,
    check,
    falsify,
    nearest,
    radius,
    robustness,
)
from ._errors import Error, InputError, PropertyWarning

__all__ = [
    "Counterexample",
    "Error",
    "InputError",
    "Judgement",
    "Nearest",
    "PropertyWarning",
    "Radius",
    "Step",
    "Verdict",
    "check",
    "falsify",
    "nearest",
    "radius",
    "robustness",
]
