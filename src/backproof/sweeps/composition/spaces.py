"""A search space from overrides, in the syntax of Hydra's sweepers that optimise.

`tag(log, interval(1e-16, 1e-1))`, `interval(1, 9)`, `range(1, 9)`, `choice(a, b)` and `a,b` are dimensions of
it; all other overrides hold for every trial. Settings of the study are `hydra.sweeper.…` and `optimize=…`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.composition.composer import Composer
from backproof.sweeps.composition.sorting import parsed, values_of
from backproof.sweeps.overrides import shown

SWEEPER, OBJECTIVE = "hydra/sweeper", "optimize"
SAMPLER = "hydra/sweeper/sampler"

SAMPLERS = ("tpe", "random", "nsgaii", "qmc")
DIRECTIONS = ("minimize", "maximize")
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Interval:
    """Numbers from low to high, both included; `log`: evenly in their logarithm; `step`: of whole numbers."""

    low: float
    high: float
    log: bool = False
    step: int | None = None


Dimension = Interval | tuple[str, ...]
"""What a key may be: a number of an interval, or one of several values as an override writes them."""


@dataclass(frozen=True)
class Study:
    """What is optimised, and how.

    Attributes:
        objective: a column, or an expression over columns.
        trials: how many; `at_once` of them are asked for, then computed together.
        seed: of the sampler.
    """

    objective: str
    direction: Direction = "minimize"
    trials: int = 20
    at_once: int = 1
    sampler: str = "tpe"
    seed: int = 0


def study_of(overrides: Sequence[str]) -> tuple[Study, tuple[str, ...]]:
    """The study that overrides ask for, and the rest of them.

    Raises:
        ConfigurationError: naming the setting that is wrong.
    """
    found: dict[str, object] = {}
    rest = []
    for line, override in zip(overrides, parsed(overrides), strict=True):
        key = override.key_or_group
        if key == SWEEPER:
            continue
        if key.startswith(("hydra/launcher", "hydra.launcher")):
            raise ConfigurationError(
                f"{key}: {SWEEPER}=optuna runs on an engine of ours; engine=… chooses it"
            )
        if key == OBJECTIVE or key.startswith(("hydra.sweeper.", SAMPLER)):
            found[key] = override.value()
        else:
            rest.append(line)
    given = {name: found.pop(key) for key, name in _KEYS.items() if key in found}
    for key in found:
        raise ConfigurationError(f"{key}: unknown{nearest(key, _KEYS)}")
    if "objective" not in given:
        raise ConfigurationError(f"{OBJECTIVE}: is missing; it names a column, as {OBJECTIVE}=gradient_error")
    return Study(**{name: _checked(name, value) for name, value in given.items()}), tuple(rest)  # type: ignore[arg-type]


_KEYS = {
    OBJECTIVE: "objective",
    "hydra.sweeper.direction": "direction",
    "hydra.sweeper.n_trials": "trials",
    "hydra.sweeper.n_jobs": "at_once",
    "hydra.sweeper.sampler.seed": "seed",
    SAMPLER: "sampler",
}


def _checked(name: str, value: object) -> object:
    key = next(k for k, n in _KEYS.items() if n == name)
    allowed = {"direction": DIRECTIONS, "sampler": SAMPLERS}.get(name)
    if allowed and value not in allowed:
        raise ConfigurationError(f"{key}: must be one of {', '.join(allowed)}; not {value}")
    if name in ("trials", "at_once", "seed"):
        least = 0 if name == "seed" else 1
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**32:
            raise ConfigurationError(f"{key}: must be a whole number ≥ {least}; not {value}")
        return value
    return str(value)


def space_of(
    overrides: Sequence[Override], composer: Composer
) -> tuple[dict[str, Dimension], tuple[str, ...]]:
    """The dimensions of the search space by their keys, and the overrides that hold for every trial.

    Raises:
        ConfigurationError: if there is none, or an interval is empty.
    """
    space: dict[str, Dimension] = {}
    fixed = []
    for override in overrides:
        if override.is_sweep_override():
            space[str(override.get_key_element())] = _dimension(override, composer)
        else:
            fixed.append(str(override.input_line))
    if not space:
        raise ConfigurationError(
            f"{SWEEPER}=optuna: needs something to vary, as clip.eps=tag(log,interval(1e-16,1e-1))"
        )
    return space, tuple(fixed)


def _dimension(override: Override, composer: Composer) -> Dimension:
    value, key = override.value(), override.key_or_group
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if low is None or high is None or not -math.inf < low < high < math.inf:
            raise ConfigurationError(
                f"{key}: an interval needs two numbers, the lower first; not {low}, {high}"
            )
        log, whole = "log" in value.tags, isinstance(low, int) and isinstance(high, int)
        if log and low <= 0:
            raise ConfigurationError(f"{key}: an interval of logarithms needs numbers > 0; not {low}")
        return Interval(low, high, log, 1 if whole else None)
    values = tuple(values_of(override, composer))
    if isinstance(value, RangeSweep) and not value.shuffle and len(values) > 1:
        numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
        if len(numbers) == len(values) and numbers[1] > numbers[0]:
            return Interval(numbers[0], numbers[-1], step=numbers[1] - numbers[0])
    return tuple(dict.fromkeys(map(shown, values)))
