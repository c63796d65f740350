"""scikit-learn's objectives: Gaussian processes and their kernels, backpropagation, NCA and t-SNE."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cases import Case, Source, in_units, of_source
from scipy.spatial.distance import pdist, squareform
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process import kernels as k
from sklearn.gaussian_process._gpc import _BinaryGaussianProcessClassifierLaplace
from sklearn.manifold import _t_sne
from sklearn.neighbors import NeighborhoodComponentsAnalysis, kneighbors_graph
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._multilayer_perceptron import _pack

NEWTON = 1e-5
"""The classifier's inner solver stops at a change of 1e-10 of the likelihood, so at a square root of that."""

DIFFERENCES = 1e-4
"""Kernels without a closed form have forward differences of step 1e-10 inside."""

SINGLE = 1e-3
"""The Barnes-Hut sums are taken in single precision."""

MEAN_OVER_OUTPUTS = (
    "squared_loss is the mean over the outputs, and _backprop has its sum (scikit-learn 1.9.1)"
)

DEGREES_OF_FREEDOM = "the kernel is not to the power that its derivative has, for degrees of freedom above 1"


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """Some ninety cases."""
    for kernel, kind in _kernels(rng):
        yield _of_a_kernel(rng, kernel, kind)
        yield _of_a_regressor(rng, kernel)
    for kernel in (k.Matern(_length(rng), nu=2.2), k.PairwiseKernel(_length(rng) / 10, metric="rbf")):
        yield _of_a_kernel(rng, kernel, type(kernel), DIFFERENCES)
    for kernel, _ in list(_kernels(rng))[:4]:
        yield _of_a_classifier(rng, kernel)
    for _ in range(12):
        yield _of_a_perceptron(rng)
    for _ in range(6):
        yield _of_components(rng)
    for _ in range(6):
        yield _of_an_embedding(rng)
    for _ in range(2):
        yield _of_a_tree_of_points(rng)


def _length(rng, n=None):
    return 10 ** rng.uniform(-0.5, 1, n)


def _kernels(rng: np.random.Generator) -> Iterator[tuple[k.Kernel, type]]:
    """Kernels of three features, and the class whose derivative is at the heart of each."""
    yield k.RBF(_length(rng)), k.RBF
    yield k.RBF(_length(rng, 3)), k.RBF
    for nu in (0.5, 1.5, 2.5, np.inf):
        yield k.Matern(_length(rng), nu=nu), k.Matern
        yield k.Matern(_length(rng, 3), nu=nu), k.Matern
    yield k.RationalQuadratic(_length(rng), 10 ** rng.uniform(-1, 2)), k.RationalQuadratic
    yield k.ExpSineSquared(_length(rng), 10 ** rng.uniform(-0.5, 0.5)), k.ExpSineSquared
    yield k.DotProduct(10 ** rng.uniform(-2, 2)), k.DotProduct
    yield k.ConstantKernel(10 ** rng.uniform(-4, 4)), k.ConstantKernel
    yield k.WhiteKernel(10 ** rng.uniform(-4, 2)), k.WhiteKernel
    yield k.Exponentiation(k.RationalQuadratic(1.3, 0.7), 1.7), k.Exponentiation
    yield k.ConstantKernel(10 ** rng.uniform(-3, 3)) * k.RBF(_length(rng, 3)), k.Product
    yield k.RBF(_length(rng)) + k.WhiteKernel(10 ** rng.uniform(-3, 0)) + k.DotProduct(0.5), k.Sum


def _remade(kernel: k.Kernel, kind: type, call) -> k.Kernel:
    """The same kernel with another method that evaluates it."""
    changed = type(f"Edited{kind.__name__}", (kind,), {"__call__": call, "__init__": kind.__init__})
    given = {name: getattr(kernel, name) for name in kernel.get_params(deep=False)}
    return changed(**given)


