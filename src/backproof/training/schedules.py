"""Learning rates that change while a network trains: an expression in the step's number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from backproof.network.arrays import Array, evenly_spaced
from backproof.network.formula import Formula

VARIABLES = ("step", "steps", "learning_rate")
"""The number of the step, from 0; how many there are; and the rate that is set."""

CONSTANT = "learning_rate"

MOST_STEPS = 100_000
"""So many steps of a schedule are looked at before anything runs; of more, evenly spaced ones."""


@lru_cache(maxsize=1 << 10)
def schedule_of(text: str) -> Formula:
    """The expression of a schedule.

    Raises:
        ValueError: in one line, if it is none.
    """
    return Formula(text, {}, VARIABLES)


def rates_of(text: str | None, learning_rate: float | None, steps: int) -> Array:
    """The learning rate of each step, (steps,) in float64; the same for all without an expression.

    A rate is computed in float64 whatever the precision of the network, so that it is the same for all.

    Raises:
        ValueError: in one line, if one of the rates is negative or no finite number.
    """
    return _rates(text, learning_rate, steps, np.arange(steps))


def _rates(text: str | None, learning_rate: float | None, steps: int, at: Array) -> Array:
    if text is None:
        return np.full(len(at), learning_rate, float)
    given = [np.array(float(value or 0)) for value in (steps, learning_rate)]
    rates = schedule_of(text).value()(at.astype(float), *given)
    wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
    if wrong.size:
        raise ValueError(
            f"'{text}' is {rates[wrong[0]]:g} at step {at[wrong[0]]}; a learning rate is a number ≥ 0"
        )
    return rates


def canonical_schedule(
    text: str | None, learning_rate: float | None, steps: int
) -> tuple[str | None, float | None]:
    """A schedule and a rate, with None for what makes no difference: a schedule that is the rate, and a rate
    that the schedule does not use.

    Raises:
        ValueError: in one line, if the schedule is no expression, or not a learning rate at every step.
    """
    if text is None:
        return None, learning_rate
    formula = schedule_of(text)
    _rates(text, learning_rate, steps, evenly_spaced(steps, MOST_STEPS))
    if formula.expression == formula.symbols[CONSTANT]:
        return None, learning_rate
    return " ".join(text.split()), learning_rate if CONSTANT in formula.used else None
