"""Claims: statements that a sweep's table confirms or refutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.errors import ConfigurationError
from backproof.reports.tables import REPLICATE, axes_of, select, training_summary
from backproof.reports.validation import required_share
from backproof.sweeps.expressions import parse

CONFIRMED, REFUTED, OPEN, BROKEN = "confirmed", "refuted", "not enough data", "could not be evaluated"
EXAMPLES = 5
"""How many cells that break a claim are listed with it."""


@dataclass(frozen=True)
class Result:
    """A claim, settled.

    Attributes:
        n: the cells it speaks of; holding: those for which it holds.
        needs: what share of them must hold, in words.
        measure: a small table that belongs to it; None without one.
        exceptions: ids of cells that go against it.
        training: how the cells train; None where they don't.
        cases: settings apart from the seed; agreeing: those whose replicates all say the same.
        problem: why it could not be evaluated; empty if it was.
    """

    id: str
    says: str
    where: str
    holds: str
    verdict: str
    n: int
    holding: int
    needs: str
    measure: pd.DataFrame | None = None
    exceptions: tuple[str, ...] = ()
    training: dict[str, Any] | None = field(default=None)
    problem: str = ""
    cases: int = 0
    agreeing: int = 0


def evaluate(claims: Iterable[Mapping[str, Any]], cells: pd.DataFrame) -> list[Result]:
    """Settle every claim by the finished cells of the table."""
    done = cells[cells["status"] == "ok"]
    return [_settle(str(claim.get("id", i + 1)), claim, done) for i, claim in enumerate(claims)]


def _settle(name: str, claim: Mapping[str, Any], done: pd.DataFrame) -> Result:
    says, where, holds = (" ".join(str(claim[key]).split()) for key in ("says", "where", "holds"))
    least, most, needs = required_share("share", claim.get("share", "all"))
    try:
        spoken_of = select(done, where)
        if not len(spoken_of):
            return Result(name, says, where, holds, OPEN, 0, 0, needs)
        kept = parse("holds", holds, done).truth(spoken_of)
        measure = _measured(claim.get("measure"), spoken_of)
        cases, agreeing = _replicates(spoken_of, kept)
    except ConfigurationError as error:  # a claim that cannot be settled must not cost the report
        return Result(name, says, where, holds, BROKEN, 0, 0, needs, problem=str(error))
    against = ~kept if least > 0.5 or most == 1.0 else kept
    return Result(
        name,
        says,
        where,
        holds,
        CONFIRMED if least <= kept.mean() <= most else REFUTED,
        len(spoken_of),
        int(kept.sum()),
        needs,
        measure,
        tuple(spoken_of.loc[against, "cell"].head(EXAMPLES)) if needs != "at least one" else (),
        training_summary(spoken_of),
        cases=cases,
        agreeing=agreeing,
    )


def _replicates(cells: pd.DataFrame, kept: NDArray[np.bool_]) -> tuple[int, int]:
    """How many cases there are, replicates counted as one, and in how many of them all replicates agree."""
    settings = [a for a in axes_of(cells) if a != REPLICATE]
    if REPLICATE not in cells or cells[REPLICATE].nunique() < 2:
        return 0, 0
    keys = [cells[a].astype(object).where(cells[a].notna(), None).values for a in settings]
    held = pd.Series(kept.tolist()).groupby(keys, sort=False, dropna=False).agg(["all", "any"])
    return len(held), int((held["all"] == held["any"]).sum())


def _measured(measure: Mapping[str, Any] | None, cells: pd.DataFrame) -> pd.DataFrame | None:
    """A claim's own table: a value by some axes, as a share, a median, a mean or a sum; with n and spread."""
    if measure is None:
        return None
    by, how = list(measure["by"]), measure["as"]
    numbers = parse("measure.value", measure["value"], cells).numbers(cells)
    values = pd.Series(numbers, cells.index)
    keys = [cells[b].astype(object).where(cells[b].notna(), None) for b in by]
    groups = values.groupby([k.values for k in keys], sort=True, dropna=False)
    table = pd.DataFrame({
        how: groups.mean() if how == "share" else groups.agg(how),
        "least": groups.min(),
        "greatest": groups.max(),
        "n": groups.size(),
    })  # fmt: skip
    table.index.names = by
    table = table.drop(columns=["least", "greatest"]) if how in ("share", "sum") else table
    return table.reset_index()
