"""Heatmaps of two sweeps and of what differs between them, side by side or one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import in_words, label
from backproof.reports.differences import Differences, Panels, signed
from backproof.reports.figures.drawing.style import entitle, plain_decades, styled
from backproof.reports.figures.drawing.tiles import (
    HATCHES,
    MOST_LABELS,
    TILE,
    Scale,
    _draw_part,
    _hatch,
    _label_columns,
    _label_rows,
    colour_of,
    scale_of,
    symbol_of,
)

MOST_BESIDE = 15
"""Tiles that A, B and their difference have across together to stand beside one another; else they are
stacked, so that the figure is not shrunk to a page's width until its numbers cannot be read."""

PALETTE, PURPLE_END = "PuOr_r", 0.13
"""Orange where B is larger, purple where it is less. Both keep their distance under every dichromacy, for
deutan and protan vision more than red and blue do; neither reads as good or bad (of an error less is better,
of an accuracy more); and lightness falls on each side of zero, so that size is legible in grey. The purple
end is cut off where it would be darker than the orange one: equal differences are equally dark."""

PALE, UNCERTAIN, UNCHANGED = 0.3, "#6B6B6B", "#F2F2F2"
"""How much of its colour a tile keeps whose interval contains zero, and its ink; an unchanged tile."""

ONE_SIDE = "one side"
REASONS = {**HATCHES, ONE_SIDE: ("oo", "#8C8C8C")}
"""How a tile without a difference is hatched, by reason."""

MOST_LETTERS = 40
"""Of a sweep's name above its panel."""


def diverging() -> Colormap:
    """The colours of differences: neutral at the middle, equally dark at both ends."""
    colours = mpl.colormaps[PALETTE]
    halves = np.linspace(PURPLE_END, 0.5, 129)[:-1], np.linspace(0.5, 1, 129)
    return ListedColormap(colours(np.concatenate(halves)), name="differences")


def symmetric(values: NDArray[np.float64]) -> tuple[Normalize, bool]:
    """A scale centred at zero, and whether a value lies beyond it.

    It reaches to the largest size within three interquartile ranges of the upper quartile (Tukey, 1977), so
    that a few huge differences do not leave all others white.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not sizes.size:
        return Normalize(-1, 1), False
    lower, upper = np.quantile(sizes, [0.25, 0.75])
    end = float(sizes[sizes <= upper + 3 * (upper - lower)].max())
    return Normalize(-end, end, clip=True), bool(sizes.max() > end)


def draw_differences(found: Differences, title: str, names: tuple[str, str]) -> Figure:
    """A, B and what differs: one line of panels per small multiple, or one column where they are wide.

    `names`: of the two sweeps.
    """
    parts, of_categories = found.parts, bool(found.change.column.categories)
    rows, columns = parts[0][0].shape
    beside = 3 * max(columns, 4) <= MOST_BESIDE
    shape = (len(parts), 3) if beside else (3, len(parts))
    with styled():
        figure = Figure(figsize=_size(rows, columns, shape), layout="constrained")
        grid = figure.subplots(*shape, squeeze=False)
        panels = grid if beside else grid.T
        scale = scale_of([t for each in parts for t in each[:2]])
        norm, beyond = symmetric(found.change.stats["value"].to_numpy(float))
        hatched: dict[str, Patch] = {}
        for i, (line, tiles) in enumerate(zip(panels, parts, strict=True)):
            named = dict(zip((*_sides(found, names), _what(found)), line, strict=True))
            last_line = not beside or i == len(parts) - 1
            for j, (name, axes) in enumerate(named.items()):
                ends = {
                    "rows_named": j == 0 if beside else i == 0,
                    "columns_named": last_line if beside else j == 2,
                }
                if j < 2:
                    hatched |= _draw_side(axes, tiles[j], scale, **ends)
                else:
                    draw = _draw_changes if of_categories else _draw_moves
                    hatched |= draw(axes, tiles, norm)
                    _label(axes, tiles[2], **ends)
                _entitle_panel(axes, name, tiles[0])
        if not of_categories:
            _bars(figure, panels, found, (scale, norm, beyond))
        _legend(figure, found, hatched)
        entitle(figure, title)
        return figure


def _draw_side(
    axes: Axes, part: Tiles, scale: Scale, *, rows_named: bool, columns_named: bool
) -> dict[str, Patch]:
    """The tiles of A or B; returns the legend's entries by name."""
    _draw_part(axes, part, scale)
    _label(axes, part, rows_named=rows_named, columns_named=columns_named)
    return _hatch(axes, part)


