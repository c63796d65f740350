"""An analytic gradient held against the numeric one, with the evidence: the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backproof.estimates import Numeric, NumericLayer
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward
from backproof.verdicts.nonfinite import first_in_backward, first_in_forward
from backproof.verdicts.operations import Departure, localise
from backproof.verdicts.verdict import Verdict
from backproof.verdicts.view import View

VISIBLE = 0.05
"""Within the budget, a gradient error above this is no agreement: a rule that is off by 10 % has it too."""


class Rule(Protocol):
    """Whatever makes a gradient of a forward pass."""

    def backward(self, problem: Problem, forward: Forward, weights: Weights) -> Backward:
        """The gradient, and the deltas on the way."""


@dataclass(frozen=True)
class Cause:
    """What explains a disagreement, or part of it.

    Attributes:
        name: of a closed set, the same in every case: `output delta: sign`, `kink touched`.
        detail: what is specific to this case: a factor, a place.
        layers: counted from 1; empty where it is no matter of a layer.
        parameters: the share of the checked parameters that it moves by more than their budgets.
        error: its share of the sum of absolute errors.
    """

    name: str
    detail: str = ""
    layers: tuple[int, ...] = ()
    parameters: float = 0.0
    error: float = 0.0

    def __str__(self) -> str:
        where = f" (layer {', '.join(map(str, self.layers))})" if self.layers else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.name}{where}{detail}"


@dataclass(frozen=True)
class TensorJudgement:
    """The comparison over one weight matrix or bias vector.

    Attributes:
        verdict: the gravest of its parameters'.
        low, high: the one-sided slopes at the worst parameter, NaN where it touches no kink.
        causes: name of a cause to the share of this tensor's parameters that it moves.
    """

    name: str
    size: int
    gradient_error: float | None
    excess: float
    disagreeing: int
    worst: str
    analytic: float
    numeric: float
    budget: float
    low: float
    high: float
    touched: int
    crossed: int
    verdict: Verdict
    causes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """A verdict on a case and what it rests on.

    Attributes:
        causes: what explains a disagreement, the one with the largest share of the error first; empty
            where there is none.
        gradient_error: ‖a − n‖ / (‖a‖ + ‖n‖); 0 where both vanish, None where either is not finite.
        excess: the largest |a − n| / budget; at most 1 where all parameters agree.
        worst_parameter: where that is, as in W2[3,17] or b1[4].
        disagreeing: parameters beyond their budget that no kink explains.
        verdicts: of every parameter, an array a layer shaped like its weights: severities, −1 where
            it was not selected.
        rule_error: the gradient error in the precision of the reference: the rule's own, without noise.
        noise: the gradient error between the rule in the case's precision and in the reference's.
    """

    verdict: Verdict
    causes: tuple[Cause, ...]
    gradient_error: float | None
    excess: float | None
    worst_parameter: str | None
    parameters: int
    disagreeing: int
    touched: int
    crossed: int
    tensors: tuple[TensorJudgement, ...]
    verdicts: tuple[NDArray[np.int8], ...] = ()
    rule_error: float | None = None
    noise: float | None = None


def gradient_error(analytic: Array, numeric: Array) -> float | None:
    """‖a − n‖₂ / (‖a‖₂ + ‖n‖₂); both are scaled first, so that no square over- or underflows."""
    size = np.maximum(np.abs(analytic).max(initial=0), np.abs(numeric).max(initial=0))  # NaN is passed on
    if not np.isfinite(size):
        return None
    if size == 0:
        return 0.0
    a, n = analytic / size, numeric / size
    return float(np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)))


class Compared:
    """A backward pass beside a numeric gradient, parameter by parameter; lists have an entry a layer.

    Attributes:
        gap: |a − n|, 0 where not selected.
        ratio: |a − n| / budget.
        inside: a kink is touched and the analytic value lies between the one-sided slopes.
        wrong: beyond the budget, and no kink explains it.
    """

    def __init__(self, backward: Backward, numeric: Numeric) -> None:
        self.backward, self.layers = backward, numeric.layers
        self.gap, self.ratio, self.inside, self.wrong = [], [], [], []
        for a, layer in zip(backward.gradients, numeric.layers, strict=True):
            a = a.astype(layer.gradient.dtype, copy=False)
            gap = np.abs(np.where(layer.selected, a - layer.gradient, 0))
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                ratio = np.where(gap == 0, 0, gap / layer.budget)
            inside = layer.touched & (a >= layer.low) & (a <= layer.high)
            self.gap.append(gap)
            self.ratio.append(ratio)
            self.inside.append(inside)
            self.wrong.append((ratio > 1) & ~inside & ~layer.crossed)

    @property
    def finite(self) -> bool:
        """Whether both gradients are, where they are compared."""
        return all(
            np.isfinite(a[layer.selected]).all() and np.isfinite(layer.gradient[layer.selected]).all()
            for a, layer in zip(self.backward.gradients, self.layers, strict=True)
        )

    @cached_property
    def error(self) -> float | None:
        """The gradient error over all selected parameters."""
        return gradient_error(self.values, self.flat([n.gradient for n in self.layers]))

    @cached_property
    def values(self) -> Array:
        """The analytic gradient over all selected parameters."""
        return self.flat(self.backward.gradients)

    def flat(self, arrays: Sequence[Array]) -> Array:
        """The selected entries of arrays shaped like the weights, in the numeric gradient's precision."""
        kind = self.layers[0].gradient.dtype
        chosen = [a[n.selected].astype(kind) for a, n in zip(arrays, self.layers, strict=True)]
        return np.concatenate(chosen)

    def any(self, masks: Sequence[NDArray[np.bool_]]) -> bool:
        """Whether a mask is true anywhere."""
        return any(m.any() for m in masks)

    def beyond(self, mask: Callable[[NumericLayer, NDArray[np.bool_]], NDArray[np.bool_]]) -> bool:
        """Whether some parameter beyond its budget satisfies a condition of (layer, inside)."""
        trios = zip(self.ratio, self.layers, self.inside, strict=True)
        return any(bool(((ratio > 1) & mask(layer, inside)).any()) for ratio, layer, inside in trios)


