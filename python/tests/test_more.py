"""Several counterexamples, what came nearest to one, repairs, and attacks on images."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import counterpatch
from conftest import affine
from test_process import ENDLESS

BOX = (np.zeros(2), np.ones(2))


@pytest.mark.parametrize("apart", [None, 0.2])
def test_several_counterexamples_differ(data, apart):
    asked = data / "toy.onnx", data / "toy.vnnlib"
    verdicts = [counterpatch.falsify(*asked, count=3, apart=apart, timeout=5, threads=1, seed=1) for _ in range(2)]
    points = [[witness.inputs["input"].ravel() for witness in verdict.witnesses] for verdict in verdicts]
    np.testing.assert_array_equal(*points)
    assert verdicts[0].witness is verdicts[0].witnesses[0] and 1 < len(points[0]) <= 3
    for at, a in enumerate(points[0]):
        for b in points[0][:at]:
            assert (np.abs(a - b) >= (apart or 0) * 0.99).any() and (a != b).any()
    assert len(counterpatch.falsify(*asked, timeout=60).witnesses) == 1


def test_what_is_proved_has_no_nearest_miss():
    sure = counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=([[-1, 0]], [-9]), timeout=60)
    assert sure.status == "unsat" and sure.nearest_miss is None and sure.witnesses == []


def test_an_unknown_has_a_nearest_miss():
    names = {}
    exec(ENDLESS, names)
    box = (np.full(20, -1.0), np.ones(20))
    verdict = counterpatch.falsify(names["model"], box=box, unsafe=([[-1]], [-1.5]), timeout=1)
    miss = verdict.nearest_miss
    assert verdict.status == "unknown" and miss.margin <= verdict.best_margin < 0
    assert miss.inputs["x"].dtype == np.float32 and miss.inputs["x"].shape == (1, 20)
    [output] = ReferenceEvaluator(names["model"]).run(None, miss.inputs)
    assert output.item() - 1.5 == pytest.approx(miss.margin, abs=1e-4)


@pytest.mark.parametrize("layers", ["last", "each", 0, [0, 1]])
@pytest.mark.parametrize("norm", ["l1", "linf"])
def test_a_repaired_network_does_what_it_should(data, layers, norm):
    asked = data / "toy.onnx", data / "toy.vnnlib"
    point = counterpatch.falsify(*asked, timeout=60).witness.inputs["input"]
    repaired = counterpatch.repair(*asked, [point], layers=layers, norm=norm)
    assert repaired and repaired.changes and repaired.margin >= 0.9e-3, repaired
    [output] = ReferenceEvaluator(onnx.load_from_string(repaired.network)).run(None, {"input": point})
    # A counterexample's first output is at most the second.
    assert output[0, 0] > output[0, 1]
    names = {"repaired", "impossible", "lost to rounding", "not found"}
    assert all(attempt.outcome.split(":")[0] in names for attempt in repaired.attempts)


def test_what_cannot_be_repaired_is_no_error(data):
    asked = data / "toy.onnx", data / "toy.vnnlib"
    repaired = counterpatch.repair(*asked, [[1, 0.02]], limit=1e-9, timeout=20)
    assert not repaired and repaired.network is None and repaired.changes == []
    assert repaired.attempts[0].outcome == "impossible"


def test_images_are_attacked(data):
    shapes = np.load(data / "shapes.npz")
    images, labels = shapes["images"][:8], shapes["labels"][:8]
    network = data / "shapes_mlp.onnx"
    run = lambda: counterpatch.attack(network, images, labels, methods=["random-k", "greedy-pixel"], linf=0.8, threads=2)
    attacks = run()
    assert {row["method"] for row in attacks.figures["methods"]} == {"random-k", "greedy-pixel"}
    assert attacks.found and attacks.figures["attacked"] <= 8
    evaluator = ReferenceEvaluator(onnx.load(network))
    name, shape = evaluator.input_names[0], [dim.dim_value for dim in evaluator.proto_.graph.input[0].type.tensor_type.shape.dim]
    for found in attacks.found:
        assert np.abs(found.adversarial - found.original).max() <= 0.8 + 1e-5 and found.valid
        [output] = evaluator.run(None, {name: found.adversarial.reshape([max(dim, 1) for dim in shape])})
        assert output.argmax() == found.label != labels[found.image]
    again = run()
    for one, other in zip(attacks.found, again.found):
        np.testing.assert_array_equal(one.adversarial, other.adversarial)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=([[1, 0]], [0]), count=0), "count=0"),
        (lambda data: counterpatch.falsify(affine([1, 2]), box=BOX, unsafe=([[1, 0]], [0]), apart=-1), "apart=-1"),
        (lambda data: counterpatch.repair(data / "none.onnx", "x"), "none.onnx: No such file.*help"),
        (lambda data: counterpatch.repair(affine([1, 2]), data / "toy.vnnlib", [[0, 0]]), "help"),
        (lambda data: counterpatch.repair(data / "toy.onnx", data / "toy.vnnlib", [[0, 0]], layers="all"), "layers=all"),
        (lambda data: counterpatch.repair(data / "toy.onnx", data / "toy.vnnlib", [[1, 0.02]], layers=7), "layer.*help"),
        (lambda data: counterpatch.repair(data / "toy.onnx", data / "toy.vnnlib", [[0, 0]], norm="l2"), "norm l2.*help"),
        (lambda data: counterpatch.attack(affine([1, 2]), [0, 1], [0]), "images: .*help"),
        (lambda data: counterpatch.attack(affine([1, 2]), np.zeros((2, 8, 8)), [0]), "labels: 1 .*help"),
        (lambda data: counterpatch.attack(affine([1, 2]), np.zeros((1, 8, 8)), [0]), "the network reads 2 values"),
        (lambda data: counterpatch.attack(data / "shapes_mlp.onnx", np.zeros((1, 16, 16)), [0], methods=["x"]), "no method x"),
        (lambda data: counterpatch.attack(data / "shapes_mlp.onnx", np.zeros((1, 8, 8)), [99]), "."),
    ],
)
def test_errors_name_the_place_and_the_remedy(data, call, message):
    with pytest.raises(counterpatch.InputError, match=f"(?s){message}"):
        call(data)
