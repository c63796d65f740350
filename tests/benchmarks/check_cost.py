"""What budgets, kinks, causes and a verdict cost beside the differences themselves.

    python tests/benchmarks/check_cost.py

Three times for each case, medians over rounds that alternate them: the plain central differences of
all parameters, incrementally and with no bookkeeping at all; the numeric gradient with budgets and kinks,
by five-point differences of the pre-activations; and the same with the verdict on a wrong one, its causes
located. For float32 the last holds a second numeric gradient, in double precision. `naive` is 2P forward
passes.
"""

from __future__ import annotations

import statistics

import numpy as np
from rounds import alternate, ratios, seconds, shown
from threadpoolctl import threadpool_limits

from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.moves import totals_of_units
from backproof.estimates.naive import naive_gradient
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.steps import best_step
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.targets.network import in_precision
from backproof.verdicts.network import judge_network
from backproof.verdicts.view import view_of

ROUNDS = 5
CASES = {
    "64-100-10 relu, sigmoid, binary_cross_entropy": (
        (64, 100, 10), "relu", "sigmoid", "binary_cross_entropy", "float64",
    ),
    "64-100-10 relu, relu, binary_cross_entropy": (
        (64, 100, 10), "relu", "relu", "binary_cross_entropy", "float64",
    ),
    "64-128-128-10 tanh, softmax, categorical": (
        (64, 128, 128, 10), "tanh", "softmax", "categorical_cross_entropy", "float64",
    ),
    "20-32-32-32-3 elu, identity, squared_error": (
        (20, 32, 32, 32, 3), "elu", "identity", "squared_error", "float64",
    ),
    "64-100-10 tanh, sigmoid, binary_cross_entropy, float32": (
        (64, 100, 10), "tanh", "sigmoid", "binary_cross_entropy", "float32",
    ),
}  # fmt: skip


def problem_of(widths, activation, output, loss, precision):
    """Gaussian inputs in 16 samples, one-hot targets."""
    draw, dtype = np.random.default_rng(1), Precision(precision).dtype
    inputs = np.abs(draw.standard_normal((16, widths[0]))).astype(dtype)
    targets = np.eye(widths[-1])[draw.integers(0, widths[-1], 16)].astype(dtype)
    parts = ACTIVATIONS[activation](), OUTPUTS[output](), LOSSES[loss](), CLIPS["floor"]()
    return Problem(inputs, targets, *parts, 1e-7), initial_weights(widths, 1.0, "normal", draw, dtype)


def plain(problem, weights):
    """Central differences of every parameter with one step, and nothing else."""
    loss, h = PerturbedLoss(problem, weights, problem.forward(weights)), best_step(problem.inputs.dtype)
    gradients = []
    for layer, w in enumerate(weights):
        step = np.full(w.shape, h, w.dtype)
        total = totals_of_units(loss, layer, np.arange(len(w)), step, -step)
        gradients.append(total / (2 * h))
    return gradients


def checked(problem, weights):
    """The verdict on y − t, with all its evidence, as a sweep's cell computes it."""
    own = view_of(problem, weights)
    low = problem.inputs.dtype == np.float32
    reference = view_of(*in_precision(problem, weights, np.float64)) if low else None
    return judge_network(BackwardRule(DELTAS["y_minus_t"]()), own, reference)


def main():
    headings = "".join(f"{h:>10}" for h in ("parameters", "plain", "budgets", "verdict", "naive"))
    print(f"{'case':46}{headings}  verdict / plain")
    for name, given in CASES.items():
        problem, weights = problem_of(*given)
        works = {
            work.__name__: lambda work=work, p=problem, w=weights: work(p, w)
            for work in (plain, numerical_gradient, checked)
        }
        times = alternate(works, ROUNDS)
        middle = [statistics.median(each) for each in times.values()]
        steps = [np.full(w.shape, best_step(w.dtype), w.dtype) for w in weights]
        naive = seconds(lambda p=problem, w=weights, s=steps: naive_gradient(p, w, s))
        count = sum(w.size for w in weights)
        columns = "".join(f"{1000 * t:8.1f}ms" for t in (*middle, naive))
        print(f"{name:46}{count:10,}{columns}  {shown(ratios(times, 'checked', 'plain'), 2)}")


if __name__ == "__main__":
    with threadpool_limits(1), np.errstate(all="ignore"):
        main()
