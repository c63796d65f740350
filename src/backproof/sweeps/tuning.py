"""Tuning: one value of an axis, such as the learning rate, chosen for each setting by validation.

A setting is what the cells have in common that are equal in everything but the axis and the seed. Of its
values the best one on the mean over seeds is chosen, and where that lies at an end of its values, further
ones are tried beyond it. All of it follows from the table of the cells that are there, so that a sweep that
was interrupted goes on where it stopped, and a report finds the choices in what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.experiment import tune_entry
from backproof.sweeps.overrides import OFF, REPLICATE, is_axis
from backproof.sweeps.refinement import Key, Number, row_keys
from backproof.sweeps.status import Status

if TYPE_CHECKING:  # pandas takes a quarter of a second to import, and most experiments tune nothing
    import pandas as pd

ACCURACY, LOSS = "validation_accuracy", "validation_loss"

MEASURES = (ACCURACY, LOSS)
"""What a value may be chosen by."""

ROUNDS = 3
"""How often the values are extended on either side, unless it is given."""

DIGITS = 6
"""Significant digits of a value that extends a grid: 0.3 · (0.3 / 0.1) is 0.9 and not 0.8999999999999999."""


@dataclass(frozen=True)
class Tuning:
    """What is tuned, by which measure, and how often its grid is extended on either side."""

    axis: str
    by: str = ACCURACY
    rounds: int = ROUNDS


@dataclass(frozen=True)
class Score:
    """How good a value is: means over seeds. A run that failed or diverged counts as the worst there is."""

    accuracy: float
    loss: float

    def rank(self, by: str, value: Number) -> tuple[float, ...]:
        """What it is ordered by, the best first: the measure, then the loss, then the smaller value."""
        return (self.loss, value) if by == LOSS else (-self.accuracy, self.loss, value)


@dataclass(frozen=True)
class Chosen:
    """The choice of one setting.

    Attributes:
        value: the best one; None while cells of the setting are still to come.
        cells: the ids of its cells by value.
        at_edge: whether no value was tried beyond the best one, on one side.
    """

    value: Number | None
    cells: Mapping[Number, tuple[str, ...]]

    @property
    def values(self) -> list[Number]:
        """All that were tried, in order."""
        return sorted(self.cells)

    @property
    def at_edge(self) -> bool:
        """Whether the best value is the least or the greatest of several."""
        values = self.values
        return len(values) > 1 and self.value in (values[0], values[-1])

    def beyond(self) -> Number | None:
        """The next value beyond the best one, by the grid's own factor there; None unless it is at an end."""
        values = self.values
        if not self.at_edge:
            return None
        last, inner = (values[0], values[1]) if self.value == values[0] else (values[-1], values[-2])
        found = float(f"{last * (last / inner):.{DIGITS}g}")
        return found if 0 < found < math.inf and found not in values else None


def tuning_of(given: Mapping[str, object], cells: pd.DataFrame) -> Tuning:
    """What an experiment's `tune` asks for, in the table of its cells, computed or not.

    Raises:
        ConfigurationError: naming the key and the nearest right name.
    """
    axis, by, rounds = given.get("axis"), given.get("by", ACCURACY), given.get("rounds", ROUNDS)
    names = [str(c) for c in cells.columns if is_axis(str(c))]
    if axis not in names or axis == REPLICATE:
        raise ConfigurationError(f"tune.axis: unknown axis {axis}{nearest(str(axis), names)}")
    if by not in MEASURES:
        hint = nearest(str(by), MEASURES)
        raise ConfigurationError(f"tune.by: must be one of {', '.join(MEASURES)}; not {by!r}{hint}")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 0 <= rounds <= 10:
        raise ConfigurationError(f"tune.rounds: must be a whole number from 0 to 10; not {rounds!r}")
    tuning = Tuning(str(axis), str(by), rounds)
    values = _concerned(tuning, cells)[tuning.axis]
    if values.dtype.kind not in "iuf" or not (values > 0).all():
        raise ConfigurationError(f"tune.axis: must be an axis of numbers > 0; {axis} has others")
    if not any(len(each.cells) > 1 for each in choices_of(tuning, cells)):
        raise ConfigurationError(f"tune.axis: {axis} needs two values or more for one setting, with training")
    return tuning


def choices_of(tuning: Tuning, cells: pd.DataFrame) -> list[Chosen]:
    """The choice of each setting, in the order of the table; cells that train nothing belong to none."""
    there = _concerned(tuning, cells)
    settings: dict[Key, dict[Number, list[_Run]]] = {}
    for key, run in zip(row_keys(there, tuning.axis, REPLICATE), _runs(tuning, there), strict=True):
        settings.setdefault(key, {}).setdefault(run.value, []).append(run)
    return [_chosen(tuning, runs) for runs in settings.values()]


