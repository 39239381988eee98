"""Verdicts and their numbers, whichever way the question is asked."""

import numpy as np
import pytest

import counterpatch
from conftest import affine

PROPERTY = """
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 0)) (assert (<= X_0 1))
(assert (>= X_1 0)) (assert (<= X_1 1))
(assert (>= Y_0 {}))
"""
BOX = (np.zeros(2), np.ones(2))


@pytest.mark.parametrize(
    ("bound", "status"),
    [(2.5, "unsat"), (1.5, "sat")],
)
@pytest.mark.parametrize("form", ["bytes", "model", "path", "list"])
def test_networks_and_properties_of_all_forms(tmp_path, form, bound, status):
    model = affine([1, 2])
    path = tmp_path / "affine.onnx"
    path.write_bytes(model.SerializeToString())
    network = {"bytes": path.read_bytes(), "model": model, "path": path, "list": [str(path)]}[form]
    (tmp_path / "property.vnnlib").write_text(PROPERTY.format(bound))
    for given in (PROPERTY.format(bound), tmp_path / "property.vnnlib"):
        verdict = counterpatch.falsify(network, given, timeout=60)
        assert (verdict.status, bool(verdict)) == (status, status == "sat"), verdict
        assert (verdict.witness is None) == (status != "sat")


@pytest.mark.parametrize(
    ("unsafe", "status"),
    [
        (([[-1, 0]], [-1.5]), "sat"),
        (([-1, 0], -2.5), "unsat"),
        (([[-1, 0], [0, -1]], [-1.5, -3.5]), "unsat"),
        ([([[-1, 0]], [-1.5]), ([[0, -1]], [-3.5])], "sat"),
        ([([[1, -1]], [-2.5]), ([[0, -1]], [-3.5])], "unsat"),
    ],
)
def test_a_box_and_unsafe_sets(unsafe, status):
    verdict = counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=unsafe, timeout=60)
    assert verdict.status == status, verdict


def test_a_witness_is_what_the_network_takes_and_gives():
    verdict = counterpatch.falsify(affine([1, 2]), box=(0, [1, 1]), unsafe=([[-1, 0]], [-1.5]), timeout=60)
    x, y = verdict.witness.inputs["x"], verdict.witness.outputs["y"]
    assert (x.dtype, x.shape, y.dtype, y.shape) == (np.float32, (1, 2), np.float32, (1, 2))
    np.testing.assert_array_equal(y, x + np.array([[1, 2]], dtype=np.float32))
    assert y[0, 0] >= 1.5 and verdict.witness.certainty == "certified"
    assert verdict.witness.text.startswith("sat\n((X_0 ") and verdict.seconds > 0


def test_several_networks(data):
    text = (
        "(vnnlib-version <2.0>)"
        "(declare-network f (declare-input X_f float32 [1,2]) (declare-output Y_f float32 [1,2]))"
        "(declare-network g (declare-input X_g float32 [1,2]) (declare-output Y_g float32 [1,2]))"
        "(assert (and (>= X_f[0,0] 0.0) (<= X_f[0,0] 1.0) (>= X_f[0,1] 0.0) (<= X_f[0,1] 1.0)))"
        "(assert (and (== X_f[0,0] X_g[0,0]) (== X_f[0,1] X_g[0,1])))"
        "(assert (>= Y_f[0,0] (+ Y_g[0,0] 0.5)))\n"
    )
    networks = {"g": affine([0, 0]), "f": affine([1, 2])}
    verdict = counterpatch.falsify(networks, text, timeout=60)
    assert verdict.status == "sat", verdict
    assert list(verdict.witness.inputs) == ["X_f", "X_g"] and list(verdict.witness.outputs) == ["Y_f", "Y_g"]
    assert counterpatch.falsify([affine([0, 0]), affine([1, 2])], text, timeout=60).status == "unsat"
    shared = counterpatch.falsify(data / "smooth.onnx", data / "smooth_monotone.vnnlib", timeout=60)
    assert shared.status == "sat" and shared.witness.inputs["X_g"].shape == (1, 6, 1)


@pytest.mark.parametrize(
    ("eps", "label", "clip", "status"),
    [
        (0.4, None, None, "unsat"),
        (0.6, None, None, "sat"),
        (0.6, 1, (0, 1), "sat"),
        (0.6, None, (0.1, 0.9), "unsat"),
        ([0.9, 0], None, None, "unsat"),
        (0, 0, None, "sat"),
    ],
)
def test_robustness_around_a_point(eps, label, clip, status):
    # It decides for output 1 of (1.5, 2.5), and for the other where x0 - x1 >= 1.
    verdict = counterpatch.robustness(affine([1, 2]), [[0.5, 0.5]], eps, label, clip=clip, timeout=60)
    assert verdict.status == status, verdict


def test_the_radius_is_found_from_both_sides():
    radius = counterpatch.radius(affine([1, 2]), [0.5, 0.5], most=2, each=10, timeout=60)
    assert 0.49 <= radius.proved < radius.found <= 0.51, radius
    assert radius.witness.inputs["x"].shape == (1, 2) and radius.steps[0].eps == 0


def test_the_nearest_counterexample_has_a_bound(data):
    known = counterpatch.nearest(affine([1, 2]), box=([-1, -1], [2, 2]), unsafe=([[-1, 1]], [0]), point=[0.5, 0.5],
                                 norm="l2", timeout=60)
    assert known and known.verdict.witness is not None
    assert known.bound <= known.distance and abs(known.distance - 0.5**0.5) < 1e-3, known


def test_a_seed_and_one_thread_give_one_answer(data):
    found = [
        counterpatch.falsify(data / "digits_mlp.onnx", data / "digits_mlp_easy.vnnlib", timeout=60, threads=1, seed=3)
        for _ in range(2)
    ]
    assert found[0].witness.text == found[1].witness.text


@pytest.mark.parametrize("spoiled", [False, True])
def test_counterexamples_are_judged(tmp_path, data, spoiled):
    asked = data / "toy.onnx", data / "toy.vnnlib"
    witness = counterpatch.falsify(*asked, timeout=60).witness
    text = "sat\n((X_0 1) (X_1 1) (Y_0 0) (Y_1 0))\n" if spoiled else witness.text
    path = tmp_path / "results.txt"
    path.write_text(text)
    for given in [text, path] + ([] if spoiled else [witness]):
        judgement = counterpatch.check(*asked, given)
        assert judgement.word == ("incorrect:spec_not_violated" if spoiled else "correct"), judgement
        assert bool(judgement) != spoiled and (judgement.certainty is None) == spoiled
