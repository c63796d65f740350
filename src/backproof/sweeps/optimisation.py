"""Optimisation over a store: trials that Optuna asks for are cells, and none is computed twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.errors import ConfigurationError
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.composition.spaces import OBJECTIVE, Dimension, Interval, Study
from backproof.sweeps.expressions import parse
from backproof.sweeps.listing import Cell
from backproof.sweeps.overrides import is_public
from backproof.sweeps.status import Status

if TYPE_CHECKING:
    import pandas as pd

Compose = Callable[[Sequence[Sequence[str]]], list[Cell]]
"""Makes one cell of each list of overrides."""


def require_optuna() -> None:
    """Refuse where Optuna is not installed.

    Raises:
        ConfigurationError: with what to install.
    """
    if find_spec("optuna") is None:
        raise ConfigurationError(
            "hydra/sweeper=optuna: needs Optuna, which is not installed; pip install 'backproof[optuna]'"
        )


@dataclass(frozen=True)
class Best:
    """The best trial: its number, the objective's value, and what it was given."""

    number: int
    value: float
    overrides: tuple[str, ...]
    command: str


@dataclass
class Optimisation:
    """A study while it is carried out.

    The sampler is seeded and told results in the order in which it asked, so that the same study asks for the
    same cells again, which are there then.

    Attributes:
        fixed: overrides of every trial.
        compose: makes one cell of each list of overrides.
        told: how many trials have been.
    """

    study: Study
    space: Mapping[str, Dimension]
    fixed: tuple[str, ...]
    compose: Compose
    told: int = 0
    best: Best | None = None
    _asked: list[tuple[Any, Cell, tuple[str, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = optuna.samplers
        made: dict[str, Callable[..., Any]] = {
            "tpe": samplers.TPESampler, "random": samplers.RandomSampler,
            "nsgaii": samplers.NSGAIISampler, "qmc": samplers.QMCSampler,
        }  # fmt: skip
        sampler = made[self.study.sampler](seed=self.study.seed)
        self._optuna = optuna.create_study(direction=self.study.direction, sampler=sampler)

    def ask(self) -> list[Cell]:
        """The cells of the next trials; none once all have been told."""
        count = min(self.study.at_once, self.study.trials - self.told)
        trials = [self._optuna.ask() for _ in range(count)]
        chosen = [tuple(f"{k}={_suggested(t, k, d)}" for k, d in self.space.items()) for t in trials]
        cells = self.compose([(*self.fixed, *each) for each in chosen]) if chosen else []
        self._asked = list(zip(trials, cells, chosen, strict=True))
        return cells

    def require_objective(self, cells: Sequence[Cell]) -> None:
        """Refuse an objective that names no column.

        Raises:
            ConfigurationError: naming the nearest right name.
        """
        settings = {key for cell in cells for key in cell.case.flat() if is_public(key)}
        parse(OBJECTIVE, self.study.objective, [*settings, *RESULTS])

    def tell(self, cells: pd.DataFrame) -> None:
        """Tell what became of the trials that were asked for, from the table of all cells."""
        objective = parse(OBJECTIVE, self.study.objective, cells.columns)
        there = np.where(cells["status"] == Status.OK, objective.numbers(cells), np.nan)
        values = dict(zip(cells["cell"], there.tolist(), strict=True))
        sign = 1 if self.study.direction == "minimize" else -1
        for trial, cell, chosen in self._asked:
            value = values[cell.case.id]
            if math.isfinite(value):
                self._optuna.tell(trial, value)
                if self.best is None or sign * value < sign * self.best.value:
                    self.best = Best(trial.number, value, chosen, cell.command)
            else:  # as of a cell that failed
                self._optuna.tell(trial, state=_failed())
            self.told += 1


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


def _suggested(trial: Any, key: str, dimension: Dimension) -> str:
    """A trial's value of a key, as an override writes it."""
    if not isinstance(dimension, Interval):
        return str(trial.suggest_categorical(key, dimension))
    if dimension.step is not None:
        low, high = int(dimension.low), int(dimension.high)
        return str(trial.suggest_int(key, low, high, step=dimension.step, log=dimension.log))
    return repr(float(trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log)))