@dataclass(frozen=True)
class _Run:
    """A cell of a setting."""

    value: Number
    cell: str
    status: str
    accuracy: float
    loss: float


def _concerned(tuning: Tuning, cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that are tuned: those that have the axis and train."""
    trained = cells["training"].notna() & (cells["training"] != OFF) if "training" in cells else False
    return cells[cells[tuning.axis].notna() & (cells["status"] != Status.EXCLUDED) & trained]


def _runs(tuning: Tuning, cells: pd.DataFrame) -> Iterator[_Run]:
    """The runs of cells; one that failed, diverged or came to no number is the worst there is."""
    numbers = [cells[name].to_numpy(float, na_value=math.nan) for name in MEASURES]
    ended = (cells["status"] == Status.OK) & cells["diverged_at"].isna()
    for value, cell, status, well, accuracy, loss in zip(
        cells[tuning.axis].tolist(), cells["cell"], cells["status"], ended, *numbers, strict=True
    ):
        fine = well and math.isfinite(loss)
        yield _Run(
            value, cell, status,
            accuracy if fine and math.isfinite(accuracy) else 0.0, loss if fine else math.inf,
        )  # fmt: skip


def _chosen(tuning: Tuning, runs: Mapping[Number, list[_Run]]) -> Chosen:
    cells = {value: tuple(run.cell for run in some) for value, some in runs.items()}
    if any(run.status == Status.PENDING for some in runs.values() for run in some):
        return Chosen(None, cells)
    best = min(runs, key=lambda value: _score(runs[value]).rank(tuning.by, value))
    return Chosen(best, cells)


def _score(runs: list[_Run]) -> Score:
    return Score(*(math.fsum(v) / len(runs) for v in ([r.accuracy for r in runs], [r.loss for r in runs])))


Marks = Mapping[str, tuple[bool, bool | None]]
"""By the id of each cell of a setting that is chosen for: whether its value is the chosen one, and if so,
whether that is at an end of those that were tried."""


def marks_of(experiment: Mapping[str, object], cells: pd.DataFrame) -> Marks:
    """What the choices say of all cells of a sweep, those still to come too; empty if it tunes none."""
    tuning = stored_tuning(experiment, cells)
    return {
        cell: (value == choice.value, choice.at_edge if value == choice.value else None)
        for choice in (choices_of(tuning, cells) if tuning else ())
        if choice.value is not None
        for value, some in choice.cells.items()
        for cell in some
    }


def marked(cells: pd.DataFrame, marks: Marks) -> pd.DataFrame:
    """A table with its columns on choices filled in."""
    import pandas as pd

    if not marks:
        return cells
    found = [marks.get(cell, (None, None)) for cell in cells["cell"]]
    columns = zip(*found, strict=True) if found else ((), ())
    tuned, edge = (pd.array(list(values), dtype="boolean") for values in columns)
    return cells.assign(tuned=tuned, tuned_at_edge=edge)


def stored_tuning(experiment: Mapping[str, object], cells: pd.DataFrame) -> Tuning | None:
    """What a stored experiment tunes, which may come from anybody: None of what cannot be read."""
    try:
        entry = tune_entry(experiment.get("tune"))
        return None if entry is None else tuning_of(entry, cells)
    except ConfigurationError:
        return None


def extensions(tuning: Tuning, cells: pd.DataFrame, own: frozenset[str]) -> list[tuple[str, Number]]:
    """The cells that are to be tried beyond the best values: a cell to start from and its new value.

    Args:
        own: the ids of the grid's own cells; others were added in earlier rounds.
    """
    found: list[tuple[str, Number]] = []
    for choice in choices_of(tuning, cells):
        value = choice.beyond()
        if value is None or choice.value is None:
            continue
        given = [v for v, ids in choice.cells.items() if not own.isdisjoint(ids)]
        added = [v for v in choice.values if (v > max(given) if value > choice.value else v < min(given))]
        if len(added) < tuning.rounds:
            found += [(cell, value) for cell in choice.cells[choice.value]]
    return found


def most_extensions(tuning: Tuning, cells: pd.DataFrame) -> int:
    """How many cells tuning adds if every choice lies at one end in every round."""
    return tuning.rounds * sum(max(map(len, c.cells.values())) for c in choices_of(tuning, cells))
