"""Claims: statements that a sweep's table confirms or refutes, or has too few replicates to settle."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import axes_of, finished, flagged, own
from backproof.reports.contrasts import TUNED, Contrast, Difference, contrast_of, difference, holm
from backproof.reports.expectations import Finding
from backproof.reports.live import LiveText, live_text
from backproof.reports.summary import TrainingSummary, settings_at_edge, training_summary
from backproof.sweeps.columns import CELLS, Of
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.overrides import REPLICATE, is_axis
from backproof.sweeps.status import FAILURES, Status

EXAMPLES = 5
"""How many cells that break a claim are listed with it."""

MEASURES = ("share", "median", "mean", "sum")

FEW_SEEDS = 20
"""A claim on how networks train that has fewer replicates says so."""

ON_TRAINING = frozenset(c.name for c in CELLS if c.of is Of.TRAINING and c.kind in ("number", "whole"))

TUNED_CELLS = ("tuned",)
"""What `at` may be."""


class ClaimStatus(StrEnum):
    """Whether a table supports a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OPEN = "not enough data"
    VACUOUS = "vacuous"
    UNDERPOWERED = "underpowered"
    BROKEN = "could not be evaluated"

    @property
    def symbol(self) -> str:
        """One character for the page."""
        return SYMBOLS.get(self, "!")


SYMBOLS = {"confirmed": "✓", "refuted": "✗", "not enough data": "?", "vacuous": "○", "underpowered": "≈"}


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


ALWAYS = "True"
"""What holds of every cell, where a contrast decides a claim."""

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
        tuned: whether it is about the chosen cells alone, of a sweep that tunes an axis.
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
    tuned: bool = False

    @property
    def expects(self) -> bool:
        """Whether something is expected of its contrast, which then decides it with `holds`."""
        return self.contrast is not None and self.contrast.expectation is not None

    @property
    def on_training(self) -> bool:
        """Whether it reads numbers that training comes to."""
        read = self.holds.columns | (self.contrast.value.columns if self.contrast else frozenset())
        return bool(read & ON_TRAINING)


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
        notes: what a reader has to know of it, each a sentence.
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
    notes: tuple[str, ...] = ()


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
    measure, given = claim.get("measure"), claim.get("contrast")
    contrast = None if given is None else contrast_of(f"{key}.contrast", given, columns)
    where, holds = _conditions(key, claim, contrast)
    return Claim(
        id=str(claim.get("id", i + 1)),
        statement=live_text(f"{key}.statement", claim.get("statement", ""), columns),
        where=parse(f"{key}.where", where, columns),
        holds=parse(f"{key}.holds", holds, columns),
        share=_share(f"{key}.share", claim.get("share", "all")),
        measure=None if measure is None else _measure(f"{key}.measure", measure, columns),
        contrast=contrast,
        over=_over(f"{key}.over", claim.get("over"), columns),
        place=_place(claim),
        tuned=at_tuned(key, claim),
    )


def _conditions(key: str, claim: Mapping[str, object], contrast: Contrast | None) -> tuple[object, object]:
    """`where` and `holds`; of a claim whose contrast decides it, the contrast's cells, and what always is."""
    where, holds = claim.get("where"), claim.get("holds")
    if contrast is not None and contrast.expectation is not None:
        where = f"({contrast.of.text}) or ({contrast.against.text})" if where is None else where
        return where, ALWAYS if holds is None else holds
    for name, given in (("where", where), ("holds", holds)):
        if given is None:
            raise ConfigurationError(f"{key}: needs {name}, or a contrast of which something is expected")
    return where, holds


def at_tuned(key: str, entry: Mapping[str, object]) -> bool:
    """Whether an entry is about the chosen cells alone.

    Raises:
        ConfigurationError: if its `at` is anything else.
    """
    at = entry.get("at")
    if at is not None and at not in TUNED_CELLS:
        hint = nearest(str(at), TUNED_CELLS)
        raise ConfigurationError(f"{key}.at: must be {', '.join(TUNED_CELLS)}; not {at!r}{hint}")
    return at is not None


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


def evaluate(
    claims: Iterable[Mapping[str, object]], cells: pd.DataFrame, tunes: str | None = None
) -> list[Settled]:
    """Settle every claim by the finished cells of the table; one that cannot be read costs no other.

    Cells of a refinement count only where its `where` names `refined`. The contrasts of one hypothesis, or of
    none, are corrected for one another.

    Args:
        tunes: the axis that the sweep tunes; None where it tunes none.
    """
    mine, done, settled = finished(own(cells)), finished(cells), []
    cases = _Cases(done)
    whole = len(done) > 0 and not cells["status"].isin((Status.PENDING, *FAILURES)).any()
    for i, given in enumerate(claims):
        try:
            if not len(done):
                settled.append(_unsettled(i, given, ClaimStatus.OPEN))
            else:
                claim = claim_of(i, given, [str(c) for c in cells.columns])
                about = done if "refined" in claim.where.columns else mine
                settled.append(settle(claim, about, cases, whole=whole, tunes=tunes))
        except ConfigurationError as error:
            settled.append(replace(_unsettled(i, given, ClaimStatus.BROKEN), problem=str(error)))
    return _corrected(settled)


def _corrected(settled: Sequence[Settled]) -> list[Settled]:
    """The claims with the p of each hypothesis corrected together, and what follows for their statuses."""
    found = list(settled)
    for family in dict.fromkeys(each.place.hypothesis for each in settled):
        members = [i for i, each in enumerate(settled) if each.place.hypothesis == family]
        for i, changed in zip(members, holm([settled[i].difference for i in members]), strict=True):
            found[i] = _with_test(replace(settled[i], difference=changed))
    return found


