"""A full check of every parameter, beside the gradient checkers people use.

backproof's side is the whole check: forward pass, budgets, kinks, a derivative by differences for every
parameter, and the verdict; with five-point differences of the pre-activations, its default, and with central
differences of every weight. The peers' sides are told in their functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rounds import alternate, heading, line, ratios, shown
from threadpoolctl import threadpool_limits

from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.stencils import Scheme
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array
from backproof.network.clips import CLIPS
from backproof.network.faults import FAULTS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.verdicts.comparison import RESOLUTION
from backproof.verdicts.network import NetworkTarget, judge_network
from backproof.verdicts.network_screening import screened_network
from backproof.verdicts.view import evaluated_at, view_of

SCREENED = "backproof, check=screened"
OURS, OURS_CENTRAL = "backproof", "backproof, scheme=central"
STEP = 2.0**-17


@dataclass(frozen=True)
class Net:
    """A network to be checked, and by how much the peers must be slower."""

    widths: tuple[int, ...]
    activation: str
    output: str
    loss: str
    samples: int
    wanted: dict[str, float]

    @property
    def name(self) -> str:
        widths = "-".join(map(str, self.widths))
        return f"{widths} {self.activation} + {self.output}, {self.samples} samples"

    def problem(self) -> tuple[Problem, list[Array]]:
        """Gaussian inputs, one-hot targets, the mean over samples as every peer has it."""
        draw = np.random.default_rng(1)
        inputs = draw.standard_normal((self.samples, self.widths[0]))
        targets = np.eye(self.widths[-1])[draw.integers(0, self.widths[-1], self.samples)]
        parts = ACTIVATIONS[self.activation](), OUTPUTS[self.output](), LOSSES[self.loss](), CLIPS["none"]()
        problem = Problem(inputs, targets, *parts, reduction="sample_mean")
        return problem, initial_weights(self.widths, 1.0, "zero", draw, np.float64)


TORCH_SLOW, TORCH_FAST = "torch gradcheck", "torch gradcheck, fast mode"
JAX, JAX_ONE, SCIPY = "JAX, compiled and batched", "jax.test_util.check_grads", "SciPy 3-point"

NETS = (
    Net((20, 100, 10), "relu", "sigmoid", "binary_cross_entropy", 64, {TORCH_SLOW: 40, JAX: 4}),
    Net(
        (64, 128, 128, 10),
        "tanh",
        "softmax",
        "categorical_cross_entropy",
        32,
        {TORCH_SLOW: 40, JAX: 12, SCIPY: 20},
    ),
)


def ours(problem: Problem, weights: list[Array], scheme: Scheme = Scheme.FIVE_POINT) -> Callable[[], object]:
    """The whole check; it must say that the right gradient agrees."""

    def check() -> None:
        verdict = judge_network(BackwardRule(), view_of(problem, weights, scheme=scheme)).verdict
        assert verdict == "agrees", verdict

    return check


def ours_screened(problem: Problem, weights: list[Array]) -> Callable[[], object]:
    """A check along random directions, which must say that the right gradient agrees."""

    def check() -> None:
        found = screened_network(NetworkTarget(BackwardRule(), evaluated_at(problem, weights)), seed=0)
        assert found is not None
        assert found.resolution <= RESOLUTION

    return check


def with_torch(net: Net, problem: Problem, weights: list[Array], *, fast: bool) -> Callable[[], object]:
    """torch.autograd.gradcheck with its own settings; the fast mode looks in one random direction."""
    import torch
    from torch.nn import functional

    inputs, targets = torch.tensor(problem.inputs), torch.tensor(problem.targets)
    tensors = [torch.tensor(part, requires_grad=True) for w in weights for part in (w[:, :-1], w[:, -1])]
    activation = {"relu": torch.relu, "tanh": torch.tanh}[net.activation]

    def loss(*parts):
        a = inputs
        for layer in range(len(weights)):
            z = functional.linear(a, parts[2 * layer], parts[2 * layer + 1])
            a = activation(z)
        if net.output == "sigmoid":
            sum_ = functional.binary_cross_entropy(torch.sigmoid(z), targets, reduction="sum")
            return sum_ / len(inputs)
        return functional.cross_entropy(z, targets)

    def check() -> None:
        assert torch.autograd.gradcheck(loss, tensors, fast_mode=fast, raise_exception=False)

    return check


def with_jax(net: Net, problem: Problem, weights: list[Array]) -> tuple[Callable[[], object], ...]:
    """Central differences of a compiled loss, batched by vmap over as many parameters as is fastest here.

    And jax.test_util.check_grads, which looks in one random direction.
    """
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    inputs, targets = jnp.asarray(problem.inputs), jnp.asarray(problem.targets)
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[net.activation]
    cuts = np.cumsum([w.size for w in weights])[:-1]

    def loss(flat):
        a = inputs
        for part, w in zip(jnp.split(flat, cuts), weights, strict=True):
            w = part.reshape(w.shape)
            z = a @ w[:, :-1].T + w[:, -1]
            a = activation(z)
        if net.output == "sigmoid":
            y = jax.nn.sigmoid(z)
            return -(targets * jnp.log(y) + (1 - targets) * jnp.log(1 - y)).sum() / len(inputs)
        return -(targets * jax.nn.log_softmax(z)).sum() / len(inputs)

    flat = jnp.concatenate([jnp.asarray(w).ravel() for w in weights])
    gradient = jax.jit(jax.grad(loss))

    def differences(at_once: int) -> Callable[[], object]:
        def one(i):
            e = jnp.zeros_like(flat).at[i].set(STEP)
            return (loss(flat + e) - loss(flat - e)) / (2 * STEP)

        run = jax.jit(lambda: jax.lax.map(one, jnp.arange(len(flat)), batch_size=at_once))

        def check() -> None:
            assert np.allclose(run(), gradient(flat), rtol=1e-3, atol=1e-5)

        return check

    sizes = {str(n): differences(n) for n in (16, 64, 256)}
    times = alternate(sizes, 1)
    best = min(sizes, key=lambda n: times[n][0])
    return sizes[best], lambda: check_grads(loss, (flat,), order=1, modes=["rev"], rtol=1e-3, atol=1e-3)


def with_scipy(net: Net, problem: Problem, weights: list[Array]) -> Callable[[], object]:
    """approx_derivative by the 3-point rule over a plain NumPy loss, the one behind SciPy's optimisers."""
    from scipy.optimize._numdiff import approx_derivative

    cuts = np.cumsum([w.size for w in weights])[:-1]
    right = np.concatenate(
        [g.ravel() for g in BackwardRule().gradient(problem, problem.forward(weights), weights)]
    )
    activation = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}[net.activation]

    def loss(flat: Array) -> float:
        a = problem.inputs
        for part, w in zip(np.split(flat, cuts), weights, strict=True):
            w = part.reshape(w.shape)
            z = a @ w[:, :-1].T + w[:, -1]
            a = activation(z)
        if net.output == "sigmoid":
            y = 1 / (1 + np.exp(-z))
            terms = problem.targets * np.log(y) + (1 - problem.targets) * np.log(1 - y)
        else:
            terms = problem.targets * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))
        return float(-terms.sum() / len(a))

    flat = np.concatenate([w.ravel() for w in weights])

    def check() -> None:
        assert np.allclose(approx_derivative(loss, flat, method="3-point"), right, rtol=1e-3, atol=1e-5)

    return check


