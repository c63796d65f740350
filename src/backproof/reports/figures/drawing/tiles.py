"""Heatmaps: tiles coloured by value and annotated, those without one hatched, small multiples of one scale.

How large tiles, labels and legend are is settled before anything is drawn, in `plan_of`, by measured text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import Key
from backproof.reports.boundaries import Segment
from backproof.reports.figures.drawing.colours import (
    BOUNDARY,
    EDGE,
    Scale,
    colour_of,
    scale_of,
    symbol_of,
)
from backproof.reports.figures.drawing.frame import GAP, PAD, Frame
from backproof.reports.figures.drawing.measure import height_of, width_of
from backproof.reports.figures.drawing.plan import Plan, plan_of
from backproof.reports.figures.drawing.scales import bar_beneath, bar_beside
from backproof.reports.figures.drawing.sides import CLEAR, Strip
from backproof.reports.figures.drawing.style import SCREEN, Sheet, styled
from backproof.reports.labels import Labels, shipped
from backproof.sweeps.status import Status

HATCHES = {
    "null": ("////", "#8C8C8C"),
    Status.FAILED: ("xxxx", "#D55E00"),
    Status.EXCLUDED: ("\\\\", "#8C8C8C"),
    Status.PENDING: ("++", "#56B4E9"),
    "no value": ("--", "#BBBBBB"),
    "no cell": ("..", "#BBBBBB"),
}
"""How tiles without a value are hatched, by reason."""


def draw_tiles(
    parts: Sequence[Tiles], title: str, lines_of: Sequence[Sequence[Segment]] = (), *,
    sheet: Sheet = SCREEN, labels: Labels | None = None,
) -> Figure:  # fmt: skip
    """A heatmap, or small multiples of several with the same rows and columns.

    `lines_of`: for each part, the boundaries that a refinement found.

    Raises:
        ConfigurationError: if the sheet is too narrow.
    """
    labels = labels or shipped()
    names = [labels.settings(dict(part.facet)) for part in parts]
    return _drawn(plan_of(parts, names, sheet, labels, alike=True), parts, title, lines_of, sheet, labels)


def draw_panels(
    parts: Mapping[str, Tiles], title: str, *, sheet: Sheet = SCREEN, labels: Labels | None = None
) -> Figure:
    """Heatmaps by their titles, one below the other: each has rows and columns of its own.

    Tiles have one size and one scale in all of them.

    Raises:
        ConfigurationError: if the sheet is too narrow.
    """
    labels, tiles = labels or shipped(), list(parts.values())
    names = list(parts) if len(parts) > 1 else [""]
    return _drawn(plan_of(tiles, names, sheet, labels, alike=False), tiles, title, (), sheet, labels)


def _drawn(
    plan: Plan, parts: Sequence[Tiles], title: str, lines_of: Sequence[Sequence[Segment]], sheet: Sheet,
    labels: Labels,
) -> Figure:  # fmt: skip
    """The figure, from below: legend, scale, then line after line of panels."""
    scale = scale_of(parts)
    with styled(sheet):
        frame = Frame(sheet, plan.width)
        hatched: dict[str, Artist] = {}
        drawn = []
        for i, part in enumerate(parts):
            axes = frame.figure.add_axes((0.1, 0.1, 0.5, 0.5), label=str(i))
            draw_part(axes, part, scale, plan, i)
            hatched |= hatch(axes, part)
            if i < len(lines_of) and lines_of[i]:
                hatched |= _draw_lines(axes, lines_of[i])
            drawn.append(axes)
        first = parts[0]
        frame.remark(f"pooled: {labels.in_words(first.pooled)}" if first.pooled else "", *plan.remarks)
        frame.legend([*_categories(parts), *hatched.values()], most=3)
        if not first.column.categories and not plan.bar_beside:
            bar_beneath(frame, scale, first.column.unit, plan.left)
        for line in reversed(range(plan.lines)):
            stack_panels(frame, plan, drawn, line)
        if not first.column.categories and plan.bar_beside:
            bar_beside(frame, scale, first.column.unit, plan.right_of_tiles + 2 * GAP)
        return frame.finish(title)


def stack_panels(frame: Frame, plan: Plan, drawn: Sequence[Axes], line: int) -> None:
    """Put a line of panels upon what is there already, between labels of columns, and groups and titles."""
    here = range(line * plan.across, min((line + 1) * plan.across, len(drawn)))
    named = [i for i in here if plan.names_columns(i)]
    if text := plan.column_heading(line):
        half = width_of(text, frame.sheet.base) / 2
        middle = min(max(plan.left + plan.wide(line) / 2, PAD + half), frame.width - PAD - half)
        look = {"ha": "center", "va": "bottom", "linespacing": 1.1}
        frame.text(middle, frame.height, text, size=frame.sheet.base, **look)
        frame.height += height_of(text, frame.sheet.base) + 1
    frame.height += max((plan.columns[i].inner.depth for i in named), default=GAP / 2)
    height = plan.tile[1] * max(len(plan.rows[i].inner.texts) for i in here)
    for i in here:
        x = plan.x_of(i)
        width = plan.tile[0] * len(plan.columns[i].inner.texts)
        tall = plan.tile[1] * len(plan.rows[i].inner.texts)
        frame.place(drawn[i], x, frame.height + height - tall, width, tall)
        _name_rows(frame, plan, drawn[i], i)
        _name_columns(drawn[i], plan, i, named=i in named)
    frame.height += height + max(plan.columns[i].above for i in here)
    if any(plan.names[i] for i in here) or plan.lettered:
        top = frame.height + CLEAR + max(plan.heading_height(i) for i in here)
        for i in here:
            shown = min(plan.room_of(i), frame.width - PAD - plan.x_of(i))
            frame.heading(plan.x_of(i), top, plan.names[i], shown, i if plan.lettered else None)
        frame.height = top
    frame.height += GAP if line else 0


def draw_part(axes: Axes, part: Tiles, scale: Scale, plan: Plan, at: int) -> None:
    """The coloured and annotated tiles of one panel."""
    values, written = part["value"], plan.written[at]
    rows, columns = values.shape
    shown = np.isfinite(values)
    sns.heatmap(
        np.where(shown, values, np.nan), mask=~shown, cmap=scale.colours, norm=scale.norm, cbar=False,
        vmin=scale.norm.vmin, vmax=scale.norm.vmax, ax=axes,
        linewidths=min(0.8, plan.tile[0] / 20), linecolor="white",
        annot=written, fmt="", annot_kws={"fontsize": plan.written_size, "linespacing": 1.1},
        xticklabels=False, yticklabels=False,  # ours say more; seaborn draws a figure once to see if its fit
    )  # fmt: skip
    axes.tick_params(length=0)
    if part.aggregate == "share":  # most tiles are empty: lines lead the eye to their labels
        for line, count in ((axes.axhline, rows), (axes.axvline, columns)):
            for i in range(count + 1):
                line(i, color="#E6E6E6", linewidth=0.5, zorder=0)


def _draw_lines(axes: Axes, lines: Sequence[Segment]) -> dict[str, Patch]:
    """Boundaries, legible upon any tile; returns the legend's entry by name."""
    for colour, width in (("white", 4.0), (BOUNDARY, 2.0)):
        axes.add_collection(
            LineCollection(list(lines), colors=colour, linewidths=width, capstyle="butt"), autolim=False
        )
    return {EDGE: Patch(facecolor=BOUNDARY, label=EDGE)}


