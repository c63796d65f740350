"""Independent implementations, by the names in the package's tables, and small random problems.

Nothing here calls the code under test to find out what is right: values are JAX's or mpmath's,
derivatives are JAX's. A name that is in a table and not here makes its tests fail by KeyError,
which says what a new case has to bring.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array, Precision
from backproof.network.clips import CLIPS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem

JAX_ACTIVATIONS = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": lambda z: jax.nn.leaky_relu(z, 0.01),
    "softplus": jax.nn.softplus,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "identity": lambda z: z,
    "hard_tanh": jax.nn.hard_tanh,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "relu6": jax.nn.relu6,
    "abs": jnp.abs,
    "softmax": jax.nn.softmax,
}


def _logs(p: Any, clip: str, eps: float) -> tuple[Any, Any]:
    """log p and log(1 − p), protected as the clip's formula says."""
    if clip == "clamp":
        p = jnp.clip(p, eps, 1 - eps)
    protected = {
        "none": jnp.log,
        "clamp": jnp.log,
        "floor": lambda q: jnp.log(jnp.maximum(q, eps)),
        "shift": lambda q: jnp.log(q + eps),
        "log_floor": lambda q: jnp.maximum(jnp.log(q), -100.0),
    }[clip]
    return protected(p), protected(1 - p)


def _binary_cross_entropy(y: Any, t: Any, clip: str, eps: float) -> Any:
    log_p, log_not_p = _logs(y, clip, eps)
    return -(t * log_p + (1 - t) * log_not_p)


JAX_LOSSES = {
    "hinge": lambda y, t, _clip, _eps: jax.nn.relu(1 - (2 * t - 1) * y),
    "poisson": lambda y, t, _clip, _eps: y - t * jnp.log(y),
    "squared_error": lambda y, t, _clip, _eps: 0.5 * jnp.square(y - t),
    "binary_cross_entropy": _binary_cross_entropy,
    "categorical_cross_entropy": lambda y, t, clip, eps: -t * _logs(y, clip, eps)[0],
    "binary_cross_entropy_from_logits": lambda y, t, _clip, _eps: jax.nn.softplus(y) - t * y,
    "categorical_cross_entropy_from_logits": lambda y, t, _clip, _eps: -t * jax.nn.log_softmax(y),
}


def jax_loss(problem: Problem, weights: list[Any]) -> Any:
    """The summed loss of a problem without batch axes, written again in JAX."""
    a = jnp.asarray(problem.inputs)
    hidden, output = JAX_ACTIVATIONS[problem.activation.name], JAX_ACTIVATIONS[problem.output.name]
    for w in weights[:-1]:
        a = hidden(a @ w[:, :-1].T + w[:, -1])
    y = output(a @ weights[-1][:, :-1].T + weights[-1][:, -1])
    terms = JAX_LOSSES[problem.loss.name](y, jnp.asarray(problem.targets), problem.clip.name, problem.eps)
    return terms.sum()


def jax_gradient(problem: Problem, weights: list[Array]) -> list[Array]:
    """∂(sum of all terms)/∂weights by automatic differentiation of `jax_loss`."""
    gradients = jax.grad(lambda w: jax_loss(problem, w))([jnp.asarray(w) for w in weights])
    return [np.asarray(g) for g in gradients]


def _mp_sigmoid(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


def _mp_sigmoid_derivative(z: Any) -> Any:
    return 1 / (2 + mp.exp(z) + mp.exp(-z))


def _mp_density(z: Any) -> Any:
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def _between(low: Any, high: Any, run: int = 1) -> Any:
    return lambda z: mp.mpf(1) / run if low < z < high else mp.mpf(0)


LEAK = mp.mpf(0.01)  # the double next to 1/100, as the package holds it

MP_ACTIVATIONS = {
    "sigmoid": (_mp_sigmoid, _mp_sigmoid_derivative),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "relu": (lambda z: max(z, mp.mpf(0)), _between(0, mp.inf)),
    "leaky_relu": (lambda z: z if z > 0 else LEAK * z, lambda z: mp.mpf(1) if z > 0 else LEAK),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), _mp_sigmoid),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: mp.mpf(1) if z > 0 else mp.exp(z)),
    "silu": (
        lambda z: z * _mp_sigmoid(z),
        lambda z: _mp_sigmoid(z) + z * _mp_sigmoid_derivative(z),
    ),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * _mp_density(z)),
    "identity": (lambda z: z, lambda _z: mp.mpf(1)),
    "hard_tanh": (lambda z: min(max(z, mp.mpf(-1)), mp.mpf(1)), _between(-1, 1)),
    "hard_sigmoid": (
        lambda z: min(max(z + 3, mp.mpf(0)), mp.mpf(6)) / 6,
        _between(-3, 3, 6),
    ),
    "relu6": (lambda z: min(max(z, mp.mpf(0)), mp.mpf(6)), _between(0, 6)),
    "abs": (abs, lambda z: mp.mpf(1) if z > 0 else mp.mpf(-1)),
}


def exact(x: Any) -> Any:
    """A floating-point number of any precision as an mpmath number, without loss."""
    fraction, exponent = np.frexp(x)
    high = float(fraction)
    return mp.ldexp(mp.mpf(high) + mp.mpf(float(fraction - high)), int(exponent))


FUNCTIONS = {"activation": ACTIVATIONS, "output": OUTPUTS, "loss": LOSSES, "clip": CLIPS}
"""What `random_problem` takes by name, and the names."""


def random_problem(
    seed: int,
    *,
    activation: str = "tanh",
    output: str = "sigmoid",
    loss: str = "squared_error",
    clip: str = "none",
    eps: float = 0.05,
    hidden: tuple[int, ...] = (6,),
    samples: int = 7,
    features: int = 4,
    outputs: int = 3,
    precision: str = "float64",
    reduction: str = "sum",
    init_scale: float = 1.0,
    bias: str = "normal",
) -> tuple[Problem, list[Array]]:
    """Gaussian inputs, one-hot targets and normal weights, all drawn from `seed`."""
    generator = np.random.default_rng(seed)
    dtype = Precision(precision).dtype
    inputs = generator.standard_normal((samples, features)).astype(dtype)
    labels = generator.integers(0, outputs, samples)
    targets = np.eye(outputs)[labels] if outputs > 1 else generator.integers(0, 2, (samples, 1))
    problem = Problem(
        inputs,
        targets.astype(dtype),
        ACTIVATIONS[activation](),
        OUTPUTS[output](),
        LOSSES[loss](),
        CLIPS[clip](),
        eps,
        reduction,
    )
    return problem, initial_weights((features, *hidden, outputs), init_scale, bias, generator, dtype)


def relative(found: Array, right: Array) -> float:
    """Largest difference in units of the largest right value; 0 for two empty or equal arrays."""
    found, right = np.asarray(found), np.asarray(right)
    assert found.shape == right.shape
    assert np.array_equal(np.isnan(found), np.isnan(right))
    seen = np.where((found == right) | np.isnan(right), 0, found - right)
    size = np.abs(right[np.isfinite(right)]).max(initial=0)
    return float(np.abs(seen).max(initial=0) / (size or 1))
