"""The page: one HTML file, offline, everything that was typed or measured escaped by the template engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from backproof.reports.axes import axes_of, own, ran, varying
from backproof.reports.claims import Settled
from backproof.reports.details import Details, packed, plain
from backproof.reports.edges import Edges
from backproof.reports.excerpt import Excerpt
from backproof.reports.pictures import Picture
from backproof.reports.series import OF_A_CELL
from backproof.reports.summary import Answer
from backproof.reports.templates import environment
from backproof.sweeps.columns import BY_NAME, CELLS, TENSORS, Column, Of, names_of
from backproof.sweeps.status import FAILURES, Status
from backproof.verdicts.verdict import Verdict

FAILURE_COLUMNS = ["cell", "status", "error", "command"]

EDGE_COLUMNS = (
    "below", "above", "condition_below", "condition_above", "width", "flips", "evaluations", "stopped",
)  # fmt: skip
"""Of an edge, after the settings of its row."""

UNSEARCHED = ("command", "traceback")
"""Columns in which nobody looks for a word; the details of a cell show them by themselves."""


@dataclass(frozen=True)
class Report:
    """What a page is made from.

    Attributes:
        answer: to the question.
        axes_chosen: how the axes of its figures were chosen, where the experiment names none.
        cells: those still to come among them.
        excerpt: the cells that the page holds, where those are not all.
    """

    name: str
    question: str
    answer: Answer
    claims: Sequence[Settled]
    pictures: Sequence[Picture]
    axes_chosen: str
    cells: pd.DataFrame
    details: Details
    provenance: Mapping[str, object]
    edges: Edges | None = None
    excerpt: Excerpt | None = None

    @property
    def held(self) -> pd.DataFrame:
        """The cells that the page holds."""
        return self.excerpt.cells if self.excerpt else self.cells


def page(report: Report) -> str:
    """The whole report as text."""
    cells = report.cells[report.cells["status"] != Status.PENDING]
    pending = len(report.cells) - len(cells)
    pages = environment()
    pages.filters.update(sig=significant, ink=ink)
    mine = own(cells)
    counts = {v: int((mine["verdict"] == v).sum()) for v in Verdict}
    return pages.get_template("page.html.j2").render(
        report=report,
        effect=effect,
        hypotheses=_by_hypothesis(report.claims),
        shown_in={p.title: p.stem for p in report.pictures if p.source},
        verdicts=[(v, n) for v, n in counts.items() if n],
        failures=report.held.loc[report.held["status"].isin(FAILURES), FAILURE_COLUMNS].to_dict("records"),
        failed=int(cells["status"].isin(FAILURES).sum()),
        exclusions=cells.loc[cells["status"] == Status.EXCLUDED, "error"].value_counts().to_dict(),
        constants=_constants(report),
        count=len(cells),
        refined=len(cells) - len(mine),
        edges=_edge_rows(report.edges),
        done=int((cells["status"] == Status.OK).sum()),
        pending=pending,
        data=packed(_data(report)),
        provenance=_flat(report.provenance),
    )


def _by_hypothesis(claims: Sequence[Settled]) -> dict[str, list[Settled]]:
    """The claims of each hypothesis, in the order in which they come; those of none first."""
    found: dict[str, list[Settled]] = {}
    for claim in sorted(claims, key=lambda claim: bool(claim.place.hypothesis)):
        found.setdefault(claim.place.hypothesis, []).append(claim)
    return found


def effect(claim: Settled) -> str:
    """What a claim found, in a few characters: a difference and its interval or range, or a count."""
    if claim.difference is not None:
        found = claim.difference
        low, high = found.interval or (found.least, found.greatest)
        return f"{found.median:+.2g} [{low:+.2g}, {high:+.2g}], {found.replicates} seeds"
    seeds = f", {claim.replicates} seeds" if claim.replicates > 1 else ""
    return f"{claim.holding}/{claim.n}{seeds}"


def _edge_rows(edges: Edges | None) -> tuple[list[str], list[list[object]]] | None:
    """The heading and the rows of the page's table of edges."""
    if edges is None or edges.problem or not len(edges.table):
        return None
    columns = [*edges.shown, *EDGE_COLUMNS]
    return columns, edges.table[columns].astype(object).to_numpy().tolist()


