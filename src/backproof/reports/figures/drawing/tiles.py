"""Heatmaps: tiles annotated, tiles without a value hatched, small multiples of one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import Key, in_words, label
from backproof.reports.boundaries import Segment
from backproof.reports.figures.drawing.style import entitle, plain_decades, styled
from backproof.reports.numbers import number
from backproof.sweeps.status import Status
from backproof.verdicts.verdict import Verdict

ERROR_NORM = LogNorm(1e-16, 1, clip=True)
"""One scale for every gradient error in every report, so that figures can be laid side by side."""

COLOURS = "cividis"

TILE = (0.62, 0.36)
"""Inches across and down that a tile takes."""

MOST_LABELS = 40
"""Beyond so many rows or columns, numbers in the tiles would not be legible."""

MOST_ACROSS = 26
"""Tiles that stand side by side at most before small multiples begin a new line."""

HATCHES = {
    "null": ("////", "#8C8C8C"),
    Status.FAILED: ("xxxx", "#D55E00"),
    Status.EXCLUDED: ("\\\\", "#8C8C8C"),
    Status.PENDING: ("++", "#56B4E9"),
    "no value": ("--", "#BBBBBB"),
    "no cell": ("..", "#BBBBBB"),
}
"""How tiles without a value are hatched, by reason."""


BOUNDARY, EDGE = "#CC0077", "edge found by refinement"
"""The colour of an edge's line, which no verdict has, and its name in the legend."""


@dataclass(frozen=True)
class Scale:
    """Colours and their norm, for all small multiples of a figure.

    Attributes:
        clipped: whether there are values below the least colour's, and above the greatest's.
    """

    colours: Colormap
    norm: Normalize
    clipped: tuple[bool, bool] = (False, False)


