"""Gradients from outside, checked from Python: right ones agree, wrong ones are found, located and named."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from oracles import random_problem

import backproof
from backproof.estimates.directional import probability_of_a_miss
from backproof.estimates.noise import POINTS
from backproof.network.activations import ACTIVATIONS
from backproof.network.deltas import DELTAS
from backproof.network.faults import FAULTS as PLANTED
from backproof.network.outputs import OUTPUTS
from backproof.network.rules import BackwardRule
from backproof.verdicts.verdict import Verdict


def relu(z):
    return np.maximum(z, 0)


def start(samples=8, features=5, hidden=12, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(samples, features)), np.eye(outputs)[rng.integers(0, outputs, samples)]
    w = [rng.normal(size=(features, hidden)) / np.sqrt(features), rng.normal(size=hidden) / 10,
         rng.normal(size=(hidden, outputs)) / np.sqrt(hidden), rng.normal(size=outputs) / 10]  # fmt: skip
    return w, x, t


def backprop(w, x, t, act="tanh"):
    """Somebody's network: binary_cross_entropy loss, mean over samples; (loss, gradient)."""
    w1, b1, w2, b2 = w
    z = x @ w1 + b1
    a = np.tanh(z) if act == "tanh" else relu(z)
    y = 1 / (1 + np.exp(-(a @ w2 + b2)))
    loss = -(t * np.log(y) + (1 - t) * np.log(1 - y)).sum() / len(x)
    d = (y - t) / len(x)
    dz = (d @ w2.T) * (1 - a * a if act == "tanh" else z > 0)
    return loss, [x.T @ dz, dz.sum(0), a.T @ d, d.sum(0)]


def changed(tensor, change, act="tanh"):
    def f_df(w, x, t):
        loss, gradient = backprop(w, x, t, act)
        gradient[tensor] = change(gradient[tensor], w[tensor])
        return loss, gradient

    return f_df