def significant(x: object, digits: int = 3) -> str:
    """A number in few digits; what is no number as it is."""
    if x is None or x is pd.NA or (isinstance(x, float) and math.isnan(x)):
        return "–"
    if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.number):
        return str(x)
    return f"{x:,}" if isinstance(x, int | np.integer) else f"{x:.{digits}g}"


def ink(colour: str) -> str:
    """Black or white, whichever is legible upon a colour; the page's script has the same rule."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def _data(report: Report) -> dict[str, object]:
    """What the page's script works on: the table of cells, the columns' entries, the figures."""
    cells = report.held
    shown, others = _shown(cells)
    return {
        "columns": [_column(name, cells[name]) for name in (*shown, *others)],
        "shown": len(shown),
        "axes": varying(cells),
        "constants": list(_constants(report).items()),
        "listed": [*names_of(c for c in CELLS if c.page == "first" and not c.categories), "cause"],
        "headings": [[c.heading, c.name] for c in CELLS if c.heading],
        "unsearched": UNSEARCHED,
        "tensor_columns": [{"name": c.name, "about": c.about} for c in TENSORS],
        "pieces": report.details.piece_of,
        "series": [asdict(s) for s in OF_A_CELL],
        "verdicts": {
            v: {"symbol": v.symbol, "sentence": v.sentence, "remedy": v.remedy, "colour": v.colour}
            for v in Verdict
        },
        "missing": {
            Of.CHECK: np.flatnonzero(~ran(cells, "check")).tolist(),
            Of.TRAINING: np.flatnonzero(~ran(cells, "training")).tolist(),
        },
        "statuses": {s: s.shown for s in Status},
        "figures": {p.stem: p.overlay for p in report.pictures if p.overlay},
        "statements": {c.id: _runs(c.about, report) for c in report.claims},
    }  # fmt: skip


def _runs(about: Sequence[int], report: Report) -> list[int]:
    """Cells by their positions in the page: how many are left out and how many follow, by turns."""
    if report.excerpt:
        about = [p for p in report.excerpt.positions(len(report.cells))[list(about)].tolist() if p >= 0]
    chosen = np.zeros(len(report.held) + 2, np.int8)
    chosen[np.asarray(about, np.intp) + 1] = 1
    ends: list[int] = np.flatnonzero(np.diff(chosen)).tolist()
    return [b - a for a, b in zip([0, *ends], ends, strict=False)]


def _shown(cells: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The columns that the page's table shows, and the others but the settings that all cells share."""
    first, last = (names_of(c for c in CELLS if c.page == where) for where in ("first", "last"))
    # What no cell has, like accuracy where nothing was trained, is among the others.
    shown = [c for c in (*first, *varying(cells), *last) if c == "verdict" or cells[c].notna().any()]
    return shown, [c for c in cells.columns if c not in shown and c not in axes_of(cells)]


def _column(name: str, values: pd.Series) -> dict[str, object]:
    """A column's entry and values; one of few distinct values as codes into a list of them."""
    entry, plain_values = _entry(BY_NAME.get(name)), [plain(v) for v in values]
    distinct = list(dict.fromkeys(plain_values))
    if len(distinct) * 2 >= len(plain_values):
        return {"name": name, **entry, "values": plain_values}
    at = {v: i for i, v in enumerate(distinct)}
    return {"name": name, **entry, "list": distinct, "codes": [at[v] for v in plain_values]}


def _entry(column: Column | None) -> dict[str, str]:
    if column is None:  # a setting, or the cell's id
        return {"format": "short"}
    entry = {"about": column.about, "unit": column.unit or column.name, "null": column.null}
    return {**entry, "format": column.format, "of": column.of}


def _constants(report: Report) -> dict[str, str]:
    """The settings that all cells share."""
    if report.excerpt:
        return {axis: significant(value, 6) for axis, value in report.excerpt.constants.items()}
    cells = report.cells[report.cells["status"] != Status.PENDING]
    values = {axis: cells[axis].dropna().unique() for axis in axes_of(cells)}
    return {axis: significant(v[0], 6) for axis, v in values.items() if len(v) == 1}


def _flat(about: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in about.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key} "))
        elif value is not None:
            flat[prefix + str(key)] = str(value)
    return flat
