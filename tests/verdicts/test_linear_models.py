"""Gradients of the form Xᵀ r + λ θ, by complex steps, are found among arrays; and what was made of r."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.verdicts.fit import Error, first_fit
from backproof.verdicts.gradient_candidates import Tensor
from backproof.verdicts.linear_model import CHANGES, LINKS
from backproof.verdicts.model_search import ACTIVATIONS, Given, hidden_layers, hidden_model, linear_model
from backproof.verdicts.residuals import structure_of

DRAW = np.random.default_rng(2)
X = DRAW.standard_normal((12, 4))
THETA = 0.5 * DRAW.standard_normal(4)
SIGNS = np.sign(DRAW.standard_normal(12))
COUNTS = DRAW.integers(-2, 4, 12).astype(float)


def of(gradient, theta=THETA, data=None, others=None):
    """What is known where a gradient was measured to 1e-12."""
    right = np.asarray(gradient, float).ravel()
    error = Error(right, right, np.full(right.shape, 1e-12), np.ones(right.shape, bool))
    return Given(error, np.asarray(theta), {"x": X, "y": SIGNS} if data is None else data, others or {})


def positive(z):
    return np.where(np.real(z) > 0, z, 0)


def softplus(z):
    return np.log(1 + np.exp(z))


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def derivative(f, z):
    """f'(z) of an elementwise function."""
    return np.imag(f(z + 1e-30j)) / 1e-30


def gradient(loss, *theta):
    """The gradients of a loss, exact to rounding."""
    found = [np.zeros(t.shape) for t in theta]
    for k, t in enumerate(theta):
        for at in np.ndindex(t.shape):
            moved = [x.astype(complex) for x in theta]
            moved[k][at] += 1e-30j
            found[k][at] = loss(*moved).imag / 1e-30
    return found


# Losses whose gradients these are, as functions of z = X θ and y.
LOSSES = {
    "z": (lambda z, y: 0.5 * (z - y) ** 2, (1, -1)),
    "σ(z)": (lambda z, y: softplus(z) - y * z, (1, -1)),
    "exp(z)": (lambda z, y: np.exp(z) - y * z, (1, -1)),
    "tanh(z)": (lambda z, y: np.log(np.cosh(z)) - y * z, (1, -1)),
    "y max(0, 1 - y z)": (lambda z, y: 0.5 * positive(1 - y * z) ** 2, (-1, 0)),
    "y σ(-y z)": (lambda z, y: softplus(-y * z), (-1, 0)),
    "y [y z < 1]": (lambda z, y: positive(1 - y * z), (-1, 0)),
    "y exp(-z)": (lambda z, y: 1.7 * y * np.exp(-z), (-1.7, 0)),
    "exp(-z)": (lambda z, y: 3.5 * np.exp(-z) + 0 * y, (-3.5, 0)),
    "y max(0, -y z)": (lambda z, y: 0.5 * positive(-y * z) ** 2, (-1, 0)),
    "y max(0, 1 + y z)": (lambda z, y: 0.5 * positive(1 + y * z) ** 2, (1, 0)),
}


@pytest.mark.parametrize("link", LOSSES)
@pytest.mark.parametrize("l2", [0.0, 0.25])
def test_the_gradient_of_a_loss_of_x_theta_is_found(link, l2):
    loss, (alpha, beta) = LOSSES[link]
    y = COUNTS if beta else SIGNS
    (right,) = gradient(lambda w: loss(X @ w, y).sum() + l2 / 2 * (w**2).sum(), THETA)
    model = linear_model(of(right, data={"x": X, "y": y}))
    assert (model.name, model.words) == (link, "X = x, y = y")
    assert [model.alpha, model.beta, model.l2] == pytest.approx([alpha, beta, l2], abs=1e-13)
    assert model.entries.tolist() == [0, 1, 2, 3]
    z = model.x @ model.theta + model.offset
    made = model.x.T @ model.residual(z, model.y) + model.l2 * model.penalised
    np.testing.assert_allclose(made.ravel(), right, rtol=1e-12)


def test_a_mean_and_a_plain_penalty_have_plain_numbers():
    (right,) = gradient(lambda w: ((X @ w - COUNTS) ** 2).mean() + 0.0371 * (w**2).sum(), THETA)
    model = linear_model(of(right, data={"x": X, "y": COUNTS}))
    assert (model.alpha, model.beta, model.l2) == (1 / 6, -1 / 6, 0.0742)


