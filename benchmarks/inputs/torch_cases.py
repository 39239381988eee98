"""Networks in PyTorch: layers of every kind, each with its input's shape, as people who verify networks export them."""
import torch
from torch import nn
from torch.nn import functional as F


class Of(nn.Module):
    """A function, with the layers that it uses."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def mlp(activation, *sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.LazyLinear(3)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a, self.b = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 3, padding=1)
        self.n, self.m = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.m(self.b(F.relu(self.n(self.a(x))))))


class Inverted(nn.Module):
    """MobileNet's block, with squeeze and excitation."""

    def __init__(self, channels, wide):
        super().__init__()
        self.up, self.deep = nn.Conv2d(channels, wide, 1), nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.less, self.more = nn.Conv2d(wide, 4, 1), nn.Conv2d(4, wide, 1)
        self.down = nn.Conv2d(wide, channels, 1)

    def forward(self, x):
        h = F.hardswish(self.deep(F.hardswish(self.up(x))))
        return x + self.down(h * F.hardsigmoid(self.more(F.relu(self.less(F.adaptive_avg_pool2d(h, 1))))))


class UNet(nn.Module):
    def __init__(self, up):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(12, 2, 3, padding=1)
        self.up = up

    def forward(self, x):
        high = F.relu(self.a(x))
        low = F.relu(self.b(F.max_pool2d(high, 2)))
        return self.c(torch.cat([high, self.up(low)], 1)).flatten(1)


class Vit(nn.Module):
    def __init__(self, layers=1, **kind):
        super().__init__()
        self.cut = nn.Conv2d(1, 16, 4, 4)
        self.first, self.place = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 5, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, **kind)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        tokens = self.cut(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(tokens.shape[0], -1, -1), tokens], 1) + self.place
        return self.head(self.body(tokens)[:, 0])


class Experts(nn.Module):
    """A mixture in which the gate's largest values choose."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(6, 4), nn.ModuleList(nn.Linear(6, 3) for _ in range(4))

    def forward(self, x):
        weights, chosen = torch.topk(self.gate(x), 2)
        all_of_them = torch.stack([expert(x) for expert in self.experts], 1)
        index = chosen.unsqueeze(-1).expand(-1, -1, 3)
        return (torch.gather(all_of_them, 1, index) * F.softmax(weights, -1).unsqueeze(-1)).sum(1)


class Hopping(nn.Module):
    """A graph network with a fixed graph."""

    def __init__(self):
        super().__init__()
        near = (torch.rand(5, 5) < 0.5).float() + torch.eye(5)
        self.register_buffer("near", near / near.sum(1, keepdim=True))
        self.a, self.b = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x):
        h = F.relu(self.near @ self.a(x))
        return self.b(self.near @ h).amax(1)


class Scattered(nn.Module):
    """The same with edges, as libraries for graphs write it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("source", torch.tensor([0, 1, 2, 3, 4, 0, 2]))
        self.register_buffer("target", torch.tensor([1, 2, 3, 4, 0, 2, 0]))
        self.a, self.b = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x):
        h = F.relu(self.a(x[0]))
        sums = torch.zeros(5, 8).index_add(0, self.target, h[self.source])
        return self.b(sums).mean(0, keepdim=True)


class Planner(nn.Module):
    """A controller in a loop with its plant, three steps."""

    def __init__(self):
        super().__init__()
        self.policy = mlp(nn.ReLU, 2, 8, 1)

    def forward(self, x):
        for _ in range(3):
            force = self.policy(x).clamp(-1, 1)
            angle, speed = x[:, :1], x[:, 1:]
            x = torch.cat([angle + 0.1 * speed, speed + 0.1 * (9.8 * torch.sin(angle) + force)], 1)
        return x


def pooled(*layers):
    return nn.Sequential(nn.Conv2d(2, 4, 3), *layers, nn.Flatten(), nn.LazyLinear(3))


IMAGE, VECTOR, SEQUENCE = (1, 2, 9, 9), (1, 6), (1, 5, 6)


def activations():
    for kind in [
        nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign,
        nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.ReLU6, nn.LogSigmoid, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Threshold,
    ]:
        make = (lambda: nn.Threshold(0.1, -0.2)) if kind is nn.Threshold else kind
        yield f"mlp_{kind.__name__.lower()}", mlp(make, 6, 8, 8, 3), VECTOR
    yield "mlp_gelu_tanh", mlp(lambda: nn.GELU("tanh"), 6, 8, 3), VECTOR
    yield "mlp_sine", Of(lambda s, x: s.b(torch.sin(s.a(x))), a=nn.Linear(6, 8), b=nn.Linear(8, 3)), VECTOR
    yield "glu", Of(lambda s, x: F.glu(s.a(x)), a=nn.Linear(6, 8)), VECTOR
    yield "swiglu", Of(lambda s, x: s.c(F.silu(s.a(x)) * s.b(x)), a=nn.Linear(6, 8), b=nn.Linear(6, 8), c=nn.Linear(8, 3)), VECTOR
    yield "maxout", Of(lambda s, x: s.a(x).reshape(-1, 4, 3).amax(-1), a=nn.Linear(6, 12)), VECTOR
    yield "softmax", nn.Sequential(mlp(nn.ReLU, 6, 8, 3), nn.Softmax(-1)), VECTOR
    yield "log_softmax", nn.Sequential(mlp(nn.ReLU, 6, 8, 3), nn.LogSoftmax(-1)), VECTOR
    yield "bilinear", Of(lambda s, x: s.a(x, x), a=nn.Bilinear(6, 6, 3)), VECTOR


