"""What cells are expected to take on one core: tasks are cut by it, and `plan` foretells with it.

The constants are fits to measurements on one machine. An expectation that is wrong by a factor costs
little: a task that is a little long, an estimate that is a little off; it never changes a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import cast

from backproof.sweeps import components
from backproof.sweeps.case import Case
from backproof.sweeps.settings import OFF, Value
from backproof.sweeps.subject import is_function

CELL = 0.3e-3
"""Seconds that a cell takes which is neither checked nor trained: its row, its way to a worker and back."""

PROBLEM, MOVE = 0.6e-3, 14e-9
"""A numeric gradient: once, and for each output, or unit on the way, of each pre-activation's five moves."""

VERDICT = 4e-3
"""A verdict with causes and its share of cures."""

FUNCTION = 1.0
"""A check of somebody else's function, of whose cost nothing is known."""

STEP, FLOPS = 0.1e-3, 28e9
"""A step of a training run, and multiplications and additions a second in matrix products."""

SLOWER = {"float16": 8.0, "longdouble": 12.0}
"""Precisions that no matrix library knows."""


def expected_seconds(cases: Sequence[Case]) -> float:
    """Seconds that cells take together that are equal in their numeric key."""
    s = cases[0].values
    seconds = CELL * len(cases)
    if is_function(s):
        return seconds + FUNCTION * len(cases)
    if s["check"] == OFF and s["training"] == OFF:
        return seconds
    rows, features, outputs = _sizes(tuple((k, v) for k, v in cases[0].settings if k.startswith("data")))
    widths = (features, *cast(tuple[int, ...], s["network.hidden"]), outputs)
    slower = SLOWER.get(str(s["precision"]), 1.0)
    if s["check"] != OFF:
        samples = min(cast(int, s["check.samples"]), rows)
        moved = sum(units * max(widths[i:], default=1) for i, units in enumerate(widths[1:], 2))
        seconds += PROBLEM + slower * 5 * MOVE * samples * moved + VERDICT * len(cases)
    if s["training"] != OFF:
        weights = sum(a * b for a, b in pairwise(widths))
        steps, batch = cast(int, s["training.steps"]), s["training.batch"]
        passes = 3 * steps * (rows if batch == "full" else min(cast(int, batch), rows))
        passes += rows * (steps // cast(int, s["training.every"]) + 1)
        seconds += len(cases) * (STEP * steps + slower * 2 * weights * passes / FLOPS)
    return seconds


@cache
def _sizes(data: tuple[tuple[str, Value], ...]) -> tuple[int, int, int]:
    """Samples, features and outputs, which no seed changes."""
    found = components.dataset({**dict(data), "seed": 0})
    return len(found.inputs), found.inputs.shape[1], found.targets.shape[1]