def one_entry(g, _w):
    g = g.copy()
    g.flat[g.size // 3] *= 1.001
    return g


FAULTS = {
    "entry": (0, one_entry, "not identified", "W[0]: the entry [1,8]"),
    "sign": (2, lambda g, _w: -g, "sign", "W[2]"),
    "scale": (0, lambda g, _w: g / 8, "scale", "W[0]: the gradient is 1/8 times the right one"),
    "missing": (1, lambda g, _w: 0 * g, "missing", "W[1]: the gradient is zero"),
    "transposed": (0, lambda g, _w: g.T.reshape(g.shape), "transpose", "W[0]"),
    "fitted": (0, lambda g, _w: g.reshape(g.shape[::-1]).T.copy(), "transpose", "W[0]"),
    "regulariser": (0, lambda g, w: g - 0.01 * w, "regulariser", "W[0]: 1/100 times the parameter"),
    "sign of w": (
        0,
        lambda g, w: g - 0.1 * np.sign(w),
        "regulariser",
        "W[0]: 1/10 times the parameter's sign",
    ),
    "turned": (2, lambda g, _w: g[::-1, ::-1].copy(), "reversed", "W[2]: the order along all axes"),
    "but for": (0, lambda g, w: 4 * g + 0.5 * w, "scale", "W[0]: the gradient is 4 times the right one, but"),
    "row": (
        0,
        lambda g, _w: np.where(np.arange(len(g))[:, None] == 2, 0, g),
        "rows left out",
        "W[0]: 1 of 5: 2",
    ),
    "column": (2, lambda g, _w: g * np.array([1, 2, 1]), "factors of columns", "W[2]: 1 of 3: 1, × 2"),
    "shifted": (1, lambda g, _w: np.roll(g, 1), "shifted", "W[1]"),
    "reversed": (3, lambda g, _w: g[::-1].copy(), "reversed", "W[3]"),
    "garbage": (
        2,
        lambda g, _w: np.cos(np.arange(g.size)).reshape(g.shape),
        "not identified",
        "W[2]: every entry",
    ),
}


@pytest.mark.parametrize("act", ["tanh", "relu"])
@pytest.mark.parametrize("seed", range(5))
def test_a_right_gradient_agrees(act, seed):
    w, x, t = start(seed=seed)
    found = backproof.check(lambda *given: backprop(*given, act), w, x, t, seed=seed)
    assert found.agrees, found
    assert found.judgement.disagreeing == 0
    assert found.judgement.gradient_error < 1e-7
    found.assert_agrees()


@pytest.mark.parametrize("act", ["tanh", "relu"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_gradient_is_found_located_and_named(fault, act):
    tensor, change, name, detail = FAULTS[fault]
    found = backproof.check(changed(tensor, change, act), *start())
    assert found.verdict == "incorrect gradient"
    cause = found.judgement.causes[0]
    assert cause.name == name
    assert cause.detail.startswith(detail)
    wrong = [t.name for t in found.judgement.tensors if t.verdict == "incorrect gradient"]
    assert wrong == [f"W[{tensor}]"]


@pytest.mark.parametrize("act", ["tanh", "relu"])
@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("row", "column", "garbage")])
def test_directions_find_locate_and_name_it_in_few_evaluations(fault, act):
    tensor, change, name, detail = FAULTS[fault]
    given = start(features=40, hidden=60)
    found = backproof.check(changed(tensor, change, act), *given, directions=True)
    assert found.verdict == "incorrect gradient"
    cause = found.judgement.causes[0]
    assert cause.name == name
    assert cause.detail.startswith(detail if fault != "entry" else "W[0]: W[0][13,20] is")
    assert found.target.evaluations <= 400


def test_where_many_entries_are_wrong_is_said_too():
    given = start(features=40, hidden=60)
    found = backproof.check(changed(*FAULTS["row"][:2]), *given, directions=True)
    assert found.judgement.causes[0].detail.startswith("W[0]: many between W[0][")
    assert found.target.evaluations <= 400


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("act", ["tanh", "relu"])
def test_directions_agree_with_a_right_gradient(act, seed):
    found = backproof.check(
        lambda *given: backprop(*given, act), *start(features=40, seed=seed), directions=True, seed=seed
    )
    assert found.agrees, found
    assert found.target.evaluations < 200
    assert found.target.probability_of_a_miss == probability_of_a_miss(16) < 0.01


def test_what_all_tensors_share_is_told_once():
    def doubled(w, x, t):
        loss, gradient = backprop(w, x, t)
        return loss, [2 * g for g in gradient]

    for directions in (False, True):
        found = backproof.check(doubled, *start(), directions=directions)
        assert found.causes == ("scale: the gradient is 2 times the right one, everywhere",)


def built_in(problem, rule):
    """The network that the rest of the package is about, as a function of which nothing is known."""
    return {
        "f": lambda w: problem.forward(w).loss,
        "df": lambda w: rule.gradient(problem, problem.forward(w), w),
    }


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_built_in_function_agrees_from_outside(activation, output):
    problem, weights = random_problem(1, activation=activation, output=output, loss="squared_error")
    found = backproof.check(w=weights, **built_in(problem, BackwardRule(DELTAS["exact"]())))
    assert found.agrees, found


@pytest.mark.parametrize("fault", PLANTED)
def test_every_planted_fault_is_found_from_outside(fault):
    problem, weights = random_problem(1, activation="tanh", output="sigmoid", loss="binary_cross_entropy")
    rule = BackwardRule(DELTAS["exact"](), fault=PLANTED[fault]())
    right = BackwardRule(DELTAS["exact"]()).gradient(problem, problem.forward(weights), weights)
    wrong = rule.gradient(problem, problem.forward(weights), weights)
    found = backproof.check(w=weights, **built_in(problem, rule))
    moved = max(np.abs(a - b).max() / np.abs(a).max() for a, b in zip(right, wrong, strict=True))
    assert found.agrees == (moved < 1e-8), (moved, found)


@pytest.mark.parametrize(("at_zero", "verdict"), [
    (0.0, "valid subgradient"), (0.5, "agrees"), (1.0, "valid subgradient"),
    (1.1, "incorrect gradient"), (-0.1, "incorrect gradient"),
])  # fmt: skip
def test_a_kink_that_is_touched(at_zero, verdict):
    w = np.array([0.0, 1.0, -2.0])
    x = np.array([3.0, 1.0, 1.0])

    def f_df(w, x):
        return (relu(w) * x).sum(), x * np.where(w > 0, 1.0, np.where(w == 0, at_zero, 0.0))

    found = backproof.check(f_df, w, x)
    assert found.verdict == verdict
    assert found.judgement.touched == 1


def test_a_kink_within_the_first_step_is_no_alarm():
    w = np.array([1e-6, -3e-7, 1.0])
    found = backproof.check(lambda w: (np.abs(w).sum(), np.sign(w)), w)
    assert found.agrees, found
    assert not backproof.check(lambda w: (np.abs(w).sum(), 1.01 * np.sign(w)), w).agrees


@pytest.mark.parametrize("distance", [1e-7, -1e-7])
def test_slopes_that_grow_beside_a_jump_are_no_kink(distance):
    """Steps that reach the edge of a stair find one-sided derivatives of any size between which all lies."""

    def with_slope(slope):
        w = np.array([1.0, 0.5 + distance])
        loss = lambda w: w[0] ** 2 + np.round(w[1])  # noqa: E731
        return backproof.check(loss, w, df=lambda w: np.array([2 * w[0], slope])).verdict

    assert with_slope(0) == "agrees"
    assert {with_slope(slope) for slope in (1e3, 1e6, -1e6)} == {"incorrect gradient"}


def test_a_clip_that_flattens_the_loss():
    def f_df(w, ignored):
        p = np.clip(w, 0.1, 0.9)
        return -np.log(p).sum(), -1 / p * (1 if ignored else (w > 0.1) & (w < 0.9))

    w = np.array([0.05, 0.5, 0.95])
    assert backproof.check(f_df, w, False).agrees
    found = backproof.check(f_df, w, True)
    assert found.verdict == "incorrect gradient"
    assert "does not change at all" in found.causes[0]


@pytest.mark.parametrize(("left", "verdict"), [(1e-17, "agrees"), (1e-7, "incorrect gradient")])
def test_what_cancels_in_a_gradient_of_zero_leaves_rounding(left, verdict):
    """The entry that f does not depend on is among small ones; terms of another tensor cancelled in it."""

    def df(w):
        return [np.append(2e-5 * w[0][:-1], left), 2 * w[1]]

    w = [np.full(4, 0.3), np.linspace(1, 3, 5)]
    found = backproof.check(lambda w: 1e-5 * (w[0][:-1] ** 2).sum() + (w[1] ** 2).sum(), w, df=df)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("f", "df", "at"),
    [
        (lambda w: np.tanh(w) ** 2, lambda w: 2 * np.tanh(w) / np.cosh(w) ** 2, 18.0),
        (lambda w: np.exp(-(w**2)), lambda w: -2 * w * np.exp(-(w**2)), 6.0),
        (lambda w: np.exp(-(w**4)), lambda w: -4 * w**3 * np.exp(-(w**4)), -3.0),
    ],
)
def test_a_step_does_not_leap_over_all_that_a_saturated_function_does(f, df, at):
    """On both sides of an even function's middle it is the same."""
    w = np.array([1.0, at])
    right = backproof.check(lambda w: w[0] ** 2 + f(w[1]), w, df=lambda w: np.array([2 * w[0], df(w[1])]))
    assert right.agrees
    wrong = backproof.check(lambda w: w[0] ** 2 + f(w[1]), w, df=lambda w: np.array([2 * w[0], 0.1]))
    assert wrong.verdict == "incorrect gradient"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_every_precision(dtype):
    w = np.linspace(-2, 2, 21).astype(dtype)
    assert backproof.check(lambda w: ((w**3).sum(), 3 * w**2), w).agrees
    assert not backproof.check(lambda w: ((w**3).sum(), dtype(4) * w**2), w).agrees


