"""What an experiment leaves out: rules, expressions over settings, applied to cells some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backproof.sweeps.experiment import Exclusion
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.listing import Listed
from backproof.sweeps.overrides import Value, is_public, ordered, shown

if TYPE_CHECKING:  # only experiments that leave something out pay for it
    import pandas as pd


@dataclass(frozen=True)
class Marks:
    """Rules that are ready to be applied.

    Attributes:
        rules: expressions, each with its reason.
        keys: the settings, which are columns.
        mixed: those that are text in some cells of the grid and numbers in others, and so text in all.
    """

    rules: tuple[tuple[Expression, str], ...] = ()
    keys: tuple[str, ...] = ()
    mixed: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        rules: Sequence[Exclusion],
        keys: Iterable[str],
        cells: Callable[[], Iterator[Listed]],
        *,
        several: bool,
    ) -> Marks:
        """Rules, read.

        Args:
            keys: all settings that cells have, or may be named.
            several: whether the cells come in several parts, so that no part shows what kind a column is.

        Raises:
            ConfigurationError: naming the rule that cannot be read.
        """
        columns = ordered({key for key in keys if is_public(key)})
        read = tuple(
            (parse(f"exclude[{i}].where", rule.where, columns), rule.because) for i, rule in enumerate(rules)
        )
        return cls(read, tuple(columns), _mixed(cells()) if several else frozenset())

    def marked(self, cells: list[Listed]) -> list[Listed]:
        """The cells, those that a rule fits with its reason.

        Raises:
            ConfigurationError: if a rule does not fit the kinds of values.
        """
        if not self.rules or not cells:
            return cells
        table = self._table(cells)
        for rule, because in reversed(self.rules):
            for i in np.flatnonzero(rule.truth(table)):
                cells[i].excluded = because
        return cells

    def _table(self, cells: Iterable[Listed]) -> pd.DataFrame:
        import pandas as pd

        rows = [[self._value(key, flat.get(key)) for key in self.keys] for flat in (c.flat() for c in cells)]
        return pd.DataFrame(rows, columns=list(self.keys), dtype=object)

    def _value(self, key: str, value: Value) -> Value:
        return (
            shown(value) if key in self.mixed and value is not None and not isinstance(value, str) else value
        )


def _mixed(cells: Iterable[Listed]) -> frozenset[str]:
    kinds: dict[str, set[str]] = {}
    for cell in cells:
        for key, value in cell.flat().items():
            kinds.setdefault(key, set()).add(_kind(value))
    return frozenset(key for key, found in kinds.items() if len(found) > 1)


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"
