"""Panels of curves or points in a grid, as wide as the figure leaves them when labels have been measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator
from numpy.typing import NDArray

from backproof.reports.figures.drawing.frame import GAP, PAD, Frame
from backproof.reports.figures.drawing.sides import CLEAR

Grid = np.ndarray[Any, Any]
"""Axes by row and column; None where there is no panel."""


def new_grid(frame: Frame, rows: int, columns: int, count: int | None = None) -> Grid:
    """Axes of a figure, still without a place; `count` of them, row by row, or all."""
    grid = np.full((rows, columns), None, object)
    for i in range(rows * columns if count is None else count):
        grid.flat[i] = frame.figure.add_axes((0.1, 0.1, 0.5, 0.5), label=str(len(frame.figure.axes)))
    return grid


def stack_grid(
    frame: Frame, grid: Grid, heights: Sequence[float], headings: Grid | None = None, *,
    shares: Sequence[float] | None = None, first_letter: int | None = 0,
) -> None:  # fmt: skip
    """Put the rows of a grid upon what is there already, its last row lowest.

    Args:
        heights: of each row's panels.
        headings: titles of panels, None where there is none; they have letters from `first_letter` on.
        shares: of the width, for each column.
    """
    rows, columns = grid.shape
    share = np.full(columns, 1 / columns) if shares is None else np.asarray(shares) / np.sum(shares)
    around = np.full((rows, columns, 4), 12.0)  # left, right, below, above
    for _ in range(3):
        places = _places(frame, grid, heights, around, share, headings, first_letter)
        total = frame.height + places.top
        frame.figure.set_size_inches(frame.width / 72, total / 72)
        for axes, (x, y, width, height) in places.of:
            axes.set_position((x / frame.width, y / total, width / frame.width, height / total))
        for at in np.ndindex(rows, columns):
            if isinstance(panel := grid[at], Axes):
                thin(frame, panel)
                around[at] = measured_around(frame, panel)
    for axes, (x, y, width, height) in places.of:
        frame.place(axes, x, y, width, height)
    for (x, y), text, width, letter in places.headings:
        frame.heading(x, y, text, width, letter)
    frame.height = frame.height + places.top


class _Places:
    """Where panels and their titles are to be; `top` is how high all are together."""

    def __init__(self) -> None:
        self.of: list[tuple[Axes, tuple[float, float, float, float]]] = []
        self.headings: list[tuple[tuple[float, float], str, float, int | None]] = []
        self.top = 0.0


def _places(
    frame: Frame, grid: Grid, heights: Sequence[float], around: NDArray[np.float64],
    share: NDArray[np.float64], headings: Grid | None, first_letter: int | None,
) -> _Places:  # fmt: skip
    rows, columns = grid.shape
    left, right = around[:, :, 0].max(axis=0), around[:, :, 1].max(axis=0)
    below, above = around[:, :, 2].max(axis=1), around[:, :, 3].max(axis=1)
    room = frame.width - 2 * PAD - float((left + right).sum()) - GAP * (columns - 1)
    widths = room * share
    starts = PAD + np.cumsum([*(left[:1]), *(widths[:-1] + right[:-1] + GAP + left[1:])])
    places, y = _Places(), frame.height
    letters = {p: k for k, p in enumerate(p for p in np.ndindex(rows, columns) if grid[p] is not None)}
    for i in reversed(range(rows)):
        y += float(below[i])
        texts = [str(headings[i, j] or "") if headings is not None else "" for j in range(columns)]
        lettered = first_letter is not None and len(letters) > 1
        high = max(
            frame.heading_height(text, float(width), lettered=lettered)
            for text, width in zip(texts, widths, strict=True)
        )
        top = y + heights[i] + float(above[i]) + (high + CLEAR if high else 0.0)
        for j in range(columns):
            if grid[i, j] is None:
                continue
            places.of.append((grid[i, j], (float(starts[j]), y, float(widths[j]), heights[i])))
            if high:
                at = letters[i, j] + (first_letter or 0) if lettered else None
                places.headings.append(((float(starts[j]), top), texts[j], float(widths[j]), at))
        y = top + (GAP if i else 0.0)
    places.top = y - frame.height
    return places


def measured_around(frame: Frame, axes: Axes) -> tuple[float, float, float, float]:
    """Points that labels and ticks take at the left, at the right, below and above."""
    renderer = frame.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    box, whole = axes.get_window_extent(renderer), axes.get_tightbbox(renderer)
    assert whole is not None
    beyond = (box.x0 - whole.x0, whole.x1 - box.x1, box.y0 - whole.y0, whole.y1 - box.y1)
    left, right, below, above = (max(0.0, v * 72 / frame.figure.dpi) + 1.0 for v in beyond)
    return left, right, below, above


def thin(frame: Frame, axes: Axes) -> None:
    """Leave out ticks until no two labels of an axis touch; those that a figure sets itself stay."""
    for axis, log, ends in (
        (axes.xaxis, axes.get_xscale() == "log", ("x0", "x1")),
        (axes.yaxis, axes.get_yscale() == "log", ("y0", "y1")),
    ):
        for most in range(8, 1, -1):
            if isinstance(axis.get_major_locator(), FixedLocator) or _apart(frame, axis, ends):
                break
            axis.set_major_locator(LogLocator(numticks=most) if log else MaxNLocator(most - 1))


def _apart(frame: Frame, axis: Axis, ends: tuple[str, str]) -> bool:
    """Whether the labels of the ticks in view are clear of each other."""
    low, high = sorted(axis.get_view_interval())
    renderer = frame.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    labels = axis.get_majorticklabels()  # brings the ticks up to date; of labels that are switched off, none
    ticks = axis.get_major_ticks() if labels else []
    texts = [tick.label1 for tick in ticks if low <= tick.get_loc() <= high and tick.label1.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    spans = sorted((getattr(box, ends[0]), getattr(box, ends[1])) for box in boxes)
    apart = CLEAR / 72 * frame.figure.dpi
    return all(a[1] + apart <= b[0] for a, b in pairwise(spans))
