"""Cells of a grid: with their cases, and as a store lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, TypeVar

from backproof.errors import ResultsError
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import Case, Code, id_of
from backproof.sweeps.commands import command_of
from backproof.sweeps.overrides import Value

CODE, FILE_OF_DATA = '._target_": ', '"data.path": '
"""In the settings of a cell that depends on files of the user's, whose digests are in its id."""
T = TypeVar("T")


@dataclass(slots=True)
class Listed:
    """A cell of a grid without its case, of which a grid of millions would hold one each.

    Attributes:
        settings: the canonical case's, `Case.flat`, as JSON.
        family_key: equal for cells that belong in one task; it holds for one process.
        share_key: equal for cells that share most of their work; likewise.
        command: reproduces the cell; empty on the way to a worker.
        excluded: why it is left out, if it is.
    """

    id: str
    settings: str
    family_key: int = 0
    share_key: int = 0
    command: str = ""
    excluded: str | None = None

    code: ClassVar[Code] = ()

    def __reduce__(self) -> tuple[type[Listed], tuple[str, str]]:
        """What a worker needs."""
        return Listed, (self.id, self.settings)

    def flat(self) -> dict[str, Value]:
        """The settings as the case has them."""
        return {key: _tuple(value) for key, value in json.loads(self.settings).items()}

    def case(self) -> Case:
        """Its case.

        Raises:
            ResultsError: if the settings make another cell here than where they were listed.
        """
        known = _at_another_seed(self)
        if known is not None:
            return known
        found = case_of(json.loads(self.settings))
        if found.id != self.id:
            raise ResultsError(f"cell {self.id}: is another one here ({found.id}); code or libraries differ")
        _keep(self.settings, found)
        return found


SEED = re.compile(r'"seed": (\d+)')

_made: dict[str, tuple[Case, str]] = {}
"""Cases by their settings but for the seed, one of each, and what is in its id beside its settings; at most
`MOST_MADE`.
"""

MOST_MADE = 256


def _key_of(settings: str) -> tuple[str, int] | None:
    """Settings without their seed, and the seed; None if there is none."""
    found = SEED.search(settings)
    return None if found is None else (settings[: found.start(1)] + settings[found.end(1) :], int(found[1]))


def _at_another_seed(cell: Listed) -> Case | None:
    """The case of a cell whose settings another one had but for the seed; None if it has to be made.

    To make it anew takes ten times as long. What is not seen by its id, whether the data that its
    seed draws fit its loss, was looked at where it was listed.
    """
    key = _key_of(cell.settings)
    if key is None or key[0] not in _made:
        return None
    (first, beside), seed = _made[key[0]], key[1]
    if id_of(cell.settings, beside) != cell.id:
        return None
    values = {name: getattr(first, name) for name in type(first).model_fields}
    found = type(first).model_construct(**{**values, "seed": seed})
    vars(found)["id"] = cell.id  # the cached property, which was found from the cell's text already
    return found


def _keep(settings: str, case: Case) -> None:
    key = _key_of(settings)
    if key is not None:
        if len(_made) >= MOST_MADE:
            _made.pop(next(iter(_made)))
        _made[key[0]] = case, case.beside_settings


Unit = Case | Listed
"""What tasks are made of: a case where a worker needs it whole, as with code of the user's."""


def unit_of(listed: Listed) -> Unit:
    """A cell as it is sent to a worker; one that depends on the user's files with their digests."""
    own = CODE in listed.settings or FILE_OF_DATA in listed.settings
    return case_of(json.loads(listed.settings)) if own else listed


def family_of(case: Case) -> int:
    """A number for the cells that belong in one task and take equally long."""
    return hash((case.family_key, getattr(case, "check", None)))


def share_of(case: Case) -> int:
    """A number for the cells that share a numerical gradient, or are one part of a batch."""
    return hash(case.share_key)


def listed(case: Case, command: str, excluded: str | None = None) -> Listed:
    """The entry of a case."""
    settings = json.dumps(case.flat())
    return Listed(case.id, settings, family_of(case), share_of(case), command, excluded)


def _tuple(value: Any) -> Value:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of so many; `itertools` has it from Python 3.12 on."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


@dataclass(frozen=True)
class Cell:
    """A point of a grid.

    Attributes:
        overrides: the fewest that make this case again.
        options: what its command needs beside them, such as --config-dir.
        excluded: why it is left out, if it is.
    """

    case: Case
    overrides: tuple[str, ...]
    options: tuple[str, ...] = ()
    excluded: str | None = None

    @property
    def command(self) -> str:
        """The command that reproduces the cell."""
        return command_of(self.options, self.overrides)

    def listed(self) -> Listed:
        """Its entry in a store."""
        return listed(self.case, self.command, self.excluded)
