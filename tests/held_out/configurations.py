"""Random configurations of the network and right and wrong rules for each: the judge of the network's judge.

    python tests/held_out/configurations.py --seed 1 --count 300

A configuration is drawn from a seed and nothing else, and so are its rules. The chain rule, with any
weight at kinks, is right by construction (tests/network holds it to JAX's and to fifty digits), so a verdict
against it is a false alarm, unless what the verdict says is found to be so without the kernel's help. At
kinks it is a subgradient: the biases of a layer can put each of its units on either side of its kink,
whatever those of other layers do, and the gradient is affine in the derivative of each unit, so with weight
q it is the mean of the gradients near the point, each unit being to the right with probability q.

A rule that is off by a known amount must not be called right where that is beyond the resolution reported.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from random_networks import Configuration, configuration
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits
from wrong_networks import wrong_rules

from backproof.sweeps.checking import Checkable, Measuring, measured
from backproof.targets.layout import flattened
from backproof.targets.network import in_precision
from backproof.verdicts import Judgement, Verdict, judge
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.network import NetworkTarget

LEFT_OPEN = (Verdict.KINK_CROSSED, Verdict.UNDETERMINED, Verdict.UNRESOLVED)
"""Verdicts that accuse nobody and yet are none."""

AROUND = 400
"""Points around a point on kinks at which the gradient is taken."""

IN_HULL = 1e-6
"""How near a gradient is to a mixture of gradients, relative to its length, to be one."""

A_PLACE = re.compile(r"\[\d+, ?\d+\]|sample \d+")
"""What a verdict about numbers that are not finite must name."""


def judged(rule: object, at: Checkable) -> Judgement:
    """The verdict that a check gives, on a rule at a point."""
    return judge(NetworkTarget(rule, at.own, at.reference, at.finer))


def false_alarm(case: Configuration, found: Judgement) -> str:
    """Why a verdict on the right rule is a false one; empty where it is right, left open, or true."""
    verdict = found.verdict
    if verdict.right or verdict in LEFT_OPEN:
        return ""
    if verdict not in (Verdict.NOT_FINITE, Verdict.OUTSIDE_DOMAIN):
        return "the chain rule is right"
    forward = case.problem.forward(case.weights)
    gradients = case.rule.gradient(case.problem, forward, case.weights)
    if np.isfinite(forward.loss) and all(np.isfinite(g).all() for g in gradients):
        return "loss and gradient are finite"
    named = any(A_PLACE.search(str(cause)) for cause in found.causes)
    return "" if named or not len(case.problem.inputs) else "no entry is named"


def hidden_error(case: Configuration, wrong: object, found: Judgement) -> float:
    """The largest error of a rule that was called right, relative to the scale of its entry.

    At kinks there are many gradients: 0 if this is another of them.
    """
    seen = found.seen
    off, right = _finest(case, wrong), _finest(case, case.rule)
    error = np.abs(off - right)[seen.estimate.index]
    with np.errstate(all="ignore"):
        relative = np.nan_to_num(np.where(error > 0, error / seen.scale, 0), nan=0)
    smooth = np.where(seen.estimate.touched, 0, relative)
    if smooth.max(initial=0) <= found.resolution and _is_subgradient(case, off, seen):
        return float(smooth.max(initial=0))
    return float(relative.max(initial=0))


def _finest(case: Configuration, rule: object, shift: np.random.Generator | None = None) -> np.ndarray:
    """A rule's gradient in the best precision, flat; at a point beside the case's if there is a `shift`."""
    kind = np.longdouble if case.problem.inputs.dtype == np.longdouble else np.float64
    problem, weights = in_precision(case.problem, case.weights, kind)
    if shift is not None:
        for w in weights:
            # Single units, or all units of a layer: one side for a whole layer is seldom drawn else.
            sides = shift.choice([-1, 1], len(w) if shift.random() < 0.5 else 1)
            w[:, -1] += sides * 10 ** shift.uniform(-12, -8)
    with np.errstate(all="ignore"):
        return flattened(rule.backward(problem, problem.forward(weights), weights).gradients)


def _is_subgradient(case: Configuration, gradient: np.ndarray, seen: Comparison) -> bool:
    """Whether it is a mixture of the chain rule's gradients at points around, as far as these tell."""
    if not seen.estimate.touched.any():
        return False
    draw = np.random.default_rng(case.seed)
    pieces = np.array([_finest(case, case.rule, draw) for _ in range(AROUND)], float)
    size = np.abs(gradient).max() or 1.0
    shares, left = nnls(
        np.vstack([pieces.T / size, np.ones(AROUND)]), np.append(gradient / size, 1).astype(float)
    )
    return bool(left <= IN_HULL and shares.sum() > 0)


