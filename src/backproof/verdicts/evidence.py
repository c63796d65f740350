"""Evidence to look at: the error against the step, the error of every parameter, and what other tests say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from backproof.estimates import numeric_gradient
from backproof.estimates.quadratic import five_points
from backproof.network.arrays import Array, cut_like
from backproof.verdicts.judgement import Rule, gradient_error
from backproof.verdicts.view import View

SWEPT_PARAMETERS = 200
"""The error against the step is that of so many parameters, evenly spaced over all."""

STEPS = "error at step 2^"
"""The series of the error against the step; its steps are exponents of two."""

MAP = re.compile(r"error of (?P<tensor>W\d+) \((?P<units>\d+) units\)")
"""The series of the errors of a layer's parameters, unit by unit, the bias last."""

FIXED = {"relative_1e_2": 1e-2, "relative_1e_4": 1e-4, "relative_1e_7": 1e-7}
"""Thresholds on the largest relative error that courses and blogs recommend."""

RTOL, ATOL = 1e-3, 1e-5
"""What gradient checkers of autodiff libraries use by default."""

SMOOTH, QUADRATIC_TOLERANCE = 1e-3, 1e-4
"""A quadratic through five points whose residual is above the one, relative to the spread of the points,
is called a kink and left out; else its slope is compared with the other as tolerance."""


def evidence_of(rule: Rule, view: View) -> dict[str, tuple[Array, Array]]:
    """The error against the step, and of every parameter, as curves."""
    if not view.numeric.finite:
        return {}
    gradients = rule.backward(view.problem, view.forward, view.weights).gradients
    exponents, errors = error_against_step(gradients, view)
    curves = {STEPS: (exponents, errors)}
    for name, errors in error_maps(gradients, view).items():
        curves[f"error of {name} ({len(errors)} units)"] = (np.arange(errors.size), errors.ravel())
    return curves


def error_against_step(gradients: list[Array], view: View) -> tuple[Array, Array]:
    """The gradient error at steps 2^k, k from −2 to where the precision ends, with central differences."""
    digits = int(np.finfo(view.forward.outputs.dtype).nmant)
    exponents = np.arange(-digits, -1)
    selected = _spread(view.weights)
    chosen = np.concatenate([a[s] for a, s in zip(gradients, selected, strict=True)])
    errors = np.full(len(exponents), np.nan)
    for i, exponent in enumerate(exponents):
        numeric = numeric_gradient(view.problem, view.weights, step=2.0**exponent, selected=selected)
        there = np.concatenate([n.gradient[s] for n, s in zip(numeric.layers, selected, strict=True)])
        error = gradient_error(chosen.astype(there.dtype), there)
        errors[i] = np.nan if error is None else error
    return exponents, errors


def _spread(weights: Any) -> list[Array]:
    total = sum(w.size for w in weights)
    chosen = np.zeros(total, bool)
    chosen[np.linspace(0, total - 1, min(SWEPT_PARAMETERS, total)).astype(int)] = True
    return cut_like(chosen, weights)


def error_maps(gradients: list[Array], view: View) -> dict[str, Array]:
    """|analytic − numeric| / budget of each weight matrix, by name; (units, inputs + 1), biases last."""
    maps = {}
    for depth, (a, layer) in enumerate(zip(gradients, view.numeric.layers, strict=True), 1):
        gap = np.abs(a.astype(layer.gradient.dtype) - layer.gradient)
        with np.errstate(divide="ignore", invalid="ignore"):
            maps[f"W{depth}"] = np.where(gap == 0, 0, gap / layer.budget).astype(float)
    return maps


def rivals_of(rule: Rule, view: View) -> dict[str, bool | float | None]:
    """Whether other tests would raise an alarm over this gradient, given the same numeric one.

    Columns: one for each fixed threshold on max |a − n| / max(|a|, |n|), `allclose` for rtol and atol,
    `quadratic` for the smoothness test, which takes evaluations of its own. None where nothing is finite.
    """
    names = (*FIXED, "allclose", "quadratic")
    if not view.numeric.finite:
        return dict.fromkeys(names)
    gradients = rule.backward(view.problem, view.forward, view.weights).gradients
    layers = view.numeric.layers
    pairs = list(zip(gradients, layers, strict=True))
    a = np.concatenate([g[layer.selected].astype(layer.gradient.dtype) for g, layer in pairs])
    n = np.concatenate([layer.gradient[layer.selected] for layer in layers])
    if not (np.isfinite(a).all() and np.isfinite(n).all()):
        return dict.fromkeys(names)
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a), np.abs(n))
        relative = np.where(size > 0, np.abs(a - n) / size, 0)
    found: dict[str, bool | float | None] = {
        name: bool((relative > threshold).any()) for name, threshold in FIXED.items()
    }
    found["allclose"] = not np.allclose(a, n, rtol=RTOL, atol=ATOL)
    alarms = []
    for depth, (g, layer) in enumerate(pairs):
        slope, residual = five_points(view.problem, view.weights, depth, layer.step)
        with np.errstate(all="ignore"):
            tolerance = QUADRATIC_TOLERANCE * np.maximum(1, np.maximum(np.abs(g), np.abs(slope)))
            off = (residual <= SMOOTH) & (np.abs(g - slope) > tolerance)
        alarms.append(bool(off[layer.selected].any()))
    found["quadratic"] = any(alarms)
    return found