def convolutions():
    yield "conv1d", nn.Sequential(nn.Conv1d(5, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.LazyLinear(3)), SEQUENCE
    yield "conv3d", nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.AvgPool3d(2), nn.Flatten(), nn.LazyLinear(3)), (1, 1, 6, 6, 6)
    yield "conv_dilated", nn.Sequential(nn.Conv2d(2, 4, 3, dilation=2, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "conv_same", nn.Sequential(nn.Conv2d(2, 4, (3, 4), padding="same"), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "conv_reflect", nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "conv_circular", nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "conv_transposed", nn.Sequential(nn.ConvTranspose2d(2, 3, 3, stride=2, output_padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "depthwise", pooled(nn.Conv2d(4, 4, 3, groups=4), nn.ReLU6()), IMAGE
    for name, layer in [
        ("max_pool", nn.MaxPool2d(2)), ("max_pool_ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True)), ("avg_pool", nn.AvgPool2d(2)),
        ("avg_pool_padded", nn.AvgPool2d(3, 2, 1, count_include_pad=False)), ("lp_pool", nn.LPPool2d(2, 2)), ("adaptive_avg", nn.AdaptiveAvgPool2d(1)),
        ("adaptive_max", nn.AdaptiveMaxPool2d(1)), ("batch_norm", nn.BatchNorm2d(4)), ("group_norm", nn.GroupNorm(2, 4)),
        ("instance_norm", nn.InstanceNorm2d(4, affine=True)), ("local_response", nn.LocalResponseNorm(3)), ("pixel_shuffle", nn.PixelShuffle(2)),
        ("pixel_unshuffle", nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.PixelUnshuffle(2))), ("channel_shuffle", nn.ChannelShuffle(2)),
        ("upsample_nearest", nn.Upsample(scale_factor=2)), ("upsample_bilinear", nn.Upsample(scale_factor=2, mode="bilinear")),
        ("upsample_bicubic", nn.Upsample(size=(5, 5), mode="bicubic")), ("dropout", nn.Dropout2d()),
    ]:
        yield name, pooled(nn.ReLU(), layer), IMAGE
    yield "resnet", nn.Sequential(nn.Conv2d(2, 4, 3), Residual(4), Residual(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), IMAGE
    yield "mobilenet", nn.Sequential(nn.Conv2d(2, 4, 3), Inverted(4, 8), nn.Flatten(), nn.LazyLinear(3)), IMAGE
    yield "unet_transposed", UNet(nn.ConvTranspose2d(8, 8, 2, 2)), (1, 1, 8, 8)
    yield "unet_nearest", UNet(nn.Upsample(scale_factor=2)), (1, 1, 8, 8)
    yield "unet_bilinear", UNet(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)), (1, 1, 8, 8)


def sequences():
    yield "lstm", Recurrent(nn.LSTM(6, 4, batch_first=True)), SEQUENCE
    yield "lstm_both_ways", Recurrent(nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True)), SEQUENCE
    yield "gru", Recurrent(nn.GRU(6, 4, batch_first=True)), SEQUENCE
    yield "rnn", Recurrent(nn.RNN(6, 4, batch_first=True)), SEQUENCE
    yield "rnn_relu", Recurrent(nn.RNN(6, 4, batch_first=True, nonlinearity="relu")), SEQUENCE
    cell = nn.LSTMCell(6, 4)
    yield "lstm_cell", Of(lambda s, x: s.cell(x[:, 1], s.cell(x[:, 0]))[0], cell=cell), SEQUENCE
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    yield "attention", Of(lambda s, x: s.a(x, x, x, need_weights=False)[0].flatten(1), a=attention), SEQUENCE
    yield "attention_plain", Of(lambda s, x: F.scaled_dot_product_attention(s.q(x), s.k(x), s.v(x)).flatten(1), q=nn.Linear(6, 6), k=nn.Linear(6, 6), v=nn.Linear(6, 6)), SEQUENCE
    yield "attention_causal", Of(lambda s, x: F.scaled_dot_product_attention(s.q(x), x, x, is_causal=True).flatten(1), q=nn.Linear(6, 6)), SEQUENCE
    yield "transformer", Vit(), (1, 1, 8, 8)
    yield "transformer_gelu", Vit(2, activation="gelu", norm_first=True), (1, 1, 8, 8)
    yield "layer_norm", nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3)), VECTOR
    yield "rms_norm", nn.Sequential(nn.Linear(6, 8), nn.RMSNorm(8), nn.ReLU(), nn.Linear(8, 3)), VECTOR
    yield "cumulative", Of(lambda s, x: s.a(torch.cumsum(x, 1)).flatten(1), a=nn.Linear(6, 2)), SEQUENCE


def shapes():
    yield "normalised", Of(lambda s, x: s.a((x - torch.tensor([0.1] * 6)) / torch.tensor([2.0] * 6)), a=mlp(nn.ReLU, 6, 8, 3)), VECTOR
    yield "cosine", Of(lambda s, x: F.cosine_similarity(s.a(x), s.b(x)), a=nn.Linear(6, 4), b=nn.Linear(6, 4)), VECTOR
    yield "distance", Of(lambda s, x: torch.cdist(s.a(x), s.c), a=nn.Linear(6, 4), c=nn.Parameter(torch.randn(3, 4))), VECTOR
    yield "prototypes", Of(lambda s, x: -((s.a(x).unsqueeze(1) - s.c) ** 2).sum(-1), a=nn.Linear(6, 4), c=nn.Parameter(torch.randn(3, 4))), VECTOR
    yield "einsum", Of(lambda s, x: torch.einsum("bij,kj->bik", x, s.w).flatten(1), w=nn.Parameter(torch.randn(3, 6))), SEQUENCE
    yield "embedding", Of(lambda s, x: s.b(s.a(x.round().clamp(0, 9).long()).flatten(1)), a=nn.Embedding(10, 3), b=nn.Linear(18, 3)), VECTOR
    yield "rolled", Of(lambda s, x: s.a(torch.roll(x, 1, 2)).flatten(1), a=nn.Conv2d(2, 2, 3)), IMAGE
    yield "flipped", Of(lambda s, x: s.a(torch.flip(x, [3])).flatten(1), a=nn.Conv2d(2, 2, 3)), IMAGE
    yield "sorted", Of(lambda s, x: s.a(torch.sort(x, 1)[0]), a=nn.Linear(6, 3)), VECTOR
    yield "masked", Of(lambda s, x: s.a(torch.where(x > 0, x, 0.1 * x).masked_fill(x > 2, 2.0)), a=nn.Linear(6, 3)), VECTOR
    yield "statistics", Of(lambda s, x: torch.stack([x.mean(1), x.std(1), x.var(1), x.norm(dim=1), torch.logsumexp(x, 1), x.prod(1)], 1)), VECTOR
    yield "angles", Of(lambda s, x: torch.stack([torch.atan2(x[:, 0], x[:, 1]), torch.sqrt(x[:, 2] ** 2 + x[:, 3] ** 2), torch.remainder(x[:, 4], 1.0)], 1)), VECTOR
    yield "unfolded", Of(lambda s, x: s.a(F.unfold(x, 3).transpose(1, 2)).flatten(1), a=nn.Linear(18, 2)), IMAGE
    yield "grid", Of(lambda s, x: F.grid_sample(x, s.g, align_corners=False).flatten(1), g=nn.Parameter(torch.rand(1, 4, 4, 2) * 2 - 1)), IMAGE
    yield "interpolated", Of(lambda s, x: F.interpolate(s.a(x), size=(11, 5), mode="bilinear").flatten(1), a=nn.Conv2d(2, 2, 3)), IMAGE
    yield "experts", Experts(), VECTOR
    yield "graph", Hopping(), (1, 5, 3)
    yield "graph_edges", Scattered(), (1, 5, 3)
    yield "closed_loop", Planner(), (1, 2)
    yield "argmax", Of(lambda s, x: F.one_hot(s.a(x).argmax(1), 3).float(), a=mlp(nn.ReLU, 6, 8, 3)), VECTOR
    yield "sign", Of(lambda s, x: s.b(torch.sign(s.a(x))), a=nn.Linear(6, 8), b=nn.Linear(8, 3)), VECTOR
    yield "double", mlp(nn.ReLU, 6, 8, 3).double(), VECTOR
    yield "half", mlp(nn.ReLU, 6, 8, 3).half(), VECTOR
    yield "fourier", Of(lambda s, x: s.b(torch.cat([torch.sin(x @ s.w), torch.cos(x @ s.w)], 1)), w=nn.Parameter(torch.randn(6, 4)), b=nn.Linear(8, 3)), VECTOR
    yield "weight_norm", nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)), VECTOR
    yield "spectral_norm", nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)), VECTOR


def cases():
    for group in (activations, convolutions, sequences, shapes):
        yield from group()


def exports(_):
    """Each network by both of PyTorch's exporters."""
    for name, module, shape in cases():
        torch.manual_seed(1)
        dtype = {"double": torch.float64, "half": torch.float16}.get(name, torch.float32)
        x = torch.randn(shape).to(dtype)
        with torch.no_grad():
            module(x)
        module.eval()
        for how, options in [("legacy", dict(dynamo=False, opset_version=17)), ("dynamo", dict(dynamo=True, verbose=False))]:
            yield (
                f"torch_{how}__{name}",
                lambda path, m=module, x=x, o=options: torch.onnx.export(m, (x,), str(path), external_data=False, **o),
            )
