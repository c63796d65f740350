"""Drawing: from a pivot to a figure. Seaborn and matplotlib are known here and in `curves` only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from backproof.reports.tables import NULL_MEANS, UNITS, Pivot, label
from backproof.verdicts import Verdict

ERROR_NORM = LogNorm(1e-16, 1, clip=True)
"""One scale for every gradient error in every report, so that figures can be laid side by side."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # whole fonts, which journals ask for
    "svg.hashsalt": "backproof",  # ids in the SVG depend on its content, not on chance
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
}

SHARES = {"confusion": "share of the planted cause's cells", "detection": "share of cells with an alarm"}
"""Figures of shares; a place without a number is one that no cell falls into, and stays empty."""

CELL = (0.62, 0.36)
"""Inches across and down that a place takes."""

PNG_DPI = 200

UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}

MOST_LABELS = 40
"""Beyond so many rows or columns, numbers in the places would not be legible."""


MOST_ACROSS = 26
"""Places that stand side by side at most before small multiples begin a new line."""


def heatmap(pivots: Pivot | Sequence[Pivot], title: str) -> Figure:
    """A heatmap of a pivot, or small multiples of several: annotated, places without a result hatched.

    The axes that hold the places are marked with their number, for `boxes`.
    """
    pivots = [pivots] if isinstance(pivots, Pivot) else list(pivots)
    first = pivots[0]
    with mpl.rc_context(STYLE):
        rows, columns = first.middle.shape
        across = min(len(pivots), max(1, MOST_ACROSS // max(columns, 4)))
        lines = -(-len(pivots) // across)
        width = min(max(columns, 4), 60) * CELL[0] * across + 3.2
        height = (min(max(rows, 2), 80) * CELL[1] + 0.5 * (len(pivots) > 1)) * lines + 1.9
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(lines, across, squeeze=False)
        colours, norm = _scale(first, np.concatenate([p.middle.ravel() for p in pivots]))
        hatched: dict[str, Patch] = {}
        for i, axes in enumerate(grid.flat):
            if i >= len(pivots):
                axes.set_axis_off()
                continue
            pivot = pivots[i]
            axes.set_gid(f"{PANEL}{i}")
            shown = np.isfinite(pivot.middle)
            sns.heatmap(
                np.where(shown, pivot.middle, np.nan),
                mask=~shown,
                annot=_texts(pivot) if max(rows, columns) <= MOST_LABELS else None,
                fmt="",
                annot_kws={"fontsize": 8},
                cmap=colours,
                norm=norm,
                vmin=norm.vmin,
                vmax=norm.vmax,
                linewidths=0.8,
                linecolor="white",
                xticklabels=False,  # ours say more; seaborn draws a figure once to see if its fit
                yticklabels=False,
                cbar=False,
                ax=axes,
            )
            if pivot.value not in SHARES:
                hatched.update(_hatch(axes, pivot))
            _label_rows(axes, pivot, named=i % across == 0)
            _label_columns(axes, pivot, named=i + across >= len(pivots))
            if pivot.facet:
                told = ", ".join(f"{axis}={label(value)}" for axis, value in pivot.facet)
                axes.set_title(told, fontsize=9, pad=18 if len(pivot.column_axes) > 1 else 5)
        handles = list(hatched.values())
        if first.words:
            present = sorted({int(i) for p in pivots for i in p.middle[np.isfinite(p.middle)]})
            handles = [_word_patch(first.words[i], first.words) for i in present] + handles
        else:
            bar = figure.colorbar(
                mpl.cm.ScalarMappable(norm, colours),
                ax=grid,
                label={**UNITS, **SHARES}.get(first.value, first.value),
                shrink=min(1.0, 2.2 / height + 0.4),
            )
            bar.outline.set_visible(False)
            if isinstance(norm, LogNorm):
                plain_decades(bar.ax.yaxis)
        if handles:
            figure.legend(
                handles=handles,
                loc="outside lower center",
                ncols=min(len(handles), 3),
                frameon=False,
                fontsize=8,
            )
        if len(pivots) > 1:
            figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        else:
            pad = 26 if len(first.column_axes) > 1 else 8
            grid[0, 0].set_title(title, loc="left", fontweight="bold", pad=pad)
        return figure


def plain_decades(axis: Axis) -> None:
    """Tick labels of a logarithmic axis as the places have them, 1e-7; no mathematical typesetting."""
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if 0.01 <= x <= 1000 else number(x, "")))
    axis.set_minor_formatter(NullFormatter())


PANEL = "panel-"
"""What the ids of axes begin with whose places a page may point at."""


def boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Where a drawn figure's panels lie: left, top, width and height as shares of the whole."""
    panels = [a for a in figure.axes if (a.get_gid() or "").startswith(PANEL)]
    found = []
    for axes in sorted(panels, key=lambda a: int(str(a.get_gid()).removeprefix(PANEL))):
        box = axes.get_position()
        found.append((box.x0, 1 - box.y1, box.width, box.height))
    return found


def scale(pivots: Sequence[Pivot]) -> dict[str, Any]:
    """The colours of these pivots, as a page needs them to colour the same places anew."""
    colours, norm = _scale(pivots[0], np.concatenate([p.middle.ravel() for p in pivots]))
    if pivots[0].words:
        words = pivots[0].words
        return {
            "words": [{"name": w, "symbol": _symbol(w, words), "colour": _colour(w, words)} for w in words]
        }
    stops = mpl.colormaps[str(colours)](np.linspace(0, 1, STOPS))
    return {
        "colours": [mpl.colors.to_hex(c) for c in stops],
        "low": float(norm.vmin or 0),
        "high": float(norm.vmax or 0),
        "log": isinstance(norm, LogNorm),
    }


STOPS = 33


def rendered(figure: Figure, ending: str) -> bytes:
    """A figure as the bytes of an SVG, PNG or PDF file; the same figure gives the same bytes."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):  # some settings are read only now
        figure.savefig(file, format=ending, dpi=PNG_DPI, metadata=UNDATED.get(ending))
        figure.set_layout_engine("none")  # once laid out, it need not be again for the next format
    return file.getvalue()


def _scale(pivot: Pivot, middles: np.ndarray[Any, Any]) -> tuple[Colormap | str, Normalize]:
    """Colours and norm for all small multiples that share this pivot's value."""
    if pivot.words:
        palette = [_colour(w, pivot.words) for w in pivot.words]
        return ListedColormap(palette), Normalize(-0.5, len(palette) - 0.5)
    if pivot.value == "gradient_error":
        return "cividis", ERROR_NORM
    if pivot.value in ("accuracy", *SHARES):
        return "cividis", Normalize(0, 1)
    finite = middles[np.isfinite(middles)]
    if finite.size and finite.min() > 0 and finite.max() > 100 * finite.min():
        return "cividis", LogNorm(finite.min(), finite.max())
    return "cividis", Normalize(*((finite.min(), finite.max()) if finite.size else (0, 1)))


def _texts(pivot: Pivot) -> np.ndarray[Any, Any]:
    texts = np.full(pivot.middle.shape, "", object)
    for at, middle in np.ndenumerate(pivot.middle):
        if not np.isfinite(middle):
            continue
        if pivot.words:
            word, n, same = pivot.words[int(middle)], pivot.n[at], pivot.agreeing[at]
            symbol = _symbol(word, pivot.words)
            texts[at] = symbol if n == same else f"{symbol} {same}/{n}"
        else:
            texts[at] = number(middle, pivot.value)
    return texts


def number(x: float, value: str) -> str:
    """A number as short as a place in a heatmap needs it."""
    if value in SHARES:
        return f"{x:.0%}"
    if x == 0:
        return "0"
    if value in ("accuracy", "cosine", "dead_units"):
        return f"{x:.2f}"
    if value in ("steps_to_threshold", "diverged_at"):
        return f"{x:.0f}"
    if 0.01 <= abs(x) < 1000:
        return f"{x:.2g}" if abs(x) < 100 else f"{x:.0f}"
    mantissa, exponent = f"{x:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _symbol(word: str, words: Sequence[str]) -> str:
    """A verdict's symbol; other words are numbered."""
    return Verdict(word).symbol if word in set(Verdict) else str(list(words).index(word) + 1)


def _colour(word: str, words: Sequence[str]) -> str:
    """A verdict's colour; other words take theirs from a wheel of lightnesses, for print."""
    if word in set(Verdict):
        return Verdict(word).colour
    wheel = sns.color_palette("husl", max(len(words), 2))
    return str(mpl.colors.to_hex(wheel[list(words).index(word)]))


def _word_patch(word: str, words: Sequence[str]) -> Patch:
    return Patch(facecolor=_colour(word, words), label=f"{_symbol(word, words)}  {word}")


HATCHES = {
    "null": ("////", "#8C8C8C"),
    "failed": ("xxxx", "#D55E00"),
    "excluded": ("\\\\", "#8C8C8C"),
    "pending": ("++", "#56B4E9"),
    "no value": ("--", "#BBBBBB"),
    "no cell": ("..", "#BBBBBB"),
}


def _hatch(axes: Axes, pivot: Pivot) -> dict[str, Patch]:
    """Hatch what has no number, each reason its own way; returns the legend's entries by name."""
    used: dict[str, Patch] = {}
    for (i, j), middle in np.ndenumerate(pivot.middle):
        if np.isfinite(middle) and not pivot.failed[i, j]:
            continue
        if np.isinf(middle):
            reason, name = "null", NULL_MEANS.get(pivot.value, "not finite")
        elif pivot.failed[i, j]:
            reason, name = "failed", "failed"
        elif pivot.excluded[i, j]:
            reason, name = "excluded", "excluded"
        elif pivot.pending[i, j]:
            reason, name = "pending", "still to come"
        elif pivot.finished[i, j]:
            reason, name = "no value", "nothing to explain" if pivot.value == "cause" else "no value"
        else:
            reason, name = "no cell", "no cell"
        hatch, colour = HATCHES[reason]
        look: dict[str, Any] = {"hatch": hatch, "edgecolor": colour, "linewidth": 0, "facecolor": "none"}
        axes.add_patch(Rectangle((j, i), 1, 1, **look))
        used.setdefault(name, Patch(label=name, **{**look, "linewidth": 0.5}))
    return used


def _label_rows(axes: Axes, pivot: Pivot, *, named: bool) -> None:
    inner = [label(key[-1]) if key else "" for key in pivot.rows]
    axes.set_yticks(np.arange(len(inner)) + 0.5, inner, rotation=0)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("")
    axes.set_xlabel("")
    if not named:
        axes.set_yticks([])
        _separate(axes.axhline, pivot.rows)
        return
    name = " × ".join(pivot.row_axes)
    if len(pivot.row_axes) > 1:
        groups = _groups(pivot.rows)
        outer = axes.secondary_yaxis(-0.01)
        outer.set_yticks([middle for _, middle in groups], [text for text, _ in groups], rotation=0)
        outer.tick_params(length=0, pad=8 + 6.2 * max(map(len, inner)))
        outer.spines["left"].set_visible(False)
        outer.set_ylabel(name)
        _separate(axes.axhline, pivot.rows)
    else:
        axes.set_ylabel(name)


def _label_columns(axes: Axes, pivot: Pivot, *, named: bool) -> None:
    inner = [label(key[-1]) if key else "" for key in pivot.columns]
    steep = max((len(text) for text in inner), default=0) > 7
    axes.set_xticks(
        np.arange(len(inner)) + 0.5, inner, rotation=40 if steep else 0, ha="right" if steep else "center"
    )
    axes.tick_params(axis="x", length=0)
    if named:
        axes.set_xlabel(" × ".join(pivot.column_axes))
    else:
        axes.set_xticks([])
    if len(pivot.column_axes) > 1:
        groups = _groups(pivot.columns)
        outer = axes.secondary_xaxis(1.0)
        outer.set_xticks([middle for _, middle in groups], [text for text, _ in groups])
        outer.tick_params(length=0, pad=2)
        outer.spines["top"].set_visible(False)
        _separate(axes.axvline, pivot.columns)


def _groups(keys: Sequence[tuple[Any, ...]]) -> list[tuple[str, float]]:
    """Runs of places that share all but their last axis: a label, and the middle of the run."""
    groups, start = [], 0
    for outer, run in groupby(keys, key=lambda k: k[:-1]):
        size = len(list(run))
        groups.append((", ".join(map(label, outer)), start + size / 2))
        start += size
    return groups


def _separate(line: Any, keys: Sequence[tuple[Any, ...]]) -> None:
    for i in range(1, len(keys)):
        if keys[i][:-1] != keys[i - 1][:-1]:
            line(i, color="black", linewidth=0.9)
