#!/usr/bin/env python3
"""composed.py FOLDER: one small network for each operator that is written out in terms of others, and for control flow,
with random weights; beside them expected.json, the outputs of ONNX Runtime (of ONNX's reference implementation where
that has no kernel) at three points each. `src/onnx/expand/tests.rs` reads both. Needs onnx, onnxruntime and numpy."""
import json, sys, zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

MS, ML = "com.microsoft", "ai.onnx.ml"
rng = np.random.default_rng(11)


def f(*shape):
    return rng.normal(0, 0.7, shape).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def n(op, inputs, outputs, domain="", **attributes):
    return helper.make_node(op, inputs.split(" ") if inputs else [], outputs.split(" "), domain=domain, **attributes)


S = lambda x: np.float32(x)
CASES = {}


def case(name, shape, nodes, opset=17, out=TensorProto.FLOAT, **constants):
    CASES[name] = (shape, nodes, opset, out, constants)


def quantized(op, extra="", **constants):
    """x → uint8 → the operator → float."""
    return [n("QuantizeLinear", "x sx zx", "q"), op, n("DequantizeLinear", "r sy zy", "y")]


scales = dict(sx=S(0.03), zx=np.uint8(120), sy=S(0.07), zy=np.uint8(110))
case("quick_gelu", [1, 6], [n("QuickGelu", "x", "y", MS, alpha=1.5)])
case("gelu", [1, 6], [n("Gelu", "x", "y", MS)])
case("bias_gelu", [1, 6], [n("BiasGelu", "x b", "y", MS)], b=f(6))
case("fast_gelu", [1, 6], [n("FastGelu", "x b", "y", MS)], b=f(6))
case("fused_gemm", [1, 6], [n("FusedGemm", "x w b", "y", MS, activation="LeakyRelu", activation_alpha=0.2, alpha=0.5, transB=1)], w=f(4, 6), b=f(4))
case("fused_matmul", [1, 3, 6], [n("FusedMatMul", "x w", "y", MS, alpha=0.5, transB=1)], w=f(4, 6))
case("fused_matmul_both", [1, 6, 3], [n("FusedMatMul", "x x", "y", MS, transA=1)])
case("fused_conv", [1, 2, 4, 4], [n("FusedConv", "x w b", "y", MS, activation="Relu", pads=[1, 1, 1, 1])], w=f(3, 2, 3, 3), b=f(3))
case("fused_conv_clip", [1, 2, 4, 4], [n("FusedConv", "x w b", "y", MS, activation="Clip", activation_params=[0.0, 0.5])], w=f(3, 2, 3, 3), b=f(3))
case("skip_layer_normalization", [1, 3, 6], [n("SkipLayerNormalization", "x s g b c", "y", MS, epsilon=1e-5)], s=f(1, 3, 6), g=f(6), b=f(6), c=f(6))
case("skip_simplified", [1, 3, 6], [n("SkipSimplifiedLayerNormalization", "x s g", "y", MS, epsilon=1e-5)], s=f(1, 3, 6), g=f(6))
case("simplified_layer_normalization", [1, 3, 6], [n("SimplifiedLayerNormalization", "x g", "y", axis=-1, epsilon=1e-5)], g=f(6))
case("dynamic_quantize", [1, 6], [n("DynamicQuantizeLinear", "x", "q s z"), n("DequantizeLinear", "q s z", "y")])
case("matmul_integer", [1, 6], [n("QuantizeLinear", "x sx zx", "q"), n("MatMulInteger", "q w zx zw", "i"), n("Cast", "i", "y", to=1)], w=i8(6, 4), zw=i8(4), **scales)
case("conv_integer", [1, 2, 4, 4], [n("QuantizeLinear", "x sx zx", "q"), n("ConvInteger", "q w zx", "i", pads=[1, 1, 1, 1]), n("Cast", "i", "y", to=1)], w=u8(3, 2, 3, 3), **scales)
case("matmul_integer_to_float", [1, 6], [n("QuantizeLinear", "x sx zx", "q"), n("MatMulIntegerToFloat", "q w sx sw zx zw b", "y", MS)], w=i8(6, 4), sw=S(0.02), zw=np.int8(3), b=f(4), **scales)
case("dynamic_quantize_matmul", [1, 6], [n("DynamicQuantizeMatMul", "x w sw zw b", "y", MS)], w=i8(6, 4), sw=S(0.02), zw=np.int8(3), b=f(4))
case("qlinear_matmul", [1, 6], quantized(n("QLinearMatMul", "q sx zx w sw zw sy zy", "r")), w=i8(6, 4), sw=S(0.02), zw=np.int8(3), **scales)
case("qlinear_conv", [1, 2, 4, 4], quantized(n("QLinearConv", "q sx zx w sw zw sy zy b", "r", pads=[1, 1, 1, 1])), w=i8(3, 2, 3, 3), sw=np.array([0.02, 0.01, 0.015], np.float32), zw=np.zeros(3, np.int8), b=rng.integers(-900, 900, 3).astype(np.int32), **scales)
case("qgemm", [1, 6], quantized(n("QGemm", "q sx zx w sw zw b sy zy", "r", MS, transB=1)), w=i8(4, 6), sw=S(0.02), zw=np.int8(0), b=rng.integers(-900, 900, 4).astype(np.int32), **scales)
case("qlinear_add", [1, 6], quantized(n("QLinearAdd", "q sx zx w sw zw sy zy", "r", MS)), w=u8(6), sw=S(0.02), zw=np.uint8(100), **scales)
case("qlinear_mul", [1, 6], quantized(n("QLinearMul", "q sx zx w sw zw sy zy", "r", MS)), w=u8(6), sw=S(0.02), zw=np.uint8(100), **scales)
case("qlinear_sigmoid", [1, 6], quantized(n("QLinearSigmoid", "q sx zx sy zy", "r", MS)), **scales)
case("qlinear_leaky_relu", [1, 6], quantized(n("QLinearLeakyRelu", "q sx zx sy zy", "r", MS, alpha=0.1)), **scales)
case("qlinear_global_average", [1, 2, 4, 4], quantized(n("QLinearGlobalAveragePool", "q sx zx sy zy", "r", MS)), **scales)
case("qlinear_concat", [1, 6], quantized(n("QLinearConcat", "sy zy q sx zx w sw zw", "r", MS, axis=1)), w=u8(1, 3), sw=S(0.02), zw=np.uint8(100), **scales)
case("scaler", [1, 6], [n("Scaler", "x", "y", ML, offset=f(6).tolist(), scale=f(6).tolist())])
for norm in ["MAX", "L1", "L2"]:
    case(f"normalizer_{norm.lower()}", [1, 6], [n("Normalizer", "x", "y", ML, norm=norm)])