def draw_tiles(parts: Sequence[Tiles], title: str, lines_of: Sequence[Sequence[Segment]] = ()) -> Figure:
    """A heatmap, or small multiples of several: annotated, tiles without a value hatched.

    `lines_of`: for each part, the boundaries that a refinement found.
    """
    rows, columns = parts[0].shape
    across = min(len(parts), max(1, MOST_ACROSS // max(columns, 4)))
    lines = -(-len(parts) // across)
    with styled():
        width = min(max(columns, 4), 60) * TILE[0] * across + 3.2
        height = (min(max(rows, 2), 80) * TILE[1] + 0.5 * (len(parts) > 1)) * lines + 1.9
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(lines, across, squeeze=False)
        scale = scale_of(parts)
        hatched: dict[str, Patch] = {}
        for i, (axes, part) in enumerate(zip(grid.flat, parts, strict=False)):
            _draw_part(axes, part, scale)
            hatched |= _hatch(axes, part)
            if i < len(lines_of) and lines_of[i]:
                hatched |= _draw_lines(axes, lines_of[i])
            _label_rows(axes, part, named=i % across == 0)
            _label_columns(axes, part, named=i + across >= len(parts))
        for axes in grid.flat[len(parts) :]:
            axes.set_axis_off()
        _explain(figure, grid, parts, scale, hatched)
        if len(parts) > 1:
            entitle(figure, title)
        else:
            pad = 26 if len(parts[0].column_axes) > 1 else 8
            grid[0, 0].set_title(title, loc="left", fontweight="bold", pad=pad)
        return figure


def draw_panels(parts: Mapping[str, Tiles], title: str) -> Figure:
    """Heatmaps by their titles, one below the other: each has rows and columns of its own.

    Tiles have one size and one scale in all of them.
    """
    if len(parts) == 1:
        return draw_tiles(list(parts.values()), title)
    rows = [len(part.rows) for part in parts.values()]
    widest = max(len(part.columns) for part in parts.values())
    with styled():
        width, height = max(widest, 4) * TILE[0] + 3.2, sum(rows) * TILE[1] + 2.1 * len(parts)
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(len(parts), 1, squeeze=False, height_ratios=rows)
        scale = scale_of(list(parts.values()))
        for axes, (name, part) in zip(grid.flat, parts.items(), strict=True):
            _draw_part(axes, part, scale)
            _label_rows(axes, part, named=True)
            _label_columns(axes, part, named=True)
            axes.set_xlim(0, widest)  # a narrow panel leaves room at its right
            axes.xaxis.label.set_x(len(part.columns) / widest / 2)
            axes.set_title(name, loc="left", fontsize=9)
        _explain(figure, grid, list(parts.values()), scale, {})
        entitle(figure, title)
        return figure


def _draw_part(axes: Axes, part: Tiles, scale: Scale) -> None:
    """The coloured and annotated tiles of one panel."""
    values = part["value"]
    shown = np.isfinite(values)
    sns.heatmap(
        np.where(shown, values, np.nan), mask=~shown, cmap=scale.colours, norm=scale.norm,
        vmin=scale.norm.vmin, vmax=scale.norm.vmax, linewidths=0.8, linecolor="white", cbar=False, ax=axes,
        annot=_texts(part) if max(part.shape) <= MOST_LABELS else None, fmt="", annot_kws={"fontsize": 8},
        xticklabels=False, yticklabels=False,  # ours say more; seaborn draws a figure once to see if its fit
    )  # fmt: skip
    if part.facet:
        shared = ", ".join(f"{axis}={label(value)}" for axis, value in part.facet)
        axes.set_title(shared, fontsize=9, pad=18 if len(part.column_axes) > 1 else 5)


def _draw_lines(axes: Axes, lines: Sequence[Segment]) -> dict[str, Patch]:
    """Boundaries, legible upon any tile; returns the legend's entry by name."""
    for colour, width in (("white", 4.0), (BOUNDARY, 2.0)):
        axes.add_collection(
            LineCollection(list(lines), colors=colour, linewidths=width, capstyle="butt"), autolim=False
        )
    return {EDGE: Patch(facecolor=BOUNDARY, label=EDGE)}


def _explain(
    figure: Figure, grid: NDArray[Any], parts: Sequence[Tiles], scale: Scale, hatched: Mapping[str, Patch]
) -> None:
    """A scale of colours for numbers; a legend for categories and for what is hatched."""
    first, handles = parts[0], list(hatched.values())
    if first.column.categories:
        present = sorted({int(v) for p in parts for v in p.stats["value"][np.isfinite(p.stats["value"])]})
        named = [(first.categories[i], i) for i in present]
        handles = [
            Patch(facecolor=colour_of(c, i, len(first.categories)), label=f"{symbol_of(c, i)}  {c}")
            for c, i in named
        ] + handles
    else:
        height = float(figure.get_size_inches()[1])
        source, shrink = mpl.cm.ScalarMappable(scale.norm, scale.colours), min(1.0, 2.2 / height + 0.4)
        beyond = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
            scale.clipped, "neither"
        )
        bar = figure.colorbar(source, ax=grid, label=first.column.unit, shrink=shrink, extend=beyond)
        bar.outline.set_visible(False)
        if isinstance(scale.norm, LogNorm):
            plain_decades(bar.ax.yaxis)
    pooled = f"pooled: {in_words(first.pooled)}" if first.pooled else None
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False,
            fontsize=8, title=pooled, title_fontsize=8,
        )  # fmt: skip
    elif pooled:
        figure.supxlabel(pooled, fontsize=8)


def scale_of(parts: Sequence[Tiles]) -> Scale:
    """Colours and norm for all small multiples of a figure."""
    column, categories = parts[0].column, parts[0].categories
    if column.categories:
        palette = [colour_of(c, i, len(categories)) for i, c in enumerate(categories)] or ["#FFFFFF"]
        return Scale(ListedColormap(palette), Normalize(-0.5, len(palette) - 0.5))
    values = np.concatenate([part["value"].ravel() for part in parts])
    norm, finite = _norm(column.scale, values), values[np.isfinite(values)]
    low, high = (float(end or 0.0) for end in (norm.vmin, norm.vmax))
    slack = 1e-12 * np.abs([low, high])  # the ends of a logarithmic scale are rounded
    clipped = (bool((finite < low - slack[0]).any()), bool((finite > high + slack[1]).any()))
    return Scale(mpl.colormaps[COLOURS], norm, clipped)


def _norm(scale: str, values: NDArray[np.float64]) -> Normalize:
    """Equal steps of colour over the values; those far outside the others have the colour of the end."""
    if scale == "error":
        return ERROR_NORM
    if scale == "share":
        return Normalize(0, 1)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0, 1)
    if finite.min() > 0 and finite.max() > 100 * finite.min():
        low, high = np.exp(_ends(np.log(finite)))
        return LogNorm(low, high, clip=True)
    return Normalize(*_ends(finite), clip=True)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the greatest value within three interquartile ranges of the quartiles (Tukey, 1977)."""
    lower, upper = np.quantile(values, [0.25, 0.75])
    far = 3 * (upper - lower)
    inside = values[(values >= lower - far) & (values <= upper + far)] if far > 0 else values
    return float(inside.min()), float(inside.max())


def symbol_of(category: str, i: int) -> str:
    """A verdict's symbol; other categories are numbered."""
    return Verdict(category).symbol if category in set(Verdict) else str(i + 1)


def colour_of(category: str, i: int, count: int) -> str:
    """A verdict's colour; other categories take theirs from a wheel of lightnesses, for print."""
    if category in set(Verdict):
        return Verdict(category).colour
    return str(mpl.colors.to_hex(sns.color_palette("husl", max(count, 2))[i]))


def _texts(part: Tiles) -> NDArray[np.object_]:
    counts = part.stats.loc[np.isfinite(part.stats["value"]), "n"]
    uneven = part.cells.size > 0 and len(counts) > 0 and counts.min() < counts.max()
    texts = [_text(part, i, uneven=uneven) for i in range(len(part.stats))]
    return np.array(texts, object).reshape(part.shape)