def _of_a_kernel(rng: np.random.Generator, kernel: k.Kernel, kind: type, rtol: float = 0.0) -> Case:
    X = rng.normal(size=(int(rng.integers(3, 9)), 3))
    c = rng.normal(size=(len(X), len(X)))

    def gradient(call):
        changed = _remade(kernel, kind, call)
        return lambda theta: np.einsum(
            "ij,ijp->p", c, changed.clone_with_theta(theta)(X, eval_gradient=True)[1]
        )

    def value(theta):
        return float(np.sum(c * kernel.clone_with_theta(theta)(X)))

    source = Source(kind.__call__, gradient)
    return of_source(f"kernels.{kernel}", value, source, kernel.theta.copy(), rtol)


def _of_a_regressor(rng: np.random.Generator, kernel: k.Kernel) -> Case:
    n = int(rng.integers(4, 25))
    X, y = rng.normal(size=(n, 3)), rng.normal(size=n) * 10 ** rng.uniform(-2, 2)
    noise = 10 ** rng.uniform(-6, 0)
    if isinstance(kernel, k.ExpSineSquared):
        X = X[:, :1]  # it is positive definite on a line only
    model = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(X, y)
    source = Source(
        GaussianProcessRegressor.log_marginal_likelihood,
        lambda function: lambda theta: np.asarray(function(model, theta, eval_gradient=True)[1]),
    )
    text = f"GaussianProcessRegressor({kernel}) n={n} alpha={noise:.0e}"
    return of_source(text, lambda t: float(model.log_marginal_likelihood(t)), source, kernel.theta.copy())


def _of_a_classifier(rng: np.random.Generator, kernel: k.Kernel) -> Case:
    n = int(rng.integers(6, 20))
    X = rng.normal(size=(n, 3))
    y = np.arange(n) % 2
    model = GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=1000).fit(X, y)
    inner = model.base_estimator_
    source = Source(
        _BinaryGaussianProcessClassifierLaplace.log_marginal_likelihood,
        lambda function: lambda theta: np.asarray(function(inner, theta, eval_gradient=True)[1]),
    )

    def value(theta):
        return float(inner.log_marginal_likelihood(theta))

    text = f"GaussianProcessClassifier({kernel}) n={n}"
    return of_source(text, value, source, kernel.theta.copy(), rtol=NEWTON)


def _of_a_perceptron(rng: np.random.Generator) -> Case:
    """A network that was fitted for one step, for its shapes, and is then evaluated at drawn weights."""
    n, p, classes = int(rng.integers(4, 25)), int(rng.integers(1, 6)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, p)) * 10 ** rng.uniform(-1, 1)
    loss = str(rng.choice(["log_loss", "squared_error", "poisson"]))
    model, targets = _perceptron(rng, loss, X, classes)
    weights = rng.exponential(size=n) if rng.random() < 0.5 else None
    kind = type(model)
    sizes = [a.shape for a in model.coefs_]

    def both(theta, backprop):
        model._unpack(theta)
        outputs = [X] + [np.empty((n, s[1])) for s in sizes]
        deltas = [np.empty_like(a) for a in outputs[1:]]
        coefs, intercepts = [np.empty(s) for s in sizes], [np.empty(s[1]) for s in sizes]
        return backprop(model, X, targets, weights, outputs, deltas, coefs, intercepts)

    def clipped(theta):
        """Whether an output is clipped, and the gradient not that of the clip."""
        model._unpack(theta)
        outputs = model._forward_pass_fast(X, check_input=False)
        return loss == "log_loss" and bool((np.minimum(outputs, np.abs(1 - outputs)) < 1e-14).any())

    point = rng.normal(size=len(_pack(model.coefs_, model.intercepts_))) * 10 ** rng.uniform(-1, 1)
    while clipped(point):
        point = point / 2
    source = Source(kind._backprop, lambda function: lambda theta: _pack(*both(theta, function)[1:]))
    text = f"{kind.__name__}._backprop {loss} {model.activation} {sizes} n={n} scale={point.std():.1g}"
    wrong = MEAN_OVER_OUTPUTS if loss == "squared_error" and classes > 1 else ""
    return of_source(text, lambda theta: float(both(theta, kind._backprop)[0]), source, point, wrong=wrong)


