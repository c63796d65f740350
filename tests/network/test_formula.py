"""Expressions: their values and derivatives against JAX, and what is no expression."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backproof.network import formula
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.effort import limited
from backproof.network.formula import Formula
from backproof.network.functions import NUMERIC
from backproof.network.scan import find_kinks, find_range
from backproof.network.syntax import MOST_NODES, parsed

CASES = {
    "z * tanh(log1p(exp(z)))": lambda z: z * jnp.tanh(jax.nn.softplus(z)),
    "z * sigmoid(beta * z)": lambda z: z * jax.nn.sigmoid(0.5 * z),
    "maximum(z, beta * z)": lambda z: jnp.maximum(z, 0.5 * z),
    "minimum(maximum(z + 3, 0), 6) / 6 * z": lambda z: jnp.clip(z + 3, 0, 6) / 6 * z,
    "where(z > 0, z, expm1(z))": lambda z: jnp.where(z > 0, z, jnp.expm1(z)),
    "z / (1 + abs(z))": lambda z: z / (1 + jnp.abs(z)),
    "exp(-z**2) + sin(z) * cos(2 * z)": lambda z: jnp.exp(-(z**2)) + jnp.sin(z) * jnp.cos(2 * z),
    "arctan(z) + sinh(z / 9) - cosh(z) + sqrt(z**2 + 1)": lambda z: (
        jnp.arctan(z) + jnp.sinh(z / 9) - jnp.cosh(z) + jnp.sqrt(z**2 + 1)
    ),
    "log(1 + exp(z)) - softplus(-z) + sign(z)": lambda z: z + jnp.sign(z),
    "pi * z + e": lambda z: jnp.pi * z + jnp.e,
    "softplus(beta) * z - sigmoid(z) * tanh(2)": lambda z: (
        jax.nn.softplus(0.5) * z - jax.nn.sigmoid(z) * jnp.tanh(2)
    ),
    "where(beta < sign(3), z**3, 2 * z)": lambda z: z**3,
    "where(z > 0, where(z < 1, z**2, beta), where(z > -1, 1, z))": lambda z: jnp.where(
        z > 0, jnp.where(z < 1, z**2, 0.5), jnp.where(z > -1, 1.0, z)
    ),
    "sqrt(70000000000000000003) / 10**9 * z**2": lambda z: 8.366600265340756 * z**2,
    "(7 / 3)**64 / 10**23 * z": lambda z: (7 / 3) ** 64 / 1e23 * z,
}
Z = np.linspace(-9, 9, 241) + 0.0117


@pytest.mark.parametrize("text", CASES)
def test_value_and_derivative_are_those_of_jax(text):
    formula = Formula(text, {"beta": 0.5})
    np.testing.assert_allclose(formula.value()(Z), CASES[text](Z), rtol=1e-13, atol=1e-13)
    derivative = jax.vmap(jax.grad(CASES[text]))(Z)
    np.testing.assert_allclose(formula.derivative()(Z), derivative, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))
def test_no_overflow_on_the_way_and_no_other_precision(dtype):
    formula = Formula("z * tanh(log1p(exp(z)))", {})
    for z in (-1e4, -100, -20, 20, 100, 1e4):
        value, derivative = (f(np.array([z], dtype)) for f in (formula.value(), formula.derivative()))
        assert value.dtype == derivative.dtype == dtype
        np.testing.assert_allclose([value[0], derivative[0]], [max(z, 0), z > 0], atol=1e-2, rtol=1e-3)


def test_a_constant_is_an_array():
    assert (
        Formula("beta", {"beta": 2.0}).value()(Z).shape == Formula("z", {}).derivative()(Z).shape == Z.shape
    )


@pytest.mark.parametrize("text", [
    "z +", "__import__('os')", "foo(z)", "z.real", "y * z", "max(z)", "[z]", "lambda z: z", "maximum(z)",
    "'a'", "z if z else 1", "(z := 1)", "z; z", "exp(z, z)", "exp(x=z)", "True", "1j * z", "()", "",
    "z > 0", "z * (z > 1)", "where(z, 1, 2)", "where((z > 0) > (z > 1), 1, 2)", "where(0 < z < 1, 1, 2)",
])  # fmt: skip
def test_what_is_no_expression(text):
    with pytest.raises(ValueError, match=r"\w") as error:
        Formula(text, {})
    assert "\n" not in str(error.value)


ENDLESS = {
    "a tower of powers": ("z + 9**9**9", "'9 ** 9 ** 9' is not a finite number"),
    "of small ones": ("z * ((((2**64)**64)**64)**64)**64", "'(2 ** 64) ** 64' is not a finite number"),
    "of a fraction": ("z * (((1000001 / 1000000)**64)**64)**64", "at most 3000 digits"),
    "of exponentials": ("z * exp(exp(exp(exp(10))))", "'exp(exp(10))' is not a finite number"),
    "in a condition": ("where(exp(exp(exp(10))) > 1, z, 0)", "'exp(exp(10))' is not a finite number"),
    "nested signs": ("-" * 200 + "z", "nested at most 40 deep; not 201"),
    "nested functions": ("exp(" * 100 + "z" + ")" * 100, "nested at most 40 deep; not 101"),
    "nested brackets": ("(" * 400 + "z" + ")" * 400, "is not an expression (SyntaxError)"),
    "no number": ("1 / (z - z)", "is not a finite number"),
}


@pytest.mark.parametrize(("text", "says"), ENDLESS.values(), ids=ENDLESS)
def test_what_would_take_for_ever_or_has_no_value(text, says):
    with pytest.raises(ValueError, match=r"\w") as error:
        Formula(text, {}).value()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_sympy_works_within_a_limit_in_any_thread(monkeypatch):
    monkeypatch.setattr(formula, "limited", partial(limited, most=20_000))
    long = " * ".join(f"(z + {k})" for k in range(50))
    for run in (lambda action: action(), lambda action: ThreadPoolExecutor(1).submit(action).result()):
        with pytest.raises(ValueError, match=r"takes more than 20,000 steps to work out; make it simpler"):
            run(lambda: Formula(long, {}).value())
        assert run(lambda: Formula("(z + 1) * (z + 2.5)", {}).value()(np.zeros(1))) == 2.5


def test_as_many_calls_as_are_allowed_and_no_more():
    calls = []

    def call():
        calls.append(1)

    def action():
        for _ in range(100):
            call()
        return "done"

    before = sys.gettrace()
    assert limited("it", action, most=101) == "done"  # its own call is one
    with pytest.raises(ValueError, match="it takes more than 100 steps"):
        limited("it", action, most=100)
    assert len(calls) == 199
    assert limited("it", lambda: limited("within", action, most=10), most=200) == "done"
    assert sys.gettrace() is before


def test_a_sum_of_many_terms_is_not_nested():
    many = " - ".join(["z"] * 100)
    assert Formula(many, {}).value()(np.ones(1)) == -98


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_scan_finds_the_kinks_and_range_that_are_declared(name):
    activation = ACTIVATIONS[name]()
    found = find_kinks(activation.value)
    assert [k.at for k in found] == [k.at for k in activation.kinks]
    for mine, declared in zip(found, activation.kinks, strict=True):
        np.testing.assert_allclose([mine.left, mine.right], [declared.left, declared.right], atol=1e-8)
    limits = find_range(activation.value)
    for mine, declared in ((limits.low, activation.range.low), (limits.high, activation.range.high)):
        assert mine == pytest.approx(declared, abs=1e-3) or name == "leaky_relu"


def test_kinks_between_the_pieces_of_the_scan():
    where = np.array([-3.14159, -0.777, 0.123456, 1 / 3, 7.25])
    found = find_kinks(lambda z: np.abs(z[:, None] - where).sum(axis=1))
    np.testing.assert_allclose([k.at for k in found], where, atol=1e-6)
    np.testing.assert_allclose([k.right - k.left for k in found], 2, atol=1e-6)


@pytest.mark.parametrize("at", [0.0, 0.5, -3.3333])
def test_a_step_between_flat_pieces_is_a_jump(at):
    with pytest.raises(ValueError, match=r"the value jumps near z = ") as caught:
        find_kinks(lambda z: np.where(z > at, 1.0, 0.0))
    assert float(str(caught.value).rpartition(" ")[2]) == pytest.approx(at, abs=1e-5)
    for steepness in (10, 100, 1000):
        assert find_kinks(lambda z, k=steepness: np.tanh(k * (z - at))) == ()


@pytest.mark.parametrize("value", [np.sin, np.exp, lambda z: np.sin(30 * z), lambda z: z**3, np.sinh])
def test_smooth_functions_have_no_kinks(value):
    assert find_kinks(value) == ()


@pytest.mark.parametrize("derivative", [0.0123456784, 0.25, 1 / 3])
def test_a_kinks_derivative_is_rounded_only_where_it_is_a_short_number(derivative):
    (kink,) = find_kinks(lambda z: np.where(z < 0, derivative * z, 0))
    assert kink.left == pytest.approx(derivative, rel=0, abs=1e-10)
    assert (kink.left == 0.25) == (derivative == 0.25)


@pytest.mark.parametrize(("name", "other"), [("maximum", 1.0), ("minimum", 3.0)])
def test_of_complex_numbers_the_real_parts_decide_and_the_first_of_equals_is_taken(name, other):
    """Else a complex step at a kink would mix the derivatives of both sides."""
    one, same = np.array([2 + 1j]), np.array([2 + 3j])
    assert NUMERIC[name](one, same) == one
    assert NUMERIC[name](same, one) == same
    assert NUMERIC[name](one, np.array([other + 5j])) == one
    assert NUMERIC[name](np.array([other + 5j]), one) == one


def test_the_size_of_an_expression_is_counted_to_the_node():
    """A sum of 125 names has 249 nodes, and each sign one more."""
    terms = ["z"] * (MOST_NODES // 2)
    assert parsed("+".join(["-z", *terms[1:]]), {}, ("z",)) is not None
    with pytest.raises(ValueError, match=rf"at most {MOST_NODES} .*; not {MOST_NODES + 1}$"):
        parsed("+".join(["-z", "-z", *terms[2:]]), {}, ("z",))
