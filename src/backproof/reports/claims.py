"""Claims: statements that a sweep's table confirms or refutes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import axes_of, finished, own
from backproof.reports.contrasts import Contrast, Difference, contrast_of, difference, holm
from backproof.reports.live import LiveText, live_text
from backproof.reports.summary import TrainingSummary, training_summary
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.overrides import REPLICATE, is_axis

EXAMPLES = 5
"""How many cells that break a claim are listed with it."""

MEASURES = ("share", "median", "mean", "sum")


class ClaimStatus(StrEnum):
    """Whether a table supports a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OPEN = "not enough data"
    VACUOUS = "vacuous"
    BROKEN = "could not be evaluated"

    @property
    def symbol(self) -> str:
        """One character for the page."""
        return {"confirmed": "✓", "refuted": "✗", "not enough data": "?", "vacuous": "○"}.get(self, "!")


@dataclass(frozen=True)
class Share:
    """The least and the greatest share of cells for which a claim must hold, and that in words."""

    least: float
    most: float
    words: str

    @property
    def existential(self) -> bool:
        """Whether one cell is enough."""
        return self.least == SOME and self.most == 1


SOME = 1e-12
SHARES = {
    "all": Share(1.0, 1.0, "all"),
    "none": Share(0.0, 0.0, "none"),
    "some": Share(SOME, 1.0, "at least one"),
}


@dataclass(frozen=True)
class Measure:
    """A small table of a claim: a value by some axes, as a share, a median, a mean or a sum."""

    by: tuple[str, ...]
    value: Expression
    aggregate: str