case("linear_regressor", [1, 6], [n("LinearRegressor", "x", "y", ML, coefficients=f(12).tolist(), intercepts=f(2).tolist(), targets=2)])
case("linear_classifier", [1, 6], [n("LinearClassifier", "x", "label y", ML, coefficients=f(18).tolist(), intercepts=f(3).tolist(), classlabels_ints=[0, 1, 2], post_transform="SOFTMAX", multi_class=1)])
for kernel in ["RBF", "LINEAR", "POLY", "SIGMOID"]:
    case(f"svm_{kernel.lower()}", [1, 3], [n("SVMRegressor", "x", "y", ML, coefficients=f(4).tolist(), rho=f(1).tolist(), n_supports=4, support_vectors=f(12).tolist(), kernel_type=kernel, kernel_params=[0.3, 0.4, 3.0])])
tree = dict(
    nodes_treeids=[0] * 5 + [1] * 3, nodes_nodeids=[0, 1, 2, 3, 4, 0, 1, 2], nodes_featureids=[0, 1, 0, 0, 0, 2, 0, 0],
    nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
    nodes_values=[0.1, -0.2, 0, 0, 0, 0.3, 0, 0], nodes_truenodeids=[1, 3, 0, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0, 2, 0, 0])
case("tree_regressor", [1, 3], [n("TreeEnsembleRegressor", "x", "y", ML, **tree, target_treeids=[0] * 6 + [1] * 4, target_nodeids=[2, 2, 3, 3, 4, 4, 1, 1, 2, 2], target_ids=[0, 1] * 5, target_weights=[1.5, 0.3, 0.1, -2.0, 0.5, 0.7, 0.25, 0.2, 0.4, -1.0], n_targets=2, base_values=[0.1, 0.2])])
case("tree_classifier", [1, 3], [n("TreeEnsembleClassifier", "x", "label y", ML, **tree, class_treeids=[0, 0, 0, 1, 1], class_nodeids=[2, 3, 4, 1, 2], class_ids=[0, 1, 2, 0, 1], class_weights=[1.5, 2.0, 0.5, 0.25, 1.0], classlabels_int64s=[0, 1, 2], post_transform="SOFTMAX")])
case("swish", [1, 6], [n("Swish", "x", "y", alpha=1.3)], 24)
case("rms_normalization", [1, 3, 6], [n("RMSNormalization", "x g", "y", axis=-1)], 23, g=f(6))
case("attention_4d", [1, 2, 4, 3], [n("Attention", "x k v", "y")], 23, k=f(1, 2, 5, 3), v=f(1, 2, 5, 3))
case("attention_mask", [1, 2, 4, 3], [n("Attention", "x k v m", "y", softcap=2.0, scale=0.5)], 23, k=f(1, 2, 5, 3), v=f(1, 2, 5, 3), m=f(4, 5))
case("attention_causal", [1, 4, 6], [n("Attention", "x x x", "y", q_num_heads=2, kv_num_heads=2, is_causal=1)], 23)
case("attention_shared", [1, 4, 8], [n("Attention", "x k v", "y", q_num_heads=4, kv_num_heads=2)], 23, k=f(1, 5, 4), v=f(1, 5, 4))
angles = rng.uniform(0, 3, (4, 2)).astype(np.float32)
case("rotary", [1, 2, 4, 4], [n("RotaryEmbedding", "x c s", "y")], 23, c=np.cos(angles)[None], s=np.sin(angles)[None])
case("rotary_interleaved", [1, 4, 12], [n("RotaryEmbedding", "x c s p", "y", num_heads=2, rotary_embedding_dim=4, interleaved=1)], 23, c=np.cos(angles), s=np.sin(angles), p=np.array([[0, 1, 2, 3]]))


