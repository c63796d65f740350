"""What all figures have in common: fonts, titles, legends, files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from backproof.reports.numbers import number

STYLE: dict[Any, Any] = {  # matplotlib's stubs list every key as a literal
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # whole fonts, which journals ask for
    "svg.hashsalt": "backproof",  # ids in the SVG depend on its content, not on chance
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
}

GRID: dict[Any, Any] = {"axes.grid": True, "grid.color": "#E5E5E5"}

DASHES = [(), (4, 1.5), (1, 1), (3, 1, 1, 1), (6, 2), (2, 2), (5, 1, 1, 1, 1, 1), (8, 2)]
"""The lines of a figure by their strokes, for print."""

PNG_DPI = 200

UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def styled(*, grid: bool = False) -> Iterator[None]:
    """Draw in the style of all figures."""
    with mpl.rc_context({**STYLE, **(GRID if grid else {})}):
        yield


def entitle(figure: Figure, title: str) -> None:
    """A title at the left, above everything."""
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)


def plain_decades(axis: Axis) -> None:
    """Tick labels of a logarithmic axis as the tiles have them, 1e-7; no mathematical typesetting."""
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if 0.01 <= x <= 1000 else number(x)))
    axis.set_minor_formatter(NullFormatter())


def name_lines(figure: Figure, lines: Sequence[str], across: int) -> None:
    """A legend below a figure: each line's colour and strokes, as `lineplot` draws them with DASHES."""
    colours = sns.color_palette("colorblind", len(lines))
    handles = [
        Line2D([], [], color=c, label=str(name), dashes=dash or (None, None), linewidth=1.6)
        for c, name, dash in zip(colours, lines, DASHES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), across), frameon=False)


def rendered(figure: Figure, ending: str) -> bytes:
    """A figure as the bytes of an SVG, PNG or PDF file; the same figure gives the same bytes."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):  # some settings are read only now
        figure.savefig(file, format=ending, dpi=PNG_DPI, metadata=UNDATED.get(ending))
        figure.set_layout_engine("none")  # once laid out, it need not be again for the next format
    return file.getvalue()