def judge(
    rule: Rule,
    own: View,
    reference: View | None = None,
    finer: Callable[[], View] | None = None,
    *,
    explain: bool = True,
) -> Judgement:
    """Compare a rule's gradient with the numeric one and name the verdict.

    Args:
        own: the case as it was asked for.
        reference: the same case where differences are at their best: in a higher precision, with steps
            that the budget chooses. Given, it says whether the rule is right, and `own` what the case's
            precision and step make of it.
        finer: the case by differences that rounding does not drown, asked for where nothing else can tell.
        explain: whether to look for the operations at fault and to go through the tensors.
    """
    with np.errstate(all="ignore"):
        return _judge(rule, own, reference, finer, explain)


def _judge(
    rule: Rule, own: View, reference: View | None, finer: Callable[[], View] | None, explain: bool
) -> Judgement:
    backward = rule.backward(own.problem, own.forward, own.weights)
    steady = not explain or _same(backward, rule.backward(own.problem, own.forward, own.weights))
    if not own.deterministic or not steady:
        what = "the loss" if not own.deterministic else "the analytic gradient"
        size = sum(w.size for w in own.weights)
        return Judgement(
            Verdict.NOT_DETERMINISTIC,
            (Cause("not deterministic", what),),
            None,
            None,
            None,
            size,
            0,
            0,
            0,
            (),
        )
    if not own.numeric.finite:
        return _not_finite(own, backward)
    mine = Compared(backward, own.numeric)
    if not mine.finite:
        return _not_finite(own, backward)
    best, view = mine, own
    there = _held_against(rule, reference) if reference else None
    if reference and there:
        best, view = there, reference
    verdict, causes, departures = _conclude(rule, mine, best, view, own, finer, explain)
    if not explain:
        return Judgement(verdict, (), mine.error, None, None, 0, 0, 0, 0, ())
    if verdict is not Verdict.AGREES and own.outputs.outside_domain:
        causes.append(Cause("outside domain", f"{own.outputs.outside_domain:.1%} of the outputs"))
    each = _verdicts(verdict, mine, best)
    tensors = [t for depth, of in enumerate(each, 1) for t in _tensors(depth, mine, best, departures, of)]
    worst = max(tensors, key=lambda t: t.excess, default=None)
    noise = None if best is mine else gradient_error(mine.values, best.values.astype(mine.values.dtype))
    return Judgement(
        verdict,
        tuple(causes),
        mine.error if mine.layers else 0.0,
        worst.excess if worst else 0.0,
        worst.worst if worst and worst.excess > 0 else None,
        _count(layer.selected for layer in mine.layers),
        _count(best.wrong),
        _count(layer.touched for layer in mine.layers),
        _count(layer.crossed for layer in mine.layers),
        tuple(tensors),
        tuple(each),
        best.error,
        noise,
    )


