"""The budget on many random cases: never exceeded by the exact gradient, and not slack either."""

from functools import cache

import numpy as np
import pytest
from layers import layers_of
from oracles import random_problem

from backproof.estimates.incremental import numerical_gradient
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.losses import LOSSES, Reduction
from backproof.network.outputs import OUTPUTS
from backproof.network.rules import BackwardRule

CASES = 160
"""A precision; each with an activation, output, loss, clip and depth of its own."""


def case_of(number, precision):
    """The number-th random case: every table is walked through, everything else is drawn."""
    draw = np.random.default_rng([number, 77])
    return random_problem(
        number,
        activation=list(ACTIVATIONS)[number % len(ACTIVATIONS)],
        output=list(OUTPUTS)[number % len(OUTPUTS)],
        loss=list(LOSSES)[number % len(LOSSES)],
        clip=list(CLIPS)[(number // len(LOSSES)) % len(CLIPS)],
        eps=float(draw.choice([1e-7, 1e-2, 0.1])),
        hidden=tuple(int(n) for n in draw.integers(1, 12, number % 4)),
        samples=int(draw.integers(1, 20)),
        features=int(draw.integers(1, 8)),
        outputs=int(draw.integers(1, 6)),
        init_scale=float(draw.choice([0.3, 1.0, 2.0])),
        bias=str(draw.choice(["zero", "normal"])),
        reduction=str(draw.choice(list(Reduction))),
        precision=precision,
    )


def smooth_ratios(layer, a):
    """|analytic − numeric| / budget of the parameters of a layer that no kink is near, where they differ."""
    gap = np.abs(a.astype(layer.value.dtype) - layer.value)
    smooth = ~(layer.crossed | layer.touched) & (gap > 0) & np.isfinite(gap)
    with np.errstate(divide="ignore"):
        return (gap[smooth] / layer.bound[smooth]).astype(float)


@cache
def ratios(precision):
    """|analytic − numeric| / budget of every parameter of every case that no kink is near; and the misses."""
    found, misses = [], []
    for number in range(CASES):
        problem, weights = case_of(number, precision)
        numeric = numerical_gradient(problem, weights)
        if numeric is None:
            continue
        exact = BackwardRule().gradient(problem, problem.forward(weights), weights)
        for depth, (layer, a) in enumerate(zip(layers_of(numeric, weights), exact, strict=True), 1):
            ratio = smooth_ratios(layer, a)
            found.append(ratio)
            if not (ratio <= 1).all():
                names = problem.activation.name, problem.output.name, problem.loss.name, problem.clip.name
                misses.append((number, depth, *names, float(np.nanmax(ratio))))
    return np.concatenate(found), misses


@pytest.mark.parametrize("precision", Precision)
def test_the_exact_gradient_never_exceeds_the_budget(precision):
    ratio, misses = ratios(precision)
    assert ratio.size > 1000
    assert misses == []


@pytest.mark.parametrize("precision", Precision)
def test_the_budget_is_not_slack(precision):
    median, largest = np.median(ratios(precision)[0]), ratios(precision)[0].max()
    print(f"{precision}: median |a - n| / budget {median:.2g}, largest {largest:.2g}")
    assert median > 1e-5
    assert largest > 0.01


@pytest.mark.parametrize("precision", ["float64", "longdouble"])
def test_a_gradient_wrong_by_one_in_a_thousand_exceeds_it(precision):
    refused = 0
    for number in range(0, CASES, 5):
        problem, weights = case_of(number, precision)
        numeric = numerical_gradient(problem, weights)
        if numeric is None:
            continue
        exact = BackwardRule().gradient(problem, problem.forward(weights), weights)
        gaps = [
            np.abs(a * a.dtype.type(1.001) - n.value) > n.bound
            for a, n in zip(exact, layers_of(numeric, weights), strict=True)
        ]
        if any(a.any() for a in exact):
            assert any(gap.any() for gap in gaps)
            refused += 1
    assert refused > 8
