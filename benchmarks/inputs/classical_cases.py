"""Classical models (scikit-learn, LightGBM, XGBoost) by skl2onnx and onnxmltools: what users who have numbers in tables bring."""
import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn import (
    decomposition, ensemble, gaussian_process, kernel_approximation, linear_model, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree,
)

warnings.filterwarnings("ignore")
rng = np.random.default_rng(5)
X = rng.normal(size=(80, 6)).astype(np.float32)
NUMBERS = (X @ rng.normal(size=6) + np.sin(X[:, 0])).astype(np.float32)
CLASSES = (NUMBERS > 0).astype(int) + (NUMBERS > 1)


def cases():
    for model in [
        linear_model.LinearRegression(), linear_model.Ridge(), linear_model.Lasso(), tree.DecisionTreeRegressor(max_depth=4), ensemble.RandomForestRegressor(5, max_depth=4),
        ensemble.GradientBoostingRegressor(n_estimators=5), ensemble.ExtraTreesRegressor(5, max_depth=4), svm.SVR(), svm.LinearSVR(), neural_network.MLPRegressor(hidden_layer_sizes=(8, 8), max_iter=50),
        neighbors.KNeighborsRegressor(3), gaussian_process.GaussianProcessRegressor(),
    ]:
        yield model.fit(X, NUMBERS)
    for model in [
        linear_model.LogisticRegression(), tree.DecisionTreeClassifier(max_depth=4), ensemble.RandomForestClassifier(5, max_depth=4), svm.SVC(), neural_network.MLPClassifier(hidden_layer_sizes=(8, 8), max_iter=50),
        naive_bayes.GaussianNB(), linear_model.SGDClassifier(),
    ]:
        yield model.fit(X, CLASSES)
    for steps in [
        (preprocessing.StandardScaler(), neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=50)), (preprocessing.MinMaxScaler(), linear_model.Ridge()),
        (preprocessing.PolynomialFeatures(2), linear_model.Ridge()), (decomposition.PCA(3), linear_model.Ridge()), (preprocessing.Normalizer(), linear_model.Ridge()),
        (kernel_approximation.Nystroem(n_components=5), linear_model.Ridge()), (preprocessing.RobustScaler(), svm.SVR()),
    ]:
        yield pipeline.make_pipeline(*steps).fit(X, NUMBERS)


def name_of(model):
    parts = [step for _, step in model.steps] if isinstance(model, pipeline.Pipeline) else [model]
    return "_".join(type(part).__name__.lower() for part in parts)


def write(model, path):
    has_classes = hasattr(model, "classes_")
    made = to_onnx(model, X[:1], options={id(model): {"zipmap": False}} if has_classes else None, target_opset=17)
    if has_classes:
        # The labels are no numbers that a property could speak of; the probabilities are.
        del made.graph.output[0]
    path.write_bytes(made.SerializeToString())


def exports(_):
    for model in cases():
        yield f"skl2onnx__{name_of(model)}", lambda path, model=model: write(model, path)
