"""What all figures have in common: sheets, fonts, titles, legends, files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from fontTools import subset
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from backproof.reports.figures.drawing.measure import FAMILY
from backproof.reports.numbers import number


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn for.

    Attributes:
        width: in inches, kept exactly; None where the content may choose it.
        small, base, large: sizes of fonts in points.
        dots: of a PNG, per inch.
    """

    width: float | None = None
    small: float = 8.0
    base: float = 9.0
    large: float = 10.0
    dots: int = 200

    @property
    def titled(self) -> bool:
        """Whether the title is in the picture; a journal wants it in the caption."""
        return self.width is None


SCREEN = Sheet()
"""As wide as the content asks for."""


def sheet_of(width: float | None) -> Sheet:
    """The sheet of a journal's column, of a width in inches; of a page on a screen without one."""
    return SCREEN if width is None else Sheet(width, small=6.0, base=7.0, large=8.0, dots=600)


STYLE: dict[Any, Any] = {  # matplotlib's stubs list every key as a literal
    "font.family": FAMILY,
    "text.parse_math": False,  # a `$` in a setting is a `$`
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # whole fonts, which journals ask for
    "svg.hashsalt": "backproof",  # ids in the SVG depend on its content, not on chance
    "figure.facecolor": "white",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.6,
}

GRID: dict[Any, Any] = {"axes.grid": True, "grid.color": "#E5E5E5", "grid.linewidth": 0.6}

COLOURS = ("#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC", "#CA9161", "#949494", "#56B4E9")
"""Of lines: seaborn's `colorblind`, without the two that are faintest."""

DASHES = [(), (4, 1.5), (1, 1), (3, 1, 1, 1), (6, 2), (2, 2), (5, 1, 1, 1, 1, 1), (8, 2)]
"""The lines of a figure by their strokes, for print."""

UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def styled(sheet: Sheet = SCREEN, *, grid: bool = False) -> Iterator[None]:
    """Draw in the style of all figures."""
    sizes: dict[Any, Any] = {
        "font.size": sheet.base,
        "axes.titlesize": sheet.base,
        "axes.labelsize": sheet.base,
        "xtick.labelsize": sheet.small,
        "ytick.labelsize": sheet.small,
        "legend.fontsize": sheet.small,
        "legend.title_fontsize": sheet.small,
    }
    with mpl.rc_context({**STYLE, **sizes, **(GRID if grid else {})}):
        yield


def entitle(figure: Figure, title: str) -> None:
    """A title at the left, above everything, of a figure that matplotlib lays out."""
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=SCREEN.large)


def plain_decades(axis: Axis) -> None:
    """Tick labels of a logarithmic axis as the tiles have them, 1e-7; no mathematical typesetting."""
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if 0.01 <= x <= 1000 else number(x)))
    axis.set_minor_formatter(NullFormatter())


def line_handles(lines: Sequence[str], width: float = 1.6) -> list[Artist]:
    """A legend's entries: each line's colour and strokes, as `draw_lines` has them."""
    return [
        Line2D([], [], color=colour, label=str(name), dashes=dash or (None, None), linewidth=width)
        for colour, name, dash in zip(COLOURS, lines, DASHES, strict=False)
    ]


def letter(i: int) -> str:
    """The letter of a panel, by its position: a, b, …, z, aa."""
    return (letter(i // 26 - 1) if i >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[i % 26]


SHAPING = ("GSUB", "GPOS", "GDEF", "MATH", "kern")
"""Tables of a font that choose and place glyphs; a PDF has each one's place already, and no use for them."""


@contextmanager
def _lean_fonts() -> Iterator[None]:
    """Embed fonts without their tables for shaping: reading DejaVu's takes a third of a report's time."""
    options: Any = subset.Options
    kept = options._drop_tables_default
    options._drop_tables_default = [*kept, *SHAPING]
    try:
        yield
    finally:
        options._drop_tables_default = kept


def rendered(figure: Figure, ending: str, dots: int = SCREEN.dots) -> bytes:
    """A figure as the bytes of an SVG, PNG or PDF file; the same figure gives the same bytes.

    The canvases write at once: `savefig` draws a figure twice, for layouts that ours do not have.
    """
    file = io.BytesIO()
    with mpl.rc_context(STYLE):  # some settings are read only now
        match ending:
            case "svg":
                FigureCanvasSVG(figure).print_svg(file, metadata=UNDATED["svg"])  # type: ignore[no-untyped-call]
            case "pdf":
                with _lean_fonts():
                    FigureCanvasPdf(figure).print_pdf(file, metadata=UNDATED["pdf"])  # type: ignore[no-untyped-call]
            case "png":
                figure.set_dpi(dots)
                FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
            case _:
                raise ValueError(f"no such kind of file: {ending}")
        figure.set_layout_engine("none")  # once laid out, it need not be again for the next kind
    return file.getvalue()
