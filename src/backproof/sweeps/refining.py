"""Cells that a sweep adds to its grid, round after round: those of a refinement, and those of tuning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps.commands import added, set_to
from backproof.sweeps.listing import Cell
from backproof.sweeps.overrides import Value, is_public
from backproof.sweeps.refinement import Refinement, edges_of
from backproof.sweeps.rows import StoredCell, stored_cell
from backproof.sweeps.status import Status
from backproof.sweeps.store import Store
from backproof.sweeps.tuning import Tuning, extensions

if TYPE_CHECKING:
    import pandas as pd

Compose = Callable[[Sequence[Sequence[str]]], list[Cell]]
"""Makes one cell of each list of overrides."""

Wanted = Callable[["pd.DataFrame"], Sequence[tuple[str, Value]]]
"""From the table of the cells that are there, those that are needed next: a cell, and its new value."""


@dataclass
class Adding:
    """Cells of further values of an axis while they are added.

    Attributes:
        key: of the experiment that asks for them, for messages.
        refined: whether claims and figures leave them out unless they name them.
        cells: the grid's; those that are added come behind them.
    """

    key: str
    axis: str
    wanted: Wanted
    refined: bool
    store: Store
    cells: list[Cell]
    compose: Compose
    _rows: dict[str, StoredCell] = field(default_factory=dict, init=False, repr=False)

    def round(self) -> list[Cell]:
        """The cells that are needed next, entered in the store; none once there is nothing left to try.

        There are none either while an earlier cell is still to come, as where the sweep was stopped.

        Raises:
            ResultsError: if a value that the grid does not have makes no cell.
        """
        statuses = self.store.statuses(cell.case.id for cell in self.cells)
        if any(statuses[c.case.id] is Status.PENDING and c.excluded is None for c in self.cells):
            return []
        cells = self._made(self.wanted(self._table()))
        self.store.announce(cells, append=True, refined=self.refined)
        self.cells += cells
        return cells

    def _table(self) -> pd.DataFrame:
        """The table of the cells; each is read once, since all of them are computed or left out."""
        from backproof.sweeps.table import as_table

        new = [cell.case.id for cell in self.cells if cell.case.id not in self._rows]
        self._rows |= {row[0]: stored_cell(row, line) for row, line in self.store.rows_of(new)}
        return as_table(self._rows.values(), self.store.refined())

    def _made(self, needed: Sequence[tuple[str, Value]]) -> list[Cell]:
        beside = {cell.case.id: cell for cell in self.cells}
        asked = [(beside[cell], value) for cell, value in needed]
        try:
            cells = self.compose([overrides_at(cell, self.axis, value) for cell, value in asked])
        except ConfigurationError as error:
            raise ResultsError(f"{self.key}.axis: {error}") from error
        wanted = [{**_settings(cell), self.axis: value} for cell, value in asked]
        if [_settings(cell) for cell in cells] != wanted:
            raise ResultsError(
                f"{self.key}.axis: other settings depend on {self.axis}, which cannot vary alone"
            )
        return cells


def halving(refinement: Refinement) -> Wanted:
    """One cell for each edge of a refinement, until every edge is narrow enough."""

    def wanted(cells: pd.DataFrame) -> Sequence[tuple[str, Value]]:
        edges = edges_of(refinement, cells)
        return [(edge.below.cell, edge.wanted) for edge in edges if edge.wanted is not None]

    return wanted


def extending(tuning: Tuning, grid: Iterable[Cell]) -> Wanted:
    """The cells of the next value of each setting whose best one is at an end of those that were tried."""
    own = frozenset(cell.case.id for cell in grid)
    return lambda cells: extensions(tuning, cells, own)


def overrides_at(cell: Cell, axis: str, value: Value) -> tuple[str, ...]:
    """The overrides of a cell, with another value of an axis."""
    here = [o for o in cell.overrides if o.partition("=")[0].lstrip("+") == axis]
    write = added if any(o.startswith("+") for o in here) else set_to
    return (*(o for o in cell.overrides if o not in here), write(axis, value))


def _settings(cell: Cell) -> dict[str, Value]:
    return {key: value for key, value in cell.case.flat().items() if is_public(key)}


def planned(cells: Iterable[Cell], stored: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of a grid's cells before any is computed; or with those that are stored, from their table."""
    from backproof.sweeps.table import as_table

    table = as_table(
        StoredCell(c.case.id, c.case.flat(), _planned_status(c), c.excluded, None, {}, None, 0, c.command)
        for c in cells
    )
    if stored is None or stored.empty:
        return table
    import pandas as pd

    kept = stored[stored["cell"].isin(table["cell"]) | stored["refined"]]
    both = pd.concat([kept.astype(object), table[~table["cell"].isin(kept["cell"])].astype(object)])
    return both.assign(refined=both["refined"].astype(bool)).infer_objects()


def _planned_status(cell: Cell) -> Status:
    return Status.PENDING if cell.excluded is None else Status.EXCLUDED
