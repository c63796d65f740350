"""The smoothness test of other checkers: a quadratic through five points, to be compared with ours."""

from __future__ import annotations

import numpy as np

from backproof.estimates.moves import Moves
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Problem

POINTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
BASIS = np.stack([np.ones(5) / np.sqrt(5), POINTS / np.sqrt(10), (POINTS**2 - 2) / np.sqrt(14)])
"""Orthonormal polynomials over the five points."""


def five_points(problem: Problem, weights: Weights, layer: int, steps: Array) -> tuple[Array, Array]:
    """Derivative of the quadratic that fits f at θ + kh, k from −2 to 2, and the share it leaves unexplained.

    The residual is ‖f − fit‖ / ‖f − mean‖, 0 where f is constant. A step of 0 gives 0 and 0.
    """
    w, kind = weights[layer], wide(weights[layer].dtype)
    loss = PerturbedLoss(problem, weights, problem.forward(weights))
    derivative, residual = np.zeros(w.shape, kind), np.zeros(w.shape, kind)
    moves = Moves(loss.forward.inputs[layer])
    moving = np.abs(loss.forward.inputs[layer]).any(axis=0)
    units, inputs = np.nonzero((steps > 0) & moving)
    with np.errstate(all="ignore"):
        for cut in moves.blocks(inputs, len(POINTS) * loss.width(layer)):
            j, p = units[cut], inputs[cut]
            sample, owner, starts = moves.of(p)
            a, h = loss.forward.inputs[layer][sample, p[owner]], steps[j, p].astype(w.dtype)
            ends = np.multiply.outer(h[owner] * a, POINTS.astype(w.dtype))
            moved = loss.moved(layer, sample, j[owner], ends, sides=False)
            rest = len(POINTS) // 2
            values = [np.add.reduceat(moved.difference(k, rest), starts) for k in range(len(POINTS))]
            of_penalty = problem.l2 / 2 * (p < w.shape[1] - 1)
            theta = w[j, p].astype(kind)
            penalty = of_penalty * np.stack([k * h * (2 * theta + k * h) for k in POINTS])
            points = np.stack(values) * problem.scale + penalty
            parts = BASIS @ points
            left = points - BASIS.T @ parts
            spread = np.linalg.norm(points - points.mean(axis=0), axis=0)
            derivative[j, p] = parts[1] / np.sqrt(10) / h
            residual[j, p] = np.where(spread > 0, np.linalg.norm(left, axis=0) / spread, 0)
    return derivative, residual
