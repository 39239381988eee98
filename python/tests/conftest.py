"""What the tests share: the networks that ship with the project, and one of numbers that fit on a line."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

#: The networks that ship with the project.
DATA = Path(__file__).resolve().parents[2] / "tests" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


def affine(shift, name: str = "x", result: str = "y") -> onnx.ModelProto:
    """y = x + shift, for two numbers."""
    graph = helper.make_graph(
        [helper.make_node("Add", [name, "shift"], [result])],
        "affine",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.array([shift], dtype=np.float32), "shift")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model
