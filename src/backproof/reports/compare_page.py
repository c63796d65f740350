"""A comparison in a few sentences, and as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from backproof.reports.compare import Comparison
from backproof.reports.compare_figures import ComparedFigures
from backproof.reports.listings import cells_of, moved, of_cells, overall, texts
from backproof.reports.paired import CONFIDENCE, leaves_zero_out, stands_still
from backproof.reports.pictures import Picture
from backproof.reports.templates import environment


def page(
    a: Mapping[str, object],
    b: Mapping[str, object],
    comparison: Comparison,
    folder: str,
    pictures: Sequence[Picture],
    figures: ComparedFigures,
) -> str:
    """The whole page as text.

    Args:
        a, b: the sweeps by name, folder, command and start (None where unknown).
        folder: of the figures' files, by its name beside the page; `pictures`: those of `figures`.
    """
    template = environment().get_template("compare.html.j2")
    return template.render(
        sides={"A": a, "B": b},
        answer=answer(comparison),
        figures=folder,
        pictures=pictures,
        unchanged=figures.unchanged,
        how=figures.how,
        cells=of_cells(comparison),
        overall=[] if comparison.same_results else overall(comparison.overall),
        combinations=list(moved(comparison.combinations)),
        differing=comparison.differing,
        differences={
            "Configuration": texts(comparison.settings),
            "Code and versions": texts(comparison.code),
        },
    )


def answer(comparison: Comparison) -> list[str]:
    """What changed, in a few sentences with figures."""
    at = comparison.alignment
    by = f", aligned by {', '.join(at.axes)}" if at.axes else ""
    alone = f"{len(at.only_a):,} only in A, {len(at.only_b):,} only in B"
    sentences = [f"{cells_of(len(at.a))} in both sweeps{by}; {alone}."]
    if len(at.repeated_a) or len(at.repeated_b):
        sentences.append(
            f"Left out are {cells_of(len(at.repeated_a))} of A and {len(at.repeated_b):,} of B: "
            "one of the sweeps has several cells with their settings."
        )
    if comparison.same_results:
        settings = ", though settings differ" if len(comparison.settings) else ""
        return [*sentences, f"The two tables are bit-identical in every result of every cell{settings}."]
    sentences.append(
        f"The status changed in {cells_of(len(comparison.statuses))}, "
        f"the verdict in {cells_of(len(comparison.verdicts))}."
    )
    if len(at.a) and not comparison.differing:
        sentences.append("In the cells of both, every result is bit-identical.")
    return sentences + _chance(comparison.combinations)


def _chance(combinations: pd.DataFrame) -> list[str]:
    """How many intervals leave zero out, and how many would if nothing but noise had changed."""
    moving = combinations[(combinations["n"] > 1) & ~stands_still(combinations)]
    if not len(moving):
        return []
    found = int(leaves_zero_out(moving).sum())
    by_chance = len(moving) * (1 - CONFIDENCE)
    return [
        f"{found:,} of {len(moving):,} intervals over seeds leave zero out; "
        f"about {by_chance:,.0f} would if nothing but noise had changed."
    ]
