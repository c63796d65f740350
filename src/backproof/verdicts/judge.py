"""An analytic gradient held against the numeric one, with the evidence: the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.differences import Numeric, NumericLayer
from backproof.network.arrays import Array
from backproof.network.problem import Forward, Problem
from backproof.verdicts import verdict as v
from backproof.verdicts.verdict import Verdict

VISIBLE = 0.05
"""Within the budget, a gradient error above this is no agreement: a rule that is off by 10 % has it too."""


@dataclass(frozen=True)
class TensorJudgement:
    """The comparison over one weight matrix or bias vector."""

    name: str
    size: int
    gradient_error: float | None
    excess: float
    disagreeing: int
    worst: str
    analytic: float
    numeric: float
    budget: float


@dataclass(frozen=True)
class Judgement:
    """A verdict on a case and what it rests on.

    Attributes:
        causes: what explains a disagreement, in order; empty where there is none.
        gradient_error: ‖a − n‖ / (‖a‖ + ‖n‖); 0 where both vanish, None where either is not finite.
        excess: the largest |a − n| / budget; at most 1 where all parameters agree.
        worst_parameter: where that is, as in W2[3,17] or b1[4].
    """

    verdict: Verdict
    causes: tuple[str, ...]
    gradient_error: float | None
    excess: float | None
    worst_parameter: str | None
    parameters: int
    touched: int
    crossed: int
    tensors: tuple[TensorJudgement, ...]


@dataclass(frozen=True)
class Outputs:
    """Shares of the outputs that a loss on probabilities cannot take as they are."""

    outside_domain: float
    saturated: float
    clip_active: float


def look_at_outputs(problem: Problem, forward: Forward) -> Outputs:
    """Shares of outputs outside the loss's domain, at 0 or 1 exactly, and flattened by the clip."""
    y = forward.outputs
    if not problem.loss.uses_clip or not y.size:
        return Outputs(0.0, 0.0, 0.0)
    outside = (y < problem.loss.domain.low) | (y > problem.loss.domain.high)
    with np.errstate(all="ignore"):
        active = problem.clip.active(y, problem.eps)
    return Outputs(float(outside.mean()), float(((y == 0) | (y == 1)).mean()), float(active.mean()))


def gradient_error(analytic: Array, numeric: Array) -> float | None:
    """‖a − n‖₂ / (‖a‖₂ + ‖n‖₂); both are scaled first, so that no square over- or underflows."""
    size = np.maximum(np.abs(analytic).max(initial=0), np.abs(numeric).max(initial=0))  # NaN is passed on
    if not np.isfinite(size):
        return None
    if size == 0:
        return 0.0
    a, n = analytic / size, numeric / size
    return float(np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)))


def judge(analytic: Sequence[Array], numeric: Numeric, outputs: Outputs) -> Judgement:
    """Compare gradient arrays, one a layer, and name the verdict."""
    finite = numeric.finite and all(
        np.isfinite(a[layer.selected]).all() and np.isfinite(layer.gradient[layer.selected]).all()
        for a, layer in zip(analytic, numeric.layers, strict=True)
    )
    if not finite:
        return _not_finite(numeric, analytic, outputs)
    tensors: list[TensorJudgement] = []
    wrong = kinked_right = kinked_open = 0
    causes: list[str] = []
    for depth, (a, layer) in reversed(list(enumerate(zip(analytic, numeric.layers, strict=True), 1))):
        ratio = _ratio(a, layer)
        bad = ratio > 1
        inside = layer.touched & (a >= layer.low) & (a <= layer.high)
        explained = bad & (inside | layer.crossed)
        if (bad & ~explained).any() and not wrong:
            at_output = depth == len(analytic)
            causes.append("delta at the output" if at_output else f"slope or weights above layer {depth}")
        if (bad & layer.touched & ~inside).any():
            causes.append("outside the one-sided slopes at a kink")
        wrong += int((bad & ~explained).sum())
        kinked_right += int((bad & inside).sum())
        kinked_open += int((bad & layer.crossed).sum())
        tensors[:0] = _tensors(depth, a, layer, ratio)
    worst = max(tensors, key=lambda t: t.excess, default=None)
    a_all = np.concatenate([_chosen(a, layer) for a, layer in zip(analytic, numeric.layers, strict=True)])
    n_all = np.concatenate([_chosen(layer.gradient, layer) for layer in numeric.layers])
    error = gradient_error(a_all, n_all)
    if wrong:
        verdict = v.WRONG_RULE
    elif kinked_open:
        verdict = v.KINK_CROSSED
    elif kinked_right:
        verdict = v.VALID_SUBGRADIENT
    else:
        verdict = v.UNDETERMINED if error is None or error > VISIBLE else v.AGREES
    if verdict is v.UNDETERMINED:
        causes.append("round-off")
    if kinked_right:
        causes.append("kink touched")
    if kinked_open:
        causes.append("kink crossed")
    if wrong and outputs.clip_active:
        causes.append("clip active")
    if wrong and outputs.outside_domain:
        causes.append("outside domain")
    return Judgement(
        verdict,
        tuple(dict.fromkeys(causes)),
        error,
        worst.excess if worst else 0.0,
        worst.worst if worst and worst.excess > 0 else None,
        _count(layer.selected for layer in numeric.layers),
        _count(layer.touched for layer in numeric.layers),
        _count(layer.crossed for layer in numeric.layers),
        tuple(tensors),
    )


def _chosen(gradient: Array, layer: NumericLayer) -> Array:
    return np.asarray(gradient[layer.selected].astype(layer.gradient.dtype, copy=False))


def _count(masks: Iterable[NDArray[np.bool_]]) -> int:
    return sum(int(np.count_nonzero(mask)) for mask in masks)


def _ratio(analytic: Array, layer: NumericLayer) -> Array:
    """|a − n| / budget; 0 where they are equal or not selected, infinite beyond a budget of 0."""
    gap = np.abs(np.where(layer.selected, analytic.astype(layer.gradient.dtype) - layer.gradient, 0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.where(gap == 0, 0, gap / layer.budget))


def _tensors(depth: int, a: Array, layer: NumericLayer, ratio: Array) -> list[TensorJudgement]:
    weights = (slice(None), slice(None, -1))
    bias = (slice(None), slice(-1, None))
    parts = []
    for letter, cut in (("W", weights), ("b", bias)):
        chosen: NDArray[np.bool_] = layer.selected[cut]
        if not chosen.any():
            continue
        j, p = np.unravel_index(int(np.argmax(np.where(chosen, ratio[cut], -1))), chosen.shape)
        parts.append(
            TensorJudgement(
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
            )
        )
    return parts


def _not_finite(numeric: Numeric, analytic: Sequence[Array], outputs: Outputs) -> Judgement:
    causes = []
    if not numeric.finite:
        causes.append("loss not finite")
    chosen = [layer.selected for layer in numeric.layers] or [np.ones(a.shape, bool) for a in analytic]
    if not all(np.isfinite(a[s]).all() for a, s in zip(analytic, chosen, strict=True)):
        causes.append("analytic gradient not finite")
    if not all(np.isfinite(layer.gradient[layer.selected]).all() for layer in numeric.layers):
        causes.append("numeric gradient not finite")
    if outputs.saturated:
        causes.append("saturated outputs")
    if outputs.outside_domain:
        causes.append("outside domain")
    outside = not numeric.finite and outputs.outside_domain > 0
    verdict = v.OUTSIDE_DOMAIN if outside else v.NOT_FINITE
    size = _count(chosen)
    return Judgement(verdict, tuple(causes), None, None, None, size, 0, 0, ())
