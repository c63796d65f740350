"""A sweep's refinement: round after round one cell for each edge, until every edge is narrow enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps.commands import added, set_to
from backproof.sweeps.listing import Cell
from backproof.sweeps.overrides import Value, is_public
from backproof.sweeps.refinement import Edge, Refinement, edges_of
from backproof.sweeps.rows import StoredCell
from backproof.sweeps.status import Status
from backproof.sweeps.store import Store

if TYPE_CHECKING:
    import pandas as pd

Compose = Callable[[Sequence[Sequence[str]]], list[Cell]]
"""Makes one cell of each list of overrides."""


@dataclass
class Refining:
    """A refinement while it is carried out.

    Attributes:
        cells: the grid's; those that the refinement adds come behind them.
    """

    refinement: Refinement
    store: Store
    cells: list[Cell]
    compose: Compose

    def round(self) -> list[Cell]:
        """The cells that the edges need next, entered in the store; none once all edges are narrow enough.

        There are none either while an earlier cell is still to come, as where the sweep was stopped.

        Raises:
            ResultsError: if a value between two of the grid makes no cell.
        """
        statuses = self.store.statuses(cell.case.id for cell in self.cells)
        if any(statuses[c.case.id] is Status.PENDING and c.excluded is None for c in self.cells):
            return []
        edges = edges_of(self.refinement, self.store.cells(pending=True))
        cells = self._made([edge for edge in edges if edge.wanted is not None])
        self.store.announce(cells, append=True, refined=True)
        self.cells += cells
        return cells

    def _made(self, edges: Sequence[Edge]) -> list[Cell]:
        axis = self.refinement.axis
        beside = {cell.case.id: cell for cell in self.cells}
        asked = [(beside[e.below.cell], e.wanted) for e in edges if e.wanted is not None]
        try:
            cells = self.compose([overrides_at(cell, axis, value) for cell, value in asked])
        except ConfigurationError as error:
            raise ResultsError(f"refine.axis: {error}") from error
        wanted = [{**_settings(cell), axis: value} for cell, value in asked]
        if [_settings(cell) for cell in cells] != wanted:
            raise ResultsError(f"refine.axis: other settings depend on {axis}, which cannot be refined")
        return cells


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