@pytest.mark.parametrize("kind", ["array", "list", "tuple", "dict"])
def test_every_container(kind):
    parts = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0]]), "c": np.array(0.5)}
    w = {"array": parts["a"], "list": list(parts.values()), "tuple": tuple(parts.values()), "dict": parts}[
        kind
    ]

    def f_df(w):
        if kind == "array":
            return (w**2).sum(), 2 * w
        if kind == "dict":
            return sum((v**2).sum() for v in w.values()), {k: 2 * v for k, v in w.items()}
        return sum((v**2).sum() for v in w), type(w)(2 * v for v in w)

    found = backproof.check(f_df, w)
    assert found.agrees
    names = {"array": ["W"], "dict": ["W['a']", "W['b']", "W['c']"]}.get(kind, ["W[0]", "W[1]", "W[2]"])
    assert found.table()["tensor"].tolist() == names


def test_noise_is_measured_not_presumed():
    """A loss that is worked out in float32 within agrees with the right gradient and refuses one 5 % off."""
    w = np.random.default_rng(1).normal(size=20)

    def f(w):
        return float((w.astype(np.float32) ** 2).sum())

    found = backproof.check(f, w, df=lambda w: 2 * w)
    assert found.agrees
    assert "as float32's are" in found.target.notes[0]
    assert not backproof.check(np.sin, 1.0, df=np.cos).target.notes
    assert not backproof.check(f, w, df=lambda w: 2.1 * w).agrees
    large = backproof.check(lambda w: (1e12 + np.sin(w).sum(), np.cos(w)), np.ones(5))
    assert large.verdict == "unresolved"
    linear = backproof.check(lambda w: (1e8 + 1e-3 * w.sum(), np.full(5, 1e-3)), np.ones(5))
    assert linear.agrees
    assert (
        backproof.check(lambda w: (1e8 + 1e-3 * w.sum(), np.full(5, 0.91e-3)), np.ones(5)).verdict
        == "incorrect gradient"
    )