def _with_test(settled: Settled) -> Settled:
    """A claim that its cells confirm, decided by the test of its contrast, if there is one."""
    test = settled.difference.test if settled.difference else None
    if test is None or settled.status is not ClaimStatus.CONFIRMED:
        return settled
    if test.underpowered:
        return replace(settled, status=ClaimStatus.UNDERPOWERED)
    shown = test.finding is Finding.SHOWN
    return replace(settled, status=ClaimStatus.CONFIRMED if shown else ClaimStatus.REFUTED)


def _unsettled(i: int, given: Mapping[str, object], status: ClaimStatus) -> Settled:
    """A claim as it was written, where there is nothing to evaluate or no way to."""
    statement, where, holds = (
        " ".join(str(given.get(k, "")).split()) for k in ("statement", "where", "holds")
    )
    return Settled(str(given.get("id", i + 1)), statement, status, where, holds, place=_place(given))


def settle(
    claim: Claim, done: pd.DataFrame, cases: _Cases, *, whole: bool = False, tunes: str | None = None
) -> Settled:
    """Settle a claim by finished cells, its contrast's p not corrected yet.

    Args:
        cases: those of these cells, or of more.
        whole: whether these are all cells of the sweep: a claim about none of them can never be settled.
        tunes: the axis that is tuned.

    Raises:
        ConfigurationError: if an expression does not fit the table.
    """
    if claim.tuned:
        done = done[flagged(done, TUNED)]
    needs = "" if claim.holds.text == ALWAYS else claim.share.words
    texts = (claim.where.text, claim.holds.text, needs)
    about = done[claim.where.truth(done)]
    statement = claim.statement.filled(about)
    nothing = ClaimStatus.VACUOUS if whole else ClaimStatus.OPEN
    if not len(about):
        return Settled(claim.id, statement, nothing, *texts, place=claim.place)
    kept, share = claim.holds.truth(about), claim.share
    against = ~kept if share.least > 0.5 or share.most == 1.0 else kept
    replicated, agreeing = _replicates(about, kept, cases)
    contrasted = difference(claim.contrast, done, _apart(claim, tunes)) if claim.contrast else None
    return Settled(
        claim.id,
        statement,
        nothing if claim.expects and contrasted is None else _status(claim, about, kept),
        *texts,
        n=len(about),
        holding=int(kept.sum()),
        measure=_measured(claim.measure, about) if claim.measure else None,
        exceptions=() if share.existential else tuple(about.loc[against, "cell"].head(EXAMPLES)),
        training=training_summary(about),
        cases=replicated,
        agreeing=agreeing,
        replicates=about[REPLICATE].nunique() if REPLICATE in about else 0,
        about=tuple(about.index.tolist()),
        difference=contrasted,
        over=claim.over,
        place=claim.place,
        notes=tuple(_notes(claim, about, contrasted)),
    )


def _apart(claim: Claim, tunes: str | None) -> str | None:
    """The axis that each side of a contrast has tuned for itself; None where it is not about chosen cells."""
    assert claim.contrast is not None
    read = claim.contrast.of.columns | claim.contrast.against.columns
    return tunes if claim.tuned or TUNED in read else None


def _notes(claim: Claim, about: pd.DataFrame, contrasted: Difference | None) -> Iterator[str]:
    """What limits a claim."""
    if not claim.on_training:
        return
    seeds = contrasted.replicates if contrasted else about[REPLICATE].nunique() if REPLICATE in about else 1
    if seeds < FEW_SEEDS:
        count = f"{seeds} seed{'s' if seeds != 1 else ''}"
        yield f"It is about training and rests on {count}, fewer than {FEW_SEEDS}."
    number, ends = settings_at_edge(about)
    if ends:
        yield f"Of its {number} settings {ends} have their best value at the end of the range tried."


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


@dataclass(frozen=True)
class _Cases:
    """What cells have in common that differ in their seed alone; grouped once for all claims."""

    cells: pd.DataFrame

    @cached_property
    def numbers(self) -> pd.Series:
        """A number for each cell, the same for replicates."""
        keys = _keys(self.cells, [a for a in axes_of(self.cells) if a != REPLICATE])
        nothing = pd.Series(0, self.cells.index)
        return nothing.groupby(keys, sort=False, dropna=False).ngroup() if keys else nothing


def _replicates(cells: pd.DataFrame, kept: NDArray[np.bool_], cases: _Cases) -> tuple[int, int]:
    """How many cases there are, replicates counted as one, and in how many of them all replicates agree."""
    if REPLICATE not in cells or cells[REPLICATE].nunique() < 2:
        return 0, 0
    held = pd.Series(kept, cells.index).groupby(cases.numbers[cells.index]).agg(["all", "any"])
    return len(held), int((held["all"] == held["any"]).sum())


def _keys(cells: pd.DataFrame, names: Iterable[str]) -> list[NDArray[np.object_]]:
    """Columns to group cells by, each with None where it is null."""
    columns = (cells[name] for name in names)
    return [column.astype(object).where(column.notna(), None).to_numpy() for column in columns]


def _measured(measure: Measure, cells: pd.DataFrame) -> pd.DataFrame:
    """The table of a measure, with n and the spread."""
    by, how = list(measure.by), measure.aggregate
    values = pd.Series(measure.value.numbers(cells), cells.index)
    groups = values.groupby(_keys(cells, by), sort=True, dropna=False)
    table = pd.DataFrame({
        how: groups.mean() if how == "share" else groups.agg(how),
        "least": groups.min(),
        "greatest": groups.max(),
        "n": groups.size(),
    })  # fmt: skip
    table.index.names = by
    table = table.drop(columns=["least", "greatest"]) if how in ("share", "sum") else table
    return table.reset_index()