def _held_against(rule: Rule, view: View) -> Compared | None:
    """The rule beside the numeric gradient of another view; None where either is not finite."""
    if not view.numeric.finite:
        return None
    there = Compared(rule.backward(view.problem, view.forward, view.weights), view.numeric)
    return there if there.finite else None


def _same(one: Backward, other: Backward) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one.gradients, other.gradients, strict=True)
    )


def _conclude(
    rule: Rule,
    mine: Compared,
    best: Compared,
    view: View,
    own: View,
    finer: Callable[[], View] | None,
    explain: bool,
) -> tuple[Verdict, list[Cause], list[Departure]]:
    """The verdict, its causes, and the operations that depart from the chain rule."""
    if best.any(best.wrong):
        at_kinks = not best.any([w & ~n.touched for w, n in zip(best.wrong, best.layers, strict=True)])
        departures = localise(best.backward, view) if explain or at_kinks else []
        if at_kinks and not departures:
            return Verdict.KINKS_COMBINED, [_combined(best), *_causes_at_kinks(best)], []
        verdict = (
            Verdict.CLIP_ACTIVE
            if departures and all(d.at_clip for d in departures)
            else Verdict.INCORRECT_GRADIENT
        )
        return verdict, _causes_of_rule(best, departures) + _causes_at_kinks(best), departures
    if best.beyond(lambda layer, inside: layer.crossed & ~inside):
        return Verdict.KINK_CROSSED, _causes_at_kinks(best), []
    if best.beyond(lambda _layer, inside: inside):
        return Verdict.VALID_SUBGRADIENT, _causes_at_kinks(best), []
    error = mine.error
    visible = error is None or error > VISIBLE
    if best is not mine and (visible or mine.any([r > 1 for r in mine.ratio])):
        return _numbers_off(mine, own)
    if not visible:
        return Verdict.AGREES, [], []
    wider = finer() if finer else None
    there = _held_against(rule, wider) if wider else None
    if wider is None or there is None:
        return Verdict.UNDETERMINED, [Cause("round-off", "", (), 0.0, 1.0)], []
    # Where an output is rounded onto the edge of a clip, which side it is on is for rounding to say.
    clear = [wrong & ~n.touched for wrong, n in zip(there.wrong, there.layers, strict=True)]
    if there.any(clear):
        departures = localise(there.backward, wider) if explain else []
        return Verdict.INCORRECT_GRADIENT, _causes_of_rule(there, departures), []
    told = not there.any(there.wrong) and (there.error or 0.0) <= VISIBLE
    verdict = Verdict.ROUND_OFF if told else Verdict.UNDETERMINED
    return verdict, [Cause("round-off", f"{view.forward.outputs.dtype} cannot resolve it", (), 0.0, 1.0)], []