def test_parameters_of_very_different_sizes():
    scale = np.array([1e-6, 1.0, 1e6])

    def f_df(w):
        return np.sin(w / scale).sum(), np.cos(w / scale) / scale

    assert backproof.check(lambda w: f_df(w), 0.3 * scale).agrees


def test_a_loss_that_differs_from_call_to_call():
    calls = []

    def f_df(w):
        calls.append(0)
        return (w**2).sum() + 1e-9 * len(calls), 2 * w

    found = backproof.check(f_df, np.ones(3))
    assert found.verdict == "not deterministic"
    with pytest.raises(AssertionError, match="not deterministic"):
        found.assert_agrees()


@pytest.mark.parametrize("f_df", [
    lambda w: (np.log(w).sum(), 1 / w),
    lambda w: ((w**2).sum(), w / 0.0),
])  # fmt: skip
def test_not_finite(f_df):
    assert backproof.check(f_df, np.array([-1.0, 2.0])).verdict == "not finite"


# --- what a loss does not do: a message of its own, with the place


def in_place(w):
    w *= 2
    return w.sum(), w


def spoils_data(w, x):
    x[0] = 7
    return (w * x).sum(), x


WRONG = {
    "one number; it returns an array of shape (3,)": lambda w: (w, w),
    "must return the loss and its gradient, (f, df), where df= is not given; not int": lambda _w: 3,
    "df= is not given; not 3 values": lambda w: (1.0, w, w),
    "df= is not given; not nothing": lambda _w: None,
    "the loss is a whole number": lambda w: (1, w),
    "must be a real number; not complex128": lambda w: (1j, w),
    "dW has shape (2,), and W has (3,)": lambda w: (1.0, w[:2]),
    "raises ZeroDivisionError: division by zero": lambda w: (1 / 0, w),
    "changes its argument, at W[0]": in_place,
}


@pytest.mark.parametrize("message", WRONG)
def test_what_no_loss_does(message):
    with pytest.raises(backproof.FunctionError) as raised:
        backproof.check(WRONG[message], np.ones(3))
    assert message in str(raised.value)
    assert f"{__file__}:" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_gradient_in_the_wrong_place_is_put_right():
    with pytest.raises(backproof.FunctionError, match=r"2 were given; pass the gradient as df=$"):
        backproof.check(lambda w: w.sum(), np.ones(3), np.ones_like)
    with pytest.raises(backproof.FunctionError, match=r"where df= is not given; not float64"):
        backproof.check(lambda w: w.sum(), np.ones(3))
    with pytest.raises(backproof.FunctionError, match=r"2 were given$"):
        backproof.check(lambda w: w.sum(), np.ones(3), np.ones(3))


def test_the_line_that_raises_is_named():
    def deep(w):
        return inner(), w

    def inner():
        raise KeyError("no such layer")  # this line

    with pytest.raises(backproof.FunctionError, match="KeyError: 'no such layer'") as raised:
        backproof.check(deep, np.ones(3))
    line = inner.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}, inner" in str(raised.value)


def test_other_arguments_may_not_change_either():
    with pytest.raises(backproof.FunctionError, match="changes its argument number 2"):
        backproof.check(spoils_data, np.ones(3), np.ones(3))