def _text(part: Tiles, i: int, *, uneven: bool) -> str:
    """What stands in a tile: a number, or a symbol and in how many cells it is right.

    Beneath a number, in how many of its cells there is one at all, and where tiles differ in it, how many
    cells it is of.
    """
    names = ("value", "n", "agreeing", "infinite")
    value, n, agreeing, infinite = (float(part[name].flat[i]) for name in names)
    if not np.isfinite(value):
        return ""
    if part.column.categories:
        symbol = symbol_of(part.categories[int(value)], int(value))
        return symbol if n == agreeing else f"{symbol} {agreeing:.0f}/{n:.0f}"
    shown = number(value, part.column.format)
    if infinite:
        return f"{shown}\n{n - infinite:.0f} of {n:.0f}"
    return f"{shown}\nn = {n:.0f}" if uneven else shown


def _hatch(axes: Axes, part: Tiles) -> dict[str, Patch]:
    """Hatch what has no number, each reason its own way; returns the legend's entries by name."""
    used: dict[str, Patch] = {}
    if not part.cells.size and part.aggregate == "share":
        return used  # in a figure of shares, a tile without a number is one without cells, and stays empty
    for i in range(len(part.stats)):
        if reason := _reason(part, i):
            name, kind = reason
            hatch, colour = HATCHES[kind]
            look: dict[str, Any] = {"hatch": hatch, "edgecolor": colour, "linewidth": 0, "facecolor": "none"}
            row, column = divmod(i, len(part.columns))
            axes.add_patch(Rectangle((column, row), 1, 1, **look))
            used.setdefault(name, Patch(label=name, **{**look, "linewidth": 0.5}))
    return used


def _reason(part: Tiles, i: int) -> tuple[str, str] | None:
    """Why a tile is hatched, as a name and a kind of HATCHES; None where it has a value and no failures."""
    tile = part.stats.iloc[i]
    if np.isinf(tile["value"]):
        return part.column.null or "not finite", "null"
    if np.isfinite(tile["value"]) and not tile["failed"]:
        return None
    for status in (Status.FAILED, Status.EXCLUDED, Status.PENDING):
        if tile[status]:
            return status.shown, status
    if tile["finished"]:
        return (part.column.null if part.column.categories and part.column.null else "no value"), "no value"
    return "no cell", "no cell"


def _label_rows(axes: Axes, part: Tiles, *, named: bool) -> None:
    inner = [label(key[-1]) if key else "" for key in part.rows]
    axes.set_yticks(np.arange(len(inner)) + 0.5, inner, rotation=0)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("")
    axes.set_xlabel("")
    nested = len(part.row_axes) > 1
    if nested:
        _separate(axes.axhline, part.rows)
    if not named:
        axes.set_yticks([])
    elif not nested:
        axes.set_ylabel(" × ".join(part.row_axes))
    else:
        groups = _groups(part.rows)
        outer = axes.secondary_yaxis(-0.01)
        outer.set_yticks([middle for _, middle in groups], [text for text, _ in groups], rotation=0)
        outer.tick_params(length=0, pad=8 + 6.2 * max(map(len, inner)))
        outer.spines["left"].set_visible(False)
        outer.set_ylabel(" × ".join(part.row_axes))


def _label_columns(axes: Axes, part: Tiles, *, named: bool) -> None:
    inner = [label(key[-1]) if key else "" for key in part.columns]
    steep = max((len(text) for text in inner), default=0) > 7
    axes.set_xticks(
        np.arange(len(inner)) + 0.5, inner, rotation=40 if steep else 0, ha="right" if steep else "center"
    )
    axes.tick_params(axis="x", length=0)
    if named:
        axes.set_xlabel(" × ".join(part.column_axes))
    else:
        axes.set_xticks([])
    if len(part.column_axes) > 1:
        groups = _groups(part.columns)
        outer = axes.secondary_xaxis(1.0)
        outer.set_xticks([middle for _, middle in groups], [text for text, _ in groups])
        outer.tick_params(length=0, pad=2)
        outer.spines["top"].set_visible(False)
        _separate(axes.axvline, part.columns)


def _groups(keys: Sequence[Key]) -> list[tuple[str, float]]:
    """Runs of keys that share all but their last axis: a label, and the middle of the run."""
    groups, start = [], 0
    for outer, run in groupby(keys, key=lambda k: k[:-1]):
        size = len(list(run))
        groups.append((", ".join(map(label, outer)), start + size / 2))
        start += size
    return groups


def _separate(line: Callable[..., object], keys: Sequence[Key]) -> None:
    for i in range(1, len(keys)):
        if keys[i][:-1] != keys[i - 1][:-1]:
            line(i, color="black", linewidth=0.9)
