"""How large the parts of a heatmap are, by measured text, before anything is drawn. Lengths are in points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.errors import ConfigurationError
from backproof.reports.aggregation import Tiles
from backproof.reports.axes import Key
from backproof.reports.figures.drawing.colours import symbol_of
from backproof.reports.figures.drawing.frame import LETTER, PAD
from backproof.reports.figures.drawing.measure import SPACING, height_of, tallest, widest, wrapped
from backproof.reports.figures.drawing.scales import room_beside
from backproof.reports.figures.drawing.sides import (
    CLEAR,
    Side,
    least_column,
    least_row,
    side_of_columns,
    side_of_rows,
)
from backproof.reports.figures.drawing.style import Sheet
from backproof.reports.labels import Labels
from backproof.reports.numbers import number

TILE = (44.0, 26.0)
"""Across and down, where the sheet leaves it to the tiles."""

PRINTED = (60.0, 15.0)
"""The widest on a sheet of a given width, and how high there."""

MOST_LABELS = 40
"""Beyond so many rows or columns, numbers in the tiles would not be legible."""

MOST_ACROSS = 26
"""Tiles side by side at most before small multiples begin a new line, on a sheet without a width."""

WIDEST, TALLEST = 700.0, 560.0
"""Across and down, beyond which tiles share the room there as far as their labels and texts allow."""

LEAST_WIDTH, BESIDE = 300.0, 330.0
"""The narrowest such figure; from which width on a scale of colours stands beside the tiles, not beneath."""

BETWEEN = 14.0
"""From panel to panel."""

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Plan:
    """Sizes and texts of a heatmap, or of small multiples.

    Attributes:
        width: of the figure. left: what labels of rows take of it. tile: across and down.
        across, lines: how many panels stand side by side, and how many lines of them there are.
        rows, columns, names: of each panel, its labels and its title. row_headings: the names of the axes
            along the rows, empty but at the left; column_names: those along the columns.
        written: what stands in each panel's tiles; None where it would not be legible.
        remarks: on what was left out.
    """

    width: float
    left: float
    tile: tuple[float, float]
    across: int
    lines: int
    rows: tuple[Side, ...]
    columns: tuple[Side, ...]
    row_keys: tuple[list[Key], ...]
    column_keys: tuple[list[Key], ...]
    row_headings: tuple[str, ...]
    column_names: tuple[str, ...]
    names: tuple[str, ...]
    alike: bool
    bar_beside: bool
    written: tuple[Texts | None, ...]
    written_size: float
    remarks: tuple[str, ...]
    sheet: Sheet

    @property
    def lettered(self) -> bool:
        """Whether panels have letters."""
        return len(self.rows) > 1

    @property
    def block(self) -> float:
        """From one panel's left to the next one's."""
        return self.tile[0] * self._most_columns + BETWEEN

    @property
    def right_of_tiles(self) -> float:
        """Where the rightmost panel ends."""
        return self.left + self.across * self.block - BETWEEN

    @property
    def _most_columns(self) -> int:
        return max(len(side.inner.texts) for side in self.columns)

    def x_of(self, i: int) -> float:
        """Where a panel begins."""
        return self.left + (i % self.across) * self.block

    def wide(self, line: int) -> float:
        """How far a line of panels reaches."""
        count = min(self.across, len(self.rows) - line * self.across)
        if not self.alike:
            return self.tile[0] * len(self.columns[line].inner.texts)
        return count * self.block - BETWEEN

    def column_heading(self, line: int) -> str:
        """The names of the axes along the columns; of panels that are alike, beneath the last line alone."""
        if self.alike and line < self.lines - 1:
            return ""
        room = min(max(self.wide(line), 120.0), self.width - 2 * PAD)
        return wrapped(self.column_names[line if not self.alike else 0], self.sheet.base, room)

    def names_columns(self, i: int) -> bool:
        """Whether labels of columns stand beneath a panel: not where one of the same columns does."""
        return not self.alike or i + self.across >= len(self.rows)

    def room_of(self, i: int) -> float:
        """The room of a panel's title."""
        if self.across == 1:
            return self.width - self.x_of(i) - PAD
        return self.block - CLEAR

    def heading_height(self, i: int) -> float:
        """How high it is."""
        size, room = self.sheet.base, self.room_of(i) - LETTER * self.lettered
        least = SPACING * self.sheet.large if self.lettered else 0.0
        return max(height_of(wrapped(self.names[i], size, room), size), least)


