"""Heatmaps of two sweeps and of what differs between them, side by side or one below the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from backproof.reports.aggregation import Tiles
from backproof.reports.differences import Differences, Panels, signed
from backproof.reports.figures.drawing.colours import Scale, colour_of, scale_of, symbol_of
from backproof.reports.figures.drawing.frame import Frame
from backproof.reports.figures.drawing.plan import Plan, Texts, plan_of, texts_in
from backproof.reports.figures.drawing.scales import bar_beneath
from backproof.reports.figures.drawing.style import SCREEN, styled
from backproof.reports.figures.drawing.tiles import HATCHES, draw_part, hatch, stack_panels
from backproof.reports.labels import Labels, shipped

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
    labels, parts = shipped(), found.parts
    beside = 3 * max(parts[0][0].shape[1], 4) <= MOST_BESIDE
    of_three = list(zip((*_sides(names), _what(found)), zip(*parts, strict=True), strict=True))
    named = [(j, name, i) for j, (name, of_kind) in enumerate(of_three) for i in range(len(of_kind))]
    named = sorted(named, key=lambda at: at[2]) if beside else named
    tiles = [parts[i][j] for j, _, i in named]
    titles = [", ".join([name, *(labels.value(*pair) for pair in parts[i][0].facet)]) for _, name, i in named]
    texts = [_texts(found, parts[i]) if j == 2 else texts_in(parts[i][j]) for j, _, i in named]
    across = 3 if beside else len(parts)
    plan = plan_of(tiles, titles, SCREEN, labels, alike=True, texts=texts, across=across, beneath=True)
    scale, (norm, beyond) = (
        scale_of([t for each in parts for t in each[:2]]),
        symmetric(found.change.stats["value"].to_numpy(float)),
    )
    with styled():
        frame, hatched, drawn = Frame(SCREEN, plan.width), dict[str, Patch](), list[Axes]()
        for at, (j, _, i) in enumerate(named):
            axes = frame.figure.add_axes((0.1, 0.1, 0.5, 0.5), label=str(at))
            if j < 2:
                draw_part(axes, parts[i][j], scale, plan, at)
                hatched |= hatch(axes, parts[i][j])
            else:
                draw = _draw_changes if found.change.column.categories else _draw_moves
                hatched |= draw(axes, parts[i], norm, plan, at)
            drawn.append(axes)
        frame.remark(*_notes(found, labels), *plan.remarks)
        frame.legend([*_categories(found), *hatched.values()], most=3)
        if not found.change.column.categories:
            ends = (beyond, beyond)
            bar_beneath(frame, Scale(diverging(), norm, ends), found.change.column.unit, plan.left)
            bar_beneath(frame, scale, found.a.column.unit, plan.left)
        for line in reversed(range(plan.lines)):
            stack_panels(frame, plan, drawn, line)
        return frame.finish(title)


def _sides(names: tuple[str, str]) -> list[str]:
    cut = [name if len(name) <= MOST_LETTERS else f"{name[:MOST_LETTERS]}…" for name in names]
    return [f"{letter}: {name}" for letter, name in zip("AB", cut, strict=True)]


def _what(found: Differences) -> str:
    if found.change.column.categories:
        return "A → B"
    return "log10(B/A)" if found.change.column.compared == "ratio" else "B − A"


def _texts(found: Differences, tiles: Panels) -> Texts:
    """What stands in the tiles of what differs."""
    a, b, change = tiles
    stats = change.stats
    if found.change.column.categories:
        texts = [_changed(a, b, change, i) for i in range(len(stats))]
    else:
        finite = np.isfinite(stats["value"].to_numpy(float))
        texts = [_text(stats, i, change) if finite[i] else "" for i in range(len(stats))]
    return np.array(texts, object).reshape(change.shape)


def _changed(a: Tiles, b: Tiles, change: Tiles, i: int) -> str:
    """Both symbols where a tile shows another category, else how many pairs changed."""
    x, y = a.stats["value"].iloc[i], b.stats["value"].iloc[i]
    pairs, changed = int(change.stats["pairs"].iloc[i]), int(change.stats["changed"].iloc[i])
    if changed and not (x == y or (np.isnan(x) and np.isnan(y))):
        return f"{_symbol(a, x)} → {_symbol(a, y)}"
    return f"{changed}/{pairs}" if changed else ""


def _draw_moves(axes: Axes, tiles: Panels, norm: Normalize, plan: Plan, at: int) -> dict[str, Patch]:
    """The differences of numbers: bold where the interval leaves zero out, pale where it contains zero."""
    stats, colours = tiles[2].stats, diverging()
    low, high = stats["interval_low"].to_numpy(float), stats["interval_high"].to_numpy(float)
    certain, unsure = (low > 0) | (high < 0), (low <= 0) & (high >= 0)
    values = stats["value"].to_numpy(float)
    fills = colours(norm(np.where(np.isfinite(values), values, 0)))[:, :3]
    fills = np.where((unsure & (values != 0))[:, None], 1 - PALE * (1 - fills), fills)
    _fill(axes, tiles[2], fills, np.isfinite(values))
    _write(axes, plan, at, fills, bold=certain, pale=unsure)
    none = {
        i: ("one side has no value", ONE_SIDE) if stats["left_out"].iloc[i] else ("no value", "no value")
        for i in np.flatnonzero(~np.isfinite(values))
    }
    return _hatch_by(axes, tiles[2], none)


def _text(stats: Any, i: int, part: Tiles) -> str:
    """A difference; beneath it, of how many of its pairs, where some have none."""
    shown = signed(float(stats["value"].iloc[i]), part.column)
    pairs, left_out = int(stats["pairs"].iloc[i]), int(stats["left_out"].iloc[i])
    return f"{shown}\n{pairs} of {pairs + left_out}" if left_out else shown


def _draw_changes(axes: Axes, tiles: Panels, _: Normalize, plan: Plan, at: int) -> dict[str, Patch]:
    """The changes of categories: both symbols where a tile shows another, else how many pairs changed."""
    a, b, change = tiles
    stats = change.stats
    fills, bold = np.empty((len(stats), 3)), np.zeros(len(stats), bool)
    for i, (x, y) in enumerate(zip(a.stats["value"], b.stats["value"], strict=True)):
        changed = int(stats["changed"].iloc[i])
        bold[i] = changed > 0 and not (x == y or (np.isnan(x) and np.isnan(y)))
        new = a.categories[int(y)] if np.isfinite(y) else ""
        colour = np.array(to_rgb(colour_of(new, int(y)) if new else "#FFFFFF"))
        fills[i] = colour if bold[i] else 1 - PALE * (1 - colour) if changed else to_rgb(UNCHANGED)
    there = stats["pairs"].to_numpy(int) > 0
    _fill(axes, change, fills, there)
    _write(axes, plan, at, fills, bold=bold, pale=~bold)
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
    axes: Axes, plan: Plan, at: int, fills: NDArray[np.float64], *,
    bold: NDArray[np.bool_], pale: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Numbers or symbols in the tiles, as long as they are legible."""
    texts = plan.written[at]
    if texts is None:
        return
    dark = fills @ np.array([0.299, 0.587, 0.114]) < 0.5
    for i, text in enumerate(texts.flat):
        row, column = divmod(i, texts.shape[1])
        axes.text(
            column + 0.5, row + 0.5, str(text), ha="center", va="center", fontsize=plan.written_size,
            fontweight="bold" if bold[i] else "normal",
            color=UNCERTAIN if pale[i] else "white" if dark[i] else "#111111",
        )  # fmt: skip


