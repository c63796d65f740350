"""The verdict on somebody else's gradient, from evaluations of their function alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.coordinate import Mapper, Measured, Prober, jitter_of, measure
from backproof.estimates.directional import (
    DIRECTIONS,
    PER_TENSOR,
    Along,
    Walker,
    faults_within,
    probability_of_a_miss,
)
from backproof.estimates.perturbed import Index, wide
from backproof.network.arrays import Array
from backproof.targets.function import Function
from backproof.verdicts.judgement import (
    BY_SEVERITY,
    VISIBLE,
    Cause,
    Judgement,
    TensorJudgement,
    gradient_error,
)
from backproof.verdicts.residuals import Tensor, structure_of, where_wrong
from backproof.verdicts.verdict import Verdict

FULL = 10_000
"""Up to so many parameters every one is moved; beyond, the gradient is checked along random directions."""

MOST = 400
"""Evaluations that a check along directions may take."""

MARGIN = 4.0
"""Budgets beyond which a parameter of a function with kinks is wrong."""

MOST_STRUCTURES = 1 << 22
"""Entries of a tensor up to which its rearrangements are tried."""


@dataclass(frozen=True)
class FunctionJudgement(Judgement):
    """A verdict on a function from outside.

    Attributes:
        evaluations: of the loss.
        directions: along which it was checked; 0 where every parameter was moved.
        miss: the largest probability that errors of four budgets (‖e‖₂) were not seen; 0 for a full check.
        notes: what is odd about the function.
        measured: per parameter; None for a check along directions.
        analytic: the gradient under test, flat.
        loss: its value.
    """

    evaluations: int = 0
    directions: int = 0
    miss: float = 0.0
    notes: tuple[str, ...] = ()
    measured: Measured | None = None
    analytic: Array | None = None
    loss: float = float("nan")


def judge_function(
    function: Function,
    *,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    blocks: Mapper | None = None,
) -> FunctionJudgement:
    """Check a function's gradient at its starting point.

    Args:
        seed: of the directions, and of the parameters that are drawn.
        parameters: check so many, drawn at random; by default all.
        directions: check along random directions instead of moving every parameter; by default from
            10,000 parameters on.
        blocks: evaluates blocks of parameters elsewhere.

    Raises:
        FunctionError: if the function does what no loss does: raises, changes its arguments, returns a shape.
    """
    generator = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        function.check_arguments()
        value, again = function.at(function.start), function.at(function.start)
        analytic, repeated = function.gradient(), function.gradient()
        size, judged = function.layout.size, _Judged(function, value, analytic)
        if not _equal(value, again):
            return judged.by(
                Verdict.NOT_DETERMINISTIC, [Cause("not deterministic", f"the loss: {value!r}, {again!r}")]
            )
        if not np.array_equal(analytic, repeated, equal_nan=True):
            place = function.layout.place(int(np.flatnonzero(analytic != repeated)[0]))
            return judged.by(
                Verdict.NOT_DETERMINISTIC, [Cause("not deterministic", f"the gradient, at {place}")]
            )
        if not np.isfinite(value):
            return judged.by(Verdict.NOT_FINITE, [Cause("loss not finite", f"it is {value}")])
        if not np.isfinite(analytic).all():
            first = function.layout.place(int(np.flatnonzero(~np.isfinite(analytic))[0]))
            return judged.by(Verdict.NOT_FINITE, [Cause("analytic gradient not finite", f"first at {first}")])
        prober = Prober(function, value, generator)
        if not np.isfinite(prober.noise):
            return judged.by(Verdict.NOT_FINITE, [Cause("loss not finite", "beside the point")])
        jitter = jitter_of(function, analytic, generator)
        if directions if directions is not None else (size if parameters is None else parameters) > FULL:
            return _along_directions(judged, prober, jitter)
        chosen = np.arange(size)
        if parameters is not None and parameters < size:
            chosen = np.sort(generator.choice(size, parameters, replace=False))
        measured = measure(prober, analytic, jitter, chosen, blocks=blocks)
        return _full(judged, measured)


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b or (np.isnan(a) and np.isnan(b)))


class _Judged:
    """Puts a judgement together for one function."""

    def __init__(self, function: Function, value: Any, analytic: Array) -> None:
        self.function, self.value, self.analytic = function, float(value), analytic

    def by(self, verdict: Verdict, causes: Sequence[Cause], **known: Any) -> FunctionJudgement:
        blank: dict[str, Any] = {
            "gradient_error": None, "excess": None, "worst_parameter": None,
            "parameters": self.function.layout.size, "disagreeing": 0, "touched": 0, "crossed": 0,
            "tensors": (),
        }  # fmt: skip
        return FunctionJudgement(
            verdict,
            tuple(causes),
            **{**blank, **known},
            evaluations=self.function.evaluations,
            notes=tuple(self.function.notes),
            analytic=self.analytic,
            loss=self.value,
        )


def _full(judged: _Judged, m: Measured) -> FunctionJudgement:
    function, kind = judged.function, wide(judged.function.dtype)
    layout, a = function.layout, judged.analytic[m.index].astype(kind)
    if not np.isfinite(m.numeric).all():
        first = layout.place(int(m.index[np.flatnonzero(~np.isfinite(m.numeric))[0]]))
        return judged.by(
            Verdict.NOT_FINITE,
            [Cause("numeric gradient not finite", f"within a step of {first}")],
            measured=m,
        )
    gap = np.abs(a - m.numeric)
    ratio = np.where(gap == 0, 0, gap / m.budget)
    inside = m.touched & (a >= m.low) & (a <= m.high)
    # Among kinks, what is a little beyond its budget may be the work of several of them.
    kinked = bool((m.touched | m.crossed).any())
    unsure = m.open | ((ratio > 1) & (ratio <= MARGIN) & kinked)
    wrong = (ratio > 1) & ~inside & ~unsure
    error = gradient_error(a, m.numeric)
    accused = Verdict.INCORRECT_GRADIENT
    causes: list[Cause] = []
    if wrong.any():
        verdict = accused
        causes = _causes(judged, m, wrong, gap)
    elif (unsure & ~inside).any():
        verdict = Verdict.UNDETERMINED
        count = int((unsure & ~inside).sum())
        causes = [
            Cause("not resolved", f"{count} parameters, among kinks that their steps do not tell apart")
        ]
    elif ((ratio > 1) & inside).any():
        verdict = Verdict.VALID_SUBGRADIENT
    elif error is not None and error > VISIBLE:
        verdict = Verdict.UNDETERMINED
        causes = [Cause("round-off", "the noise of the loss drowns its slope", (), 0.0, 1.0)]
    else:
        verdict = Verdict.AGREES
    if m.touched.any() and verdict is not Verdict.AGREES:
        share = float((gap[inside]).sum() / gap.sum()) if gap.sum() else 0.0
        causes.append(Cause("kink touched", "", (), float(m.touched.mean()), share))
    each = np.full(len(a), Verdict.AGREES.severity, np.int8)
    each[(ratio > 1) & inside] = Verdict.VALID_SUBGRADIENT.severity
    each[unsure & ~inside] = Verdict.UNDETERMINED.severity
    each[wrong] = accused.severity
    tensors = tuple(_tensors(judged, m, a, ratio, each))
    worst = int(np.argmax(ratio))
    return judged.by(
        verdict, causes, gradient_error=error, excess=float(ratio[worst]),
        worst_parameter=layout.place(int(m.index[worst])) if ratio[worst] > 0 else None,
        parameters=len(a), disagreeing=int(wrong.sum()), touched=int(m.touched.sum()),
        crossed=int(m.crossed.sum()), tensors=tensors, verdicts=(each,), measured=m,
    )  # fmt: skip


def _causes(judged: _Judged, m: Measured, wrong: NDArray[np.bool_], gap: Array) -> list[Cause]:
    """One cause a tensor at fault, what all of them share told once; the largest share of the error first."""
    layout = judged.function.layout
    tensors = {t.name: t for t in _measured_tensors(judged, m)}
    total = float(gap[wrong].sum()) or 1.0
    found: list[tuple[str, str, str, float, float]] = []
    for name, cut, shape in zip(layout.names, layout.slices, layout.shapes, strict=True):
        mine = (m.index >= cut.start) & (m.index < cut.stop)
        there = wrong & mine
        if not there.any():
            continue
        tensor = tensors[name]
        known = structure_of(tensor, list(tensors.values()))
        if known is None:
            flat = np.zeros(cut.stop - cut.start, bool)
            flat[m.index[there] - cut.start] = True
            known = "entries", where_wrong(flat, shape) + _of_entries(m, there, judged.analytic)
        found.append((name, *known, float(there.mean()), float(gap[there].sum()) / total))
    return _told(found, len(layout.names))


def _told(found: list[tuple[str, str, str, float, float]], tensors: int) -> list[Cause]:
    kinds = {(name, detail) for _, name, detail, *_ in found}
    if len(found) > 1 and len(found) == tensors and len(kinds) == 1 and found[0][1] != "entries":
        _, name, detail, *_ = found[0]
        return [Cause(name, f"{detail}, everywhere", (), sum(f[3] for f in found), 1.0)]
    causes = [
        Cause(name, f"{where}: {detail}", (), share, error) for where, name, detail, share, error in found
    ]
    return sorted(causes, key=lambda c: -c.error)


def _of_entries(m: Measured, wrong: NDArray[np.bool_], analytic: Array) -> str:
    """What the wrong entries have in common with the right ones: a factor, zeros, a plateau."""
    a, n = analytic[m.index[wrong]].astype(m.numeric.dtype), m.numeric[wrong]
    if m.flat[wrong].all():
        return "; there the loss does not change at all, and the gradient is not zero"
    if not a.any():
        return "; there the gradient is zero"
    if (m.touched & wrong).sum() == wrong.sum():
        return "; there a kink is touched, and the value lies outside the one-sided slopes"
    factor = float(np.median(n[a != 0] / a[a != 0]))
    if factor and (np.abs(n - factor * a) <= 2 * max(1, abs(factor)) * m.budget[wrong]).all() and len(a) > 1:
        return f"; there it is {1 / factor:.6g} times the right one"
    return ""


def _measured_tensors(judged: _Judged, m: Measured) -> Iterator[Tensor]:
    layout, kind = judged.function.layout, wide(judged.function.dtype)
    for name, cut, shape in zip(layout.names, layout.slices, layout.shapes, strict=True):
        mine = (m.index >= cut.start) & (m.index < cut.stop) & ~m.open & ~m.touched
        places = m.index[mine] - cut.start
        yield Tensor(
            name, shape, judged.analytic[cut].astype(kind), judged.function.start[cut].astype(kind),
            m.numeric[mine], m.budget[mine], lambda x, places=places: x[places],  # type: ignore[misc]
        )  # fmt: skip


def _tensors(
    judged: _Judged, m: Measured, a: Array, ratio: Array, each: NDArray[np.int8]
) -> Iterator[TensorJudgement]:
    layout = judged.function.layout
    for name, cut in zip(layout.names, layout.slices, strict=True):
        mine = np.flatnonzero((m.index >= cut.start) & (m.index < cut.stop))
        if not len(mine):
            continue
        worst = mine[int(np.argmax(ratio[mine]))]
        yield TensorJudgement(
            name=name, size=len(mine), gradient_error=gradient_error(a[mine], m.numeric[mine]),
            excess=float(ratio[worst]), disagreeing=int((ratio[mine] > 1).sum()),
            worst=layout.place(int(m.index[worst])), analytic=float(a[worst]),
            numeric=float(m.numeric[worst]), budget=float(m.budget[worst]),
            low=float(m.low[worst]), high=float(m.high[worst]),
            touched=int(m.touched[mine].sum()), crossed=int(m.crossed[mine].sum()),
            verdict=_gravest(each[mine]),
        )  # fmt: skip


def _gravest(verdicts: NDArray[np.int8]) -> Verdict:
    """The gravest verdict; one that is known before one that is open."""
    wrong = Verdict.INCORRECT_GRADIENT.severity
    return BY_SEVERITY[wrong if (verdicts == wrong).any() else int(verdicts.max())]


def _along_directions(judged: _Judged, prober: Prober, jitter: Array) -> FunctionJudgement:
    """Detection along directions through everything, then through each tensor, then bisection."""
    function, layout = judged.function, judged.function.layout
    walker = Walker(prober, judged.analytic, jitter)
    everything = np.arange(layout.size)
    walker.choose_step(everything)
    whole = walker.along(everything, DIRECTIONS)
    error = _error_along(whole)
    known: dict[str, Any] = {
        "gradient_error": error, "excess": float(np.max(whole.gap / whole.budget)), "directions": DIRECTIONS,
        "miss": probability_of_a_miss(DIRECTIONS),
    }  # fmt: skip
    if not np.isfinite(whole.numeric).all():
        return judged.by(Verdict.NOT_FINITE, [Cause("loss not finite", "along a direction")], **known)
    if not whole.wrong:
        if (whole.gap > whole.budget).any():
            told = Cause("kink touched", "along directions kinks add up; move every parameter to tell")
            return judged.by(Verdict.UNDETERMINED, [told], **known)
        if error > VISIBLE:
            return judged.by(
                Verdict.UNDETERMINED, [Cause("round-off", "kinks or noise drown the slope")], **known
            )
        return judged.by(Verdict.AGREES, [], **known)
    found: list[tuple[str, str, str, float, float]] = []
    tensors, summaries, lost = [], [], []
    for name, cut, shape in zip(layout.names, layout.slices, layout.shapes, strict=True):
        subset = np.arange(cut.start, cut.stop)
        if not len(subset):
            continue
        there = walker.along(subset, PER_TENSOR)
        tensors.append((_tensor_along(judged, name, shape, cut, there), there, subset))
    every = [tensor for tensor, *_ in tensors]
    total = sum(float(np.square(there.gap).mean()) for _, there, _ in tensors) or 1.0
    for tensor, there, subset in tensors:
        faults: list[Along] = []
        if there.wrong:
            share = float(np.square(there.gap).mean()) / total
            known_structure = structure_of(tensor, every) if len(subset) <= MOST_STRUCTURES else None
            if known_structure is None:
                faults, rest = faults_within(walker, there, MOST - function.evaluations)
                known_structure = "entries", _entries_told(judged, faults, rest)
                lost += rest
            found.append((tensor.name, *known_structure, 1.0, share))
        summaries.append(_summary_along(judged, tensor, there, faults))
    if not found:  # the sum of what each tensor may hide
        return judged.by(
            Verdict.INCORRECT_GRADIENT,
            [Cause("not located", "wrong along all parameters, in no tensor alone")],
            **known,
        )
    wrong = [s for s in summaries if s.verdict == Verdict.INCORRECT_GRADIENT]
    worst = max(wrong, key=lambda s: s.excess)
    return judged.by(
        Verdict.INCORRECT_GRADIENT, _told(found, len(layout.names)), tensors=tuple(summaries),
        worst_parameter=worst.worst, disagreeing=sum(s.disagreeing for s in summaries), **known,
    )  # fmt: skip


def _error_along(at: Along) -> float:
    """‖a − n‖ / (‖a‖ + ‖n‖), the norms estimated by directions: E (v·x)² = ‖x‖²."""
    sizes = [float(np.sqrt(np.mean(np.square(x)))) for x in (at.gap, at.analytic, at.numeric)]
    return sizes[0] / (sizes[1] + sizes[2]) if sizes[0] else 0.0


def _tensor_along(judged: _Judged, name: str, shape: tuple[int, ...], cut: slice, at: Along) -> Tensor:
    kind = wide(judged.function.dtype)

    def project(x: Array) -> Array:
        return np.array([signs @ x for signs in at.signs], kind)

    analytic, theta = judged.analytic[cut].astype(kind), judged.function.start[cut].astype(kind)
    return Tensor(name, shape, analytic, theta, at.numeric, at.budget, project)


def _summary_along(judged: _Judged, tensor: Tensor, at: Along, faults: list[Along]) -> TensorJudgement:
    worst = int(np.argmax(at.gap / at.budget))
    single = max(faults, key=lambda f: float(f.gap[0]), default=None)
    a, n, b, sign = at.analytic[worst], at.numeric[worst], at.budget[worst], 1
    where = f"{tensor.name}, along a direction"
    if single is not None:
        a, n, b, sign = single.analytic[0], single.numeric[0], single.budget[0], int(single.signs[0][0])
        where = judged.function.layout.place(int(single.subset[0]))
    verdict = Verdict.INCORRECT_GRADIENT if at.wrong else Verdict.AGREES
    return TensorJudgement(
        name=tensor.name, size=len(tensor.analytic), gradient_error=_error_along(at),
        excess=float(at.gap[worst] / at.budget[worst]), disagreeing=len(faults), worst=where,
        analytic=float(sign * a), numeric=float(sign * n), budget=float(b), low=np.nan, high=np.nan,
        touched=0, crossed=0, verdict=verdict,
    )  # fmt: skip


def _entries_told(judged: _Judged, faults: list[Along], rest: list[Index]) -> str:
    told = []
    for fault in faults:
        sign = int(fault.signs[0][0])
        place = judged.function.layout.place(int(fault.subset[0]))
        told.append(f"{place} is {sign * fault.analytic[0]:.6g}, numeric {sign * fault.numeric[0]:.6g}")
    if rest:
        first, last = min(int(r[0]) for r in rest), max(int(r[-1]) for r in rest)
        told.append(
            f"many between {judged.function.layout.place(first)} and {judged.function.layout.place(last)}"
        )
    return "; ".join(told)
