"""The labels of a heatmap's sides: wrapped or turned until they fit the tiles beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import Key
from backproof.reports.figures.drawing.measure import SPACING, broken, height_of, tallest, widest, wrapped
from backproof.reports.figures.drawing.style import Sheet
from backproof.reports.labels import Labels

CLEAR = 3.0
"""Points between labels, and between labels and tiles."""

MOST_LINES = 3
"""Of a label beneath its tile; one that takes more is turned."""

LONG = 78.0
"""Points along which a turned label runs before it is broken into lines, where there is room for these."""


@dataclass(frozen=True)
class Strip:
    """Labels in a row or a column.

    Attributes:
        spans: where each begins, in tiles, and how many it takes.
        size: of the font. turned: whether they run upwards.
        depth: points that they take away from the tiles.
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    size: float
    turned: bool
    depth: float

    @property
    def middles(self) -> list[float]:
        """The middle of each span, in tiles."""
        return [start + size / 2 for start, size in self.spans]


@dataclass(frozen=True)
class Side:
    """The labels of rows or columns: of the innermost axis, and of the groups that share all others."""

    inner: Strip
    outer: Strip | None = None

    @property
    def above(self) -> float:
        """Points that the groups take away from the tiles."""
        return self.outer.depth if self.outer else 0.0

    @property
    def depth(self) -> float:
        """Points that all of them take away from the tiles, if they are on one side of these."""
        return self.inner.depth + self.above


def side_of_rows(part: Tiles, room: float, sheet: Sheet, labels: Labels) -> Side:
    """Labels at the left, of so many points at most; the higher they are, the higher the rows must be."""
    inner, outer = _named(part.rows, part.row_axes, labels)
    size = sheet.base if widest([t for t, _ in inner], sheet.base) <= room else sheet.small
    return Side(_beside(inner, size, room), _beside(outer, size, 0.8 * room) if outer else None)


def least_row(side: Side) -> float:
    """How high a row must be for its labels."""
    strips = [side.inner, *([side.outer] if side.outer else [])]
    needs = [
        (height_of(text, strip.size) + 1) / size
        for strip in strips
        for text, (_, size) in zip(strip.texts, strip.spans, strict=True)
    ]
    return max(needs, default=0.0)


def side_of_columns(part: Tiles, tile: float, sheet: Sheet, labels: Labels) -> Side:
    """Labels of columns of so many points: upright where they fit in a few lines, else turned."""
    inner, outer = _named(part.columns, part.column_axes, labels)
    return Side(_along(inner, tile, sheet), _along(outer, tile, sheet) if outer else None)


def least_column(sheet: Sheet) -> float:
    """How wide a column must be for a turned label of one line."""
    return SPACING * sheet.small


Named = list[tuple[str, tuple[int, int]]]
"""Labels and their spans."""


def _named(keys: Sequence[Key], axes: Sequence[str], labels: Labels) -> tuple[Named, Named]:
    """The labels of the innermost axis, and of the runs that share all others; no runs of one axis alone."""
    inner: Named = [(labels.value(axes[-1], k[-1]) if k else "", (i, 1)) for i, k in enumerate(keys)]
    outer: Named = []
    if len(axes) > 1:
        start = 0
        for shared, run in groupby(keys, key=lambda key: key[:-1]):
            size = len(list(run))
            texts = [labels.value(axis, value) for axis, value in zip(axes, shared, strict=False)]
            outer.append((", ".join(texts), (start, size)))
            start += size
    return inner, outer


def _beside(named: Named, size: float, room: float) -> Strip:
    texts = tuple(broken(text, size, room) for text, _ in named)
    return Strip(texts, tuple(span for _, span in named), size, False, widest(texts, size) + 2 * CLEAR)


def _along(named: Named, tile: float, sheet: Sheet) -> Strip:
    spans = tuple(span for _, span in named)
    rooms = [tile * count for _, count in spans]
    for size in (sheet.base, sheet.small):
        texts = tuple(wrapped(text, size, room - CLEAR) for (text, _), room in zip(named, rooms, strict=True))
        fits = all(widest([t], size) <= room - CLEAR for t, room in zip(texts, rooms, strict=True))
        if fits and all(text.count("\n") < MOST_LINES for text in texts):
            return Strip(texts, spans, size, False, tallest(texts, size) + CLEAR)
    size = sheet.base if min(rooms) >= SPACING * sheet.base else sheet.small
    texts = tuple(_turned(text, size, room) for (text, _), room in zip(named, rooms, strict=True))
    return Strip(texts, spans, size, True, widest(texts, size) + CLEAR)


def _turned(text: str, size: float, room: float) -> str:
    """A label that runs upwards, in as many lines as there is room for beside each other."""
    lines, along = max(1, int(room // (SPACING * size))), LONG
    while (shown := wrapped(text, size, along)).count("\n") >= lines:
        along *= 1.3
    return shown
