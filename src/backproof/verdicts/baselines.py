"""What other gradient checks would conclude, given the same estimate."""

from __future__ import annotations

import numpy as np

from backproof.estimates.quadratic import five_points
from backproof.network.arrays import Array, cut_like
from backproof.targets.layout import flattened
from backproof.targets.network import Rule
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.view import View

FIXED = {"relative_1e_2": 1e-2, "relative_1e_4": 1e-4, "relative_1e_7": 1e-7}
"""Thresholds on the largest relative error that courses and blogs recommend."""

RTOL, ATOL = 1e-3, 1e-5
"""What gradient checkers of autodiff libraries use by default."""

SMOOTH, QUADRATIC_TOLERANCE = 1e-3, 1e-4
"""A quadratic through five points whose residual is above the one, relative to the spread of the points,
is called a kink and left out; else its derivative is compared with the other as tolerance."""


def baselines_of(rule: Rule, view: View) -> dict[str, bool | float | None]:
    """Whether other checks would raise an alarm over this gradient.

    Columns: one for each fixed threshold on max |a − n| / max(|a|, |n|), `allclose` for rtol and atol,
    `quadratic` for the smoothness test, which takes evaluations of its own. None where nothing is finite.
    """
    nothing = dict.fromkeys((*FIXED, "allclose", "quadratic"))
    estimate = view.estimate
    if estimate is None:
        return nothing
    gradients = rule.backward(view.problem, view.forward, view.weights).gradients
    comparison = Comparison(estimate.selected(flattened(gradients)), estimate)
    if not comparison.finite:
        return nothing
    a, n = comparison.analytic, estimate.value
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a), np.abs(n))
        relative = np.where(size > 0, np.abs(a - n) / size, 0)
    return {
        **{name: bool((relative > threshold).any()) for name, threshold in FIXED.items()},
        "allclose": not np.allclose(a, n, rtol=RTOL, atol=ATOL),
        "quadratic": _quadratic_alarm(gradients, view),
    }


def _quadratic_alarm(gradients: list[Array], view: View) -> bool:
    """Whether the derivative of a quadratic that fits well differs from the analytic one."""
    estimate = view.estimate
    assert estimate is not None
    steps, selected = np.zeros(estimate.layout.size), np.zeros(estimate.layout.size, bool)
    steps[estimate.index], selected[estimate.index] = estimate.step, True
    layers = zip(gradients, cut_like(steps, view.weights), cut_like(selected, view.weights), strict=True)
    for depth, (g, step, chosen) in enumerate(layers):
        derivative, residual = five_points(view.problem, view.weights, depth, step)
        with np.errstate(all="ignore"):
            tolerance = QUADRATIC_TOLERANCE * np.maximum(1, np.maximum(np.abs(g), np.abs(derivative)))
            off = (residual <= SMOOTH) & (np.abs(g - derivative) > tolerance)
        if off[chosen].any():
            return True
    return False