def _categories(parts: Sequence[Tiles]) -> list[Artist]:
    """The legend's entries of the categories that are shown."""
    categories = parts[0].categories
    if not parts[0].column.categories:
        return []
    present = sorted({int(v) for p in parts for v in p.stats["value"][np.isfinite(p.stats["value"])]})
    return [
        Patch(
            facecolor=colour_of(categories[i], i),
            label=f"{symbol_of(categories[i], i)}  {categories[i]}",
        )
        for i in present
    ]


def hatch(axes: Axes, part: Tiles) -> dict[str, Patch]:
    """Hatch what has no number, each reason its own way; returns the legend's entries by name."""
    used: dict[str, Patch] = {}
    if not part.cells.size and part.aggregate == "share":
        return used  # in a figure of shares, a tile without a number is one without cells, and stays empty
    for i in range(len(part.stats)):
        if reason := _reason(part, i):
            name, kind = reason
            strokes, colour = HATCHES[kind]
            look: dict[str, Any] = {
                "hatch": strokes,
                "edgecolor": colour,
                "facecolor": "none",
            }
            row, column = divmod(i, len(part.columns))
            axes.add_patch(Rectangle((column, row), 1, 1, linewidth=0, **look))
            used.setdefault(name, Patch(label=name, linewidth=0.5, **look))
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


def _name_rows(frame: Frame, plan: Plan, axes: Axes, i: int) -> None:
    """Labels of a panel's rows, those of their groups at the left, and the axes' names along them."""
    side = plan.rows[i]
    axes.tick_params(axis="y", length=0, pad=CLEAR)
    if side.outer:
        _separate(axes.axhline, plan.row_keys[i])
    if i % plan.across:
        axes.set_yticks([])
        return
    _ticks(axes.set_yticks, side.inner, ha="right", va="center")
    if side.outer:
        outer = axes.secondary_yaxis(0.0)
        _ticks(outer.set_yticks, side.outer, ha="right", va="center")
        outer.tick_params(length=0, pad=side.inner.depth + CLEAR)
        outer.spines["left"].set_visible(False)
    if plan.row_headings[i]:
        height = plan.tile[1] * len(side.inner.texts)
        top = frame.height
        frame.text(
            PAD, top + height / 2, plan.row_headings[i], size=frame.sheet.base, rotation=90, ha="left",
            va="center", multialignment="center",
        )  # fmt: skip


def _name_columns(axes: Axes, plan: Plan, i: int, *, named: bool) -> None:
    """Labels of a panel's columns, those of their groups above."""
    side = plan.columns[i]
    axes.tick_params(axis="x", length=0, pad=CLEAR - 1)
    if named:
        _ticks(axes.set_xticks, side.inner, ha="center", va="top")
    else:
        axes.set_xticks([])
    if side.outer:
        outer = axes.secondary_xaxis(1.0)
        _ticks(outer.set_xticks, side.outer, ha="center", va="bottom")
        outer.tick_params(length=0, pad=CLEAR - 1)
        outer.spines["top"].set_visible(False)
        _separate(axes.axvline, plan.column_keys[i])


def _ticks(put: Callable[..., object], strip: Strip, *, ha: str, va: str) -> None:
    put(
        strip.middles, strip.texts, size=strip.size, rotation=90 if strip.turned else 0, ha=ha, va=va,
        linespacing=1.1, multialignment="center" if ha == "center" else "right",
    )  # fmt: skip


def _separate(line: Callable[..., object], keys: Sequence[Key]) -> None:
    for i in range(1, len(keys)):
        if keys[i][:-1] != keys[i - 1][:-1]:
            line(i, color="black", linewidth=0.9)