def test_prediction_and_target_may_have_factors_of_their_own():
    (right,) = gradient(lambda w: (1.5 * (X @ w) ** 2 / 2 - 0.3 * COUNTS * (X @ w)).sum(), THETA)
    model = linear_model(of(right, data={"x": X, "y": COUNTS}))
    assert model.name == "z"
    assert [model.alpha, model.beta, model.l2] == pytest.approx([1.5, -0.3, 0], abs=1e-13)


def test_a_gradient_off_by_one_in_a_million_is_not_of_this_form():
    (right,) = gradient(lambda w: ((X @ w - COUNTS) ** 2).sum(), THETA)
    assert linear_model(of(right * (1 + 1e-6 * np.arange(4)), data={"x": X, "y": COUNTS})) is None
    assert linear_model(of(DRAW.standard_normal(4))) is None
    assert linear_model(of(right * np.nan, data={"x": X, "y": COUNTS})) is None
    with np.errstate(all="ignore"):
        assert linear_model(of(right, data={"x": X * np.inf, "y": COUNTS})) is None


def test_targets_and_designs_must_fit():
    (right,) = gradient(lambda w: ((X @ w - COUNTS) ** 2).sum(), THETA)
    assert linear_model(of(right, data={"x": X})) is None
    assert linear_model(of(right, data={"y": COUNTS})) is None
    assert linear_model(of(right, data={"x": X, "y": COUNTS[:11]})) is None
    assert linear_model(of(right, data={"x": X[:, :3], "y": COUNTS})) is None
    assert linear_model(of(right, data={"x": X, "y": COUNTS[:, None]})).words == "X = x, y = y"
    assert linear_model(of(right, data={"x": X, "y": COUNTS[None]})).words == "X = x, y = yᵀ"
    assert linear_model(of(right, THETA.reshape(4, 1, 1), data={"x": X, "y": COUNTS})) is None


@pytest.mark.parametrize(("last", "penalised"), [(True, True), (True, False), (False, True), (False, False)])
def test_an_intercept_is_last_or_first_and_penalised_or_not(last, penalised):
    theta = np.append(THETA, 0.3) if last else np.append(0.3, THETA)
    counts = np.array([1, 1, 1, 1, penalised] if last else [penalised, 1, 1, 1, 1])

    def loss(w):
        slope, intercept = (w[:4], w[4]) if last else (w[1:], w[0])
        return ((X @ slope + intercept - COUNTS) ** 2).sum() / 2 + 0.35 * (counts * w**2).sum()

    (right,) = gradient(loss, theta)
    model = linear_model(of(right, theta, {"x": X, "y": COUNTS}))
    assert (model.alpha, model.beta, model.l2) == (1, -1, 0.7)
    np.testing.assert_allclose(model.penalised.ravel(), counts * theta)
    np.testing.assert_allclose(model.z.ravel(), X @ (theta[:4] if last else theta[1:]) + 0.3)
    assert model.entries.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("first", [True, False])
def test_some_entries_at_an_end_may_be_of_this_form(first):
    """The others are those of a scale, whose gradient is another matter."""
    theta = np.append(THETA, [0.3, 2.0]) if first else np.append([0.3, 2.0], THETA)
    (right,) = gradient(lambda w: ((X @ w - COUNTS) ** 2).sum() / 2, THETA)
    whole = np.append(right, [7.7, 8.8]) if first else np.append([7.7, 8.8], right)
    model = linear_model(of(whole, theta, {"x": X, "y": COUNTS}))
    assert model.entries.tolist() == ([0, 1, 2, 3] if first else [2, 3, 4, 5])
    assert (model.name, model.alpha) == ("z", 1)


W = 0.5 * DRAW.standard_normal((4, 3))
BIAS = DRAW.standard_normal(3)
CLASSES = np.eye(3)[DRAW.integers(0, 3, 12)]


def cross_entropy(w, b):
    return -(CLASSES * log_softmax(X @ w + b)).sum()


def test_softmax_regression_with_its_bias():
    of_w, of_b = gradient(cross_entropy, W, BIAS)
    model = linear_model(of(of_w, W, {"x": X, "y": CLASSES}, {"b": BIAS, "other": np.ones(5)}))
    assert (model.name, model.alpha, model.beta, model.l2) == ("softmax(z)", 1, -1, 0)
    np.testing.assert_array_equal(model.offset, BIAS)
    bias = model.of_offset
    np.testing.assert_allclose((bias.x.T @ bias.residual(bias.z, bias.y)).ravel(), of_b, rtol=1e-12)
    assert (bias.entries.tolist(), bias.l2) == ([0, 1, 2], 0)
    assert linear_model(of(of_w, W, {"x": X, "y": CLASSES})) is None  # without the bias it is not the same