def against_peers(rounds: int) -> None:
    """Both networks, backproof on one core, the peers with as many threads as they take."""
    heading("Full check, every parameter, float64: how many times slower than backproof")
    for net in NETS:
        problem, weights = net.problem()
        jax_all, jax_one = with_jax(net, problem, weights)
        works = {
            OURS: ours(problem, weights),
            OURS_CENTRAL: ours(problem, weights, Scheme.CENTRAL),
            TORCH_SLOW: with_torch(net, problem, weights, fast=False),
            TORCH_FAST: with_torch(net, problem, weights, fast=True),
            JAX: jax_all,
            JAX_ONE: jax_one,
            SCIPY: with_scipy(net, problem, weights),
        }
        times = alternate(works, rounds)
        for name in works:
            wanted = net.wanted.get(name)
            asked = f"at least {wanted:g}" if wanted else ""
            line(net.name, name, times[name], ratios(times, name, OURS), asked)


def screens(rounds: int) -> None:
    """The check along random directions beside the checkers that look in one."""
    heading("Screened check, float64, one core: how many times slower than backproof")
    for net in NETS:
        problem, weights = net.problem()
        works = {
            SCREENED: ours_screened(problem, weights),
            TORCH_FAST: with_torch(net, problem, weights, fast=True),
        }
        times = alternate(works, 20 * rounds)
        for name in works:
            asked = "at least 1.5" if name == TORCH_FAST else ""
            line(net.name, name, times[name], ratios(times, name, SCREENED), asked)


