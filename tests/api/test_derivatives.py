"""VJP, JVP, Jacobian, HVP and Hessian: right ones agree, ones that are off by 0.1 % are refused by name."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod

import backproof
from backproof import check_hessian, check_hvp, check_jacobian, check_jvp, check_vjp

RNG = np.random.default_rng(11)


def a(*shape):
    return RNG.normal(size=shape)


# --- backward passes by hand


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(g, z):
    y = softmax(z)
    return y * (g - (g * y).sum(-1, keepdims=True))


def linear(x, w, b):
    return x @ w.T + b


def linear_backward(g, x, w, _b):
    return g @ w, g.T @ x, g.sum(0)


def layer_norm(x, gain):
    centred = x - x.mean(-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def layer_norm_backward(g, x, gain):
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    y, u = centred / deviation, g * gain
    dx = (u - u.mean(-1, keepdims=True) - y * (u * y).mean(-1, keepdims=True)) / deviation
    return dx, (g * y).sum(0)


def spectrum(x):
    return np.fft.rfft(x)


def spectrum_backward(g, x):
    """∂L/∂x of L = Σ Re(conj(g) y): the adjoint of the transform."""
    full = np.zeros(len(x), complex)
    full[: len(g)] = g
    return np.real(np.fft.fft(np.conj(full)))


def both(x):
    return {"sum": x.sum(0), "parts": [np.sin(x), x[0] * x[1]]}


def both_backward(g, x):
    d = g["sum"] + g["parts"][0] * np.cos(x)
    d[0] += g["parts"][1] * x[1]
    d[1] += g["parts"][1] * x[0]
    return d


BACKWARD = {
    "softmax": (softmax, softmax_backward, (a(3, 4),)),
    "linear": (linear, linear_backward, (a(3, 4), a(2, 4), a(2))),
    "a large linear layer": (linear, linear_backward, (a(20, 30), a(10, 30), a(10))),
    "layer norm": (layer_norm, layer_norm_backward, (a(3, 5), a(5))),
    "complex outputs": (spectrum, spectrum_backward, (a(8),)),
    "a container of outputs": (both, both_backward, (a(2, 3),)),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_a_backward_pass(name):
    forward, backward, inputs = BACKWARD[name]
    check_vjp(forward, backward, *inputs).assert_agrees(4)

    def wrong(g, *inputs):
        found = backward(g, *inputs)
        last = found[-1] if isinstance(found, tuple) else found
        last[-1] *= 1.001
        return found

    refused = check_vjp(forward, wrong, *inputs)
    assert refused.verdict == "incorrect gradient"
    assert refused.judgement.tensors[-1].disagreeing
    assert not any(t.disagreeing for t in refused.judgement.tensors[:-1])


def test_entries_are_named_as_derivatives():
    wrong = check_vjp(softmax, lambda g, z: softmax_backward(g, z) + 0.01 * g[0, 1] * (z == z[2, 3]), a(3, 4))
    assert wrong.judgement.worst_parameter == "∂y[0,1]/∂z[2,3]"


def test_residuals_are_passed_as_in_jax():
    def forward(x, w):
        return x * w, (x, w)

    def backward(residuals, g):
        x, w = residuals
        return g * w, g * x

    assert check_vjp(forward, backward, a(3), a(3), residuals=True).agrees
    assert not check_vjp(forward, lambda r, g: (g * r[1], g), a(3), a(3), residuals=True).agrees


def test_a_layer_with_state_by_an_adapter():
    class Layer:
        def __init__(self):
            self.w = a(4, 2)

        def forward(self, x):
            self.x = x
            return np.tanh(x @ self.w)

        def backward(self, dout):
            d = dout * (1 - np.tanh(self.x @ self.w) ** 2)
            self.dw = self.x.T @ d
            return d @ self.w.T

    layer = Layer()

    def forward(x, w):
        layer.w = w
        return layer.forward(x)

    def backward(dout, x, w):
        forward(x, w)
        return layer.backward(dout), layer.dw

    assert check_vjp(forward, backward, a(3, 4), layer.w).agrees


def test_given_cotangents_are_used_and_must_be_like_the_outputs():
    ones = check_vjp(linear, linear_backward, a(3, 4), a(2, 4), a(2), cotangents=[np.ones((3, 2))])
    assert ones.agrees
    assert ones.judgement.parameters == 12 + 8 + 2
    ignores = check_vjp(
        linear, lambda g, *more: linear_backward(np.ones_like(g), *more), a(3, 4), a(2, 4), a(2)
    )
    assert not ignores.agrees
    with pytest.raises(
        backproof.FunctionError,
        match=r"cotangents\[0\] of .*test_derivatives.py:\d+, linear: y has shape \(3,\), and y has",
    ):
        check_vjp(linear, linear_backward, a(3, 4), a(2, 4), a(2), cotangents=[np.ones(3)])


def test_whole_numbers_and_inputs_without_a_gradient_are_held_fixed():
    def take(x, index):
        return x[index]

    def backward(g, x, index):
        d = np.zeros_like(x)
        np.add.at(d, index, g)
        return d, None

    index = np.array([0, 2, 2])
    assert check_vjp(take, backward, a(4), index).agrees
    assert not check_vjp(
        take, lambda g, _, i: (np.bincount(i, g, 4) * (np.arange(4) < 2), None), a(4), index
    ).agrees


def test_some_entries_of_many_may_be_drawn():
    """Of most outputs, no entry is among them."""
    x = a(20)
    found = check_vjp(np.sin, lambda g, x: g * np.cos(x), x, parameters=15)
    assert found.agrees
    assert found.judgement.parameters == 15
    assert not check_vjp(np.sin, lambda g, x: 1.001 * np.outer(g, np.cos(x)).sum(0), x, parameters=15).agrees


def test_an_empty_input_beside_another():
    x = a(3)
    assert check_vjp(lambda e, x: np.concatenate([e, x]) ** 2, lambda g, e, x: (e, 2 * g * x), a(0), x).agrees
    assert not check_vjp(lambda _, x: x**2, lambda g, e, x: (e, 2.002 * g * x), a(0), x).agrees


def test_outputs_of_different_scales_are_each_seen():
    """The smallest output is 1e-12 of the largest, and its derivative 1 % off."""
    scales = np.array([1e6, 1.0, 1e-6])
    x = a(3)
    assert check_vjp(lambda x: scales * x**2, lambda g, x: 2 * g * scales * x, x).agrees
    off = scales * [1, 1, 1.01]
    assert not check_vjp(lambda x: scales * x**2, lambda g, x: 2 * g * off * x, x).agrees
    long = a(100)
    many = np.repeat(scales, [33, 33, 34])
    off = many * np.where(np.arange(100) == 99, 1.01, 1)
    assert check_vjp(lambda x: many * x**2, lambda g, x: 2 * g * many * x, long).agrees
    assert not check_vjp(lambda x: many * x**2, lambda g, x: 2 * g * off * x, long).agrees


def test_single_precision_is_held_against_double():
    x = a(3, 4).astype(np.float32)
    assert check_vjp(softmax, softmax_backward, x).agrees
    assert not check_vjp(softmax, lambda g, z: softmax_backward(g, z) * np.float32(1.001), x).agrees


# --- forward mode


def softmax_pushforward(dz, z):
    y = softmax(z)
    return y * (dz - (y * dz).sum(-1, keepdims=True))


@pytest.mark.parametrize("shape", [(3, 4), (12, 30)])
def test_a_pushforward(shape):
    z = a(*shape)
    check_jvp(softmax, softmax_pushforward, z).assert_agrees(5)
    wrong = check_jvp(softmax, lambda dz, z: softmax_pushforward(dz, z) * (1 + 0.001 * (z == z[1, 2])), z)
    assert wrong.verdict == "incorrect gradient"
    if shape == (3, 4):
        assert wrong.judgement.worst_parameter.startswith("∂y[1,2]/∂z[1,")


def test_a_pushforward_of_several_inputs_and_as_in_jax():
    def f(x, w):
        return x @ w

    assert check_jvp(f, lambda d, x, w: d[0] @ w + x @ d[1], a(2, 3), a(3, 2)).agrees
    assert not check_jvp(f, lambda d, _, w: d[0] @ w, a(2, 3), a(3, 2)).agrees

    def rule(primals, tangents):
        (x, w), (dx, dw) = primals, tangents
        return x @ w, dx @ w + x @ dw

    assert check_jvp(f, rule, a(2, 3), a(3, 2), primals=True).agrees
    assert check_jvp(f, rule, a(2, 3), a(3, 2), primals=True, tangents=[(a(2, 3), a(3, 2))]).agrees


# --- Jacobians


def residuals(p, t, y):
    return p[0] * np.exp(-p[1] * t) - y


def jacobian(p, t, _y):
    return np.stack([np.exp(-p[1] * t), -p[0] * t * np.exp(-p[1] * t)], axis=1)


TIMES = np.linspace(0, 3, 20)


def test_a_jacobian_as_least_squares_takes_it():
    p = np.array([2.0, 1e-3])
    assert check_jacobian(residuals, jacobian, p, TIMES, TIMES).agrees
    wrong = check_jacobian(residuals, lambda *args: jacobian(*args) * [1, 1.001], p, TIMES, TIMES)
    assert wrong.judgement.causes[0].name == "factors of columns"
    with pytest.raises(
        backproof.FunctionError, match=r"must have shape \(20, 2\).*has \(2, 20\); is it transposed"
    ):
        check_jacobian(residuals, lambda *args: jacobian(*args).T, p, TIMES, TIMES)


def test_a_large_sparse_jacobian_by_cotangents():
    matrix = sparse.random_array((60, 90), density=0.1, rng=3).tocsr()

    def jac(x, factor=1.0):
        found = sparse.csr_array(matrix.multiply(np.cos(x)))
        found.data[17] *= factor
        return found

    x = a(90)
    assert check_jacobian(lambda x: matrix @ np.sin(x), jac, x).agrees
    wrong = check_jacobian(lambda x: matrix @ np.sin(x), lambda x: jac(x, 1.01), x)
    assert wrong.verdict == "incorrect gradient"
    assert wrong.judgement.worst_parameter.endswith(f"/∂x[{matrix.indices[17]}]")


# --- second derivatives


def test_a_hessian_and_products_with_it():
    w = a(5)
    assert check_hessian(rosen, rosen_der, rosen_hess, w).agrees
    assert check_hessian(rosen, rosen_der, lambda w: sparse.csr_array(rosen_hess(w)), w).agrees
    assert check_hvp(rosen, rosen_der, lambda v, w: rosen_hess_prod(w, v), w).agrees
    assert not check_hvp(rosen, rosen_der, lambda v, w: rosen_hess_prod(w, v) * 1.001, w).agrees


def test_a_hessian_that_is_not_symmetric_is_noted():
    found = check_hessian(rosen, rosen_der, lambda w: np.triu(rosen_hess(w)), a(5))
    assert found.causes[0].startswith("symmetry: ∂g/∂W: the upper triangle alone")
    assert any("is not symmetric" in note for note in found.target.notes)


def test_the_gradient_is_checked_first():
    found = check_hessian(rosen, lambda w: 1.01 * rosen_der(w), rosen_hess, a(5))
    assert found.causes[0].startswith("scale: W")
    assert any("the Hessian is not compared" in note for note in found.target.notes)


def test_mixed_second_derivatives_are_a_jacobian_of_the_gradient():
    x, y = a(3), a(2)
    mixed = np.outer(np.cos(x), 2 * y)
    assert check_jacobian(lambda y: np.cos(x) * (y**2).sum(), lambda _: mixed, y).agrees


# --- wrong input


def refused(*args, **keywords):
    with pytest.raises(backproof.FunctionError) as error:
        check_vjp(*args, **keywords)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_wrong_backward_passes_are_refused_in_one_line():
    x, w, b = a(3, 4), a(2, 4), a(2)
    few = refused(linear, lambda g, x, w, _: (g @ w, g.T @ x), x, w, b)
    assert "must return 3 gradients, one for each input; not 2" in few and "test_derivatives.py:" in few
    assert "dw has shape (4, 2), and w has (2, 4); is it transposed?" in refused(
        linear, lambda g, x, w, _: (g @ w, x.T @ g, g.sum(0)), x, w, b
    )

    def changes(g, _):
        g *= 2
        return g

    assert "changes its cotangent; copy it first" in refused(np.sin, changes, a(3))

    def overwrites(x):
        x += 1
        return x

    assert "changes its argument, at x[0]; copy it first" in refused(overwrites, lambda g, _: g, a(3))
    assert "must return (outputs, residuals)" in refused(np.sin, lambda _, g: g, a(3), residuals=True)
    assert "raises ValueError: no" in refused(np.sin, lambda *_: exec("raise ValueError('no')"), a(3))


def test_a_vector_where_a_scalar_is_needed_names_the_function_to_use():
    with pytest.raises(backproof.FunctionError, match="check_vjp"):
        backproof.check(lambda w: (w**2, 2 * w), a(3))


# --- derivatives that JAX makes of random functions, and the same with one entry off by 1 %


def random_function(draw):
    """A composition of what JAX knows, (3, 4) → (2, 4) or so."""
    w = jnp.asarray(draw.normal(size=(4, 4)))
    steps = draw.permutation([
        jnp.tanh, lambda x: x @ w, lambda x: x * jax.nn.sigmoid(x), lambda x: x - x.mean(0),
        lambda x: jnp.exp(-(x**2)), lambda x: x / (1 + (x**2).sum(-1, keepdims=True)),
    ])[:4]  # fmt: skip

    def f(x):
        for step in steps:
            x = step(x)
        return x[:2]

    return f


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 6))])
def test_derivatives_of_random_functions(seed):
    draw = np.random.default_rng(seed)
    with jax.enable_x64(True):
        f, x = random_function(draw), draw.normal(size=(3, 4))
        matrix = np.asarray(jax.jacobian(f)(x)).reshape(8, 12)
        pull = jax.jit(lambda g, x: jax.vjp(f, x)[1](g)[0])
        push = jax.jit(lambda d, x: jax.jvp(f, (x,), (d,))[1])
        at = np.unravel_index(int(np.argsort(np.abs(matrix).ravel())[-1 - seed]), matrix.shape)
        error = np.zeros_like(matrix)
        error[at] = 0.01 * matrix[at]

        assert check_vjp(f, lambda g, x: pull(g, x), x).agrees
        assert check_jvp(f, lambda d, x: push(d, x), x).agrees
        assert not check_vjp(f, lambda g, x: pull(g, x) + (g.ravel() @ error).reshape(3, 4), x).agrees
        assert not check_jvp(f, lambda d, x: push(d, x) + (error @ d.ravel()).reshape(2, 4), x).agrees
        assert not check_jacobian(f, lambda _: matrix + error, x).agrees


def test_an_output_that_does_not_change_is_compared_in_its_own_size():
    def f(z):
        return np.array([softmax(z).sum(), z[0]])

    def jac(z, error=0.0):
        return np.stack([softmax_backward(np.ones(6), z) + error, np.eye(6)[0]])

    z = a(6)
    check_jacobian(f, jac, z).assert_agrees(8)
    assert check_jacobian(f, lambda z: jac(z, 1e-6), z).verdict == "incorrect gradient"


def test_what_cancels_in_the_derivative_of_a_constant_output_is_rounding():
    """The sums of probabilities are 1 however far z moves, and their derivative by hand is some 1e-16."""

    def forward(z):
        return softmax(z).sum(-1), 2 * z

    def backward(g, z):
        return softmax_backward(np.broadcast_to(g[0][:, None], z.shape), z) + 2 * g[1]

    for seed in range(5):
        z = np.random.default_rng(seed).normal(size=(3, 4))
        found = check_vjp(forward, backward, z)
        assert found.verdict == "agrees", found


# --- functions in JAX, whose backward pass may hold a custom one


@jax.custom_vjp
def swish(x):
    return x * jax.nn.sigmoid(x)


def swish_forward(x):
    return swish(x), x


def swish_backward(factor, x, g):
    s = jax.nn.sigmoid(x)
    return (g * s * (1 + factor * x * (1 - s)),)


@pytest.mark.parametrize(("factor", "right"), [(1, True), (1.001, False)])
def test_a_custom_vjp_of_jax(factor, right):
    swish.defvjp(swish_forward, partial(swish_backward, factor))
    found = check_vjp(lambda x, w: (swish(x @ w), x.sum()), None, jnp.asarray(a(2, 3)), jnp.asarray(a(3, 2)))
    assert found.agrees == right, found


def test_complex_numbers_in_jax_by_one_convention():
    z = jnp.asarray(a(3) + 1j * a(3))
    assert check_vjp(lambda z: (z**2, jnp.abs(z)), None, z).agrees
    assert backproof.check(lambda z: jnp.abs(jnp.exp(z)).sum(), z).agrees


def test_a_library_is_needed_where_there_is_no_backward_pass():
    with pytest.raises(backproof.FunctionError, match="backward: needed where no input is a tensor"):
        check_vjp(np.sin, None, a(3))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_vjp(3, np.cos, a(2)), "forward: must be a function of the inputs"),
        (
            lambda: check_vjp(np.sin, 3, a(2)),
            "backward: must be a function of a cotangent and the inputs; not int",
        ),
        (lambda: check_jvp(np.sin, "f", a(2)), "pushforward: must be a function of a tangent"),
        (
            lambda: check_jacobian(np.sin, a(2), a(2)),
            "jac: must be a function of x; not ndarray",
        ),
        (lambda: check_hessian(1, rosen_der, rosen_hess, a(2)), "f: must be a function of W"),
        (
            lambda: check_hvp(rosen, rosen_der, None, a(2)),
            "hvp: must be a function of a vector and W",
        ),
        (lambda: check_vjp(np.sin, np.cos, a(2), seed=-1), "seed: must be a whole number from 0 on; not -1"),
        (lambda: check_jvp(np.sin, np.cos, a(2), resolution=2), "resolution: must be a number above 0"),
        (lambda: check_vjp(np.sin, np.cos), "the inputs: holds no parameter"),
        (lambda: check_vjp(np.sin, np.cos, "abc"), "x: must be an array of real numbers; not str"),
    ],
)
def test_wrong_arguments_are_named(call, says):
    with pytest.raises(backproof.FunctionError) as error:
        call()
    assert says in str(error.value)