def test_a_factor_of_a_product_is_a_design_for_the_other():
    """‖U Vᵀ − A‖² / 2: for U, V is what it is multiplied by, and A is the target, turned."""
    u, v, a = DRAW.standard_normal((5, 2)), DRAW.standard_normal((6, 2)), DRAW.standard_normal((5, 6))
    of_u, of_v = gradient(lambda u, v: ((u @ v.T - a) ** 2).sum() / 2, u, v)
    for theta, right, others, target in ((u, of_u, {"v": v}, "aᵀ"), (v, of_v, {"u": u}, "a")):
        model = linear_model(of(right, theta, {"a": a}, others))
        assert (model.name, model.alpha, model.beta) == ("z", 1, -1)
        assert model.words == f"X = {next(iter(others))}, y = {target}"
        made = model.x.T @ model.residual(model.z, model.y)
        np.testing.assert_allclose(made.ravel(), right.ravel()[model.entries], rtol=1e-12)


# A hidden layer

V, BIAS_V = DRAW.standard_normal((4, 5)), DRAW.standard_normal(5)
HEAD, HEAD_BIAS = DRAW.standard_normal((5, 3)), DRAW.standard_normal(3)
HIDDEN = {"tanh": np.tanh, "σ": lambda z: (1 + np.tanh(z / 2)) / 2, "relu": positive}


@pytest.mark.parametrize("name", HIDDEN)
def test_activations_are_what_they_are_called(name):
    z = np.linspace(-4, 4, 40)
    value, slope = ACTIVATIONS[name]
    np.testing.assert_allclose(value(z), HIDDEN[name](z), rtol=1e-12)
    np.testing.assert_allclose(slope(z), derivative(HIDDEN[name], z), rtol=1e-12)


def layers(name):
    """A network's gradients, and the model of its upper layer."""

    def loss(v, bias_v, head, head_bias):
        return -(CLASSES * log_softmax(HIDDEN[name](X @ v + bias_v) @ head + head_bias)).sum()

    parameters = {"v": V, "bias_v": BIAS_V, "head": HEAD, "head_bias": HEAD_BIAS}
    found = dict(zip(parameters, gradient(loss, *parameters.values()), strict=True))
    data = {"x": X, "y": CLASSES}

    def given(of_what):
        others = {k: v for k, v in parameters.items() if k != of_what}
        return of(found[of_what], parameters[of_what], data, others)

    return found, given, linear_model(given("head"))


@pytest.mark.parametrize("name", HIDDEN)
def test_the_layer_above_a_hidden_one(name):
    found, _, above = layers(name)
    assert above.words == f"X = {name}(x v + b), y = y"
    made = above.x.T @ above.residual(above.z, above.y)
    np.testing.assert_allclose(made, found["head"], rtol=1e-12)
    assert (above.alpha, above.beta) == (1, -1)


@pytest.mark.parametrize("name", HIDDEN)
def test_the_hidden_layer_below_one(name):
    found, given, above = layers(name)
    below = hidden_model(given("v"), above, HEAD)
    assert (below.name, below.words) == (f"r below · {name}'(z)", "X = x")
    assert (below.alpha, below.l2) == (1, 0)
    np.testing.assert_array_equal(below.offset, BIAS_V)
    np.testing.assert_allclose(below.x.T @ below.residual(below.z, below.y), found["v"], rtol=1e-11)
    bias = below.of_offset
    np.testing.assert_allclose(
        (bias.x.T @ bias.residual(bias.z, bias.y)).ravel(), found["bias_v"], rtol=1e-11
    )


def test_what_is_not_the_layer_below_is_not_found():
    found, given, above = layers("tanh")
    assert hidden_model(replace(given("v"), right=of(found["v"] * 1.5**V).right), above, HEAD) is None
    assert hidden_model(replace(given("v"), others={}), above, HEAD) is None  # without its bias
    assert hidden_model(replace(given("v"), data={"x": X[:7]}), above, HEAD) is None
    assert hidden_model(given("v"), above, HEAD[:4]) is None


H = X @ V + BIAS_V
F = np.tanh(H)
DERIVATIVES = {
    "1": np.ones_like(H),
    "f(z)": F,
    "f(z)²": F**2,
    "1 - f(z)": 1 - F,
    "1 + f(z)": 1 + F,
    "1 + f(z)²": 1 + F**2,
    "2 - f(z)²": 2 - F**2,
    "1 - 2 f(z)": 1 - 2 * F,
    "f(z) (1 - f(z))": F - F**2,
    "f(z) (1 + f(z))": F + F**2,
    "1 - z²": (1 - H) * (1 + H),
    "z (1 - z)": H - H**2,
    "[z > 0]": np.heaviside(H, 0),
}


