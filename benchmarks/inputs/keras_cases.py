"""Networks in Keras 3 on TensorFlow: exported by Keras itself, by tf2onnx from a function, and from a SavedModel's graph."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402
from keras import layers as L  # noqa: E402


def image(*body):
    return keras.Sequential([keras.Input((9, 9, 2)), *body, L.Flatten(), L.Dense(3)])


def vector(*body):
    return keras.Sequential([keras.Input((6,)), *body, L.Dense(3)])


def sequence(*body):
    return keras.Sequential([keras.Input((5, 6)), *body, L.Dense(3)])


def residual():
    x = keras.Input((9, 9, 2))
    h = L.Conv2D(2, 3, padding="same", activation="relu")(x)
    h = L.BatchNormalization()(L.Conv2D(2, 3, padding="same")(h))
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling2D()(L.ReLU()(L.Add()([x, h])))))


def attention():
    x = keras.Input((5, 6))
    h = L.LayerNormalization()(x + L.MultiHeadAttention(2, 3)(x, x))
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(h)))


def two_inputs():
    a, b = keras.Input((6,)), keras.Input((4,))
    return keras.Model([a, b], L.Dense(3)(L.ReLU()(L.Concatenate()([L.Dense(5)(a), L.Dense(5)(b)]))))


def cases():
    for name in ["relu", "elu", "selu", "gelu", "swish", "tanh", "sigmoid", "softplus", "softsign", "hard_sigmoid", "leaky_relu", "mish", "exponential", "relu6"]:
        yield f"dense_{name}", vector(L.Dense(8, activation=name), L.Dense(8, activation=name))
    yield "prelu", vector(L.Dense(8), L.PReLU())
    yield "dense_norms", vector(L.Dense(8), L.BatchNormalization(), L.ReLU(), L.LayerNormalization(), L.Dropout(0.2))
    yield "conv", image(L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D())
    yield "conv_same", image(L.Conv2D(4, 3, strides=2, padding="same", activation="relu"), L.AveragePooling2D(2, padding="same"))
    yield "conv_separable", image(L.SeparableConv2D(4, 3, activation="relu"), L.DepthwiseConv2D(3))
    yield "conv_transposed", image(L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"))
    yield "conv_dilated", image(L.Conv2D(4, 3, dilation_rate=2, activation="relu"), L.ZeroPadding2D(), L.Cropping2D(1))
    yield "conv1d", keras.Sequential([keras.Input((9, 2)), L.Conv1D(4, 3, padding="causal", activation="relu"), L.MaxPooling1D(), L.Flatten(), L.Dense(3)])
    yield "conv3d", keras.Sequential([keras.Input((6, 6, 6, 1)), L.Conv3D(2, 3, activation="relu"), L.MaxPooling3D(), L.Flatten(), L.Dense(3)])
    yield "upsampled", image(L.UpSampling2D(), L.Conv2D(2, 3), L.UpSampling2D(interpolation="bilinear"))
    yield "residual", residual()
    yield "lstm", sequence(L.LSTM(4))
    yield "lstm_both_ways", sequence(L.Bidirectional(L.LSTM(4)))
    yield "gru", sequence(L.GRU(4))
    yield "rnn", sequence(L.SimpleRNN(4))
    yield "attention", attention()
    yield "two_inputs", two_inputs()
    yield "rescaled", image(L.Rescaling(1 / 255), L.Normalization(mean=0.5, variance=2.0), L.Conv2D(2, 3, activation="relu"))
    yield "softmax", vector(L.Dense(8, activation="relu"), L.Dense(3, activation="softmax"))


def by_keras(model, path):
    model([tf.zeros((1, *tensor.shape[1:])) for tensor in model.inputs])  # It refuses one that was never called.
    model.export(str(path), format="onnx", verbose=False)


def by_tf2onnx(model, path):
    signature = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=f"x{i}") for i, tensor in enumerate(model.inputs)]
    function = tf.function(lambda *xs: model(list(xs) if len(xs) > 1 else xs[0]), input_signature=signature)
    tf2onnx.convert.from_function(function, input_signature=signature, opset=17, output_path=str(path))


def exports(_):
    for name, model in cases():
        for how, write in [("keras", by_keras), ("tf2onnx", by_tf2onnx)]:
            yield f"{how}__{name}", lambda path, model=model, write=write: write(model, path)