def info(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


body = helper.make_graph(
    [n("MatMul", "v w", "a"), n("Tanh", "a", "b"), n("Add", "b v", "next"), n("ReduceSum", "next", "slice", keepdims=0), n("Identity", "go", "on")],
    "body", [info("i", [], TensorProto.INT64), info("go", [], TensorProto.BOOL), info("v", [1, 3])],
    [info("on", [], TensorProto.BOOL), info("next", [1, 3]), info("slice", [])])
case("loop", [1, 3], [n("Loop", "rounds  x", "last sums", body=body), n("Reshape", "sums row", "r"), n("Concat", "last r", "y", axis=1)], rounds=np.int64(4), w=f(3, 3), row=np.array([1, -1]))
step = helper.make_graph(
    [n("MatMul", "state w", "a"), n("Add", "a piece", "b"), n("Tanh", "b", "next"), n("Identity", "next", "out")],
    "step", [info("state", [1, 3]), info("piece", [1, 3])], [info("next", [1, 3]), info("out", [1, 3])])
case("scan", [1, 5, 3], [n("Scan", "h0 x", "last all", body=step, num_scan_inputs=1, scan_input_axes=[1], scan_input_directions=[1], scan_output_axes=[1]), n("Flatten", "all", "y")], w=f(3, 3), h0=f(1, 3))
case("lists", [1, 6], [n("SplitToSequence", "x two", "list", axis=1), n("SequenceAt", "list last", "a"), n("SequenceInsert", "list a first", "more"), n("ConcatFromSequence", "more", "y", axis=1)], two=np.int64(2), last=np.int64(-1), first=np.int64(0))
case("list_of_rows", [3, 2], [n("SplitToSequence", "x", "list", axis=0, keepdims=0), n("SequenceErase", "list one", "less"), n("ConcatFromSequence", "less", "y", axis=1, new_axis=1)], one=np.int64(1))
case("qlinear_softmax", [2, 6], quantized(n("QLinearSoftmax", "q sx zx sy zy", "r", MS, axis=-1, opset=13)), **{**scales, "sy": S(1 / 255), "zy": np.uint8(0)})

case("runtime_attention", [1, 5, 6], [n("Attention", "x w b", "y", MS, num_heads=2)], w=f(6, 18), b=f(18))
case("runtime_attention_causal", [1, 5, 6], [n("Attention", "x w b   a", "y", MS, num_heads=3, unidirectional=1, scale=0.7, qkv_hidden_sizes=[6, 6, 9])], w=f(6, 21), b=f(21), a=f(1, 3, 5, 5))
case("multi_head_attention", [1, 5, 6], [n("MultiHeadAttention", "x k v b", "y", MS, num_heads=2)], k=f(1, 4, 6), v=f(1, 4, 6), b=f(18))
case("quantised_attention", [1, 5, 6], [n("DynamicQuantizeLinear", "x", "q sx zx"), n("QAttention", "q w b sx sw  zx zw", "y", MS, num_heads=2)], w=i8(6, 18), b=f(18), sw=S(0.01), zw=np.int8(0))
lstm_bytes = dict(w=i8(1, 3, 16), r=i8(1, 4, 16), sw=np.array([0.01], np.float32), zw=np.array([3], np.int8), sr=np.array([0.012], np.float32), zr=np.array([0], np.int8))
case("quantised_lstm", [5, 1, 3], [n("DynamicQuantizeLSTM", "x w r b  h c  sw zw sr zr", "all last y", MS, hidden_size=4, direction="forward")], b=f(1, 32), h=f(1, 1, 4), c=f(1, 1, 4), **lstm_bytes)
two = dict(w=i8(2, 3, 16), r=i8(2, 4, 16), sw=np.array([0.01, 0.02], np.float32), zw=np.array([3, -2], np.int8), sr=np.array([0.012, 0.01], np.float32), zr=np.array([0, 1], np.int8))
case("quantised_lstm_both_ways", [5, 1, 3], [n("DynamicQuantizeLSTM", "x w r      sw zw sr zr", "y", MS, hidden_size=4, direction="bidirectional")], **two)
case("array_feature_extractor", [2, 6], [n("ArrayFeatureExtractor", "x i", "y", ML)], i=np.array([[4, 0, 4]], np.int64))
case("fused_matmul_batch", [3, 2, 6], [n("FusedMatMul", "x w", "y", MS, transBatchA=1)], w=f(2, 6, 4))
case("fused_matmul_batch_both", [3, 2, 6], [n("FusedMatMul", "x w", "y", MS, transBatchA=1, transBatchB=1, transB=1)], w=f(4, 2, 6))
case("nan_not_chosen", [1, 6], [n("Where", "yes x never", "y")], yes=np.array(True), never=np.float32(np.nan))


INT = TensorProto.INT64


def svc(classes, kernel="RBF", proba=False, label=False, features=3, strings=False, **more):
    """A classifier of support vectors, two of each class and one more of the first."""
    sizes = [3] + [2] * (classes - 1)
    vectors, pairs = sum(sizes), classes * (classes - 1) // 2
    names = dict(classlabels_strings=[f"c{i}" for i in range(classes)]) if strings else dict(classlabels_ints=[3 * i + 1 for i in range(classes)])
    chances = dict(prob_a=(-1 - np.abs(f(pairs))).tolist(), prob_b=f(pairs).tolist()) if proba else {}
    return [n("SVMClassifier", "x", "y scores" if label else "label y", ML, coefficients=f((classes - 1) * vectors).tolist(), rho=f(pairs).tolist(), support_vectors=f(vectors * features).tolist(), vectors_per_class=sizes, kernel_type=kernel, kernel_params=[0.3, 0.4, 2.0], **names, **chances, **more)]


for kernel in ["RBF", "LINEAR", "POLY", "SIGMOID"]:
    case(f"svc_{kernel.lower()}", [2, 3], svc(3, kernel))
for transform in ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]:
    case(f"svc_chances_{transform.lower()}", [2, 3], svc(3, proba=True, post_transform=transform))
