"""What cannot be is an exception that names the place and the remedy."""

import numpy as np
import pytest

import counterpatch
from conftest import affine

BOX = (np.zeros(2), np.ones(2))
UNSAFE = ([[1, 0]], [0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: counterpatch.falsify("no/such.onnx", box=BOX, unsafe=UNSAFE), "no/such.onnx.*help: check the path"),
        (lambda: counterpatch.falsify(b"PK\x03\x04", box=BOX, unsafe=UNSAFE), "zip archive.*help"),
        (lambda: counterpatch.falsify(affine([1, 2]), "(assert)"), "property:1:"),
        (lambda: counterpatch.falsify(affine([1, 2]), "no/such.vnnlib"), "no/such.vnnlib.*help"),
        (lambda: counterpatch.falsify(affine([1, 2])), "a property is wanted"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX), "a property is wanted"),
        (lambda: counterpatch.falsify(3, box=BOX, unsafe=UNSAFE), "given as int.*help"),
        (lambda: counterpatch.falsify([], box=BOX, unsafe=UNSAFE), "0 networks are given"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=(1, [0, 0]), unsafe=UNSAFE), "input 0 lies between 1 and 0"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=([[1, 0]], [0, 1])), "A has the shape"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=[[1, 0]]), "not a pair"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=UNSAFE, timeout=0), "timeout=0"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=UNSAFE, threads=0), "threads=0"),
        (lambda: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=UNSAFE, dims={"n": 2}), "n: no input leaves"),
        (lambda: counterpatch.robustness(affine([1, 2]), [0, 0, 0], 0.1), "3 numbers, the network 2 inputs"),
        (lambda: counterpatch.robustness(affine([1, 2]), [0, 0], 0.1, 7), "no output 7"),
        (lambda: counterpatch.robustness(affine([1, 2]), [0, 0], -1), "eps: not finite"),
        (lambda: counterpatch.robustness(affine([1, 2]), ["a", 0], 1), "x: .*help"),
        (lambda: counterpatch.nearest(affine([1, 2]), box=BOX, unsafe=UNSAFE, norm="l3"), "no such norm.*linf"),
        (lambda: counterpatch.check(affine([1, 2]), "(assert)", "sat\n"), "property:1:"),
    ],
)
def test_errors_name_the_place_and_the_remedy(call, message):
    with pytest.raises(counterpatch.InputError, match=f"(?s){message}") as raised:
        call()
    assert isinstance(raised.value, counterpatch.Error) and isinstance(raised.value, ValueError)


def test_names_of_networks_are_those_of_the_property(data):
    model = affine([1, 2])
    with pytest.raises(counterpatch.InputError, match="declares no network of this name"):
        counterpatch.falsify({"h": model, "f": model}, data / "smooth_monotone.vnnlib")


def test_what_an_author_hardly_meant_is_a_warning():
    text = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
    swapped = text + "(assert (>= X_0 1))(assert (<= X_0 0))(assert (>= X_1 0))(assert (<= X_1 1))(assert (>= Y_0 0))\n"
    with pytest.warns(counterpatch.PropertyWarning, match="X_0"):
        assert counterpatch.falsify(affine([1, 2]), swapped, timeout=10).status == "unsat"
