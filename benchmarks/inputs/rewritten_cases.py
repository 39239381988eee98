"""What ONNX Runtime's tools make of networks that are there: quantised in each of its ways, and as its optimiser leaves them."""
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

Level = onnxruntime.GraphOptimizationLevel
SOURCES = ["torch_legacy__mlp_relu", "torch_legacy__mlp_tanh", "torch_legacy__resnet", "torch_legacy__transformer_gelu", "torch_legacy__lstm", "torch_legacy__mobilenet", "torch_legacy__unet_nearest"]


class Points(CalibrationDataReader):
    def __init__(self, path):
        info = onnx.load(path).graph.input[0]
        shape = [d.dim_value or 1 for d in info.type.tensor_type.shape.dim]
        rng = np.random.default_rng(2)
        self.points = iter([{info.name: rng.normal(size=shape).astype(np.float32)} for _ in range(16)])

    def get_next(self):
        return next(self.points, None)


def optimised(level):
    def write(source, path):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level, options.optimized_model_filepath = level, str(path)
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

    return write


def static(form, activations, per_channel):
    def write(source, path):
        quantize_static(str(source), str(path), Points(source), quant_format=form, activation_type=activations, weight_type=QuantType.QInt8, per_channel=per_channel)

    return write


WAYS = {
    "basic": optimised(Level.ORT_ENABLE_BASIC),
    "extended": optimised(Level.ORT_ENABLE_EXTENDED),
    "dynamic": lambda source, path: quantize_dynamic(str(source), str(path), weight_type=QuantType.QInt8),
    "qdq_u8s8": static(QuantFormat.QDQ, QuantType.QUInt8, False),
    "qdq_s8s8": static(QuantFormat.QDQ, QuantType.QInt8, True),
    "qoperator": static(QuantFormat.QOperator, QuantType.QUInt8, False),
}


def rewrite(source, write, path):
    # Models of PyTorch carry shapes that the quantiser infers anew, and wrongly where they are half there.
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "source.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(onnx.load(source)), copy)
        write(copy, path)


def exports(folder):
    for name in SOURCES:
        for way, write in WAYS.items():
            source = folder / f"{name}.onnx"
            yield f"ort_{way}__{name.split('__')[1]}", lambda path, s=source, w=write: rewrite(s, w, path)
