"""Questions and answers."""

import json
import os
import warnings
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _arguments as arguments
from ._arguments import (
    AttackOptions, Limits, Network, OneNetwork, Pictures, Property, ReadingOptions, RepairOptions, Unsafe,
)
from ._errors import InputError, PropertyWarning
from ._native import Task
from ._native import attack as attack_images

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
class NearestMiss:
    """The input that came nearest to a violation, where none was found."""

    #: The largest margin that was reached: a violation from 0 on. One from 0 on did not hold when it was replayed.
    margin: float
    #: Its inputs by name, in the network's types and shapes.
    inputs: dict[str, Array] = field(repr=False)


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
    #: All counterexamples, the first of which is ``witness``: as many as ``count`` has asked for and as were found.
    witnesses: list[Counterexample] = field(repr=False, default_factory=list)
    #: Of ``unknown``, the input that came nearest to a violation.
    nearest_miss: Optional[NearestMiss] = field(repr=False, default=None)

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
    count: int = 1,
    apart: Optional[float] = None,
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
    :param count: how many counterexamples to look for, each on another affine piece of the network; the search goes on until
        there are as many or the time is up
    :param apart: counterexamples differ if some input does by at least this part of its box's width, whatever piece they lie on
    :param dims: sizes of dimensions that the network leaves open, by name
    :raises InputError: if the network or the property cannot be used
    """
    limits = Limits(timeout, threads, seed, accept_thin, count, apart)
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


@dataclass(frozen=True)
class Change:
    """A weight that :func:`repair` has changed."""

    #: Its layer, counted from 0 at the input side of the fully connected layers that the network ends in.
    layer: int
    #: The value that it multiplies; the one behind the last is the bias.
    source: int
    #: The neuron that it goes into.
    target: int
    #: What was added to it.
    by: float


@dataclass(frozen=True)
class Attempt:
    """What came of changing some layers."""

    #: The layers.
    layers: list[int]
    #: ``repaired``, ``impossible`` (proved), ``lost to rounding`` (raise the margin) or ``not found``, with the reason.
    outcome: str
    #: Whether it is proved that nothing smaller does.
    optimal: bool
    #: The time it took.
    seconds: float


@dataclass(frozen=True, eq=False)
class Repair:
    """What came of :func:`repair`. It is true if the network is repaired."""

    #: The file of the repaired network: it was read back and replayed. It differs from the original in the changed weights only.
    network: Optional[bytes] = field(repr=False)
    #: The weights that were changed.
    changes: list[Change]
    #: By how much the repaired network satisfies the property at the points, in units of its rows.
    margin: Optional[float]
    #: One entry for each choice of layers.
    attempts: list[Attempt]

    def __bool__(self) -> bool:
        return self.network is not None


def repair(
    network: OneNetwork,
    property: Optional[Property] = None,
    points: Sequence[npt.ArrayLike] = (),
    *,
    box: Optional[tuple[npt.ArrayLike, npt.ArrayLike]] = None,
    unsafe: Optional[Unsafe] = None,
    layers: Union[Literal["last", "each"], int, Sequence[int]] = "last",
    norm: Literal["l1", "linf", "l0"] = "l1",
    margin: float = 1e-3,
    limit: Optional[float] = None,
    timeout: Optional[float] = 60,
    seed: int = 0,
    dims: Optional[Mapping[str, int]] = None,
) -> Repair:
    """Changes as little as possible of a network's weights so that none of the points is a counterexample any more.

    :param points: arrays of the network's inputs, such as ``verdict.witness.inputs["x"]``; one that lies outside of the property's
        box is left free
    :param layers: the last fully connected layer; ``each`` alone, of which the smallest repair is taken; the number of a layer; or
        several together. They count from 0 at the input side of the fully connected layers that the network ends in
    :param norm: what is to be small: the sum of all changes, the largest one, or their number
    :param margin: by how much each point must satisfy the property
    :param limit: no weight may change by more

    The other parameters are those of :func:`falsify`. Weights must be in the network's file itself.
    """
    content = arguments.file_bytes(network)
    task = _task(content, property, box, unsafe, dims)
    together = [layers] if isinstance(layers, int) else [] if isinstance(layers, str) else list(layers)
    options = RepairOptions(
        layers=layers if isinstance(layers, str) else "together",
        numbers=together,
        norm=norm,
        margin=arguments.positive("margin", margin),
        limit=arguments.limit("limit", limit),
    )
    if options.layers not in ("last", "each", "together"):
        raise InputError(f"layers={layers}: no such choice (help: give last, each, a number, or several)")
    known = task.repair(content, arguments.points(points), options, Limits(timeout, None, seed, False))
    changes = [Change(*change) for change in known["changes"]]
    attempts = [Attempt(*attempt) for attempt in known["attempts"]]
    return Repair(network=known["network"], changes=changes, margin=known["margin"], attempts=attempts)


@dataclass(frozen=True, eq=False)
class Adversarial:
    """An image that a network takes for something else."""

    #: The image's number.
    image: int
    #: The method that has found it.
    method: str
    #: The class that the network gives it.
    label: int
    #: Whether it lies within the valid range and the limits; methods that leave them as published are reported apart.
    valid: bool
    #: The image as the network reads it.
    original: Array = field(repr=False)
    #: The changed image as the network reads it.
    adversarial: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class Attacks:
    """What came of :func:`attack`."""

    #: What was found, method by method.
    found: list[Adversarial] = field(repr=False)
    #: Every figure of ``counterpatch attack``, ``definitions`` among them: ``figures["methods"]`` has a dictionary a method.
    figures: dict[str, Any]


def attack(
    network: OneNetwork,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    methods: Sequence[str] = ("random-k", "greedy-pixel", "patch-strong"),
    linf: Optional[float] = None,
    l2: Optional[float] = None,
    pixels: Optional[int] = None,
    layout: Optional[Literal["nchw", "nhwc"]] = None,
    mean: Union[None, float, Sequence[float]] = None,
    std: Union[None, float, Sequence[float]] = None,
    timeout: float = 10,
    threads: Optional[int] = None,
    seed: int = 0,
    dims: Optional[Mapping[str, int]] = None,
) -> Attacks:
    """Changes images as little as possible until a classifier takes them for something else, by several methods beside each other.

    Images that the network does not classify correctly are not attacked. What is found was confirmed by the reference engine.

    :param images: ``[N,C,H,W]``, ``[N,H,W,C]`` or ``[N,H,W]``, of bytes, or of numbers from 0 to 1
    :param labels: their classes, from 0
    :param methods: names of ``counterpatch supports --attack-methods``
    :param linf: no value moves by more, from black (0) to white (1); ``l2`` the same of the Euclidean length, ``pixels`` of the number
        of changed pixels
    :param layout: the order in the network's input, where it does not declare one
    :param mean: the network reads ``(value - mean) / std``: one number, or one a channel
    :param timeout: seconds of one method on one image
    """
    sizes, values, are_bytes, classes = arguments.pictures(images, labels)
    limits = Limits(timeout, threads, seed, False)
    known = attack_images(
        arguments.one_network(network),
        Pictures(sizes=sizes, values=values, bytes=bool(are_bytes), labels=classes),
        ReadingOptions(layout=layout, mean=arguments.per_channel(mean), std=arguments.per_channel(std)),
        AttackOptions(
            methods=list(methods),
            linf=arguments.limit("linf", linf),
            l2=arguments.limit("l2", l2),
            pixels=pixels,
            seconds=timeout,
            threads=limits.threads,
            seed=seed,
        ),
        dict(dims or {}),
    )
    shape = known["sizes"]
    arrays = ("original", "adversarial")
    found = [
        Adversarial(
            image=one["image"], method=one["method"], label=one["class"], valid=one["valid"],
            **{name: one[name].reshape(shape) for name in arrays},
        )
        for one in known["successes"]
    ]
    return Attacks(found=found, figures=json.loads(known["figures"]))


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
    others = [_counterexample(other) for other in answer.pop("others")]
    witnesses = [witness for witness in [found["witness"], *others] if witness is not None]
    miss = answer["nearest_miss"]
    missed = miss and NearestMiss(miss["margin"], {name: _typed(*array) for name, *array in miss["inputs"]})
    return Verdict(**{**answer, **found, "nearest_miss": missed}, witnesses=witnesses)


def _counterexample(found: Optional[dict[str, Any]]) -> Optional[Counterexample]:
    if found is None:
        return None
    arrays = {role: {name: _typed(*array) for name, *array in found[role]} for role in ("inputs", "outputs")}
    return Counterexample(**{**found, **arrays})


def _typed(element: str, shape: list[int], values: npt.NDArray[np.float64]) -> Array:
    """The numbers in the network's type; NumPy has no bfloat16, whose numbers are all numbers of float32."""
    return values.reshape(shape).astype("float32" if element == "bfloat16" else element)
