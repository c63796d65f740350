"""Mutants of backward passes: are they named for what was edited?

    python tests/held_out/mutants.py --seed 100 --count 200

`fault=mutant` edits one operator, operand, index, sign or constant of a backward pass's arithmetic at random.
Here it does so to small random networks, at its full size and mixed into the right gradient by 1e-3. The line
decides which names are true. Printed is how often the cause named first is one of them, is no name but the
right location, or is false. Seeds 0 to 99 are for development; report on others.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracles import random_problem

from backproof.network.faults import FAULTS
from backproof.network.faults.lines import LINES
from backproof.network.faults.mutant import Identified, Mutant
from backproof.network.faults.written import Written
from backproof.network.problem import Problem
from backproof.network.rules import Backward, BackwardRule
from backproof.verdicts.network import judge_network
from backproof.verdicts.view import view_of

HIDDEN = ("tanh", "sigmoid", "softplus", "relu", "leaky_relu", "elu", "silu")

PAIRS = (
    ("identity", "squared_error"),
    ("sigmoid", "squared_error"),
    ("tanh", "squared_error"),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"),
    ("softmax", "squared_error"),
)

TRIES = 20
"""Mutants that are drawn for a problem until one changes its gradient, to finite numbers."""


@dataclass(frozen=True)
class Mixed:
    """The right backward pass and, to a share, that of a mutant."""

    mutant: Mutant
    share: float = 1.0

    def backward(self, problem: Problem, forward: Any, weights: Any) -> Backward:
        """The mixture."""
        wrong = BackwardRule(fault=self.mutant).backward(problem, forward, weights)
        if self.share == 1:
            return wrong
        right = BackwardRule().backward(problem, forward, weights)
        return Backward(
            [r + self.share * (w - r) for w, r in zip(wrong.deltas, right.deltas, strict=True)],
            [r + self.share * (w - r) for w, r in zip(wrong.gradients, right.gradients, strict=True)],
        )


def drawn(draw: np.random.Generator) -> tuple[Problem, Any]:
    """A small random problem; all of its sizes are alike at times, so that shapes can be confused."""
    output, loss = PAIRS[draw.integers(len(PAIRS))]
    sizes = draw.integers(4, 9, size=6)
    if draw.random() < 0.4:
        sizes[:] = sizes[0]
    samples = int(sizes[5])
    if sizes[0] != sizes[5]:
        samples += int(draw.integers(0, 12))
    hidden = tuple(int(s) for s in sizes[: draw.integers(1, 4)])
    problem, weights = random_problem(
        int(draw.integers(1 << 30)), activation=str(draw.choice(HIDDEN)), output=output, loss=loss,
        hidden=hidden, features=int(sizes[4]), samples=samples,
        outputs=int(draw.integers(2, 6)), reduction=str(draw.choice(["sum", "mean"])),
    )  # fmt: skip
    return replace(problem, l2=float(draw.choice([0.0, 0.01]))), weights


Judged = tuple[float, Identified, Mutant, str]
"""A mutant's size, how it was identified, itself, and the cause named first."""


def judged(seed: int, shares: tuple[float, ...] = (1.0, 1e-3)) -> tuple[str, list[Judged]]:
    """The mutant of a seed in words, and how it was identified at each size; nothing if none was judged."""
    draw = np.random.default_rng(seed)
    problem, weights = drawn(draw)
    view = view_of(problem, weights)
    for _ in range(TRIES):
        mutant = FAULTS["mutant"](mutation=int(draw.integers(1 << 30)))
        words = mutant.described(Written.of(problem, BackwardRule(), len(weights)))
        found = Mixed(mutant).backward(problem, view.forward, weights)
        if not words or any(not np.isfinite(x).all() for x in (*found.deltas, *found.gradients)):
            continue
        outcomes: list[Judged] = []
        for share in shares:
            with np.errstate(all="ignore"):
                judgement = judge_network(Mixed(mutant, share), view)
            if judgement.verdict != "incorrect gradient":
                break
            cause = judgement.causes[0]
            outcomes.append((share, mutant.identified_by(cause.name), mutant, str(cause)))
        if len(outcomes) == len(shares):
            return words, outcomes
    return "", []


def main() -> None:
    """Judge so many mutants and print what was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--list", action="store_true", help="print every mutant that was not named")
    given = parser.parse_args()
    counts: dict[float, Counter[str]] = {1.0: Counter(), 1e-3: Counter()}
    by_line: Counter[tuple[str, str]] = Counter()
    for seed in range(given.seed, given.seed + given.count):
        words, outcomes = judged(seed)
        for share, what, mutant, cause in outcomes:
            counts[share][what] += 1
            by_line[mutant.line.name, what] += share == 1
            if given.list and what is not Identified.NAMED:
                print(f"{seed} {share:g} {what}: {words}  =>  {cause}")
    for share, counter in counts.items():
        total = counter.total() or 1
        shares = ", ".join(f"{k} {counter[k]} ({counter[k] / total:.1%})" for k in Identified)
        print(f"size {share:g}: {counter.total()} mutants: {shares}")
    for line in LINES:
        print(f"{line.name:18}", "  ".join(f"{k} {by_line[line.name, k]:3}" for k in Identified))


if __name__ == "__main__":
    main()
