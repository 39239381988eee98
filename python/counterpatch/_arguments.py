"""What callers give, in the shapes that the native part takes: paths, bytes and models; texts and files; arrays."""

import gzip
import math
import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Protocol, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._errors import InputError


class _Serializable(Protocol):
    def SerializeToString(self) -> bytes: ...


#: An ONNX network: the path of a file, its bytes, or an ``onnx.ModelProto``.
OneNetwork = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, _Serializable]
#: Or several, by the names that the property declares, or in the order of its declarations.
Network = Union[OneNetwork, Mapping[str, OneNetwork], Sequence[OneNetwork]]
#: The path of a VNN-LIB file, or its text.
Property = Union[str, "os.PathLike[str]"]
#: Half-spaces ``A @ y <= b``, all at once; or a list of such sets, one of which is enough.
Unsafe = Union[tuple[npt.ArrayLike, npt.ArrayLike], list[tuple[npt.ArrayLike, npt.ArrayLike]]]

Given = tuple[Optional[str], Union[bytes, str, "os.PathLike[str]"]]

#: The most threads that a search is given.
MOST_THREADS = 256
#: The most counterexamples that are searched for.
MOST_COUNT = 10_000
#: The longest time limit in seconds, a year: more is a mistake.
LONGEST = 366 * 24 * 3600


@dataclass(frozen=True)
class Limits:
    """What a search may spend, and what counts."""

    timeout: Optional[float]
    threads: Optional[int]
    seed: int
    accept_thin: bool
    count: int = 1
    apart: Optional[float] = None

    def __post_init__(self) -> None:
        if self.timeout is not None:
            seconds("timeout", self.timeout)
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise InputError(f"threads={self.threads}: not a number from 1 to {MOST_THREADS}")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed={self.seed}: not a number from 0 to 2**64 - 1")
        if not 1 <= self.count <= MOST_COUNT:
            raise InputError(f"count={self.count}: not a number from 1 to {MOST_COUNT}")
        if self.apart is not None:
            positive("apart", self.apart)


@dataclass(frozen=True)
class RepairOptions:
    """What is wanted of a repair."""

    layers: str
    numbers: list[int]
    norm: str
    margin: float
    limit: float


@dataclass(frozen=True)
class Pictures:
    """Images and their classes."""

    sizes: list[int]
    values: npt.NDArray[np.float64]
    bytes: bool
    labels: list[int]


@dataclass(frozen=True)
class ReadingOptions:
    """How a network reads images."""

    layout: Optional[str]
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class AttackOptions:
    """What attacks may do and spend."""

    methods: list[str]
    linf: float
    l2: float
    pixels: Optional[int]
    seconds: float
    threads: Optional[int]
    seed: int


def seconds(name: str, value: float) -> float:
    """A time limit, checked."""
    if not 0 < value <= LONGEST:
        raise InputError(f"{name}={value}: not a number of seconds above 0 and up to a year")
    return float(value)


def positive(name: str, value: float) -> float:
    """A finite number above 0, checked."""
    if not 0 < value < math.inf:
        raise InputError(f"{name}={value}: not a finite number above 0")
    return float(value)


def limit(name: str, value: Optional[float]) -> float:
    """How far something may go, checked; infinite where nothing is said."""
    return math.inf if value is None else positive(name, value)


def networks(network: Network) -> list[Given]:
    """All networks, with their names where they have some."""
    if isinstance(network, Mapping):
        return [(str(name), source(one)) for name, one in network.items()]
    if isinstance(network, (list, tuple)):
        return [(None, source(one)) for one in network]
    return [(None, source(network))]


def one_network(network: Network) -> Given:
    """The network where there can be only one."""
    given = networks(network)
    if len(given) != 1:
        raise InputError(f"{len(given)} networks are given, where one is wanted (help: write a property of several)")
    return given[0]


def source(network: Any) -> Union[bytes, str, "os.PathLike[str]"]:
    """A path, or the bytes of a file."""
    if isinstance(network, (bytes, bytearray, memoryview)):
        return bytes(network)
    if isinstance(network, (str, os.PathLike)):
        return network
    if hasattr(network, "SerializeToString"):
        return bytes(network.SerializeToString())
    raise InputError(
        f"a network is given as {type(network).__name__} "
        "(help: give the path of an ONNX file, its bytes, or an onnx.ModelProto)"
    )


