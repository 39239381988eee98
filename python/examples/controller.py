"""A controller of one's own, falsified before it flies.

The controller pushes a mass back to its place: u = -k x, cut to [-1, 1], as a network of ReLUs. One neuron of it is a defect, such as
training leaves behind where there was no data: with much position and much speed it pushes on. The question is whether
the push can be forward though the mass is ahead of its place and moves away from it.

usage: python examples/controller.py    (needs onnx; writes no file)
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import counterpatch

GAIN = np.array([0.8, 0.5], dtype=np.float32)


def controller() -> onnx.ModelProto:
    """u = -1 + relu(1 - k x) - relu(-1 - k x) + relu(10 (x0 + x1) - 14), of x = (position, speed)."""
    first = np.stack([-GAIN, -GAIN, np.array([10.0, 10.0], dtype=np.float32)], axis=1)
    constants = {
        "W1": first,
        "b1": np.array([1.0, -1.0, -14.0], dtype=np.float32),
        "W2": np.array([[1.0], [-1.0], [1.0]], dtype=np.float32),
        "b2": np.array([-1.0], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["state", "W1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "W2", "b2"], ["push"]),
    ]
    graph = helper.make_graph(
        nodes,
        "controller",
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("push", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def pushes_on(ahead: float) -> counterpatch.Verdict:
    """Whether the push can be 0.2 or more somewhere in the box from 0 to `ahead`: -u <= -0.2."""
    box = (np.zeros(2), np.full(2, ahead))
    return counterpatch.falsify(controller(), box=box, unsafe=([[-1.0]], [-0.2]), timeout=60)


def main() -> None:
    for ahead in (0.5, 1.0):
        verdict = pushes_on(ahead)
        print(f"position and speed up to {ahead}: {verdict.status} ({verdict.reason})")
        if verdict.witness is not None:
            (position, speed), push = verdict.witness.inputs["state"][0], verdict.witness.outputs["push"][0, 0]
            print(f"  at position {position:.3f} and speed {speed:.3f} it pushes with {push:.3f}")


if __name__ == "__main__":
    main()