case("svc_chances", [3, 3], svc(4, proba=True))
case("svc_chances_of_two", [2, 3], svc(2, proba=True))
case("svc_softmax", [2, 3], svc(4, post_transform="SOFTMAX"))
case("svc_two", [2, 3], svc(2, strings=True))
case("svc_label", [4, 3], svc(4, label=True), out=INT)
case("svc_label_of_two", [4, 3], svc(2, label=True), out=INT)
rows = dict(coefficients=f(9).tolist(), rho=[0.1], classlabels_ints=[2, 5, 7], kernel_params=[0.0, 0.0, 0.0])
case("svc_without_vectors", [2, 3], [n("SVMClassifier", "x", "label y", ML, post_transform="LOGISTIC", **rows)])
case("svc_without_vectors_label", [4, 3], [n("SVMClassifier", "x", "y scores", ML, **rows)], out=INT)
case("svc_without_vectors_label_of_two", [6, 3], [n("SVMClassifier", "x", "y scores", ML, coefficients=f(6).tolist(), rho=[-0.2], classlabels_ints=[2, 5], kernel_params=[0.0, 0.0, 0.0])], out=INT)
case("svm_without_vectors", [2, 3], [n("SVMRegressor", "x", "y", ML, coefficients=f(3).tolist(), rho=[0.3], n_supports=0, kernel_type="LINEAR", kernel_params=[0.0, 0.0, 0.0])])
case("svm_one_class", [4, 3], [n("SVMRegressor", "x", "y", ML, coefficients=f(4).tolist(), rho=[0.0], n_supports=4, support_vectors=f(12).tolist(), kernel_type="RBF", kernel_params=[0.3, 0.0, 0.0], one_class=1)])
case("linear_of_two", [2, 3], [n("LinearClassifier", "x", "label y", ML, coefficients=f(3).tolist(), intercepts=[0.1], classlabels_ints=[4, 7])])
case("linear_of_two_logistic", [2, 3], [n("LinearClassifier", "x", "label y", ML, coefficients=f(3).tolist(), intercepts=[0.1], classlabels_strings=["a", "b"], post_transform="LOGISTIC")])
case("linear_of_two_label", [4, 3], [n("LinearClassifier", "x", "y scores", ML, coefficients=f(3).tolist(), intercepts=[0.1], classlabels_ints=[4, 7])], out=INT)
case("linear_probit", [2, 3], [n("LinearRegressor", "x", "y", ML, coefficients=(f(6) / 20).tolist(), intercepts=[0.4, 0.6], targets=2, post_transform="PROBIT")])
case("linear_softmax_zero", [2, 3], [n("LinearRegressor", "x", "y", ML, coefficients=f(6).tolist() + [0.0] * 3, intercepts=[0.4, 0.6, 0.0], targets=3, post_transform="SOFTMAX_ZERO")])
three = dict(tree, nodes_modes=["BRANCH_GTE", "BRANCH_LT", "LEAF", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"])
some = dict(target_treeids=[0, 0, 0, 1, 1, 1], target_nodeids=[2, 3, 4, 1, 2, 2], target_ids=[0, 1, 0, 0, 1, 0], target_weights=[1.5, -2.0, 0.5, 0.25, 1.0, -0.3], n_targets=2)
for aggregate in ["AVERAGE", "MIN", "MAX"]:
    case(f"tree_{aggregate.lower()}", [6, 3], [n("TreeEnsembleRegressor", "x", "y", ML, **three, **some, aggregate_function=aggregate)])
case("tree_equal", [6, 3], [n("Round", "x", "r"), n("TreeEnsembleRegressor", "r", "y", ML, **dict(tree, nodes_modes=["BRANCH_EQ", "BRANCH_NEQ", "LEAF", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.0, 1.0, 0, 0, 0, 0.3, 0, 0]), **some)])
for name, ids, weights in [("first", 0, [0.9, 0.2, 0.4, 0.1, 0.05]), ("first_mixed", 0, [0.9, -0.2, 0.4, -0.6, 0.05]), ("second", 1, [0.9, -0.2, 0.4, -0.6, 0.05])]:
    for label in [False, True]:
        case(f"tree_two_{name}" + "_label" * label, [6, 3], [n("TreeEnsembleClassifier", "x", "y scores" if label else "label y", ML, **tree, class_treeids=[0, 0, 0, 1, 1], class_nodeids=[2, 3, 4, 1, 2], class_ids=[ids] * 5, class_weights=weights, classlabels_int64s=[4, 7])], out=INT if label else TensorProto.FLOAT)
case("tree_two_logistic", [6, 3], [n("TreeEnsembleClassifier", "x", "label y", ML, **tree, class_treeids=[0, 0, 0, 1, 1], class_nodeids=[2, 3, 4, 1, 2], class_ids=[0] * 5, class_weights=[0.9, -0.2, 0.4, -0.6, 0.05], classlabels_strings=["a", "b"], post_transform="LOGISTIC", base_values=[0.2])])
case("tree_two_both", [6, 3], [n("TreeEnsembleClassifier", "x", "label y", ML, **tree, class_treeids=[0] * 6, class_nodeids=[2, 2, 3, 3, 4, 4], class_ids=[0, 1] * 3, class_weights=[0.9, 0.1, 0.4, 0.6, 0.5, 0.5], classlabels_int64s=[0, 1])])
tensor = lambda values, kind=np.float32: numpy_helper.from_array(np.array(values, kind))
newest = dict(nodes_featureids=[0, 1, 2], nodes_truenodeids=[1, 0, 2], nodes_falsenodeids=[2, 1, 3], nodes_trueleafs=[0, 1, 1], nodes_falseleafs=[0, 1, 1], tree_roots=[0], leaf_targetids=[0, 1, 0, 1], n_targets=2)
case("tree_ensemble", [6, 3], [n("TreeEnsemble", "x", "y", ML, nodes_splits=tensor([0.1, -0.2, 0.3]), nodes_modes=tensor([0, 3, 1], np.uint8), leaf_weights=tensor([1.5, -0.3, 0.7, 2.0]), **newest)])
case("tree_ensemble_members", [6, 3], [n("Round", "x", "r"), n("TreeEnsemble", "r", "y", ML, nodes_splits=tensor([0, 0, 0.3]), nodes_modes=tensor([6, 6, 0], np.uint8), leaf_weights=tensor([1.5, -0.3, 0.7, 2.0]), membership_values=tensor([0, 1, np.nan, -1, 1, 2, np.nan]), aggregate_function=3, **newest)])
case("tree_ensemble_double", [6, 3], [n("Cast", "x", "d", to=11), n("TreeEnsemble", "d", "z", ML, nodes_splits=tensor([0.1, -0.2, 0.3], np.float64), nodes_modes=tensor([0, 0, 0], np.uint8), leaf_weights=tensor([1.5, -0.3, 0.7, 2.0], np.float64), post_transform=3, **newest), n("Cast", "z", "y", to=1)])
case("tree_double", [6, 3], [n("Cast", "x", "d", to=11), n("TreeEnsembleRegressor", "d", "y", ML, **{k: v for k, v in three.items() if k != "nodes_values"}, nodes_values_as_tensor=tensor(tree["nodes_values"], np.float64), **{k: v for k, v in some.items() if k != "target_weights"}, target_weights_as_tensor=tensor(some["target_weights"], np.float64))])
case("binarizer", [1, 6], [n("Binarizer", "x", "y", ML, threshold=0.2)])
case("imputer", [2, 6], [n("Round", "x", "r"), n("Imputer", "r", "y", ML, imputed_value_floats=f(6).tolist(), replaced_value_float=0.0)])
case("one_hot", [2, 3], [n("OneHotEncoder", "x", "h", ML, cats_int64s=[1, -1, 0], zeros=1), n("Flatten", "h", "y")])
case("one_hot_strict", [2, 3], [n("Clip", "x low high", "c"), n("OneHotEncoder", "c", "h", ML, cats_int64s=[1, -1, 0], zeros=0), n("Flatten", "h", "y")], low=S(-1.2), high=S(1.2))
case("label_encoder", [2, 6], [n("Round", "x", "r"), n("LabelEncoder", "r", "y", ML, keys_floats=[0.0, -1.0, 0.0], values_floats=[5.0, 2.5, 1.0], default_float=0.75)])
case("label_encoder_integers", [2, 6], [n("Cast", "x", "r", to=INT), n("LabelEncoder", "r", "y", ML, keys_int64s=[0, -1], values_int64s=[5, 2])], out=INT)
case("feature_vectorizer", [2, 3], [n("Neg", "x", "i"), n("FeatureVectorizer", "x i w", "y", ML, inputdimensions=[3, 3, 2])], w=f(2, 2))
listed = lambda name: helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None)
keep = helper.make_graph(
    [n("Mul", "v two", "next"), n("SequenceInsert", "list next", "more"), n("Identity", "go", "on")],
    "keep", [info("i", [], INT), info("go", [], TensorProto.BOOL), info("v", None), listed("list")], [info("on", [], TensorProto.BOOL), info("next", None), listed("more")])
case("loop_of_lists", [1, 3], [n("SequenceEmpty", "", "none"), n("Loop", "rounds  x none", "last list", body=keep), n("Identity", "list", "same"), n("SequenceErase", "same one", "less"), n("ConcatFromSequence", "less", "y", axis=0)], rounds=np.int64(4), two=S(2), one=np.int64(1))
turn = helper.make_graph([n("SequenceConstruct", "x w", "first")], "turn", [], [listed("first")])
other = helper.make_graph([n("SplitToSequence", "x", "second", axis=1)], "other", [], [listed("second")])
case("branch_of_lists", [1, 3], [n("If", "yes", "list", then_branch=turn, else_branch=other), n("ConcatFromSequence", "list", "y", axis=-1)], yes=np.array(False), w=f(1, 3))
inner = helper.make_graph([n("Where", "high v low", "kept")], "inner", [], [info("kept", [1, 3])])
same = helper.make_graph([n("Add", "v low", "moved")], "same", [], [info("moved", [1, 3])])
nest = helper.make_graph(
    [n("Greater", "v low", "high"), n("Less", "i two_i", "early"), n("If", "early", "next", then_branch=inner, else_branch=same), n("Less", "i three", "on"), n("Identity", "next", "copy")],
    "nest", [info("i", [], INT), info("go", [], TensorProto.BOOL), info("v", [1, 3])], [info("on", [], TensorProto.BOOL), info("next", [1, 3]), info("copy", [1, 3])])
case("branch_in_loop", [1, 3], [n("Loop", "  x", "last all", body=nest), n("Add", "all last", "y")], low=S(-0.3), two_i=np.int64(2), three=np.int64(3))

case("runtime_pad", [1, 3, 4], [n("Pad", "x p v", "y", MS)], p=np.array([0, 1, 0, 0, 0, 2]), v=S(0.5))
case("runtime_trilu", [1, 3, 4], [n("Trilu", "x k", "y", MS, upper=0)], k=np.int64(1))
case("runtime_expand_dims", [1, 6], [n("ExpandDims", "x a", "y", MS)], a=np.int32(1))
case("qgemm_alpha", [1, 6], quantized(n("QGemm", "q sx zx w sw zw b sy zy", "r", MS, transB=1, alpha=0.5)), w=i8(4, 6), sw=S(0.02), zw=np.int8(3), b=rng.integers(-900, 900, 4).astype(np.int32), **scales)
maps = helper.make_value_info("y", helper.make_sequence_type_proto(helper.make_map_type_proto(INT, helper.make_tensor_type_proto(TensorProto.FLOAT, None))))
case("zip_map", [2, 3], [n("LinearClassifier", "x", "label p", ML, coefficients=f(9).tolist(), intercepts=f(3).tolist(), classlabels_ints=[1, 4, 7], post_transform="SOFTMAX"), n("ZipMap", "p", "y", ML, classlabels_int64s=[1, 4, 7])], out=maps)


def numbers(y):
    """Maps are their numbers."""
    return np.asarray([list(row.values()) for row in y] if isinstance(y, list) else y, np.float64).ravel().tolist()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (shape, nodes, opset, out, constants) in CASES.items():
        graph = helper.make_graph(nodes, name, [info("x", shape)], [info("y", None, out) if isinstance(out, int) else out], [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
        # The newest operators of classical models have replaced the others.
        version = 5 if any(node.op_type == "TreeEnsemble" for node in nodes) else 3
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MS, 1), helper.make_opsetid(ML, version)], ir_version=10)
        onnx.save(model, folder / f"{name}.onnx")
        # Of its own: a case more leaves the points of the others as they are.
        drawn = np.random.default_rng(zlib.crc32(name.encode()))
        points = [drawn.normal(0, 0.7, shape).astype(np.float32) for _ in range(3)]
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            session = onnxruntime.InferenceSession(model.SerializeToString(), options)
            run, source = (lambda p: session.run(["y"], {"x": p})[0]), "ONNX Runtime"
            run(points[0])
        except Exception as error:
            print(name, str(error).splitlines()[0][:150])
            try:
                evaluator = ReferenceEvaluator(model)
                evaluator.run(["y"], {"x": points[0]})
            except Exception as other:
                raise SystemExit(f"{name}: nothing computes it: {other}")
            run, source = (lambda p: evaluator.run(["y"], {"x": p})[0]), "ONNX's reference implementation"
        expected[name] = {"source": source, "points": [{"x": p.ravel().tolist(), "y": numbers(run(p))} for p in points]}
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")))
    print(len(expected), "networks")


main()