@pytest.mark.parametrize(("w", "message"), [
    (np.ones(3, int), "whole numbers"),
    ("abc", "real numbers"), ([], "no parameter"), (None, "no parameter"),
])  # fmt: skip
def test_what_w_may_not_be(w, message):
    with pytest.raises(backproof.FunctionError, match=message):
        backproof.check(lambda given: (0.0, given), w)


def test_a_gradient_of_other_arrays_than_w():
    for wrong in ([np.ones(2)], {"a": np.ones(2)}, np.ones(2)):
        with pytest.raises(backproof.FunctionError, match="must be 2 arrays"):
            backproof.check(lambda _w, wrong=wrong: (0.0, wrong), [np.ones(2), np.ones(3)])
    with pytest.raises(backproof.FunctionError, match="must have W's keys"):
        backproof.check(lambda w: (0.0, {"b": w["a"]}), {"a": np.ones(2)})
    with pytest.raises(backproof.FunctionError, match="is it transposed"):
        backproof.check(lambda w: (0.0, w.T), np.ones((2, 3)))


# --- the result


def test_the_result_explains_itself():
    found = backproof.check(changed(2, lambda g, _w: -g), *start())
    assert "W[2]: the gradient is the negative of the right one" in repr(found)
    with pytest.raises(AssertionError, match="negative of the right one"):
        found.assert_agrees()
    table = found.table().set_index("tensor")
    assert table.loc["W[2]", "verdict"] == "incorrect gradient"
    assert table.loc["W[0]", "verdict"] == "agrees"
    parameters = found.parameters()
    assert len(parameters) == found.target.function.layout.size
    assert set(found.judgement.verdicts) <= set(range(len(Verdict)))
    axes = backproof.plot(found).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_html_is_escaped():
    found = backproof.check(lambda w: (sum(v.sum() for v in w.values()), w), {"<b>": np.ones(2) * 3})
    assert "<b>" not in found._repr_html_().replace("<b>wrong", "")
    assert "&lt;b&gt;" in found._repr_html_()


def test_several_processes_find_the_same():
    given = start(hidden=60)
    alone, shared = (backproof.check(backprop, *given, jobs=jobs) for jobs in (1, 2))
    assert alone.parameters().equals(shared.parameters())


def test_a_sample_of_the_parameters():
    found = backproof.check(backprop, *start(), parameters=20)
    assert found.agrees
    assert len(found.parameters()) == found.judgement.parameters == 20


def test_a_right_gradient_costs_little_more_than_two_evaluations_a_parameter():
    w, x, t = start(features=64, hidden=40)
    found = backproof.check(backprop, w, x, t)
    assert found.target.evaluations <= 1.2 * 2 * found.target.function.layout.size
    found = backproof.check(changed(0, lambda g, _w: -g), w, x, t)
    assert found.target.evaluations <= 1.2 * 2 * found.target.function.layout.size


@pytest.mark.parametrize(
    "change", [lambda g: g, lambda g: g * np.where(np.arange(10) == 3, 1.01, 1), np.negative]
)
@pytest.mark.parametrize("at", [0.0, 0.7])
def test_ten_parameters_take_at_most_sixty_evaluations(change, at):
    """Right, with one entry wrong, or wrong in every entry; also where the loss is 0 at the point.

    How values are rounded decides, once in some hundred times, that their noise is measured again nearby.
    """
    right = change(np.ones(10)).min() == change(np.ones(10)).max() == 1
    taken = []
    for seed in range(5):
        draw = np.random.default_rng(seed)
        x, w = draw.normal(size=(30, 10)), at * draw.normal(size=10)

        def loss(w, x=x):
            return float(np.tanh(x @ w).sum())

        def gradient(w, x=x):
            return change(x.T @ (1 - np.tanh(x @ w) ** 2))

        found = backproof.check(loss, w, df=gradient)
        assert found.verdict == ("agrees" if right else "incorrect gradient")
        taken.append(found.target.evaluations)
    assert np.median(taken) <= 60
    assert max(taken) <= 60 + POINTS


def test_a_wrong_entry_beside_many_others_is_named():
    """Only a few of the entries that are far off are measured again; one that is right stays right."""
    w = np.random.default_rng(2).normal(size=12)
    found = backproof.check(
        lambda w: float(np.sin(w).sum()), w, df=lambda w: np.where(np.arange(12) == 5, 1, 1.5) * np.cos(w)
    )
    assert found.judgement.disagreeing == 11
    assert found.parameters().set_index("parameter").loc["W[5]", "verdict"] == "agrees"


