"""What stands around the panels of a figure: a title above, a legend and remarks below.

A figure is built from below, in points from its lower left corner; its height is known last. So nothing has
to be laid out by trial, and nothing overlaps or is cut, whatever the width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backproof.reports.figures.drawing.measure import (
    broken,
    height_of,
    width_of,
    wrapped,
)
from backproof.reports.figures.drawing.style import Sheet, letter

PAD, GAP = 4.0, 6.0
"""Points at the edge of a figure, and between its parts."""

HANDLE, TO_TEXT, BETWEEN = 1.8, 0.5, 1.2
"""Of a legend, in sizes of its font: a handle's length, and spaces to its text and to the next column."""

LETTER = 11.0
"""Points that a panel's letter takes before its title."""


class Frame:
    """A figure of a given width while it is built.

    Attributes:
        width, height: in points; the height grows.
    """

    def __init__(self, sheet: Sheet, width: float) -> None:
        self.sheet, self.width, self.height = sheet, width, PAD
        self.figure = Figure(figsize=(width / 72, 1.0), dpi=144)
        FigureCanvasAgg(self.figure)
        self._placed: list[tuple[Axes, tuple[float, float, float, float]]] = []

    @property
    def room(self) -> float:
        """What is left of the width between its edges."""
        return self.width - 2 * PAD

    def text(self, x: float, y: float, text: str, **look: Any) -> None:
        """A text at a point."""
        self.figure.text(
            x / 72, y / 72, text, transform=self.figure.dpi_scale_trans, **look
        )  # fmt: skip

    def remark(self, *sentences: str) -> None:
        """Small text upon what is there already."""
        said = "; ".join(s for s in sentences if s)
        if said:
            size = self.sheet.small
            text = broken(said, size, self.room)
            self.text(PAD, self.height, text, size=size, va="bottom", ha="left", linespacing=1.1)
            self.height += height_of(text, size) + 2

    def legend(self, handles: Sequence[Artist], title: str = "", most: int = 4) -> None:
        """A legend upon what is there already, in as many columns as fit."""
        if not handles:
            return
        size = self.sheet.small
        beside = (HANDLE + TO_TEXT) * size
        names = [broken(str(h.get_label()), size, self.room - beside - 2) for h in handles]
        across = max(n for n in range(1, min(len(names), most) + 1) if self._fits(names, n) or n == 1)
        legend = self.figure.legend(
            handles=list(handles), labels=[f".{name}" for name in names],  # one with `_` in front is left out
            ncols=across, loc="lower left", frameon=False, borderpad=0, borderaxespad=0,
            handlelength=HANDLE, handletextpad=TO_TEXT, columnspacing=BETWEEN, labelspacing=0.35,
            fontsize=size, title=broken(title, size, self.room) or None, title_fontsize=size,
            alignment="left", bbox_to_anchor=(PAD / 72, self.height / 72),
            bbox_transform=self.figure.dpi_scale_trans,
        )  # fmt: skip
        for shown, name in zip(legend.get_texts(), names, strict=True):
            shown.set_text(name)
        box = legend.get_window_extent(self.figure.canvas.get_renderer())  # type: ignore[attr-defined]
        self.height += box.height / self.figure.dpi * 72 + GAP

    def _fits(self, names: Sequence[str], across: int) -> bool:
        """Whether a legend of so many columns fits; it fills one column after another."""
        size = self.sheet.small
        columns = np.array_split(np.array([width_of(name, size) for name in names]), across)
        inside = sum(float(column.max()) + (HANDLE + TO_TEXT) * size for column in columns)
        return inside + (across - 1) * BETWEEN * size + 2 <= self.room

    def axes(self, x: float, width: float, height: float, y: float | None = None) -> Axes:
        """Axes whose lower left corner is at (x, y), by default upon what is there already."""
        axes = self.figure.add_axes((0.1, 0.1, 0.5, 0.5), label=str(len(self._placed)))
        self.place(axes, x, self.height if y is None else y, width, height)
        return axes

    def place(self, axes: Axes, x: float, y: float, width: float, height: float) -> None:
        """Where axes are to be, in points."""
        self._placed.append((axes, (x, y, width, height)))

    @property
    def span(self) -> tuple[float, float]:
        """Where the lowest of the placed axes begins, and where the highest ends."""
        return min(y for _, (_, y, _, _) in self._placed), max(y + h for _, (_, y, _, h) in self._placed)

    def heading(self, x: float, y: float, text: str, width: float, at: int | None = None) -> None:
        """A panel's title, its first line's top at y, and its letter."""
        if at is not None:
            self.text(x, y, letter(at), size=self.sheet.large, weight="bold", va="top", ha="left")
        if text:
            left = LETTER if at is not None else 0
            shown = broken(text, self.sheet.base, width - left)
            self.text(x + left, y, shown, size=self.sheet.base, va="top", ha="left", linespacing=1.1)

    def heading_height(self, text: str, width: float, *, lettered: bool) -> float:
        """Points that a panel's title takes."""
        shown = broken(text, self.sheet.base, width - (LETTER if lettered else 0))
        least = 1.25 * self.sheet.large if lettered else 0
        return max(height_of(shown, self.sheet.base), least) + (2 if text or lettered else 0)

    def finish(self, title: str) -> Figure:
        """The figure with its title, where its sheet has one, and of the height that it came to."""
        if self.sheet.titled and title:
            size = self.sheet.large
            text = wrapped(title, size, self.room, bold=True)
            self.height += GAP
            self.text(PAD, self.height, text, size=size, weight="bold", va="bottom", ha="left")
            self.height += height_of(text, size)
        self.height += PAD
        self.figure.set_size_inches(self.width / 72, self.height / 72)
        for axes, (x, y, width, height) in self._placed:
            axes.set_position((x / self.width, y / self.height, width / self.width, height / self.height))
        return self.figure