def _hatch_by(axes: Axes, part: Tiles, reasons: Mapping[Any, tuple[str, str]]) -> dict[str, Patch]:
    """Hatch tiles by their reason, a name and a kind of REASONS; returns the legend's entries."""
    used = {}
    for i, (name, kind) in reasons.items():
        strokes, colour = REASONS[kind]
        look: dict[str, Any] = {"hatch": strokes, "edgecolor": colour, "facecolor": "none"}
        row, column = divmod(int(i), part.shape[1])
        axes.add_patch(Rectangle((column, row), 1, 1, linewidth=0, **look))
        used[name] = Patch(label=name, linewidth=0.5, **look)
    return used


def _categories(found: Differences) -> list[Artist]:
    """The legend's entries of the categories of both sweeps."""
    names = found.a.categories
    if not found.change.column.categories:
        return []
    present = {int(v) for t in (found.a, found.b) for v in t.stats["value"][np.isfinite(t.stats["value"])]}
    return [
        Patch(facecolor=colour_of(names[i], i), label=f"{symbol_of(names[i], i)} {names[i]}")
        for i in sorted(present)
    ]


def _notes(found: Differences, labels: Labels) -> list[str]:
    notes = []
    if not found.change.column.categories:
        notes.append(f"A and B: the {found.a.aggregate} of a tile; their difference: the mean of its pairs")
    if found.change.column.categories:
        equal = found.a.stats["value"].eq(found.b.stats["value"])
        if (equal & (found.change.stats["changed"] > 0)).any():
            notes.append("k/n: so many pairs of cells changed, what the tile shows did not")
    elif found.change.stats["interval_low"].notna().any():
        notes.append("bold: 95 % interval over seeds without zero; pale: with zero in it")
    else:
        notes.append("too few seeds for intervals")
    if found.a.pooled:
        notes.append(f"pooled: {labels.in_words(found.a.pooled)}")
    return notes
