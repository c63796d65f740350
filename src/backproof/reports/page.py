"""The page: one HTML file, offline, everything that was typed or measured escaped by the template engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backproof.reports.claims import BROKEN, CONFIRMED, OPEN, REFUTED, Result
from backproof.reports.details import packed, plain
from backproof.reports.tables import FAILED, OF_TRAINING, axes_of, ran, training_summary, varying
from backproof.reports.templates import environment
from backproof.sweeps.columns import TENSORS, names_of
from backproof.verdicts import RIGHT, Verdict
from backproof.verdicts.evidence import STEPS

FIRST = ("verdict", "gradient_error", "accuracy")
KEY_RESULTS = (
    "cause",
    "cures",
    "excess",
    "final_loss",
    "steps_to_threshold",
    "status",
)
"""Results that the table shows before and after the axes; the others on demand."""


@dataclass
class Picture:
    """A figure in the page: its SVG as a data address, or the reason why there is none.

    Attributes:
        size: pixels across and down; panels: what the page's script knows of its places.
    """

    title: str
    caption: str
    alt: str
    stem: str
    source: str = ""
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    panels: dict[str, Any] | None = None


def page(
    name: str,
    question: str,
    claims: Sequence[Result],
    pictures: Sequence[Picture],
    chosen: str,
    everything: pd.DataFrame,
    told: tuple[Sequence[str], Sequence[int]],
    provenance: Mapping[str, Any],
) -> str:
    """The whole report as text.

    Args:
        everything: the cells, those still to come among them.
        told: pieces of details, and for every cell the piece it is in.
    """
    cells = everything[everything["status"] != "pending"]
    pending = len(everything) - len(cells)
    pages = environment()
    pages.filters["sig"] = significant
    statuses = cells["status"].value_counts()
    pieces, piece_of = told
    data = {
        **_table(everything),
        "pieces": piece_of,
        "tensor_columns": names_of(TENSORS),
        "verdicts": {
            v.value: {"symbol": v.symbol, "sentence": v.sentence, "remedy": v.remedy, "colour": v.colour}
            for v in Verdict
        },
        "constants": list(_constants(everything).items()),
        "of_training": OF_TRAINING,
        "unchecked": np.flatnonzero(~ran(everything, "check")).tolist(),
        "untrained": np.flatnonzero(~ran(everything, "training")).tolist(),
        "steps": STEPS,
        "figures": {p.stem: p.panels for p in pictures if p.panels},
    }  # fmt: skip
    return pages.get_template("page.html.j2").render(
        name=name,
        question=question,
        answer=_answer(claims, cells, pending),
        claims=claims,
        badges={CONFIRMED: "✓", REFUTED: "✗", OPEN: "?", BROKEN: "!"},
        pictures=pictures,
        chosen=chosen,
        verdicts=[
            (v, v.colour, int((cells["verdict"] == v).sum()))
            for v in Verdict
            if (cells["verdict"] == v).any()
        ],
        failures=cells.loc[cells["status"].isin(FAILED), ["cell", "status", "error", "command"]].to_dict(
            "records"
        ),
        exclusions=cells.loc[cells["status"] == "excluded", "error"].value_counts().to_dict(),
        constants=_constants(cells),
        count=len(cells),
        done=int(statuses.get("ok", 0)),
        pending=pending,
        data=packed(data),
        pieces=pieces,
        provenance=_flat(provenance),
    )


def significant(x: Any, digits: int = 3) -> str:
    """A number in few digits; what is no number as it is."""
    if x is None or x is pd.NA or (isinstance(x, float) and math.isnan(x)):
        return "–"
    if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.number):
        return str(x)
    return f"{x:,}" if isinstance(x, int | np.integer) else f"{x:.{digits}g}"


def _answer(claims: Sequence[Result], cells: pd.DataFrame, pending: int) -> list[str]:
    """The answer in two or three sentences, with figures."""
    sentences = []
    if claims:
        counts = {word: sum(c.verdict == word for c in claims) for word in (CONFIRMED, REFUTED, OPEN, BROKEN)}
        told = [f"{n} {word}" for word, n in counts.items() if n]
        sentences.append(f"Of {len(claims)} statements: {', '.join(told)}.")
    done = cells[cells["status"] == "ok"]
    checked = done[done["verdict"].notna() & (done["verdict"] != "not checked")]
    if len(checked):
        right = checked["verdict"].isin(RIGHT)
        words = [f"The gradient is right in {right.sum():,} of {len(checked):,} cells"]
        for which, group in (("right", checked[right]), ("not right", checked[~right])):
            trained = training_summary(group)
            if trained:
                words.append(
                    f"where it is {which}, median test accuracy after training is {trained['accuracy']:.2f}"
                )
        sentences.append("; ".join(words) + ".")
    sentences += _noise(checked)
    if pending:
        sentences.append(f"{pending:,} cells are still to come.")
    return sentences


def _noise(checked: pd.DataFrame) -> list[str]:
    """What a low precision's noise is beside the rule's own error, where the two were told apart."""
    sentences: list[str] = []
    if "precision" not in checked:
        return sentences
    low = checked[checked["noise"].notna() & checked["precision"].isin(["float16", "float32"])]
    for precision, cells in low.groupby("precision", sort=False):
        wrong = int((~cells["verdict"].isin(RIGHT)).sum())
        sentences.append(
            f"In {precision} rounding alone makes a median error of {cells['noise'].median():.1e}; "
            f"judged without it, {wrong:,} of {len(cells):,} gradients are not right."
        )
    return sentences


def _constants(cells: pd.DataFrame) -> dict[str, str]:
    """The settings that all cells share."""
    fixed = {}
    for axis in axes_of(cells):
        values = cells[axis].dropna().unique()
        if len(values) == 1:
            fixed[axis] = significant(values[0], 6)
    return fixed


def _table(cells: pd.DataFrame) -> dict[str, Any]:
    """The table of cells by columns; a column of few distinct values as codes into a list of them."""
    # What no cell has, like accuracy where nothing was trained, stands at the end.
    first = [c for c in (*FIRST, *varying(cells), *KEY_RESULTS) if c == "verdict" or cells[c].notna().any()]
    rest = [c for c in cells.columns if c not in first and c not in axes_of(cells)]
    columns = []
    for name in [*first, *rest]:
        values = [plain(v) for v in cells[name]]
        distinct = list(dict.fromkeys(values))
        at = {v: i for i, v in enumerate(distinct)}
        coded = len(distinct) * 2 < len(values)
        columns.append(
            {"name": name, "list": distinct, "codes": [at[v] for v in values]}
            if coded
            else {"name": name, "values": values}
        )
    return {
        "columns": columns,
        "first": len(first),
        "axes": varying(cells),
    }


def _flat(about: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in about.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key} "))
        elif value is not None:
            flat[prefix + str(key)] = str(value)
    return flat
