"""Evidence to look at: the error against the step, and the error of every parameter."""

from __future__ import annotations

import re

import numpy as np

from backproof.estimates.incremental import numerical_gradient
from backproof.network.arrays import Array, Weights, cut_like
from backproof.targets.layout import flattened
from backproof.targets.network import Rule
from backproof.verdicts.comparison import Comparison, gradient_error
from backproof.verdicts.view import View

SWEPT_PARAMETERS = 200
"""The error against the step is that of so many parameters, evenly spaced over all."""

STEPS = "error at step 2^"
"""The series of the error against the step; its steps are exponents of two."""

MAP = re.compile(r"error of (?P<tensor>W\d+) \((?P<units>\d+) units\)")
"""The series of the errors of a layer's parameters, unit by unit, the bias last."""


def evidence_of(rule: Rule, view: View) -> dict[str, tuple[Array, Array]]:
    """The error against the step, and of every parameter, as curves."""
    if view.estimate is None:
        return {}
    gradients = rule.backward(view.problem, view.forward, view.weights).gradients
    exponents, errors = error_against_step(gradients, view)
    curves = {STEPS: (exponents, errors)}
    for name, errors in error_maps(gradients, view).items():
        curves[f"error of {name} ({len(errors)} units)"] = (np.arange(errors.size), errors.ravel())
    return curves


def error_against_step(gradients: list[Array], view: View) -> tuple[Array, Array]:
    """The gradient error at steps 2^k, k from −2 to where the precision ends, with central differences."""
    digits = round(-np.log2(view.problem.unit_roundoff)) - 1
    exponents = np.arange(-digits, -1)
    selected = _spread(view.weights)
    analytic = flattened(gradients)
    errors = np.full(len(exponents), np.nan)
    for i, exponent in enumerate(exponents):
        estimate = numerical_gradient(view.problem, view.weights, step=2.0**exponent, selected=selected)
        error = gradient_error(estimate.selected(analytic), estimate.value) if estimate else None
        errors[i] = np.nan if error is None else error
    return exponents, errors


def _spread(weights: Weights) -> list[Array]:
    total = sum(w.size for w in weights)
    chosen = np.zeros(total, bool)
    chosen[np.linspace(0, total - 1, min(SWEPT_PARAMETERS, total)).astype(int)] = True
    return cut_like(chosen, weights)


def error_maps(gradients: list[Array], view: View) -> dict[str, Array]:
    """|analytic − numerical| / bound of each weight matrix, by name; (units, inputs + 1), biases last."""
    estimate = view.estimate
    if estimate is None:
        return {}
    flat = np.zeros(estimate.layout.size)
    flat[estimate.index] = Comparison(estimate.selected(flattened(gradients)), estimate).excess
    return {f"W{depth}": errors for depth, errors in enumerate(cut_like(flat, view.weights), 1)}
