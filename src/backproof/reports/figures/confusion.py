"""What was planted against what was named first: known faults by their cause, mutants by the edited line."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backproof.network.faults.lines import LINES
from backproof.network.faults.mutant import Identified
from backproof.reports.aggregation import Tiles
from backproof.reports.axes import finished
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.figures.shares import share_column, share_tiles

NOTHING = "nothing"
"""Stands for a cause where none was named."""

LOCATED, MISNAMED = "right location, no name", "false name"
"""Columns of the mutants beside the operations whose names are true of them."""

OPERATIONS = tuple(dict.fromkeys(name.partition(":")[0] for line in LINES for name in line.true))
"""The operations that an edit can be named for, in the order of the pass."""

PLANTED, MUTANTS = "Known mistakes", "Random edits of one line of the backward pass"
"""The titles of the panels."""

SHARE = share_column("confusion", "share of the row's cells")


@figure_kind(SHARE.name, title="What was planted and what was named first")
def confusion_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One row per planted cause, and one per line that mutants edit; shares of its cells by the name."""
    from backproof.reports.figures.drawing.style import sheet_of
    from backproof.reports.figures.drawing.tiles import draw_panels

    planted, mutants = confusion(tables.cells), confusion_of_mutants(tables.cells)
    panels = {t: tiles for t, tiles in ((PLANTED, planted), (MUTANTS, mutants)) if tiles.rows}
    if not panels:
        raise NothingToDrawError("none of its cells has a planted fault")
    finding = f"{_finding(planted)} {_finding_of_mutants(mutants)}".strip()
    data = pd.concat([tiles.table() for tiles in panels.values()], ignore_index=True)
    figure = draw_panels(panels, spec.title, sheet=sheet_of(spec.width), labels=tables.labels)
    return Drawing(figure, finding, data)


def confusion(cells: pd.DataFrame) -> Tiles:
    """Planted causes against the causes named first, as shares of each planted one; no mutants."""
    done = finished(cells)
    done = done[done["planted"].notna() & done["edit"].isna()]
    planted, named = done["planted"], done["cause"].fillna(NOTHING)
    rows = sorted(set(planted), key=_in_the_order_of_the_pass)
    others = sorted(set(named) - set(rows), key=_in_the_order_of_the_pass)
    return _shares("planted", planted, rows, named, rows + others)


def confusion_of_mutants(cells: pd.DataFrame) -> Tiles:
    """Edited lines against the operation whose name came first, as shares of each line's mutants.

    A name is counted under its operation where it is true of the line, and else as a false one.
    """
    done = finished(cells)
    done = done[done["edit"].notna()]
    edited = done["edit"].map(_operation_of)
    operation = done["cause"].map(_operation_of, na_action="ignore")
    how = done["identified"]
    named = operation.where(how == Identified.NAMED, NOTHING)
    named = named.mask(how == Identified.LOCATED, LOCATED).mask(how == Identified.MISNAMED, MISNAMED)
    rows = [line.name for line in LINES if line.name in set(edited)]
    columns = [c for c in OPERATIONS if c in set(named)] + [LOCATED, MISNAMED, NOTHING]
    return _shares("edited line", edited, rows, named, columns)


def _operation_of(name: str) -> str:
    """What stands before a cause's colon, or before an edit's: the operation, the line."""
    return name.partition(":")[0]


def _in_the_order_of_the_pass(cause: str) -> tuple[bool, int, str]:
    """Sorts causes by operation; nothing named comes last."""
    operation = _operation_of(cause)
    at = OPERATIONS.index(operation) if operation in OPERATIONS else len(OPERATIONS)
    return cause == NOTHING, at, cause


def _shares(axis: str, row: pd.Series, rows: list[str], named: pd.Series, columns: list[str]) -> Tiles:
    tally = pd.crosstab(row, named).reindex(index=rows, columns=columns, fill_value=0).to_numpy()
    totals = tally.sum(axis=1, keepdims=True)
    shares = np.where(tally > 0, tally / np.maximum(totals, 1), np.nan)
    return share_tiles(SHARE, (axis, rows), ("named first", columns), shares, tally)


def _finding(tiles: Tiles) -> str:
    """The least share of a planted cause's cells in which it is named first."""
    if not tiles.rows:
        return ""
    columns, n = [key[0] for key in tiles.columns], tiles["n"]
    named = np.array([n[i, columns.index(key[0])] for i, key in enumerate(tiles.rows)])
    least = np.min(named / n.sum(axis=1))
    return f"Of {n.sum():.0f} cases, each planted cause is named first in at least {least:.0%} of its own."


def _finding_of_mutants(tiles: Tiles) -> str:
    """How many mutants have a true name, only a location, a false name, or nothing."""
    if not tiles.rows:
        return ""
    *named, located, misnamed, nothing = tiles["n"].sum(axis=0)
    total = tiles["n"].sum()
    return (
        f"Of {total:.0f} random edits, {sum(named) / total:.0%} are named for what they are; of {located:.0f}"
        f" only the location is named, {misnamed:.0f} have a false name, and {nothing:.0f} have none."
    )