@dataclass
class Tally:
    """What was found over many configurations."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    accused: list[str] = field(default_factory=list)
    agreed: list[str] = field(default_factory=list)
    left_open: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    def add(self, case: Configuration, wrong: int) -> None:
        """Judge the right rule of a configuration, and some wrong ones."""
        try:
            self._add(case, wrong)
        except Exception as error:
            self.crashed.append(f"{case.seed}: {type(error).__name__}: {error} | {case.text}")

    def _add(self, case: Configuration, wrong: int) -> None:
        at = measured([Measuring(case.problem, case.weights, parameters=case.parameters, seed=case.seed)])[0]
        found = judged(case.rule, at)
        self.right[str(found.verdict)] += 1
        causes = "; ".join(map(str, found.causes[:2]))
        why = false_alarm(case, found)
        if why:
            self.accused.append(f"{case.seed}: {found.verdict} ({why}): {causes} | {case.text}")
        if found.verdict in LEFT_OPEN:
            resolution = "" if found.resolution is None else f", resolution {found.resolution:.1e}"
            self.left_open.append(f"{case.seed}: {found.verdict}{resolution}: {causes} | {case.text}")
        for name, rule in wrong_rules(case, wrong, found.resolution or 0.0):
            self._add_wrong(case, name, rule, judged(rule, at))

    def _add_wrong(self, case: Configuration, name: str, rule: object, found: Judgement) -> None:
        self.wrong[str(found.verdict)] += 1
        if not found.verdict.right:
            return
        error = hidden_error(case, rule, found)
        if error > found.resolution:
            reported = f"{found.verdict}, resolution {found.resolution:.1e}"
            self.agreed.append(f"{case.seed}: {name}: off by {error:.1e}, {reported} | {case.text}")

    def summary(self, done: int) -> Iterator[str]:
        """The figures, and each configuration that failed."""
        yield f"configurations: {done}"
        yield f"wrong gradients that agree beyond the resolution: {len(self.agreed)} of {self.wrong.total()}"
        yield from (f"    {line}" for line in self.agreed)
        yield f"right gradients accused: {len(self.accused)} of {self.right.total()}"
        yield from (f"    {line}" for line in self.accused)
        yield f"crashes: {len(self.crashed)}"
        yield from (f"    {line}" for line in self.crashed)
        yield f"right gradients unresolved: {self.right[Verdict.UNRESOLVED]}"
        undetermined = self.right[Verdict.UNDETERMINED] + self.right[Verdict.KINK_CROSSED]
        yield f"right gradients undetermined, or kinks crossed: {undetermined}"
        yield f"verdicts on right gradients: {dict(self.right.most_common())}"
        yield f"verdicts on wrong gradients: {dict(self.wrong.most_common())}"


def tally(
    first: int, count: int, wrong: int, seconds: float = np.inf, large: bool = True
) -> tuple[Tally, int]:
    """Judge configurations of consecutive seeds; the tally and how many there were."""
    found, begun, done = Tally(), time.monotonic(), 0
    with threadpool_limits(1):
        for seed in range(first, first + count):
            if time.monotonic() - begun > seconds:
                break
            found.add(configuration(seed, large), wrong)
            done += 1
    return found, done


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="the first configuration's")
    parser.add_argument("--count", type=int, default=100, help="how many configurations")
    parser.add_argument("--wrong", type=int, default=4, help="wrong rules for each")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long")
    parser.add_argument("--open", action="store_true", help="list the right gradients that are left open")
    asked = parser.parse_args()
    begun = time.monotonic()
    found, done = tally(asked.seed, asked.count, asked.wrong, asked.seconds)
    print(*found.summary(done), sep="\n")
    if asked.open:
        print("left open:", *found.left_open, sep="\n    ")
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