def _label(axes: Axes, part: Tiles, *, rows_named: bool, columns_named: bool) -> None:
    _label_rows(axes, part, named=rows_named)
    _label_columns(axes, part, named=columns_named)


def _sides(found: Differences, names: tuple[str, str]) -> list[str]:
    how = "" if found.a.categories else f" ({found.a.aggregate})"
    cut = [name if len(name) <= MOST_LETTERS else f"{name[:MOST_LETTERS]}…" for name in names]
    return [f"{letter}: {name}{how}" for letter, name in zip("AB", cut, strict=True)]


def _what(found: Differences) -> str:
    if found.change.column.categories:
        return "changed from A to B"
    what = "log10(B/A)" if found.change.column.compared == "ratio" else "B − A"
    return f"{what} (mean of pairs)"


def _size(rows: int, columns: int, shape: tuple[int, int]) -> tuple[float, float]:
    down, across = shape
    width = min(max(columns, 4), 60) * TILE[0] * across + 3.6 + 0.2 * across
    return width, (min(max(rows, 2), 80) * TILE[1] + 0.55) * down + 1.7


def _entitle_panel(axes: Axes, name: str, part: Tiles) -> None:
    shared = ", ".join(f"{axis}={label(value)}" for axis, value in part.facet)
    axes.set_title(
        f"{name}, {shared}" if shared else name, fontsize=9, pad=18 if len(part.column_axes) > 1 else 5,
        parse_math=False,
    )  # fmt: skip


def _draw_moves(axes: Axes, tiles: Panels, norm: Normalize) -> dict[str, Patch]:
    """The differences of numbers: bold where the interval leaves zero out, pale where it contains zero."""
    stats, colours = tiles[2].stats, diverging()
    low, high = stats["interval_low"].to_numpy(float), stats["interval_high"].to_numpy(float)
    certain, unsure = (low > 0) | (high < 0), (low <= 0) & (high >= 0)
    values = stats["value"].to_numpy(float)
    fills = colours(norm(np.where(np.isfinite(values), values, 0)))[:, :3]
    fills = np.where((unsure & (values != 0))[:, None], 1 - PALE * (1 - fills), fills)
    texts = [_text(stats, i, tiles[2]) if np.isfinite(values[i]) else "" for i in range(len(stats))]
    _fill(axes, tiles[2], fills, np.isfinite(values))
    _write(axes, tiles[2], texts, fills, bold=certain, pale=unsure)
    none = {
        i: ("left out: one side has no value", "null")
        if stats["left_out"].iloc[i]
        else ("no value", "no value")
        for i in np.flatnonzero(~np.isfinite(values))
    }
    return _hatch_by(axes, tiles[2], none)


def _text(stats: Any, i: int, part: Tiles) -> str:
    """A difference; beneath it, of how many of its pairs, where some have none."""
    shown = signed(float(stats["value"].iloc[i]), part.column)
    pairs, left_out = int(stats["pairs"].iloc[i]), int(stats["left_out"].iloc[i])
    return f"{shown}\n{pairs} of {pairs + left_out}" if left_out else shown


def _draw_changes(axes: Axes, tiles: Panels, _: Normalize) -> dict[str, Patch]:
    """The changes of categories: both symbols where a tile shows another, else how many pairs changed."""
    a, b, change = tiles
    stats, count = change.stats, len(a.categories)
    fills, texts, bold = np.empty((len(stats), 3)), list[str](), np.zeros(len(stats), bool)
    for i, (x, y) in enumerate(zip(a.stats["value"], b.stats["value"], strict=True)):
        pairs, changed = int(stats["pairs"].iloc[i]), int(stats["changed"].iloc[i])
        bold[i] = changed > 0 and not (x == y or (np.isnan(x) and np.isnan(y)))
        new = a.categories[int(y)] if np.isfinite(y) else ""
        colour = np.array(to_rgb(colour_of(new, int(y), count) if new else "#FFFFFF"))
        fills[i] = colour if bold[i] else 1 - PALE * (1 - colour) if changed else to_rgb(UNCHANGED)
        texts.append(
            f"{_symbol(a, x)} → {_symbol(a, y)}" if bold[i] else f"{changed}/{pairs}" if changed else ""
        )
    there = stats["pairs"].to_numpy(int) > 0
    _fill(axes, change, fills, there)
    _write(axes, change, texts, fills, bold=bold, pale=~bold)
    return _hatch_by(axes, change, dict.fromkeys(np.flatnonzero(~there), ("no cell", "no cell")))