def _perceptron(rng: np.random.Generator, loss: str, X: np.ndarray, classes: int):
    """A network of random shape, and the targets as its backward pass takes them."""
    n = len(X)
    hidden = tuple(int(h) for h in rng.integers(1, 6, rng.integers(1, 3)))
    options = {"alpha": 10 ** rng.uniform(-4, 0), "solver": "lbfgs", "max_iter": 1}
    options["activation"] = str(rng.choice(["identity", "logistic", "tanh", "relu"]))
    if loss == "log_loss":
        y = np.arange(n) % (classes + 1)
        classifier = MLPClassifier(hidden_layer_sizes=hidden, **options).fit(X, y)
        return classifier, classifier._label_binarizer.transform(y).astype(float)
    y = rng.poisson(2, (n, classes)) * 1.0 if loss == "poisson" else rng.normal(size=(n, classes))
    given = y if classes > 1 else y.ravel()
    return MLPRegressor(hidden_layer_sizes=hidden, loss=loss, **options).fit(X, given), y


def _of_components(rng: np.random.Generator) -> Case:
    n, p, q = int(rng.integers(4, 20)), int(rng.integers(2, 6)), int(rng.integers(1, 4))
    X, scale = in_units(rng, n, p)
    labels = rng.integers(0, 3, n)
    same = labels[:, None] == labels[None, :]
    model = NeighborhoodComponentsAnalysis()
    model.n_iter_ = 1
    kind = NeighborhoodComponentsAnalysis
    source = Source(
        kind._loss_grad_lbfgs, lambda function: lambda a: np.asarray(function(model, a, X, same, -1.0)[1])
    )
    text = f"NeighborhoodComponentsAnalysis {p} to {q} n={n} columns {scale.min():.0e} to {scale.max():.0e}"
    point = (rng.normal(size=(q, p)) / scale).ravel()
    return of_source(text, lambda a: float(model._loss_grad_lbfgs(a, X, same, -1.0)[0]), source, point)


def _of_an_embedding(rng: np.random.Generator) -> Case:
    n, q = int(rng.integers(5, 25)), int(rng.integers(1, 4))
    distances = squareform(pdist(rng.normal(size=(n, 4)), "sqeuclidean"))
    P = _t_sne._joint_probabilities(distances.astype(np.float32), 3.0, 0)
    # Two degrees of freedom are told from one only where distances are not small beside 1.
    scale = float(10 ** rng.uniform(-4 if q < 3 else -1, 1))
    more = (P, int(max(q - 1, 1)), n, q)
    source = Source(_t_sne._kl_divergence, lambda function: lambda y: np.asarray(function(y, *more)[1]))
    text = f"_t_sne._kl_divergence n={n} q={q} scale={scale:.0e}"
    point = rng.normal(size=n * q) * scale
    wrong = DEGREES_OF_FREEDOM if more[1] > 1 else ""
    return of_source(text, lambda y: float(_t_sne._kl_divergence(y, *more)[0]), source, point, wrong=wrong)


def _of_a_tree_of_points(rng: np.random.Generator) -> Case:
    """The same divergence by Barnes and Hut's algorithm, which at an angle of 0 leaves nothing out."""
    n, q = int(rng.integers(6, 20)), 2
    points = rng.normal(size=(n, 4))
    neighbours = kneighbors_graph(points, n - 1, mode="distance")
    neighbours.data **= 2
    P = _t_sne._joint_probabilities_nn(neighbours, 3.0, 0)
    more = (P, 1, n, q, 0.0)

    def both(y):
        return _t_sne._kl_divergence_bh(y, *more)

    text, point = f"_t_sne._kl_divergence_bh n={n}", rng.normal(size=n * q)
    return Case(text, lambda y: float(both(y)[0]), lambda y: np.asarray(both(y)[1], float), point, SINGLE)
