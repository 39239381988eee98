"""Questions and answers."""

import os
import warnings
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _arguments as arguments
from ._arguments import Limits, Network, OneNetwork, Property, Unsafe
from ._errors import InputError, PropertyWarning
from ._native import Task

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An input that violates the property, replayed by an engine that shares nothing with the search."""

    #: Inputs by name, in the network's types and shapes: what ``onnxruntime`` takes as it is.
    inputs: dict[str, Array] = field(repr=False)
    #: What the network computes there, by name.
    outputs: dict[str, Array] = field(repr=False)
    #: ``certified`` (every permitted computation violates the property), ``replayed`` (all that were tried do, with room to
    #: spare) or ``thin`` (another runtime's rounding may hide it).
    certainty: Literal["certified", "replayed", "thin"]
    #: By how much the violation exceeds what other runtimes' rounding may cost, in units of the outputs.
    excess: float
    #: The results file of the competition, with the decimals that count.
    text: str = field(repr=False)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the results file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a search has concluded. It is true if there is a counterexample."""

    #: ``sat``: there is a counterexample. ``unsat``: proved, and checked, that there is none. ``unknown``: neither.
    status: Literal["sat", "unsat", "unknown"]
    #: What that rests on; of ``unknown``, why the search ended.
    reason: str
    #: The counterexample.
    witness: Optional[Counterexample]
    #: Of ``unknown``, a counterexample that another runtime's rounding may hide.
    thin: Optional[Counterexample]
    #: How long it took.
    seconds: float
    #: The margin that came nearest to a violation, which is one from 0 on; ``None`` if nothing was evaluated.
    best_margin: Optional[float]
    #: What was decided on the way, such as sizes of open dimensions.
    notes: list[str] = field(repr=False)

    def __bool__(self) -> bool:
        return self.status == "sat"


@dataclass(frozen=True, eq=False)
class Nearest:
    """What is known of the nearest counterexample. It is true if there is a counterexample."""

    #: The verdict; its witness is the nearest counterexample known.
    verdict: Verdict
    #: Its distance; infinite if there is none.
    distance: float
    #: No violating input is nearer: proved; infinite if there is none at all.
    bound: float
    #: Whether the two meet, within the gap asked for.
    optimal: bool

    def __bool__(self) -> bool:
        return bool(self.verdict)


@dataclass(frozen=True)
class Step:
    """One search of :func:`radius`."""

    #: How far inputs could be from the point.
    eps: float
    #: The answer.
    status: Literal["sat", "unsat", "unknown"]
    #: The time it took.
    seconds: float


@dataclass(frozen=True, eq=False)
class Radius:
    """How far from a point the nearest counterexample is, from both sides."""

    #: The largest distance within which there is proved to be none; ``None`` if not even the point itself is proved safe.
    proved: Optional[float]
    #: The distance of the nearest counterexample found; ``None`` if none was.
    found: Optional[float]
    #: That counterexample.
    witness: Optional[Counterexample]
    #: All searches, in their order.
    steps: list[Step] = field(repr=False)


@dataclass(frozen=True)
class Judgement:
    """How a counterexample was judged. It is true if it is strictly correct."""

    #: The competition's word: ``correct``, ``correct_up_to_tolerance``, ``incorrect:…`` or ``no_witness:…``.
    word: str
    #: What led to it: which assertion does not hold, where it stands, and by how much.
    details: list[str]
    #: What a correct one rests on.
    certainty: Optional[Literal["certified", "replayed", "thin"]]

    def __bool__(self) -> bool:
        return self.word == "correct"


def falsify(
    network: Network,
    property: Optional[Property] = None,
    *,
    box: Optional[tuple[npt.ArrayLike, npt.ArrayLike]] = None,
    unsafe: Optional[Unsafe] = None,
    timeout: Optional[float] = None,
    threads: Optional[int] = None,
    seed: int = 0,
    accept_thin: bool = False,
    dims: Optional[Mapping[str, int]] = None,
) -> Verdict:
    """Looks for an input that violates a property.

    :param network: the path of an ONNX file, its bytes, or an ``onnx.ModelProto``; for a property of several networks, a
        dictionary by their declared names, or a list in the order of their declarations
    :param property: the path of a VNN-LIB file, or its text
    :param box: instead of a property, the lower and the upper ends of all inputs, in arrays of the input's size
    :param unsafe: with ``box``, which outputs are unsafe: ``(A, b)`` means ``A @ y <= b``, all rows at once; a list of such
        pairs, that one of them is enough
    :param timeout: seconds; without it the search ends when it has tried all that it can try
    :param threads: as many as the process may use, unless given
    :param seed: of all randomness; one seed and one thread give one answer
    :param accept_thin: takes a counterexample for an answer that another runtime's rounding may hide
    :param dims: sizes of dimensions that the network leaves open, by name
    :raises InputError: if the network or the property cannot be used
    """
    limits = Limits(timeout, threads, seed, accept_thin)
    return _verdict(_task(network, property, box, unsafe, dims).falsify(limits))


def robustness(
    network: OneNetwork,
    x: npt.ArrayLike,
    eps: npt.ArrayLike,
    label: Optional[int] = None,
    *,
    clip: Optional[Sequence[float]] = None,
    timeout: Optional[float] = None,
    threads: Optional[int] = None,
    seed: int = 0,
    accept_thin: bool = False,
    dims: Optional[Mapping[str, int]] = None,
) -> Verdict:
    """Looks for an input near ``x`` for which the network does not decide as it should: another output is as large.

    :param x: the point, all inputs of the network, in an array of any shape
    :param eps: how far each input may be from it: one number for all, or one for each
    :param label: the output that should be largest, from 0; the one that is largest at ``x``, unless given
    :param clip: what an input may be at all, for instance ``(0, 1)``

    The other parameters are those of :func:`falsify`.
    """
    limits = Limits(timeout, threads, seed, accept_thin)
    return _verdict(_around(network, x, arguments.reach(eps), label, clip, dims).falsify(limits))


