"""Short pieces of what backproof does, the same in every commit: what `history.py` counts and times.

Each is made by a function here, which prepares what the piece needs and returns the piece alone. They use
what is public, or what changes rarely, so that older commits can run them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.training import Plan, Samples, train
from backproof.training.optimisers import OPTIMISERS
from backproof.verdicts.network import NetworkTarget, judge_network
from backproof.verdicts.network_screening import screened_network
from backproof.verdicts.view import evaluated_at, view_of

Work = Callable[[], object]

SMALL = (20, 100, 10), ("relu", "sigmoid", "binary_cross_entropy"), 64
MISMATCHED = (20, 100, 10), ("relu", "sigmoid", "squared_error"), 64
LARGE = (64, 128, 128, 10), ("tanh", "softmax", "categorical_cross_entropy"), 32

SEEDS = 4
CELL = {
    "subject": "network", "data": "gaussian", "network": "puzzle", "network.hidden": (16,),
    "output": "sigmoid", "loss": "binary_cross_entropy", "clip": "floor", "precision": "float64",
    "delta": "exact", "fault": "none", "check": "full", "check.samples": 16, "training": "none",
}  # fmt: skip


def problem_of(
    widths: tuple[int, ...], parts: tuple[str, str, str], samples: int
) -> tuple[Problem, list[Array]]:
    """Gaussian inputs, one-hot targets."""
    draw = np.random.default_rng(1)
    inputs = draw.standard_normal((samples, widths[0]))
    targets = np.eye(widths[-1])[draw.integers(0, widths[-1], samples)]
    activation, output, loss = parts
    chosen = ACTIVATIONS[activation](), OUTPUTS[output](), LOSSES[loss](), CLIPS["none"]()
    problem = Problem(inputs, targets, *chosen, reduction="sample_mean")
    return problem, initial_weights(widths, 1.0, "zero", draw, np.float64)


def full_check(problem: Problem, weights: list[Array]) -> None:
    """Every parameter of the right rule."""
    verdict = judge_network(BackwardRule(), view_of(problem, weights)).verdict
    assert verdict == "agrees", verdict


def screened_check(problem: Problem, weights: list[Array]) -> None:
    """The right rule along random directions."""
    found = screened_network(NetworkTarget(BackwardRule(), evaluated_at(problem, weights)), seed=0)
    assert found is not None


def wrong_rule(problem: Problem, weights: list[Array]) -> None:
    """y − t where it is not the derivative, with its causes."""
    judged = judge_network(BackwardRule(delta=DELTAS["y_minus_t"]()), view_of(problem, weights))
    assert judged.verdict == "incorrect gradient", judged.verdict


def training(replicates: int, steps: int) -> Work:
    """A 64-32-10 network on the digits, in mini-batches of 64."""
    from backproof.data.digits import digits

    data = digits().draw(np.random.default_rng(0))
    widths = (data.inputs.shape[1], 32, data.targets.shape[1])
    parts = (
        ACTIVATIONS["relu"](),
        OUTPUTS["softmax"](),
        LOSSES["categorical_cross_entropy"](),
        CLIPS["none"](),
    )
    eps = np.zeros((replicates, 1, 1))
    template = Problem(data.inputs, data.targets, *parts, eps, reduction="sample_mean")
    plan = Plan(OPTIMISERS["sgd"](), np.full((steps, replicates), 0.1), steps, 64, 10, 0.9)
    few = data.inputs[:64], data.targets[:64]
    samples = [Samples(data.inputs, data.targets, *few, *few)] * replicates
    starts = [
        initial_weights(widths, 1.0, "zero", np.random.default_rng(k), np.float64) for k in range(replicates)
    ]
    stacked = [np.stack(layer) for layer in zip(*starts, strict=True)]

    def run() -> None:
        generators = [np.random.default_rng(k) for k in range(replicates)]
        runs = train(template, stacked, BackwardRule(), plan, samples, generators)
        assert max(r.final_loss for r in runs) < runs[0].curves["loss"][1][0]

    return run


def cells() -> Work:
    """A sweep's cells, computed and stored; without composition, workers and report."""
    from backproof.sweeps.canonical import case_of
    from backproof.sweeps.listing import Cell
    from backproof.sweeps.store import Store
    from backproof.sweeps.work import compute

    settings = ({**CELL, "activation": a, "seed": k} for a in ("relu", "tanh") for k in range(SEEDS))
    made = [Cell(case_of(each), ()) for each in settings]

    def run() -> None:
        with TemporaryDirectory() as folder, Store(Path(folder)) as store:
            store.announce(made)
            store.add(compute([cell.case for cell in made]))
            assert store.pending() == 0

    return run


def works() -> dict[str, Work]:
    """Every piece by its name, prepared."""
    small, large = problem_of(*SMALL), problem_of(*LARGE)
    return {
        "full check, 20-100-10": partial(full_check, *small),
        "full check, 64-128-128-10": partial(full_check, *large),
        "screened check, 64-128-128-10": partial(screened_check, *large),
        "wrong rule with causes, 20-100-10": partial(wrong_rule, *problem_of(*MISMATCHED)),
        "training, 8 networks, 20 steps": training(8, 20),
        f"{2 * SEEDS} checked small cells": cells(),
    }
