"""Networks in PaddlePaddle, exported by paddle2onnx."""
import os

import paddle
from paddle import nn
from paddle.static import InputSpec


def vector(*body):
    return nn.Sequential(nn.Linear(6, 8), *body, nn.Linear(8, 3)), [1, 6]


def image(*body):
    return nn.Sequential(nn.Conv2D(2, 4, 3), *body, nn.Flatten()), [1, 2, 9, 9]


class Last(nn.Layer):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


def cases():
    for kind in [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Swish, nn.ELU, nn.Softplus, nn.Mish, nn.ReLU6, nn.Hardsigmoid]:
        yield f"mlp_{kind.__name__.lower()}", vector(kind())
    yield "layer_norm", vector(nn.LayerNorm(8), nn.ReLU())
    yield "softmax", vector(nn.ReLU(), nn.Softmax())
    yield "batch_norm", image(nn.BatchNorm2D(4), nn.ReLU())
    yield "max_pool", image(nn.ReLU(), nn.MaxPool2D(2))
    yield "avg_pool", image(nn.ReLU(), nn.AvgPool2D(2))
    yield "adaptive", image(nn.ReLU(), nn.AdaptiveAvgPool2D(1))
    yield "upsampled", image(nn.Upsample(scale_factor=2))
    yield "transposed", image(nn.Conv2DTranspose(4, 2, 3, stride=2))
    yield "lstm", (Last(nn.LSTM(6, 4)), [1, 5, 6])
    yield "gru", (Last(nn.GRU(6, 4)), [1, 5, 6])


def write(network, shape, path):
    """In a process of its own: where the exporter does not know something, it aborts."""
    child = os.fork()
    if child == 0:
        network.eval()
        paddle.onnx.export(network, str(path.with_suffix("")), input_spec=[InputSpec(shape, "float32", "x")], opset_version=16)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the exporter ended with status {status}")


def exports(_):
    for name, (network, shape) in cases():
        yield f"paddle2onnx__{name}", lambda path, n=network, s=shape: write(n, s, path)