@dataclass(frozen=True)
class Place:
    """Where a claim stands in a report.

    Attributes:
        hypothesis: what it is a part of; empty for none.
        figure: the title of the figure that shows it; empty if none does.
    """

    hypothesis: str = ""
    figure: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement: of the cells in `where`, `holds` must be true for a share.

    Attributes:
        contrast: an effect that is stated with it.
        over: the axis that it says something about; where nothing that `holds` reads differs along it, to the
            last bit, the claim could not have failed and is vacuous. None where it says nothing of the kind.
    """

    id: str
    statement: LiveText
    where: Expression
    holds: Expression
    share: Share
    measure: Measure | None = None
    contrast: Contrast | None = None
    over: str | None = None
    place: Place = Place()


@dataclass(frozen=True)
class Settled:
    """A claim, settled.

    Attributes:
        n: the cells it is about; holding: those for which it holds; replicates: the seeds among them.
        about: the positions in the table of the cells it is about.
        measure: its table; None without one. training: how its cells train; None where they don't.
        difference: its contrast, measured; None without one, or without a pair.
        exceptions: ids of cells that go against it.
        cases: settings apart from the seed; agreeing: those whose replicates all give the same answer.
        problem: why it could not be evaluated; empty if it was.
    """

    id: str
    statement: str
    status: ClaimStatus
    where: str = ""
    holds: str = ""
    needs: str = ""
    n: int = 0
    holding: int = 0
    measure: pd.DataFrame | None = None
    exceptions: tuple[str, ...] = ()
    training: TrainingSummary | None = None
    problem: str = ""
    cases: int = 0
    agreeing: int = 0
    replicates: int = 0
    about: tuple[int, ...] = ()
    difference: Difference | None = None
    over: str | None = None
    place: Place = Place()


def claims_of(claims: Sequence[Mapping[str, object]], columns: Collection[str]) -> tuple[Claim, ...]:
    """The claims of an experiment.

    Raises:
        ConfigurationError: naming the claim, the key and the nearest right name.
    """
    return tuple(claim_of(i, claim, columns) for i, claim in enumerate(claims))


def claim_of(i: int, claim: Mapping[str, object], columns: Collection[str]) -> Claim:
    """The i-th claim of an experiment.

    Raises:
        ConfigurationError: naming the claim, the key and the nearest right name.
    """
    key = f"claims[{claim.get('id', i)}]"
    measure, contrast = claim.get("measure"), claim.get("contrast")
    return Claim(
        id=str(claim.get("id", i + 1)),
        statement=live_text(f"{key}.statement", claim.get("statement", ""), columns),
        where=parse(f"{key}.where", claim.get("where"), columns),
        holds=parse(f"{key}.holds", claim.get("holds"), columns),
        share=_share(f"{key}.share", claim.get("share", "all")),
        measure=None if measure is None else _measure(f"{key}.measure", measure, columns),
        contrast=None if contrast is None else contrast_of(f"{key}.contrast", contrast, columns),
        over=_over(f"{key}.over", claim.get("over"), columns),
        place=_place(claim),
    )


def _over(key: str, axis: object, columns: Collection[str]) -> str | None:
    if axis is None:
        return None
    axes = [c for c in columns if is_axis(c)]
    if axis not in axes:
        raise ConfigurationError(f"{key}: unknown axis {axis}{nearest(str(axis), axes)}")
    return str(axis)


def require_figures(claims: Iterable[Claim], titles: Sequence[str]) -> None:
    """Refuse a claim that names a figure of which there is none.

    Raises:
        ConfigurationError: naming the claim and the nearest title.
    """
    for claim in claims:
        if claim.place.figure and claim.place.figure not in titles:
            raise ConfigurationError(
                f"claims[{claim.id}].figure: no figure has the title {claim.place.figure!r}"
                f"{nearest(claim.place.figure, titles)}"
            )


def _place(claim: Mapping[str, object]) -> Place:
    return Place(*(" ".join(str(claim.get(name) or "").split()) for name in ("hypothesis", "figure")))


def _share(key: str, share: object) -> Share:
    if str(share) in SHARES:
        return SHARES[str(share)]
    match = re.fullmatch(r"(>=|<=)\s*(0(?:\.\d+)?|1(?:\.0+)?)", str(share))
    if not match:
        raise ConfigurationError(
            f"{key}: must be {', '.join(SHARES)}, or a bound such as '>= 0.9'; not {share!r}"
        )
    bound = float(match[2])
    if match[1] == ">=":
        return Share(bound, 1.0, f"at least {bound:.0%}")
    return Share(0.0, bound, f"at most {bound:.0%}")


def _measure(key: str, measure: object, columns: Collection[str]) -> Measure:
    if not isinstance(measure, Mapping) or set(measure) != {"by", "value", "as"}:
        raise ConfigurationError(f"{key}: must be a mapping with by, value and as; not {measure!r}")
    aggregate, by = measure["as"], measure["by"]
    if aggregate not in MEASURES:
        hint = nearest(str(aggregate), MEASURES)
        raise ConfigurationError(f"{key}.as: must be one of {', '.join(MEASURES)}; not {aggregate!r}{hint}")
    if not isinstance(by, list):
        raise ConfigurationError(f"{key}.by: must be a list of columns; not {by!r}")
    for column in by:
        if column not in columns:
            raise ConfigurationError(f"{key}.by: unknown name {column}{nearest(str(column), columns)}")
    return Measure(tuple(by), parse(f"{key}.value", measure["value"], columns), aggregate)


def evaluate(claims: Iterable[Mapping[str, object]], cells: pd.DataFrame) -> list[Settled]:
    """Settle every claim by the finished cells of the table; one that cannot be read costs no other.

    Cells of a refinement count only where its `where` names `refined`. The contrasts are corrected for one
    another.
    """
    mine, done, settled = finished(own(cells)), finished(cells), []
    for i, given in enumerate(claims):
        try:
            if not len(done):
                settled.append(_unsettled(i, given, ClaimStatus.OPEN))
            else:
                claim = claim_of(i, given, [str(c) for c in cells.columns])
                settled.append(settle(claim, done if "refined" in claim.where.columns else mine))
        except ConfigurationError as error:
            settled.append(replace(_unsettled(i, given, ClaimStatus.BROKEN), problem=str(error)))
    corrected = holm([each.difference for each in settled])
    return [replace(each, difference=d) for each, d in zip(settled, corrected, strict=True)]


def _unsettled(i: int, given: Mapping[str, object], status: ClaimStatus) -> Settled:
    """A claim as it was written, where there is nothing to evaluate or no way to."""
    statement, where, holds = (
        " ".join(str(given.get(k, "")).split()) for k in ("statement", "where", "holds")
    )
    return Settled(str(given.get("id", i + 1)), statement, status, where, holds, place=_place(given))


def settle(claim: Claim, done: pd.DataFrame) -> Settled:
    """Settle a claim by finished cells.

    Raises:
        ConfigurationError: if an expression does not fit the table.
    """
    texts = (claim.where.text, claim.holds.text, claim.share.words)
    about = done[claim.where.truth(done)]
    statement = claim.statement.filled(about)
    if not len(about):
        return Settled(claim.id, statement, ClaimStatus.OPEN, *texts, place=claim.place)
    kept, share = claim.holds.truth(about), claim.share
    against = ~kept if share.least > 0.5 or share.most == 1.0 else kept
    cases, agreeing = _replicates(about, kept)
    return Settled(
        claim.id,
        statement,
        _status(claim, about, kept),
        *texts,
        n=len(about),
        holding=int(kept.sum()),
        measure=_measured(claim.measure, about) if claim.measure else None,
        exceptions=() if share.existential else tuple(about.loc[against, "cell"].head(EXAMPLES)),
        training=training_summary(about),
        cases=cases,
        agreeing=agreeing,
        replicates=about[REPLICATE].nunique() if REPLICATE in about else 0,
        about=tuple(about.index.tolist()),
        difference=difference(claim.contrast, done) if claim.contrast else None,
        over=claim.over,
        place=claim.place,
    )


def _status(claim: Claim, about: pd.DataFrame, kept: NDArray[np.bool_]) -> ClaimStatus:
    if claim.over is not None and not _differs_along(claim.over, about, claim.holds):
        return ClaimStatus.VACUOUS
    holds = claim.share.least <= kept.mean() <= claim.share.most
    return ClaimStatus.CONFIRMED if holds else ClaimStatus.REFUTED


def _differs_along(axis: str, cells: pd.DataFrame, holds: Expression) -> bool:
    """Whether a result that an expression reads differs between some cells that differ in one axis alone."""
    others = [a for a in axes_of(cells) if a != axis]
    results = [c for c in sorted(holds.columns) if not is_axis(c)]
    settings = len(cells[others].drop_duplicates()) if others else 1
    return len(cells[[*others, *results]].drop_duplicates()) > settings


def _replicates(cells: pd.DataFrame, kept: NDArray[np.bool_]) -> tuple[int, int]:
    """How many cases there are, replicates counted as one, and in how many of them all replicates agree."""
    settings = [a for a in axes_of(cells) if a != REPLICATE]
    if REPLICATE not in cells or cells[REPLICATE].nunique() < 2:
        return 0, 0
    keys = [cells[a].astype(object).where(cells[a].notna(), None).values for a in settings]
    held = pd.Series(kept.tolist()).groupby(keys, sort=False, dropna=False).agg(["all", "any"])
    return len(held), int((held["all"] == held["any"]).sum())


def _measured(measure: Measure, cells: pd.DataFrame) -> pd.DataFrame:
    """The table of a measure, with n and the spread."""
    by, how = list(measure.by), measure.aggregate
    values = pd.Series(measure.value.numbers(cells), cells.index)
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