# --- JAX


def test_jax_and_a_custom_vjp():
    jax = pytest.importorskip("jax")

    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, g: (g * x,))  # 2 forgotten

    def loss(w, f):
        return jax.numpy.sum(f(w["a"])) + jax.numpy.sum(w["b"] ** 2)

    w = {"a": np.linspace(-1, 2, 6), "b": np.ones(2)}
    assert backproof.check(lambda w: loss(w, lambda x: x * x), w, by="jax").agrees
    found = backproof.check(lambda w: loss(w, square), w, by="jax")
    assert found.causes == ("scale: W['a']: the gradient is 1/2 times the right one",)


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(backproof.FunctionError, match=r"pip install 'backproof\[torch\]'"):
        backproof.check(lambda w: w.sum(), np.ones(2), by="torch")
    with pytest.raises(backproof.FunctionError, match="by: must be torch or jax"):
        backproof.check(lambda w: w.sum(), np.ones(2), by="tensorflow")


# --- a sweep from Python


def test_sweep(tmp_path, monkeypatch):
    from backproof.errors import ConfigurationError

    monkeypatch.chdir(tmp_path)
    given = ["data=xor", "network.hidden=[3]", "training=none", "delta=exact,y_minus_t", "output=relu"]
    table = backproof.sweep(given, name="mine")
    assert table.set_index("delta")["verdict"].to_dict() == {
        "exact": "agrees",
        "y_minus_t": "incorrect gradient",
    }
    with pytest.raises(ConfigurationError, match="activation"):
        backproof.sweep(["activation=relo"])
    with pytest.raises(ConfigurationError, match="folder name"):
        backproof.sweep(given, name="../x")


# --- networks with many kinks: no right gradient is called wrong


def deep(w, x, t):
    """A network of ReLUs with softmax, and its gradient."""
    arrived, values = [], [x]
    for weight, bias in zip(w[::2], w[1::2], strict=True):
        arrived.append(values[-1] @ weight + bias)
        values.append(relu(arrived[-1]))
    e = np.exp(arrived[-1] - arrived[-1].max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    d, gradient = (p - t) / len(x), []
    for k in range(len(arrived) - 1, -1, -1):
        gradient = [values[k].T @ d, d.sum(axis=0), *gradient]
        if k:
            d = (d @ w[2 * k].T) * (arrived[k - 1] > 0)
    return -(np.log(p) * t).sum() / len(x), gradient


def deep_start(seed, widths, touched=False, dtype=np.float64):
    rng = np.random.default_rng(seed)
    w = []
    for a, b in pairwise(widths):
        w += [rng.normal(size=(a, b)) * np.sqrt(2 / a), rng.normal(size=b) * (0 if touched else 0.1)]
    x, t = rng.normal(size=(32, widths[0])), np.eye(widths[-1])[rng.integers(0, widths[-1], 32)]
    x[:4] *= not touched
    return [part.astype(dtype) for part in w], x.astype(dtype), t.astype(dtype)


@pytest.mark.parametrize("directions", [False, True])
@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3))])
def test_many_kinks_are_no_alarm(seed, touched, directions):
    given = deep_start(seed, (8, 30, 30, 5), touched)
    found = backproof.check(deep, *given, seed=seed, directions=directions)
    if touched and directions:
        assert found.verdict == "undetermined"
        assert "kinks add up" in found.causes[0]
    else:
        assert found.agrees, found


@pytest.mark.parametrize("directions", [False, True])
@pytest.mark.parametrize("touched", [False, True])
def test_a_mistake_among_many_kinks_is_found(touched, directions):
    def wrong(w, x, t):
        loss, gradient = deep(w, x, t)
        gradient[2] = 1.2 * gradient[2]
        return loss, gradient

    found = backproof.check(wrong, *deep_start(0, (8, 30, 30, 5), touched), directions=directions)
    assert found.verdict == "incorrect gradient"
    assert "W[2]: the gradient is 1.2 times the right one" in found.causes[0]


@pytest.mark.parametrize("seed", range(4))
def test_single_precision_among_many_kinks(seed):
    found = backproof.check(deep, *deep_start(seed, (8, 30, 30, 5), dtype=np.float32), seed=seed)
    assert found.verdict.right or found.verdict == "undetermined", found
