"""What the page's script works on: the cells, the figures and the rules that it shares with the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from backproof.reports.aggregation import categories_of
from backproof.reports.axes import RECORDS, axes_of, own, ran, varying
from backproof.reports.details import plain
from backproof.reports.report import Report
from backproof.reports.series import OF_A_CELL, TRAINING
from backproof.sweeps.columns import BY_NAME, CELLS, TENSORS, Column, Of, names_of
from backproof.sweeps.overrides import REPLICATE
from backproof.sweeps.status import Status
from backproof.verdicts.verdict import RIGHT, Verdict

UNSEARCHED = ("command", "traceback")
"""Columns in which nobody looks for a word; the details of a cell show them by themselves."""

MOST_ASKED_AXES = 5
"""Settings through which the lines of parallel coordinates run at first."""

DIGITS = 9
"""Of a result in the page."""

ASKED = {
    "ask-heatmap": "Any value by any settings",
    "ask-points": "Any two values against each other",
    "ask-parallel": "Settings and results side by side",
}
"""The figures of all cells that every page has, by their ids, and their titles."""


def page_data(report: Report) -> dict[str, object]:
    """Plain data for the script."""
    cells = report.held
    shown, others = _shown(cells)
    return {
        "size": len(cells),
        "columns": [_column(name, cells[name]) for name in (*shown, *others)],
        "shown": len(shown),
        "axes": varying(cells),
        "labels": {k: v for k, v in report.labels.table().items() if k in cells.columns},
        "replicate": REPLICATE,
        "records": RECORDS,
        "constants": list(report.constants.items()),
        "listed": [*names_of(c for c in CELLS if c.page == "first" and not c.categories), "cause"],
        "headings": [[c.heading, c.name] for c in CELLS if c.heading],
        "unsearched": UNSEARCHED,
        "tensor_columns": [{"name": c.name, "about": c.about} for c in TENSORS],
        "pieces": report.details.piece_of,
        "series": [asdict(s) for s in OF_A_CELL],
        "training": [asdict(s) for s in TRAINING],
        "verdicts": {
            v: {"symbol": v.symbol, "sentence": v.sentence, "remedy": v.remedy, "colour": v.colour}
            for v in Verdict
        },
        "right": sorted(RIGHT),
        "missing": {
            Of.CHECK: np.flatnonzero(~ran(cells, "check")).tolist(),
            Of.TRAINING: np.flatnonzero(~ran(cells, "training")).tolist(),
        },
        "statuses": {s: s.shown for s in Status},
        "categories": {c.name: _categories(cells, c) for c in CELLS if c.categories},
        **_colours(),
        "answer": report.answer.live.plain if report.answer.live.fields else None,
        "figures": dict(_figures(report)),
        "statements": {
            c.id: _runs(_held(c.about, report), len(cells)) for c in report.claims
        },
    }  # fmt: skip


def _held(about: Sequence[int], report: Report) -> Sequence[int]:
    """Positions in the table of all cells as positions in the page; those that it does not hold left out."""
    if report.excerpt is None:
        return about
    positions = report.excerpt.positions(len(report.cells))[list(about)]
    found: list[int] = positions[positions >= 0].tolist()
    return found


def _runs(positions: Sequence[int], size: int) -> list[int]:
    """Some of so many cells: how many are left out and how many follow, by turns."""
    chosen = np.zeros(size + 2, np.int8)
    chosen[np.asarray(positions, np.intp) + 1] = 1
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
    entry = _entry(BY_NAME.get(name), values)
    codes, present = pd.factorize(values.astype(object), use_na_sentinel=False)
    # Settings have all their digits, since conditions compare them; results more than any text of them shows.
    distinct = [plain(v, DIGITS if name in BY_NAME else 17) for v in present]
    if len(distinct) * 2 >= len(values):
        return {"name": name, **entry, "values": [distinct[code] for code in codes]}
    return {"name": name, **entry, "list": distinct, "packed": codes.tolist()}


def _entry(column: Column | None, values: pd.Series) -> dict[str, object]:
    if column is None:  # a setting, or the cell's id
        return {"format": "short", "float": values.dtype.kind == "f"}
    words = {"about": column.about, "title": column.title, "unit": column.unit or column.name}
    entry = {"null": column.null, "format": column.format, "of": column.of, "scale": column.scale}
    return {**words, **entry, "drawn": column.drawn, "categories": column.categories}


def _categories(cells: pd.DataFrame, column: Column) -> dict[str, object]:
    """The categories of a column with symbols and colours; `fixed` where they do not depend on the cells."""
    from backproof.reports.figures.drawing.colours import colour_of, symbol_of

    names = categories_of(cells, column)
    found = [{"name": c, "symbol": symbol_of(c, i), "colour": colour_of(c, i)} for i, c in enumerate(names)]
    return {"fixed": names == tuple(map(str, Verdict)), "list": found}


def _colours() -> dict[str, object]:
    """The colours of heatmaps of numbers, from the least to the greatest, and that of a boundary."""
    import matplotlib as mpl

    from backproof.reports.figures.drawing.colours import BOUNDARY, COLOURS, EDGE

    stops = [mpl.colors.to_hex(c) for c in mpl.colormaps[COLOURS](np.linspace(0, 1, 65))]
    return {"colours": stops, "boundary": {"colour": BOUNDARY, "name": EDGE}}


def _figures(report: Report) -> Iterator[tuple[str, dict[str, object]]]:
    """By its id in the page, what each figure is drawn from; then those of all cells."""
    size = len(report.held)
    for number, picture in enumerate(report.pictures, 1):
        if live := picture.live:
            caption = live.caption.plain if any(live.caption.words) or live.caption.fields else None
            cells = _runs(_held(live.cells, report), size)
            yield picture.stem, {"number": number, "cells": cells, "caption": caption, **live.drawn}
    mine = _runs(own(report.held.reset_index(drop=True)).index.to_list(), size)
    for number, (stem, asked) in enumerate(_asked(report).items(), len(report.pictures) + 1):
        yield stem, {"number": number, "cells": mine, "caption": None, **asked}


def _asked(report: Report) -> dict[str, Mapping[str, object]]:
    """What the figures of all cells show before anybody turns them: the axes that the others use first."""
    specs = [p.live.drawn["spec"] for p in report.pictures if p.live]
    sides = [list(spec.get(side, ())) for spec in specs for side in ("rows", "columns")]  # type: ignore[attr-defined]
    named = dict.fromkeys(axis for side in sides for axis in side)
    settings = [a for a in varying(report.held) if a != REPLICATE and a not in RECORDS]
    first = [a for a in named if a in settings] or settings
    numbers = [c.name for c in CELLS if c.unit and report.held[c.name].notna().any()]
    x = "gradient_error"
    y = "accuracy" if "accuracy" in numbers else next((name for name in numbers if name != x), x)
    lines = [*dict.fromkeys((*first, *settings))][:MOST_ASKED_AXES]
    return {
        "ask-heatmap": {
            "kind": "heatmap",
            "spec": {"value": "verdict", "rows": first[:1], "columns": first[1:3], "aggregate": ""},
        },
        "ask-points": {"kind": "points", "spec": {"x": x, "y": y, "colour": "verdict"}},
        "ask-parallel": {
            "kind": "parallel",
            "spec": {"axes": [*lines, "verdict", *dict.fromkeys((x, y))], "colour": "verdict"},
        },
    }
