"""What W may be: any nesting of arrays; a right gradient agrees, a slightly wrong one is refused by name."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import optree
import pandas as pd
import pytest
from scipy import sparse

import backproof

Layer = namedtuple("Layer", "weight bias")

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Model:
    layers: list
    scale: np.ndarray
    name: str = "model"
    degree: int = 3


def a(*shape):
    return RNG.normal(size=shape) + 2


def loss(w):
    """Σ x³ of all that W holds; its derivative is 3 x², whatever the container."""
    return sum(float((np.asarray(x) ** 3).sum()) for x in _arrays(w))


def gradient(w):
    return _mapped(lambda x: 3 * x**2, w)


def _arrays(w):
    if isinstance(w, Model):
        return [*_arrays(w.layers), w.scale]
    return optree.tree_leaves(w)


def _mapped(change, w):
    if isinstance(w, Model):
        return Model([_mapped(change, layer) for layer in w.layers], change(w.scale), None, None)
    return optree.tree_map(change, w)


NESTED = {
    "W['layers'][1].bias[2]": {
        "layers": [Layer(a(2, 3), a(3)), Layer(a(3, 3), a(3))], "more": (a(2), {"deep": a(1, 2)}),
    },
    "W.layers[0].weight[1,0]": Model([Layer(a(2, 2), a(2))], a(3)),
    "W[1][0][1]": (a(2), [a(2), None, a()]),
}  # fmt: skip


@pytest.mark.parametrize("where", NESTED)
def test_any_nesting_of_arrays(where):
    w = NESTED[where]
    backproof.check(loss, w, df=gradient).assert_agrees(6)

    def wrong(w):
        found = gradient(w)
        entry = eval("np.asarray(" + where[: where.rindex("[")].replace("W", "found", 1) + ")")
        entry[tuple(map(int, where[where.rindex("[") + 1 : -1].split(",")))] *= 1.001
        return found

    found = backproof.check(loss, w, df=wrong)
    assert (found.verdict, found.judgement.worst_parameter) == ("incorrect gradient", where)


def test_dictionaries_keep_their_order():
    found = backproof.check(loss, {"z": a(2), "a": a(2)}, df=gradient)
    assert [t.name for t in found.judgement.tensors] == ["W['z']", "W['a']"]


# --- what is held fixed


def test_what_holds_no_floats_is_held_fixed():
    w = {"x": a(3), "degree": 2, "labels": np.array([0, 1, 2]), "name": "abc", "nothing": None}

    def f(w):
        assert (w["degree"], w["name"], w["nothing"]) == (2, "abc", None)
        return (w["x"] ** w["degree"]).sum(), {"x": 2 * w["x"]}

    found = backproof.check(f, w)
    assert found.agrees
    assert found.judgement.parameters == 3


def test_an_array_whose_gradient_is_none_is_held_fixed_and_that_is_noted():
    found = backproof.check(lambda w: ((w[0] * w[1]).sum(), (w[1], None)), (a(3), a(3)))
    assert found.agrees
    assert found.judgement.parameters == 3
    assert "W[1] is held fixed and not checked: its gradient is None" in found.target.notes


def test_one_array_whose_gradient_is_none_is_an_error():
    with pytest.raises(backproof.FunctionError, match="dW must be real numbers; not nothing"):
        backproof.check(lambda w: (w.sum(), None), a(3))


# --- complex numbers


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.clongdouble])
def test_a_complex_gradient_is_the_direction_of_steepest_ascent(dtype):
    """f = Re(c z) + |z|² has ∂f/∂x + i ∂f/∂y = conj(c) + 2 z."""
    c = (RNG.normal(size=(2, 3)) + 1j * RNG.normal(size=(2, 3))).astype(dtype)
    z = (RNG.normal(size=(2, 3)) + 1j * RNG.normal(size=(2, 3))).astype(dtype)

    def f(z):
        return (c * z).real.sum() + (abs(z) ** 2).sum()

    assert backproof.check(f, z, df=lambda z: c.conj() + 2 * z).agrees
    wrong = backproof.check(f, z, df=lambda z: c + 2 * z)  # JAX's would be its conjugate: c + 2 conj(z)
    assert wrong.verdict == "incorrect gradient"
    assert wrong.judgement.worst_parameter.endswith(".imag")
    assert wrong.judgement.parameters == 12


def test_a_complex_number_alone():
    assert backproof.check(lambda z: abs(z) ** 2, np.array(1 + 2j), df=lambda z: 2 * z).agrees


# --- pandas and SciPy


def test_labels_are_kept_and_gradients_are_aligned_by_them():
    frame = pd.DataFrame(a(2, 2), index=["mon", "tue"], columns=["price", "volume"])

    def f(w):
        return float((w["price"] * w["volume"]).sum())

    def df(w):
        return pd.DataFrame({"volume": w["price"], "price": w["volume"]}).loc[["tue", "mon"]]

    assert backproof.check(f, frame, df=df).agrees
    wrong = backproof.check(f, frame, df=lambda w: df(w) * pd.Series({"price": 1, "volume": 1.001}))
    assert wrong.judgement.worst_parameter in ("W['mon','volume']", "W['tue','volume']")
    with pytest.raises(
        backproof.FunctionError, match="must have the labels of W; 'cost' is in one of them only"
    ):
        backproof.check(f, frame, df=lambda w: df(w).rename(columns={"price": "cost"}))


def test_a_series():
    series = pd.Series([1.0, 2.0], index=["a", "b"], name="x")
    found = backproof.check(lambda w: (w["a"] * w["b"], pd.Series({"b": w["a"], "a": w["b"]})), series)
    assert found.agrees


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("returns", ["sparse", "dense", "values"])
def test_the_stored_values_of_a_sparse_matrix(form, returns):
    matrix = sparse.csr_array(np.array([[0, 2.0, 0], [3, 0, 4]])).asformat(form)
    x = np.array([1.0, 2, 3])

    def df(w, factor=1.0):
        full = 2 * np.outer(w @ x, x)
        full[1, 2] *= factor
        at = w.tocoo()
        values = full[at.row, at.col]
        stored = sparse.coo_array((values, (at.row, at.col)), w.shape)
        return {"sparse": stored, "dense": full, "values": values}[returns]

    def f(w):
        return float(((w @ x) ** 2).sum())

    assert backproof.check(f, matrix, df=df).agrees
    wrong = backproof.check(f, matrix, df=lambda w: df(w, 1.001))
    assert wrong.judgement.worst_parameter == "W[1,2]"


def test_a_sparse_form_without_places_is_refused():
    with pytest.raises(backproof.FunctionError, match="must be csr, csc or coo where it is sparse; not dia"):
        backproof.check(lambda w: (w.sum(), w), sparse.dia_array(np.eye(2)))


# --- precisions, keywords and what a loss returns beside


def test_arrays_of_several_precisions_are_checked_in_the_widest():
    w = {"single": a(3).astype(np.float32), "double": a(3)}
    found = backproof.check(loss, w, df=gradient)
    found.assert_agrees(6)
    assert "W['single'] is float32, and checked in float64 as its neighbours are" in found.target.notes


def test_keywords_are_passed_by_name():
    def f(w, x, *, power=1):
        return (x * w**power).sum()

    def df(w, x, *, power=1):
        return x * power * w ** (power - 1)

    assert backproof.check(f, a(3), a(3), df=df, keywords={"power": 3}).agrees


def test_what_a_loss_returns_beside_it_is_not_looked_at():
    def value_and_gradient(w):
        return ((w**2).sum(), {"beside": "more"}), 2 * w

    assert backproof.check(value_and_gradient, a(3), has_aux=True).agrees
    assert backproof.check(lambda w: ((w**2).sum(), "more"), a(3), df=lambda w: 2 * w, has_aux=True).agrees


def test_a_nesting_is_checked_in_several_processes():
    assert backproof.check(loss, NESTED["W.layers[0].weight[1,0]"], df=gradient, jobs=2).agrees
