"""The cells of several results folders in one: parts of a grid that ran on different machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import ConfigurationError
from backproof.sweeps import sql
from backproof.sweeps.rows import stored_cell, stored_curves, stored_tensors, text_of
from backproof.sweeps.status import FAILURES, Status
from backproof.sweeps.store import REFINED, Store, read_only

TOGETHER = 1000
"""Cells that are written in one transaction."""


@dataclass
class Merged:
    """What was merged.

    Attributes:
        cells: in the merged grid.
        shared: cells that several folders hold results of.
        differing: those among them whose results differ; the first folder's are kept.
    """

    cells: int = 0
    shared: int = 0
    differing: int = 0


def merge(folders: Sequence[Path], into: Store) -> Merged:
    """Add the grids of stores to an empty one, in their order.

    Of a cell that several hold, one that is done counts, then one that failed, then one that is to come.

    Raises:
        ConfigurationError: naming the folder, if it holds no sweep or a row is malformed.
    """
    merged = Merged()
    about: list[Mapping[str, object]] = []
    experiments: list[Mapping[str, object]] = []
    refined, own = set[str](), set[str]()
    for folder in folders:
        with read_only(folder) as store:
            about.append({"folder": str(folder), **store.record("provenance")})
            experiments.append(store.record("experiment"))
            added = store.refined()
            refined |= added
            for rows in _in_blocks(store):
                _add(rows, into, merged)
                own |= {str(row[0]) for row in rows} - added
    into.set_meta(REFINED, json.dumps(sorted(refined - own)))
    (merged.cells,) = into.db.execute(sql.GRID_SIZE).fetchone()
    into.set_meta("provenance", json.dumps(_common(about)))
    asked = [{k: v for k, v in e.items() if k != "name"} for e in experiments]
    into.set_meta("experiment", json.dumps(asked[0] if all(e == asked[0] for e in asked) else {}))
    return merged


def _in_blocks(store: Store) -> Iterator[list[tuple[object, ...]]]:
    """The rows of a store's grid, checked as everything that is read from one."""
    cursor = store.db.execute(sql.WHOLE_CELLS)
    while rows := cursor.fetchmany(TOGETHER):
        for row in rows:
            stored_cell(row[:9])
            if row[9] is not None:
                stored_tensors((row[0], row[9]))
            if row[10] is not None:
                stored_curves((row[0], row[10]))
            if row[11] is not None:
                text_of(row[11], "excluded")
        yield rows


def _add(rows: list[tuple[object, ...]], into: Store, merged: Merged) -> None:
    with into.db as db:
        for row in rows:
            *whole, excluded = row
            held = db.execute(sql.RESULT, (row[0],)).fetchone()
            if held is not None and excluded is None:
                here, there = _rank(held[0]), _rank(row[2])
                both = min(here, there) > 0
                merged.shared += both
                merged.differing += both and held != (row[2], row[5])
            if held is None or _rank(row[2]) > _rank(held[0]):
                db.execute(sql.ADD_WHOLE_CELL, whole)
            db.execute(sql.ADD_TO_GRID, (row[0], excluded))


def _rank(status: object) -> int:
    """How much a result says."""
    if status == Status.OK:
        return 2
    return 1 if status in FAILURES else 0


def _common(about: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the provenances of all have in common, and their folders, commands and machines."""
    first, *rest = about
    same = {k: v for k, v in first.items() if all(k in other and other[k] == v for other in rest)}
    parts = [{k: v for k, v in each.items() if k not in same} for each in about]
    return {**same, "merged": parts}


def require_sweeps(folders: Sequence[Path], target: Path) -> None:
    """Refuse what cannot be merged.

    Raises:
        ConfigurationError: naming the folder.
    """
    if len(folders) < 2:
        raise ConfigurationError(f"merge: takes two results folders or more; not {len(folders)}")
    for folder in folders:
        if folder.resolve() == target.resolve():
            raise ConfigurationError(f"{target}: is one of the folders to be merged; use another name=")
    if target.exists():
        raise ConfigurationError(f"{target}: is there already; use another name=")
