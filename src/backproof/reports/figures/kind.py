"""What a kind of figure is, and what it returns."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError
from backproof.reports.labels import Labels, shipped
from backproof.reports.live import WORDLESS, LiveText
from backproof.sweeps.expressions import Expression

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

    from backproof.reports.edges import Edges
    from backproof.reports.forest import Beside


@dataclass(frozen=True)
class FigureSpec:
    """A figure that an experiment asks for.

    Attributes:
        value: a column, or the name of a kind that is not a heatmap.
        caption: what it shows, as its author says it.
        rows, columns, facet: the axes; what they mean depends on the kind.
        where: the cells it shows; all without one.
        tuned: whether it shows the chosen cells alone, of a sweep that tunes an axis.
        apart: that axis, by which cells do not pair.
        contrast: what a forest compares; None of other kinds.
        aggregate: how the cells of a tile are aggregated; empty for the kind's default.
        width: of the picture, in inches; None where its content may choose it.
    """

    value: str
    title: str
    caption: LiveText = WORDLESS
    where: Expression | None = None
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    facet: tuple[str, ...] = ()
    aggregate: str = ""
    tuned: bool = False
    apart: str | None = None
    contrast: Beside | None = None
    width: float | None = None


@dataclass(frozen=True)
class Tables:
    """What figures are made from: the cells that a figure shows, the curves of all, edges of a refinement.

    `labels` are the readable names of axes and values.
    """

    cells: pd.DataFrame
    curves: pa.Table
    edges: Edges | None = None
    labels: Labels = field(default_factory=shipped)


@dataclass(frozen=True)
class Drawing:
    """What a kind makes of a specification.

    Attributes:
        finding: what it shows, in a sentence; also for those who cannot see it.
        pooled: along what the cells of a tile differ, in a sentence; empty where they are replicates.
        data: the numbers that it shows.
        live: what a page's script draws it anew from, with other cells or other axes: its `kind` there, its
            `spec` and, of a heatmap, the `lines` upon it. None where a page shows the picture alone.
    """

    figure: Figure
    finding: str
    data: pd.DataFrame
    live: Mapping[str, object] | None = None
    pooled: str = ""


class NothingToDrawError(Exception):
    """The cells hold nothing that the figure could show; the message states what is missing."""


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        names: the values of `value` that ask for it.
        title: of a figure whose specification has none.
        sides: which of rows, columns and facet it takes, and `axes_needed` whether it needs one.
        aggregates: what `aggregate` may be.
        curves: whether it reads the curves.
        contrasts: whether it compares cells with a reference, and so needs `contrast`.
    """

    draw: Callable[[FigureSpec, Tables], Drawing]
    names: tuple[str, ...]
    title: Callable[[str, tuple[str, ...]], str]
    sides: tuple[str, ...] = ()
    axes_needed: bool = False
    aggregates: tuple[str, ...] = ()
    curves: bool = False
    contrasts: bool = False


def figure_kind(
    *names: str,
    title: str | Callable[[str, tuple[str, ...]], str],
    sides: tuple[str, ...] = (),
    axes_needed: bool = False,
    aggregates: tuple[str, ...] = (),
    curves: bool = False,
    contrasts: bool = False,
) -> Callable[[Callable[[FigureSpec, Tables], Drawing]], Kind]:
    """Make a kind of a drawing function; keywords as in `Kind`."""
    entitled = title if callable(title) else lambda _value, _axes: title

    def kind(draw: Callable[[FigureSpec, Tables], Drawing]) -> Kind:
        return Kind(draw, names, entitled, sides, axes_needed, aggregates, curves, contrasts)

    return kind


@dataclass(frozen=True)
class Drawn:
    """A specification with its drawing, or with the reason why there is none.

    Attributes:
        caption: the specification's, with the numbers of the cells that are shown.
        cells: the positions of these cells in the table.
    """

    spec: FigureSpec
    drawing: Drawing | None
    problem: str = ""
    caption: str = ""
    cells: Sequence[int] = ()

    @property
    def title(self) -> str:
        """The figure's title."""
        return self.spec.title

    @property
    def figure(self) -> Figure | None:
        """The drawn figure."""
        return self.drawing.figure if self.drawing else None

    @property
    def data(self) -> pd.DataFrame | None:
        """The numbers that it shows."""
        return self.drawing.data if self.drawing else None

    @property
    def finding(self) -> str:
        """What it shows, in a sentence."""
        return self.drawing.finding if self.drawing else ""

    @property
    def pooled(self) -> str:
        """Along what the cells of a tile differ, in a sentence."""
        return self.drawing.pooled if self.drawing else ""

    @classmethod
    def undrawn(cls, spec: FigureSpec, error: Exception) -> Drawn:
        """A specification with the reason why nothing is drawn of it.

        A drawing library may fail in any way over unusual cells: that costs the figure, and no other.
        """
        said = str(error)
        if not isinstance(error, NothingToDrawError | ConfigurationError):
            said = " ".join(f"{type(error).__name__}: {error}".split())
        return cls(spec, None, said)

    def _repr_html_(self) -> str:
        """The figure in a notebook."""
        if self.drawing is None:
            return f"<p>{html.escape(self.title)}: not drawn, {html.escape(self.problem)}</p>"
        from backproof.reports.figures.drawing.style import rendered

        picture = rendered(self.drawing.figure, "svg").decode()
        words = html.escape(f"{self.caption} {self.finding} {self.pooled}".strip())
        return f"{picture[picture.index('<svg') :]}<p>{words}</p>"
