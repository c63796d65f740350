"""The results that a store holds of one sweep by earlier code: a generation for each time the code changed.

Code is part of a cell's id, so that cells of earlier code stay in the store beside those of the last grid.
Which run entered a cell is known by its row: the record `runs` says where each run's rows begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from backproof.sweeps.fingerprint import DECIDING, FRAMEWORKS
from backproof.sweeps.rows import StoredCell, stored_cell
from backproof.sweeps.store import Store, plain_settings

DECIDING_VERSIONS = (*DECIDING, *(name for names in FRAMEWORKS.values() for name in names))


@dataclass
class Generation:
    """The cells that one state of the code computed.

    Attributes:
        about: the provenance of the run that began it.
        cells: the `cells` table.
    """

    about: Mapping[str, object]
    cells: pd.DataFrame


@dataclass
class _Part:
    about: Mapping[str, object]
    found: dict[bytes, StoredCell] = field(default_factory=dict)

    def continues(self, run: Mapping[str, object], new: Mapping[bytes, StoredCell]) -> bool:
        """Whether a run goes on with this code: nothing that decides bits differs, no cell is there again.

        A cell that is there again is of other modules of the user's.
        """
        return _code(self.about) == _code(run) and not new.keys() & self.found.keys()


def generations(store: Store) -> list[Generation]:
    """The generations of the last grid's cells, the earliest first.

    A store without a record of its runs has one, its grid.

    Raises:
        MalformedError: if the record or a row is not as this package writes it.
    """
    runs = store.runs()
    if not runs:
        return [Generation(store.record("provenance"), store.cells())]
    wanted = store.plain_grid()
    parts = list[_Part]()
    begins = [begin for begin, _ in runs]
    for (begin, about), end in zip(runs, [*begins[1:], None], strict=True):
        new = _entered(store, begin, end, wanted)
        if not new:
            continue
        if parts and parts[-1].continues(about, new):
            parts[-1].found.update(new)
        else:
            parts.append(_Part(about, new))
    from backproof.sweeps.table import as_table

    return [Generation(part.about, as_table(part.found.values())) for part in parts]


def _code(about: Mapping[str, object]) -> list[object]:
    """What of a provenance decides bits."""
    versions = about.get("versions")
    known = versions if isinstance(versions, Mapping) else {}
    return [about.get("fingerprint"), *(known.get(name) for name in DECIDING_VERSIONS)]


def _entered(store: Store, begin: int, end: int | None, wanted: set[bytes]) -> dict[bytes, StoredCell]:
    found = {}
    for row, line in store.entered(begin, end):
        settings = plain_settings(row[1])
        if settings in wanted:
            found[settings] = stored_cell(row, line)
    return found
