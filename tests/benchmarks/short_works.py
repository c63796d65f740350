"""Short pieces of what backproof does, the same in every commit: what `history.py` counts and times.

Each is made by a function here, which prepares what the piece needs and returns the piece alone. They use
what is public, or what changes rarely, so that older commits can run them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from checks import NETS, ours, ours_screened

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
from backproof.verdicts.network import judge_network
from backproof.verdicts.view import view_of

Work = Callable[[], object]

SMALL, LARGE = NETS
MISMATCHED = replace(SMALL, loss="squared_error")

SEEDS = 4
CELL = {
    "subject": "network", "data": "gaussian", "network": "puzzle", "network.hidden": (16,),
    "output": "sigmoid", "loss": "binary_cross_entropy", "clip": "floor", "precision": "float64",
    "delta": "exact", "fault": "none", "check": "full", "check.samples": 16, "training": "none",
}  # fmt: skip


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
    small, large = SMALL.problem(), LARGE.problem()
    return {
        "full check, 20-100-10": ours(*small),
        "full check, 64-128-128-10": ours(*large),
        "screened check, 64-128-128-10": ours_screened(*large),
        "wrong rule with causes, 20-100-10": partial(wrong_rule, *MISMATCHED.problem()),
        "training, 8 networks, 20 steps": training(8, 20),
        f"{2 * SEEDS} checked small cells": cells(),
    }