def radius(
    network: OneNetwork,
    x: npt.ArrayLike,
    label: Optional[int] = None,
    *,
    most: float = 1.0,
    gap: float = 0.01,
    each: float = 10.0,
    clip: Optional[Sequence[float]] = None,
    timeout: Optional[float] = None,
    threads: Optional[int] = None,
    seed: int = 0,
    dims: Optional[Mapping[str, int]] = None,
) -> Radius:
    """Looks for the distance, as the largest change of an input, of the counterexample nearest to ``x``, from both sides.

    :param most: the largest distance that is of interest
    :param gap: the part of the distance by which what is proved may be below what is found
    :param each: seconds of one search

    The other parameters are those of :func:`robustness`; ``timeout`` is that of all searches.
    """
    limits = Limits(timeout, threads, seed, False)
    most, gap = arguments.positive("most", most), arguments.positive("gap", gap)
    task = _around(network, x, [0.0], label, clip, dims)
    known = task.radius(most, gap, arguments.seconds("each", each), limits)
    steps = [Step(*step) for step in known.pop("steps")]
    return Radius(**{**known, "witness": _counterexample(known["witness"])}, steps=steps)


def nearest(
    network: Network,
    property: Optional[Property] = None,
    point: Optional[npt.ArrayLike] = None,
    norm: Literal["l0", "l1", "l2", "linf"] = "linf",
    *,
    box: Optional[tuple[npt.ArrayLike, npt.ArrayLike]] = None,
    unsafe: Optional[Unsafe] = None,
    gap: float = 1e-4,
    timeout: Optional[float] = None,
    threads: Optional[int] = None,
    seed: int = 0,
    accept_thin: bool = False,
    dims: Optional[Mapping[str, int]] = None,
) -> Nearest:
    """Looks for the counterexample nearest to a point, and proves how near one can be.

    :param point: all inputs; the middle of the box, unless given
    :param norm: how distance is measured
    :param gap: the part of the distance by which the proved bound may be below it

    The other parameters are those of :func:`falsify`. Layers must be piecewise linear, one behind the other.
    """
    limits = Limits(timeout, threads, seed, accept_thin)
    nominal = None if point is None else arguments.numbers("point", point)
    task = _task(network, property, box, unsafe, dims)
    known = task.nearest(nominal, norm, arguments.positive("gap", gap), limits)
    return Nearest(**{**known, "verdict": _verdict(known["verdict"])})


def check(
    network: Network,
    property: Property,
    counterexample: Union[Counterexample, str, "os.PathLike[str]"],
    *,
    dims: Optional[Mapping[str, int]] = None,
) -> Judgement:
    """Judges a counterexample of any tool, as the competition of 2026 does.

    :param counterexample: one that was found here, the path of a results file, or its text
    """
    task = _task(network, property, None, None, dims)
    if isinstance(counterexample, Counterexample):
        return Judgement(**task.check_text(counterexample.text))
    # A results file has a verdict in its first line, and a path has no second one.
    if arguments.is_text(counterexample):
        return Judgement(**task.check_text(str(counterexample)))
    return Judgement(**task.check_file(counterexample))


def _task(
    network: Network,
    property: Optional[Property],
    box: Optional[tuple[npt.ArrayLike, npt.ArrayLike]],
    unsafe: Optional[Unsafe],
    dims: Optional[Mapping[str, int]],
) -> Task:
    """The question, whichever way it is asked."""
    sizes = dict(dims or {})
    if (property is None) != (box is not None and unsafe is not None) or (box is None) != (unsafe is None):
        raise InputError("a property is wanted, or a box and unsafe, and not both")
    if property is None:
        lower, upper = arguments.box(box)
        task = Task.within(arguments.one_network(network), lower, upper, arguments.unsafe_sets(unsafe), sizes)
    elif arguments.is_text(property):
        task = Task.of_text(arguments.networks(network), str(property), sizes)
    else:
        task = Task.of_file(arguments.networks(network), property, sizes)
    for doubt in task.doubts():
        warnings.warn(doubt, PropertyWarning, stacklevel=3)
    return task


def _around(
    network: Network,
    x: npt.ArrayLike,
    reach: list[float],
    label: Optional[int],
    clip: Optional[Sequence[float]],
    dims: Optional[Mapping[str, int]],
) -> Task:
    """The question about a point."""
    given = arguments.one_network(network)
    if label is not None and label < 0:
        raise InputError(f"label={label}: not an output (help: outputs are counted from 0)")
    point = arguments.numbers("x", x)
    return Task.around(given, point, reach, arguments.clip(clip), label, dict(dims or {}))


def _verdict(answer: dict[str, Any]) -> Verdict:
    found = {name: _counterexample(answer[name]) for name in ("witness", "thin")}
    return Verdict(**{**answer, **found})


def _counterexample(found: Optional[dict[str, Any]]) -> Optional[Counterexample]:
    if found is None:
        return None
    arrays = {role: {name: _typed(*array) for name, *array in found[role]} for role in ("inputs", "outputs")}
    return Counterexample(**{**found, **arrays})


def _typed(element: str, shape: list[int], values: npt.NDArray[np.float64]) -> Array:
    """The numbers in the network's type; NumPy has no bfloat16, whose numbers are all numbers of float32."""
    return values.reshape(shape).astype("float32" if element == "bfloat16" else element)