def _numbers_off(mine: Compared, own: View) -> tuple[Verdict, list[Cause], list[Departure]]:
    """A right rule whose numbers, in the case's precision and with its step, are off: by what?"""
    total = sum(float(gap.sum()) for gap in mine.gap) or 1.0
    size = _count(layer.selected for layer in mine.layers) or 1
    clipped = own.problem.loss.uses_clip and own.outputs.clip_active > 0
    kinds: dict[str, tuple[Verdict, float, int]] = {}
    for gap, ratio, inside, layer in zip(mine.gap, mine.ratio, mine.inside, mine.layers, strict=True):
        longer = layer.truncation > layer.budget - layer.truncation
        beyond = (ratio > 1) & ~layer.touched & ~layer.crossed
        masks = {
            "kink touched": (Verdict.VALID_SUBGRADIENT, layer.touched & inside),
            "kink crossed": (Verdict.KINK_CROSSED, layer.crossed & ~inside),
            "clip active": (Verdict.CLIP_ACTIVE, beyond & clipped),
        }
        rest = ~(layer.touched & inside) & ~layer.crossed & ~(beyond & clipped)
        masks["truncation"] = (Verdict.TRUNCATION, rest & longer)
        masks["round-off"] = (Verdict.ROUND_OFF, rest & ~longer)
        for name, (verdict, mask) in masks.items():
            _, error, count = kinds.get(name, (verdict, 0.0, 0))
            affected = mask & (gap > 0)
            kinds[name] = (verdict, error + float(gap[mask].sum()) / total, count + int(affected.sum()))
    ranked = sorted(((n, *k) for n, k in kinds.items() if k[1] > 0), key=lambda k: -k[2])
    causes = [Cause(name, "", (), count / size, error) for name, _, error, count in ranked]
    return (ranked[0][1] if ranked else Verdict.ROUND_OFF), causes, []


def _causes_of_rule(compared: Compared, departures: list[Departure]) -> list[Cause]:
    """One cause for each name among the departures, ranked by what it does to the gradient."""
    size = _count(layer.selected for layer in compared.layers) or 1
    reach = [np.abs(compared.flat(d.moved)).sum() for d in departures]
    total = float(sum(reach)) or 1.0
    budget = compared.flat([layer.budget for layer in compared.layers])
    found: dict[str, Cause] = {}
    for departure, error in zip(departures, reach, strict=True):
        moved = int((np.abs(compared.flat(departure.moved)) > budget).sum())
        known = found.get(departure.name, Cause(departure.name, departure.detail))
        found[departure.name] = Cause(
            known.name,
            known.detail,
            tuple(dict.fromkeys((*known.layers, departure.layer))),
            max(known.parameters, moved / size),
            known.error + float(error) / total,
        )
    if not found:
        return [Cause("not located", "no operation departs by more than its rounding", (), 0.0, 1.0)]
    return sorted(found.values(), key=lambda c: -c.error)


def _combined(compared: Compared) -> Cause:
    size = _count(layer.selected for layer in compared.layers) or 1
    layers = tuple(i for i, wrong in enumerate(compared.wrong, 1) if wrong.any())
    return Cause("kinks combined", "several are hit at once", layers, _count(compared.wrong) / size, 1.0)


def _causes_at_kinks(compared: Compared) -> list[Cause]:
    size = _count(layer.selected for layer in compared.layers) or 1
    total = sum(float(gap.sum()) for gap in compared.gap) or 1.0
    causes = []
    for name in ("touched", "crossed"):
        pairs = list(zip(compared.gap, compared.ratio, compared.inside, compared.layers, strict=True))
        masks = [
            (ratio > 1) & (inside if name == "touched" else layer.crossed & ~inside)
            for _, ratio, inside, layer in pairs
        ]
        error = sum(float(gap[mask].sum()) for (gap, *_), mask in zip(pairs, masks, strict=True))
        if _count(masks):
            layers = tuple(i for i, mask in enumerate(masks, 1) if mask.any())
            causes.append(Cause(f"kink {name}", "", layers, _count(masks) / size, error / total))
    return causes


def _count(masks: Iterable[NDArray[np.bool_]]) -> int:
    return sum(int(np.count_nonzero(mask)) for mask in masks)


BY_SEVERITY = tuple(Verdict)


