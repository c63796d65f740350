"""Screens of wrong gradients of random networks: how many they pass, beside the probability that they state.

python tests/held_out/screens.py --count 400 draws mutants of the backward pass, mixes them into the right one
to several shares, and counts those that pass; --right looks at right rules of random configurations.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np
from mutants import TRIES, Mixed, drawn
from random_networks import configuration

from backproof.network.faults import FAULTS
from backproof.network.rules import BackwardRule
from backproof.sweeps.checking import Measuring, measured
from backproof.targets.layout import flattened, of_network
from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.network import NetworkTarget
from backproof.verdicts.network_screening import screened_network
from backproof.verdicts.view import evaluated_at

SHARES = (1.0, 1e-2, 1e-3, 1e-5, 1e-6, 3e-7, 1e-7, 3e-8)
"""How much of a mutant is mixed into the right backward pass."""


@dataclass(frozen=True)
class Screened:
    """A screen of a gradient that is wrong by `error`: the 2-norm of its entries' errors in their scales.

    Attributes:
        miss: the probability of a miss that a screen of the right gradient states of such an error.
    """

    error: float
    miss: float
    judgement: Judgement | None


def relative_error(analytic, right, weights) -> float:
    """‖e/s‖₂ where s is an entry's own size, or its tensor's root mean square if that is more."""
    scale = np.abs(right)
    for tensor in of_network(weights).tensors:
        own = tensor.positions()
        scale[own] = np.maximum(scale[own], np.sqrt(np.mean(right[own] ** 2)))
    error = np.abs(analytic - right)
    return float(np.linalg.norm(np.divide(error, scale, out=np.zeros_like(error), where=error > 0)))


def screened_mutants(seed: int) -> list[Screened]:
    """The screens of one mutant, mixed in to every share; none if it changes nothing."""
    draw = np.random.default_rng(seed)
    problem, weights = drawn(draw)
    view = evaluated_at(problem, weights)
    right = flattened(BackwardRule().gradient(problem, view.forward, weights))
    of_right = screened_network(NetworkTarget(BackwardRule(), view), seed)
    if of_right is None or of_right.screen is None:
        return []
    for _ in range(TRIES):
        mutant = FAULTS["mutant"](mutation=int(draw.integers(1 << 30)))
        found = []
        for share in SHARES:
            target = NetworkTarget(Mixed(mutant, share), view)
            with np.errstate(all="ignore"):
                error = relative_error(target.analytic, right, weights)
            if not np.isfinite(error) or error < 1e-12:
                break
            miss = of_right.screen.probability_of_a_miss(error)
            found.append(Screened(error, miss, screened_network(target, seed)))
        if found:
            return found
    return []


def of_right_rule(seed: int) -> tuple[str, Judgement | None, str]:
    """The precision of a random configuration, its screen, and the verdict of the full check."""
    found = configuration(seed, large=False)
    at = measured([Measuring(found.problem, found.weights, parameters=found.parameters, seed=seed)])[0]
    with np.errstate(all="ignore"):
        screen = screened_network(NetworkTarget(found.rule, evaluated_at(found.problem, found.weights)), seed)
        full = judge(NetworkTarget(found.rule, at.own, at.reference, at.finer))
    return str(found.problem.inputs.dtype), screen, str(full.verdict)


def main() -> None:
    """Screen so many and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--right", action="store_true", help="right rules of random configurations")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.count)
    if given.right:
        counts = Counter(
            (precision, screen is not None, full) for precision, screen, full in map(of_right_rule, seeds)
        )
        for (precision, passed, full), n in sorted(counts.items()):
            print(f"{precision:11} {'agrees along directions' if passed else 'goes on':24} {full:20} {n:5}")
        return
    found = [each for seed in seeds for each in screened_mutants(seed)]
    for low, high in ((1e-3, np.inf), (1e-5, 1e-3), (1e-6, 1e-5), (1e-7, 1e-6), (0, 1e-7)):
        some = [each for each in found if low <= each.error < high]
        passed, stated = sum(each.judgement is not None for each in some), sum(each.miss for each in some)
        print(f"error {low:g} to {high:g}: {len(some)} mutants, {passed} pass, at most {stated:.2g} expected")


if __name__ == "__main__":
    main()
