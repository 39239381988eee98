"""Counterpatch, a falsifier for neural networks.

It looks for an input that violates a property of an ONNX network, and proves that there is none where it can:

>>> import counterpatch
>>> verdict = counterpatch.falsify("network.onnx", "property.vnnlib", timeout=60)  # doctest: +SKIP
>>> if verdict:  # doctest: +SKIP
...     print(verdict.witness.inputs)  # NumPy arrays by name

The same questions without files: :func:`falsify` with ``box`` and ``unsafe``, :func:`robustness`, :func:`radius`,
:func:`nearest`. :func:`check` judges a counterexample of any tool, :func:`repair` changes a network so that it is none any more, and
:func:`attack` changes images until a classifier takes them for something else.
"""

from ._api import (
    Adversarial,
    Attacks,
    Attempt,
    Change,
    Counterexample,
    Judgement,
    Nearest,
    NearestMiss,
    Radius,
    Repair,
    Step,
    Verdict,
    attack,
    check,
    falsify,
    nearest,
    radius,
    repair,
    robustness,
)
from ._errors import Error, InputError, PropertyWarning

__all__ = [
    "Adversarial",
    "Attacks",
    "Attempt",
    "Change",
    "Counterexample",
    "Error",
    "InputError",
    "Judgement",
    "Nearest",
    "NearestMiss",
    "PropertyWarning",
    "Radius",
    "Repair",
    "Step",
    "Verdict",
    "attack",
    "check",
    "falsify",
    "nearest",
    "radius",
    "repair",
    "robustness",
]