@pytest.mark.parametrize("words", DERIVATIVES)
def test_another_derivative_in_the_hidden_layer_is_named(words):
    _, given, above = layers("tanh")
    below = hidden_model(given("v"), above, HEAD)
    arriving = above.residual(above.z, above.y) @ HEAD.T
    wrong = X.T @ (arriving * DERIVATIVES[words])
    assert explained(below, wrong) == f"{words} in place of r below · tanh'(z); X = x"


def explained(model, wrong):
    """The detail of what a wrong gradient is found to be."""
    right = model.x.T @ model.residual(model.z, model.y) + model.l2 * model.penalised
    error = Error(np.ravel(wrong), right.ravel(), np.full(right.size, 1e-11), np.ones(right.size, bool))
    with np.errstate(all="ignore"):
        known = first_fit(error, model.candidates(error, np.ones(right.size, bool)))
    return known.detail if known else None


def test_what_arrives_at_the_hidden_layer_is_named():
    _, given, above = layers("tanh")
    below = hidden_model(given("v"), above, HEAD)
    r, slope = above.residual(above.z, above.y), 1 - np.tanh(X @ V + BIAS_V) ** 2
    wrong = X.T @ ((r[::-1] @ HEAD.T) * slope)
    assert explained(below, wrong).startswith("r above, reversed, the order of samples, in place of")
    wrong = X.T @ ((r @ np.abs(HEAD).T) * slope)
    assert explained(below, wrong).startswith("the weights above, absolute value, , in place of")
    wrong = X.T @ ((r @ HEAD.T) * slope**2)
    assert explained(below, wrong) == "r times f'(z); X = x"


# What was made of r

MODEL = linear_model(
    of(X.T @ (1 / (1 + np.exp(-X @ THETA)) - COUNTS) + 0.7 * THETA, data={"x": X, "y": COUNTS})
)
P = 1 / (1 + np.exp(-X @ THETA))
Z, Y = X @ THETA, COUNTS

RESIDUALS = {
    "r without σ(z)": -Y,
    "z in place of σ(z)": Z - Y,
    "tanh(z) in place of σ(z)": np.tanh(Z) - Y,
    "σ(z), squared": P**2 - Y,
    "σ(z), one over it": 1 + np.exp(-Z) - Y,
    "σ(z), p (1 - p)": np.exp(-Z) / (1 + np.exp(-Z)) ** 2 - Y,
    "σ(z), log": -np.log(1 + np.exp(-Z)) - Y,
    "σ(z), exp": np.exp(P) - Y,
    "r times z": (P - Y) * Z,
    "r divided by z": (P - Y) / Z,
    "r times y": (P - Y) * Y,
    "r times σ(z)": (P - Y) * P,
    "r divided by σ(z)": (P - Y) / P,
    "r times p (1 - p)": (P - Y) * (P - P**2),
    "σ(z) + y": P + Y,
    "r, squared": (P - Y) ** 2,
    "y, one minus": P - (1 - Y),
    "z, shifted, samples by 1": 1 / (1 + np.exp(-np.roll(Z, 1))) - Y,
    "θ in z, reversed, the order of entries": 1 / (1 + np.exp(-X @ THETA[::-1])) - Y,
    "X in z, squared": 1 / (1 + np.exp(-(X**2) @ THETA)) - Y,
}


@pytest.mark.parametrize("words", RESIDUALS)
def test_another_residual_is_named(words):
    assert MODEL.name == "σ(z)"
    assert MODEL.l2 == 0.7
    assert explained(MODEL, X.T @ RESIDUALS[words] + 0.7 * THETA) == f"{words}; X = x, y = y"


def test_another_design_is_named():
    wrong = (X**2).T @ (P - Y) + 0.7 * THETA
    assert explained(MODEL, wrong) == "X, squared; X = x, y = y"


def test_a_change_in_some_entries_leaves_the_others():
    right = X.T @ (P - Y) + 0.7 * THETA
    wrong = X.T @ (P + Y) + 0.7 * THETA
    only = np.array([True, False, True, False])
    found = np.where(only, wrong, right)
    error = Error(found, right, np.full(4, 1e-12), np.ones(4, bool))
    with np.errstate(all="ignore"):
        known = {c.detail: c.values for c in MODEL.candidates(error, only)}
    np.testing.assert_allclose(known["σ(z) + y; X = x, y = y"], found, rtol=1e-12)


