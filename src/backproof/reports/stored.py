"""What a store holds of its experiment.

It may come from anybody: what is not a question, a claim or a figure is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from backproof.errors import ConfigurationError
from backproof.reports.default_figures import default_figures
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.specification import figure_spec


@dataclass(frozen=True)
class StoredExperiment:
    """Question, claims and figures, as they were asked for."""

    name: str
    question: str
    claims: tuple[Mapping[str, object], ...]
    figures: tuple[Mapping[str, object], ...]


def stored_experiment(content: Mapping[str, object]) -> StoredExperiment:
    """An experiment out of a store's JSON; whatever is missing is empty."""
    return StoredExperiment(
        str(content.get("name") or ""),
        " ".join(str(content.get("question") or "").split()),
        _records(content.get("claims")),
        _records(content.get("figures")),
    )


def _records(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, list | tuple) else ()


def figures_of(experiment: StoredExperiment, cells: pd.DataFrame) -> tuple[list[FigureSpec | Drawn], str]:
    """The figures of a report, and how their axes were chosen where the experiment names none.

    One that cannot be read is there already as what could not be drawn, with the reason.
    """
    if not experiment.figures:
        chosen, how = default_figures(cells)
        return list(chosen), how
    found: list[FigureSpec | Drawn] = []
    for i, given in enumerate(experiment.figures):
        try:
            found.append(figure_spec(f"figures[{i}]", given, [str(c) for c in cells.columns]))
        except ConfigurationError as error:
            value = str(given.get("value"))
            found.append(Drawn(FigureSpec(value, str(given.get("title") or value)), None, str(error)))
    return found, ""