def many_rules(rounds: int) -> None:
    """Twenty backward rules of one problem beside one: the numeric gradient is shared."""
    heading("Twenty backward rules of one problem, beside one rule")
    rules = [BackwardRule(fault=fault) for fault in list(FAULTS.records())[:20]]
    for net in NETS:
        problem, weights = net.problem()
        for scheme in (Scheme.FIVE_POINT, Scheme.CENTRAL):

            def check(
                count: int,
                problem: Problem = problem,
                weights: list[Array] = weights,
                scheme: Scheme = scheme,
            ) -> None:
                view = view_of(problem, weights, scheme=scheme)
                for rule in rules[:count]:
                    judge_network(rule, view)

            times = alternate({"one": lambda c=check: c(1), "twenty": lambda c=check: c(20)}, rounds)
            ratio = ratios(times, "twenty", "one")
            line(net.name, f"20 rules, {scheme.name}", times["twenty"], ratio, "at most 1.5")


def against_the_machine(rounds: int) -> None:
    """The check beside a loop that evaluates as many activations and losses on arrays in cache."""
    heading("The check beside its activations and losses alone, arrays in cache, one core")
    for net in NETS:
        problem, weights = net.problem()
        for scheme in (Scheme.FIVE_POINT, Scheme.CENTRAL):
            alone = bare(problem, evaluations(problem, weights, scheme))
            check = ours(problem, weights, scheme)
            times = alternate({OURS: check, "alone": alone}, rounds)
            ratio = ratios(times, OURS, "alone")
            line(net.name, f"evaluations of {scheme.name} alone", times["alone"], ratio, "at most 2")


def evaluations(problem: Problem, weights: list[Array], scheme: Scheme) -> tuple[int, int]:
    """How many hidden activations and how many outputs, with a loss term each, a check evaluates."""
    counts = {"hidden": 0, "outputs": 0}

    class Counting(PerturbedLoss):
        def _change(self, layer, sample, unit, z):
            counts["hidden"] += z.size
            return super()._change(layer, sample, unit, z)

        def at_output(self, layer, sample, unit, change, sides=None):
            counts["hidden"] += change.size * sum(len(w) for w in self.weights[layer + 1 : -1])
            return super().at_output(layer, sample, unit, change, sides)

        def _at_end(self, z, targets, sides):
            counts["outputs"] += z.size
            return super()._at_end(z, targets, sides)

    from backproof.estimates import incremental

    plain = incremental.PerturbedLoss
    incremental.PerturbedLoss = Counting
    try:
        numerical_gradient(problem, weights, scheme=scheme)
    finally:
        incremental.PerturbedLoss = plain
    return counts["hidden"], counts["outputs"]


def bare(problem: Problem, counts: tuple[int, int]) -> Callable[[], object]:
    """Activations and loss terms of as many numbers, over and over on 128 KiB."""
    hidden, outputs = counts
    draw, m = np.random.default_rng(2), problem.targets.shape[1]
    z = draw.standard_normal(1 << 14)
    rows = draw.standard_normal((m, (1 << 14) // m)).T
    targets = np.eye(m)[draw.integers(0, m, len(rows))].T.copy().T

    def run() -> None:
        with np.errstate(all="ignore"):
            for _ in range(hidden // z.size):
                problem.activation.value(z)
            for _ in range(outputs // rows.size):
                problem.loss.terms(problem.output.value(rows), targets, problem.clip, problem.eps)

    return run


def growth(rounds: int) -> None:
    """How the time of a check grows with the hidden width."""
    heading("20-width-10 ReLU + sigmoid, 64 samples: time of a check as the hidden layer grows")
    widths = (100, 200, 400, 800, 1600)
    works = {}
    for width in widths:
        problem, weights = Net((20, width, 10), "relu", "sigmoid", "binary_cross_entropy", 64, {}).problem()
        works[str(width)] = lambda p=problem, w=weights: judge_network(BackwardRule(), view_of(p, w))
    times = alternate(works, rounds)
    exponents = [np.polyfit(np.log(widths), np.log(row), 1)[0] for row in zip(*times.values(), strict=True)]
    for width in widths:
        print(f"{width:6} units {shown([1000 * t for t in times[str(width)]]):>30} ms")
    print(f"exponent {shown(exponents)}   at most 1.15", flush=True)


def main(rounds: int) -> None:
    with threadpool_limits(1, user_api="blas"):
        screens(rounds)
        against_peers(rounds)
        many_rules(rounds)
        against_the_machine(rounds)
        growth(rounds)
