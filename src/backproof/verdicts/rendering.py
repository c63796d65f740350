"""A check as lines of plain text, which a terminal may print in different weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from backproof.verdicts.verdict import AGREEING, Verdict

if TYPE_CHECKING:
    from backproof.verdicts.check import Check
    from backproof.verdicts.tensors import TensorJudgement

MOST_KINKS = 5
"""How many kinks and clipped outputs are listed."""

MOST_DIGITS = 18
"""The digits of a gradient that is known exactly: those of extended precision."""

MUCH_LESS = 10
"""An entry is named if it is seen so many times worse than the whole."""


class Line(NamedTuple):
    """One line, and whether it is to stand out or to stand back."""

    text: str
    weight: Literal["normal", "strong", "soft"] = "normal"


def lines_of(check: Check) -> list[Line]:
    """Verdict, causes, cures, the tensors one by one, and the evidence."""
    verdict = check.verdict
    to = f" to {_count(check.digits, 'digit')}" if verdict in AGREEING else ""
    lines = [Line(f"{verdict.symbol} {verdict}{to}: {verdict.sentence}", "strong")]
    if verdict not in AGREEING | {Verdict.NOT_CHECKED}:
        lines.append(Line(f"remedy: {check.remedy}", "soft"))
    sections = (_causes, _cures, _errors, _tensors, _worst, _evidence, _kinks, _outputs, _examined, _training)
    for section in sections:
        found = list(section(check))
        if found:
            lines += [Line(""), *found]
    if check.command:
        lines += [Line(""), Line(check.command, "soft")]
    return lines


def _causes(check: Check) -> Iterator[Line]:
    rows = []
    for i, cause in enumerate(check.judgement.causes, 1):
        known = cause.error or cause.parameters
        shares = (f"{cause.error:.0%}", f"{cause.parameters:.0%}") if known else ("", "")
        rows.append((str(i), cause.name, ", ".join(map(str, cause.layers)), cause.detail, *shares))
    yield from _table(("", "cause<", "layer<", "detail<", "error", "parameters"), rows)


def _cures(check: Check) -> Iterator[Line]:
    if check.cures.found:
        yield Line("cured by     " + ", or ".join(check.cures.found))
    if check.cures.failed:
        yield Line("not cured by " + ", ".join(check.cures.failed))


def _errors(check: Check) -> Iterator[Line]:
    j = check.judgement
    if j.gradient_error is None:
        return
    yield Line(f"gradient error {j.gradient_error:.3g}, excess {j.excess:.3g}")
    yield from _resolution(check)
    if j.noise is not None:
        own = "unknown" if j.rule_error is None else f"{j.rule_error:.2g}"
        noise = f"noise of {check.target.precision} {j.noise:.2g}, " if j.noise else ""
        yield Line(f"of it: {noise}the rule itself {own} (in a reference with the best steps)")


def digits_of(resolution: float | None) -> int:
    """The decimal digits that a relative error leaves; none where nothing is known."""
    if resolution is None or not 0 <= resolution < 1:
        return 0
    return int(-math.log10(resolution)) if resolution else MOST_DIGITS


def _resolution(check: Check) -> Iterator[Line]:
    """The smallest error that would have been seen: wherever it is, and of the entry that is seen worst."""
    j = check.judgement
    if j.resolution is None:
        return
    if check.verdict is Verdict.UNRESOLVED:
        yield Line(f"resolution {j.resolution:.2g}: a smaller relative error would not have been seen")
    else:
        yield Line(f"resolution {j.resolution:.2g}: a larger relative error would have been seen")
    if j.least_seen and j.least_seen[1] > MUCH_LESS * j.resolution:
        name, own = j.least_seen
        yield Line(f"least seen is {name}: {_count(digits_of(own), 'digit')} of its own size")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _tensors(check: Check) -> Iterator[Line]:
    number = {cause.name: str(i) for i, cause in enumerate(check.judgement.causes, 1)}
    known = check.details.safe_steps_by_tensor if check.details else {}
    safe = {name: "any" if math.isinf(step) else f"{step:.1e}" for name, step in known.items()}

    def row(t: TensorJudgement) -> Sequence[str]:
        error = "not finite" if t.gradient_error is None else f"{t.gradient_error:.2g}"
        shares = ", ".join(f"{number[n]}: {share:.0%}" for n, share in t.causes.items() if n in number)
        return (
            t.name, t.verdict, str(t.size), str(t.disagreeing), error, f"{t.excess:.2g}",
            f"{t.resolution:.1e}", str(t.touched + t.crossed), safe.get(t.name, ""), shares,
        )  # fmt: skip

    headings = (
        "tensor<",
        "verdict<",
        "size",
        "wrong",
        "error",
        "excess",
        "resolution",
        "kinks",
        "safe step",
        "causes<",
    )
    yield from _table(headings, map(row, check.judgement.tensors))


def _worst(check: Check) -> Iterator[Line]:
    def row(t: TensorJudgement) -> Sequence[str]:
        sides = f"{t.low:.6g} to {t.high:.6g}" if math.isfinite(t.low) else ""
        gap = f"{t.analytic - t.numerical:.1e}"
        return t.worst, f"{t.analytic:.6g}", f"{t.numerical:.6g}", gap, f"{t.bound:.1e}", sides

    headings = ("worst<", "analytic", "numerical", "difference", "bound", "one-sided derivatives")
    yield from _table(headings, map(row, check.judgement.tensors))


def _evidence(check: Check) -> Iterator[Line]:
    j, target = check.judgement, check.target
    yield Line(f"loss {float(target.loss):.6g}")
    if target.evaluations is not None:
        directions = j.screen.directions if j.screen else target.directions
        where = f"{directions} random directions" if directions else f"{j.parameters} parameters"
        yield Line(f"{where}, {target.evaluations} evaluations of the loss")
    if target.directions and check.agrees and not j.screen:
        yield Line(
            "a single wrong entry beyond the bound is never missed; errors of four bounds together"
            f" (2-norm) with a probability of at most {target.probability_of_a_miss:.1g}"
        )
    for count, verb in ((j.touched, "touch"), (j.crossed, "cross")):
        if count:
            yield Line(f"{count} of {j.parameters} parameters {verb} a kink")
    yield from (Line(f"note: {note}") for note in (*j.notes, *target.notes))


def _kinks(check: Check) -> Iterator[Line]:
    details, comparison = check.details, check.judgement.comparison
    if details is None or comparison is None or details.kinked_parameter is None:
        return
    estimate = comparison.estimate
    name = estimate.layout.location(int(estimate.index[details.kinked_parameter]))
    yield from _some([f"{name}: {event}" for event in details.kinks])


def _outputs(check: Check) -> Iterator[Line]:
    if check.details is None:
        return
    outputs = check.details.view.outputs
    for share, what in (
        (outputs.outside_domain, "lie outside the loss's domain"),
        (outputs.saturated, "are exactly 0 or 1"),
        (outputs.clip_active, "are flattened by the clip"),
    ):
        if share:
            yield Line(f"{share:.1%} of the outputs {what}")
    yield from _some([f"sample {o.sample}, output {o.output}: y = {o.y:.6g}" for o in check.details.clipped])


def _examined(check: Check) -> Iterator[Line]:
    yield from (Line(remark) for remark in check.examined)


def _training(check: Check) -> Iterator[Line]:
    run = check.training
    if run is None:
        return
    after = f"after {check.case['training.steps']} steps" if check.case else "after training"
    words = [f"{after}: loss {run['final_loss']:.4g} per sample, test accuracy {run['accuracy']:.1%}"]
    reached = run["steps_to_threshold"]
    words.append("threshold never reached" if reached is None else f"threshold at step {reached}")
    if run["diverged_at"] is not None:
        words.append(f"diverged at step {run['diverged_at']}")
    if run["cosine"] is not None:
        words.append(f"cosine to the exact gradient at least {run['cosine']:.4f}")
    yield Line("; ".join(words))


def _some(rows: list[str]) -> Iterator[Line]:
    """The first few of many."""
    yield from (Line(f"  {row}") for row in rows[:MOST_KINKS])
    if len(rows) > MOST_KINKS:
        yield Line(f"  and {len(rows) - MOST_KINKS} more")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Line]:
    """Aligned columns, flushed right but for headings that end in `<`; empty columns are left out."""
    body = [list(map(str, row)) for row in rows]
    kept = [k for k in range(len(headings)) if any(row[k] for row in body)]
    names = [headings[k].rstrip("<") for k in kept]
    widths = [max(len(name), *(len(row[k]) for row in body)) for k, name in zip(kept, names, strict=True)]

    def aligned(cells: Iterable[str]) -> str:
        columns = zip(cells, widths, kept, strict=True)
        return "  ".join(
            cell.ljust(width) if headings[k].endswith("<") else cell.rjust(width)
            for cell, width, k in columns
        ).rstrip()

    if body:
        yield Line(aligned(names), "soft")
        yield from (Line(aligned(row[k] for k in kept)) for row in body)