def test_sums_of_terms_in_the_place_of_r_are_named():
    for words, r in (
        ("- y + 2 σ(z)", 2 * P - Y),
        ("y z", Y * Z),
        ("0.3 y²", 0.3 * Y**2),
        ("φ² - 2 exp(-z)", P**2 - 2 * np.exp(-Z)),
        ("1.5 + z²", 1.5 + Z**2),
        ("y φ", Y * P),
        ("φ z", P * Z),
    ):
        right = X.T @ (P - Y) + 0.7 * THETA
        wrong = X.T @ r + 0.7 * THETA
        error = Error(wrong, right, np.full(4, 1e-13), np.ones(4, bool))
        first = next(MODEL.formulas(error))
        assert (first.name, first.detail) == ("another residual", f"{words} in place of r; X = x, y = y")
        np.testing.assert_allclose(first.values, wrong, rtol=1e-10)


def test_links_and_changes():
    z, y = np.linspace(-2, 2, 9)[:, None] * [1, -0.5], np.array([1.0, -1])
    expected = {
        "softmax(z)": np.exp(log_softmax(z)),
        "y (1 - y z)": derivative(lambda z: -((1 - y * z) ** 2) / 2, z),
        "max(0, 1 - y z)": np.where(y * z < 1, 1 - y * z, 0),
    }
    for link, values in expected.items():
        np.testing.assert_allclose(LINKS[link](z, y), values, rtol=1e-12)
    np.testing.assert_allclose(CHANGES["p (1 - p)"](np.array([0.2, 0.7])), [0.16, 0.21])
    assert CHANGES["one added"](2.0) == 3
    assert CHANGES["one taken off"](2.0) == 1


def test_hidden_layers_of_data_and_parameters():
    found = dict(hidden_layers({"x": X, "v": SIGNS}, {"w": V, "b": BIAS_V, "u": W.T}))
    assert set(found) == {f"{f}(x w{b})" for f in ("tanh", "σ", "relu") for b in ("", " + b")}
    np.testing.assert_allclose(found["σ(x w + b)"], HIDDEN["σ"](X @ V + BIAS_V))
    np.testing.assert_allclose(found["tanh(x w)"], np.tanh(X @ V))


# Among the tensors of a network


def tensors(**wrong):
    """The tensors of a network with one hidden layer, some of their gradients wrong."""
    found, _, _ = layers("tanh")
    parameters = {"v": V, "bias_v": BIAS_V, "head": HEAD, "head_bias": HEAD_BIAS}
    return [
        Tensor(
            name, theta.shape, np.ravel(wrong.get(name, found[name])), theta.ravel(), found[name].ravel(),
            np.full(theta.size, 1e-12), lambda x: x, complete=True, data={"x": X, "y": CLASSES},
        )
        for name, theta in parameters.items()
    ]  # fmt: skip


LOGITS = F @ HEAD + HEAD_BIAS
R = np.exp(log_softmax(LOGITS)) - CLASSES
BELOW = (R @ HEAD.T) * F
IN_TENSORS = {
    "v": (X.T @ BELOW, "f(z) in place of r below · tanh'(z); X = x"),
    "bias_v": (BELOW.sum(axis=0), "f(z) in place of r below · tanh'(z); X = x"),
    "head": (F.T @ (R * LOGITS), "r times z; X = tanh(x v + b), y = y"),
    "head_bias": ((R * LOGITS).sum(axis=0), "r times z; X = tanh(x v + b), y = y"),
}


@pytest.mark.parametrize("name", IN_TENSORS)
def test_a_residual_is_named_in_every_tensor_of_a_network(name):
    wrong, detail = IN_TENSORS[name]
    given = tensors(**{name: wrong})
    mine = next(t for t in given if t.name == name)
    with np.errstate(all="ignore"):
        assert structure_of(mine, given) == ("another residual", detail, 1.0)
        assert structure_of(replace(mine, complete=False), given) is None


def test_a_residual_that_is_wrong_in_some_entries_is_named_there():
    right = tensors()[2].numerical.reshape(5, 3)
    wrong = np.where(np.arange(3) == 1, F.T @ (R * LOGITS), right)
    given = tensors(head=wrong)
    with np.errstate(all="ignore"):
        known = structure_of(given[2], given)
    assert (known.name, known.detail) == ("another residual", "r times z; X = tanh(x v + b), y = y")
