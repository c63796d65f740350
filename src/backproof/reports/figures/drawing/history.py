"""Series over commits: a panel per combination, its levels as lines, its steps marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from backproof.reports.figures.drawing.colours import colour_of, symbol_of
from backproof.reports.figures.drawing.style import DASHES, entitle, plain_decades, styled
from backproof.reports.history import EVERY, Series, Step

VALUE, LEVEL, STEP = "#0072B2", "#222222", "#D55E00"
"""The colours of what was measured, of its levels, and of what marks a step."""

MOST_TICKS = 12
ACROSS = 2
DECADES = 3.0
"""A ratio of values beyond which their axis is logarithmic."""

MOST_LETTERS = 58


def draw_series(series: Sequence[Series], labels: Sequence[str], title: str) -> Figure:
    """A panel per series of one measure. `labels`: of all points."""
    across = min(ACROSS, len(series))
    down = -(-len(series) // across)
    with styled(grid=True):
        wide = min(0.9 + 0.26 * len(labels), 9.0) if across == 1 else 4.9
        figure = Figure(figsize=(max(wide, 4.9) * across, 2.3 * down + 0.9), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharex=True)
        for i, (axes, each) in enumerate(zip(grid.flat, series, strict=False)):
            _draw(axes, each)
            _mark(axes, each.steps, labels)
            _label(axes, labels, [s.at for s in each.steps], named=i + across >= len(series))
            axes.set_title(_shortened(each.settings), fontsize=8, loc="left", parse_math=False)
            if i % across == 0:
                axes.set_ylabel(each.measure.unit or each.measure.name, fontsize=8, wrap=True)
        for axes in grid.flat[len(series) :]:
            axes.set_axis_off()
        entitle(figure, title)
        return figure


def draw_verdicts(series: Sequence[Series], labels: Sequence[str], title: str) -> Figure:
    """How many cells get each verdict, as a line for each with its symbol at every point that has room."""
    with styled(grid=True):
        figure = Figure(figsize=(max(4.9, min(0.9 + 0.4 * len(labels), 9.8)), 3.6), layout="constrained")
        axes = figure.subplots()
        for i, each in enumerate(series):
            verdict = each.settings
            axes.plot(
                each.points, each.values, color=colour_of(verdict, i), drawstyle="steps-mid",
                dashes=DASHES[i % len(DASHES)] or (None, None), linewidth=1.8,
                label=f"{symbol_of(verdict, i)}  {verdict}",
            )  # fmt: skip
            axes.plot(each.points, each.values, ".", color=colour_of(verdict, i), markersize=6)
        at: Mapping[int, Step] = {step.at: step for each in series for step in each.steps}
        _mark(axes, list(at.values()), labels, sized=False)
        _label(axes, labels, list(at), named=True)
        axes.set_ylabel("cells", fontsize=8)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        entitle(figure, title)
        return figure


def _draw(axes: Axes, series: Series) -> None:
    """What was measured as points, its levels as lines that end where the level does."""
    ratio = series.measure.compared == "ratio"
    levels = 10**series.levels if ratio else series.levels
    axes.plot(series.points, series.shown, "o", color=VALUE, markersize=3.5, zorder=3)
    for begin, end in zip(series.starts, [*series.starts[1:], len(series.values)], strict=True):
        x = [series.points[begin] - 0.4, series.points[end - 1] + 0.4]
        axes.plot(x, [levels[begin]] * 2, color=LEVEL, linewidth=1.6, zorder=2)
    shown = series.shown
    if ratio and len(shown) and shown.min() > 0 and shown.max() > DECADES * shown.min():
        axes.set_yscale("log")
        plain_decades(axes.yaxis)
    else:
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda x, _: f"{x:.3g}")
        )  # no power of ten apart from it
        axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.margins(y=0.25)
    axes.tick_params(labelsize=7)


def _mark(axes: Axes, steps: Sequence[Step], labels: Sequence[str], *, sized: bool = True) -> None:
    """A line between the points at which a level ends and the next one begins, with the commit above it."""
    for i, step in enumerate(steps):
        x = (step.before + step.at) / 2
        axes.axvline(x, color=STEP, linewidth=1.2, dashes=(3, 2), zorder=1)
        ratio = step.series.measure.compared == "ratio"
        size = f" ×{10 ** (step.high - step.low):.2g}" if ratio and sized else ""
        axes.annotate(
            f"{labels[step.at]}{size}", (x, 1), xycoords=("data", "axes fraction"),
            xytext=(2, -2 - 9 * (i % 2)), textcoords="offset points", va="top", ha="left",
            fontsize=7, color=STEP, parse_math=False, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )  # fmt: skip


def _label(axes: Axes, labels: Sequence[str], steps: Sequence[int], *, named: bool) -> None:
    """Commits below the axis: the first, those of steps, and others where there is room."""
    if not named:
        axes.tick_params(labelbottom=False)
        return
    stride = max(1, -(-len(labels) // MOST_TICKS))
    ticks = [*range(0, len(labels), stride)]
    ticks = sorted({*steps, *(t for t in ticks if all(abs(t - s) >= stride or t == s for s in steps))})
    axes.set_xticks(
        ticks, [_shortened(labels[t], 14) for t in ticks], rotation=40, ha="right", fontsize=7,
        parse_math=False,
    )  # fmt: skip
    axes.tick_params(labelbottom=True)
    axes.set_xlim(-0.6, max(len(labels) - 0.4, 0.6))


def _shortened(text: str, most: int = MOST_LETTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def first_panels(series: Sequence[Series], most: int) -> list[Series]:
    """All combinations together, then those with the largest steps; if there are none, those that move."""

    def rank(each: Series) -> tuple[bool, float, float]:
        largest = max((s.size for s in each.steps), default=0.0)
        return each.settings != EVERY, -largest, -float(np.ptp(each.values) if len(each.values) else 0)

    stepping = [s for s in series if s.steps or s.settings == EVERY]
    chosen = stepping if any(s.steps for s in stepping) else series
    return sorted(chosen, key=rank)[:most]
