"""Losses and deltas from expressions: against the package's own and exact arithmetic, and what is refused."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from oracles import random_problem

from backproof.network.clips.none import none
from backproof.network.deltas import DELTAS
from backproof.network.deltas.expression import VARIABLES as DELTA_VARIABLES
from backproof.network.deltas.expression import delta_of
from backproof.network.formula import Formula
from backproof.network.losses import LOSSES
from backproof.network.losses.expression import VARIABLES, loss_of
from backproof.network.losses.loss import PROBABILITIES
from backproof.network.rules import BackwardRule
from backproof.network.syntax import LONGEST, MOST_NODES

CLIP = none()
Y = np.linspace(0.01, 0.99, 50)[:, None]
T = np.array([[0.0, 1.0, 0.3]])

SAME = {
    "squared_error": "(y - t)**2 / 2",
    "binary_cross_entropy": "-t * log(y) - (1 - t) * log(1 - y)",
    "binary_cross_entropy_from_logits": "softplus(y) - t * y",
}
HUBER = "where(abs(y - t) < w, (y - t)**2 / 2, w * (abs(y - t) - w / 2))"


def loss(text, derivative=None, **parameters):
    formulas = [Formula(each, parameters, VARIABLES) for each in (text, derivative) if each]
    return loss_of("mine", *formulas)


@pytest.mark.parametrize("name", SAME)
def test_a_loss_is_the_packages_own(name):
    mine, own = loss(SAME[name]), LOSSES[name]()
    for function in ("terms", "derivative"):
        found, wanted = (getattr(each, function)(Y, T, CLIP, 0.0) for each in (mine, own))
        np.testing.assert_allclose(found, wanted, rtol=1e-13)
    assert mine.domain == own.domain
    assert not mine.uses_clip


def test_hubers_loss_is_differentiable_where_its_pieces_meet():
    found = loss(HUBER, w=0.25)
    difference = np.array([[-2.0, -0.25, 0.1, 0.25, 3.0]])
    np.testing.assert_allclose(
        found.derivative(difference, 0 * difference, CLIP, 0), difference.clip(-0.25, 0.25)
    )
    assert pickle.loads(pickle.dumps(found)).terms(Y, T, CLIP, 0).shape == (50, 3)


def test_its_domain_is_found():
    assert loss(SAME["binary_cross_entropy"]).domain == PROBABILITIES
    assert loss("y - t * log(y + 0.5)").domain.low == pytest.approx(-0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "derivative", "says"),
    [
        ("sqrt(1 - cos(y - t)**2)", None, ", and no abs, maximum, minimum or where in it states that"),
        ("where(y > 0.5, 1, 0) * t", None, "jump"),
        ("log(-1 - y**2)", None, "is a finite number for no output"),
        ("(y - t)**2 / 2", "1.001 * (y - t)", "it must be"),
        ("softplus(y) - t * y", "sigmoid(y) - 0.999 * t", "it must be"),
        ("(y - t)**2 + z", None, "'z' is unknown"),
        ("y**(9**9**9)", None, "is not a finite number"),
        ("+".join(["y"] * MOST_NODES), None, "operations and operands"),
        ("y" + " " * LONGEST, None, "characters"),
    ],
)
def test_what_is_no_loss(text, derivative, says):
    with pytest.raises(ValueError, match=r"\w") as caught:
        loss(text, derivative)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kinks"),
    [
        ("abs(y - t)", lambda t: [t]),
        ("sqrt((y - t)**2)", lambda t: [t]),
        ("maximum(0, 1 - (2 * t - 1) * y)", lambda t: [1 / (2 * t - 1)]),
        ("where(y > t, 0.3 * (y - t), 0.7 * (t - y))", lambda t: [t]),
        ("minimum(abs(y - t), 2)", lambda t: [t - 2, t, t + 2]),
        ("where(abs(y - t) < 0.5, (y - t)**2 / 2, 0.5 * (abs(y - t) - 0.25))", lambda _: []),
        (
            "where(abs(y - t) < 0.5, (y - t)**2 / 2, 0.501 * (abs(y - t) - 0.5) + 0.125)",
            lambda t: [t - 0.5, t + 0.5],
        ),
        ("log(1 + (y - t)**2)", lambda _: []),
    ],
)
def test_the_kinks_of_a_loss_are_where_its_derivative_jumps(text, kinks):
    found = loss(text)
    y = np.linspace(-5, 5, 40_001)[None]
    for t in (0.0, 1.0, 0.3):
        signs = [np.sign(part[0]) for part in found.kinks(y, np.full((1, 1), t))]
        at = {round(float(y[0, i]), 2) for side in signs for i in np.flatnonzero(side[1:] != side[:-1])}
        assert sorted(at) == pytest.approx(sorted(k for k in kinks(t) if abs(k) < 5), abs=2e-3)


def test_a_right_derivative_is_taken():
    assert loss("(y - t)**2 / 2", "y - t").derivative(Y, T, CLIP, 0)[0, 1] == Y[0, 0] - 1


@pytest.mark.parametrize("text", ["(y - t)**2 / 2", "y * y * t - y / 3 + 1", "1 / (1 + (y - t)**2)"])
def test_rounding_on_the_way_is_bounded(text):
    """Against exact arithmetic: the error is within the bound, and the bound no more than fifty times it."""
    found = loss(text)
    draw = np.random.default_rng(0)
    y, t = draw.normal(size=(200, 1)), draw.normal(size=(200, 1))
    terms, size = found.terms(y, t, CLIP, 0), found.intermediate(y, t)
    worst = 0.0
    for k in range(len(y)):
        values = {"y": Fraction(float(y[k, 0])), "t": Fraction(float(t[k, 0]))}
        exact = eval(
            text.replace("3", "Fraction(3)"), {"Fraction": Fraction}, values
        )  # of this file's own text
        error = abs(Fraction(float(terms[k, 0])) - exact) / Fraction(2) ** -53
        worst = max(worst, float(error) / float(size[k, 0]))
    assert 0.02 < worst <= 1


def test_rounding_that_is_not_known_bounds_nothing():
    """The derivative of √ at 0 is infinite, times a rounding error of 0."""
    nothing = np.zeros((1, 1))
    assert np.isinf(loss("exp(sqrt(y / 3 + t))").intermediate(nothing, nothing)).all()


def test_a_delta_is_what_its_expression_states():
    text = "a * (y - t) * d + 0 * z"
    found = delta_of("mine", Formula(text, {"a": 2.0}, DELTA_VARIABLES))
    assert (found.uses_kinks, found.uses_clip, found.elementwise) == (True, False, True)
    assert not delta_of("mine", Formula("y - t", {}, DELTA_VARIABLES)).uses_kinks
    assert delta_of("mine", Formula("g", {}, DELTA_VARIABLES)).uses_clip


def gradient(delta, output):
    problem, weights = random_problem(3, output=output)
    return BackwardRule(delta).gradient(problem, problem.forward(weights), weights)


@pytest.mark.parametrize(
    ("text", "name", "output"),
    [("g * d", "exact", "tanh"), ("y - t", "y_minus_t", "tanh"), ("g", "exact", "identity")],
)
def test_the_gradient_of_a_delta_is_that_of_the_packages_own(text, name, output):
    right = gradient(DELTAS[name](), output)
    found = gradient(delta_of("mine", Formula(text, {}, DELTA_VARIABLES)), output)
    wrong = gradient(delta_of("mine", Formula(f"1.001 * ({text})", {}, DELTA_VARIABLES)), output)
    for f, w, r in zip(found, wrong, right, strict=True):
        np.testing.assert_allclose(f, r, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(w, 1.001 * r, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("delta", DELTAS.records(), ids=DELTAS.keys())
def test_the_packages_own_deltas_are_defined_for_a_softmax_too(delta):
    assert not delta.elementwise
    assert all(np.isfinite(g).all() for g in gradient(delta, "softmax"))
