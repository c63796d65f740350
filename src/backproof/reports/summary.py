"""A sweep in a few sentences with figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from backproof.errors import ConfigurationError
from backproof.reports.axes import axes_of, finished, flagged, own
from backproof.reports.live import WORDLESS, LiveText, live_text
from backproof.sweeps.columns import DIVERGED, REACHED
from backproof.sweeps.overrides import REPLICATE
from backproof.sweeps.status import Status
from backproof.verdicts.verdict import RIGHT, Verdict

if TYPE_CHECKING:
    from backproof.reports.claims import Settled

LOW_PRECISIONS = ("float16", "float32")
"""Precisions whose round-off is reported apart from the rule's own error."""


@dataclass(frozen=True)
class TrainingSummary:
    """How cells train: median test accuracy and its range, and some shares.

    Attributes:
        reached: those that reach the threshold of training accuracy.
        diverged: those whose loss was not finite at some step, or ten times the first or more.
        not_finite: those whose loss is not finite at the end.
    """

    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    reached: float
    diverged: float
    not_finite: float


def training_summary(cells: pd.DataFrame) -> TrainingSummary | None:
    """How these cells train; None where none did."""
    trained = finished(cells)
    trained = trained[trained["accuracy"].notna()]
    if not len(trained):
        return None
    accuracy = trained["accuracy"]
    return TrainingSummary(
        len(trained),
        float(accuracy.median()),
        float(accuracy.min()),
        float(accuracy.max()),
        float(trained[REACHED.name].notna().mean()),
        float(trained[DIVERGED.name].notna().mean()),
        float(trained["final_loss"].isna().mean()),
    )


@dataclass(frozen=True)
class Answer:
    """The answer to an experiment's question.

    Attributes:
        text: the author's, with numbers of this sweep; empty where the experiment has none.
        live: the same with its fields.
        counts: how many statements hold, and without a text of how many cells the gradient is right.
    """

    text: str
    counts: tuple[str, ...]
    live: LiveText = WORDLESS

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it."""
        return (self.text, *self.counts) if self.text else self.counts


def answer_of(text: str, claims: Sequence[Settled], cells: pd.DataFrame) -> Answer:
    """The answer by what is there of a sweep; a text that cannot be filled says why."""
    mine, live = own(cells), WORDLESS
    try:
        live = live_text("answer", text, [str(c) for c in cells.columns])
        filled = live.filled(finished(cells))
    except ConfigurationError as error:
        filled = f"The answer could not be filled in: {error}"
    pending = int((cells["status"] == Status.PENDING).sum())
    on_verdicts = () if text else _on_verdicts(mine)  # the author knows better what a grid's shares mean
    sentences = (*_on_claims(claims), *on_verdicts, *_on_choices(mine), *_on_pending(pending))
    return Answer(filled, sentences, live)


def _on_claims(claims: Sequence[Settled]) -> Iterator[str]:
    if claims:
        statuses = [c.status for c in claims]
        counts = [f"{statuses.count(s)} {s}" for s in type(statuses[0]) if s in statuses]
        yield f"Of {len(claims)} statements: {', '.join(counts)}."


def _on_verdicts(cells: pd.DataFrame) -> Iterator[str]:
    done = finished(cells)
    checked = done[done["verdict"].notna() & (done["verdict"] != Verdict.NOT_CHECKED)]
    if not len(checked):
        return
    right = checked["verdict"].isin(RIGHT)
    words = [f"The gradient is right in {right.sum():,} of {len(checked):,} cells"]
    for which, group in (("right", checked[right]), ("not right", checked[~right])):
        if trained := training_summary(group):
            words.append(
                f"where it is {which}, median test accuracy after training is {trained.accuracy:.2f}"
            )
    yield "; ".join(words) + "."
    yield from _on_round_off(checked)


def _on_round_off(checked: pd.DataFrame) -> Iterator[str]:
    """What a low precision's round-off is beside the rule's own error, where both were measured."""
    if "precision" not in checked:
        return
    low = checked[checked["noise"].notna() & checked["precision"].isin(LOW_PRECISIONS)]
    for precision, cells in low.groupby("precision", sort=False):
        wrong = int((~cells["verdict"].isin(RIGHT)).sum())
        yield (
            f"In {precision} round-off alone makes a median gradient error of {cells['noise'].median():.1e}; "
            f"judged without it, {wrong:,} of {len(cells):,} gradients are not right."
        )


def _on_choices(cells: pd.DataFrame) -> Iterator[str]:
    """How many of the chosen values lie at an end of those that were tried, where one may lie beyond."""
    number, at_edge = settings_at_edge(cells[flagged(cells, "tuned")])
    if at_edge:
        yield f"Of {number:,} settings {at_edge:,} have their best value at the end of the range tried."


def settings_at_edge(cells: pd.DataFrame) -> tuple[int, int]:
    """How many settings cells have, and in how many the chosen value lies at an end of those tried."""
    settings = [axis for axis in axes_of(cells) if axis != REPLICATE]
    at_edge = cells[flagged(cells, "tuned_at_edge")]
    return len(cells[settings].drop_duplicates()), len(at_edge[settings].drop_duplicates())


def _on_pending(pending: int) -> Iterator[str]:
    if pending:
        yield f"{pending:,} cells are still to come."