def _symbol(part: Tiles, code: float) -> str:
    return symbol_of(part.categories[int(code)], int(code)) if np.isfinite(code) else "–"


def _fill(axes: Axes, part: Tiles, fills: NDArray[np.float64], there: NDArray[np.bool_]) -> None:
    """Coloured tiles; those that are not there stay white."""
    rows, columns = part.shape
    colours = np.where(there[:, None], fills, 1.0).reshape(rows, columns, 3)
    axes.pcolormesh(
        np.arange(columns + 1),
        np.arange(rows + 1),
        colours,
        edgecolors="white",
        linewidth=0.8,
        antialiased=True,
    )
    axes.set_ylim(rows, 0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(
    axes: Axes,
    part: Tiles,
    texts: Sequence[str],
    fills: NDArray[np.float64],
    *,
    bold: NDArray[np.bool_],
    pale: NDArray[np.bool_],
) -> None:
    """Numbers or symbols in the tiles, as long as they are legible."""
    if max(part.shape) > MOST_LABELS:
        return
    dark = fills @ np.array([0.299, 0.587, 0.114]) < 0.5
    for i, text in enumerate(texts):
        row, column = divmod(i, part.shape[1])
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8,
            fontweight="bold" if bold[i] else "normal",
            color=UNCERTAIN if pale[i] else "white" if dark[i] else "#111111",
        )  # fmt: skip


def _hatch_by(axes: Axes, part: Tiles, reasons: Mapping[Any, tuple[str, str]]) -> dict[str, Patch]:
    """Hatch tiles by their reason, a name and a kind of REASONS; returns the legend's entries."""
    used = {}
    for i, (name, kind) in reasons.items():
        hatch, colour = REASONS[kind]
        look: dict[str, Any] = {"hatch": hatch, "edgecolor": colour, "facecolor": "none"}
        row, column = divmod(int(i), part.shape[1])
        axes.add_patch(Rectangle((column, row), 1, 1, linewidth=0, **look))
        used[name] = Patch(label=name, linewidth=0.5, **look)
    return used


def _bars(
    figure: Figure, panels: NDArray[Any], found: Differences, scales: tuple[Scale, Normalize, bool]
) -> None:
    """The scale of A and B, and that of their differences."""
    scale, norm, beyond = scales
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(scale.clipped, "neither")
    for axes, source, unit, extend in (
        (panels[:, :2], mpl.cm.ScalarMappable(scale.norm, scale.colours), found.a.column.unit, ends),
        (panels[:, 2], mpl.cm.ScalarMappable(norm, diverging()), found.change.column.unit,
         "both" if beyond else "neither"),
    ):  # fmt: skip
        bar = figure.colorbar(source, ax=list(axes.ravel()), extend=extend, pad=0.02, aspect=25)
        bar.set_label(unit, fontsize=8)
        bar.outline.set_visible(False)
        if isinstance(source.norm, LogNorm):
            plain_decades(bar.ax.yaxis)


def _legend(figure: Figure, found: Differences, hatched: Mapping[str, Patch]) -> None:
    handles, notes = list(hatched.values()), []
    if found.change.column.categories:
        present = sorted(
            {int(v) for t in (found.a, found.b) for v in t.stats["value"][np.isfinite(t.stats["value"])]}
        )
        names = found.a.categories
        handles = [
            Patch(facecolor=colour_of(names[i], i, len(names)), label=f"{symbol_of(names[i], i)}  {names[i]}")
            for i in present
        ] + handles
        if (found.change.stats["changed"] > 0).any():
            notes.append("k/n: so many pairs of cells changed, what the tile shows did not")
    elif found.change.stats["interval_low"].notna().any():
        notes.append("bold: 95 % interval over seeds without zero; pale: with zero in it")
    else:
        notes.append("too few seeds for intervals")
    if found.a.pooled:
        notes.append(f"pooled: {in_words(found.a.pooled)}")
    note = "; ".join(notes) or None
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False,
            fontsize=8, title=note, title_fontsize=8,
        )  # fmt: skip
    elif note:
        figure.supxlabel(note, fontsize=8)
