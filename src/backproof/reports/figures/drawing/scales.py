"""Scales of colours beside or beneath a figure's panels, with as many ticks as there is room for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from backproof.reports.figures.drawing.colours import Scale
from backproof.reports.figures.drawing.frame import GAP, PAD, Frame
from backproof.reports.figures.drawing.measure import broken, height_of, widest, width_of, wrapped
from backproof.reports.figures.drawing.style import Sheet
from backproof.reports.numbers import number

THICK, LONGEST = 9.0, 200.0
"""Points across a scale, and along it at most."""

LABEL = 120.0
"""Points that a label beside a scale may take, however low the panels are; they have labels as well."""

TICK = "1e-16"
"""As wide as the label of a tick gets."""

APART = 5.0
"""Points from a tick's label to the next one's."""


def room_beside(unit: str, sheet: Sheet, height: float) -> float:
    """How much of the width a scale beside the panels takes, its label along panels of a height."""
    label = wrapped(unit, sheet.base, max(height, LABEL))
    return 2 * GAP + THICK + 6 + width_of(TICK, sheet.small) + height_of(label, sheet.base) + PAD


def bar_beside(frame: Frame, scale: Scale, unit: str, x: float) -> None:
    """A scale at the right of the panels, its label along it."""
    low, high = frame.span
    sheet = frame.sheet
    label = wrapped(unit, sheet.base, max(high - low, LABEL))
    long = min(high - low, LONGEST)
    axes = frame.axes(x, THICK, long, high - long)
    ticks = ticks_of(scale.norm, long, 1.3 * sheet.small + APART)
    _bar(axes, scale, "vertical", ticks)
    widest_tick = max(
        width_of(TICK, sheet.small), widest([t.get_text() for t in axes.get_yticklabels()], sheet.small)
    )
    half = width_of(label, sheet.base) / 2
    middle = max(high - long / 2, PAD + half)
    frame.height = max(frame.height, middle + half)
    frame.text(
        x + THICK + 5 + widest_tick, middle, label, size=sheet.base, rotation=90, ha="left", va="center",
        multialignment="center", linespacing=1.1,
    )  # fmt: skip


def bar_beneath(frame: Frame, scale: Scale, unit: str, left: float) -> None:
    """A scale upon what is there already, its label above it."""
    sheet = frame.sheet
    side = width_of(TICK, sheet.small) / 2
    start = max(PAD + side, min(left, 0.45 * frame.width))
    long = min(frame.width - start - PAD - side, LONGEST)
    frame.height += height_of(TICK, sheet.small) + 4
    axes = frame.axes(start, long, 0.7 * THICK)
    _bar(axes, scale, "horizontal", ticks_of(scale.norm, long, width_of(TICK, sheet.small) + APART))
    frame.height += 0.7 * THICK + 2
    text = broken(unit, sheet.base, frame.width - start - PAD)
    frame.text(start, frame.height, text, size=sheet.base, ha="left", va="bottom", linespacing=1.1)
    frame.height += height_of(text, sheet.base) + GAP


def _bar(
    axes: Axes, scale: Scale, orientation: Literal["vertical", "horizontal"], ticks: Sequence[float]
) -> None:
    bar = Colorbar(
        axes, mpl.cm.ScalarMappable(scale.norm, scale.colours), orientation=orientation, extend=scale.extend
    )
    bar.outline.set_visible(False)
    along = axes.yaxis if orientation == "vertical" else axes.xaxis
    along.set_minor_locator(NullLocator())
    along.set_ticks(list(ticks), [tick_text(x) for x in ticks])
    along.set_minor_formatter(NullFormatter())
    axes.tick_params(length=2, pad=2)


def tick_text(x: float) -> str:
    """A tick's label: plain where it is short, else a power as 1e-7."""
    return f"{x:g}" if x == 0 or 0.01 <= abs(x) <= 9999 else number(x)


def ticks_of(norm: Normalize, length: float, each: float) -> list[float]:
    """Round values along a scale of a length, so far from each other as a label takes."""
    low, high = float(norm.vmin or 0), float(norm.vmax or 0)
    most = max(2, int(length / each))
    if isinstance(norm, LogNorm):
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, -(-(last - first) // (most - 1)))
        decades = [10.0**k for k in range(first, last + 1) if k % stride == 0]  # 1 is among them
        if len(decades) > 1:
            return decades
        low, high = max(low, 1e-300), high
        return [v for v in MaxNLocator(most - 1).tick_values(low, high) if low <= v <= high]
    values = MaxNLocator(min(most - 1, 6), steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    margin = 1e-9 * (high - low)
    shown = [float(v) for v in np.round(values, 12) if low - margin <= v <= high + margin]
    return shown or [low]
