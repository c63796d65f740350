"""Evidence to look at: the error against the step, and the error of every parameter."""

from __future__ import annotations

import re

import numpy as np

from backproof.estimates.moves import changes_of_parameters
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.steps import realised
from backproof.network.arrays import Array, cut_like, evenly_spaced
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
    weights, analytic = flattened(view.weights), flattened(gradients)
    entries = evenly_spaced(len(weights), SWEPT_PARAMETERS)
    errors = np.full(len(exponents), np.nan)
    with np.errstate(all="ignore"):
        loss = PerturbedLoss(view.problem, view.weights, view.forward)
        for i, exponent in enumerate(exponents):
            steps = np.full(len(entries), 2.0**exponent)
            up, down = changes_of_parameters(loss, entries, steps)
            moved = np.sum(realised(weights[entries], steps, loss.rounded), axis=0, dtype=up.dtype)
            error = gradient_error(analytic[entries].astype(up.dtype), (up - down) / moved)
            errors[i] = np.nan if error is None else error
    return exponents, errors


def error_maps(gradients: list[Array], view: View) -> dict[str, Array]:
    """|analytic − numerical| / bound of each weight matrix, by name; (units, inputs + 1), biases last."""
    estimate = view.estimate
    if estimate is None:
        return {}
    flat = np.zeros(estimate.layout.size)
    flat[estimate.index] = Comparison(estimate.selected(flattened(gradients)), estimate).excess
    return {f"W{depth}": errors for depth, errors in enumerate(cut_like(flat, view.weights), 1)}
