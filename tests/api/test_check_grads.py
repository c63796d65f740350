"""`backproof.jax.check_grads`: JAX's signature, any pytree, both modes and orders, custom rules."""

from __future__ import annotations

import inspect
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from backproof.jax import check_grads

RNG = np.random.default_rng(3)


def a(*shape):
    return jnp.asarray(RNG.normal(size=shape))


def refused(*args, **keywords):
    with pytest.raises(AssertionError) as error:
        check_grads(*args, **keywords)
    return str(error.value)


def test_the_signature_is_jaxs():
    def of(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert of(check_grads) == of(jax.test_util.check_grads)


class Layer(NamedTuple):
    w: object
    b: object


@jax.tree_util.register_pytree_node_class
class Box:
    """A node that only JAX knows."""

    def __init__(self, inside):
        self.inside = inside

    def tree_flatten(self):
        return (self.inside,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


def network(layers, box, count):
    x = box.inside
    for layer in layers["all"]:
        x = jnp.tanh(x @ layer.w + layer.b)
    return {"sum": (x**count).sum(), "all": [x], "count": count}


def test_pytrees_of_any_kind():
    layers = {"all": [Layer(a(3, 2), a(2)), Layer(a(2, 2), 0.5)]}
    check_grads(network, (layers, Box(a(4, 3)), 2), order=1, modes=["fwd", "rev", "lin"])


def test_second_order_in_every_combination():
    check_grads(lambda x, w: jnp.tanh(x @ w), (a(2), a(2, 2)), order=2)


@jax.custom_vjp
def cube(x):
    return x**3


def cube_backward(factor, x, g):
    return (slope(factor, x) * g,)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def slope(factor, x):
    return 3 * x**2 * (1 if factor == "second" else factor)


@slope.defjvp
def _slope(factor, primals, tangents):
    (x,), (v,) = primals, tangents
    return slope(factor, x), 6 * x * v * (1.001 if factor == "second" else 1)


@pytest.mark.parametrize(("factor", "order"), [(1, None), (1.001, 1), ("second", 2)])
def test_a_custom_vjp(factor, order):
    cube.defvjp(lambda x: (cube(x), x), partial(cube_backward, factor))
    for asked in (1, 2):
        if order is None or asked < order:
            check_grads(cube, (a(3),), order=asked, modes="rev")
        else:
            says = refused(cube, (a(3),), order=asked, modes=["rev"])
            assert "1.001 times the right one" in says
            assert says.startswith("VJP" if order == 1 else "VJP of VJP")


@pytest.mark.parametrize("factor", [1, 1.001])
def test_a_custom_jvp(factor):
    @jax.custom_jvp
    def sine(x):
        return jnp.sin(x)

    @sine.defjvp
    def _(primals, tangents):
        return sine(*primals), factor * jnp.cos(primals[0]) * tangents[0]

    if factor == 1:
        check_grads(sine, (a(2, 3),), order=2)
    for mode in ("fwd", "rev") if factor != 1 else ():
        assert "1.001 times the right one" in refused(sine, (a(2, 3),), order=1, modes=[mode])
        check_grads(sine, (a(2, 3),), order=1, modes=[mode], rtol=2e-3)
        refused(sine, (a(2, 3),), order=1, modes=[mode], rtol=5e-4)


def test_a_tenth_of_a_percent_in_single_precision_that_jax_does_not_see():
    @jax.custom_jvp
    def sine(x):
        return jnp.sin(x)

    @sine.defjvp
    def _(primals, tangents):
        return sine(*primals), 1.001 * jnp.cos(primals[0]) * tangents[0]

    x = jnp.asarray([0.3, -1.2], jnp.float32)
    jax.test_util.check_grads(sine, (x,), order=1)
    assert "incorrect gradient" in refused(sine, (x,), order=1)
    check_grads(jnp.sin, (x,), order=1)


def test_complex_numbers():
    z = a(3) + 1j * a(3)
    check_grads(lambda z: (z**2, jnp.abs(z), jnp.conj(z) * z), (z,), order=1)


def test_wrong_input():
    with pytest.raises(ValueError, match="order: must be a whole number from 1 on; not 0"):
        check_grads(jnp.sin, (a(2),), order=0)
    with pytest.raises(ValueError, match="modes: must be some of fwd, rev, lin; not 'back'"):
        check_grads(jnp.sin, (a(2),), order=1, modes="back")
    assert refused(lambda n: n, (3,), order=1) == "args: hold no array of floats"
    cube.defvjp(lambda x: (cube(x), x), lambda x, g: (x * g, g))
    few = refused(cube, (a(3),), order=1, modes=["rev"])
    assert "raises" in few and "\n" not in few
    forward = refused(cube, (a(3),), order=1, modes=["fwd"])
    assert "raises TypeError" in forward and "\n" not in forward
