"""Colours of tiles: one continuous map for numbers, few distinguishable colours for categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from numpy.typing import NDArray

from backproof.reports.aggregation import Tiles
from backproof.verdicts.verdict import Verdict

ERROR_NORM = LogNorm(1e-16, 1, clip=True)
"""One scale for every gradient error in every report, so that figures can be laid side by side."""

COLOURS = "cividis"

CATEGORIES = (
    "#184F8B", "#D5B667", "#C36F22", "#99DEF7", "#0C7A59", "#CA83E1", "#302525", "#F7F76F",
)  # fmt: skip
"""Of categories that are no verdicts, as causes. Any two differ by 12 or more in CIEDE2000 with normal vision
and with deutan, protan and tritan deficiencies, and by 9 or more in lightness alone. A ninth category has the
first one's colour again, and its number tells them apart."""

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

    @property
    def extend(self) -> Literal["neither", "both", "min", "max"]:
        """The ends at which a colour bar has a tip, as matplotlib names them."""
        match self.clipped:
            case (True, True):
                return "both"
            case (True, False):
                return "min"
            case (False, True):
                return "max"
        return "neither"


def scale_of(parts: Sequence[Tiles]) -> Scale:
    """Colours and norm for all small multiples of a figure."""
    column, categories = parts[0].column, parts[0].categories
    if column.categories:
        palette = [colour_of(c, i) for i, c in enumerate(categories)] or ["#FFFFFF"]
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


def colour_of(category: str, i: int) -> str:
    """A verdict's colour; other categories take theirs in turn."""
    return Verdict(category).colour if category in set(Verdict) else CATEGORIES[i % len(CATEGORIES)]
