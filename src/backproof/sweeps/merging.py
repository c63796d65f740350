"""The cells of several results folders in one: parts of a grid that ran on different machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import ConfigurationError
from backproof.sweeps.listing import Listed, batched
from backproof.sweeps.rows import parts_of, stored_cell, stored_curves, stored_tensors, text_of
from backproof.sweeps.shards import Head, Packed, shard_of
from backproof.sweeps.status import FAILURES, Status
from backproof.sweeps.store import REFINED, Row, Store, read_only

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
            for rows in batched(store.rows(curves=True), TOGETHER):
                _add(rows, into, merged)
                own |= {str(row[0]) for row, _ in rows} - added
    into.set_meta(REFINED, json.dumps(sorted(refined - own)))
    merged.cells = into.size()
    into.set_meta("provenance", json.dumps(_common(about)))
    asked = [{k: v for k, v in e.items() if k != "name"} for e in experiments]
    into.set_meta("experiment", json.dumps(asked[0] if all(e == asked[0] for e in asked) else {}))
    return merged


def _add(rows: Sequence[tuple[Row, bytes | None]], into: Store, merged: Merged) -> None:
    """Add some cells of one store to another; each is checked as everything that is read from one."""
    heads, lines, listed = list[Head](), list[bytes](), list[Listed]()
    for row, line in rows:
        _check(row, line)
        cell, settings, command, excluded, status, seconds, attempts, _, _, curves = row
        held = into.result(cell)
        if held is not None and excluded is None:
            both = min(_rank(held[0][4]), _rank(status)) > 0
            merged.shared += both
            merged.differing += both and _result(*held) != _result(row, line)
        if held is None:  # families and shares are for tasks, of which there are none here
            listed.append(Listed(cell, settings, command=command, excluded=excluded))
        if line is not None and (held is None or _rank(status) > _rank(held[0][4])):
            heads.append(Head(cell, status, seconds, attempts - (held[0][6] or 0 if held else 0), curves))
            lines.append(line)
    into.announce(listed, append=True)
    into.add(Packed([shard_of(heads, lines)] if heads else []))


def _check(row: Row, line: bytes | None) -> None:
    stored_cell(row, line)
    if row[3] is not None:
        text_of(row[3], "excluded")
    if line is not None:
        stored_tensors(row[0], line)
    if row[9] is not None:
        stored_curves(row[0], row[9])


def _result(row: Row, line: bytes | None) -> tuple[object, object]:
    """What two folders must have alike of a cell."""
    return row[4], parts_of(line)[2] if line is not None else None


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
