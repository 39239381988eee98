"""Classical models (scikit-learn, LightGBM, XGBoost) by skl2onnx and onnxmltools: what users who have numbers in tables bring."""
import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn import (
    calibration, cluster, decomposition, discriminant_analysis, ensemble, gaussian_process, impute, kernel_approximation, linear_model, multiclass, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree,
)

warnings.filterwarnings("ignore")
rng = np.random.default_rng(5)
X = rng.normal(size=(80, 6)).astype(np.float32)
NUMBERS = (X @ rng.normal(size=6) + np.sin(X[:, 0])).astype(np.float32)
CLASSES = (NUMBERS > 0).astype(int) + (NUMBERS > 1)
TWO = (NUMBERS > 0).astype(int)
WORDS = np.array(["low", "middle", "high"])[CLASSES]


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
    # What came later stands here: those above are drawn as they were.
    for model in [
        svm.LinearSVC(), svm.NuSVC(nu=0.3), svm.SVC(kernel="poly"), svm.SVC(kernel="sigmoid"), svm.SVC(probability=True), ensemble.GradientBoostingClassifier(n_estimators=4),
        ensemble.HistGradientBoostingClassifier(max_iter=4), ensemble.ExtraTreesClassifier(5, max_depth=4), ensemble.AdaBoostClassifier(n_estimators=4), ensemble.BaggingClassifier(n_estimators=4),
        discriminant_analysis.LinearDiscriminantAnalysis(), discriminant_analysis.QuadraticDiscriminantAnalysis(), linear_model.Perceptron(), linear_model.RidgeClassifier(),
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression()), calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2), naive_bayes.BernoulliNB(), neighbors.KNeighborsClassifier(3),
    ]:
        yield model.fit(X, CLASSES)
    for model in [
        linear_model.LogisticRegression(), tree.DecisionTreeClassifier(max_depth=4), ensemble.RandomForestClassifier(5, max_depth=4), ensemble.GradientBoostingClassifier(n_estimators=4),
        ensemble.HistGradientBoostingClassifier(max_iter=4), svm.SVC(), svm.LinearSVC(), svm.SVC(probability=True), svm.NuSVC(nu=0.3), linear_model.SGDClassifier(), neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=50),
    ]:
        yield model.fit(X, TWO), "_of_two"
    for model in [svm.SVC(), ensemble.RandomForestClassifier(5, max_depth=4), linear_model.LogisticRegression()]:
        yield model.fit(X, WORDS), "_of_words"
    for model in [ensemble.IsolationForest(n_estimators=4), svm.OneClassSVM(), cluster.KMeans(3)]:
        yield model.fit(X)
    for steps in [
        (impute.SimpleImputer(), linear_model.Ridge()), (preprocessing.Binarizer(threshold=0.2), linear_model.Ridge()), (preprocessing.KBinsDiscretizer(3), linear_model.Ridge()),
        (preprocessing.MaxAbsScaler(), ensemble.HistGradientBoostingRegressor(max_iter=4)), (preprocessing.QuantileTransformer(n_quantiles=20), linear_model.Ridge()),
    ]:
        yield pipeline.make_pipeline(*steps).fit(X, NUMBERS)


def name_of(model):
    parts = [step for _, step in model.steps] if isinstance(model, pipeline.Pipeline) else [model]
    return "_".join(type(part).__name__.lower() for part in parts)


def write(model, path, maps=False):
    has_classes = hasattr(model, "classes_")
    options = {id(model): {"zipmap": False}} if has_classes and not maps and not isinstance(model, svm.LinearSVC) else None
    made = to_onnx(model, X[:1], options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    if has_classes and not maps:
        # The labels are no numbers that a property could speak of; the probabilities are.
        del made.graph.output[0]
    path.write_bytes(made.SerializeToString())


def exports(_):
    seen = set()
    for case in cases():
        model, more = case if isinstance(case, tuple) else (case, "")
        stem = f"skl2onnx__{name_of(model)}{more}"
        while stem in seen:
            stem += "_again"
        seen.add(stem)
        yield stem, lambda path, model=model: write(model, path)
        if more or stem in ["skl2onnx__logisticregression", "skl2onnx__svc"]:
            # As the converter does by default: labels, and maps from them to probabilities.
            yield f"{stem}_zipmap", lambda path, model=model: write(model, path, maps=True)