def _verdicts(verdict: Verdict, mine: Compared, best: Compared) -> list[NDArray[np.int8]]:
    """The verdict on every parameter by itself, as severities; −1 where it was not selected."""
    accused = (
        verdict
        if verdict in (Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE, Verdict.KINKS_COMBINED)
        else Verdict.INCORRECT_GRADIENT
    )
    found = []
    for i, (layer, there) in enumerate(zip(mine.layers, best.layers, strict=True)):
        each = np.full(layer.selected.shape, Verdict.AGREES.severity, np.int8)
        a, gap = np.abs(mine.backward.gradients[i]).astype(float), mine.gap[i]
        visible = (gap > VISIBLE * (a + np.abs(layer.gradient))) | (mine.ratio[i] > 1)
        if verdict is Verdict.UNDETERMINED:
            each[visible] = verdict.severity
        elif best is not mine or verdict is Verdict.ROUND_OFF:
            longer = layer.truncation > layer.budget - layer.truncation
            each[visible & longer] = Verdict.TRUNCATION.severity
            each[visible & ~longer] = Verdict.ROUND_OFF.severity
            each[visible & layer.crossed] = Verdict.KINK_CROSSED.severity
            each[visible & layer.touched & mine.inside[i]] = Verdict.VALID_SUBGRADIENT.severity
        beyond = best.ratio[i] > 1
        each[beyond & there.crossed] = Verdict.KINK_CROSSED.severity
        each[beyond & best.inside[i]] = Verdict.VALID_SUBGRADIENT.severity
        each[best.wrong[i]] = accused.severity
        each[~layer.selected] = -1
        found.append(each)
    return found


def _tensors(
    depth: int, mine: Compared, best: Compared, departures: list[Departure], verdicts: NDArray[np.int8]
) -> Iterable[TensorJudgement]:
    layer, ratio, a = mine.layers[depth - 1], mine.ratio[depth - 1], mine.backward.gradients[depth - 1]
    for letter, cut in (("W", np.s_[:, :-1]), ("b", np.s_[:, -1:])):
        chosen: NDArray[np.bool_] = layer.selected[cut]
        if not chosen.any():
            continue
        j, p = np.unravel_index(int(np.argmax(np.where(chosen, ratio[cut], -1))), chosen.shape)
        budget = best.layers[depth - 1].budget[cut]
        shares: dict[str, float] = {}
        for departure in departures:
            moved = float((np.abs(departure.moved[depth - 1][cut]) > budget)[chosen].mean())
            if moved:
                shares[departure.name] = max(shares.get(departure.name, 0.0), moved)
        yield TensorJudgement(
            name=f"{letter}{depth}",
            size=int(chosen.sum()),
            gradient_error=gradient_error(
                a[cut][chosen].astype(layer.gradient.dtype), layer.gradient[cut][chosen]
            ),
            excess=float(ratio[cut][j, p]),
            disagreeing=int((ratio[cut] > 1).sum()),
            worst=f"W{depth}[{j},{p}]" if letter == "W" else f"b{depth}[{j}]",
            analytic=float(a[cut][j, p]),
            numeric=float(layer.gradient[cut][j, p]),
            budget=float(layer.budget[cut][j, p]),
            low=float(layer.low[cut][j, p]),
            high=float(layer.high[cut][j, p]),
            touched=int(layer.touched[cut].sum()),
            crossed=int(layer.crossed[cut].sum()),
            verdict=BY_SEVERITY[int(verdicts[cut].max())],
            causes=shares,
        )


def _not_finite(own: View, backward: Backward) -> Judgement:
    layers, causes, outputs = own.numeric.layers, [], own.outputs
    where = first_in_forward(own.forward)
    if where:
        causes.append(Cause("loss not finite", where))
    else:
        where = first_in_backward(backward)
        if where:
            causes.append(Cause("analytic gradient not finite", where))
        if not all(np.isfinite(layer.gradient[layer.selected]).all() for layer in layers):
            causes.append(Cause("numeric gradient not finite", "the loss is not finite within a step"))
    if outputs.saturated:
        causes.append(Cause("saturated outputs", f"{outputs.saturated:.1%} are exactly 0 or 1"))
    if outputs.outside_domain:
        causes.append(Cause("outside domain", f"{outputs.outside_domain:.1%} of the outputs"))
    outside = not own.numeric.finite and outputs.outside_domain > 0
    verdict = Verdict.OUTSIDE_DOMAIN if outside else Verdict.NOT_FINITE
    size = _count(layer.selected for layer in layers) or sum(w.size for w in own.weights)
    return Judgement(verdict, tuple(causes), None, None, None, size, 0, 0, 0, ())
