"""What a store holds of its experiment.

It may come from anybody: what is not a question, a claim or a figure is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from backproof.errors import ConfigurationError
from backproof.reports.axes import own
from backproof.reports.default_figures import default_figures
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.labels import Labels, shipped, stored_labels
from backproof.reports.specification import figure_spec


@dataclass(frozen=True)
class StoredExperiment:
    """Question, claims, figures, and the axes that are refined and tuned, as they were asked for."""

    name: str
    question: str
    answer: str
    claims: tuple[Mapping[str, object], ...]
    figures: tuple[Mapping[str, object], ...]
    refines: str | None = None
    tunes: str | None = None
    labels: Labels = field(default_factory=shipped)


def stored_experiment(content: Mapping[str, object]) -> StoredExperiment:
    """An experiment out of a store's JSON; whatever is missing is empty."""
    return StoredExperiment(
        str(content.get("name") or ""),
        _line(content.get("question")),
        _line(content.get("answer")),
        _records(content.get("claims")),
        _records(content.get("figures")),
        _axis(content.get("refine")),
        _axis(content.get("tune")),
        stored_labels(content.get("axes")),
    )


def _line(text: object) -> str:
    return " ".join(str(text or "").split())


def _axis(given: object) -> str | None:
    axis = given.get("axis") if isinstance(given, Mapping) else given
    return axis if isinstance(axis, str) else None


def _records(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, list | tuple) else ()


def figures_of(experiment: StoredExperiment, cells: pd.DataFrame) -> tuple[list[FigureSpec | Drawn], str]:
    """The figures of a report, and how their axes were chosen where the experiment names none.

    One that cannot be read is there already as what could not be drawn, with the reason.
    """
    edges = _figures_of_edges(experiment)
    if not experiment.figures:
        chosen, how = default_figures(own(cells), experiment.labels)
        return [*chosen, *edges], how
    found: list[FigureSpec | Drawn] = []
    columns = [str(c) for c in cells.columns]
    for i, given in enumerate(experiment.figures):
        try:
            spec = figure_spec(f"figures[{i}]", given, columns, experiment.labels)
            found.append(replace(spec, apart=experiment.tunes))
        except ConfigurationError as error:
            value = str(given.get("value"))
            found.append(Drawn(FigureSpec(value, str(given.get("title") or value)), None, str(error)))
    return [*found, *edges], ""


def _figures_of_edges(experiment: StoredExperiment) -> list[FigureSpec]:
    """The figure of a refinement, unless the experiment has one."""
    if experiment.refines is None or any(f.get("value") == "edges" for f in experiment.figures):
        return []
    return [FigureSpec("edges", f"Edges along {experiment.labels.title(experiment.refines)}")]