def plan_of(
    parts: Sequence[Tiles], names: Sequence[str], sheet: Sheet, labels: Labels, *, alike: bool,
    texts: Sequence[Texts] = (), across: int = 0, beneath: bool = False,
) -> Plan:  # fmt: skip
    """The sizes of a heatmap.

    Args:
        names: the titles of the parts.
        alike: whether all of them have the same rows and columns.
        texts: what stands in their tiles; by default their values.
        across: how many stand side by side, where the sheet leaves it to the content.
        beneath: whether a scale of colours stands beneath the tiles, however wide they are.

    Raises:
        ConfigurationError: if the sheet is too narrow for its columns.
    """
    given = 72 * sheet.width if sheet.width else None
    rows = [side_of_rows(part, 0.26 * given if given else 200.0, sheet, labels) for part in parts]
    high, headings = _rows_of(parts, rows, sheet, labels)
    left = PAD + CLEAR + max(side.depth for side in rows) + tallest(headings, sheet.base)
    numbers = not parts[0].column.categories
    beside = numbers and not beneath and (given is None or given >= BESIDE)
    right = room_beside(parts[0].column.unit, sheet, high * len(parts[0].rows)) if beside else PAD
    most = max(len(part.columns) for part in parts)
    shown = texts or [texts_in(part) for part in parts]
    options = [_Writing(shown, way, size) for way in _WAYS for size in _sizes(sheet)]
    panels = len(parts) if alike else 1
    width, wide, across = _widths(panels, most, left + right, options[0].wide, sheet, across)
    columns = [side_of_columns(part, wide, sheet, labels) for part in parts]
    writing = _writing_that_fits(options, wide, max(max(part.shape) for part in parts))
    high = max(high, writing.high + 2) if writing else high
    lines = -(-len(parts) // across)
    return Plan(
        width, left, (wide, high), across, lines, tuple(rows), tuple(columns),
        tuple(part.rows for part in parts), tuple(part.columns for part in parts),
        tuple(h if i % across == 0 else "" for i, h in enumerate(headings)),
        tuple(labels.headings(part.column_axes) for part in parts), tuple(names),
        alike, beside, tuple(writing.texts if writing else [None] * len(parts)),
        writing.size if writing else sheet.small, (writing.remark if writing else NO_WRITING,), sheet,
    )  # fmt: skip


def _widths(
    panels: int, most: int, beside: float, written: float, sheet: Sheet, across: int
) -> tuple[float, float, int]:
    """How wide the figure is, and its tiles, and how many panels stand side by side.

    Args:
        most: columns of a panel. beside: what labels and scale take. written: the width of what is in tiles.
        across: wished for; 0 for as many as fit.
    """
    if sheet.width is None:
        room = WIDEST / most
        wide = max(min(TILE[0], room), least_column(sheet), written + 5 if most <= MOST_LABELS else 0.0)
        across = across or min(panels, max(1, MOST_ACROSS // max(most, 4)))
        return max(beside + across * (wide * most + BETWEEN) - BETWEEN, LEAST_WIDTH), wide, across
    width, room = 72 * sheet.width, 72 * sheet.width - beside
    across = _across(panels, most, room, written + 2)
    wide = min(((room + BETWEEN) / across - BETWEEN) / most, PRINTED[0])
    _require(wide, most, beside, sheet)
    return width, wide, across


NO_WRITING = "values do not fit into the tiles and are in the CSV file"


def _sizes(sheet: Sheet) -> tuple[float, ...]:
    return (sheet.small,) if sheet.width is None else (sheet.base, sheet.small)


def _rows_of(
    parts: Sequence[Tiles], rows: Sequence[Side], sheet: Sheet, labels: Labels
) -> tuple[float, list[str]]:
    """How high rows must be for the labels beside them, and the names of the axes, wrapped to the height."""
    most = max(len(part.rows) for part in parts)
    high = PRINTED[1] if sheet.width else min(TILE[1], max(TALLEST / most, 1.9 * sheet.small))
    high = max(high, *(least_row(side) for side in rows))
    names = [labels.headings(part.row_axes) for part in parts]
    for part, name in zip(parts, names, strict=True):
        longest = widest(name.split(), sheet.base)
        high = max(high, (longest + 1) / len(part.rows))
    return high, [
        wrapped(name, sheet.base, high * len(part.rows)) for part, name in zip(parts, names, strict=True)
    ]


def _across(panels: int, columns: int, room: float, wish: float) -> int:
    """How many panels stand side by side: as many as leave tiles what is written in them, one at least."""
    for across in range(panels, 1, -1):
        if ((room + BETWEEN) / across - BETWEEN) / columns >= wish:
            return across
    return 1


def _require(wide: float, columns: int, beside: float, sheet: Sheet) -> None:
    least = least_column(sheet)
    if wide < least:
        millimetres = (beside + columns * least) / 72 * 25.4
        raise ConfigurationError(f"its {columns} columns need a width of {millimetres:.0f} mm at least")


class _Writing:
    """What stands in the tiles of all panels, one way of shortening it."""

    def __init__(self, shown: Sequence[Texts], way: tuple[Callable[[str], str], str], size: float) -> None:
        shorten, self.remark = way
        self.size = size
        self.texts: list[Texts | None] = [_shortened(texts, shorten) for texts in shown]
        distinct = sorted({str(text) for texts in self.texts if texts is not None for text in texts.flat})
        self.wide, self.high = widest(distinct, size), tallest(distinct, size) * 0.92


def _writing_that_fits(options: Sequence[_Writing], wide: float, most: int) -> _Writing | None:
    if most > MOST_LABELS:
        return None
    return next((writing for writing in options if writing.wide <= wide - 2), None)


_WAYS: tuple[tuple[Callable[[str], str], str], ...] = (
    (lambda text: text, ""),
    (lambda text: text if "\n" in text else text.replace(" ", "\n", 1), ""),
    (lambda text: text.split("\n")[0].split(" ")[0], "counts of cells do not fit and are in the CSV file"),
)
"""Ways to write in narrow tiles, the fullest first, each with a remark on what it leaves out."""


def _shortened(texts: Texts, shorten: Callable[[str], str]) -> Texts:
    shown = np.array([shorten(str(text)) for text in texts.flat], object)
    return shown.reshape(texts.shape)


def texts_in(part: Tiles) -> Texts:
    """What stands in each tile, empty where it has no value."""
    counts = part.stats.loc[np.isfinite(part.stats["value"]), "n"]
    uneven = part.cells.size > 0 and len(counts) > 0 and counts.min() < counts.max()
    columns = [part.stats[name].to_numpy(float) for name in ("value", "n", "agreeing", "infinite")]
    texts = [_text(part, *map(float, tile), uneven=uneven) for tile in zip(*columns, strict=True)]
    return np.array(texts, object).reshape(part.shape)


def _text(part: Tiles, value: float, n: float, agreeing: float, infinite: float, *, uneven: bool) -> str:
    """What stands in a tile: a number, or a symbol and in how many cells it is right.

    Beneath a number, in how many of its cells there is one at all, and where tiles differ in it, how many
    cells it is of.
    """
    if not np.isfinite(value):
        return ""
    if part.column.categories:
        symbol = symbol_of(part.categories[int(value)], int(value))
        return symbol if n == agreeing else f"{symbol} {agreeing:.0f}/{n:.0f}"
    shown = number(value, part.column.format)
    if infinite:
        return f"{shown}\n{n - infinite:.0f} of {n:.0f}"
    return f"{shown}\nn = {n:.0f}" if uneven else shown