def is_text(given: Property) -> bool:
    """Whether a property or a counterexample is given as text, and not as a path: no path has several lines or begins so."""
    return isinstance(given, str) and ("\n" in given or given.lstrip("\ufeff \t").startswith(("(", ";")))


def numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Numbers in one dimension, row by row, contiguous."""
    try:
        return np.ascontiguousarray(np.asarray(values, dtype=np.float64).ravel())
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: {error} (help: give numbers, or an array of them)") from error


def box(given: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The ends of a box. One end may be a single number for all inputs."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise InputError("box: not two arrays (help: give the lower and the upper ends of all inputs)")
    lower, upper = numbers("box[0]", given[0]), numbers("box[1]", given[1])
    if lower.size != upper.size and 1 in (lower.size, upper.size):
        size = max(lower.size, upper.size)
        lower, upper = (np.resize(end, size) for end in (lower, upper))
    return lower, upper


def unsafe_sets(given: Any) -> list[list[tuple[list[float], float]]]:
    """Unsafe sets as rows of coefficients, each with its bound."""
    return [rows(one) for one in (given if isinstance(given, list) else [given])]


def rows(given: Any) -> list[tuple[list[float], float]]:
    """One unsafe set, ``(A, b)``."""
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(
            "unsafe: not a pair (A, b), nor a list of such pairs (help: rows of A and b say A @ y <= b, all at once)"
        )
    bounds = numbers("unsafe: b", given[1])
    try:
        coefficients = np.atleast_2d(np.asarray(given[0], dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"unsafe: A: {error} (help: give a row of coefficients for each bound)") from error
    if coefficients.ndim != 2 or coefficients.shape[0] != bounds.size:
        raise InputError(
            f"unsafe: A has the shape {coefficients.shape} and b {bounds.size} bounds "
            "(help: give a row of coefficients, one for each output, for each bound)"
        )
    return list(zip(coefficients.tolist(), bounds.tolist()))


def file_bytes(network: Any) -> bytes:
    """The bytes of a network's file, unpacked."""
    given = source(network)
    if not isinstance(given, bytes):
        try:
            with open(given, "rb") as file:
                given = file.read()
        except OSError as error:
            raise InputError(f"{os.fspath(network)}: {error.strerror} (help: check the path)") from error
    return gzip.decompress(given) if given.startswith(b"\x1f\x8b") else given


def points(given: Any) -> list[list[float]]:
    """Points, each with all its numbers in one dimension."""
    return [numbers(f"points[{at}]", point).tolist() for at, point in enumerate(given)]


def pictures(images: npt.ArrayLike, labels: Any) -> tuple[list[int], npt.NDArray[np.float64], bool, list[int]]:
    """Images in an array and their classes: sizes, numbers, whether they are bytes, classes."""
    array = np.asarray(images)
    if array.ndim < 2 or not (np.issubdtype(array.dtype, np.number) and np.isrealobj(array)):
        raise InputError(
            f"images: an array of {array.dtype} with the shape {array.shape} "
            "(help: give numbers as [N,C,H,W], [N,H,W,C] or [N,H,W], bytes or from 0 to 1)"
        )
    classes = np.asarray(labels).ravel()
    if classes.size != array.shape[0] or not np.issubdtype(classes.dtype, np.integer) or (classes < 0).any():
        raise InputError(
            f"labels: {classes.size} of {classes.dtype} for {array.shape[0]} images "
            "(help: give one whole number an image, from 0)"
        )
    return list(array.shape), numbers("images", array), array.dtype == np.uint8, [int(label) for label in classes]


def per_channel(given: Union[None, float, Sequence[float]]) -> list[float]:
    """One number for all channels, or one for each."""
    return [] if given is None else [float(number) for number in np.atleast_1d(np.asarray(given, dtype=np.float64))]


def reach(given: npt.ArrayLike) -> list[float]:
    """How far inputs may be from a point."""
    distances = numbers("eps", given)
    if not (np.isfinite(distances) & (distances >= 0)).all():
        raise InputError("eps: not finite numbers from 0 on (help: give one for all inputs, or one for each)")
    return [float(distance) for distance in distances]


def clip(given: Optional[Sequence[float]]) -> tuple[float, float]:
    """What an input may be at all."""
    if given is None:
        return (-math.inf, math.inf)
    ends = tuple(float(end) for end in given)
    if len(ends) != 2 or not ends[0] <= ends[1]:
        raise InputError(f"clip={given}: not two numbers in their order (help: give for instance (0, 1))")
    return (ends[0], ends[1])
