"""Networks in JAX (plain functions, Flax and Equinox), exported by jax2onnx; loops of fixed length among them."""
import jax
import jax.numpy as jnp
import onnx
from jax2onnx import to_onnx

KEYS = iter(jax.random.split(jax.random.PRNGKey(3), 64))


def w(*shape):
    return jax.random.normal(next(KEYS), shape) * 0.5


def dense(x, a, b, activation=jax.nn.relu):
    return activation(x @ a) @ b


def cases():
    for kind in [jax.nn.relu, jax.nn.gelu, jax.nn.silu, jax.nn.softplus, jax.nn.elu, jax.nn.leaky_relu, jnp.tanh, jax.nn.sigmoid]:
        a, b = w(6, 8), w(8, 3)
        yield f"mlp_{kind.__name__}", (lambda x, a=a, b=b, kind=kind: dense(x, a, b, kind)), (1, 6)
    a, b = w(6, 8), w(8, 3)
    yield "softmax", lambda x: jax.nn.softmax(dense(x, a, b)), (1, 6)
    g = w(6)
    yield "layer_norm", lambda x: dense((x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * g, a, b), (1, 6)
    k = w(3, 3, 2, 4)
    conv = lambda x: jax.lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    yield "conv", lambda x: jax.nn.relu(conv(x)).reshape(1, -1), (1, 9, 9, 2)
    yield "max_pool", lambda x: jax.lax.reduce_window(conv(x), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").reshape(1, -1), (1, 9, 9, 2)
    q, v = w(6, 6), w(6, 6)
    yield "attention", lambda x: (jax.nn.softmax((x @ q) @ jnp.swapaxes(x, 1, 2)) @ (x @ v)).reshape(1, -1), (1, 5, 6)
    s = w(3, 3)
    yield "fori_loop", lambda x: jax.lax.fori_loop(0, 4, lambda i, h: jnp.tanh(h @ s), x), (1, 3)
    r, u = w(3, 3), w(6, 3)
    step = lambda h, x: ((jnp.tanh(h @ r + x @ u)),) * 2
    yield "scan", lambda x: jax.lax.scan(step, jnp.zeros(3), x[0])[0][None], (1, 5, 6)
    yield "where", lambda x: jnp.where(x > 0, x, 0.1 * x) @ b[:6], (1, 6)
    yield "clip_and_sort", lambda x: jnp.sort(jnp.clip(x, -1, 1), axis=1) @ b[:6], (1, 6)
    yield "plant", lambda x: jnp.stack([x[:, 0] + 0.1 * x[:, 1], x[:, 1] + 0.1 * jnp.sin(x[:, 0])], 1), (1, 2)


def flax_cases():
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.a, self.n = nnx.Linear(6, 8, rngs=rngs), nnx.LayerNorm(8, rngs=rngs)
            self.b = nnx.Linear(8, 3, rngs=rngs)

        def __call__(self, x):
            return self.b(nnx.gelu(self.n(self.a(x))))

    class Picture(nnx.Module):
        def __init__(self, rngs):
            self.a, self.n = nnx.Conv(2, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
            self.b = nnx.Linear(64, 3, rngs=rngs)

        def __call__(self, x):
            h = nnx.max_pool(nnx.relu(self.n(self.a(x))), (2, 2), (2, 2))
            return self.b(h.reshape(h.shape[0], -1))

    yield "flax_mlp", Net(nnx.Rngs(0)), (1, 6)
    yield "flax_conv", Picture(nnx.Rngs(0)), (1, 9, 9, 2)


def exports(_):
    for name, function, shape in [*cases(), *flax_cases()]:
        given = [jax.ShapeDtypeStruct(shape, jnp.float32)]
        yield f"jax2onnx__{name}", lambda path, f=function, g=given, n=name: onnx.save(to_onnx(f, g, model_name=n), path)
